//! `piw-remove`: removes what is published of packages (manual 7).
//!
//! Exit codes: 0 all is as was asked for; 1 something is not; 2 declined, or wrong usage.

use std::process::ExitCode;

use piwheels::admin::remove;
use piwheels::cli::remove::Options;
use piwheels::options::{self, Failure, Tool};

fn main() -> ExitCode {
    options::read().map_or_else(
        |code| code,
        |(options, warnings)| options::ended(Options::NAME, run(&options, &warnings)),
    )
}

fn run(options: &Options, warnings: &[String]) -> Result<(), Failure> {
    let queue = options.head.start(Options::NAME, warnings)?;
    remove::run(&options.remove, options.head.common.quiet, &queue)
}
