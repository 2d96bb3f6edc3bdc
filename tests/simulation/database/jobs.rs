//! Jobs: claimed, renewed, taken up again, given back, run out.

use std::collections::BTreeSet;

use piwheels::domain::{AbiTag, BuildId, JobToken};
use piwheels::master::query::{Adoption, Job, Outcome, Swept};

use super::{BuildRow, FORGOTTEN_AFTER, Lease, Page, Pair, Tables, Waiting};

impl Tables {
    pub(super) fn build_tag(&self, (version, abi): Pair) -> u64 {
        let tag = &self.abis[abi];
        let (major, minor) = tag.python();
        let own: &[&str] = if tag.flags().contains('t') { &["none"] } else { &["none", "abi3"] };
        let files = self.files.iter().filter(|(_, file)| file.version == version).map(|(name, _)| name);
        let gone = self.withdrawn.iter().filter(|(_, gone)| gone.version == version).map(|(name, _)| name);
        let (mut clash, mut highest) = (false, 0);
        for name in files.chain(gone) {
            let parts: Vec<&str> = name.split('-').collect();
            if parts.len() == 6 {
                let digits: String = parts[2].chars().take_while(char::is_ascii_digit).collect();
                highest = highest.max(digits.parse().unwrap_or(0));
            }
            let (pythons, abis) = (parts[parts.len() - 3], parts[parts.len() - 2]);
            let later = pythons.split('.').any(|python| later_than(python, (major, minor)));
            let serves = abis.split('.').any(|abi| own.contains(&abi)) && !later;
            clash |= abis.split('.').any(|abi| abi == tag.as_str()) || serves;
        }
        if clash { highest + 1 } else { 0 }
    }

    pub(super) fn job(&self, build: i64) -> Job {
        let lease = &self.leases[&build];
        let row = &self.versions[lease.pair.0];
        Job {
            token: JobToken { build: BuildId(build), secret: lease.secret },
            package: self.packages[row.package].name.clone(),
            version: row.version.clone(),
            abi: self.abis[lease.pair.1].clone(),
            attempt: lease.attempt,
            build_tag: lease.build_tag,
        }
    }

    pub(super) fn claim(
        &mut self,
        clock: u64,
        abi: &AbiTag,
        slave: &str,
        secret: [u8; 16],
        lease_secs: u32,
        class: u8,
    ) -> Result<Option<Job>, String> {
        if let Some((build, lease)) = self.leases.iter().find(|(_, lease)| lease.secret == secret) {
            if lease.ended.is_some() {
                return Err("the lease with this secret has ended".to_owned());
            }
            return Ok(Some(self.job(*build)));
        }
        let Some(abi) = self.abi(abi).filter(|abi| !self.is_retired(*abi)) else { return Ok(None) };
        let ready = self.queue.iter().filter(|(pair, waiting)| pair.1 == abi && waiting.ready);
        let from = u64::from(class) << 48;
        let first = ready.min_by_key(|(pair, _)| {
            let prio = self.prio(pair.0);
            // of the class, or else of any
            (prio < from, prio, pair.0)
        });
        let Some((&pair, &Waiting { attempt, .. })) = first else { return Ok(None) };
        self.queue.remove(&pair);
        self.skip_lost_numbers();
        let build = self.draw_build();
        let lease = Lease {
            pair,
            attempt,
            slave: slave.to_owned(),
            secret,
            claimed: clock,
            expires: clock + u64::from(lease_secs) * 1000,
            build_tag: self.build_tag(pair),
            ended: None,
        };
        assert!(
            !self.leases.values().any(|other| other.pair == pair && other.ended.is_none()),
            "one job with two live leases"
        );
        self.leases.insert(build, lease);
        Ok(Some(self.job(build)))
    }

    pub(super) fn draw_build(&mut self) -> i64 {
        self.next_build += 1;
        self.next_build - 1
    }

    pub(super) fn skip_lost_numbers(&mut self) {
        if std::mem::take(&mut self.crashed) {
            self.next_build += 100_000;
        }
    }

    pub(super) fn renew(&mut self, clock: u64, builds: &[BuildId], lease_secs: u32) {
        for build in builds {
            if let Some(lease) = self.leases.get_mut(&build.0).filter(|lease| lease.ended.is_none()) {
                lease.expires = lease.expires.max(clock + u64::from(lease_secs) * 1000);
            }
        }
    }

    pub(super) fn lease(&self, token: JobToken) -> Option<&Lease> {
        self.leases.get(&token.build.0).filter(|lease| lease.secret == token.secret)
    }

    pub(super) fn has_record(&self, token: JobToken) -> bool {
        self.builds.get(&token.build.0).is_some_and(|build| build.secret == token.secret)
    }

    pub(super) fn adopt(&mut self, clock: u64, token: JobToken, slave: &str, lease_secs: u32) -> Adoption {
        let Some(lease) = self.lease(token) else {
            return if self.has_record(token) { Adoption::Recorded } else { Adoption::Unknown };
        };
        let (pair, ended) = (lease.pair, lease.ended.is_some());
        let mut live = !ended;
        if ended && lease.build_tag >= self.build_tag(pair) {
            let (queued, delayed) = (self.queue.remove(&pair), self.delayed.remove(&pair));
            live = queued.is_some() || delayed.is_some();
        }
        if live && let Some(lease) = self.leases.get_mut(&token.build.0) {
            let expiry = clock + u64::from(lease_secs) * 1000;
            lease.expires = if ended { expiry } else { lease.expires.max(expiry) };
            lease.ended = None;
            lease.slave = slave.to_owned();
        }
        let job = self.job(token.build.0);
        if live { Adoption::Live(job) } else { Adoption::Late(job) }
    }

    pub(super) fn release(&mut self, clock: u64, token: JobToken) -> Option<AbiTag> {
        let lease = self.lease(token)?;
        let (pair, attempt, ended) = (lease.pair, lease.attempt, lease.ended.is_some());
        if !ended {
            self.end_lease(clock, token.build.0, "released");
            self.requeue_pair(clock, pair, attempt, None);
            self.order_page(clock, Page::Project(self.versions[pair.0].package));
        }
        self.queue.keys().find(|queued| queued.0 == pair.0).map(|queued| self.abis[queued.1].clone())
    }

    pub(super) fn end_lease(&mut self, clock: u64, build: i64, how: &'static str) {
        if let Some(lease) = self.leases.get_mut(&build) {
            lease.ended = Some((how, clock));
        }
    }

    pub(super) fn record(&mut self, clock: u64, build: i64, slave: &str, outcome: Outcome, log_bytes: u64) {
        let lease = &self.leases[&build];
        let row = BuildRow {
            pair: lease.pair,
            attempt: lease.attempt,
            slave: slave.to_owned(),
            outcome,
            secret: lease.secret,
            log_bytes,
            void: false,
            at: clock,
        };
        // one that was written off before keeps being void, if it is
        let void = self.builds.get(&build).is_some_and(|before| before.void);
        self.builds.insert(build, BuildRow { void, ..row });
    }

    pub(super) fn sweep(&mut self, clock: u64) -> Swept {
        let mut swept = Swept::default();
        let mut opened = BTreeSet::new();
        let mut expired: Vec<(u64, i64)> = self
            .leases
            .iter()
            .filter(|(_, lease)| lease.ended.is_none() && lease.expires <= clock)
            .map(|(build, lease)| (lease.expires, *build))
            .collect();
        expired.sort_unstable();
        let mut pages = BTreeSet::new();
        for (_, build) in expired {
            let lease = self.leases[&build].clone();
            self.end_lease(clock, build, "expired");
            if settles(Outcome::LostSlave, lease.attempt) {
                self.record(clock, build, &lease.slave, Outcome::LostSlave, 0);
                self.versions[lease.pair.0].done |= 1 << lease.pair.1;
                opened.extend(self.open_next(clock, lease.pair.0));
            } else {
                let wait = back_off(Outcome::LostSlave, lease.attempt);
                let due = (lease.attempt > 1).then_some(clock + wait);
                opened.extend(self.requeue_pair(clock, lease.pair, lease.attempt + 1, due));
            }
            let row = &self.versions[lease.pair.0];
            let what = format!("{} {}", self.packages[row.package].name, row.version);
            swept.expired.push((BuildId(build), lease.slave, what));
            pages.insert(row.package);
        }
        let due: Vec<Pair> =
            self.delayed.iter().filter(|(_, waiting)| waiting.at <= clock).map(|(pair, _)| *pair).collect();
        for pair in due {
            if let Some(waiting) = self.delayed.remove(&pair) {
                let ready = self.versions[pair.0].checked;
                self.queue.insert(pair, Waiting { at: clock, ready, for_page: false, ..waiting });
                opened.insert(pair.1);
            }
        }
        self.leases.retain(|_, lease| lease.ended.is_none_or(|(_, at)| at + FORGOTTEN_AFTER > clock));
        pages.into_iter().for_each(|package| self.order_page(clock, Page::Project(package)));
        swept.opened = opened.into_iter().map(|abi| self.abis[abi].clone()).collect();
        swept
    }
}

/// Whether a Python tag of a file names a later Python than this.
pub(super) fn later_than(python: &str, (major, minor): (u16, u16)) -> bool {
    let Some(digits) = python.strip_prefix("cp").filter(|d| (2..=4).contains(&d.len())) else { return false };
    let (a, b) = digits.split_at(1);
    matches!((a.parse::<u16>(), b.parse::<u16>()), (Ok(a), Ok(b)) if (a, b) > (major, minor))
}

/// `_settles`.
pub(crate) fn settles(outcome: Outcome, attempt: u16) -> bool {
    match outcome {
        Outcome::LostSlave | Outcome::LostTransfer | Outcome::Network | Outcome::Disk => attempt >= 5,
        Outcome::UploadRace => attempt >= 6,
        Outcome::Timeout | Outcome::Silence | Outcome::OutOfMemory | Outcome::DiskLimit => attempt >= 2,
        Outcome::Superseded => false,
        _ => true,
    }
}

/// `_back_off`, in milliseconds.
pub(super) fn back_off(outcome: Outcome, attempt: u16) -> u64 {
    let tries = u32::from(attempt) - 1;
    1000 * match outcome {
        Outcome::UploadRace => 300 * 2u64.pow(tries),
        Outcome::Network | Outcome::Disk => 60 * 4u64.pow(tries),
        _ => 30 * 2u64.pow(tries),
    }
}
