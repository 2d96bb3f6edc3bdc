//! One connection: bytes in, messages out of them; messages in, bytes out.
//!
//! ```text
//!   preamble ──good──► (proof of a key) ──first message──► open ──close wanted──► flushing ──► peer closes, or time is up
//! ```
//!
//! Edge-triggered: a connection stays on the ready list until a read would block. It asks for writability only while it
//! has something to write.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown};

use bytes::{Buf, BytesMut};
use mio::Interest;
use mio::event::Source;
use mio::net::{TcpStream, UnixStream};

use super::gate::{Allowance, Gate, Taken, Trust, Turned};
use crate::domain::Millis;
use crate::master::event::{ConnId, Event};
use crate::master::limits::{FRAME_TIME, MONITOR_BACKLOG_BYTES, SEND_BACKLOG_BYTES, TOOL_BACKLOG_BYTES};
use crate::master::refusals::Refusal;
use crate::wire::limits::FIRST_FRAME_BYTES;
use crate::wire::{
    Channel, Frame, Preamble, WireError, control, file, frame, import, preamble, slave, status,
};

/// Bytes read from one connection in one turn.
pub(super) const READ_BYTES: usize = 256 * 1024;
/// From wanting to close to closing, for a peer that does not read.
const LINGER: Millis = Millis::secs(5);

/// A socket of either kind.
pub(super) enum Stream {
    /// TCP.
    Tcp(TcpStream),
    /// Unix.
    Unix(UnixStream),
}

impl Stream {
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
        }
    }

    fn source(&mut self) -> &mut dyn Source {
        match self {
            Self::Tcp(stream) => stream,
            Self::Unix(stream) => stream,
        }
    }

    pub(super) fn end_writing(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Self::Unix(stream) => stream.shutdown(Shutdown::Write),
        }
    }
}

impl Source for Stream {
    fn register(
        &mut self,
        registry: &mio::Registry,
        token: mio::Token,
        interest: Interest,
    ) -> io::Result<()> {
        self.source().register(registry, token, interest)
    }

    fn reregister(
        &mut self,
        registry: &mio::Registry,
        token: mio::Token,
        interest: Interest,
    ) -> io::Result<()> {
        self.source().reregister(registry, token, interest)
    }

    fn deregister(&mut self, registry: &mio::Registry) -> io::Result<()> {
        self.source().deregister(registry)
    }
}

/// Why a connection is over.
#[derive(Debug)]
pub(super) enum Gone {
    /// The peer closed it, the network broke it, or it was to be closed.
    Quietly,
    /// The peer did something it must not.
    Defect(Refusal, String),
}

impl From<Turned> for Gone {
    fn from((refusal, reason): Turned) -> Self {
        Self::Defect(refusal, reason)
    }
}

impl From<WireError> for Gone {
    fn from(error: WireError) -> Self {
        Self::Defect(Refusal::Protocol, error.to_string())
    }
}

/// A connection and what is under way on it.
pub(super) struct Connection {
    pub(super) stream: Stream,
    pub(super) peer: String,
    /// Where it comes from; none for a local socket.
    pub(super) address: Option<IpAddr>,
    pub(super) channel: Channel,
    trust: Trust,
    allowance: Allowance,
    input: BytesMut,
    output: BytesMut,
    since: Millis,
    /// The preamble was good.
    greeted: bool,
    /// The peer is in, and the farm knows of it.
    pub(super) opened: bool,
    /// Its messages come too fast: the rest wait, and nothing is read.
    pub(super) throttled: bool,
    /// Since when a frame is begun and not whole.
    partial: Option<Millis>,
    /// There may be something to read.
    readable: bool,
    held: bool,
    /// The poll also watches for writability.
    watches_writable: bool,
    /// The socket took less than it was given.
    blocked: bool,
    closing: Option<Millis>,
    write_ended: bool,
    /// Bytes that came and went since this was last asked.
    carried: (u64, u64),
}

impl Connection {
    pub(super) fn new(
        stream: Stream,
        channel: Channel,
        (peer, address): (String, Option<IpAddr>),
        now: Millis,
        gate: &Gate,
    ) -> Self {
        Self {
            stream,
            peer,
            address,
            channel,
            trust: Trust::Unknown,
            allowance: Allowance::new(now, gate),
            input: BytesMut::new(),
            output: BytesMut::from(&Preamble { channel }.encode()[..]),
            since: now,
            greeted: false,
            opened: false,
            throttled: false,
            partial: None,
            readable: false,
            held: false,
            watches_writable: false,
            blocked: false,
            closing: None,
            write_ended: false,
            carried: (0, 0),
        }
    }

    /// Notes that there is something to read; true when it is to go on the ready list.
    pub(super) fn readable_now(&mut self) -> bool {
        let was = std::mem::replace(&mut self.readable, true);
        !was && !self.held
    }

    pub(super) fn wants_reading(&self) -> bool {
        self.readable && !self.held && !self.throttled
    }

    /// Bytes from and to the peer since this was last called.
    pub(super) fn take_carried(&mut self) -> (u64, u64) {
        std::mem::take(&mut self.carried)
    }

    /// Whether something waits to be sent.
    pub(super) fn wants_writing(&self) -> bool {
        !self.output.is_empty()
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.is_some()
    }

    pub(super) fn hold(&mut self, held: bool) {
        self.held = held;
    }

    /// Reads once, into `scratch`, and turns what is whole into events. A connection that is closing is read only to
    /// see its end: closing it with bytes unread would take the last message back from the peer.
    pub(super) fn read(
        &mut self,
        conn: ConnId,
        now: Millis,
        gate: &mut Gate,
        scratch: &mut [u8],
        events: &mut VecDeque<Event>,
    ) -> Result<(), Gone> {
        if self.held {
            return Ok(());
        }
        if std::mem::take(&mut self.throttled) {
            self.take_messages(conn, now, gate, events)?;
        }
        if self.throttled || !self.readable {
            return Ok(());
        }
        match self.stream.read(scratch) {
            Ok(0) => return Err(self.hung_up()),
            Ok(n) => {
                self.carried.0 += n as u64;
                if self.closing.is_some() {
                    return Ok(());
                }
                self.input.extend_from_slice(&scratch[..n]);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.readable = false;
                return Ok(());
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            Err(_) => return Err(self.hung_up()),
        }
        self.take_messages(conn, now, gate, events)
    }

    fn hung_up(&self) -> Gone {
        match self.closing {
            None => self.trust.hung_up().map_or(Gone::Quietly, Gone::from),
            Some(_) => Gone::Quietly,
        }
    }

    fn take_messages(
        &mut self,
        conn: ConnId,
        now: Millis,
        gate: &mut Gate,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Gone> {
        if !self.greeted {
            let Some(bytes) = self.input.first_chunk::<{ preamble::BYTES }>() else { return Ok(()) };
            Preamble::check(*bytes, self.channel)?;
            self.input.advance(preamble::BYTES);
            self.greeted = true;
        }
        let counted = self.address.is_some() && self.channel != Channel::File;
        let mut taken = 0;
        loop {
            let costs = counted && self.opened && !self.input.is_empty();
            if costs && !self.allowance.spend(now, gate) {
                self.throttled = true;
                break;
            }
            let limit = self.frame_limit();
            let Some(frame) = frame::take(&mut self.input, limit)? else {
                if costs {
                    self.allowance.give_back();
                }
                break;
            };
            taken += 1;
            self.take_frame(conn, gate, frame, events)?;
        }
        if self.input.is_empty() {
            // an idle connection keeps no buffer
            self.input = BytesMut::new();
            self.partial = None;
        } else if taken > 0 || self.throttled {
            self.partial = Some(now);
        } else {
            self.partial.get_or_insert(now);
        }
        Ok(())
    }

    /// Strangers from the network get no more memory than it takes to say who they are.
    fn frame_limit(&self) -> usize {
        match self.address {
            Some(_) if !self.opened => FIRST_FRAME_BYTES,
            _ => self.channel.frame_limit(),
        }
    }

    fn take_frame(
        &mut self,
        conn: ConnId,
        gate: &mut Gate,
        frame: Frame,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Gone> {
        let message = match self.trust.take(gate, self.channel, self.address, frame) {
            Ok(Taken::Message(frame)) => Some(frame),
            Ok(Taken::Answer(answer)) => {
                answer.encode(&mut self.output);
                None
            }
            Ok(Taken::Admitted(name, first)) => {
                self.opened = true;
                let peer = self.peer.clone();
                events.push_back(Event::Opened { conn, channel: self.channel, peer, name });
                first
            }
            Err((refusal, reason)) => {
                if let Some(refused) = self.trust.refusal(&reason) {
                    refused.encode(&mut self.output);
                }
                return Err(Gone::Defect(refusal, reason));
            }
        };
        let Some(frame) = message else { return Ok(()) };
        events.push_back(match self.channel {
            Channel::Slave => Event::Slave(conn, slave::FromSlave::decode(frame)?),
            Channel::File => Event::File(conn, file::FromSlave::decode(frame)?),
            Channel::Import => Event::Tool(conn, import::FromTool::decode(frame)?),
            Channel::Status => Event::Monitor(conn, status::FromMonitor::decode(frame)?),
            Channel::Control => Event::Control(conn, control::FromTool::decode(frame)?),
        });
        Ok(())
    }

    /// Adds a message to what is to be sent.
    pub(super) fn send(&mut self, encode: impl FnOnce(&mut BytesMut)) {
        if self.closing.is_some() {
            return;
        }
        let start = self.output.len();
        encode(&mut self.output);
        if let Trust::Proven { session, .. } = &mut self.trust {
            session.sealer.seal(&mut self.output, start);
        }
    }

    /// Whether it proved a key that holds no more.
    pub(super) fn is_revoked(&self, gate: &Gate) -> bool {
        matches!(&self.trust, Trust::Proven { name, key, .. } if !gate.holds(name, key))
    }

    pub(super) fn close_when_flushed(&mut self, now: Millis) {
        if self.closing.is_none() {
            self.closing = Some(now);
            self.held = false;
        }
    }

    /// Sends as much as the socket takes.
    pub(super) fn flush(&mut self) -> Result<(), Gone> {
        self.blocked = false;
        while !self.output.is_empty() {
            match self.stream.write(&self.output) {
                Ok(0) => return Err(Gone::Quietly),
                Ok(n) => {
                    self.carried.1 += n as u64;
                    self.output.advance(n);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.blocked = true;
                    break;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err(Gone::Quietly),
            }
        }
        let backlog = match self.channel {
            Channel::Import => TOOL_BACKLOG_BYTES,
            Channel::Status => MONITOR_BACKLOG_BYTES,
            Channel::Slave | Channel::File | Channel::Control => SEND_BACKLOG_BYTES,
        };
        if self.output.len() > backlog {
            let reason = format!("it does not read: {} bytes wait for it", self.output.len());
            return Err(Gone::Defect(Refusal::NotReading, reason));
        }
        if self.output.is_empty() {
            self.output = BytesMut::new();
            if self.closing.is_some() && !self.write_ended {
                self.write_ended = true;
                return self.stream.end_writing().map_err(|_| Gone::Quietly);
            }
        }
        Ok(())
    }

    /// What the poll is to watch from now on, when that changed.
    pub(super) fn interest_changed(&mut self) -> Option<Interest> {
        if self.blocked == self.watches_writable {
            return None;
        }
        self.watches_writable = self.blocked;
        Some(if self.blocked { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE })
    }

    /// Whether its time is up.
    pub(super) fn overdue(&self, now: Millis, gate: &Gate) -> Option<Gone> {
        if self.closing.is_some_and(|since| now.since(since) > LINGER) {
            return Some(Gone::Quietly);
        }
        if self.closing.is_some() {
            return None;
        }
        if !self.opened && now.since(self.since) > gate.handshake {
            let reason = format!("no whole first message within {} s", gate.handshake.0 / 1000);
            return Some(Gone::Defect(Refusal::TooSlow, reason));
        }
        let waits = |since: Millis| !self.held && !self.throttled && now.since(since) > FRAME_TIME;
        if self.partial.is_some_and(waits) {
            let reason = format!("a frame that is not whole after {} s", FRAME_TIME.0 / 1000);
            return Some(Gone::Defect(Refusal::TooSlow, reason));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyfile::Keys;
    use crate::master::limits::Limits;

    #[test]
    fn a_monitor_that_does_not_read_is_dropped_when_too_much_waits_for_it() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let gate = Gate::new(Keys::default(), false, [0; 32], &Limits::default());
        let peer = ("a monitor".to_owned(), None);
        let mut connection = Connection::new(Stream::Unix(ours), Channel::Status, peer, Millis(0), &gate);
        let mut sent = 0;
        let gone = loop {
            connection.send(|out| out.extend_from_slice(&[0; 65_536]));
            sent += 65_536;
            if let Err(gone) = connection.flush() {
                break gone;
            }
            // what the socket itself holds is less than as much again
            assert!(sent <= 2 * MONITOR_BACKLOG_BYTES, "{sent} bytes wait");
        };
        assert!(matches!(gone, Gone::Defect(Refusal::NotReading, _)));
        drop(theirs);
    }

    /// A peer on TCP, and what the master has of it.
    fn pair(channel: Channel, gate: &Gate) -> (Connection, std::net::TcpStream) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut theirs = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (ours, address) = listener.accept().unwrap();
        ours.set_nonblocking(true).unwrap();
        let peer = (address.to_string(), Some(address.ip()));
        let stream = Stream::Tcp(TcpStream::from_std(ours));
        theirs.write_all(&Preamble { channel }.encode()).unwrap();
        (Connection::new(stream, channel, peer, Millis(0), gate), theirs)
    }

    /// Reads until `enough`, or until the connection is over.
    fn read_until(
        connection: &mut Connection,
        gate: &mut Gate,
        enough: impl Fn(&Connection, &VecDeque<Event>) -> bool,
    ) -> Result<VecDeque<Event>, Gone> {
        let mut events = VecDeque::new();
        while !enough(connection, &events) {
            connection.readable_now();
            connection.read(ConnId(1), Millis(0), gate, &mut [0; 4096], &mut events)?;
            std::thread::yield_now();
        }
        Ok(events)
    }

    fn idle() -> BytesMut {
        let mut out = BytesMut::new();
        slave::FromSlave::Idle {}.encode(&mut out);
        out
    }

    #[test]
    fn messages_are_counted_one_by_one_too_not_only_in_a_flood() {
        let limits = Limits { messages: 10, ..Limits::default() };
        let mut gate = Gate::new(Keys::default(), false, [0; 32], &limits);
        let (mut connection, mut peer) = pair(Channel::Slave, &gate);
        peer.write_all(&idle()).unwrap();
        read_until(&mut connection, &mut gate, |c, _| c.opened).unwrap();
        let mut taken = 0;
        while !connection.throttled {
            peer.write_all(&idle()).unwrap();
            let events =
                read_until(&mut connection, &mut gate, |c, events| c.throttled || !events.is_empty());
            taken += events.unwrap().len();
            assert!(taken <= 40, "{taken} messages in no time, each in a packet of its own");
        }
        assert_eq!(taken, 40, "ten a second, and four times as many at once");
    }

    #[test]
    fn a_peer_that_sends_a_byte_now_and_then_is_dropped_when_its_frame_should_be_whole() {
        let mut gate = Gate::new(Keys::default(), false, [0; 32], &Limits::default());
        let (mut connection, mut peer) = pair(Channel::Slave, &gate);
        let handshake = Limits::default().handshake;
        assert!(connection.overdue(handshake, &gate).is_none());
        let late = connection.overdue(handshake + Millis(1), &gate);
        assert!(matches!(late, Some(Gone::Defect(Refusal::TooSlow, _))), "{late:?}");
        peer.write_all(&idle()).unwrap();
        read_until(&mut connection, &mut gate, |c, _| c.opened).unwrap();
        let frame = idle();
        for (n, byte) in frame[..4].iter().enumerate() {
            peer.write_all(&[*byte]).unwrap();
            read_until(&mut connection, &mut gate, |c, _| c.input.len() == n + 1).unwrap();
            let at = Millis(15_000 * (n as u64 + 1));
            assert!(connection.overdue(at, &gate).is_none(), "{at:?}");
        }
        let late = connection.overdue(FRAME_TIME + Millis(1), &gate);
        assert!(matches!(late, Some(Gone::Defect(Refusal::TooSlow, _))), "{late:?}");
        assert!(connection.input.capacity() <= 4096, "{}", connection.input.capacity());
    }

    #[test]
    fn a_stranger_gets_no_memory_for_a_long_frame() {
        let mut gate = Gate::new(Keys::default(), false, [0; 32], &Limits::default());
        for channel in [Channel::Slave, Channel::File] {
            let (mut connection, mut peer) = pair(channel, &gate);
            peer.write_all(&[0, 0, 4, 1]).unwrap();
            let gone = read_until(&mut connection, &mut gate, |_, _| false).unwrap_err();
            assert!(matches!(gone, Gone::Defect(Refusal::Protocol, _)), "{gone:?}");
            assert!(connection.input.capacity() < 8192, "{}", connection.input.capacity());
        }
    }
}
