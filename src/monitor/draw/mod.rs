//! The picture of a model: where everything stands, and what it says. Pure.
//!
//! ```text
//!  80 columns                        130 columns and 30 lines, or more
//!  ┌ title ─────────────────────┐    ┌ title ───────────────────────────────────────┐
//!  │ the farm in numbers, 2     │    │ the farm in numbers, 2                        │
//!  │ news                       │    │ news                                          │
//!  │ slaves                     │    │ slaves                                        │
//!  │ …                          │    │ …                                             │
//!  ├ slave  log  builds  outcomes    ├ slave  log ─────────── builds  outcomes ──────┤
//!  │ one of them                │    │ one of them            │ one of them          │
//!  └ controls ──────────────────┘    └ controls ────────────────────────────────────┘
//! ```

use super::app::{App, CONTROLS, Focus, Pane, Seen, Spot};
use super::cells::{Colour, Grid, Style};
use super::model::Model;
use crate::domain::Millis;

mod header;
mod over;
mod pane;
mod table;

/// The smallest window that shows something.
const SMALLEST: (u16, u16) = (50, 12);
/// From this on there are two panes.
const WIDE: (u16, u16) = (130, 30);

/// A part of the picture: column, line, width and height.
#[derive(Clone, Copy, Debug)]
struct Area {
    x: u16,
    y: u16,
    width: u16,
    height: u16,
}

impl Area {
    const fn spot(self) -> (u16, u16, u16, u16) {
        (self.x, self.y, self.width, self.height)
    }
}

/// The picture, and what stands where in it.
pub fn draw(model: &Model, app: &App, now: Millis, size: (u16, u16), ascii: bool) -> (Grid, Seen) {
    let (width, height) = size;
    let mut grid = Grid::new(width, height, ascii);
    let mut seen = Seen::default();
    if width < SMALLEST.0 || height < SMALLEST.1 {
        grid.put(
            0,
            0,
            &format!("a window of {} x {} at least, please", SMALLEST.0, SMALLEST.1),
            Style::PLAIN,
        );
        return (grid, seen);
    }
    header_of(&mut grid, model, app, now);
    let below = (height * 2 / 5).clamp(5, 24).max(if height >= 24 { 9 } else { 0 });
    let top = header::LINES;
    let list = Area { x: 0, y: top, width, height: height - top - below - 1 };
    table::draw(&mut grid, &mut seen, model, app, now, list);
    let panes = Area { x: 0, y: height - below - 1, width, height: below };
    if width >= WIDE.0 && height >= WIDE.1 {
        let left = Area { width: width / 2, ..panes };
        let right = Area { x: left.width + 1, width: width - left.width - 1, ..panes };
        let (ours, other) = if app.pane.is_of_slave() { (left, right) } else { (right, left) };
        let titles = |area: Area| Pane::ALL.into_iter().filter(move |p| p.is_of_slave() == (area.x == 0));
        titled(&mut grid, &mut seen, model, app, now, other, (app.beside, titles(other).collect()));
        // the pane that scrolls is drawn last: what the keys are about
        titled(&mut grid, &mut seen, model, app, now, ours, (app.pane, titles(ours).collect()));
        let bar = if ascii { '|' } else { '│' };
        for y in panes.y..panes.y + panes.height {
            grid.fill(left.width, y, 1, bar, Style::FAINT);
        }
    } else {
        titled(&mut grid, &mut seen, model, app, now, panes, (app.pane, Pane::ALL.to_vec()));
    }
    controls(&mut grid, &mut seen, app, height - 1);
    if app.help {
        over::help(&mut grid, &mut seen);
    }
    if let Some(confirm) = &app.confirm {
        over::confirm(&mut grid, &mut seen, confirm);
    }
    (grid, seen)
}

/// The lines at the top alone, for a snapshot in text.
pub fn header_of(grid: &mut Grid, model: &Model, app: &App, now: Millis) {
    header::title(grid, model, now);
    header::numbers(grid, model, now);
    header::news(grid, model, app, now);
}

/// The list alone, below those lines.
pub fn list_of(grid: &mut Grid, model: &Model, app: &App, now: Millis) {
    let (width, height) = (grid.width(), grid.height().saturating_sub(header::LINES));
    let area = Area { x: 0, y: header::LINES, width, height: height.max(2) };
    table::draw(grid, &mut Seen::default(), model, app, now, area);
}

/// A pane alone.
pub fn pane_of(grid: &mut Grid, model: &Model, app: &App, now: Millis, shown: Pane) {
    let area = Area { x: 1, y: 0, width: grid.width().saturating_sub(1), height: grid.height() };
    pane::draw(grid, model, app, now, (shown, 0), area);
}

fn titled(
    grid: &mut Grid,
    seen: &mut Seen,
    model: &Model,
    app: &App,
    now: Millis,
    area: Area,
    (shown, titles): (Pane, Vec<Pane>),
) {
    let line = if grid.ascii { '-' } else { '─' };
    grid.fill(area.x, area.y, area.width, line, Style::FAINT);
    let mut x = area.x + 1;
    for pane in titles {
        let number = Pane::ALL.iter().position(|one| *one == pane).unwrap_or(0) + 1;
        let style = match (pane == shown, app.focus == Focus::Pane && pane == app.pane) {
            (true, true) => Style { bold: true, reverse: true, ..Style::PLAIN },
            (true, false) => Style::BOLD,
            (false, _) => Style::FAINT,
        };
        let from = x;
        x = grid.put(x, area.y, &format!(" {number} {} ", pane.name()), style);
        seen.spots.push(((from, area.y, x - from, 1), Spot::Title(pane)));
        x += 1;
    }
    let inner =
        Area { x: area.x + 1, y: area.y + 1, width: area.width.saturating_sub(2), height: area.height - 1 };
    seen.spots.push((inner.spot(), Spot::Pane(shown)));
    let scroll = if shown == app.pane { app.scroll } else { 0 };
    let (rows, lines) = pane::draw(grid, model, app, now, (shown, scroll), inner);
    if shown == app.pane {
        (seen.pane_rows, seen.pane_lines) = (rows, lines);
    }
    if lines > rows && rows > 0 {
        let most = lines - rows;
        let from_top = if shown == Pane::Log { most - scroll.min(most) } else { scroll.min(most) };
        let where_it_is = format!(" {}-{} of {lines} ", from_top + 1, from_top + rows);
        grid.put_before(area.x + area.width - 1, area.y, &where_it_is, Style::FAINT);
    }
}

fn controls(grid: &mut Grid, seen: &mut Seen, app: &App, y: u16) {
    if app.typing {
        let x = grid.put(1, y, "filter: ", Style::BOLD);
        let x = grid.put(x, y, &app.filter, Style::PLAIN);
        let x = grid.put(x, y, " ", Style::REVERSE);
        grid.put(x + 2, y, "Enter: keep   Esc: show all", Style::FAINT);
        return;
    }
    // what must be cut off in a narrow window is what a key does all the same
    let mut x = 0;
    for (index, (key, name)) in CONTROLS.into_iter().enumerate() {
        let chosen = app.focus == Focus::Controls && app.control == index;
        let from = x;
        let (bold, plain) = match chosen {
            true => (Style { bold: true, reverse: true, ..Style::PLAIN }, Style::REVERSE),
            false => (Style::of(Colour::Busy).bold(), Style::PLAIN),
        };
        x = grid.put(x, y, " ", plain);
        x = grid.put(x, y, &key.to_string(), bold);
        x = grid.put(x, y, &format!(" {name}"), plain);
        seen.spots.push(((from, y, x - from, 1), Spot::Control(key)));
        x += u16::from(grid.width() >= 100);
    }
}

#[cfg(test)]
mod tests;
