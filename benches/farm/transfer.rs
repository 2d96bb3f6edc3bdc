//! From BUILT to DONE: the bytes of wheels on their way to durable publication.

use std::io::Write;
use std::path::Path;
use std::time::Instant;

use bytes::Bytes;
use piwheels::domain::Sha256;
use piwheels::wire::Channel;
use piwheels::wire::slave::{FromSlave, ToSlave};

use crate::kit::farm::Farm;
use crate::kit::peer::{Peer, serve_next};
use crate::kit::sdist::Recipe;
use crate::kit::wheel::{noise, sound};
use crate::row::{Goal, Rows, median};

const RUNS: usize = 3;

/// A wheel of about this many bytes that nothing can be pressed out of.
pub(crate) fn wheel(name: &str, size: usize, seed: u64) -> Vec<u8> {
    sound(name, "1.0", None, &noise(size, seed))
}

/// Delivers the files of a build; from BUILT to DONE, in seconds.
pub(crate) fn deliver(farm: &Farm, slave: &mut Peer, files: &[(String, Bytes)]) -> f64 {
    let (token, _) = slave.take_job();
    let offered: Vec<(&str, u64, Sha256)> =
        files.iter().map(|(name, bytes)| (name.as_str(), bytes.len() as u64, Sha256::of(bytes))).collect();
    let begun = Instant::now();
    slave.offer(token, &offered);
    loop {
        match slave.hear() {
            Some(ToSlave::Send { index, transfer }) => {
                let channel = Peer::connect(farm.file_port, Channel::File);
                serve_next(channel, transfer, &files[usize::from(index)].1).expect("the file is taken");
                slave.say(&FromSlave::Sent { index });
            }
            Some(ToSlave::Done { .. }) => return begun.elapsed().as_secs_f64(),
            other => panic!("{other:?}\n{}", farm.logs()),
        }
    }
}

/// A file of its own, written and forced to the disk: seconds.
fn written(dir: &Path, bytes: &[u8]) -> f64 {
    let path = dir.join("limit");
    let begun = Instant::now();
    let mut file = std::fs::File::create(&path).unwrap();
    file.write_all(bytes).unwrap();
    file.sync_all().unwrap();
    let took = begun.elapsed().as_secs_f64();
    std::fs::remove_file(path).unwrap();
    took
}

fn digested(bytes: &[u8]) -> f64 {
    use sha2::Digest;
    let begun = Instant::now();
    let mut digest = sha2::Sha256::new();
    bytes.chunks(64 * 1024).for_each(|piece| digest.update(piece));
    std::hint::black_box(digest.finalize());
    begun.elapsed().as_secs_f64()
}

fn start(packages: &[String]) -> Farm {
    let farm = Farm::start_durable(&["cp311"], &["--max-per-address", "1000"]);
    for name in packages {
        farm.index.offer(&Recipe::native(name.clone().leak(), "1.0"));
    }
    let mut words = vec!["add"];
    words.extend(packages.iter().map(String::as_str));
    farm.piw(&words);
    farm
}

/// One large wheel. Gives its farm, for what is measured next: a file system looks long for free inodes where many were just
/// removed.
pub(crate) fn one_large(rows: &mut Rows, mib: usize) -> Farm {
    let names: Vec<String> = (0..RUNS).map(|n| format!("large{n}")).collect();
    let farm = start(&names);
    let mut slave = Peer::slave(farm.slave_port, "bench", None);
    let (mut rates, mut limits, mut what) = (Vec::new(), Vec::new(), Vec::new());
    for (n, name) in names.iter().enumerate() {
        let bytes = wheel(name, mib << 20, n as u64 + 1);
        let size = bytes.len() as f64 / 1e6;
        let (sha, before) = (digested(&bytes), written(&farm.path("www"), &bytes));
        let bytes = Bytes::from(bytes);
        let file = vec![(format!("{name}-1.0-cp311-cp311-linux_x86_64.whl"), bytes.clone())];
        let took = deliver(&farm, &mut slave, &file);
        let disk = (before + written(&farm.path("www"), &bytes)) / 2.0;
        rates.push(size / took);
        limits.push(size / sha.max(disk));
        what.push(format!("{:.0} (SHA-256 {:.0}, write+fsync {:.0})", size / took, size / sha, size / disk));
    }
    rows.note(&format!("transfer, MB/s in each run: {}", what.join(", ")));
    rows.add(&format!("transfer {mib} MiB"), median(rates), median(limits), "MB/s", Goal::Share(0.8));
    farm
}

/// Many small wheels, over eight connections: the limit writes, forces and links each as the master must.
pub(crate) fn many_small(rows: &mut Rows, builds: usize) {
    const FILES: usize = 63;
    const SLAVES: usize = 8;
    let names: Vec<String> = (0..builds).map(|n| format!("small{n}")).collect();
    let farm = start(&names);
    let files = |name: &str| -> Vec<(String, Bytes)> {
        let file = |n: usize| {
            let tag = format!("{n}x");
            let bytes = sound(name, "1.0", Some(&tag), &noise(50 * 1024, n as u64 + 7));
            (format!("{name}-1.0-{tag}-cp311-cp311-linux_x86_64.whl"), bytes.into())
        };
        (1..=FILES).map(file).collect()
    };
    let sample = files("small0");
    // before and after: how fast a file system is depends on what went on just before
    let before = files_per_second(&farm, "before", &sample);
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for slave in 0..SLAVES.min(builds) {
            let (farm, files) = (&farm, &files);
            scope.spawn(move || {
                let mut peer = Peer::slave(farm.slave_port, &format!("bench-{slave}"), None);
                for _ in 0..builds / SLAVES.min(builds) {
                    deliver_named(farm, &mut peer, files);
                }
            });
        }
    });
    let rate = (builds * FILES) as f64 / begun.elapsed().as_secs_f64();
    assert_eq!(farm.count("SELECT count(*) FROM piw.file"), (builds * FILES) as i64, "{}", farm.logs());
    let limit = (before + files_per_second(&farm, "after", &sample)) / 2.0;
    rows.add(&format!("transfer {}x50 KiB", builds * FILES), rate, limit, "files/s", Goal::Share(0.8));
}

/// Each of these files written, forced to the disk and renamed, from the spool to the tree as the master's; four times over.
fn files_per_second(farm: &Farm, mark: &str, files: &[(String, Bytes)]) -> f64 {
    let (spool, tree) = (farm.path("spool"), farm.path("www"));
    let begun = Instant::now();
    for round in 0..4 {
        for (n, (_, bytes)) in files.iter().enumerate() {
            let (from, to) = (spool.join("limit"), tree.join(format!("limit-{mark}-{round}-{n}")));
            let mut file = std::fs::File::create(&from).unwrap();
            file.write_all(bytes).unwrap();
            file.sync_all().unwrap();
            std::fs::rename(&from, &to).unwrap();
        }
        std::fs::File::open(&tree).unwrap().sync_all().unwrap();
    }
    (4 * files.len()) as f64 / begun.elapsed().as_secs_f64()
}

/// The files of a package, by its name.
type Files = dyn Fn(&str) -> Vec<(String, Bytes)> + Sync;

/// Delivers whatever package it is handed.
fn deliver_named(farm: &Farm, slave: &mut Peer, files: &Files) {
    let (token, what) = slave.take_job();
    let files = files(what.split('=').next().unwrap());
    let offered: Vec<(&str, u64, Sha256)> =
        files.iter().map(|(name, bytes)| (name.as_str(), bytes.len() as u64, Sha256::of(bytes))).collect();
    slave.offer(token, &offered);
    let mut channel = None;
    loop {
        match slave.hear() {
            Some(ToSlave::Send { index, transfer }) => {
                let connected =
                    channel.take().unwrap_or_else(|| Peer::connect(farm.file_port, Channel::File));
                let bytes = &files[usize::from(index)].1;
                channel = Some(serve_next(connected, transfer, bytes).expect("the file is taken"));
                slave.say(&FromSlave::Sent { index });
            }
            Some(ToSlave::Done { .. }) => return,
            other => panic!("{other:?}\n{}", farm.logs()),
        }
    }
}
