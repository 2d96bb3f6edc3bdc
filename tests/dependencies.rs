//! What the program is made of, by `deny.toml`: the licences, one version of each crate, one place that all of them come from,
//! and lock files that are up to date. `cargo deny check` does the same where it is installed, and knows of faults besides; this
//! is part of every run of the tests.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on ends")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// A file of the repository.
fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// What cargo makes of manifest and lock file for the systems of `deny.toml`; it ends here if the lock file is not up to date.
fn metadata(rules: &Rules) -> Value {
    let mut cargo = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()));
    cargo.args(["metadata", "--locked", "--format-version", "1", "--all-features", "--manifest-path"]);
    cargo.arg(file("Cargo.toml"));
    for target in &rules.targets {
        cargo.args(["--filter-platform", target]);
    }
    let out = cargo.output().expect("cargo runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).expect("cargo answers with JSON")
}

/// What `deny.toml` says, as far as it is looked at here.
struct Rules {
    targets: Vec<String>,
    licences: Vec<String>,
    /// Crates and the beginning of the version that may stand beside another one.
    second: Vec<(String, String)>,
}

impl Rules {
    fn read(text: &str) -> Self {
        let second = list(text, "bans", "skip").into_iter().filter_map(|word| {
            // the reasons stand between them
            let (name, version) = word.split_once('@')?;
            Some((name.to_owned(), version.to_owned()))
        });
        Self {
            targets: list(text, "graph", "targets"),
            licences: list(text, "licenses", "allow"),
            second: second.collect(),
        }
    }
}

/// The strings of a list in a section of a TOML file.
fn list(text: &str, section: &str, key: &str) -> Vec<String> {
    let lines = text.lines().skip_while(|line| *line != format!("[{section}]")).skip(1);
    let lines = lines.take_while(|line| !line.starts_with('['));
    let mut lines = lines.skip_while(|line| *line != format!("{key} = [")).skip(1);
    let lines = lines.by_ref().take_while(|line| *line != "]").filter(|line| !line.trim().starts_with('#'));
    let words = lines.flat_map(|line| line.split('"').skip(1).step_by(2));
    words.map(str::to_owned).collect()
}

/// A package that is built into something, or helps to.
struct Package {
    name: String,
    version: String,
    licence: Option<String>,
    source: Option<String>,
}

/// The packages of cargo's answer that the systems asked for need.
fn packages(metadata: &Value) -> Vec<Package> {
    let nodes = metadata["resolve"]["nodes"].as_array().expect("a graph");
    let needed: BTreeSet<&str> = nodes.iter().filter_map(|node| node["id"].as_str()).collect();
    let all = metadata["packages"].as_array().expect("packages").iter();
    let word = |value: &Value| value.as_str().map(str::to_owned);
    all.filter(|package| package["id"].as_str().is_some_and(|id| needed.contains(id)))
        .map(|package| Package {
            name: word(&package["name"]).expect("a name"),
            version: word(&package["version"]).expect("a version"),
            licence: word(&package["license"]),
            source: word(&package["source"]),
        })
        .collect()
}

/// Whether a licence expression holds with the licences that are allowed; those that it holds with are noted. `/` is an old
/// way to say OR, and an exception (WITH) is a licence of its own.
fn allowed(expression: &str, licences: &[String], used: &mut BTreeSet<String>) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    let holds = any(&mut words, licences, used);
    assert_eq!(words.next(), None, "this is no licence expression: {expression}");
    holds
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any(words: &mut Words<'_>, licences: &[String], used: &mut BTreeSet<String>) -> bool {
    let mut holds = all(words, licences, used);
    while words.next_if_eq(&"OR").is_some() {
        holds |= all(words, licences, used);
    }
    holds
}

fn all(words: &mut Words<'_>, licences: &[String], used: &mut BTreeSet<String>) -> bool {
    let mut holds = one(words, licences, used);
    while words.next_if_eq(&"AND").is_some() {
        holds &= one(words, licences, used);
    }
    holds
}

fn one(words: &mut Words<'_>, licences: &[String], used: &mut BTreeSet<String>) -> bool {
    let Some(word) = words.next() else { return false };
    if word == "(" {
        let holds = any(words, licences, used);
        return words.next() == Some(")") && holds;
    }
    let mut licence = word.to_owned();
    if words.next_if_eq(&"WITH").is_some() {
        licence = format!("{licence} WITH {}", words.next().unwrap_or_default());
    }
    let known = licences.contains(&licence);
    if known {
        used.insert(licence);
    }
    known
}

/// What is wrong with the licences: of packages, and of the list itself.
fn licence_faults(packages: &[Package], rules: &Rules) -> Vec<String> {
    let mut used = BTreeSet::new();
    let mut faults = Vec::new();
    for package in packages {
        match &package.licence {
            None => faults.push(format!("{} names no licence", package.name)),
            Some(licence) if allowed(licence, &rules.licences, &mut used) => {}
            Some(licence) => faults.push(format!("{}: {licence} is not allowed", package.name)),
        }
    }
    let unused = rules.licences.iter().filter(|licence| !used.contains(*licence));
    faults.extend(unused.map(|licence| format!("{licence} is allowed, but nothing has it")));
    faults
}

/// Crates in two versions that the list does not name, and what the list names without need.
fn second_versions(packages: &[Package], rules: &Rules) -> Vec<String> {
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in packages {
        versions.entry(&package.name).or_default().push(&package.version);
    }
    let mut faults = Vec::new();
    for (name, version) in &rules.second {
        let Some(found) = versions.get_mut(name.as_str()) else {
            faults.push(format!("{name} is excused, but not needed"));
            continue;
        };
        let before = found.len();
        found.retain(|found| *found != version && !found.starts_with(&format!("{version}.")));
        if found.len() == before || found.is_empty() {
            faults.push(format!("{name} {version} is excused, but there is no second version"));
        }
    }
    let twice = versions.into_iter().filter(|(_, versions)| versions.len() > 1);
    faults.extend(twice.map(|(name, versions)| format!("{name} in {versions:?}")));
    faults
}

/// A package of a lock file.
#[derive(Debug, PartialEq)]
struct Locked {
    name: String,
    version: String,
    source: Option<String>,
    checksum: Option<String>,
}

fn locked(text: &str) -> Vec<Locked> {
    let packages = text.split("[[package]]\n").skip(1);
    let word = |package: &str, key: &str| {
        let line = package.lines().find_map(|line| line.strip_prefix(&format!("{key} = \"")))?;
        line.strip_suffix('"').map(str::to_owned)
    };
    packages
        .map(|package| Locked {
            name: word(package, "name").expect("a name"),
            version: word(package, "version").expect("a version"),
            source: word(package, "source"),
            checksum: word(package, "checksum"),
        })
        .collect()
}

/// What does not come from the one registry, with a checksum; `own` are packages that lie here.
fn source_faults(locked: &[Locked], registry: &str, own: &[&str]) -> Vec<String> {
    let mut faults = Vec::new();
    for Locked { name, source, checksum, .. } in locked {
        match source {
            None if own.contains(&name.as_str()) => {}
            None => faults.push(format!("{name} comes from a directory")),
            Some(source) if source != registry => faults.push(format!("{name} comes from {source}")),
            Some(_) if checksum.as_ref().is_none_or(|sum| sum.len() != 64) => {
                faults.push(format!("{name} has no checksum"));
            }
            Some(_) => {}
        }
    }
    faults
}

/// The registry that is taken where a manifest names none: the source of what this package asks for by its name alone.
fn default_registry(metadata: &Value) -> String {
    let own = metadata["packages"].as_array().unwrap().iter().find(|package| package["source"].is_null());
    let asked = own.expect("this package")["dependencies"].as_array().unwrap();
    let named = asked.iter().filter(|dependency| !dependency["registry"].is_null());
    assert_eq!(named.count(), 0, "no dependency names a registry");
    let sources: BTreeSet<_> = asked.iter().map(|dependency| dependency["source"].as_str()).collect();
    assert_eq!(sources.len(), 1, "{sources:?}");
    sources.into_iter().flatten().next().expect("no dependency is a directory").to_owned()
}

#[test]
fn licences_versions_and_sources_are_those_of_deny_toml() {
    let rules = Rules::read(&std::fs::read_to_string(file("deny.toml")).unwrap());
    assert!(rules.targets.len() > 4 && rules.licences.len() > 4, "deny.toml is read");
    let metadata = metadata(&rules);
    let packages = packages(&metadata);
    assert!(packages.len() > 150, "only {} packages", packages.len());
    let registry = default_registry(&metadata);
    assert!(registry.starts_with("registry+https://"), "{registry}");
    let mut faults = licence_faults(&packages, &rules);
    faults.extend(second_versions(&packages, &rules));
    // also what other systems would need
    let lock = locked(&std::fs::read_to_string(file("Cargo.lock")).unwrap());
    faults.extend(source_faults(&lock, &registry, &["piwheels"]));
    for package in packages.iter().filter(|package| package.source.as_ref() != Some(&registry)) {
        if package.name != "piwheels" {
            faults.push(format!("{} is taken from {:?}", package.name, package.source));
        }
    }
    for package in metadata["packages"].as_array().unwrap() {
        let wild = package["dependencies"].as_array().unwrap().iter().filter(|asked| asked["req"] == "*");
        faults.extend(wild.map(|asked| format!("any version of {} is taken", asked["name"])));
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

/// The fuzzers are a package of their own, whose lock file nothing else would bring up to date.
#[test]
fn the_fuzzers_are_built_with_the_same_versions_from_the_same_place() {
    let read = |path: &str| locked(&std::fs::read_to_string(file(path)).unwrap());
    let (farm, fuzz) = (read("Cargo.lock"), read("tests/fuzz/Cargo.lock"));
    let registry = farm.iter().find_map(|package| package.source.clone()).expect("a registry");
    let mut faults = source_faults(&fuzz, &registry, &["piwheels", "piwheels-fuzz"]);
    for package in &fuzz {
        let mut same = farm.iter().filter(|other| other.name == package.name).peekable();
        if same.peek().is_some() && !same.any(|other| other == package) {
            faults.push(format!("{} {} is another one than the farm's", package.name, package.version));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    assert_eq!(
        needs("tests/fuzz/Cargo.lock"),
        asked(),
        "tests/fuzz/Cargo.lock is out of date: cargo update --workspace --manifest-path tests/fuzz/Cargo.toml"
    );
}

/// What the piwheels of a lock file needs.
fn needs(lock: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(file(lock)).unwrap();
    let own =
        text.split("[[package]]\n").find(|package| package.starts_with("name = \"piwheels\"\n")).unwrap();
    let listed = own.split_once("dependencies = [\n").expect("it has dependencies").1;
    let lines = listed.lines().take_while(|line| *line != "]");
    // a second version of a crate has its number behind the name
    let words = lines.map(|line| line.trim().trim_matches(|c| c == '"' || c == ','));
    words.map(|word| word.split(' ').next().unwrap_or_default().to_owned()).collect()
}

/// The names in the manifest's dependencies, those for development left out.
fn asked() -> BTreeSet<String> {
    let manifest = std::fs::read_to_string(file("Cargo.toml")).unwrap();
    let lines = manifest.lines().skip_while(|line| *line != "[dependencies]").skip(1);
    let lines = lines.take_while(|line| !line.starts_with('['));
    lines.filter_map(|line| line.split_once(" = ")).map(|(name, _)| name.to_owned()).collect()
}

#[test]
fn the_check_sees_what_it_looks_for() {
    let rules = Rules::read(
        "[graph]\ntargets = [\n  \"a\",\n  \"b\",\n]\n[licenses]\nallow = [\n  \"MIT\",\n  # \"GPL\"\n  \"Zlib\",\n]\n\
         [bans]\nskip = [\n  { crate = \"x@1\", reason = \"y's\" },\n]\n",
    );
    assert_eq!(
        (&rules.targets[..], &rules.licences[..]),
        (&["a", "b"].map(String::from)[..], &["MIT", "Zlib"].map(String::from)[..])
    );
    assert_eq!(rules.second, [("x".to_owned(), "1".to_owned())]);

    let holds = |expression: &str| allowed(expression, &rules.licences, &mut BTreeSet::new());
    for expression in
        ["MIT", "MIT OR GPL", "GPL/Zlib", "MIT AND Zlib", "(GPL OR MIT) AND Zlib", "GPL AND Zlib OR MIT"]
    {
        assert!(holds(expression), "{expression}");
    }
    for expression in ["GPL", "MIT AND GPL", "MIT WITH X", "(MIT OR GPL) AND GPL", "", "GPL OR MIT AND GPL"] {
        assert!(!holds(expression), "{expression}");
    }

    let package = |name: &str, version: &str, licence: Option<&str>| Package {
        name: name.to_owned(),
        version: version.to_owned(),
        licence: licence.map(str::to_owned),
        source: None,
    };
    let good = [package("x", "1.2.0", Some("MIT")), package("x", "12.0.0", Some("Zlib"))];
    assert!(licence_faults(&good, &rules).is_empty() && second_versions(&good, &rules).is_empty());
    let odd =
        [package("x", "2.0.0", Some("GPL")), package("y", "1.0.0", None), package("y", "3.0.0", Some("MIT"))];
    let faults = licence_faults(&odd, &rules).join("; ");
    assert_eq!(faults, "x: GPL is not allowed; y names no licence; Zlib is allowed, but nothing has it");
    let faults = second_versions(&odd, &rules).join("; ");
    assert_eq!(faults, "x 1 is excused, but there is no second version; y in [\"1.0.0\", \"3.0.0\"]");

    let sum = "0".repeat(64);
    let lock = format!(
        "version = 4\n\n[[package]]\nname = \"own\"\nversion = \"1\"\n\n[[package]]\nname = \"a\"\nversion = \"1\"\nsource = \"here\"\nchecksum = \"{sum}\"\n\n\
         [[package]]\nname = \"b\"\nversion = \"1\"\nsource = \"git+there\"\n\n[[package]]\nname = \"c\"\nversion = \"1\"\nsource = \"here\"\n"
    );
    let faults = source_faults(&locked(&lock), "here", &["own"]);
    assert_eq!(faults, ["b comes from git+there", "c has no checksum"]);
    assert_eq!(source_faults(&locked(&lock)[..1], "here", &[]), ["own comes from a directory"]);
}
