//! Memory of the master for each slave that is connected and asleep.

use piwheels::wire::slave::{FromSlave, ToSlave};

use crate::kit::farm::Farm;
use crate::kit::peer::Peer;
use crate::process::resident;
use crate::row::{Goal, Rows};

pub(crate) fn run(rows: &mut Rows, most: usize) {
    let (_, hard) = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).unwrap();
    nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    let room = (hard as usize).saturating_sub(1000);
    if room < most {
        rows.note(&format!("idle: the limit of {hard} open files allows {room} slaves, not {most}"));
    }
    let most = most.min(room);
    let connections = (most + 100).to_string();
    let farm = Farm::start(
        &["cp311"],
        &["--max-connections", &connections, "--max-per-address", &connections, "--slave-silence", "1h"],
    );
    let pid = farm.master().pid();
    let empty = resident(pid);
    let mut slaves = Vec::with_capacity(most);
    for count in [most / 10, most] {
        while slaves.len() < count {
            let mut peer = Peer::slave(farm.slave_port, &format!("idle-{}", slaves.len()), None);
            peer.say(&FromSlave::Idle {});
            assert!(matches!(peer.hear(), Some(ToSlave::Sleep { .. })));
            slaves.push(peer);
        }
        let each = (resident(pid) - empty) / count as f64 / 1024.0;
        rows.add(&format!("idle {count} slaves"), each, 8.0, "KiB each", Goal::Within);
    }
}
