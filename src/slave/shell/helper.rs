//! Short-lived threads for what may wait, and the bell by which they wake the loop.

use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::slave::link;
use crate::slave::session::Outcome;
use crate::wire::Channel;

/// What a helper has done.
#[derive(Debug)]
pub(super) enum Report {
    /// A connection stands, or not, and why.
    Connected(Channel, Result<TcpStream, String>),
    /// Everything of a build is read.
    Finished(Outcome),
    /// Everything of a build is deleted.
    Cleared,
    /// The configuration was read; or what is wrong with it.
    Read(Result<(), String>),
    /// The start was tried; or what is wrong with it.
    Tried(Result<(), String>),
}

/// Stack for name resolution, which runs the system's plug-ins, in bytes.
const RESOLVER_STACK: usize = 256 * 1024;
/// Stack for everything else, in bytes: buffers of 16 KiB are the largest thing on it.
const WORKER_STACK: usize = 128 * 1024;

/// Starts helpers and collects what they report. There are never more than a few: one per connection being made, one
/// at work on the build or trying the start, and one for each SIGHUP, as long as it takes to read a few files.
pub(super) struct Helpers {
    bell: Arc<EventFd>,
    reports: Receiver<Report>,
    sender: Sender<Report>,
}

impl Helpers {
    pub(super) fn new() -> nix::Result<Self> {
        let bell = EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)?;
        let (sender, reports) = channel();
        Ok(Self { bell: Arc::new(bell), reports, sender })
    }

    /// Readable when there may be a report.
    pub(super) fn bell(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }

    pub(super) fn next_report(&self) -> Option<Report> {
        // Silence the bell before looking: a report that comes in between rings it again.
        let _ = self.bell.read();
        self.reports.try_recv().ok()
    }

    /// Reports something in a helper's stead.
    pub(super) fn report(&self, report: Report) {
        let _ = self.sender.send(report);
        let _ = self.bell.write(1);
    }

    /// Connects to the master.
    pub(super) fn connect(&self, channel: Channel, host: &str, port: u16) -> Result<(), String> {
        let host = host.to_owned();
        self.start("connect", RESOLVER_STACK, move || Report::Connected(channel, link::connect(&host, port)))
            .map_err(|e| e.to_string())
    }

    /// Does something that takes long.
    pub(super) fn work(&self, work: impl FnOnce() -> Report + Send + 'static) -> std::io::Result<()> {
        self.start("helper", WORKER_STACK, work)
    }

    fn start(
        &self,
        name: &str,
        stack_bytes: usize,
        work: impl FnOnce() -> Report + Send + 'static,
    ) -> std::io::Result<()> {
        let (bell, sender) = (self.bell.clone(), self.sender.clone());
        // The thread's end is its report; nobody joins it. Signals are blocked in it as in this thread.
        thread::Builder::new().name(name.to_owned()).stack_size(stack_bytes).spawn(move || {
            let report = work();
            let _ = sender.send(report);
            let _ = bell.write(1);
        })?;
        Ok(())
    }
}
