//! The proof that the simulator bites: each mistake is planted (`src/seeded.rs`), and seeds are lived through until one finds it.

use std::sync::atomic::{AtomicUsize, Ordering};

use piwheels::seeded;

use super::faults::Faults;
use super::history;

/// Its name, what it is, and within how many seeds it is to be found.
type Mistake = (&'static str, &'static str, u64);

const MISTAKES: [Mistake; 37] = [
    // the disk
    ("file-not-synced", "a wheel is linked before its bytes are on the disk", 10),
    ("directory-not-synced", "the names of a build's files are not brought to the disk", 10),
    ("new-directory-not-synced", "the name of a new directory is not brought to the disk", 100),
    ("found-taken-for-durable", "what a killed master left in place is taken for durable", 50),
    ("name-overwritten", "a published name gets other bytes", 50),
    // publishing
    ("row-before-bytes", "a build is recorded before its files are in place", 10),
    ("done-before-commit", "DONE is said before the transaction is", 10),
    ("digest-unchecked", "what a slave sends is taken for what it promised", 100),
    ("page-not-synced", "a page is renamed before its bytes are on the disk", 20),
    ("failed-page-struck", "the order for a page that failed is struck", 50),
    ("file-removed-before-page", "a removed file goes before the page that links to it", 50),
    // slaves and their jobs
    ("token-unchecked", "BUILT is believed whatever its token", 30),
    ("log-offset-unchecked", "a piece of a log is taken wherever it says that it belongs", 50),
    ("secret-drawn-twice", "two claims have one secret, and get one job", 10),
    ("owner-unchecked", "a job is given to whoever names it", 50),
    ("adoption-ignored", "a slave that comes back is told to drop its build", 10),
    ("lease-never-ends", "leases that ran out are not looked for", 10),
    ("lease-not-renewed", "leases of slaves that are there are not renewed", 30),
    ("wake-forgotten", "a sleeping slave is not woken for work", 20),
    ("memory-unbounded", "bytes are asked for without regard to memory", 10),
    ("build-not-kept", "a slave throws its build away with the connection", 10),
    ("bye-not-released", "a job that is given back waits for its lease to end", 30),
    // orders
    ("cancel-forgotten", "a slave is not told that its build must not go on", 30),
    ("walk-forgotten", "versions are not walked over when an ABI is retired", 100),
    ("abis-kept", "slaves are judged by the ABIs that there were", 100),
    ("order-wakes-nobody", "nobody is woken for what an order opens", 100),
    ("removal-answered-early", "a removal is said to be done before the page is written", 100),
    ("yank-not-shown", "a page does not show that a version is yanked", 100),
    // the index
    ("news-wake-nobody", "nobody is woken for what a look at the index opens", 100),
    ("removed-built-on", "a build goes on although the index has removed its release", 100),
    ("late-events-lost", "events of the index that come late are not asked for", 100),
    // monitors
    ("gone-not-told", "monitors are not told that a slave is gone", 100),
    ("log-of-another", "a monitor gets the log of a slave that it did not ask for", 100),
    // keys, seals and floods
    ("seal-unchecked", "a frame is believed whatever its seal", 100),
    ("replay-unnoticed", "a frame is believed a second time", 100),
    ("flood-listened-to", "a peer is listened to however much it says", 100),
    ("hello-told-twice", "a monitor that comes between two looks is told of a build twice", 100),
];

/// The first seed from this one on that finds a mistake, and what it says.
fn find(mistake: &'static str, from: u64, seeds: u64, steps: u64) -> Option<(u64, String)> {
    seeded::plant(Some(mistake));
    let mut lives =
        (from..from + seeds).map(|seed| (seed, history::live(seed, steps, &Faults::all(), false)));
    let found = lives.find_map(|(seed, told)| Some((seed, told.violation?)));
    seeded::plant(None);
    found
}

/// Prints what becomes of each mistake, or of one, with seeds from this one on; false where one is not found.
pub(crate) fn table(which: &str, from: u64, steps: u64, shrinks: bool) -> bool {
    let chosen: Vec<_> = MISTAKES.iter().filter(|(name, ..)| which == "all" || which == *name).collect();
    if chosen.is_empty() {
        let names: Vec<_> = MISTAKES.iter().map(|(name, ..)| *name).collect();
        println!("{which:?} is no mistake; there are {}", names.join(", "));
        return false;
    }
    println!("{:<26} {:>5} {:>6}  what was found", "mistake", "seeds", "within");
    let (next, missed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some((name, what, within)) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match find(name, from, *within, steps) {
                        Some((seed, found)) => {
                            let said: String = found.chars().take(200).collect();
                            println!("{name:<26} {:>5} {within:>6}  {said}", seed - from + 1);
                            if shrinks && !shrink(name, seed, steps, &found) {
                                missed.fetch_add(1, Ordering::Relaxed);
                            }
                        }
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

/// Makes less of what a mistake came to, and sees that it is less, fails in the same way, and twice in the same.
fn shrink(mistake: &'static str, seed: u64, steps: u64, found: &str) -> bool {
    seeded::plant(Some(mistake));
    let (fewer, kinds) = history::shrink(seed, steps, &Faults::all(), found);
    let [one, other] = [0, 1].map(|_| history::live(seed, fewer, &kinds, true));
    seeded::plant(None);
    let (lines, violation) = (one.trace.len(), one.violation.unwrap_or_default());
    let exact = one.trace == other.trace;
    println!("{mistake:<26} seed {seed}: {fewer} steps, faults {kinds}, {lines} lines of trace: {violation}");
    let sound = exact && history::shape(&violation) == history::shape(found) && fewer < steps;
    if !sound {
        println!("{mistake:<26} NOT SOUND: replayed exactly: {exact}; it was: {found}");
    }
    sound
}
