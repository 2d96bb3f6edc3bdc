//! A database of the original program becomes a farm's: what becomes of each kind of row, and what is left behind.

use crate::farm::{Farm, version};
use crate::index::release;
use crate::initdb::{Run, run, run_with};
use crate::kit::cluster::{Cluster, Database, MASTER, SUPERUSER};

const TABLES: &str = include_str!("original.sql");
const ROWS: &str = include_str!("original-rows.sql");

/// A database as the original has it, with these rows.
fn original(rows: &str) -> Database<'static> {
    let database = Cluster::shared().empty_database();
    database.superuser().batch_execute(&format!("{TABLES}; {rows}")).unwrap();
    database
}

fn initdb(database: &Database<'_>) -> Run {
    run(&["-y", "-d", &database.dsn(SUPERUSER), "-u", MASTER])
}

/// The farm that its database has become.
fn taken_over() -> Farm {
    let database = original(ROWS);
    let done = initdb(&database);
    assert_eq!(done.code, 0, "{}", done.stderr);
    Farm::of(database)
}

/// Every row of the original's tables.
fn originals(database: &Database<'_>) -> Vec<String> {
    let tables =
        ["configuration", "packages", "versions", "build_abis", "builds", "output", "files", "downloads"];
    let all = tables.map(|table| format!("SELECT '{table} ' || t AS row FROM public.{table} t"));
    let sql = format!("{} ORDER BY row", all.join(" UNION ALL "));
    database.superuser().query(&sql, &[]).unwrap().iter().map(|row| row.get(0)).collect()
}

#[test]
fn the_operator_is_asked_told_what_was_left_behind_and_is_current_afterwards() {
    let database = original(ROWS);
    let before = originals(&database);
    let dsn = database.dsn(SUPERUSER);
    let declined = run_with("n\n", &["-d", &dsn, "-u", MASTER]);
    assert_eq!(declined.code, 2, "{}", declined.stderr);
    for part in
        ["the original's tables (version 0.10)", "13 packages, 16 versions, 17 builds, 15 files", "backup"]
    {
        assert!(declined.stdout.contains(part), "{part}: {}", declined.stdout);
    }
    let nothing = "SELECT count(*) FROM pg_namespace WHERE nspname = 'piw'";
    assert_eq!(database.superuser().query_one(nothing, &[]).unwrap().get::<_, i64>(0), 0);

    let done = run_with("y\n", &["-d", &dsn, "-u", MASTER]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let last = done.stdout.lines().last().unwrap_or_default();
    assert!(last.contains("10 packages, 13 versions, 14 builds, 8 files and"), "{last}");
    for part in [
        "left behind: 1 packages whose names are none: \"bad name!\"\n",
        "left behind: 2 versions that are none by PEP 440, or of such packages: ",
        "good \"2004d\"",
        "bad name! \"1.0\"",
        "left behind: 1 ABIs that cannot be built for: \"pp36\"\n",
        "left behind: 3 builds of these versions and for these ABIs: 20 (good 2004d, cp34m), 21 (good 1.1, pp36), 22 (bad name! 1.0, cp34m)\n",
        "left behind: 4 files without the name of a wheel, size, SHA-256 or tags: ",
        "\"../../good-1.0-py3-none-any.whl\"",
        "left behind: 3 files of these builds, and of builds that had failed: good-1.0-1-py3-none-any.whl, \
         good-1.1-pp36-pypy3_36-linux_armv7l.whl, good-2004d-py3-none-any.whl\n",
        "left behind: 2 downloads that are older than the original, or from the future: \
         Pure-1.0-py2.py3-none-any.whl (1999-01-01 00:00:00), Pure-1.0-py2.py3-none-any.whl (infinity)\n",
    ] {
        assert!(done.stderr.contains(part), "{part}: {}", done.stderr);
    }
    assert_eq!(originals(&database), before);
    let again = initdb(&database);
    assert_eq!((again.code, again.stdout.contains("is current")), (0, true), "{}", again.stderr);
}

#[test]
fn spellings_are_merged_and_what_was_skipped_stays_so() {
    let mut farm = taken_over();
    let packages = farm
        .texts("SELECT name || ' ' || display || coalesce(': ' || skip, '') FROM piw.package ORDER BY name");
    assert_eq!(
        packages,
        [
            "early early",
            "empty empty",
            "failing failing",
            "foo-bar Foo.Bar",
            "gone gone",
            "good good",
            "pure Pure",
            "quiet quiet",
            "skip-me Skip_Me: skipped by the original",
            "stable stable",
        ]
    );
    let versions = farm.texts(
        "SELECT p.name || ' ' || v.version || coalesce(': ' || v.skip, '') || CASE WHEN v.prerelease THEN ' (pre)' ELSE '' END
         FROM piw.version v JOIN piw.package p USING (pkg_id) WHERE p.name IN ('foo-bar', 'good', 'early') ORDER BY v.ver_id",
    );
    assert_eq!(
        versions,
        [
            "early 1.0a1 (pre)",
            "foo-bar 2.0",
            "foo-bar 1.0",
            "good 1.10",
            "good 1.1",
            "good 1.0",
            "good 0.9: skipped by the original",
        ]
    );
    let keys = farm.texts("SELECT encode(sort_key, 'hex') FROM piw.version WHERE version = '1.10'");
    let key: String = version("1.10").sort_key().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(keys, [key]);
}

#[test]
fn abis_come_in_the_order_of_their_pythons_and_those_of_the_past_are_retired() {
    let mut farm = taken_over();
    let abis = farm.texts("SELECT tag || coalesce(': ' || skip, '') FROM piw.abi ORDER BY rank");
    assert_eq!(abis, ["cp33m: was no longer built for by the original", "cp34m", "cp39", "cp310"]);
}

#[test]
fn builds_keep_their_numbers_and_the_next_comes_after_them() {
    let mut farm = taken_over();
    let builds = farm.texts(
        "SELECT concat_ws(' ', b.build_id, p.name, v.version, a.tag, b.outcome, b.slave, b.attempt, b.duration_ms)
         FROM piw.build b JOIN piw.version v USING (ver_id) JOIN piw.package p USING (pkg_id) JOIN piw.abi a USING (abi_id)
         WHERE b.build_id IN (1, 2, 3, 10, 12, 14) ORDER BY b.build_id",
    );
    assert_eq!(
        builds,
        [
            "1 pure 1.0 cp34m built slave 7 1 2500",
            "2 good 1.0 cp34m built slave 7 1 3600000",
            "3 good 1.0 cp39 failed slave 7 1 1000",
            "10 gone 1.0 cp33m built slave 7 1 1000",
            "12 foo-bar 1.0 cp39 built slave 7 1 1000",
            "14 good 1.10 cp34m built slave 7 1 0",
        ]
    );
    let times = farm.texts("SELECT (built_at AT TIME ZONE 'UTC')::text FROM piw.build WHERE build_id = 2");
    assert_eq!(times, ["2018-03-01 14:00:00"]);
    assert_eq!(farm.number("SELECT count(DISTINCT secret) FROM piw.build", &[]), 14);
    farm.releases("quiet", vec![release("1.0")]);
    assert_eq!(farm.job("cp39").token.build.0, 23);
}

#[test]
fn files_arrive_with_their_digests_aliases_too() {
    let mut farm = taken_over();
    let files = farm.texts(
        "SELECT concat_ws(' ', f.filename, f.build_id, p.name, v.version, f.size, f.python_tag, f.abi_tag, f.platform_tag)
         FROM piw.file f JOIN piw.version v USING (ver_id) JOIN piw.package p ON p.pkg_id = f.pkg_id
         WHERE f.metadata_sha256 IS NULL AND f.requires_python IS NULL ORDER BY f.build_id, f.filename",
    );
    assert_eq!(
        files,
        [
            "Pure-1.0-py2.py3-none-any.whl 1 pure 1.0 100 py2.py3 none any",
            "good-1.0-cp34-cp34m-linux_armv6l.whl 2 good 1.0 200 cp34 cp34m linux_armv6l",
            "good-1.0-cp34-cp34m-linux_armv7l.whl 2 good 1.0 200 cp34 cp34m linux_armv7l",
            "stable-1.0-cp39-abi3-linux_armv7l.whl 5 stable 1.0 300 cp39 abi3 linux_armv7l",
            "gone-1.0-cp33-cp33m-linux_armv7l.whl 10 gone 1.0 400 cp33 cp33m linux_armv7l",
            "Foo.Bar-1.0-cp34-cp34m-linux_armv7l.whl 11 foo-bar 1.0 500 cp34 cp34m linux_armv7l",
            "foo_bar-1.0.0-1-cp39-cp39-linux_armv7l.whl 12 foo-bar 1.0 600 cp39 cp39 linux_armv7l",
            "good-1.10-cp34-cp34m-linux_armv7l.whl 14 good 1.10 700 cp34 cp34m linux_armv7l",
        ]
    );
    let digests =
        "SELECT count(*) FROM piw.file n JOIN public.files o ON o.filename = n.filename COLLATE \"C\"
        WHERE encode(n.sha256, 'hex') = o.filehash AND n.published_at = '2018-03-01 12:00Z'::timestamptz
            + make_interval(hours => o.build_id)";
    assert_eq!(farm.number(digests, &[]), 8);
}

#[test]
fn downloads_arrive_in_their_months_and_count_for_their_packages() {
    let mut farm = taken_over();
    let downloads = farm.texts(
        "SELECT concat_ws(' ', d.tableoid::regclass, d.filename, p.name, d.address, d.distro_version, d.os_version,
             CASE WHEN d.at < '2020-01-01' THEN d.at AT TIME ZONE 'UTC' END)
         FROM piw.download d LEFT JOIN piw.package p USING (pkg_id) WHERE d.at < '2020-01-01' ORDER BY d.at, d.filename",
    );
    assert_eq!(
        downloads,
        [
            "piw.download_2018_03 good-1.10-cp34-cp34m-linux_armv7l.whl good 192.0.2.1 9 2018-03-31 23:59:59",
            "piw.download_2018_04 Pure-1.0-py2.py3-none-any.whl pure 192.0.2.1 9 2018-04-01 00:00:00",
            "piw.download_2018_04 good-1.10-cp34-cp34m-linux_armv7l.whl good 192.0.2.1 9 2018-04-01 00:00:00",
            "piw.download_2018_04 good-2004d-py3-none-any.whl good 192.0.2.1 9 2018-04-01 00:00:00",
        ]
    );
    let days = farm.texts(
        "SELECT concat_ws(' ', d.day, coalesce(p.name, 'all'), d.n) FROM piw.download_day d LEFT JOIN piw.package p USING (pkg_id)
         WHERE d.day < '2020-01-01' ORDER BY d.day, d.pkg_id <> 0, p.name",
    );
    assert_eq!(
        days,
        [
            "2018-03-31 all 1",
            "2018-03-31 good 1",
            "2018-04-01 all 3",
            "2018-04-01 good 2",
            "2018-04-01 pure 1"
        ]
    );
    // those of the last hours, which may lie on two days
    assert_eq!(farm.number("SELECT dl_bucket::bigint FROM piw.package WHERE name = 'good'", &[]), 2);
    assert_eq!(farm.number("SELECT dl_bucket::bigint FROM piw.package WHERE name = 'pure'", &[]), 0);
    assert_eq!(farm.number("SELECT n::bigint FROM piw.stat_delta WHERE kind = 'download'", &[]), 6);
}

#[test]
fn each_version_waits_for_the_lowest_abi_that_is_still_to_be_built() {
    let mut farm = taken_over();
    let waiting = farm.texts(
        "SELECT p.name || ' ' || v.version || ' ' || a.tag FROM piw.queue q JOIN piw.version v USING (ver_id)
         JOIN piw.package p USING (pkg_id) JOIN piw.abi a USING (abi_id) ORDER BY p.name, v.sort_key",
    );
    assert_eq!(
        waiting,
        [
            "early 1.0a1 cp34m",
            "foo-bar 1.0 cp310",
            "foo-bar 2.0 cp34m",
            "gone 1.0 cp34m",
            "good 1.0 cp310",
            "good 1.1 cp34m",
            "good 1.10 cp39",
            "quiet 1.0 cp39",
        ]
    );
    let covered =
        farm.texts("SELECT v.version FROM piw.vstate s JOIN piw.version v USING (ver_id) WHERE s.covered");
    assert_eq!(covered.len(), 1);
    assert_eq!(farm.number("SELECT count(*) FROM piw.vstate WHERE abi3_from = 3009", &[]), 1);
    assert_eq!(farm.number("SELECT count(*) FROM piw.vstate WHERE blocked", &[]), 2);
    assert_eq!(farm.audit(), Vec::<String>::new());
}

#[test]
fn a_page_is_read_before_its_versions_are_handed_out_newest_first() {
    let mut farm = taken_over();
    for tag in ["cp34m", "cp39", "cp310"] {
        assert_eq!(farm.claim(tag), None, "nobody has looked at its page");
    }
    let due: Vec<String> = farm.due().iter().map(|page| page.package.to_string()).collect();
    assert_eq!(due, ["good", "early", "foo-bar", "gone", "quiet"], "what is fetched most is read first");
    farm.releases("good", ["1.0", "1.1", "1.10", "0.9"].map(release).into());
    farm.releases("foo-bar", ["1.0", "2.0"].map(release).into());
    farm.releases("early", vec![release("1.0a1")]);
    let mut jobs = Vec::new();
    for tag in ["cp34m", "cp39", "cp310"] {
        while let Some(job) = farm.claim(tag) {
            jobs.push(format!("{tag} {} {}", job.package, job.version));
        }
    }
    assert_eq!(
        jobs,
        [
            "cp34m early 1.0a1",
            "cp34m foo-bar 2.0",
            "cp34m good 1.1",
            "cp39 good 1.10",
            "cp310 good 1.0",
            "cp310 foo-bar 1.0",
        ]
    );
}

#[test]
fn the_pages_of_what_was_attempted_are_written_anew_and_the_index_is_followed_on() {
    let mut farm = taken_over();
    let pages = farm.rewrites();
    let mut shown: Vec<(String, usize)> =
        pages.iter().map(|page| (format!("{:?}", page.order.page), page.rows.files.len())).collect();
    shown.sort();
    let names: Vec<&str> =
        ["early", "failing", "foo-bar", "gone", "good", "pure", "quiet", "skip-me", "stable"].into();
    assert_eq!(shown.len(), names.len() + 1, "{shown:?}");
    for (page, files) in names.iter().zip([0, 0, 2, 1, 3, 1, 0, 0, 1]) {
        assert!(shown.contains(&(format!("Project(ProjectName({page:?}))"), files)), "{page}: {shown:?}");
    }
    let published = farm.texts("SELECT name FROM piw.package WHERE published ORDER BY name");
    assert_eq!(published, ["foo-bar", "gone", "good", "pure", "stable"]);
    let feed = farm.texts("SELECT serial || ' ' || settled FROM piw.feed");
    assert_eq!(feed, ["3000000 3000000"]);
}

#[test]
fn an_original_of_another_version_is_refused_with_what_to_do() {
    let stands = "INSERT INTO public.configuration (pypi_serial) VALUES (1)";
    for (rows, word) in [
        (
            "UPDATE public.configuration SET version = '0.9'",
            "version 0.9, and those of 0.10 are understood; bring them there first",
        ),
        ("DROP TABLE public.configuration", "version before 0.6"),
        (
            "UPDATE public.configuration SET version = '0.14'",
            "version 0.14, and those of 0.10 are understood; restore a backup",
        ),
        ("ALTER TABLE public.files DROP COLUMN filehash", "lack files.filehash"),
    ] {
        let database = original(&format!("{stands}; {rows}"));
        let refused = run_with("y\n", &["-d", &database.dsn(SUPERUSER), "-u", MASTER]);
        assert_eq!((refused.code, refused.stdout.as_str()), (1, ""), "{rows}: it did not ask");
        assert!(
            refused.stderr.contains(word) && refused.stderr.contains("createdb"),
            "{rows}: {}",
            refused.stderr
        );
        assert_eq!(refused.stderr.lines().count(), 1, "{}", refused.stderr);
    }
}

#[test]
fn somebody_elses_tables_beside_it_are_nothing_to_take_over() {
    let database = Cluster::shared().empty_database();
    database
        .superuser()
        .batch_execute("CREATE TABLE public.packages (name text); CREATE TABLE public.files (n int)")
        .unwrap();
    let done = initdb(&database);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(done.stdout.starts_with("the tables are made"), "{}", done.stdout);
}

#[test]
fn whoever_writes_to_the_originals_tables_is_in_the_way_and_nothing_is_changed() {
    let database = original(ROWS);
    let mut writer = database.superuser();
    let mut transaction = writer.transaction().unwrap();
    transaction.batch_execute("UPDATE public.packages SET skip = true WHERE package = 'good'").unwrap();
    let refused = initdb(&database);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("another session uses"), "{}", refused.stderr);
    transaction.rollback().unwrap();
    let refused = run(&["-y", "-d", &database.dsn(SUPERUSER), "-u", "piw_owner"]);
    assert_eq!(refused.code, 1, "a role that must not log in");
    let nothing = "SELECT count(*) FROM pg_namespace WHERE nspname = 'piw'";
    assert_eq!(database.superuser().query_one(nothing, &[]).unwrap().get::<_, i64>(0), 0);
}
