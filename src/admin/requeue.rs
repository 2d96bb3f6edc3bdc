//! `piw requeue`: attempts are made again.

use clap::Args;
use clap::builder::PossibleValuesParser;
use serde_json::Value;

use super::client::{self, Queue};
use super::named;
use crate::options::Failure;
use crate::wire::Text;
use crate::wire::import::FromTool;

/// How an attempt may have ended (`wire-spec/import.md`).
const CLASSES: [&str; 17] = [
    BUILT,
    "failed",
    "timeout",
    "no-sdist",
    "bad-wheel",
    "lost-slave",
    "lost-transfer",
    "cancelled",
    "upload-race",
    "network",
    "silence",
    "out-of-memory",
    "disk",
    "log-limit",
    "wheel-limit",
    "disk-limit",
    "process-limit",
];

/// The class that makes wheels anew beside those that are published.
const BUILT: &str = "built";

/// Make attempts again: failed ones that fit all that is named, which is something; or, with --class built, what has wheels
///
/// What was built is built again package by package. The old files stay; the new ones have a build tag in their names, for
/// which pip prefers them.
#[derive(Args, Clone, Debug)]
pub struct Requeue {
    /// NAME or NAME==VERSION
    #[arg(value_name = "PACKAGE")]
    pub package: Option<String>,
    /// Of this ABI
    #[arg(long, value_name = "TAG")]
    pub abi: Option<String>,
    /// That ended so
    #[arg(long, value_name = "OUTCOME", value_parser = PossibleValuesParser::new(CLASSES))]
    pub class: Option<String>,
    /// Print the answer as JSON
    #[arg(long)]
    pub json: bool,
}

/// Gives the order.
pub fn run(requeue: &Requeue, queue: &Queue) -> Result<(), Failure> {
    let package = requeue.package.as_deref().map(named::package).transpose()?;
    let (package, version) = match package {
        Some(named) => (named.name, named.version),
        None => (Text::default(), Text::default()),
    };
    if package.is_empty() && requeue.abi.is_none() && requeue.class.is_none() {
        return Err(Failure::usage("name a package, --abi or --class"));
    }
    let again = requeue.class.as_deref() == Some(BUILT);
    if again && package.is_empty() {
        return Err(Failure::usage(
            "--class built: what was built is built again package by package: name one",
        ));
    }
    let abi = named::abi(requeue.abi.as_deref())?;
    let outcome = Text::new(requeue.class.clone().unwrap_or_default())
        .map_err(|why| Failure::usage(format!("--class: the name {why}")))?;
    let request = FromTool::Requeue { package, version, abi, outcome };
    client::order(queue, &request, requeue.json, |answer| describe(answer, again))
}

/// `again`: what was built is built again.
fn describe(answer: &Value, again: bool) -> Vec<String> {
    let number = |key: &str| answer[key].as_u64().unwrap_or_default();
    let mut lines = Vec::new();
    if number("versions") == 0 {
        let kind = if again { "wheel" } else { "failed attempt" };
        lines.push(format!("nothing to make again: no {kind} fits"));
    } else {
        lines.push(format!(
            "{} queued again; {} taken as never made",
            named::counted(number("queued"), "version"),
            named::counted(number("attempts"), "attempt")
        ));
        if again {
            lines.push("what is published stays; the new wheels get a build tag".to_owned());
        }
    }
    if number("built") > 0 {
        lines.push(format!(
            "{} built already; what is published stays",
            named::counted(number("built"), "version")
        ));
    }
    if number("building") > 0 {
        lines.push(format!("{} being built now", named::counted(number("building"), "version")));
    }
    let reasons = answer["reasons"].as_array().map(Vec::as_slice).unwrap_or_default();
    for not in reasons {
        let text = |key: &str| not[key].as_str().unwrap_or_default();
        lines.push(format!("{} {}: is not queued: {}", text("package"), text("version"), text("reason")));
    }
    let unsaid = number("not_queued").saturating_sub(reasons.len() as u64);
    if unsaid > 0 {
        lines.push(format!("and {unsaid} more that are not queued"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::master::query::Outcome;

    #[test]
    fn the_classes_are_the_outcomes_that_settle_something() {
        let known = Outcome::ALL.into_iter().filter(|o| *o != Outcome::Superseded);
        let mut known: Vec<_> = known.map(Outcome::name).collect();
        let mut classes = CLASSES.to_vec();
        known.sort_unstable();
        classes.sort_unstable();
        assert_eq!(classes, known);
    }
}
