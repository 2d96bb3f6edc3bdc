//! Where pages stand: each beside a gzip twin, made durable and renamed over the old one. One whose bytes are the same is
//! left alone, so that its time and ETag stay, and those of the twin.

use std::fs::{self, File, Permissions};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::master::writer::make_dirs;

/// What a twin's name ends with, behind the page's.
pub const TWIN: &str = ".gz";

/// Bytes compared, or written, at a time where a page is too large to be held.
const PIECE: usize = 64 << 10;

/// The tree and the place beside it for what is not finished.
#[derive(Clone, Debug)]
pub(super) struct Store {
    pub(super) output: PathBuf,
    spool: PathBuf,
}

impl Store {
    /// `spool` is on the same file system as `output`.
    pub(super) fn new(output: PathBuf, spool: PathBuf) -> Self {
        Self { output, spool }
    }

    /// Puts these pages of one directory in place, each with its twin. When it fails, each of them is the old one or the new
    /// one, whole.
    pub(super) fn put(&self, dir: &Path, pages: &[(&str, &[u8])]) -> io::Result<()> {
        let mut changed = Vec::new();
        for (name, bytes) in pages {
            let twin = format!("{name}{TWIN}");
            // the compressed one has no name and no time inside: the same bytes for the same page
            for (name, bytes) in [(twin, compressed(bytes)?), ((*name).to_owned(), bytes.to_vec())] {
                if !is_same(&dir.join(&name), &bytes) {
                    changed.push((name, bytes));
                }
            }
        }
        if !changed.is_empty() {
            make_dirs(&self.output, dir)?;
        }
        let mut ready = Vec::new();
        for (index, (name, bytes)) in changed.iter().enumerate() {
            let temporary = self.spool.join(format!("p-{index}"));
            let mut file = File::create(&temporary)?;
            file.write_all(bytes)?;
            make_durable(&file)?;
            ready.push((temporary, dir.join(name)));
        }
        move_all(ready, dir)
    }

    /// Removes pages that may not be there, with their twins, and the directory when nothing else is in it.
    pub(super) fn remove(&self, dir: &Path, pages: &[&str]) -> io::Result<()> {
        let mut removed = false;
        // the twin first: a page alone is a page, a twin alone would be served where it should be gone
        for name in pages.iter().flat_map(|name| [format!("{name}{TWIN}"), (*name).to_owned()]) {
            match fs::remove_file(dir.join(name)) {
                Ok(()) => removed = true,
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
                Err(error) => return Err(error),
            }
        }
        if removed { File::open(dir)?.sync_all() } else { Ok(()) }
    }

    /// A page that is written piece by piece, because it is too large to be held.
    pub(super) fn begin(&self, name: &str) -> io::Result<Stream> {
        let temporary = |suffix: &str| self.spool.join(format!("p+{name}{suffix}"));
        let (page, twin) = (temporary(""), temporary(TWIN));
        let out = BufWriter::with_capacity(PIECE, File::create(&page)?);
        let gzip =
            GzEncoder::new(BufWriter::with_capacity(PIECE, File::create(&twin)?), Compression::default());
        Ok(Stream { name: name.to_owned(), page, twin, out, gzip })
    }

    /// Puts such pages in place, when all of them are on the disk.
    pub(super) fn end(&self, streams: Vec<Stream>, dir: &Path) -> io::Result<()> {
        make_dirs(&self.output, dir)?;
        let mut ready = Vec::new();
        for Stream { name, page, twin, out, gzip } in streams {
            let twin_out = gzip.finish()?;
            for (temporary, out, name) in [(twin, twin_out, format!("{name}{TWIN}")), (page, out, name)] {
                let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
                let place = dir.join(name);
                if is_same_file(&temporary, &place)? {
                    fs::remove_file(&temporary)?;
                } else {
                    make_durable(&file)?;
                    ready.push((temporary, place));
                }
            }
        }
        move_all(ready, dir)
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

/// Over the old ones, durably.
fn move_all(ready: Vec<(PathBuf, PathBuf)>, dir: &Path) -> io::Result<()> {
    if ready.is_empty() {
        return Ok(());
    }
    for (temporary, page) in ready {
        fs::rename(temporary, page)?;
    }
    File::open(dir)?.sync_all()
}

/// On the disk, and readable for the web server.
fn make_durable(file: &File) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(0o644))?;
    file.sync_all()
}

fn compressed(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut gzip = GzEncoder::new(Vec::with_capacity(bytes.len() / 3), Compression::default());
    gzip.write_all(bytes)?;
    gzip.finish()
}

fn is_same(path: &Path, bytes: &[u8]) -> bool {
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    fs::symlink_metadata(path).is_ok_and(|there| there.is_file() && there.len() == length)
        && fs::read(path).is_ok_and(|old| old == bytes)
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
