//! What wheels of the index require: METADATA beside them, offered or not, elsewhere, wrong, too large, cut.

use std::io::Write;

use piwheels::domain::{Sha256, WheelName};
use piwheels::master::gaze::{GazeAnswer, GazeFailure, GazeRequest, WheelNews};

use crate::server::{Answer, Server};
use crate::{assert_failure, gazer};

const WHEEL: &str = "foo-1.0-py3-none-any.whl";
const METADATA: &str = "Metadata-Version: 2.1\nName: Foo\nVersion: 1.0\nRequires-Dist: bar>=1\nRequires-Dist: baz; \
                        extra == 'x'\n\nRequires-Dist: no\n";

fn read(server: &Server) -> Result<WheelNews, GazeFailure> {
    let wheel = WheelName::parse(WHEEL).unwrap();
    match gazer(&server.simple()).gaze(&GazeRequest::Wheel(wheel.clone())) {
        GazeAnswer::Wheel(of, news) if of == wheel => news,
        other => panic!("{other:?}"),
    }
}

/// An index whose page names the wheel at `url`, with this beside it.
fn index(url: &str, core_metadata: &str, metadata: Answer) -> Server {
    let page = format!(
        r#"{{"meta":{{"api-version":"1.4"}},"name":"foo","files":[
            {{"filename":"foo-1.0.tar.gz","url":"/files/foo-1.0.tar.gz"}},
            {{"filename":"{WHEEL}","url":"{url}","hashes":{{}}{core_metadata}}}]}}"#
    );
    Server::start(move |request| match request.path.as_str() {
        "/simple/foo/" => Answer::json(page.clone()),
        "/files/foo-1.0-py3-none-any.whl.metadata" => metadata.clone(),
        _ => Answer::status(404),
    })
}

fn lines() -> WheelNews {
    WheelNews::Read(vec!["bar>=1".to_owned(), "baz; extra == 'x'".to_owned()])
}

#[test]
fn metadata_beside_a_wheel_is_read_wherever_on_the_index_it_is() {
    let digest = format!(r#","core-metadata":{{"sha256":"{}"}}"#, Sha256::of(METADATA.as_bytes()));
    for url in ["/files/foo-1.0-py3-none-any.whl#sha256=00", "../../files/foo-1.0-py3-none-any.whl"] {
        for offered in [digest.as_str(), r#","core-metadata":true"#, r#","dist-info-metadata":true"#] {
            assert_eq!(read(&index(url, offered, Answer::octets(METADATA))), Ok(lines()), "{url} {offered}");
        }
    }
}

#[test]
fn what_the_index_does_not_offer_is_not_asked_for() {
    for offered in ["", r#","core-metadata":false,"dist-info-metadata":true"#] {
        let server = index("/files/foo-1.0-py3-none-any.whl", offered, Answer::octets(METADATA));
        assert!(matches!(read(&server), Ok(WheelNews::Unknown(_))), "{offered}");
        assert_eq!(server.requests().len(), 1, "{offered}");
    }
    let gone = index("/files/foo-1.0-py3-none-any.whl", r#","core-metadata":true"#, Answer::status(404));
    assert!(matches!(read(&gone), Ok(WheelNews::Unknown(_))));
    assert!(matches!(read(&Server::always(Answer::status(404))), Ok(WheelNews::Unknown(_))));
}

#[test]
fn metadata_that_is_not_what_the_page_promises_is_not_believed() {
    let index = |offered: &str, metadata: &str| {
        read(&index("/files/foo-1.0-py3-none-any.whl", offered, Answer::octets(metadata))).unwrap_err()
    };
    let wrong = format!(r#","core-metadata":{{"sha256":"{}"}}"#, Sha256::of(b"other"));
    assert_failure(&index(&wrong, METADATA), "another digest", false, None);
    let yes = r#","core-metadata":true"#;
    assert_failure(&index(yes, "Name: bar\n"), "another project", false, None);
    assert_failure(&index(yes, ""), "another project", false, None);
    let bomb = format!("{METADATA}{}", "x".repeat(2 << 20));
    assert_failure(&index(yes, &bomb), "more than 1048576 bytes", false, None);
}

#[test]
fn other_hosts_are_asked_by_https_only() {
    let other = Server::always(Answer::octets(METADATA));
    let there = other.simple().replace("/simple", "/files/foo-1.0-py3-none-any.whl");
    let failure = read(&index(&there, r#","core-metadata":true"#, Answer::octets(METADATA))).unwrap_err();
    assert_failure(&failure, "is not asked", false, None);
    assert_eq!(other.requests().len(), 0);
}

#[test]
fn an_answer_that_breaks_off_is_asked_for_again_and_an_index_that_is_away_says_so() {
    let page = format!(
        r#"{{"meta":{{"api-version":"1.4"}},"name":"foo","files":[{{"filename":"{WHEEL}","url":"{WHEEL}","core-metadata":true}}]}}"#
    );
    let page = || Answer::json(page.clone());
    let server = Server::in_turn(vec![
        page().cut_at(20),
        page(),
        Answer::octets(METADATA).cut_at(20),
        page(),
        Answer::octets(METADATA),
    ]);
    assert_eq!(read(&server), Ok(lines()));
    let server = Server::in_turn(vec![page(), Answer::status(503).with("Retry-After", "7")]);
    assert_failure(&read(&server).unwrap_err(), "status 503", true, Some(7));
}

fn zipped(entries: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in entries {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(content.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// An index that says its wheel's digest and has nothing beside it.
fn bare_index(bytes: Vec<u8>, sha256: &str) -> Server {
    let page = format!(
        r#"{{"name":"foo","files":[{{"filename":"{WHEEL}","url":"/files/{WHEEL}","hashes":{{"sha256":"{sha256}"}}}}]}}"#
    );
    Server::start(move |request| match request.path.as_str() {
        "/simple/foo/" => Answer::json(page.clone()),
        "/files/foo-1.0-py3-none-any.whl" => Answer::octets(bytes.clone()),
        _ => Answer::status(404),
    })
}

#[test]
fn metadata_is_read_out_of_the_wheel_where_the_index_has_none_beside_it() {
    let wheel = zipped(&[("foo/__init__.py", ""), ("foo-1.0.dist-info/METADATA", METADATA)]);
    let sha256 = Sha256::of(&wheel).to_string();
    assert_eq!(read(&bare_index(wheel.clone(), &sha256)), Ok(lines()));
    let other = read(&bare_index(wheel, &Sha256::of(b"").to_string())).unwrap_err();
    assert_failure(&other, "another digest", false, None);
    let useless = [
        zipped(&[("foo/__init__.py", "")]),
        zipped(&[("foo-1.0.dist-info/METADATA", "Name: bar\nVersion: 1.0\n")]),
        b"no zip".to_vec(),
        vec![0; 17 << 20],
    ];
    for bytes in useless {
        let sha256 = Sha256::of(&bytes).to_string();
        assert!(matches!(read(&bare_index(bytes, &sha256)), Ok(WheelNews::Unknown(_))));
    }
}
