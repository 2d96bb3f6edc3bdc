//! What pip and the build print, read for the reason of a failure: was it the package, or this machine, or the moment? And
//! for what pip says that it installed for the build, or did not find.
//!
//! In: the output, in pieces. Out: one [`Sign`], or none, and the two lists. It never says how a build ended, only why a failed one may
//! have failed, because whatever is looked for here a package can print too, by chance or on purpose: what follows from
//! a sign is whether and when a build is tried again, a bounded number of times, and nothing else.
//!
//! - The network's signs are pip's own lines, the pip of build dependencies among them. What pip runs next ("Running
//!   command …") could not run without what it had to fetch before: it takes older signs back.
//! - Memory and disk run out in compilers and linkers: their words count where they stand near the end.

use crate::domain::apt;

/// Why a build failed, other than by its own fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// pip could not reach its index, or a download broke.
    Network,
    /// Memory ran out.
    OutOfMemory,
    /// The disk is full.
    Disk,
    /// A file became larger than one may be.
    FileSize,
    /// There was no process or thread to be had.
    Processes,
}

/// Longest line that is looked at, in bytes; what is longer is looked at so far.
const LINE_BYTES: usize = 1024;
/// How far from the end words of memory and disk count, in bytes: what other jobs of a parallel make print after them.
const NEAR_END: u64 = 128 * 1024;

/// How pip's lines begin that tell of network trouble. The first is the last of its tries.
const NETWORK: [&str; 11] = [
    "WARNING: Retrying (Retry(total=0,",
    "ERROR: HTTP error ",
    // nothing is asked for by hash: the index names it, and a download that was cut short does not have it
    "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES",
    "ERROR: Could not install packages due to an OSError: HTTP",
    "error: incomplete-download",
    "error: connection-failed",
    "error: connection-timeout",
    "error: proxy-connection-failed",
    "error: ssl-verification-failed",
    "pip._vendor.urllib3.exceptions.",
    "pip._vendor.requests.exceptions.",
];
/// A page that pip could not read and passes over (see `command.rs`, which makes it say so).
const PAGE: &str = "WARNING: Could not fetch URL ";

/// How pip says what it has installed, and what it has not found.
const INSTALLED: &str = "Successfully installed ";
const MISSING: &str = "ERROR: No matching distribution found for ";
/// How the script that looks at wheels says what package of the system they need.
const NEEDS: &str = "piw-slave: needs ";
/// Of each, at most.
const MOST: usize = 100;

/// What compilers, linkers and interpreters say when they get no memory, anywhere in a line or at its end.
const MEMORY: [&str; 7] = [
    "Killed signal terminated program",
    "virtual memory exhausted",
    "out of memory allocating",
    "LLVM ERROR: out of memory",
    "terminated with signal 9",
    "(signal: 9, SIGKILL",
    "(os error 12)",
];
const MEMORY_AT_END: [&str; 7] = [
    "Cannot allocate memory",
    "memory exhausted",
    "std::bad_alloc",
    "exit code: -9",
    "failed with exit code -9",
    "died with <Signals.SIGKILL: 9>",
    "] Killed",
];

/// The same for the disk. Not simply anywhere: the texts stand in many a source line that a compiler quotes.
const DISK: [&str; 4] = [
    "[Errno 28] No space left on device",
    "[Errno 122] Disk quota exceeded",
    "(os error 28)",
    "(os error 122)",
];
const DISK_AT_END: [&str; 2] = ["No space left on device", "Disk quota exceeded"];

/// The same for the limit of a single file.
const FILE_SIZE: [&str; 2] = ["[Errno 27] File too large", "(os error 27)"];
const FILE_SIZE_AT_END: [&str; 3] = ["File too large", "File size limit exceeded", "<Signals.SIGXFSZ: 25>"];

/// And for that of processes and threads.
const PROCESSES: [&str; 3] = [
    "BlockingIOError: [Errno 11] Resource temporarily unavailable",
    "can't start new thread",
    "fork: retry: ",
];
const PROCESSES_AT_END: [&str; 2] =
    ["fork: Resource temporarily unavailable", "pthread_create: Resource temporarily unavailable"];

/// See the module's head.
#[derive(Debug, Default)]
pub(super) struct Signs {
    line: Vec<u8>,
    /// Bytes seen.
    seen: u64,
    network: bool,
    /// What ran out last, and how many bytes had been seen then.
    machine: Option<(Sign, u64)>,
    installed: Vec<String>,
    missing: Vec<String>,
    needed: Vec<String>,
    /// The last line that begins as this program's own do.
    own_line: Option<String>,
}

impl Signs {
    /// Looks at the next piece.
    pub(super) fn feed(&mut self, data: &[u8]) {
        for piece in data.split_inclusive(|b| *b == b'\n') {
            let room = LINE_BYTES.saturating_sub(self.line.len());
            self.line.extend_from_slice(&piece[..room.min(piece.len())]);
            self.seen += piece.len() as u64;
            if piece.ends_with(b"\n") {
                self.look();
            }
        }
    }

    /// The sign that counts, when all was seen. Means something only of a build that failed.
    pub(super) fn verdict(&mut self) -> Option<Sign> {
        self.look();
        if self.network {
            return Some(Sign::Network);
        }
        self.machine.filter(|(_, at)| self.seen - at <= NEAR_END).map(|(sign, _)| sign)
    }

    /// What pip says that it installed, as `NAME-VERSION`, each once.
    pub(super) fn installed(&mut self) -> Vec<String> {
        self.look();
        std::mem::take(&mut self.installed)
    }

    /// Requirements that pip says it did not find.
    pub(super) fn missing(&mut self) -> Vec<String> {
        self.look();
        std::mem::take(&mut self.missing)
    }

    /// Packages of the system that the wheels need, as the script says that looks at them. What a build prints can say so
    /// too: it is to be forgotten before that script runs.
    pub(super) fn needed(&mut self) -> Vec<String> {
        self.look();
        std::mem::take(&mut self.needed)
    }

    /// The last line that this program's own scripts have printed, without its beginning.
    pub(super) fn own_line(&mut self) -> Option<String> {
        self.look();
        self.own_line.take()
    }

    /// Looks at one whole line, and forgets it.
    fn look(&mut self) {
        let bytes = std::mem::take(&mut self.line);
        let text = String::from_utf8_lossy(&bytes);
        let line = text.trim();
        if let Some(names) = line.strip_prefix(INSTALLED) {
            add(&mut self.installed, names.split_whitespace());
        } else if let Some(requirement) = line.strip_prefix(MISSING) {
            add(&mut self.missing, [requirement]);
        } else if let Some(package) = line.strip_prefix(NEEDS).filter(|text| apt::is_package(text)) {
            add(&mut self.needed, [package]);
        } else if let Some(rest) = line.strip_prefix("piw-slave: ") {
            self.own_line = Some(rest.to_owned());
        }
        if line.starts_with("Running command ") {
            self.network = false;
        }
        self.network |= NETWORK.iter().any(|begin| line.starts_with(begin))
            || line.strip_prefix(PAGE).is_some_and(is_no_answer);
        let tells = |texts: &[&str], at_end: &[&str]| {
            texts.iter().any(|text| line.contains(text)) || ends_with_one_of(line, at_end)
        };
        let sign =
            if line == "MemoryError" || line.starts_with("MemoryError:") || tells(&MEMORY, &MEMORY_AT_END) {
                Some(Sign::OutOfMemory)
            } else if tells(&DISK, &DISK_AT_END) {
                Some(Sign::Disk)
            } else if tells(&FILE_SIZE, &FILE_SIZE_AT_END) {
                Some(Sign::FileSize)
            } else if tells(&PROCESSES, &PROCESSES_AT_END) {
                Some(Sign::Processes)
            } else {
                None
            };
        self.machine = sign.map(|sign| (sign, self.seen)).or(self.machine);
        self.line = bytes;
        self.line.clear();
    }
}

fn add<'a>(to: &mut Vec<String>, words: impl IntoIterator<Item = &'a str>) {
    for word in words {
        if to.len() < MOST && !to.iter().any(|known| known == word) {
            to.push(word.to_owned());
        }
    }
}

/// Whether a page was not read because nobody answered as an index does. `404 Client Error` is an answer: the index has
/// no such project. 408, 425 and 429 are not: they say "later".
fn is_no_answer(reason: &str) -> bool {
    let Some(at) = reason.find(" Client Error") else { return true };
    ["408", "425", "429"].iter().any(|status| reason[..at].ends_with(status))
}

/// Some put a full stop behind a system's message, or quotes around it.
fn ends_with_one_of(line: &str, texts: &[&str]) -> bool {
    let line = line.trim_end_matches(['.', '\'', '’']);
    texts.iter().any(|text| line.ends_with(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sign(text: &str) -> Option<Sign> {
        let mut verdicts = [1, 7, 100_000].map(|step| {
            let mut signs = Signs::default();
            text.as_bytes().chunks(step).for_each(|piece| signs.feed(piece));
            signs.verdict()
        });
        verdicts.sort_by_key(|sign| sign.map(|sign| sign as u8));
        assert_eq!(verdicts[0], verdicts[2], "in pieces as at once: {text}");
        verdicts[0]
    }

    #[test]
    fn what_pip_installs_and_does_not_find_is_kept_once() {
        let mut signs = Signs::default();
        signs.feed(b"  Successfully installed setuptools-69.5.1 wheel-0.43.0\n  Successfully installed wheel-0.43.0\n");
        signs.feed(
            b"  ERROR: No matching distribution found for cython<3; python_version < '4'\npiw-slave: bad",
        );
        assert_eq!(signs.own_line().as_deref(), Some("bad"));
        assert_eq!(signs.installed(), ["setuptools-69.5.1", "wheel-0.43.0"]);
        assert_eq!(signs.missing(), ["cython<3; python_version < '4'"]);
        signs.feed(b"piw-slave: needs libfoo1\npiw-slave: needs libfoo1\npiw-slave: needs $(reboot)\n");
        assert_eq!(signs.needed(), ["libfoo1"]);
        for n in 0..1000 {
            signs.feed(format!("Successfully installed a-{n}\n").as_bytes());
        }
        assert_eq!(signs.installed().len(), MOST);
        assert_eq!(sign(&"x".repeat(100_000)), None);
    }

    /// Lines as pip 20 to 26, gcc, clang, binutils, rustc, make and CPython print them.
    #[test]
    fn words_of_trouble_are_known() {
        for (expected, lines) in [
            (
                Sign::Network,
                &[
                    "WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after \
                     connection broken by 'NewConnectionError('<…>: Failed to establish a new connection: \
                     [Errno 111] Connection refused')': /simple/foo/",
                    "  WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after \
                     connection broken by 'NameResolutionError(…)': /simple/setuptools/",
                    "WARNING: Could not fetch URL http://i/simple/foo/: HTTPConnectionPool(host='i', port=80): Max \
                     retries exceeded with url: /simple/foo/ (Caused by ResponseError('too many 503 error \
                     responses')) - skipping",
                    "WARNING: Could not fetch URL http://i/simple/foo/: 504 Server Error: Gateway Timeout for url: \
                     http://i/simple/foo/ - skipping",
                    "WARNING: Could not fetch URL http://i/simple/foo/: 429 Client Error: Too Many Requests for \
                     url: http://i/simple/foo/ - skipping",
                    "WARNING: Could not fetch URL http://i/simple/foo/: connection error: HTTPConnectionPool(\
                     host='i', port=80): Read timed out. - skipping",
                    "  ERROR: HTTP error 502 while getting http://i/files/foo-1.0.tar.gz",
                    "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have updated",
                    "  ERROR: Could not install packages due to an OSError: HTTPSConnectionPool(host='i', port=443): \
                     Max retries exceeded with url: /x.whl (Caused by …)",
                    "error: incomplete-download",
                    "error: connection-timeout",
                    "pip._vendor.urllib3.exceptions.ReadTimeoutError: HTTPSConnectionPool(host='i', port=443): Read \
                     timed out.",
                    "pip._vendor.urllib3.exceptions.ProtocolError: ('Connection broken: \
                     ConnectionResetError(104, 'Connection reset by peer')', …)",
                    "pip._vendor.requests.exceptions.ConnectionError: HTTPSConnectionPool(host='i', port=443)",
                ][..],
            ),
            (
                Sign::OutOfMemory,
                &[
                    "MemoryError",
                    "  MemoryError: Unable to allocate 2.00 GiB for an array",
                    "  gcc: fatal error: Killed signal terminated program cc1",
                    "  arm-linux-gnueabihf-g++: fatal error: Killed signal terminated program cc1plus",
                    "  cc1plus: out of memory allocating 65536 bytes after a total of 123456 bytes",
                    "  virtual memory exhausted: Cannot allocate memory",
                    "  collect2: fatal error: ld terminated with signal 9 [Killed]",
                    "  /usr/bin/ld: final link failed: memory exhausted",
                    "  terminate called after throwing an instance of 'std::bad_alloc'",
                    "  LLVM ERROR: out of memory",
                    "  OSError: [Errno 12] Cannot allocate memory",
                    "  fatal error: Cannot allocate memory.",
                    "  error: could not compile `x` (lib); process didn't exit successfully: `rustc …` (signal: 9, \
                     SIGKILL: kill)",
                    "  make[2]: *** [Makefile:12: foo.o] Killed",
                    "  subprocess.CalledProcessError: Command '['cmake', '--build', '.']' died with \
                     <Signals.SIGKILL: 9>.",
                    "  error: command '/usr/bin/gcc' failed with exit code -9",
                    "  │ exit code: -9",
                ],
            ),
            (
                Sign::Disk,
                &[
                    "OSError: [Errno 28] No space left on device",
                    "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device: '/x'",
                    "  fatal error: error writing to /tmp/ccX.s: No space left on device",
                    "  /usr/bin/ld: final link failed: No space left on device",
                    "  Fatal error: can't write 4 bytes to section .text of foo.o: 'No space left on device'",
                    "  tar: foo: Cannot write: Disk quota exceeded",
                    "  error: failed to write `x`: No space left on device (os error 28)",
                ],
            ),
            (
                Sign::FileSize,
                &[
                    "  OSError: [Errno 27] File too large",
                    "  /usr/bin/ld: final link failed: File too large",
                    "  error: failed to write `x`: File too large (os error 27)",
                    "  make[2]: *** [Makefile:12: foo.o] File size limit exceeded",
                ],
            ),
            (
                Sign::Processes,
                &[
                    "  BlockingIOError: [Errno 11] Resource temporarily unavailable",
                    "  RuntimeError: can't start new thread",
                    "  ./configure: fork: retry: Resource temporarily unavailable",
                    "  make: fork: Resource temporarily unavailable",
                ],
            ),
        ] {
            for line in lines {
                assert_eq!(sign(&format!("before\n{line}\nafter\n")), Some(expected), "{line}");
                assert_eq!(
                    sign(&format!("before\n{line}")),
                    Some(expected),
                    "without an end of line: {line}"
                );
            }
        }
    }

    #[test]
    fn words_that_only_look_like_trouble_are_none() {
        for line in [
            "WARNING: Retrying (Retry(total=4, connect=None, read=None)) after connection broken by 'x': /simple/foo/",
            "WARNING: Could not fetch URL http://i/simple/foo/: 404 Client Error: Not Found for url: \
             http://i/simple/foo/ - skipping",
            "WARNING: Could not fetch URL http://i/simple/foo/: 403 Client Error: Forbidden for url: \
             http://i/429/ - skipping",
            "  curl: (6) Could not resolve host: example.org",
            "  error: subprocess-exited-with-error",
            "  errno.c:7:12: warning:   7 | { ENOSPC, \"No space left on device\" },",
            "  test.py:3: except MemoryError: pass",
            "  checking for ENOMEM (Cannot allocate memory)... yes",
            "  exit code: -97",
            "  exit code: 1",
        ] {
            assert_eq!(sign(&format!("before\n{line}\nafter\n")), None, "{line}");
        }
    }

    #[test]
    fn an_index_that_cannot_be_reached_has_not_said_that_there_is_no_source_distribution() {
        let text = "WARNING: Could not fetch URL http://i/simple/foo/: 503 Server Error: x - skipping\n\
                    ERROR: Could not find a version that satisfies the requirement foo==1.0 (from versions: none)\n\
                    ERROR: No matching distribution found for foo==1.0\n";
        assert_eq!(sign(text), Some(Sign::Network));
        assert_eq!(sign(&text.replace("503 Server", "404 Client")), None);
    }

    #[test]
    fn trouble_with_the_network_that_was_overcome_is_none() {
        let retry =
            "WARNING: Retrying (Retry(total=0, connect=None)) after connection broken by 'x': /simple/foo/\n";
        let build = "  Running command Building wheel for foo (pyproject.toml)\n  error: no such header\n";
        assert_eq!(sign(&format!("{retry}{build}")), None);
        assert_eq!(sign(&format!("{build}{retry}")), Some(Sign::Network));
        let memory = "  gcc: fatal error: Killed signal terminated program cc1\n";
        assert_eq!(sign(&format!("{retry}{build}{memory}")), Some(Sign::OutOfMemory));
    }

    #[test]
    fn what_ran_out_counts_near_the_end_and_the_last_of_it() {
        let (memory, disk) = ("MemoryError\n", "x: No space left on device\n");
        assert_eq!(sign(&format!("{memory}{disk}")), Some(Sign::Disk));
        assert_eq!(sign(&format!("{disk}{memory}")), Some(Sign::OutOfMemory));
        let noise = |bytes: usize| "-\n".repeat(bytes / 2);
        assert_eq!(sign(&format!("{memory}{}", noise(NEAR_END as usize))), Some(Sign::OutOfMemory));
        assert_eq!(sign(&format!("{memory}{}", noise(NEAR_END as usize + 2))), None);
    }

    proptest! {
        #[test]
        fn any_output_is_read_in_bounded_memory(pieces in proptest::collection::vec(".{0,40}\n?", 0..40)) {
            let mut signs = Signs::default();
            for piece in &pieces {
                signs.feed(piece.as_bytes());
                prop_assert!(signs.line.capacity() <= 2 * LINE_BYTES);
            }
            prop_assert_eq!(signs.seen, pieces.concat().len() as u64);
            signs.verdict();
        }
    }
}
