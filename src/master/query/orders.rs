//! The administrator's orders about policies and the queue, and what they came to. Plain data.

use crate::domain::{AbiTag, BuildId, NamePattern, ProjectName, Version};
use crate::master::query::Outcome;
use crate::wire::import::{Pages, Removal};

/// What the administrator wants. The SQL function behind each is in `sql/functions/`; given twice, an order changes
/// nothing the second time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Build nothing more of a package, of a version of it, or of a package for an ABI: `skip`.
    Skip {
        /// What.
        what: Named,
        /// Why, for people.
        reason: String,
    },
    /// Take that back: `unskip`.
    Unskip(Named),
    /// Build nothing more of packages with such names, those to come too: `block`.
    Block {
        /// Which names.
        pattern: NamePattern,
        /// Why, for people.
        reason: String,
    },
    /// Take that back: `unblock`.
    Unblock(NamePattern),
    /// Set a policy of the whole farm: `set_policy`.
    SetPolicy {
        /// Which.
        name: String,
        /// To what; `None` for what holds where none is set.
        value: Option<String>,
        /// Why, for people; may be empty.
        reason: String,
    },
    /// Build nothing more for an ABI: `retire_abi`.
    RetireAbi {
        /// Which.
        abi: AbiTag,
        /// Why, for people.
        reason: String,
    },
    /// Take failed attempts as never made: `requeue`.
    Requeue(Requeue),
    /// Write pages again: `rebuild`.
    Rebuild {
        /// Which.
        what: Pages,
        /// Of these projects; none: of all.
        names: Vec<ProjectName>,
        /// In pieces, as in [`Requeue::after`].
        after: i32,
    },
    /// Remove what is published of a package, or mark it: `remove`.
    Remove(Remove),
}

impl Order {
    /// Its name, for log lines.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Skip { .. } => "skip",
            Self::Unskip(_) => "unskip",
            Self::Block { .. } => "block",
            Self::Unblock(_) => "unblock",
            Self::SetPolicy { .. } => "policy",
            Self::RetireAbi { .. } => "abi retire",
            Self::Requeue(_) => "requeue",
            Self::Rebuild { .. } => "rebuild",
            Self::Remove(_) => "remove",
        }
    }

    /// Whether slaves may be judged by something else now, or versions are to be walked over.
    pub const fn walks(&self) -> bool {
        matches!(
            self,
            Self::Block { .. } | Self::Unblock(_) | Self::SetPolicy { .. } | Self::RetireAbi { .. }
        )
    }
}

/// A package, or a part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The package.
    pub package: ProjectName,
    /// One version of it; `None` for all.
    pub version: Option<Version>,
    /// For one ABI; `None` for all.
    pub abi: Option<AbiTag>,
}

/// Which failed attempts are taken as never made: those that fit all that is named, which is something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requeue {
    /// Of this package.
    pub package: Option<ProjectName>,
    /// Of this version of it.
    pub version: Option<Version>,
    /// For this ABI.
    pub abi: Option<AbiTag>,
    /// That ended so.
    pub outcome: Option<Outcome>,
    /// In pieces: of versions with larger numbers than this, which the answer before named; 0 for the first.
    pub after: i32,
}

/// What is removed of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remove {
    /// The package.
    pub package: ProjectName,
    /// One version of it; `None` for all that are known.
    pub version: Option<Version>,
    /// What of it.
    pub what: Removal,
    /// Nothing of it is built any more, for this reason.
    pub skip: Option<String>,
    /// Why, for people.
    pub reason: String,
    /// In pieces, as in [`Requeue::after`].
    pub after: i32,
}

/// What an order came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ordered {
    /// A JSON object, see `wire-spec/import.md`; that of [`Order::Requeue`], [`Order::Rebuild`] and
    /// [`Order::Remove`] is of one piece.
    pub json: String,
    /// ABIs whose queues have something to hand out now.
    pub opened: Vec<AbiTag>,
    /// Builds that must not go on.
    pub cancelled: Vec<BuildId>,
    /// Builds that are forgotten, whose logs go.
    pub logs: Vec<BuildId>,
    /// The order is to be given again, for there is more to do.
    pub more: bool,
    /// [`Order::walks`].
    pub walks: bool,
}

/// What the administrator wants to know; the answer is JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// The ABIs, and whether a walk is under way: `abi_report`.
    Abis,
    /// Policies and blocked names: `policy_report`.
    Policies,
    /// How far the index is followed: `feed_report`.
    Feed,
}
