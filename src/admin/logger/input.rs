//! The logs that are read: files, packed or not, and standard input; as lines within bounds.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;
use std::path::PathBuf;

use flate2::bufread::MultiGzDecoder;

/// The longest line, in bytes; servers bound a request's line and headers to a fraction of it. A longer one is passed
/// over.
pub(crate) const LINE_BYTES: usize = 64 * 1024;
/// What is read at a time.
const READ_BYTES: usize = 64 * 1024;
/// What a packed file begins with (RFC 1952), and no line of a log.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// A log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Standard input.
    Standard,
    /// A file, or what else has a path.
    Path(PathBuf),
}

impl Input {
    /// For messages.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Standard => "standard input".to_owned(),
            Self::Path(path) => path.display().to_string(),
        }
    }

    /// Whether somebody writes while it is read, and may have to wait for the reader: everything but a regular file.
    pub(crate) fn is_live(&self) -> io::Result<bool> {
        let kind = match self {
            Self::Standard => File::from(io::stdin().as_fd().try_clone_to_owned()?).metadata()?,
            Self::Path(path) => fs::metadata(path)?,
        }
        .file_type();
        if kind.is_dir() || kind.is_block_device() {
            return Err(io::Error::other("it is not a file"));
        }
        Ok(!kind.is_file())
    }

    /// Whether it can be opened. What is no regular file is not tried: opening a pipe waits for its writer.
    pub(crate) fn check(&self) -> io::Result<()> {
        match self {
            Self::Path(path) if !self.is_live()? => File::open(path).map(drop),
            _ => Ok(()),
        }
    }

    /// Opens it; a packed one is unpacked as it is read, whatever its name.
    pub(crate) fn open(&self) -> io::Result<Lines> {
        match self {
            Self::Standard => unpack(io::stdin().lock()),
            Self::Path(path) => unpack(File::open(path)?),
        }
    }
}

/// The lines of what is read, unpacked where it is packed.
pub(super) fn unpack(source: impl Read + 'static) -> io::Result<Lines> {
    let mut source = BufReader::with_capacity(READ_BYTES, source);
    let begins = source.fill_buf()?;
    let packed = begins.first() == Some(&GZIP[0]) && begins.get(1).is_none_or(|byte| *byte == GZIP[1]);
    let reader: Box<dyn BufRead> = if packed {
        Box::new(BufReader::with_capacity(READ_BYTES, MultiGzDecoder::new(source)))
    } else {
        Box::new(source)
    };
    Ok(Lines { reader, line: Vec::new() })
}

/// The lines of a log.
pub(crate) struct Lines {
    reader: Box<dyn BufRead>,
    line: Vec<u8>,
}

/// A line, without what ends it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line<'a> {
    /// Within its bound.
    Whole(&'a [u8]),
    /// Longer than [`LINE_BYTES`].
    TooLong,
}

impl Lines {
    /// The next line; none at the end. A last line without an end is one too.
    pub(crate) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        self.line.clear();
        let most = LINE_BYTES as u64 + 2;
        if (&mut self.reader).take(most).read_until(b'\n', &mut self.line)? == 0 {
            return Ok(None);
        }
        let ended = self.line.last() == Some(&b'\n');
        let line = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.len() <= LINE_BYTES {
            return Ok(Some(Line::Whole(line)));
        }
        if !ended {
            self.reader.skip_until(b'\n')?;
        }
        Ok(Some(Line::TooLong))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    /// Lines as texts; `None` for one that is too long, and an error at the end if there is one.
    fn lines(bytes: &[u8]) -> (Vec<Option<String>>, bool) {
        let mut lines = unpack(Cursor::new(bytes.to_vec())).unwrap();
        let mut found = Vec::new();
        loop {
            match lines.next() {
                Ok(Some(Line::Whole(line))) => found.push(Some(String::from_utf8_lossy(line).into_owned())),
                Ok(Some(Line::TooLong)) => found.push(None),
                Ok(None) => return (found, true),
                Err(_) => return (found, false),
            }
        }
    }

    fn packed(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn some(texts: &[&str]) -> Vec<Option<String>> {
        texts.iter().map(|text| Some((*text).to_owned())).collect()
    }

    #[test]
    fn lines_end_with_a_newline_or_with_the_log() {
        for (bytes, expected) in
            [(&b""[..], &[][..]), (b"a\nb\r\n\nc", &["a", "b", "", "c"]), (b"\n", &[""]), (b"\r", &[""])]
        {
            assert_eq!(lines(bytes), (some(expected), true));
        }
    }

    #[test]
    fn a_line_beyond_its_bound_is_told_and_the_next_one_is_whole() {
        let full = "x".repeat(LINE_BYTES);
        for end in ["\n", "\r\n"] {
            let text = format!("{full}{end}{full}x{end}{full}{full}{full}{end}a");
            let expected = [Some(full.clone()), None, None, Some("a".to_owned())];
            assert_eq!(lines(text.as_bytes()), (expected.to_vec(), true));
        }
        let endless = "x".repeat(10 * LINE_BYTES);
        assert_eq!(lines(endless.as_bytes()), (vec![None], true));
    }

    #[test]
    fn packed_logs_are_unpacked_whatever_their_name_and_in_several_parts() {
        let mut bytes = packed(b"a\nb\n");
        bytes.extend(packed(b"c\n"));
        assert_eq!(lines(&bytes), (some(&["a", "b", "c"]), true));
        let cut = &packed(b"a\nb\n")[..12];
        let (_, sound) = lines(cut);
        assert!(!sound, "a log that was cut off is told");
        assert!(!lines(b"\x1f\x8bnothing").1);
    }

    #[test]
    fn directories_are_no_logs_and_files_are_no_pipes() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let log = Input::Path(file.path().to_owned());
        assert!(log.check().is_ok() && !log.is_live().unwrap());
        assert!(Input::Path(file.path().parent().unwrap().to_owned()).is_live().is_err());
        assert!(Input::Path("/dev/null".into()).is_live().unwrap());
    }
}
