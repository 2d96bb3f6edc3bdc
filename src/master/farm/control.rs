//! The administrator's commands to the running farm (`wire-spec/control.md`): one request, one answer, at once.
//!
//! Whether jobs are handed out at all, and to whom, is a state of the running master: it does not survive it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Farm, Running};
use crate::domain::Millis;
use crate::master::event::{ConnId, Effect, Message, Out};
use crate::master::limits::{RESTING_LABELS, TOOLS};
use crate::master::slave_driver::State;
use crate::wire::Text;
use crate::wire::control::{FromTool, How, ToTool, When};
use crate::wire::slave::ToSlave;
use crate::wire::status::Mode;

/// What the administrator has ordered.
#[derive(Debug, Default)]
pub(super) struct Orders {
    /// Tools that are connected, and who they are.
    tools: BTreeMap<ConnId, String>,
    /// Nothing is handed out: since when, and by whose order.
    pub(super) paused: Option<(Millis, String)>,
    /// Labels of slaves that get no job, so that they get none when they come back either.
    pub(super) resting: BTreeSet<String>,
}

impl Orders {
    pub(super) fn opened(&mut self, conn: ConnId, peer: String, out: &mut Out) {
        if self.tools.len() >= TOOLS {
            out.close(conn, Some(format!("{TOOLS} tools are connected already")));
            return;
        }
        self.tools.insert(conn, peer);
    }

    pub(super) fn closed(&mut self, conn: ConnId) {
        self.tools.remove(&conn);
    }

    /// Since when the farm is paused, and by whom.
    pub(super) fn paused(&self) -> Option<(Millis, &str)> {
        self.paused.as_ref().map(|(since, by)| (*since, by.as_str()))
    }
}

impl Farm {
    /// A command; it is answered before anything that follows from it.
    pub(super) fn command(&mut self, now: Millis, conn: ConnId, command: FromTool, out: &mut Out) {
        let Some(peer) = self.orders.tools.get(&conn).cloned() else { return };
        log::warn!("{peer} orders {}", describe(&command));
        let at = out.effects.len();
        let answer = match self.carry_out(now, &peer, command, out) {
            Ok(affected) => ToTool::Done { affected: u32::try_from(affected).unwrap_or(u32::MAX) },
            Err(reason) => {
                log::warn!("not done: {reason}");
                ToTool::Error { reason: Text::cut(&reason) }
            }
        };
        out.effects.insert(at, Effect::Send(conn, Message::Control(answer)));
    }

    fn carry_out(
        &mut self,
        now: Millis,
        peer: &str,
        command: FromTool,
        out: &mut Out,
    ) -> Result<usize, String> {
        let hands_out = matches!(
            command,
            FromTool::Pause {} | FromTool::Resume {} | FromTool::Sleep { .. } | FromTool::Wake { .. }
        );
        if hands_out && self.running != Running::Yes {
            return Err("the master stops; nothing is handed out any more".to_owned());
        }
        match command {
            FromTool::Pause {} => {
                self.orders.paused.get_or_insert_with(|| (now, peer.to_owned()));
                Ok(self.slaves.slaves.len())
            }
            FromTool::Resume {} => {
                self.orders.paused = None;
                let all = self.everybody();
                for slave in &all {
                    self.wake(*slave, out);
                }
                Ok(all.len())
            }
            FromTool::Kill { slave, when } => {
                let slaves = self.named(slave)?;
                slaves.iter().for_each(|slave| self.kill(*slave, when, out));
                Ok(slaves.len())
            }
            FromTool::Skip { slave } => self.skip(slave, out),
            FromTool::Sleep { slave } => {
                let slaves = self.named(slave)?;
                if self.orders.resting.len() + slaves.len() > RESTING_LABELS {
                    self.forget_absent();
                }
                slaves.iter().for_each(|slave| self.rest(*slave));
                Ok(slaves.len())
            }
            FromTool::Wake { slave } => {
                let slaves = self.named(slave)?;
                if slave.is_none() {
                    self.orders.resting.clear();
                }
                slaves.iter().for_each(|slave| self.rouse(*slave, out));
                Ok(slaves.len())
            }
            FromTool::Quit { how } => {
                let slaves = self.slaves.slaves.len();
                match how {
                    How::Drain => self.drain(out),
                    How::Now => self.stop(now, out),
                }
                Ok(slaves)
            }
            FromTool::Keys {} => Ok(self.read_keys(out)),
        }
    }

    /// The file of slaves' keys has changed: it is read again, and slaves whose keys hold no more are dropped. How many
    /// that concerns is not known here.
    fn read_keys(&mut self, out: &mut Out) -> usize {
        out.effects.push(Effect::ReadKeys);
        0
    }

    pub(super) fn everybody(&self) -> Vec<ConnId> {
        self.slaves.slaves.keys().copied().collect()
    }

    /// The slave of this number, or all.
    fn named(&self, slave: Option<u32>) -> Result<Vec<ConnId>, String> {
        let Some(id) = slave else { return Ok(self.everybody()) };
        let found = self.slaves.slaves.iter().find(|(_, slave)| slave.id == id);
        found.map(|(conn, _)| vec![*conn]).ok_or_else(|| format!("no slave {id} is connected"))
    }

    fn kill(&mut self, conn: ConnId, when: When, out: &mut Out) {
        let Some(slave) = self.slaves.slaves.get_mut(&conn) else { return };
        if slave.kill != Some(When::Now) {
            slave.kill = Some(when);
        }
        if let Some(who) = &slave.introduction {
            self.architect.forget(conn, &who.abi);
        }
        let goes = match slave.state {
            State::Idle | State::Asleep => true,
            // the database is asked for its job: it goes, or is told, when the answer is here
            State::Asked | State::Adopting(_) => false,
            // its bytes are all here, and it is idle in a moment
            State::Offered(build) if self.publisher.finishes_alone(build) => false,
            State::Greeting | State::Building(_) | State::Offered(_) => when == When::Now,
            State::Leaving => false,
        };
        if goes {
            self.slaves.dismiss(conn, "the administrator told it to go", out);
        }
    }

    fn skip(&mut self, id: u32, out: &mut Out) -> Result<usize, String> {
        let conn = *self.named(Some(id))?.first().ok_or("no such slave")?;
        let state = self.slaves.slaves.get(&conn).map(|slave| slave.state.clone());
        let build = match state {
            Some(State::Building(build)) => build,
            Some(State::Offered(build)) => {
                return Err(format!("slave {id} has finished build {build} and delivers it"));
            }
            _ => return Err(format!("slave {id} builds nothing")),
        };
        if let Some(held) = self.slaves.jobs.get_mut(&build)
            && !std::mem::replace(&mut held.cancelled, true)
        {
            out.tell(conn, ToSlave::Cancel { build });
        }
        Ok(1)
    }

    fn rest(&mut self, conn: ConnId) {
        let Some(slave) = self.slaves.slaves.get_mut(&conn) else { return };
        slave.resting = true;
        if let Some(who) = &slave.introduction {
            self.architect.forget(conn, &who.abi);
            self.orders.resting.insert(who.label.clone());
        }
    }

    fn rouse(&mut self, conn: ConnId, out: &mut Out) {
        let Some(slave) = self.slaves.slaves.get_mut(&conn) else { return };
        slave.resting = false;
        if let Some(who) = &slave.introduction {
            self.orders.resting.remove(&who.label);
        }
        self.wake(conn, out);
    }

    /// Keeps only the labels of slaves that are connected.
    fn forget_absent(&mut self) {
        let slaves = self.slaves.slaves.values();
        let here: BTreeSet<&str> =
            slaves.filter_map(|slave| slave.introduction.as_ref()).map(|who| who.label.as_str()).collect();
        self.orders.resting.retain(|label| here.contains(label.as_str()));
    }

    /// Whether the farm works, for monitors.
    pub(super) fn mode(&self) -> Mode {
        match self.running {
            Running::Yes if self.orders.paused.is_some() => Mode::Paused,
            Running::Yes if self.brother.hold().is_some() => Mode::Held,
            Running::Yes => Mode::Running,
            Running::Draining => Mode::Draining,
            Running::Stopping { .. } | Running::Ended => Mode::Stopping,
        }
    }

    /// What the farm is doing, one line for people: for the service manager.
    pub fn standing(&self) -> String {
        let slaves = self.slaves.slaves.len();
        let building = self.slaves.slaves.values().filter(|slave| slave.state.build().is_some()).count();
        match self.mode() {
            _ if !self.brother.is_seated() => {
                format!(
                    "has lost its seat at the database, and tries for it; slaves: {slaves}, of which {building} build"
                )
            }
            Mode::Running => format!("slaves: {slaves}, of which {building} build"),
            Mode::Paused => format!("paused; slaves: {slaves}, of which {building} build"),
            Mode::Held => {
                format!("short of disk, hands nothing out; slaves: {slaves}, of which {building} build")
            }
            Mode::Draining => format!("stops when the builds of {building} slaves are delivered"),
            Mode::Stopping => "stops now".to_owned(),
        }
    }
}

fn describe(command: &FromTool) -> String {
    let whom = |slave: &Option<u32>| slave.map_or("all slaves".to_owned(), |id| format!("slave {id}"));
    match command {
        FromTool::Pause {} => "a pause: nothing is handed out until 'piw resume'".to_owned(),
        FromTool::Resume {} => "that jobs are handed out again".to_owned(),
        FromTool::Kill { slave, when: When::NextIdle } => format!("{} to go when idle", whom(slave)),
        FromTool::Kill { slave, when: When::Now } => format!("{} to go now", whom(slave)),
        FromTool::Skip { slave } => format!("slave {slave} to cancel its build"),
        FromTool::Sleep { slave } => format!("{} to sleep", whom(slave)),
        FromTool::Wake { slave } => format!("{} to wake", whom(slave)),
        FromTool::Quit { how: How::Drain } => "the end, when what is being built is delivered".to_owned(),
        FromTool::Quit { how: How::Now } => "the end, now".to_owned(),
        FromTool::Keys {} => "the slaves' keys to be read again".to_owned(),
    }
}
