//! `piw-remove`: removes what is published of packages (manual 7).
//!
//! Exit codes: 0 all is as was asked for; 1 something is not; 2 declined, or wrong usage.

use std::process::ExitCode;

use clap::Parser;
use piwheels::admin::client::Queue;
use piwheels::admin::remove::{self, Remove};
use piwheels::options::{Common, Failure};

/// Removes what is published of a package or a version of it. Must run on the master's machine, as the master's account or root.
#[derive(Debug, Parser)]
#[command(name = "piw-remove", version, args_override_self = true)]
struct Options {
    #[command(flatten)]
    common: Common,
    /// The address of the master's import queue (default: ipc:///tmp/piw-import); always an ipc address
    #[arg(long, value_name = "ADDR")]
    import_queue: Option<String>,
    #[command(flatten)]
    remove: Remove,
}

fn main() -> ExitCode {
    match run(Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.exit("piw-remove"),
    }
}

fn run(options: Options) -> Result<(), Failure> {
    let config = options.common.start("piw-remove")?;
    let queue = Queue::import(&config, options.import_queue)?;
    remove::run(&options.remove, options.common.quiet, &queue)
}
