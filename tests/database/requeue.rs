//! Failed attempts that are taken as never made.

use piwheels::master::query::{Named, Order, Ordered, Outcome, Requeue};
use serde_json::{Value, json};

use crate::farm::{Farm, SETTLED, abi, name, version, wanted};

fn of(package: &str) -> Requeue {
    Requeue { package: Some(name(package)), ..Requeue::default() }
}

impl Farm {
    /// Gives the order piece by piece, as Mr Chase does; the numbers added up.
    fn requeue(&mut self, mut what: Requeue) -> (Value, Vec<Ordered>) {
        let mut pieces = Vec::new();
        let (mut answer, mut came) = self.order(Order::Requeue(what.clone()));
        loop {
            let more = came.more;
            pieces.push(came);
            if !more {
                return (answer, pieces);
            }
            what.after = i32::try_from(answer["next"].as_i64().unwrap()).unwrap();
            let next;
            (next, came) = self.order(Order::Requeue(what.clone()));
            for key in ["versions", "attempts", "queued", "not_queued"] {
                answer[key] = json!(answer[key].as_i64().unwrap() + next[key].as_i64().unwrap());
            }
            answer["next"] = next["next"].clone();
        }
    }

    fn fail(&mut self, tag: &str, outcome: Outcome) {
        let job = self.job(tag);
        self.log(&job, outcome, Vec::new());
    }

    fn state(&mut self, package: &str, tag: &str) -> (String, i64) {
        let why = self.why(package, None).unwrap();
        let builds = why["versions"][0]["builds"].as_array().unwrap().clone();
        let build = builds.into_iter().find(|build| build["abi"] == tag).unwrap();
        (build["state"].as_str().unwrap().to_owned(), build["attempt"].as_i64().unwrap_or(0))
    }
}

fn counts(answer: &Value) -> [i64; 4] {
    ["versions", "attempts", "queued", "not_queued"].map(|key| answer[key].as_i64().unwrap())
}

#[test]
fn a_failed_version_is_queued_again_and_twice_changes_nothing() {
    let mut farm = Farm::with_abis(&["cp39", "cp311"]);
    farm.add("foo", "1.0");
    farm.fail("cp39", Outcome::Failed);
    farm.fail("cp311", Outcome::BadWheel);
    let (answer, pieces) = farm.requeue(of("foo"));
    assert_eq!(
        answer,
        json!({"changed": true, "versions": 1, "attempts": 2, "queued": 1, "not_queued": 0, "reasons": [],
               "built": 0, "building": 0, "next": null})
    );
    assert_eq!((pieces.len(), pieces[0].opened.clone()), (1, vec![abi("cp39")]));
    assert_eq!(farm.state("foo", "cp39"), ("queued".to_owned(), 1));
    assert_eq!(farm.state("foo", "cp311").0, "waiting");
    let (answer, pieces) = farm.requeue(of("foo"));
    assert_eq!((counts(&answer), &answer["changed"]), ([0; 4], &json!(false)));
    assert!(pieces[0].opened.is_empty());
    // the attempts are still there to be read
    assert_eq!(farm.number("SELECT count(*) FROM piw.build WHERE void", &[]), 2);
    let job = farm.job("cp39");
    assert_eq!(farm.built(&job, &[("py3", "none")]), SETTLED);
}

#[test]
fn only_what_fits_the_order_is_taken_back() {
    let mut farm = Farm::with_abis(&["cp39", "cp311"]);
    for (package, text) in [("foo", "1.0"), ("foo", "2.0"), ("bar", "1.0")] {
        farm.add(package, text);
        farm.fail("cp39", if text == "2.0" { Outcome::NoSdist } else { Outcome::Failed });
        farm.fail("cp311", Outcome::Failed);
    }
    let one = |what: Requeue, farm: &mut Farm| counts(&farm.requeue(what).0);
    let bad_abi = Requeue { abi: Some(abi("cp39")), outcome: Some(Outcome::Timeout), ..Requeue::default() };
    assert_eq!(one(bad_abi, &mut farm), [0; 4]);
    let no_sdist = Requeue { outcome: Some(Outcome::NoSdist), ..Requeue::default() };
    assert_eq!(one(no_sdist, &mut farm), [1, 1, 1, 0]);
    let version = Requeue { version: Some(version("1")), abi: Some(abi("cp311")), ..of("foo") };
    assert_eq!(one(version, &mut farm), [1, 1, 1, 0]);
    assert_eq!(
        farm.texts(
            "SELECT v.version || ' ' || a.tag FROM piw.queue JOIN piw.version v USING (ver_id)
                    JOIN piw.abi a USING (abi_id) ORDER BY 1"
        ),
        ["1.0 cp311", "2.0 cp39"]
    );
    let all = Requeue { abi: Some(abi("cp311")), ..Requeue::default() };
    assert_eq!(one(all, &mut farm), [2, 2, 2, 0], "of foo 2.0 and bar 1.0");
}

#[test]
fn what_a_wheel_serves_and_what_a_slave_has_is_left_alone() {
    let mut farm = Farm::with_abis(&["cp39", "cp311"]);
    farm.add("pure", "1.0");
    farm.fail("cp39", Outcome::Failed);
    let job = farm.job("cp311");
    farm.built(&job, &[("py3", "none")]);
    farm.add("abi3", "1.0");
    let job = farm.job("cp39");
    farm.built(&job, &[("cp39", "abi3")]);
    farm.add("late", "1.0");
    farm.fail("cp39", Outcome::Network);
    farm.wait_back_off();
    let job = farm.job("cp39");
    farm.built(&job, &[("cp39", "cp39")]);
    let job = farm.job("cp311");
    for package in ["pure", "abi3", "late"] {
        let (answer, _) = farm.requeue(of(package));
        assert_eq!((counts(&answer), &answer["built"]), ([0; 4], &json!(1)), "{package}");
        assert_eq!(answer["building"], i64::from(package == "late"));
    }
    let everything = Requeue { abi: Some(abi("cp39")), ..Requeue::default() };
    assert_eq!(counts(&farm.requeue(everything).0), [0; 4]);
    farm.built(&job, &[("cp311", "cp311")]);
    assert_eq!(farm.number("SELECT count(*) FROM piw.build WHERE void", &[]), 0);
}

#[test]
fn what_waits_for_another_attempt_comes_at_once_and_counts_from_one() {
    let mut farm = Farm::with_abis(&["cp39"]);
    for package in ["network", "lost", "second"] {
        farm.add(package, "1.0");
    }
    farm.fail("cp39", Outcome::Network);
    for _ in 0..2 {
        let job = farm.job("cp39");
        farm.lose(&job);
    }
    assert_eq!(farm.state("network", "cp39"), ("delayed".to_owned(), 2));
    assert_eq!(farm.state("lost", "cp39"), ("delayed".to_owned(), 3));
    farm.fail("cp39", Outcome::Timeout);
    farm.wait_back_off();
    for package in ["network", "lost", "second"] {
        assert!(farm.state(package, "cp39").1 > 1);
    }
    let (answer, _) = farm.requeue(of("network"));
    assert_eq!(counts(&answer), [1, 1, 1, 0]);
    assert_eq!(farm.state("network", "cp39"), ("queued".to_owned(), 1));
    farm.fail("cp39", Outcome::Network);
    let network = Requeue { outcome: Some(Outcome::Network), ..Requeue::default() };
    assert_eq!(counts(&farm.requeue(network).0), [1, 1, 1, 0]);
    assert_eq!(farm.state("network", "cp39"), ("queued".to_owned(), 1), "and its back-off with it");
    let job = farm.job("cp39");
    farm.log(&job, Outcome::Failed, Vec::new());
    let job = farm.job("cp39");
    farm.lose(&job);
    let everything = Requeue { abi: Some(abi("cp39")), ..Requeue::default() };
    assert_eq!(counts(&farm.requeue(everything).0)[2], 3);
    for package in ["network", "lost", "second"] {
        assert_eq!(farm.state(package, "cp39"), ("queued".to_owned(), 1), "{package}");
    }
}

#[test]
fn what_something_speaks_against_is_named_with_the_reason() {
    let mut farm = Farm::with_abis(&["cp39", "cp311"]);
    for package in ["skipped", "off", "free"] {
        farm.add(package, "1.0");
        farm.fail("cp39", Outcome::Failed);
        farm.fail("cp311", Outcome::Failed);
    }
    let skip = |package: &str, tag: Option<&str>| Order::Skip {
        what: Named { package: name(package), version: None, abi: tag.map(abi) },
        reason: "big".to_owned(),
    };
    farm.order(skip("skipped", None));
    farm.order(skip("off", Some("cp39")));
    let (answer, _) = farm.requeue(Requeue { abi: Some(abi("cp39")), ..Requeue::default() });
    assert_eq!(counts(&answer), [3, 3, 1, 2]);
    assert_eq!(
        answer["reasons"],
        json!([{"package": "skipped", "version": "1.0", "reason": "the package is skipped: big"},
               {"package": "off", "version": "1.0", "reason": "the package is skipped for this ABI: big"}])
    );
    farm.order(Order::Unskip(Named { package: name("skipped"), version: None, abi: None }));
    assert_eq!(farm.state("skipped", "cp39"), ("queued".to_owned(), 1), "when nothing does any more");
}

#[test]
fn a_build_that_the_administrator_cancelled_can_be_requeued() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.add("foo", "1.0");
    farm.fail("cp39", Outcome::Cancelled);
    let cancelled = Requeue { outcome: Some(Outcome::Cancelled), ..of("foo") };
    assert_eq!(counts(&farm.requeue(cancelled).0), [1, 1, 1, 0]);
}

#[test]
fn hundreds_are_requeued_in_pieces() {
    let mut farm = Farm::with_abis(&["cp39"]);
    let all: Vec<_> = (0..1100).map(|n| wanted("foo", &format!("1.{n}"))).collect();
    farm.add_all(all);
    // as if every one of them had failed
    farm.execute(
        "INSERT INTO piw.build (build_id, ver_id, abi_id, attempt, slave, outcome, secret, built_at, duration_ms, log_bytes)
         SELECT nextval('piw.build_id_seq'), ver_id, abi_id, 1, 'pi', 'failed',
             decode(lpad(to_hex(ver_id), 32, '0'), 'hex'), now(), 1, 0 FROM piw.queue;
         DELETE FROM piw.queue; UPDATE piw.vstate SET done = piw._done(ver_id)",
    );
    assert!(farm.mend() > 0, "the counters");
    let (answer, pieces) = farm.requeue(Requeue { outcome: Some(Outcome::Failed), ..Requeue::default() });
    assert_eq!((counts(&answer), pieces.len()), ([1100, 1100, 1100, 0], 3));
    farm.execute("UPDATE piw.build SET void = false");
    farm.execute("UPDATE piw.vstate SET done = piw._done(ver_id); DELETE FROM piw.queue");
    let (answer, pieces) = farm.requeue(of("foo"));
    assert_eq!((counts(&answer), pieces.len()), ([1100, 1100, 1100, 0], 3));
}
