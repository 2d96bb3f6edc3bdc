//! `piw-logger`: has the downloads in a web server's access log counted.
//!
//! Exit codes: 0 everything was sent, 1 something was not, 2 wrong usage.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use piwheels::admin::client::Queue;
use piwheels::admin::logger::{self, Format, Input, Settings, SimplePath, TIME_LIMIT};
use piwheels::config::Duration;
use piwheels::logging;
use piwheels::options::{Common, Failure, say};

/// Reads access logs of the web server that serves the index, and has the master count the downloads in them. From a pipe
/// it reads on whatever the master does: records that find no room are dropped, and counted.
#[derive(Debug, Parser)]
#[command(name = "piw-logger", version, args_override_self = true)]
struct Options {
    #[command(flatten)]
    common: Common,
    /// The address of the master's import queue (default: ipc:///tmp/piw-import); always an ipc address
    #[arg(long, value_name = "ADDR")]
    import_queue: Option<String>,
    /// The format of the logs: common, combined, vhost_combined or json (default: that of each log's first line)
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
    /// Where the index is on the web server (default: /simple)
    #[arg(long, value_name = "PATH")]
    simple_path: Option<SimplePath>,
    /// Drop records that the master does not take in time, and take that for success
    #[arg(long, conflicts_with = "wait")]
    drop: bool,
    /// Read a pipe no faster than the master takes the records; never for a web server's own
    #[arg(long)]
    wait: bool,
    /// How long the master may take for some records that must not be dropped (default: 90s)
    #[arg(long, value_name = "DURATION")]
    time_limit: Option<Duration>,
    /// The logs, plain or packed with gzip; - for standard input (default: -)
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

fn main() -> ExitCode {
    match run(Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.exit("piw-logger"),
    }
}

fn run(options: Options) -> Result<(), Failure> {
    let config = options.common.start("piw-logger")?;
    let input = |file: PathBuf| if file.as_os_str() == "-" { Input::Standard } else { Input::Path(file) };
    let mut inputs: Vec<Input> = options.files.into_iter().map(input).collect();
    if inputs.is_empty() {
        inputs.push(Input::Standard);
    }
    let settings = Settings {
        queue: Queue::import(&config, options.import_queue)?,
        inputs,
        format: options.format,
        simple: config.value(options.simple_path, "simple-path", SimplePath::standard())?,
        drop: options.drop,
        wait: options.wait,
        time_limit: config.value(options.time_limit, "time-limit", Duration(TIME_LIMIT))?.0,
    };
    let report = logger::run(settings)?;
    log::info!("{}", report.summary);
    logging::flush();
    // with -v the line above is on the console already
    let silent = options.common.quiet || options.common.verbose > 0;
    let said = if silent { Ok(()) } else { say(report.summary) };
    report.failure.map_or(said, Err)
}
