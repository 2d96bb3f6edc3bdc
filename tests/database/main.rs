//! The database of the farm against a real PostgreSQL: piw-initdb, the rights of the master's role, and what every
//! function of the schema promises.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../kit/mod.rs"]
mod kit;

mod aliases;
mod arguments;
mod audit;
mod claims;
mod coverage;
mod crash;
mod downloads;
mod farm;
mod figures;
mod home;
mod imports;
mod index;
mod initdb;
mod late;
mod leases;
mod pages;
mod policies;
mod project_pages;
mod races;
mod rebuilds;
mod reports;
mod requeue;
mod requirements;
mod retries;
mod rights;
mod takeover;
mod tree;
mod upgrade;
mod versions;
mod why;
