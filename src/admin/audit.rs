//! `piw audit`: whether what the database keeps for speed is what follows from its rows.

use std::time::Duration;

use clap::Args;
use serde_json::Value;

use super::{client, named};
use crate::options::{Failure, say};
use crate::wire::import::FromTool;

/// It scans everything; with mending, more than once.
const TIME_LIMIT: Duration = Duration::from_secs(4 * 3600);

/// Compare what the database keeps for speed with what it follows from: exit code 1 when differences stay
#[derive(Args, Clone, Debug)]
pub struct Audit {
    /// Mend what is found; builds, files and orders are never changed
    #[arg(long)]
    pub fix: bool,
    /// Print the answer as JSON
    #[arg(long)]
    pub json: bool,
}

/// Asks and prints.
pub fn run(audit: &Audit, queue: &client::Queue) -> Result<(), Failure> {
    let json = client::ask(queue, &FromTool::Audit { mend: audit.fix }, TIME_LIMIT)?;
    let answer = client::parsed(&json)?;
    if audit.json {
        say(json)?;
    } else {
        describe(&answer).iter().try_for_each(say)?;
    }
    match number(&answer, "left") {
        0 => Ok(()),
        left if audit.fix => Err(Failure::error(format!(
            "{} left, which --fix does not mend",
            named::counted(left, "difference")
        ))),
        left => Err(Failure::error(format!(
            "{}; 'piw audit --fix' mends what can be mended",
            named::counted(left, "difference")
        ))),
    }
}

fn number(answer: &Value, key: &str) -> u64 {
    answer[key].as_u64().unwrap_or_default()
}

fn describe(answer: &Value) -> Vec<String> {
    let (found, mended) = (number(answer, "found"), number(answer, "mended"));
    if found == 0 {
        return vec![
            "in order: queues, states, priorities, published pages and counters are what builds, files, leases and \
             orders say"
                .to_owned(),
        ];
    }
    let problems = answer["problems"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut lines: Vec<String> =
        problems.iter().filter_map(Value::as_str).map(|problem| format!("differs: {problem}")).collect();
    let unsaid = found.saturating_sub(lines.len() as u64);
    if unsaid > 0 {
        lines.push(format!("and {unsaid} more"));
    }
    if mended > 0 {
        lines.push(format!("mended: {}", named::counted(mended, "row")));
        let left = answer["left_problems"].as_array().map(Vec::as_slice).unwrap_or_default();
        lines.extend(left.iter().filter_map(Value::as_str).map(|problem| format!("stays: {problem}")));
    }
    lines
}
