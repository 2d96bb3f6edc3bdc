//! Pages of the index: which are due, and the rows that they are written from. Plain data.

use serde::{Deserialize, Deserializer, de};

use crate::domain::{BuildId, ProjectName, Sha256};
use crate::master::report::KeptReport;

/// An order to write a page. A page that is ordered again while it is being written is written again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RewriteOrder {
    /// Which page.
    pub page: PageKind,
    /// The order's number; larger is newer.
    pub order: i64,
}

/// Which page of the site.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PageKind {
    /// `simple/<project>/` and `project/<project>/`.
    Project(ProjectName),
    /// `simple/`.
    Root,
    /// The home page.
    Home,
}

/// A page that is due, with its rows.
#[derive(Clone, Debug)]
pub struct Rewrite {
    /// The order.
    pub order: RewriteOrder,
    /// What a project's pages are made from; nothing for other pages.
    pub rows: ProjectRows,
}

/// Everything that a project's pages are made from (`sql/views/project_page.sql`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct ProjectRows {
    /// The project's name as its author spells it.
    pub display: String,
    /// PEP 792: `active`, `archived`, `deprecated` or `quarantined`.
    pub status: String,
    /// Why, where the index says.
    pub status_reason: Option<String>,
    /// Versions that are known, oldest first, those without files too (PEP 700).
    pub versions: Vec<String>,
    /// The farm's ABIs, lowest rank first.
    pub abis: Vec<PageAbi>,
    /// Releases that are known and not removed from the index, newest first.
    pub releases: Vec<PageRelease>,
    /// The project's files, newest version first; empty for a project whose page for installers must go.
    pub files: Vec<PageFile>,
    /// Files that were withdrawn and go from the disk when the page does not name them any more.
    pub gone: Vec<String>,
    /// The newest attempts at the project, newest first, at most 100.
    pub builds: Vec<PageBuild>,
}

/// An ABI: a column of a project's page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct PageAbi {
    /// Such as `cp311`.
    pub tag: String,
    /// Why nothing is built for it any more, if so.
    pub retired: Option<String>,
}

/// A release: a row of a project's page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct PageRelease {
    /// The version.
    pub version: String,
    /// When it came to the index: `2026-01-31 23:59:59`, UTC; none where nobody knows.
    pub released: Option<String>,
    /// Whether it is no final release.
    pub prerelease: bool,
    /// PEP 592: the reason, which may be empty.
    pub yanked: Option<String>,
    /// Why the operator skips it, or the whole project.
    pub skip: Option<String>,
    /// What speaks against building it; known of those that are `near`.
    pub why_not: Option<String>,
    /// Whether it is one of the newest, whose cells are known.
    pub near: bool,
    /// How it stands with each ABI that it has a state for, lowest rank first.
    pub cells: Vec<PageCell>,
}

/// How a release stands with an ABI.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct PageCell {
    /// The ABI's tag.
    pub abi: String,
    /// One of those of `sql/functions/why.sql`.
    pub state: String,
    /// How the newest attempt that counts ended.
    pub outcome: Option<String>,
    /// That attempt's number.
    pub build: Option<i64>,
    /// Whether it printed anything.
    pub log: Option<bool>,
    /// When it is queued again: `2026-01-31T23:59:59Z`.
    pub due: Option<String>,
    /// Why it waits, or why nothing is built.
    pub reason: Option<String>,
}

/// An attempt as its project's page shows it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct PageBuild {
    /// Its number.
    #[serde(deserialize_with = "build")]
    pub build: BuildId,
    /// The version.
    pub version: String,
    /// The ABI.
    pub abi: String,
    /// How it ended.
    pub outcome: String,
    /// Wall-clock time of the build.
    pub duration_ms: u64,
    /// What its slave says of it, where that is known and not too long for the page.
    #[serde(deserialize_with = "report")]
    pub report: Option<Box<KeptReport>>,
}

/// A file as its project's page shows it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct PageFile {
    /// The wheel's file name.
    pub filename: String,
    /// The version whose file it is.
    pub version: String,
    /// Bytes.
    pub size: u64,
    /// Of its bytes.
    #[serde(deserialize_with = "digest")]
    pub sha256: Sha256,
    /// `Requires-Python` of its METADATA.
    pub requires_python: Option<String>,
    /// Of its `.metadata` file, where it has one: the original's files have none.
    #[serde(deserialize_with = "some_digest")]
    pub metadata_sha256: Option<Sha256>,
    /// PEP 592: the reason, which may be empty.
    pub yanked: Option<String>,
    /// When it was published, as PEP 700 writes it: `2026-01-31T23:59:59.000001Z`.
    pub uploaded: String,
    /// The file of which this is another name, for another platform.
    pub alias_of: Option<String>,
    /// The ABI whose build made it.
    pub abi: String,
    /// Packages of its builder's system that hold the libraries which it needs, by what its slave says.
    pub apt: Option<Vec<String>>,
    /// `Requires-Dist` of its METADATA; none where the project's files together have too much of it.
    pub requires: Option<Vec<String>>,
}

pub(super) fn build<'de, D: Deserializer<'de>>(from: D) -> Result<BuildId, D::Error> {
    Ok(BuildId(i64::deserialize(from)?))
}

/// A page without a report that cannot be read is better than none.
fn report<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Box<KeptReport>>, D::Error> {
    let value = Option::<serde_json::Value>::deserialize(from)?;
    Ok(value.and_then(|value| serde_json::from_value(value).ok()))
}

fn digest<'de, D: Deserializer<'de>>(from: D) -> Result<Sha256, D::Error> {
    parsed::<D>(&String::deserialize(from)?)
}

fn some_digest<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Sha256>, D::Error> {
    Option::<String>::deserialize(from)?.map(|digits| parsed::<D>(&digits)).transpose()
}

fn parsed<'de, D: Deserializer<'de>>(digits: &str) -> Result<Sha256, D::Error> {
    Sha256::from_hex(digits).ok_or_else(|| de::Error::custom("a digest has 64 hexadecimal digits"))
}
