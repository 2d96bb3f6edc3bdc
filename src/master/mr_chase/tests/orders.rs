//! Orders about policies and the queue, reports, and audits.

use super::*;
use crate::master::big_brother::Promised;
use crate::master::event::{Disk, Survey};
use crate::master::query::{Named, Outcome, Requeue, Statistics};
use serde_json::json;

fn skip(package: &str, version: &str, abi: &str) -> FromTool {
    FromTool::Skip { package: text(package), version: text(version), abi: text(abi), reason: text("big") }
}

fn requeue(package: &str, version: &str, abi: &str, outcome: &str) -> FromTool {
    let (package, version, abi, outcome) = (text(package), text(version), text(abi), text(outcome));
    FromTool::Requeue { package, version, abi, outcome }
}

/// What an order came to: no more to do, nothing opened.
fn ordered(json: serde_json::Value) -> Ordered {
    Ordered { json: json.to_string(), ..Ordered::default() }
}

fn nothing_but(walks: bool) -> Changed {
    Changed::Ordered { opened: Vec::new(), cancelled: Vec::new(), walks }
}

impl Bench {
    fn order(&mut self, message: FromTool) -> Order {
        self.chase.message(TOOL, message, &mut self.out).expect("a request in its place");
        match self.out.effects.drain(..).next() {
            Some(Effect::Ask(_, Query::Order(order))) => *order,
            other => panic!("no order: {other:?}"),
        }
    }

    /// The order is refused before the database is asked.
    fn refused(&mut self, message: FromTool) -> String {
        let said = self.say(message);
        let [word] = &said[..] else { panic!("{said:?}") };
        word.strip_prefix("1: ERROR ").expect("ERROR").to_owned()
    }
}

#[test]
fn each_order_reaches_the_database_in_canonical_form() {
    let foo = |version: Option<&str>, tag: Option<&str>| Named {
        package: project("foo-bar"),
        version: version.map(|text| Version::parse(text).unwrap()),
        abi: tag.map(abi),
    };
    let pattern = |text: &str| crate::domain::NamePattern::parse(text).unwrap();
    let reason = || "big".to_owned();
    let policy = |value: Option<&str>| FromTool::Policy {
        name: text("wheels"),
        value: value.map(text),
        reason: text(""),
    };
    let set = |value: Option<&str>| Order::SetPolicy {
        name: "wheels".to_owned(),
        value: value.map(str::to_owned),
        reason: String::new(),
    };
    for (message, order, walks) in [
        (skip("Foo.Bar", "", ""), Order::Skip { what: foo(None, None), reason: reason() }, false),
        (skip("foo_bar", "1.0", ""), Order::Skip { what: foo(Some("1.0"), None), reason: reason() }, false),
        (skip("foo-bar", "", "cp39"), Order::Skip { what: foo(None, Some("cp39")), reason: reason() }, false),
        (
            FromTool::Unskip { package: text("Foo-Bar"), version: text("1"), abi: text("") },
            Order::Unskip(foo(Some("1"), None)),
            false,
        ),
        (
            FromTool::Block { pattern: text("Odoo*_x"), reason: text("big") },
            Order::Block { pattern: pattern("odoo*-x"), reason: reason() },
            true,
        ),
        (FromTool::Unblock { pattern: text("Odoo.*") }, Order::Unblock(pattern("odoo-*")), true),
        (policy(Some("any")), set(Some("any")), true),
        (policy(None), set(None), true),
        (
            FromTool::AbiRetire { abi: text("cp39"), reason: text("big") },
            Order::RetireAbi { abi: abi("cp39"), reason: reason() },
            true,
        ),
        (
            requeue("Foo.Bar", "1.0", "cp39", "out-of-memory"),
            Order::Requeue(Requeue {
                package: Some(project("foo-bar")),
                version: Version::parse("1.0").ok(),
                abi: Some(abi("cp39")),
                outcome: Some(Outcome::OutOfMemory),
                after: 0,
            }),
            false,
        ),
        (requeue("", "", "", ""), Order::Requeue(Requeue::default()), false),
    ] {
        let mut bench = Bench::new();
        assert_eq!((bench.order(message), order.walks()), (order, walks));
        assert!(!bench.chase.settled());
    }
}

#[test]
fn orders_that_name_nothing_sound_are_refused_and_nothing_is_asked() {
    let mut bench = Bench::new();
    for (message, word) in [
        (skip("b@r", "", ""), "\"b@r\" is not a project name"),
        (skip("foo", "one", ""), "\"one\" is not a version"),
        (skip("foo", "", "py3"), "\"py3\" is not an ABI"),
        (FromTool::Block { pattern: text("*"), reason: text("all") }, "\"*\" is not a pattern"),
        (FromTool::Unblock { pattern: text("") }, "\"\" is not a pattern"),
        (FromTool::AbiRetire { abi: text("abi3"), reason: text("no") }, "\"abi3\" is not an ABI"),
        (
            requeue("", "", "", "lost"),
            "\"lost\" is no outcome of an attempt; there are built, failed, timeout",
        ),
        (requeue("", "", "", "superseded"), "\"superseded\" is no outcome"),
    ] {
        let reason = bench.refused(message);
        assert!(reason.starts_with(word), "{reason}");
    }
    assert!(bench.chase.settled());
}

#[test]
fn what_an_order_opens_and_stops_is_told_to_the_farm_and_the_answer_to_the_tool() {
    let mut bench = Bench::new();
    bench.order(skip("foo", "", ""));
    let came = Ordered {
        opened: vec![abi("cp311")],
        cancelled: vec![BuildId(7)],
        ..ordered(json!({"changed": true, "cancelled": 1}))
    };
    let (changed, said) = bench.answer(Answer::Ordered(came));
    assert_eq!(
        changed,
        Changed::Ordered { opened: vec![abi("cp311")], cancelled: vec![BuildId(7)], walks: false }
    );
    assert_eq!(json_of(&said), json!({"changed": true, "cancelled": 1}));
    assert!(bench.chase.settled());
}

#[test]
fn an_order_in_pieces_is_one_answer() {
    let mut bench = Bench::new();
    let mut asked = bench.order(requeue("", "", "cp311", "failed"));
    for (after, next) in [(0, Some(2000)), (2000, Some(9000)), (9000, None)] {
        let Order::Requeue(requeue) = &asked else { panic!("{asked:?}") };
        assert_eq!((requeue.after, requeue.abi.clone()), (after, Some(abi("cp311"))));
        let reasons: Vec<_> = (0..60).map(|n| json!({"package": format!("p{n}")})).collect();
        let piece = json!({"changed": after == 2000, "versions": 3, "reasons": reasons, "next": next});
        let more = next.is_some();
        let (changed, said) = bench.answer(Answer::Ordered(Ordered { more, ..ordered(piece) }));
        assert_eq!(changed, nothing_but(false), "what was opened is told piece by piece");
        match next {
            Some(_) => {
                assert!(said[0].starts_with("ask order Requeue"), "{said:?}");
                let Order::Requeue(mut before) = asked else { panic!() };
                before.after = next.unwrap_or_default();
                asked = Order::Requeue(before);
                assert_eq!(said, [format!("ask order {asked:?}")]);
                assert!(!bench.chase.settled());
            }
            None => {
                let json = json_of(&said);
                assert_eq!((&json["versions"], &json["changed"]), (&json!(9), &json!(true)));
                assert_eq!((json["reasons"].as_array().unwrap().len(), json.get("next")), (100, None));
            }
        }
    }
    assert!(bench.chase.settled());
}

#[test]
fn a_policy_in_pieces_is_given_again_as_it_was() {
    let mut bench = Bench::new();
    let message = FromTool::Policy { name: text("cooldown"), value: Some(text("0")), reason: text("") };
    let order = bench.order(message);
    let first = Ordered { more: true, walks: true, ..ordered(json!({"value": "0", "changed": true})) };
    let (changed, said) = bench.answer(Answer::Ordered(first));
    assert_eq!((changed, said), (nothing_but(true), vec![format!("ask order {order:?}")]));
    let last = ordered(json!({"value": "0", "changed": false}));
    assert_eq!(json_of(&bench.answer(Answer::Ordered(last)).1), json!({"value": "0", "changed": true}));
}

#[test]
fn a_later_piece_that_is_refused_leaves_what_is_done_and_says_so() {
    let mut bench = Bench::new();
    bench.order(requeue("", "", "", "failed"));
    let piece = Ordered { more: true, ..ordered(json!({"changed": true, "next": 5})) };
    bench.answer(Answer::Ordered(piece));
    let (_, said) = bench.answer(Answer::Refused("the database does not answer".to_owned()));
    assert_eq!(
        said,
        ["1: ERROR the database does not answer | a part of it is done; give the order again for the rest"]
    );
    assert!(bench.chase.settled());
}

#[test]
fn an_order_whose_tool_is_gone_counts_and_is_not_gone_on_with() {
    let mut bench = Bench::new();
    bench.order(requeue("", "", "", "failed"));
    bench.chase.closed(TOOL);
    let piece =
        Ordered { opened: vec![abi("cp311")], more: true, ..ordered(json!({"changed": true, "next": 5})) };
    let (changed, said) = bench.answer(Answer::Ordered(piece));
    let opened = vec![abi("cp311")];
    assert_eq!(changed, Changed::Ordered { opened, cancelled: Vec::new(), walks: false });
    assert!(said.is_empty(), "{said:?}");
}

#[test]
fn what_the_database_refuses_or_says_oddly_is_told() {
    let mut bench = Bench::new();
    bench.order(skip("foo", "9", ""));
    let (changed, said) = bench.answer(Answer::Refused("no such version".to_owned()));
    assert_eq!(
        (changed, said),
        (Changed::Nothing, vec!["1: ERROR no such version | nothing was changed".to_owned()])
    );
    bench.order(skip("foo", "", ""));
    let odd = Ordered { json: "no JSON".to_owned(), cancelled: vec![BuildId(3)], ..Ordered::default() };
    let (changed, said) = bench.answer(Answer::Ordered(odd));
    assert_eq!(changed, Changed::Ordered { opened: Vec::new(), cancelled: vec![BuildId(3)], walks: false });
    assert!(said[0].starts_with("1: ERROR the master could not read"), "{said:?}");
    assert!(bench.chase.settled());
}

#[test]
fn reports_and_numbers_are_handed_on() {
    let mut bench = Bench::new();
    for (message, question) in
        [(FromTool::AbiList {}, "ask report Abis"), (FromTool::Policies {}, "ask report Policies")]
    {
        assert_eq!(bench.say(message), [question]);
        let json = json!({"report": question});
        assert_eq!(bench.json(Answer::Report(json.to_string())), json);
    }
    assert_eq!(bench.say(FromTool::Feed {}), ["ask report Feed"]);
    let following = Following { mode: Follow::All, trouble: Some("it is away"), heard: None };
    let report = Answer::Report(r#"{"serial": 7}"#.to_owned());
    let told = facts(&bench.brother, following, PageTrouble::default());
    assert_eq!(bench.chase.answered(NOW, TOOL, report, &told, &mut bench.out), Changed::Nothing);
    let said = words(&mut bench.out);
    assert_eq!(json_of(&said), json!({"serial": 7, "mode": "all", "trouble": "it is away"}));
    assert_eq!(bench.say(FromTool::Feed {}), ["ask report Feed"]);
    let (_, said) = bench.answer(Answer::Report("no JSON".to_owned()));
    assert!(said[0].starts_with("1: ERROR the master could not read"), "{said:?}");
    assert_eq!(bench.say(FromTool::Statistics {}), ["ask statistics"]);
    let numbers = Statistics { packages_count: 3, leased: 2, ..Statistics::default() };
    let disk = Disk { path: "/srv".to_owned(), size: 9, free: 4, inodes: Some(8), inodes_free: Some(7) };
    bench.brother.surveyed(NOW, Survey { disks: vec![disk], ..Survey::default() });
    bench.brother.tick(NOW, false, Promised { files: 1, bytes: 3 }, &mut Out::default());
    let trouble = PageTrouble { failing: 2, reason: Some("the page of foo cannot be written".to_owned()) };
    let told = facts(&bench.brother, QUIET, trouble);
    bench.chase.answered(NOW, TOOL, Answer::Statistics(Box::new(numbers)), &told, &mut bench.out);
    let json = json_of(&words(&mut bench.out));
    assert_eq!((&json["disk_size"], &json["disk_free"]), (&json!(9), &json!(4)));
    assert_eq!((&json["disk_floor"], &json["disk_promised"]), (&json!(5), &json!(3)));
    assert_eq!((&json["inodes"], &json["inodes_free"]), (&json!(8), &json!(7)));
    assert!(json["held"].as_str().is_some_and(|why| why.contains("/srv")), "{json}");
    assert_eq!((&json["held_since_ms"], &json["paused"]), (&json!(NOW.0 + 7), &json!("root")));
    assert_eq!((&json["tasks"]["survey"], &json["tasks"]["pages"]), (&json!(NOW.0 + 7), &json!(null)));
    assert_eq!(
        (&json["packages_count"], &json["leased"], &json["queued"]),
        (&json!(3), &json!(2), &json!(0))
    );
    assert_eq!(
        (&json["pages_failing"], &json["pages_trouble"]),
        (&json!(2), &json!("the page of foo cannot be written"))
    );
    assert_eq!(json.as_object().unwrap().len(), 30);
}

fn audited(found: u64, mended: u64) -> Answer {
    let problems = (0..found.min(3)).map(|n| format!("problem {n} of {found}")).collect();
    Answer::Audited(Audited { problems, found, mended })
}

#[test]
fn an_audit_tells_what_it_found_and_changes_nothing() {
    let mut bench = Bench::new();
    assert_eq!(bench.say(FromTool::Audit { mend: false }), ["ask audit, mend false"]);
    assert!(bench.chase.settled(), "a stopping master does not wait for it");
    let json = bench.json(audited(2, 0));
    assert_eq!(
        json,
        json!({"found": 2, "problems": ["problem 0 of 2", "problem 1 of 2"], "mended": 0, "left": 2,
               "left_problems": []})
    );
}

#[test]
fn mending_goes_on_until_nothing_is_left_or_nothing_gets_better() {
    // rounds of found and mended, and what is left in the end
    for (rounds, mended, left) in [
        (&[(0, 0)][..], 0, 0),
        (&[(15_000, 10_000), (5000, 5000), (0, 0)], 15_000, 0),
        (&[(4, 3), (1, 1), (1, 1)], 5, 1),
        (&[(2, 0)], 0, 2),
    ] {
        let mut bench = Bench::new();
        let mut said = bench.say(FromTool::Audit { mend: true });
        for round in rounds {
            assert_eq!(said, ["ask audit, mend true"], "{rounds:?}");
            said = bench.answer(audited(round.0, round.1)).1;
        }
        let json = json_of(&said);
        assert_eq!(
            (&json["found"], &json["mended"], &json["left"]),
            (&json!(rounds[0].0), &json!(mended), &json!(left))
        );
        assert_eq!(json["left_problems"].as_array().unwrap().len(), usize::try_from(left).unwrap());
    }
}

#[test]
fn one_audit_at_a_time_though_its_tool_is_gone() {
    let mut bench = Bench::new();
    let other = ConnId(2);
    bench.chase.opened(other, String::new(), &mut bench.out);
    bench.say(FromTool::Audit { mend: true });
    bench.chase.closed(TOOL);
    let again = |bench: &mut Bench| {
        bench.chase.message(other, FromTool::Audit { mend: false }, &mut bench.out).expect("in its place");
        words(&mut bench.out)
    };
    assert_eq!(again(&mut bench), ["2: ERROR an audit is under way already; wait for its end"]);
    assert!(bench.answer(audited(9, 9)).1.is_empty(), "and no further round");
    assert_eq!(again(&mut bench), ["ask audit, mend false"]);
    let told = facts(&bench.brother, QUIET, PageTrouble::default());
    bench.chase.answered(NOW, other, Answer::Failed("oops".to_owned()), &told, &mut bench.out);
    words(&mut bench.out);
    assert_eq!(again(&mut bench), ["ask audit, mend false"], "one that failed is over too");
}
