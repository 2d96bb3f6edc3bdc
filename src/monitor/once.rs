//! The farm without a terminal: a snapshot as text or JSON, and a stream of JSON lines.

use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde_json::json;

use super::app::{App, Pane, Seen};
use super::cells::Grid;
use super::draw;
use super::json;
use super::link::Link;
use super::model::Model;
use super::run::Clock;
use crate::admin::client::{Client, Queue};
use crate::domain::Millis;
use crate::options::{Failure, say};
use crate::wire::status::{FromMonitor, ToMonitor};

/// The picture of the largest farm is a few megabytes.
const TIME_LIMIT: Duration = Duration::from_secs(30);
/// How long the database's numbers are waited for: without them the picture is still one.
const NUMBERS_LIMIT: Duration = Duration::from_secs(3);
/// How wide a snapshot is; what is longer is cut off.
const WIDTH: u16 = 160;

/// Prints a snapshot: as text, in ASCII alone where the locale has no more, or as one JSON object.
pub fn once(queue: &Queue, as_json: bool, ascii: bool) -> Result<(), Failure> {
    let clock = Clock::start();
    let model = take(queue, &clock)?;
    let now = clock.now();
    match as_json {
        true => say(json::snapshot(&model, now)),
        false => text(&model, now, ascii).iter().try_for_each(say),
    }
}

fn take(queue: &Queue, clock: &Clock) -> Result<Model, Failure> {
    let mut client = Client::connect(queue, TIME_LIMIT)?;
    client.send(|out| FromMonitor::Hello {}.encode(out))?;
    let mut model = Model::default();
    // FARM ends the picture; one with numbers follows, if the database answers
    loop {
        let message = client.next(ToMonitor::decode)?;
        let ends = matches!(message, ToMonitor::Farm { .. });
        model.apply(clock.now(), message);
        if ends {
            break;
        }
    }
    let until = clock.now() + Millis(NUMBERS_LIMIT.as_millis() as u64);
    let complete = |model: &Model| {
        let (farm, now) = (&model.farm, model.wall_ms(clock.now()));
        let fresh = |at: u64| now.saturating_sub(at) < 10_000;
        farm.machine.is_some() && farm.numbers.as_ref().is_some_and(|numbers| fresh(numbers.at_ms))
    };
    while !complete(&model) && model.farm.database_silent_ms.is_none() {
        let left = until.since(clock.now());
        if left == Millis(0) {
            break;
        }
        if let Some(message) = client.next_within(Duration::from_millis(left.0), ToMonitor::decode)? {
            model.apply(clock.now(), message);
        }
    }
    Ok(model)
}

/// The picture as lines of text: what the terminal shows, without its frames, and all of it.
pub fn text(model: &Model, now: Millis, ascii: bool) -> Vec<String> {
    let mut app = App::new();
    let mut lines = Vec::new();
    let height = u16::try_from(model.slaves.len() + 30).unwrap_or(u16::MAX);
    let seen = Seen { list_rows: model.slaves.len().max(1), ..Seen::default() };
    app.settle(now, model, &seen);
    app.selected = None;
    let mut grid = Grid::new(WIDTH, height, ascii);
    draw::header_of(&mut grid, model, &app, now);
    draw::list_of(&mut grid, model, &app, now);
    lines.extend(grid.lines());
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    for (title, pane) in [("How builds ended", Pane::Outcomes), ("The last builds", Pane::Builds)] {
        let rows = u16::try_from(model.builds.len().max(model.outcomes.len()).max(1)).unwrap_or(u16::MAX);
        let mut grid = Grid::new(WIDTH * 5 / 8, rows.min(50), ascii);
        draw::pane_of(&mut grid, model, &app, now, pane);
        lines.extend([String::new(), title.to_owned()]);
        lines.extend(grid.lines().into_iter().filter(|line| !line.is_empty()));
    }
    lines
}

/// Prints every message as a line of JSON, for ever: also over the master's ends. Ends when nobody reads.
pub fn stream(queue: &Queue) -> Result<(), Failure> {
    let clock = Clock::start();
    let mut link = Link::new(queue.clone());
    loop {
        let heard = link.look(clock.now());
        heard.messages.iter().try_for_each(|message| say(json::event(message)))?;
        if let Some(reason) = heard.lost {
            let again_ms = link.again().since(clock.now()).0;
            say(json!({ "event": "lost", "reason": reason, "again_ms": again_ms }))?;
        }
        if heard.more {
            continue;
        }
        match link.fd() {
            Some(fd) => {
                // a second at most: silence is to be noticed
                let mut fds = [PollFd::new(fd, PollFlags::POLLIN)];
                let _ = poll(&mut fds, PollTimeout::from(1000_u16));
            }
            None => std::thread::sleep(Duration::from_millis(link.again().since(clock.now()).0)),
        }
    }
}
