//! A master that is not there, takes no connection, says nothing, or stops in the middle: one line, exit code 1, in time.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::thread;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket};
use piwheels::wire::import::ToTool;
use piwheels::wire::{Channel, Preamble, Text};

use crate::kit::account;
use crate::{PROGRAMS, err, out, program};

/// What the tools are given; what each asks for is of the channel beside it.
const LIMIT: &str = "400ms";

fn tools(dir: &Path) -> Vec<(&'static str, Vec<String>, Channel)> {
    let wheel = dir.join("foo-1.0-py3-none-any.whl");
    let log = dir.join("access.log");
    fs::write(&wheel, "no wheel, but bytes").unwrap();
    let line = r#"h - - [05/Mar/2026:10:00:00 +0000] "GET /simple/foo/foo-1.0-py3-none-any.whl HTTP/1.1" 200 5 "-" "pip/24.0""#;
    fs::write(&log, format!("{line}\n")).unwrap();
    let words = |words: &str| words.split(' ').map(str::to_owned).collect::<Vec<_>>();
    vec![
        ("piw", words("stats"), Channel::Import),
        ("piw", words("add foo"), Channel::Import),
        ("piw", words("audit"), Channel::Import),
        ("piw", words("pause"), Channel::Control),
        ("piw", words("slaves"), Channel::Status),
        ("piw-monitor", words("--once"), Channel::Status),
        ("piw-remove", words("-y foo 1.0"), Channel::Import),
        ("piw-import", words(&format!("-y {}", wheel.display())), Channel::Import),
        ("piw-logger", words(&log.display().to_string()), Channel::Import),
    ]
}

fn option(channel: Channel) -> &'static str {
    match channel {
        Channel::Control => "--control-queue",
        Channel::Status => "--status-queue",
        _ => "--import-queue",
    }
}

/// Runs a tool against a socket; what it said, and how long it took.
fn ask(name: &str, words: &[String], channel: Channel, socket: &Path) -> (Output, Duration) {
    let begun = Instant::now();
    let address = format!("ipc://{}", socket.display());
    let output =
        program(name).args(words).args([option(channel), &address, "--timeout", LIMIT]).output().unwrap();
    (output, begun.elapsed())
}

/// Every tool ends with one line that says this, and exit code 1, soon.
fn all_end(socket: &Path, dir: &Path, said: &str) {
    thread::scope(|scope| {
        for (name, words, channel) in tools(dir) {
            scope.spawn(move || {
                let (output, took) = ask(name, &words, channel, socket);
                let text = err(&output);
                assert_eq!(output.status.code(), Some(1), "{name} {words:?}: {text}");
                assert!(text.contains(said), "{name} {words:?}: {text}");
                // the logger says before that it waits
                let lines = text.lines().filter(|line| !line.contains("records wait for the master")).count();
                assert_eq!(lines, 1, "{name} {words:?}: {text}");
                assert!(took < Duration::from_secs(20), "{name} {words:?}: {took:?}");
            });
        }
    });
}

/// Answers each connection in a thread of its own, for as long as the test runs.
fn serve(socket: &Path, answer: impl Fn(UnixStream) + Send + Sync + Clone + 'static) {
    let listener = UnixListener::bind(socket).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = answer.clone();
            thread::spawn(move || answer(stream));
        }
    });
}

/// The channel that the preamble of whoever connects asks for, after greeting with the same.
fn greet(stream: &mut UnixStream) -> Option<Channel> {
    let mut theirs = [0; 8];
    stream.read_exact(&mut theirs).ok()?;
    let all = [Channel::Import, Channel::Status, Channel::Control];
    let channel =
        all.into_iter().find(|channel| Preamble { channel: *channel }.encode()[..] == theirs[..])?;
    stream.write_all(&Preamble { channel }.encode()).ok()?;
    Some(channel)
}

fn rest(mut stream: UnixStream) {
    let mut piece = [0; 4096];
    while stream.read(&mut piece).is_ok_and(|n| n > 0) {}
}

#[test]
fn a_master_that_is_not_there_is_named_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    all_end(&dir.path().join("missing"), dir.path(), "start piw-master, or name its address with --");
    let stale = dir.path().join("stale");
    drop(UnixListener::bind(&stale).unwrap());
    all_end(&stale, dir.path(), "start piw-master, or name its address with --");
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    all_end(&file, dir.path(), "start piw-master, or name its address with --");
}

#[test]
fn a_master_that_says_nothing_is_given_up() {
    let dir = tempfile::tempdir().unwrap();
    // the kernel takes connections for it
    let deaf = dir.path().join("deaf");
    let _listener = UnixListener::bind(&deaf).unwrap();
    all_end(&deaf, dir.path(), "did not answer within");
    // and here not even that
    let full = dir.path().join("full");
    let fd = socket(AddressFamily::Unix, SockType::Stream, SockFlag::empty(), None).unwrap();
    bind(std::os::fd::AsRawFd::as_raw_fd(&fd), &UnixAddr::new(&full).unwrap()).unwrap();
    listen(&fd, Backlog::new(0).unwrap()).unwrap();
    let _first = UnixStream::connect(&full).unwrap();
    all_end(&full, dir.path(), "did not answer within");
}

#[test]
fn a_master_that_stops_in_the_middle_is_given_up() {
    let dir = tempfile::tempdir().unwrap();
    let mute = dir.path().join("mute");
    serve(&mute, |mut stream| {
        greet(&mut stream);
        rest(stream);
    });
    all_end(&mute, dir.path(), "did not answer within");
    let half = dir.path().join("half");
    serve(&half, |mut stream| {
        greet(&mut stream);
        // a frame of 100 bytes, and seven of them
        let _ = stream.write_all(&[0, 0, 0, 100, 0x81, 1, 2]);
        rest(stream);
    });
    all_end(&half, dir.path(), "did not answer within");
    let gone = dir.path().join("gone");
    serve(&gone, |mut stream| {
        greet(&mut stream);
    });
    all_end(&gone, dir.path(), "closed the connection");
    let other = dir.path().join("other");
    serve(&other, |mut stream| {
        let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.6\r\n");
        rest(stream);
    });
    all_end(&other, dir.path(), "is no piw-master");
}

#[test]
fn an_answer_that_comes_in_drops_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let slow = dir.path().join("slow");
    serve(&slow, |mut stream| {
        greet(&mut stream);
        let mut answer = BytesMut::new();
        ToTool::Done { json: Text::new(r#"{"added":[]}"#).unwrap() }.encode(&mut answer);
        // each piece within the limit, all of them far beyond it
        for piece in answer.chunks(4) {
            thread::sleep(Duration::from_millis(200));
            let _ = stream.write_all(piece);
        }
        rest(stream);
    });
    let words = ["add".to_owned(), "--json".to_owned(), "foo".to_owned()];
    let (output, took) = ask("piw", &words, Channel::Import, &slow);
    assert_eq!(
        (out(&output).as_str(), output.status.code()),
        ("{\"added\":[]}\n", Some(0)),
        "{}",
        err(&output)
    );
    assert!(took > Duration::from_secs(1), "{took:?}");
}

#[test]
fn a_socket_of_another_account_is_told_from_none() {
    if account::ordinary().is_none() {
        eprintln!("skipped: only root can run programs as another user");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let socket = dir.path().join("roots");
    let _listener = UnixListener::bind(&socket).unwrap();
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o600)).unwrap();
    for (name, words, channel) in tools(dir.path()) {
        let (_, path) = PROGRAMS.iter().find(|(known, _)| *known == name).unwrap();
        let copy: PathBuf = account::runnable(path, dir.path());
        let mut command = account::command(copy);
        command.args(&words).args([
            option(channel),
            &format!("ipc://{}", socket.display()),
            "--timeout",
            LIMIT,
        ]);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{name}: {}", err(&output));
        let said = "is not for this account: run this as the account that piw-master runs as";
        assert!(err(&output).contains(said), "{name}: {}", err(&output));
    }
}
