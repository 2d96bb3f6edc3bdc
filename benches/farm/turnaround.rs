//! Failed builds through the master, each durably recorded, beside the same SQL calls by pgbench.

use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use piwheels::wire::List;
use piwheels::wire::slave::{BuildEnd, FromSlave, ToSlave};

use crate::kit::account;
use crate::kit::cluster::MASTER;
use crate::kit::farm::{Farm, text};
use crate::kit::peer::Peer;
use crate::row::{Goal, Rows};

/// What the master asks for each job: the claim, the record, and the secret that a master draws itself.
const SCRIPT: &str = "\
SELECT build_id AS build, s::text AS secret FROM gen_random_uuid() s, piw.claim('cp311', 'pgbench', uuid_send(s), 300) \\gset
SELECT verdict FROM piw.log_build(:build, uuid_send(:secret::uuid), 'pgbench', 'failed', 1, 0, \
'{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}');
";

/// Fills the queue with jobs that nobody has to look up.
pub(crate) fn fill(farm: &Farm, name: &str, jobs: usize) {
    for from in (0..jobs).step_by(5000) {
        let to = jobs.min(from + 5000) - 1;
        farm.execute(&format!(
            "SELECT count(*) FROM (SELECT piw.add_versions(array_agg('{name}'::text), array_agg('{name}'::text), \
             array_agg('1.' || n), array_agg(int4send(n)), array_agg(NULL::bigint), array_agg(NULL::text), \
             array_agg(false)) FROM generate_series({from}, {to}) n) done"
        ));
    }
}

/// Slaves whose builds fail at once, until the time is up; how many.
pub(crate) fn fail_builds(farm: &Farm, slaves: usize, time: Duration) -> u64 {
    let done = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for n in 0..slaves {
            let done = &done;
            scope.spawn(move || {
                let mut peer = Peer::slave(farm.slave_port, &format!("failing-{n}"), None);
                let end = Instant::now() + time;
                peer.say(&FromSlave::Idle {});
                while Instant::now() < end {
                    match peer.hear() {
                        Some(ToSlave::Build { token, .. }) => peer.say(&FromSlave::Built {
                            token,
                            end: BuildEnd::Failed,
                            duration_ms: 1,
                            log_bytes: 0,
                            files: List::new(Vec::new()).unwrap(),
                        }),
                        Some(ToSlave::Done { .. }) => {
                            done.fetch_add(1, Ordering::Relaxed);
                            let mut out = BytesMut::new();
                            FromSlave::Idle {}.encode(&mut out);
                            peer.raw(&out);
                        }
                        Some(ToSlave::Sleep { .. }) => panic!("the queue is empty: more jobs are needed"),
                        Some(ToSlave::Wake {}) => {}
                        other => panic!("{other:?}\n{}", farm.logs()),
                    }
                }
            });
        }
    });
    done.into_inner()
}

pub(crate) fn run(rows: &mut Rows, seconds: u64) {
    let pgbench = kit_program("pgbench");
    let farm = Farm::start_durable(&["cp311"], &["--max-per-address", "1000"]);
    fill(&farm, "turn", 20_000 * seconds as usize);
    farm.execute("VACUUM ANALYZE");
    let script = farm.path("run/cycle.sql");
    std::fs::write(&script, SCRIPT).unwrap();
    for slaves in [1, 8, 32] {
        let time = Duration::from_secs(seconds);
        let ours = fail_builds(&farm, slaves, time) as f64 / time.as_secs_f64();
        let threads = slaves.min(2).to_string();
        let output = account::command(&pgbench)
            .args([
                "-n",
                "-M",
                "prepared",
                "-c",
                &slaves.to_string(),
                "-j",
                &threads,
                "-T",
                &seconds.to_string(),
            ])
            .arg("-f")
            .arg(&script)
            .arg(farm.dsn())
            .output();
        let output =
            output.unwrap_or_else(|e| panic!("pgbench: {e}; it comes with PostgreSQL's server package"));
        let said = text(&output);
        let line =
            said.lines().find_map(|line| line.strip_prefix("tps = ")).unwrap_or_else(|| panic!("{said}"));
        let limit: f64 = line.split_whitespace().next().unwrap().parse().unwrap();
        rows.add(&format!("turnaround {slaves}"), ours, limit, "builds/s", Goal::Share(0.8));
    }
    let _ = MASTER;
}

/// A program of PostgreSQL's that stands beside its server.
fn kit_program(name: &str) -> std::path::PathBuf {
    let beside = std::env::var_os("PIW_TEST_PG_BIN").map(|dir| std::path::PathBuf::from(dir).join(name));
    let found = Command::new("sh")
        .args(["-c", &format!("ls -1 /usr/lib/postgresql/*/bin/{name} | tail -1")])
        .output();
    let found = found.ok().map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned()).unwrap_or_default();
    beside.filter(|p| p.exists()).unwrap_or_else(|| if found.is_empty() { name.into() } else { found.into() })
}
