//! Proof of who is at the other end, and seals on what follows (`wire-spec/auth.md`): no I/O, no randomness of its own.
//!
//! ```text
//!   slave                                      master
//!   Claim::new ──AUTH{name, nonce}───────────► Challenge::new      (unknown name: REFUSED)
//!   Claim::answer ◄──CHALLENGE{nonce, proof}──
//!        │ the master's proof is wrong: the slave hangs up
//!        └───────────PROOF{proof}────────────► Challenge::check    (wrong: REFUSED)
//!   Session ◄──── from here on every frame but CHUNK is sealed ────► Session
//! ```
//!
//! Both sides prove that they have the slave's key, over both nonces, the channel and the name: what was said on one
//! connection is worth nothing on another. Each direction then has a key of its own, and each sealed frame a number.

use bytes::{Buf, BufMut, BytesMut};
use sha2::Digest;

use super::frame::{self, Frame};
use super::limits::{NAME_KEY_BYTES, REASON_BYTES, SEAL_BYTES};
use super::{Channel, Text, preamble};
use crate::seeded;

#[cfg(test)]
mod tests;

messages! {
    /// From a slave, before anything else on its connection.
    FromClaimant {
        /// Who it says it is.
        0x71 "AUTH" Auth {
            /// The name of its key.
            name: Text<NAME_KEY_BYTES>,
            /// Drawn for this connection.
            nonce: [u8; 32],
        }
        /// That it has the key.
        0x72 "PROOF" Proof {
            /// Over the name, the channel and both nonces.
            proof: [u8; 32],
        }
    }
}

messages! {
    /// From the master, in answer.
    ToClaimant {
        /// That the master has the key too, and what the slave must prove.
        0xf1 "CHALLENGE" Challenge {
            /// Drawn for this connection.
            nonce: [u8; 32],
            /// Over the name, the channel and both nonces.
            proof: [u8; 32],
        }
        /// Not like this. The slave may try again later; it keeps what it holds.
        0xf2 "REFUSED" Refused {
            /// Why, for people.
            reason: Text<REASON_BYTES>,
        }
    }
}

/// What a slave and its master share.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(pub [u8; 32]);

impl std::fmt::Debug for Key {
    // The key stays out of logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(…)")
    }
}

/// HMAC-SHA-256 (RFC 2104) over the parts, one after the other.
pub fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    const BLOCK: usize = 64;
    let mut block = [0u8; BLOCK];
    if key.len() > BLOCK {
        block[..32].copy_from_slice(&sha2::Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let pad = |with: u8| block.map(|byte| byte ^ with);
    let mut inner = sha2::Sha256::new_with_prefix(pad(0x36));
    parts.iter().for_each(|part| inner.update(part));
    sha2::Sha256::new_with_prefix(pad(0x5c)).chain_update(inner.finalize()).finalize().into()
}

/// Whether two values are the same, in a time that does not tell where they differ.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && std::hint::black_box(a.iter().zip(b).fold(0, |all, (x, y)| all | (x ^ y))) == 0
}

/// Whether a frame of a proven connection bears a seal: all but CHUNKs, which the digest in a sealed BUILT covers.
pub fn is_sealed(channel: Channel, tag: u8) -> bool {
    !(channel == Channel::File && tag == super::file::CHUNK_TAG)
}

/// What a connection is about: all that goes into its proofs and keys.
#[derive(Clone)]
struct Exchange {
    key: Key,
    channel: Channel,
    name: Text<NAME_KEY_BYTES>,
    slave_nonce: [u8; 32],
    master_nonce: [u8; 32],
}

impl Exchange {
    fn derive(&self, label: &[u8; 16]) -> [u8; 32] {
        let [v0, v1] = preamble::VERSION.to_be_bytes();
        let [n0, n1] = (self.name.len() as u16).to_be_bytes();
        let head = [v0, v1, self.channel as u8, 0, n0, n1];
        let parts = [&label[..], &head, self.name.as_bytes(), &self.slave_nonce, &self.master_nonce];
        hmac(&self.key.0, &parts)
    }

    fn masters_proof(&self) -> [u8; 32] {
        self.derive(b"piw master proof")
    }

    fn slaves_proof(&self) -> [u8; 32] {
        self.derive(b"piw slave proof ")
    }

    fn session(&self, master: bool) -> Session {
        let (to_master, to_slave) = (self.derive(b"piw to master   "), self.derive(b"piw to slave    "));
        let (mine, theirs) = if master { (to_slave, to_master) } else { (to_master, to_slave) };
        Session { sealer: Sealer { key: Key(mine), next: 0 }, opener: Opener { key: Key(theirs), next: 0 } }
    }
}

/// The slave's side, between AUTH and PROOF.
pub struct Claim(Exchange);

impl Claim {
    /// AUTH, and what to remember. `nonce` must never have been used before.
    pub fn new(
        key: Key,
        name: Text<NAME_KEY_BYTES>,
        channel: Channel,
        nonce: [u8; 32],
    ) -> (FromClaimant, Self) {
        let auth = FromClaimant::Auth { name: name.clone(), nonce };
        (auth, Self(Exchange { key, channel, name, slave_nonce: nonce, master_nonce: [0; 32] }))
    }

    /// CHALLENGE came: PROOF and the session; or `None`: who listens there does not have the key.
    pub fn answer(mut self, nonce: [u8; 32], proof: [u8; 32]) -> Option<(FromClaimant, Session)> {
        self.0.master_nonce = nonce;
        if !same(&proof, &self.0.masters_proof()) {
            return None;
        }
        Some((FromClaimant::Proof { proof: self.0.slaves_proof() }, self.0.session(false)))
    }
}

/// The master's side, between CHALLENGE and PROOF.
pub struct Challenge(Exchange);

impl Challenge {
    /// AUTH came, from a name that has this key: CHALLENGE, and what to remember. `master_nonce` must never have been
    /// used before.
    pub fn new(
        key: Key,
        name: Text<NAME_KEY_BYTES>,
        channel: Channel,
        slave_nonce: [u8; 32],
        master_nonce: [u8; 32],
    ) -> (ToClaimant, Self) {
        let exchange = Exchange { key, channel, name, slave_nonce, master_nonce };
        (ToClaimant::Challenge { nonce: master_nonce, proof: exchange.masters_proof() }, Self(exchange))
    }

    /// PROOF came: the session, or `None` when the peer does not have the key.
    pub fn check(&self, proof: [u8; 32]) -> Option<Session> {
        same(&proof, &self.0.slaves_proof()).then(|| self.0.session(true))
    }

    /// Whose key it is.
    pub fn name(&self) -> &str {
        &self.0.name
    }
}

/// The keys of one connection, one for each direction.
pub struct Session {
    /// Seals what is sent.
    pub sealer: Sealer,
    /// Opens what comes.
    pub opener: Opener,
}

/// Seals frames: `seq u64 | mac [16]` stand at the end of the payload, within length and checksum.
pub struct Sealer {
    key: Key,
    next: u64,
}

/// Why a frame is not taken for what the peer sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// It has no seal, or one that does not fit.
    Mac,
    /// It was sent before.
    Replayed,
    /// Others should have come before it.
    Reordered,
}

impl Broken {
    /// For people.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Mac => "a frame whose seal does not fit: it was not sent by the peer that proved its key",
            Self::Replayed => "a frame that was sent before",
            Self::Reordered => "a frame before its turn: others are missing",
        }
    }
}

fn mac(key: &Key, seq: u64, tag: u8, payload: &[u8]) -> [u8; 16] {
    let [mac @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] =
        hmac(&key.0, &[&seq.to_be_bytes(), &[tag], payload]);
    mac
}

impl Sealer {
    /// Seals the frame that begins at `start` and is the last of `out`.
    pub fn seal(&mut self, out: &mut BytesMut, start: usize) {
        frame::amend(out, start, |tag, payload| {
            let seq = self.next;
            let mac = mac(&self.key, seq, tag, payload);
            payload.put_u64(seq);
            payload.put_slice(&mac);
        });
        self.next += 1;
    }
}

impl Opener {
    /// Takes the seal off a frame.
    pub fn open(&mut self, mut frame: Frame) -> Result<Frame, Broken> {
        let length = frame.payload.len().checked_sub(SEAL_BYTES).ok_or(Broken::Mac)?;
        let mut seal = frame.payload.split_off(length);
        let seq = seal.get_u64();
        if !same(&seal, &mac(&self.key, seq, frame.tag, &frame.payload)) && !seeded::is("seal-unchecked") {
            return Err(Broken::Mac);
        }
        match seq.cmp(&self.next) {
            std::cmp::Ordering::Less if seeded::is("replay-unnoticed") => Ok(frame),
            std::cmp::Ordering::Less => Err(Broken::Replayed),
            std::cmp::Ordering::Greater => Err(Broken::Reordered),
            std::cmp::Ordering::Equal => {
                self.next += 1;
                Ok(frame)
            }
        }
    }
}

/// Opens sealed frames, each once and in order.
pub struct Opener {
    key: Key,
    next: u64,
}
