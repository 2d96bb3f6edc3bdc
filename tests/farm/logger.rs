//! `piw-logger`: every log's downloads are counted once, and a web server's pipe never waits.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Child, ChildStdin, Output, Stdio};
use std::time::{Instant, SystemTime};

use flate2::Compression;
use flate2::write::GzEncoder;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::kit::farm::{Farm, text};
use crate::kit::sdist::Recipe;
use crate::kit::wait::{PATIENCE, until};

/// More than the buffer holds, and far more than a pipe.
const MANY: u64 = 25_000;
/// What the buffer holds, and what may be under way or in the pipe beside it.
const BUFFER: std::ops::RangeInclusive<u64> = 20_000..=21_000;

/// A line of an Apache log of this moment.
fn line(package: &str) -> String {
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let utc = piwheels::logging::utc(now);
    let month = months[utc[5..7].parse::<usize>().unwrap() - 1];
    let (year, day, time) = (&utc[..4], &utc[8..10], &utc[11..19]);
    format!(
        "192.0.2.7 - - [{day}/{month}/{year}:{time} +0000] \
         \"GET /simple/{package}/{package}-1.0-py3-none-any.whl HTTP/1.1\" 200 1000 \"-\" \
         \"pip/24.0 {{\\\"cpu\\\":\\\"armv7l\\\",\\\"installer\\\":{{\\\"name\\\":\\\"pip\\\",\\\"version\\\":\\\"24.0\\\"}}}}\"\n"
    )
}

/// A farm with one package on its list.
fn farm() -> Farm {
    let farm = Farm::start(&["cp311"], &[]);
    farm.index.offer(&Recipe::pure("foo", "1.0"));
    farm.piw(&["add", "foo"]);
    farm
}

fn downloads(farm: &Farm) -> u64 {
    farm.count("SELECT count(*) FROM piw.download").try_into().unwrap()
}

/// `piw-logger` on a pipe.
struct Piped {
    child: Child,
    pipe: Option<ChildStdin>,
}

impl Piped {
    fn start(farm: &Farm, arguments: &[&str]) -> Self {
        let mut command = farm.logger_command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let pipe = child.stdin.take();
        Self { child, pipe }
    }

    /// Writes so many lines, as a web server does; fails the test when that takes long.
    fn write(&mut self, lines: u64) {
        let mut pipe = self.pipe.take().unwrap();
        let written = line("foo").repeat(lines.try_into().unwrap());
        let begun = Instant::now();
        let writer = std::thread::spawn(move || {
            pipe.write_all(written.as_bytes()).unwrap();
            pipe
        });
        until("end of writing", String::new, || writer.is_finished().then_some(()));
        assert!(begun.elapsed() < PATIENCE, "the pipe was blocked");
        self.pipe = Some(writer.join().unwrap());
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    /// Closes the pipe and waits.
    fn end(mut self) -> Output {
        drop(self.pipe.take());
        self.child.wait_with_output().unwrap()
    }
}

/// The three numbers of a summary.
fn summary(output: &Output) -> [u64; 3] {
    let printed = text(output);
    let line = printed.lines().find(|line| line.contains(" sent, ")).unwrap_or_else(|| panic!("{printed}"));
    let numbers: Vec<u64> =
        line.split(", ").map(|part| part.split(' ').next().unwrap().parse().unwrap()).collect();
    numbers.try_into().unwrap_or_else(|_| panic!("{printed}"))
}

fn pack(text: &str, path: &Path) {
    let mut encoder = GzEncoder::new(fs::File::create(path).unwrap(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap();
}

#[test]
fn logs_of_every_kind_are_counted_and_what_is_no_line_of_theirs_is_passed_over() {
    let farm = farm();
    let path = |name: &str| farm.path("run").join(name);
    let long = "x".repeat(100_000);
    let other = line("foo").replace(" 200 ", " 404 ");
    fs::write(path("access.log"), format!("{}nonsense\n{long}\n{other}\n{}", line("foo"), line("foo")))
        .unwrap();
    pack(&line("foo").repeat(1200), &path("access.log.2.gz"));
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
    let target = "/simple/gone/gone-1.0-py3-none-any.whl";
    let json = serde_json::json!({"ts": now, "status": 200, "request": {"method": "GET", "uri": target,
        "client_ip": "2001:db8::1", "headers": {"User-Agent": ["curl/8.0"]}}});
    let old = serde_json::json!({"ts": 1, "status": 200, "request": {"method": "GET", "uri": target}});
    fs::write(path("caddy.log"), format!("{json}\n{old}\n")).unwrap();
    let names = ["access.log", "access.log.2.gz", "caddy.log"].map(|name| path(name).display().to_string());
    let arguments: Vec<&str> = names.iter().map(String::as_str).collect();
    let output = farm.logger_command(&arguments).output().unwrap();
    assert_eq!(
        text(&output),
        "1203 records sent, 2 lines passed over, 0 dropped; 1 of no package on the list; \
         1 not counted, older than two years or in the future\n"
    );
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(downloads(&farm), 1203);
    assert_eq!(farm.count("SELECT sum(n)::bigint FROM piw.download_day WHERE pkg_id > 0"), 1202);
    let clients = farm.count(
        "SELECT count(DISTINCT (installer_name, installer_version, arch, address)) FROM piw.download
         WHERE (installer_name, installer_version, arch, address) IN
             (('pip', '24.0', 'armv7l', '192.0.2.7'::inet))
             OR (installer_name, installer_version, address) = ('curl', '8.0', '2001:db8::1'::inet)",
    );
    assert_eq!(clients, 2);

    // standard input that is a file is read like one, to its end
    let file = fs::File::open(path("access.log.2.gz")).unwrap();
    let output = farm.logger_command(&["-q"]).stdin(file).output().unwrap();
    assert_eq!((output.status.code(), text(&output).as_str()), (Some(0), ""));
    assert_eq!(downloads(&farm), 2403, "the same log again is counted again");
}

#[test]
fn a_pipe_is_read_to_its_end() {
    let farm = farm();
    let mut logger = Piped::start(&farm, &["-"]);
    logger.write(3);
    // what came is not kept until more comes
    until("records of an open pipe", || farm.logs(), || (downloads(&farm) == 3).then_some(()));
    logger.write(700);
    let output = logger.end();
    assert_eq!(text(&output), "703 records sent, 0 lines passed over, 0 dropped\n");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(downloads(&farm), 703);
}

#[test]
fn a_pipe_is_not_blocked_while_the_master_is_away_and_what_was_kept_is_sent_when_it_is_back() {
    let mut farm = farm();
    farm.kill_master();
    let mut logger = Piped::start(&farm, &[]);
    logger.write(MANY);
    farm.start_master();
    let output = logger.end();
    let [sent, passed_over, dropped] = summary(&output);
    assert!(BUFFER.contains(&sent), "{}", text(&output));
    assert_eq!((sent + dropped, passed_over), (MANY, 0), "{}", text(&output));
    assert_eq!(downloads(&farm), sent);
    assert_eq!(output.status.code(), Some(1));
    let printed = text(&output);
    assert!(printed.contains("records wait for the master: no master at"), "{printed}");
    assert!(printed.contains(&format!("{dropped} records were dropped")), "{printed}");
}

#[test]
fn a_pipe_is_not_blocked_while_the_master_does_not_answer() {
    let farm = farm();
    let mut logger = Piped::start(&farm, &["--drop"]);
    logger.write(1);
    until("first record", || farm.logs(), || (downloads(&farm) == 1).then_some(()));
    farm.master().signal(Signal::SIGSTOP);
    logger.write(MANY);
    farm.master().signal(Signal::SIGCONT);
    let output = logger.end();
    let [sent, _, dropped] = summary(&output);
    assert!(BUFFER.contains(&(sent - 1)), "{}", text(&output));
    assert_eq!(sent + dropped, MANY + 1);
    assert_eq!(downloads(&farm), sent);
    assert_eq!(output.status.code(), Some(0), "--drop: {}", text(&output));
}

#[test]
fn without_a_master_a_pipe_ends_with_everything_dropped() {
    let mut farm = farm();
    farm.kill_master();
    let mut logger = Piped::start(&farm, &["--drop"]);
    logger.write(600);
    let output = logger.end();
    assert_eq!(summary(&output), [0, 0, 600]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
}

#[test]
fn a_signal_sends_what_has_come() {
    let farm = farm();
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let before = downloads(&farm);
        let mut logger = Piped::start(&farm, &["-v"]);
        logger.write(1);
        until("first record", || farm.logs(), || (downloads(&farm) == before + 1).then_some(()));
        logger.write(700);
        logger.signal(signal);
        let output = logger.child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        let sent = downloads(&farm) - before;
        assert!(text(&output).contains(&format!("{sent} records sent, 0 lines passed over, 0 dropped")));
        // what is still in the pipe is read for half a second
        assert!(sent > 300, "{}", text(&output));
    }
}

#[test]
fn a_signal_ends_it_though_the_master_does_not_answer() {
    let farm = farm();
    let mut logger = Piped::start(&farm, &[]);
    logger.write(1);
    until("first record", || farm.logs(), || (downloads(&farm) == 1).then_some(()));
    farm.master().signal(Signal::SIGSTOP);
    logger.write(MANY);
    logger.signal(Signal::SIGTERM);
    let output = logger.child.wait_with_output().unwrap();
    farm.master().signal(Signal::SIGCONT);
    let [sent, _, dropped] = summary(&output);
    // the answer to the first may have been on its way when the master stopped
    assert!(sent <= 1, "{}", text(&output));
    assert!(dropped > MANY - 1000, "{}", text(&output));
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_file_waits_for_a_master_that_starts_again_and_is_counted_once() {
    let mut farm = farm();
    let log = farm.path("run/access.log");
    fs::write(&log, line("foo").repeat(30_000)).unwrap();
    let logger = farm.spawn(farm.logger_command(&[log.to_str().unwrap()]), "logger");
    until("some records", || farm.logs(), || (downloads(&farm) >= 1000).then_some(()));
    farm.kill_master();
    let before = downloads(&farm);
    assert!(before < 30_000, "it was through before the master was killed");
    farm.start_master();
    let mut logger = logger;
    assert_eq!(logger.wait(), 0, "{}", farm.logs());
    assert!(logger.log().contains("30000 records sent, 0 lines passed over, 0 dropped"), "{}", logger.log());
    assert_eq!(downloads(&farm), 30_000);
}

#[test]
fn a_file_waits_for_a_master_for_so_long_and_it_is_said_how_far_it_was_counted() {
    let mut farm = farm();
    let log = farm.path("run/access.log");
    fs::write(&log, format!("nonsense\n{}", line("foo"))).unwrap();
    farm.master().signal(Signal::SIGSTOP);
    let output = farm.logger_command(&["--time-limit", "1s", log.to_str().unwrap()]).output().unwrap();
    farm.master().signal(Signal::SIGCONT);
    assert_eq!(output.status.code(), Some(1));
    let printed = text(&output);
    assert!(printed.contains("did not answer within 1 s"), "{printed}");
    assert!(printed.contains("; nothing was counted"), "{printed}");
    farm.kill_master();
    let output = farm.logger_command(&["--time-limit", "1s", log.to_str().unwrap()]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let printed = text(&output);
    assert!(printed.starts_with("0 records sent, 1 line passed over, 0 dropped\n"), "{printed}");
    assert!(
        printed.contains("no master at ipc://") && printed.contains("; nothing was counted"),
        "{printed}"
    );
}

#[test]
fn what_cannot_be_read_is_named_before_anything_is_counted() {
    let farm = farm();
    let log = farm.path("run/access.log");
    fs::write(&log, line("foo")).unwrap();
    let (log, dir) = (log.display().to_string(), farm.path("run").display().to_string());
    let missing = farm.path("run/missing.log").display().to_string();
    for (arguments, code, reason) in [
        (vec![&*log, &*missing], 1, "No such file"),
        (vec![&*log, &*dir], 1, "it is not a file"),
        (vec![&*log, "-"], 2, "a pipe is read alone"),
        (vec!["--format", "xml", &*log], 2, "must be common"),
        (vec!["--simple-path", "simple", &*log], 2, "begins with '/'"),
        (vec!["--drop", "--wait"], 2, "cannot be used with"),
        (vec!["--time-limit", "soon", &*log], 2, "not a duration"),
        (vec!["--import-queue", "tcp://x:1", &*log], 2, "must be ipc://"),
    ] {
        let output = farm.logger_command(&arguments).stdin(Stdio::null()).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", text(&output));
        assert!(text(&output).contains(reason), "{arguments:?}: {}", text(&output));
    }
    assert_eq!(downloads(&farm), 0);

    // a log that breaks off, and one of nothing that is known, are told; the others are counted
    let (cut, odd) = (farm.path("run/cut.gz"), farm.path("run/odd.log"));
    pack(&line("foo").repeat(3000), &cut);
    let whole = fs::read(&cut).unwrap();
    fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
    fs::write(&odd, "one\ntwo\n").unwrap();
    let output = farm.logger_command(&[cut.to_str().unwrap(), odd.to_str().unwrap(), &log]).output().unwrap();
    let printed = text(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(printed.contains(&format!("cannot read {}", cut.display())), "{printed}");
    assert!(printed.contains("none of its 2 lines is of a format that is known"), "{printed}");
    assert!(downloads(&farm) > 0);
    assert_eq!(summary(&output)[0], downloads(&farm));
}

#[test]
fn a_pipe_whose_writer_may_wait_is_counted_to_the_last_record() {
    let farm = farm();
    let mut logger = Piped::start(&farm, &["--wait"]);
    logger.write(MANY);
    let output = logger.end();
    assert_eq!(summary(&output), [MANY, 0, 0]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert_eq!(downloads(&farm), MANY);
}
