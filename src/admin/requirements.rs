//! Requirements as people write them: `name`, `name==1.0`, requirements files (PEP 508, pip's file format as far as it
//! says what to build). Pure but for reading the files that `-r` names.

use std::path::{Path, PathBuf};

use crate::domain::{Environment, requirement};
use crate::wire::import::Requirement;
use crate::wire::{Text, limits};

/// Files that include each other go no deeper.
const MAX_DEPTH: usize = 10;

/// Options that say how pip installs, not what: of no matter for what is to be built.
const PASSED_OVER: [&str; 12] = [
    "-i",
    "--index-url",
    "--extra-index-url",
    "-f",
    "--find-links",
    "--no-index",
    "--trusted-host",
    "--no-binary",
    "--only-binary",
    "--prefer-binary",
    "--pre",
    "--require-hashes",
];

/// What was asked for, in the order of asking.
#[derive(Debug, Default)]
pub struct Found {
    /// To be built.
    pub requirements: Vec<Requirement>,
    /// Names of those whose marker is for another system than the farm's.
    pub skipped: Vec<String>,
}

impl Found {
    /// Adds one requirement, as an argument or a line has it. The error is for people.
    pub fn add(&mut self, text: &str) -> Result<(), String> {
        let (requirement, concerns) = read_one(text)?;
        if concerns {
            self.requirements.push(requirement);
        } else {
            self.skipped.push(requirement.package.to_string());
        }
        Ok(())
    }
}

/// One requirement, its marker left out. The error is for people.
pub fn parse(text: &str) -> Result<Requirement, String> {
    read_one(text).map(|(requirement, _)| requirement)
}

/// One requirement, and whether it may be for a system that the farm builds for.
fn read_one(text: &str) -> Result<(Requirement, bool), String> {
    let bad =
        |why: &str| format!("{:?} is not a requirement: {why}", text.chars().take(100).collect::<String>());
    let parsed = requirement::Requirement::parse(text).map_err(|why| bad(&why.to_string()))?;
    let concerns = parsed.marker.is_none_or(|m| m.holds(&Environment::any(), None) != Some(false));
    let extras: Vec<&str> = parsed.extras.iter().map(requirement::Extra::as_str).collect();
    let requirement = Requirement {
        package: Text::new(&parsed.spelt).map_err(bad)?,
        specifiers: Text::new(&parsed.specifiers).map_err(|why| bad(&format!("its specifier {why}")))?,
        extras: Text::new(extras.join(" ")).map_err(|why| bad(&format!("its list of extras {why}")))?,
    };
    Ok((requirement, concerns))
}

/// Every requirement of a file's text. Errors name `source` and the line.
pub fn parse_file(source: &Path, text: &str, found: &mut Found) -> Result<(), Vec<String>> {
    read(source, text, found, 0)
}

fn read(source: &Path, text: &str, found: &mut Found, depth: usize) -> Result<(), Vec<String>> {
    let mut errors = Vec::new();
    for (number, line) in joined(text) {
        if let Err(mut reasons) = read_line(source, &line, found, depth) {
            for reason in &mut reasons {
                *reason = format!("{}, line {number}: {reason}", source.display());
            }
            errors.append(&mut reasons);
        }
        if found.requirements.len() > limits::ADD_ITEMS {
            errors.push(format!("{}: more than {} requirements", source.display(), limits::ADD_ITEMS));
            break;
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// Lines with those that a backslash continues, as pip joins them, each with the number of its first. A comment is not
/// continued, and ends what it stands in.
fn joined(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut goes_on = false;
    for (index, line) in text.lines().enumerate() {
        let comment = line.trim_start().starts_with('#');
        let (part, continued) = match line.strip_suffix('\\') {
            Some(part) if !comment => (part, true),
            _ => (line, false),
        };
        match lines.last_mut() {
            Some((_, whole)) if goes_on => {
                // a space keeps a comment one
                whole.push(' ');
                whole.push_str(part);
            }
            _ => lines.push((index + 1, part.to_owned())),
        }
        goes_on = continued;
    }
    lines
}

/// A line up to its comment, which begins it or follows white space.
fn without_comment(line: &str) -> &str {
    let begins = |at: usize| line[..at].chars().next_back().is_none_or(char::is_whitespace);
    let end = line.match_indices('#').map(|(at, _)| at).find(|at| begins(*at)).unwrap_or(line.len());
    line[..end].trim()
}

fn read_line(source: &Path, line: &str, found: &mut Found, depth: usize) -> Result<(), Vec<String>> {
    let one = |reason: String| vec![reason];
    let line = without_comment(line);
    if line.is_empty() {
        return Ok(());
    }
    if line.starts_with('-') {
        let (option, value) = line.split_once([' ', '=']).unwrap_or((line, ""));
        return match option {
            "-r" | "--requirement" => include(source, value.trim(), found, depth),
            option if PASSED_OVER.contains(&option) => Ok(()),
            option => Err(one(format!("the option {option} cannot be followed here"))),
        };
    }
    let looks_like_a_path = line.contains("://") || line.starts_with(['.', '/']);
    if looks_like_a_path && !line.contains('@') {
        return Err(one(format!("{line:?} is not on an index; the farm builds what its index has")));
    }
    // hashes are of the files that pip would install; what is built here has others
    let requirement = line.split(" --").next().unwrap_or_default();
    found.add(requirement).map_err(one)
}

fn include(source: &Path, name: &str, found: &mut Found, depth: usize) -> Result<(), Vec<String>> {
    if depth >= MAX_DEPTH {
        return Err(vec![format!("files include each other more than {MAX_DEPTH} deep")]);
    }
    let path: PathBuf = source.parent().unwrap_or(Path::new("")).join(name);
    let text =
        std::fs::read_to_string(&path).map_err(|e| vec![format!("cannot read {}: {e}", path.display())])?;
    read(&path, &text, found, depth + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(text: &str) -> Result<(String, String), String> {
        parse(text).map(|r| (r.package.to_string(), r.specifiers.to_string()))
    }

    fn file(text: &str) -> Result<Vec<String>, Vec<String>> {
        let mut found = Found::default();
        parse_file(Path::new("r.txt"), text, &mut found)?;
        Ok(found.requirements.iter().map(|r| format!("{}{}", r.package, r.specifiers)).collect())
    }

    #[test]
    fn a_requirement_is_a_name_and_perhaps_specifiers() {
        let both = |a: &str, b: &str| Ok((a.to_owned(), b.to_owned()));
        assert_eq!(pair("six"), both("six", ""));
        assert_eq!(pair("Foo.Bar [x,y] >= 1.0, <2 ; python_version < '3'"), both("Foo.Bar", ">= 1.0, <2"));
        assert_eq!(pair("six (==1.0)"), both("six", "==1.0"));
        assert_eq!(parse("six[Y_z, x]").unwrap().extras.to_string(), "x y-z");
        for bad in ["", "==1", "six 1.0", "six @ file:///x", "six[", "-x", "../x", "six==1\u{1b}"] {
            assert!(pair(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn files_have_comments_continuations_hashes_and_options() {
        let text = "# c\n\nsix==1.16.0 \\\n    --hash=sha256:00 \\\n    --hash=sha256:11\n--index-url http://x\n\
                    a # the first\n  b>1 ; python_version > '3' # the second\n-f dir\n";
        assert_eq!(file(text).unwrap(), ["six==1.16.0", "a", "b>1"]);
    }

    #[test]
    fn a_backslash_loses_nothing() {
        assert_eq!(file("a\nb==1 \\").unwrap(), ["a", "b==1"], "on the last line");
        assert_eq!(file("# see below \\\na\nb").unwrap(), ["a", "b"], "in a comment");
        assert_eq!(file("a \\\n  # why \\\nb").unwrap(), ["a", "b"], "before a comment");
        assert_eq!(file("a \\\r\n >=1\r\nb").unwrap(), ["a>=1", "b"], "on other systems");
        let errors = file("a\n\nb \\\n c\n").unwrap_err();
        assert!(errors[0].starts_with("r.txt, line 3: "), "{errors:?}");
    }

    #[test]
    fn a_comment_follows_any_white_space() {
        assert_eq!(
            file("a\t# the first\n\t# nothing\nb\u{a0}# the second\nc #d #e").unwrap(),
            ["a", "b", "c"]
        );
        assert!(file("a#b").is_err(), "and nothing else");
    }

    #[test]
    fn what_is_for_another_system_is_left_out_and_named() {
        let mut found = Found::default();
        let text = "six\npywin32>=300 ; sys_platform == \"win32\" --hash=sha256:00\n\
                    b; python_version < '3' and os_name == 'nt'\nc; os_name != 'nt'\n";
        parse_file(Path::new("r.txt"), text, &mut found).unwrap();
        let kept: Vec<String> = found.requirements.iter().map(|r| r.package.to_string()).collect();
        assert_eq!(kept, ["six", "c"]);
        assert_eq!(found.skipped, ["pywin32", "b"]);
    }

    #[test]
    fn every_bad_line_is_named() {
        let errors = file("a\n-e .\nhttp://x/y.tar.gz\n-c c.txt\nb b\n").unwrap_err();
        assert_eq!(errors.len(), 4);
        assert!(errors[0].starts_with("r.txt, line 2: the option -e"), "{errors:?}");
        assert!(errors[3].starts_with("r.txt, line 5: \"b b\" is not a requirement"), "{errors:?}");
    }

    #[test]
    fn files_may_include_others_beside_them() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("b.txt"), "b==1\n").unwrap();
        std::fs::write(dir.path().join("loop.txt"), "-r loop.txt\n").unwrap();
        let mut found = Found::default();
        parse_file(&dir.path().join("a.txt"), "-r b.txt\nc\n", &mut found).unwrap();
        assert_eq!(found.requirements.len(), 2);
        assert!(parse_file(&dir.path().join("a.txt"), "-r loop.txt", &mut found).is_err());
        assert!(parse_file(&dir.path().join("a.txt"), "-r none.txt", &mut found).is_err());
    }
}
