//! The master.

pub mod oracle;
pub mod query;
