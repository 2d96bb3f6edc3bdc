//! Every metric, and how it is made of the figures. The one list: the tests of rules and dashboard read it through what a
//! master prints.

use super::figures::{
    DatabaseFigures, FarmFigures, FollowFigures, ProcessFigures, ReactorFigures, ScribeFigures, TransferEnd,
};
use super::sheet::{Kind, Metric, Number, Sheet};
use crate::domain::Millis;
use crate::master::query::{Figures, JOB_CLASSES, Outcome};
use crate::master::refusals::Refusal;
use crate::schema::SCHEMA_VERSION;
use crate::wire::status::Mode;

macro_rules! metrics {
    ($($id:ident = $kind:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(const $id: Metric = Metric { name: $name, help: $help, kind: Kind::$kind, labels: &[$($label),*] };)*
        /// All of them.
        pub const ALL: &[Metric] = &[$($id),*];
    };
}

metrics! {
    BUILD_INFO = Gauge "piwheels_build_info" ["version", "schema"] "Versions of the software and of the database's schema; always 1.";
    MODE = Gauge "piwheels_mode" ["mode"] "1 for what the farm does: running, paused, held (for want of disk), draining (it stops when builds are delivered) or stopping; else 0.";
    SLAVES = Gauge "piwheels_slaves" ["abi", "state"] "Connected slaves; resting: told to sleep; unfit: their machines are not fit for a job. Without an ABI: before HELLO.";
    BUILDS = Counter "piwheels_builds_total" ["abi", "outcome"] "Builds that were recorded.";
    BUILD_DURATION = Histogram "piwheels_build_duration_seconds" [] "Time that recorded builds took on their slaves.";
    BUILD_LOGS = Counter "piwheels_build_log_bytes_total" [] "Bytes of builds' logs from slaves.";
    FILES_PUBLISHED = Counter "piwheels_published_files_total" [] "Wheels that were published, imported ones too.";
    FILE_BYTES_PUBLISHED = Counter "piwheels_published_bytes_total" [] "Bytes of these.";
    IMPORTS = Counter "piwheels_imports_total" ["result"] "Imports: published, or refused, of which nothing is left.";
    REMOVALS = Counter "piwheels_removals_total" [] "Orders to remove or to yank that were carried out.";
    LEASES_EXPIRED = Counter "piwheels_leases_expired_total" [] "Jobs that were queued again because their slaves were not heard from.";
    PEERS_DROPPED = Counter "piwheels_peers_dropped_total" ["reason"] "Peers that were turned away, or a message of which was refused.";
    TRANSFERS = Gauge "piwheels_transfers" [] "Files that are expected or under way.";
    TRANSFERS_IN_FLIGHT = Gauge "piwheels_transfers_in_flight_bytes" [] "Bytes asked for and not on disk.";
    TRANSFER_BYTES = Counter "piwheels_transfer_bytes_total" [] "Bytes of files that were written to the spool.";
    TRANSFERS_ENDED = Counter "piwheels_transfers_ended_total" ["result"] "Transfers that ended: sound, or not, and then how; lost: the slave brought nothing for too long.";
    REWRITES = Counter "piwheels_rewrites_total" ["page", "result"] "Pages that were written, or could not be.";
    REWRITES_FAILING = Gauge "piwheels_rewrites_failing" [] "Pages that could not be written when last tried; those of before stand.";
    REWRITE_DURATION = Histogram "piwheels_rewrite_duration_seconds" ["page"] "Time of one piece of page writing: up to 16 projects, the home page, up to 5000 names of the root index, the page of slaves.";
    FOLLOW_INFO = Gauge "piwheels_follow_info" ["mode"] "What of the index is followed; always 1.";
    PYPI_SERIAL = Gauge "piwheels_pypi_serial" [] "The last event of the index that was applied.";
    PYPI_ANSWER_AGE = Gauge "piwheels_pypi_answer_age_seconds" [] "Time since the index last answered; since the start where it has not.";
    PYPI_CHANGELOG_AGE = Gauge "piwheels_pypi_changelog_age_seconds" [] "Time since the changelog was last read to its end, where it is followed; since the start where it was not.";
    PYPI_FAILURES = Counter "piwheels_pypi_failures_total" ["request"] "Requests to the index that failed.";
    PYPI_TROUBLE = Gauge "piwheels_pypi_trouble" [] "1 while there is trouble with the index that lasts; 'piw feed' says which.";
    NUMBERS_AGE = Gauge "piwheels_database_numbers_age_seconds" [] "Time since the database was last heard of jobs, pages, packages and files.";
    QUEUE_JOBS = Gauge "piwheels_queue_jobs" ["abi", "class"] "Jobs that wait for a slave; at most 10000 of each ABI and class are counted.";
    WAITING_JOBS = Gauge "piwheels_waiting_jobs" ["for"] "Jobs that wait for something else: a look at the project's page, or their time; at most 100000 of each are counted.";
    LEASES = Gauge "piwheels_leases" [] "Jobs that slaves have.";
    REWRITES_PENDING = Gauge "piwheels_rewrites_pending" [] "Pages that are to be written; at most 100000 are counted.";
    REWRITES_AGE = Gauge "piwheels_rewrites_oldest_age_seconds" [] "For how long that page has been due that waits longest; those ordered in bulk are not counted.";
    PACKAGES = Gauge "piwheels_packages" [] "Packages that are known.";
    PACKAGES_PUBLISHED = Gauge "piwheels_packages_published" [] "Packages with files.";
    VERSIONS = Gauge "piwheels_versions" [] "Versions that are known.";
    VERSIONS_TRIED = Gauge "piwheels_versions_tried" [] "Versions that were attempted.";
    FILES = Gauge "piwheels_files" [] "Files that are published.";
    FILE_BYTES = Gauge "piwheels_files_bytes" [] "Bytes of these.";
    DATABASE_UP = Gauge "piwheels_database_up" [] "0 while the database cannot be reached, or cannot answer.";
    DATABASE_CONNECTIONS = Gauge "piwheels_database_connections" [] "Connections to the database, at most.";
    DATABASE_BUSY = Gauge "piwheels_database_connections_busy" [] "Connections with a question under way.";
    DATABASE_WAITING = Gauge "piwheels_database_requests_waiting" [] "Questions that wait for a connection.";
    DATABASE_OLDEST = Gauge "piwheels_database_oldest_request_age_seconds" [] "For how long that question has been under way that has been for longest; 0 without any.";
    DATABASE_DURATION = Histogram "piwheels_database_request_duration_seconds" [] "Time that questions were under way, with everything that was asked again.";
    DATABASE_FAILURES = Counter "piwheels_database_failures_total" [] "Times that the database could not be reached, or could not answer.";
    TURNS = Histogram "piwheels_reactor_turn_duration_seconds" [] "Time of the reactor's turns, without what it waits for: what every peer waits for at the least.";
    STALLS = Counter "piwheels_reactor_stalls_total" [] "Turns of the reactor that took longer than a quarter of a second (0.262144 s).";
    CONNECTIONS = Gauge "piwheels_connections" ["channel"] "Connections of peers.";
    CONNECTIONS_OPENED = Counter "piwheels_connections_opened_total" ["channel"] "Connections that were accepted.";
    RECEIVED = Counter "piwheels_received_bytes_total" ["channel"] "Bytes from peers.";
    SENT = Counter "piwheels_sent_bytes_total" ["channel"] "Bytes to peers.";
    SCRAPES = Counter "piwheels_scrapes_total" ["code"] "Answers to scrapers, by their HTTP status.";
    LINES_LOST = Counter "piwheels_log_lines_lost_total" [] "Log lines that were lost because they came faster than they could be written.";
    DISK_SIZE = Gauge "piwheels_disk_size_bytes" ["path"] "Size of the file system of the web site (output) and of unfinished files (spool).";
    DISK_FREE = Gauge "piwheels_disk_free_bytes" ["path"] "What the master may still write there.";
    DISK_FLOOR = Gauge "piwheels_disk_floor_bytes" [] "With less free nothing is handed out; 0: that is not watched.";
    DISK_PROMISED = Gauge "piwheels_disk_promised_bytes" [] "Bytes of files on their way that are not on the disk yet: they count as taken.";
    DISK_HELD = Gauge "piwheels_disk_held" [] "1 while nothing is handed out for want of disk, paused or not.";
    DATABASE_SEAT = Gauge "piwheels_database_seat" [] "0 while the master has lost the lock that makes it the only one of its database, and writes nothing.";
    TASK_AGE = Gauge "piwheels_task_age_seconds" ["task"] "Time since something that goes on by itself last went well; since the start where it has not.";
    LEFT_OUT = Gauge "piwheels_metrics_left_out" [] "Series that are not here because their metrics have too many.";
    CPU = Counter "process_cpu_seconds_total" [] "Processor time of the master.";
    RESIDENT = Gauge "process_resident_memory_bytes" [] "Memory of the master.";
    VIRTUAL = Gauge "process_virtual_memory_bytes" [] "Addresses of the master.";
    OPEN_FILES = Gauge "process_open_fds" [] "Files that the master has open.";
    MOST_FILES = Gauge "process_max_fds" [] "Files that it may have open.";
    STARTED = Gauge "process_start_time_seconds" [] "When the master started, in seconds since 1970.";
}

/// A bound of the turns' histogram: a rule cannot subtract two of its counts exactly.
const STALL_SECONDS: f64 = 0.262_144;

fn seconds(span: Millis) -> f64 {
    span.0 as f64 / 1000.0
}

/// The farm's.
pub fn farm(sheet: &mut Sheet, farm: &FarmFigures<'_>) {
    sheet.family(&BUILD_INFO).put(&[crate::VERSION, &SCHEMA_VERSION.to_string()], 1_u64);
    sheet.put(&STARTED, seconds(farm.started));
    let mut modes = sheet.family(&MODE);
    for (mode, name) in MODES {
        modes.put(&[name], mode == farm.mode);
    }
    let mut slaves = sheet.family(&SLAVES);
    for ((abi, state), count) in &farm.slaves {
        slaves.put(&[abi, state], *count);
    }
    let tally = farm.tally;
    let mut builds = sheet.family(&BUILDS);
    // a counter that begins at 0 shows its first step, too
    for (abi, outcome) in
        farm.abis.iter().flat_map(|abi| Outcome::ALL.map(|outcome| ((*abi).clone(), outcome)))
    {
        let count = tally.builds.get(&(abi.clone(), outcome)).copied().unwrap_or_default();
        builds.put(&[abi.as_str(), outcome.name()], count);
    }
    for ((abi, outcome), count) in tally.builds.iter().filter(|((abi, _), _)| !farm.abis.contains(&abi)) {
        builds.put(&[abi.as_str(), outcome.name()], *count);
    }
    sheet.family(&BUILD_DURATION).histogram(&[], &tally.build_seconds);
    sheet.put(&BUILD_LOGS, farm.counts.log_bytes);
    sheet.put(&FILES_PUBLISHED, tally.files);
    sheet.put(&FILE_BYTES_PUBLISHED, tally.file_bytes);
    sheet.family(&IMPORTS).put(&["published"], tally.imported).put(&["refused"], tally.imports_refused);
    sheet.put(&REMOVALS, farm.removals);
    sheet.put(&LEASES_EXPIRED, tally.leases_expired);
    let mut dropped = sheet.family(&PEERS_DROPPED);
    for refusal in Refusal::ALL {
        dropped.put(&[refusal.name()], farm.refusals.of(refusal));
    }
    sheet.put(&TRANSFERS, farm.transfers.0);
    sheet.put(&TRANSFERS_IN_FLIGHT, farm.transfers.1);
    sheet.put(&TRANSFER_BYTES, tally.transfer_bytes);
    let mut ended = sheet.family(&TRANSFERS_ENDED);
    for (end, count) in TransferEnd::ALL.iter().zip(tally.transfers) {
        ended.put(&[end.name()], count);
    }
    let mut rewrites = sheet.family(&REWRITES);
    for (page, written, failed) in farm.pages.by_kind() {
        rewrites.put(&[page, "written"], written).put(&[page, "failed"], failed);
    }
    sheet.put(&REWRITES_FAILING, farm.pages_failing);
    follow(sheet, farm.now, &farm.follow);
    let (floor, promised) = farm.brother.disk_bounds();
    sheet.put(&DISK_FLOOR, floor);
    sheet.put(&DISK_PROMISED, promised);
    sheet.put(&DISK_HELD, farm.brother.hold().is_some());
    sheet.put(&DATABASE_SEAT, farm.brother.is_seated());
    let mut tasks = sheet.family(&TASK_AGE);
    for (task, well) in farm.brother.tasks() {
        // the farm's clock begins at 0
        tasks.put(&[task.name()], seconds(farm.now.since(well.unwrap_or_default())));
    }
    if let Some((at, figures)) = farm.database {
        sheet.put(&NUMBERS_AGE, seconds(farm.now.since(at)));
        numbers(sheet, figures);
    }
}

/// The modes as `piw-monitor` and the protocol name them.
const MODES: [(Mode, &str); 5] = [
    (Mode::Running, "running"),
    (Mode::Paused, "paused"),
    (Mode::Held, "held"),
    (Mode::Draining, "draining"),
    (Mode::Stopping, "stopping"),
];

fn follow(sheet: &mut Sheet, now: Millis, follow: &FollowFigures) {
    sheet.family(&FOLLOW_INFO).put(&[follow.mode.name()], 1_u64);
    if let Some(serial) = follow.serial {
        sheet.put(&PYPI_SERIAL, serial);
    }
    // the farm's clock begins at 0
    let age = |at: Option<Millis>| seconds(now.since(at.unwrap_or_default()));
    sheet.put(&PYPI_ANSWER_AGE, age(follow.answered));
    if follow.mode == crate::master::follower::Follow::All {
        sheet.put(&PYPI_CHANGELOG_AGE, age(follow.heard));
    }
    let mut failures = sheet.family(&PYPI_FAILURES);
    for (request, count) in follow.failures.by_kind() {
        failures.put(&[request], count);
    }
    sheet.put(&PYPI_TROUBLE, follow.trouble);
}

fn numbers(sheet: &mut Sheet, figures: &Figures) {
    let Figures { statistics, queue } = figures;
    let mut jobs = sheet.family(&QUEUE_JOBS);
    for size in queue {
        let class = JOB_CLASSES.get(usize::from(size.class)).unwrap_or(&"other");
        jobs.put(&[size.abi.as_str(), class], size.jobs);
    }
    sheet.family(&WAITING_JOBS).put(&["page"], statistics.unchecked).put(&["time"], statistics.delayed);
    for (metric, value) in [
        (&LEASES, statistics.leased),
        (&REWRITES_PENDING, statistics.pages_due),
        (&REWRITES_AGE, statistics.pages_waiting),
        (&PACKAGES, statistics.packages_count),
        (&PACKAGES_PUBLISHED, statistics.packages_built),
        (&VERSIONS, statistics.versions_count),
        (&VERSIONS_TRIED, statistics.versions_tried),
        (&FILES, statistics.files_count),
        (&FILE_BYTES, statistics.builds_size),
    ] {
        sheet.put(metric, value);
    }
}

/// The reactor's.
pub fn reactor(sheet: &mut Sheet, reactor: &ReactorFigures<'_>) {
    sheet.family(&TURNS).histogram(&[], &reactor.turns);
    sheet.put(&STALLS, reactor.turns.over(STALL_SECONDS));
    for (metric, value) in [
        (&CONNECTIONS, (|traffic| traffic.open) as fn(&super::figures::Traffic) -> u64),
        (&CONNECTIONS_OPENED, |traffic| traffic.opened),
        (&RECEIVED, |traffic| traffic.received),
        (&SENT, |traffic| traffic.sent),
    ] {
        let mut family = sheet.family(metric);
        for (channel, traffic) in reactor.traffic {
            family.put(&[channel], value(traffic));
        }
    }
    let mut scrapes = sheet.family(&SCRAPES);
    for (code, count) in reactor.scrapes {
        scrapes.put(&[&code.to_string()], *count);
    }
    sheet.put(&LINES_LOST, reactor.lines_lost);
}

/// The database's, as seen from here.
pub fn database(sheet: &mut Sheet, database: &DatabaseFigures<'_>) {
    sheet.put(&DATABASE_UP, !database.away);
    sheet.put(&DATABASE_CONNECTIONS, database.size);
    sheet.put(&DATABASE_BUSY, database.busy);
    sheet.put(&DATABASE_WAITING, database.waiting);
    sheet.put(&DATABASE_OLDEST, database.oldest.as_secs_f64());
    sheet.family(&DATABASE_DURATION).histogram(&[], database.took);
    sheet.put(&DATABASE_FAILURES, database.failures);
}

/// The index scribe's.
pub fn scribe(sheet: &mut Sheet, scribe: &ScribeFigures) {
    let mut family = sheet.family(&REWRITE_DURATION);
    for (page, took) in scribe {
        family.histogram(&[page], took);
    }
}

/// The process's.
pub fn process(sheet: &mut Sheet, process: &ProcessFigures) {
    for (metric, value) in [
        (&CPU, Number::Real(process.cpu_seconds)),
        (&RESIDENT, process.resident_bytes.into()),
        (&VIRTUAL, process.virtual_bytes.into()),
        (&OPEN_FILES, process.open_files.into()),
        (&MOST_FILES, process.most_files.into()),
    ] {
        sheet.family(metric).put(&[], value);
    }
    let mut size = sheet.family(&DISK_SIZE);
    for (path, bytes, _) in &process.disks {
        size.put(&[path], *bytes);
    }
    let mut free = sheet.family(&DISK_FREE);
    for (path, _, bytes) in &process.disks {
        free.put(&[path], *bytes);
    }
}

/// What the text itself left out.
pub fn end(sheet: &mut Sheet) {
    let left_out = sheet.left_out();
    sheet.put(&LEFT_OUT, left_out);
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// <https://prometheus.io/docs/practices/naming/>
    #[test]
    fn names_follow_the_conventions() {
        let mut names = HashSet::new();
        for Metric { name, help, kind, labels } in ALL {
            assert!(names.insert(name), "{name} is there twice");
            let sound = |word: &str| word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
            assert!(sound(name) && labels.iter().all(|label| sound(label) && *label != "le"), "{name}");
            assert!(name.starts_with("piwheels_") || name.starts_with("process_"), "{name}");
            assert!(help.ends_with('.') && !help.contains('\n'), "{name}: {help}");
            assert_eq!(*kind == Kind::Counter, name.ends_with("_total"), "{name}");
            assert!(*kind != Kind::Histogram || name.ends_with("_seconds"), "{name}");
            assert!(!["_sum", "_count", "_bucket"].iter().any(|end| name.ends_with(end)), "{name}");
        }
    }
}
