//! The pages for people of a farm that runs: they come at once, follow what happens, and are left alone when nothing does.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde_json::Value;

use crate::kit::farm::{Farm, abi_of, python};
use crate::kit::sdist::Recipe;
use crate::kit::wait::until;

const ADDRESS: &str = "https://wheels.example.org/farm";

/// A page of the web site, as it stands now.
fn page(farm: &Farm, path: &str) -> String {
    fs::read_to_string(farm.path("www").join(path)).unwrap_or_default()
}

fn wait_for(farm: &Farm, path: &str, words: &[&str]) {
    until(
        &format!("{path} with {words:?}"),
        || format!("{}\n{}", page(farm, path), farm.logs()),
        || {
            let text = page(farm, path);
            words.iter().all(|word| text.contains(word)).then_some(())
        },
    );
}

fn wait_for_written(farm: &Farm) {
    until(
        "every page",
        || farm.logs(),
        || (farm.count("SELECT count(*) FROM piw.rewrite") == 0).then_some(()),
    );
}

fn identity(path: &Path) -> (u64, i64, i64) {
    let there = fs::metadata(path).unwrap();
    (there.ino(), there.mtime(), there.mtime_nsec())
}

#[test]
fn a_fresh_farm_has_all_its_pages_and_the_home_page_follows_what_happens() {
    let interpreter = python();
    let abi = abi_of(&interpreter);
    let farm = Farm::start(&[&abi], &["--site-url", ADDRESS, "--site-name", "Our <wheels>"]);
    wait_for(&farm, "index.html", &["Our &lt;wheels&gt;", "<p>None yet.</p>", "0 slaves are connected"]);
    let index = format!("pip install --extra-index-url {ADDRESS}/simple/ NAME");
    assert!(page(&farm, "index.html").contains(&index));
    assert!(page(&farm, "404.html").contains("href=\"/farm/static/style.css\""));
    assert!(page(&farm, "robots.txt").contains("Disallow: /farm/logs/"));
    for file in
        ["faq/index.html", "search/index.html", "static/style.css", "static/search.js", "static/icon.svg"]
    {
        let path = farm.path("www").join(file);
        assert!(
            path.is_file()
                && path.with_file_name(format!("{}.gz", path.file_name().unwrap().display())).is_file()
        );
    }

    farm.index.offer(&Recipe::native("foo", "1.0"));
    farm.piw(&["add", "foo==1.0"]);
    wait_for(&farm, "index.html", &["<dt>waiting for a slave</dt><dd>1</dd>"]);
    let slave = farm.start_slave("pi");
    let count = "<dt>projects with wheels</dt><dd>1</dd>";
    let built = "<a href=\"project/foo/\">foo</a>";
    wait_for(
        &farm,
        "index.html",
        &[built, ">built</span>", ">log<span", count, "1 slave is connected, 0 are building"],
    );
    let shards = || -> Value { serde_json::from_str(&page(&farm, "search/shards.json")).unwrap_or_default() };
    wait_for(&farm, "search/names/_.json", &["[[\"foo\",0]]"]);
    assert_eq!(shards()["shards"], serde_json::json!([""]));
    wait_for(&farm, "sitemap-1.xml", &[&format!("<loc>{ADDRESS}/project/foo/</loc>")]);

    // asked for again with nothing new to say, it is not touched, and neither is anything beside it
    wait_for_written(&farm);
    let files = ["index.html", "index.html.gz", "faq/index.html", "static/style.css", "search/names/_.json"];
    let before = files.map(|file| identity(&farm.path("www").join(file)));
    farm.piw(&["rebuild", "home"]);
    farm.piw(&["rebuild", "index"]);
    wait_for_written(&farm);
    assert_eq!(files.map(|file| identity(&farm.path("www").join(file))), before);

    drop(slave);
    wait_for(&farm, "index.html", &["0 slaves are connected, 0 are building"]);
    // what an operator changed or removed is there again when the page is written next
    fs::remove_file(farm.path("www/static/style.css")).unwrap();
    farm.piw(&["rebuild", "home"]);
    wait_for(&farm, "static/style.css", &[".badge"]);
}

#[test]
fn a_home_page_that_was_owed_when_the_master_died_is_written_by_the_next() {
    let mut farm = Farm::start(&["cp311"], &[]);
    wait_for(&farm, "index.html", &["THIS-SITE"]);
    farm.kill_master();
    fs::remove_file(farm.path("www/index.html")).unwrap();
    farm.start_master();
    wait_for(&farm, "index.html", &["THIS-SITE"]);
    wait_for_written(&farm);
}
