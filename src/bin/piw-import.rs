//! `piw-import`: has wheels published that somebody else built (manual 6).
//!
//! Exit codes: 0 all were published, or were already; 1 something was not; 2 declined, or wrong usage.

use std::process::ExitCode;

use piwheels::admin::import;
use piwheels::cli::import::Options;
use piwheels::options::{self, Failure, Tool};

fn main() -> ExitCode {
    options::read().map_or_else(
        |code| code,
        |(options, warnings)| options::ended(Options::NAME, run(&options, &warnings)),
    )
}

fn run(options: &Options, warnings: &[String]) -> Result<(), Failure> {
    let queue = options.head.start(Options::NAME, warnings)?;
    import::run(&options.import, options.head.common.quiet, &queue)
}
