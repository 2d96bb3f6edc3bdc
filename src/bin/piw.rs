//! `piw`: the administrator's verbs that the manual has no program for.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use piwheels::admin::{abi, add, client, why};
use piwheels::options::{Common, Failure};

/// Administers a farm through its master.
#[derive(Parser, Debug)]
#[command(name = "piw", version, args_override_self = true)]
struct Options {
    #[command(flatten)]
    common: Common,
    /// The address of the master's import queue (default: ipc:///tmp/piw-import); always an ipc address
    #[arg(long, value_name = "ADDR", global = true)]
    import_queue: Option<String>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand, Debug)]
enum Verb {
    Add(add::Add),
    Abi(abi::Abi),
    Why(why::Why),
}

fn main() -> ExitCode {
    match run(Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.exit("piw"),
    }
}

fn run(options: Options) -> Result<(), Failure> {
    let config = options.common.start("piw")?;
    let queue = client::queue_path(&config, options.import_queue)?;
    match &options.verb {
        Verb::Add(verb) => add::run(verb, &queue),
        Verb::Abi(verb) => abi::run(verb, &queue),
        Verb::Why(verb) => why::run(verb, &queue),
    }
}
