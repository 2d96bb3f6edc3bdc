//! Wheel file names (PEP 427, PEP 425, the "binary distribution format" specification), parsed strictly: everything a
//! slave says is hostile until it has passed here.

use std::fmt;

use super::project::ProjectName;

/// Longest file name accepted, in bytes: what Linux file systems hold, less room for a `.metadata` suffix.
pub const MAX_FILENAME_BYTES: usize = crate::wire::limits::FILENAME_BYTES;

/// The largest build tag that is asked for: 18 digits, which every program that compares them can hold.
pub const MAX_BUILD_TAG: u64 = 999_999_999_999_999_999;

/// Most digits of a build tag that a package's own backend chooses: room for a time to the second and more, and so far
/// below [`MAX_BUILD_TAG`] that there is always a next one.
const OWN_BUILD_TAG_DIGITS: usize = 15;

/// Refuses a build tag that nobody may ask for.
pub fn check_build_tag(tag: u64) -> Result<(), String> {
    if tag <= MAX_BUILD_TAG {
        Ok(())
    } else {
        Err(format!("{tag} is no build tag: it has more than 18 digits"))
    }
}

/// Why a text is not a wheel's file name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadWheelName {
    /// The text, cut to a bounded length.
    pub text: String,
    /// The rule it breaks.
    pub rule: &'static str,
}

impl fmt::Display for BadWheelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not a wheel's file name: {}", self.text, self.rule)
    }
}

impl std::error::Error for BadWheelName {}

/// A wheel's file name and its parts. Safe as a path component: no separator, no leading dot, ASCII only.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WheelName {
    text: String,
    /// The distribution's name, canonical.
    pub project: ProjectName,
    /// The version as the name spells it (`_` for `-`).
    pub version: String,
    /// The build tag: its number and the rest, if there is one.
    pub build: Option<String>,
    /// Python tag, possibly compressed (`py2.py3`).
    pub python: String,
    /// ABI tag, possibly compressed.
    pub abi: String,
    /// Platform tag, possibly compressed.
    pub platform: String,
}

impl WheelName {
    /// Takes a file name apart, refusing everything that the specification does not allow.
    pub fn parse(text: &str) -> Result<Self, BadWheelName> {
        let bad = |rule| BadWheelName { text: text.chars().take(MAX_FILENAME_BYTES).collect(), rule };
        if text.len() > MAX_FILENAME_BYTES {
            return Err(bad("it is too long"));
        }
        let stem = text.strip_suffix(".whl").ok_or_else(|| bad("it does not end with .whl"))?;
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'+' | b'!');
        if !stem.bytes().all(allowed) {
            return Err(bad("it has characters that no part may have"));
        }
        let parts: Vec<&str> = stem.split('-').collect();
        let (name, version, build, tags) = match parts.as_slice() {
            [name, version, tags @ ..] if tags.len() == 3 => (name, version, None, tags),
            [name, version, build, tags @ ..] if tags.len() == 3 => (name, version, Some(*build), tags),
            _ => return Err(bad("it has not five or six parts")),
        };
        let project = ProjectName::parse(name).map_err(|_| bad("its first part is not a project name"))?;
        if !version.bytes().next().is_some_and(|b| b.is_ascii_digit() || b == b'v') {
            return Err(bad("its version does not begin with a digit"));
        }
        if build.is_some_and(|b| !b.bytes().next().is_some_and(|first| first.is_ascii_digit())) {
            return Err(bad("its build tag does not begin with a digit"));
        }
        let tag_sound = |tag: &&str| {
            tag.split('.').all(|one| {
                !one.is_empty()
                    && one.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
            })
        };
        if !tags.iter().all(tag_sound) {
            return Err(bad("its tags are not lower-case letters, digits and '_'"));
        }
        Ok(Self {
            text: text.to_owned(),
            project,
            version: (*version).to_owned(),
            build: build.map(str::to_owned),
            python: tags[0].to_owned(),
            abi: tags[1].to_owned(),
            platform: tags[2].to_owned(),
        })
    }

    /// The latest Python that it names, major and minor; (0, 0) where it names none of CPython's.
    pub fn latest_python(&self) -> (u16, u16) {
        self.python.split('.').map(python_of).max().unwrap_or_default()
    }

    /// The ABI that it has of its own, if it has one: neither the stable one nor none.
    pub fn own_abi(&self) -> Option<&str> {
        self.abi.split('.').find(|abi| !matches!(*abi, "none" | "abi3"))
    }

    /// The whole file name.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Checks the build tag against the one that was asked for. Where none was (0), a backend may have given it one of its
    /// own, as long as another can be put above it.
    pub fn check_build(&self, asked: u64) -> Result<(), String> {
        let own = self.build.as_deref();
        if asked == 0 {
            let digits = own.map_or(0, |tag| tag.bytes().take_while(u8::is_ascii_digit).count());
            if digits > OWN_BUILD_TAG_DIGITS {
                return Err(format!("{self}: its build tag has more than {OWN_BUILD_TAG_DIGITS} digits"));
            }
        } else if own != Some(asked.to_string().as_str()) {
            return Err(format!("{self}: build tag {} was asked for, not {}", asked, own.unwrap_or("none")));
        }
        Ok(())
    }

    /// Checks that a slave of this ABI and platform can have built it: every platform is its own or `any`, every ABI
    /// its own, `abi3` or `none`. Tags are the file's claim; this is what makes them ours.
    pub fn check_tags(&self, abi: &str, platform: &str) -> Result<(), String> {
        if let Some(odd) = self.platform.split('.').find(|p| *p != "any" && *p != platform) {
            return Err(format!("{self}: platform {odd} is not the slave's, {platform}"));
        }
        self.check_abi(abi).map_err(|odd| format!("{self}: {odd} the slave's, {abi}"))
    }

    /// The part of [`WheelName::check_tags`] that goes for every wheel that counts for an ABI, wherever it was built. The
    /// error lacks who has the ABI.
    pub fn check_abi(&self, abi: &str) -> Result<(), String> {
        // a wheel says from which Python on it serves: not from a later one than it was built with
        let own = python_of(abi);
        if let Some(odd) = self.python.split('.').find(|tag| python_of(tag) > own) {
            return Err(format!("Python {odd} is later than"));
        }
        if let Some(odd) = self.abi.split('.').find(|a| !matches!(*a, "none" | "abi3") && *a != abi) {
            return Err(format!("ABI {odd} is not"));
        }
        Ok(())
    }
}

/// The version in a CPython tag, `cp311` for one; (0, 0) for the others.
fn python_of(tag: &str) -> (u16, u16) {
    let digits: String =
        tag.strip_prefix("cp").unwrap_or_default().chars().take_while(char::is_ascii_digit).collect();
    match (digits.get(..1).map(str::parse), digits.get(1..).map(str::parse)) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor),
        _ => (0, 0),
    }
}

impl fmt::Display for WheelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn five_and_six_parts_are_taken_apart() {
        let wheel = WheelName::parse("MarkupSafe-2.1.5-cp311-cp311-linux_armv7l.whl").unwrap();
        assert_eq!(wheel.project.as_str(), "markupsafe");
        assert_eq!(
            (wheel.version.as_str(), wheel.python.as_str(), wheel.abi.as_str(), wheel.platform.as_str()),
            ("2.1.5", "cp311", "cp311", "linux_armv7l")
        );
        let wheel = WheelName::parse("a.b_c-1!2.0+local.1-1b-py2.py3-none-any.whl").unwrap();
        assert_eq!((wheel.project.as_str(), wheel.build.as_deref()), ("a-b-c", Some("1b")));
    }

    #[test]
    fn hostile_names_are_refused() {
        for text in [
            "../../x.whl",
            "../x-1.0-py3-none-any.whl",
            "x/y-1.0-py3-none-any.whl",
            ".x-1.0-py3-none-any.whl",
            "x-1.0-py3-none-any.whl\0",
            "x-1.0-py3-none-../any.whl",
            "x-1.0-py3-none-any.whl.exe",
            "x-1.0-py3-none.whl",
            "x--py3-none-any.whl",
            "x-1.0-py3-none-.whl",
            "x-1.0-py3-none-a..b.whl",
            "x-1.0-b1-py3-none-any.whl",
            "x-1.0-1-1-py3-none-any.whl",
            "-1.0-py3-none-any.whl",
            "x-1.0-py3-none-any .whl",
            "é-1.0-py3-none-any.whl",
            "<b>-1.0-py3-none-any.whl",
            ".whl",
            "",
        ] {
            assert!(WheelName::parse(text).is_err(), "{text:?}");
        }
        assert!(WheelName::parse(&format!("{}-1.0-py3-none-any.whl", "a".repeat(230))).is_err());
    }

    #[test]
    fn tags_of_another_platform_or_abi_are_not_the_slaves() {
        let check = |text| WheelName::parse(text).unwrap().check_tags("cp311", "linux_armv7l");
        assert!(check("x-1-cp311-cp311-linux_armv7l.whl").is_ok());
        assert!(check("x-1-py2.py3-none-any.whl").is_ok());
        assert!(check("x-1-cp37-abi3-linux_armv7l.whl").is_ok());
        assert!(
            check("x-1-cp312-abi3-linux_armv7l.whl").is_err(),
            "it would settle ABIs that it was not built for"
        );
        assert!(check("x-1-cp37.cp312-none-any.whl").is_err());
        assert!(check("x-1-cp311-cp311-linux_armv6l.whl").is_err());
        assert!(check("x-1-cp311-cp311-linux_armv6l.linux_armv7l.whl").is_err());
        assert!(check("x-1-cp311-cp312-linux_armv7l.whl").is_err());
        assert!(check("x-1-cp311-cp311-manylinux_2_17_x86_64.whl").is_err());
    }

    #[test]
    fn the_build_tag_is_the_one_that_was_asked_for_or_leaves_room_for_the_next() {
        let check = |text, asked| WheelName::parse(text).unwrap().check_build(asked);
        let (none, one, own) =
            ("x-1-py3-none-any.whl", "x-1-1-py3-none-any.whl", "x-1-20261128120000z-py3-none-any.whl");
        for sound in [(none, 0), (one, 0), (own, 0), (one, 1), ("x-1-12-py3-none-any.whl", 12)] {
            assert_eq!(check(sound.0, sound.1), Ok(()), "{sound:?}");
        }
        let odd = ["x-1-1a-py3-none-any.whl", "x-1-01-py3-none-any.whl", "x-1-11-py3-none-any.whl", none];
        for text in odd {
            assert!(check(text, 1).unwrap_err().contains("build tag 1 was asked for"), "{text}");
        }
        assert!(check("x-1-1234567890123456-py3-none-any.whl", 0).unwrap_err().contains("15 digits"));
        assert!(check_build_tag(MAX_BUILD_TAG).is_ok() && check_build_tag(MAX_BUILD_TAG + 1).is_err());
    }

    proptest! {
        #[test]
        fn a_parsed_name_is_one_safe_path_component(text in "\\PC{0,60}|[a-z.0-9_!+-]{1,30}-[0-9.]{1,5}-[a-z0-9.]{1,6}-[a-z0-9.]{1,6}-[a-z0-9_.]{1,9}\\.whl") {
            if let Ok(wheel) = WheelName::parse(&text) {
                prop_assert_eq!(wheel.as_str(), text.as_str());
                prop_assert!(!text.contains('/') && !text.starts_with('.') && text.is_ascii());
                prop_assert_eq!(std::path::Path::new(&text).components().count(), 1);
            }
        }
    }
}
