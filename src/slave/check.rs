//! `piw-slave --check`: what this board can do, and what it lacks.

use std::path::Path;

use super::sandbox::probe::Strength;
use super::start::Ready;
use crate::wire::slave::{Board, Vitals, Wall};

/// A line of the table: what, how it is, and whether that is a want.
type Line = (String, String, bool);

/// The table, and whether the board can build. `holds_back` is why it would ask for no job now.
pub fn table(
    ready: &Ready,
    board: &Board,
    vitals: &Vitals,
    holds_back: Option<&str>,
    key: &str,
) -> (String, bool) {
    let mut lines = tools(ready);
    lines.extend(machine(board, vitals, ready.workdir.path()));
    lines.push(("key".to_owned(), key.to_owned(), false));
    lines.extend(walls(&ready.strength));
    if let Some(reason) = holds_back {
        lines.push(("asks for jobs".to_owned(), format!("no: {reason}"), true));
    }
    let wants: Vec<&str> =
        lines.iter().filter(|(_, _, want)| *want).map(|(what, _, _)| what.as_str()).collect();
    let able = wants.is_empty();
    let mut text = String::new();
    for (what, how, want) in &lines {
        let mark = if *want { "  <- missing" } else { "" };
        text.push_str(&format!("{what:18} {how}{mark}\n"));
    }
    text.push_str(&match able {
        true => "This board can build.".to_owned(),
        false => format!("This board cannot build as it is: {}.", wants.join(", ")),
    });
    (text, able)
}

fn tools(ready: &Ready) -> Vec<Line> {
    let python = &ready.python;
    let about = format!(
        "{}, {} {}, pip {} ({})",
        python.version,
        python.abi_tag,
        python.platform_tag,
        python.pip,
        python.executable.display()
    );
    let headers = if python.headers { "there" } else { "not there: install the interpreter's -dev package" };
    vec![
        ("interpreter".to_owned(), about, false),
        ("its headers".to_owned(), headers.to_owned(), !python.headers),
        ("C compiler".to_owned(), python.compiler.clone(), python.compiler == "none"),
    ]
}

fn machine(board: &Board, vitals: &Vitals, dir: &Path) -> Vec<Line> {
    let mib = |bytes: u64| bytes >> 20;
    let heat = match (vitals.temperature, vitals.throttled) {
        (Some(tenths), Some(true)) => format!("{:.1} °C, slowed down", f64::from(tenths) / 10.0),
        (Some(tenths), _) => format!("{:.1} °C", f64::from(tenths) / 10.0),
        (None, _) => "not measured".to_owned(),
    };
    let text = |what: &str, how: String| (what.to_owned(), how, false);
    vec![
        text("machine", board.machine.to_string()),
        text("system", board.os.to_string()),
        text("processors", vitals.cpus.to_string()),
        text(
            "memory",
            format!("{} MiB, {} MiB of it free", mib(vitals.memory_total), mib(vitals.memory_free)),
        ),
        text("disk", format!("{} MiB free in {}", mib(vitals.disk_free), dir.display())),
        text("temperature", heat),
    ]
}

fn walls(strength: &Strength) -> Vec<Line> {
    let line = |(wall, stands): &(Wall, Result<(), String>)| {
        let how = stands.as_ref().map_or_else(|reason| format!("no: {reason}"), |()| "yes".to_owned());
        (wall.name().to_owned(), how, false)
    };
    strength.walls.iter().map(line).collect()
}
