//! What the program tells the service manager that started it (sd_notify(3)): that it is ready, what it is doing, that
//! it is alive, that it stops. Nobody is told anything where no manager listens (`NOTIFY_SOCKET` is not set).
//!
//! Nothing here waits: a word that the manager's queue has no room for is lost, and the loss is logged once. All
//! functions are for one thread, that of the event loop: a sign of life from any other would prove nothing.

use std::ffi::OsString;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use nix::time::{ClockId, clock_gettime};

use crate::domain::Millis;

/// The variable that names the manager's socket: a path, or `@` and an abstract name.
pub const SOCKET: &str = "NOTIFY_SOCKET";

/// See the module's head.
#[derive(Debug)]
pub struct Notify {
    manager: Option<(UnixDatagram, SocketAddr)>,
    /// How often it wants a sign of life.
    every: Option<Millis>,
    ping_at: Millis,
    /// What it was told last.
    status: String,
    reloading: bool,
    lost: bool,
}

impl Notify {
    /// Finds out who listens, from the environment. What is wrong there is logged, and nobody is told anything.
    pub fn from_environment() -> Self {
        let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
        // the variables are inherited: they may be meant for the program that started this one
        let for_us = std::env::var_os("WATCHDOG_PID")
            .is_none_or(|pid| pid.is_empty() || pid.to_str() == Some(&std::process::id().to_string()));
        let every = if for_us { number("WATCHDOG_USEC") } else { None };
        Self::new(std::env::var_os(SOCKET), every)
    }

    fn new(socket: Option<OsString>, watchdog_usec: Option<u64>) -> Self {
        let manager = socket.filter(|name| !name.is_empty()).and_then(|name| {
            let opened = address(&name).and_then(|address| {
                let socket = UnixDatagram::unbound()?;
                socket.set_nonblocking(true)?;
                Ok((socket, address))
            });
            opened.map_err(|e| log::warn!("{SOCKET}={}: {e}", name.display())).ok()
        });
        // half of it, so that one late turn of the loop is not taken for death
        let every = watchdog_usec.filter(|usec| *usec > 0).map(|usec| Millis((usec / 2000).max(1)));
        Self {
            every: every.filter(|_| manager.is_some()),
            manager,
            ping_at: Millis(0),
            status: String::new(),
            reloading: false,
            lost: false,
        }
    }

    /// Whether somebody listens: what only a manager wants to know need not be worked out otherwise.
    pub fn is_heard(&self) -> bool {
        self.manager.is_some()
    }

    /// The program is up; or, after [`Notify::reloading`], up again.
    pub fn ready(&mut self) {
        self.reloading = false;
        self.tell("READY=1");
    }

    /// The program reads its configuration anew, until [`Notify::ready`].
    pub fn reloading(&mut self) {
        self.reloading = true;
        match clock_gettime(ClockId::CLOCK_MONOTONIC) {
            Ok(now) => {
                let usec = now.tv_sec() as u64 * 1_000_000 + now.tv_nsec() as u64 / 1000;
                self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={usec}"));
            }
            Err(e) => log::warn!("the clock cannot be read: {e}"),
        }
    }

    /// Whether [`Notify::reloading`] was said, and [`Notify::ready`] not yet.
    pub fn is_reloading(&self) -> bool {
        self.reloading
    }

    /// The program is about to end.
    pub fn stopping(&mut self) {
        self.tell("STOPPING=1");
    }

    /// What it is doing, one line for people. The same line is told once.
    pub fn status(&mut self, line: &str) {
        if self.is_heard() && self.status != line {
            self.status = line.replace('\n', " ");
            self.tell(&format!("STATUS={}", self.status));
        }
    }

    /// When [`Notify::tick`] is due at the latest.
    pub fn next_deadline(&self) -> Option<Millis> {
        self.every.map(|_| self.ping_at)
    }

    /// Gives a sign of life, if it is time for one.
    pub fn tick(&mut self, now: Millis) {
        if let Some(every) = self.every
            && now >= self.ping_at
        {
            self.ping_at = now + every;
            self.tell("WATCHDOG=1");
        }
    }

    fn tell(&mut self, words: &str) {
        let Some((socket, manager)) = &self.manager else { return };
        if let Err(e) = socket.send_to_addr(words.as_bytes(), manager)
            && !std::mem::replace(&mut self.lost, true)
        {
            log::warn!("the service manager cannot be told {words:?}: {e}");
        }
    }
}

fn address(name: &OsString) -> io::Result<SocketAddr> {
    match name.as_bytes() {
        [b'@', abstract_name @ ..] => SocketAddr::from_abstract_name(abstract_name),
        [b'/', ..] => SocketAddr::from_pathname(name),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "neither a path nor an abstract name")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(manager: &UnixDatagram) -> String {
        let mut buffer = [0; 512];
        let length = manager.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    fn nothing_more(manager: &UnixDatagram) {
        manager.set_nonblocking(true).unwrap();
        assert_eq!(manager.recv(&mut [0; 512]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        manager.set_nonblocking(false).unwrap();
    }

    #[test]
    fn a_manager_behind_a_path_or_an_abstract_name_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let name = format!("piw-test-{}", std::process::id());
        let abstract_address = SocketAddr::from_abstract_name(&name).unwrap();
        for (socket, manager) in [
            (path.clone().into_os_string(), UnixDatagram::bind(&path).unwrap()),
            (format!("@{name}").into(), UnixDatagram::bind_addr(&abstract_address).unwrap()),
        ] {
            let mut notify = Notify::new(Some(socket), None);
            assert!(notify.is_heard() && notify.next_deadline().is_none());
            notify.ready();
            assert_eq!(heard(&manager), "READY=1");
            notify.status("builds foo 1.0");
            notify.status("builds foo 1.0");
            notify.status("two\nlines");
            assert_eq!(
                (heard(&manager), heard(&manager)),
                ("STATUS=builds foo 1.0".into(), "STATUS=two lines".into())
            );
            notify.reloading();
            assert!(notify.is_reloading());
            let said = heard(&manager);
            let usec = said.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
            assert!(usec.parse::<u64>().unwrap() > 0, "{said}");
            notify.ready();
            assert!(!notify.is_reloading());
            notify.stopping();
            assert_eq!((heard(&manager), heard(&manager)), ("READY=1".into(), "STOPPING=1".into()));
            nothing_more(&manager);
        }
    }

    #[test]
    fn signs_of_life_come_twice_in_the_time_that_the_manager_gives() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let mut notify = Notify::new(Some(path.into_os_string()), Some(10_000_000));
        for now in [0, 4_999, 5_000, 9_000, 10_000, 30_000, 30_001] {
            notify.tick(Millis(now));
        }
        assert_eq!(notify.next_deadline(), Some(Millis(35_000)));
        for _ in 0..4 {
            assert_eq!(heard(&manager), "WATCHDOG=1");
        }
        nothing_more(&manager);
    }

    #[test]
    fn where_nobody_listens_nothing_is_told_and_nothing_waited_for() {
        let gone = tempfile::tempdir().unwrap().path().join("notify").into_os_string();
        for socket in [None, Some(OsString::new()), Some("vsock:2:1".into()), Some("@".repeat(200).into())] {
            let mut notify = Notify::new(socket, Some(10_000_000));
            assert!(!notify.is_heard() && notify.next_deadline().is_none());
            notify.ready();
            notify.tick(Millis(1));
        }
        let mut notify = Notify::new(Some(gone), Some(1));
        notify.ready();
        assert_eq!(notify.next_deadline(), Some(Millis(0)));
        notify.tick(Millis(0));
        assert_eq!(notify.next_deadline(), Some(Millis(1)), "the shortest, not a busy loop");
    }
}
