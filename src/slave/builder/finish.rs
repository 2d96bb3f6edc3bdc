//! What is done when a build's processes are gone: decide how it ended, read and digest what it made, end its log.
//!
//! A wheel may have hundreds of megabytes and a slow card under it: this runs in a helper thread, so that the slave
//! goes on giving signs of life.

use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::libc::O_NOFOLLOW;
use nix::sys::signal::Signal;
use sha2::Digest;

use super::log::BuildLog;
use super::signs::Sign;
use super::step::{self, Dirs, NETWORK, NO, Step};
use super::watch::{Limits, Stop};
use crate::domain::{Millis, Sha256, WheelName};
use crate::slave::sandbox::launch::Ended;
use crate::slave::session::Outcome;
use crate::slave::trees;
use crate::wire::limits::FILES_PER_BUILD;
use crate::wire::slave::{BuildEnd, BuildReport, BuiltFile, Sdist};
use crate::wire::{List, Text};

const READ_BYTES: usize = 16 * 1024;

/// A build whose processes are gone.
#[derive(Debug)]
pub struct Finish {
    pub(super) dirs: Dirs,
    pub(super) log: BuildLog,
    /// The last step, and how it ended.
    pub(super) step: Step,
    pub(super) end: Ended,
    /// What made the slave end it, if anything.
    pub(super) stopped: Option<Stop>,
    pub(super) limits: Limits,
    /// What its wheels are to have; 0: none is asked for.
    pub(super) build_tag: u64,
    /// Why it failed, if it did, and if that is not its own fault.
    pub(super) sign: Option<Sign>,
    /// What is wrong with a wheel, as the scripts that looked at it say.
    pub(super) wrong: Option<String>,
    pub(super) duration: Millis,
    // for the report
    pub(super) requirements: Vec<String>,
    pub(super) apt: Vec<String>,
    pub(super) versions: [String; 3],
    pub(super) pip_arguments: String,
    pub(super) cpu_ms: u64,
    pub(super) peak_memory: u64,
}

impl Finish {
    /// Reads everything the build left. Takes as long as that takes.
    pub fn run(self) -> Outcome {
        for name in ["home", "tmp", "check"] {
            // room for what follows; the whole directory goes later, and then it is told if it will not go
            let _ = trees::remove(&self.dirs.0.join(name));
        }
        let (end, why, files) = self.judge();
        let report = self.report();
        let seconds = self.duration.0 as f64 / 1e3;
        let log_bytes = self.log.finish(&format!("piw-slave: {} after {seconds:.1} s: {why}", end.name()));
        Outcome { end, duration: self.duration, log_bytes, files, report: Box::new(report) }
    }

    fn judge(&self) -> (BuildEnd, String, List<BuiltFile, FILES_PER_BUILD>) {
        if let Some(stop) = &self.stopped {
            let (end, what) = self.limit(stop);
            return (end, format!("{what}; all its processes were killed"), List::default());
        }
        let (end, why) = match (&self.step, self.end.code) {
            // where it cannot be installed, that says nothing against it
            (Step::Check | Step::Recheck | Step::Import, Some(0)) | (Step::Install, _) => {
                match wheels(&self.dirs.out(), self.build_tag) {
                    Ok(files) => {
                        let names: Vec<_> =
                            files.iter().map(|f| format!("{} ({} bytes)", f.filename, f.size)).collect();
                        return (BuildEnd::Built, names.join(", "), files);
                    }
                    Err(why) => (BuildEnd::BadWheel, why),
                }
            }
            (Step::Check | Step::Retag | Step::Recheck | Step::Import, Some(NO)) => {
                let wrong = self.wrong.as_deref().and_then(|line| line.strip_prefix("bad wheel: "));
                (BuildEnd::BadWheel, wrong.unwrap_or("a wheel is not sound").to_owned())
            }
            (Step::Check | Step::Recheck | Step::Import, _) => {
                (BuildEnd::BadWheel, format!("looking at what was built ended with {}", self.ending()))
            }
            (Step::Fetch(_), Some(NO)) => (BuildEnd::NoSdist, "there is no source distribution".to_owned()),
            (Step::Fetch(_), Some(NETWORK)) => {
                (BuildEnd::Network, "the index could not be reached, or a download broke".to_owned())
            }
            (Step::Fetch(_), _) => {
                let (end, what) = self.failure();
                (end, format!("{what}fetching the source distribution ended with {}", self.ending()))
            }
            // its only trouble is room on the disk
            (Step::Retag, _) => {
                let (end, what) = self.failure();
                (end, format!("{what}giving the wheel its build tag ended with {}", self.ending()))
            }
            (Step::Build, Some(_)) => {
                let (end, what) = self.failure();
                (end, format!("{what}pip ended with {}", self.ending()))
            }
            // not by the slave, and nobody else on the machine has a reason
            (Step::Build, None) if self.end.signal == Some(Signal::SIGKILL as i32) => {
                (BuildEnd::OutOfMemory, "pip was killed, as Linux does when memory runs out".to_owned())
            }
            (Step::Build, None) => (BuildEnd::Failed, format!("pip was killed by {}", self.ending())),
        };
        (end, why, List::default())
    }

    /// The limit that ended it.
    fn limit(&self, stop: &Stop) -> (BuildEnd, String) {
        let Limits { time, silence, output_bytes, wheel_bytes, disk_bytes, memory_bytes, processes } =
            &self.limits;
        match stop {
            Stop::Time => (BuildEnd::Timeout, format!("the time limit of {} s ended it", time.0 / 1000)),
            Stop::Silence => (BuildEnd::Silence, format!("it printed nothing for {} s", silence.0 / 1000)),
            Stop::Output => (BuildEnd::LogLimit, format!("it printed more than {output_bytes} bytes")),
            Stop::Wheel(name) => {
                (BuildEnd::WheelLimit, format!("the wheel {name:?} is larger than {wheel_bytes} bytes"))
            }
            Stop::Disk => (BuildEnd::DiskLimit, format!("it wrote more than {disk_bytes} bytes to the disk")),
            Stop::Memory => {
                (BuildEnd::OutOfMemory, format!("it used more than {memory_bytes} bytes of memory"))
            }
            Stop::Processes => {
                (BuildEnd::ProcessLimit, format!("it had more than {processes} processes and threads"))
            }
            Stop::Cancelled => (BuildEnd::Cancelled, "the master's operator ended it".to_owned()),
        }
    }

    /// Why pip said no. That the log could not be written is no matter of judgement, and comes first.
    fn failure(&self) -> (BuildEnd, String) {
        let (end, why) = match self.sign {
            _ if self.log.is_disk_full() => (BuildEnd::Disk, "the disk is full: "),
            None => (BuildEnd::Failed, ""),
            Some(Sign::Network) => {
                (BuildEnd::Network, "pip could not reach its index, or a download broke: ")
            }
            Some(Sign::OutOfMemory) => (BuildEnd::OutOfMemory, "memory ran out: "),
            Some(Sign::Disk) => (BuildEnd::Disk, "the disk is full: "),
            Some(Sign::FileSize) if self.limits.disk_bytes > 0 => {
                let why = format!("a file would have had more than {} bytes: ", self.limits.disk_bytes);
                return (BuildEnd::DiskLimit, why);
            }
            Some(Sign::Processes) if self.limits.processes > 0 => {
                (BuildEnd::ProcessLimit, "it could have no more processes and threads: ")
            }
            // without a limit of this slave's it is another's, and no matter of judgement
            Some(Sign::FileSize | Sign::Processes) => (BuildEnd::Failed, ""),
        };
        (end, why.to_owned())
    }

    /// How the last step ended, for people.
    fn ending(&self) -> String {
        match (self.end.code, self.end.signal) {
            (Some(code), _) => format!("exit status {code}"),
            (None, Some(signal)) => Signal::try_from(signal)
                .map_or_else(|_| format!("signal {signal}"), |signal| signal.to_string()),
            (None, None) => "nobody knows what".to_owned(),
        }
    }

    fn report(&self) -> BuildReport {
        let [interpreter, pip, compiler] = &self.versions;
        BuildReport {
            interpreter: Text::cut(interpreter),
            pip: Text::cut(pip),
            pip_arguments: Text::cut(&self.pip_arguments),
            compiler: Text::cut(compiler),
            sdist: self.sdist(),
            requirements: List::cut(self.requirements.iter().map(|line| Text::cut(line)).collect()),
            peak_memory: self.peak_memory,
            cpu_ms: self.cpu_ms,
            apt: List::cut(self.apt.iter().map(|name| Text::cut(name)).collect()),
        }
    }

    fn sdist(&self) -> Option<Sdist> {
        let path = self.dirs.sdist().ok()?;
        let (size, sha256) = digest(&path).ok()?;
        Some(Sdist { filename: Text::new(step::file_name(&path)).ok()?, size, sha256 })
    }
}

/// The wheels in `out`, by name, or why they cannot be offered. Each has the build tag that was asked for, if one was.
fn wheels(out: &Path, build_tag: u64) -> Result<List<BuiltFile, FILES_PER_BUILD>, String> {
    let unreadable = |e: std::io::Error| format!("what was built cannot be read: {e}");
    let mut paths = Vec::new();
    for entry in fs::read_dir(out).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "whl") {
            paths.push(path);
        }
        if paths.len() > FILES_PER_BUILD {
            return Err(format!("more than {FILES_PER_BUILD} wheels"));
        }
    }
    if paths.is_empty() {
        return Err("pip made no wheel".to_owned());
    }
    paths.sort();
    let files = paths.iter().map(|path| wheel(path, build_tag)).collect::<Result<Vec<_>, _>>()?;
    List::new(files).map_err(str::to_owned)
}

fn wheel(path: &Path, build_tag: u64) -> Result<BuiltFile, String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let parsed = WheelName::parse(&name).map_err(|e| e.to_string())?;
    parsed.check_build(build_tag)?;
    let filename = Text::new(parsed.as_str()).map_err(|e| format!("the name {name:?} {e}"))?;
    let (size, sha256) = digest(path).map_err(|e| format!("{name}: {e}"))?;
    if size == 0 {
        return Err(format!("{name} is empty"));
    }
    Ok(BuiltFile { filename, size, sha256 })
}

/// Bytes of a file, and their digest.
fn digest(path: &Path) -> Result<(u64, Sha256), String> {
    let (mut file, _) = open_regular(path)?;
    let mut hash = sha2::Sha256::new();
    let mut buffer = [0; READ_BYTES];
    let mut read = 0;
    loop {
        match file.read(&mut buffer).map_err(|e| e.to_string())? {
            0 => return Ok((read, Sha256(hash.finalize().into()))),
            n => {
                hash.update(&buffer[..n]);
                read += n as u64;
            }
        }
    }
}

/// Opens a file that a build made, if it is one: a link may point at anything on this machine.
pub fn open_regular(path: &Path) -> Result<(File, u64), String> {
    let mut options = OpenOptions::new();
    // without O_NONBLOCK, opening a FIFO would wait for its other end
    options.read(true).custom_flags(O_NOFOLLOW | nix::libc::O_NONBLOCK);
    let file = options.open(path).map_err(|e| e.to_string())?;
    let metadata = file.metadata().map_err(|e| e.to_string())?;
    if metadata.is_file() { Ok((file, metadata.len())) } else { Err("is not a regular file".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sound_wheels_are_offered() {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, data: &[u8]| fs::write(dir.path().join(name), data).unwrap();
        assert_eq!(wheels(dir.path(), 0).unwrap_err(), "pip made no wheel");
        put("notes.txt", b"x");
        put("foo-1.0-py3-none-any.whl", b"hello");
        put("bar-1.0-py3-none-any.whl", &[7; 100_000]);
        let files = wheels(dir.path(), 0).unwrap();
        assert_eq!(
            files.iter().map(|f| &*f.filename).collect::<Vec<_>>(),
            ["bar-1.0-py3-none-any.whl", "foo-1.0-py3-none-any.whl"]
        );
        assert_eq!((files[0].size, files[0].sha256), (100_000, Sha256::of(&[7; 100_000])));
        assert_eq!((files[1].size, files[1].sha256), (5, Sha256::of(b"hello")));

        assert!(wheels(dir.path(), 1).unwrap_err().contains("build tag 1 was asked for"));

        put("foo-2.0-py3-none-any.whl", b"");
        assert_eq!(wheels(dir.path(), 0).unwrap_err(), "foo-2.0-py3-none-any.whl is empty");
        fs::remove_file(dir.path().join("foo-2.0-py3-none-any.whl")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", dir.path().join("foo-3.0-py3-none-any.whl")).unwrap();
        assert!(wheels(dir.path(), 0).is_err());
        fs::remove_file(dir.path().join("foo-3.0-py3-none-any.whl")).unwrap();
        put("odd.whl", b"x");
        assert!(wheels(dir.path(), 0).unwrap_err().contains("not a wheel's file name"));
        fs::remove_file(dir.path().join("odd.whl")).unwrap();
        for n in 0..FILES_PER_BUILD {
            put(&format!("foo-1.{n}.1-py3-none-any.whl"), b"x");
        }
        assert!(wheels(dir.path(), 0).unwrap_err().contains("more than 64"));
    }
}
