//! Wheels that are offered under another platform's tag, too: which names a page then has, and which it never has.

use piwheels::master::query::{Order, Query};
use serde_json::json;

use crate::farm::Farm;

fn aliases(value: Option<&str>) -> Order {
    Order::SetPolicy {
        name: "aliases".to_owned(),
        value: value.map(str::to_owned),
        reason: "ours are ARMv6".to_owned(),
    }
}

/// The files of the page that is due, each with what it is another name of.
fn offered(farm: &mut Farm) -> Vec<(String, Option<String>)> {
    let [page] = &farm.rewrites()[..] else { panic!("one page") };
    page.rows.files.iter().map(|file| (file.filename.clone(), file.alias_of.clone())).collect()
}

fn write_all(farm: &mut Farm) {
    for due in farm.rewrites() {
        farm.ask(&Query::RewritesDone(vec![due.order]));
    }
}

fn published(name: &str) -> (String, Option<String>) {
    (name.to_owned(), None)
}

fn alias(name: &str, of: &str) -> (String, Option<String>) {
    (name.to_owned(), Some(of.to_owned()))
}

#[test]
fn another_name_is_on_the_page_as_long_as_the_policy_says_so() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.add("foo", "1.0");
    let job = farm.job("cp39");
    farm.built(&job, &[("cp39", "cp39"), ("py3", "none")]);
    farm.add("bar", "1.0");
    let job = farm.job("cp39");
    farm.built(&job, &[("py3", "none")]);
    write_all(&mut farm);

    let (answer, _) = farm.order(aliases(Some("linux_armv7l=linux_armv6l")));
    assert_eq!((&answer["changed"], &answer["walk"]), (&json!(true), &json!(false)));
    let (v7, v6) = ("foo-1.0-cp39-cp39-linux_armv7l.whl", "foo-1.0-cp39-cp39-linux_armv6l.whl");
    let pure = published("foo-1.0-py3-none-any.whl");
    assert_eq!(
        offered(&mut farm),
        [alias(v6, v7), published(v7), pure.clone()],
        "bar has nothing for a platform"
    );
    write_all(&mut farm);
    assert_eq!(farm.order(aliases(Some("linux_armv7l=linux_armv6l"))).0["changed"], false);
    assert!(farm.rewrites().is_empty(), "the same again orders nothing");

    farm.order(aliases(Some("linux_armv7l=linux_armv6l,linux_armv7l=linux_armhf")));
    let more = "foo-1.0-cp39-cp39-linux_armhf.whl";
    assert_eq!(offered(&mut farm), [alias(more, v7), alias(v6, v7), published(v7), pure.clone()]);
    farm.order(aliases(None));
    assert_eq!(offered(&mut farm), [published(v7), pure], "the page is due for what goes, too");
}

#[test]
fn a_name_that_a_file_has_or_had_is_no_alias() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.add("foo", "1.0");
    let job = farm.job("cp39");
    farm.built(&job, &[("cp39", "cp39")]);
    let v7 = "foo-1.0-cp39-cp39-linux_armv7l.whl";
    farm.order(aliases(Some("linux_armv7l=linux_armv6l")));
    let copy = "INSERT INTO piw.file (filename, build_id, pkg_id, ver_id, size, sha256, python_tag, abi_tag, platform_tag, \
                published_at) SELECT 'foo-1.0-cp39-cp39-linux_armv6l.whl', build_id, pkg_id, ver_id, 5, sha256, python_tag, \
                abi_tag, 'linux_armv6l', now() FROM piw.file";
    farm.execute(copy);
    let names = |farm: &mut Farm| -> Vec<Option<String>> {
        let due = farm.rewrites().remove(0);
        due.rows.files.into_iter().map(|file| file.alias_of).collect()
    };
    assert_eq!(names(&mut farm), [None, None], "a board of its own has built it");
    farm.execute(
        "INSERT INTO piw.withdrawn (filename, pkg_id, ver_id, sha256, reason, withdrawn_at) \
         SELECT filename, pkg_id, ver_id, sha256, 'bad', now() FROM piw.file WHERE platform_tag = 'linux_armv6l'; DELETE FROM piw.file WHERE platform_tag = 'linux_armv6l'",
    );
    assert_eq!(names(&mut farm), [None], "it was published once, with other bytes");
    farm.execute("DELETE FROM piw.withdrawn");
    assert_eq!(names(&mut farm), [Some(v7.to_owned()), None]);
}

#[test]
fn what_is_no_list_of_pairs_is_refused_and_changes_nothing() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.order(aliases(Some("a=b")));
    for odd in ["", "a", "a=", "a=b,", "a=b=c", "a=../b", "A=b", "a=b c=d", &"a=b,".repeat(20)] {
        let refusal = farm.refusal(&Query::Order(Box::new(aliases(Some(odd)))));
        assert!(
            refusal.contains("the policy aliases is a list of PLATFORM=ALIAS with commas between them"),
            "{refusal}"
        );
    }
    assert_eq!(farm.texts("SELECT platform || alias FROM piw.platform_alias"), ["ab"]);
}
