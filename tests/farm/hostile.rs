//! Peers that break the rules: each is dropped with one clear line, and nobody else notices.

use std::io::Write;

use bytes::{BufMut, BytesMut};
use piwheels::domain::{JobToken, Sha256};
use piwheels::wire::slave::{FromSlave, Held, Holding, Resume, ToSlave};
use piwheels::wire::{Channel, frame};

use crate::kit::farm::Farm;
use crate::kit::peer::{Peer, hello, serve_file};
use crate::kit::sdist::Recipe;
use crate::kit::wait::until;

const NAME: &str = "x-1.0-cp311-cp311-linux_x86_64.whl";

/// A farm with a job, and a well-behaved slave that is in the middle of another one.
fn farm_with_a_bystander() -> (Farm, Peer, JobToken) {
    let farm = Farm::start(&["cp311"], &[]);
    farm.index.offer(&Recipe::native("bystander", "1.0"));
    farm.index.offer(&Recipe::native("x", "1.0"));
    farm.piw(&["add", "bystander"]);
    let mut bystander = Peer::slave(farm.slave_port, "bystander", None);
    let (token, what) = bystander.take_job();
    assert_eq!(what, "bystander==1.0");
    farm.piw(&["add", "x"]);
    (farm, bystander, token)
}

/// A wheel that the master accepts, made by the test's own backend.
pub(crate) fn wheel(name: &str, version: &str) -> Vec<u8> {
    crate::kit::wheel::sound(name, version, None, &[])
}

/// Delivers a build's one file, as a good slave does, up to DONE.
pub(crate) fn deliver(farm: &Farm, slave: &mut Peer, token: JobToken, name: &str, bytes: &[u8]) {
    slave.offer(token, &[(name, bytes.len() as u64, Sha256::of(bytes))]);
    hand_over(farm, slave, token, bytes);
}

/// The same for a build that was offered already.
pub(crate) fn hand_over(farm: &Farm, slave: &mut Peer, token: JobToken, bytes: &[u8]) {
    let Some(ToSlave::Send { index: 0, transfer }) = slave.hear() else { panic!("no SEND\n{}", farm.logs()) };
    serve_file(farm.file_port, transfer, bytes).unwrap();
    slave.say(&FromSlave::Sent { index: 0 });
    let done = slave.hear();
    assert!(
        matches!(&done, Some(ToSlave::Done { build }) if *build == token.build),
        "{done:?}\n{}",
        farm.logs()
    );
}

/// The bystander goes on as if nothing had happened, and nothing was written where it must not be.
fn nobody_else_noticed(farm: &Farm, mut bystander: Peer, token: JobToken) {
    let bytes = wheel("bystander", "1.0");
    deliver(farm, &mut bystander, token, "bystander-1.0-cp311-cp311-linux_x86_64.whl", &bytes);
    assert_eq!(farm.crawl(), 1);
    farm.audit();
    let strays: Vec<_> = walk(&farm.path("")).into_iter().filter(|path| path.contains("x.whl")).collect();
    assert!(strays.is_empty(), "{strays:?}");
}

fn walk(dir: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        match entry.file_type().unwrap().is_dir() {
            true => found.extend(walk(&entry.path())),
            false => found.push(entry.path().display().to_string()),
        }
    }
    found
}

fn drops_in_log(farm: &Farm) -> Vec<String> {
    farm.master().log().lines().filter(|line| line.contains(": dropped: ")).map(str::to_owned).collect()
}

/// A slave that offers what it must not is dropped with a line that has `reason`; its build is recorded as a bad wheel.
fn offering(files: &[(&str, u64)], reason: &str) {
    let (farm, bystander, token) = farm_with_a_bystander();
    let mut slave = Peer::slave(farm.slave_port, "hostile", None);
    let (job, _) = slave.take_job();
    let files: Vec<_> = files.iter().map(|(name, size)| (*name, *size, Sha256([0; 32]))).collect();
    slave.offer(job, &files);
    while let Some(message) = slave.hear() {
        assert!(matches!(message, ToSlave::Done { .. }), "{message:?}");
    }
    farm.master().wait_for_line(0, &["dropped:", reason, "[protocol]"]);
    let recorded = farm.wait_for_state("x", "cp311", "failed");
    assert_eq!(recorded["outcome"], "bad-wheel");
    assert!(farm.build_log(&recorded).contains(reason), "the reason is in the build's log too");
    assert_eq!(drops_in_log(&farm).len(), 1);
    nobody_else_noticed(&farm, bystander, token);
}

#[test]
fn a_wheel_that_is_named_as_a_path() {
    offering(&[("../../x.whl", 10)], "\"../../x.whl\" is not a wheel's file name");
}

#[test]
fn a_file_without_bytes() {
    offering(&[(NAME, 0)], "has no bytes");
}

#[test]
fn one_file_twice() {
    offering(&[(NAME, 1), (NAME, 1)], "is named twice");
}

#[test]
fn a_wheel_of_another_package_or_platform_is_recorded_and_not_published() {
    let (farm, bystander, token) = farm_with_a_bystander();
    let mut slave = Peer::slave(farm.slave_port, "odd", None);
    let (job, _) = slave.take_job();
    slave.offer(job, &[("y-1.0-py3-none-any.whl", 10, Sha256([0; 32]))]);
    let done = slave.hear();
    assert!(matches!(done, Some(ToSlave::Done { .. })), "{done:?}");
    let recorded = farm.wait_for_state("x", "cp311", "failed");
    assert!(farm.build_log(&recorded).contains("is not a wheel of x 1.0"));
    assert_eq!(drops_in_log(&farm).len(), 0, "an honest slave can have built it");
    nobody_else_noticed(&farm, bystander, token);
}

#[test]
fn bytes_that_are_not_the_promised_ones() {
    let (farm, bystander, token) = farm_with_a_bystander();
    let bytes = wheel("x", "1.0");
    let mut held = None;
    let mut job = None;
    for round in 1..=3 {
        let mut slave = Peer::slave(farm.slave_port, "liar", held.take());
        let token = *job.get_or_insert_with(|| slave.take_job().0);
        slave.offer(token, &[(NAME, bytes.len() as u64, Sha256([1; 32]))]);
        let Some(ToSlave::Send { transfer, .. }) = slave.hear() else { panic!("no SEND in round {round}") };
        serve_file(farm.file_port, transfer, &bytes).unwrap();
        slave.say(&FromSlave::Sent { index: 0 });
        while let Some(message) = slave.hear() {
            assert!(matches!(message, ToSlave::Done { .. }), "{message:?}");
        }
        held = Some(Held { token, state: Holding::Built });
        until("drop", || farm.logs(), || (drops_in_log(&farm).len() == round).then_some(()));
    }
    assert!(drops_in_log(&farm)[0].contains("has other bytes than promised"), "{:?}", drops_in_log(&farm));
    assert_eq!(farm.wait_for_state("x", "cp311", "delayed")["outcome"], "lost-transfer");
    nobody_else_noticed(&farm, bystander, token);
}

#[test]
fn more_bytes_than_the_promised_size() {
    let (farm, bystander, token) = farm_with_a_bystander();
    let mut slave = Peer::slave(farm.slave_port, "longer", None);
    let (job, _) = slave.take_job();
    slave.offer(job, &[(NAME, 10, Sha256([1; 32]))]);
    let Some(ToSlave::Send { transfer, .. }) = slave.hear() else { panic!("no SEND") };
    let mut files = Peer::connect(farm.file_port, Channel::File);
    files.say_file(&piwheels::wire::file::FromSlave::Hello { transfer });
    assert!(matches!(
        files.hear_file(),
        Some(piwheels::wire::file::ToSlave::Fetch { offset: 0, length: 10 })
    ));
    let data = piwheels::wire::Blob::new(bytes::Bytes::from_static(&[0; 11])).unwrap();
    files.say_file(&piwheels::wire::file::FromSlave::Chunk { offset: 0, data });
    assert!(files.is_dropped());
    farm.master().wait_for_line(0, &["dropped: CHUNK 0..11 was not asked for"]);
    // the slave itself may go on: with the right bytes, but they are no wheel
    serve_file(farm.file_port, transfer, &[0; 10]).unwrap();
    nobody_else_noticed(&farm, bystander, token);
}

/// Raw bytes after the preamble get the peer dropped, with a line that has `reason`.
fn saying(bytes: &[u8], reason: &str) {
    let (farm, bystander, token) = farm_with_a_bystander();
    let mut slave = Peer::connect(farm.slave_port, Channel::Slave);
    slave.raw(bytes);
    assert!(slave.is_dropped());
    let line = farm.master().wait_for_line(0, &["dropped:", reason, "[protocol]"]);
    assert!(line.contains("127.0.0.1:"), "the line names the peer: {line}");
    assert_eq!(drops_in_log(&farm).len(), 1);
    nobody_else_noticed(&farm, bystander, token);
}

#[test]
fn a_frame_over_the_limit() {
    saying(&[0x7f, 0xff, 0xff, 0xff], "a frame of 2147483647 bytes is over this channel's limit of 1024");
    let (farm, bystander, token) = farm_with_a_bystander();
    let mut slave = Peer::slave(farm.slave_port, "known", None);
    slave.raw(&[0x00, 0x01, 0x00, 0x01]);
    assert!(slave.is_dropped());
    farm.master()
        .wait_for_line(0, &["dropped:", "a frame of 65537 bytes is over this channel's limit of 65536"]);
    nobody_else_noticed(&farm, bystander, token);
}

#[test]
fn an_unknown_tag() {
    let mut out = BytesMut::new();
    frame::put(&mut out, 0x7f, |_| {});
    saying(&out, "unknown tag 0x7f");
}

#[test]
fn a_bad_checksum() {
    let mut out = BytesMut::new();
    frame::put(&mut out, 0x02, |out| out.put_u8(1));
    let last = out.len() - 1;
    out[last] ^= 1;
    saying(&out, "checksum does not fit");
}

#[test]
fn a_message_before_hello() {
    let mut out = BytesMut::new();
    FromSlave::Idle {}.encode(&mut out);
    saying(&out, "IDLE before HELLO");
}

#[test]
fn another_protocol() {
    let (farm, bystander, token) = farm_with_a_bystander();
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", farm.slave_port)).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    farm.master()
        .wait_for_line(0, &["dropped: the connection does not begin with the protocol's magic number"]);
    nobody_else_noticed(&farm, bystander, token);
}

#[test]
fn messages_in_the_wrong_state() {
    let (farm, bystander, token) = farm_with_a_bystander();
    let unknown = JobToken { build: piwheels::domain::BuildId(999), secret: [9; 16] };
    for (message, reason) in [
        (FromSlave::Sent { index: 0 }, "SENT while it is idle"),
        (hello(piwheels::VERSION, "again", "cp311", None), "a second HELLO"),
    ] {
        let mut slave = Peer::slave(farm.slave_port, "odd", None);
        slave.say(&message);
        assert!(slave.is_dropped());
        farm.master().wait_for_line(0, &["dropped:", reason]);
    }
    let mut slave = Peer::slave(farm.slave_port, "thief", None);
    slave.offer(token, &[(NAME, 1, Sha256([0; 32]))]);
    assert!(slave.is_dropped(), "another slave's job is not its own");
    let mut slave = Peer::slave(farm.slave_port, "thief", None);
    slave.take_job();
    slave.offer(token, &[(NAME, 1, Sha256([0; 32]))]);
    assert!(slave.is_dropped(), "not even when it has one");
    farm.master().wait_for_line(0, &["BUILT with a token that is not its job's"]);
    // a token that was never handed out is told so, politely
    let mut slave = Peer::connect(farm.slave_port, Channel::Slave);
    let held = Some(Held { token: unknown, state: Holding::Built });
    slave.say(&hello(piwheels::VERSION, "forger", "cp311", held));
    let answer = slave.hear();
    assert!(matches!(answer, Some(ToSlave::Hello { resume: Resume::Drop, .. })), "{answer:?}");
    // and so is one with the right number and a guessed secret
    let mut slave = Peer::connect(farm.slave_port, Channel::Slave);
    let held = Some(Held { token: JobToken { build: token.build, secret: [0; 16] }, state: Holding::Built });
    slave.say(&hello(piwheels::VERSION, "forger", "cp311", held));
    let answer = slave.hear();
    assert!(matches!(answer, Some(ToSlave::Hello { resume: Resume::Drop, .. })), "{answer:?}");
    nobody_else_noticed(&farm, bystander, token);
}

#[test]
fn a_log_with_a_gap_or_over_the_limit() {
    let farm = Farm::start(&["cp311"], &["--max-log", "100K"]);
    farm.index.offer(&Recipe::native("x", "1.0"));
    farm.index.offer(&Recipe::native("y", "1.0"));
    farm.piw(&["add", "x", "y"]);
    let mut slave = Peer::slave(farm.slave_port, "gaps", None);
    slave.take_job();
    slave.log(0, "beginning");
    slave.log(10, "after a gap");
    assert!(slave.is_dropped());
    farm.master().wait_for_line(0, &["dropped: LOG at 10, where 9 was next"]);
    let mut slave = Peer::slave(farm.slave_port, "endless", None);
    let (_, what) = slave.take_job();
    let piece = "x".repeat(30_000);
    for n in 0..4 {
        slave.log(n * 30_000, &piece);
    }
    while slave.hear().is_some() {}
    farm.master().wait_for_line(0, &["dropped: its log is over 102400 bytes"]);
    let recorded = farm.wait_for_state(&what, "cp311", "failed");
    let log = farm.build_log(&recorded);
    assert!(log.len() > 90_000 && log.contains("its log is over 102400 bytes"), "{} bytes", log.len());
}

#[test]
fn the_same_result_twice_is_recorded_once() {
    let (farm, mut bystander, token) = farm_with_a_bystander();
    let name = "bystander-1.0-cp311-cp311-linux_x86_64.whl";
    deliver(&farm, &mut bystander, token, name, &wheel("bystander", "1.0"));
    drop(bystander);
    // its DONE was lost, so it thinks: the slave comes back with the same token
    let mut slave = Peer::connect(farm.slave_port, Channel::Slave);
    let held = Some(Held { token, state: Holding::Built });
    slave.say(&hello(piwheels::VERSION, "bystander", "cp311", held));
    let answer = slave.hear();
    assert!(matches!(answer, Some(ToSlave::Hello { resume: Resume::Drop, .. })), "{answer:?}");
    assert_eq!(farm.count("SELECT count(*) FROM piw.build"), 1);
    farm.audit();
}
