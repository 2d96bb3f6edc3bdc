//! Files under a second name, for another platform (the policy `aliases`): links to the same bytes, made before a page names
//! them and removed when none does. They have no rows: what is to be there follows from the page's files each time.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::master::disk;
use crate::master::failpoint;
use crate::master::query::PageFile;

/// Makes the names that the page is about to name, durably. A file without a row that has such a name gives way: only the
/// page says what is published.
pub(super) fn link(dir: &Path, files: &[PageFile]) -> io::Result<()> {
    let mut made = false;
    for (alias, original) in pairs(files) {
        for suffix in ["", ".metadata"] {
            let (name, target) =
                (dir.join(format!("{alias}{suffix}")), dir.join(format!("{original}{suffix}")));
            let inode = match fs::symlink_metadata(&target) {
                Ok(metadata) => metadata.ino(),
                // the original's files have no METADATA beside them
                Err(e) if e.kind() == io::ErrorKind::NotFound && !suffix.is_empty() => continue,
                Err(e) => return Err(io::Error::new(e.kind(), format!("{original}: {e}"))),
            };
            if fs::symlink_metadata(&name).is_ok_and(|there| there.ino() == inode) {
                continue;
            }
            // under a name that nobody asks for, and over the old one in one step
            let temporary = dir.join(".alias");
            let _ = disk::remove(&temporary);
            disk::link(&target, &temporary)?;
            failpoint::at("alias.linked");
            disk::rename(&temporary, &name)?;
            made = true;
        }
    }
    if made { disk::sync_dir(dir) } else { Ok(()) }
}

/// Removes the names that no page has any more: those of the same bytes as a file that is, or was, on the page. Any other
/// file that has no row is not this room's: it may be on its way to one.
pub(super) fn unlink(dir: &Path, files: &[PageFile], gone: &[String]) -> io::Result<()> {
    let named: HashSet<&str> =
        files.iter().map(|file| file.filename.as_str()).chain(gone.iter().map(String::as_str)).collect();
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e),
    };
    let mut unnamed = Vec::new();
    for entry in entries {
        let Ok(name) = entry?.file_name().into_string() else { continue };
        if name.ends_with(".whl") && !named.contains(name.as_str()) {
            unnamed.push(name);
        }
    }
    if unnamed.is_empty() {
        // as nearly always
        return Ok(());
    }
    let inode = |name: &str| fs::symlink_metadata(dir.join(name)).map(|metadata| metadata.ino()).ok();
    let originals = files.iter().filter(|file| file.alias_of.is_none()).map(|file| file.filename.as_str());
    let known: HashSet<u64> = originals.chain(gone.iter().map(String::as_str)).filter_map(inode).collect();
    let mut removed = false;
    for name in unnamed {
        let there = fs::symlink_metadata(dir.join(&name));
        if there.is_ok_and(|metadata| metadata.nlink() > 1 && known.contains(&metadata.ino())) {
            disk::remove(&dir.join(&name))?;
            failpoint::at("alias.removed");
            let _ = disk::remove(&dir.join(format!("{name}.metadata")));
            removed = true;
        }
    }
    if removed { disk::sync_dir(dir) } else { Ok(()) }
}

fn pairs(files: &[PageFile]) -> impl Iterator<Item = (&str, &str)> {
    files.iter().filter_map(|file| Some((file.filename.as_str(), file.alias_of.as_deref()?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Sha256;

    fn file(filename: &str, alias_of: Option<&str>) -> PageFile {
        PageFile {
            filename: filename.to_owned(),
            sha256: Sha256([1; 32]),
            requires_python: None,
            metadata_sha256: None,
            version: "1.0".to_owned(),
            size: 1,
            uploaded: "2026-01-31T23:59:59.000001Z".to_owned(),
            yanked: None,
            alias_of: alias_of.map(str::to_owned),
            abi: "cp311".to_owned(),
            apt: None,
            requires: None,
        }
    }

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_second_name_comes_and_goes_with_the_page_and_takes_nothing_else_along() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let put = |name: &str| fs::write(dir.join(name), name).unwrap();
        ["a7.whl", "a7.whl.metadata", "b7.whl", "placed.whl"].into_iter().for_each(put);
        // placed a moment ago: its row is not there yet, and the spool still has its other name
        fs::hard_link(dir.join("placed.whl"), dir.join("spool")).unwrap();
        put("a6.whl");
        let offered = [file("a7.whl", None), file("b7.whl", None), file("a6.whl", Some("a7.whl"))];
        for _ in 0..2 {
            link(dir, &offered).unwrap();
            unlink(dir, &offered, &[]).unwrap();
        }
        let all = ["a6.whl", "a6.whl.metadata", "a7.whl", "a7.whl.metadata", "b7.whl", "placed.whl", "spool"];
        assert_eq!(names(dir), all);
        assert_eq!(fs::read_to_string(dir.join("a6.whl")).unwrap(), "a7.whl", "the same bytes");

        unlink(dir, &offered[..2], &[]).unwrap();
        assert_eq!(names(dir), ["a7.whl", "a7.whl.metadata", "b7.whl", "placed.whl", "spool"]);

        link(dir, &offered).unwrap();
        unlink(dir, &offered[1..2], &["a7.whl".to_owned()]).unwrap();
        assert_eq!(
            names(dir),
            ["a7.whl", "a7.whl.metadata", "b7.whl", "placed.whl", "spool"],
            "it goes before its file"
        );

        assert!(link(dir, &[file("c6.whl", Some("c7.whl"))]).is_err(), "no name for what is not there");
        unlink(&dir.join("nowhere"), &[], &[]).unwrap();
    }
}
