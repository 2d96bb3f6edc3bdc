//! What happens to the farm and what the farm wants done: plain data between the state machines and the reactor.
//!
//! The reactor turns sockets, answers and signals into [`Event`]s and carries out [`Effect`]s; a simulator can do the
//! same with models of them.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::gaze::{GazeAnswer, GazeFailure, GazeRequest};
use super::hub::PublicSlave;
use super::query::{Answer, HomeRows, Query, Rewrite, RewriteOrder, RootName, Wanted};
use super::refusals::Refusal;
use crate::domain::ranges::RangeSet;
use crate::domain::requirement::Extra;
use crate::domain::{BuildId, Millis, ProjectName, Sha256, WheelName};
use crate::wire::{Channel, control, file, import, slave, status};

/// A connection, for as long as the master runs: numbers are not used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnId(pub u64);

/// A question that is under way; its answer carries the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// One transfer of one file, in the master's own numbering.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TransferId(pub u64);

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// A peer connected and sent a good preamble.
    Opened {
        /// The connection.
        conn: ConnId,
        /// What it is for.
        channel: Channel,
        /// Where it comes from, for log lines.
        peer: String,
        /// The slave that it proved to be; none for a peer without a key.
        name: Option<String>,
    },
    /// A message on a slave channel.
    Slave(ConnId, slave::FromSlave),
    /// A message on a file channel.
    File(ConnId, file::FromSlave),
    /// A message on an import channel.
    Tool(ConnId, import::FromTool),
    /// A message on a status channel.
    Monitor(ConnId, status::FromMonitor),
    /// A message on a control channel.
    Control(ConnId, control::FromTool),
    /// The connection is gone, whoever ended it.
    Closed(ConnId),
    /// The database answered.
    Database(Ticket, Answer),
    /// A question was taken back and will not be answered.
    Forgotten(Ticket),
    /// The file writer answered.
    Disk(DiskAnswer),
    /// The index scribe answered.
    Page(PageAnswer),
    /// The cloud gazer looked something up.
    Looked(Ticket, LookAnswer),
    /// The cloud gazer looked at the index for the follower.
    Gazed(GazeAnswer),
    /// The machine was looked at.
    Surveyed(Box<Survey>),
    /// The lock that makes this the only master of its database is held again, or is lost.
    Seat(bool),
    /// A peer was turned away; if the farm knew of its connection, [`Event::Closed`] says that it is gone.
    Refused(Refusal),
    /// The master is to stop when its slaves have finished what they build.
    Drain,
    /// The master is to stop now.
    Stop,
    /// Time passed; the wall clock shows this, in milliseconds since 1970.
    Tick(Millis),
}

/// What is to be done.
#[derive(Debug)]
pub enum Effect {
    /// Send a message.
    Send(ConnId, Message),
    /// Close a connection when what was sent before is flushed. The reason, if there is one, is a defect of the peer
    /// and is logged with its address.
    Close(ConnId, Option<String>),
    /// Read no more from a connection until [`Effect::Resume`].
    Hold(ConnId),
    /// Read again.
    Resume(ConnId),
    /// Ask the database.
    Ask(Ticket, Query),
    /// Do not ask it any more, if it still waits; then say [`Event::Forgotten`].
    Forget(Ticket),
    /// Have the file writer do something.
    Disk(DiskRequest),
    /// Have the index scribe do something.
    Page(PageRequest),
    /// Have the cloud gazer look something up.
    Look(Ticket, Vec<LookUp>),
    /// Have the cloud gazer look at the index.
    Gaze(GazeRequest),
    /// Look at the machine and its disks. Answer: [`Event::Surveyed`].
    Survey,
    /// Read the keys of slaves again.
    ReadKeys,
    /// Accept no more connections.
    StopListening,
    /// Everything is done: end.
    Exit,
}

/// A message to any peer.
#[derive(Debug)]
pub enum Message {
    /// On a slave channel.
    Slave(slave::ToSlave),
    /// On a file channel.
    File(file::ToSlave),
    /// On an import channel.
    Tool(import::ToTool),
    /// On a status channel.
    Monitor(Box<status::ToMonitor>),
    /// On a control channel.
    Control(control::ToTool),
}

/// Work for the file writer, done in the order given.
#[derive(Clone, Debug)]
pub enum DiskRequest {
    /// Append to a build's log, at an offset in it; offset 0 begins it anew. Answer: [`DiskAnswer::LogWritten`].
    Log(BuildId, u64, Bytes),
    /// Begin a file in the spool, or go on with what is there of it. Answer: [`DiskAnswer::Opened`] or
    /// [`DiskAnswer::TransferFailed`].
    Open(TransferId, Part),
    /// Write and digest a piece. Answer: [`DiskAnswer::Written`] or [`DiskAnswer::TransferFailed`].
    Write(TransferId, u64, Bytes),
    /// Every byte was written: check it. Answer: [`DiskAnswer::Checked`] or [`DiskAnswer::TransferFailed`].
    Check(TransferId, Expected),
    /// Throw a file in the spool away.
    Discard(TransferId),
    /// Bring a build's files and log into place. The log stays in the spool too, for another try. Answer:
    /// [`DiskAnswer::Placed`].
    Place(Placement),
    /// Publish a build's log as far as it came, ended by this line: its slave was lost. Nothing where there is none. The
    /// whole log takes its place if the build is recorded after all.
    KeepLog(BuildId, String),
    /// Throw a build's log in the spool away: the build is recorded or given up.
    DiscardLog(BuildId),
    /// Remove the published logs of builds that are forgotten, where they have any: no page names them any more.
    RemoveLogs(Vec<BuildId>),
    /// Say where the web tree is, to this tool. Answer: [`DiskAnswer::Located`].
    Locate(ConnId),
    /// Remove these names from a project's directory, which nothing stands for, for this tool. Answer:
    /// [`DiskAnswer::Swept`].
    Sweep(ConnId, ProjectName, Vec<String>),
    /// Take METADATA, which has this digest, out of a published wheel again, for this tool. Answer:
    /// [`DiskAnswer::Unpacked`].
    Unpack(ConnId, WheelName, Sha256),
}

/// Which file a transfer brings: the same after a restart of the master.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The build.
    pub build: BuildId,
    /// Which file of it.
    pub index: u16,
    /// Bytes.
    pub size: u64,
    /// Their digest, which also names the file in the spool.
    pub sha256: Sha256,
    /// A tool brings it, which comes again with another build when it comes again: of no use to a master after this one.
    pub once: bool,
}

/// What a file must be.
#[derive(Clone, Debug)]
pub struct Expected {
    /// The build that it is of.
    pub build: BuildId,
    /// Which file of it.
    pub index: u16,
    /// File name, a sound wheel's.
    pub filename: String,
    /// The build tag in it, which WHEEL must have, too.
    pub build_tag: Option<String>,
    /// Bytes.
    pub size: u64,
    /// Digest.
    pub sha256: Sha256,
    /// The project that METADATA must name.
    pub project: ProjectName,
    /// The version that METADATA must name.
    pub version: crate::domain::Version,
    /// As in [`Part::once`].
    pub once: bool,
}

/// A build to be brought into place.
#[derive(Clone, Debug)]
pub struct Placement {
    /// The build.
    pub build: BuildId,
    /// Its project, whose directory takes the files.
    pub project: ProjectName,
    /// Files in the spool, and what they are.
    pub files: Vec<PlacedFile>,
    /// Whether there is a log.
    pub log: bool,
    /// Lines of the master's own for the end of the log.
    pub remark: Option<String>,
    /// Names that no row in the database knows: bytes under them are left-overs and may be replaced.
    pub unclaimed: Vec<String>,
}

/// A file of a placement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedFile {
    /// The transfer that brought it, whose file and METADATA are in the spool.
    pub transfer: TransferId,
    /// The name it gets.
    pub filename: String,
    /// Digest of its bytes, as checked: what is published already is known by it when the spool has it no more.
    pub sha256: Sha256,
    /// The same of its METADATA.
    pub metadata_sha256: Sha256,
}

/// What the file writer did.
#[derive(Debug)]
pub enum DiskAnswer {
    /// As many bytes of a build's log were written (or lost: the log is then short, and says so).
    LogWritten(BuildId, u64),
    /// The file is begun; these bytes of it are there already, and were found to be what was written.
    Opened(TransferId, RangeSet),
    /// A piece was written: offset and length.
    Written(TransferId, u64, u64),
    /// A transfer's file cannot be written or read.
    TransferFailed(TransferId, String),
    /// The file was checked.
    Checked(TransferId, Checked),
    /// The build's files are in place and durable, or not.
    Placed(BuildId, Placed),
    /// Where the web tree is, for this tool.
    Located(ConnId, Tree),
    /// What was removed, for this tool; or why nothing more could be.
    Swept(ConnId, Result<SweptDir, String>),
    /// METADATA stands beside its wheel, for this tool; or why not.
    Unpacked(ConnId, Result<(), String>),
}

/// Where the master writes: absolute paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// The web tree.
    pub output: String,
    /// What is unfinished.
    pub spool: String,
    /// By these two whoever looks knows that it is the same directory: device and inode of the web tree.
    pub device: u64,
    /// See there.
    pub inode: u64,
}

/// What became of names in a project's directory that nothing stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SweptDir {
    /// Removed.
    pub removed: Vec<String>,
    /// Left alone, and why, for people.
    pub kept: Vec<(String, String)>,
    /// The directory itself is gone.
    pub directory: bool,
}

/// What a look at the master's machine found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// How it is doing.
    pub vitals: Option<status::Vitals>,
    /// The disk of the web tree, and that of the spool where it is another.
    pub disks: Vec<Disk>,
    /// Why they could not be looked at, for people.
    pub trouble: Option<String>,
    /// The last lines of trouble in the log, the oldest first.
    pub errors: Vec<ErrorLine>,
}

/// A file system that the master writes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// What of it was looked at.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// What the master's account may still write, in bytes.
    pub free: u64,
    /// Inodes in all, where it has such a number.
    pub inodes: Option<u64>,
    /// Those that the master's account may still take.
    pub inodes_free: Option<u64>,
}

/// A line of trouble in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorLine {
    /// When: milliseconds since 1970.
    pub at: Millis,
    /// The line.
    pub text: String,
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checked {
    /// Size, digest and METADATA are right.
    Sound(WheelFacts),
    /// The bytes are not those that were promised.
    WrongDigest {
        /// What they are.
        found: Sha256,
    },
    /// The bytes are right, but no wheel of this version.
    BadWheel(String),
}

/// What METADATA of a sound wheel says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WheelFacts {
    /// The project's name as METADATA spells it.
    pub spelling: String,
    /// `Requires-Python`.
    pub requires_python: Option<String>,
    /// `Requires-Dist`, bounded as in [`crate::domain::core_metadata::CoreMetadata`].
    pub requires_dist: Vec<String>,
    /// Digest of METADATA, which is kept beside the file.
    pub metadata_sha256: Sha256,
}

/// How bringing into place ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placed {
    /// All there, on stable storage.
    Durable,
    /// Other bytes are there under these names. Nothing was replaced.
    Taken(Vec<String>),
    /// A file of the build is neither in the spool nor published: it must be fetched again.
    Missing,
    /// The file system said no. Trying again may help; what is in place already is recognised.
    Failed(String),
}

/// Work for the index scribe, done in the order given.
#[derive(Clone, Debug)]
pub enum PageRequest {
    /// Write projects' pages, or remove those of projects without files; then remove the files that are gone from them.
    /// Answer: a [`PageAnswer::Written`] for each.
    Projects(Vec<(ProjectName, Rewrite)>),
    /// Write the home page, with the slaves of the last [`PageRequest::Slaves`]; and the pages and files that never change,
    /// as far as they are not there. Answer: [`PageAnswer::Written`].
    Home(RewriteOrder, Box<HomeRows>),
    /// Begin the root index.
    RootBegin,
    /// Add names to it. Answer: [`PageAnswer::RootReady`].
    RootNames(Vec<RootName>),
    /// Finish it. Answer: [`PageAnswer::Written`].
    RootEnd(RewriteOrder),
    /// Write the page of slaves. Answer: [`PageAnswer::SlavesWritten`].
    Slaves(Vec<PublicSlave>),
}

/// What the index scribe did.
#[derive(Debug)]
pub enum PageAnswer {
    /// A page is in place, or not: then the reason.
    Written(RewriteOrder, Result<(), String>),
    /// The root index takes more names.
    RootReady,
    /// The page of slaves is in place, or not: then the reason.
    SlavesWritten(Result<(), String>),
}

/// A version that somebody wants: the newest that fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookUp {
    /// The package.
    pub package: ProjectName,
    /// PEP 440 specifiers; empty for any.
    pub specifiers: String,
    /// Extras whose requirements are wanted too, where those of the version are.
    pub extras: Vec<Extra>,
    /// Something else requires it, nobody asked for it: a release that the index serves to everybody will do, though
    /// there is nothing to build it from. Looked up one at a time.
    pub required: bool,
}

/// What the cloud gazer found, in the order asked, or why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookAnswer {
    /// All were found.
    Found(Vec<Wanted>),
    /// What is required has no source distribution, and this wheel for everybody.
    Served(WheelName),
    /// Some were not: a reason for each of those.
    NotFound(Vec<String>),
    /// The index did not answer.
    Unanswered(GazeFailure),
}

/// Who asked the database, so that the answer finds its way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A slave that named a job in its HELLO.
    Adopt(ConnId),
    /// A slave that is idle.
    Claim(ConnId),
    /// A job was given back.
    Release,
    /// The publisher, for this build.
    Build(BuildId),
    /// The farm's housekeeping.
    Sweep,
    /// The farm's housekeeping: leases.
    Renew,
    /// The farm's housekeeping: what a change of ABIs or policies asks for.
    Walk,
    /// The ABIs that are built for.
    Abis,
    /// The farm's housekeeping: a lease that ended under a slave that is there.
    Readopt,
    /// The farm's housekeeping: what is downloaded more or less than before.
    Popularity,
    /// The pages: what is due.
    Pages,
    /// The pages: what became of orders.
    PagesTold,
    /// The pages: names for the root index.
    Root,
    /// The home page: that it is due.
    HomeOrder,
    /// The home page: what it is made from.
    Home,
    /// A tool.
    Tool(ConnId),
    /// The follower.
    Follower,
    /// Metrics: numbers that the database has.
    Figures,
    /// Big Brother: the statistics.
    BigBrother,
}

/// Where the state machines put what they want, in order; the caller owns it and uses it again.
#[derive(Debug, Default)]
pub struct Out {
    /// To be carried out by the reactor.
    pub effects: Vec<Effect>,
    purposes: BTreeMap<Ticket, Purpose>,
    tickets: u64,
}

impl Out {
    /// Asks the database.
    pub fn ask(&mut self, purpose: Purpose, query: Query) {
        let ticket = self.ticket(purpose);
        self.effects.push(Effect::Ask(ticket, query));
    }

    /// Has the cloud gazer look at the index for the follower.
    pub fn gaze(&mut self, request: GazeRequest) {
        self.effects.push(Effect::Gaze(request));
    }

    /// Has the cloud gazer look something up.
    pub fn look(&mut self, purpose: Purpose, wanted: Vec<LookUp>) {
        let ticket = self.ticket(purpose);
        self.effects.push(Effect::Look(ticket, wanted));
    }

    fn ticket(&mut self, purpose: Purpose) -> Ticket {
        self.tickets += 1;
        self.purposes.insert(Ticket(self.tickets), purpose);
        Ticket(self.tickets)
    }

    /// Who asked; each ticket is answered once.
    pub fn purpose(&mut self, ticket: Ticket) -> Option<Purpose> {
        self.purposes.remove(&ticket)
    }

    /// Whether questions are under way on which a job or a build depends: a stopping master waits for those.
    pub fn matters(&self) -> bool {
        self.purposes.values().any(|purpose| {
            matches!(purpose, Purpose::Adopt(_) | Purpose::Claim(_) | Purpose::Release | Purpose::Build(_))
        })
    }

    /// Takes back what was asked for a connection that is gone, as far as it still waits.
    pub fn forget(&mut self, conn: ConnId) {
        let of_it =
            |purpose: &Purpose| matches!(purpose, Purpose::Adopt(c) | Purpose::Claim(c) if *c == conn);
        let tickets = self.purposes.iter().filter(|(_, purpose)| of_it(purpose)).map(|(ticket, _)| *ticket);
        self.effects.extend(tickets.map(Effect::Forget));
    }

    /// Questions that are under way.
    pub fn questions(&self) -> usize {
        self.purposes.len()
    }

    /// Sends a message on a slave channel.
    pub fn tell(&mut self, slave: ConnId, message: slave::ToSlave) {
        self.effects.push(Effect::Send(slave, Message::Slave(message)));
    }

    /// Closes a connection: for a defect of the peer, or for no fault.
    pub fn close(&mut self, conn: ConnId, defect: Option<String>) {
        self.effects.push(Effect::Close(conn, defect));
    }
}

impl Expected {
    /// Which file it is.
    pub fn part(&self) -> Part {
        let Self { build, index, size, sha256, once, .. } = *self;
        Part { build, index, size, sha256, once }
    }
}

#[cfg(test)]
impl Out {
    /// Who asked, while the question is under way.
    pub(super) fn purpose_of(&self, ticket: Ticket) -> Option<Purpose> {
        self.purposes.get(&ticket).copied()
    }
}
