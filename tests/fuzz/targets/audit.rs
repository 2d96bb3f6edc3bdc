//! Pages as `piw audit` reads them, and the master's answers to it.

use std::convert::Infallible;
use std::io::BufReader;

use super::links::{links, local, percent_decoded};
use super::rows::{Project, projects};
use super::{pages, root};
use crate::fuzz::{Slow, Target, text};

pub(crate) const TARGETS: &[Target] = &[
    Target { name: "page_links", run: page_links },
    Target { name: "root_index", run: root_index },
    Target { name: "audit_rows", run: rows },
];

fn page_links(data: &[u8]) {
    text(data, |text| {
        for link in links(text) {
            let (href, src) = (link.attribute("href"), link.attribute("src"));
            assert!(href == Some(&*link.to) || src == Some(&*link.to));
            for page in ["index.html", "project/foo/index.html"] {
                if let Ok(Some(path)) = local(page, &link.to) {
                    assert!(!path.split('/').any(|step| step == ".." || step == "."), "{path:?}");
                    assert!(!path.starts_with('/'), "{path:?}");
                }
            }
        }
        let plain = percent_decoded(text);
        assert!(text.contains('%') || plain == text);
    });
    for page in pages::PAGES {
        let _ = pages::read(page, data);
    }
}

fn root_index(data: &[u8]) {
    let html = |most: usize| {
        let mut names = Vec::new();
        let mut each = |name: &str| {
            names.push(name.to_owned());
            Ok::<_, Infallible>(())
        };
        let Ok(read) = root::html_names(&mut BufReader::with_capacity(most, data), &mut each);
        (names, read)
    };
    assert_eq!(html(1), html(4096));
    let json = |most: usize| {
        let mut names = Vec::new();
        let mut each = |name: &str| {
            names.push(name.to_owned());
            if names.len() > 100 { Err("enough") } else { Ok(()) }
        };
        let read = root::json_names(&mut Slow::new(data, most), &mut each);
        (names, read)
    };
    assert_eq!(json(1), json(4096));
}

fn rows(data: &[u8]) {
    let Ok(answer) = serde_json::from_slice(data) else { return };
    let mut project = Project::default();
    if project.add(&answer).is_ok() {
        assert!(project.on_page().count() <= project.files.len());
    }
    let _ = projects(&answer);
}
