//! Wheels without a build: what somebody has who imports them.

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use super::account;

/// A wheel that pip installs: a module that says what it is.
pub(crate) struct Wheel {
    /// As METADATA and the file's name spell it.
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    /// Such as `py3-none-any`.
    pub(crate) tags: String,
    /// What the module says: other bytes.
    pub(crate) says: &'static str,
    /// Bytes of something else in it.
    pub(crate) ballast: usize,
    /// What METADATA has for the version, where that is another one.
    pub(crate) metadata_version: Option<&'static str>,
}

impl Wheel {
    pub(crate) fn pure(name: &'static str, version: &'static str, says: &'static str) -> Self {
        Self { name, version, tags: "py3-none-any".to_owned(), says, ballast: 0, metadata_version: None }
    }

    /// For one ABI on this machine.
    pub(crate) fn native(name: &'static str, version: &'static str, says: &'static str, abi: &str) -> Self {
        let tags = format!("{abi}-{abi}-linux_{}", std::env::consts::ARCH);
        Self { tags, ..Self::pure(name, version, says) }
    }

    pub(crate) fn with_ballast(self, ballast: usize) -> Self {
        Self { ballast, ..self }
    }

    pub(crate) fn filename(&self) -> String {
        format!("{}-{}-{}.whl", self.name, self.version, self.tags)
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let stored =
            zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        let info = format!("{}-{}.dist-info", self.name, self.version);
        let version = self.metadata_version.unwrap_or(self.version);
        let metadata = format!("Metadata-Version: 2.1\nName: {}\nVersion: {version}\n", self.name);
        let wheel =
            format!("Wheel-Version: 1.0\nGenerator: a test\nRoot-Is-Purelib: true\nTag: {}\n", self.tags);
        let module = format!("{}.py", self.name.to_lowercase());
        let files = [
            (module.clone(), format!("SAYS = {:?}\n", self.says).into_bytes()),
            (format!("{info}/METADATA"), metadata.into_bytes()),
            (format!("{info}/WHEEL"), wheel.into_bytes()),
            (format!("{info}/ballast"), ballast(self.ballast)),
            (
                format!("{info}/RECORD"),
                format!("{module},,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/ballast,,\n{info}/RECORD,,\n")
                    .into_bytes(),
            ),
        ];
        for (path, bytes) in files {
            zip.start_file(path, stored).unwrap();
            zip.write_all(&bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    /// Puts it into a directory; its path.
    pub(crate) fn save(&self, dir: &Path) -> PathBuf {
        let path = dir.join(self.filename());
        std::fs::write(&path, self.bytes()).unwrap();
        account::give(&path);
        path
    }
}

/// What a slave of the tests' own has built: a wheel that the master takes, with this in it besides.
pub(crate) fn sound(name: &str, version: &str, build_tag: Option<&str>, filler: &[u8]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::with_capacity(filler.len() + 1024)));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    if !filler.is_empty() {
        zip.start_file(format!("{name}/data.bin"), stored).unwrap();
        zip.write_all(filler).unwrap();
    }
    zip.start_file(format!("{name}-{version}.dist-info/METADATA"), stored).unwrap();
    write!(zip, "Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n").unwrap();
    zip.start_file(format!("{name}-{version}.dist-info/WHEEL"), stored).unwrap();
    zip.write_all(b"Wheel-Version: 1.0\n").unwrap();
    if let Some(tag) = build_tag {
        writeln!(zip, "Build: {tag}").unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// So many bytes that nothing can be pressed out of; others for another seed.
pub(crate) fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut noise = vec![0; length];
    let mut state = seed | 1;
    for piece in noise.chunks_mut(8) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        piece.copy_from_slice(&state.to_le_bytes()[..piece.len()]);
    }
    noise
}

/// Bytes that repeat only after a long while.
fn ballast(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let byte = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..length).map(byte).collect()
}
