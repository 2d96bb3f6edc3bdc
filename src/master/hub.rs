//! The hub: what monitors are told of the running farm (`wire-spec/status.md`), and everybody of its slaves (a page).
//!
//! Nobody reports to it. At every tick it looks at all slaves and compares each with what it showed last; what differs
//! is told to every monitor. So a slave costs a monitor one message a tick at most, whatever it does in between, and
//! nothing else in the farm knows that monitors exist. Pure: no sockets, no clock.

use std::collections::{HashMap, HashSet};

use super::event::{ConnId, Effect, Message, Out, PageRequest};
use super::limits::{MONITORS, STATS_EVERY};
use super::slave_driver::{HeldJob, Slave, SlaveDriver, State};
use crate::domain::{BuildId, Millis};
use crate::wire::Text;
use crate::wire::limits::HOLDS_BACK_BYTES;
use crate::wire::status::{Doing, FromMonitor, JobNow, Mode, SlaveNow, ToMonitor, Vitals};

mod showcase;

pub use showcase::PublicSlave;
use showcase::Showcase;

/// What has happened since the master started.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Builds recorded as built.
    pub built: u64,
    /// Builds recorded as anything else.
    pub failed: u64,
    /// Bytes of builds' logs.
    pub log_bytes: u64,
}

/// The farm as it is now.
#[derive(Debug)]
pub struct View<'a> {
    /// The farm's clock.
    pub now: Millis,
    /// The wall clock, milliseconds since 1970.
    pub wall: Millis,
    /// The same when the master started.
    pub started: Millis,
    /// Whether it works.
    pub mode: Mode,
    /// The slaves and their jobs.
    pub slaves: &'a SlaveDriver,
    /// What happened so far.
    pub counts: Counts,
    /// Peers that were turned away, whatever the reason.
    pub refusals: u64,
    /// Transfers, and bytes of them asked for and not on disk.
    pub transfers: (usize, u64),
}

/// What of a slave may change, as it was shown last.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Face {
    doing: Doing,
    build: Option<BuildId>,
    introduced: bool,
    vitals: Option<Vitals>,
    clock_offset: Option<i64>,
    holds_back: Option<Text<HOLDS_BACK_BYTES>>,
    resting: bool,
    kill_pending: bool,
    skipping: bool,
}

#[derive(Debug)]
struct Shown {
    face: Face,
    /// Since when it does what it does: wall clock.
    since: Millis,
}

/// See the module's head.
#[derive(Debug, Default)]
pub struct Hub {
    /// Connected monitors, and whether they said HELLO.
    monitors: HashMap<ConnId, bool>,
    shown: HashMap<u32, Shown>,
    stats_at: Millis,
    showcase: Showcase,
}

impl Hub {
    /// A monitor connected; refused when there are too many.
    pub fn opened(&mut self, conn: ConnId, out: &mut Out) {
        if self.monitors.len() >= MONITORS {
            out.close(conn, Some(format!("{MONITORS} monitors are connected already")));
            return;
        }
        self.monitors.insert(conn, false);
    }

    /// A connection is gone.
    pub fn closed(&mut self, conn: ConnId) {
        self.monitors.remove(&conn);
    }

    /// A monitor asks for the picture; the error is its defect.
    pub fn message(
        &mut self,
        conn: ConnId,
        message: FromMonitor,
        view: &View<'_>,
        out: &mut Out,
    ) -> Result<(), String> {
        let FromMonitor::Hello {} = message;
        match self.monitors.get_mut(&conn) {
            Some(greeted) if !*greeted => *greeted = true,
            Some(_) => return Err("a second HELLO".to_owned()),
            None => return Ok(()),
        }
        let mut tell = |message| out.effects.push(Effect::Send(conn, Message::Monitor(Box::new(message))));
        tell(ToMonitor::Hello {
            software: Text::cut(crate::VERSION),
            started_ms: view.started.0,
            wall_ms: view.wall.0,
            mode: view.mode,
        });
        for slave in view.slaves.slaves.values() {
            let since = self.shown.get(&slave.id).map_or(view.wall, |shown| shown.since);
            tell(ToMonitor::Slave { slave: picture(view, slave, since) });
        }
        tell(stats(view));
        Ok(())
    }

    /// Tells the monitors what has changed. Returns whether slaves came, went or do something else.
    pub fn tick(&mut self, view: &View<'_>, out: &mut Out) -> bool {
        let listeners: Vec<ConnId> =
            self.monitors.iter().filter(|(_, greeted)| **greeted).map(|(conn, _)| *conn).collect();
        let mut tell = |message: ToMonitor| {
            for conn in &listeners {
                out.effects.push(Effect::Send(*conn, Message::Monitor(Box::new(message.clone()))));
            }
        };
        for slave in view.slaves.slaves.values() {
            let face = face(view, slave);
            let since = match self.shown.get(&slave.id) {
                Some(shown) if shown.face == face => continue,
                Some(shown) if (shown.face.doing, shown.face.build) == (face.doing, face.build) => {
                    shown.since
                }
                _ => view.wall,
            };
            self.showcase.changed(self.shown.get(&slave.id).map(|shown| &shown.face), &face);
            self.shown.insert(slave.id, Shown { face, since });
            if !listeners.is_empty() {
                tell(ToMonitor::Slave { slave: picture(view, slave, since) });
            }
        }
        if self.shown.len() > view.slaves.slaves.len() {
            let here: HashSet<u32> = view.slaves.slaves.values().map(|slave| slave.id).collect();
            self.shown.retain(|id, _| {
                let stays = here.contains(id);
                if !stays {
                    self.showcase.gone();
                    tell(ToMonitor::Gone { slave_id: *id });
                }
                stays
            });
        }
        if view.now >= self.stats_at {
            self.stats_at = view.now + STATS_EVERY;
            tell(stats(view));
        }
        if self.showcase.is_due(view.now) {
            out.effects.push(Effect::Page(PageRequest::Slaves(showcase::slaves(view))));
            return self.showcase.take_stirred();
        }
        false
    }

    /// The page of slaves is written, or not: then the reason.
    pub fn page_written(&mut self, result: Result<(), String>) {
        self.showcase.written(result);
    }
}

fn job<'a>(view: &'a View<'_>, slave: &Slave) -> Option<&'a HeldJob> {
    view.slaves.jobs.get(&slave.state.build()?)
}

fn face(view: &View<'_>, slave: &Slave) -> Face {
    Face {
        doing: doing_of(&slave.state),
        build: slave.state.build(),
        introduced: slave.introduction.is_some(),
        vitals: slave.vitals.clone(),
        clock_offset: slave.clock_offset,
        holds_back: slave.holds_back.clone(),
        resting: slave.resting,
        kill_pending: slave.kill.is_some(),
        skipping: job(view, slave).is_some_and(|held| held.cancelled),
    }
}

const fn doing_of(state: &State) -> Doing {
    match state {
        State::Greeting => Doing::Greeting,
        State::Adopting(_) => Doing::Returning,
        State::Idle => Doing::Idle,
        State::Asked => Doing::Asking,
        State::Asleep => Doing::Asleep,
        State::Building(_) => Doing::Building,
        State::Offered(_) => Doing::Delivering,
        State::Leaving => Doing::Leaving,
    }
}

fn picture(view: &View<'_>, slave: &Slave, since: Millis) -> SlaveNow {
    let face = face(view, slave);
    let who = slave.introduction.as_ref();
    SlaveNow {
        slave_id: slave.id,
        label: Text::cut(who.map_or("", |who| &who.label)),
        peer: Text::cut(&slave.peer),
        abi: Text::cut(who.map_or("", |who| who.abi.as_str())),
        platform: Text::cut(who.map_or("", |who| &who.platform)),
        python: Text::cut(who.map_or("", |who| &who.python)),
        board: who.map(|who| who.board.clone()),
        doing: face.doing,
        since_ms: since.0,
        heard_ms: (view.wall - view.now.since(slave.heard)).0,
        job: job(view, slave).map(|held| JobNow {
            build: held.job.token.build,
            package: Text::cut(held.job.package.as_str()),
            version: Text::cut(&held.job.version.to_string()),
        }),
        vitals: face.vitals,
        clock_offset_ms: face.clock_offset,
        holds_back: face.holds_back,
        resting: face.resting,
        kill_pending: face.kill_pending,
        skipping: face.skipping,
    }
}

fn stats(view: &View<'_>) -> ToMonitor {
    let all = || view.slaves.slaves.values();
    let count = |is: fn(Doing) -> bool| all().filter(|slave| is(doing_of(&slave.state))).count() as u32;
    ToMonitor::Stats {
        mode: view.mode,
        connected: all().count() as u32,
        building: count(|doing| doing == Doing::Building),
        idle: count(|doing| matches!(doing, Doing::Idle | Doing::Asking | Doing::Asleep)),
        queued: 0,
        transfers: view.transfers.0 as u32,
        bytes_in_flight: view.transfers.1,
        builds_ok: view.counts.built,
        builds_failed: view.counts.failed,
        refusals: view.refusals,
        log_bytes: view.counts.log_bytes,
    }
}
