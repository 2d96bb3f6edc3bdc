//! What is kept of a build for whoever wants to repeat it: what its slave said of itself in HELLO, and of the build in BUILT.
//!
//! Every word of it is the slave's, and beside that the build's own processes ran: nothing is decided by it, and whoever
//! shows it escapes it. Its keys in the database and in `piw why --json` are the names of the fields here
//! (`sql/schema/build.sql`). Pure.

use serde::{Deserialize, Serialize};

use super::slave_driver::Introduction;
use crate::domain::{apt, walls};
use crate::wire::slave::BuildReport;

/// See the module's head. What the slave could not tell is none, or empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
// what another version wrote is read as far as it is known
#[serde(default)]
pub struct KeptReport {
    /// The slave's Python version, such as `311`.
    pub python: Option<String>,
    /// The slave's platform, such as `linux_armv7l`.
    pub platform: Option<String>,
    /// The model of its machine.
    pub machine: Option<String>,
    /// Its system and kernel.
    pub os: Option<String>,
    /// Names of what stood between the build and the machine.
    pub walls: Vec<String>,
    /// Such as `CPython 3.11.2`.
    pub interpreter: Option<String>,
    /// pip's version.
    pub pip: Option<String>,
    /// What pip built with, without the passwords of addresses in it: it is published.
    pub pip_arguments: Option<String>,
    /// Name and version.
    pub compiler: Option<String>,
    /// What was built.
    pub sdist: Option<Sdist>,
    /// What pip installed to build with: `NAME-VERSION`.
    pub requirements: Vec<String>,
    /// Largest memory of all the build's processes together, in bytes.
    pub peak_memory: Option<u64>,
    /// Their processor time, in milliseconds.
    pub cpu_ms: Option<u64>,
    /// Debian packages of its system that hold the shared libraries which the wheels need.
    pub apt: Vec<String>,
}

/// A source distribution.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sdist {
    /// File name.
    pub filename: String,
    /// Bytes.
    pub size: u64,
    /// Of those bytes, in hexadecimal digits.
    pub sha256: String,
}

impl KeptReport {
    /// What a slave says of a build that it has ended.
    pub fn of(slave: &Introduction, build: &BuildReport) -> Self {
        let said = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let counted = |number: u64| (number > 0).then_some(number);
        let (in_force, _) = walls::split(&slave.board.walls);
        Self {
            python: said(&slave.python),
            platform: said(&slave.platform),
            machine: said(&slave.board.machine),
            os: said(&slave.board.os),
            walls: in_force.into_iter().map(str::to_owned).collect(),
            interpreter: said(&build.interpreter),
            pip: said(&build.pip),
            pip_arguments: said(&without_passwords(&build.pip_arguments)),
            compiler: said(&build.compiler),
            sdist: build.sdist.as_ref().map(|sdist| Sdist {
                filename: sdist.filename.to_string(),
                size: sdist.size,
                sha256: sdist.sha256.to_string(),
            }),
            requirements: build.requirements.iter().map(ToString::to_string).collect(),
            peak_memory: counted(build.peak_memory),
            cpu_ms: counted(build.cpu_ms),
            // they become a command to be copied
            apt: build.apt.iter().filter(|name| apt::is_package(name)).map(ToString::to_string).collect(),
        }
    }
}

/// The text with four stars for what stands before the host of each address: an index may want a password there.
pub(super) fn without_passwords(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        kept += before;
        kept += "://";
        let end = after.find(|c: char| c == '/' || c.is_whitespace()).unwrap_or(after.len());
        rest = match after[..end].rfind('@') {
            Some(at) => {
                kept += "****";
                &after[at..]
            }
            None => after,
        };
    }
    kept + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Millis;
    use crate::master::testbed::{PLATFORM, abi, digest};
    use crate::wire::limits::*;
    use crate::wire::slave::{self, Board, Wall};
    use crate::wire::{List, Text};

    /// The longest text that a field takes, of characters that are longest in JSON.
    fn longest<const N: usize>() -> Text<N> {
        Text::new("\"".repeat(N)).unwrap()
    }

    fn introduction(board: Board) -> Introduction {
        Introduction {
            label: "pi".to_owned(),
            abi: abi("cp311"),
            platform: PLATFORM.to_owned(),
            python: "311".to_owned(),
            timeout: Millis::secs(1),
            board,
        }
    }

    #[test]
    fn what_a_slave_cannot_tell_is_none() {
        let report = KeptReport::of(&introduction(Board::default()), &BuildReport::default());
        let said = (Some("311".to_owned()), Some(PLATFORM.to_owned()));
        assert_eq!((report.python.clone(), report.platform.clone()), said);
        assert_eq!(report, KeptReport { python: said.0, platform: said.1, ..KeptReport::default() });
    }

    /// The database takes 64 KiB (`sql/functions/_check_result.sql`), and a report must cost no build.
    #[test]
    fn the_longest_report_is_one_that_the_database_takes() {
        let board =
            Board { machine: longest(), os: longest(), walls: List::cut(vec![Wall::NoNewPrivileges; WALLS]) };
        let said = BuildReport {
            interpreter: longest(),
            pip: longest(),
            pip_arguments: longest(),
            compiler: longest(),
            sdist: Some(slave::Sdist { filename: longest(), size: u64::MAX, sha256: digest("foo") }),
            requirements: List::cut(vec![longest(); REPORT_REQUIREMENTS]),
            peak_memory: u64::MAX,
            cpu_ms: u64::MAX,
            apt: List::cut(vec![Text::new("a".repeat(APT_BYTES)).unwrap(); REPORT_APT]),
        };
        let report = KeptReport::of(&introduction(board), &said);
        let json = serde_json::to_string(&report).unwrap();
        // PostgreSQL writes a space behind each colon and comma
        let spaces = json.matches([':', ',']).count();
        assert!((40_000..=65_536).contains(&(json.len() + spaces)), "{} bytes", json.len() + spaces);
        assert_eq!(serde_json::from_str::<KeptReport>(&json).unwrap(), report);
        assert_eq!(report.walls, ["no-new-privileges"], "each once");
    }

    #[test]
    fn passwords_in_addresses_are_not_kept() {
        for (said, kept) in [
            ("wheel --no-deps foo==1.0", "wheel --no-deps foo==1.0"),
            ("--index-url https://example/simple foo@1", "--index-url https://example/simple foo@1"),
            (
                "-i https://me:s3@cret@example/simple -i http://me@b",
                "-i https://****@example/simple -i http://****@b",
            ),
            ("://a:b@", "://****@"),
            ("é://", "é://"),
        ] {
            assert_eq!(without_passwords(said), kept);
        }
        let build = BuildReport { pip_arguments: Text::cut("http://a:b@c"), ..BuildReport::default() };
        let report = KeptReport::of(&introduction(Board::default()), &build);
        assert_eq!(report.pip_arguments.as_deref(), Some("http://****@c"));
    }

    #[test]
    fn a_report_of_another_version_is_read_as_far_as_it_is_known() {
        let read: KeptReport = serde_json::from_str(r#"{"pip": "23.0.1", "colour": ["red"]}"#).unwrap();
        assert_eq!(read, KeptReport { pip: Some("23.0.1".to_owned()), ..KeptReport::default() });
    }
}
