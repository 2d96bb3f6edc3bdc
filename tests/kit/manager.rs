//! A service manager, as far as what it is told (sd_notify(3)).

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Far more than anything takes, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Manager {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Manager {
    /// Listens in this directory, to any account.
    pub(crate) fn listen(dir: &Path) -> Self {
        let path = dir.join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, path }
    }

    /// The value of NOTIFY_SOCKET.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The next words.
    pub(crate) fn next(&self) -> String {
        let mut buffer = [0; 4096];
        let length = self.socket.recv(&mut buffer).expect("the program says nothing");
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    /// Waits for words that begin so; what was said before, without signs of life.
    pub(crate) fn wait_for(&self, beginning: &str) -> Vec<String> {
        let deadline = Instant::now() + PATIENCE;
        let mut before = Vec::new();
        loop {
            let said = self.next();
            if said.starts_with(beginning) {
                return before;
            }
            assert!(Instant::now() < deadline, "no {beginning} after {before:?}");
            if said != "WATCHDOG=1" {
                before.push(said);
            }
        }
    }
}
