//! A model of the database: versions of one project, queued, leased and recorded, by the rules of `query.rs`.

use std::collections::{BTreeMap, VecDeque};

use crate::domain::{BuildId, JobToken, Millis, Version};
use crate::master::query::*;
use crate::master::testbed::{abi, project};

#[derive(Debug)]
struct Lease {
    token: JobToken,
    version: usize,
    until: Millis,
    open: bool,
}

/// Everything it knows.
#[derive(Debug)]
pub(super) struct Database {
    lease: Millis,
    queue: VecDeque<usize>,
    leases: BTreeMap<BuildId, Lease>,
    records: BTreeMap<BuildId, Logged>,
    /// For each version the build that settled it.
    settled: Vec<Option<BuildId>>,
}

impl Database {
    pub(super) fn new(versions: usize, lease: Millis) -> Self {
        Self {
            lease,
            queue: (0..versions).collect(),
            leases: BTreeMap::new(),
            records: BTreeMap::new(),
            settled: vec![None; versions],
        }
    }

    pub(super) fn all_settled(&self) -> bool {
        self.settled.iter().all(Option::is_some)
    }

    /// Every version is settled, queued, or leased: none was lost.
    pub(super) fn assert_nothing_is_lost(&self, now: Millis) {
        for (version, settled) in self.settled.iter().enumerate() {
            let queued = self.queue.iter().filter(|queued| **queued == version).count();
            let leased =
                self.leases.values().filter(|l| l.open && l.version == version && l.until > now).count();
            let places = queued + leased + usize::from(settled.is_some());
            assert!(places > 0, "version {version} is lost");
            assert!(
                queued <= 1 && !(queued == 1 && settled.is_some()),
                "version {version} is queued in vain"
            );
        }
    }

    /// Versions that wait for a claim.
    pub(super) fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Leases that are open.
    pub(super) fn open_leases(&self) -> usize {
        self.leases.values().filter(|lease| lease.open).count()
    }

    pub(super) fn carry_out(&mut self, now: Millis, query: &Query) -> Answer {
        match query {
            Query::Claim { secret, .. } => Answer::Claimed(self.claim(now, *secret)),
            Query::Renew { builds, .. } => {
                for build in builds {
                    if let Some(lease) = self.leases.get_mut(build).filter(|lease| lease.open) {
                        lease.until = now + self.lease;
                    }
                }
                Answer::Renewed
            }
            Query::Adopt { token, .. } => Answer::Adopted(self.adopt(now, *token)),
            Query::Release(token) => Answer::Released(self.release(*token)),
            Query::FilesKnown(_) => Answer::FilesKnown(Vec::new()),
            Query::LogBuild(record) => Answer::Logged(self.log_build(record)),
            Query::Statistics => Answer::Statistics(Box::default()),
            Query::Sweep => Answer::Swept(self.sweep(now)),
            Query::OrderHome => Answer::HomeOrdered,
            Query::RewritesDue { .. } => Answer::RewritesDue { due: Vec::new(), more: false },
            Query::PagesDue { .. } => Answer::PagesDue(Vec::new()),
            Query::DepsDue(_) => Answer::DepsDue(Vec::new()),
            Query::RequirementsDue(_) => Answer::RequirementsDue(Vec::new()),
            Query::Walk { .. } => Answer::Walked { opened: Vec::new(), more: false },
            Query::RollPopularity { .. } => Answer::PopularityRolled(0),
            other => panic!("nobody asks this here: {other:?}"),
        }
    }

    fn job(&self, build: BuildId) -> Job {
        let lease = &self.leases[&build];
        let version = Version::parse("1.0").expect("a version");
        Job {
            token: lease.token,
            package: project("foo"),
            version,
            abi: abi("cp311"),
            attempt: 1,
            build_tag: 0,
        }
    }

    fn claim(&mut self, now: Millis, secret: [u8; 16]) -> Option<Job> {
        let version = self.queue.pop_front()?;
        let build = BuildId(self.leases.len() as i64 + 1);
        let token = JobToken { build, secret };
        self.leases.insert(build, Lease { token, version, until: now + self.lease, open: true });
        Some(self.job(build))
    }

    fn adopt(&mut self, now: Millis, token: JobToken) -> Adoption {
        let Some(lease) = self.leases.get_mut(&token.build).filter(|lease| lease.token == token) else {
            return Adoption::Unknown;
        };
        if self.records.contains_key(&token.build) {
            return Adoption::Recorded;
        }
        if !lease.open {
            let Some(at) = self.queue.iter().position(|version| *version == lease.version) else {
                return Adoption::Late(self.job(token.build));
            };
            self.queue.remove(at);
        }
        (lease.open, lease.until) = (true, now + self.lease);
        Adoption::Live(self.job(token.build))
    }

    fn requeue(&mut self, version: usize) {
        if self.settled[version].is_none() {
            self.queue.push_back(version);
        }
    }

    fn release(&mut self, token: JobToken) -> Option<crate::domain::AbiTag> {
        let lease = self.leases.get_mut(&token.build).filter(|lease| lease.token == token && lease.open)?;
        lease.open = false;
        let version = lease.version;
        self.requeue(version);
        Some(abi("cp311"))
    }

    fn log_build(&mut self, record: &BuildRecord) -> Logged {
        let build = record.token.build;
        let Some(lease) = self.leases.get_mut(&build).filter(|lease| lease.token == record.token) else {
            return Logged::Unknown;
        };
        if self.records.contains_key(&build) {
            return Logged::Duplicate;
        }
        lease.open = false;
        let version = lease.version;
        let logged = if self.settled[version].is_some() {
            Logged::Superseded
        } else {
            self.settled[version] = Some(build);
            self.queue.retain(|queued| *queued != version);
            Logged::Recorded { opened: None }
        };
        self.records.insert(build, logged.clone());
        logged
    }

    fn sweep(&mut self, now: Millis) -> Swept {
        let ended: Vec<_> =
            self.leases.iter().filter(|(_, l)| l.open && l.until <= now).map(|(b, _)| *b).collect();
        let mut swept = Swept::default();
        for build in ended {
            let Some(lease) = self.leases.get_mut(&build) else { continue };
            lease.open = false;
            let version = lease.version;
            self.requeue(version);
            swept.expired.push((build, "pi".to_owned(), "foo 1.0".to_owned()));
            swept.opened.push(abi("cp311"));
        }
        swept
    }
}
