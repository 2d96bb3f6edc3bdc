//! The changelog: what the index answers, and in how many ways it may fail to.

use piwheels::master::gaze::{Changelog, GazeAnswer, GazeFailure, GazeRequest, Happening};

use piwheels::master::cloud_gazer::CloudGazer;

use crate::server::{Answer, Server};
use crate::{SHORT, assert_failure, gazer, gazer_with};

pub(crate) fn since(gazer: &mut CloudGazer, since: u64) -> Result<Changelog, GazeFailure> {
    match gazer.gaze(&GazeRequest::Changelog { since }) {
        GazeAnswer::Changelog(changelog) => changelog,
        other => panic!("{other:?}"),
    }
}

fn rows(rows: &str) -> String {
    format!(
        "<?xml version='1.0'?><methodResponse><params><param><value><array><data>{rows}</data></array></value></param>\
         </params></methodResponse>"
    )
}

const ROW: &str = "<value><array><data><value><string>Foo</string></value><value><string>1.0</string></value>\
                   <value><int>1000</int></value><value><string>add source file foo-1.0.tar.gz</string></value>\
                   <value><int>8</int></value></data></array></value>";

#[test]
fn the_changelog_is_asked_for_as_it_should_be() {
    let date = "Thu, 01 Jan 1970 02:00:00 GMT";
    let server = Server::always(Answer::xml(rows(ROW)).with("Date", date).gzipped());
    let mut gazer = gazer(&server.simple());
    let changelog = since(&mut gazer, 7).unwrap();
    assert_eq!((changelog.rows, changelog.odd, changelog.last), (1, 0, Some(8)));
    assert_eq!(changelog.settled, 8, "the index's clock says that it is history");
    let event = &changelog.events[0];
    assert_eq!((event.package.as_str(), event.display.as_str(), event.at), ("foo", "Foo", 1000));
    assert!(matches!(&event.what, Happening::Sdist(version) if version.to_string() == "1.0"));

    let asked = &server.requests()[0];
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", "/pypi"));
    assert_eq!(asked.header("content-type"), Some("text/xml"));
    assert!(asked.body.contains("<methodName>changelog_since_serial</methodName>"), "{}", asked.body);
    assert!(asked.body.contains("<int>7</int>"), "{}", asked.body);
}

#[test]
fn every_way_to_fail_has_its_reason() {
    let fault = |text: &str| {
        Answer::xml(format!(
            "<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>-32500</int></value></member>\
             <member><name>faultString</name><value>{text}</value></member></struct></value></fault></methodResponse>"
        ))
    };
    let limited = "HTTPTooManyRequests: too many requests by the client. Limit may reset in 12 seconds.";
    let whole = rows(ROW);
    for (answer, reason, everywhere, retry_after) in [
        (fault(limited), "too many requests by the client", true, Some(12)),
        (fault("ValueError: &#10; no"), "ValueError: \\n no (fault -32500)", false, None),
        (Answer::status(429).with("Retry-After", "9"), "status 429", true, Some(9)),
        (Answer::status(503), "status 503", true, None),
        (Answer::status(404), "status 404", false, None),
        (Answer::status(301).with("Location", "/elsewhere"), "status 301", false, None),
        (Answer::json("[]"), "not with text/xml", false, None),
        (Answer::xml("<html></html>"), "<html> where <methodResponse> is due", false, None),
        (Answer::xml(rows("<!DOCTYPE x>")), "has a DTD", false, None),
        (Answer::xml(whole[..whole.len() - 9].to_owned()), "broke off", false, None),
        (Answer::xml(whole.clone()).chunked().cut_at(100), "broke off", false, None),
    ] {
        let mut gazer = gazer(&Server::always(answer).simple());
        assert_failure(&since(&mut gazer, 7).unwrap_err(), reason, everywhere, retry_after);
    }
}

#[test]
fn an_answer_without_end_is_given_up() {
    let long = rows(&ROW.repeat(5000));
    let server = Server::always(Answer::xml(long.clone()).gzipped());
    let mut gazer = gazer_with(&server.simple(), |limits| limits.changelog_bytes = 100_000);
    assert_failure(&since(&mut gazer, 0).unwrap_err(), "more than 100000 bytes", false, None);
    for answer in [Answer::xml(long.clone()).dripping(), Answer::xml(long).stalled_at(500)] {
        let server = Server::always(answer);
        let mut gazer = gazer_with(&server.simple(), |limits| limits.changelog = SHORT);
        assert_failure(&since(&mut gazer, 0).unwrap_err(), "time", true, None);
    }
}

#[test]
fn one_connection_serves_changelog_and_pages() {
    let server = Server::start(|request| match request.method.as_str() {
        "POST" => Answer::xml(rows("")),
        _ => Answer::status(404),
    });
    let mut gazer = gazer(&server.simple());
    for _ in 0..3 {
        assert_eq!(since(&mut gazer, 7).unwrap(), Changelog { settled: 7, ..Changelog::default() });
        gazer.gaze(&GazeRequest::Page(crate::wish("foo")));
    }
    assert!(server.requests().iter().all(|request| request.connection == 0));
}
