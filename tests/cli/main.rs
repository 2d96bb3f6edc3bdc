//! What all programs have in common, as scripts meet it: options and configuration, a master that is not there or hangs, manual
//! pages and completions. Without a farm.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "the kit is shared, and not all of it is needed here")]

#[path = "../kit/mod.rs"]
mod kit;
#[path = "../../src/cli/manuals/tree.rs"]
mod tree;
#[path = "../../src/cli/manuals/words.rs"]
mod words;

mod config;
mod manual;
mod pages;
mod silent;

use std::process::{Command, Output, Stdio};

/// All programs.
const PROGRAMS: [(&str, &str); 8] = [
    ("piw", env!("CARGO_BIN_EXE_piw")),
    ("piw-master", env!("CARGO_BIN_EXE_piw-master")),
    ("piw-slave", env!("CARGO_BIN_EXE_piw-slave")),
    ("piw-monitor", env!("CARGO_BIN_EXE_piw-monitor")),
    ("piw-initdb", env!("CARGO_BIN_EXE_piw-initdb")),
    ("piw-import", env!("CARGO_BIN_EXE_piw-import")),
    ("piw-remove", env!("CARGO_BIN_EXE_piw-remove")),
    ("piw-logger", env!("CARGO_BIN_EXE_piw-logger")),
];

/// A program, without the variables of whoever runs the tests.
fn program(name: &str) -> Command {
    let (_, path) = PROGRAMS.iter().find(|(known, _)| *known == name).unwrap();
    let mut command = Command::new(path);
    for (variable, _) in std::env::vars_os() {
        if variable.to_string_lossy().starts_with("PIW_") {
            command.env_remove(variable);
        }
    }
    command.env("HOME", "/nonexistent").stdin(Stdio::null());
    command
}

fn run(name: &str, words: &[&str]) -> Output {
    program(name).args(words).output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Says that something was not tried, and why.
fn skipped(why: &str) {
    use std::io::Write;
    eprintln!("skipped: {why}");
    if let Some(file) = std::env::var_os("PIW_TEST_SKIPPED") {
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(file).unwrap();
        writeln!(file, "{why}").unwrap();
    }
}
