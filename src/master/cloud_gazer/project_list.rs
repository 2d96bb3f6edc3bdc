//! The list of all projects (PEP 691), taken apart while it comes: bytes in, projects out. Pure.
//!
//! The list of a large index has 40 MB and is never in memory: what is held is one project's entry and what waits to be
//! taken. The document's own frame is read here, by hand, because it must stop wherever the bytes do; each value in it
//! is read by serde_json.
//!
//! ```text
//! Start ─{─► Key ──► Colon ──► Value ──► Comma ─,─► Key …      Comma ─}─► End
//!                                └─"projects": [─► Element ──► ElementComma ─,─► Element …     ─]─► Comma
//! ```

use std::collections::VecDeque;

use serde::Deserialize;

use super::json::{Meta, Scalar};
use crate::domain::ProjectName;
use crate::master::gaze::ListedProject;

/// The longest value of the document, apart from the list itself: one project's entry, or what the list says of itself.
const VALUE_BYTES: usize = 1 << 20;

/// Where in the document the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Start,
    /// Before a key; the object may end instead when it is the first.
    Key {
        first: bool,
    },
    Colon,
    /// Before or in the value of the key that was read last.
    Value,
    Comma,
    /// Before or in a project; the list may end instead when it is the first.
    Element {
        first: bool,
    },
    ElementComma,
    End,
}

/// A list that is being read.
#[derive(Debug)]
pub(super) struct ProjectList {
    place: Place,
    held: Held,
    key: String,
    ready: VecDeque<ListedProject>,
    odd: usize,
    meta: Option<Meta>,
    projects: bool,
}

/// What the list says of itself, when it was read to its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ListEnd {
    pub(super) serial: Option<u64>,
    /// Projects whose names could not be read.
    pub(super) odd: usize,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    name: Scalar,
    #[serde(default, rename = "_last-serial")]
    serial: Scalar,
}

impl ProjectList {
    pub(super) fn new() -> Self {
        Self {
            place: Place::Start,
            held: Held::default(),
            key: String::new(),
            ready: VecDeque::new(),
            odd: 0,
            meta: None,
            projects: false,
        }
    }

    /// Takes the next bytes. The error is for people, and ends the list.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<(), String> {
        for byte in bytes {
            // a number ends with the byte behind it, which is looked at once more
            while !self.take(*byte)? {}
        }
        Ok(())
    }

    /// How many projects wait to be taken.
    pub(super) fn ready(&self) -> usize {
        self.ready.len()
    }

    /// At most so many of the projects that wait, in the order of the list.
    pub(super) fn drain(&mut self, most: usize) -> Vec<ListedProject> {
        self.ready.drain(..most.min(self.ready.len())).collect()
    }

    /// There are no more bytes: whether the list is whole.
    pub(super) fn finish(&self) -> Result<ListEnd, String> {
        if self.place != Place::End {
            return Err("the index's list of projects breaks off".to_owned());
        }
        if !self.projects {
            return Err("the index's list of projects has no projects".to_owned());
        }
        match &self.meta {
            Some(meta) => Ok(ListEnd { serial: meta.serial(), odd: self.odd }),
            None => Err("the index does not say which version of PEP 691 it speaks".to_owned()),
        }
    }

    /// One byte; false when it is to be looked at again.
    fn take(&mut self, byte: u8) -> Result<bool, String> {
        if self.held.is_empty() && is_space(byte) {
            return Ok(true);
        }
        match (self.place, byte) {
            (Place::Start, b'{') => self.place = Place::Key { first: true },
            (Place::Key { first: true }, b'}') if self.held.is_empty() => self.place = Place::End,
            (Place::Key { .. }, _) if !self.held.is_empty() || byte == b'"' => return self.hold(byte),
            (Place::Colon, b':') => self.place = Place::Value,
            (Place::Value, b'[') if self.held.is_empty() && self.key == "projects" => {
                if std::mem::replace(&mut self.projects, true) {
                    return Err("the index's list has its projects twice".to_owned());
                }
                self.place = Place::Element { first: true };
            }
            (Place::Element { first: true }, b']') if self.held.is_empty() => self.place = Place::Comma,
            (Place::Value | Place::Element { .. }, _) => return self.hold(byte),
            (Place::Comma, b',') => self.place = Place::Key { first: false },
            (Place::Comma, b'}') => self.place = Place::End,
            (Place::ElementComma, b',') => self.place = Place::Element { first: false },
            (Place::ElementComma, b']') => self.place = Place::Comma,
            _ => {
                return Err(format!(
                    "the index's list of projects cannot be read: {:?} is not due",
                    byte as char
                ));
            }
        }
        Ok(true)
    }

    fn hold(&mut self, byte: u8) -> Result<bool, String> {
        let (taken, whole) = match self.held.push(byte) {
            Step::More => (true, false),
            Step::Last => (true, true),
            Step::Behind => (false, true),
        };
        if self.held.bytes.len() > VALUE_BYTES {
            return Err(format!(
                "the index's list of projects has an entry of more than {VALUE_BYTES} bytes"
            ));
        }
        if whole {
            let held = std::mem::take(&mut self.held);
            self.place = self
                .read(&held.bytes)
                .map_err(|e| format!("the index's list of projects cannot be read: {e}"))?;
            self.held.reuse(held);
        }
        Ok(taken)
    }

    /// A whole value; the place behind it.
    fn read(&mut self, value: &[u8]) -> Result<Place, String> {
        match self.place {
            Place::Key { .. } => {
                self.key = serde_json::from_slice(value).map_err(|e| e.to_string())?;
                Ok(Place::Colon)
            }
            Place::Element { .. } => {
                self.project(value)?;
                Ok(Place::ElementComma)
            }
            _ => {
                if self.key == "meta" {
                    let meta: Meta = serde_json::from_slice(value).map_err(|e| e.to_string())?;
                    meta.check()?;
                    self.meta = Some(meta);
                } else if self.key == "projects" {
                    return Err("its projects are not a list".to_owned());
                } else {
                    serde_json::from_slice::<serde::de::IgnoredAny>(value).map_err(|e| e.to_string())?;
                }
                Ok(Place::Comma)
            }
        }
    }

    fn project(&mut self, value: &[u8]) -> Result<(), String> {
        // serde would take a list for an entry too
        let entry = if value.first() == Some(&b'{') { serde_json::from_slice(value).ok() } else { None };
        let Some(Entry { name, serial }) = entry else {
            // no project, but is it JSON at all?
            serde_json::from_slice::<serde::de::IgnoredAny>(value).map_err(|e| e.to_string())?;
            self.odd += 1;
            return Ok(());
        };
        match name.text().map(|name| (name, ProjectName::parse(name))) {
            Some((display, Ok(package))) => self.ready.push_back(ListedProject {
                package,
                display: display.to_owned(),
                serial: serial.serial().unwrap_or(0),
            }),
            _ => self.odd += 1,
        }
        Ok(())
    }
}

/// The bytes of one value, until it is whole.
#[derive(Debug, Default)]
struct Held {
    bytes: Vec<u8>,
    nesting: u32,
    in_text: bool,
    escaped: bool,
}

/// What a byte was to the value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    More,
    /// The last byte of the value.
    Last,
    /// The first byte behind it.
    Behind,
}

impl Held {
    fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Keeps the memory of a value that was read.
    fn reuse(&mut self, mut other: Self) {
        other.bytes.clear();
        *self = Self { bytes: other.bytes, ..Self::default() };
    }

    fn push(&mut self, byte: u8) -> Step {
        if self.in_text {
            self.bytes.push(byte);
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => {
                    self.in_text = false;
                    return self.whole();
                }
                _ => {}
            }
            return Step::More;
        }
        match byte {
            b'"' => self.in_text = true,
            b'{' | b'[' => self.nesting += 1,
            b'}' | b']' if self.nesting > 0 => {
                self.nesting -= 1;
                self.bytes.push(byte);
                return self.whole();
            }
            // true, null or a number
            b',' | b'}' | b']' | b':' if self.nesting == 0 => return Step::Behind,
            _ if self.nesting == 0 && is_space(byte) => return Step::Behind,
            _ => {}
        }
        self.bytes.push(byte);
        Step::More
    }

    fn whole(&self) -> Step {
        if self.nesting == 0 { Step::Last } else { Step::More }
    }
}

/// JSON's own white space (RFC 8259, 2).
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

#[cfg(test)]
mod tests;
