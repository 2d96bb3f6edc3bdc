//! Keys and the mouse, out of the bytes that a terminal sends. What is not known is passed over. Pure.

/// What the user did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// A character.
    Char(char),
    /// Control and a letter.
    Ctrl(char),
    /// Enter.
    Enter,
    /// Tab.
    Tab,
    /// Shift and Tab.
    BackTab,
    /// Backspace.
    Backspace,
    /// Escape.
    Esc,
    /// Up.
    Up,
    /// Down.
    Down,
    /// Left.
    Left,
    /// Right.
    Right,
    /// Home.
    Home,
    /// End.
    End,
    /// Page up.
    PageUp,
    /// Page down.
    PageDown,
    /// The first button was pressed at a column and a line, counted from 0.
    Click(u16, u16),
    /// The wheel was turned up there.
    WheelUp(u16, u16),
    /// The wheel was turned down there.
    WheelDown(u16, u16),
}

/// A sequence longer than this is none.
const SEQUENCE_BYTES: usize = 32;

/// Takes what is whole off the front. An escape at the very end may be a key of its own or the begin of a sequence: it is
/// left until `settled`, when nothing more came for a while.
pub fn take(input: &mut Vec<u8>, settled: bool) -> Vec<Key> {
    let mut keys = Vec::new();
    let mut at = 0;
    while at < input.len() {
        match one(&input[at..], settled) {
            Some((key, length)) => {
                keys.extend(key);
                at += length;
            }
            None => break,
        }
    }
    input.drain(..at);
    keys
}

/// The first key and its length; none where more must come.
fn one(bytes: &[u8], settled: bool) -> Option<(Option<Key>, usize)> {
    let key = match bytes[0] {
        0x1b => return escape(bytes, settled),
        b'\r' | b'\n' => Some(Key::Enter),
        b'\t' => Some(Key::Tab),
        0x7f | 0x08 => Some(Key::Backspace),
        c @ 1..=26 => Some(Key::Ctrl(char::from(b'a' + c - 1))),
        c @ b' '..=b'~' => Some(Key::Char(char::from(c))),
        first => {
            let length = match first {
                0xc2..=0xdf => 2,
                0xe0..=0xef => 3,
                0xf0..=0xf4 => 4,
                _ => return Some((None, 1)),
            };
            if bytes.len() < length {
                return settled.then_some((None, bytes.len()));
            }
            let text = std::str::from_utf8(&bytes[..length]).ok();
            let c = text.and_then(|text| text.chars().next()).filter(|c| !c.is_control());
            return Some((c.map(Key::Char), if text.is_some() { length } else { 1 }));
        }
    };
    Some((key, 1))
}

fn escape(bytes: &[u8], settled: bool) -> Option<(Option<Key>, usize)> {
    match bytes.get(1) {
        None => settled.then_some((Some(Key::Esc), 1)),
        Some(b'[') => {
            // parameters and intermediate bytes, then one that ends it (ECMA-48 5.4)
            let end = bytes[2..].iter().position(|b| !(0x20..=0x3f).contains(b)).map(|n| n + 2);
            match end {
                _ if bytes.len() > SEQUENCE_BYTES && end.is_none_or(|end| end > SEQUENCE_BYTES) => {
                    Some((None, SEQUENCE_BYTES))
                }
                None => settled.then_some((None, bytes.len())),
                // another escape breaks it off
                Some(end) if !(0x40..=0x7e).contains(&bytes[end]) => Some((None, end)),
                Some(end) => Some((control(&bytes[2..end], bytes[end]), end + 1)),
            }
        }
        Some(b'O') => match bytes.get(2) {
            None => settled.then_some((None, 2)),
            Some(last) => Some((control(&[], *last), 3)),
        },
        // twice: the first was a key
        Some(0x1b) => Some((Some(Key::Esc), 1)),
        // Alt and something
        Some(_) => Some((None, 2)),
    }
}

fn control(parameters: &[u8], last: u8) -> Option<Key> {
    if parameters.first() == Some(&b'<') {
        return mouse(&parameters[1..], last);
    }
    Some(match (last, parameters) {
        (b'A', _) => Key::Up,
        (b'B', _) => Key::Down,
        (b'C', _) => Key::Right,
        (b'D', _) => Key::Left,
        (b'H', _) | (b'~', b"1" | b"7") => Key::Home,
        (b'F', _) | (b'~', b"4" | b"8") => Key::End,
        (b'Z', _) => Key::BackTab,
        (b'~', b"5") => Key::PageUp,
        (b'~', b"6") => Key::PageDown,
        _ => return None,
    })
}

/// `0;12;5` and `M`: button, column and line, counted from 1 (xterm's mode 1006).
fn mouse(parameters: &[u8], last: u8) -> Option<Key> {
    let text = std::str::from_utf8(parameters).ok()?;
    let mut numbers = text.split(';').map(|n| n.parse::<u16>().ok());
    let (button, x, y) = (numbers.next()??, numbers.next()??, numbers.next()??);
    let (x, y) = (x.checked_sub(1)?, y.checked_sub(1)?);
    match (button, last) {
        (0, b'M') => Some(Key::Click(x, y)),
        (64, b'M') => Some(Key::WheelUp(x, y)),
        (65, b'M') => Some(Key::WheelDown(x, y)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keys(bytes: &[u8]) -> Vec<Key> {
        let mut input = bytes.to_vec();
        let keys = take(&mut input, true);
        assert!(input.is_empty(), "{input:?}");
        keys
    }

    #[test]
    fn keys_are_what_terminals_send() {
        assert_eq!(
            keys(b"pq\t\x1b[Z\x1b[A\x1bOB\x1b[5~\x1b[6~\x1b[H\x1b[4~\r\x7f\x03"),
            [
                Key::Char('p'),
                Key::Char('q'),
                Key::Tab,
                Key::BackTab,
                Key::Up,
                Key::Down,
                Key::PageUp,
                Key::PageDown,
                Key::Home,
                Key::End,
                Key::Enter,
                Key::Backspace,
                Key::Ctrl('c'),
            ]
        );
        assert_eq!(keys("é漢".as_bytes()), [Key::Char('é'), Key::Char('漢')]);
    }

    #[test]
    fn the_mouse_is_counted_from_nought() {
        assert_eq!(
            keys(b"\x1b[<0;1;5M\x1b[<0;1;5m\x1b[<64;200;60M\x1b[<65;2;2M\x1b[<35;3;3M"),
            [Key::Click(0, 4), Key::WheelUp(199, 59), Key::WheelDown(1, 1)]
        );
    }

    #[test]
    fn an_escape_waits_for_what_may_follow() {
        let mut input = b"\x1b".to_vec();
        assert!(take(&mut input, false).is_empty());
        input.extend(b"[");
        assert!(take(&mut input, false).is_empty());
        input.extend(b"A");
        assert_eq!(take(&mut input, false), [Key::Up]);
        assert_eq!(keys(b"\x1b"), [Key::Esc]);
        assert_eq!(keys(b"\x1b\x1b[A"), [Key::Esc, Key::Up]);
        assert_eq!(keys(b"\x1b[200;\x1b[A"), [Key::Up], "what breaks off is passed over");
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken_to_their_end(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let mut input = bytes;
            let keys = take(&mut input, true);
            prop_assert!(input.is_empty());
            for key in keys {
                if let Key::Char(c) = key {
                    prop_assert!(!c.is_control());
                }
            }
        }
    }
}
