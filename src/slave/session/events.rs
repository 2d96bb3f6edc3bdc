//! What goes into the session and what comes out of it.

use log::Level;

use super::OnTerm;
use crate::domain::{BuildId, Millis};
use crate::wire::limits::{FILES_PER_BUILD, HOLDS_BACK_BYTES, LABEL_BYTES, TAG_BYTES};
use crate::wire::slave::{Board, BuildEnd, BuildReport, BuiltFile, FromSlave, ToSlave};
use crate::wire::{List, Text};

/// What HELLO says of this slave.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Software version.
    pub software: Text<TAG_BYTES>,
    /// Name for people.
    pub label: Text<LABEL_BYTES>,
    /// The time one build may take, in seconds.
    pub timeout_secs: u32,
    /// Python version, such as `311`.
    pub python_tag: Text<TAG_BYTES>,
    /// ABI, such as `cp311`.
    pub abi_tag: Text<TAG_BYTES>,
    /// Platform, such as `linux_armv7l`.
    pub platform_tag: Text<TAG_BYTES>,
    /// Its machine.
    pub board: Board,
}

/// How a build ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended.
    pub end: BuildEnd,
    /// Wall-clock time.
    pub duration: Millis,
    /// Length of the whole log, in bytes.
    pub log_bytes: u64,
    /// What it made; empty unless it was built.
    pub files: List<BuiltFile, FILES_PER_BUILD>,
    /// How it came about.
    pub report: Box<BuildReport>,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// Time has passed: due whenever [`super::Session::next_deadline`] is reached.
    Tick,
    /// The connection stands and the master's preamble was right.
    Connected,
    /// There is no connection, or no longer; for people, why.
    Disconnected(String),
    /// A message came.
    Message(ToSlave),
    /// Everything sent so far has left this process: there is room for more of the log.
    Drained,
    /// The build's log has grown to this many bytes.
    LogGrew(u64),
    /// The build ended, and its whole log is written.
    Ended(Outcome),
    /// Everything of the build is gone, as [`Effect::DiscardBuild`] asked.
    Discarded,
    /// The file channel said DONE.
    TransferDone,
    /// What the finished build left cannot be read any more; for people, why.
    Lost(String),
    /// No build can be started on this machine; for people, why.
    CannotBuild(String),
    /// Whether the machine is fit for a job: why it is not, for people, in the same words as long as it is the same
    /// reason. Answers [`Effect::Look`] and [`Effect::SendBusy`], at once.
    Fit(Option<Text<HOLDS_BACK_BYTES>>),
    /// The operator wants an end: so the first time, and at once the second.
    Stop(OnTerm),
    /// The operator wants the configuration read anew. It was read, or what is wrong with it, for people.
    Renew(Result<(), String>),
    /// The start was tried, as [`Effect::TryStart`] asked; why it does not work, for people.
    Tried(Result<(), String>),
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Connect to the master.
    Connect,
    /// Close the connection, when what was sent has left or cannot leave. Not answered by [`Input::Disconnected`].
    Disconnect,
    /// Send a message.
    Send(FromSlave),
    /// Look whether the machine is fit for a job.
    Look,
    /// Look at the machine, and send BUSY with how it is doing and what [`super::Session::holds_back`] then says.
    SendBusy,
    /// Send this piece of the build's log.
    SendLog {
        /// Where it begins.
        offset: u64,
        /// At most what one LOG may carry.
        length: usize,
    },
    /// Begin to build.
    StartBuild {
        /// Which.
        build: BuildId,
        /// Package, canonical name.
        package: String,
        /// Version; letters, digits and `.!+_-` only.
        version: String,
        /// The build tag that its wheels are to have; 0: what the backend gives them.
        build_tag: u64,
        /// Index to build from; empty for the one pip is configured for.
        index_url: String,
        /// The most of its log that the master takes, in bytes.
        log_limit: u64,
    },
    /// Kill the build, if it runs, and let it end as cancelled, with its log.
    CancelBuild,
    /// Kill the build, if it runs, and delete everything of it.
    DiscardBuild,
    /// Send this file of the finished build on the file channel.
    ServeTransfer {
        /// Which, in the order of [`Outcome::files`].
        index: u16,
        /// What the file channel's HELLO names.
        transfer: [u8; 16],
    },
    /// No transfer is wanted any more: close the file channel.
    StopTransfer,
    /// Nothing is held: try whether the program could start with what is configured now.
    TryStart,
    /// Begin the program anew when what was sent has left.
    Renew,
    /// Tell the operator.
    Report(Level, String),
    /// End the program when what was sent has left.
    Exit {
        /// Whether something is wrong with this machine.
        failure: bool,
    },
}
