//! The index scribe: the thread that writes the pages of the site (manual 2.4.9, 8.14; PEPs 503 and 691).
//!
//! In: [`PageRequest`]s with the rows they are made from. Out: [`PageAnswer`]s. It knows templates and files; not
//! slaves, not SQL. A page is written beside the tree, made durable and renamed over the old one; one whose bytes are
//! the same is left alone, so that its time and ETag stay. Whatever goes wrong, the old page stays, and what was asked for
//! is answered with the reason.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use super::disk;
use super::event::{PageAnswer, PageRequest};
use super::failpoint;
use super::hub::PublicSlave;
use super::query::{HomeRows, ProjectRows, Rewrite, RewriteOrder};
use crate::domain::{ProjectName, log_path};
use crate::seeded;

mod aliases;
mod assets;
mod chart;
mod facts;
mod frame;
mod home;
mod outcome;
mod page;
mod project_json;
mod project_page;
mod root;
mod search;
mod simple;
mod sitemap;
mod states;
mod store;
mod words;

pub use frame::{STANDARD_NAME, Site};
pub use page::Templates;
pub use simple::{HTML, JSON};
pub use store::TWIN;

use root::Root;
use store::{Staged, Store};

/// What the thread keeps between requests.
pub struct IndexScribe {
    store: Store,
    templates: Templates,
    /// The root index, while it is being written; or why it cannot be.
    root: Option<io::Result<Root>>,
    /// The slaves that the page of slaves shows: the home page counts them.
    slaves: Option<Vec<PublicSlave>>,
}

impl IndexScribe {
    /// Writes under `output`, keeping what is unfinished in `spool`, which is on the same file system.
    pub fn new(output: PathBuf, spool: PathBuf, site: Site) -> Self {
        Self { store: Store::new(output, spool), templates: Templates::new(site), root: None, slaves: None }
    }

    /// Does what is asked and answers where an answer is due.
    pub fn handle(&mut self, request: PageRequest, answer: &mut dyn FnMut(PageAnswer)) {
        match request {
            PageRequest::Projects(projects) => {
                for (order, written) in self.projects(projects) {
                    answer(PageAnswer::Written(order, written.map_err(|e| e.to_string())));
                }
            }
            PageRequest::Home(order, rows) => {
                let written = self.home(&rows);
                answer(PageAnswer::Written(order, written.map_err(|e| e.to_string())));
            }
            PageRequest::RootBegin => self.root = Some(Root::begin(&self.store, &self.templates)),
            PageRequest::RootNames(names) => {
                if let Some(Ok(root)) = &mut self.root
                    && let Err(error) = root.names(&self.templates, &names)
                {
                    self.root = Some(Err(error));
                }
                answer(PageAnswer::RootReady);
            }
            PageRequest::RootEnd(order) => {
                let written = match self.root.take() {
                    Some(Ok(root)) => root.end(&self.store),
                    Some(Err(error)) => Err(error),
                    None => Err(io::Error::other("it was not begun")),
                };
                answer(PageAnswer::Written(order, written.map_err(|e| e.to_string())));
            }
            PageRequest::Slaves(slaves) => {
                let text = self.templates.slaves(&slaves).map_err(io::Error::other);
                let dir = self.store.output.join("slaves");
                let written = text.and_then(|text| self.store.put(&dir, &[(HTML, text.as_bytes())]));
                self.slaves = Some(slaves);
                answer(PageAnswer::SlavesWritten(written.map_err(|e| e.to_string())));
            }
        }
    }

    fn home(&self, rows: &HomeRows) -> io::Result<()> {
        assets::furnish(&self.store, &self.templates)?;
        // a build that printed nothing has no log
        let has_log = |build| self.store.output.join(log_path(build)).is_file();
        let text = self.templates.home(rows, self.slaves.as_deref(), has_log).map_err(io::Error::other)?;
        self.store.put(&self.store.output, &[(HTML, text.as_bytes())])
    }

    /// Names that a page is to name come before it, what it names no more goes after it. What goes wrong with one project's
    /// pages, be it an error in the scribe, is no matter of the others'.
    fn projects(&self, projects: Vec<(ProjectName, Rewrite)>) -> Vec<(RewriteOrder, io::Result<()>)> {
        let mut failed = Vec::new();
        let (mut ready, mut staged) = (Vec::new(), Vec::new());
        for (mark, (project, rewrite)) in projects.into_iter().enumerate() {
            if seeded::is("file-removed-before-page") {
                let _ = self.clear(&project, &rewrite.rows);
            }
            match guarded(|| self.stage(&project, &rewrite.rows, mark)) {
                Ok(pages) => {
                    ready.push((project, rewrite));
                    staged.push(pages);
                }
                Err(error) => failed.push((rewrite.order, Err(error))),
            }
        }
        let written = self.store.commit(&staged);
        let ready = ready.into_iter().zip(written).map(|((project, rewrite), written)| {
            let written = written.and_then(|()| guarded(|| self.clear(&project, &rewrite.rows)));
            let written = written.inspect_err(|_| self.store.doubt());
            (rewrite.order, written)
        });
        failed.into_iter().chain(ready).collect()
    }

    fn stage(&self, project: &ProjectName, rows: &ProjectRows, mark: usize) -> io::Result<Staged> {
        let dir = self.store.output.join("simple").join(project.as_str());
        let mut staged = Staged::new(mark);
        let done = aliases::link(&dir, &rows.files)
            .and_then(|()| self.simple(&mut staged, &dir, project, rows))
            .and_then(|()| self.people(&mut staged, project, rows));
        done.inspect_err(|_| staged.drop_files()).map(|()| staged)
    }

    fn clear(&self, project: &ProjectName, rows: &ProjectRows) -> io::Result<()> {
        let dir = self.store.output.join("simple").join(project.as_str());
        aliases::unlink(&dir, &rows.files, &rows.gone)?;
        remove_files(&dir, &rows.gone)
    }

    fn simple(
        &self,
        staged: &mut Staged,
        dir: &Path,
        project: &ProjectName,
        rows: &ProjectRows,
    ) -> io::Result<()> {
        if rows.files.is_empty() {
            // an empty page makes the project unresolvable for clients that ask this index first: none at all
            return self.store.stage_removal(staged, dir, &[HTML, JSON]);
        }
        let html = simple::html(&self.templates, rows).map_err(io::Error::other)?;
        let json = simple::json(project, rows).map_err(io::Error::other)?;
        self.store.stage(staged, dir, &[(HTML, html.as_bytes()), (JSON, json.as_bytes())])
    }

    /// The page for people, and the same for programs. Its links stay out of the other, where each is a file's.
    fn people(&self, staged: &mut Staged, project: &ProjectName, rows: &ProjectRows) -> io::Result<()> {
        let dir = self.store.output.join("project").join(project.as_str());
        let api = dir.join("json");
        if rows.releases.is_empty() && rows.builds.is_empty() && rows.files.is_empty() {
            self.store.stage_removal(staged, &dir, &[HTML])?;
            return self.store.stage_removal(staged, &api, &[project_json::INDEX]);
        }
        // a build that printed nothing has no log, and both pages ask for the same
        let known = RefCell::new(HashMap::new());
        let has_log = |build| {
            let there = || self.store.output.join(log_path(build)).is_file();
            *known.borrow_mut().entry(build).or_insert_with(there)
        };
        let text = project_page::html(&self.templates, project, rows, has_log).map_err(io::Error::other)?;
        let json = project_json::json(project, rows, has_log).map_err(io::Error::other)?;
        self.store.stage(staged, &api, &[(project_json::INDEX, json.as_bytes())])?;
        self.store.stage(staged, &dir, &[(HTML, text.as_bytes())])
    }
}

/// A panic is this one's error.
fn guarded<T>(work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(io::Error::other(ERROR_IN_HERE)))
}

const ERROR_IN_HERE: &str = "an error in the index scribe; see the log";

/// Removes files that no page names any more, with what stands beside them.
fn remove_files(dir: &Path, gone: &[String]) -> io::Result<()> {
    let mut removed = false;
    if !gone.is_empty() {
        failpoint::at("removal.begins");
    }
    for name in gone {
        // rows hold no other names; nothing outside the directory is touched whatever they hold
        if name.contains('/') || name.starts_with('.') {
            return Err(io::Error::other(format!("{name:?} is not a file's name")));
        }
        for path in [dir.join(name), dir.join(format!("{name}.metadata"))] {
            match disk::remove(&path) {
                Ok(()) => {
                    removed = true;
                    failpoint::at("removal.half");
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    if removed { disk::sync_dir(dir) } else { Ok(()) }
}

/// What `handle` answers in place of a request that made it panic.
pub fn failed(request: &PageRequest) -> Vec<PageAnswer> {
    let why = || ERROR_IN_HERE.to_owned();
    let written = |order: &RewriteOrder| vec![PageAnswer::Written(order.clone(), Err(why()))];
    match request {
        PageRequest::Projects(all) => all.iter().flat_map(|(_, rewrite)| written(&rewrite.order)).collect(),
        PageRequest::RootEnd(order) | PageRequest::Home(order, _) => written(order),
        PageRequest::RootNames(_) => vec![PageAnswer::RootReady],
        PageRequest::RootBegin => Vec::new(),
        PageRequest::Slaves(_) => vec![PageAnswer::SlavesWritten(Err(why()))],
    }
}

#[cfg(test)]
mod tests;
