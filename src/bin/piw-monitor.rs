//! `piw-monitor`: watches a running farm, and commands it (manual 4).

use std::io::IsTerminal;
use std::panic::{self, PanicHookInfo};
use std::process::ExitCode;
use std::sync::Mutex;

use piwheels::admin::client::Queue;
use piwheels::cli::monitor::Options;
use piwheels::monitor::once;
use piwheels::monitor::run::{self, Look};
use piwheels::options::{self, Failure, Tool};

/// What a panic said. It is told when the terminal is given back, for nobody could read it before.
static PANIC: Mutex<Option<String>> = Mutex::new(None);

fn main() -> ExitCode {
    let (options, warnings) = match options::read::<Options>() {
        Ok(read) => read,
        Err(code) => return code,
    };
    panic::set_hook(Box::new(|info: &PanicHookInfo<'_>| {
        if let Ok(mut said) = PANIC.lock() {
            said.get_or_insert_with(|| info.to_string());
        }
    }));
    let result = panic::catch_unwind(|| run(&options, &warnings)).unwrap_or_else(|_| {
        let said = PANIC.lock().ok().and_then(|mut said| said.take()).unwrap_or_default();
        Err(Failure::error(format!("a defect of this program: {}", said.replace('\n', " "))))
    });
    options::ended(Options::NAME, result)
}

fn run(options: &Options, warnings: &[String]) -> Result<(), Failure> {
    if options.once || options.json {
        options.common.start(Options::NAME, warnings)?;
    } else {
        options.common.start_quietly(Options::NAME, warnings)?;
    }
    let status = Queue::status(&options.status, options.patience);
    let control = Queue::control(&options.control, options.patience);
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
