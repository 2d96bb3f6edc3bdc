//! The published tree as clients see it: real web servers with the recipes of `tools/web/`, and real pip, uv and Poetry.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../kit/mod.rs"]
mod kit;

mod clients;
mod downloads;
mod http;
mod poetry;
mod recipes;
mod server;
mod site;
