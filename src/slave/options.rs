//! The options of `piw-slave` (manual 3.2): argh's definitions, and what they come to with the configuration. All values are
//! texts at first, so that each is read in one way wherever it was given.

use std::path::{Path, PathBuf};

use argh::{EarlyExit, FromArgs};

use super::builder::{Limits, SMALLEST_LIMIT};
use super::fitness::Demands;
use super::session::OnTerm;
use super::start::{Refusal, Wishes};
use crate::config::{Config, ConfigError, Duration, Size, Switch};
use crate::domain::Millis;
use crate::vitals;

/// Builds wheels on behalf of piw-master. Runs until it is stopped: the first SIGTERM or SIGINT lets it deliver the
/// build that it has, the second one gives the job back; SIGHUP has it read its configuration anew. Every option can also
/// be given as a line of a configuration file (timeout = 3h) or as a variable (PIW_TIMEOUT=3h), but for those that end it.
#[derive(FromArgs, Clone, Debug)]
#[cfg_attr(feature = "admin", derive(argh::ArgsInfo))]
#[argh(help_triggers("-h", "--help"))]
pub struct Arguments {
    /// show the version and exit
    #[argh(switch, short = 'V')]
    pub version: bool,
    /// configuration file to read besides the usual ones
    #[argh(option, short = 'c', arg_name = "FILE")]
    pub configuration: Option<String>,
    /// print the configuration in force, each value with where it comes from, and exit; nothing else is done
    #[argh(switch)]
    pub print_config: bool,
    /// print errors only
    #[argh(switch, short = 'q')]
    pub quiet: bool,
    /// print more; twice: everything
    #[argh(switch, short = 'v')]
    pub verbose: u8,
    /// write a log to this file, too (no file)
    #[argh(option, short = 'l', arg_name = "FILE")]
    pub log_file: Option<String>,
    /// name or address of the master (localhost)
    #[argh(option, short = 'm', arg_name = "HOST")]
    pub master: Option<String>,
    /// time that a build may take (3h)
    #[argh(option, short = 't', arg_name = "DURATION")]
    pub timeout: Option<String>,
    /// time that a build may print nothing; 0: as long as it likes (1h)
    #[argh(option, arg_name = "DURATION")]
    pub silence: Option<String>,
    /// interpreter to build with and for (python3)
    #[argh(option, arg_name = "PATH")]
    pub python: Option<String>,
    /// file with the line that 'piw-master --add-slave NAME' printed, mode 0600: the name and key of this slave
    /// (none)
    #[argh(option, arg_name = "FILE")]
    pub key_file: Option<String>,
    /// name of this slave for people (the host's name)
    #[argh(option, arg_name = "NAME")]
    pub label: Option<String>,
    /// directory to build in (one of its own in $TMPDIR)
    #[argh(option, arg_name = "DIR")]
    pub dir: Option<String>,
    /// port of the master's slave queue (5555)
    #[argh(option, arg_name = "N")]
    pub slave_port: Option<String>,
    /// port of the master's file queue (5556)
    #[argh(option, arg_name = "N")]
    pub file_port: Option<String>,
    /// most that is kept of one build's log (4M)
    #[argh(option, arg_name = "SIZE")]
    pub log_limit: Option<String>,
    /// what becomes of the build at SIGTERM: finish, abort, or a duration that it may take (finish)
    #[argh(option, arg_name = "WHAT")]
    pub on_term: Option<String>,
    /// free space of the directory below which no job is asked for; 0: none (1G)
    #[argh(option, arg_name = "SIZE")]
    pub disk_floor: Option<String>,
    /// temperature in degrees Celsius at which no job is asked for; 0: no limit (0)
    #[argh(option, arg_name = "DEGREES")]
    pub max_temperature: Option<String>,
    /// most that a build may print; 0: any amount (256M)
    #[argh(option, arg_name = "SIZE")]
    pub output_limit: Option<String>,
    /// largest wheel; 0: any size (2G)
    #[argh(option, arg_name = "SIZE")]
    pub wheel_limit: Option<String>,
    /// most that a build may write to the disk; 0: any amount (16G)
    #[argh(option, arg_name = "SIZE")]
    pub disk_limit: Option<String>,
    /// memory of all a build's processes together; 0: any amount (what the machine has)
    #[argh(option, arg_name = "SIZE")]
    pub memory_limit: Option<String>,
    /// processes and threads of a build; 0: any number (1024)
    #[argh(option, arg_name = "N")]
    pub process_limit: Option<String>,
    /// off: builds have no network; what they need is fetched before (on)
    #[argh(option, arg_name = "on|off")]
    pub net: Option<String>,
    /// walls of the sandbox without which nothing is built, with commas between them: namespaces,net-off,seccomp; see
    /// --check (none)
    #[argh(option, arg_name = "WALLS")]
    pub require: Option<String>,
    /// files and directories that builds may read beside the system's own, with commas between them (none)
    #[argh(option, arg_name = "PATHS")]
    pub expose: Option<String>,
    /// import what was built, in an environment of its own, before it is offered
    #[argh(switch)]
    pub import_test: bool,
    /// say what this machine can do and what it lacks, and exit: 0 when it can build, 1 when not
    #[argh(switch)]
    pub check: bool,
    /// build this (PACKAGE==VERSION) without a master, print a report as JSON, and exit: 0 when it was built, 1 when not
    #[argh(option, arg_name = "WHAT")]
    pub build: Option<String>,
    /// build tag that --build gives the wheels: a number, in their names and in WHEEL (what the package gives them)
    #[argh(option, arg_name = "N")]
    pub build_tag: Option<String>,
    /// where --build puts wheels and log (.)
    #[argh(option, arg_name = "DIR")]
    pub out: Option<String>,
    /// index that --build builds from (the one pip is configured for)
    #[argh(option, arg_name = "URL")]
    pub index_url: Option<String>,
}

/// What holds where an option is given nowhere: this value, or what these words say.
enum Standard {
    Is(&'static str),
    Else(&'static str),
}

/// For each key of a configuration file; what stands in brackets in the options' help.
const STANDARDS: [(&str, Standard); KEYS] = [
    ("quiet", Standard::Is("false")),
    ("verbose", Standard::Is("0")),
    ("log-file", Standard::Else("no file")),
    ("master", Standard::Is("localhost")),
    ("timeout", Standard::Is("3h")),
    ("silence", Standard::Is("1h")),
    ("python", Standard::Is("python3")),
    ("key-file", Standard::Else("none")),
    ("label", Standard::Else("the host's name")),
    ("dir", Standard::Else("one of its own in $TMPDIR")),
    ("slave-port", Standard::Is("5555")),
    ("file-port", Standard::Is("5556")),
    ("log-limit", Standard::Is("4M")),
    ("on-term", Standard::Is("finish")),
    ("disk-floor", Standard::Is("1G")),
    ("max-temperature", Standard::Is("0")),
    ("output-limit", Standard::Is("256M")),
    ("wheel-limit", Standard::Is("2G")),
    ("disk-limit", Standard::Is("16G")),
    ("memory-limit", Standard::Else("what the machine has")),
    ("process-limit", Standard::Is("1024")),
    ("net", Standard::Is("on")),
    ("require", Standard::Else("none")),
    ("expose", Standard::Else("none")),
    ("import-test", Standard::Is("false")),
];
const KEYS: usize = 25;

/// Whether a configuration file may have it.
#[cfg(feature = "admin")]
pub fn is_key(name: &str) -> bool {
    STANDARDS.iter().any(|(key, _)| *key == name)
}

/// Options with a value, and their letters: of two the last one counts, and people write them in one word.
const VALUED: [(&str, Option<char>); 27] = [
    ("configuration", Some('c')),
    ("log-file", Some('l')),
    ("master", Some('m')),
    ("timeout", Some('t')),
    ("silence", None),
    ("python", None),
    ("key-file", None),
    ("label", None),
    ("dir", None),
    ("slave-port", None),
    ("file-port", None),
    ("log-limit", None),
    ("on-term", None),
    ("disk-floor", None),
    ("max-temperature", None),
    ("output-limit", None),
    ("wheel-limit", None),
    ("disk-limit", None),
    ("memory-limit", None),
    ("process-limit", None),
    ("net", None),
    ("require", None),
    ("expose", None),
    ("build", None),
    ("build-tag", None),
    ("out", None),
    ("index-url", None),
];
/// Letters of options without one.
const SWITCHES: &str = "qvVh";

/// What the options come to.
#[derive(Clone, Debug)]
pub struct Settled {
    /// Errors only on the console.
    pub quiet: bool,
    /// How much more.
    pub verbose: u8,
    /// Where lines go, too.
    pub log_file: Option<PathBuf>,
    /// The master's name or address.
    pub master: String,
    /// Its slave queue's port, and its file queue's.
    pub ports: (u16, u16),
    /// Where this slave's key is.
    pub key_file: Option<PathBuf>,
    /// What people call it.
    pub label: Option<String>,
    /// What its machine must be like to be given a job.
    pub demands: Demands,
    /// What becomes of a build at SIGTERM.
    pub on_term: OnTerm,
    /// How it builds.
    pub wishes: Wishes,
}

fn wrong(error: ConfigError) -> Refusal {
    Refusal(2, error.to_string())
}

impl Arguments {
    /// Reads the words of a command line; the error says whether help was asked for.
    pub fn read(words: impl Iterator<Item = String>) -> Result<Self, EarlyExit> {
        let words = last_counts(words.flat_map(|word| split(&word)).collect());
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        Self::from_args(&["piw-slave"], &words)
    }

    /// Settles every option; the first that is no good ends it.
    pub fn settle(&self, config: &Config) -> Result<Settled, Refusal> {
        let on = |flag: bool| flag.then(|| "true".to_owned());
        let Switch(quiet) = value(config, &on(self.quiet), "quiet")?;
        let times = (self.verbose > 0).then(|| self.verbose.to_string());
        let verbose: u8 = value(config, &times, "verbose")?;
        // the later of the two takes the other back
        let (quiet, verbose) = match quiet && verbose > 0 && config.settle("quiet", "verbose") {
            true => (false, verbose),
            false => (quiet, if quiet { 0 } else { verbose }),
        };
        let key_file: Option<PathBuf> = maybe(config, &self.key_file, "key-file")?;
        let settled = Settled {
            quiet,
            verbose,
            log_file: maybe(config, &self.log_file, "log-file")?,
            master: value(config, &self.master, "master")?,
            ports: (
                value(config, &self.slave_port, "slave-port")?,
                value(config, &self.file_port, "file-port")?,
            ),
            label: maybe(config, &self.label, "label")?,
            demands: self.demands(config)?,
            on_term: value(config, &self.on_term, "on-term")?,
            wishes: self.wishes(config, key_file.as_deref())?,
            key_file,
        };
        Ok(settled)
    }

    /// What its machine must be like to be given a job.
    fn demands(&self, config: &Config) -> Result<Demands, Refusal> {
        let Size(disk_floor) = value(config, &self.disk_floor, "disk-floor")?;
        let max_temperature = value(config, &self.max_temperature, "max-temperature")?;
        if !(max_temperature == 0 || (30..=150).contains(&max_temperature)) {
            let line = "the highest temperature must be 0, which is no limit, or 30 to 150";
            return Err(Refusal(2, line.to_owned()));
        }
        Ok(Demands { disk_floor, max_temperature: Some(max_temperature).filter(|limit| *limit > 0) })
    }

    /// How it is to build.
    fn wishes(&self, config: &Config, key_file: Option<&Path>) -> Result<Wishes, Refusal> {
        let refuse = |line: String| Refusal(2, line);
        let size = |flag: &Option<String>, key: &str| value(config, flag, key).map(|size: Size| size.0);
        let Duration(time) = value(config, &self.timeout, "timeout")?;
        if u32::try_from(time.as_secs()).unwrap_or(0) == 0 {
            return Err(refuse("the timeout must be from one second to 136 years".to_owned()));
        }
        let silence = value::<Duration>(config, &self.silence, "silence")?.millis();
        if (1..1000).contains(&silence.0) {
            return Err(refuse(
                "the silence must be 0, which is no limit, or one second at least".to_owned(),
            ));
        }
        let log_limit = size(&self.log_limit, "log-limit")?;
        if log_limit < SMALLEST_LIMIT {
            return Err(refuse(format!("the log limit must be {SMALLEST_LIMIT} bytes at least")));
        }
        let memory: Option<Size> = maybe(config, &self.memory_limit, "memory-limit")?;
        let whole_memory = || vitals::read(Path::new("/")).memory_total;
        let limits = Limits {
            time: Millis::secs(time.as_secs()),
            silence,
            output_bytes: size(&self.output_limit, "output-limit")?,
            wheel_bytes: size(&self.wheel_limit, "wheel-limit")?,
            disk_bytes: size(&self.disk_limit, "disk-limit")?,
            memory_bytes: memory.map_or_else(whole_memory, |size| size.0),
            processes: value(config, &self.process_limit, "process-limit")?,
        };
        let import_test = self.import_test.then(|| "true".to_owned());
        Ok(Wishes {
            python: value(config, &self.python, "python")?,
            dir: maybe(config, &self.dir, "dir")?,
            limits,
            log_limit,
            network: value::<Switch>(config, &self.net, "net")?.0,
            import_test: value::<Switch>(config, &import_test, "import-test")?.0,
            require: maybe(config, &self.require, "require")?.unwrap_or_default(),
            expose: maybe(config, &self.expose, "expose")?.unwrap_or_default(),
            hide: key_file.into_iter().filter_map(|path| std::fs::canonicalize(path).ok()).collect(),
        })
    }
}

fn standard(key: &str) -> &'static Standard {
    const NONE: &Standard = &Standard::Else("");
    STANDARDS.iter().find(|(known, _)| *known == key).map_or(NONE, |(_, standard)| standard)
}

fn value<T>(config: &Config, flag: &Option<String>, key: &str) -> Result<T, Refusal>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    let (Standard::Is(default) | Standard::Else(default)) = standard(key);
    config.value(flag.as_deref(), key, default).map_err(wrong)
}

fn maybe<T>(config: &Config, flag: &Option<String>, key: &str) -> Result<Option<T>, Refusal>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    let (Standard::Is(otherwise) | Standard::Else(otherwise)) = standard(key);
    config.find(flag.as_deref(), key, otherwise).map_err(wrong)
}

/// argh takes `--name value` and `-v -v`; people also write `--name=value`, `-vv` and `-t3h`.
fn split(word: &str) -> Vec<String> {
    if let Some((name, value)) = word.split_once('=')
        && name.starts_with("--")
    {
        return vec![name.to_owned(), value.to_owned()];
    }
    let mut letters = word.chars();
    let (Some('-'), Some(first), rest) = (letters.next(), letters.next(), letters.as_str()) else {
        return vec![word.to_owned()];
    };
    if rest.is_empty() {
        return vec![word.to_owned()];
    }
    if VALUED.iter().any(|(_, letter)| *letter == Some(first)) {
        return vec![format!("-{first}"), rest.strip_prefix('=').unwrap_or(rest).to_owned()];
    }
    if word[1..].chars().all(|letter| SWITCHES.contains(letter)) {
        return word[1..].chars().map(|letter| format!("-{letter}")).collect();
    }
    vec![word.to_owned()]
}

/// argh refuses an option that is there twice; here the last one counts. So it is with -q and -v.
fn last_counts(words: Vec<String>) -> Vec<String> {
    let mut kept: Vec<(Option<&'static str>, Vec<String>)> = Vec::new();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let valued = VALUED.iter().find(|(long, letter)| {
            word.strip_prefix("--") == Some(long) || letter.is_some_and(|letter| word == format!("-{letter}"))
        });
        let (name, takes_back) = match word.as_str() {
            _ if let Some((long, _)) = valued => (Some(*long), *long),
            "-q" | "--quiet" => (Some("quiet"), "verbose"),
            "-v" | "--verbose" => (Some("verbose"), "quiet"),
            _ => (None, ""),
        };
        kept.retain(|(earlier, _)| earlier.is_none() || *earlier != Some(takes_back));
        let mut group = vec![word];
        if valued.is_some() {
            group.extend(words.next());
        }
        kept.push((name, group));
    }
    kept.into_iter().flat_map(|(_, group)| group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &str) -> Arguments {
        Arguments::read(words.split(' ').map(str::to_owned)).unwrap()
    }

    #[test]
    fn options_may_be_written_as_people_do_and_the_last_counts() {
        let read_ = read("-t3h -vvv --timeout=2h -mhost --label=a=b -t 1h -c=f --label c -cg");
        assert_eq!((read_.timeout.as_deref(), read_.verbose), (Some("1h"), 3));
        assert_eq!((read_.master.as_deref(), read_.label.as_deref()), (Some("host"), Some("c")));
        assert_eq!(read_.configuration.as_deref(), Some("g"));
        assert_eq!(
            read("--label -q --build --label").build.as_deref(),
            Some("--label"),
            "a value is no option"
        );
        for (words, quiet, verbose) in
            [("-q -v -v", false, 2), ("-vv -q", true, 0), ("-vqv", false, 1), ("-q -q", true, 0)]
        {
            let read = read(words);
            assert_eq!((read.quiet, read.verbose), (quiet, verbose), "{words}");
        }
        for bad in ["-x", "--timeout", "-qx", "extra"] {
            assert!(Arguments::read(bad.split(' ').map(str::to_owned)).unwrap_err().status.is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_settled_without_a_word_is_what_the_help_says() {
        let config = Config::default();
        let settled = Arguments::read(std::iter::empty()).unwrap().settle(&config).unwrap();
        assert_eq!(
            (settled.master.as_str(), settled.ports, settled.quiet),
            ("localhost", (5555, 5556), false)
        );
        assert_eq!(settled.wishes.limits.time, Millis::secs(3 * 3600));
        let asked: Vec<_> = config.asked().into_iter().map(|setting| setting.key).collect();
        assert_eq!(asked.len(), KEYS, "each once: {asked:?}");
        assert!(STANDARDS.iter().all(|(key, _)| asked.iter().any(|asked| asked == key)));
    }

    #[cfg(feature = "admin")]
    #[test]
    fn the_definitions_and_the_tables_beside_them_say_the_same() {
        use argh::{ArgsInfo, FlagInfoKind, Optionality};
        let info = Arguments::get_args_info();
        let mut keys = 0;
        for flag in info.flags {
            let name = flag.long.trim_start_matches('-');
            let valued = VALUED.iter().find(|(long, _)| *long == name);
            assert_eq!(valued.is_some(), matches!(flag.kind, FlagInfoKind::Option { .. }), "{name}");
            if let Some((_, letter)) = valued {
                assert_eq!(*letter, flag.short, "{name}");
            }
            assert!(!matches!(flag.optionality, Optionality::Required), "{name}");
            let Some((_, standard)) = STANDARDS.iter().find(|(key, _)| *key == name) else { continue };
            keys += 1;
            let (Standard::Is(text) | Standard::Else(text)) = standard;
            let switch = matches!(flag.kind, FlagInfoKind::Switch);
            assert!(switch || flag.description.ends_with(&format!("({text})")), "{}", flag.description);
        }
        assert_eq!(keys, KEYS);
    }
}
