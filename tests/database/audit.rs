//! The audit that ends every other test: it must be able to fail.

use crate::farm::Farm;

#[test]
fn the_audit_finds_every_kind_of_disagreement() {
    let mut farm = Farm::with_abis(&["cp39", "cp311"]);
    farm.add("foo", "1.0");
    let job = farm.job("cp39");
    farm.built(&job, &[("cp39", "cp39")]);
    farm.add("bar", "1.0");
    let snapshot = "CREATE SCHEMA kept; CREATE TABLE kept.vstate AS SELECT * FROM piw.vstate;
        CREATE TABLE kept.queue AS SELECT * FROM piw.queue; CREATE TABLE kept.package AS SELECT * FROM piw.package";
    farm.execute(snapshot);
    for (harm, word) in [
        ("DELETE FROM piw.queue WHERE abi_id = 2", "in no queue"),
        ("DELETE FROM piw.vstate WHERE ver_id = 1", "has no state"),
        (
            "INSERT INTO piw.delayed SELECT ver_id, 1, prio, 1, now(), 'retry' FROM piw.queue WHERE abi_id = 2",
            "more than once",
        ),
        ("UPDATE piw.queue SET abi_id = 1 WHERE abi_id = 2", "needs no build"),
        ("UPDATE piw.vstate SET covered = true WHERE ver_id = 1", "covered without wheel"),
        ("UPDATE piw.vstate SET done = 6 WHERE ver_id = 1", "nothing settled"),
        ("UPDATE piw.vstate SET done = 0 WHERE ver_id = 1", "does not count"),
        ("UPDATE piw.vstate SET abi3_from = 3007 WHERE ver_id = 1", "abi3 limit"),
        ("UPDATE piw.vstate SET blocked = true WHERE ver_id = 1", "nothing against it"),
        ("UPDATE piw.queue SET prio = 7 WHERE ver_id = 1", "priority"),
        ("UPDATE piw.package SET published = false", "published"),
    ] {
        farm.execute(harm);
        let found = farm.audit();
        assert!(found.iter().any(|problem| problem.contains(word)), "{harm}: {found:?}");
        farm.execute(
            "DELETE FROM piw.delayed; DELETE FROM piw.queue;
             INSERT INTO piw.vstate SELECT * FROM kept.vstate ON CONFLICT DO NOTHING;
             UPDATE piw.vstate s SET done = k.done, covered = k.covered, abi3_from = k.abi3_from, blocked = k.blocked
                 FROM kept.vstate k WHERE k.ver_id = s.ver_id;
             INSERT INTO piw.queue SELECT * FROM kept.queue;
             UPDATE piw.package p SET published = k.published FROM kept.package k WHERE k.pkg_id = p.pkg_id",
        );
        assert_eq!(farm.audit(), Vec::<String>::new(), "mended after: {harm}");
    }
}
