//! Putting versions on the list.

use piwheels::master::query::{Abi, AddedState, Answer, Query, Wanted};

use crate::farm::{Farm, abi, name, version, wanted};

#[test]
fn the_answer_is_in_the_order_asked_and_says_how_each_stands() {
    let mut farm = Farm::with_abis(&["cp39"]);
    for package in ["built", "failed", "building"] {
        farm.add(package, "1.0");
        let job = farm.job("cp39");
        match package {
            "built" => drop(farm.built(&job, &[("cp39", "cp39")])),
            "failed" => drop(farm.failed(&job)),
            _ => {}
        }
    }
    farm.add("queued", "1.0");
    farm.add("skipped", "0.1");
    farm.execute("UPDATE piw.package SET skip = 'too big' WHERE name = 'skipped'");
    farm.execute("UPDATE piw.vstate SET blocked = true WHERE ver_id = (SELECT max(ver_id) FROM piw.version)");
    farm.execute("DELETE FROM piw.queue WHERE ver_id = (SELECT max(ver_id) FROM piw.version)");
    let asked = [
        ("skipped", "0.1"),
        ("queued", "1.0"),
        ("new", "1"),
        ("failed", "1.0"),
        ("built", "1.0"),
        ("building", "1.0"),
        ("skipped", "2.0"),
    ];
    let added = farm.add_all(asked.map(|(package, text)| wanted(package, text)).to_vec());
    let states: Vec<_> =
        added.iter().map(|a| (a.package.as_str(), a.state, a.queued_for.is_some())).collect();
    assert_eq!(
        states,
        [
            ("skipped", AddedState::Skipped, false),
            ("queued", AddedState::Queued, true),
            ("new", AddedState::New, true),
            ("failed", AddedState::Failed, false),
            ("built", AddedState::Built, false),
            ("building", AddedState::Building, false),
            ("skipped", AddedState::Skipped, false),
        ]
    );
}

#[test]
fn spellings_of_one_version_are_one_version() {
    let mut farm = Farm::with_abis(&["cp39"]);
    let added = farm.add_all(vec![wanted("foo", "1.0"), wanted("Foo", "1.0.0"), wanted("foo", "1.0")]);
    let mut states: Vec<_> = added.iter().map(|a| a.state).collect();
    states.sort_by_key(|state| *state != AddedState::New);
    assert_eq!(states, [AddedState::New, AddedState::Queued, AddedState::Queued]);
    assert_eq!(farm.number("SELECT count(*) FROM piw.version", &[]), 1);
    assert_eq!(farm.job("cp39").package, name("foo"));
    assert_eq!(farm.claim("cp39"), None);
}

#[test]
fn what_nobody_had_asked_for_comes_to_the_front_when_somebody_does() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.add_all(vec![wanted("foo", "3.0"), wanted("foo", "2.0")]);
    farm.execute("UPDATE piw.vstate SET asked = NULL; INSERT INTO piw.walk VALUES ('judge', 0)");
    farm.walk();
    let added = farm.add("foo", "2.0");
    assert_eq!((added.state, added.queued_for), (AddedState::Queued, Some(abi("cp39"))));
    assert_eq!(farm.job("cp39").version, version("2.0"));
}

#[test]
fn asking_again_ends_a_back_off_but_keeps_the_count_of_attempts() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.add("foo", "1.0");
    for _ in 0..2 {
        let job = farm.job("cp39");
        farm.lose(&job);
    }
    assert_eq!(farm.claim("cp39"), None, "it is delayed");
    assert_eq!(farm.add("foo", "1.0").state, AddedState::Queued);
    assert_eq!(farm.job("cp39").attempt, 3);
}

#[test]
fn all_of_a_request_is_added_or_nothing() {
    let mut farm = Farm::with_abis(&["cp39"]);
    let bad = Wanted { display: String::new(), ..wanted("bar", "1.0") };
    let refusal = farm.refusal(&Query::AddVersions { wanted: vec![wanted("foo", "1.0"), bad], deps: false });
    assert!(refusal.contains("spelling"), "{refusal}");
    assert_eq!(farm.number("SELECT count(*) FROM piw.package", &[]), 0);
    assert_eq!(farm.add_all(Vec::new()), []);
}

#[test]
fn a_yanked_version_is_built_for_who_asks_and_a_change_of_it_orders_the_page() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.add_all(vec![Wanted { yanked: Some("broken".to_owned()), named: true, ..wanted("foo", "1.0") }]);
    let job = farm.job("cp39");
    farm.built(&job, &[("py3", "none")]);
    for due in farm.rewrites() {
        farm.ask(&Query::RewritesDone(vec![due.order]));
    }
    farm.add_all(vec![Wanted { yanked: Some("broken".to_owned()), named: true, ..wanted("foo", "1.0") }]);
    assert!(farm.rewrites().is_empty(), "nothing changed");
    farm.add("foo", "1.0");
    let due = farm.rewrites();
    assert_eq!(due.len(), 1);
    assert_eq!(due[0].rows.files[0].yanked, None);
}

#[test]
fn a_project_that_changes_its_spelling_gets_its_page_written() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.add("foo", "1.0");
    let job = farm.job("cp39");
    farm.built(&job, &[("py3", "none")]);
    for due in farm.rewrites() {
        farm.ask(&Query::RewritesDone(vec![due.order]));
    }
    farm.add("Foo", "1.0");
    let due = farm.rewrites();
    assert_eq!(due.iter().map(|page| page.rows.display.as_str()).collect::<Vec<_>>(), ["Foo"]);
}

#[test]
fn abis_are_listed_by_rank_and_cannot_share_one() {
    let mut farm = Farm::with_abis(&["cp311", "cp39"]);
    let Answer::Abis(abis) = farm.ask(&Query::Abis) else { panic!() };
    let expected = ["cp39", "cp311"].map(|tag| Abi {
        tag: abi(tag),
        rank: abi(tag).default_rank(),
        skip: None,
        platforms: vec![],
    });
    assert_eq!(abis, expected);
    let rank = abi("cp39").default_rank();
    let refusal = farm.refusal(&Query::AddAbi { abi: abi("cp310"), rank, platforms: vec![] });
    assert!(refusal.contains("is that of ABI cp39"), "{refusal}");
    let refusal = farm.refusal(&Query::AddAbi { abi: abi("cp39"), rank: 7, platforms: vec![] });
    assert!(refusal.contains("there already, with rank"), "{refusal}");
}

#[test]
fn a_farm_has_at_most_62_abis() {
    let mut farm = Farm::with_abis(&[]);
    for minor in 0..62 {
        assert!(farm.add_abi(&format!("cp3{minor}")).is_some(), "{minor}");
    }
    let refusal = farm.refusal(&Query::AddAbi { abi: abi("cp399"), rank: 30_000, platforms: vec![] });
    assert!(refusal.contains("62"), "{refusal}");
    // the highest bit works like the others
    farm.execute("UPDATE piw.abi SET skip = 'not now' WHERE abi_id < 62");
    farm.add("foo", "1.0");
    let job = farm.job("cp361");
    farm.built(&job, &[("cp361", "cp361")]);
    assert_eq!(farm.add("foo", "1.0").state, AddedState::Built);
}
