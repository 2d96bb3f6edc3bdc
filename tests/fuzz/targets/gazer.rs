//! What the index says: pages, the list of projects, the changelog, headers, and what pip says of it.

#![allow(clippy::unwrap_used, reason = "a target fails by panicking")]

use std::io::{BufRead, BufReader, Read};

use ureq::http::{HeaderMap, HeaderValue};

use super::changelog::Collector;
use super::choice::parse_specifiers;
use super::http::{file_url, next_url};
use super::project_list::ProjectList;
use super::project_page::{PageError, ProjectPage};
use super::trouble::{self, SHOWN_BYTES, Trouble};
use super::{dates, json, pip, wheel_metadata, xml_rpc, xml_rpc_url};
use crate::domain::{ProjectName, WheelName};
use crate::fuzz::{Slow, Target, first_line, text};
use crate::master::gaze::{CHANGELOG_ROWS, LARGEST_SERIAL, RELEASES, WantedReleases, Wish};

pub(crate) const TARGETS: &[Target] = &[
    Target { name: "project_page", run: project_page },
    Target { name: "wheel_on_page", run: wheel_on_page },
    Target { name: "project_list", run: project_list },
    Target { name: "changelog", run: changelog },
    Target { name: "index_headers", run: headers },
    Target { name: "index_urls", run: urls },
    Target { name: "specifiers", run: specifiers },
    Target { name: "pip_settings", run: pip_settings },
];

/// Where the page of another project would not be looked at any further.
fn page(input: impl Read) -> Result<ProjectPage, String> {
    ProjectPage::read(input, &ProjectName::parse("sample").unwrap()).map_err(|error| match error {
        PageError::Broken(error) => format!("broken: {error}"),
        PageError::Unreadable(reason) => reason,
    })
}

fn project_page(data: &[u8]) {
    let read = page(data);
    for most in [1, 7] {
        let slowly = page(Slow::new(data, most));
        assert_eq!(format!("{slowly:?}"), format!("{read:?}"), "{most} bytes at a time");
    }
    let Ok(page) = read else { return };
    assert!(page.releases.len() <= RELEASES);
    assert!(page.serial.is_none_or(|serial| serial <= LARGEST_SERIAL));
    assert!(page.status_reason.as_deref().is_none_or(|reason| !reason.chars().any(char::is_control)));
    let package = ProjectName::parse("sample").unwrap();
    for wanted in ["", ">=1", "==1.0", "<2,!=1.*"] {
        let specifiers = parse_specifiers(wanted).unwrap();
        if let Ok(wanted) = page.newest(&package, &specifiers, wanted) {
            assert!(page.releases.contains_key(&wanted.version) && wanted.version.fits(&specifiers));
        }
        assert!(page.served(&specifiers).is_none_or(|wheel| wheel.project == package));
    }
    let wish = Wish { specifiers: ">=1".to_owned(), since: 1_700_000_000 };
    let all = page.truths(&WantedReleases::All);
    assert!(page.truths(&WantedReleases::Listed(vec![wish])).len() <= all.len());
    assert!(all.len() <= page.releases.len());
}

/// The wheel that is looked for, then the page.
fn wheel_on_page(data: &[u8]) {
    let at = data.iter().position(|b| *b == b'\n').unwrap_or(data.len());
    let Ok(wheel) = std::str::from_utf8(&data[..at]) else { return };
    let page = data.get(at + 1..).unwrap_or_default();
    let find = |input: &mut dyn Read| wheel_metadata::find(input, wheel).map_err(|trouble| trouble.reason);
    let found = find(&mut { page });
    assert_eq!(find(&mut Slow::new(page, 1)), found, "byte by byte");
    if let Ok(Some(found)) = found {
        assert!(found.sha256.is_none_or(|hex| !hex.bytes().any(|b| b.is_ascii_uppercase())));
    }
}

fn project_list(data: &[u8]) {
    let read = |piece: usize| {
        let mut list = ProjectList::new();
        let fed = data.chunks(piece.max(1)).try_for_each(|piece| list.feed(piece));
        let projects = list.drain(usize::MAX);
        (projects, fed.and_then(|()| list.finish()))
    };
    let whole = read(data.len());
    assert_eq!(read(1), whole, "byte by byte");
    assert_eq!(read(5), whole);
    assert!(whole.0.iter().all(|project| project.serial <= LARGEST_SERIAL));
    // the list is JSON, where it was read to its end
    if whole.1.is_ok() {
        serde_json::from_slice::<serde::de::IgnoredAny>(data).unwrap();
    }
}

/// Four bytes of serial, then the answer.
fn changelog(data: &[u8]) {
    let Some((since, xml)) = data.split_first_chunk::<4>() else { return };
    let since = u64::from(u32::from_be_bytes(*since));
    let read = |input: &mut dyn BufRead| {
        let mut collector = Collector::new(since);
        let read = xml_rpc::read_rows(input, &mut |row| collector.push(row));
        let read = read.map_err(|error| {
            if let xml_rpc::XmlError::Fault(_, text) = &error {
                let _ = xml_rpc::rate_limit(text);
            }
            format!("{error:?}")
        });
        (collector.finish(Some(1_760_000_000)), read)
    };
    let whole = read(&mut { xml });
    for size in [1, 9] {
        let pieces = read(&mut BufReader::with_capacity(size, xml));
        assert_eq!(format!("{pieces:?}"), format!("{whole:?}"), "{size} bytes at a time");
    }
    let ((changelog, first_odd), _) = whole;
    assert!(changelog.settled >= since && changelog.last.is_none_or(|last| changelog.settled <= last));
    assert!(changelog.events.is_sorted_by_key(|event| event.serial));
    assert!(changelog.events.iter().all(|event| event.serial > since));
    assert!(changelog.odd <= changelog.rows && first_odd.is_some() == (changelog.odd > 0));
    assert!(changelog.rows < CHANGELOG_ROWS, "no input is as large");
}

/// Two headers, a line each.
fn headers(data: &[u8]) {
    text(data, |text| {
        let (first, rest) = first_line(text);
        let (second, rest) = first_line(rest);
        let trouble = Trouble::status(429, Some(first), Some(second));
        assert!(trouble.retry_after_secs.is_none_or(|seconds| seconds <= trouble::LONGEST_RETRY_AFTER));
        for text in [first, second, rest] {
            let _ = (dates::iso(text), dates::http(text));
            assert!(json::serial(text).is_none_or(|serial| serial <= LARGEST_SERIAL));
            let (shown, kept) = (trouble::shown(text), trouble::kept(text));
            assert!(!shown.chars().any(char::is_control) && !kept.chars().any(char::is_control));
            assert!(shown.len() <= SHOWN_BYTES + 16);
            assert!(
                shown.len() > SHOWN_BYTES || trouble::shown(&shown) == shown,
                "what is shown is shown as it is"
            );
            assert_eq!(trouble::kept(&kept), kept);
        }
    });
}

/// The page's address, then what it names.
fn urls(data: &[u8]) {
    text(data, |text| {
        let (page, named) = first_line(text);
        let _ = xml_rpc_url(page);
        if let Ok(url) = file_url(page, named) {
            let lower = url.to_ascii_lowercase();
            let same = url
                .split_once("://")
                .zip(page.split_once("://"))
                .is_some_and(|(url, page)| url.0.eq_ignore_ascii_case(page.0));
            assert!(lower.starts_with("https://") || same, "{url:?} of {page:?}");
        }
        let Ok(location) = HeaderValue::from_str(named) else { return };
        let mut headers = HeaderMap::new();
        headers.insert("location", location);
        if let Ok(url) = next_url(page, &headers) {
            // a redirect stays with the index, whatever it says
            let to_path = |url: &str| {
                let (scheme, rest) = url.split_once("://").unwrap();
                let authority = rest.split(['/', '?', '#']).next().unwrap();
                format!("{}://{authority}", scheme.to_ascii_lowercase())
            };
            assert_eq!(to_path(&url), to_path(page), "{url:?} of {page:?}");
        }
    });
}

fn specifiers(data: &[u8]) {
    text(data, |text| match parse_specifiers(text) {
        Ok(specifiers) => {
            let spelt = specifiers.to_string();
            assert_eq!(parse_specifiers(&spelt), Ok(specifiers), "{spelt:?}");
        }
        Err(error) => assert!(!error.contains('\n'), "{error}"),
    });
}

fn pip_settings(data: &[u8]) {
    text(data, |text| {
        if let Some(settings) = pip::parse(text) {
            assert!(settings.index_url.starts_with("http") && !settings.index_url.contains(['\n', '\r']));
            let _ = xml_rpc_url(&settings.index_url);
        }
    });
    let _ = WheelName::parse(&String::from_utf8_lossy(data));
}
