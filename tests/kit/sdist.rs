//! Source distributions that need nothing but themselves to build: their PEP 517 backend is in the tree.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a package does when it is built.
pub(crate) struct Recipe {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    /// The wheel is for one ABI; pure otherwise.
    pub(crate) native: bool,
    /// The build ends with an error.
    pub(crate) fails: bool,
    /// The build waits until this file exists.
    pub(crate) gate: Option<PathBuf>,
    /// Random bytes in the wheel: no two builds are the same.
    pub(crate) bytes: usize,
    /// Requires-Dist, a line each.
    pub(crate) requires: &'static [&'static str],
}

impl Recipe {
    pub(crate) fn native(name: &'static str, version: &'static str) -> Self {
        Self { name, version, native: true, fails: false, gate: None, bytes: 100, requires: &[] }
    }

    pub(crate) fn pure(name: &'static str, version: &'static str) -> Self {
        Self { native: false, ..Self::native(name, version) }
    }

    pub(crate) fn failing(name: &'static str, version: &'static str) -> Self {
        Self { fails: true, ..Self::native(name, version) }
    }

    pub(crate) fn behind(self, gate: &Path) -> Self {
        Self { gate: Some(gate.to_owned()), ..self }
    }

    pub(crate) fn requiring(self, requires: &'static [&'static str]) -> Self {
        Self { requires, ..self }
    }

    pub(crate) fn with_bytes(self, bytes: usize) -> Self {
        Self { bytes, ..self }
    }

    /// Packs it into `dir`; the file's path.
    pub(crate) fn pack(&self, dir: &Path) -> PathBuf {
        let stem = format!("{}-{}", self.name, self.version);
        let tree = dir.join(&stem);
        fs::create_dir_all(&tree).unwrap();
        let project = "[build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n";
        fs::write(tree.join("pyproject.toml"), project).unwrap();
        let metadata = format!("Metadata-Version: 2.1\nName: {}\nVersion: {}\n", self.name, self.version);
        fs::write(tree.join("PKG-INFO"), metadata).unwrap();
        let text = |value: bool| if value { "True" } else { "False" };
        let gate = self.gate.as_ref().map_or(String::new(), |gate| gate.display().to_string());
        let head = format!(
            "NAME, VERSION, NATIVE, FAILS, GATE, BYTES, REQUIRES = {:?}, {:?}, {}, {}, {gate:?}, {}, {:?}\n",
            self.name,
            self.version,
            text(self.native),
            text(self.fails),
            self.bytes,
            self.requires
        );
        fs::write(tree.join("backend.py"), head + include_str!("backend.py")).unwrap();
        let file = dir.join(format!("{stem}.tar.gz"));
        let packed =
            Command::new("tar").arg("-C").arg(dir).arg("-czf").arg(&file).arg(&stem).status().unwrap();
        assert!(packed.success());
        fs::remove_dir_all(&tree).unwrap();
        file
    }
}
