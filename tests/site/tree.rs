//! A site, written by the real index scribe from rows of a busy farm: with long names, hostile text and much of everything.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use piwheels::domain::{BuildId, ProjectName, Sha256, log_path};
use piwheels::master::event::{PageAnswer, PageRequest};
use piwheels::master::hub::PublicSlave;
use piwheels::master::index_scribe::{IndexScribe, Site};
use piwheels::master::query::{
    HomeDay, HomeNumbers, HomeRows, PageAbi, PageBuild, PageCell, PageFile, PageKind, PageRelease,
    ProjectRows, RecentBuild, Rewrite, RewriteOrder, RootName,
};
use piwheels::wire::slave::{Board, Wall};
use piwheels::wire::{List, Text};

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
        tree.log(70_001);
        for name in projects() {
            tree.project(&name);
        }
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
        let file = PageFile {
            filename: format!("{}-1.0-cp311-cp311-linux_armv7l.whl", name.replace('-', "_")),
            version: "1.0".to_owned(),
            size: 123_456,
            sha256: Sha256([7; 32]),
            requires_python: None,
            metadata_sha256: None,
            yanked: None,
            uploaded: "2026-01-31T23:59:59.000001Z".to_owned(),
            alias_of: None,
            abi: "cp311".to_owned(),
            apt: Some(vec!["libopenblas0-pthread".to_owned(), "libgfortran5".to_owned()]),
            requires: None,
        };
        let build = PageBuild {
            build: BuildId(70_001),
            version: "1.0".to_owned(),
            abi: "cp311".to_owned(),
            outcome: "built".to_owned(),
            duration_ms: 61_000,
            report: None,
        };
        let rows = ProjectRows {
            display: name.to_owned(),
            status: "active".to_owned(),
            versions: vec!["1.0".to_owned()],
            abis: abis(),
            releases: releases(),
            files: vec![file],
            builds: vec![build],
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

fn abis() -> Vec<PageAbi> {
    let tags = ["cp39", "cp310", "cp311", "cp312", "cp313", "cp313t", "cp314", "cp314t"];
    tags.map(|tag| PageAbi { tag: tag.to_owned(), retired: None }).into()
}

/// One of each state, with reasons that are long or hostile.
fn releases() -> Vec<PageRelease> {
    let cell = |abi: &str, state: &str, reason: Option<&str>| PageCell {
        abi: abi.to_owned(),
        state: state.to_owned(),
        outcome: matches!(state, "built" | "failed" | "delayed").then(|| "timeout".to_owned()),
        build: (state == "built").then_some(70_001),
        log: Some(true),
        due: (state == "delayed").then(|| "2026-02-01T12:30:00Z".to_owned()),
        reason: reason.map(str::to_owned),
    };
    let release = |version: &str, cells: Vec<PageCell>| PageRelease {
        version: version.to_owned(),
        released: Some("2026-01-31 23:59:59".to_owned()),
        near: true,
        cells,
        ..PageRelease::default()
    };
    let states = [
        ("cp39", "off", Some("the version is not for this Python")),
        ("cp310", "failed", None),
        ("cp311", "built", None),
        ("cp312", "settled", None),
        ("cp313", "delayed", Some("retry")),
        ("cp313t", "building", None),
        ("cp314", "queued", None),
        ("cp314t", "waiting", None),
    ];
    let every = states.map(|(abi, state, reason)| cell(abi, state, reason)).into();
    let early = PageRelease {
        prerelease: true,
        ..release("2.0.0.dev20260131+local.build", vec![cell("cp39", "queued", None)])
    };
    let unwanted = PageRelease {
        yanked: Some(HOSTILE.to_owned()),
        skip: Some(HOSTILE.to_owned()),
        why_not: Some(format!("skipped: {HOSTILE} {}", "reason ".repeat(30))),
        ..release("1.1", vec![cell("cp314t", "off", Some(HOSTILE))])
    };
    vec![early, unwanted, release("1.0", every)]
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
