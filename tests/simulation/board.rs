//! A board: the real session and the real file channel of a slave, and around them what `slave/shell/` is there, with a bench on
//! which builds take their time and come out as they may.

use bytes::Bytes;
use piwheels::VERSION;
use piwheels::domain::Millis;
use piwheels::master::event::ConnId;
use piwheels::slave::session::{self, Identity, OnTerm, Outcome, Session};
use piwheels::slave::transfer::{self, Transfer};
use piwheels::wire::limits::CHUNK_BYTES;
use piwheels::wire::slave::{Board as Machine, BuildEnd, FromSlave, Resume, ToSlave, Vitals};
use piwheels::wire::{Blob, Channel, List, Text, file};

use super::dice::Dice;
use super::faults::Kind;
use super::network::{Peer, encoded, said};
use super::wheels::Wheel;
use super::world::{ABIS, Act, WALL, World};

const PLATFORM: &str = "linux_armv7l";

/// What a board's helpers and its bench report.
#[derive(Debug)]
pub(crate) enum Did {
    Connected(Channel),
    /// The log has grown.
    Printed(i64, u64),
    /// The build has ended.
    Ended(i64),
    Cleared,
    /// What was sent on this connection has left.
    Drained(ConnId),
}

/// A build on the bench.
#[derive(Debug)]
struct Work {
    build: i64,
    log: Bytes,
    printed: u64,
    end: BuildEnd,
    wheels: Vec<Wheel>,
    ended: bool,
    duration: u64,
}

/// See the module's head.
pub(crate) struct Board {
    pub(crate) label: String,
    /// It has a key, and proves its name by it.
    pub(crate) name: Option<String>,
    pub(crate) abi: usize,
    pub(crate) on: bool,
    /// Of this life are its timers; of an earlier one they are nobody's.
    life: u64,
    seed: u64,
    session: Session,
    session_effects: Vec<session::Effect>,
    transfer: Transfer,
    transfer_effects: Vec<transfer::Effect>,
    /// Effects are being carried out.
    busy: bool,
    control: Option<ConnId>,
    file: Option<ConnId>,
    work: Option<Work>,
    served: Option<u16>,
    /// The master or the operator has said what lets it throw its build away.
    may_discard: bool,
    tick_at: u64,
}

fn identity(label: &str, abi: usize) -> Identity {
    Identity {
        software: Text::cut(VERSION),
        label: Text::cut(label),
        timeout_secs: 600,
        python_tag: Text::cut(&ABIS[abi][2..]),
        abi_tag: Text::cut(ABIS[abi]),
        platform_tag: Text::cut(PLATFORM),
        board: Machine::default(),
    }
}

impl Board {
    pub(crate) fn new(at: usize, seed: u64) -> Self {
        let mut dice = Dice::new(seed, 50 + at as u64);
        let label = format!("pi-{at}");
        // of each ABI there is one at least
        let abi = if at < ABIS.len() { at } else { dice.below(ABIS.len() as u64) as usize };
        let seed = dice.next();
        Self {
            name: dice.once_in(2).then(|| label.clone()),
            session: Session::new(identity(&label, abi), seed),
            session_effects: Vec::new(),
            transfer: Transfer::new(seed.rotate_left(32)),
            transfer_effects: Vec::new(),
            busy: false,
            label,
            abi,
            on: false,
            life: 0,
            seed,
            control: None,
            file: None,
            work: None,
            served: None,
            may_discard: false,
            tick_at: u64::MAX,
        }
    }

    /// The build that is on its bench.
    pub(crate) fn holds(&self) -> Option<i64> {
        self.work.as_ref().map(|work| work.build)
    }
}

impl World {
    pub(crate) fn board_on(&mut self, at: usize) {
        let board = &mut self.boards[at];
        if std::mem::replace(&mut board.on, true) {
            return;
        }
        board.life += 1;
        let seed = board.seed.wrapping_add(board.life);
        board.session = Session::new(identity(&board.label, board.abi), seed);
        board.transfer = Transfer::new(seed.rotate_left(32));
        (board.control, board.file, board.work, board.served) = (None, None, None, None);
        board.tick_at = u64::MAX;
        let life = board.life;
        self.say(|| format!("board {at} is switched on"));
        self.at(0, Act::BoardTick(at, life));
    }

    pub(crate) fn board_tick(&mut self, at: usize, life: u64) {
        if self.boards[at].life != life || !self.boards[at].on {
            return;
        }
        self.boards[at].tick_at = u64::MAX;
        self.tell_session(at, session::Input::Tick);
        self.tell_transfer(at, transfer::Input::Tick);
        self.set_board_timer(at);
    }

    fn set_board_timer(&mut self, at: usize) {
        let board = &mut self.boards[at];
        if !board.on {
            return;
        }
        let deadlines = [board.session.next_deadline(), board.transfer.next_deadline()];
        let Some(Millis(due)) = deadlines.into_iter().flatten().min() else { return };
        let due = due.max(self.clock + 1);
        if due < board.tick_at {
            board.tick_at = due;
            let life = board.life;
            self.at(due - self.clock, Act::BoardTick(at, life));
        }
    }

    fn tell_session(&mut self, at: usize, input: session::Input) {
        let board = &mut self.boards[at];
        board.session.handle(Millis(self.clock), input, &mut board.session_effects);
        self.carry_out_for(at);
    }

    fn tell_transfer(&mut self, at: usize, input: transfer::Input) {
        let board = &mut self.boards[at];
        board.transfer.handle(Millis(self.clock), input, &mut board.transfer_effects);
        self.carry_out_for(at);
    }

    /// Carries out every effect, in order; those that come of it when the others are done.
    fn carry_out_for(&mut self, at: usize) {
        if std::mem::replace(&mut self.boards[at].busy, true) {
            return;
        }
        loop {
            let session = std::mem::take(&mut self.boards[at].session_effects);
            let transfer = std::mem::take(&mut self.boards[at].transfer_effects);
            if session.is_empty() && transfer.is_empty() {
                break;
            }
            session.into_iter().for_each(|effect| self.do_for_session(at, effect));
            transfer.into_iter().for_each(|effect| self.do_for_transfer(at, effect));
        }
        self.boards[at].busy = false;
    }

    fn later(&mut self, at: usize, delay: u64, did: Did) {
        let life = self.boards[at].life;
        self.at(delay, Act::BoardDid(at, life, did));
    }

    fn say_to_master(&mut self, at: usize, message: &FromSlave) {
        if let Some(conn) = self.boards[at].control {
            self.send_to_master(conn, said(message));
        }
    }

    fn do_for_session(&mut self, at: usize, effect: session::Effect) {
        use session::{Effect, Input};
        match effect {
            Effect::Connect => self.later(at, 5, Did::Connected(Channel::Slave)),
            Effect::Disconnect => {
                if let Some(conn) = self.boards[at].control.take() {
                    self.peer_closes(conn);
                }
            }
            Effect::Send(message) => {
                self.say(|| format!("board {at} says {}", message.name()));
                self.say_to_master(at, &message);
            }
            Effect::Look => self.tell_session(at, Input::Fit(None)),
            Effect::SendBusy => {
                self.tell_session(at, Input::Fit(None));
                let holds_back = self.boards[at].session.holds_back();
                self.say_to_master(at, &FromSlave::Busy { vitals: vitals(), holds_back });
            }
            Effect::SendLog { offset, length } => {
                let work = self.boards[at].work.as_ref();
                let Some(work) = work else { return self.violated(format!("board {at} has no log to send")) };
                let piece = work.log.slice(offset as usize..offset as usize + length);
                let data = Blob::new(piece).expect("a piece of a log");
                self.say_to_master(at, &FromSlave::Log { offset, data });
                if let Some(conn) = self.boards[at].control {
                    let delay = self.chance.board.between(1, 30);
                    self.later(at, delay, Did::Drained(conn));
                }
            }
            Effect::StartBuild { build, package, version, build_tag, .. } => {
                self.start_build(at, build.0, &package, &version, build_tag);
            }
            Effect::CancelBuild => {
                if let Some(work) = self.boards[at].work.as_mut().filter(|work| !work.ended) {
                    (work.end, work.wheels) = (BuildEnd::Cancelled, Vec::new());
                    work.log.truncate(work.printed as usize);
                    let build = work.build;
                    self.later(at, 300, Did::Ended(build));
                }
            }
            Effect::DiscardBuild => {
                if !self.boards[at].may_discard {
                    let build = self.boards[at].holds();
                    self.violated(format!("board {at} throws build {build:?} away, and nobody told it to"));
                }
                self.boards[at].work = None;
                self.boards[at].served = None;
                self.later(at, 50, Did::Cleared);
            }
            Effect::ServeTransfer { index, transfer } => {
                let files = self.boards[at].work.as_ref().map_or(&[][..], |work| &work.wheels);
                match files.get(usize::from(index)).map(|wheel| wheel.bytes.len() as u64) {
                    Some(size) => {
                        self.boards[at].served = Some(index);
                        self.tell_transfer(at, transfer::Input::Begin { transfer, size });
                    }
                    None => self.violated(format!("board {at} is to serve file {index}, which is not there")),
                }
            }
            Effect::StopTransfer => {
                self.boards[at].served = None;
                self.tell_transfer(at, transfer::Input::Off);
            }
            Effect::Report(_, text) => self.board_reports(at, &text),
            Effect::TryStart => self.tell_session(at, Input::Tried(Ok(()))),
            Effect::Renew | Effect::Exit { .. } => self.board_exits(at),
        }
    }

    fn do_for_transfer(&mut self, at: usize, effect: transfer::Effect) {
        use transfer::Effect;
        match effect {
            Effect::Connect => self.later(at, 5, Did::Connected(Channel::File)),
            Effect::Disconnect => {
                if let Some(conn) = self.boards[at].file.take() {
                    self.peer_closes(conn);
                }
            }
            Effect::Send(message) => {
                if let Some(conn) = self.boards[at].file {
                    self.send_to_master(conn, encoded(|out| message.encode(out)));
                }
            }
            Effect::SendChunk { offset, length } => {
                let board = &self.boards[at];
                let wheel =
                    board.served.and_then(|index| board.work.as_ref()?.wheels.get(usize::from(index)));
                let (Some(wheel), Some(conn)) = (wheel, board.file) else {
                    return self.violated(format!("board {at} is to send a chunk of nothing"));
                };
                assert!(length as usize <= CHUNK_BYTES);
                let piece = wheel.bytes.slice(offset as usize..offset as usize + length as usize);
                let data = Blob::new(piece).expect("a chunk");
                self.send_to_master(conn, encoded(|out| file::FromSlave::Chunk { offset, data }.encode(out)));
                let delay = self.chance.board.between(0, 5);
                self.later(at, delay, Did::Drained(conn));
            }
            Effect::Finished => {
                self.boards[at].served = None;
                self.tell_session(at, session::Input::TransferDone);
            }
            Effect::Report(_, text) => self.board_reports(at, &text),
        }
    }

    /// A slave tells its operator something; of the master, that it said what it may not.
    fn board_reports(&mut self, at: usize, text: &str) {
        self.say(|| format!("board {at}: {text}"));
        let odd = [
            "may not come now",
            "which is not held",
            "SEND of file",
            "FETCH of",
            "without a transfer",
            "HELLO:",
        ];
        if odd.iter().any(|words| text.contains(words)) {
            self.violated(format!("board {at} is told what it may not be told: {text}"));
        }
    }

    pub(crate) fn board_did(&mut self, at: usize, life: u64, did: Did) {
        use session::Input;
        if self.boards[at].life != life || !self.boards[at].on {
            return;
        }
        match did {
            Did::Connected(channel) => {
                let name = self.boards[at].name.clone();
                let conn = self.connect(Peer::Board(at), channel, name);
                let refused = "connection refused".to_owned();
                match (channel, conn) {
                    (Channel::File, Some(_)) => self.boards[at].file = conn,
                    (Channel::File, None) => self.tell_transfer(at, transfer::Input::Disconnected(refused)),
                    (_, Some(_)) => self.boards[at].control = conn,
                    (_, None) => self.tell_session(at, Input::Disconnected(refused)),
                }
            }
            Did::Printed(build, bytes) => {
                let work = self.boards[at].work.as_mut();
                if let Some(work) = work.filter(|work| work.build == build && !work.ended) {
                    work.printed = work.printed.max(bytes.min(work.log.len() as u64));
                    let printed = work.printed;
                    self.tell_session(at, Input::LogGrew(printed));
                }
            }
            Did::Ended(build) => self.end_build(at, build),
            Did::Cleared => self.tell_session(at, Input::Discarded),
            Did::Drained(conn) => {
                if self.boards[at].control == Some(conn) {
                    self.tell_session(at, Input::Drained);
                } else if self.boards[at].file == Some(conn) {
                    self.tell_transfer(at, transfer::Input::Drained);
                }
            }
        }
        self.set_board_timer(at);
    }

    /// Bytes have come to a board.
    pub(crate) fn board_hears(&mut self, at: usize, conn: ConnId) {
        if self.boards[at].control == Some(conn) {
            if self.peer_preamble(conn) {
                self.tell_session(at, session::Input::Connected);
            }
            while self.boards[at].control == Some(conn)
                && let Some(frame) = self.peer_frame(conn)
            {
                match ToSlave::decode(frame) {
                    Ok(message) => {
                        self.say(|| format!("board {at} hears {}", message.name()));
                        self.boards[at].may_discard |= matches!(
                            message,
                            ToSlave::Done { .. }
                                | ToSlave::Bye { .. }
                                | ToSlave::Hello { resume: Resume::Drop, .. }
                        );
                        self.tell_session(at, session::Input::Message(message));
                    }
                    Err(wrong) => {
                        return self.violated(format!("the master says what is no message: {wrong}"));
                    }
                }
            }
        } else if self.boards[at].file == Some(conn) {
            if self.peer_preamble(conn) {
                self.tell_transfer(at, transfer::Input::Connected);
            }
            while self.boards[at].file == Some(conn)
                && let Some(frame) = self.peer_frame(conn)
            {
                if !self.boards[at].transfer.takes_input() {
                    self.violated(format!("board {at} has more FETCHes than it takes"));
                }
                match file::ToSlave::decode(frame) {
                    Ok(message) => self.tell_transfer(at, transfer::Input::Message(message)),
                    Err(wrong) => {
                        return self.violated(format!("the master says what is no message: {wrong}"));
                    }
                }
            }
        }
        self.set_board_timer(at);
    }

    pub(crate) fn board_lost(&mut self, at: usize, conn: ConnId, reason: &str) {
        if self.boards[at].control == Some(conn) {
            self.boards[at].control = None;
            self.tell_session(at, session::Input::Disconnected(reason.to_owned()));
        } else if self.boards[at].file == Some(conn) {
            self.boards[at].file = None;
            self.tell_transfer(at, transfer::Input::Disconnected(reason.to_owned()));
        }
        self.set_board_timer(at);
    }

    fn start_build(&mut self, at: usize, build: i64, package: &str, version: &str, build_tag: u64) {
        let fails = self.faults.has(Kind::Fail) && self.quiet.is_none();
        let abi = ABIS[self.boards[at].abi];
        let quick = self.quiet.is_some();
        let dice = &mut self.chance.board;
        let duration = if quick { dice.between(200, 5_000) } else { dice.between(200, 70_000) };
        let log = printed(build, [0, 7, 900, 40_000][dice.below(4) as usize]);
        let salt = build as u64 ^ (at as u64) << 40;
        let native = format!("{abi}-{abi}-{PLATFORM}");
        let wheel = |tags: &str, size: u64| Wheel::new(package, version, build_tag, tags, size, salt);
        let kind = package.bytes().map(u64::from).sum::<u64>() + version.bytes().map(u64::from).sum::<u64>();
        let size = dice.between(10, 3_000);
        let large = dice.between(10_000, 260_000);
        let (mut end, mut wheels) = match kind % 6 {
            0 => (BuildEnd::Built, vec![wheel("py3-none-any", size)]),
            1 => (BuildEnd::Built, vec![wheel("cp39-abi3-linux_armv7l", size)]),
            2 => (BuildEnd::Failed, Vec::new()),
            3 => (BuildEnd::Built, vec![wheel(&native, size), wheel("py3-none-any", 20)]),
            4 => (BuildEnd::Built, vec![wheel(&native, large)]),
            _ => (BuildEnd::Built, vec![wheel(&native, size)]),
        };
        if fails && self.chance.of(Kind::Fail).once_in(6) {
            let ends = [
                BuildEnd::Timeout,
                BuildEnd::Network,
                BuildEnd::OutOfMemory,
                BuildEnd::Silence,
                BuildEnd::Failed,
                BuildEnd::Disk,
                BuildEnd::NoSdist,
            ];
            (end, wheels) = (*self.chance.of(Kind::Fail).of(&ends), Vec::new());
            self.fault(Kind::Fail, || format!("build {build} of {package} {version} ends as {end:?}"));
        }
        let total = log.len() as u64;
        self.boards[at].may_discard = false;
        self.boards[at].work = Some(Work { build, log, printed: 0, end, wheels, ended: false, duration });
        for part in 1..=3 {
            self.later(at, duration * part / 4, Did::Printed(build, total * part / 3));
        }
        self.later(at, duration, Did::Ended(build));
    }

    fn end_build(&mut self, at: usize, build: i64) {
        let Some(work) = self.boards[at].work.as_mut().filter(|work| work.build == build && !work.ended)
        else {
            return;
        };
        work.ended = true;
        let outcome = Outcome {
            end: work.end,
            duration: Millis(work.duration),
            log_bytes: work.log.len() as u64,
            files: List::cut(work.wheels.iter().map(Wheel::promised).collect()),
            report: Box::default(),
        };
        self.tell_session(at, session::Input::Ended(outcome));
    }

    /// Whether these are bytes that a build prints there.
    pub(crate) fn is_log(&self, build: i64, offset: u64, bytes: &[u8]) -> bool {
        bytes.iter().zip(offset..).all(|(byte, at)| *byte == print(build, at))
    }

    /// A board's program ends, as it wanted to.
    fn board_exits(&mut self, at: usize) {
        self.say(|| format!("the slave on board {at} ends"));
        let board = &mut self.boards[at];
        board.on = false;
        board.work = None;
        for conn in [board.control.take(), board.file.take()].into_iter().flatten() {
            self.peer_closes(conn);
        }
        let delay = self.chance.board.between(500, 20_000);
        self.at(delay, Act::BoardOn(at));
    }

    /// A board loses its power, or its operator stops the slave.
    pub(crate) fn stop_board(&mut self, kind: Kind) {
        let count = self.boards.len() as u64;
        let dice = self.chance.of(kind);
        let at = dice.below(count) as usize;
        let delay = dice.between(200, 100_000);
        if !self.boards[at].on {
            return;
        }
        if kind == Kind::Term {
            let ways = [OnTerm::Finish, OnTerm::Abort, OnTerm::Within(Millis::secs(20))];
            let way = *self.chance.of(kind).of(&ways);
            self.fault(kind, || format!("the slave on board {at} is stopped: {way:?}"));
            self.boards[at].may_discard = true;
            self.tell_session(at, session::Input::Stop(way));
            return self.set_board_timer(at);
        }
        self.fault(kind, || format!("board {at} loses its power"));
        let board = &mut self.boards[at];
        board.on = false;
        board.work = None;
        for conn in [board.control.take(), board.file.take()].into_iter().flatten() {
            let finds = self.chance.of(kind).between(1, 40_000);
            if let Some(line) = self.lines.get_mut(&conn) {
                line.peer_open = false;
            }
            self.cut(conn, finds, finds);
        }
        self.at(delay, Act::BoardOn(at));
    }
}

/// What a build prints: of its own, and of its own everywhere.
fn printed(build: i64, length: usize) -> Bytes {
    (0..length as u64).map(|at| print(build, at)).collect()
}

fn print(build: i64, at: u64) -> u8 {
    b'!' + ((build as u64).wrapping_mul(31).wrapping_add(at.wrapping_mul(7) + at / 89) % 89) as u8
}

pub(crate) fn vitals() -> Vitals {
    Vitals {
        load1_centi: 52,
        cpus: 4,
        memory_total: 1 << 30,
        memory_free: 1 << 29,
        disk_total: 1 << 35,
        disk_free: 1 << 34,
        temperature: Some(483),
        clock_ms: WALL,
        throttled: Some(false),
    }
}
