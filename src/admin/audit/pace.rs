//! How fast the tree is read: so slow that a farm on the same disk is not held up. Pure: time is an argument.

use std::time::Duration;

/// What may be read at once before a pause is made up for.
const BURST: Duration = Duration::from_millis(100);

/// A budget of bytes and of files, for each second.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    bytes: u64,
    files: u64,
    /// When all that was read is paid for.
    paid_at: Duration,
}

impl Pace {
    /// Bytes and files a second; 0 for no limit.
    pub(super) const fn new(bytes: u64, files: u64) -> Self {
        Self { bytes, files, paid_at: Duration::ZERO }
    }

    /// So much was read just now; how long to rest before more is.
    pub(super) fn spent(&mut self, now: Duration, bytes: u64, files: u64) -> Duration {
        let cost = |number: u64, rate: u64| {
            let nanos = u128::from(number) * 1_000_000_000 / u128::from(rate.max(1));
            if rate == 0 {
                Duration::ZERO
            } else {
                Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
            }
        };
        let cost = cost(bytes, self.bytes).max(cost(files, self.files));
        self.paid_at = self.paid_at.max(now).saturating_add(cost);
        let rest = self.paid_at.saturating_sub(now);
        if rest > BURST { rest } else { Duration::ZERO }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads pieces for a while; how long it took.
    fn read(pace: &mut Pace, pieces: u32, bytes: u64, files: u64) -> Duration {
        let mut now = Duration::from_secs(100);
        for _ in 0..pieces {
            now += pace.spent(now, bytes, files);
        }
        now.saturating_sub(Duration::from_secs(100))
    }

    #[test]
    fn bytes_and_files_have_their_rates_and_zero_is_none() {
        let about = |took: Duration, seconds: u64| {
            took <= Duration::from_secs(seconds) && took + BURST >= Duration::from_secs(seconds)
        };
        assert!(about(read(&mut Pace::new(1000, 0), 100, 100, 1), 10));
        assert!(about(read(&mut Pace::new(0, 10), 100, 1 << 30, 1), 10));
        assert!(about(read(&mut Pace::new(1000, 10), 100, 10, 1), 10), "the slower of the two");
        assert_eq!(read(&mut Pace::new(0, 0), 1000, u64::MAX, 1), Duration::ZERO);
    }

    #[test]
    fn time_that_was_not_used_is_not_saved_up() {
        let mut pace = Pace::new(1000, 0);
        assert_eq!(pace.spent(Duration::from_secs(1), 10, 0), Duration::ZERO);
        assert_eq!(pace.spent(Duration::from_secs(1000), 1000, 0), Duration::from_secs(1));
    }
}
