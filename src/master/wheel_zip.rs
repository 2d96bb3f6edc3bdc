//! METADATA out of a wheel that somebody sent, or that the index has: a hostile zip until proven otherwise.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use crate::domain::core_metadata::{CoreMetadata, MAX_METADATA_BYTES};
use crate::domain::{ProjectName, Version};

mod directory;

use directory::Unsound;

/// What a wheel claims to be, by its name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim<'a> {
    /// The file's name, for messages.
    pub(super) filename: &'a str,
    /// Whose it is.
    pub(super) project: &'a ProjectName,
    /// Which version.
    pub(super) version: &'a Version,
}

/// METADATA, verbatim, and what matters of it.
#[derive(Debug)]
pub(super) struct Metadata {
    pub(super) bytes: Vec<u8>,
    pub(super) requires_python: Option<String>,
    pub(super) requires_dist: Vec<String>,
}

/// Why there is none.
#[derive(Debug)]
pub(super) enum Unreadable {
    /// The disk says no.
    Io(io::Error),
    /// It is no wheel of this version; the reason is for people.
    Bad(String),
}

/// Reads METADATA and checks that it names the project and the version that the wheel's name does.
pub(super) fn read(file: &File, claim: Claim<'_>) -> Result<Metadata, Unreadable> {
    let name = claim.filename;
    let bad = |reason: String| Unreadable::Bad(format!("{name}: {reason}"));
    let mut file = file.try_clone().map_err(Unreadable::Io)?;
    file.seek(SeekFrom::Start(0)).map_err(Unreadable::Io)?;
    directory::check(&file).map_err(|unsound| match unsound {
        Unsound::Io(error) => Unreadable::Io(error),
        Unsound::Bad(reason) => bad(reason),
    })?;
    // the library looks where the check has looked, and for nothing before the archive
    let config = zip::read::Config { archive_offset: zip::read::ArchiveOffset::Known(0) };
    let mut archive = zip::ZipArchive::with_config(config, BufReader::new(file))
        .map_err(|e| bad(format!("not a zip archive: {e}")))?;
    let mut found = None;
    // a name that is not text is not METADATA's
    for entry in archive.file_names().flatten().filter(|entry| is_metadata(entry, claim)) {
        if found.replace(entry.into_owned()).is_some() {
            return Err(bad("more than one METADATA".to_owned()));
        }
    }
    let found = found.ok_or_else(|| bad("no METADATA in a .dist-info of its own".to_owned()))?;
    let mut bytes = Vec::new();
    let entry = archive.by_name(&found).map_err(|e| bad(format!("METADATA cannot be read: {e}")))?;
    entry
        .take(MAX_METADATA_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| bad(format!("METADATA cannot be read: {e}")))?;
    if bytes.len() as u64 > MAX_METADATA_BYTES {
        return Err(bad(format!("METADATA is over {MAX_METADATA_BYTES} bytes")));
    }
    let head = CoreMetadata::parse(&bytes);
    if head.name.as_deref().and_then(|n| ProjectName::parse(n).ok()).as_ref() != Some(claim.project) {
        return Err(bad(format!(
            "METADATA names {:?}, not {}",
            head.name.unwrap_or_default(),
            claim.project
        )));
    }
    if head.version.as_deref().and_then(|v| Version::parse(v).ok()).as_ref() != Some(claim.version) {
        let found = head.version.unwrap_or_default();
        return Err(bad(format!("METADATA has version {found:?}, not {}", claim.version)));
    }
    if head.left_out > 0 {
        log::warn!(
            "{name}: {} of its requirements are too long or too many, and not followed",
            head.left_out
        );
    }
    Ok(Metadata { bytes, requires_python: head.requires_python, requires_dist: head.requires_dist })
}

/// `<name>-<version>.dist-info/METADATA` of the wheel itself, in any spelling of name and version.
fn is_metadata(entry: &str, claim: Claim<'_>) -> bool {
    let Some(stem) = entry.strip_suffix(".dist-info/METADATA") else { return false };
    let Some((name, version)) = stem.split_once('-') else { return false };
    ProjectName::parse(name).as_ref() == Ok(claim.project)
        && Version::parse(version).as_ref() == Ok(claim.version)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use zip::write::SimpleFileOptions;

    fn wheel(entries: &[(&str, &[u8])]) -> File {
        let mut writer = zip::ZipWriter::new(tempfile::tempfile().unwrap());
        for (name, content) in entries {
            writer.start_file(*name, SimpleFileOptions::default()).unwrap();
            writer.write_all(content).unwrap();
        }
        writer.finish().unwrap()
    }

    fn read_it(file: &File) -> Result<Metadata, Unreadable> {
        let (project, version) = (ProjectName::parse("foo-bar").unwrap(), Version::parse("1.0").unwrap());
        read(file, Claim { filename: "foo_bar-1.0-py3-none-any.whl", project: &project, version: &version })
    }

    fn refusal(file: &File) -> String {
        match read_it(file).unwrap_err() {
            Unreadable::Bad(reason) => reason,
            Unreadable::Io(error) => panic!("{error}"),
        }
    }

    const GOOD: &[u8] =
        b"Metadata-Version: 2.1\r\nName: Foo.Bar\nVersion: 1.0.0\nRequires-Python: >=3.7, <4\n\nName: x\n";

    #[test]
    fn metadata_is_found_in_any_spelling_and_kept_verbatim() {
        let file = wheel(&[("foo_bar/x.py", b""), ("Foo.Bar-1.0.dist-info/METADATA", GOOD)]);
        let read = read_it(&file).unwrap();
        assert_eq!(read.bytes, GOOD);
        assert_eq!(read.requires_python.as_deref(), Some(">=3.7, <4"));
    }

    #[test]
    fn what_is_no_wheel_of_this_version_is_refused_with_the_reason() {
        let mut text = tempfile::tempfile().unwrap();
        text.write_all(b"<html>").unwrap();
        assert!(refusal(&text).contains("not a zip archive"));
        assert!(refusal(&wheel(&[("x", b"")])).contains("no METADATA"));
        assert!(refusal(&wheel(&[("other-1.0.dist-info/METADATA", GOOD)])).contains("no METADATA"));
        assert!(refusal(&wheel(&[("a/foo_bar-1.0.dist-info/METADATA", GOOD)])).contains("no METADATA"));
        let two =
            wheel(&[("foo_bar-1.0.dist-info/METADATA", GOOD), ("foo-bar-1.0.dist-info/METADATA", GOOD)]);
        // the second name begins with "foo", whose version would be "bar-1.0": not this project's
        assert!(read_it(&two).is_ok());
        let two =
            wheel(&[("foo_bar-1.0.dist-info/METADATA", GOOD), ("foo.bar-1.0.dist-info/METADATA", GOOD)]);
        assert!(refusal(&two).contains("more than one"));
        let path = "foo_bar-1.0.dist-info/METADATA";
        assert!(refusal(&wheel(&[(path, b"Name: other\nVersion: 1.0\n")])).contains("names \"other\""));
        assert!(refusal(&wheel(&[(path, b"Name: foo-bar\nVersion: 1.1\n")])).contains("version \"1.1\""));
        assert!(refusal(&wheel(&[(path, b"")])).contains("names \"\""));
    }

    #[test]
    fn a_second_metadata_of_the_same_name_is_not_overlooked() {
        let path = "foo_bar-1.0.dist-info/METADATA";
        // the writer refuses to make this, so the first is made under another name and renamed in the bytes
        let other = "foo_bar-1.0.dist-info/METADATB";
        let mut file = wheel(&[(other, b"Name: foo-bar\nVersion: 6.6\n"), (path, GOOD)]);
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(0)).unwrap();
        file.read_to_end(&mut bytes).unwrap();
        while let Some(at) = bytes.windows(other.len()).position(|w| w == other.as_bytes()) {
            bytes[at..at + other.len()].copy_from_slice(path.as_bytes());
        }
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        assert!(refusal(&file).contains("more than one entry is named"));
    }

    #[test]
    fn a_bomb_of_metadata_is_read_only_up_to_its_limit() {
        let bomb = vec![b'a'; 8 << 20];
        assert!(refusal(&wheel(&[("foo_bar-1.0.dist-info/METADATA", &bomb)])).contains("over 1048576 bytes"));
    }
}
