//! Requirements (dependency specifiers, PEP 508): one line of a requirements file, or of METADATA's `Requires-Dist`.

use std::fmt;
use std::str::FromStr;

use pep440_rs::VersionSpecifiers;

use super::ProjectName;
use super::marker::Marker;

/// Longest requirement, in bytes; real ones have a hundred.
pub const MAX_REQUIREMENT_BYTES: usize = 1000;
/// Extras that one requirement asks for.
pub const MAX_EXTRAS: usize = 32;

/// An extra of a package, in its canonical form (PEP 685: as names of projects).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Extra(ProjectName);

impl Extra {
    /// Accepts any spelling; `None` for what is no name.
    pub fn parse(text: &str) -> Option<Self> {
        ProjectName::parse(text).ok().map(Self)
    }

    /// The canonical spelling.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Display for Extra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a text is no requirement that can be built from an index; for people, who see the text beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadRequirement {
    /// It is longer than [`MAX_REQUIREMENT_BYTES`].
    TooLong,
    /// It does not begin with a name.
    Name,
    /// What stands in brackets is no list of extras.
    Extras,
    /// It names a place instead of a version.
    Url,
    /// What follows the name is no specifier.
    NoSpecifier,
    /// The specifier is not one of PEP 440's; why.
    Specifier(String),
}

impl fmt::Display for BadRequirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "it has more than {MAX_REQUIREMENT_BYTES} bytes"),
            Self::Name => f.write_str("it does not begin with a package's name (such as six or six==1.16.0)"),
            Self::Extras => write!(f, "in [ ] come names of extras, at most {MAX_EXTRAS}"),
            Self::Url => f.write_str("a URL; the farm builds what its index has"),
            Self::NoSpecifier => f.write_str("after the name comes a version specifier (such as ==1.16.0)"),
            Self::Specifier(why) => write!(f, "its version specifier is none: {why}"),
        }
    }
}

impl std::error::Error for BadRequirement {}

/// A package, which versions of it, and for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The package's name as it was spelt.
    pub spelt: String,
    /// The package.
    pub package: ProjectName,
    /// What is asked for beside the package itself; sorted, each once.
    pub extras: Vec<Extra>,
    /// PEP 440 specifiers as they were written, without the parentheses that PEP 508 allows; empty for any version.
    pub specifiers: String,
    /// For which environments it is; `None` for all.
    pub marker: Option<Marker>,
}

impl Requirement {
    /// Reads one requirement. A marker that cannot be read is one that may hold.
    pub fn parse(text: &str) -> Result<Self, BadRequirement> {
        if text.len() > MAX_REQUIREMENT_BYTES {
            return Err(BadRequirement::TooLong);
        }
        let (spec, marker) = match text.split_once(';') {
            Some((spec, marker)) => (spec.trim(), Some(marker)),
            None => (text.trim(), None),
        };
        let name_end = spec
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')))
            .unwrap_or(spec.len());
        let (spelt, rest) = spec.split_at(name_end);
        let package = ProjectName::parse(spelt).map_err(|_| BadRequirement::Name)?;
        let (extras, rest) = extras(rest.trim())?;
        if rest.starts_with('@') {
            return Err(BadRequirement::Url);
        }
        let specifiers = rest.strip_prefix('(').and_then(|r| r.strip_suffix(')')).unwrap_or(rest).trim();
        if !specifiers.is_empty() {
            if !specifiers.starts_with(['=', '<', '>', '!', '~']) {
                return Err(BadRequirement::NoSpecifier);
            }
            check_specifiers(specifiers).map_err(BadRequirement::Specifier)?;
        }
        Ok(Self {
            spelt: spelt.to_owned(),
            package,
            extras,
            specifiers: specifiers.to_owned(),
            marker: marker.map(Marker::parse),
        })
    }
}

/// The list in brackets at the beginning, if there is one, and the rest.
fn extras(text: &str) -> Result<(Vec<Extra>, &str), BadRequirement> {
    let Some(list) = text.strip_prefix('[') else { return Ok((Vec::new(), text)) };
    let (list, rest) = list.split_once(']').ok_or(BadRequirement::Extras)?;
    let mut extras = Vec::new();
    if !list.trim().is_empty() {
        for name in list.split(',') {
            extras.push(Extra::parse(name.trim()).ok_or(BadRequirement::Extras)?);
        }
    }
    extras.sort();
    extras.dedup();
    if extras.len() > MAX_EXTRAS {
        return Err(BadRequirement::Extras);
    }
    Ok((extras, rest.trim()))
}

/// Why a text is no list of PEP 440 specifiers.
fn check_specifiers(text: &str) -> Result<(), String> {
    // the library's errors show the text again, with a line of marks below
    let first_line = |error: String| error.lines().next().unwrap_or_default().chars().take(200).collect();
    VersionSpecifiers::from_str(text).map(drop).map_err(|error| first_line(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Environment;
    use proptest::prelude::*;

    fn parts(text: &str) -> (String, String, String) {
        let requirement = Requirement::parse(text).unwrap();
        let extras: Vec<&str> = requirement.extras.iter().map(Extra::as_str).collect();
        (requirement.package.to_string(), requirement.specifiers, extras.join(" "))
    }

    #[test]
    fn lines_of_metadata_and_of_people_are_read() {
        for (text, package, specifiers, extras) in [
            ("six", "six", "", ""),
            ("  six  ", "six", "", ""),
            ("Foo.Bar [x,Y_z] >= 1.0, <2 ; python_version < '3'", "foo-bar", ">= 1.0, <2", "x y-z"),
            ("six (==1.0)", "six", "==1.0", ""),
            ("six(>=1.0,<2)", "six", ">=1.0,<2", ""),
            ("six[]", "six", "", ""),
            ("six[b,a,a]~=1.4", "six", "~=1.4", "a b"),
            ("six==1.*", "six", "==1.*", ""),
            ("six!=1.0;extra=='x'", "six", "!=1.0", ""),
            ("zope.interface>=4.1.0 ; (extra == 'a') and (os_name == 'nt')", "zope-interface", ">=4.1.0", ""),
        ] {
            let expected = (package.to_owned(), specifiers.to_owned(), extras.to_owned());
            assert_eq!(parts(text), expected, "{text}");
        }
        assert_eq!(Requirement::parse("Foo.Bar").unwrap().spelt, "Foo.Bar");
    }

    #[test]
    fn what_is_no_requirement_is_refused_with_the_reason() {
        let long = format!("six=={}", "1".repeat(MAX_REQUIREMENT_BYTES));
        let many: Vec<String> = (0..=MAX_EXTRAS).map(|n| format!("x{n}")).collect();
        let many = format!("six[{}]", many.join(","));
        for (text, expected) in [
            ("", BadRequirement::Name),
            ("==1", BadRequirement::Name),
            ("-x", BadRequirement::Name),
            ("../x", BadRequirement::Name),
            ("é", BadRequirement::Name),
            ("six[", BadRequirement::Extras),
            ("six[a b]", BadRequirement::Extras),
            ("six[a,]", BadRequirement::Extras),
            ("six[..]", BadRequirement::Extras),
            (&many, BadRequirement::Extras),
            ("six @ file:///x", BadRequirement::Url),
            ("six[a]@https://x/y.whl ; os_name == 'posix'", BadRequirement::Url),
            ("six 1.0", BadRequirement::NoSpecifier),
            ("six (1.0)", BadRequirement::NoSpecifier),
            ("six (>=1", BadRequirement::NoSpecifier),
            (&long, BadRequirement::TooLong),
        ] {
            assert_eq!(Requirement::parse(text), Err(expected), "{text}");
        }
        for text in ["six=>1", "six==", "six>=1.*", "six==1\u{1b}", "six<2,", "six>=dev"] {
            assert!(matches!(Requirement::parse(text), Err(BadRequirement::Specifier(_))), "{text}");
        }
    }

    #[test]
    fn a_marker_says_for_whom() {
        let may = |text: &str| {
            let marker = Requirement::parse(text).unwrap().marker;
            marker.is_none_or(|marker| marker.holds(&Environment::any(), None) != Some(false))
        };
        assert!(may("six"));
        assert!(may("six; os_name == 'posix'"));
        assert!(!may("six; os_name == 'nt'"));
        assert!(may("six; what is this"), "what cannot be read may hold");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,60}|[a-z]{1,4}( ?[\\[(]?[a-z0-9.,=<>!~ ]{0,12}[\\])]?){0,3}(;.{0,30})?") {
            if let Ok(requirement) = Requirement::parse(&text) {
                prop_assert!(text.contains(&requirement.specifiers) && text.contains(&requirement.spelt));
                // read again from its parts, it is the same
                let extras: Vec<&str> = requirement.extras.iter().map(Extra::as_str).collect();
                let again = format!("{}[{}]{}", requirement.package, extras.join(","), requirement.specifiers);
                let again = Requirement::parse(&again).unwrap();
                prop_assert_eq!((again.package, again.extras, again.specifiers),
                    (requirement.package, requirement.extras, requirement.specifiers));
            }
        }
    }
}
