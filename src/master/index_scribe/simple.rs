//! The pages that installers read: HTML (PEP 503) and JSON (PEP 691), with what later PEPs added: 592 (yanked), 629 (API
//! version), 658 and 714 (metadata files), 700 (versions, sizes, times), 792 (the project's status). Deterministic: the same
//! rows give the same bytes. Pure.

use serde::Serialize;

use super::page::Templates;
use crate::domain::ProjectName;
use crate::master::query::{PageFile, ProjectRows, RootName};
use crate::seeded;

/// The file for browsers and old installers.
pub const HTML: &str = "index.html";
/// The file for those that ask for JSON.
pub const JSON: &str = "index.v1_json";

/// PEP 629, and what 792 made of it.
const API_VERSION: &str = "1.4";

/// Before the names of the root index, as JSON.
pub(super) const ROOT_JSON_BEGIN: &str = "{\"meta\":{\"api-version\":\"1.4\"},\"projects\":[";
/// After them.
pub(super) const ROOT_JSON_END: &str = "]}\n";

#[derive(Serialize)]
struct Page<'a> {
    meta: Meta,
    name: &'a str,
    #[serde(rename = "project-status")]
    status: Status<'a>,
    versions: &'a [String],
    files: Vec<File<'a>>,
}

#[derive(Serialize)]
struct Meta {
    #[serde(rename = "api-version")]
    api_version: &'static str,
}

#[derive(Serialize)]
struct Status<'a> {
    status: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct File<'a> {
    filename: &'a str,
    url: &'a str,
    hashes: Hashes,
    #[serde(skip_serializing_if = "Option::is_none")]
    requires_python: Option<&'a str>,
    size: u64,
    upload_time: &'a str,
    yanked: Yanked<'a>,
    // Only by this name: pip 22.3 to 23.1 read the older one, dist-info-metadata, and then refuse a project whose METADATA
    // spells its name otherwise than it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    core_metadata: Option<Hashes>,
}

#[derive(Serialize)]
struct Hashes {
    sha256: String,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Yanked<'a> {
    Flag(bool),
    Reason(&'a str),
}

impl<'a> From<&'a PageFile> for File<'a> {
    fn from(file: &'a PageFile) -> Self {
        Self {
            filename: &file.filename,
            url: &file.filename,
            hashes: Hashes { sha256: file.sha256.to_string() },
            requires_python: file.requires_python.as_deref(),
            size: file.size,
            upload_time: &file.uploaded,
            yanked: match file.yanked.as_deref() {
                _ if seeded::is("yank-not-shown") => Yanked::Flag(false),
                None => Yanked::Flag(false),
                Some("") => Yanked::Flag(true),
                Some(reason) => Yanked::Reason(reason),
            },
            core_metadata: file.metadata_sha256.map(|digest| Hashes { sha256: digest.to_string() }),
        }
    }
}

/// A project's page for installers, as HTML.
pub(super) fn html(templates: &Templates, rows: &ProjectRows) -> Result<String, String> {
    templates.project(rows)
}

/// The same as JSON. `name` is canonical, as PEP 691 has it.
pub(super) fn json(name: &ProjectName, rows: &ProjectRows) -> Result<String, String> {
    let page = Page {
        meta: Meta { api_version: API_VERSION },
        name: name.as_str(),
        status: Status { status: &rows.status, reason: rows.status_reason.as_deref() },
        versions: &rows.versions,
        files: rows.files.iter().map(File::from).collect(),
    };
    serde_json::to_string(&page).map(|text| text + "\n").map_err(|e| e.to_string())
}

/// A piece of the root index, as JSON; `first`: nothing stands before it.
pub(super) fn root_json(names: &[RootName], first: bool) -> Result<String, String> {
    #[derive(Serialize)]
    struct Project<'a> {
        name: &'a str,
    }
    let mut text = String::new();
    for RootName { name, .. } in names {
        if !first || !text.is_empty() {
            text.push(',');
        }
        text += &serde_json::to_string(&Project { name }).map_err(|e| e.to_string())?;
    }
    Ok(text)
}
