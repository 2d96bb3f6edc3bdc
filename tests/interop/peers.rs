//! Peers that share no code with the farm: slave, monitor and tools against the real master, a master against the real slave.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::kit::account;
use crate::kit::farm::{Farm, abi_of, python};
use crate::kit::index::Index;
use crate::kit::sdist::Recipe;
use crate::kit::wait::until;
use crate::{program, run};

/// What the peers are told of a farm.
fn given(farm: &Farm, abi: &str, key: Option<&str>) -> String {
    json!({
        "slaves": ["127.0.0.1", farm.slave_port],
        "files": ["127.0.0.1", farm.file_port],
        "run": farm.path("run"),
        "software": piwheels::VERSION,
        "abi": abi,
        "python": abi.trim_start_matches("cp"),
        "platform": format!("linux_{}", std::env::consts::ARCH),
        "key": key,
    })
    .to_string()
}

/// A farm's day with foreign peers only; what it left is right.
fn a_day(mut farm: Farm, abi: &str, key: Option<&str>) {
    for package in ["claimed", "skipped", "returned"] {
        farm.index.offer(&Recipe::native(package, "1.0"));
    }
    let said: Value =
        serde_json::from_str(&run("session.py", &[&given(&farm, abi, key)], || farm.logs())).unwrap();
    assert!(said["asked"].as_i64().unwrap() > 1, "more than one piece was asked for: {said}");
    assert_eq!(farm.master.as_mut().unwrap().wait(), 0, "{}", farm.logs());
    farm.master = None;
    farm.start_master();
    let built = farm.wait_for_state("claimed", abi, "built");
    assert_eq!(built["slave"], said["label"]);
    assert_eq!(built["files"][0]["sha256"], said["wheel"], "the bytes that were sent: {built}");
    let log = farm.build_log(&built);
    assert!(log.starts_with("a first line\n") && log.ends_with(".\na line after the return\n"), "{log}");
    assert_eq!(log.matches("not UTF-8").count(), 1, "each piece once: {log}");
    assert_eq!(farm.why("skipped", abi).unwrap()["outcome"], "cancelled");
    assert_eq!(farm.why("returned", abi).unwrap()["state"], "queued", "a job that was given back");
    let brought = farm.why("brought", abi).unwrap();
    assert_eq!(brought["files"].as_array().unwrap().len(), 2, "{brought}");
    assert_eq!(farm.build_log(&brought), "made elsewhere\n");
    assert_eq!(farm.count("SELECT count(*) FROM piw.build"), 4, "claimed, skipped, brought, gone 1.1");
    until(
        "page without what is gone",
        || farm.logs(),
        || {
            let page = std::fs::read_to_string(farm.path("www/simple/gone/index.html")).ok()?;
            (page.contains("gone-1.1-") && !page.contains("gone-1.0-")).then_some(())
        },
    );
    assert_eq!(farm.crawl(), 4, "claimed, two of brought, gone 1.1");
    farm.audit();
}

#[test]
fn foreign_peers_without_a_key_do_all_that_a_farm_takes() {
    let abi = abi_of(&python());
    a_day(Farm::start(&[&abi], &[]), &abi, None);
}

#[test]
fn foreign_peers_with_a_key_prove_it_and_do_the_same() {
    let abi = abi_of(&python());
    let mut farm = Farm::start(&[&abi], &[]);
    let line = farm.add_key("pi-1");
    farm.kill_master();
    farm.start_master();
    a_day(farm, &abi, Some(&line));
}

#[test]
fn every_request_of_a_foreign_tool_is_answered_with_what_the_text_says() {
    let abi = abi_of(&python());
    let farm = Farm::start(&[], &[]);
    farm.index.offer(&Recipe::native("wanted", "1.0").requiring(&["other"]));
    run("orders.py", &[&given(&farm, &abi, None)], || farm.logs());
    farm.audit();
}

/// The real slave under a foreign master; `key` is the line of its key file.
fn a_slaves_day(key: Option<&str>) {
    let abi = abi_of(&python());
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let index = Index::start();
    index.offer(&Recipe::native("trivial", "1.0").with_bytes(100_000));
    index.offer(&Recipe::native("slow", "1.0").behind(&dir.path().join("never")));
    let given = json!({ "index_url": index.url, "software": piwheels::VERSION, "abi": abi, "key": key });
    let mut master = program("master.py", &[&given.to_string()]).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(master.stdout.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    let [slaves, files]: [u16; 2] = serde_json::from_str(&line).unwrap();

    let work = dir.path().join("work");
    std::fs::create_dir(&work).unwrap();
    account::give(&work);
    let mut slave = account::command(account::runnable(env!("CARGO_BIN_EXE_piw-slave"), dir.path()));
    slave.args([
        "-v",
        "-m",
        "127.0.0.1",
        "--slave-port",
        &slaves.to_string(),
        "--file-port",
        &files.to_string(),
    ]);
    slave.arg("--python").arg(python()).arg("--dir").arg(&work).env("PIW_DISK_FLOOR", "0");
    if let Some(line) = key {
        let path = dir.path().join("key");
        std::fs::write(&path, line).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        account::give(&path);
        slave.arg("--key-file").arg(path);
    }
    let log = dir.path().join("log");
    let file = std::fs::File::create(&log).unwrap();
    let mut slave = slave.stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap();
    let ended = master.wait().unwrap();
    let _ = kill(Pid::from_raw(slave.id() as i32), Signal::SIGTERM);
    let code = slave.wait().unwrap();
    let log = std::fs::read_to_string(log).unwrap();
    assert!(ended.success(), "{log}");
    assert!(code.success(), "{code}\n{log}");
    assert_eq!(
        std::fs::read_dir(&work).unwrap().filter(|entry| is_build(entry.as_ref().unwrap())).count(),
        0
    );
    assert!(!log.contains("defect"), "{log}");
}

fn is_build(entry: &std::fs::DirEntry) -> bool {
    entry.file_name().to_string_lossy().starts_with("build-")
}

#[test]
fn the_real_slave_builds_and_delivers_under_a_foreign_master() {
    a_slaves_day(None);
}

#[test]
fn the_real_slave_and_a_foreign_master_prove_a_key_to_each_other() {
    a_slaves_day(Some(&format!("pi-1 {}\n", "5a".repeat(32))));
}
