//! The units and sample files of `tools/systemd` and `tools/prometheus`: systemd knows every word of them, and so do the programs.

use std::collections::HashSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::kit::account;
use crate::kit::farm::text;

const PROGRAMS: [&str; 3] =
    [env!("CARGO_BIN_EXE_piw-master"), env!("CARGO_BIN_EXE_piw-slave"), env!("CARGO_BIN_EXE_piw")];

fn units() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/systemd")
}

/// The units, as they would be installed with the programs of this build, in a directory of their own.
fn install(dir: &Path) {
    for program in PROGRAMS {
        symlink(program, dir.join(Path::new(program).file_name().unwrap())).unwrap();
    }
    for unit in ["piw-master.service", "piw-slave@.service", "piw-audit.service", "piw-audit.timer"] {
        let unit_text = fs::read_to_string(units().join(unit)).unwrap();
        let here = format!("{}/", dir.display());
        fs::write(dir.join(unit), unit_text.replace("/usr/local/bin/", &here)).unwrap();
    }
    symlink("piw-slave@.service", dir.join("piw-slave@1.service")).unwrap();
    for unit in ["piw-metrics.socket", "piw-metrics.service"] {
        fs::copy(units().join("../prometheus").join(unit), dir.join(unit)).unwrap();
    }
}

fn verify(unit: &Path) -> Output {
    Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(unit).output().unwrap()
}

#[test]
fn systemd_knows_every_word_of_the_units() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        skipped("systemd_knows_every_word_of_the_units", "systemd-analyze is not installed");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("etc")).unwrap();
    install(dir.path());
    for unit in [
        "piw-master.service",
        "piw-slave@1.service",
        "piw-audit.service",
        "piw-audit.timer",
        "piw-metrics.socket",
        "piw-metrics.service",
    ] {
        let output = verify(&dir.path().join(unit));
        assert!(output.status.success() && text(&output).trim().is_empty(), "{unit}: {}", text(&output));
    }
    // it says so when it does not
    let odd = dir.path().join("odd.service");
    let unit = fs::read_to_string(dir.path().join("piw-master.service")).unwrap();
    fs::write(&odd, unit.replace("WatchdogSec=", "WatchdogSecs=")).unwrap();
    assert!(text(&verify(&odd)).contains("WatchdogSecs"));
    // and of the accounts, those that the units name
    let accounts = Command::new("systemd-sysusers")
        .args(["--dry-run", "--root"])
        .arg(dir.path())
        .arg(units().join("sysusers.conf"))
        .output()
        .unwrap();
    assert!(accounts.status.success(), "{}", text(&accounts));
    for name in ["piwheels", "piw-slave-1", "piw-slave-4"] {
        assert!(text(&accounts).contains(&format!("Creating user '{name}'")), "{name}: {}", text(&accounts));
    }
}

#[test]
fn logrotate_knows_every_word_of_the_sample_and_what_it_runs_is_a_reload() {
    let sample = fs::read_to_string(units().join("logrotate.conf")).unwrap();
    // directories that the units make, and the signal that opens log files anew
    for (unit, directory) in [("piw-master.service", "piwheels"), ("piw-slave@.service", "piw-slave/%i")] {
        let unit = fs::read_to_string(units().join(unit)).unwrap();
        assert!(unit.contains(&format!("LogsDirectory={directory}\n")), "{unit}");
        let pattern = format!("\n/var/log/{}/*.log {{\n", directory.replace("%i", "*"));
        assert!(sample.contains(&pattern), "{pattern}");
    }
    let master = fs::read_to_string(units().join("piw-master.service")).unwrap();
    assert!(master.contains("ExecReload=/bin/kill -HUP $MAINPID"));
    if Command::new("logrotate").arg("--version").output().is_err() {
        return skipped("logrotate_knows_every_word_of_the_sample", "logrotate is not installed");
    }
    let dir = tempfile::tempdir().unwrap();
    let rotate = |text: &str| {
        let (config, logs) = (dir.path().join("logrotate.conf"), dir.path().join("logs"));
        fs::create_dir_all(logs.join("piwheels")).unwrap();
        fs::create_dir_all(logs.join("piw-slave/1")).unwrap();
        for log in ["piwheels/master.log", "piw-slave/1/slave.log"] {
            fs::write(logs.join(log), "a line\n").unwrap();
        }
        fs::write(&config, text.replace("/var/log/", &format!("{}/", logs.display()))).unwrap();
        let mut command = Command::new("logrotate");
        command.args(["--debug", "--force", "--state"]).arg(dir.path().join("state")).arg(&config);
        text_of(&command.output().unwrap())
    };
    let (code, said) = rotate(&sample);
    assert!(code == Some(0) && !said.contains("error:"), "{said}");
    assert_eq!(said.matches("running postrotate script").count(), 2, "{said}");
    // it says so when it does not
    assert!(rotate(&sample.replace("delaycompress", "delaycompression")).1.contains("error:"));
}

fn text_of(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), text(output))
}

/// The options that the help of a program names, without the dashes.
fn options(program: &str) -> HashSet<String> {
    let help = text(&Command::new(program).arg("--help").output().unwrap());
    let words = help.split(|c: char| c.is_whitespace() || c == ',');
    words.filter_map(|word| word.strip_prefix("--")).map(str::to_owned).collect()
}

/// The keys of a sample, those too that are commented out.
fn keys(file: &str) -> Vec<String> {
    let sample = fs::read_to_string(units().join(file)).unwrap();
    let lines = sample.lines().filter_map(|line| line.trim_start_matches("# ").split_once(" = "));
    lines.map(|(key, _)| key.to_owned()).collect()
}

#[test]
fn the_daily_audit_is_an_order_that_piw_knows() {
    let unit = fs::read_to_string(units().join("piw-audit.service")).unwrap();
    let line = unit.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/local/bin/piw ")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let conf = dir.path().join("piwheels.conf");
    let queue = dir.path().join("import");
    fs::write(&conf, format!("import-queue = ipc://{}\n", queue.display())).unwrap();
    let line = line.replace("/etc/piwheels.conf", conf.to_str().unwrap());
    let output = Command::new(PROGRAMS[2]).args(line.split(' ')).arg("--help").output().unwrap();
    assert!(output.status.success() && text(&output).contains("--no-hashes"), "{}", text(&output));
}

#[test]
fn every_key_of_the_samples_is_an_option() {
    for (file, program) in [("piwheels.conf", PROGRAMS[0]), ("slave.conf", PROGRAMS[1])] {
        let (options, keys) = (options(program), keys(file));
        assert!(keys.len() > 4, "{file}: {keys:?}");
        for key in keys {
            assert!(options.contains(&key), "{file}: {key} is no option of {program}");
        }
    }
}

#[test]
fn the_slaves_sample_with_everything_in_it_and_the_units_command_line_start_a_slave() {
    let dir = tempfile::tempdir().unwrap();
    let place = |name: &str| dir.path().join(name);
    fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    fs::create_dir(place("cache")).unwrap();
    account::give(&place("cache"));
    fs::write(place("key"), format!("pi-1 {}\n", "0f".repeat(32))).unwrap();
    fs::set_permissions(place("key"), std::os::unix::fs::PermissionsExt::from_mode(0o400)).unwrap();
    account::give(&place("key"));
    let sample = fs::read_to_string(units().join("slave.conf")).unwrap();
    let whole: Vec<_> = sample
        .lines()
        .map(|line| if line.contains(" = ") { line.trim_start_matches("# ") } else { line })
        .collect();
    fs::write(place("slave.conf"), whole.join("\n")).unwrap();

    let unit = fs::read_to_string(units().join("piw-slave@.service")).unwrap();
    let line =
        unit.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/local/bin/piw-slave ")).unwrap();
    let line = line
        .replace("/etc/piwheels/slave-%i.conf", place("slave.conf").to_str().unwrap())
        .replace("${CREDENTIALS_DIRECTORY}", dir.path().to_str().unwrap())
        .replace("${CACHE_DIRECTORY}", place("cache").to_str().unwrap());
    assert!(!line.contains(['%', '$']), "{line}");
    let mut command = account::command(account::runnable(PROGRAMS[1], dir.path()));
    command.arg("--check-start").arg(place("nowhere")).args(line.split(' '));
    let output = command.output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "works\n", "{}", text(&output));
}

#[test]
fn the_slaves_unit_has_nothing_that_keeps_a_build_from_namespaces_of_its_own() {
    let unit = fs::read_to_string(units().join("piw-slave@.service")).unwrap();
    let settings: HashSet<&str> = unit
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split('=').next())
        .collect();
    // what mounts something over a part of /proc: the kernel then refuses a fresh one in a user namespace
    for over_proc in
        ["ProtectKernelTunables", "ProtectKernelLogs", "ProtectHostname", "ProtectProc", "ProcSubset"]
    {
        assert!(!settings.contains(over_proc), "{over_proc}");
    }
    for other in ["RestrictNamespaces", "ProtectControlGroups", "PrivateUsers"] {
        assert!(!settings.contains(other), "{other}");
    }
    let denied = unit.lines().find_map(|line| line.strip_prefix("SystemCallFilter=~")).unwrap();
    for needed in ["@mount", "@privileged", "@setuid", "@sandbox", "@debug", "@process"] {
        assert!(!denied.split(' ').any(|set| set == needed), "{needed}");
    }
}

fn skipped(test: &str, reason: &str) {
    eprintln!("skipped: {reason}");
    if let Some(file) = std::env::var_os("PIW_TEST_SKIPPED") {
        let mut file = fs::File::options().append(true).create(true).open(file).unwrap();
        writeln!(file, "{test}: {reason}").unwrap();
    }
}
