//! What stands below the list: a slave, the log of its build, recorded builds, how builds ended.

use super::super::app::{App, Pane};
use super::super::cells::{Colour, Grid, Style};
use super::super::model::{Model, SlaveView};
use super::super::rows;
use super::super::text::wrap;
use super::super::words::{bar, bytes, clock, count, span, sparks};
use super::Area;
use crate::domain::walls;
use crate::domain::{Millis, trend::used_percent};
use crate::wire::status::Sample;

/// Draws one; how many lines of it are seen, and how many there are.
pub(super) fn draw(
    grid: &mut Grid,
    model: &Model,
    app: &App,
    now: Millis,
    (pane, scroll): (Pane, usize),
    area: Area,
) -> (usize, usize) {
    let slave = app.selected.and_then(|id| model.slaves.get(&id));
    match (pane, slave) {
        (Pane::Log, _) => log(grid, model, slave, scroll, area),
        (Pane::Slave, Some(slave)) => {
            let lines = describe(slave, model.wall_ms(now), area.width, grid.ascii);
            show(grid, &lines, scroll, area)
        }
        (Pane::Slave, None) => show(grid, &[plain("no slave is selected")], 0, area),
        (Pane::Builds, _) => show(grid, &builds(model, area.width), scroll, area),
        (Pane::Outcomes, _) => show(grid, &outcomes(model, area.width, grid.ascii), scroll, area),
    }
}

/// A line in parts, each at its column.
type Line = Vec<(u16, String, Style)>;

fn plain(text: &str) -> Line {
    vec![(0, text.to_owned(), Style::FAINT)]
}

fn show(grid: &mut Grid, lines: &[Line], scroll: usize, area: Area) -> (usize, usize) {
    let rows = usize::from(area.height);
    let from = scroll.min(lines.len().saturating_sub(rows));
    for (y, line) in (area.y..).zip(lines.iter().skip(from).take(rows)) {
        for (at, text, style) in line {
            grid.put_within(area.x + at, y, area.width.saturating_sub(*at), text, *style);
        }
    }
    (rows.min(lines.len()), lines.len())
}

/// All that is known of a slave.
fn describe(slave: &SlaveView, wall_ms: u64, width: u16, ascii: bool) -> Vec<Line> {
    let of = &slave.now;
    let half = (width / 2).max(30);
    let mut lines: Vec<Line> = Vec::new();
    let since = span(wall_ms.saturating_sub(of.since_ms));
    let mut state = format!("{} for {since}", rows::state(of));
    for (is, words) in [
        (of.resting, "told to sleep"),
        (of.kill_pending, "told to go when idle"),
        (of.skipping, "its build is cancelled"),
    ] {
        if is {
            state += &format!(", {words}");
        }
    }
    let mut first: Line = vec![(0, format!("{} {}", of.slave_id, &*of.label), Style::BOLD)];
    first.push((22.min(half), state, Style::PLAIN));
    lines.push(first);
    if let Some(job) = &of.job {
        pair(
            &mut lines,
            "build",
            &format!("{}: {} {}", job.build, &*job.package, &*job.version),
            Style::PLAIN,
        );
    }
    if let Some(why) = of.holds_back.as_deref().filter(|why| !why.is_empty()) {
        pair(&mut lines, "asks for no job", why, Style::of(Colour::Odd));
    }
    if let Some(vitals) = &of.vitals {
        let cells = half.saturating_sub(32).clamp(6, 60);
        let trend = |name: &str, value: fn(&Sample) -> Option<i64>, bounds, figure: String, style| {
            let line = sparks(slave.trend.samples().map(value), bounds, cells, ascii);
            vec![
                (0, name.to_owned(), Style::FAINT),
                (LABELS, line, Style::of(Colour::Busy)),
                (LABELS + cells + 1, figure, style),
            ]
        };
        let load = format!("{:.2}, {} processors", f64::from(vitals.load1_centi) / 100.0, vitals.cpus);
        let loads = trend("load", |s| Some(s.load_percent.into()), (0, 100), load, Style::PLAIN);
        let used = used_percent(vitals.memory_free, vitals.memory_total);
        let free = format!("{used}%, {} free", bytes(vitals.memory_free));
        let memory = trend("memory", |s| Some(s.memory_percent.into()), (0, 100), free, Style::PLAIN);
        let slow = vitals.throttled == Some(true);
        let heat = match (vitals.temperature, slow) {
            (Some(tenths), false) => format!("{:.1} C", f64::from(tenths) / 10.0),
            (Some(tenths), true) => format!("{:.1} C, slowed down", f64::from(tenths) / 10.0),
            (None, true) => "slowed down".to_owned(),
            (None, false) => "not measured".to_owned(),
        };
        let style = if slow { Style::of(Colour::Bad) } else { Style::PLAIN };
        let heat = trend("heat", |s| s.temperature.map(i64::from), (300, 850), heat, style);
        let disk = format!("{} of {} free", bytes(vitals.disk_free), bytes(vitals.disk_total));
        let disk: Line = vec![(0, "disk".to_owned(), Style::FAINT), (LABELS, disk, Style::PLAIN)];
        lines.extend(beside(loads, memory, half));
        lines.extend(beside(heat, disk, half));
    }
    let board = of.board.as_ref();
    let machine = board.map(|board| one_line(&board.machine)).filter(|text| !text.is_empty());
    let system = board.map(|board| one_line(&board.os)).filter(|text| !text.is_empty());
    if let Some(machine) = machine {
        pair(&mut lines, "machine", &machine, Style::PLAIN);
    }
    if let Some(system) = system {
        pair(&mut lines, "system", &system, Style::PLAIN);
    }
    let python = format!("{}, Python {}, {}", &*of.abi, &*of.python, &*of.platform);
    pair(&mut lines, "builds for", &python, Style::PLAIN);
    if let Some(board) = board {
        let (in_force, missing) = walls::split(&board.walls);
        for (name, walls) in [("walls", in_force), ("missing", missing)] {
            let walls = if walls.is_empty() { "none".to_owned() } else { walls.join(", ") };
            for (n, line) in wrap(&walls, width.saturating_sub(LABELS)).iter().enumerate() {
                pair(&mut lines, if n == 0 { name } else { "" }, line, Style::PLAIN);
            }
        }
    }
    let heard = span(wall_ms.saturating_sub(of.heard_ms));
    let up = span(wall_ms.saturating_sub(of.connected_ms));
    let clock =
        of.clock_offset_ms.map_or_else(String::new, |ms| format!(", clock {:+.1} s", ms as f64 / 1000.0));
    let connected = format!("for {up} from {}, heard {heard} ago{clock}", &*of.peer);
    pair(&mut lines, "connected", &connected, Style::PLAIN);
    lines
}

/// Where values begin.
const LABELS: u16 = 12;

fn pair(lines: &mut Vec<Line>, name: &str, value: &str, style: Style) {
    let at = LABELS.max(u16::try_from(name.len()).unwrap_or(0) + 2);
    lines.push(vec![(0, name.to_owned(), Style::FAINT), (at, value.to_owned(), style)]);
}

/// Two lines in one, if there is room, else one below the other.
fn beside(left: Line, right: Line, half: u16) -> Vec<Line> {
    if half < 36 {
        return vec![left, right];
    }
    let right = right.into_iter().map(|(at, text, style)| (half + at, text, style));
    vec![left.into_iter().chain(right).collect()]
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The end of the log, or so many lines before it.
fn log(
    grid: &mut Grid,
    model: &Model,
    slave: Option<&SlaveView>,
    scroll: usize,
    area: Area,
) -> (usize, usize) {
    let log = model.log.as_ref().filter(|log| !log.text.is_empty());
    let Some(log) = log.filter(|log| slave.is_some_and(|slave| slave.now.slave_id == log.slave)) else {
        let text = match slave.map(|slave| slave.now.job.is_some()) {
            None => "no slave is selected",
            Some(true) => "nothing yet; what the build prints comes here",
            Some(false) => "this slave builds nothing",
        };
        return show(grid, &[plain(text)], 0, area);
    };
    let (rows, lines) = (usize::from(area.height), log.text.len());
    let from = lines.saturating_sub(rows + scroll.min(lines.saturating_sub(rows)));
    for (y, index) in (area.y..area.y + area.height).zip(from..lines) {
        grid.put_within(area.x, y, area.width, &log.text.line(index), Style::PLAIN);
    }
    (rows.min(lines), lines)
}

fn builds(model: &Model, width: u16) -> Vec<Line> {
    if model.builds.is_empty() {
        return vec![plain("no build was recorded since the master started")];
    }
    let what = width.saturating_sub(9 + 14 + 7 + 12 + 7);
    let row = |build: &super::super::model::BuildView| {
        let style = outcome_style(&build.outcome);
        let name = format!("{} {}", build.package, build.version);
        vec![
            (0, clock(build.at_ms), Style::FAINT),
            (9, build.outcome.clone(), style),
            (23, super::super::text::cut(&name, what.saturating_sub(1), false), Style::PLAIN),
            (23 + what, build.abi.clone(), Style::PLAIN),
            (23 + what + 7, super::super::text::cut(&build.slave, 11, false), Style::PLAIN),
            (23 + what + 19, format!("{:>6}", span(build.duration_ms)), Style::PLAIN),
        ]
    };
    model.builds.iter().map(row).collect()
}

fn outcomes(model: &Model, width: u16, ascii: bool) -> Vec<Line> {
    let all: u64 = model.outcomes.iter().map(|(_, n)| n).sum();
    if all == 0 {
        return vec![plain("no build was recorded since the master started")];
    }
    let mut sorted: Vec<_> = model.outcomes.iter().collect();
    sorted.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    let cells = width.saturating_sub(16 + 10 + 6).min(50);
    let row = |(outcome, n): &(String, u64)| {
        vec![
            (0, outcome.clone(), outcome_style(outcome)),
            (16, format!("{:>8}", count(*n)), Style::PLAIN),
            (26, format!("{:>3}%", n * 100 / all), Style::PLAIN),
            (31, bar(n * 100 / all, cells, ascii), outcome_style(outcome)),
        ]
    };
    sorted.into_iter().map(row).collect()
}

fn outcome_style(outcome: &str) -> Style {
    Style::of(match outcome {
        "built" => Colour::Good,
        // the farm's own trouble, or somebody's wish; what is tried again
        "superseded" | "cancelled" | "lost-slave" | "lost-transfer" | "upload-race" | "network" | "disk" => {
            Colour::Odd
        }
        _ => Colour::Bad,
    })
}
