//! The status channel: what a running farm is doing, for monitors (`wire-spec/status.md`).

use super::Text;
use super::ids::BuildId;
use super::limits::*;
pub use super::slave::{Board, Vitals};

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

messages! {
    /// From a monitor to the master.
    FromMonitor {
        /// First message; asks for everything, and whatever changes from then on.
        0x01 "HELLO" Hello {}
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
    }
}
