//! Imports as their tools see them, and answers that wait for a page.

use bytes::Bytes;
use serde_json::json;

use super::*;
use crate::domain::Sha256;
use crate::master::limits::{Limits, PAGE_PATIENCE};
use crate::master::query::{ImportVerdict, Imported, Ordered, PageKind};
use crate::wire::Blob;
use crate::wire::import::Removal;
use crate::wire::slave::BuiltFile;

const WHEEL: &str = "Foo_Bar-1.0-cp311-cp311-linux_armv7l.whl";
const BUILD: BuildId = BuildId(7);

fn import(files: &[(&str, u64)], abi: &str) -> FromTool {
    let file =
        |(name, size): &(&str, u64)| BuiltFile { filename: text(name), size: *size, sha256: Sha256([1; 32]) };
    FromTool::Import {
        package: text(""),
        version: text(""),
        abi: text(abi),
        duration_ms: 90_000,
        output: Blob::new(Bytes::from_static(b"ok\n")).unwrap(),
        files: List::new(files.iter().map(file).collect()).unwrap(),
        create: false,
    }
}

impl Bench {
    fn import(&mut self, message: FromTool) -> Vec<String> {
        let limits = Limits { wheel_bytes: 1000, files: 2, ..Limits::default() };
        self.chase.import(TOOL, message, [9; 16], &limits, &mut self.out).expect("a request in its place");
        words(&mut self.out)
    }

    fn written(&mut self, order: i64) -> Vec<String> {
        let page = PageKind::Project(project("foo-bar"));
        self.chase.page_written(&RewriteOrder { page, order }, &mut self.out);
        words(&mut self.out)
    }

    fn tick(&mut self, now: Millis) -> Vec<String> {
        let trouble = PageTrouble { failing: 1, reason: Some("no space".to_owned()) };
        self.chase.tick(now, &trouble, &mut self.out);
        words(&mut self.out)
    }

    /// An import whose files may come.
    fn sending() -> (Self, Box<Offer>) {
        let mut bench = Self::new();
        assert_eq!(
            bench.import(import(&[(WHEEL, 5)], "")),
            ["ask begin-import foo-bar 1.0 for cp311: 1 files"]
        );
        let ready = ImportVerdict::Ready { build: BUILD, abi: abi("cp311"), begun: 5 };
        let (changed, said) = bench.answer(Answer::ImportBegun(ready));
        assert_eq!(said, Vec::<String>::new());
        let Changed::Offered(offer) = changed else { panic!("{changed:?}") };
        (bench, offer)
    }

    /// The same, recorded.
    fn recorded(page: Option<i64>) -> (Self, Vec<String>) {
        let (mut bench, offer) = Self::sending();
        let imported = Imported { page, new_version: true, ..Imported::default() };
        assert_eq!(bench.chase.imported(NOW, &offer, &imported, &mut bench.out), Some(TOOL));
        let said = words(&mut bench.out);
        (bench, said)
    }
}

#[test]
fn what_is_no_wheel_of_one_version_within_the_limits_is_refused_before_a_byte_is_sent() {
    for (files, word) in [
        (vec![], "between 1 and 2 files"),
        (vec![(WHEEL, 5), ("a-1-py3-none-any.whl", 1), ("b-1-py3-none-any.whl", 1)], "between 1 and 2"),
        (vec![("../x-1.0-py3-none-any.whl", 5)], "not a wheel's file name"),
        (vec![(WHEEL, 0)], "it is empty"),
        (vec![(WHEEL, 1001)], "over 1000 bytes (--max-wheel)"),
        (vec![(WHEEL, 5), (WHEEL, 5)], "named twice"),
        (vec![(WHEEL, 5), ("other-1.0-py3-none-any.whl", 5)], "it is of other, not of foo-bar"),
        (vec![(WHEEL, 5), ("foo_bar-1.1-py3-none-any.whl", 5)], "it is of version 1.1, not 1.0"),
        (vec![("foo-x.y-py3-none-any.whl", 5)], "not a wheel's file name"),
        (vec![("foo-1-1234567890123456-py3-none-any.whl", 5)], "15 digits"),
    ] {
        let mut bench = Bench::new();
        let said = bench.import(import(&files, ""));
        assert!(said[0].starts_with("1: ERROR") && said[0].contains(word), "{said:?}");
        // and may ask again
        assert_eq!(bench.import(import(&[(WHEEL, 5)], "")).len(), 1);
    }
    let mut bench = Bench::new();
    let FromTool::Import { abi, duration_ms, output, files, create, version, .. } = import(&[(WHEEL, 5)], "")
    else {
        panic!()
    };
    let named = FromTool::Import { package: text("other"), version, abi, duration_ms, output, files, create };
    assert!(bench.import(named)[0].contains("it is of foo-bar, not of other"));
}

#[test]
fn the_abi_is_the_files_own_or_the_one_that_is_named_and_is_held_against_each() {
    let pure = "foo_bar-1.0-py3-none-any.whl";
    for (file, named, asked) in
        [(WHEEL, "", "cp311"), (pure, "", "any"), (pure, "cp39", "cp39"), (WHEEL, "cp39", "cp39")]
    {
        let mut bench = Bench::new();
        let said = bench.import(import(&[(file, 5)], named));
        assert_eq!(said, [format!("ask begin-import foo-bar 1.0 for {asked}: 1 files")]);
    }
    let mut bench = Bench::new();
    bench.import(import(&[(WHEEL, 5)], "cp39"));
    let ready = ImportVerdict::Ready { build: BUILD, abi: abi("cp39"), begun: 5 };
    let (changed, said) = bench.answer(Answer::ImportBegun(ready));
    assert_eq!(changed, Changed::Nothing);
    assert!(said[0].contains("Python cp311 is later than the import's, cp39"), "{said:?}");
}

#[test]
fn what_is_there_already_or_unknown_is_said_and_nothing_is_sent() {
    let mut bench = Bench::new();
    bench.import(import(&[(WHEEL, 5)], ""));
    let json = bench.json(Answer::ImportBegun(ImportVerdict::Unknown { package: true }));
    assert_eq!((&json["state"], &json["package"]), (&json!("unknown-package"), &json!("foo-bar")));
    bench.import(import(&[(WHEEL, 5)], ""));
    let unchanged = ImportVerdict::Unchanged { abi: abi("cp311"), page: None };
    let json = bench.json(Answer::ImportBegun(unchanged));
    assert_eq!(
        json,
        json!({
            "state": "unchanged", "package": "foo-bar", "version": "1.0", "abi": "cp311", "files": [WHEEL],
            "build_id": null, "new_package": false, "new_version": false, "page": "written", "trouble": null,
        })
    );
}

#[test]
fn an_import_is_a_build_of_the_publishers_and_is_known_by_its_number_while_it_is_sent() {
    let (mut bench, offer) = Bench::sending();
    assert_eq!((offer.job.token.build, offer.duration_ms, offer.log_bytes), (BUILD, 90_000, 3));
    assert_eq!(offer.files[0].wheel.as_str(), WHEEL);
    assert_eq!(bench.chase.bringer(BUILD), Some(TOOL));
    let again =
        bench.chase.import(TOOL, import(&[(WHEEL, 5)], ""), [9; 16], &Limits::default(), &mut bench.out);
    assert!(again.unwrap_err().contains("IMPORT before its last request"));
    assert_eq!(bench.chase.closed(TOOL), Some(BUILD), "what it was sending goes with it");
    assert_eq!(bench.chase.bringer(BUILD), None);
}

#[test]
fn a_refused_import_is_answered_and_bytes_that_cross_it_are_passed_over() {
    let (mut bench, _) = Bench::sending();
    assert!(!bench.chase.passes_over(TOOL));
    assert_eq!(bench.chase.import_refused(BUILD, "no wheel".to_owned(), &mut bench.out), Some(TOOL));
    assert_eq!(words(&mut bench.out), ["1: ERROR no wheel"]);
    assert!(bench.chase.passes_over(TOOL));
    bench.import(import(&[(WHEEL, 5)], ""));
    assert!(!bench.chase.passes_over(TOOL), "with the next one they would be its own");
}

#[test]
fn done_comes_when_the_page_is_written_from_this_order_or_a_later_one() {
    let (mut bench, said) = Bench::recorded(Some(30));
    assert_eq!(said, Vec::<String>::new());
    assert_eq!(bench.written(29), Vec::<String>::new());
    let json = json_of(&bench.written(31));
    assert_eq!(
        (&json["state"], &json["page"], &json["build_id"]),
        (&json!("imported"), &json!("written"), &json!(7))
    );
    assert_eq!((&json["new_package"], &json["new_version"]), (&json!(false), &json!(true)));
    assert_eq!(bench.say(FromTool::AbiList {}), ["ask report Abis"], "it may ask on");
}

#[test]
fn a_page_that_was_faster_than_the_database_s_answer_is_not_waited_for() {
    let (mut bench, offer) = Bench::sending();
    bench.written(30);
    let imported = Imported { page: Some(30), ..Imported::default() };
    bench.chase.imported(NOW, &offer, &imported, &mut bench.out);
    assert_eq!(json_of(&words(&mut bench.out))["page"], "written");
}

#[test]
fn a_page_that_takes_long_is_waited_for_a_minute_and_then_named_with_the_trouble() {
    let (mut bench, _) = Bench::recorded(Some(30));
    assert_eq!(bench.tick(NOW + PAGE_PATIENCE - Millis(1)), Vec::<String>::new());
    let json = json_of(&bench.tick(NOW + PAGE_PATIENCE));
    assert_eq!((&json["page"], &json["trouble"]), (&json!("waits"), &json!("no space")));
    assert_eq!(bench.written(30), Vec::<String>::new(), "answered once");
}

fn remove() -> FromTool {
    FromTool::Remove {
        package: text("Foo_Bar"),
        version: text(""),
        what: Removal::Builds,
        skip: None,
        reason: text("why"),
    }
}

#[test]
fn a_removal_in_pieces_is_one_answer_and_logs_go_behind_the_page() {
    let mut bench = Bench::new();
    bench.say(remove());
    let piece = |page: i64, logs: &[i64], more| Ordered {
        json: json!({"files": 1, "changed": true, "page": page, "next": 9}).to_string(),
        logs: logs.iter().map(|build| BuildId(*build)).collect(),
        more,
        ..Ordered::default()
    };
    let (_, said) = bench.answer(Answer::Ordered(piece(40, &[1, 2], true)));
    assert!(said[0].starts_with("ask order Remove(Remove { ") && said[0].contains("after: 9"), "{said:?}");
    let (_, said) = bench.answer(Answer::Ordered(piece(41, &[3], false)));
    assert_eq!(said, Vec::<String>::new());
    assert_eq!(bench.written(40), Vec::<String>::new(), "the page of the first piece alone");
    let said = bench.written(41);
    assert_eq!(said[0], "remove logs 1 2 3");
    assert_eq!(json_of(&said[1..]), json!({"files": 2, "changed": true, "page": "written", "trouble": null}));
}

#[test]
fn a_tool_that_is_gone_is_not_answered_and_the_logs_go_all_the_same() {
    let mut bench = Bench::new();
    bench.say(remove());
    let done =
        Ordered { json: json!({"page": 41}).to_string(), logs: vec![BuildId(1)], ..Ordered::default() };
    bench.answer(Answer::Ordered(done));
    assert_eq!(bench.chase.closed(TOOL), None);
    assert_eq!(bench.tick(NOW + PAGE_PATIENCE), Vec::<String>::new());
    assert_eq!(bench.written(41), ["remove logs 1"]);
}
