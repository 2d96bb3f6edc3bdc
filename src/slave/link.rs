//! One connection to the master: made in a helper thread, read and written without waiting, its buffers bounded.
//!
//! Knows frames, preambles, and the proof of a key with the seals that follow (`wire-spec/auth.md`); not what messages
//! mean.
//!
//! ```text
//!   open ──preamble──► (AUTH ──CHALLENGE, master's proof right──► PROOF) ──► ready
//! ```

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use nix::poll::PollFlags;

use crate::domain::Millis;
use crate::wire::auth::{self, Claim, Key, Session, ToClaimant};
use crate::wire::limits::NAME_KEY_BYTES;
use crate::wire::preamble::BYTES as PREAMBLE_BYTES;
use crate::wire::{Channel, Frame, Preamble, Text, frame};

/// How long one address may take to answer a connection attempt.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// How long the master's preamble may take.
pub const PREAMBLE_LIMIT: Millis = Millis::secs(10);
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
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    crate::tcp::watch(&stream)?;
    Ok(stream)
}

/// The key of this slave, and the name that the master knows it by.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The name.
    pub name: Text<NAME_KEY_BYTES>,
    /// The key.
    pub key: Key,
}

/// How far the proof is.
enum Proof {
    /// None is needed, or none is begun.
    None,
    /// AUTH was sent.
    Claimed(Box<Claim>),
    /// Both sides have proved it.
    Proven(Box<Session>),
}

/// A connection, or the place for one.
pub struct Link {
    channel: Channel,
    identity: Option<Identity>,
    proof: Proof,
    nonce: fn() -> io::Result<[u8; 32]>,
    stream: Option<TcpStream>,
    input: BytesMut,
    output: BytesMut,
    /// Until then the master's preamble must be there; `None` when it is.
    preamble_until: Option<Millis>,
}

impl Link {
    /// A place for a connection of this channel, of a slave that has this key, or none.
    pub fn new(channel: Channel, identity: Option<Identity>) -> Self {
        Self {
            channel,
            identity,
            proof: Proof::None,
            nonce,
            stream: None,
            input: BytesMut::new(),
            output: BytesMut::new(),
            preamble_until: None,
        }
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
        self.proof = Proof::None;
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
        if self.stream.is_none() {
            return;
        }
        let start = self.output.len();
        encode(&mut self.output);
        if let Proof::Proven(session) = &mut self.proof
            && self.output.get(start + 4).is_some_and(|tag| auth::is_sealed(self.channel, *tag))
        {
            session.sealer.seal(&mut self.output, start);
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

    /// Checks the master's preamble and, with a key, its proof: true once, when all of it was right.
    pub fn take_preamble(&mut self) -> Result<bool, String> {
        if self.preamble_until.is_none() {
            return Ok(false);
        }
        if matches!(self.proof, Proof::Claimed(_)) {
            return self.take_challenge();
        }
        let Some(bytes) = self.input.first_chunk::<PREAMBLE_BYTES>() else { return Ok(false) };
        Preamble::check(*bytes, self.channel).map_err(|e| e.to_string())?;
        self.input.advance(PREAMBLE_BYTES);
        let Some(Identity { name, key }) = self.identity.clone() else {
            self.preamble_until = None;
            return Ok(true);
        };
        let nonce = (self.nonce)().map_err(|e| format!("no randomness: /dev/urandom: {e}"))?;
        let (auth, claim) = Claim::new(key, name, self.channel, nonce);
        auth.encode(&mut self.output);
        self.proof = Proof::Claimed(Box::new(claim));
        self.take_challenge()
    }

    fn take_challenge(&mut self) -> Result<bool, String> {
        let taken = frame::take(&mut self.input, self.channel.frame_limit()).map_err(|e| e.to_string())?;
        let Some(frame) = taken else { return Ok(false) };
        match (ToClaimant::decode(frame), std::mem::replace(&mut self.proof, Proof::None)) {
            (Ok(ToClaimant::Challenge { nonce, proof }), Proof::Claimed(claim)) => {
                let (answer, session) = claim.answer(nonce, proof).ok_or(
                    "who listens there does not have this slave's key: it is not its master, or another key was made",
                )?;
                answer.encode(&mut self.output);
                self.proof = Proof::Proven(Box::new(session));
                self.preamble_until = None;
                Ok(true)
            }
            (Ok(ToClaimant::Refused { reason }), _) => Err(format!("refused: {reason}")),
            _ => Err("the master does not answer AUTH with CHALLENGE".to_owned()),
        }
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
        let Some(frame) = taken else {
            if self.input.is_empty() && self.input.capacity() > KEPT_BYTES {
                self.input = BytesMut::new();
            }
            return Ok(None);
        };
        match &mut self.proof {
            Proof::Proven(session) => {
                session.opener.open(frame).map(Some).map_err(|broken| broken.reason().to_owned())
            }
            // a master that wants a key says so in place of an answer
            _ => match ToClaimant::decode(frame.clone()) {
                Ok(ToClaimant::Refused { reason }) => Err(format!("refused: {reason}")),
                _ => Ok(Some(frame)),
            },
        }
    }
}

fn nonce() -> io::Result<[u8; 32]> {
    let mut nonce = [0; 32];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut nonce)?;
    Ok(nonce)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::slave::{FromSlave, ToSlave};
    use std::net::TcpListener;

    fn pair() -> (Link, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let ours = connect("127.0.0.1", listener.local_addr().unwrap().port()).unwrap();
        let mut link = Link::new(Channel::Slave, None);
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
        assert_eq!(wrong, "the peer speaks protocol version 9, this program 2");
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
