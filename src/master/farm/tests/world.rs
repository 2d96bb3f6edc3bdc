//! Models of everything around the farm, driven one step at a time: boards that build, a disk, a database.
//!
//! In: a step. Out: events for the farm; what it wants done waits in queues until a later step. Whatever the order of
//! the steps, what the farm has promised is checked as it happens.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use super::board::{Board, FileSide, Heard};
use super::database::Database;
use crate::domain::ranges::RangeSet;
use crate::domain::{BuildId, Millis};
use crate::master::event::*;
use crate::master::farm::Farm;
use crate::master::follower::FollowSettings;
use crate::master::limits::Limits;
use crate::master::query::{Abi, Answer, Query};
use crate::master::testbed::{WALL, abi, busy, digest, sound};
use crate::wire::limits::CHUNK_BYTES;
use crate::wire::slave::{FromSlave, ToSlave};
use crate::wire::{Channel, control};

/// What the disk does with its next request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Luck {
    Good,
    /// No space.
    Full,
    /// What is checked has the wrong bytes.
    WrongBytes,
    /// What is checked is no wheel, and what is placed is taken.
    Odd,
}

/// The farm and everything around it.
pub(super) struct World {
    pub(super) farm: Farm,
    pub(super) out: Out,
    pub(super) now: Millis,
    pub(super) database: Database,
    pub(super) boards: Vec<Board>,
    /// Connections whose boards are gone, which the master does not know yet.
    ghosts: HashSet<ConnId>,
    /// Of those, the ones that the master is closing.
    ending: Vec<ConnId>,
    /// Connections that are not read.
    pub(super) held: HashSet<ConnId>,
    /// Listens for slaves.
    pub(super) listening: bool,
    pub(super) exits: usize,
    /// The administrator's tool, and what it was answered.
    tool: Option<ConnId>,
    pub(super) answered: Vec<control::ToTool>,
    /// Slaves were told to go by the administrator.
    pub(super) killed: bool,
    questions: Vec<(Ticket, Query)>,
    answers: Vec<(Ticket, Answer)>,
    requests: VecDeque<DiskRequest>,
    disk_answers: VecDeque<DiskAnswer>,
    /// Files in the spool: bytes written, or nothing when the disk gave them up.
    pub(super) spool: BTreeMap<TransferId, Option<u64>>,
    /// Logs in the spool, and their lengths.
    pub(super) logs: BTreeMap<BuildId, u64>,
    placed: BTreeSet<BuildId>,
    committing: BTreeSet<BuildId>,
    committed: BTreeSet<BuildId>,
    owners: HashMap<ConnId, usize>,
    connections: u64,
}

impl World {
    pub(super) fn new(boards: usize, versions: usize) -> Self {
        let abis = [Abi { tag: abi("cp311"), rank: 1, skip: None, platforms: Vec::new() }];
        Self {
            farm: Farm::new(
                Millis(0),
                Limits::default(),
                String::new(),
                FollowSettings::default(),
                &abis,
                [7; 32],
            ),
            out: Out::default(),
            now: Millis::secs(1000),
            database: Database::new(versions, Limits::default().lease),
            boards: (0..boards).map(|_| Board::default()).collect(),
            ghosts: HashSet::new(),
            ending: Vec::new(),
            held: HashSet::new(),
            listening: true,
            exits: 0,
            tool: None,
            answered: Vec::new(),
            killed: false,
            questions: Vec::new(),
            answers: Vec::new(),
            requests: VecDeque::new(),
            disk_answers: VecDeque::new(),
            spool: BTreeMap::new(),
            logs: BTreeMap::new(),
            placed: BTreeSet::new(),
            committing: BTreeSet::new(),
            committed: BTreeSet::new(),
            owners: HashMap::new(),
            connections: 0,
        }
    }

    pub(super) fn put(&mut self, event: Event) {
        self.farm.handle(self.now, event, &mut self.out);
        for effect in std::mem::take(&mut self.out.effects) {
            self.carry_out(effect);
        }
        let (counted, real) = self.farm.juggler.in_flight();
        assert_eq!(counted, real);
        assert!(
            counted <= Limits::default().transfer_memory + CHUNK_BYTES as u64,
            "{counted} bytes in flight"
        );
    }

    fn carry_out(&mut self, effect: Effect) {
        if self.exits > 0 {
            // the reactor has ended; what is asked of it is nobody's
            self.exits += usize::from(matches!(effect, Effect::Exit));
            return;
        }
        match effect {
            Effect::Send(conn, Message::Slave(message)) => {
                if let ToSlave::Build { token, .. } = &message {
                    let slave = &self.farm.slaves.slaves[&conn];
                    let free = !self.farm.hands_nothing_out() && !slave.resting && slave.kill.is_none();
                    assert!(free, "{} goes to one that may have none: {slave:?}", token.build);
                }
                if let ToSlave::Done { build } = message {
                    assert!(self.committed.contains(&build), "DONE {build} before its commit");
                }
                self.deliver(conn, Heard::Slave(message));
            }
            Effect::Send(conn, Message::File(message)) => self.deliver(conn, Heard::File(message)),
            Effect::Send(_, Message::Control(message)) => self.answered.push(message),
            Effect::Send(_, message) => panic!("nobody of that kind is there: {message:?}"),
            Effect::Close(conn, reason) => {
                self.held.remove(&conn);
                if self.ghosts.remove(&conn) {
                    self.ending.push(conn);
                }
                self.deliver(conn, Heard::End(reason));
            }
            Effect::Hold(conn) => assert!(self.held.insert(conn), "held twice"),
            Effect::Resume(conn) => assert!(self.held.remove(&conn), "resumed without being held"),
            Effect::Ask(ticket, query) => {
                if let Query::LogBuild(record) = &query {
                    let build = record.token.build;
                    assert!(self.placed.contains(&build), "build {build} is recorded before it is in place");
                    assert!(self.committing.insert(build), "build {build} is recorded twice at once");
                }
                self.questions.push((ticket, query));
            }
            Effect::Forget(ticket) => {
                if let Some(at) = self.questions.iter().position(|(asked, _)| *asked == ticket) {
                    self.questions.remove(at);
                    self.put(Event::Forgotten(ticket));
                }
            }
            Effect::Disk(request) => self.requests.push_back(request),
            Effect::Page(PageRequest::Slaves(slaves)) => {
                assert!(slaves.len() <= self.farm.slaves.slaves.len())
            }
            Effect::Page(request) => panic!("no page is due: {request:?}"),
            Effect::Look(..) => panic!("no tool is there"),
            Effect::Gaze(request) => panic!("no page is due: {request:?}"),
            Effect::StopListening => self.listening = false,
            // the disk is looked at when a test says so
            Effect::ReadKeys | Effect::Survey => {}
            Effect::Exit => self.exits += 1,
        }
    }

    /// A message on its way to a board; nothing comes behind the end of a connection.
    fn deliver(&mut self, conn: ConnId, heard: Heard) {
        let Some(board) = self.owners.get(&conn).and_then(|owner| self.boards.get_mut(*owner)) else {
            return;
        };
        let inbox = if board.conn == Some(conn) {
            &mut board.inbox
        } else if let Some(file) = board.file.as_mut().filter(|file| file.conn == conn) {
            &mut file.inbox
        } else {
            return;
        };
        if !matches!(inbox.back(), Some(Heard::End(_))) {
            inbox.push_back(heard);
        }
    }

    fn open(&mut self, owner: usize, channel: Channel) -> ConnId {
        self.connections += 1;
        let conn = ConnId(self.connections);
        self.owners.insert(conn, owner);
        self.put(Event::Opened { conn, channel, peer: "192.0.2.1:5".to_owned(), name: None });
        conn
    }

    /// A connection ends, whoever wanted it.
    fn close(&mut self, conn: ConnId) {
        self.held.remove(&conn);
        self.owners.remove(&conn);
        self.put(Event::Closed(conn));
    }

    pub(super) fn connect(&mut self, owner: usize) {
        let conn = self.open(owner, Channel::Slave);
        self.boards[owner].conn = Some(conn);
    }

    pub(super) fn cut(&mut self, owner: usize) {
        self.cut_file(owner);
        if let Some(conn) = self.boards[owner].disconnected() {
            self.close(conn);
        }
    }

    /// A board's connections are gone without a word; the master notices when it has heard nothing for long, or when
    /// the board is back.
    pub(super) fn vanish(&mut self, owner: usize) {
        let file = self.boards[owner].file.take().map(|file| file.conn);
        for conn in file.into_iter().chain(self.boards[owner].disconnected()) {
            self.owners.remove(&conn);
            self.ghosts.insert(conn);
        }
    }

    pub(super) fn connect_file(&mut self, owner: usize) -> ConnId {
        let conn = self.open(owner, Channel::File);
        self.boards[owner].file = Some(FileSide { conn, inbox: VecDeque::new() });
        conn
    }

    pub(super) fn cut_file(&mut self, owner: usize) {
        if let Some(file) = self.boards[owner].file.take() {
            self.close(file.conn);
        }
    }

    /// A board speaks, if it is connected and listened to.
    pub(super) fn say(&mut self, owner: usize, message: FromSlave) -> bool {
        match self.boards[owner].conn {
            Some(conn) if !self.held.contains(&conn) => {
                self.put(Event::Slave(conn, message));
                true
            }
            _ => false,
        }
    }

    /// The administrator orders something.
    pub(super) fn order(&mut self, command: control::FromTool) {
        self.killed |= matches!(command, control::FromTool::Kill { .. });
        let tool = match self.tool {
            Some(tool) => tool,
            None => self.open(usize::MAX, Channel::Control),
        };
        self.tool = Some(tool);
        let before = self.answered.len();
        self.put(Event::Control(tool, command));
        assert_eq!(self.answered.len(), before + usize::from(self.exits == 0), "one answer for each");
    }

    /// The number of the slave that a board is connected as.
    pub(super) fn number(&self, owner: usize) -> Option<u32> {
        self.farm.slaves.slaves.get(&self.boards[owner].conn?).map(|slave| slave.id)
    }

    /// The master notices all connections that are gone.
    pub(super) fn bury(&mut self) {
        let gone: Vec<_> = self.ghosts.drain().chain(self.ending.drain(..)).collect();
        gone.into_iter().for_each(|conn| self.close(conn));
    }

    /// Time passes; everybody who can says that he is alive.
    pub(super) fn tick(&mut self, span: Millis) {
        self.now = self.now + span;
        for conn in std::mem::take(&mut self.ending) {
            self.close(conn);
        }
        for owner in 0..self.boards.len() {
            if self.boards[owner].greeted() {
                self.say(owner, busy());
            }
        }
        self.put(Event::Tick(WALL + self.now));
    }

    /// So much of the master's disk is free, and is found so.
    pub(super) fn disk_has(&mut self, free: u64) {
        let disk = Disk { path: "/srv".to_owned(), size: 1 << 40, free, inodes: None, inodes_free: None };
        self.put(Event::Surveyed(Box::new(Survey { disks: vec![disk], ..Survey::default() })));
        self.put(Event::Tick(WALL + self.now));
    }

    /// The database does one of the things it was asked for.
    pub(super) fn database_works(&mut self, pick: usize) -> bool {
        if self.questions.is_empty() {
            return false;
        }
        let (ticket, query) = self.questions.remove(pick % self.questions.len());
        let answer = self.database.carry_out(self.now, &query);
        if let Query::LogBuild(record) = &query {
            self.committed.insert(record.token.build);
        }
        self.answers.push((ticket, answer));
        true
    }

    /// One of its answers arrives.
    pub(super) fn database_answers(&mut self, pick: usize) -> bool {
        if self.answers.is_empty() {
            return false;
        }
        let (ticket, answer) = self.answers.remove(pick % self.answers.len());
        if let (Answer::Logged(_), Some(Purpose::Build(build))) = (&answer, self.out.purpose_of(ticket)) {
            self.committing.remove(&build);
        }
        self.put(Event::Database(ticket, answer));
        true
    }

    /// The file writer does the next thing it was asked for.
    pub(super) fn disk_works(&mut self, luck: Luck) -> bool {
        let Some(request) = self.requests.pop_front() else { return false };
        let answer = match request {
            DiskRequest::Log(build, offset, data) => {
                let length = data.len() as u64;
                let log = self.logs.entry(build).or_default();
                assert!(offset == 0 || offset == *log, "log {build} at {offset} of {log}");
                *log = offset + length;
                Some(DiskAnswer::LogWritten(build, length))
            }
            DiskRequest::RemoveLogs(_) => None,
            DiskRequest::Locate(tool) => Some(DiskAnswer::Located(tool, Tree::default())),
            DiskRequest::Unpack(tool, ..) => Some(DiskAnswer::Unpacked(tool, Ok(()))),
            DiskRequest::Sweep(tool, ..) => Some(DiskAnswer::Swept(tool, Ok(SweptDir::default()))),
            DiskRequest::DiscardLog(build) | DiskRequest::KeepLog(build, _) => {
                self.logs.remove(&build);
                None
            }
            DiskRequest::Open(id, _) => {
                let failed = luck == Luck::Full;
                self.spool.insert(id, if failed { None } else { Some(0) });
                Some(if failed {
                    DiskAnswer::TransferFailed(id, "full".to_owned())
                } else {
                    DiskAnswer::Opened(id, RangeSet::new())
                })
            }
            DiskRequest::Write(id, offset, data) => self.write(id, offset, data.len() as u64, luck),
            DiskRequest::Check(id, expected) => Some(self.check(id, &expected, luck)),
            DiskRequest::Discard(id) => {
                self.spool.remove(&id);
                None
            }
            DiskRequest::Place(placement) => Some(self.place(&placement, luck)),
        };
        self.disk_answers.extend(answer);
        true
    }

    fn write(&mut self, id: TransferId, offset: u64, length: u64, luck: Luck) -> Option<DiskAnswer> {
        let written = self.spool.get_mut(&id)?;
        let bytes = written.as_mut()?;
        if luck == Luck::Full {
            *written = None;
            return Some(DiskAnswer::TransferFailed(id, "full".to_owned()));
        }
        *bytes += length;
        Some(DiskAnswer::Written(id, offset, length))
    }

    fn check(&mut self, id: TransferId, expected: &Expected, luck: Luck) -> DiskAnswer {
        let Some(Some(bytes)) = self.spool.get(&id) else {
            return DiskAnswer::TransferFailed(id, "it is not there".to_owned());
        };
        assert_eq!(*bytes, expected.size, "a file is checked when every byte came, and each of them once");
        let checked = match luck {
            Luck::Good => sound(),
            Luck::Full => return DiskAnswer::TransferFailed(id, "full".to_owned()),
            Luck::WrongBytes => Checked::WrongDigest { found: digest("other") },
            Luck::Odd => Checked::BadWheel("odd".to_owned()),
        };
        DiskAnswer::Checked(id, checked)
    }

    fn place(&mut self, placement: &Placement, luck: Luck) -> DiskAnswer {
        let names: Vec<_> = placement.files.iter().map(|file| file.filename.clone()).collect();
        for PlacedFile { transfer, filename, .. } in &placement.files {
            assert!(
                matches!(self.spool.get(transfer), Some(Some(_))),
                "{filename} is placed and not in the spool"
            );
        }
        let placed = match luck {
            Luck::Full => Placed::Failed("full".to_owned()),
            Luck::Odd if !names.is_empty() => Placed::Taken(names),
            _ => Placed::Durable,
        };
        if placed == Placed::Durable {
            for file in &placement.files {
                self.spool.remove(&file.transfer);
            }
            self.placed.insert(placement.build);
        }
        DiskAnswer::Placed(placement.build, placed)
    }

    /// The oldest answer of the file writer arrives: it is one thread.
    pub(super) fn disk_answers(&mut self) -> bool {
        let Some(answer) = self.disk_answers.pop_front() else { return false };
        self.put(Event::Disk(answer));
        true
    }

    /// Disk and database do all that they were asked for, and it is heard.
    pub(super) fn settle(&mut self) {
        while self.database_works(0)
            || self.database_answers(0)
            || self.disk_works(Luck::Good)
            || self.disk_answers()
        {}
    }

    /// Nothing is left of any build, here or in the spool.
    pub(super) fn assert_nothing_is_left(&self) {
        assert!(self.farm.slaves.jobs.is_empty(), "{:?}", self.farm.slaves.jobs);
        assert_eq!(self.farm.publisher.under_way(), 0);
        assert_eq!(self.farm.juggler.transfers(), 0);
        assert!(self.spool.is_empty(), "in the spool: {:?}", self.spool);
        assert!(self.logs.is_empty(), "logs in the spool: {:?}", self.logs);
    }
}
