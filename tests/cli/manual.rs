//! Every option of the manual's synopses (chapters 2 to 7), as it has them.

use std::fs;

use crate::{PROGRAMS, err, out, program, run};

/// A program, words of its synopsis, and what `--print-config` then says; nothing of what is for the command line alone.
const SYNOPSES: &[(&str, &[&str], &[&str])] = &[
    ("piw-master", &["-d", "postgres:///x"], &["dsn = postgres:///x"]),
    ("piw-master", &["--dsn", "postgres:///x"], &["dsn = postgres:///x"]),
    ("piw-master", &["--pypi-xmlrpc", "http://i/pypi"], &["pypi-xmlrpc = http://i/pypi"]),
    ("piw-master", &["--pypi-simple", "http://i/simple"], &["pypi-simple = http://i/simple"]),
    ("piw-master", &["-o", "/srv"], &["output-path = /srv"]),
    ("piw-master", &["--output-path", "/srv"], &["output-path = /srv"]),
    ("piw-master", &["--index-queue", "inproc://a"], &["index-queue = inproc://a"]),
    ("piw-master", &["--status-queue", "ipc:///s"], &["status-queue = ipc:///s"]),
    ("piw-master", &["--control-queue", "ipc:///c"], &["control-queue = ipc:///c"]),
    ("piw-master", &["--builds-queue", "inproc://a"], &["builds-queue = inproc://a"]),
    ("piw-master", &["--db-queue", "inproc://a"], &["db-queue = inproc://a"]),
    ("piw-master", &["--fs-queue", "inproc://a"], &["fs-queue = inproc://a"]),
    ("piw-master", &["--slave-queue", "tcp://*:1"], &["slave-queue = tcp://*:1"]),
    ("piw-master", &["--file-queue", "tcp://*:2"], &["file-queue = tcp://*:2"]),
    ("piw-master", &["--import-queue", "ipc:///i"], &["import-queue = ipc:///i"]),
    ("piw-slave", &["-m", "host"], &["master = host"]),
    ("piw-slave", &["--master", "host"], &["master = host"]),
    ("piw-slave", &["-t", "4h"], &["timeout = 4h"]),
    ("piw-slave", &["--timeout", "4h"], &["timeout = 4h"]),
    ("piw-monitor", &["--status-queue", "ipc:///s"], &["status-queue = ipc:///s"]),
    ("piw-monitor", &["--control-queue", "ipc:///c"], &["control-queue = ipc:///c"]),
    ("piw-initdb", &["-d", "postgres:///x", "-u", "me", "-y"], &["dsn = postgres:///x", "user = me"]),
    (
        "piw-initdb",
        &["--dsn", "postgres:///x", "--user", "me", "--yes"],
        &["dsn = postgres:///x", "user = me"],
    ),
    ("piw-import", &["--package", "p", "--package-version", "1", "--abi", "cp311", "file"], &[]),
    ("piw-import", &["--duration", "1h 5m", "--output", "log", "file", "file"], &[]),
    ("piw-import", &["-y", "-d", "file"], &[]),
    ("piw-import", &["--yes", "--delete", "file"], &[]),
    ("piw-import", &["--import-queue", "ipc:///i", "file"], &["import-queue = ipc:///i"]),
    ("piw-remove", &["-y", "-s", "package", "1.0"], &[]),
    ("piw-remove", &["--yes", "--skip", "package", "1.0"], &[]),
    ("piw-remove", &["--import-queue", "ipc:///i", "package", "1.0"], &["import-queue = ipc:///i"]),
];

/// Those of every program; the monitor has no -q, -v and -l there, and has them here.
const COMMON: &[(&[&str], &[&str])] = &[
    (&["-q"], &["quiet = true"]),
    (&["--quiet"], &["quiet = true"]),
    (&["-v"], &["verbose = 1"]),
    (&["--verbose", "--verbose"], &["verbose = 2"]),
    (&["-l", "/l"], &["log-file = /l"]),
    (&["--log-file", "/l"], &["log-file = /l"]),
];

fn holds(name: &str, words: &[&str], lines: &[&str]) {
    let output = program(name).args(words).arg("--print-config").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{name} {words:?}: {}", err(&output));
    let text = out(&output);
    for line in lines {
        assert!(text.lines().any(|said| said == *line), "{name} {words:?}: no {line} in\n{text}");
    }
}

#[test]
fn every_option_of_the_manual_is_taken_with_its_meaning() {
    for (name, words, lines) in SYNOPSES {
        holds(name, words, lines);
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("c");
    fs::write(&file, "log-file = /of/file\n").unwrap();
    for (name, _) in PROGRAMS {
        for (words, lines) in COMMON {
            holds(name, words, lines);
        }
        for option in ["-c", "--configuration"] {
            holds(name, &[option, file.to_str().unwrap()], &["log-file = /of/file"]);
        }
        let version = format!("{name} {}\n", piwheels::VERSION);
        for (option, said) in
            [("-h", name), ("--help", "--configuration"), ("--version", &*version), ("-V", &*version)]
        {
            let output = run(name, &[option]);
            assert!(output.status.code() == Some(0) && out(&output).contains(said), "{name} {option}");
        }
    }
}

#[test]
fn internal_queues_are_names_of_their_own_and_nothing_else() {
    let refused = |words: &[&str], said: &[&str]| {
        let output = run("piw-master", words);
        assert_eq!(output.status.code(), Some(2), "{words:?}: {}", err(&output));
        assert!(said.iter().all(|said| err(&output).contains(said)), "{words:?}: {}", err(&output));
    };
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("c");
    for key in ["index-queue", "builds-queue", "db-queue", "fs-queue"] {
        let option = format!("--{key}");
        for bad in ["tcp://*:5557", "ipc:///tmp/db", "db", "inproc://"] {
            refused(&[&option, bad], &[&option, "inproc://"]);
        }
        fs::write(&file, format!("{key} = tcp://*:1\n")).unwrap();
        let why = "this queue is inside piw-master, and nothing connects to it";
        refused(&["-c", file.to_str().unwrap()], &[key, "line 1", why]);
    }
    refused(
        &["--db-queue", "inproc://fs"],
        &["--db-queue and --fs-queue are both inproc://fs", "a name of its own"],
    );
    let help = out(&run("piw-master", &["--help"]));
    assert!(help.contains("without effect: the master's tasks share their memory"), "{help}");
}
