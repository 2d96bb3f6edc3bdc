//! A wheel under another platform's name: from the operator's word to what pip takes, and back.

use std::os::unix::fs::MetadataExt;

use crate::chain::WebServer;
use crate::kit::account;
use crate::kit::farm::{Farm, abi_of, python, text};
use crate::kit::sdist::Recipe;

#[test]
fn pip_finds_a_wheel_for_another_platform_as_long_as_the_operator_says_so() {
    let abi = abi_of(&python());
    let farm = Farm::start(&[&abi], &[]);
    farm.index.offer(&Recipe::native("foo", "1.0"));
    farm.piw(&["add", "foo==1.0"]);
    let _slave = farm.start_slave("board");
    let built = farm.wait_for_state("foo", &abi, "built");
    let file = built["files"][0]["filename"].as_str().unwrap().to_owned();
    let platform = built["files"][0]["platform_tag"].as_str().unwrap().to_owned();
    assert_eq!(farm.crawl(), 1);

    let web = WebServer::start(&farm.path("www"));
    let fetch = || {
        let mut pip = account::command(python());
        pip.args(["-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--platform", "linux_armv6l"]);
        pip.args([
            "--python-version",
            &abi[2..],
            "--abi",
            &abi,
            "--no-cache-dir",
            "--index-url",
            &web.url,
            "foo",
        ]);
        pip.arg("--dest").arg(farm.path("run").join("fetched"));
        pip.env("PIP_CONFIG_FILE", "/dev/null").env_remove("PIP_FIND_LINKS").output().unwrap()
    };
    assert!(!fetch().status.success(), "nobody has said that it does for others");
    farm.piw(&["policy", "aliases", &format!("{platform}=linux_armv6l"), "--reason", "it does for both"]);
    assert_eq!(farm.crawl(), 2);
    let output = fetch();
    assert!(output.status.success(), "{}", text(&output));
    let project = farm.path("www/simple/foo");
    let alias = project.join(file.replace(&platform, "linux_armv6l"));
    let inode = |path: &std::path::Path| std::fs::metadata(path).unwrap().ino();
    assert_eq!(inode(&alias), inode(&project.join(&file)), "the same bytes, once on the disk");
    let said = farm.piw(&["policy", "aliases"]);
    assert!(said.contains(&format!("aliases = {platform}=linux_armv6l (a list of PLATFORM=ALIAS")), "{said}");

    farm.piw(&["policy", "aliases", "default"]);
    assert_eq!(farm.crawl(), 1);
    assert!(!fetch().status.success() && !alias.exists());
    farm.audit();
}
