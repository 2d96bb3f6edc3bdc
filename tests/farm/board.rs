//! The slave as boards run it: the static armv7 program on an emulated 32-bit ARM board (`tools/board`), the master on this
//! machine.

use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::chain::{WebServer, skip};
use crate::kit::account;
use crate::kit::farm::{Farm, links, text};
use crate::kit::wait::until_within;

/// For one build, with pip's own environment for it, by an emulator that shares its cores.
const PATIENCE: Duration = Duration::from_secs(600);

/// `tools/board run` for the tests' account.
struct Board {
    script: PathBuf,
    cache: OsString,
}

impl Board {
    /// The command line of something that runs on the board, with directories and files of this machine there.
    fn command(&self, binds: &[(&Path, &str)], words: &[&str]) -> Command {
        let mut command = account::command("bash");
        command.arg(&self.script).arg("--cache").arg(&self.cache).arg("run");
        for (from, to) in binds {
            command.arg("--bind").arg(format!("{}:{to}", from.display()));
        }
        command.arg("--").args(words);
        command
    }

    fn run(&self, binds: &[(&Path, &str)], words: &[&str]) -> Output {
        self.command(binds, words).output().unwrap()
    }

    /// What a program on the board prints; it must succeed.
    fn answer(&self, binds: &[(&Path, &str)], words: &[&str]) -> String {
        let output = self.run(binds, words);
        assert!(output.status.success(), "{words:?}: {}", text(&output));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

/// The board and the slave for it that `tools/test` has prepared, for the tests' account in `dir`; else why not.
fn prepared(dir: &Path) -> Result<(Board, PathBuf), String> {
    let variable = |name: &str| {
        std::env::var_os(name).ok_or(format!("{name} is not set: tools/test prepares an emulated board"))
    };
    let (cache, slave) = (variable("PIW_TEST_BOARD")?, variable("PIW_TEST_BOARD_SLAVE")?);
    let script = account::runnable(concat!(env!("CARGO_MANIFEST_DIR"), "/tools/board"), dir);
    let board = Board { script, cache };
    let output = board.run(&[], &["true"]);
    match output.status.code() {
        Some(0) => Ok((board, copy(Path::new(&slave), dir))),
        Some(3) => Err(text(&output).trim().to_owned()),
        _ => panic!("{}", text(&output)),
    }
}

/// The board's program beside the native one, where the tests' account can read it.
fn copy(slave: &Path, dir: &Path) -> PathBuf {
    let copy = dir.join("piw-slave-armv7");
    std::fs::copy(slave, &copy).unwrap();
    copy
}

/// A file in a wheel.
fn member(wheel: &Path, is_wanted: impl Fn(&str) -> bool) -> Vec<u8> {
    let mut zip = zip::ZipArchive::new(std::fs::File::open(wheel).unwrap()).unwrap();
    let name = zip.file_names().map(|name| name.unwrap().into_owned()).find(|name| is_wanted(name)).unwrap();
    let mut bytes = Vec::new();
    zip.by_name(&name).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn a_board_builds_markupsafe_for_armv7_and_pip_on_a_board_installs_it() {
    let mut farm = Farm::start_on_the_real_index(&[]);
    let (board, program) = match prepared(&farm.path("bin")) {
        Ok(prepared) => prepared,
        Err(reason) => {
            skip("a_board_builds_markupsafe_for_armv7_and_pip_on_a_board_installs_it", &reason);
            return;
        }
    };
    let question = "import sys; print('cp%d%d' % sys.version_info[:2])";
    let abi = board.answer(&[], &["python3", "-c", question]);
    farm.piw(&["abi", "add", &abi, "--platform", "linux_armv7l"]);
    farm.piw(&["add", "markupsafe==2.1.5"]);

    let work = farm.path("slave-board");
    std::fs::create_dir(&work).unwrap();
    account::give(&work);
    let (slave_port, file_port) = (farm.slave_port.to_string(), farm.file_port.to_string());
    let words = [
        "/home/board/piw-slave",
        "-v",
        "--label=board",
        "--master=127.0.0.1",
        "--slave-port",
        &slave_port,
        "--file-port",
        &file_port,
        "--python=/usr/bin/python3",
        "--dir=/home/board/work",
    ];
    let binds = [(&*program, "/home/board/piw-slave"), (&*work, "/home/board/work")];
    let mut slave = farm.spawn(board.command(&binds, &words), "board");
    let built = until_within(
        PATIENCE,
        "end of the board's build",
        || farm.logs(),
        || {
            let is_open = |build: &serde_json::Value| {
                ["queued", "delayed", "building"].contains(&build["state"].as_str().unwrap())
            };
            farm.why("markupsafe==2.1.5", &abi).filter(|build| !is_open(build))
        },
    );
    assert_eq!(built["state"], "built", "{}", farm.build_log(&built));
    let file = built["files"][0]["filename"].as_str().unwrap();
    // how the name is spelt, each setuptools decides for itself
    assert_eq!(file.to_lowercase(), format!("markupsafe-2.1.5-{abi}-{abi}-linux_armv7l.whl"));

    // published, for armv7 and for nothing else: nobody has allowed it under another platform's name
    assert_eq!(farm.crawl(), 1);
    let project = farm.path("www/simple/markupsafe");
    let page = std::fs::read_to_string(project.join("index.html")).unwrap();
    let [link] = &links(&page)[..] else { panic!("{page}") };
    assert!(link.starts_with(&format!("{file}#sha256=")), "{link}");
    assert!(!page.contains("armv6l"), "{page}");
    let wheel = project.join(file);
    let metadata = std::fs::read(project.join(format!("{file}.metadata"))).unwrap();
    assert_eq!(metadata, member(&wheel, |name| name.ends_with(".dist-info/METADATA")));
    let metadata = String::from_utf8(metadata).unwrap();
    assert!(metadata.contains("\nName: MarkupSafe\nVersion: 2.1.5\n"), "{metadata}");
    let tags = String::from_utf8(member(&wheel, |name| name.ends_with(".dist-info/WHEEL"))).unwrap();
    assert!(tags.contains(&format!("\nTag: {abi}-{abi}-linux_armv7l\n")), "{tags}");
    // elf(5): 32 bits, little-endian, a shared object, for machine 40, which is ARM
    let library = member(&wheel, |name| name.contains("/_speedups.") && name.ends_with(".so"));
    assert_eq!(library[..6], *b"\x7fELF\x01\x01");
    assert_eq!(library[16..20], [3, 0, 40, 0]);

    // only the operator can say that its wheels do for older boards, and takes it back
    farm.piw(&["policy", "aliases", "linux_armv7l=linux_armv6l", "--reason", "the compiler is told ARMv6"]);
    assert_eq!(farm.crawl(), 2);
    let alias = project.join(file.replace("armv7l", "armv6l"));
    assert_eq!(std::fs::read(&alias).unwrap(), std::fs::read(&wheel).unwrap());
    farm.piw(&["policy", "aliases", "default"]);
    assert_eq!(farm.crawl(), 1);
    assert!(!alias.exists());

    // a slave that is told to stop says so by its exit code, also there
    slave.signal(Signal::SIGTERM);
    assert_eq!(slave.wait(), 0, "{}", slave.log());
    assert!(!slave.log().contains("panicked"), "{}", slave.log());
    farm.audit();

    let web = WebServer::start(&farm.path("www"));
    let code = format!(
        "python3 -m pip install --quiet --no-deps --only-binary=:all: --index-url {} --target /tmp/site markupsafe && \
         PYTHONPATH=/tmp/site python3 -c 'import markupsafe._speedups, markupsafe; print(markupsafe.escape(\"<\"))'",
        web.url
    );
    assert_eq!(board.answer(&[], &["sh", "-c", &code]), "&lt;");
    drop(farm.master.take());
}
