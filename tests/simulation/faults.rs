//! What may go wrong, each kind on its own: a history in which one kind is left out is the same but for that.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A kind of fault, or of somebody's doing that gets in the farm's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Bytes are late.
    Delay,
    /// A connection breaks, and one side may find out long after the other.
    Cut,
    /// The master's process is killed, in the middle of a change on the disk too.
    Kill,
    /// The master's machine loses its power: the disk keeps what was brought to it.
    Power,
    /// The master is told to stop, and started again.
    Stop,
    /// The database is away for a while.
    Away,
    /// The database crashes and loses what need not have reached its disk.
    Crash,
    /// A question fails before it is carried out.
    Error,
    /// A question is carried out, and the connection breaks before the answer.
    Unheard,
    /// The disk has no space for a while; writes are cut short.
    Full,
    /// A board loses its power, and its build.
    Board,
    /// A board's operator stops it.
    Term,
    /// The wall clock jumps.
    Clock,
    /// Hostile peers.
    Villain,
    /// Somebody between a slave and its master repeats, changes, leaves out, or adds a word.
    Forge,
    /// Monitors come, go, and do not read what they are told.
    Watch,
    /// Builds fail, in all the ways that there are.
    Fail,
    /// Releases come to the index, and go, and it does not always answer.
    News,
    /// The administrator pauses, cancels, removes, imports, skips, blocks, retires, and takes back.
    Orders,
}

impl Kind {
    pub(crate) const ALL: [Self; 19] = [
        Self::Delay,
        Self::Cut,
        Self::Kill,
        Self::Power,
        Self::Stop,
        Self::Away,
        Self::Crash,
        Self::Error,
        Self::Unheard,
        Self::Full,
        Self::Board,
        Self::Term,
        Self::Clock,
        Self::Villain,
        Self::Forge,
        Self::Watch,
        Self::Fail,
        Self::News,
        Self::Orders,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Delay => "delay",
            Self::Cut => "cut",
            Self::Kill => "kill",
            Self::Power => "power",
            Self::Stop => "stop",
            Self::Away => "away",
            Self::Crash => "crash",
            Self::Error => "error",
            Self::Unheard => "unheard",
            Self::Full => "full",
            Self::Board => "board",
            Self::Term => "term",
            Self::Clock => "clock",
            Self::Villain => "villain",
            Self::Forge => "forge",
            Self::Watch => "watch",
            Self::Fail => "fail",
            Self::News => "news",
            Self::Orders => "orders",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which kinds there are in a history, and how many of each have happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Faults {
    pub(crate) on: BTreeSet<Kind>,
    pub(crate) happened: BTreeMap<Kind, u64>,
}

impl Faults {
    pub(crate) fn all() -> Self {
        Self { on: Kind::ALL.into(), happened: BTreeMap::new() }
    }

    pub(crate) fn without(&self, kind: Kind) -> Self {
        let mut fewer = self.clone();
        fewer.on.remove(&kind);
        fewer
    }

    /// `all`, `none`, or kinds with commas between, those with a `-` left out of all.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let none = Self { on: BTreeSet::new(), happened: BTreeMap::new() };
        let words: Vec<&str> = text.split(',').map(str::trim).collect();
        let mut faults = match words[0] {
            "none" => none,
            first if first == "all" || first.starts_with('-') => Self::all(),
            _ => none,
        };
        for word in words.iter().filter(|word| !matches!(**word, "all" | "none")) {
            let (name, leave_out) = word.strip_prefix('-').map_or((*word, false), |name| (name, true));
            let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| {
                let names: Vec<_> = Kind::ALL.iter().map(|kind| kind.name()).collect();
                format!("{name:?} is no kind of fault; there are all, none, {}", names.join(", "))
            })?;
            if leave_out {
                faults.on.remove(&kind);
            } else {
                faults.on.insert(kind);
            }
        }
        Ok(faults)
    }

    pub(crate) fn has(&self, kind: Kind) -> bool {
        self.on.contains(&kind)
    }

    pub(crate) fn count(&mut self, kind: Kind) {
        *self.happened.entry(kind).or_default() += 1;
    }

    pub(crate) fn total(&self) -> u64 {
        self.happened.values().sum()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.on.is_empty() {
            return f.write_str("none");
        }
        if self.on.len() == Kind::ALL.len() {
            return f.write_str("all");
        }
        let names: Vec<_> = self.on.iter().map(|kind| kind.name()).collect();
        f.write_str(&names.join(","))
    }
}
