//! Names, versions, tags, markers, requirements, METADATA, byte ranges.

use std::path::Path;

use super::{Target, first_line, text};
use crate::domain::core_metadata::{CoreMetadata, fields};
use crate::domain::dependencies::{self, MAX_DEPENDENCIES, MAX_LINES, MAX_STEPS};
use crate::domain::marker::{MAX_COMPARISONS, Marker};
use crate::domain::ranges::{RangeSet, intersect};
use crate::domain::requirement::{Extra, MAX_EXTRAS, MAX_REQUIREMENT_BYTES, Requirement};
use crate::domain::wheel::{MAX_BUILD_TAG, check_build_tag};
use crate::domain::{AbiTag, Environment, NamePattern, ProjectName, Version, WheelName, apt, walls};
use crate::keyfile;

pub(super) const TARGETS: &[Target] = &[
    Target { name: "names", run: names },
    Target { name: "wheel_name", run: wheel_name },
    Target { name: "version", run: version },
    Target { name: "marker", run: marker },
    Target { name: "requirement", run: requirement },
    Target { name: "dependencies", run: wanted },
    Target { name: "metadata", run: metadata },
    Target { name: "ranges", run: ranges },
];

/// A name that is taken is one path component, whatever it is the name of.
fn is_component(name: &str) {
    assert!(name.is_ascii() && !name.starts_with('.') && !name.contains('/'), "{name:?}");
    assert_eq!(Path::new(name).components().count(), 1, "{name:?}");
}

fn names(data: &[u8]) {
    text(data, |text| {
        let name = ProjectName::parse(text);
        if let Ok(name) = &name {
            is_component(name.as_str());
            assert_eq!(ProjectName::parse(name.as_str()).as_ref(), Ok(name), "the canonical form is one");
            assert!(!name.as_str().contains("--"));
            assert_eq!(NamePattern::parse(text).unwrap().as_str(), name.as_str(), "a name is a pattern");
        }
        assert_eq!(
            Extra::parse(text).map(|extra| extra.as_str().to_owned()),
            name.ok().map(|n| n.to_string())
        );
        if let Ok(pattern) = NamePattern::parse(text) {
            assert_eq!(NamePattern::parse(pattern.as_str()).as_ref(), Ok(&pattern));
        }
        if keyfile::check_name(text).is_ok() {
            is_component(text);
        }
        if apt::is_package(text) {
            is_component(text);
            assert!(!text.starts_with('-') && !text.contains(['$', ' ', ';', '=']));
        }
        if let Ok(tag) = AbiTag::parse(text) {
            is_component(text);
            let ((major, minor), flags) = (tag.python(), tag.flags());
            assert_eq!(tag.as_str(), text);
            assert!(major > 0 && tag.default_rank() > 0);
            // 3.07 is 3.7 to CPython, too; there is no such ABI
            assert!(format!("cp{major}{minor}{flags}").len() <= text.len());
        }
        if let Some(wall) = walls::parse(text) {
            assert_eq!(wall.name(), text);
        }
    });
}

fn wheel_name(data: &[u8]) {
    text(data, |text| {
        let Ok(wheel) = WheelName::parse(text) else { return };
        is_component(text);
        is_component(&format!("{text}.metadata"));
        assert_eq!(WheelName::parse(wheel.as_str()).as_ref(), Ok(&wheel));
        let _ = (wheel.latest_python(), wheel.own_abi());
        let _ = (wheel.check_tags("cp311", "linux_armv7l"), wheel.check_abi("cp313t"));
        for tag in [0, 1, MAX_BUILD_TAG] {
            let checked = wheel.check_build(tag);
            assert!(tag == 0 || checked.is_err() || wheel.build.as_deref() == Some(&tag.to_string()));
        }
        if let Some(Ok(tag)) = wheel.build.as_deref().map(str::parse::<u64>) {
            let _ = (check_build_tag(tag), wheel.check_build(tag));
        }
    });
}

/// Two versions, a line each.
fn version(data: &[u8]) {
    text(data, |text| {
        let (first, rest) = first_line(text);
        let (second, _) = first_line(rest);
        let versions = [first, second].map(Version::parse);
        for version in versions.iter().flatten() {
            let spelt = version.to_string();
            let again = Version::parse(&spelt).expect("the canonical spelling of a version is one");
            assert_eq!((&again, again.to_string()), (version, spelt));
            let _ = version.is_prerelease();
        }
        if let [Ok(a), Ok(b)] = &versions {
            assert_eq!(a.cmp(b), a.sort_key().cmp(&b.sort_key()), "{a} {b}");
            assert_eq!(a == b, a.sort_key() == b.sort_key(), "{a} {b}");
        }
    });
}

fn environments() -> [Environment; 4] {
    let of = |abi, platform| Environment::of(&AbiTag::parse(abi).unwrap(), platform);
    [
        Environment::any(),
        of("cp39", "linux_armv6l"),
        of("cp311", "linux_armv7l"),
        of("cp314t", "manylinux_2_17_x86_64"),
    ]
}

fn marker(data: &[u8]) {
    text(data, |text| {
        let text = &text[..text.floor_char_boundary(MAX_REQUIREMENT_BYTES)];
        let marker = Marker::parse(text);
        assert!(marker.comparisons() <= MAX_COMPARISONS);
        let extras = ["a", "test"].map(|name| Extra::parse(name).unwrap());
        let anywhere = marker.holds(&Environment::any(), None);
        for environment in environments() {
            let for_any = marker.holds(&environment, None);
            assert!(anywhere.is_none() || for_any == anywhere, "what is known of all holds for each");
            for extras in [&extras[..0], &extras[..1], &extras[..]] {
                let holds = marker.holds(&environment, Some(extras));
                assert!(for_any.is_none() || holds == for_any, "what is known for all extras holds for each");
            }
        }
    });
}

fn requirement(data: &[u8]) {
    text(data, |text| {
        let requirement = match Requirement::parse(text) {
            Ok(requirement) => requirement,
            Err(error) => {
                assert!(error.to_string().len() <= 1000 && !error.to_string().contains('\n'), "one line");
                return;
            }
        };
        assert!(text.contains(&requirement.specifiers) && text.contains(&requirement.spelt));
        assert!(requirement.extras.len() <= MAX_EXTRAS);
        // read again from its parts, it is the same
        let extras: Vec<&str> = requirement.extras.iter().map(Extra::as_str).collect();
        let again = format!("{}[{}]{}", requirement.package, extras.join(","), requirement.specifiers);
        if again.len() <= MAX_REQUIREMENT_BYTES {
            let again = Requirement::parse(&again).unwrap();
            assert_eq!(
                (again.package, again.extras, again.specifiers),
                (requirement.package, requirement.extras, requirement.specifiers)
            );
        }
    });
}

/// `Requires-Dist`, a line each.
fn wanted(data: &[u8]) {
    text(data, |text| {
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let extras = ["a", "test"].map(|name| Extra::parse(name).unwrap());
        for (steps, extras) in [(MAX_STEPS, &extras[..]), (50, &extras[..0])] {
            let mut left = steps;
            let found = dependencies::dependencies(&lines, &environments(), extras, &mut left);
            assert!(left <= steps && found.wanted.len() <= MAX_DEPENDENCIES);
            for wanted in &found.wanted {
                assert!(
                    wanted.extras.len() <= MAX_EXTRAS && wanted.specifiers.len() <= MAX_REQUIREMENT_BYTES
                );
                // what is asked of the index next is a requirement
                let asked = format!("{}{}", wanted.package, wanted.specifiers);
                if asked.len() <= MAX_REQUIREMENT_BYTES {
                    Requirement::parse(&asked).unwrap();
                }
            }
            assert!(found.wanted.is_sorted() && found.refused.is_sorted());
        }
    });
}

/// METADATA, or WHEEL, which has the same form.
fn metadata(data: &[u8]) {
    let found = CoreMetadata::parse(data);
    let one =
        [("Name", &found.name), ("Version", &found.version), ("Requires-Python", &found.requires_python)];
    let one = one.into_iter().filter_map(|(key, value)| Some((key, value.as_deref()?)));
    let lines = one.chain(found.requires_dist.iter().map(|line| ("Requires-Dist", line.as_str())));
    let mut again = String::new();
    for (key, value) in lines {
        assert!(
            !value.is_empty() && value.len() <= MAX_REQUIREMENT_BYTES && !value.chars().any(char::is_control)
        );
        again += &format!("{key}: {value}\n");
    }
    assert!(found.requires_dist.len() <= MAX_LINES);
    let expected = CoreMetadata { left_out: 0, ..found };
    assert_eq!(CoreMetadata::parse(again.as_bytes()), expected, "what is kept is read again as it was");
    for name in ["build", "tag", "root-is-purelib"] {
        assert!(fields(data, name).iter().all(|value| value.chars().count() <= 100));
    }
}

/// Steps of three bytes: what is done, from where, to where. Places are 0 to 199, and the last 56 of all.
fn ranges(data: &[u8]) {
    const PLACES: usize = 256;
    let place = |byte: u8| match byte {
        0..200 => u64::from(byte),
        _ => u64::MAX - u64::from(255 - byte),
    };
    let mut set = RangeSet::new();
    // whether the bytes from a place to the next are in it
    let mut model = [false; PLACES];
    for step in data.chunks_exact(3) {
        let (from, to) = (step[1], step[2]);
        let range = place(from)..place(to);
        let cells = usize::from(from)..usize::from(to).max(from.into());
        match step[0] % 4 {
            0 => {
                set.insert(range);
                model[cells].fill(true);
            }
            1 => {
                set.remove(range);
                model[cells].fill(false);
            }
            2 => {
                let (before, from_it) = set.split(range.start);
                assert_eq!(before.bytes() + from_it.bytes(), set.bytes());
                assert!(before.both(&from_it).is_empty());
                let mut both = before;
                from_it.iter().for_each(|range| both.insert(range.clone()));
                assert_eq!(both, set);
                assert_eq!(set.both(&RangeSet::of(range.clone())).bytes(), {
                    set.iter().filter_map(|r| intersect(r, &range)).map(|r| r.end - r.start).sum::<u64>()
                });
            }
            _ => {
                let mut rest = set.clone();
                if let Some(first) = rest.take_first(range.start) {
                    assert!(first.end - first.start <= range.start);
                    assert_eq!(rest.bytes() + (first.end - first.start), set.bytes());
                } else {
                    assert!(set.is_empty());
                }
            }
        }
        let ranges: Vec<_> = set.iter().cloned().collect();
        assert!(ranges.iter().all(|r| r.start < r.end), "{ranges:?}");
        assert!(ranges.windows(2).all(|pair| pair[0].end < pair[1].start), "{ranges:?}");
        for (cell, expected) in (0..=u8::MAX - 1).zip(model) {
            let at = place(cell)..place(cell + 1);
            let there = ranges.iter().any(|r| r.start <= at.start && at.end <= r.end);
            assert_eq!(there, expected, "{at:?} of {ranges:?}");
        }
    }
}
