//! How far an audit is, and what it found so far: two files in the spool, so that one that is interrupted goes on where it
//! was.
//!
//! ```text
//!   <spool>/.piw-audit         where it is, as JSON; replaced in one step
//!   <spool>/.piw-audit.found   a line for each finding; locked by the audit that is under way
//! ```
//!
//! Both go when it comes to its end. One that does not digest the files has `.piw-audit-sizes` in their place: the daily one
//! does not end one that takes weeks.

use std::collections::{BTreeMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::finding::{self, Finding, Kind};
use super::tree::Counts;
use crate::options::{Failure, say};

const FORM: u64 = 1;
/// One that was interrupted longer ago is begun anew: what it looked at has changed since.
const KEPT_SECS: u64 = 7 * 24 * 3600;

/// The parts of an audit, in their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// What the database keeps for speed.
    #[default]
    Database,
    /// The projects that it has something of.
    Projects,
    /// Directories of no such project.
    Strangers,
    /// The root index, and what stands beside it.
    Root,
    /// The logs.
    Logs,
}

impl Part {
    /// All of them.
    pub(super) const ALL: [Self; 5] =
        [Self::Database, Self::Projects, Self::Strangers, Self::Root, Self::Logs];

    /// Its name in the file.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Projects => "projects",
            Self::Strangers => "strangers",
            Self::Root => "root",
            Self::Logs => "logs",
        }
    }
}

/// Where an audit is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Position {
    /// The part that is under way.
    pub(super) part: Part,
    /// Of [`Part::Projects`]: the last project that was looked at.
    pub(super) after: Option<String>,
    /// Projects that are to be looked at again, and what was done about each.
    pub(super) waiting: Vec<(String, Vec<Value>)>,
    /// What was looked at so far.
    pub(super) counts: Counts,
}

/// What must be the same for an audit to be gone on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Manner {
    /// Files are digested.
    pub(super) hashes: bool,
    /// What is found is mended.
    pub(super) fix: bool,
}

/// How many of a kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Found.
    pub(super) found: u64,
    /// And mended.
    pub(super) mended: u64,
}

/// What was found, and where the audit is.
#[derive(Debug)]
pub(super) struct Record {
    path: PathBuf,
    found: File,
    manner: Manner,
    json: bool,
    tally: BTreeMap<&'static str, Tally>,
    notes: u64,
    /// Findings since the position was last kept: what is looked at again must not be told again.
    told: HashSet<(Kind, String)>,
    /// It goes on where one before it was.
    pub(super) resumed: bool,
    /// Beginning of the audit: seconds since 1970.
    began: u64,
}

impl Record {
    /// Takes the record up where it was left, or begins a new one; and where the audit then is. What was found before
    /// is said again.
    pub(super) fn open(
        spool: &Path,
        manner: Manner,
        json: bool,
        restart: bool,
    ) -> Result<(Self, Position), Failure> {
        let path = spool.join(if manner.hashes { ".piw-audit" } else { ".piw-audit-sizes" });
        let failed = |error: io::Error| {
            Failure::error(format!(
                "the audit cannot keep its place in {}: {error}; run this as the account of piw-master",
                spool.display()
            ))
        };
        let lines = path.with_extension("found");
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        let found = options.open(&lines).map_err(failed)?;
        match found.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                return Err(Failure::error("another audit is under way; wait for its end"));
            }
            Err(std::fs::TryLockError::Error(error)) => return Err(failed(error)),
        }
        let kept = if restart { None } else { read(&path, manner) };
        let resumed = kept.is_some();
        let mut record = Self {
            path,
            found,
            manner,
            json,
            tally: BTreeMap::new(),
            notes: 0,
            told: HashSet::new(),
            resumed,
            began: now(),
        };
        let Some((position, began, length)) = kept else {
            record.found.set_len(0).map_err(failed)?;
            return Ok((record, Position::default()));
        };
        record.began = began;
        record.repeat(length).map_err(failed)??;
        Ok((record, position))
    }

    /// Says what an earlier run found; what came behind `length` will be looked at again.
    fn repeat(&mut self, length: u64) -> io::Result<Result<(), Failure>> {
        self.found.seek(SeekFrom::Start(0))?;
        let mut at = 0;
        for line in BufReader::new(self.found.try_clone()?).lines() {
            let line = line?;
            let is_new = at >= length;
            at += line.len() as u64 + 1;
            // one that was cut off by the end of its program
            let Ok(line) = serde_json::from_str::<Value>(&line) else { continue };
            let Some((kind, mended)) = finding::read(&line) else { continue };
            self.count(kind, mended);
            if is_new && let Some(path) = line["path"].as_str() {
                self.told.insert((kind, path.to_owned()));
            }
            if let Err(failure) = self.show(&line) {
                return Ok(Err(failure));
            }
        }
        Ok(Ok(()))
    }

    /// A difference, and whether it is one no more.
    pub(super) fn add(&mut self, finding: &Finding, mended: bool) -> Result<(), Failure> {
        if self.told.insert((finding.kind, finding.path.clone())) {
            self.count(finding.kind, mended);
            let line = finding.json(mended);
            writeln!(self.found, "{line}")
                .map_err(|error| Failure::error(format!("{}: {error}", self.path.display())))?;
            self.show(&line)?;
        }
        Ok(())
    }

    fn show(&self, line: &Value) -> Result<(), Failure> {
        if self.json { say(line) } else { say(finding::shown(line)) }
    }

    fn count(&mut self, kind: Kind, mended: bool) {
        let tally = self.tally.entry(kind.name()).or_default();
        tally.found += 1;
        tally.mended += u64::from(mended);
        self.notes += u64::from(kind.is_note());
    }

    /// Keeps the position. What was found up to here is not looked for again.
    pub(super) fn keep(&mut self, position: &Position) -> Result<(), Failure> {
        let failed = |error: io::Error| Failure::error(format!("{}: {error}", self.path.display()));
        let length = self.found.metadata().map_err(failed)?.len();
        let waiting: Vec<_> = position.waiting.iter().map(|(name, done)| json!([name, done])).collect();
        let counts = position.counts;
        let kept = json!({
            "form": FORM, "began": self.began, "at": now(), "hashes": self.manner.hashes, "fix": self.manner.fix,
            "part": position.part.name(), "after": position.after, "waiting": waiting, "found": length,
            "counts": [counts.projects, counts.files, counts.bytes, counts.logs],
        });
        let new = self.path.with_extension("new");
        std::fs::write(&new, kept.to_string())
            .and_then(|()| std::fs::rename(&new, &self.path))
            .map_err(failed)?;
        self.told.clear();
        Ok(())
    }

    /// How many differences stay.
    pub(super) fn left(&self) -> u64 {
        let all: u64 = self.tally.values().map(|tally| tally.found - tally.mended).sum();
        all - self.notes
    }

    /// How many differences were found, and how many of these are none any more.
    pub(super) fn found_and_mended(&self) -> (u64, u64) {
        let sum = |of: fn(&Tally) -> u64| self.tally.values().map(of).sum::<u64>();
        (sum(|tally| tally.found) - self.notes, sum(|tally| tally.mended))
    }

    /// How many were only to be told of.
    pub(super) const fn notes(&self) -> u64 {
        self.notes
    }

    /// The whole of it, as JSON.
    pub(super) fn report(&self, counts: Counts) -> Value {
        let kinds: serde_json::Map<String, Value> = self
            .tally
            .iter()
            .map(|(kind, tally)| {
                let left = tally.found - tally.mended;
                ((*kind).to_owned(), json!({"found": tally.found, "mended": tally.mended, "left": left}))
            })
            .collect();
        let (found, mended) = self.found_and_mended();
        json!({"report": {
            "found": found, "mended": mended, "left": self.left(), "notes": self.notes, "kinds": kinds,
            "looked": {"projects": counts.projects, "files": counts.files, "bytes": counts.bytes, "logs": counts.logs},
            "hashes": self.manner.hashes, "fix": self.manner.fix, "resumed": self.resumed, "began": self.began,
        }})
    }

    /// The audit has come to its end.
    pub(super) fn end(self) {
        let lines = self.path.with_extension("found");
        for path in [&self.path, &lines] {
            if let Err(error) = std::fs::remove_file(path)
                && error.kind() != io::ErrorKind::NotFound
            {
                log::warn!("{} stays: {error}", path.display());
            }
        }
    }
}

fn read(path: &Path, manner: Manner) -> Option<(Position, u64, u64)> {
    let kept: Value = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    let same = kept["form"] == FORM && kept["hashes"] == manner.hashes && kept["fix"] == manner.fix;
    if !same || now().saturating_sub(kept["at"].as_u64()?) > KEPT_SECS {
        return None;
    }
    let part = Part::ALL.into_iter().find(|part| kept["part"] == part.name())?;
    let waiting = kept["waiting"].as_array()?.iter().map(|entry| {
        let done = entry[1].as_array().cloned().unwrap_or_default();
        Some((entry[0].as_str()?.to_owned(), done))
    });
    let count = |index: usize| kept["counts"][index].as_u64();
    let counts = Counts { projects: count(0)?, files: count(1)?, bytes: count(2)?, logs: count(3)? };
    let after = kept["after"].as_str().map(str::to_owned);
    let position = Position { part, after, waiting: waiting.collect::<Option<_>>()?, counts };
    Some((position, kept["began"].as_u64()?, kept["found"].as_u64()?))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::super::finding::Cure;
    use super::*;

    const MANNER: Manner = Manner { hashes: true, fix: false };

    fn open(dir: &Path, manner: Manner, restart: bool) -> (Record, Position) {
        Record::open(dir, manner, true, restart).unwrap()
    }

    fn missing(path: &str) -> Finding {
        Finding::new(Kind::FileMissing, path, "", Cure::None)
    }

    #[test]
    fn an_interrupted_audit_goes_on_where_it_was_and_counts_nothing_twice() {
        let dir = tempfile::tempdir().unwrap();
        let (mut record, position) = open(dir.path(), MANNER, false);
        assert_eq!((position, record.resumed), (Position::default(), false));
        record.add(&missing("a"), false).unwrap();
        let position = Position {
            part: Part::Projects,
            after: Some("foo".to_owned()),
            waiting: vec![("bar".to_owned(), vec![missing("b").json(false)])],
            counts: Counts { projects: 1, files: 2, bytes: 3, logs: 4 },
        };
        record.keep(&position).unwrap();
        record.add(&missing("c"), true).unwrap();
        drop(record);

        let (mut record, found) = open(dir.path(), MANNER, false);
        assert_eq!((found, record.resumed), (position, true));
        record.add(&missing("c"), false).unwrap();
        record.add(&missing("d"), false).unwrap();
        let report = record.report(Counts::default());
        assert_eq!(report["report"]["kinds"]["file-missing"], json!({"found": 3, "mended": 1, "left": 2}));
        assert!(Record::open(dir.path(), MANNER, true, false).is_err(), "one at a time");
        record.end();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn one_that_asked_for_something_else_or_is_damaged_is_begun_anew() {
        let dir = tempfile::tempdir().unwrap();
        let begin = || {
            let (mut record, _) = open(dir.path(), MANNER, true);
            record.add(&missing("a"), false).unwrap();
            record.keep(&Position { part: Part::Logs, ..Position::default() }).unwrap();
        };
        for (manner, restart) in [
            (MANNER, true),
            (Manner { fix: true, ..MANNER }, false),
            (Manner { hashes: false, ..MANNER }, false),
        ] {
            begin();
            let (record, position) = open(dir.path(), manner, restart);
            assert_eq!((position, record.left()), (Position::default(), 0));
        }
        begin();
        std::fs::write(dir.path().join(".piw-audit"), "{\"form\": 1").unwrap();
        assert!(!open(dir.path(), MANNER, false).0.resumed);
    }

    #[test]
    fn notes_are_told_and_are_no_differences() {
        let dir = tempfile::tempdir().unwrap();
        let (mut record, _) = open(dir.path(), MANNER, false);
        record.add(&Finding::new(Kind::LogExtra, "logs/1", "", Cure::None), false).unwrap();
        assert_eq!((record.left(), record.notes(), record.found_and_mended()), (0, 1, (0, 0)));
    }
}
