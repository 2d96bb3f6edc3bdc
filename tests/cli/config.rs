//! One configuration for all programs, and what of it is in force.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::{PROGRAMS, err, out, program, run};

/// The lines `key = value` of what --print-config printed.
fn lines(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

/// The comment above a key.
fn source<'a>(text: &'a str, key: &str) -> &'a str {
    let place = text.find(&format!("\n{key} = ")).unwrap_or_else(|| panic!("no {key} in\n{text}"));
    text[..place].lines().last().unwrap()
}

#[test]
fn every_program_prints_what_is_in_force_and_reads_it_again() {
    let dir = tempfile::tempdir().unwrap();
    let (shared, printed) = (dir.path().join("shared.conf"), dir.path().join("printed.conf"));
    let log = dir.path().join("never.log");
    let queue = dir.path().join("never.socket");
    let text = format!(
        "# one for all\nlog-file = {}\nimport-queue: ipc://{}\nlease = 10m\ntimeout = 2h\ntool-timeout = 7s\nverbose = 1\n\
         drop = yes\nuser = me\nmaster = there\n",
        log.display(),
        queue.display()
    );
    fs::write(&shared, text).unwrap();
    for (name, _) in PROGRAMS {
        let shared = shared.to_str().unwrap();
        let mut first = program(name);
        first.args(["-c", shared, "--log-file=/never/too", "--print-config"]).env("PIW_SLAVE_PORT", "7");
        first.env("PIW_MAX_FILES", "3");
        let first = first.output().unwrap();
        assert_eq!((first.status.code(), err(&first).as_str()), (Some(0), ""), "{name}");
        let text = out(&first);
        assert_eq!(source(&text, "log-file"), "# option --log-file", "{name}");
        assert_eq!(source(&text, "verbose"), format!("# {shared}, line 7"), "{name}");
        fs::write(&printed, &text).unwrap();
        let again = run(name, &["--print-config", "-c", printed.to_str().unwrap()]);
        assert_eq!(err(&again), "", "{name}");
        assert_eq!(lines(&out(&again)), lines(&text), "{name}");
    }
    let slave = run("piw-slave", &["-c", shared.to_str().unwrap(), "-t", "90", "--print-config"]);
    assert!(lines(&out(&slave)).contains(&"timeout = 90") && lines(&out(&slave)).contains(&"master = there"));
    let piw = run("piw", &["-c", shared.to_str().unwrap(), "stats", "--print-config"]);
    assert_eq!(
        source(&out(&piw), "tool-timeout"),
        format!("# {}, line 6", shared.display()),
        "not the slave's"
    );
    assert!(!log.exists() && !queue.exists(), "nothing was touched");
}

#[test]
fn files_then_variables_then_options_and_of_each_the_last() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join(".config/piwheels");
    fs::create_dir_all(&home).unwrap();
    fs::write(home.join("piwheels.conf"), "output-path = /home\nlease = 1m\nlease = 2m\nsite-name = mine\n")
        .unwrap();
    let own = dir.path().join("own.conf");
    fs::write(&own, "output-path = /own\ninsecure = on\n").unwrap();
    let look = |words: &[&str], variable: Option<&str>| {
        let mut command = program("piw-master");
        command.env("HOME", dir.path()).args(words).arg("--print-config");
        variable.map(|value| command.env("PIW_OUTPUT_PATH", value));
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", err(&output));
        let text = out(&output);
        lines(&text)
            .iter()
            .filter(|l| ["output-path", "lease", "insecure"].iter().any(|k| l.starts_with(k)))
            .map(|line| line.split_once(" = ").unwrap().1.to_owned())
            .collect::<Vec<_>>()
            .join(" ")
    };
    let own = own.to_str().unwrap();
    assert_eq!(look(&[], None), "/home false 2m");
    assert_eq!(look(&["-c", own], None), "/own on 2m");
    assert_eq!(look(&["-c", own], Some("/variable")), "/variable on 2m");
    assert_eq!(
        look(&["-c", own, "-o", "/a", "--output-path=/b", "--lease", "3m"], Some("/variable")),
        "/b on 3m"
    );
    // and the same of the slave, which parses by itself
    let slave =
        run("piw-slave", &["--dir", "/a", "--dir=/b", "-m", "x", "-mhost", "-t1h", "-qvv", "--print-config"]);
    let text = out(&slave);
    for line in ["dir = /b", "master = host", "timeout = 1h", "verbose = 2"] {
        assert!(lines(&text).contains(&line), "{line} of {text}");
    }
}

#[test]
fn of_quiet_and_verbose_the_later_holds_for_every_program() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("c");
    fs::write(&file, "verbose = 2\nquiet = true\n").unwrap();
    for (name, _) in PROGRAMS {
        let look = |words: &[&str]| {
            let output = program(name)
                .args(["-c", file.to_str().unwrap()])
                .args(words)
                .arg("--print-config")
                .output()
                .unwrap();
            let text = out(&output);
            let quiet = lines(&text).contains(&"quiet = true");
            let verbose = lines(&text)
                .iter()
                .find_map(|line| line.strip_prefix("verbose = "))
                .unwrap_or("0")
                .to_owned();
            (quiet, verbose)
        };
        assert_eq!(look(&[]), (true, "0".to_owned()), "{name}");
        assert_eq!(look(&["-v"]), (false, "1".to_owned()), "{name}");
        assert_eq!(look(&["-v", "-q"]), (true, "0".to_owned()), "{name}");
        assert_eq!(look(&["-q", "-v", "-v"]), (false, "2".to_owned()), "{name}");
    }
}

#[test]
fn what_no_program_knows_is_warned_of_and_stops_none() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("c");
    fs::write(&file, "ouput-path = /x\n\nlease = 10m\ncolour = red\nyes = true\n").unwrap();
    for (name, _) in PROGRAMS {
        let mut command = program(name);
        command
            .args(["--print-config", "-c", file.to_str().unwrap()])
            .env("PIW_LAESE", "1")
            .env("PIW_TEST_X", "1");
        let output = command.env("PIW_BIN", "/b").env("PIW_USER", "me").output().unwrap();
        let at = |line: usize| format!("{name}: {}, line {line}: ", file.display());
        let said = [
            format!("{}no program has an option 'ouput-path'; did you mean 'output-path'?", at(1)),
            format!("{}no program has an option 'colour'", at(4)),
            format!("{}'yes' is for the command line only; passed over", at(5)),
            format!("{name}: the variable PIW_LAESE is no program's; did you mean PIW_LEASE?"),
        ];
        assert_eq!((err(&output), output.status.code()), (said.map(|line| line + "\n").concat(), Some(0)));
    }
    let piw = run("piw", &["stats", "--import-queue", "ipc:///nonexistent/q", "-c", file.to_str().unwrap()]);
    assert!(
        err(&piw).contains("did you mean 'output-path'?\n") && piw.status.code() == Some(1),
        "{}",
        err(&piw)
    );
    let quiet =
        run("piw", &["-q", "stats", "--import-queue", "ipc:///nonexistent/q", "-c", file.to_str().unwrap()]);
    assert_eq!(err(&quiet).lines().count(), 1, "{}", err(&quiet));
}

#[test]
fn a_value_that_is_none_is_refused_with_its_place_by_every_program() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("c");
    fs::write(&file, "lease = 5m\nverbose = very\n").unwrap();
    for (name, _) in PROGRAMS {
        let output = run(name, &["--print-config", "-c", file.to_str().unwrap()]);
        let said = format!("{name}: verbose = \"very\" ({}, line 2): ", file.display());
        assert!(err(&output).starts_with(&said) && err(&output).lines().count() == 1, "{}", err(&output));
        assert_eq!((output.status.code(), out(&output).as_str()), (Some(2), ""));
        let output = program(name).args(["--print-config"]).env("PIW_QUIET", "perhaps").output().unwrap();
        assert!(
            err(&output).starts_with(&format!("{name}: quiet = \"perhaps\" (variable PIW_QUIET): ")),
            "{}",
            err(&output)
        );
        let output = run(name, &["-c", "/nonexistent/c", "--print-config"]);
        assert!(
            err(&output).contains("cannot read the configuration file /nonexistent/c (-c): No such file")
        );
        assert_eq!(output.status.code(), Some(2));
    }
    fs::write(&file, "output-path =\n").unwrap();
    let output = run("piw-master", &["--print-config", "-c", file.to_str().unwrap()]);
    assert!(err(&output).contains("line 1): is empty; leave the line out"), "{}", err(&output));
    for (words, said) in [
        (&["--lease", "soon"][..], "not a duration"),
        (&["--lease", "0"], "--lease must be between"),
        (&["--follow=some"], "must be list, all or none"),
        (&["--site-url", "x"], "--site-url"),
    ] {
        let output = program("piw-master").args(words).arg("--print-config").output().unwrap();
        assert!(err(&output).contains(said) && output.status.code() == Some(2), "{}", err(&output));
    }
    let output = program("piw-logger").env("PIW_FORMAT", "odd").output().unwrap();
    assert!(
        err(&output).starts_with("piw-logger: format = \"odd\" (variable PIW_FORMAT): "),
        "{}",
        err(&output)
    );
    let output = run("piw-slave", &["--print-config", "--timeout", "0"]);
    assert!(err(&output).contains("the timeout must be from one second") && output.status.code() == Some(2));
}

#[test]
fn passwords_are_never_shown() {
    let dsn = "postgres://me:hunter2@nowhere.invalid/db";
    for name in ["piw-master", "piw-initdb"] {
        let output = run(name, &["--dsn", dsn, "--print-config"]);
        assert!(out(&output).contains("\ndsn = postgres://me:***@nowhere.invalid/db\n"), "{}", out(&output));
        assert!(out(&output).contains("# option --dsn; its password is not shown\n"));
        assert!(!out(&output).contains("hunter2"));
    }
}

#[test]
fn the_scripts_own_variables_are_known_to_the_programs() {
    let mut names = BTreeSet::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools");
    let mut dirs = vec![root];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
                continue;
            }
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
            // what is set for Apache's rules is no program's
            if path.ends_with("apache.conf") {
                continue;
            }
            for (at, _) in text.match_indices("PIW_") {
                let name: String = text[at..]
                    .chars()
                    .take_while(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || *c == '_')
                    .collect();
                names.insert(name);
            }
        }
    }
    assert!(names.contains("PIW_BIN") && names.contains("PIW_USER"), "{names:?}");
    let mut command = program("piw");
    command.arg("--print-config").envs(names.iter().filter(|name| name.len() > 4).map(|name| (name, "1")));
    assert_eq!(err(&command.output().unwrap()), "");
}

#[test]
fn the_sample_files_have_only_keys_that_there_are() {
    let dir = tempfile::tempdir().unwrap();
    for (sample, name) in [("piwheels.conf", "piw-master"), ("slave.conf", "piw-slave")] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/systemd").join(sample);
        let text = fs::read_to_string(path).unwrap();
        // what is commented out is there to be taken in
        let line = |line: &str| {
            line.strip_prefix("# ").filter(|rest| rest.contains(" = ")).unwrap_or(line).to_owned()
        };
        let file = dir.path().join(sample);
        fs::write(&file, text.lines().map(line).collect::<Vec<_>>().join("\n")).unwrap();
        let output = run(name, &["--print-config", "-c", file.to_str().unwrap()]);
        assert_eq!((err(&output).as_str(), output.status.code()), ("", Some(0)), "{sample}");
    }
}
