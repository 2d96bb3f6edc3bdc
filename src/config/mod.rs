//! One configuration for all programs (manual 2.2 `-c`): files, then `PIW_*` variables, then flags; the later wins.
//!
//! A file has lines of `key = value` or `key: value`, where a key is an option's long name; `#` and `;` begin
//! comments. One file serves every program: a key that another program has is none of this one's business, and one that
//! none has is warned of (`keys.rs`). All values are texts until they are asked for: flags, too, so that each has its source.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

mod effective;
pub mod keys;
mod units;

pub use effective::{Setting, masked, print};
pub use units::{Duration, Size, Switch};

/// Where the configuration comes from when `-c` names nothing, in order; each overrides the ones before.
pub const FILES: [&str; 3] =
    ["/etc/piwheels.conf", "/usr/local/etc/piwheels.conf", "~/.config/piwheels/piwheels.conf"];

/// Why the configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// The file that `-c` names cannot be read.
    Unreadable {
        /// Which.
        file: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// A line is not `key = value`.
    Line {
        /// Which file.
        file: PathBuf,
        /// Which line, counted from 1.
        line: usize,
    },
    /// A value is not of its option's kind.
    Value {
        /// The option's key.
        key: String,
        /// The value.
        value: String,
        /// Where it was given.
        source: Source,
        /// What is wrong with it.
        reason: String,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { file, reason } => {
                write!(f, "cannot read the configuration file {} (-c): {reason}", file.display())
            }
            Self::Line { file, line } => {
                write!(f, "{}, line {line}: not of the form 'key = value'", file.display())
            }
            Self::Value { key, value, source, reason } => {
                write!(f, "{key} = {:?} ({source}): {reason}", masked(value))
            }
        }
    }
}

impl std::error::Error for ConfigError {}

/// Where a value was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Nowhere: it is the option's own.
    Default,
    /// In a file, on this line, counted from 1.
    File(PathBuf, usize),
    /// In this variable.
    Variable(String),
    /// On the command line, with this option.
    Flag(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(file, line) => write!(f, "{}, line {line}", file.display()),
            Self::Variable(name) => write!(f, "variable {name}"),
            Self::Flag(name) => write!(f, "option {name}"),
        }
    }
}

/// A text, and where it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// The text.
    pub text: String,
    /// Where.
    pub source: Source,
}

impl Given {
    /// What it says, as an option's kind; the error names the key and the source.
    pub fn parse<T>(&self, key: &str) -> Result<T, ConfigError>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        self.text.parse().map_err(|reason: T::Err| self.wrong(key, reason.to_string()))
    }

    /// The error for a text that cannot be used.
    pub fn wrong(&self, key: &str, reason: String) -> ConfigError {
        ConfigError::Value {
            key: key.to_owned(),
            value: self.text.clone(),
            source: self.source.clone(),
            reason,
        }
    }
}

/// What the files and the environment say; flags are handed in where a value is asked for.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// By key, with their place among all lines that were read.
    values: HashMap<String, (usize, Given)>,
    lines: usize,
    /// What was asked for, in order, and what it came to.
    asked: RefCell<Vec<Setting>>,
    /// What was passed over and may surprise: for the log, once there is one.
    pub warnings: Vec<String>,
}

impl Config {
    /// Reads the files of [`FILES`] that are there, then `explicit`, which must be. Keys and variables that no program
    /// knows are warned of.
    pub fn load(explicit: Option<&Path>) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        for file in FILES {
            let file = match file.strip_prefix("~/") {
                Some(rest) => match std::env::var_os("HOME") {
                    Some(home) => Path::new(&home).join(rest),
                    None => continue,
                },
                None => PathBuf::from(file),
            };
            match std::fs::read_to_string(&file) {
                Ok(text) => config.read(&file, &text)?,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => {
                    config.warnings.push(format!("{} is passed over: {error}", file.display()));
                }
            }
        }
        if let Some(file) = explicit {
            let text = std::fs::read_to_string(file)
                .map_err(|e| ConfigError::Unreadable { file: file.to_owned(), reason: e.to_string() })?;
            config.read(file, &text)?;
        }
        let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        let mut unknown: Vec<String> = names.filter_map(|name| keys::variable_complaint(&name)).collect();
        unknown.sort();
        config.warnings.extend(unknown);
        Ok(config)
    }

    /// Takes in what the text of a file says; `file` is for messages.
    pub(crate) fn read(&mut self, file: &Path, text: &str) -> Result<(), ConfigError> {
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            // a [section] line is let pass: some editors insist on one
            if line.is_empty() || line.starts_with(['#', ';', '[']) {
                continue;
            }
            let number = index + 1;
            let at = || ConfigError::Line { file: file.to_owned(), line: number };
            let split = line.find(['=', ':']).ok_or_else(at)?;
            let (key, value) = (line[..split].trim(), line[split + 1..].trim());
            if key.is_empty() {
                return Err(at());
            }
            let source = Source::File(file.to_owned(), number);
            if let Some(complaint) = keys::complaint(key) {
                self.warnings.push(format!("{source}: {complaint}"));
            }
            self.lines += 1;
            self.values.insert(key.to_owned(), (self.lines, Given { text: value.to_owned(), source }));
        }
        Ok(())
    }

    /// What the variable `PIW_<KEY>`, or else the files, say of a key.
    pub fn look_up(&self, key: &str) -> Result<Option<Given>, ConfigError> {
        let name = keys::variable(key);
        match std::env::var(&name) {
            Ok(text) => Ok(Some(Given { text, source: Source::Variable(name) })),
            Err(std::env::VarError::NotUnicode(text)) => {
                let text = text.to_string_lossy().into_owned();
                Err(Given { text, source: Source::Variable(name) }.wrong(key, "is not UTF-8".to_owned()))
            }
            Err(std::env::VarError::NotPresent) => Ok(self.values.get(key).map(|(_, given)| given.clone())),
        }
    }

    /// Which of two sources of different keys is the later: the greater.
    pub fn order(&self, key: &str, source: &Source) -> (u8, usize) {
        match source {
            Source::Default => (0, 0),
            Source::File(..) => (1, self.values.get(key).map_or(0, |(place, _)| *place)),
            Source::Variable(_) => (2, 0),
            Source::Flag(_) => (3, 0),
        }
    }

    /// The value of an option: the flag, else the variable, else the files, else nothing; `otherwise` says what that means.
    pub fn find<T>(&self, flag: Option<&str>, key: &str, otherwise: &str) -> Result<Option<T>, ConfigError>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        let flag = flag.map(|text| Given { text: text.to_owned(), source: Source::Flag(format!("--{key}")) });
        let given = match flag {
            Some(given) => Some(given),
            None => self.look_up(key)?,
        };
        let parsed = given.as_ref().map(|given| given.parse(key)).transpose()?;
        self.asked.borrow_mut().push(Setting { key: key.to_owned(), given, otherwise: otherwise.to_owned() });
        Ok(parsed)
    }

    /// The same, with a default.
    pub fn value<T>(&self, flag: Option<&str>, key: &str, default: &str) -> Result<T, ConfigError>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        let flag = flag.map(|text| Given { text: text.to_owned(), source: Source::Flag(format!("--{key}")) });
        let given = match flag {
            Some(given) => given,
            None => self
                .look_up(key)?
                .unwrap_or_else(|| Given { text: default.to_owned(), source: Source::Default }),
        };
        let parsed = given.parse(key)?;
        let setting = Setting { key: key.to_owned(), given: Some(given), otherwise: String::new() };
        self.asked.borrow_mut().push(setting);
        Ok(parsed)
    }

    /// Of two switches that are both on the one that was given first is taken back: whether that is `first`. Both were
    /// asked for.
    pub fn settle(&self, first: &str, second: &str) -> bool {
        let mut asked = self.asked.borrow_mut();
        let order = |asked: &[Setting], key: &str| {
            let setting = asked.iter().find(|setting| setting.key == key);
            setting.and_then(|setting| Some(self.order(key, &setting.given.as_ref()?.source)))
        };
        let loses = order(&asked, first) < order(&asked, second);
        let back = if loses { first } else { second };
        for setting in asked.iter_mut().filter(|setting| setting.key == back) {
            setting.given = None;
            "off, for what came later is its opposite".clone_into(&mut setting.otherwise);
        }
        loses
    }

    /// What was asked for so far, in order.
    pub fn asked(&self) -> Vec<Setting> {
        self.asked.borrow().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        let mut config = Config::default();
        config.read(Path::new("f.conf"), text).unwrap();
        config
    }

    #[test]
    fn later_sources_win_and_flags_win_over_all() {
        let mut config = config("# c\n; c\n[piw]\nkey-a = 1\nkey-b: 2\nurl = http://x:1/=y\nkey-b = 5\n");
        config.read(Path::new("g.conf"), "key-a = 3").unwrap();
        assert_eq!(config.value(None, "key-a", "9"), Ok(3));
        assert_eq!(config.value(Some("4"), "key-a", "9"), Ok(4));
        assert_eq!(config.value(None, "key-b", "9"), Ok(5), "of one file the last line");
        assert_eq!(config.value(None, "key-c", "9"), Ok(9));
        assert_eq!(config.find::<String>(None, "url", "").unwrap().unwrap(), "http://x:1/=y");
        let sources: Vec<_> =
            config.asked().iter().filter_map(|s| Some(s.given.as_ref()?.source.to_string())).collect();
        assert_eq!(
            sources,
            ["g.conf, line 1", "option --key-a", "f.conf, line 7", "default", "f.conf, line 6"]
        );
    }

    #[test]
    fn errors_name_the_file_and_the_line_or_the_option() {
        let mut config = config("\nn = many");
        let error = config.read(Path::new("f.conf"), "a = 1\nnonsense").unwrap_err();
        assert_eq!(error.to_string(), "f.conf, line 2: not of the form 'key = value'");
        let error = config.value::<u16>(None, "n", "1").unwrap_err().to_string();
        assert!(error.starts_with("n = \"many\" (f.conf, line 2): invalid digit"), "{error}");
        let error = config.value::<u16>(Some("x"), "n", "1").unwrap_err().to_string();
        assert!(error.starts_with("n = \"x\" (option --n): invalid digit"), "{error}");
    }

    #[test]
    fn what_no_program_knows_is_warned_of_with_file_and_line() {
        let config = config("dsn = x\n\nouput-path = /srv\nyes = true\n");
        assert_eq!(
            config.warnings,
            [
                "f.conf, line 3: no program has an option 'ouput-path'; did you mean 'output-path'?",
                "f.conf, line 4: 'yes' is for the command line only; passed over",
            ]
        );
    }
}
