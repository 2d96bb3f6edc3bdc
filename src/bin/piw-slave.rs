//! `piw-slave`: builds wheels on behalf of a master (manual chapter 3).

use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use argh::{EarlyExit, FromArgs};
use piwheels::config::{Config, ConfigError, Duration, Size};
use piwheels::domain::Millis;
use piwheels::keyfile::Keys;
use piwheels::logging;
use piwheels::slave::builder::{SMALLEST_LIMIT, Settings, command};
use piwheels::slave::link::Identity;
use piwheels::slave::python::Python;
use piwheels::slave::session;
use piwheels::slave::shell::{self, Options};
use piwheels::slave::workdir::Workdir;
use piwheels::wire::Text;

/// Builds wheels on behalf of piw-master. Runs until it is stopped: the first SIGTERM or SIGINT lets it deliver the
/// build that it has, the second one gives the job back. Every option can also be given as a line of a configuration
/// file (timeout = 3h) or as a variable (PIW_TIMEOUT=3h).
#[derive(FromArgs, Debug)]
#[argh(help_triggers("-h", "--help"))]
struct Arguments {
    /// show the version and exit
    #[argh(switch)]
    version: bool,
    /// configuration file to read besides the usual ones
    #[argh(option, short = 'c', arg_name = "file")]
    configuration: Option<PathBuf>,
    /// print errors only
    #[argh(switch, short = 'q')]
    quiet: bool,
    /// print more; twice: everything
    #[argh(switch, short = 'v')]
    verbose: u8,
    /// write a log to this file, too
    #[argh(option, short = 'l', arg_name = "file")]
    log_file: Option<PathBuf>,
    /// name or address of the master (localhost)
    #[argh(option, short = 'm', arg_name = "host")]
    master: Option<String>,
    /// time that a build may take (3h)
    #[argh(option, short = 't', arg_name = "duration")]
    timeout: Option<Duration>,
    /// time that a build may print nothing; 0: as long as it likes (1h)
    #[argh(option, arg_name = "duration")]
    silence: Option<Duration>,
    /// interpreter to build with and for (python3)
    #[argh(option, arg_name = "path")]
    python: Option<PathBuf>,
    /// file with the line that 'piw-master --add-slave NAME' printed, mode 0600: the name and key of this slave
    #[argh(option, arg_name = "file")]
    key_file: Option<PathBuf>,
    /// name of this slave for people (the host's name)
    #[argh(option, arg_name = "name")]
    label: Option<String>,
    /// directory to build in (one of its own in $TMPDIR)
    #[argh(option, arg_name = "dir")]
    dir: Option<PathBuf>,
    /// port of the master's slave queue (5555)
    #[argh(option, arg_name = "n")]
    slave_port: Option<u16>,
    /// port of the master's file queue (5556)
    #[argh(option, arg_name = "n")]
    file_port: Option<u16>,
    /// most that is kept of one build's log (4M)
    #[argh(option, arg_name = "size")]
    log_limit: Option<Size>,
}

/// Why the program ends before it has begun: an exit code and a line for people.
struct Refusal(u8, String);

impl From<ConfigError> for Refusal {
    fn from(error: ConfigError) -> Self {
        Self(2, error.to_string())
    }
}

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1).peekable();
    if words.next_if(|word| word == command::LAUNCH).is_some() {
        return command::launch(words);
    }
    let arguments = match parse(words) {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    if arguments.version {
        say(&mut io::stdout(), format_args!("piw-slave {}", piwheels::VERSION));
        return ExitCode::SUCCESS;
    }
    match run(arguments) {
        Ok(code) => code,
        Err(Refusal(code, line)) => {
            say(&mut io::stderr(), format_args!("piw-slave: {line}"));
            ExitCode::from(code)
        }
    }
}

/// Prints a line, where somebody reads it.
fn say(to: &mut dyn Write, line: impl Display) {
    let _ = writeln!(to, "{line}");
}

fn parse(words: impl Iterator<Item = OsString>) -> Result<Arguments, ExitCode> {
    let words: Vec<String> = words.flat_map(|word| split(&word.to_string_lossy())).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match Arguments::from_args(&["piw-slave"], &words) {
        Ok(arguments) => Ok(arguments),
        Err(EarlyExit { output, status: Ok(()) }) => {
            say(&mut io::stdout(), output.trim_end());
            Err(ExitCode::SUCCESS)
        }
        Err(EarlyExit { output, status: Err(()) }) => {
            say(&mut io::stderr(), format_args!("piw-slave: {}; see --help", output.trim_end()));
            Err(ExitCode::from(2))
        }
    }
}

fn run(arguments: Arguments) -> Result<ExitCode, Refusal> {
    if nix::unistd::geteuid().is_root() {
        let line = "builds run strangers' code and must not run as root: start it as a user of its own \
                    (for example: runuser -u piwheels -- piw-slave)";
        return Err(Refusal(1, line.to_owned()));
    }
    let config = Config::load(arguments.configuration.as_deref())?;
    let quiet = config.value(arguments.quiet.then_some(true), "quiet", false)?;
    let verbose = config.value(Some(arguments.verbose).filter(|n| *n > 0), "verbose", 0)?;
    let log_file: Option<PathBuf> = config.find(arguments.log_file, "log-file")?;
    logging::start_small("piw-slave", logging::console_level(quiet, verbose), log_file.as_deref())
        .map_err(|line| Refusal(1, line))?;
    config.warnings.iter().for_each(|warning| log::warn!("{warning}"));

    let timeout = config.value(arguments.timeout, "timeout", Duration::secs(3 * 3600))?;
    let timeout_secs = u32::try_from(timeout.0.as_secs()).unwrap_or(0);
    if timeout_secs == 0 {
        return Err(Refusal(2, "the timeout must be from one second to 136 years".to_owned()));
    }
    let silence = config.value(arguments.silence, "silence", Duration::secs(3600))?;
    let silence = u64::try_from(silence.0.as_millis()).unwrap_or(u64::MAX);
    if (1..1000).contains(&silence) {
        return Err(Refusal(
            2,
            "the silence must be 0, which is no limit, or one second at least".to_owned(),
        ));
    }
    let Size(log_limit) = config.value(arguments.log_limit, "log-limit", Size(4 << 20))?;
    if log_limit < SMALLEST_LIMIT {
        return Err(Refusal(2, format!("the log limit must be {SMALLEST_LIMIT} bytes at least")));
    }
    let key_file: Option<PathBuf> = config.find(arguments.key_file, "key-file")?;
    let key = key_file.as_deref().map(read_key).transpose()?;
    let label: Option<String> = config.find(arguments.label, "label")?;
    let program: PathBuf = config.value(arguments.python, "python", "python3".into())?;
    let dir: Option<PathBuf> = config.find(arguments.dir, "dir")?;
    let master = config.value(arguments.master, "master", "localhost".to_owned())?;
    let slave_port = config.value(arguments.slave_port, "slave-port", 5555)?;
    let file_port = config.value(arguments.file_port, "file-port", 5556)?;

    let workdir = Workdir::open(dir.as_deref()).map_err(|line| Refusal(1, line))?;
    let python = match Python::ask(&program, workdir.path()) {
        Ok(python) => python,
        Err(line) => {
            workdir.close();
            return Err(Refusal(2, line));
        }
    };
    if key.is_none() && !is_this_machine(&master) {
        log::warn!(
            "no --key-file: {master} takes this slave in only if it runs with --insecure, and anybody can pose as it"
        );
    }
    let options = Options {
        key,
        master,
        slave_port,
        file_port,
        settings: Settings {
            interpreter: format!("{} {}, pip {}", python.abi_tag, python.platform_tag, python.pip),
            python: python.executable,
            dir: workdir.path().to_owned(),
            timeout: Millis::secs(timeout_secs.into()),
            silence: Some(Millis(silence)).filter(|limit| limit.0 > 0),
            log_limit,
        },
        identity: session::Identity {
            software: Text::cut(piwheels::VERSION),
            label: Text::cut(&label.unwrap_or_else(host_name)),
            timeout_secs,
            python_tag: Text::cut(&python.python_tag),
            abi_tag: Text::cut(&python.abi_tag),
            platform_tag: Text::cut(&python.platform_tag),
            board: Default::default(),
        },
        seed: seed(),
    };
    let ended = shell::run(options);
    workdir.close();
    match ended {
        Ok(false) => Ok(ExitCode::SUCCESS),
        Ok(true) => Ok(ExitCode::from(1)),
        Err(e) => Err(Refusal(1, e.to_string())),
    }
}

/// argh takes `--name value` and `-v -v`; people also write `--name=value` and `-vv`.
fn split(word: &str) -> Vec<String> {
    if let Some((name, value)) = word.split_once('=')
        && name.starts_with("--")
    {
        return vec![name.to_owned(), value.to_owned()];
    }
    if word.starts_with("-vv") && word[1..].bytes().all(|b| b == b'v') {
        return vec!["-v".to_owned(); word.len() - 1];
    }
    vec![word.to_owned()]
}

/// The one key of this slave.
fn read_key(path: &Path) -> Result<Identity, Refusal> {
    let keys = Keys::read(path).map_err(|line| Refusal(2, line))?;
    let Some((name, key)) = keys.only() else {
        let count = keys.len();
        return Err(Refusal(
            2,
            format!("{}: must have one key, that of this slave, and has {count}", path.display()),
        ));
    };
    Ok(Identity { name: Text::cut(name), key: key.clone() })
}

fn is_this_machine(master: &str) -> bool {
    let bare = master.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost" || bare.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    if name.trim().is_empty() { "unnamed".to_owned() } else { name.trim().to_owned() }
}

/// Different for every slave and every start; nothing secret hangs on it.
fn seed() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::hash::RandomState::new().build_hasher().finish()
}
