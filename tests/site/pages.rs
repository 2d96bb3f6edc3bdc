//! Every page, looked at in every way.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::browser::{self, Browser, DARK, DESK, Look, PHONE};
use crate::tree::{HOSTILE, Tree};

/// The pages with the site's look, and their titles.
const PAGES: [(&str, &str, &str); 5] = [
    ("", "home", "Python wheels for your boards · Board wheels"),
    ("search/", "search", "Search · Board wheels"),
    ("slaves/", "slaves", "Slaves · Board wheels"),
    ("faq/", "faq", "Questions and answers · Board wheels"),
    ("404.html", "404", "No such page · Board wheels"),
];

/// Links of a page, absolute.
const LINKS: &str =
    "[...document.querySelectorAll('a[href], link[href], script[src], img[src]')].map(e => e.href || e.src)";

/// Text whose contrast with what is behind it is below AA: 4.5, or 3 where it is large.
const FAINT: &str = "(() => {
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = rgb(getComputedStyle(at).backgroundColor);
      if (color.length < 4 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  const faint = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.data.trim() || !element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    const color = rgb(element instanceof SVGElement ? style.fill : style.color);
    const [a, b] = [light(color), light(behind(element))].sort((x, y) => y - x);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if ((a + 0.05) / (b + 0.05) < (large ? 3 : 4.5)) faint.push(node.data.trim() + ' ' + style.color);
  }
  return faint.join('\\n');
})()";

fn check(browser: &mut Browser, tree: &Tree, look: Look, name: &str) {
    for (path, page, title) in PAGES {
        browser.look(look);
        browser.open(&format!("{}{path}", tree.url));
        let what = format!("{page}, {name}");
        assert_eq!(browser.text_of("document.title"), title, "{what}");
        assert_eq!(browser.complaints(), Vec::<String>::new(), "{what}");
        let over =
            browser.eval("document.documentElement.scrollWidth - document.documentElement.clientWidth");
        assert_eq!(over, 0, "{what} is wider than its window");
        assert_eq!(browser.text_of(FAINT), "", "{what}");
        assert_eq!(
            browser.eval("document.images.length > 0 && [...document.images].every(i => i.naturalWidth > 0)"),
            true
        );
        assert_eq!(browser.eval("document.querySelectorAll('h1').length"), 1, "{what}");
        let hostile = "document.querySelectorAll('main script, img[src=x], [style], main style').length";
        assert_eq!(browser.eval(hostile), 0, "{what}");
        browser.picture(&format!("{page}-{name}"));
    }
}

#[test]
fn every_page_is_whole_readable_and_silent_on_a_desk_in_the_dark_and_on_a_phone() {
    let Some(mut browser) = browser::start("pages::every_page_is_whole_readable_and_silent") else { return };
    let tree = Tree::rich();
    check(&mut browser, &tree, DESK, "desk");
    let ground = "getComputedStyle(document.body).backgroundColor";
    let light = browser.text_of(ground);
    check(&mut browser, &tree, DARK, "dark");
    assert_ne!(browser.text_of(ground), light);
    check(&mut browser, &tree, PHONE, "phone");
    check(&mut browser, &tree, Look { dark: true, ..PHONE }, "phone-dark");
    check(&mut browser, &tree, Look { width: 320, ..PHONE }, "small-phone");
}

#[test]
fn every_link_of_every_page_leads_somewhere() {
    let Some(mut browser) = browser::start("pages::every_link_of_every_page_leads_somewhere") else { return };
    let tree = Tree::rich();
    browser.look(DESK);
    // pages ask for pages: a blank one may not
    browser.open(&tree.url);
    let mut due = VecDeque::from([tree.url.clone(), format!("{}404.html", tree.url)]);
    let mut seen: BTreeSet<String> = due.iter().cloned().collect();
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    while let Some(url) = due.pop_front() {
        // a request of the page itself: the policy must allow it
        let kind = browser.text_of(&format!(
            "fetch({url:?}).then(a => a.ok ? a.headers.get('content-type').split(';')[0] : 'status ' + a.status)"
        ));
        assert!(!kind.starts_with("status"), "{url}: {kind}");
        *kinds.entry(kind.clone()).or_default() += 1;
        if kind != "text/html" {
            continue;
        }
        browser.open(&url);
        assert_eq!(browser.complaints(), Vec::<String>::new(), "{url}");
        assert_ne!(browser.text_of("document.title"), "", "{url}");
        for link in browser.eval(LINKS).as_array().unwrap() {
            let link = link.as_str().unwrap();
            assert!(link.starts_with(&tree.url), "{url} links to {link}, which is not of this site");
            let (page, part) = link.split_once('#').unwrap_or((link, ""));
            if page == url && !part.is_empty() {
                assert_ne!(
                    browser.eval(&format!("document.getElementById({part:?})")),
                    serde_json::Value::Null,
                    "{link}"
                );
            }
            if seen.insert(page.to_owned()) {
                due.push_back(page.to_owned());
            }
        }
    }
    assert!(kinds["text/html"] > 15, "{kinds:?}");
    assert!(kinds["text/plain"] == 1 && kinds["application/octet-stream"] >= 6, "logs and wheels: {kinds:?}");
}

#[test]
fn links_are_clicked_through_from_page_to_page_and_a_page_that_is_not_there_leads_back() {
    let Some(mut browser) = browser::start("pages::links_are_clicked_through") else { return };
    let tree = Tree::rich();
    browser.look(DESK);
    browser.open(&tree.url);
    let here = |browser: &mut Browser| browser.text_of("location.href");
    for (word, path) in [("Search", "search/"), ("FAQ", "faq/"), ("Slaves", "slaves/"), ("Home", "")] {
        browser.eval(&format!(
            "[...document.querySelectorAll('nav a')].find(a => a.textContent === {word:?}).click()"
        ));
        let wanted = format!("{}{path}", tree.url);
        browser.wait_for(&format!("location.href === {wanted:?} && document.readyState === 'complete'"));
        assert_eq!(browser.text_of("document.querySelector('nav [aria-current]').textContent"), word);
    }
    // deep below, where relative links would lead nowhere
    browser.complaints();
    browser.open(&format!("{}project/none/such/page/", tree.url));
    assert_eq!(browser.text_of("document.querySelector('h1').textContent"), "There is no such page");
    assert_eq!(browser.eval("getComputedStyle(document.querySelector('h1')).fontWeight > 400"), true);
    let loaded = "[...document.styleSheets].length === 1 && document.images[0].naturalWidth > 0";
    assert_eq!(browser.eval(loaded), true);
    browser.eval("document.querySelector('a.name').click()");
    browser.wait_for(&format!("location.href === {:?}", tree.url));
    assert_eq!(here(&mut browser), tree.url);
    browser.wait_for("document.readyState === 'complete'");
    browser.eval("document.querySelector('#recent ~ .scroll td[data-label=Log] a').click()");
    browser.wait_for("document.body.innerText.includes('Building wheels for collected packages')");
}

#[test]
fn hostile_text_is_shown_as_it_is() {
    let Some(mut browser) = browser::start("pages::hostile_text_is_shown_as_it_is") else { return };
    let tree = Tree::rich();
    browser.look(DESK);
    for (path, place) in [("", "#recent ~ .scroll td a"), ("slaves/", "td[data-label=Slave]")] {
        browser.open(&format!("{}{path}", tree.url));
        let found = browser.eval(&format!(
            "[...document.querySelectorAll({place:?})].some(e => e.textContent === {})",
            serde_json::Value::from(HOSTILE)
        ));
        assert_eq!(found, true, "{path}");
    }
}

#[test]
fn charts_speak_to_those_who_do_not_see_them() {
    let Some(mut browser) = browser::start("pages::charts_speak") else { return };
    let tree = Tree::rich();
    browser.look(DESK);
    browser.open(&tree.url);
    let tree_of = browser.call("Accessibility.getFullAXTree", serde_json::json!({}));
    let images: Vec<_> = tree_of["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|node| {
            node["role"]["value"] == "image"
                && node["name"]["value"].as_str().is_some_and(|n| n.contains("30 days"))
        })
        .collect();
    assert_eq!(images.len(), 3, "{images:?}");
    browser.eval("document.querySelector('.chart summary').click()");
    let rows = browser.eval("document.querySelector('.chart details').querySelectorAll('tbody tr').length");
    assert_eq!(rows, 30);
}
