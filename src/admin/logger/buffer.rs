//! Records between whoever reads a log and whoever hands them to the master: the one place where they wait, and where
//! they are lost when they may be. Knows neither lines nor sockets.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::wire::import::Download;
use crate::wire::limits::DOWNLOAD_RECORDS;

/// Records that wait, at most: some 12 MB. What comes beyond waits or is dropped, as [`WhenFull`] says.
pub(crate) const BUFFER_RECORDS: usize = 20_000;
/// How long the first record of a batch waits for others.
const BATCH_AGE: Duration = Duration::from_secs(1);
/// How long a reader that may lose records waits for room; after that, not at all until there was some.
const ROOM_PATIENCE: Duration = Duration::from_secs(1);

/// The longest pause after the end was asked for.
const HURRIED_PAUSE: Duration = Duration::from_millis(50);

/// What becomes of a record that has no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WhenFull {
    /// It is dropped at once: whoever writes what is read must not wait.
    Drop,
    /// It waits for a moment, and is dropped then.
    DropLater,
    /// It waits.
    Wait,
}

/// A record and where it was read.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) record: Download,
    /// Which input, counted from 0.
    pub(crate) input: usize,
    /// Which line of it, counted from 1.
    pub(crate) line: u64,
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Put {
    /// It waits to be sent.
    Kept,
    /// It was dropped.
    Dropped,
    /// Nothing is taken any more.
    Closed,
}

/// The records that wait.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Inner {
    waiting: VecDeque<Entry>,
    /// When the first of them came.
    first: Option<Instant>,
    /// From then on no record comes, or is taken.
    ends: Option<Instant>,
    closed: bool,
    /// The last wait for room was in vain.
    stuck: bool,
    /// When somebody asked for the end.
    stopped: Option<Instant>,
}

impl Inner {
    fn ended(&self) -> bool {
        self.closed || self.ends.is_some_and(|at| at <= Instant::now())
    }

    fn end_by(&mut self, at: Instant) {
        self.ends = Some(self.ends.map_or(at, |before| before.min(at)));
    }
}

impl Buffer {
    /// Takes a record in.
    pub(crate) fn put(&self, entry: Entry, when_full: WhenFull) -> Put {
        let mut inner = self.lock();
        let until = Instant::now() + ROOM_PATIENCE;
        while !inner.ended() && inner.waiting.len() >= BUFFER_RECORDS {
            let left = match when_full {
                WhenFull::Wait => ROOM_PATIENCE,
                WhenFull::DropLater if !inner.stuck => until.saturating_duration_since(Instant::now()),
                WhenFull::Drop | WhenFull::DropLater => Duration::ZERO,
            };
            if left.is_zero() {
                inner.stuck = true;
                return Put::Dropped;
            }
            inner = self.wait(inner, left);
        }
        if inner.ended() {
            return Put::Closed;
        }
        inner.stuck = false;
        inner.first.get_or_insert_with(Instant::now);
        inner.waiting.push_back(entry);
        if inner.waiting.len() == DOWNLOAD_RECORDS {
            self.changed.notify_all();
        }
        Put::Kept
    }

    /// No record will come any more.
    pub(crate) fn end(&self) {
        self.lock().end_by(Instant::now());
        self.changed.notify_all();
    }

    /// Somebody asked for the end: what comes until a moment from now is still taken, and pauses end.
    pub(crate) fn stop(&self, moment: Duration) {
        let now = Instant::now();
        let mut inner = self.lock();
        inner.stopped.get_or_insert(now);
        inner.end_by(now + moment);
        drop(inner);
        self.changed.notify_all();
    }

    /// When the records end, and when the end was asked for.
    pub(crate) fn ends(&self) -> (Option<Instant>, Option<Instant>) {
        let inner = self.lock();
        (inner.ends, inner.stopped)
    }

    /// Throws away what waits, and takes nothing any more.
    pub(crate) fn close(&self) {
        let mut inner = self.lock();
        inner.closed = true;
        inner.waiting.clear();
        inner.first = None;
        self.changed.notify_all();
    }

    /// The next records, when there are enough for a batch, the first has waited long enough, or no more come. None at
    /// the end.
    pub(crate) fn batch(&self) -> Option<Vec<Entry>> {
        let mut inner = self.lock();
        loop {
            let more = inner.ends.map_or(BATCH_AGE, |at| at.saturating_duration_since(Instant::now()));
            let due = match inner.first {
                None if inner.ended() => return None,
                None => more.min(BATCH_AGE),
                Some(_) if inner.waiting.len() >= DOWNLOAD_RECORDS => Duration::ZERO,
                Some(first) => more.min(BATCH_AGE.saturating_sub(first.elapsed())),
            };
            if due.is_zero() && inner.first.is_some() {
                let most = inner.waiting.len().min(DOWNLOAD_RECORDS);
                let batch: Vec<Entry> = inner.waiting.drain(..most).collect();
                inner.first = (!inner.waiting.is_empty()).then(Instant::now);
                self.changed.notify_all();
                return Some(batch);
            }
            inner = self.wait(inner, due);
        }
    }

    /// Waits for so long, or until the end is asked for.
    pub(crate) fn pause(&self, span: Duration) {
        let until = Instant::now() + span;
        let mut inner = self.lock();
        // once the end was asked for, not for long, and still not in a tight loop
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let hurried = inner.stopped.is_some();
            inner = self.wait(inner, if hurried { left.min(HURRIED_PAUSE) } else { left });
            if hurried {
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, inner: MutexGuard<'a, Inner>, span: Duration) -> MutexGuard<'a, Inner> {
        self.changed.wait_timeout(inner, span).unwrap_or_else(PoisonError::into_inner).0
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::admin::logger::access::SimplePath;
    use crate::admin::logger::format::Lines;

    fn entry(line: u64) -> Entry {
        let text =
            br#"- - - [01/Jan/2026:00:00:00 +0000] "GET /simple/a/a-1-py3-none-any.whl HTTP/1.1" 200 1"#;
        let record = Lines::of(None).parse(text).unwrap().download(&SimplePath::standard()).unwrap();
        Entry { record, input: 0, line }
    }

    fn full() -> Buffer {
        let buffer = Buffer::default();
        for line in 0..BUFFER_RECORDS as u64 {
            assert_eq!(buffer.put(entry(line), WhenFull::Drop), Put::Kept);
        }
        buffer
    }

    #[test]
    fn a_full_buffer_drops_what_comes_and_keeps_what_was_there() {
        let buffer = full();
        assert_eq!(buffer.put(entry(0), WhenFull::Drop), Put::Dropped);
        let lines: Vec<u64> = buffer.batch().unwrap().iter().map(|entry| entry.line).collect();
        assert_eq!(lines, (0..500).collect::<Vec<_>>());
        assert_eq!(buffer.put(entry(20_000), WhenFull::Drop), Put::Kept);
        buffer.end();
        let mut left = 0;
        while let Some(batch) = buffer.batch() {
            left += batch.len();
        }
        assert_eq!(left, BUFFER_RECORDS - 500 + 1);
    }

    #[test]
    fn a_reader_that_may_lose_records_waits_once_and_then_not_until_there_was_room() {
        let buffer = full();
        let begun = Instant::now();
        assert_eq!(buffer.put(entry(0), WhenFull::DropLater), Put::Dropped);
        assert!(begun.elapsed() >= ROOM_PATIENCE);
        let begun = Instant::now();
        for _ in 0..1000 {
            assert_eq!(buffer.put(entry(0), WhenFull::DropLater), Put::Dropped);
        }
        assert!(begun.elapsed() < ROOM_PATIENCE * 100, "a wait for each would be {:?}", ROOM_PATIENCE * 1000);
        buffer.batch();
        assert_eq!(buffer.put(entry(0), WhenFull::DropLater), Put::Kept);
        assert!(!buffer.lock().stuck);
    }

    #[test]
    fn a_reader_that_may_wait_goes_on_when_there_is_room_or_nobody_takes_any_more() {
        for close in [false, true] {
            let buffer = Arc::new(full());
            let reader = std::thread::spawn({
                let buffer = buffer.clone();
                move || buffer.put(entry(20_000), WhenFull::Wait)
            });
            if close {
                buffer.close();
                assert!(buffer.batch().is_none());
            } else {
                assert_eq!(buffer.batch().unwrap().len(), 500);
            }
            assert_eq!(reader.join().unwrap(), if close { Put::Closed } else { Put::Kept });
        }
    }

    #[test]
    fn few_records_are_sent_when_they_are_old_enough_or_the_last() {
        let buffer = Buffer::default();
        buffer.put(entry(1), WhenFull::Drop);
        let begun = Instant::now();
        assert_eq!(buffer.batch().unwrap().len(), 1);
        assert!(begun.elapsed() + Duration::from_millis(50) >= BATCH_AGE, "others may come");
        buffer.put(entry(2), WhenFull::Drop);
        buffer.end();
        assert_eq!(buffer.batch().unwrap().len(), 1, "no others come");
        assert!(buffer.batch().is_none());
        assert_eq!(buffer.put(entry(3), WhenFull::Wait), Put::Closed);
    }
}
