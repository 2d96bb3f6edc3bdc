//! SIGTERM, SIGINT and SIGHUP as something to read, instead of something that interrupts.

use std::io;
use std::os::fd::AsRawFd;

use mio::event::Source;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// To stop.
    Stop,
    /// To read the keys of slaves again, and to open the log file anew.
    ReadAnew,
}

/// The signals that ask something of the master.
pub struct Signals(SignalFd);

impl Signals {
    /// To be called right before threads are started, so that all of them leave the signals to this, and not sooner:
    /// nothing takes them until the reactor runs.
    pub fn block() -> io::Result<Self> {
        let mut set = SigSet::empty();
        set.add(Signal::SIGTERM);
        set.add(Signal::SIGINT);
        set.add(Signal::SIGHUP);
        set.thread_block()?;
        Ok(Self(SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?))
    }

    /// What a signal that came asks for; called until there is none.
    pub(super) fn take(&mut self) -> Option<Wish> {
        let signal = self.0.read_signal().ok()??;
        Some(if signal.ssi_signo == Signal::SIGHUP as u32 { Wish::ReadAnew } else { Wish::Stop })
    }
}

impl Source for Signals {
    fn register(&mut self, registry: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        SourceFd(&self.0.as_raw_fd()).register(registry, token, interest)
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        SourceFd(&self.0.as_raw_fd()).reregister(registry, token, interest)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        SourceFd(&self.0.as_raw_fd()).deregister(registry)
    }
}
