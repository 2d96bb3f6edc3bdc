//! The hub: what monitors are told of the running farm (`wire-spec/status.md`), and everybody of its slaves (a page).
//!
//! No slave is reported to it. At every tick it looks at all of them and compares each with what it showed last; what
//! differs is told to every monitor. So a slave costs a monitor one message a tick at most, whatever it does in between.
//! It is told of builds that are recorded (`recent.rs`) and of pieces of logs (`logs.rs`); what the database and the machine
//! say, it has of Big Brother. Pure: no sockets, no clock.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::big_brother::BigBrother;
use super::event::{ConnId, Effect, Message, Out, PageRequest};
use super::follower::Following;
use super::limits::{MONITORS, STATS_EVERY, TREND_EVERY};
use super::pages::PageTrouble;
use super::publisher::Offer;
use super::slave_driver::{HeldJob, Slave, SlaveDriver, State};
use crate::domain::trend::{self, Trend};
use crate::domain::{BuildId, Millis};
use crate::seeded;
use crate::wire::limits::HOLDS_BACK_BYTES;
use crate::wire::status::{Doing, FromMonitor, JobNow, Mode, SlaveNow, ToMonitor, Vitals};
use crate::wire::{List, Text};

mod logs;
mod recent;
mod showcase;

use logs::{Logs, Watch};
use recent::Recent;

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
    /// What is wrong with pages.
    pub pages: PageTrouble,
    /// How the index is followed.
    pub follow: Following<'a>,
    /// Since when the administrator has paused the farm, and who.
    pub paused: Option<(Millis, &'a str)>,
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
    trend: Trend,
}

/// See the module's head.
#[derive(Debug, Default)]
pub struct Hub {
    monitors: BTreeMap<ConnId, Monitor>,
    shown: BTreeMap<u32, Shown>,
    stats_at: Millis,
    trend_at: Millis,
    showcase: Showcase,
    recent: Recent,
    logs: Logs,
}

/// A connected monitor.
#[derive(Debug, Default)]
struct Monitor {
    /// It said HELLO.
    greeted: bool,
    /// What it asked to see of a build's log.
    watch: Watch,
}

impl Hub {
    /// A monitor connected; refused when there are too many.
    pub fn opened(&mut self, conn: ConnId, out: &mut Out) {
        if self.monitors.len() >= MONITORS {
            out.close(conn, Some(format!("{MONITORS} monitors are connected already")));
            return;
        }
        self.monitors.insert(conn, Monitor::default());
    }

    /// A connection is gone.
    pub fn closed(&mut self, conn: ConnId) {
        self.monitors.remove(&conn);
    }

    /// A monitor asks for the picture, or for a log; the error is its defect.
    pub fn message(
        &mut self,
        conn: ConnId,
        message: FromMonitor,
        view: &View<'_>,
        brother: &mut BigBrother,
        out: &mut Out,
    ) -> Result<(), String> {
        let Some(monitor) = self.monitors.get_mut(&conn) else { return Ok(()) };
        match message {
            FromMonitor::Hello {} if monitor.greeted => return Err("a second HELLO".to_owned()),
            FromMonitor::Hello {} => {}
            FromMonitor::Subscribe { .. } if !monitor.greeted => {
                return Err("SUBSCRIBE before HELLO".to_owned());
            }
            FromMonitor::Subscribe { slave } => {
                let build = slave
                    .and_then(|id| view.slaves.slaves.values().find(|known| known.id == id)?.state.build());
                let tail = self.logs.watch(&mut monitor.watch, slave, build);
                out.effects.extend(tail.map(|piece| send(conn, piece)));
                return Ok(());
            }
        }
        brother.watched();
        // what the others are told at the next look is in this picture already, and must not be told to this one again, nor
        // may a slave be in it whose going is told to nobody: so the others are told now
        if !seeded::is("hello-told-twice") {
            self.look(view, out);
        }
        self.monitors.entry(conn).or_default().greeted = true;
        let mut tell = |message| out.effects.push(send(conn, message));
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
        tell(stats(view, brother));
        for (id, shown) in &self.shown {
            let samples: Vec<_> = shown.trend.samples().copied().collect();
            if !samples.is_empty() {
                tell(ToMonitor::Trend { slave_id: *id, samples: List::cut(samples) });
            }
        }
        self.recent.all().for_each(&mut tell);
        tell(self.recent.outcomes());
        tell(brother.health(view));
        tell(brother.farm(view));
        Ok(())
    }

    /// Looks at all slaves, and tells the monitors what has changed of them and which builds were recorded.
    fn look(&mut self, view: &View<'_>, out: &mut Out) {
        let mut tell = tell_all(self.listeners(), out);
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
            match self.shown.get_mut(&slave.id) {
                Some(shown) => (shown.face, shown.since) = (face, since),
                None => {
                    self.shown.insert(slave.id, Shown { face, since, trend: Trend::default() });
                }
            }
            tell(&mut || ToMonitor::Slave { slave: picture(view, slave, since) });
        }
        if self.shown.len() > view.slaves.slaves.len() {
            let here: BTreeSet<u32> = view.slaves.slaves.values().map(|slave| slave.id).collect();
            self.shown.retain(|id, _| {
                let stays = here.contains(id);
                if !stays {
                    self.showcase.gone();
                    if !seeded::is("gone-not-told") {
                        tell(&mut || ToMonitor::Gone { slave_id: *id });
                    }
                }
                stays
            });
        }
        let (news, outcomes) = self.recent.news();
        news.into_iter().chain(outcomes).for_each(|message| tell(&mut || message.clone()));
    }

    fn listeners(&self) -> Vec<ConnId> {
        self.monitors.iter().filter(|(_, monitor)| monitor.greeted).map(|(conn, _)| *conn).collect()
    }

    /// Tells the monitors what has changed. Returns whether slaves came, went or do something else.
    pub fn tick(&mut self, view: &View<'_>, brother: &mut BigBrother, out: &mut Out) -> bool {
        self.look(view, out);
        let mut tell = tell_all(self.listeners(), out);
        if view.now >= self.stats_at {
            self.stats_at = view.now + STATS_EVERY;
            tell(&mut || stats(view, brother));
        }
        if view.now >= self.trend_at {
            self.trend_at = view.now + TREND_EVERY;
            for shown in self.shown.values_mut() {
                if let Some(vitals) = &shown.face.vitals {
                    shown.trend.push(trend::sample(vitals));
                }
            }
        }
        if brother.is_news(view) {
            tell(&mut || brother.health(view));
            tell(&mut || brother.farm(view));
        }
        drop(tell);
        self.logs.keep(|build| view.slaves.jobs.get(&build).is_some_and(|job| job.conn.is_some()));
        self.monitors.values_mut().for_each(|monitor| monitor.watch.next_turn());
        if self.showcase.is_due(view.now) {
            out.effects.push(Effect::Page(PageRequest::Slaves(showcase::slaves(view))));
            return self.showcase.take_stirred();
        }
        false
    }

    /// A build was recorded; `wall` is what the wall clock shows.
    pub fn recorded(&mut self, offer: &Offer, wall: Millis) {
        self.recent.add(offer, wall);
    }

    /// A piece of the log of what a slave builds.
    pub fn log(&mut self, slave: u32, build: BuildId, offset: u64, piece: Bytes, out: &mut Out) {
        let watches = self.monitors.iter_mut().map(|(conn, monitor)| (*conn, &mut monitor.watch));
        for (conn, piece) in self.logs.add(slave, build, offset, piece, watches) {
            out.effects.push(send(conn, piece));
        }
    }

    /// Whether somebody watches.
    pub fn is_watched(&self) -> bool {
        self.monitors.values().any(|monitor| monitor.greeted)
    }

    /// The page of slaves is written, or not: then the reason.
    pub fn page_written(&mut self, result: Result<(), String>) {
        self.showcase.written(result);
    }
}

/// Tells these monitors something, which is made only where there is one.
fn tell_all(listeners: Vec<ConnId>, out: &mut Out) -> impl FnMut(&mut dyn FnMut() -> ToMonitor) {
    move |message| {
        let Some((last, others)) = listeners.split_last() else { return };
        let message = message();
        others.iter().for_each(|conn| out.effects.push(send(*conn, message.clone())));
        out.effects.push(send(*last, message));
    }
}

fn send(conn: ConnId, message: ToMonitor) -> Effect {
    Effect::Send(conn, Message::Monitor(Box::new(message)))
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
        connected_ms: (view.wall - view.now.since(slave.opened)).0,
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

fn stats(view: &View<'_>, brother: &BigBrother) -> ToMonitor {
    let all = || view.slaves.slaves.values();
    let count = |is: fn(Doing) -> bool| all().filter(|slave| is(doing_of(&slave.state))).count() as u32;
    ToMonitor::Stats {
        mode: view.mode,
        connected: all().count() as u32,
        building: count(|doing| doing == Doing::Building),
        idle: count(|doing| matches!(doing, Doing::Idle | Doing::Asking | Doing::Asleep)),
        queued: brother.queued(),
        transfers: view.transfers.0 as u32,
        bytes_in_flight: view.transfers.1,
        builds_ok: view.counts.built,
        builds_failed: view.counts.failed,
        refusals: view.refusals,
        log_bytes: view.counts.log_bytes,
    }
}
