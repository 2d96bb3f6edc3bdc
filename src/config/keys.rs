//! Which keys and variables there are. One file serves all programs, so that a key is unknown only where none of them has
//! such an option. The small slave does not link the others' options: the list is made of all definitions by
//! `cli/keys.rs`, whose test fails when it is out of date.

/// A line for each option of any program: its key, or, for the command line only, its name with a minus before it.
const LIST: &str = include_str!("keys.txt");

/// `PIW_…` variables that are no option's: env_logger's, and those of the scripts in `tools/`.
const OTHER_VARIABLES: [&str; 7] =
    ["PIW_LOG", "PIW_BIN", "PIW_USER", "PIW_FARM", "PIW_CROSS_CACHE", "PIW_WEB_SERVERS", "PIW_FAILPOINT"];

/// What variables of tests and benches begin with, of which each run may have others.
const OTHER_PREFIXES: [&str; 5] = ["PIW_TEST_", "PIW_BENCH_", "PIW_WRITE_", "PIW_CRASH_", "PIW_FUZZ_"];

/// What every variable begins with.
const PREFIX: &str = "PIW_";

/// The lines of the list.
pub(crate) fn list() -> impl Iterator<Item = &'static str> {
    LIST.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// The variable of a key.
pub fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.to_uppercase().replace('-', "_"))
}

/// What is wrong with a key, for people; nothing with one that some program has.
pub(super) fn complaint(key: &str) -> Option<String> {
    if list().any(|known| known == key) {
        return None;
    }
    if list().any(|known| known.strip_prefix('-') == Some(key)) {
        return Some(format!("'{key}' is for the command line only; passed over"));
    }
    let like = nearest(key, list().filter(|known| !known.starts_with('-')));
    let like = like.map(|like| format!("; did you mean '{like}'?")).unwrap_or_default();
    Some(format!("no program has an option '{key}'{like}"))
}

/// The same of a variable; nothing with one that is none of ours.
pub(super) fn variable_complaint(name: &str) -> Option<String> {
    let other =
        OTHER_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || OTHER_VARIABLES.contains(&name);
    if other || !name.starts_with(PREFIX) {
        return None;
    }
    let (keys, alone): (Vec<_>, Vec<_>) = list().partition(|known| !known.starts_with('-'));
    let keys: Vec<String> = keys.into_iter().map(variable).collect();
    if keys.iter().any(|known| known == name) {
        return None;
    }
    if alone.iter().any(|known| variable(&known[1..]) == name) {
        return Some(format!("the variable {name}: this is for the command line only; passed over"));
    }
    let like = nearest(name, keys.iter().map(String::as_str));
    let like = like.map(|like| format!("; did you mean {like}?")).unwrap_or_default();
    Some(format!("the variable {name} is no program's{like}"))
}

/// The known name that was most likely meant: at most a third of its letters are others.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_ascii_lowercase().replace('_', "-");
    let most = |known: &str| name.len().max(known.len()) / 3;
    // what is that much longer or shorter is not near, and any file may have lines of any length
    let near = known.filter(|known| name.len().abs_diff(known.len()) <= most(known));
    let far = |known: &str| distance(&name, &known.to_ascii_lowercase().replace('_', "-"));
    let (away, known) = near.map(|known| (far(known), known)).min_by_key(|(away, _)| *away)?;
    (away <= most(known)).then_some(known)
}

/// How many letters are to be put in, taken out, replaced or swapped with their neighbour to make one name of the other.
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let above = &rows[i - 1];
            let mut least =
                (above[j] + 1).min(row[j - 1] + 1).min(above[j - 1] + usize::from(a[i - 1] != b[j - 1]));
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_any_program_has_is_known_and_a_slip_is_told_with_what_was_meant() {
        assert_eq!(complaint("output-path"), None, "the master's");
        assert_eq!(complaint("disk-floor"), None, "the slave's");
        for slip in ["ouput-path", "output_path", "Output-Path", "outptu-path", "output-paths"] {
            let said = complaint(slip).unwrap();
            assert!(said.ends_with("; did you mean 'output-path'?"), "{slip}: {said}");
        }
        assert_eq!(complaint("colour").unwrap(), "no program has an option 'colour'");
        assert_eq!(complaint("yes").unwrap(), "'yes' is for the command line only; passed over");
    }

    #[test]
    fn a_variable_is_an_options_or_a_scripts_or_told_of() {
        let known = ["PIW_LEASE", "PIW_USER", "PIW_BIN", "PIW_TEST_ANYTHING", "PIW_LOG", "HOME", "XPIW_A"];
        assert_eq!(known.map(variable_complaint), [const { None }; 7]);
        let said = variable_complaint("PIW_OUTPUTPATH").unwrap();
        assert_eq!(said, "the variable PIW_OUTPUTPATH is no program's; did you mean PIW_OUTPUT_PATH?");
        assert!(variable_complaint("PIW_DELETE").unwrap().contains("command line only"));
    }

    #[test]
    fn a_line_of_any_length_is_told_at_once() {
        let now = || std::time::Duration::from(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID.now().unwrap());
        let begun = now();
        assert!(complaint(&"output-path".repeat(40_000)).unwrap().ends_with("path'"), "nothing is like it");
        assert!((now() - begun).as_secs() < 2, "it took {:?}", now() - begun);
    }

    #[test]
    fn names_are_as_far_from_each_other_as_it_takes_keys_to_type() {
        for (a, b, away) in
            [("", "", 0), ("a", "", 1), ("lease", "laese", 1), ("dsn", "dns", 1), ("abc", "xyz", 3)]
        {
            assert_eq!((distance(a, b), distance(b, a)), (away, away), "{a} {b}");
        }
    }
}
