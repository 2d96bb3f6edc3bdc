//! `piw-slave`'s options as clap has them, for manual pages and completions: argh's own definitions, told again. The slave
//! itself parses with argh, and does not link this.

use argh::{ArgsInfo, FlagInfoKind};
use clap::{Arg, ArgAction, Command};

use crate::options::COMMAND_LINE;
use crate::slave::options::{Arguments, is_key};

/// The command.
pub fn command() -> Command {
    let info = Arguments::get_args_info();
    let flags = info.flags.iter().filter(|flag| flag.long != "--help");
    let args = flags.map(|flag| {
        let name = flag.long.trim_start_matches('-');
        let arg = Arg::new(name).long(name).help(capital(flag.description));
        let arg = if is_key(name) { arg } else { arg.help_heading(COMMAND_LINE) };
        let arg = match flag.short {
            Some(letter) => arg.short(letter),
            None => arg,
        };
        match flag.kind {
            FlagInfoKind::Switch => arg.action(ArgAction::SetTrue),
            FlagInfoKind::Option { arg_name } => arg.value_name(arg_name),
        }
    });
    Command::new("piw-slave")
        .about(info.description)
        .version(crate::VERSION)
        .disable_version_flag(true)
        .args(args)
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
