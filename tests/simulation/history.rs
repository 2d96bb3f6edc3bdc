//! Histories by their seeds: lived, told, and made shorter where one goes wrong.

use std::path::PathBuf;

use super::faults::{Faults, Kind};
use super::world::World;

/// What a history came to.
pub(crate) struct Told {
    pub(crate) faults: Faults,
    pub(crate) steps: u64,
    /// In milliseconds of its own time.
    pub(crate) lasted: u64,
    pub(crate) violation: Option<String>,
    pub(crate) trace: Vec<String>,
}

/// Steps of trouble, unless somebody says otherwise.
pub(crate) const STEPS: u64 = 6_000;

/// Lives through the history of a seed.
pub(crate) fn live(seed: u64, steps: u64, faults: &Faults, traced: bool) -> Told {
    let dir =
        tempfile::Builder::new().prefix("piw-sim-").tempdir_in(fast_dir()).expect("a directory for files");
    let mut world = World::new(seed, faults.clone(), dir.path(), traced);
    world.live(steps);
    Told {
        faults: world.faults.clone(),
        steps: world.steps,
        lasted: world.clock,
        violation: world.violation.take(),
        trace: world.trace.take().unwrap_or_default(),
    }
}

/// Memory, where there is such a directory: nothing here is to last.
fn fast_dir() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    let usable = tempfile::tempdir_in(&memory).is_ok();
    if usable { memory } else { std::env::temp_dir() }
}

/// The same violation with fewer steps and fewer kinds of faults.
pub(crate) fn shrink(seed: u64, steps: u64, faults: &Faults) -> (u64, Faults) {
    let fails = |steps: u64, faults: &Faults| live(seed, steps, faults, false).violation.is_some();
    let (mut steps, mut faults) = (steps, faults.clone());
    loop {
        let before = (steps, faults.on.len());
        for kind in Kind::ALL {
            let fewer = faults.without(kind);
            if faults.has(kind) && fails(steps, &fewer) {
                faults = fewer;
            }
        }
        let mut cut = steps / 2;
        while cut > 0 {
            if cut < steps && fails(steps - cut, &faults) {
                steps -= cut;
            } else {
                cut /= 2;
            }
        }
        if (steps, faults.on.len()) == before {
            return (steps, faults);
        }
    }
}

/// How to live through it again.
pub(crate) fn command(seed: u64, steps: u64, faults: &Faults) -> String {
    format!(
        "cargo run --release --example simulate -- --seed {seed} --steps {steps} --faults {faults} --trace"
    )
}
