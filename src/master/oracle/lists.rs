//! Questions about what the farm builds: ABIs, versions that people want, the walks that a change of them asks for; and the
//! farm in numbers.

use postgres::types::Type;

use super::{Failure, Parameters, Session, abi, ask, ask_one, failure, odd, optional_abi, read};
use crate::domain::AbiTag;
use crate::master::query::{
    AUDIT_LINES, Abi, AddedState, AddedVersion, Answer, Audited, Figures, QueueSize, Statistics, Wanted,
};

/// Limit of one audit, which scans everything: 13 s were measured for 8 million versions, mending is slower.
const AUDIT_TIMEOUT: &str = "SET LOCAL statement_timeout = '30min'";
/// Versions that are mended in one transaction.
const MEND_AT_ONCE: i32 = 10_000;

/// Limit of one request to add versions: 5,000 of them take 4 s on a desktop computer.
const ADD_TIMEOUT: &str = "SET LOCAL statement_timeout = '2min'";

pub(super) fn abis(client: &mut Session) -> Result<Vec<Abi>, Failure> {
    let rows = ask(client, "SELECT tag, rank, skip, platforms FROM piw.abis()", &[])?;
    let abis = rows.iter().map(|row| {
        let tag = abi(&read::<String>(row, 0)?)?;
        Ok(Abi { tag, rank: read(row, 1)?, skip: read(row, 2)?, platforms: read(row, 3)? })
    });
    abis.collect()
}

pub(super) fn add_abi(
    client: &mut Session,
    abi: &AbiTag,
    rank: i16,
    platforms: &[String],
) -> Result<Answer, Failure> {
    let parameters: Parameters<'_> =
        &[(&abi.as_str(), Type::TEXT), (&rank, Type::INT2), (&platforms, Type::TEXT_ARRAY)];
    let row = ask_one(client, "SELECT piw.add_abi($1, $2, $3)", parameters)?;
    let added = read(&row, 0)?;
    Ok(Answer::AbiAdded(added, abis(client)?))
}

pub(super) fn walk(client: &mut Session, limit: u16) -> Result<Answer, Failure> {
    let row = ask_one(client, "SELECT opened, more FROM piw.walk($1)", &[(&i32::from(limit), Type::INT4)])?;
    Ok(Answer::Walked { opened: abi_list(&read::<Vec<String>>(&row, 0)?)?, more: read(&row, 1)? })
}

pub(super) fn abi_list(tags: &[String]) -> Result<Vec<AbiTag>, Failure> {
    tags.iter().map(|tag| abi(tag)).collect()
}

pub(super) fn add_versions(client: &mut Session, wanted: &[Wanted], deps: bool) -> Result<Answer, Failure> {
    let names: Vec<&str> = wanted.iter().map(|w| w.package.as_str()).collect();
    let displays: Vec<&str> = wanted.iter().map(|w| w.display.as_str()).collect();
    let versions: Vec<String> = wanted.iter().map(|w| w.version.to_string()).collect();
    let sort_keys: Vec<Vec<u8>> = wanted.iter().map(|w| w.version.sort_key()).collect();
    let released: Vec<Option<i64>> = wanted.iter().map(|w| w.released).collect();
    let yanked: Vec<Option<&str>> = wanted.iter().map(|w| w.yanked.as_deref()).collect();
    let prerelease: Vec<bool> = wanted.iter().map(|w| w.version.is_prerelease()).collect();
    let named: Vec<bool> = wanted.iter().map(|w| w.named).collect();
    let pythons: Vec<Option<i64>> = wanted.iter().map(|w| w.pythons.map(u64::cast_signed)).collect();
    let pure: Vec<Option<&str>> = wanted.iter().map(|w| w.pure.as_deref()).collect();
    let tags: Vec<String> = wanted.iter().map(|w| w.tags.join(" ")).collect();
    let specifiers: Vec<Option<&str>> = wanted.iter().map(|w| w.specifiers.as_deref()).collect();
    let extras: Vec<String> = wanted.iter().map(|w| super::requirements::spaced(&w.extras)).collect();
    let sql = "SELECT state, queued_for, reason \
               FROM piw.add_versions($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
    let mut transaction = client.transaction().map_err(failure)?;
    transaction.batch_execute(ADD_TIMEOUT).map_err(failure)?;
    let rows = transaction.query_typed(
        sql,
        &[
            (&names, Type::TEXT_ARRAY),
            (&displays, Type::TEXT_ARRAY),
            (&versions, Type::TEXT_ARRAY),
            (&sort_keys, Type::BYTEA_ARRAY),
            (&released, Type::INT8_ARRAY),
            (&yanked, Type::TEXT_ARRAY),
            (&prerelease, Type::BOOL_ARRAY),
            (&named, Type::BOOL_ARRAY),
            (&pythons, Type::INT8_ARRAY),
            (&pure, Type::TEXT_ARRAY),
            (&tags, Type::TEXT_ARRAY),
            (&specifiers, Type::TEXT_ARRAY),
            (&extras, Type::TEXT_ARRAY),
            (&deps, Type::BOOL),
        ],
    );
    let rows = rows.map_err(failure)?;
    transaction.commit().map_err(failure)?;
    if rows.len() != wanted.len() {
        return Err(odd("fewer or more versions than were asked for"));
    }
    let added = wanted.iter().zip(&rows).map(|(asked, row)| {
        Ok(AddedVersion {
            package: asked.package.clone(),
            version: asked.version.clone(),
            state: match read::<String>(row, 0)?.as_str() {
                "new" => AddedState::New,
                "queued" => AddedState::Queued,
                "building" => AddedState::Building,
                "built" => AddedState::Built,
                "failed" => AddedState::Failed,
                "skipped" => AddedState::Skipped,
                other => return Err(odd(other)),
            },
            queued_for: optional_abi(row, 1)?,
            reason: read(row, 2)?,
        })
    });
    Ok(Answer::Added(added.collect::<Result<_, Failure>>()?))
}

pub(super) fn statistics(client: &mut Session) -> Result<Statistics, Failure> {
    let sql = "SELECT packages_count, packages_built, versions_count, versions_tried, builds_count, builds_success, \
               builds_last_hour, builds_time, builds_size, files_count, downloads_last_month, queued, unchecked, \
               delayed, leased, pages_due, pages_waiting FROM piw.statistics()";
    let row = ask_one(client, sql, &[])?;
    let number = |column| Ok(u64::try_from(read::<i64>(&row, column)?).unwrap_or_default());
    Ok(Statistics {
        packages_count: number(0)?,
        packages_built: number(1)?,
        versions_count: number(2)?,
        versions_tried: number(3)?,
        builds_count: number(4)?,
        builds_success: number(5)?,
        builds_last_hour: number(6)?,
        builds_time: number(7)?,
        builds_size: number(8)?,
        files_count: number(9)?,
        downloads_last_month: number(10)?,
        queued: number(11)?,
        unchecked: number(12)?,
        delayed: number(13)?,
        leased: number(14)?,
        pages_due: number(15)?,
        pages_waiting: number(16)?,
    })
}

pub(super) fn figures(client: &mut Session) -> Result<Answer, Failure> {
    let rows = ask(client, "SELECT abi, class, jobs FROM piw.queue_sizes()", &[])?;
    let queue = rows.iter().map(|row| {
        Ok(QueueSize {
            abi: abi(&read::<String>(row, 0)?)?,
            class: u8::try_from(read::<i16>(row, 1)?).map_err(odd)?,
            jobs: u64::try_from(read::<i64>(row, 2)?).unwrap_or_default(),
        })
    });
    let queue = queue.collect::<Result<_, Failure>>()?;
    Ok(Answer::Figures(Box::new(Figures { statistics: statistics(client)?, queue })))
}

pub(super) fn audit(client: &mut Session, mend: bool) -> Result<Answer, Failure> {
    let mut transaction = client.transaction().map_err(failure)?;
    transaction.batch_execute(AUDIT_TIMEOUT).map_err(failure)?;
    let sql = "SELECT CASE WHEN a.ver_id = 0 THEN a.problem ELSE coalesce(piw.version_name(a.ver_id), '') || ' ' \
               || a.problem END, count(*) OVER () FROM piw.audit() a LIMIT $1";
    let limit = i64::try_from(AUDIT_LINES).unwrap_or(i64::MAX);
    let rows = transaction.query_typed(sql, &[(&limit, Type::INT8)]).map_err(failure)?;
    let problems = rows.iter().map(|row| read(row, 0)).collect::<Result<Vec<String>, _>>()?;
    let found = rows.first().map_or(Ok(0), |row| read::<i64>(row, 1))?;
    let mut mended = 0;
    if mend && found > 0 {
        let rows = transaction
            .query_typed("SELECT piw.mend($1)", &[(&MEND_AT_ONCE, Type::INT4)])
            .map_err(failure)?;
        mended = read::<i64>(rows.first().ok_or_else(|| odd("no row"))?, 0)?;
    }
    transaction.commit().map_err(failure)?;
    let count = |number: i64| u64::try_from(number).unwrap_or_default();
    Ok(Answer::Audited(Audited { problems, found: count(found), mended: count(mended) }))
}
