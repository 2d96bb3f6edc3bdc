//! A farm's database as the tests of its functions see it: asked as the master asks, audited when the test ends.

use piwheels::domain::{AbiTag, JobToken, ProjectName, Sha256, Version};
use piwheels::master::oracle::{self, Failure, Session};
use piwheels::master::query::{
    AddedVersion, Adoption, Answer, BuildRecord, FileRecord, Job, Logged, Order, Ordered, Outcome, Query,
    Report, Rewrite, Swept, Wanted,
};
use postgres::types::ToSql;
use postgres::{Client, NoTls};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::kit::cluster::{Cluster, Database, MASTER};
pub(crate) use crate::kit::wanted::wanted;

/// How long leases of the tests run: longer than any test.
pub(crate) const LEASE_SECS: u32 = 3600;

pub(crate) struct Farm {
    pub(crate) database: Database<'static>,
    pub(crate) client: Session,
    superuser: Client,
}

impl Farm {
    /// A farm that builds for these ABIs, in their default order.
    pub(crate) fn with_abis(tags: &[&str]) -> Self {
        let mut farm = Self::of(Cluster::shared().database());
        for tag in tags {
            farm.add_abi(tag);
        }
        farm
    }

    /// The farm whose database this is.
    pub(crate) fn of(database: Database<'static>) -> Self {
        Self { client: connect(&database), superuser: database.superuser(), database }
    }

    pub(crate) fn ask(&mut self, query: &Query) -> Answer {
        oracle::execute(&mut self.client, query).unwrap()
    }

    /// The reason why the database will not do it.
    pub(crate) fn refusal(&mut self, query: &Query) -> String {
        match oracle::execute(&mut self.client, query) {
            Err(Failure::Refused(text)) => text,
            other => panic!("not refused: {other:?}"),
        }
    }

    pub(crate) fn add_abi(&mut self, tag: &str) -> Option<u64> {
        let abi = abi(tag);
        let rank = abi.default_rank();
        let before = self.number("SELECT count(*) FROM piw.queue", &[]);
        let query = Query::AddAbi { abi, rank, platforms: Vec::new() };
        let Answer::AbiAdded(added, _) = self.ask(&query) else { panic!() };
        self.walk();
        let after = self.number("SELECT count(*) FROM piw.queue", &[]);
        added.then(|| u64::try_from(after - before).unwrap())
    }

    /// Walks to the end; every ABI that was opened on the way.
    pub(crate) fn walk(&mut self) -> Vec<AbiTag> {
        let mut all = Vec::new();
        loop {
            let Answer::Walked { opened, more } = self.ask(&Query::Walk { limit: 2 }) else { panic!() };
            all.extend(opened);
            if !more {
                return all;
            }
        }
    }

    pub(crate) fn add_all(&mut self, wanted: Vec<Wanted>) -> Vec<AddedVersion> {
        let Answer::Added(added) = self.ask(&Query::AddVersions { wanted, deps: false }) else { panic!() };
        added
    }

    pub(crate) fn add(&mut self, package: &str, version: &str) -> AddedVersion {
        self.add_all(vec![wanted(package, version)]).remove(0)
    }

    pub(crate) fn claim_with(&mut self, tag: &str, secret: [u8; 16]) -> Option<Job> {
        let query = Query::Claim {
            abi: abi(tag),
            slave: "pi-1".to_owned(),
            secret,
            lease_secs: LEASE_SECS,
            class: 0,
        };
        let Answer::Claimed(job) = self.ask(&query) else { panic!() };
        job
    }

    pub(crate) fn claim(&mut self, tag: &str) -> Option<Job> {
        self.claim_with(tag, secret())
    }

    /// The next job, which must be there.
    pub(crate) fn job(&mut self, tag: &str) -> Job {
        self.claim(tag).unwrap_or_else(|| panic!("nothing is queued for {tag}"))
    }

    pub(crate) fn log(&mut self, job: &Job, outcome: Outcome, files: Vec<FileRecord>) -> Logged {
        let Answer::Logged(logged) = self.ask(&Query::LogBuild(Box::new(record(job.token, outcome, files))))
        else {
            panic!()
        };
        logged
    }

    /// Records wheels of the job, one for every pair of Python and ABI tag.
    pub(crate) fn built(&mut self, job: &Job, tags: &[(&str, &str)]) -> Logged {
        let files = tags.iter().map(|(python, abi)| wheel(job, python, abi)).collect();
        self.log(job, Outcome::Built, files)
    }

    pub(crate) fn failed(&mut self, job: &Job) -> Logged {
        self.log(job, Outcome::Failed, Vec::new())
    }

    pub(crate) fn adopt(&mut self, token: JobToken) -> Adoption {
        let query = Query::Adopt { token, slave: "pi-1".to_owned(), lease_secs: LEASE_SECS };
        let Answer::Adopted(adoption) = self.ask(&query) else { panic!() };
        adoption
    }

    pub(crate) fn release(&mut self, token: JobToken) -> Option<AbiTag> {
        let Answer::Released(abi) = self.ask(&Query::Release(token)) else { panic!() };
        abi
    }

    pub(crate) fn sweep(&mut self) -> Swept {
        let Answer::Swept(swept) = self.ask(&Query::Sweep) else { panic!() };
        swept
    }

    pub(crate) fn rewrites(&mut self) -> Vec<Rewrite> {
        let Answer::RewritesDue { due, .. } = self.ask(&Query::RewritesDue { limit: 64, except: Vec::new() })
        else {
            panic!()
        };
        due
    }

    pub(crate) fn why(&mut self, package: &str, version: Option<&str>) -> Option<serde_json::Value> {
        let query = Query::Why { package: name(package), version: version.map(self::version) };
        let Answer::Why(text) = self.ask(&query) else { panic!() };
        text.map(|text| serde_json::from_str(&text).unwrap())
    }

    /// Gives an order; its answer for people, and what it came to.
    pub(crate) fn order(&mut self, order: Order) -> (serde_json::Value, Ordered) {
        let Answer::Ordered(ordered) = self.ask(&Query::Order(Box::new(order))) else { panic!() };
        (serde_json::from_str(&ordered.json).unwrap(), ordered)
    }

    pub(crate) fn report(&mut self, report: Report) -> serde_json::Value {
        let Answer::Report(json) = self.ask(&Query::Report(report)) else { panic!() };
        serde_json::from_str(&json).unwrap()
    }

    /// Lets a lease run out, as time would, and sweeps.
    pub(crate) fn lose(&mut self, job: &Job) -> Swept {
        self.expire(job);
        self.sweep()
    }

    /// Loses the slaves of all five attempts that there are; the jobs.
    pub(crate) fn lose_for_good(&mut self, abi: &str) -> [Job; 5] {
        std::array::from_fn(|_| {
            let job = self.job(abi);
            self.lose(&job);
            self.wait_back_off();
            job
        })
    }

    /// Lets a lease run out without sweeping.
    pub(crate) fn expire(&mut self, job: &Job) {
        let sql = "UPDATE piw.lease SET expires_at = clock_timestamp() - interval '1 s' WHERE build_id = $1";
        assert_eq!(self.superuser.execute(sql, &[&job.token.build.0]).unwrap(), 1);
    }

    /// Lets the back-off of everything delayed run out, and sweeps.
    pub(crate) fn wait_back_off(&mut self) -> Swept {
        self.execute("UPDATE piw.delayed SET due = clock_timestamp() - interval '1 s'");
        self.sweep()
    }

    pub(crate) fn execute(&mut self, sql: &str) {
        self.superuser.batch_execute(sql).unwrap();
    }

    pub(crate) fn number(&mut self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> i64 {
        self.superuser.query_one(sql, parameters).unwrap().get(0)
    }

    pub(crate) fn texts(&mut self, sql: &str) -> Vec<String> {
        self.superuser.query(sql, &[]).unwrap().iter().map(|row| row.get(0)).collect()
    }

    /// Has the database mend what a test did behind its back. Nothing of it may be left.
    pub(crate) fn mend(&mut self) -> u64 {
        let Answer::Audited(first) = self.ask(&Query::Audit { mend: true }) else { panic!() };
        let Answer::Audited(after) = self.ask(&Query::Audit { mend: false }) else { panic!() };
        assert_eq!(after.problems, Vec::<String>::new(), "after mending");
        first.mended
    }

    /// What the audit finds wrong.
    pub(crate) fn audit(&mut self) -> Vec<String> {
        let rows = self.client.query("SELECT problem FROM piw.audit()", &[]).unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }
}

impl Drop for Farm {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(self.audit(), Vec::<String>::new(), "the audit at the end of the test");
        }
    }
}

/// A session of the master's, as the oracle has it.
pub(crate) fn connect(database: &Database<'_>) -> Session {
    let mut config = database.config(MASTER);
    oracle::configure(&mut config);
    config.connect(NoTls).unwrap().into()
}

/// A secret that was not used before.
pub(crate) fn secret() -> [u8; 16] {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    bytes
}

pub(crate) fn abi(tag: &str) -> AbiTag {
    AbiTag::parse(tag).unwrap()
}

pub(crate) fn name(text: &str) -> ProjectName {
    ProjectName::parse(text).unwrap()
}

pub(crate) fn version(text: &str) -> Version {
    Version::parse(text).unwrap()
}

/// A wheel of a job's version, with the build tag that was asked for; other tags are other files, and the build's number
/// makes other bytes.
pub(crate) fn wheel(job: &Job, python: &str, abi: &str) -> FileRecord {
    let platform = if abi == "none" { "any" } else { "linux_armv7l" };
    let tag = if job.build_tag > 0 { format!("-{}", job.build_tag) } else { String::new() };
    let package = job.package.as_str().replace('-', "_");
    let filename = format!("{package}-{}{tag}-{python}-{abi}-{platform}.whl", job.version);
    FileRecord {
        size: 1000,
        sha256: Sha256::of(format!("{filename} {}", job.token.build).as_bytes()),
        python_tag: python.to_owned(),
        abi_tag: abi.to_owned(),
        platform_tag: platform.to_owned(),
        requires_python: Some(">=3.9".to_owned()),
        metadata_sha256: Sha256::of(filename.as_bytes()),
        requires_dist: Vec::new(),
        filename,
    }
}

pub(crate) fn record(token: JobToken, outcome: Outcome, files: Vec<FileRecord>) -> BuildRecord {
    BuildRecord {
        token,
        slave: "pi-1".to_owned(),
        outcome,
        duration_ms: 1500,
        log_bytes: 2000,
        files,
        report: None,
    }
}

/// Recorded, and this ABI opened next.
pub(crate) fn opened(tag: &str) -> Logged {
    Logged::Recorded { opened: Some(abi(tag)) }
}

/// Recorded, and nothing opened.
pub(crate) const SETTLED: Logged = Logged::Recorded { opened: None };
