//! Failed builds through the master, each durably recorded, beside the same SQL calls by pgbench.

use std::time::{Duration, Instant};

use piwheels::wire::List;
use piwheels::wire::slave::{BuildEnd, FromSlave, ToSlave};

use crate::database::fill;
use crate::kit::farm::Farm;
use crate::kit::peer::Peer;
use crate::pgbench::{self, Length};
use crate::row::{Goal, Rows};

/// More than builds that fail at once ever take.
const PATIENCE: Duration = Duration::from_secs(600);

/// What slaves whose builds fail at once came to.
pub(crate) struct Failures {
    pub(crate) time: Duration,
    /// Milliseconds from IDLE to BUILD, for each build.
    pub(crate) waits: Vec<f64>,
}

impl Failures {
    /// Builds per second.
    pub(crate) fn rate(&self) -> f64 {
        self.waits.len() as f64 / self.time.as_secs_f64()
    }
}

/// Slaves whose builds fail at once, until the time is up or they did so many of them together.
pub(crate) fn fail_builds(farm: &Farm, slaves: usize, time: Duration, most: usize) -> Failures {
    let begun = Instant::now();
    let waits = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..slaves)
            .map(|n| {
                scope.spawn(move || {
                    let mut peer = Peer::slave(farm.slave_port, &format!("failing-{n}"), None);
                    let mut waits = Vec::new();
                    while begun.elapsed() < time && waits.len() < most.div_ceil(slaves) {
                        waits.push(fail_one(farm, &mut peer));
                    }
                    waits
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    Failures { time: begun.elapsed(), waits }
}

/// One build that fails at once, from IDLE to DONE: the milliseconds to BUILD.
pub(crate) fn fail_one(farm: &Farm, peer: &mut Peer) -> f64 {
    let begun = Instant::now();
    peer.say(&FromSlave::Idle {});
    let mut wait = 0.0;
    loop {
        match peer.hear() {
            Some(ToSlave::Build { token, .. }) => {
                wait = begun.elapsed().as_secs_f64() * 1000.0;
                peer.say(&FromSlave::Built {
                    token,
                    end: BuildEnd::Failed,
                    duration_ms: 1,
                    log_bytes: 0,
                    files: List::new(Vec::new()).unwrap(),
                    report: Default::default(),
                });
            }
            Some(ToSlave::Done { .. }) => return wait,
            Some(ToSlave::Sleep { .. }) => panic!("the queue is empty: more jobs are needed"),
            Some(ToSlave::Wake {}) => {}
            other => panic!("{other:?}\n{}", farm.logs()),
        }
    }
}

/// So many slaves whose builds fail at once, and as many connections of pgbench, per second. In four turns, of which the first and
/// the last are the farm's: what comes first pays for cold caches, and for the first change of each block since a checkpoint.
pub(crate) fn beside_pgbench(farm: &Farm, slaves: usize, length: Length) -> (f64, f64) {
    let half = match length {
        Length::Seconds(seconds) => Length::Seconds(seconds.div_ceil(2)),
        Length::Jobs(jobs) => Length::Jobs(jobs.div_ceil(2)),
    };
    let ours = || match half {
        Length::Seconds(seconds) => fail_builds(farm, slaves, Duration::from_secs(seconds), usize::MAX),
        Length::Jobs(jobs) => fail_builds(farm, slaves, PATIENCE, jobs),
    };
    let first = ours();
    let limit = [pgbench::cycles(farm, slaves, half), pgbench::cycles(farm, slaves, half)];
    let last = ours();
    let builds = (first.waits.len() + last.waits.len()) as f64;
    (builds / (first.time + last.time).as_secs_f64(), limit.iter().sum::<f64>() / 2.0)
}

pub(crate) fn run(rows: &mut Rows, seconds: u64) {
    let farm = Farm::start_durable(&["cp311"], &["--max-per-address", "1000"]);
    fill(&farm, "turn", 20_000 * seconds as usize);
    farm.execute("VACUUM ANALYZE");
    fail_builds(&farm, 1, Duration::from_secs(1), usize::MAX);
    for slaves in [1, 8, 32] {
        let (ours, limit) = beside_pgbench(&farm, slaves, Length::Seconds(seconds));
        rows.add(&format!("turnaround {slaves}"), ours, limit, "builds/s", Goal::Share(0.8));
    }
}
