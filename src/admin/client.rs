//! A tool's end of the master's local channels: import, status and control (`wire-spec/`). One connection, to a master of
//! this account or of root, which must not be silent for long:
//!
//! ```text
//!   connect ──► its preamble ──► request ──► answer, in pieces      each piece begins the time anew
//!           word             word        limit           word
//! ```
//!
//! A master that is there takes a connection, and says its preamble, at once, whatever it works at: [`Queue::word`]. An
//! answer may take what was asked for: there each caller has its own limit, and while that runs the master is looked at now and then
//! by another connection, so that one that hangs is found out long before. `--timeout` bounds both.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use clap::Args;
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr, connect, getsockopt, recv, setsockopt, socket,
    sockopt,
};
use nix::sys::time::TimeVal;
use serde_json::Value;

use crate::options::{CONTROL_QUEUE, Failure, IMPORT_QUEUE, Patience, STATUS_QUEUE, say};
use crate::wire::import::{FromTool, ToTool};
use crate::wire::{Channel, Frame, Preamble, WireError, control, frame, preamble};

/// How long a master that is alive may take to say so, unless `--timeout` says otherwise.
const WORD_LIMIT: Duration = Duration::from_secs(30);

/// `--import-queue` (manual 6.2).
#[derive(Args, Clone, Debug)]
pub struct ImportQueue {
    /// The address of the master's import queue; always an ipc address
    #[arg(long, value_name = "ADDR", global = true, default_value = IMPORT_QUEUE)]
    pub import_queue: Socket,
}

/// `--status-queue` (manual 4.2).
#[derive(Args, Clone, Debug)]
pub struct StatusQueue {
    /// The address of the queue used to report status to monitors; always an ipc address
    #[arg(long, value_name = "ADDR", global = true, default_value = STATUS_QUEUE)]
    pub status_queue: Socket,
}

/// `--control-queue` (manual 4.2).
#[derive(Args, Clone, Debug)]
pub struct ControlQueue {
    /// The address of the queue that commands the running farm; always an ipc address
    #[arg(long, value_name = "ADDR", global = true, default_value = CONTROL_QUEUE)]
    pub control_queue: Socket,
}

/// The path of an ipc address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Socket(PathBuf);

impl FromStr for Socket {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("ipc://") {
            Some(path) if path.starts_with('/') => Ok(Self(PathBuf::from(path))),
            _ => Err(format!("{text:?} must be ipc:// and an absolute path, such as {IMPORT_QUEUE}")),
        }
    }
}

/// Where one of the channels is.
#[derive(Clone, Debug)]
pub struct Queue {
    path: PathBuf,
    channel: Channel,
    option: &'static str,
    timeout: Option<Duration>,
}

impl Queue {
    /// The import channel's.
    pub fn import(queue: &ImportQueue, patience: Patience) -> Self {
        Self::new(&queue.import_queue, Channel::Import, "import-queue", patience)
    }

    /// The status channel's.
    pub fn status(queue: &StatusQueue, patience: Patience) -> Self {
        Self::new(&queue.status_queue, Channel::Status, "status-queue", patience)
    }

    /// The control channel's.
    pub fn control(queue: &ControlQueue, patience: Patience) -> Self {
        Self::new(&queue.control_queue, Channel::Control, "control-queue", patience)
    }

    fn new(socket: &Socket, channel: Channel, option: &'static str, patience: Patience) -> Self {
        let timeout = patience.tool_timeout.map(|limit| limit.0);
        Self { path: socket.0.clone(), channel, option, timeout }
    }

    /// How long the master may take to show that it is alive.
    pub fn word(&self) -> Duration {
        self.timeout.unwrap_or(WORD_LIMIT)
    }

    /// How long it may be silent at something that may take so long by itself.
    pub fn limit(&self, standard: Duration) -> Duration {
        self.timeout.unwrap_or(standard)
    }
}

/// A connection to the master; every failure of it is one line that says what to do.
#[derive(Debug)]
pub struct Client {
    stream: UnixStream,
    queue: Queue,
    at: String,
    input: BytesMut,
    greeted: bool,
    /// How long an answer may take, and how long a word.
    limit: Duration,
    word: Duration,
    /// When it last gave a sign of life, or was spoken to.
    heard: Instant,
}

impl Client {
    /// Connects. An answer may take so long, unless `--timeout` says otherwise.
    pub fn connect(queue: &Queue, limit: Duration) -> Result<Self, Failure> {
        let at = format!("ipc://{}", queue.path.display());
        let limit = queue.limit(limit);
        let word = queue.word().min(limit);
        let stream = open(&queue.path, word).map_err(|error| {
            if matches!(error, Errno::EAGAIN | Errno::EINPROGRESS | Errno::ETIMEDOUT) {
                return silent(&at, word);
            }
            Failure::error(match error {
                Errno::ENOENT | Errno::ECONNREFUSED => {
                    format!(
                        "no master at {at}: start piw-master, or name its address with --{}",
                        queue.option
                    )
                }
                Errno::EACCES | Errno::EPERM => {
                    format!("{at} is not for this account: run this as the account that piw-master runs as")
                }
                Errno::EPROTOTYPE | Errno::ENOTSOCK => {
                    format!("{at} is no socket of a piw-master: name its address with --{}", queue.option)
                }
                _ => format!("cannot connect to {at}: {}", error.desc()),
            })
        })?;
        check_owner(&stream, &at)?;
        let (input, heard) = (BytesMut::new(), Instant::now());
        let mut client = Self { stream, queue: queue.clone(), at, input, greeted: false, limit, word, heard };
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
        self.stream.write_all(bytes).map_err(|error| self.lost(&error))?;
        self.heard = Instant::now();
        Ok(())
    }

    /// The next message, decoded.
    pub fn next<M>(&mut self, decode: impl FnOnce(Frame) -> Result<M, WireError>) -> Result<M, Failure> {
        self.next_for(self.limit, decode)
    }

    /// The same, when the answer may take so long whatever `--timeout` says: as long as the master is alive.
    pub fn next_for<M>(
        &mut self,
        limit: Duration,
        decode: impl FnOnce(Frame) -> Result<M, WireError>,
    ) -> Result<M, Failure> {
        let asked = Instant::now();
        let mut looked = asked;
        loop {
            // as long as something comes, the rest is waited for
            let quiet = asked.max(self.heard).elapsed();
            if quiet >= limit {
                return Err(self.silent(limit));
            }
            match self.frame((limit - quiet).min(self.word)) {
                Ok(Some(frame)) => return decode(frame).map_err(|error| self.lost(&odd(error))),
                // it is at work, or it hangs
                Ok(None) if looked.elapsed() >= self.word && self.heard.elapsed() >= self.word => {
                    self.look()?;
                    looked = Instant::now();
                }
                Ok(None) => {}
                Err(error) => return Err(self.lost(&error)),
            }
        }
    }

    /// How long it has said nothing, nor was asked anything.
    pub fn quiet(&self) -> Duration {
        self.heard.elapsed()
    }

    /// It said nothing for so long.
    pub fn silent(&self, limit: Duration) -> Failure {
        silent(&self.at, limit)
    }

    /// The same, within a time limit of its own; none when it did not come, and then it may be asked for again.
    pub fn next_within<M>(
        &mut self,
        limit: Duration,
        decode: impl FnOnce(Frame) -> Result<M, WireError>,
    ) -> Result<Option<M>, Failure> {
        match self.frame(limit) {
            Ok(Some(frame)) => decode(frame).map(Some).map_err(|error| self.lost(&odd(error))),
            Ok(None) => Ok(None),
            Err(error) => Err(self.lost(&error)),
        }
    }

    /// Whether the master is alive: it greets another connection.
    pub fn look(&self) -> Result<(), Failure> {
        let mut other = Self::connect(&self.queue, self.word)?;
        match other.frame(self.word) {
            _ if other.greeted => Ok(()),
            Ok(_) => Err(silent(&other.at, other.word)),
            Err(error) => Err(other.lost(&error)),
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
            Preamble::check(*bytes, self.queue.channel).map_err(odd)?;
            let _ = self.input.split_to(preamble::BYTES);
            self.greeted = true;
        }
        match self.greeted {
            true => frame::take(&mut self.input, self.queue.channel.frame_limit()).map_err(odd),
            false => Ok(None),
        }
    }

    /// The next frame; none when it did not come within the limit. Until the master has greeted, and when a frame has
    /// begun, it is not silent for longer than a word takes.
    fn frame(&mut self, limit: Duration) -> io::Result<Option<Frame>> {
        let mut piece = [0; 16 * 1024];
        let begun = Instant::now();
        loop {
            if let Some(frame) = self.buffered()? {
                return Ok(Some(frame));
            }
            let more = !self.greeted || !self.input.is_empty();
            let word = if more { self.word.saturating_sub(self.heard.elapsed()) } else { Duration::MAX };
            let left = limit.saturating_sub(begun.elapsed());
            if word.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            if left.is_zero() {
                return Ok(None);
            }
            self.stream.set_read_timeout(Some(left.min(word)))?;
            match self.stream.read(&mut piece) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => {
                    self.heard = Instant::now();
                    self.input.extend_from_slice(&piece[..n]);
                }
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The master sent a message that may not come now.
    pub fn out_of_turn(&self) -> Failure {
        Failure::error(format!("the master at {} sent what was not asked for; not trusted", self.at))
    }

    fn lost(&self, error: &io::Error) -> Failure {
        let (at, option) = (&self.at, self.queue.option);
        if let Some(error) = error.get_ref().and_then(|error| error.downcast_ref::<WireError>()) {
            return Failure::error(match error {
                WireError::NotOurProtocol => {
                    format!("what listens at {at} is no piw-master: name its address with --{option}")
                }
                WireError::OtherProtocol { .. } => {
                    format!(
                        "the master at {at} is of another version ({error}): use the programs of one version"
                    )
                }
                WireError::WrongChannel { .. } => {
                    format!("{at} is another queue of the master: name the right one with --{option}")
                }
                _ => format!(
                    "the master at {at} sent what is no message ({error}): use the programs of one version"
                ),
            });
        }
        Failure::error(match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => return silent(at, self.word),
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

/// A master that is there, and says nothing.
fn silent(at: &str, limit: Duration) -> Failure {
    // what is left of a limit is a little less than it was
    let limit = match limit.as_millis() {
        millis @ ..900 => format!("{millis} ms"),
        millis => format!("{} s", (millis + 500) / 1000),
    };
    Failure::error(format!(
        "the master at {at} did not answer within {limit}; its log may say why, and --timeout waits longer"
    ))
}

/// A connection, or the reason; waits no longer than this for a master that takes none, nor for one that does not read.
fn open(path: &Path, limit: Duration) -> Result<UnixStream, Errno> {
    let fd: OwnedFd = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    let millis = i64::try_from(limit.as_millis()).unwrap_or(i64::MAX).max(1);
    setsockopt(&fd, sockopt::SendTimeout, &TimeVal::new(millis / 1000, millis % 1000 * 1000))?;
    connect(fd.as_raw_fd(), &UnixAddr::new(path)?)?;
    Ok(UnixStream::from(fd))
}

fn odd(error: WireError) -> io::Error {
    io::Error::other(error)
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
