//! The root index and the home page: what they name, and their compressed twins.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use super::finding::{Cure, Finding, Kind};
use super::links::{links, local};
use super::master::{Master, Trouble};
use super::pages::PAGES;
use super::root::{Merge, html_names, json_names};
use super::tree::{Tree, unpacked_is};

/// The home page; larger, it is none.
const HOME: &str = "index.html";
const HOME_BYTES: u64 = 16 << 20;

/// Whether a file of this name belongs beside the projects' directories.
pub(super) fn is_root_page(name: &str) -> bool {
    PAGES.contains(&name.strip_suffix(".gz").unwrap_or(name))
}

/// What differs, and whether neither page was to be written.
pub(super) fn look(master: &mut Master, tree: &mut Tree) -> Result<(Vec<Finding>, bool), Trouble> {
    let before = master.root(None)?;
    let mut found = Vec::new();
    for page in PAGES {
        let path = format!("simple/{page}");
        let place = tree.path(&path);
        if !is_file(&place) {
            if !before.names.is_empty() {
                found.push(Finding::new(Kind::PageMissing, &path, "", Cure::Root));
            }
            if is_file(&twin_of(&place)) {
                found.push(Finding::new(Kind::PageTwin, format!("{path}.gz"), "it has no page", Cure::Root));
            }
            continue;
        }
        names(master, &path, &place, &mut found)?;
        twin(&path, &place, Cure::Root, &mut found);
    }
    home(tree, &mut found);
    tree.counts.files += 5;
    let quiet = !before.due && (found.is_empty() || !master.root(None)?.due);
    Ok((found, quiet))
}

fn names(master: &mut Master, path: &str, place: &Path, found: &mut Vec<Finding>) -> Result<(), Trouble> {
    let mut list = List { master, piece: Vec::new().into_iter(), after: None, more: true, next: None };
    list.advance()?;
    let mut merge = Merge::new(path);
    let mut last: Option<String> = None;
    let mut each = |name: &str| -> Result<(), Trouble> {
        // a name that comes too late finds the list gone past it
        if last.as_deref().is_none_or(|last| last < name) {
            while let Some(passed) = list.take_before(name)? {
                merge.passed(passed);
            }
            last = Some(name.to_owned());
        }
        let listed = list.take(name)?;
        merge.named(name, listed);
        Ok(())
    };
    let read = match File::open(place) {
        Ok(file) if path.ends_with(".html") => html_names(&mut BufReader::new(file), &mut each)?,
        Ok(file) => json_names(&mut BufReader::new(file), &mut each)?,
        Err(error) => Err(error.to_string()),
    };
    if let Err(reason) = read {
        found.push(Finding::new(Kind::Unreadable, path, reason, Cure::Root));
        return Ok(());
    }
    while let Some(passed) = list.take_next()? {
        merge.passed(passed);
    }
    found.extend(merge.findings());
    Ok(())
}

/// The names that the root index is to have, a piece in memory at a time.
struct List<'a> {
    master: &'a mut Master,
    piece: std::vec::IntoIter<String>,
    after: Option<String>,
    more: bool,
    next: Option<String>,
}

impl List<'_> {
    fn advance(&mut self) -> Result<(), Trouble> {
        loop {
            self.next = self.piece.next();
            if self.next.is_some() || !self.more {
                return Ok(());
            }
            let piece = self.master.root(self.after.as_deref())?;
            self.more = piece.next.is_some();
            self.after = piece.next;
            self.piece = piece.names.into_iter();
        }
    }

    fn take_next(&mut self) -> Result<Option<String>, Trouble> {
        let taken = self.next.take();
        if taken.is_some() {
            self.advance()?;
        }
        Ok(taken)
    }

    /// The next, if it comes before this name.
    fn take_before(&mut self, name: &str) -> Result<Option<String>, Trouble> {
        if self.next.as_deref().is_some_and(|next| next < name) { self.take_next() } else { Ok(None) }
    }

    /// Whether the next is this name; it is taken then.
    fn take(&mut self, name: &str) -> Result<bool, Trouble> {
        if self.next.as_deref() != Some(name) {
            return Ok(false);
        }
        self.take_next().map(|_| true)
    }
}

fn home(tree: &Tree, found: &mut Vec<Finding>) {
    let place = tree.path(HOME);
    if !is_file(&place) {
        return;
    }
    twin(HOME, &place, Cure::Home, found);
    let mut text = String::new();
    let read = File::open(&place).and_then(|file| file.take(HOME_BYTES).read_to_string(&mut text));
    if let Err(error) = read {
        found.push(Finding::new(Kind::Unreadable, HOME, error.to_string(), Cure::Home));
        return;
    }
    let ours = |target: &String| target.starts_with("project/") || target.starts_with("logs/");
    for link in links(&text) {
        let broken = match local(HOME, &link.to) {
            Ok(target) => target.filter(ours).is_some_and(|target| !tree.leads_somewhere(&target)),
            Err(()) => true,
        };
        if broken {
            let path = format!("{HOME}: {}", link.to);
            found.push(Finding::new(Kind::LinkBroken, path, "it leads nowhere", Cure::Home));
        }
    }
}

fn twin(path: &str, place: &Path, cure: Cure, found: &mut Vec<Finding>) {
    let twin = twin_of(place);
    let same = File::open(place).and_then(|mut page| unpacked_is(&twin, &mut page));
    let wrong = match same {
        Ok(true) => return,
        Ok(false) => "it is not what the page is".to_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => "it is not there".to_owned(),
        Err(error) => error.to_string(),
    };
    found.push(Finding::new(Kind::PageTwin, format!("{path}.gz"), wrong, cure));
}

fn twin_of(place: &Path) -> std::path::PathBuf {
    std::path::PathBuf::from(format!("{}.gz", place.display()))
}

fn is_file(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_root_index_and_its_twins_stand_beside_the_projects() {
        for name in ["index.html", "index.html.gz", "index.v1_json", "index.v1_json.gz"] {
            assert!(is_root_page(name), "{name}");
        }
        for name in ["index.htm", "index.html.gz.gz", "robots.txt", ".gz"] {
            assert!(!is_root_page(name), "{name}");
        }
    }
}
