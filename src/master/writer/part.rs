//! A file that is coming in, and the journal beside it that lets another master go on with it.
//!
//! The journal has one record of 16 bytes for each piece that was written: offset u64, length u32, CRC-32 of the bytes,
//! big-endian. It is not forced to the disk, and neither are the bytes: after a crash either may be missing or torn, and
//! so nothing in it is believed before the bytes have been read and compared.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
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
    journal: File,
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
        let (file, journal) = (options.open(path)?, options.open(journal)?);
        let mut incoming =
            Self { file, journal, size, digest: sha2::Sha256::new(), digested: 0, pushed: 0, failed: false };
        failpoint::at("part.opened");
        let have = incoming.recall()?;
        Ok((incoming, have))
    }

    /// Reads the journal, and believes as much of it as the bytes bear out. The journal is then written anew.
    fn recall(&mut self) -> io::Result<RangeSet> {
        let mut have = RangeSet::new();
        let length = self.file.metadata()?.len();
        let mut text = Vec::new();
        if length <= self.size {
            Read::by_ref(&mut self.journal).take(LONGEST_JOURNAL).read_to_end(&mut text)?;
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
        self.journal.set_len(0)?;
        self.journal = reopened_at_start(&self.journal)?;
        self.journal.write_all(&sound)?;
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
        let mut record = [0; RECORD_BYTES];
        record[..8].copy_from_slice(&offset.to_be_bytes());
        record[8..12].copy_from_slice(&(data.len() as u32).to_be_bytes());
        record[12..].copy_from_slice(&crc32fast::hash(data).to_be_bytes());
        self.journal.write_all(&record)?;
        failpoint::at("part.noted");
        Ok(())
    }

    /// Begins the way to the disk of all before `end`. What is not written yet is not dropped by this, only begun.
    fn push(&mut self, end: u64) {
        let (from, length) = (self.pushed as i64, (end - self.pushed) as i64);
        let _ = posix_fadvise(&self.file, from, length, PosixFadviseAdvice::POSIX_FADV_DONTNEED);
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

fn parse(record: &[u8]) -> Option<(u64, u32, u32)> {
    let (offset, rest) = record.split_first_chunk::<8>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let crc = rest.first_chunk::<4>()?;
    Some((u64::from_be_bytes(*offset), u32::from_be_bytes(*length), u32::from_be_bytes(*crc)))
}

fn reopened_at_start(journal: &File) -> io::Result<File> {
    use std::io::Seek;
    let mut journal = journal.try_clone()?;
    journal.rewind()?;
    Ok(journal)
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

    #[test]
    fn what_was_written_is_known_to_the_next_master_and_the_digest_goes_on() {
        let rig = Rig::new();
        let content: Vec<u8> = (0..100u8).collect();
        let (mut first, have) = rig.open(100);
        assert!(have.is_empty());
        for (from, to) in [(0, 10), (10, 30), (50, 60)] {
            first.write(from as u64, &content[from..to]).unwrap();
        }
        drop(first);
        let (mut second, have) = rig.open(100);
        assert_eq!(have, [(0, 30), (50, 60)]);
        assert_eq!(second.digested, 30, "what is there from the start is digested with one reading");
        for (from, to) in [(30, 50), (60, 100)] {
            second.write(from as u64, &content[from..to]).unwrap();
        }
        assert_eq!(second.finish().unwrap(), Sha256::of(&content));
        drop(second);
        assert_eq!(rig.open(100).1, [(0, 100)], "the journal was carried on");
    }

    #[test]
    fn nothing_is_believed_that_the_bytes_do_not_bear_out() {
        let rig = Rig::new();
        let content = [7u8; 90];
        let (mut first, _) = rig.open(90);
        [0usize, 30, 60].iter().for_each(|&at| first.write(at as u64, &content[at..at + 30]).unwrap());
        drop(first);
        // a byte that never reached the disk
        let file = OpenOptions::new().write(true).open(&rig.file).unwrap();
        file.write_all_at(&[0], 45).unwrap();
        // a torn record, and records of bytes beyond the end, of no bytes and of absurdly many
        let mut journal = std::fs::read(&rig.journal).unwrap();
        for (offset, length) in [(80u64, 30u32), (u64::MAX, 1), (0, 0), (0, u32::MAX)] {
            journal.extend_from_slice(&offset.to_be_bytes());
            journal.extend_from_slice(&length.to_be_bytes());
            journal.extend_from_slice(&[0; 4]);
        }
        journal.extend_from_slice(&[1, 2, 3]);
        std::fs::write(&rig.journal, journal).unwrap();
        let (mut second, have) = rig.open(90);
        assert_eq!(have, [(0, 30), (60, 90)]);
        second.write(30, &content[30..60]).unwrap();
        assert_eq!(second.finish().unwrap(), Sha256::of(&content));
    }

    #[test]
    fn a_file_longer_than_it_may_be_is_begun_anew() {
        let rig = Rig::new();
        let (mut first, _) = rig.open(50);
        first.write(0, &[1; 50]).unwrap();
        drop(first);
        let (mut second, have) = rig.open(40);
        assert!(have.is_empty());
        second.write(0, &[2; 40]).unwrap();
        assert_eq!(second.finish().unwrap(), Sha256::of(&[2; 40]));
        assert_eq!(second.file.metadata().unwrap().len(), 40);
    }
}
