//! The fuzz targets as tests, without a fuzzer: each over its corpus and over mutations of it, from a seed that a failure
//! names. Coverage guides nothing here, so this finds less than `tools/fuzz`; it keeps what that found.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::time::ClockId;

use super::{Target, all, run};
use crate::wire::vectors::Chance;

/// Processor time of each target; all of them together take some 20 s of one processor.
const TIME: Duration = Duration::from_millis(400);
/// Processor time of one input, in a build without optimization.
const INPUT_TIME: Duration = Duration::from_secs(4);
/// Memory of the whole process above what it had before, in kB.
const MEMORY_KB: u64 = 192 << 10;
/// The longest input that is made; those of the corpus may be longer.
const MOST_BYTES: usize = 4096;

macro_rules! each {
    ($($name:ident)*) => {
        /// Those that the tests below are of.
        const TESTED: &[&str] = &[$(stringify!($name),)*];
        $(#[test]
        fn $name() {
            try_target(stringify!($name));
        })*
    };
}

each! {
    frames preamble slave_channel file_channel import_channel status_channel control_channel auth_channel seals
    names wheel_name version marker requirement dependencies metadata ranges
    config_file durations_and_sizes dsn key_file
    terminal_keys log_text cells
    requirements_file entries
    access_log log_lines log_moment user_agent
    page_links root_index audit_rows
    wheel_zip report address
    project_page wheel_on_page project_list changelog index_headers index_urls specifiers pip_settings
    build_output launcher python_answer kernel_files slave_lists
}

#[test]
fn every_target_has_its_test_its_fuzzer_and_its_corpus() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz");
    let names: BTreeSet<String> = all().map(|target| target.name.to_owned()).collect();
    assert_eq!(names, TESTED.iter().map(|name| (*name).to_owned()).collect());
    let listed = |sub: &str| -> BTreeSet<String> {
        let entries = std::fs::read_dir(dir.join(sub)).unwrap();
        entries.map(|e| e.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned()).collect()
    };
    let mut fuzzers = listed("fuzz_targets");
    assert!(fuzzers.remove("any"), "the one of tools/fuzz");
    assert_eq!(fuzzers, names);
    let manifest = std::fs::read_to_string(dir.join("Cargo.toml")).unwrap();
    for name in &names {
        assert!(
            manifest.contains(&format!("name = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"")),
            "{name}"
        );
        let text = std::fs::read_to_string(dir.join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(text.contains(&format!("\"{name}\"")), "{name}");
        assert!(!corpus(name).is_empty(), "{name} has no corpus");
    }
    assert!(listed("corpus").is_subset(&names), "a corpus of no target");
}

fn try_target(name: &'static str) {
    let target = all().find(|target| target.name == name).unwrap();
    let seed = std::env::var("PIW_FUZZ_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let time = std::env::var("PIW_FUZZ_SECONDS").ok().and_then(|secs| secs.parse().ok());
    let time = time.map_or(TIME, Duration::from_secs);
    println!("PIW_FUZZ_SEED={seed}");
    let corpus = corpus(name);
    let before = peak_kb();
    for (from, input) in &corpus {
        one(target, input, from);
    }
    // mutations come from the seed, the target and their number alone
    let salt = name.bytes().fold(seed, |salt: u64, byte| salt.wrapping_mul(31).wrapping_add(byte.into()));
    let begun = cpu();
    let mut number = 0_u64;
    while cpu() - begun < time {
        let mut chance = Chance(salt.wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        let input = mutated(&corpus, &mut chance);
        one(target, &input, &format!("seed {seed}, mutation {number}"));
        number += 1;
    }
    println!("{} inputs of the corpus, {number} mutations", corpus.len());
    // where tests share a process, what others take is in it, too
    if std::env::var("NEXTEST_EXECUTION_MODE").is_ok_and(|mode| mode == "process-per-test") {
        let more = peak_kb().saturating_sub(before);
        assert!(more <= MEMORY_KB, "it took {more} kB");
    }
}

thread_local! {
    /// What is tried just now, for the message of a failure.
    static TRIED: RefCell<Option<Tried>> = const { RefCell::new(None) };
}

struct Tried {
    name: &'static str,
    from: String,
    input: Vec<u8>,
}

/// Says which input it was when a target panics.
struct Witness;

impl Drop for Witness {
    fn drop(&mut self) {
        let Some(tried) = TRIED.take().filter(|_| std::thread::panicking()) else { return };
        let hex = tried.input.iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        let text = String::from_utf8_lossy(&tried.input);
        println!("target {}, {}, input:\n{hex}\n{text:?}", tried.name, tried.from);
        println!("as a file in tests/fuzz/corpus/{}/ it stays tried: xxd -r -p", tried.name);
    }
}

fn one(target: &Target, input: &[u8], from: &str) {
    let name = target.name;
    TRIED.set(Some(Tried { name, from: from.to_owned(), input: input.to_owned() }));
    let _witness = Witness;
    let begun = cpu();
    run(name, input);
    let took = cpu() - begun;
    assert!(took < INPUT_TIME, "{} bytes took {took:?}", input.len());
}

/// Time of a processor that this thread had: others' load is not in it.
fn cpu() -> Duration {
    ClockId::CLOCK_THREAD_CPUTIME_ID.now().unwrap().into()
}

/// The most memory that this process ever had.
fn peak_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// The inputs in the repository, each with where it is from; for channels, the golden vectors.
fn corpus(name: &str) -> Vec<(String, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = |dir: PathBuf| -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
        let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    };
    let read = |path: &PathBuf| (path.display().to_string(), std::fs::read(path).unwrap());
    let mut found: Vec<_> = files(root.join("tests/fuzz/corpus").join(name)).iter().map(read).collect();
    let channel = name.strip_suffix("_channel").or((name == "report").then_some("slave"));
    for channel in channel.into_iter().chain((name == "frames").then_some("slave")) {
        for direction in files(root.join("wire-spec/vectors").join(channel)) {
            for path in files(direction) {
                let vector: serde_json::Value = serde_json::from_slice(&read(&path).1).unwrap();
                let digits = vector["frame"].as_str().unwrap().as_bytes();
                let frame: Vec<u8> = digits
                    .chunks_exact(2)
                    .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
                    .collect();
                // messages are tried without the length and the checksum around them
                let input = match name {
                    "frames" => [&[0xff, 0xff, 3], &frame[..]].concat(),
                    _ => frame[4..frame.len() - 4].to_vec(),
                };
                found.push((path.display().to_string(), input));
            }
        }
    }
    found
}

/// What parsers trip over.
const ODD: [&[u8]; 24] = [
    b"\0",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff\xff\xff\xff\xff",
    b"\x80\0\0\0",
    b"\r\n",
    b"\n\n",
    b"..",
    b"../",
    b"%",
    b"\\",
    b"\"",
    b"'",
    b"99999999999999999999",
    b"-1",
    b"\xc3\xa9",
    b"\xe2\x82",
    b"\xf0\x9f\x98\x80",
    b"{",
    b"[[[[[[[[",
    b"<",
    b"&",
    b";",
    b":",
    b"PK\x05\x06",
];

fn mutated(corpus: &[(String, Vec<u8>)], chance: &mut Chance) -> Vec<u8> {
    let pick = |chance: &mut Chance| -> Vec<u8> {
        corpus.get(chance.below(corpus.len())).map_or_else(Vec::new, |(_, input)| input.clone())
    };
    let mut input = pick(chance);
    for _ in 0..1 + chance.below(6) {
        let at = chance.below(input.len() + 1);
        let to = (at + 1 + chance.below(16)).min(input.len());
        match chance.below(9) {
            0 if at < input.len() => input[at] ^= 1 << chance.below(8),
            1 if at < input.len() => input[at] = chance.next() as u8,
            2 if at < input.len() => {
                input[at] = input[at].wrapping_add(chance.below(5) as u8).wrapping_sub(2)
            }
            3 => drop(input.splice(at..at, ODD[chance.below(ODD.len())].iter().copied())),
            4 if at < to => drop(input.drain(at..to)),
            5 if at < to => {
                let piece: Vec<u8> = input[at..to].repeat(1 + chance.below(8));
                drop(input.splice(at..at, piece));
            }
            6 => input.truncate(at),
            7 => {
                // the end of another input behind the beginning of this one
                let other = pick(chance);
                let from = chance.below(other.len() + 1);
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
            _ => input.insert(at, chance.next() as u8),
        }
    }
    input.truncate(MOST_BYTES.max(input.len() / 2));
    input
}
