//! `piw audit` on a real farm: what somebody breaks by hand is found, mended, and in order again; what the farm itself is just
//! doing is no difference.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::kit::farm::{Farm, Running, abi_of, python, text};
use crate::kit::sdist::Recipe;
use crate::kit::wait::until;

/// What an audit printed with `--json`: its findings, its report; and its exit code.
pub(crate) struct Audit {
    findings: Vec<Value>,
    report: Value,
    pub(crate) code: i32,
}

impl Audit {
    pub(crate) fn run(farm: &Farm, options: &[&str]) -> Self {
        let output = farm.piw_command(&[&["audit", "--json"], options].concat()).output().unwrap();
        let said = text(&output);
        let mut lines: Vec<Value> = String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
            .collect();
        let last = lines.pop().unwrap_or_else(|| panic!("no report: {said}\n{}", farm.logs()));
        assert!(last["report"].is_object(), "{said}");
        Self { findings: lines, report: last["report"].clone(), code: output.status.code().unwrap() }
    }

    /// Kinds and paths.
    pub(crate) fn found(&self) -> BTreeSet<(String, String)> {
        let text = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
        self.findings.iter().map(|finding| (text(finding, "kind"), text(finding, "path"))).collect()
    }
}

/// A farm with these packages built, and no slave.
fn built(recipes: &[Recipe]) -> (Farm, String) {
    let abi = abi_of(&python());
    let farm = Farm::start(&[&abi], &[]);
    for recipe in recipes {
        farm.index.offer(recipe);
        farm.piw(&["add", recipe.name]);
    }
    let slave = farm.start_slave("board");
    for recipe in recipes {
        let state = if recipe.fails { "failed" } else { "built" };
        farm.wait_for_state(recipe.name, &abi, state);
    }
    slave.kill();
    farm.crawl();
    (farm, abi)
}

/// Makes a file or directory older than a day.
fn age(path: &Path) {
    File::open(path).unwrap().set_modified(SystemTime::now() - Duration::from_secs(2 * 24 * 3600)).unwrap();
}

fn edit(path: &Path, change: impl FnOnce(String) -> String) {
    let page = fs::read_to_string(path).unwrap();
    let changed = change(page.clone());
    assert_ne!(changed, page, "{}", path.display());
    fs::write(path, changed).unwrap();
}

fn wheel(farm: &Farm, package: &str, abi: &str) -> String {
    farm.why(package, abi).unwrap()["files"][0]["filename"].as_str().unwrap().to_owned()
}

#[test]
fn what_is_broken_by_hand_is_found_mended_and_in_order_again() {
    let names = ["one", "two", "three", "four"];
    let mut recipes: Vec<_> = names.iter().map(|name| Recipe::native(name, "1.0")).collect();
    recipes.push(Recipe::failing("sad", "1.0"));
    let (farm, abi) = built(&recipes);
    let platform = farm.why("one", &abi).unwrap()["files"][0]["platform_tag"].as_str().unwrap().to_owned();
    farm.piw(&["policy", "aliases", &format!("{platform}=linux_armv6l"), "--reason", "it does for both"]);
    assert_eq!(farm.crawl(), 8);
    let in_order = Audit::run(&farm, &[]);
    assert_eq!((in_order.code, in_order.findings.len()), (0, 0), "{:?}", in_order.findings);

    let www = farm.path("www");
    let simple = |project: &str, name: &str| www.join("simple").join(project).join(name);
    let wheels: Vec<String> = names.iter().map(|name| wheel(&farm, name, &abi)).collect();
    let [one, two, three, four] = &wheels[..] else { panic!() };
    let mut expected: BTreeSet<(String, String)> = BTreeSet::new();
    let mut expect = |kind: &str, path: &str| {
        expected.insert((kind.to_owned(), path.to_owned()));
    };

    // files
    fs::remove_file(simple("one", &format!("{one}.metadata"))).unwrap();
    expect("metadata-missing", &format!("simple/one/{one}.metadata"));
    fs::write(simple("two", &format!("{two}.metadata")), "Name: other\n").unwrap();
    expect("metadata-changed", &format!("simple/two/{two}.metadata"));
    let alias = three.replace(&platform, "linux_armv6l");
    fs::remove_file(simple("three", &alias)).unwrap();
    expect("alias-missing", &format!("simple/three/{alias}"));
    for name in ["left-over.whl", "left-over.whl.metadata", "note.txt"] {
        fs::write(simple("three", name), "who knows").unwrap();
        age(&simple("three", name));
        expect("extra-file", &format!("simple/three/{name}"));
    }
    let odd = simple("three", "odd\u{1b}[31m.whl");
    fs::write(&odd, "its name would colour a terminal").unwrap();
    age(&odd);
    fs::write(simple("three", "on-its-way.whl"), "a build is just being published").unwrap();
    for ghost in ["ghost", "ghost-town"] {
        fs::create_dir(www.join("simple").join(ghost)).unwrap();
    }
    std::os::unix::fs::chown(www.join("simple/ghost-town"), Some(owner(&www)), None).unwrap();
    fs::write(simple("ghost-town", "ghost.whl"), "boo").unwrap();
    age(&simple("ghost-town", "ghost.whl"));
    age(&www.join("simple/ghost"));
    expect("extra-directory", "simple/ghost");
    expect("extra-file", "simple/ghost-town/ghost.whl");

    // pages of projects
    edit(&simple("three", "index.html"), |page| page.replace("#sha256=", "#sha256=00"));
    expect("link-wrong", &format!("simple/three/index.html: {three}"));
    expect("page-twin", "simple/three/index.html.gz");
    fs::remove_file(simple("four", "index.v1_json")).unwrap();
    expect("page-missing", "simple/four/index.v1_json");
    expect("page-twin", "simple/four/index.v1_json.gz");
    edit(&simple("four", "index.html"), |page| page.replace(&format!("href=\"{four}"), "href=\"nowhere.whl"));
    expect("link-missing", &format!("simple/four/index.html: {four}"));
    expect("link-broken", "simple/four/index.html: nowhere.whl");
    fs::copy(simple("one", "index.html.gz"), simple("two", "index.html.gz")).unwrap();
    expect("page-twin", "simple/two/index.html.gz");
    fs::write(simple("one", "index.v1_json"), "{").unwrap();
    expect("unreadable", "simple/one/index.v1_json");
    fs::remove_file(www.join("project/four/index.html")).unwrap();
    expect("page-missing", "project/four/index.html");
    let sad = farm.why("sad", &abi).unwrap()["build_id"].as_i64().unwrap();
    let log = format!("logs/0000/0000/{sad:04}.txt.gz");
    fs::remove_file(www.join(&log)).unwrap();
    expect("link-broken", &format!("project/sad/index.html: ../../{log}"));

    // the root index, and logs
    edit(&www.join("simple/index.html"), |page| {
        page.replace("<a href=\"two/\">two</a>", "<a href=\"nonesuch/\">nonesuch</a>")
    });
    expect("root-missing", "simple/index.html: two");
    expect("root-extra", "simple/index.html: nonesuch");
    edit(&www.join("simple/index.v1_json"), |page| page.replace("{\"name\":\"four\"},", ""));
    expect("root-missing", "simple/index.v1_json: four");
    fs::create_dir_all(www.join("logs/0000/0009")).unwrap();
    let strange = www.join("logs/0000/0009/9999.txt.gz");
    fs::write(&strange, "").unwrap();
    age(&strange);
    expect("log-extra", "logs/0000/0009/9999.txt.gz");

    let look = Audit::run(&farm, &[]);
    let found = look.found();
    assert_eq!(expected.difference(&found).collect::<Vec<_>>(), Vec::<&_>::new(), "not found");
    assert_eq!(look.code, 1);
    let strange_name = ("extra-file".to_owned(), "simple/three/odd\\u{1b}[31m.whl".to_owned());
    assert!(found.contains(&strange_name), "{found:?}");
    expected.insert(strange_name);
    fs::remove_file(&odd).unwrap();
    // both names of a file are on its page, and an edited page differs from its twin
    let beyond: Vec<_> = found
        .difference(&expected)
        .filter(|(kind, _)| !kind.starts_with("link-") && kind != "page-twin")
        .collect();
    assert!(beyond.iter().all(|(_, path)| path.contains("linux_armv6l")), "{beyond:?}");
    assert!(!found.iter().any(|(_, path)| path.contains("on-its-way")), "{found:?}");
    assert_eq!(Audit::run(&farm, &["--no-hashes"]).code, 1, "nothing was mended by looking");

    expected.retain(|(_, path)| !path.contains("odd"));
    let fix = Audit::run(&farm, &["--fix"]);
    let stay: Vec<_> = fix.findings.iter().filter(|f| f["mended"] == false && f["note"] == false).collect();
    assert_eq!((fix.code, stay.len()), (0, 0), "{stay:?}\n{}", farm.logs());
    assert_eq!(expected.difference(&fix.found()).collect::<Vec<_>>(), Vec::<&_>::new(), "not found");
    assert!(simple("three", "on-its-way.whl").exists() && strange.exists());
    assert!(!simple("three", "left-over.whl").exists() && !www.join("simple/ghost-town").exists());
    fs::remove_file(simple("three", "on-its-way.whl")).unwrap();
    let again = Audit::run(&farm, &[]);
    assert_eq!((again.code, again.findings.len()), (0, 1), "{:?}", again.findings);
    assert_eq!(farm.crawl(), 8);
    farm.audit();
    assert_eq!(fs::read_dir(farm.path("spool")).unwrap().count(), 1, "its place is kept no more");
}

fn owner(path: &Path) -> u32 {
    std::os::unix::fs::MetadataExt::uid(&fs::metadata(path).unwrap())
}

#[test]
fn a_damaged_wheel_is_kept_from_its_page_until_its_bytes_are_back_and_costs_no_build() {
    let (farm, abi) = built(&[Recipe::native("hurt", "1.0"), Recipe::native("lost", "1.0")]);
    let place = |package: &str| -> PathBuf {
        farm.path("www/simple").join(package).join(wheel(&farm, package, &abi))
    };
    let (hurt, lost) = (place("hurt"), place("lost"));
    let (hurt_bytes, lost_bytes) = (fs::read(&hurt).unwrap(), fs::read(&lost).unwrap());
    let mut flipped = hurt_bytes.clone();
    flipped[100] ^= 1;
    fs::write(&hurt, &flipped).unwrap();
    fs::remove_file(&lost).unwrap();
    let builds = "SELECT count(*) FROM piw.build WHERE outcome = 'built' AND NOT void";

    let sizes = Audit::run(&farm, &["--no-hashes"]);
    let kinds = |audit: &Audit| audit.found().into_iter().map(|(kind, _)| kind).collect::<Vec<_>>();
    assert_eq!(kinds(&sizes), ["file-missing"], "a flipped bit has the same size");
    let said = farm.piw_command(&["audit"]).output().unwrap();
    assert_eq!(said.status.code(), Some(1));
    let said = text(&said);
    assert!(
        said.contains("file-changed: its SHA-256 is ") && said.contains("run 'piw audit --fix'"),
        "{said}"
    );
    assert!(said.ends_with("piw: 2 differences; 'piw audit --fix' mends what can be mended\n"), "{said}");

    let fix = Audit::run(&farm, &["--fix"]);
    assert_eq!((fix.code, kinds(&fix)), (1, vec!["file-changed".to_owned(), "file-missing".to_owned()]));
    assert!(fix.findings.iter().all(|finding| finding["help"].as_str().unwrap().contains("backup")));
    for page in [hurt.with_file_name("index.html"), lost.with_file_name("index.v1_json")] {
        assert!(!page.exists(), "{} links to what it must not", page.display());
    }
    assert!(!fs::read_to_string(farm.path("www/simple/index.html")).unwrap().contains("hurt"));
    assert_eq!(fs::read(&hurt).unwrap(), flipped, "the bytes are left to the operator");
    assert_eq!(farm.count(builds), 2);
    assert_eq!(farm.count("SELECT count(*) FROM piw.file WHERE withheld IS NOT NULL"), 2);
    let again = Audit::run(&farm, &["--fix"]);
    assert_eq!((again.code, again.report["mended"].as_u64()), (1, Some(0)), "it stays a difference");
    farm.audit();

    fs::write(&hurt, &hurt_bytes).unwrap();
    fs::write(&lost, &lost_bytes).unwrap();
    let back = Audit::run(&farm, &["--fix"]);
    assert_eq!((back.code, kinds(&back)), (0, vec!["file-restored".to_owned(); 2]), "{:?}", back.findings);
    assert_eq!(farm.crawl(), 2);
    assert_eq!(farm.count(builds), 2);
    farm.audit();
}

/// An audit that runs beside the test.
fn begin(farm: &Farm, options: &[&str], name: &str) -> Running {
    farm.spawn(farm.piw_command(&[&["audit", "--json"], options].concat()), name)
}

fn place(farm: &Farm) -> Value {
    let kept = fs::read(farm.path("spool/.piw-audit")).unwrap_or_default();
    serde_json::from_slice(&kept).unwrap_or_default()
}

fn last_report(audit: &Running) -> Value {
    let log = audit.log();
    let last = log.lines().rfind(|line| line.starts_with("{\"report\"")).unwrap_or_else(|| panic!("{log}"));
    serde_json::from_str::<Value>(last).unwrap()["report"].clone()
}

#[test]
fn an_audit_that_is_interrupted_goes_on_where_it_was() {
    let recipes: Vec<_> =
        ["a", "b", "c"].iter().map(|name| Recipe::native(name, "1.0").with_bytes(3_000_000)).collect();
    let (mut farm, abi) = built(&recipes);
    let gone = farm.path("www/simple/a").join(wheel(&farm, "a", &abi));
    fs::remove_file(gone).unwrap();
    let slow = ["--rate", "1"];
    let mut first = begin(&farm, &slow, "first");
    until("its second project", || first.log(), || (place(&farm)["after"] == "b").then_some(()));
    first.signal(Signal::SIGINT);
    assert_eq!(first.wait(), 1);
    assert!(
        first.log().contains("piw: interrupted; 'piw audit' with the same options goes on"),
        "{}",
        first.log()
    );
    assert!(!first.log().contains("{\"report\""));

    // the master is away for a while, and that ends nothing
    let mut second = begin(&farm, &slow, "second");
    second.wait_for_line(0, &["going on with an audit that was interrupted"]);
    let other = farm.piw_command(&["audit"]).output().unwrap();
    assert!(text(&other).contains("another audit is under way"), "{}", text(&other));
    farm.kill_master();
    farm.start_master();
    assert_eq!(second.wait(), 1, "{}", second.log());
    let report = last_report(&second);
    assert_eq!((report["resumed"].as_bool(), report["left"].as_u64()), (Some(true), Some(1)), "{report}");
    assert_eq!(report["looked"]["projects"], 3, "none is looked at twice: {report}");
    assert!(report["looked"]["bytes"].as_u64().unwrap() >= 6_000_000, "{report}");
    assert_eq!(second.log().matches("\"kind\":\"file-missing\"").count(), 1, "{}", second.log());
    assert!(place(&farm).is_null());
    farm.audit();
}

#[test]
fn a_busy_farm_gives_no_false_alarm() {
    let abi = abi_of(&python());
    let farm = Farm::start(&[&abi], &[]);
    let names = ["ant", "bee", "cat", "dog", "elk", "fox"];
    for name in names {
        farm.index.offer(&Recipe::native(name, "1.0"));
        farm.index.offer(&Recipe::pure(name, "2.0"));
        farm.piw(&["add", &format!("{name}==1.0"), &format!("{name}==2.0")]);
    }
    let slaves = [farm.start_slave("left"), farm.start_slave("right")];
    let done = || farm.count("SELECT count(*) FROM piw.build") == 2 * names.len() as i64;
    let (mut audits, mut aliases) = (0, false);
    while !done() || audits < 3 {
        let fast = ["--rate", "0", "--files-rate", "0"];
        let audit = Audit::run(&farm, &fast);
        assert_eq!((audit.code, audit.findings.len()), (0, 0), "{:?}\n{}", audit.findings, farm.logs());
        audits += 1;
        // names for other platforms come and go meanwhile
        aliases = !aliases;
        let value = if aliases { "linux_x86_64=linux_armv6l,linux_aarch64=linux_armv6l" } else { "default" };
        farm.piw(&["policy", "aliases", value, "--reason", "it changes"]);
    }
    farm.crawl();
    let audit = Audit::run(&farm, &["--fix"]);
    assert_eq!((audit.code, audit.findings.len()), (0, 0), "{:?}", audit.findings);
    drop(slaves);
    farm.audit();
}

#[test]
fn the_forms_of_its_json_are_those_of_the_readme() {
    let (farm, _) = built(&[Recipe::native("one", "1.0")]);
    let mut stray = File::create(farm.path("www/simple/one/stray.whl")).unwrap();
    stray.write_all(b"x").unwrap();
    age(&farm.path("www/simple/one/stray.whl"));
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<String>>();
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<String>>();
    let audit = Audit::run(&farm, &[]);
    assert_eq!(keys(&audit.findings[0]), set(&["kind", "path", "detail", "mended", "note", "help"]));
    let report = &audit.report;
    assert_eq!(
        keys(report),
        set(&["found", "mended", "left", "notes", "kinds", "looked", "hashes", "fix", "resumed", "began"])
    );
    assert_eq!(keys(&report["looked"]), set(&["projects", "files", "bytes", "logs"]));
    assert_eq!(report["kinds"], serde_json::json!({"extra-file": {"found": 1, "mended": 0, "left": 1}}));
    let size = fs::metadata(farm.path("www/simple/one").join(wheel(&farm, "one", &abi_of(&python()))))
        .unwrap()
        .len();
    assert!(report["looked"]["bytes"].as_u64().unwrap() >= size, "{report}");
    for bad in [&["audit", "one"][..], &["audit", "--rate", "x"], &["audit", "--output-path", "/"]] {
        let output = farm.piw_command(bad).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{bad:?}: {}", text(&output));
    }
}
