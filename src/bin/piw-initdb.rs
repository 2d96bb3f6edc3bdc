//! `piw-initdb`: makes or upgrades the farm's tables (manual chapter 5).
//!
//! Exit codes: 0 done or current already, 1 failed, 2 declined or wrong usage.

use std::io::{self, BufRead, Write};
use std::process::ExitCode;

use clap::Parser;
use piwheels::admin::initdb::{self, Done, Settings};
use piwheels::options::{Common, Failure, say};
use piwheels::schema::SCHEMA_VERSION;

/// Makes the farm's tables in a database that exists, brings older ones up to date, or takes over what the original
/// piwheels has there at its version 0.10. Asks before it changes anything, and does everything in one transaction.
#[derive(Debug, Parser)]
#[command(name = "piw-initdb", version, args_override_self = true)]
struct Options {
    #[command(flatten)]
    common: Common,
    /// The database to create or upgrade; must connect as a superuser of it (default: postgres:///piwheels)
    #[arg(short, long, value_name = "DSN")]
    dsn: Option<String>,
    /// The name of the ordinary role that the master uses (default: piwheels)
    #[arg(short, long, value_name = "NAME")]
    user: Option<String>,
    /// Proceed without prompting
    #[arg(short, long)]
    yes: bool,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.exit("piw-initdb"),
    }
}

fn run(options: &Options) -> Result<(), Failure> {
    let config = options.common.start("piw-initdb")?;
    let settings = Settings {
        dsn: config.value(options.dsn.clone(), "dsn", "postgres:///piwheels".to_owned())?,
        user: config.value(options.user.clone(), "user", "piwheels".to_owned())?,
    };
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
