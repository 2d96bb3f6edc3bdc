//! Databases of older schema versions become what a new one is, and keep what was in them.

use std::collections::BTreeMap;

use piwheels::schema::SCHEMA_VERSION;
use postgres::Client;
use serde_json::{Map, Value};

use crate::farm::Farm;
use crate::initdb::run;
use crate::kit::cluster::{Cluster, Database, MASTER, SUPERUSER};
use crate::kit::wait::until;

/// What turns version 1 into its first form, which had no order of asking, no mark of a crash, no cancelled builds.
const EARLY: &str = "
    UPDATE piw.vstate SET prio = (255::bigint << 40) | prio; UPDATE piw.queue SET prio = (255::bigint << 40) | prio;
    UPDATE piw.delayed SET prio = (255::bigint << 40) | prio;
    DROP SEQUENCE piw.asked_seq; DROP TABLE piw.uncrashed;
    ALTER TABLE piw.stat_delta ALTER COLUMN amount TYPE bigint;
    ALTER TABLE piw.stat_total ALTER COLUMN n TYPE bigint, ALTER COLUMN amount TYPE bigint;
    ALTER TABLE piw.build DROP CONSTRAINT build_outcome_check, ADD CONSTRAINT build_outcome_check
        CHECK (outcome IN ('built', 'failed', 'timeout', 'no-sdist', 'bad-wheel', 'lost-slave', 'lost-transfer',
            'superseded'))";

/// A database of version 1 with rows of every kind, and what makes another form of it.
fn version_1(form: &str) -> Database<'static> {
    let database = Cluster::shared().empty_database();
    let tables = include_str!("schema-1.sql");
    let rows = include_str!("rows-1.sql");
    database
        .superuser()
        .batch_execute(&format!(
            "CREATE SCHEMA piw AUTHORIZATION piw_owner; SET ROLE piw_owner; {tables}; {rows}; {form};
             GRANT USAGE ON SCHEMA piw TO {MASTER}; GRANT EXECUTE ON FUNCTION piw.schema_version() TO {MASTER}"
        ))
        .unwrap();
    database
}

/// Everything in the schema that has a name, and what it is; a line for each.
fn structure(client: &mut Client) -> Vec<String> {
    client.query(include_str!("structure.sql"), &[]).unwrap().iter().map(|row| row.get(0)).collect()
}

fn upgrade(database: &Database<'_>) {
    let done = run(&["-y", "-d", &database.dsn(SUPERUSER), "-u", MASTER]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let line = format!("the database went from version 1 to {SCHEMA_VERSION}\n");
    assert!(done.stdout.ends_with(&line), "{}", done.stdout);
    assert_eq!(done.stderr, "");
    let again = run(&["-y", "-d", &database.dsn(SUPERUSER), "-u", MASTER]);
    assert_eq!((again.code, again.stdout.contains("is current")), (0, true), "{}", again.stdout);
}

/// Every row of every table, by the table's name.
fn rows(client: &mut Client) -> BTreeMap<String, Vec<Map<String, Value>>> {
    let tables = client
        .query(
            "SELECT relname::text FROM pg_class WHERE relnamespace = 'piw'::regnamespace AND relkind = 'r'",
            &[],
        )
        .unwrap();
    let mut rows = BTreeMap::new();
    for table in tables {
        let table: String = table.get(0);
        let sql = format!("SELECT to_jsonb(t)::text FROM piw.{table} t ORDER BY t");
        let texts = client.query(&sql, &[]).unwrap();
        let parsed = texts.iter().map(|row| serde_json::from_str(row.get(0)).unwrap()).collect();
        rows.insert(table, parsed);
    }
    rows
}

#[test]
fn version_1_in_its_first_and_last_form_becomes_what_a_new_database_is() {
    let fresh = Cluster::shared().database();
    let expected = structure(&mut fresh.superuser());
    assert!(expected.len() > 500, "{}", expected.len());
    for form in ["", EARLY] {
        let database = version_1(form);
        upgrade(&database);
        let got = structure(&mut database.superuser());
        let missing: Vec<_> = expected.iter().filter(|line| !got.contains(line)).collect();
        let strange: Vec<_> = got.iter().filter(|line| !expected.contains(line)).collect();
        assert!(missing.is_empty() && strange.is_empty(), "missing: {missing:#?}\nstrange: {strange:#?}");
    }
}

#[test]
fn rows_of_version_1_stay_as_they_are() {
    let database = version_1("");
    let mut superuser = database.superuser();
    let before = rows(&mut superuser);
    assert!(before.values().all(|rows| !rows.is_empty()), "{before:#?}");
    upgrade(&database);
    let mut after = rows(&mut superuser);
    // the ABI that an abi3 wheel serves is no attempt's any more
    let stable = after.get_mut("vstate").unwrap().iter_mut().find(|row| row["ver_id"] == 3).unwrap();
    assert_eq!(stable.insert("done".to_owned(), 6.into()), Some(4.into()));
    let kept = |old: &Map<String, Value>, new: &Map<String, Value>| {
        old.iter().all(|(key, value)| new[key] == *value)
    };
    for (table, old) in before.iter().filter(|(table, _)| *table != "meta") {
        let lost: Vec<_> = old.iter().filter(|old| !after[table].iter().any(|new| kept(old, new))).collect();
        assert!(lost.is_empty(), "{table}: {lost:#?}");
        // counters that version 1 did not have
        let more = match table.as_str() {
            "stat_delta" => 4,
            "rewrite" => 10,
            _ => 0,
        };
        assert_eq!(after[table].len(), old.len() + more, "{table}: {:#?}", after[table]);
    }
}

#[test]
fn what_waited_in_version_1_is_handed_out_in_the_same_order() {
    for form in ["", EARLY] {
        let mut farm = Farm::of(version_1_upgraded(form));
        assert_eq!(farm.audit(), Vec::<String>::new());
        let mut jobs = Vec::new();
        for tag in ["cp39", "cp311", "cp313t", "cp34m"] {
            while let Some(job) = farm.claim(tag) {
                jobs.push(format!("{tag} {} {} attempt {}", job.package, job.version, job.attempt));
            }
        }
        assert_eq!(
            jobs,
            [
                "cp39 asked-again 1.0 attempt 3",
                "cp39 many 1!1.0+local attempt 1",
                "cp39 many 2.0a1 attempt 1",
                "cp39 many 1.0 attempt 1",
                "cp39 withdrawn 1.0 attempt 1",
                "cp311 native 1.0 attempt 1",
                "cp311 called-off 1.0 attempt 1",
                "cp313t stable 2.0 attempt 1",
            ]
        );
        // what is asked for next comes behind what was asked for first
        farm.add("new", "1.0");
        let behind = "SELECT count(*) FROM piw.vstate n JOIN piw.version v USING (ver_id) JOIN piw.package p USING (pkg_id)
            WHERE p.name = 'new' AND n.prio > (SELECT max(o.prio) FROM piw.vstate o WHERE o.ver_id <> n.ver_id)";
        assert_eq!(farm.number(behind, &[]), 1);
    }
}

#[test]
fn what_was_asked_for_in_version_1_is_a_wish_for_that_version() {
    let mut farm = Farm::of(version_1_upgraded(""));
    let wishes = farm.texts(
        "SELECT p.name || w.specifiers FROM piw.wish w JOIN piw.package p USING (pkg_id) WHERE NOT w.deps ORDER BY 1",
    );
    assert_eq!(wishes.len(), 14, "{wishes:?}");
    assert!(wishes.contains(&"many==1!1.0+local".to_owned()), "{wishes:?}");
    let due = farm.texts("SELECT name FROM piw.package WHERE read_due IS NULL");
    assert_eq!(due, ["empty"], "nobody asked for it");
    let named =
        farm.texts("SELECT p.name FROM piw.version v JOIN piw.package p USING (pkg_id) WHERE v.named");
    assert_eq!(named, ["withdrawn"], "yanked, and built nevertheless");
    let newest = farm.texts(
        "SELECT p.name || ' ' || v.version FROM piw.package p JOIN piw.version v ON v.ver_id = p.newest
         WHERE p.name IN ('many', 'withdrawn', 'pure') ORDER BY 1",
    );
    assert_eq!(newest, ["many 1!1.0+local", "pure 1.0"]);
    let pages = farm.texts(
        "SELECT coalesce(p.name, r.kind) || ' ' || r.ordered FROM piw.rewrite r LEFT JOIN piw.package p USING (pkg_id)
         ORDER BY r.ordered",
    );
    let others = [
        "pure",
        "stable",
        "broken",
        "called-off",
        "asked-again",
        "slow",
        "on-a-board",
        "withdrawn",
        "unwanted",
        "many",
    ];
    assert_eq!(pages[..2], ["native 6", "root 7"], "{pages:?}");
    let ordered: Vec<&str> = pages[2..].iter().map(|page| page.split(' ').next().unwrap()).collect();
    assert_eq!(ordered, others, "every project has a page now");
}

#[test]
fn a_master_that_is_connected_is_in_the_way_of_an_upgrade() {
    let database = version_1("");
    let master = database.master();
    let refused = run(&["-y", "-d", &database.dsn(SUPERUSER), "-u", MASTER]);
    assert_eq!(refused.code, 1, "{}", refused.stdout);
    assert!(
        refused.stderr.contains(&format!("connected to the database as {MASTER}; stop it")),
        "{}",
        refused.stderr
    );
    drop(master);
    let busy = "SELECT count(*) FROM pg_stat_activity WHERE usename = $1::text::name AND datname = current_database()";
    let mut superuser = database.superuser();
    until("end of the session", String::new, || {
        (superuser.query_one(busy, &[&MASTER]).unwrap().get::<_, i64>(0) == 0).then_some(())
    });
    upgrade(&database);
}

#[test]
fn an_upgrade_of_version_1_that_fails_on_the_way_leaves_all_of_it_as_it_was() {
    // the last table to be made is there already
    let database = version_1("CREATE TYPE piw._release AS (n integer)");
    let mut superuser = database.superuser();
    let before = (structure(&mut superuser), rows(&mut superuser));
    let failed = run(&["-y", "-d", &database.dsn(SUPERUSER), "-u", MASTER]);
    assert_eq!(failed.code, 1, "{}", failed.stdout);
    assert!(
        failed.stderr.contains("schema/feed.sql") && failed.stderr.contains("nothing was changed"),
        "{}",
        failed.stderr
    );
    assert_eq!((structure(&mut superuser), rows(&mut superuser)), before);
}

fn version_1_upgraded(form: &str) -> Database<'static> {
    let database = version_1(form);
    upgrade(&database);
    database
}
