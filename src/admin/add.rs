//! `piw add`: puts packages on the farm's list.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use super::client;
use super::requirements;
use crate::options::Failure;
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
    /// Print the answer as JSON
    #[arg(long)]
    pub json: bool,
}

/// Adds everything or, when anything is wrong, nothing.
pub fn run(add: &Add, queue: &Path) -> Result<(), Failure> {
    let items = gather(add)?;
    let items =
        List::new(items).map_err(|_| Failure::usage("more requirements than one request takes (5,000)"))?;
    let json = client::ask(queue, &FromTool::Add { items }, TIME_LIMIT).map_err(|mut failure| {
        // a lost connection leaves it open; an answer of the master does not
        if failure.answered {
            failure.reasons.push("nothing was added".to_owned());
        }
        failure
    })?;
    if add.json {
        println!("{json}");
        return Ok(());
    }
    let answer: Value = serde_json::from_str(&json).map_err(|e| Failure::error(e.to_string()))?;
    for added in answer["added"].as_array().into_iter().flatten() {
        println!("{}", describe(added));
    }
    Ok(())
}

fn gather(add: &Add) -> Result<Vec<crate::wire::import::Requirement>, Failure> {
    let mut found = Vec::new();
    let mut errors = Vec::new();
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
        match requirements::parse(package) {
            Ok(requirement) => found.push(requirement),
            Err(reason) => errors.push(reason),
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
        return Err(Failure { reasons: errors, code: 1, answered: false });
    }
    if found.is_empty() {
        return Err(Failure::usage("nothing to add: name packages, -r FILE, or - for standard input"));
    }
    Ok(found)
}

fn describe(added: &Value) -> String {
    let text = |key: &str| added[key].as_str().unwrap_or_default();
    let what = format!("{} {}", text("package"), text("version"));
    let queued = match text("queued_for") {
        "" => "on the list; queued when an ABI is added (piw abi add)".to_owned(),
        abi => format!("queued for {abi}"),
    };
    match text("state") {
        "new" => format!("{what}: {queued}"),
        "queued" => format!("{what}: was {queued} already"),
        "building" => format!("{what}: is being built"),
        "built" => format!("{what}: is built already"),
        "failed" => format!("{what}: was tried already and failed; 'piw why' says why"),
        "skipped" => format!("{what}: is skipped by the operator; 'piw why' says why"),
        other => format!("{what}: {other}"),
    }
}
