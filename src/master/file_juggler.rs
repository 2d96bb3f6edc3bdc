//! The file juggler: file transfers from slaves (manual 2.4.7, 8.12; `wire-spec/file.md`).
//!
//! In: transfers to expect, file channel messages, what the disk says. Out: FETCHes, writes, checks. It knows byte
//! ranges; not what a build is, no socket, no file, no clock.
//!
//! ```text
//!  expect ► opening ─Opened─► waiting ──HELLO──► fetching ──every byte written──► checking ──► verdict
//!                               ▲                  │                                 │
//!                               └─connection lost──┘  disk failed, wrong digest ► failed: dropped, expected anew
//!                                                     nothing comes for long ► lost in transfer
//! ```
//!
//! Memory is bounded: bytes that are asked for or not yet written are, but for one chunk, at most the transfer's window
//! ([`window::Window`]), its share of `transfer_memory` among those that are fetched, and over all `transfer_memory` and
//! one chunk for each transfer: the writer's queue cannot grow past that, and a slow disk slows the asking. Every
//! transfer with a connection has one chunk under way at least: slow peers cannot keep the others waiting. Bytes that
//! become free go round: first to those that wait.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use super::event::{ConnId, DiskRequest, Effect, Expected, Message, TransferId};
use super::limits::{FETCHES, FILE_IDLE, FILE_SILENCE, FRUITLESS_TRIES, Limits};
use crate::domain::Millis;
use crate::domain::ranges::RangeSet;
use crate::seeded;
use crate::wire::Blob;
use crate::wire::file::{FromSlave, ToSlave};
use crate::wire::import::ToTool;
use crate::wire::limits::CHUNK_BYTES;

pub mod window;

use window::{Bounds, Window};

/// What a slave must name to deliver a file: random, known to it alone.
pub type TransferKey = [u8; 16];

/// All transfers and the file connections.
#[derive(Debug)]
pub struct FileJuggler {
    bounds: Bounds,
    memory: u64,
    patience: Millis,
    transfers: BTreeMap<TransferId, Transfer>,
    keys: BTreeMap<TransferKey, TransferId>,
    conns: BTreeMap<ConnId, Conn>,
    /// Bytes asked for or unwritten, over all transfers.
    in_flight: u64,
    /// Transfers with a connection.
    active: u64,
    /// Those that would ask for more if the memory of all were not taken, in the order of their turn.
    waiting: VecDeque<TransferId>,
}

#[derive(Debug)]
struct Conn {
    /// The slave that it proved to be.
    name: Option<String>,
    /// It is a tool's, which has one channel for everything (`wire-spec/import.md`).
    tool: bool,
    transfer: Option<TransferId>,
    /// When it last sent something, or was last asked for something when nothing was due.
    heard: Millis,
}

#[derive(Debug)]
struct Asked {
    range: Range<u64>,
    at: Millis,
}

#[derive(Debug)]
struct Transfer {
    key: TransferKey,
    expected: Expected,
    window: Window,
    /// Not yet asked for on the current connection; unknown until the disk has said what is there.
    missing: Option<RangeSet>,
    /// Asked for, in order, and not yet come.
    asked: VecDeque<Asked>,
    /// Come, and not yet written.
    unwritten: u64,
    /// On disk.
    written: RangeSet,
    conn: Option<ConnId>,
    /// It waits for its turn.
    waits: bool,
    /// When something of it last came to the disk, or its slave was not there.
    progress: Millis,
    /// Connections that broke since.
    fruitless: u32,
    /// The last one was silent.
    silent: bool,
}

impl Transfer {
    fn in_flight(&self) -> u64 {
        self.unwritten + self.asked.iter().map(|a| a.range.end - a.range.start).sum::<u64>()
    }
}

impl FileJuggler {
    /// Bounded by these.
    pub fn new(limits: &Limits) -> Self {
        Self {
            bounds: Bounds { window: limits.transfer_window, chunk: limits.chunk },
            memory: limits.transfer_memory,
            patience: limits.transfer_patience,
            transfers: BTreeMap::new(),
            keys: BTreeMap::new(),
            conns: BTreeMap::new(),
            in_flight: 0,
            active: 0,
            waiting: VecDeque::new(),
        }
    }

    /// A slave will send this file under this key; `size` is 1 at least.
    pub fn expect(
        &mut self,
        now: Millis,
        id: TransferId,
        key: TransferKey,
        expected: Expected,
        out: &mut Vec<Effect>,
    ) {
        debug_assert!(expected.size > 0, "sizes are checked when the build is offered");
        out.push(Effect::Disk(DiskRequest::Open(id, expected.part())));
        let transfer = Transfer {
            key,
            expected,
            window: Window::new(self.bounds),
            missing: None,
            asked: VecDeque::new(),
            unwritten: 0,
            written: RangeSet::new(),
            conn: None,
            waits: false,
            progress: now,
            fruitless: 0,
            silent: false,
        };
        self.keys.insert(key, id);
        self.transfers.insert(id, transfer);
    }

    /// The disk is ready for a transfer, and has these bytes of it from before.
    pub fn ready(&mut self, now: Millis, id: TransferId, have: RangeSet, out: &mut Vec<Effect>) {
        let Some(transfer) = self.transfers.get_mut(&id) else { return };
        if transfer.missing.is_some() {
            return;
        }
        let size = transfer.expected.size;
        let mut missing = RangeSet::of(0..size);
        have.iter().for_each(|range| missing.remove(range.clone()));
        if have.bytes() > 0 {
            log::info!(
                "{}: {} of {size} bytes are there from before",
                transfer.expected.filename,
                have.bytes()
            );
        }
        (transfer.missing, transfer.written, transfer.progress) = (Some(missing), have, now);
        if transfer.written.bytes() >= size {
            out.push(Effect::Disk(DiskRequest::Check(id, transfer.expected.clone())));
            self.finished(id, out);
        } else {
            self.pump(now, id, out);
        }
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
        if transfer.conn.is_some() {
            self.active -= 1;
        }
        if let Some(conn) = transfer.conn.and_then(|c| self.conns.get_mut(&c)) {
            conn.transfer = None;
        }
        if transfer.waits {
            self.waiting.retain(|waiting| *waiting != id);
        }
    }

    /// Which transfer a HELLO means.
    pub fn named(&self, key: &TransferKey) -> Option<TransferId> {
        self.keys.get(key).copied()
    }

    /// The slave that a file connection proved to be.
    pub fn name(&self, conn: ConnId) -> Option<&str> {
        self.conns.get(&conn)?.name.as_deref()
    }

    /// A file connection came, of a slave that proved this name.
    pub fn opened(&mut self, now: Millis, conn: ConnId, name: Option<String>) {
        self.conns.insert(conn, Conn { name, tool: false, transfer: None, heard: now });
    }

    /// A tool sends this file, on its own connection.
    pub fn comes_from_tool(&mut self, now: Millis, conn: ConnId, id: TransferId, out: &mut Vec<Effect>) {
        self.conns.insert(conn, Conn { name: None, tool: true, transfer: Some(id), heard: now });
        self.attach(now, id, conn, out);
    }

    /// A tool's bytes; the error is its defect.
    pub fn tool_chunk(
        &mut self,
        now: Millis,
        conn: ConnId,
        offset: u64,
        data: Blob<CHUNK_BYTES>,
        out: &mut Vec<Effect>,
    ) -> Result<(), String> {
        if !self.conns.contains_key(&conn) {
            return Err("CHUNK outside a transfer".to_owned());
        }
        self.message(now, conn, FromSlave::Chunk { offset, data }, out)
    }

    /// A file connection is gone: what was asked for on it is missing again.
    pub fn closed(&mut self, conn: ConnId) {
        let Some(Conn { transfer: Some(id), .. }) = self.conns.remove(&conn) else { return };
        self.detach(id);
    }

    fn detach(&mut self, id: TransferId) {
        let Some(transfer) = self.transfers.get_mut(&id) else { return };
        if transfer.conn.take().is_some() {
            self.active -= 1;
            transfer.fruitless += 1;
        }
        for asked in transfer.asked.drain(..) {
            self.in_flight -= asked.range.end - asked.range.start;
            if let Some(missing) = &mut transfer.missing {
                missing.insert(asked.range);
            }
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
                self.attach(now, id, conn, out);
                Ok(())
            }
            FromSlave::Chunk { offset, data } => {
                let id = state.transfer.ok_or("CHUNK outside a transfer")?;
                let transfer = self.transfers.get_mut(&id).ok_or("CHUNK outside a transfer")?;
                let length = data.len() as u64;
                let range = offset..offset.saturating_add(length);
                match transfer.asked.pop_front() {
                    Some(asked) if asked.range == range => transfer.window.came(now, asked.at, length),
                    other => {
                        transfer.asked.extend(other);
                        transfer.asked.rotate_right(1.min(transfer.asked.len()));
                        return Err(format!("CHUNK {range:?} was not asked for, or not next"));
                    }
                }
                transfer.unwritten += length;
                out.push(Effect::Disk(DiskRequest::Write(id, offset, data.into_bytes())));
                // the window may have grown
                self.pump(now, id, out);
                Ok(())
            }
        }
    }

    /// Gives a transfer its connection; one that had it before is closed, for the slave has come back.
    fn attach(&mut self, now: Millis, id: TransferId, conn: ConnId, out: &mut Vec<Effect>) {
        if let Some(old) = self.transfers.get(&id).and_then(|t| t.conn) {
            self.conns.remove(&old);
            self.detach(id);
            out.push(Effect::Close(old, None));
        }
        let Some(transfer) = self.transfers.get_mut(&id) else { return };
        transfer.conn = Some(conn);
        let silent = std::mem::take(&mut transfer.silent);
        transfer.window.restart(silent);
        self.active += 1;
        if transfer.written.bytes() == transfer.expected.size {
            // the DONE of the last connection may not have been heard
            self.finished(id, out);
            return;
        }
        self.pump(now, id, out);
    }

    /// Asks for as much as the windows allow.
    fn pump(&mut self, now: Millis, id: TransferId, out: &mut Vec<Effect>) {
        let Some(transfer) = self.transfers.get_mut(&id) else { return };
        let (Some(conn), Some(missing)) = (transfer.conn, &mut transfer.missing) else { return };
        let chunk = transfer.window.chunk();
        let share = self.memory / self.active.max(1);
        let most = if seeded::is("memory-unbounded") { u64::MAX } else { transfer.window.bytes().min(share) };
        let mut mine =
            transfer.unwritten + transfer.asked.iter().map(|a| a.range.end - a.range.start).sum::<u64>();
        // a transfer always has one chunk under way, so that slow peers cannot keep all others waiting
        while (mine < most || mine == 0) && transfer.asked.len() < FETCHES {
            if self.in_flight + chunk > self.memory && mine > 0 && !seeded::is("memory-unbounded") {
                if !transfer.waits && !missing.is_empty() {
                    transfer.waits = true;
                    self.waiting.push_back(id);
                }
                return;
            }
            let Some(range) = missing.take_first(chunk) else { break };
            let length = range.end - range.start;
            mine += length;
            self.in_flight += length;
            let (offset, length) = (range.start, length as u32);
            let fetch = if self.conns.get(&conn).is_some_and(|conn| conn.tool) {
                Message::Tool(ToTool::Fetch { offset, length })
            } else {
                Message::File(ToSlave::Fetch { offset, length })
            };
            out.push(Effect::Send(conn, fetch));
            transfer.asked.push_back(Asked { range, at: now });
        }
    }

    /// Memory became free: those that wait have their turns before whoever freed it.
    fn share_out(&mut self, now: Millis, out: &mut Vec<Effect>) {
        for _ in 0..self.waiting.len() {
            if self.in_flight >= self.memory {
                return;
            }
            let Some(id) = self.waiting.pop_front() else { return };
            if let Some(transfer) = self.transfers.get_mut(&id) {
                transfer.waits = false;
            }
            self.pump(now, id, out);
        }
    }

    /// The disk has a piece; true when it has them all and the file is being checked.
    pub fn written(
        &mut self,
        now: Millis,
        id: TransferId,
        offset: u64,
        length: u64,
        out: &mut Vec<Effect>,
    ) -> bool {
        let Some(transfer) = self.transfers.get_mut(&id) else { return false };
        transfer.unwritten -= length;
        self.in_flight -= length;
        transfer.written.insert(offset..offset + length);
        (transfer.progress, transfer.fruitless) = (now, 0);
        let whole = transfer.written.bytes() == transfer.expected.size;
        if whole {
            out.push(Effect::Disk(DiskRequest::Check(id, transfer.expected.clone())));
            self.finished(id, out);
        }
        self.share_out(now, out);
        if !whole {
            self.pump(now, id, out);
        }
        whole
    }

    /// Tells the slave that its file has come; the connection is free for the next one.
    fn finished(&mut self, id: TransferId, out: &mut Vec<Effect>) {
        let Some(conn) = self.transfers.get_mut(&id).and_then(|t| t.conn.take()) else { return };
        self.active -= 1;
        if let Some(state) = self.conns.get_mut(&conn) {
            state.transfer = None;
            if state.tool {
                // it hears more only of the whole import
                return;
            }
        }
        out.push(Effect::Send(conn, Message::File(ToSlave::Done {})));
    }

    /// Closes connections that were asked for bytes and are silent, and those that nobody has used for long: a board
    /// that lost its power leaves one behind.
    pub fn tick(&mut self, now: Millis, out: &mut Vec<Effect>) {
        for (conn, state) in &mut self.conns {
            let transfer = state.transfer.and_then(|id| self.transfers.get_mut(&id));
            let Some(transfer) = transfer else {
                if now.since(state.heard) > FILE_IDLE && !state.tool {
                    state.heard = now;
                    out.push(Effect::Close(*conn, None));
                }
                continue;
            };
            if transfer.asked.is_empty() {
                // it is the disk that is slow
                state.heard = now;
            } else if now.since(state.heard) > FILE_SILENCE {
                state.heard = now;
                transfer.silent = true;
                let seconds = FILE_SILENCE.0 / 1000;
                out.push(Effect::Close(*conn, Some(format!("silent for {seconds} s in a transfer"))));
            }
        }
    }

    /// Transfers of which nothing comes although `is_there` says that their slaves are; and why, for people. The time of
    /// the others does not run.
    pub fn hopeless(
        &mut self,
        now: Millis,
        is_there: impl Fn(TransferId) -> bool,
    ) -> Vec<(TransferId, String)> {
        let mut found = Vec::new();
        for (id, transfer) in &mut self.transfers {
            // a whole file waits for its check, and one that comes from the disk for the disk
            let waits_for_disk = transfer.missing.is_none() || transfer.unwritten > 0;
            if waits_for_disk || transfer.written.bytes() == transfer.expected.size || !is_there(*id) {
                transfer.progress = now;
                continue;
            }
            let (name, size) = (&transfer.expected.filename, transfer.expected.size);
            let got = transfer.written.bytes();
            let reason = if transfer.fruitless >= FRUITLESS_TRIES {
                format!("{FRUITLESS_TRIES} connections broke one after the other and brought nothing")
            } else if now.since(transfer.progress) >= self.patience {
                let minutes = self.patience.0 / 60_000;
                match transfer.fruitless + u32::from(transfer.conn.is_some()) {
                    0 => format!(
                        "its slave did not connect to the file port for {minutes} minutes: is a firewall in between?"
                    ),
                    _ => format!("nothing of it came for {minutes} minutes"),
                }
            } else {
                continue;
            };
            found.push((*id, format!("{name}: {reason} ({got} of {size} bytes are here)")));
        }
        found
    }
}

impl FileJuggler {
    /// Bytes of a transfer that are on the disk.
    pub fn written_of(&self, id: TransferId) -> u64 {
        self.transfers.get(&id).map_or(0, |transfer| transfer.written.bytes())
    }

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
mod tests;
