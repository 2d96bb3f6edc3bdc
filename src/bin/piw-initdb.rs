//! `piw-initdb`: makes or upgrades the farm's tables (manual chapter 5).
//!
//! Exit codes: 0 done or current already, 1 failed, 2 declined or wrong usage.

use std::io::{self, BufRead, Write};
use std::process::ExitCode;

use piwheels::admin::initdb::{self, Done, Settings};
use piwheels::cli::initdb::Options;
use piwheels::options::{self, Failure, Tool, say};
use piwheels::schema::SCHEMA_VERSION;

fn main() -> ExitCode {
    options::read().map_or_else(
        |code| code,
        |(options, warnings)| options::ended(Options::NAME, run(&options, &warnings)),
    )
}

fn run(options: &Options, warnings: &[String]) -> Result<(), Failure> {
    options.common.start(Options::NAME, warnings)?;
    let settings = Settings { dsn: options.dsn.clone(), user: options.user.clone() };
    // with -v the lines are on the console already
    let prints = !options.common.quiet && options.common.verbose == 0;
    let mut tell = |line: &str| {
        log::info!("{line}");
        if prints {
            // where nobody reads any more, the work goes on
            let _ = say(line);
        }
    };
    let done = initdb::run(&settings, &mut |question| options.yes || ask(question), &mut tell)
        .map_err(|error| Failure::error(error.to_string()))?;
    let user = &settings.user;
    let line = match done {
        Done::AlreadyCurrent => {
            format!("the database is current (version {SCHEMA_VERSION}), and {user} may use it")
        }
        Done::Created => format!("the tables are made (version {SCHEMA_VERSION}), and {user} may use them"),
        Done::Upgraded(from) => format!("the database went from version {from} to {SCHEMA_VERSION}"),
        Done::TakenOver(taken) => {
            taken.left.iter().for_each(|left| log::warn!("{left}"));
            format!("{taken}; the tables are made (version {SCHEMA_VERSION}), and {user} may use them")
        }
        Done::Admitted => format!("{user} may use the database now"),
        Done::Declined => return Err(Failure::usage("declined; nothing was changed")),
    };
    log::info!("{line}");
    if prints { say(line) } else { Ok(()) }
}

/// Asks at the terminal. Anything but y or yes is a no, and so is the end of input.
fn ask(question: &str) -> bool {
    let mut out = io::stdout().lock();
    if write!(out, "{question} [y/N] ").and_then(|()| out.flush()).is_err() {
        return false;
    }
    let mut answer = String::new();
    match io::stdin().lock().read_line(&mut answer) {
        Ok(0) => {
            // the end of input left the cursor behind the question
            let _ = writeln!(out);
            false
        }
        Ok(_) => matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"),
        Err(_) => false,
    }
}
