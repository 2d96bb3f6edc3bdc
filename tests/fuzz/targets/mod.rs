//! Every decoder and parser of what comes from outside, each behind one function that takes any bytes: what `cargo fuzz`
//! feeds (`tools/fuzz`), and what the tests feed with the corpus and its mutations (`stable.rs`).
//!
//! A target panics where something is wrong: by itself, or by an assertion of what holds of every input. The targets of
//! rooms that keep their parsers to themselves stand in modules of those rooms, which are files beside this one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a target fails by panicking")]

mod config;
mod domain;
#[cfg(feature = "monitor")]
mod monitor;
#[cfg(test)]
mod stable;
mod wire;

/// Something that is fuzzed.
pub struct Target {
    /// Also the name of its file in `tests/fuzz/fuzz_targets/` and of its directory in `tests/fuzz/corpus/`.
    pub name: &'static str,
    /// Takes any bytes; panics where it found a fault.
    pub run: fn(&[u8]),
}

/// Every target of the features that are compiled in.
pub fn all() -> impl Iterator<Item = &'static Target> {
    let rooms = [
        wire::TARGETS,
        domain::TARGETS,
        config::TARGETS,
        #[cfg(feature = "monitor")]
        monitor::TARGETS,
        crate::admin::fuzz::TARGETS,
        crate::admin::logger::fuzz::TARGETS,
        crate::admin::audit::fuzz::TARGETS,
        #[cfg(feature = "master")]
        crate::master::fuzz::TARGETS,
        #[cfg(feature = "master")]
        crate::master::cloud_gazer::fuzz::TARGETS,
        #[cfg(feature = "slave")]
        crate::slave::builder::fuzz::TARGETS,
    ];
    rooms.into_iter().flatten()
}

/// Runs the target of this name.
pub fn run(name: &str, data: &[u8]) {
    let target = all().find(|target| target.name == name);
    (target.unwrap_or_else(|| panic!("there is no target {name}")).run)(data);
}

/// The bytes as text, if they are; most parsers take nothing else.
pub(crate) fn text(data: &[u8], take: impl FnOnce(&str)) {
    if let Ok(text) = std::str::from_utf8(data) {
        take(text);
    }
}

/// The first line and the rest, for parsers of two things.
pub(crate) fn first_line(text: &str) -> (&str, &str) {
    text.split_once('\n').unwrap_or((text, ""))
}

/// Bytes as a slow peer sends them: at most so many at a time.
pub(crate) struct Slow<'a> {
    rest: &'a [u8],
    most: usize,
}

impl<'a> Slow<'a> {
    pub(crate) fn new(data: &'a [u8], most: usize) -> Self {
        Self { rest: data, most: most.max(1) }
    }
}

impl std::io::Read for Slow<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let most = self.most.min(buffer.len());
        self.rest.read(&mut buffer[..most])
    }
}

impl std::io::BufRead for Slow<'_> {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        Ok(&self.rest[..self.most.min(self.rest.len())])
    }

    fn consume(&mut self, amount: usize) {
        self.rest = &self.rest[amount..];
    }
}
