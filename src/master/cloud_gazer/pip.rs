//! Which index pip on this machine is configured for: the farm follows the same one unless it is told another.
//!
//! pip itself is asked, so that its files, variables and built-in default all count, and no address stands here.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// pip answers within a second or two; where it hangs (a home directory that is gone), the start must not.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// What pip's configuration says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PipSettings {
    /// The index (PEP 503 root).
    pub index_url: String,
    /// A file of certificates to trust, where it names one.
    pub cert: Option<PathBuf>,
}

/// Prints the index and the certificate file that `pip download` would use, one a line.
const QUESTION: &str = "\
from pip._internal.commands import create_command
options = create_command('download').parser.parse_args([])[0]
print(options.index_url)
print(options.cert or '')
";

/// Asks pip of the first Python found. The error says what to do.
pub fn settings() -> Result<PipSettings, String> {
    let help = "name the index with --pypi-simple";
    let mut last = String::from("there is no python3");
    for python in ["python3", "/usr/bin/python3"] {
        let output = match run(Command::new(python).args(["-c", QUESTION]), TIME_LIMIT) {
            Ok(output) => output,
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                return Err(format!("pip did not answer within {} s; {help}", TIME_LIMIT.as_secs()));
            }
            Err(error) => {
                last = format!("{python}: {error}");
                continue;
            }
        };
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr);
            last = format!("{python}: {}", text.lines().last().unwrap_or("no answer"));
            continue;
        }
        return parse(&String::from_utf8_lossy(&output.stdout))
            .ok_or_else(|| format!("pip names no index; {help}"));
    }
    Err(format!("pip cannot be asked for its index ({last}); {help}"))
}

/// Runs a program that reads nothing and prints little, and kills it at the limit.
fn run(command: &mut Command, limit: Duration) -> io::Result<Output> {
    let until = Instant::now() + limit;
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (mut out, mut err) = (child.stdout.take(), child.stderr.take());
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    loop {
        let status = child.try_wait()?;
        let read = drain(&mut out, &mut stdout)? | drain(&mut err, &mut stderr)?;
        // what it printed before it ended is read; what children of its own still hold open is not waited for
        if let (Some(status), false) = (status, read) {
            return Ok(Output { status, stdout, stderr });
        }
        if Instant::now() >= until {
            let _ = child.kill();
            let _ = child.wait();
            return Err(io::ErrorKind::TimedOut.into());
        }
        if !read {
            let open: Vec<BorrowedFd<'_>> =
                out.iter().map(AsFd::as_fd).chain(err.iter().map(AsFd::as_fd)).collect();
            readable(&open, 20)?;
        }
    }
}

/// Reads what a pipe has; true when that was anything. At its end the pipe is closed.
fn drain<P: Read + AsFd>(pipe: &mut Option<P>, text: &mut Vec<u8>) -> io::Result<bool> {
    let Some(open) = pipe else { return Ok(false) };
    if !readable(&[open.as_fd()], 0)? {
        return Ok(false);
    }
    let mut piece = [0; 4096];
    let read = open.read(&mut piece)?;
    text.extend_from_slice(&piece[..read]);
    if read == 0 {
        *pipe = None;
    }
    Ok(read > 0)
}

/// Whether one of them has something to read, or has ended, within so many milliseconds.
fn readable(pipes: &[BorrowedFd<'_>], wait_ms: u8) -> io::Result<bool> {
    let mut fds: Vec<PollFd<'_>> = pipes.iter().map(|fd| PollFd::new(*fd, PollFlags::POLLIN)).collect();
    match poll(&mut fds, PollTimeout::from(wait_ms)) {
        Ok(ready) => Ok(ready > 0),
        Err(nix::Error::EINTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Reads what the question prints; none where that is no index.
pub(super) fn parse(text: &str) -> Option<PipSettings> {
    let mut lines = text.lines();
    let index_url = lines.next()?.trim().to_owned();
    let cert = lines.next().map(str::trim).filter(|cert| !cert.is_empty()).map(PathBuf::from);
    is_address(&index_url).then_some(PipSettings { index_url, cert })
}

/// Whether a text may be an index's address. It is shown, and told to every slave: nothing in it may steer a terminal.
pub fn is_address(url: &str) -> bool {
    (url.starts_with("http://") || url.starts_with("https://"))
        && !url.contains(|c: char| c.is_whitespace() || c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pips_answer_is_read() {
        let answer = parse("https://index.example/simple\n/etc/ssl/ca.pem\n").unwrap();
        assert_eq!(answer.index_url, "https://index.example/simple");
        assert_eq!(answer.cert, Some(PathBuf::from("/etc/ssl/ca.pem")));
        assert_eq!(parse("http://x/simple\n\n").unwrap().cert, None);
        assert_eq!(parse("None\n\n"), None);
        assert_eq!(parse("https://\rindex.example/simple\n\n"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn a_program_that_hangs_is_ended_at_the_limit_and_others_are_heard_out() {
        let shell = |script: &str, limit| run(Command::new("/bin/sh").args(["-c", script]), limit);
        let begun = Instant::now();
        let hung = shell("echo begun; exec sleep 60", Duration::from_millis(100)).unwrap_err();
        assert_eq!(hung.kind(), io::ErrorKind::TimedOut);
        assert!(begun.elapsed() < Duration::from_secs(30));
        // more than a pipe holds, and both pipes
        let script = "i=0; while [ $i -lt 3000 ]; do echo 0123456789012345678901234567890123456789; i=$((i+1)); done; \
                      echo wrong >&2; exit 3";
        let output = shell(script, Duration::from_secs(60)).unwrap();
        assert_eq!(output.status.code(), Some(3));
        assert_eq!(output.stdout.len(), 3000 * 41);
        assert_eq!(output.stderr, b"wrong\n");
        // its own child keeps the pipe open
        let output = shell("sleep 60 & echo done", Duration::from_secs(30)).unwrap();
        assert_eq!(output.stdout, b"done\n");
        assert!(begun.elapsed() < Duration::from_secs(59));
    }
}
