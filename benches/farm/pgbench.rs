//! The limit of everything that ends in a claim and a record: the same SQL calls by pgbench, on the same server.

use std::path::PathBuf;
use std::process::Command;

use crate::kit::account;
use crate::kit::farm::{Farm, text};

/// What the master asks for each job: the claim, the record, and the secret that a master draws itself.
const SCRIPT: &str = "\
SELECT build_id AS build, s::text AS secret FROM gen_random_uuid() s, \
piw.claim('cp311', 'pgbench', uuid_send(s), 300, 0::smallint) \\gset
SELECT verdict FROM piw.log_build(:build, uuid_send(:secret::uuid), 'pgbench', 'failed', 1, 0, \
'{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', NULL);
";

/// How long it goes on.
#[derive(Clone, Copy)]
pub(crate) enum Length {
    Seconds(u64),
    /// So many jobs, of all connections together.
    Jobs(usize),
}

/// Claims and records failed builds over so many connections; jobs per second.
pub(crate) fn cycles(farm: &Farm, connections: usize, length: Length) -> f64 {
    let script = farm.path("run/cycle.sql");
    std::fs::write(&script, SCRIPT).unwrap();
    let (option, value) = match length {
        Length::Seconds(seconds) => ("-T", seconds.to_string()),
        Length::Jobs(jobs) => ("-t", jobs.div_ceil(connections).to_string()),
    };
    let output = account::command(program())
        .args(["-n", "-M", "prepared", "-c", &connections.to_string(), "-j", &connections.min(2).to_string()])
        .args([option, &value])
        .arg("-f")
        .arg(&script)
        .arg(farm.dsn())
        .output();
    let output = output.unwrap_or_else(|e| panic!("pgbench: {e}; it comes with PostgreSQL's server package"));
    let said = text(&output);
    let line = said.lines().find_map(|line| line.strip_prefix("tps = ")).unwrap_or_else(|| panic!("{said}"));
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// It stands beside the server.
fn program() -> PathBuf {
    let beside = std::env::var_os("PIW_TEST_PG_BIN").map(|dir| PathBuf::from(dir).join("pgbench"));
    let found = Command::new("sh").args(["-c", "ls -1 /usr/lib/postgresql/*/bin/pgbench | tail -1"]).output();
    let found = found.ok().map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned()).unwrap_or_default();
    beside
        .filter(|p| p.exists())
        .unwrap_or_else(|| if found.is_empty() { "pgbench".into() } else { found.into() })
}
