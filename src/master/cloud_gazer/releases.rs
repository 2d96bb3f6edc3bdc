//! What the files of a project's page say of its releases: which file is of which version, whether it is a source
//! distribution or a wheel for whom, and which Pythons it wants. Pure.

use std::collections::{BTreeMap, HashMap};

use super::choice::parse_specifiers;
use super::dates;
use super::json::Scalar;
use super::trouble;
use crate::domain::{ProjectName, Version, WheelName};
use crate::master::gaze::{RELEASES, TAGS};

/// Distinct `requires-python` texts whose meaning is remembered while one page is read: real pages have a few dozen.
const SPECIFIERS: usize = 500;
/// The longest `requires-python` that is read, in bytes; the longest real ones have about 100.
const REQUIRES_PYTHON_BYTES: usize = 500;
/// The last Python 3 that a mask has a bit for.
const LAST_MINOR: u64 = 62;

/// One version, as its files tell it.
#[derive(Debug, Default)]
pub(super) struct Release {
    pub(super) sdists: Files,
    pub(super) wheels: Files,
    /// A wheel for every Python 3 and platform that is not yanked.
    pub(super) pure: Option<String>,
    /// Distinct tags of the other wheels that are not yanked.
    pub(super) tags: Vec<String>,
}

/// Files of one kind of one version.
#[derive(Debug, Default)]
pub(super) struct Files {
    pub(super) count: usize,
    /// How many of them are not yanked.
    pub(super) standing: usize,
    /// Why one of them is.
    pub(super) yanked: Option<String>,
    /// When the first was uploaded.
    pub(super) uploaded: Option<i64>,
    /// Who may install one of them: `None` before the first, then the mask, or `None` for a file that says nothing.
    pythons: Option<Option<u64>>,
}

impl Files {
    fn add(&mut self, yanked: Option<String>, uploaded: Option<i64>, pythons: Option<u64>) {
        self.count += 1;
        match yanked {
            None => self.standing += 1,
            Some(reason) if self.yanked.as_ref().is_none_or(String::is_empty) => self.yanked = Some(reason),
            Some(_) => {}
        }
        self.uploaded = [self.uploaded, uploaded].into_iter().flatten().min();
        self.pythons = Some(match self.pythons {
            None => pythons,
            Some(before) => before.zip(pythons).map(|(before, new)| before | new),
        });
    }

    /// The Pythons that may install one of the files.
    pub(super) fn pythons(&self) -> Option<u64> {
        self.pythons.flatten()
    }
}

impl Release {
    /// The files that say what the release is: its source distributions, else its wheels.
    pub(super) fn main(&self) -> &Files {
        if self.sdists.count > 0 { &self.sdists } else { &self.wheels }
    }

    /// The reason, when all of its source distributions are yanked; all wheels, where it has no other file.
    pub(super) fn yanked(&self) -> Option<String> {
        let files = self.main();
        (files.standing == 0).then(|| files.yanked.clone()).flatten()
    }

    /// When its first file was uploaded.
    pub(super) fn released(&self) -> Option<i64> {
        [self.sdists.uploaded, self.wheels.uploaded].into_iter().flatten().min()
    }
}

/// What a page says of one file.
#[derive(Debug)]
pub(super) struct File<'a> {
    pub(super) filename: &'a str,
    pub(super) yanked: &'a Scalar,
    pub(super) uploaded: &'a Scalar,
    pub(super) requires_python: &'a Scalar,
}

/// The releases of a page while it is read: the newest [`RELEASES`].
#[derive(Debug)]
pub(super) struct Releases {
    package: ProjectName,
    known: BTreeMap<Version, Release>,
    specifiers: HashMap<String, Option<u64>>,
}

impl Releases {
    pub(super) fn new(package: &ProjectName) -> Self {
        Self { package: package.clone(), known: BTreeMap::new(), specifiers: HashMap::new() }
    }

    /// Adds a file; one that is no source distribution and no wheel of the project says nothing.
    pub(super) fn add(&mut self, file: &File<'_>) {
        let (version, wheel) = if let Some(version) = sdist_version(file.filename, &self.package) {
            (version, None)
        } else if let Some((version, wheel)) = wheel_version(file.filename, &self.package) {
            (version, Some(wheel))
        } else {
            return;
        };
        let pythons = self.pythons(file.requires_python);
        let yanked = yanked(file.yanked);
        let uploaded = file.uploaded.text().and_then(dates::iso);
        let Some(release) = self.release(version) else { return };
        let standing = yanked.is_none();
        match wheel {
            None => release.sdists.add(yanked, uploaded, pythons),
            Some(wheel) => {
                release.wheels.add(yanked, uploaded, pythons);
                if standing {
                    release.add_wheel(&wheel);
                }
            }
        }
    }

    /// Adds a version that may have no file (PEP 700 `versions`).
    pub(super) fn add_version(&mut self, text: &str) {
        if let Ok(version) = Version::parse(text) {
            self.release(version);
        }
    }

    pub(super) fn finish(self) -> BTreeMap<Version, Release> {
        self.known
    }

    /// The release of that version; `None` when it is older than the newest that are kept.
    fn release(&mut self, version: Version) -> Option<&mut Release> {
        if self.known.len() >= RELEASES && !self.known.contains_key(&version) {
            if self.known.first_key_value().is_some_and(|(oldest, _)| version < *oldest) {
                return None;
            }
            self.known.pop_first();
        }
        Some(self.known.entry(version).or_default())
    }

    fn pythons(&mut self, requires_python: &Scalar) -> Option<u64> {
        let text = requires_python.text()?;
        if let Some(known) = self.specifiers.get(text) {
            return *known;
        }
        let mask = pythons(text);
        if self.specifiers.len() < SPECIFIERS {
            self.specifiers.insert(text.to_owned(), mask);
        }
        mask
    }
}

impl Release {
    fn add_wheel(&mut self, wheel: &WheelName) {
        if is_pure(wheel) {
            self.pure.get_or_insert_with(|| wheel.as_str().to_owned());
            return;
        }
        let tag = format!("{}-{}-{}", wheel.python, wheel.abi, wheel.platform);
        if self.tags.len() < TAGS && !self.tags.contains(&tag) {
            self.tags.push(tag);
        }
    }
}

/// Whether a wheel serves every Python 3 and every platform (PEP 425).
pub(super) fn is_pure(wheel: &WheelName) -> bool {
    let has = |tags: &str, tag| tags.split('.').any(|one| one == tag);
    has(&wheel.python, "py3") && has(&wheel.abi, "none") && has(&wheel.platform, "any")
}

/// The reason, for a file that is yanked: PEP 691 has a truth value or a text, and an empty text is false.
fn yanked(value: &Scalar) -> Option<String> {
    match value {
        Scalar::Flag(true) => Some(String::new()),
        Scalar::Text(reason) if !reason.is_empty() => Some(trouble::kept(reason)),
        _ => None,
    }
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

/// The version in a wheel's file name, if it is one of this project, and the name's parts.
fn wheel_version(filename: &str, project: &ProjectName) -> Option<(Version, WheelName)> {
    let wheel = WheelName::parse(filename).ok().filter(|wheel| wheel.project == *project)?;
    // the name has '_' where the version has '-'
    let version = Version::parse(&wheel.version.replace('_', "-")).ok()?;
    Some((version, wheel))
}

/// The Python 3 versions that `requires-python` allows: bit n for 3.n, when its first or any late micro version is
/// allowed, or one near a bound that it names. `None` when it cannot be read.
fn pythons(text: &str) -> Option<u64> {
    if text.len() > REQUIRES_PYTHON_BYTES || text.trim().is_empty() {
        return None;
    }
    let specifiers = parse_specifiers(text).ok()?;
    let mut micros: Vec<u64> = vec![0, 999];
    for specifier in specifiers.iter().take(32) {
        if let Some(micro) = specifier.version().release().get(2) {
            micros.extend([*micro, micro.saturating_add(1)]);
        }
    }
    let allows = |minor: u64| {
        micros.iter().any(|micro| specifiers.contains(&pep440_rs::Version::new([3, minor, *micro])))
    };
    Some((0..=LAST_MINOR).filter(|minor| allows(*minor)).fold(0, |mask, minor| mask | 1 << minor))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The bits of a mask below 3.16.
    fn minors(text: &str) -> Option<Vec<u64>> {
        pythons(text).map(|mask| (0..16).filter(|minor| mask & 1 << minor != 0).collect())
    }

    #[test]
    fn requires_python_is_a_mask_of_minor_versions() {
        let from = |first: u64| Some((first..16).collect::<Vec<_>>());
        for (text, expected) in [
            (">=3.9", from(9)),
            (">=3.9.2", from(9)),
            (">3.9", from(9)),
            ("~=3.9", from(9)),
            (">=2.7,!=3.0.*,!=3.1.*,!=3.2.*", from(3)),
            (">=3.7,<3.10", Some(vec![7, 8, 9])),
            (">=3.7,<3.9.5", Some(vec![7, 8, 9])),
            (">=3.8.1,<3.8.10", Some(vec![8])),
            ("==3.6.*", Some(vec![6])),
            ("==3.8.5", Some(vec![8])),
            ("!=3.8.0,>=3.8,<3.9", Some(vec![8])),
            ("<3", Some(vec![])),
            ("==2.7.*", Some(vec![])),
            (">=3.6.*", None),
            ("3.6", None),
            ("", None),
        ] {
            assert_eq!(minors(text), expected, "{text}");
        }
        assert_eq!(pythons(">=3"), Some((1 << 63) - 1));
        assert_eq!(pythons(&format!(">=3.6{}", ",!=3.7".repeat(200))), None);
    }

    #[test]
    fn a_pure_wheel_serves_every_python_3_and_platform() {
        for (name, expected) in [
            ("x-1-py3-none-any.whl", true),
            ("x-1-py2.py3-none-any.whl", true),
            ("x-1-1-py3-none-any.whl", true),
            ("x-1-py2-none-any.whl", false),
            ("x-1-py38-none-any.whl", false),
            ("x-1-cp311-none-any.whl", false),
            ("x-1-py3-abi3-any.whl", false),
            ("x-1-py3-none-linux_armv7l.whl", false),
        ] {
            assert_eq!(is_pure(&WheelName::parse(name).unwrap()), expected, "{name}");
        }
    }

    #[test]
    fn wheels_of_odd_versions_find_their_release() {
        let project = ProjectName::parse("foo").unwrap();
        let version = |name| wheel_version(name, &project).map(|(version, _)| version.to_string());
        assert_eq!(version("foo-1.0_1-py3-none-any.whl").as_deref(), Some("1.0.post1"));
        assert_eq!(version("Foo-1!2.0-py3-none-any.whl").as_deref(), Some("1!2.0"));
        assert_eq!(version("bar-1.0-py3-none-any.whl"), None);
        assert_eq!(version("foo-1.x-py3-none-any.whl"), None);
    }

    proptest! {
        #[test]
        fn no_specifier_ends_the_program(text in "\\PC{0,40}|(([<>=!~]=|[<>]|===)[0-9.*a-c]{1,9},?){1,4}") {
            let _ = pythons(&text);
        }
    }

    #[test]
    fn the_newest_releases_are_kept_in_any_order() {
        let mut releases = Releases::new(&ProjectName::parse("foo").unwrap());
        let all = RELEASES as u64 + 500;
        // every number once, in an order that is none
        (0..all).for_each(|n| releases.add_version(&format!("1.{}", n * 7919 % all)));
        let kept: Vec<String> = releases.finish().keys().map(ToString::to_string).collect();
        let newest: Vec<String> = (500..all).map(|n| format!("1.{n}")).collect();
        assert_eq!(kept, newest);
    }
}
