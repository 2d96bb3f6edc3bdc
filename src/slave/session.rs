//! The slave's side of the slave channel (`wire-spec/slave.md`): a pure state machine.
//!
//! In: what happened to the connection, to the build, to the file transfer, and the operator's wish to stop. Out:
//! [`Effect`]s, in the order they are to be carried out. It knows no sockets, files, processes, threads or clock.
//!
//! Three things vary on their own:
//!
//! ```text
//! link:  away ──time──► connecting ──► greeting ──HELLO──► open(stage)
//!          ▲                │              │                  │
//!          └────────────────┴── lost, refused, no answer ─────┘      (back-off; the work is kept)
//!
//! stage: idle ──look──► looking ──fit: IDLE──► asked ──SLEEP──► asleep ──WAKE, time──► idle
//!                          │                    ▲ └──BUILD──► reporting ──log sent, BUILT──► offered ◄──SENT── sending
//!                          └──not fit──► unfit ─┘                               idle ◄──DONE──┘  └─────SEND────►┘
//!
//! work:  nothing ──BUILD──► building ──ended──► finished ──DONE──► discarding ──gone──► nothing
//!                            CANCEL: it ends now
//!                               └────── HELLO{drop}, BYE, stop at once ───▲
//! ```
//!
//! A finished build is discarded on DONE, on HELLO{drop}, on BYE in either direction, and never otherwise.

mod events;
mod standing;
mod stopping;
#[cfg(test)]
mod tests;

use log::Level;

use super::backoff::Backoff;
use crate::domain::wheel::check_build_tag;
use crate::domain::{JobToken, Millis, ProjectName};
use crate::seeded;
use crate::wire::Text;
use crate::wire::limits::{HOLDS_BACK_BYTES, LOG_BYTES};
use crate::wire::slave::{FromSlave, Held, Holding, Resume, ToSlave};

pub use events::{Effect, Identity, Input, Outcome};
pub use stopping::OnTerm;
use stopping::Stop;

/// How often a sign of life is sent.
pub const BUSY_EVERY: Millis = Millis::secs(5);
/// How long HELLO and IDLE may go unanswered.
pub const ANSWER_LIMIT: Millis = Millis::secs(60);
/// How long BUILT and SENT may go unanswered: the master checks files and commits meanwhile.
pub const COMMIT_LIMIT: Millis = Millis::secs(600);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing is asked; as soon as nothing is held, it is looked whether the machine is fit for a job.
    Idle,
    /// Nothing is held, and [`Effect::Look`] was given. IDLE follows if the machine is fit.
    Looking,
    /// It is not. IDLE follows when it is found fit, which every BUSY looks for.
    Unfit,
    Asked {
        give_up_at: Millis,
    },
    Asleep {
        until: Millis,
    },
    /// The log is being sent, up to its end and BUILT.
    Reporting {
        log_sent: u64,
    },
    Offered {
        give_up_at: Millis,
    },
    Sending {
        index: u16,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Away {
        retry_at: Millis,
    },
    Connecting,
    Greeting {
        give_up_at: Millis,
    },
    Open(Stage),
    /// [`Effect::Exit`] was given.
    Gone,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Work {
    Nothing,
    Building { token: JobToken, log_bytes: u64 },
    Finished { token: JobToken, outcome: Outcome },
    Discarding,
}

/// The state of one slave.
#[derive(Clone, Debug)]
pub struct Session {
    identity: Identity,
    backoff: Backoff,
    link: Link,
    work: Work,
    /// What the work is about, for people.
    job: String,
    stop: Stop,
    index_url: String,
    /// Of the master, for one build's log.
    log_limit: u64,
    busy_at: Millis,
    /// Why no job is asked for, while none is held.
    holds_back: Option<Text<HOLDS_BACK_BYTES>>,
    /// Whether the connection takes more of the log.
    room: bool,
}

impl Session {
    /// A slave that has not connected yet; it does at the first [`Input::Tick`].
    pub fn new(identity: Identity, seed: u64) -> Self {
        Self {
            identity,
            backoff: Backoff::new(seed),
            link: Link::Away { retry_at: Millis(0) },
            work: Work::Nothing,
            job: String::new(),
            stop: Stop::No,
            index_url: String::new(),
            log_limit: u64::MAX,
            busy_at: Millis(0),
            holds_back: None,
            room: false,
        }
    }

    /// When [`Input::Tick`] is due at the latest.
    pub fn next_deadline(&self) -> Option<Millis> {
        let of_link = match self.link {
            Link::Away { retry_at } => Some(retry_at),
            Link::Connecting => None,
            Link::Gone => return None,
            Link::Greeting { give_up_at }
            | Link::Open(Stage::Asked { give_up_at } | Stage::Offered { give_up_at }) => {
                Some(give_up_at.min(self.busy_at))
            }
            Link::Open(Stage::Asleep { until }) => Some(until.min(self.busy_at)),
            Link::Open(
                Stage::Idle | Stage::Looking | Stage::Unfit | Stage::Reporting { .. } | Stage::Sending { .. },
            ) => Some(self.busy_at),
        };
        [of_link, self.patience_ends()].into_iter().flatten().min()
    }

    /// Why no job is asked for, for BUSY; none: it is asked for when none is held.
    pub fn holds_back(&self) -> Option<Text<HOLDS_BACK_BYTES>> {
        self.holds_back.clone()
    }

    /// Takes note of what happened; appends what is to be done.
    pub fn handle(&mut self, now: Millis, input: Input, out: &mut Vec<Effect>) {
        if self.link == Link::Gone {
            return;
        }
        match input {
            Input::Tick => self.tick(now, out),
            Input::Connected => self.connected(now, out),
            Input::Disconnected(reason) => self.lost(now, &reason, out),
            Input::Message(message) => self.message(now, message, out),
            Input::Drained => self.room = true,
            Input::LogGrew(bytes) => {
                if let Work::Building { log_bytes, .. } = &mut self.work {
                    *log_bytes = bytes.max(*log_bytes);
                }
            }
            Input::Ended(outcome) => self.ended(outcome, out),
            Input::Discarded => {
                debug_assert_eq!(self.work, Work::Discarding, "only what was asked for");
                self.work = Work::Nothing;
            }
            Input::TransferDone => {
                if let Link::Open(Stage::Sending { index }) = self.link {
                    out.push(Effect::Send(FromSlave::Sent { index }));
                    self.link = Link::Open(Stage::Offered { give_up_at: now + COMMIT_LIMIT });
                }
            }
            Input::Lost(reason) => self.give_back(now, &reason, out),
            Input::CannotBuild(reason) => {
                out.push(Effect::Report(Level::Error, format!("cannot build here: {reason}")));
                self.leave(reason, true, out);
            }
            Input::Fit(holds_back) => self.looked(now, holds_back, out),
            Input::Stop(on_term) => self.stop_asked(now, on_term, out),
            Input::Renew(read) => self.renewal_asked(read, out),
            Input::Tried(tried) => self.start_tried(tried, out),
        }
        self.advance(now, out);
    }

    fn tick(&mut self, now: Millis, out: &mut Vec<Effect>) {
        if self.patience_ends().is_some_and(|until| now >= until) {
            let text = "the build takes longer than --on-term allows: it is given back";
            out.push(Effect::Report(Level::Warn, text.to_owned()));
            self.leave("stopped by its operator".to_owned(), false, out);
        }
        match self.link {
            Link::Away { retry_at } if now >= retry_at => {
                self.link = Link::Connecting;
                out.push(Effect::Connect);
            }
            Link::Greeting { give_up_at } if now >= give_up_at => {
                self.hang_up(now, "no answer to HELLO", out);
            }
            Link::Open(Stage::Asked { give_up_at }) if now >= give_up_at => {
                self.hang_up(now, "no answer to IDLE", out);
            }
            Link::Open(Stage::Offered { give_up_at }) if now >= give_up_at => {
                self.hang_up(now, "no answer to BUILT or SENT", out);
            }
            Link::Open(Stage::Asleep { until }) if now >= until => self.link = Link::Open(Stage::Idle),
            _ => {}
        }
        if matches!(self.link, Link::Greeting { .. } | Link::Open(_)) && now >= self.busy_at {
            out.push(Effect::SendBusy);
            self.busy_at = now + BUSY_EVERY;
        }
    }

    /// The machine was looked at. What a build does to it is no reason: it is looked at again when the build is gone.
    fn looked(&mut self, now: Millis, holds_back: Option<Text<HOLDS_BACK_BYTES>>, out: &mut Vec<Effect>) {
        if self.work != Work::Nothing {
            return;
        }
        if self.holds_back != holds_back {
            out.push(match &holds_back {
                Some(reason) => Effect::Report(Level::Warn, format!("asks for no job: {reason}")),
                None => Effect::Report(Level::Warn, "is fit for a job again".to_owned()),
            });
            self.holds_back = holds_back;
        }
        match (self.link, &self.holds_back) {
            (Link::Open(Stage::Looking | Stage::Unfit), None) => {
                out.push(Effect::Send(FromSlave::Idle {}));
                self.link = Link::Open(Stage::Asked { give_up_at: now + ANSWER_LIMIT });
            }
            (Link::Open(Stage::Looking), Some(_)) => {
                self.link = Link::Open(Stage::Unfit);
                // the master waits for IDLE: it need not wait for the next sign of life to know why it does not come
                out.push(Effect::SendBusy);
                self.busy_at = now + BUSY_EVERY;
            }
            _ => {}
        }
    }

    fn connected(&mut self, now: Millis, out: &mut Vec<Effect>) {
        if self.link != Link::Connecting {
            return;
        }
        let held = match &self.work {
            Work::Building { token, .. } => Some(Held { token: *token, state: Holding::Building }),
            Work::Finished { token, .. } => Some(Held { token: *token, state: Holding::Built }),
            Work::Nothing | Work::Discarding => None,
        };
        let me = self.identity.clone();
        out.push(Effect::Send(FromSlave::Hello {
            software: me.software,
            label: me.label,
            timeout_secs: me.timeout_secs,
            python_tag: me.python_tag,
            abi_tag: me.abi_tag,
            platform_tag: me.platform_tag,
            board: me.board,
            held,
        }));
        self.link = Link::Greeting { give_up_at: now + ANSWER_LIMIT };
        self.busy_at = now + BUSY_EVERY;
        self.room = true;
    }

    /// The connection is no more. The work is kept.
    fn lost(&mut self, now: Millis, reason: &str, out: &mut Vec<Effect>) {
        if matches!(self.link, Link::Away { .. }) {
            return;
        }
        if matches!(self.link, Link::Open(Stage::Sending { .. })) {
            out.push(Effect::StopTransfer);
        }
        if seeded::is("build-not-kept") {
            self.discard(out);
        }
        let wait = self.backoff.next_wait();
        self.link = Link::Away { retry_at: now + wait };
        self.room = false;
        let text =
            format!("no connection to the master: {reason}; next attempt in {:.1} s", wait.0 as f64 / 1e3);
        out.push(Effect::Report(Level::Warn, text));
    }

    fn hang_up(&mut self, now: Millis, reason: &str, out: &mut Vec<Effect>) {
        out.push(Effect::Disconnect);
        self.lost(now, reason, out);
    }

    /// What is held cannot be delivered: the master is told and may hand it out again.
    fn give_back(&mut self, now: Millis, reason: &str, out: &mut Vec<Effect>) {
        if !matches!(self.work, Work::Building { .. } | Work::Finished { .. }) {
            return;
        }
        out.push(Effect::Report(Level::Error, format!("the build is lost: {reason}")));
        self.discard(out);
        if matches!(self.link, Link::Greeting { .. } | Link::Open(_)) {
            out.push(Effect::Send(FromSlave::Bye { reason: Text::cut(reason) }));
            self.hang_up(now, "the job was given back", out);
        }
    }

    fn ended(&mut self, outcome: Outcome, out: &mut Vec<Effect>) {
        // A build that was discarded while it ended is nobody's any more.
        if let Work::Building { token, .. } = self.work {
            let text =
                format!("build {} ended: {:?}, {} files", token.build, outcome.end, outcome.files.len());
            out.push(Effect::Report(Level::Info, text));
            self.work = Work::Finished { token, outcome };
        }
    }

    fn message(&mut self, now: Millis, message: ToSlave, out: &mut Vec<Effect>) {
        // What is still under way while the build is being killed concerns nobody.
        if matches!(self.stop, Stop::Now { .. }) {
            return;
        }
        if !matches!(self.link, Link::Greeting { .. } | Link::Open(_)) {
            return;
        }
        if let Err(wrong) = self.take(now, message, out) {
            self.hang_up(now, &wrong, out);
        }
    }

    /// A message that may come now; otherwise, what is wrong with it.
    fn take(&mut self, now: Millis, message: ToSlave, out: &mut Vec<Effect>) -> Result<(), String> {
        let name = message.name();
        match (message, self.link) {
            (ToSlave::Bye { reason }, link) => {
                // before its HELLO it is a refusal, which starting again does not mend
                let refused = matches!(link, Link::Greeting { .. });
                out.push(Effect::Report(Level::Warn, format!("the master says BYE: {reason}")));
                self.leave("the master said BYE".to_owned(), refused, out);
                return Ok(());
            }
            (ToSlave::Hello { slave_id, index_url, resume, log_from, log_limit }, Link::Greeting { .. }) => {
                self.greeted(slave_id, &index_url, resume, log_from, out)?;
                self.log_limit = log_limit;
                return Ok(());
            }
            (ToSlave::Sleep { seconds }, Link::Open(Stage::Asked { .. })) => {
                if !(1..=3600).contains(&seconds) {
                    return Err(format!("SLEEP for {seconds} s"));
                }
                self.link = Link::Open(Stage::Asleep { until: now + Millis::secs(seconds.into()) });
            }
            (ToSlave::Wake {}, Link::Open(Stage::Asleep { .. })) => self.link = Link::Open(Stage::Idle),
            // WAKE and an IDLE sent because the time was up may pass each other; and one that is not fit says no IDLE.
            (ToSlave::Wake {}, Link::Open(Stage::Asked { .. } | Stage::Unfit)) => {}
            (ToSlave::Build { token, package, version, build_tag }, Link::Open(Stage::Asked { .. })) => {
                self.begin(token, &package, &version, build_tag, out)?;
            }
            (ToSlave::Send { index, transfer }, Link::Open(Stage::Offered { .. })) => {
                let files = match &self.work {
                    Work::Finished { outcome, .. } => outcome.files.len(),
                    _ => 0,
                };
                if usize::from(index) >= files {
                    return Err(format!("SEND of file {index}, there are {files}"));
                }
                self.link = Link::Open(Stage::Sending { index });
                out.push(Effect::ServeTransfer { index, transfer });
            }
            (ToSlave::Done { build }, Link::Open(Stage::Offered { .. } | Stage::Sending { .. })) => {
                match &self.work {
                    Work::Finished { token, .. } if token.build == build => {}
                    _ => return Err(format!("DONE for build {build}, which is not held")),
                }
                out.push(Effect::Report(Level::Info, format!("build {build} is recorded")));
                self.discard(out);
            }
            // For a build that has ended, or is not held: it crossed BUILT, or what came of that.
            (ToSlave::Cancel { build }, Link::Open(_)) => {
                if matches!(&self.work, Work::Building { token, .. } if token.build == build) {
                    out.push(Effect::Report(Level::Warn, format!("the master cancels build {build}")));
                    out.push(Effect::CancelBuild);
                }
            }
            _ => return Err(format!("{name} may not come now ({})", self.place())),
        }
        // Only an answer after the greeting shows that the two get on with each other.
        self.backoff.reset();
        Ok(())
    }

    fn greeted(
        &mut self,
        slave_id: u32,
        index_url: &str,
        resume: Resume,
        log_from: u64,
        out: &mut Vec<Effect>,
    ) -> Result<(), String> {
        check_index_url(index_url)?;
        let stage = match (resume, &self.work) {
            (Resume::None, Work::Nothing | Work::Discarding) => Stage::Idle,
            (Resume::GoOn, Work::Building { log_bytes, .. }) if log_from <= *log_bytes => {
                Stage::Reporting { log_sent: log_from }
            }
            (Resume::GoOn, Work::Finished { outcome, .. }) if log_from <= outcome.log_bytes => {
                Stage::Reporting { log_sent: log_from }
            }
            (Resume::GoOn, Work::Building { .. } | Work::Finished { .. }) => {
                return Err(format!("HELLO: log_from {log_from} is past the end of the log"));
            }
            (Resume::Drop, Work::Building { .. } | Work::Finished { .. }) => {
                out.push(Effect::Report(
                    Level::Warn,
                    "the master does not want the build that is held".to_owned(),
                ));
                self.discard(out);
                Stage::Idle
            }
            // the greeting spoke of a job that was discarded since, or of none at all
            (Resume::Drop | Resume::GoOn, Work::Nothing | Work::Discarding)
            | (Resume::None, Work::Building { .. } | Work::Finished { .. }) => {
                return Err(format!("HELLO: {resume:?} does not answer what was said to be held"));
            }
        };
        self.index_url = index_url.to_owned();
        self.link = Link::Open(stage);
        out.push(Effect::Report(Level::Info, format!("the master knows this slave as number {slave_id}")));
        Ok(())
    }

    fn begin(
        &mut self,
        token: JobToken,
        package: &str,
        version: &str,
        build_tag: u64,
        out: &mut Vec<Effect>,
    ) -> Result<(), String> {
        let package = ProjectName::parse(package).map_err(|e| format!("BUILD: {e}"))?;
        check_version(version).map_err(|e| format!("BUILD: {e}"))?;
        check_build_tag(build_tag).map_err(|e| format!("BUILD: {e}"))?;
        out.push(Effect::Report(Level::Info, format!("build {}: {package} {version}", token.build)));
        out.push(Effect::StartBuild {
            build: token.build,
            package: package.as_str().to_owned(),
            version: version.to_owned(),
            build_tag,
            index_url: self.index_url.clone(),
            log_limit: self.log_limit,
        });
        self.job = format!("{package} {version} (build {})", token.build);
        self.work = Work::Building { token, log_bytes: 0 };
        self.holds_back = None;
        self.link = Link::Open(Stage::Reporting { log_sent: 0 });
        Ok(())
    }

    /// Does what the state calls for without a further input: leave, ask, report.
    fn advance(&mut self, now: Millis, out: &mut Vec<Effect>) {
        if self.work == Work::Nothing && self.finish(out) {
            return;
        }
        match self.link {
            Link::Open(Stage::Idle) if self.work == Work::Nothing => {
                out.push(Effect::Look);
                self.link = Link::Open(Stage::Looking);
            }
            Link::Open(Stage::Reporting { log_sent }) => self.report(now, log_sent, out),
            _ => {}
        }
    }

    fn report(&mut self, now: Millis, log_sent: u64, out: &mut Vec<Effect>) {
        let log_bytes = match &self.work {
            Work::Building { log_bytes, .. } => *log_bytes,
            Work::Finished { outcome, .. } => outcome.log_bytes,
            Work::Nothing | Work::Discarding => return,
        };
        if log_sent < log_bytes {
            if !self.room {
                return;
            }
            // One piece at a time: a slow network must not make this process hold the log.
            let length = (log_bytes - log_sent).min(LOG_BYTES as u64);
            out.push(Effect::SendLog { offset: log_sent, length: length as usize });
            self.room = false;
            self.link = Link::Open(Stage::Reporting { log_sent: log_sent + length });
            if log_sent + length < log_bytes {
                return;
            }
        }
        if let Work::Finished { token, outcome } = &self.work {
            out.push(Effect::Send(FromSlave::Built {
                token: *token,
                end: outcome.end,
                duration_ms: outcome.duration.0,
                log_bytes: outcome.log_bytes,
                files: outcome.files.clone(),
                report: (*outcome.report).clone(),
            }));
            self.link = Link::Open(Stage::Offered { give_up_at: now + COMMIT_LIMIT });
        }
    }
}

/// What becomes an argument of pip must not be taken for an option, a URL or a condition.
pub(super) fn check_version(version: &str) -> Result<(), String> {
    let sound = version.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
        && version
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'!' | b'+' | b'_' | b'-'));
    if sound { Ok(()) } else { Err(format!("{version:?} is not a version")) }
}

fn check_index_url(url: &str) -> Result<(), String> {
    let scheme = ["http://", "https://", "file://"].iter().any(|scheme| url.starts_with(scheme));
    let printable = url.chars().all(|c| !c.is_whitespace() && !c.is_control());
    if url.is_empty() || (scheme && printable) {
        Ok(())
    } else {
        Err(format!("HELLO: {url:?} is not an index"))
    }
}
