//! A network of two ends: the near one on this machine, the far one in a namespace of its own.

use std::net::Ipv4Addr;
use std::process::{Child, Command};

use crate::kit::account;
use crate::kit::farm::{Farm, Running, python, text};

/// Made by root, and gone with this.
pub(crate) struct Link {
    namespace: String,
    near_device: String,
    far_device: String,
    /// The near end's address, in a network that no machine has: 198.18.0.0/15 is for measurements (RFC 2544).
    pub(crate) near: Ipv4Addr,
    far: Ipv4Addr,
    other_far: Ipv4Addr,
    forward: Option<Child>,
}

/// Takes connections on a port of its loopback on to another address.
const FORWARD: &str = "
import socket, sys, threading
def pump(a, b):
    while data := a.recv(65536):
        b.sendall(data)
    b.shutdown(socket.SHUT_WR)
listener = socket.create_server(('127.0.0.1', int(sys.argv[1])))
while True:
    near, _ = listener.accept()
    far = socket.create_connection((sys.argv[2], int(sys.argv[3])))
    for pair in ((near, far), (far, near)):
        threading.Thread(target=pump, args=pair, daemon=True).start()
";

impl Link {
    /// `None`, said aloud, where that cannot be had.
    pub(crate) fn new(test: &str) -> Option<Self> {
        let why = if !nix::unistd::geteuid().is_root() {
            Some("network namespaces are made by root".to_owned())
        } else {
            ["ip", "setpriv"]
                .into_iter()
                .find(|tool| Command::new(tool).arg("-V").output().is_err())
                .map(|t| format!("there is no {t}"))
        };
        if let Some(why) = why {
            skipped(test, &why);
            return None;
        }
        let process = std::process::id();
        let (third, fourth) = ((process >> 5) as u8, (process as u8 & 31) * 8);
        let address = |host| Ipv4Addr::new(198, 18, third, fourth + host);
        let link = Self {
            namespace: format!("piw-{test}-{process}"),
            near_device: format!("pw{process}n"),
            far_device: format!("pw{process}f"),
            near: address(1),
            far: address(2),
            other_far: address(3),
            forward: None,
        };
        match link.make() {
            Ok(()) => Some(link),
            Err(why) => {
                skipped(test, &why);
                None
            }
        }
    }

    fn make(&self) -> Result<(), String> {
        let (near, far) = (&*self.near_device, &*self.far_device);
        run(&["ip", "netns", "add", &self.namespace])?;
        run(&["ip", "link", "add", near, "type", "veth", "peer", "name", far, "netns", &self.namespace])?;
        run(&["ip", "addr", "add", &format!("{}/29", self.near), "dev", near])?;
        run(&["ip", "link", "set", near, "up"])?;
        self.inside(&["ip", "addr", "add", &format!("{}/29", self.far), "dev", far])?;
        self.inside(&["ip", "link", "set", "lo", "up"])?;
        self.inside(&["ip", "link", "set", far, "up"])
    }

    fn inside(&self, words: &[&str]) -> Result<(), String> {
        run(&[&["ip", "netns", "exec", &self.namespace], words].concat())
    }

    /// Has the farm's master listen on the near end, and makes its index reachable from the far end under the address
    /// that it has here: pip takes nothing from an index without TLS unless it is on loopback.
    pub(crate) fn connect(&mut self, farm: &mut Farm) {
        let (slaves, files) = (farm.slave_port, farm.file_port);
        let url = farm.index.serve_on(self.near);
        farm.kill_master();
        farm.use_addresses(&format!("tcp://{}:{slaves}", self.near), &format!("tcp://{}:{files}", self.near));
        farm.start_master();
        let port = |url: &str| url.trim_end_matches("/simple").rsplit(':').next().unwrap().to_owned();
        let mut forward = Command::new("ip");
        forward.args(["netns", "exec", &self.namespace]).arg(python()).args(["-c", FORWARD]);
        forward.args([port(&farm.index.url), self.near.to_string(), port(&url)]);
        self.forward = Some(forward.spawn().unwrap());
    }

    /// A real slave at the far end.
    pub(crate) fn start_slave(&self, farm: &Farm, label: &str) -> Running {
        let near = self.near.to_string();
        let slave = farm.slave_command(label, &python(), &["-m", &near]);
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace]);
        if let Some(user) = account::ordinary() {
            command.arg("setpriv").arg(format!("--reuid={}", user.uid)).arg(format!("--regid={}", user.gid));
            command.args(["--clear-groups", "--"]).env("HOME", "/");
        }
        command.current_dir("/").arg(slave.get_program()).args(slave.get_args());
        farm.spawn(command, label)
    }

    /// The far end has another address from now on.
    pub(crate) fn move_far_end(&self) {
        let (device, old, new) =
            (&*self.far_device, format!("{}/29", self.far), format!("{}/29", self.other_far));
        self.inside(&["ip", "addr", "del", &old, "dev", device]).unwrap();
        self.inside(&["ip", "addr", "add", &new, "dev", device]).unwrap();
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Some(mut forward) = self.forward.take() {
            let _ = forward.kill();
            let _ = forward.wait();
        }
        // deleting one end deletes the other
        let _ = run(&["ip", "link", "del", &self.near_device]);
        let _ = run(&["ip", "netns", "del", &self.namespace]);
    }
}

fn run(words: &[&str]) -> Result<(), String> {
    let output =
        Command::new(words[0]).args(&words[1..]).output().map_err(|e| format!("{}: {e}", words[0]))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(format!("{}: {}", words.join(" "), text(&output).trim()))
    }
}

/// Says why, and where tools/test collects it.
fn skipped(test: &str, why: &str) {
    use std::io::Write;
    eprintln!("skipped: {test}: {why}");
    if let Some(path) = std::env::var_os("PIW_TEST_SKIPPED") {
        let mut file = std::fs::File::options().append(true).create(true).open(path).unwrap();
        writeln!(file, "net::{test}: {why}").unwrap();
    }
}
