//! Questions about what the index has.

use postgres::Row;
use postgres::types::Type;

use super::lists::abi_list;
use super::{Failure, Session, ask, ask_one, odd, package, read};
use crate::domain::{BuildId, ProjectName, Version};
use crate::master::gaze::{Happening, IndexEvent, ListedProject, PageTruth, ProjectStatus, RELEASES, Wish};
use crate::master::query::{Answer, DuePage, FeedState, Learned, Unread};

pub(super) fn pages_due(client: &mut Session, limit: u16, ahead: u16) -> Result<Answer, Failure> {
    let sql = "SELECT name, etag, serial, specifiers, since FROM piw.pages_due($1, $2)";
    let rows = ask(client, sql, &[(&i32::from(limit), Type::INT4), (&i32::from(ahead), Type::INT4)])?;
    let due = rows.iter().map(|row| {
        let (specifiers, since): (Vec<String>, Vec<i64>) = (read(row, 3)?, read(row, 4)?);
        if specifiers.len() != since.len() {
            return Err(odd("lists of different lengths"));
        }
        let wishes = specifiers.into_iter().zip(since).map(|(specifiers, since)| Wish { specifiers, since });
        Ok(DuePage {
            package: package(&read::<String>(row, 0)?)?,
            etag: read(row, 1)?,
            serial: unsigned(read(row, 2)?)?,
            wishes: wishes.collect(),
        })
    });
    Ok(Answer::PagesDue(due.collect::<Result<_, Failure>>()?))
}

pub(super) fn learn_page(
    client: &mut Session,
    package: &ProjectName,
    truth: &PageTruth,
    next_secs: Option<u32>,
) -> Result<Answer, Failure> {
    let releases = &truth.releases;
    let status = match truth.status {
        ProjectStatus::Active => "active",
        ProjectStatus::Archived => "archived",
        ProjectStatus::Deprecated => "deprecated",
        ProjectStatus::Quarantined => "quarantined",
    };
    let versions: Vec<String> = releases.iter().map(|r| r.version.to_string()).collect();
    let sort_keys: Vec<Vec<u8>> = releases.iter().map(|r| r.version.sort_key()).collect();
    let prerelease: Vec<bool> = releases.iter().map(|r| r.version.is_prerelease()).collect();
    let released: Vec<Option<i64>> = releases.iter().map(|r| r.released).collect();
    let sdists: Vec<bool> = releases.iter().map(|r| r.sdist).collect();
    let yanked: Vec<Option<&str>> = releases.iter().map(|r| r.yanked.as_deref()).collect();
    let pythons: Vec<Option<i64>> = releases.iter().map(|r| r.pythons.map(u64::cast_signed)).collect();
    let pure: Vec<Option<&str>> = releases.iter().map(|r| r.pure.as_deref()).collect();
    let tags: Vec<String> = releases.iter().map(|r| r.tags.join(" ")).collect();
    let wanted: Vec<bool> = releases.iter().map(|r| r.wanted).collect();
    let sql = "SELECT opened, cancelled, registered FROM piw.learn_page($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, \
               $12, $13, $14, $15, $16, $17, $18)";
    let row = ask_one(
        client,
        sql,
        &[
            (&package.as_str(), Type::TEXT),
            (&truth.display, Type::TEXT),
            (&status, Type::TEXT),
            (&truth.status_reason, Type::TEXT),
            (&truth.serial.map(u64::cast_signed), Type::INT8),
            (&truth.etag, Type::TEXT),
            (&(releases.len() < RELEASES), Type::BOOL),
            (&next_secs.map(super::to_i32), Type::INT4),
            (&versions, Type::TEXT_ARRAY),
            (&sort_keys, Type::BYTEA_ARRAY),
            (&prerelease, Type::BOOL_ARRAY),
            (&released, Type::INT8_ARRAY),
            (&sdists, Type::BOOL_ARRAY),
            (&yanked, Type::TEXT_ARRAY),
            (&pythons, Type::INT8_ARRAY),
            (&pure, Type::TEXT_ARRAY),
            (&tags, Type::TEXT_ARRAY),
            (&wanted, Type::BOOL_ARRAY),
        ],
    )?;
    learned(&row, true)
}

pub(super) fn page_unread(
    client: &mut Session,
    package: &ProjectName,
    news: Unread,
    next_secs: Option<u32>,
) -> Result<Answer, Failure> {
    let (news, serial, retry_secs, patience_secs) = match news {
        Unread::Unchanged { serial } => ("unchanged", serial, 0, 0),
        Unread::Missing { patience_secs } => ("missing", 0, 0, patience_secs),
        Unread::Failed { retry_secs } => ("failed", 0, retry_secs, 0),
    };
    let row = ask_one(
        client,
        "SELECT opened, cancelled FROM piw.page_unread($1, $2, $3, $4, $5, $6)",
        &[
            (&package.as_str(), Type::TEXT),
            (&news, Type::TEXT),
            (&super::saturated(serial), Type::INT8),
            (&next_secs.map(super::to_i32), Type::INT4),
            (&super::to_i32(retry_secs), Type::INT4),
            (&super::to_i32(patience_secs), Type::INT4),
        ],
    )?;
    learned(&row, false)
}

fn learned(row: &Row, registers: bool) -> Result<Answer, Failure> {
    let registered: i32 = if registers { read(row, 2)? } else { 0 };
    Ok(Answer::Learned(Learned {
        opened: abi_list(&read::<Vec<String>>(row, 0)?)?,
        cancelled: read::<Vec<i64>>(row, 1)?.into_iter().map(BuildId).collect(),
        registered: u32::try_from(registered).map_err(odd)?,
    }))
}

pub(super) fn feed_state(client: &mut Session) -> Result<Answer, Failure> {
    let sql = "SELECT serial, settled, heard_at, listed_at, list_etag FROM piw.feed_state()";
    let row = ask_one(client, sql, &[])?;
    Ok(Answer::FeedState(FeedState {
        serial: unsigned(read(&row, 0)?)?,
        settled: unsigned(read(&row, 1)?)?,
        heard_at: read(&row, 2)?,
        listed_at: read(&row, 3)?,
        list_etag: read(&row, 4)?,
    }))
}

pub(super) fn feed_apply(
    client: &mut Session,
    serial: u64,
    settled: u64,
    events: &[IndexEvent],
) -> Result<Answer, Failure> {
    let told: Vec<Told<'_>> = events.iter().map(told).collect();
    let serials: Vec<i64> = events.iter().map(|e| e.serial.cast_signed()).collect();
    let ats: Vec<i64> = events.iter().map(|e| e.at).collect();
    let names: Vec<&str> = events.iter().map(|e| e.package.as_str()).collect();
    let displays: Vec<&str> = events.iter().map(|e| e.display.as_str()).collect();
    let kinds: Vec<&str> = told.iter().map(|t| t.kind).collect();
    let versions: Vec<Option<String>> = told.iter().map(|t| t.version.map(ToString::to_string)).collect();
    let sort_keys: Vec<Option<Vec<u8>>> = told.iter().map(|t| t.version.map(Version::sort_key)).collect();
    let prerelease: Vec<Option<bool>> = told.iter().map(|t| t.version.map(Version::is_prerelease)).collect();
    let files: Vec<Option<&str>> = told.iter().map(|t| t.file).collect();
    let sql = "SELECT opened, cancelled, registered \
               FROM piw.feed_apply($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    let row = ask_one(
        client,
        sql,
        &[
            (&serial.cast_signed(), Type::INT8),
            (&settled.cast_signed(), Type::INT8),
            (&serials, Type::INT8_ARRAY),
            (&ats, Type::INT8_ARRAY),
            (&names, Type::TEXT_ARRAY),
            (&displays, Type::TEXT_ARRAY),
            (&kinds, Type::TEXT_ARRAY),
            (&versions, Type::TEXT_ARRAY),
            (&sort_keys, Type::BYTEA_ARRAY),
            (&prerelease, Type::BOOL_ARRAY),
            (&files, Type::TEXT_ARRAY),
        ],
    )?;
    learned(&row, true)
}

/// An event as the database takes it.
struct Told<'a> {
    kind: &'static str,
    version: Option<&'a Version>,
    file: Option<&'a str>,
}

fn told(event: &IndexEvent) -> Told<'_> {
    let (kind, version, file) = match &event.what {
        Happening::Sdist(version) => ("sdist", Some(version), None),
        Happening::FileRemoved(version) => ("file-removed", Some(version), None),
        Happening::ReleaseRemoved(version) => ("release-removed", Some(version), None),
        Happening::Yanked(version) => ("yanked", Some(version), None),
        Happening::Unyanked(version) => ("unyanked", Some(version), None),
        Happening::PureWheel(version, file) => ("pure-wheel", Some(version), Some(file.as_str())),
        Happening::ProjectRemoved => ("project-removed", None, None),
        Happening::Other => ("other", None, None),
    };
    Told { kind, version, file }
}

pub(super) fn feed_compare(
    client: &mut Session,
    projects: &[ListedProject],
    after: Option<&ProjectName>,
    serial_read: u64,
    unheard: bool,
) -> Result<Answer, Failure> {
    let names: Vec<&str> = projects.iter().map(|p| p.package.as_str()).collect();
    let displays: Vec<&str> = projects.iter().map(|p| p.display.as_str()).collect();
    let serials: Vec<i64> = projects.iter().map(|p| p.serial.cast_signed()).collect();
    let row = ask_one(
        client,
        "SELECT piw.feed_compare($1, $2, $3, $4, $5, $6)",
        &[
            (&names, Type::TEXT_ARRAY),
            (&displays, Type::TEXT_ARRAY),
            (&serials, Type::INT8_ARRAY),
            (&after.map(ProjectName::as_str), Type::TEXT),
            (&serial_read.cast_signed(), Type::INT8),
            (&unheard, Type::BOOL),
        ],
    )?;
    Ok(Answer::Compared(u32::try_from(read::<i32>(&row, 0)?).map_err(odd)?))
}

fn unsigned(number: i64) -> Result<u64, Failure> {
    u64::try_from(number).map_err(odd)
}
