//! A web server for one tree, as small as the tests need: below a prefix, with the policy that the recipes set.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};

/// The site's own policy: nothing inline, nothing from elsewhere.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Binds the server, whose address the pages may have to know before they are written.
pub(crate) fn bind() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/farm/", listener.local_addr().unwrap());
    (listener, address)
}

/// Serves `root` at `/farm/` until the test ends.
pub(crate) fn serve(listener: TcpListener, root: PathBuf) {
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let root = root.clone();
            std::thread::spawn(move || answer(stream, &root));
        }
    });
}

fn answer(stream: TcpStream, root: &Path) -> Option<()> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    let request = lines.next()?.ok()?;
    while lines.next()?.ok().is_some_and(|line| !line.is_empty()) {}
    let target = request.split(' ').nth(1)?;
    let path = target.split(['?', '#']).next()?;
    let (status, headers, body) = found(root, path);
    let mut out = stream;
    write!(
        out,
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\nX-Content-Type-Options: nosniff\r\n\
         Content-Security-Policy: {POLICY}\r\n{headers}\r\n",
        body.len()
    )
    .ok()?;
    out.write_all(&body).ok()
}

fn found(root: &Path, path: &str) -> (&'static str, String, Vec<u8>) {
    let missing = || {
        let page = fs::read(root.join("404.html")).unwrap_or_default();
        ("404 Not Found", "Content-Type: text/html\r\n".to_owned(), page)
    };
    let Some(inside) = path.strip_prefix("/farm/").filter(|inside| !inside.contains("..")) else {
        return missing();
    };
    let mut file = root.join(inside);
    if file.is_dir() {
        if !path.ends_with('/') {
            return ("301 Moved", format!("Location: {path}/\r\n"), Vec::new());
        }
        file.push("index.html");
    }
    let Ok(bytes) = fs::read(&file) else { return missing() };
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let kind = match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css",
        Some("js") => "text/javascript",
        Some("svg") => "image/svg+xml",
        Some("json") => "application/json",
        Some("xml") => "application/xml",
        Some("gz") if name.ends_with(".txt.gz") => "text/plain; charset=utf-8\r\nContent-Encoding: gzip",
        _ => "application/octet-stream",
    };
    ("200 OK", format!("Content-Type: {kind}\r\n"), bytes)
}
