//! A model of a slave: it does what `wire-spec/slave.md` and `file.md` say, and takes what they do not allow the master
//! for a failure of the test.

use std::collections::VecDeque;

use bytes::Bytes;

use super::world::World;
use super::{BOUND, PURE};
use crate::domain::{BuildId, JobToken};
use crate::master::event::{ConnId, Event};
use crate::master::testbed::{built, hello, text};
use crate::wire::Blob;
use crate::wire::file;
use crate::wire::limits::{CHUNK_BYTES, LOG_BYTES};
use crate::wire::slave::{BuildEnd, FromSlave, Held, Holding, Resume, ToSlave};

/// Something that arrives at a board.
#[derive(Debug)]
pub(super) enum Heard {
    Slave(ToSlave),
    File(file::ToSlave),
    End(Option<String>),
}

/// Its file connection.
#[derive(Debug)]
pub(super) struct FileSide {
    pub(super) conn: ConnId,
    pub(super) inbox: VecDeque<Heard>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Away,
    Connected,
    Greeting,
    Idle,
    Asked,
    Asleep,
    /// Building, or sending the rest of the log.
    Reporting {
        log_sent: u64,
    },
    Offered,
    Sending {
        index: u16,
        key: [u8; 16],
    },
}

#[derive(Clone, Copy, Debug)]
struct Work {
    token: JobToken,
    built: bool,
    cancelled: bool,
}

/// A board.
#[derive(Debug, Default)]
pub(super) struct Board {
    pub(super) conn: Option<ConnId>,
    pub(super) inbox: VecDeque<Heard>,
    pub(super) file: Option<FileSide>,
    stage: Stage,
    work: Option<Work>,
    /// It said something that it must not, and expects to be closed for it.
    odd: bool,
}

/// What a build makes, so that every board makes the same of it: nothing, one file or two.
fn files(build: BuildId) -> &'static [(&'static str, u64)] {
    const BIG: u64 = 9 * CHUNK_BYTES as u64 + 5;
    match build.0 % 4 {
        0 => &[],
        1 => &[(PURE, 10)],
        2 => &[(PURE, BIG)],
        _ => &[(BOUND, 3), (PURE, CHUNK_BYTES as u64 + 1)],
    }
}

fn log_bytes(build: BuildId) -> u64 {
    [0, 7, 10 * LOG_BYTES as u64][(build.0 % 3) as usize]
}

fn zeros(length: usize) -> Bytes {
    static ZEROS: [u8; CHUNK_BYTES] = [0; CHUNK_BYTES];
    Bytes::from_static(&ZEROS[..length])
}

impl Board {
    pub(super) fn greeted(&self) -> bool {
        !matches!(self.stage, Stage::Away | Stage::Connected)
    }

    pub(super) fn sleeps(&self) -> bool {
        self.stage == Stage::Asleep
    }

    pub(super) fn works(&self) -> bool {
        self.work.is_some()
    }

    /// Its connection is no more; the work is kept.
    pub(super) fn disconnected(&mut self) -> Option<ConnId> {
        (self.stage, self.odd) = (Stage::Away, false);
        self.inbox.clear();
        self.conn.take()
    }
}

impl World {
    /// A board does one thing: hears what came, or goes on. False when it has nothing to do but wait.
    pub(super) fn act(&mut self, owner: usize) -> bool {
        if let Some(heard) = self.boards[owner].inbox.pop_front() {
            self.hear(owner, heard);
            return true;
        }
        let board = &mut self.boards[owner];
        match board.stage {
            Stage::Away if self.listening => {
                board.stage = Stage::Connected;
                self.connect(owner);
                true
            }
            Stage::Connected => {
                let state = |work: &Work| if work.built { Holding::Built } else { Holding::Building };
                let held = board.work.as_ref().map(|work| Held { token: work.token, state: state(work) });
                board.stage = Stage::Greeting;
                self.say(owner, hello("cp311", held))
            }
            Stage::Idle => {
                board.stage = Stage::Asked;
                self.say(owner, FromSlave::Idle {})
            }
            Stage::Reporting { log_sent } => self.report(owner, log_sent),
            Stage::Sending { index, key } => self.send(owner, index, key),
            Stage::Away | Stage::Greeting | Stage::Asked | Stage::Asleep | Stage::Offered => false,
        }
    }

    /// A board that sleeps asks again, for its time is up.
    pub(super) fn oversleep(&mut self, owner: usize) {
        if self.boards[owner].stage == Stage::Asleep {
            self.boards[owner].stage = Stage::Asked;
            self.say(owner, FromSlave::Idle {});
        }
    }

    fn report(&mut self, owner: usize, log_sent: u64) -> bool {
        let Some(Work { token, cancelled, .. }) = self.boards[owner].work else {
            panic!("nothing to report")
        };
        if self.boards[owner].conn.is_some_and(|conn| self.held.contains(&conn)) {
            return false;
        }
        let length = (log_bytes(token.build) - log_sent).min(LOG_BYTES as u64);
        if length > 0 {
            self.boards[owner].stage = Stage::Reporting { log_sent: log_sent + length };
            let data = Blob::new(zeros(length as usize)).expect("a log's piece");
            return self.say(owner, FromSlave::Log { offset: log_sent, data });
        }
        self.boards[owner].work = Some(Work { token, built: true, cancelled });
        self.boards[owner].stage = Stage::Offered;
        let files = if cancelled { &[] } else { files(token.build) };
        let end = match (cancelled, files.is_empty()) {
            (true, _) => BuildEnd::Cancelled,
            (false, true) => BuildEnd::Failed,
            (false, false) => BuildEnd::Built,
        };
        self.say(owner, built(token, end, files))
    }

    /// The file side of a transfer, one thing at a time.
    fn send(&mut self, owner: usize, index: u16, key: [u8; 16]) -> bool {
        let Some(file) = &mut self.boards[owner].file else {
            let conn = self.connect_file(owner);
            self.put(Event::File(conn, file::FromSlave::Hello { transfer: key }));
            return true;
        };
        let conn = file.conn;
        match file.inbox.pop_front() {
            None => return false,
            Some(Heard::File(file::ToSlave::Fetch { offset, length })) => {
                let data = Blob::new(zeros(length as usize)).expect("a chunk");
                self.put(Event::File(conn, file::FromSlave::Chunk { offset, data }));
            }
            Some(Heard::File(file::ToSlave::Done {})) => {
                self.cut_file(owner);
                self.boards[owner].stage = Stage::Offered;
                self.say(owner, FromSlave::Sent { index });
            }
            Some(Heard::End(_)) => {
                self.cut_file(owner);
                // it backs off before it tries again
                return false;
            }
            Some(Heard::Slave(message)) => panic!("{message:?} on a file channel"),
        }
        true
    }

    fn hear(&mut self, owner: usize, heard: Heard) {
        let message = match heard {
            Heard::Slave(message) => message,
            Heard::File(message) => panic!("{message:?} on a slave channel"),
            Heard::End(reason) => {
                let expected = ["other bytes than promised", "silent for"];
                let fair = |reason: &String| expected.iter().any(|text| reason.contains(text));
                let board = &self.boards[owner];
                assert!(board.odd || reason.iter().all(fair), "closed for {reason:?}: {board:?}");
                self.cut(owner);
                return;
            }
        };
        let board = &mut self.boards[owner];
        board.stage = match (message, board.stage, board.work) {
            (ToSlave::Hello { resume: Resume::None, .. }, Stage::Greeting, None) => Stage::Idle,
            (ToSlave::Hello { resume: Resume::GoOn, log_from, .. }, Stage::Greeting, Some(work))
                if log_from <= log_bytes(work.token.build) =>
            {
                Stage::Reporting { log_sent: log_from }
            }
            (ToSlave::Hello { resume: Resume::Drop, .. }, Stage::Greeting, Some(_)) => {
                board.work = None;
                Stage::Idle
            }
            (ToSlave::Sleep { .. }, Stage::Asked, None) => Stage::Asleep,
            (ToSlave::Wake {}, Stage::Asleep, None) => Stage::Idle,
            // WAKE and an IDLE sent because the time was up may pass each other
            (ToSlave::Wake {}, Stage::Asked, None) => Stage::Asked,
            (ToSlave::Build { token, .. }, Stage::Asked, None) => {
                board.work = Some(Work { token, built: false, cancelled: false });
                Stage::Reporting { log_sent: 0 }
            }
            (ToSlave::Send { index, transfer }, Stage::Offered, Some(work))
                if usize::from(index) < files(work.token.build).len() =>
            {
                Stage::Sending { index, key: transfer }
            }
            (ToSlave::Done { build }, Stage::Offered, Some(work)) if work.token.build == build => {
                board.work = None;
                Stage::Idle
            }
            // one that crossed BUILT, and what came of it, is passed over
            (ToSlave::Cancel { build }, stage, Some(mut work)) => {
                work.cancelled |= !work.built && work.token.build == build;
                board.work = Some(work);
                stage
            }
            (ToSlave::Cancel { .. }, stage, None) => stage,
            (ToSlave::Bye { .. }, _, _) if !self.listening || self.killed => {
                self.leave(owner);
                return;
            }
            (message, ..) => panic!("{message:?} may not come now: {board:?}"),
        };
    }

    /// A board says BYE and goes; it gives back what it holds.
    pub(super) fn leave(&mut self, owner: usize) {
        if self.boards[owner].greeted() && self.say(owner, FromSlave::Bye { reason: text("enough") }) {
            self.boards[owner].work = None;
        }
        self.cut(owner);
    }

    /// A board loses its power, and what it held.
    pub(super) fn die(&mut self, owner: usize) {
        self.boards[owner].work = None;
        self.cut(owner);
    }

    /// A board says something that it may say in no state.
    pub(super) fn misbehave(&mut self, owner: usize, what: usize) {
        if self.boards[owner].greeted() {
            let odd = match what % 3 {
                0 => hello("cp311", None),
                1 => {
                    FromSlave::Log { offset: u64::MAX / 2, data: Blob::new(zeros(1)).expect("a log's piece") }
                }
                _ => FromSlave::Sent { index: 77 },
            };
            self.boards[owner].odd = true;
            self.say(owner, odd);
        }
        if let Some(file) = &self.boards[owner].file {
            let data = Blob::new(zeros(3)).expect("a chunk");
            self.put(Event::File(file.conn, file::FromSlave::Chunk { offset: 1, data }));
        }
    }
}
