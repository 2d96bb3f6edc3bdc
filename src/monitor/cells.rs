//! A picture made of cells, and the bytes that turn the one that is shown into the next: only what changed is written, so
//! that nothing flickers and a slow line has little to carry. Pure.

use std::io::Write;

use termion::{color, cursor, style};

use super::text;

/// Colours of text, by their meaning; the terminal's own palette decides what they look like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colour {
    /// As the terminal has it.
    #[default]
    Plain,
    /// It goes well.
    Good,
    /// Worth a look.
    Odd,
    /// It goes wrong.
    Bad,
    /// Something works.
    Busy,
    /// Beside the point.
    Faint,
}

/// How a cell looks. Bold and reversed say what matters where there are no colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Of the text.
    pub colour: Colour,
    /// Bold.
    pub bold: bool,
    /// Background and text changed over.
    pub reverse: bool,
}

impl Style {
    /// Plain text.
    pub const PLAIN: Self = Self { colour: Colour::Plain, bold: false, reverse: false };
    /// Of headings.
    pub const BOLD: Self = Self { bold: true, ..Self::PLAIN };
    /// Of labels of things.
    pub const FAINT: Self = Self::of(Colour::Faint);
    /// Of bars across the screen, and of what is selected.
    pub const REVERSE: Self = Self { reverse: true, ..Self::PLAIN };

    /// Text of this colour.
    pub const fn of(colour: Colour) -> Self {
        Self { colour, bold: false, reverse: false }
    }

    /// The same, bold.
    pub const fn bold(self) -> Self {
        Self { bold: true, ..self }
    }
}

/// One place of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cell {
    /// [`COVERED`] where the character before takes two cells.
    c: char,
    style: Style,
}

/// The second cell of a wide character.
const COVERED: char = '\0';

/// A picture. What does not fit is cut off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grid {
    width: u16,
    height: u16,
    cells: Vec<Cell>,
    /// The terminal shows ASCII alone.
    pub ascii: bool,
}

impl Grid {
    /// An empty one.
    pub fn new(width: u16, height: u16, ascii: bool) -> Self {
        let empty = Cell { c: ' ', style: Style::PLAIN };
        Self { width, height, cells: vec![empty; usize::from(width) * usize::from(height)], ascii }
    }

    /// In cells.
    pub const fn width(&self) -> u16 {
        self.width
    }

    /// In cells.
    pub const fn height(&self) -> u16 {
        self.height
    }

    /// Writes a text from a place on, as far as the line goes; where the next would begin.
    pub fn put(&mut self, x: u16, y: u16, text: &str, style: Style) -> u16 {
        self.put_within(x, y, self.width.saturating_sub(x), text, style)
    }

    /// The same, in so many cells at most; a text that is longer ends with a sign of it.
    pub fn put_within(&mut self, x: u16, y: u16, cells: u16, text: &str, style: Style) -> u16 {
        let mut at = x;
        if y >= self.height {
            return at;
        }
        let end = x.saturating_add(cells).min(self.width);
        let shown = text::cut(text, end.saturating_sub(x), self.ascii);
        let ascii = self.ascii;
        for (c, wide) in shown.chars().filter_map(|c| text::cell(c, ascii)) {
            if at + wide > end {
                break;
            }
            self.set(at, y, c, style);
            if wide == 2 {
                let covered = if c == '?' { ' ' } else { COVERED };
                self.set(at + 1, y, covered, style);
            }
            at += wide;
        }
        at
    }

    /// The same, ending before a place.
    pub fn put_before(&mut self, end: u16, y: u16, text: &str, style: Style) {
        let cells = text::width(text).min(end);
        self.put_within(end - cells, y, cells, text, style);
    }

    /// A character in each of so many cells.
    pub fn fill(&mut self, x: u16, y: u16, cells: u16, c: char, style: Style) {
        for at in x..x.saturating_add(cells).min(self.width) {
            self.set(at, y, c, style);
        }
    }

    /// Gives what stands in a line another look, and keeps the colour of its text.
    pub fn restyle(&mut self, x: u16, y: u16, cells: u16, change: impl Fn(Style) -> Style) {
        for at in x..x.saturating_add(cells).min(self.width) {
            if let Some(cell) = self.at(at, y) {
                cell.style = change(cell.style);
            }
        }
    }

    /// A line as text, without what is empty at its end.
    pub fn line(&self, y: u16) -> String {
        let from = usize::from(y) * usize::from(self.width);
        let cells = self.cells.get(from..from + usize::from(self.width)).unwrap_or_default();
        let line: String = cells.iter().map(|cell| cell.c).filter(|c| *c != COVERED).collect();
        line.trim_end().to_owned()
    }

    /// All lines.
    pub fn lines(&self) -> Vec<String> {
        (0..self.height).map(|y| self.line(y)).collect()
    }

    fn at(&mut self, x: u16, y: u16) -> Option<&mut Cell> {
        let inside = x < self.width && y < self.height;
        let at = usize::from(y) * usize::from(self.width) + usize::from(x);
        self.cells.get_mut(at).filter(|_| inside)
    }

    fn set(&mut self, x: u16, y: u16, c: char, style: Style) {
        // half of a wide character is none
        if self.at(x, y).is_some_and(|cell| cell.c == COVERED)
            && c != COVERED
            && let Some(before) = x.checked_sub(1).and_then(|x| self.at(x, y))
        {
            before.c = ' ';
        }
        if let Some(after) = self.at(x.saturating_add(1), y)
            && after.c == COVERED
        {
            after.c = ' ';
        }
        if let Some(cell) = self.at(x, y) {
            *cell = Cell { c, style };
        }
    }
}

/// What a terminal shows.
#[derive(Debug)]
pub struct Screen {
    shown: Option<Grid>,
    colours: bool,
}

impl Screen {
    /// Nothing yet; `colours` where the terminal's user wants them.
    pub const fn new(colours: bool) -> Self {
        Self { shown: None, colours }
    }

    /// Whatever the terminal shows, it is not what was written: the next picture is written whole.
    pub fn forget(&mut self) {
        self.shown = None;
    }

    /// The bytes that make the terminal show this picture; none where it does already.
    pub fn draw(&mut self, next: &Grid) -> Vec<u8> {
        let mut out = Vec::new();
        let before = self.shown.take().filter(|grid| (grid.width, grid.height) == (next.width, next.height));
        if before.is_none() {
            self.look(&mut out, Style::PLAIN);
            // into memory, which does not fail
            let _ = write!(out, "{}", termion::clear::All);
        }
        let empty = Cell { c: ' ', style: Style::PLAIN };
        let mut style = None;
        // where the terminal's cursor is, if that is certain
        let mut cursor = None;
        for y in 0..next.height {
            for x in 0..next.width {
                let at = usize::from(y) * usize::from(next.width) + usize::from(x);
                let cell = next.cells[at];
                if before.as_ref().map_or(empty, |grid| grid.cells[at]) == cell || cell.c == COVERED {
                    continue;
                }
                if cursor != Some((x, y)) {
                    let _ = write!(out, "{}", cursor::Goto(x + 1, y + 1));
                }
                if style != Some(cell.style) {
                    self.look(&mut out, cell.style);
                    style = Some(cell.style);
                }
                let _ = write!(out, "{}", cell.c);
                // terminals differ about the width of what is not ASCII: the next cell is named, not assumed
                cursor = cell.c.is_ascii().then_some((x + 1, y));
            }
        }
        if !out.is_empty() {
            self.look(&mut out, Style::PLAIN);
        }
        self.shown = Some(next.clone());
        out
    }

    fn look(&self, out: &mut Vec<u8>, look: Style) {
        let _ = write!(out, "{}", style::Reset);
        if look.bold {
            let _ = write!(out, "{}", style::Bold);
        }
        if look.reverse {
            let _ = write!(out, "{}", style::Invert);
        }
        // which is no colour: the palette's grey is that of the background in some
        if look.colour == Colour::Faint {
            let _ = write!(out, "{}", style::Faint);
        }
        if !self.colours {
            return;
        }
        let _ = match look.colour {
            Colour::Plain | Colour::Faint => Ok(()),
            Colour::Good => write!(out, "{}", color::Fg(color::Green)),
            Colour::Odd => write!(out, "{}", color::Fg(color::Yellow)),
            Colour::Bad => write!(out, "{}", color::Fg(color::Red)),
            Colour::Busy => write!(out, "{}", color::Fg(color::Cyan)),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(screen: &mut Screen, grid: &Grid) -> String {
        String::from_utf8(screen.draw(grid)).unwrap().replace('\u{1b}', "^")
    }

    #[test]
    fn only_what_changed_is_written() {
        let mut screen = Screen::new(true);
        let mut grid = Grid::new(20, 2, false);
        grid.put(0, 0, "load 0.51", Style::PLAIN);
        assert_eq!(drawn(&mut screen, &grid), "^[m^[2J^[1;1H^[mload^[1;6H0.51^[m");
        assert_eq!(drawn(&mut screen, &grid), "");
        grid.put(8, 0, "2", Style::of(Colour::Bad));
        assert_eq!(drawn(&mut screen, &grid), "^[1;9H^[m^[38;5;1m2^[m");
        screen.forget();
        assert!(drawn(&mut screen, &grid).contains("^[2J"));
        let other = Grid::new(21, 2, false);
        assert!(drawn(&mut screen, &other).contains("^[2J"), "another size is another picture");
    }

    #[test]
    fn without_colours_bold_and_reversed_are_left() {
        let mut screen = Screen::new(false);
        let mut grid = Grid::new(4, 1, false);
        grid.put(0, 0, "a", Style::of(Colour::Bad).bold());
        grid.put(1, 0, "b", Style::REVERSE);
        assert_eq!(drawn(&mut screen, &grid), "^[m^[2J^[1;1H^[m^[1ma^[m^[7mb^[m");
    }

    #[test]
    fn wide_characters_take_two_cells_and_never_half_of_one_is_left() {
        let mut grid = Grid::new(6, 1, false);
        assert_eq!(grid.put(0, 0, "漢a", Style::PLAIN), 3);
        assert_eq!(grid.line(0), "漢a");
        grid.put(1, 0, "b", Style::PLAIN);
        assert_eq!(grid.line(0), " ba");
        grid.put(0, 0, "漢", Style::PLAIN);
        grid.put(0, 0, "x", Style::PLAIN);
        assert_eq!(grid.line(0), "x a");
        // no room for both halves
        grid.put(5, 0, "漢", Style::PLAIN);
        assert!(!grid.line(0).contains('漢'));
        let mut screen = Screen::new(false);
        let mut grid = Grid::new(6, 1, false);
        grid.put(0, 0, "é漢ab", Style::PLAIN);
        assert_eq!(drawn(&mut screen, &grid), "^[m^[2J^[1;1H^[mé^[1;2H漢^[1;4Hab^[m");
    }

    #[test]
    fn whatever_the_text_the_terminal_gets_no_sequence_of_its_making() {
        let mut grid = Grid::new(40, 2, false);
        let hostile = "a\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31m\u{202e}b\r\nc\u{0}";
        grid.put(0, 0, hostile, Style::PLAIN);
        let bytes = drawn(&mut Screen::new(false), &grid);
        assert!(bytes.starts_with("^[m^[2J^[1;1H^[ma?]0;owned??[2J?31mb^[1;"), "{bytes}");
        let of_ours = bytes.matches('^').count();
        assert_eq!(bytes.matches("^[m").count() + bytes.matches("^[1;").count() + 1, of_ours, "{bytes}");
        assert!(bytes.chars().all(|c| !c.is_control()), "{bytes:?}");
    }

    #[test]
    fn nothing_outside_is_touched() {
        let mut grid = Grid::new(4, 1, false);
        grid.put(2, 0, "long text", Style::PLAIN);
        grid.put(0, 9, "below", Style::PLAIN);
        grid.put(9, 0, "right", Style::PLAIN);
        grid.put_before(2, 0, "wider", Style::PLAIN);
        grid.fill(3, 0, u16::MAX, '-', Style::PLAIN);
        assert_eq!(grid.lines(), ["w…l-"]);
    }
}
