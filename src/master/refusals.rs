//! Why peers were turned away, and how often. Pure.

use std::collections::BTreeMap;

/// Why a peer is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Refusal {
    /// It comes from another machine and has no key.
    NotAuthenticated,
    /// It names a slave that has no key here.
    UnknownName,
    /// It does not have the key of the slave that it names.
    WrongKey,
    /// Its key was taken away while it was connected.
    Revoked,
    /// A frame does not bear its seal.
    BadSeal,
    /// A frame came twice.
    Replayed,
    /// A frame came before others that should have come.
    Reordered,
    /// It names what is another slave's.
    NotIts,
    /// There are too many connections, in all or from its address.
    TooMany,
    /// It was too slow to begin, or to end a frame that it had begun.
    TooSlow,
    /// It does not read what it is sent.
    NotReading,
    /// Anything else that the protocol forbids.
    Protocol,
}

impl Refusal {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::NotAuthenticated,
        Self::UnknownName,
        Self::WrongKey,
        Self::Revoked,
        Self::BadSeal,
        Self::Replayed,
        Self::Reordered,
        Self::NotIts,
        Self::TooMany,
        Self::TooSlow,
        Self::NotReading,
        Self::Protocol,
    ];

    /// For people and scripts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotAuthenticated => "not-authenticated",
            Self::UnknownName => "unknown-name",
            Self::WrongKey => "wrong-key",
            Self::Revoked => "revoked",
            Self::BadSeal => "bad-seal",
            Self::Replayed => "replayed",
            Self::Reordered => "reordered",
            Self::NotIts => "not-its-own",
            Self::TooMany => "too-many",
            Self::TooSlow => "too-slow",
            Self::NotReading => "not-reading",
            Self::Protocol => "protocol",
        }
    }
}

/// How often each was the reason, since the master started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusals(BTreeMap<Refusal, u64>);

impl Refusals {
    /// Counts one.
    pub fn count(&mut self, refusal: Refusal) {
        *self.0.entry(refusal).or_default() += 1;
    }

    /// Counts one; its reason as the log has it, with the kind that it was counted as.
    pub fn because(&mut self, refusal: Refusal, reason: &str) -> String {
        self.count(refusal);
        format!("{reason} [{}]", refusal.name())
    }

    /// Each kind that occurred.
    pub fn iter(&self) -> impl Iterator<Item = (Refusal, u64)> {
        self.0.iter().map(|(refusal, times)| (*refusal, *times))
    }

    /// How often this was the reason.
    pub fn of(&self, refusal: Refusal) -> u64 {
        self.0.get(&refusal).copied().unwrap_or_default()
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }
}
