//! An index that answers as indexes and the ways to them do on bad days, over real HTTP.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

/// What goes wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// Every page has this status.
    Page(&'static str),
    /// The page is good, the file has this status.
    File(&'static str),
    /// The page is good, the file ends before its end.
    CutFile,
}

/// Serves version 1.0 of `foo` with a fault, until the test process ends; the index's URL.
pub(crate) fn serve(fault: Fault) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/simple", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // whoever asked may be gone
            thread::spawn(move || answer(stream, fault).ok());
        }
    });
    url
}

/// A URL where nobody listens.
pub(crate) fn nobody_there() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}/simple", listener.local_addr().unwrap())
}

fn answer(mut stream: TcpStream, fault: Fault) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
    let is_file = request.contains(".tar.gz ");
    let page = format!(
        "<!DOCTYPE html><a href=\"/foo-1.0.tar.gz#sha256={}\">foo-1.0.tar.gz</a>",
        "0123456789abcdef".repeat(4)
    );
    let (status, body, cut) = match (fault, is_file) {
        (Fault::Page(status), false) | (Fault::File(status), true) => (status, "no".to_owned(), 0),
        (Fault::CutFile, true) => ("200 OK", "x".repeat(50_000), 40_000),
        _ => ("200 OK", page, 0),
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}",
        body.len(),
        &body[..body.len() - cut]
    )?;
    stream.shutdown(Shutdown::Both)
}
