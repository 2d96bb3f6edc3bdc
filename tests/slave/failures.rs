//! How a slave tells why a build failed: real trouble, made on purpose; and packages that only speak of it.

use piwheels::wire::slave::{BuildEnd, FromSlave};

use crate::faults::{self, Fault};
use crate::rig::{Rig, processes};
use crate::text;

/// Builds `foo` from an index; how it ended, and its log.
fn build_from(rig: &Rig, url: &str) -> (BuildEnd, String) {
    let _slave = rig.start(&[]);
    let mut peer = rig.master.hand_out(url, "foo");
    let mut log = Vec::new();
    let built = peer.built(&mut log);
    assert_eq!(built.files.is_empty(), built.end != BuildEnd::Built);
    peer.done();
    assert_eq!(peer.next(), FromSlave::Idle {}, "it goes on");
    (built.end, text(&log))
}

/// Builds a `foo` with this backend; how it ended, and its log.
fn build(body: &str) -> (BuildEnd, String) {
    let rig = Rig::new();
    rig.index.add("foo", body);
    build_from(&rig, &rig.index.url())
}

fn last(log: &str) -> &str {
    log.lines().last().unwrap()
}

#[test]
fn memory_that_runs_out_is_told_apart() {
    for (body, said) in [
        (
            "import resource\nresource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))\nbytearray(1 << 40)",
            "MemoryError",
        ),
        // as the kernel does, to the compiler's parent
        ("os.kill(os.getpid(), 9)", "exit code: -9"),
    ] {
        let (end, log) = build(body);
        assert_eq!(end, BuildEnd::OutOfMemory, "{log}");
        assert!(log.contains(said), "{log}");
        assert!(last(&log).starts_with("piw-slave: out-of-memory after "), "{log}");
        assert!(last(&log).ends_with("memory ran out: pip ended with exit status 1"), "{log}");
    }
}

#[test]
fn pip_that_is_killed_was_killed_for_its_memory() {
    let (end, log) = build("os.kill(os.getppid(), 9)\ntime.sleep(1000)");
    assert_eq!(end, BuildEnd::OutOfMemory, "{log}");
    assert!(last(&log).ends_with("pip was killed, as Linux does when memory runs out"), "{log}");
    let (end, log) = build("os.kill(os.getppid(), 11)\ntime.sleep(1000)");
    assert_eq!(end, BuildEnd::Failed, "{log}");
}

#[test]
fn a_full_disk_is_told_apart() {
    let (end, log) = build("with open('/dev/full', 'w') as f:\n    f.write('x')");
    assert_eq!(end, BuildEnd::Disk, "{log}");
    assert!(last(&log).starts_with("piw-slave: disk after "), "{log}");
    assert!(last(&log).ends_with("the disk is full: pip ended with exit status 1"), "{log}");
}

#[test]
fn an_index_that_does_not_answer_is_not_one_without_the_source_distribution() {
    for fault in [
        Fault::Page("504 Gateway Timeout"),
        Fault::Page("429 Too Many Requests"),
        Fault::File("429 Too Many Requests"),
        Fault::CutFile,
    ] {
        let rig = Rig::new();
        let (end, log) = build_from(&rig, &faults::serve(fault));
        assert_eq!(end, BuildEnd::Network, "{fault:?}: {log}");
        assert!(last(&log).starts_with("piw-slave: network after "), "{fault:?}: {log}");
    }
    let rig = Rig::new();
    let (end, log) = build_from(&rig, &faults::serve(Fault::Page("404 Not Found")));
    assert_eq!(end, BuildEnd::NoSdist, "{log}");
    assert!(log.contains("WARNING: Could not fetch URL"), "pip says what it was told: {log}");
}

#[test]
fn an_index_that_cannot_be_reached_is_the_networks_trouble() {
    let rig = Rig::new();
    let (end, log) = build_from(&rig, &faults::nobody_there());
    assert_eq!(end, BuildEnd::Network, "{log}");
    assert!(log.contains("Connection refused"), "{log}");
}

#[test]
fn a_package_that_speaks_of_trouble_is_believed_only_if_it_fails() {
    let lines = [
        ("error: incomplete-download", BuildEnd::Network),
        ("x.c: fatal error: Killed signal terminated program cc1", BuildEnd::OutOfMemory),
        ("ld: final link failed: No space left on device", BuildEnd::Disk),
        // it was fetched: a package cannot say that there is none
        ("ERROR: No matching distribution found for foo==1.0", BuildEnd::Failed),
    ];
    for (line, expected) in lines {
        let (end, log) = build(&format!("say({line:?})\nraise SystemExit(1)"));
        assert_eq!(end, expected, "{log}");
    }
    let all: Vec<&str> = lines.iter().map(|(line, _)| *line).collect();
    let (end, log) = build(&format!("say({:?})\nreturn make(directory)", all.join("\n")));
    assert_eq!(end, BuildEnd::Built, "{log}");
    // long ago, for a log
    let (end, log) = build(
        "say('x.c: fatal error: Killed signal terminated program cc1')\nfor n in range(30000):\n    \
         print('noise', n)\nraise SystemExit(1)",
    );
    assert_eq!(end, BuildEnd::Failed, "{}", last(&log));
}

#[test]
fn silence_ends_every_process_of_a_build() {
    let rig = Rig::new();
    let mark = format!("piw-test-mark-silence-{}", std::process::id());
    rig.index.add("foo", &crate::escaping(&rig, &mark));
    let _slave = rig.start(&["--silence", "6s"]);
    let mut peer = rig.master.hand_out(&rig.index.url(), "foo");
    let mut log = Vec::new();
    peer.log_until(&mut log, "escaped");
    let built = peer.built(&mut log);
    assert_eq!((built.end, built.files.len()), (BuildEnd::Silence, 0), "{}", text(&log));
    assert_eq!(processes(&mark), [""; 0]);
    let log = text(&log);
    assert!(last(&log).starts_with("piw-slave: silence after "), "{log}");
    assert!(last(&log).ends_with("it printed nothing for 6 s; all its processes were killed"), "{log}");
}

#[test]
fn a_build_that_prints_now_and_then_is_not_silent() {
    let rig = Rig::new();
    rig.index.add("foo", "for n in range(18):\n    say('tick')\n    time.sleep(0.5)\nreturn make(directory)");
    let _slave = rig.start(&["--silence", "8s"]);
    let mut peer = rig.master.hand_out(&rig.index.url(), "foo");
    let mut log = Vec::new();
    assert_eq!(peer.built(&mut log).end, BuildEnd::Built, "{}", text(&log));
}
