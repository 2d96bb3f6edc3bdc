//! What the chosen interpreter is and what it builds for (PEP 425), asked of it once at start, in the environment that
//! builds get.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::builder::command::environment;
use crate::domain::AbiTag;

/// pip brings the reference implementation of tags with it. Of its platforms the plain one (`linux_…`; last up to pip 25,
/// first since) is the one wheels are named by, and right for a 32-bit Python on a 64-bit kernel.
const QUESTION: &str = include_str!("builder/scripts/ask.py");

/// An interpreter and what it builds for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Python {
    /// Where it is, absolute.
    pub executable: PathBuf,
    /// Version, such as `311`.
    pub python_tag: String,
    /// ABI, such as `cp311`.
    pub abi_tag: String,
    /// Platform, such as `linux_armv7l`.
    pub platform_tag: String,
    /// The version of its pip.
    pub pip: String,
    /// Name and version, such as `CPython 3.11.2`.
    pub version: String,
    /// Name and version of the C compiler that it would use; `none` where there is none.
    pub compiler: String,
    /// Whether its headers are there.
    pub headers: bool,
    /// The directories that it needs to read.
    pub places: Vec<PathBuf>,
}

impl Python {
    /// Asks the interpreter `program`, a path or a name to look for. `dir` is where it may leave something. The error
    /// is one line for people.
    pub fn ask(program: &Path, dir: &Path) -> Result<Self, String> {
        let wrong = |what: &str| format!("the interpreter {}: {what}", program.display());
        let mut command = Command::new(program);
        command.args(["-c", QUESTION]).stdin(Stdio::null()).env_clear();
        command.envs(environment(&dir.join("home"), &dir.join("tmp"), true, |name| std::env::var_os(name)));
        let output =
            command.output().map_err(|e| wrong(&format!("cannot be run: {e}; --python names another")))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(wrong(said.lines().last().unwrap_or("does not answer").trim()));
        }
        Self::read(&String::from_utf8_lossy(&output.stdout)).map_err(|what| wrong(&what))
    }

    /// Reads what it answers. The error is for people.
    pub(crate) fn read(answer: &str) -> Result<Self, String> {
        let mut lines = answer.lines().skip_while(|line| *line != "piw-slave").skip(1);
        let mut line =
            || lines.next().map(str::to_owned).filter(|line| !line.is_empty()).ok_or("does not answer");
        let python = Self {
            executable: line()?.into(),
            python_tag: line()?,
            abi_tag: line()?,
            platform_tag: line()?,
            pip: line()?,
            version: line()?,
            compiler: line()?,
            headers: line()? == "headers",
            places: lines
                .map(PathBuf::from)
                .filter(|path| path.is_absolute() && path != Path::new("/"))
                .collect(),
        };
        AbiTag::parse(&python.abi_tag).map_err(|e| e.to_string())?;
        Ok(python)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_behind_whatever_a_start_up_file_prints() {
        let answer = "hello\npiw-slave\n/p/python\n313\ncp313t\nlinux_armv7l\n24.0\nCPython 3.13.1\ngcc 12\nno headers\n/p/lib\n/\n";
        let python = Python::read(answer).unwrap();
        assert_eq!(
            (python.python_tag.as_str(), python.abi_tag.as_str(), python.platform_tag.as_str()),
            ("313", "cp313t", "linux_armv7l")
        );
        assert_eq!((python.version.as_str(), python.compiler.as_str()), ("CPython 3.13.1", "gcc 12"));
        assert_eq!((python.headers, python.places), (false, vec![PathBuf::from("/p/lib")]));
        assert!(Python::read("piw-slave\n/p/python\n").is_err());
        assert!(Python::read(&answer.replace("cp313t", "pypy310_pp73")).is_err());
    }

    #[test]
    fn a_real_interpreter_answers_and_others_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let python = Python::ask(Path::new("/usr/bin/python3"), dir.path()).unwrap();
        assert!(python.executable.is_absolute());
        assert_eq!(python.abi_tag.strip_prefix("cp").map(|v| v.starts_with(&python.python_tag)), Some(true));
        assert!(python.platform_tag.starts_with("linux_"), "{}", python.platform_tag);
        assert!(python.version.starts_with("CPython 3."), "{}", python.version);
        assert!(!python.places.is_empty());
        let missing = Python::ask(Path::new("/no/such/python"), dir.path()).unwrap_err();
        assert!(missing.contains("/no/such/python: cannot be run"), "{missing}");
        let mute = Python::ask(Path::new("/bin/true"), dir.path()).unwrap_err();
        assert!(mute.contains("does not answer"), "{mute}");
    }
}
