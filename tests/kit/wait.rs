//! Waiting for conditions, never for time.

use std::time::{Duration, Instant};

/// How long anything may take before the test fails: the machines that run tests may be slow and busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// Waits until `condition` gives something; fails with `what` it waited for, and what `context` shows.
pub(crate) fn until<T>(what: &str, context: impl Fn() -> String, condition: impl FnMut() -> Option<T>) -> T {
    until_within(PATIENCE, what, context, condition)
}

/// The same for what takes longer.
pub(crate) fn until_within<T>(
    patience: Duration,
    what: &str,
    context: impl Fn() -> String,
    mut condition: impl FnMut() -> Option<T>,
) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(Instant::now() < deadline, "no {what} within {patience:?}\n{}", context());
        std::thread::sleep(Duration::from_millis(10));
    }
}
