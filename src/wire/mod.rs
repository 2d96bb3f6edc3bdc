//! The protocol between the programs: framing, and the messages of each channel. The normative text is `wire-spec/`.
//!
//! Bytes in, messages out, and back. No sockets, no clock, no meaning: whether a name is a wheel's is the domain's
//! business, whether a message may come now is the state machines'.

#[macro_use]
mod macros;

pub mod auth;
pub mod control;
pub mod field;
pub mod file;
pub mod frame;
pub mod ids;
pub mod import;
pub mod limits;
pub mod preamble;
pub mod slave;
pub mod status;
#[cfg(test)]
mod tests {
    mod second_codec;
}
#[cfg(test)]
pub(crate) mod vectors;

pub use field::{Blob, List, Text};
pub use frame::Frame;
pub use ids::{BuildId, JobToken, Sha256};
pub use preamble::{Channel, Preamble};

use std::fmt;

/// Why bytes are not a message. Every one of these ends the connection they came on, and no other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WireError {
    /// The connection does not begin with the protocol's magic number.
    NotOurProtocol,
    /// The peer speaks another version of the protocol.
    OtherProtocol {
        /// Its version.
        theirs: u16,
    },
    /// The peer asks for a channel that this socket does not serve.
    WrongChannel {
        /// The channel's number.
        asked: u8,
    },
    /// A frame is longer than its channel allows.
    TooLong {
        /// Its length field.
        length: u64,
        /// The channel's limit.
        limit: usize,
    },
    /// A frame has no tag.
    Empty,
    /// The checksum does not fit the bytes.
    BadCrc,
    /// The channel has no such message in this direction.
    UnknownTag(u8),
    /// A field does not decode.
    Field {
        /// The message.
        message: &'static str,
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Bytes are left when every field was read.
    Trailing {
        /// The message.
        message: &'static str,
        /// How many.
        bytes: usize,
    },
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOurProtocol => {
                f.write_str("the connection does not begin with the protocol's magic number")
            }
            Self::OtherProtocol { theirs } => {
                write!(f, "the peer speaks protocol version {theirs}, this program {}", preamble::VERSION)
            }
            Self::WrongChannel { asked } => write!(f, "channel {asked} is not served here"),
            Self::TooLong { length, limit } => {
                write!(f, "a frame of {length} bytes is over this channel's limit of {limit}")
            }
            Self::Empty => f.write_str("a frame without a tag"),
            Self::BadCrc => f.write_str("a frame whose checksum does not fit its bytes"),
            Self::UnknownTag(tag) => write!(f, "unknown tag {tag:#04x}"),
            Self::Field { message, field, reason } => write!(f, "{message}: {field} {reason}"),
            Self::Trailing { message, bytes } => write!(f, "{message}: {bytes} bytes too many"),
        }
    }
}

impl std::error::Error for WireError {}
