//! The pages that people see, in a real browser: written by the index scribe from rows (hostile ones too), served as the
//! recipes for web servers do, below a prefix and with the strict policy, and clicked through with Chromium.
//!
//! Screenshots stay in `PIW_TEST_SCREENSHOTS`, or in `site-screenshots` under the target directory.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on ends")]

#[path = "../kit/account.rs"]
#[allow(dead_code, reason = "every test crate uses its own part of the kit")]
mod account;
#[path = "../kit/wait.rs"]
#[allow(dead_code, reason = "every test crate uses its own part of the kit")]
mod wait;

mod browser;
mod pages;
mod search;
mod server;
mod tree;
