//! The recipes' access logs are what `piw-logger` counts from.

use std::fs;
use std::path::Path;

use crate::kit::farm::{Farm, python, text};
use crate::kit::sdist::Recipe;
use crate::kit::wait::until;
use crate::server::{Kind, Server, skip};

/// A farm with one package built; each server serves its tree, and what was fetched from it is counted.
#[test]
fn what_is_fetched_from_each_server_is_counted_once() {
    let test = "what_is_fetched_from_each_server_is_counted_once";
    let abi = crate::kit::farm::abi_of(&python());
    let farm = Farm::start(&[&abi], &[]);
    farm.index.offer(&Recipe::pure("foo", "1.0"));
    let _slave = farm.start_slave("one");
    farm.piw(&["add", "foo"]);
    farm.wait_for_state("foo", &abi, "built");
    farm.crawl();
    let mut expected = 0;
    for kind in [Kind::Nginx, Kind::Apache, Kind::Caddy] {
        let server = match Server::start(kind, &farm.path("www")) {
            Ok(server) => server,
            Err(reason) => {
                skip(&format!("{test} ({kind:?})"), &reason);
                continue;
            }
        };
        let agent = r#"User-Agent: pip/24.0 {"cpu":"armv7l","installer":{"name":"pip","version":"24.0"}}"#;
        let wheel = "/simple/foo/foo-1.0-py3-none-any.whl";
        assert_eq!(server.get(wheel, &[agent]).status, 200);
        // begun, and to be resumed: one download, where the log has the range
        assert_eq!(server.get(wheel, &[agent, "Range: bytes=0-99"]).status, 206);
        let downloads = if kind == Kind::Apache { 1 } else { 2 };
        // none of these is one
        server.get("/simple/foo/", &[agent]);
        server.get(&format!("{wheel}.metadata"), &[agent]);
        server.get(wheel, &[agent, "Range: bytes=100-"]);
        server.get("/simple/foo/foo-2.0-py3-none-any.whl", &[agent]);
        // a line is written when the answer has been
        until("lines of the access log", || server.said(), || (lines(&server.log()) >= 6).then_some(()));
        let log = server.log().display().to_string();
        let output = farm.logger_command(&["--drop", &log]).output().unwrap();
        assert!(output.status.success(), "{kind:?}: {}", text(&output));
        expected += downloads;
        let count = || {
            farm.count("SELECT count(*) FROM piw.download WHERE arch = 'armv7l' AND installer_name = 'pip'")
        };
        until("the download's row", || farm.logs(), || (count() == expected).then_some(()));
    }
}

fn lines(log: &Path) -> usize {
    fs::read_to_string(log).unwrap_or_default().lines().count()
}
