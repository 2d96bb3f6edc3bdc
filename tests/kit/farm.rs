//! A whole farm on this machine: PostgreSQL, the real master, real slaves, the real tools.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use piwheels::domain::Sha256;
use postgres::NoTls;
use serde_json::Value;

use super::account;
use super::cluster::{Cluster, Database, MASTER};
use super::index::Index;
use super::wait::until;

/// A program of the farm that runs; ended without ceremony when it is dropped.
pub(crate) struct Running {
    child: Child,
    pub(crate) log: PathBuf,
}

impl Running {
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits for a line that has all of `words`, beginning after the first `from` bytes of the log.
    pub(crate) fn wait_for_line(&self, from: usize, words: &[&str]) -> String {
        until(
            &format!("line with {words:?}"),
            || self.log(),
            || {
                let log = self.log();
                let found =
                    log.get(from..)?.lines().find(|line| words.iter().all(|word| line.contains(word)))?;
                Some(found.to_owned())
            },
        )
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `kill -9`, and gone.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end; the exit code.
    pub(crate) fn wait(&mut self) -> i32 {
        let log = self.log.clone();
        let status = until(
            "end of the program",
            || fs::read_to_string(&log).unwrap_or_default(),
            || self.child.try_wait().unwrap(),
        );
        status.code().unwrap_or(-1)
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) struct Farm {
    pub(crate) master: Option<Running>,
    pub(crate) cluster: Cluster,
    database: String,
    pub(crate) index: Index,
    pub(crate) slave_port: u16,
    pub(crate) file_port: u16,
    addresses: Option<(String, String)>,
    options: Vec<String>,
    // last, so that everything in it has ended before it goes
    dir: tempfile::TempDir,
}

impl Farm {
    /// A farm with an index of its own that builds for these ABIs; `options` go to the master, `{run}` in them is a
    /// directory for sockets.
    pub(crate) fn start(abis: &[&str], options: &[&str]) -> Self {
        Self::start_with(abis, options, None, Cluster::start(false))
    }

    /// The same on a database that forces to the disk what it commits.
    pub(crate) fn start_durable(abis: &[&str], options: &[&str]) -> Self {
        Self::start_with(abis, options, None, Cluster::start(true))
    }

    /// The same on a cluster of the caller's.
    pub(crate) fn start_on(cluster: Cluster, abis: &[&str], options: &[&str]) -> Self {
        Self::start_with(abis, options, None, cluster)
    }

    /// The same, following the index that pip is configured for.
    pub(crate) fn start_on_the_real_index(abis: &[&str]) -> Self {
        Self::start_with(abis, &[], Some(()), Cluster::start(false))
    }

    fn start_with(abis: &[&str], options: &[&str], real_index: Option<()>, cluster: Cluster) -> Self {
        let database = cluster.database().name.clone();
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for part in ["bin", "www", "spool", "run", "log", "gates"] {
            fs::create_dir(dir.path().join(part)).unwrap();
            account::give(&dir.path().join(part));
        }
        let mut farm = Self {
            master: None,
            cluster,
            database,
            index: Index::start(),
            slave_port: 0,
            file_port: 0,
            addresses: None,
            options: options.iter().map(|o| (*o).to_owned()).collect(),
            dir,
        };
        if real_index.is_none() {
            farm.options.extend(["--pypi-simple".to_owned(), farm.index.url.clone()]);
        }
        farm.start_master();
        for abi in abis {
            farm.piw(&["abi", "add", abi]);
        }
        farm
    }

    /// The next master works with this database of this cluster; the old cluster ends.
    pub(crate) fn move_to(&mut self, cluster: Cluster, database: &str) {
        assert!(self.master.is_none());
        self.cluster = cluster;
        database.clone_into(&mut self.database);
    }

    pub(crate) fn path(&self, part: &str) -> PathBuf {
        self.dir.path().join(part)
    }

    /// A file that a build waits for.
    pub(crate) fn gate(&self, name: &str) -> PathBuf {
        self.path("gates").join(name)
    }

    pub(crate) fn open(&self, gate: &Path) {
        fs::write(gate, "").unwrap();
    }

    pub(crate) fn dsn(&self) -> String {
        self.cluster.dsn(&self.database, MASTER)
    }

    /// The master's command line, with other options appended.
    pub(crate) fn master_command(&self, more: &[&str]) -> Command {
        let mut command =
            account::command(account::runnable(env!("CARGO_BIN_EXE_piw-master"), &self.path("bin")));
        // the disk that tests run on may be small, and is not what they are about
        command.env("PIW_DISK_FLOOR", "0").arg("-v").arg("-d").arg(self.dsn());
        command.arg("-o").arg(self.path("www")).arg("--spool-path").arg(self.path("spool"));
        match &self.addresses {
            Some((slaves, files)) => command.args(["--slave-queue", slaves, "--file-queue", files]),
            None => command.args([
                format!("--slave-queue=tcp://127.0.0.1:{}", self.slave_port),
                format!("--file-queue=tcp://127.0.0.1:{}", self.file_port),
            ]),
        };
        command.arg("--keys-file").arg(self.path("run/keys"));
        for queue in ["import", "status", "control"] {
            let path = self.path("run").join(queue);
            command.arg(format!("--{queue}-queue")).arg(format!("ipc://{}", path.display()));
        }
        let run = self.path("run").display().to_string();
        command.args(self.options.iter().map(|option| option.replace("{run}", &run))).args(more);
        command
    }

    /// Makes a key for a slave: the line for its key file.
    pub(crate) fn add_key(&self, name: &str) -> String {
        let output = self.master_command(&["--add-slave", name]).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Takes a slave's key away.
    pub(crate) fn revoke(&self, name: &str) {
        let output = self.master_command(&["--revoke", name]).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
    }

    /// Where the next master listens, instead of on ports of 127.0.0.1.
    pub(crate) fn use_addresses(&mut self, slaves: &str, files: &str) {
        self.addresses = Some((slaves.to_owned(), files.to_owned()));
    }

    pub(crate) fn spawn(&self, mut command: Command, name: &str) -> Running {
        let log = self.path("log").join(name);
        let file = File::options().append(true).create(true).open(&log).unwrap();
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        Running { child: command.spawn().unwrap(), log }
    }

    /// Starts the master, on the ports it had before if it ran before, and waits until it is ready.
    pub(crate) fn start_master(&mut self) {
        assert!(self.master.is_none());
        let log = self.path("log/master");
        let before = fs::read_to_string(log).unwrap_or_default().len();
        let master = self.spawn(self.master_command(&[]), "master");
        master.wait_for_line(before, &["piw-master: ready"]);
        let port = |channel: &str| {
            let line = master.wait_for_line(before, &[&format!("listening for {channel} connections")]);
            line.rsplit(':').next().unwrap().parse().unwrap()
        };
        (self.slave_port, self.file_port) = (port("Slave"), port("File"));
        self.master = Some(master);
    }

    /// Starts another master with these options beside those that the first had.
    pub(crate) fn restart_with(&mut self, options: &[&str]) {
        self.kill_master();
        self.options.extend(options.iter().map(|option| (*option).to_owned()));
        self.start_master();
    }

    pub(crate) fn master(&self) -> &Running {
        self.master.as_ref().unwrap()
    }

    /// `kill -9`.
    pub(crate) fn kill_master(&mut self) {
        self.master.take().unwrap().kill();
    }

    /// A real slave with the test's interpreter.
    pub(crate) fn start_slave(&self, label: &str) -> Running {
        self.start_slave_with(label, &python(), &[])
    }

    pub(crate) fn start_slave_with(&self, label: &str, python: &Path, options: &[&str]) -> Running {
        self.spawn(self.slave_command(label, python, options), label)
    }

    /// The command line of a slave.
    pub(crate) fn slave_command(&self, label: &str, python: &Path, options: &[&str]) -> Command {
        let mut command =
            account::command(account::runnable(env!("CARGO_BIN_EXE_piw-slave"), &self.path("bin")));
        let dir = self.path(&format!("slave-{label}"));
        if !dir.exists() {
            fs::create_dir(&dir).unwrap();
            account::give(&dir);
        }
        // the disk that tests run on may be small, and is not what they are about
        command.args(["-v", "--label", label]).env("PIW_DISK_FLOOR", "0");
        if !options.contains(&"-m") {
            command.args(["-m", "127.0.0.1"]);
        }
        if !options.contains(&"--slave-port") {
            command.arg("--slave-port").arg(self.slave_port.to_string());
            command.arg("--file-port").arg(self.file_port.to_string());
        }
        // the gates that packages wait at
        command.arg("--expose").arg(self.dir.path());
        command.arg("--python").arg(python).arg("--dir").arg(dir).args(options);
        command
    }

    /// Runs `piw` with these arguments; it must succeed.
    pub(crate) fn piw(&self, arguments: &[&str]) -> String {
        let output = self.piw_command(arguments).output().unwrap();
        assert!(output.status.success(), "piw {arguments:?}: {}\n{}", text(&output), self.logs());
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn piw_command(&self, arguments: &[&str]) -> Command {
        let mut command = account::command(account::runnable(env!("CARGO_BIN_EXE_piw"), &self.path("bin")));
        for queue in ["import", "status", "control"] {
            let path = self.path("run").join(queue);
            command.arg(format!("--{queue}-queue")).arg(format!("ipc://{}", path.display()));
        }
        command.args(arguments);
        command
    }

    /// The command line of `piw-logger`.
    pub(crate) fn logger_command(&self, arguments: &[&str]) -> Command {
        let mut command =
            account::command(account::runnable(env!("CARGO_BIN_EXE_piw-logger"), &self.path("bin")));
        command.arg("--import-queue").arg(format!("ipc://{}", self.path("run/import").display()));
        command.args(arguments);
        command
    }

    /// The command line of `piw-import` or `piw-remove`.
    pub(crate) fn tool_command(&self, tool: &str, arguments: &[&str]) -> Command {
        self.toolbox().command(tool, arguments)
    }

    /// What runs such tools beside whatever else is done to the farm.
    pub(crate) fn toolbox(&self) -> Toolbox {
        let tools = Toolbox { bin: self.path("bin"), queue: self.path("run/import") };
        // a copy that another thread's child holds open cannot be run: made before there is one
        ["piw-import", "piw-remove"].iter().for_each(|tool| drop(tools.command(tool, &[])));
        tools
    }

    /// Runs such a tool, with this on its standard input: its exit code, and what it printed.
    pub(crate) fn tool(&self, tool: &str, arguments: &[&str], input: &str) -> (i32, String) {
        let mut command = self.tool_command(tool, arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // one that refuses before it reads has closed it
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        (output.status.code().unwrap_or(-1), text(&output))
    }

    /// What `piw why` says of one version for one ABI.
    pub(crate) fn why(&self, package: &str, abi: &str) -> Option<Value> {
        let output = self.piw_command(&["why", "--json", package]).output().unwrap();
        let answer: Value = serde_json::from_slice(&output.stdout).ok()?;
        let builds = answer["versions"][0]["builds"].as_array()?;
        builds.iter().find(|build| build["abi"] == abi).cloned()
    }

    /// Waits until a version is in a state for an ABI; what `piw why` then says.
    pub(crate) fn wait_for_state(&self, package: &str, abi: &str, state: &str) -> Value {
        until(
            &format!("{package} {state} for {abi}"),
            || self.logs(),
            || self.why(package, abi).filter(|build| build["state"] == state),
        )
    }

    /// The logs of everything, for a failure's message.
    pub(crate) fn logs(&self) -> String {
        let mut all = String::new();
        for entry in fs::read_dir(self.path("log")).unwrap() {
            let path = entry.unwrap().path();
            let text = fs::read_to_string(&path).unwrap_or_default();
            all += &format!("--- {}\n{text}", path.display());
        }
        all
    }

    /// One number out of the database.
    pub(crate) fn count(&self, query: &str) -> i64 {
        let database = self.cluster.reopen(&self.database);
        let mut client = database.superuser();
        client.query_one(query, &[]).unwrap().get(0)
    }

    /// One text out of the database.
    pub(crate) fn look(&self, query: &str) -> String {
        let database = self.cluster.reopen(&self.database);
        let mut client = database.superuser();
        client.query_one(query, &[]).unwrap().get(0)
    }

    /// Changes the database behind the farm's back.
    pub(crate) fn execute(&self, statements: &str) {
        self.database().superuser().batch_execute(statements).unwrap();
    }

    /// Its database.
    pub(crate) fn database(&self) -> Database<'_> {
        self.cluster.reopen(&self.database)
    }

    /// What became of a build: its published log.
    pub(crate) fn build_log(&self, build: &Value) -> String {
        let path = piwheels::master::writer::log_path(piwheels::domain::BuildId(
            build["build_id"].as_i64().unwrap(),
        ));
        let output = Command::new("gzip").arg("-dc").arg(self.path("www").join(path)).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Follows every link of the index as a client would: each file is there with the digest that its link says, its
    /// metadata too, and every file there is has a row. How many files there are. Waits until no page is due.
    pub(crate) fn crawl(&self) -> usize {
        until(
            "end of page writing",
            || self.logs(),
            || (self.count("SELECT count(*) FROM piw.rewrite") == 0).then_some(()),
        );
        let simple = self.path("www/simple");
        let root = fs::read_to_string(simple.join("index.html")).unwrap();
        let json = |dir: &Path| -> Value {
            serde_json::from_slice(&fs::read(dir.join("index.v1_json")).unwrap()).unwrap()
        };
        let listed = |page: &Value, list: &str, key: &str| -> Vec<String> {
            let entries = page[list].as_array().unwrap().iter();
            entries.map(|entry| entry[key].as_str().unwrap().to_owned()).collect()
        };
        let projects = listed(&json(&simple), "projects", "name");
        assert_eq!(links(&root), projects.iter().map(|name| format!("{name}/")).collect::<Vec<_>>());
        let mut files = 0;
        for project in links(&root) {
            let dir = simple.join(project.trim_end_matches('/'));
            let page = json(&dir);
            let urls = listed(&page, "files", "url");
            let hashes =
                page["files"].as_array().unwrap().iter().map(|f| f["hashes"]["sha256"].as_str().unwrap());
            let with_hashes: Vec<_> =
                urls.iter().zip(hashes).map(|(url, hash)| format!("{url}#sha256={hash}")).collect();
            assert_eq!(
                links(&fs::read_to_string(dir.join("index.html")).unwrap()),
                with_hashes,
                "HTML and JSON"
            );
            for (file, url) in page["files"].as_array().unwrap().iter().zip(&urls) {
                assert_eq!(fs::metadata(dir.join(url)).unwrap().len(), file["size"], "{url}");
            }
            for link in links(&fs::read_to_string(dir.join("index.html")).unwrap()) {
                let (name, digest) = link.split_once("#sha256=").unwrap();
                let bytes = fs::read(dir.join(name)).unwrap_or_else(|e| panic!("broken link {link}: {e}"));
                assert_eq!(Sha256::of(&bytes).to_string(), digest, "{name}");
                assert!(dir.join(format!("{name}.metadata")).is_file(), "{name} has no metadata beside it");
                files += 1;
            }
        }
        for project in fs::read_dir(self.path("www/project")).into_iter().flatten() {
            let dir = project.unwrap().path();
            for link in links(&fs::read_to_string(dir.join("index.html")).unwrap()) {
                let path = link.split('#').next().unwrap_or_default();
                assert!(dir.join(path).exists(), "broken link {link} in {}", dir.display());
            }
        }
        let offered = "SELECT count(*) FROM piw.page_file f";
        assert_eq!(files as i64, self.count(offered), "rows and links");
        files
    }

    /// Nothing but the master's lock is in the spool. The page of slaves may just pass through it.
    pub(crate) fn wait_for_empty_spool(&self) {
        let left = || -> Vec<_> {
            let entries = fs::read_dir(self.path("spool")).unwrap();
            entries.flatten().map(|entry| entry.file_name()).filter(|name| name != ".piw-lock").collect()
        };
        until("empty spool", || format!("{:?}", left()), || left().is_empty().then_some(()));
    }

    /// The database's own audit finds nothing.
    pub(crate) fn audit(&self) {
        let database = self.cluster.reopen(&self.database);
        let found =
            database.config("postgres").connect(NoTls).unwrap().query("SELECT * FROM piw.audit()", &[]);
        assert!(found.unwrap().is_empty(), "the audit found something");
    }
}

/// `piw-import` and `piw-remove` of a farm.
#[derive(Clone)]
pub(crate) struct Toolbox {
    bin: PathBuf,
    queue: PathBuf,
}

impl Toolbox {
    pub(crate) fn command(&self, tool: &str, arguments: &[&str]) -> Command {
        let program = match tool {
            "piw-import" => env!("CARGO_BIN_EXE_piw-import"),
            "piw-remove" => env!("CARGO_BIN_EXE_piw-remove"),
            other => panic!("no tool {other}"),
        };
        let mut command = account::command(account::runnable(program, &self.bin));
        command.arg("--import-queue").arg(format!("ipc://{}", self.queue.display()));
        command.args(arguments).stdin(Stdio::null());
        command
    }
}

/// The targets of a page's links.
pub(crate) fn links(page: &str) -> Vec<String> {
    page.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
}

/// An interpreter that the tests' account can run, with pip.
pub(crate) fn python() -> PathBuf {
    std::env::var_os("PIW_TEST_PYTHON").map_or_else(|| PathBuf::from("/usr/bin/python3"), PathBuf::from)
}

/// The ABI of an interpreter.
pub(crate) fn abi_of(python: &Path) -> String {
    let question = "import sys; print('cp%d%d' % sys.version_info[:2])";
    let output = account::command(python).args(["-c", question]).output().unwrap();
    assert!(output.status.success(), "{}: {}", python.display(), text(&output));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Everything that a program printed.
pub(crate) fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
