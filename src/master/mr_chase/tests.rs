//! One request at a time, one answer each, and JSON as `wire-spec/import.md` has it.

use super::*;
use crate::master::follower::Follow;
use crate::master::query::{AddedVersion, DownloadsLogged, Wanted};
use crate::master::testbed::{abi, project, text, words};
use crate::wire::import::{Download as Record, Requirement};

mod imports;
mod orders;
mod tree;

const TOOL: ConnId = ConnId(1);
const NOW: Millis = Millis::secs(1000);
const QUIET: Following<'_> = Following { mode: Follow::List, trouble: None, heard: None };

struct Bench {
    chase: MrChase,
    brother: BigBrother,
    out: Out,
}

fn facts<'a>(brother: &'a BigBrother, following: Following<'a>, pages: PageTrouble) -> Facts<'a> {
    Facts { wall: Millis(NOW.0 + 7), following, pages, paused: Some((NOW, "root")), brother }
}

impl Bench {
    /// A tool that is connected.
    fn new() -> Self {
        let (chase, brother) = (MrChase::default(), BigBrother::new(5));
        let mut bench = Self { chase, brother, out: Out::default() };
        bench.chase.opened(TOOL, "root".to_owned(), &mut bench.out);
        bench
    }

    fn say(&mut self, message: FromTool) -> Vec<String> {
        self.chase.message(TOOL, message, &mut self.out).expect("a request in its place");
        words(&mut self.out)
    }

    fn looked(&mut self, answer: LookAnswer) -> Vec<String> {
        self.chase.looked(TOOL, answer, &mut self.out);
        words(&mut self.out)
    }

    fn answer(&mut self, answer: Answer) -> (Changed, Vec<String>) {
        let facts = facts(&self.brother, QUIET, PageTrouble::default());
        let changed = self.chase.answered(NOW, TOOL, answer, &facts, &mut self.out);
        (changed, words(&mut self.out))
    }

    /// The JSON of an answer that changes nothing.
    fn json(&mut self, answer: Answer) -> serde_json::Value {
        let (changed, said) = self.answer(answer);
        assert_eq!(changed, Changed::Nothing);
        json_of(&said)
    }
}

fn json_of(said: &[String]) -> serde_json::Value {
    let [word] = said else { panic!("{said:?}") };
    serde_json::from_str(word.strip_prefix("1: DONE ").expect("DONE")).expect("JSON")
}

fn add(items: &[(&str, &str)]) -> FromTool {
    let item = |(package, specifiers): &(&str, &str)| Requirement {
        package: text(package),
        specifiers: text(specifiers),
        extras: text(""),
    };
    FromTool::Add { items: List::new(items.iter().map(item).collect()).unwrap(), with_deps: false }
}

fn why(package: &str, version: &str) -> FromTool {
    FromTool::Why { package: text(package), version: text(version) }
}

fn none<const N: usize>() -> List<Text<{ crate::wire::limits::TAG_BYTES }>, N> {
    List::new(Vec::new()).unwrap()
}

fn wanted() -> Wanted {
    let (package, version) = (project("foo"), Version::parse("1.0").unwrap());
    Wanted {
        package,
        display: "Foo".to_owned(),
        version,
        released: None,
        yanked: None,
        named: false,
        pythons: None,
        pure: None,
        tags: Vec::new(),
        specifiers: None,
        extras: Vec::new(),
    }
}

fn added(name: &str, state: AddedState, queued_for: Option<&str>) -> AddedVersion {
    let version = Version::parse("1.0").unwrap();
    AddedVersion { package: project(name), version, state, queued_for: queued_for.map(abi), reason: None }
}

fn downloads(filenames: &[&str]) -> FromTool {
    let record = |filename: &&str| Record {
        filename: text(filename),
        at: 1_767_225_600,
        address: None,
        arch: text("armv7l"),
        distro_name: text(""),
        distro_version: text(""),
        os_name: text(""),
        os_version: text(""),
        py_name: text(""),
        py_version: text(""),
        installer_name: text("pip"),
        installer_version: text(""),
        setuptools_version: text(""),
    };
    let records = List::new(filenames.iter().map(record).collect()).unwrap();
    FromTool::Downloads { batch: [9; 16], records }
}

#[test]
fn add_looks_up_adds_and_answers_in_the_order_asked() {
    let mut bench = Bench::new();
    assert_eq!(bench.say(add(&[("Foo_x", ">=1,<2"), ("bar", "")])), ["look up foo-x>=1,<2 bar"]);
    assert!(!bench.chase.settled());
    assert_eq!(bench.looked(LookAnswer::Found(vec![wanted(), wanted()])), ["ask add-versions 2"]);
    assert!(!bench.chase.settled());
    let rows = vec![added("foo-x", AddedState::New, Some("cp311")), added("bar", AddedState::Built, None)];
    let (changed, said) = bench.answer(Answer::Added(rows));
    assert_eq!(changed, Changed::Queued(vec![abi("cp311")]));
    assert_eq!(
        json_of(&said),
        serde_json::json!({"added": [
            {"package": "foo-x", "version": "1.0", "state": "new", "queued_for": "cp311", "reason": null},
            {"package": "bar", "version": "1.0", "state": "built", "queued_for": null, "reason": null},
        ]})
    );
    assert!(bench.chase.settled());
    assert_eq!(bench.say(FromTool::AbiList {}), ["ask report Abis"], "another request may follow");
}

#[test]
fn states_are_named_as_the_protocol_names_them() {
    use AddedState::{Building, Built, Failed, New, Queued, Skipped};
    let mut bench = Bench::new();
    bench.say(add(&[("foo", "")]));
    bench.looked(LookAnswer::Found(vec![wanted()]));
    let rows = [New, Queued, Building, Built, Failed, Skipped].map(|state| added("foo", state, None));
    let (_, said) = bench.answer(Answer::Added(rows.to_vec()));
    let json = json_of(&said);
    let states: Vec<_> =
        json["added"].as_array().unwrap().iter().map(|a| a["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["new", "queued", "building", "built", "failed", "skipped"]);
}

#[test]
fn one_request_at_a_time() {
    let mut bench = Bench::new();
    bench.say(add(&[("foo", "")]));
    for stage in 0..2 {
        let defect = bench.chase.message(TOOL, why("foo", ""), &mut bench.out).unwrap_err();
        assert_eq!(defect, "WHY before its last request was answered", "stage {stage}");
        bench.looked(LookAnswer::Found(vec![wanted()]));
    }
}

#[test]
fn everything_that_is_wrong_with_an_add_is_told_at_once() {
    let mut bench = Bench::new();
    let said = bench.say(add(&[("-", ""), ("foo", ""), ("b@r", "")]));
    let [word] = &said[..] else { panic!("{said:?}") };
    assert!(word.starts_with("1: ERROR \"-\" is not") && word.contains(" | \"b@r\" is not"), "{word}");
    assert_eq!(bench.say(add(&[])), ["1: ERROR nothing to add"]);

    bench.say(add(&[("foo", ""), ("bar", "")]));
    let reasons = vec!["foo: not on PyPI".to_owned(), "bar: nothing fits".to_owned()];
    assert_eq!(
        bench.looked(LookAnswer::NotFound(reasons)),
        ["1: ERROR foo: not on PyPI | bar: nothing fits"]
    );
    assert!(bench.chase.settled());
}

#[test]
fn requests_that_name_nothing_sound_are_refused_and_others_may_follow() {
    let mut bench = Bench::new();
    assert!(bench.say(why("b@r", ""))[0].starts_with("1: ERROR \"b@r\" is not a project name"));
    assert!(bench.say(why("foo", "one"))[0].starts_with("1: ERROR \"one\" is not a version"));
    let abi_add = FromTool::AbiAdd { abi: text("py3"), rank: None, platforms: none() };
    assert!(bench.say(abi_add)[0].starts_with("1: ERROR \"py3\" is not an ABI"));
    assert_eq!(bench.say(why("Foo.X", "1.0")), ["ask why foo-x 1.0"]);
}

#[test]
fn why_gives_the_databases_json_or_says_that_nothing_is_known() {
    let mut bench = Bench::new();
    assert_eq!(bench.say(why("foo", "")), ["ask why foo "]);
    let known = r#"{"package":"foo","display":"Foo","versions":[]}"#;
    assert_eq!(bench.json(Answer::Why(Some(known.to_owned())))["display"], "Foo");
    bench.say(why("foo", ""));
    let (_, said) = bench.answer(Answer::Why(None));
    assert_eq!(said, ["1: ERROR not on this farm's list; 'piw add' puts it there"]);
}

#[test]
fn abis_are_added_with_their_rank() {
    let mut bench = Bench::new();
    for (rank, asked) in [(None, 6026), (Some(-5), -5)] {
        let said = bench.say(FromTool::AbiAdd { abi: text("cp313"), rank, platforms: none() });
        assert_eq!(said, [format!("ask add-abi cp313 {asked}")]);
        let added = rank.is_none();
        let (changed, said) = bench.answer(Answer::AbiAdded(added, vec![]));
        assert_eq!(changed, Changed::Abi);
        assert_eq!(json_of(&said), serde_json::json!({"abi": "cp313", "rank": asked, "added": added}));
    }
}

#[test]
fn downloads_are_counted_for_the_projects_that_their_names_name() {
    let mut bench = Bench::new();
    let said = bench.say(downloads(&["Foo_X-1.0-py3-none-any.whl", "six-1.16.0-py2.py3-none-any.whl"]));
    assert_eq!(said, ["ask log-downloads foo-x six"]);
    let logged = DownloadsLogged { stored: 2, unknown: 1, outside: 0 };
    assert_eq!(
        bench.json(Answer::DownloadsLogged(logged)),
        serde_json::json!({"stored": 2, "unknown": 1, "outside": 0})
    );
    assert!(bench.chase.settled());
}

#[test]
fn downloads_of_what_is_no_wheel_are_refused_as_a_whole() {
    let mut bench = Bench::new();
    let said = bench.say(downloads(&["six-1.16.0-py2.py3-none-any.whl", "../x.whl", "six-1.16.0.tar.gz"]));
    let [word] = &said[..] else { panic!("{said:?}") };
    assert!(word.starts_with("1: ERROR \"../x.whl\" is not a wheel's file name"), "{word}");
    assert!(word.contains(" | \"six-1.16.0.tar.gz\" is not"), "{word}");
    assert_eq!(bench.say(downloads(&[])), ["1: ERROR no downloads to count"]);
}

#[test]
fn what_the_database_refuses_is_told() {
    let mut bench = Bench::new();
    bench.say(FromTool::AbiAdd { abi: text("cp313"), rank: Some(1), platforms: none() });
    let (changed, said) = bench.answer(Answer::Refused("rank 1 is cp311's".to_owned()));
    assert_eq!((changed, said), (Changed::Nothing, vec!["1: ERROR rank 1 is cp311's".to_owned()]));
    bench.say(why("foo", ""));
    let (_, said) = bench.answer(Answer::Renewed);
    assert!(said[0].starts_with("1: ERROR the master could not read"), "{said:?}");
    assert!(bench.chase.settled());
}

#[test]
fn an_answer_too_long_for_a_frame_is_told_as_an_error() {
    let mut bench = Bench::new();
    bench.say(why("foo", ""));
    let long = "x".repeat(crate::wire::limits::JSON_BYTES + 1);
    assert!(bench.answer(Answer::Why(Some(long))).1[0].starts_with("1: ERROR the answer is too long"));
}

#[test]
fn answers_for_a_tool_that_is_gone_are_sent_to_nobody_and_still_count() {
    let gone = |message: FromTool| {
        let mut bench = Bench::new();
        bench.say(message);
        bench
    };
    let mut bench = gone(add(&[("foo", "")]));
    bench.looked(LookAnswer::Found(vec![wanted()]));
    bench.chase.closed(TOOL);
    assert!(bench.chase.settled());
    let rows = vec![added("foo", AddedState::New, Some("cp311"))];
    assert_eq!(bench.answer(Answer::Added(rows)), (Changed::Queued(vec![abi("cp311")]), vec![]));

    let mut bench = gone(add(&[("foo", "")]));
    bench.chase.closed(TOOL);
    assert!(bench.looked(LookAnswer::Found(vec![wanted()])).is_empty());
    assert!(bench.looked(LookAnswer::NotFound(vec!["no".to_owned()])).is_empty());

    for answer in [Answer::Why(None), Answer::Why(Some("{}".to_owned())), Answer::Refused("no".to_owned())] {
        let mut bench = gone(why("foo", ""));
        bench.chase.closed(TOOL);
        assert_eq!(bench.answer(answer), (Changed::Nothing, vec![]));
    }
}

#[test]
fn an_abi_that_was_added_is_built_for_though_its_tool_is_gone() {
    let mut bench = Bench::new();
    bench.say(FromTool::AbiAdd { abi: text("cp313"), rank: None, platforms: none() });
    bench.chase.closed(TOOL);
    assert_eq!(bench.answer(Answer::AbiAdded(true, vec![])), (Changed::Abi, vec![]));
    assert_eq!(bench.answer(Answer::AbiAdded(true, vec![])), (Changed::Nothing, vec![]), "told once");
}

#[test]
fn a_tool_too_many_is_closed_and_not_listened_to() {
    let mut bench = Bench::new();
    for n in 2..=TOOLS as u64 {
        bench.chase.opened(ConnId(n), String::new(), &mut bench.out);
    }
    assert!(words(&mut bench.out).is_empty());
    let one_more = ConnId(TOOLS as u64 + 1);
    bench.chase.opened(one_more, String::new(), &mut bench.out);
    assert_eq!(words(&mut bench.out), ["65: CLOSE (64 tools are connected already)"]);
    bench.chase.message(one_more, FromTool::AbiList {}, &mut bench.out).unwrap();
    assert!(words(&mut bench.out).is_empty());
    bench.chase.closed(TOOL);
    bench.chase.opened(ConnId(99), String::new(), &mut bench.out);
    assert!(words(&mut bench.out).is_empty());
}
