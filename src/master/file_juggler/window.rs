//! How much of one file is asked for at a time, and in what pieces: so much that the link is full, and no more. Pure.
//!
//! A round is one round trip at its best. What comes within a round is what the link carries; asking for twice that
//! keeps it full, and doubles from round to round until the link is the limit. Pieces are such that one takes two
//! seconds at most, for a board on a bad line must finish one before it is taken for dead.

use crate::domain::Millis;

/// The smallest piece, in bytes.
pub const LEAST_CHUNK: u64 = 16 << 10;
/// What the first piece of a transfer is.
const FIRST_CHUNK: u64 = 64 << 10;
/// Asked for at first.
const FIRST_WINDOW: u64 = 4 * FIRST_CHUNK;
/// What a piece may take.
const CHUNK_TIME: Millis = Millis::secs(2);

/// Bounds that an operator may set.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The largest window, in bytes.
    pub window: u64,
    /// The largest piece, in bytes.
    pub chunk: u64,
}

/// The window of one transfer.
#[derive(Clone, Debug)]
pub struct Window {
    bounds: Bounds,
    window: u64,
    chunk: u64,
    /// The shortest time from asking for a piece to its coming; 1 ms at least.
    round_trip: Option<Millis>,
    round_began: Millis,
    round_bytes: u64,
}

impl Window {
    /// Of a transfer whose link is not known yet.
    pub fn new(bounds: Bounds) -> Self {
        Self {
            window: FIRST_WINDOW.min(bounds.window),
            chunk: FIRST_CHUNK.min(bounds.chunk),
            bounds,
            round_trip: None,
            round_began: Millis(0),
            round_bytes: 0,
        }
    }

    /// A new connection: the way may be another one. After a silence (`gently`) the least is asked for at first.
    pub fn restart(&mut self, gently: bool) {
        let bounds = self.bounds;
        *self = Self::new(bounds);
        if gently {
            self.chunk = LEAST_CHUNK.min(bounds.chunk);
            self.window = 2 * self.chunk;
        }
    }

    /// How many bytes may be under way when another piece is asked for.
    pub fn bytes(&self) -> u64 {
        self.window
    }

    /// How many to ask for at once.
    pub fn chunk(&self) -> u64 {
        self.chunk
    }

    /// A piece of this length came that was asked for at `asked`.
    pub fn came(&mut self, now: Millis, asked: Millis, length: u64) {
        let took = now.since(asked).max(Millis(1));
        let round_trip = match self.round_trip {
            Some(before) => before.min(took),
            None => {
                self.round_began = asked;
                took
            }
        };
        self.round_trip = Some(round_trip);
        self.round_bytes += length;
        let round = now.since(self.round_began);
        if round < round_trip {
            return;
        }
        // bytes in one round trip, at the rate of this round
        let carried = self.round_bytes.saturating_mul(round_trip.0) / round.0.max(1);
        let per_second = self.round_bytes.saturating_mul(1000) / round.0.max(1);
        (self.round_began, self.round_bytes) = (now, 0);

        let chunk = per_second.saturating_mul(CHUNK_TIME.0) / 1000;
        let chunk = chunk.clamp(LEAST_CHUNK, self.bounds.chunk.max(LEAST_CHUNK)) / 4096 * 4096;
        // no faster than doubling, for one round may be luck
        self.chunk = chunk.min(2 * self.chunk).max(LEAST_CHUNK.min(self.bounds.chunk));
        let wanted = carried.saturating_mul(2);
        // down slowly: a pause of the disk or the slave says nothing of the link
        self.window = wanted
            .clamp(self.window - self.window / 8, self.window * 2)
            .clamp(2 * self.chunk, self.bounds.window.max(2 * self.chunk));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    const BOUNDS: Bounds = Bounds { window: 16 << 20, chunk: 256 << 10 };

    /// What a transfer makes of a link: bytes a second in the last third of `seconds`, the longest wait of a piece, and
    /// the most that was under way.
    fn over(bytes_per_second: u64, delay: Millis, seconds: u64) -> (u64, Millis, u64) {
        let mut window = Window::new(BOUNDS);
        let end = seconds * 1_000_000;
        let (mut now, mut line_free, mut under_way, mut most) = (0u64, 0u64, 0u64, 0u64);
        let mut come: VecDeque<(u64, u64, u64)> = VecDeque::new();
        let (mut late_bytes, mut longest) = (0, Millis(0));
        while now < end {
            while under_way < window.bytes() {
                let length = window.chunk();
                // half of the delay there, then the line, then half of it back; in microseconds
                let begins = (now + delay.0 * 500).max(line_free);
                line_free = begins + length * 1_000_000 / bytes_per_second;
                come.push_back((line_free + delay.0 * 500, now, length));
                under_way += length;
            }
            most = most.max(under_way);
            let (at, asked, length) = come.pop_front().expect("something is always under way");
            now = at;
            under_way -= length;
            window.came(Millis(now / 1000), Millis(asked / 1000), length);
            longest = longest.max(Millis((now - asked) / 1000));
            if now > end * 2 / 3 {
                late_bytes += length;
            }
        }
        (late_bytes * 3 / seconds, longest, most)
    }

    #[test]
    fn a_link_is_filled_whatever_its_delay() {
        for (rate, delay) in
            [(100 << 20, 1), (100 << 20, 80), (1 << 20, 80), (25 << 20, 20), (100 << 10, 300)]
        {
            let (got, ..) = over(rate, Millis(delay), 30);
            assert!(got * 10 >= rate * 9, "{rate} B/s at {delay} ms: {got} B/s");
        }
    }

    #[test]
    fn a_slow_link_has_no_long_queue_and_finishes_each_piece_in_time() {
        let (got, longest, most) = over(2 << 10, Millis(80), 2000);
        assert!(got >= (2 << 10) * 9 / 10, "{got}");
        assert!(most <= FIRST_WINDOW + FIRST_CHUNK, "{most}");
        assert!(longest <= Millis::secs(140), "only the first pieces wait for each other: {longest:?}");
        let mut window = Window::new(BOUNDS);
        window.restart(true);
        assert_eq!((window.chunk(), window.bytes()), (LEAST_CHUNK, 2 * LEAST_CHUNK));
    }

    #[test]
    fn the_window_stays_within_its_bounds() {
        let mut window = Window::new(BOUNDS);
        for n in 0..100_000 {
            window.came(Millis(n / 50), Millis((n / 50).saturating_sub(80)), window.chunk());
            assert!((2 * LEAST_CHUNK..=BOUNDS.window).contains(&window.bytes()));
            assert!((LEAST_CHUNK..=BOUNDS.chunk).contains(&window.chunk()));
        }
    }
}
