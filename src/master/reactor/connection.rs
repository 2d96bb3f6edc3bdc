//! One connection: bytes in, messages out of them; messages in, bytes out.
//!
//! ```text
//!   preamble ──good──► open ──first message──► greeted ──close wanted──► flushing ──► peer closes, or time is up
//! ```
//!
//! Edge-triggered: a connection stays on the ready list until a read would block. It asks for writability only while it
//! has something to write.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::Shutdown;

use bytes::{Buf, BytesMut};
use mio::Interest;
use mio::event::Source;
use mio::net::{TcpStream, UnixStream};

use crate::domain::Millis;
use crate::master::event::{ConnId, Event};
use crate::master::limits::{HANDSHAKE, MONITOR_BACKLOG_BYTES, SEND_BACKLOG_BYTES, TOOL_BACKLOG_BYTES};
use crate::wire::{Channel, Preamble, WireError, control, file, frame, import, preamble, slave, status};

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
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
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

    fn end_writing(&self) -> io::Result<()> {
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
    Defect(String),
}

impl From<WireError> for Gone {
    fn from(error: WireError) -> Self {
        Self::Defect(error.to_string())
    }
}

/// A connection and what is under way on it.
pub(super) struct Connection {
    pub(super) stream: Stream,
    pub(super) peer: String,
    channel: Channel,
    input: BytesMut,
    output: BytesMut,
    since: Millis,
    /// The preamble was good, and the farm knows of it.
    pub(super) opened: bool,
    greeted: bool,
    /// There may be something to read.
    readable: bool,
    held: bool,
    /// The poll also watches for writability.
    watches_writable: bool,
    /// The socket took less than it was given.
    blocked: bool,
    closing: Option<Millis>,
    write_ended: bool,
}

impl Connection {
    pub(super) fn new(stream: Stream, channel: Channel, peer: String, now: Millis) -> Self {
        Self {
            stream,
            peer,
            channel,
            input: BytesMut::new(),
            output: BytesMut::from(&Preamble { channel }.encode()[..]),
            since: now,
            opened: false,
            greeted: false,
            readable: false,
            held: false,
            watches_writable: false,
            blocked: false,
            closing: None,
            write_ended: false,
        }
    }

    /// Notes that there is something to read; true when it is to go on the ready list.
    pub(super) fn readable_now(&mut self) -> bool {
        let was = std::mem::replace(&mut self.readable, true);
        !was && !self.held
    }

    pub(super) fn wants_reading(&self) -> bool {
        self.readable && !self.held
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
        scratch: &mut [u8],
        events: &mut VecDeque<Event>,
    ) -> Result<(), Gone> {
        if self.held || !self.readable {
            return Ok(());
        }
        match self.stream.read(scratch) {
            Ok(0) => return Err(Gone::Quietly),
            Ok(_) if self.closing.is_some() => return Ok(()),
            Ok(n) => self.input.extend_from_slice(&scratch[..n]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.readable = false;
                return Ok(());
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            Err(_) => return Err(Gone::Quietly),
        }
        self.take_messages(conn, events)
    }

    fn take_messages(&mut self, conn: ConnId, events: &mut VecDeque<Event>) -> Result<(), Gone> {
        if !self.opened {
            let Some(bytes) = self.input.first_chunk::<{ preamble::BYTES }>() else { return Ok(()) };
            Preamble::check(*bytes, self.channel)?;
            self.input.advance(preamble::BYTES);
            self.opened = true;
            events.push_back(Event::Opened { conn, channel: self.channel, peer: self.peer.clone() });
        }
        while let Some(frame) = frame::take(&mut self.input, self.channel.frame_limit())? {
            events.push_back(match self.channel {
                Channel::Slave => Event::Slave(conn, slave::FromSlave::decode(frame)?),
                Channel::File => Event::File(conn, file::FromSlave::decode(frame)?),
                Channel::Import => Event::Tool(conn, import::FromTool::decode(frame)?),
                Channel::Status => Event::Monitor(conn, status::FromMonitor::decode(frame)?),
                Channel::Control => Event::Control(conn, control::FromTool::decode(frame)?),
            });
            self.greeted = true;
        }
        if self.input.is_empty() {
            // an idle connection keeps no buffer
            self.input = BytesMut::new();
        }
        Ok(())
    }

    /// Adds a message to what is to be sent.
    pub(super) fn send(&mut self, encode: impl FnOnce(&mut BytesMut)) {
        if self.closing.is_none() {
            encode(&mut self.output);
        }
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
                Ok(n) => self.output.advance(n),
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
            return Err(Gone::Defect(format!("it does not read: {} bytes wait for it", self.output.len())));
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
    pub(super) fn overdue(&self, now: Millis) -> Option<Gone> {
        if self.closing.is_some_and(|since| now.since(since) > LINGER) {
            return Some(Gone::Quietly);
        }
        if !self.greeted && self.closing.is_none() && now.since(self.since) > HANDSHAKE {
            return Some(Gone::Defect(format!("no whole first message within {} s", HANDSHAKE.0 / 1000)));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_monitor_that_does_not_read_is_dropped_when_too_much_waits_for_it() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut connection =
            Connection::new(Stream::Unix(ours), Channel::Status, "a monitor".to_owned(), Millis(0));
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
        assert!(matches!(gone, Gone::Defect(reason) if reason.starts_with("it does not read")));
        drop(theirs);
    }
}
