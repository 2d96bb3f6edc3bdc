//! Chromium, spoken to by its DevTools protocol over two pipes (JSON, a NUL behind each message).

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::account;
use crate::wait::{PATIENCE, until};

/// A running Chromium with one page; ended, with all its processes, when it is dropped.
pub(crate) struct Browser {
    child: Child,
    to: File,
    from: Receiver<Value>,
    last: u64,
    session: String,
    events: VecDeque<Value>,
    // last, so that everything in it has ended before it goes
    dir: tempfile::TempDir,
}

/// How a page is looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub(crate) width: u32,
    pub(crate) dark: bool,
    pub(crate) script: bool,
}

pub(crate) const DESK: Look = Look { width: 1280, dark: false, script: true };
pub(crate) const DARK: Look = Look { width: 1280, dark: true, script: true };
pub(crate) const PHONE: Look = Look { width: 360, dark: false, script: true };

/// Chromium, if there is one: `PIW_TEST_CHROMIUM`, or Debian's.
fn program() -> Option<PathBuf> {
    let named = std::env::var_os("PIW_TEST_CHROMIUM").map(PathBuf::from);
    named.into_iter().chain([PathBuf::from("/usr/bin/chromium")]).find(|path| path.is_file())
}

/// A browser, or a word why there is none.
pub(crate) fn start(test: &str) -> Option<Browser> {
    match program() {
        Some(program) => Some(Browser::start(&program)),
        None => {
            eprintln!("skipped: {test}: no Chromium");
            if let Some(file) = std::env::var_os("PIW_TEST_SKIPPED") {
                let mut file = File::options().append(true).create(true).open(file).unwrap();
                writeln!(file, "site::{test}: no Chromium: name one in PIW_TEST_CHROMIUM").unwrap();
            }
            None
        }
    }
}

impl Browser {
    fn start(program: &Path) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (there, back) = (dir.path().join("there"), dir.path().join("back"));
        let (profile, log) = (dir.path().join("profile"), dir.path().join("log"));
        for pipe in [&there, &back] {
            nix::unistd::mkfifo(pipe, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
        }
        fs::create_dir(&profile).unwrap();
        for path in [dir.path(), &there, &back, &profile] {
            account::give(path);
        }
        // the protocol's pipes are the descriptors 3 and 4
        let mut command = account::command("/bin/sh");
        command
            .args(["-c", "there=$1 back=$2; shift 2; exec \"$@\" 3<\"$there\" 4>\"$back\"", "sh"])
            .args([&there, &back])
            .arg(program)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .args(["--disable-dev-shm-usage", "--hide-scrollbars", "--remote-debugging-pipe"])
            .arg(format!("--user-data-dir={}", profile.display()))
            .env("HOME", &profile)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .process_group(0);
        let child = command.spawn().unwrap();
        // each end waits for the other to be opened
        let to = OpenOptions::new().write(true).open(&there).unwrap();
        let answers = File::open(&back).unwrap();
        let (sender, from) = channel();
        std::thread::spawn(move || {
            let mut answers = BufReader::new(answers);
            let mut message = Vec::new();
            while answers.read_until(0, &mut message).is_ok_and(|length| length > 0) {
                message.pop();
                let Ok(value) = serde_json::from_slice(&message) else { break };
                if sender.send(value).is_err() {
                    break;
                }
                message.clear();
            }
        });
        let mut browser =
            Self { child, to, from, last: 0, session: String::new(), events: VecDeque::new(), dir };
        let target = browser.call("Target.createTarget", json!({"url": "about:blank"}))["targetId"].clone();
        let attached = browser.call("Target.attachToTarget", json!({"targetId": target, "flatten": true}));
        browser.session = attached["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser
    }

    /// Calls a method and waits for its answer.
    pub(crate) fn call(&mut self, method: &str, params: Value) -> Value {
        self.last += 1;
        let mut message = json!({"id": self.last, "method": method, "params": params});
        if !self.session.is_empty() {
            message["sessionId"] = self.session.as_str().into();
        }
        self.to.write_all(format!("{message}\0").as_bytes()).unwrap();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.receive(deadline, method);
            if answer["id"] == self.last {
                assert!(answer.get("error").is_none(), "{method}: {answer}");
                return answer["result"].clone();
            }
            self.events.push_back(answer);
        }
    }

    fn receive(&self, deadline: Instant, what: &str) -> Value {
        let left = deadline.saturating_duration_since(Instant::now());
        self.from.recv_timeout(left).unwrap_or_else(|error: RecvTimeoutError| {
            let log = fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
            panic!("Chromium gives no answer to {what} ({error}):\n{log}")
        })
    }

    /// Waits for an event; those before it are kept.
    fn wait_event(&mut self, method: &str) {
        if let Some(at) = self.events.iter().position(|event| event["method"] == method) {
            self.events.remove(at);
            return;
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let event = self.receive(deadline, method);
            if event["method"] == method {
                return;
            }
            self.events.push_back(event);
        }
    }

    /// Sets width, colours and whether scripts run.
    pub(crate) fn look(&mut self, look: Look) {
        let metrics =
            json!({"width": look.width, "height": 800, "deviceScaleFactor": 1, "mobile": look.width < 600});
        self.call("Emulation.setDeviceMetricsOverride", metrics);
        let scheme = if look.dark { "dark" } else { "light" };
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.call("Emulation.setEmulatedMedia", media);
        self.call("Emulation.setScriptExecutionDisabled", json!({"value": !look.script}));
    }

    /// Opens a page and waits until it is there with all that belongs to it.
    pub(crate) fn open(&mut self, url: &str) {
        self.events.retain(|event| event["method"] != "Page.loadEventFired");
        let answer = self.call("Page.navigate", json!({"url": url}));
        assert!(answer.get("errorText").is_none(), "{url}: {answer}");
        self.wait_event("Page.loadEventFired");
    }

    /// What an expression of JavaScript comes to, promises awaited.
    pub(crate) fn eval(&mut self, expression: &str) -> Value {
        let params = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let answer = self.call("Runtime.evaluate", params);
        assert!(answer.get("exceptionDetails").is_none(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    pub(crate) fn text_of(&mut self, expression: &str) -> String {
        self.eval(expression).as_str().unwrap_or_default().to_owned()
    }

    /// Waits until an expression is true.
    pub(crate) fn wait_for(&mut self, expression: &str) {
        let page = std::cell::RefCell::new(self);
        until(
            expression,
            || page.borrow_mut().text_of("location.href + '\\n' + document.body.innerText"),
            || (page.borrow_mut().eval(expression) == true).then_some(()),
        );
    }

    /// Types into what has the focus.
    pub(crate) fn type_text(&mut self, text: &str) {
        for letter in text.chars() {
            self.call("Input.dispatchKeyEvent", json!({"type": "keyDown", "text": letter.to_string()}));
            self.call("Input.dispatchKeyEvent", json!({"type": "keyUp"}));
        }
    }

    /// Presses a key that is no letter.
    pub(crate) fn press(&mut self, key: &str) {
        let (code, text) = match key {
            "Enter" => (13, "\r"),
            "Tab" => (9, ""),
            "ArrowDown" => (40, ""),
            "ArrowUp" => (38, ""),
            other => panic!("{other} is not known"),
        };
        let mut down = json!({"type": "keyDown", "key": key, "code": key, "windowsVirtualKeyCode": code});
        if !text.is_empty() {
            down["text"] = text.into();
        }
        self.call("Input.dispatchKeyEvent", down);
        let up = json!({"type": "keyUp", "key": key, "code": key, "windowsVirtualKeyCode": code});
        self.call("Input.dispatchKeyEvent", up);
    }

    /// What the console has said since this was last asked: errors, warnings, refusals of the policy, failed requests.
    pub(crate) fn complaints(&mut self) -> Vec<String> {
        // everything before it has come when it is answered
        self.eval("0");
        let said = self.events.drain(..).filter_map(|event| match event["method"].as_str() {
            // what a browser asks for by itself, of pages that name no icon
            Some("Log.entryAdded")
                if event["params"]["entry"]["url"].as_str().is_some_and(|u| u.ends_with("/favicon.ico")) =>
            {
                None
            }
            Some("Runtime.exceptionThrown" | "Log.entryAdded" | "Runtime.consoleAPICalled") => {
                Some(event["params"].to_string())
            }
            Some("Network.loadingFailed") if event["params"]["canceled"] != true => {
                Some(event["params"].to_string())
            }
            _ => None,
        });
        said.collect()
    }

    /// Keeps a picture of the whole page.
    pub(crate) fn picture(&mut self, name: &str) -> PathBuf {
        let data =
            self.call("Page.captureScreenshot", json!({"format": "png", "captureBeyondViewport": true}));
        let dir = screenshots();
        let path = dir.join(format!("{name}.png"));
        fs::write(&path, base64(data["data"].as_str().unwrap())).unwrap();
        path
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // it ends by itself when it is asked to; what is left of its group is ended
        self.session.clear();
        self.last += 1;
        let bye = json!({"id": self.last, "method": "Browser.close"});
        let asked = self.to.write_all(format!("{bye}\0").as_bytes()).is_ok();
        let deadline = Instant::now() + Duration::from_secs(if asked { 10 } else { 0 });
        while self.child.try_wait().is_ok_and(|ended| ended.is_none()) && Instant::now() < deadline {
            let _ = self.from.recv_timeout(Duration::from_millis(50));
        }
        let group = nix::unistd::Pid::from_raw(self.child.id() as i32);
        let _ = nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL);
        let _ = self.child.wait();
    }
}

/// Where pictures are kept.
pub(crate) fn screenshots() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../site-screenshots");
    let dir = std::env::var_os("PIW_TEST_SCREENSHOTS").map_or(target, PathBuf::from);
    fs::create_dir_all(&dir).unwrap();
    dir
}

fn base64(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut held) = (0_u32, 0);
    for letter in text.bytes() {
        let six = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => break,
        };
        bits = bits << 6 | u32::from(six);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held & 0xff) as u8);
        }
    }
    bytes
}
