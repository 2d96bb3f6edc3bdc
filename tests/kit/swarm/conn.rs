//! One connection of a slave of the swarm: never waits, reads and writes what is there.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;

use bytes::{Buf, BytesMut};
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, connect, socket};
use piwheels::wire::{Channel, Frame, Preamble, frame, preamble};

pub(crate) struct Conn {
    stream: TcpStream,
    channel: Channel,
    input: BytesMut,
    pub(crate) output: BytesMut,
    greeted: bool,
}

impl Conn {
    /// Begins to connect, from an address of this machine; what is written meanwhile is sent when it stands.
    pub(crate) fn open(
        registry: &Registry,
        token: Token,
        from: Ipv4Addr,
        port: u16,
        channel: Channel,
    ) -> io::Result<Self> {
        let mut conn = Self::open_bare(registry, token, from, port, channel)?;
        conn.output.extend_from_slice(&Preamble { channel }.encode());
        Ok(conn)
    }

    /// The same without a word said.
    pub(crate) fn open_bare(
        registry: &Registry,
        token: Token,
        from: Ipv4Addr,
        port: u16,
        channel: Channel,
    ) -> io::Result<Self> {
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let fd = socket(AddressFamily::Inet, SockType::Stream, flags, None)?;
        let [a, b, c, d] = from.octets();
        bind(fd.as_raw_fd(), &SockaddrIn::new(a, b, c, d, 0))?;
        match connect(fd.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, port)) {
            Ok(()) | Err(Errno::EINPROGRESS) => {}
            Err(error) => return Err(error.into()),
        }
        let mut stream = TcpStream::from_std(fd.into());
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self { stream, channel, input: BytesMut::new(), output: BytesMut::new(), greeted: false })
    }

    /// Writes what can be written; false when the connection is gone.
    pub(crate) fn flush(&mut self) -> bool {
        while !self.output.is_empty() {
            match self.stream.write(&self.output) {
                Ok(0) => return false,
                Ok(written) => self.output.advance(written),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected),
            }
        }
        true
    }

    /// Reads what is there; false when the connection is gone, or could not be made.
    pub(crate) fn fill(&mut self) -> bool {
        let mut piece = [0; 16 * 1024];
        loop {
            match self.stream.read(&mut piece) {
                Ok(0) => return false,
                Ok(read) => self.input.extend_from_slice(&piece[..read]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected),
            }
        }
    }

    /// The next whole message of what was read.
    pub(crate) fn frame(&mut self) -> Result<Option<Frame>, String> {
        if !self.greeted {
            let Some(bytes) = self.input.first_chunk::<{ preamble::BYTES }>() else { return Ok(None) };
            Preamble::check(*bytes, self.channel).map_err(|error| error.to_string())?;
            self.input.advance(preamble::BYTES);
            self.greeted = true;
        }
        frame::take(&mut self.input, self.channel.frame_limit()).map_err(|error| error.to_string())
    }
}
