//! The master.

pub mod query;
