//! Versions on the farm's list, without an index that has them.

use piwheels::domain::{ProjectName, Version};
use piwheels::master::query::Wanted;

/// A version that somebody asks for.
pub(crate) fn wanted(package: &str, version: &str) -> Wanted {
    Wanted {
        package: ProjectName::parse(package).unwrap(),
        display: package.to_owned(),
        version: Version::parse(version).unwrap(),
        released: Some(1_700_000_000),
        yanked: None,
        named: false,
        pythons: None,
        pure: None,
        tags: Vec::new(),
        specifiers: None,
        extras: Vec::new(),
    }
}
