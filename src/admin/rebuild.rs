//! `piw rebuild`: pages are written again.

use clap::{Args, ValueEnum};
use serde_json::Value;

use super::client::{self, Queue};
use super::named;
use crate::domain::ProjectName;
use crate::options::Failure;
use crate::wire::import::{FromTool, Pages};
use crate::wire::{List, Text};

/// Have pages of the site written again; one that is right already is left alone. Nothing is built: see 'piw requeue'
#[derive(Args, Clone, Debug)]
pub struct Rebuild {
    /// Which pages
    pub what: What,
    /// Of these projects only
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Print the answer as JSON
    #[arg(long)]
    pub json: bool,
}

/// Which pages.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The home page
    Home,
    /// Projects' pages: those named, or all
    Project,
    /// The root of the simple index
    Index,
    /// All pages there are
    All,
}

/// Gives the order.
pub fn run(rebuild: &Rebuild, queue: &Queue) -> Result<(), Failure> {
    if rebuild.what != What::Project && !rebuild.names.is_empty() {
        return Err(Failure::usage("only 'piw rebuild project' takes names"));
    }
    let name = |name: &String| {
        let known = ProjectName::parse(name).map_err(|error| Failure::usage(error.to_string()))?;
        Text::new(known.as_str()).map_err(|why| Failure::usage(format!("the name {why}")))
    };
    let names = rebuild.names.iter().map(name).collect::<Result<Vec<_>, _>>()?;
    let names = List::new(names).map_err(|why| Failure::usage(format!("the list of names {why}")))?;
    let what = match rebuild.what {
        What::Home => Pages::Home,
        What::Project => Pages::Project,
        What::Index => Pages::Index,
        What::All => Pages::All,
    };
    client::order(queue, &FromTool::Rebuild { what, names }, rebuild.json, describe)
}

fn describe(answer: &Value) -> Vec<String> {
    let pages = answer["pages"].as_u64().unwrap_or_default();
    vec![format!("{} to be written again", named::counted(pages, "page"))]
}
