//! Test: the list of keys that all programs have in them is what their options are.

use std::collections::BTreeSet;
use std::fmt::Write;

use clap::Command;

use crate::config::keys;
use crate::options::key;

/// Adds a command's keys, and the options that are for the command line only; all of a verb's are.
fn add(command: &Command, verb: bool, known: &mut BTreeSet<String>, alone: &mut BTreeSet<String>) {
    for arg in command.get_arguments() {
        match key(arg) {
            Some(key) if !verb => known.insert(key),
            _ => arg.get_long().is_some_and(|long| alone.insert(long.to_owned())),
        };
    }
    command.get_subcommands().for_each(|verb| add(verb, true, known, alone));
}

#[test]
fn the_list_of_keys_is_that_of_all_options() {
    let (mut known, mut alone) = (BTreeSet::new(), BTreeSet::new());
    super::commands().iter_mut().for_each(|command| {
        command.build();
        add(command, false, &mut known, &mut alone);
    });
    let mut lines: Vec<String> = known.iter().cloned().collect();
    lines.extend(alone.difference(&known).map(|name| format!("-{name}")));
    if std::env::var_os("PIW_WRITE_KEYS").is_some() {
        let mut text = "# The options of all programs: keys of configuration files, and behind a minus what is for the\n\
                        # command line only. Written by PIW_WRITE_KEYS=1 cargo test --lib cli::keys\n"
            .to_owned();
        lines.iter().for_each(|line| writeln!(text, "{line}").unwrap());
        return std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/src/config/keys.txt"), text).unwrap();
    }
    let held: Vec<&str> = keys::list().collect();
    assert_eq!(lines, held, "out of date: PIW_WRITE_KEYS=1 cargo test --lib cli::keys writes it");
}

#[test]
fn one_key_is_one_thing_wherever_it_is_set() {
    // the same key of two programs takes the same kind of value, or one file could not serve both
    let mut seen: Vec<(String, String, Option<String>)> = Vec::new();
    for command in super::commands() {
        for arg in command.get_arguments() {
            let Some(key) = key(arg) else { continue };
            let names = arg.get_value_names().filter(|_| arg.get_action().takes_values());
            let kind = names.and_then(|names| names.first()).map(ToString::to_string);
            if let Some((_, program, other)) = seen.iter().find(|(known, ..)| *known == key) {
                assert_eq!(&kind, other, "{key} of {program} and {}", command.get_name());
            }
            seen.push((key, command.get_name().to_owned(), kind));
        }
    }
}
