//! `piw abi`: which ABIs the farm builds for, and in what order.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::client;
use crate::options::{Failure, say};
use crate::wire::import::FromTool;
use crate::wire::{List, Text};

const TIME_LIMIT: Duration = Duration::from_secs(60);

/// The ABIs that the farm builds for
#[derive(Args, Clone, Debug)]
pub struct Abi {
    /// What to do
    #[command(subcommand)]
    pub action: Action,
}

/// What to do with ABIs.
#[derive(Subcommand, Clone, Debug)]
pub enum Action {
    /// Build for this ABI too
    Add {
        /// Its tag, such as cp311
        tag: String,
        /// Its place in the order of attempts, smallest first (default: by Python version)
        #[arg(long, allow_negative_numbers = true)]
        rank: Option<i16>,
        /// Platforms of the slaves that may build for it, such as linux_armv7l (default: any)
        #[arg(long = "platform", value_name = "TAG")]
        platforms: Vec<String>,
    },
    /// List them in the order in which they are attempted
    List {
        /// Print the answer as JSON
        #[arg(long)]
        json: bool,
    },
}

/// Does it.
pub fn run(abi: &Abi, queue: &client::Queue) -> Result<(), Failure> {
    let parse = |json: &str| serde_json::from_str::<Value>(json).map_err(|e| Failure::error(e.to_string()));
    match &abi.action {
        Action::Add { tag, rank, platforms } => {
            let text = |tag: &String| {
                Text::new(tag.as_str()).map_err(|why| Failure::usage(format!("the tag {tag:?} {why}")))
            };
            let platforms = platforms.iter().map(text).collect::<Result<Vec<_>, _>>()?;
            let platforms = List::new(platforms).map_err(|_| Failure::usage("more than 16 platforms"))?;
            let request = FromTool::AbiAdd { abi: text(tag)?, rank: *rank, platforms };
            let answer = parse(&client::ask(queue, &request, TIME_LIMIT)?)?;
            match answer["added"].as_bool() {
                Some(true) => say(format_args!(
                    "{tag}: added; what the farm knows is queued for it in pieces, while it builds"
                )),
                _ => say(format_args!("{tag}: was there already")),
            }
        }
        Action::List { json } => {
            let answer = client::ask(queue, &FromTool::AbiList {}, TIME_LIMIT)?;
            if *json {
                return say(answer);
            }
            let answer = parse(&answer)?;
            let abis = answer["abis"].as_array().map(Vec::as_slice).unwrap_or_default();
            if abis.is_empty() {
                say("none yet: 'piw abi add cp311' (for one) begins")?;
            }
            for abi in abis {
                let skip = abi["skip"].as_str().map(|why| format!("  not built for any more: {why}"));
                say(format_args!(
                    "{:10} rank {}{}",
                    abi["abi"].as_str().unwrap_or_default(),
                    abi["rank"],
                    skip.unwrap_or_default()
                ))?;
            }
            Ok(())
        }
    }
}
