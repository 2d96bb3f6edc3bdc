//! Frames: `length u32 | tag u8 | payload | crc32 u32`, big-endian. The length counts tag and payload; the CRC-32
//! (IEEE 802.3) covers them.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::WireError;

const LENGTH_BYTES: usize = 4;
const CRC_BYTES: usize = 4;

/// One frame whose checksum was right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Which message.
    pub tag: u8,
    /// Its fields.
    pub payload: Bytes,
}

/// Takes the first whole frame out of `input`; `None` when more bytes must come first. `limit` bounds tag and payload:
/// a longer frame is refused as soon as its length field is there, before any of it is kept.
pub fn take(input: &mut BytesMut, limit: usize) -> Result<Option<Frame>, WireError> {
    let Some(mut head) = input.get(..LENGTH_BYTES) else { return Ok(None) };
    let length = head.get_u32() as usize;
    if length > limit {
        return Err(WireError::TooLong { length: length as u64, limit });
    }
    if length == 0 {
        return Err(WireError::Empty);
    }
    let whole = LENGTH_BYTES + length + CRC_BYTES;
    if input.len() < whole {
        input.reserve(whole - input.len());
        return Ok(None);
    }
    let mut frame = input.split_to(whole).freeze();
    frame.advance(LENGTH_BYTES);
    let mut body = frame.split_to(length);
    if crc32fast::hash(&body) != frame.get_u32() {
        return Err(WireError::BadCrc);
    }
    let tag = body.get_u8();
    Ok(Some(Frame { tag, payload: body }))
}

/// Appends a frame to `output`, its payload written by `fill`.
pub fn put(output: &mut BytesMut, tag: u8, fill: impl FnOnce(&mut BytesMut)) {
    let start = output.len();
    output.put_u32(0);
    output.put_u8(tag);
    fill(output);
    let length = output.len() - start - LENGTH_BYTES;
    // Every message's bounds are far below 4 GiB; see `limits`.
    output[start..start + LENGTH_BYTES].copy_from_slice(&(length as u32).to_be_bytes());
    let crc = crc32fast::hash(&output[start + LENGTH_BYTES..]);
    output.put_u32(crc);
}

/// Adds to the payload of the frame that begins at `start` and is the last of `output`: `add` is given its tag and the
/// payload, and appends.
pub fn amend(output: &mut BytesMut, start: usize, add: impl FnOnce(u8, &mut BytesMut)) {
    let body = output.split_off(start + LENGTH_BYTES);
    let Some((tag, rest)) = body.split_first() else { return };
    let mut payload = BytesMut::from(&rest[..rest.len().saturating_sub(CRC_BYTES)]);
    output.truncate(start);
    add(*tag, &mut payload);
    put(output, *tag, |out| out.put_slice(&payload));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(tag: u8, payload: &[u8]) -> BytesMut {
        let mut out = BytesMut::new();
        put(&mut out, tag, |out| out.put_slice(payload));
        out
    }

    #[test]
    fn a_frame_over_the_limit_is_refused_from_its_length_alone() {
        let mut input = BytesMut::from(&[0x00, 0x01, 0x00, 0x01][..]);
        assert_eq!(take(&mut input, 65536), Err(WireError::TooLong { length: 65537, limit: 65536 }));
        let mut input = BytesMut::from(&[0xff; 4][..]);
        assert!(matches!(take(&mut input, 65536), Err(WireError::TooLong { .. })));
    }

    #[test]
    fn an_empty_frame_is_refused() {
        let mut input = BytesMut::from(&[0u8; 8][..]);
        assert_eq!(take(&mut input, 10), Err(WireError::Empty));
    }

    proptest! {
        #[test]
        fn frames_survive_any_cut_of_the_stream(
            frames in proptest::collection::vec((any::<u8>(), proptest::collection::vec(any::<u8>(), 0..50)), 1..5),
            cuts in proptest::collection::vec(1usize..20, 1..40),
        ) {
            let mut stream = BytesMut::new();
            for (tag, payload) in &frames {
                stream.extend_from_slice(&frame(*tag, payload));
            }
            let mut input = BytesMut::new();
            let mut seen = Vec::new();
            let mut cuts = cuts.into_iter().cycle();
            while !stream.is_empty() {
                let piece = stream.split_to(cuts.next().unwrap().min(stream.len()));
                input.extend_from_slice(&piece);
                while let Some(frame) = take(&mut input, 100).unwrap() {
                    seen.push((frame.tag, frame.payload.to_vec()));
                }
            }
            prop_assert_eq!(seen, frames);
            prop_assert!(input.is_empty());
        }

        #[test]
        fn one_flipped_bit_is_never_taken_for_the_frame(
            tag in any::<u8>(),
            payload in proptest::collection::vec(any::<u8>(), 0..50),
            bit in any::<prop::sample::Index>(),
        ) {
            let sound = frame(tag, &payload);
            let mut broken = sound.clone();
            let bit = bit.index(broken.len() * 8);
            broken[bit / 8] ^= 1 << (bit % 8);
            // a larger length field waits for bytes that never come; everything else is an error
            if let Ok(Some(frame)) = take(&mut broken, 1000) {
                prop_assert!(false, "accepted {frame:?}");
            }
        }
    }
}
