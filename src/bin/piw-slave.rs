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
use piwheels::slave::builder::{Limits, SMALLEST_LIMIT};
use piwheels::slave::fitness::{Demands, Fitness};
use piwheels::slave::link::Identity;
use piwheels::slave::renew::{self, Purpose};
use piwheels::slave::sandbox::launch;
use piwheels::slave::session::{self, OnTerm};
use piwheels::slave::shell::{self, End, Options};
use piwheels::slave::start::{self, Paths, Refusal, Switch, Walls, Wishes};
use piwheels::slave::{alone, check};
use piwheels::vitals;
use piwheels::wire::Text;

/// Builds wheels on behalf of piw-master. Runs until it is stopped: the first SIGTERM or SIGINT lets it deliver the
/// build that it has, the second one gives the job back; SIGHUP has it read its configuration anew. Every option can also be given as a line of a configuration
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
    /// what becomes of the build at SIGTERM: finish, abort, or a duration that it may take (finish)
    #[argh(option, arg_name = "what")]
    on_term: Option<OnTerm>,
    /// free space of the directory below which no job is asked for; 0: none (1G)
    #[argh(option, arg_name = "size")]
    disk_floor: Option<Size>,
    /// temperature in degrees Celsius at which no job is asked for; 0: no limit (0)
    #[argh(option, arg_name = "degrees")]
    max_temperature: Option<u8>,
    /// most that a build may print; 0: any amount (256M)
    #[argh(option, arg_name = "size")]
    output_limit: Option<Size>,
    /// largest wheel; 0: any size (2G)
    #[argh(option, arg_name = "size")]
    wheel_limit: Option<Size>,
    /// most that a build may write to the disk; 0: any amount (16G)
    #[argh(option, arg_name = "size")]
    disk_limit: Option<Size>,
    /// memory of all a build's processes together; 0: any amount (what the machine has)
    #[argh(option, arg_name = "size")]
    memory_limit: Option<Size>,
    /// processes and threads of a build; 0: any number (1024)
    #[argh(option, arg_name = "n")]
    process_limit: Option<u64>,
    /// off: builds have no network; what they need is fetched before (on)
    #[argh(option, arg_name = "on|off")]
    net: Option<Switch>,
    /// walls of the sandbox without which nothing is built, with commas between them: namespaces,net-off,seccomp; see
    /// --check
    #[argh(option, arg_name = "walls")]
    require: Option<Walls>,
    /// files and directories that builds may read beside the system's own, with commas between them
    #[argh(option, arg_name = "paths")]
    expose: Option<Paths>,
    /// import what was built, in an environment of its own, before it is offered
    #[argh(switch)]
    import_test: bool,
    /// say what this machine can do and what it lacks, and exit: 0 when it can build, 1 when not
    #[argh(switch)]
    check: bool,
    /// build this (PACKAGE==VERSION) without a master, print a report as JSON, and exit: 0 when it was built, 1 when not
    #[argh(option, arg_name = "what")]
    build: Option<String>,
    /// build tag that --build gives the wheels: a number, in their names and in WHEEL (what the package gives them)
    #[argh(option, arg_name = "n")]
    build_tag: Option<u64>,
    /// where --build puts wheels and log (.)
    #[argh(option, arg_name = "dir")]
    out: Option<PathBuf>,
    /// index that --build builds from (the one pip is configured for)
    #[argh(option, arg_name = "url")]
    index_url: Option<String>,
}

fn wrong(error: ConfigError) -> Refusal {
    Refusal(2, error.to_string())
}

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1).peekable();
    if let Some(code) = launch::stage(&mut words) {
        return code;
    }
    let purpose = Purpose::take(&mut words);
    let arguments = match parse(words) {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    if arguments.version {
        say(&mut io::stdout(), format_args!("piw-slave {}", piwheels::VERSION));
        return ExitCode::SUCCESS;
    }
    let ended = run(arguments, &purpose);
    if let Purpose::Check(_) = purpose {
        say(
            &mut io::stdout(),
            renew::verdict(ended.as_ref().map(|_| ()).map_err(|refusal| refusal.1.as_str())),
        );
    }
    match ended {
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

/// What is configured now; what is wrong with it, for people.
fn read_configuration() -> Result<(), String> {
    let arguments = parse(std::env::args_os().skip(1)).map_err(|_| "its options are no good".to_owned())?;
    run(arguments, &Purpose::Glance).map(|_| ()).map_err(|Refusal(_, line)| line)
}

fn run(arguments: Arguments, purpose: &Purpose) -> Result<ExitCode, Refusal> {
    let config = Config::load(arguments.configuration.as_deref()).map_err(wrong)?;
    let quiet = config.value(arguments.quiet.then_some(true), "quiet", false).map_err(wrong)?;
    let verbose = config.value(Some(arguments.verbose).filter(|n| *n > 0), "verbose", 0).map_err(wrong)?;
    let log_file: Option<PathBuf> = config.find(arguments.log_file.clone(), "log-file").map_err(wrong)?;
    if *purpose != Purpose::Glance {
        logging::start_small("piw-slave", logging::console_level(quiet, verbose), log_file.as_deref())
            .map_err(|line| Refusal(1, line))?;
    }
    config.warnings.iter().for_each(|warning| log::warn!("{warning}"));

    let key_file: Option<PathBuf> = config.find(arguments.key_file.clone(), "key-file").map_err(wrong)?;
    let key = key_file.as_deref().map(read_key).transpose()?;
    let label: Option<String> = config.find(arguments.label.clone(), "label").map_err(wrong)?;
    let master = config.value(arguments.master.clone(), "master", "localhost".to_owned()).map_err(wrong)?;
    let slave_port = config.value(arguments.slave_port, "slave-port", 5555).map_err(wrong)?;
    let file_port = config.value(arguments.file_port, "file-port", 5556).map_err(wrong)?;
    let demands = demands(&arguments, &config)?;
    let on_term = config.value(arguments.on_term, "on-term", OnTerm::Finish).map_err(wrong)?;
    let mut wishes = wishes(&arguments, &config, key_file.clone())?;
    let timeout_secs = u32::try_from(wishes.limits.time.0 / 1000).unwrap_or(0);

    let alone = |what| alone::job(what, arguments.index_url.clone(), arguments.build_tag.unwrap_or(0));
    let job = arguments.build.as_deref().map(alone).transpose()?;
    if job.is_none()
        && (arguments.out.is_some() || arguments.index_url.is_some() || arguments.build_tag.is_some())
    {
        return Err(Refusal(
            2,
            "--out, --index-url and --build-tag are for --build; the master names the index and the tag"
                .to_owned(),
        ));
    }
    match purpose {
        Purpose::Build if arguments.check || job.is_some() => {}
        Purpose::Build => renew::settle_in()?,
        Purpose::Check(held) => renew::beside(held, &mut wishes),
        Purpose::Glance => return Ok(ExitCode::SUCCESS),
    }
    let ready = start::prepare(&wishes)?;
    if let Purpose::Check(_) = purpose {
        ready.workdir.close();
        return Ok(ExitCode::SUCCESS);
    }
    let board = start::board(&ready.strength);
    if arguments.check {
        let vitals = vitals::read(ready.workdir.path());
        let holds_back = Fitness::new(demands).judge(&vitals);
        let key = match (&key, &key_file) {
            (Some(key), Some(file)) => format!("{} ({})", key.name, file.display()),
            _ => "none".to_owned(),
        };
        let (table, able) = check::table(&ready, &board, &vitals, holds_back.as_deref(), &key);
        ready.workdir.close();
        say(&mut io::stdout(), table);
        return Ok(ExitCode::from(u8::from(!able)));
    }
    if let Some(job) = job {
        let out = arguments.out.clone().unwrap_or_else(|| ".".into());
        let built = alone::build(&ready, &board, &job, &out);
        ready.workdir.close();
        return Ok(ExitCode::from(u8::from(!built?)));
    }
    start::tell(&ready.strength);
    if key.is_none() && !is_this_machine(&master) {
        log::warn!(
            "no --key-file: {master} takes this slave in only if it runs with --insecure, and anybody can pose as it"
        );
    }
    let python = &ready.python;
    let options = Options {
        key,
        master,
        slave_port,
        file_port,
        identity: session::Identity {
            software: Text::cut(piwheels::VERSION),
            label: Text::cut(&label.unwrap_or_else(host_name)),
            timeout_secs,
            python_tag: Text::cut(&python.python_tag),
            abi_tag: Text::cut(&python.abi_tag),
            platform_tag: Text::cut(&python.platform_tag),
            board,
        },
        settings: ready.settings,
        demands,
        on_term,
        read_configuration,
        seed: seed(),
    };
    let ended = shell::run(options);
    ready.workdir.close();
    match ended {
        Ok(End::Stopped) => Ok(ExitCode::SUCCESS),
        Ok(End::Failed) => Ok(ExitCode::from(1)),
        Ok(End::Renewed) => Err(Refusal(1, format!("cannot begin anew: {}", renew::begin_anew()))),
        Err(e) => Err(Refusal(1, e.to_string())),
    }
}

/// What its machine must be like to be given a job.
fn demands(arguments: &Arguments, config: &Config) -> Result<Demands, Refusal> {
    let Size(disk_floor) = config.value(arguments.disk_floor, "disk-floor", Size(1 << 30)).map_err(wrong)?;
    let max_temperature = config.value(arguments.max_temperature, "max-temperature", 0).map_err(wrong)?;
    if !(max_temperature == 0 || (30..=150).contains(&max_temperature)) {
        let line = "the highest temperature must be 0, which is no limit, or 30 to 150";
        return Err(Refusal(2, line.to_owned()));
    }
    Ok(Demands { disk_floor, max_temperature: Some(max_temperature).filter(|limit| *limit > 0) })
}

/// How it is to build.
fn wishes(arguments: &Arguments, config: &Config, key_file: Option<PathBuf>) -> Result<Wishes, Refusal> {
    let refuse = |line: String| Refusal(2, line);
    let size = |flag: Option<Size>, key: &str, default: u64| {
        config.value(flag, key, Size(default)).map(|size| size.0).map_err(wrong)
    };
    let Duration(time) =
        config.value(arguments.timeout, "timeout", Duration::secs(3 * 3600)).map_err(wrong)?;
    if u32::try_from(time.as_secs()).unwrap_or(0) == 0 {
        return Err(refuse("the timeout must be from one second to 136 years".to_owned()));
    }
    let silence = config.value(arguments.silence, "silence", Duration::secs(3600)).map_err(wrong)?;
    let silence = u64::try_from(silence.0.as_millis()).unwrap_or(u64::MAX);
    if (1..1000).contains(&silence) {
        return Err(refuse("the silence must be 0, which is no limit, or one second at least".to_owned()));
    }
    let log_limit = size(arguments.log_limit, "log-limit", 4 << 20)?;
    if log_limit < SMALLEST_LIMIT {
        return Err(refuse(format!("the log limit must be {SMALLEST_LIMIT} bytes at least")));
    }
    let whole_memory = vitals::read(Path::new("/")).memory_total;
    let limits = Limits {
        time: Millis::secs(time.as_secs()),
        silence: Millis(silence),
        output_bytes: size(arguments.output_limit, "output-limit", 256 << 20)?,
        wheel_bytes: size(arguments.wheel_limit, "wheel-limit", 2 << 30)?,
        disk_bytes: size(arguments.disk_limit, "disk-limit", 16 << 30)?,
        memory_bytes: size(arguments.memory_limit, "memory-limit", whole_memory)?,
        processes: config.value(arguments.process_limit, "process-limit", 1024).map_err(wrong)?,
    };
    Ok(Wishes {
        python: config.value(arguments.python.clone(), "python", "python3".into()).map_err(wrong)?,
        dir: config.find(arguments.dir.clone(), "dir").map_err(wrong)?,
        limits,
        log_limit,
        network: config.value(arguments.net, "net", Switch(true)).map_err(wrong)?.0,
        import_test: config
            .value(arguments.import_test.then_some(true), "import-test", false)
            .map_err(wrong)?,
        require: config.value(arguments.require.clone(), "require", Walls::default()).map_err(wrong)?,
        expose: config.value(arguments.expose.clone(), "expose", Paths::default()).map_err(wrong)?,
        hide: key_file.into_iter().filter_map(|path| std::fs::canonicalize(path).ok()).collect(),
    })
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
