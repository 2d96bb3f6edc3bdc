//! A farm that follows PyPI, builds wheels on many small machines and publishes a static package index.
//!
//! The map of the rooms is in `ARCHITECTURE.md`; the protocol between the programs is in `wire-spec/`.
//! Arrows point down only: `bin -> cli -> monitor -> admin, cli -> master, bin -> slave, all -> domain -> wire`.

#[cfg(feature = "admin")]
pub mod admin;
#[cfg(any(feature = "master", feature = "admin"))]
pub mod cli;
pub mod config;
pub mod domain;
#[cfg(any(feature = "master", feature = "admin"))]
pub mod dsn;
/// Every decoder and parser behind one door, for the fuzzers and for their run among the tests.
#[cfg(all(any(test, fuzzing), feature = "admin"))]
#[path = "../tests/fuzz/targets/mod.rs"]
pub mod fuzz;
pub mod keyfile;
pub mod logging;
#[cfg(feature = "master")]
pub mod master;
#[cfg(feature = "monitor")]
pub mod monitor;
#[cfg(any(feature = "master", feature = "slave"))]
pub mod notify;
#[cfg(any(feature = "master", feature = "admin"))]
pub mod options;
#[cfg(any(feature = "master", feature = "admin"))]
pub mod schema;
#[cfg(any(feature = "master", feature = "admin"))]
pub mod seat;
pub mod seeded;
#[cfg(feature = "slave")]
pub mod slave;
pub mod tcp;
#[cfg(any(feature = "master", feature = "slave"))]
pub mod vitals;
pub mod wire;

/// The version of this software, sent in every HELLO: programs of one farm run the same one (manual 1.2).
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
