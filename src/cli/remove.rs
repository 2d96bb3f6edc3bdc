//! `piw-remove` (manual 7.2).

use clap::Parser;

use crate::admin::remove::Remove;
use crate::cli::Head;
use crate::options::Tool;

/// Removes what is published of a package or a version of it. Must run on the master's machine, as the master's account or root.
#[derive(Debug, Parser)]
#[command(name = "piw-remove", version, args_override_self = true)]
pub struct Options {
    /// What both tools have.
    #[command(flatten)]
    pub head: Head,
    /// What is to be removed.
    #[command(flatten)]
    pub remove: Remove,
}

impl Tool for Options {
    const NAME: &'static str = "piw-remove";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skip_is_a_switch_as_the_manual_has_it_and_takes_a_reason_only_in_one_word() {
        let read =
            |words: &[&str]| Options::try_parse_from([&["piw-remove"], words].concat()).unwrap().remove;
        for words in [["-y", "-s", "foo", "1.0"], ["--skip", "foo", "1.0", "--yes"]] {
            let remove = read(&words);
            assert_eq!((remove.package.as_str(), remove.version.as_deref()), ("foo", Some("1.0")));
            assert_eq!(remove.skip.as_deref(), Some("removed by the operator"));
        }
        for words in [["foo", "--skip=too old"], ["-s=too old", "foo"]] {
            assert_eq!(read(&words).skip.as_deref(), Some("too old"));
        }
        assert_eq!(read(&["foo"]).skip, None);
    }
}
