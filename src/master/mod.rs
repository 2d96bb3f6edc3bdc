//! The master: coordinates the slaves, keeps the database and the published tree.
//!
//! [`farm::Farm`] is the sum of the pure state machines; [`reactor`] is the one thread that runs it; the threads
//! beside it do what may block: [`oracle`]s the database, [`writer`] the files, [`index_scribe`] the pages,
//! [`cloud_gazer`] the requests to PyPI.

pub mod architect;
pub mod big_brother;
pub mod cloud_gazer;
pub mod disk;
pub mod event;
pub mod failpoint;
pub mod farm;
pub mod file_juggler;
pub mod follower;
#[cfg(all(any(test, fuzzing), feature = "admin"))]
#[path = "../../tests/fuzz/targets/master.rs"]
pub(crate) mod fuzz;
pub mod gaze;
pub mod hub;
pub mod index_scribe;
pub mod limits;
pub mod metrics;
pub mod mr_chase;
pub mod oracle;
pub mod pages;
pub mod publisher;
pub mod query;
pub mod reactor;
pub mod refusals;
pub mod report;
pub mod seraph;
pub mod slave_driver;
pub mod slave_keys;
pub mod start;
mod survey;
#[cfg(test)]
mod testbed;
pub mod warden;
mod wheel_zip;
pub mod worker;
pub mod writer;
