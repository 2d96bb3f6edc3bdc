//! What a session is doing, in words for people: the operator's service manager shows them, and errors name them.

use super::stopping::Stop;
use super::{Link, Session, Stage, Work};

impl Session {
    /// What this slave is doing, one line.
    pub fn standing(&self) -> String {
        let mut line = match (&self.work, &self.holds_back) {
            (Work::Building { .. }, _) => format!("builds {}", self.job),
            (Work::Finished { .. }, _) => format!("delivers {}", self.job),
            (Work::Discarding, _) => format!("clears up after {}", self.job),
            (Work::Nothing, Some(reason)) => format!("asks for no job: {reason}"),
            (Work::Nothing, None) => "has no job".to_owned(),
        };
        if !matches!(self.link, Link::Open(_)) {
            line += "; not connected to its master";
        }
        line += match self.stop {
            Stop::No => "",
            Stop::Renew { .. } => "; then reads its configuration anew",
            Stop::WhenDelivered { .. } | Stop::Now { .. } => "; then stops",
        };
        line
    }

    /// Where the conversation is, for people.
    pub(super) fn place(&self) -> &'static str {
        match self.link {
            Link::Away { .. } | Link::Connecting => "not connected",
            Link::Greeting { .. } => "waiting for HELLO",
            Link::Open(Stage::Idle | Stage::Looking) => "idle",
            Link::Open(Stage::Unfit) => "not fit for a job",
            Link::Open(Stage::Asked { .. }) => "waiting for a job",
            Link::Open(Stage::Asleep { .. }) => "asleep",
            Link::Open(Stage::Reporting { .. }) => "building",
            Link::Open(Stage::Offered { .. }) => "waiting for SEND or DONE",
            Link::Open(Stage::Sending { .. }) => "sending a file",
            Link::Gone => "gone",
        }
    }
}
