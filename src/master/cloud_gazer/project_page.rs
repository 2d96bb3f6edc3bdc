//! A project's page (PEP 691, 700, 592, 792), read piece by piece: what is kept grows with its releases, not with its
//! bytes. Pure. What is chosen of it stands in [`super::choice`].

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read};

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::json::{Each, Meta, Scalar};
use super::releases::{File, Release, Releases};
use super::trouble;
use crate::domain::{ProjectName, Version};
use crate::master::gaze::ProjectStatus;

/// Why a page was not read.
#[derive(Debug)]
pub(super) enum PageError {
    /// Its bytes did not come.
    Broken(io::Error),
    /// It is not what it should be. For people.
    Unreadable(String),
}

/// What the page says that matters here.
#[derive(Debug)]
pub(super) struct ProjectPage {
    /// The project's name as the page spells it.
    pub(super) display: String,
    pub(super) status: ProjectStatus,
    pub(super) status_reason: Option<String>,
    pub(super) serial: Option<u64>,
    /// Oldest first.
    pub(super) releases: BTreeMap<Version, Release>,
}

impl ProjectPage {
    /// Reads the page of a package to its end.
    pub(super) fn read(input: impl Read, package: &ProjectName) -> Result<Self, PageError> {
        let mut json = serde_json::Deserializer::from_reader(io::BufReader::with_capacity(1 << 16, input));
        let page = PageSeed(package).deserialize(&mut json).and_then(|page| json.end().map(|()| page));
        let page = page.map_err(|error| {
            if error.is_io() {
                PageError::Broken(error.into())
            } else if error.is_eof() {
                PageError::Broken(io::Error::new(io::ErrorKind::UnexpectedEof, "the page breaks off"))
            } else {
                PageError::Unreadable(format!("the index's page cannot be read: {error}"))
            }
        })?;
        page.check(package).map_err(PageError::Unreadable)
    }
}

/// The page as it was read, before it is believed.
#[derive(Default)]
struct RawPage {
    meta: Option<Meta>,
    name: Scalar,
    status: RawStatus,
    has_files: bool,
    releases: BTreeMap<Version, Release>,
}

impl RawPage {
    fn check(self, package: &ProjectName) -> Result<ProjectPage, String> {
        let meta = self.meta.unwrap_or_default();
        meta.check()?;
        let display = self.name.text().unwrap_or_default();
        let name = ProjectName::parse(display).map_err(|e| e.to_string())?;
        if name != *package {
            return Err(format!("the index answers with the page of {name}"));
        }
        if !self.has_files {
            return Err("the index's page has no list of files".to_owned());
        }
        let status = match self.status.status.text() {
            Some("archived") => ProjectStatus::Archived,
            Some("deprecated") => ProjectStatus::Deprecated,
            Some("quarantined") => ProjectStatus::Quarantined,
            _ => ProjectStatus::Active,
        };
        let reason = self.status.reason.text().map(trouble::kept).filter(|reason| !reason.trim().is_empty());
        Ok(ProjectPage {
            display: display.to_owned(),
            status,
            status_reason: reason,
            serial: meta.serial(),
            releases: self.releases,
        })
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "kebab-case")]
enum Key {
    Meta,
    Name,
    Files,
    Versions,
    ProjectStatus,
    #[serde(other)]
    Other,
}

struct PageSeed<'a>(&'a ProjectName);

impl<'de> DeserializeSeed<'de> for PageSeed<'_> {
    type Value = RawPage;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<RawPage, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for PageSeed<'_> {
    type Value = RawPage;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a project's page")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawPage, A::Error> {
        let mut page = RawPage::default();
        let mut releases = Releases::new(self.0);
        while let Some(key) = map.next_key()? {
            match key {
                Key::Meta => page.meta = Some(map.next_value()?),
                Key::Name => page.name = map.next_value()?,
                Key::Files => {
                    map.next_value_seed(Each::new("a list of files", |file: RawFile| {
                        let Some(filename) = file.filename.text() else { return };
                        releases.add(&File {
                            filename,
                            yanked: &file.yanked,
                            uploaded: &file.uploaded,
                            requires_python: &file.requires_python,
                        });
                    }))?;
                    page.has_files = true;
                }
                // PEP 700: a list of texts; anything else in it says nothing
                Key::Versions => {
                    map.next_value_seed(Each::new("a list of versions", |version: Scalar| {
                        version.text().into_iter().for_each(|text| releases.add_version(text));
                    }))?
                }
                Key::ProjectStatus => page.status = map.next_value()?,
                Key::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        page.releases = releases.finish();
        Ok(page)
    }
}

#[derive(Deserialize)]
struct RawFile {
    #[serde(default)]
    filename: Scalar,
    #[serde(default)]
    yanked: Scalar,
    #[serde(default, rename = "upload-time")]
    uploaded: Scalar,
    #[serde(default, rename = "requires-python")]
    requires_python: Scalar,
}

/// PEP 792: an object; some indexes write the status alone.
#[derive(Default)]
struct RawStatus {
    status: Scalar,
    reason: Scalar,
}

impl<'de> Deserialize<'de> for RawStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StatusVisitor)
    }
}

struct StatusVisitor;

impl<'de> Visitor<'de> for StatusVisitor {
    type Value = RawStatus;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a project's status")
    }

    fn visit_unit<E>(self) -> Result<RawStatus, E> {
        Ok(RawStatus::default())
    }

    fn visit_str<E>(self, text: &str) -> Result<RawStatus, E> {
        Ok(RawStatus { status: Scalar::Text(text.to_owned()), reason: Scalar::Nothing })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawStatus, A::Error> {
        let mut status = RawStatus::default();
        while let Some(key) = map.next_key::<Scalar>()? {
            let value = map.next_value()?;
            match key.text() {
                Some("status") => status.status = value,
                Some("reason") => status.reason = value,
                _ => {}
            }
        }
        Ok(status)
    }
}

#[cfg(test)]
mod tests;
