//! This codec against the second one (`tests/interop/piwire/`, written from the text alone), on messages with any fields and on
//! what is left of them after some mischief: both take the same frames, read the same fields, and stumble over the same one.
//! `PIW_FUZZ_SEED` repeats a run, `PIW_FUZZ_ROUNDS` makes it longer.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use bytes::{Bytes, BytesMut};
use serde_json::{Value, json};

use crate::wire::vectors::{Chance, Described, hex};
use crate::wire::{Channel, Frame, WireError, auth, control, file, frame, import, slave, status};

/// Times that each message is drawn; a second of two processors.
const ROUNDS: u64 = 6;
/// Frames made of each of these by mischief.
const CHANGED: usize = 4;

type Draw = Box<dyn Fn(&str, &mut Chance) -> BytesMut>;
type Verdict = Result<(&'static str, Value), WireError>;

/// What is said one way on a channel.
struct Direction {
    channel: (&'static str, Channel),
    name: &'static str,
    messages: Vec<&'static str>,
    /// A frame with a message of this name.
    draw: Draw,
    judge: Box<dyn Fn(Frame) -> Verdict>,
}

fn direction<M: Described + 'static>(
    channel: (&'static str, Channel),
    name: &'static str,
    encode: fn(&M, &mut BytesMut),
    decode: fn(Frame) -> Result<M, WireError>,
) -> Direction {
    let draw = move |message: &str, chance: &mut Chance| {
        let mut out = BytesMut::new();
        encode(&M::drawn(message, chance), &mut out);
        out
    };
    let judge = move |frame: Frame| decode(frame).map(|message| message.fields());
    Direction { channel, name, messages: M::NAMES.to_vec(), draw: Box::new(draw), judge: Box::new(judge) }
}

/// What two lists of messages have together: a channel's own, and those of authentication.
fn both(one: Direction, other: Direction) -> Direction {
    let of_one = one.messages.clone();
    let messages = [&one.messages[..], &other.messages].concat();
    let (first, second) = (one.draw, other.draw);
    let draw = move |message: &str, chance: &mut Chance| {
        if of_one.contains(&message) { first(message, chance) } else { second(message, chance) }
    };
    let (first, second) = (one.judge, other.judge);
    let judge = move |frame: Frame| match first(frame.clone()) {
        Err(WireError::UnknownTag(_)) => second(frame),
        verdict => verdict,
    };
    Direction { messages, draw: Box::new(draw), judge: Box::new(judge), ..one }
}

fn directions() -> Vec<Direction> {
    let mut all = Vec::new();
    let slave = ("slave", Channel::Slave);
    let file = ("file", Channel::File);
    let (import, status, control) =
        (("import", Channel::Import), ("status", Channel::Status), ("control", Channel::Control));
    let up =
        |channel| direction(channel, "to-master", auth::FromClaimant::encode, auth::FromClaimant::decode);
    let down = |channel| direction(channel, "to-slave", auth::ToClaimant::encode, auth::ToClaimant::decode);
    let own = direction(slave, "to-master", slave::FromSlave::encode, slave::FromSlave::decode);
    all.push(both(own, up(slave)));
    all.push(both(direction(slave, "to-slave", slave::ToSlave::encode, slave::ToSlave::decode), down(slave)));
    all.push(both(direction(file, "to-master", file::FromSlave::encode, file::FromSlave::decode), up(file)));
    all.push(both(direction(file, "to-slave", file::ToSlave::encode, file::ToSlave::decode), down(file)));
    all.push(direction(import, "to-master", import::FromTool::encode, import::FromTool::decode));
    all.push(direction(import, "to-tool", import::ToTool::encode, import::ToTool::decode));
    all.push(direction(status, "to-master", status::FromMonitor::encode, status::FromMonitor::decode));
    all.push(direction(status, "to-monitor", status::ToMonitor::encode, status::ToMonitor::decode));
    all.push(direction(control, "to-master", control::FromTool::encode, control::FromTool::decode));
    all.push(direction(control, "to-tool", control::ToTool::encode, control::ToTool::decode));
    all
}

/// A frame's tag and fields with something done to them, and a checksum that fits all the same, but for some.
fn changed(whole: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut inside = whole[4..whole.len() - 4].to_vec();
    for _ in 0..1 + chance.below(2) {
        // the beginning, where lengths and counts are, more often than the middle of a long text
        let most = if chance.below(2) == 0 { inside.len().min(40) } else { inside.len() };
        let at = chance.below(most);
        match chance.below(8) {
            0 => inside[at] ^= 1 << chance.below(8),
            1 => inside[at] = [0, 1, 2, 0x0a, 0x7f, 0x80, 0xc2, 0xff][chance.below(8)],
            2 => inside[at] = inside[at].wrapping_add(1),
            3 => inside.truncate(at.max(1)),
            4 => inside.insert(at.max(1), chance.next() as u8),
            5 if inside.len() > 2 => drop(inside.remove(at.max(1))),
            6 => inside[0] = chance.next() as u8,
            _ => inside.push(chance.next() as u8),
        }
    }
    let mut out = BytesMut::new();
    frame::put(&mut out, inside[0], |out| out.extend_from_slice(&inside[1..]));
    if chance.below(16) == 0 {
        let at = out.len() - 1 - chance.below(4);
        out[at] ^= 1 << chance.below(8);
    }
    out.to_vec()
}

/// A line for the other codec: a frame and what this one says of it.
fn line(direction: &Direction, bytes: &[u8]) -> Value {
    let limit = direction.channel.1.frame_limit();
    let mut input = BytesMut::from(bytes);
    let verdict = frame::take(&mut input, limit).and_then(|frame| {
        let frame = frame.expect("a whole frame");
        (direction.judge)(Frame { tag: frame.tag, payload: Bytes::from(frame.payload.to_vec()) })
    });
    let mut line = match verdict {
        Ok((message, fields)) => json!({ "message": message, "fields": fields }),
        Err(WireError::Field { field, .. }) => json!({ "refused": field }),
        Err(_) => json!({ "refused": null }),
    };
    line["channel"] = direction.channel.0.into();
    line["direction"] = direction.name.into();
    line["frame"] = hex(bytes).into();
    line
}

#[test]
#[cfg_attr(miri, ignore = "another program")]
fn both_codecs_say_the_same_of_any_frame() {
    let number = |name: &str| std::env::var(name).ok().and_then(|number| number.parse::<u64>().ok());
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    let seed = number("PIW_FUZZ_SEED").unwrap_or(now);
    println!("PIW_FUZZ_SEED={seed}");
    let mut chance = Chance(seed);
    let mut lines = Vec::new();
    let (mut whole, mut refused) = (0, 0);
    for _ in 0..number("PIW_FUZZ_ROUNDS").unwrap_or(ROUNDS) {
        for direction in directions() {
            for message in &direction.messages {
                let bytes = (direction.draw)(message, &mut chance);
                whole += 1;
                for bytes in std::iter::once(bytes.to_vec())
                    .chain((0..CHANGED).map(|_| changed(&bytes, &mut chance)).collect::<Vec<_>>())
                {
                    let line = line(&direction, &bytes);
                    refused += usize::from(line["message"].is_null());
                    writeln!(lines, "{line}").unwrap();
                }
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = std::env::var_os("PIW_TEST_PYTHON").unwrap_or_else(|| "python3".into());
    let mut other = Command::new(python)
        .arg("-B")
        .arg(root.join("tests/interop/verdicts.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = other.stdin.take().unwrap();
    // it answers at the end, and little
    input.write_all(&lines).unwrap();
    drop(input);
    let answer = other.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&answer.stdout);
    println!("{said}");
    assert!(answer.status.success());
    let taken = whole * (1 + CHANGED) - refused;
    assert!(said.contains(&format!("{taken} frames taken, {refused} refused, 0 differences")));
    assert!(taken >= whole && refused >= whole, "mischief has to be neither harmless nor all there is");
}
