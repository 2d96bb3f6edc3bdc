//! Compatibility tags (PEP 425).

use std::fmt;

/// An ABI that the farm builds for, such as `cp311` or `cp313t`: CPython's tag with its version in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AbiTag(String);

/// Why a text is not an ABI to build for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadAbi(pub String);

impl fmt::Display for BadAbi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not an ABI tag to build for (cp311, cp313t, cp37m …)", self.0)
    }
}

impl std::error::Error for BadAbi {}

impl AbiTag {
    /// Accepts `cp`, a major digit, one to three minor digits, and up to four lower-case flags.
    pub fn parse(text: &str) -> Result<Self, BadAbi> {
        let bad = || BadAbi(text.chars().take(40).collect());
        let rest = text.strip_prefix("cp").ok_or_else(bad)?;
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let flags = &rest[digits..];
        let sound = (2..=4).contains(&digits)
            && !rest.starts_with('0')
            && flags.len() <= 4
            && flags.bytes().all(|b| b.is_ascii_lowercase());
        if sound { Ok(Self(text.to_owned())) } else { Err(bad()) }
    }

    /// The tag as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The Python version, such as (3, 11): the default order of ABIs.
    pub fn python(&self) -> (u16, u16) {
        let digits: String = self.0[2..].chars().take_while(char::is_ascii_digit).collect();
        let number = |text: &str| text.parse().unwrap_or(0);
        (number(&digits[..1]), number(&digits[1..]))
    }

    /// The flags behind the version, such as `t` for free-threaded builds; mostly empty.
    pub fn flags(&self) -> &str {
        self.0[2..].trim_start_matches(|c: char| c.is_ascii_digit())
    }

    /// The rank an ABI gets where the operator names none: by Python version, then flags; never by text, where
    /// `cp311` would come before `cp39`.
    pub fn default_rank(&self) -> i16 {
        let (major, minor) = self.python();
        let flagged = u16::from(!self.flags().is_empty());
        i16::try_from(major * 2000 + minor * 2 + flagged).unwrap_or(i16::MAX)
    }
}

impl fmt::Display for AbiTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rank_follows_the_python_version_not_the_text() {
        let rank = |text: &str| AbiTag::parse(text).unwrap().default_rank();
        assert!(rank("cp39") < rank("cp310"));
        assert!(rank("cp310") < rank("cp311"));
        assert!(rank("cp313") < rank("cp313t"));
        assert!(rank("cp313t") < rank("cp314"));
    }

    #[test]
    fn only_cpython_abis_are_built_for() {
        for text in
            ["none", "abi3", "py3", "cp", "cp3", "cp03", "cp311/", "CP311", "cp31111", "cp311abcde", "cp3é"]
        {
            assert!(AbiTag::parse(text).is_err(), "{text:?}");
        }
        assert_eq!(AbiTag::parse("cp37m").unwrap().flags(), "m");
        assert_eq!(AbiTag::parse("cp313t").unwrap().python(), (3, 13));
    }

    proptest! {
        #[test]
        fn any_text_is_an_abi_or_refused_and_its_parts_are_the_whole(text in "\\PC{0,12}|cp[0-9]{0,5}[a-zé]{0,5}") {
            if let Ok(tag) = AbiTag::parse(&text) {
                let (major, _) = tag.python();
                let digits = &text[3..text.len() - tag.flags().len()];
                prop_assert_eq!(format!("cp{major}{digits}{}", tag.flags()), text);
                prop_assert!(tag.default_rank() > 0);
            }
        }
    }
}
