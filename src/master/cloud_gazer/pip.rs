//! Which index pip on this machine is configured for: the farm follows the same one unless it is told another.
//!
//! pip itself is asked, so that its files, variables and built-in default all count, and no address stands here.

use std::path::PathBuf;
use std::process::Command;

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
        let output = match Command::new(python).args(["-c", QUESTION]).output() {
            Ok(output) => output,
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

fn parse(text: &str) -> Option<PipSettings> {
    let mut lines = text.lines();
    let index_url = lines.next()?.trim().to_owned();
    let http = index_url.starts_with("http://") || index_url.starts_with("https://");
    let cert = lines.next().map(str::trim).filter(|cert| !cert.is_empty()).map(PathBuf::from);
    http.then_some(PipSettings { index_url, cert })
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
        assert_eq!(parse(""), None);
    }
}
