//! Project names (PEP 503, core metadata specification "Name").

use std::fmt;

/// Longest name accepted, in bytes; the original's database had the same bound.
pub const MAX_NAME_BYTES: usize = crate::wire::limits::NAME_BYTES;

/// Why a text is not a project name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadName(pub String);

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is not a project name (letters, digits, '.', '-' and '_', beginning and ending with a letter \
             or digit, at most {MAX_NAME_BYTES})",
            self.0
        )
    }
}

impl std::error::Error for BadName {}

/// A project name in its canonical form: lower case, every run of `.`, `-` and `_` one `-`. Safe as a path component.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProjectName(String);

impl ProjectName {
    /// Checks `text` against the core metadata grammar and brings it into canonical form.
    pub fn parse(text: &str) -> Result<Self, BadName> {
        let bad = || BadName(text.chars().take(MAX_NAME_BYTES).collect());
        let bytes = text.as_bytes();
        let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return Err(bad()) };
        let allowed = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
        if bytes.len() > MAX_NAME_BYTES
            || !first.is_ascii_alphanumeric()
            || !last.is_ascii_alphanumeric()
            || !bytes.iter().all(allowed)
        {
            return Err(bad());
        }
        let mut name = String::with_capacity(text.len());
        for c in text.chars() {
            if c.is_ascii_alphanumeric() {
                name.push(c.to_ascii_lowercase());
            } else if !name.ends_with('-') {
                name.push('-');
            }
        }
        Ok(Self(name))
    }

    /// The canonical spelling.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spellings_of_one_project_are_one_name() {
        for text in ["Foo.Bar_baz", "foo-bar-baz", "FOO__BAR..baz", "foo-_.bar-baz"] {
            assert_eq!(ProjectName::parse(text).unwrap().as_str(), "foo-bar-baz");
        }
    }

    #[test]
    fn names_that_could_be_paths_or_markup_are_refused() {
        for text in ["", ".", "..", "../x", "a/b", "-a", "a-", "a b", "é", "<b>", "a\0", &"a".repeat(201)] {
            assert!(ProjectName::parse(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn canonical_form_is_a_fixed_point(text in "\\PC{0,40}|[A-Za-z0-9._-]{1,40}") {
            if let Ok(name) = ProjectName::parse(&text) {
                prop_assert_eq!(&ProjectName::parse(name.as_str()).unwrap(), &name);
                prop_assert!(!name.as_str().contains("--"));
            }
        }
    }
}
