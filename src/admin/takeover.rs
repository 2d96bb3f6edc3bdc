//! Takes over what the original program, at its version 0.10, has in a database: its packages, versions, builds, files and
//! downloads become rows of the farm's tables, and its own tables stay as they are.
//! In: a transaction of a super-user's in a database with the original's tables. Out: the farm's tables filled, everything
//! that is kept for speed worked out, every project's page ordered; and what had to be left behind, and why.
//! Names and versions are texts there and have to be read by the rules of the domain: such tables are read in pieces,
//! each of which goes back in by COPY, so that memory does not grow with them (`takeover/rows.rs`). All else is SQL
//! (`sql/takeover/`). Knows nothing of the disk: build outputs stay in `public.output`, wheels where they are.

use std::fmt;

use postgres::{GenericClient, Transaction};

use super::initdb::{self, Error, failed, run_script};
use crate::domain::Version;
use crate::schema::TAKEOVER;

mod abis;
mod left;
mod progress;
mod rows;

use left::Left;
pub use left::LeftBehind;
use progress::Progress;

/// The version of the original whose tables are understood.
const VERSION: &str = "0.10";

/// Every column that is read, by which the original's tables are known.
const COLUMNS: [&str; 35] = [
    "configuration.version",
    "configuration.pypi_serial",
    "packages.package",
    "packages.skip",
    "versions.package",
    "versions.version",
    "versions.skip",
    "build_abis.abi_tag",
    "builds.build_id",
    "builds.package",
    "builds.version",
    "builds.built_by",
    "builds.built_at",
    "builds.duration",
    "builds.status",
    "builds.abi_tag",
    "files.filename",
    "files.build_id",
    "files.filesize",
    "files.filehash",
    "files.py_version_tag",
    "files.abi_tag",
    "files.platform_tag",
    "downloads.filename",
    "downloads.accessed_by",
    "downloads.accessed_at",
    "downloads.arch",
    "downloads.distro_name",
    "downloads.distro_version",
    "downloads.os_name",
    "downloads.os_version",
    "downloads.py_name",
    "downloads.py_version",
    "output.build_id",
    "output.output",
];

/// Nobody writes to them while they are read.
const LOCK: &str = "LOCK TABLE public.configuration, public.packages, public.versions, public.build_abis, public.builds, \
                    public.files, public.downloads IN SHARE MODE";

/// What there is of the original's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Original {
    packages: i64,
    versions: i64,
    builds: i64,
    files: i64,
}

impl Original {
    /// What the operator is asked.
    pub(super) fn question(&self, database: &str, user: &str) -> String {
        let Self { packages, versions, builds, files } = self;
        format!(
            "Database {database} holds the original's tables (version {VERSION}): make the farm's beside them, for role \
             {user}, and take over {packages} packages, {versions} versions, {builds} builds, {files} files and the \
             downloads? (Stop the original's programs and take a backup first. Its tables stay as they are.)"
        )
    }
}

/// What arrived, and what did not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TakenOver {
    /// Packages, each with all the spellings that it had.
    pub packages: u64,
    /// Versions, each with all its spellings.
    pub versions: u64,
    /// Builds.
    pub builds: u64,
    /// Files.
    pub files: u64,
    /// Downloads.
    pub downloads: u64,
    /// What stays in the original's tables alone.
    pub left: Vec<LeftBehind>,
}

impl fmt::Display for TakenOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { packages, versions, builds, files, downloads, .. } = self;
        write!(
            f,
            "{packages} packages, {versions} versions, {builds} builds, {files} files and {downloads} downloads are taken \
             over"
        )
    }
}

/// The original's tables, if the database has them; an error where they are of another version.
pub(super) fn find(client: &mut impl GenericClient) -> Result<Option<Original>, Error> {
    let there: Vec<String> = client
        .query(
            "SELECT c.relname || '.' || a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
             WHERE c.relnamespace = to_regnamespace('public') AND c.relkind IN ('r', 'p')
                 AND a.attnum > 0 AND NOT a.attisdropped AND c.relname || '.' || a.attname = ANY ($1)",
            &[&COLUMNS.as_slice()],
        )
        .map_err(failed)?
        .iter()
        .map(|row| row.try_get(0))
        .collect::<Result<_, _>>()
        .map_err(failed)?;
    let has = |column: &str| there.iter().any(|one| one == column);
    // somebody's own table may have one of these names
    if !["packages.package", "versions.package", "versions.version", "builds.build_id"].into_iter().all(has) {
        return Ok(None);
    }
    let elsewhere =
        "or make the farm's tables in an empty database (createdb NAME, then -d postgres:///NAME)";
    let version: Option<String> = if has("configuration.version") {
        let row = client
            .query_opt("SELECT version::text FROM public.configuration LIMIT 1", &[])
            .map_err(failed)?;
        row.map(|row| row.try_get(0)).transpose().map_err(failed)?
    } else {
        None
    };
    let named = version.as_deref().unwrap_or("before 0.6");
    let is_older = |named: &str| match (Version::parse(named), Version::parse(VERSION)) {
        (Ok(theirs), Ok(ours)) => theirs < ours,
        _ => false,
    };
    if version.is_none() || is_older(named) {
        return Err(Error(format!(
            "the database holds the original's tables of version {named}, and those of {VERSION} are understood; bring \
             them there first with the original's own piw-initdb, {elsewhere}"
        )));
    }
    if named != VERSION {
        return Err(Error(format!(
            "the database holds the original's tables of version {named}, and those of {VERSION} are understood; \
             restore a backup of that version, {elsewhere}"
        )));
    }
    if let Some(missing) = COLUMNS.into_iter().find(|column| !has(column)) {
        return Err(Error(format!(
            "the original's tables lack {missing}, so they are not those of version {VERSION}; mend them, {elsewhere}"
        )));
    }
    let mut count = |table: &str| {
        let row = client.query_one(&format!("SELECT count(*) FROM public.{table}"), &[]).map_err(failed)?;
        row.try_get(0).map_err(failed)
    };
    Ok(Some(Original {
        packages: count("packages")?,
        versions: count("versions")?,
        builds: count("builds")?,
        files: count("files")?,
    }))
}

/// Keeps everybody from writing to the original's tables until the transaction ends.
pub(super) fn lock(transaction: &mut Transaction<'_>) -> Result<(), Error> {
    transaction.batch_execute(LOCK).map_err(failed)
}

/// Fills the farm's tables, which are there and empty.
pub(super) fn run(
    transaction: &mut Transaction<'_>,
    original: &Original,
    tell: &mut dyn FnMut(&str),
) -> Result<TakenOver, Error> {
    let mut progress = Progress::new(tell);
    let mut left = Left::default();
    let sql = &TAKEOVER;

    run_script(transaction, &sql.begin)?;
    rows::packages(transaction, &mut left, &mut progress.of("packages", original.packages))?;
    run_script(transaction, &sql.packages)?;
    abis::register(transaction, &mut left)?;

    rows::versions(transaction, &mut left, &mut progress.of("versions", original.versions))?;
    progress.begins("sorting the versions");
    run_script(transaction, &sql.versions)?;

    progress.begins("builds");
    run_script(transaction, &sql.builds)?;
    left.builds(transaction)?;

    rows::files(transaction, &mut left, &mut progress.of("files", original.files))?;
    progress.begins("sorting the files");
    run_script(transaction, &sql.files)?;
    left.files(transaction)?;

    progress.begins("downloads");
    run_script(transaction, &sql.downloads)?;
    left.downloads(transaction)?;

    run_script(transaction, &sql.end)?;
    progress.begins("working out what is to be built");
    initdb::derive(transaction)?;

    let mut count = |table: &str| {
        let row = transaction.query_one(&format!("SELECT count(*) FROM piw.{table}"), &[]).map_err(failed)?;
        row.try_get(0).map(i64::cast_unsigned).map_err(failed)
    };
    Ok(TakenOver {
        packages: count("package")?,
        versions: count("version")?,
        builds: count("build")?,
        files: count("file")?,
        downloads: count("download")?,
        left: left.into_list(),
    })
}
