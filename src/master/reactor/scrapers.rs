//! Connections of scrapers: one request, one answer, the end. Read-only, and nobody of the farm's.
//!
//! ```text
//!   reading ──whole request──► asked ──the text is there──► answering ──all written──► seeing its end ──► gone
//!      └── rubbish, too long: dropped           any stage: METRICS_TIME, then dropped
//! ```
//!
//! They have slots of their own, [`METRICS_CONNECTIONS`], and count for none of the farm's limits. When all are taken the
//! oldest goes: whoever only holds one makes room for one that asks. The text is made once a [`METRICS_FRESH`] at most.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;

use bytes::{Buf, Bytes, BytesMut};
use mio::{Interest, Registry, Token};

use super::connection::Stream;
use crate::domain::Millis;
use crate::master::limits::{METRICS_CONNECTIONS, METRICS_FRESH, METRICS_REQUEST_BYTES, METRICS_TIME};
use crate::master::metrics::figures::Traffic;
use crate::master::metrics::http::{self, Read, Request};
use crate::master::metrics::sheet::Format;
use crate::master::refusals::Refusal;

/// The slots' tokens: between those of the listeners and those of the farm's connections.
pub(super) const TOKENS: Range<usize> = 40..40 + METRICS_CONNECTIONS;
/// Bytes behind a request that are read, for closing with bytes unread would take the answer back from the scraper.
const DISCARD_BYTES: usize = 64 << 10;

/// A scraper that was dropped, and why.
pub(super) type Dropped = (String, Refusal, String);

#[derive(Debug)]
enum Stage {
    Reading(BytesMut),
    Asked(Request),
    Answering { head: Bytes, body: Bytes },
    Ending { discarded: usize },
}

struct Scraper {
    stream: Stream,
    peer: String,
    since: Millis,
    stage: Stage,
    /// There may be something to read.
    readable: bool,
    watches_writable: bool,
}

/// All of them.
#[derive(Default)]
pub(super) struct Scrapers {
    slots: [Option<Scraper>; METRICS_CONNECTIONS],
    /// The text as it was made last, in each format, and when.
    texts: Vec<(Format, Millis, Bytes)>,
    /// Answers by status.
    pub(super) answers: BTreeMap<u16, u64>,
    pub(super) traffic: Traffic,
}

impl Scrapers {
    /// A scraper connected. One that must go for it is given back.
    pub(super) fn adopt(
        &mut self,
        registry: &Registry,
        stream: Stream,
        peer: String,
        now: Millis,
    ) -> io::Result<Option<Dropped>> {
        self.traffic.opened += 1;
        let free = self.slots.iter().position(Option::is_none);
        let oldest =
            || (0..self.slots.len()).min_by_key(|n| self.slots[*n].as_ref().map(|scraper| scraper.since));
        let Some(slot) = free.or_else(oldest) else { return Ok(None) };
        let dropped = self.drop(registry, slot).map(|peer| {
            let reason = format!("{METRICS_CONNECTIONS} others scrape at the same time, which is the limit");
            (peer, Refusal::TooMany, reason)
        });
        let stage = Stage::Reading(BytesMut::new());
        let mut scraper =
            Scraper { stream, peer, since: now, stage, readable: true, watches_writable: false };
        registry.register(&mut scraper.stream, Token(TOKENS.start + slot), Interest::READABLE)?;
        self.slots[slot] = Some(scraper);
        self.traffic.open = self.open();
        Ok(dropped)
    }

    fn open(&self) -> u64 {
        self.slots.iter().flatten().count() as u64
    }

    fn drop(&mut self, registry: &Registry, slot: usize) -> Option<String> {
        let mut scraper = self.slots[slot].take()?;
        let _ = registry.deregister(&mut scraper.stream);
        self.traffic.open = self.open();
        Some(scraper.peer)
    }

    /// Something came on a slot.
    pub(super) fn noticed(&mut self, token: usize) {
        if let Some(Some(scraper)) = self.slots.get_mut(token - TOKENS.start) {
            scraper.readable = true;
        }
    }

    /// Whether the next turn has work, whatever comes: the end of one that was answered just now may be there already.
    pub(super) fn more(&self) -> bool {
        self.slots
            .iter()
            .flatten()
            .any(|scraper| scraper.readable && matches!(scraper.stage, Stage::Ending { .. }))
    }

    /// Reads what has come on all of them. What it read is bounded by what a request, and what may follow it, is.
    pub(super) fn read(&mut self, registry: &Registry, scratch: &mut [u8]) -> Vec<Dropped> {
        let mut dropped = Vec::new();
        for slot in 0..self.slots.len() {
            let Some(scraper) = &mut self.slots[slot] else { continue };
            match scraper.read(scratch, &mut self.traffic.received) {
                Ok(true) => {}
                Ok(false) => _ = self.drop(registry, slot),
                Err((refusal, reason)) => {
                    dropped.extend(self.drop(registry, slot).map(|peer| (peer, refusal, reason.to_owned())));
                }
            }
        }
        dropped
    }

    /// A format in which the text is wanted, and not at hand from less than [`METRICS_FRESH`] ago.
    pub(super) fn wants(&mut self, now: Millis) -> Option<Format> {
        self.texts.retain(|(_, at, _)| now.since(*at) < METRICS_FRESH);
        let wanted = self.slots.iter().flatten().filter_map(|scraper| match scraper.stage {
            Stage::Asked(Request::Metrics { format, .. }) => Some(format),
            _ => None,
        });
        wanted.into_iter().find(|format| self.text(*format).is_none())
    }

    fn text(&self, format: Format) -> Option<&Bytes> {
        self.texts.iter().find(|(of, _, _)| *of == format).map(|(_, _, text)| text)
    }

    /// The text.
    pub(super) fn keep(&mut self, format: Format, now: Millis, text: String) {
        self.texts.push((format, now, text.into()));
    }

    /// Answers those that asked, and writes what the sockets take.
    pub(super) fn write(&mut self, registry: &Registry) {
        for slot in 0..self.slots.len() {
            let Some(Scraper { stage: Stage::Asked(request), .. }) = &self.slots[slot] else { continue };
            let request = *request;
            let text = match request {
                Request::Metrics { format, .. } => self.text(format).cloned(),
                Request::Missing { .. } | Request::NotAllowed => Some(Bytes::new()),
            };
            let (Some(text), Some(scraper)) = (text, &mut self.slots[slot]) else { continue };
            let answer = http::answer(request, &text);
            *self.answers.entry(answer.status).or_default() += 1;
            scraper.stage = Stage::Answering { head: answer.head, body: answer.body };
        }
        for slot in 0..self.slots.len() {
            let Some(scraper) = &mut self.slots[slot] else { continue };
            let written = scraper.write(&mut self.traffic.sent);
            if written.and_then(|blocked| scraper.watch(registry, slot, blocked)).is_err() {
                self.drop(registry, slot);
            }
        }
    }

    /// Drops those whose time is up.
    pub(super) fn tick(&mut self, registry: &Registry, now: Millis) -> Vec<Dropped> {
        let mut dropped = Vec::new();
        for slot in 0..self.slots.len() {
            let Some(scraper) = &self.slots[slot] else { continue };
            if now.since(scraper.since) <= METRICS_TIME {
                continue;
            }
            let why = match scraper.stage {
                Stage::Reading(_) | Stage::Asked(_) => Some((Refusal::TooSlow, "no whole request")),
                Stage::Answering { .. } => Some((Refusal::NotReading, "it has not read the answer")),
                // it was answered, and that is all it wanted
                Stage::Ending { .. } => None,
            };
            let peer = self.drop(registry, slot);
            let said = |what| format!("{what} after {} s", METRICS_TIME.0 / 1000);
            dropped.extend(peer.zip(why).map(|(peer, (refusal, what))| (peer, refusal, said(what))));
        }
        dropped
    }
}

impl Scraper {
    /// Reads until there is nothing more. False: it is gone, or has all it asked for.
    fn read(&mut self, scratch: &mut [u8], received: &mut u64) -> Result<bool, (Refusal, &'static str)> {
        loop {
            // one that does not read its answer is not read either
            if !self.readable || matches!(self.stage, Stage::Asked(_) | Stage::Answering { .. }) {
                return Ok(true);
            }
            // a request and one byte over it: enough to see that it is too long
            let most = scratch.len().min(METRICS_REQUEST_BYTES + 1);
            let came = match self.stream.read(&mut scratch[..most]) {
                Ok(0) => return Ok(false),
                Ok(came) => came,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.readable = false;
                    return Ok(true);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return Ok(false),
            };
            *received += came as u64;
            match &mut self.stage {
                Stage::Reading(input) => {
                    input.extend_from_slice(&scratch[..came]);
                    match http::read(input) {
                        Read::More => {}
                        Read::Whole(request) => self.stage = Stage::Asked(request),
                        Read::Rubbish(reason) => return Err((Refusal::Protocol, reason)),
                    }
                }
                Stage::Ending { discarded } => {
                    *discarded += came;
                    if *discarded > DISCARD_BYTES {
                        return Ok(false);
                    }
                }
                Stage::Asked(_) | Stage::Answering { .. } => {}
            }
        }
    }

    /// Writes what the socket takes; whether it takes no more for now.
    fn write(&mut self, sent: &mut u64) -> io::Result<bool> {
        let Stage::Answering { head, body } = &mut self.stage else { return Ok(false) };
        loop {
            let next = if head.is_empty() { &mut *body } else { &mut *head };
            if next.is_empty() {
                break;
            }
            match self.stream.write(next) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    next.advance(written);
                    *sent += written as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.stream.end_writing()?;
        self.stage = Stage::Ending { discarded: 0 };
        Ok(false)
    }

    /// Has the poll watch for what is wanted now.
    fn watch(&mut self, registry: &Registry, slot: usize, blocked: bool) -> io::Result<()> {
        if blocked == self.watches_writable {
            return Ok(());
        }
        self.watches_writable = blocked;
        let interest = if blocked { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
        registry.reregister(&mut self.stream, Token(TOKENS.start + slot), interest)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::UnixStream;

    use mio::Poll;

    use super::*;

    struct Bench {
        poll: Poll,
        scrapers: Scrapers,
        now: Millis,
        made: usize,
    }

    impl Bench {
        fn new() -> Self {
            Self { poll: Poll::new().unwrap(), scrapers: Scrapers::default(), now: Millis(5000), made: 0 }
        }

        fn connect(&mut self) -> (UnixStream, Option<Dropped>) {
            let (theirs, ours) = UnixStream::pair().unwrap();
            ours.set_nonblocking(true).unwrap();
            theirs.set_nonblocking(true).unwrap();
            let stream = Stream::Unix(mio::net::UnixStream::from_std(ours));
            let dropped = self.scrapers.adopt(self.poll.registry(), stream, "a scraper".to_owned(), self.now);
            (theirs, dropped.unwrap())
        }

        /// A turn, in which the text is this long if it is wanted.
        fn turn(&mut self, bytes: usize) -> Vec<Dropped> {
            TOKENS.for_each(|token| self.scrapers.noticed(token));
            let mut dropped = self.scrapers.read(self.poll.registry(), &mut [0; 65_536]);
            while let Some(format) = self.scrapers.wants(self.now) {
                self.made += 1;
                self.scrapers.keep(format, self.now, "x".repeat(bytes));
            }
            self.scrapers.write(self.poll.registry());
            dropped.extend(self.scrapers.tick(self.poll.registry(), self.now));
            dropped
        }
    }

    /// What has come, and whether it was the end.
    fn heard(stream: &mut UnixStream) -> (String, bool) {
        let mut bytes = Vec::new();
        let end = stream.read_to_end(&mut bytes).is_ok();
        (String::from_utf8(bytes).unwrap(), end)
    }

    const GET: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";

    #[test]
    fn a_request_in_pieces_is_answered_once_and_the_connection_ends() {
        let mut bench = Bench::new();
        let (mut scraper, _) = bench.connect();
        for byte in GET {
            assert_eq!(heard(&mut scraper), (String::new(), false));
            scraper.write_all(&[*byte]).unwrap();
            assert_eq!(bench.turn(10), []);
        }
        let (answer, end) = heard(&mut scraper);
        assert!(
            answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nxxxxxxxxxx") && end,
            "{answer}"
        );
        assert_eq!(bench.scrapers.traffic.open, 1, "until the scraper has closed, too");
        drop(scraper);
        assert_eq!(bench.turn(10), []);
        let Traffic { open, opened, received, sent } = bench.scrapers.traffic;
        assert_eq!((open, opened, received, sent), (0, 1, GET.len() as u64, answer.len() as u64));
        assert_eq!(bench.scrapers.answers, BTreeMap::from([(200, 1)]));
    }

    #[test]
    fn one_that_holds_a_slot_makes_room_for_one_that_asks() {
        let mut bench = Bench::new();
        let mut holders: Vec<_> = (0..METRICS_CONNECTIONS)
            .map(|_| {
                bench.now = bench.now + Millis(1);
                bench.connect().0
            })
            .collect();
        let (mut scraper, dropped) = bench.connect();
        assert!(matches!(dropped, Some((_, Refusal::TooMany, _))), "{dropped:?}");
        assert!(heard(&mut holders[0]).1 && !heard(&mut holders[1]).1, "the oldest");
        scraper.write_all(GET).unwrap();
        bench.turn(1);
        assert!(heard(&mut scraper).0.starts_with("HTTP/1.1 200"));
    }

    #[test]
    fn the_slow_the_deaf_and_the_odd_are_dropped_for_what_they_are() {
        let mut bench = Bench::new();
        let (mut slow, _) = bench.connect();
        let (mut deaf, _) = bench.connect();
        let (mut odd, _) = bench.connect();
        slow.write_all(b"GET /me").unwrap();
        deaf.write_all(GET).unwrap();
        odd.write_all(&[0x16, 3, 1, 0]).unwrap();
        let much = 8 << 20;
        let [(_, Refusal::Protocol, reason)] = &bench.turn(much)[..] else { panic!("one is odd") };
        assert_eq!(reason, "it does not speak HTTP");
        assert!(heard(&mut odd).1);
        bench.now = bench.now + METRICS_TIME;
        assert_eq!(bench.turn(much), [], "their time is not up");
        bench.now = bench.now + Millis(1);
        let why: Vec<_> = bench.turn(much).into_iter().map(|(_, refusal, _)| refusal).collect();
        assert_eq!(why, [Refusal::TooSlow, Refusal::NotReading]);
        assert!(heard(&mut slow).1 && heard(&mut deaf).1);
        assert_eq!(bench.scrapers.traffic.open, 0);
    }

    #[test]
    fn an_answer_that_the_socket_does_not_take_at_once_comes_whole() {
        let mut bench = Bench::new();
        let (mut scraper, _) = bench.connect();
        scraper.write_all(GET).unwrap();
        let much = 4 << 20;
        let mut came = String::new();
        for _ in 0..1000 {
            assert_eq!(bench.turn(much), []);
            let (more, end) = heard(&mut scraper);
            came += &more;
            if end {
                break;
            }
        }
        assert!(came.len() > much && came.ends_with("xx"), "{}", came.len());
    }

    #[test]
    fn many_scrapes_at_once_have_one_text_for_each_format() {
        let mut bench = Bench::new();
        let open = b"GET /metrics HTTP/1.1\r\nAccept: application/openmetrics-text\r\n\r\n";
        for round in 1..=2 {
            for request in [GET, GET, open, open, b"GET / HTTP/1.1\r\n\r\n"] {
                let (mut scraper, _) = bench.connect();
                scraper.write_all(request).unwrap();
                bench.turn(1);
                assert!(heard(&mut scraper).1);
                drop(scraper);
                bench.turn(1);
            }
            assert_eq!(bench.made, 2 * round);
            bench.now = bench.now + METRICS_FRESH;
        }
        assert_eq!(bench.scrapers.answers, BTreeMap::from([(200, 8), (404, 2)]));
    }

    #[test]
    fn what_follows_a_request_does_not_take_its_answer_back_and_is_not_endless() {
        let mut bench = Bench::new();
        let (mut scraper, _) = bench.connect();
        scraper.write_all(&[GET, GET].concat()).unwrap();
        bench.turn(1);
        let (answer, end) = heard(&mut scraper);
        assert!(end && answer.matches("HTTP/1.1 200").count() == 1, "{answer}");
        let mut sent = 0;
        while bench.scrapers.traffic.open > 0 {
            sent += scraper.write(&[b'x'; 4096]).unwrap_or_default();
            bench.turn(1);
            assert!(sent <= 2 * DISCARD_BYTES, "{sent}");
        }
    }
}
