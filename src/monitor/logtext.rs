//! The end of a build's log as lines. Builds colour their output, move the cursor and paint progress bars: of that the
//! text is kept. Bounded in lines and in their length, whatever a build prints. Pure.

use std::collections::VecDeque;

/// Lines that are kept.
pub const LINES: usize = 2000;
/// Bytes of a line; the rest of a longer one is left out.
pub const LINE_BYTES: usize = 1000;

/// See the module's head.
#[derive(Clone, Debug, Default)]
pub struct LogText {
    lines: VecDeque<String>,
    /// The line that is not ended yet, as bytes: a character may come in pieces.
    open: Vec<u8>,
    state: State,
    /// Where the next piece of the log should begin.
    next: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    /// A carriage return: what follows takes the line's place, unless it is its end.
    Return,
    /// ESC.
    Escape,
    /// ESC [ … up to a letter.
    Control,
    /// ESC ] … up to BEL or ESC \.
    Title,
    TitleEscape,
}

impl LogText {
    /// A piece of the log, and where it stands in it.
    pub fn add(&mut self, offset: u64, piece: &[u8]) {
        if self.next.is_some_and(|next| next < offset) {
            self.end_line();
            self.push("[…]".to_owned());
            self.state = State::Text;
        } else if self.next.is_none() && offset > 0 {
            self.push("[…]".to_owned());
        }
        // what came already is not shown twice
        let known =
            self.next.map_or(0, |next| usize::try_from(next.saturating_sub(offset)).unwrap_or(usize::MAX));
        let piece = piece.get(known..).unwrap_or_default();
        self.next = Some(self.next.unwrap_or(0).max(offset + (known + piece.len()) as u64));
        piece.iter().for_each(|byte| self.byte(*byte));
    }

    fn byte(&mut self, byte: u8) {
        self.state = match (self.state, byte) {
            (State::Escape, b'[') => State::Control,
            (State::Escape, b']' | b'P' | b'_' | b'^') => State::Title,
            (State::Escape, _) => State::Text,
            (State::Control, 0x40..=0x7e) => State::Text,
            (State::Control, 0x20..=0x3f) => State::Control,
            (State::Title, 0x07) => State::Text,
            (State::Title, 0x1b) => State::TitleEscape,
            // no title is longer than a line
            (State::Title, byte) if byte != b'\n' => State::Title,
            (State::TitleEscape, b'\\') => State::Text,
            (_, 0x1b) => State::Escape,
            (_, b'\r') => State::Return,
            (_, b'\n') => {
                self.end_line();
                State::Text
            }
            (state, byte) => {
                if state == State::Return {
                    self.open.clear();
                }
                if byte == 0x08 {
                    self.open.pop();
                } else if self.open.len() < LINE_BYTES {
                    self.open.push(byte);
                }
                State::Text
            }
        };
    }

    fn end_line(&mut self) {
        let line = String::from_utf8_lossy(&self.open).into_owned();
        self.open.clear();
        self.push(line);
    }

    fn push(&mut self, line: String) {
        if self.lines.len() >= LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    /// How many lines there are, the open one included.
    pub fn len(&self) -> usize {
        self.lines.len() + usize::from(!self.open.is_empty())
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A line, counted from the first that is kept.
    pub fn line(&self, index: usize) -> String {
        match self.lines.get(index) {
            Some(line) => line.clone(),
            None => String::from_utf8_lossy(&self.open).into_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(pieces: &[(u64, &[u8])]) -> Vec<String> {
        let mut log = LogText::default();
        pieces.iter().for_each(|(offset, piece)| log.add(*offset, piece));
        (0..log.len()).map(|n| log.line(n)).collect()
    }

    #[test]
    fn colours_titles_and_progress_leave_their_text() {
        let printed =
            b"\x1b[1;31merror\x1b[0m: x\n\x1b]0;owned\x07y\x1b]2;z\x1b\\!\n10%\r20%\r100%\r\nab\x08c\nopen";
        assert_eq!(lines(&[(0, printed)]), ["error: x", "y!", "100%", "ac", "open"]);
    }

    #[test]
    fn pieces_are_one_text_and_gaps_are_shown() {
        let text = "é\u{1b}[31m漢\n".as_bytes();
        for cut in 0..text.len() {
            let (a, b) = text.split_at(cut);
            assert_eq!(lines(&[(0, a), (cut as u64, b)]), ["é漢"], "{cut}");
        }
        assert_eq!(lines(&[(0, b"one\ntw"), (100, b"two\n")]), ["one", "tw", "[…]", "two"]);
        assert_eq!(lines(&[(50, b"end\n")]), ["[…]", "end"], "a log that was joined late");
        assert_eq!(lines(&[(0, b"one\ntwo\n"), (4, b"two\nthree\n")]), ["one", "two", "three"]);
    }

    proptest! {
        #[test]
        fn any_log_is_bounded(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..3000), 0..5)) {
            let mut log = LogText::default();
            let mut offset = 0;
            for piece in &pieces {
                log.add(offset, piece);
                offset += piece.len() as u64;
            }
            prop_assert!(log.len() <= LINES + 1);
            for n in 0..log.len() {
                prop_assert!(log.line(n).len() <= 3 * LINE_BYTES);
            }
        }
    }
}
