//! piw-initdb, run as an operator runs it: an ordinary account, a terminal or none, its exit codes.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::OnceLock;

use piwheels::admin::initdb;
use piwheels::schema::{SCHEMA_VERSION, Script, Update};

use crate::kit::account;
use crate::kit::cluster::{Cluster, Database, MASTER, SUPERUSER};

pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs piw-initdb with this on its standard input.
pub(crate) fn run_with(input: &str, arguments: &[&str]) -> Run {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let program =
        PROGRAM.get_or_init(|| account::runnable(env!("CARGO_BIN_EXE_piw-initdb"), Cluster::shared().dir()));
    let mut command = account::command(program);
    command.args(arguments).env_remove("PIW_DSN").env_remove("PIW_USER");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // a program that asks nothing may be gone before it could read
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run { code: status.code().unwrap(), stdout: text(stdout), stderr: text(stderr) }
}

pub(crate) fn run(arguments: &[&str]) -> Run {
    run_with("", arguments)
}

fn number(database: &Database<'_>, sql: &str) -> i64 {
    database.superuser().query_one(sql, &[]).unwrap().get(0)
}

const SCHEMAS: &str = "SELECT count(*) FROM pg_namespace WHERE nspname = 'piw'";

#[test]
fn an_empty_database_gets_its_tables_after_a_yes() {
    let database = Cluster::shared().empty_database();
    let dsn = database.dsn(SUPERUSER);
    let done = run_with("y\n", &["-v", "-d", &dsn, "-u", MASTER]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(done.stdout.contains(&database.name) && done.stdout.contains("[y/N]"), "{}", done.stdout);
    assert!(done.stderr.contains("tables are made"), "{}", done.stderr);
    let version = database.master().query_one("SELECT piw.schema_version()", &[]).unwrap().get::<_, i32>(0);
    assert_eq!(version, SCHEMA_VERSION);
    let again = run(&["-v", "-d", &dsn, "-u", MASTER]);
    assert_eq!((again.code, again.stdout.as_str()), (0, ""), "{}", again.stderr);
    assert!(again.stderr.contains("is current"), "{}", again.stderr);
}

#[test]
fn a_no_an_empty_line_and_the_end_of_input_change_nothing() {
    let database = Cluster::shared().empty_database();
    for input in ["n\n", "\n", "", "yesterday\n"] {
        let declined = run_with(input, &["-d", &database.dsn(SUPERUSER), "-u", MASTER]);
        assert_eq!(declined.code, 2, "{input:?}: {}", declined.stderr);
        assert!(declined.stderr.contains("nothing was changed"), "{}", declined.stderr);
    }
    assert_eq!(number(&database, SCHEMAS), 0);
}

#[test]
fn with_yes_it_does_not_ask_and_says_in_one_line_what_it_did() {
    let database = Cluster::shared().empty_database();
    let done = run(&["--yes", "--dsn", &database.dsn(SUPERUSER), "--user", MASTER]);
    let line = format!("the tables are made (version {SCHEMA_VERSION}), and {MASTER} may use them\n");
    assert_eq!((done.code, done.stdout.as_str(), done.stderr.as_str()), (0, line.as_str(), ""));
    assert_eq!(number(&database, SCHEMAS), 1);
    let again = run(&["-y", "-q", "--dsn", &database.dsn(SUPERUSER), "--user", MASTER]);
    assert_eq!((again.code, again.stdout.as_str(), again.stderr.as_str()), (0, "", ""));
}

#[test]
fn a_second_login_role_is_admitted_after_the_same_question() {
    let database = Cluster::shared().database();
    database.superuser().batch_execute("CREATE ROLE second LOGIN").unwrap();
    let dsn = database.dsn(SUPERUSER);
    assert_eq!(run(&["-d", &dsn, "-u", "second"]).code, 2);
    let done = run_with("yes\n", &["-d", &dsn, "-u", "second"]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(done.stdout.contains("Admit role second"), "{}", done.stdout);
    let mut second = database.config("second").connect(postgres::NoTls).unwrap();
    second.query("SELECT * FROM piw.abis()", &[]).unwrap();
    database.master().query("SELECT * FROM piw.abis()", &[]).unwrap();
}

#[test]
fn what_stands_in_the_way_is_one_line_that_says_what_to_do() {
    let cluster = Cluster::shared();
    let database = cluster.empty_database();
    let dsn = database.dsn(SUPERUSER);
    let elsewhere =
        format!("postgres://{SUPERUSER}@/x?host={}", Path::new("/tmp/no-such-directory").display());
    for (arguments, word) in [
        (["-d", &cluster.dsn("no_such_database", SUPERUSER), "-u", MASTER], "createdb no_such_database"),
        (["-d", &elsewhere, "-u", MASTER], "is PostgreSQL running"),
        (["-d", "no dsn at all", "-u", MASTER], "DSN cannot be used"),
        (["-d", &database.dsn(MASTER), "-u", MASTER], "not a super-user"),
        (["-d", &dsn, "-u", "no_such_role"], "createuser no_such_role"),
        (["-d", &dsn, "-u", SUPERUSER], "is a super-user"),
        (["-d", &dsn, "-u", "piw_owner"], "must not log in"),
    ] {
        let failed = run_with("y\n", &arguments);
        assert_eq!(failed.code, 1, "{arguments:?}: {}", failed.stderr);
        assert!(failed.stderr.contains(word), "{arguments:?}: {}", failed.stderr);
        assert_eq!(failed.stderr.lines().count(), 1, "{}", failed.stderr);
        assert_eq!(failed.stdout, "", "it did not ask");
    }
    assert_eq!(number(&database, SCHEMAS), 0);
}

#[test]
fn wrong_usage_is_2_and_help_and_version_are_0() {
    assert_eq!(run(&["--nonsense"]).code, 2);
    assert_eq!(run(&["-u"]).code, 2, "without a value");
    let version = run(&["--version"]);
    assert_eq!((version.code, version.stdout), (0, format!("piw-initdb {}\n", piwheels::VERSION)));
    let help = run(&["-h"]);
    assert_eq!(help.code, 0);
    for option in ["--configuration", "--quiet", "--verbose", "--log-file", "--dsn", "--user", "--yes"] {
        assert!(help.stdout.contains(option), "{option}");
    }
}

#[test]
fn newer_older_and_foreign_databases_are_left_alone() {
    let cluster = Cluster::shared();
    let set_version = |version: i32| {
        let database = cluster.database();
        database.superuser().execute("UPDATE piw.meta SET schema_version = $1", &[&version]).unwrap();
        database
    };
    let foreign = cluster.empty_database();
    foreign.superuser().batch_execute("CREATE SCHEMA piw").unwrap();
    for (database, word) in
        [(set_version(999), "newer"), (set_version(0), "no way from version 0"), (foreign, "not the farm's")]
    {
        let failed = run(&["-y", "-d", &database.dsn(SUPERUSER), "-u", MASTER]);
        assert_eq!(failed.code, 1);
        assert!(failed.stderr.contains(word), "{}", failed.stderr);
    }
}

#[test]
fn a_log_file_gets_what_the_console_does_not() {
    let cluster = Cluster::shared();
    let database = cluster.empty_database();
    let file = cluster.dir().join(format!("{}.log", database.name));
    let done = run(&["-y", "-l", file.to_str().unwrap(), "-d", &database.dsn(SUPERUSER), "-u", MASTER]);
    assert_eq!((done.code, done.stderr.as_str()), (0, ""));
    let log = std::fs::read_to_string(&file).unwrap();
    assert!(log.contains("INFO: schema/queue.sql") && log.contains("tables are made"), "{log}");
}

#[test]
fn another_piw_initdb_at_work_is_waited_for_and_then_named() {
    let database = Cluster::shared().empty_database();
    let mut superuser = database.superuser();
    let mut other = superuser.transaction().unwrap();
    other.batch_execute("SELECT pg_advisory_xact_lock(7303, 1)").unwrap();
    let failed = run(&["-y", "-d", &database.dsn(SUPERUSER), "-u", MASTER]);
    assert_eq!(failed.code, 1);
    assert!(failed.stderr.contains("another session"), "{}", failed.stderr);
}

fn older(sql: &'static str) -> [Update; 2] {
    const FIRST: &[Script] = &[Script { name: "first", sql: "CREATE TABLE piw.first (n integer)" }];
    let second = vec![Script { name: "second", sql: "SELECT" }, Script { name: "third", sql }];
    [
        Update { from: -1, to: 0, scripts: FIRST, derive: false },
        Update { from: 0, to: SCHEMA_VERSION, scripts: second.leak(), derive: true },
    ]
}

#[test]
fn an_upgrade_walks_its_steps_renews_the_functions_and_keeps_roles_and_rows() {
    let database = Cluster::shared().database();
    let mut superuser = database.superuser();
    superuser
        .batch_execute(
            "ALTER TABLE piw.meta DROP CONSTRAINT meta_schema_version_check; UPDATE piw.meta SET schema_version = -1;
             INSERT INTO piw.package (name, display) VALUES ('foo', 'Foo');
             CREATE FUNCTION piw.outdated() RETURNS void LANGUAGE sql AS ''; DROP FUNCTION piw.abis;
             CREATE ROLE later LOGIN",
        )
        .unwrap();
    let steps = older("ALTER TABLE piw.first ADD COLUMN m integer");
    initdb::upgrade(&mut superuser, -1, &steps, "later").unwrap();
    superuser.batch_execute("SELECT n, m FROM piw.first").unwrap();
    assert_eq!(number(&database, "SELECT count(*) FROM piw.package"), 1);
    assert_eq!(number(&database, "SELECT count(*) FROM pg_proc WHERE proname = 'outdated'"), 0);
    for role in [MASTER, "later"] {
        let mut client = database.config(role).connect(postgres::NoTls).unwrap();
        client.query("SELECT * FROM piw.abis()", &[]).unwrap();
        let version: i32 = client.query_one("SELECT piw.schema_version()", &[]).unwrap().get(0);
        assert_eq!(version, SCHEMA_VERSION);
    }
}

#[test]
fn an_upgrade_that_fails_leaves_the_database_as_it_was() {
    let database = Cluster::shared().database();
    let mut superuser = database.superuser();
    superuser
        .batch_execute(
            "ALTER TABLE piw.meta DROP CONSTRAINT meta_schema_version_check; UPDATE piw.meta SET schema_version = -1",
        )
        .unwrap();
    let error = initdb::upgrade(&mut superuser, -1, &older("SELECT 1 / 0"), MASTER).unwrap_err();
    assert!(error.to_string().contains("third") && error.to_string().contains("division"), "{error}");
    assert_eq!(number(&database, "SELECT schema_version::bigint FROM piw.meta"), -1);
    assert_eq!(number(&database, "SELECT count(*) FROM pg_class WHERE relname = 'first'"), 0);
    database.master().query("SELECT * FROM piw.abis()", &[]).unwrap();
}
