//! The proof that the simulator bites: each mistake is planted (`src/seeded.rs`), and seeds are lived through until one finds it.

use std::sync::atomic::{AtomicUsize, Ordering};

use piwheels::seeded;

use super::faults::Faults;
use super::history;

/// Its name, what it is, and within how many seeds it is to be found.
type Mistake = (&'static str, &'static str, u64);

/// Those that every run of the table finds.
const MISTAKES: [Mistake; 18] = [
    ("file-not-synced", "a wheel is linked before its bytes are on the disk", 10),
    ("directory-not-synced", "the names of a build's files are not brought to the disk", 10),
    ("row-before-bytes", "a build is recorded before its files are in place", 10),
    ("done-before-commit", "DONE is said before the transaction is", 10),
    ("digest-unchecked", "what a slave sends is taken for what it promised", 100),
    ("page-not-synced", "a page is renamed before its bytes are on the disk", 20),
    ("failed-page-struck", "the order for a page that failed is struck", 50),
    ("file-removed-before-page", "a removed file goes before the page that links to it", 50),
    ("token-unchecked", "BUILT is believed whatever its token", 30),
    ("log-offset-unchecked", "a piece of a log is taken wherever it says that it belongs", 50),
    ("secret-drawn-twice", "two claims have one secret, and get one job", 10),
    ("adoption-ignored", "a slave that comes back is told to drop its build", 10),
    ("lease-never-ends", "leases that ran out are not looked for", 10),
    ("lease-not-renewed", "leases of slaves that are there are not renewed", 30),
    ("cancel-forgotten", "a slave is not told that its build must not go on", 30),
    ("memory-unbounded", "bytes are asked for without regard to memory", 10),
    ("build-not-kept", "a slave throws its build away with the connection", 10),
    ("bye-not-released", "a job that is given back waits for its lease to end", 30),
];

/// Mistakes that few histories come by: asked for by name, they may take hundreds of seeds.
const RARE: [Mistake; 4] = [
    ("found-taken-for-durable", "what a killed master left in place is taken for durable", 1000),
    ("name-overwritten", "a published name gets other bytes", 1000),
    ("owner-unchecked", "a job is given to whoever names it", 1000),
    ("wake-forgotten", "a sleeping slave is not woken for work", 1000),
];

/// The first seed that finds a mistake, and what it says.
pub(crate) fn find(mistake: &'static str, seeds: u64, steps: u64) -> Option<(u64, String)> {
    seeded::plant(Some(mistake));
    let found = (0..seeds).find_map(|seed| {
        // a mistake may end in a panic, which is found, too
        let told = std::panic::catch_unwind(|| history::live(seed, steps, &Faults::all(), false).violation);
        match told {
            Ok(violation) => violation.map(|violation| (seed, violation)),
            Err(_) => Some((seed, "a panic".to_owned())),
        }
    });
    seeded::plant(None);
    found
}

/// Prints what becomes of each mistake, or of one; false where one is not found.
pub(crate) fn table(which: &str, steps: u64) -> bool {
    let every =
        MISTAKES.iter().map(|mistake| (mistake, which == "all")).chain(RARE.iter().map(|rare| (rare, false)));
    let chosen: Vec<_> =
        every.filter(|((name, ..), all)| *all || which == *name).map(|(mistake, _)| mistake).collect();
    if chosen.is_empty() {
        let names: Vec<_> = MISTAKES.iter().chain(&RARE).map(|(name, ..)| *name).collect();
        println!("{which:?} is no mistake; there are {}", names.join(", "));
        return false;
    }
    println!("{:<26} {:>5} {:>6}  what was found", "mistake", "seeds", "within");
    let (next, missed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some((name, what, within)) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match find(name, *within, steps) {
                        Some((seed, found)) => println!("{name:<26} {:>5} {within:>6}  {found}", seed + 1),
                        None => {
                            missed.fetch_add(1, Ordering::Relaxed);
                            println!("{name:<26} {:>5} {within:>6}  NOT FOUND: {what}", "-");
                        }
                    }
                }
            });
        }
    });
    missed.into_inner() == 0
}
