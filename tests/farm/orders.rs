//! Orders about policies and the queue, from the command line to the slaves: what each does to the queue, what `piw why`
//! says of it then, and that a bad one loses nothing.

use serde_json::Value;

use crate::kit::farm::{Farm, abi_of, python, text};
use crate::kit::peer::Peer;
use crate::kit::sdist::Recipe;
use crate::kit::wait::until;

/// Runs `piw`, which must end so; what it printed.
fn ends(farm: &Farm, arguments: &[&str], code: i32) -> String {
    let output = farm.piw_command(arguments).output().unwrap();
    let said = text(&output);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}\n{}", farm.logs());
    said
}

/// What waits.
fn queued(farm: &Farm) -> i64 {
    farm.count("SELECT count(*) FROM piw.queue")
}

/// A farm with these packages on its list.
fn farm_with(abis: &[&str], packages: &[(&'static str, &'static str)]) -> Farm {
    let farm = Farm::start(abis, &[]);
    for (name, version) in packages {
        farm.index.offer(&Recipe::native(name, version));
        farm.piw(&["add", &format!("{name}=={version}")]);
    }
    farm
}

/// Waits until `piw why` says something.
fn wait_for_words(farm: &Farm, package: &str, words: &str) -> String {
    until(
        &format!("{words:?} of {package}"),
        || format!("{}\n{}", text(&farm.piw_command(&["why", package]).output().unwrap()), farm.logs()),
        || {
            let said = text(&farm.piw_command(&["why", package]).output().unwrap());
            said.contains(words).then_some(said)
        },
    )
}

#[test]
fn what_is_skipped_waits_for_nothing_and_comes_back() {
    let farm = farm_with(&["cp39", "cp311"], &[("foo", "1.0"), ("foo", "2.0"), ("bar", "1.0")]);
    assert_eq!(farm.piw(&["skip", "Foo", "--reason", "too big"]), "foo: skipped: too big\n");
    assert_eq!(queued(&farm), 1);
    assert_eq!(farm.piw(&["why", "foo"]), "foo: every version is skipped: too big\n");
    assert_eq!(
        farm.piw(&["why", "bar"]),
        "bar 1.0 for cp39: queued at place 1\nbar 1.0 for cp311: waits for the ABI before it\n"
    );
    assert_eq!(farm.piw(&["skip", "foo", "--reason", "too big"]), "foo: was skipped already: too big\n");
    let said = ends(&farm, &["add", "foo==1.0"], 0);
    assert!(said.contains("foo 1.0: is not built: the package is skipped: too big"), "{said}");
    assert_eq!(farm.piw(&["unskip", "foo"]), "foo: skipped no more\n");
    assert_eq!(queued(&farm), 3);
    assert_eq!(farm.piw(&["unskip", "foo"]), "foo: was not skipped\n");

    assert_eq!(farm.piw(&["skip", "foo==2.0.0", "--reason", "broken"]), "foo 2.0: skipped: broken\n");
    assert_eq!(farm.piw(&["why", "foo==2.0"]), "foo 2.0: not built: skipped: broken\n");
    assert!(farm.piw(&["why", "foo==1.0"]).starts_with("foo 1.0 for cp39: queued at place 1\n"));

    assert_eq!(
        farm.piw(&["skip", "foo", "--abi", "cp39", "--reason", "old"]),
        "foo for cp39: skipped: old\n"
    );
    assert_eq!(
        farm.piw(&["why", "foo==1.0"]),
        "foo 1.0 for cp39: not built for it: the package is skipped for this ABI: old\n\
         foo 1.0 for cp311: queued at place 1\n"
    );
    let list = farm.piw(&["policy"]);
    assert!(list.contains("skipped  foo for cp39: old\nskipped  foo 2.0: broken\n"), "{list}");

    // what is not known yet is skipped when it comes
    let said = farm.piw(&["skip", "later", "--reason", "no"]);
    assert_eq!(said, "later: skipped: no\nthe farm did not know it; it is skipped when it comes\n");
    farm.index.offer(&Recipe::native("later", "1.0"));
    assert!(farm.piw(&["add", "later"]).contains("later 1.0: is not built: the package is skipped: no"));
    let answer: Value = serde_json::from_str(&farm.piw(&["unskip", "foo==2.0", "--json"])).unwrap();
    assert_eq!(answer["changed"], true);
    farm.audit();
}

#[test]
fn what_is_being_built_of_a_skipped_package_is_cancelled() {
    let farm = farm_with(&["cp311"], &[("foo", "1.0")]);
    let mut slave = Peer::slave(farm.slave_port, "board", None);
    let (token, _) = slave.take_job();
    let said = farm.piw(&["why", "foo"]);
    assert!(
        said.starts_with(&format!(
            "foo 1.0 for cp311: is being built by board (build {}), attempt 1, since 20",
            token.build.0
        )),
        "{said}"
    );
    let said = farm.piw(&["skip", "foo", "--reason", "too big"]);
    assert_eq!(said, "foo: skipped: too big\n1 build of it is being cancelled\n");
    assert_eq!(slave.hear_cancel(), token.build);
}

#[test]
fn blocked_names_are_not_built_until_they_are_blocked_no_more() {
    let farm = farm_with(&["cp311"], &[("odoo-a", "1.0"), ("odoo-b", "1.0"), ("other", "1.0")]);
    let said = farm.piw(&["block", "Odoo_*", "--reason", "not ours"]);
    assert_eq!(said, "odoo-*: blocked: not ours; 2 packages that the farm knows are called so\n");
    assert_eq!(queued(&farm), 1);
    assert_eq!(farm.piw(&["why", "odoo-a"]), "odoo-a 1.0: not built: the name is blocked: not ours\n");
    assert_eq!(
        farm.piw(&["block", "odoo-*", "--reason", "not ours"]),
        "odoo-*: was blocked already: not ours\n"
    );
    farm.index.offer(&Recipe::native("odoo-new", "1.0"));
    assert!(farm.piw(&["add", "odoo-new"]).contains("is not built: the name is blocked: not ours"));
    assert!(farm.piw(&["policy"]).contains("blocked  odoo-*: not ours\n"));
    let said = farm.piw(&["unblock", "odoo-*"]);
    assert_eq!(said, "odoo-*: blocked no more; 3 packages that the farm knows are called so\n");
    assert_eq!(queued(&farm), 4);
    assert!(farm.piw(&["unblock", "odoo-*"]).starts_with("odoo-*: was not blocked"));
    farm.audit();
}

#[test]
fn policies_are_shown_set_and_given_up_and_versions_follow_them() {
    let farm = farm_with(&["cp311"], &[]);
    assert_eq!(
        farm.piw(&["policy"]),
        "aliases = none (a list of PLATFORM=ALIAS with commas between them; default: none)\n\
         cooldown = 0 (a number of seconds; default: 0)\nprereleases = last (last, skip; default: last)\n\
         wheels = pure (pure, any, none; default: pure)\n"
    );
    farm.index.offer(&Recipe::pure("served", "1.0"));
    farm.index.offer_wheel("served", "served-1.0-py3-none-any.whl");
    farm.piw(&["add", "served"]);
    assert_eq!(
        farm.piw(&["why", "served"]),
        "served 1.0: not built: the index has a wheel for every Python and platform: served-1.0-py3-none-any.whl\n"
    );
    let said = farm.piw(&["policy", "wheels", "none", "--reason", "we build all"]);
    assert_eq!(said, "wheels: none\nversions are judged by it in pieces, while it builds\n");
    wait_for_words(&farm, "served", "queued at place 1");
    let said = farm.piw(&["policy", "wheels"]);
    assert!(said.starts_with("wheels = none (pure, any, none; default: pure), set 20"), "{said}");
    assert!(said.ends_with("Z: we build all\n"), "{said}");
    assert_eq!(
        farm.piw(&["policy", "wheels", "none", "--reason", "we build all"]),
        "wheels: was none already\n"
    );
    let said = farm.piw(&["policy", "wheels", "default"]);
    assert!(said.starts_with("wheels: pure, which holds where none is set\n"), "{said}");
    wait_for_words(&farm, "served", "not built: the index has a wheel");
    assert_eq!(farm.piw(&["policy", "cooldown", "3600"]), "cooldown: 3600\n");
    farm.audit();
}

#[test]
fn a_retired_abi_hands_on_what_waits_and_is_taken_up_again() {
    let farm = farm_with(&["cp39", "cp311"], &[("foo", "1.0")]);
    let said = farm.piw(&["abi", "retire", "cp39", "--reason", "its board is gone"]);
    assert_eq!(
        said,
        "cp39: retired: its board is gone; what waits for it goes on to the next ABI in pieces\n"
    );
    let said = wait_for_words(&farm, "foo", "foo 1.0 for cp311: queued at place 1\n");
    let off =
        "foo 1.0 for cp39: not built for it: nothing is built for this ABI any more: its board is gone\n";
    assert!(said.starts_with(off), "{said}");
    assert!(farm.piw(&["abi", "list"]).contains("not built for any more: its board is gone"));
    let again = farm.piw(&["abi", "retire", "cp39", "--reason", "its board is gone"]);
    assert_eq!(again, "cp39: was retired already: its board is gone\n");
    assert!(farm.piw(&["abi", "add", "cp39"]).starts_with("cp39: added"));
    wait_for_words(&farm, "foo", "foo 1.0 for cp39: waits");
    farm.audit();
}

#[test]
fn a_failed_build_says_how_it_is_made_again_and_is() {
    let abi = abi_of(&python());
    let farm = Farm::start(&[&abi], &[]);
    farm.index.offer(&Recipe::failing("sad", "1.0"));
    farm.index.offer(&Recipe::native("glad", "1.0"));
    farm.piw(&["add", "sad", "glad"]);
    let slave = farm.start_slave("board");
    farm.wait_for_state("sad", &abi, "failed");
    farm.wait_for_state("glad", &abi, "built");
    slave.kill();
    let said = farm.piw(&["why", "sad"]);
    assert!(said.starts_with(&format!("sad 1.0 for {abi}: failed after ")), "{said}");
    assert!(said.contains(" on board, attempt 1, 20"), "{said}");
    let command = format!("not tried again by itself: piw requeue sad==1.0 --abi {abi}\n");
    assert!(said.ends_with(&command), "{said}");

    let nothing = "nothing to make again: no failed attempt fits\n";
    assert_eq!(farm.piw(&["requeue", "sad", "--class", "network"]), nothing);
    assert_eq!(
        farm.piw(&["requeue", "glad"]),
        format!("{nothing}1 version built already; what is published stays\n")
    );
    assert_eq!(queued(&farm), 0);
    let said = farm.piw(&["requeue", "sad==1.0", "--abi", &abi]);
    assert_eq!(said, "1 version queued again; 1 attempt taken as never made\n");
    assert_eq!(farm.piw(&["why", "sad"]), format!("sad 1.0 for {abi}: queued at place 1\n"));
    assert_eq!(farm.piw(&["requeue", "sad"]), nothing);
    farm.audit();

    // and fails again; by its class this time, and it says what is in the way
    let _slave = farm.start_slave("other");
    farm.wait_for_state("sad", &abi, "failed");
    farm.piw(&["skip", "sad", "--reason", "hopeless"]);
    let said = farm.piw(&["requeue", "--class", "failed"]);
    assert!(said.contains("sad 1.0: is not queued: the package is skipped: hopeless"), "{said}");
    farm.piw(&["unskip", "sad"]);
    farm.wait_for_state("sad", &abi, "failed");
    let answer: Value = serde_json::from_str(&farm.piw(&["requeue", "--abi", &abi, "--json"])).unwrap();
    assert_eq!((&answer["versions"], &answer["attempts"]), (&1.into(), &1.into()), "{answer}");
}

#[test]
fn statistics_are_true_after_two_builds_and_a_failure_and_an_audit_mends_a_counter() {
    let abi = abi_of(&python());
    let farm = Farm::start(&[&abi], &[]);
    for recipe in [Recipe::native("one", "1.0"), Recipe::native("two", "1.0"), Recipe::failing("sad", "1.0")]
    {
        farm.index.offer(&recipe);
        farm.piw(&["add", recipe.name]);
    }
    let slave = farm.start_slave("board");
    for (package, state) in [("one", "built"), ("two", "built"), ("sad", "failed")] {
        farm.wait_for_state(package, &abi, state);
    }
    farm.crawl();
    slave.kill();
    farm.index.offer(&Recipe::native("three", "1.0"));
    farm.piw(&["add", "three"]);
    let stats: Value = serde_json::from_str(&farm.piw(&["stats", "--json"])).unwrap();
    for (key, value) in [
        ("packages_count", 4),
        ("packages_built", 2),
        ("versions_count", 4),
        ("versions_tried", 3),
        ("builds_count", 3),
        ("builds_success", 2),
        ("builds_last_hour", 3),
        ("files_count", 2),
        ("downloads_last_month", 0),
        ("queued", 1),
        ("unchecked", 0),
        ("delayed", 0),
        ("leased", 0),
    ] {
        assert_eq!(stats[key], value, "{key}: {stats}");
    }
    assert_eq!(stats["builds_size"], farm.count("SELECT sum(size)::bigint FROM piw.file"));
    assert_eq!(stats["builds_time"], farm.count("SELECT sum(duration_ms)::bigint FROM piw.build"));
    let said = farm.piw(&["stats"]);
    assert!(said.contains("builds     3 attempted, 2 succeeded, 3 in the last hour, "), "{said}");
    assert!(said.contains("jobs       1 queued, "), "{said}");
    assert!(
        stats["disk_free"].as_u64().unwrap() > 0
            && stats["disk_size"].as_u64() >= stats["disk_free"].as_u64()
    );
    assert!(said.contains(" bytes free of "), "{said}");

    assert!(farm.piw(&["audit"]).starts_with("in order: "));
    farm.execute("INSERT INTO piw.stat_delta (kind, n, amount) VALUES ('build:built', 5, 0)");
    let said = ends(&farm, &["audit"], 1);
    assert!(said.contains("differs: the counter build:built is 7 and not 2\n"), "{said}");
    assert!(said.ends_with("piw: 1 difference; 'piw audit --fix' mends what can be mended\n"), "{said}");
    let said = farm.piw(&["audit", "--fix"]);
    assert!(
        said.starts_with("mended: the counter build:built is 7 and not 2\nmended: 1 difference; "),
        "{said}"
    );
    let answer: Value = serde_json::from_str(&farm.piw(&["audit", "--json"])).unwrap();
    assert_eq!((&answer["report"]["found"], &answer["report"]["left"]), (&0.into(), &0.into()));
    let stats: Value = serde_json::from_str(&farm.piw(&["stats", "--json"])).unwrap();
    assert_eq!(stats["builds_success"], 2);
    farm.audit();
}

#[test]
fn why_tells_a_yank_a_quarantine_and_a_page_that_is_still_to_be_read() {
    let farm = Farm::start(&["cp311"], &["--follow-every", "10s", "--removal-patience", "1s"]);
    for name in ["taken", "evil", "gone"] {
        farm.index.offer(&Recipe::native(name, "1.0"));
    }
    farm.index.yank("taken-1.0.tar.gz", "broken");
    farm.piw(&["add", "taken==1.0", "evil", "gone"]);
    let said = farm.piw(&["why", "taken"]);
    assert!(said.starts_with("taken 1.0: yanked, and asked for all the same: broken\n"), "{said}");
    assert!(said.contains("taken 1.0 for cp311: queued at place 1\n"), "{said}");
    farm.piw(&["pause"]);
    // as one that a new release brought, whose page nobody has read yet
    farm.execute("UPDATE piw.vstate SET checked = false; UPDATE piw.queue SET ready = false");
    let said = farm.piw(&["why", "evil"]);
    assert!(
        said.contains("; not checked yet: its page on the index is read before it is handed out\n"),
        "{said}"
    );
    farm.index.set_status("evil", "quarantined");
    farm.index.withdraw("gone", "gone-1.0.tar.gz");
    farm.piw(&["resume"]);
    wait_for_words(&farm, "evil", "evil 1.0: not built: the index has put the project under quarantine");
    wait_for_words(&farm, "taken", "taken 1.0 for cp311: queued at place 1\n");
    wait_for_words(&farm, "gone", "gone 1.0: not built: the index has ");
    let feed = farm.piw(&["feed"]);
    assert!(feed.starts_with("mode       list: the pages of what people asked for\n"), "{feed}");
    assert!(feed.contains("\nwishes     3 that new releases are held against\n"), "{feed}");
    assert!(feed.ends_with("\ntrouble    none\n"), "{feed}");
    let feed: Value = serde_json::from_str(&farm.piw(&["feed", "--json"])).unwrap();
    assert_eq!((&feed["mode"], &feed["trouble"]), (&"list".into(), &Value::Null));
}

#[test]
fn a_bad_order_is_refused_with_a_reason_and_loses_nothing() {
    let farm = farm_with(&["cp311"], &[("foo", "1.0")]);
    let state = "SELECT string_agg(t.row, E'\\n' ORDER BY t.row) FROM (
        SELECT 'p' || to_jsonb(p)::text AS row FROM piw.package p UNION ALL SELECT 'v' || to_jsonb(v)::text FROM piw.version v
        UNION ALL SELECT 's' || to_jsonb(s)::text FROM piw.vstate s UNION ALL SELECT 'q' || to_jsonb(q)::text FROM piw.queue q
        UNION ALL SELECT 'a' || to_jsonb(a)::text FROM piw.abi a UNION ALL SELECT 'b' || to_jsonb(b)::text FROM piw.block b
        UNION ALL SELECT 'o' || to_jsonb(o)::text FROM piw.policy o UNION ALL SELECT 'k' || to_jsonb(k)::text FROM piw.skip_abi k
    ) AS t";
    // the follower reads a page that was asked for, which moves its moments
    until(
        "a look at the page",
        || farm.logs(),
        || (farm.count("SELECT count(*) FROM piw.package WHERE read_at IS NULL") == 0).then_some(()),
    );
    let before = farm.look(state);
    let endless = "x".repeat(1001);
    for arguments in [
        &["skip", "foo"][..],
        &["skip", "--reason", "x"],
        &["skip", "foo", "--reason", ""],
        &["skip", "foo", "--reason", &endless],
        &["skip", "foo>1", "--reason", "x"],
        &["skip", "foo==1.*", "--reason", "x"],
        &["skip", "foo==1.0", "--abi", "cp311", "--reason", "x"],
        &["skip", "foo", "--abi", "python3", "--reason", "x"],
        &["skip", "--abi", "cp311", "--reason", "x"],
        &["unskip"],
        &["unskip", "foo==1.0", "--abi", "cp311"],
        &["block", "foo"],
        &["block", "*", "--reason", "x"],
        &["block", "f o", "--reason", "x"],
        &["unblock", "-"],
        &["policy", "cooldown", "--reason", "x"],
        &["policy", "cooldown", &endless],
        &["abi", "retire", "cp311"],
        &["abi", "retire", "python3", "--reason", "x"],
        &["requeue"],
        &["requeue", "--json"],
        &["requeue", "foo==x"],
        &["requeue", "foo", "--class", "superseded"],
        &["requeue", "--class", "built"],
        &["requeue", "--abi", ""],
        &["why", "foo>1"],
        &["why", "foo==x"],
        &["audit", "foo"],
    ] {
        let said = ends(&farm, arguments, 2);
        assert!(said.lines().count() >= 1, "{arguments:?} says nothing");
    }
    for (arguments, words) in [
        (&["skip", "nonesuch==1.0", "--reason", "x"][..], "piw: nonesuch is not known to this farm\n"),
        (
            &["skip", "foo==9", "--reason", "x"],
            "piw: this farm does not know that version of foo; 'piw why foo' lists",
        ),
        (
            &["skip", "foo", "--abi", "cp39", "--reason", "x"],
            "piw: this farm has no ABI \"cp39\"; 'piw abi list'",
        ),
        (&["unskip", "nonesuch"], "piw: nonesuch is not known to this farm\n"),
        (&["requeue", "nonesuch"], "piw: nonesuch is not known to this farm\n"),
        (&["requeue", "foo==9"], "piw: this farm does not know that version of foo"),
        (&["requeue", "--abi", "cp39"], "piw: this farm has no ABI \"cp39\""),
        (&["abi", "retire", "cp39", "--reason", "x"], "piw: this farm has no ABI \"cp39\""),
        (
            &["policy", "colour", "red"],
            "piw: no policy is called \"colour\"; there are aliases, cooldown, prereleases, wheels\n",
        ),
        (
            &["policy", "colour"],
            "piw: no policy is called \"colour\"; there are aliases, cooldown, prereleases, wheels\n",
        ),
        (&["policy", "wheels", "some"], "piw: the policy wheels is one of pure, any, none, not \"some\"\n"),
        (&["policy", "aliases", "linux_armv6l"], "piw: the policy aliases is a list of PLATFORM=ALIAS"),
        (&["policy", "cooldown", "soon"], "piw: the policy cooldown is a number of seconds up to 2592000"),
        (&["why", "nonesuch"], "piw: nonesuch: not on this farm's list"),
        (&["why", "foo==9"], "piw: foo==9: not on this farm's list"),
    ] {
        let said = ends(&farm, arguments, 1);
        assert!(said.contains(words), "{arguments:?}: {said}");
        let orders = !matches!(arguments, ["why", ..] | ["policy", _]);
        assert_eq!(orders, said.ends_with("piw: nothing was changed\n"), "{arguments:?}: {said}");
    }
    assert_eq!(farm.look(state), before, "a refused order changed something");
    assert!(farm.piw(&["why", "foo"]).ends_with("queued at place 1\n"));
    farm.audit();
}
