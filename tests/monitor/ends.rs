//! However the monitor ends, the terminal is as it was.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::kit::tmux::{self, Terminal};
use crate::kit::wait::until;
use crate::{farm, monitor};

/// What was on the screen before is there again; so are the cursor, wrapping, echo, lines and the keys that interrupt.
fn is_restored(terminal: &Terminal, code: &str) {
    terminal.wait(&["as before", code]);
    assert_eq!(terminal.modes(), "0 0 1 1", "{}", terminal.picture());
    terminal.run("stty -a | tr ' ;' '\\n\\n' | grep -xE -- '-?(echo|icanon|isig|opost)' | tr '\\n' ,; clear");
    terminal.run("stty -a | tr ' ;' '\\n\\n' | grep -xE -- '-?(echo|icanon|isig|opost)' | tr '\\n' ,");
    let picture = terminal.wait(&["opost,"]);
    assert!(["echo,", "icanon,", "isig,"].iter().all(|flag| picture.contains(flag)), "{picture}");
    assert!(!picture.contains(",-") && !picture.contains("\n-"), "{picture}");
    terminal.run("clear");
}

#[test]
fn the_terminal_is_given_back_at_every_end() {
    if !tmux::is_there("the_terminal_is_given_back_at_every_end") {
        return;
    }
    let farm = farm();
    let terminal = Terminal::start(&farm, 80, 24);
    let start = || {
        terminal.run(&format!("echo as before; {}; echo \"code=$?\"", monitor(&farm, "")));
        terminal.wait(&["RUNNING", "q quit"]);
        assert_eq!(terminal.modes(), "1 1 0 0");
        Pid::from_raw(terminal.child())
    };
    start();
    terminal.keys(&["q"]);
    is_restored(&terminal, "code=0");
    start();
    terminal.keys(&["C-c"]);
    is_restored(&terminal, "code=0");
    for (signal, code) in
        [(Signal::SIGTERM, "code=0"), (Signal::SIGINT, "code=0"), (Signal::SIGHUP, "code=1")]
    {
        kill(start(), signal).unwrap();
        is_restored(&terminal, code);
    }
    // stopped and continued: the shell has the terminal meanwhile
    start();
    terminal.keys(&["C-z"]);
    terminal.wait(&["as before"]);
    assert_eq!(terminal.modes(), "0 0 1 1");
    terminal.run("fg");
    terminal.wait(&["RUNNING", "q quit"]);
    assert_eq!(terminal.modes(), "1 1 0 0");
    terminal.keys(&["q"]);
    terminal.wait(&["as before"]);
    assert_eq!(terminal.modes(), "0 0 1 1");
}

#[test]
fn a_monitor_whose_terminal_is_closed_ends() {
    if !tmux::is_there("a_monitor_whose_terminal_is_closed_ends") {
        return;
    }
    let farm = farm();
    let terminal = crate::watch(&farm, 80, 24);
    let monitor = terminal.child();
    terminal.close();
    let gone = || {
        let stat = std::fs::read_to_string(format!("/proc/{monitor}/stat"));
        stat.map_or(true, |stat| stat.contains(") Z ")).then_some(())
    };
    until("end of the monitor", || format!("process {monitor} is there"), gone);
}
