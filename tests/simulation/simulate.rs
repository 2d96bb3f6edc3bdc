//! `cargo run --release --example simulate -- --seed N`: the farm in a world of its own, where everything goes wrong that can, and
//! every time in the same way. See `world.rs` for the picture.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod board;
mod checks;
mod database;
mod dice;
mod disk;
mod faults;
mod history;
mod index;
mod master;
#[cfg(feature = "mistakes")]
mod mistakes;
mod network;
mod orders;
mod seals;
mod tool;
mod villain;
mod watcher;
mod wheels;
mod world;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use faults::Faults;

/// Simulates a farm: the real master and slaves on a network, a disk, a database and a clock that go wrong as the seed has it.
#[derive(Debug, Parser)]
struct Options {
    /// The history to live through.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Several: from A up to, and without, B.
    #[arg(long, value_name = "A..B", conflicts_with = "seed")]
    seeds: Option<String>,
    /// As many as fit into so many seconds, from --seed on.
    #[arg(long, value_name = "SECONDS", conflicts_with = "seeds")]
    time: Option<u64>,
    /// Steps of trouble, before everybody is well and the farm has to come to rest.
    #[arg(long, value_name = "M", default_value_t = history::STEPS)]
    steps: u64,
    /// What may go wrong: all, none, or kinds with commas between; a kind with a '-' is left out of all.
    #[arg(long, value_name = "KINDS", default_value = "all", value_parser = Faults::parse, allow_hyphen_values = true)]
    faults: Faults,
    /// Finds fewer steps and fewer faults with which it fails, too.
    #[arg(long)]
    shrink: bool,
    /// Tells everything that happens.
    #[arg(long)]
    trace: bool,
    /// Plants each mistake, or this one, and counts the seeds from --seed on until it is found.
    #[cfg(feature = "mistakes")]
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "all")]
    mistakes: Option<String>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    #[cfg(feature = "mistakes")]
    if let Some(which) = &options.mistakes {
        return if mistakes::table(which, options.seed.unwrap_or(0), options.steps, options.shrink) {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        };
    }
    let seeds = match range(&options) {
        Ok(seeds) => seeds,
        Err(wrong) => {
            eprintln!("simulate: {wrong}");
            return ExitCode::from(2);
        }
    };
    let begun = Instant::now();
    let limit = options.time.map(Duration::from_secs);
    let (mut lived, mut struck, mut steps, mut bad) = (0u64, 0u64, 0u64, 0u64);
    for seed in seeds {
        if limit.is_some_and(|limit| begun.elapsed() >= limit) {
            break;
        }
        let told = history::live(seed, options.steps, &options.faults, options.trace);
        lived += 1;
        struck += told.faults.total();
        steps += told.steps;
        if options.trace {
            told.trace.iter().for_each(|line| println!("{line}"));
        }
        if let Some(violation) = told.violation {
            bad += 1;
            println!("seed {seed}: {violation}");
            let (mut steps, mut faults) = (options.steps, options.faults.clone());
            if options.shrink {
                (steps, faults) = history::shrink(seed, steps, &faults, &violation);
                println!("  less of it: {steps} steps, faults {faults}");
            }
            println!("  {}", history::command(seed, steps, &faults));
        } else if options.seed.is_some() && options.time.is_none() {
            println!(
                "seed {seed}: {} steps, {:.0} s of its own time",
                told.steps,
                told.lasted as f64 / 1000.0
            );
            for (kind, times) in &told.faults.happened {
                println!("  {kind}: {times}");
            }
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "{lived} seeds, {steps} steps, {struck} faults, {bad} violations in {seconds:.1} s ({:.1} seeds/s)",
        lived as f64 / seconds
    );
    if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn range(options: &Options) -> Result<std::ops::Range<u64>, String> {
    if let Some(text) = &options.seeds {
        let parsed = text.split_once("..").and_then(|(a, b)| Some(a.parse().ok()?..b.parse().ok()?));
        return parsed.ok_or_else(|| format!("{text:?} is no range of seeds, such as 0..100"));
    }
    let first = options.seed.unwrap_or(0);
    Ok(if options.time.is_some() { first..u64::MAX } else { first..first + 1 })
}
