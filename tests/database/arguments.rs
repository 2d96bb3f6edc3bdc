//! Arguments that make no sense are refused by the functions themselves, with a word on what is wrong.

use piwheels::domain::BuildId;
use piwheels::master::query::{FileRecord, Outcome, Query};
use postgres::error::SqlState;

use crate::farm::{Farm, abi, record, secret, wheel};

#[test]
fn nulls_and_nonsense_are_refused_by_every_function() {
    let mut farm = Farm::with_abis(&["cp39"]);
    let secret = "'\\x000102030405060708090a0b0c0d0e0f'";
    let no_files = ["'{}'"; 9].join(", ");
    let none = format!("{no_files}, NULL");
    let endless = "jsonb_build_object('machine', repeat('x', 65536))";
    let no_releases = ["'{}'"; 10].join(", ");
    let no_events = ["'{}'"; 9].join(", ");
    let one = "ARRAY[repeat('x', 32)::bytea]";
    for (call, word) in [
        ("add_abi(NULL, 1::smallint, '{}')".to_owned(), "not an ABI"),
        ("add_abi('abi3', 1::smallint, '{}')".to_owned(), "not an ABI"),
        ("add_abi('cp311', NULL, '{}')".to_owned(), "rank"),
        ("add_abi('cp311', '-1', '{}')".to_owned(), "rank"),
        ("add_versions(NULL, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', false)".to_owned(), "5,000"),
        ("add_versions('{a}', '{}', '{1}', '{x}', '{1}', '{a}', '{t}', '{f}', '{1}', '{a}', '{a}', '{a}', '{a}', false)".to_owned(), "different lengths"),
        ("add_versions('{a}', NULL, '{1}', '{x}', '{1}', '{a}', '{t}', '{f}', '{1}', '{a}', '{a}', '{a}', '{a}', false)".to_owned(), "different lengths"),
        ("add_versions('{A}', '{A}', '{1}', '{x}', '{1}', '{a}', '{t}', '{f}', '{1}', '{a}', '{a}', '{a}', '{a}', false)".to_owned(), "not canonical"),
        ("add_versions('{a}', '{A}', '{1}', '{NULL}', '{1}', '{a}', '{t}', '{f}', '{1}', '{a}', '{a}', '{a}', '{a}', false)".to_owned(), "sort key"),
        ("add_versions('{a}', '{A}', '{1}', '{x}', '{1}', '{a}', '{NULL}', '{f}', '{1}', '{a}', '{a}', '{a}', '{a}', false)".to_owned(), "not said"),
        (format!("claim(NULL, 'pi', {secret}, 60, 0::smallint)"), "ABI is empty"),
        (format!("claim('cp39', '', {secret}, 60, 0::smallint)"), "label"),
        ("claim('cp39', 'pi', '\\x00', 60, 0::smallint)".to_owned(), "16 bytes"),
        (format!("claim('cp39', 'pi', {secret}, 0, 0::smallint)"), "lease"),
        (format!("claim('cp39', 'pi', {secret}, NULL, 0::smallint)"), "lease"),
        (format!("claim('cp39', 'pi', {secret}, 60, 5::smallint)"), "class"),
        (format!("claim('cp39', 'pi', {secret}, 60, NULL)"), "class"),
        ("add_abi('cp311', 1::smallint, '{linux armv7l}')".to_owned(), "platforms"),
        ("add_abi('cp311', 1::smallint, NULL)".to_owned(), "platforms"),
        ("add_versions('{a}', '{A}', '{1}', '{x}', '{1}', '{a}', '{t}', '{f}', '{-1}', '{a}', '{a}', '{a}', '{a}', false)".to_owned(), "mask"),
        ("begin_import('a', 'x', NULL, 0, false, '{}', '{}', true)".to_owned(), "between 1 and 1,000"),
        ("begin_import('a', 'x', NULL, 0, false, '{a}', '{x}', true)".to_owned(), "between 1 and 1,000"),
        (format!("begin_import('a', 'x', NULL, NULL, false, '{{a}}', {one}, true)"), "between 1 and 1,000"),
        (format!("begin_import('A', 'x', NULL, 0, false, '{{a}}', {one}, true)"), "not canonical"),
        (format!("begin_import('a', 'x', 'cp9', 0, false, '{{a}}', {one}, true)"), "no ABI"),
        (format!("log_import(1, {secret}, 1, 'a', 'a', '1', 'x', false, 'cp39', 'me', 1, 1, {no_files})"), "without beginning"),
        (format!("log_import(1, {secret}, 1, 'a', 'a', '1', 'x', false, 'cp39', '', 1, 1, {no_files})"), "label"),
        ("log_import(1, '\\x00', 1, 'a', 'a', '1', 'x', false, 'cp39', 'me', 1, 1, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}')".to_owned(), "16 bytes"),
        ("remove('a', NULL, 'files', NULL, '', 0)".to_owned(), "reason"),
        ("remove('a', NULL, 'all', NULL, 'x', 0)".to_owned(), "files and builds"),
        ("remove('a', NULL, 'yank', 'x', 'x', 0)".to_owned(), "files and builds"),
        ("remove('a', NULL, 'files', NULL, 'x', -1)".to_owned(), "files and builds"),
        ("remove(NULL, NULL, 'files', NULL, 'x', 0)".to_owned(), "not known"),
        ("left_behind(NULL)".to_owned(), "names"),
        ("left_behind('{NULL}')".to_owned(), "names"),
        ("left_behind(array_fill('a'::text, ARRAY[1001]))".to_owned(), "names"),
        ("walk(0)".to_owned(), "20,000"),
        ("walk(NULL)".to_owned(), "20,000"),
        ("pages_due(0, 1)".to_owned(), "between"),
        ("pages_due(1, NULL)".to_owned(), "between"),
        ("page_unread('a', 'gone', 0, NULL, 0, 0)".to_owned(), "not what"),
        ("page_unread('', 'failed', 0, NULL, 0, 0)".to_owned(), "not what"),
        ("page_unread('a', 'failed', 0, NULL, NULL, 0)".to_owned(), "not what"),
        ("page_unread('a', 'unchanged', 0, 0, 0, 0)".to_owned(), "not what"),
        ("page_unread('a', 'unchanged', NULL, 1, 0, 0)".to_owned(), "not what"),
        ("page_unread('a', 'unchanged', -1, 1, 0, 0)".to_owned(), "not what"),
        (format!("learn_page('a', 'a', 'gone', NULL, 1, 'x', true, 60, {no_releases})"), "status"),
        (format!("learn_page('a', 'a', 'active', NULL, -1, 'x', true, 60, {no_releases})"), "status"),
        (format!("learn_page('a', 'a', 'active', NULL, 1, 'x', NULL, 60, {no_releases})"), "status"),
        (format!("learn_page('A', 'a', 'active', NULL, 1, 'x', true, 60, {no_releases})"), "not canonical"),
        (format!("learn_page('a', 'a', 'active', NULL, 1, 'x', true, 60, {no_releases})").replacen("'{}'", "'{1}'", 1), "lengths"),
        (format!("feed_apply(1, 2, {no_events})"), "beyond"),
        (format!("feed_apply(NULL, 0, {no_events})"), "beyond"),
        ("feed_apply(1, 1, '{2}', '{1}', '{a}', '{a}', '{sdist}', '{1}', '{x}', '{f}', '{a}')".to_owned(), "beyond"),
        ("feed_apply(2, 1, '{2}', '{1}', '{a}', '{a}', '{born}', '{1}', '{x}', '{f}', '{a}')".to_owned(), "too little"),
        ("feed_apply(2, 1, '{2}', '{1}', '{a}', '{a}', '{sdist}', '{NULL}', '{x}', '{f}', '{a}')".to_owned(), "too little"),
        ("feed_apply(2, 1, '{2}', '{1}', '{A}', '{a}', '{sdist}', '{1}', '{x}', '{f}', '{a}')".to_owned(), "not canonical"),
        ("feed_apply(2, 1, '{2}', '{1}', '{a,b}', '{a}', '{sdist}', '{1}', '{x}', '{f}', '{a}')".to_owned(), "lengths"),
        ("feed_compare('{a}', '{a}', '{}', NULL, 1, false)".to_owned(), "lengths"),
        ("feed_compare('{a}', '{a}', '{1}', NULL, NULL, false)".to_owned(), "lengths"),
        ("deps_due(0)".to_owned(), "100"),
        ("deps_found(NULL, NULL, '', '{a}', '{}', '{}')".to_owned(), "requirements"),
        ("deps_found(NULL, NULL, 'x', '{A}', '{a}', '{a}')".to_owned(), "requirements"),
        ("requirements_due(101)".to_owned(), "100"),
        ("requirement_done(NULL, NULL, NULL)".to_owned(), "no requirement"),
        ("mend(0)".to_owned(), "100,000"),
        ("skip('a', NULL, NULL, NULL)".to_owned(), "reason"),
        ("skip('a', NULL, NULL, E' \n')".to_owned(), "reason"),
        ("skip('a', NULL, NULL, repeat('x', 1001))".to_owned(), "reason"),
        ("skip(NULL, NULL, NULL, 'x')".to_owned(), "not canonical"),
        ("skip('A', NULL, NULL, 'x')".to_owned(), "not canonical"),
        ("skip('a', '\\x01', NULL, 'x')".to_owned(), "not known"),
        ("skip('a', '\\x01', 'cp39', 'x')".to_owned(), "every ABI or for none"),
        ("skip('a', NULL, 'cp38', 'x')".to_owned(), "no ABI \"cp38\""),
        ("unskip(NULL, NULL, NULL)".to_owned(), "not canonical"),
        ("unskip('a', NULL, NULL)".to_owned(), "not known"),
        ("unskip('a', NULL, 'cp38')".to_owned(), "no ABI"),
        ("block(NULL, 'x')".to_owned(), "no pattern"),
        ("block('*', 'x')".to_owned(), "no pattern"),
        ("block('Foo', 'x')".to_owned(), "no pattern"),
        ("block('foo_x', 'x')".to_owned(), "no pattern"),
        ("block('foo-', 'x')".to_owned(), "no pattern"),
        ("block('foo', '')".to_owned(), "reason"),
        ("unblock(NULL)".to_owned(), "empty"),
        ("set_policy(NULL, NULL, '')".to_owned(), "cooldown, prereleases, wheels"),
        ("set_policy('colour', 'red', '')".to_owned(), "no policy"),
        ("set_policy('wheels', 'all', '')".to_owned(), "pure, any, none"),
        ("set_policy('prereleases', 'first', '')".to_owned(), "last, skip"),
        ("set_policy('cooldown', '2592001', '')".to_owned(), "2592000"),
        ("set_policy('cooldown', '-1', '')".to_owned(), "2592000"),
        ("set_policy('cooldown', '99999999999', '')".to_owned(), "2592000"),
        ("set_policy('wheels', 'any', NULL)".to_owned(), "reason"),
        ("retire_abi(NULL, 'x')".to_owned(), "ABI is empty"),
        ("retire_abi('cp38', 'x')".to_owned(), "no ABI"),
        ("retire_abi('cp39', '')".to_owned(), "reason"),
        ("requeue(NULL, NULL, NULL, NULL, 0)".to_owned(), "wanted"),
        ("requeue(NULL, '\\x01', 'cp39', NULL, 0)".to_owned(), "without its package"),
        ("requeue('a', NULL, NULL, NULL, 0)".to_owned(), "a is not known to this farm"),
        ("requeue(NULL, NULL, 'cp38', NULL, 0)".to_owned(), "no ABI"),
        ("requeue(NULL, NULL, NULL, 'built', 0)".to_owned(), "package by package"),
        ("requeue(NULL, NULL, NULL, 'superseded', 0)".to_owned(), "no outcome"),
        ("requeue(NULL, NULL, NULL, 'failed', NULL)".to_owned(), "begins"),
        ("requeue(NULL, NULL, NULL, 'failed', -1)".to_owned(), "begins"),
        ("renew(NULL, 60)".to_owned(), "1,000"),
        ("renew(array_fill(1::bigint, ARRAY[1001]), 60)".to_owned(), "1,000"),
        ("renew('{1}', 604801)".to_owned(), "7 days"),
        (format!("adopt(0, {secret}, 'pi', 60)"), "positive"),
        (format!("adopt(NULL, {secret}, 'pi', 60)"), "positive"),
        ("adopt(1, NULL, 'pi', 60)".to_owned(), "16 bytes"),
        (format!("adopt(1, {secret}, NULL, 60)"), "label"),
        ("release(1, NULL)".to_owned(), "16 bytes"),
        ("files_known(NULL)".to_owned(), "1,000"),
        ("files_known('{NULL}')".to_owned(), "1,000"),
        (format!("log_build(NULL, {secret}, 'pi', 'failed', 1, 1, {none})"), "positive"),
        (format!("log_build(1, {secret}, '', 'failed', 1, 1, {none})"), "label"),
        (format!("log_build(1, {secret}, 'pi', NULL, 1, 1, {none})"), "build ends"),
        (format!("log_build(1, {secret}, 'pi', 'superseded', 1, 1, {none})"), "build ends"),
        (format!("log_build(1, {secret}, 'pi', 'upload-race', 1, 1, {none})"), "build ends"),
        (format!("log_build(1, {secret}, 'pi', 'failed', -1, 1, {none})"), "negative"),
        (format!("log_build(1, {secret}, 'pi', 'failed', 1, NULL, {none})"), "missing"),
        (
            format!(
                "log_build(1, {secret}, 'pi', 'built', 1, 1, NULL, '{{}}', '{{}}', '{{}}', '{{}}', '{{}}', '{{}}', '{{}}', '{{}}', NULL)"
            ),
            "files",
        ),
        (
            format!(
                "log_build(1, {secret}, 'pi', 'built', 1, 1, '{{a}}', '{{}}', '{{}}', '{{}}', '{{}}', '{{}}', '{{}}', '{{}}', '{{}}', NULL)"
            ),
            "lengths",
        ),
        (
            format!(
                "log_build(1, {secret}, 'pi', 'failed', 1, 1, '{{a}}', '{{1}}', {one}, '{{a}}', '{{a}}', '{{a}}', '{{a}}', {one}, '{{a}}', NULL)"
            ),
            "no files",
        ),
        (
            format!(
                "log_build(1, {secret}, 'pi', 'built', 1, 1, '{{../a}}', '{{1}}', {one}, '{{a}}', '{{a}}', '{{a}}', '{{a}}', {one}, '{{a}}', NULL)"
            ),
            "sound name",
        ),
        (
            format!(
                "log_build(1, {secret}, 'pi', 'built', 1, 1, '{{a}}', '{{0}}', {one}, '{{a}}', '{{a}}', '{{a}}', '{{a}}', {one}, '{{a}}', NULL)"
            ),
            "size",
        ),
        (format!("log_build(1, {secret}, 'pi', 'failed', 1, 1, {no_files}, '[1]')"), "no object"),
        (format!("log_build(1, {secret}, 'pi', 'failed', 1, 1, {no_files}, {endless})"), "65,536"),
        ("rewrites_due(0, '{}')".to_owned(), "64"),
        ("rewrites_due(65, '{}')".to_owned(), "64"),
        ("rewrites_due(1, NULL)".to_owned(), "64"),
        ("rewrites_done('{attic}', '{a}', '{1}')".to_owned(), "no page"),
        ("rewrites_done('{root,project}', '{a,NULL}', '{1,1}')".to_owned(), "no page"),
        ("rewrites_done('{root}', '{NULL}', '{NULL}')".to_owned(), "no order"),
        ("rewrites_done('{root}', '{}', '{1}')".to_owned(), "different lengths"),
        ("rewrites_done(NULL, '{}', '{}')".to_owned(), "different lengths"),
        ("rewrites_failed('{project}', '{\"\"}', '{1}')".to_owned(), "no page"),
        ("rebuild('attic', '{}', 0)".to_owned(), "home, project, index and all"),
        ("rebuild('all', NULL, 0)".to_owned(), "home, project"),
        ("rebuild('all', '{}', -1)".to_owned(), "home, project"),
        ("root_names(NULL, NULL)".to_owned(), "10,000"),
        ("why('', NULL)".to_owned(), "empty"),
    ] {
        let error = farm.client.batch_execute(&format!("SELECT * FROM piw.{call}")).expect_err(&call);
        assert_eq!(error.code(), Some(&SqlState::INVALID_PARAMETER_VALUE), "{call}: {error:?}");
        let message = error.as_db_error().unwrap().message();
        assert!(message.contains(word), "{call}: {message}");
    }
}

#[test]
fn the_oracle_hands_refusals_on() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.add("foo", "1.0");
    let claim = |lease_secs| Query::Claim {
        abi: abi("cp39"),
        slave: "pi".to_owned(),
        secret: secret(),
        lease_secs,
        class: 0,
    };
    for lease_secs in [0, 604_801, u32::MAX] {
        assert!(farm.refusal(&claim(lease_secs)).contains("lease"), "{lease_secs}");
    }
    let builds = (1..=1001).map(BuildId).collect();
    assert!(farm.refusal(&Query::Renew { builds, lease_secs: 60 }).contains("1,000"));
    let job = farm.job("cp39");
    let huge = FileRecord { size: u64::MAX, ..wheel(&job, "py3", "none") };
    let query = Query::LogBuild(Box::new(record(job.token, Outcome::Built, vec![huge])));
    assert!(farm.refusal(&query).contains("out of range"));
}

#[test]
fn the_database_knows_the_outcomes_that_the_master_knows() {
    let mut farm = Farm::with_abis(&["cp39"]);
    // these are the database's own words
    let own = [Outcome::Superseded, Outcome::UploadRace];
    for outcome in Outcome::ALL.into_iter().filter(|outcome| !own.contains(outcome)) {
        farm.add("foo", &format!("1.{}", outcome as u8));
        let job = farm.job("cp39");
        farm.log(&job, outcome, Vec::new());
    }
    let known = farm.texts(
        "SELECT m[1] FROM pg_constraint c, regexp_matches(pg_get_constraintdef(c.oid), '''([a-z-]+)''', 'g') m
         WHERE c.conrelid = 'piw.build'::regclass AND c.conname LIKE '%outcome%'",
    );
    assert_eq!(known, Outcome::ALL.map(Outcome::name));
}
