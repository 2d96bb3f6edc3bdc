//! Wheels that somebody sent, what slaves report, addresses of channels.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a target fails by panicking")]

use std::fs::File;
use std::io::Write;

use bytes::Bytes;
use nix::sys::memfd::{MFdFlags, memfd_create};

use super::reactor::address::Address;
use super::report::{KeptReport, without_passwords};
use super::wheel_zip::{self, Claim, Unreadable};
use crate::domain::core_metadata::MAX_METADATA_BYTES;
use crate::domain::{AbiTag, Millis, ProjectName, Version, apt};
use crate::fuzz::{Target, text};
use crate::master::slave_driver::Introduction;
use crate::wire::Frame;
use crate::wire::slave::FromSlave;

pub(crate) const TARGETS: &[Target] = &[
    Target { name: "wheel_zip", run: wheel },
    Target { name: "report", run: report },
    Target { name: "address", run: address },
];

/// A wheel of `sample` 1.0, with and without a build tag in its name.
fn wheel(data: &[u8]) {
    let mut file = File::from(memfd_create("wheel", MFdFlags::MFD_CLOEXEC).unwrap());
    file.write_all(data).unwrap();
    let (project, version) = (ProjectName::parse("sample").unwrap(), Version::parse("1.0").unwrap());
    let read = |build| {
        let claim =
            Claim { filename: "sample-1.0-py3-none-any.whl", project: &project, version: &version, build };
        match wheel_zip::read(&file, claim) {
            Ok(found) => Some(found),
            Err(Unreadable::Bad(reason)) => {
                assert!(reason.starts_with("sample-1.0-py3-none-any.whl: "), "{reason}");
                None
            }
            Err(Unreadable::Io(error)) => panic!("what stands in a file is no fault of the disk: {error}"),
        }
    };
    let found = read(None);
    if let Some(found) = &found {
        assert!(found.bytes.len() as u64 <= MAX_METADATA_BYTES);
        assert_eq!(ProjectName::parse(&found.spelling).as_ref(), Ok(&project));
    }
    for build in [None, Some("1")] {
        let strictly = read(Some(build)).map(|found| found.bytes);
        assert!(strictly.is_none() || strictly == found.as_ref().map(|found| found.bytes.clone()));
    }
}

/// The payload of BUILT, or of HELLO: what is kept of a report.
fn report(data: &[u8]) {
    text(data, |text| {
        let kept = without_passwords(text);
        assert_eq!(without_passwords(&kept), kept);
        for (at, _) in kept.match_indices("://") {
            let place = kept[at + 3..].split(|c: char| c == '/' || c.is_whitespace()).next().unwrap();
            assert!(!place.contains('@') || place.starts_with("****@"), "{kept:?}");
        }
        if let Ok(report) = serde_json::from_str::<KeptReport>(text) {
            let again = serde_json::to_string(&report).unwrap();
            assert_eq!(serde_json::from_str::<KeptReport>(&again).unwrap(), report);
        }
    });
    let Some((&tag, payload)) = data.split_first() else { return };
    let message = FromSlave::decode(Frame { tag, payload: Bytes::copy_from_slice(payload) });
    let (board, report) = match message {
        Ok(FromSlave::Built { report, .. }) => (Default::default(), report),
        Ok(FromSlave::Hello { board, .. }) => (board, Default::default()),
        _ => return,
    };
    let introduction = Introduction {
        label: "pi-1".to_owned(),
        abi: AbiTag::parse("cp311").unwrap(),
        platform: "linux_armv7l".to_owned(),
        python: "311".to_owned(),
        timeout: Millis(1000),
        board,
    };
    let kept = KeptReport::of(&introduction, &report);
    assert!(kept.apt.iter().all(|name| apt::is_package(name)));
    let json = serde_json::to_string(&kept).unwrap();
    assert_eq!(serde_json::from_str::<KeptReport>(&json).unwrap(), kept);
}

fn address(data: &[u8]) {
    text(data, |text| {
        if let Ok(address) = text.parse::<Address>() {
            let shown = address.to_string();
            assert_eq!(shown.parse::<Address>(), Ok(address), "{shown}");
        }
    });
}
