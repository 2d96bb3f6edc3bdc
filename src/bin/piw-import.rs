//! `piw-import`: has wheels published that somebody else built (manual 6).
//!
//! Exit codes: 0 all were published, or were already; 1 something was not; 2 declined, or wrong usage.

use std::process::ExitCode;

use clap::Parser;
use piwheels::admin::client::Queue;
use piwheels::admin::import::{self, Import};
use piwheels::options::{Common, Failure};

/// Has wheels published that were built elsewhere. Must run on the master's machine, as the master's account or root.
#[derive(Debug, Parser)]
#[command(name = "piw-import", version, args_override_self = true)]
struct Options {
    #[command(flatten)]
    common: Common,
    /// The address of the master's import queue (default: ipc:///tmp/piw-import); always an ipc address
    #[arg(long, value_name = "ADDR")]
    import_queue: Option<String>,
    #[command(flatten)]
    import: Import,
}

fn main() -> ExitCode {
    match run(Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.exit("piw-import"),
    }
}

fn run(options: Options) -> Result<(), Failure> {
    let config = options.common.start("piw-import")?;
    let queue = Queue::import(&config, options.import_queue)?;
    import::run(&options.import, options.common.quiet, &queue)
}
