//! Log lines for people (manual 2.2 `-q`, `-v`, `-l`): to standard error, bare; to the log file, with time and level.
//!
//! The lines are the same for every program; the master and the tools filter them with env_logger.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use log::{Level, LevelFilter, Record};

/// How much goes to the console: `quiet` errors only; `verbose` once information, twice everything; else warnings.
pub const fn console_level(quiet: bool, verbose: u8) -> LevelFilter {
    match (quiet, verbose) {
        (true, _) => LevelFilter::Error,
        (false, 0) => LevelFilter::Warn,
        (false, 1) => LevelFilter::Info,
        (false, _) => LevelFilter::Debug,
    }
}

/// One record on its way to the console, the log file, or both.
struct Lines {
    console: LevelFilter,
    file: Option<Mutex<File>>,
    program: &'static str,
}

impl Lines {
    fn new(program: &'static str, console: LevelFilter, file: Option<&Path>) -> Result<Self, String> {
        let file = match file {
            Some(path) => {
                let opened = OpenOptions::new().append(true).create(true).open(path);
                Some(Mutex::new(opened.map_err(|e| format!("cannot open log file {}: {e}", path.display()))?))
            }
            None => None,
        };
        Ok(Self { console, file, program })
    }

    /// The most that any destination wants.
    fn most(&self) -> LevelFilter {
        if self.file.is_some() { self.console.max(LevelFilter::Info) } else { self.console }
    }

    fn write(&self, record: &Record<'_>) {
        // One line per record, whatever its text: logs are read by line, and names in them may come from peers.
        let text: String =
            record.args().to_string().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        if record.level() <= self.console {
            // A closed standard error must not end the program.
            let _ = writeln!(std::io::stderr().lock(), "{}: {text}", self.program);
        }
        if let Some(file) = &self.file
            && record.level() <= self.most()
            && let Ok(mut file) = file.lock()
        {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let _ =
                writeln!(file, "{} {} {}: {text}", utc(now.as_secs()), self.program, level(record.level()));
        }
    }
}

/// Starts logging in the master and the tools: to standard error at `console`, and from information up to `file`. The
/// variable `PIW_LOG` narrows it further, in env_logger's syntax. The error is for people.
#[cfg(any(feature = "master", feature = "admin"))]
pub fn start(program: &'static str, console: LevelFilter, file: Option<&Path>) -> Result<(), String> {
    let lines = Lines::new(program, console, file)?;
    let mut builder = env_logger::Builder::new();
    builder.filter_module("piw", lines.most()).parse_env("PIW_LOG");
    builder.format(move |_, record| {
        lines.write(record);
        Ok(())
    });
    builder.try_init().map_err(|e| e.to_string())
}

/// The same for the slave, whose list of packages is short.
#[cfg(feature = "slave")]
pub fn start_small(program: &'static str, console: LevelFilter, file: Option<&Path>) -> Result<(), String> {
    let lines = Lines::new(program, console, file)?;
    log::set_max_level(lines.most());
    log::set_boxed_logger(Box::new(lines)).map_err(|e| e.to_string())
}

#[cfg(feature = "slave")]
impl log::Log for Lines {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }
    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            self.write(record);
        }
    }
    fn flush(&self) {}
}

const fn level(level: Level) -> &'static str {
    match level {
        Level::Error => "ERROR",
        Level::Warn => "WARNING",
        Level::Info => "INFO",
        Level::Debug => "DEBUG",
        Level::Trace => "TRACE",
    }
}

/// `2026-01-31T23:59:59Z`, from seconds since 1970 (proleptic Gregorian calendar).
pub fn utc(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Days since 0000-03-01, so that a leap day is the last of its year.
    let days = days + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests {
    use super::utc;

    #[test]
    fn times_are_written_in_utc() {
        assert_eq!(utc(0), "1970-01-01T00:00:00Z");
        assert_eq!(utc(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(utc(1_798_761_599), "2026-12-31T23:59:59Z");
        assert_eq!(utc(4_107_542_399), "2100-02-28T23:59:59Z");
    }
}
