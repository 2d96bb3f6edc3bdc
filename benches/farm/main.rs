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

mod database;
mod idle;
mod pages;
mod pgbench;
mod queue;
mod row;
mod slave;
mod stall;
mod transfer;
mod turnaround;

use row::Rows;

const ALL: [&str; 7] = ["transfer", "turnaround", "idle", "stall", "queue", "pages", "slave"];

fn main() {
    let mut wanted = Vec::new();
    let (mut json, mut quick) = (false, false);
    let mut versions = None;
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--json" => json = true,
            "--quick" => quick = true,
            "--versions" => versions = Some(queue_size(&words.next().unwrap_or_default())),
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
    if wants("transfer") {
        transfer::one_large(&mut rows, if quick { 16 } else { 256 });
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
