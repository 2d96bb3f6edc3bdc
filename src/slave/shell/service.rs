//! What the operator and the service manager ask of the loop, and what they are told.
//!
//! SIGHUP, in order: the log file is opened anew; the manager hears RELOADING; a helper reads the configuration, so that a
//! slip of the pen shows at once; what is held is delivered; a helper tries the start; the program says BYE and begins anew,
//! and it is the new one that says READY. A build may take hours, so READY is said before it, too, and RELOADING once more
//! after it.

use std::io;

use nix::sys::signal::Signal;

use super::helper::Report;
use super::{End, Shell};
use crate::logging;
use crate::slave::renew;
use crate::slave::session;

impl Shell {
    pub(super) fn take_signals(&mut self) -> io::Result<()> {
        while let Some(info) = self.signals.read_signal()? {
            match Signal::try_from(info.ssi_signo.cast_signed()) {
                Ok(Signal::SIGTERM | Signal::SIGINT) => {
                    self.notify.stopping();
                    self.tell_session(session::Input::Stop(self.options.on_term));
                }
                Ok(Signal::SIGHUP) => {
                    logging::reopen();
                    self.read_configuration();
                }
                // SIGCHLD only wakes the loop: children are reaped at each tick.
                _ => {}
            }
        }
        Ok(())
    }

    fn read_configuration(&mut self) {
        self.notify.reloading();
        let read = self.options.read_configuration;
        if let Err(e) = self.helpers.work(move || Report::Read(read())) {
            self.configuration_read(Err(format!("no thread to read it: {e}")));
        }
    }

    pub(super) fn configuration_read(&mut self, read: Result<(), String>) {
        self.tell_session(session::Input::Renew(read));
        self.carry_out();
        if !self.trying {
            self.notify.ready();
        }
    }

    pub(super) fn try_start(&mut self) {
        if !self.notify.is_reloading() {
            self.notify.reloading();
        }
        self.trying = true;
        let dir = self.options.settings.dir.clone();
        if let Err(e) = self.helpers.work(move || Report::Tried(renew::try_start(&dir))) {
            self.start_tried(Err(format!("no thread to try it: {e}")));
        }
    }

    pub(super) fn start_tried(&mut self, tried: Result<(), String>) {
        self.trying = false;
        self.tell_session(session::Input::Tried(tried));
        self.carry_out();
        // otherwise the one that comes after says so
        if self.exit != Some(End::Renewed) {
            self.notify.ready();
        }
    }

    /// Tells the manager that the loop turns, and what it is about.
    pub(super) fn notify(&mut self) {
        self.notify.tick(self.now());
        if self.notify.is_heard() {
            self.notify.status(&self.session.standing());
        }
    }
}
