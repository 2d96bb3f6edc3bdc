//! The options that every tool has (manual 2.2), and how a tool ends.

use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::config::{Config, ConfigError};
use crate::logging;

/// `-c`, `-q`, `-v`, `-l`.
#[derive(Args, Clone, Debug)]
pub struct Common {
    /// Specify a configuration file to load
    #[arg(short = 'c', long = "configuration", value_name = "FILE", global = true)]
    pub configuration: Option<PathBuf>,
    /// Produce less console output
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Produce more console output; twice for everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Log messages to the specified file
    #[arg(short = 'l', long = "log-file", value_name = "FILE", global = true)]
    pub log_file: Option<PathBuf>,
}

impl Common {
    /// Reads the configuration and starts logging.
    pub fn start(&self, program: &'static str) -> Result<Config, Failure> {
        let config = Config::load(self.configuration.as_deref())?;
        let file: Option<PathBuf> = config.find(self.log_file.clone(), "log-file")?;
        let level = logging::console_level(self.quiet, self.verbose);
        logging::start(program, level, file.as_deref()).map_err(Failure::error)?;
        config.warnings.iter().for_each(|warning| log::warn!("{warning}"));
        Ok(config)
    }
}

/// Why a tool did not do what it was asked: lines for people, and the exit code (1 error, 2 declined or usage).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// One line each.
    pub reasons: Vec<String>,
    /// The exit code.
    pub code: u8,
    /// The master refused it, and so changed nothing.
    pub answered: bool,
}

impl Failure {
    /// It could not be done.
    pub fn error(reason: impl Into<String>) -> Self {
        Self { reasons: vec![reason.into()], code: 1, answered: false }
    }

    /// It was asked wrongly, or declined.
    pub fn usage(reason: impl Into<String>) -> Self {
        Self { reasons: vec![reason.into()], code: 2, answered: false }
    }

    /// Says why, and gives the exit code.
    pub fn exit(&self, program: &str) -> ExitCode {
        let mut to = io::stderr().lock();
        for reason in &self.reasons {
            // where nobody listens, the exit code says it
            let _ = writeln!(to, "{program}: {reason}");
        }
        ExitCode::from(self.code)
    }
}

/// Prints a line of the answer. Where nobody reads any more (`piw why x | head -1`), the tool ends, without a word: the
/// failure then has exit code 0.
pub fn say(line: impl fmt::Display) -> Result<(), Failure> {
    writeln!(io::stdout().lock(), "{line}").map_err(unsaid)
}

fn unsaid(error: io::Error) -> Failure {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Failure { reasons: Vec::new(), code: 0, answered: false };
    }
    Failure::error(format!("the answer cannot be printed: {error}"))
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::usage(error.to_string())
    }
}
