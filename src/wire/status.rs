//! The status channel: what a running farm is doing, for monitors (`wire-spec/status.md`).

use super::ids::BuildId;
use super::limits::*;
pub use super::slave::{Board, Vitals};
use super::{Blob, List, Text};

code! {
    /// Whether the farm works.
    Mode {
        /// Jobs are handed out.
        0 "running" Running,
        /// Nothing is handed out.
        1 "paused" Paused,
        /// The master ends when its slaves have finished.
        2 "draining" Draining,
        /// The master ends.
        3 "stopping" Stopping,
        /// Nothing is handed out, for want of disk; by itself, until there is enough.
        4 "held" Held,
    }
}

code! {
    /// What a slave is doing.
    Doing {
        /// It is connected and was not answered yet.
        0 "greeting" Greeting,
        /// It came back with a job, and the database is asked about it.
        1 "returning" Returning,
        /// It may ask for a job.
        2 "idle" Idle,
        /// It asked, and the database looks for a job.
        3 "asking" Asking,
        /// There is nothing for it.
        4 "asleep" Asleep,
        /// It builds.
        5 "building" Building,
        /// Its build is fetched, checked and recorded.
        6 "delivering" Delivering,
        /// It was told to go, or goes.
        7 "leaving" Leaving,
    }
}

record! {
    /// A job in a slave's hands.
    JobNow {
        /// Its number.
        build: BuildId,
        /// Package, canonical name.
        package: Text<NAME_BYTES>,
        /// Version, canonical.
        version: Text<NAME_BYTES>,
    }
}

record! {
    /// A connected slave.
    SlaveNow {
        /// The number that both sides' logs and commands name it by.
        slave_id: u32,
        /// Name for people; empty before its HELLO.
        label: Text<LABEL_BYTES>,
        /// Where it connects from.
        peer: Text<PEER_BYTES>,
        /// ABI, such as `cp311`.
        abi: Text<TAG_BYTES>,
        /// Platform, such as `linux_armv7l`.
        platform: Text<TAG_BYTES>,
        /// Python version, such as `311`.
        python: Text<TAG_BYTES>,
        /// Its machine; none before its HELLO.
        board: Option<Board>,
        /// What it is doing.
        doing: Doing,
        /// Since when: milliseconds since 1970.
        since_ms: u64,
        /// When it was last heard: milliseconds since 1970.
        heard_ms: u64,
        /// Since when it is connected: milliseconds since 1970.
        connected_ms: u64,
        /// What it builds or delivers.
        job: Option<JobNow>,
        /// How its machine is doing, as its last BUSY says.
        vitals: Option<Vitals>,
        /// How far its clock is ahead of the master's, in milliseconds.
        clock_offset_ms: Option<i64>,
        /// Why it asks for no job, as its last BUSY says.
        holds_back: Option<Text<HOLDS_BACK_BYTES>>,
        /// It gets no job until it is told WAKE.
        resting: bool,
        /// It is told BYE at its next IDLE.
        kill_pending: bool,
        /// Its build was told CANCEL.
        skipping: bool,
    }
}

record! {
    /// How a slave's machine was doing at one moment.
    #[derive(Copy)]
    Sample {
        /// Load of each processor, in percent: 100 is as much as it can do.
        load_percent: u16,
        /// Memory that no build could have, in percent.
        memory_percent: u16,
        /// In tenths of a degree Celsius.
        temperature: Option<i16>,
    }
}

record! {
    /// How many builds ended so.
    OutcomeCount {
        /// How, such as `built`.
        outcome: Text<TAG_BYTES>,
        /// Since the master started.
        count: u64,
    }
}

record! {
    /// What the database last said of the farm.
    Numbers {
        /// When: milliseconds since 1970.
        at_ms: u64,
        /// Jobs that could be handed out; 100,000 at most are counted, here and in the next three.
        queued: u64,
        /// Jobs that wait for a look at their page.
        unchecked: u64,
        /// Jobs that wait for a moment.
        delayed: u64,
        /// Pages to be written.
        pages_due: u64,
        /// For how long the first of them waits, in seconds.
        pages_waiting_secs: u64,
        /// Builds recorded in the last 60 minutes.
        builds_last_hour: u64,
        /// Builds ever recorded.
        builds: u64,
        /// Those of them that made wheels.
        builds_ok: u64,
        /// Packages with files.
        published: u64,
        /// Files.
        files: u64,
    }
}

record! {
    /// A file system that the farm writes to.
    DiskNow {
        /// The directory that it was looked at by.
        path: Text<PATH_BYTES>,
        /// Bytes in all.
        size: u64,
        /// Bytes that the master may still write.
        free: u64,
        /// Inodes in all; none where the file system has no such number.
        inodes: Option<u64>,
        /// Those that the master may still take.
        inodes_free: Option<u64>,
    }
}

record! {
    /// Why something is so, and since when.
    Reason {
        /// Milliseconds since 1970.
        since_ms: u64,
        /// For people.
        text: Text<REASON_BYTES>,
    }
}

record! {
    /// Something that goes on by itself.
    TaskNow {
        /// Which, such as `pages`.
        name: Text<TAG_BYTES>,
        /// When it last went well: milliseconds since 1970; none where it has not since the start.
        well_ms: Option<u64>,
    }
}

record! {
    /// A line of trouble in the master's log.
    ErrorNow {
        /// When: milliseconds since 1970.
        at_ms: u64,
        /// The line.
        text: Text<REASON_BYTES>,
    }
}

record! {
    /// What the master knows of its disks, its orders and itself.
    HealthNow {
        /// The version of the database's schema.
        schema: u32,
        /// Those of the web tree and of what is unfinished; one where they are the same.
        disks: List<DiskNow, DISKS>,
        /// Bytes that are kept free: with less nothing is handed out; 0: that is not watched.
        disk_floor: u64,
        /// Bytes of files on their way that are not on the disk yet.
        disk_promised: u64,
        /// Why the disks cannot be looked at.
        disk_trouble: Option<Text<REASON_BYTES>>,
        /// Nothing is handed out for want of disk: since when, and of which.
        held: Option<Reason>,
        /// The administrator has paused the farm: since when, and who.
        paused: Option<Reason>,
        /// Since when the master has lost the lock that makes it the only one of its database, and writes nothing:
        /// milliseconds since 1970.
        unseated_ms: Option<u64>,
        /// Jobs whose slaves are not connected.
        absent: u32,
        /// Leases that ran out since the start.
        expired: u64,
        /// Those of the last hour; 1,000 at most are counted.
        expired_last_hour: u32,
        /// What goes on by itself.
        tasks: List<TaskNow, TASKS>,
        /// The last lines of trouble, the oldest first.
        errors: List<ErrorNow, ERROR_LINES>,
    }
}

record! {
    /// How the index is followed.
    FollowNow {
        /// What is followed, such as `list`.
        mode: Text<TAG_BYTES>,
        /// How long ago its changelog was read to its end, in seconds; none where it is not read, or was not yet.
        lag_secs: Option<u64>,
        /// The last trouble, if it lasts.
        trouble: Option<Text<REASON_BYTES>>,
    }
}

messages! {
    /// From a monitor to the master.
    FromMonitor {
        /// First message; asks for everything, and whatever changes from then on.
        0x01 "HELLO" Hello {}
        /// Asks for the log of what a slave builds, as it comes.
        0x02 "SUBSCRIBE" Subscribe {
            /// Which, instead of any before; none: no more.
            slave: Option<u32>,
        }
    }
}

messages! {
    /// From the master to a monitor.
    ToMonitor {
        /// A whole picture follows: a SLAVE for each that is connected, then STATS.
        0x81 "HELLO" Hello {
            /// Software version.
            software: Text<TAG_BYTES>,
            /// When the master started: milliseconds since 1970.
            started_ms: u64,
            /// The master's clock: milliseconds since 1970.
            wall_ms: u64,
            /// Whether the farm works.
            mode: Mode,
        }
        /// A slave, new or changed.
        0x82 "SLAVE" Slave {
            /// All of it.
            slave: SlaveNow,
        }
        /// Counts; they end the first picture, and come every second from then on.
        0x83 "STATS" Stats {
            /// Whether the farm works.
            mode: Mode,
            /// Slaves.
            connected: u32,
            /// Slaves that build.
            building: u32,
            /// Slaves that neither build nor deliver.
            idle: u32,
            /// Jobs in the queue; 0 while the master does not know.
            queued: u64,
            /// Files on their way from slaves.
            transfers: u32,
            /// Bytes of them asked for and not on disk.
            bytes_in_flight: u64,
            /// Builds recorded as built since the start.
            builds_ok: u64,
            /// Builds recorded as anything else since the start.
            builds_failed: u64,
            /// Slaves refused or dropped for what they said, since the start.
            refusals: u64,
            /// Bytes of builds' logs that came, since the start.
            log_bytes: u64,
        }
        /// A slave's connection is gone.
        0x84 "GONE" Gone {
            /// Which.
            slave_id: u32,
        }
        /// How a slave's machine was doing before now.
        0x85 "TREND" Trend {
            /// Which.
            slave_id: u32,
            /// The oldest first, 10 s apart.
            samples: List<Sample, TREND_SAMPLES>,
        }
        /// A build was recorded.
        0x86 "RECORDED" Recorded {
            /// Its number.
            build: BuildId,
            /// Package, canonical name.
            package: Text<NAME_BYTES>,
            /// Version, canonical.
            version: Text<NAME_BYTES>,
            /// ABI that it was built for.
            abi: Text<TAG_BYTES>,
            /// The slave's label.
            slave: Text<LABEL_BYTES>,
            /// How it ended, such as `built`.
            outcome: Text<TAG_BYTES>,
            /// How long it took, in milliseconds.
            duration_ms: u64,
            /// When it was recorded: milliseconds since 1970.
            at_ms: u64,
        }
        /// How the builds since the start ended.
        0x87 "OUTCOMES" Outcomes {
            /// Those that there were.
            counts: List<OutcomeCount, OUTCOMES>,
        }
        /// What the master knows of itself, its database and its index.
        0x88 "FARM" Farm {
            /// None until the database was asked for a monitor, and answered.
            numbers: Option<Numbers>,
            /// Since when a question to the database waits for its answer, where that is long: milliseconds since 1970.
            database_silent_ms: Option<u64>,
            /// The master's machine, and the disk of the published files; none before it was looked at.
            machine: Option<Vitals>,
            /// Pages that could not be written when last tried.
            pages_failing: u32,
            /// Why.
            pages_trouble: Option<Text<REASON_BYTES>>,
            /// How the index is followed.
            follow: FollowNow,
        }
        /// A piece of the log of what a slave builds.
        0x89 "LOG" Log {
            /// Which.
            slave_id: u32,
            /// What it builds.
            build: BuildId,
            /// Where the piece stands in the whole log, in bytes. What is between it and the piece before was left out.
            offset: u64,
            /// Bytes of any kind, as the build printed them.
            data: Blob<LOG_BYTES>,
        }
        /// How the farm is, beside what FARM says.
        0x8a "HEALTH" Health {
            /// All of it.
            health: HealthNow,
        }
    }
}
