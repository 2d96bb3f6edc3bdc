//! The cloud gazer's figures: how long it takes to read a large page, a full answer of the changelog and the list of all
//! projects, and how much memory. `cargo bench --bench gazer`
//!
//! This process is the index, on loopback; each row is measured in a process of its own, whose peak of resident memory
//! (`VmHWM`) it is. Beside each time stands that of merely fetching and unpacking the same bytes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what cannot be measured ends the program"
)]
#![allow(dead_code, reason = "the tests' index is shared, and not all of it is needed here")]

#[path = "../tests/index/server.rs"]
mod server;

use std::fmt::Write;
use std::process::Command;
use std::time::Instant;

use piwheels::domain::ProjectName;
use piwheels::master::cloud_gazer::{CloudGazer, xml_rpc_url};
use piwheels::master::gaze::{
    CHANGELOG_ROWS, GazeAnswer, GazeRequest, ListPiece, PageNews, PageWish, WantedReleases, Wish,
};
use server::{Answer, Server};

/// Files of the page: about as many as the largest real ones have.
const FILES: usize = 60_000;
const PROJECTS: usize = 750_000;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    match words.as_slice() {
        [what, simple] => measure(what, simple),
        _ => run(),
    }
}

fn run() {
    let bodies = [page(), list(), changelog()];
    let [page, list, rows] = bodies.clone().map(|body| Answer::json(body).gzipped());
    let rows = rows.with("Content-Type", "text/xml");
    let server = Server::start(move |request| match request.path.as_str() {
        "/simple/large/" => page.clone(),
        "/simple/" => list.clone(),
        _ => rows.clone(),
    });
    println!("{:<28} {:>9} {:>10} {:>12} {:>12}", "what", "MB", "seconds", "fetch alone", "peak, MB");
    for (what, body) in ["page", "list", "changelog"].into_iter().zip(bodies) {
        let child = |what: &str| {
            let program = std::env::current_exe().unwrap();
            let output = Command::new(program).args([what, &server.simple()]).output().unwrap();
            assert!(output.status.success(), "{output:?}");
            let printed = String::from_utf8(output.stdout).unwrap();
            let (seconds, peak) = printed.trim().split_once(' ').unwrap();
            (seconds.parse::<f64>().unwrap(), peak.parse::<f64>().unwrap())
        };
        let (seconds, peak) = child(what);
        let (alone, _) = child(&format!("fetch-{what}"));
        let name = match what {
            "page" => format!("page of {FILES} files"),
            "list" => format!("list of {PROJECTS} projects"),
            _ => format!("changelog of {CHANGELOG_ROWS} rows"),
        };
        println!("{name:<28} {:>9.1} {seconds:>10.3} {alone:>12.3} {peak:>12.1}", body.len() as f64 / 1e6);
    }
}

fn measure(what: &str, simple: &str) {
    let mut gazer = CloudGazer::new(simple, &xml_rpc_url(simple), None);
    let begun = Instant::now();
    match what {
        "page" => {
            let wishes = vec![Wish { specifiers: ">=1".to_owned(), since: 1 }];
            let package = ProjectName::parse("large").unwrap();
            let wish = PageWish { package, etag: None, serial: 0, wanted: WantedReleases::Listed(wishes) };
            match gazer.gaze(&GazeRequest::Page(wish)) {
                GazeAnswer::Page(_, PageNews::Seen(truth)) => assert_eq!(truth.releases.len(), FILES / 20),
                other => panic!("{other:?}"),
            }
        }
        "list" => {
            let mut request = GazeRequest::ListBegin { etag: None };
            let mut seen = 0;
            loop {
                match gazer.gaze(&request) {
                    GazeAnswer::List(Ok(ListPiece::Projects(projects))) => seen += projects.len(),
                    GazeAnswer::List(Ok(ListPiece::End { .. })) => break,
                    other => panic!("{other:?}"),
                }
                request = GazeRequest::ListMore;
            }
            assert_eq!(seen, PROJECTS);
        }
        "changelog" => match gazer.gaze(&GazeRequest::Changelog { since: 0 }) {
            GazeAnswer::Changelog(Ok(changelog)) => assert_eq!(changelog.rows, CHANGELOG_ROWS),
            other => panic!("{other:?}"),
        },
        fetch => {
            let path = match fetch {
                "fetch-page" => "/large/",
                "fetch-list" => "/",
                _ => "/rows",
            };
            let body = ureq::get(format!("{simple}{path}")).call().unwrap().into_body();
            std::io::copy(&mut body.into_reader(), &mut std::io::sink()).unwrap();
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kib: f64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    println!("{seconds} {}", kib / 1024.0);
}

/// Twenty files to a release, as projects with wheels for many platforms have them.
fn page() -> String {
    let mut text = r#"{"files":["#.to_owned();
    for n in 0..FILES {
        let (release, file) = (n / 20, n % 20);
        let filename = match file {
            0 => format!("large-{release}.0.tar.gz"),
            1 => format!("large-{release}.0-py3-none-any.whl"),
            _ => format!(
                "large-{release}.0-cp3{file}-cp3{file}-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
            ),
        };
        let comma = if n == 0 { "" } else { "," };
        write!(
            text,
            r#"{comma}{{"core-metadata":{{"sha256":"{n:064x}"}},"filename":"{filename}","hashes":{{"sha256":"{n:064x}"}},"requires-python":">=3.{}","size":{n},"upload-time":"2024-01-02T03:04:05.678901Z","url":"https://files.example/packages/{n:060x}/{filename}","yanked":false}}"#,
            6 + release % 5
        )
        .unwrap();
    }
    text + r#"],"meta":{"api-version":"1.4","_last-serial":5},"name":"large","versions":[]}"#
}

fn list() -> String {
    let mut text = r#"{"meta":{"_last-serial":30000000,"api-version":"1.4"},"projects":["#.to_owned();
    for n in 0..PROJECTS {
        let comma = if n == 0 { "" } else { "," };
        write!(text, r#"{comma}{{"_last-serial":{},"name":"project-{n:06}"}}"#, 20_000_000 + n).unwrap();
    }
    text + "]}"
}

fn changelog() -> String {
    let mut rows = String::new();
    for n in 1..=CHANGELOG_ROWS {
        write!(
            rows,
            "<value><array><data>\n<value><string>project-{n:06}</string></value>\n<value><string>1.{n}</string></value>\n\
             <value><int>{}</int></value>\n<value><string>add source file project_{n:06}-1.{n}.tar.gz</string></value>\n\
             <value><int>{n}</int></value>\n</data></array></value>\n",
            1_700_000_000 + n
        )
        .unwrap();
    }
    format!(
        "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n<value><array><data>\n{rows}</data></array></value>\n\
         </param>\n</params>\n</methodResponse>\n"
    )
}
