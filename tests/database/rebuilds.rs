//! What is built again: the build tag that its wheels get, and what becomes of the files that are there.

use piwheels::master::query::{Adoption, FileRecord, Logged, Order, Outcome, Query, Requeue};
use serde_json::{Value, json};

use crate::farm::{Farm, LEASE_SECS, SETTLED, abi, name, opened, secret, version, wheel};

impl Farm {
    /// Has what was built of foo built again; the answer.
    fn again(&mut self, tag: Option<&str>) -> Value {
        let what = Requeue {
            package: Some(name("foo")),
            version: Some(version("1.0")),
            abi: tag.map(abi),
            outcome: Some(Outcome::Built),
            ..Requeue::default()
        };
        self.order(Order::Requeue(what)).0
    }

    /// The names on foo's page.
    fn names(&mut self) -> Vec<String> {
        self.texts("SELECT filename FROM piw.file ORDER BY filename COLLATE \"C\"")
    }

    /// Builds the next job of an ABI, and says which build tag it had.
    fn build(&mut self, tag: &str, tags: (&str, &str)) -> u64 {
        let job = self.job(tag);
        assert!(matches!(self.built(&job, &[tags]), Logged::Recorded { .. }));
        job.build_tag
    }

    /// Publishes foo 1.0 under a name of its backend's choice.
    fn published_as(filename: &str, tags: (&str, &str)) -> Self {
        let mut farm = Self::with_abis(&["cp39"]);
        farm.add("foo", "1.0");
        let job = farm.job("cp39");
        let file = FileRecord { filename: filename.to_owned(), ..wheel(&job, tags.0, tags.1) };
        farm.log(&job, Outcome::Built, vec![file]);
        farm
    }
}

#[test]
fn each_rebuild_has_a_build_tag_above_all_names_of_the_version_and_the_old_files_stay() {
    let mut farm = Farm::with_abis(&["cp39", "cp311"]);
    for text in ["1.0", "2.0"] {
        farm.add("foo", text);
        assert_eq!(farm.build("cp39", ("cp39", "cp39")), 0);
        assert_eq!(farm.build("cp311", ("cp311", "cp311")), 0, "another ABI's names are not in its way");
    }
    let answer = farm.again(None);
    assert_eq!(
        answer,
        json!({"changed": true, "versions": 1, "attempts": 2, "queued": 1, "not_queued": 0, "reasons": [],
               "built": 0, "building": 0, "next": null})
    );
    assert_eq!(farm.names().len(), 4, "nothing is taken away");
    assert_eq!(farm.build("cp39", ("cp39", "cp39")), 1);
    assert_eq!(farm.build("cp311", ("cp311", "cp311")), 2);
    farm.again(Some("cp39"));
    assert_eq!(farm.build("cp39", ("cp39", "cp39")), 3);
    assert_eq!(farm.claim("cp311"), None, "its own was not asked for");
    let mut of_1 = farm.names();
    of_1.retain(|file| file.starts_with("foo-1.0-"));
    assert_eq!(
        of_1,
        [
            "foo-1.0-1-cp39-cp39-linux_armv7l.whl",
            "foo-1.0-2-cp311-cp311-linux_armv7l.whl",
            "foo-1.0-3-cp39-cp39-linux_armv7l.whl",
            "foo-1.0-cp311-cp311-linux_armv7l.whl",
            "foo-1.0-cp39-cp39-linux_armv7l.whl",
        ]
    );
    // who made which
    let why = farm.why("foo", Some("1.0")).unwrap();
    let files = why["versions"][0]["builds"][0]["files"].as_array().unwrap().clone();
    let mut makers: Vec<_> = files.iter().map(|file| file["build_id"].as_i64().unwrap()).collect();
    makers.dedup();
    assert_eq!((files.len(), makers.len()), (3, 3), "{files:?}");
}

#[test]
fn what_serves_every_abi_is_built_again_for_the_lowest_and_serves_them_again() {
    for (tags, done) in [(("py3", "none"), "settled"), (("cp39", "abi3"), "settled")] {
        let mut farm = Farm::with_abis(&["cp39", "cp311"]);
        farm.add("foo", "1.0");
        farm.build("cp39", tags);
        assert_eq!(farm.again(Some("cp311"))["versions"], 0, "nothing was built for it");
        assert_eq!(farm.again(None)["queued"], 1);
        let job = farm.job("cp39");
        assert_eq!(job.build_tag, 1);
        assert_eq!(farm.built(&job, &[tags]), SETTLED);
        let why = farm.why("foo", None).unwrap();
        assert_eq!(why["versions"][0]["builds"][1]["state"], done);
        assert_eq!(farm.names().len(), 2);
    }
}

/// A rebuild that fails takes nothing away, and what was built before does not hide that it failed.
#[test]
fn a_rebuild_that_fails_leaves_the_published_files_and_says_so() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.add("foo", "1.0");
    farm.build("cp39", ("py3", "none"));
    farm.again(None);
    let job = farm.job("cp39");
    assert_eq!(farm.failed(&job), SETTLED);
    assert_eq!(farm.names(), ["foo-1.0-py3-none-any.whl"]);
    assert_eq!(farm.why("foo", None).unwrap()["versions"][0]["builds"][0]["state"], "failed");
    assert_eq!(farm.again(None)["versions"], 0, "there is nothing of it that counts as built");
}

#[test]
fn names_that_were_withdrawn_are_counted_too() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.add("foo", "1.0");
    farm.build("cp39", ("cp39", "cp39"));
    farm.again(None);
    assert_eq!(farm.build("cp39", ("cp39", "cp39")), 1);
    farm.execute(
        "SELECT piw._withdraw(ver_id, 'bad'), piw._judge(ver_id) FROM piw.version; SELECT piw._show(1)",
    );
    assert!(farm.names().is_empty());
    assert_eq!(farm.build("cp39", ("cp39", "cp39")), 2, "no name comes back with other bytes");
}

#[test]
fn a_build_tag_of_the_backends_own_is_counted_by_its_number() {
    for (filename, next) in [
        ("foo-1.0-7a-cp39-cp39-linux_armv7l.whl", 8),
        ("foo-1.0-007-cp39-cp39-linux_armv7l.whl", 8),
        ("foo-1.0-0-cp39-cp39-linux_armv7l.whl", 1),
        ("foo-1.0-20261128120000-cp39-cp39-linux_armv7l.whl", 20_261_128_120_001),
        // of the original's, whose names nobody checked
        ("foo-1.0-99999999999999999999999999-cp39-cp39-linux_armv7l.whl", 999_999_999_999_999_999),
    ] {
        let mut farm = Farm::published_as(filename, ("cp39", "cp39"));
        farm.again(None);
        assert_eq!(farm.job("cp39").build_tag, next, "{filename}");
    }
}

#[test]
fn only_names_that_a_wheel_of_the_abi_may_get_ask_for_a_build_tag() {
    for (filename, tags, other, asked) in [
        ("foo-1.0-cp311-abi3-linux_armv7l.whl", ("cp311", "abi3"), "cp310", 0),
        ("foo-1.0-cp39-abi3-linux_armv7l.whl", ("cp39", "abi3"), "cp310", 1),
        ("foo-1.0-cp39-abi3-linux_armv7l.whl", ("cp39", "abi3"), "cp313t", 0),
        ("foo-1.0-py2.py3-none-any.whl", ("py2.py3", "none"), "cp313t", 1),
        ("foo-1.0-cp39-cp39-linux_armv6l.whl", ("cp39", "cp39"), "cp310", 0),
        ("foo-1.0-cp39-cp39-linux_armv6l.whl", ("cp39", "cp39"), "cp39", 1),
    ] {
        let mut farm = Farm::published_as(filename, tags);
        farm.add_abi(other);
        let sql = "SELECT piw._build_tag(v.ver_id, a.abi_id) FROM piw.version v, piw.abi a WHERE a.tag = $1";
        assert_eq!(farm.number(sql, &[&other]), asked, "{filename} and {other}");
    }
}

#[test]
fn a_lease_keeps_its_build_tag_whoever_asks_for_it_again() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.add("foo", "1.0");
    farm.build("cp39", ("cp39", "cp39"));
    farm.again(None);
    let own = secret();
    let job = farm.claim_with("cp39", own).unwrap();
    assert_eq!(job.build_tag, 1);
    assert_eq!(farm.claim_with("cp39", own), Some(job.clone()), "the answer was lost");
    assert_eq!(farm.adopt(job.token), Adoption::Live(job.clone()), "the master is a new one");
    farm.expire(&job);
    farm.sweep();
    assert_eq!(farm.adopt(job.token), Adoption::Live(job.clone()), "nobody else has it");
    farm.release(job.token);
    let next = farm.job("cp39");
    assert_eq!((next.build_tag, farm.built(&next, &[("cp39", "cp39")])), (1, SETTLED));
}

/// Its slave was away so long that the version was built without it, and is now to be built anew.
#[test]
fn a_late_result_whose_names_are_taken_does_not_stand_for_the_rebuild() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.add("foo", "1.0");
    let late = farm.job("cp39");
    farm.lose(&late);
    farm.wait_back_off();
    farm.build("cp39", ("cp39", "cp39"));
    farm.again(None);
    assert_eq!(farm.adopt(late.token), Adoption::Late(late.clone()));
    assert_eq!(farm.built(&late, &[("cp39", "cp39")]), Logged::Superseded);
    assert_eq!(farm.build("cp39", ("cp39", "cp39")), 1);
}

/// Two slaves with the same build tag: the first result has it, and the other's is not wanted.
#[test]
fn of_two_rebuilds_under_way_the_first_is_published() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.add("foo", "1.0");
    farm.build("cp39", ("cp39", "cp39"));
    farm.again(None);
    let away = farm.job("cp39");
    farm.lose(&away);
    farm.wait_back_off();
    let second = farm.job("cp39");
    assert_eq!((away.build_tag, second.build_tag), (1, 1));
    assert_eq!(farm.built(&away, &[("cp39", "cp39")]), SETTLED);
    assert_eq!(farm.built(&second, &[("cp39", "cp39")]), Logged::Superseded);
    assert_eq!(farm.names().len(), 2);
}

/// As a backend makes them that gives its wheels no times, on a slave that somebody else wrote.
#[test]
fn the_same_bytes_under_a_published_name_are_the_rebuilds_own_from_then_on() {
    let mut farm = Farm::with_abis(&["cp39", "cp311"]);
    farm.add("foo", "1.0");
    let first = farm.job("cp39");
    let file = wheel(&first, "py3", "none");
    farm.log(&first, Outcome::Built, vec![file.clone()]);
    farm.again(None);
    let job = farm.job("cp39");
    assert_eq!(farm.log(&job, Outcome::Built, vec![file]), SETTLED);
    assert_eq!(farm.number("SELECT build_id FROM piw.file", &[]), job.token.build.0);
}

#[test]
fn a_rebuild_is_asked_for_by_name_and_not_of_what_is_being_built() {
    let mut farm = Farm::with_abis(&["cp39", "cp311"]);
    farm.add("foo", "1.0");
    farm.build("cp39", ("cp39", "cp39"));
    let building = farm.job("cp311");
    let all = Requeue { outcome: Some(Outcome::Built), ..Requeue::default() };
    let refusal = farm.refusal(&Query::Order(Box::new(Order::Requeue(all))));
    assert!(refusal.contains("package by package"), "{refusal}");
    let answer = farm.again(None);
    assert_eq!((&answer["versions"], &answer["building"]), (&json!(1), &json!(1)));
    assert_eq!(farm.claim("cp39"), None, "one slave at a time has a version");
    assert_eq!(farm.built(&building, &[("cp311", "cp311")]), opened("cp39"));
    let query = Query::Claim {
        abi: abi("cp39"),
        slave: "pi-2".to_owned(),
        secret: secret(),
        lease_secs: LEASE_SECS,
        class: 0,
    };
    let piwheels::master::query::Answer::Claimed(Some(job)) = farm.ask(&query) else {
        panic!("it is queued")
    };
    assert_eq!(job.build_tag, 1);
    farm.built(&job, &[("cp39", "cp39")]);
    // failed attempts alone are what the order means without the outcome
    let plain = Requeue { package: Some(name("foo")), ..Requeue::default() };
    let (answer, _) = farm.order(Order::Requeue(plain));
    assert_eq!((&answer["versions"], &answer["built"]), (&json!(0), &json!(1)));
}
