//! Logs of builds under way, for monitors that ask for one.
//!
//! The end of each is kept, [`LOG_TAIL_BYTES`], so that a monitor sees at once what its build said last. Pieces go to it
//! as they come, [`LOG_SHARE_BYTES`] between two looks: a build that floods its log fills no queue. What is left out shows
//! as a gap in the offsets; the whole log is on the master's disk.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};

use crate::domain::BuildId;
use crate::master::event::ConnId;
use crate::master::limits::{LOG_SHARE_BYTES, LOG_TAIL_BYTES};
use crate::seeded;
use crate::wire::Blob;
use crate::wire::status::ToMonitor;

/// What a monitor sees of logs.
#[derive(Debug, Default)]
pub(super) struct Watch {
    slave: Option<u32>,
    /// Bytes it got since the last look.
    got: usize,
}

impl Watch {
    /// A look is over.
    pub(super) fn next_turn(&mut self) {
        self.got = 0;
    }
}

/// The end of a log, and where it stands in the whole.
#[derive(Debug, Default)]
struct Tail {
    end: u64,
    bytes: BytesMut,
}

/// The ends of logs. Bounded by the slaves that build.
#[derive(Debug, Default)]
pub(super) struct Logs {
    tails: BTreeMap<BuildId, Tail>,
}

impl Logs {
    /// A monitor wants the log of what this slave builds, or none; what there is of it.
    pub(super) fn watch(
        &self,
        watch: &mut Watch,
        slave: Option<u32>,
        build: Option<BuildId>,
    ) -> Option<ToMonitor> {
        watch.slave = slave;
        let (slave_id, build) = (slave?, build?);
        let tail = self.tails.get(&build)?;
        let offset = tail.end - tail.bytes.len() as u64;
        let data = Blob::new(Bytes::copy_from_slice(&tail.bytes)).ok()?;
        Some(ToMonitor::Log { slave_id, build, offset, data })
    }

    /// A piece came; what goes to whom.
    pub(super) fn add<'a>(
        &mut self,
        slave_id: u32,
        build: BuildId,
        offset: u64,
        piece: Bytes,
        watches: impl Iterator<Item = (ConnId, &'a mut Watch)>,
    ) -> Vec<(ConnId, ToMonitor)> {
        let tail = self.tails.entry(build).or_default();
        let kept = &piece[piece.len().saturating_sub(LOG_TAIL_BYTES)..];
        let over = (tail.bytes.len() + kept.len()).saturating_sub(LOG_TAIL_BYTES);
        // within a fixed piece of memory: what is cut off in front would keep the rest of it alive
        tail.bytes.copy_within(over.., 0);
        tail.bytes.truncate(tail.bytes.len() - over);
        tail.bytes.extend_from_slice(kept);
        tail.end = offset + piece.len() as u64;
        let mut pieces = Vec::new();
        let all = seeded::is("log-of-another");
        for (conn, watch) in watches.filter(|(_, watch)| watch.slave == Some(slave_id) || all) {
            if watch.got + piece.len() > LOG_SHARE_BYTES {
                continue;
            }
            watch.got += piece.len();
            if let Ok(data) = Blob::new(piece.clone()) {
                pieces.push((conn, ToMonitor::Log { slave_id, build, offset, data }));
            }
        }
        pieces
    }

    /// Forgets builds that are over.
    pub(super) fn keep(&mut self, is_under_way: impl Fn(BuildId) -> bool) {
        self.tails.retain(|build, _| is_under_way(*build));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(piece: Option<ToMonitor>) -> (u64, Vec<u8>) {
        match piece {
            Some(ToMonitor::Log { offset, data, .. }) => (offset, data.to_vec()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_end_of_a_log_is_kept_whatever_the_pieces() {
        let mut logs = Logs::default();
        let whole: Vec<u8> = (0..60_000_u32).map(|n| n as u8).collect();
        let mut offset = 0;
        for length in [1, 4000, 95, 1, 5000, 3, 32_768, 700] {
            let piece = Bytes::copy_from_slice(&whole[offset..offset + length]);
            logs.add(1, BuildId(7), offset as u64, piece, std::iter::empty());
            offset += length;
            let mut watch = Watch::default();
            let (from, tail) = log(logs.watch(&mut watch, Some(1), Some(BuildId(7))));
            assert_eq!(tail.len(), offset.min(LOG_TAIL_BYTES));
            assert_eq!(tail, whole[from as usize..offset]);
        }
        assert!(logs.tails[&BuildId(7)].bytes.capacity() <= 2 * LOG_TAIL_BYTES);
        logs.keep(|_| false);
        assert!(logs.watch(&mut Watch::default(), Some(1), Some(BuildId(7))).is_none());
    }

    #[test]
    fn a_flood_is_cut_and_the_next_turn_goes_on() {
        let mut logs = Logs::default();
        let mut watch = Watch { slave: Some(1), got: 0 };
        let mut other = Watch { slave: Some(2), got: 0 };
        let mut sent = Vec::new();
        for turn in 0..2_u64 {
            for n in 0..4 {
                let piece = Bytes::from(vec![0; 32 << 10]);
                let watches = [(ConnId(1), &mut watch), (ConnId(2), &mut other)];
                let offset = (turn * 4 + n) << 15;
                for (conn, piece) in logs.add(1, BuildId(7), offset, piece, watches.into_iter()) {
                    assert_eq!(conn, ConnId(1), "the other watches another slave");
                    sent.push(log(Some(piece)).0 >> 15);
                }
            }
            watch.next_turn();
        }
        assert_eq!(sent, [0, 1, 4, 5]);
    }
}
