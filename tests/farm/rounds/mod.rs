//! Rounds of crashes: the master dies at random moments and at named points between its system calls, slaves die, the
//! database crashes, while slaves build and an operator imports and removes. After each round everything is started again
//! and must come to rest with nothing lost, nothing dangling and nothing left over.
//!
//! `tools/crash-test` makes as many rounds as one likes. Each is drawn from a seed that is printed; the same seed draws the
//! same round again, as far as processes can be made to do the same.

mod dice;
mod round;
mod tools;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use piwheels::master::failpoint;

use round::Round;

/// How often each thing happened.
pub(super) type Counts = BTreeMap<String, usize>;

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is no number")))
}

#[test]
fn whatever_is_killed_at_whatever_moment_nothing_is_lost_nothing_dangles_and_nothing_is_left_over() {
    let rounds = number("PIW_CRASH_ROUNDS").unwrap_or(10);
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let first = number("PIW_CRASH_SEED").unwrap_or_else(now);
    let (begun, mut counts, mut failed) = (Instant::now(), Counts::new(), Vec::new());
    for n in 0..rounds {
        let seed = first.wrapping_add(n);
        println!("round {} of {rounds}: tools/crash-test --rounds 1 --seed {seed}", n + 1);
        match catch_unwind(AssertUnwindSafe(|| Round::play(seed))) {
            Ok(happened) => {
                let told: Vec<String> = happened.iter().map(|(what, n)| format!("{what} {n}")).collect();
                println!("  {}", told.join(", "));
                happened.into_iter().for_each(|(what, n)| *counts.entry(what).or_default() += n);
            }
            Err(_) => failed.push(seed),
        }
    }
    println!("{rounds} rounds in {} s:", begun.elapsed().as_secs());
    counts.iter().for_each(|(what, n)| println!("{n:>8}  {what}"));
    assert!(failed.is_empty(), "{} of {rounds} rounds failed; their seeds: {failed:?}", failed.len());
    let named: Vec<_> =
        failpoint::ALL.iter().filter(|point| counts.contains_key(&format!("master at {point}"))).collect();
    // how many depends on how busy the machine is; that there are any shows that the points are there
    assert!(rounds < 10 || named.len() >= 5, "no master came to its point, or hardly one: {named:?}");
}
