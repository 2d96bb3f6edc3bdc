//! Versions (PEP 440), in the canonical spelling.

use std::fmt;
use std::str::FromStr;

use pep440_rs::{Operator, VersionSpecifier, VersionSpecifiers};

/// Longest version accepted, in bytes.
pub const MAX_VERSION_BYTES: usize = crate::wire::limits::NAME_BYTES;
/// The canonical spelling is longer by less than this: `1ardev` is `1a0.post0.dev0`.
const LONGER_BYTES: usize = 16;

/// Why a text is not a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadVersion(pub String);

impl fmt::Display for BadVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not a version (PEP 440)", self.0)
    }
}

impl std::error::Error for BadVersion {}

/// A version, compared as PEP 440 says and never as text.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Version(pep440_rs::Version);

impl Version {
    /// Accepts any spelling PEP 440 allows.
    pub fn parse(text: &str) -> Result<Self, BadVersion> {
        let bad = || BadVersion(text.chars().take(MAX_VERSION_BYTES).collect());
        if text.len() > MAX_VERSION_BYTES {
            return Err(bad());
        }
        let version = pep440_rs::Version::from_str(text).map(Self).map_err(|_| bad())?;
        // what is kept and told is the canonical spelling, which has to be read again
        if text.len() > MAX_VERSION_BYTES - LONGER_BYTES && version.to_string().len() > MAX_VERSION_BYTES {
            return Err(bad());
        }
        Ok(version)
    }

    /// Whether it is an alpha, beta, release candidate or development release.
    pub fn is_prerelease(&self) -> bool {
        self.0.any_prerelease()
    }

    /// Bytes whose order is the order of versions and whose equality is theirs (`1.0` and `1.0.0` have one key): what
    /// the database sorts and finds versions by.
    pub fn sort_key(&self) -> Vec<u8> {
        const LOWEST: u8 = 0x00;
        const HIGHEST: u8 = 0xff;
        let mut key = Vec::with_capacity(48);
        key.extend(self.0.epoch().to_be_bytes());
        let release = self.0.release();
        let significant = release.iter().rposition(|part| *part != 0).map_or(0, |last| last + 1);
        for part in release.iter().take(significant) {
            key.push(1);
            key.extend(part.to_be_bytes());
        }
        key.push(LOWEST);
        match (self.0.pre(), self.0.post(), self.0.dev()) {
            (Some(pre), _, _) => {
                key.push(match pre.kind {
                    pep440_rs::PrereleaseKind::Alpha => 1,
                    pep440_rs::PrereleaseKind::Beta => 2,
                    pep440_rs::PrereleaseKind::Rc => 3,
                });
                key.extend(pre.number.to_be_bytes());
            }
            // 1.0.dev1 comes before 1.0a1, everything else without a pre-release part after every pre-release
            (None, None, Some(_)) => key.push(LOWEST),
            (None, _, _) => key.push(HIGHEST),
        }
        match self.0.post() {
            Some(number) => {
                key.push(1);
                key.extend(number.to_be_bytes());
            }
            None => key.push(LOWEST),
        }
        match self.0.dev() {
            Some(number) => {
                key.push(1);
                key.extend(number.to_be_bytes());
            }
            None => key.push(HIGHEST),
        }
        for segment in self.0.local() {
            match segment {
                pep440_rs::LocalSegment::String(text) => {
                    key.push(1);
                    key.extend(text.as_bytes());
                    key.push(LOWEST);
                }
                pep440_rs::LocalSegment::Number(number) => {
                    key.push(2);
                    key.extend(number.to_be_bytes());
                }
            }
        }
        key.push(LOWEST);
        key
    }

    /// Whether all of these specifiers take it.
    pub fn fits(&self, specifiers: &VersionSpecifiers) -> bool {
        specifiers.iter().all(|specifier| takes(specifier, &self.0))
    }

    /// The library's form of it.
    #[cfg(test)]
    pub(super) fn inner(&self) -> &pep440_rs::Version {
        &self.0
    }
}

/// Whether a specifier takes a version. The library's own answer does not fill up a short version with zeros before it compares
/// it with a longer `.*`, and lets `<` take no pre-release where the versions are of one release or of two epochs, not even where
/// it names a later pre-release.
fn takes(specifier: &VersionSpecifier, version: &pep440_rs::Version) -> bool {
    let named = specifier.version();
    let begins_alike = || {
        let release = version.release().iter().copied().chain(std::iter::repeat(0));
        version.epoch() == named.epoch() && named.release().iter().copied().zip(release).all(|(a, b)| a == b)
    };
    let base = |version: &pep440_rs::Version| {
        pep440_rs::Version::new(version.release().iter().copied()).with_epoch(version.epoch())
    };
    match specifier.operator() {
        Operator::EqualStar => begins_alike(),
        Operator::NotEqualStar => !begins_alike(),
        Operator::LessThan => {
            let unfinished = || version.any_prerelease() && !named.any_prerelease();
            version < named && !(unfinished() && base(version) == base(named))
        }
        _ => specifier.contains(version),
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sort_keys_order_as_versions_do(texts in proptest::collection::vec(
            "([0-2]!)?[0-3](\\.[0-2]){0,3}((a|b|rc)[0-2])?(\\.post[0-2])?(\\.dev[0-2])?(\\+[a-b0-2](\\.[a-b0-2]){0,2})?", 2)) {
            let (a, b) = (Version::parse(&texts[0]).unwrap(), Version::parse(&texts[1]).unwrap());
            prop_assert_eq!(a.cmp(&b), a.sort_key().cmp(&b.sort_key()), "{} {}", a, b);
        }

        #[test]
        fn the_canonical_spelling_is_a_fixed_point(
            text in "\\PC{0,30}|v?[0-9]{1,3}(\\.[0-9]{1,20}){0,3}[-_.]?(a|alpha|c|pre|post|r|dev|-)?[-_.]?[0-9]{0,9}(\\+[a-z0-9._-]{1,9})?",
        ) {
            if let Ok(version) = Version::parse(&text) {
                let spelt = version.to_string();
                prop_assert_eq!(Version::parse(&spelt).map(|again| again.to_string()), Ok(spelt));
            }
        }
    }

    #[test]
    fn spellings_of_one_version_are_equal_and_print_alike() {
        for text in ["1.0a1", "1.0.alpha1", "v1.0-a1", "1.0A1"] {
            assert_eq!(Version::parse(text).unwrap().to_string(), "1.0a1");
        }
        assert_eq!(Version::parse("1.0").unwrap(), Version::parse("1.0.0").unwrap());
    }

    #[test]
    fn order_is_that_of_pep_440() {
        let versions = ["1.0.dev1", "1.0a1", "1.0rc1", "1.0", "1.0.post1", "1.9", "1.10", "1!0.1"];
        for pair in versions.windows(2) {
            assert!(Version::parse(pair[0]).unwrap() < Version::parse(pair[1]).unwrap(), "{pair:?}");
        }
    }

    #[test]
    fn a_version_whose_canonical_spelling_is_too_long_is_none() {
        let release = |bytes: usize| format!("1{}", ".1".repeat(bytes / 2));
        for (end, longer) in [("a", 1), ("-1", 4), ("c", 2), ("r", 5), ("dev", 2), ("ardev", 8)] {
            for bytes in (if cfg!(miri) { MAX_VERSION_BYTES - 9 } else { 180 })..MAX_VERSION_BYTES {
                let text = release(bytes) + end;
                let parsed = Version::parse(&text);
                assert_eq!(parsed.is_ok(), text.len() + longer <= MAX_VERSION_BYTES, "{text}");
                let again = parsed.map(|version| Version::parse(&version.to_string()).is_ok());
                assert_ne!(again, Ok(false), "{text}");
            }
        }
    }

    #[test]
    fn specifiers_take_what_pep_440_says() {
        for (specifiers, version, expected) in [
            ("==2.2.*", "2", false),
            ("==2.0.*", "2", true),
            ("==2.0.*", "2.0rc1", true),
            ("==2.*", "1!2.0", false),
            ("!=1.3.*", "1", true),
            ("!=1.0.*", "1", false),
            ("<2", "2.0rc1", false),
            ("<2", "2.0.dev1", false),
            ("<2", "1.9rc1", true),
            ("<2.0rc2", "2rc1", true),
            ("<2.0rc2", "2.0rc2", false),
            ("<1!1", "1.dev1", true),
            ("<2,!=1.9.*", "1.9.1", false),
            (">=1,<2", "1.5", true),
            ("~=1.4.2", "1.4.9", true),
            ("~=1.4.2", "1.5", false),
            (">1", "1.0.post1", false),
        ] {
            let parsed = VersionSpecifiers::from_str(specifiers).unwrap();
            assert_eq!(Version::parse(version).unwrap().fits(&parsed), expected, "{version} {specifiers}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "../1", "1.0/..", "one", &"1".repeat(201)] {
            assert!(Version::parse(text).is_err(), "{text:?}");
        }
    }
}
