//! The tools: what each does, without the parsing of its command line (`src/bin/` has that). And what they share: how
//! they log.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

use env_logger::{Builder, Logger, Target};
use log::{LevelFilter, Log, Metadata, Record};

pub mod initdb;

/// How a tool ended, which is also how the shell learns of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done, or there was nothing to do.
    Done = 0,
    /// It failed; the reason was logged.
    Failed = 1,
    /// The user declined, or called it wrongly.
    Declined = 2,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Starts logging: bare messages to standard error (errors only when `quiet`, everything of note when `verbose`), and
/// with time and level to `file`, which is appended to. To be called once.
pub fn start_log(quiet: bool, verbose: bool, file: Option<&Path>) -> io::Result<()> {
    let level = match (quiet, verbose) {
        (true, _) => LevelFilter::Error,
        (false, false) => LevelFilter::Warn,
        (false, true) => LevelFilter::Info,
    };
    let console = Builder::new()
        .filter_level(level)
        .target(Target::Stderr)
        .format(|out, record| writeln!(out, "{}", record.args()))
        .build();
    let file = match file {
        Some(path) => Some(log_to(path)?),
        None => None,
    };
    let most = if file.is_some() { level.max(LevelFilter::Info) } else { level };
    if log::set_boxed_logger(Box::new(Both { console, file })).is_ok() {
        log::set_max_level(most);
    }
    Ok(())
}

fn log_to(path: &Path) -> io::Result<Logger> {
    let file = OpenOptions::new().append(true).create(true).open(path)?;
    let format = |out: &mut env_logger::fmt::Formatter, record: &Record<'_>| {
        let time = out.timestamp();
        writeln!(out, "{time} {} {}: {}", record.target(), record.level(), record.args())
    };
    Ok(Builder::new()
        .filter_level(LevelFilter::Info)
        .target(Target::Pipe(Box::new(file)))
        .format(format)
        .build())
}

struct Both {
    console: Logger,
    file: Option<Logger>,
}

impl Log for Both {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.console.enabled(metadata) || self.file.as_ref().is_some_and(|file| file.enabled(metadata))
    }

    fn log(&self, record: &Record<'_>) {
        // each takes what its own level lets through
        self.console.log(record);
        if let Some(file) = &self.file {
            file.log(record);
        }
    }

    fn flush(&self) {
        self.console.flush();
        if let Some(file) = &self.file {
            file.flush();
        }
    }
}
