//! The pages and files that never change: style sheet, script, icon, questions and answers, the page of the search, the one
//! for what is not there, and what crawlers read first (manual 8.14, `setup_output_path`).

use std::io;

use serde::Serialize;

use super::frame::{Frame, Here};
use super::page::Templates;
use super::simple::HTML;
use super::store::Store;

/// What lines to copy say where the operator gave no address.
pub(super) const NO_ADDRESS: &str = "https://THIS-SITE/";

const STATIC: [(&str, &[u8]); 3] = [
    ("style.css", include_bytes!("../../../templates/static/style.css")),
    ("search.js", include_bytes!("../../../templates/static/search.js")),
    ("icon.svg", include_bytes!("../../../templates/static/icon.svg")),
];

#[derive(Serialize)]
struct Plain<'a> {
    frame: Frame<'a>,
    site: &'a str,
    index: String,
}

/// Writes them, as far as they are not there as they should be.
pub(super) fn furnish(store: &Store, templates: &Templates) -> io::Result<()> {
    let site = templates.site();
    let page = |template: &str, frame: Frame<'_>| {
        let index = format!("{}simple/", site.url.as_deref().unwrap_or(NO_ADDRESS));
        templates.render(template, &Plain { frame, site: &site.name, index }).map_err(io::Error::other)
    };
    // before the pages that look odd without it
    store.put(&store.output.join("static"), &STATIC)?;
    let frame = Frame::new(
        site,
        1,
        Here::Faq,
        "Questions and answers",
        "What this farm of Python wheels is, what to expect of it, and what to do when something does not fit.",
    );
    store.put(&store.output.join("faq"), &[(HTML, page("faq", frame)?.as_bytes())])?;
    let frame =
        Frame::new(site, 1, Here::Search, "Search", "Find a project that has wheels here by its name.");
    let text = page("search", frame.with_script("search.js"))?;
    store.put(&store.output.join("search"), &[(HTML, text.as_bytes())])?;
    let frame = Frame::new(site, 0, Here::Elsewhere, "No such page", "Nothing stands at this address.");
    let text = page("not-found", frame.anywhere(site))?;
    store.put(&store.output, &[("404.html", text.as_bytes()), ("robots.txt", robots(templates).as_bytes())])
}

/// Everybody may read everything but logs, which are many, long and of no use in a search.
fn robots(templates: &Templates) -> String {
    let site = templates.site();
    let prefix = site.path();
    let map = site.url.as_ref().map_or_else(String::new, |url| format!("Sitemap: {url}sitemap.xml\n"));
    format!("User-agent: *\nDisallow: {prefix}logs/\n{map}")
}
