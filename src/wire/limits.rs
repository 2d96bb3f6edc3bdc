//! Every bound of the protocol, in one place. The text beside each in `wire-spec/` quotes these.

/// Tag and payload of one frame on the slave channel, in bytes.
pub const SLAVE_FRAME_BYTES: usize = 64 * 1024;
/// Tag and payload of a frame on either of these channels before the peer is let in, in bytes: AUTH, PROOF, a HELLO.
pub const FIRST_FRAME_BYTES: usize = 1024;
/// Tag and payload of one frame on the file channel, in bytes: one chunk and its header.
pub const FILE_FRAME_BYTES: usize = CHUNK_BYTES + 64;
/// Tag and payload of one frame on the import channel, in bytes. Its peers are local administrators.
pub const IMPORT_FRAME_BYTES: usize = 16 * 1024 * 1024;
/// Tag and payload of one frame on the status and control channels, in bytes.
pub const LOCAL_FRAME_BYTES: usize = 64 * 1024;

/// The most one FETCH may ask for and one CHUNK may carry, in bytes.
pub const CHUNK_BYTES: usize = 256 * 1024;
/// The most one LOG may carry, in bytes.
pub const LOG_BYTES: usize = 32 * 1024;
/// The smallest limit of a build's log, in bytes: under it head and tail say nothing.
pub const SMALLEST_LOG_LIMIT: u64 = 16 * 1024;
/// Files in one BUILT.
pub const FILES_PER_BUILD: usize = 64;
/// Requirements in one ADD.
pub const ADD_ITEMS: usize = 5_000;
/// What a build printed, sent with an import, in bytes: the default of the master's own limit of a log.
pub const OUTPUT_BYTES: usize = 8 * 1024 * 1024;
/// Platforms of one ABI.
pub const ABI_PLATFORMS: usize = 16;

/// Names in one message of the audit of the web tree.
pub const AUDIT_NAMES: usize = 500;
/// A name in the web tree, in bytes: what file systems have room for.
pub const TREE_NAME_BYTES: usize = 255;

/// Records in one DOWNLOADS.
pub const DOWNLOAD_RECORDS: usize = 500;
/// What a client says of itself in one field of a download's record, in bytes.
pub const CLIENT_BYTES: usize = 100;

/// What a seal adds to a frame, in bytes: its number and its MAC.
pub const SEAL_BYTES: usize = 24;
/// The name of a slave's key, in bytes.
pub const NAME_KEY_BYTES: usize = 64;
/// Moments of a slave's machine that are kept, 10 s apart.
pub const TREND_SAMPLES: usize = 60;
/// Ways for a build to end.
pub const OUTCOMES: usize = 32;
/// A slave's label, in bytes.
pub const LABEL_BYTES: usize = 64;
/// A software version, a tag, in bytes.
pub const TAG_BYTES: usize = 64;
/// A package name or a version, in bytes.
pub const NAME_BYTES: usize = 200;
/// A wheel's file name, in bytes.
pub const FILENAME_BYTES: usize = 240;
/// A reason or another line for people, in bytes.
pub const REASON_BYTES: usize = 1000;
/// A machine's model, in bytes.
pub const MACHINE_BYTES: usize = 100;
/// A system's name and version, in bytes.
pub const OS_BYTES: usize = 200;
/// Kinds of walls around a build.
pub const WALLS: usize = 32;
/// File systems that a master writes to.
pub const DISKS: usize = 2;
/// Where one of them is, in bytes.
pub const PATH_BYTES: usize = 4096;
/// Things that go on by themselves in a master.
pub const TASKS: usize = 32;
/// Lines of trouble that a master remembers.
pub const ERROR_LINES: usize = 10;
/// Why a slave asks for no job, in bytes.
pub const HOLDS_BACK_BYTES: usize = 200;
/// Name and version of a tool, in bytes.
pub const TOOL_BYTES: usize = 200;
/// Build requirements in one report.
pub const REPORT_REQUIREMENTS: usize = 100;
/// Packages of its system that a slave names in one report.
pub const REPORT_APT: usize = 64;
/// The name of such a package, in bytes.
pub const APT_BYTES: usize = 100;
/// Where a peer connects from, in bytes.
pub const PEER_BYTES: usize = 100;
/// A URL, in bytes.
pub const URL_BYTES: usize = 2000;
/// A JSON answer on the import channel, in bytes.
pub const JSON_BYTES: usize = IMPORT_FRAME_BYTES - 64;

// The bounds fit into each other.
const _: () = assert!(
    1 + 5 * (2 + LABEL_BYTES) + 4 + 26 + (2 + MACHINE_BYTES) + (2 + OS_BYTES) + (2 + WALLS) + SEAL_BYTES
        <= FIRST_FRAME_BYTES
        && TAG_BYTES <= LABEL_BYTES
);
const _: () =
    assert!(LOG_BYTES + 64 + SEAL_BYTES <= SLAVE_FRAME_BYTES && LOG_BYTES + 64 <= LOCAL_FRAME_BYTES);
const _: () = assert!(OUTCOMES * (TAG_BYTES + 10) <= LOCAL_FRAME_BYTES);
const _: () = assert!(
    DISKS * (PATH_BYTES + 64) + TASKS * (TAG_BYTES + 16) + (ERROR_LINES + 3) * (REASON_BYTES + 16) + 256
        <= LOCAL_FRAME_BYTES
);
const _: () = assert!(NAME_KEY_BYTES <= LABEL_BYTES);
const _: () = assert!(
    FILES_PER_BUILD * (FILENAME_BYTES + 2 + 8 + 32)
        + REPORT_REQUIREMENTS * (NAME_BYTES + 2)
        + REPORT_APT * (APT_BYTES + 2)
        + (REASON_BYTES + FILENAME_BYTES + 2 * TOOL_BYTES + TAG_BYTES)
        + 512
        + SEAL_BYTES
        <= SLAVE_FRAME_BYTES
);
const _: () =
    assert!(OUTPUT_BYTES + FILES_PER_BUILD * (FILENAME_BYTES + 2 + 8 + 32) + 1024 <= IMPORT_FRAME_BYTES);
const _: () = assert!(CHUNK_BYTES + 64 <= IMPORT_FRAME_BYTES);
const _: () = assert!(ADD_ITEMS * (3 * NAME_BYTES + 6) <= IMPORT_FRAME_BYTES);
const _: () =
    assert!(DOWNLOAD_RECORDS * (FILENAME_BYTES + 10 * (CLIENT_BYTES + 2) + 64) <= IMPORT_FRAME_BYTES);
