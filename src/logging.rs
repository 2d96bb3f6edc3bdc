//! Log lines for people (manual 2.2 `-q`, `-v`, `-l`): to standard error, bare; to the log file, with time and level.
//!
//! The lines are the same for every program; the master and the tools filter them with env_logger. The master's are
//! written by a thread of their own ([`detach`]): a terminal that is stopped, or a full disk, must not stop its sockets.
//! A log file that was renamed is opened anew when that is asked for ([`reopen`]): no line is lost by it.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

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
    to_file: bool,
    program: &'static str,
}

/// The log file, if there is one: for whichever thread writes.
static FILE: OnceLock<Mutex<LogFile>> = OnceLock::new();

struct LogFile {
    /// Where it is, from the root: the working directory may change.
    path: PathBuf,
    file: File,
}

impl LogFile {
    fn open(path: &Path) -> Result<Self, String> {
        let file = OpenOptions::new().append(true).create(true).open(path);
        let file = file.map_err(|e| format!("cannot open log file {}: {e}", path.display()))?;
        Ok(Self { path: std::path::absolute(path).unwrap_or_else(|_| path.to_owned()), file })
    }
}

impl Lines {
    fn new(program: &'static str, console: LevelFilter, file: Option<&Path>) -> Result<Self, String> {
        if let Some(path) = file {
            let opened = LogFile::open(path).map_err(|e| format!("{e}; name another with --log-file"))?;
            FILE.set(Mutex::new(opened)).map_err(|_| "logging was started before".to_owned())?;
        }
        Ok(Self { console, to_file: file.is_some(), program })
    }

    /// The most that any destination wants.
    fn most(&self) -> LevelFilter {
        if self.to_file { self.console.max(LevelFilter::Info) } else { self.console }
    }

    fn write(&self, record: &Record<'_>) {
        // One line per record, whatever its text: logs are read by line, and names in them may come from peers.
        let text: String =
            record.args().to_string().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let console = (record.level() <= self.console).then(|| format!("{}: {text}\n", self.program));
        let file = (self.to_file && record.level() <= self.most()).then(|| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            format!("{} {} {}: {text}\n", utc(now.as_secs()), self.program, level(record.level()))
        });
        let line = Line { console, file };
        #[cfg(feature = "master")]
        if record.level() == Level::Error {
            remember(text);
        }
        match BACKGROUND.get() {
            Some(background) => background.hand_over(line),
            None => line.write(),
        }
    }
}

/// A line, formatted for where it goes.
struct Line {
    console: Option<String>,
    file: Option<String>,
}

impl Line {
    fn write(self) {
        // A closed standard error or a full disk must not end the program.
        if let Some(text) = self.console {
            let _ = std::io::stderr().lock().write_all(text.as_bytes());
        }
        if let (Some(text), Some(Ok(mut log))) = (self.file, FILE.get().map(Mutex::lock)) {
            let _ = log.file.write_all(text.as_bytes());
        }
    }
}

/// Lines that wait for the thread that writes them; more are lost, and counted.
const WAITING_LINES: usize = 4096;
/// How long the end of the program waits for them.
const FLUSH_LIMIT: Duration = Duration::from_secs(2);

static BACKGROUND: OnceLock<Background> = OnceLock::new();

struct Background {
    lines: SyncSender<Line>,
    lost: AtomicU64,
    /// Those that were told of, too.
    lost_ever: AtomicU64,
    /// The log file is to be opened anew.
    reopen: AtomicBool,
    /// Handed over, and written.
    counts: [AtomicU64; 2],
}

impl Background {
    fn hand_over(&self, line: Line) {
        match self.lines.try_send(line) {
            Ok(()) => {
                self.counts[0].fetch_add(1, Ordering::Relaxed);
            }
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.lost.fetch_add(1, Ordering::Relaxed);
                self.lost_ever.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn write_all(&self, lines: &Receiver<Line>) {
        while let Ok(line) = lines.recv() {
            if self.reopen.swap(false, Ordering::Acquire) {
                reopen_now();
            }
            line.write();
            self.counts[1].fetch_add(1, Ordering::Release);
            let lost = self.lost.swap(0, Ordering::Relaxed);
            if lost > 0 {
                let text =
                    format!("{lost} log lines were lost: they came faster than they could be written\n");
                Line { console: Some(text), file: None }.write();
            }
        }
    }
}

/// Lines that were lost since the start.
pub fn lost() -> u64 {
    BACKGROUND.get().map_or(0, |background| background.lost_ever.load(Ordering::Relaxed))
}

/// From now on a thread of its own writes the lines, and whoever logs never waits. To be called when the signals of the
/// process are blocked, which the thread inherits.
pub fn detach() -> std::io::Result<()> {
    let (lines, inbox) = sync_channel(WAITING_LINES);
    let background = Background {
        lines,
        lost: AtomicU64::new(0),
        lost_ever: AtomicU64::new(0),
        reopen: AtomicBool::new(false),
        counts: [AtomicU64::new(0), AtomicU64::new(0)],
    };
    if BACKGROUND.set(background).is_err() {
        return Ok(());
    }
    std::thread::Builder::new().name("log".to_owned()).spawn(move || {
        if let Some(background) = BACKGROUND.get() {
            background.write_all(&inbox);
        }
    })?;
    Ok(())
}

/// Whether there is a log file.
pub fn to_file() -> bool {
    FILE.get().is_some()
}

/// Has the log file opened anew, under its name: the one that was open may have been renamed, by logrotate or a person. Waits
/// for nothing where [`detach`] was called. What cannot be opened is said, and the lines go on to the old file.
pub fn reopen() {
    match BACKGROUND.get() {
        Some(background) => {
            background.reopen.store(true, Ordering::Release);
            // something to wake the thread up with; when there is no room, it is awake
            background.hand_over(Line { console: None, file: None });
        }
        None => reopen_now(),
    }
}

fn reopen_now() {
    let Some(log) = FILE.get() else { return };
    let opened = {
        let Ok(mut log) = log.lock() else { return };
        LogFile::open(&log.path).map(|anew| *log = anew)
    };
    match opened {
        Ok(()) => log::info!("the log file is opened anew"),
        Err(reason) => log::error!("{reason}; lines go on to the one that was open"),
    }
}

/// Lines of trouble that are remembered.
#[cfg(feature = "master")]
const REMEMBERED: usize = crate::wire::limits::ERROR_LINES;

/// The last lines of level ERROR, the oldest first: seconds since 1970, and the text.
#[cfg(feature = "master")]
static LAST_ERRORS: Mutex<std::collections::VecDeque<(u64, String)>> =
    Mutex::new(std::collections::VecDeque::new());

#[cfg(feature = "master")]
fn remember(text: String) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    if let Ok(mut last) = LAST_ERRORS.lock() {
        if last.len() == REMEMBERED {
            last.pop_front();
        }
        last.push_back((now.as_secs(), text));
    }
}

/// The last lines of level ERROR since the start, the oldest first: seconds since 1970, and the text. Ten at most.
#[cfg(feature = "master")]
pub fn last_errors() -> Vec<(u64, String)> {
    LAST_ERRORS.lock().map(|last| last.iter().cloned().collect()).unwrap_or_default()
}

/// Waits until the lines so far are written, for a bounded time.
pub fn flush() {
    let Some(background) = BACKGROUND.get() else { return };
    let until = Instant::now() + FLUSH_LIMIT;
    let [handed, written] = &background.counts;
    while written.load(Ordering::Acquire) < handed.load(Ordering::Relaxed) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Starts logging in the master and the tools: to standard error at `console`, and from information up to `file`. The
/// variable `PIW_LOG` narrows it further, in env_logger's syntax. The error is for people.
#[cfg(any(feature = "master", feature = "admin"))]
pub fn start(program: &'static str, console: LevelFilter, file: Option<&Path>) -> Result<(), String> {
    let lines = Lines::new(program, console, file)?;
    let mut builder = env_logger::Builder::new();
    builder.filter_module("piw", lines.most()).parse_env("PIW_LOG");
    // what is written is written above; its own target would lock standard error for nothing
    builder.target(env_logger::Target::Pipe(Box::new(std::io::sink()))).format(move |_, record| {
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
