//! The changelog of the index: its rows, one after the other, become the events that matter to the farm. Pure.
//!
//! In: the rows of one `changelog_since_serial`, as they came, and the index's own clock. Out: a [`Changelog`].

use std::collections::HashMap;

use super::releases::is_pure;
use super::trouble::shown;
use super::xml_rpc::Value;
use crate::domain::project::BadName;
use crate::domain::{ProjectName, Version, WheelName};
use crate::master::gaze::{CHANGELOG_ROWS, Changelog, Happening, IndexEvent};

/// Rows get their serial when they are written and are seen when they are committed: one may come so many seconds late.
const LATE_SECS: i64 = 5 * 60;
/// What is older than this, in seconds, is history for certain, whatever the times beside it say: the oldest rows are in
/// no order of time at all.
const HISTORY_SECS: i64 = 3600;

/// The last second of the year 9999: later times are none.
const LATEST: i64 = 253_402_300_799;

/// Takes the rows of one answer.
#[derive(Debug)]
pub(super) struct Collector {
    since: u64,
    rows: usize,
    odd: usize,
    first_odd: Option<String>,
    events: Vec<IndexEvent>,
    /// The last row of every project, with its number.
    touched: HashMap<ProjectName, (usize, IndexEvent)>,
    /// Serial and time of every row after `since`.
    times: Vec<(u64, Option<i64>)>,
}

impl Collector {
    /// For the answer to a question about everything after `since`.
    pub(super) fn new(since: u64) -> Self {
        Self {
            since,
            rows: 0,
            odd: 0,
            first_odd: None,
            events: Vec::new(),
            touched: HashMap::new(),
            times: Vec::new(),
        }
    }

    /// One row: name, version, time, action, serial.
    pub(super) fn push(&mut self, row: &[Value]) {
        self.rows += 1;
        let Some(serial) = row.get(4).and_then(Value::unsigned) else {
            return self.odd(row, "it has no serial");
        };
        if serial <= self.since {
            return;
        }
        let at = row[2].unsigned().and_then(|at| i64::try_from(at).ok()).filter(|at| *at <= LATEST);
        self.times.push((serial, at));
        let display = row[0].text().unwrap_or_default();
        let package = ProjectName::parse(display);
        match event(row, serial, at, package.clone()) {
            Ok(event) => {
                self.events.extend(event);
                if let Ok(package) = &package {
                    self.touched(package, display, serial, at.unwrap_or(0));
                }
            }
            // not noted, so that the list of all projects knows more than the farm, and the page is read
            Err(rule) => self.odd(row, rule),
        }
    }

    /// The project was heard of, whatever became of it.
    fn touched(&mut self, package: &ProjectName, display: &str, serial: u64, at: i64) {
        match self.touched.get_mut(package) {
            Some((_, touched)) if touched.serial >= serial => {}
            Some((row, touched)) => (*row, touched.serial, touched.at) = (self.rows, serial, at),
            None => {
                let (package, display) = (package.clone(), display.to_owned());
                let touched =
                    IndexEvent { serial, at, package: package.clone(), display, what: Happening::Other };
                self.touched.insert(package, (self.rows, touched));
            }
        }
    }

    fn odd(&mut self, row: &[Value], rule: &str) {
        self.odd += 1;
        self.first_odd.get_or_insert_with(|| shown(&format!("{rule}: {row:?}")));
    }

    /// All rows came. `now` is the index's own clock (seconds since 1970), where it said what it shows. Beside the
    /// changelog: the first odd row, for the log.
    pub(super) fn finish(mut self, now: Option<i64>) -> (Changelog, Option<String>) {
        self.times.sort_by_key(|(serial, _)| *serial);
        self.times.dedup_by_key(|(serial, _)| *serial);
        // what a project's newest event is says also that it was touched
        for event in &self.events {
            if self.touched.get(&event.package).is_some_and(|(_, touched)| touched.serial == event.serial) {
                self.touched.remove(&event.package);
            }
        }
        let mut touched: Vec<_> = self.touched.into_values().collect();
        touched.sort_by_key(|(row, _)| *row);
        self.events.extend(touched.into_iter().map(|(_, event)| event));
        // stable: what one serial says twice stays in the order in which it came
        self.events.sort_by_key(|event| event.serial);
        self.events.dedup();
        let changelog = Changelog {
            events: self.events,
            last: self.times.last().map(|(serial, _)| *serial),
            rows: self.rows,
            odd: self.odd,
            settled: settled(self.since, self.rows, &self.times, now),
        };
        (changelog, self.first_odd)
    }
}

/// Up to which serial nothing comes late any more.
///
/// Rows are settled as far as all of them, from the smallest serial on, are older than the newest by [`LATE_SECS`], or
/// older than the index's clock by [`HISTORY_SECS`]. A time that the clock has not reached says nothing. An answer that
/// is as long as answers get may consist of rows of one moment: then half of it is settled in any case, since what has
/// 25,000 later rows behind it is not being written any more, and the farm must get past it.
fn settled(since: u64, rows: usize, times: &[(u64, Option<i64>)], now: Option<i64>) -> u64 {
    let believed = |at: Option<i64>| at.filter(|at| now.is_none_or(|now| *at <= now));
    let newest = times.iter().filter_map(|(_, at)| believed(*at)).max();
    let limit =
        [newest.map(|at| at - LATE_SECS), now.map(|now| now - HISTORY_SECS)].into_iter().flatten().max();
    let is_old = |at: Option<i64>| believed(at).zip(limit).is_none_or(|(at, limit)| at <= limit);
    let old = times.iter().take_while(|(_, at)| is_old(*at)).count();
    // a row without a believable time is as old as the one behind it
    let old = times[..old].iter().rposition(|(_, at)| believed(*at).is_some()).map_or(0, |last| last + 1);
    let least = if rows >= CHANGELOG_ROWS { times.len().div_ceil(2) } else { 0 };
    old.max(least).checked_sub(1).map_or(since, |last| times[last].0)
}

/// What a row says that matters. The error is the rule it breaks.
fn event(
    row: &[Value],
    serial: u64,
    at: Option<i64>,
    package: Result<ProjectName, BadName>,
) -> Result<Option<IndexEvent>, &'static str> {
    let Some(what) = happening(row[3].text().ok_or("it has no action")?, &row[1])? else { return Ok(None) };
    let at = at.ok_or("it has no time")?;
    let package = package.map_err(|_| "its name is not one")?;
    if let Happening::PureWheel(_, wheel) = &what
        && WheelName::parse(wheel).is_ok_and(|wheel| wheel.project != package)
    {
        return Err("its wheel is another project's");
    }
    let display = row[0].text().unwrap_or_default().to_owned();
    Ok(Some(IndexEvent { serial, at, package, display, what }))
}

/// What a row's action means; nothing for those that the farm has no use for. Behind the words of an action may stand
/// more: a file's name, a reason.
fn happening(action: &str, version: &Value) -> Result<Option<Happening>, &'static str> {
    let version = || {
        let text = version.text().ok_or("it has no version")?;
        Version::parse(text).map_err(|_| "its version is not one")
    };
    let mut words = action.split_ascii_whitespace();
    let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    // "yank release: reason", "remove release,"
    let word = |text: &str| text.trim_end_matches(|c: char| c.is_ascii_punctuation()).to_ascii_lowercase();
    Ok(Some(match (word(first).as_str(), word(second).as_str()) {
        ("add", "source") if words.next() == Some("file") => Happening::Sdist(version()?),
        ("add", _) if words.next() == Some("file") => match words.next().map(WheelName::parse) {
            Some(Ok(wheel)) if is_pure(&wheel) => Happening::PureWheel(version()?, wheel.as_str().to_owned()),
            _ => return Ok(None),
        },
        ("remove", "file") => Happening::FileRemoved(version()?),
        ("remove", "release") => Happening::ReleaseRemoved(version()?),
        ("remove", "project") => Happening::ProjectRemoved,
        ("yank", "release") => Happening::Yanked(version()?),
        ("unyank", "release") => Happening::Unyanked(version()?),
        _ => return Ok(None),
    }))
}

#[cfg(test)]
mod tests;
