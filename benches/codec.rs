//! The codec beside its limits: a frame is a copy and a checksum, so a copy and a checksum of the same bytes stand next
//! to it.

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use piwheels::domain::ranges::RangeSet;
use piwheels::wire::file::FromSlave;
use piwheels::wire::limits::{CHUNK_BYTES, FILE_FRAME_BYTES};
use piwheels::wire::{Blob, frame};

fn chunks(criterion: &mut Criterion) {
    let data: Bytes = (0..CHUNK_BYTES).map(|n| n as u8).collect::<Vec<_>>().into();
    let Ok(blob) = Blob::new(data.clone()) else { return };
    let message = FromSlave::Chunk { offset: 1 << 40, data: blob };
    let mut encoded = BytesMut::new();
    message.encode(&mut encoded);

    let mut group = criterion.benchmark_group("chunk-256k");
    group.throughput(Throughput::Bytes(CHUNK_BYTES as u64));
    group.bench_function("limit-copy-and-crc", |bench| {
        let mut out = BytesMut::with_capacity(2 * CHUNK_BYTES);
        bench.iter(|| {
            out.clear();
            out.extend_from_slice(black_box(&data));
            black_box(crc32fast::hash(&out))
        });
    });
    group.bench_function("encode", |bench| {
        let mut out = BytesMut::with_capacity(2 * CHUNK_BYTES);
        bench.iter(|| {
            out.clear();
            black_box(&message).encode(&mut out);
            black_box(out.len())
        });
    });
    group.bench_function("copy-take-and-decode", |bench| {
        bench.iter(|| {
            let mut input = BytesMut::from(&black_box(&encoded)[..]);
            let taken = frame::take(&mut input, FILE_FRAME_BYTES);
            black_box(taken.map(|frame| frame.map(FromSlave::decode)).is_ok())
        });
    });
    group.finish();
}

fn ranges(criterion: &mut Criterion) {
    criterion.bench_function("ranges-1000-pieces-in-order", |bench| {
        bench.iter(|| {
            let mut written = RangeSet::new();
            for n in 0..1000u64 {
                written.insert(n * 100..n * 100 + 100);
            }
            black_box(written.bytes())
        });
    });
    criterion.bench_function("ranges-1000-pieces-every-other-first", |bench| {
        bench.iter(|| {
            let mut written = RangeSet::new();
            for n in (0..1000u64).step_by(2).chain((1..1000).step_by(2)) {
                written.insert(n * 100..n * 100 + 100);
            }
            black_box(written.bytes())
        });
    });
}

criterion_group!(benches, chunks, ranges);
criterion_main!(benches);
