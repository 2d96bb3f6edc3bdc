//! A PostgreSQL server of the tests' own: on a Unix socket in a directory of its own, as an ordinary account.
//!
//! Making a cluster takes seconds, so one is made per build, with the farm's schema in a template database, and kept
//! in Cargo's directory for tests; each process starts a copy of it, and each test gets a database made from the
//! template. `Cluster::shared` is one per process, `Cluster::start` one of the caller's own, to stop and restart.
//!
//! The server ends with the process that started it, however that ends: a shell beside it reads from a pipe whose
//! other end only we hold, and kills the server when the pipe closes.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use piwheels::admin::initdb;
use piwheels::schema;
use postgres::{Client, NoTls};

use super::account;

/// The super-user of the tests' clusters.
pub(crate) const SUPERUSER: &str = "postgres";

/// The ordinary role that piw-initdb admitted, as the master's.
pub(crate) const MASTER: &str = "farm";

/// The database every test's database is made from.
const TEMPLATE: &str = "piw_template";

/// How long a server may take to start or stop before the test fails; crash recovery included.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the shell beside the server does: waits for a line that names a signal, or for the end of the pipe; then it
/// signals the server and waits for it. At the end of the pipe it removes the server's directory too.
const KEEPER: &str = r#"
dir=$1; shift
"$@" </dev/null >>"$dir/log" 2>&1 &
server=$!
if read -r signal; then
    kill -s "$signal" "$server"; wait "$server"
else
    kill -s QUIT "$server"; wait "$server"; rm -rf "$dir"
fi
"#;

/// How a server is stopped.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stop {
    /// Sessions are ended, everything is written.
    Fast,
    /// As if it had crashed: recovery at the next start.
    Immediate,
}

/// A running or stopped server with its files.
pub(crate) struct Cluster {
    dir: PathBuf,
    fsync: bool,
    settings: Vec<String>,
    keeper: Option<Child>,
}

impl Cluster {
    /// The one server of this process, without fsync: for tests of SQL.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(false))
    }

    /// Starts a server of the caller's own. Without `fsync` it is faster, and what it wrote survives no power cut.
    pub(crate) fn start(fsync: bool) -> Self {
        Self::start_with(fsync, &[])
    }

    /// The same with settings of its own, each as `name=value`.
    pub(crate) fn start_with(fsync: bool, settings: &[&str]) -> Self {
        let cache = cached();
        let settings = settings.iter().map(|s| (*s).to_owned()).collect();
        let mut cluster = Self { dir: own_dir(), fsync, settings, keeper: None };
        copy(&cache, &cluster.data());
        cluster.restart();
        cluster
    }

    /// Starts a stopped server again, and waits until it takes connections.
    pub(crate) fn restart(&mut self) {
        assert!(self.keeper.is_none(), "the server runs already");
        let mut keeper = account::command("/bin/sh");
        keeper.arg("-c").arg(KEEPER).arg("keeper").arg(&self.dir).arg(binaries().join("postgres"));
        keeper.arg("-D").arg(self.data()).arg("-k").arg(&self.dir);
        for setting in ["listen_addresses=", "jit=off", "shared_buffers=32MB", "max_connections=50"] {
            keeper.arg("-c").arg(setting);
        }
        if !self.fsync {
            keeper.args(["-c", "fsync=off", "-c", "full_page_writes=off"]);
        }
        // the last word on a setting counts
        for setting in &self.settings {
            keeper.arg("-c").arg(setting);
        }
        // its own process group: an interrupt at the terminal reaches us, and the pipe tells the keeper
        keeper.stdin(Stdio::piped()).stdout(Stdio::null()).process_group(0);
        self.keeper = Some(keeper.spawn().unwrap());
        let deadline = Instant::now() + PATIENCE;
        while let Err(error) = self.config("postgres", SUPERUSER).connect(NoTls) {
            assert!(Instant::now() < deadline, "{error}; the server's log:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Stops the server and waits until it is gone.
    pub(crate) fn stop(&mut self, how: Stop) {
        let mut keeper = self.keeper.take().expect("the server runs");
        let signal: &[u8] = match how {
            Stop::Fast => b"INT\n",
            Stop::Immediate => b"QUIT\n",
        };
        keeper.stdin.take().unwrap().write_all(signal).unwrap();
        keeper.wait().unwrap();
    }

    /// A new database with the farm's schema, to which [`MASTER`] is admitted.
    pub(crate) fn database(&self) -> Database<'_> {
        self.database_from(TEMPLATE)
    }

    /// A new database with nothing in it.
    pub(crate) fn empty_database(&self) -> Database<'_> {
        self.database_from("template0")
    }

    /// A database that was made before, after a restart.
    pub(crate) fn reopen(&self, name: &str) -> Database<'_> {
        Database { cluster: self, name: name.to_owned() }
    }

    /// A DSN, as an operator would write it.
    pub(crate) fn dsn(&self, database: &str, user: &str) -> String {
        format!("postgres://{user}@/{database}?host={}", self.dir.display())
    }

    /// One of PostgreSQL's own programs, which connects to a database of this cluster as its super-user.
    pub(crate) fn tool(&self, program: &str, database: &str) -> Command {
        let mut command = account::command(binaries().join(program));
        command.arg("--host").arg(&self.dir).args(["--username", SUPERUSER, "--dbname", database]);
        command
    }

    /// A directory that the ordinary account can read and that goes with the cluster.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    fn database_from(&self, template: &str) -> Database<'_> {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let mut client = self.config("postgres", SUPERUSER).connect(NoTls).unwrap();
        client.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE {template}")).unwrap();
        Database { cluster: self, name }
    }

    fn config(&self, database: &str, user: &str) -> postgres::Config {
        let mut config = postgres::Config::new();
        config.host_path(&self.dir).dbname(database).user(user);
        config
    }

    fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        match self.keeper.take() {
            Some(mut keeper) => {
                drop(keeper.stdin.take());
                let _ = keeper.wait();
            }
            None => {
                let _ = fs::remove_dir_all(&self.dir);
            }
        }
    }
}

/// A database of one test.
pub(crate) struct Database<'a> {
    cluster: &'a Cluster,
    pub(crate) name: String,
}

impl Database<'_> {
    /// A session of the super-user, for what the farm itself may not do.
    pub(crate) fn superuser(&self) -> Client {
        self.config(SUPERUSER).connect(NoTls).unwrap()
    }

    /// A session as the master has it, without its limits.
    pub(crate) fn master(&self) -> Client {
        self.config(MASTER).connect(NoTls).unwrap()
    }

    /// The settings to connect as a role.
    pub(crate) fn config(&self, user: &str) -> postgres::Config {
        self.cluster.config(&self.name, user)
    }

    /// A DSN, as an operator would write it.
    pub(crate) fn dsn(&self, user: &str) -> String {
        self.cluster.dsn(&self.name, user)
    }
}

/// The directory with `postgres` and `initdb`: the newest server that is installed.
fn binaries() -> &'static Path {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| {
        let mut dirs: Vec<PathBuf> =
            std::env::var_os("PIW_TEST_PG_BIN").into_iter().map(PathBuf::from).collect();
        dirs.extend(std::env::var_os("PATH").iter().flat_map(std::env::split_paths));
        if let Ok(output) = Command::new("pg_config").arg("--bindir").output() {
            dirs.push(String::from_utf8_lossy(&output.stdout).trim().into());
        }
        if let Ok(versions) = fs::read_dir("/usr/lib/postgresql") {
            let mut versions: Vec<PathBuf> = versions.map(|entry| entry.unwrap().path()).collect();
            versions.sort_by_key(|dir| {
                std::cmp::Reverse(
                    dir.file_name().and_then(|n| n.to_str()).and_then(|n| n.parse::<u32>().ok()),
                )
            });
            dirs.extend(versions.into_iter().map(|dir| dir.join("bin")));
        }
        let found =
            dirs.into_iter().find(|dir| dir.join("postgres").is_file() && dir.join("initdb").is_file());
        found.expect("PostgreSQL's server programs: install postgresql, or put their directory into PATH")
    })
}

/// The data directory that copies are made from; made by the first process that needs it, while others wait.
fn cached() -> PathBuf {
    let root = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(&root).unwrap();
    let name = format!("cluster-{:016x}", fingerprint());
    let cache = root.join(&name);
    let lock = File::create(root.join("cluster.lock")).unwrap();
    lock.lock().unwrap();
    if cache.is_dir() {
        return cache;
    }
    for entry in fs::read_dir(&root).unwrap() {
        let path = entry.unwrap().path();
        let stale = path.file_name().and_then(|n| n.to_str()).is_some_and(|n| n.starts_with("cluster-"));
        if stale {
            fs::remove_dir_all(path).unwrap();
        }
    }
    let made = make();
    let half = root.join(format!("{name}.half"));
    copy(&made.data(), &half);
    fs::rename(half, &cache).unwrap();
    cache
}

/// Of everything that the cached cluster is made from.
fn fingerprint() -> u64 {
    let mut hasher = DefaultHasher::new();
    binaries().hash(&mut hasher);
    account::ordinary().map(|user| user.uid.as_raw()).hash(&mut hasher);
    for script in schema::TABLES.iter().chain(schema::FUNCTIONS) {
        script.sql.hash(&mut hasher);
    }
    schema::SCHEMA_VERSION.hash(&mut hasher);
    include_str!("cluster.rs").hash(&mut hasher);
    hasher.finish()
}

/// A stopped cluster with the template database.
fn make() -> Cluster {
    let mut cluster = Cluster { dir: own_dir(), fsync: false, settings: Vec::new(), keeper: None };
    let output = account::command(binaries().join("initdb"))
        .args(["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--wal-segsize=1"])
        .args(["--username", SUPERUSER])
        .arg(cluster.data())
        .output()
        .unwrap();
    assert!(output.status.success(), "initdb: {}", String::from_utf8_lossy(&output.stderr));
    cluster.restart();
    let mut client = cluster.config("postgres", SUPERUSER).connect(NoTls).unwrap();
    client.batch_execute(&format!("CREATE ROLE {MASTER} LOGIN")).unwrap();
    client.batch_execute(&format!("CREATE DATABASE {TEMPLATE}")).unwrap();
    drop(client);
    let settings = initdb::Settings { dsn: cluster.dsn(TEMPLATE, SUPERUSER), user: MASTER.to_owned() };
    assert_eq!(initdb::run(&settings, &mut |_| true, &mut |_| {}), Ok(initdb::Done::Created));
    cluster.stop(Stop::Fast);
    cluster
}

fn own_dir() -> PathBuf {
    // short, because a socket's path has room for 107 bytes
    let dir = tempfile::Builder::new().prefix("piw-pg-").tempdir_in("/tmp").unwrap().keep();
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
    account::give(&dir);
    dir
}

fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(status.success(), "cp -a {} {}", from.display(), to.display());
}
