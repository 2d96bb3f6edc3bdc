//! The administrator's tools, one file for each verb; `orders.rs` has those that are one message each.

pub mod abi;
pub mod add;
pub mod client;
pub mod initdb;
pub mod logger;
pub mod markers;
pub mod orders;
pub mod requirements;
pub mod slaves;
pub mod takeover;
pub mod why;
