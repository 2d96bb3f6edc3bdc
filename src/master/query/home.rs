//! What the home page is made from (`sql/functions/home.sql`). Plain data.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use crate::domain::BuildId;

/// The farm in numbers, its last 30 days, and what was built last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct HomeRows {
    /// The farm in numbers.
    pub statistics: HomeNumbers,
    /// The last days (UTC), today included, oldest first.
    pub days: Vec<HomeDay>,
    /// The builds that were recorded last, newest first.
    pub recent: Vec<RecentBuild>,
}

/// What of the statistics the page shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct HomeNumbers {
    /// Projects that have files to show.
    #[serde(deserialize_with = "count")]
    pub packages_built: u64,
    /// Versions that are known.
    #[serde(deserialize_with = "count")]
    pub versions_count: u64,
    /// Versions that were attempted at least once.
    #[serde(deserialize_with = "count")]
    pub versions_tried: u64,
    /// Attempts.
    #[serde(deserialize_with = "count")]
    pub builds_count: u64,
    /// Those that made wheels.
    #[serde(deserialize_with = "count")]
    pub builds_success: u64,
    /// Milliseconds spent building.
    #[serde(deserialize_with = "count")]
    pub builds_time: u64,
    /// Bytes of the files that are published.
    #[serde(deserialize_with = "count")]
    pub builds_size: u64,
    /// Files that are published.
    #[serde(deserialize_with = "count")]
    pub files_count: u64,
    /// Of the last 30 days.
    #[serde(deserialize_with = "count")]
    pub downloads_last_month: u64,
    /// Jobs that wait for a slave; at most 100,000 are counted.
    #[serde(deserialize_with = "count")]
    pub queued: u64,
    /// Jobs that are being built.
    #[serde(deserialize_with = "count")]
    pub leased: u64,
}

/// A day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct HomeDay {
    /// `2026-01-31`.
    pub day: String,
    /// How many builds ended how.
    pub builds: BTreeMap<String, u64>,
    /// Files that were fetched from the web server.
    pub downloads: u64,
}

/// A build that was recorded.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct RecentBuild {
    /// Its number.
    #[serde(deserialize_with = "super::pages::build")]
    pub build: BuildId,
    /// The project's canonical name.
    pub project: String,
    /// Its name as its author spells it.
    pub display: String,
    /// The version.
    pub version: String,
    /// The ABI.
    pub abi: String,
    /// How it ended.
    pub outcome: String,
    /// When it was recorded: `2026-01-31T23:59:59Z`.
    pub at: String,
    /// Wall-clock time of the build.
    pub duration_ms: u64,
}

/// A project of the root index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootName {
    /// Canonical.
    pub name: String,
    /// Bits of the number of its downloads in the last 30 days: 0 for none, 1 for one, 2 for two and three …
    pub downloads: i16,
}

/// A counter that went wrong may be below nothing until the audit mends it: no reason to have no page.
fn count<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    Ok(u64::try_from(i64::deserialize(from)?).unwrap_or_default())
}
