//! METADATA beside a published wheel, made again: only with the bytes that its row names.

use std::io;
use std::path::Path;

use super::place::nofollow;
use super::{FileWriter, make_public, wheel_zip};
use crate::domain::{Sha256, Version, WheelName};
use crate::master::disk;

impl FileWriter {
    /// Takes METADATA out of the wheel and puts it beside it, in one step and durably.
    pub(super) fn unpack(&self, wheel: &WheelName, sha256: &Sha256) -> io::Result<()> {
        let dir = self.output.join("simple").join(wheel.project.as_str());
        let version = Version::parse(&wheel.version.replace('_', "-")).map_err(io::Error::other)?;
        let claim = wheel_zip::Claim {
            filename: wheel.as_str(),
            project: &wheel.project,
            version: &version,
            // that is settled since it was published
            build: None,
        };
        let read =
            wheel_zip::read(&nofollow(&dir.join(wheel.as_str()))?, claim).map_err(|why| match why {
                wheel_zip::Unreadable::Io(error) => error,
                wheel_zip::Unreadable::Bad(reason) => io::Error::other(reason),
            })?;
        if Sha256::of(&read.bytes) != *sha256 {
            return Err(io::Error::other("its METADATA is not that of its row"));
        }
        let temporary = self.spool.join("p+metadata");
        let file = disk::create(&temporary)?;
        disk::write_at(&file, &read.bytes, 0)?;
        make_public(&file)?;
        disk::sync(&file)?;
        let beside: &Path = &dir.join(format!("{wheel}.metadata"));
        disk::rename(&temporary, beside)?;
        disk::sync_dir(&dir)
    }
}
