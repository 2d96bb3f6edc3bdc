//! The log of one build: a head that only grows, and a tail of bounded size that follows when the build is over.
//!
//! The master is sent the log while the build runs, and what was sent cannot be taken back: so the head is kept as it
//! comes, the rest goes round in a file of fixed size, and the end of it, which mostly says what went wrong, is put
//! behind the head at last. Nothing of it stays in memory.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The log's name in a build's directory.
pub const LOG_FILE: &str = "build.log";
/// The smallest limit of a log, in bytes.
pub const SMALLEST_LIMIT: u64 = crate::wire::limits::SMALLEST_LOG_LIMIT;
/// Room for the line about the cut and for the last line, in bytes.
const OWN_LINES: u64 = 2048;
const COPY_BYTES: usize = 16 * 1024;

/// A log that is being written.
#[derive(Debug)]
pub struct BuildLog {
    file: File,
    written: u64,
    ends_with_newline: bool,
    /// Of the head, and as much again of the tail, in bytes.
    half: u64,
    tail_path: PathBuf,
    tail: Option<File>,
    /// Bytes that went to the tail, those overwritten included.
    tail_total: u64,
    /// A full disk is told once; the build goes on and will say itself that it has no room.
    trouble: bool,
    disk_full: bool,
}

impl BuildLog {
    /// Creates the log in a build's directory; at most `limit` bytes of it are kept.
    pub fn create(dir: &Path, limit: u64) -> io::Result<Self> {
        Ok(Self {
            file: create(&dir.join(LOG_FILE))?,
            written: 0,
            ends_with_newline: true,
            half: (limit.max(SMALLEST_LIMIT) - OWN_LINES) / 2,
            tail_path: dir.join("build.tail"),
            tail: None,
            tail_total: 0,
            trouble: false,
            disk_full: false,
        })
    }

    /// Bytes in the log so far; they do not change any more.
    pub fn bytes(&self) -> u64 {
        self.written
    }

    /// Adds what the build printed.
    pub fn append(&mut self, data: &[u8]) {
        let room = usize::try_from(self.half.saturating_sub(self.written)).unwrap_or(usize::MAX);
        // Once something went to the tail, nothing may go to the head: that would change the order.
        let (head, rest) = data.split_at(if self.tail_total > 0 { 0 } else { room.min(data.len()) });
        let done = self.write(head).and_then(|()| self.write_tail(rest));
        if let Err(e) = done {
            self.disk_full |= matches!(e.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
            if !std::mem::replace(&mut self.trouble, true) {
                log::warn!("cannot write the build's log: {e}");
            }
        }
    }

    /// Whether the disk had no room for a part of it.
    pub fn is_disk_full(&self) -> bool {
        self.disk_full
    }

    /// Puts the tail behind the head, then `last` as a line of its own. Returns the length of the whole log.
    pub fn finish(mut self, last: &str) -> u64 {
        if let Err(e) = self.join(last) {
            log::warn!("cannot write the end of the build's log: {e}");
        }
        self.written
    }

    fn join(&mut self, last: &str) -> io::Result<()> {
        if let Some(tail) = self.tail.take() {
            let cut = self.tail_total.saturating_sub(self.half);
            if cut > 0 {
                self.write_line(&format!("[piw-slave: {cut} bytes of the log are cut out here]"))?;
                let start = self.tail_total % self.half;
                self.copy(&tail, start, self.half - start)?;
                self.copy(&tail, 0, start)?;
            } else {
                self.copy(&tail, 0, self.tail_total)?;
            }
            std::fs::remove_file(&self.tail_path)?;
        }
        self.write_line(last)
    }

    fn write_line(&mut self, line: &str) -> io::Result<()> {
        if !self.ends_with_newline {
            self.write(b"\n")?;
        }
        let end = line.floor_char_boundary(line.len().min(OWN_LINES as usize / 2));
        self.write(&line.as_bytes()[..end])?;
        self.write(b"\n")
    }

    fn write(&mut self, data: &[u8]) -> io::Result<()> {
        let Some(last) = data.last() else { return Ok(()) };
        self.file.write_all_at(data, self.written)?;
        self.written += data.len() as u64;
        self.ends_with_newline = *last == b'\n';
        Ok(())
    }

    fn write_tail(&mut self, mut data: &[u8]) -> io::Result<()> {
        if data.is_empty() {
            return Ok(());
        }
        if self.tail.is_none() {
            self.tail = Some(create(&self.tail_path)?);
        }
        let Some(tail) = &self.tail else { return Ok(()) };
        while !data.is_empty() {
            let at = self.tail_total % self.half;
            let fits = data.len().min(usize::try_from(self.half - at).unwrap_or(usize::MAX));
            tail.write_all_at(&data[..fits], at)?;
            self.tail_total += fits as u64;
            data = &data[fits..];
        }
        Ok(())
    }

    fn copy(&mut self, tail: &File, mut from: u64, mut bytes: u64) -> io::Result<()> {
        let mut buffer = [0; COPY_BYTES];
        while bytes > 0 {
            let piece = &mut buffer[..COPY_BYTES.min(usize::try_from(bytes).unwrap_or(COPY_BYTES))];
            tail.read_exact_at(piece, from)?;
            self.write(piece)?;
            from += piece.len() as u64;
            bytes -= piece.len() as u64;
        }
        Ok(())
    }
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(limit: u64, pieces: &[Vec<u8>]) -> (Vec<u8>, u64) {
        let dir = tempfile::tempdir().unwrap();
        let mut log = BuildLog::create(dir.path(), limit).unwrap();
        let mut streamed = Vec::new();
        for piece in pieces {
            log.append(piece);
            // what was there before is a prefix of what is there now
            let now = std::fs::read(dir.path().join(LOG_FILE)).unwrap();
            assert_eq!(now.len() as u64, log.bytes());
            assert!(now.starts_with(&streamed));
            streamed = now;
        }
        let total = log.finish("piw-slave: the end");
        let whole = std::fs::read(dir.path().join(LOG_FILE)).unwrap();
        assert_eq!(whole.len() as u64, total);
        assert!(whole.starts_with(&streamed));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "no other file is left");
        (whole, total)
    }

    #[test]
    fn a_short_log_is_kept_whole_and_raw() {
        let (whole, _) = written(SMALLEST_LIMIT, &[b"one\xff\x1b[1m\n".to_vec(), b"two".to_vec()]);
        assert_eq!(whole, b"one\xff\x1b[1m\ntwo\npiw-slave: the end\n");
    }

    #[test]
    fn a_long_log_keeps_its_head_and_its_tail_and_says_what_is_missing() {
        let lines: Vec<Vec<u8>> = (0..20_000).map(|n| format!("line {n}\n").into_bytes()).collect();
        let printed: usize = lines.iter().map(Vec::len).sum();
        let (whole, total) = written(SMALLEST_LIMIT, &lines);
        assert!(total <= SMALLEST_LIMIT, "{total}");
        let text = String::from_utf8(whole).unwrap();
        assert!(text.starts_with("line 0\nline 1\n"));
        assert!(text.ends_with("line 19998\nline 19999\npiw-slave: the end\n"));
        let half = (SMALLEST_LIMIT as usize - 2048) / 2;
        assert!(
            text.contains(&format!(
                "[piw-slave: {} bytes of the log are cut out here]\n",
                printed - 2 * half
            ))
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn up_to_its_limit_nothing_of_a_log_is_lost(
            pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..3000), 0..9)
        ) {
            let all = pieces.concat();
            prop_assume!(all.len() as u64 <= SMALLEST_LIMIT - 2048);
            let (whole, _) = written(SMALLEST_LIMIT, &pieces);
            prop_assert!(whole.starts_with(&all));
        }
    }
}
