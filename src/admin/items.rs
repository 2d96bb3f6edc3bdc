//! Tools that do the same for many items: those of the command line, or a list on standard input; one after the other, each
//! said by itself; and the question before what cannot be undone.

use std::io::{self, BufRead, IsTerminal, Read, Write};

use clap::Args;
use serde_json::{Map, Value, json};

use crate::options::{COMMAND_LINE, Failure, say};

/// The longest entry of a list, in bytes.
const ENTRY_BYTES: u64 = 64 << 10;

/// How a list is read, and what is said of each of its items.
#[derive(Args, Clone, Copy, Debug, Default)]
#[command(next_help_heading = COMMAND_LINE)]
pub struct Many {
    /// The list on standard input has a NUL behind each entry, instead of a line's end
    #[arg(short = '0', long)]
    pub null: bool,
    /// Go on with the next item after one that failed
    #[arg(long)]
    pub keep_going: bool,
    /// Print one line of JSON for each item
    #[arg(long)]
    pub json: bool,
}

/// Whether to go ahead with what cannot be undone.
#[derive(Clone, Copy, Debug)]
pub struct Consent {
    /// It was given beforehand (`-y`).
    pub yes: bool,
}

impl Consent {
    /// Asks at the terminal, after these lines. Anything but y or yes is a no, and so is the end of input.
    pub fn ask(self, lines: &[String], question: &str) -> Result<bool, Failure> {
        if self.yes {
            return Ok(true);
        }
        if !io::stdin().is_terminal() {
            return Err(Failure::usage(
                "this asks before it changes anything, and standard input is no terminal: -y (--yes) answers for you",
            ));
        }
        let unsaid = |error: io::Error| Failure::error(format!("cannot ask: {error}"));
        // what is printed may be for a program
        let mut out = io::stderr().lock();
        lines.iter().try_for_each(|line| writeln!(out, "{line}")).map_err(unsaid)?;
        write!(out, "{question} [y/N] ").and_then(|()| out.flush()).map_err(unsaid)?;
        let mut answer = String::new();
        if io::stdin().lock().read_line(&mut answer).map_err(unsaid)? == 0 {
            // the end of input left the cursor behind the question
            writeln!(out).map_err(unsaid)?;
        }
        Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
    }
}

/// Somebody said no.
pub fn declined() -> Failure {
    Failure { answered: true, ..Failure::usage("declined; nothing was changed") }
}

/// What one item came to.
#[derive(Clone, Debug)]
pub struct Told {
    /// For people, a line each.
    pub lines: Vec<String>,
    /// For programs: the members of its line of JSON.
    pub json: Map<String, Value>,
    /// It is done, and yet not all is as it should be: why, for people.
    pub trouble: Option<String>,
}

/// Works through items, saying what each came to. `name` is how an item is called. The first that fails ends it, unless it
/// is to go on; a failure that is not the item's own (no master) ends it all the same. What is wrong is said as it happens
/// where there is more than one item, and the failure then only has the number.
pub fn each<T>(
    many: Many,
    quiet: bool,
    items: impl Iterator<Item = Result<T, Failure>>,
    name: impl Fn(&T) -> String,
    mut work: impl FnMut(&T) -> Result<Told, Failure>,
) -> Result<(), Failure> {
    let mut failures: Vec<Failure> = Vec::new();
    let mut count = 0_u64;
    for item in items {
        count += 1;
        let (called, done) = match &item {
            Ok(item) => (name(item), work(item)),
            Err(failure) => (String::new(), Err(failure.clone())),
        };
        let failure = match done {
            Ok(told) => {
                if many.json {
                    let mut line = told.json;
                    line.insert("item".to_owned(), json!(called));
                    line.insert("ok".to_owned(), json!(told.trouble.is_none()));
                    line.insert("errors".to_owned(), json!(told.trouble.as_slice()));
                    say(Value::Object(line))?;
                } else if !quiet {
                    told.lines.iter().try_for_each(say)?;
                }
                told.trouble.map(|reason| Failure { answered: true, ..Failure::error(reason) })
            }
            Err(failure) => {
                if many.json {
                    say(json!({ "item": called, "ok": false, "changed": false, "errors": failure.reasons }))?;
                }
                Some(failure)
            }
        };
        let Some(failure) = failure else { continue };
        let goes_on = many.keep_going && failure.answered;
        failures.push(failure);
        if !goes_on {
            break;
        }
        if let Some(failure) = failures.last() {
            let mut to = io::stderr().lock();
            for reason in &failure.reasons {
                // where nobody listens, the exit code says it
                let _ = writeln!(to, "{called}: {reason}");
            }
        }
    }
    let Some(last) = failures.pop() else { return Ok(()) };
    if count == 1 || !last.answered {
        return Err(last);
    }
    let mut reasons = last.reasons;
    if many.keep_going {
        // those before it were said as they happened; it may have been, too
        reasons = vec![format!("{} of {count} failed; the reasons are above", failures.len() + 1)];
    }
    let code = if failures.is_empty() { last.code } else { 1 };
    Err(Failure { reasons, code, answered: true })
}

/// The entries of a list, without blank ones and, where they are lines, comments.
pub fn entries(many: Many) -> impl Iterator<Item = Result<String, Failure>> {
    let end = if many.null { b'\0' } else { b'\n' };
    let mut input = io::stdin().lock();
    std::iter::from_fn(move || {
        loop {
            let entry = match entry(&mut input, end) {
                Ok(None) => return None,
                Ok(Some(entry)) => entry,
                Err(failure) => return Some(Err(failure)),
            };
            let text = if many.null { entry.as_str() } else { entry.trim() };
            if !text.is_empty() && (many.null || !text.starts_with('#')) {
                return Some(Ok(text.to_owned()));
            }
        }
    })
}

/// The next entry of a list, up to this byte; none at the end.
pub(super) fn entry(input: &mut impl BufRead, end: u8) -> Result<Option<String>, Failure> {
    let failed = |error: io::Error| Failure::error(format!("standard input: {error}"));
    let mut bytes = Vec::new();
    if input.take(ENTRY_BYTES).read_until(end, &mut bytes).map_err(failed)? == 0 {
        return Ok(None);
    }
    if bytes.len() as u64 == ENTRY_BYTES && bytes.last() != Some(&end) {
        return Err(Failure::error(format!("standard input: an entry is over {ENTRY_BYTES} bytes")));
    }
    if bytes.last() == Some(&end) {
        bytes.pop();
    }
    let text = String::from_utf8(bytes);
    text.map(Some)
        .map_err(|_| Failure { answered: true, ..Failure::error("standard input: an entry is not UTF-8") })
}

/// An entry that is an object (JSON lines), with no members but these; none where it is something else.
pub fn object(entry: &str, members: &[&str]) -> Result<Option<Map<String, Value>>, Failure> {
    if !entry.starts_with('{') {
        return Ok(None);
    }
    let bad = |why: String| Failure { answered: true, ..Failure::error(format!("standard input: {why}")) };
    let object: Map<String, Value> =
        serde_json::from_str(entry).map_err(|error| bad(format!("no JSON: {error}")))?;
    match object.keys().find(|key| !members.contains(&key.as_str())) {
        Some(odd) => Err(bad(format!("no such member: {odd:?} (there are {})", members.join(", ")))),
        None => Ok(Some(object)),
    }
}

/// A text of such an object; none where it is not there or null.
pub fn member(object: &Map<String, Value>, key: &str) -> Result<Option<String>, Failure> {
    match object.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Failure {
            answered: true,
            ..Failure::error(format!("standard input: the member {key:?} is no text"))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mut input: &[u8], end: u8) -> Vec<Result<Option<String>, Failure>> {
        let mut all = Vec::new();
        while !input.is_empty() {
            all.push(entry(&mut input, end));
        }
        all
    }

    #[test]
    fn entries_end_with_a_line_or_a_nul_and_the_last_may_lack_it() {
        let texts = |input: &[u8], end| -> Vec<_> {
            all(input, end).into_iter().map(|entry| entry.unwrap().unwrap()).collect()
        };
        assert_eq!(texts(b"a\n\nb", b'\n'), ["a", "", "b"]);
        assert_eq!(texts(b"a\nb\0c\0", b'\0'), ["a\nb", "c"]);
        assert!(all(&[0xff, b'\n', b'a'], b'\n')[0].is_err());
        let endless = vec![b'x'; ENTRY_BYTES as usize + 1];
        assert!(all(&endless, b'\n')[0].as_ref().unwrap_err().reasons[0].contains("is over"));
    }

    #[test]
    fn json_lines_have_the_members_that_are_known() {
        let read = |text: &str| object(text, &["package", "version"]);
        assert_eq!(read("foo 1.0").unwrap(), None);
        let good = read(r#"{"package":"foo","version":null}"#).unwrap().unwrap();
        assert_eq!(member(&good, "package").unwrap().as_deref(), Some("foo"));
        assert_eq!(member(&good, "version").unwrap(), None);
        assert!(read(r#"{"pakage":"foo"}"#).unwrap_err().reasons[0].contains("pakage"));
        assert!(read("{").unwrap_err().reasons[0].contains("no JSON"));
        let odd = read(r#"{"package":1}"#).unwrap().unwrap();
        assert!(member(&odd, "package").is_err());
    }

    #[test]
    fn the_first_failure_ends_it_unless_it_is_to_go_on_and_no_master_ends_it_always() {
        let told = || Told { lines: Vec::new(), json: Map::new(), trouble: None };
        let run = |keep_going, own| {
            let mut seen = Vec::new();
            let many = Many { keep_going, ..Many::default() };
            let end = each(many, true, [1, 2, 3].into_iter().map(Ok), ToString::to_string, |n| {
                seen.push(*n);
                if *n == 2 { Err(Failure { answered: own, ..Failure::error("no") }) } else { Ok(told()) }
            });
            (seen, end.map_err(|failure| failure.code))
        };
        assert_eq!(run(false, true), (vec![1, 2], Err(1)));
        assert_eq!(run(true, true), (vec![1, 2, 3], Err(1)));
        assert_eq!(run(true, false), (vec![1, 2], Err(1)));
    }
}
