//! What each side of a connection sends first: `magic [4] | version u16 | channel u8 | zero u8`.

use super::WireError;

/// The first four bytes of every connection.
pub const MAGIC: [u8; 4] = *b"PIWH";
/// The protocol's version. Both sides must speak the same one.
pub const VERSION: u16 = 2;
/// Bytes of a preamble.
pub const BYTES: usize = 8;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Channel {
    /// A build slave and the slave driver.
    Slave = 1,
    /// A build slave and the file juggler.
    File = 2,
    /// The administrator's tools and Mr Chase.
    Import = 3,
    /// Monitors and the hub.
    Status = 4,
    /// The administrator's commands to a running farm.
    Control = 5,
}

impl Channel {
    /// Tag and payload of one frame, in bytes.
    pub const fn frame_limit(self) -> usize {
        match self {
            Self::Slave => super::limits::SLAVE_FRAME_BYTES,
            Self::File => super::limits::FILE_FRAME_BYTES,
            Self::Import => super::limits::IMPORT_FRAME_BYTES,
            Self::Status | Self::Control => super::limits::LOCAL_FRAME_BYTES,
        }
    }
}

/// A preamble of this program's version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preamble {
    /// What the connection is for.
    pub channel: Channel,
}

impl Preamble {
    /// The bytes to send.
    pub const fn encode(self) -> [u8; BYTES] {
        let [m0, m1, m2, m3] = MAGIC;
        let [v0, v1] = VERSION.to_be_bytes();
        [m0, m1, m2, m3, v0, v1, self.channel as u8, 0]
    }

    /// Reads a peer's preamble, which must be for `channel`.
    pub fn check(bytes: [u8; BYTES], channel: Channel) -> Result<(), WireError> {
        let [m0, m1, m2, m3, v0, v1, asked, zero] = bytes;
        if [m0, m1, m2, m3] != MAGIC {
            return Err(WireError::NotOurProtocol);
        }
        let theirs = u16::from_be_bytes([v0, v1]);
        if theirs != VERSION {
            return Err(WireError::OtherProtocol { theirs });
        }
        if asked != channel as u8 || zero != 0 {
            return Err(WireError::WrongChannel { asked });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preamble_says_magic_version_and_channel() {
        let bytes = Preamble { channel: Channel::File }.encode();
        assert_eq!(&bytes, b"PIWH\x00\x02\x02\x00");
        assert_eq!(Preamble::check(bytes, Channel::File), Ok(()));
        assert_eq!(Preamble::check(bytes, Channel::Slave), Err(WireError::WrongChannel { asked: 2 }));
        assert_eq!(
            Preamble::check(*b"PIWH\x00\x01\x02\x00", Channel::File),
            Err(WireError::OtherProtocol { theirs: 1 })
        );
        assert_eq!(Preamble::check(*b"GET / HT", Channel::File), Err(WireError::NotOurProtocol));
    }
}
