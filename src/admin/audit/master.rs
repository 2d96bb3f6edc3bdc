//! The master as the audit asks it: a piece at a time, over a connection that is made anew when it breaks.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::rows::{self, Project, Projects};
use crate::admin::client::{self, Client, Queue};
use crate::options::Failure;
use crate::wire::import::{FromTool, Pages, ToTool};
use crate::wire::limits::AUDIT_NAMES;
use crate::wire::{BuildId, List, Sha256, Text};

/// One answer, but for the database's own audit; a busy master is slow, a lost one is gone.
const ANSWER_LIMIT: Duration = Duration::from_secs(120);
/// How long a master that is gone is waited for.
const AWAY_LIMIT: Duration = Duration::from_secs(60);
/// Between two tries.
const TRY_EVERY: Duration = Duration::from_millis(500);
/// Projects and files asked for at once.
const AT_ONCE: u16 = 500;
/// Names of the root index.
const NAMES_AT_ONCE: u16 = 5000;

/// Why it does not go on.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Somebody pressed Ctrl+C.
    Stopped,
    /// For people.
    Failed(Failure),
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<String> for Trouble {
    fn from(reason: String) -> Self {
        Self::Failed(Failure::error(reason))
    }
}

/// Set by a signal; looked at between any two steps.
#[derive(Clone, Debug, Default)]
pub(super) struct Stop(pub(super) Arc<AtomicBool>);

impl Stop {
    /// Whether to go on.
    pub(super) fn check(&self) -> Result<(), Trouble> {
        if self.0.load(Ordering::Relaxed) { Err(Trouble::Stopped) } else { Ok(()) }
    }

    /// Rests, and wakes for a signal.
    pub(super) fn rest(&self, span: Duration) -> Result<(), Trouble> {
        let until = Instant::now() + span;
        loop {
            self.check()?;
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(Duration::from_millis(100)));
        }
    }
}

/// Where the master writes.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The web tree.
    pub(super) output: PathBuf,
    /// What is unfinished.
    pub(super) spool: PathBuf,
    /// The web tree's device and inode.
    pub(super) identity: (u64, u64),
}

/// Asks the master.
#[derive(Debug)]
pub(super) struct Master {
    queue: Queue,
    client: Option<Client>,
    /// It has answered once: one that was never there is not waited for.
    met: bool,
    stop: Stop,
}

impl Master {
    /// Behind this address.
    pub(super) const fn new(queue: Queue, stop: Stop) -> Self {
        Self { queue, client: None, met: false, stop }
    }

    /// Asks once more when the connection breaks, as long as the master comes back soon.
    pub(super) fn ask(&mut self, request: &FromTool, limit: Duration) -> Result<Value, Trouble> {
        let mut away: Option<Instant> = None;
        loop {
            match self.try_ask(request, limit) {
                Err(Trouble::Failed(failure)) if !failure.answered => {
                    self.client = None;
                    let since = *away.get_or_insert_with(Instant::now);
                    if !self.met || since.elapsed() >= self.queue.limit(AWAY_LIMIT) {
                        return Err(Trouble::Failed(failure));
                    }
                    log::info!("{}; trying again", failure.reasons.join("; "));
                    self.stop.rest(TRY_EVERY)?;
                }
                done => return done,
            }
        }
    }

    fn try_ask(&mut self, request: &FromTool, limit: Duration) -> Result<Value, Trouble> {
        self.stop.check()?;
        let mut client = match self.client.take() {
            Some(client) => client,
            None => Client::connect(&self.queue, ANSWER_LIMIT)?,
        };
        client.send(|out| request.encode(out))?;
        let mut looked = Instant::now();
        let answer = loop {
            // short, so that a signal is heard
            if let Some(answer) = client.next_within(TRY_EVERY.min(limit), ToTool::decode)? {
                break answer;
            }
            self.stop.check()?;
            if client.quiet() >= limit {
                return Err(client.silent(limit).into());
            }
            // it is at work, or it hangs
            if looked.elapsed() >= self.queue.word() {
                client.look()?;
                looked = Instant::now();
            }
        };
        self.met = true;
        let odd = client.out_of_turn().into();
        self.client = Some(client);
        match answer {
            ToTool::Done { json } => Ok(client::parsed(&json)?),
            ToTool::Error { reasons } => {
                let reasons = reasons.iter().map(ToString::to_string).collect();
                Err(Trouble::Failed(Failure { reasons, code: 1, answered: true }))
            }
            ToTool::Send { .. } | ToTool::Fetch { .. } => Err(odd),
        }
    }

    fn soon(&mut self, request: &FromTool) -> Result<Value, Trouble> {
        self.ask(request, self.queue.limit(ANSWER_LIMIT))
    }

    /// Where it writes.
    pub(super) fn place(&mut self) -> Result<Place, Trouble> {
        let answer = self.soon(&FromTool::Tree {})?;
        let (path, number) =
            (|key: &str| answer[key].as_str().map(PathBuf::from), |key: &str| answer[key].as_u64());
        let said = path("output").zip(path("spool")).zip(number("device").zip(number("inode")));
        match said {
            Some(((output, spool), identity)) if output.is_absolute() => {
                Ok(Place { output, spool, identity })
            }
            _ => Err("the master does not say where it writes; its log may say why".to_owned().into()),
        }
    }

    /// Projects behind a name.
    pub(super) fn projects(&mut self, after: Option<&str>) -> Result<Projects, Trouble> {
        let after = text(after.unwrap_or_default())?;
        Ok(rows::projects(&self.soon(&FromTool::AuditProjects { after, limit: AT_ONCE })?)?)
    }

    /// Projects behind a name that the root index is to name.
    pub(super) fn root(&mut self, after: Option<&str>) -> Result<Projects, Trouble> {
        let after = text(after.unwrap_or_default())?;
        Ok(rows::projects(&self.soon(&FromTool::AuditRoot { after, limit: NAMES_AT_ONCE })?)?)
    }

    /// Everything that is to be there of a project.
    pub(super) fn project(&mut self, name: &str) -> Result<Project, Trouble> {
        let mut project = Project::default();
        let mut after = String::new();
        loop {
            let request =
                FromTool::AuditProject { project: text(name)?, after: text(&after)?, limit: AT_ONCE };
            match project.add(&self.soon(&request)?)? {
                Some(next) => after = next,
                None => return Ok(project),
            }
        }
    }

    /// Which of these names, at most [`AUDIT_NAMES`], are of no project that the tree has anything of.
    pub(super) fn strangers(&mut self, names: &[String]) -> Result<Vec<String>, Trouble> {
        let names = names.iter().take(AUDIT_NAMES).map(|name| text(name)).collect::<Result<_, _>>()?;
        let names = List::cut(names);
        Ok(rows::texts(&self.soon(&FromTool::AuditStrangers { names })?["strangers"])?)
    }

    /// Which of these builds, at most [`AUDIT_NAMES`], the farm does not know.
    pub(super) fn unknown_builds(&mut self, builds: &[BuildId]) -> Result<Vec<BuildId>, Trouble> {
        let answer = self.soon(&FromTool::AuditBuilds { builds: List::cut(builds.to_vec()) })?;
        let numbers = answer["unknown"].as_array().map(Vec::as_slice).unwrap_or_default();
        Ok(numbers.iter().filter_map(Value::as_i64).map(BuildId).collect())
    }

    /// Has pages of a project written anew.
    pub(super) fn rewrite(&mut self, project: &str) -> Result<(), Trouble> {
        let names = List::cut(vec![text(project)?]);
        self.soon(&FromTool::Rebuild { what: Pages::Project, names }).map(drop)
    }

    /// Has the root index, or the home page, written anew.
    pub(super) fn rewrite_site(&mut self, what: Pages) -> Result<(), Trouble> {
        self.soon(&FromTool::Rebuild { what, names: List::default() }).map(drop)
    }

    /// Keeps a file from its page for a reason, or shows it again.
    pub(super) fn withhold(&mut self, filename: &str, reason: Option<&str>) -> Result<(), Trouble> {
        let reason = reason.map(Text::cut);
        self.soon(&FromTool::Withhold { filename: text(filename)?, reason }).map(drop)
    }

    /// Has METADATA put beside its wheel again; why that cannot be done.
    pub(super) fn unpack(&mut self, filename: &str, sha256: Sha256) -> Result<Option<String>, Trouble> {
        match self.soon(&FromTool::UnpackMetadata { filename: text(filename)?, sha256 }) {
            Ok(_) => Ok(None),
            Err(Trouble::Failed(failure)) if failure.answered => Ok(Some(failure.reasons.join("; "))),
            Err(trouble) => Err(trouble),
        }
    }

    /// Has names removed from a project's directory.
    pub(super) fn sweep(&mut self, project: &str, names: &[String]) -> Result<(), Trouble> {
        for piece in names.chunks(AUDIT_NAMES) {
            self.sweep_piece(project, piece)?;
        }
        if names.is_empty() { self.sweep_piece(project, names) } else { Ok(()) }
    }

    fn sweep_piece(&mut self, project: &str, names: &[String]) -> Result<(), Trouble> {
        let names = names.iter().map(|name| text(name)).collect::<Result<Vec<_>, _>>()?;
        let request = FromTool::Sweep { project: text(project)?, names: List::cut(names) };
        match self.soon(&request) {
            // what stays is found again
            Err(Trouble::Failed(failure)) if failure.answered => {
                log::warn!("{}", failure.reasons.join("; "));
                Ok(())
            }
            done => done.map(drop),
        }
    }
}

fn text<const N: usize>(text: &str) -> Result<Text<N>, Trouble> {
    Text::new(text).map_err(|why| Trouble::Failed(Failure::error(format!("{text:?} {why}"))))
}
