//! A disk that loses what was not brought to it: a real directory, in which the real file writer and index scribe work, and
//! beside it what of it would be there after the power was cut.
//!
//! A file's bytes are durable as of its last fsync, a directory's names as of its own; of what came since, any part may have
//! reached the disk. That is harsher than the usual file systems, which keep names in order, and as harsh as POSIX lets one be.
//! Changes are seen through `master::disk`, which shows them before they are made: so one can be refused (no space, a write
//! cut short), or be where the machine stops. Names outside the two directories of the master are touched by nobody.

use std::cell::RefCell;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use piwheels::domain::Sha256;
use piwheels::master::disk::{self, Change};
use piwheels::master::event::Placement;

use super::dice::Dice;

/// Files held open, at which those that are gone are let go.
const HANDLES: usize = 300;

/// No file here is as large: not what slaves may send, nor a page.
const LARGEST: u64 = 8 << 20;

/// What is thrown where the machine, or the master on it, stops in the middle of a change.
struct Stopped;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Node {
    File(u64),
    Dir,
}

/// What of the disk is safe.
#[derive(Default)]
struct Safe {
    /// By directory, below the top.
    names: BTreeMap<PathBuf, BTreeMap<String, Node>>,
    /// By inode; the handle keeps its number from being another's.
    bytes: BTreeMap<u64, (File, Vec<u8>)>,
}

/// What goes wrong with the disk.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Trouble {
    /// There is no space until then.
    pub(crate) full_until: u64,
    /// Changes until the one at which everything stops, if that is to be.
    pub(crate) stop_in: Option<u32>,
    /// It stops where names below the output directory are there, and are to be brought to the disk.
    pub(crate) stop_when_named: bool,
}

struct State {
    top: PathBuf,
    safe: Safe,
    trouble: Trouble,
    clock: u64,
    dice: Dice,
    /// Somebody touched what is not the master's.
    strays: Vec<String>,
}

/// See the module's head.
#[derive(Clone)]
pub(crate) struct Disk {
    state: Rc<RefCell<State>>,
    pub(crate) output: PathBuf,
    pub(crate) spool: PathBuf,
}

impl Disk {
    /// An empty disk in this directory, which is durable itself. Looks on at what this thread changes from now on.
    pub(crate) fn new(top: &Path, dice: Dice) -> Self {
        let (output, spool) = (top.join("www"), top.join("spool"));
        for dir in [&output, &spool] {
            fs::create_dir(dir).expect("a directory of the simulator's own");
        }
        fs::write(top.join("canary"), "sings").expect("a file of the simulator's own");
        let mut safe = Safe::default();
        let tops = ["www", "spool"].map(|name| (name.to_owned(), Node::Dir));
        safe.names.insert(PathBuf::new(), tops.into());
        let state = State {
            top: top.to_owned(),
            safe,
            trouble: Trouble::default(),
            clock: 0,
            dice,
            strays: Vec::new(),
        };
        let this = Self { state: Rc::new(RefCell::new(state)), output, spool };
        let state = Rc::downgrade(&this.state);
        disk::watch(Some(Box::new(move |change| match state.upgrade() {
            Some(state) => state.borrow_mut().seen(change),
            None => Ok(()),
        })));
        this
    }

    /// Lets somebody work on the disk; `None` where everything stops in the middle of it.
    pub(crate) fn work<T>(&self, clock: u64, work: impl FnOnce() -> T) -> Option<T> {
        self.state.borrow_mut().clock = clock;
        match catch_unwind(AssertUnwindSafe(work)) {
            Ok(done) => Some(done),
            Err(thrown) if thrown.is::<Stopped>() => None,
            Err(thrown) => resume_unwind(thrown),
        }
    }

    pub(crate) fn trouble(&self, change: impl FnOnce(&mut Trouble)) {
        change(&mut self.state.borrow_mut().trouble);
    }

    /// What was to be changed, and is not to be.
    pub(crate) fn stray(&self) -> Option<String> {
        self.state.borrow().strays.first().cloned()
    }

    /// Who touched what is not the master's.
    pub(crate) fn strays(&self) -> Option<String> {
        let state = self.state.borrow();
        if let Some(stray) = state.strays.first() {
            return Some(stray.clone());
        }
        let mut names: Vec<_> = fs::read_dir(&state.top).ok()?.flatten().map(|e| e.file_name()).collect();
        names.sort();
        if names != ["canary", "spool", "www"] {
            return Some(format!("beside the output directory there is {names:?}"));
        }
        let canary = fs::read_to_string(state.top.join("canary")).unwrap_or_default();
        (canary != "sings").then(|| "a file outside was written to".to_owned())
    }

    /// The names of a placement that are taken by what may be somebody's: only those that nobody claims may get other bytes.
    pub(crate) fn taken(&self, placement: &Placement) -> Vec<(PathBuf, Sha256)> {
        let dir = self.output.join("simple").join(placement.project.as_str());
        let names = placement.files.iter().map(|file| &file.filename);
        let claimed = names.filter(|name| !placement.unclaimed.contains(name));
        claimed.filter_map(|name| Some((dir.join(name), self.digest(&dir.join(name))?))).collect()
    }

    /// What a file holds now.
    pub(crate) fn digest(&self, path: &Path) -> Option<Sha256> {
        fs::read(path).ok().map(|bytes| Sha256::of(&bytes))
    }

    /// What a file would hold after a power cut, where its name and every directory above it would be there.
    pub(crate) fn safe_digest(&self, path: &Path) -> Option<Sha256> {
        let state = self.state.borrow();
        let below = path.strip_prefix(&state.top).ok()?;
        let mut dir = PathBuf::new();
        let mut parts = below.iter().peekable();
        while let Some(part) = parts.next() {
            let node = *state.safe.names.get(&dir)?.get(part.to_str()?)?;
            match (node, parts.peek()) {
                (Node::Dir, Some(_)) => dir.push(part),
                (Node::File(inode), None) => return Some(Sha256::of(&state.safe.bytes.get(&inode)?.1)),
                _ => return None,
            }
        }
        None
    }

    /// The power is cut: what was not safe is there, or as it was, or broken.
    pub(crate) fn cut_power(&self) {
        self.state.borrow_mut().cut_power();
    }
}

impl State {
    fn below(&self, path: &Path) -> Option<PathBuf> {
        path.strip_prefix(&self.top).ok().map(Path::to_owned)
    }

    fn check_place(&mut self, path: &Path) {
        let sound = self.below(path).is_some_and(|below| {
            let mut parts = below.components();
            parts.all(|part| matches!(part, std::path::Component::Normal(_)))
                && (below.starts_with("www") || below.starts_with("spool"))
        });
        if !sound {
            self.strays.push(format!("{} was to be changed", path.display()));
        }
    }

    fn seen(&mut self, change: Change<'_>) -> io::Result<()> {
        if let Some(left) = &mut self.trouble.stop_in {
            if *left == 0 {
                self.trouble.stop_in = None;
                self.half_done(change);
                resume_unwind(Box::new(Stopped));
            }
            *left -= 1;
        }
        let named = match change {
            Change::SyncDir(path) => self.below(path).is_some_and(|below| below.starts_with("www")),
            Change::SyncAll => true,
            _ => false,
        };
        if self.trouble.stop_when_named && named {
            self.trouble.stop_when_named = false;
            resume_unwind(Box::new(Stopped));
        }
        match change {
            Change::Create(path) | Change::Remove(path) | Change::MakeDir(path) | Change::SyncDir(path) => {
                self.check_place(path);
            }
            Change::Link(from, to) | Change::Rename(from, to) => {
                self.check_place(from);
                self.check_place(to);
            }
            Change::Write(_, offset, data) if offset.saturating_add(data.len() as u64) > LARGEST => {
                self.strays.push(format!("{} bytes were to be written at {offset}", data.len()));
                return Err(io::Error::from(io::ErrorKind::FileTooLarge));
            }
            Change::Write(..) | Change::Sync(_) | Change::SyncAll => {}
        }
        let needs_space = !matches!(change, Change::Remove(_));
        if needs_space && self.clock < self.trouble.full_until && !self.dice.once_in(3) {
            self.half_done(change);
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        match change {
            Change::Sync(file) => self.sync(file),
            Change::SyncDir(path) => self.sync_dir(path),
            Change::SyncAll => self.sync_all(),
            _ => Ok(()),
        }
    }

    /// Of a write that does not come to its end some bytes may be there.
    fn half_done(&mut self, change: Change<'_>) {
        if let Change::Write(file, offset, data) = change {
            let written = self.dice.below(data.len() as u64 + 1) as usize;
            let _ = file.write_all_at(&data[..written], offset);
        }
    }

    fn sync(&mut self, file: &File) -> io::Result<()> {
        let metadata = file.metadata()?;
        let mut bytes = vec![0; metadata.len() as usize];
        file_for_reading(file)?.read_exact_at(&mut bytes, 0)?;
        self.safe.bytes.insert(metadata.ino(), (file.try_clone()?, bytes));
        Ok(())
    }

    fn sync_dir(&mut self, path: &Path) -> io::Result<()> {
        let Some(below) = self.below(path) else { return Ok(()) };
        let names = self.names(path)?;
        self.safe.names.insert(below, names);
        if self.safe.bytes.len() > HANDLES {
            self.forget_removed();
        }
        Ok(())
    }

    /// Lets go of files that have no name any more, now or after a power cut.
    fn forget_removed(&mut self) {
        let named: BTreeSet<Node> =
            self.safe.names.values().flat_map(|names| names.values().copied()).collect();
        self.safe.bytes.retain(|inode, (file, _)| {
            named.contains(&Node::File(*inode)) || file.metadata().is_ok_and(|metadata| metadata.nlink() > 0)
        });
    }

    fn sync_all(&mut self) -> io::Result<()> {
        for dir in ["www", "spool"].map(|name| self.top.join(name)) {
            for dir in dirs(&dir)? {
                for entry in fs::read_dir(&dir)? {
                    let entry = entry?;
                    if entry.file_type()?.is_file() {
                        self.sync(&File::open(entry.path())?)?;
                    }
                }
                self.sync_dir(&dir)?;
            }
        }
        Ok(())
    }

    /// What a directory holds now. A file that is new gets a handle kept, so that its number stays its own.
    fn names(&mut self, dir: &Path) -> io::Result<BTreeMap<String, Node>> {
        let mut names = BTreeMap::new();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let metadata = entry.metadata()?;
            if metadata.is_dir() {
                names.insert(name, Node::Dir);
            } else {
                let inode = metadata.ino();
                if let Entry::Vacant(vacant) = self.safe.bytes.entry(inode) {
                    vacant.insert((File::open(entry.path())?, Vec::new()));
                }
                names.insert(name, Node::File(inode));
            }
        }
        Ok(names)
    }

    fn cut_power(&mut self) {
        let mut after: BTreeMap<PathBuf, BTreeMap<String, Node>> = BTreeMap::new();
        let mut bytes: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
        let mut todo = vec![PathBuf::new()];
        while let Some(dir) = todo.pop() {
            let now = if dir.as_os_str().is_empty() {
                ["www", "spool"].map(|name| (name.to_owned(), Node::Dir)).into()
            } else {
                self.names(&self.top.join(&dir)).unwrap_or_default()
            };
            let safe = self.safe.names.get(&dir).cloned().unwrap_or_default();
            let all: BTreeSet<&String> = now.keys().chain(safe.keys()).collect();
            let mut names = BTreeMap::new();
            for name in all {
                let (now, safe) = (now.get(name), safe.get(name));
                let kept = if now == safe || self.dice.once_in(2) { safe } else { now };
                let Some(node) = kept.copied() else { continue };
                names.insert(name.clone(), node);
                match node {
                    Node::Dir => todo.push(dir.join(name)),
                    Node::File(inode) => {
                        bytes.entry(inode).or_insert_with(|| after_cut(&self.safe, inode, &mut self.dice));
                    }
                }
            }
            after.insert(dir, names);
        }
        self.rebuild(&after, &bytes).expect("the simulator's own directory");
    }

    /// Makes the directory what the disk has, all of which is safe then.
    fn rebuild(
        &mut self,
        after: &BTreeMap<PathBuf, BTreeMap<String, Node>>,
        bytes: &BTreeMap<u64, Vec<u8>>,
    ) -> io::Result<()> {
        for dir in ["www", "spool"] {
            fs::remove_dir_all(self.top.join(dir))?;
        }
        self.safe = Safe::default();
        let mut made: BTreeMap<u64, PathBuf> = BTreeMap::new();
        // a directory comes before what is in it
        for (dir, names) in after {
            let dir = self.top.join(dir);
            for (name, node) in names {
                let path = dir.join(name);
                match node {
                    Node::Dir => {
                        fs::create_dir(&path)?;
                        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
                    }
                    Node::File(inode) => match made.get(inode) {
                        Some(other) => fs::hard_link(other, &path)?,
                        None => {
                            fs::write(&path, &bytes[inode])?;
                            made.insert(*inode, path);
                        }
                    },
                }
            }
        }
        let tops = ["www", "spool"].map(|name| (name.to_owned(), Node::Dir));
        self.safe.names.insert(PathBuf::new(), tops.into());
        self.sync_all()
    }
}

/// The bytes of a file after a power cut: those that are safe, those of now, or some of them and nothing where the rest was.
fn after_cut(safe: &Safe, inode: u64, dice: &mut Dice) -> Vec<u8> {
    let Some((file, old)) = safe.bytes.get(&inode) else { return Vec::new() };
    let mut now = Vec::new();
    let read = file_for_reading(file).and_then(|mut file| {
        io::Seek::rewind(&mut file)?;
        file.read_to_end(&mut now)
    });
    if read.is_err() || now == *old {
        return old.clone();
    }
    match dice.below(4) {
        0 => old.clone(),
        1 => now,
        2 => {
            now.truncate(dice.below(now.len() as u64 + 1) as usize);
            now
        }
        _ => {
            let hole = dice.below(now.len() as u64 + 1) as usize;
            let end = now.len().min(hole + 4096);
            now[hole.min(end)..end].fill(0);
            now
        }
    }
}

/// The same file, opened to be read: a handle may be for writing only.
fn file_for_reading(file: &File) -> io::Result<File> {
    use std::os::fd::AsRawFd;
    File::open(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

/// This directory and all below it.
fn dirs(top: &Path) -> io::Result<Vec<PathBuf>> {
    let mut all = vec![top.to_owned()];
    let mut at = 0;
    while at < all.len() {
        for entry in fs::read_dir(&all[at])? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                all.push(entry.path());
            }
        }
        at += 1;
    }
    Ok(all)
}
