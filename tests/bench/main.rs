//! The benches of the queue, of pages, of the slave and of the load at their smallest size: they measure everything that they
//! name, the first leaves a sound database, and the last serves everybody. Never how fast.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on ends")]
#![allow(dead_code, reason = "bench and kit are shared, and not all of them is needed here")]

#[path = "../../benches/farm/chunk.rs"]
mod chunk;
#[path = "../../benches/farm/database.rs"]
mod database;
#[path = "../kit/mod.rs"]
mod kit;
#[path = "../../benches/farm/load/mod.rs"]
mod load;
#[path = "../../benches/farm/pages.rs"]
mod pages;
#[path = "../../benches/farm/pgbench.rs"]
mod pgbench;
#[path = "../../benches/farm/process.rs"]
mod process;
#[path = "../../benches/farm/queue/mod.rs"]
mod queue;
#[path = "../../benches/farm/row.rs"]
mod row;
#[path = "../../benches/farm/run.rs"]
mod run;
#[path = "../../benches/farm/slave.rs"]
mod slave;
#[path = "../../benches/farm/turnaround.rs"]
mod turnaround;

#[test]
fn the_queues_bench_measures_every_row_and_its_audits_find_nothing() {
    let mut rows = row::Rows::new(true);
    queue::run(&mut rows, queue::LEAST);
    assert_eq!(names(&rows), queue::NAMES);
    check(&rows);
}

#[test]
fn the_bench_of_pages_measures_every_row_and_sees_that_a_second_writing_changes_nothing() {
    let mut rows = row::Rows::new(true);
    pages::run(&mut rows, 20, 1000);
    assert_eq!(names(&rows).len(), 9, "{:?}", names(&rows));
    check(&rows);
}

#[test]
fn the_slaves_bench_measures_its_size_and_its_memory_from_idle_to_idle() {
    let mut rows = row::Rows::new(true);
    slave::run(&mut rows, 1, 2);
    let memory =
        ["idle", "building", "one build, peak", "log 1 MiB", "wheel 2 MiB", "sends 2 MiB", "idle again"];
    let names = names(&rows);
    assert!(names.len() > memory.len(), "{names:?}");
    let memory: Vec<String> = memory.iter().map(|name| format!("slave, {name}")).collect();
    assert_eq!(names[names.len() - memory.len()..], memory);
    check(&rows);
}

/// Not how fast: that everybody is served, nobody is dropped or told what is wrong, and that memory has an end.
#[test]
fn a_hundred_slaves_are_all_served_beside_herds_that_mean_no_good() {
    let mut rows = row::Rows::new(true);
    let load::Outcome { faults, cuts, served, recorded, memory, heard, rogues } =
        load::run(&mut rows, load::FEW, load::SHORT);
    assert_eq!((faults.as_slice(), cuts), ([].as_slice(), 0), "{faults:?}");
    assert!(served.len() == load::FEW && served.iter().all(|builds| *builds > 0), "{served:?}");
    assert!(recorded >= served.iter().sum::<u64>() as i64, "{recorded} of {served:?}");
    assert!(heard > 0 && rogues > load::FEW as u64 / 2, "{heard} messages, {rogues} rogues");
    let (first, most) = (memory[0], memory.iter().copied().fold(0.0, f64::max));
    assert!(most < first + 64.0, "the master's memory, in MiB: {memory:?}");
    for row in &rows.all {
        assert!(row["value"].as_f64().is_some() && row["unit"].is_string(), "{row}");
    }
}

#[test]
fn chunks_are_measured_beside_a_copy_and_a_checksum() {
    let mut rows = row::Rows::new(true);
    chunk::run(&mut rows, std::time::Duration::from_millis(1));
    assert_eq!(names(&rows), ["chunk encode", "chunk decode"]);
    check(&rows);
}

#[test]
fn the_table_of_the_readme_is_that_of_the_run_that_is_kept() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let kept = run::read(&root.join("benches/run.json")).unwrap();
    assert!(
        run::readme(&readme, &kept).unwrap() == readme,
        "make it with: tools/bench --readme benches/run.json"
    );
    let rows = kept["rows"].as_array().unwrap();
    assert_eq!(run::unknown(rows), [] as [String; 0], "the table leaves them out");
}

#[test]
fn a_run_is_kept_compared_and_made_into_a_table() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("run.json");
    let mut rows = row::Rows::new(true);
    rows.add("turnaround 8", 60.0, 100.0, "builds/s", row::Goal::Share(0.8));
    rows.plain("root, its files", 59.0, "MiB");
    run::keep(&file, &rows.all).unwrap();
    let mut later = row::Rows::new(true);
    later.add("turnaround 8", 300.0, 1000.0, "builds/s", row::Goal::Share(0.8));
    later.add("idle 10 slaves", 1.75, 8.0, "KiB each", row::Goal::Within);
    let kept = run::read(&file).unwrap();
    let said = run::compare(&kept, &later.all);
    assert!(said.contains("turnaround 8") && said.contains("-50 %  WORSE"), "{said}");
    assert!(said.contains("idle 10 slaves") && said.contains("new"), "{said}");
    assert!(run::compare(&kept, &rows.all).lines().all(|line| line.ends_with("the same")));

    // rows of the same name are replaced, the others stay
    run::keep(&file, &later.all).unwrap();
    let kept = run::read(&file).unwrap();
    assert_eq!(kept["rows"].as_array().unwrap().len(), 3);
    let text = "before\n<!-- made by tools/bench --readme -->\nold\n<!-- end -->\nafter\n";
    let table = run::readme(text, &kept).unwrap();
    assert!(table.starts_with("before\n") && table.ends_with("<!-- end -->\nafter\n"), "{table}");
    assert!(
        !table.contains("\nold\n") && table.contains("| 300 builds/s | 1,000 | 0.30 | missed (0.8): "),
        "{table}"
    );
    assert!(
        table.contains("| 1.75 KiB each | 8 | 4.57 | met |") && table.contains("| 59 MiB | | | |"),
        "{table}"
    );
    assert_eq!(run::readme(&table, &kept).unwrap(), table, "once more");
    assert!(run::readme("nothing", &kept).is_err());

    // another machine's figures are not mixed with these
    let other = std::fs::read_to_string(&file).unwrap().replace("\"cores\":", "\"cores\":1");
    std::fs::write(&file, other).unwrap();
    assert!(run::keep(&file, &rows.all).unwrap_err().contains("another machine"));
    std::fs::write(&file, "{}").unwrap();
    assert!(run::read(&file).unwrap_err().contains("no run"));
}

fn names(rows: &row::Rows) -> Vec<&str> {
    rows.all.iter().map(|row| row["name"].as_str().unwrap()).collect()
}

fn check(rows: &row::Rows) {
    assert_eq!(run::unknown(&rows.all), Vec::<String>::new(), "the README's table would leave these out");
    for row in &rows.all {
        assert!(row["value"].as_f64().is_some_and(|value| value > 0.0), "{row}");
        assert!(row["unit"].is_string(), "{row}");
        assert_eq!(row["limit"].is_null(), row["met"].is_null(), "{row}");
        for key in ["limit", "ratio", "goal"] {
            assert!(row[key].is_null() || row[key].as_f64().is_some_and(|value| value > 0.0), "{row}");
        }
        assert_eq!(row.as_object().unwrap().len(), 8, "{row}");
    }
}
