//! From what the master said to a verdict on its farm. Pure.
//!
//! Broken is what keeps the farm from its work and does not end by itself, or not soon; a warning, what somebody should look at.

use std::time::Duration;

use super::{Picture, Threshold, hand_out};
use crate::admin::slaves::span;
use crate::config::Size;
use crate::wire::status::{Doing, Mode, SlaveNow};

/// A slave gives a sign of life every 5 s.
pub(super) const SILENT: Duration = Duration::from_secs(15);

/// How the farm is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It is well.
    Ok,
    /// It works, and somebody should look at it.
    Warning,
    /// It does not do its work.
    Broken,
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub verdict: Verdict,
    /// For people.
    pub text: String,
}

/// From where on something is a warning.
struct Bounds {
    lag: Duration,
    pages: Duration,
    queue: u64,
    expired: u64,
    disk: Option<u64>,
    silent: Duration,
}

impl Bounds {
    fn of(given: &[Threshold]) -> Self {
        let mut bounds = Self {
            lag: Duration::from_secs(30 * 60),
            pages: Duration::from_secs(10 * 60),
            queue: u64::MAX,
            expired: 10,
            disk: None,
            silent: SILENT,
        };
        for threshold in given {
            match *threshold {
                Threshold::Lag(span) => bounds.lag = span,
                Threshold::Pages(span) => bounds.pages = span,
                Threshold::Queue(jobs) => bounds.queue = jobs,
                Threshold::Expired(leases) => bounds.expired = leases,
                Threshold::Disk(bytes) => bounds.disk = Some(bytes),
                Threshold::Silent(span) => bounds.silent = span,
            }
        }
        bounds
    }
}

pub(super) fn is_building(slave: &SlaveNow) -> bool {
    slave.doing == Doing::Building
}

pub(super) fn is_delivering(slave: &SlaveNow) -> bool {
    slave.doing == Doing::Delivering
}

/// For how long a slave that is connected was not heard, when the master was asked: what it says later shows with what changes.
pub(super) fn silence(picture: &Picture, slave: &SlaveNow) -> Duration {
    Duration::from_millis(picture.asked_ms.saturating_sub(slave.heard_ms))
}

/// The verdict, and what it follows from: the worst first.
pub(super) fn judge(picture: &Picture, given: &[Threshold]) -> (Verdict, Vec<Finding>) {
    let bounds = Bounds::of(given);
    let mut found: Vec<Finding> = Vec::new();
    let mut add = |verdict, text| found.push(Finding { verdict, text });
    database(picture, &mut add);
    work(picture, &mut add);
    disk(picture, &bounds, &mut add);
    rest(picture, &bounds, &mut add);
    found.sort_by_key(|finding| std::cmp::Reverse(finding.verdict));
    (found.first().map_or(Verdict::Ok, |worst| worst.verdict), found)
}

fn database(picture: &Picture, add: &mut impl FnMut(Verdict, String)) {
    match (picture.database_silent_ms, &picture.numbers) {
        (Some(since), _) => {
            add(Verdict::Broken, format!("the database does not answer, for {}", picture.ago(since)));
        }
        (None, None) => add(Verdict::Broken, "the database has not answered yet".to_owned()),
        (None, Some(_)) => {}
    }
    if let Some(since) = picture.health.as_ref().and_then(|health| health.unseated_ms) {
        let ago = picture.ago(since);
        add(Verdict::Broken, format!("the master has lost its seat at the database, for {ago}"));
    }
}

fn work(picture: &Picture, add: &mut impl FnMut(Verdict, String)) {
    match (picture.mode, &picture.health) {
        (Some(Mode::Draining), _) => {
            add(Verdict::Warning, "the master ends when everything is delivered".into())
        }
        (Some(Mode::Stopping), _) => add(Verdict::Warning, "the master ends".into()),
        (_, Some(health)) if health.held.is_some() => {
            add(Verdict::Broken, format!("nothing is handed out: {}", hand_out(picture, health)));
        }
        (_, Some(health)) if health.paused.is_some() => add(Verdict::Warning, hand_out(picture, health)),
        _ => {}
    }
    if picture.software != crate::VERSION {
        add(Verdict::Warning, format!("the master runs {}, this is {}", picture.software, crate::VERSION));
    }
}

fn disk(picture: &Picture, bounds: &Bounds, add: &mut impl FnMut(Verdict, String)) {
    let Some(health) = &picture.health else { return };
    if let Some(trouble) = &health.disk_trouble {
        add(Verdict::Warning, trouble.to_string());
    }
    let least = bounds.disk.unwrap_or(health.disk_floor.saturating_mul(2));
    for disk in health.disks.iter().filter(|disk| disk.free < least && health.held.is_none()) {
        add(Verdict::Warning, format!("the disk of {} has {} free", &*disk.path, Size(disk.free).roughly()));
    }
}

fn rest(picture: &Picture, bounds: &Bounds, add: &mut impl FnMut(Verdict, String)) {
    let mut warn = |text: String| add(Verdict::Warning, text);
    if let Some(follow) = &picture.follow {
        if let Some(lag) = follow.lag_secs.filter(|lag| Duration::from_secs(*lag) >= bounds.lag) {
            warn(format!("the index was last read to its end {} ago", span(lag * 1000)));
        }
        if let Some(trouble) = &follow.trouble {
            warn(format!("index: {}", &**trouble));
        }
    }
    if picture.pages_failing > 0 {
        let why = picture.pages_trouble.as_ref().map_or(String::new(), |why| format!(", the last: {why}"));
        warn(format!("{} pages cannot be written{why}", picture.pages_failing));
    }
    if let Some(numbers) = &picture.numbers {
        if Duration::from_secs(numbers.pages_waiting_secs) >= bounds.pages {
            warn(format!("a page waits for {}", span(numbers.pages_waiting_secs * 1000)));
        }
        if numbers.queued >= bounds.queue {
            warn(format!("{} jobs wait", numbers.queued));
        }
        if numbers.queued > 0 && picture.slaves.is_empty() {
            warn(format!("{} jobs wait, and no slave is connected", numbers.queued));
        }
    }
    let silent = picture.doing(|slave| silence(picture, slave) >= bounds.silent);
    if silent > 0 {
        warn(format!("{silent} slaves are connected and were not heard for {} s", bounds.silent.as_secs()));
    }
    if let Some(health) = &picture.health
        && u64::from(health.expired_last_hour) >= bounds.expired.max(1)
    {
        warn(format!("{} leases ran out in the last hour", health.expired_last_hour));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::status::{DiskNow, HealthNow, Numbers, Reason};
    use crate::wire::{List, Text};

    const WALL: u64 = 1_700_000_000_000;

    fn health() -> HealthNow {
        HealthNow {
            schema: 2,
            disks: List::cut(vec![DiskNow {
                path: Text::cut("/srv"),
                size: 64 << 30,
                free: 9 << 30,
                inodes: None,
                inodes_free: None,
            }]),
            disk_floor: 1 << 30,
            disk_promised: 0,
            disk_trouble: None,
            held: None,
            paused: None,
            unseated_ms: None,
            absent: 0,
            expired: 20,
            expired_last_hour: 9,
            tasks: List::default(),
            errors: List::default(),
        }
    }

    fn numbers() -> Numbers {
        Numbers {
            at_ms: WALL,
            queued: 0,
            unchecked: 0,
            delayed: 0,
            pages_due: 0,
            pages_waiting_secs: 0,
            builds_last_hour: 0,
            builds: 0,
            builds_ok: 0,
            published: 0,
            files: 0,
        }
    }

    fn well() -> Picture {
        Picture {
            software: crate::VERSION.to_owned(),
            wall_ms: WALL,
            mode: Some(Mode::Running),
            numbers: Some(numbers()),
            health: Some(health()),
            ..Picture::default()
        }
    }

    fn told(picture: &Picture, given: &[&str]) -> (Verdict, Vec<String>) {
        let given: Vec<Threshold> = given.iter().map(|text| text.parse().unwrap()).collect();
        let (verdict, findings) = judge(picture, &given);
        (verdict, findings.into_iter().map(|finding| finding.text).collect())
    }

    #[test]
    fn a_farm_without_trouble_is_well_and_bounds_are_the_operators() {
        assert_eq!(told(&well(), &[]), (Verdict::Ok, vec![]));
        let (verdict, why) = told(&well(), &["expired=9", "disk=10G"]);
        assert_eq!(verdict, Verdict::Warning);
        assert_eq!(why, ["the disk of /srv has 9G free", "9 leases ran out in the last hour"]);
        assert_eq!(told(&well(), &["expired=0", "queue=1", "disk=9G"]).0, Verdict::Warning);
        for bad in ["lag", "lag=long", "queue=-1", "disk=much", "load=3"] {
            assert!(bad.parse::<Threshold>().is_err(), "{bad}");
        }
    }

    #[test]
    fn what_keeps_the_farm_from_its_work_comes_first_and_pauses_are_only_warned_of() {
        let reason = |text: &str| Some(Reason { since_ms: WALL - 5000, text: Text::cut(text) });
        let mut picture = well();
        picture.health.as_mut().unwrap().paused = reason("process 7");
        assert_eq!(told(&picture, &[]), (Verdict::Warning, vec!["paused, for 5 s: process 7".to_owned()]));
        picture.health.as_mut().unwrap().held = reason("full");
        picture.pages_failing = 2;
        let (verdict, why) = told(&picture, &[]);
        assert_eq!(verdict, Verdict::Broken);
        assert_eq!(
            why,
            [
                "nothing is handed out: paused, for 5 s: process 7; held, for 5 s: full",
                "2 pages cannot be written"
            ]
        );
    }

    #[test]
    fn a_database_that_is_away_or_a_seat_that_is_lost_is_broken() {
        let away = Picture { database_silent_ms: Some(WALL - 12_000), ..well() };
        assert_eq!(told(&away, &[]).1, ["the database does not answer, for 12 s"]);
        let new = Picture { numbers: None, ..well() };
        assert_eq!(told(&new, &[]), (Verdict::Broken, vec!["the database has not answered yet".to_owned()]));
        let mut lost = well();
        lost.health.as_mut().unwrap().unseated_ms = Some(WALL - 3000);
        assert_eq!(told(&lost, &[]).1, ["the master has lost its seat at the database, for 3 s"]);
    }

    #[test]
    fn jobs_without_slaves_late_pages_and_an_old_master_are_warned_of() {
        let numbers = Numbers { queued: 3, pages_waiting_secs: 700, ..numbers() };
        let picture = Picture { software: "0.0.9".to_owned(), numbers: Some(numbers), ..well() };
        let (verdict, why) = told(&picture, &[]);
        assert_eq!(verdict, Verdict::Warning);
        assert!(why[0].starts_with("the master runs 0.0.9"), "{why:?}");
        assert_eq!(why[1..], ["a page waits for 11 min", "3 jobs wait, and no slave is connected"]);
        assert_eq!(told(&picture, &["pages=12m"]).1.len(), 2);
    }
}
