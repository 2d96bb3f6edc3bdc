//! What the rooms know in numbers, as plain data between them and the text.

use std::collections::BTreeMap;

use super::histogram::Histogram;
use crate::domain::{AbiTag, Millis};
use crate::master::big_brother::BigBrother;
use crate::master::follower::{Follow, LookCounts};
use crate::master::hub::Counts;
use crate::master::pages::PageCounts;
use crate::master::query::{Figures, Outcome};
use crate::master::refusals::Refusals;
use crate::wire::status::Mode;

/// Upper bounds of builds' times in seconds.
pub const BUILD_SECONDS: &[f64] =
    &[1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 10_800.0, 21_600.0];
/// The same of questions to the database and of what the index scribe does.
pub const WORK_SECONDS: &[f64] =
    &[0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// The same of the reactor's turns: powers of two in microseconds, which its counts are made of.
pub const TURN_SECONDS: &[f64] = &[
    0.000_064, 0.000_128, 0.000_256, 0.000_512, 0.001_024, 0.002_048, 0.004_096, 0.008_192, 0.016_384,
    0.032_768, 0.065_536, 0.131_072, 0.262_144, 0.524_288, 1.048_576,
];

/// What the farm counts for this alone, from the start of the master on.
#[derive(Debug)]
pub struct Tally {
    /// Builds of slaves that were recorded.
    pub builds: BTreeMap<(AbiTag, Outcome), u64>,
    /// How long they took.
    pub build_seconds: Histogram,
    /// Files that were published, imported ones too.
    pub files: u64,
    /// Their bytes.
    pub file_bytes: u64,
    /// Bytes of transfers that came to the disk.
    pub transfer_bytes: u64,
    /// How transfers ended, as [`TransferEnd`] orders them.
    pub transfers: [u64; TransferEnd::ALL.len()],
    /// Imports that were published.
    pub imported: u64,
    /// Imports that came to nothing.
    pub imports_refused: u64,
    /// Leases that ran out.
    pub leases_expired: u64,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            builds: BTreeMap::new(),
            build_seconds: Histogram::new(BUILD_SECONDS),
            files: 0,
            file_bytes: 0,
            transfer_bytes: 0,
            transfers: [0; TransferEnd::ALL.len()],
            imported: 0,
            imports_refused: 0,
            leases_expired: 0,
        }
    }
}

/// How the transfer of a file ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferEnd {
    /// A sound wheel.
    Sound,
    /// Other bytes than promised.
    WrongDigest,
    /// No wheel of that version.
    BadWheel,
    /// The disk failed.
    Disk,
    /// Its slave brought nothing for too long.
    Lost,
}

impl TransferEnd {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Sound, Self::WrongDigest, Self::BadWheel, Self::Disk, Self::Lost];

    /// The label.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sound => "sound",
            Self::WrongDigest => "wrong-digest",
            Self::BadWheel => "bad-wheel",
            Self::Disk => "disk",
            Self::Lost => "lost",
        }
    }
}

/// The farm.
#[derive(Debug)]
pub struct FarmFigures<'a> {
    /// The farm's clock.
    pub now: Millis,
    /// When the master started: milliseconds since 1970.
    pub started: Millis,
    /// Whether it works.
    pub mode: Mode,
    /// Its disk, its seat, and what goes on by itself.
    pub brother: &'a BigBrother,
    /// The ABIs that are built for.
    pub abis: Vec<&'a AbiTag>,
    /// Slaves by ABI (empty before they have said it) and by what they are doing.
    pub slaves: BTreeMap<(&'a str, &'static str), u64>,
    /// What the farm counts for monitors, too.
    pub counts: Counts,
    /// And for this alone.
    pub tally: &'a Tally,
    /// Why peers were turned away.
    pub refusals: &'a Refusals,
    /// Transfers, and bytes of them asked for and not on disk.
    pub transfers: (usize, u64),
    /// Orders of removal that were carried out.
    pub removals: u64,
    /// Pages written and failed.
    pub pages: PageCounts,
    /// Pages that could not be written when last tried.
    pub pages_failing: usize,
    /// How the index is followed.
    pub follow: FollowFigures,
    /// What the database said last, and when: the farm's clock.
    pub database: Option<(Millis, &'a Figures)>,
}

/// How the index is followed.
#[derive(Clone, Copy, Debug)]
pub struct FollowFigures {
    /// What is followed.
    pub mode: Follow,
    /// Up to which event, once that is known.
    pub serial: Option<u64>,
    /// When the index last answered: the farm's clock.
    pub answered: Option<Millis>,
    /// When the changelog was last read to its end.
    pub heard: Option<Millis>,
    /// There is trouble that lasts.
    pub trouble: bool,
    /// Looks that failed.
    pub failures: LookCounts,
}

/// What a channel has carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Connections now.
    pub open: u64,
    /// Connections so far.
    pub opened: u64,
    /// Bytes from peers.
    pub received: u64,
    /// Bytes to peers.
    pub sent: u64,
}

/// The reactor and its sockets.
#[derive(Debug)]
pub struct ReactorFigures<'a> {
    /// How long its turns took.
    pub turns: Histogram,
    /// Channels by their names.
    pub traffic: &'a [(&'static str, Traffic)],
    /// Scrapes by the status of their answers.
    pub scrapes: &'a BTreeMap<u16, u64>,
    /// Log lines that were lost.
    pub lines_lost: u64,
}

/// The oracles and what they ask.
#[derive(Debug)]
pub struct DatabaseFigures<'a> {
    /// Connections at most.
    pub size: usize,
    /// Connections with a question under way.
    pub busy: usize,
    /// Questions that wait for one.
    pub waiting: usize,
    /// How long the oldest question under way has been asked.
    pub oldest: std::time::Duration,
    /// How long answers took, with everything that was asked again.
    pub took: &'a Histogram,
    /// Times that the database could not answer, and was asked again.
    pub failures: u64,
    /// The last try was one of these.
    pub away: bool,
}

/// What the index scribe has done: how long its requests took, by the kind of page.
pub type ScribeFigures = [(&'static str, Histogram)];

/// This process, and the disks it writes to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProcessFigures {
    /// Processor time in seconds.
    pub cpu_seconds: f64,
    /// Bytes of memory that are its own.
    pub resident_bytes: u64,
    /// Bytes of addresses.
    pub virtual_bytes: u64,
    /// Files that are open.
    pub open_files: u64,
    /// Files that may be open.
    pub most_files: u64,
    /// What for, size in bytes, and what this account may still write.
    pub disks: Vec<(&'static str, u64, u64)>,
}
