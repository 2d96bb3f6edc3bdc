//! The farm: the sum of the state machines. Events in, effects out; it neither waits nor looks at a clock.
//!
//! Each room keeps its own state; this routes messages and answers to them, and carries what one room wants of another.

use std::collections::BTreeMap;

use super::architect::{Architect, Arrivals};
use super::big_brother::{BigBrother, Task};
use super::event::{ConnId, DiskAnswer, Event, Out, PageAnswer, Purpose};
use super::file_juggler::{FileJuggler, TransferKey};
use super::follower::{FollowSettings, Follower};
use super::hub::{Counts, Hub, View};
use super::limits::Limits;
use super::metrics::figures::Tally;
use super::mr_chase::{Changed, Facts, MrChase};
use super::pages::Pages;
use super::publisher::{Publisher, Recorded, Step};
use super::query::{Abi, Adoption, Answer, Logged, Outcome, PageKind};
use super::refusals::{Refusal, Refusals};
use super::slave_driver::{Abis, SlaveDriver, State};
use crate::domain::Millis;
use crate::seeded;
use crate::wire::Channel;
use crate::wire::file::FromSlave as FromFile;
use crate::wire::slave::ToSlave;

mod attendance;
mod control;
mod figures;
mod following;
mod holdings;
mod housekeeping;
mod imports;
mod stopping;
mod sweeping;
mod unwanted;
mod watch;
mod work;

use control::Orders;
use figures::Measuring;
pub use holdings::Holdings;
use housekeeping::Housekeeping;
use stopping::Running;
use unwanted::Unwanted;
use work::Turns;

/// Secrets that nobody can guess, from a seed that the caller drew from the system: randomness as an argument.
#[derive(Debug)]
struct Secrets {
    seed: [u8; 32],
    drawn: u64,
}

impl Secrets {
    fn draw(&mut self) -> [u8; 16] {
        use sha2::Digest;
        self.drawn += u64::from(!seeded::is("secret-drawn-twice") || self.drawn.is_multiple_of(2));
        let digest =
            sha2::Sha256::new().chain_update(self.seed).chain_update(self.drawn.to_be_bytes()).finalize();
        let mut secret = [0; 16];
        secret.copy_from_slice(&digest[..16]);
        secret
    }
}

fn built_for(abis: &[Abi]) -> Abis {
    let wanted = abis.iter().filter(|abi| abi.skip.is_none());
    wanted.map(|abi| (abi.tag.clone(), abi.platforms.clone())).collect()
}

/// The farm as its hub shows it. A macro, for the hub itself is borrowed beside it.
macro_rules! view {
    ($farm:expr, $now:expr) => {
        View {
            now: $now,
            wall: $farm.wall($now).unwrap_or_default(),
            started: $farm.wall($now).unwrap_or_default() - $now.since($farm.started),
            mode: $farm.mode(),
            slaves: &$farm.slaves,
            counts: $farm.counts,
            refusals: $farm.refusals.total(),
            transfers: $farm.juggler.load(),
            pages: $farm.pages.trouble(),
            follow: $farm.follower.following(),
            paused: $farm.orders.paused(),
        }
    };
}

/// The whole farm.
#[derive(Debug)]
pub struct Farm {
    limits: Limits,
    index_url: String,
    secrets: Secrets,
    abis: Abis,
    slaves: SlaveDriver,
    architect: Architect,
    juggler: FileJuggler,
    publisher: Publisher,
    chase: MrChase,
    pages: Pages,
    follower: Follower,
    /// Claims under way: what had arrived for the slave's ABI when it asked.
    claims: BTreeMap<ConnId, Arrivals>,
    housekeeping: Housekeeping,
    running: Running,
    /// Why peers were turned away.
    refusals: Refusals,
    orders: Orders,
    hub: Hub,
    brother: BigBrother,
    counts: Counts,
    tally: Tally,
    measuring: Measuring,
    turns: Turns,
    unwanted: Unwanted,
    /// A moment of the farm's clock, and what the wall clock showed then.
    clock: Option<(Millis, Millis)>,
    started: Millis,
}

impl Farm {
    /// A farm that starts at this moment and builds for these ABIs. `index_url` is what slaves build from; `seed` must be
    /// unpredictable.
    pub fn new(
        started: Millis,
        limits: Limits,
        index_url: String,
        follow: FollowSettings,
        abis: &[Abi],
        seed: [u8; 32],
    ) -> Self {
        Self {
            housekeeping: Housekeeping::new(started, limits.lease),
            juggler: FileJuggler::new(&limits),
            brother: BigBrother::new(limits.disk_floor),
            limits,
            index_url,
            secrets: Secrets { seed, drawn: 0 },
            abis: built_for(abis),
            slaves: SlaveDriver::default(),
            architect: Architect::default(),
            publisher: Publisher::default(),
            chase: MrChase::default(),
            pages: Pages::default(),
            follower: Follower::new(started, follow),
            claims: BTreeMap::new(),
            running: Running::Yes,
            refusals: Refusals::default(),
            orders: Orders::default(),
            hub: Hub::default(),
            counts: Counts::default(),
            tally: Tally::default(),
            measuring: Measuring::default(),
            turns: Turns::default(),
            unwanted: Unwanted::default(),
            clock: None,
            started,
        }
    }

    /// The next moment at which [`Event::Tick`] is wanted.
    pub fn next_deadline(&self, now: Millis) -> Millis {
        now + Millis(250)
    }

    /// Takes an event in and says what is to be done.
    pub fn handle(&mut self, now: Millis, event: Event, out: &mut Out) {
        match event {
            Event::Opened { conn, channel, peer, name } => match channel {
                Channel::Slave => self.slaves.opened(now, conn, peer, name),
                Channel::File => self.juggler.opened(now, conn, name),
                Channel::Import => self.chase.opened(conn, peer, out),
                Channel::Status => self.hub.opened(conn, out),
                Channel::Control => self.orders.opened(conn, peer, out),
            },
            Event::Slave(conn, message) => self.slave(now, conn, message, out),
            Event::Refused(refusal) => self.refusals.count(refusal),
            Event::File(conn, message) => {
                if let FromFile::Hello { transfer } = &message
                    && let Err(defect) = self.may_deliver(conn, transfer)
                {
                    self.juggler.closed(conn);
                    out.close(conn, Some(self.refusals.because(Refusal::NotIts, &defect)));
                    return;
                }
                if let Err(defect) = self.juggler.message(now, conn, message, &mut out.effects) {
                    self.juggler.closed(conn);
                    out.close(conn, Some(self.refusals.because(Refusal::Protocol, &defect)));
                }
            }
            Event::Tool(conn, message) => {
                if let Err(defect) = self.tool(now, conn, message, out) {
                    self.tool_gone(conn, out);
                    out.close(conn, Some(defect));
                }
            }
            Event::Monitor(conn, message) => {
                let view = view!(self, now);
                if let Err(defect) = self.hub.message(conn, message, &view, &mut self.brother, out) {
                    self.hub.closed(conn);
                    out.close(conn, Some(defect));
                }
            }
            Event::Control(conn, command) => self.command(now, conn, command, out),
            Event::Closed(conn) => self.closed(now, conn, out),
            Event::Database(ticket, answer) => {
                if let Some(purpose) = out.purpose(ticket) {
                    if !matches!(answer, Answer::Failed(_)) {
                        self.brother.did(Task::Database, now);
                    }
                    self.answered(now, purpose, answer, out);
                }
            }
            Event::Disk(answer) => self.disk(now, answer, out),
            Event::Page(PageAnswer::SlavesWritten(result)) => self.hub.page_written(result),
            Event::Page(answer) => {
                if let PageAnswer::Written(order, Ok(())) = &answer {
                    let home = matches!(order.page, PageKind::Home);
                    self.brother.did(if home { Task::Home } else { Task::Pages }, now);
                    self.chase.page_written(order, out);
                }
                self.pages.written(now, answer, out);
            }
            Event::Looked(ticket, answer) => match out.purpose(ticket) {
                Some(Purpose::Tool(conn)) => self.chase.looked(conn, answer, out),
                Some(Purpose::Follower) => self.follower.looked(now, answer, out),
                _ => {}
            },
            Event::Gazed(answer) => {
                self.follower.seen(now, answer, out);
                if self.follower.following().trouble.is_none() {
                    self.brother.did(Task::Index, now);
                }
            }
            Event::Surveyed(survey) => self.brother.surveyed(now, *survey),
            Event::Seat(held) => self.brother.seat(now, held),
            Event::Forgotten(ticket) => {
                out.purpose(ticket);
            }
            Event::Drain => self.drain(out),
            Event::Stop => self.stop(now, out),
            Event::Tick(wall) => {
                self.clock = Some((now, wall));
                self.tick(now, out);
                self.watch_over(now, out);
                let view = view!(self, now);
                if self.hub.tick(&view, &mut self.brother, out) {
                    self.pages.home_changed();
                }
                self.measuring.tick(now, wall - now.since(self.started), out);
            }
        }
        self.steps(now, out);
        self.follow(now, out);
        self.end(now, out);
    }

    /// A file connection names a transfer: who proved a name may deliver that slave's files only, and its files may be
    /// delivered by nobody else.
    fn may_deliver(&self, conn: ConnId, key: &TransferKey) -> Result<(), String> {
        let Some(transfer) = self.juggler.named(key) else { return Ok(()) };
        let owner = self.publisher.build_of(transfer).and_then(|build| self.slaves.jobs.get(&build));
        let (owner, deliverer) = (owner.and_then(|job| job.name.as_deref()), self.juggler.name(conn));
        if owner == deliverer {
            return Ok(());
        }
        Err(format!(
            "{} names a transfer of {}",
            deliverer.unwrap_or("a peer without a key"),
            owner.unwrap_or("another slave")
        ))
    }

    /// What the wall clock shows, milliseconds since 1970.
    fn wall(&self, now: Millis) -> Option<Millis> {
        self.clock.map(|(then, wall)| wall + now.since(then))
    }

    /// An answer of the database.
    fn answered(&mut self, now: Millis, purpose: Purpose, answer: Answer, out: &mut Out) {
        match (purpose, answer) {
            (Purpose::Claim(conn), Answer::Claimed(job)) => self.claimed(now, conn, job, out),
            (Purpose::Claim(conn), Answer::Refused(reason) | Answer::Failed(reason)) => {
                self.claims.remove(&conn);
                log::error!("no job for a slave: {reason}");
                self.turn_down(conn, out);
            }
            (Purpose::Adopt(conn), Answer::Adopted(adoption)) => self.adopted(now, conn, adoption, out),
            (Purpose::Adopt(conn), Answer::Refused(reason) | Answer::Failed(reason)) => {
                // it keeps its build, and asks again when it is back
                log::error!("whether a slave's job is known cannot be found out: {reason}");
                self.drop_slave(conn, None, out);
            }
            (Purpose::Readopt, Answer::Adopted(adoption)) => {
                if let Adoption::Late(job) = adoption {
                    let what = format!("{} {} for {}", job.package, job.version, job.abi);
                    log::warn!(
                        "build {}: another slave has {what} by now; the first to finish counts",
                        job.token.build
                    );
                }
            }
            (Purpose::Build(build), answer) => {
                if let Some(recorded) = self.publisher.answered(now, build, answer, out) {
                    self.recorded(now, recorded, out);
                }
            }
            (Purpose::Release, Answer::Released(Some(abi))) => self.arrived(&abi, out),
            (Purpose::Release, Answer::Released(None)) => {}
            (Purpose::Renew, Answer::Renewed) => {
                self.brother.did(Task::Renewal, now);
                self.renewed();
            }
            (Purpose::Sweep, Answer::Swept(swept)) => self.swept(now, swept, out),
            (Purpose::Follower, answer) => {
                let followed = self.follower.answered(now, answer, out);
                self.followed(followed, out);
            }
            (Purpose::Walk, Answer::Walked { opened, more }) => self.walked(&opened, more, out),
            (Purpose::Abis, Answer::Abis(abis)) => self.abis_told(Some(&abis), out),
            (Purpose::Figures, answer) => self.measuring.answered(now, answer),
            (Purpose::Popularity, Answer::PopularityRolled(looked_at)) => {
                self.brother.did(Task::Popularity, now);
                self.rolled(now, looked_at);
            }
            (Purpose::BigBrother, answer) => {
                self.brother.answered(now, answer, self.wall(now).unwrap_or_default());
            }
            (Purpose::Pages, answer) => {
                if matches!(&answer, Answer::RewritesDue { due, .. } if due.is_empty()) {
                    self.brother.did(Task::Pages, now);
                }
                self.pages.answered(now, answer, out);
            }
            (Purpose::PagesTold, answer) => self.pages.told(now, &answer, out),
            (Purpose::HomeOrder, answer) => self.pages.home_ordered(&answer, out),
            (Purpose::Home, answer) => self.pages.home_answered(now, answer, out),
            (Purpose::Root, answer) => self.pages.root_answered(now, answer, out),
            (Purpose::Tool(conn), answer) => {
                if let Answer::AbiAdded(_, abis) = &answer {
                    // before the tool hears of it: its slaves may come then. Another change may not be in this list yet
                    self.abis.extend(built_for(abis));
                }
                let facts = Facts {
                    wall: self.wall(now).unwrap_or_default(),
                    following: self.follower.following(),
                    pages: self.pages.trouble(),
                    paused: self.orders.paused(),
                    brother: &self.brother,
                };
                match self.chase.answered(now, conn, answer, &facts, out) {
                    Changed::Nothing => {}
                    Changed::Queued(abis) => {
                        self.pages.home_changed();
                        self.follower.kick(now);
                        abis.iter().for_each(|abi| self.arrived(abi, out));
                    }
                    Changed::Abi => self.abis_changed(out),
                    Changed::Pages => self.pages.kick_for_tool(now, out),
                    Changed::Unclaimed(project, names) => self.sweep_files(conn, project, names, out),
                    Changed::Offered(offer) => self.publisher.offer(*offer, out),
                    Changed::Ordered { opened, cancelled, walks } => {
                        self.follower.kick(now);
                        let opened = opened.iter().filter(|_| !seeded::is("order-wakes-nobody"));
                        opened.for_each(|abi| self.arrived_many(abi, out));
                        self.stop_builds(&cancelled, out);
                        self.pages.home_changed();
                        self.pages.kick_for_tool(now, out);
                        if walks {
                            self.abis_changed(out);
                        }
                    }
                }
            }
            (purpose, answer) => {
                match purpose {
                    Purpose::Sweep => self.housekeeping.sweeping = false,
                    Purpose::Renew => self.renewed(),
                    Purpose::Walk => self.housekeeping.walking = false,
                    Purpose::Popularity => self.rolled(now, 0),
                    Purpose::Abis => self.abis_told(None, out),
                    _ => {}
                }
                log::error!("the database answered {purpose:?} with {answer:?}");
            }
        }
    }

    /// A build is in the database.
    fn recorded(&mut self, now: Millis, recorded: Recorded, out: &mut Out) {
        let Recorded { offer, logged } = recorded;
        let build = offer.job.token.build;
        let what =
            format!("build {build}: {} {} for {}", offer.job.package, offer.job.version, offer.job.abi);
        match logged {
            Logged::Recorded { opened } => {
                match offer.outcome {
                    Outcome::Built => self.counts.built += 1,
                    _ => self.counts.failed += 1,
                }
                self.tally.build(&offer);
                self.pages.build_recorded(now);
                self.hub.recorded(&offer, self.wall(now).unwrap_or_default());
                let files: Vec<_> = offer.files.iter().map(|f| f.wheel.as_str()).collect();
                let seconds = offer.duration_ms as f64 / 1000.0;
                log::info!("{what} is {} after {seconds:.1} s {}", offer.outcome.name(), files.join(" "));
                if let Some(abi) = opened {
                    self.arrived(&abi, out);
                }
                self.pages.home_changed();
                if !offer.files.is_empty() {
                    self.pages.kick(out);
                }
            }
            Logged::Imported(imported) => self.imported(now, &offer, *imported, out),
            Logged::Duplicate => log::info!("{what} was recorded already"),
            Logged::Superseded => log::info!("{what}: another slave's result came first"),
            Logged::Unknown => log::warn!("{what} is unknown to the database; its result is thrown away"),
        }
    }

    fn disk(&mut self, now: Millis, answer: DiskAnswer, out: &mut Out) {
        self.tally.disk(&answer);
        match answer {
            DiskAnswer::LogWritten(build, bytes) => self.slaves.log_written(build, bytes, out),
            DiskAnswer::Written(id, offset, length) => {
                self.juggler.written(now, id, offset, length, &mut out.effects);
            }
            DiskAnswer::Opened(id, have) => self.juggler.ready(now, id, have, &mut out.effects),
            DiskAnswer::TransferFailed(id, reason) => self.publisher.transfer_failed(now, id, &reason, out),
            DiskAnswer::Checked(id, checked) => self.publisher.checked(id, checked, out),
            DiskAnswer::Placed(build, placed) => self.publisher.placed(now, build, placed, out),
            DiskAnswer::Located(tool, tree) => self.chase.located(tool, &tree, out),
            DiskAnswer::Unpacked(tool, unpacked) => self.chase.unpacked(tool, unpacked, out),
            DiskAnswer::Swept(tool, swept) => self.chase.swept(tool, swept, out),
        }
    }

    /// Carries out what the publisher wants of the slaves and the juggler.
    fn steps(&mut self, now: Millis, out: &mut Out) {
        // an import's file is on its way as soon as it is asked for, which may be a step itself
        while !self.publisher.steps.is_empty() {
            self.take_steps(now, out);
        }
    }

    fn take_steps(&mut self, now: Millis, out: &mut Out) {
        for step in std::mem::take(&mut self.publisher.steps) {
            match step {
                Step::Fetch(build, index, transfer) if self.publisher.is_import(build) => {
                    self.fetch_import(now, build, index, transfer, out);
                }
                Step::Refused(build, reason) => self.import_refused(build, reason, out),
                Step::Fetch(build, index, transfer) => {
                    let key = match self.juggler.key(transfer) {
                        Some(key) => key,
                        None => {
                            let Some(expected) = self.publisher.expected(transfer) else { continue };
                            let key = self.secrets.draw();
                            self.juggler.expect(now, transfer, key, expected, &mut out.effects);
                            key
                        }
                    };
                    // one that came back and has not said BUILT again is told when it does
                    if let Some((conn, State::Offered(_))) = self.slaves.holder(build) {
                        out.tell(conn, ToSlave::Send { index, transfer: key });
                    }
                }
                Step::Forget(transfer) => self.juggler.forget(transfer),
                Step::Done(build) => {
                    let holder = self.slaves.holder(build).map(|(conn, state)| (conn, state.clone()));
                    self.slaves.finish(build);
                    match holder {
                        Some((conn, State::Offered(_))) => {
                            out.tell(conn, ToSlave::Done { build });
                            if self.running != Running::Yes {
                                self.slaves.dismiss(conn, "the master stops", out);
                            }
                        }
                        // It came back and has not said BUILT again, so DONE may not come: with its next HELLO it hears
                        // that the build is recorded.
                        Some((conn, State::Building(_))) => self.drop_slave(conn, None, out),
                        _ => {}
                    }
                }
                Step::Drop(build, defect) => {
                    if let Some((conn, State::Offered(_))) = self.slaves.holder(build) {
                        let line = defect.map(|defect| self.refusals.because(Refusal::Protocol, &defect));
                        self.drop_slave(conn, line, out);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
