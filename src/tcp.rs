//! How both ends of a TCP connection notice that the other is gone without a word.

use std::os::fd::AsFd;

use nix::sys::socket::{setsockopt, sockopt};

/// Sent bytes that nobody acknowledges for this long end the connection, in milliseconds.
const UNACKNOWLEDGED_MS: u32 = 30_000;
/// A silent connection is probed after this many seconds, then this often, and given up after this many probes.
const KEEPALIVE: (u32, u32, u32) = (15, 5, 3);

/// Has the system end a connection whose other end is gone: after half a minute, whether or not something is sent.
pub fn watch(socket: &impl AsFd) -> nix::Result<()> {
    let (idle, interval, probes) = KEEPALIVE;
    setsockopt(socket, sockopt::KeepAlive, &true)?;
    setsockopt(socket, sockopt::TcpKeepIdle, &idle)?;
    setsockopt(socket, sockopt::TcpKeepInterval, &interval)?;
    setsockopt(socket, sockopt::TcpKeepCount, &probes)?;
    setsockopt(socket, sockopt::TcpUserTimeout, &UNACKNOWLEDGED_MS)
}
