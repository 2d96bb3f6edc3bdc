//! The home page's text.

use std::collections::BTreeMap;

use super::*;
use crate::master::index_scribe::Site;
use crate::wire::slave::Board;
use crate::wire::{List, Text};

const ODD: &str = "<script>\"'&";

fn slave(abi: &str, doing: &'static str) -> PublicSlave {
    PublicSlave {
        label: ODD.to_owned(),
        abi: abi.to_owned(),
        platform: ODD.to_owned(),
        board: Board { machine: Text::cut(ODD), os: Text::cut(ODD), walls: List::cut(Vec::new()) },
        doing,
        job: None,
        temperature: None,
        throttled: false,
        holds_back: None,
    }
}

fn rows() -> HomeRows {
    let day = |n: u64| HomeDay {
        day: format!("2026-11-{n:02}"),
        builds: BTreeMap::from([
            ("built".to_owned(), n),
            ("failed".to_owned(), 2),
            ("network".to_owned(), 1),
        ]),
        downloads: n * 1000,
    };
    let build = |number: i64, outcome: &str| RecentBuild {
        build: BuildId(number),
        project: "foo".to_owned(),
        display: ODD.to_owned(),
        version: ODD.to_owned(),
        abi: "cp311".to_owned(),
        outcome: outcome.to_owned(),
        at: "2026-11-28T14:20:33Z".to_owned(),
        duration_ms: 61_000,
    };
    HomeRows {
        statistics: HomeNumbers {
            builds_count: 3,
            builds_success: 2,
            queued: 100_000,
            files_count: 1_234_567,
            ..HomeNumbers::default()
        },
        days: (1..=30).map(day).collect(),
        recent: vec![build(70_001, "built"), build(7, ODD)],
    }
}

fn text(site: Site, rows: &HomeRows, slaves: Option<&[PublicSlave]>) -> String {
    Templates::new(site).home(rows, slaves, |build| build.0 > 7).unwrap()
}

#[test]
fn it_says_how_to_use_the_farm_with_the_address_that_the_operator_gave() {
    let site = Site::new(Some(ODD), Some("https://wheels.example.org/farm")).unwrap();
    let page = text(site, &rows(), None);
    let index = "https://wheels.example.org/farm/simple/";
    for line in [
        format!("<code>pip install --extra-index-url {index} NAME</code>"),
        format!("[global]\nextra-index-url = {index}</code>"),
        format!("<code>uv pip install --index {index} NAME</code>"),
        format!("url = &quot;{index}&quot;</code>").replace("&quot;", "\""),
    ] {
        assert!(page.contains(&line), "{line} in {page}");
    }
    assert!(!page.contains("THIS-SITE") && !page.contains("<script"), "{page}");
    let unknown = text(Site::default(), &rows(), None);
    assert!(unknown.contains("--index https://THIS-SITE/simple/ NAME") && unknown.contains("class=\"note\""));
}

#[test]
fn it_shows_figures_builds_and_slaves_and_hostile_text_stays_text() {
    let slaves = [slave("cp39", "building"), slave("cp39", "idle"), slave("cp311", "idle")];
    let page = text(Site::default(), &rows(), Some(&slaves));
    assert!(!page.contains("<script") && !page.contains("style="), "{page}");
    for part in [
        "<dt>wheels</dt><dd>1,234,567</dd>",
        "<dt>of them made wheels</dt><dd>66 %</dd>",
        "<dt>waiting for a slave</dt><dd>100,000 +</dd>",
        "<a href=\"project/foo/\">&lt;script&gt;&quot;&#39;&amp;</a>",
        "<span class=\"badge ok\">built</span>",
        "<span class=\"badge bad\">&lt;script&gt;",
        "<time datetime=\"2026-11-28T14:20:33Z\">28 Nov, 14:20 UTC</time>",
        "href=\"logs/0000/0007/0001.txt.gz\"",
        "1 min 1 s",
        "3 slaves are connected, 1 is building.",
        "<td>cp39</td><td class=\"num\">2</td><td class=\"num\">1</td>",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert!(!page.contains("0000/0000/0007.txt.gz"), "a build without a log");
    assert_eq!(page, text(Site::default(), &rows(), Some(&slaves)));
}

#[test]
fn its_charts_have_titles_and_tables_and_those_of_nothing_stand_too() {
    let page = text(Site::default(), &rows(), None);
    assert_eq!(page.matches("role=\"img\"").count(), 3);
    assert_eq!(page.matches("<desc ").count(), 3);
    // 30 days of three outcomes, 30 of downloads, two kinds of failures
    assert_eq!(page.matches("<rect ").count(), 30 * 3 + 30 + 2);
    assert!(page.contains("<tr><th scope=\"row\">failed</th><td class=\"num\">60</td></tr>"), "{page}");
    let empty = text(Site::default(), &HomeRows::default(), Some(&[]));
    assert_eq!(empty.matches("role=\"img\"").count(), 2);
    assert!(empty.contains("<p>None yet.</p>") && empty.contains("0 slaves are connected, 0 are building."));
}

#[test]
fn an_address_or_a_name_that_would_break_what_is_copied_is_refused() {
    for url in [
        "",
        "wheels.example.org",
        "ftp://x/",
        "https://",
        "https:///x",
        "https://x/ y",
        "https://x/\"",
        "http://x/$(y)",
    ] {
        assert!(Site::new(None, Some(url)).is_err(), "{url}");
    }
    for name in ["", " ", "a\nb", &"x".repeat(81)] {
        assert!(Site::new(Some(name), None).is_err(), "{name}");
    }
    let site = Site::new(Some(" Wheels "), Some("http://[::1]:8080//")).unwrap();
    assert_eq!((site.name.as_str(), site.url.as_deref()), ("Wheels", Some("http://[::1]:8080/")));
}
