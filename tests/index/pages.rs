//! Pages of projects: conditional, stale, missing, elsewhere, cut, slow, too large.

use std::net::{Ipv4Addr, TcpListener};

use piwheels::master::cloud_gazer::CloudGazer;
use piwheels::master::gaze::{GazeAnswer, GazeFailure, GazeRequest, PageNews, PageTruth, PageWish};

use crate::kit::wait::PATIENCE;
use crate::server::{Answer, Server};
use crate::{SHORT, assert_failure, gazer, gazer_with, name, wish};

fn read(gazer: &mut CloudGazer, wish: PageWish) -> PageNews {
    let package = wish.package.clone();
    match gazer.gaze(&GazeRequest::Page(wish)) {
        GazeAnswer::Page(of, news) if of == package => news,
        other => panic!("{other:?}"),
    }
}

fn seen(gazer: &mut CloudGazer, wish: PageWish) -> PageTruth {
    match read(gazer, wish) {
        PageNews::Seen(truth) => *truth,
        other => panic!("{other:?}"),
    }
}

fn failure(gazer: &mut CloudGazer, wish: PageWish) -> GazeFailure {
    match read(gazer, wish) {
        PageNews::Failed(failure) => failure,
        other => panic!("{other:?}"),
    }
}

/// The page of a project with one release; `meta` is what it says of its serial.
fn page(project: &str, meta: &str) -> String {
    format!(
        r#"{{"meta":{{"api-version":"1.4"{meta}}},"name":"{project}","files":[{{"filename":"{project}-1.0.tar.gz"}}]}}"#
    )
}

#[test]
fn a_page_is_read_and_the_next_time_only_if_it_changed() {
    let server = Server::start(|request| match request.header("if-none-match") {
        Some("W/\"one\"") => Answer::status(304).with("ETag", "W/\"one\""),
        _ => {
            Answer::json(page("foo", "")).with("ETag", "W/\"one\"").with("X-PyPI-Last-Serial", "77").gzipped()
        }
    });
    let mut gazer = gazer(&server.simple());
    let truth = seen(&mut gazer, wish("Foo"));
    assert_eq!(
        (truth.display.as_str(), truth.serial, truth.etag.as_deref()),
        ("foo", Some(77), Some("W/\"one\""))
    );
    assert_eq!(truth.releases.len(), 1);
    assert!(truth.releases[0].sdist && truth.releases[0].wanted);
    assert_eq!(read(&mut gazer, PageWish { etag: truth.etag, ..wish("foo") }), PageNews::Unchanged);
    seen(&mut gazer, PageWish { etag: Some("other".to_owned()), ..wish("foo") });
    seen(&mut gazer, PageWish { etag: Some("no\r\nX-Header: at all".to_owned()), ..wish("foo") });

    let requests = server.requests();
    assert!(
        requests.iter().all(|request| request.path == "/simple/foo/" && request.connection == 0),
        "{requests:#?}"
    );
    let agent = format!("piwheels-rs/{} (wheel building farm)", piwheels::VERSION);
    assert_eq!(requests[0].header("user-agent"), Some(agent.as_str()));
    assert_eq!(requests[0].header("accept"), Some("application/vnd.pypi.simple.v1+json"));
    assert_eq!(requests[3].header("if-none-match"), None, "what may not stand in a header does not");
}

#[test]
fn a_page_that_is_older_than_what_is_known_is_not_believed() {
    for (meta, header, serial) in [
        (r#","_last-serial":99"#, None, Some(99)),
        (r#","_last-serial":"99""#, None, Some(99)),
        ("", Some("99"), Some(99)),
        (r#","_last-serial":99"#, Some("200"), Some(99)),
        ("", None, None),
    ] {
        let answer = Answer::json(page("foo", meta));
        let answer = header.map_or(answer.clone(), |serial| answer.with("X-PyPI-Last-Serial", serial));
        let mut gazer = gazer(&Server::always(answer).simple());
        assert_eq!(
            seen(&mut gazer, PageWish { serial: 99, ..wish("foo") }).serial,
            serial,
            "{meta} {header:?}"
        );
        let news = read(&mut gazer, PageWish { serial: 100, ..wish("foo") });
        match serial {
            Some(serial) => assert_eq!(news, PageNews::Stale { serial }),
            None => assert!(matches!(news, PageNews::Seen(_)), "an index without serials is believed"),
        }
    }
    let cached = Answer::status(304).with("X-PyPI-Last-Serial", "99");
    let mut gazer = gazer(&Server::always(cached).simple());
    let wish = |serial| PageWish { etag: Some("x".to_owned()), serial, ..wish("foo") };
    assert_eq!(read(&mut gazer, wish(99)), PageNews::Unchanged);
    assert_eq!(read(&mut gazer, wish(100)), PageNews::Stale { serial: 99 });
}

#[test]
fn a_project_that_the_index_does_not_have_is_missing() {
    for status in [404, 410] {
        let mut gazer = gazer(&Server::always(Answer::status(status)).simple());
        assert_eq!(read(&mut gazer, wish("foo")), PageNews::Missing);
    }
}

#[test]
fn an_index_in_trouble_is_told_from_a_page_in_trouble() {
    let unasked = Answer::status(304);
    let html = Answer::status(200).with("Content-Type", "text/html; x");
    let other = Answer::json(page("other", ""));
    let old = Answer::json(page("foo", "").replace("1.4", "2.0"));
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    let dated = Answer::status(503).with("Date", date).with("Retry-After", "Sun, 06 Nov 1994 08:50:37 GMT");
    for (answer, reason, everywhere, retry_after) in [
        (Answer::status(429).with("Retry-After", "30"), "status 429", true, Some(30)),
        (dated, "status 503", true, Some(60)),
        (Answer::status(500), "status 500", true, None),
        (Answer::status(403), "status 403", false, None),
        (unasked, "status 304", false, None),
        (Answer::json(page("foo", "")).with("X-Odd", "a\u{1b}b"), "protocol", false, None),
        (html, "not with application/vnd.pypi.simple.v1+json", false, None),
        (Answer::json("{}"), "does not say which version", false, None),
        (Answer::json("<html>\u{1b}[2J"), "cannot be read", false, None),
        (other, "the page of other", false, None),
        (old, "version 2.0", false, None),
    ] {
        let mut gazer = gazer(&Server::always(answer).simple());
        assert_failure(&failure(&mut gazer, wish("foo")), reason, everywhere, retry_after);
    }
}

#[test]
fn redirects_are_followed_within_the_index_only() {
    let server = Server::start(|request| match request.path.as_str() {
        "/simple/foo/" => Answer::status(301).with("Location", "/simple/foo/index.json"),
        "/simple/foo/index.json" => Answer::json(page("foo", "")),
        "/simple/away/" => Answer::status(302).with("Location", "http://127.0.0.1:1/simple/away/"),
        "/simple/secure/" => {
            let host = request.header("host").unwrap();
            Answer::status(302).with("Location", &format!("https://{host}/simple/secure/"))
        }
        path => Answer::status(307).with("Location", path),
    });
    let mut gazer = gazer(&server.simple());
    seen(&mut gazer, wish("foo"));
    assert_failure(
        &failure(&mut gazer, wish("away")),
        "redirects to http://127.0.0.1:1/simple/away/",
        false,
        None,
    );
    assert_failure(&failure(&mut gazer, wish("secure")), "which is not followed", false, None);
    let before = server.requests().len();
    assert_failure(&failure(&mut gazer, wish("round")), "more than 3 times", false, None);
    assert_eq!(server.requests().len() - before, 4);
}

#[test]
fn a_body_that_breaks_off_is_no_page_however_it_is_sent() {
    let body = page("foo", "");
    for (answer, bytes) in [
        (Answer::json(body.clone()), body.len() - 1),
        (Answer::json(body.clone()).chunked(), body.len()),
        (Answer::json(body.clone()).chunked(), 20),
        (Answer::json(body.clone()).gzipped(), 60),
    ] {
        let mut gazer = gazer(&Server::always(answer.cut_at(bytes)).simple());
        assert_failure(&failure(&mut gazer, wish("foo")), "broke off", false, None);
    }
    let cut = body[..body.len() - 2].to_owned();
    assert_failure(
        &failure(&mut gazer(&Server::always(Answer::json(cut)).simple()), wish("foo")),
        "broke off",
        false,
        None,
    );
}

#[test]
fn a_page_may_have_its_size_and_no_more_packed_or_not() {
    let padded = |bytes: usize| {
        let page = page("foo", "");
        format!("{page}{}", " ".repeat(bytes - page.len()))
    };
    for pack in [
        Answer::clone as fn(&Answer) -> Answer,
        |answer| answer.clone().gzipped(),
        |answer| answer.clone().chunked(),
    ] {
        let read = |bytes| {
            let server = Server::always(pack(&Answer::json(padded(bytes))));
            read(&mut gazer_with(&server.simple(), |limits| limits.page_bytes = 100_000), wish("foo"))
        };
        assert!(matches!(read(100_000), PageNews::Seen(_)));
        match read(100_001) {
            PageNews::Failed(failure) => assert_failure(&failure, "more than 100000 bytes", false, None),
            other => panic!("{other:?}"),
        }
    }
    // a bomb: 64 MB in 64 KB
    let bomb = format!(r#"{{"x":"{}"#, "a".repeat(64 << 20));
    let server = Server::always(Answer::json(bomb).gzipped());
    let mut gazer = gazer_with(&server.simple(), |limits| limits.page_bytes = 1 << 20);
    assert_failure(&failure(&mut gazer, wish("foo")), "more than 1048576 bytes", false, None);
}

#[test]
fn what_comes_too_slowly_is_given_up_in_time() {
    let long = format!("{}{}", page("foo", ""), " ".repeat(1 << 20));
    for answer in [Answer::json(long.clone()).dripping(), Answer::json(long).stalled_at(10)] {
        let server = Server::always(answer);
        let mut gazer = gazer_with(&server.simple(), |limits| limits.page = SHORT);
        let begun = std::time::Instant::now();
        assert_failure(&failure(&mut gazer, wish("foo")), "time", true, None);
        assert!(begun.elapsed() < PATIENCE / 2);
    }
}

#[test]
fn an_index_that_is_not_there_is_the_whole_index_at_fault() {
    let address = {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.local_addr().unwrap()
    };
    let mut away = gazer(&format!("http://{address}/simple"));
    assert_failure(&failure(&mut away, wish("foo")), "does not answer", true, None);
}

#[test]
fn a_kept_connection_that_is_cut_when_it_is_used_costs_nothing() {
    let fine = || Answer::json(page("foo", ""));
    let server = Server::in_turn(vec![fine(), Answer::hang_up(), fine(), Answer::hang_up()]);
    let mut gazer = gazer(&server.simple());
    seen(&mut gazer, wish("foo"));
    seen(&mut gazer, wish("foo"));
    assert_eq!(server.requests().len(), 3, "asked once more");
    assert_failure(&failure(&mut gazer, wish("foo")), "does not answer", true, None);
    assert_eq!(server.requests().len(), 5, "and not again and again");
}

#[test]
fn pages_are_of_the_project_that_was_asked_for() {
    let server = Server::start(|request| {
        Answer::json(page(request.path.trim_start_matches("/simple/").trim_end_matches('/'), ""))
    });
    let mut gazer = gazer(&format!("{}/", server.simple()));
    for package in ["six", "zope.interface"] {
        assert_eq!(seen(&mut gazer, wish(package)).display, name(package).to_string());
    }
}
