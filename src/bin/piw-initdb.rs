//! `piw-initdb`: makes or upgrades the farm's tables (manual chapter 5). Reads the command line and the environment,
//! asks at the terminal, and turns the outcome into an exit code: 0 done or current already, 1 failed, 2 declined or
//! wrong usage.

use std::io::{self, BufRead, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use piwheels::admin::initdb::{self, Done, Settings};
use piwheels::admin::{Exit, start_log};
use piwheels::schema::SCHEMA_VERSION;

/// The database when nothing names one (manual 5.2).
const DEFAULT_DSN: &str = "postgres:///piwheels";

/// The master's role when nothing names one (manual 5.2).
const DEFAULT_USER: &str = "piwheels";

/// Makes the farm's tables in a database that exists, or brings older ones up to date. Asks before it changes
/// anything, and does everything in one transaction.
#[derive(Debug, Parser)]
#[command(name = "piw-initdb", version)]
struct Options {
    /// Read this configuration file
    #[arg(short, long, value_name = "FILE")]
    configuration: Option<PathBuf>,
    /// Say less: errors only
    #[arg(short, long, conflicts_with = "verbose")]
    quiet: bool,
    /// Say more: every step
    #[arg(short, long)]
    verbose: bool,
    /// Log to this file too
    #[arg(short, long, value_name = "FILE")]
    log_file: Option<PathBuf>,
    /// The database, as a super-user of it [default: postgres:///piwheels]
    #[arg(short, long, value_name = "DSN", env = "PIW_DSN", hide_env_values = true)]
    dsn: Option<String>,
    /// The ordinary role that the master uses [default: piwheels]
    #[arg(short, long, value_name = "NAME", env = "PIW_USER")]
    user: Option<String>,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

fn main() -> ExitCode {
    run(&Options::parse()).into()
}

fn run(options: &Options) -> Exit {
    if let Err(error) = start_log(options.quiet, options.verbose, options.log_file.as_deref()) {
        eprintln!("cannot open the log file: {error}");
        return Exit::Failed;
    }
    if let Some(file) = &options.configuration {
        log::error!(
            "{}: piw-initdb takes its options from the command line and the environment only",
            file.display()
        );
        return Exit::Failed;
    }
    let settings = Settings {
        dsn: options.dsn.clone().unwrap_or_else(|| DEFAULT_DSN.to_owned()),
        user: options.user.clone().unwrap_or_else(|| DEFAULT_USER.to_owned()),
    };
    let yes = options.yes;
    match initdb::run(&settings, &mut |question| yes || ask(question)) {
        Ok(Done::Declined) => {
            log::warn!("declined; nothing was changed");
            Exit::Declined
        }
        Ok(done) => {
            log::info!("{}", message(done, &settings.user));
            Exit::Done
        }
        Err(error) => {
            log::error!("{error}");
            Exit::Failed
        }
    }
}

fn message(done: Done, user: &str) -> String {
    match done {
        Done::AlreadyCurrent => {
            format!("the database is current (version {SCHEMA_VERSION}), and {user} may use it")
        }
        Done::Created => format!("the tables are made (version {SCHEMA_VERSION}), and {user} may use them"),
        Done::Upgraded(from) => format!("the database went from version {from} to {SCHEMA_VERSION}"),
        Done::Admitted => format!("{user} may use the database now"),
        Done::Declined => "declined; nothing was changed".to_owned(),
    }
}

/// Asks at the terminal. Anything but y or yes is a no, and so is the end of input.
fn ask(question: &str) -> bool {
    let mut out = io::stdout().lock();
    if write!(out, "{question} [y/N] ").and_then(|()| out.flush()).is_err() {
        return false;
    }
    let mut answer = String::new();
    match io::stdin().lock().read_line(&mut answer) {
        Ok(_) => matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"),
        Err(_) => false,
    }
}
