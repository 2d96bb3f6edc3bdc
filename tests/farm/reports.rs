//! What slaves say of themselves and of builds, as people and scripts get to see it: text, whatever it is.

use piwheels::domain::{JobToken, Sha256};
use piwheels::wire::slave::{
    Board, BuildEnd, BuildReport, BuiltFile, FromSlave, Sdist, ToSlave, Vitals, Wall,
};
use piwheels::wire::{Channel, List, Text};
use serde_json::{Value, json};

use crate::hostile::{hand_over, wheel};
use crate::kit::farm::Farm;
use crate::kit::peer::{Peer, hello};
use crate::kit::sdist::Recipe;
use crate::kit::wait::until;

const ODD: &str = "</dd><script>alert(\"1\")</script>' & \u{202e}";

fn odd<const N: usize>() -> Text<N> {
    Text::new(ODD).unwrap()
}

/// A slave that says odd things of its machine, and was let in.
fn slave(farm: &Farm, label: &str) -> Peer {
    let mut message = hello(piwheels::VERSION, label, "cp311", None);
    if let FromSlave::Hello { board, .. } = &mut message {
        let walls = List::new(vec![Wall::NetOff, Wall::Namespaces]).unwrap();
        *board = Board { machine: odd(), os: Text::new("Debian 12").unwrap(), walls };
    }
    let mut peer = Peer::connect(farm.slave_port, Channel::Slave);
    peer.say(&message);
    let answer = peer.hear();
    assert!(matches!(answer, Some(ToSlave::Hello { .. })), "{answer:?}");
    peer
}

fn busy(holds_back: &str) -> FromSlave {
    FromSlave::Busy {
        vitals: Vitals {
            load1_centi: 100,
            cpus: 4,
            memory_total: 1 << 32,
            memory_free: 1 << 31,
            disk_total: 1 << 34,
            disk_free: 1 << 33,
            temperature: Some(815),
            clock_ms: 0,
            throttled: Some(true),
        },
        holds_back: Some(Text::new(holds_back).unwrap()),
    }
}

fn built(token: JobToken, name: &str, bytes: &[u8]) -> FromSlave {
    let file =
        BuiltFile { filename: Text::new(name).unwrap(), size: bytes.len() as u64, sha256: Sha256::of(bytes) };
    FromSlave::Built {
        token,
        end: BuildEnd::Built,
        duration_ms: 2500,
        log_bytes: 0,
        files: List::new(vec![file]).unwrap(),
        report: BuildReport {
            interpreter: odd(),
            pip: odd(),
            pip_arguments: odd(),
            compiler: odd(),
            sdist: Some(Sdist { filename: odd(), size: 7, sha256: Sha256([0xab; 32]) }),
            requirements: List::new(vec![odd(), Text::new("setuptools-69.5.1").unwrap()]).unwrap(),
            peak_memory: 3 << 19,
            cpu_ms: 0,
            apt: List::new(vec![Text::cut(ODD), Text::new("libfoo1").unwrap(), Text::new("sudo-").unwrap()])
                .unwrap(),
        },
    }
}

fn page(farm: &Farm, path: &str) -> String {
    std::fs::read_to_string(farm.path("www").join(path)).unwrap_or_default()
}

/// Waits for a page that is so; it holds no script, whatever slaves say.
fn wait_for_page(farm: &Farm, path: &str, what: &str, is_so: impl Fn(&str) -> bool) -> String {
    let found = || Some(page(farm, path)).filter(|text| is_so(text));
    let text = until(what, || format!("{}\n{}", page(farm, path), farm.logs()), found);
    assert!(!text.contains("<script") && !text.contains("</script"), "{text}");
    text
}

#[test]
fn what_a_slave_says_of_a_build_is_published_and_told_as_it_was_said_and_as_text() {
    let farm = Farm::start(&["cp311"], &[]);
    farm.index.offer(&Recipe::native("x", "1.0"));
    farm.piw(&["add", "x"]);
    let mut peer = slave(&farm, "odd");
    let (token, _) = peer.take_job();
    let bytes = wheel("x", "1.0");
    peer.say(&built(token, "x-1.0-cp311-cp311-linux_x86_64.whl", &bytes));
    hand_over(&farm, &mut peer, token, &bytes);
    let escaped = "&lt;/dd&gt;&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&#39; &amp; \u{202e}";
    let shown =
        wait_for_page(&farm, "project/x/index.html", "page of x", |text| text.contains("how it was built"));
    for line in [
        format!("<dt>Compiler</dt><dd>{escaped}</dd>"),
        format!("<dt>Machine</dt><dd>{escaped}</dd>"),
        "<dt>Walls</dt><dd>namespaces, net-off</dd>".to_owned(),
        format!("<dt>Source</dt><dd>{escaped}, 7 bytes</dd>\n<dt>SHA-256</dt><dd>{}</dd>", "ab".repeat(32)),
        format!("<dt>Build requirements</dt><dd>{escaped}, setuptools-69.5.1</dd>"),
        "<code>sudo apt install libfoo1</code>".to_owned(),
        "<dt>Peak memory</dt><dd>1.5 MiB</dd>\n<dt>Duration</dt><dd>2.5 s</dd>".to_owned(),
    ] {
        assert!(shown.contains(&line), "{line}\n{shown}");
    }
    let expected = json!({
        "python": "311", "platform": "linux_x86_64", "machine": ODD, "os": "Debian 12",
        "walls": ["namespaces", "net-off"], "interpreter": ODD, "pip": ODD, "pip_arguments": ODD, "compiler": ODD,
        "sdist": {"filename": ODD, "size": 7, "sha256": "ab".repeat(32)},
        "requirements": [ODD, "setuptools-69.5.1"], "peak_memory": 3 << 19, "cpu_ms": null,
        "apt": ["libfoo1"],
    });
    assert_eq!(farm.why("x", "cp311").unwrap()["report"], expected);
    assert_eq!(farm.piw(&["why", "x"]).lines().count(), 1, "people get their line");
    assert_eq!(farm.crawl(), 1);
    farm.audit();
}

#[test]
fn the_page_and_the_json_of_a_project_follow_what_becomes_of_it_and_lead_to_its_files() {
    const PAGE: &str = "project/x/index.html";
    let farm = Farm::start(&["cp39", "cp311"], &[]);
    farm.index.offer(&Recipe::native("x", "1.0").requiring(&["six>=1", "nose; extra == 'test'"]));
    farm.piw(&["add", "x"]);
    let queued =
        wait_for_page(&farm, PAGE, "page before anything is built", |text| text.contains(">queued<"));
    assert!(queued.contains("This farm has no wheel of it.") && queued.contains(">waiting<"), "{queued}");
    farm.piw(&["skip", "x", "--abi", "cp39", "--reason", "not <here>"]);
    wait_for_page(&farm, PAGE, "page with the skip", |text| {
        text.contains("the package is skipped for this ABI: not &lt;here&gt;")
    });
    let mut peer = slave(&farm, "pi");
    let (token, _) = peer.take_job();
    let bytes = wheel("x", "1.0");
    let name = "x-1.0-cp311-cp311-linux_x86_64.whl";
    peer.say(&built(token, name, &bytes));
    hand_over(&farm, &mut peer, token, &bytes);
    wait_for_page(&farm, PAGE, "page with the file", |text| text.contains(name));
    let dir = farm.path("www/project/x/json");
    let json: Value = serde_json::from_str(&page(&farm, "project/x/json/index.json")).unwrap();
    let release = &json["releases"]["1.0"];
    assert_eq!(release["builds"]["cp311"]["state"], "built");
    assert_eq!(
        release["builds"]["cp39"],
        json!({"state": "off", "reason": "the package is skipped for this ABI: not <here>", "outcome": null,
               "due": null, "build_id": null, "log_url": null})
    );
    let file = &release["files"][name];
    assert_eq!((&file["builder_abi"], &file["platform"]), (&json!("cp311"), &json!("linux_x86_64")));
    assert_eq!(file["filehash"], Sha256::of(&bytes).to_string());
    assert_eq!(file["apt_dependencies"], json!(["libfoo1"]));
    let read = |url: &Value| std::fs::read(dir.join(url.as_str().unwrap())).unwrap();
    assert_eq!(read(&file["url"]), bytes, "relative to the JSON's own address");
    assert_eq!(file["metadata_filehash"], Sha256::of(&read(&file["metadata_url"])).to_string());
    assert!(dir.join(json["simple_url"].as_str().unwrap()).join("index.html").is_file());
    assert!(dir.join("index.json.gz").is_file() && dir.join("../index.html.gz").is_file());
    farm.piw(&["skip", "x", "--reason", "enough"]);
    wait_for_page(&farm, PAGE, "page of a skipped project", |text| {
        text.contains("the package is skipped: enough")
    });
    farm.audit();
}

#[test]
fn the_page_of_slaves_follows_them_and_says_what_stands_around_builds_and_what_holds_a_slave_back() {
    const PAGE: &str = "slaves/index.html";
    let mut farm = Farm::start(&["cp311"], &[]);
    farm.index.offer(&Recipe::native("x", "1.0"));
    wait_for_page(&farm, PAGE, "first page of slaves", |text| text.contains("None is connected."));
    farm.piw(&["add", "x"]);
    let (mut builds, mut waits) = (slave(&farm, "builds"), slave(&farm, "<script>waits"));
    builds.take_job();
    waits.say(&busy("its disk is full: <script>"));
    let shown = wait_for_page(&farm, PAGE, "both slaves", |text| {
        text.contains(">building</span> <a href=\"../project/x/\">x</a> 1.0") && text.contains("holds back: ")
    });
    for part in [
        "class=\"wrap\">&lt;script&gt;waits</td>",
        "cp311 <span class=\"muted\">linux_x86_64</span>",
        "<span>&lt;/dd&gt;&lt;script&gt;",
        ">idle</span> <span class=\"muted\">holds back: its disk is full: &lt;script&gt;</span>",
        "82 °C, slowed down",
        "<p>There: namespaces, net-off. Missing: read-only, no-new-privileges, seccomp, landlock, ",
        "class=\"wrap\">builds</td>",
    ] {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
    assert!(!shown.contains("127.0.0.1"), "addresses are nobody's: {shown}");

    let table = farm.piw(&["slaves"]);
    assert!(table.contains("82 C, slowed down") && table.contains("  its disk is full: <script>"), "{table}");
    let one = farm.piw(&["slaves", "builds"]);
    assert!(one.contains("\nwalls          namespaces, net-off\n") && one.contains(", x 1.0\n"), "{one}");
    let json: Value = serde_json::from_str(&farm.piw(&["slaves", "--json", "<script>waits"])).unwrap();
    assert_eq!(json["holds_back"], "its disk is full: <script>");
    assert_eq!(json["board"]["walls_missing"].as_array().unwrap().len(), 9);

    drop(waits);
    wait_for_page(&farm, PAGE, "page without the slave that went", |text| {
        text.contains("class=\"wrap\">builds</td>") && !text.contains("waits")
    });
    farm.kill_master();
    assert!(page(&farm, PAGE).contains("class=\"wrap\">builds</td>"), "who dies changes nothing");
    farm.start_master();
    wait_for_page(&farm, PAGE, "page of the master after it", |text| text.contains("None is connected."));
}
