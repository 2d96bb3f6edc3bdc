//! Removing what no row stands for. The thread that brings builds into place does this too, one after the other, so that
//! nothing is removed between its placing and its commit: what was placed, or found in place, has the time of that, and
//! what is younger than a day stays.

use std::collections::HashMap;
use std::io;
use std::os::unix::fs::MetadataExt;

use super::{FileWriter, spool};
use crate::domain::ProjectName;
use crate::master::disk::{self, sync_dir};
use crate::master::event::SweptDir;

impl FileWriter {
    /// Removes these names from the project's directory, which the caller knows nothing stands for; and the directory,
    /// when it is empty then.
    pub(super) fn sweep(&self, project: &ProjectName, names: &[String]) -> io::Result<SweptDir> {
        let dir = self.output.join("simple").join(project.as_str());
        let mut swept = SweptDir::default();
        match std::fs::symlink_metadata(&dir) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => return Err(io::Error::other("is no directory")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(SweptDir { directory: true, ..swept });
            }
            Err(error) => return Err(error),
        }
        let mut bearers: HashMap<u64, u32> = HashMap::new();
        for entry in std::fs::read_dir(&dir)? {
            if let Ok(metadata) = entry?.metadata() {
                *bearers.entry(metadata.ino()).or_default() += 1;
            }
        }
        for name in names {
            let path = dir.join(name);
            let keep = match std::fs::symlink_metadata(&path) {
                Ok(metadata) if metadata.is_dir() => Some("it is a directory"),
                Ok(metadata) => {
                    let age = metadata.modified().ok().and_then(|at| at.elapsed().ok());
                    // a clock that went back makes nothing old
                    if age.is_none_or(|age| age < spool::KEPT) {
                        Some("it is younger than a day")
                    } else if bearers.get(&metadata.ino()).is_some_and(|bearers| *bearers > 1) {
                        // a platform's, which comes and goes with the page
                        Some("it is another name of a file beside it")
                    } else {
                        None
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            match keep {
                Some(reason) => swept.kept.push((name.clone(), reason.to_owned())),
                None => {
                    disk::remove(&path)?;
                    swept.removed.push(name.clone());
                }
            }
        }
        if std::fs::remove_dir(&dir).is_ok() {
            swept.directory = true;
            sync_dir(&self.output.join("simple"))?;
        } else if !swept.removed.is_empty() {
            sync_dir(&dir)?;
        }
        Ok(swept)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::path::Path;
    use std::time::{Duration, SystemTime};

    use super::*;

    fn old(path: &Path) {
        fs::write(path, path.display().to_string()).unwrap();
        let at = SystemTime::now() - spool::KEPT - Duration::from_secs(1);
        File::options().write(true).open(path).unwrap().set_modified(at).unwrap();
    }

    #[test]
    fn only_what_was_named_is_old_and_has_no_other_name_goes_and_an_empty_directory_with_it() {
        let top = tempfile::tempdir().unwrap();
        let (output, dir) = (top.path().join("www"), top.path().join("www/simple/foo"));
        fs::create_dir_all(dir.join("below")).unwrap();
        let writer = FileWriter::new(output, top.path().join("spool"));
        for name in ["orphan.whl", "orphan.whl.metadata", "unnamed.whl", "seven.whl"] {
            old(&dir.join(name));
        }
        fs::hard_link(dir.join("seven.whl"), dir.join("six.whl")).unwrap();
        fs::write(dir.join("young.whl"), "").unwrap();
        let outside = top.path().join("outside");
        old(&outside);
        std::os::unix::fs::symlink(&outside, dir.join("link")).unwrap();
        let names = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        let project = ProjectName::parse("foo").unwrap();
        let asked =
            ["orphan.whl", "orphan.whl.metadata", "six.whl", "young.whl", "below", "link", "nowhere.whl"];
        let swept = writer.sweep(&project, &names(&asked)).unwrap();
        assert_eq!(swept.removed, ["orphan.whl", "orphan.whl.metadata"]);
        let kept: Vec<_> = swept.kept.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(kept, ["six.whl", "young.whl", "below", "link"]);
        assert!(!swept.directory && dir.join("unnamed.whl").exists() && outside.exists());

        fs::remove_dir_all(&dir).unwrap();
        fs::create_dir(&dir).unwrap();
        assert!(writer.sweep(&project, &[]).unwrap().directory && !dir.exists());
        assert!(writer.sweep(&project, &[]).unwrap().directory, "once more");
        std::os::unix::fs::symlink(top.path(), &dir).unwrap();
        assert!(writer.sweep(&project, &names(&["outside"])).is_err() && outside.exists());
    }
}
