//! The JSON API of a project, `project/NAME/json/index.json`: what its page for people shows, for programs. The schema is
//! `wire-spec/project.schema.json`; fields may be added, none goes or changes. Addresses in it are relative to its own.
//! Deterministic: the same rows give the same bytes. Pure.

use std::collections::HashMap;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::states::{self, Cell};
use crate::domain::dependencies::MAX_LINES;
use crate::domain::requirement::Requirement;
use crate::domain::{BuildId, Environment, ProjectName, log_path};
use crate::master::query::{PageFile, PageRelease, ProjectRows};

/// Its name in the directory `json` of the project's.
pub(super) const INDEX: &str = "index.json";
/// From there to the top of the site.
const TOP: &str = "../../../";

#[derive(Serialize)]
struct Project<'a> {
    package: &'a str,
    name: &'a str,
    status: &'a str,
    status_reason: Option<&'a str>,
    page_url: &'static str,
    simple_url: Option<String>,
    abis: Pairs<'a, Abi<'a>>,
    releases: Pairs<'a, Release<'a>>,
}

#[derive(Serialize)]
struct Abi<'a> {
    retired: Option<&'a str>,
}

#[derive(Serialize)]
struct Release<'a> {
    released: Option<&'a str>,
    prerelease: bool,
    yanked: bool,
    yanked_reason: Option<&'a str>,
    /// Empty where it is not skipped, as it always was.
    skip_reason: &'a str,
    /// Known of the newest releases, as the next.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_built_reason: Option<Option<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    builds: Option<Pairs<'a, Build<'a>>>,
    files: Pairs<'a, File<'a>>,
}

#[derive(Serialize)]
struct Build<'a> {
    state: &'a str,
    reason: Option<&'a str>,
    outcome: Option<&'a str>,
    due: Option<&'a str>,
    build_id: Option<i64>,
    log_url: Option<String>,
}

#[derive(Serialize)]
struct File<'a> {
    url: String,
    filesize: u64,
    filehash: String,
    metadata_url: Option<String>,
    metadata_filehash: Option<String>,
    uploaded: &'a str,
    builder_abi: &'a str,
    file_abi_tag: &'a str,
    platform: &'a str,
    requires_python: Option<&'a str>,
    alias_of: Option<&'a str>,
    apt_dependencies: Vec<&'a str>,
    pip_dependencies: Option<Vec<String>>,
}

/// An object whose members stand in the order of the list.
struct Pairs<'a, T>(Vec<(&'a str, T)>);

impl<T: Serialize> Serialize for Pairs<'_, T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// The text. `has_log`: whether an attempt's log is there.
pub(super) fn json(
    project: &ProjectName,
    rows: &ProjectRows,
    has_log: impl Fn(BuildId) -> bool,
) -> Result<String, String> {
    let mut files: HashMap<&str, Vec<(&str, File<'_>)>> = HashMap::new();
    for file in &rows.files {
        files.entry(&file.version).or_default().push((&file.filename, File::of(project, file)));
    }
    let releases = rows.releases.iter().map(|r| {
        let files = files.remove(r.version.as_str()).unwrap_or_default();
        (r.version.as_str(), Release::of(rows, r, files, &has_log))
    });
    let releases = Pairs(releases.collect());
    let page = Project {
        package: project.as_str(),
        name: &rows.display,
        status: &rows.status,
        status_reason: rows.status_reason.as_deref(),
        page_url: "../",
        simple_url: (!rows.files.is_empty()).then(|| format!("{TOP}simple/{project}/")),
        abis: Pairs(
            states::columns(rows).map(|a| (a.tag.as_str(), Abi { retired: a.retired.as_deref() })).collect(),
        ),
        releases,
    };
    serde_json::to_string(&page).map(|text| text + "\n").map_err(|e| e.to_string())
}

impl<'a> Release<'a> {
    fn of(
        rows: &'a ProjectRows,
        release: &'a PageRelease,
        files: Vec<(&'a str, File<'a>)>,
        has_log: &impl Fn(BuildId) -> bool,
    ) -> Self {
        let builds = || {
            let cells = states::cells(rows, release).into_iter();
            Pairs(cells.map(|(abi, cell)| (abi, Build::of(&cell, has_log))).collect())
        };
        Self {
            released: release.released.as_deref(),
            prerelease: release.prerelease,
            yanked: release.yanked.is_some(),
            yanked_reason: release.yanked.as_deref(),
            skip_reason: release.skip.as_deref().unwrap_or_default(),
            not_built_reason: release.near.then_some(release.why_not.as_deref()),
            builds: release.near.then(builds),
            files: Pairs(files),
        }
    }
}

impl<'a> Build<'a> {
    fn of(cell: &Cell<'a>, has_log: &impl Fn(BuildId) -> bool) -> Self {
        let log = cell.log.filter(|build| has_log(*build));
        Self {
            state: cell.state.word(),
            reason: cell.reason,
            outcome: cell.outcome,
            due: cell.due,
            build_id: cell.build.map(|build| build.0),
            log_url: log.map(|build| format!("{TOP}{}", log_path(build).display())),
        }
    }
}

impl<'a> File<'a> {
    fn of(project: &ProjectName, file: &'a PageFile) -> Self {
        let (file_abi_tag, platform) = states::tags(&file.filename);
        let url = format!("{TOP}simple/{project}/{}", file.filename);
        Self {
            metadata_url: file.metadata_sha256.map(|_| format!("{url}.metadata")),
            metadata_filehash: file.metadata_sha256.map(|digest| digest.to_string()),
            url,
            filesize: file.size,
            filehash: file.sha256.to_string(),
            uploaded: &file.uploaded,
            builder_abi: &file.abi,
            file_abi_tag,
            platform,
            requires_python: file.requires_python.as_deref(),
            alias_of: file.alias_of.as_deref(),
            apt_dependencies: states::apt(file).collect(),
            pip_dependencies: file.requires.as_ref().map(|lines| required(lines)),
        }
    }
}

/// The projects that a wheel requires wherever it may be installed and whatever extras are asked for; sorted, each once.
fn required(lines: &[String]) -> Vec<String> {
    let any = Environment::any();
    let mut names: Vec<String> = lines
        .iter()
        .take(MAX_LINES)
        .filter_map(|line| Requirement::parse(line).ok())
        .filter(|r| r.marker.as_ref().is_none_or(|marker| marker.holds(&any, Some(&[])) != Some(false)))
        .map(|requirement| requirement.package.to_string())
        .collect();
    names.sort();
    names.dedup();
    names
}
