//! The farm beside its limits: the real master, a private PostgreSQL, slaves that speak the protocol and build nothing.
//! Each row stands beside what bounds it, measured in the same run. Run it with `tools/bench`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what cannot be measured ends the program"
)]
#![allow(dead_code, reason = "the tests' kit is shared, and not all of it is needed here")]

#[path = "../../tests/kit/mod.rs"]
mod kit;

mod chunk;
mod database;
mod idle;
mod load;
mod pages;
mod pgbench;
mod process;
mod queue;
mod row;
mod run;
mod slave;
mod stall;
mod transfer;
mod turnaround;

use std::path::{Path, PathBuf};
use std::time::Duration;

use row::Rows;

const ALL: [&str; 9] =
    ["chunk", "transfer", "turnaround", "idle", "stall", "queue", "pages", "slave", "load"];

/// Slaves of the load, and how long they build: asked for by name, or among all others.
const LOAD_SLAVES: usize = 1000;
const LOAD_TIME: Duration = Duration::from_secs(600);
const LOAD_TIME_AMONG_OTHERS: Duration = Duration::from_secs(60);

fn main() {
    let mut wanted = Vec::new();
    let (mut json, mut quick) = (false, false);
    let (mut versions, mut slaves, mut time) = (None, None, None);
    let (mut keep, mut compare) = (None, None);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--json" => json = true,
            "--quick" => quick = true,
            "--keep" => keep = Some(file(words.next())),
            "--compare" => compare = Some(or_end(run::read(&file(words.next())))),
            "--readme" => {
                write_readme(&file(words.next()));
                return;
            }
            "--versions" => versions = Some(queue_size(&words.next().unwrap_or_default())),
            "--slaves" => slaves = Some(slave_count(&words.next().unwrap_or_default())),
            "--time" => time = Some(span(&words.next().unwrap_or_default())),
            // cargo adds it
            "--bench" => {}
            name if ALL.contains(&name) => wanted.push(name.to_owned()),
            other => {
                eprintln!("bench: there is no {other}; there are: {}", ALL.join(" "));
                std::process::exit(2);
            }
        }
    }
    let all = wanted.is_empty();
    let wants = |name: &str| all || wanted.iter().any(|w| w == name);
    let mut rows = Rows::new(json);
    if wants("chunk") {
        chunk::run(&mut rows, Duration::from_millis(if quick { 10 } else { 200 }));
    }
    if wants("transfer") {
        let _kept = transfer::one_large(&mut rows, if quick { 16 } else { 256 });
        transfer::many_small(&mut rows, if quick { 4 } else { 32 });
    }
    if wants("turnaround") {
        turnaround::run(&mut rows, if quick { 1 } else { 5 });
    }
    if wants("idle") {
        idle::run(&mut rows, if quick { 200 } else { 10_000 });
    }
    if wants("stall") {
        stall::run(&mut rows, if quick { 2 } else { 10 });
    }
    if wants("queue") {
        queue::run(&mut rows, versions.unwrap_or(if quick { queue::LEAST } else { queue::USUAL }));
    }
    if wants("pages") {
        pages::run(&mut rows, if quick { 64 } else { 1024 }, if quick { 10_000 } else { 750_000 });
    }
    if wants("slave") {
        slave::run(&mut rows, if quick { 8 } else { 100 }, if quick { 16 } else { 500 });
    }
    if wants("load") {
        let usual = match (quick, all) {
            (true, _) => (load::FEW, load::SHORT),
            (false, true) => (LOAD_SLAVES, LOAD_TIME_AMONG_OTHERS),
            (false, false) => (LOAD_SLAVES, LOAD_TIME),
        };
        let outcome = load::run(&mut rows, slaves.unwrap_or(usual.0), time.unwrap_or(usual.1));
        outcome.faults.iter().take(20).for_each(|fault| rows.note(fault));
    }
    if let Some(before) = compare {
        print!("\nbeside the run that was kept:\n{}", run::compare(&before, &rows.all));
    }
    if let Some(file) = keep {
        or_end(run::keep(&file, &rows.all));
    }
}

/// The file that an option names.
fn file(word: Option<String>) -> PathBuf {
    or_end(
        word.filter(|word| !word.starts_with("--"))
            .map(PathBuf::from)
            .ok_or_else(|| "which FILE?".to_owned()),
    )
}

/// The README's table, from a run that was kept.
fn write_readme(kept: &Path) {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = or_end(std::fs::read_to_string(&readme).map_err(|e| format!("{}: {e}", readme.display())));
    let text = or_end(run::read(kept).and_then(|kept| run::readme(&text, &kept)));
    or_end(std::fs::write(&readme, text).map_err(|e| format!("{}: {e}", readme.display())));
}

/// What went well, or the end with a line that says why not.
fn or_end<T>(result: Result<T, String>) -> T {
    result.unwrap_or_else(|reason| {
        eprintln!("bench: {reason}");
        std::process::exit(2);
    })
}

/// How many versions `--versions` says.
fn queue_size(word: &str) -> u32 {
    match word.parse() {
        Ok(versions) if (queue::LEAST..=queue::MOST).contains(&versions) => versions,
        _ => {
            eprintln!("bench: --versions is a number from {} to {}, not {word:?}", queue::LEAST, queue::MOST);
            std::process::exit(2);
        }
    }
}

/// How many slaves `--slaves` says.
fn slave_count(word: &str) -> usize {
    match word.parse() {
        Ok(slaves) if (load::LEAST..=load::MOST).contains(&slaves) => slaves,
        _ => {
            eprintln!("bench: --slaves is a number from {} to {}, not {word:?}", load::LEAST, load::MOST);
            std::process::exit(2);
        }
    }
}

/// How long `--time` says: seconds, or minutes with an `m`.
fn span(word: &str) -> Duration {
    let (number, unit) = match word.strip_suffix('m') {
        Some(minutes) => (minutes, 60),
        None => (word.strip_suffix('s').unwrap_or(word), 1),
    };
    match number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit)) {
        Some(seconds) if (3..=86_400).contains(&seconds) => Duration::from_secs(seconds),
        _ => {
            eprintln!("bench: --time is from 3s to 1440m, not {word:?}");
            std::process::exit(2);
        }
    }
}
