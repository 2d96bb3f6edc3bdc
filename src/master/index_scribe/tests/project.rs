//! A project's page for people, and its JSON.

use serde_json::{Value, json};

use super::*;
use crate::domain::{BuildId, log_path};
use crate::master::query::{PageAbi, PageBuild, PageCell, PageRelease};
use crate::master::report::{KeptReport, Sdist};

const ODD: &str = "<script>alert('\"&amp;\")</script>";

fn abis() -> Vec<PageAbi> {
    let abi = |tag: &str, retired: Option<&str>| PageAbi {
        tag: tag.to_owned(),
        retired: retired.map(str::to_owned),
    };
    vec![abi("cp38", Some("its board is gone")), abi("cp39", None), abi("cp311", None), abi("cp313", None)]
}

fn cell(abi: &str, state: &str) -> PageCell {
    PageCell { abi: abi.to_owned(), state: state.to_owned(), ..PageCell::default() }
}

fn release(version: &str, cells: Vec<PageCell>) -> PageRelease {
    let released = Some("2026-01-31 23:59:59".to_owned());
    PageRelease { version: version.to_owned(), released, near: true, cells, ..PageRelease::default() }
}

fn attempt(build: i64, outcome: &str) -> PageBuild {
    PageBuild {
        build: BuildId(build),
        version: "1.0".to_owned(),
        abi: "cp311".to_owned(),
        outcome: outcome.to_owned(),
        duration_ms: 1500,
        report: None,
    }
}

fn of_release(version: &str, filename: &str, apt: &[&str]) -> PageFile {
    let apt = Some(apt.iter().map(|name| (*name).to_owned()).collect());
    PageFile { version: version.to_owned(), apt, ..file(filename) }
}

fn people(scribe: &mut IndexScribe, project: &ProjectName, rows: &ProjectRows) {
    // the files themselves are none of these tests' business
    let mut staged = Staged::new(0);
    scribe.people(&mut staged, project, rows).unwrap();
    for written in scribe.store.commit(&[staged]) {
        written.unwrap();
    }
}

/// Writes both, and gives them; the JSON is one that the schema allows.
fn written(scribe: &mut IndexScribe, rows: &ProjectRows) -> (String, Value) {
    let project = ProjectName::parse("foo").unwrap();
    people(scribe, &project, rows);
    let dir = scribe.store.output.join("project/foo");
    let text = std::fs::read_to_string(dir.join("index.html")).unwrap();
    assert!(
        !text.contains("<script>alert") && !text.contains(" style=") && !text.contains("<style"),
        "{text}"
    );
    let json = serde_json::from_slice(&std::fs::read(dir.join("json/index.json")).unwrap()).unwrap();
    assert_eq!(schema::problems(&json, &schema::project()), [""; 0]);
    (text, json)
}

#[test]
fn every_state_is_named_with_its_reason_and_means_the_same_in_both() {
    let (dir, mut scribe) = scribe();
    let log = dir.path().join("www").join(log_path(BuildId(70_001)));
    std::fs::create_dir_all(log.parent().unwrap()).unwrap();
    std::fs::write(&log, "").unwrap();
    let with = |mut cell: PageCell, outcome: &str, build: i64| {
        (cell.outcome, cell.build, cell.log) = (Some(outcome.to_owned()), Some(build), Some(true));
        cell
    };
    let because = |mut cell: PageCell, reason: &str| {
        cell.reason = Some(reason.to_owned());
        cell
    };
    let mut delayed = because(with(cell("cp39", "delayed"), "network", 5), "retry");
    delayed.due = Some("2026-02-01T12:30:00Z".to_owned());
    let mut skipped = release("1.0", Vec::new());
    skipped.why_not = Some(format!("the package is skipped: {ODD}"));
    skipped.skip = Some(ODD.to_owned());
    let mut yanked = release("1.1a1", vec![cell("cp39", "building")]);
    (yanked.prerelease, yanked.yanked) = (true, Some(ODD.to_owned()));
    let rows = ProjectRows {
        display: ODD.to_owned(),
        abis: abis(),
        releases: vec![
            release(
                "2.0",
                vec![
                    with(cell("cp39", "built"), "built", 70_001),
                    cell("cp311", "settled"),
                    cell("cp313", "settled"),
                ],
            ),
            release("1.9", vec![with(cell("cp39", "failed"), "timeout", 8), cell("cp311", "queued")]),
            release("1.8", vec![delayed, cell("cp311", "waiting"), because(cell("cp313", "off"), ODD)]),
            yanked,
            skipped,
            release("0.9", vec![with(cell("cp38", "built"), "built", 3)]),
        ],
        files: vec![of_release("2.0", "foo-2.0-cp39-abi3-linux_armv7l.whl", &[])],
        ..rows()
    };
    let (text, json) = written(&mut scribe, &rows);
    let builds = |version: &str| json["releases"][version]["builds"].clone();
    let build = |state: &str, reason: Option<&str>| json!({"state": state, "reason": reason, "outcome": null, "due": null, "build_id": null, "log_url": null});
    let covered = build("covered", Some("a wheel of another ABI's build serves it"));
    let log_url = "../../../logs/0000/0007/0001.txt.gz";
    assert_eq!(
        builds("2.0"),
        json!({
            "cp39": {"state": "built", "reason": null, "outcome": "built", "due": null, "build_id": 70_001, "log_url": log_url},
            "cp311": covered, "cp313": covered,
        })
    );
    assert!(dir.path().join("www/project/foo/json").join(log_url).is_file(), "relative to its own address");
    let slow = "its build took longer than builds may take";
    assert_eq!(builds("1.9")["cp39"]["reason"], slow);
    assert_eq!(
        (&builds("1.9")["cp39"]["log_url"], &builds("1.9")["cp311"]),
        (&Value::Null, &build("queued", None))
    );
    assert_eq!(builds("1.8")["cp39"]["due"], "2026-02-01T12:30:00Z");
    assert_eq!(builds("1.8")["cp39"]["reason"], "the index could not be reached, or a download broke");
    assert_eq!(builds("1.8")["cp313"], build("off", Some(ODD)));
    assert_eq!(builds("1.1a1"), json!({"cp39": build("building", None)}));
    let why_not = format!("the package is skipped: {ODD}");
    let all_skipped = build("skipped", Some(&why_not));
    assert_eq!(
        builds("1.0"),
        json!({"cp38": all_skipped, "cp39": all_skipped, "cp311": all_skipped, "cp313": all_skipped})
    );
    let order: Vec<_> = json["releases"].as_object().unwrap().keys().collect();
    assert_eq!(order.len(), 6);
    assert_eq!(json["abis"]["cp38"]["retired"], "its board is gone");
    assert_eq!(
        (&json["releases"]["1.0"]["skip_reason"], &json["releases"]["2.0"]["skip_reason"]),
        (&json!(ODD), &json!(""))
    );

    // the page has a word for each, and the reason behind it
    for (word, count) in [
        ("built", 2),
        ("covered", 2),
        ("failed", 1),
        ("queued", 1),
        ("delayed", 1),
        ("waiting", 1),
        ("off", 1),
        ("building", 1),
        ("skipped", 4),
    ] {
        assert_eq!(text.matches(&format!(">{word}</span>")).count(), count, "{word}: {text}");
    }
    let escaped = "&lt;script&gt;alert(&#39;&quot;&amp;amp;&quot;)&lt;/script&gt;";
    for part in [
        format!("<summary><span class=\"badge bad\" title=\"{slow}\">failed</span></summary><p>{slow}</p>"),
        "download broke; queued again 2026-02-01 12:30 UTC</p>".to_owned(),
        format!("<summary><span class=\"badge off\" title=\"{escaped}\">off</span></summary><p>{escaped}</p>"),
        format!("<summary>why not built</summary><p>the package is skipped: {escaped}</p>"),
        format!("<summary>why yanked</summary><p>{escaped}</p>"),
        "serves it: <a href=\"../../simple/foo/foo-2.0-cp39-abi3-linux_armv7l.whl\">".to_owned(),
        "<a href=\"../../logs/0000/0007/0001.txt.gz\">log</a>".to_owned(),
        "<th scope=\"col\">cp38</th><th scope=\"col\">cp39</th><th scope=\"col\">cp311</th><th scope=\"col\">cp313</th>".to_owned(),
        "pre-release</span>".to_owned(),
    ] {
        assert!(text.contains(&part), "{part}\n{text}");
    }
    assert_eq!(text.matches("logs/").count(), 1, "only logs that are there");
    assert_eq!(written(&mut scribe, &rows), (text, json));
}

#[test]
fn a_retired_abi_has_a_column_while_something_was_tried_for_it() {
    let (_dir, mut scribe) = scribe();
    let rows =
        ProjectRows { abis: abis(), releases: vec![release("1.0", vec![cell("cp39", "queued")])], ..rows() };
    let (text, json) = written(&mut scribe, &rows);
    assert!(!text.contains("cp38") && json["abis"].get("cp38").is_none(), "{text}");
}

#[test]
fn files_are_shown_with_all_that_an_installer_would_look_at() {
    let (_dir, mut scribe) = scribe();
    let mut wheel = of_release("1.0", "foo-1.0-1-cp311-cp311-linux_armv7l.whl", &["libfoo1", "bad;name"]);
    (wheel.yanked, wheel.size) = (Some(String::new()), 3 << 19);
    wheel.requires = Some(
        ["Six >=1", "nose; extra == 'test'", "six", "pywin32; sys_platform == 'win32'", ODD]
            .map(str::to_owned)
            .into(),
    );
    let pure = PageFile {
        metadata_sha256: None,
        requires_python: None,
        ..of_release("1.0", "foo-1.0-py3-none-any.whl", &[])
    };
    let alias = PageFile {
        alias_of: Some(wheel.filename.clone()),
        ..of_release("1.0", "foo-1.0-1-cp311-cp311-linux_armv6l.whl", &[])
    };
    let rows = ProjectRows {
        abis: abis(),
        releases: vec![release("1.0", Vec::new())],
        files: vec![wheel, pure, alias],
        status: "archived".to_owned(),
        status_reason: Some(ODD.to_owned()),
        ..rows()
    };
    let (text, json) = written(&mut scribe, &rows);
    let (ab, cd, uploaded) = ("ab".repeat(32), "cd".repeat(32), "2026-01-31T23:59:59.000001Z");
    let name = "foo-1.0-1-cp311-cp311-linux_armv7l.whl";
    assert_eq!(
        json,
        json!({
            "package": "foo", "name": "Foo", "status": "archived", "status_reason": ODD,
            "page_url": "../", "simple_url": "../../../simple/foo/",
            "abis": {"cp39": {"retired": null}, "cp311": {"retired": null}, "cp313": {"retired": null}},
            "releases": {"1.0": {
                "released": "2026-01-31 23:59:59", "prerelease": false, "yanked": false, "yanked_reason": null,
                "skip_reason": "", "not_built_reason": null, "builds": {},
                "files": {
                    name: {
                        "url": format!("../../../simple/foo/{name}"), "filesize": 3 << 19, "filehash": ab,
                        "metadata_url": format!("../../../simple/foo/{name}.metadata"), "metadata_filehash": cd,
                        "uploaded": uploaded, "builder_abi": "cp311", "file_abi_tag": "cp311", "platform": "linux_armv7l",
                        "requires_python": ">=3.7,<4", "alias_of": null, "apt_dependencies": ["libfoo1"],
                        "pip_dependencies": ["six"]
                    },
                    "foo-1.0-py3-none-any.whl": {
                        "url": "../../../simple/foo/foo-1.0-py3-none-any.whl", "filesize": 1234, "filehash": ab,
                        "metadata_url": null, "metadata_filehash": null, "uploaded": uploaded, "builder_abi": "cp311",
                        "file_abi_tag": "none", "platform": "any", "requires_python": null, "alias_of": null,
                        "apt_dependencies": [], "pip_dependencies": null
                    },
                    "foo-1.0-1-cp311-cp311-linux_armv6l.whl": {
                        "url": "../../../simple/foo/foo-1.0-1-cp311-cp311-linux_armv6l.whl", "filesize": 1234, "filehash": ab,
                        "metadata_url": "../../../simple/foo/foo-1.0-1-cp311-cp311-linux_armv6l.whl.metadata",
                        "metadata_filehash": cd, "uploaded": uploaded, "builder_abi": "cp311", "file_abi_tag": "cp311",
                        "platform": "linux_armv6l", "requires_python": ">=3.7,<4", "alias_of": name,
                        "apt_dependencies": [], "pip_dependencies": null
                    },
                }
            }}
        })
    );
    for part in [
        format!(
            "<a href=\"../../simple/foo/{name}\">{name}</a> <a class=\"muted\" href=\"../../simple/foo/{name}.metadata\">"
        ),
        "class=\"num\">1.5 MiB</td>".to_owned(),
        "class=\"num\">1.2 KiB</td>".to_owned(),
        "data-label=\"For\">cp311 linux_armv7l</td><td data-label=\"Python\">&gt;=3.7,&lt;4</td>".to_owned(),
        format!("<code>{ab}</code>"),
        "archived</span>".to_owned(),
        "no more releases are to be expected. <q>&lt;script&gt;".to_owned(),
        "pip install --extra-index-url ADDRESS/simple/ foo</code>".to_owned(),
    ] {
        assert!(text.contains(&part), "{part}\n{text}");
    }
    assert!(!text.contains("bad;name") && text.contains("<code>sudo apt install libfoo1</code>"), "{text}");
}

#[test]
fn what_apt_is_asked_for_is_that_of_the_release_that_pip_installs() {
    let (dir, _) = scribe();
    let site = Site::new(None, Some("https://wheels.example.org/pi")).unwrap();
    let mut scribe = IndexScribe::new(dir.path().join("www"), dir.path().join("spool"), site);
    let of_abi = |abi: &str, apt: &[&str]| {
        let name = format!("foo-1.0-{abi}-{abi}-linux_armv7l.whl");
        PageFile { abi: abi.to_owned(), ..of_release("1.0", &name, apt) }
    };
    let mut pre = release("2.0a1", Vec::new());
    pre.prerelease = true;
    let mut yanked = release("1.5", Vec::new());
    yanked.yanked = Some(String::new());
    let releases = vec![pre, yanked, release("1.0", Vec::new()), release("0.9", Vec::new())];
    let other = ["2.0a1", "1.5", "0.9"].map(|version| {
        of_release(version, &format!("foo-{version}-cp39-cp39-linux_armv7l.whl"), &["libother1"])
    });
    let mut install = |apts: [&[&str]; 3]| {
        let [one, two, three] = apts;
        let files = [of_abi("cp39", one), of_abi("cp311", two), of_abi("cp313", three)];
        let files = files.into_iter().chain(other.clone()).collect();
        let (text, _) = written(&mut scribe, &ProjectRows { releases: releases.clone(), files, ..rows() });
        assert!(
            text.contains("pip install --extra-index-url https://wheels.example.org/pi/simple/ foo</code>"),
            "{text}"
        );
        let begin = text.find("<h2 id=\"install\">").unwrap();
        let text = &text[begin..text.find("<h2 id=\"releases\">").unwrap()];
        assert!(!text.contains("libother1"), "{text}");
        text.lines()
            .filter(|line| line.contains("apt install") || line.contains("Wheels for"))
            .collect::<Vec<_>>()
            .join("\n")
    };
    let line = |packages: &str| format!("<pre class=\"code\"><code>sudo apt install {packages}</code></pre>");
    assert_eq!(install([&[], &[], &[]]), "");
    assert_eq!(install([&["libb1", "liba1"], &["liba1", "libb1"], &["liba1", "libb1"]]), line("liba1 libb1"));
    assert_eq!(
        install([&["liba1"], &["liba2"], &["liba1"]]),
        format!(
            "<p>Wheels for cp39, cp313:</p>\n{}\n<p>Wheels for cp311:</p>\n{}",
            line("liba1"),
            line("liba2")
        )
    );
    assert_eq!(install([&[], &["liba2"], &[]]), format!("<p>Wheels for cp311:</p>\n{}", line("liba2")));
}

#[test]
fn a_quarantined_project_keeps_its_page_and_says_why_it_offers_nothing() {
    let (_dir, mut scribe) = scribe();
    let mut hidden = release("1.0", Vec::new());
    hidden.why_not = None;
    let rows = ProjectRows {
        abis: abis(),
        status: "quarantined".to_owned(),
        status_reason: Some("malware".to_owned()),
        releases: vec![hidden],
        ..rows()
    };
    let (text, json) = written(&mut scribe, &rows);
    assert!(text.contains("class=\"note bad\"") && text.contains("<q>malware</q>"), "{text}");
    assert_eq!((&json["status"], &json["simple_url"]), (&json!("quarantined"), &Value::Null));
    assert!(!text.contains(".whl") && !text.contains("simple/foo"), "{text}");
}

#[test]
fn however_much_there_is_a_page_stays_small_and_says_what_it_leaves_out() {
    let (_dir, mut scribe) = scribe();
    let cells = || abis().iter().skip(1).map(|abi| cell(&abi.tag, "built")).collect::<Vec<_>>();
    let releases: Vec<_> = (0..2000)
        .map(|n| PageRelease {
            near: n < 100,
            cells: if n < 100 { cells() } else { Vec::new() },
            ..release(&format!("{}.0", 3000 - n), Vec::new())
        })
        .collect();
    let files = releases
        .iter()
        .flat_map(|r| {
            ["cp39", "cp311", "cp313"].map(|abi| {
                of_release(&r.version, &format!("foo-{}-{abi}-{abi}-linux_armv7l.whl", r.version), &[])
            })
        })
        .collect();
    let (text, json) = written(&mut scribe, &ProjectRows { abis: abis(), releases, files, ..rows() });
    assert!(text.len() < 300_000, "{} bytes", text.len());
    assert!(
        text.contains("The newest 100 of 2000;") && text.contains("The newest 200 of 6000;"),
        "{}",
        &text[..3000]
    );
    let all = json["releases"].as_object().unwrap();
    assert_eq!((all.len(), all.values().filter(|r| r.get("builds").is_some()).count()), (2000, 100));
    assert_eq!(all["1001.0"]["files"].as_object().unwrap().len(), 3);
}

#[test]
fn the_logs_that_are_there_are_linked_from_the_page_for_people_and_from_no_other() {
    let (dir, mut scribe) = scribe();
    let log = dir.path().join("www").join(log_path(BuildId(70_001)));
    std::fs::create_dir_all(log.parent().unwrap()).unwrap();
    std::fs::write(&log, "").unwrap();
    let builds = vec![attempt(70_001, "failed"), attempt(7, "no-sdist")];
    let (text, _) = written(&mut scribe, &ProjectRows { builds, ..rows() });
    let links: Vec<_> = text.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    let logs: Vec<_> = links.iter().filter(|link| link.contains("logs/")).collect();
    assert_eq!(logs, [&"../../logs/0000/0007/0001.txt.gz"], "{text}");
    assert!(dir.path().join("www/project/foo").join(logs[0]).is_file());
    assert!(text.contains(">no-sdist</span></div></td><td data-label=\"Log\"></td>"), "{text}");
    assert!(!dir.path().join("www/simple/foo").exists());
}

#[test]
fn the_pages_are_left_alone_when_nothing_changed_and_go_when_nothing_is_known_any_more() {
    let (dir, mut scribe) = scribe();
    let rows =
        ProjectRows { releases: vec![release("1.0", vec![cell("cp39", "queued")])], abis: abis(), ..rows() };
    written(&mut scribe, &rows);
    let (page, api) = (dir.path().join("www/project/foo"), dir.path().join("www/project/foo/json"));
    assert_twins(&api, &["index.json"]);
    let before = standing(&api);
    written(&mut scribe, &rows);
    assert_eq!(standing(&api), before);
    assert!(page.join("index.html.gz").is_file());
    let project = ProjectName::parse("foo").unwrap();
    people(&mut scribe, &project, &super::rows());
    assert_eq!(standing(&api), []);
    assert!(!page.join("index.html").exists() && !page.join("index.html.gz").exists());
}

#[test]
fn a_report_is_shown_with_its_build_and_is_text_whatever_it_says() {
    let (_dir, mut scribe) = scribe();
    let odd = || Some(ODD.to_owned());
    let report = KeptReport {
        machine: odd(),
        os: odd(),
        walls: vec!["</dl><script>".to_owned()],
        interpreter: odd(),
        pip: odd(),
        pip_arguments: odd(),
        compiler: odd(),
        sdist: Some(Sdist { filename: "\"><script>".to_owned(), size: 1, sha256: "<script>".to_owned() }),
        requirements: vec!["<script>".to_owned()],
        ..KeptReport::default()
    };
    let builds =
        vec![PageBuild { report: Some(Box::new(report)), ..attempt(2, "built") }, attempt(1, "built")];
    let rows = ProjectRows { builds, ..rows() };
    let (shown, _) = written(&mut scribe, &rows);
    assert!(!shown.contains("<script") && !shown.contains("</script"), "{shown}");
    let compiler = "<dt>Compiler</dt><dd>&lt;script&gt;alert(&#39;&quot;&amp;amp;&quot;)&lt;/script&gt;</dd>";
    assert!(shown.contains(compiler), "{shown}");
    assert_eq!(shown.matches("how it was built").count(), 1, "{shown}");
    assert_eq!(written(&mut scribe, &rows).0, shown);
}
