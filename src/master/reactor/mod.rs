//! The reactor: one thread, one poll, every socket.
//!
//! It turns sockets, timers, signals and the other threads' answers into events for the farm, and carries out what the
//! farm wants. It never blocks: no file, no SQL, no name look-up, no lock; work that may wait goes to the threads of
//! [`threads::Threads`]. A turn serves each ready connection for a bounded number of bytes.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::IpAddr;
use std::time::Instant;

use mio::{Events, Interest, Poll, Token};

use super::event::{ConnId, Effect, Event, Message, Out, Ticket};
use super::farm::Farm;
use super::refusals::Refusal;
use super::warden::News;
use crate::domain::Millis;
use crate::keyfile::Keys;
use crate::logging;
use crate::notify::Notify;
use crate::wire::Channel;

pub mod address;
mod connection;
pub mod gate;
mod gauges;
mod listener;
mod process;
mod scrapers;
mod signals;
pub mod threads;
mod turns;

use connection::{Connection, Gone};
use gate::Gate;
use gauges::Gauges;
pub use listener::{Listener, Service};
use scrapers::Scrapers;
pub use signals::Signals;
use signals::Wish;
use threads::{Reply, Threads};

const SIGNALS: Token = Token(0);
/// The threads' answers.
pub(super) const ANSWERS: Token = Token(1);
const FIRST_LISTENER: usize = 2;
/// Scrapers' tokens are in between; connections' tokens are their numbers, which begin here.
const FIRST_CONNECTION: u64 = 64;

const _: () = assert!(scrapers::TOKENS.end as u64 <= FIRST_CONNECTION);

/// Answers taken in one turn, so that a burst of them does not keep the sockets waiting.
const ANSWERS_PER_TURN: usize = 512;
/// How often the service manager is told what the farm is doing, at most.
const STANDING_EVERY: Millis = Millis::secs(5);
/// Connections accepted per listener and turn.
const ACCEPTS_PER_TURN: usize = 64;

/// Milliseconds since 1970.
fn wall_clock() -> Millis {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Everything the reactor's thread owns.
pub struct Reactor {
    poll: Poll,
    listeners: Vec<Listener>,
    /// Listeners that may have more to accept.
    accepting: Vec<usize>,
    /// Listeners to be tried again at the next tick.
    accept_again: Vec<usize>,
    signals: Signals,
    signals_seen: u32,
    threads: Threads,
    farm: Farm,
    out: Out,
    connections: HashMap<ConnId, Connection>,
    next_connection: u64,
    max_connections: usize,
    gate: Gate,
    /// Connections that may have more to read than one turn takes.
    ready: VecDeque<ConnId>,
    /// Connections with something to send.
    dirty: Vec<ConnId>,
    events: VecDeque<Event>,
    /// Questions that were taken back before an oracle had them.
    forgotten: Vec<Ticket>,
    start: Instant,
    /// Where bytes land before they are a connection's: one for all, so that an idle connection holds none.
    scratch: Box<[u8]>,
    notify: Notify,
    standing_at: Millis,
    scrapers: Scrapers,
    gauges: Gauges,
    running: bool,
    /// Why it had to end, where nobody asked for it.
    unseated: Option<String>,
}

impl Reactor {
    /// Takes over what was made before it could fail no more.
    pub fn new(
        poll: Poll,
        mut listeners: Vec<Listener>,
        mut signals: Signals,
        threads: Threads,
        farm: Farm,
        max_connections: usize,
        gate: Gate,
    ) -> io::Result<Self> {
        debug_assert!(FIRST_LISTENER + listeners.len() <= scrapers::TOKENS.start);
        let served = listeners.iter().any(|listener| listener.service == Service::Metrics);
        for (index, listener) in listeners.iter_mut().enumerate() {
            poll.registry().register(listener, Token(FIRST_LISTENER + index), Interest::READABLE)?;
        }
        poll.registry().register(&mut signals, SIGNALS, Interest::READABLE)?;
        Ok(Self {
            poll,
            listeners,
            accepting: Vec::new(),
            accept_again: Vec::new(),
            signals,
            signals_seen: 0,
            threads,
            farm,
            out: Out::default(),
            connections: HashMap::new(),
            next_connection: FIRST_CONNECTION,
            max_connections,
            gate,
            ready: VecDeque::new(),
            dirty: Vec::new(),
            events: VecDeque::new(),
            forgotten: Vec::new(),
            start: Instant::now(),
            scratch: vec![0; connection::READ_BYTES].into_boxed_slice(),
            notify: Notify::from_environment(),
            standing_at: Millis(0),
            scrapers: Scrapers::default(),
            gauges: Gauges::new(served),
            running: true,
            unseated: None,
        })
    }

    /// Runs until the farm has ended, then lets the threads finish. The error may be that another master has taken its place.
    pub fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        let mut tick_at = self.now();
        self.notify.ready();
        while self.running {
            let busy = !self.ready.is_empty()
                || !self.accepting.is_empty()
                || self.threads.more()
                || self.scrapers.more();
            let due = self.notify.next_deadline().map_or(tick_at, |at| at.min(tick_at));
            let wait = if busy { Millis(0) } else { due.since(self.now()) };
            match self.poll.poll(&mut events, Some(std::time::Duration::from_millis(wait.0))) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                result => result?,
            }
            let begun = Instant::now();
            for event in &events {
                match event.token() {
                    SIGNALS => self.take_signals(),
                    ANSWERS => self.threads.noticed(),
                    Token(n) if scrapers::TOKENS.contains(&n) => self.scrapers.noticed(n),
                    Token(n) if (n as u64) < FIRST_CONNECTION => self.accepting.push(n - FIRST_LISTENER),
                    Token(n) => self.noticed(ConnId(n as u64), event.is_readable(), event.is_writable()),
                }
            }
            self.take_answers();
            self.accept();
            self.read();
            self.scrape();
            if self.now() >= tick_at {
                self.tick();
                tick_at = self.farm.next_deadline(self.now());
            }
            self.flush();
            self.tell_manager();
            self.gauges.turns.count(begun.elapsed());
        }
        self.notify.stopping();
        let turns = &self.gauges.turns;
        log::info!(
            "{} turns of the reactor: 99.9 % of them within {} us, the longest {} us",
            turns.total(),
            turns.all_but_thousandths(1).as_micros(),
            turns.longest().as_micros()
        );
        self.listeners.iter_mut().for_each(|listener| listener.close(self.poll.registry()));
        self.threads.finish();
        self.unseated.map_or(Ok(()), |by| {
            Err(io::Error::other(format!(
                "the database has another master ({by}), and this one had lost its seat there: it ends. What slaves build \
                 is theirs, and they look for a master again"
            )))
        })
    }

    fn tell_manager(&mut self) {
        let now = self.now();
        self.notify.tick(now);
        if self.notify.is_heard() && now >= self.standing_at {
            self.notify.status(&self.farm.standing());
            self.standing_at = now + STANDING_EVERY;
        }
    }

    fn now(&self) -> Millis {
        Millis(self.start.elapsed().as_millis() as u64)
    }

    fn noticed(&mut self, conn: ConnId, readable: bool, writable: bool) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        if readable && connection.readable_now() {
            self.ready.push_back(conn);
        }
        if writable {
            self.dirty.push(conn);
        }
    }

    fn take_signals(&mut self) {
        while let Some(wish) = self.signals.take() {
            if wish == Wish::ReadAnew {
                self.notify.reloading();
                logging::reopen();
                self.threads.read_keys();
                continue;
            }
            self.notify.stopping();
            self.standing_at = self.now();
            self.signals_seen += 1;
            let event = if self.signals_seen == 1 { Event::Drain } else { Event::Stop };
            self.handle(event);
        }
    }

    fn take_answers(&mut self) {
        for _ in 0..ANSWERS_PER_TURN {
            let Some(reply) = self.threads.take() else { return };
            let event = match reply {
                Reply::Database(oracle, ticket, answer) => {
                    self.threads.freed(oracle);
                    Event::Database(ticket, answer)
                }
                Reply::Disk(answer) => Event::Disk(answer),
                Reply::Page(answer) => Event::Page(answer),
                Reply::Looked(ticket, answer) => Event::Looked(ticket, answer),
                Reply::Gazed(answer) => Event::Gazed(answer),
                Reply::Wrote(kind, took) => {
                    self.gauges.wrote(kind, took);
                    continue;
                }
                Reply::Process(figures) => {
                    self.gauges.process(self.now(), figures);
                    continue;
                }
                Reply::Seat(News::Taken(by)) => {
                    // at once, and without BYE, which would cost slaves their builds
                    (self.running, self.unseated) = (false, Some(by));
                    continue;
                }
                Reply::Surveyed(survey) => Event::Surveyed(survey),
                Reply::Seat(news) => Event::Seat(news == News::Regained),
                Reply::Keys(keys) => {
                    self.take_keys(keys);
                    if self.notify.is_reloading() {
                        self.notify.ready();
                    }
                    continue;
                }
            };
            self.handle(event);
        }
    }

    fn accept(&mut self) {
        for index in std::mem::take(&mut self.accepting) {
            for turn in 0.. {
                if turn == ACCEPTS_PER_TURN {
                    self.accepting.push(index);
                    break;
                }
                let Some(listener) = self.listeners.get(index) else { break };
                let service = listener.service;
                match listener.accept() {
                    Ok(Some((stream, peer, address))) => match service {
                        Service::Channel(channel) => self.adopt(stream, channel, peer, address),
                        Service::Metrics => self.adopt_scraper(stream, peer),
                    },
                    Ok(None) => break,
                    Err(error) => {
                        // perhaps for want of descriptors; the poll will not say again that others wait
                        log::warn!("a connection could not be accepted: {error}");
                        self.accept_again.push(index);
                        break;
                    }
                }
            }
        }
    }

    fn adopt(
        &mut self,
        mut stream: connection::Stream,
        channel: Channel,
        peer: String,
        address: Option<IpAddr>,
    ) {
        let full = self.connections.len() >= self.max_connections;
        let entered = address.is_none_or(|address| self.gate.enter(address));
        if full || !entered {
            let (limit, whose) = match full {
                true => (self.max_connections, ""),
                false => (self.gate.per_address(), " from its address"),
            };
            log::warn!("{peer}: closed at once: {limit} connections{whose} are open, which is the limit");
            address.into_iter().for_each(|address| self.gate.leave(address));
            self.handle(Event::Refused(Refusal::TooMany));
            return;
        }
        let conn = ConnId(self.next_connection);
        self.next_connection += 1;
        if let Err(error) =
            self.poll.registry().register(&mut stream, Token(conn.0 as usize), Interest::READABLE)
        {
            log::warn!("{peer}: cannot be watched: {error}");
            address.into_iter().for_each(|address| self.gate.leave(address));
            return;
        }
        let mut connection = Connection::new(stream, channel, (peer, address), self.now(), &self.gate);
        connection.readable_now();
        self.gauges.opened(channel);
        self.connections.insert(conn, connection);
        self.ready.push_back(conn);
        self.dirty.push(conn);
    }

    fn adopt_scraper(&mut self, stream: connection::Stream, peer: String) {
        let now = self.now();
        match self.scrapers.adopt(self.poll.registry(), stream, peer, now) {
            Ok(dropped) => self.refuse_scrapers(dropped),
            Err(error) => log::warn!("a scraper cannot be watched: {error}"),
        }
    }

    /// Reads what scrapers ask, and answers them.
    fn scrape(&mut self) {
        let now = self.now();
        let dropped = self.scrapers.read(self.poll.registry(), &mut self.scratch);
        while let Some(format) = self.scrapers.wants(now) {
            let text = self.gauges.text(format, now, &self.farm, &self.threads, &self.scrapers);
            self.scrapers.keep(format, now, text);
        }
        self.scrapers.write(self.poll.registry());
        self.refuse_scrapers(dropped);
    }

    fn refuse_scrapers(&mut self, dropped: impl IntoIterator<Item = scrapers::Dropped>) {
        for (peer, refusal, reason) in dropped {
            log::warn!("{peer}: dropped: {reason} [{}]", refusal.name());
            self.handle(Event::Refused(refusal));
        }
    }

    /// Reads every ready connection once, and the events of what came.
    fn read(&mut self) {
        let now = self.now();
        for _ in 0..self.ready.len() {
            let Some(conn) = self.ready.pop_front() else { return };
            let Some(connection) = self.connections.get_mut(&conn) else { continue };
            let outcome = connection.read(conn, now, &mut self.gate, &mut self.scratch, &mut self.events);
            self.gauges.carried(connection.channel, connection.take_carried());
            if connection.wants_writing() {
                self.dirty.push(conn);
            }
            let again = outcome.is_ok() && connection.wants_reading();
            if again {
                self.ready.push_back(conn);
            }
            while let Some(event) = self.events.pop_front() {
                // what stands behind a defect in the same read is not listened to
                if self.connections.get(&conn).is_some_and(|c| !c.is_closing()) {
                    self.handle(event);
                }
            }
            if let Err(gone) = outcome {
                self.end_connection(conn, gone);
            }
        }
    }

    /// A connection that ends by the peer's defect before it began still hears which protocol is spoken here.
    fn end_connection(&mut self, conn: ConnId, gone: Gone) {
        let now = self.now();
        match (self.connections.get_mut(&conn), gone) {
            (Some(connection), Gone::Defect(refusal, reason))
                if !connection.opened && !connection.is_closing() =>
            {
                log::warn!("{}: dropped: {reason} [{}]", connection.peer, refusal.name());
                connection.close_when_flushed(now);
                self.ready.push_back(conn);
                self.dirty.push(conn);
                self.handle(Event::Refused(refusal));
            }
            (_, gone) => self.drop_connection(conn, gone),
        }
    }

    fn drop_connection(&mut self, conn: ConnId, gone: Gone) {
        let Some(mut connection) = self.connections.remove(&conn) else { return };
        let _ = self.poll.registry().deregister(&mut connection.stream);
        self.gauges.closed(connection.channel);
        connection.address.into_iter().for_each(|address| self.gate.leave(address));
        if let Gone::Defect(refusal, reason) = gone {
            log::warn!("{}: dropped: {reason} [{}]", connection.peer, refusal.name());
            self.handle(Event::Refused(refusal));
        }
        if connection.opened {
            self.handle(Event::Closed(conn));
        }
    }

    /// Other keys hold: who proved one that holds no more is dropped.
    fn take_keys(&mut self, keys: Result<Keys, String>) {
        match keys {
            Ok(keys) => {
                log::warn!("the keys were read again: {} slaves have one", keys.len());
                self.gate.set_keys(keys);
            }
            Err(reason) => return log::error!("{reason}; the keys read before stay in force"),
        }
        let revoked = self.connections.iter().filter(|(_, c)| c.is_revoked(&self.gate));
        let revoked: Vec<ConnId> = revoked.map(|(conn, _)| *conn).collect();
        for conn in revoked {
            self.drop_connection(conn, Gone::Defect(Refusal::Revoked, "its key was revoked".to_owned()));
        }
    }

    fn handle(&mut self, event: Event) {
        let now = self.now();
        let mut next = Some(event);
        while let Some(event) = next {
            self.farm.handle(now, event, &mut self.out);
            for effect in std::mem::take(&mut self.out.effects) {
                self.carry_out(effect);
            }
            next = self.forgotten.pop().map(Event::Forgotten);
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Send(conn, message) => {
                let Some(connection) = self.connections.get_mut(&conn) else { return };
                match message {
                    Message::Slave(message) => connection.send(|out| message.encode(out)),
                    Message::File(message) => connection.send(|out| message.encode(out)),
                    Message::Tool(message) => connection.send(|out| message.encode(out)),
                    Message::Monitor(message) => connection.send(|out| message.encode(out)),
                    Message::Control(message) => connection.send(|out| message.encode(out)),
                }
                self.dirty.push(conn);
            }
            Effect::Close(conn, defect) => {
                let now = self.now();
                let Some(connection) = self.connections.get_mut(&conn) else { return };
                if connection.is_closing() {
                    return;
                }
                if let Some(reason) = defect {
                    log::warn!("{}: dropped: {reason}", connection.peer);
                }
                connection.close_when_flushed(now);
                self.dirty.push(conn);
            }
            Effect::Hold(conn) => {
                if let Some(connection) = self.connections.get_mut(&conn) {
                    connection.hold(true);
                }
            }
            Effect::Resume(conn) => {
                if let Some(connection) = self.connections.get_mut(&conn) {
                    connection.hold(false);
                    self.ready.push_back(conn);
                }
            }
            Effect::ReadKeys => self.threads.read_keys(),
            Effect::Survey => self.threads.survey(),
            Effect::Ask(ticket, query) => self.threads.ask(ticket, query),
            Effect::Forget(ticket) => {
                if self.threads.forget(ticket) {
                    self.forgotten.push(ticket);
                }
            }
            Effect::Disk(request) => self.threads.write(request),
            Effect::Page(request) => self.threads.page(request),
            Effect::Look(ticket, wanted) => self.threads.look(ticket, wanted),
            Effect::Gaze(request) => self.threads.gaze(request),
            // files are still fetched from slaves that finish, and their end is watched and hurried: those listeners stay
            Effect::StopListening => self.listeners.iter_mut().for_each(|listener| {
                if [Channel::Slave, Channel::Import].map(Service::from).contains(&listener.service) {
                    listener.close(self.poll.registry());
                }
            }),
            Effect::Exit => self.running = false,
        }
    }

    fn tick(&mut self) {
        let now = self.now();
        self.accepting.append(&mut self.accept_again);
        self.ready.extend(self.connections.iter().filter(|(_, c)| c.throttled).map(|(conn, _)| *conn));
        self.handle(Event::Tick(wall_clock()));
        let overdue: Vec<(ConnId, Gone)> = self
            .connections
            .iter()
            .filter_map(|(conn, c)| c.overdue(now, &self.gate).map(|gone| (*conn, gone)))
            .collect();
        for (conn, gone) in overdue {
            self.drop_connection(conn, gone);
        }
        let dropped = self.scrapers.tick(self.poll.registry(), now);
        self.refuse_scrapers(dropped);
        self.gauges.tick(now, &self.threads);
    }

    fn flush(&mut self) {
        // dropping one connection may give others something to send
        while !self.dirty.is_empty() {
            let mut dirty = std::mem::take(&mut self.dirty);
            dirty.sort_unstable();
            dirty.dedup();
            for conn in dirty {
                let Some(connection) = self.connections.get_mut(&conn) else { continue };
                let flushed = connection.flush();
                self.gauges.carried(connection.channel, connection.take_carried());
                let interest = connection.interest_changed();
                if let Err(gone) = flushed {
                    self.drop_connection(conn, gone);
                    continue;
                }
                if let Some(interest) = interest
                    && let Some(connection) = self.connections.get_mut(&conn)
                    && let Err(error) = self.poll.registry().reregister(
                        &mut connection.stream,
                        Token(conn.0 as usize),
                        interest,
                    )
                {
                    self.drop_connection(conn, Gone::Defect(Refusal::Protocol, error.to_string()));
                }
            }
        }
    }
}
