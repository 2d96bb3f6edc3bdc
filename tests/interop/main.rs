//! The protocol, implemented a second time (`piwire/`, in Python, from wire-spec's text alone), against the farm's programs; and
//! the dissector for Wireshark on what really goes over the wire.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../kit/mod.rs"]
mod kit;

mod dissector;
mod peers;

use std::path::Path;
use std::process::Command;

use kit::farm::{python, text};

/// The command line of a program of this directory.
fn program(name: &str, arguments: &[&str]) -> Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(python());
    command.arg("-B").arg(root.join("tests/interop").join(name)).args(arguments).current_dir(root);
    command
}

/// Runs one; what it prints. It must succeed.
fn run(name: &str, arguments: &[&str], context: impl Fn() -> String) -> String {
    let output = program(name, arguments).output().unwrap();
    assert!(output.status.success(), "{name}: {}\n{}", text(&output), context());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_second_codec_reads_and_writes_every_vector_and_knows_every_message_of_the_text() {
    let said = run("vectors.py", &["wire-spec"], String::new);
    assert!(said.contains(" 0 defects"), "{said}");
}
