//! What a monitor knows of the farm: the master's messages, put together (`wire-spec/status.md`). Pure: time is an argument.

use std::collections::{BTreeMap, VecDeque};

use super::logtext::LogText;
use crate::domain::trend::{self, Trend};
use crate::domain::{BuildId, Millis};
use crate::wire::status::{FollowNow, HealthNow, Mode, Numbers, SlaveNow, ToMonitor, Vitals};

/// Recorded builds that are kept.
const BUILDS: usize = 500;
/// Between two moments of a slave's trend: what the master keeps for those who come.
const TREND_EVERY: Millis = Millis::secs(10);

/// Whether the master is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// It was not asked yet.
    New,
    /// The picture is of now.
    Up,
    /// It is not there: since when, why, and when it is tried again. The picture is the last that came.
    Down {
        /// Since when.
        since: Millis,
        /// For people.
        reason: String,
        /// When.
        again: Millis,
    },
}

/// A connected slave.
#[derive(Clone, Debug)]
pub struct SlaveView {
    /// As the master sent it last.
    pub now: SlaveNow,
    /// How its machine was doing.
    pub trend: Trend,
}

/// STATS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Slaves.
    pub connected: u32,
    /// Slaves that build.
    pub building: u32,
    /// Slaves that neither build nor deliver.
    pub idle: u32,
    /// Files on their way.
    pub transfers: u32,
    /// Bytes of them.
    pub bytes_in_flight: u64,
    /// Since the master's start.
    pub builds_ok: u64,
    /// Since the master's start.
    pub builds_failed: u64,
    /// Peers turned away since the master's start.
    pub refusals: u64,
}

/// FARM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FarmView {
    /// The database's.
    pub numbers: Option<Numbers>,
    /// Since when the database does not answer: milliseconds since 1970.
    pub database_silent_ms: Option<u64>,
    /// The master's machine.
    pub machine: Option<Vitals>,
    /// Pages that cannot be written.
    pub pages_failing: u32,
    /// Why.
    pub pages_trouble: Option<String>,
    /// How the index is followed.
    pub follow: Option<FollowNow>,
}

/// RECORDED.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildView {
    /// Its number.
    pub build: BuildId,
    /// Package.
    pub package: String,
    /// Version.
    pub version: String,
    /// ABI.
    pub abi: String,
    /// The slave's label.
    pub slave: String,
    /// How it ended.
    pub outcome: String,
    /// How long it took.
    pub duration_ms: u64,
    /// When it was recorded: milliseconds since 1970.
    pub at_ms: u64,
}

/// The log of what a slave builds.
#[derive(Clone, Debug)]
pub struct LogView {
    /// The slave.
    pub slave: u32,
    /// Its build, once there was a piece.
    pub build: Option<BuildId>,
    /// Its end.
    pub text: LogText,
}

/// See the module's head.
#[derive(Clone, Debug)]
pub struct Model {
    /// Whether the picture is of now.
    pub link: Link,
    /// The master's software.
    pub software: String,
    /// When it started: milliseconds since 1970.
    pub started_ms: u64,
    /// Whether the farm works.
    pub mode: Option<Mode>,
    /// By number.
    pub slaves: BTreeMap<u32, SlaveView>,
    /// None before the first.
    pub stats: Option<Stats>,
    /// What the master knows beside its slaves.
    pub farm: FarmView,
    /// The same, of its disks, its orders and itself; none before the first.
    pub health: Option<HealthNow>,
    /// The last first.
    pub builds: VecDeque<BuildView>,
    /// How the builds since the master's start ended, and how many.
    pub outcomes: Vec<(String, u64)>,
    /// The log that is being watched.
    pub log: Option<LogView>,
    /// The master's clock at a moment of ours.
    clock: (Millis, u64),
    trend_at: Millis,
}

impl Default for Model {
    fn default() -> Self {
        Self {
            link: Link::New,
            software: String::new(),
            started_ms: 0,
            mode: None,
            slaves: BTreeMap::new(),
            stats: None,
            farm: FarmView::default(),
            health: None,
            builds: VecDeque::new(),
            outcomes: Vec::new(),
            log: None,
            clock: (Millis(0), 0),
            trend_at: Millis(0),
        }
    }
}

impl Model {
    /// The master's clock: milliseconds since 1970.
    pub fn wall_ms(&self, now: Millis) -> u64 {
        self.clock.1.saturating_add(now.since(self.clock.0).0)
    }

    /// A message of the master.
    pub fn apply(&mut self, now: Millis, message: ToMonitor) {
        match message {
            ToMonitor::Hello { software, started_ms, wall_ms, mode } => {
                // a whole picture follows, perhaps of another master: nothing of the one before holds, but that a log
                // was asked for, which may be before this came
                let log = self.log.as_ref().map(|log| LogView {
                    slave: log.slave,
                    build: None,
                    text: LogText::default(),
                });
                *self = Self {
                    link: Link::Up,
                    software: software.into_string(),
                    started_ms,
                    mode: Some(mode),
                    clock: (now, wall_ms),
                    trend_at: now + TREND_EVERY,
                    log,
                    ..Self::default()
                };
            }
            ToMonitor::Slave { slave } => {
                if let Some(log) = self.log.as_mut().filter(|log| log.slave == slave.slave_id)
                    && let Some(job) = &slave.job
                    && log.build.is_some_and(|build| build != job.build)
                {
                    (log.build, log.text) = (None, LogText::default());
                }
                match self.slaves.get_mut(&slave.slave_id) {
                    Some(known) => known.now = slave,
                    None => {
                        let id = slave.slave_id;
                        self.slaves.insert(id, SlaveView { now: slave, trend: Trend::default() });
                    }
                }
            }
            ToMonitor::Stats {
                mode,
                connected,
                building,
                idle,
                queued: _,
                transfers,
                bytes_in_flight,
                builds_ok,
                builds_failed,
                refusals,
                log_bytes: _,
            } => {
                self.mode = Some(mode);
                self.stats = Some(Stats {
                    connected,
                    building,
                    idle,
                    transfers,
                    bytes_in_flight,
                    builds_ok,
                    builds_failed,
                    refusals,
                });
            }
            ToMonitor::Gone { slave_id } => {
                self.slaves.remove(&slave_id);
            }
            ToMonitor::Trend { slave_id, samples } => {
                if let Some(slave) = self.slaves.get_mut(&slave_id) {
                    slave.trend = Trend::of(&samples);
                }
            }
            ToMonitor::Recorded { build, package, version, abi, slave, outcome, duration_ms, at_ms } => {
                self.builds.truncate(BUILDS - 1);
                self.builds.push_front(BuildView {
                    build,
                    package: package.into_string(),
                    version: version.into_string(),
                    abi: abi.into_string(),
                    slave: slave.into_string(),
                    outcome: outcome.into_string(),
                    duration_ms,
                    at_ms,
                });
            }
            ToMonitor::Outcomes { counts } => {
                let counts = counts.into_vec().into_iter();
                self.outcomes = counts.map(|one| (one.outcome.into_string(), one.count)).collect();
            }
            ToMonitor::Farm {
                numbers,
                database_silent_ms,
                machine,
                pages_failing,
                pages_trouble,
                follow,
            } => {
                self.farm = FarmView {
                    numbers,
                    database_silent_ms,
                    machine,
                    pages_failing,
                    pages_trouble: pages_trouble.map(|text| text.into_string()),
                    follow: Some(follow),
                };
            }
            ToMonitor::Health { health } => self.health = Some(health),
            ToMonitor::Log { slave_id, build, offset, data } => {
                if let Some(log) = self.log.as_mut().filter(|log| log.slave == slave_id) {
                    if log.build != Some(build) {
                        (log.build, log.text) = (Some(build), LogText::default());
                    }
                    log.text.add(offset, &data);
                }
            }
        }
    }

    /// From now on this slave's log is watched, or none.
    pub fn watch(&mut self, slave: Option<u32>) {
        self.log = slave.map(|slave| LogView { slave, build: None, text: LogText::default() });
    }

    /// The master is not there, or not any more.
    pub fn lost(&mut self, now: Millis, reason: String, again: Millis) {
        let since = match self.link {
            Link::Down { since, .. } => since,
            _ => now,
        };
        self.link = Link::Down { since, reason, again };
    }

    /// Time passed.
    pub fn tick(&mut self, now: Millis) {
        if now < self.trend_at || self.link != Link::Up {
            return;
        }
        self.trend_at = now + TREND_EVERY;
        for slave in self.slaves.values_mut() {
            if let Some(vitals) = &slave.now.vitals {
                slave.trend.push(trend::sample(vitals));
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::wire::status::{Board, Doing, JobNow, OutcomeCount};
    use crate::wire::{Blob, List, Text};

    fn text<const N: usize>(text: &str) -> Text<N> {
        Text::new(text).unwrap()
    }

    pub(crate) const WALL: u64 = 1_700_000_000_000;

    pub(crate) fn vitals(load1_centi: u32) -> Vitals {
        Vitals {
            load1_centi,
            cpus: 4,
            memory_total: 8 << 30,
            memory_free: 6 << 30,
            disk_total: 64 << 30,
            disk_free: 48 << 30,
            temperature: Some(612),
            clock_ms: WALL,
            throttled: Some(false),
        }
    }

    pub(crate) fn slave(slave_id: u32, label: &str, job: Option<(i64, &str)>) -> SlaveNow {
        SlaveNow {
            slave_id,
            label: text(label),
            peer: text("192.0.2.1:5"),
            abi: text("cp311"),
            platform: text("linux_armv7l"),
            python: text("311"),
            board: Some(Board { machine: text("Pi 4"), ..Board::default() }),
            doing: if job.is_some() { Doing::Building } else { Doing::Asleep },
            since_ms: WALL - 72_000,
            heard_ms: WALL,
            connected_ms: WALL - 7_200_000,
            job: job.map(|(build, package)| JobNow {
                build: BuildId(build),
                package: text(package),
                version: text("1.0"),
            }),
            vitals: Some(vitals(52)),
            clock_offset_ms: Some(-1500),
            holds_back: None,
            resting: false,
            kill_pending: false,
            skipping: false,
        }
    }

    pub(crate) fn hello() -> ToMonitor {
        let mode = Mode::Running;
        ToMonitor::Hello { software: text("0.1.0"), started_ms: WALL - 3_600_000, wall_ms: WALL, mode }
    }

    pub(crate) fn recorded(build: i64, package: &str, outcome: &str) -> ToMonitor {
        ToMonitor::Recorded {
            build: BuildId(build),
            package: text(package),
            version: text("1.0"),
            abi: text("cp311"),
            slave: text("pi"),
            outcome: text(outcome),
            duration_ms: 83_000,
            at_ms: WALL,
        }
    }

    pub(crate) fn log(slave_id: u32, build: i64, offset: u64, said: &str) -> ToMonitor {
        let data = Blob::new(said.as_bytes().to_vec().into()).unwrap();
        ToMonitor::Log { slave_id, build: BuildId(build), offset, data }
    }

    pub(crate) fn model(messages: impl IntoIterator<Item = ToMonitor>) -> Model {
        let mut model = Model::default();
        std::iter::once(hello()).chain(messages).for_each(|message| model.apply(Millis(0), message));
        model
    }

    #[test]
    fn a_new_master_is_a_new_picture() {
        let mut model = model([
            ToMonitor::Slave { slave: slave(1, "a", None) },
            recorded(5, "foo", "built"),
            ToMonitor::Outcomes {
                counts: List::cut(vec![OutcomeCount { outcome: text("built"), count: 3 }]),
            },
        ]);
        assert_eq!((model.slaves.len(), model.builds.len(), model.outcomes.len()), (1, 1, 1));
        model.lost(Millis(5000), "away".to_owned(), Millis(6000));
        model.lost(Millis(6000), "still away".to_owned(), Millis(8000));
        let (since, again) = (Millis(5000), Millis(8000));
        assert_eq!(model.link, Link::Down { since, reason: "still away".to_owned(), again });
        assert_eq!(model.slaves.len(), 1, "the last picture stays to be looked at");
        model.apply(Millis(9000), hello());
        assert_eq!(model.link, Link::Up);
        assert_eq!((model.slaves.len(), model.builds.len(), model.outcomes.len()), (0, 0, 0));
        assert_eq!(model.wall_ms(Millis(9500)), WALL + 500);
    }

    #[test]
    fn a_log_is_that_of_one_build_of_the_slave_that_is_watched() {
        let mut model = model([ToMonitor::Slave { slave: slave(1, "a", Some((7, "foo"))) }]);
        model.apply(Millis(0), log(1, 7, 0, "nobody asked\n"));
        model.watch(Some(1));
        model.apply(Millis(0), log(1, 7, 0, "one\n"));
        model.apply(Millis(0), log(2, 9, 0, "another's\n"));
        let first = |model: &Model| model.log.as_ref().unwrap().text.line(0);
        assert_eq!(first(&model), "one");
        // it is to be read when the build is over, until the next begins
        model.apply(Millis(0), ToMonitor::Slave { slave: slave(1, "a", None) });
        assert_eq!(first(&model), "one");
        model.apply(Millis(0), ToMonitor::Slave { slave: slave(1, "a", Some((8, "bar"))) });
        assert!(model.log.as_ref().unwrap().text.is_empty());
        model.apply(Millis(0), log(1, 8, 0, "two\n"));
        assert_eq!(first(&model), "two");
        // a new connection is asked for it before its picture is there
        model.apply(Millis(0), hello());
        assert!(model.log.as_ref().unwrap().text.is_empty());
        model.apply(Millis(0), log(1, 9, 0, "three\n"));
        assert_eq!(first(&model), "three");
    }

    #[test]
    fn a_trend_begins_with_the_masters_and_goes_on() {
        let known: Vec<_> = (0..60).map(|load| trend::sample(&vitals(load * 4))).collect();
        let mut model = model([
            ToMonitor::Slave { slave: slave(1, "a", None) },
            ToMonitor::Trend { slave_id: 1, samples: List::new(known).unwrap() },
        ]);
        for seconds in 0..=20 {
            model.tick(Millis::secs(seconds));
        }
        let loads: Vec<_> = model.slaves[&1].trend.samples().map(|sample| sample.load_percent).collect();
        assert_eq!((loads.len(), loads[0], loads[57], loads[58], loads[59]), (60, 2, 59, 13, 13));
    }

    #[test]
    fn builds_are_bounded_and_the_last_is_the_first() {
        let model = model((1..=600).map(|n| recorded(n, "foo", "built")));
        assert_eq!((model.builds.len(), model.builds[0].build), (BUILDS, BuildId(600)));
    }
}
