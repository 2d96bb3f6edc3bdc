//! The reactor's turns under everything at once: builds that fail, files that come in, a herd of idle slaves, peers that
//! send rubbish. The master counts its turns itself and says so when it ends.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use piwheels::wire::Channel;
use piwheels::wire::slave::{FromSlave, ToSlave};

use crate::database::fill;
use crate::kit::farm::Farm;
use crate::kit::peer::Peer;
use crate::kit::sdist::Recipe;
use crate::process::{Turns, turns};
use crate::row::{Goal, Rows};
use crate::transfer::{deliver, wheel};
use crate::turnaround::fail_builds;

pub(crate) fn run(rows: &mut Rows, seconds: u64) {
    let mut farm =
        Farm::start_durable(&["cp311", "cp312"], &["--max-per-address", "5000", "--slave-silence", "1h"]);
    farm.index.offer(&Recipe::native("load", "1.0"));
    farm.piw(&["add", "load"]);
    let mut carrier = Peer::slave(farm.slave_port, "carrier", None);
    let bytes = wheel("load", 64 << 20, 3);
    fill(&farm, "turn", 20_000 * seconds as usize);
    let mut herd = Vec::new();
    for n in 0..1000 {
        let mut peer = Peer::connect(farm.slave_port, Channel::Slave);
        peer.say(&crate::kit::peer::hello(piwheels::VERSION, &format!("idle-{n}"), "cp312", None));
        assert!(matches!(peer.hear(), Some(ToSlave::Hello { .. })));
        // told to sleep as long as there is nothing for its ABI
        peer.say(&FromSlave::Idle {});
        herd.push(peer);
    }
    let stop = AtomicBool::new(false);
    let builds = std::thread::scope(|scope| {
        for n in 0..4u8 {
            let (farm, stop) = (&farm, &stop);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let mut peer = Peer::connect(farm.slave_port, Channel::Slave);
                    let _ = peer.stream.write_all(&[n; 64 * 1024]);
                    let mut end = [0; 64];
                    while std::io::Read::read(&mut peer.stream, &mut end).is_ok_and(|read| read > 0) {}
                }
            });
        }
        let (farm, bytes) = (&farm, &bytes);
        scope.spawn(move || {
            let file = vec![("load-1.0-cp311-cp311-linux_x86_64.whl".to_owned(), bytes.clone().into())];
            deliver(farm, &mut carrier, &file);
        });
        let builds = fail_builds(farm, 8, Duration::from_secs(seconds), usize::MAX).waits.len();
        stop.store(true, Ordering::Relaxed);
        builds
    });
    drop(herd);
    let Turns { within, longest, line } = turns(&mut farm);
    rows.note(&format!("stall, while {builds} builds went through: {line}"));
    rows.add("stall p99.9", within, 5.0, "ms", Goal::Within);
    rows.note(&format!("stall: the longest turn took {longest} ms"));
}
