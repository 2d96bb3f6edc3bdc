//! `piw status` says whether the farm is well; and a master whose disk is nearly full hands nothing out until it is not.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use serde_json::Value;

use crate::chain::skip;
use crate::kit::account;
use crate::kit::farm::{Farm, abi_of, python, text};
use crate::kit::sdist::Recipe;
use crate::kit::wait::until;
use crate::kit::wheel::Wheel;

impl Farm {
    fn status(&self, more: &[&str]) -> (Option<i32>, String) {
        let Output { status, stdout, .. } = self.piw_command(&[&["status"], more].concat()).output().unwrap();
        (status.code(), String::from_utf8(stdout).unwrap())
    }

    fn json(&self, words: &[&str]) -> Value {
        let output = self.piw_command(words).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{words:?}: {}", text(&output)))
    }
}

#[test]
fn one_line_says_whether_the_farm_is_well_and_the_exit_code_does_too() {
    let mut farm = Farm::start(&["cp311"], &[]);
    let (code, said) = farm.status(&[]);
    assert_eq!(code, Some(0), "{said}");
    let mut lines = said.lines();
    assert_eq!(lines.next(), Some("ok: 0 slaves, 0 build, 0 jobs wait"));
    for word in [
        "master       ",
        "database     answers, schema ",
        "disk         ",
        "hand-out     goes on",
        "survey 0 s ago",
    ] {
        assert!(said.contains(word), "{word}: {said}");
    }
    assert_eq!(farm.status(&["-q"]).1, "ok: 0 slaves, 0 build, 0 jobs wait\n");
    let json = farm.json(&["status", "--json"]);
    assert_eq!((&json["verdict"], &json["reachable"]), (&"ok".into(), &true.into()));
    assert!(json["health"]["tasks"]["statistics"].as_u64().is_some(), "{json}");
    assert!(json["health"]["disks"][0]["free"].as_u64().unwrap() > 0);

    // jobs that nobody is there for, and a pause
    farm.index.offer(&Recipe::pure("foo", "1.0"));
    farm.piw(&["add", "foo"]);
    farm.piw(&["pause"]);
    let (code, said) = farm.status(&[]);
    assert_eq!(code, Some(0), "a warning is no failure: {said}");
    let first = said.lines().next().unwrap();
    assert!(
        first.starts_with("warning: paused, for 0 s: process ") && first.contains(" of user "),
        "{first}"
    );
    assert!(first.contains("1 jobs wait, and no slave is connected"), "{first}");
    assert_eq!(farm.status(&["--strict"]).0, Some(1));
    let stats = farm.json(&["stats", "--json"]);
    assert!(stats["paused"].as_str().unwrap().contains("process "), "{stats}");
    assert!(stats["tasks"]["database"].as_u64().is_some() && stats["held"].is_null(), "{stats}");

    for bad in [&["--warn", "load=3"][..], &["--warn", "lag"], &["--warn", "disk=much"], &["--loud"]] {
        assert_eq!(farm.status(bad).0, Some(2), "{bad:?}");
    }
    assert!(farm.status(&["--warn", "disk=1000000T"]).1.contains(" free"));

    farm.kill_master();
    let (code, said) = farm.status(&[]);
    assert_eq!(code, Some(1));
    assert!(said.starts_with("broken: no master at ipc://"), "{said}");
    let json = farm.json(&["status", "--json"]);
    assert_eq!((&json["verdict"], &json["reachable"]), (&"broken".into(), &false.into()));
}

/// A small disk of one's own, for who may have one.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// In a mount namespace of this thread and what it starts.
    fn make() -> Result<Self, String> {
        let failed = |what: &str| {
            let what = what.to_owned();
            move |error: nix::Error| format!("{what}: {error}")
        };
        unshare(CloneFlags::CLONE_NEWNS).map_err(failed("a mount namespace"))?;
        let none: Option<&str> = None;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).map_err(failed("a private /"))?;
        let dir = tempfile::Builder::new().prefix("piw-disk-").tempdir_in("/tmp").unwrap().keep();
        mount(Some("tmpfs"), &dir, Some("tmpfs"), MsFlags::empty(), Some("size=64m,mode=755"))
            .map_err(failed("a tmpfs"))?;
        for part in ["www", "spool"] {
            fs::create_dir(dir.join(part)).unwrap();
            account::give(&dir.join(part));
        }
        Ok(Self(dir))
    }

    fn path(&self, part: &str) -> String {
        self.0.join(part).to_str().unwrap().to_owned()
    }

    /// Takes bytes of it away.
    fn fill(&self, bytes: usize) -> PathBuf {
        let path = self.0.join("filler");
        fs::write(&path, vec![1; bytes]).unwrap();
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = umount2(&self.0, MntFlags::MNT_DETACH);
        let _ = fs::remove_dir(&self.0);
    }
}

fn mode(farm: &Farm) -> Value {
    farm.json(&["slaves", "--json"])["master"]["mode"].clone()
}

fn wait_for_mode(farm: &Farm, wanted: &str) {
    until(wanted, || farm.logs(), || (mode(farm) == wanted).then_some(()));
}

fn said_line(path: &Path, words: &str) -> usize {
    fs::read_to_string(path).unwrap().matches(words).count()
}

#[test]
fn a_disk_that_is_nearly_full_holds_the_hand_out_and_lets_builds_deliver_until_there_is_room() {
    let disk = match SmallDisk::make() {
        Ok(disk) => disk,
        Err(reason) => return skip("a_disk_that_is_nearly_full", &reason),
    };
    let abi = abi_of(&python());
    let (www, spool) = (disk.path("www"), disk.path("spool"));
    let farm = Farm::start(&[&abi], &["-o", &www, "--spool-path", &spool, "--disk-floor", "16M"]);
    let gate = farm.gate("go");
    farm.index.offer(&Recipe::native("running", "1.0").behind(&gate));
    farm.index.offer(&Recipe::native("waiting", "1.0"));
    let _slave = farm.start_slave("one");
    farm.piw(&["add", "running"]);
    farm.wait_for_state("running", &abi, "building");

    let filler = disk.fill(52 << 20);
    wait_for_mode(&farm, "held");
    farm.master().wait_for_line(0, &["nothing is handed out any more", &www, "16M to be kept"]);
    let (code, said) = farm.status(&[]);
    assert_eq!(code, Some(1));
    assert!(said.starts_with("broken: nothing is handed out: held, for "), "{said}");
    let stats = farm.json(&["stats", "--json"]);
    assert!(stats["held"].as_str().unwrap().contains(&www), "{stats}");
    assert_eq!(stats["disk_floor"], 16 << 20);
    assert!(farm.piw(&["stats"]).contains("nothing is handed out: the disk of"));
    // imports are refused with the reason, what runs delivers, and what waits goes on waiting
    let wheel = Wheel::pure("foo", "1.0", "hello").save(&farm.path("run"));
    let (code, said) = farm.tool("piw-import", &["-y", wheel.to_str().unwrap()], "");
    assert!(code == 1 && said.contains("nothing is taken in now: the disk of"), "{code} {said}");
    farm.piw(&["add", "waiting"]);
    farm.open(&gate);
    farm.wait_for_state("running", &abi, "built");
    assert_eq!(farm.why("waiting", &abi).unwrap()["state"], "queued");
    // an order does not undo it, and room does not undo an order
    assert!(farm.piw(&["resume"]).contains("for want of disk"));
    assert_eq!(mode(&farm), "held");
    farm.piw(&["pause"]);
    fs::remove_file(&filler).unwrap();
    until("room", || farm.logs(), || farm.json(&["stats", "--json"])["held"].is_null().then_some(()));
    assert_eq!(
        (mode(&farm), &farm.why("waiting", &abi).unwrap()["state"]),
        ("paused".into(), &"queued".into())
    );
    assert!(farm.piw(&["resume"]).contains("jobs are handed out again"));
    farm.wait_for_state("waiting", &abi, "built");

    // and by itself, with nobody's order
    let filler = disk.fill(52 << 20);
    wait_for_mode(&farm, "held");
    farm.index.offer(&Recipe::native("last", "1.0"));
    farm.piw(&["add", "last"]);
    fs::remove_file(&filler).unwrap();
    farm.wait_for_state("last", &abi, "built");
    let log = farm.path("log/master");
    assert_eq!(said_line(&log, "nothing is handed out any more"), 2, "one line each: {}", farm.logs());
    assert_eq!(said_line(&log, "there is disk enough to hand out jobs again"), 2, "{}", farm.logs());
    farm.audit();
}
