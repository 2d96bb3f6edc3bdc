//! What the farm does by the clock: renews leases, ends those that ran out, looks after silent peers, keeps priorities in
//! step with the downloads.

use super::{Farm, Running, built_for};
use crate::domain::{AbiTag, BuildId, Millis};
use crate::master::big_brother::Task;
use crate::master::event::{DiskRequest, Effect, Out, Purpose};
use crate::master::limits::{POPULARITY_AT_ONCE, POPULARITY_EVERY, SWEEP_EVERY, WALK_AT_ONCE};
use crate::master::metrics::figures::TransferEnd;
use crate::master::query::{Abi, Query, Swept};
use crate::master::slave_driver::State;
use crate::seeded;

/// How long a master that has just started leaves leases alone, so that slaves can come back before their jobs are
/// handed out again; a lease at most.
const RETURN_TIME: Millis = Millis::secs(60);

/// What is under way, and what is next.
#[derive(Debug)]
pub(super) struct Housekeeping {
    pub(super) sweeping: bool,
    /// Renewals that are not answered. While there are some the database may be away, and a sweep that came through
    /// first would end leases of slaves that are there.
    renewing: usize,
    /// A walk's step is under way.
    pub(super) walking: bool,
    /// There may be a walk to go on with: after the start, whatever the master before this one had not finished.
    walk_due: bool,
    next_sweep: Millis,
    next_renew: Millis,
    rolling: bool,
    next_roll: Millis,
    /// The ABIs are asked for, one question at a time: of two, the answer that comes last may be the older one.
    asking_abis: bool,
    /// They changed since they were asked for.
    abis_stale: bool,
}

impl Housekeeping {
    pub(super) fn new(started: Millis, lease: Millis) -> Self {
        Self {
            sweeping: false,
            renewing: 0,
            walking: false,
            walk_due: true,
            next_sweep: started + RETURN_TIME.min(lease),
            next_renew: started,
            rolling: false,
            next_roll: started + POPULARITY_EVERY,
            asking_abis: false,
            abis_stale: false,
        }
    }
}

impl Farm {
    pub(super) fn tick(&mut self, now: Millis, out: &mut Out) {
        self.slaves.tick(now, self.limits.silence, out);
        for build in self.slaves.lost(now, self.limits.lease) {
            let slave = self.slaves.jobs.get(&build).map(|job| job.slave.clone()).unwrap_or_default();
            self.lose(build, &slave, out);
        }
        self.unwanted.tick(now, self.limits.lease);
        self.juggler.tick(now, &mut out.effects);
        self.give_up_transfers(now, out);
        self.publisher.tick(now, out);
        self.chase.tick(now, &self.pages.trouble(), out);
        // a draining master may have hours of building before it: leases are renewed and pages written meanwhile
        if !matches!(self.running, Running::Yes | Running::Draining) {
            return;
        }
        self.pages.tick(now, out);
        if now >= self.housekeeping.next_renew && self.housekeeping.renewing == 0 {
            self.housekeeping.next_renew = now + Millis(self.limits.lease.0 / 5);
            let alive = if seeded::is("lease-not-renewed") { Vec::new() } else { self.slaves.alive() };
            if alive.is_empty() {
                self.brother.did(Task::Renewal, now);
            }
            for builds in alive.chunks(1000) {
                let lease_secs = self.lease_secs();
                self.housekeeping.renewing += 1;
                out.ask(Purpose::Renew, Query::Renew { builds: builds.to_vec(), lease_secs });
            }
        }
        if now >= self.housekeeping.next_sweep && self.housekeeping.renewing == 0 {
            self.housekeeping.next_sweep = now + SWEEP_EVERY;
            self.sweep(out);
            self.walk(out);
        }
        if now >= self.housekeeping.next_roll && !self.housekeeping.rolling {
            self.housekeeping.rolling = true;
            out.ask(Purpose::Popularity, Query::RollPopularity { limit: POPULARITY_AT_ONCE });
        }
    }

    /// The database looked at so many packages' downloads.
    pub(super) fn rolled(&mut self, now: Millis, looked_at: u32) {
        self.housekeeping.rolling = false;
        self.housekeeping.next_roll = if looked_at > 0 { now } else { now + POPULARITY_EVERY };
    }

    /// Goes on with what a change of ABIs or policies asks for, one step at a time, so that claims come through.
    fn walk(&mut self, out: &mut Out) {
        if self.housekeeping.walk_due && !self.housekeeping.walking {
            self.housekeeping.walking = true;
            out.ask(Purpose::Walk, Query::Walk { limit: WALK_AT_ONCE });
        }
    }

    pub(super) fn walked(&mut self, opened: &[AbiTag], more: bool, out: &mut Out) {
        (self.housekeeping.walking, self.housekeeping.walk_due) = (false, more);
        for abi in opened {
            self.arrived_many(abi, out);
        }
        self.walk(out);
    }

    /// ABIs or policies changed: slaves are judged by them, versions walked over.
    pub(super) fn abis_changed(&mut self, out: &mut Out) {
        self.housekeeping.abis_stale = true;
        self.ask_for_abis(out);
        self.housekeeping.walk_due = !seeded::is("walk-forgotten");
        self.walk(out);
    }

    fn ask_for_abis(&mut self, out: &mut Out) {
        if self.housekeeping.abis_stale && !self.housekeeping.asking_abis {
            (self.housekeeping.abis_stale, self.housekeeping.asking_abis) = (false, true);
            out.ask(Purpose::Abis, Query::Abis);
        }
    }

    /// The ABIs as they were when they were asked for; none: the database did not say.
    pub(super) fn abis_told(&mut self, abis: Option<&[Abi]>, out: &mut Out) {
        self.housekeeping.asking_abis = false;
        if let Some(abis) = abis
            && !self.housekeeping.abis_stale
            && !seeded::is("abis-kept")
        {
            self.abis = built_for(abis);
        }
        self.ask_for_abis(out);
    }

    /// Transfers of slaves that are there and bring nothing.
    fn give_up_transfers(&mut self, now: Millis, out: &mut Out) {
        let is_there = |id| {
            let build = self.publisher.build_of(id);
            matches!(build.and_then(|b| self.slaves.holder(b)), Some((_, State::Offered(_))))
        };
        for (id, reason) in self.juggler.hopeless(now, is_there) {
            self.tally.transfers[TransferEnd::Lost as usize] += 1;
            self.publisher.lost(id, reason, out);
        }
    }

    pub(super) fn renewed(&mut self) {
        self.housekeeping.renewing = self.housekeeping.renewing.saturating_sub(1);
    }

    fn sweep(&mut self, out: &mut Out) {
        if !self.housekeeping.sweeping && !seeded::is("lease-never-ends") {
            self.housekeeping.sweeping = true;
            out.ask(Purpose::Sweep, Query::Sweep);
        }
    }

    pub(super) fn swept(&mut self, now: Millis, swept: Swept, out: &mut Out) {
        self.brother.did(Task::Sweep, now);
        self.brother.expired(now, swept.expired.len());
        self.housekeeping.sweeping = false;
        for (build, slave, what) in &swept.expired {
            match self.slaves.jobs.get(build) {
                Some(held) if held.conn.is_some() => {
                    log::warn!(
                        "build {build}: the lease of {slave} ended although it is here; it is taken up again"
                    );
                    let (token, slave, lease_secs) = (held.job.token, held.slave.clone(), self.lease_secs());
                    out.ask(Purpose::Readopt, Query::Adopt { token, slave, lease_secs });
                }
                _ => {
                    log::warn!("build {build}: {slave} was not heard from in time; {what} is queued again");
                    self.tally.leases_expired += 1;
                    self.lose(*build, slave, out);
                }
            }
        }
        if !swept.opened.is_empty() || !swept.expired.is_empty() {
            self.pages.home_changed();
        }
        for abi in &swept.opened {
            self.arrived_many(abi, out);
        }
        if swept.more {
            self.sweep(out);
        }
    }

    /// A job whose slave was lost: its log is kept as far as it came, unless the build can be finished without the slave.
    fn lose(&mut self, build: BuildId, slave: &str, out: &mut Out) {
        if self.drop_job(build, out) {
            let remark = format!("{slave} was not heard from after this; the job is queued again");
            out.effects.push(Effect::Disk(DiskRequest::KeepLog(build, remark)));
        }
    }

    fn drop_job(&mut self, build: BuildId, out: &mut Out) -> bool {
        let gone = self.publisher.cancel(build, out);
        if gone {
            self.slaves.finish(build);
        }
        gone
    }

    /// A job whose slave is not expected back: nothing is kept of it, unless it can be finished without the slave; then
    /// false.
    pub(super) fn give_up(&mut self, build: BuildId, out: &mut Out) -> bool {
        let gone = self.drop_job(build, out);
        if gone {
            out.effects.push(Effect::Disk(DiskRequest::DiscardLog(build)));
        }
        gone
    }
}
