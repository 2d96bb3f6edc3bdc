//! The benches of the queue, of pages, of the slave and of the load at their smallest size: they measure everything that they
//! name, the first leaves a sound database, and the last serves everybody. Never how fast.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on ends")]
#![allow(dead_code, reason = "bench and kit are shared, and not all of them is needed here")]

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

fn names(rows: &row::Rows) -> Vec<&str> {
    rows.all.iter().map(|row| row["name"].as_str().unwrap()).collect()
}

fn check(rows: &row::Rows) {
    for row in &rows.all {
        assert!(row["value"].as_f64().is_some_and(|value| value > 0.0), "{row}");
        assert!(row["unit"].is_string(), "{row}");
        assert_eq!(row["limit"].is_null(), row["met"].is_null(), "{row}");
        for key in ["limit", "ratio", "goal"] {
            assert!(row[key].is_null() || row[key].as_f64().is_some_and(|value| value > 0.0), "{row}");
        }
        assert_eq!(row.as_object().unwrap().len(), 7, "{row}");
    }
}
