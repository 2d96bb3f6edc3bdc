//! `piw slaves SLAVE`: all that is known of one. Pure.

use super::{bytes, clock, load, memory, span, state, temperature, told};
use crate::domain::walls;
use crate::wire::status::{SlaveNow, Vitals};

/// A line for each thing, its name before it; a dash for what is not known.
pub(super) fn describe(slave: &SlaveNow, now_ms: u64) -> Vec<String> {
    let vitals = slave.vitals.as_ref();
    let known = |of: fn(&Vitals) -> String| vitals.map(of);
    let board = slave.board.as_ref();
    let (in_force, missing) = match board {
        Some(board) => walls::split(&board.walls),
        None => (Vec::new(), Vec::new()),
    };
    let list = |names: Vec<&str>| match (board, names.is_empty()) {
        (None, _) => None,
        (Some(_), true) => Some("none".to_owned()),
        (Some(_), false) => Some(names.join(", ")),
    };
    let since = span(now_ms.saturating_sub(slave.since_ms));
    let job = slave.job.as_ref();
    let lines = [
        ("slave", Some(slave.slave_id.to_string())),
        ("label", told(&slave.label)),
        ("state", Some(format!("{}, for {since}", state(slave)))),
        ("build", job.map(|job| format!("{}, {} {}", job.build, job.package, job.version))),
        ("holds back", slave.holds_back.as_deref().and_then(told)),
        ("ABI", told(&slave.abi)),
        ("Python", told(&slave.python)),
        ("platform", told(&slave.platform)),
        ("address", told(&slave.peer)),
        ("last heard", Some(format!("{} ago", span(now_ms.saturating_sub(slave.heard_ms))))),
        ("machine", board.and_then(|board| told(&board.machine))),
        ("system", board.and_then(|board| told(&board.os))),
        ("walls", list(in_force)),
        ("walls missing", list(missing)),
        ("load", known(load)),
        ("memory free", known(memory)),
        ("disk free", known(|v| format!("{} of {}", bytes(v.disk_free), bytes(v.disk_total)))),
        ("temperature", vitals.and_then(temperature)),
        ("clock", clock(slave)),
    ];
    lines
        .into_iter()
        .map(|(name, value)| format!("{name:13}  {}", value.unwrap_or_else(|| "-".to_owned())))
        .collect()
}
