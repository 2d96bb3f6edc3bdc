//! Hands batches of records to the master, one after the other: connects, asks again with pauses, and gives up when the
//! way of reading allows it. Blocks; whoever reads the log is another thread.

use std::fs::File;
use std::io::Read;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Tally;
use super::buffer::{Buffer, Entry};
use crate::admin::client::{Client, Queue};
use crate::options::Failure;
use crate::wire::List;
use crate::wire::import::{FromTool, ToTool};

/// From the end of a pipe, or from a signal, until what the master has not taken is given up.
pub(crate) const FLUSH_LIMIT: Duration = Duration::from_secs(5);
/// An answer that has not come by then is asked for again on another connection. The master itself says after 60 s
/// that its database is away.
const ANSWER_LIMIT: Duration = Duration::from_secs(90);
/// How often a wait for an answer looks at the clock and at the end.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// First and longest pause before a batch is tried again. The very first try again has none: an idle connection may have
/// gone unnoticed.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
const PAUSE_LONGEST: Duration = Duration::from_secs(5);
/// Refusals of a batch that may be lost, after which it is.
const REFUSALS: u32 = 3;

/// How long a batch may take.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Patience {
    /// This long; then it is an error.
    Bounded(Duration),
    /// As long as records come; after the last, or a signal, [`FLUSH_LIMIT`] without success.
    WhileTheyCome,
}

/// The master's side of the program.
#[derive(Debug)]
pub(crate) struct Sender<'a> {
    queue: &'a Queue,
    patience: Patience,
    buffer: &'a Buffer,
    tally: &'a Tally,
    client: Option<Client>,
    complained: bool,
}

/// What one try came to.
enum Try {
    Counted(Value),
    Again(Failure),
}

impl<'a> Sender<'a> {
    pub(crate) fn new(queue: &'a Queue, patience: Patience, buffer: &'a Buffer, tally: &'a Tally) -> Self {
        Self { queue, patience, buffer, tally, client: None, complained: false }
    }

    /// Sends everything that comes, until the end. Fails when a batch cannot be sent and must not be lost; nothing is
    /// taken any more then.
    pub(crate) fn run(&mut self) -> Result<(), Failure> {
        while let Some(batch) = self.buffer.batch() {
            if let Err(failure) = self.deliver(batch) {
                self.buffer.close();
                return Err(failure);
            }
        }
        Ok(())
    }

    fn deliver(&mut self, entries: Vec<Entry>) -> Result<(), Failure> {
        let count = entries.len() as u64;
        let Some((input, line)) = entries.last().map(|entry| (entry.input, entry.line)) else {
            return Ok(());
        };
        let records = entries.into_iter().map(|entry| entry.record).collect();
        let records = List::new(records).map_err(|why| Failure::error(format!("a batch {why}")))?;
        let batch = draw().map_err(|e| Failure::error(format!("no randomness: /dev/urandom: {e}")))?;
        let request = FromTool::Downloads { batch, records };
        let begun = Instant::now();
        let (mut tries, mut refusals, mut pause) = (0u32, 0, PAUSE_FIRST);
        let failure = loop {
            let failure = match self.try_once(&request, begun) {
                Try::Counted(answer) => {
                    self.counted(count, &answer);
                    *self.tally.reached() = Some((input, line));
                    return Ok(());
                }
                Try::Again(failure) => failure,
            };
            self.client = None;
            if failure.answered {
                refusals += 1;
            }
            let refused = match self.patience {
                Patience::Bounded(_) => failure.answered,
                Patience::WhileTheyCome => refusals >= REFUSALS,
            };
            if refused || self.left(begun).is_zero() {
                break failure;
            }
            if tries > 0 {
                self.complain(&failure);
                self.buffer.pause(pause.min(self.left(begun)));
                pause = (pause * 2).min(PAUSE_LONGEST);
            }
            tries += 1;
        };
        if refusals >= REFUSALS && matches!(self.patience, Patience::WhileTheyCome) {
            log::warn!(
                "{count} records are dropped, the master refuses them: {}",
                failure.reasons.join("; ")
            );
            self.tally.dropped.fetch_add(count, Ordering::Relaxed);
            return Ok(());
        }
        Err(failure)
    }

    fn try_once(&mut self, request: &FromTool, begun: Instant) -> Try {
        let client = match &mut self.client {
            Some(client) => client,
            None => match Client::connect(self.queue, self.left(begun).clamp(LOOK_EVERY, ANSWER_LIMIT)) {
                Ok(client) => self.client.insert(client),
                Err(failure) => return Try::Again(failure),
            },
        };
        if let Err(failure) = client.send(|out| request.encode(out)) {
            return Try::Again(failure);
        }
        let asked = Instant::now();
        loop {
            let Some(client) = &mut self.client else { return Try::Again(Failure::error("not connected")) };
            match client.next_within(LOOK_EVERY, ToTool::decode) {
                Ok(Some(ToTool::Done { json })) => {
                    return match serde_json::from_str(&json) {
                        Ok(answer) => Try::Counted(answer),
                        Err(error) => Try::Again(Failure::error(format!("the master's answer: {error}"))),
                    };
                }
                Ok(Some(ToTool::Error { reasons })) => {
                    let reasons = reasons.iter().map(ToString::to_string).collect();
                    return Try::Again(Failure { reasons, code: 1, answered: true });
                }
                Ok(Some(ToTool::Send { .. } | ToTool::Fetch { .. })) => {
                    return Try::Again(client.out_of_turn());
                }
                Ok(None) if self.left(begun).is_zero() || asked.elapsed() >= ANSWER_LIMIT => {
                    let seconds = asked.elapsed().as_secs();
                    let reason = format!("the master did not answer within {seconds} s; its log may say why");
                    return Try::Again(Failure::error(reason));
                }
                Ok(None) => {}
                Err(failure) => return Try::Again(failure),
            }
        }
    }

    /// How long a batch may take from now on that was begun then.
    fn left(&self, begun: Instant) -> Duration {
        let now = Instant::now();
        let (ends, stopped) = self.buffer.ends();
        let stop = stopped.map(|at| at + FLUSH_LIMIT);
        let own = match self.patience {
            Patience::Bounded(limit) => Some(begun + limit),
            Patience::WhileTheyCome => ends.map(|at| at.max(begun) + FLUSH_LIMIT),
        };
        let until = [stop, own].into_iter().flatten().min();
        until.map_or(ANSWER_LIMIT, |until| until.saturating_duration_since(now))
    }

    fn counted(&mut self, count: u64, answer: &Value) {
        let number = |key: &str| answer[key].as_u64().unwrap_or_default();
        let outside = number("outside").min(count);
        self.tally.sent.fetch_add(count - outside, Ordering::Relaxed);
        self.tally.outside.fetch_add(outside, Ordering::Relaxed);
        self.tally.unknown.fetch_add(number("unknown"), Ordering::Relaxed);
        if std::mem::take(&mut self.complained) {
            log::warn!("the master takes records again");
        }
    }

    /// Says once that records wait.
    fn complain(&mut self, failure: &Failure) {
        if !std::mem::replace(&mut self.complained, true) {
            log::warn!("records wait for the master: {}", failure.reasons.join("; "));
        }
    }
}

/// A number that no other batch has.
fn draw() -> std::io::Result<[u8; 16]> {
    let mut batch = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut batch)?;
    Ok(batch)
}
