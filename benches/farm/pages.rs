//! Pages: how fast the scribe writes projects' pages and the root index, and that writing them again changes nothing.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use piwheels::domain::{BuildId, ProjectName, Sha256};
use piwheels::master::event::{PageAnswer, PageRequest};
use piwheels::master::index_scribe::{IndexScribe, Site};
use piwheels::master::limits::PAGES_AT_ONCE;
use piwheels::master::query::{
    PageAbi, PageBuild, PageCell, PageFile, PageKind, PageRelease, ProjectRows, Rewrite, RewriteOrder,
    RootName,
};

use crate::kit::farm::Farm;
use crate::kit::wait::until_within;
use crate::row::{Goal, Rows};

/// Files of a project, as the design's budget has it: five versions for four ABIs.
const FILES: usize = 20;
/// Names of the root index that come at a time, as from the database.
const NAMES: usize = 5000;

fn rows_of(name: &str, files: usize) -> ProjectRows {
    let version = |n: usize| format!("{}.{}", n / 4 + 1, n % 4);
    let file = |n: usize| PageFile {
        filename: format!("{name}-{}-cp3{}-cp3{}-linux_armv7l.whl", version(n), n % 4 + 9, n % 4 + 9),
        version: version(n),
        size: 1_000_000 + n as u64,
        sha256: Sha256::of(format!("{name} {n}").as_bytes()),
        requires_python: Some(">=3.9".to_owned()),
        metadata_sha256: Some(Sha256::of(format!("{name} {n} METADATA").as_bytes())),
        yanked: None,
        uploaded: "2026-01-31T23:59:59.000001Z".to_owned(),
        alias_of: None,
        abi: format!("cp3{}", n % 4 + 9),
        apt: Some(vec!["libopenblas0-pthread".to_owned()]),
        requires: Some(vec!["numpy>=1.21".to_owned()]),
    };
    let build = |n: usize| PageBuild {
        build: BuildId(n as i64 + 1),
        version: version(n),
        abi: format!("cp3{}", n % 4 + 9),
        outcome: "built".to_owned(),
        duration_ms: 60_000,
        report: None,
    };
    let cell = |n: usize| PageCell {
        abi: format!("cp3{}", n % 4 + 9),
        state: "built".to_owned(),
        outcome: Some("built".to_owned()),
        build: Some(n as i64 + 1),
        log: Some(true),
        due: None,
        reason: None,
    };
    let release = |n: usize| PageRelease {
        version: version(n),
        released: Some("2026-01-31 23:59:59".to_owned()),
        near: true,
        cells: (0..4).map(|abi| cell(n * 4 + abi)).collect(),
        ..PageRelease::default()
    };
    let abi = |n: usize| PageAbi { tag: format!("cp3{}", n + 9), retired: None };
    ProjectRows {
        display: name.to_owned(),
        status: "active".to_owned(),
        versions: (0..files).map(version).collect(),
        files: (0..files).map(file).collect(),
        builds: (0..files).map(build).collect(),
        abis: (0..4).map(abi).collect(),
        releases: (0..files / 4).map(release).collect(),
        ..ProjectRows::default()
    }
}

fn project(n: usize) -> String {
    format!("project-{n:06}")
}

fn write_all(scribe: &mut IndexScribe, projects: usize, files: usize) -> f64 {
    let rewrite = |n: usize| {
        let name = ProjectName::parse(&project(n)).unwrap();
        let order = RewriteOrder { page: PageKind::Project(name.clone()), order: 1 };
        (name, Rewrite { order, rows: rows_of(&project(n), files) })
    };
    let batch = usize::from(PAGES_AT_ONCE);
    let requests: Vec<_> = (0..projects)
        .step_by(batch)
        .map(|from| PageRequest::Projects((from..projects.min(from + batch)).map(rewrite).collect()))
        .collect();
    let begun = Instant::now();
    for request in requests {
        scribe.handle(request, &mut |answer| {
            assert!(matches!(answer, PageAnswer::Written(_, Ok(()))), "{answer:?}");
        });
    }
    projects as f64 / begun.elapsed().as_secs_f64()
}

/// Every file below, with what changes when it is written again.
fn standing(dir: &Path) -> Vec<(PathBuf, u64, i64, i64)> {
    let mut all = Vec::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let entry = entry.unwrap();
            let there = entry.metadata().unwrap();
            if there.is_dir() {
                dirs.push(entry.path());
            } else {
                all.push((entry.path(), there.ino(), there.mtime(), there.mtime_nsec()));
            }
        }
    }
    all.sort();
    all
}

/// What a page costs at least: the same files' bytes to the disk, and their names.
fn limit(from: &Path, scratch: &Path) -> f64 {
    let files: Vec<_> = standing(from).into_iter().map(|(path, ..)| path).collect();
    let bytes: Vec<_> = files.iter().map(|path| fs::read(path).unwrap()).collect();
    let dirs: std::collections::BTreeSet<_> = files.iter().map(|path| path.parent().unwrap()).collect();
    let begun = Instant::now();
    for (n, bytes) in bytes.iter().enumerate() {
        let mut file = File::create(scratch.join(n.to_string())).unwrap();
        file.write_all(bytes).unwrap();
        file.sync_all().unwrap();
    }
    for _ in &dirs {
        File::open(scratch).unwrap().sync_all().unwrap();
    }
    begun.elapsed().as_secs_f64()
}

pub(crate) fn run(rows: &mut Rows, projects: usize, names: usize) {
    let dir = tempfile::tempdir().unwrap();
    let (www, spool, scratch) =
        (dir.path().join("www"), dir.path().join("spool"), dir.path().join("scratch"));
    for dir in [&www, &spool, &scratch] {
        fs::create_dir(dir).unwrap();
    }
    let mut scribe = IndexScribe::new(www.clone(), spool, Site::default());
    let new = write_all(&mut scribe, projects, FILES - 1);
    let changed = write_all(&mut scribe, projects, FILES);
    let limit = projects as f64 / limit(&www, &scratch);
    let before = standing(&www);
    let same = write_all(&mut scribe, projects, FILES);
    assert!(standing(&www) == before, "a second rewrite changed files");
    rows.plain("pages, new", new, "projects/s");
    rows.add("pages, changed", changed, limit, "projects/s", Goal::Share(0.8));
    rows.add("pages, unchanged", same, 2000.0, "projects/s", Goal::Share(1.0));
    // more of them: the tool's start and the first plan of each session are not what this is about
    through_the_farm(rows, 4 * projects);
    root_index(rows, &mut scribe, &www.join("simple"), names);
}

/// The same through the whole farm: rows out of the database, pages onto the disk, orders struck off.
fn through_the_farm(rows: &mut Rows, projects: usize) {
    let farm = Farm::start_durable(&["cp39", "cp310", "cp311", "cp312"], &[]);
    let mut superuser = farm.database().superuser();
    for statement in
        include_str!("pages.sql").replace("{projects}", &projects.to_string()).split_inclusive(";\n")
    {
        superuser.batch_execute(statement).unwrap();
    }
    for (name, goal) in [("farm's pages, new", None), ("farm's pages, unchanged", Some(2000.0))] {
        let begun = Instant::now();
        farm.piw(&["rebuild", "project"]);
        // on one connection: a new one each time takes a third of a core
        let mut due = || -> i64 {
            let sql = "SELECT count(*) FROM piw.rewrite WHERE kind = 'project'";
            superuser.query_one(sql, &[]).unwrap().get(0)
        };
        until_within(
            Duration::from_secs(600),
            "end of page writing",
            || farm.logs(),
            || (due() == 0).then_some(()),
        );
        let rate = projects as f64 / begun.elapsed().as_secs_f64();
        match goal {
            Some(goal) => rows.add(name, rate, goal, "projects/s", Goal::Share(1.0)),
            None => rows.plain(name, rate, "projects/s"),
        }
    }
}

/// Peak of this process's memory since the last call, in KiB.
fn peak() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    let peak = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    fs::write("/proc/self/clear_refs", "5").unwrap();
    peak
}

fn write_root(scribe: &mut IndexScribe, names: usize) -> f64 {
    let begun = Instant::now();
    let mut answers = Vec::new();
    let order = RewriteOrder { page: PageKind::Root, order: 1 };
    scribe.handle(PageRequest::RootBegin, &mut |answer| answers.push(answer));
    for from in (0..names).step_by(NAMES) {
        let name = |n| RootName { name: project(n), downloads: 7 };
        let names = (from..names.min(from + NAMES)).map(name).collect();
        scribe.handle(PageRequest::RootNames(names), &mut |answer| answers.push(answer));
    }
    scribe.handle(PageRequest::RootEnd(order), &mut |answer| answers.push(answer));
    assert!(matches!(answers.last(), Some(PageAnswer::Written(_, Ok(())))), "{answers:?}");
    begun.elapsed().as_secs_f64()
}

fn root_index(rows: &mut Rows, scribe: &mut IndexScribe, simple: &Path, names: usize) {
    peak();
    let few = write_root(scribe, names / 10);
    let small = peak();
    let whole = write_root(scribe, names);
    let large = peak();
    let pages = |dir: &Path| {
        let all = standing(dir).into_iter();
        all.filter(|(path, ..)| path.parent() == Some(dir)).collect::<Vec<_>>()
    };
    let before = pages(simple);
    let bytes: u64 = before.iter().map(|(path, ..)| fs::metadata(path).unwrap().len()).sum();
    let again = write_root(scribe, names);
    assert!(pages(simple) == before, "a second rewrite changed the root index");
    // linear in its names, with a memory that does not know how many there are
    rows.add(&format!("root of {names}"), whole, few * 15.0, "s", Goal::Within);
    rows.plain("root, unchanged", again, "s");
    rows.plain("root, its files", bytes as f64 / f64::from(1 << 20), "MiB");
    rows.add("root, peak memory", (large - small).max(1.0), 4096.0, "KiB more", Goal::Within);
}
