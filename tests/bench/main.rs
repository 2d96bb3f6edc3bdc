//! The bench of the queue at its smallest size: it measures everything that it names, and leaves a sound database. Never how
//! fast.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on ends")]
#![allow(dead_code, reason = "bench and kit are shared, and not all of them is needed here")]

#[path = "../../benches/farm/database.rs"]
mod database;
#[path = "../kit/mod.rs"]
mod kit;
#[path = "../../benches/farm/pgbench.rs"]
mod pgbench;
#[path = "../../benches/farm/queue/mod.rs"]
mod queue;
#[path = "../../benches/farm/row.rs"]
mod row;
#[path = "../../benches/farm/turnaround.rs"]
mod turnaround;

#[test]
fn the_queues_bench_measures_every_row_and_its_audits_find_nothing() {
    let mut rows = row::Rows::new(true);
    queue::run(&mut rows, queue::LEAST);
    let names: Vec<&str> = rows.all.iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names, queue::NAMES);
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
