//! `piw why`: what became of a package, for people.

use std::time::Duration;

use clap::Args;
use serde_json::Value;

use super::{client, named};
use crate::domain::{BuildId, log_path};
use crate::logging::utc;
use crate::options::{Failure, say};
use crate::wire::import::FromTool;

const TIME_LIMIT: Duration = Duration::from_secs(30);

/// What became of a package: built, queued, being built, failed, skipped
#[derive(Args, Clone, Debug)]
pub struct Why {
    /// NAME or NAME==VERSION
    #[arg(value_name = "PACKAGE")]
    pub package: String,
    /// Print the answer as JSON, with what the slaves say of the builds
    #[arg(long)]
    pub json: bool,
}

/// Asks and prints.
pub fn run(why: &Why, queue: &client::Queue) -> Result<(), Failure> {
    let package = named::package(&why.package)?;
    let request = FromTool::Why { package: package.name, version: package.version };
    let json = client::ask(queue, &request, TIME_LIMIT).map_err(|mut failure| {
        if failure.answered {
            failure.reasons.iter_mut().for_each(|reason| *reason = format!("{}: {reason}", why.package));
        }
        failure
    })?;
    if why.json {
        return say(json);
    }
    let answer = client::parsed(&json)?;
    describe(&answer).iter().try_for_each(say)
}

fn describe(answer: &Value) -> Vec<String> {
    let name = answer["package"].as_str().unwrap_or_default();
    let versions = answer["versions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut lines = Vec::new();
    let skip = answer["skip"].as_str();
    if let Some(reason) = skip {
        lines.push(format!("{name}: every version is skipped: {reason}"));
    }
    for refused in answer["refused"].as_array().into_iter().flatten() {
        let text = |key: &str| refused[key].as_str().unwrap_or_default();
        let what = format!("{name}{}", text("specifiers"));
        lines.push(format!("{what}: required by {} and not to be had: {}", text("of"), text("reason")));
    }
    for version in versions {
        lines.extend(describe_version(name, version, skip.is_some()));
    }
    if lines.is_empty() {
        lines.push(format!("{name}: no version of it is known yet"));
    }
    lines
}

/// The lines of one version. `said`: why none of the package is built, was said.
fn describe_version(name: &str, version: &Value, said: bool) -> Vec<String> {
    let what = format!("{name} {}", version["version"].as_str().unwrap_or_default());
    let mut lines = Vec::new();
    let why_not = version["why_not"].as_str();
    match why_not {
        Some(reason) if !said => lines.push(format!("{what}: not built: {reason}")),
        Some(_) => {}
        None => {
            if let Some(reason) = version["yanked"].as_str() {
                let colon = if reason.is_empty() { "" } else { ": " };
                lines.push(format!("{what}: yanked, and asked for all the same{colon}{reason}"));
            }
        }
    }
    let builds = version["builds"].as_array().map(Vec::as_slice).unwrap_or_default();
    if builds.is_empty() && why_not.is_none() {
        lines.push(format!("{what}: on the list; no ABI is built for yet (piw abi add)"));
    }
    let name = format!("{name}=={}", version["version"].as_str().unwrap_or_default());
    for build in builds {
        let abi = build["abi"].as_str().unwrap_or_default();
        let checked = version["checked"] != false;
        lines.push(format!("{what} for {abi}: {}", describe_build(&name, abi, build, checked)));
    }
    lines
}

/// What became of `name`, which names the version, for one ABI.
fn describe_build(name: &str, abi: &str, build: &Value, checked: bool) -> String {
    let text = |key: &str| build[key].as_str().unwrap_or_default();
    let moment = |key: &str| utc(build[key].as_u64().unwrap_or_default());
    let files = || {
        let names = build["files"].as_array().into_iter().flatten().filter_map(|f| f["filename"].as_str());
        names.collect::<Vec<_>>().join(" ")
    };
    let seconds = build["duration_ms"].as_f64().unwrap_or_default() / 1000.0;
    match text("state") {
        "built" => format!("built in {seconds:.1} s by {}: {}", text("slave"), files()),
        "failed" if text("outcome") == "built" && !files().is_empty() => {
            format!("built in {seconds:.1} s by {}, and asked for again: {}", text("slave"), files())
        }
        "failed" if text("outcome") == "built" => {
            format!("built in {seconds:.1} s by {}; its files are withdrawn", text("slave"))
        }
        "failed" => {
            let log = build["build_id"]
                .as_i64()
                .map_or_else(String::new, |id| log_path(BuildId(id)).display().to_string());
            format!(
                "{} after {seconds:.1} s on {}, attempt {}, {}; {log}; \
                 not tried again by itself: piw requeue {name} --abi {abi}",
                text("outcome"),
                text("slave"),
                build["attempt"],
                moment("built_at")
            )
        }
        "queued" => {
            let place = match build["place"].as_u64() {
                Some(place) => format!("queued at place {place}"),
                None => "queued, after the first 1,000".to_owned(),
            };
            if checked {
                place
            } else {
                format!("{place}; not checked yet: its page on the index is read before it is handed out")
            }
        }
        "delayed" => delayed(build),
        "building" => format!(
            "is being built by {} (build {}), attempt {}, since {}",
            text("slave"),
            build["build_id"],
            build["attempt"],
            moment("since")
        ),
        "settled" => "settled by another ABI's wheel".to_owned(),
        "waiting" => "waits for the ABI before it".to_owned(),
        "off" => format!("not built for it: {}", text("reason")),
        other => other.to_owned(),
    }
}

/// What a job waits for.
fn delayed(build: &Value) -> String {
    let due = utc(build["due"].as_u64().unwrap_or_default());
    match build["reason"].as_str() {
        Some("cooldown") => format!("waits until {due}: it is too new yet (piw policy cooldown)"),
        Some("page") => {
            format!("waits until {due}: its page on the index cannot be read; it is asked for again")
        }
        _ => {
            let last = match build["outcome"].as_str().unwrap_or_default() {
                "" => "its slave was lost".to_owned(),
                outcome => format!("the last one ended as {outcome}"),
            };
            format!("{last}; attempt {} comes at {due}", build["attempt"])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn one(mut build: Value, checked: bool) -> String {
        build["abi"] = json!("cp39");
        describe_build("foo==1.0", "cp39", &build, checked)
    }

    #[test]
    fn every_state_has_its_words() {
        let waits =
            |reason: &str| one(json!({"state": "delayed", "reason": reason, "due": 60, "attempt": 2}), true);
        assert_eq!(waits("retry"), "its slave was lost; attempt 2 comes at 1970-01-01T00:01:00Z");
        assert!(waits("cooldown").starts_with("waits until 1970-01-01T00:01:00Z: it is too new yet"));
        assert!(waits("page").contains("cannot be read"));
        assert_eq!(one(json!({"state": "queued", "place": 3}), true), "queued at place 3");
        assert!(one(json!({"state": "queued", "place": null}), false).contains("1,000; not checked yet"));
        assert_eq!(
            one(json!({"state": "building", "slave": "pi", "build_id": 7, "attempt": 2, "since": 60}), true),
            "is being built by pi (build 7), attempt 2, since 1970-01-01T00:01:00Z"
        );
        let failed = json!({"state": "failed", "outcome": "timeout", "slave": "pi", "build_id": 7, "attempt": 2,
                            "duration_ms": 1500, "built_at": 60});
        assert_eq!(
            one(failed, true),
            "timeout after 1.5 s on pi, attempt 2, 1970-01-01T00:01:00Z; logs/0000/0000/0007.txt.gz; \
             not tried again by itself: piw requeue foo==1.0 --abi cp39"
        );
        let gone = json!({"state": "failed", "outcome": "built", "slave": "pi", "duration_ms": 1500});
        assert_eq!(one(gone, true), "built in 1.5 s by pi; its files are withdrawn");
        assert_eq!(one(json!({"state": "off", "reason": "too old"}), true), "not built for it: too old");
    }

    #[test]
    fn why_nothing_is_built_is_said_once() {
        let version = |why_not: Value, yanked: Value| json!({"version": "1.0", "why_not": why_not, "yanked": yanked, "checked": true, "builds": []});
        let said = |skip: Value, versions: Value| {
            describe(&json!({"package": "foo", "skip": skip, "versions": versions}))
        };
        let versions = json!([version(json!("the package is skipped: big"), Value::Null)]);
        assert_eq!(said(json!("big"), versions), ["foo: every version is skipped: big"]);
        let versions = json!([version(json!("yanked: broken"), json!("broken"))]);
        assert_eq!(said(Value::Null, versions), ["foo 1.0: not built: yanked: broken"]);
        let versions = json!([version(Value::Null, json!("broken"))]);
        assert_eq!(said(Value::Null, versions)[0], "foo 1.0: yanked, and asked for all the same: broken");
        assert_eq!(said(Value::Null, json!([])), ["foo: no version of it is known yet"]);
    }
}
