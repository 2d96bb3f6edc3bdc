//! `piw skip`, `unskip`, `block`, `unblock`: what the operator will not have built, each with a reason for people.

use clap::Args;
use serde_json::Value;

use super::client::{self, Queue};
use super::named;
use crate::domain::NamePattern;
use crate::options::Failure;
use crate::wire::Text;
use crate::wire::import::FromTool;
use crate::wire::limits::NAME_BYTES;

/// A package, one version of it, or it for one ABI.
#[derive(Args, Clone, Debug)]
pub struct What {
    /// NAME or NAME==VERSION
    #[arg(value_name = "PACKAGE")]
    pub package: String,
    /// For this ABI only; not with a version
    #[arg(long, value_name = "TAG")]
    pub abi: Option<String>,
}

/// Build nothing more of a package, those versions to come too, of one version of it, or of it for one ABI
#[derive(Args, Clone, Debug)]
pub struct Skip {
    /// What.
    #[command(flatten)]
    pub what: What,
    /// Why, for people; 'piw why' shows it
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// Print the answer as JSON
    #[arg(long)]
    pub json: bool,
}

/// Take 'piw skip' back
#[derive(Args, Clone, Debug)]
pub struct Unskip {
    /// What.
    #[command(flatten)]
    pub what: What,
    /// Print the answer as JSON
    #[arg(long)]
    pub json: bool,
}

/// Build nothing more of packages with such names, those to come too
#[derive(Args, Clone, Debug)]
pub struct Block {
    /// A name, with * for any characters
    pub pattern: String,
    /// Why, for people; 'piw why' shows it
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// Print the answer as JSON
    #[arg(long)]
    pub json: bool,
}

/// Take 'piw block' back
#[derive(Args, Clone, Debug)]
pub struct Unblock {
    /// The same pattern
    pub pattern: String,
    /// Print the answer as JSON
    #[arg(long)]
    pub json: bool,
}

impl What {
    fn named(&self) -> Result<(named::Package, Text<64>), Failure> {
        let package = named::package(&self.package)?;
        if self.abi.is_some() && !package.version.is_empty() {
            return Err(Failure::usage(
                "a version is skipped for every ABI; only a whole package can be skipped for one (--abi)",
            ));
        }
        Ok((package, named::abi(self.abi.as_deref())?))
    }
}

/// `piw skip`
pub fn skip(skip: &Skip, queue: &Queue) -> Result<(), Failure> {
    let (package, abi) = skip.what.named()?;
    let reason = named::reason(&skip.reason)?;
    let request = FromTool::Skip { package: package.name, version: package.version, abi, reason };
    client::order(queue, &request, skip.json, skipped)
}

/// `piw unskip`
pub fn unskip(unskip: &Unskip, queue: &Queue) -> Result<(), Failure> {
    let (package, abi) = unskip.what.named()?;
    let request = FromTool::Unskip { package: package.name, version: package.version, abi };
    client::order(queue, &request, unskip.json, unskipped)
}

/// `piw block`
pub fn block(block: &Block, queue: &Queue) -> Result<(), Failure> {
    let request =
        FromTool::Block { pattern: pattern(&block.pattern)?, reason: named::reason(&block.reason)? };
    client::order(queue, &request, block.json, blocked)
}

/// `piw unblock`
pub fn unblock(unblock: &Unblock, queue: &Queue) -> Result<(), Failure> {
    let request = FromTool::Unblock { pattern: pattern(&unblock.pattern)? };
    client::order(queue, &request, unblock.json, unblocked)
}

fn pattern(text: &str) -> Result<Text<NAME_BYTES>, Failure> {
    let pattern = NamePattern::parse(text).map_err(|error| Failure::usage(error.to_string()))?;
    Text::new(pattern.as_str()).map_err(|why| Failure::usage(format!("the pattern {why}")))
}

fn what(answer: &Value) -> String {
    let text = |key: &str| answer[key].as_str();
    named::shown(text("package").unwrap_or_default(), text("version"), text("abi"))
}

fn skipped(answer: &Value) -> Vec<String> {
    let reason = answer["reason"].as_str().unwrap_or_default();
    let mut lines = vec![match answer["changed"].as_bool() {
        Some(true) => format!("{}: skipped: {reason}", what(answer)),
        _ => format!("{}: was skipped already: {reason}", what(answer)),
    }];
    if answer["registered"] == true {
        lines.push("the farm did not know it; it is skipped when it comes".to_owned());
    }
    lines.extend(cancelled(answer));
    lines
}

fn unskipped(answer: &Value) -> Vec<String> {
    let what = what(answer);
    if answer["changed"] != true {
        return vec![format!("{what}: was not skipped")];
    }
    vec![match answer["why_not"].as_str() {
        Some(reason) => format!("{what}: skipped no more, and not built all the same: {reason}"),
        None => format!("{what}: skipped no more"),
    }]
}

fn blocked(answer: &Value) -> Vec<String> {
    let text = |key: &str| answer[key].as_str().unwrap_or_default();
    let (pattern, reason) = (text("pattern"), text("reason"));
    if answer["changed"] != true {
        let mut lines = vec![format!("{pattern}: was blocked already: {reason}")];
        lines.extend(cancelled(answer));
        return lines;
    }
    let mut lines = vec![format!("{pattern}: blocked: {reason}; {}", packages(answer))];
    lines.extend(cancelled(answer));
    lines.extend(walks(answer));
    lines
}

fn unblocked(answer: &Value) -> Vec<String> {
    let pattern = answer["pattern"].as_str().unwrap_or_default();
    if answer["changed"] != true {
        return vec![format!("{pattern}: was not blocked; 'piw policy' lists the patterns that are")];
    }
    let mut lines = vec![format!("{pattern}: blocked no more; {}", packages(answer))];
    lines.extend(walks(answer));
    lines
}

fn packages(answer: &Value) -> String {
    match answer["packages"].as_u64() {
        Some(1) => "1 package that the farm knows is called so".to_owned(),
        many => format!("{} packages that the farm knows are called so", many.unwrap_or_default()),
    }
}

fn cancelled(answer: &Value) -> Option<String> {
    match answer["cancelled"].as_u64().unwrap_or_default() {
        0 => None,
        1 => Some("1 build of it is being cancelled".to_owned()),
        many => Some(format!("{many} builds of it are being cancelled")),
    }
}

fn walks(answer: &Value) -> Option<String> {
    (answer["walk"] == true)
        .then(|| "they are many versions: their jobs come and go in pieces, while it builds".to_owned())
}
