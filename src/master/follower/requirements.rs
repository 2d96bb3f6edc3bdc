//! The follower's way from what the farm serves to what that requires: METADATA of built wheels, or of the index's own,
//! markers and tags in; packages to be looked up and built out. Pure.
//!
//! ```text
//!   deps_due ──► files of the farm ────────────────────────┐
//!      │                                                   ▼
//!      └──────► the index's wheel ──► look at METADATA ──► deps_found ──► requirement ──► look up ──► add, with its own
//! ```
//!
//! Each requirement is a row that is looked up once, so that packages that require each other come to an end.

use std::collections::{BTreeMap, BTreeSet};

use super::{Busy, Follower, Requiring};
use crate::domain::dependencies::{Dependency, MAX_STEPS, dependencies};
use crate::domain::requirement::{Extra, MAX_EXTRAS};
use crate::domain::{AbiTag, Environment, Millis, WheelName};
use crate::master::event::{LookAnswer, Out};
use crate::master::gaze::{GazeFailure, GazeRequest, WheelNews};
use crate::master::query::{DepsDue, Query, RequirementDue, RequirementEnd};
use crate::master::slave_driver::Abis;

/// Requirements of one version that are followed.
const REQUIREMENTS: usize = 2000;
/// Lines of the log about those of one version that are not.
const REFUSED_SHOWN: usize = 10;

impl Follower {
    pub(super) fn tell_deps(&mut self, Requiring { due, meets }: Requiring, abis: &Abis, out: &mut Out) {
        let requirements = requirements_of(&due, abis);
        let query = Query::DepsFound { order: due.order, of: due.of, requirements };
        self.ask(Busy::TellingDeps(meets), query, out);
    }

    /// Begins a look at what a wheel of the index requires, if one is due.
    pub(super) fn look_at_wheel(&mut self, out: &mut Out) -> bool {
        let Some(asked) = self.wheels.pop_front() else { return false };
        let Some(wheel) = asked.due.wheel.clone() else { return false };
        self.busy = Busy::Wheel(Box::new(asked));
        out.gaze(GazeRequest::Wheel(wheel));
        true
    }

    /// What the index's wheel requires. Where nobody can know, the way ends there: the index was asked, and what it does
    /// not say today it does not say tomorrow.
    pub(super) fn wheel_seen(
        &mut self,
        now: Millis,
        mut asked: Requiring,
        wheel: &WheelName,
        news: Result<WheelNews, GazeFailure>,
    ) {
        let reason = match news {
            Err(failure) if failure.everywhere => {
                self.failures.wheel += 1;
                self.wheels.push_front(asked);
                return self.is_away(now, &format!("what {wheel} requires"), &failure);
            }
            Err(failure) => {
                self.failures.wheel += 1;
                failure.reason
            }
            Ok(WheelNews::Unknown(reason)) => reason,
            Ok(WheelNews::Read(lines)) => {
                self.answers(now);
                asked.due.files = vec![(format!("{}-{}-{}", wheel.python, wheel.abi, wheel.platform), lines)];
                return self.deps.push_back(asked);
            }
        };
        self.answers(now);
        log::warn!("{}: what it requires is not known and not followed: {wheel}: {reason}", asked.due.of);
        self.deps.push_back(asked);
    }

    /// The cloud gazer looked a requirement up.
    pub fn looked(&mut self, now: Millis, answer: LookAnswer, out: &mut Out) {
        let Busy::Requirement(due) = std::mem::replace(&mut self.busy, Busy::Resting) else { return };
        match answer {
            LookAnswer::Found(wanted) => {
                self.answers(now);
                self.ask(Busy::Adding(due), Query::AddVersions { wanted, deps: true }, out);
            }
            LookAnswer::Served(wheel) => {
                self.answers(now);
                log::info!(
                    "{}{}, which {} requires: the index has {wheel}",
                    due.package,
                    due.specifiers,
                    due.of
                );
                let served = DepsDue {
                    order: None,
                    package: due.package.clone(),
                    of: format!("{} {}", due.package, wheel.version),
                    extras: due.extras.clone(),
                    files: Vec::new(),
                    wheel: Some(wheel),
                };
                self.wheels.push_front(Requiring { due: served, meets: Some(due) });
            }
            LookAnswer::NotFound(reasons) => {
                let reason = reasons.join("; ");
                log::warn!("{}{}, which {} requires: {reason}", due.package, due.specifiers, due.of);
                self.end(&due, RequirementEnd::Refused(reason), out);
            }
            LookAnswer::Unanswered(failure) => {
                self.failures.requirement += 1;
                self.end(&due, RequirementEnd::Again, out);
                if failure.everywhere {
                    self.is_away(now, "a requirement's page", &failure);
                }
            }
        }
    }

    pub(super) fn end(&mut self, due: &RequirementDue, end: RequirementEnd, out: &mut Out) {
        self.ask(Busy::Ending, Query::RequirementDone { requirement: due.requirement, end }, out);
    }
}

/// Packages that a version's files require on one system at least that the farm builds for, and in which versions.
fn requirements_of(due: &DepsDue, abis: &Abis) -> Vec<Dependency> {
    // mostly all files say the same
    let mut alike: BTreeMap<&[String], Vec<Environment>> = BTreeMap::new();
    for (tags, lines) in &due.files {
        alike.entry(lines).or_default().extend(environments(tags, abis));
    }
    let mut steps = MAX_STEPS;
    let mut wanted = BTreeSet::new();
    let mut refused = BTreeSet::new();
    let mut cut = false;
    for (lines, environments) in alike {
        let mut extras = due.extras.clone();
        let mut found = dependencies(lines, &environments, &extras, &mut steps);
        // it may name itself, with more extras
        while extras.len() < MAX_EXTRAS {
            let own = found.wanted.iter().filter(|needed| needed.package == due.package);
            let more = own.flat_map(|needed| &needed.extras).filter(|extra| !extras.contains(extra));
            let more: BTreeSet<Extra> = more.cloned().collect();
            if more.is_empty() {
                break;
            }
            extras.extend(more);
            let with_more = dependencies(lines, &environments, &extras, &mut steps);
            if with_more.cut {
                cut = true;
                break;
            }
            found = with_more;
        }
        cut |= found.cut;
        refused.extend(found.refused);
        wanted.extend(found.wanted.into_iter().filter(|needed| needed.package != due.package));
    }
    for line in refused.iter().take(REFUSED_SHOWN) {
        log::warn!("{}: a requirement is not followed: {line}", due.of);
    }
    if refused.len() > REFUSED_SHOWN {
        log::warn!("{}: {} more requirements are not followed", due.of, refused.len() - REFUSED_SHOWN);
    }
    if cut || wanted.len() > REQUIREMENTS {
        log::warn!("{}: it requires more than is followed", due.of);
    }
    wanted.into_iter().take(REQUIREMENTS).collect()
}

/// Where a wheel with these tags (`python-abi-platform`, each possibly compressed) is installed, of what the farm builds
/// for; one of an ABI that it does not build for any more, there.
fn environments(tags: &str, abis: &Abis) -> Vec<Environment> {
    let mut parts = tags.splitn(3, '-');
    let (Some(python), Some(abi), Some(platform)) = (parts.next(), parts.next(), parts.next()) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for (tag, platforms) in abis.iter().filter(|(tag, _)| serves(python, abi, tag)) {
        // a wheel for any platform goes where the ABI's slaves are, as far as that is said
        let platforms: Vec<&str> = match platform {
            "any" if !platforms.is_empty() => platforms.iter().map(String::as_str).collect(),
            platform => vec![platform],
        };
        found.extend(platforms.into_iter().map(|platform| Environment::of(tag, platform)));
    }
    if found.is_empty() {
        let own = abi.split('.').filter_map(|abi| AbiTag::parse(abi).ok());
        found.extend(own.map(|abi| Environment::of(&abi, platform)));
    }
    found
}

/// Whether a wheel with these tags is for this ABI's Python (PEP 425, PEP 384).
fn serves(python: &str, abi: &str, tag: &AbiTag) -> bool {
    let (major, minor) = tag.python();
    let of = |python: &str, prefix: &str| {
        let digits = python.strip_prefix(prefix)?;
        let (first, rest) = digits.split_at_checked(1)?;
        let rest = if rest.is_empty() { None } else { Some(rest.parse::<u16>().ok()?) };
        Some((first.parse::<u16>().ok()?, rest))
    };
    let pythons = || python.split('.');
    abi.split('.').any(|abi| match abi {
        "none" => pythons().any(|python| match (of(python, "py"), of(python, "cp")) {
            (Some((wanted, from)), _) => wanted == major && from.is_none_or(|from| from <= minor),
            (None, Some((wanted, exactly))) => {
                wanted == major && exactly.is_none_or(|exactly| exactly == minor)
            }
            (None, None) => false,
        }),
        "abi3" => {
            tag.flags().is_empty()
                && pythons().any(|python| {
                    of(python, "cp").is_some_and(|(wanted, from)| {
                        wanted == major && from.is_none_or(|from| from <= minor)
                    })
                })
        }
        exact => exact == tag.as_str(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::master::testbed::{abi, project};

    fn farm(abis: &[(&str, &[&str])]) -> Abis {
        let platforms = |list: &[&str]| list.iter().map(|p| (*p).to_owned()).collect();
        abis.iter().map(|(tag, list)| (abi(tag), platforms(list))).collect()
    }

    fn of(files: &[(&str, &[&str])], abis: &Abis) -> Vec<String> {
        with_extras(files, abis, &[])
    }

    fn with_extras(files: &[(&str, &[&str])], abis: &Abis, extras: &[&str]) -> Vec<String> {
        let lines = |list: &[&str]| list.iter().map(|line| (*line).to_owned()).collect();
        let due = DepsDue {
            order: None,
            extras: extras.iter().map(|name| Extra::parse(name).unwrap()).collect(),
            package: project("me"),
            of: "me 1.0".to_owned(),
            files: files.iter().map(|(tags, list)| ((*tags).to_owned(), lines(list))).collect(),
            wheel: None,
        };
        let show = |needed: Dependency| {
            let extras: Vec<&str> = needed.extras.iter().map(Extra::as_str).collect();
            let extras = if extras.is_empty() { String::new() } else { format!("[{}]", extras.join(",")) };
            format!("{}{extras}{}", needed.package, needed.specifiers)
        };
        requirements_of(&due, abis).into_iter().map(show).collect()
    }

    #[test]
    fn a_wheel_is_for_the_pythons_that_its_tags_name() {
        for (python, abi3, tag, expected) in [
            ("cp311", "cp311", "cp311", true),
            ("cp311", "cp311", "cp312", false),
            ("cp313", "cp313t", "cp313t", true),
            ("cp39", "abi3", "cp311", true),
            ("cp312", "abi3", "cp311", false),
            ("cp39", "abi3", "cp313t", false),
            ("py3", "none", "cp311", true),
            ("py2.py3", "none", "cp313t", true),
            ("py2", "none", "cp311", false),
            ("py310", "none", "cp39", false),
            ("py310", "none", "cp311", true),
            ("cp311", "none", "cp311", true),
            ("cp311", "none", "cp312", false),
            ("py", "none", "cp311", false),
            ("pyé", "none", "cp311", false),
        ] {
            assert_eq!(serves(python, abi3, &abi(tag)), expected, "{python}-{abi3} {tag}");
        }
    }

    #[test]
    fn markers_are_asked_of_the_systems_that_each_file_is_for() {
        let abis = farm(&[("cp39", &[]), ("cp311", &["linux_armv7l"])]);
        let lines: &[&str] = &[
            "always>=1",
            "old; python_version < '3.10'",
            "new; python_version >= '3.10'",
            "win; sys_platform == 'win32'",
            "more; extra == 'more'",
            "arm; platform_machine == 'armv7l' and python_version >= '3.10'",
            "intel; platform_machine == 'x86_64' and python_version >= '3.10'",
            "me",
        ];
        let both = ["always>=1", "arm", "new", "old"];
        assert_eq!(of(&[("py3-none-any", lines)], &abis), both);
        assert_eq!(of(&[("cp311-cp311-linux_armv7l", lines)], &abis), ["always>=1", "arm", "new"]);
        assert_eq!(of(&[("cp39-cp39-linux_armv7l", lines)], &abis), ["always>=1", "old"]);
        assert_eq!(of(&[("cp39-abi3-linux_armv7l", lines)], &abis), both);
        assert_eq!(of(&[("cp37-cp37m-linux_armv7l", lines)], &abis), ["always>=1", "old"], "not any more");
        assert_eq!(of(&[("py2-none-any", lines)], &abis), [""; 0]);
        let files: &[(&str, &[&str])] =
            &[("cp39-cp39-linux_armv7l", &["a", "b>=1"]), ("cp311-cp311-linux_armv7l", &["a", "b>=2"])];
        assert_eq!(of(files, &abis), ["a", "b>=1", "b>=2"], "each once");
    }

    #[test]
    fn extras_bring_what_they_require_through_the_package_itself_too() {
        let abis = farm(&[("cp311", &[])]);
        let lines: &[&str] = &[
            "always",
            "a; extra == 'a'",
            "b[deep]>=1; extra == 'b'",
            "me[a,b]; extra == 'all'",
            "me[all]; extra == 'everything'",
        ];
        let files: &[(&str, &[&str])] = &[("py3-none-any", lines)];
        assert_eq!(with_extras(files, &abis, &[]), ["always"]);
        assert_eq!(with_extras(files, &abis, &["b"]), ["always", "b[deep]>=1"]);
        assert_eq!(with_extras(files, &abis, &["everything"]), ["a", "always", "b[deep]>=1"]);
    }

    #[test]
    fn what_one_version_costs_is_bounded_however_many_files_and_extras_it_has() {
        let extras: Vec<String> = (0..1000)
            .map(|n| format!("me[x{}]; extra == 'x{n}' or {}", n + 1, ["os_name == 'nt'"; 40].join(" or ")))
            .collect();
        let files: Vec<Vec<&str>> =
            (0..60).map(|n| extras.iter().skip(n).map(String::as_str).chain(["late"]).collect()).collect();
        let files: Vec<(&str, &[&str])> =
            files.iter().map(|file| ("py3-none-any", file.as_slice())).collect();
        assert_eq!(with_extras(&files, &farm(&[("cp311", &[])]), &["x0"]), ["late"], "and no more");
    }

    #[test]
    fn what_one_version_requires_is_bounded() {
        let lines: Vec<String> = (0..400).map(|n| format!("p{n}")).collect();
        let lines: Vec<Vec<String>> =
            (0..6).map(|file| lines.iter().map(|line| format!("{line}-{file}")).collect()).collect();
        let lines: Vec<Vec<&str>> =
            lines.iter().map(|file| file.iter().map(String::as_str).collect()).collect();
        let files: Vec<(&str, &[&str])> =
            lines.iter().map(|file| ("py3-none-any", file.as_slice())).collect();
        assert_eq!(of(&files, &farm(&[("cp311", &[])])).len(), REQUIREMENTS);
    }
}
