//! A real terminal: tmux, detached, on a socket of its own.

use std::path::PathBuf;
use std::process::Command;

use super::account;
use super::farm::{Farm, text};
use super::wait::until;

/// Whether there is a tmux; where not, the test is noted as skipped.
pub(crate) fn is_there(test: &str) -> bool {
    if Command::new("tmux").arg("-V").output().is_ok_and(|output| output.status.success()) {
        return true;
    }
    let line = format!("skipped: {test}: there is no tmux to be a terminal");
    eprintln!("{line}");
    if let Some(file) = std::env::var_os("PIW_TEST_SKIPPED") {
        use std::io::Write;
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(file).unwrap();
        writeln!(file, "{line}").unwrap();
    }
    false
}

/// A shell in a terminal of some size; all of it ends with this.
pub(crate) struct Terminal {
    sockets: PathBuf,
}

impl Terminal {
    /// A terminal with a shell whose prompt is `$`, in the farm's directory of sockets.
    pub(crate) fn start(farm: &Farm, width: u16, height: u16) -> Self {
        let terminal = Self { sockets: farm.path("run") };
        let size = [width.to_string(), height.to_string()];
        terminal.tmux(&[
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            &size[0],
            "-y",
            &size[1],
            "exec env PS1='$ ' sh",
        ]);
        terminal.tmux(&["set-option", "-g", "status", "off"]);
        terminal.tmux(&["set-option", "-g", "window-size", "manual"]);
        terminal.resize(width, height);
        terminal.wait(&["$"]);
        terminal
    }

    fn command(&self) -> Command {
        let mut command = account::command("tmux");
        command
            .env("TMUX_TMPDIR", &self.sockets)
            .env("LC_ALL", "C.UTF-8")
            // Otherwise tmux asks the account for its shell, and an account for services has none that stays.
            .env("SHELL", "/bin/sh")
            .env_remove("TMUX")
            .env_remove("NO_COLOR");
        command.args(["-u", "-L", "piwheels"]);
        command
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let output = self.command().args(arguments).output().unwrap();
        assert!(output.status.success(), "tmux {arguments:?}: {}", text(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Types a line into the shell.
    pub(crate) fn run(&self, line: &str) {
        self.tmux(&["send-keys", "-l", line]);
        self.keys(&["Enter"]);
    }

    /// Presses keys, by tmux's names.
    pub(crate) fn keys(&self, keys: &[&str]) {
        let mut arguments = vec!["send-keys"];
        arguments.extend(keys);
        self.tmux(&arguments);
    }

    /// Sends bytes as the terminal would: the mouse.
    pub(crate) fn bytes(&self, bytes: &str) {
        self.tmux(&["send-keys", "-l", bytes]);
    }

    pub(crate) fn resize(&self, width: u16, height: u16) {
        self.tmux(&["resize-window", "-x", &width.to_string(), "-y", &height.to_string()]);
    }

    /// What is shown.
    pub(crate) fn picture(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// The same, with colours and other looks as sequences.
    pub(crate) fn looks(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-e"])
    }

    /// Waits until all of these are shown at once; the picture.
    pub(crate) fn wait(&self, words: &[&str]) -> String {
        self.wait_for(&format!("picture with {words:?}"), |picture| {
            words.iter().all(|word| picture.contains(word))
        })
    }

    /// Waits for a picture.
    pub(crate) fn wait_for(&self, what: &str, is_it: impl Fn(&str) -> bool) -> String {
        until(what, || self.picture(), || Some(self.picture()).filter(|picture| is_it(picture)))
    }

    /// What the terminal was told: another screen, the mouse, the cursor, wrapping.
    pub(crate) fn modes(&self) -> String {
        let modes = "#{alternate_on} #{mouse_any_flag} #{cursor_flag} #{wrap_flag}";
        self.tmux(&["display-message", "-p", modes]).trim().to_owned()
    }

    /// The process that the shell has started, once there is one.
    pub(crate) fn child(&self) -> i32 {
        let shell = self.tmux(&["display-message", "-p", "#{pane_pid}"]).trim().to_owned();
        until(
            "child of the shell",
            || self.picture(),
            || {
                let children =
                    std::fs::read_to_string(format!("/proc/{shell}/task/{shell}/children")).ok()?;
                children.split_whitespace().next()?.parse().ok()
            },
        )
    }

    /// The window is closed.
    pub(crate) fn close(&self) {
        let _ = self.command().arg("kill-server").output();
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.close();
    }
}
