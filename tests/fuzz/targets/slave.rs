//! What builds print, and what a slave's machine says: its launcher, its interpreter, /proc, lists in its configuration.

#![allow(clippy::unwrap_used, reason = "a target fails by panicking")]

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use super::signs::Signs;
use super::tree;
use crate::config::Switch;
use crate::domain::AbiTag;
use crate::fuzz::{Target, text};
use crate::slave::python::Python;
use crate::slave::sandbox::{Plan, cgroup, launch};
use crate::slave::start::{Paths, Walls};
use crate::vitals;
use crate::wire::slave::Wall;

pub(crate) const TARGETS: &[Target] = &[
    Target { name: "build_output", run: build_output },
    Target { name: "launcher", run: launcher },
    Target { name: "python_answer", run: python_answer },
    Target { name: "kernel_files", run: kernel_files },
    Target { name: "slave_lists", run: slave_lists },
];

fn build_output(data: &[u8]) {
    let read = |piece: usize| {
        let mut signs = Signs::default();
        data.chunks(piece.max(1)).for_each(|piece| signs.feed(piece));
        let names = (signs.installed(), signs.missing(), signs.needed());
        format!("{:?} {names:?} {:?}", signs.verdict(), signs.own_line())
    };
    let whole = read(data.len());
    assert_eq!(read(1), whole, "byte by byte");
    assert_eq!(read(7), whole);
    assert!(whole.len() <= 8 << 20, "what is kept is bounded");
}

/// Words with NULs between them, or a launcher's last line.
fn launcher(data: &[u8]) {
    text(data, |text| {
        if let Some(Ok(ended)) = launch::read(text) {
            assert!(ended.code.is_none() || ended.signal.is_none());
        }
    });
    let mut words = data.split(|b| *b == 0).map(|word| OsString::from_vec(word.to_vec()));
    if let Some(plan) = Plan::parse(&mut words) {
        assert_eq!(Plan::parse(&mut plan.words().into_iter()), Some(plan));
    }
}

fn python_answer(data: &[u8]) {
    text(data, |text| {
        if let Ok(python) = Python::read(text) {
            AbiTag::parse(&python.abi_tag).unwrap();
            assert!(python.places.iter().all(|path| path.is_absolute()));
        }
    });
}

fn kernel_files(data: &[u8]) {
    let _ = (tree::field(data, 17), tree::parent_and_death(data));
    text(data, |text| {
        let _ = (vitals::load1(text), vitals::memory(text), vitals::tenths(text), vitals::now(text));
        let (own, mounts) = text.split_once('\0').unwrap_or((text, text));
        let _ = (cgroup::place(own, mounts), cgroup::field(text, "oom_kill"));
    });
}

fn slave_lists(data: &[u8]) {
    text(data, |text| {
        if let Ok(Walls(walls)) = text.parse() {
            let names: Vec<&str> = walls.iter().map(|wall: &Wall| wall.name()).collect();
            assert_eq!(names.join(",").parse(), Ok(Walls(walls)));
        }
        if let Ok(Paths(paths)) = text.parse() {
            assert!(paths.iter().all(|path| path.is_absolute()));
            let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
            assert_eq!(names.join(",").parse(), Ok(Paths(paths)));
        }
        if let Ok(Switch(on)) = text.parse() {
            let words = if on { ["on", "true", "yes", "1"] } else { ["off", "false", "no", "0"] };
            assert!(words.contains(&text.to_ascii_lowercase().as_str()), "{text}");
        }
    });
}
