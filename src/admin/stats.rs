//! `piw stats`: the farm in numbers (manual 8.13).

use std::time::Duration;

use clap::Args;
use serde_json::Value;

use super::client;
use crate::options::{Failure, say};
use crate::wire::import::FromTool;

const TIME_LIMIT: Duration = Duration::from_secs(60);
/// Up to here jobs are counted.
const COUNTED: u64 = 100_000;

/// The farm in numbers
#[derive(Args, Clone, Debug)]
pub struct Stats {
    /// Print the answer as JSON
    #[arg(long)]
    pub json: bool,
}

/// Asks and prints.
pub fn run(stats: &Stats, queue: &client::Queue) -> Result<(), Failure> {
    let json = client::ask(queue, &FromTool::Statistics {}, TIME_LIMIT)?;
    if stats.json {
        return say(json);
    }
    describe(&client::parsed(&json)?).iter().try_for_each(say)
}

fn describe(answer: &Value) -> Vec<String> {
    let n = |key: &str| answer[key].as_u64().unwrap_or_default();
    let jobs = |key: &str| match n(key) {
        COUNTED.. => format!("{COUNTED} or more"),
        few => few.to_string(),
    };
    let mut lines = vec![
        format!("packages   {} known, {} published", n("packages_count"), n("packages_built")),
        format!("versions   {} known, {} attempted", n("versions_count"), n("versions_tried")),
        format!(
            "builds     {} attempted, {} succeeded, {} in the last hour, {} in all",
            n("builds_count"),
            n("builds_success"),
            n("builds_last_hour"),
            time(n("builds_time") / 1000)
        ),
        format!("files      {} published, {} bytes", n("files_count"), n("builds_size")),
        format!("downloads  {} in the last 30 days", n("downloads_last_month")),
        format!(
            "jobs       {} queued, {} not checked yet, {} wait for a moment, {} being built",
            jobs("queued"),
            jobs("unchecked"),
            jobs("delayed"),
            n("leased")
        ),
    ];
    let late = match n("pages_waiting") {
        0..60 => String::new(),
        secs => format!(", one of them for {}", time(secs)),
    };
    lines.push(format!("pages      {} to be written{late}", jobs("pages_due")));
    if let Some(trouble) = answer["pages_trouble"].as_str() {
        lines.push(format!("           {} failing; the last: {trouble}", n("pages_failing")));
    }
    if let (Some(free), Some(size)) = (answer["disk_free"].as_u64(), answer["disk_size"].as_u64()) {
        let bounds = match n("disk_floor") {
            0 => String::new(),
            floor => format!(", {floor} kept free, {} promised to files on their way", n("disk_promised")),
        };
        lines.push(format!("disk       {free} bytes free of {size}{bounds}"));
    }
    if let Some(reason) = answer["held"].as_str() {
        lines.push(format!("           nothing is handed out: {reason}"));
    }
    if let Some(by) = answer["paused"].as_str() {
        lines.push(format!("paused     by {by}: nothing is handed out until 'piw resume'"));
    }
    lines
}

fn time(secs: u64) -> String {
    format!("{} h {:02} min {:02} s", secs / 3600, secs / 60 % 60, secs % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_with_pages_is_told_and_a_short_wait_is_none() {
        let mut answer = serde_json::json!({"pages_due": 3, "pages_waiting": 59});
        assert_eq!(describe(&answer)[6..], ["pages      3 to be written"]);
        answer["pages_waiting"] = 61.into();
        answer["pages_failing"] = 2.into();
        answer["pages_trouble"] = "the page of foo cannot be written: no space".into();
        assert_eq!(
            describe(&answer)[6..],
            [
                "pages      3 to be written, one of them for 0 h 01 min 01 s",
                "           2 failing; the last: the page of foo cannot be written: no space",
            ]
        );
    }

    #[test]
    fn why_nothing_is_handed_out_is_said() {
        let answer = serde_json::json!({
            "disk_free": 5, "disk_size": 9, "disk_floor": 7, "disk_promised": 1, "held": "it is full", "paused": "root",
        });
        assert_eq!(
            describe(&answer)[7..],
            [
                "disk       5 bytes free of 9, 7 kept free, 1 promised to files on their way",
                "           nothing is handed out: it is full",
                "paused     by root: nothing is handed out until 'piw resume'",
            ]
        );
        let answer = serde_json::json!({"disk_free": 5, "disk_size": 9, "disk_floor": 0, "held": null});
        assert_eq!(describe(&answer)[7..], ["disk       5 bytes free of 9"]);
    }

    #[test]
    fn what_is_not_counted_to_its_end_says_so() {
        let answer =
            serde_json::json!({"queued": COUNTED, "delayed": 7, "leased": 2, "builds_time": 3_723_999});
        let lines = describe(&answer);
        assert_eq!(
            lines[2],
            "builds     0 attempted, 0 succeeded, 0 in the last hour, 1 h 02 min 03 s in all"
        );
        assert_eq!(
            lines[5],
            "jobs       100000 or more queued, 0 not checked yet, 7 wait for a moment, 2 being built"
        );
    }
}
