//! Manual pages and completions: they have what the programs have, and no reader finds fault with them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{PROGRAMS, out, run, skipped, tree};

fn written() -> (tempfile::TempDir, Vec<PathBuf>) {
    let dir = tempfile::tempdir().unwrap();
    for file in tree::files() {
        file.write_below(dir.path()).unwrap();
    }
    let pages =
        ["man1", "man8"].iter().flat_map(|man| fs::read_dir(dir.path().join("share/man").join(man)).unwrap());
    let mut pages: Vec<PathBuf> = pages.map(|entry| entry.unwrap().path()).collect();
    pages.sort();
    (dir, pages)
}

fn installed(program: &str) -> bool {
    Command::new("sh")
        .args(["-c", &format!("command -v {program}")])
        .stdout(Stdio::null())
        .status()
        .unwrap()
        .success()
}

#[test]
fn readers_find_no_fault_with_the_pages() {
    let (_dir, pages) = written();
    assert!(pages.len() > 25, "{pages:?}");
    let mut read = false;
    for (program, arguments) in
        [("groff", &["-man", "-Tutf8", "-ww", "-z"][..]), ("mandoc", &["-T", "lint", "-W", "warning"])]
    {
        if !installed(program) {
            continue;
        }
        read = true;
        let output = Command::new(program).args(arguments).args(&pages).output().unwrap();
        let said =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(said.is_empty() && output.status.success(), "{program}: {said}");
    }
    if !read {
        skipped("neither groff nor mandoc is installed: nobody reads the manual pages");
    }
}

/// The long options that a help text lists.
fn listed(help: &str) -> BTreeSet<String> {
    let lines = help.lines().filter_map(|line| {
        let line = line.trim_start();
        let long = line.starts_with('-').then(|| line.find("--")).flatten()?;
        let name: String =
            line[long..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        Some(name)
    });
    lines.collect()
}

#[test]
fn every_option_is_on_its_page_with_what_scripts_need_to_know() {
    let (dir, pages) = written();
    let man = dir.path().join("share/man");
    let text = |name: &str| {
        let found = pages.iter().find(|page| page.file_stem().unwrap() == name);
        let found = found.unwrap_or_else(|| panic!("no page {name} in {}", man.display()));
        fs::read_to_string(found).unwrap().replace("\\-", "-")
    };
    let mut verbs = Vec::new();
    for (name, _) in PROGRAMS {
        let page = text(name);
        let help = out(&run(name, &["--help"]));
        let options = listed(&help);
        assert!(options.contains("--print-config") && options.len() >= 6, "{name}: {options:?}");
        for option in options {
            assert!(page.contains(&option), "{name}: {option} is not on its page");
        }
        for heading in [
            "NAME",
            "SYNOPSIS",
            "DESCRIPTION",
            "OPTIONS",
            "EXIT STATUS",
            "FILES",
            "ENVIRONMENT",
            "EXAMPLES",
            "SEE ALSO",
        ] {
            let there =
                page.contains(&format!(".SH {heading}\n")) || page.contains(&format!(".SH \"{heading}\"\n"));
            assert!(there, "{name}: no {heading}");
        }
        if name == "piw" {
            let commands = help.split_once("Commands:\n").unwrap().1.split_once("\n\n").unwrap().0;
            let names = commands.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
            verbs.extend(names.map(|line| line.split_whitespace().next().unwrap().to_owned()));
        }
    }
    assert!(verbs.len() > 20, "{verbs:?}");
    for verb in verbs.iter().filter(|verb| *verb != "help") {
        // the page of a program is that of the verb, too; what all verbs have is on piw's
        let page = text(&format!("piw-{verb}")) + &text("piw");
        for option in listed(&out(&run("piw", &[verb, "--help"]))) {
            assert!(page.contains(&option), "piw {verb}: {option} is not on its page");
        }
    }
}

/// What bash would complete.
fn completed(dir: &Path, words: &[&str]) -> Vec<String> {
    let program = words[0];
    let script = r#"
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
words=$(complete -p "$1"); f=${words##*-F }; f=${f%% *}
"$f" "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\n' "${COMPREPLY[@]}"
"#;
    let file = dir.join("share/bash-completion/completions").join(program);
    let output = Command::new("bash").args(["-c", script, "bash"]).arg(file).args(words).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    out(&output).lines().map(str::to_owned).collect()
}

#[test]
fn shells_complete_verbs_and_options() {
    let (dir, _) = written();
    assert_eq!(completed(dir.path(), &["piw", "requ"]), ["requeue"]);
    assert_eq!(completed(dir.path(), &["piw", "abi", "ret"]), ["retire"]);
    assert_eq!(completed(dir.path(), &["piw", "add", "--with"]), ["--with-deps"]);
    assert_eq!(completed(dir.path(), &["piw-slave", "--time"]), ["--timeout"]);
    assert_eq!(completed(dir.path(), &["piw-master", "--output"]), ["--output-path"]);
    for (name, _) in PROGRAMS {
        assert_eq!(completed(dir.path(), &[name, "--print-c"]), ["--print-config"], "{name}");
    }
    for (shell, place) in [("zsh", "share/zsh/site-functions"), ("fish", "share/fish/vendor_completions.d")] {
        let files: Vec<PathBuf> =
            fs::read_dir(dir.path().join(place)).unwrap().map(|e| e.unwrap().path()).collect();
        assert_eq!(files.len(), PROGRAMS.len(), "{shell}");
        if !installed(shell) {
            skipped(&format!("{shell} is not installed: its completions are not read"));
            continue;
        }
        for file in files {
            let status = Command::new(shell).arg("-n").arg(&file).status().unwrap();
            assert!(status.success(), "{shell} -n {}", file.display());
        }
    }
}
