//! Which ABI is built next, and when a version is settled.

use piwheels::master::query::{AddedState, Outcome};

use crate::farm::{Farm, SETTLED, abi, name, opened};

const ABIS: [&str; 4] = ["cp311", "cp39", "cp313t", "cp313"];

#[test]
fn the_lowest_abi_is_built_first_and_cp39_is_lower_than_cp311() {
    let mut farm = Farm::with_abis(&ABIS);
    assert_eq!(farm.add("foo", "1.0").queued_for, Some(abi("cp39")));
    for tag in ["cp311", "cp313", "cp313t"] {
        assert_eq!(farm.claim(tag), None, "{tag}");
    }
    farm.job("cp39");
}

#[test]
fn a_wheel_without_abi_settles_every_abi_and_those_to_come() {
    let mut farm = Farm::with_abis(&ABIS);
    farm.add("foo", "1.0");
    let job = farm.job("cp39");
    assert_eq!(farm.built(&job, &[("py3", "none")]), SETTLED);
    for tag in ABIS {
        assert_eq!(farm.claim(tag), None, "{tag}");
    }
    assert_eq!(farm.add_abi("cp314"), Some(0));
    assert_eq!(farm.add("foo", "1.0").state, AddedState::Built);
}

#[test]
fn a_wheel_of_one_abi_opens_the_next() {
    let mut farm = Farm::with_abis(&ABIS);
    farm.add("foo", "1.0");
    for (tag, next) in [("cp39", "cp311"), ("cp311", "cp313"), ("cp313", "cp313t")] {
        let job = farm.job(tag);
        assert_eq!(farm.built(&job, &[(tag, tag)]), opened(next));
    }
    let job = farm.job("cp313t");
    assert_eq!(farm.built(&job, &[("cp313", "cp313t")]), SETTLED);
    assert_eq!(farm.add_abi("cp314"), Some(1));
    farm.job("cp314");
}

#[test]
fn a_failure_opens_the_next_abi_and_a_success_without_files_too() {
    let mut farm = Farm::with_abis(&ABIS);
    farm.add("foo", "1.0");
    let job = farm.job("cp39");
    assert_eq!(farm.failed(&job), opened("cp311"));
    let job = farm.job("cp311");
    assert_eq!(farm.log(&job, Outcome::Built, Vec::new()), opened("cp313"));
    let job = farm.job("cp313");
    assert_eq!(farm.log(&job, Outcome::BadWheel, Vec::new()), opened("cp313t"));
    let job = farm.job("cp313t");
    assert_eq!(farm.log(&job, Outcome::NoSdist, Vec::new()), SETTLED);
    assert_eq!(farm.add("foo", "1.0").state, AddedState::Failed);
}

#[test]
fn an_abi3_wheel_settles_every_later_python_but_no_free_threaded_one() {
    let mut farm = Farm::with_abis(&["cp38", "cp39", "cp311", "cp313", "cp313t"]);
    farm.add("foo", "1.0");
    let job = farm.job("cp38");
    assert_eq!(farm.failed(&job), opened("cp39"));
    let job = farm.job("cp39");
    assert_eq!(farm.built(&job, &[("cp37.cp39", "abi3")]), opened("cp313t"));
    let job = farm.job("cp313t");
    assert_eq!(farm.built(&job, &[("cp313", "cp313t")]), SETTLED);
    assert_eq!(farm.add_abi("cp314"), Some(0), "the abi3 wheel serves it");
    assert_eq!(farm.add_abi("cp314t"), Some(1), "free-threaded builds have no stable ABI");
}

#[test]
fn an_abi3_wheel_for_a_later_python_leaves_the_earlier_ones_open() {
    let mut farm = Farm::with_abis(&["cp39", "cp310", "cp311", "cp312"]);
    farm.add("foo", "1.0");
    let job = farm.job("cp39");
    // 3.11 and not 3.1: the minor is a number
    assert_eq!(farm.built(&job, &[("cp311", "abi3")]), opened("cp310"));
    let job = farm.job("cp310");
    assert_eq!(farm.built(&job, &[("cp310", "cp310")]), SETTLED);
}

#[test]
fn of_several_files_the_least_general_decides() {
    let mut farm = Farm::with_abis(&["cp39", "cp311", "cp312"]);
    for package in ["a", "b", "c"] {
        farm.add(package, "1.0");
    }
    for _ in 0..3 {
        let job = farm.job("cp39");
        let (files, expected): (&[_], _) = match job.package.as_str() {
            "a" => (&[("py3", "none"), ("cp39", "cp39")], opened("cp311")),
            "b" => (&[("cp37", "abi3"), ("cp39", "cp39")], opened("cp311")),
            _ => (&[("py3", "none"), ("cp37", "abi3")], SETTLED),
        };
        assert_eq!(farm.built(&job, files), expected, "{}", job.package);
    }
}

#[test]
fn an_abi3_wheel_without_a_usable_python_tag_serves_its_own_abi_only() {
    let mut farm = Farm::with_abis(&["cp39", "cp311"]);
    farm.add("foo", "1.0");
    let job = farm.job("cp39");
    assert_eq!(farm.built(&job, &[("py3", "abi3")]), opened("cp311"));
}

#[test]
fn skipped_abis_are_passed_over() {
    let mut farm = Farm::with_abis(&["cp39", "cp311", "cp312"]);
    farm.add("foo", "1.0");
    farm.execute("UPDATE piw.abi SET skip = 'no boards' WHERE tag = 'cp311'");
    let job = farm.job("cp39");
    assert_eq!(farm.failed(&job), opened("cp312"));
}

#[test]
fn a_new_abi_opens_what_was_settled_and_leaves_alone_what_is_open() {
    let mut farm = Farm::with_abis(&["cp39"]);
    for package in ["failed", "pure", "leased", "delayed"] {
        farm.add(package, "1.0");
        let job = farm.job("cp39");
        match package {
            "failed" => drop(farm.failed(&job)),
            "pure" => drop(farm.built(&job, &[("py3", "none")])),
            "delayed" => {
                farm.lose(&job);
                let again = farm.job("cp39");
                farm.lose(&again);
            }
            _ => {}
        }
    }
    farm.add("queued", "1.0");
    assert_eq!(farm.add_abi("cp38"), Some(1));
    assert_eq!(farm.job("cp38").package, name("failed"));
}

#[test]
fn versions_that_were_added_before_any_abi_are_opened_by_the_first() {
    let mut farm = Farm::with_abis(&[]);
    let added = farm.add("foo", "1.0");
    assert_eq!((added.state, added.queued_for), (AddedState::New, None));
    let again = farm.add("foo", "1.0");
    assert_eq!((again.state, again.queued_for), (AddedState::Queued, None));
    assert_eq!(farm.add_abi("cp311"), Some(1));
    assert_eq!(farm.add_abi("cp311"), None, "adding it again changes nothing");
    farm.job("cp311");
}
