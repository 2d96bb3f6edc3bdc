//! The search, as people use it.

use crate::browser::{self, Browser, DESK, Look, PHONE};
use crate::tree::{Tree, names};

fn tree() -> Tree {
    let mut tree = Tree::rich();
    tree.root(&names());
    tree
}

fn results(browser: &mut Browser) -> Vec<String> {
    let found = browser.eval("[...document.querySelectorAll('#results a')].map(a => a.textContent)");
    found.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

fn clear(browser: &mut Browser) {
    browser.eval("(() => { const f = document.getElementById('name'); f.value = ''; f.focus(); })()");
}

#[test]
fn a_name_is_found_by_typing_and_reached_by_the_keyboard_alone() {
    let Some(mut browser) = browser::start("search::a_name_is_found_by_typing") else { return };
    let tree = tree();
    assert!(tree.files("search/names").len() > 6, "{:?}", tree.files("search/names"));
    browser.look(DESK);
    browser.open(&format!("{}search/", tree.url));
    browser.wait_for("document.activeElement.id === 'name'");
    assert_eq!(browser.eval("document.getElementById('no-script').checkVisibility()"), false);
    browser.type_text("nump");
    browser.wait_for("document.querySelectorAll('#results a').length === 2");
    assert_eq!(results(&mut browser), ["numpy-stl", "numpy"], "the more popular one first");
    assert_eq!(
        browser.text_of("document.getElementById('status').textContent"),
        "2 projects begin with “nump”."
    );
    browser.picture("search-found");
    browser.type_text("y");
    browser.wait_for("document.querySelector('#results a')?.textContent === 'numpy'");
    assert_eq!(results(&mut browser), ["numpy", "numpy-stl"], "what is typed exactly before all");
    browser.press("ArrowDown");
    browser.press("ArrowDown");
    assert_eq!(browser.text_of("document.activeElement.textContent"), "numpy-stl");
    browser.press("ArrowUp");
    browser.press("ArrowUp");
    assert_eq!(browser.text_of("document.activeElement.id"), "name");
    browser.press("Enter");
    browser.wait_for(&format!("location.href === '{}project/numpy/'", tree.url));
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn many_names_and_none_are_said_so_and_spelling_does_not_matter() {
    let Some(mut browser) = browser::start("search::many_names_and_none") else { return };
    let tree = tree();
    browser.look(PHONE);
    browser.open(&format!("{}search/?q=Zope.Interface", tree.url));
    browser.wait_for("document.querySelectorAll('#results a').length === 1");
    assert_eq!(results(&mut browser), ["zope-interface"]);
    let status = "document.getElementById('status').textContent";
    clear(&mut browser);
    browser.type_text("p");
    browser.wait_for(&format!("{status}.startsWith('The first 50 ')"));
    assert_eq!(results(&mut browser).len(), 50);
    browser.picture("search-phone");
    assert_eq!(browser.eval("document.documentElement.scrollWidth <= 360"), true);
    clear(&mut browser);
    browser.type_text("pkg-8999");
    browser.wait_for("document.querySelectorAll('#results a').length === 1");
    clear(&mut browser);
    browser.type_text("<i>q");
    browser.wait_for(&format!("{status}.startsWith('There are no wheels of a project')"));
    assert_eq!(browser.eval("document.querySelectorAll('#status i').length"), 0);
    assert_eq!(browser.text_of("document.querySelector('#status a').pathname"), "/farm/project/iq/");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn a_browser_with_an_old_index_finds_names_after_the_files_were_cut_anew() {
    let Some(mut browser) = browser::start("search::a_browser_with_an_old_index") else { return };
    let mut tree = tree();
    browser.look(DESK);
    browser.open(&format!("{}search/", tree.url));
    browser.wait_for("document.activeElement.id === 'name'");
    browser.type_text("zope");
    browser.wait_for("document.querySelectorAll('#results a').length === 1");
    // few names: one file, and those that the browser's index names are gone
    tree.root(&["pandas".to_owned(), "zope-interface".to_owned()]);
    clear(&mut browser);
    browser.type_text("pan");
    browser.wait_for("document.querySelectorAll('#results a').length === 1");
    assert_eq!(results(&mut browser), ["pandas"]);
}

#[test]
fn without_scripts_the_page_says_what_to_do() {
    let Some(mut browser) = browser::start("search::without_scripts") else { return };
    let tree = tree();
    browser.look(Look { script: false, ..DESK });
    browser.open(&format!("{}search/", tree.url));
    assert_eq!(browser.eval("document.getElementById('no-script').checkVisibility()"), true);
    assert_eq!(browser.eval("document.getElementById('search').checkVisibility()"), false);
    assert_eq!(browser.text_of("document.querySelector('#no-script a').pathname"), "/farm/simple/");
    browser.picture("search-without-scripts");
}
