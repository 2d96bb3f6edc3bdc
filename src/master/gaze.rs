//! What the cloud gazer may be asked to read of the index, and what it has seen: plain data between the pure room that
//! decides what to read ([`super::follower`]) and the thread that speaks HTTP ([`super::cloud_gazer`]).
//!
//! One request is one look at the index. Requests are carried out one after the other: at most one is in flight.

use crate::domain::{ProjectName, Version, WheelName};

/// One look at the index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GazeRequest {
    /// What happened after a serial: XML-RPC `changelog_since_serial`, which answers at most 50,000 rows.
    Changelog {
        /// Events with larger serials are wanted.
        since: u64,
    },
    /// A project's page (PEP 691).
    Page(PageWish),
    /// The list of all projects (PEP 691), from its beginning; the answer is its first piece.
    ListBegin {
        /// The list is not wanted while it still has this ETag.
        etag: Option<String>,
    },
    /// The next piece of that list.
    ListMore,
    /// What a wheel of the index requires.
    Wheel(WheelName),
}

/// A project's page that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageWish {
    /// Whose.
    pub package: ProjectName,
    /// The page is not wanted while it still has this ETag.
    pub etag: Option<String>,
    /// An older page than this serial's is not believed; 0 believes any.
    pub serial: u64,
    /// Which releases that the farm does not know are to be registered.
    pub wanted: WantedReleases,
}

/// Which releases of a page are wanted although the farm does not know them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WantedReleases {
    /// All of them: the farm follows everything.
    All,
    /// Those that one of these wishes means; none where there is no wish.
    Listed(Vec<Wish>),
}

/// Something that somebody asked for and that new releases may fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// PEP 440 specifiers; empty for any version.
    pub specifiers: String,
    /// Seconds since 1970: releases that were uploaded later are meant.
    pub since: i64,
}

/// What a look came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GazeAnswer {
    /// To [`GazeRequest::Changelog`].
    Changelog(Result<Changelog, GazeFailure>),
    /// To [`GazeRequest::Page`].
    Page(ProjectName, PageNews),
    /// To [`GazeRequest::ListBegin`] and [`GazeRequest::ListMore`].
    List(Result<ListPiece, GazeFailure>),
    /// To [`GazeRequest::Wheel`].
    Wheel(WheelName, Result<WheelNews, GazeFailure>),
}

/// What became of a wheel's METADATA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WheelNews {
    /// Its `Requires-Dist`, bounded as in [`crate::domain::core_metadata::CoreMetadata`].
    Read(Vec<String>),
    /// The index does not say what it requires; why, for people.
    Unknown(String),
}

/// Why there is no answer. It may come another time; nothing is given up for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GazeFailure {
    /// For people.
    pub reason: String,
    /// The index asked to be left alone for so many seconds (429, 503 with Retry-After, an XML-RPC fault that says so).
    pub retry_after_secs: Option<u32>,
    /// The whole index is at fault (no connection, time-out, 5xx, 429), not this page alone: nothing else is worth asking
    /// for a while.
    pub everywhere: bool,
}

/// Rows of the changelog.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changelog {
    /// Events that matter to the farm, ordered by serial, without repetitions.
    pub events: Vec<IndexEvent>,
    /// The largest serial of all rows, those that do not matter too; `None` when there was no row.
    pub last: Option<u64>,
    /// How many rows there were, of any kind: 50,000 mean that more follow.
    pub rows: usize,
    /// Rows that could not be read (odd names or versions, times before 1970): counted, logged, passed over.
    pub odd: usize,
    /// The largest serial up to which nothing is expected to come late any more, at least `since`: that of the last row
    /// before the first that is not five minutes older than the newest time seen (nor an hour older than the index's own
    /// clock). Of an answer of 50,000 rows at least half is settled, so that asking on from here always gets on.
    pub settled: u64,
}

/// Something that happened on the index and matters to the farm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexEvent {
    /// Its number: larger is later, mostly.
    pub serial: u64,
    /// When: seconds since 1970.
    pub at: i64,
    /// Canonical.
    pub package: ProjectName,
    /// As the index spells it.
    pub display: String,
    /// What.
    pub what: Happening,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// A source distribution was uploaded.
    Sdist(Version),
    /// A file of a release was removed: what is left stands on the page.
    FileRemoved(Version),
    /// A release was removed.
    ReleaseRemoved(Version),
    /// A release was yanked (PEP 592); why stands on the page.
    Yanked(Version),
    /// It was un-yanked.
    Unyanked(Version),
    /// A wheel for every platform was uploaded; its name.
    PureWheel(Version, String),
    /// The project was removed.
    ProjectRemoved,
    /// Something that changes nothing here; it is known only that the project was touched. One for each project of an
    /// answer is enough, with the largest serial.
    Other,
}

/// What became of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageNews {
    /// It still has its ETag.
    Unchanged,
    /// It was read.
    Seen(Box<PageTruth>),
    /// The index has no such project (404).
    Missing,
    /// A cache answered with a page older than the serial that was named: asked again later, not believed.
    Stale {
        /// The serial of that page.
        serial: u64,
    },
    /// It was not read.
    Failed(GazeFailure),
}

/// A project's page: the truth about its releases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageTruth {
    /// Its name as its author spells it.
    pub display: String,
    /// PEP 792: `active`, `archived`, `deprecated` or `quarantined`; what is unknown counts as active.
    pub status: ProjectStatus,
    /// The reason beside it, for people.
    pub status_reason: Option<String>,
    /// Its serial, where the index names one (`_last-serial`, `X-PyPI-Last-Serial`).
    pub serial: Option<u64>,
    /// Its ETag.
    pub etag: Option<String>,
    /// Its releases, oldest first; at most [`RELEASES`].
    pub releases: Vec<ReleaseTruth>,
}

/// PEP 792.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProjectStatus {
    /// As usual.
    #[default]
    Active,
    /// No further releases are expected.
    Archived,
    /// Another project took its place.
    Deprecated,
    /// Considered unsafe: offered to nobody.
    Quarantined,
}

/// One release on a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseTruth {
    /// Which.
    pub version: Version,
    /// When its first file was uploaded: seconds since 1970.
    pub released: Option<i64>,
    /// Whether it has a source distribution.
    pub sdist: bool,
    /// PEP 592, when all of its source distributions are yanked (all files, where there is none): the reason, which may
    /// be empty.
    pub yanked: Option<String>,
    /// The Python versions that may install it: bit n is Python 3.n, n to 62; `None` where it says nothing or what
    /// nobody can read.
    pub pythons: Option<u64>,
    /// The name of a wheel that serves every Python 3 and platform (`py3-none-any`), if it has one that is not yanked.
    pub pure: Option<String>,
    /// Distinct tags of its other wheels, `python-abi-platform` as in their names; at most [`TAGS`].
    pub tags: Vec<String>,
    /// It is one of [`PageWish::wanted`] and has a source distribution.
    pub wanted: bool,
}

/// A piece of the list of all projects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListPiece {
    /// The list still has its ETag.
    Unchanged,
    /// Projects, in the order of the list; at most [`LIST_PIECE`].
    Projects(Vec<ListedProject>),
    /// There are no more.
    End {
        /// The list's ETag.
        etag: Option<String>,
        /// Its serial.
        serial: Option<u64>,
        /// Projects whose names could not be read.
        odd: usize,
    },
}

/// A project on that list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedProject {
    /// Canonical.
    pub package: ProjectName,
    /// As its author spells it.
    pub display: String,
    /// Its newest event; 0 where the list does not say.
    pub serial: u64,
}

/// The largest serial that is believed: the database's numbers have 63 bits.
pub const LARGEST_SERIAL: u64 = i64::MAX as u64;
/// Rows of one call of the changelog.
pub const CHANGELOG_ROWS: usize = 50_000;
/// Releases of one page; the newest are kept.
pub const RELEASES: usize = 10_000;
/// Tags of one release.
pub const TAGS: usize = 100;
/// Projects in one piece of the list.
pub const LIST_PIECE: usize = 2000;
