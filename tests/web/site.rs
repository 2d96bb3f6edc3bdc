//! A tree as the master publishes it: pages written by the real index scribe, wheels that can be installed.

use std::fs;
use std::io::{Cursor, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use piwheels::domain::{ProjectName, Sha256};
use piwheels::master::event::{PageAnswer, PageRequest};
use piwheels::master::index_scribe::IndexScribe;
use piwheels::master::query::{PageFile, PageKind, ProjectRows, Rewrite, RewriteOrder, RootName};
use zip::write::SimpleFileOptions;

/// One version of a project, with one wheel for everybody.
#[derive(Clone, Copy)]
pub(crate) struct Release {
    pub(crate) version: &'static str,
    pub(crate) yanked: Option<&'static str>,
    pub(crate) requires_python: &'static str,
    pub(crate) requires: &'static [&'static str],
    /// The day, of which it was noon.
    pub(crate) uploaded: &'static str,
}

/// A version of the year 2026.
pub(crate) const fn release(version: &'static str) -> Release {
    Release { version, yanked: None, requires_python: ">=3.6", requires: &[], uploaded: "2026-02-01" }
}

/// The tree.
pub(crate) struct Site {
    dir: tempfile::TempDir,
    scribe: IndexScribe,
    projects: Vec<String>,
    orders: i64,
}

impl Site {
    /// One with the projects that most tests ask for:
    /// `lib` 1.0, 1.1 (yanked), 2.0b1; `app`, which requires it; `pinned` 1.0 and 2.0, the second for no Python there is;
    /// `odd-name` of an author who spells it `Odd.Name`; `part` 1.0, of which another index has more; `aged`, with a
    /// release of January and one of June 2026.
    pub(crate) fn usual() -> Self {
        let mut site = Self::new();
        let yanked = Release { yanked: Some("it eats <data>"), ..release("1.1") };
        site.offer("lib", &[release("2.0b1"), yanked, release("1.0")]);
        site.offer("app", &[Release { requires: &["lib>=1"], ..release("1.0") }]);
        let later = Release { requires_python: ">=99", ..release("2.0") };
        site.offer("pinned", &[later, release("1.0")]);
        site.offer("Odd.Name", &[release("1.0")]);
        site.offer("part", &[release("1.0")]);
        site.offer(
            "aged",
            &[
                Release { uploaded: "2026-06-01", ..release("2.0") },
                Release { uploaded: "2026-01-01", ..release("1.0") },
            ],
        );
        site.finish();
        site
    }

    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let (www, spool) = (dir.path().join("www"), dir.path().join("spool"));
        fs::create_dir(&www).unwrap();
        fs::create_dir(&spool).unwrap();
        Self {
            scribe: IndexScribe::new(www, spool, Default::default()),
            dir,
            projects: Vec::new(),
            orders: 0,
        }
    }

    pub(crate) fn www(&self) -> PathBuf {
        self.dir.path().join("www")
    }

    /// The bytes of a file in the tree.
    pub(crate) fn read(&self, path: &str) -> Vec<u8> {
        fs::read(self.www().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Puts a file into the tree.
    pub(crate) fn put(&self, path: &str, bytes: &[u8]) {
        let path = self.www().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// A page with its packed twin, for those that other parts of the master write.
    pub(crate) fn put_page(&self, path: &str, text: &str) {
        self.put(path, text.as_bytes());
        self.put(&format!("{path}.gz"), &pack(text));
    }

    /// Publishes a project's releases, the newest first.
    pub(crate) fn offer(&mut self, display: &str, releases: &[Release]) {
        let project = ProjectName::parse(display).unwrap();
        let rows = ProjectRows {
            display: display.to_owned(),
            status: "active".to_owned(),
            versions: releases.iter().rev().map(|release| release.version.to_owned()).collect(),
            files: releases.iter().map(|release| self.publish(display, release)).collect(),
            ..ProjectRows::default()
        };
        let order = self.order(PageKind::Project(project.clone()));
        self.write(PageRequest::Projects(vec![(project.clone(), Rewrite { order, rows })]));
        self.projects.push(project.to_string());
    }

    /// Publishes the root's page.
    pub(crate) fn finish(&mut self) {
        self.projects.sort();
        self.write(PageRequest::RootBegin);
        let name = |name: &String| RootName { name: name.clone(), downloads: 0 };
        self.write(PageRequest::RootNames(self.projects.iter().map(name).collect()));
        let order = self.order(PageKind::Root);
        self.write(PageRequest::RootEnd(order));
    }

    fn order(&mut self, page: PageKind) -> RewriteOrder {
        self.orders += 1;
        RewriteOrder { page, order: self.orders }
    }

    fn write(&mut self, request: PageRequest) {
        self.scribe.handle(request, &mut |answer| {
            if let PageAnswer::Written(order, Err(error)) = answer {
                panic!("{order:?}: {error}");
            }
        });
    }

    fn publish(&self, display: &str, release: &Release) -> PageFile {
        let project = ProjectName::parse(display).unwrap();
        let stem = project.as_str().replace('-', "_");
        let filename = format!("{stem}-{}-py3-none-any.whl", release.version);
        let mut metadata = format!(
            "Metadata-Version: 2.1\nName: {display}\nVersion: {}\nRequires-Python: {}\n",
            release.version, release.requires_python
        );
        release.requires.iter().for_each(|line| metadata.push_str(&format!("Requires-Dist: {line}\n")));
        // long enough that a server would like to pack it
        metadata.push_str(&format!("\n{}\n", "What it is about. ".repeat(200)));
        let bytes = wheel(&stem, release.version, &metadata);
        self.put(&format!("simple/{project}/{filename}"), &bytes);
        self.put(&format!("simple/{project}/{filename}.metadata"), metadata.as_bytes());
        PageFile {
            filename,
            version: release.version.to_owned(),
            size: bytes.len() as u64,
            sha256: Sha256::of(&bytes),
            requires_python: Some(release.requires_python.to_owned()),
            metadata_sha256: Some(Sha256::of(metadata.as_bytes())),
            yanked: release.yanked.map(str::to_owned),
            uploaded: format!("{}T12:00:00.000000Z", release.uploaded),
            alias_of: None,
            abi: "cp311".to_owned(),
            apt: None,
            requires: None,
        }
    }
}

/// Packed with gzip.
pub(crate) fn pack(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// A wheel that installers take, of a module that is called like it.
fn wheel(stem: &str, version: &str, metadata: &str) -> Vec<u8> {
    let info = format!("{stem}-{version}.dist-info");
    let files = [
        (format!("{stem}.py"), format!("version = {version:?}\n# {}\n", "filling ".repeat(500))),
        (format!("{info}/METADATA"), metadata.to_owned()),
        (
            format!("{info}/WHEEL"),
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n".to_owned(),
        ),
    ];
    let record: String = files.iter().map(|(path, _)| format!("{path},,\n")).collect();
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (path, text) in
        files.into_iter().chain([(format!("{info}/RECORD"), format!("{record}{info}/RECORD,,\n"))])
    {
        zip.start_file(path, SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored))
            .unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// Whether a directory that an installer wrote to holds this version of a project.
pub(crate) fn has(target: &Path, project: &str, version: &str) -> bool {
    target.join(format!("{}-{version}.dist-info", project.replace('-', "_"))).is_dir()
}
