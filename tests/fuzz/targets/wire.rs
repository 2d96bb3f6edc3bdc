//! Frames, preambles, the messages of every channel, seals.

use std::fmt::Debug;

use bytes::{Bytes, BytesMut};

use super::Target;
use crate::wire::auth::{Broken, Challenge, Claim, FromClaimant, Key, Session, ToClaimant};
use crate::wire::preamble::{BYTES, Preamble};
use crate::wire::{
    Channel, Frame, Text, WireError, auth, control, file, frame, import, limits, slave, status,
};

pub(super) const TARGETS: &[Target] = &[
    Target { name: "frames", run: frames },
    Target { name: "preamble", run: preamble },
    Target { name: "slave_channel", run: slave_channel },
    Target { name: "file_channel", run: file_channel },
    Target { name: "import_channel", run: import_channel },
    Target { name: "status_channel", run: status_channel },
    Target { name: "control_channel", run: control_channel },
    Target { name: "auth_channel", run: auth_channel },
    Target { name: "seals", run: seals },
];

const CHANNELS: [Channel; 5] =
    [Channel::Slave, Channel::File, Channel::Import, Channel::Status, Channel::Control];

/// Two bytes of limit, one of piece length, then a stream.
fn frames(data: &[u8]) {
    let Some((&[high, low, piece], stream)) = data.split_first_chunk() else { return };
    let limit = usize::from(u16::from_be_bytes([high, low]));
    let (whole, end) = read(stream, limit, stream.len());
    for piece in [1, usize::from(piece) + 2] {
        assert_eq!(read(stream, limit, piece), (whole.clone(), end.clone()), "in pieces of {piece}");
    }
    // what was taken is what stands there, and nothing behind it
    let mut again = BytesMut::new();
    for Frame { tag, payload } in &whole {
        assert!(payload.len() < limit, "the tag counts");
        frame::put(&mut again, *tag, |out| out.extend_from_slice(payload));
    }
    assert_eq!(again, stream[..again.len()]);
    if let Ok(left) = end {
        assert_eq!(again.len() + left, stream.len());
    }
}

/// The frames of a stream, and its end: bytes that wait for more, or why it was refused.
fn read(stream: &[u8], limit: usize, piece: usize) -> (Vec<Frame>, Result<usize, WireError>) {
    let mut input = BytesMut::new();
    let mut frames = Vec::new();
    for piece in stream.chunks(piece.max(1)) {
        input.extend_from_slice(piece);
        loop {
            match frame::take(&mut input, limit) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Err(error)),
            }
        }
        assert!(
            input.capacity() <= 4 * (limit + stream.len()) + 1024,
            "it keeps more than one frame may have"
        );
    }
    (frames, Ok(input.len()))
}

fn preamble(data: &[u8]) {
    let Some((&bytes, _)) = data.split_first_chunk::<BYTES>() else { return };
    for channel in CHANNELS {
        let sound = bytes == Preamble { channel }.encode();
        let checked = Preamble::check(bytes, channel);
        assert_eq!(checked.is_ok(), sound, "one preamble for each channel");
        let _ = checked.map_err(|error| error.to_string());
    }
}

/// A tag and a payload, which one direction of a channel takes or refuses.
fn message<M: Debug + PartialEq>(
    data: &[u8],
    decode: fn(Frame) -> Result<M, WireError>,
    encode: fn(&M, &mut BytesMut),
) {
    let Some((&tag, payload)) = data.split_first() else { return };
    let frame = |payload: &[u8]| Frame { tag, payload: Bytes::copy_from_slice(payload) };
    let message = match decode(frame(payload)) {
        Ok(message) => message,
        Err(error) => {
            assert_eq!(decode(frame(payload)).map_err(|error| error.to_string()), Err(error.to_string()));
            return;
        }
    };
    let mut out = BytesMut::new();
    encode(&message, &mut out);
    assert_eq!(out[5..out.len() - 4], *payload, "one message, one encoding");
    let taken = frame::take(&mut out, data.len()).unwrap().unwrap();
    assert_eq!(decode(taken), Ok(message));
    // every byte is a field's, and no field's is missing
    if let Some((_, cut)) = payload.split_last() {
        assert!(decode(frame(cut)).is_err(), "without its last byte");
    }
    assert!(decode(frame(&[payload, &[0]].concat())).is_err(), "with a byte more");
}

fn slave_channel(data: &[u8]) {
    message(data, slave::FromSlave::decode, slave::FromSlave::encode);
    message(data, slave::ToSlave::decode, slave::ToSlave::encode);
}

fn file_channel(data: &[u8]) {
    message(data, file::FromSlave::decode, file::FromSlave::encode);
    message(data, file::ToSlave::decode, file::ToSlave::encode);
}

fn import_channel(data: &[u8]) {
    message(data, import::FromTool::decode, import::FromTool::encode);
    message(data, import::ToTool::decode, import::ToTool::encode);
}

fn status_channel(data: &[u8]) {
    message(data, status::FromMonitor::decode, status::FromMonitor::encode);
    message(data, status::ToMonitor::decode, status::ToMonitor::encode);
}

fn control_channel(data: &[u8]) {
    message(data, control::FromTool::decode, control::FromTool::encode);
    message(data, control::ToTool::decode, control::ToTool::encode);
}

fn auth_channel(data: &[u8]) {
    message(data, FromClaimant::decode, FromClaimant::encode);
    message(data, ToClaimant::decode, ToClaimant::encode);
}

/// Both sides of a proven connection.
fn sessions() -> (Session, Session) {
    let key = || Key([7; 32]);
    let name = || Text::cut("pi-1");
    let (_, claim) = Claim::new(key(), name(), Channel::Slave, [2; 32]);
    let (challenge, pending) = Challenge::new(key(), name(), Channel::Slave, [2; 32], [3; 32]);
    let ToClaimant::Challenge { nonce, proof } = challenge else { panic!("no challenge") };
    let (answer, slave) = claim.answer(nonce, proof).unwrap();
    let FromClaimant::Proof { proof } = answer else { panic!("no proof") };
    (slave, pending.check(proof).unwrap())
}

/// Where a sealed frame is changed and to what, then its tag and payload.
fn seals(data: &[u8]) {
    let Some((&[high, low, change, tag], payload)) = data.split_first_chunk() else { return };
    let (mut slave, mut master) = sessions();
    let sent = Frame { tag, payload: Bytes::copy_from_slice(payload) };
    // what was never sealed does not open
    assert_eq!(master.opener.open(sent.clone()), Err(Broken::Mac));
    let mut sealed = BytesMut::new();
    frame::put(&mut sealed, tag, |out| out.extend_from_slice(payload));
    slave.sealer.seal(&mut sealed, 0);
    let limit = payload.len() + 1 + limits::SEAL_BYTES;
    let take = |bytes: &[u8]| frame::take(&mut BytesMut::from(bytes), limit);
    let whole = take(&sealed).unwrap().unwrap();
    if change != 0 {
        let mut forged = whole.clone();
        let mut bytes = forged.payload.to_vec();
        let at = usize::from(u16::from_be_bytes([high, low])) % (bytes.len() + 1);
        match bytes.get_mut(at) {
            Some(byte) => *byte ^= change,
            None => forged.tag ^= change,
        }
        forged.payload = bytes.into();
        assert_eq!(master.opener.open(forged), Err(Broken::Mac));
    }
    assert_eq!(master.opener.open(whole.clone()), Ok(sent), "a forged frame does not disturb the next one");
    assert_eq!(master.opener.open(whole), Err(Broken::Replayed));
    let _ = auth::is_sealed(Channel::File, tag);
}
