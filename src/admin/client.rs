//! A tool's end of the import channel (`wire-spec/import.md`): one request, one answer, within a time limit.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use nix::sys::socket::{getsockopt, sockopt};

use crate::config::Config;
use crate::options::Failure;
use crate::wire::import::{FromTool, ToTool};
use crate::wire::{Channel, Preamble, frame, preamble};

/// The manual's default (6.2).
pub const DEFAULT_QUEUE: &str = "ipc:///tmp/piw-import";

/// The socket that `--import-queue` names.
pub fn queue_path(config: &Config, flag: Option<String>) -> Result<PathBuf, Failure> {
    let address = config.value(flag, "import-queue", DEFAULT_QUEUE.to_owned())?;
    match address.strip_prefix("ipc://") {
        Some(path) if path.starts_with('/') => Ok(PathBuf::from(path)),
        _ => Err(Failure::usage(format!("--import-queue {address}: must be ipc:// and an absolute path"))),
    }
}

/// Sends a request to the master and waits for its answer, which is JSON.
pub fn ask(path: &Path, request: &FromTool, limit: Duration) -> Result<String, Failure> {
    let until = Instant::now() + limit;
    let at = format!("ipc://{}", path.display());
    let mut stream = UnixStream::connect(path).map_err(|error| {
        Failure::error(match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                format!("no master at {at}: start piw-master, or name its address with --import-queue")
            }
            io::ErrorKind::PermissionDenied => {
                format!("{at} is not for this account: run this as the account that piw-master runs as")
            }
            _ => format!("cannot connect to {at}: {error}"),
        })
    })?;
    check_owner(&stream, &at)?;
    let mut output = BytesMut::from(&Preamble { channel: Channel::Import }.encode()[..]);
    request.encode(&mut output);
    let lost = |error: io::Error| {
        Failure::error(match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                format!("the master at {at} did not answer within {} s; its log may say why", limit.as_secs())
            }
            io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => {
                format!("the master at {at} closed the connection; its log says why")
            }
            _ => format!("the connection to {at} broke: {error}"),
        })
    };
    stream.set_write_timeout(Some(limit)).map_err(lost)?;
    stream.write_all(&output).map_err(lost)?;
    answer(&mut stream, until).map_err(lost)?.map_err(|reasons| Failure { reasons, code: 1, answered: true })
}

fn answer(stream: &mut UnixStream, until: Instant) -> io::Result<Result<String, Vec<String>>> {
    let odd = |error: crate::wire::WireError| io::Error::other(error.to_string());
    let mut input = BytesMut::new();
    let mut piece = vec![0; 64 * 1024];
    let mut greeted = false;
    loop {
        if !greeted && let Some(bytes) = input.first_chunk::<{ preamble::BYTES }>() {
            Preamble::check(*bytes, Channel::Import).map_err(odd)?;
            let _ = input.split_to(preamble::BYTES);
            greeted = true;
        }
        if greeted && let Some(frame) = frame::take(&mut input, Channel::Import.frame_limit()).map_err(odd)? {
            return Ok(match ToTool::decode(frame).map_err(odd)? {
                ToTool::Done { json } => Ok(json.into_string()),
                ToTool::Error { reasons } => Err(reasons.iter().map(ToString::to_string).collect()),
            });
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut piece)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => input.extend_from_slice(&piece[..n]),
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
