//! The files: a page for each program and each verb of `piw`, and completions for three shells. Pure but for the writing.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use piwheels::options::key;

use crate::words::{self, Words};

/// A file below a prefix such as `/usr/local`.
pub(crate) struct Written {
    /// Where.
    pub(crate) path: PathBuf,
    /// What it says.
    pub(crate) text: Vec<u8>,
}

impl Written {
    /// Writes it; the error is for people.
    pub(crate) fn write_below(&self, out: &Path) -> Result<(), String> {
        let path = out.join(&self.path);
        let dir = path.parent().unwrap_or(out);
        let written = fs::create_dir_all(dir).and_then(|()| fs::write(&path, &self.text));
        written.map_err(|error| format!("cannot write {}: {error}", path.display()))
    }
}

/// All of them.
pub(crate) fn files() -> Vec<Written> {
    let mut files = Vec::new();
    for mut command in piwheels::cli::commands() {
        let name = command.get_name().to_owned();
        let words = words::of(&name);
        for (shell, path) in [
            (Shell::Bash, format!("share/bash-completion/completions/{name}")),
            (Shell::Zsh, format!("share/zsh/site-functions/_{name}")),
            (Shell::Fish, format!("share/fish/vendor_completions.d/{name}.fish")),
        ] {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut command, &name, &mut text);
            files.push(Written { path: path.into(), text });
        }
        command.build();
        let mut keys: Vec<String> = command.get_arguments().filter_map(key).collect();
        keys.sort();
        files.push(page(&command, &name, &words, &keys));
        for verb in command.get_subcommands() {
            verbs(verb, &name, &keys, &mut files);
        }
    }
    files
}

/// The pages of a verb and of what it has below it. What is a program, too, has a page already.
fn verbs(verb: &Command, above: &str, keys: &[String], files: &mut Vec<Written>) {
    let name = format!("{above}-{}", verb.get_name());
    if verb.get_name() == "help" || ["piw-import", "piw-remove"].contains(&&*name) {
        return;
    }
    files.push(page(verb, &name, &words::of_verb(above), keys));
    for below in verb.get_subcommands() {
        verbs(below, &name, keys, files);
    }
}

fn page(command: &Command, name: &str, words: &Words, keys: &[String]) -> Written {
    let mut text = Vec::new();
    // what goes wrong in memory alone is nothing
    let _ = render(command, name, words, keys, &mut text);
    let Words { section, .. } = words;
    Written { path: format!("share/man/man{section}/{name}.{section}").into(), text }
}

fn render(command: &Command, name: &str, words: &Words, keys: &[String], to: &mut Vec<u8>) -> io::Result<()> {
    let man = Man::new(command.clone().display_name(name.to_owned()))
        .title(name.to_ascii_uppercase())
        .section(words.section)
        .source(format!("piwheels {}", piwheels::VERSION))
        .manual("piwheels");
    man.render_title(to)?;
    man.render_name_section(to)?;
    man.render_synopsis_section(to)?;
    man.render_description_section(to)?;
    man.render_options_section(to)?;
    if command.has_subcommands() {
        man.render_subcommands_section(to)?;
    }
    let mut roff = Roff::new();
    terms(
        &mut roff,
        "EXIT STATUS",
        words.exit.iter().map(|(code, text)| ((*code).to_owned(), (*text).to_owned())),
    );
    let files = piwheels::config::FILES
        .map(|file| (file.to_owned(), "read if it is there; each overrides the ones before".to_owned()));
    let common = [
        ("the file of --configuration".to_owned(), "must be there, and overrides those".to_owned()),
        (
            "a line".to_owned(),
            "is KEY = VALUE, where KEY is an option's long name, or a comment that begins with # or ;. One file serves all \
             programs. --print-config prints such a file"
                .to_owned(),
        ),
    ];
    let own = words.files.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned()));
    terms(&mut roff, "FILES", files.into_iter().chain(common).chain(own));
    let variables = words.variables.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    let every = keys.iter().map(|key| piwheels::config::keys::variable(key)).collect::<Vec<_>>().join(", ");
    let every =
        (every, "as the options of these names: they override files, and options override them".to_owned());
    terms(&mut roff, "ENVIRONMENT", std::iter::once(every).chain(variables));
    roff.control("SH", ["EXAMPLES"]);
    for (what, example) in words.examples {
        roff.control("PP", []).text([roman(*what)]).control("PP", []).control("RS", ["4"]).control("nf", []);
        for line in example.lines() {
            roff.text([bold(line)]);
        }
        roff.control("fi", []).control("RE", []);
    }
    roff.control("SH", ["SEE ALSO"]);
    let others = words.also.iter().filter(|(other, _)| *other != name);
    let others: Vec<String> = others.map(|(other, section)| format!("{other}({section})")).collect();
    roff.text([roman(others.join(", "))]);
    to.write_all(roff.to_roff().as_bytes())
}

fn terms(roff: &mut Roff, heading: &str, terms: impl Iterator<Item = (String, String)>) {
    roff.control("SH", [heading]);
    for (term, text) in terms {
        roff.control("TP", []).text([bold(term)]).text([roman(text)]);
    }
}
