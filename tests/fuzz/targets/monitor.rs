//! What a terminal sends, and what others say that gets onto one.

use super::{Target, text};
use crate::monitor::keys;
use crate::monitor::logtext::{LINE_BYTES, LINES, LogText};
use crate::monitor::text::{cell, cut, width, wrap};

pub(super) const TARGETS: &[Target] = &[
    Target { name: "terminal_keys", run: terminal_keys },
    Target { name: "log_text", run: log_text },
    Target { name: "cells", run: cells },
];

fn terminal_keys(data: &[u8]) {
    let read = |piece: usize| {
        let (mut input, mut found) = (Vec::new(), Vec::new());
        for piece in data.chunks(piece) {
            input.extend_from_slice(piece);
            found.append(&mut keys::take(&mut input, false));
            assert!(input.len() <= 33, "what waits is bounded");
        }
        while !input.is_empty() {
            let waiting = input.len();
            found.append(&mut keys::take(&mut input, true));
            assert!(input.len() < waiting, "what is settled is taken");
        }
        found
    };
    let whole = read(data.len().max(1));
    assert_eq!(read(1), whole, "key by key");
    assert_eq!(read(3), whole, "three bytes at a time");
}

fn log_text(data: &[u8]) {
    let lines = |text: &LogText| -> Vec<String> { (0..text.len()).map(|n| text.line(n)).collect() };
    let mut whole = LogText::default();
    whole.add(0, data);
    let mut pieces = LogText::default();
    for (at, piece) in data.chunks(3).enumerate() {
        // each overlaps the one before
        let from = (3 * at).saturating_sub(2);
        pieces.add(from as u64, &data[from..3 * at + piece.len()]);
    }
    assert_eq!(lines(&whole), lines(&pieces));
    assert!(whole.len() <= LINES + 1);
    for line in lines(&whole) {
        assert!(line.len() <= 3 * LINE_BYTES && !line.contains(['\n', '\u{1b}']), "{line:?}");
    }
    let mut later = LogText::default();
    later.add(u64::MAX / 2, data);
    later.add(7, data);
    assert!(later.len() <= LINES + 1);
}

/// A number of cells, then a text.
fn cells(data: &[u8]) {
    let Some((&[high, low], rest)) = data.split_first_chunk() else { return };
    let cells = u16::from_be_bytes([high, low]);
    text(rest, |text| {
        for ascii in [false, true] {
            let kept = cut(text, cells, ascii);
            assert!(width(&kept) <= cells || width(&kept) <= width(text));
            if !ascii {
                assert!(width(&kept) <= cells, "{kept:?} in {cells}");
            }
            for (c, wide) in kept.chars().filter_map(|c| cell(c, ascii)) {
                assert!(!c.is_control() && (1..=2).contains(&wide));
                assert!(!ascii || c.is_ascii() && wide <= 2);
            }
        }
        let words: Vec<&str> = text.split_whitespace().collect();
        let lines = wrap(text, cells);
        assert_eq!(lines.join(" ").split_whitespace().collect::<Vec<_>>(), words, "no word is lost");
    });
}
