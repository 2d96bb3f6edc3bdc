//! The master's role may call the functions and do nothing else.

use piwheels::master::oracle;
use postgres::NoTls;
use postgres::error::SqlState;

use crate::farm::Farm;
use crate::kit::cluster::{Cluster, MASTER, SUPERUSER};

#[test]
fn the_masters_role_may_call_these_functions_and_no_others() {
    let mut farm = Farm::with_abis(&[]);
    let callable = farm.texts(&format!(
        "SELECT proname::text FROM pg_proc WHERE pronamespace = 'piw'::regnamespace
         AND has_function_privilege('{MASTER}', oid, 'EXECUTE') ORDER BY proname"
    ));
    assert_eq!(
        callable,
        [
            "abi_report",
            "abis",
            "add_abi",
            "add_versions",
            "adopt",
            "audit",
            "audit_builds",
            "audit_project",
            "audit_projects",
            "audit_root",
            "audit_strangers",
            "begin_import",
            "block",
            "claim",
            "deps_due",
            "deps_found",
            "drop_downloads",
            "feed_apply",
            "feed_compare",
            "feed_listed",
            "feed_report",
            "feed_state",
            "files_known",
            "home",
            "learn_page",
            "left_behind",
            "log_build",
            "log_downloads",
            "log_import",
            "mend",
            "order_home",
            "page_unread",
            "pages_due",
            "policy_report",
            "queue_sizes",
            "rebuild",
            "release",
            "remove",
            "renew",
            "requeue",
            "requirement_done",
            "requirements_due",
            "retire_abi",
            "rewrites_done",
            "rewrites_due",
            "rewrites_failed",
            "roll_popularity",
            "root_names",
            "schema_version",
            "set_policy",
            "skip",
            "statistics",
            "sweep",
            "unblock",
            "unclaimed",
            "unskip",
            "version_name",
            "walk",
            "why",
            "withhold",
        ]
    );
    for call in ["_open_next(1)", "_admit('farm')", "_order_page(0)"] {
        let error = farm.client.batch_execute(&format!("SELECT piw.{call}")).unwrap_err();
        assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{call}");
    }
}

#[test]
fn the_masters_role_can_neither_read_nor_write_a_table() {
    let mut farm = Farm::with_abis(&[]);
    let tables = farm.texts(
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'piw'::regnamespace AND relkind IN ('r', 'p')",
    );
    assert!(tables.len() > 10);
    for table in tables {
        for statement in [
            format!("SELECT * FROM piw.{table}"),
            format!("DELETE FROM piw.{table}"),
            format!("DROP TABLE piw.{table}"),
        ] {
            let error = farm.client.batch_execute(&statement).expect_err(&statement);
            assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{statement}");
        }
    }
    let error = farm.client.batch_execute("SELECT nextval('piw.build_id_seq')").unwrap_err();
    assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE));
}

#[test]
fn everything_is_owned_by_a_role_that_cannot_log_in_and_run_with_a_fixed_path() {
    let mut farm = Farm::with_abis(&[]);
    let strays = farm.texts(
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'piw'::regnamespace AND relowner <> 'piw_owner'::regrole
         UNION ALL
         SELECT proname::text FROM pg_proc WHERE pronamespace = 'piw'::regnamespace AND (proowner <> 'piw_owner'::regrole
             -- one that names no table may be expanded in place instead
             OR (NOT coalesce(proconfig @> ARRAY['search_path=piw, pg_temp'], false)
                 AND proname NOT IN ('_abi3_serves', '_like', '_settles'))
             OR (proname NOT LIKE '\\_%' AND NOT prosecdef))",
    );
    assert_eq!(strays, Vec::<String>::new());
    assert!(farm.database.config("piw_owner").connect(NoTls).is_err());
}

#[test]
fn a_stranger_may_do_nothing() {
    let database = Cluster::shared().database();
    let mut superuser = database.superuser();
    superuser.batch_execute(&format!("CREATE ROLE {} LOGIN", database.name)).unwrap();
    let mut stranger = database.config(&database.name).connect(NoTls).unwrap();
    let error = stranger.batch_execute("SELECT piw.schema_version()").unwrap_err();
    assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE));
    let message = oracle::check_schema(&mut stranger).unwrap_err();
    assert!(message.contains("may not use") && message.contains("piw-initdb"), "{message}");
}

#[test]
fn the_master_takes_a_database_of_its_own_version_only() {
    let cluster = Cluster::shared();
    let database = cluster.database();
    let mut master = database.master();
    assert_eq!(oracle::check_schema(&mut master), Ok(()));
    for (version, word) in [(0, "run piw-initdb"), (999, "install the newer")] {
        database.superuser().execute("UPDATE piw.meta SET schema_version = $1", &[&version]).unwrap();
        let message = oracle::check_schema(&mut master).unwrap_err();
        assert!(message.contains(word), "{message}");
    }
    let empty = cluster.empty_database();
    let message = oracle::check_schema(&mut empty.config(SUPERUSER).connect(NoTls).unwrap()).unwrap_err();
    assert!(message.contains("not been set up") && message.contains("piw-initdb"), "{message}");
}
