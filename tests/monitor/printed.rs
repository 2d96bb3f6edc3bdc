//! Without a terminal: snapshots and streams for scripts, and what goes wrong.

use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};

use piwheels::wire::slave::{BuildEnd, FromSlave, ToSlave};
use piwheels::wire::{List, Text};
use serde_json::Value;

use crate::kit::account;
use crate::kit::farm::{Farm, text};
use crate::kit::sdist::Recipe;
use crate::{asleep, farm, slave, vitals};

fn command(farm: &Farm, arguments: &[&str]) -> Command {
    let program = account::runnable(env!("CARGO_BIN_EXE_piw-monitor"), &farm.path("bin"));
    let mut command = account::command(program);
    for queue in ["status", "control"] {
        command
            .arg(format!("--{queue}-queue"))
            .arg(format!("ipc://{}", farm.path("run").join(queue).display()));
    }
    command.args(arguments).stdin(Stdio::null()).env("LC_ALL", "C.UTF-8");
    command
}

fn run(farm: &Farm, arguments: &[&str]) -> Output {
    command(farm, arguments).output().unwrap()
}

#[test]
fn a_snapshot_has_the_whole_farm_as_text_and_as_json() {
    let farm = farm();
    farm.index.offer(&Recipe::native("foo", "1.0"));
    farm.piw(&["add", "foo"]);
    let mut builder = slave(&farm, "builder", "Pi \u{202e}4");
    let (token, _) = builder.take_job();
    builder.say(&FromSlave::Built {
        token,
        end: BuildEnd::Failed,
        duration_ms: 83_000,
        log_bytes: 0,
        files: List::default(),
        report: Default::default(),
    });
    assert!(matches!(builder.hear(), Some(ToSlave::Done { .. })));
    builder.say(&FromSlave::Busy { vitals: vitals(52), holds_back: Some(Text::new("too\thot").unwrap()) });
    let _sleepers: Vec<_> = (0..40).map(|n| asleep(&farm, &format!("sleeper-{n}"))).collect();

    // the farm in numbers is asked for by the clock
    let picture = crate::kit::wait::until(
        "numbers that know of the build",
        || farm.logs(),
        || {
            let output = run(&farm, &["--once", "--json"]);
            assert_eq!(output.status.code(), Some(0), "{}", text(&output));
            let picture: Value = serde_json::from_slice(&output.stdout).unwrap();
            (picture["numbers"]["builds"] == 1).then_some(picture)
        },
    );
    assert_eq!(picture["slaves"].as_array().unwrap().len(), 41);
    let of = |key: &str| &picture["slaves"][0][key];
    assert_eq!((of("label"), of("holds_back")), (&"builder".into(), &"too\thot".into()));
    assert!(of("connected_ms").as_u64().unwrap() > 0 && of("trend").is_array());
    assert_eq!(picture["builds"][0]["package"], "foo");
    assert_eq!(picture["outcomes"]["failed"], 1);
    assert_eq!((&picture["numbers"]["builds"], &picture["numbers"]["queued"]), (&1.into(), &0.into()));
    assert!(picture["machine"]["disk_total"].as_u64().unwrap() > 0);
    assert_eq!(picture["master"]["mode"], "running");
    assert_eq!(picture["follow"]["mode"], "list");

    let output = run(&farm, &["--once"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let said = String::from_utf8(output.stdout).unwrap();
    for words in
        ["RUNNING", "41 slaves", "success", "builder", "sleeper-39", "How builds ended", "foo 1.0", "1m23"]
    {
        assert!(said.contains(words), "no {words:?} in\n{said}");
    }
    assert!(said.chars().all(|c| c == '\n' || (!c.is_control() && c != '\u{202e}')), "{said:?}");
    let plain = command(&farm, &["--once"]).env("LC_ALL", "C").output().unwrap();
    assert!(plain.stdout.is_ascii());
}

#[test]
fn a_stream_goes_on_over_the_end_of_a_master() {
    let mut farm = farm();
    let mut child = command(&farm, &["--json"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // the master says something every second: what is waited for comes, or the test's own limit ends it
    let mut next = |what: &str, is_it: &dyn Fn(&Value) -> bool| {
        for line in lines.by_ref().take(500) {
            let event: Value = serde_json::from_str(&line.unwrap()).unwrap();
            if is_it(&event) {
                return event;
            }
        }
        panic!("no {what}");
    };
    next("hello", &|event| event["event"] == "hello");
    let sleeper = asleep(&farm, "pi");
    next("slave", &|event| event["slave"]["label"] == "pi" && event["slave"]["state"] == "asleep");
    farm.piw(&["pause"]);
    next("pause", &|event| event["mode"] == "paused");
    drop(sleeper);
    next("end of the slave", &|event| event["event"] == "gone" && event["id"] == 1);
    farm.kill_master();
    let lost = next("end of the master", &|event| event["event"] == "lost");
    assert!(lost["reason"].as_str().unwrap().contains("ipc://") && lost["again_ms"].as_u64().is_some());
    farm.start_master();
    next("another master", &|event| event["event"] == "hello");
    // nobody reads any more
    drop(lines);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn what_cannot_be_shown_is_one_line_and_a_code() {
    let mut farm = Farm::start(&[], &[]);
    farm.kill_master();
    let refused = |arguments: &[&str], code: i32, words: &[&str]| {
        let output = run(&farm, arguments);
        let said = text(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert_eq!(output.stdout, b"");
        assert!(words.iter().all(|word| said.contains(word)), "{arguments:?}: {said}");
        said
    };
    for arguments in [&["--once"][..], &["--once", "--json"]] {
        let said = refused(arguments, 1, &["piw-monitor: no master at ipc://", "--status-queue"]);
        assert_eq!(said.trim().lines().count(), 1, "{said}");
    }
    refused(&[], 2, &["this is no terminal", "--once"]);
    refused(&["--status-queue", "tcp://127.0.0.1:1", "--once"], 2, &["must be ipc:// and an absolute path"]);
    refused(&["--nonsense"], 2, &["--nonsense"]);
    let version = run(&farm, &["--version"]);
    assert_eq!(String::from_utf8(version.stdout).unwrap(), format!("piw-monitor {}\n", piwheels::VERSION));
    // the same configuration as the other tools'
    let file = farm.path("run/piwheels.conf");
    std::fs::write(&file, "status-queue = ipc:///nowhere/at-all\n").unwrap();
    let program = account::runnable(env!("CARGO_BIN_EXE_piw-monitor"), &farm.path("bin"));
    let output = account::command(program).arg("-c").arg(&file).arg("--once").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("ipc:///nowhere/at-all"), "{}", text(&output));
}
