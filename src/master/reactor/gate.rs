//! Who may come in, and how much of one peer is listened to (`wire-spec/auth.md`): decisions only, no socket.
//!
//! ```text
//!   unknown ──AUTH, known name──► challenged ──PROOF──► proven: every frame sealed
//!      └──any other message, from this machine, a trusted network or a local socket──► open
//! ```

use std::collections::HashMap;
use std::net::IpAddr;

use crate::domain::Millis;
use crate::keyfile::Keys;
use crate::master::limits::Limits;
use crate::master::refusals::Refusal;
use crate::seeded;
use crate::wire::auth::{self, Broken, Challenge, FromClaimant, Key, Session, ToClaimant};
use crate::wire::{Channel, Frame, Text};

/// Messages that may come at once after a pause, in multiples of what may come in a second.
const BURST: u64 = 4;

/// What is the same for all connections.
pub struct Gate {
    keys: Keys,
    /// Peers of other machines need no key.
    open: bool,
    seed: [u8; 32],
    drawn: u64,
    addresses: HashMap<IpAddr, usize>,
    per_address: usize,
    /// From connecting to the first message; then the peer is dropped.
    pub(super) handshake: Millis,
    messages: u64,
}

impl Gate {
    /// `seed` must be unpredictable.
    pub fn new(keys: Keys, open: bool, seed: [u8; 32], limits: &Limits) -> Self {
        Self {
            keys,
            open,
            seed,
            drawn: 0,
            addresses: HashMap::new(),
            per_address: limits.per_address,
            handshake: limits.handshake,
            messages: limits.messages.into(),
        }
    }

    /// Other keys hold from now on.
    pub(super) fn set_keys(&mut self, keys: Keys) {
        self.keys = keys;
    }

    /// Whether this key is still that of its name.
    pub(super) fn holds(&self, name: &str, key: &Key) -> bool {
        self.keys.get(name) == Some(key)
    }

    fn nonce(&mut self) -> [u8; 32] {
        self.drawn += 1;
        auth::hmac(&self.seed, &[b"nonce", &self.drawn.to_be_bytes()])
    }

    /// A connection from an address comes; false when that has too many.
    pub(super) fn enter(&mut self, address: IpAddr) -> bool {
        let open = self.addresses.entry(address).or_default();
        *open += 1;
        *open <= self.per_address
    }

    /// One of them is gone.
    pub(super) fn leave(&mut self, address: IpAddr) {
        if let Some(open) = self.addresses.get_mut(&address) {
            *open -= 1;
            if *open == 0 {
                self.addresses.remove(&address);
            }
        }
    }

    /// How many an address may have.
    pub(super) fn per_address(&self) -> usize {
        self.per_address
    }

    /// Whether a peer without a key is listened to.
    fn trusts(&self, address: Option<IpAddr>) -> bool {
        self.open || address.is_none_or(|address| address.is_loopback())
    }
}

/// What is known of one peer.
pub enum Trust {
    /// It has said nothing.
    Unknown,
    /// It named itself and is to prove it.
    Challenged(Box<Challenge>, Key),
    /// It needs no proof.
    Open,
    /// It proved that it is this slave.
    Proven {
        /// Whose key it has.
        name: String,
        /// That key: it may be taken away.
        key: Key,
        /// What opens and seals the frames of the connection.
        session: Box<Session>,
    },
}

/// What a frame is.
pub enum Taken {
    /// Part of the proof: this is the answer.
    Answer(ToClaimant),
    /// The peer is in, under this name if it proved one; and its first message, if this was it.
    Admitted(Option<String>, Option<Frame>),
    /// A message.
    Message(Frame),
}

/// Why a peer is turned away.
pub type Turned = (Refusal, String);

impl Trust {
    /// Takes a frame of a peer on a TCP address, or on a local socket.
    pub fn take(
        &mut self,
        gate: &mut Gate,
        channel: Channel,
        address: Option<IpAddr>,
        frame: Frame,
    ) -> Result<Taken, Turned> {
        match self {
            Self::Open => Ok(Taken::Message(frame)),
            Self::Proven { session, .. } if auth::is_sealed(channel, frame.tag) => {
                let opened = session.opener.open(frame);
                opened.map(Taken::Message).map_err(|broken| (kind(broken), broken.reason().to_owned()))
            }
            Self::Proven { .. } => Ok(Taken::Message(frame)),
            Self::Unknown => match FromClaimant::decode(frame.clone()) {
                Ok(FromClaimant::Auth { name, nonce }) if address.is_some() => {
                    let Some(key) = gate.keys.get(&name).cloned() else {
                        let reason = format!(
                            "{name:?} has no key here, or none any more: 'piw-master --add-slave NAME' makes one"
                        );
                        return Err((Refusal::UnknownName, reason));
                    };
                    let (answer, challenge) = Challenge::new(key.clone(), name, channel, nonce, gate.nonce());
                    *self = Self::Challenged(Box::new(challenge), key);
                    Ok(Taken::Answer(answer))
                }
                _ if gate.trusts(address) => {
                    *self = Self::Open;
                    Ok(Taken::Admitted(None, Some(frame)))
                }
                _ => {
                    let reason = "from another machine, and without a key: 'piw-master --add-slave NAME' makes one, \
                                  and 'piw-slave --key-file FILE' uses it";
                    Err((Refusal::NotAuthenticated, reason.to_owned()))
                }
            },
            Self::Challenged(challenge, key) => {
                let name = challenge.name().to_owned();
                let wrong = || (Refusal::WrongKey, format!("it does not have the key of {name}"));
                let Ok(FromClaimant::Proof { proof }) = FromClaimant::decode(frame) else {
                    return Err(wrong());
                };
                // the key may have been taken away in between
                if !gate.holds(&name, key) {
                    return Err((Refusal::Revoked, format!("the key of {name} was revoked")));
                }
                let session = Box::new(challenge.check(proof).ok_or_else(wrong)?);
                *self = Self::Proven { name: name.clone(), key: key.clone(), session };
                Ok(Taken::Admitted(Some(name), None))
            }
        }
    }

    /// What it means that the peer ends the connection: who has another key than the master finds that out first.
    pub(super) fn hung_up(&self) -> Option<Turned> {
        let Self::Challenged(challenge, _) = self else { return None };
        let reason = format!(
            "it hung up when it was to prove the key of {}: it has another key of that name, or was cut off",
            challenge.name()
        );
        Some((Refusal::WrongKey, reason))
    }

    /// What a peer that is turned away before it is in hears.
    pub(super) fn refusal(&self, reason: &str) -> Option<ToClaimant> {
        matches!(self, Self::Unknown | Self::Challenged(..))
            .then(|| ToClaimant::Refused { reason: Text::cut(reason) })
    }
}

fn kind(broken: Broken) -> Refusal {
    match broken {
        Broken::Mac => Refusal::BadSeal,
        Broken::Replayed => Refusal::Replayed,
        Broken::Reordered => Refusal::Reordered,
    }
}

/// How many messages may still come: a bucket that fills with time.
#[derive(Debug)]
pub struct Allowance {
    left: u64,
    at: Millis,
}

impl Allowance {
    /// All that there may be, at this moment.
    pub fn new(now: Millis, gate: &Gate) -> Self {
        Self { left: gate.messages * BURST, at: now }
    }

    /// Takes one message's worth; false when nothing is left just now.
    pub fn spend(&mut self, now: Millis, gate: &Gate) -> bool {
        let elapsed = now.since(self.at).0;
        let earned = gate.messages.saturating_mul(elapsed) / 1000;
        if earned > 0 {
            self.left = self.left.saturating_add(earned).min(gate.messages * BURST);
            // what is less than a message is earned later
            self.at = self.at + Millis(earned.saturating_mul(1000) / gate.messages.max(1));
        }
        self.left = match self.left.checked_sub(1) {
            _ if seeded::is("flood-listened-to") => self.left,
            Some(left) => left,
            None => return false,
        };
        true
    }

    /// What was spent was spent on a message that is not whole yet.
    pub fn give_back(&mut self) {
        self.left += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::auth::Claim;
    use crate::wire::frame;
    use bytes::BytesMut;

    fn gate(open: bool) -> Gate {
        let mut keys = Keys::default();
        assert!(keys.add("pi-1", Key([1; 32])));
        let limits = Limits { per_address: 2, messages: 10, ..Limits::default() };
        Gate::new(keys, open, [5; 32], &limits)
    }

    fn frame_of(encode: impl FnOnce(&mut BytesMut)) -> Frame {
        let mut out = BytesMut::new();
        encode(&mut out);
        frame::take(&mut out, 1 << 20).unwrap().unwrap()
    }

    fn outside() -> Option<IpAddr> {
        Some("192.0.2.7".parse().unwrap())
    }

    fn idle() -> Frame {
        frame_of(|out| crate::wire::slave::FromSlave::Idle {}.encode(out))
    }

    #[test]
    fn without_a_key_only_this_machine_and_a_trusted_network_come_in() {
        let near: IpAddr = "127.0.0.1".parse().unwrap();
        let six: IpAddr = "::1".parse().unwrap();
        for (open, address, admitted) in [
            (false, Some(near), true),
            (false, Some(six), true),
            (false, None, true),
            (false, outside(), false),
            (true, outside(), true),
        ] {
            let taken = Trust::Unknown.take(&mut gate(open), Channel::Slave, address, idle());
            match taken {
                Ok(Taken::Admitted(None, Some(_))) => assert!(admitted, "{address:?}"),
                Err((Refusal::NotAuthenticated, _)) => assert!(!admitted, "{address:?}"),
                _ => panic!("{address:?}"),
            }
        }
    }

    #[test]
    fn a_slave_comes_in_under_the_name_that_it_proved() {
        let mut gate = gate(false);
        let mut trust = Trust::Unknown;
        let (auth, claim) = Claim::new(Key([1; 32]), Text::cut("pi-1"), Channel::Slave, [9; 32]);
        let answer = trust.take(&mut gate, Channel::Slave, outside(), frame_of(|out| auth.encode(out)));
        let Ok(Taken::Answer(ToClaimant::Challenge { nonce, proof })) = answer else { panic!() };
        let (proof, mut session) = claim.answer(nonce, proof).unwrap();
        let admitted = trust.take(&mut gate, Channel::Slave, outside(), frame_of(|out| proof.encode(out)));
        assert!(matches!(admitted, Ok(Taken::Admitted(Some(name), None)) if name == "pi-1"));
        let mut sealed = BytesMut::new();
        crate::wire::slave::FromSlave::Idle {}.encode(&mut sealed);
        session.sealer.seal(&mut sealed, 0);
        let sealed = frame::take(&mut sealed, 1000).unwrap().unwrap();
        assert!(
            matches!(trust.take(&mut gate, Channel::Slave, outside(), sealed.clone()), Ok(Taken::Message(f)) if f == idle())
        );
        let refused = |taken: Result<Taken, Turned>| taken.err().map(|(refusal, _)| refusal);
        assert_eq!(
            refused(trust.take(&mut gate, Channel::Slave, outside(), sealed)),
            Some(Refusal::Replayed)
        );
        assert_eq!(refused(trust.take(&mut gate, Channel::Slave, outside(), idle())), Some(Refusal::BadSeal));
    }

    #[test]
    fn who_cannot_prove_it_is_refused_for_the_reason() {
        let refused = |taken: Result<Taken, Turned>| taken.err().map(|(refusal, _)| refusal);
        let auth = |name: &str| {
            let (auth, claim) = Claim::new(Key([8; 32]), Text::cut(name), Channel::Slave, [9; 32]);
            (frame_of(|out| auth.encode(out)), claim)
        };
        let mut gate = gate(false);
        let stranger = Trust::Unknown.take(&mut gate, Channel::Slave, outside(), auth("pi-9").0);
        assert_eq!(refused(stranger), Some(Refusal::UnknownName));
        let mut trust = Trust::Unknown;
        let answer = trust.take(&mut gate, Channel::Slave, outside(), auth("pi-1").0);
        let Ok(Taken::Answer(ToClaimant::Challenge { proof, .. })) = answer else { panic!() };
        // it has another key, so it can only guess: the master's own proof, for one
        let guess = || frame_of(|out| FromClaimant::Proof { proof }.encode(out));
        assert_eq!(
            refused(trust.take(&mut gate, Channel::Slave, outside(), guess())),
            Some(Refusal::WrongKey)
        );
        gate.set_keys(Keys::default());
        assert_eq!(
            refused(trust.take(&mut gate, Channel::Slave, outside(), guess())),
            Some(Refusal::Revoked)
        );
    }

    #[test]
    fn nonces_are_never_the_same() {
        let mut gate = gate(false);
        assert_ne!(gate.nonce(), gate.nonce());
    }

    #[test]
    fn an_address_has_so_many_connections_and_gets_them_back() {
        let mut gate = gate(false);
        let (a, b): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        assert!(gate.enter(a) && gate.enter(a) && !gate.enter(a) && gate.enter(b));
        gate.leave(a);
        gate.leave(a);
        assert!(gate.enter(a));
        [a, a, b].iter().for_each(|address| gate.leave(*address));
        assert!(gate.addresses.is_empty(), "nothing is kept of who is gone");
    }

    #[test]
    fn messages_beyond_the_allowance_wait_for_time_to_pass() {
        let gate = gate(false);
        let mut allowance = Allowance::new(Millis(0), &gate);
        let most = 10 * BURST;
        assert!((0..most).all(|_| allowance.spend(Millis(0), &gate)));
        assert!(!allowance.spend(Millis(99), &gate));
        assert!(allowance.spend(Millis(100), &gate) && !allowance.spend(Millis(100), &gate));
        assert!((0..most).all(|_| allowance.spend(Millis(60_000), &gate)));
        assert!(!allowance.spend(Millis(60_000), &gate), "a long pause earns no more than the burst");
        // ten a second, asked for every 60 ms: none of the time is lost
        let spent = (1..=100u64).filter(|n| allowance.spend(Millis(60_000 + 60 * n), &gate)).count();
        assert_eq!(spent, 60);
    }
}
