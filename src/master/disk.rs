//! What the file writer and the index scribe change on the disk, in one place: so that the simulator (`tests/simulation/`) sees
//! each change before it is made, and can refuse it, or have the machine lose its power just there.
//!
//! In the programs nobody looks on, and these are the calls of the standard library and nothing more.

use std::cell::RefCell;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// A change that is about to be made.
#[derive(Clone, Copy, Debug)]
pub enum Change<'a> {
    /// A file is created, or emptied.
    Create(&'a Path),
    /// Bytes are written at an offset.
    Write(&'a File, u64, &'a [u8]),
    /// A file's bytes are brought to stable storage.
    Sync(&'a File),
    /// A directory's names are.
    SyncDir(&'a Path),
    /// The whole file system is.
    SyncAll,
    /// A file gets a second name, which is free.
    Link(&'a Path, &'a Path),
    /// A file gets another name, which another file may have had.
    Rename(&'a Path, &'a Path),
    /// A name goes.
    Remove(&'a Path),
    /// A directory is made.
    MakeDir(&'a Path),
}

/// Is shown every change of its thread before it is made; an error takes the change's place.
pub type Witness = dyn FnMut(Change<'_>) -> io::Result<()>;

thread_local! {
    static WITNESS: RefCell<Option<Box<Witness>>> = const { RefCell::new(None) };
}

/// Has somebody look on at what this thread changes, or nobody any more. What is to be on stable storage is then the
/// witness's word: the system is not asked.
pub fn watch(witness: Option<Box<Witness>>) {
    WITNESS.set(witness);
}

/// True when somebody looked on.
fn show(change: Change<'_>) -> io::Result<bool> {
    WITNESS.with_borrow_mut(|witness| match witness {
        None => Ok(false),
        Some(witness) => witness(change).map(|()| true),
    })
}

/// Shows that a file will be created, or emptied: its maker has options of its own.
pub(super) fn creates(path: &Path) -> io::Result<()> {
    show(Change::Create(path)).map(|_| ())
}

pub(super) fn create(path: &Path) -> io::Result<File> {
    creates(path)?;
    File::create(path)
}

pub(super) fn write_at(file: &File, data: &[u8], offset: u64) -> io::Result<()> {
    show(Change::Write(file, offset, data))?;
    file.write_all_at(data, offset)
}

pub(super) fn sync(file: &File) -> io::Result<()> {
    if show(Change::Sync(file))? { Ok(()) } else { file.sync_all() }
}

/// Makes what a directory holds durable.
pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    if show(Change::SyncDir(dir))? { Ok(()) } else { File::open(dir)?.sync_all() }
}

/// Makes everything durable on the file system that this directory is on.
pub(super) fn sync_all(dir: &Path) -> io::Result<()> {
    if show(Change::SyncAll)? { Ok(()) } else { Ok(nix::unistd::syncfs(File::open(dir)?)?) }
}

pub(super) fn link(from: &Path, to: &Path) -> io::Result<()> {
    show(Change::Link(from, to))?;
    fs::hard_link(from, to)
}

pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    show(Change::Rename(from, to))?;
    fs::rename(from, to)
}

pub(super) fn remove(path: &Path) -> io::Result<()> {
    show(Change::Remove(path))?;
    fs::remove_file(path)
}

pub(super) fn make_dir(path: &Path) -> io::Result<()> {
    show(Change::MakeDir(path))?;
    fs::create_dir(path)
}
