//! Pages that are due, and what is on them.

use piwheels::domain::Sha256;
use piwheels::master::query::{Answer, Order, PageKind, Query, Rewrite, Wanted};
use piwheels::wire::import::Pages;
use serde_json::Value;

use crate::farm::{Farm, name, wanted};

fn pages(farm: &mut Farm) -> Vec<PageKind> {
    farm.rewrites().into_iter().map(|due| due.order.page).collect()
}

fn write_all(farm: &mut Farm) {
    for due in farm.rewrites() {
        farm.ask(&Query::RewritesDone(vec![due.order]));
    }
    assert!(farm.rewrites().is_empty());
}

fn publish(farm: &mut Farm, package: &str, version: &str) {
    farm.add(package, version);
    let job = farm.job("cp39");
    farm.built(&job, &[("py3", "none")]);
}

#[test]
fn the_root_is_due_for_a_project_that_had_no_files_and_not_again() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.add("foo", "1.0");
    let job = farm.job("cp39");
    farm.failed(&job);
    assert_eq!(
        pages(&mut farm),
        [PageKind::Project(name("foo"))],
        "without files it has one for people only"
    );
    assert!(farm.rewrites()[0].rows.files.is_empty());
    write_all(&mut farm);
    publish(&mut farm, "foo", "2.0");
    assert_eq!(pages(&mut farm), [PageKind::Project(name("foo")), PageKind::Root]);
    write_all(&mut farm);
    publish(&mut farm, "foo", "3.0");
    assert_eq!(pages(&mut farm), [PageKind::Project(name("foo"))]);
}

#[test]
fn orders_for_one_page_are_merged_and_keep_its_turn() {
    let mut farm = Farm::with_abis(&["cp39"]);
    publish(&mut farm, "foo", "1.0");
    publish(&mut farm, "bar", "1.0");
    publish(&mut farm, "foo", "2.0");
    let foo = PageKind::Project(name("foo"));
    assert_eq!(pages(&mut farm), [foo, PageKind::Root, PageKind::Project(name("bar"))]);
    assert_eq!(farm.rewrites()[0].rows.files.len(), 2);
    let Answer::RewritesDue { due: first, .. } =
        farm.ask(&Query::RewritesDue { limit: 1, except: Vec::new() })
    else {
        panic!()
    };
    assert_eq!(first.len(), 1);
}

#[test]
fn a_page_that_is_ordered_while_it_is_written_stays_due() {
    let mut farm = Farm::with_abis(&["cp39"]);
    publish(&mut farm, "foo", "1.0");
    let first = farm.rewrites().remove(0);
    publish(&mut farm, "foo", "2.0");
    farm.ask(&Query::RewritesDone(vec![first.order.clone()]));
    let second = farm.rewrites().remove(0);
    assert_eq!((second.order.page.clone(), second.rows.files.len()), (first.order.page.clone(), 2));
    assert!(second.order.order > first.order.order);
    farm.ask(&Query::RewritesDone(vec![second.order]));
    assert_eq!(pages(&mut farm), [PageKind::Root]);
    publish(&mut farm, "foo", "3.0");
    farm.ask(&Query::RewritesDone(vec![first.order]));
    assert_eq!(pages(&mut farm).len(), 2, "done twice, after a broken connection: the new order stays");
}

#[test]
fn orders_of_deleted_packages_are_dropped_and_block_no_other() {
    let mut farm = Farm::with_abis(&["cp39"]);
    for package in ["gone", "gone-too", "kept"] {
        publish(&mut farm, package, "1.0");
    }
    farm.execute("DELETE FROM piw.package WHERE name LIKE 'gone%'");
    let Answer::RewritesDue { due: first, .. } =
        farm.ask(&Query::RewritesDue { limit: 1, except: Vec::new() })
    else {
        panic!()
    };
    assert_eq!(first[0].order.page, PageKind::Root, "though two older orders name nothing");
    assert_eq!(pages(&mut farm), [PageKind::Root, PageKind::Project(name("kept"))]);
    assert_eq!(farm.number("SELECT count(*) FROM piw.rewrite", &[]), 2);
    farm.mend();
}

#[test]
fn sixteen_pages_that_fail_block_no_other() {
    let mut farm = Farm::with_abis(&["cp39"]);
    for n in 0..16 {
        publish(&mut farm, &format!("bad-{n}"), "1.0");
    }
    publish(&mut farm, "good", "1.0");
    let sixteen = |farm: &mut Farm| {
        let Answer::RewritesDue { due, .. } = farm.ask(&Query::RewritesDue { limit: 16, except: Vec::new() })
        else {
            panic!()
        };
        due.into_iter().map(|page| page.order).collect::<Vec<_>>()
    };
    let root = sixteen(&mut farm).into_iter().find(|order| order.page == PageKind::Root).unwrap();
    farm.ask(&Query::RewritesFailed(vec![root.clone()]));
    let failing = sixteen(&mut farm);
    for order in &failing {
        farm.ask(&Query::RewritesFailed(vec![order.clone()]));
    }
    let next = sixteen(&mut farm);
    assert_eq!(next[0].page, PageKind::Project(name("good")));
    assert_eq!(next[1], root, "a failed order keeps its number");
    assert_eq!(next[2..], failing[..14], "the others come again, in their order");
}

#[test]
fn a_page_that_is_ordered_while_its_writing_fails_keeps_its_place() {
    let mut farm = Farm::with_abis(&["cp39"]);
    publish(&mut farm, "foo", "1.0");
    let first = farm.rewrites().remove(0).order;
    publish(&mut farm, "foo", "2.0");
    farm.ask(&Query::RewritesFailed(vec![first.clone()]));
    let second = farm.rewrites().remove(0).order;
    assert_eq!(second.page, first.page, "it did not go behind the root");
    assert!(second.order > first.order);
    farm.ask(&Query::RewritesFailed(vec![second.clone()]));
    farm.ask(&Query::RewritesDone(vec![second]));
    assert_eq!(pages(&mut farm), [PageKind::Root]);
}

#[test]
fn a_page_has_the_files_newest_version_first_with_all_that_it_shows() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.add_all(vec![
        Wanted { display: "Foo.Bar".to_owned(), ..wanted("foo.bar", "1.9") },
        Wanted {
            display: "Foo.Bar".to_owned(),
            yanked: Some(String::new()),
            named: true,
            ..wanted("foo.bar", "1.10")
        },
    ]);
    for _ in 0..2 {
        let job = farm.job("cp39");
        farm.built(&job, &[("py3", "none"), ("py2", "none")]);
    }
    let due = farm.rewrites().remove(0);
    assert_eq!((due.order.page, due.rows.display.as_str()), (PageKind::Project(name("foo-bar")), "Foo.Bar"));
    let names: Vec<_> = due.rows.files.iter().map(|file| file.filename.as_str()).collect();
    assert_eq!(
        names,
        [
            "foo_bar-1.10-py2-none-any.whl",
            "foo_bar-1.10-py3-none-any.whl",
            "foo_bar-1.9-py2-none-any.whl",
            "foo_bar-1.9-py3-none-any.whl",
        ]
    );
    let file = &due.rows.files[0];
    assert_eq!((file.yanked.as_deref(), file.requires_python.as_deref()), (Some(""), Some(">=3.9")));
    assert_eq!(file.metadata_sha256, Some(Sha256::of(file.filename.as_bytes())));
    assert_eq!(due.rows.files[2].yanked, None);
}

#[test]
fn every_attempt_is_on_its_projects_page_newest_first_and_orders_it() {
    let mut farm = Farm::with_abis(&["cp39", "cp310"]);
    farm.add("foo", "1.0");
    farm.add("bar", "1.0");
    let first = farm.job("cp39");
    farm.failed(&first);
    write_all(&mut farm);
    let other = farm.job("cp39");
    farm.failed(&other);
    let second = farm.job("cp310");
    farm.built(&second, &[("cp310", "cp310")]);
    let mut due = farm.rewrites();
    due.sort_by_key(|page| page.rows.builds.len());
    let seen: Vec<_> =
        due.pop().unwrap().rows.builds.into_iter().map(|b| (b.build, b.version, b.abi, b.outcome)).collect();
    let row = |build, abi: &str, outcome: &str| (build, "1.0".to_owned(), abi.to_owned(), outcome.to_owned());
    assert_eq!(seen, [row(second.token.build, "cp310", "built"), row(first.token.build, "cp39", "failed")]);
    let bar = due.pop().unwrap();
    assert_eq!((bar.order.page, bar.rows.builds.len()), (PageKind::Project(name("bar")), 1));
    // one that is only lost is ordered too, when it is given up
    for _ in 0..5 {
        write_all(&mut farm);
        let job = farm.job("cp310");
        farm.lose(&job);
        farm.wait_back_off();
    }
    let lost = farm.rewrites().remove(0);
    assert_eq!(
        (lost.order.page, lost.rows.builds[0].outcome.as_str()),
        (PageKind::Project(name("bar")), "lost-slave")
    );
}

#[test]
fn the_root_names_projects_with_files_piece_by_piece() {
    let mut farm = Farm::with_abis(&["cp39"]);
    for package in ["zope", "a-b", "ab", "a1", "without"] {
        farm.add(package, "1.0");
        let job = farm.job("cp39");
        if package == "without" {
            farm.failed(&job);
        } else {
            farm.built(&job, &[("py3", "none")]);
        }
    }
    let mut names = Vec::new();
    loop {
        let query = Query::RootNames { after: names.last().cloned(), limit: 3 };
        let Answer::RootNames(piece) = farm.ask(&query) else { panic!() };
        let last = piece.len() < 3;
        names.extend(piece.into_iter().map(|name| name.name));
        if last {
            break;
        }
    }
    assert_eq!(names, ["a-b", "a1", "ab", "zope"]);
}

#[test]
fn files_that_are_known_come_with_their_hashes() {
    let mut farm = Farm::with_abis(&["cp39"]);
    publish(&mut farm, "foo", "1.0");
    let page = farm.rewrites().remove(0).rows.files.remove(0);
    let query = Query::FilesKnown(vec!["other-1.0-py3-none-any.whl".to_owned(), page.filename.clone()]);
    let Answer::FilesKnown(known) = farm.ask(&query) else { panic!() };
    assert_eq!(known, [(page.filename, page.sha256)]);
}

fn rebuild(farm: &mut Farm, what: Pages, names: &[&str]) -> i64 {
    let names: Vec<_> = names.iter().map(|text| name(text)).collect();
    let (mut after, mut pages) = (0, 0);
    loop {
        let order = Order::Rebuild { what, names: names.clone(), after };
        let Answer::Ordered(ordered) = farm.ask(&Query::Order(Box::new(order))) else { panic!() };
        let answer: Value = serde_json::from_str(&ordered.json).unwrap();
        pages += answer["pages"].as_i64().unwrap();
        if !ordered.more {
            return pages;
        }
        after = i32::try_from(answer["next"].as_i64().unwrap()).unwrap();
    }
}

#[test]
fn an_operator_orders_pages_anew() {
    let mut farm = Farm::with_abis(&["cp39"]);
    publish(&mut farm, "foo", "1.0");
    publish(&mut farm, "bar", "1.0");
    farm.add("unbuilt", "1.0");
    write_all(&mut farm);
    let (foo, bar) = (PageKind::Project(name("foo")), PageKind::Project(name("bar")));
    assert_eq!(rebuild(&mut farm, Pages::Home, &[]), 1);
    assert_eq!(pages(&mut farm), [PageKind::Home]);
    write_all(&mut farm);
    assert_eq!(rebuild(&mut farm, Pages::Index, &[]), 1);
    assert_eq!(pages(&mut farm), [PageKind::Root]);
    write_all(&mut farm);
    assert_eq!(rebuild(&mut farm, Pages::Project, &["bar", "unbuilt", "bar"]), 2);
    assert_eq!(pages(&mut farm), [bar.clone(), PageKind::Project(name("unbuilt"))]);
    write_all(&mut farm);
    let unbuilt = PageKind::Project(name("unbuilt"));
    assert_eq!(rebuild(&mut farm, Pages::Project, &[]), 3);
    assert_eq!(pages(&mut farm), [foo.clone(), bar.clone(), unbuilt.clone()]);
    write_all(&mut farm);
    assert_eq!(rebuild(&mut farm, Pages::All, &[]), 5);
    let mut all = pages(&mut farm);
    assert_eq!(all.split_off(2), [foo, bar, unbuilt]);
    assert!(all.contains(&PageKind::Home) && all.contains(&PageKind::Root));
    let unknown = Order::Rebuild {
        what: Pages::Project,
        names: ["foo", "nowhere", "elsewhere"].map(name).into(),
        after: 0,
    };
    write_all(&mut farm);
    let why = farm.refusal(&Query::Order(Box::new(unknown)));
    assert!(why.contains("does not know elsewhere, nowhere"), "{why}");
    assert!(farm.rewrites().is_empty(), "all or nothing");
    let odd = Order::Rebuild { what: Pages::All, names: vec![name("foo")], after: 0 };
    assert!(farm.refusal(&Query::Order(Box::new(odd))).contains("only project takes names"));
}

#[test]
fn what_is_ordered_in_bulk_holds_nothing_up_and_is_not_held_up() {
    let mut farm = Farm::with_abis(&["cp39"]);
    let names: Vec<String> = (10..30).map(|n| format!("old{n}")).collect();
    for package in &names {
        publish(&mut farm, package, "1.0");
    }
    write_all(&mut farm);
    assert_eq!(rebuild(&mut farm, Pages::Project, &[]), 20);
    let due = |farm: &mut Farm| {
        let Answer::RewritesDue { due, .. } = farm.ask(&Query::RewritesDue { limit: 8, except: Vec::new() })
        else {
            panic!()
        };
        due.into_iter().map(|due| due.order.page).collect::<Vec<_>>()
    };
    let page = |text: &str| PageKind::Project(name(text));
    let old: Vec<_> = names.iter().map(|text| page(text)).collect();
    assert_eq!(due(&mut farm), old[..8], "alone it gets everything");
    publish(&mut farm, "new", "1.0");
    assert_eq!(due(&mut farm), [&[page("new"), PageKind::Root], &old[..6]].concat());
    // one of the bulk has news: it comes with the others that have
    publish(&mut farm, "old29", "2.0");
    assert_eq!(due(&mut farm), [&[page("new"), PageKind::Root, page("old29")], &old[..5]].concat());
    for n in 0..10 {
        publish(&mut farm, &format!("more{n}"), "1.0");
    }
    let both = due(&mut farm);
    assert_eq!(both[..3], [page("new"), PageKind::Root, page("old29")]);
    assert_eq!(both[6..], old[..2], "a quarter of the places, whatever waits");
}

/// What is due beside these orders, and whether anything else is.
fn due_but(farm: &mut Farm, limit: u16, except: &[i64]) -> (Vec<Rewrite>, bool) {
    let query = Query::RewritesDue { limit, except: except.to_vec() };
    let Answer::RewritesDue { due, more } = farm.ask(&query) else { panic!() };
    (due, more)
}

#[test]
fn what_is_under_way_is_left_out_until_it_is_ordered_again() {
    let mut farm = Farm::with_abis(&["cp39"]);
    for package in ["a", "b", "c"] {
        publish(&mut farm, package, "1.0");
    }
    let names = |due: &[Rewrite]| due.iter().map(|due| due.order.page.clone()).collect::<Vec<_>>();
    let [a, b, c] = ["a", "b", "c"].map(|text| PageKind::Project(name(text)));
    let (first, more) = due_but(&mut farm, 2, &[]);
    assert_eq!((names(&first), more), (vec![a.clone(), PageKind::Root], true));
    let held: Vec<i64> = first.iter().map(|due| due.order.order).collect();
    let (rest, more) = due_but(&mut farm, 2, &held);
    assert_eq!((names(&rest), more), (vec![b.clone(), c.clone()], false));
    let (rest, more) = due_but(&mut farm, 1, &held);
    assert_eq!((names(&rest), more), (vec![b], true));
    publish(&mut farm, "a", "2.0");
    let (again, more) = due_but(&mut farm, 1, &held);
    assert_eq!((names(&again), more), (vec![a], true), "it has its turn still");
    assert_eq!(again[0].rows.files.len(), 2);
    // what is told of late does not take the newer order away
    farm.ask(&Query::RewritesDone(first.into_iter().map(|due| due.order).collect()));
    assert_eq!(due_but(&mut farm, 3, &[]).0.len(), 3);
    let all: Vec<i64> = farm.rewrites().iter().map(|due| due.order.order).collect();
    assert!(matches!(due_but(&mut farm, 64, &all), (none, false) if none.is_empty()));
}

#[test]
fn an_answer_is_bounded_by_the_bytes_of_its_rows_and_never_empty_for_them() {
    let mut farm = Farm::with_abis(&["cp39"]);
    for n in 0..30 {
        publish(&mut farm, &format!("p{n}"), "1.0");
    }
    // as much as is shown of what the author of a package says, in each
    farm.execute(
        "UPDATE piw.file SET requires_dist = ARRAY(SELECT repeat('x', 1000) FROM generate_series(1, 250))",
    );
    let (mut held, mut sizes) = (Vec::new(), Vec::new());
    loop {
        let (due, more) = due_but(&mut farm, 64, &held);
        held.extend(due.iter().map(|due| due.order.order));
        sizes.push(due.len());
        if !more {
            break;
        }
    }
    assert_eq!(held.len(), 31, "all of them come, and the root");
    assert!(sizes.len() == 2 && sizes[0] < 20, "4 MiB at a time: {sizes:?}");
    // one that is too large alone comes alone
    farm.execute("UPDATE piw.version SET version = version || '+' || repeat('x', 5000000) WHERE pkg_id = 1");
    let (due, more) = due_but(&mut farm, 64, &[]);
    assert_eq!((due.len(), more), (1, true));
}

#[test]
fn a_page_has_all_that_the_json_api_shows() {
    let mut farm = Farm::with_abis(&["cp39"]);
    publish(&mut farm, "foo", "1.0");
    farm.add("foo", "0.9");
    farm.add("foo", "1.0.1");
    let rows = farm.rewrites().remove(0).rows;
    assert_eq!(rows.versions, ["0.9", "1.0", "1.0.1"]);
    assert_eq!((rows.status.as_str(), rows.status_reason), ("active", None));
    let file = &rows.files[0];
    assert_eq!((file.version.as_str(), file.alias_of.as_deref()), ("1.0", None));
    let size = farm.number("SELECT size FROM piw.file", &[]);
    assert_eq!(i64::try_from(file.size).unwrap(), size);
    let sql = "SELECT count(*) FROM piw.file WHERE published_at = $1::text::timestamptz";
    assert_eq!(farm.number(sql, &[&file.uploaded]), 1, "{}", file.uploaded);
    assert!(file.uploaded.len() == 27 && file.uploaded.ends_with('Z'), "{}", file.uploaded);
}

#[test]
fn what_is_told_of_together_is_done_each_by_itself() {
    let mut farm = Farm::with_abis(&["cp39"]);
    for package in ["a", "b", "c"] {
        publish(&mut farm, package, "1.0");
    }
    let due = farm.rewrites();
    let orders: Vec<_> = due.into_iter().map(|due| due.order).collect();
    let all = [name("a"), name("b"), name("c")].map(PageKind::Project);
    assert!(all.iter().all(|page| orders.iter().any(|order| order.page == *page)));
    publish(&mut farm, "b", "2.0");
    farm.ask(&Query::RewritesDone(orders.clone()));
    assert_eq!(pages(&mut farm), [PageKind::Project(name("b"))], "it was ordered again since");
    farm.ask(&Query::RewritesDone(orders));
    assert_eq!(pages(&mut farm).len(), 1, "told again, after a broken connection");
    farm.ask(&Query::RewritesDone(Vec::new()));
}
