//! Signals: a gentle stop loses nothing, a hard one gives jobs back.

use nix::sys::signal::Signal;
use piwheels::wire::slave::{FromSlave, ToSlave};

use crate::kit::farm::{Farm, abi_of, python};
use crate::kit::peer::Peer;
use crate::kit::sdist::Recipe;
use crate::kit::wait::until;

#[test]
fn the_first_signal_lets_slaves_finish_and_deliver_what_they_build() {
    let abi = abi_of(&python());
    let mut farm = Farm::start(&[&abi], &[]);
    let gate = farm.gate("go");
    farm.index.offer(&Recipe::native("last", "1.0").behind(&gate));
    let mut builder = farm.start_slave("builder");
    farm.piw(&["add", "last"]);
    farm.wait_for_state("last", &abi, "building");
    let mut idle = Peer::slave(farm.slave_port, "idle", None);
    idle.say(&FromSlave::Idle {});
    assert!(matches!(idle.hear(), Some(ToSlave::Sleep { .. })));
    let mut master = farm.master.take().unwrap();
    master.signal(Signal::SIGTERM);
    // the idle one is told at once, and nobody new gets in
    assert!(matches!(idle.hear(), Some(ToSlave::Bye { .. })));
    idle.say(&FromSlave::Bye { reason: piwheels::wire::Text::cut("told to") });
    assert!(std::net::TcpStream::connect(("127.0.0.1", farm.slave_port)).is_err());
    assert!(master.is_running(), "it waits for the builder");
    farm.open(&gate);
    assert_eq!(master.wait(), 0, "{}", farm.logs());
    assert_eq!(builder.wait(), 0, "the slave is told BYE after its build\n{}", farm.logs());
    assert!(!farm.path("run/import").exists());
    assert_eq!(farm.count("SELECT count(*) FROM piw.file"), 1);
    farm.start_master();
    assert_eq!(farm.crawl(), 1);
    farm.audit();
}

#[test]
fn the_second_signal_stops_at_once_and_jobs_go_back() {
    let abi = abi_of(&python());
    let mut farm = Farm::start(&[&abi], &[]);
    let gate = farm.gate("never");
    farm.index.offer(&Recipe::native("endless", "1.0").behind(&gate));
    let mut slave = farm.start_slave("one");
    farm.piw(&["add", "endless"]);
    farm.wait_for_state("endless", &abi, "building");
    let mut master = farm.master.take().unwrap();
    master.signal(Signal::SIGINT);
    master.wait_for_line(0, &["stopping:"]);
    master.signal(Signal::SIGINT);
    assert_eq!(master.wait(), 0, "{}", farm.logs());
    assert_eq!(slave.wait(), 0, "{}", farm.logs());
    assert_eq!(farm.count("SELECT count(*) FROM piw.queue"), 1, "the job is queued again");
    assert_eq!(farm.count("SELECT count(*) FROM piw.build"), 0);
    farm.audit();
}

#[test]
fn a_slave_that_says_bye_gives_its_job_back_at_once() {
    let farm = Farm::start(&["cp311"], &[]);
    farm.index.offer(&Recipe::native("x", "1.0"));
    farm.piw(&["add", "x"]);
    let mut first = Peer::slave(farm.slave_port, "first", None);
    let (token, _) = first.take_job();
    let mut second = Peer::slave(farm.slave_port, "second", None);
    second.say(&FromSlave::Idle {});
    assert!(matches!(second.hear(), Some(ToSlave::Sleep { .. })));
    first.say(&FromSlave::Bye { reason: piwheels::wire::Text::cut("going home") });
    assert!(first.is_dropped());
    assert!(matches!(second.hear(), Some(ToSlave::Wake {})), "no lease has to end for that");
    let (again, _) = second.take_job();
    assert_ne!(again, token, "every hand-out has a token of its own");
}

#[test]
fn a_console_that_nobody_reads_does_not_stop_the_master() {
    let mut farm = Farm::start(&["cp311"], &[]);
    farm.master.take().unwrap().kill();
    let mut command = farm.master_command(&["-v", "-v"]);
    // a pipe whose other end is held and never read: 64 KiB and it is full
    let (unread, full) = std::io::pipe().unwrap();
    command.stdout(full.try_clone().unwrap()).stderr(full);
    let mut child = Ended(command.spawn().unwrap());
    until("socket", String::new, || {
        farm.piw_command(&["abi", "list"]).output().ok().filter(|o| o.status.success()).map(drop)
    });
    for n in 0..2000 {
        let mut odd = std::net::TcpStream::connect(("127.0.0.1", farm.slave_port)).unwrap();
        std::io::Write::write_all(&mut odd, b"GET / HTTP/1.0\r\n\r\n").unwrap();
        assert!(child.0.try_wait().unwrap().is_none(), "it ended after {n}");
    }
    assert!(farm.piw(&["abi", "list"]).contains("cp311"), "it still answers");
    drop((child, unread));
}

/// A child that ends with its test, whichever way that goes.
struct Ended(std::process::Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
