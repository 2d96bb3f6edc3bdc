//! How the farm follows the index: what an operator may set. Pure.

use crate::domain::Millis;

/// How the farm follows the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follow {
    /// Not by itself: pages are read before what is on the farm's list is handed out.
    None,
    /// The pages of what people asked for are read again and again.
    List,
    /// Every event of the index, by its changelog.
    All,
}

impl Follow {
    /// As `--follow` has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::List => "list",
            Self::All => "all",
        }
    }
}

impl std::fmt::Display for Follow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Follow {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self::None),
            "list" => Ok(Self::List),
            "all" => Ok(Self::All),
            _ => Err("must be list, all or none".to_owned()),
        }
    }
}

/// What an operator may set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FollowSettings {
    /// What is followed.
    pub follow: Follow,
    /// How often a page is read that is followed by itself.
    pub every: Millis,
    /// How long a project's page must be missing before its files are withdrawn.
    pub patience: Millis,
}

impl Default for FollowSettings {
    fn default() -> Self {
        Self { follow: Follow::List, every: Millis::secs(600), patience: Millis::secs(600) }
    }
}

/// Pages are asked for one after the other: more often would be a load on the index.
const MOST_OFTEN: Millis = Millis::secs(10);
const MOST_SELDOM: Millis = Millis::secs(7 * 24 * 3600);

impl FollowSettings {
    /// Whether an operator may set them so; else what to set.
    pub fn check(&self) -> Result<(), String> {
        if !(MOST_OFTEN..=MOST_SELDOM).contains(&self.every) {
            return Err("--follow-every must be between 10s and 7d".to_owned());
        }
        if self.patience > MOST_SELDOM {
            return Err("--removal-patience must be 7d at most".to_owned());
        }
        Ok(())
    }
}
