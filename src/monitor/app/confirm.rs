//! Questions before what cannot be taken back. The answer that changes nothing is the last, and chosen to begin with. Pure.

use super::{Action, HOWS, WHENS};
use crate::wire::control::{FromTool, How, When};

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// That a slave goes.
    Kill {
        /// Its number.
        slave: u32,
        /// Its label.
        name: String,
    },
    /// That a slave's build is cancelled.
    Skip {
        /// Its number.
        slave: u32,
        /// Its label.
        name: String,
        /// What it builds.
        what: String,
    },
    /// That the master ends.
    Terminate,
}

/// A question and the answer that is chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirm {
    /// What is asked for.
    pub ask: Ask,
    /// Which answer Enter gives.
    pub choice: usize,
}

impl Confirm {
    /// The question, with the answer that does nothing chosen.
    pub fn new(ask: Ask) -> Self {
        let mut confirm = Self { ask, choice: 0 };
        confirm.choice = confirm.answers().len() - 1;
        confirm
    }

    /// The slave that it is about.
    pub const fn slave(&self) -> Option<u32> {
        match self.ask {
            Ask::Kill { slave, .. } | Ask::Skip { slave, .. } => Some(slave),
            Ask::Terminate => None,
        }
    }

    /// What it says: a title, and what follows from it.
    pub fn text(&self) -> (String, &'static str) {
        match &self.ask {
            Ask::Kill { slave, name } => (
                format!("Kill slave {slave} ({name})?"),
                "When idle: it delivers what it builds first. Now: its job is queued again.",
            ),
            Ask::Skip { slave, name, what } => (
                format!("Cancel {what} on slave {slave} ({name})?"),
                "Its log is kept. It is not built again until somebody asks for it.",
            ),
            Ask::Terminate => (
                "Terminate the master?".to_owned(),
                "When delivered: builds under way come to their end first. Now: their jobs are queued again.",
            ),
        }
    }

    /// Keys and words of the answers.
    pub const fn answers(&self) -> &'static [(char, &'static str)] {
        match self.ask {
            Ask::Kill { .. } => &[('i', "when idle"), ('n', "now"), ('c', "leave it")],
            Ask::Skip { .. } => &[('y', "cancel the build"), ('c', "leave it")],
            Ask::Terminate => &[('d', "when delivered"), ('n', "now"), ('c', "leave it")],
        }
    }

    /// What the chosen answer leads to.
    pub fn carry_out(self) -> Option<Action> {
        let choice = self.choice;
        let (command, what) = match self.ask {
            Ask::Kill { slave, name } => {
                let when = *WHENS.get(choice)?;
                let how = if when == When::Now { "now" } else { "when idle" };
                (FromTool::Kill { slave: Some(slave), when }, format!("kill slave {slave} ({name}) {how}"))
            }
            Ask::Skip { .. } if choice > 0 => return None,
            Ask::Skip { slave, name, what } => {
                (FromTool::Skip { slave }, format!("cancel {what} on slave {slave} ({name})"))
            }
            Ask::Terminate => {
                let how = *HOWS.get(choice)?;
                let when = if how == How::Now { "now" } else { "when all is delivered" };
                (FromTool::Quit { how }, format!("terminate the master {when}"))
            }
        };
        Some(Action::Command(command, what))
    }
}
