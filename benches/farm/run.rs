//! A run that is kept: on which machine it was, its rows, and what another one says beside it. The table of the README is
//! made from one.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

/// Rows whose ratio, or figure where nothing bounds them, differs by less than this share are the same: machines are noisy.
const NOISE: f64 = 0.15;

/// Where the table begins and ends.
const MARKS: [&str; 2] = ["<!-- made by tools/bench --readme -->", "<!-- end -->"];

/// What a row is, for people: the begin of its name, and what it says. In the order of the table.
const WORDS: [(&str, &str); 26] = [
    ("chunk encode", "a 256 KiB CHUNK is encoded; limit: a copy and a CRC of the same bytes"),
    ("chunk decode", "it is taken from a stream and decoded; the same limit"),
    (
        "transfer 256",
        "one wheel, BUILT to durable DONE; limit: the slower of a SHA-256 pass and one write + fsync",
    ),
    ("transfer 2016x", "many wheels over 8 slaves; limit: write, fsync and rename of each"),
    ("turnaround", "failed builds by so many slaves, each durably recorded; limit: the same SQL by pgbench"),
    ("idle", "memory of the master for each sleeping slave"),
    (
        "stall",
        "the reactor's turns under failed builds, a large file, 1,000 idle slaves and 4 that send rubbish",
    ),
    ("load", "slaves at work, monitors attached; beside herds of slow and of rubbish-sending peers"),
    ("pages, new", "20 files each, eight files to write for a project"),
    ("pages, changed", "one file more each; limit: write and fsync of the same files, one by one"),
    ("pages, unchanged", "none of their files touched"),
    ("farm's pages", "the same through the database and the whole farm"),
    (
        "root of",
        "the root index, HTML and JSON with twins and the search's files; limit: 15 times a tenth of the names",
    ),
    ("root, unchanged", "again, when nothing changed"),
    ("root, its files", "what that is on the disk"),
    ("root, peak", "how much more memory ten times the names take"),
    ("next-job", "what a slave waits for its next job"),
    ("claim-log", "claimed and recorded by so many slaves; limit: the same SQL by pgbench"),
    ("register", "1,000 versions are added; and once more"),
    ("learn-page", "a page of 101 releases is learnt"),
    ("pages-due", "which pages of the index are to be read next"),
    ("sweep", "the regular round: with nothing to do, and with 500 lost slaves"),
    (
        "abi-",
        "a new ABI: its first job, a walk over a million versions, the longest that a slave waited meanwhile",
    ),
    ("statistics", "what `piw stats` asks for"),
    ("audit", "the database's accounts"),
    ("slave", "the slave's own process and program, its build apart"),
];

/// Why a goal is missed, where it is: the begin of the row's name.
const MISSED: [(&str, &str); 6] = [
    (
        "transfer 256",
        "where the disk is faster than this: the file writer digests and copies on one core, the reactor and the slave that sends have the other",
    ),
    (
        "transfer 2016x",
        "beside the wheel, its METADATA is a file too; and the file system looks long for free inodes where many were just removed",
    ),
    (
        "turnaround",
        "each build has a page written, and its sync holds up the server's; a build crosses five threads",
    ),
    (
        "farm's pages",
        "PostgreSQL takes 0.4 ms of a processor for a project's rows, and the scribe as much to make the pages and compare them",
    ),
    ("claim-log", "clients and master share the two cores with the server"),
    (
        "slave, static",
        "rustup's library is compiled for speed; for boards it is compiled for size (`slave, armv7`)",
    ),
];

/// What the figures were measured on.
pub(crate) fn machine() -> Value {
    let of = |file: &str, key: &str| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(key)).unwrap_or_default();
        line.split_once([':', '=']).map_or("", |(_, value)| value.trim().trim_matches('"')).to_owned()
    };
    let memory: u64 = of("/proc/meminfo", "MemTotal")
        .split_whitespace()
        .next()
        .and_then(|kib| kib.parse().ok())
        .unwrap_or(0);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    json!({
        "cpu": of("/proc/cpuinfo", "model name"),
        "arch": std::env::consts::ARCH,
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "memory_mib": memory / 1024,
        "system": of("/etc/os-release", "PRETTY_NAME"),
        "kernel": kernel.trim(),
        "build": if cfg!(debug_assertions) { "debug" } else { "release" },
    })
}

/// How many processes wait for the cores, on average over the last minute.
pub(crate) fn load() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().and_then(|load| load.parse().ok()).unwrap_or(0.0)
}

/// Reads a run that was kept.
pub(crate) fn read(path: &Path) -> Result<Value, String> {
    let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let run: Value = serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))?;
    if run["machine"].is_object() && run["rows"].is_array() {
        return Ok(run);
    }
    Err(format!("{}: it is no run of this bench", path.display()))
}

/// Keeps rows in a file, in the place of those of the same names; one of another machine is not mixed with them.
pub(crate) fn keep(path: &Path, rows: &[Value]) -> Result<(), String> {
    let machine = machine();
    let mut kept = if path.exists() { read(path)? } else { json!({ "machine": machine, "rows": [] }) };
    if kept["machine"] != machine {
        return Err(format!("{} is of another machine: name another file", path.display()));
    }
    let Some(all) = kept["rows"].as_array_mut() else { return Err(format!("{}: no rows", path.display())) };
    for row in rows {
        match all.iter_mut().find(|old| old["name"] == row["name"]) {
            Some(old) => old.clone_from(row),
            None => all.push(row.clone()),
        }
    }
    let mut text = format!("{{\n\"machine\": {},\n\"rows\": [\n", kept["machine"]);
    let lines: Vec<String> =
        kept["rows"].as_array().into_iter().flatten().map(|row| format!("  {row}")).collect();
    text += &format!("{}\n]\n}}\n", lines.join(",\n"));
    fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))
}

/// What became of each row since another run: a line each. Of what has a limit the ratios are compared, which a slower or
/// busier machine changes less than the figures.
pub(crate) fn compare(before: &Value, rows: &[Value]) -> String {
    let mut lines = String::new();
    for row in rows {
        let name = row["name"].as_str().unwrap_or_default();
        let old = before["rows"].as_array().into_iter().flatten().find(|old| old["name"] == row["name"]);
        let Some(old) = old else {
            let _ = writeln!(lines, "{name:<28} new");
            continue;
        };
        let (key, what) = if row["ratio"].is_null() { ("value", "figure") } else { ("ratio", "ratio") };
        let (Some(then), Some(now)) = (old[key].as_f64(), row[key].as_f64()) else {
            let _ = writeln!(lines, "{name:<28} was measured otherwise");
            continue;
        };
        let change = (now - then) / then;
        let word = match change {
            // a figure without a limit may be good when it is small or when it is large
            _ if change.abs() < NOISE => "the same",
            _ if key == "value" => "differs",
            _ if change > 0.0 => "better",
            _ => "WORSE",
        };
        let _ = writeln!(
            lines,
            "{name:<28} {what} {then:>10.2} -> {now:>10.2}  {:+4.0} %  {word}",
            change * 100.0
        );
    }
    lines
}

/// The README with the table of this run between its marks.
pub(crate) fn readme(text: &str, run: &Value) -> Result<String, String> {
    let missing = || format!("README.md has no line {:?} with {:?} below it", MARKS[0], MARKS[1]);
    let begin = text.find(MARKS[0]).ok_or_else(missing)? + MARKS[0].len();
    let end = begin + text[begin..].find(MARKS[1]).ok_or_else(missing)?;
    Ok(format!("{}\n\n{}\n{}", &text[..begin], table(run), &text[end..]))
}

fn table(run: &Value) -> String {
    let machine = &run["machine"];
    let word = |key: &str| machine[key].as_str().unwrap_or_default().to_owned();
    let mut table = format!(
        "On {} cores ({}, {}), {:.0} GiB, {}.\n\n| row | measured | limit | ratio | goal |\n|---|---|---|---|---|\n",
        machine["cores"],
        word("cpu"),
        word("arch"),
        machine["memory_mib"].as_f64().unwrap_or(0.0) / 1024.0,
        word("system"),
    );
    let rows: Vec<&Value> = run["rows"].as_array().into_iter().flatten().collect();
    let name = |row: &Value| row["name"].as_str().unwrap_or_default().to_owned();
    for (begin, words) in WORDS {
        let these: Vec<_> = rows.iter().filter(|row| first(&WORDS, &name(row)) == Some(begin)).collect();
        for (n, row) in these.into_iter().enumerate() {
            // said once for rows of a kind
            let words = if n == 0 { format!(": {words}") } else { String::new() };
            let (name, unit) = (name(row), row["unit"].as_str().unwrap_or_default());
            let _ = write!(table, "| `{name}`{words} | {} {unit} |", figure(&row["value"]));
            if row["limit"].is_null() {
                table += " | | |\n";
                continue;
            }
            let goal = if row["met"] == true {
                "met".to_owned()
            } else {
                let why = MISSED.iter().find(|(begin, _)| name.contains(begin)).map_or("", |(_, why)| why);
                format!("missed ({}){}{why}", figure(&row["goal"]), if why.is_empty() { "" } else { ": " })
            };
            let _ = writeln!(
                table,
                " {} | {:.2} | {goal} |",
                figure(&row["limit"]),
                row["ratio"].as_f64().unwrap_or(0.0)
            );
        }
    }
    table
}

/// Which of these a name begins with, a size before it apart.
fn first(words: &[(&'static str, &'static str)], name: &str) -> Option<&'static str> {
    let name = name.split_once(" versions: ").map_or(name, |(_, rest)| rest);
    words.iter().map(|(begin, _)| *begin).find(|begin| name.starts_with(begin))
}

/// Three digits that count, and a comma where there are thousands.
fn figure(value: &Value) -> String {
    let value = value.as_f64().unwrap_or(0.0);
    if value < 100.0 {
        let text = format!("{value:.*}", if value < 10.0 { 2 } else { 1 });
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The names that the table would leave out.
pub(crate) fn unknown(rows: &[Value]) -> Vec<String> {
    let names = rows.iter().map(|row| row["name"].as_str().unwrap_or_default());
    names.filter(|name| first(&WORDS, name).is_none()).map(str::to_owned).collect()
}
