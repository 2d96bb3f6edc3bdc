//! `piw add --with-deps`: what is asked for is built with everything that it requires here.

use crate::kit::farm::{Farm, abi_of, python, text};
use crate::kit::sdist::Recipe;
use crate::kit::wait::until;

fn farm(abi: &str) -> Farm {
    Farm::start(&[abi], &["--follow", "list", "--follow-every", "10s"])
}

/// Waits until everything that was found is looked up, and nothing waits to be built.
fn wait_for_the_end(farm: &Farm) {
    let open = "SELECT (SELECT count(*) FROM piw.deps_due) + (SELECT count(*) FROM piw.queue) \
                + (SELECT count(*) FROM piw.lease) \
                + (SELECT count(*) FROM piw.requirement r WHERE r.refused IS NULL AND r.met_at IS NULL)";
    until("the closure's end", || farm.logs(), || (farm.count(open) == 0).then_some(()));
}

fn known(farm: &Farm, package: &str) -> bool {
    farm.count(&format!("SELECT count(*) FROM piw.package p WHERE p.name = '{package}'")) == 1
}

#[test]
fn what_is_required_here_is_built_and_what_is_required_elsewhere_is_not() {
    let abi = abi_of(&python());
    let farm = farm(&abi);
    for recipe in [
        Recipe::native("app", "1.0").requiring(&[
            "needed>=1.1",
            "circle",
            "nonesuch>=1 ; sys_platform == \"linux\"",
            "old; python_version < '3'",
            "windows; sys_platform == \"win32\"",
            "option; extra == 'more'",
        ]),
        Recipe::native("needed", "1.0"),
        Recipe::native("needed", "1.2").requiring(&["deep ; python_version >= '3'"]),
        Recipe::pure("deep", "1.0"),
        Recipe::native("circle", "1.0").requiring(&["app", "circle[self]"]),
        Recipe::native("old", "1.0"),
        Recipe::native("windows", "1.0"),
        Recipe::native("option", "1.0"),
    ] {
        farm.index.offer(&recipe);
    }
    farm.piw(&["add", "--with-deps", "app"]);
    let _slave = farm.start_slave("board");
    for package in ["app", "needed", "deep", "circle"] {
        farm.wait_for_state(package, &abi, "built");
    }
    wait_for_the_end(&farm);
    assert_eq!(farm.crawl(), 4);
    for package in ["old", "windows", "option", "nonesuch"] {
        assert!(!known(&farm, package), "{package}");
    }
    assert_eq!(farm.count("SELECT count(*) FROM piw.version"), 4, "of needed, only what was required");
    let log = farm.master().log();
    assert!(log.contains("nonesuch>=1, which app 1.0 requires: nonesuch: no such package"), "{log}");
    let said = farm.piw(&["why", "nonesuch"]);
    assert!(said.contains("nonesuch>=1: required by app 1.0 and not to be had: nonesuch: no such"), "{said}");
    farm.audit();
}

#[test]
fn without_being_asked_nothing_else_is_built() {
    let abi = abi_of(&python());
    let farm = farm(&abi);
    farm.index.offer(&Recipe::native("app", "1.0").requiring(&["needed"]));
    farm.index.offer(&Recipe::native("needed", "1.0"));
    farm.piw(&["add", "app"]);
    let _slave = farm.start_slave("board");
    farm.wait_for_state("app", &abi, "built");
    assert_eq!(farm.count("SELECT count(*) FROM piw.deps_due"), 0);
    assert!(!known(&farm, "needed"));
    // asked for later, what is built already says what it requires
    farm.piw(&["add", "--with-deps", "app"]);
    farm.wait_for_state("needed", &abi, "built");
}

#[test]
fn extras_that_are_asked_for_bring_what_they_require() {
    let abi = abi_of(&python());
    let farm = farm(&abi);
    farm.index.offer(&Recipe::native("app", "1.0").requiring(&["lib[fast]", "big[all]; extra == 'more'"]));
    farm.index
        .offer(&Recipe::native("lib", "1.0").requiring(&["quick; extra == 'fast'", "slow; extra == 'slow'"]));
    farm.index
        .offer(&Recipe::native("big", "1.0").requiring(&["big[a]; extra == 'all'", "deep; extra == 'a'"]));
    for package in ["quick", "slow", "deep"] {
        farm.index.offer(&Recipe::native(package, "1.0"));
    }
    let _slave = farm.start_slave("board");
    farm.piw(&["add", "--with-deps", "app"]);
    farm.wait_for_state("quick", &abi, "built");
    wait_for_the_end(&farm);
    assert!(!known(&farm, "slow") && !known(&farm, "big"));
    farm.piw(&["add", "--with-deps", "app[More]"]);
    farm.wait_for_state("deep", &abi, "built");
    wait_for_the_end(&farm);
    assert!(!known(&farm, "slow"));
    farm.audit();
}

#[test]
fn the_way_goes_on_through_wheels_that_the_index_has_for_everybody() {
    let abi = abi_of(&python());
    let farm = farm(&abi);
    farm.index.offer(&Recipe::native("app", "1.0").requiring(&["served", "silent", "bare"]));
    farm.index.offer(&Recipe::pure("served", "1.0"));
    farm.index.offer_wheel("served", "served-1.0-py3-none-any.whl");
    let requires = ["behind>=1", "circle", "windows; os_name == 'nt'"];
    farm.index.offer_metadata("served", "served-1.0-py3-none-any.whl", &requires);
    farm.index.offer(&Recipe::native("behind", "1.0"));
    farm.index.offer(&Recipe::pure("circle", "1.0"));
    farm.index.offer_wheel("circle", "circle-1.0-py3-none-any.whl");
    farm.index.offer_metadata("circle", "circle-1.0-py3-none-any.whl", &["served", "app"]);
    farm.index.offer(&Recipe::pure("silent", "1.0"));
    farm.index.offer_wheel("silent", "silent-1.0-py3-none-any.whl");
    // without anything to build it from
    farm.index.offer_wheel("bare", "bare-1.0-py3-none-any.whl");
    farm.index.offer_metadata("bare", "bare-1.0-py3-none-any.whl", &["beyond"]);
    farm.index.offer(&Recipe::native("beyond", "1.0"));
    farm.index.offer(&Recipe::native("windows", "1.0"));
    let _slave = farm.start_slave("board");
    // the index serves what is asked for itself: nothing of it is built, and what it requires is
    let said = text(&farm.piw_command(&["add", "--with-deps", "served"]).output().unwrap());
    assert!(said.contains("is not built"), "{said}");
    farm.wait_for_state("behind", &abi, "built");
    farm.wait_for_state("app", &abi, "built");
    farm.wait_for_state("beyond", &abi, "built");
    wait_for_the_end(&farm);
    assert_eq!(farm.crawl(), 3);
    assert!(!known(&farm, "windows") && !known(&farm, "bare"));
    assert_eq!(
        farm.index.asked("/files/circle-1.0-py3-none-any.whl.metadata"),
        1,
        "a circle comes to an end"
    );
    let log = farm.master().log();
    assert!(log.contains("silent 1.0: what it requires is not known and not followed"), "{log}");
    farm.audit();
}
