//! The rule that lets a simulator drive the farm: the state machines, the domain and the wire name nothing that does
//! I/O, reads a clock or starts a thread. And which files may say `unsafe`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

/// What a pure module may not name, outside its own tests.
const FORBIDDEN: [&str; 12] = [
    "mio",
    "postgres",
    "r2d2",
    "ureq",
    "nix",
    "std::net",
    "std::fs",
    "std::thread",
    "std::process",
    "std::os",
    "Instant",
    "SystemTime",
];

/// What the simulator drives may not name either: a seed has one history only as long as nothing goes through a map in an order
/// that is each process's own.
const UNORDERED: [&str; 2] = ["HashMap", "HashSet"];

const SIMULATED: &[&str] = &[
    "src/master/architect.rs",
    "src/master/event.rs",
    "src/master/farm.rs",
    "src/master/farm",
    "src/master/file_juggler.rs",
    "src/master/file_juggler/window.rs",
    "src/master/follower.rs",
    "src/master/follower",
    "src/master/hub.rs",
    "src/master/hub",
    "src/master/mr_chase.rs",
    "src/master/mr_chase",
    "src/master/pages.rs",
    "src/master/pages",
    "src/master/publisher.rs",
    "src/master/publisher",
    "src/master/query.rs",
    "src/master/query",
    "src/master/refusals.rs",
    "src/master/report.rs",
    "src/master/seraph.rs",
    "src/master/slave_driver.rs",
    "src/slave/backoff.rs",
    "src/slave/session.rs",
    "src/slave/session",
    "src/slave/transfer.rs",
];

const PURE: &[&str] = &[
    "src/admin/audit/compare.rs",
    "src/admin/audit/finding.rs",
    "src/admin/audit/links.rs",
    "src/admin/audit/pace.rs",
    "src/admin/audit/pages.rs",
    "src/admin/audit/root.rs",
    "src/admin/audit/rows.rs",
    "src/admin/audit/settle.rs",
    "src/admin/status/verdict.rs",
    "src/admin/logger/access.rs",
    "src/admin/logger/agent.rs",
    "src/admin/logger/format.rs",
    "src/admin/logger/json.rs",
    "src/admin/logger/moment.rs",
    "src/admin/logger/text.rs",
    "src/wire",
    "src/domain",
    "src/master/architect.rs",
    "src/master/big_brother.rs",
    "src/master/big_brother",
    "src/master/event.rs",
    "src/master/cloud_gazer/changelog.rs",
    "src/master/cloud_gazer/choice.rs",
    "src/master/cloud_gazer/dates.rs",
    "src/master/cloud_gazer/json.rs",
    "src/master/cloud_gazer/project_list.rs",
    "src/master/cloud_gazer/project_page.rs",
    "src/master/cloud_gazer/releases.rs",
    "src/master/cloud_gazer/trouble.rs",
    "src/master/cloud_gazer/xml_rpc.rs",
    "src/master/farm.rs",
    "src/master/farm",
    "src/master/file_juggler.rs",
    "src/master/file_juggler/window.rs",
    "src/master/follower.rs",
    "src/master/follower",
    "src/master/gaze.rs",
    "src/master/query",
    "src/master/hub.rs",
    "src/master/hub",
    "src/master/limits.rs",
    "src/master/metrics",
    "src/master/mr_chase.rs",
    "src/master/pages.rs",
    "src/master/publisher.rs",
    "src/master/query.rs",
    "src/master/refusals.rs",
    "src/master/report.rs",
    "src/master/seraph.rs",
    "src/master/slave_driver.rs",
    "src/monitor/app.rs",
    "src/monitor/app",
    "src/monitor/cells.rs",
    "src/monitor/draw",
    "src/monitor/json.rs",
    "src/monitor/keys.rs",
    "src/monitor/logtext.rs",
    "src/monitor/model.rs",
    "src/monitor/rows.rs",
    "src/monitor/text.rs",
    "src/monitor/words.rs",
    "src/slave/backoff.rs",
    "src/slave/fitness.rs",
    "src/slave/session.rs",
    "src/slave/session",
    "src/slave/transfer.rs",
];

fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let entries = std::fs::read_dir(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    entries.flat_map(|entry| files(&entry.unwrap().path())).collect()
}

/// The code of a file without comments and without its tests, which come last.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let tests = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    let lines = text[..tests].lines().enumerate().map(|(index, line)| (index + 1, line));
    lines.map(|(number, line)| (number, line.split("//").next().unwrap_or_default()))
}

fn names(line: &str, word: &str) -> bool {
    // `use std::{fs, …}` names std::fs too
    if let (Some(module), Some((_, group))) = (word.strip_prefix("std::"), line.split_once("std::{")) {
        return names(group, module);
    }
    line.match_indices(word).any(|(at, _)| {
        let edge = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '_');
        edge(line[..at].chars().next_back()) && edge(line[at + word.len()..].chars().next())
    })
}

#[test]
fn pure_modules_name_no_socket_file_process_thread_database_or_clock() {
    assert!(look(PURE, &FORBIDDEN) > 2000);
}

#[test]
fn what_the_simulator_drives_goes_through_nothing_in_an_order_of_its_own() {
    assert!(look(SIMULATED, &UNORDERED) > 2000);
}

/// Looks for these words in these files, which have none of them; the number of lines looked at.
fn look(paths: &[&str], forbidden: &[&str]) -> usize {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut lines = 0;
    for path in paths.iter().flat_map(|path| files(&root.join(path))) {
        // the golden vectors' reader and test benches are tests as a whole
        if path.file_name().is_some_and(|name| name == "vectors.rs" || name == "tests.rs") {
            continue;
        }
        if path.components().any(|part| part.as_os_str() == "tests") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for (number, line) in code(&text) {
            lines += 1;
            for word in forbidden.iter().filter(|word| names(line, word)) {
                found.push(format!("{}:{number}: {word}", path.display()));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
    lines
}

/// The files that may say `unsafe`, or allow others to; each begins with its reason. The lint (Cargo.toml) denies it to all
/// others, this to whoever would allow it to himself.
const UNSAFE: &[&str] = &["src/slave/sandbox/sys.rs"];

/// Whether a line without its comments has an unsafe block, function or attribute, or allows them.
fn is_unsafe(line: &str) -> bool {
    let said = line.match_indices("unsafe").any(|(at, word)| {
        let rest = line[at + word.len()..].trim_start();
        let keyword = ["{", "(", "fn ", "impl", "extern", "trait"].iter().any(|next| rest.starts_with(next));
        let ends = line[..at].chars().next_back().is_none_or(|c| !c.is_alphanumeric() && c != '_');
        ends && (rest.is_empty() || keyword)
    });
    // a `deny` or `forbid` of it may stand anywhere
    said || (line.contains("unsafe_code") && (line.contains("allow") || line.contains("expect")))
}

#[test]
fn only_the_named_files_say_unsafe() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut seen = 0;
    for path in everything(root, |name| name.ends_with(".rs") && name != "purity.rs") {
        let text = std::fs::read_to_string(&path).unwrap();
        let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
        let lines: Vec<usize> = lines.zip(1..).filter(|(line, _)| is_unsafe(line)).map(|(_, n)| n).collect();
        seen += 1;
        let named = UNSAFE.iter().any(|named| path == root.join(named));
        if named == lines.is_empty() || (named && !text.starts_with("//! ")) {
            found.push(format!("{}: {lines:?}", path.display()));
        }
    }
    assert!(found.is_empty(), "{found:#?}");
    assert!(seen > 300, "only {seen} files were looked at");
}

/// The files of the repository whose names fit; what was built of it and copies of the dependencies may lie beside them.
fn everything(dir: &Path, fits: fn(&str) -> bool) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let others = || name.starts_with('.') || name == "vendor" || path.join("CACHEDIR.TAG").exists();
        if path.is_dir() && !others() {
            found.extend(everything(&path, fits));
        } else if path.is_file() && fits(&name) {
            found.push(path);
        }
    }
    found
}

/// Programs, tests, benches and examples are targets of the one package, the fuzzers of another: the lint is each manifest's.
#[test]
fn every_package_denies_unsafe_code() {
    let manifests = everything(Path::new(env!("CARGO_MANIFEST_DIR")), |name| name == "Cargo.toml");
    assert!(manifests.len() >= 2, "{manifests:?}");
    for path in manifests {
        let text = std::fs::read_to_string(&path).unwrap();
        let lints = text.split("\n[lints.rust]\n").nth(1).unwrap_or_default();
        let mut lints = lints.lines().take_while(|line| !line.starts_with('['));
        let denied = |line: &str| matches!(line, "unsafe_code = \"deny\"" | "unsafe_code = \"forbid\"");
        assert!(lints.any(denied), "{} lets anybody say unsafe", path.display());
    }
}

#[test]
fn the_check_sees_what_it_looks_for() {
    for line in [
        "unsafe { x() }",
        "let y = unsafe {",
        "pub unsafe fn x() {",
        "#[unsafe(no_mangle)]",
        "unsafe",
        "unsafe impl Send for X {}",
        "#![allow(unsafe_code)]",
        "#[expect(unsafe_code)]",
    ] {
        assert!(is_unsafe(line), "{line}");
    }
    for line in ["\"unsafe-best-match\"", "contains(\"unsafe\")", "not_unsafe { }", "#![forbid(unsafe_code)]"]
    {
        assert!(!is_unsafe(line), "{line}");
    }
    assert!(names("use std::fs::File;", "std::fs"));
    assert!(names("let now = Instant::now();", "Instant"));
    assert!(code("let x = 1; // Instant").all(|(_, line)| !names(line, "Instant")));
    assert_eq!(code("a\n#[cfg(test)]\nmod tests {\n}").count(), 1);
    assert_eq!(code("#[cfg(test)]\nmod vectors;\nb").count(), 3, "what stands behind a test's module counts");
    assert!(names("use std::{fmt, fs};", "std::fs") && !names("use std::{fmt};", "std::fs"));
    assert!(!names("community", "mio") && !names("domio::x", "mio"));
}
