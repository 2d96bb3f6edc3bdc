//! Requirements as people write them: `name`, `name==1.0`, requirements files (PEP 508, pip's file format as far as it
//! says what to build). Pure but for reading the files that `-r` names.

use std::path::{Path, PathBuf};

use crate::domain::ProjectName;
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

/// One requirement, as an argument or a line has it. The error is for people.
pub fn parse(text: &str) -> Result<Requirement, String> {
    let bad =
        |why: &str| format!("{:?} is not a requirement: {why}", text.chars().take(100).collect::<String>());
    let spec = text.split(';').next().unwrap_or_default().trim();
    let name_end = spec
        .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')))
        .unwrap_or(spec.len());
    let (name, rest) = spec.split_at(name_end);
    ProjectName::parse(name)
        .map_err(|_| bad("it does not begin with a package's name (such as six or six==1.16.0)"))?;
    let mut rest = rest.trim();
    if let Some(extras) = rest.strip_prefix('[') {
        rest = extras.split_once(']').ok_or_else(|| bad("'[' without ']'"))?.1.trim();
    }
    if rest.starts_with('@') {
        return Err(bad("a URL; the farm builds what its index has"));
    }
    // PEP 508 allows specifiers in parentheses
    let rest = rest.strip_prefix('(').and_then(|r| r.strip_suffix(')')).unwrap_or(rest).trim();
    if !rest.is_empty() && !rest.starts_with(['=', '<', '>', '!', '~']) {
        return Err(bad("after the name comes a version specifier (such as ==1.16.0)"));
    }
    Ok(Requirement {
        package: Text::new(name).map_err(bad)?,
        specifiers: Text::new(rest).map_err(|why| bad(&format!("its specifier {why}")))?,
    })
}

/// Every requirement of a file's text. Errors name `source` and the line.
pub fn parse_file(source: &Path, text: &str, found: &mut Vec<Requirement>) -> Result<(), Vec<String>> {
    read(source, text, found, 0)
}

fn read(source: &Path, text: &str, found: &mut Vec<Requirement>, depth: usize) -> Result<(), Vec<String>> {
    let mut errors = Vec::new();
    let mut joined = String::new();
    let mut first = 0;
    for (index, line) in text.lines().enumerate() {
        if joined.is_empty() {
            first = index + 1;
        }
        if let Some(start) = line.strip_suffix('\\') {
            joined.push_str(start);
            joined.push(' ');
            continue;
        }
        joined.push_str(line);
        let whole = std::mem::take(&mut joined);
        if let Err(mut reasons) = read_line(source, &whole, found, depth) {
            for reason in &mut reasons {
                *reason = format!("{}, line {first}: {reason}", source.display());
            }
            errors.append(&mut reasons);
        }
        if found.len() > limits::ADD_ITEMS {
            errors.push(format!("{}: more than {} requirements", source.display(), limits::ADD_ITEMS));
            break;
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

fn read_line(
    source: &Path,
    line: &str,
    found: &mut Vec<Requirement>,
    depth: usize,
) -> Result<(), Vec<String>> {
    let one = |reason: String| vec![reason];
    let line = line.trim();
    let line = if line.starts_with('#') { "" } else { line.split(" #").next().unwrap_or_default().trim() };
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
    found.push(parse(requirement).map_err(one)?);
    Ok(())
}

fn include(source: &Path, name: &str, found: &mut Vec<Requirement>, depth: usize) -> Result<(), Vec<String>> {
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
        let mut found = Vec::new();
        parse_file(Path::new("r.txt"), text, &mut found)?;
        Ok(found.iter().map(|r| format!("{}{}", r.package, r.specifiers)).collect())
    }

    #[test]
    fn a_requirement_is_a_name_and_perhaps_specifiers() {
        let both = |a: &str, b: &str| Ok((a.to_owned(), b.to_owned()));
        assert_eq!(pair("six"), both("six", ""));
        assert_eq!(pair("Foo.Bar [x,y] >= 1.0, <2 ; python_version < '3'"), both("Foo.Bar", ">= 1.0, <2"));
        assert_eq!(pair("six (==1.0)"), both("six", "==1.0"));
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
        let mut found = Vec::new();
        parse_file(&dir.path().join("a.txt"), "-r b.txt\nc\n", &mut found).unwrap();
        assert_eq!(found.len(), 2);
        assert!(parse_file(&dir.path().join("a.txt"), "-r loop.txt", &mut found).is_err());
        assert!(parse_file(&dir.path().join("a.txt"), "-r none.txt", &mut found).is_err());
    }
}
