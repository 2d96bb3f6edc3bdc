//! Where pages stand: each beside a gzip twin, made durable and renamed over the old one. One whose bytes are the same is
//! left alone, so that its time and ETag stay, and those of the twin.

use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;

use crate::master::disk;
use crate::master::failpoint;
use crate::master::writer::{make_dirs, make_dirs_in};
use crate::seeded;

/// What a twin's name ends with, behind the page's.
pub const TWIN: &str = ".gz";

/// For the web server, whose account is another one.
const READABLE: u32 = 0o644;

/// Bytes compared, or written, at a time where a page is too large to be held.
const PIECE: usize = 64 << 10;

/// Files made durable one by one; more of them are left to the file system as a whole, which then takes one turn for all.
/// Few are not: what else is on its way to the disk may take long.
const SYNCED_ALONE: usize = 24;

/// The tree and the place beside it for what is not finished.
#[derive(Clone, Debug)]
pub(super) struct Store {
    pub(super) output: PathBuf,
    spool: PathBuf,
    /// What is in place is durable, too, so that what is the same may be left alone. Not so of what a scribe before this one
    /// left, nor after something went wrong.
    sure: Arc<AtomicBool>,
}

/// What is to become of pages that belong together; nothing of it is to be seen before [`Store::commit`].
#[derive(Debug, Default)]
pub(super) struct Staged {
    /// In the spool, and where they go.
    moves: Vec<(PathBuf, PathBuf)>,
    removals: Vec<PathBuf>,
    /// Directories that have got new ones for it.
    made: Vec<PathBuf>,
    /// Tells these files in the spool from those of others that are staged at the same time.
    mark: usize,
}

impl Staged {
    /// `mark` is another one for each that is staged at the same time.
    pub(super) fn new(mark: usize) -> Self {
        Self { mark, ..Self::default() }
    }

    /// Nothing is to become of it: what is in the spool goes.
    pub(super) fn drop_files(&self) {
        for (from, _) in &self.moves {
            let _ = disk::remove(from);
        }
    }

    /// Directories in which names change.
    fn dirs(&self) -> BTreeSet<&Path> {
        let changed = self.moves.iter().map(|(_, to)| to).chain(&self.removals);
        changed.filter_map(|path| path.parent()).chain(self.made.iter().map(PathBuf::as_path)).collect()
    }

    /// The names change, in an order that never shows a twin of what is gone, nor what is new beside what was removed for it.
    fn apply(&self) -> io::Result<()> {
        for (from, to) in &self.moves {
            disk::rename(from, to)?;
            failpoint::at("page.renamed");
        }
        for path in &self.removals {
            match disk::remove(path) {
                Err(error) if !is_missing(&error) => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

impl Store {
    /// `spool` is on the same file system as `output`.
    pub(super) fn new(output: PathBuf, spool: PathBuf) -> Self {
        Self { output, spool, sure: Arc::default() }
    }

    /// Writes these pages of one directory, each with its twin, into the spool: those that are not there already.
    pub(super) fn stage(&self, staged: &mut Staged, dir: &Path, pages: &[(&str, &[u8])]) -> io::Result<()> {
        self.try_stage(staged, dir, pages).inspect_err(|_| self.doubt())
    }

    fn try_stage(&self, staged: &mut Staged, dir: &Path, pages: &[(&str, &[u8])]) -> io::Result<()> {
        for (name, bytes) in pages {
            let (page, twin) = (dir.join(name), dir.join(format!("{name}{TWIN}")));
            // the twin goes before its page
            if !is_twin(&twin, bytes) {
                self.stage_file(staged, dir, twin, &compressed(bytes)?)?;
            }
            if !is_same(&page, bytes) {
                self.stage_file(staged, dir, page, bytes)?;
            }
        }
        Ok(())
    }

    fn stage_file(&self, staged: &mut Staged, dir: &Path, to: PathBuf, bytes: &[u8]) -> io::Result<()> {
        staged.made.extend(make_dirs_in(&self.output, dir)?);
        let temporary = self.spool.join(format!("p-{}-{}", staged.mark, staged.moves.len()));
        staged.moves.push((temporary.clone(), to));
        let file = disk::create(&temporary)?;
        disk::write_at(&file, bytes, 0)?;
        file.set_permissions(Permissions::from_mode(READABLE))
    }

    /// Pages that are to go, with their twins, where they are there.
    pub(super) fn stage_removal(&self, staged: &mut Staged, dir: &Path, pages: &[&str]) -> io::Result<()> {
        // the twin first: a page alone is a page, a twin alone would be served where it should be gone
        for page in pages.iter().flat_map(|name| [dir.join(format!("{name}{TWIN}")), dir.join(name)]) {
            match fs::symlink_metadata(&page) {
                Ok(_) => staged.removals.push(page),
                Err(error) if is_missing(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Has all of it take place, durably; what became of each. When one fails, each of its pages is the old one or the new
    /// one, whole, and the others are not concerned.
    pub(super) fn commit(&self, all: &[Staged]) -> Vec<io::Result<()>> {
        failpoint::at("page.staged");
        let few = all.iter().map(|staged| staged.moves.len()).sum::<usize>() <= SYNCED_ALONE;
        let sure = self.sure.swap(false, Ordering::Relaxed) || seeded::is("found-taken-for-durable");
        let alone = sure && few;
        let together = if alone { Ok(()) } else { self.sync_all() };
        let mut done: Vec<_> = all
            .iter()
            .map(|staged| {
                again(&together)?;
                if alone && !seeded::is("page-not-synced") {
                    staged.moves.iter().try_for_each(|(from, _)| disk::sync(&File::open(from)?))?;
                }
                failpoint::at("page.synced");
                staged.apply()
            })
            .zip(all)
            .map(|(done, staged): (io::Result<()>, &Staged)| done.inspect_err(|_| staged.drop_files()))
            .collect();
        let before = together.is_ok();
        let together = if alone { Ok(()) } else { self.sync_all() };
        for (done, staged) in done.iter_mut().zip(all) {
            if done.is_ok() {
                *done = again(&together).and_then(|()| {
                    let mut dirs = staged.dirs().into_iter().filter(|_| alone);
                    dirs.try_for_each(disk::sync_dir)
                });
            }
        }
        // of none at all, too: each may have failed before it came to this
        let all = before && together.is_ok() && done.iter().all(Result::is_ok);
        self.sure.store(all, Ordering::Relaxed);
        failpoint::at("page.done");
        done
    }

    /// Puts these pages of one directory in place at once.
    pub(super) fn put(&self, dir: &Path, pages: &[(&str, &[u8])]) -> io::Result<()> {
        let mut staged = Staged::default();
        self.stage(&mut staged, dir, pages)?;
        self.commit(&[staged]).into_iter().collect()
    }

    /// Removes these pages of one directory, and their twins, at once.
    pub(super) fn remove(&self, dir: &Path, pages: &[&str]) -> io::Result<()> {
        let mut staged = Staged::default();
        self.stage_removal(&mut staged, dir, pages)?;
        self.commit(&[staged]).into_iter().collect()
    }

    /// Something went wrong with what is in place: it may not be durable.
    pub(super) fn doubt(&self) {
        self.sure.store(false, Ordering::Relaxed);
    }

    fn sync_all(&self) -> io::Result<()> {
        disk::sync_all(&self.spool)
    }

    /// A page that is written piece by piece, because it is too large to be held.
    pub(super) fn begin(&self, name: &str) -> io::Result<Stream> {
        let temporary = |suffix: &str| self.spool.join(format!("p+{name}{suffix}"));
        let (page, twin) = (temporary(""), temporary(TWIN));
        let out = BufWriter::with_capacity(PIECE, disk::create(&page)?);
        let gzip =
            GzEncoder::new(BufWriter::with_capacity(PIECE, disk::create(&twin)?), Compression::default());
        Ok(Stream { name: name.to_owned(), page, twin, out, gzip })
    }

    /// Puts such pages in place, when all of them are on the disk.
    pub(super) fn end(&self, streams: Vec<Stream>, dir: &Path) -> io::Result<()> {
        let sure = self.sure.swap(false, Ordering::Relaxed);
        make_dirs(&self.output, dir)?;
        let mut ready = Vec::new();
        for Stream { name, page, twin, out, gzip } in streams {
            let twin_out = gzip.finish()?;
            for (temporary, out, name) in [(twin, twin_out, format!("{name}{TWIN}")), (page, out, name)] {
                let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
                let place = dir.join(name);
                if is_same_file(&temporary, &place)? {
                    disk::remove(&temporary)?;
                } else {
                    make_durable(&file)?;
                    ready.push((temporary, place));
                }
            }
        }
        move_all(ready, dir)?;
        if !sure {
            self.sync_all()?;
        }
        self.sure.store(true, Ordering::Relaxed);
        Ok(())
    }
}

/// A page that is being written.
pub(super) struct Stream {
    name: String,
    page: PathBuf,
    twin: PathBuf,
    out: BufWriter<File>,
    gzip: GzEncoder<BufWriter<File>>,
}

impl Stream {
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.gzip.write_all(bytes)
    }
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// What happened to all happened to each of them.
fn again(result: &io::Result<()>) -> io::Result<()> {
    result.as_ref().map(|_| ()).map_err(|error| io::Error::new(error.kind(), error.to_string()))
}

/// Over the old ones, durably.
fn move_all(ready: Vec<(PathBuf, PathBuf)>, dir: &Path) -> io::Result<()> {
    if ready.is_empty() {
        return Ok(());
    }
    failpoint::at("root.synced");
    for (temporary, page) in ready {
        disk::rename(&temporary, &page)?;
        failpoint::at("root.renamed");
    }
    disk::sync_dir(dir)
}

/// On the disk, and readable for the web server.
fn make_durable(file: &File) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(READABLE))?;
    disk::sync(file)
}

/// Without a name and a time inside: the same bytes for the same page.
fn compressed(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut gzip = GzEncoder::new(Vec::with_capacity(bytes.len() / 3), Compression::default());
    gzip.write_all(bytes)?;
    gzip.finish()
}

fn is_same(path: &Path, bytes: &[u8]) -> bool {
    there(path, bytes.len()).is_some_and(|old| old == bytes)
}

/// Whether the file is this page's twin: unpacking it, every byte of it, costs a fifth of packing the page for comparison.
fn is_twin(path: &Path, bytes: &[u8]) -> bool {
    // how long the page was that was packed stands at the end: most that changed are told apart by that
    let ends = |packed: &[u8]| {
        let length = packed.last_chunk().map(|end| u32::from_le_bytes(*end));
        length.is_some_and(|length| usize::try_from(length).is_ok_and(|length| length == bytes.len()))
    };
    // packing never adds more than this
    let most = bytes.len() + bytes.len() / 1000 + 64;
    let Some(packed) = there(path, most).filter(|packed| ends(packed)) else { return false };
    let mut plain = vec![0; bytes.len()];
    let mut gzip = GzDecoder::new(packed.as_slice());
    let unpacked = gzip.read_exact(&mut plain).is_ok() && plain == bytes;
    // nothing more in it, its sum is right, and nothing behind it
    unpacked && matches!(gzip.read(&mut [0]), Ok(0)) && gzip.into_inner().is_empty()
}

/// What a regular file of at most so many bytes holds. What is something else is not opened: it may block.
fn there(path: &Path, most: usize) -> Option<Vec<u8>> {
    let there = fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file)?;
    let length = usize::try_from(there.len()).ok().filter(|length| *length <= most)?;
    let mut bytes = vec![0; length];
    File::open(path).and_then(|mut file| file.read_exact(&mut bytes)).ok()?;
    Some(bytes)
}

fn is_same_file(one: &Path, other: &Path) -> io::Result<bool> {
    let length = |path: &Path| fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file).map(|m| m.len());
    if length(one) != length(other) {
        return Ok(false);
    }
    let open = |path: &Path| File::open(path).map(|file| BufReader::with_capacity(PIECE, file));
    let Ok(mut other) = open(other) else { return Ok(false) };
    let (mut one, mut here, mut there) = (open(one)?, vec![0; PIECE], vec![0; PIECE]);
    loop {
        let read = one.read(&mut here)?;
        if read == 0 {
            return Ok(true);
        }
        if other.read_exact(&mut there[..read]).is_err() || here[..read] != there[..read] {
            return Ok(false);
        }
    }
}
