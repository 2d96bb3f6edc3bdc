//! The lines at the top: what the farm is, how it does in numbers, and what there is to know.

use super::super::app::App;
use super::super::cells::{Colour, Grid, Style};
use super::super::model::{Link, Model};
use super::super::text::width;
use super::super::words::{bar, bytes, clock, count, span};
use crate::domain::Millis;
use crate::domain::trend::used_percent;
use crate::wire::status::{Mode, Reason};

/// How many lines these are.
pub(super) const LINES: u16 = 4;
/// Cells between two numbers, at least.
const APART: usize = 2;
/// Up to here the database counts jobs.
const COUNTED: u64 = 100_000;
/// A page that waits longer is news.
const PAGES_LATE_SECS: u64 = 60;
/// An index that was not heard of for so long is news.
const INDEX_LATE_SECS: u64 = 300;
/// A disk that is fuller is news, in percent.
const DISK_FULL: u16 = 90;

pub(super) fn title(grid: &mut Grid, model: &Model, now: Millis) {
    grid.fill(0, 0, grid.width(), ' ', Style::REVERSE);
    let mut x = grid.put(1, 0, "piwheels", Style::REVERSE.bold());
    if !model.software.is_empty() {
        x = grid.put(x, 0, &format!(" {}", model.software), Style::REVERSE);
    }
    if let Some(mode) = model.mode {
        let style = if mode == Mode::Running { Style::REVERSE } else { Style::REVERSE.bold() };
        x = grid.put(x + 3, 0, &mode.name().to_uppercase(), style);
        x = grid.put(
            x + 3,
            0,
            &format!("up {}", span(model.wall_ms(now).saturating_sub(model.started_ms))),
            Style::REVERSE,
        );
    }
    if let Some(stats) = &model.stats {
        let plural = if stats.connected == 1 { "" } else { "s" };
        let slaves =
            format!("{} slave{plural}, {} build, {} idle", stats.connected, stats.building, stats.idle);
        grid.put(x + 3, 0, &slaves, Style::REVERSE);
    }
    let right = match &model.link {
        Link::New => "connecting".to_owned(),
        Link::Up => format!("{} UTC", clock(model.wall_ms(now))),
        Link::Down { .. } => "NO CONNECTION".to_owned(),
    };
    grid.put_before(grid.width() - 1, 0, &format!(" {right}"), Style::REVERSE);
}

/// One number: its name, itself, and how it is to be taken.
type Number = (&'static str, String, Colour);

pub(super) fn numbers(grid: &mut Grid, model: &Model, now: Millis) {
    let (work, state) = (work(model, grid.ascii), state(model, now, grid.ascii));
    for (y, numbers) in [(1, work), (2, state)] {
        // what does not fit whole is left out: the first matter most
        let mut room = usize::from(grid.width()) - 2;
        let mut shown = Vec::new();
        for (name, value, colour) in numbers {
            let needed = name.len() + 1 + value.chars().count();
            if needed <= room {
                room = room.saturating_sub(needed + APART);
                shown.push((name, value, colour));
            }
        }
        let apart = (APART + room / shown.len().max(1)).min(6) as u16;
        let mut x = 1;
        for (name, value, colour) in shown {
            x = grid.put(x, y, name, Style::FAINT);
            x = grid.put(x + 1, y, &value, Style::of(colour)) + apart;
        }
    }
}

fn work(model: &Model, ascii: bool) -> Vec<Number> {
    let mut work: Vec<Number> = Vec::new();
    let counted = |n: u64| if n >= COUNTED { "100,000+".to_owned() } else { count(n) };
    match &model.farm.numbers {
        Some(numbers) => {
            let mut queue = counted(numbers.queued);
            let more = [(numbers.unchecked, "unchecked"), (numbers.delayed, "delayed")];
            for (n, what) in more.iter().filter(|(n, _)| *n > 0) {
                queue += &format!(" +{} {what}", counted(*n));
            }
            work.push(("queue", queue, Colour::Plain));
            work.push(("builds/h", count(numbers.builds_last_hour), Colour::Plain));
            let good = numbers.builds_ok * 100 / numbers.builds.max(1);
            let rate = match numbers.builds {
                0 => "-".to_owned(),
                all => format!("{} {good}% of {}", bar(good, 8, ascii), count(all)),
            };
            work.push(("success", rate, Colour::Plain));
        }
        None => {
            work.extend(["queue", "builds/h", "success"].map(|name| (name, "-".to_owned(), Colour::Faint)))
        }
    }
    if let Some(stats) = &model.stats {
        let (ok, failed) = (count(stats.builds_ok), count(stats.builds_failed));
        work.push(("since start", format!("{ok} built, {failed} not"), Colour::Plain));
        if stats.transfers > 0 {
            let sent = format!("{}, {}", stats.transfers, bytes(stats.bytes_in_flight));
            work.push(("transfers", sent, Colour::Busy));
        }
        if stats.refusals > 0 {
            work.push(("refused", count(stats.refusals), Colour::Odd));
        }
    }
    work
}

fn state(model: &Model, now: Millis, ascii: bool) -> Vec<Number> {
    let mut state: Vec<Number> = Vec::new();
    if let Some(machine) = &model.farm.machine {
        let disk = used_percent(machine.disk_free, machine.disk_total);
        let colour = if disk >= DISK_FULL || held(model).is_some() { Colour::Bad } else { Colour::Plain };
        let free = format!("{} {disk}%, {} free", bar(disk.into(), 8, ascii), bytes(machine.disk_free));
        state.push(("disk", free, colour));
    }
    if let Some(since) = model.farm.database_silent_ms {
        let silent = span(model.wall_ms(now).saturating_sub(since));
        state.insert(0, ("database", format!("silent for {silent}"), Colour::Bad));
    }
    if let Some(numbers) = &model.farm.numbers {
        let late = numbers.pages_waiting_secs >= PAGES_LATE_SECS;
        let (text, colour) = match model.farm.pages_failing {
            0 => {
                (format!("{} due", count(numbers.pages_due)), if late { Colour::Odd } else { Colour::Plain })
            }
            failing => (format!("{failing} failing"), Colour::Bad),
        };
        state.push(("pages", text, colour));
    }
    if let Some(follow) = &model.farm.follow {
        let (text, colour) = match (follow.lag_secs, &follow.trouble) {
            (_, Some(_)) => ("in trouble".to_owned(), Colour::Odd),
            (Some(secs), None) => {
                let colour = if secs >= INDEX_LATE_SECS { Colour::Odd } else { Colour::Plain };
                (format!("{} behind", span(secs * 1000)), colour)
            }
            (None, None) if &*follow.mode == "none" => ("not followed".to_owned(), Colour::Plain),
            (None, None) => (format!("follows {}", &*follow.mode), Colour::Plain),
        };
        state.push(("index", text, colour));
    }
    if let Some(machine) = &model.farm.machine {
        let load = f64::from(machine.load1_centi) / 100.0;
        let colour = if load > f64::from(machine.cpus) * 1.5 { Colour::Odd } else { Colour::Plain };
        state.push(("load", format!("{load:.2}/{}", machine.cpus), colour));
        let memory = used_percent(machine.memory_free, machine.memory_total);
        let colour = if memory >= DISK_FULL { Colour::Odd } else { Colour::Plain };
        state.push(("memory", format!("{memory}%"), colour));
    }
    state
}

/// Why nothing is handed out for want of disk.
fn held(model: &Model) -> Option<&Reason> {
    model.health.as_ref()?.held.as_ref()
}

/// What there is to know, the most important of it.
pub(super) fn news(grid: &mut Grid, model: &Model, app: &App, now: Millis) {
    let bad = |text: String| Some((text, Style::of(Colour::Bad).bold()));
    let odd = |text: String| Some((text, Style::of(Colour::Odd)));
    let trouble = match &model.link {
        Link::New => odd("asking the master for its picture".to_owned()),
        Link::Down { since, reason, again } => {
            // rounded up: 0 seconds are now
            let left = again.since(now).0.div_ceil(1000);
            let ago = span(now.since(*since).0);
            let picture =
                if model.mode.is_some() { format!(", the picture is {ago} old") } else { String::new() };
            bad(format!("trying again in {left} s{picture}: {reason}"))
        }
        Link::Up => None,
    };
    let news = trouble
        .or_else(|| {
            let notice = app.notice.as_ref()?;
            let style = if notice.bad { Style::of(Colour::Bad).bold() } else { Style::of(Colour::Good) };
            Some((notice.text.clone(), style))
        })
        .or_else(|| {
            let since = model.farm.database_silent_ms?;
            let silent = span(model.wall_ms(now).saturating_sub(since));
            bad(format!("the database does not answer, for {silent}; everything waits for it, builds go on"))
        })
        .or_else(|| {
            let since = model.health.as_ref()?.unseated_ms?;
            let ago = span(model.wall_ms(now).saturating_sub(since));
            bad(format!(
                "the master has lost its seat at the database, for {ago}, and writes nothing until it has it"
            ))
        })
        .or_else(|| bad(format!("nothing is handed out, builds go on: {}", &*held(model)?.text)))
        .or_else(|| model.farm.pages_trouble.clone().and_then(bad))
        .or_else(|| odd(format!("index: {}", &**model.farm.follow.as_ref()?.trouble.as_ref()?)))
        .or_else(|| match model.mode? {
            Mode::Running => None,
            Mode::Paused => {
                let by = model.health.as_ref().and_then(|health| health.paused.as_ref());
                let by = by.map(|by| format!(" by {}", &*by.text)).unwrap_or_default();
                odd(format!("paused{by}: nothing is handed out until it is resumed; builds go on"))
            }
            Mode::Held => odd("nothing is handed out, for want of disk; builds go on".to_owned()),
            Mode::Draining => odd("the master ends when everything is delivered".to_owned()),
            Mode::Stopping => odd("the master ends".to_owned()),
        })
        .or_else(|| {
            let other = !model.software.is_empty() && model.software != crate::VERSION;
            odd(format!("the master runs {}, this monitor {}", model.software, crate::VERSION))
                .filter(|_| other)
        });
    let listed = listed(model, app);
    let room = grid.width() - 2 - width(&listed).min(grid.width() / 2);
    if let Some((text, style)) = news {
        grid.put_within(1, 3, room, &text, style);
    }
    grid.put_before(grid.width() - 1, 3, &listed, Style::FAINT);
}

/// How much of the list is shown, where that is not all of it.
fn listed(model: &Model, app: &App) -> String {
    if app.filter.is_empty() || app.typing {
        return String::new();
    }
    format!("  {} of {}, filter: {}", app.rows(model).len(), model.slaves.len(), app.filter)
}
