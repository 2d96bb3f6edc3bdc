//! Rows against disk against pages: what differs in one project. Pure; `tree.rs` looks, this compares.

use std::collections::{BTreeMap, BTreeSet};

use super::finding::{Cure, Finding, Kind};
use super::links::local;
use super::pages::{PAGES, Shown};
use super::rows::{Project, Row};
use crate::domain::Sha256;

/// What the tree has of a project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// What stands in the place of its directory, and is none.
    pub(super) no_directory: bool,
    /// Its directory is there and older than a day.
    pub(super) old_directory: bool,
    /// What is in it.
    pub(super) entries: BTreeMap<String, Entry>,
    /// Names in it that are no text.
    pub(super) odd: Vec<String>,
    /// The pages that are there, by their names, and what they say or why that is not known.
    pub(super) pages: BTreeMap<String, Result<Vec<Shown>, String>>,
    /// What is wrong with compressed twins, by the page's path below the tree.
    pub(super) twins: BTreeMap<String, String>,
    /// Its page for people is there.
    pub(super) people: bool,
    /// Pages for people that cannot be read, and why.
    pub(super) unreadable: Vec<(String, String)>,
    /// Links of that page, and of those beside it, that lead nowhere: page and link.
    pub(super) broken: Vec<(String, String)>,
}

/// Something in a project's directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// What it is.
    pub(super) what: What,
    /// Bytes.
    pub(super) size: u64,
    /// It is older than a day.
    pub(super) old: bool,
    /// Digest of its bytes, where it was asked for; or why there is none.
    pub(super) sha256: Option<Result<Sha256, String>>,
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A file.
    File,
    /// A directory.
    Directory,
    /// A link, a device.
    Other,
}

/// Everything that differs.
pub(super) fn compare(project: &Project, seen: &Seen) -> Vec<Finding> {
    let mut found = Vec::new();
    let dir = format!("simple/{}", project.name);
    if seen.no_directory {
        found.push(Finding::new(Kind::ExtraFile, &dir, "it stands where a directory belongs", Cure::None));
    }
    for row in &project.files {
        files(project, row, &dir, seen, &mut found);
    }
    extras(project, &dir, seen, &mut found);
    for page in PAGES {
        links(project, page, &dir, seen, &mut found);
    }
    for (page, wrong) in &seen.twins {
        found.push(Finding::new(Kind::PageTwin, format!("{page}.gz"), wrong, page_cure(project)));
    }
    people(project, seen, &mut found);
    found
}

/// A page of a project that the farm does not know is nobody's to write.
fn page_cure(project: &Project) -> Cure {
    if project.known { Cure::Page } else { Cure::None }
}

fn files(project: &Project, row: &Row, dir: &str, seen: &Seen, found: &mut Vec<Finding>) {
    let path = format!("{dir}/{}", row.filename);
    let entry = seen.entries.get(&row.filename);
    let wrong = wrong(entry, Some(row.size), &row.sha256);
    if row.alias_of.is_some() {
        // one of a file that is not shown comes and goes with the page
        if row.withheld.is_none() && project.shown {
            match wrong {
                Wrong::Nothing => {}
                Wrong::Missing => found.push(Finding::new(Kind::AliasMissing, path, "", Cure::Page)),
                Wrong::Changed(detail) | Wrong::Unreadable(detail) => {
                    found.push(Finding::new(Kind::AliasChanged, path, detail, Cure::Page));
                }
            }
        }
        return;
    }
    let (mut kind, mut detail) = match wrong {
        Wrong::Nothing => (None, String::new()),
        Wrong::Missing => (Some(Kind::FileMissing), String::new()),
        Wrong::Changed(detail) => (Some(Kind::FileChanged), detail),
        Wrong::Unreadable(detail) => {
            found.push(Finding::new(Kind::Unreadable, path, detail, Cure::None));
            return;
        }
    };
    if kind.is_none()
        && let Some(digest) = &row.metadata_sha256
    {
        let name = format!("{}.metadata", row.filename);
        let beside = match self::wrong(seen.entries.get(&name), None, digest) {
            Wrong::Nothing => None,
            Wrong::Missing => Some((Kind::MetadataMissing, String::new())),
            Wrong::Changed(detail) => Some((Kind::MetadataChanged, detail)),
            Wrong::Unreadable(detail) => Some((Kind::Unreadable, detail)),
        };
        if let Some((kind, detail)) = beside {
            let cure = if kind == Kind::Unreadable { Cure::None } else { Cure::Metadata };
            found.push(Finding::new(kind, format!("{dir}/{name}"), detail, cure));
            return;
        }
    }
    let cure = match (&row.withheld, kind) {
        (None, None) => return,
        (None, Some(_)) => Cure::Withhold,
        // only its bytes say that it is back
        (Some(_), None) => match entry {
            Some(Entry { sha256: Some(_), .. }) => {
                (kind, detail) =
                    (Some(Kind::FileRestored), "it has the right bytes again, and is on no page".to_owned());
                Cure::Show
            }
            _ => return,
        },
        (Some(reason), Some(_)) => {
            let word = if detail.is_empty() { "" } else { "; " };
            detail = format!("{detail}{word}withheld from its page: {reason}");
            Cure::None
        }
    };
    if let Some(kind) = kind {
        found.push(Finding::new(kind, path, detail, cure));
    }
}

/// What is wrong with a file.
enum Wrong {
    Nothing,
    Missing,
    Changed(String),
    Unreadable(String),
}

fn wrong(entry: Option<&Entry>, size: Option<u64>, sha256: &Sha256) -> Wrong {
    let Some(entry) = entry else { return Wrong::Missing };
    if entry.what != What::File {
        return Wrong::Changed("it is no file".to_owned());
    }
    if let Some(size) = size
        && entry.size != size
    {
        return Wrong::Changed(format!("it has {} bytes and not {size}", entry.size));
    }
    match &entry.sha256 {
        Some(Ok(found)) if found != sha256 => {
            Wrong::Changed(format!("its SHA-256 is {found} and not {sha256}"))
        }
        Some(Err(reason)) => Wrong::Unreadable(reason.clone()),
        _ => Wrong::Nothing,
    }
}

/// What is in the directory and nothing stands for, unless it is younger than a day: a build may just be bringing it into place.
fn extras(project: &Project, dir: &str, seen: &Seen, found: &mut Vec<Finding>) {
    let named: BTreeSet<&str> = project
        .files
        .iter()
        .map(|row| row.filename.as_str())
        .chain(project.pending.iter().map(String::as_str))
        .collect();
    for (name, entry) in seen.entries.iter().filter(|(_, entry)| entry.old) {
        let wheel = name.strip_suffix(".metadata").unwrap_or(name);
        let page = PAGES.iter().any(|page| name.strip_suffix(".gz").unwrap_or(name) == *page);
        if named.contains(name.as_str()) || named.contains(wheel) || (page && project.known) {
            continue;
        }
        let path = format!("{dir}/{name}");
        found.push(match entry.what {
            What::Directory => Finding::new(Kind::ExtraDirectory, path, "", Cure::None),
            _ => Finding::new(Kind::ExtraFile, path, "no row stands for it", Cure::Sweep),
        });
    }
    for name in &seen.odd {
        let detail = "no row stands for it, and its name is no text";
        found.push(Finding::new(Kind::ExtraFile, format!("{dir}/{name}"), detail, Cure::None));
    }
    if seen.old_directory && seen.entries.is_empty() && seen.odd.is_empty() && named.is_empty() {
        found.push(Finding::new(Kind::ExtraDirectory, dir, "it is empty", Cure::Sweep));
    }
}

fn links(project: &Project, page: &str, dir: &str, seen: &Seen, found: &mut Vec<Finding>) {
    let path = format!("{dir}/{page}");
    let mut rows: BTreeMap<&str, &Row> = project.on_page().map(|row| (row.filename.as_str(), row)).collect();
    let expected = !rows.is_empty();
    let shown = match seen.pages.get(page) {
        None if !expected => return,
        None => {
            found.push(Finding::new(Kind::PageMissing, path, "", Cure::Page));
            return;
        }
        Some(_) if !expected => {
            if project.known {
                found.push(Finding::new(Kind::PageExtra, path, "there is nothing to show", Cure::Page));
            }
            return;
        }
        Some(Err(reason)) => {
            found.push(Finding::new(Kind::Unreadable, path, reason, Cure::Page));
            return;
        }
        Some(Ok(shown)) => shown,
    };
    let at = |name: &str| format!("{path}: {name}");
    for link in shown {
        let Some(row) = rows.remove(link.filename.as_str()) else {
            let there = seen.entries.contains_key(&link.filename);
            let (kind, detail) = if there {
                (Kind::LinkExtra, "no row stands for it, or it is there twice")
            } else {
                (Kind::LinkBroken, "there is no such file")
            };
            found.push(Finding::new(kind, at(&link.filename), detail, Cure::Page));
            continue;
        };
        let wrong: Vec<&str> = [
            (link.sha256 != Some(row.sha256), "digest"),
            (link.metadata_sha256 != row.metadata_sha256, "digest of METADATA"),
            (link.requires_python != row.requires_python, "Requires-Python"),
            (link.yanked != row.yanked, "yank"),
            (link.size.is_some_and(|size| size != row.size), "size"),
        ]
        .into_iter()
        .filter_map(|(is_wrong, what)| is_wrong.then_some(what))
        .collect();
        if !wrong.is_empty() {
            let detail = format!("another {} than the row's", wrong.join(", "));
            found.push(Finding::new(Kind::LinkWrong, at(&link.filename), detail, Cure::Page));
        }
    }
    for name in rows.keys() {
        found.push(Finding::new(Kind::LinkMissing, at(name), "", Cure::Page));
    }
}

fn people(project: &Project, seen: &Seen, found: &mut Vec<Finding>) {
    let page = format!("project/{}/index.html", project.name);
    if project.builds && !seen.people {
        found.push(Finding::new(Kind::PageMissing, &page, "", Cure::Page));
    }
    if seen.people && !(project.known && project.shown) {
        found.push(Finding::new(Kind::PageExtra, &page, "there is nothing to show", page_cure(project)));
    }
    for (page, reason) in &seen.unreadable {
        found.push(Finding::new(Kind::Unreadable, page, reason, page_cure(project)));
    }
    let missing = |found: &Finding, target: &str| {
        matches!(found.kind, Kind::FileMissing | Kind::MetadataMissing | Kind::AliasMissing)
            && found.path == target
    };
    for (page, link) in &seen.broken {
        // a file that is gone is told once, not with every page that names it
        let target = local(page, link).ok().flatten();
        if target.is_some_and(|target| found.iter().any(|found| missing(found, &target))) {
            continue;
        }
        let detail = "it leads nowhere";
        found.push(Finding::new(Kind::LinkBroken, format!("{page}: {link}"), detail, page_cure(project)));
    }
}

#[cfg(test)]
mod tests;
