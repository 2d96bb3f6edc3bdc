//! A small package index of the tests' own: PEP 691 pages and files, over real HTTP on loopback.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use piwheels::domain::{ProjectName, Sha256};

use super::sdist::Recipe;

#[derive(Default)]
struct Content {
    /// By canonical name: file names.
    projects: BTreeMap<String, Vec<String>>,
    files: BTreeMap<String, Vec<u8>>,
}

/// The index; it serves until the test process ends.
pub(crate) struct Index {
    pub(crate) url: String,
    content: Arc<Mutex<Content>>,
}

impl Index {
    pub(crate) fn start() -> Self {
        let mut index = Self { url: String::new(), content: Arc::default() };
        index.url = index.serve_on(Ipv4Addr::LOCALHOST);
        index
    }

    /// Serves the same on another address; the URL there.
    pub(crate) fn serve_on(&self, address: Ipv4Addr) -> String {
        let listener = TcpListener::bind((address, 0)).unwrap();
        let url = format!("http://{}/simple", listener.local_addr().unwrap());
        let shared = self.content.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = shared.clone();
                std::thread::spawn(move || serve(stream, &shared));
            }
        });
        url
    }

    /// Offers a package's source distribution.
    pub(crate) fn offer(&self, recipe: &Recipe) {
        let dir = tempfile::tempdir().unwrap();
        let path = recipe.pack(dir.path());
        self.offer_file(recipe.name, &path);
    }

    fn offer_file(&self, project: &str, path: &Path) {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let project = ProjectName::parse(project).unwrap().to_string();
        let mut content = self.content.lock().unwrap();
        content.files.insert(name.clone(), std::fs::read(path).unwrap());
        content.projects.entry(project).or_default().push(name);
    }
}

fn serve(stream: TcpStream, content: &Mutex<Content>) {
    let mut input = BufReader::new(stream.try_clone().unwrap());
    let mut output = stream;
    loop {
        let mut request = String::new();
        if input.read_line(&mut request).unwrap_or(0) == 0 {
            return;
        }
        loop {
            let mut header = String::new();
            if input.read_line(&mut header).unwrap_or(0) == 0 {
                return;
            }
            if header.trim().is_empty() {
                break;
            }
        }
        let path = request.split(' ').nth(1).unwrap_or_default();
        let (status, kind, body) = answer(path, &content.lock().unwrap());
        let head =
            format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n", body.len());
        if output.write_all(head.as_bytes()).and_then(|()| output.write_all(&body)).is_err() {
            return;
        }
    }
}

fn answer(path: &str, content: &Content) -> (&'static str, &'static str, Vec<u8>) {
    const JSON: &str = "application/vnd.pypi.simple.v1+json";
    if let Some(body) = path.strip_prefix("/files/").and_then(|name| content.files.get(name)) {
        return ("200 OK", "application/octet-stream", body.clone());
    }
    let project = path.strip_prefix("/simple/").map(|rest| rest.trim_end_matches('/'));
    let Some(files) = project.and_then(|project| content.projects.get(project)) else {
        return ("404 Not Found", "text/plain", b"no such page".to_vec());
    };
    let files: Vec<_> = files
        .iter()
        .map(|name| {
            let bytes = &content.files[name];
            serde_json::json!({
                "filename": name,
                "url": format!("/files/{name}"),
                "hashes": { "sha256": Sha256::of(bytes).to_string() },
                "size": bytes.len(),
            })
        })
        .collect();
    let versions: Vec<String> = Vec::new();
    let page = serde_json::json!({
        "meta": { "api-version": "1.1" }, "name": project, "files": files, "versions": versions,
    });
    ("200 OK", JSON, page.to_string().into_bytes())
}
