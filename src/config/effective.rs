//! What `--print-config` prints: the configuration in force as a file that says the same, each line with where it comes
//! from above it; and the masking of passwords, which neither that nor an error may show. Pure.

use std::fmt::Write;

use super::Given;

/// An option, and what it came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its key.
    pub key: String,
    /// Its value; none where it has no default and nobody gave it.
    pub given: Option<Given>,
    /// What holds without a value, for people.
    pub otherwise: String,
}

/// The file. Passwords are three stars in it, and what has no value is a comment.
pub fn print(program: &str, settings: &[Setting]) -> String {
    let mut text = format!(
        "# The configuration of {program}: lines for a file (-c), each below where its value comes from.\n\
         # Files come first, then PIW_* variables, then options: the later wins.\n"
    );
    for Setting { key, given, otherwise } in settings {
        let Some(Given { text: value, source }) = given else {
            let otherwise = if otherwise.is_empty() { "nothing" } else { otherwise };
            let _ = write!(text, "\n# not set: {otherwise}\n#{key} =\n");
            continue;
        };
        let shown = masked(value);
        let hidden = if shown == *value { "" } else { "; its password is not shown" };
        // nothing of a value may become a line of its own
        let shown = shown.replace(['\n', '\r'], " ");
        let source = source.to_string().replace(['\n', '\r'], " ");
        let _ = write!(text, "\n# {source}{hidden}\n{key} = {shown}\n");
    }
    text
}

/// The text with three stars for each password: behind `user:` of an address, and in a DSN's `password=`.
pub fn masked(text: &str) -> String {
    keywords(&addresses(text))
}

fn addresses(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        kept += before;
        kept += "://";
        // in a DSN all up to the last @ may be the password; in other addresses a path may have one
        let whole = before.ends_with("postgres") || before.ends_with("postgresql");
        let ends = |c: char| c.is_whitespace() || (!whole && matches!(c, '/' | '?' | '#'));
        let end = after.find(ends).unwrap_or(after.len());
        rest = match after[..end].rfind('@').zip(after.find(':')) {
            Some((at, colon)) if colon < at => {
                kept += &after[..=colon];
                kept += "***";
                &after[at..]
            }
            _ => after,
        };
    }
    kept + rest
}

fn keywords(text: &str) -> String {
    const WORD: &str = "password";
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.to_ascii_lowercase().find(WORD) {
        let (before, after) = rest.split_at(at + WORD.len());
        kept += before;
        rest = after;
        let Some(value) = after.trim_start().strip_prefix('=').map(str::trim_start) else { continue };
        kept += &after[..after.len() - value.len()];
        kept += "***";
        rest = &value[length(value)..];
    }
    kept + rest
}

/// How long the value is that a text begins with, in bytes: quoted as libpq has it, or up to a blank or an ampersand.
fn length(value: &str) -> usize {
    let quoted = value.starts_with('\'');
    let mut escaped = false;
    for (at, c) in value.char_indices().skip(usize::from(quoted)) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '\'' if quoted => return at + 1,
            '&' if !quoted => return at,
            c if !quoted && c.is_whitespace() => return at,
            _ => {}
        }
    }
    value.len()
}

#[cfg(test)]
mod tests {
    use super::super::Source;
    use super::*;

    #[test]
    fn passwords_are_stars_wherever_a_dsn_or_an_address_has_them() {
        for (text, shown) in [
            ("postgres:///piwheels", "postgres:///piwheels"),
            ("postgres://me@h:1/db?host=/run", "postgres://me@h:1/db?host=/run"),
            ("postgres://me:hunter2@h:1/db", "postgres://me:***@h:1/db"),
            ("postgresql://me:hun/t@er2@h/db", "postgresql://me:***@h/db"),
            ("postgres://h/db?password=hunter2&user=me", "postgres://h/db?password=***&user=me"),
            ("dbname=x password=hunter2 host=/run", "dbname=x password=*** host=/run"),
            ("password = 'hun\\'ter 2' dbname=x", "password = *** dbname=x"),
            ("PASSWORD='never ends", "PASSWORD=***"),
            ("https://me:hunter2@index/simple", "https://me:***@index/simple"),
            ("https://index:8080/a@b", "https://index:8080/a@b"),
            ("é://é:é@é password", "é://é:***@é password"),
        ] {
            assert_eq!(masked(text), shown);
        }
    }

    #[test]
    fn what_is_printed_says_where_it_comes_from_and_what_is_not_set_is_a_comment() {
        let given = |text: &str, source| Some(Given { text: text.to_owned(), source });
        let setting = |key: &str, given, otherwise: &str| Setting {
            key: key.to_owned(),
            given,
            otherwise: otherwise.to_owned(),
        };
        let text = print(
            "p",
            &[
                setting("a", given("1\nb = 2", Source::Default), ""),
                setting("dsn", given("password=x", Source::Flag("--dsn".to_owned())), ""),
                setting("c", None, "as it comes"),
            ],
        );
        let rest = text.split_once("\n\n").unwrap().1;
        assert_eq!(
            rest,
            "# default\na = 1 b = 2\n\n# option --dsn; its password is not shown\ndsn = password=***\n\n\
             # not set: as it comes\n#c =\n"
        );
    }
}
