//! The farm follows every event of its index: the changelog says what happened, the project's page what is true.

use crate::kit::farm::{Farm, abi_of, python};
use crate::kit::feed::Feed;
use crate::kit::peer::Peer;
use crate::kit::sdist::Recipe;
use crate::kit::wait::until;

fn farm(abi: &str, feed: &Feed) -> Farm {
    Farm::start(&[abi], &["--follow", "all", "--removal-patience", "1s", "--pypi-xmlrpc", &feed.url])
}

/// Uploads a source distribution; the page knows of it at once.
fn release(farm: &Farm, feed: &mut Feed, serial: u64, package: &'static str, version: &'static str) {
    farm.index.offer(&Recipe::native(package, version));
    farm.index.set_serial(package, serial);
    let action = format!("add source file {package}-{version}.tar.gz");
    feed.add(serial, package, Some(version), &action);
}

#[test]
fn what_is_released_is_built_unasked_and_what_is_removed_goes_and_a_fault_loses_nothing() {
    let abi = abi_of(&python());
    let mut feed = Feed::start();
    let farm = farm(&abi, &feed);
    let _slave = farm.start_slave("board");
    feed.add(10, "fresh", None, "create");
    release(&farm, &mut feed, 11, "fresh", "1.0");
    farm.wait_for_state("fresh==1.0", &abi, "built");

    let from = farm.master().log().len();
    feed.fail("HTTPTooManyRequests: The action could not be performed because there were too many requests");
    farm.master().wait_for_line(from, &["the index's changelog", "too many requests"]);
    // the fault ends with the first of these rows
    release(&farm, &mut feed, 12, "fresh", "1.1");
    farm.index.yank("fresh-1.0.tar.gz", "it loses data");
    farm.index.set_serial("fresh", 13);
    feed.add(13, "fresh", Some("1.0"), "yank release");
    farm.wait_for_state("fresh==1.1", &abi, "built");
    until(
        "the reason on the page",
        || farm.logs(),
        || {
            let page = std::fs::read_to_string(farm.path("www/simple/fresh/index.html")).ok()?;
            page.contains("data-yanked=\"it loses data\"").then_some(())
        },
    );
    assert_eq!(farm.crawl(), 2);

    for version in ["1.0", "1.1"] {
        farm.index.withdraw("fresh", &format!("fresh-{version}.tar.gz"));
    }
    feed.add(14, "fresh", None, "remove project");
    let page = farm.path("www/simple/fresh/index.html");
    until("no page", || farm.logs(), || (!page.exists()).then_some(()));
    assert_eq!(farm.crawl(), 0);
    assert_eq!(farm.count("SELECT serial FROM piw.feed"), 14);
    assert_eq!(farm.count("SELECT count(*) FROM piw.build"), 2);
    farm.audit();
}

#[test]
fn a_page_that_is_older_than_the_event_is_not_believed_but_asked_again() {
    let mut feed = Feed::start();
    let farm = farm("cp311", &feed);
    release(&farm, &mut feed, 20, "cached", "1.0");
    // what a cache between has kept
    farm.index.set_serial("cached", 19);
    farm.master().wait_for_line(0, &["cached", "a cache answers with its page of serial 19"]);
    until(
        "wait",
        || farm.logs(),
        || (farm.count("SELECT count(*) FROM piw.delayed WHERE why = 'page'") == 1).then_some(()),
    );
    assert_eq!(farm.count("SELECT count(*) FROM piw.queue"), 0, "nothing of it is handed out");
    farm.index.set_serial("cached", 20);
    // as the minute until then would
    farm.execute("UPDATE piw.package SET read_due = now()");
    let mut slave = Peer::slave(farm.slave_port, "board", None);
    assert_eq!(slave.take_job().1, "cached==1.0");
}

#[test]
fn events_that_were_lost_are_found_by_the_list_of_all_projects() {
    let mut feed = Feed::start();
    let mut farm = farm("cp311", &feed);
    release(&farm, &mut feed, 30, "known", "1.0");
    let mut slave = Peer::slave(farm.slave_port, "board", None);
    assert_eq!(slave.take_job().1, "known==1.0");
    drop(slave);
    farm.kill_master();
    // one that the changelog never tells of; it tells of others, long after
    farm.index.offer(&Recipe::native("known", "1.1"));
    farm.index.set_serial("known", 31);
    feed.add(90, "other", None, "create");
    farm.execute("UPDATE piw.feed SET listed_at = now() - interval '2 days', settled = 90, serial = 90");
    let asked = farm.index.asked("/simple/");
    farm.start_master();
    until("the list", || farm.logs(), || (farm.index.asked("/simple/") > asked).then_some(()));
    farm.wait_for_state("known==1.1", "cp311", "queued");
    assert_eq!(farm.count("SELECT serial FROM piw.feed"), 90);
}
