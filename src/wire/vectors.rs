//! The golden vectors of `wire-spec/vectors/`, read in both directions. With `PIW_WRITE_VECTORS=1` the frames of the
//! files are written anew from their fields: for a change of the protocol that was meant.

use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};
use serde_json::Value;

use super::ids::{BuildId, JobToken, Sha256};
use super::{Blob, Channel, List, Text, auth, control, file, frame, import, slave, status};

/// A message as its name and fields.
pub(crate) trait Described: Sized {
    const NAMES: &'static [&'static str];
    fn fields(&self) -> (&'static str, Value);
    fn build(name: &str, fields: &Value) -> Self;
    /// A message of this name, with any fields.
    fn drawn(name: &str, chance: &mut Chance) -> Self;
}

/// A field as JSON.
pub(crate) trait Json {
    fn json(&self) -> Value;
    fn value(json: &Value) -> Self;
    /// Any value, those at the bounds more often.
    fn drawn(chance: &mut Chance) -> Self;
}

/// SplitMix64: random numbers that are the same everywhere for one seed.
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    /// A length up to a bound: none, all of it where that is not much, else a few.
    fn length(&mut self, most: usize, much: usize) -> usize {
        let much = if cfg!(miri) { much.min(32) } else { much };
        match self.below(8) {
            0 => 0,
            1 if most <= much => most,
            _ => self.below(most.min(20) + 1),
        }
    }
}

macro_rules! number {
    ($($ty:ty),*) => {$(
        impl Json for $ty {
            fn json(&self) -> Value {
                (*self).into()
            }
            fn value(json: &Value) -> Self {
                json.as_i64().map(|n| n as $ty).or(json.as_u64().map(|n| n as $ty)).expect("a number")
            }
            fn drawn(chance: &mut Chance) -> Self {
                match chance.below(4) {
                    0 => <$ty>::MIN,
                    1 => <$ty>::MAX,
                    _ => chance.next() as $ty,
                }
            }
        }
    )*};
}

number!(u8, u16, u32, u64, i16, i64);

impl Json for bool {
    fn json(&self) -> Value {
        (*self).into()
    }
    fn value(json: &Value) -> Self {
        json.as_bool().expect("true or false")
    }
    fn drawn(chance: &mut Chance) -> Self {
        chance.below(2) == 1
    }
}

impl<const N: usize> Json for [u8; N] {
    fn json(&self) -> Value {
        hex(self).into()
    }
    fn value(json: &Value) -> Self {
        unhex(json.as_str().expect("hex")).try_into().expect("the right length")
    }
    fn drawn(chance: &mut Chance) -> Self {
        std::array::from_fn(|_| chance.next() as u8)
    }
}

impl Json for Sha256 {
    fn json(&self) -> Value {
        self.0.json()
    }
    fn value(json: &Value) -> Self {
        Self(Json::value(json))
    }
    fn drawn(chance: &mut Chance) -> Self {
        Self(Json::drawn(chance))
    }
}

impl Json for BuildId {
    fn json(&self) -> Value {
        self.0.into()
    }
    fn value(json: &Value) -> Self {
        Self(json.as_i64().expect("a number"))
    }
    fn drawn(chance: &mut Chance) -> Self {
        Self(i64::drawn(chance).saturating_abs().max(1))
    }
}

impl Json for JobToken {
    fn json(&self) -> Value {
        serde_json::json!({ "build": self.build.json(), "secret": self.secret.json() })
    }
    fn value(json: &Value) -> Self {
        Self { build: Json::value(&json["build"]), secret: Json::value(&json["secret"]) }
    }
    fn drawn(chance: &mut Chance) -> Self {
        Self { build: Json::drawn(chance), secret: Json::drawn(chance) }
    }
}

impl<T: Json> Json for Option<T> {
    fn json(&self) -> Value {
        self.as_ref().map_or(Value::Null, Json::json)
    }
    fn value(json: &Value) -> Self {
        (!json.is_null()).then(|| T::value(json))
    }
    fn drawn(chance: &mut Chance) -> Self {
        bool::drawn(chance).then(|| T::drawn(chance))
    }
}

impl<const MAX: usize> Json for Text<MAX> {
    fn json(&self) -> Value {
        (**self).into()
    }
    fn value(json: &Value) -> Self {
        Self::new(json.as_str().expect("text")).expect("text within its bound")
    }
    fn drawn(chance: &mut Chance) -> Self {
        const CHARACTERS: [char; 8] = ['a', 'Z', '0', '\t', '\n', 'é', '€', '😀'];
        let length = chance.length(MAX, 2000);
        let text: String = (0..length).map(|_| CHARACTERS[chance.below(CHARACTERS.len())]).collect();
        // cut between characters: the bound is one of bytes
        Self::cut(&text)
    }
}

impl<const MAX: usize> Json for Blob<MAX> {
    fn json(&self) -> Value {
        hex(self).into()
    }
    fn value(json: &Value) -> Self {
        Self::new(Bytes::from(unhex(json.as_str().expect("hex")))).expect("bytes within their bound")
    }
    fn drawn(chance: &mut Chance) -> Self {
        let length = chance.length(MAX, 64 * 1024);
        Self::new((0..length).map(|_| chance.next() as u8).collect()).expect("bytes within their bound")
    }
}

impl<T: Json, const MAX: usize> Json for List<T, MAX> {
    fn json(&self) -> Value {
        self.iter().map(Json::json).collect::<Vec<_>>().into()
    }
    fn value(json: &Value) -> Self {
        Self::new(json.as_array().expect("a list").iter().map(T::value).collect()).expect("not too many")
    }
    fn drawn(chance: &mut Chance) -> Self {
        let length = chance.length(MAX, 100);
        Self::new((0..length).map(|_| T::drawn(chance)).collect()).expect("not too many")
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    assert_eq!(text.len() % 2, 0, "hex has an even number of digits");
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).expect("hex")).collect()
}

fn files(dir: &str) -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("wire-spec/vectors").join(dir);
    let mut files: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Reads every vector of one direction; each message must have one at least.
fn check<M: Described + std::fmt::Debug + PartialEq>(
    dir: &str,
    channel: Channel,
    encode: impl Fn(&M, &mut BytesMut),
    decode: impl Fn(frame::Frame) -> Result<M, super::WireError>,
) {
    let mut seen = Vec::new();
    for path in files(dir) {
        let mut vector: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let name = vector["message"].as_str().unwrap().to_owned();
        let message = M::build(&name, &vector["fields"]);
        let mut encoded = BytesMut::new();
        encode(&message, &mut encoded);
        if std::env::var_os("PIW_WRITE_VECTORS").is_some() && vector["frame"] != hex(&encoded) {
            vector["frame"] = hex(&encoded).into();
            std::fs::write(&path, serde_json::to_string_pretty(&vector).unwrap() + "\n").unwrap();
        }
        assert_eq!(hex(&encoded), vector["frame"].as_str().unwrap(), "{}: fields to bytes", path.display());

        let mut bytes = BytesMut::from(&unhex(vector["frame"].as_str().unwrap())[..]);
        let taken = frame::take(&mut bytes, channel.frame_limit()).unwrap().expect("a whole frame");
        assert!(bytes.is_empty(), "{}: one frame", path.display());
        let decoded = decode(taken).unwrap();
        assert_eq!(
            decoded.fields(),
            (name.as_str(), vector["fields"].clone()),
            "{}: bytes to fields",
            path.display()
        );
        seen.push(name);
    }
    for name in M::NAMES {
        assert!(seen.iter().any(|s| s == name), "{dir}: no vector for {name}");
    }
}

#[test]
fn slave_channel_vectors_hold_in_both_directions() {
    check("slave/to-master", Channel::Slave, slave::FromSlave::encode, slave::FromSlave::decode);
    check("slave/to-slave", Channel::Slave, slave::ToSlave::encode, slave::ToSlave::decode);
}

#[test]
fn file_channel_vectors_hold_in_both_directions() {
    check("file/to-master", Channel::File, file::FromSlave::encode, file::FromSlave::decode);
    check("file/to-slave", Channel::File, file::ToSlave::encode, file::ToSlave::decode);
}

#[test]
fn import_channel_vectors_hold_in_both_directions() {
    check("import/to-master", Channel::Import, import::FromTool::encode, import::FromTool::decode);
    check("import/to-tool", Channel::Import, import::ToTool::encode, import::ToTool::decode);
}

#[test]
fn authentication_vectors_hold_in_both_directions() {
    check("auth/to-master", Channel::Slave, auth::FromClaimant::encode, auth::FromClaimant::decode);
    check("auth/to-slave", Channel::Slave, auth::ToClaimant::encode, auth::ToClaimant::decode);
}

/// Proofs and seals were computed by a program that shares no code with this one.
#[test]
fn proofs_and_seals_are_those_of_the_vectors() {
    let read = |name: &str| -> Value {
        let at = Path::new(env!("CARGO_MANIFEST_DIR")).join("wire-spec/vectors/auth").join(name);
        serde_json::from_slice(&std::fs::read(at).unwrap()).unwrap()
    };
    let key = || auth::Key([1; 32]);
    let (message, claim) = auth::Claim::new(key(), Text::cut("pi-1"), Channel::Slave, [2; 32]);
    assert_eq!(message.fields().1, read("to-master/auth.json")["fields"]);
    let (message, pending) = auth::Challenge::new(key(), Text::cut("pi-1"), Channel::Slave, [2; 32], [3; 32]);
    assert_eq!(message.fields().1, read("to-slave/challenge.json")["fields"]);
    let auth::ToClaimant::Challenge { nonce, proof } = message else { panic!() };
    let (message, mut slave) = claim.answer(nonce, proof).unwrap();
    assert_eq!(message.fields().1, read("to-master/proof.json")["fields"]);
    let auth::FromClaimant::Proof { proof } = message else { panic!() };
    let mut master = pending.check(proof).unwrap();
    for vector in read("sealed.json")["sealed"].as_array().unwrap() {
        let up = vector["direction"] == "to-master";
        let side = if up { &mut slave.sealer } else { &mut master.sealer };
        let mut out = BytesMut::new();
        for _ in 0..=vector["seq"].as_u64().unwrap() {
            out.clear();
            if up {
                slave::FromSlave::Idle {}.encode(&mut out)
            } else {
                slave::ToSlave::Wake {}.encode(&mut out)
            }
            side.seal(&mut out, 0);
        }
        assert_eq!(hex(&out), vector["frame"].as_str().unwrap());
    }
}

#[test]
fn status_channel_vectors_hold_in_both_directions() {
    check("status/to-master", Channel::Status, status::FromMonitor::encode, status::FromMonitor::decode);
    check("status/to-monitor", Channel::Status, status::ToMonitor::encode, status::ToMonitor::decode);
}

#[test]
fn control_channel_vectors_hold_in_both_directions() {
    check("control/to-master", Channel::Control, control::FromTool::encode, control::FromTool::decode);
    check("control/to-tool", Channel::Control, control::ToTool::encode, control::ToTool::decode);
}

/// Frames that every implementation must refuse, and how this one names the reason.
#[test]
fn bad_frames_are_refused_for_the_stated_reason() {
    for path in files("bad") {
        let vector: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let mut bytes = BytesMut::from(&unhex(vector["frame"].as_str().unwrap())[..]);
        let refusal = match vector["direction"].as_str().unwrap() {
            "slave/to-master" => frame::take(&mut bytes, Channel::Slave.frame_limit())
                .and_then(|f| slave::FromSlave::decode(f.expect("a whole frame")).map(drop)),
            "file/to-master" => frame::take(&mut bytes, Channel::File.frame_limit())
                .and_then(|f| file::FromSlave::decode(f.expect("a whole frame")).map(drop)),
            "import/to-master" => frame::take(&mut bytes, Channel::Import.frame_limit())
                .and_then(|f| import::FromTool::decode(f.expect("a whole frame")).map(drop)),
            other => panic!("no direction {other}"),
        };
        let refusal = refusal.expect_err("a refusal").to_string();
        assert_eq!(refusal, vector["refusal"].as_str().unwrap(), "{}", path.display());
    }
}

/// A message with any fields comes back as it was, and fits its channel.
fn comes_back<M: Described + std::fmt::Debug + PartialEq>(
    seed: u64,
    channel: Channel,
    encode: impl Fn(&M, &mut BytesMut),
    decode: impl Fn(frame::Frame) -> Result<M, super::WireError>,
) {
    for name in M::NAMES {
        let message = M::drawn(name, &mut Chance(seed));
        let mut bytes = BytesMut::new();
        encode(&message, &mut bytes);
        let taken = frame::take(&mut bytes, channel.frame_limit()).unwrap().expect("a whole frame");
        assert!(bytes.is_empty(), "{name}: one frame");
        assert_eq!(decode(taken), Ok(message));
    }
}

mod properties {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_message_comes_back_whatever_its_fields(seed in any::<u64>()) {
            comes_back(seed, Channel::Slave, slave::FromSlave::encode, slave::FromSlave::decode);
            comes_back(seed, Channel::Slave, slave::ToSlave::encode, slave::ToSlave::decode);
            comes_back(seed, Channel::File, file::FromSlave::encode, file::FromSlave::decode);
            comes_back(seed, Channel::File, file::ToSlave::encode, file::ToSlave::decode);
            comes_back(seed, Channel::Import, import::FromTool::encode, import::FromTool::decode);
            comes_back(seed, Channel::Import, import::ToTool::encode, import::ToTool::decode);
            comes_back(seed, Channel::Status, status::FromMonitor::encode, status::FromMonitor::decode);
            comes_back(seed, Channel::Status, status::ToMonitor::encode, status::ToMonitor::decode);
            comes_back(seed, Channel::Control, control::FromTool::encode, control::FromTool::decode);
            comes_back(seed, Channel::Control, control::ToTool::encode, control::ToTool::decode);
            comes_back(seed, Channel::Slave, auth::FromClaimant::encode, auth::FromClaimant::decode);
            comes_back(seed, Channel::Slave, auth::ToClaimant::encode, auth::ToClaimant::decode);
        }

        #[test]
        fn any_bytes_decode_or_are_refused(tag in any::<u8>(), payload in proptest::collection::vec(any::<u8>(), 0..300)) {
            let frame = || frame::Frame { tag, payload: Bytes::from(payload.clone()) };
            if let Ok(message) = slave::FromSlave::decode(frame()) {
                let mut out = BytesMut::new();
                message.encode(&mut out);
                prop_assert_eq!(&out[5..out.len() - 4], &payload[..], "one message, one encoding");
            }
            let _ = slave::ToSlave::decode(frame());
            let _ = file::FromSlave::decode(frame());
            let _ = file::ToSlave::decode(frame());
            let _ = import::FromTool::decode(frame());
            let _ = import::ToTool::decode(frame());
            let _ = status::FromMonitor::decode(frame());
            let _ = status::ToMonitor::decode(frame());
            let _ = control::FromTool::decode(frame());
            let _ = control::ToTool::decode(frame());
        }
    }
}
