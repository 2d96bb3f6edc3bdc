//! The monitor's loop: waits for the terminal, the master and signals at once, and draws when something changed.

use std::io;
use std::os::fd::AsFd;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, raise};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use super::app::{Action, App, Seen};
use super::cells::{Grid, Screen};
use super::draw::draw;
use super::keys;
use super::link::Link;
use super::model::Model;
use super::terminal::Terminal;
use crate::admin::client::{self, Queue};
use crate::domain::Millis;
use crate::logging;
use crate::options::Failure;
use crate::wire::control::FromTool;

/// The clock on the title goes on, and an answer of the control channel is looked for.
const TICK: Duration = Duration::from_millis(250);
/// After an escape without anything behind it, the key is taken for itself.
const ESCAPE: Duration = Duration::from_millis(50);

/// A clock that starts with the program.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    /// From now on.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// The moment.
    pub fn now(&self) -> Millis {
        Millis(u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX))
    }
}

/// How the terminal's user wants it.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Colours; `NO_COLOR` says no.
    pub colours: bool,
    /// ASCII alone: the locale is not UTF-8.
    pub ascii: bool,
}

impl Look {
    /// As the environment says.
    pub fn of_environment() -> Self {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(variable).unwrap_or_default();
        let locale = locale.to_lowercase();
        let utf8 = locale.contains("utf-8") || locale.contains("utf8");
        Self { colours: variable("NO_COLOR").is_none(), ascii: !utf8 }
    }
}

/// Answers of the control channel: what was asked for, and what came of it.
type Answer = (String, Result<u32, Failure>);

struct Monitor {
    clock: Clock,
    terminal: Terminal,
    signals: SignalFd,
    link: Link,
    control: Queue,
    answers: (Sender<Answer>, Receiver<Answer>),
    model: Model,
    app: App,
    seen: Seen,
    screen: Screen,
    ascii: bool,
    input: Vec<u8>,
    size: (u16, u16),
}

/// Why the loop ends.
enum End {
    /// The user or the service manager wants it.
    Asked,
    /// The terminal is gone.
    Gone,
}

/// Shows the farm until the user has seen enough. Takes over signals and the terminal.
pub fn run(status: Queue, control: Queue, look: Look) -> Result<(), Failure> {
    let broken = |error: io::Error| Failure::error(format!("the terminal cannot be used: {error}"));
    // before any thread: they inherit what is blocked
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGWINCH, Signal::SIGCONT] {
        signals.add(signal);
    }
    signals.thread_block().map_err(|e| broken(e.into()))?;
    let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
    let signals = SignalFd::with_flags(&signals, flags).map_err(|e| broken(e.into()))?;
    let terminal = Terminal::take().map_err(broken)?;
    let size = terminal.size().map_err(broken)?;
    let mut monitor = Monitor {
        clock: Clock::start(),
        terminal,
        signals,
        link: Link::new(status),
        control,
        answers: channel(),
        model: Model::default(),
        app: App::new(),
        seen: Seen::default(),
        screen: Screen::new(look.colours),
        ascii: look.ascii,
        input: Vec::new(),
        size,
    };
    match monitor.watch() {
        Ok(End::Asked) => Ok(()),
        // there is nobody to tell
        Ok(End::Gone) => Err(Failure { reasons: Vec::new(), code: 1, answered: false }),
        Err(error) => {
            drop(monitor);
            Err(broken(error))
        }
    }
}

impl Monitor {
    fn watch(&mut self) -> io::Result<End> {
        loop {
            let now = self.clock.now();
            let heard = self.link.look(now);
            let more = heard.more;
            if heard.connected {
                self.app.connected();
            }
            heard.into_model(&self.link, now, &mut self.model);
            self.model.tick(now);
            while let Ok((what, answer)) = self.answers.1.try_recv() {
                self.answered(now, &what, answer);
            }
            if !more {
                self.show(now)?;
            }
            let terminal_ready = self.wait(more)?;
            if let Some(end) = self.signalled()? {
                return Ok(end);
            }
            if terminal_ready && !self.terminal.read(&mut self.input) {
                return Ok(End::Gone);
            }
            let settled = !terminal_ready;
            for key in keys::take(&mut self.input, settled) {
                let now = self.clock.now();
                let action = self.app.key(now, &self.model, &self.seen, key);
                if let Some(action) = action
                    && self.act(action)?
                {
                    return Ok(End::Asked);
                }
                // what the next key means depends on what this one did
                self.settle(now);
            }
        }
    }

    fn settle(&mut self, now: Millis) {
        if let Some(Action::Watch(slave)) = self.app.settle(now, &self.model, &self.seen) {
            self.model.watch(slave);
            self.link.watch(slave);
        }
    }

    fn show(&mut self, now: Millis) -> io::Result<()> {
        self.terminal.flush()?;
        self.settle(now);
        if self.terminal.is_busy() {
            return Ok(());
        }
        let (grid, seen): (Grid, Seen) = draw(&self.model, &self.app, now, self.size, self.ascii);
        // a window of another height shows other rows
        let again = (seen.list_rows, seen.pane_rows, seen.pane_lines)
            != (self.seen.list_rows, self.seen.pane_rows, self.seen.pane_lines);
        self.seen = seen;
        let grid = if again {
            self.settle(now);
            let (grid, seen) = draw(&self.model, &self.app, now, self.size, self.ascii);
            self.seen = seen;
            grid
        } else {
            grid
        };
        let bytes = self.screen.draw(&grid);
        self.terminal.write(&bytes)
    }

    /// Waits until something happens; whether the terminal has something to read, or is gone.
    fn wait(&self, at_once: bool) -> io::Result<bool> {
        let mut limit = if self.input.is_empty() { TICK } else { ESCAPE };
        if at_once {
            limit = Duration::ZERO;
        } else if self.link.fd().is_none() {
            let left = self.link.again().since(self.clock.now());
            limit = limit.min(Duration::from_millis(left.0));
        }
        let mut wanted = PollFlags::POLLIN;
        if self.terminal.is_busy() {
            wanted |= PollFlags::POLLOUT;
        }
        let mut fds = vec![
            PollFd::new(self.terminal.as_fd(), wanted),
            PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
        ];
        fds.extend(self.link.fd().map(|fd| PollFd::new(fd, PollFlags::POLLIN)));
        let limit = PollTimeout::try_from(limit.as_millis()).unwrap_or(PollTimeout::MAX);
        match poll(&mut fds, limit) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        let readable = PollFlags::POLLIN | PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL;
        Ok(fds[0].revents().is_some_and(|events| events.intersects(readable)))
    }

    fn signalled(&mut self) -> io::Result<Option<End>> {
        while let Some(signal) = self.signals.read_signal().map_err(io::Error::from)? {
            match Signal::try_from(signal.ssi_signo as i32) {
                Ok(Signal::SIGWINCH) => self.size = self.terminal.size()?,
                // somebody may have stopped us, and the shell used the terminal since
                Ok(Signal::SIGCONT) => {
                    self.terminal.enter()?;
                    self.size = self.terminal.size()?;
                    self.screen.forget();
                }
                // logrotate's, for the terminal is still there
                Ok(Signal::SIGHUP) if logging::to_file() && self.terminal.size().is_ok() => logging::reopen(),
                Ok(Signal::SIGHUP) => return Ok(Some(End::Gone)),
                _ => return Ok(Some(End::Asked)),
            }
        }
        Ok(None)
    }

    /// Does what the user wants; whether that is the end.
    fn act(&mut self, action: Action) -> io::Result<bool> {
        match action {
            Action::Quit => return Ok(true),
            Action::Redraw => self.screen.forget(),
            Action::Suspend => {
                self.terminal.leave();
                // where nobody could continue us (no shell around), this does not stop
                raise(Signal::SIGTSTP).map_err(io::Error::from)?;
                self.terminal.enter()?;
                self.screen.forget();
            }
            Action::Watch(slave) => self.link.watch(slave),
            Action::Command(command, what) => self.command(command, what),
        }
        Ok(false)
    }

    /// Gives the master a command. It may take its time, and the picture goes on meanwhile.
    fn command(&mut self, command: FromTool, what: String) {
        let (queue, answers) = (self.control.clone(), self.answers.0.clone());
        let asked = what.clone();
        let thread = std::thread::Builder::new().name("control".to_owned()).spawn(move || {
            let answer = client::command(&queue, &command);
            // a monitor that has ended does not want to know
            let _ = answers.send((what, answer));
        });
        let now = self.clock.now();
        match thread {
            Ok(_) => self.app.say(now, format!("{asked}: asked for"), false),
            Err(error) => self.app.say(now, format!("{asked}: {error}"), true),
        }
    }

    fn answered(&mut self, now: Millis, what: &str, answer: Result<u32, Failure>) {
        match answer {
            Ok(1) => self.app.say(now, format!("{what}: done, 1 slave"), false),
            Ok(slaves) => self.app.say(now, format!("{what}: done, {slaves} slaves"), false),
            Err(failure) => self.app.say(now, format!("{what}: {}", failure.reasons.join("; ")), true),
        }
    }
}
