//! The list of slaves.

use super::super::app::{App, Focus, Seen, Spot};
use super::super::cells::{Colour, Grid, Style};
use super::super::model::{Model, SlaveView};
use super::super::rows::{self, Sort};
use super::super::words::{span, sparks};
use super::Area;
use crate::domain::Millis;
use crate::domain::trend::{sample, used_percent};
use crate::wire::slave::Wall;
use crate::wire::status::{Doing, Sample};

/// What a column shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Id,
    Label,
    Abi,
    Board,
    Walls,
    Up,
    State,
    Task,
    Time,
    Load,
    Memory,
    Heat,
}

#[derive(Clone, Copy, Debug)]
struct Column {
    what: What,
    heading: &'static str,
    width: u16,
    sort: Option<Sort>,
    right: bool,
}

const fn column(what: What, heading: &'static str, width: u16, sort: Option<Sort>, right: bool) -> Column {
    Column { what, heading, width, sort, right }
}

/// The columns of a window. What a narrow one leaves out, the pane below has.
fn columns(width: u16) -> Vec<Column> {
    let roomy = width >= 110;
    let mut columns = vec![
        column(What::Id, "ID", if roomy { 5 } else { 4 }, Some(Sort::Id), true),
        column(What::Label, "LABEL", if roomy { 16 } else { 11 }, Some(Sort::Label), false),
        column(What::Abi, "ABI", 6, Some(Sort::Abi), false),
    ];
    if width >= 130 {
        columns.push(column(What::Board, "BOARD", if width >= 160 { 24 } else { 14 }, None, false));
        columns.push(column(What::Walls, "WALLS", Wall::ALL.len() as u16, None, false));
        columns.push(column(What::Up, "UP", 5, None, true));
    }
    columns.push(column(What::State, "STATE", 10, Some(Sort::State), false));
    let fixed_before = columns.len();
    columns.push(column(What::Task, "TASK", 0, None, false));
    columns.push(column(What::Time, "TIME", 5, Some(Sort::Time), true));
    // before the figures, what they were
    let spark = |from: u16| if roomy { 9 } else { 5 * u16::from(width >= from) };
    columns.push(column(What::Load, "LOAD", spark(80) + 4, Some(Sort::Load), true));
    if width >= 66 {
        columns.push(column(What::Memory, "MEM", spark(100) + 4, Some(Sort::Memory), true));
        columns.push(column(What::Heat, "TEMP", spark(100) + 4, Some(Sort::Heat), true));
    }
    let used: u16 = columns.iter().map(|column| column.width + 1).sum();
    columns[fixed_before].width = width.saturating_sub(used + 2).max(6);
    columns
}

pub(super) fn draw(grid: &mut Grid, seen: &mut Seen, model: &Model, app: &App, now: Millis, area: Area) {
    let columns = columns(area.width);
    let mut x = area.x + 1;
    for column in &columns {
        let chosen = column.sort == Some(app.sort);
        let style = if chosen { Style::BOLD } else { Style::FAINT };
        let arrow = match (chosen, app.reversed, grid.ascii) {
            (false, ..) => "",
            (_, false, false) => "▾",
            (_, true, false) => "▴",
            (_, false, true) => "v",
            (_, true, true) => "^",
        };
        let heading = format!("{}{arrow}", column.heading);
        if column.right {
            grid.put_before(x + column.width, area.y, &heading, style);
        } else {
            grid.put_within(x, area.y, column.width, &heading, style);
        }
        if let Some(sort) = column.sort {
            seen.spots.push(((x, area.y, column.width, 1), Spot::Heading(sort)));
        }
        x += column.width + 1;
    }
    let rows = app.rows(model);
    seen.list_rows = usize::from(area.height) - 1;
    if rows.is_empty() {
        let text = match (model.slaves.is_empty(), model.mode) {
            (_, None) => "",
            (true, _) => "no slave is connected",
            (false, _) => "no slave matches the filter; Esc shows all",
        };
        grid.put(area.x + 2, area.y + 1, text, Style::FAINT);
    }
    let shown = rows.iter().skip(app.top).take(seen.list_rows);
    for (y, id) in (area.y + 1..).zip(shown) {
        let Some(slave) = model.slaves.get(id) else { continue };
        let mut x = area.x + 1;
        for column in &columns {
            cell(grid, *column, x, y, slave, model.wall_ms(now));
            x += column.width + 1;
        }
        if app.selected == Some(*id) {
            let focus = app.focus == Focus::List;
            grid.put(area.x, y, ">", Style::BOLD);
            grid.restyle(area.x, y, area.width, |style| {
                let colour = if style.colour == Colour::Faint { Colour::Plain } else { style.colour };
                Style { reverse: focus, bold: true, colour }
            });
        }
        seen.spots.push(((area.x, y, area.width, 1), Spot::Row(*id)));
    }
    let hidden = rows.len().saturating_sub(app.top + seen.list_rows);
    if hidden > 0 {
        // on the heading, which is empty there: TASK is wide
        let (x, width) = task_heading(&columns, area.x);
        grid.put_before(x + width, area.y, &format!("{hidden} more below"), Style::FAINT);
    }
}

fn task_heading(columns: &[Column], from: u16) -> (u16, u16) {
    let mut x = from + 1;
    for column in columns {
        if column.what == What::Task {
            return (x, column.width);
        }
        x += column.width + 1;
    }
    (x, 0)
}

fn cell(grid: &mut Grid, column: Column, x: u16, y: u16, slave: &SlaveView, wall_ms: u64) {
    let Column { what, width, .. } = column;
    let of = &slave.now;
    let vitals = of.vitals.as_ref();
    let machine = vitals.map(sample);
    let now = machine.as_ref();
    let left = |grid: &mut Grid, text: &str, style| {
        grid.put_within(x, y, width, text, style);
    };
    let right = |grid: &mut Grid, text: &str, style| grid.put_before(x + width, y, text, style);
    match what {
        What::Id => right(grid, &of.slave_id.to_string(), Style::PLAIN),
        What::Label => left(grid, &of.label, Style::PLAIN),
        What::Abi => left(grid, &of.abi, Style::PLAIN),
        What::Board => {
            let board = of.board.as_ref();
            let machine = board.map(|board| &*board.machine).filter(|machine| !machine.is_empty());
            left(grid, machine.unwrap_or(&of.platform), Style::FAINT);
        }
        What::Walls => {
            if let Some(board) = &of.board {
                left(grid, &walls(&board.walls), Style::FAINT);
            }
        }
        What::Up => right(grid, &span(wall_ms.saturating_sub(of.connected_ms)), Style::PLAIN),
        What::State => {
            let state = rows::state(of);
            let mark = if of.kill_pending && state.len() < 10 { "!" } else { "" };
            left(grid, &format!("{state}{mark}"), state_style(slave));
        }
        What::Task => match (&of.job, &of.holds_back) {
            (Some(job), _) => left(grid, &format!("{} {}", &*job.package, &*job.version), Style::PLAIN),
            (None, Some(why)) => left(grid, why, Style::of(Colour::Odd)),
            (None, None) => {}
        },
        What::Time => right(grid, &span(wall_ms.saturating_sub(of.since_ms)), Style::PLAIN),
        What::Load => {
            let text = vitals.map(|v| format!("{:.1}", f64::from(v.load1_centi) / 100.0));
            let style = level(now.map(|s| i64::from(s.load_percent)), 150, 300);
            figure(grid, column, x, y, slave, (text, style), |s| Some(s.load_percent.into()), (0, 100));
        }
        What::Memory => {
            let used = vitals.map(|v| used_percent(v.memory_free, v.memory_total));
            let style = level(used.map(i64::from), 90, 97);
            let text = used.map(|used| format!("{used}%"));
            figure(grid, column, x, y, slave, (text, style), |s| Some(s.memory_percent.into()), (0, 100));
        }
        What::Heat => {
            let tenths = vitals.and_then(|v| v.temperature);
            let slow = vitals.is_some_and(|v| v.throttled == Some(true));
            let style = if slow { Style::of(Colour::Bad) } else { level(tenths.map(i64::from), 800, 850) };
            let text = tenths.map(|tenths| format!("{}{}", tenths / 10, if slow { "!" } else { "°" }));
            let text = text.map(|text| if grid.ascii { text.replace('°', "C") } else { text });
            figure(grid, column, x, y, slave, (text, style), |s| s.temperature.map(i64::from), (300, 850));
        }
    }
}

/// A figure, and before it what it was, if the column is that wide.
#[allow(clippy::too_many_arguments, reason = "one place of one picture")]
fn figure(
    grid: &mut Grid,
    column: Column,
    x: u16,
    y: u16,
    slave: &SlaveView,
    (text, style): (Option<String>, Style),
    value: fn(&Sample) -> Option<i64>,
    bounds: (i64, i64),
) {
    if column.width > 8 {
        let line = sparks(slave.trend.samples().map(value), bounds, column.width - 5, grid.ascii);
        grid.put(x, y, &line, Style::FAINT);
    }
    let text = text.unwrap_or_else(|| "-".to_owned());
    grid.put_before(x + column.width, y, &text, style);
}

fn level(value: Option<i64>, odd: i64, bad: i64) -> Style {
    match value {
        Some(value) if value >= bad => Style::of(Colour::Bad),
        Some(value) if value >= odd => Style::of(Colour::Odd),
        Some(_) => Style::PLAIN,
        None => Style::FAINT,
    }
}

fn state_style(slave: &SlaveView) -> Style {
    let of = &slave.now;
    if of.skipping || of.kill_pending || of.resting || of.holds_back.is_some() {
        return Style::of(Colour::Odd);
    }
    match of.doing {
        Doing::Building => Style::of(Colour::Good),
        Doing::Delivering | Doing::Returning => Style::of(Colour::Busy),
        Doing::Leaving => Style::of(Colour::Odd),
        Doing::Greeting | Doing::Idle | Doing::Asking | Doing::Asleep => Style::FAINT,
    }
}

/// A letter for each wall that is in force, a dash for each that is not; the pane has their names.
fn walls(in_force: &[Wall]) -> String {
    let letter = |wall: &Wall| {
        let first = wall.name().chars().next().unwrap_or('?').to_ascii_uppercase();
        if in_force.contains(wall) { first } else { '-' }
    };
    Wall::ALL.iter().map(letter).collect()
}
