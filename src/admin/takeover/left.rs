//! What the takeover leaves behind, counted by its reason, with a few examples of each.

use std::fmt;

use postgres::Transaction;

use crate::admin::initdb::{Error, failed};

/// How many of a kind are named.
const EXAMPLES: usize = 20;

/// Rows that stay in the original's tables, all for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftBehind {
    /// What they are, and why they stay.
    pub what: &'static str,
    /// How many.
    pub count: u64,
    /// Some of them.
    pub examples: Vec<String>,
}

impl LeftBehind {
    const fn new(what: &'static str) -> Self {
        Self { what, count: 0, examples: Vec::new() }
    }

    /// One more.
    pub(super) fn add(&mut self, example: impl FnOnce() -> String) {
        self.count += 1;
        if self.examples.len() < EXAMPLES {
            self.examples.push(example());
        }
    }
}

impl fmt::Display for LeftBehind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let more = if self.count > self.examples.len() as u64 { ", …" } else { "" };
        write!(f, "left behind: {} {}: {}{more}", self.count, self.what, self.examples.join(", "))
    }
}

/// All of it.
pub(super) struct Left {
    pub(super) packages: LeftBehind,
    pub(super) versions: LeftBehind,
    pub(super) abis: LeftBehind,
    builds: LeftBehind,
    pub(super) odd_files: LeftBehind,
    files: LeftBehind,
    downloads: LeftBehind,
}

impl Default for Left {
    fn default() -> Self {
        Self {
            packages: LeftBehind::new("packages whose names are none"),
            versions: LeftBehind::new("versions that are none by PEP 440, or of such packages"),
            abis: LeftBehind::new("ABIs that cannot be built for"),
            builds: LeftBehind::new("builds of these versions and for these ABIs"),
            odd_files: LeftBehind::new("files without the name of a wheel, size, SHA-256 or tags"),
            files: LeftBehind::new("files of these builds, and of builds that had failed"),
            downloads: LeftBehind::new("downloads that are older than the original, or from the future"),
        }
    }
}

impl Left {
    /// Finds the builds that did not arrive.
    pub(super) fn builds(&mut self, transaction: &mut Transaction<'_>) -> Result<(), Error> {
        let missing =
            "FROM public.builds o WHERE NOT EXISTS (SELECT FROM piw.build b WHERE b.build_id = o.build_id)";
        let name = "o.build_id || ' (' || o.package || ' ' || o.version || ', ' || o.abi_tag || ')'";
        fill(&mut self.builds, transaction, name, missing, "o.build_id")
    }

    /// Finds the files that did not arrive, beside those that were found to be odd.
    pub(super) fn files(&mut self, transaction: &mut Transaction<'_>) -> Result<(), Error> {
        let missing = "FROM public.files o WHERE NOT EXISTS (SELECT FROM piw.file f WHERE f.filename = o.filename COLLATE \"C\")
            AND NOT EXISTS (SELECT FROM piw.build b WHERE b.build_id = o.build_id AND b.outcome = 'built')";
        fill(&mut self.files, transaction, "o.filename", missing, "o.filename")
    }

    /// Finds the downloads that did not arrive.
    pub(super) fn downloads(&mut self, transaction: &mut Transaction<'_>) -> Result<(), Error> {
        let missing = "FROM pg_temp.original_download o WHERE NOT o.arrives";
        let name = "o.filename || ' (' || o.accessed_at || ')'";
        fill(&mut self.downloads, transaction, name, missing, "o.accessed_at, o.filename")
    }

    /// Those of which there are any.
    pub(super) fn into_list(self) -> Vec<LeftBehind> {
        let Self { packages, versions, abis, builds, odd_files, files, downloads } = self;
        let all = [packages, versions, abis, builds, odd_files, files, downloads];
        all.into_iter().filter(|one| one.count > 0).collect()
    }
}

fn fill(
    left: &mut LeftBehind,
    transaction: &mut Transaction<'_>,
    name: &str,
    missing: &str,
    order: &str,
) -> Result<(), Error> {
    let row = transaction.query_one(&format!("SELECT count(*) {missing}"), &[]).map_err(failed)?;
    left.count = row.try_get(0).map(i64::cast_unsigned).map_err(failed)?;
    if left.count > 0 {
        let sql = format!("SELECT {name} {missing} ORDER BY {order} LIMIT {EXAMPLES}");
        let rows = transaction.query(&sql, &[]).map_err(failed)?;
        left.examples = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().map_err(failed)?;
    }
    Ok(())
}
