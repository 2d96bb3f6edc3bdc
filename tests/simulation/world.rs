//! The whole: an agenda of what happens when, and everybody to whom it happens. One seed, one history.
//!
//! ```text
//!            network.rs               master.rs                    database.rs (a model)
//!  boards ═══ bytes, late, ══► Port ──Event──► Farm::handle ──Ask──► oracles ──► tables
//!  tools  ═══ cut, in pieces ═ (codec)         (real)       ◄─Answer─┘   away, crashed, not heard
//!  villains, monitors                            │ Disk, Page
//!  (Session, Transfer: real)                     ▼
//!                              FileWriter, IndexScribe (real) ──► disk.rs: full, cut short, power gone
//!
//!  checks.rs: what must never happen, looked at after every step; and after the quiet at the end, everything
//! ```
//!
//! First there is trouble for as many steps as were asked for, of the kinds in [`Faults`]; then everybody is well, and the farm
//! has to come to rest, with everything that it promised.

use std::collections::BTreeMap;

use bytes::Bytes;
use piwheels::domain::{ProjectName, Version};
use piwheels::master::event::{ConnId, Event, Ticket};
use piwheels::master::gaze::GazeRequest;
use piwheels::master::query::{Query, Wanted};
use piwheels::master::seraph::OracleId;

use super::board::{Board, Did};
use super::checks::{Book, SETTLED_AFTER};
use super::database::Database;
use super::dice::Dice;
use super::disk::Disk;
use super::faults::{Faults, Kind};
use super::index::Index;
use super::master::Master;
use super::network::Line;
use super::tool::{TOOLS, Tool};
use super::villain::Villain;
use super::watcher::{WATCHERS, Watchers};

/// What the wall clock shows at the beginning: milliseconds since 1970.
pub(crate) const WALL: u64 = 1_700_000_000_000;
/// The ABIs of the farm, by rank.
pub(crate) const ABIS: [&str; 2] = ["cp39", "cp311"];
/// Projects, each with two versions.
pub(crate) const PROJECTS: [&str; 6] = ["ant", "bee", "cow", "dog-star", "elk", "fox"];
pub(crate) const VERSIONS: [&str; 2] = ["1.0", "2.0"];
/// How long the farm may take to come to rest once everybody is well, in milliseconds.
const REST_LIMIT: u64 = 4 * 3_600_000;

/// Something that happens at its time.
#[derive(Debug)]
pub(crate) enum Act {
    /// The master's timer, of this run of it.
    Tick(u64),
    /// Bytes arrive.
    ToMaster(ConnId, Bytes),
    ToPeer(ConnId, Bytes),
    /// One side finds that a connection has ended.
    MasterEnd(ConnId),
    PeerEnd(ConnId),
    /// An oracle puts a question, for the so manieth time, since then.
    Ask {
        run: u64,
        oracle: OracleId,
        ticket: Ticket,
        query: Box<Query>,
        tries: u32,
        begun: u64,
    },
    /// An answer for the farm, and the oracle that is free then.
    Answer {
        run: u64,
        oracle: Option<OracleId>,
        events: Vec<Event>,
    },
    /// The cloud gazer has looked, of this run of the master.
    Gazed(u64, Box<GazeRequest>),
    /// The file writer, or the index scribe, takes what is next.
    Write(u64),
    Scribe(u64),
    /// The master starts.
    Start,
    /// A board's timer, and what its bench did: of this life of it.
    BoardTick(usize, u64),
    BoardDid(usize, u64, Did),
    BoardOn(usize),
    Tool(usize),
    ToolGives(usize, u64),
    Villain(usize),
    /// A monitor does something, or reads again.
    Watcher(usize),
    WatcherReads(usize),
    Fault(Kind),
}

/// See the module's head.
pub(crate) struct World {
    pub(crate) clock: u64,
    pub(crate) steps: u64,
    agenda: BTreeMap<(u64, u64), Act>,
    scheduled: u64,
    pub(crate) faults: Faults,
    pub(crate) chance: Chance,
    pub(crate) database: Database,
    /// It does not answer until then.
    pub(crate) away_until: u64,
    pub(crate) disk: Disk,
    pub(crate) index: Index,
    pub(crate) master: Option<Master>,
    /// Runs of the master so far.
    pub(crate) run: u64,
    pub(crate) wall_offset: u64,
    pub(crate) lines: BTreeMap<ConnId, Line>,
    pub(crate) connections: u64,
    pub(crate) boards: Vec<Board>,
    pub(crate) tools: Vec<Tool>,
    /// Orders taken back since everybody is well.
    pub(crate) resumes: u32,
    /// Times that something was asked for again when everything was done.
    pub(crate) encores: u32,
    pub(crate) villains: Vec<Villain>,
    pub(crate) watchers: Watchers,
    /// Since when everybody is well.
    pub(crate) quiet: Option<u64>,
    pub(crate) book: Book,
    /// What must never happen, and did.
    pub(crate) violation: Option<String>,
    pub(crate) trace: Option<Vec<String>>,
}

/// Dice of each part.
pub(crate) struct Chance {
    pub(crate) network: Dice,
    pub(crate) oracle: Dice,
    pub(crate) master: Dice,
    pub(crate) board: Dice,
    pub(crate) tool: Dice,
    pub(crate) villain: Dice,
    pub(crate) watcher: Dice,
    kinds: BTreeMap<Kind, Dice>,
}

impl Chance {
    fn new(seed: u64) -> Self {
        let part = |part| Dice::new(seed, part);
        Self {
            network: part(1),
            oracle: part(2),
            master: part(3),
            board: part(4),
            tool: part(5),
            villain: part(6),
            watcher: part(8),
            kinds: Kind::ALL.into_iter().map(|kind| (kind, part(100 + kind as u64))).collect(),
        }
    }

    pub(crate) fn of(&mut self, kind: Kind) -> &mut Dice {
        self.kinds.get_mut(&kind).expect("dice for each kind")
    }
}

impl World {
    /// A farm with some boards and something to build, in this empty directory.
    pub(crate) fn new(seed: u64, faults: Faults, dir: &std::path::Path, traced: bool) -> Self {
        let mut first = Dice::new(seed, 0);
        let boards = first.between(2, 5) as usize;
        let mut world = Self {
            clock: 1000,
            steps: 0,
            agenda: BTreeMap::new(),
            scheduled: 0,
            chance: Chance::new(seed),
            database: Database::new(&ABIS),
            away_until: 0,
            disk: Disk::new(dir, Dice::new(seed, 7)),
            index: Index::new(),
            master: None,
            run: 0,
            wall_offset: WALL,
            lines: BTreeMap::new(),
            connections: 0,
            boards: (0..boards).map(|at| Board::new(at, seed)).collect(),
            tools: (0..TOOLS).map(|_| Tool::default()).collect(),
            resumes: 0,
            encores: 0,
            villains: (0..2).map(|_| Villain::default()).collect(),
            watchers: Watchers::default(),
            quiet: None,
            book: Book::default(),
            violation: None,
            trace: traced.then(Vec::new),
            faults,
        };
        let wanted = world.some_versions(&mut first);
        let _ = world.database.ask(world.clock, &Query::AddVersions { wanted, deps: false });
        world.at(0, Act::Start);
        for board in 0..boards {
            let delay = first.below(3000);
            world.at(delay, Act::BoardOn(board));
        }
        for kind in Kind::ALL {
            if world.faults.has(kind) {
                world.next_fault(kind);
            }
        }
        for tool in 0..2 {
            let delay = first.below(20_000);
            world.at(delay, Act::Tool(tool));
        }
        if world.faults.has(Kind::Watch) {
            for watcher in 0..WATCHERS {
                world.at(2_000, Act::Watcher(watcher));
            }
        }
        if world.faults.has(Kind::Villain) {
            for villain in 0..world.villains.len() {
                let delay = first.below(20_000);
                world.at(delay, Act::Villain(villain));
            }
        }
        world
    }

    fn some_versions(&self, dice: &mut Dice) -> Vec<Wanted> {
        let mut all: Vec<Wanted> =
            PROJECTS.iter().flat_map(|name| VERSIONS.map(|version| wanted(name, version))).collect();
        let leave = dice.between(2, all.len() as u64) as usize;
        while all.len() > leave {
            all.remove(dice.below(all.len() as u64) as usize);
        }
        all
    }

    /// Puts something on the agenda, so many milliseconds from now.
    pub(crate) fn at(&mut self, delay: u64, act: Act) {
        self.scheduled += 1;
        self.agenda.insert((self.clock + delay, self.scheduled), act);
    }

    /// The first violation counts.
    pub(crate) fn violated(&mut self, what: String) {
        if self.violation.is_none() {
            self.say(|| format!("VIOLATED: {what}"));
            self.violation = Some(what);
        }
    }

    pub(crate) fn say(&mut self, what: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{:>9.3} {}", self.clock as f64 / 1000.0, what()));
        }
    }

    pub(crate) fn fault(&mut self, kind: Kind, what: impl FnOnce() -> String) {
        self.faults.count(kind);
        self.say(|| format!("[{kind}] {}", what()));
    }

    /// Lives through as many steps of trouble, and then until the farm is at rest.
    pub(crate) fn live(&mut self, steps: u64) {
        while self.violation.is_none() {
            if self.steps >= steps && self.quiet.is_none() {
                self.calm();
            }
            if let Some(since) = self.quiet {
                // what was broken before is noticed by then
                if self.clock >= since + SETTLED_AFTER && self.at_rest() {
                    self.check_end();
                    if self.violation.is_some() || self.is_silent() {
                        return;
                    }
                    self.encore();
                }
                if self.clock > since + REST_LIMIT {
                    let what = self.unrest();
                    return self.violated(format!("the farm does not come to rest: {what}"));
                }
            }
            let Some(((at, _), act)) = self.agenda.pop_first() else {
                return self.violated("nothing happens any more".to_owned());
            };
            self.clock = self.clock.max(at);
            self.steps += 1;
            self.happens(act);
            self.check_step();
        }
    }

    fn happens(&mut self, act: Act) {
        match act {
            Act::Tick(run) => self.tick(run),
            Act::ToMaster(conn, bytes) => self.reaches_master(conn, &bytes),
            Act::ToPeer(conn, bytes) => self.reaches_peer(conn, &bytes),
            Act::MasterEnd(conn) => self.master_end(conn),
            Act::PeerEnd(conn) => self.peer_end(conn),
            Act::Ask { run, oracle, ticket, query, tries, begun } => {
                self.ask(run, oracle, ticket, query, tries, begun);
            }
            Act::Answer { run, oracle, events } => self.answer(run, oracle, events),
            Act::Gazed(run, request) => self.gazed(run, *request),
            Act::Write(run) => self.write(run),
            Act::Scribe(run) => self.scribe(run),
            Act::Start => self.start(),
            Act::BoardTick(board, life) => self.board_tick(board, life),
            Act::BoardDid(board, life, did) => self.board_did(board, life, did),
            Act::BoardOn(board) => self.board_on(board),
            Act::Tool(tool) => self.tool_acts(tool),
            Act::ToolGives(tool, turn) => self.tool_gives_up(tool, turn),
            Act::Villain(villain) => self.villain_acts(villain),
            Act::Watcher(watcher) => self.watcher_acts(watcher),
            Act::WatcherReads(watcher) => self.watcher_reads(watcher),
            Act::Fault(kind) => {
                if self.quiet.is_none() {
                    self.strike(kind);
                    self.next_fault(kind);
                }
            }
        }
    }

    /// When a kind of fault strikes next. Those that have no moment of their own ask for it where they may strike.
    fn next_fault(&mut self, kind: Kind) {
        let (from, to) = match kind {
            Kind::Cut => (2_000, 40_000),
            Kind::Kill => (20_000, 150_000),
            Kind::Power => (30_000, 250_000),
            Kind::Stop => (60_000, 400_000),
            Kind::Away => (20_000, 150_000),
            Kind::Crash => (30_000, 200_000),
            Kind::Full => (20_000, 120_000),
            Kind::Board => (20_000, 150_000),
            Kind::Term => (30_000, 200_000),
            Kind::Clock => (10_000, 100_000),
            Kind::Orders => (5_000, 60_000),
            Kind::News => (4_000, 40_000),
            Kind::Forge => (10_000, 80_000),
            Kind::Delay | Kind::Error | Kind::Unheard | Kind::Villain | Kind::Watch | Kind::Fail => return,
        };
        let delay = self.chance.of(kind).between(from, to);
        self.at(delay, Act::Fault(kind));
    }

    fn strike(&mut self, kind: Kind) {
        match kind {
            Kind::Cut => self.cut_some_line(),
            Kind::Kill | Kind::Power => self.stop_machine(kind),
            Kind::Stop => self.stop_master(),
            Kind::Away => {
                let span = self.chance.of(kind).between(100, 90_000);
                self.away_until = self.away_until.max(self.clock + span);
                self.book.database_troubled = self.away_until;
                self.fault(kind, || format!("the database is away for {span} ms"));
            }
            Kind::Crash => {
                let lazily = self.chance.of(kind).once_in(2);
                let span = self.chance.of(kind).between(50, 10_000);
                self.database.crash(lazily);
                self.away_until = self.away_until.max(self.clock + span);
                self.book.database_troubled = self.away_until;
                self.fault(kind, || format!("the database crashes, lazily {lazily}"));
            }
            Kind::Full => {
                let span = self.chance.of(kind).between(1_000, 30_000);
                let until = self.clock + span;
                self.disk.trouble(|trouble| trouble.full_until = until);
                self.fault(kind, || format!("the disk is full for {span} ms"));
            }
            Kind::Board | Kind::Term => self.stop_board(kind),
            Kind::Clock => {
                let jump = self.chance.of(kind).below(7 * 86_400_000);
                let back = self.chance.of(kind).once_in(2);
                self.wall_offset = if back { WALL - jump } else { WALL + jump };
                self.fault(kind, || format!("the wall clock jumps, back {back}"));
            }
            Kind::Orders => self.order_something(),
            Kind::News => self.news(),
            Kind::Forge => self.meddle(),
            Kind::Delay | Kind::Error | Kind::Unheard | Kind::Villain | Kind::Watch | Kind::Fail => {}
        }
    }

    /// From now on everybody is well.
    fn calm(&mut self) {
        self.say(|| "everybody is well from now on".to_owned());
        self.quiet = Some(self.clock);
        self.away_until = 0;
        self.disk.trouble(|trouble| *trouble = super::disk::Trouble::default());
        self.villains_go();
        if self.master.is_none() {
            self.at(1000, Act::Start);
        }
        for board in 0..self.boards.len() {
            if !self.boards[board].on {
                self.at(1000, Act::BoardOn(board));
            }
        }
        self.resume();
    }
}

/// A version that somebody asks for.
pub(crate) fn wanted(package: &str, version: &str) -> Wanted {
    Wanted {
        package: ProjectName::parse(package).expect("a name"),
        display: package.to_owned(),
        version: Version::parse(version).expect("a version"),
        released: Some(1_600_000_000),
        yanked: None,
        named: false,
        pythons: None,
        pure: None,
        tags: Vec::new(),
        specifiers: None,
        extras: Vec::new(),
    }
}
