//! Environment markers (PEP 508), as far as they tell whether a requirement is for the farm's system at all.
//!
//! A requirements file that serves several systems names packages that only one of them can build. Only what the farm
//! knows for certain is judged: its slaves run Linux. Of Python's version or the processor it knows nothing here, and
//! a marker has no "not", so that what is unknown counts as true and what is then false is certainly so. Pure.

use std::iter::Peekable;
use std::vec::IntoIter;

/// What each of these is on every slave.
const KNOWN: [(&str, &str); 3] =
    [("sys_platform", "linux"), ("platform_system", "Linux"), ("os_name", "posix")];

/// Parentheses in each other go no deeper.
const MAX_DEPTH: usize = 20;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Open,
    Close,
    /// In quotes.
    Text(String),
    /// A name, an operator or `and`, `or`, `in`, `not`.
    Word(String),
}

/// Whether the marker may be true on Linux. One that cannot be read may.
pub fn may_hold(marker: &str) -> bool {
    let Some(tokens) = tokens(marker) else { return true };
    let mut tokens = tokens.into_iter().peekable();
    match any(&mut tokens, 0) {
        Some(holds) if tokens.next().is_none() => holds,
        _ => true,
    }
}

fn tokens(marker: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = marker.trim_start();
    while let Some(first) = rest.chars().next() {
        let name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
        let operator = |c: char| matches!(c, '=' | '!' | '<' | '>' | '~');
        let length = match first {
            '(' | ')' => 1,
            '"' | '\'' => rest[1..].find(first)? + 2,
            c if name(c) => rest.find(|c| !name(c)).unwrap_or(rest.len()),
            c if operator(c) => rest.find(|c| !operator(c)).unwrap_or(rest.len()),
            _ => return None,
        };
        tokens.push(match first {
            '(' => Token::Open,
            ')' => Token::Close,
            '"' | '\'' => Token::Text(rest[1..length - 1].to_owned()),
            _ => Token::Word(rest[..length].to_owned()),
        });
        rest = rest[length..].trim_start();
    }
    Some(tokens)
}

type Tokens = Peekable<IntoIter<Token>>;

fn word(tokens: &mut Tokens, word: &str) -> bool {
    tokens.next_if(|token| matches!(token, Token::Word(found) if found == word)).is_some()
}

/// `x or y or …`; `None` for what is no marker.
fn any(tokens: &mut Tokens, depth: usize) -> Option<bool> {
    let mut holds = all(tokens, depth)?;
    while word(tokens, "or") {
        holds |= all(tokens, depth)?;
    }
    Some(holds)
}

/// `x and y and …`, which binds closer.
fn all(tokens: &mut Tokens, depth: usize) -> Option<bool> {
    let mut holds = one(tokens, depth)?;
    while word(tokens, "and") {
        holds &= one(tokens, depth)?;
    }
    Some(holds)
}

fn one(tokens: &mut Tokens, depth: usize) -> Option<bool> {
    if tokens.next_if_eq(&Token::Open).is_some() {
        if depth >= MAX_DEPTH {
            return None;
        }
        let holds = any(tokens, depth + 1)?;
        return (tokens.next()? == Token::Close).then_some(holds);
    }
    let left = tokens.next()?;
    let Token::Word(mut operator) = tokens.next()? else { return None };
    if operator == "not" {
        if !word(tokens, "in") {
            return None;
        }
        operator.push_str(" in");
    }
    let right = tokens.next()?;
    let (Some(left), Some(right)) = (value(&left)?, value(&right)?) else { return Some(true) };
    Some(match operator.as_str() {
        "==" | "===" => left == right,
        "!=" => left != right,
        "in" => right.contains(left),
        "not in" => !right.contains(left),
        _ => true,
    })
}

/// What a side of a comparison is on the farm's system: `Some(None)` for a name whose value is not known.
fn value(token: &Token) -> Option<Option<&str>> {
    match token {
        Token::Text(text) => Some(Some(text)),
        Token::Word(name) => Some(KNOWN.iter().find(|(known, _)| known == name).map(|(_, value)| *value)),
        Token::Open | Token::Close => None,
    }
}

#[cfg(test)]
mod tests {
    use super::may_hold;

    #[test]
    fn markers_of_other_systems_do_not_hold() {
        for marker in [
            "sys_platform == \"win32\"",
            " sys_platform=='win32' ",
            "'darwin' == sys_platform",
            "platform_system == 'Windows'",
            "os_name == 'nt'",
            "os_name != 'posix'",
            "sys_platform in 'win32 cygwin'",
            "'win' in sys_platform",
            "sys_platform not in 'linux, darwin'",
            "'linux' not in sys_platform",
            "python_version >= '3.8' and sys_platform == 'win32'",
            "sys_platform == 'win32' and (python_version < '3' or os_name == 'nt')",
            "sys_platform == 'win32' or sys_platform == 'darwin'",
            "((sys_platform == 'win32') or (sys_platform == 'cygwin')) and extra == 'x'",
            "platform_system == 'linux'",
        ] {
            assert!(!may_hold(marker), "{marker}");
        }
    }

    #[test]
    fn everything_else_may_hold() {
        for marker in [
            "",
            "sys_platform == 'linux'",
            "platform_system == 'Linux'",
            "os_name == \"posix\"",
            "sys_platform != 'win32'",
            "sys_platform in 'linux darwin'",
            "'linux' in sys_platform",
            "sys_platform not in 'win32'",
            "python_version < '3'",
            "platform_machine == 'x86_64'",
            "sys_platform == 'win32' or python_version < '3'",
            // "and" binds closer than "or"
            "os_name == 'posix' or os_name == 'nt' and sys_platform == 'win32'",
            "sys_platform == 'win32' or os_name == 'posix' and python_version >= '3'",
            "sys_platform >= 'win32'",
            "extra == 'sys_platform == \"win32\"'",
            "implementation_name == sys_platform",
        ] {
            assert!(may_hold(marker), "{marker}");
        }
    }

    #[test]
    fn what_is_no_marker_is_not_judged() {
        let deep = format!("{}os_name == 'nt'{}", "(".repeat(100_000), ")".repeat(100_000));
        for marker in [
            "sys_platform == 'win32",
            "sys_platform == ",
            "(os_name == 'nt'",
            "os_name == 'nt')",
            "os_name == 'nt' os_name == 'nt'",
            "os_name not 'nt'",
            "os_name = 'nt' & os_name == 'nt'",
            "== 'nt'",
            &deep,
        ] {
            assert!(may_hold(marker), "{marker}");
        }
    }
}
