//! The workbench: the one build that a slave has, from its start until nothing of it is left.
//!
//! ```text
//! empty ──start──► running ──over──► finishing ──finished──► kept ──discard──► clearing ──► empty
//!                     └──discard: killed──────────discard────────────────────────▲
//! ```

use std::fs::File;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use bytes::{Bytes, BytesMut};

use super::helper::{Helpers, Report};
use crate::domain::Millis;
use crate::slave::builder::{Build, Job, LOG_FILE, Progress, Settings, open_regular, tree};
use crate::slave::session::{Input, Outcome};
use crate::slave::trees;
use crate::wire::Blob;
use crate::wire::limits::LOG_BYTES;
use crate::wire::slave::BuiltFile;

#[derive(Debug)]
enum Place {
    Empty,
    Running(Box<Build>),
    /// A helper reads what the build has left.
    Finishing {
        dir: PathBuf,
        discard: bool,
    },
    Kept {
        dir: PathBuf,
        files: Vec<BuiltFile>,
    },
    /// A helper deletes what the build has left.
    Clearing,
}

/// See the module's head.
#[derive(Debug)]
pub(super) struct Bench {
    place: Place,
    /// The file that the file channel sends, open.
    served: Option<File>,
    /// Chunks pass through here; its memory is kept only while a file is sent.
    buffer: BytesMut,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self { place: Place::Empty, served: None, buffer: BytesMut::new() }
    }

    /// Starts a build; the length of its log so far.
    pub(super) fn start(&mut self, now: Millis, settings: &Settings, job: &Job) -> Result<u64, String> {
        debug_assert!(matches!(self.place, Place::Empty), "one build at a time");
        match Build::start(now, settings, job) {
            Ok(build) => {
                let log_bytes = build.log_bytes();
                self.place = Place::Running(Box::new(build));
                Ok(log_bytes)
            }
            Err(e) => {
                // so that what was made of its directory is discarded like any other
                self.place = Place::Kept { dir: settings.build_dir(job.build), files: Vec::new() };
                Err(e)
            }
        }
    }

    pub(super) fn pipe(&self) -> Option<BorrowedFd<'_>> {
        match &self.place {
            Place::Running(build) => build.pipe(),
            _ => None,
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Millis> {
        match &self.place {
            Place::Running(build) => Some(build.next_deadline()),
            _ => None,
        }
    }

    /// Moves what was printed into the log; the log's length.
    pub(super) fn read_output(&mut self, now: Millis) -> Option<u64> {
        let Place::Running(build) = &mut self.place else { return None };
        build.read(now);
        Some(build.log_bytes())
    }

    /// Takes note of children that have ended, and of the time.
    pub(super) fn tick(&mut self, now: Millis, helpers: &Helpers) -> Option<Input> {
        let Place::Running(build) = &mut self.place else {
            tree::reap(None);
            return None;
        };
        if tree::reap(Some(build.launcher())).is_some() {
            build.child_ended(now);
        }
        let progress = build.step(now);
        if progress == Progress::Going {
            return None;
        }
        let Place::Running(build) = std::mem::replace(&mut self.place, Place::Empty) else { return None };
        let dir = build.dir().to_owned();
        if let Progress::Cannot(reason) = progress {
            self.place = Place::Kept { dir, files: Vec::new() };
            return Some(Input::CannotBuild(reason));
        }
        if build.is_aborted() {
            self.clear(dir, helpers);
            return None;
        }
        let finish = build.finish(now);
        match helpers.work(move || Report::Finished(finish.run())) {
            Ok(()) => {
                self.place = Place::Finishing { dir, discard: false };
                None
            }
            Err(e) => {
                self.place = Place::Kept { dir, files: Vec::new() };
                Some(Input::Lost(format!("no thread to read it: {e}")))
            }
        }
    }

    /// A helper has read everything.
    pub(super) fn finished(&mut self, outcome: Outcome, helpers: &Helpers) -> Option<Input> {
        match std::mem::replace(&mut self.place, Place::Empty) {
            Place::Finishing { dir, discard: false } => {
                self.place = Place::Kept { dir, files: outcome.files.to_vec() };
                Some(Input::Ended(outcome))
            }
            Place::Finishing { dir, discard: true } => {
                self.clear(dir, helpers);
                None
            }
            other => {
                self.place = other;
                None
            }
        }
    }

    /// Kills the build, if it still runs; its end follows as usual.
    pub(super) fn cancel(&mut self, now: Millis) {
        if let Place::Running(build) = &mut self.place {
            build.cancel(now);
        }
    }

    /// Leaves nothing of the build; a report follows when it is so.
    pub(super) fn discard(&mut self, now: Millis, helpers: &Helpers) {
        self.stop_serving();
        match std::mem::replace(&mut self.place, Place::Empty) {
            Place::Running(mut build) => {
                build.abort(now);
                self.place = Place::Running(build);
            }
            Place::Finishing { dir, .. } => self.place = Place::Finishing { dir, discard: true },
            Place::Kept { dir, .. } => self.clear(dir, helpers),
            other @ (Place::Empty | Place::Clearing) => self.place = other,
        }
    }

    fn clear(&mut self, dir: PathBuf, helpers: &Helpers) {
        self.place = Place::Clearing;
        let remove = move || {
            if let Err(e) = trees::remove(&dir) {
                log::error!("{} cannot be removed: {e}", dir.display());
            }
            Report::Cleared
        };
        if let Err(e) = helpers.work(remove) {
            log::error!("no thread to remove a build's directory, it stays until the slave ends: {e}");
            helpers.report(Report::Cleared);
        }
    }

    /// A helper has deleted everything.
    pub(super) fn cleared(&mut self) {
        self.place = Place::Empty;
    }

    /// A piece of the build's log, at most what one LOG may carry.
    pub(super) fn log_piece(&self, offset: u64, length: usize) -> Result<Blob<LOG_BYTES>, String> {
        let dir = match &self.place {
            Place::Running(build) => build.dir(),
            Place::Finishing { dir, .. } | Place::Kept { dir, .. } => dir,
            Place::Empty | Place::Clearing => return Err("there is none".to_owned()),
        };
        let (file, _) = open_regular(&dir.join(LOG_FILE))?;
        let mut data = BytesMut::zeroed(length);
        file.read_exact_at(&mut data, offset).map_err(|e| e.to_string())?;
        Ok(Blob::new(data.freeze())?)
    }

    /// Opens a file of the build for the file channel; its size.
    pub(super) fn serve(&mut self, index: u16) -> Result<u64, String> {
        let Place::Kept { dir, files } = &self.place else { return Err("there is no such file".to_owned()) };
        let described = files.get(usize::from(index)).ok_or("there is no such file")?;
        let name = &*described.filename;
        let (file, size) = open_regular(&dir.join("out").join(name)).map_err(|e| format!("{name}: {e}"))?;
        if size != described.size {
            return Err(format!("{name} has changed: {size} bytes, not {}", described.size));
        }
        self.served = Some(file);
        Ok(size)
    }

    /// Whether a file is served.
    pub(super) fn serves(&self) -> bool {
        self.served.is_some()
    }

    /// Bytes of the file that is served.
    pub(super) fn chunk(&mut self, offset: u64, length: usize) -> Result<Bytes, String> {
        let file = self.served.as_ref().ok_or("no file is being sent")?;
        self.buffer.resize(length, 0);
        file.read_exact_at(&mut self.buffer, offset)
            .map_err(|e| format!("a built file cannot be read any more: {e}"))?;
        Ok(self.buffer.split().freeze())
    }

    pub(super) fn stop_serving(&mut self) {
        self.served = None;
        self.buffer = BytesMut::new();
    }
}
