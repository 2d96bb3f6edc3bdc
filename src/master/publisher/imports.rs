//! Builds that an administrator brings. They go the way of all others, with two differences: nobody keeps them for another
//! try, so that whatever goes wrong ends them at once, and nothing is recorded of one that goes wrong.

use bytes::Bytes;

use super::{Publication, Publisher, Step};
use crate::domain::BuildId;
use crate::master::event::{DiskRequest, Effect, Out};
use crate::master::query::{ImportRecord, Query};

/// What an import has that a slave's build has not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// The database's clock when it began.
    pub begun: i64,
    /// What the build printed.
    pub output: Bytes,
}

impl Publisher {
    /// Whether a tool brings this build.
    pub fn is_import(&self, build: BuildId) -> bool {
        self.builds.get(&build).is_some_and(|publication| publication.offer.import.is_some())
    }

    /// An import ends without a trace.
    pub(super) fn refuse_import(&mut self, build: BuildId, reason: String, out: &mut Out) {
        self.remove(build, out);
        out.effects.push(Effect::Disk(DiskRequest::DiscardLog(build)));
        self.steps.push(Step::Refused(build, reason));
    }
}

impl Publication {
    /// The record of an import whose files are in place.
    pub(super) fn import_record(&self) -> Option<Query> {
        let import = self.offer.import.as_ref()?;
        let job = &self.offer.job;
        Some(Query::LogImport(Box::new(ImportRecord {
            token: job.token,
            begun: import.begun,
            package: job.package.clone(),
            display: self.spelling.clone().unwrap_or_else(|| job.package.as_str().to_owned()),
            version: job.version.clone(),
            abi: job.abi.clone(),
            by: self.offer.slave.clone(),
            duration_ms: self.offer.duration_ms,
            log_bytes: self.offer.log_bytes,
            files: self.ready.iter().map(|(_, file)| file.clone()).collect(),
        })))
    }
}
