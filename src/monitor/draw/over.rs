//! What is laid over the picture: questions, and help.

use super::super::app::{Confirm, Seen, Spot};
use super::super::cells::{Colour, Grid, Style};
use super::super::text::{width, wrap};

/// An empty box in the middle; where its inside begins, and how wide that is.
fn frame(grid: &mut Grid, wanted: u16, lines: u16) -> (u16, u16, u16) {
    let (inner, lines) = (wanted.min(grid.width() - 6), lines.min(grid.height() - 4));
    let (x, y) = ((grid.width() - inner - 4) / 2, (grid.height() - lines - 2) / 2);
    let (side, flat, corners) =
        if grid.ascii { ('|', '-', ['+'; 4]) } else { ('│', '─', ['┌', '┐', '└', '┘']) };
    for line in y..y + lines + 2 {
        grid.fill(x, line, inner + 4, ' ', Style::PLAIN);
        grid.fill(x, line, 1, side, Style::PLAIN);
        grid.fill(x + inner + 3, line, 1, side, Style::PLAIN);
    }
    for (line, ends) in [(y, &corners[..2]), (y + lines + 1, &corners[2..])] {
        grid.fill(x, line, inner + 4, flat, Style::PLAIN);
        grid.fill(x, line, 1, ends[0], Style::PLAIN);
        grid.fill(x + inner + 3, line, 1, ends[1], Style::PLAIN);
    }
    (x + 2, y + 1, inner)
}

pub(super) fn confirm(grid: &mut Grid, seen: &mut Seen, confirm: &Confirm) {
    let (title, text) = confirm.text();
    let inner = 60.min(grid.width() - 6);
    let lines = wrap(text, inner);
    let height = u16::try_from(lines.len()).unwrap_or(0) + 4;
    let (x, y, inner) = frame(grid, inner, height);
    seen.spots.clear();
    grid.put_within(x, y, inner, &title, Style::of(Colour::Odd).bold());
    for (at, line) in (y + 1..).zip(&lines) {
        grid.put_within(x, at, inner, line, Style::PLAIN);
    }
    let (mut at, line) = (x, y + height - 2);
    for (index, (key, name)) in confirm.answers().iter().enumerate() {
        let style = if index == confirm.choice { Style::REVERSE } else { Style::PLAIN };
        let from = at;
        at = grid.put(at, line, " ", style);
        at = grid.put(at, line, &key.to_string(), style.bold());
        at = grid.put(at, line, &format!(" {name} "), style);
        seen.spots.push(((from, line, at - from, 1), Spot::Answer(index)));
        at += 2;
    }
    grid.put_within(x, line + 1, inner, "arrows and Enter, or a letter; Esc leaves it", Style::FAINT);
}

const HELP: [(&str, &str); 17] = [
    ("up down PgUp PgDn Home End", "move in what has the keys"),
    ("Tab", "keys to the list, the pane below, the controls"),
    ("Enter", "the log of the selected slave's build"),
    ("1 2 3 4", "slave, log, recorded builds, how builds ended"),
    ("s  S", "sort by the next column; the other way round"),
    ("/", "filter: number, label, ABI, board, state, package"),
    ("p  r", "pause the farm; resume it"),
    ("k", "kill the selected slave: when idle, or now"),
    ("x", "cancel what it builds"),
    ("z", "give it no job; and again"),
    ("t", "terminate the master"),
    ("^L  ^Z", "draw anew; back to the shell for a while"),
    ("q", "end the monitor; the farm goes on"),
    ("", ""),
    ("STATE", "unfit: it asks for no job. !: it was told to go"),
    ("TEMP", "! after it: slowed down, for heat or voltage"),
    ("WALLS", "what stands between builds and the machine"),
];

pub(super) fn help(grid: &mut Grid, seen: &mut Seen) {
    let keys = HELP.iter().map(|(key, _)| width(key)).max().unwrap_or(0) + 2;
    let wanted = HELP.iter().map(|(_, what)| keys + width(what)).max().unwrap_or(0);
    let (x, y, inner) = frame(grid, wanted, HELP.len() as u16 + 1);
    seen.spots.clear();
    let room = grid.height().saturating_sub(y + 1);
    for (at, (key, what)) in (y..).zip(HELP).take(usize::from(room.saturating_sub(1))) {
        grid.put_within(x, at, inner, key, Style::BOLD);
        grid.put_within(x + keys, at, inner.saturating_sub(keys), what, Style::PLAIN);
    }
    let last = (y + HELP.len() as u16).min(grid.height().saturating_sub(4));
    grid.put_within(x, last, inner, "any key goes back", Style::FAINT);
}
