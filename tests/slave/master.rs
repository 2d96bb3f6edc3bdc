//! A master that does what a test tells it, over real sockets.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use piwheels::wire::slave::{Board, BuildEnd, BuiltFile, FromSlave, Held, Resume, ToSlave, Vitals};
use piwheels::wire::{BuildId, Channel, Frame, JobToken, Preamble, Text, file, frame};

/// Far more than anything takes, also on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const TOKEN: JobToken = JobToken { build: BuildId(7), secret: [9; 16] };

pub(crate) struct Master {
    pub(crate) slaves: TcpListener,
    pub(crate) files: TcpListener,
}

impl Master {
    pub(crate) fn new() -> Self {
        Self::at(0, 0)
    }

    pub(crate) fn at(slave_port: u16, file_port: u16) -> Self {
        let bind = |port| TcpListener::bind(("127.0.0.1", port)).unwrap();
        Self { slaves: bind(slave_port), files: bind(file_port) }
    }

    pub(crate) fn ports(&self) -> (u16, u16) {
        (self.slaves.local_addr().unwrap().port(), self.files.local_addr().unwrap().port())
    }

    /// The next slave that connects, and the job it says it holds.
    pub(crate) fn greet(&self) -> (Peer, Option<Held>) {
        let (peer, held, _) = self.introduce();
        (peer, held)
    }

    /// The same, and its label.
    pub(crate) fn introduce(&self) -> (Peer, Option<Held>, String) {
        let (peer, held, label, _) = self.meet();
        (peer, held, label)
    }

    /// The same, and its machine.
    pub(crate) fn meet(&self) -> (Peer, Option<Held>, String, Board) {
        let mut peer = Peer::accept(&self.slaves, Channel::Slave);
        match peer.next() {
            FromSlave::Hello { software, label, python_tag, abi_tag, platform_tag, held, board, .. } => {
                assert_eq!(&*software, piwheels::VERSION);
                assert!(abi_tag.starts_with("cp3") && abi_tag.contains(&*python_tag), "{abi_tag}");
                assert!(platform_tag.starts_with("linux_"), "{platform_tag}");
                (peer, held, label.into_string(), board)
            }
            other => panic!("{other:?} instead of HELLO"),
        }
    }

    /// Greets a slave that holds nothing and hands it a job.
    pub(crate) fn hand_out(&self, index_url: &str, package: &str) -> Peer {
        let (mut peer, held) = self.greet();
        assert_eq!(held, None);
        peer.hello(index_url, Resume::None, 0);
        assert_eq!(peer.next(), FromSlave::Idle {});
        peer.build(package);
        peer
    }

    /// The next connection to the file port, and the transfer it names.
    pub(crate) fn transfer(&self) -> (Peer, [u8; 16]) {
        let mut peer = Peer::accept(&self.files, Channel::File);
        let transfer = peer.transfer();
        (peer, transfer)
    }
}

/// What a slave said of a build when it ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Built {
    pub(crate) end: BuildEnd,
    pub(crate) files: Vec<BuiltFile>,
}

pub(crate) struct Peer {
    stream: TcpStream,
    input: BytesMut,
    channel: Channel,
}

impl Peer {
    pub(crate) fn accept(listener: &TcpListener, channel: Channel) -> Self {
        let mut peer = Self::accept_silent(listener, channel);
        peer.stream.write_all(&Preamble { channel }.encode()).unwrap();
        peer
    }

    /// Accepts and checks the slave's preamble without an answer.
    pub(crate) fn accept_silent(listener: &TcpListener, channel: Channel) -> Self {
        let timeout = PollTimeout::try_from(PATIENCE).unwrap();
        let ready = poll(&mut [PollFd::new(listener.as_fd(), PollFlags::POLLIN)], timeout).unwrap();
        assert_eq!(ready, 1, "no slave connects");
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut preamble = [0; 8];
        stream.read_exact(&mut preamble).unwrap();
        assert_eq!(Preamble::check(preamble, channel), Ok(()));
        Self { stream, input: BytesMut::new(), channel }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// The next frame, or none at the end of the stream.
    fn frame(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = frame::take(&mut self.input, self.channel.frame_limit()).unwrap() {
                return Some(frame);
            }
            let mut buffer = [0; 65536];
            match self.stream.read(&mut buffer) {
                Ok(0) => return None,
                Ok(n) => self.input.extend_from_slice(&buffer[..n]),
                Err(e) => panic!("the slave says nothing: {e}"),
            }
        }
    }

    /// The next message that is not just a sign of life.
    pub(crate) fn next(&mut self) -> FromSlave {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let frame = self.frame().expect("a message, not the end of the stream");
            match FromSlave::decode(frame).unwrap() {
                FromSlave::Busy { .. } => assert!(Instant::now() < deadline, "nothing but signs of life"),
                message => return message,
            }
        }
    }

    /// Whether the next message is just a sign of life.
    pub(crate) fn sign_of_life(&mut self) -> bool {
        matches!(FromSlave::decode(self.frame().expect("a message")).unwrap(), FromSlave::Busy { .. })
    }

    /// The next message, which must be a sign of life: its machine, and why it asks for no job.
    pub(crate) fn busy(&mut self) -> (Vitals, Option<String>) {
        match FromSlave::decode(self.frame().expect("a message")).unwrap() {
            FromSlave::Busy { vitals, holds_back } => (vitals, holds_back.map(Text::into_string)),
            other => panic!("{other:?} instead of a sign of life"),
        }
    }

    /// Whether the slave closes the connection without another word.
    pub(crate) fn is_closed(&mut self) -> bool {
        self.frame().is_none()
    }

    pub(crate) fn send(&mut self, message: &ToSlave) {
        let mut out = BytesMut::new();
        message.encode(&mut out);
        self.write(&out);
    }

    pub(crate) fn hello(&mut self, index_url: &str, resume: Resume, log_from: u64) {
        self.hello_with(index_url, resume, log_from, 8 << 20);
    }

    pub(crate) fn hello_with(&mut self, index_url: &str, resume: Resume, log_from: u64, log_limit: u64) {
        let index_url = Text::new(index_url).unwrap();
        self.send(&ToSlave::Hello { slave_id: 1, index_url, resume, log_from, log_limit });
    }

    pub(crate) fn build(&mut self, package: &str) {
        let (package, version) = (Text::new(package).unwrap(), Text::new("1.0").unwrap());
        self.send(&ToSlave::Build { token: TOKEN, package, version, build_tag: 0 });
    }

    pub(crate) fn done(&mut self) {
        self.send(&ToSlave::Done { build: TOKEN.build });
    }

    /// Appends to `log` until it has the text.
    pub(crate) fn log_until(&mut self, log: &mut Vec<u8>, text: &str) {
        while !String::from_utf8_lossy(log).contains(text) {
            match self.next() {
                FromSlave::Log { offset, data } => {
                    assert_eq!(offset, log.len() as u64, "without gaps");
                    log.extend_from_slice(&data);
                }
                other => panic!("{other:?} before the log said {text:?}: {}", String::from_utf8_lossy(log)),
            }
        }
    }

    /// Appends to `log` until BUILT, which must come after all of it.
    pub(crate) fn built(&mut self, log: &mut Vec<u8>) -> Built {
        loop {
            match self.next() {
                FromSlave::Log { offset, data } => {
                    assert_eq!(offset, log.len() as u64, "without gaps");
                    log.extend_from_slice(&data);
                }
                FromSlave::Built { token, end, log_bytes, files, .. } => {
                    assert_eq!(token, TOKEN);
                    assert_eq!(log_bytes, log.len() as u64);
                    return Built { end, files: files.into_vec() };
                }
                other => panic!("{other:?} instead of BUILT"),
            }
        }
    }

    pub(crate) fn bye(&mut self) -> String {
        match self.next() {
            FromSlave::Bye { reason } => reason.into_string(),
            other => panic!("{other:?} instead of BYE"),
        }
    }

    pub(crate) fn transfer(&mut self) -> [u8; 16] {
        match file::FromSlave::decode(self.frame().expect("HELLO")).unwrap() {
            file::FromSlave::Hello { transfer } => transfer,
            other => panic!("{other:?} instead of HELLO"),
        }
    }

    pub(crate) fn send_file(&mut self, message: &file::ToSlave) {
        let mut out = BytesMut::new();
        message.encode(&mut out);
        self.write(&out);
    }

    /// Asks for all of these ranges at once, then reads the answers into `data`.
    pub(crate) fn fetch(&mut self, ranges: &[(u64, u32)], data: &mut [u8]) {
        for (offset, length) in ranges {
            self.send_file(&file::ToSlave::Fetch { offset: *offset, length: *length });
        }
        for (wanted, length) in ranges {
            match file::FromSlave::decode(self.frame().expect("CHUNK")).unwrap() {
                file::FromSlave::Chunk { offset, data: bytes } => {
                    assert_eq!((offset, bytes.len()), (*wanted, *length as usize), "in the order asked");
                    data[*wanted as usize..][..bytes.len()].copy_from_slice(&bytes);
                }
                other => panic!("{other:?} instead of CHUNK"),
            }
        }
    }
}
