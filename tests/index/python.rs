//! The changelog as Python's own XML-RPC server encodes it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use piwheels::domain::Version;
use piwheels::master::gaze::{CHANGELOG_ROWS, Happening};

use crate::changelog::since;
use crate::kit::farm::python;
use crate::{assert_failure, gazer};

struct Server {
    child: Child,
    simple: String,
}

impl Server {
    fn start() -> Self {
        let mut child = Command::new(python())
            .args(["-c", include_str!("changelog.py")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Self { simple: format!("http://127.0.0.1:{}/simple", port.trim()), child }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn rows_that_python_wrote_are_read() {
    let server = Server::start();
    let changelog = since(&mut gazer(&server.simple), 9).unwrap();
    let version = |text| Version::parse(text).unwrap();
    let events: Vec<_> =
        changelog.events.into_iter().map(|event| (event.serial, event.at, event.what)).collect();
    assert_eq!(
        events,
        [
            (10, 1_700_000_000, Happening::Sdist(version("1.0"))),
            (11, 1_700_000_001, Happening::ProjectRemoved),
            (12, 1_700_000_000, Happening::Yanked(version("2.0"))),
            (13, 1_700_000_000, Happening::Other),
        ]
    );
    // "bäd" is no name
    assert_eq!((changelog.rows, changelog.odd, changelog.last, changelog.settled), (7, 1, Some(15), 15));
}

#[test]
fn serials_beyond_32_bits_go_there_and_back() {
    let server = Server::start();
    let begin = 1 << 31;
    let changelog = since(&mut gazer(&server.simple), begin).unwrap();
    let serials: Vec<u64> = changelog.events.iter().map(|event| event.serial).collect();
    assert_eq!(serials, [begin + 1, begin + 2, 1 << 62], "as text, as i8 and as an int that is none");
    assert_eq!(changelog.odd, 0);
}

#[test]
fn an_answer_as_long_as_answers_get_is_read() {
    let server = Server::start();
    let changelog = since(&mut gazer(&server.simple), 3).unwrap();
    assert_eq!((changelog.rows, changelog.events.len()), (CHANGELOG_ROWS, CHANGELOG_ROWS));
    assert_eq!((changelog.last, changelog.settled), (Some(50_003), 50_003), "it is years old");
}

#[test]
fn faults_that_python_wrote_are_told() {
    let server = Server::start();
    let mut gazer = gazer(&server.simple);
    assert_failure(&since(&mut gazer, 1).unwrap_err(), "too many requests", true, Some(59));
    assert_failure(&since(&mut gazer, 2).unwrap_err(), "it is <broken> & done", false, None);
    assert!(since(&mut gazer, 9).is_ok(), "and the next answer is one");
}
