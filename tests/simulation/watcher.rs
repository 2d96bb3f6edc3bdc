//! Monitors: they come, are told everything, ask for a log, read slowly or not at all, and go.
//!
//! Who is told of changes has to know what somebody is told who comes just now: at times one comes, to the farm itself, and its
//! picture is compared with everybody's.

use piwheels::domain::Millis;
use piwheels::master::event::{ConnId, Event};
use piwheels::master::refusals::Refusal;
use piwheels::monitor::model::{Link, Model};
use piwheels::wire::Channel;
use piwheels::wire::status::{FromMonitor, SlaveNow, ToMonitor};

use super::faults::Kind;
use super::network::{Peer, encoded};
use super::world::{Act, World};

/// Monitors that come and go.
pub(crate) const WATCHERS: usize = 2;
/// The one that comes to be compared with.
const AUDITOR: ConnId = ConnId(u64::MAX);
/// How often it does.
const AUDIT_EVERY: u64 = 7_000;
/// So many bytes wait for a monitor, as its connection bounds them: fewer than in the program, so that the bound is met.
const BACKLOG: usize = 24 << 10;

/// See the module's head.
#[derive(Default)]
pub(crate) struct Watcher {
    conn: Option<ConnId>,
    /// What the master told it, and what of it has come.
    told: Model,
    seen: Model,
    /// Whose log it asked for, as far as the master heard.
    watches: Option<u32>,
    /// It reads nothing until then.
    lags_until: u64,
}

/// All of them.
#[derive(Default)]
pub(crate) struct Watchers {
    all: [Watcher; WATCHERS],
    auditor: Model,
    next_audit: u64,
}

impl World {
    pub(crate) fn watcher_acts(&mut self, at: usize) {
        let calm = self.quiet.is_some();
        let dice = &mut self.chance.watcher;
        let (delay, what) = (dice.between(1_000, 15_000), dice.below(8));
        self.at(delay, Act::Watcher(at));
        let Some(conn) = self.watchers.all[at].conn else {
            let Some(conn) = self.connect(Peer::Watcher(at), Channel::Status, None) else { return };
            self.watchers.all[at] = Watcher { conn: Some(conn), ..Watcher::default() };
            return;
        };
        match what {
            0 | 5 if !calm => {
                self.say(|| format!("monitor {at} goes"));
                self.watchers.all[at].conn = None;
                self.peer_closes(conn);
            }
            1 if !calm => {
                let span = self.chance.watcher.between(1_000, 60_000);
                self.fault(Kind::Watch, || format!("monitor {at} reads nothing for {span} ms"));
                self.watchers.all[at].lags_until = self.clock + span;
                self.at(span, Act::WatcherReads(at));
            }
            2..=4 => {
                let slaves: Vec<u32> = self.watchers.all[at].seen.slaves.keys().copied().collect();
                let slave = (!slaves.is_empty()).then(|| *self.chance.watcher.of(&slaves));
                if self.watchers.all[at].seen.link == Link::Up {
                    self.watchers.all[at].seen.watch(slave);
                    self.send_to_master(conn, encoded(|out| FromMonitor::Subscribe { slave }.encode(out)));
                }
            }
            _ => {}
        }
    }

    pub(crate) fn watcher_reads(&mut self, at: usize) {
        if let Some(conn) = self.watchers.all[at].conn {
            self.watcher_hears(at, conn);
        }
    }

    pub(crate) fn watcher_lost(&mut self, at: usize, conn: ConnId) {
        let watcher = &mut self.watchers.all[at];
        if watcher.conn == Some(conn) {
            watcher.conn = None;
        }
    }

    pub(crate) fn watcher_hears(&mut self, at: usize, conn: ConnId) {
        if self.watchers.all[at].conn != Some(conn) {
            return;
        }
        if self.clock < self.watchers.all[at].lags_until && self.quiet.is_none() {
            let waits = self.lines.get(&conn).map_or(0, |line| line.peer_input.len());
            if waits > BACKLOG {
                self.fault(Kind::Watch, || format!("monitor {at} is dropped, for {waits} bytes wait for it"));
                self.put(Event::Refused(Refusal::NotReading));
                self.at(1, Act::PeerEnd(conn));
                self.master_end(conn);
            }
            return;
        }
        if self.peer_preamble(conn) {
            self.send_to_master(conn, encoded(|out| FromMonitor::Hello {}.encode(out)));
        }
        while self.watchers.all[at].conn == Some(conn)
            && let Some(frame) = self.peer_frame(conn)
        {
            match ToMonitor::decode(frame) {
                Ok(message) => self.watchers.all[at].seen.apply(Millis(self.clock), message),
                Err(wrong) => return self.violated(format!("the master says what is no message: {wrong}")),
            }
        }
    }

    /// The master hears whose log a monitor wants.
    pub(crate) fn heard_of_watcher(&mut self, at: usize, message: &FromMonitor) {
        if let FromMonitor::Subscribe { slave } = message {
            self.watchers.all[at].watches = *slave;
        }
    }

    /// The master tells a monitor something.
    pub(crate) fn told_watcher(&mut self, conn: ConnId, message: &ToMonitor) {
        let now = Millis(self.clock);
        if conn == AUDITOR {
            return self.watchers.auditor.apply(now, message.clone());
        }
        let Some(at) = self.watchers.all.iter().position(|watcher| watcher.conn == Some(conn)) else {
            return;
        };
        let watcher = &mut self.watchers.all[at];
        watcher.told.apply(now, message.clone());
        if let ToMonitor::Log { slave_id, build, offset, data } = message {
            let asked = watcher.watches == Some(*slave_id);
            if !asked {
                self.violated(format!(
                    "monitor {at} gets the log of slave {slave_id}, and did not ask for it"
                ));
            } else if !self.is_log(build.0, *offset, data) {
                self.violated(format!(
                    "monitor {at} gets bytes of build {build} at {offset} that it did not print"
                ));
            }
        }
    }

    /// At a tick: one comes, and its picture is everybody's.
    pub(crate) fn audit_watchers(&mut self) {
        let somebody = self.watchers.all.iter().any(|watcher| watcher.conn.is_some());
        if !somebody || self.clock < self.watchers.next_audit {
            return;
        }
        self.watchers.next_audit = self.clock + AUDIT_EVERY;
        self.watchers.auditor = Model::default();
        // what a step of the last tick changed is told with the next
        self.put(Event::Tick(Millis(self.wall_offset + self.clock)));
        let peer = "the auditor".to_owned();
        self.put(Event::Opened { conn: AUDITOR, channel: Channel::Status, peer, name: None });
        self.put(Event::Monitor(AUDITOR, FromMonitor::Hello {}));
        self.put(Event::Closed(AUDITOR));
        let fresh = &self.watchers.auditor;
        if fresh.link != Link::Up {
            return;
        }
        let odd = self.watchers.all.iter().enumerate().find_map(|(at, watcher)| {
            let line = self.lines.get(&watcher.conn?)?;
            let up = watcher.told.link == Link::Up && line.master_open && !line.closing;
            let differs = differs(&watcher.told, fresh)?;
            up.then(|| format!("monitor {at} was not told the truth: {differs}"))
        });
        if let Some(odd) = odd {
            self.violated(odd);
        }
    }

    /// When nothing happens any more, what was told has come.
    pub(crate) fn check_watchers(&mut self) {
        let odd = self.watchers.all.iter().enumerate().find_map(|(at, watcher)| {
            let line = self.lines.get(&watcher.conn?).filter(|line| line.stands())?;
            // something may be on its way
            let all_there = line.to_peer_at + 10 < self.clock;
            let differs = differs(&watcher.seen, &watcher.told)?;
            all_there.then(|| format!("monitor {at} does not know what it was told: {differs}"))
        });
        if let Some(odd) = odd {
            self.violated(odd);
        }
    }
}

/// What of two pictures is not the same, of what is told when it changes.
fn differs(one: &Model, other: &Model) -> Option<String> {
    let slaves = |model: &Model| -> Vec<SlaveNow> {
        let steady = |slave: &SlaveNow| SlaveNow { heard_ms: 0, connected_ms: 0, ..slave.clone() };
        model.slaves.values().map(|slave| steady(&slave.now)).collect()
    };
    let (ours, theirs) = (slaves(one), slaves(other));
    if let Some(odd) = ours.iter().find(|slave| !theirs.contains(slave)) {
        let other = theirs.iter().find(|slave| slave.slave_id == odd.slave_id);
        return Some(format!("slave {} is {odd:?}, not {other:?}", odd.slave_id));
    }
    if ours.len() != theirs.len() {
        return Some(format!("there are {} slaves, not {}", ours.len(), theirs.len()));
    }
    let known = one.builds.len().min(other.builds.len());
    if !one.builds.iter().take(known).eq(other.builds.iter().take(known)) {
        return Some(format!("builds are {:?}, not {:?}", one.builds, other.builds));
    }
    (one.outcomes != other.outcomes)
        .then(|| format!("outcomes are {:?}, not {:?}", one.outcomes, other.outcomes))
}
