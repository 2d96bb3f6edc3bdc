//! A bench for the farm's state machines under a fake clock: what goes in as short calls, what comes out as words.
//!
//! In: what a test says, has the disk do or the database answer. Out: one word of text per effect, in order, so that a
//! test compares what was asked for as a whole. It answers nothing by itself: nothing happens that a test does not say.

use std::collections::VecDeque;

use bytes::Bytes;

use super::event::*;
use super::farm::Farm;
use super::follower::FollowSettings;
use super::hub::PublicSlave;
use super::limits::Limits;
use super::query::*;
use crate::domain::ranges::RangeSet;
use crate::domain::{AbiTag, BuildId, JobToken, Millis, ProjectName, Sha256, Version};
use crate::wire::slave::{
    Board, BuildEnd, BuildReport, BuiltFile, FromSlave, Held, Holding, ToSlave, Vitals,
};
use crate::wire::{Blob, Channel, List, Text, control, file, import, status};

/// The platform of every slave here.
pub(super) const PLATFORM: &str = "linux_armv7l";

/// What the wall clock shows when the farm's begins: milliseconds since 1970.
pub(super) const WALL: Millis = Millis(1_700_000_000_000);

/// A farm, its clock, and everything it asked for that was not answered yet.
pub(super) struct Testbed {
    pub(super) farm: Farm,
    pub(super) out: Out,
    pub(super) now: Millis,
    /// Questions to the database, oldest first.
    pub(super) questions: VecDeque<(Ticket, Query)>,
    /// Packages to be looked up, oldest first.
    pub(super) looks: VecDeque<(Ticket, Vec<LookUp>)>,
    /// The key that the last SEND named.
    pub(super) key: [u8; 16],
    /// Pages of slaves that were asked for, oldest first; nobody writes them unless a test says so.
    pub(super) pages_of_slaves: Vec<Vec<PublicSlave>>,
    words: Vec<String>,
    connections: u64,
}

impl Testbed {
    /// A farm for cp311 and cp312.
    pub(super) fn new() -> Self {
        Self::with(Limits::default())
    }

    /// The same with other limits.
    pub(super) fn with(limits: Limits) -> Self {
        let abis = [("cp311", 1), ("cp312", 2)].map(|(tag, rank)| Abi {
            tag: abi(tag),
            rank,
            skip: None,
            platforms: Vec::new(),
        });
        Self {
            farm: Farm::new(Millis(0), limits, String::new(), FollowSettings::default(), &abis, [7; 32]),
            out: Out::default(),
            now: Millis::secs(1000),
            questions: VecDeque::new(),
            looks: VecDeque::new(),
            key: [0; 16],
            pages_of_slaves: Vec::new(),
            words: Vec::new(),
            connections: 0,
        }
    }

    /// Lets something happen.
    pub(super) fn put(&mut self, event: Event) {
        self.farm.handle(self.now, event, &mut self.out);
        let mut begun = Vec::new();
        for effect in std::mem::take(&mut self.out.effects) {
            // the follower has tests of its own; here it is left waiting for its first answer
            if let Effect::Ask(ticket, _) = &effect
                && self.out.purpose_of(*ticket) == Some(Purpose::Follower)
            {
                continue;
            }
            // it comes by the clock, whatever a test is about
            if let Effect::Page(PageRequest::Slaves(slaves)) = effect {
                self.pages_of_slaves.push(slaves);
                continue;
            }
            self.words.push(word(&effect));
            match effect {
                // an empty spool has nothing of it
                Effect::Disk(DiskRequest::Open(id, _)) => begun.push(id),
                Effect::Ask(ticket, query) => self.questions.push_back((ticket, query)),
                Effect::Look(ticket, wanted) => self.looks.push_back((ticket, wanted)),
                Effect::Send(_, Message::Slave(ToSlave::Send { transfer, .. })) => self.key = transfer,
                _ => {}
            }
        }
        for id in begun {
            self.put(Event::Disk(DiskAnswer::Opened(id, RangeSet::new())));
        }
    }

    /// The whole of a one-file build's way into the spool: its five bytes, a sound check, SENT.
    pub(super) fn deliver_all(&mut self, slave: ConnId) {
        self.deliver(1, 5);
        self.sound(1);
        self.say(slave, FromSlave::Sent { index: 0 });
    }

    /// Everything that was asked for since this was last called.
    pub(super) fn said(&mut self) -> Vec<String> {
        std::mem::take(&mut self.words)
    }

    /// The same without what the clock alone brings: sweeps, renewals, and looking for pages that are due, for what is
    /// popular and for how the farm is.
    pub(super) fn said_beside_housekeeping(&mut self) -> Vec<String> {
        let mut said = self.said();
        let by_clock = [
            "ask sweep",
            "ask renew",
            "ask rewrites-due",
            "ask order-home",
            "ask walk",
            "ask roll-popularity",
            "ask statistics",
            "look at the machine",
        ];
        said.retain(|w| !by_clock.iter().any(|h| w.starts_with(h)));
        said
    }

    /// Lets time pass and a tick come.
    pub(super) fn wait(&mut self, span: Millis) {
        self.now = self.now + span;
        let wall = WALL + self.now;
        self.put(Event::Tick(wall));
    }

    /// Lets time pass in steps, with every slave named here alive.
    pub(super) fn wait_alive(&mut self, span: Millis, alive: &[ConnId]) {
        for _ in 0..span.0 / 1000 {
            alive.iter().for_each(|slave| self.say(*slave, busy()));
            self.wait(Millis::secs(1));
        }
    }

    /// A connection of a channel.
    pub(super) fn open(&mut self, channel: Channel) -> ConnId {
        self.connections += 1;
        let conn = ConnId(self.connections);
        self.put(Event::Opened { conn, channel, peer: "192.0.2.1:5".to_owned(), name: None });
        conn
    }

    /// A connection ends.
    pub(super) fn cut(&mut self, conn: ConnId) {
        self.put(Event::Closed(conn));
    }

    /// A slave says something.
    pub(super) fn say(&mut self, slave: ConnId, message: FromSlave) {
        self.put(Event::Slave(slave, message));
    }

    /// A slave that connects and says HELLO.
    pub(super) fn greet(&mut self, held: Option<Held>) -> ConnId {
        let slave = self.open(Channel::Slave);
        self.say(slave, hello("cp311", held));
        slave
    }

    /// A slave that connects, holds nothing and was answered.
    pub(super) fn slave(&mut self) -> ConnId {
        let slave = self.greet(None);
        assert_eq!(self.said(), [format!("{}: HELLO None 0", slave.0)]);
        slave
    }

    /// A slave that was given build number `build`.
    pub(super) fn building(&mut self, build: i64) -> (ConnId, JobToken) {
        let slave = self.slave();
        self.say(slave, FromSlave::Idle {});
        let token = self.hand_out(build);
        assert_eq!(self.said(), ["ask claim cp311".to_owned(), format!("{}: BUILD {build}", slave.0)]);
        (slave, token)
    }

    /// The database gives a job to whoever asked first.
    pub(super) fn hand_out(&mut self, build: i64) -> JobToken {
        let secret = self.questions.iter().find_map(|(_, query)| match query {
            Query::Claim { secret, .. } => Some(*secret),
            _ => None,
        });
        let job = Job { token: JobToken { secret: secret.expect("a claim"), ..token(build) }, ..job(build) };
        let token = job.token;
        self.answer("claim", Answer::Claimed(Some(job)));
        token
    }

    /// A slave says BUILT.
    pub(super) fn built(&mut self, slave: ConnId, token: JobToken, end: BuildEnd, files: &[(&str, u64)]) {
        self.say(slave, built(token, end, files));
    }

    /// A slave comes back with a job, and the database says what became of it.
    pub(super) fn come_back(&mut self, token: JobToken, state: Holding, adoption: Adoption) -> ConnId {
        let slave = self.greet(Some(Held { token, state }));
        self.answer("adopt", Answer::Adopted(adoption));
        slave
    }

    /// A slave's file connection that names the transfer of the last SEND.
    pub(super) fn file_hello(&mut self) -> ConnId {
        let conn = self.open(Channel::File);
        let transfer = self.key;
        self.put(Event::File(conn, file::FromSlave::Hello { transfer }));
        conn
    }

    /// Bytes of a file come in.
    pub(super) fn chunk(&mut self, conn: ConnId, offset: u64, length: usize) {
        let data = Blob::new(Bytes::from(vec![0; length])).expect("a chunk's length");
        self.put(Event::File(conn, file::FromSlave::Chunk { offset, data }));
    }

    /// The slave sends the file of the last SEND, of this size, and the disk takes it.
    pub(super) fn deliver(&mut self, transfer: u64, size: usize) {
        let conn = self.file_hello();
        self.chunk(conn, 0, size);
        self.disk(DiskAnswer::Written(TransferId(transfer), 0, size as u64));
        self.cut(conn);
    }

    /// The file writer answers.
    pub(super) fn disk(&mut self, answer: DiskAnswer) {
        self.put(Event::Disk(answer));
    }

    /// The file writer found a transfer sound.
    pub(super) fn sound(&mut self, transfer: u64) {
        self.disk(DiskAnswer::Checked(TransferId(transfer), sound()));
    }

    /// The file writer brought a build into place, or not.
    pub(super) fn placed(&mut self, build: i64, placed: Placed) {
        self.disk(DiskAnswer::Placed(BuildId(build), placed));
    }

    /// The database answers the oldest question whose word begins like this.
    pub(super) fn answer(&mut self, question: &str, answer: Answer) {
        let at = self.questions.iter().position(|(_, query)| ask(query).starts_with(question));
        let Some((ticket, _)) = at.and_then(|at| self.questions.remove(at)) else {
            panic!("nobody asked {question}; under way: {:?}", self.questions)
        };
        self.put(Event::Database(ticket, answer));
    }

    /// The database recorded a build, and opened nothing.
    pub(super) fn recorded(&mut self, build: i64) {
        let logged = Answer::Logged(Logged::Recorded { opened: None });
        self.answer(&format!("log-build {build} "), logged);
    }

    /// Questions under way that begin like this.
    pub(super) fn under_way(&self, question: &str) -> usize {
        self.questions.iter().filter(|(_, query)| ask(query).starts_with(question)).count()
    }
}

/// What was asked for, one word each; the buffer is empty afterwards.
pub(super) fn words(out: &mut Out) -> Vec<String> {
    out.effects.drain(..).flat_map(each).map(|effect| word(&effect)).collect()
}

/// Pages that are asked for together, one by one.
fn each(effect: Effect) -> Vec<Effect> {
    match effect {
        Effect::Page(PageRequest::Projects(all)) => {
            all.into_iter().map(|one| Effect::Page(PageRequest::Projects(vec![one]))).collect()
        }
        effect => vec![effect],
    }
}

/// One effect for people: `1: SEND 0`, `write t1 0+5`, `ask log-build 1 built …`.
pub(super) fn word(effect: &Effect) -> String {
    match effect {
        Effect::Send(conn, message) => format!("{}: {}", conn.0, message_word(message)),
        Effect::Close(conn, None) => format!("{}: CLOSE", conn.0),
        Effect::Close(conn, Some(reason)) => format!("{}: CLOSE ({reason})", conn.0),
        Effect::Hold(conn) => format!("{}: hold", conn.0),
        Effect::Resume(conn) => format!("{}: resume", conn.0),
        Effect::Ask(_, query) => format!("ask {}", ask(query)),
        Effect::Forget(ticket) => format!("forget question {}", ticket.0),
        Effect::Disk(request) => disk_word(request),
        Effect::Page(request) => match request {
            PageRequest::Projects(all) => {
                let pages = all.iter().map(|(project, rewrite)| {
                    format!("page {project}#{} of {}", rewrite.order.order, rewrite.rows.files.len())
                });
                pages.collect::<Vec<_>>().join(", ")
            }
            PageRequest::Home(order, _) => format!("home #{}", order.order),
            PageRequest::RootBegin => "root begin".to_owned(),
            PageRequest::RootNames(names) => format!("root names {}", names.len()),
            PageRequest::RootEnd(order) => format!("root end #{}", order.order),
            PageRequest::Slaves(slaves) => format!("page of {} slaves", slaves.len()),
        },
        Effect::Look(_, wanted) => {
            let list: Vec<_> = wanted.iter().map(|w| format!("{}{}", w.package, w.specifiers)).collect();
            format!("look up {}", list.join(" "))
        }
        Effect::Gaze(request) => format!("gaze at {request:?}"),
        Effect::StopListening => "stop listening".to_owned(),
        Effect::ReadKeys => "read keys".to_owned(),
        Effect::Survey => "look at the machine".to_owned(),
        Effect::Exit => "exit".to_owned(),
    }
}

fn message_word(message: &Message) -> String {
    match message {
        Message::Slave(ToSlave::Hello { resume, log_from, .. }) => format!("HELLO {resume:?} {log_from}"),
        Message::Slave(ToSlave::Build { token, build_tag: 0, .. }) => format!("BUILD {}", token.build),
        Message::Slave(ToSlave::Build { token, build_tag, .. }) => {
            format!("BUILD {} with tag {build_tag}", token.build)
        }
        Message::Slave(ToSlave::Send { index, .. }) => format!("SEND {index}"),
        Message::Slave(ToSlave::Done { build }) => format!("DONE {build}"),
        Message::Slave(other) => other.name().to_owned(),
        Message::File(file::ToSlave::Fetch { offset, length }) => format!("FETCH {offset}+{length}"),
        Message::File(file::ToSlave::Done {}) => "file DONE".to_owned(),
        Message::Tool(import::ToTool::Send { index }) => format!("SEND {index}"),
        Message::Tool(import::ToTool::Fetch { offset, length }) => format!("FETCH {offset}+{length}"),
        Message::Tool(import::ToTool::Done { json }) => format!("DONE {json}"),
        Message::Monitor(message) => match &**message {
            status::ToMonitor::Slave { slave } => {
                let job = slave.job.as_ref().map_or_else(String::new, |job| format!(" {}", job.build));
                format!("slave {} {:?}{job}", slave.slave_id, slave.doing)
            }
            status::ToMonitor::Gone { slave_id } => format!("gone {slave_id}"),
            status::ToMonitor::Recorded { build, outcome, .. } => format!("recorded {build} {outcome}"),
            status::ToMonitor::Trend { slave_id, samples } => {
                format!("trend {slave_id} of {}", samples.len())
            }
            status::ToMonitor::Log { slave_id, build, offset, data } => {
                format!("log of {slave_id}, {build} {offset}+{}", data.len())
            }
            other => other.name().to_owned(),
        },
        Message::Control(control::ToTool::Done { affected }) => format!("DONE {affected}"),
        Message::Control(control::ToTool::Error { reason }) => format!("ERROR {reason}"),
        Message::Tool(import::ToTool::Error { reasons }) => {
            let reasons: Vec<_> = reasons.iter().map(ToString::to_string).collect();
            format!("ERROR {}", reasons.join(" | "))
        }
    }
}

fn disk_word(request: &DiskRequest) -> String {
    match request {
        DiskRequest::Log(build, offset, data) => format!("log {build} {offset}+{}", data.len()),
        DiskRequest::Open(id, part) => format!("open t{} {}", id.0, part.size),
        DiskRequest::Write(id, offset, data) => format!("write t{} {offset}+{}", id.0, data.len()),
        DiskRequest::Check(id, expected) => format!("check t{} {}", id.0, expected.filename),
        DiskRequest::Discard(id) => format!("discard t{}", id.0),
        DiskRequest::KeepLog(build, _) => format!("keep log {build}"),
        DiskRequest::DiscardLog(build) => format!("discard log {build}"),
        DiskRequest::RemoveLogs(builds) => {
            let builds: Vec<_> = builds.iter().map(ToString::to_string).collect();
            format!("remove logs {}", builds.join(" "))
        }
        DiskRequest::Locate(tool) => format!("locate for {}", tool.0),
        DiskRequest::Unpack(tool, wheel, _) => format!("unpack {wheel} for {}", tool.0),
        DiskRequest::Sweep(tool, project, names) => {
            format!("sweep {project} [{}] for {}", names.join(" "), tool.0)
        }
        DiskRequest::Place(placement) => {
            let files: Vec<_> = placement.files.iter().map(|file| format!("t{}", file.transfer.0)).collect();
            let remark = if placement.remark.is_some() { " remark" } else { "" };
            let log = if placement.log { " log" } else { "" };
            let unclaimed = match placement.unclaimed.as_slice() {
                [] => String::new(),
                names => format!(" unclaimed {}", names.join(" ")),
            };
            format!("place {} [{}]{log}{remark}{unclaimed}", placement.build, files.join(" "))
        }
    }
}

fn ask(query: &Query) -> String {
    let page = |order: &RewriteOrder| match &order.page {
        PageKind::Project(project) => format!("{project}#{}", order.order),
        PageKind::Home => format!("home#{}", order.order),
        PageKind::Root => format!("root#{}", order.order),
    };
    match query {
        Query::Abis => "abis".to_owned(),
        Query::AddAbi { abi, rank, .. } => format!("add-abi {abi} {rank}"),
        Query::AddVersions { wanted, .. } => format!("add-versions {}", wanted.len()),
        Query::Walk { limit } => format!("walk {limit}"),
        Query::PagesDue { limit, .. } => format!("pages-due {limit}"),
        Query::LearnPage { package, truth, .. } => {
            format!("learn {package} {} releases", truth.releases.len())
        }
        Query::PageUnread { package, news, .. } => format!("unread {package} {news:?}"),
        Query::FeedState => "feed-state".to_owned(),
        Query::FeedApply { serial, settled, events } => {
            format!("feed {} events to {serial}, settled {settled}", events.len())
        }
        Query::FeedCompare { projects, .. } => format!("compare {} projects", projects.len()),
        Query::FeedListed(_) => "listed".to_owned(),
        Query::DepsDue(limit) => format!("deps-due {limit}"),
        Query::DepsFound { of, requirements, .. } => {
            let requirements =
                requirements.iter().map(|needed| format!(" {}{}", needed.package, needed.specifiers));
            format!("deps-found {of}:{}", requirements.collect::<String>())
        }
        Query::RequirementsDue(limit) => format!("requirements-due {limit}"),
        Query::RequirementDone { requirement, end } => format!("requirement {requirement} {end:?}"),
        Query::Statistics => "statistics".to_owned(),
        Query::Figures => "figures".to_owned(),
        Query::Audit { mend } => format!("audit, mend {mend}"),
        Query::Order(order) => format!("order {order:?}"),
        Query::Report(report) => format!("report {report:?}"),
        Query::Claim { abi, .. } => format!("claim {abi}"),
        Query::Renew { builds, .. } => {
            let mut builds: Vec<_> = builds.iter().map(|build| build.0).collect();
            builds.sort_unstable();
            format!("renew {builds:?}")
        }
        Query::Adopt { token, .. } => format!("adopt {}", token.build),
        Query::Release(token) => format!("release {}", token.build),
        Query::FilesKnown(names) => format!("files-known {}", names.join(" ")),
        Query::LogBuild(record) => {
            let (build, outcome) = (record.token.build, record.outcome.name());
            format!("log-build {build} {outcome} {} files", record.files.len())
        }
        Query::BeginImport(plan) => {
            let abi = plan.abi.as_ref().map_or("any", AbiTag::as_str);
            format!("begin-import {} {} for {abi}: {} files", plan.package, plan.version, plan.files.len())
        }
        Query::LogImport(record) => {
            format!("log-import {} {} as {}", record.token.build, record.files.len(), record.display)
        }
        Query::Sweep => "sweep".to_owned(),
        Query::RewritesDue { limit, except } => {
            let but = except.iter().map(|order| format!(" #{order}")).collect::<String>();
            format!("rewrites-due {limit}{}{but}", if but.is_empty() { "" } else { " but" })
        }
        Query::RewritesDone(orders) => {
            format!("rewrites-done {}", orders.iter().map(page).collect::<Vec<_>>().join(" "))
        }
        Query::RewritesFailed(orders) => {
            format!("rewrites-failed {}", orders.iter().map(page).collect::<Vec<_>>().join(" "))
        }
        Query::RootNames { after, .. } => format!("root-names after {}", after.as_deref().unwrap_or("-")),
        Query::OrderHome => "order-home".to_owned(),
        Query::Home => "home".to_owned(),
        Query::Why { package, version } => {
            format!("why {package} {}", version.as_ref().map_or_else(String::new, Version::to_string))
        }
        Query::LogDownloads { downloads, .. } => {
            let packages: Vec<_> = downloads.iter().map(|download| download.package.as_str()).collect();
            format!("log-downloads {}", packages.join(" "))
        }
        Query::RollPopularity { .. } => "roll-popularity".to_owned(),
        Query::Look(look) => format!("look {look:?}"),
        Query::TreeOrder(order) => format!("order {order:?}"),
        Query::Unclaimed { project, names } => format!("unclaimed {project} [{}]", names.join(" ")),
    }
}

/// A field's text.
pub(super) fn text<const N: usize>(text: &str) -> Text<N> {
    Text::new(text).expect("a field's text")
}

/// An ABI.
pub(super) fn abi(tag: &str) -> AbiTag {
    AbiTag::parse(tag).expect("an ABI")
}

/// A project.
pub(super) fn project(name: &str) -> ProjectName {
    ProjectName::parse(name).expect("a name")
}

/// A build's token, where the farm did not draw the secret.
pub(super) fn token(build: i64) -> JobToken {
    JobToken { build: BuildId(build), secret: [build as u8; 16] }
}

/// Build number so-and-so: always of `foo` 1.0 for cp311.
pub(super) fn job(build: i64) -> Job {
    let version = Version::parse("1.0").expect("a version");
    Job { token: token(build), package: project("foo"), version, abi: abi("cp311"), attempt: 1, build_tag: 0 }
}

/// The job of a token that the farm drew.
pub(super) fn job_of(token: JobToken) -> Job {
    Job { token, ..job(token.build.0) }
}

/// A sign of life of a machine whose clock shows this, in milliseconds since 1970.
pub(super) fn busy_at(clock: Millis) -> FromSlave {
    let vitals = Vitals {
        load1_centi: 52,
        cpus: 4,
        memory_total: 1 << 30,
        memory_free: 1 << 29,
        disk_total: 1 << 35,
        disk_free: 1 << 34,
        temperature: Some(483),
        clock_ms: clock.0,
        throttled: Some(false),
    };
    FromSlave::Busy { vitals, holds_back: None }
}

/// A sign of life.
pub(super) fn busy() -> FromSlave {
    busy_at(WALL)
}

/// HELLO of a slave for an ABI.
pub(super) fn hello(abi: &str, held: Option<Held>) -> FromSlave {
    FromSlave::Hello {
        software: text(crate::VERSION),
        label: text("pi"),
        timeout_secs: 10_800,
        python_tag: text("311"),
        abi_tag: text(abi),
        platform_tag: text(PLATFORM),
        board: Board::default(),
        held,
    }
}

/// BUILT with files of these names and sizes, and a log of as many bytes as nobody counts.
pub(super) fn built(token: JobToken, end: BuildEnd, files: &[(&str, u64)]) -> FromSlave {
    let files = files
        .iter()
        .map(|(name, size)| BuiltFile { filename: text(name), size: *size, sha256: digest(name) })
        .collect();
    FromSlave::Built {
        token,
        end,
        duration_ms: 1500,
        log_bytes: 0,
        files: List::new(files).expect("few"),
        report: BuildReport::default(),
    }
}

/// The digest that a file of this name has here.
pub(super) fn digest(name: &str) -> Sha256 {
    Sha256::of(name.as_bytes())
}

/// LOG of so many bytes.
pub(super) fn log(offset: u64, length: usize) -> FromSlave {
    FromSlave::Log { offset, data: Blob::new(Bytes::from(vec![b'x'; length])).expect("a log's piece") }
}

/// A check that found nothing wrong.
pub(super) fn sound() -> Checked {
    Checked::Sound(WheelFacts {
        spelling: "Foo".to_owned(),
        requires_python: Some(">=3.9".to_owned()),
        requires_dist: vec!["bar>=1".to_owned()],
        metadata_sha256: Sha256([5; 32]),
    })
}
