//! What the tools' orders mean, and what becomes of those that take more than one question to the database: a change of
//! thousands of versions is made in pieces, and an audit mends in rounds. To the tool each is one answer.

use serde_json::{Map, Value, json};

use super::{AbiTag, Facts, Millis, ProjectName, Version};
use crate::domain::{BuildId, NamePattern};
use crate::master::follower::Following;
use crate::master::query::{Audited, Named, Order, Outcome, Remove, Requeue, Statistics};
use crate::wire::import::FromTool;

/// Entries of a list in an answer that is made of pieces; the counts beside it go on.
const LIST: usize = 100;

/// The order that a message gives; `None` when it gives none. The error is for people.
pub(super) fn order(message: &FromTool) -> Result<Option<Order>, String> {
    Ok(Some(match message {
        FromTool::Skip { package, version, abi, reason } => {
            Order::Skip { what: named(package, version, abi)?, reason: reason.to_string() }
        }
        FromTool::Unskip { package, version, abi } => Order::Unskip(named(package, version, abi)?),
        FromTool::Block { pattern, reason } => {
            let pattern = NamePattern::parse(pattern).map_err(|e| e.to_string())?;
            Order::Block { pattern, reason: reason.to_string() }
        }
        FromTool::Unblock { pattern } => {
            Order::Unblock(NamePattern::parse(pattern).map_err(|e| e.to_string())?)
        }
        FromTool::Policy { name, value, reason } => Order::SetPolicy {
            name: name.to_string(),
            value: value.as_ref().map(ToString::to_string),
            reason: reason.to_string(),
        },
        FromTool::AbiRetire { abi, reason } => Order::RetireAbi {
            abi: AbiTag::parse(abi).map_err(|e| e.to_string())?,
            reason: reason.to_string(),
        },
        FromTool::Requeue { package, version, abi, outcome } => Order::Requeue(Requeue {
            package: some(package, |text| ProjectName::parse(text).map_err(|e| e.to_string()))?,
            version: some(version, |text| Version::parse(text).map_err(|e| e.to_string()))?,
            abi: some(abi, |text| AbiTag::parse(text).map_err(|e| e.to_string()))?,
            outcome: some(outcome, self::outcome)?,
            after: 0,
        }),
        FromTool::Rebuild { what, names } => Order::Rebuild {
            what: *what,
            names: names
                .iter()
                .map(|name| ProjectName::parse(name).map_err(|e| e.to_string()))
                .collect::<Result<_, _>>()?,
            after: 0,
        },
        FromTool::Remove { package, version, what, skip, reason } => Order::Remove(Remove {
            package: ProjectName::parse(package).map_err(|e| e.to_string())?,
            version: some(version, |text| Version::parse(text).map_err(|e| e.to_string()))?,
            what: *what,
            skip: skip.as_ref().map(ToString::to_string),
            reason: reason.to_string(),
            after: 0,
        }),
        _ => return Ok(None),
    }))
}

fn named(package: &str, version: &str, abi: &str) -> Result<Named, String> {
    Ok(Named {
        package: ProjectName::parse(package).map_err(|e| e.to_string())?,
        version: some(version, |text| Version::parse(text).map_err(|e| e.to_string()))?,
        abi: some(abi, |text| AbiTag::parse(text).map_err(|e| e.to_string()))?,
    })
}

/// An empty text names nothing.
fn some<T>(text: &str, parse: impl Fn(&str) -> Result<T, String>) -> Result<Option<T>, String> {
    if text.is_empty() { Ok(None) } else { parse(text).map(Some) }
}

fn outcome(name: &str) -> Result<Outcome, String> {
    let outcomes = || Outcome::ALL.into_iter().filter(|o| *o != Outcome::Superseded);
    outcomes().find(|outcome| outcome.name() == name).ok_or_else(|| {
        let names: Vec<_> = outcomes().map(Outcome::name).collect();
        format!("{name:?} is no outcome of an attempt; there are {}", names.join(", "))
    })
}

/// What the pieces of one order came to so far.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    all: Map<String, Value>,
    /// The newest order for the page that changes.
    page: Option<i64>,
    /// Logs of builds that are forgotten.
    logs: Vec<BuildId>,
}

impl Pieces {
    /// Takes a piece in: numbers add up, lists go on, what was changed once was changed. Gives back where the next piece
    /// begins, if this one says.
    pub(super) fn add(&mut self, piece: &str, logs: Vec<BuildId>) -> Result<Option<i32>, serde_json::Error> {
        let mut piece: Map<String, Value> = serde_json::from_str(piece)?;
        self.logs.extend(logs);
        let page = piece.remove("page").and_then(|page| page.as_i64()).filter(|page| *page > 0);
        self.page = page.max(self.page);
        let next = piece.remove("next").and_then(|next| i32::try_from(next.as_i64()?).ok());
        for (key, new) in piece {
            match (self.all.get_mut(&key), new) {
                (None, new) => {
                    self.all.insert(key, new);
                }
                (Some(old @ Value::Bool(false)), new @ Value::Bool(true)) => *old = new,
                (Some(Value::Array(old)), Value::Array(new)) => {
                    old.extend(new);
                    old.truncate(LIST);
                }
                (Some(old @ Value::Number(_)), Value::Number(new)) => {
                    *old = json!(old.as_i64().unwrap_or(0) + new.as_i64().unwrap_or(0));
                }
                _ => {}
            }
        }
        Ok(next)
    }

    /// What a refusal means for what was asked for, for people.
    pub(super) fn done_so_far(&self) -> &'static str {
        if self.all.is_empty() {
            "nothing was changed"
        } else {
            "a part of it is done; give the order again for the rest"
        }
    }

    /// All of it, the page that is to be waited for, and the logs that go.
    pub(super) fn end(self) -> (Map<String, Value>, Option<i64>, Vec<BuildId>) {
        (self.all, self.page, self.logs)
    }
}

/// An audit; with mending, round after round until nothing is left, or nothing gets better.
#[derive(Debug)]
pub(super) struct Rounds {
    mend: bool,
    /// What the first round found.
    first: Option<Audited>,
    mended: u64,
    left: u64,
}

impl Rounds {
    pub(super) const fn new(mend: bool) -> Self {
        Self { mend, first: None, mended: 0, left: u64::MAX }
    }

    /// Takes a round in; the answer for people, unless another round is to follow.
    pub(super) fn add(&mut self, round: Audited) -> Option<Value> {
        self.mended += round.mended;
        let better = round.found < self.left;
        self.left = round.found;
        let left_problems = if self.mend { round.problems.clone() } else { Vec::new() };
        let mended = round.mended;
        let first = self.first.get_or_insert(round);
        if self.mend && self.left > 0 && mended > 0 && better {
            return None;
        }
        Some(json!({
            "found": first.found, "problems": first.problems, "mended": self.mended, "left": self.left,
            "left_problems": left_problems,
        }))
    }
}

/// How far the index is followed: what the database says, and what only the follower knows.
pub(super) fn feed(json: &str, following: Following<'_>) -> Result<Value, serde_json::Error> {
    let mut report: Map<String, Value> = serde_json::from_str(json)?;
    report.insert("mode".to_owned(), json!(following.mode.name()));
    report.insert("trouble".to_owned(), json!(following.trouble));
    Ok(Value::Object(report))
}

/// The farm in numbers, as `wire-spec/import.md` has them.
pub(super) fn statistics(now: Millis, s: &Statistics, facts: &Facts<'_>) -> Value {
    let Facts { wall, pages, paused, brother, .. } = facts;
    let at = |at: Millis| (*wall - now.since(at)).0;
    let disk = brother.tightest();
    let (floor, promised) = brother.disk_bounds();
    let held = brother.hold();
    let tasks: Map<String, Value> =
        brother.tasks().map(|(task, well)| (task.name().to_owned(), json!(well.map(at)))).collect();
    let mut answer = json!({
        "packages_count": s.packages_count, "packages_built": s.packages_built, "versions_count": s.versions_count,
        "versions_tried": s.versions_tried, "builds_count": s.builds_count, "builds_success": s.builds_success,
        "builds_last_hour": s.builds_last_hour, "builds_time": s.builds_time, "builds_size": s.builds_size,
        "files_count": s.files_count, "downloads_last_month": s.downloads_last_month, "queued": s.queued,
        "unchecked": s.unchecked, "delayed": s.delayed, "leased": s.leased,
        "pages_due": s.pages_due, "pages_waiting": s.pages_waiting, "pages_failing": pages.failing,
        "pages_trouble": pages.reason,
    });
    let watch = json!({
        "disk_size": disk.map(|disk| disk.size), "disk_free": disk.map(|disk| disk.free),
        "inodes": disk.and_then(|disk| disk.inodes), "inodes_free": disk.and_then(|disk| disk.inodes_free),
        "disk_floor": floor, "disk_promised": promised,
        "held": held.map(|(_, reason)| reason), "held_since_ms": held.map(|(since, _)| at(since)),
        "paused": paused.map(|(_, by)| by), "paused_since_ms": paused.map(|(since, _)| at(since)),
        "tasks": tasks,
    });
    if let (Some(answer), Value::Object(watch)) = (answer.as_object_mut(), watch) {
        answer.extend(watch);
    }
    answer
}
