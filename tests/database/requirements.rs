//! What the versions that somebody asked for require: worked out when there is something to read, looked up once.

use piwheels::domain::WheelName;
use piwheels::domain::dependencies::Dependency;
use piwheels::domain::requirement::Extra;
use piwheels::master::query::{
    Answer, DepsDue, FileRecord, Outcome, Query, RequirementDue, RequirementEnd, Wanted,
};

use crate::farm::{Farm, name, wanted, wheel};
use crate::index::{now, release};

const PURE: &str = "foo-1.0-py3-none-any.whl";

fn extras(names: &[&str]) -> Vec<Extra> {
    names.iter().map(|name| Extra::parse(name).unwrap()).collect()
}

pub(crate) fn needed(package: &str, specifiers: &str, names: &[&str]) -> Dependency {
    Dependency { package: name(package), specifiers: specifiers.to_owned(), extras: extras(names) }
}

impl Farm {
    fn add_with_deps(&mut self, wanted: Wanted) {
        self.ask(&Query::AddVersions { wanted: vec![wanted], deps: true });
    }

    fn deps_due(&mut self) -> Vec<DepsDue> {
        let Answer::DepsDue(due) = self.ask(&Query::DepsDue(16)) else { panic!() };
        due
    }

    fn deps_found(&mut self, due: &DepsDue, requirements: Vec<Dependency>) {
        let query = Query::DepsFound { order: due.order, of: due.of.clone(), requirements };
        assert!(matches!(self.ask(&query), Answer::Noted));
    }

    fn requirements(&mut self) -> Vec<RequirementDue> {
        let Answer::RequirementsDue(due) = self.ask(&Query::RequirementsDue(16)) else { panic!() };
        due
    }

    fn requirement_names(&mut self) -> Vec<String> {
        self.requirements().iter().map(|due| format!("{}{}", due.package, due.specifiers)).collect()
    }

    fn end(&mut self, due: &RequirementDue, end: RequirementEnd) {
        let query = Query::RequirementDone { requirement: due.requirement, end };
        assert!(matches!(self.ask(&query), Answer::Noted));
    }

    /// Lets so much time pass for requirements.
    fn later(&mut self, interval: &str) {
        self.execute(&format!(
            "UPDATE piw.requirement SET due = due - interval '{interval}', met_at = met_at - interval '{interval}'"
        ));
    }
}

#[test]
fn requirements_of_built_files_are_due_where_they_are_wanted() {
    let mut farm = Farm::with_abis(&["cp311"]);
    farm.add("bar", "1.0");
    farm.add_with_deps(Wanted { extras: extras(&["x", "a-b"]), ..wanted("foo", "1.0") });
    for package in ["bar", "foo"] {
        assert!(farm.deps_due().is_empty(), "nothing is built yet");
        let job = farm.job("cp311");
        assert_eq!(job.package.as_str(), package);
        let lines = vec!["one>=1".to_owned(), "two; os_name == 'nt'".to_owned()];
        let file = FileRecord { requires_dist: lines, ..wheel(&job, "cp311", "cp311") };
        farm.log(&job, Outcome::Built, vec![file]);
    }
    let due = farm.deps_due();
    assert_eq!(due.len(), 1, "nobody wants those of bar: {due:?}");
    assert_eq!((due[0].of.as_str(), due[0].package.as_str()), ("foo 1.0", "foo"));
    assert_eq!((&due[0].wheel, &due[0].extras), (&None, &extras(&["a-b", "x"])));
    let lines = ["one>=1".to_owned(), "two; os_name == 'nt'".to_owned()];
    assert_eq!(due[0].files, [("cp311-cp311-linux_armv7l".to_owned(), lines.to_vec())]);
    farm.deps_found(&due[0], vec![needed("one", ">=1", &["fast"]), needed("one", ">=1", &[])]);
    assert!(farm.deps_due().is_empty());
    let found = farm.requirements();
    let found: Vec<_> = found.iter().map(|due| (due.package.as_str(), due.extras.len())).collect();
    assert_eq!(found, [("one", 0), ("one", 1)]);
}

#[test]
fn what_is_wanted_while_it_is_worked_out_is_due_again() {
    let mut farm = Farm::with_abis(&["cp311"]);
    farm.add_with_deps(wanted("foo", "1.0"));
    let job = farm.job("cp311");
    farm.built(&job, &[("cp311", "cp311")]);
    let due = farm.deps_due();
    farm.add_with_deps(Wanted { extras: extras(&["x"]), ..wanted("foo", "1.0") });
    farm.deps_found(&due[0], Vec::new());
    let due = farm.deps_due();
    assert_eq!(due[0].extras, extras(&["x"]), "what was worked out was not all");
    farm.deps_found(&due[0], Vec::new());
    assert!(farm.deps_due().is_empty());
}

#[test]
fn where_the_index_has_a_wheel_for_everybody_that_says_what_is_required() {
    let mut farm = Farm::with_abis(&["cp311"]);
    let pure = || Some(PURE.to_owned());
    farm.add_with_deps(Wanted { pure: pure(), ..wanted("foo", "1.0") });
    let due = farm.deps_due();
    assert_eq!(due[0].wheel.as_ref().map(WheelName::as_str), Some(PURE));
    assert_eq!(due[0].files, []);
    farm.deps_found(&due[0], Vec::new());
    // one that appears while the version waits to be built
    farm.add_with_deps(wanted("bar", "1.0"));
    assert!(farm.deps_due().is_empty());
    let appeared = || {
        let mut appeared = release("1.0");
        appeared.pure = Some("bar-1.0-py3-none-any.whl".to_owned());
        vec![appeared]
    };
    farm.releases("bar", appeared());
    let due = farm.deps_due();
    assert_eq!(due.len(), 1);
    assert!(due[0].wheel.is_some(), "{due:?}");
    farm.deps_found(&due[0], Vec::new());
    farm.releases("bar", appeared());
    assert!(farm.deps_due().is_empty(), "it was on the page before");
    // nobody wants those of others
    farm.add_all(vec![Wanted { pure: pure(), ..wanted("baz", "1.0") }]);
    assert!(farm.deps_due().is_empty());
}

#[test]
fn new_releases_of_what_is_wished_for_with_its_requirements_bring_theirs() {
    let mut farm = Farm::with_abis(&["cp311"]);
    farm.add_with_deps(Wanted { specifiers: Some(String::new()), ..wanted("foo", "1.0") });
    farm.add_all(vec![Wanted { specifiers: Some(String::new()), ..wanted("bar", "1.0") }]);
    for package in ["foo", "bar"] {
        let (mut served, mut built) = (release("1.1"), release("1.2"));
        served.pure = Some(format!("{package}-1.1-py3-none-any.whl"));
        built.released = Some(now());
        farm.releases(package, vec![release("1.0"), served, built]);
    }
    let due = farm.deps_due();
    assert_eq!(due.iter().map(|due| due.of.as_str()).collect::<Vec<_>>(), ["foo 1.1"]);
    let wants = "SELECT p.name || ' ' || v.version FROM piw.vstate s JOIN piw.version v USING (ver_id)
                 JOIN piw.package p USING (pkg_id) WHERE s.deps ORDER BY 1";
    assert_eq!(farm.texts(wants), ["foo 1.0", "foo 1.1", "foo 1.2"]);
}

#[test]
fn a_requirement_is_looked_up_once_a_day_and_one_that_cannot_be_met_when_it_is_found_again() {
    let mut farm = Farm::with_abis(&["cp311"]);
    let of = DepsDue {
        order: None,
        package: name("foo"),
        of: "foo 1.0".to_owned(),
        extras: Vec::new(),
        files: Vec::new(),
        wheel: None,
    };
    let find = |farm: &mut Farm| {
        farm.deps_found(
            &of,
            vec![needed("met", "", &[]), needed("refused", ">=1", &[]), needed("away", "", &[])],
        );
    };
    find(&mut farm);
    for due in farm.requirements() {
        let end = match due.package.as_str() {
            "met" => RequirementEnd::Met,
            "refused" => RequirementEnd::Refused("there is none".to_owned()),
            _ => RequirementEnd::Again,
        };
        farm.end(&due, end);
    }
    find(&mut farm);
    assert_eq!(farm.requirement_names(), [""; 0], "all have an end, or wait");
    let why = farm.why("refused", None).unwrap();
    assert_eq!(
        why["refused"],
        serde_json::json!([{ "specifiers": ">=1", "of": "foo 1.0", "reason": "there is none" }])
    );
    farm.later("2 minutes");
    assert_eq!(farm.requirement_names(), ["away"], "the index is asked again");
    farm.later("1 hour");
    assert_eq!(farm.requirement_names(), ["away"]);
    find(&mut farm);
    let mut names = farm.requirement_names();
    names.sort();
    assert_eq!(names, ["away", "refused>=1"], "the index may have it now");
    assert_eq!(farm.why("refused", None), None);
    farm.later("1 day");
    let away = farm.requirements().into_iter().find(|due| due.package == name("away")).unwrap();
    farm.end(&away, RequirementEnd::Met);
    find(&mut farm);
    assert!(farm.requirement_names().contains(&"met".to_owned()), "a day later");
}
