//! `piw add`: puts packages on the farm's list.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use super::client;
use super::requirements::{self, Found};
use crate::options::{Failure, say};
use crate::wire::List;
use crate::wire::import::FromTool;

/// Each package's page is asked of the index; a few hundred of them take a while.
const TIME_LIMIT: Duration = Duration::from_secs(900);

/// Put packages on the farm's list: the newest version that fits, built before everything else
#[derive(Args, Clone, Debug)]
pub struct Add {
    /// What is wanted: NAME or NAME==VERSION (any PEP 440 specifier); - reads a list from standard input
    #[arg(value_name = "PACKAGE")]
    pub packages: Vec<String>,
    /// Read a requirements file
    #[arg(short, long = "requirement", value_name = "FILE")]
    pub requirement: Vec<PathBuf>,
    /// Build what they require too, and what that requires; NAME[EXTRA] for what an extra requires
    #[arg(long)]
    pub with_deps: bool,
    /// Print the answer as JSON
    #[arg(long)]
    pub json: bool,
}

/// Adds everything or, when anything is wrong, nothing.
pub fn run(add: &Add, queue: &client::Queue) -> Result<(), Failure> {
    let found = gather(add)?;
    for name in &found.skipped {
        log::warn!("skipped: {name} is for another system");
    }
    if found.requirements.is_empty() {
        // all were skipped; the master takes no empty list
        return if add.json { say(r#"{"added":[]}"#) } else { Ok(()) };
    }
    let items = List::new(found.requirements)
        .map_err(|_| Failure::usage("more requirements than one request takes (5,000)"))?;
    let json = client::ask(queue, &FromTool::Add { items, with_deps: add.with_deps }, TIME_LIMIT).map_err(
        |mut failure| {
            // a lost connection leaves it open; an answer of the master does not
            if failure.answered {
                failure.reasons.push("nothing was added".to_owned());
            }
            failure
        },
    )?;
    if add.json {
        return say(json);
    }
    let answer: Value = serde_json::from_str(&json).map_err(|e| Failure::error(e.to_string()))?;
    for added in answer["added"].as_array().into_iter().flatten() {
        say(describe(added))?;
    }
    Ok(())
}

/// What is asked for, in the arguments first. Exit code 2 when an argument is at fault, 1 when only lists are.
fn gather(add: &Add) -> Result<Found, Failure> {
    let mut found = Found::default();
    let mut errors = Vec::new();
    let mut code = 1;
    for package in &add.packages {
        if package == "-" {
            let mut text = String::new();
            match std::io::stdin().read_to_string(&mut text) {
                Ok(_) => {
                    let read = requirements::parse_file(Path::new("standard input"), &text, &mut found);
                    errors.extend(read.err().into_iter().flatten());
                }
                Err(error) => errors.push(format!("standard input: {error}")),
            }
            continue;
        }
        if let Err(reason) = found.add(package) {
            errors.push(reason);
            code = 2;
        }
    }
    for file in &add.requirement {
        match std::fs::read_to_string(file) {
            Ok(text) => {
                errors.extend(requirements::parse_file(file, &text, &mut found).err().into_iter().flatten())
            }
            Err(error) => errors.push(format!("cannot read {}: {error}", file.display())),
        }
    }
    if !errors.is_empty() {
        errors.push("nothing was added".to_owned());
        return Err(Failure { reasons: errors, code, answered: false });
    }
    if found.requirements.is_empty() && found.skipped.is_empty() {
        return Err(Failure::usage("nothing to add: name packages, -r FILE, or - for standard input"));
    }
    Ok(found)
}

fn describe(added: &Value) -> String {
    let text = |key: &str| added[key].as_str().unwrap_or_default();
    let what = format!("{} {}", text("package"), text("version"));
    match (text("state"), text("queued_for")) {
        ("new", "") => format!("{what}: on the list; queued when an ABI is added (piw abi add)"),
        ("new", abi) => format!("{what}: queued for {abi}"),
        ("queued", "") => {
            format!("{what}: was on the list already; queued when an ABI is added (piw abi add)")
        }
        ("queued", abi) => format!("{what}: was queued for {abi} already"),
        ("building", _) => format!("{what}: is being built"),
        ("built", _) => format!("{what}: is built already"),
        ("failed", _) => format!("{what}: was tried already and failed; 'piw why' says why"),
        ("skipped", _) => format!("{what}: is not built: {}", text("reason")),
        (other, _) => format!("{what}: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_that_waits_for_an_abi_is_told_from_one_that_is_queued() {
        let said = |state: &str, abi: Option<&str>| {
            describe(&serde_json::json!({"package": "x", "version": "1", "state": state, "queued_for": abi}))
        };
        assert_eq!(said("new", Some("cp311")), "x 1: queued for cp311");
        assert!(said("new", None).starts_with("x 1: on the list; queued when an ABI is added"));
        assert_eq!(said("queued", Some("cp311")), "x 1: was queued for cp311 already");
        assert!(
            said("queued", None).starts_with("x 1: was on the list already; queued when an ABI is added")
        );
    }
}
