//! A backup that is taken while the farm works, brought back on another server: the operator's guide, line by line.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::chain::install_and_run;
use crate::kit::account;
use crate::kit::cluster::Cluster;
use crate::kit::farm::{Farm, abi_of, python, text};
use crate::kit::sdist::Recipe;
use crate::kit::wheel::Wheel;

fn succeed(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", text(&output));
}

/// An empty directory of the farm's account.
fn make_dir(path: &Path) {
    fs::create_dir(path).unwrap();
    account::give(path);
}

/// The tree as the farm's account would copy it, into a directory of its own.
fn copy_tree(from: &Path, to: &Path) {
    make_dir(to);
    succeed(account::command("cp").arg("-a").arg(from.join(".")).arg(to));
}

#[test]
fn a_backup_of_a_working_farm_is_a_farm_again_on_another_server() {
    let abi = abi_of(&python());
    let mut farm = Farm::start(&[&abi], &[]);
    farm.index.offer(&Recipe::native("early", "1.0"));
    farm.index.offer(&Recipe::native("late", "1.0"));
    let slave = farm.start_slave("board");
    farm.piw(&["add", "early"]);
    farm.wait_for_state("early", &abi, "built");
    farm.import_wheel(&Wheel::native("brought", "2.0", "hello", &abi));

    // database first, tree second: what is published between the two is in the tree alone
    let backup = farm.path("backup");
    make_dir(&backup);
    let name = farm.database().name;
    let dump = backup.join("piwheels.dump");
    succeed(farm.cluster.tool("pg_dump", &name).args(["--format=custom", "--file"]).arg(&dump));
    farm.piw(&["add", "late"]);
    farm.wait_for_state("late", &abi, "built");
    copy_tree(&farm.path("www"), &backup.join("www"));
    // its page may be there already, or not yet
    let kept = fs::read_dir(backup.join("www/simple/late")).unwrap().count();

    // the machine is lost, with everything on it
    slave.kill();
    farm.kill_master();
    for part in ["www", "spool"] {
        fs::remove_dir_all(farm.path(part)).unwrap();
    }
    let cluster = Cluster::start(false);
    let empty = cluster.empty_database().name;
    succeed(cluster.tool("pg_restore", &empty).arg(&dump));
    copy_tree(&backup.join("www"), &farm.path("www"));
    // pages are made from rows: those of a project that the backup does not know would stay
    fs::remove_dir_all(farm.path("www/project")).unwrap();
    make_dir(&farm.path("spool"));
    farm.move_to(cluster, &empty);
    farm.start_master();

    farm.piw(&["rebuild", "all"]);
    farm.crawl();
    farm.audit();
    assert_eq!(farm.count("SELECT count(*) FROM piw.file"), 2, "early and brought");
    let root = fs::read_to_string(farm.path("www/simple/index.html")).unwrap();
    assert!(!root.contains("late"), "{root}");
    farm.piw(&["audit"]);
    let left = fs::read_dir(farm.path("www/simple/late")).unwrap().count();
    assert_eq!(left, kept, "for a day, whoever has its address gets it, and it can be imported");

    // and it works: what the backup missed is built once more, over the bytes that nobody claims
    let _slave = farm.start_slave("board");
    farm.piw(&["add", "late"]);
    farm.wait_for_state("late", &abi, "built");
    assert_eq!(farm.crawl(), 3);
    farm.audit();
    farm.piw(&["audit"]);
    install_and_run(&farm, &python(), &["early", "late"], "import early, late");
}
