//! A tool's end of the master's local channels: import, status and control (`wire-spec/`). One connection, within a time
//! limit, to a master of this account or of root.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use nix::sys::socket::{MsgFlags, getsockopt, recv, sockopt};
use serde_json::Value;

use crate::config::Config;
use crate::options::{Failure, say};
use crate::wire::import::{FromTool, ToTool};
use crate::wire::{Channel, Frame, Preamble, WireError, control, frame, preamble};

/// Where one of the channels is.
#[derive(Clone, Debug)]
pub struct Queue {
    path: PathBuf,
    channel: Channel,
    option: &'static str,
}

impl Queue {
    /// The import channel's, which `--import-queue` names (manual 6.2).
    pub fn import(config: &Config, flag: Option<String>) -> Result<Self, Failure> {
        Self::find(config, flag, Channel::Import, "import-queue", "ipc:///tmp/piw-import")
    }

    /// The status channel's, which `--status-queue` names.
    pub fn status(config: &Config, flag: Option<String>) -> Result<Self, Failure> {
        Self::find(config, flag, Channel::Status, "status-queue", "ipc:///tmp/piw-status")
    }

    /// The control channel's, which `--control-queue` names.
    pub fn control(config: &Config, flag: Option<String>) -> Result<Self, Failure> {
        Self::find(config, flag, Channel::Control, "control-queue", "ipc:///tmp/piw-control")
    }

    fn find(
        config: &Config,
        flag: Option<String>,
        channel: Channel,
        option: &'static str,
        default: &str,
    ) -> Result<Self, Failure> {
        let address = config.value(flag, option, default.to_owned())?;
        match address.strip_prefix("ipc://") {
            Some(path) if path.starts_with('/') => Ok(Self { path: PathBuf::from(path), channel, option }),
            _ => Err(Failure::usage(format!("--{option} {address}: must be ipc:// and an absolute path"))),
        }
    }
}

/// A connection to the master; every failure of it is one line that says what to do.
#[derive(Debug)]
pub struct Client {
    stream: UnixStream,
    channel: Channel,
    at: String,
    input: BytesMut,
    greeted: bool,
    limit: Duration,
    until: Instant,
}

impl Client {
    /// Connects; everything together may take this long.
    pub fn connect(queue: &Queue, limit: Duration) -> Result<Self, Failure> {
        let at = format!("ipc://{}", queue.path.display());
        let stream = UnixStream::connect(&queue.path).map_err(|error| {
            Failure::error(match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                    format!(
                        "no master at {at}: start piw-master, or name its address with --{}",
                        queue.option
                    )
                }
                io::ErrorKind::PermissionDenied => {
                    format!("{at} is not for this account: run this as the account that piw-master runs as")
                }
                _ => format!("cannot connect to {at}: {error}"),
            })
        })?;
        check_owner(&stream, &at)?;
        let mut client = Self {
            stream,
            channel: queue.channel,
            at,
            input: BytesMut::new(),
            greeted: false,
            limit,
            until: Instant::now() + limit,
        };
        client.stream.set_write_timeout(Some(limit)).map_err(|e| client.lost(&e))?;
        client.write(&Preamble { channel: queue.channel }.encode())?;
        Ok(client)
    }

    /// Sends a message.
    pub fn send(&mut self, encode: impl FnOnce(&mut BytesMut)) -> Result<(), Failure> {
        let mut output = BytesMut::new();
        encode(&mut output);
        self.write(&output)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.stream.write_all(bytes).map_err(|error| self.lost(&error))
    }

    /// The next message, decoded.
    pub fn next<M>(&mut self, decode: impl FnOnce(Frame) -> Result<M, WireError>) -> Result<M, Failure> {
        self.frame().and_then(|frame| decode(frame).map_err(odd)).map_err(|error| self.lost(&error))
    }

    /// The same, within a time limit of its own; none when it did not come, and then it may be asked for again.
    pub fn next_within<M>(
        &mut self,
        limit: Duration,
        decode: impl FnOnce(Frame) -> Result<M, WireError>,
    ) -> Result<Option<M>, Failure> {
        self.until = Instant::now() + limit;
        match self.frame() {
            Ok(frame) => decode(frame).map(Some).map_err(|error| self.lost(&odd(error))),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                Ok(None)
            }
            Err(error) => Err(self.lost(&error)),
        }
    }

    /// The next message that has come, without waiting for it; none when there is no whole one. For a program that waits
    /// for other things, too: for this connection with its [`AsFd`].
    pub fn arrived<M>(
        &mut self,
        decode: impl FnOnce(Frame) -> Result<M, WireError>,
    ) -> Result<Option<M>, Failure> {
        let mut piece = [0; 16 * 1024];
        let frame = loop {
            match self.buffered() {
                Ok(None) => {}
                Ok(Some(frame)) => break decode(frame).map_err(odd),
                Err(error) => break Err(error),
            }
            match recv(self.stream.as_raw_fd(), &mut piece, MsgFlags::MSG_DONTWAIT) {
                Ok(0) => break Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => self.input.extend_from_slice(&piece[..n]),
                Err(nix::errno::Errno::EAGAIN) => return Ok(None),
                Err(nix::errno::Errno::EINTR) => {}
                Err(error) => break Err(error.into()),
            }
        };
        frame.map(Some).map_err(|error| self.lost(&error))
    }

    /// The next frame of what was read already.
    fn buffered(&mut self) -> io::Result<Option<Frame>> {
        if !self.greeted
            && let Some(bytes) = self.input.first_chunk::<{ preamble::BYTES }>()
        {
            Preamble::check(*bytes, self.channel).map_err(odd)?;
            let _ = self.input.split_to(preamble::BYTES);
            self.greeted = true;
        }
        match self.greeted {
            true => frame::take(&mut self.input, self.channel.frame_limit()).map_err(odd),
            false => Ok(None),
        }
    }

    fn frame(&mut self) -> io::Result<Frame> {
        let mut piece = [0; 16 * 1024];
        loop {
            if let Some(frame) = self.buffered()? {
                return Ok(frame);
            }
            let left = self.until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.stream.set_read_timeout(Some(left))?;
            match self.stream.read(&mut piece)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => self.input.extend_from_slice(&piece[..n]),
            }
        }
    }

    /// The master sent a message that may not come now.
    pub fn out_of_turn(&self) -> Failure {
        Failure::error(format!("the master at {} sent what was not asked for; not trusted", self.at))
    }

    fn lost(&self, error: &io::Error) -> Failure {
        let at = &self.at;
        Failure::error(match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                let seconds = self.limit.as_secs();
                format!("the master at {at} did not answer within {seconds} s; its log may say why")
            }
            io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => {
                format!("the master at {at} closed the connection; its log says why")
            }
            _ => format!("the connection to {at} broke: {error}"),
        })
    }
}

impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

fn odd(error: WireError) -> io::Error {
    io::Error::other(error.to_string())
}

/// Sends a request to the import channel and waits for its answer, which is JSON.
pub fn ask(queue: &Queue, request: &FromTool, limit: Duration) -> Result<String, Failure> {
    let mut client = Client::connect(queue, limit)?;
    client.send(|out| request.encode(out))?;
    match client.next(ToTool::decode)? {
        ToTool::Done { json } => Ok(json.into_string()),
        ToTool::Error { reasons } => {
            let reasons = reasons.iter().map(ToString::to_string).collect();
            Err(Failure { reasons, code: 1, answered: true })
        }
        ToTool::Send { .. } | ToTool::Fetch { .. } => Err(client.out_of_turn()),
    }
}

/// The same; the answer read.
pub fn answer(queue: &Queue, request: &FromTool, limit: Duration) -> Result<Value, Failure> {
    parsed(&ask(queue, request, limit)?)
}

/// An answer of the import channel, read.
pub fn parsed(json: &str) -> Result<Value, Failure> {
    serde_json::from_str(json)
        .map_err(|error| Failure::error(format!("the master's answer is no JSON: {error}")))
}

/// How long an order may take: some are carried out in pieces, thousands of versions in all.
const ORDER_LIMIT: Duration = Duration::from_secs(900);

/// Gives an order and prints what it came to: as JSON, or as `describe` has it.
pub fn order(
    queue: &Queue,
    request: &FromTool,
    json: bool,
    describe: impl FnOnce(&Value) -> Vec<String>,
) -> Result<(), Failure> {
    let answer = ask(queue, request, ORDER_LIMIT)?;
    if json {
        return say(answer);
    }
    describe(&parsed(&answer)?).iter().try_for_each(say)
}

/// How long a command may take: it is answered at once, by a master that is there.
const COMMAND_LIMIT: Duration = Duration::from_secs(30);

/// Gives the running farm a command; the number of slaves that it concerns.
pub fn command(queue: &Queue, command: &control::FromTool) -> Result<u32, Failure> {
    let mut client = Client::connect(queue, COMMAND_LIMIT)?;
    client.send(|out| command.encode(out))?;
    match client.next(control::ToTool::decode)? {
        control::ToTool::Done { affected } => Ok(affected),
        control::ToTool::Error { reason } => {
            Err(Failure { reasons: vec![reason.into_string()], code: 1, answered: true })
        }
    }
}

/// Whoever listens must be this account or root: in a directory that all may write to, anybody could listen.
fn check_owner(stream: &UnixStream, at: &str) -> Result<(), Failure> {
    let owner =
        getsockopt(stream, sockopt::PeerCredentials).map_err(|e| Failure::error(format!("{at}: {e}")))?.uid();
    let me = nix::unistd::geteuid();
    if owner == 0 || me.is_root() || owner == me.as_raw() {
        return Ok(());
    }
    Err(Failure::error(format!(
        "{at} is served by user {owner}, who is neither this account nor root; not trusted"
    )))
}
