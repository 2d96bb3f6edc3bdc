//! `piw-slave`: builds wheels on behalf of a master (manual chapter 3).

use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use argh::EarlyExit;
use piwheels::config::{self, Config};
use piwheels::keyfile::Keys;
use piwheels::logging;
use piwheels::slave::fitness::Fitness;
use piwheels::slave::link::Identity;
use piwheels::slave::options::{Arguments, Settled};
use piwheels::slave::renew::{self, Purpose};
use piwheels::slave::sandbox::launch;
use piwheels::slave::session;
use piwheels::slave::shell::{self, End, Options};
use piwheels::slave::start::{self, Refusal};
use piwheels::slave::{alone, check};
use piwheels::vitals;
use piwheels::wire::Text;

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
    match Arguments::read(words.map(|word| word.to_string_lossy().into_owned())) {
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
    let file = arguments.configuration.as_deref().map(Path::new);
    let config = Config::load(file).map_err(|error| Refusal(2, error.to_string()))?;
    let settled = arguments.settle(&config)?;
    if arguments.print_config {
        for warning in &config.warnings {
            say(&mut io::stderr(), format_args!("piw-slave: {warning}"));
        }
        say(&mut io::stdout(), config::print("piw-slave", &config.asked()).trim_end());
        return Ok(ExitCode::SUCCESS);
    }
    let Settled { key_file, label, master, demands, on_term, mut wishes, .. } = settled;
    let (slave_port, file_port) = settled.ports;
    if *purpose != Purpose::Glance {
        let level = logging::console_level(settled.quiet, settled.verbose);
        logging::start_small("piw-slave", level, settled.log_file.as_deref())
            .map_err(|line| Refusal(1, line))?;
    }
    config.warnings.iter().for_each(|warning| log::warn!("{warning}"));

    let key = key_file.as_deref().map(read_key).transpose()?;
    let timeout_secs = u32::try_from(wishes.limits.time.0 / 1000).unwrap_or(0);
    let build_tag = match arguments.build_tag.as_deref().map(str::parse) {
        None => 0,
        Some(Ok(tag)) => tag,
        Some(Err(_)) => return Err(Refusal(2, "--build-tag takes a number".to_owned())),
    };

    let alone = |what| alone::job(what, arguments.index_url.clone(), build_tag);
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
        let out = PathBuf::from(arguments.out.unwrap_or_else(|| ".".to_owned()));
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
