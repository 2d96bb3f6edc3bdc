//! What is to be had of the master's process: its memory, and what it says of its turns when it ends.

use nix::sys::signal::Signal;

use crate::kit::farm::Farm;

/// Bytes that a process has in memory.
pub(crate) fn resident(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() * 1024.0
}

/// The reactor's turns.
pub(crate) struct Turns {
    /// Milliseconds that 99.9 % of them kept within.
    pub(crate) within: f64,
    /// Milliseconds of the longest.
    pub(crate) longest: f64,
    /// The master's own words.
    pub(crate) line: String,
}

/// Ends the master, which counts its turns itself and says so then.
pub(crate) fn turns(farm: &mut Farm) -> Turns {
    farm.master().signal(Signal::SIGTERM);
    farm.master().signal(Signal::SIGTERM);
    let line = farm.master().wait_for_line(0, &["turns of the reactor"]);
    let numbers: Vec<f64> =
        line.split(|c: char| !c.is_ascii_digit() && c != '.').filter_map(|w| w.parse().ok()).collect();
    let _ = farm.master.take();
    let of_the_last = |n: usize| numbers[numbers.len() - n] / 1000.0;
    let (within, longest) = (of_the_last(2), of_the_last(1));
    Turns { within, longest, line: line.split(": ").last().unwrap_or_default().to_owned() }
}
