//! Wheels that an administrator brings: whether they may be published, and what became of it. Plain data.

use crate::domain::{AbiTag, BuildId, JobToken, ProjectName, Sha256, Version};
use crate::master::query::FileRecord;

/// Files that are to be imported, before a byte of them has come: `begin_import`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportPlan {
    /// The package.
    pub package: ProjectName,
    /// The version.
    pub version: Version,
    /// The ABI; `None` for the first that the files serve.
    pub abi: Option<AbiTag>,
    /// The latest Python that a file names, major and minor; (0, 0) where none does.
    pub python: (u16, u16),
    /// Some of them are of the stable ABI.
    pub abi3: bool,
    /// Names, and digests by the tool's word.
    pub files: Vec<(String, Sha256)>,
    /// A package or version that the farm does not know is made.
    pub create: bool,
}

/// What the database says of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportVerdict {
    /// They may come.
    Ready {
        /// The number of the build that they are recorded as.
        build: BuildId,
        /// The ABI.
        abi: AbiTag,
        /// The database's own clock: goes with the record.
        begun: i64,
    },
    /// These very files are published already.
    Unchanged {
        /// The ABI that they would be for.
        abi: AbiTag,
        /// The order by which their page is due; none where it is written.
        page: Option<i64>,
    },
    /// The farm does not know the package, or the version, and is not to make it.
    Unknown {
        /// It is the package.
        package: bool,
    },
}

/// An import whose files are all verified and in place: `log_import`.
#[derive(Clone, Debug)]
pub struct ImportRecord {
    /// Its number, and what tells the same record that comes twice from another.
    pub token: JobToken,
    /// As [`ImportVerdict::Ready`] said.
    pub begun: i64,
    /// The package.
    pub package: ProjectName,
    /// Its name as its METADATA spells it.
    pub display: String,
    /// The version.
    pub version: Version,
    /// The ABI.
    pub abi: AbiTag,
    /// Who brought it, for people.
    pub by: String,
    /// Wall-clock time of the build, as the tool says.
    pub duration_ms: u64,
    /// Bytes of its log, before compression.
    pub log_bytes: u64,
    /// The files; one at least.
    pub files: Vec<FileRecord>,
}

/// What recording an import came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// ABIs whose queues have something to hand out now.
    pub opened: Vec<AbiTag>,
    /// Builds that must not go on: the files serve what they are for.
    pub cancelled: Vec<BuildId>,
    /// The order by which the page is due; none where it is written.
    pub page: Option<i64>,
    /// The package was made for it.
    pub new_package: bool,
    /// The version was.
    pub new_version: bool,
}
