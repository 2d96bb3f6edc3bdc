//! The cloud gazer and indexes of every kind: one that does what a test says, Python's own XML-RPC, and the real one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../kit/mod.rs"]
mod kit;

mod changelog;
mod list;
mod look;
mod pages;
mod python;
mod real;
mod server;
mod wheels;

use std::time::Duration;

use piwheels::domain::ProjectName;
use piwheels::master::cloud_gazer::{CloudGazer, GazerLimits, xml_rpc_url};
use piwheels::master::gaze::{GazeFailure, PageWish, WantedReleases};

fn name(text: &str) -> ProjectName {
    ProjectName::parse(text).unwrap()
}

/// A gazer at the index whose pages are there.
fn gazer(simple: &str) -> CloudGazer {
    CloudGazer::new(simple, &xml_rpc_url(simple), None)
}

fn gazer_with(simple: &str, change: impl FnOnce(&mut GazerLimits)) -> CloudGazer {
    let mut limits = GazerLimits::default();
    change(&mut limits);
    CloudGazer::with_limits(simple, &xml_rpc_url(simple), None, limits)
}

/// Too short for anything but an answer that is there.
const SHORT: Duration = Duration::from_millis(300);

fn wish(package: &str) -> PageWish {
    PageWish { package: name(package), etag: None, serial: 0, wanted: WantedReleases::All }
}

/// Asserts what a failure says of itself, and that its reason can be shown to people.
fn assert_failure(failure: &GazeFailure, reason: &str, everywhere: bool, retry_after_secs: Option<u32>) {
    assert!(failure.reason.contains(reason), "{failure:?}");
    assert_eq!((failure.everywhere, failure.retry_after_secs), (everywhere, retry_after_secs), "{failure:?}");
    assert!(failure.reason.len() < 1000 && !failure.reason.chars().any(char::is_control), "{failure:?}");
}
