//! A small package index of the tests' own: PEP 691 pages and files, over real HTTP on loopback.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use piwheels::domain::{ProjectName, Sha256};

use super::sdist::Recipe;

#[derive(Default)]
struct Content {
    /// By canonical name: file names.
    projects: BTreeMap<String, Vec<String>>,
    files: BTreeMap<String, Vec<u8>>,
    /// By file name: when it was uploaded.
    uploaded: BTreeMap<String, u64>,
    /// By file name: why it is yanked.
    yanked: BTreeMap<String, String>,
    /// By canonical name: PEP 792, where it is not active.
    status: BTreeMap<String, String>,
    /// By canonical name: the newest event's number, as the page says it.
    serials: BTreeMap<String, u64>,
    /// Every request's path, in order.
    asked: Vec<String>,
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

    /// Offers a wheel of the index's own: its name is all that matters.
    pub(crate) fn offer_wheel(&self, project: &str, filename: &str) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(filename);
        std::fs::write(&path, "a wheel").unwrap();
        self.offer_file(project, &path);
    }

    /// Offers METADATA beside a wheel of the index's own (PEP 658), with these requirements.
    pub(crate) fn offer_metadata(&self, project: &str, filename: &str, requires: &[&str]) {
        let mut text = format!("Metadata-Version: 2.1\nName: {project}\nVersion: 1.0\n");
        requires.iter().for_each(|line| text.push_str(&format!("Requires-Dist: {line}\n")));
        self.content.lock().unwrap().files.insert(format!("{filename}.metadata"), text.into_bytes());
    }

    /// Removes a file; the project, when that was the last one.
    pub(crate) fn withdraw(&self, project: &str, filename: &str) {
        let mut content = self.content.lock().unwrap();
        let files = content.projects.get_mut(project).unwrap();
        files.retain(|name| name != filename);
        if files.is_empty() {
            content.projects.remove(project);
        }
    }

    pub(crate) fn yank(&self, filename: &str, reason: &str) {
        self.content.lock().unwrap().yanked.insert(filename.to_owned(), reason.to_owned());
    }

    pub(crate) fn set_status(&self, project: &str, status: &str) {
        self.content.lock().unwrap().status.insert(project.to_owned(), status.to_owned());
    }

    /// From now on pages say how new they are, this one as new as that.
    pub(crate) fn set_serial(&self, project: &str, serial: u64) {
        self.content.lock().unwrap().serials.insert(project.to_owned(), serial);
    }

    /// How often a path was asked for.
    pub(crate) fn asked(&self, path: &str) -> usize {
        self.content.lock().unwrap().asked.iter().filter(|asked| *asked == path).count()
    }

    fn offer_file(&self, project: &str, path: &Path) {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let project = ProjectName::parse(project).unwrap().to_string();
        let mut content = self.content.lock().unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        content.uploaded.insert(name.clone(), now);
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
        let mut known = None;
        loop {
            let mut header = String::new();
            if input.read_line(&mut header).unwrap_or(0) == 0 {
                return;
            }
            if header.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = header.split_once(':')
                && name.eq_ignore_ascii_case("if-none-match")
            {
                known = Some(value.trim().to_owned());
            }
        }
        let path = request.split(' ').nth(1).unwrap_or_default();
        let (mut status, kind, mut body, serial) = {
            let mut content = content.lock().unwrap();
            content.asked.push(path.to_owned());
            let (status, kind, body) = answer(path, &content);
            let project = path.strip_prefix("/simple/").unwrap_or_default().trim_end_matches('/');
            let serial =
                content.serials.get(project).map(|serial| format!("X-PyPI-Last-Serial: {serial}\r\n"));
            (status, kind, body, serial.unwrap_or_default())
        };
        let etag = format!("\"{}\"", Sha256::of(&body));
        if known == Some(etag.clone()) {
            (status, body) = ("304 Not Modified", Vec::new());
        }
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nETag: {etag}\r\n{serial}Content-Length: {}\r\n\r\n",
            body.len()
        );
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
    if path == "/simple/" {
        let serial = |name| content.serials.get(name).copied().unwrap_or_default();
        let projects: Vec<_> = content
            .projects
            .keys()
            .map(|name| serde_json::json!({ "name": name, "_last-serial": serial(name) }))
            .collect();
        let last = content.serials.values().max().copied().unwrap_or_default();
        let meta = serde_json::json!({ "api-version": "1.4", "_last-serial": last });
        let list = serde_json::json!({ "meta": meta, "projects": projects });
        return ("200 OK", JSON, list.to_string().into_bytes());
    }
    let project = path.strip_prefix("/simple/").map(|rest| rest.trim_end_matches('/'));
    let Some(files) = project.and_then(|project| content.projects.get(project)) else {
        return ("404 Not Found", "text/plain", b"no such page".to_vec());
    };
    let files: Vec<_> = files
        .iter()
        .map(|name| {
            let bytes = &content.files[name];
            let metadata = content.files.get(&format!("{name}.metadata"));
            let metadata = metadata.map_or(false.into(), |text| {
                serde_json::json!({ "sha256": Sha256::of(text).to_string() })
            });
            serde_json::json!({
                "filename": name,
                "url": format!("/files/{name}"),
                "hashes": { "sha256": Sha256::of(bytes).to_string() },
                "size": bytes.len(),
                "core-metadata": metadata,
                "upload-time": piwheels::logging::utc(content.uploaded[name]),
                "yanked": content.yanked.get(name).map_or(false.into(), |why| serde_json::Value::from(why.as_str())),
            })
        })
        .collect();
    let versions: Vec<String> = Vec::new();
    let status = project.and_then(|project| content.status.get(project)).map_or("active", String::as_str);
    let page = serde_json::json!({
        "meta": { "api-version": "1.4" }, "name": project, "files": files, "versions": versions,
        "project-status": { "status": status },
    });
    ("200 OK", JSON, page.to_string().into_bytes())
}
