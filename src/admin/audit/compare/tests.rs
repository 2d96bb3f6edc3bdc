//! Each kind of difference, one at a time, in a project that is sound otherwise.

use super::*;

const WHEEL: &str = "foo-1.0-cp311-cp311-linux_armv7l.whl";
const ALIAS: &str = "foo-1.0-cp311-cp311-linux_armv6l.whl";
const RIGHT: Sha256 = Sha256([0xab; 32]);
const CORE: Sha256 = Sha256([0xcd; 32]);

fn row(filename: &str, alias_of: Option<&str>) -> Row {
    Row {
        filename: filename.to_owned(),
        alias_of: alias_of.map(str::to_owned),
        size: 5,
        sha256: RIGHT,
        metadata_sha256: Some(CORE),
        requires_python: Some(">=3.7".to_owned()),
        yanked: None,
        withheld: None,
    }
}

fn entry(size: u64, sha256: Sha256) -> Entry {
    Entry { what: What::File, size, old: true, sha256: Some(Ok(sha256)) }
}

fn shown(filename: &str) -> Shown {
    Shown {
        filename: filename.to_owned(),
        sha256: Some(RIGHT),
        metadata_sha256: Some(CORE),
        requires_python: Some(">=3.7".to_owned()),
        yanked: None,
        size: Some(5),
    }
}

/// A project with a wheel and its name for another platform, in order.
fn sound() -> (Project, Seen) {
    let project = Project {
        name: "foo".to_owned(),
        known: true,
        shown: true,
        builds: true,
        due: false,
        pending: vec!["foo-0.9-py3-none-any.whl".to_owned()],
        files: vec![row(ALIAS, Some(WHEEL)), row(WHEEL, None)],
    };
    let mut seen = Seen { old_directory: true, people: true, ..Seen::default() };
    for name in [WHEEL, ALIAS] {
        seen.entries.insert(name.to_owned(), entry(5, RIGHT));
        seen.entries.insert(format!("{name}.metadata"), entry(9, CORE));
    }
    for page in PAGES {
        seen.entries.insert(page.to_owned(), Entry { sha256: None, ..entry(99, RIGHT) });
        seen.entries.insert(format!("{page}.gz"), Entry { sha256: None, ..entry(50, RIGHT) });
        seen.pages.insert(page.to_owned(), Ok(vec![shown(WHEEL), shown(ALIAS)]));
    }
    for going in ["foo-0.9-py3-none-any.whl", "foo-0.9-py3-none-any.whl.metadata"] {
        seen.entries.insert(going.to_owned(), entry(3, CORE));
    }
    (project, seen)
}

/// What is found after a change.
fn found(change: impl FnOnce(&mut Project, &mut Seen)) -> Vec<(Kind, String, Cure)> {
    let (mut project, mut seen) = sound();
    change(&mut project, &mut seen);
    compare(&project, &seen).into_iter().map(|f| (f.kind, f.path, f.cure)).collect()
}

fn one(kind: Kind, path: &str, cure: Cure) -> Vec<(Kind, String, Cure)> {
    vec![(kind, path.to_owned(), cure)]
}

/// The page's link.
fn link(seen: &mut Seen, change: impl FnOnce(&mut Shown)) {
    change(&mut seen.pages.get_mut("index.html").unwrap().as_mut().unwrap()[0]);
}

#[test]
fn what_is_in_order_is_not_found() {
    assert_eq!(found(|_, _| {}), []);
    assert_eq!(
        found(|_, seen| seen.entries.values_mut().for_each(|e| e.sha256 = None)),
        [],
        "without digests"
    );
    let nothing = Project { name: "foo".to_owned(), ..Project::default() };
    assert_eq!(compare(&nothing, &Seen::default()), []);
}

#[test]
fn a_files_bytes_are_those_of_its_row() {
    let path = format!("simple/foo/{WHEEL}");
    let missing = found(|_, seen| drop(seen.entries.remove(WHEEL)));
    assert_eq!(missing, one(Kind::FileMissing, &path, Cure::Withhold));
    for change in [entry(6, RIGHT), entry(5, CORE), Entry { what: What::Other, ..entry(5, RIGHT) }] {
        let changed = found(|_, seen| drop(seen.entries.insert(WHEEL.to_owned(), change)));
        assert_eq!(changed, one(Kind::FileChanged, &path, Cure::Withhold));
    }
    let unreadable = Entry { sha256: Some(Err("Input/output error".to_owned())), ..entry(5, RIGHT) };
    let changed = found(|_, seen| drop(seen.entries.insert(WHEEL.to_owned(), unreadable)));
    assert_eq!(changed, one(Kind::Unreadable, &path, Cure::None), "nobody knows what its bytes are");
}

#[test]
fn a_withheld_file_is_told_of_until_its_bytes_are_back() {
    let withhold = |project: &mut Project, seen: &mut Seen| {
        project.files.iter_mut().for_each(|row| row.withheld = Some("lost".to_owned()));
        seen.pages.clear();
        // its alias may still be there, and is nobody else's
        seen.entries.remove(ALIAS);
    };
    let path = format!("simple/foo/{WHEEL}");
    let gone = found(|project, seen| {
        withhold(project, seen);
        seen.entries.remove(WHEEL);
    });
    assert_eq!(gone, one(Kind::FileMissing, &path, Cure::None));
    assert_eq!(found(withhold), one(Kind::FileRestored, &path, Cure::Show));
    let unread = found(|project, seen| {
        withhold(project, seen);
        seen.entries.values_mut().for_each(|entry| entry.sha256 = None);
    });
    assert_eq!(unread, [], "its size alone says nothing");
}

#[test]
fn metadata_and_second_names_can_be_made_anew() {
    let metadata = format!("simple/foo/{WHEEL}.metadata");
    let name = format!("{WHEEL}.metadata");
    let missing = found(|_, seen| drop(seen.entries.remove(&name)));
    assert_eq!(missing, one(Kind::MetadataMissing, &metadata, Cure::Metadata));
    let changed = found(|_, seen| drop(seen.entries.insert(name.clone(), entry(9, RIGHT))));
    assert_eq!(changed, one(Kind::MetadataChanged, &metadata, Cure::Metadata));
    assert_eq!(found(|project, _| project.files[1].metadata_sha256 = None)[0].0, Kind::LinkWrong);
    let alias = format!("simple/foo/{ALIAS}");
    let missing = found(|_, seen| drop(seen.entries.remove(ALIAS)));
    assert_eq!(missing, one(Kind::AliasMissing, &alias, Cure::Page));
    let changed = found(|_, seen| drop(seen.entries.insert(ALIAS.to_owned(), entry(5, CORE))));
    assert_eq!(changed, one(Kind::AliasChanged, &alias, Cure::Page));
}

#[test]
fn what_no_row_stands_for_is_extra_after_a_day() {
    let other = "foo-2.0-py3-none-any.whl";
    let add = |name: &str, entry: Entry| found(|_, seen| drop(seen.entries.insert(name.to_owned(), entry)));
    let path = format!("simple/foo/{other}");
    assert_eq!(add(other, entry(1, CORE)), one(Kind::ExtraFile, &path, Cure::Sweep));
    assert_eq!(add(other, Entry { old: false, ..entry(1, CORE) }), [], "a build may be publishing it");
    let directory = Entry { what: What::Directory, ..entry(1, CORE) };
    assert_eq!(add("below", directory), one(Kind::ExtraDirectory, "simple/foo/below", Cure::None));
    assert_eq!(add(".alias", entry(1, CORE)), one(Kind::ExtraFile, "simple/foo/.alias", Cure::Sweep));
    let odd = found(|_, seen| seen.odd.push("\u{fffd}".to_owned()));
    assert_eq!(odd, one(Kind::ExtraFile, "simple/foo/\u{fffd}", Cure::None));
    let (project, empty) = (
        Project { name: "foo".to_owned(), ..Project::default() },
        Seen { old_directory: true, ..Seen::default() },
    );
    let gone = Finding::new(Kind::ExtraDirectory, "simple/foo", "it is empty", Cure::Sweep);
    assert_eq!(compare(&project, &empty), [gone]);
    assert_eq!(compare(&project, &Seen { old_directory: false, ..empty }), []);
}

#[test]
fn a_project_has_pages_exactly_when_it_has_files_to_show() {
    let page = "simple/foo/index.v1_json";
    let missing = found(|_, seen| drop(seen.pages.remove("index.v1_json")));
    assert_eq!(missing, one(Kind::PageMissing, page, Cure::Page));
    let hidden = found(|project, seen| {
        (project.shown, project.builds, seen.people) = (false, false, false);
    });
    assert_eq!(
        hidden,
        [
            (Kind::PageExtra, "simple/foo/index.html".to_owned(), Cure::Page),
            (Kind::PageExtra, page.to_owned(), Cure::Page)
        ]
    );
    let unknown = found(|project, seen| {
        *project = Project { name: "foo".to_owned(), ..Project::default() };
        seen.people = false;
        seen.entries.retain(|name, _| name == "index.html");
    });
    assert_eq!(
        unknown,
        one(Kind::ExtraFile, "simple/foo/index.html", Cure::Sweep),
        "nobody writes it any more"
    );
    let unreadable = found(|_, seen| drop(seen.pages.insert("index.html".to_owned(), Err("no".to_owned()))));
    assert_eq!(unreadable, one(Kind::Unreadable, "simple/foo/index.html", Cure::Page));
    let twin = found(|_, seen| drop(seen.twins.insert("simple/foo/index.html".to_owned(), "old".to_owned())));
    assert_eq!(twin, one(Kind::PageTwin, "simple/foo/index.html.gz", Cure::Page));
}

#[test]
fn a_page_has_a_right_link_for_each_file_and_no_other() {
    let at = |name: &str| format!("simple/foo/index.html: {name}");
    let wrong = one(Kind::LinkWrong, &at(WHEEL), Cure::Page);
    assert_eq!(found(|_, seen| link(seen, |l| l.sha256 = Some(CORE))), wrong);
    assert_eq!(found(|_, seen| link(seen, |l| l.sha256 = None)), wrong);
    assert_eq!(found(|_, seen| link(seen, |l| l.metadata_sha256 = None)), wrong);
    assert_eq!(found(|_, seen| link(seen, |l| l.requires_python = None)), wrong);
    assert_eq!(found(|_, seen| link(seen, |l| l.yanked = Some(String::new()))), wrong);
    assert_eq!(found(|_, seen| link(seen, |l| l.size = Some(6))), wrong);
    let pop = |seen: &mut Seen| drop(seen.pages.get_mut("index.html").unwrap().as_mut().unwrap().remove(0));
    assert_eq!(found(|_, seen| pop(seen)), one(Kind::LinkMissing, &at(WHEEL), Cure::Page));
    let push = |seen: &mut Seen, name: &str| {
        seen.pages.get_mut("index.html").unwrap().as_mut().unwrap().push(shown(name));
    };
    assert_eq!(found(|_, seen| push(seen, WHEEL)), one(Kind::LinkExtra, &at(WHEEL), Cure::Page), "twice");
    assert_eq!(found(|_, seen| push(seen, "x.whl")), one(Kind::LinkBroken, &at("x.whl"), Cure::Page));
    let outdated = found(|project, _| project.files[1].yanked = Some("bad".to_owned()));
    assert_eq!(outdated.iter().map(|f| f.0).collect::<Vec<_>>(), [Kind::LinkWrong; 2]);
}

#[test]
fn the_page_for_people_is_there_and_leads_somewhere() {
    let page = "project/foo/index.html";
    assert_eq!(found(|_, seen| seen.people = false), one(Kind::PageMissing, page, Cure::Page));
    let broken = found(|_, seen| seen.broken.push((page.to_owned(), "../../logs/1".to_owned())));
    assert_eq!(broken, one(Kind::LinkBroken, "project/foo/index.html: ../../logs/1", Cure::Page));
    let unreadable = found(|_, seen| seen.unreadable.push((page.to_owned(), "no file".to_owned())));
    assert_eq!(unreadable, one(Kind::Unreadable, page, Cure::Page));
    let (hidden, seen) =
        (Project { known: true, ..Project::default() }, Seen { people: true, ..Seen::default() });
    assert_eq!(compare(&hidden, &seen)[0].kind, Kind::PageExtra);
}
