//! The slave driver: what each slave is doing, and what it may say now (manual 2.4.5, 8.10; `wire-spec/slave.md`).
//!
//! ```text
//!  greeting ─► (adopting) ─► idle ◄─► asked ─► asleep ─► idle
//!                  │                    │BUILD
//!                  ├────────────────► building ─BUILT─► offered ─DONE─► idle
//!                  └──────────────────────────────────────┘
//! ```
//!
//! A connection has one of these states; a job ([`HeldJob`]) has none of them, for it outlives its connections: it is
//! kept until its result is recorded or its lease has ended. Everything a slave says is checked here before anybody
//! believes it. Pure: no sockets, files, SQL or clock.

use std::collections::BTreeMap;

use super::event::{ConnId, DiskRequest, Effect, Out};
use super::limits::{BUILD_GRACE, CLOCK_TOLERANCE, LOG_BACKLOG_BYTES, LOG_PIECE_COST, Limits, SLAVE_LEAVES};
use super::publisher::{Offer, OfferedFile};
use super::query::{Job, Outcome};
use super::report::KeptReport;
use crate::domain::{AbiTag, BuildId, JobToken, Millis, Version, WheelName};
use crate::seeded;
use crate::wire::control::When;
use crate::wire::limits::HOLDS_BACK_BYTES;
use crate::wire::slave::{Board, BuildEnd, BuildReport, BuiltFile, Held, ToSlave, Vitals};
use crate::wire::{Blob, Text, limits};

/// The ABIs that are built for, and the platforms of the slaves that may; none: any.
pub type Abis = BTreeMap<AbiTag, Vec<String>>;

/// What a slave said of itself in HELLO, checked.
#[derive(Clone, Debug)]
pub struct Introduction {
    /// Name for people.
    pub label: String,
    /// The ABI it builds for.
    pub abi: AbiTag,
    /// Its platform, such as `linux_armv7l`.
    pub platform: String,
    /// Its Python version, such as `311`.
    pub python: String,
    /// The time it allows a build.
    pub timeout: Millis,
    /// Its machine.
    pub board: Board,
}

/// A connected slave.
#[derive(Debug)]
pub struct Slave {
    /// The number in log lines of both sides.
    pub id: u32,
    /// Where it connects from.
    pub peer: String,
    /// The slave that it proved to be; none without a key.
    pub name: Option<String>,
    /// Set by HELLO.
    pub introduction: Option<Introduction>,
    /// What it is doing.
    pub state: State,
    /// When it connected.
    pub opened: Millis,
    /// When it was last heard.
    pub heard: Millis,
    /// How its machine is doing, by its last BUSY.
    pub vitals: Option<Vitals>,
    /// How far its clock is ahead of the master's, in milliseconds, by its last BUSY.
    pub clock_offset: Option<i64>,
    /// Why it asks for no job, by its last BUSY.
    pub holds_back: Option<Text<HOLDS_BACK_BYTES>>,
    clock_warned: bool,
    /// It gets no job until the administrator says so.
    pub resting: bool,
    /// The administrator told it to go.
    pub kill: Option<When>,
    /// A WAKE is under way to it that may stand for one job.
    pub woken: bool,
    held_back: bool,
    /// Since when it was seen leaving.
    leaving: Option<Millis>,
}

/// What a slave is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Connected, no HELLO yet.
    Greeting,
    /// The database is asked about the job it named.
    Adopting(Held),
    /// It may ask for a job.
    Idle,
    /// The database is asked for a job for it.
    Asked,
    /// Nothing to build.
    Asleep,
    /// It builds.
    Building(BuildId),
    /// Its result is on its way into the index.
    Offered(BuildId),
    /// It was told BYE, said BYE, or its connection is being closed: nothing else it says is listened to.
    Leaving,
}

/// A job that was handed out, whether or not its slave is connected just now.
#[derive(Debug)]
pub struct HeldJob {
    /// The job.
    pub job: Job,
    /// The slave's label.
    pub slave: String,
    /// The slave that it was handed to, if that proved its name.
    pub name: Option<String>,
    /// The slave's platform.
    pub platform: String,
    /// The connection that holds it, if it is there.
    pub conn: Option<ConnId>,
    /// How much of its log has come.
    pub log_bytes: u64,
    /// The administrator does not want it any more: its slave is told CANCEL.
    pub cancelled: bool,
    log_unwritten: u64,
    /// Since when nobody holds it.
    away: Option<Millis>,
    /// When its slave's own time limit must have ended it.
    ends: Millis,
}

/// What a HELLO says.
#[derive(Debug)]
pub struct Greeting<'a> {
    /// Software version.
    pub software: &'a str,
    /// Name for people.
    pub label: &'a str,
    /// ABI tag.
    pub abi: &'a str,
    /// Platform tag.
    pub platform: &'a str,
    /// Python version.
    pub python: &'a str,
    /// The time it allows a build.
    pub timeout: Millis,
    /// Its machine.
    pub board: Board,
    /// A job from an earlier connection.
    pub held: Option<Held>,
}

/// What a BUILT says.
#[derive(Debug)]
pub struct Finished<'a> {
    /// The job.
    pub token: JobToken,
    /// How it ended.
    pub end: BuildEnd,
    /// Wall-clock time.
    pub duration_ms: u64,
    /// Length of the log.
    pub log_bytes: u64,
    /// What it made.
    pub files: &'a [BuiltFile],
    /// How it came about.
    pub report: &'a BuildReport,
}

/// What to do about a message.
#[derive(Debug)]
pub enum Verdict {
    /// Nothing more.
    Fine,
    /// The slave wants a job.
    WantsJob,
    /// It named a job from an earlier connection.
    Returns(Held),
    /// It is new and holds nothing.
    Arrives,
    /// A finished build: sound, or recorded as what it is.
    Offers(Box<Offer>),
    /// Like `Offers`, and the peer is to be dropped for this reason.
    OffersAndDrop(Box<Offer>, String),
    /// It is to be dropped for this reason.
    Drop(String),
    /// It is told BYE for this reason.
    Refuse(String),
}

/// All connected slaves and all jobs in their hands.
#[derive(Debug, Default)]
pub struct SlaveDriver {
    /// By connection.
    pub slaves: BTreeMap<ConnId, Slave>,
    /// By build. Bounded by the connections and the lease: one that nobody holds for so long is removed.
    pub jobs: BTreeMap<BuildId, HeldJob>,
    next_id: u32,
}

impl SlaveDriver {
    /// A slave connected.
    pub fn opened(&mut self, now: Millis, conn: ConnId, peer: String, name: Option<String>) {
        self.next_id = self.next_id.wrapping_add(1);
        let slave = Slave {
            id: self.next_id,
            peer,
            name,
            introduction: None,
            state: State::Greeting,
            opened: now,
            heard: now,
            vitals: None,
            clock_offset: None,
            holds_back: None,
            clock_warned: false,
            resting: false,
            kill: None,
            woken: false,
            held_back: false,
            leaving: None,
        };
        self.slaves.insert(conn, slave);
    }

    /// A slave's connection is gone. Its job waits for its return.
    pub fn closed(&mut self, now: Millis, conn: ConnId) -> Option<Slave> {
        let slave = self.slaves.remove(&conn)?;
        for job in self.jobs.values_mut().filter(|job| job.conn == Some(conn)) {
            (job.conn, job.away) = (None, Some(now));
        }
        Some(slave)
    }

    /// Notes that the slave was heard from.
    pub fn heard(&mut self, now: Millis, conn: ConnId) {
        if let Some(slave) = self.slaves.get_mut(&conn) {
            slave.heard = now;
        }
    }

    /// BUSY: how its machine is doing. `wall` is what the master's clock shows, milliseconds since 1970.
    pub fn busy(
        &mut self,
        conn: ConnId,
        vitals: Vitals,
        holds_back: Option<Text<HOLDS_BACK_BYTES>>,
        wall: Option<Millis>,
    ) {
        let Some(slave) = self.slaves.get_mut(&conn) else { return };
        let clock = i64::try_from(vitals.clock_ms).unwrap_or(i64::MAX);
        let offset = wall.map(|wall| clock.saturating_sub_unsigned(wall.0));
        if let Some(offset) = offset
            && offset.unsigned_abs() > CLOCK_TOLERANCE.0
            && !std::mem::replace(&mut slave.clock_warned, true)
        {
            let label = slave.introduction.as_ref().map_or("", |who| who.label.as_str());
            log::warn!(
                "slave {} ({label}): its clock is {} s {} the master's; builds that look at the time may fail: set it",
                slave.id,
                offset.unsigned_abs() / 1000,
                if offset > 0 { "ahead of" } else { "behind" }
            );
        }
        (slave.vitals, slave.clock_offset, slave.holds_back) = (Some(vitals), offset, holds_back);
    }

    /// HELLO: who it is, and whether it may be here.
    pub fn hello(&mut self, conn: ConnId, greeting: Greeting<'_>, abis: &Abis) -> Verdict {
        let Greeting { software, label, abi, platform, python, timeout, board, held } = greeting;
        let Some(slave) = self.slaves.get_mut(&conn) else { return Verdict::Fine };
        if slave.introduction.is_some() {
            return Verdict::Drop("a second HELLO".to_owned());
        }
        if software != crate::VERSION {
            let reason =
                format!("this farm runs version {}, the slave {software}: upgrade the slave", crate::VERSION);
            // BYE would cost it the build that it holds
            return if held.is_some() { Verdict::Drop(reason) } else { Verdict::Refuse(reason) };
        }
        let abi = match AbiTag::parse(abi) {
            Ok(abi) => abi,
            Err(error) => return Verdict::Refuse(error.to_string()),
        };
        let sound = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        if platform.is_empty() || !platform.bytes().all(sound) {
            return Verdict::Refuse(format!("{platform:?} is not a platform tag"));
        }
        // one that holds a build may deliver it; its next IDLE is refused
        if held.is_none()
            && let Some(reason) = why_not(&abi, platform, abis)
        {
            return Verdict::Refuse(reason);
        }
        let label = match &slave.name {
            Some(name) => name.clone(),
            None if label.is_empty() => slave.peer.clone(),
            None => label.replace(['\n', '\t'], " "),
        };
        slave.introduction = Some(Introduction {
            label,
            abi,
            platform: platform.to_owned(),
            python: python.to_owned(),
            timeout,
            board,
        });
        match held {
            Some(held) => {
                slave.state = State::Adopting(held.clone());
                Verdict::Returns(held)
            }
            None => Verdict::Arrives,
        }
    }

    /// IDLE: may it have a job?
    pub fn idle(&mut self, conn: ConnId, abis: &Abis) -> Verdict {
        let Some(slave) = self.slaves.get_mut(&conn) else { return Verdict::Fine };
        if let Some(who) = &slave.introduction
            && let Some(reason) = why_not(&who.abi, &who.platform, abis)
        {
            return Verdict::Refuse(reason);
        }
        match slave.state {
            State::Idle | State::Asleep => {
                slave.state = State::Asked;
                Verdict::WantsJob
            }
            State::Leaving => Verdict::Fine,
            _ => Verdict::Drop(format!("IDLE while it is {}", slave.state.name())),
        }
    }

    /// A job was leased for the slave: it holds it now. False when the slave is gone, and the job must go back.
    pub fn hand_out(&mut self, now: Millis, conn: ConnId, job: Job) -> bool {
        let Some(slave) = self.slaves.get_mut(&conn) else { return false };
        let Some(who) = &slave.introduction else { return false };
        if slave.state != State::Asked {
            return false;
        }
        slave.state = State::Building(job.token.build);
        let held = HeldJob {
            slave: who.label.clone(),
            name: slave.name.clone(),
            platform: who.platform.clone(),
            conn: Some(conn),
            log_bytes: 0,
            cancelled: false,
            log_unwritten: 0,
            away: None,
            ends: now + who.timeout + BUILD_GRACE,
            job,
        };
        self.jobs.insert(held.job.token.build, held);
        true
    }

    /// Whether a slave may take this job up again: not one that was handed to a slave of another proven name.
    pub fn may_adopt(&self, conn: ConnId, build: BuildId) -> bool {
        let Some(held) = self.jobs.get(&build) else { return true };
        seeded::is("owner-unchecked") || self.slaves.get(&conn).is_some_and(|slave| slave.name == held.name)
    }

    /// The slave is the one that holds this job, again. Gives back where its log goes on, and the connection it had
    /// before, if that is still open.
    pub fn adopt(&mut self, now: Millis, conn: ConnId, job: Job) -> Option<(u64, Option<ConnId>)> {
        let slave = self.slaves.get_mut(&conn)?;
        let who = slave.introduction.as_ref()?;
        slave.state = State::Building(job.token.build);
        let (label, platform, timeout) = (who.label.clone(), who.platform.clone(), who.timeout);
        let held = self.jobs.entry(job.token.build).or_insert_with(|| HeldJob {
            job,
            slave: label.clone(),
            name: slave.name.clone(),
            platform: platform.clone(),
            conn: None,
            log_bytes: 0,
            cancelled: false,
            log_unwritten: 0,
            away: None,
            ends: now + timeout + BUILD_GRACE,
        });
        (held.slave, held.platform, held.away) = (label, platform, None);
        let before = held.conn.replace(conn).filter(|before| *before != conn);
        Some((held.log_bytes, before))
    }

    /// LOG: a piece of a build's log.
    pub fn log(
        &mut self,
        conn: ConnId,
        offset: u64,
        data: Blob<{ limits::LOG_BYTES }>,
        limits: &Limits,
        out: &mut Out,
    ) -> Verdict {
        let Some(slave) = self.slaves.get_mut(&conn) else { return Verdict::Fine };
        let State::Building(build) = slave.state else {
            return Verdict::Drop(format!("LOG while it is {}", slave.state.name()));
        };
        let Some(held) = self.jobs.get_mut(&build) else {
            return Verdict::Drop("LOG for a job it does not hold".to_owned());
        };
        if offset != held.log_bytes && !seeded::is("log-offset-unchecked") {
            return Verdict::Drop(format!("LOG at {offset}, where {} was next", held.log_bytes));
        }
        let length = data.len() as u64;
        if length == 0 {
            return Verdict::Drop("an empty LOG".to_owned());
        }
        if held.log_bytes + length > limits.log_bytes {
            let reason = format!("its log is over {} bytes", limits.log_bytes);
            return Verdict::OffersAndDrop(Box::new(offer(held, Outcome::Failed, 0, &reason)), reason);
        }
        held.log_bytes += length;
        held.log_unwritten += length + LOG_PIECE_COST;
        out.effects.push(Effect::Disk(DiskRequest::Log(build, offset, data.into_bytes())));
        if held.log_unwritten > LOG_BACKLOG_BYTES && !slave.held_back {
            slave.held_back = true;
            out.effects.push(Effect::Hold(conn));
        }
        Verdict::Fine
    }

    /// The disk has a piece of a log.
    pub fn log_written(&mut self, build: BuildId, bytes: u64, out: &mut Out) {
        let Some(held) = self.jobs.get_mut(&build) else { return };
        held.log_unwritten = held.log_unwritten.saturating_sub(bytes + LOG_PIECE_COST);
        if held.log_unwritten > LOG_BACKLOG_BYTES / 2 {
            return;
        }
        let Some(conn) = held.conn else { return };
        if let Some(slave) = self.slaves.get_mut(&conn)
            && slave.held_back
        {
            slave.held_back = false;
            out.effects.push(Effect::Resume(conn));
        }
    }

    /// BUILT: a finished build, to be believed only as far as it can be checked.
    pub fn built(&mut self, conn: ConnId, result: &Finished<'_>, limits: &Limits) -> Verdict {
        let Finished { token, end, duration_ms, log_bytes, files, report } = *result;
        let Some(slave) = self.slaves.get_mut(&conn) else { return Verdict::Fine };
        let State::Building(build) = slave.state else {
            return Verdict::Drop(format!("BUILT while it is {}", slave.state.name()));
        };
        let Some(held) = self.jobs.get(&build) else {
            return Verdict::Drop("BUILT for a job it does not hold".to_owned());
        };
        if held.job.token != token && !seeded::is("token-unchecked") {
            return Verdict::Drop("BUILT with a token that is not its job's".to_owned());
        }
        slave.state = State::Offered(build);
        if log_bytes != held.log_bytes {
            log::warn!(
                "build {build}: the slave speaks of {log_bytes} bytes of log, {} came",
                held.log_bytes
            );
        }
        let outcome = match end {
            BuildEnd::Built => Outcome::Built,
            BuildEnd::Failed => Outcome::Failed,
            BuildEnd::Timeout => Outcome::Timeout,
            BuildEnd::NoSdist => Outcome::NoSdist,
            BuildEnd::BadWheel => Outcome::BadWheel,
            BuildEnd::Cancelled => Outcome::Cancelled,
            BuildEnd::Silence => Outcome::Silence,
            BuildEnd::Network => Outcome::Network,
            BuildEnd::OutOfMemory => Outcome::OutOfMemory,
            BuildEnd::Disk => Outcome::Disk,
            BuildEnd::LogLimit => Outcome::LogLimit,
            BuildEnd::WheelLimit => Outcome::WheelLimit,
            BuildEnd::DiskLimit => Outcome::DiskLimit,
            BuildEnd::ProcessLimit => Outcome::ProcessLimit,
        };
        let report = slave.introduction.as_ref().map(|who| Box::new(KeptReport::of(who, report)));
        let offered = |outcome, files, remark: &str| {
            Box::new(Offer { files, report, ..offer(held, outcome, duration_ms, remark) })
        };
        match check_files(held, end, files, limits) {
            Ok(files) => Verdict::Offers(offered(outcome, files, "")),
            Err(Unsound::Odd(reason)) => Verdict::Offers(offered(Outcome::BadWheel, Vec::new(), &reason)),
            Err(Unsound::Hostile(reason)) => {
                Verdict::OffersAndDrop(offered(Outcome::BadWheel, Vec::new(), &reason), reason)
            }
        }
    }

    /// The slave that holds a build, if it is there, and what it is doing.
    pub fn holder(&self, build: BuildId) -> Option<(ConnId, &State)> {
        let conn = self.jobs.get(&build)?.conn?;
        Some((conn, &self.slaves.get(&conn)?.state))
    }

    /// A build is over: the slave that holds it, if it is there, is idle again.
    pub fn finish(&mut self, build: BuildId) -> Option<ConnId> {
        let conn = self.jobs.remove(&build)?.conn?;
        let slave = self.slaves.get_mut(&conn)?;
        if matches!(slave.state, State::Building(b) | State::Offered(b) if b == build) {
            slave.state = State::Idle;
        }
        Some(conn)
    }

    /// Jobs whose slaves are connected: their leases are to be renewed.
    pub fn alive(&self) -> Vec<BuildId> {
        self.jobs.iter().filter(|(_, job)| job.conn.is_some()).map(|(build, _)| *build).collect()
    }

    /// Whether a build runs longer than any honest slave lets it.
    pub fn is_overdue(&self, now: Millis, build: BuildId) -> bool {
        self.jobs.get(&build).is_some_and(|job| now > job.ends)
    }

    /// Jobs that nobody has held for as long as a lease runs. The database reports most of them; not those that it has
    /// handed to another slave already.
    pub fn lost(&self, now: Millis, lease: Millis) -> Vec<BuildId> {
        let lost = |job: &HeldJob| job.away.is_some_and(|since| now.since(since) >= lease);
        self.jobs.iter().filter(|(_, job)| lost(job)).map(|(build, _)| *build).collect()
    }

    /// Closes what is silent; a slave that never said HELLO is the reactor's handshake limit.
    pub fn tick(&mut self, now: Millis, silence: Millis, out: &mut Out) {
        for (conn, slave) in &mut self.slaves {
            // what is not read cannot be heard
            if slave.held_back {
                slave.heard = now;
            }
            if slave.state == State::Leaving && now.since(*slave.leaving.get_or_insert(now)) > SLAVE_LEAVES {
                slave.leaving = Some(now);
                out.close(*conn, Some("told BYE, and still there".to_owned()));
            }
            if let State::Building(build) = slave.state
                && self.jobs.get(&build).is_some_and(|job| now > job.ends)
            {
                slave.state = State::Leaving;
                out.close(*conn, Some(format!("build {build} runs on beyond the slave's own time limit")));
            }
            if now.since(slave.heard) > silence {
                slave.heard = now;
                out.close(*conn, Some(format!("silent for {} s", silence.0 / 1000)));
            }
        }
    }

    /// Tells a slave to go.
    pub fn dismiss(&mut self, conn: ConnId, reason: &str, out: &mut Out) {
        if let Some(slave) = self.slaves.get_mut(&conn)
            && slave.state != State::Leaving
        {
            slave.state = State::Leaving;
            out.tell(conn, ToSlave::Bye { reason: Text::cut(reason) });
        }
    }
}

impl State {
    /// For log lines.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Greeting => "greeting",
            Self::Adopting(_) => "returning",
            Self::Idle => "idle",
            Self::Asked => "waiting for an answer",
            Self::Asleep => "asleep",
            Self::Building(_) => "building",
            Self::Offered(_) => "delivering",
            Self::Leaving => "leaving",
        }
    }

    /// The build it is about, if any.
    pub const fn build(&self) -> Option<BuildId> {
        match self {
            Self::Building(build) | Self::Offered(build) => Some(*build),
            _ => None,
        }
    }
}

/// Why the farm has no work for a slave of this ABI and platform; `None` when it may have.
fn why_not(abi: &AbiTag, platform: &str, abis: &Abis) -> Option<String> {
    let Some(platforms) = abis.get(abi) else {
        return Some(format!("this farm does not build for {abi}; 'piw abi add {abi}' makes it"));
    };
    let fits = platforms.is_empty() || platforms.iter().any(|own| own == platform);
    (!fits).then(|| format!("this farm builds for {abi} on {} only, not on {platform}", platforms.join(", ")))
}

fn offer(held: &HeldJob, outcome: Outcome, duration_ms: u64, remark: &str) -> Offer {
    Offer {
        job: held.job.clone(),
        slave: held.slave.clone(),
        outcome,
        duration_ms,
        log_bytes: held.log_bytes,
        files: Vec::new(),
        report: None,
        remark: (!remark.is_empty()).then(|| remark.to_owned()),
        import: None,
    }
}

/// Why the files of a BUILT are not believed.
#[derive(Debug, PartialEq, Eq)]
enum Unsound {
    /// A build can come out like this; the wheel is just not one to publish.
    Odd(String),
    /// No honest slave sends this.
    Hostile(String),
}

fn check_files(
    held: &HeldJob,
    end: BuildEnd,
    files: &[BuiltFile],
    limits: &Limits,
) -> Result<Vec<OfferedFile>, Unsound> {
    if (end == BuildEnd::Built) == files.is_empty() {
        return Err(Unsound::Hostile(format!("BUILT as {end:?} with {} files", files.len())));
    }
    if files.len() > limits.files {
        return Err(Unsound::Odd(format!("it made {} files, more than {}", files.len(), limits.files)));
    }
    let mut checked: Vec<OfferedFile> = Vec::with_capacity(files.len());
    for file in files {
        let wheel = WheelName::parse(&file.filename).map_err(|e| Unsound::Hostile(e.to_string()))?;
        if file.size == 0 {
            return Err(Unsound::Hostile(format!("{wheel} has no bytes")));
        }
        if checked.iter().any(|c| c.wheel == wheel) {
            return Err(Unsound::Hostile(format!("{wheel} is named twice")));
        }
        if file.size > limits.wheel_bytes {
            return Err(Unsound::Odd(format!(
                "{wheel} has {} bytes, more than {}",
                file.size, limits.wheel_bytes
            )));
        }
        let job = &held.job;
        if wheel.project != job.package || Version::parse(&wheel.version).as_ref() != Ok(&job.version) {
            return Err(Unsound::Odd(format!("{wheel} is not a wheel of {} {}", job.package, job.version)));
        }
        wheel.check_tags(job.abi.as_str(), &held.platform).map_err(Unsound::Odd)?;
        wheel.check_build(job.build_tag).map_err(Unsound::Odd)?;
        checked.push(OfferedFile { wheel, size: file.size, sha256: file.sha256 });
    }
    Ok(checked)
}
