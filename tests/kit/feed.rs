//! The changelog of the tests' index: rows that Python's own XML-RPC server encodes.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::farm::python;

pub(crate) struct Feed {
    child: Child,
    pub(crate) url: String,
    path: PathBuf,
    rows: Vec<Value>,
    _dir: tempfile::TempDir,
}

impl Feed {
    pub(crate) fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rows");
        fs::write(&path, "[]").unwrap();
        let mut child = Command::new(python())
            .args(["-c", include_str!("feed.py")])
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Self {
            url: format!("http://127.0.0.1:{}/pypi", port.trim()),
            child,
            path,
            rows: Vec::new(),
            _dir: dir,
        }
    }

    /// Something happened just now.
    pub(crate) fn add(&mut self, serial: u64, package: &str, version: Option<&str>, action: &str) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        self.rows.push(json!([package, version, now, action, serial]));
        self.write(&Value::from(self.rows.clone()));
    }

    /// It answers with a fault until the next row is added.
    pub(crate) fn fail(&self, text: &str) {
        self.write(&Value::from(text));
    }

    fn write(&self, content: &Value) {
        // whole or not at all: it may be read at any moment
        let new = self.path.with_extension("new");
        fs::write(&new, content.to_string()).unwrap();
        fs::rename(&new, &self.path).unwrap();
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
