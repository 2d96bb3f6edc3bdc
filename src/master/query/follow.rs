//! Answers about what the index has: pages that are due, what a look at one changed, how far the farm has followed; and the
//! farm in numbers. Plain data.

use crate::domain::requirement::Extra;
use crate::domain::{AbiTag, BuildId, ProjectName, WheelName};
use crate::master::gaze::Wish;

/// A page to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DuePage {
    /// Whose.
    pub package: ProjectName,
    /// As it was when it was last read; `None` where something is known to have happened since.
    pub etag: Option<String>,
    /// What it must be as new as.
    pub serial: u64,
    /// What people asked for.
    pub wishes: Vec<Wish>,
}

/// Why a look at a page brought nothing new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// It is as it was.
    Unchanged {
        /// What was known of the project when its page was looked at ([`DuePage::serial`]): of what came since, nothing is said.
        serial: u64,
    },
    /// The index has none.
    Missing {
        /// Missing for longer than this, the project counts as removed.
        patience_secs: u32,
    },
    /// It could not be read, or is older than what is known.
    Failed {
        /// Not before so many seconds.
        retry_secs: u32,
    },
}

/// What news of the index changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Learned {
    /// ABIs whose queues have something to hand out now.
    pub opened: Vec<AbiTag>,
    /// Builds that must not go on.
    pub cancelled: Vec<BuildId>,
    /// Versions that were not known before.
    pub registered: u32,
}

/// How far the index was followed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeedState {
    /// Every event up to here is in the tables.
    pub serial: u64,
    /// The changelog is asked for what comes after this.
    pub settled: u64,
    /// When the changelog last answered: seconds since 1970.
    pub heard_at: Option<i64>,
    /// When the list of all projects was last compared to its end.
    pub listed_at: Option<i64>,
    /// That list's ETag.
    pub list_etag: Option<String>,
}

/// An order to work requirements out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DepsOrder {
    /// The version's number in the database.
    pub version: i32,
    /// Which order of that version: one that was made meanwhile has another number.
    pub turn: i64,
}

/// A version whose requirements are to be worked out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DepsDue {
    /// Which order it is; `None` for a version that only the index has.
    pub order: Option<DepsOrder>,
    /// The package.
    pub package: ProjectName,
    /// Package and version, for people.
    pub of: String,
    /// Those of its extras whose requirements are wanted too.
    pub extras: Vec<Extra>,
    /// Its files: tags (`python-abi-platform`) and Requires-Dist.
    pub files: Vec<(String, Vec<String>)>,
    /// The index's wheel of it, for everybody, whose METADATA says what it requires: only where the farm has no file.
    pub wheel: Option<WheelName>,
}

/// A requirement to be looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequirementDue {
    /// Its number in the database.
    pub requirement: i64,
    /// Of what.
    pub package: ProjectName,
    /// PEP 440.
    pub specifiers: String,
    /// Extras whose requirements are wanted too.
    pub extras: Vec<Extra>,
    /// Whose requirement it is, for people.
    pub of: String,
}

/// What became of looking a requirement up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequirementEnd {
    /// What it means is on the list.
    Met,
    /// It cannot be met, for this reason.
    Refused(String),
    /// The index did not answer.
    Again,
}

/// The farm in numbers (manual 8.13).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Packages that are known.
    pub packages_count: u64,
    /// Packages that have files to show.
    pub packages_built: u64,
    /// Versions that are known.
    pub versions_count: u64,
    /// Versions that were attempted at least once.
    pub versions_tried: u64,
    /// Attempts.
    pub builds_count: u64,
    /// Attempts that made wheels.
    pub builds_success: u64,
    /// Attempts that were recorded in the last 60 minutes.
    pub builds_last_hour: u64,
    /// Milliseconds spent building.
    pub builds_time: u64,
    /// Bytes of the files that are published.
    pub builds_size: u64,
    /// Files that are published.
    pub files_count: u64,
    /// Downloads of the last 30 days.
    pub downloads_last_month: u64,
    /// Jobs that wait for a slave; at most 100,000 are counted, as of the next two.
    pub queued: u64,
    /// Jobs that wait for a look at the project's page.
    pub unchecked: u64,
    /// Jobs that wait for a moment.
    pub delayed: u64,
    /// Jobs that slaves have.
    pub leased: u64,
    /// Pages that are to be written; at most 100,000 are counted.
    pub pages_due: u64,
    /// Seconds for which that one waits that waits longest; those ordered in bulk are not counted.
    pub pages_waiting: u64,
}

/// What an audit found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audited {
    /// Disagreements, for people; at most [`AUDIT_LINES`].
    pub problems: Vec<String>,
    /// How many there are.
    pub found: u64,
    /// How many things were mended.
    pub mended: u64,
}

/// Disagreements that an audit names.
pub const AUDIT_LINES: usize = 1000;
