//! `piw slaves`: what every slave is doing now, and all that is known of one; and which slave a command means.

use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::client::{Client, Queue};
use crate::domain::walls;
use crate::logging::utc;
use crate::options::{Failure, say};
use crate::wire::status::{Board, Doing, FromMonitor, Mode, SlaveNow, ToMonitor, Vitals};

mod one;

/// The picture of the largest farm is a few megabytes.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// What the slaves are doing, or all that is known of one: its machine, and what stands between builds and it
#[derive(Args, Clone, Debug)]
pub struct Slaves {
    /// The slave's number or label
    #[arg(value_name = "SLAVE")]
    pub slave: Option<String>,
    /// Print the answer as JSON
    #[arg(long)]
    pub json: bool,
}

/// The farm at one moment.
#[derive(Clone, Debug)]
pub struct Picture {
    /// The master's HELLO.
    hello: ToMonitor,
    /// By number.
    pub slaves: Vec<SlaveNow>,
    stats: ToMonitor,
}

impl Picture {
    /// Asks the master.
    pub fn take(status: &Queue) -> Result<Self, Failure> {
        let mut client = Client::connect(status, TIME_LIMIT)?;
        client.send(|out| FromMonitor::Hello {}.encode(out))?;
        let hello = client.next(ToMonitor::decode)?;
        let mut slaves: Vec<SlaveNow> = Vec::new();
        loop {
            match client.next(ToMonitor::decode)? {
                ToMonitor::Slave { slave } => slaves.push(slave),
                stats @ ToMonitor::Stats { .. } => {
                    slaves.sort_by_key(|slave| slave.slave_id);
                    return Ok(Self { hello, slaves, stats });
                }
                other => {
                    let name = other.name();
                    return Err(Failure::error(format!("the master sent {name} in the middle of a picture")));
                }
            }
        }
    }

    /// The slave of this number or label.
    pub fn find(&self, name: &str) -> Result<u32, Failure> {
        let number = name.parse::<u32>().ok();
        if let Some(found) = self.slaves.iter().find(|slave| Some(slave.slave_id) == number) {
            return Ok(found.slave_id);
        }
        let called = self.slaves.iter().filter(|slave| !name.is_empty() && &*slave.label == name);
        let found: Vec<u32> = called.map(|slave| slave.slave_id).collect();
        match found[..] {
            [one] => Ok(one),
            [] => Err(Failure::error(format!(
                "no slave {name} is connected; 'piw slaves' lists those that are"
            ))),
            _ => {
                let numbers: Vec<_> = found.iter().map(ToString::to_string).collect();
                Err(Failure::error(format!(
                    "{} slaves are called {name}; name one by its number: {}",
                    found.len(),
                    numbers.join(", ")
                )))
            }
        }
    }

    /// Whether the farm works.
    pub fn mode(&self) -> Option<Mode> {
        match &self.hello {
            ToMonitor::Hello { mode, .. } => Some(*mode),
            _ => None,
        }
    }

    fn json(&self) -> Value {
        let slaves: Vec<_> = self.slaves.iter().map(slave_json).collect();
        let mut picture = json!({ "slaves": slaves });
        if let ToMonitor::Hello { software, started_ms, wall_ms, mode } = &self.hello {
            picture["master"] = json!({
                "software": &**software, "started_ms": started_ms, "wall_ms": wall_ms, "mode": mode_name(*mode),
            });
        }
        if let ToMonitor::Stats {
            connected,
            building,
            idle,
            transfers,
            bytes_in_flight,
            builds_ok,
            builds_failed,
            refusals,
            log_bytes,
            ..
        } = &self.stats
        {
            picture["stats"] = json!({
                "connected": connected, "building": building, "idle": idle, "transfers": transfers,
                "bytes_in_flight": bytes_in_flight, "builds_ok": builds_ok, "builds_failed": builds_failed,
                "refusals": refusals, "log_bytes": log_bytes,
            });
        }
        picture
    }

    fn head(&self) -> String {
        let mut head = String::new();
        if let ToMonitor::Hello { started_ms, mode, .. } = &self.hello {
            head += &format!("{}, started {}", mode_name(*mode), utc(started_ms / 1000));
        }
        if let ToMonitor::Stats { connected, building, idle, builds_ok, builds_failed, .. } = &self.stats {
            head += &format!(
                ": {connected} slaves, {building} build, {idle} idle; {builds_ok} builds succeeded, \
                 {builds_failed} did not"
            );
        }
        head
    }

    fn now_ms(&self) -> u64 {
        match &self.hello {
            ToMonitor::Hello { wall_ms, .. } => *wall_ms,
            _ => 0,
        }
    }
}

const COLUMNS: [&str; 11] =
    ["ID", "LABEL", "ABI", "STATE", "BUILD", "SINCE", "LOAD", "MEMORY FREE", "TEMP", "CLOCK", "HOLDS BACK"];

/// Asks and prints.
pub fn run(slaves: &Slaves, status: &Queue) -> Result<(), Failure> {
    let picture = Picture::take(status)?;
    if let Some(name) = &slaves.slave {
        let id = picture.find(name)?;
        let mut found = picture.slaves.iter().filter(|slave| slave.slave_id == id);
        return found.try_for_each(|slave| match slaves.json {
            true => say(slave_json(slave)),
            false => one::describe(slave, picture.now_ms()).iter().try_for_each(say),
        });
    }
    if slaves.json {
        return say(picture.json());
    }
    say(picture.head())?;
    let mut rows: Vec<[String; COLUMNS.len()]> = vec![COLUMNS.map(str::to_owned)];
    rows.extend(picture.slaves.iter().map(|slave| row(slave, picture.now_ms())));
    let widths: Vec<usize> = (0..COLUMNS.len())
        .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    for row in &rows {
        let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        say(cells.join("  ").trim_end())?;
    }
    Ok(())
}

fn row(slave: &SlaveNow, now_ms: u64) -> [String; COLUMNS.len()] {
    let vitals = slave.vitals.as_ref();
    let dash = || "-".to_owned();
    [
        slave.slave_id.to_string(),
        slave.label.to_string(),
        slave.abi.to_string(),
        state(slave),
        slave.job.as_ref().map_or_else(dash, |job| format!("{} {} {}", job.build, job.package, job.version)),
        span(now_ms.saturating_sub(slave.since_ms)),
        vitals.map_or_else(dash, load),
        vitals.map_or_else(dash, memory),
        vitals.and_then(temperature).unwrap_or_else(dash),
        clock(slave).unwrap_or_else(dash),
        slave.holds_back.as_deref().and_then(told).unwrap_or_else(dash),
    ]
}

/// A slave's own words, on one line; none where it says nothing.
fn told(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.replace(['\n', '\t'], " "))
}

fn load(vitals: &Vitals) -> String {
    format!("{:.2}/{}", f64::from(vitals.load1_centi) / 100.0, vitals.cpus)
}

fn memory(vitals: &Vitals) -> String {
    format!("{} of {}", bytes(vitals.memory_free), bytes(vitals.memory_total))
}

fn temperature(vitals: &Vitals) -> Option<String> {
    let degrees = vitals.temperature.map(|tenths| format!("{:.0} C", f64::from(tenths) / 10.0));
    let slow = (vitals.throttled == Some(true)).then(|| "slowed down".to_owned());
    let both: Vec<_> = degrees.into_iter().chain(slow).collect();
    (!both.is_empty()).then(|| both.join(", "))
}

fn clock(slave: &SlaveNow) -> Option<String> {
    slave.clock_offset_ms.map(|offset| format!("{:+.1} s", offset as f64 / 1000.0))
}

fn state(slave: &SlaveNow) -> String {
    let mut state = doing_name(slave.doing).to_owned();
    for (is, word) in
        [(slave.skipping, "cancelled"), (slave.resting, "told to sleep"), (slave.kill_pending, "told to go")]
    {
        if is {
            state += &format!(", {word}");
        }
    }
    state
}

pub(super) fn span(ms: u64) -> String {
    match ms / 1000 {
        s @ 0..120 => format!("{s} s"),
        s @ 120..7200 => format!("{} min", s / 60),
        s @ 7200..172_800 => format!("{} h", s / 3600),
        s => format!("{} d", s / 86_400),
    }
}

fn bytes(bytes: u64) -> String {
    const MIB: u64 = 1 << 20;
    if bytes >= 10 * 1024 * MIB { format!("{} G", bytes / MIB / 1024) } else { format!("{} M", bytes / MIB) }
}

/// A slave, as `piw slaves --json` has it.
pub fn slave_json(slave: &SlaveNow) -> Value {
    json!({
        "id": slave.slave_id, "label": &*slave.label, "peer": &*slave.peer, "abi": &*slave.abi,
        "platform": &*slave.platform, "python": &*slave.python, "board": slave.board.as_ref().map(board_json), "state": doing_name(slave.doing),
        "since_ms": slave.since_ms, "heard_ms": slave.heard_ms, "connected_ms": slave.connected_ms,
        "job": slave.job.as_ref().map(|job| json!({
            "build": job.build.0, "package": &*job.package, "version": &*job.version,
        })),
        "vitals": slave.vitals.as_ref().map(vitals_json),
        "clock_offset_ms": slave.clock_offset_ms, "holds_back": slave.holds_back.as_deref(), "resting": slave.resting,
        "kill_pending": slave.kill_pending, "skipping": slave.skipping,
    })
}

/// How a machine is doing, as `piw slaves --json` has it.
pub fn vitals_json(v: &Vitals) -> Value {
    json!({
        "load1": f64::from(v.load1_centi) / 100.0, "cpus": v.cpus, "memory_total": v.memory_total,
        "memory_free": v.memory_free, "disk_total": v.disk_total, "disk_free": v.disk_free,
        "temperature": v.temperature.map(|tenths| f64::from(tenths) / 10.0), "clock_ms": v.clock_ms,
        "throttled": v.throttled,
    })
}

fn board_json(board: &Board) -> Value {
    let (in_force, missing) = walls::split(&board.walls);
    json!({
        "machine": &*board.machine, "os": &*board.os, "walls": in_force, "walls_missing": missing,
    })
}

const fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Running => "running",
        Mode::Paused => "paused",
        Mode::Draining => "draining",
        Mode::Stopping => "stopping",
        Mode::Held => "held",
    }
}

const fn doing_name(doing: Doing) -> &'static str {
    match doing {
        Doing::Greeting => "greeting",
        Doing::Returning => "returning",
        Doing::Idle => "idle",
        Doing::Asking => "asking",
        Doing::Asleep => "asleep",
        Doing::Building => "building",
        Doing::Delivering => "delivering",
        Doing::Leaving => "leaving",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::BuildId;
    use crate::wire::slave::Wall;
    use crate::wire::status::JobNow;
    use crate::wire::{List, Text};

    fn slave(slave_id: u32, label: &str) -> SlaveNow {
        let text = |text: &str| Text::new(text).unwrap();
        SlaveNow {
            slave_id,
            label: text(label),
            peer: Text::new("192.0.2.1:5").unwrap(),
            abi: text("cp311"),
            platform: text("linux_armv7l"),
            python: text("311"),
            board: None,
            doing: Doing::Asleep,
            since_ms: 1000,
            heard_ms: 2000,
            connected_ms: 500,
            job: None,
            vitals: None,
            clock_offset_ms: Some(-1500),
            holds_back: None,
            resting: true,
            kill_pending: false,
            skipping: false,
        }
    }

    /// One that says everything.
    fn hot() -> SlaveNow {
        SlaveNow {
            board: Some(Board {
                machine: Text::new("Pi 4").unwrap(),
                walls: List::new(vec![Wall::Namespaces, Wall::TreeKill]).unwrap(),
                ..Board::default()
            }),
            doing: Doing::Building,
            job: Some(JobNow {
                build: BuildId(7),
                package: Text::new("foo").unwrap(),
                version: Text::new("1.0").unwrap(),
            }),
            vitals: Some(Vitals {
                load1_centi: 52,
                cpus: 4,
                memory_total: 1 << 30,
                memory_free: 1 << 29,
                disk_total: 1 << 35,
                disk_free: 1 << 34,
                temperature: Some(843),
                clock_ms: 0,
                throttled: Some(true),
            }),
            holds_back: Some(Text::new("its disk\nis full").unwrap()),
            ..slave(3, "pi")
        }
    }

    #[test]
    fn a_slave_is_found_by_number_before_label_and_only_where_it_is_the_one() {
        let stats = ToMonitor::Gone { slave_id: 0 };
        let slaves = vec![slave(1, "pi"), slave(3, "pi"), slave(4, "1"), slave(5, "7"), slave(6, "")];
        let picture = Picture { hello: stats.clone(), slaves, stats };
        let found = |name: &str| picture.find(name).map_err(|failure| failure.reasons.join(" "));
        assert_eq!((found("3"), found("1"), found("7")), (Ok(3), Ok(1), Ok(5)));
        assert_eq!(found("pi").unwrap_err(), "2 slaves are called pi; name one by its number: 1, 3");
        for nobody in ["", "9", "pix"] {
            assert!(found(nobody).unwrap_err().contains("is connected; 'piw slaves'"), "{nobody}");
        }
    }

    #[test]
    fn a_row_says_what_is_known_and_a_dash_for_the_rest() {
        let words = row(&slave(3, "pi"), 200_000);
        let known = ["3", "pi", "cp311", "asleep, told to sleep", "-", "3 min", "-", "-", "-", "-1.5 s", "-"];
        assert_eq!(words, known);
        assert_eq!((bytes(948_280 << 10), bytes(16 << 30)), ("926 M".to_owned(), "16 G".to_owned()));
        let words = row(&hot(), 200_000);
        assert_eq!(
            words[6..],
            ["0.52/4", "512 M of 1024 M", "84 C, slowed down", "-1.5 s", "its disk is full"]
        );
    }

    #[test]
    fn one_slave_is_shown_in_full() {
        let shown = one::describe(&hot(), 200_000);
        let expected = [
            "slave          3",
            "label          pi",
            "state          building, told to sleep, for 3 min",
            "build          7, foo 1.0",
            "holds back     its disk is full",
            "ABI            cp311",
            "Python         311",
            "platform       linux_armv7l",
            "address        192.0.2.1:5",
            "last heard     3 min ago",
            "machine        Pi 4",
            "system         -",
            "walls          namespaces, tree-kill",
            "walls missing  read-only, net-off, no-new-privileges, seccomp, landlock, cgroup-memory, cgroup-pids, \
             cgroup-cpu, rlimits",
            "load           0.52/4",
            "memory free    512 M of 1024 M",
            "disk free      16 G of 32 G",
            "temperature    84 C, slowed down",
            "clock          -1.5 s",
        ];
        assert_eq!(shown, expected);
        let unknown = one::describe(&slave(1, ""), 200_000);
        assert_eq!(unknown[10..16].iter().filter(|line| line.ends_with("  -")).count(), 6, "{unknown:?}");
        let json = slave_json(&hot());
        assert_eq!(
            (&json["board"]["walls"][1], &json["vitals"]["throttled"]),
            (&json!("tree-kill"), &json!(true))
        );
        assert_eq!(json["board"]["walls_missing"].as_array().unwrap().len(), 9);
        assert_eq!(
            (&json["holds_back"], &slave_json(&slave(1, ""))["board"]),
            (&json!("its disk\nis full"), &Value::Null)
        );
    }
}
