//! What an order names on the command line: a package or a version of it, an ABI, a reason. Checked here, so that a slip is a
//! matter of usage and the master is not asked. Pure.

use super::requirements;
use crate::domain::{AbiTag, Version};
use crate::options::Failure;
use crate::wire::Text;
use crate::wire::limits::{NAME_BYTES, REASON_BYTES, TAG_BYTES};

/// A package, or one version of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// Its name, as it was spelt.
    pub name: Text<NAME_BYTES>,
    /// The version; empty for all.
    pub version: Text<NAME_BYTES>,
}

/// Reads NAME or NAME==VERSION.
pub fn package(text: &str) -> Result<Package, Failure> {
    let requirement = requirements::parse(text).map_err(Failure::usage)?;
    let version = match requirement.specifiers.strip_prefix("==") {
        Some(version) => version.trim(),
        None if requirement.specifiers.is_empty() => "",
        None => return Err(Failure::usage("only == names one version")),
    };
    if !version.is_empty() || !requirement.specifiers.is_empty() {
        Version::parse(version).map_err(|error| Failure::usage(error.to_string()))?;
    }
    let version = Text::new(version).map_err(|why| Failure::usage(format!("the version {why}")))?;
    Ok(Package { name: requirement.package, version })
}

/// Reads an ABI's tag; none is empty.
pub fn abi(tag: Option<&str>) -> Result<Text<TAG_BYTES>, Failure> {
    let tag = tag.map(AbiTag::parse).transpose().map_err(|error| Failure::usage(error.to_string()))?;
    let tag = tag.as_ref().map_or("", AbiTag::as_str);
    Text::new(tag).map_err(|why| Failure::usage(format!("the ABI {why}")))
}

/// Reads a reason, which says something.
pub fn reason(text: &str) -> Result<Text<REASON_BYTES>, Failure> {
    if text.trim().is_empty() {
        return Err(Failure::usage("--reason: says nothing; whoever reads 'piw why' wants to know it"));
    }
    Text::new(text).map_err(|why| Failure::usage(format!("--reason: the text {why}")))
}

/// `foo`, `foo 1.0`, `foo for cp311`: how an answer's "package", "version" and "abi" are shown.
pub fn shown(package: &str, version: Option<&str>, abi: Option<&str>) -> String {
    let mut shown = package.to_owned();
    if let Some(version) = version {
        shown += &format!(" {version}");
    }
    if let Some(abi) = abi {
        shown += &format!(" for {abi}");
    }
    shown
}

/// `1 version`, `2 versions`.
pub fn counted(number: u64, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_or_one_version_of_it_is_named_and_nothing_else() {
        let named = |text: &str| package(text).map(|p| (p.name.to_string(), p.version.to_string()));
        let pair = |name: &str, version: &str| Ok((name.to_owned(), version.to_owned()));
        assert_eq!(named("Foo"), pair("Foo", ""));
        assert_eq!(named("foo == 1.0"), pair("foo", "1.0"));
        for bad in ["", "foo>1", "foo==", "foo==1.*", "foo===1", "foo==1,<2", "foo==x", "-"] {
            assert_eq!(named(bad).unwrap_err().code, 2, "{bad}");
        }
    }

    #[test]
    fn abis_and_reasons_are_checked_before_the_master_is_asked() {
        assert_eq!(abi(None).map(|t| t.to_string()), Ok(String::new()));
        assert_eq!(abi(Some("cp311")).map(|t| t.to_string()), Ok("cp311".to_owned()));
        assert_eq!(abi(Some("python3")).unwrap_err().code, 2);
        assert_eq!(reason("too big").map(|t| t.to_string()), Ok("too big".to_owned()));
        let endless = "x".repeat(REASON_BYTES + 1);
        for bad in ["", " \t", &endless] {
            assert_eq!(reason(bad).unwrap_err().code, 2);
        }
    }
}
