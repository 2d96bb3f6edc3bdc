//! What an administrator brings and takes away: what it changes, what it must not, and that doing it again changes nothing.

use piwheels::domain::{JobToken, Sha256, Version};
use piwheels::master::gaze::ReleaseTruth;
use piwheels::master::oracle::{self, Failure};
use piwheels::master::query::{
    Answer, FileRecord, ImportPlan, ImportRecord, ImportVerdict, Imported, Logged, Order, Ordered, Outcome,
    PageKind, Query, Remove, Unread,
};
use piwheels::wire::import::Removal;
use serde_json::{Value, json};

use crate::farm::{Farm, abi, name, opened, secret, version};
use crate::index::release;

/// A wheel of foo.
fn file(version: &str, python: &str, abi: &str, bytes: &str) -> FileRecord {
    let platform = if abi == "none" { "any" } else { "linux_armv7l" };
    let filename = format!("foo-{version}-{python}-{abi}-{platform}.whl");
    FileRecord {
        size: 1000,
        sha256: Sha256::of(format!("{filename} {bytes}").as_bytes()),
        python_tag: python.to_owned(),
        abi_tag: abi.to_owned(),
        platform_tag: platform.to_owned(),
        requires_python: None,
        metadata_sha256: Sha256::of(bytes.as_bytes()),
        requires_dist: Vec::new(),
        filename,
    }
}

fn plan(text: &str, tag: Option<&str>, files: &[FileRecord]) -> ImportPlan {
    ImportPlan {
        package: name("foo"),
        version: version(text),
        abi: tag.map(abi),
        python: (0, 0),
        abi3: files.iter().any(|file| file.abi_tag == "abi3"),
        files: files.iter().map(|file| (file.filename.clone(), file.sha256)).collect(),
        create: true,
    }
}

impl Farm {
    fn begin(&mut self, plan: ImportPlan) -> ImportVerdict {
        let Answer::ImportBegun(verdict) = self.ask(&Query::BeginImport(Box::new(plan))) else { panic!() };
        verdict
    }

    fn refused(&mut self, plan: ImportPlan) -> String {
        self.refusal(&Query::BeginImport(Box::new(plan)))
    }

    /// What may come, as it would be recorded.
    fn record_of(&mut self, text: &str, tag: Option<&str>, files: Vec<FileRecord>) -> ImportRecord {
        let ImportVerdict::Ready { build, abi, begun } = self.begin(plan(text, tag, &files)) else {
            panic!("{files:?} may not come")
        };
        ImportRecord {
            token: JobToken { build, secret: secret() },
            begun,
            package: name("foo"),
            display: "Foo".to_owned(),
            version: Version::parse(text).unwrap(),
            abi,
            by: "piw-import".to_owned(),
            duration_ms: 5000,
            log_bytes: 80,
            files,
        }
    }

    fn log_import(&mut self, record: &ImportRecord) -> Imported {
        let Answer::Logged(Logged::Imported(imported)) =
            self.ask(&Query::LogImport(Box::new(record.clone())))
        else {
            panic!()
        };
        *imported
    }

    fn import(&mut self, text: &str, tag: Option<&str>, files: Vec<FileRecord>) -> Imported {
        let record = self.record_of(text, tag, files);
        self.log_import(&record)
    }

    fn remove(&mut self, text: Option<&str>, what: Removal, skip: Option<&str>) -> (Value, Ordered) {
        self.order(Order::Remove(Remove {
            package: name("foo"),
            version: text.map(version),
            what,
            skip: skip.map(str::to_owned),
            reason: "a test".to_owned(),
            after: 0,
        }))
    }

    fn published(&mut self) -> Vec<String> {
        self.texts("SELECT filename FROM piw.file ORDER BY filename COLLATE \"C\"")
    }

    /// Writes every page that is due.
    fn pages_are_written(&mut self) {
        for rewrite in self.rewrites() {
            self.ask(&Query::RewritesDone(vec![rewrite.order]));
        }
    }

    fn states(&mut self) -> Vec<(String, String)> {
        let why = self.why("foo", None).unwrap();
        let builds = why["versions"][0]["builds"].as_array().unwrap().clone();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        builds.iter().map(|build| (text(&build["abi"]), text(&build["state"]))).collect()
    }
}

fn pairs(all: &[(&str, &str)]) -> Vec<(String, String)> {
    all.iter().map(|(abi, state)| ((*abi).to_owned(), (*state).to_owned())).collect()
}

#[test]
fn an_import_makes_package_and_version_and_settles_what_it_serves() {
    let mut farm = Farm::with_abis(&["cp39", "cp311"]);
    let imported = farm.import("1.0", None, vec![file("1.0", "cp311", "cp311", "a")]);
    assert!(imported.new_package && imported.new_version && imported.cancelled.is_empty());
    assert_eq!(imported.opened, [], "the index is not known to have anything to build it from");
    let due = farm.rewrites();
    let page = due.iter().find(|rewrite| matches!(rewrite.order.page, PageKind::Project(_))).unwrap();
    assert_eq!(imported.page, Some(page.order.order));
    assert_eq!(page.rows.display, "Foo");
    assert_eq!(page.rows.files[0].filename, "foo-1.0-cp311-cp311-linux_armv7l.whl");
    let again = farm.import("1.0", Some("cp39"), vec![file("1.0", "py3", "none", "a")]);
    assert!(!again.new_package && !again.new_version);
    assert_eq!(farm.states(), pairs(&[("cp39", "built"), ("cp311", "settled")]), "the second serves both");
}

#[test]
fn the_abi_is_the_first_that_the_files_serve_and_one_that_the_farm_has() {
    let mut farm = Farm::with_abis(&["cp39", "cp311"]);
    let abi_of = |farm: &mut Farm, plan| match farm.begin(plan) {
        ImportVerdict::Ready { abi, .. } => abi.as_str().to_owned(),
        other => panic!("{other:?}"),
    };
    let pure = [file("1.0", "py3", "none", "a")];
    assert_eq!(abi_of(&mut farm, plan("1.0", None, &pure)), "cp39");
    let late = ImportPlan { python: (3, 10), ..plan("1.0", None, &pure) };
    assert_eq!(abi_of(&mut farm, late.clone()), "cp311");
    assert!(farm.refused(ImportPlan { python: (3, 12), ..late }).contains("'piw abi add'"));
    assert!(farm.refused(plan("1.0", Some("cp312"), &pure)).contains("no ABI \"cp312\""));
    farm.execute("UPDATE piw.abi SET skip = 'old' WHERE tag = 'cp39'");
    assert_eq!(abi_of(&mut farm, plan("1.0", None, &pure)), "cp311", "one that is still built for");
    assert_eq!(abi_of(&mut farm, plan("1.0", Some("cp39"), &pure)), "cp39");
    farm.execute("UPDATE piw.abi SET skip = NULL");
}

#[test]
fn an_unknown_package_or_version_is_made_only_where_that_is_said_and_never_before_the_files_are_there() {
    let mut farm = Farm::with_abis(&["cp39"]);
    let files = [file("1.0", "cp39", "cp39", "a")];
    let careful = |text: &str| ImportPlan { create: false, ..plan(text, None, &files) };
    assert_eq!(farm.begin(careful("1.0")), ImportVerdict::Unknown { package: true });
    farm.add("foo", "2.0");
    assert_eq!(farm.begin(careful("1.0")), ImportVerdict::Unknown { package: false });
    assert!(matches!(farm.begin(careful("2.0")), ImportVerdict::Ready { .. }));
    assert!(matches!(farm.begin(plan("1.0", None, &files)), ImportVerdict::Ready { .. }));
    assert_eq!(farm.number("SELECT count(*) FROM piw.version", &[]), 1, "what does not come leaves nothing");
    assert_eq!(farm.number("SELECT count(*) FROM piw.build", &[]), 0);
}

#[test]
fn the_same_record_twice_is_one_import_and_the_same_files_again_are_nothing() {
    let mut farm = Farm::with_abis(&["cp39"]);
    let record = farm.record_of("1.0", None, vec![file("1.0", "cp39", "cp39", "a")]);
    let first = farm.log_import(&record);
    let second = farm.log_import(&record);
    assert_eq!((second.page, second.new_version), (first.page, false));
    assert_eq!(farm.number("SELECT count(*) FROM piw.build", &[]), 1);
    let again = plan("1.0.0", None, &record.files);
    assert_eq!(farm.begin(again.clone()), ImportVerdict::Unchanged { abi: abi("cp39"), page: first.page });
    farm.pages_are_written();
    assert_eq!(farm.begin(again), ImportVerdict::Unchanged { abi: abi("cp39"), page: None });
}

#[test]
fn a_name_that_was_published_never_comes_with_other_bytes() {
    let mut farm = Farm::with_abis(&["cp39"]);
    let (a, b) = (file("1.0", "cp39", "cp39", "a"), file("1.0", "cp39", "cp39", "b"));
    // two at once: both may come as far as anybody can say, and the first counts
    let first = farm.record_of("1.0", None, vec![a.clone()]);
    let second = farm.record_of("1.0", None, vec![b.clone()]);
    farm.log_import(&first);
    let refusal = farm.refusal(&Query::LogImport(Box::new(second)));
    assert!(refusal.contains("published already, with other bytes"), "{refusal}");
    assert!(
        farm.refused(plan("1.0", None, std::slice::from_ref(&b)))
            .contains("published already, with other bytes")
    );
    assert!(farm.refused(plan("2.0", None, std::slice::from_ref(&a))).contains("for another version"));
    assert_eq!(farm.number("SELECT count(*) FROM piw.build", &[]), 1, "what is refused leaves nothing");

    // one that was on its way when the name was withdrawn: its bytes may be going from the disk
    let on_its_way = farm.record_of("1.0", None, vec![a.clone(), file("1.0", "py3", "none", "a")]);
    farm.remove(Some("1.0"), Removal::Files, None);
    assert!(farm.refused(plan("1.0", None, std::slice::from_ref(&a))).contains("just going from the disk"));
    farm.pages_are_written();
    let refusal = farm.refusal(&Query::LogImport(Box::new(on_its_way)));
    assert!(refusal.contains("was withdrawn"), "{refusal}");
    // its file was brought into place for nothing
    assert_eq!(farm.rewrites()[0].rows.gone, [a.filename.as_str()]);
    farm.pages_are_written();
    assert!(farm.refused(plan("1.0", None, &[b])).contains("a name never comes back with others"));
    farm.import("1.0", None, vec![a]);
    assert_eq!(farm.published().len(), 1, "with its own bytes it does, and at once");
}

#[test]
fn a_slave_that_builds_what_comes_is_cancelled_and_its_result_counts_for_nothing() {
    let mut farm = Farm::with_abis(&["cp39", "cp311"]);
    farm.add("foo", "1.0");
    let job = farm.job("cp39");
    let imported = farm.import("1.0", None, vec![file("1.0", "cp39", "cp39", "a")]);
    assert_eq!(imported.cancelled, [job.token.build]);
    assert_eq!(imported.opened, [abi("cp311")], "the next ABI's turn comes");
    assert_eq!(farm.built(&job, &[("cp39", "cp39")]), Logged::Superseded);
    assert_eq!(farm.published().len(), 1);
    let next = farm.job("cp311");
    let imported = farm.import("1.0", None, vec![file("1.0", "py3", "none", "a")]);
    assert_eq!(imported.cancelled, [next.token.build], "it serves every ABI");
    assert_eq!(farm.log(&next, Outcome::Cancelled, Vec::new()), Logged::Superseded);
}

#[test]
fn of_an_imported_release_the_index_is_asked_whether_it_is_yanked() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.releases("foo", Vec::new());
    assert!(farm.due().is_empty());
    farm.import("1.0", None, vec![file("1.0", "cp39", "cp39", "a")]);
    assert_eq!(farm.due()[0].etag, None, "the page that is known was read for other releases");
    farm.releases("foo", vec![ReleaseTruth { yanked: Some("oops".to_owned()), ..release("1.0") }]);
    assert_eq!(farm.rewrites()[0].rows.files[0].yanked.as_deref(), Some("oops"));
    // a second file of it asks nothing new
    farm.import("1.0", None, vec![file("1.0", "cp39", "abi3", "b")]);
    assert!(farm.due().is_empty());
}

#[test]
fn what_was_imported_stays_when_the_index_has_no_such_release_or_project() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.import("1.0", None, vec![file("1.0", "cp39", "cp39", "a")]);
    for _ in 0..2 {
        // missing, and then missing for too long
        farm.ask(&Query::PageUnread {
            package: name("foo"),
            news: Unread::Missing { patience_secs: 0 },
            next_secs: None,
        });
    }
    assert_eq!(farm.number("SELECT count(*) FROM piw.package WHERE removed_at IS NOT NULL", &[]), 1);
    assert_eq!(farm.published().len(), 1);
    farm.execute(
        "SELECT piw.learn_page('foo', 'foo', 'active', NULL, 1, 'x', true, 60, '{2.0}', '{x}', '{f}', '{1}', '{t}', \
         ARRAY[NULL], ARRAY[NULL]::bigint[], ARRAY[NULL], '{\"\"}', '{t}')",
    );
    assert_eq!(farm.published().len(), 1);
    farm.remove(Some("1.0"), Removal::Files, None);
    assert_eq!(farm.published(), Vec::<String>::new());
}

#[test]
fn what_a_late_slave_brings_back_of_a_removed_release_goes_again() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.add("foo", "1.0");
    let late = farm.job("cp39");
    farm.lose(&late);
    let job = farm.job("cp39");
    farm.built(&job, &[("cp39", "cp39")]);
    farm.remove(Some("1.0"), Removal::Files, None);
    farm.pages_are_written();
    assert!(farm.rewrites().is_empty());
    // placed before it is recorded: the file is in its place again, and no row says so
    for verdict in [Logged::Superseded, Logged::Duplicate] {
        assert_eq!(farm.built(&late, &[("cp39", "cp39")]), verdict);
        assert_eq!(farm.rewrites()[0].rows.gone, ["foo-1.0-cp39-cp39-linux_armv7l.whl"]);
        farm.pages_are_written();
    }
}

#[test]
fn what_is_removed_is_built_again_under_a_new_name_unless_it_is_skipped() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.add("foo", "1.0");
    let job = farm.job("cp39");
    farm.built(&job, &[("cp39", "cp39")]);
    farm.pages_are_written();
    let (answer, ordered) = farm.remove(Some("1.0"), Removal::Files, None);
    let page =
        farm.rewrites().iter().find(|r| r.order.page == PageKind::Project(name("foo"))).unwrap().order.order;
    assert_eq!(
        answer,
        json!({"package": "foo", "version": "1.0", "what": "files", "versions": 1, "files": 1, "builds": 0,
               "skipped": false, "changed": true, "page": page, "next": null})
    );
    assert_eq!((ordered.opened, ordered.logs), (vec![abi("cp39")], Vec::new()));
    let (again, _) = farm.remove(Some("1.0"), Removal::Files, None);
    assert_eq!((&again["changed"], &again["page"]), (&json!(false), &json!(page)), "the page is still due");
    assert_eq!(farm.job("cp39").build_tag, 1);

    let (answer, _) = farm.remove(Some("1.0"), Removal::Files, Some("broken"));
    assert_eq!(
        (&answer["files"], &answer["skipped"], &answer["changed"]),
        (&json!(0), &json!(true), &json!(true))
    );
    assert_eq!(farm.why("foo", None).unwrap()["versions"][0]["skip"], "broken");
    let (again, _) = farm.remove(Some("1.0"), Removal::Files, Some("broken"));
    assert_eq!(again["changed"], false);
}

#[test]
fn a_slave_whose_wheel_would_have_a_name_that_goes_is_cancelled_and_another_goes_on() {
    let mut farm = Farm::with_abis(&["cp39", "cp311"]);
    farm.add("foo", "1.0");
    let first = farm.job("cp39");
    farm.built(&first, &[("cp39", "cp39")]);
    let other = farm.job("cp311");
    let (_, ordered) = farm.remove(Some("1.0"), Removal::Files, None);
    assert_eq!(ordered.cancelled, [], "its wheel is for another ABI");
    assert_eq!(farm.built(&other, &[("cp311", "cp311")]), opened("cp39"));

    let again = farm.job("cp39");
    assert_eq!(again.build_tag, 1);
    // a name that it may take, behind its back: that of an attempt before it which was believed lost
    farm.execute("UPDATE piw.lease SET build_tag = 0");
    let (_, ordered) = farm.remove(Some("1.0"), Removal::Files, None);
    assert_eq!(ordered.cancelled, [again.token.build]);
    assert_eq!(farm.log(&again, Outcome::Cancelled, Vec::new()), Logged::Superseded);
    assert_eq!(farm.job("cp39").build_tag, 1, "and is built anew");
}

#[test]
fn forgotten_builds_are_made_again_and_their_logs_are_named() {
    let mut farm = Farm::with_abis(&["cp39", "cp311"]);
    farm.add("foo", "1.0");
    let (first, second) = {
        let first = farm.job("cp39");
        farm.failed(&first);
        let second = farm.job("cp311");
        farm.built(&second, &[("cp311", "cp311")]);
        (first, second)
    };
    farm.remove(Some("1.0"), Removal::Files, None);
    assert_eq!(farm.claim("cp39"), None, "what failed has failed");
    let (answer, ordered) = farm.remove(None, Removal::Builds, None);
    assert_eq!((&answer["builds"], &answer["changed"]), (&json!(2), &json!(true)));
    assert_eq!(ordered.logs, [first.token.build, second.token.build]);
    assert_eq!(farm.number("SELECT count(*) FROM piw.build", &[]), 0);
    assert_eq!(farm.job("cp39").attempt, 1);
    assert_eq!(farm.remove(None, Removal::Builds, None).0["changed"], false);
}

#[test]
fn a_yank_is_the_operators_own_and_the_index_does_not_take_it_back() {
    let mut farm = Farm::with_abis(&["cp39", "cp311"]);
    farm.add("foo", "1.0");
    let job = farm.job("cp39");
    farm.built(&job, &[("cp39", "cp39")]);
    let building = farm.job("cp311");
    let (answer, ordered) = farm.remove(Some("1.0"), Removal::Yank, None);
    assert_eq!((&answer["changed"], &answer["files"]), (&json!(true), &json!(0)));
    assert_eq!(ordered.cancelled, [building.token.build]);
    farm.add("foo", "1.0");
    let yanked = |farm: &mut Farm| {
        let due = farm.rewrites();
        let page = due.into_iter().find(|r| r.order.page == PageKind::Project(name("foo"))).unwrap();
        page.rows.files[0].yanked.clone()
    };
    assert_eq!(yanked(&mut farm).as_deref(), Some("a test"));
    assert_eq!(farm.remove(Some("1.0"), Removal::Yank, None).0["changed"], false);
    assert_eq!(farm.remove(Some("1.0"), Removal::Unyank, None).0["changed"], true);
    assert_eq!(yanked(&mut farm), None);
}

#[test]
fn a_large_package_goes_in_pieces() {
    let mut farm = Farm::with_abis(&["cp39"]);
    for n in 0..201 {
        let text = format!("{n}.0");
        farm.import(&text, None, vec![file(&text, "cp39", "cp39", "a")]);
    }
    let (answer, ordered) = farm.remove(None, Removal::Files, None);
    assert_eq!((&answer["files"], ordered.more), (&json!(200), true));
    let after = i32::try_from(answer["next"].as_i64().unwrap()).unwrap();
    let rest = Remove {
        package: name("foo"),
        version: None,
        what: Removal::Files,
        skip: None,
        reason: "a test".to_owned(),
        after,
    };
    let (answer, ordered) = farm.order(Order::Remove(rest));
    assert_eq!((&answer["files"], ordered.more), (&json!(1), false));
    assert_eq!(farm.published(), Vec::<String>::new());
}

#[test]
fn what_is_not_known_cannot_be_removed() {
    let mut farm = Farm::with_abis(&["cp39"]);
    let mut refused = |text: Option<&str>| {
        let what = Remove {
            package: name("foo"),
            version: text.map(version),
            what: Removal::Files,
            skip: None,
            reason: "a test".to_owned(),
            after: 0,
        };
        match oracle::execute(&mut farm.client, &Query::Order(Box::new(Order::Remove(what)))) {
            Err(Failure::Refused(reason)) => reason,
            other => panic!("{other:?}"),
        }
    };
    assert!(refused(None).contains("foo is not known to this farm"));
    farm.add("foo", "1.0");
    let mut refused = |text: &str| {
        farm.refusal(&Query::Order(Box::new(Order::Remove(Remove {
            package: name("foo"),
            version: Some(version(text)),
            what: Removal::Files,
            skip: None,
            reason: "a test".to_owned(),
            after: 0,
        }))))
    };
    assert!(refused("2.0").contains("does not know that version of foo"));
}
