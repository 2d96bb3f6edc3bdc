//! `piw-monitor`: watches a running farm, and commands it (manual 4).

use std::io::IsTerminal;
use std::panic::{self, PanicHookInfo};
use std::process::ExitCode;
use std::sync::Mutex;

use clap::Parser;
use piwheels::admin::client::Queue;
use piwheels::config::Config;
use piwheels::logging;
use piwheels::monitor::once;
use piwheels::monitor::run::{self, Look};
use piwheels::options::{Common, Failure};

/// Watches a running farm in a terminal, and commands it
#[derive(Parser, Debug)]
#[command(name = "piw-monitor", version, args_override_self = true)]
struct Options {
    #[command(flatten)]
    common: Common,
    /// The address of the queue used to report status to monitors (default: ipc:///tmp/piw-status)
    #[arg(long, value_name = "ADDR")]
    status_queue: Option<String>,
    /// The address of the queue a monitor can use to control the master (default: ipc:///tmp/piw-control)
    #[arg(long, value_name = "ADDR")]
    control_queue: Option<String>,
    /// Print the farm as it is now, and end; needs no terminal
    #[arg(long)]
    once: bool,
    /// Print JSON: with --once one object, else a line for each change until nobody reads
    #[arg(long)]
    json: bool,
}

/// What a panic said. It is told when the terminal is given back, for nobody could read it before.
static PANIC: Mutex<Option<String>> = Mutex::new(None);

fn main() -> ExitCode {
    let options = Options::parse();
    panic::set_hook(Box::new(|info: &PanicHookInfo<'_>| {
        if let Ok(mut said) = PANIC.lock() {
            said.get_or_insert_with(|| info.to_string());
        }
    }));
    let result = panic::catch_unwind(|| run(options)).unwrap_or_else(|_| {
        let said = PANIC.lock().ok().and_then(|mut said| said.take()).unwrap_or_default();
        Err(Failure::error(format!("a defect of this program: {}", said.replace('\n', " "))))
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.exit("piw-monitor"),
    }
}

fn run(options: Options) -> Result<(), Failure> {
    let printed = options.once || options.json;
    let config = if printed { options.common.start("piw-monitor")? } else { start_quietly(&options.common)? };
    let status = Queue::status(&config, options.status_queue)?;
    let control = Queue::control(&config, options.control_queue)?;
    if options.once {
        return once::once(&status, options.json, Look::of_environment().ascii);
    }
    if options.json {
        return once::stream(&status);
    }
    let dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    if !std::io::stdout().is_terminal() || dumb {
        return Err(Failure::usage(
            "this is no terminal that pictures can be drawn on; --once and --json need none",
        ));
    }
    run::run(status, control, Look::of_environment())
}

/// Reads the configuration and logs to the file alone: the terminal is the picture's.
fn start_quietly(common: &Common) -> Result<Config, Failure> {
    let config = Config::load(common.configuration.as_deref())?;
    let file: Option<std::path::PathBuf> = config.find(common.log_file.clone(), "log-file")?;
    logging::start("piw-monitor", log::LevelFilter::Off, file.as_deref()).map_err(Failure::error)?;
    config.warnings.iter().for_each(|warning| log::warn!("{warning}"));
    Ok(config)
}
