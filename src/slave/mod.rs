//! The build slave (manual chapter 3): takes one job after the other from the master, builds it with pip, delivers it.
//!
//! [`session`] and [`transfer`] are the two channels' state machines, pure; [`backoff`] is the delay both share.
//! [`builder`] runs one build, in the [`sandbox`], and leaves nothing of it behind. [`shell`] is the event loop that joins them to sockets,
//! processes and signals; [`link`] is one connection of it. [`python`] and [`workdir`] are asked once, at start,
//! [`vitals`] for every sign of life; by these [`fitness`] says whether a job is asked for.
//! [`renew`] lets the program begin anew with another configuration.

pub mod alone;
pub mod backoff;
pub mod builder;
pub mod check;
pub mod fitness;
mod json;
pub mod link;
pub mod options;
pub mod python;
pub mod renew;
pub mod sandbox;
pub mod session;
pub mod shell;
pub mod start;
pub mod transfer;
pub mod trees;
pub mod workdir;
