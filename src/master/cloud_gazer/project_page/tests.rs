//! Pages as indexes write them, and what is chosen of them.

use super::super::choice::parse_specifiers;
use super::*;
use crate::master::gaze::{ReleaseTruth, WantedReleases, Wish};
use proptest::prelude::*;

fn name() -> ProjectName {
    ProjectName::parse("Foo.Bar").unwrap()
}

fn read(text: &str) -> Result<ProjectPage, String> {
    ProjectPage::read(text.as_bytes(), &name()).map_err(|error| match error {
        PageError::Broken(error) => error.to_string(),
        PageError::Unreadable(reason) => reason,
    })
}

fn page_with(more: &str, files: &str) -> ProjectPage {
    read(&format!(r#"{{"meta":{{"api-version":"1.4"}},"name":"Foo.Bar"{more},"files":[{files}]}}"#)).unwrap()
}

fn page(files: &str) -> ProjectPage {
    page_with("", files)
}

fn newest(page: &ProjectPage, specifiers: &str) -> Result<String, String> {
    page.newest(&name(), &parse_specifiers(specifiers)?, specifiers).map(|wanted| wanted.version.to_string())
}

fn release(page: &ProjectPage, version: &str) -> ReleaseTruth {
    let all = page.truths(&WantedReleases::All);
    all.into_iter().find(|release| release.version.to_string() == version).unwrap()
}

const FILES: &str = r#"
    {"filename":"foo_bar-1.9.tar.gz","url":"x","hashes":{},"upload-time":"2024-02-29T12:00:00.123456Z"},
    {"filename":"Foo.Bar-1.10.zip","url":"x","hashes":{},"yanked":false},
    {"filename":"foo-bar-2.0b1.tar.gz","url":"x","hashes":{}},
    {"filename":"foo_bar-1.11.tar.gz","url":"x","hashes":{},"yanked":"broken"},
    {"filename":"foo_bar-3.0-py3-none-any.whl","url":"x","hashes":{}},
    {"filename":"other-9.0.tar.gz","url":"x","hashes":{}},
    {"filename":"foo_bar-nonsense.tar.gz","url":"x","hashes":{}}"#;

#[test]
fn the_newest_final_version_with_a_standing_sdist_is_chosen() {
    let page = page(FILES);
    assert_eq!(newest(&page, "").unwrap(), "1.10");
    assert_eq!(newest(&page, "<1.10").unwrap(), "1.9");
    assert_eq!(newest(&page, "==1.9.0").unwrap(), "1.9");
    assert_eq!(newest(&page, ">=2.0b1").unwrap(), "2.0b1");
}

#[test]
fn a_yanked_version_is_chosen_only_by_its_name_and_keeps_the_reason() {
    let page = page(FILES);
    let wanted = page.newest(&name(), &parse_specifiers("==1.11").unwrap(), "==1.11").unwrap();
    assert_eq!((wanted.yanked.as_deref(), wanted.named), (Some("broken"), true));
    assert_eq!(wanted.specifiers.as_deref(), Some("==1.11"));
    assert!(newest(&page, ">1.10,<2.0a0").is_err());
}

#[test]
fn what_cannot_be_chosen_is_said_with_the_reason() {
    let page = page(FILES);
    let only_a_wheel = newest(&page, "==3.0").unwrap_err();
    assert!(only_a_wheel.contains("no version ==3.0 with a source distribution; the newest is 2.0b1"));
    assert!(newest(&page, "=>1").unwrap_err().contains("not a version specifier"));
    assert!(newest(&self::page(""), "").unwrap_err().contains("no source distribution"));
}

#[test]
fn a_quarantined_project_is_not_built() {
    for status in [r#""quarantined""#, r#"{"reason":"malware\u0000","status":"quarantined"}"#] {
        let page = page_with(&format!(r#","project-status":{status}"#), FILES);
        assert!(newest(&page, "").unwrap_err().contains("quarantine"));
        assert_eq!(page.status, ProjectStatus::Quarantined);
        assert!(page.truths(&WantedReleases::All).iter().all(|release| !release.wanted));
        assert!(page.status_reason.is_none_or(|reason| reason == "malware "));
    }
}

#[test]
fn other_statuses_are_told_apart_and_unknown_ones_count_as_active() {
    for (text, expected) in [
        (r#"{"status":"archived"}"#, ProjectStatus::Archived),
        (r#"{"status":"deprecated"}"#, ProjectStatus::Deprecated),
        (r#"{"status":"shiny"}"#, ProjectStatus::Active),
        ("null", ProjectStatus::Active),
        ("{}", ProjectStatus::Active),
    ] {
        assert_eq!(page_with(&format!(r#","project-status":{text}"#), "").status, expected, "{text}");
    }
}

#[test]
fn nonsense_and_other_protocols_are_refused() {
    assert!(read("<html>").unwrap_err().contains("cannot be read"));
    assert!(
        read(r#"{"meta":{"api-version":"2.0"},"name":"x","files":[]}"#).unwrap_err().contains("version 2.0")
    );
    assert!(read(r#"{"name":"foo-bar","files":[]}"#).unwrap_err().contains("does not say which version"));
    assert!(
        read(r#"{"meta":{"api-version":"1.0"},"name":"foo-bar"}"#).unwrap_err().contains("no list of files")
    );
    assert!(read(r#"{"meta":{"api-version":"1.0"},"name":"foo-bar","files":[]} x"#).is_err());
}

#[test]
fn the_page_of_another_project_is_refused() {
    let refused = read(r#"{"meta":{"api-version":"1.0"},"name":"other","files":[]}"#).unwrap_err();
    assert!(refused.contains("the page of other"));
    read(r#"{"meta":{"api-version":"1.0"},"name":"FOO_bar","files":[]}"#).unwrap();
}

#[test]
fn a_page_that_breaks_off_is_told_from_one_that_is_wrong() {
    let whole = format!(r#"{{"files":[{FILES}],"meta":{{"api-version":"1.4"}},"name":"foo-bar"}}"#);
    for at in 0..whole.len() {
        let cut = ProjectPage::read(&whole.as_bytes()[..at], &name());
        assert!(matches!(cut, Err(PageError::Broken(_))), "cut at {at}: {cut:?}");
    }
    assert_eq!(newest(&read(&whole).unwrap(), "").unwrap(), "1.10", "the order of keys does not matter");
}

#[test]
fn a_release_is_what_its_files_say() {
    let page = page_with(
        r#","versions":["0.5","1.0","no version"]"#,
        r#"{"filename":"foo_bar-1.0.tar.gz","requires-python":">=3.8","upload-time":"2024-01-02T00:00:00Z","yanked":false},
        {"filename":"foo_bar-1.0.zip","requires-python":">=3.7,<3.8","yanked":"zip is bad"},
        {"filename":"foo_bar-1.0-py3-none-any.whl","upload-time":"2024-01-01T00:00:00Z","yanked":""},
        {"filename":"foo_bar-1.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"},
        {"filename":"foo_bar-1.0-cp311-cp311-win_amd64.whl","yanked":true},
        {"filename":"foo_bar-1.0-1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"},
        {"filename":"foo_bar-2.0-py3-none-any.whl","yanked":"no"},
        {"filename":"foo_bar-3.0.tar.gz","requires-python":">=3.8"},
        {"filename":"foo_bar-3.0.zip","requires-python":["odd"]},
        {"filename":["odd"]}, {}"#,
    );
    let one = release(&page, "1.0");
    assert!(one.sdist && one.wanted);
    assert_eq!(one.yanked, None, "one of its source distributions stands");
    assert_eq!(one.released, Some(1_704_067_200), "the wheel was first");
    assert_eq!(
        one.pythons,
        Some(((1 << 63) - 1) & !((1 << 7) - 1)),
        "3.7 from the one, the rest from the other"
    );
    assert_eq!(one.pure.as_deref(), Some("foo_bar-1.0-py3-none-any.whl"));
    let chosen = page.newest(&name(), &parse_specifiers("<2").unwrap(), "<2").unwrap();
    assert_eq!(
        (chosen.version, chosen.pythons, chosen.pure, &chosen.tags, chosen.named),
        (one.version, one.pythons, one.pure.clone(), &one.tags, false)
    );
    assert_eq!(one.tags, ["cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64"]);
    let two = release(&page, "2.0");
    assert_eq!((two.sdist, two.wanted, two.yanked.as_deref(), two.pure), (false, false, Some("no"), None));
    assert_eq!(release(&page, "3.0").pythons, None, "one of its source distributions says nothing");
    let bare = release(&page, "0.5");
    assert_eq!((bare.sdist, bare.yanked, bare.released), (false, None, None));
}

/// Which versions wishes mean.
fn wanted(page: &ProjectPage, wishes: &[(&str, i64)]) -> Vec<String> {
    let wishes =
        wishes.iter().map(|(specifiers, since)| Wish { specifiers: (*specifiers).into(), since: *since });
    let truths = page.truths(&WantedReleases::Listed(wishes.collect()));
    truths.into_iter().filter(|release| release.wanted).map(|release| release.version.to_string()).collect()
}

/// Source distributions, each uploaded so many seconds after midnight.
fn uploads(versions: &[(&str, u32)]) -> ProjectPage {
    let file = |(version, second): &(&str, u32)| {
        format!(r#"{{"filename":"foo_bar-{version}.tar.gz","upload-time":"1970-01-01T00:00:{second:02}Z"}}"#)
    };
    page(&versions.iter().map(file).collect::<Vec<_>>().join(","))
}

#[test]
fn a_wish_means_what_is_uploaded_after_it_and_fits() {
    let page = uploads(&[("1.0", 10), ("1.1", 20), ("2.0", 21), ("2.1rc1", 22), ("1.2", 30)]);
    assert_eq!(wanted(&page, &[]), [] as [&str; 0]);
    assert_eq!(wanted(&page, &[("", 0)]), ["1.0", "1.1", "1.2", "2.0"]);
    assert_eq!(wanted(&page, &[("<2", 15)]), ["1.1", "1.2"]);
    assert_eq!(
        wanted(&page, &[("<2", 20)]),
        ["1.1", "1.2"],
        "what came in the same second may have come later"
    );
    assert_eq!(wanted(&page, &[("<2", 21), ("==2.0", 0)]), ["1.2", "2.0"]);
    assert_eq!(wanted(&page, &[("nonsense", 0), (">2", 40)]), [] as [&str; 0]);
}

#[test]
fn a_sdist_that_comes_after_its_wheels_is_new() {
    let page = page(
        r#"{"filename":"foo_bar-1.0-py3-none-any.whl","upload-time":"1970-01-01T00:00:10Z"},
        {"filename":"foo_bar-1.0.tar.gz","upload-time":"1970-01-01T00:00:30Z"}"#,
    );
    assert_eq!(wanted(&page, &[("", 20)]), ["1.0"]);
}

#[test]
fn pre_releases_are_meant_only_where_they_are_named_or_nothing_else_is_there() {
    let page = uploads(&[("1.0", 10), ("2.0a1", 20), ("2.0a2", 30)]);
    assert_eq!(wanted(&page, &[("", 0)]), ["1.0"]);
    assert_eq!(wanted(&page, &[("!=2.0a1", 0)]), ["1.0"], "that it is excluded does not mean the others");
    assert_eq!(wanted(&page, &[(">=2.0a1", 0)]), ["2.0a1", "2.0a2"]);
    assert_eq!(wanted(&page, &[(">1.5", 25)]), ["2.0a2"], "no final release fits");
}

#[test]
fn yanked_releases_and_those_without_sdist_are_never_wished_for() {
    assert_eq!(wanted(&page(FILES), &[("==1.11", -1), ("==3.0", -1)]), [] as [&str; 0]);
}

#[test]
fn without_upload_times_only_what_the_wish_would_choose_now_is_meant() {
    let times = r#","upload-time":"1970-01-01T00:00:10Z""#;
    let files =
        |more| format!(r#"{{"filename":"foo_bar-1.0.tar.gz"{more}}},{{"filename":"foo_bar-1.1.tar.gz"}}"#);
    assert_eq!(wanted(&page(&files("")), &[("", 99)]), ["1.1"]);
    assert_eq!(wanted(&page(&files("")), &[("<1.1", 99)]), ["1.0"]);
    assert_eq!(wanted(&page(&files(times)), &[("", 5)]), ["1.0", "1.1"]);
    assert_eq!(wanted(&page(&files(times)), &[("<1.1", 99)]), [] as [&str; 0]);
}

proptest! {
    #[test]
    fn no_bytes_end_the_program(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = ProjectPage::read(&bytes[..], &name());
    }

    #[test]
    fn no_values_end_the_program(
        filename in "foo[_.-]bar-[0-9a-z.!+-]{0,9}(\\.tar\\.gz|-py3-none-any\\.whl|\\.zip)|\\PC{0,20}",
        odd in "true|null|-1|[1-9][0-9]{0,24}|\\[\\[\\]\\]|\\{\"a\":\\[1\\]\\}|\"[<>=0-9., *]{0,20}\"",
    ) {
        let file = format!(
            r#"{{"filename":{},"yanked":{odd},"upload-time":{odd},"requires-python":{odd}}}"#,
            serde_json::Value::from(filename),
        );
        let page = page_with(&format!(r#","project-status":{}"#, if odd.starts_with('"') { &odd } else { "null" }), &file);
        let _ = (newest(&page, ""), wanted(&page, &[("", 0)]));
    }

    #[test]
    fn what_was_written_is_read(
        versions in proptest::collection::btree_map((0..9u64, 0..9u64), (any::<bool>(), "\\PC{0,30}", 0..60u32), 0..12),
    ) {
        let file = |((major, minor), (yanked, reason, second)): (&(u64, u64), &(bool, String, u32))| serde_json::json!({
            "filename": format!("foo_bar-{major}.{minor}.tar.gz"),
            "yanked": if *yanked { serde_json::Value::from(reason.as_str()) } else { false.into() },
            "upload-time": format!("1970-01-01T00:00:{second:02}Z"),
        });
        let files: Vec<_> = versions.iter().map(file).collect();
        let text = serde_json::json!({ "files": files, "name": "foo-bar", "meta": { "api-version": "1.1" } }).to_string();
        let truths = read(&text).unwrap().truths(&WantedReleases::All);
        prop_assert_eq!(truths.len(), versions.len());
        for (truth, ((major, minor), (yanked, reason, second))) in truths.iter().zip(&versions) {
            prop_assert_eq!(truth.version.to_string(), format!("{major}.{minor}"));
            prop_assert_eq!(truth.released, Some(i64::from(*second)));
            let reason = Some(reason.as_str()).filter(|reason| *yanked && !reason.is_empty());
            prop_assert_eq!(truth.yanked.as_deref(), reason);
        }
    }
}
