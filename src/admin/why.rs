//! `piw why`: what became of a package, for people.

use std::time::Duration;

use clap::Args;
use serde_json::Value;

use super::client;
use super::requirements;
use crate::domain::{BuildId, log_path};
use crate::logging::utc;
use crate::options::{Failure, say};
use crate::wire::Text;
use crate::wire::import::FromTool;

const TIME_LIMIT: Duration = Duration::from_secs(30);

/// What became of a package: built, queued, being built, failed, skipped
#[derive(Args, Clone, Debug)]
pub struct Why {
    /// NAME or NAME==VERSION
    #[arg(value_name = "PACKAGE")]
    pub package: String,
    /// Print the answer as JSON
    #[arg(long)]
    pub json: bool,
}

/// Asks and prints.
pub fn run(why: &Why, queue: &client::Queue) -> Result<(), Failure> {
    let requirement = requirements::parse(&why.package).map_err(Failure::usage)?;
    let version = match requirement.specifiers.strip_prefix("==") {
        Some(version) => version.trim(),
        None if requirement.specifiers.is_empty() => "",
        None => return Err(Failure::usage("only == names one version")),
    };
    let version = Text::new(version).map_err(|reason| Failure::usage(format!("the version {reason}")))?;
    let request = FromTool::Why { package: requirement.package, version };
    let json = client::ask(queue, &request, TIME_LIMIT).map_err(|mut failure| {
        if failure.answered {
            failure.reasons.iter_mut().for_each(|reason| *reason = format!("{}: {reason}", why.package));
        }
        failure
    })?;
    if why.json {
        return say(json);
    }
    let answer: Value = serde_json::from_str(&json).map_err(|e| Failure::error(e.to_string()))?;
    let name = answer["package"].as_str().unwrap_or_default();
    if let Some(reason) = answer["skip"].as_str() {
        say(format_args!("{name}: every version is skipped: {reason}"))?;
    }
    for version in answer["versions"].as_array().into_iter().flatten() {
        for line in describe(name, version) {
            say(line)?;
        }
    }
    Ok(())
}

fn describe(name: &str, version: &Value) -> Vec<String> {
    let what = format!("{name} {}", version["version"].as_str().unwrap_or_default());
    let mut lines = Vec::new();
    if let Some(reason) = version["skip"].as_str() {
        lines.push(format!("{what}: skipped: {reason}"));
    }
    if let Some(reason) = version["yanked"].as_str() {
        lines.push(format!(
            "{what}: yanked{}",
            if reason.is_empty() { String::new() } else { format!(": {reason}") }
        ));
    }
    let builds = version["builds"].as_array().map(Vec::as_slice).unwrap_or_default();
    if builds.is_empty() && lines.is_empty() {
        lines.push(format!("{what}: on the list; no ABI is built for yet (piw abi add)"));
    }
    for build in builds {
        lines.push(format!(
            "{what} for {}: {}",
            build["abi"].as_str().unwrap_or_default(),
            describe_build(build)
        ));
    }
    lines
}

fn describe_build(build: &Value) -> String {
    let text = |key: &str| build[key].as_str().unwrap_or_default();
    let files = || {
        let names = build["files"].as_array().into_iter().flatten().filter_map(|f| f["filename"].as_str());
        names.collect::<Vec<_>>().join(" ")
    };
    let seconds = build["duration_ms"].as_f64().unwrap_or_default() / 1000.0;
    match text("state") {
        "built" => format!("built in {seconds:.1} s by {}: {}", text("slave"), files()),
        "failed" => format!(
            "{} after {seconds:.1} s on {}; {}",
            text("outcome"),
            text("slave"),
            build["build_id"]
                .as_i64()
                .map_or_else(String::new, |id| log_path(BuildId(id)).display().to_string())
        ),
        "queued" => match build["place"].as_u64() {
            Some(place) => format!("queued at place {place}"),
            None => "queued, after the first 1,000".to_owned(),
        },
        "delayed" => {
            let due = utc(build["due"].as_u64().unwrap_or_default());
            let last = match text("outcome") {
                "" => "its slave was lost".to_owned(),
                outcome => format!("the last one ended as {outcome}"),
            };
            format!("{last}; attempt {} comes at {due}", build["attempt"])
        }
        "building" => format!("is being built by {} (build {})", text("slave"), build["build_id"]),
        "settled" => "settled by another ABI's wheel".to_owned(),
        "waiting" => "waits for the ABI before it".to_owned(),
        other => other.to_owned(),
    }
}
