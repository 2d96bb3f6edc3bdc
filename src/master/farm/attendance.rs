//! How a slave comes, comes back and goes, and what it says in between.
//!
//! A slave that comes back with a build is asked about at the database first: what is recorded, or another's by now, it drops.

use super::Farm;
use super::stopping::Running;
use crate::domain::{BuildId, JobToken, Millis};
use crate::master::event::{ConnId, Out, Purpose};
use crate::master::query::{Adoption, Query};
use crate::master::refusals::Refusal;
use crate::master::slave_driver::{Finished, Greeting, State, Verdict};
use crate::seeded;
use crate::wire::Text;
use crate::wire::control::When;
use crate::wire::slave::{FromSlave, Held, Holding, Resume, ToSlave};

impl Farm {
    /// A message on a slave channel.
    pub(super) fn slave(&mut self, now: Millis, conn: ConnId, message: FromSlave, out: &mut Out) {
        self.slaves.heard(now, conn);
        let Some(slave) = self.slaves.slaves.get(&conn) else { return };
        // what crosses the master's BYE, or comes behind a defect, is not listened to; only the slave's BYE still counts
        if slave.state == State::Leaving && !matches!(message, FromSlave::Bye { .. }) {
            return;
        }
        let greeted = slave.introduction.is_some();
        if !greeted && !matches!(message, FromSlave::Hello { .. } | FromSlave::Bye { .. }) {
            let defect = format!("{} before HELLO", message.name());
            return self.verdict(conn, Verdict::Drop(defect), out);
        }
        let verdict = match message {
            FromSlave::Hello {
                software,
                label,
                timeout_secs,
                python_tag,
                abi_tag,
                platform_tag,
                board,
                held,
            } => {
                let greeting = Greeting {
                    software: &software,
                    label: &label,
                    abi: &abi_tag,
                    platform: &platform_tag,
                    python: &python_tag,
                    timeout: Millis::secs(timeout_secs.into()),
                    board,
                    held,
                };
                let verdict = self.slaves.hello(conn, greeting, &self.abis);
                if let Some(slave) = self.slaves.slaves.get_mut(&conn)
                    && let Some(who) = &slave.introduction
                {
                    slave.resting = self.orders.resting.contains(&who.label);
                }
                verdict
            }
            FromSlave::Idle {} => self.slaves.idle(conn, &self.abis),
            FromSlave::Busy { vitals, holds_back } => {
                let wall = self.wall(now);
                self.slaves.busy(conn, vitals, holds_back, wall);
                Verdict::Fine
            }
            FromSlave::Log { offset, data } => {
                self.counts.log_bytes += data.len() as u64;
                let (id, build) = (slave.id, slave.state.build());
                let piece = (*data).clone();
                let verdict = self.slaves.log(conn, offset, data, &self.limits, out);
                if let (Verdict::Fine, Some(build)) = (&verdict, build) {
                    self.hub.log(id, build, offset, piece, out);
                }
                verdict
            }
            FromSlave::Built { token, end, duration_ms, log_bytes, files, report } => {
                let result = Finished { token, end, duration_ms, log_bytes, files: &files, report: &report };
                self.slaves.built(conn, &result, &self.limits)
            }
            FromSlave::Sent { index } => match self.slaves.slaves.get(&conn).map(|s| s.state.clone()) {
                Some(State::Offered(build)) => match self.publisher.sent(build, index, out) {
                    Ok(()) => Verdict::Fine,
                    Err(defect) => Verdict::Drop(defect),
                },
                Some(state) => Verdict::Drop(format!("SENT while it is {}", state.name())),
                None => Verdict::Fine,
            },
            FromSlave::Bye { reason } => return self.bye(conn, &reason, out),
        };
        self.verdict(conn, verdict, out);
    }

    fn verdict(&mut self, conn: ConnId, verdict: Verdict, out: &mut Out) {
        match verdict {
            Verdict::Fine => {}
            Verdict::WantsJob => self.claim(conn, out),
            Verdict::Arrives if self.running != Running::Yes => {
                self.slaves.dismiss(conn, "the master stops", out);
            }
            Verdict::Arrives => self.welcome(conn, Resume::None, 0, out),
            Verdict::Returns(held) => {
                let slave = self.label(conn);
                let lease_secs = self.lease_secs();
                out.ask(Purpose::Adopt(conn), Query::Adopt { token: held.token, slave, lease_secs });
            }
            Verdict::Offers(offer) => self.publisher.offer(*offer, out),
            Verdict::OffersAndDrop(offer, defect) => {
                self.publisher.offer(*offer, out);
                self.refuse_slave(conn, Refusal::Protocol, &defect, out);
            }
            Verdict::Drop(defect) => self.refuse_slave(conn, Refusal::Protocol, &defect, out),
            Verdict::Refuse(reason) => {
                self.slaves.dismiss(conn, &reason, out);
                self.refuse_slave(conn, Refusal::Protocol, &reason, out);
            }
        }
    }

    /// Answers HELLO.
    fn welcome(&mut self, conn: ConnId, resume: Resume, log_from: u64, out: &mut Out) {
        let Some(slave) = self.slaves.slaves.get_mut(&conn) else { return };
        if resume != Resume::GoOn {
            slave.state = State::Idle;
        }
        if let Some(who) = &slave.introduction {
            log::info!(
                "slave {} ({}) at {}: builds for {} on {}",
                slave.id,
                who.label,
                slave.peer,
                who.abi,
                who.platform
            );
        }
        let index_url = Text::cut(&self.index_url);
        let log_limit = self.limits.log_bytes;
        out.tell(conn, ToSlave::Hello { slave_id: slave.id, index_url, resume, log_from, log_limit });
    }

    /// The database knows what became of a returning slave's job.
    pub(super) fn adopted(&mut self, now: Millis, conn: ConnId, adoption: Adoption, out: &mut Out) {
        let Some(slave) = self.slaves.slaves.get(&conn) else { return };
        let State::Adopting(Held { token, state }) = slave.state.clone() else { return };
        let (id, kill) = (slave.id, slave.kill);
        let overdue = state == Holding::Building && self.slaves.is_overdue(now, token.build);
        let (job, why_not) = match adoption {
            _ if overdue => (None, "it runs longer than the slave's own time limit"),
            Adoption::Live(_) if seeded::is("adoption-ignored") => (None, ""),
            Adoption::Live(job) => (Some(job), ""),
            Adoption::Late(job) if state == Holding::Built => (Some(job), ""),
            Adoption::Late(_) => (None, "another slave has it"),
            Adoption::Recorded => (None, "it is recorded already"),
            Adoption::Unknown => (None, "it was never handed out, or its version was removed"),
        };
        if let Some(job) = &job
            && !self.slaves.may_adopt(conn, job.token.build)
        {
            return self.refuse_slave(conn, Refusal::NotIts, "it names the job of another slave", out);
        }
        let resumed = job.and_then(|job| self.slaves.adopt(now, conn, job));
        match resumed {
            Some((log_from, before)) => {
                log::info!("slave {id} returns with build {}", token.build);
                if let Some(before) = before {
                    self.drop_slave(before, None, out);
                }
                self.welcome(conn, Resume::GoOn, log_from, out);
                let unwanted = self.unwanted.take(token.build);
                if let Some(held) = self.slaves.jobs.get_mut(&token.build) {
                    held.cancelled |= unwanted;
                }
                // CANCEL may have been lost with the connection before
                let cancelled = self.slaves.jobs.get(&token.build).is_some_and(|held| held.cancelled);
                if cancelled && state == Holding::Building {
                    out.tell(conn, ToSlave::Cancel { build: token.build });
                }
                if kill == Some(When::Now) {
                    self.slaves.dismiss(conn, "the administrator told it to go", out);
                }
            }
            None => {
                log::info!("slave {id} returns with build {}, which is not wanted: {why_not}", token.build);
                self.welcome(conn, Resume::Drop, 0, out);
            }
        }
    }

    /// A slave says BYE: its job goes back unless it can be finished without it.
    fn bye(&mut self, conn: ConnId, reason: &str, out: &mut Out) {
        if let Some(slave) = self.slaves.slaves.get_mut(&conn) {
            log::info!("slave {} says bye: {reason}", slave.id);
            slave.state = State::Leaving;
        }
        let held: Vec<(BuildId, JobToken)> = self
            .slaves
            .jobs
            .iter()
            .filter(|(_, job)| job.conn == Some(conn))
            .map(|(build, job)| (*build, job.job.token))
            .collect();
        for (build, token) in held {
            if self.give_up(build, out) && !seeded::is("bye-not-released") {
                out.ask(Purpose::Release, Query::Release(token));
            }
        }
        out.close(conn, None);
    }

    /// A connection is gone.
    pub(super) fn closed(&mut self, now: Millis, conn: ConnId, out: &mut Out) {
        self.juggler.closed(conn);
        self.tool_gone(conn, out);
        self.hub.closed(conn);
        self.orders.closed(conn);
        self.claims.remove(&conn);
        out.forget(conn);
        let Some(slave) = self.slaves.closed(now, conn) else { return };
        let Some(who) = &slave.introduction else { return };
        self.architect.forget(conn, &who.abi);
        if slave.woken {
            // the job that it was woken for must not wait for its return
            self.arrived(&who.abi, out);
        }
        if slave.state != State::Leaving {
            log::info!("slave {} ({}) is gone while {}", slave.id, who.label, slave.state.name());
        }
    }

    /// Ends a slave's connection: for a defect of the slave, or for no fault. It may come back.
    pub(super) fn drop_slave(&mut self, conn: ConnId, defect: Option<String>, out: &mut Out) {
        if let Some(slave) = self.slaves.slaves.get_mut(&conn) {
            slave.state = State::Leaving;
        }
        out.close(conn, defect);
    }

    /// The same, for a defect that is counted.
    fn refuse_slave(&mut self, conn: ConnId, refusal: Refusal, defect: &str, out: &mut Out) {
        let line = self.refusals.because(refusal, defect);
        self.drop_slave(conn, Some(line), out);
    }

    pub(super) fn label(&self, conn: ConnId) -> String {
        let slave = self.slaves.slaves.get(&conn);
        slave.and_then(|s| s.introduction.as_ref()).map_or_else(String::new, |who| who.label.clone())
    }

    pub(super) fn lease_secs(&self) -> u32 {
        u32::try_from(self.limits.lease.0 / 1000).unwrap_or(u32::MAX).max(1)
    }
}
