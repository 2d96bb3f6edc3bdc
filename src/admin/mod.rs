//! The administrator's tools, one file for each verb; `orders.rs` has those that are one message each.

pub mod abi;
pub mod add;
pub mod audit;
pub mod client;
pub mod feed;
#[cfg(any(test, fuzzing))]
#[path = "../../tests/fuzz/targets/admin.rs"]
pub(crate) mod fuzz;
pub mod import;
pub mod initdb;
pub mod items;
pub mod logger;
pub mod named;
pub mod orders;
pub mod policy;
pub mod rebuild;
pub mod remove;
pub mod requeue;
pub mod requirements;
pub mod skips;
pub mod slaves;
pub mod stats;
pub mod status;
pub mod takeover;
pub mod why;
