//! Histories by their seeds: lived, told, and made shorter where one goes wrong.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use super::faults::{Faults, Kind};
use super::world::{PROJECTS, World};

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
    // a farm that panics is as wrong as one that lies
    let lived = catch_unwind(AssertUnwindSafe(|| world.live(steps)));
    if let Err(thrown) = lived {
        let text = thrown.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| thrown.downcast_ref::<&str>().copied()).unwrap_or("no text");
        world.violated(format!("a panic: {text}"));
    }
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
pub(crate) fn shrink(seed: u64, steps: u64, faults: &Faults, violation: &str) -> (u64, Faults) {
    let shape = shape(violation);
    smaller(steps, faults, |steps, faults| {
        let told = live(seed, steps, faults, false);
        told.violation.is_some_and(|violation| self::shape(&violation) == shape)
    })
}

/// As few steps and kinds of faults as still fail, tried one after the other.
fn smaller(steps: u64, faults: &Faults, mut fails: impl FnMut(u64, &Faults) -> bool) -> (u64, Faults) {
    let (mut steps, mut faults) = (steps, faults.clone());
    loop {
        let before = (steps, faults.on.len());
        // every later try costs as much as there are steps
        let mut cut = steps / 2;
        while cut > 0 {
            if cut < steps && fails(steps - cut, &faults) {
                steps -= cut;
            } else {
                cut /= 2;
            }
        }
        for kind in Kind::ALL {
            let fewer = faults.without(kind);
            if faults.has(kind) && fails(steps, &fewer) {
                faults = fewer;
            }
        }
        if (steps, faults.on.len()) == before {
            return (steps, faults);
        }
    }
}

/// What a violation says, without the names and numbers that are another history's own.
pub(crate) fn shape(violation: &str) -> String {
    let own = |word: &str| {
        word.contains(|c: char| c.is_ascii_digit()) || PROJECTS.iter().any(|name| word.contains(name))
    };
    // what a list or a picture holds is its own, too
    let words = violation.split_whitespace().take_while(|word| !word.starts_with(['{', '[']));
    words.map(|word| if own(word) { "#" } else { word }).collect::<Vec<_>>().join(" ")
}

/// How to live through it again.
pub(crate) fn command(seed: u64, steps: u64, faults: &Faults) -> String {
    format!(
        "cargo run --release --example simulate -- --seed {seed} --steps {steps} --faults {faults} --trace"
    )
}

#[cfg(test)]
#[test]
fn what_fails_is_made_as_small_as_it_gets() {
    let needs = [Kind::Cut, Kind::Power];
    let mut tries = 0;
    let (steps, faults) = smaller(6_000, &Faults::all(), |steps, faults| {
        tries += 1;
        // one of the two alone does it as well, but only in a long history
        let both = needs.iter().all(|kind| faults.has(*kind));
        steps >= 137 && both || steps >= 4_000 && faults.has(Kind::Kill)
    });
    assert_eq!((steps, faults.to_string()), (137, "cut,power".to_owned()));
    assert!(tries < 150, "{tries}");
}

#[cfg(test)]
#[test]
fn a_violation_is_known_by_what_it_says_and_not_by_its_names() {
    let one =
        "build 4 is recorded, and after a power cut simple/fox/fox-2.0-py3-none-any.whl has other bytes";
    let same =
        "build 100017 is recorded, and after a power cut simple/ant/ant-1.0-cp39-cp39-x.whl has other bytes";
    let another =
        "build 4 is recorded, and after a power cut simple/fox/fox-2.0-py3-none-any.whl is not there";
    assert_eq!(shape(one), shape(same));
    assert_ne!(shape(one), shape(another));
}
