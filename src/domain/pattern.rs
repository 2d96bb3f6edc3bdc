//! Patterns of project names: what is never built.

use std::fmt;

use super::project::MAX_NAME_BYTES;

/// Why a text is not a pattern of names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadPattern(pub String);

impl fmt::Display for BadPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is not a pattern of project names (a name such as foo, with '*' for any characters, such as foo-*)",
            self.0
        )
    }
}

impl std::error::Error for BadPattern {}

/// A pattern of canonical names: like a [`super::ProjectName`], with `*` for any characters. It has a letter or digit, for
/// it is not meant for everything there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamePattern(String);

impl NamePattern {
    /// Brings `text` into canonical form, as names are.
    pub fn parse(text: &str) -> Result<Self, BadPattern> {
        let bad = || BadPattern(text.chars().take(MAX_NAME_BYTES).collect());
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'*');
        if text.len() > MAX_NAME_BYTES || !text.bytes().all(allowed) {
            return Err(bad());
        }
        let mut pattern = String::with_capacity(text.len());
        for c in text.chars() {
            let c = if matches!(c, '.' | '_') { '-' } else { c.to_ascii_lowercase() };
            if !(matches!(c, '-' | '*') && pattern.ends_with(c)) {
                pattern.push(c);
            }
        }
        let named = pattern.bytes().any(|b| b.is_ascii_alphanumeric());
        if !named || pattern.starts_with('-') || pattern.ends_with('-') {
            return Err(bad());
        }
        Ok(Self(pattern))
    }

    /// The canonical spelling.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn patterns_are_spelled_as_names_are() {
        for (text, canonical) in [
            ("Foo.Bar", "foo-bar"),
            ("odoo*_addon-*", "odoo*-addon-*"),
            ("*", ""),
            ("**x**", "*x*"),
            ("foo_.-*", "foo-*"),
        ] {
            let parsed = NamePattern::parse(text).map(|pattern| pattern.as_str().to_owned());
            assert_eq!(parsed.unwrap_or_default(), canonical, "{text}");
        }
    }

    #[test]
    fn what_fits_every_name_or_none_is_refused() {
        for text in ["", "*", "-*-", "-foo", "foo-", "foo bar", "fo?", "é*", "%", &"a".repeat(201)] {
            assert!(NamePattern::parse(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn canonical_form_is_a_fixed_point(text in "\\PC{0,40}|[A-Za-z0-9._*-]{1,40}") {
            if let Ok(pattern) = NamePattern::parse(&text) {
                prop_assert_eq!(NamePattern::parse(pattern.as_str()), Ok(pattern.clone()));
                prop_assert!(!pattern.as_str().contains("--") && !pattern.as_str().contains("**"));
            }
        }
    }
}
