//! Puts a question to the database and reads its answer: one SQL call per [`Query`]. Knows the signatures of
//! `sql/functions/` and nothing of what they do, of threads, pools or repeating; the caller repeats what
//! [`Failure::Again`] says.
//!
//! Statements are prepared once per session ([`Session`]); the plans inside the functions the server keeps, too.

use std::time::Duration;

use postgres::config::Config;
use postgres::error::{DbError, SqlState};
use postgres::types::{FromSqlOwned, ToSql, Type};
use postgres::{Client, Row};

use super::failpoint;
use super::query::{Adoption, Answer, BuildRecord, FileRecord, Job, Logged, Order, Query, Swept};
use crate::domain::{AbiTag, BuildId, JobToken, ProjectName, Sha256, Version};
use crate::schema::SCHEMA_VERSION;

mod audit;
mod downloads;
mod follow;
mod imports;
mod lists;
mod orders;
mod pages;
mod requirements;
mod session;

pub use session::Session;

/// Limit of one call, in milliseconds: far above what any takes on a healthy server.
const STATEMENT_TIMEOUT_MS: u32 = 5_000;

/// Limit of a session that sits in a transaction, in milliseconds: it would hold locks and keep dead rows alive.
const IDLE_IN_TRANSACTION_MS: u32 = 30_000;

/// A session keeps the plans of its first calls, and those may be made while a farm is empty, when reading a whole table is
/// cheapest: then it would read it whole for every job of a hundred thousand, until something has the table analysed. All that
/// is asked has an index; what has none (`audit.sql`) is planned as ever.
const PLANS: &str = "-c enable_seqscan=off";

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The trouble is not in what was asked: the database was not reached, is read-only, out of disk or being upgraded,
    /// chose this call to break a deadlock, or answered what nobody can read. Ask again, with back-off, on a new
    /// connection if this one is closed; and say so in the log when that does not help.
    Again(String),
    /// It will not have these values, ever. Finished builds are given up for this, so nothing else is.
    Refused(String),
}

/// Limits that make a lost server noticed where the operator's DSN sets none: for a connection to stand, for silence
/// before it is probed, and for bytes that are sent and not acknowledged.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);
/// What the driver has for the second when the DSN sets nothing.
const DRIVERS_KEEPALIVE_IDLE: Duration = Duration::from_secs(2 * 60 * 60);

/// Sets what every session of the master has, before it connects.
pub fn configure(config: &mut Config) {
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_TIMEOUT);
    }
    if config.get_keepalives_idle() == DRIVERS_KEEPALIVE_IDLE {
        config.keepalives_idle(KEEPALIVE_IDLE);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(UNACKNOWLEDGED);
    }
    let given = config.get_options().unwrap_or_default();
    let options = format!(
        "{given} -c statement_timeout={STATEMENT_TIMEOUT_MS} \
         -c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_MS} {PLANS}"
    );
    config.options(options.trim_start());
    if config.get_application_name().is_none() {
        config.application_name("piw-master");
    }
}

/// Whether the role is an ordinary one (manual 2.2): a super-user could do what the functions are there to prevent. Else
/// a line that says what to do.
pub fn check_role(client: &mut Client) -> Result<(), String> {
    let sql = "SELECT rolname::text FROM pg_roles WHERE rolsuper AND rolname IN (current_user, session_user)";
    let rows = client
        .query_typed(sql, &[])
        .map_err(|error| format!("cannot read the role's rights: {}", describe(&error)))?;
    match rows.first().map(|row| row.try_get::<_, String>(0).unwrap_or_default()) {
        None => Ok(()),
        Some(name) => Err(format!(
            "the role {name} is a super-user, and the master's must not be: name the one that piw-initdb admitted \
             (-d postgres://NAME@/DATABASE)"
        )),
    }
}

/// Whether the database is one this software works with; else a line that says what to do.
pub fn check_schema(client: &mut Client) -> Result<(), String> {
    let mend = "run piw-initdb as the PostgreSQL super-user (with -d DSN, and -u NAME for the master's role)";
    let found = match client.query_typed("SELECT piw.schema_version()", &[]) {
        Ok(rows) => rows.first().and_then(|row| row.try_get::<_, i32>(0).ok()),
        Err(error) => match error.code() {
            Some(&SqlState::INVALID_SCHEMA_NAME | &SqlState::UNDEFINED_FUNCTION) => None,
            Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
                return Err(format!("the master's role may not use the database: {mend}"));
            }
            _ => return Err(format!("cannot read the database's version: {}", describe(&error))),
        },
    };
    match found {
        Some(SCHEMA_VERSION) => Ok(()),
        Some(version) if version > SCHEMA_VERSION => Err(format!(
            "the database has version {version}, newer than this master's {SCHEMA_VERSION}: install the newer piwheels"
        )),
        Some(version) => {
            Err(format!("the database has version {version}, this master needs {SCHEMA_VERSION}: {mend}"))
        }
        None => Err(format!("the database has not been set up: {mend}")),
    }
}

/// Asks the database. Blocks until it answers or the session's limit is reached.
pub fn execute(client: &mut Session, query: &Query) -> Result<Answer, Failure> {
    if matches!(query, Query::LogBuild(_) | Query::LogImport(_)) {
        failpoint::at("commit.begins");
    }
    let answer = ask_for(client, query);
    if answer.is_ok()
        && let Some(point) = done(query)
    {
        failpoint::at(point);
    }
    answer
}

/// Where a crash test has the master end when such a question was answered, and nobody knows yet.
fn done(query: &Query) -> Option<&'static str> {
    match query {
        Query::Claim { .. } => Some("claim.done"),
        Query::LogBuild(_) | Query::LogImport(_) => Some("commit.done"),
        Query::RewritesDone(_) => Some("order.struck"),
        Query::Order(order) if matches!(**order, Order::Remove(_)) => Some("remove.done"),
        _ => None,
    }
}

fn ask_for(client: &mut Session, query: &Query) -> Result<Answer, Failure> {
    match query {
        Query::Abis => lists::abis(client).map(Answer::Abis),
        Query::AddAbi { abi, rank, platforms } => lists::add_abi(client, abi, *rank, platforms),
        Query::AddVersions { wanted, deps } => lists::add_versions(client, wanted, *deps),
        Query::Walk { limit } => lists::walk(client, *limit),
        Query::Claim { abi, slave, secret, lease_secs, class } => {
            claim(client, abi, slave, *secret, *lease_secs, *class)
        }
        Query::Renew { builds, lease_secs } => {
            let numbers: Vec<i64> = builds.iter().map(|build| build.0).collect();
            let seconds = to_i32(*lease_secs);
            ask(client, "SELECT piw.renew($1, $2)", &[(&numbers, Type::INT8_ARRAY), (&seconds, Type::INT4)])?;
            Ok(Answer::Renewed)
        }
        Query::Adopt { token, slave, lease_secs } => adopt(client, *token, slave, *lease_secs),
        Query::Release(token) => {
            let row = ask_one(
                client,
                "SELECT piw.release($1, $2)",
                &[(&token.build.0, Type::INT8), (&&token.secret[..], Type::BYTEA)],
            )?;
            Ok(Answer::Released(optional_abi(&row, 0)?))
        }
        Query::FilesKnown(filenames) => {
            let sql = "SELECT filename, sha256 FROM piw.files_known($1)";
            let rows = ask(client, sql, &[(filenames, Type::TEXT_ARRAY)])?;
            let known = rows.iter().map(|row| Ok((read(row, 0)?, sha256(&read::<Vec<u8>>(row, 1)?)?)));
            Ok(Answer::FilesKnown(known.collect::<Result<_, Failure>>()?))
        }
        Query::LogBuild(record) => log_build(client, record),
        Query::BeginImport(plan) => imports::begin(client, plan),
        Query::LogImport(record) => imports::log(client, record),
        Query::Sweep => sweep(client),
        Query::RewritesDue { limit, except } => pages::rewrites_due(client, *limit, except),
        Query::RewritesDone(orders) => pages::tell(client, "SELECT piw.rewrites_done($1, $2, $3)", orders),
        Query::RewritesFailed(orders) => {
            pages::tell(client, "SELECT piw.rewrites_failed($1, $2, $3)", orders)
        }
        Query::RootNames { after, limit } => pages::root_names(client, after.as_deref(), *limit),
        Query::OrderHome => {
            ask(client, "SELECT piw.order_home()", &[])?;
            Ok(Answer::HomeOrdered)
        }
        Query::Home => pages::home(client),
        Query::Why { package, version } => {
            let key = version.as_ref().map(Version::sort_key);
            let row = ask_one(
                client,
                "SELECT piw.why($1, $2)",
                &[(&package.as_str(), Type::TEXT), (&key, Type::BYTEA)],
            )?;
            Ok(Answer::Why(read(&row, 0)?))
        }
        Query::PagesDue { limit, ahead } => follow::pages_due(client, *limit, *ahead),
        Query::LearnPage { package, truth, next_secs } => {
            follow::learn_page(client, package, truth, *next_secs)
        }
        Query::PageUnread { package, news, next_secs } => {
            follow::page_unread(client, package, *news, *next_secs)
        }
        Query::FeedState => follow::feed_state(client),
        Query::FeedApply { serial, settled, events } => follow::feed_apply(client, *serial, *settled, events),
        Query::FeedCompare { projects, after, serial_read, unheard } => {
            follow::feed_compare(client, projects, after.as_ref(), *serial_read, *unheard)
        }
        Query::FeedListed(etag) => {
            ask(client, "SELECT piw.feed_listed($1)", &[(etag, Type::TEXT)])?;
            Ok(Answer::Noted)
        }
        Query::DepsDue(limit) => requirements::deps_due(client, *limit),
        Query::DepsFound { order, of, requirements } => {
            requirements::deps_found(client, *order, of, requirements)
        }
        Query::RequirementsDue(limit) => requirements::requirements_due(client, *limit),
        Query::RequirementDone { requirement, end } => {
            requirements::requirement_done(client, *requirement, end)
        }
        Query::Statistics => lists::statistics(client).map(|found| Answer::Statistics(Box::new(found))),
        Query::Figures => lists::figures(client),
        Query::Audit { mend } => lists::audit(client, *mend),
        Query::LogDownloads { batch, downloads } => downloads::log(client, batch, downloads),
        Query::RollPopularity { limit } => downloads::roll_popularity(client, *limit),
        Query::Order(order) => orders::order(client, order),
        Query::Report(report) => orders::report(client, *report),
        Query::Look(look) => audit::look(client, look),
        Query::TreeOrder(order) => audit::order(client, order),
        Query::Unclaimed { project, names } => audit::unclaimed(client, project, names),
    }
}

fn claim(
    client: &mut Session,
    abi: &AbiTag,
    slave: &str,
    secret: [u8; 16],
    lease_secs: u32,
    class: u8,
) -> Result<Answer, Failure> {
    let sql = "SELECT build_id, package, version, attempt, build_tag FROM piw.claim($1, $2, $3, $4, $5)";
    let rows = ask(
        client,
        sql,
        &[
            (&abi.as_str(), Type::TEXT),
            (&slave, Type::TEXT),
            (&&secret[..], Type::BYTEA),
            (&to_i32(lease_secs), Type::INT4),
            (&i16::from(class), Type::INT2),
        ],
    )?;
    let Some(row) = rows.first() else { return Ok(Answer::Claimed(None)) };
    let token = JobToken { build: BuildId(read(row, 0)?), secret };
    Ok(Answer::Claimed(Some(Job {
        token,
        package: package(&read::<String>(row, 1)?)?,
        version: version(&read::<String>(row, 2)?)?,
        abi: abi.clone(),
        attempt: attempt(read(row, 3)?)?,
        build_tag: build_tag(read(row, 4)?)?,
    })))
}

fn adopt(client: &mut Session, token: JobToken, slave: &str, lease_secs: u32) -> Result<Answer, Failure> {
    let sql = "SELECT verdict, package, version, abi, attempt, build_tag FROM piw.adopt($1, $2, $3, $4)";
    let row = ask_one(
        client,
        sql,
        &[
            (&token.build.0, Type::INT8),
            (&&token.secret[..], Type::BYTEA),
            (&slave, Type::TEXT),
            (&to_i32(lease_secs), Type::INT4),
        ],
    )?;
    let job = || {
        Ok(Job {
            token,
            package: package(&read::<String>(&row, 1)?)?,
            version: version(&read::<String>(&row, 2)?)?,
            abi: abi(&read::<String>(&row, 3)?)?,
            attempt: attempt(read(&row, 4)?)?,
            build_tag: build_tag(read(&row, 5)?)?,
        })
    };
    Ok(Answer::Adopted(match read::<String>(&row, 0)?.as_str() {
        "live" => Adoption::Live(job()?),
        "late" => Adoption::Late(job()?),
        "recorded" => Adoption::Recorded,
        "unknown" => Adoption::Unknown,
        other => return Err(odd(other)),
    }))
}

fn log_build(client: &mut Session, record: &BuildRecord) -> Result<Answer, Failure> {
    let files = Columns::of(&record.files)?;
    let sql = "SELECT verdict, opened FROM piw.log_build($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, \
               $15, $16::jsonb)";
    let report = record.report.as_ref().map(serde_json::to_string).transpose();
    let report = report.map_err(|error| Failure::Refused(format!("the report: {error}")))?;
    let recorded = ask_one(
        client,
        sql,
        &[
            (&record.token.build.0, Type::INT8),
            (&&record.token.secret[..], Type::BYTEA),
            (&record.slave, Type::TEXT),
            (&record.outcome.name(), Type::TEXT),
            (&saturated(record.duration_ms), Type::INT8),
            (&saturated(record.log_bytes), Type::INT8),
            (&files.filenames, Type::TEXT_ARRAY),
            (&files.sizes, Type::INT8_ARRAY),
            (&files.sha256s, Type::BYTEA_ARRAY),
            (&files.python_tags, Type::TEXT_ARRAY),
            (&files.abi_tags, Type::TEXT_ARRAY),
            (&files.platform_tags, Type::TEXT_ARRAY),
            (&files.requires, Type::TEXT_ARRAY),
            (&files.metadata, Type::BYTEA_ARRAY),
            (&files.requires_dist, Type::TEXT_ARRAY),
            (&report, Type::TEXT),
        ],
    );
    let row = or_left_behind(client, recorded, &record.files)?;
    Ok(Answer::Logged(match read::<String>(&row, 0)?.as_str() {
        "recorded" => Logged::Recorded { opened: optional_abi(&row, 1)? },
        "duplicate" => Logged::Duplicate,
        "superseded" => Logged::Superseded,
        "unknown" => Logged::Unknown,
        other => return Err(odd(other)),
    }))
}

/// What became of a result; where it was refused, its files are in place for nothing.
fn or_left_behind(
    client: &mut Session,
    recorded: Result<Row, Failure>,
    files: &[FileRecord],
) -> Result<Row, Failure> {
    if matches!(recorded, Err(Failure::Refused(_))) && !files.is_empty() {
        let names: Vec<&str> = files.iter().map(|file| file.filename.as_str()).collect();
        ask(client, "SELECT piw.left_behind($1)", &[(&names, Type::TEXT_ARRAY)])?;
    }
    recorded
}

/// Files as lists of their columns, which is how functions take them.
struct Columns<'a> {
    filenames: Vec<&'a str>,
    sizes: Vec<i64>,
    sha256s: Vec<&'a [u8]>,
    python_tags: Vec<&'a str>,
    abi_tags: Vec<&'a str>,
    platform_tags: Vec<&'a str>,
    requires: Vec<Option<&'a str>>,
    metadata: Vec<&'a [u8]>,
    requires_dist: Vec<String>,
}

impl<'a> Columns<'a> {
    fn of(files: &'a [FileRecord]) -> Result<Self, Failure> {
        let size = |bytes: u64| {
            i64::try_from(bytes).map_err(|_| Failure::Refused(format!("{bytes} is out of range")))
        };
        Ok(Self {
            filenames: files.iter().map(|f| f.filename.as_str()).collect(),
            sizes: files.iter().map(|f| size(f.size)).collect::<Result<_, Failure>>()?,
            sha256s: files.iter().map(|f| &f.sha256.0[..]).collect(),
            python_tags: files.iter().map(|f| f.python_tag.as_str()).collect(),
            abi_tags: files.iter().map(|f| f.abi_tag.as_str()).collect(),
            platform_tags: files.iter().map(|f| f.platform_tag.as_str()).collect(),
            requires: files.iter().map(|f| f.requires_python.as_deref()).collect(),
            metadata: files.iter().map(|f| &f.metadata_sha256.0[..]).collect(),
            requires_dist: files.iter().map(|f| f.requires_dist.join("\n")).collect(),
        })
    }
}

fn sweep(client: &mut Session) -> Result<Answer, Failure> {
    let row = ask_one(client, "SELECT builds, slaves, versions, opened, more FROM piw.sweep()", &[])?;
    let builds: Vec<i64> = read(&row, 0)?;
    let slaves: Vec<String> = read(&row, 1)?;
    let versions: Vec<String> = read(&row, 2)?;
    if slaves.len() != builds.len() || versions.len() != builds.len() {
        return Err(odd("lists of different lengths"));
    }
    let expired = builds.into_iter().zip(slaves).zip(versions);
    Ok(Answer::Swept(Swept {
        expired: expired.map(|((build, slave), version)| (BuildId(build), slave, version)).collect(),
        opened: read::<Vec<String>>(&row, 3)?.iter().map(|tag| abi(tag)).collect::<Result<_, Failure>>()?,
        more: read(&row, 4)?,
    }))
}

type Parameters<'a> = &'a [(&'a (dyn ToSql + Sync), Type)];

fn ask(client: &mut Session, sql: &'static str, parameters: Parameters<'_>) -> Result<Vec<Row>, Failure> {
    client.ask(sql, parameters)
}

fn ask_one(client: &mut Session, sql: &'static str, parameters: Parameters<'_>) -> Result<Row, Failure> {
    ask(client, sql, parameters)?.into_iter().next().ok_or_else(|| odd("no row"))
}

/// The one row of a statement that is seldom asked: unnamed, it leaves nothing in the session.
fn ask_unnamed(client: &mut Session, sql: &str, parameters: Parameters<'_>) -> Result<Row, Failure> {
    client.query_typed(sql, parameters).map_err(failure)?.into_iter().next().ok_or_else(|| odd("no row"))
}

fn read<T: FromSqlOwned>(row: &Row, column: usize) -> Result<T, Failure> {
    row.try_get(column).map_err(odd)
}

fn optional_abi(row: &Row, column: usize) -> Result<Option<AbiTag>, Failure> {
    read::<Option<String>>(row, column)?.map(|tag| abi(&tag)).transpose()
}

fn abi(tag: &str) -> Result<AbiTag, Failure> {
    AbiTag::parse(tag).map_err(odd)
}

fn package(name: &str) -> Result<ProjectName, Failure> {
    ProjectName::parse(name).map_err(odd)
}

fn version(text: &str) -> Result<Version, Failure> {
    Version::parse(text).map_err(odd)
}

fn sha256(bytes: &[u8]) -> Result<Sha256, Failure> {
    bytes.try_into().map(Sha256).map_err(odd)
}

fn attempt(number: i16) -> Result<u16, Failure> {
    u16::try_from(number).map_err(odd)
}

fn build_tag(number: i64) -> Result<u64, Failure> {
    u64::try_from(number).map_err(odd)
}

/// Seconds as the database counts them; what is out of range there is out of its bounds here too, and refused there.
fn to_i32(seconds: u32) -> i32 {
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

/// What a slave claims, which the database bounds far below: too large is no reason to lose a build.
fn saturated(claimed: u64) -> i64 {
    i64::try_from(claimed).unwrap_or(i64::MAX)
}

/// A row that this program cannot read. The database or this program is to be mended; what was asked is not at fault,
/// and waits.
fn odd(what: impl std::fmt::Display) -> Failure {
    Failure::Again(format!("the database gave an odd answer: {what}"))
}

fn failure(error: postgres::Error) -> Failure {
    let text = describe(&error);
    let refused = match error.code() {
        Some(code) => is_refusal(code),
        None => !error.is_closed() && !is_io(&error) && is_unsendable(&error.to_string()),
    };
    if refused { Failure::Refused(text) } else { Failure::Again(text) }
}

/// Whether the values are at fault: malformed data, a constraint, or an error that a function raises by itself. All else
/// is the server's trouble or its operator's, and passes.
fn is_refusal(code: &SqlState) -> bool {
    matches!(code.code().get(..2), Some("22" | "23" | "P0"))
}

/// Whether the driver could not send the values. It does not tell kinds of errors apart but by their text.
fn is_unsendable(text: &str) -> bool {
    ["error serializing parameter", "error encoding message", "expected "].iter().any(|p| text.starts_with(p))
}

fn is_io(error: &postgres::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        if inner.is::<std::io::Error>() {
            return true;
        }
        cause = inner.source();
    }
    false
}

/// An error for people: the driver's own text is only "db error" or "error connecting".
pub(super) fn describe(error: &postgres::Error) -> String {
    match error.as_db_error() {
        Some(db) => with_detail(db),
        None => match std::error::Error::source(error) {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        },
    }
}

fn with_detail(db: &DbError) -> String {
    match db.detail() {
        Some(detail) => format!("{} ({detail})", db.message()),
        None => db.message().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bad_values_are_refused_and_all_else_is_asked_again() {
        for code in ["22023", "22021", "23505", "23514", "P0001", "P0002"] {
            assert!(is_refusal(&SqlState::from_code(code)), "{code}");
        }
        // read-only after a failover, disks, limits, rights and functions while piw-initdb runs, errors inside
        for code in [
            "08006", "25006", "25P03", "3F000", "40001", "40P01", "42501", "42883", "53100", "53300",
            "54000", "55P03", "57014", "57P01", "57P02", "57P03", "57P04", "58030", "58P01", "XX000",
            "XX001",
        ] {
            assert!(!is_refusal(&SqlState::from_code(code)), "{code}");
        }
    }

    #[test]
    fn an_odd_row_never_costs_a_build() {
        assert!(matches!(odd("no row"), Failure::Again(_)));
        assert!(matches!(package("not a name!"), Err(Failure::Again(_))));
        assert!(matches!(sha256(b"short"), Err(Failure::Again(_))));
    }

    #[test]
    fn what_cannot_be_sent_is_told_from_what_cannot_be_read() {
        assert!(is_unsendable("error serializing parameter 3: value too large to transmit"));
        assert!(!is_unsendable("error deserializing column 1"));
        assert!(!is_unsendable("timeout waiting for server"));
    }

    #[test]
    fn a_server_that_is_gone_is_noticed_unless_the_operator_says_otherwise() {
        let mut config: Config = "dbname=x".parse().unwrap();
        configure(&mut config);
        assert_eq!(config.get_connect_timeout(), Some(&Duration::from_secs(5)));
        assert!(config.get_keepalives());
        assert_eq!(config.get_keepalives_idle(), Duration::from_secs(30));
        assert_eq!(config.get_tcp_user_timeout(), Some(&Duration::from_secs(30)));
        let mut config: Config =
            "dbname=x connect_timeout=60 keepalives_idle=90 tcp_user_timeout=120".parse().unwrap();
        configure(&mut config);
        assert_eq!(config.get_connect_timeout(), Some(&Duration::from_secs(60)));
        assert_eq!(config.get_keepalives_idle(), Duration::from_secs(90));
        assert_eq!(config.get_tcp_user_timeout(), Some(&Duration::from_secs(120)));
    }

    #[test]
    fn sessions_get_their_limits_beside_the_operators_options() {
        let mut config: Config = "dbname=x options='-c work_mem=8MB'".parse().unwrap();
        configure(&mut config);
        assert_eq!(
            config.get_options(),
            Some(
                "-c work_mem=8MB -c statement_timeout=5000 -c idle_in_transaction_session_timeout=30000 -c enable_seqscan=off"
            )
        );
        assert_eq!(config.get_application_name(), Some("piw-master"));
    }
}
