//! The list of all projects, piece by piece.

use std::fmt::Write;

use piwheels::master::cloud_gazer::CloudGazer;
use piwheels::master::gaze::{
    GazeAnswer, GazeFailure, GazeRequest, LIST_PIECE, ListPiece, ListedProject, PageNews,
};

use crate::kit::wait::until;
use crate::server::{Answer, Server};
use crate::{SHORT, assert_failure, gazer, gazer_with, wish};

fn ask(gazer: &mut CloudGazer, request: &GazeRequest) -> Result<ListPiece, GazeFailure> {
    match gazer.gaze(request) {
        GazeAnswer::List(piece) => piece,
        other => panic!("{other:?}"),
    }
}

fn begin(gazer: &mut CloudGazer) -> Result<ListPiece, GazeFailure> {
    ask(gazer, &GazeRequest::ListBegin { etag: None })
}

fn more(gazer: &mut CloudGazer) -> Result<ListPiece, GazeFailure> {
    ask(gazer, &GazeRequest::ListMore)
}

/// Everything to the end, and the end.
fn read_all(gazer: &mut CloudGazer) -> (Vec<ListedProject>, ListPiece) {
    let mut projects = Vec::new();
    let mut piece = begin(gazer).unwrap();
    loop {
        match piece {
            ListPiece::Projects(some) => {
                assert!((1..=LIST_PIECE).contains(&some.len()));
                projects.extend(some);
            }
            end => return (projects, end),
        }
        piece = more(gazer).unwrap();
    }
}

/// A list of projects `p0`, `p1` …, every thousandth of them odd.
fn list(count: usize) -> String {
    let mut text = r#"{"meta":{"_last-serial":4711,"api-version":"1.4"},"projects":["#.to_owned();
    for n in 0..count {
        let comma = if n == 0 { "" } else { "," };
        let name = if n % 1000 == 999 { "odd name".to_owned() } else { format!("P.{n}") };
        write!(text, r#"{comma}{{"_last-serial":{n},"name":"{name}"}}"#).unwrap();
    }
    text + "]}"
}

#[test]
fn the_list_comes_in_pieces_in_its_order() {
    for pack in [
        Answer::clone as fn(&Answer) -> Answer,
        |answer| answer.clone().gzipped(),
        |answer| answer.clone().chunked(),
    ] {
        let server = Server::always(pack(&Answer::json(list(7000))).with("ETag", "\"one\""));
        let mut gazer = gazer(&server.simple());
        let (projects, end) = read_all(&mut gazer);
        assert_eq!(projects.len(), 7000 - 7);
        assert!(projects.is_sorted_by_key(|project| project.serial));
        let last = projects.last().unwrap();
        assert_eq!((last.package.as_str(), last.display.as_str(), last.serial), ("p-6998", "P.6998", 6998));
        assert_eq!(end, ListPiece::End { etag: Some("\"one\"".to_owned()), serial: Some(4711), odd: 7 });
        assert_eq!(server.requests()[0].path, "/simple/");
        assert_failure(&more(&mut gazer).unwrap_err(), "no list of projects is being read", false, None);
    }
}

#[test]
fn a_list_that_has_its_etag_still_is_not_sent_again() {
    let server = Server::start(|request| match request.header("if-none-match") {
        Some("\"one\"") => Answer::status(304),
        _ => Answer::json(r#"{"projects":[],"meta":{"api-version":"1.0"}}"#).with("X-PyPI-Last-Serial", "5"),
    });
    let mut gazer = gazer(&server.simple());
    let unchanged = GazeRequest::ListBegin { etag: Some("\"one\"".to_owned()) };
    assert_eq!(ask(&mut gazer, &unchanged), Ok(ListPiece::Unchanged));
    assert!(more(&mut gazer).is_err(), "then there is none to read");
    assert_eq!(begin(&mut gazer), Ok(ListPiece::End { etag: None, serial: Some(5), odd: 0 }));
}

#[test]
fn a_list_that_breaks_off_fails_and_never_ends() {
    let text = list(5000);
    let whole = text.len();
    for answer in [
        Answer::json(text.clone()).cut_at(whole - 1),
        Answer::json(text.clone()).chunked().cut_at(whole),
        Answer::json(text[..whole - 1].to_owned()),
        Answer::json(text.clone()).gzipped().cut_at(5000),
    ] {
        let server = Server::always(answer);
        let mut gazer = gazer(&server.simple());
        let mut piece = begin(&mut gazer);
        let mut pieces = 0;
        while let Ok(ListPiece::Projects(_)) = piece {
            pieces += 1;
            piece = more(&mut gazer);
        }
        assert_failure(&piece.unwrap_err(), "off", false, None);
        assert!(pieces <= 2, "the last piece does not come without the end");
        assert_failure(&more(&mut gazer).unwrap_err(), "no list of projects is being read", false, None);
    }
}

#[test]
fn an_index_without_a_list_says_so() {
    for (answer, reason, everywhere) in [
        (Answer::status(404), "no list of its projects", false),
        (Answer::status(503), "status 503", true),
        (Answer::json("[]"), "cannot be read", false),
        (Answer::status(200).with("Content-Type", "text/html"), "not with application/vnd", false),
    ] {
        let mut gazer = gazer(&Server::always(answer).simple());
        assert_failure(&begin(&mut gazer).unwrap_err(), reason, everywhere, None);
    }
}

#[test]
fn a_new_list_closes_the_connection_of_the_one_before() {
    let text = list(5000);
    let part = text.len() / 2;
    let server = Server::in_turn(vec![Answer::json(text.clone()).stalled_at(part), Answer::json(text)]);
    let mut gazer = gazer(&server.simple());
    assert!(matches!(begin(&mut gazer), Ok(ListPiece::Projects(some)) if some.len() == LIST_PIECE));
    assert_eq!(server.closed(), 0);
    let (projects, _) = read_all(&mut gazer);
    assert_eq!(projects.len(), 4995, "from the beginning");
    until(
        "closed connection",
        || format!("{:?}", server.requests()),
        || (server.closed() == 1).then_some(()),
    );
}

#[test]
fn a_list_that_falls_silent_or_never_ends_is_given_up() {
    let text = list(5000);
    for silence in [true, false] {
        let answer = Answer::json(text.clone());
        let server = Server::always(if silence { answer.stalled_at(1000) } else { answer.dripping() });
        let mut gazer = gazer_with(&server.simple(), |limits| {
            if silence { limits.list_silence = SHORT } else { limits.list = SHORT }
        });
        assert_failure(&begin(&mut gazer).unwrap_err(), "time", true, None);
    }
    let server = Server::always(Answer::json(text).gzipped());
    let mut gazer = gazer_with(&server.simple(), |limits| limits.list_bytes = 180_000);
    assert!(matches!(begin(&mut gazer), Ok(ListPiece::Projects(_))));
    assert!(matches!(more(&mut gazer), Ok(ListPiece::Projects(_))));
    assert_failure(&more(&mut gazer).unwrap_err(), "more than 180000 bytes", false, None);
}

#[test]
fn pages_may_be_read_between_the_pieces() {
    let server = Server::start(|request| match request.path.as_str() {
        "/simple/" => Answer::json(list(3000)),
        _ => Answer::json(r#"{"meta":{"api-version":"1.0"},"name":"foo","files":[]}"#),
    });
    let mut gazer = gazer(&server.simple());
    assert!(matches!(begin(&mut gazer), Ok(ListPiece::Projects(_))));
    assert!(matches!(gazer.gaze(&GazeRequest::Page(wish("foo"))), GazeAnswer::Page(_, PageNews::Seen(_))));
    assert!(matches!(more(&mut gazer), Ok(ListPiece::Projects(some)) if some.len() == 997));
    assert!(matches!(more(&mut gazer), Ok(ListPiece::End { .. })));
}
