//! What every byte of every wheel goes through: a CHUNK of the largest size, encoded and taken apart again, beside a copy
//! and a checksum of the same bytes.

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use piwheels::wire::file::FromSlave;
use piwheels::wire::limits::{CHUNK_BYTES, FILE_FRAME_BYTES};
use piwheels::wire::{Blob, frame};

use crate::row::{Goal, Rows, median};

/// Rounds of each in turn, so that a noisy moment is everybody's.
const ROUNDS: usize = 15;

pub(crate) fn run(rows: &mut Rows, each: Duration) {
    let data: Bytes = (0..CHUNK_BYTES).map(|n| n as u8).collect::<Vec<_>>().into();
    let message = FromSlave::Chunk { offset: 1 << 40, data: Blob::new(data.clone()).unwrap() };
    let mut encoded = BytesMut::new();
    message.encode(&mut encoded);
    let mut out = BytesMut::with_capacity(2 * CHUNK_BYTES);
    let (mut limits, mut encodes, mut decodes) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        limits.push(rate(each, || {
            out.clear();
            out.extend_from_slice(black_box(&data));
            black_box(crc32fast::hash(&out));
        }));
        encodes.push(rate(each, || {
            out.clear();
            black_box(&message).encode(&mut out);
            black_box(out.len());
        }));
        decodes.push(rate(each, || {
            let mut input = BytesMut::from(&black_box(&encoded)[..]);
            let taken = frame::take(&mut input, FILE_FRAME_BYTES);
            assert!(black_box(taken.map(|frame| frame.map(FromSlave::decode))).is_ok());
        }));
    }
    let limit = median(limits);
    rows.add("chunk encode", median(encodes), limit, "GB/s", Goal::Share(0.8));
    rows.add("chunk decode", median(decodes), limit, "GB/s", Goal::Share(0.8));
}

/// Bytes of chunks in a second, in thousand millions.
fn rate(time: Duration, mut work: impl FnMut()) -> f64 {
    let begun = Instant::now();
    let mut times = 0;
    while begun.elapsed() < time {
        (0..16).for_each(|_| work());
        times += 16;
    }
    f64::from(times) * CHUNK_BYTES as f64 / begun.elapsed().as_secs_f64() / 1e9
}
