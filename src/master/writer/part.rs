//! A file that is coming in, and the journal beside it that lets another master go on with it.
//!
//! A file that is one chunk has none: it is there or it is not. The journal has one record of 16 bytes for each piece that was written: offset u64, length u32, CRC-32 of the bytes,
//! big-endian. It is not forced to the disk, and neither are the bytes: after a crash either may be missing or torn, and
//! so nothing in it is believed before the bytes have been read and compared.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use sha2::Digest;

use crate::domain::Sha256;
use crate::domain::ranges::RangeSet;
use crate::master::disk;
use crate::master::failpoint;
use crate::wire::limits::CHUNK_BYTES;

const RECORD_BYTES: usize = 16;
/// A journal longer than this is not one: a piece of a kilobyte for each of two gigabytes.
const LONGEST_JOURNAL: u64 = 32 << 20;
/// Writing to the disk is begun for this much at a time, so that the last fsync has little left to do.
const WRITE_BACK_BYTES: u64 = 8 << 20;

/// A file that is coming in.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) file: File,
    journal: Option<File>,
    size: u64,
    digest: sha2::Sha256,
    /// Bytes from the start that the digest covers; what comes out of order is read back at the check.
    digested: u64,
    /// Bytes from the start whose way to the disk was begun.
    pushed: u64,
    pub(super) failed: bool,
}

impl Incoming {
    /// Begins a file, or goes on with what is there of it: and which bytes those are.
    pub(super) fn open(path: &Path, journal: &Path, size: u64) -> io::Result<(Self, RangeSet)> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        disk::creates(path)?;
        let file = options.open(path)?;
        let journal = if size > CHUNK_BYTES as u64 { Some(options.open(journal)?) } else { None };
        let mut incoming =
            Self { file, journal, size, digest: sha2::Sha256::new(), digested: 0, pushed: 0, failed: false };
        failpoint::at("part.opened");
        let have = incoming.recall()?;
        Ok((incoming, have))
    }

    /// Reads the journal, and believes as much of it as the bytes bear out. The journal is then written anew.
    fn recall(&mut self) -> io::Result<RangeSet> {
        let mut have = RangeSet::new();
        let Some(journal) = &mut self.journal else {
            self.file.set_len(0)?;
            return Ok(have);
        };
        let length = self.file.metadata()?.len();
        let mut text = Vec::new();
        if length <= self.size {
            Read::by_ref(journal).take(LONGEST_JOURNAL).read_to_end(&mut text)?;
        }
        let mut sound = Vec::new();
        let mut piece = Vec::new();
        for record in text.chunks_exact(RECORD_BYTES) {
            let Some((offset, bytes, crc)) = parse(record) else { continue };
            let end = offset.saturating_add(bytes.into());
            if bytes == 0 || bytes as usize > CHUNK_BYTES || end > length {
                continue;
            }
            piece.resize(bytes as usize, 0);
            self.file.read_exact_at(&mut piece, offset)?;
            if crc32fast::hash(&piece) != crc {
                continue;
            }
            have.insert(offset..end);
            sound.extend_from_slice(record);
            if self.digested == offset {
                self.digest.update(&piece);
                self.digested = end;
            }
        }
        journal.set_len(0)?;
        journal.rewind()?;
        journal.write_all(&sound)?;
        self.file.set_len(if have.is_empty() { 0 } else { length })?;
        Ok(have)
    }

    /// Writes a piece, digests it if it is the next, and notes it in the journal.
    pub(super) fn write(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        disk::write_at(&self.file, data, offset)?;
        failpoint::at("part.written");
        let end = offset + data.len() as u64;
        if self.digested == offset {
            self.digest.update(data);
            self.digested = end;
            if end - self.pushed >= WRITE_BACK_BYTES {
                self.push(end);
            }
        }
        if let Some(journal) = &mut self.journal {
            journal.write_all(&record(offset, data))?;
        }
        failpoint::at("part.noted");
        Ok(())
    }

    /// Begins the way to the disk of all before `end`.
    fn push(&mut self, end: u64) {
        begin_write_back(&self.file, self.pushed, end - self.pushed);
        self.pushed = end;
    }

    /// The digest of the whole file; what came out of order is read back.
    pub(super) fn finish(&mut self) -> io::Result<Sha256> {
        let mut piece = vec![0; 64 * 1024];
        while self.digested < self.size {
            let read = self.file.read_at(&mut piece, self.digested)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.digest.update(&piece[..read]);
            self.digested += read as u64;
        }
        Ok(Sha256(self.digest.clone().finalize().into()))
    }
}

/// Begins the way to the disk of `length` bytes, 0 for all up to the end. What is not written yet is not dropped by this, only
/// begun: a later fsync finds little left to do.
pub(super) fn begin_write_back(file: &File, from: u64, length: u64) {
    let _ = posix_fadvise(file, from as i64, length as i64, PosixFadviseAdvice::POSIX_FADV_DONTNEED);
}

fn record(offset: u64, data: &[u8]) -> [u8; RECORD_BYTES] {
    let mut record = [0; RECORD_BYTES];
    record[..8].copy_from_slice(&offset.to_be_bytes());
    record[8..12].copy_from_slice(&(data.len() as u32).to_be_bytes());
    record[12..].copy_from_slice(&crc32fast::hash(data).to_be_bytes());
    record
}

fn parse(record: &[u8]) -> Option<(u64, u32, u32)> {
    let (offset, rest) = record.split_first_chunk::<8>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let crc = rest.first_chunk::<4>()?;
    Some((u64::from_be_bytes(*offset), u32::from_be_bytes(*length), u32::from_be_bytes(*crc)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    struct Rig {
        _dir: tempfile::TempDir,
        file: PathBuf,
        journal: PathBuf,
    }

    impl Rig {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let (file, journal) = (dir.path().join("f"), dir.path().join("j"));
            Self { _dir: dir, file, journal }
        }

        fn open(&self, size: u64) -> (Incoming, Vec<(u64, u64)>) {
            let (incoming, have) = Incoming::open(&self.file, &self.journal, size).unwrap();
            (incoming, have.iter().map(|r| (r.start, r.end)).collect())
        }
    }

    /// Where pieces begin: a unit of them is a tenth of a chunk.
    const UNIT: usize = CHUNK_BYTES / 10;

    /// Bytes that differ from piece to piece.
    fn content(units: usize) -> Vec<u8> {
        (0..units * UNIT).map(|n| (n / 7) as u8).collect()
    }

    fn write(to: &mut Incoming, content: &[u8], pieces: &[(usize, usize)]) {
        for &(from, end) in pieces {
            to.write((from * UNIT) as u64, &content[from * UNIT..end * UNIT]).unwrap();
        }
    }

    fn units(have: &[(u64, u64)]) -> Vec<(usize, usize)> {
        have.iter().map(|(from, end)| (*from as usize / UNIT, *end as usize / UNIT)).collect()
    }

    #[test]
    fn what_was_written_is_known_to_the_next_master_and_the_digest_goes_on() {
        let rig = Rig::new();
        let content = content(20);
        let size = content.len() as u64;
        let (mut first, have) = rig.open(size);
        assert!(have.is_empty());
        write(&mut first, &content, &[(0, 2), (2, 6), (10, 12)]);
        drop(first);
        let (mut second, have) = rig.open(size);
        assert_eq!(units(&have), [(0, 6), (10, 12)]);
        assert_eq!(
            second.digested,
            6 * UNIT as u64,
            "what is there from the start is digested with one reading"
        );
        write(&mut second, &content, &[(6, 10), (12, 20)]);
        assert_eq!(second.finish().unwrap(), Sha256::of(&content));
        drop(second);
        assert_eq!(units(&rig.open(size).1), [(0, 20)], "the journal was carried on");
    }

    #[test]
    fn nothing_is_believed_that_the_bytes_do_not_bear_out() {
        let rig = Rig::new();
        let content = content(18);
        let size = content.len() as u64;
        let (mut first, _) = rig.open(size);
        write(&mut first, &content, &[(0, 6), (6, 12), (12, 18)]);
        drop(first);
        // a byte that never reached the disk
        let file = OpenOptions::new().write(true).open(&rig.file).unwrap();
        file.write_all_at(&[!content[9 * UNIT]], 9 * UNIT as u64).unwrap();
        // a torn record, and records of bytes beyond the end, of no bytes and of absurdly many
        let mut journal = std::fs::read(&rig.journal).unwrap();
        for (offset, length) in [(size - 10, 30u32), (u64::MAX, 1), (0, 0), (0, u32::MAX)] {
            journal.extend_from_slice(&offset.to_be_bytes());
            journal.extend_from_slice(&length.to_be_bytes());
            journal.extend_from_slice(&[0; 4]);
        }
        journal.extend_from_slice(&[1, 2, 3]);
        std::fs::write(&rig.journal, journal).unwrap();
        let (mut second, have) = rig.open(size);
        assert_eq!(units(&have), [(0, 6), (12, 18)]);
        write(&mut second, &content, &[(6, 12)]);
        assert_eq!(second.finish().unwrap(), Sha256::of(&content));
    }

    #[test]
    fn a_file_longer_than_it_may_be_is_begun_anew() {
        let rig = Rig::new();
        let content = content(20);
        let (mut first, _) = rig.open(20 * UNIT as u64);
        write(&mut first, &content, &[(0, 10), (10, 20)]);
        drop(first);
        let (mut second, have) = rig.open(16 * UNIT as u64);
        assert!(have.is_empty());
        write(&mut second, &content, &[(0, 8), (8, 16)]);
        assert_eq!(second.finish().unwrap(), Sha256::of(&content[..16 * UNIT]));
        assert_eq!(second.file.metadata().unwrap().len(), 16 * UNIT as u64);
    }

    #[test]
    fn a_file_of_one_chunk_has_no_journal_and_is_there_or_is_not() {
        let rig = Rig::new();
        let content = content(10);
        let (mut first, _) = rig.open(content.len() as u64);
        write(&mut first, &content, &[(0, 10)]);
        drop(first);
        assert!(!rig.journal.exists());
        let (mut second, have) = rig.open(content.len() as u64);
        assert!(have.is_empty());
        write(&mut second, &content, &[(0, 10)]);
        assert_eq!(second.finish().unwrap(), Sha256::of(&content));
    }
}
