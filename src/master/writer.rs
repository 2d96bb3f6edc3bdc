//! The file writer: the thread that touches the spool and the published files.
//!
//! In: [`DiskRequest`]s, in order. Out: [`DiskAnswer`]s. It knows paths, bytes and fsync; not slaves, not SQL.
//!
//! ```text
//!   <spool>/t<build>-<index>-<digest>.whl        a file that is coming in, digested as it comes
//!   <spool>/t<build>-<index>-<digest>.have       which bytes of it are there: for a master after this one
//!   <spool>/t<build>-<index>-<digest>.metadata   its METADATA, once checked
//!   <spool>/i<build>-<index>-<digest>.…          the same of a file that a tool brings: of no use to another master
//!   <spool>/b<build>.log           a build's log, as it comes; until the build is recorded
//!   <output>/simple/<project>/<file>, <file>.metadata
//!   <output>/logs/dddd/dddd/dddd.txt.gz    by build number, 12 digits
//! ```
//!
//! Spool and output are on one file system, so that bringing into place is linking. A name that is taken by other
//! bytes is never overwritten: `link(2)` refuses, and so does this.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use part::Incoming;

use super::event::{
    Checked, DiskAnswer, DiskRequest, Expected, Part, Placed, Placement, TransferId, Tree, WheelFacts,
};
use super::wheel_zip::Claim;
use super::{disk, failpoint, wheel_zip};
use crate::domain::ranges::RangeSet;
use crate::domain::{BuildId, Sha256};
use crate::seeded;

mod part;
mod place;
pub mod spool;
mod sweep;
#[cfg(test)]
mod tests;
mod unpack;

pub use crate::domain::log_path;
pub(crate) use place::{make_dirs, make_dirs_in};

/// What the thread keeps between requests.
#[derive(Debug)]
pub struct FileWriter {
    output: PathBuf,
    spool: PathBuf,
    transfers: HashMap<TransferId, Incoming>,
    /// What the files of each transfer are called in the spool, without their endings.
    stems: HashMap<TransferId, String>,
    /// What is in place is durable, too. Not so of what a writer before this one left, nor after something went wrong: a
    /// directory that is there may be one whose name is not on the disk yet.
    sure: bool,
}

impl FileWriter {
    /// Writes under `output`, keeping what is unfinished in `spool`.
    pub fn new(output: PathBuf, spool: PathBuf) -> Self {
        Self { output, spool, transfers: HashMap::new(), stems: HashMap::new(), sure: false }
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
            DiskRequest::KeepLog(build, remark) => {
                if let Err(error) = self.surely(|writer| writer.keep_log(build, &remark)) {
                    log::error!("the log of build {build}, as far as it came, cannot be kept: {error}");
                }
            }
            DiskRequest::DiscardLog(build) => remove(&self.log_file(build)),
            DiskRequest::RemoveLogs(builds) => {
                builds.iter().for_each(|build| remove(&self.output.join(log_path(*build))));
            }
            DiskRequest::Locate(tool) => answer(DiskAnswer::Located(tool, self.tree())),
            DiskRequest::Sweep(tool, project, names) => {
                let swept =
                    self.sweep(&project, &names).map_err(|error| format!("simple/{project}: {error}"));
                answer(DiskAnswer::Swept(tool, swept));
            }
            DiskRequest::Unpack(tool, wheel, sha256) => {
                let unpacked = self.unpack(&wheel, &sha256).map_err(|error| format!("{wheel}: {error}"));
                answer(DiskAnswer::Unpacked(tool, unpacked));
            }
            DiskRequest::Open(id, part) => answer(match self.open(id, &part) {
                Ok(have) => DiskAnswer::Opened(id, have),
                Err(error) => DiskAnswer::TransferFailed(id, error.to_string()),
            }),
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
            DiskRequest::Discard(id) => self.discard(id),
            DiskRequest::Place(placement) => {
                let placed = self.surely(|writer| writer.place(&placement));
                let placed = placed.unwrap_or_else(|error| Placed::Failed(error.to_string()));
                answer(DiskAnswer::Placed(placement.build, placed));
            }
        }
    }

    /// Brings something into place that counts as durable afterwards, with all that is found in place already.
    fn surely<T>(&mut self, bring: impl FnOnce(&mut Self) -> io::Result<T>) -> io::Result<T> {
        if !std::mem::replace(&mut self.sure, false) && !seeded::is("found-taken-for-durable") {
            disk::sync_all(&self.spool)?;
        }
        let brought = bring(self)?;
        self.sure = true;
        Ok(brought)
    }

    fn tree(&self) -> Tree {
        let absolute = |path: &Path| {
            let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
            path.display().to_string()
        };
        let (device, inode) = std::fs::metadata(&self.output).map_or((0, 0), |m| (m.dev(), m.ino()));
        Tree { output: absolute(&self.output), spool: absolute(&self.spool), device, inode }
    }

    fn log_file(&self, build: BuildId) -> PathBuf {
        self.spool.join(format!("b{build}.log"))
    }

    fn transfer_file(&self, id: TransferId) -> PathBuf {
        self.spool_file(id, "whl")
    }

    fn journal_file(&self, id: TransferId) -> PathBuf {
        self.spool_file(id, "have")
    }

    /// A file of a transfer; of one that is not known here any more, a name that no file has.
    fn spool_file(&self, id: TransferId, suffix: &str) -> PathBuf {
        let stem = self.stems.get(&id).map_or_else(|| format!("t{}-gone", id.0), Clone::clone);
        self.spool.join(format!("{stem}.{suffix}"))
    }

    fn metadata_file(&self, id: TransferId) -> PathBuf {
        self.spool_file(id, "metadata")
    }

    fn log(&self, build: BuildId, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(offset == 0).mode(0o644);
        let path = self.log_file(build);
        disk::creates(&path)?;
        disk::write_at(&options.open(path)?, data, offset)
    }

    fn open(&mut self, id: TransferId, part: &Part) -> io::Result<RangeSet> {
        let digest: String = part.sha256.to_string().chars().take(16).collect();
        let kind = if part.once { 'i' } else { 't' };
        self.stems.insert(id, format!("{kind}{}-{}-{digest}", part.build, part.index));
        let (incoming, have) = Incoming::open(&self.transfer_file(id), &self.journal_file(id), part.size)?;
        self.transfers.insert(id, incoming);
        Ok(have)
    }

    /// False when the transfer failed before and that was said.
    fn write(&mut self, id: TransferId, offset: u64, data: &[u8]) -> io::Result<bool> {
        let incoming = self.transfers.get_mut(&id).ok_or_else(unknown)?;
        if incoming.failed {
            return Ok(false);
        }
        let written = incoming.write(offset, data);
        incoming.failed = written.is_err();
        written.map(|()| true)
    }

    /// What the spool has of a transfer goes.
    fn discard(&mut self, id: TransferId) {
        self.transfers.remove(&id);
        remove(&self.transfer_file(id));
        remove(&self.metadata_file(id));
        remove(&self.journal_file(id));
        self.stems.remove(&id);
    }

    /// The last that is done with an open file: what comes after works by its path, and up to 64 files of a build may
    /// wait for that.
    fn check(&mut self, id: TransferId, expected: &Expected) -> io::Result<Checked> {
        let path = self.metadata_file(id);
        let mut incoming = self.transfers.remove(&id).ok_or_else(unknown)?;
        let found = incoming.finish()?;
        if (found != expected.sha256 && !seeded::is("digest-unchecked"))
            || incoming.file.metadata()?.len() != expected.size
        {
            return Ok(Checked::WrongDigest { found });
        }
        failpoint::at("check.digested");
        let claim = Claim {
            filename: &expected.filename,
            project: &expected.project,
            version: &expected.version,
            build: Some(expected.build_tag.as_deref()),
        };
        let read = match wheel_zip::read(&incoming.file, claim) {
            Ok(read) => read,
            Err(wheel_zip::Unreadable::Io(error)) => return Err(error),
            Err(wheel_zip::Unreadable::Bad(reason)) => return Ok(Checked::BadWheel(reason)),
        };
        disk::creates(&path)?;
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(path)?;
        disk::write_at(&file, &read.bytes, 0)?;
        failpoint::at("check.unpacked");
        let metadata_sha256 = Sha256::of(&read.bytes);
        Ok(Checked::Sound(WheelFacts {
            spelling: read.spelling,
            requires_python: read.requires_python,
            requires_dist: read.requires_dist,
            metadata_sha256,
        }))
    }
}

/// A transfer that was never begun, or that an error in this thread took along: it must not wait for an answer.
fn unknown() -> io::Error {
    io::Error::other("the transfer is unknown")
}

/// Removes a file that may not be there.
fn remove(path: &Path) {
    if let Err(error) = disk::remove(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        log::warn!("cannot remove {}: {error}", path.display());
    }
}

/// Makes a file readable for the web server, whatever the umask.
fn make_public(file: &File) -> io::Result<()> {
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
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
        DiskRequest::Locate(tool) => vec![DiskAnswer::Located(*tool, Tree::default())],
        DiskRequest::Unpack(tool, ..) => vec![DiskAnswer::Unpacked(*tool, Err(reason()))],
        DiskRequest::Sweep(tool, ..) => vec![DiskAnswer::Swept(*tool, Err(reason()))],
        DiskRequest::Discard(_)
        | DiskRequest::DiscardLog(_)
        | DiskRequest::KeepLog(..)
        | DiskRequest::RemoveLogs(_) => Vec::new(),
    }
}
