//! What may be asked of the database, and what it answers: plain data, so that the state machines can ask without
//! knowing SQL and a simulator can answer without having any.
//!
//! Every query is one transaction and may be repeated: when a connection breaks before the answer came, the oracle
//! asks again, and the second time changes nothing that the first had done.

use super::gaze::{IndexEvent, ListedProject, PageTruth};
use super::report::KeptReport;
use crate::domain::dependencies::Dependency;
use crate::domain::requirement::Extra;
use crate::domain::{AbiTag, BuildId, JobToken, ProjectName, Sha256, Version};
use crate::wire::import;

mod audit;
mod figures;
mod follow;
mod home;
mod imports;
mod orders;
mod pages;

pub use audit::*;
pub use figures::*;
pub use follow::*;
pub use home::*;
pub use imports::*;
pub use orders::*;
pub use pages::*;

/// A request to the database. The SQL function behind each is in `sql/functions/`, under the same name.
#[derive(Clone, Debug)]
pub enum Query {
    /// Every ABI the farm knows, by rank.
    Abis,
    /// Registers an ABI, or takes a retired one up again; [`Query::Walk`] then opens versions for it. Adding the same again
    /// changes nothing.
    AddAbi {
        /// The ABI.
        abi: AbiTag,
        /// Its place in the order of attempts, smallest first; unique.
        rank: i16,
        /// Platforms of the slaves that may build for it; none: any.
        platforms: Vec<String>,
    },
    /// Puts versions on the farm's list, all of them or none, and queues them in this order: before everything that nobody
    /// asked for, after what was asked for earlier.
    AddVersions {
        /// What is wanted.
        wanted: Vec<Wanted>,
        /// The requirements of what is built are wanted too.
        deps: bool,
    },
    /// Goes on with what a change of ABIs or policies asks for, a few thousand versions at a time.
    Walk {
        /// At most 20,000.
        limit: u16,
    },
    /// Leases the best job of an ABI to a slave. Asked again with the same secret, gives the same job.
    Claim {
        /// The slave's ABI.
        abi: AbiTag,
        /// The slave's label, for people.
        slave: String,
        /// The random part of the job token.
        secret: [u8; 16],
        /// How long the lease runs without renewal.
        lease_secs: u32,
        /// Jobs of this class and later ones first (`sql/views/judgement.sql`), 0 to 4: a share of the work for those that
        /// would always come last.
        class: u8,
    },
    /// Extends the leases of slaves that were heard from. Unknown and ended ones are passed over.
    Renew {
        /// At most 1,000.
        builds: Vec<BuildId>,
        /// From now.
        lease_secs: u32,
    },
    /// A slave came back and names the job it holds.
    Adopt {
        /// The job.
        token: JobToken,
        /// The slave's label.
        slave: String,
        /// A new lease runs this long.
        lease_secs: u32,
    },
    /// A slave gave its job back unfinished: it is queued again at once, and the attempt is not counted.
    Release(JobToken),
    /// Which of these file names are published, and with which bytes.
    FilesKnown(Vec<String>),
    /// The one commit point of a build: build row, files, lease closed, next ABI queued, counters, page due.
    LogBuild(Box<BuildRecord>),
    /// Whether files of an administrator's may be published.
    BeginImport(Box<ImportPlan>),
    /// The one commit point of an import.
    LogImport(Box<ImportRecord>),
    /// Ends the leases that ran out, queues what is due again, folds the counters. At most 500 leases a call.
    Sweep,
    /// The oldest pages that are due for writing.
    RewritesDue {
        /// At most 64.
        limit: u16,
        /// The numbers of orders that are being carried out or wait for their time, at most 2,000: they are left out.
        except: Vec<i64>,
    },
    /// The pages were written from the rows of these orders, at most 64; a newer order stays.
    RewritesDone(Vec<RewriteOrder>),
    /// The pages could not be written, at most 64: these orders go behind every other that is due; a newer order keeps its
    /// place.
    RewritesFailed(Vec<RewriteOrder>),
    /// Names of projects with files, in order, after a given one: the root index, a piece at a time.
    RootNames {
        /// Names after this one; `None` for the beginning.
        after: Option<String>,
        /// At most 10,000.
        limit: u16,
    },
    /// Orders the home page to be written.
    OrderHome,
    /// What the home page is made from.
    Home,
    /// What became of a package or one version of it, for people, as JSON.
    Why {
        /// The package.
        package: ProjectName,
        /// One version; `None` for all on the farm's list.
        version: Option<Version>,
    },
    /// Pages of the index to be read next.
    PagesDue {
        /// At most 100.
        limit: u16,
        /// How many jobs of each ABI are checked before they are handed out.
        ahead: u16,
    },
    /// A page was read.
    LearnPage {
        /// Whose.
        package: ProjectName,
        /// What stands there.
        truth: Box<PageTruth>,
        /// When it is to be read again; `None`: no need.
        next_secs: Option<u32>,
    },
    /// A look at a page brought nothing new.
    PageUnread {
        /// Whose.
        package: ProjectName,
        /// What it came to.
        news: Unread,
        /// As in [`Query::LearnPage`], for [`Unread::Unchanged`].
        next_secs: Option<u32>,
    },
    /// How far the index was followed.
    FeedState,
    /// Events of the index, in one transaction with the serial that they reach.
    FeedApply {
        /// The largest serial that was read.
        serial: u64,
        /// None is expected to come late up to here.
        settled: u64,
        /// At most 1,000.
        events: Vec<IndexEvent>,
    },
    /// A piece of the list of all projects, to be compared with what is known.
    FeedCompare {
        /// At most 5,000, in the order of the list.
        projects: Vec<ListedProject>,
        /// The last name of the piece before.
        after: Option<ProjectName>,
        /// Events up to here have been read.
        serial_read: u64,
        /// The changelog does not answer: what is not known is registered from the list.
        unheard: bool,
    },
    /// The list of all projects was compared to its end; its ETag.
    FeedListed(Option<String>),
    /// Versions whose requirements are to be worked out. At most 100.
    DepsDue(u16),
    /// What the requirements of a version are.
    DepsFound {
        /// As [`Answer::DepsDue`] said; `None` for a version that only the index has.
        order: Option<DepsOrder>,
        /// Whose they are, for people.
        of: String,
        /// At most 2,000.
        requirements: Vec<Dependency>,
    },
    /// Requirements to be looked up on the index. At most 100.
    RequirementsDue(u16),
    /// What became of looking a requirement up.
    RequirementDone {
        /// Which.
        requirement: i64,
        /// What became of it.
        end: RequirementEnd,
    },
    /// The farm in numbers.
    Statistics,
    /// The same and its queues, for metrics: asked on a schedule, and not again when it fails.
    Figures,
    /// An order of the administrator's about policies or the queue.
    Order(Box<Order>),
    /// A report for people, as JSON.
    Report(Report),
    /// What is wrong with what the database keeps for speed; mended where that is asked for. Scans everything.
    Audit {
        /// Mend it.
        mend: bool,
    },
    /// What is to be in the web tree.
    Look(Look),
    /// What is to become of it.
    TreeOrder(TreeOrder),
    /// Which of these names in a project's directory nothing stands for.
    Unclaimed {
        /// Whose directory.
        project: ProjectName,
        /// At most 1,000.
        names: Vec<String>,
    },
    /// Counts files that were fetched from the web server. The same batch again counts nothing twice, for a day.
    LogDownloads {
        /// Drawn at random for these.
        batch: [u8; 16],
        /// At most 500.
        downloads: Vec<Download>,
    },
    /// Goes on with today's look at which packages are downloaded more or less than before: their versions get other
    /// priorities.
    RollPopularity {
        /// Packages looked at, at most; 1 to 10,000.
        limit: u16,
    },
}

/// The database's answer to the query of the same name.
#[derive(Clone, Debug)]
pub enum Answer {
    /// To [`Query::Abis`].
    Abis(Vec<Abi>),
    /// To [`Query::AddAbi`]: false when it was there already, just so; and the list as it is now.
    AbiAdded(bool, Vec<Abi>),
    /// To [`Query::AddVersions`], in the order asked.
    Added(Vec<AddedVersion>),
    /// To [`Query::Walk`].
    Walked {
        /// ABIs whose queues got something.
        opened: Vec<AbiTag>,
        /// There is more to do.
        more: bool,
    },
    /// To [`Query::Claim`]; `None` when nothing is queued for the ABI.
    Claimed(Option<Job>),
    /// To [`Query::Renew`].
    Renewed,
    /// To [`Query::Adopt`].
    Adopted(Adoption),
    /// To [`Query::Release`]: the ABI whose queue has the job again, if it does.
    Released(Option<AbiTag>),
    /// To [`Query::FilesKnown`]: those that are.
    FilesKnown(Vec<(String, Sha256)>),
    /// To [`Query::LogBuild`] and [`Query::LogImport`].
    Logged(Logged),
    /// To [`Query::BeginImport`].
    ImportBegun(ImportVerdict),
    /// To [`Query::Sweep`].
    Swept(Swept),
    /// To [`Query::RewritesDue`].
    RewritesDue {
        /// With their rows, of which there may be too much for all that were asked for.
        due: Vec<Rewrite>,
        /// Others are due, too.
        more: bool,
    },
    /// To [`Query::RewritesDone`] and [`Query::RewritesFailed`].
    RewritesDone,
    /// To [`Query::RootNames`]: fewer than the limit at the end.
    RootNames(Vec<RootName>),
    /// To [`Query::OrderHome`].
    HomeOrdered,
    /// To [`Query::Home`].
    Home(Box<HomeRows>),
    /// To [`Query::Why`]: a JSON object, see `wire-spec/import.md`; `None` when the farm does not know it.
    Why(Option<String>),
    /// To [`Query::PagesDue`].
    PagesDue(Vec<DuePage>),
    /// To [`Query::LearnPage`], [`Query::PageUnread`] and [`Query::FeedApply`].
    Learned(Learned),
    /// To [`Query::FeedState`].
    FeedState(FeedState),
    /// To [`Query::FeedCompare`]: how many pages are due for it.
    Compared(u32),
    /// To [`Query::DepsDue`].
    DepsDue(Vec<DepsDue>),
    /// To [`Query::RequirementsDue`].
    RequirementsDue(Vec<RequirementDue>),
    /// To [`Query::FeedListed`], [`Query::DepsFound`] and [`Query::RequirementDone`].
    Noted,
    /// To [`Query::Statistics`].
    Statistics(Box<Statistics>),
    /// To [`Query::Figures`].
    Figures(Box<Figures>),
    /// To [`Query::Audit`].
    Audited(Audited),
    /// To [`Query::LogDownloads`].
    DownloadsLogged(DownloadsLogged),
    /// To [`Query::RollPopularity`]: how many packages were looked at; none when today's look is done.
    PopularityRolled(u32),
    /// To [`Query::Order`].
    Ordered(Ordered),
    /// To [`Query::Report`] and [`Query::Look`]: a JSON object, see `wire-spec/import.md`.
    Report(String),
    /// To [`Query::TreeOrder`]: the same. Pages may be due.
    PagesOrdered(String),
    /// To [`Query::Unclaimed`].
    Unclaimed(Vec<String>),
    /// The database will not do this, and asking again will not help. For people.
    Refused(String),
    /// There is no answer: the oracle itself failed. What was asked is not at fault. For people.
    Failed(String),
}

/// An ABI the farm builds for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Abi {
    /// The tag.
    pub tag: AbiTag,
    /// Smaller is attempted first.
    pub rank: i16,
    /// Why nothing more is built for it, if so.
    pub skip: Option<String>,
    /// Platforms of the slaves that may build for it; none: any.
    pub platforms: Vec<String>,
}

/// One version that somebody wants built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The package.
    pub package: ProjectName,
    /// Its name as its author spells it.
    pub display: String,
    /// The version.
    pub version: Version,
    /// When its first file was uploaded: seconds since 1970.
    pub released: Option<i64>,
    /// PEP 592: the reason, which may be empty.
    pub yanked: Option<String>,
    /// It was asked for by its number (`==`).
    pub named: bool,
    /// As in [`super::gaze::ReleaseTruth`].
    pub pythons: Option<u64>,
    /// As in [`super::gaze::ReleaseTruth`].
    pub pure: Option<String>,
    /// As in [`super::gaze::ReleaseTruth`].
    pub tags: Vec<String>,
    /// The wish that it stands for, which later releases may fit too; `None` for none.
    pub specifiers: Option<String>,
    /// Extras whose requirements are wanted too, where those of the version are.
    pub extras: Vec<Extra>,
}

/// What adding one version came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddedVersion {
    /// The package.
    pub package: ProjectName,
    /// The version.
    pub version: Version,
    /// New on the list, or how far it was already.
    pub state: AddedState,
    /// The ABI whose queue has it now.
    pub queued_for: Option<AbiTag>,
    /// What speaks against building it, for people.
    pub reason: Option<String>,
}

/// How an added version stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddedState {
    /// Was not on the list, and is now.
    New,
    /// Was waiting already, and does no longer wait behind what nobody asked for.
    Queued,
    /// A slave is building it.
    Building,
    /// Wheels of it are published.
    Built,
    /// Every attempt failed.
    Failed,
    /// Something speaks against building it.
    Skipped,
}

/// A job that was leased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Build number and secret.
    pub token: JobToken,
    /// The package.
    pub package: ProjectName,
    /// The version.
    pub version: Version,
    /// The ABI to build for.
    pub abi: AbiTag,
    /// 1 for the first attempt.
    pub attempt: u16,
    /// The build tag that its wheels must have, so that their names are new; 0: none but what a backend gives them.
    pub build_tag: u64,
}

/// Whether a slave that came back goes on with its job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Adoption {
    /// The lease is alive, or was taken up again: go on.
    Live(Job),
    /// The lease ended and another slave has the job: stop building; a finished build may still be offered.
    Late(Job),
    /// The result is recorded: nothing more is wanted.
    Recorded,
    /// No such job was ever handed out, or its version was removed.
    Unknown,
}

/// How a build ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// Wheels were built.
    Built,
    /// The build itself failed (pip ended with an error).
    Failed,
    /// It ran past its time. Tried once more, when it was the first attempt (for how often in all, and after what
    /// time, see `sql/functions/_settles.sql` and `_back_off.sql`).
    Timeout,
    /// No source distribution could be found. The database records [`Outcome::UploadRace`] where the release is new.
    NoSdist,
    /// What was built is not a sound wheel of this version.
    BadWheel,
    /// The slaves that held it were lost, too often.
    LostSlave,
    /// The files could not be fetched from the slave. Tried again, up to the fifth attempt.
    LostTransfer,
    /// Another slave's result came first; or it was cancelled, and then asked for again.
    Superseded,
    /// The administrator did not want it; not tried again until somebody asks for it.
    Cancelled,
    /// No source distribution could be found, and the release is younger than a day: it may not be there yet. Only the
    /// database says so. Tried again, up to the sixth attempt.
    UploadRace,
    /// The slave could not reach the index, or a download broke. Tried again, up to the fifth attempt.
    Network,
    /// It printed nothing for too long. Tried once more, when it was the first attempt.
    Silence,
    /// The slave's memory did not suffice. Tried once more, when it was the first attempt.
    OutOfMemory,
    /// The slave's disk did not suffice. Tried again, up to the fifth attempt.
    Disk,
    /// It printed more than its slave lets a build print.
    LogLimit,
    /// A wheel is larger than its slave lets a wheel be.
    WheelLimit,
    /// It wrote more than its slave lets a build write. Tried once more, when it was the first attempt.
    DiskLimit,
    /// It had more processes than its slave lets a build have.
    ProcessLimit,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 18] = [
        Self::Built,
        Self::Failed,
        Self::Timeout,
        Self::NoSdist,
        Self::BadWheel,
        Self::LostSlave,
        Self::LostTransfer,
        Self::Superseded,
        Self::Cancelled,
        Self::UploadRace,
        Self::Network,
        Self::Silence,
        Self::OutOfMemory,
        Self::Disk,
        Self::LogLimit,
        Self::WheelLimit,
        Self::DiskLimit,
        Self::ProcessLimit,
    ];

    /// The name in the database and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Built => "built",
            Self::Failed => "failed",
            Self::Timeout => "timeout",
            Self::NoSdist => "no-sdist",
            Self::BadWheel => "bad-wheel",
            Self::LostSlave => "lost-slave",
            Self::LostTransfer => "lost-transfer",
            Self::Superseded => "superseded",
            Self::Cancelled => "cancelled",
            Self::UploadRace => "upload-race",
            Self::Network => "network",
            Self::Silence => "silence",
            Self::OutOfMemory => "out-of-memory",
            Self::Disk => "disk",
            Self::LogLimit => "log-limit",
            Self::WheelLimit => "wheel-limit",
            Self::DiskLimit => "disk-limit",
            Self::ProcessLimit => "process-limit",
        }
    }
}

/// Everything that is recorded of a finished build.
#[derive(Clone, Debug)]
pub struct BuildRecord {
    /// The job.
    pub token: JobToken,
    /// The slave's label.
    pub slave: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Wall-clock time of the build, as the slave says; recorded as 30 days when it is more.
    pub duration_ms: u64,
    /// Bytes of its log, before compression; 0 when there is none. Recorded as 1 TiB when it is more.
    pub log_bytes: u64,
    /// What it made, all verified and in place. Empty unless `outcome` is [`Outcome::Built`].
    pub files: Vec<FileRecord>,
    /// What its slave says of it; none where that said nothing.
    pub report: Option<Box<KeptReport>>,
}

/// A published file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRecord {
    /// The wheel's file name.
    pub filename: String,
    /// Bytes.
    pub size: u64,
    /// Of those bytes.
    pub sha256: Sha256,
    /// PEP 425 Python tag, possibly compressed (`py2.py3`).
    pub python_tag: String,
    /// PEP 425 ABI tag, possibly compressed.
    pub abi_tag: String,
    /// PEP 425 platform tag, possibly compressed.
    pub platform_tag: String,
    /// `Requires-Python` of its METADATA.
    pub requires_python: Option<String>,
    /// Of the `.metadata` file beside it (PEP 658).
    pub metadata_sha256: Sha256,
    /// `Requires-Dist` of its METADATA, as it stands there.
    pub requires_dist: Vec<String>,
}

/// What recording a build came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Logged {
    /// Recorded now.
    Recorded {
        /// The ABI whose queue got the version next, if any; none while it waits to be tried again.
        opened: Option<AbiTag>,
    },
    /// Recorded before: the same result came twice.
    Duplicate,
    /// Another slave's result came first; the attempt is recorded without files.
    Superseded,
    /// No such job.
    Unknown,
    /// An import, recorded now or before.
    Imported(Box<Imported>),
}

/// What a sweep found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Leases that ran out: build, slave, package and version.
    pub expired: Vec<(BuildId, String, String)>,
    /// ABIs whose queues got something, each named once however many jobs it got: whoever waits for one has to be told,
    /// not one waiter per name.
    pub opened: Vec<AbiTag>,
    /// More is due than one call does.
    pub more: bool,
}

/// A published file that somebody fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Download {
    /// The project that the file's name names.
    pub package: ProjectName,
    /// The rest. The file name is a sound wheel's.
    pub record: import::Download,
}

/// What counting downloads came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DownloadsLogged {
    /// Recorded.
    pub stored: u32,
    /// Of these: of no package on the farm's list. They are in no package's count.
    pub unknown: u32,
    /// Not recorded, because their month is too far from this one.
    pub outside: u32,
}
