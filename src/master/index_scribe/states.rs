//! How a release stands with each ABI: from the database's words to what the page for people and the JSON API say, with the
//! reason. Pure.

use serde::Serialize;

use crate::domain::BuildId;
use crate::domain::apt;
use crate::master::query::{PageAbi, PageCell, PageFile, PageRelease, ProjectRows};

/// What a cell of the table of releases and ABIs says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// The newest attempt made a wheel.
    Built,
    /// It did not, and no other is due.
    Failed,
    /// A slave has it.
    Building,
    /// The next slave that is free for it gets it.
    Queued,
    /// It is queued again at a certain moment.
    Delayed,
    /// A lower ABI comes first.
    Waiting,
    /// A wheel that another ABI's build made serves it.
    Covered,
    /// Something speaks against building the release at all.
    Skipped,
    /// Something speaks against building it for this ABI.
    Off,
}

impl State {
    /// Its name in the JSON API and as a class of the style sheet.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Built => "built",
            Self::Failed => "failed",
            Self::Building => "building",
            Self::Queued => "queued",
            Self::Delayed => "delayed",
            Self::Waiting => "waiting",
            Self::Covered => "covered",
            Self::Skipped => "skipped",
            Self::Off => "off",
        }
    }
}

/// A cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cell<'a> {
    pub(super) state: State,
    /// Why it is so, for people; none where the state says all.
    pub(super) reason: Option<&'a str>,
    /// How the newest attempt that counts ended.
    pub(super) outcome: Option<&'a str>,
    /// When a delayed one is queued again.
    pub(super) due: Option<&'a str>,
    /// That attempt's number.
    pub(super) build: Option<BuildId>,
    /// The same, where it printed something.
    pub(super) log: Option<BuildId>,
    /// The wheel that serves a covered one.
    pub(super) by: Option<&'a PageFile>,
}

/// The ABIs that have a column: those that are built for, and retired ones where something was tried.
pub(super) fn columns(rows: &ProjectRows) -> impl Iterator<Item = &PageAbi> {
    rows.abis.iter().filter(|abi| {
        abi.retired.is_none()
            || rows.releases.iter().any(|release| release.cells.iter().any(|cell| cell.abi == abi.tag))
    })
}

/// The cells of a release, one for each ABI that anything can be said of, in the order of the columns.
pub(super) fn cells<'a>(rows: &'a ProjectRows, release: &'a PageRelease) -> Vec<(&'a str, Cell<'a>)> {
    let one = |abi: &'a PageAbi| {
        let known = release.cells.iter().find(|cell| cell.abi == abi.tag);
        Some((
            abi.tag.as_str(),
            known.map_or_else(|| skipped(release), |cell| Some(of(rows, release, cell)))?,
        ))
    };
    columns(rows).filter_map(one).collect()
}

/// Of an ABI for which the database knows no state: something speaks against the release, or the ABI is retired.
fn skipped(release: &PageRelease) -> Option<Cell<'_>> {
    let reason = Some(release.why_not.as_deref()?);
    Some(Cell { state: State::Skipped, reason, outcome: None, due: None, build: None, log: None, by: None })
}

fn of<'a>(rows: &'a ProjectRows, release: &'a PageRelease, cell: &'a PageCell) -> Cell<'a> {
    let state = match cell.state.as_str() {
        "built" => State::Built,
        "building" => State::Building,
        "queued" => State::Queued,
        "delayed" => State::Delayed,
        "waiting" => State::Waiting,
        "settled" => State::Covered,
        "off" => State::Off,
        // of a newer database's states the page says the least
        _ => State::Failed,
    };
    let outcome = cell.outcome.as_deref();
    let by = match state {
        State::Covered => covering(rows, release),
        _ => None,
    };
    let reason = match state {
        State::Failed => outcome.map(why_failed),
        State::Delayed => Some(why_delayed(cell.reason.as_deref(), outcome)),
        State::Off => cell.reason.as_deref(),
        State::Waiting => Some("a lower ABI is built first: its wheel may serve this one too"),
        State::Covered => Some("a wheel of another ABI's build serves it"),
        State::Built | State::Building | State::Queued | State::Skipped => None,
    };
    let build = cell.build.map(BuildId);
    Cell {
        state,
        reason,
        outcome,
        due: cell.due.as_deref(),
        build,
        log: build.filter(|_| cell.log == Some(true)),
        by,
    }
}

/// The wheel of a release that serves more than the ABI it was built for.
fn covering<'a>(rows: &'a ProjectRows, release: &PageRelease) -> Option<&'a PageFile> {
    rows.files.iter().filter(|file| file.version == release.version).find(|file| {
        let (abi, _) = tags(&file.filename);
        abi.split('.').any(|tag| tag == "none" || tag == "abi3")
    })
}

/// An outcome (`sql/schema/build.sql`), for people.
pub(super) fn why_failed(outcome: &str) -> &str {
    match outcome {
        "built" => "it made a wheel",
        "failed" => "its build ended with an error; the log says which",
        "timeout" => "its build took longer than builds may take",
        "silence" => "its build printed nothing for too long",
        "no-sdist" => "the index has no source distribution to build from",
        "bad-wheel" => "what its build made is no sound wheel of this release",
        "lost-slave" => "the slaves that built it were lost each time",
        "lost-transfer" => "its wheel could not be fetched from the slave",
        "superseded" => "another slave's result came first",
        "cancelled" => "the operator cancelled its build",
        "upload-race" => "the source distribution was not there yet",
        "network" => "the index could not be reached, or a download broke",
        "out-of-memory" => "its build needs more memory than the slave has",
        "disk" => "the disk of the slave was full",
        "log-limit" => "its build printed more than builds may print",
        "wheel-limit" => "its wheel is larger than wheels may be",
        "disk-limit" => "its build wrote more than builds may write",
        "process-limit" => "its build had more processes than builds may have",
        other => other,
    }
}

fn why_delayed<'a>(reason: Option<&'a str>, outcome: Option<&'a str>) -> &'a str {
    match (reason, outcome) {
        (Some("cooldown"), _) => "it is new on the index: what is withdrawn soon is not built",
        (Some("page"), _) => "its page on the index could not be read",
        (_, Some(outcome)) => why_failed(outcome),
        _ => "its slave was lost; it is tried again",
    }
}

/// The ABI tag and the platform tag of a wheel's name; empty where there are none.
pub(super) fn tags(filename: &str) -> (&str, &str) {
    let mut parts = filename.strip_suffix(".whl").unwrap_or(filename).rsplitn(3, '-');
    let platform = parts.next().unwrap_or_default();
    let abi = parts.next().unwrap_or_default();
    // without a third part it is no wheel's name
    if parts.next().is_some() { (abi, platform) } else { ("", "") }
}

/// The Debian packages that a file needs, as far as what its slave says are names of such.
pub(super) fn apt(file: &PageFile) -> impl Iterator<Item = &str> {
    file.apt.iter().flatten().map(String::as_str).filter(|name| apt::is_package(name))
}
