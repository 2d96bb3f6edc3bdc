//! Named points between the master's system calls, at which a crash test has it die or stop.
//!
//! `PIW_FAILPOINT=NAME`, `NAME:N` or `NAME:N:stop`: at the Nth time that the point is passed the process kills itself, as
//! `kill -9` would; or stops, as `kill -STOP` would, and goes on when it is told so. Only builds with debug assertions
//! have these points: in a release [`at`] is nothing, and the variable is not read.
//!
//! Own code, because the crate for this (`fail`) panics, returns or sleeps at its points, and the master outlives panics in
//! its threads: what is wanted here is an end that nothing of the process notices.

/// Every point, in the order in which one wheel passes them; then those of imports, removals, and what is seldom.
pub const ALL: [&str; 30] = [
    "claim.done",
    "part.opened",
    "part.written",
    "part.noted",
    "check.digested",
    "check.unpacked",
    "place.begun",
    "place.synced",
    "place.linked",
    "place.file-done",
    "place.dir-synced",
    "log.packed",
    "log.synced",
    "log.renamed",
    "place.discarding",
    "place.done",
    "commit.begins",
    "commit.done",
    "page.staged",
    "page.synced",
    "page.renamed",
    "page.done",
    "alias.linked",
    "root.synced",
    "root.renamed",
    "order.struck",
    "remove.done",
    "removal.begins",
    "removal.half",
    "alias.removed",
];

/// The process may end or stop here, if a test wants it to.
#[cfg(debug_assertions)]
pub fn at(point: &'static str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    use nix::sys::signal::{Signal, kill};

    static WANTED: OnceLock<Option<Wanted>> = OnceLock::new();
    static PASSED: AtomicU32 = AtomicU32::new(0);

    debug_assert!(ALL.contains(&point), "{point} is not in the list");
    let wanted = WANTED.get_or_init(|| {
        let text = std::env::var("PIW_FAILPOINT").ok()?;
        let wanted = Wanted::parse(&text);
        if wanted.is_none() {
            log::error!("PIW_FAILPOINT={text}: no such point");
        }
        wanted
    });
    if let Some(wanted) = wanted
        && wanted.point == point
        && PASSED.fetch_add(1, Ordering::Relaxed) + 1 == wanted.time
    {
        let _ = kill(nix::unistd::getpid(), if wanted.stop { Signal::SIGSTOP } else { Signal::SIGKILL });
    }
}

/// Nothing: this is a release.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub const fn at(_: &'static str) {}

/// What the variable says.
#[cfg(debug_assertions)]
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    point: &'static str,
    /// The first is 1.
    time: u32,
    stop: bool,
}

#[cfg(debug_assertions)]
impl Wanted {
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(':');
        let name = words.next()?;
        let point = ALL.into_iter().find(|point| *point == name)?;
        let time = words.next().map_or(Some(1), |time| time.parse().ok().filter(|time| *time > 0))?;
        let stop = match words.next() {
            None => false,
            Some("stop") => true,
            Some(_) => return None,
        };
        words.next().is_none().then_some(Self { point, time, stop })
    }
}

#[cfg(all(test, debug_assertions))]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_named_with_the_time_and_the_way() {
        let wanted = |time, stop| Some(Wanted { point: "place.linked", time, stop });
        assert_eq!(Wanted::parse("place.linked"), wanted(1, false));
        assert_eq!(Wanted::parse("place.linked:3"), wanted(3, false));
        assert_eq!(Wanted::parse("place.linked:2:stop"), wanted(2, true));
        for text in
            ["", "nowhere", "place.linked:0", "place.linked:x", "place.linked:1:go", "place.linked:1:stop:"]
        {
            assert_eq!(Wanted::parse(text), None, "{text}");
        }
    }
}
