//! The administrator's tools, one file for each verb.

pub mod abi;
pub mod add;
pub mod client;
pub mod initdb;
pub mod markers;
pub mod requirements;
pub mod why;
