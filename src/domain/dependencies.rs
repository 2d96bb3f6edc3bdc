//! What a built package needs to run: METADATA's `Requires-Dist`, for the systems that the farm builds for.
//!
//! An installer takes the lines whose markers hold and wants one version of each package that satisfies all of them.
//! Of what is not known for certain (`marker.rs`), either may be the case: each such line then stands for itself, beside
//! those that certainly hold.

use std::collections::{BTreeMap, BTreeSet};

use super::marker::Marker;
use super::requirement::{BadRequirement, Extra, MAX_EXTRAS, MAX_REQUIREMENT_BYTES, Requirement};
use super::{Environment, ProjectName};

/// Lines of one METADATA that are looked at.
pub const MAX_LINES: usize = 1000;
/// Dependencies of one package that are followed.
pub const MAX_DEPENDENCIES: usize = 500;
/// Comparisons to be read and made for one version: markers times systems times extras, for all that is asked of it.
/// Real ones with hundreds of extras take some 20,000 on ten systems; as many as this, tens of milliseconds.
pub const MAX_STEPS: usize = 100_000;

/// One package that is needed, in versions that satisfy `specifiers`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Dependency {
    /// The package.
    pub package: ProjectName,
    /// PEP 440 specifiers; empty for any version. At most [`MAX_REQUIREMENT_BYTES`].
    pub specifiers: String,
    /// Extras asked of it, whose dependencies are needed too: sorted, each once, at most [`MAX_EXTRAS`].
    pub extras: Vec<Extra>,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dependencies {
    /// What is needed on one system at least: each once, in order of name, at most [`MAX_DEPENDENCIES`].
    pub wanted: Vec<Dependency>,
    /// For people: lines that cannot be followed, and why, as far as they may be for one of the systems.
    pub refused: Vec<String>,
    /// There is more than the bounds allow: the rest is left out.
    pub cut: bool,
}

/// What a package with these `Requires-Dist` lines needs in any of `environments`, if these of its `extras` are asked for.
/// Takes a bounded time whatever the lines are: what it costs comes out of `steps` (see [`MAX_STEPS`]). A package may need itself, with other extras than it was asked for.
pub fn dependencies(
    requires_dist: &[String],
    environments: &[Environment],
    extras: &[Extra],
    steps: &mut usize,
) -> Dependencies {
    let mut found = Dependencies { cut: requires_dist.len() > MAX_LINES, ..Dependencies::default() };
    let mut different: Vec<&Environment> = Vec::new();
    for environment in environments {
        if !different.contains(&environment) {
            different.push(environment);
        }
    }
    let mut asked = Asked { environments: different, extras: &extras[..extras.len().min(MAX_EXTRAS)], steps };
    let mut lines = Vec::new();
    for line in requires_dist.iter().take(MAX_LINES) {
        let mut refuse = |why: BadRequirement| {
            found.refused.push(format!("{:?}: {why}", line.chars().take(100).collect::<String>()));
        };
        if line.len() > MAX_REQUIREMENT_BYTES {
            refuse(BadRequirement::TooLong);
            continue;
        }
        let (spec, marker) = line.split_once(';').map_or((&**line, None), |(spec, m)| (spec, Some(m)));
        let Some(holds) = asked.holds(marker) else {
            found.cut = true;
            break;
        };
        // nobody misses what is for another system, or for extras that were not asked for
        if holds.iter().all(|holds| *holds == Some(false)) {
            continue;
        }
        match Requirement::parse(spec) {
            Ok(requirement) => lines.push((requirement, holds)),
            Err(why) => refuse(why),
        }
    }
    let mut wanted = BTreeSet::new();
    for at in 0..asked.environments.len() {
        let mut packages: BTreeMap<&ProjectName, Needed<'_>> = BTreeMap::new();
        for (line, holds) in &lines {
            match holds[at] {
                Some(true) => packages.entry(&line.package).or_default().certain.push(line),
                None => packages.entry(&line.package).or_default().uncertain.push(line),
                Some(false) => {}
            }
        }
        for (package, needed) in packages {
            needed.tell(package, &mut wanted, &mut found);
        }
    }
    found.cut |= wanted.len() > MAX_DEPENDENCIES;
    found.wanted = wanted.into_iter().take(MAX_DEPENDENCIES).collect();
    found.refused.sort();
    found.refused.dedup();
    found
}

/// For whom the lines are asked, and how much that may cost yet.
struct Asked<'a> {
    environments: Vec<&'a Environment>,
    extras: &'a [Extra],
    steps: &'a mut usize,
}

impl Asked<'_> {
    /// Whether a line with this marker holds in each of the environments; `None` when it would cost too much.
    fn holds(&mut self, marker: Option<&str>) -> Option<Vec<Option<bool>>> {
        let marker = marker.map(Marker::parse);
        let comparisons = marker.as_ref().map_or(0, Marker::comparisons);
        let cost = 1 + comparisons * (1 + self.environments.len() * self.extras.len().max(1));
        *self.steps = self.steps.checked_sub(cost)?;
        let one = |environment: &&Environment| match &marker {
            Some(marker) => marker.holds(environment, Some(self.extras)),
            None => Some(true),
        };
        Some(self.environments.iter().map(one).collect())
    }
}

/// The lines about one package in one environment.
#[derive(Default)]
struct Needed<'a> {
    certain: Vec<&'a Requirement>,
    uncertain: Vec<&'a Requirement>,
}

impl Needed<'_> {
    fn tell(&self, package: &ProjectName, wanted: &mut BTreeSet<Dependency>, found: &mut Dependencies) {
        let uncertain = self.uncertain.iter().map(|line| Some(*line));
        // without any of the uncertain ones, too, where there is anything then
        let without = (!self.certain.is_empty()).then_some(None);
        for more in without.into_iter().chain(uncertain) {
            if wanted.len() > MAX_DEPENDENCIES {
                return;
            }
            let lines = || self.certain.iter().copied().chain(more);
            let Some(specifiers) = all_of(lines().map(|line| line.specifiers.as_str())) else {
                found.refused.push(format!("{package}: its version specifiers are too many"));
                continue;
            };
            let mut extras: BTreeSet<&Extra> = lines().flat_map(|line| &line.extras).collect();
            while extras.len() > MAX_EXTRAS {
                found.cut = true;
                extras.pop_last();
            }
            let extras = extras.into_iter().cloned().collect();
            wanted.insert(Dependency { package: package.clone(), specifiers, extras });
        }
    }
}

/// Specifiers that hold together, each once; `None` where they are too long.
fn all_of<'a>(each: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut all = String::new();
    let mut known: Vec<&str> = Vec::new();
    for specifiers in each {
        if specifiers.is_empty() || known.contains(&specifiers) {
            continue;
        }
        if !all.is_empty() {
            all.push(',');
        }
        all.push_str(specifiers);
        known.push(specifiers);
        if all.len() > MAX_REQUIREMENT_BYTES {
            return None;
        }
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{AbiTag, Version};
    use proptest::prelude::*;

    fn boards(abis: &[&str]) -> Vec<Environment> {
        abis.iter().map(|abi| Environment::of(&AbiTag::parse(abi).unwrap(), "linux_armv7l")).collect()
    }

    fn found(lines: &[&str], abis: &[&str], extras: &[&str]) -> Dependencies {
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        let extras: Vec<Extra> = extras.iter().map(|name| Extra::parse(name).unwrap()).collect();
        dependencies(&lines, &boards(abis), &extras, &mut { MAX_STEPS })
    }

    /// As people write them.
    fn wanted(lines: &[&str], abis: &[&str], extras: &[&str]) -> Vec<String> {
        let show = |needed: Dependency| {
            let extras: Vec<&str> = needed.extras.iter().map(Extra::as_str).collect();
            let extras = if extras.is_empty() { String::new() } else { format!("[{}]", extras.join(",")) };
            format!("{}{extras}{}", needed.package, needed.specifiers)
        };
        found(lines, abis, extras).wanted.into_iter().map(show).collect()
    }

    #[test]
    fn what_holds_on_one_board_at_least_is_needed_once() {
        let lines = [
            "b>=1",
            "a",
            "tomli>=2; python_version < '3.11'",
            "win; sys_platform == 'win32'",
            "old; python_version < '3.8'",
            "a",
        ];
        assert_eq!(wanted(&lines, &["cp39", "cp311"], &[]), ["a", "b>=1", "tomli>=2"]);
        assert_eq!(wanted(&lines, &["cp311", "cp312"], &[]), ["a", "b>=1"]);
        assert_eq!(wanted(&lines, &[], &[]), [""; 0]);
    }

    #[test]
    fn lines_about_one_package_hold_together_on_each_board() {
        let lines = [
            "numpy>=1.20",
            "numpy[x]<2; python_version < '3.11'",
            "numpy[y,x] (>=2); python_version >= '3.11'",
            "numpy>=1.20",
        ];
        assert_eq!(
            wanted(&lines, &["cp39", "cp310", "cp311"], &[]),
            ["numpy[x]>=1.20,<2", "numpy[x,y]>=1.20,>=2"]
        );
    }

    #[test]
    fn what_is_uncertain_stands_beside_what_is_certain() {
        let lines = [
            "a>=1",
            "a<5; python_full_version < '3.11.4'",
            "a>=5; python_full_version >= '3.11.4'",
            "b; platform_machine == 'armv7l'",
            "c; what is this",
        ];
        assert_eq!(wanted(&lines, &["cp311"], &[]), ["a>=1", "a>=1,<5", "a>=1,>=5", "b", "c"]);
        assert_eq!(wanted(&lines, &["cp310"], &[]), ["a>=1,<5", "b", "c"], "of 3.10 it is certain");
    }

    #[test]
    fn extras_bring_what_they_need() {
        let lines = ["a", "b; extra == 'Fast.Mode'", "c; extra == 'docs'", "me[fast-mode]; extra == 'all'"];
        assert_eq!(wanted(&lines, &["cp311"], &[]), ["a"]);
        assert_eq!(wanted(&lines, &["cp311"], &["fast_mode"]), ["a", "b"]);
        assert_eq!(wanted(&lines, &["cp311"], &["all"]), ["a", "me[fast-mode]"]);
    }

    #[test]
    fn what_cannot_be_followed_is_named_where_it_concerns_a_board() {
        let lines = [
            "a @ https://x/a.whl",
            "b @ https://x/b.whl ; sys_platform == 'win32'",
            "c>=1.*",
            "d; extra == 'x'",
        ];
        let all = found(&lines, &["cp39", "cp311"], &[]);
        assert_eq!(all.wanted, []);
        assert_eq!(all.refused.len(), 2, "{:?}", all.refused);
        assert!(all.refused[0].starts_with("\"a @ https://x/a.whl\": a URL"), "{:?}", all.refused);
        assert!(all.refused[1].contains("c>=1.*"), "{:?}", all.refused);
        assert!(!all.cut);
        let long = format!("e; python_version >= '3'{}", " ".repeat(MAX_REQUIREMENT_BYTES));
        assert!(found(&[&long], &["cp39"], &[]).refused[0].ends_with("more than 1000 bytes"));
        let same: Vec<String> = (0..100).map(|n| format!("a>={n}.{}1", "1.".repeat(50))).collect();
        let same: Vec<&str> = same.iter().map(String::as_str).collect();
        assert_eq!(found(&same, &["cp39"], &[]).refused, ["a: its version specifiers are too many"]);
    }

    #[test]
    #[cfg_attr(miri, ignore = "thousands of lines")]
    fn bounds_cut_and_say_so() {
        let many: Vec<String> = (0..=MAX_LINES).map(|n| format!("p{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let all = found(&many, &["cp39"], &[]);
        assert_eq!((all.wanted.len(), all.cut), (MAX_DEPENDENCIES, true));
        assert!(!found(&many[..MAX_DEPENDENCIES], &["cp39"], &[]).cut);
        let none: Vec<String> = (0..=MAX_LINES).map(|n| format!("p{n}; os_name == 'nt'")).collect();
        let none: Vec<&str> = none.iter().map(String::as_str).collect();
        assert!(found(&none, &["cp39"], &[]).cut);
        assert!(!found(&none[..MAX_LINES], &["cp39"], &[]).cut);

        let uncertain: Vec<String> =
            (0..400).map(|n| format!("p>={n}; python_full_version > '3.9.2'")).collect();
        let uncertain: Vec<&str> = uncertain.iter().map(String::as_str).collect();
        let all = found(&uncertain, &["cp39"], &[]);
        assert_eq!((all.wanted.len(), all.cut), (400, false));

        let long = format!("p; {}", ["python_version < '3'"; 40].join(" or "));
        let long = vec![long.as_str(); MAX_LINES];
        assert!(found(&long, &["cp39", "cp310"], &[]).cut, "it costs too much");
        let extras: Vec<String> = (0..=MAX_EXTRAS).map(|n| format!("p[x{n}]")).collect();
        let extras: Vec<&str> = extras.iter().map(String::as_str).collect();
        let all = found(&extras, &["cp39"], &[]);
        assert_eq!((all.wanted[0].extras.len(), all.cut), (MAX_EXTRAS, true));
    }

    fn line() -> impl Strategy<Value = String> {
        let spec = "(>=|<|==|!=)[1-3](\\.[0-3])?";
        let marker = prop::sample::select(vec![
            "",
            "; python_version < '3.11'",
            "; python_version >= '3.11'",
            "; python_full_version < '3.11.4'",
            "; platform_machine == 'armv7l'",
            "; platform_machine == 'x86_64'",
            "; sys_platform == 'win32'",
            "; extra == 'x'",
            "; extra == 'x' and python_version < '3.10'",
        ]);
        ("[a-c]", "(\\[x\\])?", proptest::option::of(spec), marker).prop_map(
            |(name, extras, spec, marker)| format!("{name}{extras}{}{marker}", spec.unwrap_or_default()),
        )
    }

    /// What an installer on one certain machine wants of a package: its specifiers, if it is needed.
    fn installer(
        lines: &[String],
        package: &str,
        version: &str,
        machine: &str,
        x: bool,
    ) -> Option<Vec<String>> {
        let python = Version::parse(version).unwrap();
        let before = |text: &str| python < Version::parse(text).unwrap();
        let holds = |marker: &str| match marker {
            "" => true,
            "python_version < '3.11'" => before("3.11"),
            "python_version >= '3.11'" => !before("3.11"),
            "python_full_version < '3.11.4'" => before("3.11.4"),
            "platform_machine == 'armv7l'" => machine == "armv7l",
            "extra == 'x'" => x,
            "extra == 'x' and python_version < '3.10'" => x && before("3.10"),
            _ => false,
        };
        let mut found = None;
        for line in lines {
            let (spec, marker) = line.split_once(';').unwrap_or((line, ""));
            let spec = spec.replace("[x]", "");
            if let Some(spec) = spec.strip_prefix(package)
                && holds(marker.trim())
            {
                let specifiers: &mut Vec<String> = found.get_or_insert_default();
                if !spec.is_empty() && !specifiers.iter().any(|known| known == spec) {
                    specifiers.push(spec.to_owned());
                }
            }
        }
        found
    }

    proptest! {
        #[test]
        fn nothing_that_an_installer_needs_is_missing(
            lines in proptest::collection::vec(line(), 0..8), minor in 9_u16..13, micro in 0_u16..7,
            machine in prop::sample::select(vec!["armv7l", "aarch64"]), x in any::<bool>(),
        ) {
            let texts: Vec<&str> = lines.iter().map(String::as_str).collect();
            let abi = format!("cp3{minor}");
            let all = found(&texts, &["cp39", &abi], if x { &["x"] } else { &[] });
            prop_assert!(!all.cut && all.refused.is_empty());
            for package in ["a", "b", "c"] {
                let needed = installer(&lines, package, &format!("3.{minor}.{micro}"), machine, x);
                let offered: Vec<&Dependency> =
                    all.wanted.iter().filter(|wanted| wanted.package.as_str() == package).collect();
                let Some(needed) = needed else { continue };
                prop_assert!(!offered.is_empty(), "{} is needed, {:?}", package, lines);
                // each of its lines is in one of those offered, and one with nothing but what it needs is among them
                for specifier in &needed {
                    prop_assert!(offered.iter().any(|one| one.specifiers.split(',').any(|s| s == specifier)));
                }
                let fits = |one: &&Dependency| {
                    one.specifiers.split(',').all(|s| s.is_empty() || needed.iter().any(|known| known == s))
                };
                prop_assert!(offered.iter().any(fits), "{:?} of {:?}", offered, needed);
            }
        }

    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        #[cfg_attr(miri, ignore = "64 times 30 lines")]
        fn any_lines_are_answered_within_the_bounds(
            lines in proptest::collection::vec("\\PC{0,40}|[a-c](\\[[a-z,]{0,9}\\])?[<>=!~0-9., ]{0,9}(;.{0,40})?", 0..30),
        ) {
            let all = dependencies(&lines, &boards(&["cp39", "cp311", "cp313t"]), &[], &mut { MAX_STEPS });
            prop_assert!(all.wanted.len() <= MAX_DEPENDENCIES);
            prop_assert!(all.wanted.is_sorted() && all.wanted.windows(2).all(|pair| pair[0] != pair[1]));
            for needed in &all.wanted {
                prop_assert!(needed.extras.len() <= MAX_EXTRAS && needed.extras.is_sorted());
                let again = format!("{}{}", needed.package, needed.specifiers);
                prop_assert!(needed.specifiers.len() <= MAX_REQUIREMENT_BYTES);
                prop_assert!(Requirement::parse(&again).is_ok(), "{}", again);
            }
        }
    }
}
