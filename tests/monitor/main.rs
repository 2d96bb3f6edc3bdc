//! `piw-monitor` in a real terminal, beside a real master; slaves are peers that say what a test wants.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on ends")]

#[path = "../kit/mod.rs"]
mod kit;

mod ends;
mod look;
mod orders;
mod printed;

use kit::account;
use kit::farm::Farm;
use kit::peer::{Peer, hello};
use kit::tmux::Terminal;
use piwheels::wire::slave::{Board, FromSlave, ToSlave, Vitals, Wall};
use piwheels::wire::{Channel, List, Text};

/// A farm whose slaves need not say that they live: peers do not, and tests may be slow.
fn farm() -> Farm {
    Farm::start(&["cp311"], &["--slave-silence", "1h"])
}

/// The command line of a monitor of this farm, for a shell.
fn monitor(farm: &Farm, more: &str) -> String {
    let program = account::runnable(env!("CARGO_BIN_EXE_piw-monitor"), &farm.path("bin"));
    let queue = |name: &str| format!("--{name}-queue ipc://{}", farm.path("run").join(name).display());
    format!("{} {} {} {more}", program.display(), queue("status"), queue("control"))
}

/// A terminal of this size with a monitor in it.
fn watch(farm: &Farm, width: u16, height: u16) -> Terminal {
    let terminal = Terminal::start(farm, width, height);
    terminal.run(&format!("{}; echo \"code=$?\"", monitor(farm, "")));
    terminal.wait(&["RUNNING", "quit"]);
    terminal
}

fn vitals(load1_centi: u32) -> Vitals {
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Vitals {
        load1_centi,
        cpus: 4,
        memory_total: 8 << 30,
        memory_free: 6 << 30,
        disk_total: 64 << 30,
        disk_free: 48 << 30,
        temperature: Some(612),
        clock_ms: clock.as_millis() as u64,
        throttled: Some(false),
    }
}

/// A slave that is let in, on a board of this name, and says how it is.
fn slave(farm: &Farm, label: &str, machine: &str) -> Peer {
    let mut peer = Peer::connect(farm.slave_port, Channel::Slave);
    let mut greeting = hello(piwheels::VERSION, label, "cp311", None);
    if let FromSlave::Hello { board, .. } = &mut greeting {
        *board = Board {
            machine: Text::new(machine).unwrap(),
            os: Text::new("Debian GNU/Linux 12, kernel 6.1").unwrap(),
            walls: List::new(vec![Wall::Namespaces, Wall::TreeKill, Wall::Seccomp]).unwrap(),
        };
    }
    peer.say(&greeting);
    assert!(matches!(peer.hear(), Some(ToSlave::Hello { .. })), "{label} was not let in");
    peer.say(&FromSlave::Busy { vitals: vitals(52), holds_back: None });
    peer
}

/// The same, asleep: there is nothing to build.
fn asleep(farm: &Farm, label: &str) -> Peer {
    let mut peer = slave(farm, label, "Raspberry Pi 4 Model B Rev 1.4");
    peer.say(&FromSlave::Idle {});
    assert!(matches!(peer.hear(), Some(ToSlave::Sleep { .. })));
    peer
}
