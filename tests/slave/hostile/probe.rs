//! What tries to see, to change or to reach what is not its own: `probes.py`, a line for each try.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

use piwheels::wire::slave::BuildEnd;

use super::weak::Weak;
use super::{Den, Neighbour, give_away};
use crate::rig::open_to_all;

/// Where everything else is: what a build may do, and does.
const OWN: [&str; 2] = ["memory-to-share", "socket-of-ones-own"];

/// Listens where builds might connect to, and answers everybody, until the test process ends.
fn listen(den: &Den) {
    let answer = |stream: &mut dyn Write| drop(stream.write_all(b"hello"));
    let tcp = den.listener.try_clone().unwrap();
    std::thread::spawn(move || tcp.incoming().flatten().for_each(|mut stream| answer(&mut stream)));
    let path = den.rig.dir.path().join("socket");
    let bound = UnixListener::bind(&path).unwrap();
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
    let hidden = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&den.mark).unwrap()).unwrap();
    for listener in [bound, hidden] {
        std::thread::spawn(move || listener.incoming().flatten().for_each(|mut stream| answer(&mut stream)));
    }
}

/// What a build got by each of its tries.
fn probe(weak: Weak, arguments: &[&str]) -> Option<BTreeMap<String, String>> {
    let mut den = Den::new();
    let before = weak.command()?;
    listen(&den);
    let neighbour = Neighbour::of(&den);
    // where all devices are there it had better not try them
    let left_out = if weak.landlock { "'other-devices'" } else { "" };
    den.add("probes", &format!("probes.run(say, {left_out})\nreturn make(directory)"));
    den.start(&before, arguments);
    let (end, log) = den.build("probes");
    assert_eq!(end, BuildEnd::Built, "{log}");
    drop(neighbour);
    let lines = log.lines().filter_map(|line| line.strip_prefix("probe ")?.split_once(": "));
    let got: BTreeMap<_, _> = lines.map(|(name, what)| (name.to_owned(), what.to_owned())).collect();
    assert!(got.len() > 50 && log.contains(&format!("probes: {}", got.len())), "each of them: {log}");
    let broken: Vec<_> = got.iter().filter(|(_, what)| what.starts_with("BROKEN")).collect();
    assert!(broken.is_empty(), "{broken:#?}");
    let mut got = got;
    if ["/tmp", "/var/tmp"].iter().any(|place| den.rig.dir.path().starts_with(place)) && weak.is_strong() {
        // of the build's own /tmp
        got.retain(|name, _| {
            !["file-in-the-slaves-directory", "file-through-proc-self-root"].contains(&name.as_str())
        });
    }
    Some(got)
}

/// The tries that were worth it.
fn worth(got: &BTreeMap<String, String>) -> Vec<&str> {
    got.iter().filter(|(_, what)| what.starts_with("GOT")).map(|(name, _)| name.as_str()).collect()
}

#[test]
fn a_build_sees_and_reaches_nothing_but_its_own_and_the_network() {
    let got = probe(Weak::default(), &[]).unwrap();
    let network = ["memory-to-share", "other-networks", "socket-of-ones-own", "socket-of-the-machine"];
    assert_eq!(worth(&got), network, "{got:#?}");
    assert_eq!(got["socket-of-the-machine"], "GOT b'hello'");
}

#[test]
fn without_a_network_a_build_reaches_itself_alone() {
    let got = probe(Weak::default(), &["--net", "off"]).unwrap();
    assert_eq!(worth(&got), OWN, "{got:#?}");
    assert_eq!(got["socket-of-the-machine"], "refused: Connection refused");
}

/// The tries are sharp: where walls are missing, they are worth it.
#[test]
fn what_few_walls_do_not_hold_is_known() {
    let weak = Weak { namespaces: true, landlock: true, seccomp: true };
    let Some(got) = probe(weak, &[]) else { return };
    let worth = worth(&got);
    for name in [
        "abstract-socket",
        "file-in-a-home",
        "secret-in-a-home",
        "signal-to-the-slave",
        "socket-in-a-directory",
    ] {
        assert!(worth.contains(&name), "{name}: {got:#?}");
    }
    for name in [
        "environment-of-the-slave-and-its-neighbours",
        "memory-of-the-slave",
        "trace-of-the-slave",
        "files-of-the-slave",
    ] {
        assert!(!worth.contains(&name) || name.starts_with("environment"), "{name}: {got:#?}");
    }
    for name in ["mounts", "root-by-programs", "privileges", "settings-of-the-kernel", "device-of-its-own"] {
        assert!(!worth.contains(&name), "{name}: {got:#?}");
    }
}

#[test]
fn landlock_and_seccomp_hold_much_where_namespaces_are_missing() {
    let Some(got) = probe(Weak { namespaces: true, ..Weak::default() }, &[]) else { return };
    let mut known =
        ["command-lines-outside", "other-networks", "socket-in-a-directory", "socket-of-the-machine"]
            .to_vec();
    known.extend(OWN);
    known.sort_unstable();
    assert_eq!(worth(&got), known, "{got:#?}");
}

/// Of a slave that was started by hand: its terminal, and what the shell has left open to it.
#[test]
fn a_build_has_neither_the_slaves_terminal_nor_its_open_files() {
    let text = "
import fcntl, os, sys, termios
near, far = os.openpty()
os.setsid()
fcntl.ioctl(far, termios.TIOCSCTTY, 0)
os.set_inheritable(near, True)
os.open('/dev/tty', os.O_RDWR)
os.execv(sys.argv[1], sys.argv[1:])";
    let mut den = Den::new();
    den.add("asks", "probes.run(say, only=['terminal', 'open-files-of-pip'])\nreturn make(directory)");
    den.start(&["/usr/bin/python3", "-c", text].map(str::to_owned), &[]);
    let (end, log) = den.build("asks");
    assert_eq!(end, BuildEnd::Built, "{log}");
    assert!(log.contains("probe terminal: refused: No such device or address"), "{log}");
    assert!(log.contains("probe open-files-of-pip: nothing"), "{log}");
}

/// In a directory that is shown to builds, as /etc is.
#[test]
fn the_key_of_a_slave_is_hidden_where_all_around_it_is_read() {
    for weak in [Weak::default(), Weak { namespaces: true, ..Weak::default() }] {
        let den = Den::new();
        let Some(before) = weak.command() else { return };
        let shown = den.rig.dir.path().join("shown");
        fs::create_dir_all(shown.join("deeper")).unwrap();
        let key = piwheels::keyfile::line("hut", &piwheels::wire::auth::Key([7; 32]));
        for (name, text) in [("deeper/key", &*key), ("deeper/public", "hello"), ("public", "hello")] {
            fs::write(shown.join(name), text).unwrap();
        }
        open_to_all(&shown);
        give_away(&shown.join("deeper/key"));
        open_to_all(&shown.join("deeper"));
        // another name of it, and another way to it
        std::os::unix::fs::symlink(shown.join("deeper/key"), shown.join("link")).unwrap();
        std::os::unix::fs::symlink(shown.join("deeper"), shown.join("way")).unwrap();
        let body = r#"
for name in ["public", "deeper/public", "way/public", "deeper/key", "link", "way/key"]:
    try:
        say("read", name, open(evil.RIG + "/shown/" + name).read() or "nothing")
    except OSError as e:
        say("read", name, "nothing")
return make(directory)"#;
        den.add("reads", body);
        let mut command = den.rig.command_through(&before);
        command.args([
            "--build",
            "reads==1.0",
            "--python",
            "/usr/bin/python3",
            "--index-url",
            &den.rig.index.url(),
        ]);
        command.arg("--dir").arg(den.rig.work()).arg("--out").arg(den.rig.work().join("wheels"));
        command.arg("--expose").arg(&shown).arg("--key-file").arg(shown.join("deeper/key"));
        let output = command.output().unwrap();
        let log = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{log}");
        let read: Vec<_> = log.lines().filter_map(|line| line.strip_prefix("read ")).collect();
        let expected = ["public hello", "deeper/public hello", "way/public hello"];
        let hidden = ["deeper/key nothing", "link nothing", "way/key nothing"];
        assert_eq!(read, [expected, hidden].concat(), "{weak:?}: {log}");
    }
}
