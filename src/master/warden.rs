//! The warden: the thread that keeps the seat (`seat.rs`), the lock that makes this the only master of its database, on a
//! session of its own, and every other session from writing without it.
//!
//! ```text
//!   seated ──session lost──► lost: the oracles wait ──lock free, or ours that nobody noticed is gone──► seated
//!                              └──another master has it──► unseated: this one ends
//! ```
//!
//! No two masters write at a time, whatever either of them believes: a session of an oracle takes [`Lock::Writers`] and then
//! looks whether this master has the seat ([`Sessions`]); who takes the seat ends every such session of others before it goes
//! on. So a session that looked before the other took the seat is seen by it, and one that looks later sees it. What was not
//! committed by then is asked again, or offered again by its slave.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};
use std::{fmt, io};

use r2d2_postgres::PostgresConnectionManager;
use r2d2_postgres::postgres::config::Config;
use r2d2_postgres::postgres::{self, Client, NoTls};

use super::oracle::Session;
use crate::logging::utc;
use crate::seat::{self, Holder, Lock};

/// How often it is looked whether the lock is still there.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long a start waits for a seat that somebody has: a master that was killed leaves it as soon as the server notices.
const START_PATIENCE: Duration = Duration::from_secs(3);
/// The same, where it was one of this machine and its process is gone: a busy server takes its time.
const BURIAL_PATIENCE: Duration = Duration::from_secs(30);
/// How long the sessions of a master before this one may take to end when they are told to.
const CLEAR_PATIENCE: Duration = Duration::from_secs(10);
/// Between two tries at something that is in the way.
const TRY_EVERY: Duration = Duration::from_millis(100);
/// The longest pause before a lost seat is tried for again; the first is [`TRY_EVERY`].
const AGAIN_LONGEST: Duration = Duration::from_secs(2);

/// The server notices a master whose machine is gone after 30 s to a minute, and not after two hours. Nothing on a Unix socket.
const KEEPALIVES: &str =
    "SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3";

/// What became of the seat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// Its session is lost, for this reason. Nothing is written until it is had again.
    Lost(String),
    /// It is had again.
    Regained,
    /// Another master has it: this one must end.
    Taken(String),
}

/// Whether this master has the seat, for those who may write only then.
#[derive(Clone, Debug)]
pub struct Seat(Arc<AtomicBool>);

impl Seat {
    /// Whether it has.
    pub fn is_held(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// See the module's head.
pub struct Warden {
    config: Config,
    client: Session,
    name: String,
    /// The server's process of the session that has the lock, or had it last.
    backend: i32,
    seat: Seat,
}

/// The warden at work; dropping this lets the seat go.
#[derive(Debug)]
pub struct Working {
    _stop: Sender<()>,
}

/// What sessions of this process are called: the same as long as it lives.
pub fn own_name() -> String {
    let host = nix::unistd::gethostname().unwrap_or_default();
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    seat::name(std::process::id(), &utc(since.as_secs()), &host.to_string_lossy())
}

/// Why the seat cannot be had.
#[derive(Debug)]
enum Refusal {
    /// These have it.
    Held(Vec<Holder>),
    /// The database did not do it.
    Database(postgres::Error),
    /// These write without it and do not end.
    Writers(Vec<Holder>),
}

impl From<postgres::Error> for Refusal {
    fn from(error: postgres::Error) -> Self {
        Self::Database(error)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held(by) => write!(f, "{}", list(by)),
            Self::Database(error) => f.write_str(&super::oracle::describe(error)),
            Self::Writers(by) => write!(
                f,
                "sessions of a master before this one go on writing ({}): end them as the super-user, with \
                 pg_terminate_backend",
                list(by)
            ),
        }
    }
}

fn list(holders: &[Holder]) -> String {
    let all: Vec<_> = holders.iter().map(ToString::to_string).collect();
    if all.is_empty() { "somebody".to_owned() } else { all.join("; ") }
}

impl Warden {
    /// Takes the seat with this session, whose `config` is called `name`. Blocks for some seconds at most. The error is for
    /// people.
    pub fn take(config: Config, mut client: Client, name: String) -> Result<Self, String> {
        let backend = prepare(&mut client).map_err(|error| super::oracle::describe(&error))?;
        let begun = Instant::now();
        loop {
            match sit(&mut client) {
                Ok(()) => break,
                Err(Refusal::Held(by)) if begun.elapsed() < patience(&by, &name) => {
                    std::thread::sleep(TRY_EVERY);
                }
                Err(refusal @ Refusal::Held(_)) => {
                    return Err(format!(
                        "the database has its master: {refusal}; two cannot work on one. Stop that one first, or name \
                         another database with --dsn"
                    ));
                }
                Err(refusal) => return Err(refusal.to_string()),
            }
        }
        clear(&mut client, &name).map_err(|refusal| refusal.to_string())?;
        Ok(Self { config, client: client.into(), name, backend, seat: Seat(Arc::new(AtomicBool::new(true))) })
    }

    /// The session that has the seat, for what the start asks before there are oracles.
    pub fn client(&mut self) -> &mut Session {
        &mut self.client
    }

    /// Whether the seat is held, for others.
    pub fn seat(&self) -> Seat {
        self.seat.clone()
    }

    /// What the sessions of this master are called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Keeps it, in a thread of its own, until what is returned is dropped.
    pub fn work(mut self, mut tell: impl FnMut(News) + Send + 'static) -> io::Result<Working> {
        let (stop, stopped) = channel();
        std::thread::Builder::new()
            .name("warden".to_owned())
            .spawn(move || while self.keep(&stopped, &mut tell) && self.regain(&stopped, &mut tell) {})?;
        Ok(Working { _stop: stop })
    }

    /// Looks after the lock until it is lost: then true; false at the end.
    fn keep(&mut self, stopped: &Receiver<()>, tell: &mut impl FnMut(News)) -> bool {
        loop {
            if stopped.recv_timeout(LOOK_EVERY) != Err(RecvTimeoutError::Timeout) {
                return false;
            }
            let backend = self.backend;
            let reason = match seat::holders(&mut *self.client, Lock::Seat) {
                Ok(holders) if holders.iter().any(|holder| holder.backend == backend) => continue,
                Ok(_) => "the session has it no more".to_owned(),
                // a server that is busy takes nothing away
                Err(error) if !self.client.is_closed() => {
                    log::debug!("the seat could not be looked at: {error}");
                    continue;
                }
                Err(error) => super::oracle::describe(&error),
            };
            self.seat.0.store(false, Ordering::Release);
            log::warn!(
                "the seat at the database is lost ({reason}): nothing is written until it is had again"
            );
            tell(News::Lost(reason));
            return true;
        }
    }

    /// Tries for a lost seat until it is had: then true; false at the end, or when another master has it.
    fn regain(&mut self, stopped: &Receiver<()>, tell: &mut impl FnMut(News)) -> bool {
        let mut pause = TRY_EVERY;
        loop {
            match self.try_again() {
                Ok(()) => {
                    self.seat.0.store(true, Ordering::Release);
                    log::warn!("the seat at the database is had again");
                    tell(News::Regained);
                    return true;
                }
                Err(Refusal::Held(by)) if by.iter().any(|holder| holder.name != self.name) => {
                    tell(News::Taken(list(&by)));
                    return false;
                }
                Err(refusal) => log::debug!("the seat is not had yet: {refusal}"),
            }
            if stopped.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
                return false;
            }
            pause = (pause * 2).min(AGAIN_LONGEST);
        }
    }

    fn try_again(&mut self) -> Result<(), Refusal> {
        let mut client = self.config.connect(NoTls)?;
        let backend = prepare(&mut client)?;
        if let Err(Refusal::Held(by)) = sit(&mut client) {
            // one of our own of which the server has not noticed that nobody is at its other end
            let ours = by.iter().find(|holder| holder.backend == self.backend && holder.name == self.name);
            if let Some(ours) = ours {
                end(&mut client, ours.backend)?;
            }
            return Err(Refusal::Held(by));
        }
        clear(&mut client, &self.name)?;
        // dropping the one before says good-bye on it, which nobody need wait for
        let before = std::mem::replace(&mut self.client, client.into());
        let _ = std::thread::Builder::new().name("good-bye".to_owned()).spawn(move || drop(before));
        self.backend = backend;
        Ok(())
    }
}

/// How long to wait for these.
fn patience(holders: &[Holder], own: &str) -> Duration {
    let is_gone = |holder: &Holder| {
        holder.process_beside(own).is_some_and(|pid| {
            nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None) == Err(nix::errno::Errno::ESRCH)
        })
    };
    if holders.iter().all(is_gone) { BURIAL_PATIENCE } else { START_PATIENCE }
}

/// Sets the session's own settings; the server's process for it.
fn prepare(client: &mut Client) -> Result<i32, postgres::Error> {
    client.batch_execute(KEEPALIVES)?;
    client.query_one("SELECT pg_backend_pid()", &[])?.try_get(0)
}

/// Takes the lock, if it is free.
fn sit(client: &mut Client) -> Result<(), Refusal> {
    let (space, number) = Lock::Seat.keys();
    let taken = client.query_one("SELECT pg_try_advisory_lock($1, $2)", &[&space, &number])?;
    if taken.try_get(0)? {
        return Ok(());
    }
    Err(Refusal::Held(seat::holders(client, Lock::Seat)?))
}

/// Ends the sessions of other masters that may write.
fn clear(client: &mut Client, name: &str) -> Result<(), Refusal> {
    let until = Instant::now() + CLEAR_PATIENCE;
    loop {
        let mut others = seat::holders(client, Lock::Writers)?;
        others.retain(|holder| holder.name != name);
        if others.is_empty() {
            return Ok(());
        }
        if Instant::now() >= until {
            return Err(Refusal::Writers(others));
        }
        for other in &others {
            log::info!("a session of a master before this one is ended: {other}");
            if let Err(error) = end(client, other.backend) {
                // another role's, perhaps: it may still end by itself
                log::debug!("it cannot be: {}", super::oracle::describe(&error));
            }
        }
        std::thread::sleep(TRY_EVERY);
    }
}

fn end(client: &mut Client, backend: i32) -> Result<(), postgres::Error> {
    client.query_one("SELECT pg_terminate_backend($1)", &[&backend]).map(drop)
}

/// Makes the sessions through which a master writes: each is one of [`Lock::Writers`], and there is none while another
/// master has the seat.
pub struct Sessions {
    inner: PostgresConnectionManager<NoTls>,
    name: String,
}

impl Sessions {
    /// Of the master that is called `name`, as `config` says.
    pub fn new(config: Config, name: String) -> Self {
        Self { inner: PostgresConnectionManager::new(config, NoTls), name }
    }
}

/// Why there is no session.
#[derive(Debug)]
pub enum NoSession {
    /// The database did not do it.
    Database(postgres::Error),
    /// This master has no seat.
    NoSeat,
}

impl fmt::Display for NoSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database(error) => f.write_str(&super::oracle::describe(error)),
            Self::NoSeat => f.write_str("this master has no seat at it"),
        }
    }
}

impl std::error::Error for NoSession {}

impl From<postgres::Error> for NoSession {
    fn from(error: postgres::Error) -> Self {
        Self::Database(error)
    }
}

impl r2d2::ManageConnection for Sessions {
    type Connection = Session;
    type Error = NoSession;

    fn connect(&self) -> Result<Session, NoSession> {
        let mut client = self.inner.connect()?;
        client.batch_execute(KEEPALIVES)?;
        let (space, number) = Lock::Writers.keys();
        // in this order: see the module's head
        client.query_one("SELECT pg_advisory_lock_shared($1, $2)", &[&space, &number])?;
        let seated = seat::holders(&mut client, Lock::Seat)?;
        if seated.iter().any(|holder| holder.name == self.name) {
            Ok(client.into())
        } else {
            Err(NoSession::NoSeat)
        }
    }

    fn is_valid(&self, client: &mut Session) -> Result<(), NoSession> {
        Ok(self.inner.is_valid(client)?)
    }

    fn has_broken(&self, client: &mut Session) -> bool {
        self.inner.has_broken(client)
    }
}
