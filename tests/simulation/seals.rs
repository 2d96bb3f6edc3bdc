//! Proofs and seals, and somebody between a slave and its master who says again what was said, changes it, leaves it out, or says
//! what was never said. Both ends run the real code of `wire/auth.rs`, the master's through the real `reactor/gate.rs`.
//!
//! Whatever is done in between: of a slave with a key the master believes what that slave said, each word once and in order, and
//! nothing else; and the slave its master.

use std::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};
use piwheels::keyfile::Keys;
use piwheels::master::event::ConnId;
use piwheels::master::reactor::gate::Trust;
use piwheels::wire::auth::{self, Claim, Key, Session, ToClaimant};
use piwheels::wire::slave::{FromSlave, ToSlave};
use piwheels::wire::{Channel, Frame, Preamble, Text, frame, preamble};

use super::faults::Kind;
use super::network::{Peer, encoded, said};
use super::villain::PATIENCE;
use super::world::World;

/// A peer's side of a proof.
pub(crate) enum Proof {
    /// It needs none.
    None,
    /// It has a key, and has said nothing yet.
    Due,
    Claimed(Box<Claim>),
    Proven(Box<Session>),
}

/// What is done to the next frame.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Meddling {
    /// It comes twice.
    Again,
    /// A bit of it is another.
    Other,
    /// It does not come.
    Gone,
    /// Before it comes one that nobody sent.
    Before,
}

/// Which frame is meddled with: of which side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    Peer,
    Master,
}

/// See the module's head.
pub(crate) struct Seals {
    pub(crate) proof: Proof,
    /// What the peer says as soon as it may.
    waiting: VecDeque<Bytes>,
    /// What each side said and the other has not heard yet.
    from_peer: VecDeque<Frame>,
    from_master: VecDeque<Frame>,
    meddling: Option<(Of, Meddling)>,
    /// Somebody meddled, at this moment.
    pub(crate) meddled: Option<u64>,
    /// It has to be noticed.
    noticeable: bool,
    /// Messages that were taken since this second began.
    second: (u64, u64),
}

impl Seals {
    pub(crate) fn new(keyed: bool) -> Self {
        Self {
            proof: if keyed { Proof::Due } else { Proof::None },
            waiting: VecDeque::new(),
            from_peer: VecDeque::new(),
            from_master: VecDeque::new(),
            meddling: None,
            meddled: None,
            noticeable: false,
            second: (0, 0),
        }
    }
}

/// The key of a name.
fn key(name: &str) -> Key {
    let mut key = [7; 32];
    name.bytes().zip(&mut key).for_each(|(byte, key)| *key = byte);
    Key(key)
}

/// The master's file of keys: of every board that could have one, and of some that mean no good.
pub(crate) fn keys() -> Keys {
    let mut keys = Keys::default();
    let names = (0..8).map(|at| format!("pi-{at}")).chain((0..2).map(|at| format!("evil-{at}")));
    for name in names {
        assert!(keys.add(&name, key(&name)), "two of one name");
    }
    keys
}

fn whole(bytes: &Bytes) -> Frame {
    let mut bytes = BytesMut::from(&bytes[..]);
    frame::take(&mut bytes, 1 << 20).ok().flatten().expect("a frame")
}

impl World {
    /// A peer says something: one frame.
    pub(crate) fn send_to_master(&mut self, conn: ConnId, bytes: Bytes) {
        let Some(line) = self.lines.get_mut(&conn) else { return };
        match &mut line.seals.proof {
            Proof::None => self.post_to_master(conn, bytes),
            Proof::Due | Proof::Claimed(_) => line.seals.waiting.push_back(bytes),
            Proof::Proven(session) => {
                let said = whole(&bytes);
                let mut sealed = BytesMut::from(&bytes[..]);
                let is_sealed = auth::is_sealed(line.channel, said.tag);
                if is_sealed {
                    session.sealer.seal(&mut sealed, 0);
                }
                line.seals.from_peer.push_back(said);
                for bytes in self.meddled(conn, Of::Peer, sealed.freeze(), is_sealed) {
                    self.post_to_master(conn, bytes);
                }
            }
        }
    }

    /// The master says something: one frame.
    pub(crate) fn send_to_peer(&mut self, conn: ConnId, bytes: Bytes) {
        let Some(line) = self.lines.get_mut(&conn) else { return };
        let Trust::Proven { session, .. } = &mut line.trust else { return self.post_to_peer(conn, bytes) };
        let mut sealed = BytesMut::from(&bytes[..]);
        session.sealer.seal(&mut sealed, 0);
        line.seals.from_master.push_back(whole(&bytes));
        for bytes in self.meddled(conn, Of::Master, sealed.freeze(), true) {
            self.post_to_peer(conn, bytes);
        }
    }

    /// What becomes of a frame on its way.
    fn meddled(&mut self, conn: ConnId, of: Of, bytes: Bytes, is_sealed: bool) -> Vec<Bytes> {
        let (quiet, clock) = (self.quiet.is_some(), self.clock);
        let Some(line) = self.lines.get_mut(&conn) else { return Vec::new() };
        let Some((_, what)) = line.seals.meddling.filter(|(whose, _)| *whose == of && is_sealed && !quiet)
        else {
            return vec![bytes];
        };
        line.seals.meddling = None;
        line.seals.meddled = Some(clock);
        line.seals.noticeable = !matches!(what, Meddling::Gone);
        let peer = line.peer;
        let sent = whole(&bytes);
        self.fault(Kind::Forge, || {
            format!("somebody meddles with a frame of {of:?} on {} of {peer:?}: {what:?}", conn.0)
        });
        match what {
            Meddling::Again => vec![bytes.clone(), bytes],
            Meddling::Gone => Vec::new(),
            Meddling::Other => {
                let mut payload = sent.payload.to_vec();
                let bit = self.chance.of(Kind::Forge).below(payload.len() as u64 * 8);
                payload[bit as usize / 8] ^= 1 << (bit % 8);
                let mut other = BytesMut::new();
                frame::put(&mut other, sent.tag, |out| out.extend_from_slice(&payload));
                vec![other.freeze()]
            }
            Meddling::Before => {
                let inserted = match of {
                    Of::Peer => said(&FromSlave::Bye { reason: Text::cut("no") }),
                    Of::Master => encoded(|out| ToSlave::Bye { reason: Text::cut("no") }.encode(out)),
                };
                vec![inserted, bytes]
            }
        }
    }

    /// Somebody gets between a slave with a key and its master.
    pub(crate) fn meddle(&mut self) {
        let proven = |line: &super::network::Line| {
            line.channel == Channel::Slave && line.stands() && matches!(line.trust, Trust::Proven { .. })
        };
        let lines: Vec<ConnId> =
            self.lines.iter().filter(|(_, line)| proven(line)).map(|(c, _)| *c).collect();
        if lines.is_empty() {
            return;
        }
        let dice = self.chance.of(Kind::Forge);
        let conn = *dice.of(&lines);
        let of = *dice.of(&[Of::Peer, Of::Master]);
        let what = *dice.of(&[Meddling::Again, Meddling::Other, Meddling::Gone, Meddling::Before]);
        if let Some(line) = self.lines.get_mut(&conn) {
            line.seals.meddling = Some((of, what));
        }
    }

    /// The master takes a frame for a message of this peer's.
    pub(crate) fn check_genuine(&mut self, conn: ConnId, frame: &Frame) {
        let Some(line) = self.lines.get_mut(&conn) else { return };
        if !matches!(line.trust, Trust::Proven { .. }) {
            return;
        }
        let (peer, said) = (line.peer, line.seals.from_peer.pop_front());
        if said.as_ref() != Some(frame) {
            self.violated(format!("{peer:?} is believed to have said {:#04x}, and did not", frame.tag));
        }
    }

    /// No peer is listened to without end.
    pub(crate) fn count_message(&mut self, conn: ConnId) {
        let (clock, most) = (self.clock, u64::from(super::master::limits().messages) * 5);
        let Some(line) = self.lines.get_mut(&conn).filter(|line| line.channel == Channel::Slave) else {
            return;
        };
        let (second, count) = &mut line.seals.second;
        if *second != clock / 1000 {
            (*second, *count) = (clock / 1000, 0);
        }
        *count += 1;
        if *count > most {
            let (peer, count) = (line.peer, *count);
            self.violated(format!("{count} messages of {peer:?} are taken in one second"));
        }
    }

    /// Who was meddled with has noticed it by now.
    pub(crate) fn check_meddled(&mut self) {
        let clock = self.clock;
        let deaf = self.lines.iter().find(|(_, line)| {
            let long = line.seals.meddled.is_some_and(|at| clock > at + 20_000 + PATIENCE);
            long && line.seals.noticeable && line.stands()
        });
        if let Some((conn, line)) = deaf {
            let what = format!("somebody meddled with {} of {:?}, and it still stands", conn.0, line.peer);
            self.violated(what);
        }
    }

    /// The master's preamble, once, and with a key its proof; true when it just came.
    pub(crate) fn peer_preamble(&mut self, conn: ConnId) -> bool {
        let Some(line) = self.lines.get_mut(&conn) else { return false };
        if line.peer_greeted {
            return false;
        }
        if matches!(line.seals.proof, Proof::Claimed(_)) {
            return self.peer_challenged(conn);
        }
        let Some(bytes) = line.peer_input.first_chunk::<{ preamble::BYTES }>() else { return false };
        if let Err(wrong) = Preamble::check(*bytes, line.channel) {
            self.violated(format!("the master's preamble: {wrong}"));
            return false;
        }
        line.peer_input.advance(preamble::BYTES);
        let (channel, name) = (line.channel, line.name.clone());
        let Some(name) = name else {
            line.peer_greeted = true;
            return true;
        };
        let mut nonce = [0; 32];
        nonce[..16].copy_from_slice(&self.chance.network.secret());
        let (auth, claim) = Claim::new(key(&name), Text::cut(&name), channel, nonce);
        if let Some(line) = self.lines.get_mut(&conn) {
            line.seals.proof = Proof::Claimed(Box::new(claim));
        }
        self.post_to_master(conn, encoded(|out| auth.encode(out)));
        self.peer_challenged(conn)
    }

    /// The answer to AUTH; true when the peer is in.
    fn peer_challenged(&mut self, conn: ConnId) -> bool {
        let Some(line) = self.lines.get_mut(&conn) else { return false };
        let Ok(Some(frame)) = frame::take(&mut line.peer_input, line.channel.frame_limit()) else {
            return false;
        };
        let (peer, proof) = (line.peer, std::mem::replace(&mut line.seals.proof, Proof::Due));
        let (Proof::Claimed(claim), Ok(ToClaimant::Challenge { nonce, proof })) =
            (proof, ToClaimant::decode(frame))
        else {
            self.violated(format!("{peer:?} has the right key, and is refused"));
            return false;
        };
        let Some((answer, session)) = claim.answer(nonce, proof) else {
            self.violated(format!("the master does not prove the key of {peer:?}"));
            return false;
        };
        line.seals.proof = Proof::Proven(Box::new(session));
        line.peer_greeted = true;
        let waiting = std::mem::take(&mut line.seals.waiting);
        self.post_to_master(conn, encoded(|out| answer.encode(out)));
        waiting.into_iter().for_each(|bytes| self.send_to_master(conn, bytes));
        true
    }

    /// A frame has come to a peer: what it takes for a message of the master's.
    pub(crate) fn opened_by_peer(&mut self, conn: ConnId, frame: Frame) -> Option<Frame> {
        let line = self.lines.get_mut(&conn)?;
        let Proof::Proven(session) = &mut line.seals.proof else { return Some(frame) };
        let (peer, meddled) = (line.peer, line.seals.meddled.is_some());
        match session.opener.open(frame) {
            Ok(frame) => {
                if line.seals.from_master.pop_front().as_ref() != Some(&frame) {
                    self.violated(format!("{peer:?} believes that the master said {:#04x}", frame.tag));
                }
                Some(frame)
            }
            Err(broken) => {
                let reason = broken.reason();
                if !meddled {
                    self.violated(format!("{peer:?} is told by its master what is {reason}"));
                }
                self.say(|| format!("{peer:?} hangs up: {reason}"));
                self.peer_closes(conn);
                match peer {
                    Peer::Board(board) => self.board_lost(board, conn, reason),
                    Peer::Villain(villain) => self.villain_lost(villain, conn),
                    Peer::Tool(_) | Peer::Watcher(_) => {}
                }
                None
            }
        }
    }
}
