//! What metrics ask of the database.

use piwheels::master::query::{Answer, Figures, JOB_CLASSES, Query};

use crate::farm::Farm;

fn figures(farm: &mut Farm) -> Figures {
    let Answer::Figures(figures) = farm.ask(&Query::Figures) else { panic!() };
    *figures
}

/// Queues that are not empty: ABI, class, jobs.
fn queues(farm: &mut Farm) -> Vec<(String, &'static str, u64)> {
    let queue = figures(farm).queue.into_iter().filter(|size| size.jobs > 0);
    queue.map(|size| (size.abi.to_string(), JOB_CLASSES[usize::from(size.class)], size.jobs)).collect()
}

#[test]
fn queues_are_counted_by_abi_and_class_empty_ones_too() {
    let mut farm = Farm::with_abis(&["cp39", "cp311"]);
    let empty = figures(&mut farm).queue;
    assert_eq!(empty.len(), 2 * JOB_CLASSES.len(), "{empty:?}");
    assert!(empty.iter().all(|size| size.jobs == 0));
    for package in ["foo", "bar", "baz"] {
        farm.add(package, "1.0");
    }
    assert_eq!(queues(&mut farm), [("cp39".to_owned(), "asked", 3)]);
    let job = farm.job("cp39");
    assert_eq!((queues(&mut farm)[0].2, figures(&mut farm).statistics.leased), (2, 1));
    farm.built(&job, &[("cp39", "cp39")]);
    let now = queues(&mut farm);
    assert_eq!(now, [("cp39".to_owned(), "asked", 2), ("cp311".to_owned(), "asked", 1)]);
    // what is not checked yet waits for something else
    farm.execute("UPDATE piw.vstate SET checked = false; UPDATE piw.queue SET ready = false");
    assert_eq!((queues(&mut farm), figures(&mut farm).statistics.unchecked), (Vec::new(), 3));
    farm.execute("UPDATE piw.vstate SET checked = true; UPDATE piw.queue SET ready = true");
}

#[test]
fn every_class_has_its_name_and_a_long_queue_is_counted_to_ten_thousand() {
    let mut farm = Farm::with_abis(&["cp39"]);
    let queued = "INSERT INTO piw.package (name, display) SELECT 'p' || g, 'p' || g FROM generate_series(1, 10005) g;
        INSERT INTO piw.version (pkg_id, version, sort_key, prerelease)
            SELECT pkg_id, '1', '\\x01', false FROM piw.package;
        INSERT INTO piw.vstate (ver_id, prio) SELECT ver_id, 0 FROM piw.version;
        INSERT INTO piw.queue (ver_id, abi_id, prio, attempt, ready)
            SELECT ver_id, (SELECT abi_id FROM piw.abi), CASE WHEN n > 10 THEN 3::bigint << 48 ELSE (n % 5) << 48 | 7 END, 1, true
            FROM (SELECT ver_id, row_number() OVER () AS n FROM piw.version) AS v";
    farm.execute(queued);
    let sizes: Vec<u64> = figures(&mut farm).queue.iter().map(|size| size.jobs).collect();
    assert_eq!(sizes, [2, 2, 2, 9997, 2]);
    farm.execute("UPDATE piw.queue SET prio = 3::bigint << 48");
    let names: Vec<_> = queues(&mut farm);
    assert_eq!(names, [("cp39".to_owned(), "older", 10_000)]);
    farm.execute("TRUNCATE piw.package CASCADE");
}
