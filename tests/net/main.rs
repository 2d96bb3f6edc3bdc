//! The farm over networks as they are: far away, losing packets, cut, with addresses that change. Delay, loss and cuts are
//! those of a proxy of the tests' own, which needs no rights and no kernel module; the change of address is real, between
//! this machine and a network namespace.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "the kit is shared, and not all of it is needed here")]

#[path = "../kit/mod.rs"]
mod kit;

mod link;
mod proxy;

use std::time::{Duration, Instant};

use kit::farm::{Farm, Running, abi_of, python};
use kit::sdist::Recipe;
use kit::wait::until;
use link::Link;
use proxy::{Proxy, Quality};

const BYTES: usize = 24 << 20;

/// What must be true in the end, whatever happened on the way.
fn published_once(farm: &Farm, package: &str, abi: &str) {
    farm.wait_for_state(package, abi, "built");
    assert_eq!(farm.count("SELECT count(*) FROM piw.build"), 1, "built once\n{}", farm.logs());
    assert_eq!(farm.crawl(), 1);
    farm.audit();
}

/// A farm with one package of a large wheel, its slave behind a bad link.
fn far_away(package: &'static str, abi: &str, quality: Quality) -> (Farm, Proxy, Running) {
    let farm = Farm::start(&[abi], &[]);
    let proxy = Proxy::start(farm.slave_port, farm.file_port, quality);
    farm.index.offer(&Recipe::native(package, "1.0").with_bytes(BYTES));
    farm.piw(&["add", package]);
    let (slave_port, file_port) = (proxy.slave_port.to_string(), proxy.file_port.to_string());
    let ports = ["--slave-port", slave_port.as_str(), "--file-port", file_port.as_str()];
    let slave = farm.start_slave_with("far-away", &python(), &ports);
    (farm, proxy, slave)
}

#[test]
fn a_slave_80_ms_away_fills_its_link() {
    let abi = abi_of(&python());
    let rate = 4 << 20;
    let quality = Quality { delay: Duration::from_millis(40), rate, lost_per_mille: 0 };
    let (farm, proxy, _slave) = far_away("far", &abi, quality);
    until("beginning of the transfer", || farm.logs(), || (proxy.sent() > 1 << 20).then_some(()));
    let begun = Instant::now();
    until("end of the transfer", || farm.logs(), || (proxy.sent() as usize > BYTES).then_some(()));
    // at 24 MB over 4 MiB/s a window of four chunks of the first size would take three times as long
    let best = (BYTES - (1 << 20)) as f64 / rate as f64;
    let took = begun.elapsed().as_secs_f64();
    assert!(took < 2.0 * best, "{took:.1} s, and the link could have carried it in {best:.1} s");
    published_once(&farm, "far", &abi);
}

#[test]
fn a_slave_80_ms_away_that_loses_one_packet_in_a_hundred_delivers() {
    let abi = abi_of(&python());
    let quality = Quality { delay: Duration::from_millis(40), rate: 100 << 20, lost_per_mille: 10 };
    let farm = Farm::start(&[&abi], &[]);
    let proxy = Proxy::start(farm.slave_port, farm.file_port, quality);
    farm.index.offer(&Recipe::native("lossy", "1.0").with_bytes(2 << 20));
    farm.piw(&["add", "lossy"]);
    let (slave_port, file_port) = (proxy.slave_port.to_string(), proxy.file_port.to_string());
    let ports = ["--slave-port", slave_port.as_str(), "--file-port", file_port.as_str()];
    let _slave = farm.start_slave_with("lossy", &python(), &ports);
    published_once(&farm, "lossy", &abi);
}

#[test]
fn a_link_that_is_cut_in_mid_transfer_brings_only_the_rest_when_it_is_back() {
    let abi = abi_of(&python());
    let quality = Quality { delay: Duration::from_millis(10), rate: 4 << 20, lost_per_mille: 0 };
    let (farm, proxy, slave) = far_away("cut", &abi, quality);
    until("half of the file", || farm.logs(), || (proxy.sent() as usize > BYTES / 2).then_some(()));
    let from = farm.master().log().len();
    proxy.cut();
    // until somebody notices: the master, by the silence
    farm.master().wait_for_line(from, &["silent for"]);
    proxy.mend();
    slave.wait_for_line(0, &["next attempt"]);
    published_once(&farm, "cut", &abi);
    let sent = proxy.sent() as usize;
    assert!(sent < BYTES * 5 / 4, "{sent} bytes went to the master for a file of {BYTES}");
}

#[test]
fn a_slave_whose_address_changes_in_mid_build_comes_back_with_its_build() {
    let Some(mut link) = Link::new("moved") else { return };
    let abi = abi_of(&python());
    let mut farm = Farm::start(&[&abi], &["--insecure"]);
    link.connect(&mut farm);
    let gate = farm.gate("go");
    farm.index.offer(&Recipe::native("moved", "1.0").behind(&gate));
    farm.piw(&["add", "moved"]);
    let slave = link.start_slave(&farm, "moving");
    let before = farm.wait_for_state("moved", &abi, "building");
    link.move_far_end();
    farm.master().wait_for_line(0, &["returns with build"]);
    farm.open(&gate);
    published_once(&farm, "moved", &abi);
    let built = farm.wait_for_state("moved", &abi, "built");
    assert_eq!(built["build_id"], before["build_id"], "it is the same build\n{}", slave.log());
}
