//! `piw-logger`: has the downloads in a web server's access log counted.
//!
//! Exit codes: 0 everything was sent, 1 something was not, 2 wrong usage.

use std::path::PathBuf;
use std::process::ExitCode;

use piwheels::admin::client::Queue;
use piwheels::admin::logger::{self, Input, Settings};
use piwheels::cli::logger::Options;
use piwheels::logging;
use piwheels::options::{self, Failure, Tool, say};

fn main() -> ExitCode {
    options::read().map_or_else(
        |code| code,
        |(options, warnings)| options::ended(Options::NAME, run(options, &warnings)),
    )
}

fn run(options: Options, warnings: &[String]) -> Result<(), Failure> {
    options.common.start(Options::NAME, warnings)?;
    let input = |file: PathBuf| if file.as_os_str() == "-" { Input::Standard } else { Input::Path(file) };
    let mut inputs: Vec<Input> = options.files.into_iter().map(input).collect();
    if inputs.is_empty() {
        inputs.push(Input::Standard);
    }
    let settings = Settings {
        // how long it is waited for, the time limit says
        queue: Queue::import(&options.queue, options::Patience { tool_timeout: None }),
        inputs,
        format: options.format,
        simple: options.simple_path,
        drop: options.drop,
        wait: options.wait,
        time_limit: options.time_limit.0,
    };
    let report = logger::run(settings)?;
    log::info!("{}", report.summary);
    logging::flush();
    // with -v the line above is on the console already
    let silent = options.common.quiet || options.common.verbose > 0;
    let said = if silent { Ok(()) } else { say(report.summary) };
    report.failure.map_or(said, Err)
}
