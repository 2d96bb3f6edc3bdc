//! Why the index gave no answer, and what of its texts is shown or kept. Pure: statuses and headers in, reasons out.

use super::dates;
use crate::master::gaze::GazeFailure;
use crate::wire::limits::REASON_BYTES;

/// The longest that the index is left alone for because it says so, in seconds: a header must not stop the farm for a year.
pub(super) const LONGEST_RETRY_AFTER: u32 = 24 * 3600;
/// The longest reason that is logged or told, in bytes.
pub(super) const SHOWN_BYTES: usize = 400;

/// Why there is no answer, for whoever asked: a tool, or the farm itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    /// For people: bounded, without control characters.
    pub(super) reason: String,
    pub(super) retry_after_secs: Option<u32>,
    pub(super) scope: Scope,
}

/// What is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// The whole index or the way to it.
    Everywhere,
    /// This one answer broke off: the next may be whole.
    BrokenOff,
    /// What was asked for: asking again at once will not help.
    Here,
}

impl Trouble {
    pub(super) fn new(scope: Scope, reason: impl AsRef<str>) -> Self {
        Self { reason: shown(reason.as_ref()), retry_after_secs: None, scope }
    }

    /// An HTTP status other than those that are answers. `retry_after` and `date` are the headers of these names
    /// (RFC 9110, 10.2.3 and 6.6.1).
    pub(super) fn status(status: u16, retry_after: Option<&str>, date: Option<&str>) -> Self {
        let scope = if matches!(status, 408 | 429 | 500..=599) { Scope::Everywhere } else { Scope::Here };
        let mut trouble = Self::new(scope, format!("the index answers with status {status}"));
        if scope == Scope::Everywhere {
            trouble.retry_after_secs = retry_after.and_then(|text| retry_after_secs(text, date));
        }
        trouble
    }

    /// Whether the same question may have an answer in a moment.
    pub(super) fn is_passing(&self) -> bool {
        self.scope != Scope::Here
    }
}

impl From<Trouble> for GazeFailure {
    fn from(trouble: Trouble) -> Self {
        Self {
            reason: trouble.reason,
            retry_after_secs: trouble.retry_after_secs,
            everywhere: trouble.scope == Scope::Everywhere,
        }
    }
}

/// Seconds of a Retry-After header: a number, or a date, which counts from the answer's own.
fn retry_after_secs(text: &str, date: Option<&str>) -> Option<u32> {
    let text = text.trim();
    let seconds = match text.parse::<u64>() {
        Ok(seconds) => i64::try_from(seconds).unwrap_or(i64::MAX),
        Err(_) if text.bytes().all(|b| b.is_ascii_digit()) && !text.is_empty() => i64::MAX,
        Err(_) => dates::http(text)? - dates::http(date?)?,
    };
    u32::try_from(seconds.clamp(0, LONGEST_RETRY_AFTER.into())).ok()
}

/// A text of the index as people may see it: bounded, and nothing in it steers a terminal or hides what follows.
pub(super) fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(SHOWN_BYTES));
    for c in text.chars() {
        if out.len() >= SHOWN_BYTES {
            out.push('…');
            break;
        }
        let steers = c.is_control()
            || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
        if steers { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}

/// A reason of the index that is kept and published, such as why a release was yanked: at most [`REASON_BYTES`], control
/// characters as spaces (the database holds no NUL).
pub(super) fn kept(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(REASON_BYTES));
    for c in text.chars().map(|c| if c.is_control() { ' ' } else { c }) {
        if out.len() + c.len_utf8() > REASON_BYTES {
            break;
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_status_says_whether_the_whole_index_is_at_fault_and_for_how_long() {
        let date = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        for (status, header, everywhere, seconds) in [
            (429, Some("120"), true, Some(120)),
            (503, Some(" 0 "), true, Some(0)),
            (503, Some("Sun, 06 Nov 1994 08:51:37 GMT"), true, Some(120)),
            (503, Some("Sun, 06 Nov 1994 08:40:00 GMT"), true, Some(0)),
            (503, Some("99999999999999999999999"), true, Some(LONGEST_RETRY_AFTER)),
            (503, Some("soon"), true, None),
            (500, None, true, None),
            (408, None, true, None),
            (403, Some("120"), false, None),
            (410, None, false, None),
        ] {
            let failure = GazeFailure::from(Trouble::status(status, header, date));
            assert_eq!(
                (failure.everywhere, failure.retry_after_secs),
                (everywhere, seconds),
                "{status} {header:?}"
            );
            assert!(failure.reason.contains(&status.to_string()));
        }
        let without_date = Trouble::status(503, Some("Sun, 06 Nov 1994 08:51:37 GMT"), None);
        assert_eq!(without_date.retry_after_secs, None);
    }

    #[test]
    fn what_is_shown_steers_no_terminal() {
        assert_eq!(shown("a\x1b[31m\r\nb\u{202e}c"), "a\\u{1b}[31m\\r\\nb\\u{202e}c");
        assert_eq!(kept("no\0longer\nsafe"), "no longer safe");
    }

    proptest! {
        #[test]
        fn texts_are_bounded_and_free_of_control_characters(text in "\\PC{0,900}|[\\x00-\\x20é€😀]{0,900}") {
            for (out, bound) in [(shown(&text), SHOWN_BYTES + 13), (kept(&text), REASON_BYTES)] {
                prop_assert!(out.len() <= bound, "{}", out.len());
                prop_assert!(!out.chars().any(char::is_control));
            }
        }
    }
}
