//! One connection to the master: made in a helper thread, read and written without waiting, its buffers bounded.
//!
//! Knows frames and preambles, not what messages mean.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use nix::poll::PollFlags;
use nix::sys::socket::{setsockopt, sockopt};

use crate::domain::Millis;
use crate::wire::preamble::BYTES as PREAMBLE_BYTES;
use crate::wire::{Channel, Frame, Preamble, frame};

/// How long one address may take to answer a connection attempt.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// How long the master's preamble may take.
pub const PREAMBLE_LIMIT: Millis = Millis::secs(10);
/// Sent bytes that nobody acknowledges for this long end the connection, in milliseconds.
const UNACKNOWLEDGED_MS: u32 = 30_000;
/// A silent connection is probed after this many seconds, then this often, and given up after this many probes.
const KEEPALIVE: (u32, u32, u32) = (15, 5, 3);
/// Bytes waiting to be sent at which a peer that does not read is left. Two frames fit.
const OUTPUT_BYTES: usize = 2 * crate::wire::limits::FILE_FRAME_BYTES + 4096;
/// Read at once.
const READ_BYTES: usize = 16 * 1024;
/// A buffer that grew beyond this is given back when it is empty.
const KEPT_BYTES: usize = 16 * 1024;

/// Resolves and connects, which may take long: for a helper thread. The error is for people.
pub fn connect(host: &str, port: u16) -> Result<TcpStream, String> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let addresses = (bare, port).to_socket_addrs().map_err(|e| format!("{host}: {e}"))?;
    let mut last = format!("{host} has no address");
    for address in addresses {
        match TcpStream::connect_timeout(&address, CONNECT_LIMIT).and_then(prepare) {
            Ok(stream) => return Ok(stream),
            Err(e) => last = format!("{address}: {e}"),
        }
    }
    Err(last)
}

/// Settles that nothing waits: no delay for small frames, no waiting reads and writes, no dead peer for long.
fn prepare(stream: TcpStream) -> io::Result<TcpStream> {
    let (idle, interval, probes) = KEEPALIVE;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    setsockopt(&stream, sockopt::KeepAlive, &true)?;
    setsockopt(&stream, sockopt::TcpKeepIdle, &idle)?;
    setsockopt(&stream, sockopt::TcpKeepInterval, &interval)?;
    setsockopt(&stream, sockopt::TcpKeepCount, &probes)?;
    setsockopt(&stream, sockopt::TcpUserTimeout, &UNACKNOWLEDGED_MS)?;
    Ok(stream)
}

/// A connection, or the place for one.
#[derive(Debug)]
pub struct Link {
    channel: Channel,
    stream: Option<TcpStream>,
    input: BytesMut,
    output: BytesMut,
    /// Until then the master's preamble must be there; `None` when it is.
    preamble_until: Option<Millis>,
}

impl Link {
    /// A place for a connection of this channel.
    pub fn new(channel: Channel) -> Self {
        Self { channel, stream: None, input: BytesMut::new(), output: BytesMut::new(), preamble_until: None }
    }

    /// Takes a connection that stands, and sends the preamble.
    pub fn open(&mut self, stream: TcpStream, now: Millis) {
        self.close();
        self.stream = Some(stream);
        self.output.extend_from_slice(&Preamble { channel: self.channel }.encode());
        self.preamble_until = Some(now + PREAMBLE_LIMIT);
    }

    /// Closes it; what can be sent without waiting is sent before.
    pub fn close(&mut self) {
        if self.stream.is_some() {
            let _ = self.flush();
        }
        if let Some(stream) = self.stream.take() {
            let _ = stream.shutdown(Shutdown::Both);
        }
        self.input = BytesMut::new();
        self.output = BytesMut::new();
        self.preamble_until = None;
    }

    /// Tells the master that nothing more comes, without closing.
    pub fn end_output(&mut self) {
        if let Some(stream) = &self.stream {
            let _ = stream.shutdown(Shutdown::Write);
        }
    }

    /// Whether there is a connection.
    pub fn is_open(&self) -> bool {
        self.stream.is_some()
    }

    /// When the connection is given up unless the master's preamble has come.
    pub fn next_deadline(&self) -> Option<Millis> {
        self.preamble_until
    }

    /// What to wait for with poll(2); reading only where `reading`.
    pub fn interest(&self, reading: bool) -> Option<(BorrowedFd<'_>, PollFlags)> {
        let stream = self.stream.as_ref()?;
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::POLLIN, reading);
        flags.set(PollFlags::POLLOUT, !self.output.is_empty());
        Some((stream.as_fd(), flags))
    }

    /// Bytes that wait to be sent.
    pub fn pending(&self) -> usize {
        self.output.len()
    }

    /// Appends a frame; nothing where there is no connection.
    pub fn send(&mut self, encode: impl FnOnce(&mut BytesMut)) {
        if self.stream.is_some() {
            encode(&mut self.output);
        }
    }

    /// Sends what can be sent without waiting.
    pub fn flush(&mut self) -> Result<(), String> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        while !self.output.is_empty() {
            match stream.write(&self.output) {
                Ok(0) => return Err("nothing can be written".to_owned()),
                Ok(n) => self.output.advance(n),
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e.to_string()),
            }
        }
        if self.output.is_empty() && self.output.capacity() > KEPT_BYTES {
            self.output = BytesMut::new();
        }
        if self.output.len() > OUTPUT_BYTES { Err("the master does not read".to_owned()) } else { Ok(()) }
    }

    /// Reads once what is there; the frames of it must be taken before the next call.
    pub fn fill(&mut self) -> Result<(), String> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        let mut buffer = [0; READ_BYTES];
        match stream.read(&mut buffer) {
            Ok(0) => Err("the master closed the connection".to_owned()),
            Ok(n) => {
                self.input.extend_from_slice(&buffer[..n]);
                Ok(())
            }
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(()),
            Err(e) => Err(e.to_string()),
        }
    }

    /// Checks the master's preamble: true once, when it was right.
    pub fn take_preamble(&mut self) -> Result<bool, String> {
        let Some(bytes) = self.input.first_chunk::<PREAMBLE_BYTES>() else { return Ok(false) };
        if self.preamble_until.is_none() {
            return Ok(false);
        }
        Preamble::check(*bytes, self.channel).map_err(|e| e.to_string())?;
        self.input.advance(PREAMBLE_BYTES);
        self.preamble_until = None;
        Ok(true)
    }

    /// Whether the master's preamble should have come by now.
    pub fn is_late(&self, now: Millis) -> bool {
        self.preamble_until.is_some_and(|until| now >= until)
    }

    /// The next whole frame of what was read; none before the preamble.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, String> {
        if self.stream.is_none() || self.preamble_until.is_some() {
            return Ok(None);
        }
        let taken = frame::take(&mut self.input, self.channel.frame_limit()).map_err(|e| e.to_string())?;
        if taken.is_none() && self.input.is_empty() && self.input.capacity() > KEPT_BYTES {
            self.input = BytesMut::new();
        }
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::slave::{FromSlave, ToSlave};
    use std::net::TcpListener;

    fn pair() -> (Link, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let ours = connect("127.0.0.1", listener.local_addr().unwrap().port()).unwrap();
        let mut link = Link::new(Channel::Slave);
        link.open(ours, Millis(0));
        (link, listener.accept().unwrap().0)
    }

    /// Reads until the check comes to an end.
    fn preamble(link: &mut Link) -> Result<bool, String> {
        loop {
            link.fill()?;
            match link.take_preamble() {
                Ok(false) => std::thread::yield_now(),
                done => return done,
            }
        }
    }

    #[test]
    fn preambles_are_exchanged_and_frames_follow() {
        let (mut link, mut master) = pair();
        link.send(|out| FromSlave::Idle {}.encode(out));
        link.flush().unwrap();
        let mut first = [0; 8];
        master.read_exact(&mut first).unwrap();
        assert_eq!(Preamble::check(first, Channel::Slave), Ok(()));

        let mut bytes = BytesMut::new();
        bytes.extend_from_slice(&first);
        ToSlave::Wake {}.encode(&mut bytes);
        master.write_all(&bytes).unwrap();
        assert_eq!(preamble(&mut link), Ok(true));
        let frame = loop {
            if let Some(frame) = link.next_frame().unwrap() {
                break frame;
            }
            link.fill().unwrap();
        };
        assert_eq!(ToSlave::decode(frame), Ok(ToSlave::Wake {}));
        drop(master);
        while link.fill().is_ok() {}
    }

    #[test]
    fn a_master_of_another_version_is_named() {
        let (mut link, mut master) = pair();
        master.write_all(b"PIWH\x00\x09\x01\x00").unwrap();
        let wrong = preamble(&mut link).unwrap_err();
        assert_eq!(wrong, "the peer speaks protocol version 9, this program 1");
    }

    #[test]
    fn a_master_that_says_nothing_is_left_in_time() {
        let (mut link, _master) = pair();
        assert_eq!(link.next_deadline(), Some(PREAMBLE_LIMIT));
        assert_eq!(link.take_preamble(), Ok(false));
        assert!(!link.is_late(Millis(9_999)) && link.is_late(PREAMBLE_LIMIT));
    }

    #[test]
    fn nobody_listening_is_an_error_that_names_the_address() {
        let port = TcpListener::bind("[::1]:0").unwrap().local_addr().unwrap().port();
        for host in ["::1", "[::1]"] {
            let wrong = connect(host, port).unwrap_err();
            assert!(wrong.contains(&format!("[::1]:{port}")), "{wrong}");
        }
    }
}
