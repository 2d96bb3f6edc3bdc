//! The farm as a whole under a fake clock: what every event leads to, in order (`wire-spec/slave.md`, `file.md`).

mod abis;
mod board;
mod chaos;
mod control;
mod database;
mod delivery;
mod disk;
mod figures;
mod imports;
mod losses;
mod manners;
mod reports;
mod showcase;
mod stopping;
mod sweeping;
mod watching;
mod work;
mod world;

/// Two wheels of the job that every build here has.
const PURE: &str = "foo-1.0-py3-none-any.whl";
const BOUND: &str = "foo-1.0-cp311-cp311-linux_armv7l.whl";
