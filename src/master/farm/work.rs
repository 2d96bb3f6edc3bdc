//! Who gets work: claims, sleep and waking, and whom the administrator lets have none.

use super::{Farm, Running};
use crate::domain::{AbiTag, Millis};
use crate::master::event::{ConnId, Out, Purpose};
use crate::master::limits::SLEEP_SECS;
use crate::master::query::{Job, Query};
use crate::master::slave_driver::State;
use crate::seeded;
use crate::wire::Text;
use crate::wire::slave::ToSlave;

/// Whose turn it is: a share of the hand-outs is for those that would always come last, whatever comes in before them.
#[derive(Debug, Default)]
pub(super) struct Turns(u32);

impl Turns {
    /// The class (`sql/views/judgement.sql`) that a claim asks for: mostly the first, every 8th the newest versions that
    /// nobody asked for, every 16th the back-catalogue.
    pub(super) fn class(&mut self) -> u8 {
        self.0 = self.0.wrapping_add(1);
        match self.0 % 16 {
            0 => 3,
            8 => 2,
            _ => 0,
        }
    }
}

/// What an idle slave may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Share {
    /// A job.
    Work,
    /// Nothing for now.
    Rest,
    /// Its leave, for this reason.
    Leave(&'static str),
}

impl Farm {
    fn share(&self, conn: ConnId) -> Share {
        let Some(slave) = self.slaves.slaves.get(&conn) else { return Share::Rest };
        if self.running != Running::Yes {
            Share::Leave("the master stops")
        } else if slave.kill.is_some() {
            Share::Leave("the administrator told it to go")
        } else if self.hands_nothing_out() || slave.resting {
            Share::Rest
        } else {
            Share::Work
        }
    }

    /// Asks the database for a job for an idle slave.
    pub(super) fn claim(&mut self, conn: ConnId, out: &mut Out) {
        let Some(slave) = self.slaves.slaves.get_mut(&conn) else { return };
        let Some(who) = slave.introduction.clone() else { return };
        let woken = std::mem::take(&mut slave.woken);
        self.architect.forget(conn, &who.abi);
        if self.share(conn) != Share::Work {
            self.turn_down(conn, out);
            // the job that it was woken for must not wait for it
            if woken && self.running == Running::Yes && !self.hands_nothing_out() {
                self.arrived(&who.abi, out);
            }
            return;
        }
        self.claims.insert(conn, self.architect.arrivals(&who.abi));
        let query = Query::Claim {
            abi: who.abi,
            slave: who.label,
            secret: self.secrets.draw(),
            lease_secs: self.lease_secs(),
            class: self.turns.class(),
        };
        out.ask(Purpose::Claim(conn), query);
    }

    pub(super) fn claimed(&mut self, now: Millis, conn: ConnId, job: Option<Job>, out: &mut Out) {
        let seen = self.claims.remove(&conn);
        let share = self.share(conn);
        let Some(job) = job else {
            let Some(slave) = self.slaves.slaves.get(&conn) else { return };
            let (State::Asked, Some(who)) = (&slave.state, slave.introduction.clone()) else { return };
            if share == Share::Work && seen.is_some_and(|seen| !self.architect.sleep(conn, &who.abi, seen)) {
                self.claim(conn, out);
                return;
            }
            self.turn_down(conn, out);
            return;
        };
        let token = job.token;
        // known already: by somebody who came with its secret before the answer did
        let stopped = self.slaves.jobs.get(&token.build).is_some_and(|held| held.cancelled);
        if self.unwanted.take(token.build) || stopped {
            if stopped && self.slaves.holder(token.build).is_none() {
                self.give_up(token.build, out);
            }
            out.ask(Purpose::Release, Query::Release(token));
            self.claim(conn, out);
            return;
        }
        if share != Share::Work || !self.slaves.hand_out(now, conn, job.clone()) {
            // with its return to the queue somebody else is woken for it
            out.ask(Purpose::Release, Query::Release(token));
            self.turn_down(conn, out);
            return;
        }
        log::info!(
            "build {}: {} {} for {} goes to {}",
            token.build,
            job.package,
            job.version,
            job.abi,
            self.label(conn)
        );
        let message = ToSlave::Build {
            token,
            package: Text::cut(job.package.as_str()),
            version: Text::cut(&job.version.to_string()),
            build_tag: job.build_tag,
        };
        out.tell(conn, message);
    }

    /// There is no job for a slave that asked: it sleeps, or leaves.
    pub(super) fn turn_down(&mut self, conn: ConnId, out: &mut Out) {
        if let Share::Leave(reason) = self.share(conn) {
            self.slaves.dismiss(conn, reason, out);
            return;
        }
        if let Some(slave) = self.slaves.slaves.get_mut(&conn)
            && slave.state == State::Asked
        {
            slave.state = State::Asleep;
            out.tell(conn, ToSlave::Sleep { seconds: SLEEP_SECS });
        }
    }

    /// One job came into the queue of an ABI. One that is leaving, or may have none, does not take the wake-up with it;
    /// nor does one that holds back, which is woken all the same: it may just be fit again.
    pub(super) fn arrived(&mut self, abi: &AbiTag, out: &mut Out) {
        while let Some(conn) = self.architect.arrived(abi)
            && !seeded::is("wake-forgotten")
        {
            if self.wake(conn, out) && self.slaves.slaves.get(&conn).is_some_and(|s| s.holds_back.is_none()) {
                return;
            }
        }
    }

    /// Many jobs may have come into the queue of an ABI.
    pub(super) fn arrived_many(&mut self, abi: &AbiTag, out: &mut Out) {
        for conn in self.architect.arrived_many(abi) {
            self.wake(conn, out);
        }
    }

    /// Wakes a slave; false when it does not sleep any more, or may have no work. Whoever lets it have work again wakes it then.
    pub(super) fn wake(&mut self, conn: ConnId, out: &mut Out) -> bool {
        if self.share(conn) != Share::Work {
            return false;
        }
        let Some(slave) = self.slaves.slaves.get_mut(&conn) else { return false };
        if slave.state != State::Asleep || slave.woken {
            return false;
        }
        slave.woken = true;
        if let Some(who) = &slave.introduction {
            self.architect.forget(conn, &who.abi);
        }
        out.tell(conn, ToSlave::Wake {});
        true
    }
}
