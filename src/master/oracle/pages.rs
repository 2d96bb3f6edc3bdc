//! Questions about the pages of the published index.

use postgres::types::Type;
use postgres::{Client, Row};

use super::{Failure, ask, odd, package, read, sha256};
use crate::domain::BuildId;
use crate::master::query::{Answer, PageBuild, PageFile, PageKind, Rewrite, RewriteOrder};

pub(super) fn rewrites_due(client: &mut Client, limit: u16) -> Result<Answer, Failure> {
    let sql = "SELECT kind, name, ordered, display, filenames, sha256s, requires, metadata, yanked, aliases, gone, \
               builds, versions, abis, outcomes, durations, reports FROM piw.rewrites_due($1)";
    let rows = ask(client, sql, &[(&i32::from(limit), Type::INT4)])?;
    Ok(Answer::RewritesDue(rows.iter().map(rewrite).collect::<Result<_, Failure>>()?))
}

fn rewrite(row: &Row) -> Result<Rewrite, Failure> {
    let page = match read::<String>(row, 0)?.as_str() {
        "root" => PageKind::Root,
        "project" => PageKind::Project(package(&read::<String>(row, 1)?)?),
        other => return Err(odd(other)),
    };
    let filenames: Vec<String> = read(row, 4)?;
    let sha256s: Vec<Vec<u8>> = read(row, 5)?;
    let requires: Vec<Option<String>> = read(row, 6)?;
    let metadata: Vec<Option<Vec<u8>>> = read(row, 7)?;
    let (yanked, aliases): (Vec<Option<String>>, Vec<Option<String>>) = (read(row, 8)?, read(row, 9)?);
    if [sha256s.len(), requires.len(), metadata.len(), yanked.len(), aliases.len()] != [filenames.len(); 5] {
        return Err(odd("lists of different lengths"));
    }
    let columns = filenames.into_iter().zip(sha256s).zip(requires).zip(metadata).zip(yanked).zip(aliases);
    let files = columns.map(|(((((filename, hash), requires_python), metadata_hash), yanked), alias_of)| {
        let metadata_sha256 = metadata_hash.as_deref().map(self::sha256).transpose()?;
        let sha256 = sha256(&hash)?;
        Ok(PageFile { filename, sha256, requires_python, metadata_sha256, yanked, alias_of })
    });
    let builds: Vec<i64> = read(row, 11)?;
    let (versions, abis, outcomes): (Vec<String>, Vec<String>, Vec<String>) =
        (read(row, 12)?, read(row, 13)?, read(row, 14)?);
    let (durations, reports): (Vec<i64>, Vec<Option<String>>) = (read(row, 15)?, read(row, 16)?);
    let lengths = [versions.len(), abis.len(), outcomes.len(), durations.len(), reports.len()];
    if lengths != [builds.len(); 5] {
        return Err(odd("lists of different lengths"));
    }
    let builds = builds.into_iter().zip(versions).zip(abis).zip(outcomes).zip(durations).zip(reports);
    let builds = builds.map(|(((((build, version), abi), outcome), duration), report)| PageBuild {
        build: BuildId(build),
        version,
        abi,
        outcome,
        duration_ms: u64::try_from(duration).unwrap_or_default(),
        // a page without it is better than none
        report: report.and_then(|report| serde_json::from_str(&report).ok()),
    });
    Ok(Rewrite {
        order: RewriteOrder { page, order: read(row, 2)? },
        display: read(row, 3)?,
        files: files.collect::<Result<_, Failure>>()?,
        gone: read(row, 10)?,
        builds: builds.collect(),
    })
}

pub(super) fn rewritten(client: &mut Client, sql: &str, order: &RewriteOrder) -> Result<Answer, Failure> {
    let (kind, name) = match &order.page {
        PageKind::Root => ("root", None),
        PageKind::Project(name) => ("project", Some(name.as_str())),
    };
    ask(client, sql, &[(&kind, Type::TEXT), (&name, Type::TEXT), (&order.order, Type::INT8)])?;
    Ok(Answer::RewriteDone)
}
