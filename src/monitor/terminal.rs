//! The terminal: taken over at the start and given back at any end, whatever ends the monitor short of SIGKILL.
//!
//! It is opened anew, `/dev/tty`, so that it can be written to without waiting: a terminal that does not read (a link that
//! hangs, Ctrl-S) must not keep the monitor from its master or from a signal. Its own description keeps that flag from the
//! shell's.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use termion::raw::{IntoRawMode, RawTerminal};

/// Another screen, no cursor, no wrapping at the edge, clicks and the wheel reported in decimal (xterm's modes).
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[?1000h\x1b[?1006h";
/// The same the other way round.
const LEAVE: &str = "\x1b[m\x1b[?1006l\x1b[?1000l\x1b[?7h\x1b[?25h\x1b[?1049l";
/// How long a terminal that is given back may take to read the little that this is.
const LEAVE_LIMIT_MS: u16 = 500;

/// A terminal in our hands; dropping it gives it back.
pub struct Terminal {
    raw: RawTerminal<File>,
    /// What it has not taken yet.
    pending: Vec<u8>,
    entered: bool,
}

impl std::fmt::Debug for Terminal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Terminal").field("pending", &self.pending.len()).finish_non_exhaustive()
    }
}

impl Terminal {
    /// Takes over the terminal that this process belongs to.
    pub fn take() -> io::Result<Self> {
        Self::take_at(Path::new("/dev/tty"))
    }

    /// Takes over a terminal.
    pub fn take_at(path: &Path) -> io::Result<Self> {
        let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let file = OpenOptions::new().read(true).write(true).custom_flags(flags.bits()).open(path)?;
        let mut terminal = Self { raw: file.into_raw_mode()?, pending: Vec::new(), entered: true };
        terminal.write(ENTER.as_bytes())?;
        Ok(terminal)
    }

    /// Columns and lines.
    pub fn size(&self) -> io::Result<(u16, u16)> {
        let (width, height) = termion::terminal_size_fd(&*self.raw)?;
        // a terminal that does not know is taken for the least that there is
        Ok(if width == 0 || height == 0 { (80, 24) } else { (width, height) })
    }

    /// Writes, as much as it takes now; the rest waits.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.pending.extend_from_slice(bytes);
        self.flush()
    }

    /// Writes more of what waits, if it takes more.
    pub fn flush(&mut self) -> io::Result<()> {
        while !self.pending.is_empty() {
            match self.raw.write(&self.pending) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => drop(self.pending.drain(..n)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Whether something waits: then no new picture is to be drawn, for it would only queue up.
    pub fn is_busy(&self) -> bool {
        !self.pending.is_empty()
    }

    /// What was typed; false when the terminal is gone.
    pub fn read(&mut self, input: &mut Vec<u8>) -> bool {
        let mut piece = [0; 1024];
        loop {
            match self.raw.read(&mut piece) {
                Ok(0) => return false,
                Ok(n) => input.extend_from_slice(&piece[..n]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
    }

    /// Gives the terminal back for a while.
    pub fn leave(&mut self) {
        if !std::mem::replace(&mut self.entered, false) {
            return;
        }
        // half a sequence must not stand before ours
        self.pending.extend_from_slice(b"\x1b\\");
        self.pending.extend_from_slice(LEAVE.as_bytes());
        while self.flush().is_ok() && self.is_busy() {
            let mut fds = [PollFd::new(self.raw.as_fd(), PollFlags::POLLOUT)];
            if !matches!(poll(&mut fds, PollTimeout::from(LEAVE_LIMIT_MS)), Ok(1..)) {
                break;
            }
        }
        self.pending.clear();
        let _ = self.raw.suspend_raw_mode();
    }

    /// Takes it again.
    pub fn enter(&mut self) -> io::Result<()> {
        self.entered = true;
        self.raw.activate_raw_mode()?;
        self.write(ENTER.as_bytes())
    }
}

impl AsFd for Terminal {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.raw.as_fd()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use nix::pty::openpty;
    use nix::sys::termios::{LocalFlags, tcgetattr};

    use super::*;

    /// Waits for the end of what the terminal was told, and gives all of it.
    fn told(master: &mut File, last: &str) -> String {
        let mut all = Vec::new();
        while !String::from_utf8_lossy(&all).ends_with(last) {
            let mut piece = [0; 4096];
            let n = master.read(&mut piece).unwrap();
            assert!(n > 0);
            all.extend_from_slice(&piece[..n]);
        }
        String::from_utf8(all).unwrap()
    }

    #[test]
    fn a_panic_gives_the_terminal_back() {
        let pty = openpty(None, None).unwrap();
        let path = nix::unistd::ttyname(&pty.slave).unwrap();
        let before = tcgetattr(&pty.slave).unwrap();
        let mut master = File::from(pty.master);
        let taken = catch_unwind(AssertUnwindSafe(|| {
            let mut terminal = Terminal::take_at(&path).unwrap();
            let raw = tcgetattr(terminal.as_fd()).unwrap();
            assert!(!raw.local_flags.intersects(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG));
            terminal.write(b"picture").unwrap();
            panic!("a defect");
        }));
        assert_eq!(*taken.unwrap_err().downcast::<&str>().unwrap(), "a defect");
        assert_eq!(tcgetattr(&pty.slave).unwrap(), before);
        let told = told(&mut master, LEAVE);
        assert_eq!(told, format!("{ENTER}picture\u{1b}\\{LEAVE}"));
    }

    #[test]
    fn a_terminal_that_does_not_read_keeps_nobody_waiting() {
        let pty = openpty(None, None).unwrap();
        let path = nix::unistd::ttyname(&pty.slave).unwrap();
        let mut terminal = Terminal::take_at(&path).unwrap();
        let much = vec![b'x'; 1 << 20];
        terminal.write(&much).unwrap();
        assert!(terminal.is_busy());
        drop(pty.master);
        assert!(terminal.flush().is_err(), "and one that is gone is found to be");
        assert!(!terminal.read(&mut Vec::new()));
    }
}
