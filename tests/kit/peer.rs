//! A slave that says exactly what a test wants, over a real socket.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use bytes::{Bytes, BytesMut};
use piwheels::domain::{BuildId, JobToken, Sha256};
use piwheels::wire::auth::{self, Claim, FromClaimant, Key, Session, ToClaimant};
use piwheels::wire::slave::{BuildEnd, BuiltFile, FromSlave, Held, ToSlave};
use piwheels::wire::{Blob, Channel, Frame, List, Preamble, Text, file, frame, preamble};

use super::wait::PATIENCE;

/// One connection on either channel.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    channel: Channel,
    input: BytesMut,
    /// What was sent last: a chunk is large, and room for each would be asked of the system anew.
    output: BytesMut,
    greeted: bool,
    session: Option<Session>,
}

impl Peer {
    pub(crate) fn connect(port: u16, channel: Channel) -> Self {
        Self::connect_to("127.0.0.1", port, channel)
    }

    pub(crate) fn connect_to(address: &str, port: u16, channel: Channel) -> Self {
        let mut stream = TcpStream::connect((address, port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(&Preamble { channel }.encode()).unwrap();
        Self {
            stream,
            channel,
            input: BytesMut::new(),
            output: BytesMut::new(),
            greeted: false,
            session: None,
        }
    }

    /// A connection that proves a key; or why it was refused.
    pub(crate) fn connect_as(port: u16, channel: Channel, name: &str, key: &Key) -> Result<Self, String> {
        let mut peer = Self::connect(port, channel);
        let (message, claim) = Claim::new(key.clone(), Text::new(name).unwrap(), channel, [7; 32]);
        peer.say_auth(&message);
        let (proof, session) = match peer.hear_auth() {
            Some(ToClaimant::Challenge { nonce, proof }) => {
                claim.answer(nonce, proof).ok_or("the master does not have this key")?
            }
            Some(ToClaimant::Refused { reason }) => return Err(reason.to_string()),
            None => return Err("closed".to_owned()),
        };
        peer.say_auth(&proof);
        peer.session = Some(session);
        Ok(peer)
    }

    /// A slave that proved a key, said HELLO for cp311, and was let in.
    pub(crate) fn slave_as(port: u16, name: &str, key: &Key) -> Self {
        let mut peer = Self::connect_as(port, Channel::Slave, name, key).unwrap();
        peer.say(&hello(piwheels::VERSION, name, "cp311", None));
        match peer.hear() {
            Some(ToSlave::Hello { .. }) => peer,
            other => panic!("{name} was not let in: {other:?}"),
        }
    }

    pub(crate) fn say_auth(&mut self, message: &FromClaimant) {
        let mut out = BytesMut::new();
        message.encode(&mut out);
        self.raw(&out);
    }

    pub(crate) fn hear_auth(&mut self) -> Option<ToClaimant> {
        self.frame().map(|frame| ToClaimant::decode(frame).unwrap())
    }

    /// A message as it goes over the wire: under its seal, where there is one. The number of the seal is used up.
    pub(crate) fn sealed(&mut self, message: &FromSlave) -> BytesMut {
        let mut out = BytesMut::new();
        message.encode(&mut out);
        self.seal(&mut out);
        out
    }

    fn seal(&mut self, out: &mut BytesMut) {
        if let Some(session) = &mut self.session
            && auth::is_sealed(self.channel, out[4])
        {
            session.sealer.seal(out, 0);
        }
    }

    /// A slave that said HELLO as `label` for cp311, and was let in.
    pub(crate) fn slave(port: u16, label: &str, held: Option<Held>) -> Self {
        let mut peer = Self::connect(port, Channel::Slave);
        peer.say(&hello(piwheels::VERSION, label, "cp311", held));
        match peer.hear() {
            Some(ToSlave::Hello { .. }) => peer,
            other => panic!("{label} was not let in: {other:?}"),
        }
    }

    pub(crate) fn say(&mut self, message: &FromSlave) {
        let out = self.sealed(message);
        self.raw(&out);
    }

    pub(crate) fn say_file(&mut self, message: &file::FromSlave) {
        let mut out = std::mem::take(&mut self.output);
        out.clear();
        message.encode(&mut out);
        self.seal(&mut out);
        self.raw(&out);
        self.output = out;
    }

    /// Sends bytes as they are; a master that has hung up already is no error of the test.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    fn frame(&mut self) -> Option<Frame> {
        let mut piece = [0; 4096];
        loop {
            if !self.greeted && self.input.len() >= preamble::BYTES {
                let bytes: [u8; preamble::BYTES] = self.input[..preamble::BYTES].try_into().unwrap();
                Preamble::check(bytes, self.channel).unwrap();
                let _ = self.input.split_to(preamble::BYTES);
                self.greeted = true;
            }
            if self.greeted
                && let Some(frame) = frame::take(&mut self.input, self.channel.frame_limit()).unwrap()
            {
                return Some(match &mut self.session {
                    Some(session) => session.opener.open(frame).unwrap(),
                    None => frame,
                });
            }
            match self.stream.read(&mut piece) {
                Ok(0) => return None,
                Ok(n) => self.input.extend_from_slice(&piece[..n]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("the master says nothing: {error}"),
            }
        }
    }

    /// The next message; `None` when the master closed the connection.
    pub(crate) fn hear(&mut self) -> Option<ToSlave> {
        self.frame().map(|frame| ToSlave::decode(frame).unwrap())
    }

    pub(crate) fn hear_file(&mut self) -> Option<file::ToSlave> {
        self.frame().map(|frame| file::ToSlave::decode(frame).unwrap())
    }

    /// Whether the master hangs up without another word.
    pub(crate) fn is_dropped(&mut self) -> bool {
        self.frame().is_none()
    }

    /// Asks for a job, and again when woken, until there is one.
    pub(crate) fn take_job(&mut self) -> (JobToken, String) {
        self.say(&FromSlave::Idle {});
        loop {
            match self.hear() {
                Some(ToSlave::Build { token, package, version, .. }) => {
                    return (token, format!("{package}=={version}"));
                }
                Some(ToSlave::Sleep { .. }) => {}
                Some(ToSlave::Wake {}) => self.say(&FromSlave::Idle {}),
                other => panic!("no job: {other:?}"),
            }
        }
    }

    /// Waits for CANCEL: of which build.
    pub(crate) fn hear_cancel(&mut self) -> BuildId {
        loop {
            match self.hear() {
                Some(ToSlave::Cancel { build }) => return build,
                Some(ToSlave::Wake {}) => {}
                other => panic!("no CANCEL: {other:?}"),
            }
        }
    }

    pub(crate) fn offer(&mut self, token: JobToken, files: &[(&str, u64, Sha256)]) {
        let files = files.iter().map(|(name, size, sha256)| BuiltFile {
            filename: Text::new(*name).unwrap(),
            size: *size,
            sha256: *sha256,
        });
        let files = List::new(files.collect()).unwrap();
        self.say(&FromSlave::Built {
            token,
            end: BuildEnd::Built,
            duration_ms: 1,
            log_bytes: 0,
            files,
            report: Default::default(),
        });
    }

    pub(crate) fn log(&mut self, offset: u64, text: &str) {
        let data = Blob::new(Bytes::copy_from_slice(text.as_bytes())).unwrap();
        self.say(&FromSlave::Log { offset, data });
    }
}

/// A HELLO for linux_x86_64.
pub(crate) fn hello(software: &str, label: &str, abi: &str, held: Option<Held>) -> FromSlave {
    FromSlave::Hello {
        software: Text::new(software).unwrap(),
        label: Text::new(label).unwrap(),
        timeout_secs: 60,
        python_tag: Text::new("311").unwrap(),
        abi_tag: Text::new(abi).unwrap(),
        platform_tag: Text::new("linux_x86_64").unwrap(),
        board: Default::default(),
        held,
    }
}

/// Serves one file as a slave would, answering every FETCH until DONE; `None` when the master hangs up before.
pub(crate) fn serve_file(port: u16, transfer: [u8; 16], bytes: &[u8]) -> Option<()> {
    serve_on(Peer::connect(port, Channel::File), transfer, bytes)
}

/// The same on a connection that stands.
pub(crate) fn serve_on(peer: Peer, transfer: [u8; 16], bytes: &[u8]) -> Option<()> {
    serve_next(peer, transfer, &Bytes::copy_from_slice(bytes)).map(drop)
}

/// The same, and the connection again, for the next file.
pub(crate) fn serve_next(mut peer: Peer, transfer: [u8; 16], bytes: &Bytes) -> Option<Peer> {
    peer.say_file(&file::FromSlave::Hello { transfer });
    loop {
        match peer.hear_file()? {
            file::ToSlave::Fetch { offset, length } => {
                let range = offset as usize..offset as usize + length as usize;
                let data = Blob::new(bytes.slice(range)).unwrap();
                peer.say_file(&file::FromSlave::Chunk { offset, data });
            }
            file::ToSlave::Done {} => return Some(peer),
        }
    }
}
