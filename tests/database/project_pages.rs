//! What a project's page shows of its releases: every state with its reason, and which changes order the page.

use std::collections::BTreeSet;

use piwheels::domain::NamePattern;
use piwheels::master::gaze::{Happening, PageTruth, ProjectStatus, ReleaseTruth};
use piwheels::master::query::{Named, Order, Outcome, PageKind, ProjectRows, Query, Requeue, Unread, Wanted};
use serde_json::Value;

use crate::farm::{Farm, abi, name, version, wanted};
use crate::index::{event, release, truth};

fn of(package: &str, text: Option<&str>, tag: Option<&str>) -> Named {
    Named { package: name(package), version: text.map(version), abi: tag.map(abi) }
}

fn skip(what: Named) -> Order {
    Order::Skip { what, reason: "too big".to_owned() }
}

/// The rows of a project's page, as if it had been ordered just now.
fn rows(farm: &mut Farm, package: &str) -> ProjectRows {
    farm.execute(&format!(
        "INSERT INTO piw.rewrite (kind, pkg_id, ordered_at) SELECT 'project', pkg_id, 'epoch' FROM piw.package
         WHERE name = '{package}' ON CONFLICT (kind, pkg_id) DO UPDATE SET ordered_at = 'epoch', bulk = false"
    ));
    farm.rewrites().into_iter().find(|due| due.order.page == PageKind::Project(name(package))).unwrap().rows
}

/// The projects whose pages are due; they are taken as written.
fn ordered(farm: &mut Farm) -> Vec<String> {
    let mut names = Vec::new();
    for due in farm.rewrites() {
        if let PageKind::Project(project) = &due.order.page {
            names.push(project.to_string());
        }
        farm.ask(&Query::RewritesDone(vec![due.order]));
    }
    names.sort();
    names
}

/// Each release and ABI with its state, as the page has them; checked against `why`, which asks for one version at a time.
fn states(farm: &mut Farm, package: &str) -> Vec<String> {
    let rows = rows(farm, package);
    let why = farm.why(package, None).unwrap();
    let versions = why["versions"].as_array().unwrap();
    let mut all = Vec::new();
    for release in &rows.releases {
        let told = versions.iter().find(|told| told["version"] == release.version.as_str()).unwrap();
        assert_eq!(told["why_not"].as_str(), release.why_not.as_deref());
        let builds = told["builds"].as_array().unwrap();
        assert_eq!(builds.len(), release.cells.len(), "{builds:?} {release:?}");
        for (told, cell) in builds.iter().zip(&release.cells) {
            assert_eq!(
                (&told["abi"], &told["state"]),
                (&cell.abi.as_str().into(), &cell.state.as_str().into())
            );
            assert_eq!(told["outcome"].as_str(), cell.outcome.as_deref(), "{told} {cell:?}");
            assert_eq!(told["reason"].as_str(), cell.reason.as_deref(), "{told} {cell:?}");
            if matches!(cell.state.as_str(), "built" | "failed") {
                assert_eq!(told["build_id"].as_i64(), cell.build, "{told} {cell:?}");
            }
            assert_eq!(told["due"] == Value::Null, cell.due.is_none());
            all.push(format!("{} {} {}", release.version, cell.abi, cell.state));
        }
    }
    all
}

#[test]
fn every_state_is_on_the_page_as_why_tells_it() {
    let mut farm = Farm::with_abis(&["cp39", "cp311", "cp313"]);
    let add = |farm: &mut Farm, text: &str| farm.add("foo", text);
    add(&mut farm, "1.0");
    let job = farm.job("cp39");
    farm.built(&job, &[("py3", "none")]);
    add(&mut farm, "1.1");
    let job = farm.job("cp39");
    farm.failed(&job);
    let job = farm.job("cp311");
    farm.built(&job, &[("cp311", "abi3")]);
    add(&mut farm, "1.2");
    let job = farm.job("cp39");
    farm.log(&job, Outcome::Network, Vec::new());
    farm.add_all(vec![Wanted { pythons: Some(1 << 11 | 1 << 13), ..wanted("foo", "1.3") }]);
    farm.job("cp311");
    add(&mut farm, "1.4");
    farm.order(skip(of("foo", Some("1.4"), None)));
    add(&mut farm, "1.5");
    let states = states(&mut farm, "foo");
    assert_eq!(
        states,
        [
            "1.5 cp39 queued",
            "1.5 cp311 waiting",
            "1.5 cp313 waiting",
            "1.3 cp39 off",
            "1.3 cp311 building",
            "1.3 cp313 waiting",
            "1.2 cp39 delayed",
            "1.2 cp311 waiting",
            "1.2 cp313 waiting",
            "1.1 cp39 failed",
            "1.1 cp311 built",
            "1.1 cp313 settled",
            "1.0 cp39 built",
            "1.0 cp311 settled",
            "1.0 cp313 settled",
        ]
    );
    let rows = rows(&mut farm, "foo");
    let skipped = &rows.releases[1];
    assert_eq!(
        (skipped.version.as_str(), skipped.skip.as_deref(), skipped.cells.len()),
        ("1.4", Some("too big"), 0)
    );
    assert_eq!(rows.abis.iter().map(|abi| abi.tag.as_str()).collect::<Vec<_>>(), ["cp39", "cp311", "cp313"]);
    assert_eq!(rows.releases[0].released.as_deref(), Some("2023-11-14 22:13:20"));
    assert_eq!(rows.files[0].abi, "cp311");
    assert!(rows.files.iter().all(|file| file.requires.as_deref() == Some(&[])));
}

#[test]
fn a_retired_abi_is_named_where_something_was_tried_for_it() {
    let mut farm = Farm::with_abis(&["cp39", "cp311"]);
    farm.add("foo", "1.0");
    farm.add("foo", "2.0");
    let job = farm.job("cp39");
    farm.built(&job, &[("cp39", "cp39")]);
    let tried = job.version.to_string();
    assert_eq!(ordered(&mut farm), ["foo"]);
    farm.order(Order::RetireAbi { abi: abi("cp39"), reason: "old".to_owned() });
    farm.walk();
    assert_eq!(ordered(&mut farm), ["foo"], "its column may be gone");
    let rows = rows(&mut farm, "foo");
    assert_eq!(rows.abis[0].retired.as_deref(), Some("old"));
    for release in &rows.releases {
        let cells: Vec<_> = release.cells.iter().map(|cell| cell.abi.as_str()).collect();
        assert_eq!(cells, if release.version == tried { vec!["cp39", "cp311"] } else { vec!["cp311"] });
    }
}

#[test]
fn what_changes_a_state_orders_the_page_and_a_hand_out_does_not() {
    let mut farm = Farm::with_abis(&["cp39", "cp311"]);
    farm.add("foo", "1.0");
    farm.add("bar", "1.0");
    let page = |farm: &mut Farm| ordered(farm);
    assert_eq!(page(&mut farm), ["bar", "foo"], "a project that is new to the farm has its page at once");
    let job = farm.job("cp39");
    let other = farm.job("cp39");
    assert_eq!(page(&mut farm), [""; 0], "handing out must not keep the disk busy");
    farm.release(job.token);
    assert_eq!(page(&mut farm), ["foo"]);
    farm.lose(&other);
    assert_eq!(page(&mut farm), ["bar"]);
    let job = farm.job("cp39");
    farm.log(&job, Outcome::Failed, Vec::new());
    assert_eq!(page(&mut farm), [job.package.as_str()]);
    let requeue =
        Requeue { package: Some(job.package.clone()), version: None, abi: None, outcome: None, after: 0 };
    farm.order(Order::Requeue(requeue));
    assert_eq!(page(&mut farm), [job.package.as_str()]);
    for what in [of("foo", None, None), of("foo", Some("1.0"), None), of("foo", None, Some("cp311"))] {
        for order in [skip(what.clone()), Order::Unskip(what)] {
            farm.order(order.clone());
            assert_eq!(page(&mut farm), ["foo"], "{order:?}");
            farm.order(order.clone());
            assert_eq!(page(&mut farm), [""; 0], "{order:?}, which changes nothing any more");
        }
    }
    let pattern = || NamePattern::parse("b*").unwrap();
    farm.order(Order::Block { pattern: pattern(), reason: "not ours".to_owned() });
    assert_eq!(page(&mut farm), ["bar"]);
    farm.order(Order::Unblock(pattern()));
    assert_eq!(page(&mut farm), ["bar"]);
    // the administrator ends a build that is not wanted any more
    let mut job = farm.job("cp39");
    if job.package.as_str() == "bar" {
        job = farm.job("cp39");
    }
    farm.order(skip(of("foo", None, None)));
    page(&mut farm);
    farm.log(&job, Outcome::Cancelled, Vec::new());
    assert_eq!(page(&mut farm), ["foo"]);
}

#[test]
fn what_the_index_says_orders_the_page_where_it_is_new() {
    let mut farm = Farm::with_abis(&["cp39"]);
    let learn = |farm: &mut Farm, truth: PageTruth| {
        farm.page("foo", truth);
        ordered(farm)
    };
    assert_eq!(learn(&mut farm, truth(vec![release("1.0")])), ["foo"]);
    assert_eq!(learn(&mut farm, truth(vec![release("1.0")])), [""; 0], "nothing new");
    assert_eq!(learn(&mut farm, truth(vec![release("1.0"), release("1.1")])), ["foo"]);
    let yanked = ReleaseTruth { yanked: Some("oops".to_owned()), ..release("1.1") };
    assert_eq!(learn(&mut farm, truth(vec![release("1.0"), yanked.clone()])), ["foo"]);
    let rows_now = rows(&mut farm, "foo");
    assert_eq!(rows_now.releases[0].yanked.as_deref(), Some("oops"));
    assert!(rows_now.releases[0].why_not.as_deref().unwrap().contains("yanked: oops"));
    ordered(&mut farm);
    let archived = PageTruth {
        status: ProjectStatus::Archived,
        status_reason: Some("done".to_owned()),
        ..truth(vec![release("1.0"), yanked.clone()])
    };
    assert_eq!(learn(&mut farm, archived), ["foo"]);
    assert_eq!(rows(&mut farm, "foo").status_reason.as_deref(), Some("done"));
    ordered(&mut farm);
    assert_eq!(learn(&mut farm, truth(vec![release("1.0")])), ["foo"], "a release is gone");
    assert_eq!(rows(&mut farm, "foo").releases.len(), 1);
    ordered(&mut farm);
    farm.unread("foo", Unread::Missing { patience_secs: 3600 });
    assert_eq!(ordered(&mut farm), ["foo"]);
    farm.unread("foo", Unread::Missing { patience_secs: 3600 });
    assert_eq!(ordered(&mut farm), [""; 0], "it is missing still");
    assert_eq!(learn(&mut farm, truth(vec![release("1.0")])), ["foo"], "it is back");
    ordered(&mut farm);
    farm.events(10, vec![event(10, "foo", Happening::Sdist(version("2.0")))]);
    assert_eq!(ordered(&mut farm), ["foo"]);
    let quarantined = PageTruth {
        status: ProjectStatus::Quarantined,
        status_reason: Some("malware".to_owned()),
        ..truth(vec![release("1.0"), release("2.0")])
    };
    assert_eq!(learn(&mut farm, quarantined), ["foo"]);
    let hidden = rows(&mut farm, "foo");
    assert_eq!((hidden.releases.len(), hidden.files.len(), hidden.builds.len()), (2, 0, 0));
    assert!(hidden.releases.iter().all(|release| release.cells.is_empty()));
}

#[test]
fn an_abi_orders_every_page_and_a_policy_those_that_it_changes() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.add("foo", "1.0");
    farm.add_all(vec![Wanted { pure: Some("bar-1.0-py3-none-any.whl".to_owned()), ..wanted("bar", "1.0") }]);
    ordered(&mut farm);
    farm.add_abi("cp311");
    assert_eq!(ordered(&mut farm), ["bar", "foo"]);
    let wheels =
        Order::SetPolicy { name: "wheels".to_owned(), value: Some("none".to_owned()), reason: String::new() };
    farm.order(wheels);
    farm.walk();
    assert_eq!(ordered(&mut farm), ["bar"], "which is built now");
    let many = farm.number("SELECT count(*) FROM piw.rewrite", &[]);
    assert_eq!(many, 0);
}

#[test]
fn however_many_releases_there_are_the_cells_are_those_of_the_newest() {
    let mut farm = Farm::with_abis(&["cp39", "cp310", "cp311", "cp312"]);
    let wanted: Vec<_> = (0..300).map(|n| wanted("foo", &format!("1.{n}"))).collect();
    farm.add_all(wanted);
    let seen = rows(&mut farm, "foo");
    assert_eq!(seen.releases.len(), 300);
    assert!(seen.releases.iter().enumerate().all(|(n, release)| release.near == (n < 100)), "the newest 100");
    assert!(seen.releases.iter().all(|release| release.cells.len() == if release.near { 4 } else { 0 }));
    for n in 0..36 {
        farm.add_abi(&format!("cp4{n}"));
    }
    let seen = rows(&mut farm, "foo");
    assert_eq!(
        seen.releases.iter().map(|release| release.cells.len()).sum::<usize>(),
        25 * 40,
        "1,000 at most"
    );
}

#[test]
fn what_files_need_comes_with_them_as_far_as_there_is_room() {
    let mut farm = Farm::with_abis(&["cp39"]);
    let line = "x".repeat(900);
    for n in 0..5 {
        farm.add("foo", &format!("1.{n}"));
        let job = farm.job("cp39");
        let mut file = crate::farm::wheel(&job, "cp39", "cp39");
        file.requires_dist = vec![line.clone(); 100];
        farm.log(&job, Outcome::Built, vec![file]);
    }
    farm.execute(
        "UPDATE piw.build SET report = '{\"apt\": [\"libfoo1\"], \"pip\": \"24\"}' WHERE build_id = 1",
    );
    let seen = rows(&mut farm, "foo");
    let told: Vec<_> = seen.files.iter().map(|file| file.requires.as_ref().map(Vec::len)).collect();
    assert_eq!(told, [Some(100), Some(100), None, None, None], "the newest, up to 256 KiB");
    let apt: BTreeSet<_> = seen.files.iter().map(|file| file.apt.clone()).collect();
    assert_eq!(apt, BTreeSet::from([None, Some(vec!["libfoo1".to_owned()])]));
}
