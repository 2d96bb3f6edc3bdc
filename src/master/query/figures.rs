//! What is asked of the database for metrics: numbers of the whole farm.

use super::Statistics;
use crate::domain::AbiTag;

/// The answer to [`Query::Figures`](super::Query::Figures).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// The farm in numbers.
    pub statistics: Statistics,
    /// Its queues.
    pub queue: Vec<QueueSize>,
}

/// Jobs that wait for a slave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueSize {
    /// Of this ABI.
    pub abi: AbiTag,
    /// And this class, an index into [`JOB_CLASSES`].
    pub class: u8,
    /// How many; at most 10,000 are counted.
    pub jobs: u64,
}

/// The classes of jobs, those that are handed out first before the others (`sql/views/judgement.sql`).
pub const JOB_CLASSES: [&str; 5] = ["asked", "new", "newest", "older", "prerelease"];
