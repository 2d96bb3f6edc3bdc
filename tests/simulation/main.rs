//! The simulator as a test: seeds that stay the same, seeds that nobody has tried before, and the model of the database beside a
//! real one. `simulate.rs` is the same for people; `world.rs` has the picture.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../kit/mod.rs"]
mod kit;

mod board;
mod checks;
mod conformity;
mod database;
mod dice;
mod disk;
mod faults;
mod history;
mod index;
mod master;
mod network;
mod orders;
mod seals;
mod tool;
mod villain;
mod watcher;
mod wheels;
mod world;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use faults::Faults;

/// How long seeds that nobody has tried before are lived through, in each of the tests of them.
const FRESH_FOR: Duration = Duration::from_secs(30);

/// Lives through these seeds, one after the other, and says what came of them; those in which something went wrong are made
/// shorter first.
fn live(name: &str, faults: &Faults, seeds: impl Iterator<Item = u64>) {
    let (mut lived, mut steps, mut struck, mut lasted) = (0u64, 0u64, 0u64, 0u64);
    let mut violations = Vec::new();
    for seed in seeds {
        let told = history::live(seed, history::STEPS, faults, false);
        (lived, steps, struck) = (lived + 1, steps + told.steps, struck + told.faults.total());
        lasted += told.lasted;
        if let Some(violation) = told.violation {
            let (fewer, kinds) = history::shrink(seed, history::STEPS, faults, &violation);
            let trace = history::live(seed, fewer, &kinds, true).trace;
            let end = trace.len().saturating_sub(60);
            println!("{}", trace[end..].join("\n"));
            println!("seed {seed}: {violation}\n  {}", history::command(seed, fewer, &kinds));
            violations.push(seed);
        }
    }
    let hours = lasted as f64 / 3.6e6;
    let wrong = violations.len();
    println!(
        "{name}: {lived} seeds, {steps} steps, {struck} faults, {wrong} violations in {hours:.1} hours of their own"
    );
    assert!(violations.is_empty(), "seeds {violations:?}; how to repeat them stands above");
    assert!(struck > lived * 20, "only {struck} faults");
}

#[test]
fn the_first_seeds_break_nothing() {
    live("fixed", &Faults::all(), 0..40);
}

#[test]
fn seeds_that_nobody_has_tried_break_nothing() {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let base = std::env::var("PIW_TEST_SEED").ok().and_then(|text| text.parse().ok());
    let base: u64 = base.unwrap_or(since.as_secs() * 1000);
    println!("seeds from {base} on; PIW_TEST_SEED={base} repeats them");
    let begun = Instant::now();
    live("fresh", &Faults::all(), (base..).take_while(|_| begun.elapsed() < FRESH_FOR));
}

#[test]
fn one_seed_has_one_history() {
    for seed in [3, 5] {
        let [one, other] = [0, 1].map(|_| history::live(seed, history::STEPS, &Faults::all(), true));
        assert!(one.trace.len() > 1000, "{} lines", one.trace.len());
        let differs = one.trace.iter().zip(&other.trace).find(|(one, other)| one != other);
        assert!(differs.is_none() && one.trace.len() == other.trace.len(), "{differs:?}");
    }
}

#[test]
fn a_farm_without_faults_comes_to_rest_without_any() {
    let told = history::live(1, 2000, &Faults::parse("none").unwrap(), false);
    assert_eq!(told.violation, None);
    assert_eq!(told.faults.total(), 0);
}
