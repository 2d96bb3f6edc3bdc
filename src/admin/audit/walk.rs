//! The audit itself, part after part: which rows and which directories are looked at, and in what order.

use std::collections::HashSet;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::compare::compare;
use super::finding::{Cure, Finding, Kind};
use super::master::{Master, Stop, Trouble};
use super::record::{Part, Position, Record};
use super::rows::Project;
use super::settle::{LOOK_EVERY, Next, Suspect};
use super::site;
use super::tree::{Digests, Name, Tree};
use crate::domain::{BuildId, ProjectName, log_path};
use crate::wire::Sha256;
use crate::wire::import::{FromTool, Pages};
use crate::wire::limits::{AUDIT_NAMES, TREE_NAME_BYTES};

/// The database's own audit scans everything; with mending, more than once.
const DATABASE_LIMIT: Duration = Duration::from_secs(4 * 3600);
/// How often the place is kept.
const KEEP_EVERY: Duration = Duration::from_secs(1);
/// How often a terminal is told how far it is.
const SHOW_EVERY: Duration = Duration::from_millis(500);
/// Suspects at once; then they are settled before anything else is looked at.
const SUSPECTS: usize = 1000;
/// The root index, and what stands beside it.
const ROOT: &str = "simple/";

/// An audit.
#[derive(Debug)]
pub(super) struct Auditor {
    /// Who is asked.
    pub(super) master: Master,
    /// What is looked at.
    pub(super) tree: Tree,
    /// What was found.
    pub(super) record: Record,
    /// Mend it.
    pub(super) fix: bool,
    /// Digest the files.
    pub(super) hashes: bool,
    /// Somebody pressed Ctrl+C.
    pub(super) stop: Stop,
    /// When it began.
    pub(super) begin: Instant,
}

/// Something that looked wrong, and when it is looked at again.
#[derive(Debug)]
struct Waiting {
    /// A project; or [`ROOT`].
    subject: String,
    suspect: Suspect,
    due: Instant,
}

/// What is under way.
#[derive(Debug, Default)]
struct Run {
    position: Position,
    waiting: Vec<Waiting>,
    kept: Option<Instant>,
    shown: Option<Instant>,
}

impl Auditor {
    /// Goes on from there to the end. When it is stopped, its place is kept.
    pub(super) fn run(&mut self, position: Position) -> Result<(), Trouble> {
        let waiting = position.waiting.iter().map(|(subject, done)| Waiting {
            subject: subject.clone(),
            suspect: Suspect::resumed(done.iter().filter_map(undone).collect()),
            due: Instant::now(),
        });
        self.tree.counts = position.counts;
        let waiting = waiting.collect();
        let mut run = Run { position, waiting, ..Run::default() };
        let done = self.parts(&mut run);
        if done.is_err() {
            self.keep(&mut run)?;
        }
        if self.shows() {
            eprint!("\r\x1b[K");
        }
        done
    }

    fn parts(&mut self, run: &mut Run) -> Result<(), Trouble> {
        let first = run.position.part;
        for part in Part::ALL.into_iter().filter(|part| *part >= first) {
            run.position.part = part;
            self.keep(run)?;
            match part {
                Part::Database => self.database()?,
                Part::Projects => self.projects(run)?,
                Part::Strangers => self.strangers(run)?,
                Part::Root => self.first_look(run, ROOT)?,
                Part::Logs => self.logs()?,
            }
            while !run.waiting.is_empty() {
                self.settle(run, true)?;
            }
        }
        Ok(())
    }

    fn keep(&mut self, run: &mut Run) -> Result<(), Trouble> {
        run.kept = Some(Instant::now());
        run.position.counts = self.tree.counts;
        let done = |waiting: &Waiting| waiting.suspect.done().iter().map(|one| one.json(false)).collect();
        run.position.waiting = run.waiting.iter().map(|w| (w.subject.clone(), done(w))).collect();
        Ok(self.record.keep(&run.position)?)
    }

    /// Between two projects: others are settled, the place is kept, and somebody may be watching.
    fn breathe(&mut self, run: &mut Run) -> Result<(), Trouble> {
        self.stop.check()?;
        self.settle(run, false)?;
        while run.waiting.len() >= SUSPECTS {
            self.settle(run, true)?;
        }
        if run.kept.is_none_or(|at| at.elapsed() >= KEEP_EVERY) {
            self.keep(run)?;
        }
        self.show(run);
        Ok(())
    }

    fn shows(&self) -> bool {
        std::io::stderr().is_terminal()
    }

    fn show(&self, run: &mut Run) {
        if !self.shows() || run.shown.is_some_and(|at| at.elapsed() < SHOW_EVERY) {
            return;
        }
        run.shown = Some(Instant::now());
        let counts = self.tree.counts;
        let at = run.position.after.as_deref().unwrap_or_default();
        let (found, _) = self.record.found_and_mended();
        eprint!(
            "\r\x1b[K{} {at}: {} projects, {} files, {} MB, {found} differences",
            run.position.part.name(),
            counts.projects,
            counts.files,
            counts.bytes / 1_000_000
        );
    }

    fn database(&mut self) -> Result<(), Trouble> {
        let answer = self.master.ask(&FromTool::Audit { mend: self.fix }, DATABASE_LIMIT)?;
        let lines = |key: &str| -> Vec<String> {
            let lines = answer[key].as_array().map(Vec::as_slice).unwrap_or_default();
            lines.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let number = |key: &str| answer[key].as_u64().unwrap_or_default();
        let (problems, left) = (lines("problems"), lines("left_problems"));
        let stays = |problem: &String| !self.fix || left.contains(problem);
        for (index, problem) in problems.iter().enumerate() {
            let finding = Finding::new(Kind::Database, format!("database {index}"), problem, Cure::None);
            self.record.add(&finding, !stays(problem))?;
        }
        // what comes up while others are mended, and more of them than are listed
        let news = left.iter().filter(|problem| !problems.contains(problem));
        for (index, problem) in news.enumerate() {
            let finding = Finding::new(Kind::Database, format!("database left {index}"), problem, Cure::None);
            self.record.add(&finding, false)?;
        }
        let unsaid = number("found").saturating_sub(problems.len() as u64);
        if unsaid > 0 {
            let detail = format!("and {unsaid} more of the database's");
            let finding = Finding::new(Kind::Database, "database more", detail, Cure::None);
            self.record.add(&finding, number("left") == 0)?;
        }
        Ok(())
    }

    fn projects(&mut self, run: &mut Run) -> Result<(), Trouble> {
        loop {
            let piece = self.master.projects(run.position.after.as_deref())?;
            for name in piece.names {
                self.first_look(run, &name)?;
                run.position.after = Some(name);
                self.breathe(run)?;
            }
            match piece.next {
                Some(next) => run.position.after = Some(next),
                None => return Ok(()),
            }
        }
    }

    /// What is in order the first time is in order: rows that were there before the look, and files that were there then.
    fn first_look(&mut self, run: &mut Run, subject: &str) -> Result<(), Trouble> {
        let (found, _) = self.look(subject, None)?;
        if !found.is_empty() {
            let (subject, due) = (subject.to_owned(), Instant::now() + LOOK_EVERY);
            run.waiting.push(Waiting { subject, suspect: Suspect::new(found), due });
        }
        self.tree.counts.projects += u64::from(subject != ROOT);
        Ok(())
    }

    /// What differs, and whether the farm had nothing to write there; closely only at what is suspected, if anything is.
    fn look(
        &mut self,
        subject: &str,
        about: Option<HashSet<String>>,
    ) -> Result<(Vec<Finding>, bool), Trouble> {
        if subject == ROOT {
            return site::look(&mut self.master, &mut self.tree);
        }
        let digests = match about {
            _ if !self.hashes => Digests::Withheld,
            Some(paths) => Digests::Of(paths),
            None => Digests::All,
        };
        let before = self.master.project(subject)?;
        let seen = self.tree.look(&before, &digests)?;
        let found = compare(&before, &seen);
        if found.is_empty() {
            return Ok((found, !before.due));
        }
        let after = self.master.project(subject)?;
        let quiet = !before.due && before == after;
        Ok((found, quiet))
    }

    /// Looks again at those whose time has come; or waits for the next.
    fn settle(&mut self, run: &mut Run, wait: bool) -> Result<(), Trouble> {
        if wait && let Some(next) = run.waiting.iter().map(|waiting| waiting.due).min() {
            self.stop.rest(next.saturating_duration_since(Instant::now()))?;
        }
        let now = Instant::now();
        let due: Vec<usize> = (0..run.waiting.len()).rev().filter(|i| run.waiting[*i].due <= now).collect();
        for index in due {
            self.stop.check()?;
            let subject = run.waiting[index].subject.clone();
            let about = run.waiting[index].suspect.about();
            let about = about.map(|about| about.map(|finding| finding.path.clone()).collect());
            let (found, quiet) = self.look(&subject, about)?;
            let next = run.waiting[index].suspect.looked(self.begin.elapsed(), found, quiet, self.fix);
            match next {
                Next::Again => {}
                Next::Mend(found) => {
                    // before anything changes: it is told even if this ends now
                    self.keep(run)?;
                    self.mend(&subject, &found)?;
                }
                Next::End(ends, busy) => {
                    run.waiting.swap_remove(index);
                    self.end(&subject, &ends, busy)?;
                    continue;
                }
            }
            run.waiting[index].due = Instant::now() + LOOK_EVERY;
        }
        self.show(run);
        Ok(())
    }

    fn end(&mut self, subject: &str, ends: &[(Finding, bool)], busy: bool) -> Result<(), Trouble> {
        for (finding, mended) in ends {
            self.record.add(finding, *mended)?;
        }
        if busy {
            let detail = "its pages were due all the time";
            self.record.add(&Finding::new(Kind::Unsettled, subject, detail, Cure::None), false)?;
        }
        Ok(())
    }

    fn mend(&mut self, subject: &str, found: &[Finding]) -> Result<(), Trouble> {
        let has = |cure: Cure| found.iter().any(|finding| finding.cure == cure);
        if subject == ROOT {
            if has(Cure::Root) {
                self.master.rewrite_site(Pages::Index)?;
            }
            if has(Cure::Home) {
                self.master.rewrite_site(Pages::Home)?;
            }
            return Ok(());
        }
        let dir = format!("simple/{subject}");
        let name = |finding: &Finding| finding.path.strip_prefix(&dir)?.strip_prefix('/').map(str::to_owned);
        let of = |cure: Cure| found.iter().filter(move |finding| finding.cure == cure);
        let mut pages = has(Cure::Page);
        let project = if has(Cure::Metadata) { self.master.project(subject)? } else { Project::default() };
        for finding in of(Cure::Metadata) {
            let Some(name) = name(finding) else { continue };
            let wheel = name.strip_suffix(".metadata").unwrap_or(&name);
            if let Some(reason) = self.unpack(&project, wheel)? {
                // a link that promises METADATA which is not there leads nowhere
                self.master.withhold(wheel, Some(&format!("its METADATA cannot be made again: {reason}")))?;
            }
            // names for other platforms are made anew with the page
            pages = true;
        }
        for finding in of(Cure::Withhold) {
            let reason = if finding.detail.is_empty() { "it is not there" } else { finding.detail.as_str() };
            if let Some(name) = name(finding) {
                log::warn!("{}: {reason}; it is kept from its page", finding.path);
                self.master.withhold(&name, Some(reason))?;
            }
        }
        for name in of(Cure::Show).filter_map(name) {
            self.master.withhold(&name, None)?;
        }
        if has(Cure::Sweep) {
            let names: Vec<_> = of(Cure::Sweep).filter_map(name).collect();
            self.master.sweep(subject, &names)?;
        }
        if pages { self.master.rewrite(subject) } else { Ok(()) }
    }

    fn unpack(&mut self, project: &Project, wheel: &str) -> Result<Option<String>, Trouble> {
        let row = project.files.iter().find(|row| row.filename == wheel && row.alias_of.is_none());
        match row.and_then(|row| row.metadata_sha256) {
            Some(Sha256(digest)) => self.master.unpack(wheel, Sha256(digest)),
            None => Ok(None),
        }
    }

    /// Directories of projects that the tree is to have nothing of.
    fn strangers(&mut self, run: &mut Run) -> Result<(), Trouble> {
        let mut strangers = HashSet::new();
        for top in ["simple", "project"] {
            let (mut names, mut odd) = (Vec::new(), Vec::new());
            let master = &mut self.master;
            self.tree.names(top, &mut |_, name| {
                match directory(top, &name) {
                    Some(Ok(name)) => names.push(name),
                    Some(Err(finding)) => odd.push(finding),
                    None => {}
                }
                if names.len() >= AUDIT_NAMES {
                    strangers.extend(master.strangers(&names)?);
                    names.clear();
                }
                Ok(())
            })?;
            strangers.extend(self.master.strangers(&names)?);
            for finding in odd {
                self.record.add(&finding, false)?;
            }
        }
        for name in strangers {
            self.first_look(run, &name)?;
            self.breathe(run)?;
        }
        Ok(())
    }

    /// Logs of builds that nobody knows.
    fn logs(&mut self) -> Result<(), Trouble> {
        for first in self.log_directories("logs")? {
            for second in self.log_directories(&format!("logs/{first}"))? {
                self.logs_in(&first, &second)?;
            }
        }
        Ok(())
    }

    fn log_directories(&mut self, dir: &str) -> Result<Vec<String>, Trouble> {
        let (mut names, mut odd) = (Vec::new(), Vec::new());
        self.tree.names(dir, &mut |_, name| {
            match &name.name {
                Ok(digits) if name.directory && is_digits(digits) => names.push(digits.clone()),
                _ => odd.extend(extra(dir, &name)),
            }
            Ok(())
        })?;
        names.sort();
        for finding in odd {
            self.record.add(&finding, false)?;
        }
        Ok(names)
    }

    fn logs_in(&mut self, first: &str, second: &str) -> Result<(), Trouble> {
        let dir = format!("logs/{first}/{second}");
        let (mut builds, mut odd) = (Vec::new(), Vec::new());
        self.tree.names(&dir, &mut |tree, name| {
            let digits = name.name.as_ref().ok().and_then(|name| name.strip_suffix(".txt.gz"));
            let number = digits.filter(|d| !name.directory && is_digits(d));
            match number.and_then(|last| format!("{first}{second}{last}").parse().ok()).filter(|n| *n > 0) {
                Some(number) => {
                    tree.counts.logs += 1;
                    // a build's log is there before its row is
                    if name.old {
                        builds.push(BuildId(number));
                    }
                }
                None => odd.extend(extra(&dir, &name)),
            }
            Ok(())
        })?;
        for finding in odd {
            self.record.add(&finding, false)?;
        }
        for piece in builds.chunks(AUDIT_NAMES) {
            for build in self.master.unknown_builds(piece)? {
                let path = log_path(build).display().to_string();
                self.record.add(&Finding::new(Kind::LogExtra, path, "", Cure::None), false)?;
            }
        }
        Ok(())
    }
}

/// A finding of an audit that was interrupted, as it was kept.
fn undone(kept: &Value) -> Option<Finding> {
    let text = |key: &str| kept[key].as_str().unwrap_or_default().to_owned();
    Some(Finding::new(Kind::named(kept["kind"].as_str()?)?, text("path"), text("detail"), Cure::None))
}

fn is_digits(text: &str) -> bool {
    text.len() == 4 && text.bytes().all(|b| b.is_ascii_digit())
}

/// What does not belong in a directory, once it is older than a day.
fn extra(dir: &str, name: &Name) -> Option<Finding> {
    if !name.old {
        return None;
    }
    let kind = if name.directory { Kind::ExtraDirectory } else { Kind::ExtraFile };
    let (Ok(text) | Err(text)) = &name.name;
    Some(Finding::new(kind, format!("{dir}/{text}"), "nothing of this name belongs here", Cure::None))
}

/// What a name beside the projects' directories is: one of them, or nothing that belongs there; none: nothing to say of it.
fn directory(top: &str, name: &Name) -> Option<Result<String, Finding>> {
    if let Ok(text) = &name.name {
        let canonical = ProjectName::parse(text).is_ok_and(|known| known.as_str() == text);
        if name.directory && canonical && text.len() <= TREE_NAME_BYTES {
            return Some(Ok(text.clone()));
        }
        if top == "simple" && !name.directory && site::is_root_page(text) {
            return None;
        }
    }
    extra(top, name).map(Err)
}
