//! The master's messages as JSON, for scripts: one object each, `event` says which. Pure.

use serde_json::{Value, json};

use super::model::Model;
use crate::admin::slaves::{slave_json, vitals_json};
use crate::admin::status::{follow_json, health_json, numbers_json};
use crate::domain::Millis;
use crate::wire::status::{Sample, ToMonitor};

/// A message; none of a log, which nobody asked for.
pub fn event(message: &ToMonitor) -> Value {
    match message {
        ToMonitor::Hello { software, started_ms, wall_ms, mode } => json!({
            "event": "hello", "software": &**software, "started_ms": started_ms, "wall_ms": wall_ms,
            "mode": mode.name(),
        }),
        ToMonitor::Slave { slave } => json!({ "event": "slave", "slave": slave_json(slave) }),
        ToMonitor::Stats {
            mode,
            connected,
            building,
            idle,
            queued,
            transfers,
            bytes_in_flight,
            builds_ok,
            builds_failed,
            refusals,
            log_bytes,
        } => json!({
            "event": "stats", "mode": mode.name(), "connected": connected, "building": building, "idle": idle,
            "queued": queued, "transfers": transfers, "bytes_in_flight": bytes_in_flight, "builds_ok": builds_ok,
            "builds_failed": builds_failed, "refusals": refusals, "log_bytes": log_bytes,
        }),
        ToMonitor::Gone { slave_id } => json!({ "event": "gone", "id": slave_id }),
        ToMonitor::Trend { slave_id, samples } => json!({
            "event": "trend", "id": slave_id, "samples": samples.iter().map(sample).collect::<Vec<_>>(),
        }),
        ToMonitor::Recorded { build, package, version, abi, slave, outcome, duration_ms, at_ms } => json!({
            "event": "recorded", "build": build.0, "package": &**package, "version": &**version, "abi": &**abi,
            "slave": &**slave, "outcome": &**outcome, "duration_ms": duration_ms, "at_ms": at_ms,
        }),
        ToMonitor::Outcomes { counts } => {
            let counts: serde_json::Map<String, Value> =
                counts.iter().map(|one| (one.outcome.to_string(), one.count.into())).collect();
            json!({ "event": "outcomes", "counts": counts })
        }
        ToMonitor::Farm { numbers, database_silent_ms, machine, pages_failing, pages_trouble, follow } => {
            json!({
                "event": "farm", "numbers": numbers.as_ref().map(numbers_json),
                "database_silent_ms": database_silent_ms, "machine": machine.as_ref().map(vitals_json),
                "pages_failing": pages_failing, "pages_trouble": pages_trouble.as_deref(),
                "follow": follow_json(follow),
            })
        }
        ToMonitor::Health { health } => {
            let mut json = health_json(health);
            json["event"] = "health".into();
            json
        }
        ToMonitor::Log { slave_id, build, offset, data } => json!({
            "event": "log", "id": slave_id, "build": build.0, "offset": offset,
            "text": String::from_utf8_lossy(data),
        }),
    }
}

fn sample(sample: &Sample) -> Value {
    json!({
        "load_percent": sample.load_percent, "memory_percent": sample.memory_percent,
        "temperature": sample.temperature.map(|tenths| f64::from(tenths) / 10.0),
    })
}

/// The whole picture as one object.
pub fn snapshot(model: &Model, now: Millis) -> Value {
    let slaves: Vec<Value> = model
        .slaves
        .values()
        .map(|slave| {
            let mut json = slave_json(&slave.now);
            json["trend"] = slave.trend.samples().map(sample).collect();
            json
        })
        .collect();
    let builds: Vec<Value> = model
        .builds
        .iter()
        .map(|build| {
            json!({
                "build": build.build.0, "package": build.package, "version": build.version, "abi": build.abi,
                "slave": build.slave, "outcome": build.outcome, "duration_ms": build.duration_ms,
                "at_ms": build.at_ms,
            })
        })
        .collect();
    let outcomes: serde_json::Map<String, Value> =
        model.outcomes.iter().map(|(outcome, count)| (outcome.clone(), (*count).into())).collect();
    let farm = &model.farm;
    let stats = model.stats.as_ref().map(|s| {
        json!({
            "connected": s.connected, "building": s.building, "idle": s.idle, "transfers": s.transfers,
            "bytes_in_flight": s.bytes_in_flight, "builds_ok": s.builds_ok, "builds_failed": s.builds_failed,
            "refusals": s.refusals,
        })
    });
    json!({
        "master": {
            "software": model.software, "started_ms": model.started_ms, "wall_ms": model.wall_ms(now),
            "mode": model.mode.map(|mode| mode.name()),
        },
        "stats": stats,
        "numbers": farm.numbers.as_ref().map(numbers_json),
        "database_silent_ms": farm.database_silent_ms,
        "machine": farm.machine.as_ref().map(vitals_json),
        "pages_failing": farm.pages_failing,
        "pages_trouble": farm.pages_trouble,
        "follow": farm.follow.as_ref().map(follow_json),
        "health": model.health.as_ref().map(health_json),
        "slaves": slaves,
        "builds": builds,
        "outcomes": outcomes,
    })
}
