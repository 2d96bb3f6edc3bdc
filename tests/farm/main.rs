//! The whole farm, end to end: real PostgreSQL, real sockets, real processes, real pip.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on ends")]

#[path = "../kit/mod.rs"]
mod kit;

mod add;
mod aliases;
mod audit;
mod auth;
mod board;
mod chain;
mod changelog;
mod control;
mod crashes;
mod dependencies;
mod following;
mod hostile;
mod import;
mod logger;
mod metrics;
mod moving;
mod notify;
mod orders;
mod pages;
mod quickstart;
mod rebuilds;
mod refusals;
mod remove;
mod reports;
mod rotation;
mod rounds;
mod seat;
mod site;
mod status;
mod stopping;
mod units;
