//! Pages as they stand on the disk.

use super::*;
use std::cell::Cell;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::rc::Rc;

use crate::domain::Sha256;
use crate::master::disk::Change;
use crate::master::hub::PublicSlave;
use crate::master::query::{PageFile, PageKind, ProjectRows, Rewrite, RootName};
use crate::wire::slave::{Board, Wall};
use crate::wire::{List, Text};

mod project;
mod schema;

fn file(name: &str) -> PageFile {
    PageFile {
        filename: name.to_owned(),
        sha256: Sha256([0xab; 32]),
        requires_python: Some(">=3.7,<4".to_owned()),
        metadata_sha256: Some(Sha256([0xcd; 32])),
        version: "1.0".to_owned(),
        size: 1234,
        uploaded: "2026-01-31T23:59:59.000001Z".to_owned(),
        yanked: None,
        alias_of: None,
        abi: "cp311".to_owned(),
        apt: None,
        requires: None,
    }
}

fn rows() -> ProjectRows {
    ProjectRows {
        display: "Foo".to_owned(),
        status: "active".to_owned(),
        versions: vec!["0.9".to_owned(), "1.0".to_owned()],
        ..ProjectRows::default()
    }
}

fn write(scribe: &mut IndexScribe, files: Vec<PageFile>) -> Result<(), String> {
    write_without(scribe, files, Vec::new())
}

fn write_without(scribe: &mut IndexScribe, files: Vec<PageFile>, gone: Vec<String>) -> Result<(), String> {
    let project = ProjectName::parse("foo").unwrap();
    let order = RewriteOrder { page: PageKind::Project(project.clone()), order: 1 };
    let mut answers = Vec::new();
    let rewrite = Rewrite { order, rows: ProjectRows { files, gone, ..rows() } };
    scribe.handle(PageRequest::Projects(vec![(project, rewrite)]), &mut |a| answers.push(a));
    match answers.pop() {
        Some(PageAnswer::Written(_, result)) => result,
        other => panic!("{other:?}"),
    }
}

fn scribe() -> (tempfile::TempDir, IndexScribe) {
    let dir = tempfile::tempdir().unwrap();
    let (output, spool) = (dir.path().join("www"), dir.path().join("spool"));
    std::fs::create_dir(&output).unwrap();
    std::fs::create_dir(&spool).unwrap();
    let scribe = IndexScribe::new(output, spool, Site::default());
    (dir, scribe)
}

/// Writes the pages of these projects together; what became of each.
fn put(scribe: &mut IndexScribe, projects: Vec<(&str, ProjectRows)>) -> Vec<(String, Result<(), String>)> {
    let rewrite = |(name, rows): (&str, ProjectRows)| {
        let project = ProjectName::parse(name).unwrap();
        (
            project.clone(),
            Rewrite { order: RewriteOrder { page: PageKind::Project(project), order: 1 }, rows },
        )
    };
    let mut done = Vec::new();
    scribe.handle(PageRequest::Projects(projects.into_iter().map(rewrite).collect()), &mut |answer| {
        match answer {
            PageAnswer::Written(RewriteOrder { page: PageKind::Project(project), .. }, result) => {
                done.push((project.as_str().to_owned(), result));
            }
            other => panic!("{other:?}"),
        }
    });
    done
}

#[test]
fn a_page_shows_each_file_with_its_digest_and_python_and_is_left_alone_when_nothing_changed() {
    let (dir, mut scribe) = scribe();
    write(&mut scribe, vec![file("foo-1.0-py3-none-any.whl")]).unwrap();
    let page = dir.path().join("www/simple/foo/index.html");
    let text = std::fs::read_to_string(&page).unwrap();
    let href = format!("href=\"foo-1.0-py3-none-any.whl#sha256={}\"", "ab".repeat(32));
    assert!(text.contains(&href), "{text}");
    assert!(text.contains("data-requires-python=\"&gt;=3.7,&lt;4\""), "{text}");
    assert!(!text.contains("data-yanked"));
    assert!(text.contains(&format!("data-core-metadata=\"sha256={}\"", "cd".repeat(32))), "{text}");
    // pip 22.3 to 23.1 read this older name, and then refuse a project whose METADATA spells its name otherwise
    // than it was asked for
    assert!(!text.contains("data-dist-info-metadata"));
    let before = std::fs::metadata(&page).unwrap();
    write(&mut scribe, vec![file("foo-1.0-py3-none-any.whl")]).unwrap();
    let after = std::fs::metadata(&page).unwrap();
    assert_eq!((before.ino(), before.mtime_nsec()), (after.ino(), after.mtime_nsec()));
    assert_eq!(std::fs::read_dir(dir.path().join("spool")).unwrap().count(), 0);
}

#[test]
fn a_project_without_files_has_no_page() {
    let (dir, mut scribe) = scribe();
    write(&mut scribe, Vec::new()).unwrap();
    write(&mut scribe, vec![file("foo-1.0-py3-none-any.whl")]).unwrap();
    write(&mut scribe, Vec::new()).unwrap();
    assert!(!dir.path().join("www/simple/foo/index.html").exists());
}

#[test]
fn the_page_of_slaves_shows_what_they_are_and_do_and_is_left_alone_when_nothing_changed() {
    let (dir, mut scribe) = scribe();
    let mut write = |slaves: &[PublicSlave]| {
        let mut written = None;
        scribe.handle(PageRequest::Slaves(slaves.to_vec()), &mut |answer| written = Some(answer));
        written
    };
    let page = dir.path().join("www/slaves/index.html");
    let odd = "<script>\"'";
    let board = Board {
        machine: Text::cut(odd),
        os: Text::cut(odd),
        walls: List::cut(vec![Wall::TreeKill, Wall::Namespaces]),
    };
    let slave = |label: &str| PublicSlave {
        label: label.to_owned(),
        abi: "cp311".to_owned(),
        platform: "linux_armv7l".to_owned(),
        board: board.clone(),
        doing: "building",
        job: Some(("foo".to_owned(), "1.0".to_owned())),
        temperature: Some(0),
        throttled: true,
        holds_back: Some(odd.to_owned()),
    };
    assert!(matches!(write(&[slave("pi"), slave(odd)]), Some(PageAnswer::SlavesWritten(Ok(())))));
    let text = std::fs::read_to_string(&page).unwrap();
    assert!(!text.contains("<script"), "{text}");
    for part in [
        "<tr><td data-label=\"Slave\" class=\"wrap\">pi</td>",
        ">building</span> <a href=\"../project/foo/\">foo</a> 1.0 <span class=\"muted\">holds back: &lt;script&gt;&quot;&#39;</span>",
        "<span>&lt;script&gt;&quot;&#39; <span class=\"muted\">&lt;script&gt;&quot;&#39;</span></span>",
        "0 °C, slowed down",
        "There: namespaces, tree-kill. Missing: read-only, net-off, ",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let before = std::fs::metadata(&page).unwrap().ino();
    write(&[slave("pi"), slave(odd)]);
    assert_eq!(std::fs::metadata(&page).unwrap().ino(), before);
    write(&[]);
    assert!(std::fs::read_to_string(&page).unwrap().contains("<p>None is connected.</p>"));
    // a file stands where its directory belongs: it says so, and other pages come all the same
    std::fs::remove_dir_all(page.parent().unwrap()).unwrap();
    std::fs::write(page.parent().unwrap(), "").unwrap();
    assert!(matches!(write(&[]), Some(PageAnswer::SlavesWritten(Err(_)))));
    super::tests::write(&mut scribe, vec![file("foo-1.0-py3-none-any.whl")]).unwrap();
}

#[test]
fn yanked_files_say_so_and_hostile_text_stays_text() {
    let (dir, mut scribe) = scribe();
    let mut odd = file("foo-1.0-py3-none-any.whl");
    odd.yanked = Some("\"><script>".to_owned());
    odd.requires_python = Some("\"><script>".to_owned());
    let mut silent = file("foo-1.1-py3-none-any.whl");
    silent.yanked = Some(String::new());
    write(&mut scribe, vec![odd, silent]).unwrap();
    let text = std::fs::read_to_string(dir.path().join("www/simple/foo/index.html")).unwrap();
    assert!(!text.contains("<script"), "{text}");
    assert!(
        text.contains("data-yanked=\"&quot;&gt;&lt;script&gt;\"") && text.contains("data-yanked=\"\""),
        "{text}"
    );
}

/// What a directory holds: names, bytes, and what changes when a file is written again.
fn standing(dir: &Path) -> Vec<(String, Vec<u8>, u64, i64)> {
    let entry = |entry: std::fs::DirEntry| {
        let there = entry.metadata().unwrap();
        let bytes = std::fs::read(entry.path()).unwrap();
        (entry.file_name().into_string().unwrap(), bytes, there.ino(), there.mtime_nsec())
    };
    let mut all: Vec<_> = std::fs::read_dir(dir).unwrap().map(|e| entry(e.unwrap())).collect();
    all.sort();
    all
}

fn unzipped(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(bytes).read_to_end(&mut plain).unwrap();
    plain
}

/// That each page has its twin, and nothing else is there.
fn assert_twins(dir: &Path, pages: &[&str]) {
    let all = standing(dir);
    let names: Vec<_> = all.iter().map(|(name, ..)| name.as_str()).collect();
    let expected: Vec<_> = pages.iter().flat_map(|page| [(*page).to_owned(), format!("{page}.gz")]).collect();
    assert_eq!(names, expected);
    for pair in all.chunks(2) {
        assert_eq!(pair[0].1, unzipped(&pair[1].1), "{}", pair[0].0);
        // no time, no name: the same page is the same file
        assert_eq!(pair[1].1[3..8], [0; 5]);
    }
}

#[test]
fn the_json_page_says_what_the_standards_ask_for() {
    let (dir, mut scribe) = scribe();
    let mut yanked = file("foo-0.9-py3-none-any.whl");
    (yanked.yanked, yanked.requires_python, yanked.metadata_sha256) =
        (Some("\"><script>".to_owned()), None, None);
    let mut silent = file("foo-0.9-1-py3-none-any.whl");
    silent.yanked = Some(String::new());
    let rows = ProjectRows {
        files: vec![file("foo-1.0-py3-none-any.whl"), yanked, silent],
        status: "archived".to_owned(),
        status_reason: Some("no \"more\"".to_owned()),
        ..rows()
    };
    put(&mut scribe, vec![("foo", rows)])[0].1.as_ref().unwrap();
    let dir = dir.path().join("www/simple/foo");
    let page: serde_json::Value =
        serde_json::from_slice(&std::fs::read(dir.join("index.v1_json")).unwrap()).unwrap();
    let sha256 = "ab".repeat(32);
    assert_eq!(
        page,
        serde_json::json!({
            "meta": {"api-version": "1.4"},
            "name": "foo",
            "project-status": {"status": "archived", "reason": "no \"more\""},
            "versions": ["0.9", "1.0"],
            "files": [
                {
                    "filename": "foo-1.0-py3-none-any.whl", "url": "foo-1.0-py3-none-any.whl",
                    "hashes": {"sha256": sha256}, "requires-python": ">=3.7,<4", "size": 1234,
                    "upload-time": "2026-01-31T23:59:59.000001Z", "yanked": false,
                    "core-metadata": {"sha256": "cd".repeat(32)}
                },
                {
                    "filename": "foo-0.9-py3-none-any.whl", "url": "foo-0.9-py3-none-any.whl",
                    "hashes": {"sha256": sha256}, "size": 1234,
                    "upload-time": "2026-01-31T23:59:59.000001Z", "yanked": "\"><script>"
                },
                {
                    "filename": "foo-0.9-1-py3-none-any.whl", "url": "foo-0.9-1-py3-none-any.whl",
                    "hashes": {"sha256": sha256}, "requires-python": ">=3.7,<4", "size": 1234,
                    "upload-time": "2026-01-31T23:59:59.000001Z", "yanked": true,
                    "core-metadata": {"sha256": "cd".repeat(32)}
                },
            ]
        })
    );
    let html = std::fs::read_to_string(dir.join("index.html")).unwrap();
    for meta in [
        "<meta name=\"pypi:repository-version\" content=\"1.4\">",
        "<meta name=\"pypi:project-status\" content=\"archived\">",
        "<meta name=\"pypi:project-status-reason\" content=\"no &quot;more&quot;\">",
    ] {
        assert!(html.contains(meta), "{html}");
    }
    assert_twins(&dir, &["index.html", "index.v1_json"]);
}

#[test]
fn a_second_writing_changes_no_file_and_a_twin_that_differs_is_mended() {
    let (dir, mut scribe) = scribe();
    let www = dir.path().join("www/simple/foo");
    let files = || vec![file("foo-1.0-py3-none-any.whl")];
    write(&mut scribe, files()).unwrap();
    let before = standing(&www);
    write(&mut scribe, files()).unwrap();
    assert_eq!(standing(&www), before);
    let first = before;
    for spoilt in ["index.html.gz", "index.v1_json"] {
        let before = standing(&www);
        std::fs::write(www.join(spoilt), "x").unwrap();
        write(&mut scribe, files()).unwrap();
        let after = standing(&www);
        for (after, before) in after.iter().zip(&before) {
            assert_eq!(after.1, before.1);
            assert!(after.0 == spoilt || after.2 == before.2, "{spoilt}: {} is left alone", after.0);
        }
        write(&mut scribe, files()).unwrap();
        assert_eq!(standing(&www), after);
        std::fs::remove_file(www.join(spoilt)).unwrap();
        write(&mut scribe, files()).unwrap();
        return_to(&www, &first);
    }
    write(&mut scribe, Vec::new()).unwrap();
    assert_eq!(standing(&www), [], "a page goes with its twin");
}

#[test]
fn a_twin_is_known_by_every_byte_of_it_and_stays_whoever_packed_it() {
    let (dir, mut scribe) = scribe();
    let twin = dir.path().join("www/simple/foo/index.html.gz");
    let files = || vec![file("foo-1.0-py3-none-any.whl")];
    write(&mut scribe, files()).unwrap();
    let sound = std::fs::read(&twin).unwrap();
    let packed = |text: &[u8], level| {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(level));
        std::io::Write::write_all(&mut gzip, text).unwrap();
        gzip.finish().unwrap()
    };
    // a page of the same length, one bit of the packed bytes or of the sum behind them, something behind all, a part
    let mut other = unzipped(&sound);
    other[100] ^= 1;
    let flipped = |at: usize| {
        let mut bytes = sound.clone();
        bytes[at] ^= 1;
        bytes
    };
    let behind = [&sound[..], b"behind\0\0\0\0", &sound[sound.len() - 4..]].concat();
    let part = [&sound[..sound.len() - 20], &sound[sound.len() - 4..]].concat();
    let spoilt = [packed(&other, 6), flipped(sound.len() / 2), flipped(sound.len() - 6), behind, part];
    for bytes in spoilt {
        std::fs::write(&twin, &bytes).unwrap();
        write(&mut scribe, files()).unwrap();
        assert!(std::fs::read(&twin).unwrap() == sound, "{} bytes", bytes.len());
    }
    std::fs::remove_file(&twin).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &twin).unwrap();
    write(&mut scribe, files()).unwrap();
    assert!(std::fs::read(&twin).unwrap() == sound, "nothing is read through a link");
    let others = packed(&unzipped(&sound), 1);
    assert!(others != sound);
    std::fs::write(&twin, &others).unwrap();
    write(&mut scribe, files()).unwrap();
    assert!(std::fs::read(&twin).unwrap() == others, "it says the same: nothing is to be fetched anew");
}

/// That the same bytes stand there again.
fn return_to(dir: &Path, before: &[(String, Vec<u8>, u64, i64)]) {
    let bytes = |all: &[(String, Vec<u8>, u64, i64)]| {
        all.iter().map(|(name, bytes, ..)| (name.clone(), bytes.clone())).collect::<Vec<_>>()
    };
    assert_eq!(bytes(&standing(dir)), bytes(before));
}

#[test]
fn what_cannot_be_written_leaves_every_old_page_as_it_is() {
    let (dir, mut scribe) = scribe();
    let www = dir.path().join("www/simple/foo");
    write(&mut scribe, vec![file("foo-1.0-py3-none-any.whl")]).unwrap();
    let before = standing(&www);
    let spool = dir.path().join("spool");
    let two = || vec![file("foo-1.1-py3-none-any.whl"), file("foo-1.0-py3-none-any.whl")];
    // the disk fills up at the first file, and at a later one
    for at in ["p-0-0", "p-0-3"] {
        std::os::unix::fs::symlink("/dev/full", spool.join(at)).unwrap();
        let why = write(&mut scribe, two()).unwrap_err();
        assert!(why.contains("No space left on device"), "{why}");
        assert_eq!(standing(&www), before, "{at}: whole and old");
    }
    // a part of the tree that is something else: its projects fail, and others do not wait for them
    std::fs::write(dir.path().join("www/simple/bar"), "").unwrap();
    let rows = || ProjectRows { files: two(), ..rows() };
    let done = put(&mut scribe, vec![("bar", rows()), ("foo", rows())]);
    let failed: Vec<_> = done.iter().map(|(project, written)| (project.as_str(), written.is_err())).collect();
    assert_eq!(failed, [("bar", true), ("foo", false)]);
    assert_eq!(std::fs::read_dir(&spool).unwrap().count(), 0);
    assert_twins(&www, &["index.html", "index.v1_json"]);
}

#[test]
fn a_template_that_does_not_fit_its_rows_leaves_the_old_page() {
    let (dir, mut scribe) = scribe();
    let www = dir.path().join("www/simple/foo");
    write(&mut scribe, vec![file("foo-1.0-py3-none-any.whl")]).unwrap();
    let before = standing(&www);
    scribe.templates.tiny.add_template("project", "{ for file in nothing }{ endfor }").unwrap();
    let two = vec![file("foo-1.1-py3-none-any.whl"), file("foo-1.0-py3-none-any.whl")];
    let why = write(&mut scribe, two).unwrap_err();
    assert!(why.contains("nothing"), "{why}");
    assert_eq!(standing(&www), before, "neither HTML nor JSON, which would contradict each other");
    assert_eq!(std::fs::read_dir(dir.path().join("spool")).unwrap().count(), 0);
}

#[test]
fn many_pages_that_are_made_durable_together_are_each_complete_or_untouched() {
    let (dir, mut scribe) = scribe();
    let www = dir.path().join("www/simple");
    let names: Vec<String> = (0..16).map(|n| format!("p{n}")).collect();
    let all =
        || names.iter().map(|name| (name.as_str(), ProjectRows { files: vec![file("a.whl")], ..rows() }));
    let full = dir.path().join("spool/p-7-2");
    std::os::unix::fs::symlink("/dev/full", &full).unwrap();
    let done = put(&mut scribe, all().collect());
    let failed: Vec<_> = done.iter().filter(|(_, written)| written.is_err()).map(|(name, _)| name).collect();
    assert_eq!(failed, ["p7"]);
    assert_eq!(std::fs::read_dir(dir.path().join("spool")).unwrap().count(), 0, "nothing is left of it");
    for name in &names {
        if name == "p7" {
            assert_eq!(standing(&www.join(name)), []);
        } else {
            assert_twins(&www.join(name), &["index.html", "index.v1_json"]);
        }
    }
    let before = standing(&www.join("p3"));
    assert!(put(&mut scribe, all().collect()).iter().all(|(_, written)| written.is_ok()));
    assert_twins(&www.join("p7"), &["index.html", "index.v1_json"]);
    assert_eq!(standing(&www.join("p3")), before);
    let gone =
        |n: usize| ProjectRows { files: if n == 4 { Vec::new() } else { vec![file("b.whl")] }, ..rows() };
    put(&mut scribe, names.iter().enumerate().map(|(n, name)| (name.as_str(), gone(n))).collect());
    assert_eq!(standing(&www.join("p4")), []);
    assert!(std::fs::read_to_string(www.join("p5/index.html")).unwrap().contains("b.whl"));
}

fn root(scribe: &mut IndexScribe, pieces: &[&[&str]]) -> Result<(), String> {
    let mut answers = Vec::new();
    let mut answer = |a| answers.push(a);
    let order = RewriteOrder { page: PageKind::Root, order: 1 };
    scribe.handle(PageRequest::RootBegin, &mut answer);
    for names in pieces {
        let name = |name: &&str| RootName { name: (*name).to_owned(), downloads: 0 };
        let names = names.iter().map(name).collect();
        scribe.handle(PageRequest::RootNames(names), &mut answer);
    }
    scribe.handle(PageRequest::RootEnd(order), &mut answer);
    match answers.pop() {
        Some(PageAnswer::Written(_, result)) => result,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_root_index_is_written_in_pieces_and_left_alone_when_nothing_changed() {
    let (dir, mut scribe) = scribe();
    let www = dir.path().join("www/simple");
    root(&mut scribe, &[&["a", "b"], &["c"], &[]]).unwrap();
    let text = std::fs::read_to_string(www.join("index.html")).unwrap();
    let links: Vec<_> = text.lines().filter(|line| line.starts_with("<a ")).collect();
    assert_eq!(links, ["<a href=\"a/\">a</a><br>", "<a href=\"b/\">b</a><br>", "<a href=\"c/\">c</a><br>"]);
    let json = |dir: &Path| -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(dir.join("index.v1_json")).unwrap()).unwrap()
    };
    let names = serde_json::json!([{"name": "a"}, {"name": "b"}, {"name": "c"}]);
    assert_eq!(json(&www), serde_json::json!({"meta": {"api-version": "1.4"}, "projects": names}));
    assert_twins(&www, &["index.html", "index.v1_json"]);
    let before = standing(&www);
    root(&mut scribe, &[&["a"], &["b", "c"]]).unwrap();
    assert_eq!(standing(&www), before);
    // the same length: it is the bytes that are compared
    root(&mut scribe, &[&["a", "b", "d"]]).unwrap();
    let after = standing(&www);
    assert!(after.iter().zip(&before).all(|(after, before)| after.1 != before.1));
    let full = dir.path().join("spool/p+index.v1_json");
    std::os::unix::fs::symlink("/dev/full", &full).unwrap();
    let why = root(&mut scribe, &[&["e"]]).unwrap_err();
    assert!(why.contains("No space left on device"), "{why}");
    assert_eq!(standing(&www), after);
    std::fs::remove_file(full).unwrap();
    root(&mut scribe, &[]).unwrap();
    assert_eq!(json(&www)["projects"], serde_json::json!([]));
    assert_eq!(std::fs::read_dir(dir.path().join("spool")).unwrap().count(), 0);
}

/// Writes these files' page; whether the whole file system was synced for it.
fn synced_for(scribe: &mut IndexScribe, files: Vec<PageFile>) -> bool {
    let synced = Rc::new(Cell::new(false));
    let sees = Rc::clone(&synced);
    disk::watch(Some(Box::new(move |change| {
        sees.set(sees.get() || matches!(change, Change::SyncAll));
        Ok(())
    })));
    let written = write(scribe, files);
    disk::watch(None);
    written.unwrap();
    synced.get()
}

#[test]
fn a_page_whose_name_did_not_reach_the_disk_is_brought_there_before_it_counts_as_written() {
    let (_dir, mut scribe) = scribe();
    write(&mut scribe, vec![file("foo-1.0-py3-none-any.whl")]).unwrap();
    disk::watch(Some(Box::new(|change| match change {
        Change::SyncDir(_) => Err(io::ErrorKind::StorageFull.into()),
        _ => Ok(()),
    })));
    let files = || vec![file("foo-1.0-py3-none-any.whl"), file("foo-1.1-py3-none-any.whl")];
    write(&mut scribe, files()).unwrap_err();
    // the same page is there by now, and left alone
    assert!(synced_for(&mut scribe, files()));
}

#[test]
fn where_nothing_could_be_written_at_all_nothing_that_is_found_counts_as_durable() {
    let (dir, mut scribe) = scribe();
    let files = || vec![file("foo-1.0-py3-none-any.whl")];
    write(&mut scribe, files()).unwrap();
    // of one that was killed before it could sync: the page is in its place, and this scribe did not put it there
    let mut scribe = IndexScribe::new(dir.path().join("www"), dir.path().join("spool"), Site::default());
    disk::watch(Some(Box::new(|_| Err(io::ErrorKind::StorageFull.into()))));
    write(&mut scribe, vec![file("foo-1.1-py3-none-any.whl")]).unwrap_err();
    assert!(synced_for(&mut scribe, files()));
    assert!(!synced_for(&mut scribe, files()), "once is enough");
}
