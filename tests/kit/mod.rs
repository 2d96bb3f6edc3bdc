//! What the integration tests share.

#![allow(dead_code, reason = "every test crate uses its own part of the kit")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

pub(crate) mod account;
pub(crate) mod cluster;
