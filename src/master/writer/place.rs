//! Bringing a build into place: the disk's half of the publish order.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::Digest;

use super::part::begin_write_back;
use super::{FileWriter, make_public, remove};
use crate::domain::{BuildId, Sha256, log_path};
use crate::master::disk::{self, sync_dir};
use crate::master::event::{Placed, Placement};
use crate::master::failpoint;
use crate::seeded;

impl FileWriter {
    /// Every file of the build under its final name, on stable storage; or none of the names that were free changed
    /// their meaning: what was linked before a failure is recognised when this is tried again.
    pub(super) fn place(&mut self, placement: &Placement) -> io::Result<Placed> {
        let dir = self.output.join("simple").join(placement.project.as_str());
        let mut taken = Vec::new();
        if !placement.files.is_empty() {
            make_dirs(&self.output, &dir)?;
            failpoint::at("place.begun");
            // All bytes before any name: one commit of the file system's journal then carries every file of the build.
            let sources = || {
                let files = placement.files.iter();
                files.flat_map(|f| [self.transfer_file(f.transfer), self.metadata_file(f.transfer)])
            };
            for source in sources() {
                make_ready(&source)?;
            }
            for source in sources() {
                make_durable(&source)?;
            }
            failpoint::at("place.synced");
            for file in &placement.files {
                let unclaimed = placement.unclaimed.contains(&file.filename);
                let metadata = dir.join(format!("{}.metadata", file.filename));
                let mut linked = link(
                    &self.transfer_file(file.transfer),
                    &dir.join(&file.filename),
                    &file.sha256,
                    unclaimed,
                )?;
                if linked == Linked::There {
                    failpoint::at("place.linked");
                    let from = self.metadata_file(file.transfer);
                    linked = link(&from, &metadata, &file.metadata_sha256, unclaimed)?;
                }
                match linked {
                    Linked::There => failpoint::at("place.file-done"),
                    Linked::Taken => taken.push(file.filename.clone()),
                    Linked::Missing => return Ok(Placed::Missing),
                }
            }
            if !taken.is_empty() {
                return Ok(Placed::Taken(taken));
            }
            if !seeded::is("directory-not-synced") {
                sync_dir(&dir)?;
            }
            failpoint::at("place.dir-synced");
        }
        if placement.log {
            self.place_log(placement.build, placement.remark.as_deref())?;
        }
        // From here on the spool's names are not needed; the published ones hold the bytes. The log stays: if the build
        // is not recorded like this, it is placed again with another ending.
        for file in &placement.files {
            failpoint::at("place.discarding");
            self.discard(file.transfer);
        }
        failpoint::at("place.done");
        Ok(Placed::Durable)
    }

    /// The log of a build whose slave was lost, as far as it came.
    pub(super) fn keep_log(&self, build: BuildId, remark: &str) -> io::Result<()> {
        let log = self.log_file(build);
        if log.try_exists()? {
            self.place_log(build, Some(remark))?;
            remove(&log);
        }
        Ok(())
    }

    fn place_log(&self, build: BuildId, remark: Option<&str>) -> io::Result<()> {
        let path = self.output.join(log_path(build));
        let dir = path.parent().unwrap_or(&self.output);
        make_dirs(&self.output, dir)?;
        let temporary = self.spool.join(format!("p{build}.gz"));
        let mut packed =
            flate2::write::GzEncoder::new(disk::create(&temporary)?, flate2::Compression::default());
        match File::open(self.log_file(build)) {
            Ok(mut log) => {
                io::copy(&mut log, &mut packed)?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        if let Some(remark) = remark {
            writeln!(packed, "\npiw-master: {remark}")?;
        }
        let file = packed.finish()?;
        failpoint::at("log.packed");
        make_public(&file)?;
        disk::sync(&file)?;
        failpoint::at("log.synced");
        disk::rename(&temporary, &path)?;
        failpoint::at("log.renamed");
        sync_dir(dir)
    }
}

/// How a file got its published name, or why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Linked {
    /// The name has these bytes.
    There,
    /// The name has other bytes.
    Taken,
    /// The spool has nothing, and these bytes are not published either.
    Missing,
}

/// A file of the spool, unless an earlier try has placed it.
fn spooled(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes a file of the spool what a published one is, but for its name, and begins its way to the disk.
fn make_ready(path: &Path) -> io::Result<()> {
    let Some(file) = spooled(path)? else { return Ok(()) };
    make_public(&file)?;
    // what has no row by then is swept a day after this moment, not after that of its last byte
    file.set_modified(SystemTime::now())?;
    begin_write_back(&file, 0, 0);
    Ok(())
}

fn make_durable(path: &Path) -> io::Result<()> {
    match spooled(path)? {
        Some(file) if !seeded::is("file-not-synced") => disk::sync(&file),
        _ => Ok(()),
    }
}

/// Gives a file of the spool, which is durable, its published name. Other bytes that have that name are replaced only when
/// nobody claims them.
fn link(from: &Path, to: &Path, sha256: &Sha256, unclaimed: bool) -> io::Result<Linked> {
    if !from.try_exists()? {
        if !has_digest(to, sha256)? {
            return Ok(Linked::Missing);
        }
        nofollow(to)?.set_modified(SystemTime::now())?;
        return Ok(Linked::There);
    }
    match disk::link(from, to) {
        Ok(()) => Ok(Linked::There),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if has_digest(to, sha256)? {
                nofollow(to)?.set_modified(SystemTime::now())?;
                return Ok(Linked::There);
            }
            if !unclaimed && !seeded::is("name-overwritten") {
                return Ok(Linked::Taken);
            }
            disk::rename(from, to)?;
            Ok(Linked::There)
        }
        Err(error) => Err(error),
    }
}

/// Whether a published name has the bytes of this digest: a file of that name alone may be anything.
fn has_digest(path: &Path, sha256: &Sha256) -> io::Result<bool> {
    let mut file = match nofollow(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        // a link, a directory: nothing that was placed
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => return Ok(false),
        Err(error) if error.raw_os_error() == Some(nix::libc::ELOOP) => return Ok(false),
        Err(error) => return Err(error),
    };
    let mut digest = sha2::Sha256::new();
    let mut piece = vec![0; 64 * 1024];
    loop {
        let read = file.read(&mut piece)?;
        if read == 0 {
            return Ok(Sha256(digest.finalize().into()) == *sha256);
        }
        digest.update(&piece[..read]);
    }
}

pub(super) fn nofollow(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let file = std::fs::OpenOptions::new().read(true).custom_flags(nix::libc::O_NOFOLLOW).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::ErrorKind::InvalidInput.into()) }
}

/// Makes a directory below `top` and what leads to it, each durable in its parent.
pub(crate) fn make_dirs(top: &Path, dir: &Path) -> io::Result<()> {
    make_dirs_in(top, dir)?.iter().try_for_each(|parent| sync_dir(parent))
}

/// The same, not durable yet: the directories that have got new names, which are to be synced.
pub(crate) fn make_dirs_in(top: &Path, dir: &Path) -> io::Result<Vec<PathBuf>> {
    if dir.is_dir() || dir == top {
        return Ok(Vec::new());
    }
    let parent = dir.parent().unwrap_or(top);
    let mut changed = make_dirs_in(top, parent)?;
    match disk::make_dir(dir) {
        Ok(()) => {
            // for the web server, whatever the umask
            std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755))?;
            if !seeded::is("new-directory-not-synced") {
                changed.push(parent.to_owned());
            }
            Ok(changed)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => Ok(changed),
        Err(error) => Err(error),
    }
}
