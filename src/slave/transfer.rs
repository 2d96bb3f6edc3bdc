//! The slave's side of the file channel (`wire-spec/file.md`): a pure state machine that serves one file after the
//! other, over one connection as long as it holds.
//!
//! In: which transfer is wanted, what happened to the connection, what the master asks for. Out: [`Effect`]s. It knows
//! no sockets, no files and no clock; the bytes themselves never pass through it.
//!
//! ```text
//! wanted:  off ◄──begin / DONE──► on {transfer, size, FETCHes not yet answered}
//! link:    away ──wanted, time──► connecting ──► open ──HELLO(transfer)──► (greeted)
//!            ▲                        │            │
//!            └────────────────────────┴── lost ────┘        (back-off, HELLO with the same transfer again)
//! ```

use std::collections::VecDeque;

use log::Level;

use super::backoff::Backoff;
use crate::domain::Millis;
use crate::wire::file::{FromSlave, ToSlave};
use crate::wire::limits::CHUNK_BYTES;

/// FETCHes not yet answered; at the limit the connection is not read.
pub const QUEUE: usize = 1024;

/// More FETCHes on one connection than a master has under way before the first piece has come: bytes get through.
const PROVES_LINK: u32 = 16;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Time has passed: due whenever [`Transfer::next_deadline`] is reached.
    Tick,
    /// The master waits for a file of this size.
    Begin {
        /// What HELLO names.
        transfer: [u8; 16],
        /// In bytes.
        size: u64,
    },
    /// No transfer is wanted any more.
    Off,
    /// The connection stands and the master's preamble was right.
    Connected,
    /// There is no connection, or no longer; for people, why.
    Disconnected(String),
    /// A message came.
    Message(ToSlave),
    /// What was sent has left this process, but for less than one chunk: there is room for the next.
    Drained,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Connect to the master's file port.
    Connect,
    /// Close the connection. Not answered by [`Input::Disconnected`].
    Disconnect,
    /// Send a message.
    Send(FromSlave),
    /// Read these bytes of the file and send them as a CHUNK.
    SendChunk {
        /// Where they begin.
        offset: u64,
        /// How many, at most [`CHUNK_BYTES`].
        length: u32,
    },
    /// Every byte is on the master's disk.
    Finished,
    /// Tell the operator.
    Report(Level, String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Away { retry_at: Millis },
    Connecting,
    Open { greeted: bool },
}

#[derive(Debug)]
struct Wanted {
    transfer: [u8; 16],
    size: u64,
    asked: VecDeque<(u64, u32)>,
    /// FETCHes that came on this connection.
    fetched: u32,
}

/// The state of the file channel.
#[derive(Debug)]
pub struct Transfer {
    backoff: Backoff,
    link: Link,
    wanted: Option<Wanted>,
    room: bool,
}

impl Transfer {
    /// A channel that is not connected, and will not be before a transfer is wanted.
    pub fn new(seed: u64) -> Self {
        Self {
            backoff: Backoff::new(seed),
            link: Link::Away { retry_at: Millis(0) },
            wanted: None,
            room: false,
        }
    }

    /// When [`Input::Tick`] is due at the latest.
    pub fn next_deadline(&self) -> Option<Millis> {
        match (self.link, &self.wanted) {
            (Link::Away { retry_at }, Some(_)) => Some(retry_at),
            _ => None,
        }
    }

    /// Whether another message can be taken now.
    pub fn takes_input(&self) -> bool {
        self.wanted.as_ref().is_none_or(|wanted| wanted.asked.len() < QUEUE)
    }

    /// Takes note of what happened; appends what is to be done.
    pub fn handle(&mut self, now: Millis, input: Input, out: &mut Vec<Effect>) {
        match input {
            Input::Tick => {}
            Input::Begin { transfer, size } => self.begin(transfer, size, out),
            Input::Off => self.off(now, out),
            Input::Connected => match self.link {
                Link::Connecting if self.wanted.is_some() => {
                    self.link = Link::Open { greeted: false };
                    self.room = true;
                }
                // nobody wants it any more
                Link::Connecting => self.close(now, out),
                Link::Away { .. } | Link::Open { .. } => {}
            },
            Input::Disconnected(reason) => self.lost(now, &reason, out),
            Input::Message(message) => {
                if let Err(wrong) = self.take(message, out) {
                    out.push(Effect::Disconnect);
                    if self.wanted.is_none() {
                        out.push(Effect::Report(Level::Warn, format!("file channel: {wrong}")));
                    }
                    self.lost(now, &wrong, out);
                }
            }
            Input::Drained => self.room = true,
        }
        self.advance(now, out);
    }

    fn begin(&mut self, transfer: [u8; 16], size: u64, out: &mut Vec<Effect>) {
        if self.wanted.is_some() && matches!(self.link, Link::Open { greeted: true }) {
            // The connection speaks of another transfer that never came to its end.
            out.push(Effect::Disconnect);
            self.link = Link::Away { retry_at: Millis(0) };
        }
        self.wanted = Some(Wanted { transfer, size, asked: VecDeque::new(), fetched: 0 });
    }

    fn off(&mut self, now: Millis, out: &mut Vec<Effect>) {
        self.wanted = None;
        self.backoff.reset();
        if matches!(self.link, Link::Open { .. }) {
            self.close(now, out);
        }
    }

    fn close(&mut self, now: Millis, out: &mut Vec<Effect>) {
        out.push(Effect::Disconnect);
        self.link = Link::Away { retry_at: now };
        self.room = false;
    }

    fn lost(&mut self, now: Millis, reason: &str, out: &mut Vec<Effect>) {
        self.room = false;
        let Some(wanted) = &mut self.wanted else {
            // between two files the master may close it; the next transfer connects at once
            self.link = Link::Away { retry_at: now };
            return;
        };
        wanted.asked.clear();
        wanted.fetched = 0;
        let wait = self.backoff.next_wait();
        self.link = Link::Away { retry_at: now + wait };
        let text = format!("file channel: {reason}; next attempt in {:.1} s", wait.0 as f64 / 1e3);
        out.push(Effect::Report(Level::Warn, text));
    }

    fn take(&mut self, message: ToSlave, out: &mut Vec<Effect>) -> Result<(), String> {
        let Some(wanted) = self.wanted.as_mut().filter(|_| self.link == Link::Open { greeted: true }) else {
            return Err(format!("{} without a transfer", message.name()));
        };
        match message {
            ToSlave::Fetch { offset, length } => {
                let fits = offset.checked_add(length.into()).is_some_and(|end| end <= wanted.size);
                if length == 0 || length as usize > CHUNK_BYTES || !fits {
                    return Err(format!("FETCH of {length} bytes at {offset}, the file has {}", wanted.size));
                }
                if wanted.asked.len() >= QUEUE {
                    return Err(format!("more than {QUEUE} FETCHes"));
                }
                wanted.asked.push_back((offset, length));
                // that the master asks shows only that small things get through, and a path that lets no large ones
                // through would be tried as often as it breaks
                wanted.fetched = wanted.fetched.saturating_add(1);
                if wanted.fetched > PROVES_LINK {
                    self.backoff.reset();
                }
            }
            ToSlave::Done {} => {
                self.wanted = None;
                self.link = Link::Open { greeted: false };
                self.backoff.reset();
                out.push(Effect::Finished);
            }
        }
        Ok(())
    }

    /// Connects, greets and answers as far as the state allows.
    fn advance(&mut self, now: Millis, out: &mut Vec<Effect>) {
        let Some(wanted) = &mut self.wanted else { return };
        match self.link {
            Link::Away { retry_at } if now >= retry_at => {
                self.link = Link::Connecting;
                out.push(Effect::Connect);
            }
            Link::Open { greeted: false } => {
                out.push(Effect::Send(FromSlave::Hello { transfer: wanted.transfer }));
                self.link = Link::Open { greeted: true };
            }
            Link::Open { greeted: true } if self.room => {
                if let Some((offset, length)) = wanted.asked.pop_front() {
                    out.push(Effect::SendChunk { offset, length });
                    self.room = false;
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: [u8; 16] = [1; 16];
    const TWO: [u8; 16] = [2; 16];

    struct Rig {
        transfer: Transfer,
        now: Millis,
    }

    impl Rig {
        fn new() -> Self {
            Self { transfer: Transfer::new(7), now: Millis::secs(100) }
        }

        fn put(&mut self, input: Input) -> Vec<Effect> {
            let mut out = Vec::new();
            self.transfer.handle(self.now, input, &mut out);
            out
        }

        fn fetch(&mut self, offset: u64, length: u32) -> Vec<Effect> {
            self.put(Input::Message(ToSlave::Fetch { offset, length }))
        }

        /// Connected and greeted for a file of 1,000,000 bytes.
        fn serving() -> Self {
            let mut rig = Self::new();
            assert_eq!(rig.put(Input::Begin { transfer: ONE, size: 1_000_000 }), [Effect::Connect]);
            assert_eq!(rig.put(Input::Connected), [Effect::Send(FromSlave::Hello { transfer: ONE })]);
            rig
        }

        fn expect_drop(&mut self, out: &[Effect], why: &str) {
            let [Effect::Disconnect, Effect::Report(Level::Warn, text)] = out else { panic!("{out:?}") };
            assert!(text.contains(why), "{text}");
        }
    }

    #[test]
    fn fetches_are_answered_in_order_one_chunk_at_a_time() {
        let mut rig = Rig::serving();
        assert_eq!(rig.fetch(0, 1000), [Effect::SendChunk { offset: 0, length: 1000 }]);
        assert_eq!(rig.fetch(5000, 10), []);
        assert_eq!(rig.fetch(1000, 20), []);
        assert_eq!(rig.put(Input::Drained), [Effect::SendChunk { offset: 5000, length: 10 }]);
        assert_eq!(rig.put(Input::Drained), [Effect::SendChunk { offset: 1000, length: 20 }]);
        assert_eq!(rig.put(Input::Drained), []);
        assert_eq!(rig.fetch(999_999, 1), [Effect::SendChunk { offset: 999_999, length: 1 }]);
        assert_eq!(rig.put(Input::Message(ToSlave::Done {})), [Effect::Finished]);
    }

    #[test]
    fn one_connection_serves_one_file_after_the_other() {
        let mut rig = Rig::serving();
        assert_eq!(rig.put(Input::Message(ToSlave::Done {})), [Effect::Finished]);
        let hello = [Effect::Send(FromSlave::Hello { transfer: TWO })];
        assert_eq!(rig.put(Input::Begin { transfer: TWO, size: 10 }), hello);
        assert_eq!(rig.fetch(0, 10), [Effect::SendChunk { offset: 0, length: 10 }]);
        assert_eq!(rig.put(Input::Off), [Effect::Disconnect]);
        assert_eq!(rig.transfer.next_deadline(), None);
    }

    #[test]
    fn a_broken_connection_says_hello_with_the_same_transfer_until_it_is_off() {
        let mut rig = Rig::serving();
        rig.fetch(0, 1000);
        rig.fetch(1000, 1000);
        for _ in 0..5 {
            let out = rig.put(Input::Disconnected("reset".into()));
            assert!(matches!(out[..], [Effect::Report(Level::Warn, _)]), "{out:?}");
            assert_eq!(rig.put(Input::Tick), [], "not before its time");
            rig.now = rig.transfer.next_deadline().unwrap();
            assert_eq!(rig.put(Input::Tick), [Effect::Connect]);
            assert_eq!(rig.put(Input::Connected), [Effect::Send(FromSlave::Hello { transfer: ONE })]);
            assert_eq!(rig.put(Input::Drained), [], "what was asked on the old connection is not answered");
        }
        rig.put(Input::Disconnected("reset".into()));
        rig.put(Input::Off);
        assert_eq!(rig.transfer.next_deadline(), None);
    }

    #[test]
    fn a_link_that_breaks_under_the_first_chunks_is_tried_less_and_less_often_and_one_that_carries_at_once() {
        let mut rig = Rig::serving();
        let breaks_after = |rig: &mut Rig, fetches: u64| {
            (0..fetches).for_each(|n| drop(rig.fetch(n, 1)));
            rig.put(Input::Disconnected("reset".into()));
            let wait = rig.transfer.next_deadline().unwrap().since(rig.now);
            rig.now = rig.transfer.next_deadline().unwrap();
            rig.put(Input::Tick);
            rig.put(Input::Connected);
            wait
        };
        let waits: Vec<Millis> = (0..20).map(|_| breaks_after(&mut rig, PROVES_LINK.into())).collect();
        assert!(waits.iter().map(|wait| wait.0).sum::<u64>() > 240_000, "{waits:?}");
        assert!(breaks_after(&mut rig, u64::from(PROVES_LINK) + 1) <= Millis::secs(2));
    }

    #[test]
    fn a_transfer_that_is_off_before_the_connection_stands_is_not_begun() {
        let mut rig = Rig::new();
        rig.put(Input::Begin { transfer: ONE, size: 5 });
        assert_eq!(rig.put(Input::Off), []);
        assert_eq!(rig.put(Input::Connected), [Effect::Disconnect]);
        assert_eq!(rig.put(Input::Begin { transfer: TWO, size: 5 }), [Effect::Connect]);
    }

    #[test]
    fn a_new_transfer_before_the_old_one_is_done_uses_a_new_connection() {
        let mut rig = Rig::serving();
        rig.fetch(0, 1000);
        let out = rig.put(Input::Begin { transfer: TWO, size: 5 });
        assert_eq!(out, [Effect::Disconnect, Effect::Connect]);
        assert_eq!(rig.put(Input::Connected), [Effect::Send(FromSlave::Hello { transfer: TWO })]);
    }

    #[test]
    fn the_master_may_close_between_two_files() {
        let mut rig = Rig::serving();
        rig.put(Input::Message(ToSlave::Done {}));
        assert_eq!(rig.put(Input::Disconnected("end of stream".into())), []);
        assert_eq!(rig.put(Input::Begin { transfer: TWO, size: 5 }), [Effect::Connect]);
    }

    #[test]
    fn fetches_outside_the_file_or_the_protocol_drop_the_connection() {
        for (offset, length) in
            [(0, 0), (0, CHUNK_BYTES as u32 + 1), (1_000_000, 1), (u64::MAX, 2), (999_990, 11)]
        {
            let mut rig = Rig::serving();
            let out = rig.fetch(offset, length);
            rig.expect_drop(&out, "FETCH of");
        }
        let mut rig = Rig::serving();
        rig.put(Input::Message(ToSlave::Done {}));
        let out = rig.fetch(0, 1);
        rig.expect_drop(&out, "FETCH without a transfer");
        assert_eq!(rig.transfer.next_deadline(), None, "nothing to come back for");
    }

    #[test]
    fn the_queue_of_fetches_is_bounded_by_not_reading() {
        let mut rig = Rig::serving();
        let mut taken = 0;
        while rig.transfer.takes_input() {
            rig.fetch(taken, 1);
            taken += 1;
            assert!(taken < 10_000);
        }
        assert_eq!(taken as usize, QUEUE + 1, "the first went out at once");
        rig.put(Input::Drained);
        assert!(rig.transfer.takes_input());
    }
}
