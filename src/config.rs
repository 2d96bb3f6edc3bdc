//! One configuration for all programs (manual 2.2 `-c`): files, then `PIW_*` variables, then flags; the later wins.
//!
//! A file has lines of `key = value` or `key: value`, where a key is an option's long name; `#` and `;` begin
//! comments. One file serves every program, so a key that this program does not know is none of its business.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

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
        /// The option's long name.
        key: String,
        /// The value.
        value: String,
        /// Where it was given.
        source: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { file, reason } => write!(f, "cannot read {}: {reason}", file.display()),
            Self::Line { file, line } => {
                write!(f, "{}, line {line}: not of the form 'key = value'", file.display())
            }
            Self::Value { key, value, source, reason } => write!(f, "{key} = {value:?} ({source}): {reason}"),
        }
    }
}

impl std::error::Error for ConfigError {}

/// What the files and the environment say; flags are handed in where a value is asked for.
#[derive(Clone, Debug, Default)]
pub struct Config {
    values: HashMap<String, (String, String)>,
    /// What was passed over and may surprise: for the log, once there is one.
    pub warnings: Vec<String>,
}

impl Config {
    /// Reads the files of [`FILES`] that are there, then `explicit`, which must be.
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
        Ok(config)
    }

    fn read(&mut self, file: &Path, text: &str) -> Result<(), ConfigError> {
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            // a [section] line is let pass: some editors insist on one
            if line.is_empty() || line.starts_with(['#', ';', '[']) {
                continue;
            }
            let at = || ConfigError::Line { file: file.to_owned(), line: index + 1 };
            let split = line.find(['=', ':']).ok_or_else(at)?;
            let (key, value) = (line[..split].trim(), line[split + 1..].trim());
            if key.is_empty() {
                return Err(at());
            }
            self.values.insert(key.to_owned(), (value.to_owned(), file.display().to_string()));
        }
        Ok(())
    }

    /// The value of an option: the flag, else the variable `PIW_<KEY>`, else the files, else nothing.
    pub fn find<T>(&self, flag: Option<T>, key: &str) -> Result<Option<T>, ConfigError>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        if flag.is_some() {
            return Ok(flag);
        }
        let variable = format!("PIW_{}", key.to_uppercase().replace('-', "_"));
        let (value, source) = match std::env::var(&variable) {
            Ok(value) => (value, variable),
            Err(std::env::VarError::NotUnicode(value)) => {
                let (key, value) = (key.to_owned(), value.to_string_lossy().into_owned());
                return Err(ConfigError::Value {
                    key,
                    value,
                    source: variable,
                    reason: "is not UTF-8".to_owned(),
                });
            }
            Err(std::env::VarError::NotPresent) => match self.values.get(key) {
                Some((value, file)) => (value.clone(), file.clone()),
                None => return Ok(None),
            },
        };
        match value.parse() {
            Ok(parsed) => Ok(Some(parsed)),
            Err(e) => Err(ConfigError::Value { key: key.to_owned(), value, source, reason: format!("{e}") }),
        }
    }

    /// Like [`Config::find`], with a default.
    pub fn value<T>(&self, flag: Option<T>, key: &str, default: T) -> Result<T, ConfigError>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        Ok(self.find(flag, key)?.unwrap_or(default))
    }
}

/// A span of time as people write it: `90s`, `3h`, `1h30m`, `500ms`; a bare number is seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration(pub std::time::Duration);

impl Duration {
    /// Whole seconds.
    pub const fn secs(seconds: u64) -> Self {
        Self(std::time::Duration::from_secs(seconds))
    }
}

impl FromStr for Duration {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is not a duration (90s, 3h, 1h30m; s, m, h, d)");
        if let Ok(seconds) = text.trim().parse::<u32>() {
            return Ok(Self::secs(seconds.into()));
        }
        let mut rest = text.trim();
        let mut millis: u64 = 0;
        if rest.is_empty() {
            return Err(bad());
        }
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let number: u64 = rest[..digits].parse().map_err(|_| bad())?;
            rest = rest[digits..].trim_start();
            let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
            let unit: u64 = match &rest[..letters] {
                "ms" => 1,
                "s" | "sec" | "second" | "seconds" => 1000,
                "m" | "min" | "minute" | "minutes" => 60_000,
                "h" | "hour" | "hours" => 3_600_000,
                "d" | "day" | "days" => 86_400_000,
                _ => return Err(bad()),
            };
            millis = number.checked_mul(unit).and_then(|n| n.checked_add(millis)).ok_or_else(bad)?;
            rest = rest[letters..].trim_start();
        }
        Ok(Self(std::time::Duration::from_millis(millis)))
    }
}

/// A number of bytes as people write it: `65536`, `64K`, `2G`; units are powers of 1024.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

impl FromStr for Size {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is not a size (65536, 64K, 2G)");
        let text = text.trim();
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let number: u64 = text[..digits].parse().map_err(|_| bad())?;
        let unit = text[digits..].trim().trim_end_matches("iB").trim_end_matches('B');
        let shift = match unit.to_ascii_uppercase().as_str() {
            "" => 0,
            "K" => 10,
            "M" => 20,
            "G" => 30,
            "T" => 40,
            _ => return Err(bad()),
        };
        number.checked_mul(1 << shift).map(Self).ok_or_else(bad)
    }
}

impl fmt::Display for Size {
    /// As people write it, with one decimal where it is no whole number of its unit.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(bytes) = *self;
        let unit = [(1u64 << 40, "T"), (1 << 30, "G"), (1 << 20, "M"), (1 << 10, "K")];
        match unit.into_iter().find(|(unit, _)| bytes >= *unit) {
            Some((unit, name)) if bytes.is_multiple_of(unit) => write!(f, "{}{name}", bytes / unit),
            Some((unit, name)) => write!(f, "{:.1}{name}", bytes as f64 / unit as f64),
            None => write!(f, "{bytes} bytes"),
        }
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
        let mut config = config("# c\n; c\n[piw]\nkey-a = 1\nkey-b: 2\nurl = http://x:1/=y\n");
        config.read(Path::new("g.conf"), "key-a = 3").unwrap();
        assert_eq!(config.value(None, "key-a", 9).unwrap(), 3);
        assert_eq!(config.value(Some(4), "key-a", 9).unwrap(), 4);
        assert_eq!(config.value(None, "key-b", 9).unwrap(), 2);
        assert_eq!(config.value(None, "key-c", 9).unwrap(), 9);
        assert_eq!(config.find::<String>(None, "url").unwrap().unwrap(), "http://x:1/=y");
    }

    #[test]
    fn errors_name_the_file_and_the_line_or_the_option() {
        let mut config = config("n = many");
        let error = config.read(Path::new("f.conf"), "a = 1\nnonsense").unwrap_err();
        assert_eq!(error.to_string(), "f.conf, line 2: not of the form 'key = value'");
        let error = config.value::<u16>(None, "n", 1).unwrap_err().to_string();
        assert!(error.starts_with("n = \"many\" (f.conf): invalid digit"), "{error}");
    }

    #[test]
    fn durations_are_written_as_people_do() {
        let millis = |text: &str| text.parse::<Duration>().map(|d| d.0.as_millis());
        assert_eq!(millis("3h"), Ok(10_800_000));
        assert_eq!(millis("1h30m"), Ok(5_400_000));
        assert_eq!(millis("1 hour 30 min"), Ok(5_400_000));
        assert_eq!(millis("90"), Ok(90_000));
        assert_eq!(millis("500ms"), Ok(500));
        for bad in ["", "h", "3x", "-3h", "3h-", "99999999999999999999h", "18446744073709551615d"] {
            assert!(millis(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_are_powers_of_1024() {
        assert_eq!("2G".parse(), Ok(Size(2 << 30)));
        assert_eq!("64KiB".parse(), Ok(Size(65536)));
        let written = [1000, 1536, 3 << 30, 5 << 40].map(|bytes| Size(bytes).to_string());
        assert_eq!(written, ["1000 bytes", "1.5K", "3G", "5T"]);
        assert!("2X".parse::<Size>().is_err());
        assert!("".parse::<Size>().is_err());
    }
}
