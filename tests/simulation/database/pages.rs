//! Pages: ordered, due, written.

use std::collections::BTreeSet;

use piwheels::domain::BuildId;
use piwheels::master::query::{
    Answer, PageAbi, PageBuild, PageFile, PageKind, ProjectRows, Rewrite, RewriteOrder, RootName,
};

use super::{FileRow, OrderRow, Page, Tables, VersionRow};

impl VersionRow {
    /// Why it is yanked: the operator's word, or else the index's.
    pub(crate) fn mark(&self) -> Option<String> {
        self.yank.clone().or_else(|| self.yanked.clone())
    }
}

impl Tables {
    pub(super) fn order_page(&mut self, clock: u64, page: Page) {
        let ordered = self.next_order;
        self.next_order += 1;
        let row = self.orders.entry(page).or_insert(OrderRow { ordered, at: clock, bulk: false });
        row.ordered = ordered;
        if std::mem::take(&mut row.bulk) {
            row.at = clock;
        }
    }

    /// The same, for many at once, beside the farm's own.
    pub(super) fn order_in_bulk(&mut self, clock: u64, page: Page) {
        let ordered = self.next_order;
        self.next_order += 1;
        self.orders.entry(page).or_insert(OrderRow { ordered, at: clock, bulk: true }).ordered = ordered;
    }

    pub(super) fn show(&mut self, clock: u64, package: usize) {
        let has = self.files.values().any(|file| self.versions[file.version].package == package);
        self.order_page(clock, Page::Project(package));
        if self.packages[package].published != has {
            self.packages[package].published = has;
            self.order_page(clock, Page::Root);
        }
    }

    pub(super) fn page_ordered(&self, package: usize) -> Option<i64> {
        self.orders.get(&Page::Project(package)).map(|row| row.ordered)
    }

    pub(super) fn rewrites_due(&self, limit: u16, except: &[i64]) -> Answer {
        let (limit, quarter) = (usize::from(limit), usize::from(limit) / 4);
        let mut due: Vec<(u8, bool, usize, Page, OrderRow)> = Vec::new();
        for bulk in [false, true] {
            let rows =
                self.orders.iter().filter(|(_, row)| row.bulk == bulk && !except.contains(&row.ordered));
            let mut rows: Vec<(Page, OrderRow)> = rows.map(|(page, row)| (*page, *row)).collect();
            rows.sort_by_key(|(page, row)| (row.at, *page));
            due.extend(rows.into_iter().take(limit + 1).enumerate().map(|(at, (page, row))| {
                let behind = match bulk {
                    true if at >= quarter => 2,
                    false if at >= limit - quarter => 1,
                    _ => 0,
                };
                (behind, bulk, at, page, row)
            }));
        }
        let more = due.len() > limit;
        due.sort_by_key(|(behind, bulk, at, ..)| (*behind, *bulk, *at));
        due.truncate(limit);
        due.sort_by_key(|(_, bulk, _, page, row)| (*bulk, row.at, *page));
        let due = due.into_iter().map(|(.., page, row)| self.rewrite(page, row.ordered)).collect();
        Answer::RewritesDue { due, more }
    }

    pub(super) fn rewrites_failed(&mut self, clock: u64, orders: &[RewriteOrder]) {
        for order in orders {
            if let Some(page) = self.page(&order.page)
                && let Some(row) = self.orders.get_mut(&page)
                && row.ordered == order.order
            {
                row.at = clock;
            }
        }
    }

    pub(super) fn rewrite(&self, page: Page, order: i64) -> Rewrite {
        let (kind, rows) = match page {
            Page::Home => (PageKind::Home, ProjectRows::default()),
            Page::Root => (PageKind::Root, ProjectRows::default()),
            Page::Project(package) => {
                (PageKind::Project(self.packages[package].name.clone()), self.project_rows(package))
            }
        };
        Rewrite { order: RewriteOrder { page: kind, order }, rows }
    }

    /// What a project's pages are made from, as far as the scribe looks at it.
    pub(crate) fn project_rows(&self, package: usize) -> ProjectRows {
        let mut versions: Vec<&VersionRow> =
            self.versions.iter().filter(|row| row.package == package).collect();
        versions.retain(|row| {
            let has_files = |file: &FileRow| std::ptr::eq(&self.versions[file.version], *row);
            !row.removed || self.files.values().any(has_files)
        });
        versions.sort_by(|a, b| a.version.cmp(&b.version));
        let mut files: Vec<&FileRow> =
            self.files.values().filter(|file| self.versions[file.version].package == package).collect();
        let key = |file: &FileRow| {
            (std::cmp::Reverse(self.versions[file.version].version.clone()), file.record.filename.clone())
        };
        files.sort_by_key(|file| key(file));
        let file = |file: &FileRow| PageFile {
            filename: file.record.filename.clone(),
            version: self.versions[file.version].version.to_string(),
            size: file.record.size,
            sha256: file.record.sha256,
            requires_python: file.record.requires_python.clone(),
            metadata_sha256: Some(file.record.metadata_sha256),
            yanked: self.versions[file.version].mark(),
            uploaded: "2026-01-31T23:59:59.000001Z".to_owned(),
            alias_of: None,
            abi: self.builds.get(&file.build).map_or_else(String::new, |b| self.abis[b.pair.1].to_string()),
            apt: None,
            requires: Some(Vec::new()),
        };
        let gone = self
            .withdrawn
            .iter()
            .filter(|(_, gone)| gone.pending && self.versions[gone.version].package == package);
        let builds = self.builds.iter().rev().filter(|(_, b)| self.versions[b.pair.0].package == package);
        ProjectRows {
            display: self.packages[package].display.clone(),
            status: "active".to_owned(),
            status_reason: None,
            versions: versions.iter().map(|row| row.version.to_string()).collect(),
            abis: (self.abis.iter().zip(&self.retired))
                .map(|(abi, retired)| PageAbi { tag: abi.to_string(), retired: retired.clone() })
                .collect(),
            releases: Vec::new(),
            files: files.into_iter().map(file).collect(),
            gone: gone.map(|(name, _)| name.clone()).collect(),
            builds: builds
                .take(100)
                .map(|(build, row)| PageBuild {
                    build: BuildId(*build),
                    version: self.versions[row.pair.0].version.to_string(),
                    abi: self.abis[row.pair.1].to_string(),
                    outcome: row.outcome.name().to_owned(),
                    duration_ms: 1000,
                    report: None,
                })
                .collect(),
        }
    }

    pub(super) fn rewrites_done(&mut self, orders: &[RewriteOrder]) {
        for order in orders {
            let Some(page) = self.page(&order.page) else { continue };
            if self.orders.get(&page).is_some_and(|row| row.ordered == order.order) {
                self.orders.remove(&page);
                if let Page::Project(package) = page {
                    for gone in self.withdrawn.values_mut() {
                        gone.pending &= self.versions[gone.version].package != package;
                    }
                }
            }
        }
    }

    pub(super) fn root_names(&self, after: Option<&str>, limit: u16) -> Vec<RootName> {
        let published = self.packages.iter().filter(|package| package.published);
        let names: BTreeSet<&str> = published.map(|package| package.name.as_str()).collect();
        names
            .into_iter()
            .filter(|name| after.is_none_or(|after| *name > after))
            .take(limit.into())
            .map(|name| RootName { name: name.to_owned(), downloads: 0 })
            .collect()
    }
}
