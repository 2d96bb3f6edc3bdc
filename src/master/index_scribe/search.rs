//! The search without a server: the names of all projects, cut into small files that a browser asks for by the first letters
//! of what is typed (`static/search.js`). Written in the same stream as the root index.
//!
//! ```text
//!   search/shards.json          {"shards": ["a", "b", "num", …], "names": [["nu", 3], …]}
//!   search/names/num.json       [["num2words", 11], ["numpy", 20], …]        name, bits of its downloads in 30 days
//! ```
//!
//! A prefix has a file of its own where the names that begin with it fit in [`SHARD_BYTES`]; else the letters that follow
//! have. A name that is such a prefix itself stands in the index. What is cut where follows from the names alone: one that
//! comes or goes changes one file, seldom more, and the others are left alone. `_` stands for the empty prefix.
//!
//! Names come in byte order. Kept are those of one file, and the prefixes of all.

use std::collections::HashSet;
use std::fs;
use std::io;

use serde::Serialize;

use super::store::{Staged, Store, TWIN};
use crate::master::query::RootName;

/// Where the files are.
const NAMES: &str = "search/names";
/// The largest file, in bytes.
const SHARD_BYTES: usize = 64 << 10;
/// What a name takes beside its letters: `["",20],`.
const NAME_OVERHEAD: usize = 8;

/// The files while they are written.
pub(super) struct Search {
    store: Store,
    most: usize,
    /// What all names in `waiting` begin with.
    prefix: String,
    waiting: Vec<RootName>,
    /// Bytes of those.
    size: usize,
    /// Prefixes of `prefix` that are cut, the shortest first.
    cut: Vec<String>,
    index: Index,
    /// Files that are to change, in the spool.
    staged: Staged,
}

#[derive(Default, Serialize)]
struct Index {
    shards: Vec<String>,
    names: Vec<(String, i16)>,
}

impl Search {
    pub(super) fn begin(store: &Store) -> Self {
        Self::with_limit(store, SHARD_BYTES)
    }

    fn with_limit(store: &Store, most: usize) -> Self {
        Self {
            store: store.clone(),
            most,
            prefix: String::new(),
            waiting: Vec::new(),
            size: 0,
            cut: Vec::new(),
            index: Index::default(),
            staged: Staged::default(),
        }
    }

    /// Takes more names, in byte order behind those before.
    pub(super) fn names(&mut self, names: &[RootName]) -> io::Result<()> {
        self.take(names).inspect_err(|_| self.staged.drop_files())?;
        self.commit()
    }

    fn take(&mut self, names: &[RootName]) -> io::Result<()> {
        for name in names {
            // prefixes become file names: rows hold no other letters
            if !name.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
                return Err(io::Error::other(format!("{:?} is no canonical name", name.name)));
            }
            if !name.name.starts_with(&self.prefix) {
                self.write()?;
                while self.cut.last().is_some_and(|cut| !name.name.starts_with(cut.as_str())) {
                    self.cut.pop();
                }
                self.prefix = self.below_cut(&name.name);
            }
            self.push(name.clone())?;
        }
        Ok(())
    }

    /// The prefix whose file takes a name: one letter longer than the longest that is cut.
    fn below_cut(&self, name: &str) -> String {
        self.cut.last().map_or_else(String::new, |cut| name[..name.len().min(cut.len() + 1)].to_owned())
    }

    fn push(&mut self, name: RootName) -> io::Result<()> {
        self.size += name.name.len() + NAME_OVERHEAD;
        self.waiting.push(name);
        while self.size > self.most && self.prefix.len() < self.longest_waiting() {
            self.split()?;
        }
        Ok(())
    }

    fn longest_waiting(&self) -> usize {
        self.waiting.last().map_or(0, |name| name.name.len())
    }

    /// Cuts the prefix: files are written for all letters that follow it but the last, whose names go on waiting.
    fn split(&mut self) -> io::Result<()> {
        self.cut.push(std::mem::take(&mut self.prefix));
        self.size = 0;
        for name in std::mem::take(&mut self.waiting) {
            let below = self.below_cut(&name.name);
            // the name that is the prefix itself has no letter behind it
            if self.cut.last().is_some_and(|cut| *cut == name.name) {
                self.index.names.push((name.name, name.downloads));
                continue;
            }
            if below != self.prefix {
                self.write()?;
                self.prefix = below;
            }
            self.size += name.name.len() + NAME_OVERHEAD;
            self.waiting.push(name);
        }
        Ok(())
    }

    /// Writes the file of the prefix.
    fn write(&mut self) -> io::Result<()> {
        let names: Vec<_> = self.waiting.drain(..).map(|name| (name.name, name.downloads)).collect();
        self.size = 0;
        if names.is_empty() {
            return Ok(());
        }
        self.stage(NAMES, &file_name(&self.prefix), &names)?;
        self.index.shards.push(self.prefix.clone());
        Ok(())
    }

    fn stage(&mut self, dir: &str, file: &str, value: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_string(value)? + "\n";
        self.store.stage(&mut self.staged, &self.store.output.join(dir), &[(file, text.as_bytes())])
    }

    fn commit(&mut self) -> io::Result<()> {
        self.store.commit(&[std::mem::take(&mut self.staged)]).into_iter().collect()
    }

    /// Writes what is left, then the index, and then removes the files of prefixes that are no more: a browser that has the
    /// old index finds what it names until it has the new one.
    pub(super) fn end(mut self) -> io::Result<()> {
        self.write()?;
        self.commit()?;
        let index = std::mem::take(&mut self.index);
        self.stage("search", "shards.json", &index)?;
        self.commit()?;
        let named: HashSet<String> = index.shards.iter().map(|prefix| file_name(prefix)).collect();
        let mut stale = Vec::new();
        let dir = self.store.output.join(NAMES);
        let entries = match fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        for entry in entries {
            let Ok(name) = entry?.file_name().into_string() else { continue };
            let page = name.strip_suffix(TWIN).unwrap_or(&name);
            if page.ends_with(".json") && !named.contains(page) {
                stale.push(page.to_owned());
            }
        }
        let stale: Vec<_> = stale.iter().map(String::as_str).collect();
        self.store.remove(&dir, &stale)
    }
}

fn file_name(prefix: &str) -> String {
    match prefix {
        "" => "_.json".to_owned(),
        prefix => format!("{prefix}.json"),
    }
}

#[cfg(test)]
mod tests;
