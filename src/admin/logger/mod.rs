//! `piw-logger`: reads a web server's access log and has the master count the downloads in it.
//!
//! ```text
//!   reader (thread) ──records──► buffer ──batches──► sender (thread) ──DOWNLOADS──► master
//!        ▲ lines                20,000 records          one at a time
//!   file, pipe                                  signals (thread) ──► supervisor
//! ```
//!
//! A pipe is never left unread, whatever the master does: what comes beyond the buffer is dropped and counted, unless the
//! operator says that its writer may wait. Files wait for the master. Whatever blocks is a thread of its own; the
//! supervisor ends the program when everything is sent, or in time after a signal.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender as Channel, channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, Signal};

use super::client::Queue;
use crate::logging;
use crate::options::Failure;

mod access;
mod agent;
mod buffer;
mod format;
#[cfg(any(test, fuzzing))]
#[path = "../../../tests/fuzz/targets/logger.rs"]
pub(crate) mod fuzz;
mod input;
mod json;
mod moment;
mod sender;
mod text;

pub use access::SimplePath;
pub use format::Format;
pub use input::Input;

use buffer::{Buffer, Entry, Put, WhenFull};
use input::Line;
use sender::{FLUSH_LIMIT, Patience, Sender};

/// The default of [`Settings::time_limit`]: longer than the master takes to say that its database is away.
pub const TIME_LIMIT: Duration = Duration::from_secs(90);
/// How long a pipe is still read after a signal: what its writer had written before.
const LAST_READS: Duration = Duration::from_millis(500);
/// How often lost records are complained about.
const COMPLAIN_EVERY: Duration = Duration::from_secs(60);
/// Lines of one log that are named when they are passed over.
const NAMED_LINES: u64 = 10;

/// What to read, and how.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The master's import channel.
    pub queue: Queue,
    /// The logs, in order; a pipe only alone.
    pub inputs: Vec<Input>,
    /// Their format; found out when there is none.
    pub format: Option<Format>,
    /// Where the index is on the web server.
    pub simple: SimplePath,
    /// Records may be lost.
    pub drop: bool,
    /// A pipe's writer may have to wait.
    pub wait: bool,
    /// How long the master may take for a batch that must not be lost.
    pub time_limit: Duration,
}

/// What was done, however it ended.
#[derive(Debug)]
pub struct Report {
    /// For people.
    pub summary: Summary,
    /// Why not all of it was done.
    pub failure: Option<Failure>,
}

/// How many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Downloads that the master has recorded.
    pub sent: u64,
    /// Of these: of no package on the farm's list.
    pub unknown: u64,
    /// Lines that are none of the log's format.
    pub passed_over: u64,
    /// Downloads that were lost, or that may be.
    pub dropped: u64,
    /// Downloads that the master would not record, for they are too old or in the future.
    pub outside: u64,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = |n: u64| if n == 1 { "" } else { "s" };
        let Self { sent, unknown, passed_over, dropped, outside } = *self;
        write!(
            f,
            "{sent} record{} sent, {passed_over} line{} passed over, {dropped} dropped",
            s(sent),
            s(passed_over)
        )?;
        if unknown > 0 {
            write!(f, "; {unknown} of no package on the list")?;
        }
        if outside > 0 {
            write!(f, "; {outside} not counted, older than two years or in the future")?;
        }
        Ok(())
    }
}

/// What the threads count.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    found: AtomicU64,
    passed_over: AtomicU64,
    sent: AtomicU64,
    unknown: AtomicU64,
    outside: AtomicU64,
    dropped: AtomicU64,
    /// What is wrong with logs, once the reader is through with all of them.
    read: OnceLock<Vec<String>>,
    /// Input and line of the last record that the master has.
    reached: Mutex<Option<(usize, u64)>>,
}

impl Tally {
    fn reached(&self) -> MutexGuard<'_, Option<(usize, u64)>> {
        self.reached.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn summary(&self) -> Summary {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Summary {
            sent: get(&self.sent),
            unknown: get(&self.unknown),
            passed_over: get(&self.passed_over),
            dropped: get(&self.dropped),
            outside: get(&self.outside),
        }
    }
}

/// What the supervisor hears of.
enum Happening {
    Signal(Signal),
    Sent(Result<(), Failure>),
}

/// Reads and sends until the end, or until a signal. To be called once in a process, before it has other threads:
/// SIGINT and SIGTERM are its own from then on.
pub fn run(settings: Settings) -> Result<Report, Failure> {
    let live = is_live(&settings)?;
    let ways = Ways::of(&settings, live);
    let shared = Arc::new((settings, Buffer::default(), Tally::default()));
    let (happenings, inbox) = channel();
    catch_signals(happenings.clone())?;
    // nobody who is to be told something may hold the reader up
    logging::detach().map_err(|e| Failure::error(format!("no thread: {e}")))?;
    let (reader, sender) = (shared.clone(), shared.clone());
    spawn("reader", move || {
        let (settings, buffer, tally) = &*reader;
        if let Some(wrong) = read_all(settings, ways.when_full, live, buffer, tally) {
            let _ = tally.read.set(wrong);
        }
        buffer.end();
    })?;
    spawn("sender", move || {
        let (settings, buffer, tally) = &*sender;
        let sent = Sender::new(&settings.queue, ways.patience, buffer, tally).run();
        // nobody listens any more when the supervisor did not wait
        let _ = happenings.send(Happening::Sent(sent));
    })?;
    let sent = supervise(&inbox, live, &shared.1, &shared.2);
    logging::flush();
    Ok(report(&shared.0, ways, sent, &shared.2))
}

/// How it deals with a master that is slow or away.
#[derive(Clone, Copy, Debug)]
struct Ways {
    when_full: WhenFull,
    patience: Patience,
}

impl Ways {
    fn of(settings: &Settings, live: bool) -> Self {
        if live && !settings.wait {
            Self { when_full: WhenFull::Drop, patience: Patience::WhileTheyCome }
        } else if settings.drop {
            Self { when_full: WhenFull::DropLater, patience: Patience::WhileTheyCome }
        } else {
            Self { when_full: WhenFull::Wait, patience: Patience::Bounded(settings.time_limit) }
        }
    }
}

/// Whether the one input is a pipe. Nothing is read before all files have been found.
fn is_live(settings: &Settings) -> Result<bool, Failure> {
    let mut pipes = 0;
    for input in &settings.inputs {
        let live = input.check().and_then(|()| input.is_live());
        let live = live.map_err(|e| Failure::error(format!("cannot read {}: {e}", input.name())))?;
        pipes += usize::from(live);
    }
    let standard = settings.inputs.iter().filter(|input| **input == Input::Standard).count();
    if (pipes > 0 || standard > 1) && settings.inputs.len() > 1 {
        return Err(Failure::usage("a pipe is read alone: its writer would wait while other logs are read"));
    }
    Ok(pipes > 0)
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
    let spawned = std::thread::Builder::new().name(name.to_owned()).spawn(work);
    spawned.map(drop).map_err(|e| Failure::error(format!("no thread: {e}")))
}

/// Blocks the signals here and in the threads to come, and has a thread wait for them. SIGHUP has the log file opened anew;
/// where there is none, it ends the program as it ends every other.
fn catch_signals(happenings: Channel<Happening>) -> Result<(), Failure> {
    let mut signals: SigSet = [Signal::SIGINT, Signal::SIGTERM].into_iter().collect();
    if logging::to_file() {
        signals.add(Signal::SIGHUP);
    }
    signals.thread_block().map_err(|e| Failure::error(format!("signals cannot be caught: {e}")))?;
    spawn("signals", move || {
        while let Ok(signal) = signals.wait() {
            if signal == Signal::SIGHUP {
                logging::reopen();
            } else if happenings.send(Happening::Signal(signal)).is_err() {
                return;
            }
        }
    })
}

/// Waits for the sender to be done. After a signal it gets a moment, after a second one none: it may be stuck in a
/// connection, and the reader in its pipe; the end of the process ends both.
fn supervise(inbox: &Receiver<Happening>, live: bool, buffer: &Buffer, tally: &Tally) -> Result<(), Failure> {
    let mut stopped: Option<Instant> = None;
    let mut complained = 0;
    loop {
        let wait = stopped.map_or(COMPLAIN_EVERY, |at| {
            (at + FLUSH_LIMIT + LAST_READS).saturating_duration_since(Instant::now())
        });
        match inbox.recv_timeout(wait) {
            Ok(Happening::Sent(result)) => return result,
            Ok(Happening::Signal(signal)) if stopped.is_none() => {
                log::info!("{signal}: sending what was read, for {} s at most", FLUSH_LIMIT.as_secs());
                stopped = Some(Instant::now());
                buffer.stop(if live { LAST_READS } else { Duration::ZERO });
            }
            Err(RecvTimeoutError::Timeout) if stopped.is_none() => {
                let dropped = tally.dropped.load(Ordering::Relaxed);
                if dropped > complained {
                    complained = dropped;
                    log::warn!("{dropped} records dropped so far: the master does not take them in time");
                }
            }
            Ok(Happening::Signal(_)) | Err(_) => {
                return Err(Failure::error("stopped before the master had taken everything"));
            }
        }
    }
}

/// Reads every log. What is wrong with them; none when the end was asked for before theirs.
fn read_all(
    settings: &Settings,
    when_full: WhenFull,
    live: bool,
    buffer: &Buffer,
    tally: &Tally,
) -> Option<Vec<String>> {
    let mut wrong = Vec::new();
    for (number, input) in settings.inputs.iter().enumerate() {
        let name = input.name();
        let mut log = Log { settings, name: &name, number, lines: 0, passed_over: 0 };
        match log.read(when_full, buffer, tally) {
            Ok(true) => {}
            Ok(false) => return None,
            Err(error) => {
                wrong.push(format!("cannot read {name}: {error} (behind its line {})", log.lines));
                continue;
            }
        }
        if log.lines > 0 && log.passed_over == log.lines {
            let reason = format!(
                "{name}: none of its {} lines is of a format that is known (--format names one)",
                log.lines
            );
            // what is on a pipe beside records is no reason to fail its writer
            if live { log::warn!("{reason}") } else { wrong.push(reason) }
        }
    }
    Some(wrong)
}

/// A log that is being read.
struct Log<'a> {
    settings: &'a Settings,
    name: &'a str,
    number: usize,
    lines: u64,
    passed_over: u64,
}

impl Log<'_> {
    /// To its end: true; false when the buffer takes nothing any more.
    fn read(&mut self, when_full: WhenFull, buffer: &Buffer, tally: &Tally) -> io::Result<bool> {
        let mut lines = self.settings.inputs[self.number].open()?;
        let mut format = format::Lines::of(self.settings.format);
        while let Some(line) = lines.next()? {
            self.lines += 1;
            let Line::Whole(line) = line else {
                self.pass_over("it is longer than 64 KiB", tally);
                continue;
            };
            if line.trim_ascii().is_empty() {
                continue;
            }
            let Some(access) = format.parse(line) else {
                self.pass_over("it is none of the log's format", tally);
                continue;
            };
            let Some(record) = access.download(&self.settings.simple) else { continue };
            tally.found.fetch_add(1, Ordering::Relaxed);
            match buffer.put(Entry { record, input: self.number, line: self.lines }, when_full) {
                Put::Kept => {}
                Put::Dropped => drop(tally.dropped.fetch_add(1, Ordering::Relaxed)),
                Put::Closed => return Ok(false),
            }
        }
        Ok(true)
    }

    fn pass_over(&mut self, why: &str, tally: &Tally) {
        self.passed_over += 1;
        tally.passed_over.fetch_add(1, Ordering::Relaxed);
        if self.passed_over <= NAMED_LINES {
            log::info!("{}, line {}: passed over, {why}", self.name, self.lines);
        }
    }
}

/// Puts together how it ended.
fn report(settings: &Settings, ways: Ways, sent: Result<(), Failure>, tally: &Tally) -> Report {
    let mut summary = tally.summary();
    let mut reasons = tally.read.get().cloned().unwrap_or_default();
    match ways.patience {
        Patience::Bounded(_) => {
            let wrong = match (sent, tally.read.get()) {
                (Err(failure), _) => Some(failure.reasons.join("; ")),
                (Ok(()), None) => Some("stopped by a signal".to_owned()),
                (Ok(()), Some(_)) => None,
            };
            if let Some(wrong) = wrong {
                let reached = match *tally.reached() {
                    Some((input, line)) => {
                        format!("{} is counted up to line {line}", settings.inputs[input].name())
                    }
                    None => "nothing was counted".to_owned(),
                };
                reasons.push(format!("{wrong}; {reached}"));
            }
        }
        Patience::WhileTheyCome => {
            // what was under way when it was given up may have been recorded, and counts as lost
            let found = tally.found.load(Ordering::Relaxed);
            summary.dropped = found.saturating_sub(summary.sent + summary.outside);
            let wrong = match sent {
                Err(failure) => failure.reasons.join("; "),
                Ok(()) => "the master did not take them in time".to_owned(),
            };
            if summary.dropped > 0 && !settings.drop {
                reasons.push(format!("{} records were dropped: {wrong}", summary.dropped));
            }
        }
    }
    let failure = (!reasons.is_empty()).then_some(Failure { reasons, code: 1, answered: false });
    Report { summary, failure }
}
