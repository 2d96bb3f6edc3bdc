//! The file writer: the thread that touches the spool and the published files.
//!
//! In: [`DiskRequest`]s, in order. Out: [`DiskAnswer`]s. It knows paths, bytes and fsync; not slaves, not SQL.
//!
//! ```text
//!   <spool>/t<transfer>.whl        a file that is coming in, digested as it comes
//!   <spool>/t<transfer>.metadata   its METADATA, once checked
//!   <spool>/b<build>.log           a build's log, as it comes; until the build is recorded
//!   <output>/simple/<project>/<file>, <file>.metadata
//!   <output>/logs/dddd/dddd/dddd.txt.gz    by build number, 12 digits
//! ```
//!
//! Spool and output are on one file system, so that bringing into place is linking. A name that is taken by other
//! bytes is never overwritten: `link(2)` refuses, and so does this.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sha2::Digest;

use super::event::{Checked, DiskAnswer, DiskRequest, Expected, Placed, Placement, TransferId};
use crate::domain::{BuildId, Sha256};

mod directory;
mod metadata;
mod place;
pub mod spool;
#[cfg(test)]
mod tests;

pub use place::log_path;
pub(crate) use place::make_dirs;

/// What the thread keeps between requests.
#[derive(Debug)]
pub struct FileWriter {
    output: PathBuf,
    spool: PathBuf,
    transfers: HashMap<TransferId, Incoming>,
}

/// A file that is coming in.
#[derive(Debug)]
struct Incoming {
    file: File,
    size: u64,
    digest: sha2::Sha256,
    /// Bytes from the start that the digest covers; what comes out of order is read back at the check.
    digested: u64,
    failed: bool,
}

impl FileWriter {
    /// Writes under `output`, keeping what is unfinished in `spool`.
    pub fn new(output: PathBuf, spool: PathBuf) -> Self {
        Self { output, spool, transfers: HashMap::new() }
    }

    /// Does what is asked and answers where an answer is due.
    pub fn handle(&mut self, request: DiskRequest, answer: &mut dyn FnMut(DiskAnswer)) {
        match request {
            DiskRequest::Log(build, offset, data) => {
                if let Err(error) = self.log(build, offset, &data) {
                    log::error!("the log of build {build} loses {} bytes: {error}", data.len());
                }
                answer(DiskAnswer::LogWritten(build, data.len() as u64));
            }
            DiskRequest::DiscardLog(build) => remove(&self.log_file(build)),
            DiskRequest::Open(id, size) => {
                if let Err(error) = self.open(id, size) {
                    answer(DiskAnswer::TransferFailed(id, error.to_string()));
                }
            }
            DiskRequest::Write(id, offset, data) => {
                let length = data.len() as u64;
                match self.write(id, offset, &data) {
                    Ok(true) => answer(DiskAnswer::Written(id, offset, length)),
                    Ok(false) => {}
                    Err(error) => answer(DiskAnswer::TransferFailed(id, error.to_string())),
                }
            }
            DiskRequest::Check(id, expected) => match self.check(id, &expected) {
                Ok(checked) => answer(DiskAnswer::Checked(id, checked)),
                Err(error) => answer(DiskAnswer::TransferFailed(id, error.to_string())),
            },
            DiskRequest::Discard(id) => {
                self.transfers.remove(&id);
                remove(&self.transfer_file(id));
                remove(&self.metadata_file(id));
            }
            DiskRequest::Place(placement) => {
                let placed = self.place(&placement).unwrap_or_else(|error| Placed::Failed(error.to_string()));
                answer(DiskAnswer::Placed(placement.build, placed));
            }
        }
    }

    fn log_file(&self, build: BuildId) -> PathBuf {
        self.spool.join(format!("b{build}.log"))
    }

    fn transfer_file(&self, id: TransferId) -> PathBuf {
        self.spool.join(format!("t{}.whl", id.0))
    }

    fn metadata_file(&self, id: TransferId) -> PathBuf {
        self.spool.join(format!("t{}.metadata", id.0))
    }

    fn log(&self, build: BuildId, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(offset == 0).mode(0o644);
        options.open(self.log_file(build))?.write_all_at(data, offset)
    }

    fn open(&mut self, id: TransferId, size: u64) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true).mode(0o600);
        let file = options.open(self.transfer_file(id))?;
        let incoming = Incoming { file, size, digest: sha2::Sha256::new(), digested: 0, failed: false };
        self.transfers.insert(id, incoming);
        Ok(())
    }

    /// False when the transfer failed before and that was said.
    fn write(&mut self, id: TransferId, offset: u64, data: &[u8]) -> io::Result<bool> {
        let incoming = self.transfers.get_mut(&id).ok_or_else(unknown)?;
        if incoming.failed {
            return Ok(false);
        }
        if let Err(error) = incoming.file.write_all_at(data, offset) {
            incoming.failed = true;
            return Err(error);
        }
        if incoming.digested == offset {
            incoming.digest.update(data);
            incoming.digested += data.len() as u64;
        }
        Ok(true)
    }

    /// The last that is done with an open file: what comes after works by its path, and up to 64 files of a build may
    /// wait for that.
    fn check(&mut self, id: TransferId, expected: &Expected) -> io::Result<Checked> {
        let path = self.metadata_file(id);
        let mut incoming = self.transfers.remove(&id).ok_or_else(unknown)?;
        incoming.catch_up()?;
        let found = Sha256(incoming.digest.clone().finalize().into());
        if found != expected.sha256 || incoming.file.metadata()?.len() != expected.size {
            return Ok(Checked::WrongDigest { found });
        }
        let read = match metadata::read(&incoming.file, expected) {
            Ok(read) => read,
            Err(metadata::Unreadable::Io(error)) => return Err(error),
            Err(metadata::Unreadable::Bad(reason)) => return Ok(Checked::BadWheel(reason)),
        };
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(path)?;
        file.write_all(&read.bytes)?;
        let metadata_sha256 = Sha256::of(&read.bytes);
        Ok(Checked::Sound { requires_python: read.requires_python, metadata_sha256 })
    }
}

impl Incoming {
    /// Digests what came out of order, reading it back.
    fn catch_up(&mut self) -> io::Result<()> {
        if self.digested >= self.size {
            return Ok(());
        }
        self.file.seek(SeekFrom::Start(self.digested))?;
        let mut piece = vec![0; 64 * 1024];
        while self.digested < self.size {
            let read = self.file.read(&mut piece)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.digest.update(&piece[..read]);
            self.digested += read as u64;
        }
        Ok(())
    }
}

/// A transfer that was never begun, or that an error in this thread took along: it must not wait for an answer.
fn unknown() -> io::Error {
    io::Error::other("the transfer is unknown")
}

/// Removes a file that may not be there.
fn remove(path: &Path) {
    if let Err(error) = std::fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        log::warn!("cannot remove {}: {error}", path.display());
    }
}

/// Makes a file readable for the web server, whatever the umask.
fn make_public(file: &File) -> io::Result<()> {
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

/// Makes what a directory holds durable.
fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// What `handle` answers in place of a request that made it panic.
pub fn failed(request: &DiskRequest) -> Vec<DiskAnswer> {
    let reason = || "an error in the file writer; see the log".to_owned();
    match request {
        DiskRequest::Log(build, _, data) => vec![DiskAnswer::LogWritten(*build, data.len() as u64)],
        DiskRequest::Open(id, _) | DiskRequest::Write(id, ..) => {
            vec![DiskAnswer::TransferFailed(*id, reason())]
        }
        DiskRequest::Check(id, _) => {
            vec![DiskAnswer::Checked(*id, Checked::BadWheel("it cannot be read as a wheel".to_owned()))]
        }
        DiskRequest::Place(Placement { build, .. }) => {
            vec![DiskAnswer::Placed(*build, Placed::Failed(reason()))]
        }
        DiskRequest::Discard(_) | DiskRequest::DiscardLog(_) => Vec::new(),
    }
}
