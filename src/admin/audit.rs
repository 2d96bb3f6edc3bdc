//! `piw audit`: the database against the disk against the pages, and what the database keeps for speed against its own rows.
//!
//! ```text
//!   the master ──what is to be there, in pieces──► this ◄──what is there── the web tree
//!        ▲                                          │
//!        └── pages anew, METADATA again, keep from ─┘   with --fix; this itself only reads
//!            its page, remove
//! ```
//!
//! The files are read here and not in the master, whose threads have the farm's work to do: at a rate of its own, with its
//! place kept in the spool. What the tree is to hold the master says (`sql/functions/audit_*.sql`); what is changed it
//! changes, for only it knows what is just being published.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use nix::sys::signal::{SigSet, Signal};

use super::{client, named};
use crate::options::{Failure, say};

mod compare;
mod finding;
#[cfg(any(test, fuzzing))]
#[path = "../../tests/fuzz/targets/audit.rs"]
pub(crate) mod fuzz;
mod links;
mod master;
mod pace;
mod pages;
mod record;
mod root;
mod rows;
mod settle;
mod site;
mod tree;
mod walk;

use master::{Master, Place, Stop, Trouble};
use pace::Pace;
use record::{Manner, Record};
use tree::Tree;
use walk::Auditor;

/// Compare the database with the disk and the pages, and with itself: exit code 1 when differences stay. Goes on where one
/// before it was interrupted
#[derive(Args, Clone, Debug)]
pub struct Audit {
    /// Mend what can be mended: pages are written anew, left-overs removed; a damaged file is kept from its page. Builds are
    /// never changed
    #[arg(long)]
    pub fix: bool,
    /// Print a line of JSON for each finding, and a last one with the numbers
    #[arg(long)]
    pub json: bool,
    /// Do not read the wheels: their sizes have to do
    #[arg(long)]
    pub no_hashes: bool,
    /// Begin anew, whatever one before was interrupted at
    #[arg(long)]
    pub restart: bool,
    /// Megabytes a second that are read of the tree; 0 for no limit
    #[arg(long, value_name = "MB", default_value_t = 20)]
    pub rate: u64,
    /// Files a second that are looked at; 0 for no limit
    #[arg(long, value_name = "NUMBER", default_value_t = 1000)]
    pub files_rate: u64,
    /// Where this program finds the master's web tree, when it is not the path that the master itself says
    #[arg(long, value_name = "PATH")]
    pub output_path: Option<PathBuf>,
}

/// Audits and prints.
pub fn run(audit: &Audit, queue: &client::Queue) -> Result<(), Failure> {
    let stop = Stop::default();
    catch_signals(&stop)?;
    let done = look(audit, queue, &stop);
    match done {
        Err(Trouble::Stopped) => {
            Err(Failure::error("interrupted; 'piw audit' with the same options goes on where it was"))
        }
        Err(Trouble::Failed(failure)) => Err(failure),
        Ok(found) => verdict(audit, &found),
    }
}

/// What is to be said at the end.
struct Verdict {
    found: u64,
    mended: u64,
    left: u64,
    notes: u64,
    looked: String,
}

fn look(audit: &Audit, queue: &client::Queue, stop: &Stop) -> Result<Verdict, Trouble> {
    let mut master = Master::new(queue.clone(), stop.clone());
    let place = master.place()?;
    let output = same_directory(audit.output_path.as_deref(), &place)?;
    let manner = Manner { hashes: !audit.no_hashes, fix: audit.fix };
    let (record, position) = Record::open(&place.spool, manner, audit.json, audit.restart)?;
    if record.resumed {
        log::warn!("going on with an audit that was interrupted; --restart begins anew");
    }
    let pace = Pace::new(audit.rate.saturating_mul(1_000_000), audit.files_rate);
    let mut auditor = Auditor {
        master,
        tree: Tree::new(output, pace, stop.clone()),
        record,
        fix: audit.fix,
        hashes: manner.hashes,
        stop: stop.clone(),
        begin: Instant::now(),
    };
    auditor.run(position).map_err(|trouble| match trouble {
        Trouble::Failed(mut failure) if failure.code == 1 => {
            failure.reasons.push("'piw audit' with the same options goes on where it was".to_owned());
            Trouble::Failed(failure)
        }
        trouble => trouble,
    })?;
    let Auditor { tree, record, .. } = auditor;
    if audit.json {
        say(record.report(tree.counts))?;
    }
    let (found, mended) = record.found_and_mended();
    let counts = tree.counts;
    let looked = format!(
        "{}, {}, {} MB, {}",
        named::counted(counts.projects, "project"),
        named::counted(counts.files, "file"),
        counts.bytes / 1_000_000,
        named::counted(counts.logs, "log")
    );
    let verdict = Verdict { found, mended, left: record.left(), notes: record.notes(), looked };
    record.end();
    Ok(verdict)
}

fn verdict(audit: &Audit, verdict: &Verdict) -> Result<(), Failure> {
    let Verdict { found, mended, left, notes, looked } = verdict;
    if !audit.json {
        match (*found, *mended) {
            (0, _) => say(format!("in order: the database, the web tree and its pages agree ({looked})"))?,
            (_, 0) => say(format!("looked at {looked}"))?,
            (_, mended) => {
                say(format!("mended: {}; looked at {looked}", named::counted(mended, "difference")))?
            }
        }
        if *notes > 0 {
            say(format!("{} of builds that the farm does not know", named::counted(*notes, "log")))?;
        }
    }
    match left {
        0 => Ok(()),
        left if audit.fix => Err(Failure::error(format!(
            "{} left, which --fix does not mend",
            named::counted(*left, "difference")
        ))),
        left => Err(Failure::error(format!(
            "{}; 'piw audit --fix' mends what can be mended",
            named::counted(*left, "difference")
        ))),
    }
}

/// The tree as this program finds it: where the master says, or by another path; and the same directory. Any other would be
/// found to be missing as a whole, and kept from its pages.
fn same_directory(ours: Option<&Path>, place: &Place) -> Result<PathBuf, Failure> {
    let output = ours.unwrap_or(&place.output);
    let at = output.display();
    let hint = "name the path by which this account reaches the master's web tree with --output-path";
    match std::fs::metadata(output) {
        Ok(found) if found.is_dir() && (found.dev(), found.ino()) == place.identity => Ok(output.to_owned()),
        Ok(_) => Err(Failure::usage(format!("{at} is not the directory that the master writes to: {hint}"))),
        Err(error) => Err(Failure::usage(format!("{at}: {error}: {hint}"))),
    }
}

/// SIGINT and SIGTERM are this program's from now on: they end it where it can go on from.
fn catch_signals(stop: &Stop) -> Result<(), Failure> {
    let signals: SigSet = [Signal::SIGINT, Signal::SIGTERM].into_iter().collect();
    signals.thread_block().map_err(|e| Failure::error(format!("signals cannot be caught: {e}")))?;
    let flag = stop.0.clone();
    let waiting = std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        while signals.wait().is_ok() {
            flag.store(true, std::sync::atomic::Ordering::Relaxed);
        }
    });
    waiting.map(drop).map_err(|e| Failure::error(format!("no thread: {e}")))
}
