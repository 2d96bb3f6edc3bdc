//! Look-ups for the administrator's tools.

use piwheels::master::event::{LookAnswer, LookUp};
use piwheels::master::gaze::GazeFailure;

use crate::server::{Answer, Server};
use crate::{assert_failure, gazer, name};

fn look_up(package: &str, specifiers: &str) -> LookUp {
    LookUp { package: name(package), specifiers: specifiers.to_owned(), extras: Vec::new(), required: false }
}

fn page(files: &str) -> Answer {
    Answer::json(format!(r#"{{"meta":{{"api-version":"1.0"}},"name":"foo","files":[{files}]}}"#))
}

const FILES: &str = r#"{"filename":"foo-1.0.tar.gz"},{"filename":"foo-2.0-py3-none-any.whl"}"#;

#[test]
fn an_index_that_fails_for_a_moment_is_asked_again() {
    let server = Server::in_turn(vec![Answer::status(503), page(FILES).cut_at(10), page(FILES)]);
    match gazer(&server.simple()).look(&[look_up("foo", "")]) {
        LookAnswer::Found(found) => assert_eq!(found[0].version.to_string(), "1.0"),
        other => panic!("{other:?}"),
    }
    assert_eq!(server.requests().len(), 3);
}

/// Why there is no answer.
fn unanswered(answer: LookAnswer) -> GazeFailure {
    match answer {
        LookAnswer::Unanswered(failure) => failure,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_index_that_asks_to_be_left_alone_is_left_alone() {
    let server = Server::always(Answer::status(429).with("Retry-After", "60"));
    let failure = unanswered(gazer(&server.simple()).look(&[look_up("foo", ""), look_up("bar", "")]));
    assert_failure(&failure, "foo: the index answers with status 429", true, Some(60));
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_page_that_cannot_be_read_is_no_missing_package() {
    let server = Server::start(|request| match request.path.as_str() {
        "/simple/foo/" => Answer::status(403),
        _ => Answer::status(404),
    });
    let mut gazer = gazer(&server.simple());
    let failure = unanswered(gazer.look(&[look_up("foo", "")]));
    assert_failure(&failure, "foo: the index answers with status 403", false, None);
    match gazer.look(&[look_up("foo", ""), look_up("bar", "")]) {
        LookAnswer::NotFound(reasons) => assert_eq!(reasons.len(), 2, "both say why: {reasons:?}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_only_required_is_had_where_the_index_serves_it_to_everybody() {
    let server = Server::always(page(FILES));
    let mut gazer = gazer(&server.simple());
    let mut required =
        |specifiers: &str| gazer.look(&[LookUp { required: true, ..look_up("foo", specifiers) }]);
    match required("") {
        LookAnswer::Served(wheel) => assert_eq!(wheel.as_str(), "foo-2.0-py3-none-any.whl"),
        other => panic!("{other:?}"),
    }
    match required("<2") {
        LookAnswer::Found(found) => assert_eq!(found[0].version.to_string(), "1.0"),
        other => panic!("{other:?}"),
    }
    assert!(matches!(required(">2"), LookAnswer::NotFound(_)));
    let asked_for = gazer.look(&[look_up("foo", "")]);
    assert!(matches!(asked_for, LookAnswer::Found(_)), "what is asked for is built: {asked_for:?}");
}

#[test]
fn all_are_found_or_each_that_is_not_says_why() {
    let server = Server::start(|request| match request.path.as_str() {
        "/simple/foo/" => page(FILES),
        _ => Answer::status(404),
    });
    let mut gazer = gazer(&server.simple());
    match gazer.look(&[look_up("foo", ""), look_up("foo", "==1.0"), look_up("foo", "")]) {
        LookAnswer::Found(found) => {
            let wishes: Vec<_> =
                found.iter().map(|wanted| (wanted.specifiers.as_deref(), wanted.named)).collect();
            assert_eq!(wishes, [(Some(""), false), (Some("==1.0"), true)], "the same once");
        }
        other => panic!("{other:?}"),
    }
    match gazer.look(&[look_up("foo", ""), look_up("foo", ">=2"), look_up("bar", ""), look_up("foo", "=>1")])
    {
        LookAnswer::NotFound(reasons) => {
            assert_eq!(reasons[0], "foo: no version >=2 with a source distribution; the newest is 1.0");
            assert_eq!(reasons[1], "bar: no such package on the index");
            assert!(reasons[2].starts_with("foo: \"=>1\" is not a version specifier"), "{reasons:?}");
        }
        other => panic!("{other:?}"),
    }
}
