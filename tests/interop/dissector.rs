//! `tools/piwheels.lua` in a real tshark: on the vectors, and on what went over the wire between the real programs.

use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::kit::account;
use crate::kit::farm::{Farm, abi_of, python, text};
use crate::kit::sdist::Recipe;
use crate::kit::wait::until;
use crate::kit::wheel::Wheel;
use crate::{program, run};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The tshark that tools/test found, or this machine's; none is told of, and the test is skipped.
fn tshark(test: &str) -> Option<PathBuf> {
    let program = std::env::var_os("PIW_TEST_TSHARK").map_or_else(|| PathBuf::from("tshark"), PathBuf::from);
    if Command::new(&program).arg("--version").output().is_ok_and(|output| output.status.success()) {
        return Some(program);
    }
    let why = "there is no tshark: tools/tshark --cache DIR brings one, for PIW_TEST_TSHARK";
    eprintln!("skipped: {test}: {why}");
    if let Some(path) = std::env::var_os("PIW_TEST_SKIPPED") {
        let mut file = File::options().append(true).create(true).open(path).unwrap();
        writeln!(file, "interop::{test}: {why}").unwrap();
    }
    None
}

/// Has it read a capture: every frame with all its fields, and as they are. The messages that were in it.
fn dissect(tshark: &Path, dir: &Path, capture: &Path) -> BTreeSet<String> {
    // root's tshark warns, and another account may not enter the clone
    for (file, mode) in [(capture, 0o644), (dir, 0o755)] {
        fs::set_permissions(file, Permissions::from_mode(mode)).unwrap();
    }
    let script = dir.join("piwheels.lua");
    fs::copy(Path::new(ROOT).join("tools/piwheels.lua"), &script).unwrap();
    let pdml = dir.join("pdml");
    let output = account::command(tshark)
        .arg("-X")
        .arg(format!("lua_script:{}", script.display()))
        // a free port of the relay's may be another protocol's
        .args(["-o", "tcp.try_heuristic_first:TRUE", "-Y", "piwheels || _ws.malformed", "-T", "pdml", "-r"])
        .arg(capture)
        .stdin(Stdio::null())
        .stdout(File::create(&pdml).unwrap())
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let said = text(&output);
    assert!(output.status.success() && !said.contains("Lua"), "{said}");
    let [capture, pdml] = [capture, &pdml].map(|path| path.to_str().unwrap());
    run("dissector.py", &["wire-spec", capture, pdml], String::new).lines().map(str::to_owned).collect()
}

/// Every message of the text that is of these channels and directions.
fn messages(of: &str) -> BTreeSet<String> {
    let said = run("vectors.py", &["wire-spec", "--names"], String::new);
    said.lines().filter(|line| line.starts_with(of)).map(str::to_owned).collect()
}

#[test]
fn every_vector_is_shown_by_its_name_with_every_field_and_every_bad_frame_as_such() {
    let Some(tshark) = tshark("every_vector_is_shown") else { return };
    let dir = tempfile::tempdir().unwrap();
    let capture = dir.path().join("vectors.pcap");
    run("capture.py", &["wire-spec", capture.to_str().unwrap()], String::new);
    assert_eq!(dissect(&tshark, dir.path(), &capture), messages(""));
}

/// tests/interop/relay.py between the farm's programs.
struct Relay {
    child: Child,
    ports: Vec<String>,
}

impl Relay {
    fn start(capture: &Path, pairs: &[String]) -> Self {
        let arguments: Vec<_> =
            std::iter::once(capture.to_str().unwrap()).chain(pairs.iter().map(String::as_str)).collect();
        let mut child =
            program("relay.py", &arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let expected = pairs.iter().filter(|pair| pair.starts_with("0=")).count();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ports = lines.take(expected).map(Result::unwrap).collect();
        Self { child, ports }
    }

    /// The capture is whole then.
    fn end(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn what_goes_over_the_wire_of_a_farm_is_shown_whole() {
    let Some(tshark) = tshark("what_goes_over_the_wire") else { return };
    let abi = abi_of(&python());
    let mut farm = Farm::start(&[&abi], &[]);
    let line = farm.add_key("pi-1");
    farm.kill_master();
    farm.start_master();
    let key = farm.path("run/pi-1.key");
    fs::write(&key, line).unwrap();
    fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    account::give(&key);

    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
    let capture = dir.path().join("farm.pcap");
    let queue = |name: &str| dir.path().join(name).display().to_string();
    let mut pairs: Vec<_> =
        [farm.slave_port, farm.file_port].iter().map(|port| format!("0=127.0.0.1:{port}")).collect();
    for name in ["import", "status", "control"] {
        pairs.push(format!("{}={}", queue(name), farm.path("run").join(name).display()));
    }
    let relay = Relay::start(&capture, &pairs);
    ["import", "status", "control"].iter().for_each(|name| account::give(&dir.path().join(name)));
    let tool = |program: &str, arguments: &[&str]| {
        let mut command = account::command(account::runnable(program, &farm.path("bin")));
        command.arg(format!("--import-queue=ipc://{}", queue("import")));
        if program == env!("CARGO_BIN_EXE_piw") {
            for name in ["status", "control"] {
                command.arg(format!("--{name}-queue=ipc://{}", queue(name)));
            }
        }
        let output = command.args(arguments).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{program} {arguments:?}: {}\n{}", text(&output), farm.logs());
    };
    let piw = |arguments: &[&str]| tool(env!("CARGO_BIN_EXE_piw"), arguments);

    farm.index.offer(&Recipe::native("shown", "1.0").with_bytes(100_000));
    let ports = ["--slave-port", &relay.ports[0], "--file-port", &relay.ports[1]];
    let options = [&ports[..], &["--key-file", key.to_str().unwrap()]].concat();
    let mut slave = farm.start_slave_with("pi", &python(), &options);
    until(
        "sleeping slave",
        || farm.logs(),
        || farm.piw(&["slaves", "--json"]).contains("\"asleep\"").then_some(()),
    );
    piw(&["pause"]);
    piw(&["add", "shown"]);
    piw(&["resume"]);
    farm.wait_for_state("shown", &abi, "built");
    piw(&["slaves"]);
    piw(&["why", "shown"]);
    let wheel =
        Wheel::native("brought", "1.0", "a wheel", &abi).with_ballast(300_000).save(&farm.path("run"));
    tool(env!("CARGO_BIN_EXE_piw-import"), &["-y", wheel.to_str().unwrap()]);
    slave.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(slave.wait(), 0, "{}", slave.log());
    relay.end();

    let seen = dissect(&tshark, dir.path(), &capture);
    let wanted = [
        "auth/to-master AUTH",
        "auth/to-master PROOF",
        "auth/to-slave CHALLENGE",
        "slave/to-master HELLO",
        "slave/to-master IDLE",
        "slave/to-master LOG",
        "slave/to-master BUILT",
        "slave/to-master SENT",
        "slave/to-master BYE",
        "slave/to-slave HELLO",
        "slave/to-slave SLEEP",
        "slave/to-slave WAKE",
        "slave/to-slave BUILD",
        "slave/to-slave SEND",
        "slave/to-slave DONE",
        "import/to-master ADD",
        "import/to-master WHY",
        "import/to-master IMPORT",
        "import/to-master CHUNK",
        "import/to-tool DONE",
        "import/to-tool SEND",
        "import/to-tool FETCH",
        "status/to-master HELLO",
        "status/to-monitor HELLO",
        "status/to-monitor SLAVE",
        "status/to-monitor STATS",
        "control/to-master PAUSE",
        "control/to-master RESUME",
        "control/to-tool DONE",
    ];
    let mut wanted: BTreeSet<_> = wanted.map(str::to_owned).into();
    wanted.extend(messages("file/"));
    assert!(seen.is_superset(&wanted), "not seen: {:?}", wanted.difference(&seen).collect::<Vec<_>>());
}
