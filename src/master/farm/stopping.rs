//! How the farm ends: gently at the first signal, at once at the second. A build that is finished is never thrown away
//! for it: BYE costs a slave its build, so those that deliver are not told.

use super::{Farm, State};
use crate::domain::Millis;
use crate::master::event::{ConnId, Effect, Out, PageRequest};

/// How long slaves have to say BYE, and commits to end, when the master stops at once.
pub(super) const LEAVE_TIME: Millis = Millis::secs(5);

/// Whether the master goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Running {
    Yes,
    /// Slaves finish what they build, then everything ends.
    Draining,
    /// Everything ends when what is half done is done, at this time at the latest.
    Stopping {
        until: Millis,
    },
    Ended,
}

impl Farm {
    pub(super) fn drain(&mut self, out: &mut Out) {
        if self.running != Running::Yes {
            return;
        }
        self.running = Running::Draining;
        out.effects.push(Effect::StopListening);
        let building = self.slaves.slaves.values().filter(|s| s.state.build().is_some()).count();
        log::warn!("stopping: {building} slaves finish what they build; a second signal stops at once");
        for (conn, state) in self.states() {
            // One that is asking or returning is told when its answer comes, and one that has not said HELLO may hold a
            // build, which BYE would cost it.
            if !matches!(state, State::Greeting | State::Asked | State::Adopting(_))
                && state.build().is_none()
            {
                self.slaves.dismiss(conn, "the master stops", out);
            }
        }
    }

    pub(super) fn stop(&mut self, now: Millis, out: &mut Out) {
        if matches!(self.running, Running::Stopping { .. } | Running::Ended) {
            return;
        }
        if self.running == Running::Yes {
            out.effects.push(Effect::StopListening);
        }
        log::warn!("stopping now: slaves are told to go; those that deliver keep their builds");
        self.running = Running::Stopping { until: now + LEAVE_TIME };
        for (conn, state) in self.states() {
            match state {
                // its bytes are all here: DONE comes with the commit, or the slave offers them again
                State::Offered(build) if self.publisher.finishes_alone(build) => {}
                State::Offered(_) | State::Adopting(_) | State::Greeting => self.drop_slave(conn, None, out),
                _ => self.slaves.dismiss(conn, "the master stops", out),
            }
        }
    }

    fn states(&self) -> Vec<(ConnId, State)> {
        self.slaves.slaves.iter().map(|(conn, slave)| (*conn, slave.state.clone())).collect()
    }

    /// Ends when nothing is half done.
    pub(super) fn end(&mut self, now: Millis, out: &mut Out) {
        let settled = || {
            self.slaves.slaves.is_empty()
                && self.publisher.settled()
                && self.pages.settled()
                && self.chase.settled()
                && !out.matters()
        };
        let over = match self.running {
            Running::Yes | Running::Ended => false,
            Running::Draining => settled(),
            Running::Stopping { until } => now >= until || settled(),
        };
        if over {
            self.running = Running::Ended;
            let refused: Vec<_> =
                self.refusals.iter().map(|(why, n)| format!("{} {n}", why.name())).collect();
            if !refused.is_empty() {
                log::info!("peers turned away since the start: {}", refused.join(", "));
            }
            // what it says of slaves is true of a farm that runs
            out.effects.push(Effect::Page(PageRequest::Slaves(Vec::new())));
            out.effects.push(Effect::Exit);
        }
    }
}
