//! What the audit of the web tree asks of the database, and what it has done: files that are withheld, names that nothing stands
//! for.

use piwheels::domain::{BuildId, ProjectName};
use piwheels::master::query::{Answer, Look, Order, PageKind, Query, TreeOrder};
use serde_json::{Value, json};

use crate::farm::{Farm, name};

const FOO: &str = "foo-1.0-cp39-cp39-linux_armv7l.whl";
const ALIAS: &str = "foo-1.0-cp39-cp39-linux_armv6l.whl";
const PURE: &str = "foo-1.0-py3-none-any.whl";

fn look(farm: &mut Farm, look: Look) -> Value {
    let Answer::Report(json) = farm.ask(&Query::Look(look)) else { panic!() };
    serde_json::from_str(&json).unwrap()
}

fn project(farm: &mut Farm, of: &str, after: Option<&str>, limit: u16) -> Value {
    look(farm, Look::Project { project: name(of), after: after.map(str::to_owned), limit })
}

fn withhold(farm: &mut Farm, filename: &str, reason: Option<&str>) -> bool {
    let order = TreeOrder::Withhold { filename: filename.to_owned(), reason: reason.map(str::to_owned) };
    let Answer::PagesOrdered(json) = farm.ask(&Query::TreeOrder(order)) else { panic!() };
    serde_json::from_str::<Value>(&json).unwrap()["changed"].as_bool().unwrap()
}

fn unclaimed(farm: &mut Farm, of: &str, names: &[&str]) -> Vec<String> {
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    let Answer::Unclaimed(names) = farm.ask(&Query::Unclaimed { project: name(of), names }) else { panic!() };
    names
}

/// `foo` with two files and an alias, `sad` with a failure, `new` with nothing; every page written.
fn farm() -> Farm {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.add("foo", "1.0");
    let job = farm.job("cp39");
    farm.built(&job, &[("cp39", "cp39"), ("py3", "none")]);
    farm.add("sad", "1.0");
    let job = farm.job("cp39");
    farm.failed(&job);
    farm.add("new", "1.0");
    farm.order(Order::SetPolicy {
        name: "aliases".to_owned(),
        value: Some("linux_armv7l=linux_armv6l".to_owned()),
        reason: String::new(),
    });
    write_all(&mut farm);
    farm
}

fn write_all(farm: &mut Farm) {
    for due in farm.rewrites() {
        farm.ask(&Query::RewritesDone(vec![due.order]));
    }
}

#[test]
fn projects_that_the_tree_has_something_of_are_listed_in_pieces() {
    let mut farm = farm();
    let first = look(&mut farm, Look::Projects { after: None, limit: 2 });
    assert_eq!(first, json!({"next": "new", "projects": ["foo"]}), "new has nothing there");
    let second = look(&mut farm, Look::Projects { after: Some("new".to_owned()), limit: 2 });
    assert_eq!(second, json!({"next": null, "projects": ["sad"]}));
    let root = look(&mut farm, Look::Root { after: None, limit: 5000 });
    assert_eq!(root, json!({"root_due": false, "home_due": false, "next": null, "projects": ["foo"]}));
    let names = ["foo", "new", "sad", "Old Backup"].map(str::to_owned).to_vec();
    assert_eq!(look(&mut farm, Look::Strangers(names)), json!({"strangers": ["Old Backup", "new"]}));
    let builds = vec![BuildId(1), BuildId(2), BuildId(999)];
    assert_eq!(look(&mut farm, Look::Builds(builds)), json!({"unknown": [999]}));
    let leased = farm.job("cp39").token.build;
    assert_eq!(look(&mut farm, Look::Builds(vec![leased])), json!({"unknown": []}), "it is being built");
    for limit in [0, 1001] {
        farm.refusal(&Query::Look(Look::Projects { after: None, limit }));
        farm.refusal(&Query::Look(Look::Project { project: name("foo"), after: None, limit }));
    }
    farm.refusal(&Query::Look(Look::Root { after: None, limit: 10_001 }));
    farm.refusal(&Query::Look(Look::Builds(vec![BuildId(1); 1001])));
}

#[test]
fn a_projects_files_come_with_their_other_names_in_pieces() {
    let mut farm = farm();
    let names = |piece: &Value| -> Vec<String> {
        let files = piece["files"].as_array().unwrap().iter();
        files.map(|file| file["filename"].as_str().unwrap().to_owned()).collect()
    };
    let first = project(&mut farm, "foo", None, 2);
    assert_eq!((names(&first), &first["next"]), (vec![ALIAS.to_owned(), FOO.to_owned()], &json!(FOO)));
    assert_eq!(first["files"][0]["alias_of"], FOO);
    let second = project(&mut farm, "foo", Some(FOO), 2);
    assert_eq!((names(&second), &second["next"]), (vec![PURE.to_owned()], &json!(null)));
    assert_eq!(
        (&first["known"], &first["shown"], &first["builds"], &first["due"]),
        (&json!(true), &json!(true), &json!(true), &json!(false))
    );
    farm.execute("UPDATE piw.package SET status = 'quarantined' WHERE name = 'foo'");
    let hidden = project(&mut farm, "foo", None, 9);
    assert_eq!((&hidden["shown"], &hidden["builds"]), (&json!(false), &json!(false)));
    farm.execute("UPDATE piw.package SET status = 'active' WHERE name = 'foo'");
    let unknown = project(&mut farm, "nonesuch", None, 9);
    assert_eq!((&unknown["known"], &unknown["files"]), (&json!(false), &json!([])));
}

#[test]
fn a_withheld_file_leaves_its_page_and_keeps_its_name_and_its_build() {
    let mut farm = farm();
    assert!(withhold(&mut farm, FOO, Some("lost")));
    assert!(!withhold(&mut farm, FOO, Some("lost")), "once more");
    assert!(!withhold(&mut farm, "nonesuch.whl", Some("lost")));
    let due = farm.rewrites();
    let files = |due: &piwheels::master::query::Rewrite| -> Vec<String> {
        due.rows.files.iter().map(|file| file.filename.clone()).collect()
    };
    assert_eq!((due.len(), files(&due[0])), (1, vec![PURE.to_owned()]), "its other name goes with it");
    assert_eq!(project(&mut farm, "foo", None, 9)["files"][1]["withheld"], "lost");
    assert!(project(&mut farm, "foo", None, 9)["due"].as_bool().unwrap());
    write_all(&mut farm);
    assert!(withhold(&mut farm, PURE, Some("lost")));
    let pages: Vec<_> = farm.rewrites().into_iter().map(|due| due.order.page).collect();
    assert_eq!(pages, [PageKind::Project(name("foo")), PageKind::Root]);
    assert_eq!(look(&mut farm, Look::Root { after: None, limit: 9 })["projects"], json!([]));
    let known = farm.ask(&Query::FilesKnown(vec![FOO.to_owned()]));
    assert!(matches!(known, Answer::FilesKnown(known) if known.len() == 1), "nothing else takes the name");
    assert_eq!(farm.number("SELECT count(*) FROM piw.build WHERE outcome = 'built' AND NOT void", &[]), 1);
    write_all(&mut farm);
    assert!(withhold(&mut farm, PURE, None) && withhold(&mut farm, FOO, None));
    assert_eq!(files(&farm.rewrites()[0]).len(), 3);
    farm.refusal(&Query::TreeOrder(TreeOrder::Withhold {
        filename: FOO.to_owned(),
        reason: Some(" ".to_owned()),
    }));
    assert_eq!(farm.audit(), Vec::<String>::new());
}

#[test]
fn only_what_nothing_stands_for_may_be_swept() {
    let mut farm = farm();
    let beside = format!("{FOO}.metadata");
    let names = [FOO, ALIAS, &beside, "index.html", "index.v1_json.gz", "stray.whl", "stray.whl.metadata"];
    assert_eq!(unclaimed(&mut farm, "foo", &names), ["stray.whl", "stray.whl.metadata"]);
    assert_eq!(unclaimed(&mut farm, "sad", &[FOO]), [FOO], "it is another project's");
    assert_eq!(unclaimed(&mut farm, "nonesuch", &["index.html", "x"]), ["index.html", "x"]);
    withhold(&mut farm, FOO, Some("lost"));
    assert_eq!(unclaimed(&mut farm, "foo", &[FOO, ALIAS]), Vec::<String>::new(), "it may come back");
    farm.execute("SELECT piw._withdraw(1, 'removed')");
    assert_eq!(
        unclaimed(&mut farm, "foo", &[FOO, &beside]),
        Vec::<String>::new(),
        "the page's writer removes it"
    );
    farm.execute("UPDATE piw.withdrawn SET pending = false");
    assert_eq!(unclaimed(&mut farm, "foo", &[FOO, &beside]), [FOO.to_owned(), beside.clone()]);
    let many = vec!["x".to_owned(); 1001];
    farm.refusal(&Query::Unclaimed { project: ProjectName::parse("foo").unwrap(), names: many });
    farm.mend();
}
