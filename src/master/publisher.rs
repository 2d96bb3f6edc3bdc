//! The way of a finished build into the index, and the one place that orders it.
//!
//! ```text
//!   BUILT ► fetching file 0 … n-1 ► placing ► committing ► recorded ► DONE
//!             (SEND, transfer,       (fsync,   (build, files, lease, next ABI,
//!              size, digest,          link,     counters, page due: one
//!              METADATA checked)      fsync)    transaction)
//! ```
//!
//! The order is the farm's promise: no row without its bytes, no link without its row, no DONE before the commit. A
//! build without files (it failed, or is no sound wheel) goes straight to placing, for its log.
//!
//! What may go wrong on the way: the slave is lost (the build stays where it is until the slave is back or the lease
//! ends); the disk says no (tried again after [`DISK_RETRY`]); the bytes are not those promised (fetched again, and
//! after [`DIGEST_FAILURES`] recorded as lost in transfer); the file is no wheel of this version (recorded as a bad
//! wheel); its name is published with other bytes (the same: a published name never changes its bytes).
//!
//! Pure: no sockets, files, SQL or clock. What it wants of the slave it says in [`Step`]s.

use std::collections::{BTreeMap, BTreeSet};

use super::event::{
    Checked, DiskRequest, Effect, Expected, Out, Placed, PlacedFile, Placement, Purpose, TransferId,
    WheelFacts,
};
use super::limits::{DIGEST_FAILURES, DISK_RETRY};
use super::query::{Answer, BuildRecord, FileRecord, Job, Logged, Outcome, Query};
use super::report::KeptReport;
use crate::domain::{BuildId, Millis, Sha256, WheelName};
use crate::seeded;

mod imports;

pub use imports::Import;

/// A build whose BUILT was found sound.
#[derive(Debug, PartialEq)]
pub struct Offer {
    /// The job.
    pub job: Job,
    /// The slave's label.
    pub slave: String,
    /// How it ended, as the master judges it.
    pub outcome: Outcome,
    /// Wall-clock time of the build.
    pub duration_ms: u64,
    /// Bytes of log that came.
    pub log_bytes: u64,
    /// What it made. Empty unless `outcome` is `Built`.
    pub files: Vec<OfferedFile>,
    /// What its slave says of it; none where that said nothing.
    pub report: Option<Box<KeptReport>>,
    /// The master's own words for the end of the log.
    pub remark: Option<String>,
    /// An administrator's tool brings it, and no slave; then `slave` is who that is.
    pub import: Option<Import>,
}

/// One file of an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferedFile {
    /// Its name, parsed.
    pub wheel: WheelName,
    /// Bytes.
    pub size: u64,
    /// Digest, by the slave's word until it is checked.
    pub sha256: Sha256,
}

/// What the publisher wants of the rooms beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Ask the slave for this file of the build, to be expected under this transfer.
    Fetch(BuildId, u16, TransferId),
    /// The transfer is over.
    Forget(TransferId),
    /// The build is recorded: tell the slave DONE.
    Done(BuildId),
    /// Drop the connection of the slave, which offers the build again when it is back: it sent other bytes than it
    /// promised; or, for no fault of its own, it serves a transfer that nobody will fetch.
    Drop(BuildId, Option<String>),
    /// An import has come to nothing, and this is why.
    Refused(BuildId, String),
}

#[derive(Debug)]
struct Publication {
    offer: Offer,
    stage: Stage,
    /// Files fetched and checked, in the order of the offer.
    ready: Vec<(TransferId, FileRecord)>,
    /// The project's name as METADATA of the first of them spells it.
    spelling: Option<String>,
    digest_failures: u8,
    /// Names that no row knew when they were found taken: good for the next placing and no other.
    unclaimed: Vec<String>,
    /// The database was asked whose the taken names are, and nothing has passed since.
    resolved: bool,
    /// A build that has one of its names was recorded since then, and the answer may not know it.
    overtaken: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Stage {
    /// The next file is fetched: its transfer, whether the slave said SENT, what the check found (or why it is no
    /// wheel of this version).
    Fetching { transfer: TransferId, sent: bool, checked: Option<Result<WheelFacts, String>> },
    /// The slave is not there; SEND waits for its return.
    Waiting,
    /// The disk failed; the same again at this time.
    DiskRetry { at: Millis },
    /// Files and log are being brought into place.
    Placing,
    /// Names are taken: whose are they?
    Resolving,
    /// The transaction is under way.
    Committing,
}

impl Publication {
    /// Whether bytes are still to come from the slave. When none are, the build is finished without it.
    fn needs_slave(&self) -> bool {
        match self.stage {
            Stage::Fetching { .. } | Stage::Waiting => true,
            Stage::DiskRetry { .. } => self.ready.len() < self.offer.files.len(),
            Stage::Placing | Stage::Resolving | Stage::Committing => false,
        }
    }

    /// What the database is to keep of it, when its files are in place.
    fn record(&self) -> Query {
        if let Some(import) = self.import_record() {
            return import;
        }
        Query::LogBuild(Box::new(BuildRecord {
            token: self.offer.job.token,
            slave: self.offer.slave.clone(),
            outcome: self.offer.outcome,
            duration_ms: self.offer.duration_ms,
            log_bytes: self.offer.log_bytes,
            files: self.ready.iter().map(|(_, file)| file.clone()).collect(),
            report: self.offer.report.clone(),
        }))
    }
}

/// Every build between BUILT and DONE. Bounded by the leases: at most one for each.
#[derive(Debug, Default)]
pub struct Publisher {
    builds: BTreeMap<BuildId, Publication>,
    /// Those that are being fetched.
    transfers: BTreeMap<TransferId, BuildId>,
    next_transfer: u64,
    /// For the rooms beside this one; to be drained after every call.
    pub steps: Vec<Step>,
}

impl Publisher {
    /// A slave offers a build; again, when it came back. An offer that is under way already goes on where it was, for
    /// the token is the same and so is the build.
    pub fn offer(&mut self, offer: Offer, out: &mut Out) {
        let build = offer.job.token.build;
        if let Some(publication) = self.builds.get_mut(&build) {
            if same_files(&publication.offer.files, &offer.files) {
                match &mut publication.stage {
                    Stage::Waiting => self.fetch_next(build, out),
                    Stage::Fetching { transfer, sent, .. } => {
                        // its SENT may have been lost with the connection; it says so again
                        *sent = false;
                        let (index, transfer) = (publication.ready.len() as u16, *transfer);
                        self.steps.push(Step::Fetch(build, index, transfer));
                    }
                    _ => {}
                }
                return;
            }
            // Other files under the same token, while the first may be on their way into the index: never both.
            if !publication.needs_slave() {
                return;
            }
            self.cancel(build, out);
        }
        let publication = Publication {
            offer,
            stage: Stage::Waiting,
            ready: Vec::new(),
            spelling: None,
            digest_failures: 0,
            unclaimed: Vec::new(),
            resolved: false,
            overtaken: false,
        };
        self.builds.insert(build, publication);
        self.fetch_next(build, out);
    }

    /// Whether a build needs nothing more of its slave than to hear DONE.
    pub fn finishes_alone(&self, build: BuildId) -> bool {
        self.builds.get(&build).is_some_and(|publication| !publication.needs_slave())
    }

    /// The files that are still to come, with their sizes, and the transfers of those that are on their way.
    pub fn to_come(&self) -> impl Iterator<Item = (Option<TransferId>, u64)> + '_ {
        self.builds.values().flat_map(|publication| {
            let first = match publication.stage {
                Stage::Fetching { transfer, checked: None, .. } => Some(transfer),
                _ => None,
            };
            let files = publication.offer.files.iter().skip(publication.ready.len());
            files.enumerate().map(move |(n, file)| (first.filter(|_| n == 0), file.size))
        })
    }

    /// File names of other builds that may be in place already and have no row yet.
    fn names_on_their_way(&self, build: BuildId) -> BTreeSet<String> {
        let others = self.builds.iter().filter(|(other, p)| **other != build && !p.needs_slave());
        others.flat_map(|(_, p)| p.ready.iter().map(|(_, file)| file.filename.clone())).collect()
    }

    /// This one is recorded: what the database says of its names to those that asked before may be older.
    fn overtakes(&mut self, recorded: &Publication) {
        let asking = self.builds.values_mut().filter(|other| other.stage == Stage::Resolving);
        for other in asking {
            let named = |name: &str| recorded.ready.iter().any(|(_, file)| file.filename == name);
            other.overtaken |= other.ready.iter().any(|(_, file)| named(&file.filename));
        }
    }

    /// Whether a wheel of this name is offered by a build that is under way.
    pub fn is_offered(&self, filename: &str) -> bool {
        self.builds.values().any(|p| p.offer.files.iter().any(|file| file.wheel.as_str() == filename))
    }

    /// Builds between BUILT and DONE.
    pub fn under_way(&self) -> usize {
        self.builds.len()
    }

    /// Whether nothing is between the last byte and the commit: what a stopping master waits for.
    pub fn settled(&self) -> bool {
        self.builds.values().all(Publication::needs_slave)
    }

    /// The slave is gone for good, or its lease ended: an unfinished transfer is thrown away. A build that needs
    /// nothing more of the slave goes on. True when the build is not under way any more.
    pub fn cancel(&mut self, build: BuildId, out: &mut Out) -> bool {
        let Some(publication) = self.builds.get(&build) else { return true };
        if !publication.needs_slave() {
            return false;
        }
        self.remove(build, out);
        true
    }

    fn remove(&mut self, build: BuildId, out: &mut Out) {
        let Some(publication) = self.builds.remove(&build) else { return };
        if let Stage::Fetching { transfer, .. } = publication.stage {
            self.drop_transfer(transfer, out);
        }
        for (transfer, _) in publication.ready {
            self.drop_transfer(transfer, out);
        }
    }

    fn drop_transfer(&mut self, transfer: TransferId, out: &mut Out) {
        self.transfers.remove(&transfer);
        self.steps.push(Step::Forget(transfer));
        out.effects.push(Effect::Disk(DiskRequest::Discard(transfer)));
    }

    /// The build that a transfer is for.
    pub fn build_of(&self, transfer: TransferId) -> Option<BuildId> {
        self.transfers.get(&transfer).copied()
    }

    /// What the juggler must expect under a transfer.
    pub fn expected(&self, transfer: TransferId) -> Option<Expected> {
        let publication = self.builds.get(self.transfers.get(&transfer)?)?;
        let file = publication.offer.files.get(publication.ready.len())?;
        Some(Expected {
            build: publication.offer.job.token.build,
            index: publication.ready.len() as u16,
            filename: file.wheel.as_str().to_owned(),
            build_tag: file.wheel.build.clone(),
            size: file.size,
            sha256: file.sha256,
            project: publication.offer.job.package.clone(),
            version: publication.offer.job.version.clone(),
            once: publication.offer.import.is_some(),
        })
    }

    fn fetch_next(&mut self, build: BuildId, out: &mut Out) {
        let Some(publication) = self.builds.get_mut(&build) else { return };
        if publication.ready.len() == publication.offer.files.len() {
            self.place(build, out);
            return;
        }
        self.next_transfer += 1;
        let transfer = TransferId(self.next_transfer);
        publication.stage = Stage::Fetching { transfer, sent: false, checked: None };
        let index = publication.ready.len() as u16;
        self.transfers.insert(transfer, build);
        self.steps.push(Step::Fetch(build, index, transfer));
    }

    /// The slave says that it sent a file; the error is its defect.
    pub fn sent(&mut self, build: BuildId, index: u16, out: &mut Out) -> Result<(), String> {
        let Some(publication) = self.builds.get_mut(&build) else { return Ok(()) };
        let now_due = publication.ready.len();
        match &mut publication.stage {
            Stage::Fetching { sent, .. } if usize::from(index) == now_due && !*sent => *sent = true,
            Stage::Fetching { .. } => return Err(format!("SENT for file {index}, which was not asked for")),
            // said before the disk or the digest failed; SEND comes again
            _ => return Ok(()),
        }
        self.advance(build, out);
        Ok(())
    }

    /// The file writer has checked a file.
    pub fn checked(&mut self, transfer: TransferId, checked: Checked, out: &mut Out) {
        let Some(&build) = self.transfers.get(&transfer) else { return };
        let Some(publication) = self.builds.get_mut(&build) else { return };
        let Stage::Fetching { transfer: current, checked: slot, .. } = &mut publication.stage else { return };
        debug_assert_eq!(
            *current, transfer,
            "of a build's transfers only the one under way is known by its number"
        );
        match checked {
            Checked::Sound(facts) => {
                *slot = Some(Ok(facts));
                self.advance(build, out);
            }
            Checked::WrongDigest { found } => {
                if publication.offer.import.is_some() {
                    let name = publication.offer.files[publication.ready.len()].wheel.as_str();
                    let reason = format!("{name} changed while it was sent (SHA-256 {found})");
                    return self.refuse_import(build, reason, out);
                }
                publication.digest_failures += 1;
                publication.stage = Stage::Waiting;
                let failures = publication.digest_failures;
                let name = publication.offer.files[publication.ready.len()].wheel.as_str().to_owned();
                self.drop_transfer(transfer, out);
                let reason = format!("{name} has other bytes than promised (SHA-256 {found})");
                if failures >= DIGEST_FAILURES {
                    self.fail(build, Outcome::LostTransfer, format!("{reason}, {failures} times"), out);
                }
                self.steps.push(Step::Drop(build, Some(reason)));
            }
            Checked::BadWheel(reason) => {
                *slot = Some(Err(reason));
                self.advance(build, out);
            }
        }
    }

    /// The slave is there and brings nothing: the build is recorded as lost, without its files.
    pub fn lost(&mut self, transfer: TransferId, reason: String, out: &mut Out) {
        let Some(&build) = self.transfers.get(&transfer) else { return };
        self.drop_transfer(transfer, out);
        self.fail(build, Outcome::LostTransfer, reason, out);
    }

    /// The spool cannot hold a transfer: fetched anew when the disk may be well again. A slave that has not said SENT is
    /// not told SEND before it has left the transfer behind, and for that its connection ends.
    pub fn transfer_failed(&mut self, now: Millis, transfer: TransferId, reason: &str, out: &mut Out) {
        let Some(&build) = self.transfers.get(&transfer) else { return };
        if self.is_import(build) {
            log::error!("build {build}: a file of an import cannot be kept: {reason}");
            return self.refuse_import(build, format!("the master cannot keep it: {reason}"), out);
        }
        log::error!(
            "build {build}: a file from the slave cannot be kept: {reason}; trying again in {} s",
            DISK_RETRY.0 / 1000
        );
        self.drop_transfer(transfer, out);
        let Some(publication) = self.builds.get_mut(&build) else { return };
        if matches!(publication.stage, Stage::Fetching { sent: false, .. }) {
            self.steps.push(Step::Drop(build, None));
        }
        publication.stage = Stage::DiskRetry { at: now + DISK_RETRY };
    }

    /// Goes on when a file is sent and checked. Both are waited for: the slave is told SEND only when it expects to be,
    /// and DONE not before its SENT, which would then come out of nowhere.
    fn advance(&mut self, build: BuildId, out: &mut Out) {
        let Some(publication) = self.builds.get_mut(&build) else { return };
        let Stage::Fetching { transfer, sent: true, checked: Some(_) } = publication.stage else { return };
        let Stage::Fetching { checked: Some(checked), .. } =
            std::mem::replace(&mut publication.stage, Stage::Waiting)
        else {
            return;
        };
        let facts = match checked {
            Ok(facts) => facts,
            Err(reason) => {
                self.drop_transfer(transfer, out);
                self.fail(build, Outcome::BadWheel, reason, out);
                return;
            }
        };
        let file = &publication.offer.files[publication.ready.len()];
        let record = FileRecord {
            filename: file.wheel.as_str().to_owned(),
            size: file.size,
            sha256: file.sha256,
            python_tag: file.wheel.python.clone(),
            abi_tag: file.wheel.abi.clone(),
            platform_tag: file.wheel.platform.clone(),
            requires_python: facts.requires_python,
            metadata_sha256: facts.metadata_sha256,
            requires_dist: facts.requires_dist,
        };
        publication.spelling.get_or_insert(facts.spelling);
        publication.ready.push((transfer, record));
        self.transfers.remove(&transfer);
        self.steps.push(Step::Forget(transfer));
        self.fetch_next(build, out);
    }

    /// The build is recorded without files, with the reason in its log.
    fn fail(&mut self, build: BuildId, outcome: Outcome, reason: String, out: &mut Out) {
        if self.is_import(build) {
            return self.refuse_import(build, reason, out);
        }
        let Some(publication) = self.builds.get_mut(&build) else { return };
        log::warn!(
            "build {build} of {} {} is recorded as {}: {reason}",
            publication.offer.job.package,
            publication.offer.job.version,
            outcome.name()
        );
        publication.offer.outcome = outcome;
        publication.offer.remark = Some(reason);
        let dropped: Vec<_> = publication.ready.drain(..).map(|(transfer, _)| transfer).collect();
        publication.offer.files.clear();
        for transfer in dropped {
            self.drop_transfer(transfer, out);
        }
        self.place(build, out);
    }

    fn place(&mut self, build: BuildId, out: &mut Out) {
        let Some(publication) = self.builds.get_mut(&build) else { return };
        publication.stage = Stage::Placing;
        if let Some(import) = &publication.offer.import {
            out.effects.push(Effect::Disk(DiskRequest::Log(build, 0, import.output.clone())));
        }
        let placed = |(transfer, file): &(TransferId, FileRecord)| PlacedFile {
            transfer: *transfer,
            filename: file.filename.clone(),
            sha256: file.sha256,
            metadata_sha256: file.metadata_sha256,
        };
        let files = publication.ready.iter().map(placed).collect();
        if seeded::is("row-before-bytes") {
            out.ask(Purpose::Build(build), publication.record());
        }
        out.effects.push(Effect::Disk(DiskRequest::Place(Placement {
            build,
            project: publication.offer.job.package.clone(),
            files,
            log: publication.offer.log_bytes > 0 || publication.offer.remark.is_some(),
            remark: publication.offer.remark.clone(),
            unclaimed: std::mem::take(&mut publication.unclaimed),
        })));
    }

    /// The file writer brought a build into place, or could not.
    pub fn placed(&mut self, now: Millis, build: BuildId, placed: Placed, out: &mut Out) {
        let Some(publication) = self.builds.get_mut(&build) else { return };
        match placed {
            Placed::Durable => {
                publication.stage = Stage::Committing;
                out.ask(Purpose::Build(build), publication.record());
                if seeded::is("done-before-commit") {
                    self.steps.push(Step::Done(build));
                }
            }
            Placed::Taken(names) if publication.resolved && publication.offer.import.is_some() => {
                let names = names.join(", ");
                let reason =
                    format!("{names}: other bytes have the name, and another build may be bringing them");
                self.refuse_import(build, reason, out);
            }
            Placed::Taken(names) if publication.resolved => {
                // rows and disk disagree: asking either again at once would go round in a circle
                log::error!(
                    "build {build}: {} on the disk is not what the database says; trying again in {} s",
                    names.join(", "),
                    DISK_RETRY.0 / 1000
                );
                publication.resolved = false;
                publication.stage = Stage::DiskRetry { at: now + DISK_RETRY };
            }
            Placed::Taken(names) => {
                publication.resolved = true;
                publication.overtaken = false;
                publication.stage = Stage::Resolving;
                out.ask(Purpose::Build(build), Query::FilesKnown(names));
            }
            Placed::Missing if publication.offer.import.is_some() => {
                self.refuse_import(build, "a file of it is gone from the master's spool".to_owned(), out);
            }
            Placed::Failed(reason) if publication.offer.import.is_some() => {
                self.refuse_import(build, format!("it cannot be brought into place: {reason}"), out);
            }
            Placed::Missing => {
                log::error!(
                    "build {build}: a file of it is neither in the spool nor published; it is fetched again"
                );
                publication.resolved = false;
                publication.stage = Stage::Waiting;
                let gone: Vec<_> = publication.ready.drain(..).map(|(transfer, _)| transfer).collect();
                for transfer in gone {
                    self.drop_transfer(transfer, out);
                }
                self.fetch_next(build, out);
            }
            Placed::Failed(reason) => {
                log::error!(
                    "build {build}: its files cannot be brought into place: {reason}; trying again in {} s",
                    DISK_RETRY.0 / 1000
                );
                publication.resolved = false;
                publication.stage = Stage::DiskRetry { at: now + DISK_RETRY };
            }
        }
    }

    /// The database answered a question about a build. Gives back what recording it opened.
    pub fn answered(
        &mut self,
        now: Millis,
        build: BuildId,
        answer: Answer,
        out: &mut Out,
    ) -> Option<Recorded> {
        let on_their_way = match &answer {
            Answer::FilesKnown(_) => self.names_on_their_way(build),
            _ => BTreeSet::new(),
        };
        let publication = self.builds.get_mut(&build)?;
        match answer {
            Answer::FilesKnown(known) => {
                let wanted =
                    |name: &str| publication.ready.iter().find(|(_, f)| f.filename == name).map(|(_, f)| f);
                let clash =
                    known.iter().find(|(name, sha256)| wanted(name).is_some_and(|f| f.sha256 != *sha256));
                if let Some((name, _)) = clash {
                    let reason =
                        format!("{name} is published already, with other bytes; the published ones stay");
                    self.fail(build, Outcome::BadWheel, reason, out);
                } else if publication.overtaken
                    || publication.ready.iter().any(|(_, f)| on_their_way.contains(&f.filename))
                {
                    if publication.offer.import.is_some() {
                        let reason = "another build brings a file of that name just now; try again";
                        self.refuse_import(build, reason.to_owned(), out);
                        return None;
                    }
                    // another build's bytes are under that name, and its row may come yet, or came too late for the answer
                    publication.resolved = false;
                    publication.stage = Stage::DiskRetry { at: now + DISK_RETRY };
                } else {
                    let known: Vec<_> = known.into_iter().map(|(name, _)| name).collect();
                    let names = publication.ready.iter().map(|(_, f)| f.filename.clone());
                    publication.unclaimed = names.filter(|name| !known.contains(name)).collect();
                    self.place(build, out);
                }
                None
            }
            Answer::Logged(logged) => {
                let publication = self.builds.remove(&build)?;
                self.overtakes(&publication);
                out.effects.push(Effect::Disk(DiskRequest::DiscardLog(build)));
                self.steps.push(Step::Done(build));
                Some(Recorded { offer: publication.offer, logged })
            }
            Answer::Refused(reason) if !publication.offer.files.is_empty() => {
                self.fail(build, Outcome::BadWheel, format!("not recorded: {reason}"), out);
                None
            }
            other if publication.offer.import.is_some() => {
                log::error!("import {build} cannot be recorded: {other:?}");
                self.refuse_import(build, "it cannot be recorded; the master's log says why".to_owned(), out);
                None
            }
            // one that the database cannot keep, such as in an encoding without its characters
            Answer::Refused(reason) if publication.offer.report.take().is_some() => {
                log::warn!("build {build} is recorded without its report: {reason}");
                self.place(build, out);
                None
            }
            // With neither files nor report nothing of it can be at fault. Never DONE without a record: the slave keeps the build.
            other => {
                log::error!(
                    "build {build} cannot be recorded: {other:?}; trying again in {} s",
                    DISK_RETRY.0 / 1000
                );
                publication.stage = Stage::DiskRetry { at: now + DISK_RETRY };
                None
            }
        }
    }

    /// Tries again what the disk refused.
    pub fn tick(&mut self, now: Millis, out: &mut Out) {
        let due: Vec<BuildId> = self
            .builds
            .iter()
            .filter(|(_, p)| matches!(p.stage, Stage::DiskRetry { at } if at <= now))
            .map(|(build, _)| *build)
            .collect();
        for build in due {
            self.fetch_next(build, out);
        }
    }
}

/// A build that was recorded.
#[derive(Debug)]
pub struct Recorded {
    /// What it was.
    pub offer: Offer,
    /// What the database made of it.
    pub logged: Logged,
}

fn same_files(a: &[OfferedFile], b: &[OfferedFile]) -> bool {
    // After a failure the offer has no files any more; the slave, which does not know, offers them again.
    a.is_empty() || a == b
}

#[cfg(test)]
impl Publisher {
    /// Whether a build is under way here.
    pub(super) fn has(&self, build: BuildId) -> bool {
        self.builds.contains_key(&build)
    }
}

#[cfg(test)]
mod tests;
