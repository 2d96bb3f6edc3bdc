//! What people write to the tools: requirements files, lists of entries, names on the command line.

#![allow(clippy::unwrap_used, reason = "a target fails by panicking")]

use std::path::Path;

use super::requirements::{self, Found};
use super::{items, named};
use crate::domain::ProjectName;
use crate::domain::requirement::Requirement;
use crate::fuzz::{Slow, Target, text};

pub(crate) const TARGETS: &[Target] =
    &[Target { name: "requirements_file", run: requirements_file }, Target { name: "entries", run: entries }];

fn requirements_file(data: &[u8]) {
    text(data, |text| {
        // another file of this machine would be read
        if text.contains("-r") {
            return;
        }
        let mut found = Found::default();
        let read = requirements::parse_file(Path::new("r.txt"), text, &mut found);
        for wanted in &found.requirements {
            ProjectName::parse(&wanted.package).unwrap();
            Requirement::parse(&format!("{}{}", wanted.package, wanted.specifiers)).unwrap();
        }
        for error in read.err().into_iter().flatten() {
            assert!(error.starts_with("r.txt, line "), "{error}");
        }
    });
}

fn entries(data: &[u8]) {
    for end in [b'\n', b'\0'] {
        let all = |most: usize| {
            let mut input = Slow::new(data, most);
            let mut all = Vec::new();
            while let Some(entry) = items::entry(&mut input, end).transpose() {
                let failed = entry.is_err();
                all.push(entry);
                assert!(!failed || all.len() <= data.len(), "it goes on");
            }
            all
        };
        let whole = all(data.len());
        assert_eq!(all(1), whole);
        for entry in whole.iter().flatten() {
            if let Ok(Some(object)) = items::object(entry, &["package", "version", "abi"]) {
                let _ = (items::member(&object, "package"), items::member(&object, "abi"));
            }
            if let Ok(package) = named::package(entry) {
                ProjectName::parse(&package.name).unwrap();
            }
            let _ = (named::abi(Some(entry)), named::reason(entry));
        }
    }
}
