//! What builds make: sound wheels of any size, the same for the same build and never for another.

use std::collections::BTreeMap;
use std::io::{Cursor, Write};

use bytes::Bytes;
use piwheels::domain::Sha256;
use piwheels::wire::Text;
use piwheels::wire::slave::BuiltFile;

use super::dice::Dice;

/// A file that somebody offers.
#[derive(Clone, Debug)]
pub(crate) struct Wheel {
    pub(crate) filename: String,
    pub(crate) bytes: Bytes,
    pub(crate) sha256: Sha256,
}

impl Wheel {
    /// A wheel with these tags, the build tag among them where that is not 0. `salt` makes its bytes its own.
    pub(crate) fn new(
        package: &str,
        version: &str,
        build_tag: u64,
        tags: &str,
        size: u64,
        salt: u64,
    ) -> Self {
        let name = package.replace('-', "_");
        let tag = if build_tag > 0 { format!("{build_tag}-") } else { String::new() };
        let filename = format!("{name}-{version}-{tag}{tags}.whl");
        let info = format!("{name}-{version}.dist-info");
        let metadata = format!("Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n");
        let build = if build_tag > 0 { format!("Build: {build_tag}\n") } else { String::new() };
        let wheel = format!("Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: {tags}\n{build}");
        let mut dice = Dice::new(salt, 77);
        let ballast: Vec<u8> = (0..size / 8 + 1).flat_map(|_| dice.next().to_be_bytes()).collect();
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let stored = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored)
            .last_modified_time(zip::DateTime::default());
        let files: BTreeMap<String, Vec<u8>> = [
            (format!("{name}.py"), ballast),
            (format!("{info}/METADATA"), metadata.into_bytes()),
            (format!("{info}/WHEEL"), wheel.into_bytes()),
            (format!("{info}/RECORD"), Vec::new()),
        ]
        .into();
        for (path, bytes) in files {
            zip.start_file(path, stored).expect("a file in a wheel");
            zip.write_all(&bytes).expect("memory");
        }
        let bytes = Bytes::from(zip.finish().expect("memory").into_inner());
        Self { filename, sha256: Sha256::of(&bytes), bytes }
    }

    /// As BUILT and IMPORT speak of it.
    pub(crate) fn promised(&self) -> BuiltFile {
        BuiltFile { filename: Text::cut(&self.filename), size: self.bytes.len() as u64, sha256: self.sha256 }
    }
}
