//! METADATA out of a wheel that somebody sent, or that the index has: a hostile zip until proven otherwise.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use crate::domain::core_metadata::{CoreMetadata, MAX_METADATA_BYTES, fields};
use crate::domain::{ProjectName, Version};

mod directory;

use directory::Unsound;

/// WHEEL, in bytes; real ones have some hundred.
const MAX_WHEEL_BYTES: u64 = 64 << 10;

/// What a wheel claims to be, by its name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim<'a> {
    /// The file's name, for messages.
    pub(super) filename: &'a str,
    /// Whose it is.
    pub(super) project: &'a ProjectName,
    /// Which version.
    pub(super) version: &'a Version,
    /// The build tag in the name, which WHEEL's `Build` must be; the outer none: nobody asks.
    pub(super) build: Option<Option<&'a str>>,
}

/// METADATA, verbatim, and what matters of it.
#[derive(Debug)]
pub(super) struct Metadata {
    pub(super) bytes: Vec<u8>,
    /// The project's name as it stands there.
    pub(super) spelling: String,
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
    let bytes = text(&mut archive, &found, "METADATA", MAX_METADATA_BYTES).map_err(bad)?;
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
    if let Some(build) = claim.build {
        check_build(&mut archive, &found, build).map_err(bad)?;
    }
    if head.left_out > 0 {
        log::warn!(
            "{name}: {} of its requirements are too long or too many, and not followed",
            head.left_out
        );
    }
    Ok(Metadata {
        bytes,
        spelling: head.name.unwrap_or_default(),
        requires_python: head.requires_python,
        requires_dist: head.requires_dist,
    })
}

/// An entry that is read whole, and as far as its limit only; the error says why it is not.
fn text(
    archive: &mut zip::ZipArchive<BufReader<File>>,
    path: &str,
    name: &str,
    limit: u64,
) -> Result<Vec<u8>, String> {
    let cannot = |e: &dyn std::fmt::Display| format!("{name} cannot be read: {e}");
    let mut bytes = Vec::new();
    let entry = archive.by_name(path).map_err(|e| cannot(&e))?;
    entry.take(limit + 1).read_to_end(&mut bytes).map_err(|e| cannot(&e))?;
    if bytes.len() as u64 > limit { Err(format!("{name} is over {limit} bytes")) } else { Ok(bytes) }
}

/// That WHEEL, beside METADATA, has the build tag of the file's name: once, or, where that has none, not at all.
fn check_build(
    archive: &mut zip::ZipArchive<BufReader<File>>,
    metadata: &str,
    build: Option<&str>,
) -> Result<(), String> {
    let path = format!("{}WHEEL", metadata.strip_suffix("METADATA").unwrap_or_default());
    let wheel = text(archive, &path, "WHEEL", MAX_WHEEL_BYTES)?;
    let said = fields(&wheel, "build");
    let said: Vec<_> = said.iter().map(String::as_str).collect();
    if said == build.as_slice() {
        return Ok(());
    }
    let said: String = if said.is_empty() { "none".to_owned() } else { said.join(", ") };
    Err(format!("WHEEL has build tag {said:?}, the file's name {:?}", build.unwrap_or("none")))
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
        let filename = "foo_bar-1.0-py3-none-any.whl";
        read(file, Claim { filename, project: &project, version: &version, build: None })
    }

    /// What is said against a wheel with this WHEEL, if anything, where its name has this build tag.
    fn judged(wheel_text: Option<&str>, build: Option<&str>) -> Option<String> {
        let mut entries = vec![("foo_bar-1.0.dist-info/METADATA", GOOD)];
        entries.extend(wheel_text.map(|text| ("foo_bar-1.0.dist-info/WHEEL", text.as_bytes())));
        let (project, version) = (ProjectName::parse("foo-bar").unwrap(), Version::parse("1.0").unwrap());
        let filename = "foo_bar-1.0-py3-none-any.whl";
        let claim = Claim { filename, project: &project, version: &version, build: Some(build) };
        match read(&wheel(&entries), claim) {
            Ok(_) => None,
            Err(Unreadable::Bad(reason)) => Some(reason),
            Err(Unreadable::Io(error)) => panic!("{error}"),
        }
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
    fn the_file_name_and_wheel_have_the_same_build_tag() {
        let (none, one) = ("Wheel-Version: 1.0\nTag: py3-none-any\n", "Wheel-Version: 1.0\r\nBUILD: 1\r\n");
        assert_eq!(judged(Some(none), None), None);
        assert_eq!(judged(Some(one), Some("1")), None);
        let differ = |said: &str, name: &str| {
            let filename = "foo_bar-1.0-py3-none-any.whl";
            Some(format!("{filename}: WHEEL has build tag {said:?}, the file's name {name:?}"))
        };
        assert_eq!(judged(Some(none), Some("1")), differ("none", "1"));
        assert_eq!(judged(Some(one), None), differ("1", "none"));
        assert_eq!(judged(Some(one), Some("01")), differ("1", "01"));
        assert_eq!(judged(Some("Build: 1\nBuild: 1\n"), Some("1")), differ("1, 1", "1"));
        assert_eq!(judged(Some("Tag: x\n\nBuild: 1\n"), Some("1")), differ("none", "1"));
        assert!(judged(None, None).unwrap().contains("WHEEL cannot be read"));
        assert!(judged(Some(&"x".repeat(70_000)), None).unwrap().contains("WHEEL is over 65536 bytes"));
    }

    #[test]
    fn a_bomb_of_metadata_is_read_only_up_to_its_limit() {
        let bomb = vec![b'a'; 8 << 20];
        assert!(refusal(&wheel(&[("foo_bar-1.0.dist-info/METADATA", &bomb)])).contains("over 1048576 bytes"));
    }
}
