//! The whole farm, end to end: real PostgreSQL, real sockets, real processes, real pip.

#[path = "../kit/mod.rs"]
mod kit;

mod add;
mod chain;
mod crashes;
mod hostile;
mod refusals;
mod stopping;
