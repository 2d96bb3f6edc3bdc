//! The real `piw-slave`, with the real pip, against a master that does what each test tells it.

// Helpers of tests fail as tests do; clippy knows them only by #[test].
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod alone;
mod failures;
mod faults;
mod fitness;
mod hostile;
mod index;
#[path = "../kit/manager.rs"]
mod manager;
mod master;
mod needs;
mod notify;
mod renew;
mod retag;
mod rig;

use std::process::Command;

use nix::sys::signal::Signal;
use piwheels::wire::slave::{BuildEnd, FromSlave, Held, Holding, Resume, ToSlave};
use piwheels::wire::{Channel, Sha256, Text, file};

use master::{Peer, TOKEN};
use rig::{Rig, nobody, processes, wait_until};

/// A build that waits for the test to open the gate.
fn waiting(rig: &Rig) -> String {
    let gate = rig.gate();
    format!(
        "say('waiting at the gate')\nwhile not os.path.exists('{}'):\n    time.sleep(0.02)\nreturn make(directory)",
        gate.display()
    )
}

/// A build that starts a process which gets away from everything but its number, and then hangs.
fn escaping(rig: &Rig, mark: &str) -> String {
    let fled = rig.work().join("build-7/tmp/fled");
    format!(
        r#"
code = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
open(sys.argv[2], "w").close()
while True: time.sleep(1)
"""
subprocess.Popen([sys.executable, "-c", textwrap.dedent(code), "{mark}", "{fled}"]).wait()
while not os.path.exists("{fled}"):
    time.sleep(0.02)
os.unlink("{fled}")
say("escaped")
while True:
    time.sleep(1)
"#,
        fled = fled.display()
    )
}

fn text(log: &[u8]) -> String {
    String::from_utf8_lossy(log).into_owned()
}

#[test]
fn a_good_build_is_delivered_byte_for_byte_and_leaves_nothing() {
    let rig = Rig::new();
    rig.index.add("foo", "return make(directory, 60000)");
    let slave = rig.start(&["--label", "board 7"]);
    let mut peer = rig.master.hand_out(&rig.index.url(), "foo");
    let mut log = Vec::new();
    let built = peer.built(&mut log);
    let log = text(&log);
    assert_eq!(built.end, BuildEnd::Built, "{log}");
    let (first, last) = (log.lines().next().unwrap(), log.lines().last().unwrap());
    assert!(first.contains("/usr/bin/python3") && first.ends_with(" foo==1.0"), "{first}");
    assert!(
        last.starts_with("piw-slave: built after ") && last.contains("foo-1.0-py3-none-any.whl"),
        "{last}"
    );
    let [wheel] = &built.files[..] else { panic!("{built:?}") };
    assert_eq!(&*wheel.filename, "foo-1.0-py3-none-any.whl");
    assert!(wheel.size > 1_920_000);

    let mut data = vec![0; wheel.size as usize];
    let ranges: Vec<(u64, u32)> =
        (0..wheel.size).step_by(262_144).map(|at| (at, (wheel.size - at).min(262_144) as u32)).collect();
    // the same file twice, as after a failed check, and over one connection
    peer.send(&ToSlave::Send { index: 0, transfer: [1; 16] });
    let (mut files, transfer) = rig.master.transfer();
    assert_eq!(transfer, [1; 16]);
    files.fetch(&ranges, &mut data);
    files.send_file(&file::ToSlave::Done {});
    assert_eq!(peer.next(), FromSlave::Sent { index: 0 });
    assert_eq!(Sha256::of(&data), wheel.sha256);
    data.fill(0);
    peer.send(&ToSlave::Send { index: 0, transfer: [2; 16] });
    assert_eq!(files.transfer(), [2; 16]);
    files.fetch(&ranges, &mut data);
    files.send_file(&file::ToSlave::Done {});
    assert_eq!(peer.next(), FromSlave::Sent { index: 0 });
    assert_eq!(Sha256::of(&data), wheel.sha256);

    assert_eq!(rig.left(), ["build-7"], "kept until DONE");
    peer.done();
    assert_eq!(peer.next(), FromSlave::Idle {});
    assert_eq!(rig.left(), [""; 0]);
    assert!(!slave.said().contains("panicked"));
}

#[test]
fn a_build_sees_its_own_directory_and_nothing_of_the_slaves_environment() {
    let rig = Rig::new();
    rig.index.add(
        "foo",
        "say(sorted(os.environ))\nsay(os.environ['HOME'], os.environ['TMPDIR'], os.getpgid(0) == os.getpid())\n\
         say('blocked', [l for l in open('/proc/self/status') if l.startswith(('SigBlk', 'NoNewPrivs'))])\n\
         return make(directory)",
    );
    let _slave = rig.start(&[]);
    let mut peer = rig.master.hand_out(&rig.index.url(), "foo");
    let mut log = Vec::new();
    let built = peer.built(&mut log);
    let log = text(&log);
    assert_eq!(built.end, BuildEnd::Built, "{log}");
    let build = rig.work().join("build-7");
    assert!(log.contains(&format!("{0}/home {0}/tmp", build.display())), "{log}");
    for name in ["GIT_ALLOW_PROTOCOL", "PIWHEELS_BUILD", "XDG_CACHE_HOME"] {
        assert!(log.contains(name), "{name}: {log}");
    }
    assert!(!log.contains("SOURCE_DATE_EPOCH"), "{log}");
    assert!(log.contains("SigBlk:\\t0000000000000000"), "pip must hear SIGTERM: {log}");
    assert!(log.contains("NoNewPrivs:\\t1"), "{log}");
}

#[test]
fn a_failing_build_says_why_in_its_log() {
    let rig = Rig::new();
    rig.index.add("foo", "print('the compiler says no', flush=True)\nraise SystemExit(3)");
    let _slave = rig.start(&[]);
    let mut peer = rig.master.hand_out(&rig.index.url(), "foo");
    let mut log = Vec::new();
    let built = peer.built(&mut log);
    assert_eq!((built.end, built.files.len()), (BuildEnd::Failed, 0));
    let log = text(&log);
    assert!(log.contains("the compiler says no"), "{log}");
    assert!(log.lines().last().unwrap().contains("pip ended with exit status 1"), "{log}");
    peer.done();
    assert_eq!(peer.next(), FromSlave::Idle {});
}

#[test]
fn a_package_without_a_source_distribution_is_told_apart() {
    let rig = Rig::new();
    rig.index.add("other", "return make(directory)");
    let _slave = rig.start(&[]);
    let mut peer = rig.master.hand_out(&rig.index.url(), "foo");
    let mut log = Vec::new();
    let built = peer.built(&mut log);
    assert_eq!(built.end, BuildEnd::NoSdist, "{}", text(&log));
}

#[test]
fn a_log_without_end_is_cut_in_the_middle() {
    let rig = Rig::new();
    rig.index
        .add("foo", "for n in range(60000):\n    print('noise', n)\nraise SystemExit('the point of it all')");
    let _slave = rig.start(&["--log-limit", "64K"]);
    let mut peer = rig.master.hand_out(&rig.index.url(), "foo");
    let mut log = Vec::new();
    let built = peer.built(&mut log);
    assert_eq!(built.end, BuildEnd::Failed);
    assert!(log.len() <= 64 * 1024, "{}", log.len());
    let log = text(&log);
    assert!(log.contains("noise 1\n") && log.contains("bytes of the log are cut out here"), "{log}");
    assert!(log.contains("noise 59999\n") && log.contains("the point of it all"));
}

#[test]
fn a_log_is_kept_within_what_the_master_takes() {
    let rig = Rig::new();
    rig.index.add("foo", "for n in range(60000):\n    print('noise', n)");
    let _slave = rig.start(&[]);
    let (mut peer, _) = rig.master.greet();
    peer.hello_with(&rig.index.url(), Resume::None, 0, 20_000);
    assert_eq!(peer.next(), FromSlave::Idle {});
    peer.build("foo");
    let mut log = Vec::new();
    peer.built(&mut log);
    assert!(log.len() <= 20_000, "{}", log.len());
    assert!(text(&log).contains("bytes of the log are cut out here"));
}

#[test]
fn cancel_ends_every_process_of_a_build_and_keeps_its_log() {
    let rig = Rig::new();
    let mark = format!("piw-test-mark-cancel-{}", std::process::id());
    rig.index.add("foo", &escaping(&rig, &mark));
    let _slave = rig.start(&[]);
    let mut peer = rig.master.hand_out(&rig.index.url(), "foo");
    let mut log = Vec::new();
    peer.log_until(&mut log, "escaped");
    assert_eq!(processes(&mark).len(), 1, "it got away");
    peer.send(&ToSlave::Cancel { build: TOKEN.build });
    let built = peer.built(&mut log);
    assert_eq!((built.end, built.files.len()), (BuildEnd::Cancelled, 0), "{}", text(&log));
    assert_eq!(processes(&mark), [""; 0]);
    assert!(text(&log).lines().last().unwrap().starts_with("piw-slave: cancelled after"), "{}", text(&log));
    peer.send(&ToSlave::Done { build: TOKEN.build });
    assert_eq!(peer.next(), FromSlave::Idle {});
}

#[test]
fn the_time_limit_ends_every_process_of_a_build() {
    let rig = Rig::new();
    let mark = format!("piw-test-mark-limit-{}", std::process::id());
    rig.index.add("foo", &escaping(&rig, &mark));
    let _slave = rig.start(&["-t", "15s"]);
    let mut peer = rig.master.hand_out(&rig.index.url(), "foo");
    let mut log = Vec::new();
    peer.log_until(&mut log, "escaped");
    assert_eq!(processes(&mark).len(), 1, "it got away");
    let built = peer.built(&mut log);
    assert_eq!(built.end, BuildEnd::Timeout, "{}", text(&log));
    assert_eq!(processes(&mark), [""; 0]);
    assert!(text(&log).lines().last().unwrap().contains("time limit of 15 s"), "{}", text(&log));
}

#[test]
fn bye_kills_what_runs_and_ends_the_slave() {
    let rig = Rig::new();
    let mark = format!("piw-test-mark-bye-{}", std::process::id());
    rig.index.add("foo", &escaping(&rig, &mark));
    let mut slave = rig.start(&[]);
    let mut peer = rig.master.hand_out(&rig.index.url(), "foo");
    peer.log_until(&mut Vec::new(), "escaped");
    peer.send(&ToSlave::Bye { reason: Text::new("the farm closes").unwrap() });
    loop {
        match peer.next() {
            FromSlave::Log { .. } => {}
            FromSlave::Bye { .. } => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(processes(&mark), [""; 0]);
    assert_eq!(slave.wait().code(), Some(0));
    assert!(slave.said().contains("the farm closes"));
    assert_eq!(rig.left(), [""; 0]);
}

#[test]
fn a_build_outlives_its_master() {
    let mut rig = Rig::new();
    rig.index.add("foo", &waiting(&rig));
    let _slave = rig.start(&[]);
    let mut peer = rig.master.hand_out(&rig.index.url(), "foo");
    let mut log = Vec::new();
    peer.log_until(&mut log, "waiting at the gate");

    // gone in the middle of the build, back with less of the log than it had
    let (slave_port, file_port) = rig.master.ports();
    drop((peer, std::mem::replace(&mut rig.master, master::Master::new())));
    rig.master = master::Master::at(slave_port, file_port);
    let (mut peer, held) = rig.master.greet();
    assert_eq!(held, Some(Held { token: TOKEN, state: Holding::Building }));
    log.truncate(10);
    peer.hello(&rig.index.url(), Resume::GoOn, 10);
    peer.log_until(&mut log, "waiting at the gate");
    rig.open_gate();
    let built = peer.built(&mut log);
    assert_eq!(built.end, BuildEnd::Built, "{}", text(&log));

    // gone again without an answer: BUILT is offered once more, with the whole log before it
    drop(peer);
    let (mut peer, held) = rig.master.greet();
    assert_eq!(held, Some(Held { token: TOKEN, state: Holding::Built }));
    peer.hello(&rig.index.url(), Resume::GoOn, 0);
    let mut again = Vec::new();
    assert_eq!(peer.built(&mut again), built);
    assert_eq!(again, log);
    peer.send(&ToSlave::Send { index: 0, transfer: [5; 16] });
    assert_eq!(rig.master.transfer().1, [5; 16]);
    // and recorded by somebody else meanwhile
    drop(peer);
    let (mut peer, held) = rig.master.greet();
    assert!(held.is_some());
    peer.hello(&rig.index.url(), Resume::Drop, 0);
    assert_eq!(peer.next(), FromSlave::Idle {});
    rig.wait_until_clear();
}

#[test]
fn a_broken_transfer_goes_on_where_it_was() {
    let rig = Rig::new();
    rig.index.add("foo", "return make(directory, 60000)");
    let _slave = rig.start(&[]);
    let mut peer = rig.master.hand_out(&rig.index.url(), "foo");
    let wheel = peer.built(&mut Vec::new()).files.remove(0);
    let mut data = vec![0; wheel.size as usize];
    peer.send(&ToSlave::Send { index: 0, transfer: [3; 16] });
    let (mut files, _) = rig.master.transfer();
    files.fetch(&[(0, 262_144), (262_144, 100_000)], &mut data);
    // more was asked for, and the connection breaks before all of it came
    files.send_file(&file::ToSlave::Fetch { offset: 362_144, length: 262_144 });
    drop(files);

    let (mut files, transfer) = rig.master.transfer();
    assert_eq!(transfer, [3; 16], "the same transfer");
    let missing: Vec<(u64, u32)> = (362_144..wheel.size)
        .step_by(200_000)
        .map(|at| (at, (wheel.size - at).min(200_000) as u32))
        .collect();
    files.fetch(&missing, &mut data);
    files.send_file(&file::ToSlave::Done {});
    assert_eq!(peer.next(), FromSlave::Sent { index: 0 });
    assert_eq!(Sha256::of(&data), wheel.sha256);
}

#[test]
fn a_master_that_dies_just_after_it_asked_for_a_piece_costs_no_build() {
    let rig = Rig::new();
    rig.index.add("foo", "return make(directory)");
    let slave = rig.start(&[]);
    let mut peer = rig.master.hand_out(&rig.index.url(), "foo");
    peer.built(&mut Vec::new());
    peer.send(&ToSlave::Send { index: 0, transfer: [3; 16] });
    let (mut files, _) = rig.master.transfer();
    files.fetch(&[(0, 100)], &mut [0; 100]);
    // the slave sees both in one turn
    slave.signal(Signal::SIGSTOP);
    files.send_file(&file::ToSlave::Fetch { offset: 100, length: 100 });
    drop(peer);
    slave.signal(Signal::SIGCONT);
    let (_peer, held) = rig.master.greet();
    assert_eq!(held, Some(Held { token: TOKEN, state: Holding::Built }), "{}", slave.said());
}

#[test]
fn a_wheel_that_vanishes_is_given_back_and_the_slave_goes_on() {
    let rig = Rig::new();
    rig.index.add("foo", "return make(directory)");
    let _slave = rig.start(&[]);
    let mut peer = rig.master.hand_out(&rig.index.url(), "foo");
    let wheel = peer.built(&mut Vec::new()).files.remove(0);
    std::fs::remove_file(rig.work().join("build-7/out").join(&*wheel.filename)).unwrap();
    peer.send(&ToSlave::Send { index: 0, transfer: [3; 16] });
    assert!(peer.bye().contains("foo-1.0-py3-none-any.whl"));
    assert!(peer.is_closed());
    let (_peer, held) = rig.master.greet();
    assert_eq!(held, None);
    rig.wait_until_clear();
}

#[test]
fn one_signal_delivers_the_build_and_ends() {
    let rig = Rig::new();
    rig.index.add("foo", &waiting(&rig));
    let mut slave = rig.start(&[]);
    let mut peer = rig.master.hand_out(&rig.index.url(), "foo");
    let mut log = Vec::new();
    peer.log_until(&mut log, "waiting at the gate");
    slave.signal(Signal::SIGTERM);
    wait_until("the slave to take note", || slave.said().contains("a second signal"));
    rig.open_gate();
    assert_eq!(peer.built(&mut log).end, BuildEnd::Built);
    peer.done();
    assert_eq!(peer.bye(), "stopped by its operator");
    assert_eq!(slave.wait().code(), Some(0));
    assert_eq!(rig.left(), [""; 0]);
}

#[test]
fn two_signals_give_the_job_back() {
    let rig = Rig::new();
    rig.index.add("foo", &waiting(&rig));
    let mut slave = rig.start(&[]);
    let mut peer = rig.master.hand_out(&rig.index.url(), "foo");
    peer.log_until(&mut Vec::new(), "waiting at the gate");
    slave.signal(Signal::SIGINT);
    wait_until("the slave to take note", || slave.said().contains("a second signal"));
    slave.signal(Signal::SIGTERM);
    assert_eq!(peer.bye(), "stopped by its operator");
    assert_eq!(slave.wait().code(), Some(0));
    assert_eq!(rig.left(), [""; 0]);
}

#[test]
fn a_signal_may_end_every_process_of_a_build_at_once() {
    let rig = Rig::new();
    let mark = format!("piw-test-mark-abort-{}", std::process::id());
    rig.index.add("foo", &escaping(&rig, &mark));
    let mut slave = rig.start(&["--on-term", "abort"]);
    let mut peer = rig.master.hand_out(&rig.index.url(), "foo");
    peer.log_until(&mut Vec::new(), "escaped");
    assert_eq!(processes(&mark).len(), 1, "it got away");
    slave.signal(Signal::SIGTERM);
    assert_eq!(peer.bye(), "stopped by its operator");
    assert_eq!(processes(&mark), [""; 0]);
    assert_eq!(slave.wait().code(), Some(0));
    assert_eq!(rig.left(), [""; 0]);
}

#[test]
fn a_build_that_takes_longer_than_patience_is_given_back() {
    let rig = Rig::new();
    rig.index.add("foo", &waiting(&rig));
    let mut slave = rig.start(&["--on-term", "2s"]);
    let mut peer = rig.master.hand_out(&rig.index.url(), "foo");
    peer.log_until(&mut Vec::new(), "waiting at the gate");
    slave.signal(Signal::SIGTERM);
    assert_eq!(peer.bye(), "stopped by its operator");
    assert_eq!(slave.wait().code(), Some(0));
    assert!(slave.said().contains("longer than --on-term allows"), "{}", slave.said());
    assert_eq!(rig.left(), [""; 0]);
}

#[test]
fn a_master_of_another_protocol_version_is_named_and_tried_again() {
    let rig = Rig::new();
    let slave = rig.start(&[]);
    let mut peer = Peer::accept_silent(&rig.master.slaves, Channel::Slave);
    peer.write(b"PIWH\x00\x09\x01\x00");
    assert!(peer.is_closed());
    let (_peer, held) = rig.master.greet();
    assert_eq!(held, None);
    assert!(slave.said().contains("protocol version 9, this program 2"), "{}", slave.said());
}

#[test]
fn a_message_out_of_place_drops_the_connection_and_not_the_slave() {
    let rig = Rig::new();
    let slave = rig.start(&[]);
    let (mut peer, _) = rig.master.greet();
    peer.done();
    assert!(peer.is_closed());
    let (mut peer, _) = rig.master.greet();
    assert!(slave.said().contains("DONE may not come now"), "{}", slave.said());
    peer.write(&[0, 0, 0, 2, 0x83, 0, 0, 0, 0, 0]);
    assert!(peer.is_closed());
    rig.master.greet();
    assert!(slave.said().contains("checksum"), "{}", slave.said());
}

#[test]
fn signs_of_life_come_without_being_asked_for() {
    let rig = Rig::new();
    let _slave = rig.start(&[]);
    let (mut peer, _) = rig.master.greet();
    peer.hello("", Resume::None, 0);
    assert_eq!(peer.next(), FromSlave::Idle {});
    peer.send(&ToSlave::Sleep { seconds: 1 });
    assert_eq!(peer.next(), FromSlave::Idle {}, "asks again when its time is up");
    peer.send(&ToSlave::Sleep { seconds: 3600 });
    peer.send(&ToSlave::Wake {});
    assert_eq!(peer.next(), FromSlave::Idle {}, "and when it is woken");
    assert!(peer.sign_of_life());
}

#[test]
fn a_private_directory_goes_with_its_slave() {
    let rig = Rig::new();
    let (port, _) = rig.master.ports();
    let mut command = rig.command();
    command.env("TMPDIR", rig.work()).args(["--python", "/usr/bin/python3", "-m", "127.0.0.1"]);
    command.arg(format!("--slave-port={port}"));
    let child = command.spawn().unwrap();
    let (mut peer, _) = rig.master.greet();
    assert_eq!(rig.left(), [format!("piw-slave-{}", child.id())]);
    peer.send(&ToSlave::Bye { reason: Text::default() });
    peer.bye();
    let status = child.wait_with_output().unwrap().status;
    assert_eq!(status.code(), Some(1), "it was refused before it was let in");
    assert_eq!(rig.left(), [""; 0]);
}

#[test]
fn wrong_usage_is_told_from_trouble_by_the_exit_code() {
    let rig = Rig::new();
    let run = |arguments: &[&str]| {
        let output = rig.command().args(arguments).output().unwrap();
        (
            output.status.code().unwrap(),
            String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (code, said) = run(&["--help"]);
    assert!(code == 0 && said.contains("--log-limit"), "{code}: {said}");
    assert_eq!(run(&["--version"]), (0, format!("piw-slave {}\n", piwheels::VERSION)));
    for (arguments, expected, what) in [
        (&["--no-such-option"][..], 2, "--no-such-option"),
        (&["--timeout", "soon"], 2, "soon"),
        (&["-t", "0"], 2, "timeout"),
        (&["--silence", "10ms"], 2, "silence"),
        (&["--max-temperature", "20"], 2, "30 to 150"),
        (&["--disk-floor", "much"], 2, "much"),
        (&["--on-term", "later"], 2, "neither finish nor abort"),
        (&["-c", "/no/such/file"], 2, "/no/such/file"),
        (&["--python", "/no/such/python"], 2, "/no/such/python"),
        (&["--python", "/bin/false"], 2, "/bin/false"),
        (&["--dir", "/proc/nowhere"], 2, "/proc/nowhere"),
    ] {
        let (code, said) = run(arguments);
        assert_eq!(code, expected, "{arguments:?}: {said}");
        assert!(said.contains(what), "{arguments:?}: {said}");
    }
}

#[test]
fn root_is_refused() {
    if nobody().is_none() {
        // who is not root cannot show it
        return;
    }
    let rig = Rig::new();
    let output = Command::new(rig.dir.path().join("piw-slave")).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("must not run as root") && said.lines().count() == 1, "{said}");
}
