//! From a package's name to `pip install`.

use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use crate::kit::account;
use crate::kit::farm::{Farm, abi_of, python, text};
use crate::kit::sdist::Recipe;
use crate::kit::wait::until;

/// A plain web server over the published tree.
pub(crate) struct WebServer {
    child: Child,
    pub(crate) url: String,
}

impl WebServer {
    pub(crate) fn start(root: &Path) -> Self {
        // the port is free a moment later too: nothing else takes ephemeral ports without being given them
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = account::command(python());
        command
            .args(["-m", "http.server", "--bind", "127.0.0.1", &port.to_string(), "--directory"])
            .arg(root);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        until("web server", String::new, || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
        Self { child, url: format!("http://127.0.0.1:{port}/simple") }
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Installs from the farm's index alone into an environment of its own, and runs `code` in it.
pub(crate) fn install_and_run(farm: &Farm, python: &Path, requirements: &[&str], code: &str) -> String {
    let web = WebServer::start(&farm.path("www"));
    let venv = farm.path("run").join("venv");
    let made = account::command(python).args(["-m", "venv"]).arg(&venv).output().unwrap();
    assert!(made.status.success(), "{}", text(&made));
    let inside: PathBuf = venv.join("bin/python");
    let installed = account::command(&inside)
        .args(["-m", "pip", "install", "--no-deps", "--only-binary=:all:", "--no-cache-dir", "--index-url"])
        .arg(&web.url)
        .args(requirements)
        .env("PIP_CONFIG_FILE", "/dev/null")
        .env_remove("PIP_FIND_LINKS")
        .output()
        .unwrap();
    assert!(installed.status.success(), "{}", text(&installed));
    let ran = account::command(&inside).args(["-c", code]).output().unwrap();
    assert!(ran.status.success(), "{}", text(&ran));
    String::from_utf8(ran.stdout).unwrap()
}

#[test]
fn real_packages_are_built_from_source_and_pip_installs_them_and_one_that_fails_stops_nobody() {
    let python = python();
    let abi = abi_of(&python);
    let farm = Farm::start_on_the_real_index(&[&abi]);
    let _slave = farm.start_slave("one");
    // the second is for Python 2 only, and its setup.py a syntax error
    farm.piw(&[
        "add",
        "markupsafe==2.1.5",
        "BeautifulSoup==3.2.1",
        "PyYAML==6.0.2",
        "xxhash==3.5.0",
        "six==1.16.0",
    ]);
    let failed = farm.wait_for_state("beautifulsoup==3.2.1", &abi, "failed");
    assert_eq!(failed["outcome"], "failed");
    let log = farm.build_log(&failed);
    assert!(log.contains("SyntaxError"), "{log}");
    for package in ["markupsafe==2.1.5", "pyyaml==6.0.2", "xxhash==3.5.0"] {
        let built = farm.wait_for_state(package, &abi, "built");
        let file = built["files"][0]["filename"].as_str().unwrap();
        assert!(file.contains(&format!("-{abi}-{abi}-linux_")), "{file} is native, and built here");
    }
    // what the index serves to everybody is not built again
    assert!(farm.piw(&["why", "--json", "six==1.16.0"]).contains("six-1.16.0-py2.py3-none-any.whl"));
    assert_eq!(farm.count("SELECT count(*) FROM piw.build"), 4);
    assert_eq!(farm.crawl(), 3);
    let page = std::fs::read_to_string(farm.path("www/project/beautifulsoup/index.html")).unwrap();
    let log = piwheels::domain::log_path(piwheels::domain::BuildId(failed["build_id"].as_i64().unwrap()));
    assert!(page.contains(&format!("<a href=\"../../{}\">log</a>", log.display())), "{page}");
    farm.audit();
    let code = "import markupsafe._speedups, yaml, xxhash; print(yaml.__with_libyaml__ is not None, \
                markupsafe.escape('<'), xxhash.xxh32(b'').hexdigest())";
    let printed =
        install_and_run(&farm, &python, &["markupsafe==2.1.5", "pyyaml==6.0.2", "xxhash==3.5.0"], code);
    assert_eq!(printed.trim(), "True &lt; 02cc5d05");
}

#[test]
fn two_pythons_share_a_farm_and_a_version_goes_from_one_abi_to_the_next_by_rank() {
    let Some(second) = std::env::var_os("PIW_TEST_PYTHON2").map(PathBuf::from) else {
        skip("two_pythons_share_a_farm", "PIW_TEST_PYTHON2 names no second interpreter");
        return;
    };
    let (first, mut abis) = (python(), vec![abi_of(&python()), abi_of(&second)]);
    abis.sort_by_key(|abi| piwheels::domain::AbiTag::parse(abi).unwrap().default_rank());
    let farm = Farm::start(&[&abis[1], &abis[0]], &[]);
    farm.index.offer(&Recipe::native("speedy", "1.0"));
    farm.index.offer(&Recipe::pure("plain", "1.0"));
    let gate = farm.gate("go");
    farm.index.offer(&Recipe::native("slow", "1.0").behind(&gate));
    let _one = farm.start_slave_with("one", &first, &[]);
    let _two = farm.start_slave_with("two", &second, &[]);

    farm.piw(&["add", "slow"]);
    farm.wait_for_state("slow", &abis[0], "building");
    assert_eq!(
        farm.why("slow", &abis[1]).unwrap()["state"],
        "waiting",
        "only the lowest ABI is tried at first"
    );
    farm.open(&gate);
    for abi in &abis {
        farm.wait_for_state("slow", abi, "built");
    }
    farm.piw(&["add", "speedy", "plain"]);
    for abi in &abis {
        let built = farm.wait_for_state("speedy", abi, "built");
        assert!(built["files"][0]["filename"].as_str().unwrap().contains(abi.as_str()), "{built}");
    }
    farm.wait_for_state("plain", &abis[0], "built");
    farm.wait_for_state("plain", &abis[1], "settled");
    assert_eq!(farm.count("SELECT count(*) FROM piw.build"), 5);
    assert_eq!(farm.crawl(), 5);
    farm.audit();
}

#[test]
fn an_idle_slave_gets_a_new_job_at_once() {
    let farm = Farm::start(&["cp311"], &[]);
    let mut slave = crate::kit::peer::Peer::slave(farm.slave_port, "idle", None);
    farm.index.offer(&Recipe::pure("fresh", "1.0"));
    slave.say(&piwheels::wire::slave::FromSlave::Idle {});
    let sleep = slave.hear();
    assert!(matches!(sleep, Some(piwheels::wire::slave::ToSlave::Sleep { .. })), "{sleep:?}");
    farm.piw(&["add", "fresh"]);
    let woken = slave.hear();
    assert!(matches!(woken, Some(piwheels::wire::slave::ToSlave::Wake {})), "{woken:?}");
    assert_eq!(slave.take_job().1, "fresh==1.0");
}

/// Notes a test that cannot run here, where the runner shows it.
pub(crate) fn skip(test: &str, reason: &str) {
    eprintln!("skipped: {test}: {reason}");
    if let Some(file) = std::env::var_os("PIW_TEST_SKIPPED") {
        let mut file = std::fs::File::options().append(true).create(true).open(file).unwrap();
        writeln!(file, "{test}: {reason}").unwrap();
    }
}

#[test]
fn the_farms_page_is_what_pip_needs_and_no_more() {
    let python = python();
    let abi = abi_of(&python);
    let farm = Farm::start(&[&abi], &[]);
    farm.index.offer(&Recipe::pure("Plain.Name", "1.0"));
    let _slave = farm.start_slave("one");
    farm.piw(&["add", "plain_name"]);
    farm.wait_for_state("plain-name", &abi, "built");
    assert_eq!(farm.crawl(), 1);
    let page = std::fs::read_to_string(farm.path("www/simple/plain-name/index.html")).unwrap();
    assert!(page.contains("data-requires-python=\"&gt;=3.7\""), "{page}");
    farm.wait_for_empty_spool();
}

#[test]
fn slaves_reach_the_master_over_ipv4_and_ipv6() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        skip("slaves_reach_the_master_over_ipv4_and_ipv6", "this machine has no IPv6 loopback address");
        return;
    }
    let mut farm = Farm::start(&["cp311"], &[]);
    farm.master.take().unwrap().kill();
    farm.use_addresses("tcp://*:0", "tcp://*:0");
    farm.start_master();
    let master = farm.master();
    master.wait_for_line(0, &["listening for Slave connections on tcp://127.0.0.1:"]);
    master.wait_for_line(0, &["listening for File connections on tcp://[::1]:"]);
    for address in ["127.0.0.1", "::1"] {
        let mut slave =
            crate::kit::peer::Peer::connect_to(address, farm.slave_port, piwheels::wire::Channel::Slave);
        slave.say(&crate::kit::peer::hello(piwheels::VERSION, address, "cp311", None));
        let answer = slave.hear();
        assert!(
            matches!(answer, Some(piwheels::wire::slave::ToSlave::Hello { .. })),
            "{address}: {answer:?}"
        );
    }
}
