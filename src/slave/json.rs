//! JSON (RFC 8259), written: the slave has a handful of numbers and texts to say and nothing to read.

use std::fmt::Write;

/// An object that grows by its members.
#[derive(Debug)]
pub(super) struct Json(String);

impl Json {
    /// An empty object.
    pub(super) fn object() -> Self {
        Self("{".to_owned())
    }

    /// A list of texts.
    pub(super) fn list<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
        let texts: Vec<String> = texts.into_iter().map(quoted).collect();
        format!("[{}]", texts.join(", "))
    }

    /// A list of values that are JSON already.
    pub(super) fn values(values: impl IntoIterator<Item = String>) -> String {
        let values: Vec<String> = values.into_iter().collect();
        format!("[{}]", values.join(", "))
    }

    /// A member whose value is JSON already, or a number.
    pub(super) fn member(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        let comma = if self.0.len() > 1 { ", " } else { "" };
        // writing to a String cannot fail
        let _ = write!(self.0, "{comma}{}: {value}", quoted(name));
        self
    }

    /// A member whose value is text.
    pub(super) fn text(self, name: &str, value: &str) -> Self {
        self.member(name, quoted(value))
    }

    /// All of it.
    pub(super) fn done(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

/// Text as a JSON string.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if u32::from(c) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_as_it_was(name in any::<String>(), texts in proptest::collection::vec(any::<String>(), 0..4), n in any::<u64>()) {
            let list = Json::list(texts.iter().map(String::as_str));
            let json = Json::object().text("a", &name).member("b", n).member("c", list).done();
            let read: serde_json::Value = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(read, serde_json::json!({ "a": name, "b": n, "c": texts }));
        }
    }
}
