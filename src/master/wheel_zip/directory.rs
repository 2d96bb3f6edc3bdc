//! The end of a zip, looked over before anything is built from it (APPNOTE 4.3.6, 4.3.12 to 4.3.16).
//!
//! In: a file that somebody sent. Out: whether its central directory is of a bearable size, is what its end says, and
//! has each name once. A wheel has nothing before, between or after these; what does is read differently by different
//! programs, and refused here. It knows nothing of what the entries hold.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Entries in one wheel.
const MAX_ENTRIES: u64 = 200_000;
/// The central directory, in bytes: what is held in memory for the check. The names of the largest real wheels take a
/// few MB.
const MAX_DIRECTORY_BYTES: u64 = 32 << 20;

/// The end record without its comment, and the longest comment.
const END_BYTES: usize = 22;
const MAX_COMMENT_BYTES: u64 = 0xffff;
const LOCATOR_BYTES: usize = 20;
const END_64_BYTES: usize = 56;
const HEADER_BYTES: usize = 46;

/// Why the archive is not to be read.
#[derive(Debug)]
pub(super) enum Unsound {
    /// The disk says no.
    Io(io::Error),
    /// It is no zip, or not one that may be a wheel; the reason is for people.
    Bad(String),
}

impl From<io::Error> for Unsound {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

fn bad<T>(reason: impl Into<String>) -> Result<T, Unsound> {
    Err(Unsound::Bad(reason.into()))
}

/// Where the central directory is.
#[derive(Debug)]
struct End {
    entries: u64,
    start: u64,
    bytes: u64,
    /// Where the end records begin.
    end: u64,
}

/// Checks the central directory. After this, a library that reads it has at most [`MAX_ENTRIES`] to hold.
pub(super) fn check(file: &File) -> Result<(), Unsound> {
    let end = find_end(file)?;
    if end.entries > MAX_ENTRIES {
        return bad(format!("it says that it has {} entries, more than {MAX_ENTRIES}", end.entries));
    }
    if end.bytes > MAX_DIRECTORY_BYTES {
        return bad(format!("its directory has {} bytes, more than {MAX_DIRECTORY_BYTES}", end.bytes));
    }
    if end.start.checked_add(end.bytes) != Some(end.end) {
        return bad("not a zip archive: its directory is not where its end says");
    }
    let mut directory = vec![0; end.bytes as usize];
    file.read_exact_at(&mut directory, end.start)?;
    let mut names = HashSet::new();
    let mut rest = &directory[..];
    while !rest.is_empty() {
        let (Some(header), true) = (rest.get(..HEADER_BYTES), rest.starts_with(b"PK\x01\x02")) else {
            return bad("not a zip archive: its directory is malformed");
        };
        let [name, extra, comment] = [28, 30, 32].map(|at| usize::from(u16_at(header, at)));
        let (Some(name), Some(next)) =
            (rest.get(HEADER_BYTES..HEADER_BYTES + name), rest.get(HEADER_BYTES + name + extra + comment..))
        else {
            return bad("not a zip archive: its directory is cut off");
        };
        if !names.insert(name) {
            let name: String = String::from_utf8_lossy(name).chars().take(200).collect();
            return bad(format!("more than one entry is named {name:?}"));
        }
        rest = next;
    }
    if names.len() as u64 != end.entries {
        return bad("not a zip archive: its directory has other entries than its end says");
    }
    Ok(())
}

fn find_end(file: &File) -> Result<End, Unsound> {
    let length = file.metadata()?.len();
    let tail_start = length.saturating_sub(END_BYTES as u64 + MAX_COMMENT_BYTES);
    let mut tail = vec![0; (length - tail_start) as usize];
    file.read_exact_at(&mut tail, tail_start)?;
    // The last one counts, and its comment must reach the end of the file: then every reader finds the same.
    let found = tail.windows(4).rposition(|w| w == b"PK\x05\x06");
    let Some((at, record)) = found.and_then(|at| Some((at, tail.get(at..at + END_BYTES)?))) else {
        return bad("not a zip archive: it has no end record");
    };
    if at + END_BYTES + usize::from(u16_at(record, 20)) != tail.len() {
        return bad("not a zip archive: something is behind its end");
    }
    if [u16_at(record, 4), u16_at(record, 6)] != [0; 2] || u16_at(record, 8) != u16_at(record, 10) {
        return bad("not a zip archive of one part");
    }
    let short = End {
        entries: u16_at(record, 10).into(),
        bytes: u32_at(record, 12).into(),
        start: u32_at(record, 16).into(),
        end: tail_start + at as u64,
    };
    with_64(file, short)
}

/// What the ZIP64 records before the end say, where there are any.
fn with_64(file: &File, short: End) -> Result<End, Unsound> {
    let Some(end) = short.end.checked_sub((LOCATOR_BYTES + END_64_BYTES) as u64) else { return Ok(short) };
    let mut records = [0; END_64_BYTES + LOCATOR_BYTES];
    file.read_exact_at(&mut records, end)?;
    let (record, locator) = records.split_at(END_64_BYTES);
    if !locator.starts_with(b"PK\x06\x07") {
        return Ok(short);
    }
    let sound = record.starts_with(b"PK\x06\x06")
        && u64_at(record, 4) == END_64_BYTES as u64 - 12
        && u64_at(locator, 8) == end
        && [u32_at(locator, 4), u32_at(record, 16), u32_at(record, 20)] == [0; 3]
        && u64_at(record, 24) == u64_at(record, 32);
    let long = End { entries: u64_at(record, 32), bytes: u64_at(record, 40), start: u64_at(record, 48), end };
    let agree = |short: u64, long: u64, full: u64| short == full || short == long;
    if !sound
        || !agree(short.entries, long.entries, u16::MAX.into())
        || !agree(short.bytes, long.bytes, u32::MAX.into())
        || !agree(short.start, long.start, u32::MAX.into())
    {
        return bad("not a zip archive: its two end records differ");
    }
    Ok(long)
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn file(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    fn headers(names: &[&str]) -> Vec<u8> {
        let mut directory = Vec::new();
        for name in names {
            let mut header = [0; HEADER_BYTES];
            header[..4].copy_from_slice(b"PK\x01\x02");
            header[28] = name.len() as u8;
            directory.extend_from_slice(&header);
            directory.extend_from_slice(name.as_bytes());
        }
        directory
    }

    fn end(entries: u16, bytes: u32, start: u32) -> Vec<u8> {
        let mut record = b"PK\x05\x06\0\0\0\0".to_vec();
        record.extend([entries, entries].map(u16::to_le_bytes).concat());
        record.extend([bytes, start].map(u32::to_le_bytes).concat());
        record.extend([0; 2]);
        record
    }

    fn end_64(at: u64, entries: u64, bytes: u64, start: u64) -> Vec<u8> {
        let mut record = b"PK\x06\x06".to_vec();
        record.extend(44u64.to_le_bytes());
        record.extend([0; 12]);
        record.extend([entries, entries, bytes, start].map(u64::to_le_bytes).concat());
        record.extend(b"PK\x06\x07\0\0\0\0");
        record.extend(at.to_le_bytes());
        record.extend(1u32.to_le_bytes());
        record
    }

    fn refusal(bytes: &[u8]) -> String {
        match check(&file(bytes)) {
            Err(Unsound::Bad(reason)) => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_directory_that_is_what_its_end_says_is_sound_with_and_without_zip64() {
        let directory = headers(&["a", "b"]);
        let length = directory.len() as u32;
        check(&file(&[&directory[..], &end(2, length, 0)].concat())).unwrap();
        check(&file(&end(0, 0, 0))).unwrap();
        let long = end_64(length.into(), 2, length.into(), 0);
        check(&file(&[&directory[..], &long, &end(u16::MAX, u32::MAX, u32::MAX)].concat())).unwrap();
        check(&file(&[&directory[..], &long, &end(2, length, 0)].concat())).unwrap();
        assert!(refusal(&[&directory[..], &long, &end(1, length, 0)].concat()).contains("differ"));
    }

    #[test]
    fn a_claim_of_millions_of_entries_is_refused_by_its_end_alone() {
        let claim = [end_64(0, 5_000_000, 230_000_000, 0), end(u16::MAX, u32::MAX, u32::MAX)].concat();
        assert!(refusal(&claim).contains("5000000 entries"));
        let claim = [end_64(0, 100_000, 1 << 40, 0), end(u16::MAX, u32::MAX, u32::MAX)].concat();
        assert!(refusal(&claim).contains("1099511627776 bytes"));
        let claim = [end_64(0, u64::MAX, u64::MAX, u64::MAX), end(u16::MAX, u32::MAX, u32::MAX)].concat();
        assert!(refusal(&claim).contains("entries"));
    }

    #[test]
    fn what_readers_would_read_differently_is_refused() {
        let directory = headers(&["a", "b"]);
        let length = directory.len() as u32;
        let with = |end: &[u8]| [&directory[..], end].concat();
        assert!(refusal(&with(&end(1, length, 0))).contains("other entries"));
        assert!(refusal(&with(&end(3, length, 0))).contains("other entries"));
        assert!(refusal(&with(&end(1, length / 2, 0))).contains("not where"));
        assert!(refusal(&with(&end(1, length / 2 - 1, length / 2 + 1))).contains("malformed"));
        assert!(refusal(&with(&[&end(2, length, 0)[..], b"more"].concat())).contains("behind its end"));
        assert!(refusal(&[b"before", &with(&end(2, length, 0))[..]].concat()).contains("not where"));
        let mut cut = directory.clone();
        cut[28] = 200;
        assert!(refusal(&[&cut[..], &end(2, length, 0)].concat()).contains("cut off"));
        for short in [&b""[..], b"PK\x05\x06", b"<html>"] {
            assert!(refusal(short).contains("no end record"));
        }
    }

    #[test]
    fn a_name_that_is_there_twice_is_refused() {
        let directory = headers(&["x/METADATA", "y", "x/METADATA"]);
        let twice = [&directory[..], &end(3, directory.len() as u32, 0)].concat();
        assert!(refusal(&twice).contains("more than one entry is named \"x/METADATA\""));
    }
}
