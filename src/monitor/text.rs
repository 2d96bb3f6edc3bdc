//! Text from elsewhere, made fit for cells. A label, a package or a log line may hold anything; a terminal obeys what it
//! is sent. So nothing but what has a place in a cell gets there: no control character, no escape sequence, nothing that
//! changes the direction of writing, and of everything the width is known.

use unicode_width::UnicodeWidthChar;

/// The character as it may stand in a cell, and how many cells it takes, 1 or 2; none for what takes no place of its own
/// (combining marks, joiners, marks of direction), which is left out. Pure.
pub fn cell(c: char, ascii: bool) -> Option<(char, u16)> {
    match c {
        ' '..='~' => Some((c, 1)),
        '\t' | '\n' | '\r' | '\u{2028}' | '\u{2029}' => Some((' ', 1)),
        c if c.is_control() => Some(('?', 1)),
        c => match c.width() {
            Some(0) => None,
            Some(width @ 1..=2) if !ascii => Some((c, width as u16)),
            Some(width) => Some(('?', width.min(2) as u16)),
            None => Some(('?', 1)),
        },
    }
}

/// How many cells a text takes.
pub fn width(text: &str) -> u16 {
    text.chars().filter_map(|c| cell(c, false)).fold(0_u16, |sum, (_, width)| sum.saturating_add(width))
}

/// As much of the text as fits into so many cells; where something is cut off, its last cell says so.
pub fn cut(text: &str, cells: u16, ascii: bool) -> String {
    if width(text) <= cells {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = 0;
    for c in text.chars() {
        let wide = cell(c, ascii).map_or(0, |(_, width)| width);
        if used + wide + 1 > cells {
            break;
        }
        used += wide;
        kept.push(c);
    }
    if cells > 0 {
        kept.push(if ascii { '~' } else { '…' });
    }
    kept
}

/// The text in lines of so many cells, broken at spaces where there are some.
pub fn wrap(text: &str, cells: u16) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.len() - 1;
        let room = width(&lines[line]) + u16::from(!lines[line].is_empty()) + width(word) <= cells;
        if !room && !lines[line].is_empty() {
            lines.push(word.to_owned());
        } else {
            if !lines[line].is_empty() {
                lines[line].push(' ');
            }
            lines[line] += word;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_gets_into_a_cell() {
        for c in ['\u{1b}', '\0', '\u{7}', '\u{8}', '\u{7f}', '\u{9b}', '\u{90}', '\u{9d}'] {
            assert_eq!(cell(c, false), Some(('?', 1)), "{c:?}");
        }
        for c in ['\t', '\n', '\r', '\u{2028}'] {
            assert_eq!(cell(c, false), Some((' ', 1)), "{c:?}");
        }
        let unseen = ['\u{301}', '\u{200d}', '\u{202e}', '\u{2066}', '\u{fe0f}', '\u{feff}', '\u{e0041}'];
        assert_eq!(unseen.map(|c| cell(c, false)), [None; 7]);
    }

    #[test]
    fn widths_are_those_of_cells() {
        assert_eq!((width("pi3"), width("漢字"), width("e\u{301}"), width("👩\u{200d}🚀")), (3, 4, 1, 4));
        assert_eq!(cell('漢', true), Some(('?', 2)));
        assert_eq!(cell('é', true), Some(('?', 1)));
    }

    #[test]
    fn what_is_cut_says_so_and_keeps_to_its_cells() {
        assert_eq!(cut("numpy", 5, false), "numpy");
        assert_eq!(cut("numpy", 4, false), "num…");
        assert_eq!(cut("漢字漢字", 4, false), "漢…");
        assert_eq!(cut("漢字", 0, false), "");
        assert_eq!(cut("numpy", 4, true), "num~");
        for cells in 0..12 {
            assert!(width(&cut("a漢b字\u{301}c漢d", cells, false)) <= cells);
        }
    }

    #[test]
    fn long_lines_are_broken_at_spaces() {
        assert_eq!(wrap("one two  three", 7), ["one two", "three"]);
        assert_eq!(wrap("", 7), [""]);
        assert_eq!(wrap("abcdefghij k", 4), ["abcdefghij", "k"]);
    }
}
