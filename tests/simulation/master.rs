//! The master: the real farm, and around it what `reactor/` is there: threads that take their time, run one thing after the
//! other, and die with it.

use std::collections::VecDeque;

use piwheels::domain::Millis;
use piwheels::master::event::*;
use piwheels::master::farm::Farm;
use piwheels::master::follower::{Follow, FollowSettings};
use piwheels::master::index_scribe::{IndexScribe, Site};
use piwheels::master::limits::Limits;
use piwheels::master::query::{Abi, Answer, Query, Swept};
use piwheels::master::reactor::gate::Gate;
use piwheels::master::seraph::{OracleId, Seraph};
use piwheels::master::writer::{FileWriter, spool};
use piwheels::wire::slave::FromSlave;

use super::faults::Kind;
use super::network::encoded;
use super::seals;
use super::world::{Act, VERSIONS, World, wanted};

/// Connections to the database.
const ORACLES: usize = 4;
/// A tool's question is given up after so long.
const TOOL_PATIENCE: u64 = 60_000;

/// A running master.
pub(crate) struct Master {
    pub(crate) farm: Farm,
    pub(crate) out: Out,
    pub(crate) started: u64,
    pub(crate) listens: bool,
    pub(crate) gate: Gate,
    seraph: Seraph,
    writer: FileWriter,
    requests: VecDeque<DiskRequest>,
    scribe: IndexScribe,
    pages: VecDeque<PageRequest>,
    /// Told to stop, once.
    stopping: bool,
}

/// Small limits: they are met more often.
pub(crate) fn limits() -> Limits {
    Limits {
        lease: Millis::secs(40),
        log_bytes: 64 << 10,
        transfer_patience: Millis::secs(120),
        wheel_bytes: 2 << 20,
        transfer_window: 64 << 10,
        transfer_memory: 128 << 10,
        chunk: 16 << 10,
        messages: 30,
        ..Limits::default()
    }
}

impl World {
    pub(crate) fn start(&mut self) {
        if self.master.is_some() {
            return;
        }
        if self.clock < self.away_until {
            // the start asks for the ABIs, and fails; whoever starts it tries again
            return self.at(2000, Act::Start);
        }
        self.run += 1;
        let spool_dir = self.disk.spool.clone();
        match self.disk.work(self.clock, || spool::clear(&spool_dir)) {
            Some(Ok(())) => {}
            Some(Err(_)) | None => return self.at(2000, Act::Start),
        }
        let abis: Vec<Abi> = match self.database.ask(self.clock, &Query::Abis) {
            Ok(Answer::Abis(abis)) => abis,
            other => return self.violated(format!("the ABIs are {other:?}")),
        };
        let mut seed = [0; 32];
        seed[..16].copy_from_slice(&self.chance.master.secret());
        let mut nonces = [1; 32];
        nonces[..16].copy_from_slice(&self.chance.master.secret());
        let follow = if self.faults.has(Kind::News) { Follow::All } else { Follow::None };
        let follow = FollowSettings { follow, ..FollowSettings::default() };
        let (output, spool) = (self.disk.output.clone(), self.disk.spool.clone());
        self.master = Some(Master {
            farm: Farm::new(Millis(0), limits(), String::new(), follow, &abis, seed),
            out: Out::default(),
            started: self.clock,
            listens: true,
            gate: Gate::new(seals::keys(), false, nonces, &limits()),
            seraph: Seraph::new(ORACLES),
            writer: FileWriter::new(output.clone(), spool.clone()),
            requests: VecDeque::new(),
            scribe: IndexScribe::new(output, spool, Site::default()),
            pages: VecDeque::new(),
            stopping: false,
        });
        let run = self.run;
        self.say(|| format!("the master starts, run {run}"));
        self.at(0, Act::Tick(run));
    }

    fn now(&self) -> Millis {
        Millis(self.clock - self.master.as_ref().map_or(0, |master| master.started))
    }

    pub(crate) fn tick(&mut self, run: u64) {
        if self.master.is_none() || run != self.run {
            return;
        }
        self.put(Event::Tick(Millis(self.wall_offset + self.clock)));
        self.audit_watchers();
        self.end_overdue();
        let pace = if self.quiet.is_some() { 1000 } else { 250 };
        self.at(pace, Act::Tick(run));
    }

    /// Something happened to the farm.
    pub(crate) fn put(&mut self, event: Event) {
        let mut next = Some(event);
        while let Some(event) = next.take() {
            let now = self.now();
            if self.master.is_none() {
                return;
            }
            let dull = matches!(
                event,
                Event::Tick(_)
                    | Event::Slave(_, FromSlave::Busy { .. })
                    | Event::Database(_, Answer::RewritesDue { .. } | Answer::Renewed)
            );
            if self.trace.is_some() && !dull {
                let text = short(&format!("{event:?}"));
                self.say(|| format!("  > {text}"));
            }
            let Some(master) = self.master.as_mut() else { return };
            master.farm.handle(now, event, &mut master.out);
            for effect in std::mem::take(&mut master.out.effects) {
                if let Some(forgotten) = self.carry_out(effect) {
                    // at most one of these comes of one event
                    next = Some(forgotten);
                }
            }
        }
        self.check_holdings();
    }

    fn carry_out(&mut self, effect: Effect) -> Option<Event> {
        let dull = matches!(
            effect,
            Effect::Ask(
                _,
                Query::RewritesDue { .. } | Query::Sweep | Query::Renew { .. } | Query::PagesDue { .. }
            )
        );
        if self.trace.is_some() && !dull {
            let text = short(&format!("{effect:?}"));
            self.say(|| format!("  < {text}"));
        }
        let run = self.run;
        let master = self.master.as_mut()?;
        match effect {
            Effect::Send(conn, message) => {
                let bytes = encoded(|out| match &message {
                    Message::Slave(message) => message.encode(out),
                    Message::File(message) => message.encode(out),
                    Message::Tool(message) => message.encode(out),
                    Message::Monitor(message) => message.encode(out),
                    Message::Control(message) => message.encode(out),
                });
                self.said_by_master(conn, &message);
                if self.lines.get(&conn).is_some_and(|line| line.master_open && !line.closing) {
                    self.send_to_peer(conn, bytes);
                }
            }
            Effect::Close(conn, defect) => self.master_closes(conn, defect.as_deref()),
            Effect::Hold(conn) => self.hold(conn, true),
            Effect::Resume(conn) => self.hold(conn, false),
            Effect::Ask(ticket, query) => {
                master.seraph.push(ticket, query);
                self.dispatch();
            }
            Effect::Forget(ticket) => {
                if master.seraph.forget(ticket) {
                    return Some(Event::Forgotten(ticket));
                }
            }
            Effect::Disk(request) => {
                master.requests.push_back(request);
                if master.requests.len() == 1 {
                    let delay = self.takes(3);
                    self.at(delay, Act::Write(run));
                }
            }
            Effect::Page(request) => {
                master.pages.push_back(request);
                if master.pages.len() == 1 {
                    let delay = self.takes(9);
                    self.at(delay, Act::Scribe(run));
                }
            }
            Effect::Look(ticket, wishes) => {
                let answer = if self.faults.has(Kind::News) {
                    self.looked_up(&wishes)
                } else {
                    let version = *self.chance.tool.of(&VERSIONS);
                    let found = wishes.iter().map(|wish| wanted(wish.package.as_str(), version)).collect();
                    LookAnswer::Found(found)
                };
                let events = vec![Event::Looked(ticket, answer)];
                self.at(20, Act::Answer { run, oracle: None, events });
            }
            Effect::Gaze(request) => self.looks(request),
            // a machine that has room: a disk that fills up is a fault of the disk's own model
            Effect::Survey => {
                let events = vec![Event::Surveyed(Box::default())];
                self.at(5, Act::Answer { run, oracle: None, events });
            }
            Effect::StopListening => master.listens = false,
            Effect::ReadKeys => {}
            Effect::Exit => self.exit(),
        }
        None
    }

    /// The farm has ended: what the threads were asked is done, and the process is gone.
    fn exit(&mut self) {
        let run = self.run;
        while self.master.as_ref().is_some_and(|master| !master.requests.is_empty()) {
            self.write(run);
        }
        while self.master.as_ref().is_some_and(|master| !master.pages.is_empty()) {
            self.scribe(run);
        }
        self.say(|| "the master has ended".to_owned());
        self.dies(false);
    }

    fn dispatch(&mut self) {
        let (run, begun) = (self.run, self.clock);
        while let Some(master) = self.master.as_mut()
            && let Some((oracle, ticket, query)) = master.seraph.take()
        {
            let delay = self.takes(6);
            self.at(delay, Act::Ask { run, oracle, ticket, query: Box::new(query), tries: 0, begun });
        }
    }

    pub(crate) fn ask(
        &mut self,
        run: u64,
        oracle: OracleId,
        ticket: Ticket,
        query: Box<Query>,
        tries: u32,
        begun: u64,
    ) {
        let dead = self.master.is_none() || run != self.run;
        if dead {
            // the server may just have got it
            if tries == 0 && self.clock >= self.away_until && self.chance.oracle.once_in(2) {
                self.say(|| "a question of the dead master is carried out".to_owned());
                self.carried_out(&query);
            }
            return;
        }
        let away = self.clock < self.away_until;
        let calm = self.quiet.is_some();
        let strikes = |world: &mut Self, kind: Kind| {
            world.faults.has(kind) && !calm && !away && world.chance.of(kind).once_in(40)
        };
        let (error, unheard) = (strikes(self, Kind::Error), strikes(self, Kind::Unheard));
        if error {
            self.fault(Kind::Error, || format!("a question fails: {}", short(&format!("{query:?}"))));
        } else if unheard {
            self.fault(Kind::Unheard, || format!("an answer is lost: {}", short(&format!("{query:?}"))));
            self.carried_out(&query);
        }
        // what leases and ABIs need
        let weighs = matches!(
            *query,
            Query::Renew { .. } | Query::Sweep | Query::Release(_) | Query::Walk { .. } | Query::Abis
        );
        if (error || unheard) && weighs {
            self.book.database_troubled = self.book.database_troubled.max(self.clock);
        }
        if !away && !error && !unheard {
            let waits = matches!(*query, Query::Claim { .. }) && !calm && self.chance.oracle.once_in(10);
            let answer = self.carried_out(&query);
            // the answer to a claim may be behind that to an order about the same
            let delay = if waits { self.chance.oracle.between(100, 5_000) } else { 0 };
            return self.answered_after(delay, run, oracle, ticket, answer);
        }
        let for_a_tool = matches!(
            *query,
            Query::AddVersions { .. } | Query::BeginImport(_) | Query::Order(_) | Query::Statistics
        );
        match *query {
            Query::Sweep => self.answered(run, oracle, ticket, Answer::Swept(Swept::default())),
            Query::RollPopularity { .. } => self.answered(run, oracle, ticket, Answer::PopularityRolled(0)),
            _ if for_a_tool && self.clock > begun + TOOL_PATIENCE => {
                let reason = "the database does not answer".to_owned();
                self.answered(run, oracle, ticket, Answer::Refused(reason));
            }
            _ => {
                let pause = (50 << tries.min(6)).min(2000);
                self.at(pause, Act::Ask { run, oracle, ticket, query, tries: tries + 1, begun });
            }
        }
    }

    /// The server does what it is asked.
    fn carried_out(&mut self, query: &Query) -> Answer {
        let answer = match self.database.ask(self.clock, query) {
            Ok(answer) => answer,
            Err(reason) => Answer::Refused(reason),
        };
        self.committed(query, &answer);
        answer
    }

    fn answered(&mut self, run: u64, oracle: OracleId, ticket: Ticket, answer: Answer) {
        self.answered_after(0, run, oracle, ticket, answer);
    }

    fn answered_after(&mut self, more: u64, run: u64, oracle: OracleId, ticket: Ticket, answer: Answer) {
        let delay = more + self.takes(4);
        let events = vec![Event::Database(ticket, answer)];
        self.at(delay, Act::Answer { run, oracle: Some(oracle), events });
    }

    pub(crate) fn answer(&mut self, run: u64, oracle: Option<OracleId>, events: Vec<Event>) {
        if run != self.run {
            return;
        }
        for event in events {
            let Some(master) = &mut self.master else { return };
            if let Some(oracle) = oracle {
                master.seraph.freed(oracle);
                self.dispatch();
            }
            self.heard_of_database(&event);
            self.put(event);
        }
    }

    pub(crate) fn write(&mut self, run: u64) {
        if run != self.run {
            return;
        }
        let Some(master) = &mut self.master else { return };
        let Some(request) = master.requests.pop_front() else { return };
        let mut answers = Vec::new();
        let placement = match &request {
            DiskRequest::Place(placement) => Some(placement.clone()),
            _ => None,
        };
        let taken = placement.as_ref().map(|placement| self.disk.taken(placement)).unwrap_or_default();
        let Some(master) = &mut self.master else { return };
        let writer = &mut master.writer;
        let done = match request {
            DiskRequest::Locate(tool) => says(&mut answers, DiskAnswer::Located(tool, Tree::default())),
            request => {
                self.disk.work(self.clock, || writer.handle(request, &mut |answer| answers.push(answer)))
            }
        };
        self.check_taken(&taken);
        if done.is_none() {
            return self.stopped();
        }
        if let Some(placement) = placement {
            self.check_page(&placement.project);
        }
        let events: Vec<Event> = answers.into_iter().map(Event::Disk).collect();
        if !events.is_empty() {
            self.at(1, Act::Answer { run, oracle: None, events });
        }
        if self.master.as_ref().is_some_and(|master| !master.requests.is_empty()) {
            let delay = self.takes(3);
            self.at(delay, Act::Write(run));
        }
    }

    pub(crate) fn scribe(&mut self, run: u64) {
        if run != self.run {
            return;
        }
        let Some(master) = &mut self.master else { return };
        let Some(request) = master.pages.pop_front() else { return };
        let mut answers = Vec::new();
        let scribe = &mut master.scribe;
        let projects: Vec<_> = match &request {
            PageRequest::Projects(all) => all.iter().map(|(project, _)| project.clone()).collect(),
            _ => Vec::new(),
        };
        let done = match request {
            // the pages for people about the farm as a whole promise nothing of files
            PageRequest::Home(order, _) => says(&mut answers, PageAnswer::Written(order, Ok(()))),
            PageRequest::Slaves(_) => says(&mut answers, PageAnswer::SlavesWritten(Ok(()))),
            request => {
                self.disk.work(self.clock, || scribe.handle(request, &mut |answer| answers.push(answer)))
            }
        };
        if done.is_none() {
            return self.stopped();
        }
        for project in &projects {
            self.check_page(project);
        }
        let events: Vec<Event> = answers.into_iter().map(Event::Page).collect();
        if !events.is_empty() {
            self.at(1, Act::Answer { run, oracle: None, events });
        }
        if self.master.as_ref().is_some_and(|master| !master.pages.is_empty()) {
            let delay = self.takes(9);
            self.at(delay, Act::Scribe(run));
        }
    }

    /// The master is killed, or its machine loses its power: now, or in the middle of a change on the disk soon.
    pub(crate) fn stop_machine(&mut self, kind: Kind) {
        if self.master.is_none() {
            return;
        }
        self.book.power_goes = kind == Kind::Power;
        let dice = self.chance.of(kind);
        if dice.once_in(3) {
            self.fault(kind, || "the master stops now".to_owned());
            return self.stopped();
        }
        if dice.once_in(2) {
            self.fault(kind, || {
                "the master stops when the next names are there, and not yet for good".to_owned()
            });
            return self.disk.trouble(|trouble| trouble.stop_when_named = true);
        }
        let changes = dice.below(12) as u32;
        self.fault(kind, || format!("the master stops in {changes} changes"));
        self.disk.trouble(|trouble| trouble.stop_in = Some(changes));
    }

    /// How long one of the master's helpers takes: once in a while its machine, or the server, is busy with something else.
    fn takes(&mut self, most: u64) -> u64 {
        let dice = &mut self.chance.oracle;
        let usual = dice.between(0, most);
        let late = dice.once_in(40).then(|| dice.between(100, 6_000));
        match late {
            Some(late) if self.faults.has(Kind::Delay) && self.quiet.is_none() => {
                self.faults.count(Kind::Delay);
                late
            }
            _ => usual,
        }
    }

    fn stopped(&mut self) {
        let power = std::mem::take(&mut self.book.power_goes);
        self.say(|| format!("the master is gone, and its machine {power}"));
        self.dies(power);
    }

    fn dies(&mut self, power: bool) {
        self.master = None;
        self.disk.trouble(|trouble| (trouble.stop_in, trouble.stop_when_named) = (None, false));
        let conns: Vec<ConnId> = self.lines.keys().copied().collect();
        for conn in conns {
            let Some(line) = self.lines.get_mut(&conn) else { continue };
            (line.master_open, line.broken) = (false, true);
            let finds = if power { self.chance.master.between(100, 45_000) } else { 1 };
            self.at(finds, Act::PeerEnd(conn));
        }
        self.lines.retain(|_, line| line.peer_open);
        if power {
            self.disk.cut_power();
        }
        self.check_tree();
        let back = if self.quiet.is_some() { 1000 } else { self.chance.master.between(500, 20_000) };
        self.at(back, Act::Start);
    }

    /// The operator stops the master, and starts it again.
    pub(crate) fn stop_master(&mut self) {
        let Some(master) = &mut self.master else { return };
        let event = if std::mem::replace(&mut master.stopping, true) || self.chance.of(Kind::Stop).once_in(2)
        {
            Event::Stop
        } else {
            Event::Drain
        };
        self.fault(Kind::Stop, || format!("the master is told to stop: {event:?}"));
        self.put(event);
    }

    /// A master that drains has builds to wait for; at the end of the trouble nobody waits.
    pub(crate) fn hurry(&mut self) {
        if self.master.as_ref().is_some_and(|master| master.stopping) {
            self.put(Event::Stop);
        }
    }
}

/// An answer for which the disk is not needed.
fn says<T>(answers: &mut Vec<T>, answer: T) -> Option<()> {
    answers.push(answer);
    Some(())
}

/// A line of trace that fits a screen.
fn short(text: &str) -> String {
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(220) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}
