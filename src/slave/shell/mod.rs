//! The event loop: one thread that joins the state machines to sockets, signals and the build.
//!
//! In: poll(2) over the two connections, the build's pipe, the signals and the helper threads' bell; the clock. Out:
//! what the machines' effects say. It decides nothing about the protocol, and nothing in it waits but poll(2) itself:
//! name resolution and connecting, digests and deletions are done by short-lived helper threads.

mod bench;
mod helper;
mod service;

use std::io;
use std::os::fd::AsFd;
use std::time::Instant;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use bench::Bench;
use helper::{Helpers, Report};

use super::builder::{Job, Settings, tree};
use super::fitness::{Demands, Fitness};
use super::link::{self, Link};
use super::session::{self, Identity, OnTerm, Session};
use super::transfer::{self, Transfer};
use crate::domain::Millis;
use crate::notify::Notify;
use crate::vitals;
use crate::wire::limits::CHUNK_BYTES;
use crate::wire::slave::{FromSlave, ToSlave, Vitals};
use crate::wire::{Blob, Channel, file};

/// What waits to be sent on the file channel when the next chunk is read from the disk, in bytes.
const CHUNK_LOW_WATER: usize = 64 * 1024;
const _: () = assert!(CHUNK_LOW_WATER < CHUNK_BYTES);
/// Chunks sent in one turn, at most: the other channel must have its turn.
const CHUNKS_PER_TURN: usize = 8;
/// How long the last words may take to leave.
const LAST_WORDS: Millis = Millis::secs(5);

/// What the loop must be told.
#[derive(Clone, Debug)]
pub struct Options {
    /// The master's host name or address.
    pub master: String,
    /// Port of the slave channel.
    pub slave_port: u16,
    /// Port of the file channel.
    pub file_port: u16,
    /// The key that the master knows this slave by, if it has one.
    pub key: Option<link::Identity>,
    /// How to build.
    pub settings: Settings,
    /// What HELLO says.
    pub identity: Identity,
    /// What this machine must be like to be given a job.
    pub demands: Demands,
    /// What becomes of the build when the operator wants an end.
    pub on_term: OnTerm,
    /// Reads what is configured now, and says what is wrong with it, for people. Called in a thread of its own.
    pub read_configuration: fn() -> Result<(), String>,
    /// Makes the waits of this slave other than those of its neighbours.
    pub seed: u64,
}

/// How the loop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// As the master or the operator asked.
    Stopped,
    /// Something is wrong with this machine, or the farm will not have it.
    Failed,
    /// The program is to begin anew, with another configuration.
    Renewed,
}

/// Runs until the master or the operator says that it is enough. The error is this machine's.
pub fn run(options: Options) -> io::Result<End> {
    let mut shell = Shell::new(options)?;
    // all that this machine can have wrong was found out; a master that is away is not this program's failure
    shell.notify.ready();
    shell.tick();
    loop {
        shell.carry_out();
        if let Some(end) = shell.exit {
            if end != End::Renewed {
                shell.notify.stopping();
            }
            shell.last_words()?;
            return Ok(end);
        }
        shell.notify();
        shell.turn()?;
    }
}

/// What poll(2) found.
#[derive(Clone, Copy, Debug, Default)]
struct Ready {
    signals: bool,
    bell: bool,
    control: bool,
    file: bool,
    pipe: bool,
}

struct Shell {
    options: Options,
    begun: Instant,
    signals: SignalFd,
    helpers: Helpers,
    fitness: Fitness,
    session: Session,
    session_effects: Vec<session::Effect>,
    transfer: Transfer,
    transfer_effects: Vec<transfer::Effect>,
    control: Link,
    file: Link,
    /// A piece of the log, or a chunk, is among what waits to be sent: its leaving is to be told.
    log_sent: bool,
    chunk_sent: bool,
    bench: Bench,
    notify: Notify,
    /// A helper tries the start.
    trying: bool,
    exit: Option<End>,
}

impl Shell {
    fn new(options: Options) -> io::Result<Self> {
        let mut mask = SigSet::empty();
        for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGCHLD] {
            mask.add(signal);
        }
        mask.thread_block()?;
        tree::adopt_orphans()?;
        Ok(Self {
            begun: Instant::now(),
            signals: SignalFd::with_flags(&mask, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?,
            helpers: Helpers::new()?,
            fitness: Fitness::new(options.demands.clone()),
            session: Session::new(options.identity.clone(), options.seed),
            session_effects: Vec::new(),
            transfer: Transfer::new(options.seed.rotate_left(32)),
            transfer_effects: Vec::new(),
            control: Link::new(Channel::Slave, options.key.clone()),
            file: Link::new(Channel::File, options.key.clone()),
            log_sent: false,
            chunk_sent: false,
            bench: Bench::new(),
            notify: Notify::from_environment(),
            trying: false,
            exit: None,
            options,
        })
    }

    fn now(&self) -> Millis {
        Millis(u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    /// Waits for what comes next, and hands it to whom it concerns.
    fn turn(&mut self) -> io::Result<()> {
        let ready = self.wait()?;
        if ready.signals {
            self.take_signals()?;
        }
        if ready.bell {
            self.take_reports();
        }
        if ready.control {
            self.read_control();
        }
        if ready.file {
            self.read_file();
        }
        if ready.pipe
            && let Some(bytes) = self.bench.read_output(self.now())
        {
            self.tell_session(session::Input::LogGrew(bytes));
        }
        self.tick();
        self.carry_out();
        self.write_control();
        self.write_file();
        Ok(())
    }

    fn wait(&self) -> io::Result<Ready> {
        let now = self.now();
        let deadlines = [
            self.session.next_deadline(),
            self.transfer.next_deadline(),
            self.bench.next_deadline(),
            self.control.next_deadline(),
            self.file.next_deadline(),
            self.notify.next_deadline(),
        ];
        let timeout = match deadlines.into_iter().flatten().min() {
            // one more, because the clock's fractions of a millisecond are cut off
            Some(at) if at > now => PollTimeout::try_from(at.since(now).0 + 1).unwrap_or(PollTimeout::MAX),
            Some(_) => PollTimeout::ZERO,
            None => PollTimeout::NONE,
        };
        let control = self.control.interest(true);
        let file = self.file.interest(self.transfer.takes_input());
        let pipe = self.bench.pipe().map(|fd| (fd, PollFlags::POLLIN));
        let mut fds = vec![
            PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.helpers.bell(), PollFlags::POLLIN),
        ];
        fds.extend([control, file, pipe].into_iter().flatten().map(|(fd, flags)| PollFd::new(fd, flags)));
        match poll(&mut fds, timeout) {
            Ok(_) => {}
            Err(Errno::EINTR) => return Ok(Ready::default()),
            Err(e) => return Err(e.into()),
        }
        let mut found = fds.iter().map(|fd| fd.revents().unwrap_or(PollFlags::empty()));
        let mut next =
            |there: bool| if there { found.next().unwrap_or(PollFlags::empty()) } else { PollFlags::empty() };
        let (signals, bell) = (next(true), next(true));
        let (control, file, pipe) = (next(control.is_some()), next(file.is_some()), next(pipe.is_some()));
        // Room to write is used in every turn anyway; trouble shows when reading.
        let readable = |flags: PollFlags| !flags.difference(PollFlags::POLLOUT).is_empty();
        Ok(Ready {
            signals: readable(signals),
            bell: readable(bell),
            control: readable(control),
            file: readable(file),
            pipe: readable(pipe),
        })
    }

    fn take_reports(&mut self) {
        while let Some(report) = self.helpers.next_report() {
            match report {
                Report::Connected(Channel::File, Ok(stream)) => self.file.open(stream, self.now()),
                Report::Connected(Channel::File, Err(e)) => {
                    self.tell_transfer(transfer::Input::Disconnected(e))
                }
                Report::Connected(_, Ok(stream)) => self.control.open(stream, self.now()),
                Report::Connected(_, Err(e)) => self.tell_session(session::Input::Disconnected(e)),
                Report::Finished(outcome) => {
                    if let Some(input) = self.bench.finished(outcome, &self.helpers) {
                        self.tell_session(input);
                    }
                }
                Report::Cleared => {
                    self.bench.cleared();
                    self.tell_session(session::Input::Discarded);
                }
                Report::Read(read) => self.configuration_read(read),
                Report::Tried(tried) => self.start_tried(tried),
            }
            self.carry_out();
        }
    }

    /// Tells everyone the time.
    fn tick(&mut self) {
        let now = self.now();
        if let Some(input) = self.bench.tick(now, &self.helpers) {
            self.tell_session(input);
        }
        if self.control.is_late(now) {
            self.control_lost("the master sends no preamble".to_owned());
        }
        if self.file.is_late(now) {
            self.file_lost("the master sends no preamble".to_owned());
        }
        self.tell_session(session::Input::Tick);
        self.tell_transfer(transfer::Input::Tick);
    }

    fn tell_session(&mut self, input: session::Input) {
        self.session.handle(self.now(), input, &mut self.session_effects);
    }

    fn tell_transfer(&mut self, input: transfer::Input) {
        self.transfer.handle(self.now(), input, &mut self.transfer_effects);
    }

    fn control_lost(&mut self, reason: String) {
        self.control.close();
        self.log_sent = false;
        self.tell_session(session::Input::Disconnected(reason));
    }

    fn file_lost(&mut self, reason: String) {
        self.file.close();
        self.chunk_sent = false;
        self.tell_transfer(transfer::Input::Disconnected(reason));
    }

    fn read_control(&mut self) {
        if let Err(e) = self.control.fill().and_then(|()| self.control_messages()) {
            self.control_lost(e);
        }
    }

    /// Each message's effects are carried out before the next is looked at: the connection may be closed by then.
    fn control_messages(&mut self) -> Result<(), String> {
        if self.control.take_preamble()? {
            self.tell_session(session::Input::Connected);
            self.carry_out();
        }
        while let Some(frame) = self.control.next_frame()? {
            let message = ToSlave::decode(frame).map_err(|e| e.to_string())?;
            log::debug!("from the master: {}", message.name());
            self.tell_session(session::Input::Message(message));
            self.carry_out();
        }
        Ok(())
    }

    fn read_file(&mut self) {
        if let Err(e) = self.file.fill().and_then(|()| self.file_messages()) {
            self.file_lost(e);
        }
    }

    fn file_messages(&mut self) -> Result<(), String> {
        if self.file.take_preamble()? {
            self.tell_transfer(transfer::Input::Connected);
            self.carry_out();
        }
        while self.transfer.takes_input()
            && let Some(frame) = self.file.next_frame()?
        {
            let message = file::ToSlave::decode(frame).map_err(|e| e.to_string())?;
            self.tell_transfer(transfer::Input::Message(message));
            self.carry_out();
        }
        Ok(())
    }

    fn write_control(&mut self) {
        if let Err(e) = self.control.flush() {
            self.control_lost(e);
        } else if self.log_sent && self.control.pending() == 0 {
            self.log_sent = false;
            self.tell_session(session::Input::Drained);
        }
    }

    fn write_file(&mut self) {
        for _ in 0..CHUNKS_PER_TURN {
            if let Err(e) = self.file.flush() {
                return self.file_lost(e);
            }
            if !self.chunk_sent || self.file.pending() > CHUNK_LOW_WATER {
                return;
            }
            self.chunk_sent = false;
            self.tell_transfer(transfer::Input::Drained);
            // FETCHes that were read when the queue was full wait in the buffer; no poll tells of them
            if let Err(e) = self.file_messages() {
                return self.file_lost(e);
            }
            self.carry_out();
        }
    }

    /// Carries out every effect, those that come of it included.
    fn carry_out(&mut self) {
        while !(self.session_effects.is_empty() && self.transfer_effects.is_empty()) {
            for effect in std::mem::take(&mut self.session_effects) {
                self.do_for_session(effect);
            }
            for effect in std::mem::take(&mut self.transfer_effects) {
                self.do_for_transfer(effect);
            }
        }
    }

    fn do_for_session(&mut self, effect: session::Effect) {
        use session::{Effect, Input};
        match effect {
            Effect::Connect => {
                let started =
                    self.helpers.connect(Channel::Slave, &self.options.master, self.options.slave_port);
                if let Err(e) = started {
                    self.tell_session(Input::Disconnected(e));
                }
            }
            Effect::Disconnect => {
                self.control.close();
                self.log_sent = false;
            }
            Effect::Send(message) => {
                log::debug!("to the master: {}", message.name());
                self.control.send(|out| message.encode(out));
            }
            Effect::Look => {
                self.look();
            }
            Effect::SendBusy => {
                let vitals = self.look();
                let holds_back = self.session.holds_back();
                self.control.send(|out| FromSlave::Busy { vitals, holds_back }.encode(out));
            }
            Effect::SendLog { offset, length } => match self.bench.log_piece(offset, length) {
                Ok(data) => {
                    self.control.send(|out| FromSlave::Log { offset, data }.encode(out));
                    self.log_sent = true;
                }
                Err(e) => self.tell_session(Input::Lost(format!("its log cannot be read: {e}"))),
            },
            Effect::StartBuild { build, package, version, build_tag, index_url, log_limit } => {
                let job = Job { build, package, version, build_tag, index_url, log_limit };
                match self.bench.start(self.now(), &self.options.settings, &job) {
                    Ok(log_bytes) => self.tell_session(Input::LogGrew(log_bytes)),
                    Err(e) => self.tell_session(Input::CannotBuild(e)),
                }
            }
            Effect::CancelBuild => self.bench.cancel(self.now()),
            Effect::DiscardBuild => self.bench.discard(self.now(), &self.helpers),
            Effect::ServeTransfer { index, transfer } => match self.bench.serve(index) {
                Ok(size) => self.tell_transfer(transfer::Input::Begin { transfer, size }),
                Err(e) => self.tell_session(Input::Lost(e)),
            },
            Effect::StopTransfer => {
                self.bench.stop_serving();
                self.tell_transfer(transfer::Input::Off);
            }
            Effect::Report(level, text) => log::log!(level, "{text}"),
            Effect::TryStart => self.try_start(),
            Effect::Renew => self.exit = Some(End::Renewed),
            Effect::Exit { failure } => self.exit = Some(if failure { End::Failed } else { End::Stopped }),
        }
    }

    /// Looks at the machine, and tells the session whether it is fit for a job.
    fn look(&mut self) -> Vitals {
        let vitals = vitals::read(&self.options.settings.dir);
        let holds_back = self.fitness.judge(&vitals);
        self.tell_session(session::Input::Fit(holds_back));
        vitals
    }

    fn do_for_transfer(&mut self, effect: transfer::Effect) {
        use transfer::Effect;
        match effect {
            Effect::Connect => {
                let started =
                    self.helpers.connect(Channel::File, &self.options.master, self.options.file_port);
                if let Err(e) = started {
                    self.tell_transfer(transfer::Input::Disconnected(e));
                }
            }
            Effect::Disconnect => {
                self.file.close();
                self.chunk_sent = false;
            }
            Effect::Send(message) => self.file.send(|out| message.encode(out)),
            // asked for in the turn in which the transfer was stopped, and before that: the build is kept
            Effect::SendChunk { .. } if !self.bench.serves() => {}
            Effect::SendChunk { offset, length } => {
                match self.bench.chunk(offset, length as usize).and_then(|data| Ok(Blob::new(data)?)) {
                    Ok(data) => {
                        self.file.send(|out| file::FromSlave::Chunk { offset, data }.encode(out));
                        self.chunk_sent = true;
                    }
                    Err(e) => self.tell_session(session::Input::Lost(e)),
                }
            }
            Effect::Finished => {
                self.bench.stop_serving();
                self.tell_session(session::Input::TransferDone);
            }
            Effect::Report(level, text) => log::log!(level, "{text}"),
        }
    }

    /// Lets what was sent last, BYE mostly, leave and arrive: a connection closed with input unread is reset, and then
    /// the master may never see it.
    fn last_words(&mut self) -> io::Result<()> {
        let until = self.now() + LAST_WORDS;
        let mut ended = false;
        while self.control.is_open() && self.now() < until {
            if self.control.flush().is_err() {
                break;
            }
            if !ended && self.control.pending() == 0 {
                self.control.end_output();
                ended = true;
            }
            let Some((fd, flags)) = self.control.interest(true) else { break };
            let left = PollTimeout::try_from(until.since(self.now()).0).unwrap_or(PollTimeout::ZERO);
            match poll(&mut [PollFd::new(fd, flags)], left) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(e) => return Err(e.into()),
            }
            if self.control.fill().is_err() {
                break;
            }
            // what still comes is of no interest, but must not pile up
            while matches!(self.control.next_frame(), Ok(Some(_))) {}
        }
        self.control.close();
        self.file.close();
        Ok(())
    }
}
