//! The file channel: a build slave and the file juggler (manual 3.3.2; `wire-spec/file.md`).

use super::Blob;
use super::limits::*;

/// CHUNK's tag: the one message that bears no seal.
pub const CHUNK_TAG: u8 = 0x02;

messages! {
    /// From a slave to the master.
    FromSlave {
        /// Begins, or after a break resumes, one transfer.
        0x01 "HELLO" Hello {
            /// The transfer that SEND named.
            transfer: [u8; 16],
        }
        /// Bytes that a FETCH asked for.
        0x02 "CHUNK" Chunk {
            /// Where they stand in the file.
            offset: u64,
            /// The bytes.
            data: Blob<CHUNK_BYTES>,
        }
    }
}

messages! {
    /// From the master to a slave.
    ToSlave {
        /// Asks for bytes.
        0x81 "FETCH" Fetch {
            /// Where they begin.
            offset: u64,
            /// How many, 1 to 262,144.
            length: u32,
        }
        /// Every byte has come: the file may be closed, not yet deleted.
        0x82 "DONE" Done {}
    }
}
