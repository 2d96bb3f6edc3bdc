//! What the three recipes promise, asked of each server over bare sockets. The tree is the index scribe's, with the pages
//! that other parts of the master write put beside it.

use crate::http::{Answer, ask};
use crate::kit::account;
use crate::server::{Kind, Server, skip};
use crate::site::{Site, pack};

const JSON: &str = "application/vnd.pypi.simple.v1+json";
const SIMPLE_HTML: &str = "application/vnd.pypi.simple.v1+html";
const HTML: &str = "text/html; charset=utf-8";
/// As pip 26 and uv 0.13 say it.
const PIP: &str = "Accept: application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01";
const UV: &str = "Accept: application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01";
const BROWSER: &str = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";
const WHEEL: &str = "simple/lib/lib-1.0-py3-none-any.whl";
const LOG: &str = "the build began\nand ended: built\n";

/// A test for each server, skipped where the server is not to be had.
macro_rules! each_server {
    ($($name:ident)*) => {
        mod nginx { $(#[test] fn $name() { super::run(super::Kind::Nginx, stringify!($name), super::$name); })* }
        mod apache { $(#[test] fn $name() { super::run(super::Kind::Apache, stringify!($name), super::$name); })* }
        mod caddy { $(#[test] fn $name() { super::run(super::Kind::Caddy, stringify!($name), super::$name); })* }
    };
}

each_server! {
    a_page_of_the_index_is_what_the_client_takes_and_html_otherwise
    the_packed_twin_is_sent_to_who_takes_gzip
    pages_are_kept_ten_minutes_and_wheels_for_good
    a_page_that_did_not_change_is_not_sent_again
    wheels_are_sent_in_pieces
    a_name_without_its_slash_or_not_normalised_is_redirected
    a_project_for_programs_is_json_with_and_without_a_slash
    logs_are_text_for_everybody
    what_is_not_there_is_404_with_the_page_for_it
    nothing_hidden_or_listed_is_served
    only_reading_is_allowed
    people_are_protected_on_every_answer
}

fn run(kind: Kind, name: &str, check: fn(Kind, &Site, &Server)) {
    let site = Site::usual();
    site.put_page("index.html", "<!DOCTYPE html><title>the farm</title>");
    site.put_page("404.html", "<!DOCTYPE html><title>not here</title>");
    site.put_page("project/lib/index.html", "<!DOCTYPE html><title>lib</title>");
    site.put_page("project/lib/json/index.json", "{\"package\": \"lib\"}");
    site.put_page("static/style.css", "body { color: black }");
    site.put_page("static/search.js", "'use strict';");
    site.put("static/icon.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>");
    site.put("logs/0000/0000/0007.txt.gz", &pack(LOG));
    site.put("simple/empty/left-over.txt", b"no page here");
    site.put(".hidden", b"secret");
    site.put("simple/lib/.alias", b"half a wheel");
    match Server::start(kind, &site.www()) {
        Ok(server) => check(kind, &site, &server),
        Err(reason) => skip(&format!("recipes of {kind:?}: {name}"), &reason),
    }
}

/// Status, type and body are these, or the test fails with the whole answer.
fn assert_is(answer: &Answer, status: u16, kind: &str, body: &[u8]) {
    let found = (answer.status, answer.header("content-type"), answer.text());
    assert_eq!(found, (status, kind.to_owned(), String::from_utf8_lossy(body).into_owned()));
}

fn a_page_of_the_index_is_what_the_client_takes_and_html_otherwise(_: Kind, site: &Site, server: &Server) {
    for place in ["simple/", "simple/lib/"] {
        let html = site.read(&format!("{place}index.html"));
        let json = site.read(&format!("{place}index.v1_json"));
        for (accept, kind) in [
            (&[][..], HTML),
            (&["Accept: */*"], HTML),
            (&["Accept: text/html"], HTML),
            (&[BROWSER], HTML),
            (&["Accept: "], HTML),
            (&[PIP], JSON),
            (&[UV], JSON),
            (&["Accept: application/vnd.pypi.simple.v1+json"], JSON),
            (&["Accept: application/vnd.pypi.simple.latest+json"], JSON),
            (&["Accept: text/html;q=0.1, Application/Vnd.PyPI.Simple.V1+JSON"], JSON),
            (&["Accept: application/vnd.pypi.simple.v1+html"], SIMPLE_HTML),
            (&["Accept: application/vnd.pypi.simple.latest+html, text/html;q=0.1"], SIMPLE_HTML),
            (
                &["Accept: application/vnd.pypi.simple.v1+json;q=0, application/vnd.pypi.simple.v1+html"],
                SIMPLE_HTML,
            ),
            (&["Accept: application/vnd.pypi.simple.v1+json; q=0.0, text/html"], HTML),
            (&["Accept: application/vnd.pypi.simple.v2+json, text/html"], HTML),
        ] {
            let answer = server.get(&format!("/{place}"), accept);
            let body = if kind == JSON { &json } else { &html };
            assert_is(&answer, 200, kind, body);
            assert_eq!(answer.vary(), ["accept", "accept-encoding"], "{place} {accept:?}");
            assert_eq!(answer.header("content-encoding"), "", "{place} {accept:?}");
        }
        // for mirrors that cannot negotiate
        assert_is(&server.get(&format!("/{place}index.v1_json"), &[]), 200, JSON, &json);
        assert_is(&server.get(&format!("/{place}index.html"), &[PIP]), 200, HTML, &html);
    }
    let head = ask(server.port, "HEAD", "/simple/lib/", &[PIP]);
    assert_is(&head, 200, JSON, b"");
    assert_eq!(head.header("content-length"), site.read("simple/lib/index.v1_json").len().to_string());
}

fn the_packed_twin_is_sent_to_who_takes_gzip(_: Kind, site: &Site, server: &Server) {
    for (target, accept, file, kind) in [
        ("/simple/", PIP, "simple/index.v1_json", JSON),
        ("/simple/", BROWSER, "simple/index.html", HTML),
        ("/simple/lib/", PIP, "simple/lib/index.v1_json", JSON),
        ("/simple/lib/", "Accept: application/vnd.pypi.simple.v1+html", "simple/lib/index.html", SIMPLE_HTML),
        ("/project/lib/", BROWSER, "project/lib/index.html", HTML),
        ("/", BROWSER, "index.html", HTML),
    ] {
        for takes in [
            "Accept-Encoding: gzip",
            "Accept-Encoding: br, gzip;q=0.5",
            "Accept-Encoding: gzip, deflate, zstd",
        ] {
            // proxies say so, and get the twin, too
            let answer = server.get(target, &[accept, takes, "Via: 1.1 proxy"]);
            assert_eq!(
                (answer.status, answer.header("content-type")),
                (200, kind.to_owned()),
                "{target} {accept}"
            );
            assert_eq!(answer.header("content-encoding"), "gzip", "{target} {accept}");
            assert_eq!(answer.body, site.read(&format!("{file}.gz")), "{target}: the twin itself");
            assert_eq!(answer.unpacked(), site.read(file), "{target}");
            assert!(answer.vary().contains(&"accept-encoding".to_owned()), "{target}");
        }
        for takes in [
            &[][..],
            &["Accept-Encoding: identity"],
            &["Accept-Encoding: br"],
            &["Accept-Encoding: gzip;q=0"],
        ] {
            let answer = server.get(target, &[&[accept], takes].concat());
            assert_is(&answer, 200, kind, &site.read(file));
            assert_eq!(answer.header("content-encoding"), "", "{target} {takes:?}");
        }
    }
    // two forms of a page may not be taken for one another
    let tag = |accept, encoding: &[&str]| {
        server.get("/simple/lib/", &[&[accept], encoding].concat()).header("etag")
    };
    let mut tags = [
        tag(PIP, &[]),
        tag(PIP, &["Accept-Encoding: gzip"]),
        tag(BROWSER, &[]),
        tag(BROWSER, &["Accept-Encoding: gzip"]),
    ];
    tags.sort();
    assert!(tags.windows(2).all(|pair| pair[0] != pair[1] && !pair[0].is_empty()), "{tags:?}");
    let css = server.get("/static/style.css", &["Accept-Encoding: gzip"]);
    assert_eq!(
        (css.header("content-type").as_str(), css.unpacked()),
        ("text/css; charset=utf-8", site.read("static/style.css"))
    );
    assert_is(
        &server.get("/static/style.css", &[]),
        200,
        "text/css; charset=utf-8",
        &site.read("static/style.css"),
    );
    assert_is(&server.get("/static/search.js", &[]), 200, "text/javascript; charset=utf-8", b"'use strict';");
    let icon = server.get("/static/icon.svg", &["Accept-Encoding: gzip"]);
    assert!(icon.header("content-type").starts_with("image/svg+xml"), "{icon:?}");
    assert_eq!(icon.body, site.read("static/icon.svg"), "it has no twin");
}

fn pages_are_kept_ten_minutes_and_wheels_for_good(_: Kind, site: &Site, server: &Server) {
    for target in ["/", "/simple/", "/simple/lib/", "/project/lib/", "/project/lib/json", "/static/style.css"]
    {
        for accept in [PIP, BROWSER] {
            let answer = server.get(target, &[accept]);
            assert_eq!(
                (answer.status, answer.header("cache-control").as_str()),
                (200, "max-age=600"),
                "{target}"
            );
        }
    }
    for (file, kind) in [
        (WHEEL.to_owned(), "application/octet-stream"),
        (format!("{WHEEL}.metadata"), "text/plain; charset=utf-8"),
    ] {
        let answer = server.get(&format!("/{file}"), &["Accept-Encoding: gzip"]);
        assert_is(&answer, 200, kind, &site.read(&file));
        assert_eq!(answer.header("cache-control"), "max-age=31536000, immutable", "{file}");
        assert_eq!(answer.header("content-encoding"), "", "{file}: hashes are of these bytes");
        assert!(answer.vary().is_empty(), "{file}: one form, whatever is asked for");
    }
    for missing in ["/simple/nothing/", "/simple/lib/lib-9.0-py3-none-any.whl"] {
        let answer = server.get(missing, &[PIP]);
        assert_eq!((answer.status, answer.header("cache-control")), (404, String::new()), "{missing}");
    }
}

fn a_page_that_did_not_change_is_not_sent_again(_: Kind, _: &Site, server: &Server) {
    for (target, headers) in [
        ("/simple/lib/", &[PIP, "Accept-Encoding: gzip"][..]),
        ("/simple/lib/", &[PIP]),
        ("/simple/lib/", &[BROWSER, "Accept-Encoding: gzip"]),
        ("/project/lib/", &[BROWSER]),
        ("/simple/lib/lib-1.0-py3-none-any.whl", &[]),
    ] {
        let first = server.get(target, headers);
        let (tag, modified) = (first.header("etag"), first.header("last-modified"));
        assert!(first.status == 200 && !tag.is_empty() && !modified.is_empty(), "{first:?}");
        let known = format!("If-None-Match: {tag}");
        let since = format!("If-Modified-Since: {modified}");
        for condition in [&known, &since] {
            let second = server.get(target, &[headers, &[condition]].concat());
            assert_eq!((second.status, second.body.len()), (304, 0), "{target} {condition}");
        }
        let other = server.get(target, &[headers, &["If-None-Match: \"other\""]].concat());
        assert_eq!((other.status, other.body), (200, first.body), "{target}");
    }
}

fn wheels_are_sent_in_pieces(_: Kind, site: &Site, server: &Server) {
    let target = format!("/{WHEEL}");
    let bytes = site.read(WHEEL);
    let whole = server.get(&target, &[]);
    assert_eq!(whole.header("accept-ranges"), "bytes");
    let last = bytes.len() - 1;
    for (range, piece, said) in [
        ("0-99", &bytes[..100], format!("bytes 0-99/{}", bytes.len())),
        ("100-", &bytes[100..], format!("bytes 100-{last}/{}", bytes.len())),
        ("-22", &bytes[bytes.len() - 22..], format!("bytes {}-{last}/{}", bytes.len() - 22, bytes.len())),
    ] {
        let answer = server.get(&target, &[&format!("Range: bytes={range}"), "Accept-Encoding: identity"]);
        assert_eq!((answer.status, answer.header("content-range")), (206, said));
        assert_eq!(answer.body, piece);
    }
    let beyond = server.get(&target, &[&format!("Range: bytes={}-", bytes.len())]);
    assert_eq!(beyond.status, 416);
    let changed = server.get(&target, &["Range: bytes=0-99", "If-Range: \"other\""]);
    assert_eq!((changed.status, changed.body), (200, bytes), "a piece of another file is no piece");
}

/// The path of a redirect, whatever server it names.
fn location(answer: &Answer) -> String {
    let location = answer.header("location");
    let path =
        location.split_once("://").map_or(location.as_str(), |(_, rest)| &rest[rest.find('/').unwrap()..]);
    path.to_owned()
}

fn a_name_without_its_slash_or_not_normalised_is_redirected(kind: Kind, site: &Site, server: &Server) {
    for (from, to) in [
        ("/simple", "/simple/"),
        ("/simple/lib", "/simple/lib/"),
        ("/project/lib", "/project/lib/"),
        ("/simple/Odd_Name", "/simple/odd-name/"),
        ("/simple/odd.name/", "/simple/odd-name/"),
        ("/simple/ODD._-NaME/", "/simple/odd-name/"),
        ("/simple/LiB/", "/simple/lib/"),
        ("/project/Lib", "/project/lib/"),
        ("/project/LIB/json", "/project/lib/json/"),
    ] {
        let (mut target, mut hops) = (from.to_owned(), 0);
        while target != to {
            let answer = server.get(&target, &[PIP]);
            assert!(matches!(answer.status, 301 | 308), "{kind:?}: {from} at {target}: {answer:?}");
            target = location(&answer);
            hops += 1;
            assert!(hops <= 3, "{kind:?}: {from} goes round in circles at {target}");
        }
        assert!(hops > 0 && server.get(&target, &[PIP]).status == 200, "{kind:?}: {from}");
    }
    let wheel = site.read(WHEEL);
    assert_eq!(server.get(&format!("/{WHEEL}"), &[]).body, wheel, "names of wheels are left alone");
    let query = server.get("/simple/lib?from=here", &[]);
    assert!(location(&query).starts_with("/simple/lib/"), "{query:?}");
    // what would become a header of its own stays where it is
    let split = server.get("/simple/Lib%0d%0aX-Odd:%20yes/", &[]);
    assert_eq!((split.status, split.header("x-odd")), (404, String::new()), "{split:?}");
}

fn a_project_for_programs_is_json_with_and_without_a_slash(_: Kind, site: &Site, server: &Server) {
    for target in ["/project/lib/json", "/project/lib/json/", "/project/lib/json/index.json"] {
        let answer = server.get(target, &["Accept-Encoding: gzip"]);
        assert_eq!(answer.status, 200, "{target}");
        assert!(answer.header("content-type").starts_with("application/json"), "{answer:?}");
        assert_eq!(answer.body, site.read("project/lib/json/index.json.gz"), "{target}");
        assert_eq!(server.get(target, &[]).body, site.read("project/lib/json/index.json"), "{target}");
    }
    assert_eq!(server.get("/project/nothing/json", &[]).status, 404);
}

fn logs_are_text_for_everybody(kind: Kind, site: &Site, server: &Server) {
    for target in ["/logs/0000/0000/0007.txt.gz", "/logs/0000/0000/0007.txt"] {
        let packed = server.get(target, &["Accept-Encoding: gzip"]);
        assert_eq!((packed.status, packed.header("content-encoding").as_str()), (200, "gzip"), "{target}");
        assert_eq!(packed.header("content-type"), "text/plain; charset=utf-8", "{target}");
        assert_eq!(packed.body, site.read("logs/0000/0000/0007.txt.gz"), "{target}");
        assert_eq!(packed.vary(), ["accept-encoding"], "{target}");
        for takes in [&[][..], &["Accept-Encoding: gzip;q=0"]] {
            let plain = server.get(target, takes);
            if kind == Kind::Caddy {
                // it cannot unpack: the file as it is, and called so
                assert_eq!(
                    (plain.status, plain.header("content-type").as_str()),
                    (200, "application/gzip"),
                    "{target}"
                );
                assert_eq!(
                    (plain.header("content-encoding").as_str(), plain.unpacked()),
                    ("", LOG.into()),
                    "{target}"
                );
            } else {
                assert_is(&plain, 200, "text/plain; charset=utf-8", LOG.as_bytes());
                assert_eq!(plain.header("content-encoding"), "", "{target}");
            }
        }
        if kind != Kind::Caddy {
            assert_ne!(
                packed.header("etag"),
                server.get(target, &[]).header("etag"),
                "{target}: other bytes"
            );
        }
    }
    assert_eq!(server.get("/logs/0000/0000/0008.txt.gz", &["Accept-Encoding: gzip"]).status, 404);
}

fn what_is_not_there_is_404_with_the_page_for_it(_: Kind, site: &Site, server: &Server) {
    let page = site.read("404.html");
    for target in [
        "/nothing",
        "/simple/nothing/",
        "/simple/empty/",
        "/logs/",
        "/simple/lib/lib-9.0-py3-none-any.whl",
        "/404.html",
    ] {
        let plain = server.get(target, &[PIP]);
        assert_is(&plain, 404, HTML, &page);
        let packed = server.get(target, &[BROWSER, "Accept-Encoding: gzip"]);
        assert_eq!((packed.status, packed.header("content-type").as_str()), (404, HTML), "{target}");
        let body = if packed.header("content-encoding") == "gzip" { packed.unpacked() } else { packed.body };
        assert_eq!(body, page, "{target}");
    }
    std::fs::remove_file(site.www().join("404.html")).unwrap();
    std::fs::remove_file(site.www().join("404.html.gz")).unwrap();
    for target in ["/simple/nothing/", "/logs/0000/0000/0008.txt.gz"] {
        let bare = server.get(target, &[PIP, "Accept-Encoding: gzip"]);
        assert_eq!(
            (bare.status, bare.header("content-encoding")),
            (404, String::new()),
            "with or without a page"
        );
    }
}

fn nothing_hidden_or_listed_is_served(kind: Kind, site: &Site, server: &Server) {
    let link = site.www().join("simple/lib/link.txt");
    std::os::unix::fs::symlink("/etc/passwd", &link).unwrap();
    if let Some(user) = account::ordinary() {
        std::os::unix::fs::lchown(&link, Some(user.uid.as_raw()), None).unwrap();
    }
    for target in [
        "/.hidden",
        "/simple/lib/.alias",
        "/simple/%2ehidden",
        "/.git/config",
        "/static/",
        "/logs/0000/",
        "/simple/lib/../../../spool",
        "/%2e%2e/spool/",
        "/.json/simple/lib/",
        "/.html/simple/",
        "/simple/%3flib/",
        "/simple/lib%00/",
        "/simple/li%20b/",
        "/simple/lib%2f..%2f..%2f.hidden",
    ] {
        let answer = server.get(target, &[PIP]);
        assert!(matches!(answer.status, 400 | 403 | 404), "{target}: {answer:?}");
        assert!(
            !answer.text().contains("secret") && !answer.text().contains("half a wheel"),
            "{target}: {answer:?}"
        );
    }
    // a link to a file of another owner; Caddy follows all, and its recipe says so
    if kind != Kind::Caddy {
        let answer = server.get("/simple/lib/link.txt", &[]);
        assert!(matches!(answer.status, 403 | 404), "{answer:?}");
        assert!(!answer.text().contains("root:"), "{answer:?}");
    }
}

fn only_reading_is_allowed(_: Kind, site: &Site, server: &Server) {
    for method in ["POST", "PUT", "DELETE", "PATCH", "PROPFIND", "TRACE"] {
        let answer = ask(server.port, method, "/simple/lib/", &["Content-Length: 0"]);
        assert_eq!(answer.status, 405, "{method}: {answer:?}");
        if method != "TRACE" {
            assert_eq!(answer.header("allow"), "GET, HEAD", "{method}");
        }
    }
    assert_eq!(server.get("/simple/lib/", &[]).body, site.read("simple/lib/index.html"));
}

fn people_are_protected_on_every_answer(_: Kind, _: &Site, server: &Server) {
    for (target, status) in [
        ("/", 200),
        ("/simple/lib/", 200),
        ("/project/lib/", 200),
        ("/logs/0000/0000/0007.txt.gz", 200),
        ("/nothing", 404),
    ] {
        let answer = server.get(target, &[BROWSER, "Accept-Encoding: gzip"]);
        assert_eq!(answer.status, status, "{target}");
        let policy = answer.header("content-security-policy");
        for rule in [
            "default-src 'none'",
            "style-src 'self'",
            "script-src 'self'",
            "img-src 'self'",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.split("; ").any(|part| part == rule), "{target}: {rule} is not in {policy:?}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{target}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{target}");
    }
}
