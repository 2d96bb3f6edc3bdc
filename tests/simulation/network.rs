//! The network: connections that carry bytes both ways, in order on each and in no order between them, late, in pieces, and not
//! for ever. The master's side of each turns them into events with the real codec, as `reactor/connection.rs` does.

use std::net::{IpAddr, Ipv4Addr};

use bytes::{Buf, Bytes, BytesMut};
use piwheels::domain::{BuildId, Millis};
use piwheels::master::event::{ConnId, Event};
use piwheels::master::reactor::gate::{Allowance, Taken, Trust};
use piwheels::master::refusals::Refusal;
use piwheels::wire::limits::FIRST_FRAME_BYTES;
use piwheels::wire::slave::{FromSlave, Held};
use piwheels::wire::{Channel, Frame, Preamble, control, file, frame, import, preamble, slave, status};

use super::faults::Kind;
use super::seals::Seals;
use super::world::{Act, World};

/// From wanting to close to closing.
const LINGER: u64 = 5_000;
/// From connecting to a whole first message.
const HANDSHAKE: u64 = 10_000;
/// Until a peer that said too much is listened to again.
const THROTTLED: u64 = 50;
/// From the first byte of a frame to its last.
const FRAME_TIME: u64 = 60_000;

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    Board(usize),
    Tool(usize),
    Villain(usize),
    Watcher(usize),
}

/// A connection.
pub(crate) struct Line {
    pub(crate) peer: Peer,
    pub(crate) channel: Channel,
    /// What the peer proved to be.
    pub(crate) name: Option<String>,
    pub(crate) since: u64,
    pub(crate) master_open: bool,
    pub(crate) peer_open: bool,
    /// Nothing comes through any more; neither side may know.
    pub(crate) broken: bool,
    greeted: bool,
    /// The farm knows of it.
    pub(crate) known: bool,
    pub(crate) closing: bool,
    held: bool,
    throttled: bool,
    partial: Option<u64>,
    input: BytesMut,
    to_master_at: u64,
    pub(crate) to_peer_at: u64,
    /// What the master knows of who it is, and how much more it listens to just now.
    pub(crate) trust: Trust,
    allowance: Option<Allowance>,
    /// What the peer knows of that, and what the two really said.
    pub(crate) seals: Seals,
    pub(crate) peer_greeted: bool,
    pub(crate) peer_input: BytesMut,
    /// What its slave said that it holds, and what it builds by the master's word, since when.
    pub(crate) holds: Option<Held>,
    pub(crate) builds: Option<(BuildId, u64)>,
    /// Who has what it said that it holds.
    pub(crate) robs: Option<ConnId>,
    pub(crate) cancelled: bool,
    pub(crate) idle_since: Option<u64>,
}

impl World {
    /// Somebody connects; none where nobody listens.
    pub(crate) fn connect(&mut self, peer: Peer, channel: Channel, name: Option<String>) -> Option<ConnId> {
        let master = self.master.as_ref()?;
        if !master.listens && matches!(channel, Channel::Slave | Channel::Import) {
            return None;
        }
        // files are for bytes; a local socket's peers are trusted
        let counted = channel == Channel::Slave;
        let allowance = counted.then(|| Allowance::new(Millis(self.clock), &master.gate));
        self.connections += 1;
        let conn = ConnId(self.connections);
        let seals = Seals::new(name.is_some());
        let line = Line {
            peer,
            channel,
            name,
            since: self.clock,
            master_open: true,
            peer_open: true,
            broken: false,
            greeted: false,
            known: false,
            closing: false,
            held: false,
            throttled: false,
            partial: None,
            input: BytesMut::new(),
            to_master_at: self.clock,
            to_peer_at: self.clock,
            trust: Trust::Unknown,
            allowance,
            seals,
            peer_greeted: false,
            peer_input: BytesMut::new(),
            holds: None,
            builds: None,
            robs: None,
            cancelled: false,
            idle_since: None,
        };
        self.lines.insert(conn, line);
        self.post_to_peer(conn, Bytes::copy_from_slice(&Preamble { channel }.encode()));
        if !matches!(peer, Peer::Villain(_)) {
            self.post_to_master(conn, Bytes::copy_from_slice(&Preamble { channel }.encode()));
        }
        Some(conn)
    }

    fn lateness(&mut self) -> u64 {
        let dice = &mut self.chance.network;
        let usual = dice.between(1, 15);
        let late = dice.once_in(60).then(|| dice.between(100, 8_000));
        match late {
            Some(late) if self.faults.has(Kind::Delay) && self.quiet.is_none() => {
                self.faults.count(Kind::Delay);
                late
            }
            _ => usual,
        }
    }

    /// In how many pieces, and where they are cut.
    fn pieces(&mut self, mut bytes: Bytes) -> Vec<Bytes> {
        let mut pieces = Vec::new();
        while bytes.len() > 1 && self.chance.network.once_in(8) && pieces.len() < 3 {
            let cut = self.chance.network.between(1, bytes.len() as u64 - 1) as usize;
            pieces.push(bytes.split_to(cut));
        }
        pieces.push(bytes);
        pieces
    }

    /// Bytes as they are.
    pub(crate) fn post_to_master(&mut self, conn: ConnId, bytes: Bytes) {
        for piece in self.pieces(bytes) {
            let late = self.lateness();
            let Some(line) = self.lines.get_mut(&conn) else { return };
            line.to_master_at = line.to_master_at.max(self.clock + late);
            let delay = line.to_master_at - self.clock;
            self.at(delay, Act::ToMaster(conn, piece));
        }
    }

    /// Bytes as they are.
    pub(crate) fn post_to_peer(&mut self, conn: ConnId, bytes: Bytes) {
        for piece in self.pieces(bytes) {
            let late = self.lateness();
            let Some(line) = self.lines.get_mut(&conn) else { return };
            line.to_peer_at = line.to_peer_at.max(self.clock + late);
            let delay = line.to_peer_at - self.clock;
            self.at(delay, Act::ToPeer(conn, piece));
        }
    }

    /// The peer closes a connection; what it sent before arrives.
    pub(crate) fn peer_closes(&mut self, conn: ConnId) {
        let Some(line) = self.lines.get_mut(&conn).filter(|line| line.peer_open) else { return };
        line.peer_open = false;
        let delay = line.to_master_at.max(self.clock + 1) - self.clock;
        if !line.broken {
            self.at(delay, Act::MasterEnd(conn));
        }
    }

    /// The master closes a connection, when what it sent before has left.
    pub(crate) fn master_closes(&mut self, conn: ConnId, defect: Option<&str>) {
        let Some(line) = self.lines.get_mut(&conn).filter(|line| line.master_open && !line.closing) else {
            return;
        };
        (line.closing, line.held) = (true, false);
        let delay = line.to_peer_at.max(self.clock + 1) - self.clock;
        let peer = line.peer;
        self.say(|| format!("master closes {} of {peer:?}: {}", conn.0, defect.unwrap_or("no defect")));
        self.at(delay, Act::PeerEnd(conn));
        self.at(LINGER.max(delay), Act::MasterEnd(conn));
    }

    pub(crate) fn hold(&mut self, conn: ConnId, held: bool) {
        if let Some(line) = self.lines.get_mut(&conn) {
            line.held = held;
        }
        if !held {
            // at the reactor's next turn
            self.at(0, Act::ToMaster(conn, Bytes::new()));
        }
    }

    /// Breaks a connection: what is on its way is lost, and each side finds out in its time.
    pub(crate) fn cut(&mut self, conn: ConnId, master_finds: u64, peer_finds: u64) {
        let Some(line) = self.lines.get_mut(&conn).filter(|line| !line.broken) else { return };
        line.broken = true;
        self.at(master_finds, Act::MasterEnd(conn));
        self.at(peer_finds, Act::PeerEnd(conn));
    }

    pub(crate) fn cut_some_line(&mut self) {
        let lines: Vec<ConnId> =
            self.lines.iter().filter(|(_, line)| !line.broken && line.peer_open).map(|(c, _)| *c).collect();
        if lines.is_empty() {
            return;
        }
        let dice = self.chance.of(Kind::Cut);
        let conn = *dice.of(&lines);
        let mut finds = || if dice.once_in(3) { dice.between(1_000, 45_000) } else { dice.between(1, 200) };
        let (master, peer) = (finds(), finds());
        let whose = self.lines[&conn].peer;
        self.fault(Kind::Cut, || format!("connection {} of {whose:?} breaks", conn.0));
        self.cut(conn, master, peer);
    }

    pub(crate) fn reaches_master(&mut self, conn: ConnId, bytes: &[u8]) {
        let Some(line) = self.lines.get_mut(&conn) else { return };
        if line.broken || !line.master_open || line.closing {
            return;
        }
        line.input.extend_from_slice(bytes);
        line.throttled &= !bytes.is_empty();
        if !line.held && !line.throttled {
            self.take_messages(conn);
        }
    }

    /// Turns what is whole into events. What stands behind a defect in the same read is not listened to.
    fn take_messages(&mut self, conn: ConnId) {
        loop {
            let clock = self.clock;
            let Some(line) = self.lines.get_mut(&conn) else { return };
            if line.closing || !line.master_open || line.held {
                return;
            }
            let costs = line.known && !line.input.is_empty();
            let Some(master) = self.master.as_mut() else { return };
            if costs
                && let Some(allowance) = &mut line.allowance
                && !allowance.spend(Millis(clock), &master.gate)
            {
                // at one of the reactor's next turns
                line.throttled = true;
                return self.at(THROTTLED, Act::ToMaster(conn, Bytes::new()));
            }
            let frame = match line.next_frame(clock) {
                Ok(Some(frame)) => frame,
                Ok(None) => {
                    if costs && let Some(allowance) = &mut line.allowance {
                        allowance.give_back();
                    }
                    return;
                }
                Err(defect) => return self.turn_away(conn, Refusal::Protocol, &defect),
            };
            let (channel, address) = (line.channel, line.address());
            match line.trust.take(&mut master.gate, channel, address, frame) {
                Ok(Taken::Message(frame)) => self.take_message(conn, channel, frame),
                Ok(Taken::Answer(answer)) => self.post_to_peer(conn, encoded(|out| answer.encode(out))),
                Ok(Taken::Admitted(name, first)) => {
                    line.known = true;
                    let peer = format!("{:?}", line.peer);
                    self.put(Event::Opened { conn, channel, peer, name });
                    if let Some(frame) = first {
                        self.take_message(conn, channel, frame);
                    }
                }
                Err((refusal, reason)) => return self.turn_away(conn, refusal, &reason),
            }
        }
    }

    fn take_message(&mut self, conn: ConnId, channel: Channel, frame: Frame) {
        self.check_genuine(conn, &frame);
        self.count_message(conn);
        match message(conn, channel, frame) {
            Ok(event) => {
                let forged = self.is_forged(conn, &event);
                self.heard_by_master(conn, &event);
                self.put(event);
                if forged && self.lines.get(&conn).is_some_and(|line| line.stands()) {
                    self.violated(format!("{conn:?} names a token that is not its job's, and stays"));
                }
            }
            Err(defect) => self.turn_away(conn, Refusal::Protocol, &defect),
        }
    }

    /// A peer's defect that the farm need not see: its connection ends at once.
    fn turn_away(&mut self, conn: ConnId, refusal: Refusal, defect: &str) {
        let Some(line) = self.lines.get(&conn) else { return };
        let (known, peer, meddled) = (line.known, line.peer, line.seals.meddled.is_some());
        self.say(|| format!("{} of {peer:?} is dropped: {defect}", conn.0));
        if let Peer::Board(board) = peer
            && !meddled
        {
            self.violated(format!("board {board} sends what is no message: {defect}"));
        }
        self.put(Event::Refused(refusal));
        if known {
            // a connection that the farm knows is closed at once, as its peer finds out soon
            self.at(1, Act::PeerEnd(conn));
            self.master_end(conn);
        } else {
            self.master_closes(conn, Some(defect));
        }
    }

    /// Connections whose time is up, as the reactor looks for them at every tick.
    pub(crate) fn end_overdue(&mut self) {
        let clock = self.clock;
        let overdue: Vec<ConnId> = self
            .lines
            .iter()
            .filter(|(_, line)| line.master_open && !line.closing)
            .filter(|(_, line)| {
                let late = |since: u64, limit: u64| clock.saturating_sub(since) > limit;
                !line.known && late(line.since, HANDSHAKE)
                    || !line.held
                        && !line.throttled
                        && line.partial.is_some_and(|since| late(since, FRAME_TIME))
            })
            .map(|(conn, _)| *conn)
            .collect();
        for conn in overdue {
            self.at(1, Act::PeerEnd(conn));
            self.put(Event::Refused(Refusal::TooSlow));
            self.master_end(conn);
        }
    }

    pub(crate) fn master_end(&mut self, conn: ConnId) {
        let Some(line) = self.lines.get_mut(&conn) else { return };
        if std::mem::replace(&mut line.master_open, false) && line.known {
            self.put(Event::Closed(conn));
        }
        self.forget_line(conn);
    }

    pub(crate) fn peer_end(&mut self, conn: ConnId) {
        let Some(line) = self.lines.get_mut(&conn) else { return };
        if std::mem::replace(&mut line.peer_open, false) {
            let (peer, broken) = (line.peer, line.broken);
            if !broken {
                self.at(1, Act::MasterEnd(conn));
            }
            match peer {
                Peer::Board(board) => self.board_lost(board, conn, "the connection ended"),
                Peer::Tool(tool) => self.tool_lost(tool, conn),
                Peer::Villain(villain) => self.villain_lost(villain, conn),
                Peer::Watcher(watcher) => self.watcher_lost(watcher, conn),
            }
        }
        self.forget_line(conn);
    }

    fn forget_line(&mut self, conn: ConnId) {
        if self.lines.get(&conn).is_some_and(|line| !line.master_open && !line.peer_open) {
            self.lines.remove(&conn);
        }
    }

    pub(crate) fn reaches_peer(&mut self, conn: ConnId, bytes: &[u8]) {
        let Some(line) = self.lines.get_mut(&conn) else { return };
        if line.broken || !line.peer_open {
            return;
        }
        line.peer_input.extend_from_slice(bytes);
        match line.peer {
            Peer::Board(board) => self.board_hears(board, conn),
            Peer::Tool(tool) => self.tool_hears(tool, conn),
            Peer::Villain(villain) => self.villain_hears(villain, conn),
            Peer::Watcher(watcher) => self.watcher_hears(watcher, conn),
        }
    }

    /// The next whole frame that a peer has got.
    pub(crate) fn peer_frame(&mut self, conn: ConnId) -> Option<Frame> {
        let line = self.lines.get_mut(&conn).filter(|line| line.peer_greeted && line.peer_open)?;
        match frame::take(&mut line.peer_input, line.channel.frame_limit()) {
            Ok(frame) => self.opened_by_peer(conn, frame?),
            Err(wrong) => {
                self.violated(format!("the master sends what is no frame: {wrong}"));
                None
            }
        }
    }
}

impl Line {
    /// The next whole frame that the master has got; the error is the peer's defect.
    fn next_frame(&mut self, clock: u64) -> Result<Option<Frame>, String> {
        if !self.greeted {
            let Some(bytes) = self.input.first_chunk::<{ preamble::BYTES }>() else { return Ok(None) };
            Preamble::check(*bytes, self.channel).map_err(|e| e.to_string())?;
            self.input.advance(preamble::BYTES);
            self.greeted = true;
        }
        let network = matches!(self.channel, Channel::Slave | Channel::File);
        let limit = if network && !self.known { FIRST_FRAME_BYTES } else { self.channel.frame_limit() };
        let frame = frame::take(&mut self.input, limit).map_err(|e| e.to_string())?;
        self.partial = match (&frame, self.input.is_empty()) {
            (_, true) => None,
            (Some(_), false) => Some(clock),
            (None, false) => self.partial.or(Some(clock)),
        };
        Ok(frame)
    }

    /// Where it comes from: this machine, over the network or not.
    fn address(&self) -> Option<IpAddr> {
        matches!(self.channel, Channel::Slave | Channel::File).then_some(IpAddr::V4(Ipv4Addr::LOCALHOST))
    }

    /// Whether it stands, as far as both sides know.
    pub(crate) fn stands(&self) -> bool {
        self.master_open && self.peer_open && !self.broken && !self.closing
    }
}

fn message(conn: ConnId, channel: Channel, frame: Frame) -> Result<Event, String> {
    let event = match channel {
        Channel::Slave => slave::FromSlave::decode(frame).map(|message| Event::Slave(conn, message)),
        Channel::File => file::FromSlave::decode(frame).map(|message| Event::File(conn, message)),
        Channel::Import => import::FromTool::decode(frame).map(|message| Event::Tool(conn, message)),
        Channel::Control => control::FromTool::decode(frame).map(|message| Event::Control(conn, message)),
        Channel::Status => status::FromMonitor::decode(frame).map(|message| Event::Monitor(conn, message)),
    };
    event.map_err(|e| e.to_string())
}

/// The bytes of a message.
pub(crate) fn encoded(encode: impl FnOnce(&mut BytesMut)) -> Bytes {
    let mut out = BytesMut::new();
    encode(&mut out);
    out.freeze()
}

/// A slave's message as bytes.
pub(crate) fn said(message: &FromSlave) -> Bytes {
    encoded(|out| message.encode(out))
}
