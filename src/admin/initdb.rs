//! Makes the farm's tables in a database that exists, brings older ones up to date, takes over what the original program
//! has there (`takeover.rs`), and admits the master's role.
//! In: a DSN that connects as super-user, the name of an ordinary role, and somebody to ask and to tell. Out: a database
//! of this software's schema version, or an unchanged one: everything happens in one transaction. Creates neither
//! databases nor login roles, and knows nothing of how the answer to its question is got.

use std::fmt;

use postgres::error::SqlState;
use postgres::{Client, NoTls, Transaction};

use super::takeover::{self, Original, TakenOver};
use crate::dsn;
use crate::schema::{self, SCHEMA_VERSION, Script, Update};
use crate::seat::{self, Lock};

/// Owns the schema and everything in it; nobody logs in as this.
pub const OWNER: &str = "piw_owner";

/// How long to wait for another piw-initdb, or for a session that uses the tables: a running master, a dump.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '5s'";

/// Held while the schema changes; two numbers that nothing else in the database locks.
const LOCK: &str = "SELECT pg_advisory_xact_lock(7303, 1)";

/// Whatever the server's settings are: what this does takes minutes in a large database. Sorting and joining in memory
/// is most of it.
const SESSION: &str = "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET jit = off;
    SET work_mem = '64MB'; SET maintenance_work_mem = '256MB'";

/// What to do, to which database, for whom.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The database, as super-user.
    pub dsn: String,
    /// The ordinary role that the master connects as.
    pub user: String,
}

/// How it ended, when it did not fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// The database was current, and the role admitted.
    AlreadyCurrent,
    /// The tables were made.
    Created,
    /// They were brought up from this version.
    Upgraded(i32),
    /// The tables were made and filled with what the original program had.
    TakenOver(TakenOver),
    /// They were current; one more role was admitted.
    Admitted,
    /// The user said no; nothing was changed.
    Declined,
}

/// How long a host may take to let somebody connect, unless the DSN says otherwise.
const CONNECT_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);

/// Why it failed: one line that says what to do. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(pub(super) String);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

/// What is in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Nothing,
    Original(Original),
    Version(i32),
}

/// Runs the checks, asks, and does it. `ask` gets a question that is answered with yes or no, and is called at most
/// once, before anything is changed. `tell` gets a line every few seconds while it takes long.
pub fn run(
    settings: &Settings,
    ask: &mut dyn FnMut(&str) -> bool,
    tell: &mut dyn FnMut(&str),
) -> Result<Done, Error> {
    let mut config = dsn::parse(&settings.dsn).map_err(|bad| Error(bad.to_string()))?;
    if config.get_application_name().is_none() {
        config.application_name("piw-initdb");
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_TIMEOUT);
    }
    let mut client = config.connect(NoTls).map_err(|error| unreachable(&config, &error))?;
    client.batch_execute(SESSION).map_err(failed)?;
    check_roles(&mut client, &settings.user)?;
    let found = detect(&mut client)?;
    let database = config.get_dbname().unwrap_or_default();
    let user = &settings.user;
    let question = match found {
        Found::Nothing => format!("Make the farm's tables in database {database}, for role {user}?"),
        Found::Original(original) => original.question(database, user),
        Found::Version(SCHEMA_VERSION) if is_admitted(&mut client, user)? => return Ok(Done::AlreadyCurrent),
        Found::Version(SCHEMA_VERSION) => format!("Database {database} is current. Admit role {user} to it?"),
        Found::Version(old) => format!(
            "Bring database {database} from version {old} to {SCHEMA_VERSION}, for role {user}? \
             (Stop the master and take a backup first.)"
        ),
    };
    let steps = steps_from(found, schema::UPDATES)?;
    if changes_tables(found) {
        check_no_master(&mut client)?;
    }
    if !ask(&question) {
        return Ok(Done::Declined);
    }
    apply(&mut client, found, &steps, user, tell)
}

/// Brings a database from a version to this software's by the given steps, in one transaction. For tests of the way
/// itself, which need steps that fail.
pub fn upgrade(client: &mut Client, from: i32, updates: &[Update], user: &str) -> Result<(), Error> {
    let found = Found::Version(from);
    let steps = steps_from(found, updates)?;
    apply(client, found, &steps, user, &mut |_| {}).map(drop)
}

fn unreachable(config: &postgres::Config, error: &postgres::Error) -> Error {
    let place = dsn::describe(config);
    let database = config.get_dbname().unwrap_or_default();
    if error.code() == Some(&SqlState::INVALID_CATALOG_NAME) {
        return Error(format!(
            "database {database} does not exist; make it as the PostgreSQL super-user with: createdb {database}"
        ));
    }
    Error(format!(
        "cannot connect to {place}: {} (is PostgreSQL running, and is the DSN right?)",
        describe(error)
    ))
}

fn check_roles(client: &mut Client, user: &str) -> Result<(), Error> {
    let role = client
        .query_one("SELECT rolname::text, rolsuper FROM pg_roles WHERE rolname = current_user", &[])
        .map_err(failed)?;
    if !role.try_get::<_, bool>(1).map_err(failed)? {
        let name: String = role.try_get(0).map_err(failed)?;
        return Err(Error(format!(
            "role {name} is not a super-user; connect as one, e.g. run piw-initdb from the account postgres"
        )));
    }
    let target =
        client.query_opt("SELECT rolsuper FROM pg_roles WHERE rolname = $1", &[&user]).map_err(failed)?;
    match target.map(|row| row.try_get::<_, bool>(0)).transpose().map_err(failed)? {
        None => Err(Error(format!("role {user} does not exist; make it with: createuser {user}"))),
        Some(true) => Err(Error(format!(
            "role {user} is a super-user, and the master must not be; name an ordinary role with -u (createuser piwheels)"
        ))),
        Some(false) if user == OWNER => {
            Err(Error(format!("role {OWNER} owns the tables and must not log in; name another role with -u")))
        }
        Some(false) => Ok(()),
    }
}

fn detect(client: &mut impl postgres::GenericClient) -> Result<Found, Error> {
    let row = client
        .query_one("SELECT to_regnamespace('piw') IS NOT NULL, to_regclass('piw.meta') IS NOT NULL", &[])
        .map_err(failed)?;
    let (has_schema, has_meta): (bool, bool) =
        (row.try_get(0).map_err(failed)?, row.try_get(1).map_err(failed)?);
    if !has_schema {
        return Ok(takeover::find(client)?.map_or(Found::Nothing, Found::Original));
    }
    let foreign = || {
        Error(
            "the database has a schema \"piw\" that is not the farm's; rename it or use another database"
                .to_owned(),
        )
    };
    if !has_meta {
        return Err(foreign());
    }
    let row = client.query_opt("SELECT schema_version FROM piw.meta", &[]).map_err(|_| foreign())?;
    let version: i32 = row.ok_or_else(foreign)?.try_get(0).map_err(|_| foreign())?;
    if version > SCHEMA_VERSION {
        return Err(Error(format!(
            "the database has version {version}, newer than this software's {SCHEMA_VERSION}; there is no way back, \
             install the newer piwheels"
        )));
    }
    Ok(Found::Version(version))
}

fn is_admitted(client: &mut Client, user: &str) -> Result<bool, Error> {
    let row = client.query_one("SELECT piw._is_admitted($1::text::name)", &[&user]).map_err(failed)?;
    row.try_get(0).map_err(failed)
}

fn steps_from(found: Found, updates: &[Update]) -> Result<Vec<Update>, Error> {
    let Found::Version(version) = found else { return Ok(Vec::new()) };
    schema::path(updates, version, SCHEMA_VERSION).ok_or_else(|| {
        Error(format!(
            "there is no way from version {version} to {SCHEMA_VERSION}; install a piwheels in between first"
        ))
    })
}

fn apply(
    client: &mut Client,
    found: Found,
    steps: &[Update],
    user: &str,
    tell: &mut dyn FnMut(&str),
) -> Result<Done, Error> {
    let mut transaction = client.transaction().map_err(failed)?;
    transaction.batch_execute(LOCK_TIMEOUT).map_err(failed)?;
    transaction.batch_execute(LOCK).map_err(failed)?;
    if changes_tables(found) {
        take_seat(&mut transaction)?;
    }
    if detect(&mut transaction)? != found {
        return Err(Error("the database was changed while this piw-initdb asked; run it again".to_owned()));
    }
    let done = match found {
        Found::Nothing => {
            create(&mut transaction)?;
            Done::Created
        }
        Found::Original(original) => {
            check_nobody_works(&mut transaction, user)?;
            takeover::lock(&mut transaction)?;
            create(&mut transaction)?;
            Done::TakenOver(takeover::run(&mut transaction, &original, tell)?)
        }
        Found::Version(SCHEMA_VERSION) => Done::Admitted,
        Found::Version(old) => {
            check_nobody_works(&mut transaction, user)?;
            update(&mut transaction, steps, tell)?;
            Done::Upgraded(old)
        }
    };
    transaction.query_one("SELECT piw._admit($1::text::name)", &[&user]).map_err(failed)?;
    transaction.commit().map_err(failed)?;
    Ok(done)
}

/// Whether a master that works on them would be in the way.
fn changes_tables(found: Found) -> bool {
    matches!(found, Found::Original(_)) || matches!(found, Found::Version(old) if old != SCHEMA_VERSION)
}

/// Refuses, before anything is asked, while a master works on the database.
fn check_no_master(client: &mut impl postgres::GenericClient) -> Result<(), Error> {
    let holders = seat::holders(client, Lock::Seat).map_err(failed)?;
    holders.first().map_or(Ok(()), |holder| {
        Err(Error(format!("the database has its master: {holder}; stop it and run this again")))
    })
}

/// Has the master's seat until the transaction ends: none starts meanwhile.
fn take_seat(transaction: &mut Transaction<'_>) -> Result<(), Error> {
    let (space, number) = Lock::Seat.keys();
    let row = transaction
        .query_one("SELECT pg_try_advisory_xact_lock($1, $2)", &[&space, &number])
        .map_err(failed)?;
    if row.try_get(0).map_err(failed)? {
        return Ok(());
    }
    check_no_master(transaction)?;
    Err(Error("a master of the database has just ended; run this again".to_owned()))
}

/// A master that is of another software, or holds no lock, would go on with what it knew of the tables.
fn check_nobody_works(transaction: &mut Transaction<'_>, user: &str) -> Result<(), Error> {
    let sql = "SELECT usename::text, application_name FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
            AND (usename = $1::text::name OR application_name LIKE 'piw-master%')
        ORDER BY backend_start LIMIT 1";
    let Some(row) = transaction.query_opt(sql, &[&user]).map_err(failed)? else { return Ok(()) };
    let (role, program): (String, String) =
        (row.try_get(0).map_err(failed)?, row.try_get(1).map_err(failed)?);
    Err(Error(format!(
        "{} is connected to the database as {role}; stop it and run this again",
        if program.is_empty() { "a program" } else { &program }
    )))
}

fn create(transaction: &mut Transaction<'_>) -> Result<(), Error> {
    let owner = transaction
        .query_opt("SELECT rolcanlogin OR rolsuper FROM pg_roles WHERE rolname = $1", &[&OWNER])
        .map_err(failed)?;
    match owner.map(|row| row.try_get::<_, bool>(0)).transpose().map_err(failed)? {
        None => transaction.batch_execute(&format!("CREATE ROLE {OWNER} NOLOGIN")).map_err(failed)?,
        Some(false) => {}
        Some(true) => {
            return Err(Error(format!(
                "role {OWNER} can log in or is a super-user; mend it with: ALTER ROLE {OWNER} NOLOGIN NOSUPERUSER"
            )));
        }
    }
    transaction
        .batch_execute(&format!("CREATE SCHEMA piw AUTHORIZATION {OWNER}; SET LOCAL ROLE {OWNER}"))
        .map_err(failed)?;
    schema::TABLES.iter().try_for_each(|script| run_script(transaction, script))?;
    transaction
        .execute("INSERT INTO piw.meta (schema_version) VALUES ($1)", &[&SCHEMA_VERSION])
        .map_err(failed)?;
    schema::FUNCTIONS.iter().try_for_each(|script| run_script(transaction, script))?;
    transaction.batch_execute("RESET ROLE").map_err(failed)
}

/// Drops the old functions and views, walks the steps over the tables, and makes the functions anew: a function's file is then
/// always the whole truth of it. Whoever was admitted is admitted to the new ones.
fn update(
    transaction: &mut Transaction<'_>,
    steps: &[Update],
    tell: &mut dyn FnMut(&str),
) -> Result<(), Error> {
    let admitted = transaction
        .query(
            "SELECT DISTINCT r.rolname::text FROM pg_namespace n, aclexplode(n.nspacl) a JOIN pg_roles r ON r.oid = a.grantee
             WHERE n.nspname = 'piw' AND a.grantee <> n.nspowner",
            &[],
        )
        .map_err(failed)?;
    transaction.batch_execute(&format!("SET LOCAL ROLE {OWNER}; {DROP_FUNCTIONS}")).map_err(failed)?;
    for step in steps {
        log::info!("from version {} to {}", step.from, step.to);
        step.scripts.iter().try_for_each(|script| run_script(transaction, script))?;
    }
    transaction
        .execute("UPDATE piw.meta SET schema_version = $1, changed_at = now()", &[&SCHEMA_VERSION])
        .map_err(failed)?;
    schema::FUNCTIONS.iter().try_for_each(|script| run_script(transaction, script))?;
    if steps.iter().any(|step| step.derive) {
        tell("working out anew how far each version is");
        derive(transaction)?;
    }
    transaction.batch_execute("RESET ROLE").map_err(failed)?;
    for row in &admitted {
        let role: String = row.try_get(0).map_err(failed)?;
        transaction.query_one("SELECT piw._admit($1::text::name)", &[&role]).map_err(failed)?;
    }
    Ok(())
}

/// Everything that is kept for speed, from what it follows from; see `sql/functions/_derive.sql`.
pub(super) fn derive(transaction: &mut Transaction<'_>) -> Result<(), Error> {
    transaction.batch_execute("SELECT piw._derive()").map_err(failed)
}

const DROP_FUNCTIONS: &str = "DO $$
    DECLARE f regprocedure; v name;
    BEGIN
        FOR v IN SELECT relname FROM pg_class WHERE relnamespace = 'piw'::regnamespace AND relkind = 'v' LOOP
            EXECUTE format('DROP VIEW IF EXISTS piw.%I CASCADE', v);
        END LOOP;
        FOR f IN SELECT oid FROM pg_proc WHERE pronamespace = 'piw'::regnamespace LOOP
            EXECUTE format('DROP FUNCTION %s', f);
        END LOOP;
    END $$";

pub(super) fn run_script(transaction: &mut Transaction<'_>, script: &Script) -> Result<(), Error> {
    log::info!("{}", script.name);
    transaction.batch_execute(script.sql).map_err(|error| match failed(error) {
        Error(text) => Error(format!("{}: {text}", script.name)),
    })
}

pub(super) fn failed(error: postgres::Error) -> Error {
    if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) {
        return Error(
            "another session uses the farm's tables (a master, a dump, another piw-initdb); stop it and run this again"
                .to_owned(),
        );
    }
    Error(format!("the database did not do it, nothing was changed: {}", describe(&error)))
}

fn describe(error: &postgres::Error) -> String {
    match (error.as_db_error(), std::error::Error::source(error)) {
        (Some(db), _) => db.message().to_owned(),
        (None, Some(cause)) => format!("{error}: {cause}"),
        (None, None) => error.to_string(),
    }
}
