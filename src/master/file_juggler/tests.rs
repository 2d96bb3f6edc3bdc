use super::*;
use crate::domain::{BuildId, ProjectName, Sha256, Version};
use crate::wire::Blob;
use crate::wire::limits::CHUNK_BYTES;
use bytes::Bytes;

const WINDOW: u64 = 2 << 20;
const MEMORY: u64 = 8 << 20;

/// Small ones, so that they are reached.
fn limits() -> Limits {
    Limits { transfer_window: WINDOW, transfer_memory: MEMORY, ..Limits::default() }
}

const KEY: TransferKey = [7; 16];
const ID: TransferId = TransferId(1);

fn expected(size: u64) -> Expected {
    Expected {
        build: BuildId(1),
        index: 0,
        filename: "x-1-py3-none-any.whl".to_owned(),
        build_tag: None,
        size,
        sha256: Sha256([0; 32]),
        project: ProjectName::parse("x").unwrap(),
        version: Version::parse("1").unwrap(),
        once: false,
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
    let (mut juggler, mut out) = (FileJuggler::new(&limits()), Vec::new());
    juggler.expect(Millis(0), ID, KEY, expected(size), &mut out);
    juggler.ready(Millis(0), ID, RangeSet::new(), &mut out);
    juggler.opened(Millis(0), ConnId(1), None);
    juggler.message(Millis(0), ConnId(1), FromSlave::Hello { transfer: KEY }, &mut out).unwrap();
    (juggler, out)
}

/// A slave that answers everything at once, and a disk that does; how many bytes were asked for and under way at most.
fn play(juggler: &mut FileJuggler, conn: ConnId, id: TransferId, out: &mut Vec<Effect>) -> (u64, u64) {
    let (mut got, mut most, mut now) = (0, 0, Millis(1));
    let mut asked = VecDeque::from(fetches(out, conn));
    while let Some(range) = asked.pop_front() {
        now = now + Millis(1);
        let length = range.end - range.start;
        most = most.max(length + asked.iter().map(|r| r.end - r.start).sum::<u64>());
        juggler.message(now, conn, chunk(&range), out).unwrap();
        asked.extend(fetches(out, conn));
        juggler.written(now, id, range.start, length, out);
        asked.extend(fetches(out, conn));
        got += length;
    }
    (got, most)
}

#[test]
fn a_file_is_fetched_within_a_window_that_grows_and_checked_when_it_is_whole() {
    let size = 20 * WINDOW + 5;
    let (mut juggler, mut out) = begin(size);
    let (got, most) = play(&mut juggler, ConnId(1), ID, &mut out);
    assert_eq!(got, size);
    assert!(most > 5 * 64 * 1024 && most <= WINDOW + CHUNK_BYTES as u64, "{most}");
    assert!(out.iter().any(|e| matches!(e, Effect::Disk(DiskRequest::Check(ID, _)))));
    assert!(matches!(out.last(), Some(Effect::Send(_, Message::File(ToSlave::Done {})))));
    assert_eq!((juggler.in_flight, juggler.active), (0, 0));
}

#[test]
fn a_slow_disk_stops_the_asking() {
    let (mut juggler, mut out) = begin(20 * WINDOW);
    let mut come = 0;
    loop {
        let asked = fetches(&mut out, ConnId(1));
        if asked.is_empty() {
            break;
        }
        for range in asked {
            come += range.end - range.start;
            juggler.message(Millis(2), ConnId(1), chunk(&range), &mut out).unwrap();
        }
    }
    assert!(come <= WINDOW + CHUNK_BYTES as u64, "{come} bytes came and none is written");
}

#[test]
fn nothing_is_asked_for_before_the_disk_has_said_what_is_there_and_then_only_the_rest() {
    let (mut juggler, mut out) = (FileJuggler::new(&limits()), Vec::new());
    juggler.expect(Millis(0), ID, KEY, expected(100), &mut out);
    juggler.opened(Millis(0), ConnId(1), None);
    juggler.message(Millis(0), ConnId(1), FromSlave::Hello { transfer: KEY }, &mut out).unwrap();
    assert_eq!(fetches(&mut out, ConnId(1)), []);
    let mut have = RangeSet::of(0..40);
    have.insert(60..70);
    juggler.ready(Millis(1), ID, have, &mut out);
    assert_eq!(fetches(&mut out, ConnId(1)), [40..60, 70..100]);
}

#[test]
fn a_file_that_is_all_there_is_checked_and_its_slave_told() {
    let (mut juggler, mut out) = (FileJuggler::new(&limits()), Vec::new());
    juggler.expect(Millis(0), ID, KEY, expected(100), &mut out);
    juggler.ready(Millis(1), ID, RangeSet::of(0..100), &mut out);
    assert!(out.iter().any(|e| matches!(e, Effect::Disk(DiskRequest::Check(ID, _)))));
    juggler.opened(Millis(0), ConnId(1), None);
    juggler.message(Millis(0), ConnId(1), FromSlave::Hello { transfer: KEY }, &mut out).unwrap();
    assert!(matches!(out.last(), Some(Effect::Send(_, Message::File(ToSlave::Done {})))));
}

#[test]
fn a_transfer_of_a_slave_that_is_there_and_brings_nothing_is_given_up() {
    let patience = limits().transfer_patience;
    let (mut juggler, mut out) = begin(100);
    juggler.closed(ConnId(1));
    assert_eq!(juggler.hopeless(patience, |_| false), [], "the slave is not there: its lease will end");
    assert_eq!(juggler.hopeless(patience + patience - Millis(1), |_| true), []);
    let found = juggler.hopeless(patience + patience, |_| true);
    assert!(found[0].1.contains("nothing of it came for 15 minutes"), "{found:?}");

    let (mut juggler, _) = (FileJuggler::new(&limits()), ());
    juggler.expect(Millis(0), ID, KEY, expected(100), &mut out);
    juggler.ready(Millis(0), ID, RangeSet::new(), &mut out);
    let found = juggler.hopeless(patience, |_| true);
    assert!(found[0].1.contains("firewall"), "{found:?}");
}

#[test]
fn connections_that_break_without_a_byte_are_counted_and_a_byte_begins_the_count_anew() {
    let (mut juggler, mut out) = begin(10 * WINDOW);
    let again = |juggler: &mut FileJuggler, out: &mut Vec<Effect>, n: u64| {
        juggler.closed(ConnId(n - 1));
        out.clear();
        juggler.opened(Millis(n), ConnId(n), None);
        juggler.message(Millis(n), ConnId(n), FromSlave::Hello { transfer: KEY }, out).unwrap();
    };
    for n in 2..=FRUITLESS_TRIES.into() {
        again(&mut juggler, &mut out, n);
        assert_eq!(juggler.hopeless(Millis(n), |_| true), []);
    }
    let conn = ConnId(FRUITLESS_TRIES.into());
    let first = fetches(&mut out, conn).remove(0);
    juggler.message(Millis(50), conn, chunk(&first), &mut out).unwrap();
    juggler.written(Millis(50), ID, first.start, first.end - first.start, &mut out);
    for n in 1..=u64::from(FRUITLESS_TRIES) {
        assert_eq!(juggler.hopeless(Millis(60), |_| true), []);
        again(&mut juggler, &mut out, u64::from(FRUITLESS_TRIES) + n);
    }
    let found = juggler.hopeless(Millis(60), |_| true);
    assert!(found[0].1.contains("20 connections broke"), "{found:?}");
}

#[test]
fn after_a_silence_the_least_is_asked_for() {
    let (mut juggler, mut out) = begin(10 * WINDOW);
    juggler.tick(FILE_SILENCE + Millis(1), &mut out);
    juggler.closed(ConnId(1));
    out.clear();
    juggler.opened(Millis(0), ConnId(2), None);
    juggler.message(Millis(0), ConnId(2), FromSlave::Hello { transfer: KEY }, &mut out).unwrap();
    let least = window::LEAST_CHUNK;
    assert_eq!(fetches(&mut out, ConnId(2)), [0..least, least..2 * least]);
}

#[test]
fn a_broken_connection_resumes_with_what_is_missing() {
    let (mut juggler, mut out) = begin(150_000);
    let asked = fetches(&mut out, ConnId(1));
    assert_eq!(asked.len(), 3);
    juggler.message(Millis(0), ConnId(1), chunk(&asked[0]), &mut out).unwrap();
    juggler.closed(ConnId(1));
    juggler.written(Millis(0), ID, asked[0].start, asked[0].end, &mut out);
    juggler.opened(Millis(1), ConnId(2), None);
    juggler.message(Millis(1), ConnId(2), FromSlave::Hello { transfer: KEY }, &mut out).unwrap();
    assert_eq!(fetches(&mut out, ConnId(2)), asked[1..]);
}

#[test]
fn a_second_connection_takes_the_transfer_over_and_the_first_is_closed() {
    let (mut juggler, mut out) = begin(10);
    juggler.opened(Millis(1), ConnId(2), None);
    juggler.message(Millis(1), ConnId(2), FromSlave::Hello { transfer: KEY }, &mut out).unwrap();
    assert!(out.iter().any(|e| matches!(e, Effect::Close(ConnId(1), None))));
    assert_eq!(fetches(&mut out, ConnId(2)), std::slice::from_ref(&(0..10)));
    juggler.closed(ConnId(1));
    juggler.message(Millis(1), ConnId(2), chunk(&(0..10)), &mut out).unwrap();
    assert!(juggler.written(Millis(0), ID, 0, 10, &mut out));
}

#[test]
fn chunks_that_were_not_asked_for_are_a_defect_of_the_peer() {
    for (offset, length) in [(0, 9), (1, 9), (10, 1), (u64::MAX, 10)] {
        let (mut juggler, mut out) = begin(10);
        let data = Blob::new(Bytes::from(vec![0; length])).unwrap();
        assert!(juggler.message(Millis(0), ConnId(1), FromSlave::Chunk { offset, data }, &mut out).is_err());
    }
    let (mut juggler, mut out) = begin(10);
    juggler.message(Millis(0), ConnId(1), chunk(&(0..10)), &mut out).unwrap();
    assert!(juggler.message(Millis(0), ConnId(1), chunk(&(0..10)), &mut out).is_err());
    assert!(juggler.message(Millis(0), ConnId(1), FromSlave::Hello { transfer: KEY }, &mut out).is_err());
    juggler.opened(Millis(0), ConnId(9), None);
    assert!(juggler.message(Millis(0), ConnId(9), chunk(&(0..10)), &mut out).is_err());
    assert!(juggler.message(Millis(0), ConnId(9), FromSlave::Hello { transfer: [8; 16] }, &mut out).is_err());
}

#[test]
fn a_peer_that_owes_bytes_is_closed_for_silence_and_one_that_owes_none_much_later() {
    let (mut juggler, mut out) = begin(10);
    juggler.opened(Millis(0), ConnId(2), None);
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

/// Many transfers at once, their slaves as fast as can be; who is asked for how much in each round of the disk.
#[test]
fn transfers_share_the_memory_of_all_fairly() {
    let (mut juggler, mut out) = (FileJuggler::new(&limits()), Vec::new());
    let many = 40u64;
    let join = |juggler: &mut FileJuggler, out: &mut Vec<Effect>, n: u64| {
        let key = [n as u8; 16];
        juggler.expect(Millis(0), TransferId(n), key, expected(100 * WINDOW), out);
        juggler.ready(Millis(0), TransferId(n), RangeSet::new(), out);
        juggler.opened(Millis(0), ConnId(n), None);
        juggler.message(Millis(0), ConnId(n), FromSlave::Hello { transfer: key }, out).unwrap();
    };
    (1..=many).for_each(|n| join(&mut juggler, &mut out, n));
    let mut asked: BTreeMap<u64, VecDeque<Range<u64>>> = BTreeMap::new();
    let mut got: BTreeMap<u64, u64> = BTreeMap::new();
    let collect = |asked: &mut BTreeMap<u64, VecDeque<Range<u64>>>, out: &mut Vec<Effect>| {
        (1..=many + 1).for_each(|n| asked.entry(n).or_default().extend(fetches(out, ConnId(n))));
        out.clear();
    };
    collect(&mut asked, &mut out);
    for round in 1..400u64 {
        if round == 200 {
            // one that comes late has its share too
            join(&mut juggler, &mut out, many + 1);
            collect(&mut asked, &mut out);
        }
        for n in 1..=many + 1 {
            let Some(range) = asked.entry(n).or_default().pop_front() else { continue };
            let length = range.end - range.start;
            juggler.message(Millis(round), ConnId(n), chunk(&range), &mut out).unwrap();
            juggler.written(Millis(round), TransferId(n), range.start, length, &mut out);
            *got.entry(n).or_default() += length;
            collect(&mut asked, &mut out);
            assert!(juggler.in_flight <= MEMORY + (many + 1) * CHUNK_BYTES as u64);
        }
    }
    let (least, most) =
        ((1..=many).map(|n| got[&n]).min().unwrap(), (1..=many).map(|n| got[&n]).max().unwrap());
    assert!(least * 2 > most, "one had {least} bytes, another {most}");
    assert!(got[&(many + 1)] * 4 > most, "the late one had {}", got[&(many + 1)]);
    (1..=many + 1).for_each(|n| juggler.forget(TransferId(n)));
    assert_eq!((juggler.in_flight, juggler.active, juggler.waiting.len()), (0, 0, 0));
}
