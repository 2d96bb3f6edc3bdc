//! `piw abi`: which ABIs the farm builds for, and in what order.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::{client, named};
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
    /// Build nothing more for this ABI: what is published stays, what is being built is finished
    Retire {
        /// Its tag
        tag: String,
        /// Why, for people; 'piw abi list' and 'piw why' show it
        #[arg(long, value_name = "TEXT")]
        reason: String,
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
    match &abi.action {
        Action::Add { tag, rank, platforms } => {
            let text = |tag: &String| {
                Text::new(tag.as_str()).map_err(|why| Failure::usage(format!("the tag {tag:?} {why}")))
            };
            let platforms = platforms.iter().map(text).collect::<Result<Vec<_>, _>>()?;
            let platforms = List::new(platforms).map_err(|_| Failure::usage("more than 16 platforms"))?;
            let request = FromTool::AbiAdd { abi: text(tag)?, rank: *rank, platforms };
            let answer = client::answer(queue, &request, TIME_LIMIT)?;
            match answer["added"].as_bool() {
                Some(true) => say(format_args!(
                    "{tag}: added; what the farm knows is queued for it in pieces, while it builds"
                )),
                _ => say(format_args!("{tag}: was there already")),
            }
        }
        Action::Retire { tag, reason } => {
            let request = FromTool::AbiRetire { abi: named::abi(Some(tag))?, reason: named::reason(reason)? };
            client::order(queue, &request, false, |answer| {
                vec![if answer["changed"] == true {
                    format!("{tag}: retired: {reason}; what waits for it goes on to the next ABI in pieces")
                } else {
                    format!("{tag}: was retired already: {reason}")
                }]
            })
        }
        Action::List { json } => {
            let answer = client::ask(queue, &FromTool::AbiList {}, TIME_LIMIT)?;
            if *json {
                return say(answer);
            }
            let answer = client::parsed(&answer)?;
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
            if let Some(walk) = answer["walk"].as_object() {
                let at =
                    walk["at"].as_i64().map_or_else(String::new, |at| format!(": at {at} of {}", walk["of"]));
                say(format_args!("what the farm knows is being brought in line{at}"))?;
            }
            Ok(())
        }
    }
}
