//! The slave channel: a build slave and the slave driver (manual 3.3.1; `wire-spec/slave.md`).

use super::ids::{BuildId, JobToken, Sha256};
use super::limits::*;
use super::{Blob, List, Text};

code! {
    /// How far a slave that comes back had got with its job.
    Holding {
        /// The build runs.
        0 "building" Building,
        /// The build is finished; BUILT follows when the master says go on.
        1 "built" Built,
    }
}

code! {
    /// How a build ended, as the slave saw it.
    BuildEnd {
        /// pip made wheels.
        0 "built" Built,
        /// pip ended with an error.
        1 "failed" Failed,
        /// The time limit ended it.
        2 "timeout" Timeout,
        /// pip found no source distribution.
        3 "no-sdist" NoSdist,
        /// What was made is not a sound wheel.
        4 "bad-wheel" BadWheel,
        /// The master's CANCEL ended it.
        5 "cancelled" Cancelled,
        /// It printed nothing for so long that the slave ended it.
        6 "silence" Silence,
        /// pip could not reach its index, or a download broke.
        7 "network" Network,
        /// The machine's memory did not suffice.
        8 "out-of-memory" OutOfMemory,
        /// The machine's disk did not suffice.
        9 "disk" Disk,
        /// It printed more than its slave lets a build print.
        10 "log-limit" LogLimit,
        /// A wheel is larger than its slave lets a wheel be.
        11 "wheel-limit" WheelLimit,
        /// It wrote more than its slave lets a build write.
        12 "disk-limit" DiskLimit,
        /// It had more processes than its slave lets a build have.
        13 "process-limit" ProcessLimit,
    }
}

code! {
    /// Something that stands between a build and the machine it runs on, in force for every build of a slave.
    Wall {
        /// Users, mounts, processes and IPC of its own (user, mount, pid, ipc and uts namespaces).
        0 "namespaces" Namespaces,
        /// It can write nowhere but in its own directories; /tmp is its own, homes and keys are out of sight.
        1 "read-only" ReadOnly,
        /// It is built without a network: what it needs was fetched before, and nothing of it ran then.
        2 "net-off" NetOff,
        /// No process of it gains rights.
        3 "no-new-privileges" NoNewPrivileges,
        /// System calls that no build needs are refused.
        4 "seccomp" Seccomp,
        /// The kernel's Landlock keeps its files apart, too.
        5 "landlock" Landlock,
        /// Its memory, all processes together, is limited by a control group.
        6 "cgroup-memory" CgroupMemory,
        /// So is the number of its processes.
        7 "cgroup-pids" CgroupPids,
        /// So is its share of the processors.
        8 "cgroup-cpu" CgroupCpu,
        /// Each process has limits of its own.
        9 "rlimits" Rlimits,
        /// Whatever it starts is found and killed.
        10 "tree-kill" TreeKill,
    }
}

code! {
    /// What the master says of the job that a HELLO named.
    Resume {
        /// It named none.
        0 "none" None,
        /// Go on with it: LOG from `log_from`, and BUILT when it is finished.
        1 "go-on" GoOn,
        /// It is not wanted any more: stop it, throw away what it made.
        2 "drop" Drop,
    }
}

record! {
    /// The job that a slave holds when it connects.
    Held {
        /// The job.
        token: JobToken,
        /// How far it is.
        state: Holding,
    }
}

record! {
    /// How a slave's machine is doing. What it cannot say is 0, or none.
    Vitals {
        /// Load average of the last minute, in hundredths.
        load1_centi: u32,
        /// Processors.
        cpus: u16,
        /// Memory, in bytes.
        memory_total: u64,
        /// Memory that a build could have, in bytes.
        memory_free: u64,
        /// The file system of its work directory, in bytes.
        disk_total: u64,
        /// What a build could write there, in bytes.
        disk_free: u64,
        /// Of the hottest part that is measured, in tenths of a degree Celsius.
        temperature: Option<i16>,
        /// Its wall clock: milliseconds since 1970.
        clock_ms: u64,
        /// Whether its processors are slowed down now, for heat or for want of voltage.
        throttled: Option<bool>,
    }
}

record! {
    /// What a slave's machine is, and what it can hold a build back with.
    #[derive(Default)]
    Board {
        /// The model, such as `Raspberry Pi 4 Model B Rev 1.5`.
        machine: Text<MACHINE_BYTES>,
        /// The system, such as `Debian GNU/Linux 12 (bookworm), Linux 6.12.34+rpt-rpi-v8`.
        os: Text<OS_BYTES>,
        /// What is in force for every build, in the order of the codes.
        walls: List<Wall, WALLS>,
    }
}

record! {
    /// What a build was made from.
    Sdist {
        /// File name, without a path.
        filename: Text<FILENAME_BYTES>,
        /// Bytes.
        size: u64,
        /// Of those bytes.
        sha256: Sha256,
    }
}

record! {
    /// What is kept of a build for whoever wants to repeat it. What the slave cannot tell is empty, 0 or none.
    #[derive(Default)]
    BuildReport {
        /// Such as `CPython 3.11.2`.
        interpreter: Text<TOOL_BYTES>,
        /// Its pip's version.
        pip: Text<TAG_BYTES>,
        /// The arguments that pip built with.
        pip_arguments: Text<REASON_BYTES>,
        /// Such as `gcc (Debian 12.2.0-14+deb12u1) 12.2.0`.
        compiler: Text<TOOL_BYTES>,
        /// What it was built from.
        sdist: Option<Sdist>,
        /// Build requirements as pip says that it installed them: `setuptools-69.5.1`.
        requirements: List<Text<NAME_BYTES>, REPORT_REQUIREMENTS>,
        /// Largest memory of all its processes together, in bytes.
        peak_memory: u64,
        /// Processor time of all its processes, in milliseconds.
        cpu_ms: u64,
        /// Debian packages of its system that hold the shared libraries which the wheels need.
        apt: List<Text<APT_BYTES>, REPORT_APT>,
    }
}

record! {
    /// A file that a build made.
    BuiltFile {
        /// File name, without a path.
        filename: Text<FILENAME_BYTES>,
        /// Bytes.
        size: u64,
        /// Of those bytes.
        sha256: Sha256,
    }
}

messages! {
    /// From a slave to the master.
    FromSlave {
        /// First message of a connection.
        0x01 "HELLO" Hello {
            /// Software version; must be the master's.
            software: Text<TAG_BYTES>,
            /// Name for people, unique by agreement only.
            label: Text<LABEL_BYTES>,
            /// The time a build may take, in seconds.
            timeout_secs: u32,
            /// Python version, such as `311`.
            python_tag: Text<TAG_BYTES>,
            /// ABI, such as `cp311`.
            abi_tag: Text<TAG_BYTES>,
            /// Platform, such as `linux_armv7l`.
            platform_tag: Text<TAG_BYTES>,
            /// Its machine.
            board: Board,
            /// A job from an earlier connection.
            held: Option<Held>,
        }
        /// Asks for a job.
        0x02 "IDLE" Idle {}
        /// A sign of life.
        0x03 "BUSY" Busy {
            /// How its machine is doing.
            vitals: Vitals,
            /// Why it asks for no job, for people; none: it asks when it has none.
            holds_back: Option<Text<HOLDS_BACK_BYTES>>,
        }
        /// A piece of the build's log.
        0x04 "LOG" Log {
            /// Where it stands in the log, in bytes.
            offset: u64,
            /// The piece.
            data: Blob<LOG_BYTES>,
        }
        /// The build ended.
        0x05 "BUILT" Built {
            /// The job.
            token: JobToken,
            /// How it ended.
            end: BuildEnd,
            /// Wall-clock time, in milliseconds.
            duration_ms: u64,
            /// Length of the whole log; all of it was sent before.
            log_bytes: u64,
            /// What it made; empty unless `end` is `built`.
            files: List<BuiltFile, FILES_PER_BUILD>,
            /// How it came about.
            report: BuildReport,
        }
        /// The file asked for was sent on the file channel.
        0x06 "SENT" Sent {
            /// Which, counted from 0 in the order of BUILT.
            index: u16,
        }
        /// The slave goes. A job it holds is given back.
        0x07 "BYE" Bye {
            /// Why, for people.
            reason: Text<REASON_BYTES>,
        }
    }
}

messages! {
    /// From the master to a slave.
    ToSlave {
        /// The slave is known.
        0x81 "HELLO" Hello {
            /// The number both sides name it by in their logs.
            slave_id: u32,
            /// Index to build from (PEP 503).
            index_url: Text<URL_BYTES>,
            /// What becomes of the job that HELLO named.
            resume: Resume,
            /// Bytes of that job's log that the master has.
            log_from: u64,
            /// Bytes of one build's log that the master takes at most.
            log_limit: u64,
        }
        /// No job now. Ask again after WAKE, or after this time.
        0x82 "SLEEP" Sleep {
            /// 1 to 3600.
            seconds: u16,
        }
        /// Work has arrived: ask again.
        0x83 "WAKE" Wake {}
        /// A job.
        0x84 "BUILD" Build {
            /// The job.
            token: JobToken,
            /// Package, canonical name.
            package: Text<NAME_BYTES>,
            /// Version, canonical.
            version: Text<NAME_BYTES>,
            /// The build tag that its wheels are to have, instead of any that the backend gives them; 0: none is asked for.
            build_tag: u64,
        }
        /// Send a file on the file channel.
        0x85 "SEND" Send {
            /// Which, counted from 0 in the order of BUILT.
            index: u16,
            /// What the file channel's HELLO must name.
            transfer: [u8; 16],
        }
        /// The build is recorded, every file is in place: forget it.
        0x86 "DONE" Done {
            /// Which.
            build: BuildId,
        }
        /// Stop whatever runs and go.
        0x87 "BYE" Bye {
            /// Why, for people.
            reason: Text<REASON_BYTES>,
        }
        /// Stop this build, keep its log, and say BUILT `cancelled`.
        0x88 "CANCEL" Cancel {
            /// Which.
            build: BuildId,
        }
    }
}
