//! What Prometheus is told: a real master scraped over both kinds of address, by good scrapers and by others; and whether
//! rules and dashboard speak of what there is.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use piwheels::master::limits::{METRICS_CONNECTIONS, METRICS_REQUEST_BYTES};
use piwheels::wire::List;
use piwheels::wire::slave::{BuildEnd, FromSlave, ToSlave};
use serde_json::Value;

use crate::chain::skip;
use crate::hostile::{deliver, wheel};
use crate::kit::account;
use crate::kit::cluster::Stop;
use crate::kit::farm::{Farm, text};
use crate::kit::peer::Peer;
use crate::kit::sdist::Recipe;
use crate::kit::wait::{PATIENCE, until};

/// A port that the system chooses.
const PORT: [&str; 2] = ["--metrics-queue", "tcp://127.0.0.1:0"];

fn port(farm: &Farm) -> u16 {
    let line = farm.master().wait_for_line(0, &["listening for metrics connections on tcp://127.0.0.1:"]);
    line.rsplit(':').next().unwrap().parse().unwrap()
}

/// Says `bytes` and hears all there is to hear.
fn say(mut stream: impl Read + Write, bytes: &[u8]) -> String {
    // one that is dropped has no answer
    let _ = stream.write_all(bytes);
    let mut heard = Vec::new();
    let _ = stream.read_to_end(&mut heard);
    String::from_utf8(heard).unwrap()
}

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn request(line: &str, header: &str) -> Vec<u8> {
    format!("{line} HTTP/1.1\r\nHost: farm\r\n{header}\r\n").into_bytes()
}

/// Status line, header and text of an answer, whose length is as it says.
fn ask(stream: impl Read + Write, line: &str, header: &str) -> (String, String, String) {
    let heard = say(stream, &request(line, header));
    let (head, body) = heard.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {heard:?}"));
    let (status, header) = head.split_once("\r\n").unwrap();
    let length = header.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
    if !line.starts_with("HEAD") {
        assert_eq!(length.parse(), Ok(body.len()), "{heard}");
    }
    (status.to_owned(), header.to_owned(), body.to_owned())
}

fn scrape(port: u16) -> String {
    let (status, _, body) = ask(connect(port), "GET /metrics", "");
    assert_eq!(status, "HTTP/1.1 200 OK");
    body
}

/// The value of a series.
fn value(text: &str, series: &str) -> Option<f64> {
    let line =
        text.lines().find(|line| line.strip_prefix(series).is_some_and(|rest| rest.starts_with(' ')))?;
    line[series.len() + 1..].parse().ok()
}

/// Waits until every series has its value; the text then.
fn wait_for(port: u16, farm: &Farm, wanted: &[(&str, f64)]) -> String {
    let wrong = |text: &str| -> Vec<String> {
        let odd = wanted.iter().filter(|(series, wanted)| value(text, series) != Some(*wanted));
        odd.map(|(series, wanted)| format!("{series} is {:?}, not {wanted}", value(text, series))).collect()
    };
    until(
        "values",
        || format!("{:#?}\n{}", wrong(&scrape(port)), farm.logs()),
        || Some(scrape(port)).filter(|text| wrong(text).is_empty()),
    )
}

/// Debian's programs, or the machine's, as `tools/test` prepared them.
fn tool(test: &str, name: &str) -> Option<PathBuf> {
    match std::env::var_os("PIW_TEST_PROMETHEUS") {
        Some(program) => Some(Path::new(&program).with_file_name(name)),
        None => {
            skip(test, "PIW_TEST_PROMETHEUS is not set: tools/test prepares promtool and prometheus");
            None
        }
    }
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/prometheus").join(name)
}

fn succeeds(command: &mut Command) -> String {
    let output: Output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", text(&output));
    text(&output)
}

/// The whole text is what `promtool check metrics` finds nothing wrong with.
fn check_metrics(promtool: &Path, metrics: &str) {
    let mut command = Command::new(promtool);
    command.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(metrics.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && text(&output).is_empty(), "{}", text(&output));
}

#[test]
fn what_the_farm_does_shows_in_its_metrics_on_a_port_and_on_a_socket() {
    let mut farm = Farm::start(&["cp311"], &PORT);
    let at = port(&farm);
    let start = wait_for(at, &farm, &[("piwheels_queue_jobs{abi=\"cp311\",class=\"asked\"}", 0.0)]);
    for (series, wanted) in [
        ("piwheels_mode{mode=\"running\"}", 1.0),
        ("piwheels_slaves{abi=\"cp311\",state=\"idle\"}", 0.0),
        ("piwheels_builds_total{abi=\"cp311\",outcome=\"built\"}", 0.0),
        ("piwheels_database_up", 1.0),
        ("piwheels_database_connections", 4.0),
        ("piwheels_follow_info{mode=\"list\"}", 1.0),
        ("piwheels_metrics_left_out", 0.0),
    ] {
        assert_eq!(value(&start, series), Some(wanted), "{series} in {start}");
    }
    for package in ["good", "bad"] {
        farm.index.offer(&Recipe::native(package, "1.0"));
    }
    farm.piw(&["add", "good", "bad"]);
    let mut slave = Peer::slave(farm.slave_port, "one", None);
    let (token, what) = slave.take_job();
    assert_eq!(what, "good==1.0");
    wait_for(
        at,
        &farm,
        &[
            ("piwheels_slaves{abi=\"cp311\",state=\"building\"}", 1.0),
            ("piwheels_connections{channel=\"slave\"}", 1.0),
            ("piwheels_queue_jobs{abi=\"cp311\",class=\"asked\"}", 1.0),
            ("piwheels_leases", 1.0),
        ],
    );
    let bytes = wheel("good", "1.0");
    deliver(&farm, &mut slave, token, "good-1.0-cp311-cp311-linux_x86_64.whl", &bytes);
    let (token, _) = slave.take_job();
    let files = List::new(Vec::new()).unwrap();
    let report = Default::default();
    slave.say(&FromSlave::Built {
        token,
        end: BuildEnd::Failed,
        duration_ms: 2500,
        log_bytes: 0,
        files,
        report,
    });
    assert!(matches!(slave.hear(), Some(ToSlave::Done { .. })));
    drop(slave);
    let end = wait_for(
        at,
        &farm,
        &[
            ("piwheels_builds_total{abi=\"cp311\",outcome=\"built\"}", 1.0),
            ("piwheels_builds_total{abi=\"cp311\",outcome=\"failed\"}", 1.0),
            ("piwheels_build_duration_seconds_bucket{le=\"1.0\"}", 1.0),
            ("piwheels_build_duration_seconds_bucket{le=\"+Inf\"}", 2.0),
            ("piwheels_build_duration_seconds_sum", 2.501),
            ("piwheels_published_files_total", 1.0),
            ("piwheels_published_bytes_total", bytes.len() as f64),
            ("piwheels_transfer_bytes_total", bytes.len() as f64),
            ("piwheels_transfers_ended_total{result=\"sound\"}", 1.0),
            ("piwheels_connections{channel=\"slave\"}", 0.0),
            ("piwheels_connections_opened_total{channel=\"slave\"}", 1.0),
            ("piwheels_slaves{abi=\"cp311\",state=\"building\"}", 0.0),
            ("piwheels_files", 1.0),
            ("piwheels_packages_published", 1.0),
        ],
    );
    let at_least = |series: &str, least: f64| {
        let found = value(&end, series);
        assert!(found.is_some_and(|found| found >= least), "{series}: {found:?} in {end}");
    };
    at_least("piwheels_received_bytes_total{channel=\"file\"}", bytes.len() as f64);
    at_least("piwheels_sent_bytes_total{channel=\"slave\"}", 100.0);
    at_least("piwheels_received_bytes_total{channel=\"import\"}", 10.0);
    at_least("piwheels_rewrites_total{page=\"project\",result=\"written\"}", 1.0);
    at_least("piwheels_rewrite_duration_seconds_count{page=\"project\"}", 1.0);
    at_least("piwheels_database_request_duration_seconds_count", 10.0);
    at_least("piwheels_reactor_turn_duration_seconds_count", 20.0);
    at_least("piwheels_scrapes_total{code=\"200\"}", 2.0);
    at_least("process_resident_memory_bytes", 1e6);
    at_least("process_open_fds", 10.0);
    at_least("process_start_time_seconds", 1.7e9);
    at_least("piwheels_disk_free_bytes{path=\"output\"}", 1.0);
    let turns = value(&end, "piwheels_reactor_turn_duration_seconds_bucket{le=\"+Inf\"}");
    assert_eq!(turns, value(&end, "piwheels_reactor_turn_duration_seconds_count"));
    if let Some(promtool) = tool("promtool check metrics", "promtool") {
        check_metrics(&promtool, &end);
    }
    farm.piw(&["pause"]);
    let pause = [("piwheels_mode{mode=\"paused\"}", 1.0), ("piwheels_mode{mode=\"running\"}", 0.0)];
    wait_for(at, &farm, &pause);

    // the same on a Unix socket, which is the owner's and root's alone
    farm.restart_with(&["--metrics-queue", "ipc://{run}/metrics"]);
    let socket = farm.path("run/metrics");
    use std::os::unix::fs::MetadataExt;
    assert_eq!(socket.metadata().unwrap().mode() & 0o777, 0o600);
    let (status, header, body) = ask(UnixStream::connect(&socket).unwrap(), "GET /metrics", "");
    assert_eq!(
        (status.as_str(), value(&body, "piwheels_mode{mode=\"running\"}")),
        ("HTTP/1.1 200 OK", Some(1.0))
    );
    assert!(header.contains("Content-Type: text/plain; version=0.0.4; charset=utf-8"), "{header}");
    let accept = "Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n";
    let (_, header, open) = ask(UnixStream::connect(&socket).unwrap(), "GET /metrics", accept);
    assert!(header.contains("Content-Type: application/openmetrics-text; version=1.0.0"), "{header}");
    assert!(open.contains("# TYPE piwheels_builds counter\n") && open.ends_with("\n# EOF\n"), "{open}");
    farm.master().signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(farm.master.as_mut().unwrap().wait(), 0);
    assert!(!socket.exists(), "a master that ends takes its socket with it");
}

#[test]
fn addresses_that_others_reach_are_refused_and_without_one_there_is_no_port() {
    let farm = Farm::start(&[], &[]);
    assert!(!farm.master().log().contains("listening for metrics"));
    for (address, why) in [
        ("tcp://*:0", "other machines can reach it"),
        ("tcp://0.0.0.0:0", "other machines can reach it"),
        ("tcp://[::]:0", "other machines can reach it"),
        ("tcp://192.0.2.1:0", "other machines can reach it"),
        ("tcp://127.0.0.1", "names no port"),
        ("/run/metrics", "is not an address"),
    ] {
        let output = farm.master_command(&["--metrics-queue", address]).output().unwrap();
        let said = text(&output);
        assert_eq!(output.status.code(), Some(2), "{address}: {said}");
        assert!(said.contains("--metrics-queue") && said.contains(why), "{address}: {said}");
    }
}

#[test]
fn odd_scrapers_disturb_neither_each_other_nor_the_farm() {
    let farm = Farm::start(&["cp311"], &PORT);
    let at = port(&farm);
    farm.index.offer(&Recipe::native("bystander", "1.0"));
    farm.piw(&["add", "bystander"]);
    let mut bystander = Peer::slave(farm.slave_port, "bystander", None);
    let (token, _) = bystander.take_job();

    for (line, status) in [
        ("GET /", "HTTP/1.1 404 Not Found"),
        ("GET /metrics/x", "HTTP/1.1 404 Not Found"),
        ("GET /../etc/passwd", "HTTP/1.1 404 Not Found"),
        ("POST /metrics", "HTTP/1.1 405 Method Not Allowed"),
        ("DELETE /metrics", "HTTP/1.1 405 Method Not Allowed"),
        ("HEAD /metrics", "HTTP/1.1 200 OK"),
    ] {
        let (said, header, body) = ask(connect(at), line, "");
        assert_eq!(said, status, "{line}");
        assert_eq!(header.contains("Allow: GET, HEAD"), status.contains("405"), "{header}");
        assert_eq!(body.is_empty(), line.starts_with("HEAD"), "{body}");
        assert!(!body.contains("piwheels_"), "{body}");
    }
    let long = format!("GET /metrics HTTP/1.1\r\nX: {}", "x".repeat(2 * METRICS_REQUEST_BYTES));
    for (bytes, reason) in [
        (&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], "it does not speak HTTP"),
        (b"GET /metrics\r\n\r\n", "its first line is not 'METHOD PATH HTTP/1.1'"),
        (b"GET /metrics HTTP/1.1\r\nrubbish\r\n\r\n", "a line of its header has no colon"),
        (long.as_bytes(), "its request is too long"),
    ] {
        assert_eq!(say(connect(at), bytes), "");
        farm.master().wait_for_line(0, &["127.0.0.1:", "dropped:", reason, "[protocol]"]);
    }
    // a body is not waited for, and a second request on the same connection is not answered
    let twice = [request("GET /metrics", "Content-Length: 10\r\n"), request("GET /metrics", "")].concat();
    assert_eq!(say(connect(at), &twice).matches("HTTP/1.1 200 OK").count(), 1);

    // some say nothing, some half a request, some do not read: all slots, and more
    let mut slow = Vec::new();
    for n in 0..2 * METRICS_CONNECTIONS {
        let mut stream = connect(at);
        match n % 3 {
            0 => {}
            1 => stream.write_all(b"GET /metrics HTT").unwrap(),
            _ => stream.write_all(&request("GET /metrics", "")).unwrap(),
        }
        slow.push(stream);
        assert!(scrape(at).contains("piwheels_mode"), "one that asks is answered all the same");
    }
    farm.master().wait_for_line(0, &["dropped: 8 others scrape at the same time", "[too-many]"]);
    farm.master().wait_for_line(0, &["dropped: no whole request after 10 s [too-slow]"]);
    for mut stream in slow {
        let mut heard = Vec::new();
        let _ = stream.read_to_end(&mut heard);
        assert!(heard.is_empty() || heard.starts_with(b"HTTP/1.1 200 OK"), "every one of them has ended");
    }
    let dropped = [
        "piwheels_peers_dropped_total{reason=\"protocol\"}",
        "piwheels_peers_dropped_total{reason=\"too-slow\"}",
    ];
    let metrics = scrape(at);
    assert_eq!(value(&metrics, dropped[0]), Some(4.0), "{metrics}");
    assert!(value(&metrics, dropped[1]) >= Some(1.0), "{metrics}");

    let name = "bystander-1.0-cp311-cp311-linux_x86_64.whl";
    deliver(&farm, &mut bystander, token, name, &wheel("bystander", "1.0"));
    assert_eq!(farm.crawl(), 1);
    farm.audit();
}

#[test]
fn a_database_that_is_away_shows_and_the_numbers_grow_old() {
    let mut farm = Farm::start(&["cp311"], &PORT);
    let at = port(&farm);
    wait_for(at, &farm, &[("piwheels_database_up", 1.0), ("piwheels_files", 0.0)]);
    farm.cluster.stop(Stop::Fast);
    let away = wait_for(at, &farm, &[("piwheels_database_up", 0.0)]);
    assert_eq!(value(&away, "piwheels_files"), Some(0.0), "what was known stays");
    let busy = until(
        "a question under way",
        || farm.logs(),
        || {
            Some(scrape(at))
                .filter(|text| value(text, "piwheels_database_oldest_request_age_seconds") > Some(0.0))
        },
    );
    assert!(value(&busy, "piwheels_database_failures_total") > Some(0.0), "{busy}");
    farm.cluster.restart();
    wait_for(at, &farm, &[("piwheels_database_up", 1.0)]);
}

/// The names in a query that are metrics of ours, with the labels that are matched or grouped by.
fn names(query: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = query.split(|c| !is_name(c));
    words
        .filter(|word| word.starts_with("piwheels_") || word.starts_with("process_"))
        .map(str::to_owned)
        .collect()
}

/// Matchers of a query on labels that the metric itself has: metric, label, value.
fn matchers(query: &str) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    for (at, _) in query.match_indices('{') {
        let name: String =
            query[..at].chars().rev().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        let name: String = name.chars().rev().collect();
        let inside = query[at + 1..].split('}').next().unwrap();
        for matcher in inside.split(',') {
            let (label, value) = matcher.split_once(['=', '!']).unwrap();
            let value = value.trim_start_matches(['=', '~']).trim().trim_matches('"');
            found.push((name.clone(), label.trim().to_owned(), value.to_owned()));
        }
    }
    found
}

/// The expressions of rules.
fn expressions(rules: &str) -> Vec<String> {
    let after = rules.split("expr: ").skip(1);
    after
        .map(|rest| rest[..rest.find("labels:").unwrap()].split("for: ").next().unwrap().to_owned())
        .collect()
}

/// All queries of the dashboard, with its variables filled in.
fn dashboard() -> Vec<String> {
    let dashboard: Value =
        serde_json::from_str(&std::fs::read_to_string(file("dashboard.json")).unwrap()).unwrap();
    let mut queries = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            queries.push(target["expr"].as_str().unwrap().to_owned());
        }
    }
    for note in dashboard["annotations"]["list"].as_array().unwrap() {
        queries.push(note["expr"].as_str().unwrap().to_owned());
    }
    assert!(queries.len() > 50, "{}", queries.len());
    let fill = |query: &str| {
        query.replace("$job", ".*").replace("$instance", ".*").replace("$__rate_interval", "1m")
    };
    queries.iter().map(|query| fill(query)).collect()
}

#[test]
fn rules_and_dashboard_speak_of_metrics_that_a_master_has_and_prometheus_reads_them() {
    let farm = Farm::start(&["cp311"], &["--metrics-queue", "tcp://127.0.0.1:0", "--follow", "all"]);
    let at = port(&farm);
    let metrics = wait_for(at, &farm, &[("piwheels_queue_jobs{abi=\"cp311\",class=\"new\"}", 0.0)]);
    // name of each series → its labels and their values
    let mut there: BTreeMap<&str, BTreeMap<&str, BTreeSet<&str>>> = BTreeMap::new();
    for line in metrics.lines().filter(|line| !line.starts_with('#')) {
        let series = line.rsplit_once(' ').unwrap().0;
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let known = there.entry(name).or_default();
        for label in labels.trim_end_matches('}').split(',').filter(|label| !label.is_empty()) {
            let (label, value) = label.split_once('=').unwrap();
            known.entry(label).or_default().insert(value.trim_matches('"'));
        }
    }
    let rules = std::fs::read_to_string(file("piwheels.rules.yml")).unwrap();
    let tests = std::fs::read_to_string(file("piwheels.test.yml")).unwrap();
    let mut used = names(&rules);
    let queries = dashboard();
    queries.iter().for_each(|query| used.extend(names(query)));
    // it knows of serials when the index has told one
    let missing: Vec<_> = used
        .iter()
        .chain(&names(&tests))
        .filter(|name| !there.contains_key(name.as_str()) && *name != "piwheels_pypi_serial")
        .cloned()
        .collect();
    assert!(missing.is_empty(), "nothing prints {missing:?}");
    let shown: BTreeSet<&str> = there
        .keys()
        .map(|name| {
            ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name)
        })
        .collect();
    let unused: Vec<_> =
        shown.iter().filter(|name| !used.iter().any(|used| used.starts_with(**name))).collect();
    assert_eq!(
        unused,
        [&"piwheels_build_info", &"piwheels_follow_info", &"piwheels_metrics_left_out"],
        "not on the dashboard"
    );
    for query in queries.iter().chain(&expressions(&rules)) {
        for (name, label, value) in matchers(query) {
            let Some(labels) = there.get(name.as_str()) else { continue };
            if ["job", "instance"].contains(&label.as_str()) {
                continue;
            }
            let known = labels.get(label.as_str());
            assert!(known.is_some(), "{name} has no label {label}: {query}");
            let fine = |value: &str| value.is_empty() || known.is_some_and(|known| known.contains(value));
            assert!(value.split('|').all(fine), "{name} has no {label} {value}: {query}");
        }
    }

    let test = "rules and dashboard in Prometheus";
    let (Some(promtool), Some(prometheus)) = (tool(test, "promtool"), tool(test, "prometheus")) else {
        return;
    };
    succeeds(Command::new(&promtool).args(["check", "config"]).arg(file("prometheus.yml")));
    succeeds(Command::new(&promtool).args(["check", "rules"]).arg(file("piwheels.rules.yml")));
    succeeds(Command::new(&promtool).args(["test", "rules"]).arg(file("piwheels.test.yml")));
    check_metrics(&promtool, &metrics);

    // Prometheus itself, on the configuration as it is but for port and pace
    let dir = farm.path("run/prometheus");
    std::fs::create_dir(&dir).unwrap();
    account::give(&dir);
    let config = std::fs::read_to_string(file("prometheus.yml")).unwrap();
    let config = config
        .replace("127.0.0.1:5557\"]", &format!("127.0.0.1:{at}\"]"))
        .replace("_interval: 15s", "_interval: 1s");
    assert!(config.contains(&at.to_string()));
    std::fs::write(dir.join("prometheus.yml"), config).unwrap();
    std::fs::copy(file("piwheels.rules.yml"), dir.join("piwheels.rules.yml")).unwrap();
    let mut command = account::command(&prometheus);
    command
        .arg(format!("--config.file={}", dir.join("prometheus.yml").display()))
        .arg(format!("--storage.tsdb.path={}", dir.join("data").display()))
        .arg("--web.listen-address=127.0.0.1:0");
    let running = farm.spawn(command, "prometheus");
    let line = running.wait_for_line(0, &["Listening on", "address=127.0.0.1:"]);
    let api: u16 = line.rsplit(':').next().unwrap().trim().parse().unwrap();
    until("Prometheus", || running.log(), || ask_api(api, "/-/ready").0.contains(" 200 ").then_some(()));
    let get = |path: &str| -> Value {
        let (status, _, body) = ask_api(api, path);
        assert_eq!(status, "HTTP/1.1 200 OK", "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    };
    let query = |query: &str| get(&format!("/api/v1/query?query={}", escaped(query)));
    let count = |answer: &Value| answer["data"]["result"].as_array().unwrap().len();
    until(
        "good scrape",
        || format!("{}\n{}", get("/api/v1/targets"), running.log()),
        || (count(&query("up{job=\"piwheels\"} == 1")) == 1).then_some(()),
    );
    let target = &get("/api/v1/targets")["data"]["activeTargets"][0];
    assert_eq!((target["health"].as_str(), target["lastError"].as_str()), (Some("up"), Some("")), "{target}");
    // what it read is what the other format says, too
    let series = || scrape(at).lines().filter(|line| !line.starts_with('#')).count();
    let read = || count(&query("{job=\"piwheels\", __name__=~\"piwheels_.*|process_.*\"}"));
    until("every series", || format!("{} of {}", read(), series()), || (read() == series()).then_some(()));
    until(
        "evaluation of the rules",
        || get("/api/v1/rules").to_string(),
        || {
            let rules = get("/api/v1/rules");
            let rules = rules["data"]["groups"][0]["rules"].as_array()?.clone();
            assert!(rules.iter().all(|rule| rule["health"] != "err"), "{rules:?}");
            rules.iter().all(|rule| rule["health"] == "ok").then_some(())
        },
    );
    for each in &queries {
        query(each);
    }
}

fn ask_api(port: u16, path: &str) -> (String, String, String) {
    let heard = say(
        connect(port),
        &request(&format!("GET {path}"), "Connection: close\r\nAccept-Encoding: identity\r\n"),
    );
    let (head, body) = heard.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {heard:?}"));
    let (status, header) = head.split_once("\r\n").unwrap();
    let chunked = header.to_lowercase().contains("transfer-encoding: chunked");
    (status.to_owned(), header.to_owned(), if chunked { unchunked(body) } else { body.to_owned() })
}

fn unchunked(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((length, rest)) = body.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).unwrap();
        whole += &rest[..length];
        body = rest[length..].trim_start_matches("\r\n");
    }
    whole
}

fn escaped(query: &str) -> String {
    query.bytes().map(|byte| format!("%{byte:02x}")).collect()
}
