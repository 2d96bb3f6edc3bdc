//! The file juggler: file transfers from slaves (manual 2.4.7, 8.12; `wire-spec/file.md`).
//!
//! In: transfers to expect, file channel messages, what the disk says. Out: FETCHes, writes, checks. It knows byte
//! ranges; not what a build is, no socket, no file, no clock.
//!
//! ```text
//!  expect ► waiting ──HELLO──► fetching ──every byte written──► checking ──► verdict
//!              ▲                  │                                 │
//!              └─connection lost──┘  disk failed, wrong digest ► failed: dropped, the publisher expects it anew
//! ```
//!
//! Memory is bounded: bytes that are asked for or not yet written are at most [`TRANSFER_WINDOW_BYTES`] per transfer
//! and, over all, [`ALL_WINDOWS_BYTES`] and one chunk for each transfer, so the writer's queue cannot grow past that.
//! Every transfer with a connection has one chunk under way at least: slow peers cannot keep the others waiting.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;

use super::event::{ConnId, DiskRequest, Effect, Expected, Message, TransferId};
use super::limits::{ALL_WINDOWS_BYTES, FILE_IDLE, FILE_SILENCE, TRANSFER_WINDOW_BYTES};
use crate::domain::Millis;
use crate::domain::ranges::RangeSet;
use crate::wire::file::{FromSlave, ToSlave};
use crate::wire::limits::CHUNK_BYTES;

/// What a slave must name to deliver a file: random, known to it alone.
pub type TransferKey = [u8; 16];

/// All transfers and the file connections.
#[derive(Debug, Default)]
pub struct FileJuggler {
    transfers: HashMap<TransferId, Transfer>,
    keys: HashMap<TransferKey, TransferId>,
    conns: HashMap<ConnId, Conn>,
    /// Bytes asked for or unwritten, over all transfers.
    in_flight: u64,
}

#[derive(Debug)]
struct Conn {
    transfer: Option<TransferId>,
    /// When it last sent something, or was last asked for something when nothing was due.
    heard: Millis,
}

#[derive(Debug)]
struct Transfer {
    key: TransferKey,
    expected: Expected,
    /// Not yet asked for on the current connection.
    missing: RangeSet,
    /// Asked for, in order, and not yet come.
    asked: VecDeque<Range<u64>>,
    /// Come, and not yet written.
    unwritten: u64,
    /// On disk.
    written: RangeSet,
    conn: Option<ConnId>,
}

impl Transfer {
    fn in_flight(&self) -> u64 {
        self.unwritten + self.asked.iter().map(|r| r.end - r.start).sum::<u64>()
    }
}

impl FileJuggler {
    /// A slave will send this file under this key; `size` is 1 at least.
    pub fn expect(&mut self, id: TransferId, key: TransferKey, expected: Expected, out: &mut Vec<Effect>) {
        debug_assert!(expected.size > 0, "sizes are checked when the build is offered");
        out.push(Effect::Disk(DiskRequest::Open(id, expected.size)));
        let missing = RangeSet::of(0..expected.size);
        let transfer = Transfer {
            key,
            expected,
            missing,
            asked: VecDeque::new(),
            unwritten: 0,
            written: RangeSet::new(),
            conn: None,
        };
        self.keys.insert(key, id);
        self.transfers.insert(id, transfer);
    }

    /// The key of a transfer that is expected already.
    pub fn key(&self, id: TransferId) -> Option<TransferKey> {
        self.transfers.get(&id).map(|transfer| transfer.key)
    }

    /// The transfer is over, one way or the other; its file in the spool is not touched.
    pub fn forget(&mut self, id: TransferId) {
        let Some(transfer) = self.transfers.remove(&id) else { return };
        self.in_flight -= transfer.in_flight();
        self.keys.remove(&transfer.key);
        if let Some(conn) = transfer.conn.and_then(|c| self.conns.get_mut(&c)) {
            conn.transfer = None;
        }
    }

    /// A file connection came.
    pub fn opened(&mut self, now: Millis, conn: ConnId) {
        self.conns.insert(conn, Conn { transfer: None, heard: now });
    }

    /// A file connection is gone: what was asked for on it is missing again.
    pub fn closed(&mut self, conn: ConnId) {
        let Some(Conn { transfer: Some(id), .. }) = self.conns.remove(&conn) else { return };
        self.detach(id);
    }

    fn detach(&mut self, id: TransferId) {
        let Some(transfer) = self.transfers.get_mut(&id) else { return };
        transfer.conn = None;
        for range in transfer.asked.drain(..) {
            self.in_flight -= range.end - range.start;
            transfer.missing.insert(range);
        }
    }

    /// A message on a file connection; the error is the peer's defect.
    pub fn message(
        &mut self,
        now: Millis,
        conn: ConnId,
        message: FromSlave,
        out: &mut Vec<Effect>,
    ) -> Result<(), String> {
        let Some(state) = self.conns.get_mut(&conn) else { return Ok(()) };
        state.heard = now;
        match message {
            FromSlave::Hello { transfer: key } => {
                if state.transfer.is_some() {
                    return Err("HELLO while a transfer is under way".to_owned());
                }
                let id = *self.keys.get(&key).ok_or("HELLO for a transfer that is not expected")?;
                state.transfer = Some(id);
                self.attach(id, conn, out);
                Ok(())
            }
            FromSlave::Chunk { offset, data } => {
                let id = state.transfer.ok_or("CHUNK outside a transfer")?;
                let transfer = self.transfers.get_mut(&id).ok_or("CHUNK outside a transfer")?;
                let range = offset..offset.saturating_add(data.len() as u64);
                if transfer.asked.front() != Some(&range) {
                    return Err(format!("CHUNK {range:?} was not asked for, or not next"));
                }
                transfer.asked.pop_front();
                transfer.unwritten += data.len() as u64;
                out.push(Effect::Disk(DiskRequest::Write(id, offset, data.into_bytes())));
                Ok(())
            }
        }
    }

    /// Gives a transfer its connection; one that had it before is closed, for the slave has come back.
    fn attach(&mut self, id: TransferId, conn: ConnId, out: &mut Vec<Effect>) {
        if let Some(old) = self.transfers.get(&id).and_then(|t| t.conn) {
            self.conns.remove(&old);
            self.detach(id);
            out.push(Effect::Close(old, None));
        }
        if let Some(transfer) = self.transfers.get_mut(&id) {
            transfer.conn = Some(conn);
            if transfer.written.bytes() == transfer.expected.size {
                // the DONE of the last connection may not have been heard
                self.finished(id, out);
                return;
            }
        }
        self.pump(id, out);
    }

    /// Asks for as much as the windows allow.
    fn pump(&mut self, id: TransferId, out: &mut Vec<Effect>) {
        let Some(transfer) = self.transfers.get_mut(&id) else { return };
        let Some(conn) = transfer.conn else { return };
        let mut mine = transfer.in_flight();
        // a transfer always has one chunk under way, so that slow peers cannot keep all others waiting
        while mine < TRANSFER_WINDOW_BYTES && (self.in_flight < ALL_WINDOWS_BYTES || mine == 0) {
            let Some(range) = transfer.missing.take_first(CHUNK_BYTES as u64) else { break };
            let length = range.end - range.start;
            mine += length;
            self.in_flight += length;
            let fetch = ToSlave::Fetch { offset: range.start, length: length as u32 };
            out.push(Effect::Send(conn, Message::File(fetch)));
            transfer.asked.push_back(range);
        }
    }

    /// The disk has a piece; true when it has them all and the file is being checked.
    pub fn written(&mut self, id: TransferId, offset: u64, length: u64, out: &mut Vec<Effect>) -> bool {
        let Some(transfer) = self.transfers.get_mut(&id) else { return false };
        transfer.unwritten -= length;
        self.in_flight -= length;
        transfer.written.insert(offset..offset + length);
        if transfer.written.bytes() == transfer.expected.size {
            out.push(Effect::Disk(DiskRequest::Check(id, transfer.expected.clone())));
            self.finished(id, out);
            return true;
        }
        self.pump(id, out);
        false
    }

    /// Tells the slave that its file has come; the connection is free for the next one.
    fn finished(&mut self, id: TransferId, out: &mut Vec<Effect>) {
        let Some(conn) = self.transfers.get_mut(&id).and_then(|t| t.conn.take()) else { return };
        if let Some(state) = self.conns.get_mut(&conn) {
            state.transfer = None;
        }
        out.push(Effect::Send(conn, Message::File(ToSlave::Done {})));
    }

    /// Closes connections that were asked for bytes and are silent, and those that nobody has used for long: a board
    /// that lost its power leaves one behind.
    pub fn tick(&mut self, now: Millis, out: &mut Vec<Effect>) {
        for (conn, state) in &mut self.conns {
            let transfer = state.transfer.and_then(|id| self.transfers.get(&id));
            if transfer.is_none() {
                if now.since(state.heard) > FILE_IDLE {
                    state.heard = now;
                    out.push(Effect::Close(*conn, None));
                }
            } else if transfer.is_some_and(|t| t.asked.is_empty()) {
                // it is the disk that is slow
                state.heard = now;
            } else if now.since(state.heard) > FILE_SILENCE {
                state.heard = now;
                let seconds = FILE_SILENCE.0 / 1000;
                out.push(Effect::Close(*conn, Some(format!("silent for {seconds} s in a transfer"))));
            }
        }
    }
}

impl FileJuggler {
    /// For monitors: transfers, and bytes of them asked for or unwritten.
    pub fn load(&self) -> (usize, u64) {
        (self.transfers.len(), self.in_flight)
    }
}

#[cfg(test)]
impl FileJuggler {
    /// Transfers that are expected or under way.
    pub(super) fn transfers(&self) -> usize {
        self.transfers.len()
    }

    /// Bytes asked for or unwritten: as counted, and as the transfers have them.
    pub(super) fn in_flight(&self) -> (u64, u64) {
        (self.in_flight, self.transfers.values().map(Transfer::in_flight).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ProjectName, Sha256, Version};
    use crate::wire::Blob;
    use bytes::Bytes;

    const KEY: TransferKey = [7; 16];
    const ID: TransferId = TransferId(1);

    fn expected(size: u64) -> Expected {
        Expected {
            filename: "x-1-py3-none-any.whl".to_owned(),
            size,
            sha256: Sha256([0; 32]),
            project: ProjectName::parse("x").unwrap(),
            version: Version::parse("1").unwrap(),
        }
    }

    fn fetches(out: &mut Vec<Effect>, conn: ConnId) -> Vec<Range<u64>> {
        let mut ranges = Vec::new();
        out.retain(|effect| match effect {
            Effect::Send(c, Message::File(ToSlave::Fetch { offset, length })) if *c == conn => {
                ranges.push(*offset..*offset + u64::from(*length));
                false
            }
            _ => true,
        });
        ranges
    }

    fn chunk(range: &Range<u64>) -> FromSlave {
        let data = Bytes::from(vec![0; (range.end - range.start) as usize]);
        FromSlave::Chunk { offset: range.start, data: Blob::new(data).unwrap() }
    }

    fn begin(size: u64) -> (FileJuggler, Vec<Effect>) {
        let (mut juggler, mut out) = (FileJuggler::default(), Vec::new());
        juggler.expect(ID, KEY, expected(size), &mut out);
        juggler.opened(Millis(0), ConnId(1));
        juggler.message(Millis(0), ConnId(1), FromSlave::Hello { transfer: KEY }, &mut out).unwrap();
        (juggler, out)
    }

    #[test]
    fn a_file_is_fetched_within_the_window_and_checked_when_it_is_whole() {
        let size = 3 * TRANSFER_WINDOW_BYTES + 5;
        let (mut juggler, mut out) = begin(size);
        let mut asked = VecDeque::from(fetches(&mut out, ConnId(1)));
        let mut got = 0;
        while let Some(range) = asked.pop_front() {
            let under_way = asked.iter().map(|r| r.end - r.start).sum::<u64>();
            assert!(under_way <= TRANSFER_WINDOW_BYTES, "{under_way}");
            juggler.message(Millis(0), ConnId(1), chunk(&range), &mut out).unwrap();
            assert!(fetches(&mut out, ConnId(1)).is_empty(), "nothing is asked for before the disk has it");
            juggler.written(ID, range.start, range.end - range.start, &mut out);
            got += range.end - range.start;
            asked.extend(fetches(&mut out, ConnId(1)));
        }
        assert_eq!(got, size);
        assert!(out.iter().any(|e| matches!(e, Effect::Disk(DiskRequest::Check(ID, _)))));
        assert!(matches!(out.last(), Some(Effect::Send(_, Message::File(ToSlave::Done {})))));
        assert_eq!(juggler.in_flight, 0);
    }

    #[test]
    fn a_broken_connection_resumes_with_what_is_missing() {
        let size = CHUNK_BYTES as u64 * 3;
        let (mut juggler, mut out) = begin(size);
        let asked = fetches(&mut out, ConnId(1));
        assert_eq!(asked.len(), 3);
        juggler.message(Millis(0), ConnId(1), chunk(&asked[0]), &mut out).unwrap();
        juggler.closed(ConnId(1));
        juggler.written(ID, 0, CHUNK_BYTES as u64, &mut out);
        juggler.opened(Millis(1), ConnId(2));
        juggler.message(Millis(1), ConnId(2), FromSlave::Hello { transfer: KEY }, &mut out).unwrap();
        assert_eq!(fetches(&mut out, ConnId(2)), asked[1..]);
    }

    #[test]
    fn a_second_connection_takes_the_transfer_over_and_the_first_is_closed() {
        let (mut juggler, mut out) = begin(10);
        juggler.opened(Millis(1), ConnId(2));
        juggler.message(Millis(1), ConnId(2), FromSlave::Hello { transfer: KEY }, &mut out).unwrap();
        assert!(out.iter().any(|e| matches!(e, Effect::Close(ConnId(1), None))));
        assert_eq!(fetches(&mut out, ConnId(2)), std::slice::from_ref(&(0..10)));
        juggler.closed(ConnId(1));
        juggler.message(Millis(1), ConnId(2), chunk(&(0..10)), &mut out).unwrap();
        assert!(juggler.written(ID, 0, 10, &mut out));
    }

    #[test]
    fn chunks_that_were_not_asked_for_are_a_defect_of_the_peer() {
        for (offset, length) in [(0, 9), (1, 9), (10, 1), (u64::MAX, 10)] {
            let (mut juggler, mut out) = begin(10);
            let data = Blob::new(Bytes::from(vec![0; length])).unwrap();
            assert!(
                juggler.message(Millis(0), ConnId(1), FromSlave::Chunk { offset, data }, &mut out).is_err()
            );
        }
        let (mut juggler, mut out) = begin(10);
        juggler.message(Millis(0), ConnId(1), chunk(&(0..10)), &mut out).unwrap();
        assert!(juggler.message(Millis(0), ConnId(1), chunk(&(0..10)), &mut out).is_err());
        assert!(juggler.message(Millis(0), ConnId(1), FromSlave::Hello { transfer: KEY }, &mut out).is_err());
        juggler.opened(Millis(0), ConnId(9));
        assert!(juggler.message(Millis(0), ConnId(9), chunk(&(0..10)), &mut out).is_err());
        assert!(
            juggler.message(Millis(0), ConnId(9), FromSlave::Hello { transfer: [8; 16] }, &mut out).is_err()
        );
    }

    #[test]
    fn a_peer_that_owes_bytes_is_closed_for_silence_and_one_that_owes_none_much_later() {
        let (mut juggler, mut out) = begin(10);
        juggler.opened(Millis(0), ConnId(2));
        out.clear();
        juggler.tick(FILE_SILENCE + Millis(1), &mut out);
        assert!(matches!(out.as_slice(), [Effect::Close(ConnId(1), Some(_))]));
        juggler.closed(ConnId(1));
        out.clear();
        juggler.tick(FILE_IDLE + Millis(1), &mut out);
        assert!(
            matches!(out.as_slice(), [Effect::Close(ConnId(2), None)]),
            "a board without power leaves one behind"
        );
    }

    #[test]
    fn all_transfers_together_stay_within_the_common_window() {
        let (mut juggler, mut out) = (FileJuggler::default(), Vec::new());
        let many = ALL_WINDOWS_BYTES / TRANSFER_WINDOW_BYTES + 3;
        let mut asked = HashMap::new();
        for n in 1..=many {
            let key = [n as u8; 16];
            juggler.expect(TransferId(n), key, expected(TRANSFER_WINDOW_BYTES), &mut out);
            juggler.opened(Millis(0), ConnId(n));
            juggler.message(Millis(0), ConnId(n), FromSlave::Hello { transfer: key }, &mut out).unwrap();
            asked.insert(n, fetches(&mut out, ConnId(n)));
        }
        let bound = ALL_WINDOWS_BYTES + many * CHUNK_BYTES as u64;
        assert!(juggler.in_flight <= bound);
        assert_eq!(
            asked[&many].len(),
            1,
            "the last one gets one chunk, and is not kept waiting by the others"
        );
        for range in asked[&1].clone() {
            juggler.message(Millis(0), ConnId(1), chunk(&range), &mut out).unwrap();
            juggler.written(TransferId(1), range.start, range.end - range.start, &mut out);
        }
        // room came back: the one that had little asks for more at its next piece
        let range = asked[&many][0].clone();
        juggler.message(Millis(0), ConnId(many), chunk(&range), &mut out).unwrap();
        juggler.written(TransferId(many), range.start, range.end - range.start, &mut out);
        assert!(fetches(&mut out, ConnId(many)).len() > 1);
        assert!(juggler.in_flight <= bound);
    }
}
