//! The options that every tool has (manual 2.2), how its configuration is read, and how it ends.
//!
//! An option is declared once, as clap's argument: its long name is its key, its default is clap's default, its help says the rest. What files and
//! variables say is put before the words of the command line, as the option that it stands for: so that it is of the same
//! kind, bounds and conflicts, and whatever comes later on the command line wins. Arguments under [`COMMAND_LINE`] are no keys.

use std::ffi::OsString;
use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, Parser};

use crate::config::{self, Config, ConfigError, Duration, Given, Setting, Source, Switch};
use crate::logging;

/// The heading of options that no file and no variable may set: what is to be done this once.
pub const COMMAND_LINE: &str = "Only on the command line";

/// Where the master's tools find it, and it serves them, unless told otherwise (manual 2.2).
pub const IMPORT_QUEUE: &str = "ipc:///tmp/piw-import";
/// The same for monitors.
pub const STATUS_QUEUE: &str = "ipc:///tmp/piw-status";
/// The same for commands.
pub const CONTROL_QUEUE: &str = "ipc:///tmp/piw-control";

/// Switches of which the later takes the earlier back, wherever either was given.
const EXCLUDE: [(&str, &str); 2] = [("quiet", "verbose"), ("drop", "wait")];

/// `-c`, `-q`, `-v`, `-l`, `--print-config`.
#[derive(Args, Clone, Debug)]
pub struct Common {
    /// Specify a configuration file to load
    #[arg(short = 'c', long = "configuration", value_name = "FILE", global = true, help_heading = COMMAND_LINE)]
    pub configuration: Option<PathBuf>,
    /// Produce less console output: errors only
    #[arg(short, long, global = true, overrides_with = "verbose")]
    pub quiet: bool,
    /// Produce more console output; twice for everything
    #[arg(short, long, global = true, action = ArgAction::Count, overrides_with = "quiet")]
    pub verbose: u8,
    /// Log messages to the specified file, too (default: no file)
    #[arg(short = 'l', long = "log-file", value_name = "FILE", global = true)]
    pub log_file: Option<PathBuf>,
    /// Print the configuration in force, each value with where it comes from, and exit; nothing else is done
    #[arg(long, global = true, help_heading = COMMAND_LINE)]
    pub print_config: bool,
}

impl Common {
    /// Starts logging, and says what of the configuration was passed over.
    pub fn start(&self, program: &'static str, warnings: &[String]) -> Result<(), Failure> {
        self.start_at(program, logging::console_level(self.quiet, self.verbose), warnings)
    }

    /// The same with nothing on the console: a terminal is the monitor's picture's.
    pub fn start_quietly(&self, program: &'static str, warnings: &[String]) -> Result<(), Failure> {
        self.start_at(program, log::LevelFilter::Off, warnings)
    }

    fn start_at(
        &self,
        program: &'static str,
        level: log::LevelFilter,
        warnings: &[String],
    ) -> Result<(), Failure> {
        logging::start(program, level, self.log_file.as_deref()).map_err(Failure::error)?;
        warnings.iter().for_each(|warning| log::warn!("{warning}"));
        Ok(())
    }
}

/// How long tools wait for a master.
#[derive(Args, Clone, Copy, Debug)]
pub struct Patience {
    /// How long the master may be silent before this gives up, with exit code 1 (default: 30s until it shows that it is
    /// alive; then what is asked of it may take its time). In a file and as a variable: tool-timeout
    // in a file that serves all programs `timeout` is the slave's (manual 3.2)
    #[arg(long = "timeout", value_name = "DURATION", global = true, value_parser = patience)]
    pub tool_timeout: Option<Duration>,
}

fn patience(text: &str) -> Result<Duration, String> {
    match text.parse::<Duration>()? {
        none if none.0.is_zero() => Err("must be more than nothing".to_owned()),
        limit => Ok(limit),
    }
}

/// A program's options.
pub trait Tool: Parser {
    /// What it is called.
    const NAME: &'static str;

    /// Whether values that are good by themselves fit together.
    fn check(&self) -> Result<(), Failure> {
        Ok(())
    }
}

/// The options of a program, with what its configuration says; and what of that was passed over. Where there is nothing to
/// be done any more (`--help`, `--print-config`, a mistake), the exit code.
pub fn read<T: Tool>() -> Result<(T, Vec<String>), ExitCode> {
    read_words(std::env::args_os().collect())
}

fn read_words<T: Tool>(words: Vec<OsString>) -> Result<(T, Vec<String>), ExitCode> {
    let complain = |failure: Failure| failure.exit(T::NAME);
    let print = words.iter().take_while(|word| *word != "--").any(|word| word == "--print-config");
    let command = if print { relaxed(T::command()) } else { T::command() };
    let given = command.clone().try_get_matches_from(&words).map_err(refuse)?;
    let file = given.get_one::<PathBuf>("configuration");
    let config = Config::load(file.map(PathBuf::as_path)).map_err(|error| complain(error.into()))?;
    let settings = settings(&command, &given, &config).map_err(|error| complain(error.into()))?;
    let whole = configured(&command, &settings, words);
    let matches = command.clone().try_get_matches_from(whole);
    let matches = matches.map_err(|error| complain(explain(&error, &settings)))?;
    if !print {
        let options = T::from_arg_matches(&matches).map_err(refuse)?;
        options.check().map_err(complain)?;
        return Ok((options, config.warnings));
    }
    // what stands for work to be done may be missing; where it is not, all is looked at
    if let Ok(options) = T::from_arg_matches(&matches) {
        options.check().map_err(complain)?;
    }
    for warning in &config.warnings {
        let _ = writeln!(io::stderr(), "{}: {warning}", T::NAME);
    }
    let settings: Vec<Setting> = settings.into_iter().map(|(_, setting)| setting).collect();
    let text = config::print(T::NAME, &settings);
    let printed = io::stdout().lock().write_all(text.as_bytes()).map_err(unsaid);
    Err(printed.map_or_else(complain, |()| ExitCode::SUCCESS))
}

/// Says what clap has to say: help, the version, or what is wrong.
fn refuse(error: clap::Error) -> ExitCode {
    let _ = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// The command without what it must be given: for a look at its configuration.
fn relaxed(command: Command) -> Command {
    let groups: Vec<String> = command.get_groups().map(|group| group.get_id().to_string()).collect();
    let command =
        groups.into_iter().fold(command, |command, id| command.mut_group(id, |group| group.required(false)));
    let command = command.mut_args(|arg| arg.required(false)).subcommand_required(false);
    command.arg_required_else_help(false).mut_subcommands(relaxed)
}

/// The key of an argument, if it has one: what its field is called, which is its long name but for [`Patience`].
pub fn key(arg: &Arg) -> Option<String> {
    let fixed = matches!(
        arg.get_action(),
        ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong | ArgAction::Version
    );
    arg.get_long().filter(|_| !fixed && arg.get_help_heading() != Some(COMMAND_LINE))?;
    Some(arg.get_id().as_str().replace('_', "-"))
}

/// What every option with a key came to, beside its argument.
fn settings(
    command: &Command,
    given: &ArgMatches,
    config: &Config,
) -> Result<Vec<(Arg, Setting)>, ConfigError> {
    let mut settings = Vec::new();
    for (arg, key) in command.get_arguments().filter_map(|arg| Some((arg, key(arg)?))) {
        let id = arg.get_id().as_str();
        let flag = given.value_source(id) == Some(ValueSource::CommandLine);
        let value = if flag { Some(of_flag(arg, given)) } else { config.look_up(&key)? };
        let value = value.or_else(|| of_default(arg));
        let setting = Setting { key, given: value, otherwise: otherwise(arg) };
        settings.push((arg.clone(), setting));
    }
    for (one, other) in EXCLUDE {
        exclude(&mut settings, config, one, other)?;
    }
    Ok(settings)
}

/// Of two switches that are both on the one that was given first is off.
fn exclude(
    settings: &mut [(Arg, Setting)],
    config: &Config,
    one: &str,
    other: &str,
) -> Result<(), ConfigError> {
    let place = |key: &str| settings.iter().position(|(_, setting)| setting.key == key);
    let Some(places) = place(one).zip(place(other)) else { return Ok(()) };
    let mut on = Vec::new();
    for at in [places.0, places.1] {
        let (arg, setting) = &settings[at];
        if let Some(given) = &setting.given
            && times(arg, given, &setting.key)? > 0
        {
            on.push((config.order(&setting.key, &given.source), at));
        }
    }
    if let [first, second] = on[..]
        && first.0 != second.0
    {
        let (arg, setting) = &mut settings[first.min(second).1];
        setting.given = of_default(arg);
    }
    Ok(())
}

fn of_flag(arg: &Arg, given: &ArgMatches) -> Given {
    let (id, long) = (arg.get_id().as_str(), arg.get_long().unwrap_or_default());
    let text = match arg.get_action() {
        ArgAction::SetTrue => given.get_flag(id).to_string(),
        ArgAction::Count => given.get_count(id).to_string(),
        _ => given.get_raw(id).and_then(Iterator::last).unwrap_or_default().to_string_lossy().into_owned(),
    };
    Given { text, source: Source::Flag(format!("--{long}")) }
}

fn of_default(arg: &Arg) -> Option<Given> {
    let text = arg.get_default_values().first().map(|text| text.to_string_lossy().into_owned());
    let text = text.or(match arg.get_action() {
        ArgAction::SetTrue => Some("false".to_owned()),
        ArgAction::Count => Some("0".to_owned()),
        _ => None,
    })?;
    Some(Given { text, source: Source::Default })
}

/// What holds where an option is not given: its help says so.
fn otherwise(arg: &Arg) -> String {
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let said = help.split_once("(default: ").and_then(|(_, rest)| rest.split_once(')'));
    said.map(|(said, _)| said.to_owned()).unwrap_or_default()
}

/// The words of the command line behind those that the configuration stands for.
fn configured(command: &Command, settings: &[(Arg, Setting)], words: Vec<OsString>) -> Vec<OsString> {
    let mut words = words.into_iter();
    let name = words.next().unwrap_or_else(|| command.get_name().into());
    let mut whole = vec![name];
    for (arg, Setting { key, given, .. }) in settings {
        let Some(given) = given else { continue };
        if matches!(given.source, Source::Flag(_) | Source::Default) {
            continue;
        }
        let long = arg.get_long().unwrap_or_default();
        match times(arg, given, key) {
            // a wrong number of times was refused before
            Ok(times) if takes_none(arg) => {
                whole.extend((0..times).map(|_| OsString::from(format!("--{long}"))))
            }
            _ => whole.push(format!("--{long}={}", given.text).into()),
        }
    }
    whole.extend(words);
    whole
}

fn takes_none(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::SetTrue | ArgAction::Count)
}

/// How often a switch is on; of an option with a value nothing is said.
fn times(arg: &Arg, given: &Given, key: &str) -> Result<u8, ConfigError> {
    match arg.get_action() {
        ArgAction::SetTrue => given.parse::<Switch>(key).map(|switch| u8::from(switch.0)),
        ArgAction::Count => match given.text.parse() {
            Ok(times) if times <= 9 => Ok(times),
            _ => Err(given.wrong(key, "is not a number of times, 0 to 9".to_owned())),
        },
        _ => Ok(0),
    }
}

/// The words of the command line alone were good, so what is wrong is what was put before them.
fn explain(error: &clap::Error, settings: &[(Arg, Setting)]) -> Failure {
    let named = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(named)) => named.as_str(),
        _ => "",
    };
    let long = named.trim_start_matches('-').split([' ', '=']).next().unwrap_or_default();
    let found = settings.iter().find(|(arg, _)| arg.get_long() == Some(long));
    let Some((Setting { key, given: Some(given), .. }, kind)) =
        found.map(|(_, setting)| (setting, error.kind()))
    else {
        return Failure::usage(error.render().to_string().trim_end().to_owned());
    };
    let reason = match std::error::Error::source(error) {
        Some(reason) => reason.to_string(),
        None if given.text.is_empty() => "is empty; leave the line out for the default".to_owned(),
        None if kind == ErrorKind::InvalidValue => "is none of its values; see --help".to_owned(),
        None => kind.to_string(),
    };
    given.wrong(key, reason).into()
}

/// Why a tool did not do what it was asked: lines for people, and the exit code (1 error, 2 declined or usage).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// One line each.
    pub reasons: Vec<String>,
    /// The exit code.
    pub code: u8,
    /// The master refused it, and so changed nothing.
    pub answered: bool,
}

impl Failure {
    /// It could not be done.
    pub fn error(reason: impl Into<String>) -> Self {
        Self { reasons: vec![reason.into()], code: 1, answered: false }
    }

    /// It was asked wrongly, or declined.
    pub fn usage(reason: impl Into<String>) -> Self {
        Self { reasons: vec![reason.into()], code: 2, answered: false }
    }

    /// Says why, and gives the exit code.
    pub fn exit(&self, program: &str) -> ExitCode {
        let mut to = io::stderr().lock();
        for reason in &self.reasons {
            // where nobody listens, the exit code says it
            let _ = writeln!(to, "{program}: {reason}");
        }
        ExitCode::from(self.code)
    }
}

/// How a program ends.
pub fn ended(program: &str, ended: Result<(), Failure>) -> ExitCode {
    ended.map_or_else(|failure| failure.exit(program), |()| ExitCode::SUCCESS)
}

/// Prints a line of the answer. Where nobody reads any more (`piw why x | head -1`), the tool ends, without a word: the
/// failure then has exit code 0.
pub fn say(line: impl fmt::Display) -> Result<(), Failure> {
    writeln!(io::stdout().lock(), "{line}").map_err(unsaid)
}

fn unsaid(error: io::Error) -> Failure {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Failure { reasons: Vec::new(), code: 0, answered: false };
    }
    Failure::error(format!("the answer cannot be printed: {error}"))
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::usage(error.to_string())
    }
}
