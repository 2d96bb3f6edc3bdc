//! Every bound of the master, with its unit and what happens at it. Those an operator may set are in [`Limits`].

use super::file_juggler::window::LEAST_CHUNK;
use crate::domain::Millis;
use crate::wire::limits::{CHUNK_BYTES, FILES_PER_BUILD, SMALLEST_LOG_LIMIT};

/// Bounds that options set.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections in all; a new one is closed at once.
    pub connections: usize,
    /// Connections from one address; a new one is closed at once. Local sockets are exempt.
    pub per_address: usize,
    /// From connecting to a whole first message, the proof of a key included; then the peer is dropped.
    pub handshake: Millis,
    /// Messages of one connection in a second, CHUNKs not counted; over it the connection is not read for a while.
    pub messages: u32,
    /// How long a lease runs after the slave was last heard from; then the job is handed out again.
    pub lease: Millis,
    /// Silence on a slave channel, whose BUSY comes every 5 s; then the peer is dropped and its lease runs on.
    pub silence: Millis,
    /// Bytes of one build's log; over it the build is recorded and its slave dropped.
    pub log_bytes: u64,
    /// Files of one build; over it the build is recorded as a bad wheel.
    pub files: usize,
    /// Bytes asked for and not yet on disk, per transfer: the most that its window grows to.
    pub transfer_window: u64,
    /// The same for all transfers together, shared fairly; what bounds the file writer's queue.
    pub transfer_memory: u64,
    /// The most that one FETCH asks for, in bytes.
    pub chunk: u64,
    /// How long a slave that is there may bring nothing of a file; then the build is recorded as lost in transfer.
    pub transfer_patience: Millis,
    /// Bytes of one file; over it the build is recorded as a bad wheel.
    pub wheel_bytes: u64,
    /// Bytes of disk that are kept free, what is promised to files on their way counted as taken; with less nothing is handed
    /// out. 0: that is not watched.
    pub disk_floor: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            per_address: 256,
            handshake: Millis::secs(10),
            messages: 500,
            lease: Millis::secs(300),
            silence: SLAVE_SILENCE,
            log_bytes: 8 << 20,
            files: FILES_PER_BUILD,
            transfer_window: 16 << 20,
            transfer_memory: 64 << 20,
            chunk: CHUNK_BYTES as u64,
            transfer_patience: Millis::secs(900),
            wheel_bytes: 2 << 30,
            disk_floor: 1 << 30,
        }
    }
}

impl Limits {
    /// Whether a farm can work within these, wherever they were set; else which cannot be, for people.
    pub fn check(&self) -> Result<(), String> {
        let within =
            |span: Millis, from: u64, to: u64| (Millis::secs(from)..=Millis::secs(to)).contains(&span);
        let rules = [
            // the database counts leases in seconds; over a day, a lost slave's job waits longer than anybody will
            (within(self.lease, 1, 86_400), "--lease must be between 1s and 24h"),
            // slaves give a sign of life every 5 s
            (within(self.silence, 10, 3600), "--slave-silence must be between 10s and 1h"),
            (within(self.handshake, 1, 300), "--handshake-time must be between 1s and 5m"),
            (within(self.transfer_patience, 60, 86_400), "--transfer-patience must be between 1m and 24h"),
            (self.connections > 0, "--max-connections must be 1 at least"),
            (self.per_address > 0, "--max-per-address must be 1 at least"),
            (self.messages > 0, "--max-messages must be 1 at least"),
            ((1..=FILES_PER_BUILD).contains(&self.files), "--max-files must be between 1 and 64"),
            (self.wheel_bytes > 0, "--max-wheel must be 1 at least"),
            (self.log_bytes >= SMALLEST_LOG_LIMIT, "--max-log must be 16K at least"),
            (
                (LEAST_CHUNK..=CHUNK_BYTES as u64).contains(&self.chunk),
                "--chunk must be between 16K and 256K",
            ),
            (
                self.transfer_window / 2 >= self.chunk && self.transfer_memory >= self.transfer_window,
                "--transfer-window must be two chunks at least, and --transfer-memory a window at least",
            ),
        ];
        match rules.iter().find(|(holds, _)| !holds) {
            Some((_, rule)) => Err((*rule).to_owned()),
            None => Ok(()),
        }
    }
}

/// From the first byte of a frame to its last; then the peer is dropped.
pub const FRAME_TIME: Millis = Millis::secs(60);
/// The default of [`Limits::silence`].
pub const SLAVE_SILENCE: Millis = Millis::secs(30);
/// A slave's clock may be off by this; beyond, the operator is told once.
pub const CLOCK_TOLERANCE: Millis = Millis::secs(60);
/// Beyond the time that a slave itself allows a build; then the slave is dropped and not taken back with it.
pub const BUILD_GRACE: Millis = Millis::secs(900);
/// From telling a slave BYE to its going; then it is dropped.
pub const SLAVE_LEAVES: Millis = Millis::secs(30);
/// Silence on a file channel while bytes are asked for; then the peer is dropped and the transfer waits.
pub const FILE_SILENCE: Millis = Millis::secs(60);
/// How long a tool waits for the page that its import or removal changes; then it is told that the page follows.
pub const PAGE_PATIENCE: Millis = Millis::secs(60);
/// Pages that tools, or logs behind them, wait for; of more, logs of forgotten builds stay where they are.
pub const PAGES_AWAITED: usize = 2 * TOOLS;
/// A file connection without a transfer is closed after this; the slave opens another when it needs one.
pub const FILE_IDLE: Millis = Millis::secs(600);
/// How often leases that ran out and pages that are due are looked for.
pub const SWEEP_EVERY: Millis = Millis::secs(5);
/// How often the index's changelog is asked for, once it was read to its end: a tenth of what the index allows.
pub const CHANGELOG_EVERY: Millis = Millis::secs(10);
/// Events that the database takes in one transaction.
pub const EVENTS_AT_ONCE: usize = 1000;
/// Jobs of each ABI that are checked before they are handed out.
pub const CHECK_AHEAD: u16 = 64;
/// Pages asked for at once.
pub const PAGES_DUE_AT_ONCE: u16 = 16;
/// How often pages that are due are looked for while there are none.
pub const PAGES_DUE_EVERY: Millis = Millis::secs(2);
/// Versions and requirements that are worked out at once.
pub const REQUIREMENTS_AT_ONCE: u16 = 16;
/// How often requirements are looked for while there are none.
pub const REQUIREMENTS_EVERY: Millis = Millis::secs(5);
/// The list of all projects is compared with what is known this often: events that were lost are found so.
pub const LIST_EVERY: Millis = Millis::secs(24 * 3600);
/// So long without the changelog, and the list takes its place, this often.
pub const LIST_UNHEARD_AFTER: Millis = Millis::secs(1800);
/// An index that is away is left alone for so long, doubled with every failure up to the second.
pub const INDEX_AWAY_FIRST: Millis = Millis::secs(10);
/// The most.
pub const INDEX_AWAY_LONGEST: Millis = Millis::secs(1800);
/// Versions that one step of a walk looks at: some tenths of a second, while which other questions are answered.
pub const WALK_AT_ONCE: u16 = 2000;
/// How often it is looked for whether a new day's look at the downloads is due.
pub const POPULARITY_EVERY: Millis = Millis::secs(600);
/// Packages that one question of that look is about; while there are more, it is asked again at the next tick.
pub const POPULARITY_AT_ONCE: u16 = 500;
/// What a slave is told to wait when there is nothing to build; it is woken before, when something comes.
pub const SLEEP_SECS: u16 = 30;
/// Before something that failed for want of disk is tried again.
pub const DISK_RETRY: Millis = Millis::secs(10);
/// The page of slaves is written no more often than this: temperatures change all the time.
pub const SLAVES_PAGE_WINDOW: Millis = Millis::secs(10);
/// The home page is written no more often than this while things change.
pub const HOME_WINDOW: Millis = Millis::secs(15);
/// And looked at this often whether or not the master knows of a change: others change the database too, and days end.
pub const HOME_EVERY: Millis = Millis::secs(300);
/// The root index is written no more often than this.
pub const ROOT_WINDOW: Millis = Millis::secs(2);
/// And no less often than this, however long it takes to write, while it is ordered.
pub const ROOT_WINDOW_MAX: Millis = Millis::secs(300);

/// FETCHes under way on one connection; the slave takes in 1,024.
pub const FETCHES: usize = 512;
/// Connections of one transfer that broke one after the other without a new byte; then the build is recorded as lost
/// in transfer.
pub const FRUITLESS_TRIES: u32 = 20;
/// Bytes of a build's log that wait for the disk; then its connection is not read until they are written.
pub const LOG_BACKLOG_BYTES: u64 = 256 << 10;
/// What each piece counts for beside its bytes: many small ones cost the writer more than their length.
pub const LOG_PIECE_COST: u64 = 512;
/// Bytes that wait to be sent to one slave; then it is dropped: it does not read.
pub const SEND_BACKLOG_BYTES: usize = 1 << 20;
/// The same for an administrator's tool, whose answers are longer.
pub const TOOL_BACKLOG_BYTES: usize = 32 << 20;
/// Monitors at once; a further one is closed.
pub const MONITORS: usize = 16;
/// Between two STATS to the monitors.
pub const STATS_EVERY: Millis = Millis::secs(1);
/// How often the database is asked for the statistics while a monitor is there.
pub const NUMBERS_EVERY: Millis = Millis::secs(5);
/// And while nobody watches.
pub const STATISTICS_EVERY: Millis = Millis::secs(30);
/// How often the machine and its disks are looked at.
pub const SURVEY_EVERY: Millis = Millis::secs(5);
/// Leases that ran out of which the time is remembered.
pub const EXPIRED_KEPT: usize = 1000;
/// A question that waits for so long means that the database does not answer.
pub const DATABASE_SILENT: Millis = Millis::secs(3);
/// Between two moments of each slave's trend.
pub const TREND_EVERY: Millis = Millis::secs(10);
/// Builds of which a new monitor hears.
pub const RECENT_BUILDS: usize = 50;
/// Of the end of the log of each build under way, in bytes: what a monitor sees first of it.
pub const LOG_TAIL_BYTES: usize = 4 << 10;
/// Bytes of a log that one monitor gets between two looks, 250 ms; what comes beyond is left out.
pub const LOG_SHARE_BYTES: usize = 64 << 10;
/// Bytes that wait to be sent to one monitor, whose first picture names every slave; then it is dropped.
pub const MONITOR_BACKLOG_BYTES: usize = 16 << 20;
/// How often the database is asked for the numbers of metrics, where those are served.
pub const FIGURES_EVERY: Millis = Millis::secs(5);
/// It rests so many times as long as its answer took: queues of millions take some tenths of a second to count.
pub const FIGURES_REST: u64 = 20;
/// But no longer than this.
pub const FIGURES_REST_MAX: Millis = Millis::secs(60);
/// Connections of scrapers at once; for a further one the oldest goes.
pub const METRICS_CONNECTIONS: usize = 8;
/// Bytes of a scraper's request; then it is dropped.
pub const METRICS_REQUEST_BYTES: usize = 8 << 10;
/// From connecting to having read the answer; then a scraper is dropped.
pub const METRICS_TIME: Millis = Millis::secs(10);
/// The text of metrics is made no more often than this, however often it is asked for.
pub const METRICS_FRESH: Millis = Millis::secs(1);
/// How often the master's own memory, time and disks are looked at while metrics are served.
pub const PROCESS_EVERY: Millis = Millis::secs(5);
/// Administrators' tools at once; a further one is closed.
pub const TOOLS: usize = 64;
/// Labels of slaves that are told to sleep, at most; those that are not connected are forgotten first.
pub const RESTING_LABELS: usize = 8192;
/// Transfers of one build whose digest was wrong before it is recorded as lost.
pub const DIGEST_FAILURES: u8 = 3;
/// Pages asked for at once; fewer, where their rows are many (`sql/functions/rewrites_due.sql`).
pub const PAGES_AT_ONCE: u16 = 64;
/// Batches of pages that the scribe has at once, the one that it writes among them: beyond, no more are asked for.
pub const PAGES_AHEAD: usize = 2;
/// Orders that are under way at once.
pub const PAGES_HELD: usize = 512;
/// Orders of which the database is told at once.
pub const PAGES_TOLD: usize = 64;
/// Failures in a row after which one page at a time is tried.
pub const PAGES_FAILING: u16 = 16;
/// Names of the root index asked for at once.
pub const ROOT_NAMES_AT_ONCE: u16 = 5000;
