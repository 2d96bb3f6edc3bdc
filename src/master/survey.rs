//! Big Brother's look at the master's machine: load and memory, the disks that the farm writes to, and the last lines of
//! trouble in the log. The thread for it may wait for a disk that hangs; nobody waits for the thread.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::event::{Disk, ErrorLine, Survey};
use crate::domain::Millis;
use crate::{logging, vitals};

/// Looks. `output` is where the web tree is, `spool` what is unfinished; where both are one file system, it is looked at once.
pub(super) fn look(output: &Path, spool: &Path) -> Survey {
    let mut survey = Survey {
        vitals: Some(vitals::read(output)),
        errors: logging::last_errors()
            .into_iter()
            .map(|(at, text)| ErrorLine { at: Millis::secs(at), text })
            .collect(),
        ..Survey::default()
    };
    let mut seen = None;
    for path in [output, spool] {
        match disk(path) {
            Ok((device, _)) if seen == Some(device) => {}
            Ok((device, disk)) => {
                seen = Some(device);
                survey.disks.push(disk);
            }
            Err(error) => {
                let trouble = format!("the disk of {} cannot be looked at: {error}", path.display());
                survey.trouble.get_or_insert(trouble);
            }
        }
    }
    survey
}

/// A look that came to nothing.
pub(super) fn failed() -> Survey {
    let trouble = "an error in the look at the disk; see the log".to_owned();
    Survey { trouble: Some(trouble), ..Survey::default() }
}

fn disk(path: &Path) -> std::io::Result<(u64, Disk)> {
    let device = path.metadata()?.dev();
    let fs = nix::sys::statvfs::statvfs(path)?;
    // the types of these fields differ between systems
    #[allow(clippy::useless_conversion, clippy::unnecessary_cast, reason = "they are u32 on some systems")]
    let [unit, blocks, free, inodes, inodes_free] = [
        fs.fragment_size() as u64,
        fs.blocks() as u64,
        fs.blocks_available() as u64,
        fs.files() as u64,
        fs.files_available() as u64,
    ];
    let disk = Disk {
        path: path.display().to_string(),
        size: unit.saturating_mul(blocks),
        free: unit.saturating_mul(free),
        inodes: (inodes > 0).then_some(inodes),
        inodes_free: (inodes > 0).then_some(inodes_free),
    };
    Ok((device, disk))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_file_system_is_looked_at_once_and_what_cannot_be_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let spool = dir.path().join("spool");
        let half = look(dir.path(), &spool);
        assert!(half.trouble.as_deref().is_some_and(|trouble| trouble.contains("spool")), "{half:?}");
        std::fs::create_dir(&spool).unwrap();
        let Survey { disks, trouble, .. } = look(dir.path(), &spool);
        assert_eq!((disks.len(), trouble), (1, None));
        assert!(disks[0].free <= disks[0].size && disks[0].size > 0, "{disks:?}");
    }
}
