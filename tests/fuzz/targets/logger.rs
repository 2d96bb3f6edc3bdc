//! Access logs of web servers.

#![allow(clippy::unwrap_used, reason = "a target fails by panicking")]

use std::io::Cursor;

use bytes::BytesMut;

use super::access::{self, SimplePath};
use super::format::{Format, Lines};
use super::input::{self, Line};
use super::{agent, moment};
use crate::domain::WheelName;
use crate::fuzz::{Target, text};
use crate::wire::import::FromTool;
use crate::wire::{List, frame, limits};

pub(crate) const TARGETS: &[Target] = &[
    Target { name: "access_log", run: log },
    Target { name: "log_lines", run: lines },
    Target { name: "log_moment", run: log_moment },
    Target { name: "user_agent", run: user_agent },
];

/// The lines of a log, of each format and of one to be found out.
fn log(data: &[u8]) {
    for format in [None, Some(Format::Combined), Some(Format::VhostCombined), Some(Format::Json)] {
        let mut lines = Lines::of(format);
        for line in data.split(|b| *b == b'\n') {
            let Some(access) = lines.parse(line) else { continue };
            let Some(download) = access.download(&SimplePath::standard()) else { continue };
            WheelName::parse(&download.filename).unwrap();
            // it can be told to the master
            let message = FromTool::Downloads { batch: [7; 16], records: List::cut(vec![download]) };
            let mut out = BytesMut::new();
            message.encode(&mut out);
            let taken = frame::take(&mut out, limits::IMPORT_FRAME_BYTES).unwrap().unwrap();
            assert_eq!(FromTool::decode(taken), Ok(message));
        }
        for line in data.split(|b| *b == b'\n') {
            assert!(access::unescape(line).len() <= line.len());
            let (method, target) = access::split_request(line);
            assert!(method.len() + target.len() <= line.len());
        }
    }
    text(data, |text| {
        if let Ok(path) = text.parse::<SimplePath>() {
            let shown = path.to_string();
            assert!(shown.is_empty() || shown.parse::<SimplePath>() == Ok(path));
        }
        let _ = access::address(text);
    });
}

/// A log as a file, packed or not.
fn lines(data: &[u8]) {
    let mut lines = input::unpack(Cursor::new(data.to_vec())).unwrap();
    let (mut count, mut bytes) = (0, 0);
    // what is packed may be much
    while count < 2000 {
        match lines.next() {
            Ok(Some(Line::Whole(line))) => {
                assert!(line.len() <= input::LINE_BYTES && !line.contains(&b'\n'));
                bytes += line.len();
            }
            Ok(Some(Line::TooLong)) => {}
            Ok(None) | Err(_) => break,
        }
        count += 1;
    }
    if !data.starts_with(&[0x1f]) {
        assert!(bytes <= data.len());
    }
}

fn log_moment(data: &[u8]) {
    text(data, |text| {
        let Some(at) = moment::parse(text) else { return };
        let Ok(seconds) = u64::try_from(at) else { return };
        // a four-digit year is written so that it is read back
        if at < 253_402_300_800 {
            assert_eq!(moment::parse(&crate::logging::utc(seconds)), Some(at));
        }
    });
}

fn user_agent(data: &[u8]) {
    let agent = String::from_utf8_lossy(data);
    let client = agent::describe(&agent);
    assert_eq!(agent::describe(&agent), client);
    for said in [&client.arch, &client.os_name, &client.py_version, &client.installer_name] {
        assert!(!said.chars().any(char::is_control), "{said:?}");
    }
}
