//! `piw policy`: what the operator decided for the whole farm; without arguments all of it, skips and blocks too.

use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::{client, named};
use crate::logging::utc;
use crate::options::{Failure, say};
use crate::wire::Text;
use crate::wire::import::FromTool;

const TIME_LIMIT: Duration = Duration::from_secs(60);

/// Show or set policies of the whole farm; without arguments all of them, and everything that is skipped or blocked
#[derive(Args, Clone, Debug)]
pub struct Policy {
    /// Which: aliases, cooldown, prereleases, wheels
    pub name: Option<String>,
    /// To what it is set; 'default' for what holds where none is set
    pub value: Option<String>,
    /// Why, for people
    #[arg(long, value_name = "TEXT", requires = "value")]
    pub reason: Option<String>,
    /// Print the answer as JSON
    #[arg(long)]
    pub json: bool,
}

fn text<const MAX: usize>(what: &str, text: &str) -> Result<Text<MAX>, Failure> {
    Text::new(text).map_err(|why| Failure::usage(format!("the {what} {text:?} {why}")))
}

/// Shows or sets.
pub fn run(policy: &Policy, queue: &client::Queue) -> Result<(), Failure> {
    let (Some(name), Some(value)) = (&policy.name, &policy.value) else {
        return show(policy, queue);
    };
    let value = match value.as_str() {
        "default" => None,
        value => Some(text("value", value)?),
    };
    let reason = Text::new(policy.reason.clone().unwrap_or_default())
        .map_err(|why| Failure::usage(format!("--reason: the text {why}")))?;
    let request = FromTool::Policy { name: text("policy", name)?, value, reason };
    client::order(queue, &request, policy.json, changed)
}

fn changed(answer: &Value) -> Vec<String> {
    let text = |key: &str| answer[key].as_str().unwrap_or_default();
    let name = text("policy");
    let value = if text("value").is_empty() { "none" } else { text("value") };
    let default = if answer["default"] == true { ", which holds where none is set" } else { "" };
    if answer["changed"] != true {
        return vec![format!("{name}: was {value} already{default}")];
    }
    let mut lines = vec![format!("{name}: {value}{default}")];
    if answer["walk"] == true {
        lines.push("versions are judged by it in pieces, while it builds".to_owned());
    }
    lines
}

fn show(policy: &Policy, queue: &client::Queue) -> Result<(), Failure> {
    let mut answer = client::answer(queue, &FromTool::Policies {}, TIME_LIMIT)?;
    if let Some(name) = &policy.name {
        let policies = answer["policies"].as_array().map(Vec::as_slice).unwrap_or_default();
        let found = policies.iter().find(|one| one["name"] == name.as_str()).cloned().ok_or_else(|| {
            let names: Vec<_> = policies.iter().filter_map(|one| one["name"].as_str()).collect();
            Failure::error(format!("no policy is called {name:?}; there are {}", names.join(", ")))
        })?;
        answer = json!({ "policies": [found] });
    }
    if policy.json {
        return say(answer);
    }
    describe(&answer).iter().try_for_each(say)
}

fn describe(answer: &Value) -> Vec<String> {
    let list = |key: &str| answer[key].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut lines: Vec<String> = list("policies").iter().map(one).collect();
    for block in list("blocks") {
        let text = |key: &str| block[key].as_str().unwrap_or_default();
        lines.push(format!("blocked  {}: {}", text("pattern"), text("reason")));
    }
    for skip in list("skips") {
        let text = |key: &str| skip[key].as_str();
        let what = named::shown(text("package").unwrap_or_default(), text("version"), text("abi"));
        lines.push(format!("skipped  {what}: {}", text("reason").unwrap_or_default()));
    }
    let unsaid = answer["skips_count"].as_u64().unwrap_or(0).saturating_sub(list("skips").len() as u64);
    if unsaid > 0 {
        lines.push(format!("and {unsaid} more that are skipped"));
    }
    lines
}

fn one(policy: &Value) -> String {
    let text = |key: &str| policy[key].as_str().unwrap_or_default();
    let choices: Vec<_> =
        policy["choices"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let choices = match policy["called"].as_str() {
        Some(called) => called.to_owned(),
        None if choices.is_empty() => "a number of seconds".to_owned(),
        None => choices.join(", "),
    };
    let said = |key| if text(key).is_empty() { "none" } else { text(key) };
    let mut line = format!("{} = {} ({choices}; default: {})", text("name"), said("value"), said("default"));
    if let Some(at) = policy["set_at"].as_u64() {
        line += &format!(", set {}", utc(at));
        if !text("reason").is_empty() {
            line += &format!(": {}", text("reason"));
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_into_the_list_is_counted() {
        let answer = json!({
            "policies": [{"name": "cooldown", "value": "60", "default": "0", "choices": null, "set_at": 0,
                          "reason": "let them settle"}],
            "blocks": [{"pattern": "x-*", "reason": "no"}],
            "skips": [{"package": "foo", "version": null, "abi": "cp39", "reason": "big"}], "skips_count": 3,
        });
        let lines = [
            "cooldown = 60 (a number of seconds; default: 0), set 1970-01-01T00:00:00Z: let them settle",
            "blocked  x-*: no",
            "skipped  foo for cp39: big",
            "and 2 more that are skipped",
        ];
        assert_eq!(describe(&answer), lines);
    }
}
