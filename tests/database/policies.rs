//! What the operator says against building: packages and versions that are skipped, names that are blocked, policies,
//! retired ABIs. Each is audited when its test ends.

use piwheels::domain::NamePattern;
use piwheels::master::gaze::{Happening, IndexEvent, PageTruth, ProjectStatus, ReleaseTruth};
use piwheels::master::query::{AddedState, Answer, Named, Order, Outcome, Query, Report, Unread, Wanted};
use serde_json::{Value, json};

use crate::farm::{Farm, SETTLED, abi, name, opened, version, wanted};
use crate::requirements::needed;

fn of(package: &str, text: Option<&str>, tag: Option<&str>) -> Named {
    Named { package: name(package), version: text.map(version), abi: tag.map(abi) }
}

fn skip(what: Named) -> Order {
    Order::Skip { what, reason: "too big".to_owned() }
}

fn block(pattern: &str) -> Order {
    Order::Block { pattern: NamePattern::parse(pattern).unwrap(), reason: "not ours".to_owned() }
}

fn unblock(pattern: &str) -> Order {
    Order::Unblock(NamePattern::parse(pattern).unwrap())
}

fn policy(name: &str, value: Option<&str>) -> Order {
    let value = value.map(str::to_owned);
    Order::SetPolicy { name: name.to_owned(), value, reason: String::new() }
}

fn retire(tag: &str) -> Order {
    Order::RetireAbi { abi: abi(tag), reason: "its board is gone".to_owned() }
}

/// What waits: package, version and ABI.
fn waiting(farm: &mut Farm) -> Vec<String> {
    farm.texts(
        "SELECT concat_ws(' ', p.name, v.version, a.tag) FROM piw.queue q JOIN piw.version v USING (ver_id)
         JOIN piw.package p USING (pkg_id) JOIN piw.abi a USING (abi_id) ORDER BY p.name, v.sort_key, a.rank",
    )
}

fn why_not(farm: &mut Farm, package: &str) -> Value {
    farm.why(package, None).unwrap()["versions"][0]["why_not"].take()
}

#[test]
fn nothing_of_a_skipped_package_waits_until_it_is_skipped_no_more() {
    let mut farm = Farm::with_abis(&["cp39"]);
    for (package, text) in [("foo", "1.0"), ("foo", "2.0"), ("bar", "1.0")] {
        farm.add(package, text);
    }
    let (answer, came) = farm.order(skip(of("foo", None, None)));
    assert_eq!(
        answer,
        json!({"package": "foo", "version": null, "abi": null, "reason": "too big", "changed": true,
               "registered": false, "cancelled": 0, "why_not": null})
    );
    assert!(came.opened.is_empty() && came.cancelled.is_empty() && !came.more && !came.walks);
    assert_eq!(waiting(&mut farm), ["bar 1.0 cp39"]);
    assert_eq!(why_not(&mut farm, "foo"), "the package is skipped: too big");
    assert_eq!(farm.order(skip(of("foo", None, None))).0["changed"], false);
    let other = Order::Skip { what: of("foo", None, None), reason: "broken".to_owned() };
    assert_eq!(farm.order(other).0["changed"], true, "another reason is a change");
    assert_eq!(why_not(&mut farm, "foo"), "the package is skipped: broken");

    let (answer, came) = farm.order(Order::Unskip(of("foo", None, None)));
    assert_eq!((&answer["changed"], &answer["why_not"]), (&json!(true), &json!(null)));
    assert_eq!(came.opened, [abi("cp39")]);
    assert_eq!(waiting(&mut farm), ["bar 1.0 cp39", "foo 1.0 cp39", "foo 2.0 cp39"]);
    let (answer, came) = farm.order(Order::Unskip(of("foo", None, None)));
    assert_eq!((&answer["changed"], came.opened), (&json!(false), vec![]));
}

#[test]
fn a_package_that_is_not_known_is_skipped_when_it_comes() {
    let mut farm = Farm::with_abis(&["cp39"]);
    let (answer, _) = farm.order(skip(of("foo", None, None)));
    assert_eq!((&answer["changed"], &answer["registered"]), (&json!(true), &json!(true)));
    assert_eq!(farm.why("foo", None).unwrap()["skip"], "too big");
    let added = farm.add("foo", "1.0");
    assert_eq!(added.state, AddedState::Skipped);
    assert_eq!(added.reason.as_deref(), Some("the package is skipped: too big"));
    assert_eq!(farm.order(skip(of("foo", None, None))).0["registered"], false);
    farm.order(Order::Unskip(of("foo", None, None)));
    assert_eq!(waiting(&mut farm), ["foo 1.0 cp39"]);
}

#[test]
fn of_a_skipped_version_the_others_are_built() {
    let mut farm = Farm::with_abis(&["cp39"]);
    for text in ["1.0", "2.0"] {
        farm.add("foo", text);
    }
    let newest = "SELECT v.version::text FROM piw.package p JOIN piw.version v ON v.ver_id = p.newest";
    assert_eq!(farm.texts(newest), ["2.0"]);
    let (answer, _) = farm.order(skip(of("foo", Some("2.0.0"), None)));
    assert_eq!((&answer["version"], &answer["changed"]), (&json!("2.0"), &json!(true)));
    assert_eq!(waiting(&mut farm), ["foo 1.0 cp39"]);
    assert_eq!(farm.texts(newest), ["1.0"], "what is skipped is no newest version");
    assert_eq!(why_not(&mut farm, "foo"), "skipped: too big");
    assert!(
        farm.refusal(&Query::Order(Box::new(skip(of("foo", Some("3.0"), None))))).contains("'piw why foo'")
    );
    assert!(
        farm.refusal(&Query::Order(Box::new(skip(of("new", Some("1.0"), None)))))
            .contains("new is not known")
    );
    // the two are taken back each by itself
    farm.order(skip(of("foo", None, None)));
    let (answer, _) = farm.order(Order::Unskip(of("foo", Some("2.0"), None)));
    assert_eq!(answer["why_not"], "the package is skipped: too big");
    assert!(waiting(&mut farm).is_empty());
    farm.order(Order::Unskip(of("foo", None, None)));
    assert_eq!(waiting(&mut farm), ["foo 1.0 cp39", "foo 2.0 cp39"]);
}

#[test]
fn a_package_that_is_skipped_for_an_abi_waits_for_the_next() {
    let mut farm = Farm::with_abis(&["cp39", "cp311"]);
    farm.add("foo", "1.0");
    let (answer, came) = farm.order(skip(of("foo", None, Some("cp39"))));
    assert_eq!((&answer["abi"], &answer["changed"]), (&json!("cp39"), &json!(true)));
    assert_eq!(came.opened, [abi("cp311")]);
    assert_eq!(waiting(&mut farm), ["foo 1.0 cp311"]);
    let why = farm.why("foo", None).unwrap();
    assert_eq!(why["versions"][0]["builds"][0]["reason"], "the package is skipped for this ABI: too big");
    assert_eq!(farm.order(skip(of("foo", None, Some("cp39")))).0["changed"], false);
    let job = farm.job("cp311");
    assert_eq!(farm.built(&job, &[("cp311", "cp311")]), SETTLED);
    let (_, came) = farm.order(Order::Unskip(of("foo", None, Some("cp39"))));
    assert_eq!(came.opened, [abi("cp39")]);
    assert_eq!(waiting(&mut farm), ["foo 1.0 cp39"]);
    assert_eq!(farm.order(Order::Unskip(of("foo", None, Some("cp39")))).0["changed"], false);
}

#[test]
fn what_is_being_built_of_a_skipped_package_is_named_and_its_end_settles_nothing() {
    let mut farm = Farm::with_abis(&["cp39", "cp311"]);
    farm.add("foo", "1.0");
    farm.add("foo", "2.0");
    farm.add("bar", "1.0");
    let jobs = [farm.job("cp39"), farm.job("cp39"), farm.job("cp39")];
    farm.built(&jobs[1], &[("cp39", "cp39")]);
    for _ in 0..2 {
        // an answer that was lost is asked for again, and the builds still go on
        let (answer, came) = farm.order(skip(of("foo", None, None)));
        assert_eq!((came.cancelled, &answer["cancelled"]), (vec![jobs[0].token.build], &json!(1)));
    }
    assert_eq!(farm.log(&jobs[0], Outcome::Cancelled, Vec::new()), SETTLED);
    assert!(waiting(&mut farm).is_empty());
    assert_eq!(farm.number("SELECT count(*) FROM piw.file", &[]), 1, "what is published stays");
    let build = farm.why("foo", Some("1.0")).unwrap()["versions"][0]["builds"][0].take();
    assert_eq!((&build["state"], &build["outcome"]), (&json!("failed"), &json!("cancelled")));
    farm.order(Order::Unskip(of("foo", None, None)));
    assert_eq!(waiting(&mut farm), ["foo 1.0 cp39", "foo 2.0 cp311"], "as if it had not been attempted");
}

#[test]
fn a_build_for_a_skipped_abi_or_of_a_skipped_version_is_the_only_one_to_stop() {
    let mut farm = Farm::with_abis(&["cp39"]);
    for text in ["1.0", "2.0"] {
        farm.add("foo", text);
    }
    let jobs = [farm.job("cp39"), farm.job("cp39")];
    let (_, came) = farm.order(skip(of("foo", Some("1.0"), None)));
    assert_eq!(came.cancelled, [jobs[0].token.build]);
    let (_, came) = farm.order(skip(of("foo", None, Some("cp39"))));
    assert_eq!(came.cancelled.len(), 2);
    assert_eq!(farm.log(&jobs[1], Outcome::Cancelled, Vec::new()), SETTLED);
    farm.order(Order::Unskip(of("foo", None, Some("cp39"))));
    assert_eq!(waiting(&mut farm), ["foo 2.0 cp39"]);
    assert_eq!(farm.log(&jobs[0], Outcome::Cancelled, Vec::new()), SETTLED);
}

#[test]
fn a_build_that_the_administrator_cancels_is_final_as_before() {
    let mut farm = Farm::with_abis(&["cp39", "cp311"]);
    farm.add("foo", "1.0");
    let job = farm.job("cp39");
    assert_eq!(farm.log(&job, Outcome::Cancelled, Vec::new()), opened("cp311"));
}

#[test]
fn blocked_names_are_patterns_and_hold_for_packages_to_come() {
    let mut farm = Farm::with_abis(&["cp39"]);
    for package in ["odoo-addon-a", "odoo-core", "odooxaddon-b", "other"] {
        farm.add(package, "1.0");
    }
    let (answer, came) = farm.order(block("Odoo_Addon*"));
    assert_eq!(
        answer,
        json!({"pattern": "odoo-addon*", "reason": "not ours", "changed": true, "packages": 1, "walk": false,
               "cancelled": 0})
    );
    assert!(came.walks);
    assert_eq!(waiting(&mut farm), ["odoo-core 1.0 cp39", "odooxaddon-b 1.0 cp39", "other 1.0 cp39"]);
    let added = farm.add("odoo-addon-new", "1.0");
    assert_eq!(added.state, AddedState::Skipped);
    assert_eq!(added.reason.as_deref(), Some("the name is blocked: not ours"));
    assert_eq!(farm.order(block("odoo-addon*")).0["changed"], false);
    farm.order(block("*-core"));
    farm.order(block("other"));
    assert_eq!(waiting(&mut farm), ["odooxaddon-b 1.0 cp39"]);
    let report = farm.report(Report::Policies);
    let patterns: Vec<_> =
        report["blocks"].as_array().unwrap().iter().map(|b| b["pattern"].as_str().unwrap()).collect();
    assert_eq!(patterns, ["*-core", "odoo-addon*", "other"]);
    assert!(report["blocks"][0]["set_at"].as_i64().unwrap() > 1_700_000_000);

    let (answer, came) = farm.order(unblock("odoo.addon*"));
    assert_eq!((&answer["changed"], &answer["reason"]), (&json!(true), &json!(null)));
    assert_eq!(came.opened, [abi("cp39")]);
    assert_eq!(farm.order(unblock("odoo-addon*")).0["changed"], false);
    farm.order(unblock("other"));
    assert_eq!(waiting(&mut farm).len(), 4);
}

#[test]
fn many_versions_are_blocked_in_a_walk_but_what_is_being_built_at_once() {
    let mut farm = Farm::with_abis(&["cp39", "cp311"]);
    let all: Vec<Wanted> = (0..1001).map(|n| wanted("foo", &format!("1.{n}"))).collect();
    farm.add_all(all);
    let job = farm.job("cp39");
    let (answer, came) = farm.order(block("fo*"));
    assert_eq!((&answer["walk"], &answer["cancelled"]), (&json!(true), &json!(1)));
    assert_eq!(came.cancelled, [job.token.build]);
    assert_eq!(farm.log(&job, Outcome::Cancelled, Vec::new()), SETTLED, "it does not go on to the next ABI");
    assert_eq!(waiting(&mut farm).len(), 1000);
    assert_eq!(farm.report(Report::Abis)["walk"]["at"], 0);
    assert_eq!(farm.order(block("fo*")).0["walk"], false, "the same again begins no other walk");
    while let Answer::Walked { more: true, .. } = farm.ask(&Query::Walk { limit: 600 }) {}
    assert!(waiting(&mut farm).is_empty());
    assert_eq!(farm.report(Report::Abis)["walk"], json!(null));
    farm.order(unblock("fo*"));
    while let Answer::Walked { more: true, .. } = farm.ask(&Query::Walk { limit: 600 }) {}
    assert_eq!(waiting(&mut farm).len(), 1001);
}

#[test]
fn what_is_skipped_is_listed_with_its_reason_until_it_is_skipped_no_more() {
    let mut farm = Farm::with_abis(&["cp39"]);
    for text in ["1.9", "1.10"] {
        farm.add("foo", text);
    }
    assert_eq!(farm.report(Report::Policies)["skips"], json!([]));
    let skipped = [
        of("foo", Some("1.10"), None),
        of("foo", Some("1.9"), None),
        of("foo", None, Some("cp39")),
        of("bar", None, None),
    ];
    for what in &skipped {
        farm.order(skip(what.clone()));
    }
    let report = farm.report(Report::Policies);
    let row = |package: &str, version: Option<&str>, abi: Option<&str>| json!({"package": package, "version": version, "abi": abi, "reason": "too big"});
    assert_eq!(
        report["skips"],
        json!([
            row("bar", None, None),
            row("foo", None, Some("cp39")),
            row("foo", Some("1.9"), None),
            row("foo", Some("1.10"), None)
        ])
    );
    assert_eq!(report["skips_count"], 4);
    for what in skipped {
        farm.order(Order::Unskip(what));
    }
    assert_eq!(farm.report(Report::Policies)["skips_count"], 0);
}

#[test]
fn the_1001st_pattern_is_refused() {
    let mut farm = Farm::with_abis(&[]);
    farm.execute(
        "INSERT INTO piw.block SELECT 'x' || n, 'test', now() FROM generate_series(1, 1000) AS g(n)",
    );
    assert!(farm.refusal(&Query::Order(Box::new(block("one-more")))).contains("1,000 patterns"));
    assert_eq!(farm.order(block("x7")).0["changed"], true, "one that is there gets another reason");
}

#[test]
fn policies_are_listed_with_what_holds_and_what_would() {
    let mut farm = Farm::with_abis(&[]);
    let listed = |farm: &mut Farm| -> Vec<(String, String, bool)> {
        let report = farm.report(Report::Policies);
        let policies = report["policies"].as_array().unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        policies.iter().map(|p| (text(&p["name"]), text(&p["value"]), p["set_at"].is_null())).collect()
    };
    let row = |name: &str, value: &str, unset| (name.to_owned(), value.to_owned(), unset);
    let fallback = [
        row("aliases", "", true),
        row("cooldown", "0", true),
        row("prereleases", "last", true),
        row("wheels", "pure", true),
    ];
    assert_eq!(listed(&mut farm), fallback);
    let (answer, came) = farm.order(policy("wheels", Some("none")));
    assert_eq!(
        answer,
        json!({"policy": "wheels", "value": "none", "default": false, "reason": "", "changed": true, "walk": true})
    );
    assert!(came.walks && !came.more);
    assert_eq!(listed(&mut farm)[3], row("wheels", "none", false));
    let (answer, _) = farm.order(policy("wheels", Some("none")));
    assert_eq!((&answer["changed"], &answer["walk"]), (&json!(false), &json!(false)));
    let (answer, _) = farm.order(policy("wheels", None));
    assert_eq!(
        (&answer["changed"], &answer["walk"], &answer["default"]),
        (&json!(true), &json!(true), &json!(true))
    );
    assert_eq!(farm.order(policy("wheels", None)).0["changed"], false);
    // said, it is no default, though it is the same
    let (answer, _) = farm.order(policy("wheels", Some("pure")));
    assert_eq!(
        (&answer["changed"], &answer["walk"], &answer["default"]),
        (&json!(true), &json!(false), &json!(false))
    );
    farm.order(policy("wheels", None));
    farm.walk();
    assert_eq!(listed(&mut farm), fallback);
    // what the functions go by is what is listed
    let setting = farm.texts("SELECT concat_ws(' ', wheels, prereleases, cooldown) FROM piw.setting");
    assert_eq!(setting, ["pure last 0"]);
}

#[test]
fn the_indexs_own_wheels_settle_versions_as_the_policy_says() {
    let mut farm = Farm::with_abis(&[]);
    let platforms = vec!["linux_x86_64".to_owned()];
    farm.ask(&Query::AddAbi { abi: abi("cp39"), rank: 1, platforms });
    farm.walk();
    let pure = Wanted { pure: Some("pure-1.0-py3-none-any.whl".to_owned()), ..wanted("pure", "1.0") };
    let tags = vec!["cp39-cp39-manylinux_2_17_x86_64".to_owned()];
    farm.add_all(vec![pure, Wanted { tags, ..wanted("bound", "1.0") }, wanted("plain", "1.0")]);
    assert_eq!(waiting(&mut farm), ["bound 1.0 cp39", "plain 1.0 cp39"]);
    for (value, wait) in [
        (Some("any"), &["plain 1.0 cp39"][..]),
        (Some("none"), &["bound 1.0 cp39", "plain 1.0 cp39", "pure 1.0 cp39"]),
        (None, &["bound 1.0 cp39", "plain 1.0 cp39"]),
    ] {
        farm.order(policy("wheels", value));
        farm.walk();
        assert_eq!(waiting(&mut farm), wait, "{value:?}");
    }
}

#[test]
fn pre_releases_that_nobody_asked_for_are_skipped_where_the_policy_says_so() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.add("foo", "1.0");
    learn(&mut farm, "foo", &[("1.0", 0), ("2.0rc1", 0)]);
    learn(&mut farm, "only", &[("1.0a1", 0)]);
    assert_eq!(waiting(&mut farm).len(), 3);
    farm.order(policy("prereleases", Some("skip")));
    farm.walk();
    assert_eq!(
        waiting(&mut farm),
        ["foo 1.0 cp39", "only 1.0a1 cp39"],
        "where there is nothing else, it counts"
    );
    assert_eq!(farm.add("foo", "2.0rc1").state, AddedState::Queued);
    farm.order(policy("prereleases", None));
    farm.walk();
    assert_eq!(waiting(&mut farm).len(), 3);
}

/// A page is read on which there are these versions, uploaded so many seconds ago (0: long ago).
fn learn(farm: &mut Farm, package: &str, releases: &[(&str, i64)]) {
    let now = farm.number("SELECT extract(epoch FROM clock_timestamp())::bigint", &[]);
    let releases = releases.iter().map(|(text, age)| ReleaseTruth {
        version: version(text),
        released: Some(if *age == 0 { 1_700_000_000 } else { now - age }),
        sdist: true,
        yanked: None,
        pythons: None,
        pure: None,
        tags: Vec::new(),
        wanted: true,
    });
    let truth = PageTruth {
        display: package.to_owned(),
        status: ProjectStatus::Active,
        status_reason: None,
        serial: None,
        etag: None,
        releases: releases.collect(),
    };
    let query = Query::LearnPage { package: name(package), truth: Box::new(truth), next_secs: None };
    assert!(matches!(farm.ask(&query), Answer::Learned(_)));
}

#[test]
fn a_shorter_cooldown_counts_for_what_waits_already() {
    let mut farm = Farm::with_abis(&["cp39"]);
    let (answer, _) = farm.order(policy("cooldown", Some("172800")));
    assert_eq!((&answer["value"], &answer["walk"]), (&json!("172800"), &json!(false)));
    learn(&mut farm, "foo", &[("1.0", 0), ("2.0", 3600)]);
    assert_eq!(waiting(&mut farm), ["foo 1.0 cp39"]);
    let build = farm.why("foo", Some("2.0")).unwrap()["versions"][0]["builds"][0].take();
    assert_eq!((&build["state"], &build["reason"]), (&json!("delayed"), &json!("cooldown")));
    let due = |farm: &mut Farm| {
        farm.number("SELECT extract(epoch FROM due - clock_timestamp())::bigint FROM piw.delayed", &[])
    };
    assert!((169_000..169_300).contains(&due(&mut farm)));
    assert_eq!(farm.report(Report::Feed)["cooldown"], 1);
    farm.order(policy("cooldown", Some("7200")));
    assert!((3500..3700).contains(&due(&mut farm)));
    farm.order(policy("cooldown", Some("86400")));
    assert!((3500..3700).contains(&due(&mut farm)), "a longer one is met when that time has come");
    farm.order(policy("cooldown", None));
    assert!(due(&mut farm) < 0);
    farm.sweep();
    learn(&mut farm, "foo", &[("1.0", 0), ("2.0", 3600)]);
    assert_eq!(waiting(&mut farm), ["foo 1.0 cp39", "foo 2.0 cp39"]);
}

#[test]
fn a_cooldown_moves_what_waits_in_pieces() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.order(policy("cooldown", Some("172800")));
    let young: Vec<String> = (0..1500).map(|n| format!("1.{n}")).collect();
    let young: Vec<(&str, i64)> = young.iter().map(|text| (text.as_str(), 60)).collect();
    for package in ["a", "b", "c", "d"] {
        learn(&mut farm, package, &young);
    }
    let waits = "SELECT count(*) FROM piw.delayed WHERE due > clock_timestamp()";
    assert_eq!(farm.number(waits, &[]), 6000);
    let (answer, came) = farm.order(policy("cooldown", Some("0")));
    assert_eq!((&answer["changed"], came.more, farm.number(waits, &[])), (&json!(true), true, 1000));
    let (answer, came) = farm.order(policy("cooldown", Some("0")));
    assert_eq!((&answer["changed"], came.more, farm.number(waits, &[])), (&json!(false), false, 0));
}

#[test]
fn what_waits_for_a_retired_abi_goes_on_to_the_next_and_comes_back_with_it() {
    let mut farm = Farm::with_abis(&["cp39", "cp311"]);
    for text in ["1.0", "2.0", "3.0"] {
        farm.add("foo", text);
    }
    let building = farm.job("cp39");
    let delayed = farm.job("cp39");
    farm.log(&delayed, Outcome::Network, Vec::new());
    let (answer, came) = farm.order(retire("cp39"));
    assert_eq!(answer, json!({"abi": "cp39", "reason": "its board is gone", "changed": true}));
    assert!(came.walks && came.cancelled.is_empty(), "what is being built is finished");
    assert_eq!(farm.order(retire("cp39")).0["changed"], false);
    assert_eq!(farm.claim("cp39"), None, "nothing more is handed out for it");
    let report = farm.report(Report::Abis);
    assert_eq!(
        report,
        json!({"abis": [
            {"abi": "cp39", "rank": 6018, "skip": "its board is gone", "platforms": []},
            {"abi": "cp311", "rank": 6022, "skip": null, "platforms": []},
        ], "walk": {"at": 0, "of": 3}})
    );
    assert_eq!(farm.walk(), [abi("cp311")]);
    assert_eq!(farm.report(Report::Abis)["walk"], json!(null));
    assert_eq!(waiting(&mut farm), ["foo 2.0 cp311", "foo 3.0 cp311"]);
    assert_eq!(farm.built(&building, &[("cp39", "cp39")]), opened("cp311"));

    farm.add_abi("cp39");
    while let Some(job) = farm.claim("cp311") {
        farm.failed(&job);
    }
    assert_eq!(waiting(&mut farm), ["foo 2.0 cp39", "foo 3.0 cp39"], "what was not attempted for it is");
}

#[test]
fn the_feed_is_reported_in_numbers_and_with_what_was_refused() {
    let mut farm = Farm::with_abis(&["cp39"]);
    let report = farm.report(Report::Feed);
    assert_eq!(
        report,
        json!({"serial": 0, "settled": 0, "heard_at": null, "lag_secs": null, "listed_at": null, "pages_due": 0,
               "pages_later": 0, "unchecked": 0, "unreadable": 0, "cooldown": 0, "wishes": 0,
               "requirements": {"waiting": 0, "refused": 0, "reasons": []}})
    );
    let event = |serial, package: &str| IndexEvent {
        serial,
        at: 1_700_000_000,
        package: name(package),
        display: package.to_owned(),
        what: Happening::Sdist(version("1.0")),
    };
    farm.ask(&Query::FeedApply { serial: 9, settled: 5, events: vec![event(8, "foo"), event(9, "bar")] });
    let news = Unread::Failed { retry_secs: 60 };
    farm.ask(&Query::PageUnread { package: name("foo"), news, next_secs: None });
    let requirements = vec![needed("numpy", ">=9", &[]), needed("six", "", &[])];
    farm.ask(&Query::DepsFound { order: None, of: "foo 1.0".to_owned(), requirements });
    farm.execute("UPDATE piw.requirement SET refused = 'no such version' WHERE name = 'numpy'");
    farm.add_all(vec![Wanted { specifiers: Some(">=1".to_owned()), ..wanted("baz", "1.0") }]);
    let report = farm.report(Report::Feed);
    assert_eq!((&report["serial"], &report["settled"]), (&json!(9), &json!(5)));
    assert!(
        report["heard_at"].as_i64().unwrap() > 1_700_000_000 && report["lag_secs"].as_i64().unwrap() < 60
    );
    let numbers =
        ["pages_due", "pages_later", "unchecked", "unreadable", "wishes"].map(|key| report[key].clone());
    assert_eq!(numbers, [1, 1, 1, 1, 1].map(|n| json!(n)), "{report}");
    assert_eq!(
        report["requirements"],
        json!({"waiting": 1, "refused": 1, "reasons": [
            {"name": "numpy", "specifiers": ">=9", "of": "foo 1.0", "reason": "no such version"},
        ]})
    );
}
