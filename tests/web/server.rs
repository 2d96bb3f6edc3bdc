//! A real web server over a tree, started by `tools/web/serve` from the recipe itself.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::http::{Answer, ask};
use crate::kit::account;
use crate::kit::wait::until;

/// The servers that there are recipes for, as `serve` calls them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Nginx,
    Apache,
    Caddy,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Apache => "apache",
            Self::Caddy => "caddy",
        }
    }
}

/// A server that runs; ended when it is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
    run: tempfile::TempDir,
}

impl Server {
    /// Serves a tree; why not, where this server is not to be had here.
    pub(crate) fn start(kind: Kind, www: &Path) -> Result<Self, String> {
        // the port that was free may just have been taken
        for _ in 0..5 {
            if let Some(server) = Self::try_start(kind, www)? {
                return Ok(server);
            }
        }
        panic!("{kind:?} finds no port")
    }

    fn try_start(kind: Kind, www: &Path) -> Result<Option<Self>, String> {
        let run = tempfile::tempdir().unwrap();
        account::give(run.path());
        let tools = tools(run.path());
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = account::command("bash");
        command.arg(tools.join("serve")).arg(kind.name()).arg("--root").arg(www);
        command.arg("--run").arg(run.path()).arg("--listen").arg(format!("127.0.0.1:{port}"));
        let said = fs::File::create(run.path().join("said")).unwrap();
        command.stdin(Stdio::null()).stdout(said.try_clone().unwrap()).stderr(said);
        let mut server = Self { child: command.spawn().unwrap(), port, run };
        let ended = until(
            "web server",
            || format!("{kind:?}"),
            || match server.child.try_wait().unwrap() {
                Some(status) => Some(Some(status)),
                None => TcpStream::connect(("127.0.0.1", port)).ok().map(|_| None),
            },
        );
        match ended {
            None => Ok(Some(server)),
            Some(status) if status.code() == Some(3) => Err(server.said().trim().to_owned()),
            Some(_) if server.said().to_lowercase().contains("address already in use") => Ok(None),
            Some(status) => panic!("{kind:?} ended with {status}\n{}", server.said()),
        }
    }

    /// The index's address, for clients.
    pub(crate) fn simple(&self) -> String {
        format!("http://127.0.0.1:{}/simple/", self.port)
    }

    pub(crate) fn get(&self, target: &str, headers: &[&str]) -> Answer {
        ask(self.port, "GET", target, headers)
    }

    /// Its access log.
    pub(crate) fn log(&self) -> PathBuf {
        self.run.path().join("access.log")
    }

    /// All that it said of itself.
    pub(crate) fn said(&self) -> String {
        ["said", "error.log"]
            .map(|name| fs::read_to_string(self.run.path().join(name)).unwrap_or_default())
            .concat()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.child.id() as i32), Signal::SIGTERM);
        let _ = self.child.wait();
    }
}

/// `tools/web` where the tests' account can read it.
pub(crate) fn tools(dir: &Path) -> PathBuf {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/web");
    if account::ordinary().is_none() {
        return tools;
    }
    let copy = dir.join("tools");
    let status = Command::new("cp").arg("-r").arg(tools).arg(&copy).status().unwrap();
    assert!(status.success());
    copy
}

/// Notes a test that cannot run here, where the runner shows it.
pub(crate) fn skip(test: &str, reason: &str) {
    eprintln!("skipped: {test}: {reason}");
    if let Some(file) = std::env::var_os("PIW_TEST_SKIPPED") {
        use std::io::Write;
        let mut file = fs::File::options().append(true).create(true).open(file).unwrap();
        writeln!(file, "{test}: {reason}").unwrap();
    }
}
