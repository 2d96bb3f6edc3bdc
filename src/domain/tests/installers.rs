//! What the farm makes of names, versions, specifiers, markers and wheels' names, against what pip makes of them, which installs what
//! the farm publishes: random ones, each asked of pip's own library (`installers.py`). `PIW_FUZZ_SEED` repeats a run,
//! `PIW_FUZZ_ROUNDS` makes it longer.

use std::cmp::Ordering;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::str::FromStr;

use pep440_rs::VersionSpecifiers;
use serde_json::{Value, json};

use crate::domain::marker::Marker;
use crate::domain::requirement::{Extra, Requirement};
use crate::domain::{AbiTag, Environment, ProjectName, Version, WheelName};
use crate::wire::vectors::Chance;

/// Times that each kind of question is asked.
const ROUNDS: u64 = 400;

fn pick<'a>(chance: &mut Chance, words: &[&'a str]) -> &'a str {
    words[chance.below(words.len())]
}

/// Something like a version: most are ones, in any spelling.
fn version(chance: &mut Chance) -> String {
    let mut text = String::from(pick(chance, &["", "", "", "", "v", "1!", "0!"]));
    for n in 0..1 + chance.below(4) {
        text += if n > 0 { "." } else { "" };
        text += pick(chance, &["0", "1", "2", "3", "10", "11", "00", "01"]);
    }
    let separator = ["", "", ".", "-", "_"];
    if chance.below(3) == 0 {
        text += pick(chance, &separator);
        text += pick(chance, &["a", "b", "rc", "alpha", "beta", "c", "pre", "preview", "RC", "A"]);
        text += pick(chance, &separator);
        text += pick(chance, &["", "0", "1", "2", "10"]);
    }
    if chance.below(4) == 0 {
        text += pick(chance, &["-1", "-0", ".post1", "post", "-post.2", "_rev3", ".r4", "-r", ".post0"]);
    }
    if chance.below(4) == 0 {
        text += pick(chance, &[".dev1", "dev", "-dev.2", "_dev3", ".DEV0"]);
    }
    if chance.below(5) == 0 {
        text += pick(chance, &["+1", "+a.1", "+A-1", "+ubuntu_2.3", "+0a", "+01"]);
    }
    if chance.below(8) == 0 {
        text.insert(chance.below(text.len() + 1), ['.', '-', '+', '*', 'x', '!', ' ', '1'][chance.below(8)]);
    }
    text
}

/// A version that is one.
fn sound_version(chance: &mut Chance) -> Version {
    loop {
        if let Ok(version) = Version::parse(&version(chance)) {
            return version;
        }
    }
}

/// Something like a list of specifiers.
fn specifiers(chance: &mut Chance) -> String {
    let mut list = Vec::new();
    for _ in 0..1 + chance.below(3) {
        let operator = pick(chance, &["==", "!=", "<", "<=", ">", ">=", "~="]);
        let spelt = sound_version(chance).to_string();
        // a local version may stand behind two of them only, and a star too
        let public = spelt.split('+').next().unwrap_or_default();
        let mut one = match operator {
            "==" | "!=" if chance.below(3) == 0 => {
                format!(
                    "{operator}{}.*",
                    public.split(['a', 'b', 'r', 'p', 'd']).next().unwrap_or_default().trim_end_matches('.')
                )
            }
            "==" | "!=" => format!("{operator}{spelt}"),
            // pips do not agree on what is a pre-release of a post-release
            "<" => format!("<{}", public.split(".post").next().unwrap_or_default()),
            _ => format!("{operator}{public}"),
        };
        if chance.below(8) == 0 {
            one.insert(operator.len(), ' ');
        }
        list.push(one);
    }
    list.join(pick(chance, &[",", ", ", " ,"]))
}

fn name(chance: &mut Chance) -> String {
    let parts = 1 + chance.below(4);
    (0..parts).map(|_| pick(chance, &["a", "B", "foo", "0", "-", "_", ".", "..", "-_", "Zope"])).collect()
}

/// A marker that says something about Python, the system, or the machine.
fn marker(chance: &mut Chance, depth: usize) -> String {
    if depth > 0 && chance.below(2) == 0 {
        let (left, right) = (marker(chance, depth - 1), marker(chance, depth - 1));
        let both = format!("{left} {} {right}", pick(chance, &["and", "or"]));
        return if chance.below(2) == 0 { format!("({both})") } else { both };
    }
    let quoted = |text: &str, chance: &mut Chance| {
        let mark = pick(chance, &["'", "\""]);
        format!("{mark}{text}{mark}")
    };
    let equals = ["==", "!=", "in", "not in"];
    let (variable, operator, value) = match chance.below(9) {
        0..=2 => {
            let wanted = pick(chance, &["2.7", "3", "3.0", "3.8", "3.9", "3.10", "3.11", "3.12", "4", "4.0"]);
            ("python_version", pick(chance, &["==", "!=", "<", "<=", ">", ">="]), wanted.to_owned())
        }
        3 | 4 => {
            let wanted =
                pick(chance, &["2.7.18", "3.9", "3.9.0", "3.10.4", "3.11", "3.11.2", "3.11.9", "3.12.0"]);
            let name = pick(chance, &["python_full_version", "implementation_version"]);
            (name, pick(chance, &["==", "!=", "<", "<=", ">", ">=", "~="]), wanted.to_owned())
        }
        5 => (
            "sys_platform",
            pick(chance, &equals),
            pick(chance, &["linux", "win32", "darwin", "linux2"]).into(),
        ),
        6 => (
            "platform_system",
            pick(chance, &equals),
            pick(chance, &["Linux", "Windows", "linux", ""]).into(),
        ),
        7 => {
            let wanted = pick(chance, &["armv7l", "aarch64", "x86_64", "armv7l aarch64", "arm"]);
            ("platform_machine", pick(chance, &equals), wanted.to_owned())
        }
        _ => {
            let name = pick(chance, &["os_name", "implementation_name", "platform_python_implementation"]);
            (name, pick(chance, &equals), pick(chance, &["posix", "nt", "cpython", "CPython", "PyPy"]).into())
        }
    };
    let value = quoted(&value, chance);
    if chance.below(4) == 0 {
        // the other way round it is another question
        let mirrored = match operator {
            "in" | "not in" => format!("{value} {operator} {variable}"),
            "~=" => format!("{variable} {operator} {value}"),
            _ => format!("{value} {operator} {variable}"),
        };
        return mirrored;
    }
    format!(
        "{variable}{}{operator} {value}",
        if operator.ends_with("in") { " " } else { pick(chance, &["", " "]) }
    )
}

/// One machine of those that an ABI and a platform are for, as pip sees it.
fn machine(minor: u16, chance: &mut Chance) -> Value {
    let full = format!("3.{minor}.{}", chance.below(12));
    json!({
        "os_name": "posix", "sys_platform": "linux", "platform_system": "Linux",
        "implementation_name": "cpython", "platform_python_implementation": "CPython",
        "python_version": format!("3.{minor}"), "python_full_version": full, "implementation_version": full,
        "platform_machine": pick(chance, &["armv7l", "aarch64"]), "extra": "",
    })
}

fn wheel(chance: &mut Chance) -> String {
    let parts = [
        // pip refuses two "_" in a row, which no backend makes of a name any more
        pick(chance, &["foo", "Foo_Bar", "foo.bar", "a", "foo_bar"]).to_owned(),
        version(chance).replace('-', "_"),
        pick(chance, &["", "", "1", "01", "2abc", "x"]).to_owned(),
        pick(chance, &["py3", "py2.py3", "cp311", "CP39", "cp311.cp39"]).to_owned(),
        pick(chance, &["none", "abi3", "cp311", "abi3.none", ""]).to_owned(),
        pick(chance, &["any", "linux_armv7l", "manylinux_2_17_armv7l.linux_armv7l", "linux_armv6l."])
            .to_owned(),
    ];
    let mut text = String::new();
    for (n, part) in parts.iter().enumerate() {
        if n == 2 && part.is_empty() {
            continue;
        }
        text += if n > 0 { "-" } else { "" };
        text += part;
    }
    text + pick(chance, &[".whl", ".whl", ".whl", ".WHL", ""])
}

/// The questions of one round, with what the farm says.
fn questions(chance: &mut Chance) -> Vec<Value> {
    let mut all = Vec::new();
    let mut ask = |kind: &str, asked: Value, says: Value| {
        all.push(json!({ "kind": kind, "asked": asked, "says": says }));
    };
    let text = version(chance);
    ask("version", json!([text]), json!(Version::parse(&text).ok().map(|version| version.to_string())));

    let (one, other) = (sound_version(chance), sound_version(chance));
    let says = match one.cmp(&other) {
        Ordering::Less => -1,
        Ordering::Equal => 0,
        Ordering::Greater => 1,
    };
    ask("order", json!([one.to_string(), other.to_string()]), json!(says));

    let text = name(chance);
    if let Ok(name) = ProjectName::parse(&text) {
        ask("name", json!([text]), json!(name.as_str()));
    }

    let (text, version) = (specifiers(chance), sound_version(chance));
    // of short versions with a suffix, and of local ones, older pips have another opinion
    let release = version.inner().release();
    let suffixed = version.inner().any_prerelease() || version.inner().is_post();
    let release = release.iter().copied().chain(suffixed.then_some([0; 4]).into_iter().flatten());
    let version = version.inner().clone().without_local().with_release(release);
    let version = Version::parse(&version.to_string()).unwrap();
    let says = VersionSpecifiers::from_str(&text).ok().map(|specifiers| version.fits(&specifiers));
    ask("contains", json!([text, version.to_string()]), json!(says));

    let text = marker(chance, 3);
    let minor = 9 + chance.below(5) as u16;
    let board = Environment::of(&AbiTag::parse(&format!("cp3{minor}")).unwrap(), "linux_armv7l");
    if let Some(holds) = Marker::parse(&text).holds(&board, Some(&[])) {
        ask("marker", json!([text, machine(minor, chance)]), json!(holds));
    }

    let extras = pick(chance, &["", "", "[]", "[x]", "[ x, Y_z ]", "[x,x]"]);
    let list = if chance.below(3) == 0 { String::new() } else { specifiers(chance) };
    // empty parentheses are a requirement to new pips alone
    let list = if !list.is_empty() && chance.below(4) == 0 { format!("({list})") } else { list };
    let text = format!("{}{extras}{}{list}", name(chance), pick(chance, &["", " "]));
    if let Ok(read) = Requirement::parse(&text) {
        let extras: Vec<&str> = read.extras.iter().map(Extra::as_str).collect();
        ask("requirement", json!([text]), json!([read.package.as_str(), extras, read.specifiers]));
    }

    let text = wheel(chance);
    if let Ok(name) = WheelName::parse(&text)
        && let Ok(version) = Version::parse(&name.version)
    {
        let tags = name.python.split('.').flat_map(|python| {
            let platforms = |abi: &str| -> Vec<String> {
                name.platform.split('.').map(|platform| format!("{python}-{abi}-{platform}")).collect()
            };
            name.abi.split('.').flat_map(platforms).collect::<Vec<_>>()
        });
        let mut tags: Vec<String> = tags.collect();
        tags.sort();
        tags.dedup();
        // to pip the number is a number
        let build = name.build.as_deref().map(|build| build.trim_start_matches('0'));
        ask("wheel", json!([text]), json!([name.project.as_str(), version.to_string(), build, tags]));
    }
    all
}

#[test]
#[cfg_attr(miri, ignore = "another program")]
fn the_farm_reads_what_pip_reads_as_pip_does() {
    let number = |name: &str| std::env::var(name).ok().and_then(|number| number.parse::<u64>().ok());
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    let seed = number("PIW_FUZZ_SEED").unwrap_or(now);
    println!("PIW_FUZZ_SEED={seed}");
    let mut chance = Chance(seed);
    let rounds = number("PIW_FUZZ_ROUNDS").unwrap_or(ROUNDS);
    let lines: Vec<Value> = (0..rounds).flat_map(|_| questions(&mut chance)).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = std::env::var_os("PIW_TEST_PYTHON").unwrap_or_else(|| "python3".into());
    let mut pip = Command::new(python)
        .arg("-B")
        .arg(root.join("src/domain/tests/installers.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = pip.stdin.take().unwrap();
    // it answers at the end
    lines.iter().for_each(|line| writeln!(input, "{line}").unwrap());
    drop(input);
    let answer = pip.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&answer.stdout);
    println!("{said}");
    assert!(answer.status.success() && said.contains(&format!("{} asked, 0 differences", lines.len())));
    for kind in ["version", "order", "name", "contains", "marker", "requirement", "wheel"] {
        let asked =
            lines.iter().filter(|line| line["kind"] == kind && !line["says"].is_null()).count() as u64;
        assert!(asked >= rounds / 16, "{kind}: {asked} of {rounds}");
    }
}
