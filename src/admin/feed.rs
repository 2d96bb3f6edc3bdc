//! `piw feed`: how far the index is followed.

use std::time::Duration;

use clap::Args;
use serde_json::Value;

use super::client;
use crate::logging::utc;
use crate::options::{Failure, say};
use crate::wire::import::FromTool;

const TIME_LIMIT: Duration = Duration::from_secs(60);

/// How far the index is followed, and what waits for it
#[derive(Args, Clone, Debug)]
pub struct Feed {
    /// Print the answer as JSON
    #[arg(long)]
    pub json: bool,
}

/// Asks and prints.
pub fn run(feed: &Feed, queue: &client::Queue) -> Result<(), Failure> {
    let json = client::ask(queue, &FromTool::Feed {}, TIME_LIMIT)?;
    if feed.json {
        return say(json);
    }
    describe(&client::parsed(&json)?).iter().try_for_each(say)
}

fn describe(answer: &Value) -> Vec<String> {
    let n = |key: &str| answer[key].as_u64().unwrap_or_default();
    let mode = answer["mode"].as_str().unwrap_or_default();
    let mut lines = vec![format!(
        "mode       {mode}: {}",
        match mode {
            "all" => "every event of the index",
            "list" => "the pages of what people asked for",
            _ => "pages are read before what is on the list is handed out",
        }
    )];
    if mode == "all" {
        let heard = match (answer["heard_at"].as_u64(), answer["lag_secs"].as_i64()) {
            (Some(at), Some(ago)) => format!("last heard {}, {ago} s ago", utc(at)),
            _ => "not heard yet".to_owned(),
        };
        lines.push(format!("changelog  at serial {}; {heard}", n("serial")));
        let listed = answer["listed_at"].as_u64().map_or_else(|| "not yet".to_owned(), utc);
        lines.push(format!("projects   all compared: {listed}"));
    }
    lines.push(format!("pages      {} to be read now, {} later", n("pages_due"), n("pages_later")));
    lines.push(format!(
        "jobs       {} wait for a look at their page, {} because it cannot be read, {} are too new yet",
        n("unchecked"),
        n("unreadable"),
        n("cooldown")
    ));
    lines.push(format!("wishes     {} that new releases are held against", n("wishes")));
    let requirements = &answer["requirements"];
    lines.push(format!(
        "requires   {} to be looked up, {} refused",
        requirements["waiting"].as_u64().unwrap_or_default(),
        requirements["refused"].as_u64().unwrap_or_default()
    ));
    for one in requirements["reasons"].as_array().into_iter().flatten() {
        let text = |key: &str| one[key].as_str().unwrap_or_default();
        lines.push(format!(
            "  {}{}, which {} requires: {}",
            text("name"),
            text("specifiers"),
            text("of"),
            text("reason")
        ));
    }
    lines.push(format!("trouble    {}", answer["trouble"].as_str().unwrap_or("none")));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changelog_is_spoken_of_where_it_is_followed() {
        let answer =
            serde_json::json!({"mode": "all", "serial": 7, "heard_at": 0, "lag_secs": 3, "trouble": "away"});
        let lines = describe(&answer);
        assert_eq!(lines[1], "changelog  at serial 7; last heard 1970-01-01T00:00:00Z, 3 s ago");
        assert_eq!(lines.last().unwrap(), "trouble    away");
        let lines = describe(&serde_json::json!({"mode": "list"}));
        assert!(lines.iter().all(|line| !line.starts_with("changelog")), "{lines:?}");
        assert_eq!(lines.last().unwrap(), "trouble    none");
    }
}
