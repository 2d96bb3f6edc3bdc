//! `piw-monitor` (manual 4.2).

use clap::Parser;

use crate::admin::client::{ControlQueue, StatusQueue};
use crate::options::{COMMAND_LINE, Common, Patience, Tool};

/// Watches a running farm in a terminal, and commands it
#[derive(Parser, Debug)]
#[command(name = "piw-monitor", version, args_override_self = true)]
pub struct Options {
    /// What every program has.
    #[command(flatten)]
    pub common: Common,
    /// Where the farm is watched.
    #[command(flatten)]
    pub status: StatusQueue,
    /// Where it is commanded.
    #[command(flatten)]
    pub control: ControlQueue,
    /// How long the master is waited for: by --once and commands, for a picture tries for ever.
    #[command(flatten)]
    pub patience: Patience,
    /// Print the farm as it is now, and end; needs no terminal
    #[arg(long, help_heading = COMMAND_LINE)]
    pub once: bool,
    /// Print JSON: with --once one object, else a line for each change until nobody reads
    #[arg(long, help_heading = COMMAND_LINE)]
    pub json: bool,
}

impl Tool for Options {
    const NAME: &'static str = "piw-monitor";
}
