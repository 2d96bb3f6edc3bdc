//! What the master tells the service manager that started it.

use nix::sys::signal::Signal;

use crate::kit::farm::{Farm, abi_of, python};
use crate::kit::manager::Manager;
use crate::kit::sdist::Recipe;

#[test]
fn a_service_manager_hears_that_the_master_is_ready_alive_and_what_it_does() {
    let abi = abi_of(&python());
    let mut farm = Farm::start(&[&abi], &[]);
    let gate = farm.gate("never");
    farm.index.offer(&Recipe::native("endless", "1.0").behind(&gate));
    let mut before = farm.master.take().unwrap();
    before.signal(Signal::SIGTERM);
    assert_eq!(before.wait(), 0, "{}", farm.logs());

    let manager = Manager::listen(&farm.path("run"));
    let mut command = farm.master_command(&[]);
    command.env("NOTIFY_SOCKET", manager.path()).env("WATCHDOG_USEC", "1000000").env_remove("WATCHDOG_PID");
    let mut master = farm.spawn(command, "watched");
    assert_eq!(manager.next(), "READY=1");
    master.wait_for_line(0, &["piw-master: ready"]);
    manager.wait_for("STATUS=slaves: 0, of which 0 build");
    manager.wait_for("WATCHDOG=1");
    manager.wait_for("WATCHDOG=1");
    let mut slave = farm.start_slave("builder");
    farm.piw(&["add", "endless"]);
    manager.wait_for("STATUS=slaves: 1, of which 1 build");

    master.signal(Signal::SIGHUP);
    manager.wait_for("RELOADING=1\nMONOTONIC_USEC=");
    manager.wait_for("READY=1");

    master.signal(Signal::SIGTERM);
    manager.wait_for("STOPPING=1");
    manager.wait_for("STATUS=stops when the builds of 1 slaves are delivered");
    manager.wait_for("WATCHDOG=1");
    master.signal(Signal::SIGTERM);
    manager.wait_for("STOPPING=1");
    assert_eq!(master.wait(), 0, "{}", farm.logs());
    assert_eq!(slave.wait(), 0, "{}", farm.logs());
}
