//! Looks at the web tree. It only reads: who changes anything there is the master.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::io::{self, BufReader, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use sha2::Digest;

use super::compare::{Entry, Seen, What};
use super::links::{links, local};
use super::master::{Stop, Trouble};
use super::pace::Pace;
use super::pages::{self, PAGES};
use super::rows::Project;
use crate::domain::Sha256;
use crate::options::Failure;

/// What is younger may be on its way to a row.
pub(super) const YOUNG: Duration = Duration::from_secs(24 * 3600);
/// A page that is larger is not read.
const PAGE_BYTES: u64 = 64 << 20;
/// Bytes read at a time.
const PIECE: usize = 256 << 10;
/// Files of people's pages, beside each project.
const PEOPLE: [&str; 2] = ["index.html", "json/index.json"];

/// Which files are digested.
#[derive(Clone, Debug)]
pub(super) enum Digests {
    /// All that rows stand for.
    All,
    /// These paths below the tree, which looked wrong before.
    Of(HashSet<String>),
    /// Only those whose digest alone says whether they may be shown again.
    Withheld,
}

/// How much was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Projects.
    pub(super) projects: u64,
    /// Files, pages and directories.
    pub(super) files: u64,
    /// Bytes.
    pub(super) bytes: u64,
    /// Logs.
    pub(super) logs: u64,
}

/// The tree, and how fast it may be read.
#[derive(Debug)]
pub(super) struct Tree {
    output: PathBuf,
    pace: Pace,
    begin: Instant,
    stop: Stop,
    /// What was looked at so far.
    pub(super) counts: Counts,
}

impl Tree {
    /// At `output`.
    pub(super) fn new(output: PathBuf, pace: Pace, stop: Stop) -> Self {
        Self { output, pace, begin: Instant::now(), stop, counts: Counts::default() }
    }

    /// A path below it.
    pub(super) fn path(&self, below: &str) -> PathBuf {
        self.output.join(below)
    }

    fn spent(&mut self, bytes: u64, files: u64) -> Result<(), Trouble> {
        self.counts.bytes += bytes;
        self.counts.files += files;
        let rest = self.pace.spent(self.begin.elapsed(), bytes, files);
        self.stop.rest(rest)
    }

    /// Everything there is of a project.
    pub(super) fn look(&mut self, project: &Project, digests: &Digests) -> Result<Seen, Trouble> {
        let mut seen = Seen::default();
        let dir = format!("simple/{}", project.name);
        self.directory(&dir, &mut seen)?;
        self.digests(project, &dir, digests, &mut seen)?;
        for page in PAGES {
            let path = format!("{dir}/{page}");
            if let Some(text) = self.page(&path, &mut seen.twins)? {
                seen.pages.insert(page.to_owned(), text.and_then(|text| pages::read(page, &text)));
            }
        }
        for page in PEOPLE {
            let path = format!("project/{}/{page}", project.name);
            let Some(text) = self.page(&path, &mut seen.twins)? else { continue };
            let html = page == PEOPLE[0];
            seen.people |= html;
            match text {
                Ok(text) if html => {
                    self.broken(&path, &String::from_utf8_lossy(&text), &mut seen.broken)?;
                }
                Ok(_) => {}
                Err(reason) => seen.unreadable.push((path, reason)),
            }
        }
        Ok(seen)
    }

    fn directory(&mut self, dir: &str, seen: &mut Seen) -> Result<(), Trouble> {
        let path = self.path(dir);
        match std::fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_dir() => seen.old_directory = is_old(&metadata),
            Ok(_) => {
                seen.no_directory = true;
                return Ok(());
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(cannot(&path, &error)),
        }
        for entry in std::fs::read_dir(&path).map_err(|error| cannot(&path, &error))? {
            let entry = entry.map_err(|error| cannot(&path, &error))?;
            // what goes while this looks is gone
            let Ok(metadata) = entry.metadata() else { continue };
            self.spent(0, 1)?;
            match plain(entry.file_name()) {
                Ok(name) => drop(seen.entries.insert(name, self::entry(&metadata))),
                Err(name) if is_old(&metadata) => seen.odd.push(name),
                Err(_) => {}
            }
        }
        Ok(())
    }

    /// Digests what rows stand for, names of one file once.
    fn digests(
        &mut self,
        project: &Project,
        dir: &str,
        wanted: &Digests,
        seen: &mut Seen,
    ) -> Result<(), Trouble> {
        let mut known: HashMap<u64, Result<Sha256, String>> = HashMap::new();
        for row in &project.files {
            for name in [row.filename.clone(), format!("{}.metadata", row.filename)] {
                let Some(entry) = seen.entries.get_mut(&name) else { continue };
                let path = format!("{dir}/{name}");
                let is_wanted = match wanted {
                    Digests::All => true,
                    Digests::Of(paths) => paths.contains(&path) || row.withheld.is_some(),
                    Digests::Withheld => row.withheld.is_some(),
                };
                let wheel = name == row.filename;
                // its size says enough
                let other = wheel && entry.size != row.size;
                if !is_wanted || entry.what != What::File || other {
                    continue;
                }
                let path = self.path(&path);
                let inode = std::fs::symlink_metadata(&path).map(|metadata| metadata.ino()).ok();
                let digest = match inode.and_then(|inode| known.get(&inode)) {
                    Some(digest) => digest.clone(),
                    None => self.digest(&path)?,
                };
                if let Some(inode) = inode {
                    known.insert(inode, digest.clone());
                }
                entry.sha256 = Some(digest);
            }
        }
        Ok(())
    }

    /// The digest of a file's bytes, or why there is none.
    fn digest(&mut self, path: &Path) -> Result<Result<Sha256, String>, Trouble> {
        let mut file = match nofollow(path) {
            Ok(file) => file,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let mut digest = sha2::Sha256::new();
        let mut piece = vec![0; PIECE];
        loop {
            match file.read(&mut piece) {
                Ok(0) => break,
                Ok(read) => {
                    digest.update(&piece[..read]);
                    self.spent(read as u64, 0)?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Ok(Err(error.to_string())),
            }
        }
        // read once, by nobody soon: what the farm and its web server read stays in memory instead
        let _ = nix::fcntl::posix_fadvise(
            file.as_fd(),
            0,
            0,
            nix::fcntl::PosixFadviseAdvice::POSIX_FADV_DONTNEED,
        );
        Ok(Ok(Sha256(digest.finalize().into())))
    }

    /// A page's text, or why it cannot be read; none when there is no page. What is wrong with its twin goes to `twins`.
    fn page(
        &mut self,
        path: &str,
        twins: &mut BTreeMap<String, String>,
    ) -> Result<Option<Result<Vec<u8>, String>>, Trouble> {
        let place = self.path(path);
        let twin = PathBuf::from(format!("{}.gz", place.display()));
        let has_twin = std::fs::symlink_metadata(&twin).is_ok();
        let text = match read_page(&place) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound || is_no_directory(&error) => {
                if has_twin {
                    twins.insert(path.to_owned(), "it has no page".to_owned());
                }
                return Ok(None);
            }
            Err(error) => return Ok(Some(Err(error.to_string()))),
        };
        self.spent(text.len() as u64, 1)?;
        let wrong = if has_twin {
            match unpacked_is(&twin, &mut text.as_slice()) {
                Ok(true) => None,
                Ok(false) => Some("it is not what the page is".to_owned()),
                Err(error) => Some(error.to_string()),
            }
        } else {
            Some("it is not there".to_owned())
        };
        if let Some(wrong) = wrong {
            twins.insert(path.to_owned(), wrong);
        }
        Ok(Some(Ok(text)))
    }

    /// Links of a page into the parts of the tree that belong to projects, which lead nowhere.
    fn broken(&mut self, page: &str, html: &str, broken: &mut Vec<(String, String)>) -> Result<(), Trouble> {
        let mut asked = HashSet::new();
        for link in links(html) {
            let target = match local(page, &link.to) {
                Ok(Some(target)) => target,
                Ok(None) => continue,
                Err(()) => {
                    broken.push((page.to_owned(), link.to));
                    continue;
                }
            };
            let ours = ["simple/", "project/", "logs/"].iter().any(|part| target.starts_with(part));
            if !ours || !asked.insert(target.clone()) {
                continue;
            }
            self.spent(0, 1)?;
            if !self.leads_somewhere(&target) {
                broken.push((page.to_owned(), link.to));
            }
        }
        Ok(())
    }

    /// Whether a web server would find something there.
    pub(super) fn leads_somewhere(&self, target: &str) -> bool {
        let index = target.is_empty() || target.ends_with('/');
        let path = if index { self.path(&format!("{target}index.html")) } else { self.path(target) };
        path.is_file()
    }

    /// Names in a directory of the tree, each with whether it is a directory and whether it is older than a day; none where
    /// there is no such directory. Names that are no text are shown as well as can be.
    pub(super) fn names(&mut self, dir: &str, each: &mut Each<'_>) -> Result<(), Trouble> {
        let path = self.path(dir);
        let entries = match std::fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound || is_no_directory(&error) => return Ok(()),
            Err(error) => return Err(cannot(&path, &error)),
        };
        for entry in entries {
            let entry = entry.map_err(|error| cannot(&path, &error))?;
            let Ok(metadata) = entry.metadata() else { continue };
            self.spent(0, 1)?;
            let name = plain(entry.file_name());
            each(self, Name { name, directory: metadata.is_dir(), old: is_old(&metadata) })?;
        }
        Ok(())
    }
}

/// What [`Tree::names`] hands out names to.
pub(super) type Each<'a> = dyn FnMut(&mut Tree, Name) -> Result<(), Trouble> + 'a;

/// A name in a directory.
#[derive(Clone, Debug)]
pub(super) struct Name {
    /// The name; the error is one that is no text.
    pub(super) name: Result<String, String>,
    /// It is a directory.
    pub(super) directory: bool,
    /// It is older than a day.
    pub(super) old: bool,
}

/// A name as text that can be printed, and told to the master; the error is one that is none, as well as it can be shown.
fn plain(name: OsString) -> Result<String, String> {
    let name = name.into_string().map_err(|name| name.to_string_lossy().into_owned())?;
    if name.chars().any(char::is_control) { Err(name.escape_default().to_string()) } else { Ok(name) }
}

fn entry(metadata: &Metadata) -> Entry {
    let what = if metadata.is_file() {
        What::File
    } else if metadata.is_dir() {
        What::Directory
    } else {
        What::Other
    };
    Entry { what, size: metadata.len(), old: is_old(metadata), sha256: None }
}

/// A clock that went back makes nothing old.
fn is_old(metadata: &Metadata) -> bool {
    let age = metadata.modified().ok().and_then(|at| SystemTime::now().duration_since(at).ok());
    age.is_some_and(|age| age >= YOUNG)
}

fn is_no_directory(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotADirectory
}

fn nofollow(path: &Path) -> io::Result<File> {
    let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK;
    std::fs::OpenOptions::new().read(true).custom_flags(flags).open(path)
}

fn read_page(path: &Path) -> io::Result<Vec<u8>> {
    let file = nofollow(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut text = Vec::new();
    file.take(PAGE_BYTES + 1).read_to_end(&mut text)?;
    if text.len() as u64 > PAGE_BYTES {
        return Err(io::Error::other(format!("it has more than {PAGE_BYTES} bytes")));
    }
    Ok(text)
}

/// Whether a compressed file holds just these bytes.
pub(super) fn unpacked_is(twin: &Path, page: &mut dyn Read) -> io::Result<bool> {
    let mut twin = flate2::read::GzDecoder::new(BufReader::new(nofollow(twin)?));
    let mut page = BufReader::with_capacity(PIECE, page);
    let (mut here, mut there) = (vec![0; PIECE], vec![0; PIECE]);
    loop {
        let read = twin.read(&mut here)?;
        if read == 0 {
            return Ok(page.read(&mut there)? == 0);
        }
        match page.read_exact(&mut there[..read]) {
            Ok(()) if here[..read] == there[..read] => {}
            Ok(()) => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            Err(error) => return Err(error),
        }
    }
}

fn cannot(path: &Path, error: &io::Error) -> Trouble {
    let hint = if error.kind() == io::ErrorKind::PermissionDenied {
        "; run this as the account of piw-master"
    } else {
        ""
    };
    Trouble::Failed(Failure::error(format!("cannot read {}: {error}{hint}", path.display())))
}
