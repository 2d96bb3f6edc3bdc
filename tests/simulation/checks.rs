//! What must never happen, looked at while it would; and what must be so in the end.
//!
//! 1. A page links to what is not there or has other bytes, and a row stands for what a power cut would take.
//! 2. What was acknowledged (DONE, the answer of a tool) is not in database or on disk.
//! 3. One token for two slaves, one result recorded twice, one job with two live leases (the model of the database sees to that),
//!    a lease that ends under a slave that is there, another slave's job.
//! 4. A job waits although a slave idles that could have it; the farm does not come to rest.
//! 5. A peer with a defect stays.
//! 6. Somebody touches what is outside the output directory and the spool.
//! 7. The farm holds more than its connections and leases account for.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use piwheels::domain::{BuildId, ProjectName, Sha256, log_path};
use piwheels::master::event::{ConnId, Event, Message};
use piwheels::master::query::{Adoption, Answer, Logged, Outcome, PageKind, Query, RewriteOrder};
use piwheels::wire::import::FromTool;
use piwheels::wire::slave::{FromSlave, Held, Holding, Resume, ToSlave};

use super::database::Page;
use super::master::limits;
use super::network::{Line, Peer};
use super::orders::Ordered;
use super::villain::PATIENCE;
use super::world::World;

/// How long a job may wait although somebody idles, once everybody is well: less than a slave sleeps.
const HANDED_OUT_WITHIN: u64 = 12_000;
/// How long a slave that is there may go on with what must not be built.
const CANCELLED_WITHIN: u64 = 2_000;
/// How long a job that is given back may be leased: the oracles may be late one after the other. A lease lasts for longer.
const GIVEN_BACK_WITHIN: u64 = 20_000;
/// When the quiet begins, what was broken before it takes so long to be noticed.
pub(crate) const SETTLED_AFTER: u64 = 180_000;

/// What was promised, and what there was trouble with.
#[derive(Debug, Default)]
pub(crate) struct Book {
    /// Builds that slaves were told are recorded, and those that were since forgotten by order.
    acknowledged: BTreeSet<i64>,
    forgotten: BTreeSet<i64>,
    recorded: BTreeSet<i64>,
    handed_out: BTreeMap<[u8; 16], ConnId>,
    /// Builds that were given back unfinished, and when.
    given_back: BTreeMap<i64, u64>,
    /// Builds that must not go on, since when the master knows.
    unwanted: BTreeMap<i64, u64>,
    /// Keys of transfers, and who may deliver them.
    pub(crate) keys: Vec<([u8; 16], Option<String>)>,
    /// Until then the database was not well.
    pub(crate) database_troubled: u64,
    /// The next stop of the master is its machine's.
    pub(crate) power_goes: bool,
    /// Digests by inode, size and time.
    digests: BTreeMap<(u64, u64, i64, i64), Sha256>,
    next_look: u64,
    pub(crate) ordered: Ordered,
}

impl World {
    /// The master is about to hear this.
    pub(crate) fn heard_by_master(&mut self, conn: ConnId, event: &Event) {
        if let Event::Slave(_, FromSlave::Hello { held: Some(held), .. }) = event {
            let owner = self.owner(conn, held.token.build);
            if let Some(line) = self.lines.get_mut(&conn) {
                line.robs = owner;
            }
        }
        let Some(line) = self.lines.get_mut(&conn) else { return };
        match event {
            Event::Slave(_, FromSlave::Hello { held, .. }) => line.holds = held.clone(),
            Event::Slave(_, FromSlave::Idle {}) => line.idle_since = Some(self.clock),
            Event::Slave(_, FromSlave::Built { .. }) => line.builds = None,
            Event::Slave(_, FromSlave::Bye { .. }) => {
                if let Some((build, _)) = line.builds.take() {
                    self.book.given_back.insert(build.0, self.clock);
                }
            }
            Event::Monitor(_, message) => {
                if let Peer::Watcher(watcher) = line.peer {
                    self.heard_of_watcher(watcher, message);
                }
            }
            _ => {}
        }
    }

    /// Whether a message is a defect of its slave, for which its connection must end: another token than its job's.
    pub(crate) fn is_forged(&self, conn: ConnId, event: &Event) -> bool {
        let Event::Slave(_, FromSlave::Built { token, .. }) = event else { return false };
        let Some((build, _)) = self.lines.get(&conn).and_then(|line| line.builds) else { return false };
        let tables = &self.database.now;
        let leased = tables.leases.get(&build.0).map(|lease| lease.secret);
        let secret = leased.or_else(|| tables.builds.get(&build.0).map(|row| row.secret));
        secret.is_some_and(|secret| token.build != build || token.secret != secret)
    }

    /// The master says this.
    pub(crate) fn said_by_master(&mut self, conn: ConnId, message: &Message) {
        if let Message::Monitor(message) = message {
            return self.told_watcher(conn, message);
        }
        let Message::Slave(message) = message else { return };
        let clock = self.clock;
        let Some(line) = self.lines.get_mut(&conn) else { return };
        let villain = matches!(line.peer, Peer::Villain(_));
        let peer = line.peer;
        match message {
            ToSlave::Build { token, .. } => {
                line.builds = Some((token.build, clock));
                (line.cancelled, line.idle_since) = (false, None);
                if let Some(before) = self.book.handed_out.insert(token.secret, conn) {
                    self.violated(format!("build {} is handed to {conn:?} and to {before:?}", token.build));
                }
            }
            ToSlave::Hello { resume: Resume::GoOn, .. } => {
                let Some(Held { token, state }) = line.holds.clone() else { return };
                // what is built already need not be told to stop
                (line.builds, line.cancelled) = (Some((token.build, clock)), state != Holding::Building);
                let robbed = line.robs.and_then(|owner| self.lines.get(&owner)).filter(|owner| {
                    // it is still there, whatever the master did to it
                    owner.peer_open
                        && !owner.broken
                        && owner.builds.is_some_and(|(its, _)| its == token.build)
                });
                if let Some(owner) = robbed {
                    let whose = owner.peer;
                    self.violated(format!("{peer:?} is given build {}, which {whose:?} has", token.build));
                }
            }
            ToSlave::Hello { resume: Resume::Drop, .. } => {
                let Some(Held { token, .. }) = line.holds else { return };
                let lease = self.database.now.leases.get(&token.build.0);
                let live = lease.is_some_and(|lease| lease.ended.is_none() && lease.secret == token.secret);
                if live && !villain {
                    self.violated(format!("{peer:?} is to drop build {}, whose lease is alive", token.build));
                }
            }
            ToSlave::Sleep { .. } => {
                line.idle_since = Some(clock);
                if let Peer::Board(board) = peer
                    && self.is_long_retired(self.boards[board].abi)
                {
                    self.violated(format!("{peer:?} is to wait, and nothing is built for its ABI any more"));
                }
            }
            ToSlave::Cancel { .. } => line.cancelled = true,
            ToSlave::Send { transfer, .. } => {
                let name = line.name.clone();
                self.book.keys.push((*transfer, name));
            }
            ToSlave::Done { build } => self.acknowledged(*build),
            _ => {}
        }
    }

    /// The slave of another name that has this build, and is there.
    fn owner(&self, conn: ConnId, build: BuildId) -> Option<ConnId> {
        let name = &self.lines.get(&conn)?.name;
        let has = |line: &Line| {
            line.name != *name && line.stands() && line.builds.is_some_and(|(its, _)| its == build)
        };
        self.lines.iter().find(|(other, line)| **other != conn && has(line)).map(|(owner, _)| *owner)
    }

    /// A slave is told that its build is recorded.
    fn acknowledged(&mut self, build: BuildId) {
        if self.book.forgotten.contains(&build.0) {
            return;
        }
        // of a claim that the database lost nobody wants the result
        let lost = !self.database.now.leases.contains_key(&build.0);
        if self.database.now.builds.contains_key(&build.0) {
            self.book.acknowledged.insert(build.0);
        } else if !lost {
            self.violated(format!("DONE for build {build}, which is not recorded"));
        }
        self.check_rows_of(build.0);
    }

    /// Every file of a build has its bytes, and they would outlive a power cut.
    fn check_rows_of(&mut self, build: i64) {
        let files: Vec<_> =
            self.database.now.files.values().filter(|file| file.build == build).cloned().collect();
        for file in files {
            let package = self.database.now.versions[file.version].package;
            let project = self.database.now.packages[package].name.clone();
            let dir = self.disk.output.join("simple").join(project.as_str());
            let path = dir.join(&file.record.filename);
            let beside = dir.join(format!("{}.metadata", file.record.filename));
            for (path, sha256) in [(path, file.record.sha256), (beside, file.record.metadata_sha256)] {
                let safe = self.disk.safe_digest(&path);
                if safe != Some(sha256) {
                    let found = if safe.is_some() { "has other bytes" } else { "is not there" };
                    let name = path.strip_prefix(&self.disk.output).unwrap_or(&path).display();
                    self.violated(format!("build {build} is recorded, and after a power cut {name} {found}"));
                }
            }
        }
    }

    /// The database carried a question out.
    pub(crate) fn committed(&mut self, query: &Query, answer: &Answer) {
        self.order_committed(query, answer);
        match (query, answer) {
            (Query::LogBuild(record), Answer::Logged(logged)) => {
                let build = record.token.build.0;
                if !matches!(logged, Logged::Duplicate | Logged::Unknown) && !self.book.recorded.insert(build)
                {
                    self.violated(format!("build {build} is recorded twice"));
                }
                self.check_rows_of(build);
            }
            (Query::LogImport(record), Answer::Logged(_)) => self.check_rows_of(record.token.build.0),
            (Query::Sweep, Answer::Swept(swept)) => {
                for (build, slave, _) in swept.expired.clone() {
                    self.check_expired(build, &slave);
                }
            }
            // it waits for somebody again, and is its slave's own again
            (Query::Adopt { token, .. }, Answer::Adopted(Adoption::Live(_))) => {
                self.book.unwanted.remove(&token.build.0);
            }
            (Query::RewritesDone(orders), _) => orders.iter().for_each(|order| self.check_struck(order)),
            (Query::Order(_), Answer::Ordered(ordered)) => {
                self.book.forgotten.extend(ordered.logs.iter().map(|build| build.0));
            }
            _ => {}
        }
    }

    /// The master hears an answer of the database.
    pub(crate) fn heard_of_database(&mut self, event: &Event) {
        let cancelled = match event {
            Event::Database(_, Answer::Ordered(ordered)) => &ordered.cancelled,
            Event::Database(_, Answer::Logged(Logged::Imported(imported))) => &imported.cancelled,
            Event::Database(_, Answer::Learned(learned)) => &learned.cancelled,
            _ => return,
        };
        for build in cancelled {
            self.book.unwanted.insert(build.0, self.clock);
        }
    }

    /// A lease ran out: not under a slave that was there all the time, as long as the database was, too.
    fn check_expired(&mut self, build: BuildId, slave: &str) {
        let lease = limits().lease.0;
        let long = self.clock.saturating_sub(lease);
        let running = self.master.as_ref().is_some_and(|master| master.started < long);
        if !running || self.book.database_troubled >= long {
            return;
        }
        let there = self.lines.values().any(|line| {
            line.stands()
                && line.since < long
                && line.builds.is_some_and(|(its, since)| its == build && since < long)
        });
        if there {
            self.violated(format!("the lease of build {build} ran out although {slave} was there"));
        }
    }

    /// A tool was told that something is done.
    pub(crate) fn promised_to_tool(&mut self, asked: u64, request: Option<&FromTool>, json: &str) {
        let Ok(answer) = serde_json::from_str::<serde_json::Value>(json) else {
            return self.violated(format!("a tool is answered {json:?}"));
        };
        if answer["state"] == "imported"
            && let Some(build) = answer["build_id"].as_i64()
        {
            self.book.acknowledged.insert(build);
            self.check_rows_of(build);
        }
        if answer["page"] == "written"
            && let Some(request) = request
        {
            self.removal_promised(asked, request);
        }
    }

    /// Names that were taken have the bytes that they had.
    pub(crate) fn check_taken(&mut self, taken: &[(PathBuf, Sha256)]) {
        if let Some((path, _)) = taken.iter().find(|(path, bytes)| self.disk.digest(path) != Some(*bytes)) {
            let name = path.strip_prefix(&self.disk.output).unwrap_or(path).display().to_string();
            self.violated(format!("{name} was taken, and has other bytes"));
        }
    }

    /// A page for which nothing is ordered any more is as it is for good.
    fn check_struck(&mut self, order: &RewriteOrder) {
        let PageKind::Project(project) = &order.page else { return };
        for name in ["index.html", "index.v1_json"] {
            let path = self.disk.output.join("simple").join(project.as_str()).join(name);
            if self.disk.digest(&path) != self.disk.safe_digest(&path) {
                return self
                    .violated(format!("{name} of {project} is struck off, and a power cut would change it"));
            }
        }
    }

    /// After each step.
    pub(crate) fn check_step(&mut self) {
        if self.clock < self.book.next_look || self.violation.is_some() {
            return;
        }
        self.book.next_look = self.clock + 500;
        if let Some(stray) = self.disk.stray() {
            self.violated(stray);
        }
        self.check_villains();
        self.check_unwanted();
        self.check_given_back();
        self.check_retired();
        self.check_meddled();
        self.check_idle();
    }

    fn check_villains(&mut self) {
        for at in 0..self.villains.len() {
            let villain = &self.villains[at];
            let Some((conn, doomed)) = villain.doomed else { continue };
            let there = self.lines.get(&conn).is_some_and(Line::stands);
            if there && self.clock > doomed + PATIENCE {
                let plan = villain.plan;
                self.violated(format!("villain {at} is still there although it showed a defect: {plan:?}"));
            }
        }
    }

    fn check_unwanted(&mut self) {
        let late = self.lines.values().find_map(|line| {
            let (build, since) = line.builds?;
            let told = *self.book.unwanted.get(&build.0)?;
            let long = self.clock > told.max(since) + CANCELLED_WITHIN;
            (long && !line.cancelled && line.stands()).then_some((build, line.peer))
        });
        if let Some((build, peer)) = late {
            self.violated(format!("{peer:?} is not told that build {build} must not go on"));
        }
    }

    /// What a slave gives back waits for nothing.
    fn check_given_back(&mut self) {
        let started = self.master.as_ref().map_or(u64::MAX, |master| master.started);
        let troubled = self.book.database_troubled;
        let held: BTreeSet<i64> =
            self.lines.values().filter_map(|line| line.builds.map(|(build, _)| build.0)).collect();
        let leases = &self.database.now.leases;
        let mut late = None;
        self.book.given_back.retain(|build, at| {
            let live = leases.get(build).is_some_and(|lease| lease.ended.is_none());
            if !live || *at < started || *at <= troubled || held.contains(build) {
                return false;
            }
            if self.clock > *at + GIVEN_BACK_WITHIN {
                late = Some(*build);
            }
            true
        });
        if let Some(build) = late {
            self.violated(format!("build {build} was given back, and its lease is alive"));
        }
    }

    /// Whoever idles gets what waits.
    fn check_idle(&mut self) {
        let Some(quiet) = self.quiet else { return };
        if self.clock < quiet + SETTLED_AFTER || !self.resumed() {
            return;
        }
        let recent = self.clock - HANDED_OUT_WITHIN;
        if self.master.as_ref().is_none_or(|master| master.started > recent) {
            return;
        }
        let tables = &self.database.now;
        let waits = tables.queue.iter().find(|(pair, waiting)| {
            waiting.ready
                && waiting.at < recent
                && self.lines.values().any(|line| {
                    let Peer::Board(board) = line.peer else { return false };
                    self.boards[board].abi == pair.1
                        && line.stands()
                        && line.idle_since.is_some_and(|since| since < recent)
                })
        });
        if let Some((pair, _)) = waits {
            let row = &tables.versions[pair.0];
            let what = format!("{} {}", tables.packages[row.package].name, row.version);
            self.violated(format!("{what} waits for {} although a slave idles", tables.abis[pair.1]));
        }
    }

    /// What the farm holds is accounted for.
    pub(crate) fn check_holdings(&mut self) {
        let Some(master) = &self.master else { return };
        let holds = master.farm.holdings();
        let limits = limits();
        let lines = self.lines.values().filter(|line| line.master_open).count();
        let tables = &self.database.now;
        let leases = tables.leases.len();
        // one chunk each beyond the memory of all (file_juggler.rs)
        let bytes = limits.transfer_memory + limits.chunk * holds.transfers as u64;
        let questions = master.out.questions();
        let sound = holds.in_flight <= bytes
            && holds.slaves <= lines
            && holds.claims <= holds.slaves
            && holds.transfers <= holds.builds
            && questions <= 40 + 3 * lines + leases
            && holds.jobs <= leases + tables.builds.len() + holds.slaves + 1;
        if !sound {
            self.violated(format!(
                "the farm holds {holds:?} and {questions} questions, of {lines} connections and {leases} leases"
            ));
        }
    }

    fn digest(&mut self, path: &Path) -> Option<Sha256> {
        let metadata = fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file)?;
        let key = (metadata.ino(), metadata.len(), metadata.mtime(), metadata.mtime_nsec());
        if let Some(known) = self.book.digests.get(&key) {
            return Some(*known);
        }
        let digest = Sha256::of(&fs::read(path).ok()?);
        self.book.digests.insert(key, digest);
        Some(digest)
    }

    /// Every link of a project's pages leads to the bytes that it names.
    pub(crate) fn check_page(&mut self, project: &ProjectName) {
        let dir = self.disk.output.join("simple").join(project.as_str());
        let mut names = Vec::new();
        if let Ok(page) = fs::read_to_string(dir.join("index.html")) {
            match links(&page) {
                Ok(links) => names.push(links),
                Err(odd) => return self.violated(format!("the page of {project} is broken: {odd}")),
            }
        }
        if let Ok(page) = fs::read(dir.join("index.v1_json")) {
            match json_links(&page) {
                Some(links) => names.push(links),
                None => return self.violated(format!("the JSON page of {project} is broken")),
            }
        }
        for Link { name, sha256, metadata, .. } in names.into_iter().flatten() {
            let path = dir.join(&name);
            if self.digest(&path).map(|found| found.to_string()) != Some(sha256) {
                return self.violated(format!("the page of {project} links to {name}, which is not so"));
            }
            let beside = dir.join(format!("{name}.metadata"));
            if let Some(metadata) = metadata
                && self.digest(&beside).map(|found| found.to_string()) != Some(metadata)
            {
                return self
                    .violated(format!("the page of {project} links to METADATA of {name}, which is not so"));
            }
        }
    }

    /// What is there after a stop of the master, before it starts again.
    pub(crate) fn check_tree(&mut self) {
        self.book.digests.clear();
        let projects: Vec<_> = self.database.now.packages.iter().map(|p| p.name.clone()).collect();
        projects.iter().for_each(|project| self.check_page(project));
        let files = self.database.now.files.values();
        let builds: BTreeSet<i64> = files.map(|file| file.build).collect();
        builds.into_iter().for_each(|build| self.check_rows_of(build));
        if let Some(stray) = self.disk.strays() {
            self.violated(stray);
        }
    }

    /// Whether nothing is left to be done.
    pub(crate) fn at_rest(&self) -> bool {
        self.unrest().is_empty()
    }

    /// What is still to be done, for people; empty when nothing is.
    pub(crate) fn unrest(&self) -> String {
        let tables = &self.database.now;
        let mut all = Vec::new();
        if !self.resumed() {
            all.push("orders are to be taken back".to_owned());
        }
        if tables.walks() {
            all.push("a walk is under way".to_owned());
        }
        all.extend(self.unfollowed());
        if self.asks_again() {
            all.push("something is asked for again".to_owned());
        }
        let Some(master) = &self.master else { return "the master is not there".to_owned() };
        let live = tables.leases.iter().filter(|(_, lease)| lease.ended.is_none());
        all.extend(live.map(|(build, lease)| format!("build {build} is leased to {}", lease.slave)));
        all.extend(tables.queue.keys().map(|pair| format!("{pair:?} is queued")));
        all.extend(tables.delayed.keys().map(|pair| format!("{pair:?} is delayed")));
        let pages = tables.orders.keys().filter(|page| **page != Page::Home);
        all.extend(pages.map(|page| format!("{page:?} is to be written")));
        let held = self.boards.iter().filter_map(|board| Some((board.label.clone(), board.holds()?)));
        all.extend(held.map(|(board, build)| format!("{board} holds build {build}")));
        let holds = master.farm.holdings();
        if holds.jobs + holds.builds + holds.transfers + holds.claims > 0 || holds.in_flight > 0 {
            all.push(format!("the farm holds {holds:?}"));
        }
        all.join(", ")
    }

    /// Everything that was promised is so.
    pub(crate) fn check_end(&mut self) {
        self.check_tree();
        let tables = self.database.now.clone();
        for build in &self.book.acknowledged {
            if !tables.builds.contains_key(build) && !self.book.forgotten.contains(build) {
                let lease = tables.leases.contains_key(build);
                return self
                    .violated(format!("build {build} was acknowledged and is nowhere (lease: {lease})"));
            }
        }
        for (index, package) in tables.packages.iter().enumerate() {
            let rows = tables.project_rows(index);
            let dir = self.disk.output.join("simple").join(package.name.as_str());
            let in_rows: BTreeSet<(String, bool)> =
                rows.files.iter().map(|file| (file.filename.clone(), file.yanked.is_some())).collect();
            let html = fs::read_to_string(dir.join("index.html")).unwrap_or_default();
            let json = fs::read(dir.join("index.v1_json")).ok();
            let both = [links(&html).ok(), json.map_or_else(|| Some(Vec::new()), |page| json_links(&page))];
            for links in both {
                let links = links.unwrap_or_default().into_iter();
                let on_page: BTreeSet<_> = links.map(|link| (link.name, link.yanked)).collect();
                if on_page != in_rows {
                    let name = &package.name;
                    return self
                        .violated(format!("the page of {name} has {on_page:?}, the rows have {in_rows:?}"));
                }
            }
            if let Some(gone) = tables.withdrawn.keys().find(|name| dir.join(name).exists()) {
                return self.violated(format!("{gone} was withdrawn, and is there"));
            }
        }
        let root = fs::read_to_string(self.disk.output.join("simple/index.v1_json")).unwrap_or_default();
        let on_root: BTreeSet<String> = serde_json::from_str::<serde_json::Value>(&root)
            .ok()
            .and_then(|root| {
                let names = root["projects"].as_array()?.iter();
                Some(names.filter_map(|project| project["name"].as_str().map(str::to_owned)).collect())
            })
            .unwrap_or_default();
        let published: BTreeSet<String> =
            tables.packages.iter().filter(|p| p.published).map(|p| p.name.to_string()).collect();
        if on_root != published {
            return self.violated(format!("the root has {on_root:?}, published are {published:?}"));
        }
        self.check_logs();
        self.check_watchers();
        self.check_index();
    }

    /// Every log that a project's page for people links to is there, and every build that printed something has one.
    fn check_logs(&mut self) {
        let builds: Vec<(i64, u64, Outcome)> =
            self.database.now.builds.iter().map(|(b, row)| (*b, row.log_bytes, row.outcome)).collect();
        for (build, log_bytes, outcome) in builds {
            let log = self.disk.output.join(log_path(BuildId(build)));
            if log_bytes > 0 && outcome != Outcome::LostSlave && self.disk.safe_digest(&log).is_none() {
                return self.violated(format!("build {build} printed {log_bytes} bytes, and has no log"));
            }
        }
    }
}

/// A link of a project's page.
pub(crate) struct Link {
    pub(crate) name: String,
    sha256: String,
    metadata: Option<String>,
    pub(crate) yanked: bool,
}

pub(crate) fn links(page: &str) -> Result<Vec<Link>, String> {
    if page.is_empty() {
        return Ok(Vec::new());
    }
    if !page.trim_end().ends_with("</html>") {
        return Err(format!("it ends with {:?}", page.chars().rev().take(20).collect::<String>()));
    }
    let mut links = Vec::new();
    for anchor in page.split("<a ").skip(1) {
        let anchor = anchor.split('>').next().unwrap_or_default();
        let value = |key: &str| anchor.split(&format!("{key}=\"")).nth(1)?.split('"').next();
        let Some((name, sha256)) = value("href").and_then(|href| href.split_once("#sha256=")) else {
            continue;
        };
        let metadata = value("data-core-metadata").and_then(|text| text.strip_prefix("sha256="));
        links.push(Link {
            name: name.to_owned(),
            sha256: sha256.to_owned(),
            metadata: metadata.map(str::to_owned),
            yanked: anchor.contains(" data-yanked="),
        });
    }
    Ok(links)
}

pub(crate) fn json_links(page: &[u8]) -> Option<Vec<Link>> {
    let page: serde_json::Value = serde_json::from_slice(page).ok()?;
    let link = |file: &serde_json::Value| {
        let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
        Some(Link {
            name: text(&file["url"])?,
            sha256: text(&file["hashes"]["sha256"])?,
            metadata: text(&file["core-metadata"]["sha256"]),
            yanked: file["yanked"] != false,
        })
    };
    page["files"].as_array()?.iter().map(link).collect()
}
