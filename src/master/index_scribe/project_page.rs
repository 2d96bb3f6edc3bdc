//! A project's page for people, `project/NAME/index.html`: how each release stands with each ABI and why, its files, what
//! was tried. Bounded however much there is: what is left out is counted, and stands in the JSON API. The template escapes;
//! the same rows give the same bytes. Pure.

use serde::Serialize;

use super::facts::{Fact, facts};
use super::frame::{Frame, Here};
use super::page::Templates;
use super::states::{self, Cell, State};
use super::{outcome, words};
use crate::domain::{BuildId, ProjectName, log_path};
use crate::master::query::{PageBuild, PageFile, PageRelease, ProjectRows};

/// Files that are shown; the newest.
const FILES: usize = 200;

#[derive(Serialize)]
struct Page<'a> {
    frame: Frame<'a>,
    name: &'a str,
    project: &'a str,
    status: Badge<'a>,
    newest: Option<&'a str>,
    // `if note` is `if not e` for the template
    remark: Option<Remark<'a>>,
    has_files: bool,
    apts: Vec<Apt>,
    index: String,
    no_address: bool,
    abis: Vec<&'a str>,
    releases: Vec<Release<'a>>,
    releases_left: bool,
    releases_shown: usize,
    releases_all: usize,
    files: Vec<File<'a>>,
    files_left: bool,
    files_shown: usize,
    files_all: usize,
    attempts: Vec<Attempt<'a>>,
}

#[derive(Serialize)]
struct Badge<'a> {
    look: &'static str,
    word: &'a str,
}

#[derive(Serialize)]
struct Remark<'a> {
    /// What stands behind `note` in its class.
    look: &'static str,
    text: &'static str,
    reason: Option<&'a str>,
}

/// What apt is asked for.
#[derive(Serialize)]
struct Apt {
    /// For whose wheels; empty: for all.
    abis: String,
    packages: String,
}

#[derive(Serialize)]
struct Release<'a> {
    version: &'a str,
    date: &'a str,
    prerelease: bool,
    yanked: bool,
    yanked_reason: &'a str,
    why_not: Option<&'a str>,
    cells: Vec<Shown<'a>>,
}

/// A cell; without a word, nothing can be said.
#[derive(Default, Serialize)]
struct Shown<'a> {
    word: &'static str,
    look: &'static str,
    why: String,
    by: Option<&'a str>,
    log: Option<String>,
}

#[derive(Serialize)]
struct File<'a> {
    filename: &'a str,
    metadata: bool,
    yanked: bool,
    size: String,
    tags: String,
    requires_python: Option<&'a str>,
    sha256: String,
}

#[derive(Serialize)]
struct Attempt<'a> {
    number: i64,
    version: &'a str,
    abi: &'a str,
    outcome: &'a str,
    look: &'static str,
    why: &'a str,
    /// What its slave says of it; empty where that is not known.
    facts: Vec<Fact>,
    /// Its log, from the top of the web site.
    log: Option<String>,
}

/// The text. `has_log`: whether an attempt's log is there.
pub(super) fn html(
    templates: &Templates,
    project: &ProjectName,
    rows: &ProjectRows,
    has_log: impl Fn(BuildId) -> bool,
) -> Result<String, String> {
    let site = templates.site();
    let description = format!("{}: its wheels on this farm, and how its builds went", rows.display);
    let log = |build: Option<BuildId>| {
        build.filter(|build| has_log(*build)).map(|build| log_path(build).display().to_string())
    };
    let releases: Vec<_> =
        rows.releases.iter().filter(|r| r.near).map(|release| Release::of(rows, release, &log)).collect();
    let files: Vec<_> = rows.files.iter().take(FILES).map(File::of).collect();
    let page = Page {
        frame: Frame::new(site, 2, Here::Elsewhere, &rows.display, &description),
        name: &rows.display,
        project: project.as_str(),
        status: status(rows),
        newest: newest(rows).map(|release| release.version.as_str()),
        remark: remark(rows),
        has_files: !rows.files.is_empty(),
        apts: apts(rows),
        index: format!("{}simple/", site.url.as_deref().unwrap_or("ADDRESS/")),
        no_address: site.url.is_none(),
        abis: states::columns(rows).map(|abi| abi.tag.as_str()).collect(),
        releases_left: releases.len() < rows.releases.len(),
        releases_shown: releases.len(),
        releases_all: rows.releases.len(),
        releases,
        files_left: files.len() < rows.files.len(),
        files_shown: files.len(),
        files_all: rows.files.len(),
        files,
        attempts: rows.builds.iter().map(|attempt| Attempt::of(attempt, &log)).collect(),
    };
    templates.render("project-page", &page)
}

/// The project's status on the index (PEP 792).
fn status(rows: &ProjectRows) -> Badge<'_> {
    let look = match rows.status.as_str() {
        "active" => "ok",
        "quarantined" => "bad",
        _ => "wait",
    };
    Badge { look, word: &rows.status }
}

/// What PEP 792 says of the project, where that is to be known.
fn remark(rows: &ProjectRows) -> Option<Remark<'_>> {
    let (look, text) = match rows.status.as_str() {
        "active" => return None,
        "archived" => ("", "Its authors have archived this project: no more releases are to be expected."),
        "deprecated" => ("", "Its authors say that this project is out of use."),
        "quarantined" => (
            " bad",
            "The index has put this project under quarantine. Until that ends, no files of it are offered here.",
        ),
        _ => ("", "The index says something of this project that this farm does not know."),
    };
    Some(Remark { look, text, reason: rows.status_reason.as_deref().filter(|reason| !reason.is_empty()) })
}

/// The newest release with files; a final one that is not yanked, if there is one.
fn newest(rows: &ProjectRows) -> Option<&PageRelease> {
    let has_files = |release: &&PageRelease| rows.files.iter().any(|file| file.version == release.version);
    let sound = |release: &&PageRelease| !release.prerelease && release.yanked.is_none();
    rows.releases.iter().filter(sound).find(has_files).or_else(|| rows.releases.iter().find(has_files))
}

/// What has to be installed for that release: one line where it is the same for every ABI.
fn apts(rows: &ProjectRows) -> Vec<Apt> {
    let Some(newest) = newest(rows) else { return Vec::new() };
    // what is for every platform needs no library
    let of_release =
        |file: &&PageFile| file.version == newest.version && states::tags(&file.filename).1 != "any";
    let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
    for file in rows.files.iter().filter(of_release) {
        let mut packages: Vec<&str> = states::apt(file).collect();
        packages.sort_unstable();
        packages.dedup();
        let packages = packages.join(" ");
        match groups.iter_mut().find(|(known, _)| *known == packages) {
            Some((_, abis)) if abis.contains(&file.abi.as_str()) => {}
            Some((_, abis)) => abis.push(&file.abi),
            None => groups.push((packages, vec![&file.abi])),
        }
    }
    let same = groups.len() == 1;
    let apt = |(packages, abis): (String, Vec<&str>)| {
        let abis = if same { String::new() } else { abis.join(", ") };
        (!packages.is_empty()).then_some(Apt { abis, packages })
    };
    groups.into_iter().filter_map(apt).collect()
}

impl<'a> Release<'a> {
    fn of(
        rows: &'a ProjectRows,
        release: &'a PageRelease,
        log: &impl Fn(Option<BuildId>) -> Option<String>,
    ) -> Self {
        let known = states::cells(rows, release);
        let shown = |abi: &str| match known.iter().find(|(tag, _)| *tag == abi) {
            Some((_, cell)) => Shown::of(cell, log(cell.log)),
            None => Shown::default(),
        };
        Self {
            version: &release.version,
            date: release.released.as_deref().and_then(|moment| moment.get(..10)).unwrap_or_default(),
            prerelease: release.prerelease,
            yanked: release.yanked.is_some(),
            yanked_reason: release.yanked.as_deref().unwrap_or_default(),
            why_not: release.why_not.as_deref(),
            cells: states::columns(rows).map(|abi| shown(&abi.tag)).collect(),
        }
    }
}

impl<'a> Shown<'a> {
    fn of(cell: &Cell<'a>, log: Option<String>) -> Self {
        let why = match (cell.state, cell.reason, cell.due) {
            // it stands once, beside the release
            (State::Skipped, ..) => String::new(),
            (_, Some(reason), Some(due)) => format!("{reason}; queued again {}", moment(due)),
            (_, Some(reason), None) => reason.to_owned(),
            (_, None, _) => String::new(),
        };
        Self {
            word: cell.state.word(),
            look: look(cell.state),
            why,
            by: cell.by.map(|f| f.filename.as_str()),
            log,
        }
    }
}

fn look(state: State) -> &'static str {
    match state {
        State::Built | State::Covered => "ok",
        State::Failed => "bad",
        State::Building | State::Queued | State::Delayed | State::Waiting => "wait",
        State::Skipped | State::Off => "off",
    }
}

/// `2026-01-31T23:59:59Z`, for people.
fn moment(text: &str) -> String {
    match (text.get(..10), text.get(11..16)) {
        (Some(day), Some(time)) => format!("{day} {time} UTC"),
        _ => text.to_owned(),
    }
}

impl<'a> File<'a> {
    fn of(file: &'a PageFile) -> Self {
        let (abi, platform) = states::tags(&file.filename);
        Self {
            filename: &file.filename,
            metadata: file.metadata_sha256.is_some(),
            yanked: file.yanked.is_some(),
            size: words::bytes(file.size),
            tags: format!("{abi} {platform}"),
            requires_python: file.requires_python.as_deref(),
            sha256: file.sha256.to_string(),
        }
    }
}

impl<'a> Attempt<'a> {
    fn of(attempt: &'a PageBuild, log: &impl Fn(Option<BuildId>) -> Option<String>) -> Self {
        Self {
            number: attempt.build.0,
            version: &attempt.version,
            abi: &attempt.abi,
            outcome: &attempt.outcome,
            look: outcome::look(&attempt.outcome),
            why: states::why_failed(&attempt.outcome),
            facts: attempt.report.as_ref().map_or_else(Vec::new, |r| facts(r, attempt.duration_ms)),
            log: log(Some(attempt.build)),
        }
    }
}
