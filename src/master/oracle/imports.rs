//! Imports: whether files may come, and the record of those that came.

use postgres::types::Type;

use super::lists::abi_list;
use super::{Columns, Failure, Session, abi, ask_one, odd, or_left_behind, read, saturated};
use crate::domain::{AbiTag, BuildId, Version};
use crate::master::query::{Answer, ImportPlan, ImportRecord, ImportVerdict, Imported, Logged};

pub(super) fn begin(client: &mut Session, plan: &ImportPlan) -> Result<Answer, Failure> {
    let (major, minor) = plan.python;
    let from = i32::from(major) * 1000 + i32::from(minor);
    let filenames: Vec<&str> = plan.files.iter().map(|(name, _)| name.as_str()).collect();
    let sha256s: Vec<&[u8]> = plan.files.iter().map(|(_, sha256)| &sha256.0[..]).collect();
    let row = ask_one(
        client,
        "SELECT verdict, build_id, abi, begun, page FROM piw.begin_import($1, $2, $3, $4, $5, $6, $7, $8)",
        &[
            (&plan.package.as_str(), Type::TEXT),
            (&plan.version.sort_key(), Type::BYTEA),
            (&plan.abi.as_ref().map(AbiTag::as_str), Type::TEXT),
            (&from, Type::INT4),
            (&plan.abi3, Type::BOOL),
            (&filenames, Type::TEXT_ARRAY),
            (&sha256s, Type::BYTEA_ARRAY),
            (&plan.create, Type::BOOL),
        ],
    )?;
    let tag = || abi(&read::<String>(&row, 2)?);
    Ok(Answer::ImportBegun(match read::<String>(&row, 0)?.as_str() {
        "ready" => {
            ImportVerdict::Ready { build: BuildId(read(&row, 1)?), abi: tag()?, begun: read(&row, 3)? }
        }
        "unchanged" => ImportVerdict::Unchanged { abi: tag()?, page: page(read(&row, 4)?) },
        "unknown-package" => ImportVerdict::Unknown { package: true },
        "unknown-version" => ImportVerdict::Unknown { package: false },
        other => return Err(odd(other)),
    }))
}

pub(super) fn log(client: &mut Session, record: &ImportRecord) -> Result<Answer, Failure> {
    let files = Columns::of(&record.files)?;
    let recorded = ask_one(
        client,
        "SELECT verdict, opened, cancelled, page, new_package, new_version FROM piw.log_import($1, $2, $3, $4, $5, \
         $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)",
        &[
            (&record.token.build.0, Type::INT8),
            (&&record.token.secret[..], Type::BYTEA),
            (&record.begun, Type::INT8),
            (&record.package.as_str(), Type::TEXT),
            (&record.display, Type::TEXT),
            (&record.version.to_string(), Type::TEXT),
            (&Version::sort_key(&record.version), Type::BYTEA),
            (&record.version.is_prerelease(), Type::BOOL),
            (&record.abi.as_str(), Type::TEXT),
            (&record.by, Type::TEXT),
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
        ],
    );
    let row = or_left_behind(client, recorded, &record.files)?;
    match read::<String>(&row, 0)?.as_str() {
        "recorded" | "duplicate" => {}
        other => return Err(odd(other)),
    }
    Ok(Answer::Logged(Logged::Imported(Box::new(Imported {
        opened: abi_list(&read::<Vec<String>>(&row, 1)?)?,
        cancelled: read::<Vec<i64>>(&row, 2)?.into_iter().map(BuildId).collect(),
        page: page(read(&row, 3)?),
        new_package: read(&row, 4)?,
        new_version: read(&row, 5)?,
    }))))
}

/// The number of an order; none is 0.
fn page(number: i64) -> Option<i64> {
    (number != 0).then_some(number)
}
