//! A site, written by the real index scribe from rows of a busy farm: with long names, hostile text and much of everything.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use piwheels::domain::{BuildId, ProjectName, log_path};
use piwheels::master::event::{PageAnswer, PageRequest};
use piwheels::master::hub::PublicSlave;
use piwheels::master::index_scribe::{IndexScribe, Site};
use piwheels::master::query::{
    HomeDay, HomeNumbers, HomeRows, PageKind, ProjectRows, RecentBuild, Rewrite, RewriteOrder, RootName,
};
use piwheels::wire::slave::{Board, Wall};
use piwheels::wire::{List, Text};

use serde_json::json;

use crate::server;

/// Text that would run, close what it stands in, or break the page's width.
pub(crate) const HOSTILE: &str =
    "<script>document.title='pwned'</script>\"'><img src=x onerror=alert(1)>&amp;{x}";

/// A site that is served.
pub(crate) struct Tree {
    pub(crate) scribe: IndexScribe,
    pub(crate) url: String,
    pub(crate) www: PathBuf,
    _dir: tempfile::TempDir,
}

impl Tree {
    /// With everything on it.
    pub(crate) fn rich() -> Self {
        let mut tree = Self::empty();
        for name in projects() {
            tree.project(&name);
        }
        tree.log(70_001);
        tree.ask(PageRequest::Slaves(slaves()));
        tree.root(&projects());
        tree.ask(PageRequest::Home(order(PageKind::Home), Box::new(home())));
        tree
    }

    /// Served, and nothing on it yet.
    pub(crate) fn empty() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (www, spool) = (dir.path().join("www"), dir.path().join("spool"));
        fs::create_dir(&www).unwrap();
        fs::create_dir(&spool).unwrap();
        let (listener, url) = server::bind();
        server::serve(listener, www.clone());
        let site = Site::new(Some("Board wheels"), Some(&url)).unwrap();
        Self { scribe: IndexScribe::new(www.clone(), spool, site), url, www, _dir: dir }
    }

    pub(crate) fn ask(&mut self, request: PageRequest) {
        let mut answers = Vec::new();
        self.scribe.handle(request, &mut |answer| answers.push(answer));
        for answer in answers {
            match answer {
                PageAnswer::Written(_, result) | PageAnswer::SlavesWritten(result) => result.unwrap(),
                PageAnswer::RootReady => {}
            }
        }
    }

    pub(crate) fn root(&mut self, names: &[String]) {
        self.ask(PageRequest::RootBegin);
        for piece in names.chunks(5000) {
            let named = |name: &String| RootName { name: name.clone(), downloads: (name.len() % 21) as i16 };
            self.ask(PageRequest::RootNames(piece.iter().map(named).collect()));
        }
        self.ask(PageRequest::RootEnd(order(PageKind::Root)));
    }

    fn project(&mut self, name: &str) {
        let project = ProjectName::parse(name).unwrap();
        // as the database gives them
        let file = json!({
            "filename": file_name(name), "alias_of": null, "version": "1.0", "size": 123_456,
            "sha256": "07".repeat(32), "requires_python": ">=3.9", "metadata_sha256": null, "yanked": null,
            "uploaded": "2026-01-31T23:59:59.000001Z", "abi": "cp311", "apt": ["libc6"], "requires": []
        });
        let build = json!({
            "build": 70_001, "version": "1.0", "abi": "cp311", "outcome": "built", "duration_ms": 61_000, "report": null
        });
        let rows = ProjectRows {
            display: name.to_owned(),
            status: "active".to_owned(),
            versions: vec!["1.0".to_owned()],
            files: vec![serde_json::from_value(file).unwrap()],
            builds: vec![serde_json::from_value(build).unwrap()],
            ..ProjectRows::default()
        };
        let rewrite = Rewrite { order: order(PageKind::Project(project.clone())), rows };
        self.ask(PageRequest::Projects(vec![(project, rewrite)]));
        fs::write(self.www.join("simple").join(name).join(file_name(name)), "wheel").unwrap();
    }

    fn log(&self, build: i64) {
        let log = self.www.join(log_path(BuildId(build)));
        fs::create_dir_all(log.parent().unwrap()).unwrap();
        let mut gzip = GzEncoder::new(fs::File::create(&log).unwrap(), Compression::default());
        gzip.write_all(b"Building wheels for collected packages\n").unwrap();
        gzip.finish().unwrap();
    }

    /// Every file of the site below a directory.
    pub(crate) fn files(&self, below: &str) -> Vec<String> {
        let mut found = Vec::new();
        walk(&self.www.join(below), &mut found);
        found.sort();
        found
    }
}

fn file_name(name: &str) -> String {
    format!("{}-1.0-cp311-cp311-linux_armv7l.whl", name.replace('-', "_"))
}

fn walk(dir: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, found);
        } else {
            found.push(path.display().to_string());
        }
    }
}

fn order(page: PageKind) -> RewriteOrder {
    RewriteOrder { page, order: 1 }
}

/// The projects that have pages.
pub(crate) fn projects() -> Vec<String> {
    let long = format!("a-{}", "very-long-name-".repeat(12)) + "end";
    let known = ["numpy", "numpy-stl", "opencv-python", "pandas", "zope-interface"];
    std::iter::once(long).chain(known.map(str::to_owned)).collect()
}

/// All names: enough for several files of the search.
pub(crate) fn names() -> Vec<String> {
    let mut names = projects();
    names.extend((0..9000).map(|n| format!("pkg-{n:04}")));
    names.extend((0..300).map(|n| format!("py{n:03}")));
    names.sort();
    names
}

fn slaves() -> Vec<PublicSlave> {
    let slave = |label: &str, doing, abi: &str| PublicSlave {
        label: label.to_owned(),
        abi: abi.to_owned(),
        platform: "linux_armv7l".to_owned(),
        board: Board {
            machine: Text::cut("Raspberry Pi 3 Model B Plus Rev 1.3"),
            os: Text::cut("Debian GNU/Linux 12 (bookworm), Linux 6.6.31+rpt-rpi-v7"),
            walls: List::cut(vec![Wall::TreeKill, Wall::Namespaces, Wall::Seccomp]),
        },
        doing,
        job: (doing == "building").then(|| ("numpy".to_owned(), "1.26.4".to_owned())),
        temperature: Some(61),
        throttled: false,
        holds_back: None,
    };
    let mut odd = slave(HOSTILE, "idle", "cp313");
    odd.holds_back = Some(HOSTILE.to_owned());
    odd.throttled = true;
    odd.board.machine = Text::cut(HOSTILE);
    vec![
        slave("pi-01", "building", "cp311"),
        slave("pi-02", "building", "cp39"),
        slave("pi-03", "delivering", "cp311"),
        slave("pi-04", "idle", "cp311"),
        odd,
    ]
}

fn home() -> HomeRows {
    let day = |n: u64| HomeDay {
        day: format!("2026-11-{n:02}"),
        builds: BTreeMap::from([
            ("built".to_owned(), 180 + n * 37 % 140),
            ("failed".to_owned(), 40 + n * 17 % 60),
            ("no-sdist".to_owned(), n * 7 % 9),
            ("timeout".to_owned(), n % 5),
            ("out-of-memory".to_owned(), n % 4),
            ("network".to_owned(), if n == 12 { 90 } else { n % 3 }),
            ("cancelled".to_owned(), u64::from(n == 20) * 25),
        ]),
        downloads: 21_000 + n * 7919 % 9000 - if n % 7 < 2 { 8000 } else { 0 },
    };
    let build = |number: i64, project: &str, outcome: &str| RecentBuild {
        build: BuildId(number),
        project: project.to_owned(),
        display: project.to_owned(),
        version: format!("{}.{}.1", number % 4, number % 11),
        abi: if number % 3 == 0 { "cp39" } else { "cp311" }.to_owned(),
        outcome: outcome.to_owned(),
        at: format!("2026-11-30T14:{:02}:33Z", 59 - number % 50),
        duration_ms: (number as u64 % 900) * 7321,
    };
    let all = projects();
    let mut recent: Vec<_> =
        ["built", "built", "failed", "built", "network", "out-of-memory", "built", "cancelled", "built"]
            .into_iter()
            .enumerate()
            .map(|(n, outcome)| build(70_001 - n as i64, &all[n % all.len()], outcome))
            .collect();
    recent[2].display = HOSTILE.to_owned();
    recent[2].version = HOSTILE.to_owned();
    HomeRows {
        statistics: HomeNumbers {
            packages_built: 412_118,
            versions_count: 7_814_330,
            versions_tried: 3_201_554,
            builds_count: 3_983_822,
            builds_success: 2_947_380,
            builds_time: 4_201_553_000_000,
            builds_size: 1_874_553_001_112,
            files_count: 2_347_380,
            downloads_last_month: 18_411_902,
            queued: 8412,
            leased: 3,
        },
        days: (1..=30).map(day).collect(),
        recent,
    }
}
