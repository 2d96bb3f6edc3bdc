//! A project's page (PEP 691, 700, 592, 792), and which of its versions to build. Pure.

use std::collections::BTreeMap;
use std::str::FromStr;

use pep440_rs::VersionSpecifiers;
use serde::Deserialize;

use crate::domain::{ProjectName, Version};
use crate::master::query::Wanted;

/// Why there is no page.
#[derive(Debug)]
pub(super) enum PageError {
    /// It may be there another time.
    Passing(String),
    /// Asking again will not help.
    Final(String),
}

/// What the page says that matters here.
#[derive(Debug)]
pub(super) struct ProjectPage {
    display: String,
    quarantined: bool,
    releases: BTreeMap<Version, Release>,
}

/// One version's source distributions.
#[derive(Debug, Default)]
struct Release {
    sdists: usize,
    /// All of its source distributions are yanked, and why.
    yanked: Option<String>,
    standing: usize,
    uploaded: Option<i64>,
}

#[derive(Deserialize)]
struct Page {
    meta: Meta,
    name: String,
    files: Vec<File>,
    #[serde(default, rename = "project-status")]
    status: Option<Status>,
}

#[derive(Deserialize)]
struct Meta {
    #[serde(rename = "api-version")]
    version: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Status {
    Name(String),
    Full { status: String },
}

#[derive(Deserialize)]
struct File {
    filename: String,
    #[serde(default)]
    yanked: Yanked,
    #[serde(default, rename = "upload-time")]
    uploaded: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Yanked {
    Flag(bool),
    Reason(String),
}

impl Default for Yanked {
    fn default() -> Self {
        Self::Flag(false)
    }
}

impl ProjectPage {
    /// Reads the page of a package; the error is for people.
    pub(super) fn parse(body: &[u8], package: &ProjectName) -> Result<Self, String> {
        let page: Page =
            serde_json::from_slice(body).map_err(|e| format!("the index's page cannot be read: {e}"))?;
        if page.meta.version.split('.').next() != Some("1") {
            return Err(format!("the index speaks version {} of PEP 691, this program 1", page.meta.version));
        }
        let name = ProjectName::parse(&page.name).map_err(|e| e.to_string())?;
        if name != *package {
            return Err(format!("the index answers with the page of {name}"));
        }
        let mut releases: BTreeMap<Version, Release> = BTreeMap::new();
        for file in page.files {
            let Some(version) = sdist_version(&file.filename, &name) else { continue };
            let release = releases.entry(version).or_default();
            release.sdists += 1;
            match file.yanked {
                Yanked::Flag(false) => release.standing += 1,
                Yanked::Flag(true) => release.yanked = Some(release.yanked.take().unwrap_or_default()),
                Yanked::Reason(reason) => release.yanked = Some(reason),
            }
            let uploaded = file.uploaded.as_deref().and_then(seconds);
            release.uploaded = [release.uploaded, uploaded].into_iter().flatten().min();
        }
        let quarantined = match page.status {
            Some(Status::Name(status) | Status::Full { status }) => status == "quarantined",
            None => false,
        };
        Ok(Self { display: page.name, quarantined, releases })
    }

    /// The newest version that fits: final releases before pre-releases, and a yanked one only where it is named.
    pub(super) fn newest(
        &self,
        package: &ProjectName,
        specifiers: &VersionSpecifiers,
        text: &str,
    ) -> Result<Wanted, String> {
        if self.quarantined {
            return Err(format!("{package}: the index has put it under quarantine"));
        }
        let named = specifiers.iter().any(|s| s.operator() == &pep440_rs::Operator::Equal);
        let fits = |version: &Version, release: &Release| {
            specifiers.contains(version.inner()) && (named || release.standing > 0)
        };
        let fitting: Vec<_> =
            self.releases.iter().filter(|(version, release)| fits(version, release)).collect();
        let last_final = fitting.iter().rev().find(|(version, _)| !version.is_prerelease());
        let Some((version, release)) = last_final.or(fitting.last()).copied() else {
            return Err(match self.releases.keys().next_back() {
                None => format!("{package}: the index has no source distribution of it"),
                Some(newest) if text.is_empty() => {
                    format!("{package}: every version is yanked; {package}=={newest} names the newest")
                }
                Some(newest) => {
                    format!("{package}: no version {text} with a source distribution; the newest is {newest}")
                }
            });
        };
        Ok(Wanted {
            package: package.clone(),
            display: self.display.clone(),
            version: version.clone(),
            released: release.uploaded,
            yanked: release.yanked.clone().filter(|_| release.standing == 0),
            named,
            pythons: None,
            pure: None,
            tags: Vec::new(),
            specifiers: Some(text.to_owned()),
        })
    }
}

/// PEP 440 specifiers as a requirement has them; none for an empty text.
pub(super) fn parse_specifiers(text: &str) -> Result<VersionSpecifiers, String> {
    if text.trim().is_empty() {
        return Ok(VersionSpecifiers::empty());
    }
    VersionSpecifiers::from_str(text)
        .map_err(|e| format!("{text:?} is not a version specifier: {}", first_line(&e)))
}

fn first_line(error: &impl ToString) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

/// The version in a source distribution's file name, if it is one of this project.
fn sdist_version(filename: &str, project: &ProjectName) -> Option<Version> {
    let stem =
        [".tar.gz", ".zip", ".tar.bz2", ".tar.xz", ".tgz"].iter().find_map(|e| filename.strip_suffix(e))?;
    // Old names have '-' in the project's part too: the split is where the first part names the project.
    stem.match_indices('-').find_map(|(at, _)| {
        (ProjectName::parse(&stem[..at]).as_ref() == Ok(project))
            .then(|| Version::parse(&stem[at + 1..]).ok())
            .flatten()
    })
}

/// Seconds since 1970 of an ISO 8601 time in UTC (PEP 700), as far as it can be read.
fn seconds(text: &str) -> Option<i64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let mut date = date.splitn(3, '-').map(|n| n.parse::<i64>().ok());
    let mut time = time.split('.').next()?.splitn(3, ':').map(|n| n.parse::<i64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    // a leap second is the 60th
    let bounds = [
        (year, 1970..=9999),
        (month, 1..=12),
        (day, 1..=31),
        (hour, 0..=23),
        (minute, 0..=59),
        (second, 0..=60),
    ];
    if !bounds.iter().all(|(value, bounds)| bounds.contains(value)) {
        return None;
    }
    // Days since 0000-03-01, with the leap day at the end of its year.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468;
    Some(days * 86_400 + hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name() -> ProjectName {
        ProjectName::parse("Foo.Bar").unwrap()
    }

    fn page(files: &str) -> ProjectPage {
        let text = format!(r#"{{"meta":{{"api-version":"1.4"}},"name":"Foo.Bar","files":[{files}]}}"#);
        ProjectPage::parse(text.as_bytes(), &name()).unwrap()
    }

    fn newest(page: &ProjectPage, specifiers: &str) -> Result<String, String> {
        page.newest(&name(), &parse_specifiers(specifiers)?, specifiers).map(|w| w.version.to_string())
    }

    const FILES: &str = r#"
        {"filename":"foo_bar-1.9.tar.gz","url":"x","hashes":{},"upload-time":"2024-02-29T12:00:00.123456Z"},
        {"filename":"Foo.Bar-1.10.zip","url":"x","hashes":{},"yanked":false},
        {"filename":"foo-bar-2.0b1.tar.gz","url":"x","hashes":{}},
        {"filename":"foo_bar-1.11.tar.gz","url":"x","hashes":{},"yanked":"broken"},
        {"filename":"foo_bar-3.0-py3-none-any.whl","url":"x","hashes":{}},
        {"filename":"other-9.0.tar.gz","url":"x","hashes":{}},
        {"filename":"foo_bar-nonsense.tar.gz","url":"x","hashes":{}}"#;

    #[test]
    fn the_newest_final_version_with_a_standing_sdist_is_chosen() {
        let page = page(FILES);
        assert_eq!(newest(&page, "").unwrap(), "1.10");
        assert_eq!(newest(&page, "<1.10").unwrap(), "1.9");
        assert_eq!(newest(&page, "==1.9.0").unwrap(), "1.9");
        assert_eq!(newest(&page, ">=2.0b1").unwrap(), "2.0b1");
    }

    #[test]
    fn a_yanked_version_is_chosen_only_by_its_name_and_keeps_the_reason() {
        let page = page(FILES);
        let wanted = page.newest(&name(), &parse_specifiers("==1.11").unwrap(), "==1.11").unwrap();
        assert_eq!(wanted.yanked.as_deref(), Some("broken"));
        assert!(newest(&page, ">1.10,<2.0a0").is_err());
    }

    #[test]
    fn what_cannot_be_chosen_is_said_with_the_reason() {
        let page = page(FILES);
        assert!(
            newest(&page, "==3.0")
                .unwrap_err()
                .contains("no version ==3.0 with a source distribution; the newest is 2.0b1")
        );
        assert!(newest(&page, "=>1").unwrap_err().contains("not a version specifier"));
        assert!(newest(&self::page(""), "").unwrap_err().contains("no source distribution"));
    }

    #[test]
    fn a_quarantined_project_is_not_built() {
        for status in [r#""quarantined""#, r#"{"status":"quarantined","reason":"malware"}"#] {
            let text = format!(
                r#"{{"meta":{{"api-version":"1.4"}},"name":"foo-bar","project-status":{status},"files":[{FILES}]}}"#
            );
            let page = ProjectPage::parse(text.as_bytes(), &name()).unwrap();
            assert!(newest(&page, "").unwrap_err().contains("quarantine"));
        }
    }

    #[test]
    fn upload_times_are_read_as_utc() {
        assert_eq!(seconds("2024-02-29T12:00:00.123456Z"), Some(1_709_208_000));
        assert_eq!(seconds("1970-01-01T00:00:00Z"), Some(0));
        for bad in [
            "",
            "2024",
            "2024-02-29T12:00Z",
            "2024-13-01T00:00:00Z",
            "x-y-zTa:b:cZ",
            "2024-01-01T24:00:00Z",
            "2024-01-01T00:60:00Z",
            "2024-01-01T00:00:61Z",
            "2024-01-01T-1:00:00Z",
            "2024-01-01T9000000000000000000:00:00Z",
        ] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }

    #[test]
    fn nonsense_and_other_protocols_are_refused() {
        assert!(ProjectPage::parse(b"<html>", &name()).unwrap_err().contains("cannot be read"));
        assert!(
            ProjectPage::parse(br#"{"meta":{"api-version":"2.0"},"name":"x","files":[]}"#, &name())
                .unwrap_err()
                .contains("version 2.0")
        );
    }

    #[test]
    fn the_page_of_another_project_is_refused() {
        let text = br#"{"meta":{"api-version":"1.0"},"name":"other","files":[]}"#;
        assert!(ProjectPage::parse(text, &name()).unwrap_err().contains("the page of other"));
        let text = br#"{"meta":{"api-version":"1.0"},"name":"FOO_bar","files":[]}"#;
        ProjectPage::parse(text, &name()).unwrap();
    }
}
