//! `piw status`: whether the farm is well, at one look. It asks the master's status channel, which needs no database.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Map, Value, json};

use super::client::{Client, Queue};
use super::slaves::{span, vitals_json};
use crate::config::{self, Size};
use crate::logging::utc;
use crate::options::{Failure, say};
use crate::wire::status::{
    FollowNow, FromMonitor, HealthNow, Mode, Numbers, Reason, SlaveNow, ToMonitor, Vitals,
};

mod verdict;

pub use verdict::{Finding, Verdict};

/// How long the master may take for its picture: it is one event loop, and the picture of the largest farm some megabytes.
const TIME_LIMIT: Duration = Duration::from_secs(15);
/// How long fresh numbers are waited for; a database that does not answer is told before.
const NUMBERS_LIMIT: Duration = Duration::from_secs(8);

/// Whether the farm is well, in one line and the rest behind it (-q: the line alone); ends with 1 when it is not, or cannot be asked
#[derive(Args, Clone, Debug)]
pub struct Status {
    /// Print the answer as JSON
    #[arg(long)]
    pub json: bool,
    /// End with 1 for a warning, too
    #[arg(long)]
    pub strict: bool,
    /// Warn from here on; may be repeated. NAME is lag (of the index, 30m), pages (time one of them waits, 10m), queue (jobs,
    /// never), expired (leases that ran out in the last hour, 10), disk (free, twice the master's --disk-floor), silent (time
    /// without a word of a slave, 15s)
    #[arg(long, value_name = "NAME=VALUE")]
    pub warn: Vec<Threshold>,
}

/// From where on something is a warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threshold {
    /// The index was read to its end so long ago.
    Lag(Duration),
    /// A page waits for so long.
    Pages(Duration),
    /// So many jobs wait.
    Queue(u64),
    /// So many leases ran out in the last hour.
    Expired(u64),
    /// Fewer bytes are free.
    Disk(u64),
    /// A slave that is connected was not heard for so long.
    Silent(Duration),
}

impl FromStr for Threshold {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or("must be NAME=VALUE")?;
        let span = || value.parse().map(|config::Duration(span)| span);
        let count = || value.parse::<u64>().map_err(|_| format!("{value:?} is not a number"));
        match name {
            "lag" => span().map(Self::Lag),
            "pages" => span().map(Self::Pages),
            "queue" => count().map(Self::Queue),
            "expired" => count().map(Self::Expired),
            "disk" => value.parse().map(|Size(bytes)| Self::Disk(bytes)),
            "silent" => span().map(Self::Silent),
            _ => Err(format!("{name}: is none of lag, pages, queue, expired, disk, silent")),
        }
    }
}

/// What the master said.
#[derive(Clone, Debug, Default)]
pub struct Picture {
    software: String,
    started_ms: u64,
    /// The master's clock when it was asked.
    asked_ms: u64,
    /// The same, at the end.
    wall_ms: u64,
    mode: Option<Mode>,
    slaves: Vec<SlaveNow>,
    numbers: Option<Numbers>,
    database_silent_ms: Option<u64>,
    machine: Option<Vitals>,
    pages_failing: u32,
    pages_trouble: Option<String>,
    follow: Option<FollowNow>,
    health: Option<HealthNow>,
}

impl Picture {
    /// Asks the master, and waits for numbers that are not older than the question.
    fn take(queue: &Queue) -> Result<Self, Failure> {
        let mut client = Client::connect(queue, TIME_LIMIT)?;
        client.send(|out| FromMonitor::Hello {}.encode(out))?;
        let mut picture = Self::default();
        while !picture.apply(client.next(ToMonitor::decode)?) {}
        let begun = Instant::now();
        let until = begun + NUMBERS_LIMIT;
        while !picture.is_fresh() {
            let left = until.saturating_duration_since(Instant::now());
            let Some(message) = client.next_within(left, ToMonitor::decode)? else { break };
            picture.apply(message);
        }
        picture.wall_ms += begun.elapsed().as_millis() as u64;
        Ok(picture)
    }

    /// Takes a message in; whether it is one that ends a picture.
    fn apply(&mut self, message: ToMonitor) -> bool {
        match message {
            ToMonitor::Hello { software, started_ms, wall_ms, mode } => {
                (self.software, self.mode) = (software.into_string(), Some(mode));
                (self.started_ms, self.asked_ms, self.wall_ms) = (started_ms, wall_ms, wall_ms);
            }
            ToMonitor::Slave { slave } => {
                self.slaves.retain(|known| known.slave_id != slave.slave_id);
                self.slaves.push(slave);
            }
            ToMonitor::Gone { slave_id } => self.slaves.retain(|slave| slave.slave_id != slave_id),
            ToMonitor::Stats { mode, .. } => self.mode = Some(mode),
            ToMonitor::Health { health } => self.health = Some(health),
            ToMonitor::Farm {
                numbers,
                database_silent_ms,
                machine,
                pages_failing,
                pages_trouble,
                follow,
            } => {
                (self.numbers, self.database_silent_ms) = (numbers, database_silent_ms);
                (self.machine, self.pages_failing) = (machine, pages_failing);
                self.pages_trouble = pages_trouble.map(|text| text.into_string());
                self.follow = Some(follow);
                return true;
            }
            ToMonitor::Trend { .. }
            | ToMonitor::Recorded { .. }
            | ToMonitor::Outcomes { .. }
            | ToMonitor::Log { .. } => {}
        }
        false
    }

    fn is_fresh(&self) -> bool {
        self.database_silent_ms.is_some()
            || self.numbers.as_ref().is_some_and(|numbers| numbers.at_ms >= self.asked_ms)
    }

    fn doing(&self, is: impl Fn(&SlaveNow) -> bool) -> usize {
        self.slaves.iter().filter(|slave| is(slave)).count()
    }

    fn ago(&self, at_ms: u64) -> String {
        span(self.wall_ms.saturating_sub(at_ms))
    }
}

/// Asks, judges and prints; where the user wants it quiet, the one line alone.
pub fn run(status: &Status, quiet: bool, queue: &Queue) -> Result<(), Failure> {
    let picture = match Picture::take(queue) {
        Ok(picture) => picture,
        Err(failure) => return unreachable(status, &failure),
    };
    let (verdict, findings) = verdict::judge(&picture, &status.warn);
    match status.json {
        true => say(as_json(&picture, verdict, &findings))?,
        false => {
            say(headline(&picture, verdict, &findings))?;
            if !quiet {
                describe(&picture).iter().try_for_each(say)?;
            }
        }
    }
    let well = verdict == Verdict::Ok || (verdict == Verdict::Warning && !status.strict);
    // it is said already
    if well { Ok(()) } else { Err(Failure { reasons: Vec::new(), code: 1, answered: false }) }
}

/// No master answers: that is an answer, too.
fn unreachable(status: &Status, failure: &Failure) -> Result<(), Failure> {
    let reason = failure.reasons.join("; ");
    match status.json {
        true => {
            let finding = json!({ "verdict": "broken", "text": reason });
            say(json!({ "verdict": "broken", "reachable": false, "findings": [finding] }))?;
        }
        false => say(format!("broken: {reason}"))?,
    }
    Err(Failure { reasons: Vec::new(), code: failure.code, answered: false })
}

/// One line: the verdict, and why; or what there is to know of a farm that is well.
fn headline(picture: &Picture, verdict: Verdict, findings: &[Finding]) -> String {
    if verdict != Verdict::Ok {
        let why: Vec<_> = findings.iter().map(|finding| finding.text.as_str()).collect();
        return format!("{verdict}: {}", why.join("; "));
    }
    let slaves = picture.slaves.len();
    let building = picture.doing(verdict::is_building);
    let queued = picture.numbers.as_ref().map_or(0, |numbers| numbers.queued);
    format!("{verdict}: {slaves} slaves, {building} build, {queued} jobs wait")
}

fn describe(picture: &Picture) -> Vec<String> {
    let mut lines = vec![format!(
        "master       {}, {}, up {}",
        picture.software,
        picture.mode.map_or("-", Mode::name),
        picture.ago(picture.started_ms)
    )];
    let database = match (picture.database_silent_ms, &picture.numbers) {
        (Some(since), _) => format!("does not answer, for {}", picture.ago(since)),
        (None, Some(_)) => "answers".to_owned(),
        (None, None) => "has not answered yet".to_owned(),
    };
    let health = picture.health.as_ref();
    let schema = health.map_or(String::new(), |health| format!(", schema {}", health.schema));
    lines.push(format!("database     {database}{schema}"));
    lines.extend(health.and_then(|h| h.unseated_ms).map(|since| {
        format!("             the seat there is lost, for {}: nothing is written", picture.ago(since))
    }));
    lines.extend(health.into_iter().flat_map(disk_lines));
    if let Some(follow) = &picture.follow {
        let lag = follow.lag_secs.map_or(String::new(), |secs| format!(", {} behind", span(secs * 1000)));
        lines.push(format!("index        follows {}{lag}", &*follow.mode));
        lines.extend(follow.trouble.as_ref().map(|trouble| format!("             {}", &**trouble)));
    }
    lines.push(format!(
        "slaves       {} connected, {} build, {} deliver; {} jobs of slaves that are away",
        picture.slaves.len(),
        picture.doing(verdict::is_building),
        picture.doing(verdict::is_delivering),
        health.map_or(0, |health| health.absent)
    ));
    if let Some(n) = &picture.numbers {
        let (queued, unchecked, delayed) = (n.queued, n.unchecked, n.delayed);
        lines.push(format!(
            "queue        {queued} jobs wait, {unchecked} not checked yet, {delayed} for a moment"
        ));
        let late = match n.pages_waiting_secs {
            0..60 => String::new(),
            secs => format!(", one of them for {}", span(secs * 1000)),
        };
        lines.push(format!("pages        {} due{late}, {} failing", n.pages_due, picture.pages_failing));
    }
    lines.extend(picture.pages_trouble.as_ref().map(|trouble| format!("             {trouble}")));
    if let Some(health) = health {
        lines.push(format!(
            "leases       {} ran out in the last hour, {} since the start",
            health.expired_last_hour, health.expired
        ));
        lines.push(format!("hand-out     {}", hand_out(picture, health)));
        let tasks: Vec<_> = health
            .tasks
            .iter()
            .map(|task| {
                let ago = task.well_ms.map_or("not yet".to_owned(), |at| format!("{} ago", picture.ago(at)));
                format!("{} {ago}", &*task.name)
            })
            .collect();
        lines.push(format!("went well    {}", tasks.join(", ")));
        lines.extend(
            health
                .errors
                .iter()
                .map(|line| format!("error        {} {}", utc(line.at_ms / 1000), &*line.text)),
        );
    }
    lines
}

fn disk_lines(health: &HealthNow) -> Vec<String> {
    let mut lines: Vec<_> = health
        .disks
        .iter()
        .map(|disk| {
            let inodes = match (disk.inodes_free, disk.inodes) {
                (Some(free), Some(all)) => format!(", {free} inodes of {all}"),
                _ => String::new(),
            };
            format!(
                "disk         {}: {} free of {}{inodes}",
                &*disk.path,
                Size(disk.free).roughly(),
                Size(disk.size).roughly()
            )
        })
        .collect();
    lines.extend(health.disk_trouble.as_ref().map(|trouble| format!("             {}", &**trouble)));
    let bounds = match health.disk_floor {
        0 => "it is not watched (--disk-floor 0)".to_owned(),
        floor => format!(
            "{} are kept free, {} promised",
            Size(floor).roughly(),
            Size(health.disk_promised).roughly()
        ),
    };
    lines.push(format!("             {bounds}"));
    lines
}

fn hand_out(picture: &Picture, health: &HealthNow) -> String {
    let told =
        |word: &str, why: &Reason| format!("{word}, for {}: {}", picture.ago(why.since_ms), &*why.text);
    let mut why: Vec<String> = Vec::new();
    why.extend(health.paused.as_ref().map(|by| told("paused", by)));
    why.extend(health.held.as_ref().map(|reason| told("held", reason)));
    if why.is_empty() { "goes on".to_owned() } else { why.join("; ") }
}

fn as_json(picture: &Picture, verdict: Verdict, findings: &[Finding]) -> Value {
    let findings: Vec<_> = findings
        .iter()
        .map(|finding| json!({ "verdict": finding.verdict.to_string(), "text": finding.text }))
        .collect();
    json!({
        "verdict": verdict.to_string(), "reachable": true, "findings": findings,
        "master": {
            "software": picture.software, "started_ms": picture.started_ms, "wall_ms": picture.wall_ms,
            "mode": picture.mode.map(Mode::name),
        },
        "database_silent_ms": picture.database_silent_ms,
        "numbers": picture.numbers.as_ref().map(numbers_json),
        "machine": picture.machine.as_ref().map(vitals_json),
        "pages_failing": picture.pages_failing, "pages_trouble": picture.pages_trouble,
        "follow": picture.follow.as_ref().map(follow_json),
        "slaves": {
            "connected": picture.slaves.len(), "building": picture.doing(verdict::is_building),
            "delivering": picture.doing(verdict::is_delivering),
            "silent": picture.doing(|slave| verdict::silence(picture, slave) >= verdict::SILENT),
        },
        "health": picture.health.as_ref().map(health_json),
    })
}

/// Numbers, as JSON of every program has them.
pub fn numbers_json(n: &Numbers) -> Value {
    json!({
        "at_ms": n.at_ms, "queued": n.queued, "unchecked": n.unchecked, "delayed": n.delayed,
        "pages_due": n.pages_due, "pages_waiting_secs": n.pages_waiting_secs,
        "builds_last_hour": n.builds_last_hour, "builds": n.builds, "builds_ok": n.builds_ok,
        "published": n.published, "files": n.files,
    })
}

/// How the index is followed, the same.
pub fn follow_json(follow: &FollowNow) -> Value {
    json!({ "mode": &*follow.mode, "lag_secs": follow.lag_secs, "trouble": follow.trouble.as_deref() })
}

/// HEALTH, the same.
pub fn health_json(health: &HealthNow) -> Value {
    let reason = |reason: &Option<Reason>| {
        reason.as_ref().map(|why| json!({ "since_ms": why.since_ms, "text": &*why.text }))
    };
    let disks: Vec<_> = health
        .disks
        .iter()
        .map(|disk| {
            json!({
                "path": &*disk.path, "size": disk.size, "free": disk.free, "inodes": disk.inodes,
                "inodes_free": disk.inodes_free,
            })
        })
        .collect();
    let tasks: Map<String, Value> =
        health.tasks.iter().map(|task| (task.name.to_string(), json!(task.well_ms))).collect();
    let errors: Vec<_> =
        health.errors.iter().map(|line| json!({ "at_ms": line.at_ms, "text": &*line.text })).collect();
    json!({
        "schema": health.schema, "disks": disks, "disk_floor": health.disk_floor,
        "disk_promised": health.disk_promised, "disk_trouble": health.disk_trouble.as_deref(),
        "held": reason(&health.held), "paused": reason(&health.paused), "unseated_ms": health.unseated_ms,
        "absent": health.absent, "expired": health.expired, "expired_last_hour": health.expired_last_hour,
        "tasks": tasks, "errors": errors,
    })
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Broken => "broken",
        })
    }
}
