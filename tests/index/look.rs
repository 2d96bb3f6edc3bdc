//! Look-ups for the administrator's tools.

use piwheels::master::event::{LookAnswer, LookUp};

use crate::server::{Answer, Server};
use crate::{gazer, name};

fn look_up(package: &str, specifiers: &str) -> LookUp {
    LookUp { package: name(package), specifiers: specifiers.to_owned() }
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

#[test]
fn an_index_that_asks_to_be_left_alone_is_left_alone() {
    let server = Server::always(Answer::status(429).with("Retry-After", "60"));
    match gazer(&server.simple()).look(&[look_up("foo", "")]) {
        LookAnswer::NotFound(reasons) => assert_eq!(reasons, ["foo: the index answers with status 429"]),
        other => panic!("{other:?}"),
    }
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn all_are_found_or_each_that_is_not_says_why() {
    let server = Server::start(|request| match request.path.as_str() {
        "/simple/foo/" => page(FILES),
        _ => Answer::status(404),
    });
    let mut gazer = gazer(&server.simple());
    match gazer.look(&[look_up("foo", ""), look_up("foo", "==1.0")]) {
        LookAnswer::Found(found) => assert_eq!(found.len(), 1, "the same once"),
        other => panic!("{other:?}"),
    }
    match gazer.look(&[look_up("foo", ""), look_up("foo", ">=2"), look_up("bar", "")]) {
        LookAnswer::NotFound(reasons) => assert_eq!(
            reasons,
            [
                "foo: no version >=2 with a source distribution; the newest is 1.0",
                "bar: no such package on the index"
            ]
        ),
        other => panic!("{other:?}"),
    }
}
