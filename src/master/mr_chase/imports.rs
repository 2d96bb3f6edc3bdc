//! Wheels that an administrator brings, and pages that a tool waits for.
//!
//! ```text
//!   IMPORT ──► beginning ──may come──► sending (the publisher's) ──recorded──► its page is written ──► DONE
//!                 └─ unchanged, unknown: DONE            └─ refused: ERROR
//!   REMOVE ──► ordering, a piece after the other ──────────────────────────────► its page is written ──► DONE
//! ```
//!
//! What waits for a page is kept until that is written, for logs of builds that are forgotten go behind it; the tool is
//! answered after [`PAGE_PATIENCE`] at the latest.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::{AbiTag, Changed, MrChase, ProjectName, State, Version, done, refuse};
use crate::domain::{BuildId, JobToken, Millis, WheelName};
use crate::master::event::{ConnId, DiskRequest, Effect, Message, Out, Purpose};
use crate::master::limits::{Limits, PAGE_PATIENCE, PAGES_AWAITED};
use crate::master::pages::PageTrouble;
use crate::master::publisher::{Import, Offer, OfferedFile};
use crate::master::query::{
    ImportPlan, ImportVerdict, Imported, Job, Outcome, PageKind, Query, RewriteOrder,
};
use crate::seeded;
use crate::wire::import::{FromTool, ToTool};

/// What a tool wants published: found sound as far as its words go.
#[derive(Debug)]
pub(super) struct Wish {
    package: ProjectName,
    version: Version,
    secret: [u8; 16],
    duration_ms: u64,
    output: Bytes,
    files: Vec<OfferedFile>,
}

/// A page that somebody waits for.
#[derive(Debug)]
pub(super) struct Awaited {
    /// The tool, until it is answered or gone.
    conn: Option<ConnId>,
    project: ProjectName,
    /// The order by which its page is due; none where it is as it should be.
    order: Option<i64>,
    until: Millis,
    /// What the tool is answered.
    answer: Map<String, Value>,
    /// Logs that go when nothing names them any more.
    pub(super) logs: Vec<BuildId>,
}

impl MrChase {
    /// IMPORT; the error is the peer's defect. `secret` is drawn for it.
    pub fn import(
        &mut self,
        conn: ConnId,
        message: FromTool,
        secret: [u8; 16],
        limits: &Limits,
        out: &mut Out,
    ) -> Result<(), String> {
        let Some(tool) = self.tools.get_mut(&conn) else { return Ok(()) };
        if !matches!(tool.state, State::Ready) {
            return Err(format!("{} before its last request was answered", message.name()));
        }
        tool.refused = false;
        match wish(message, secret, limits) {
            Ok((plan, wish)) => {
                out.ask(Purpose::Tool(conn), Query::BeginImport(Box::new(plan)));
                self.enter(conn, State::Beginning(Box::new(wish)));
            }
            Err(reasons) => refuse(conn, reasons, out),
        }
        Ok(())
    }

    /// IMPORT, which cannot be taken in now; the error is the peer's defect.
    pub fn turn_away(
        &mut self,
        conn: ConnId,
        message: &FromTool,
        reason: String,
        out: &mut Out,
    ) -> Result<(), String> {
        let Some(tool) = self.tools.get(&conn) else { return Ok(()) };
        if !matches!(tool.state, State::Ready) {
            return Err(format!("{} before its last request was answered", message.name()));
        }
        refuse(conn, vec![reason], out);
        Ok(())
    }

    /// The database's word on a plan.
    pub(super) fn begun(
        &mut self,
        now: Millis,
        conn: ConnId,
        before: Option<State>,
        verdict: ImportVerdict,
        out: &mut Out,
    ) -> Changed {
        let Some(State::Beginning(wish)) = before else { return Changed::Nothing };
        let told = |state: &str, abi: Option<&AbiTag>| {
            let files: Vec<_> = wish.files.iter().map(|file| file.wheel.as_str()).collect();
            let abi = abi.map(AbiTag::as_str);
            as_map(json!({
                "state": state, "package": wish.package.as_str(), "version": wish.version.to_string(), "abi": abi,
                "files": files, "build_id": null, "new_package": false, "new_version": false,
            }))
        };
        match verdict {
            ImportVerdict::Unknown { package } => {
                let state = if package { "unknown-package" } else { "unknown-version" };
                let mut answer = told(state, None);
                answer.extend(as_map(json!({ "page": "written", "trouble": null })));
                done(conn, true, Value::Object(answer).to_string(), out);
            }
            ImportVerdict::Unchanged { abi, page } => {
                let answer = told("unchanged", Some(&abi));
                self.await_page(now, Awaited::new(conn, wish.package.clone(), page, answer), out);
            }
            ImportVerdict::Ready { build, abi, begun } => {
                let odd = wish.files.iter().find_map(|file| {
                    file.wheel
                        .check_abi(abi.as_str())
                        .map_err(|odd| format!("{}: {odd} the import's, {abi}", file.wheel))
                        .err()
                });
                if let Some(odd) = odd {
                    refuse(conn, vec![odd], out);
                    return Changed::Nothing;
                }
                let peer = self.tools.get(&conn).map_or_else(String::new, |tool| tool.peer.clone());
                log::info!("{peer} imports {} {} for {abi} as build {build}", wish.package, wish.version);
                self.enter(conn, State::Sending(build));
                let Wish { package, version, secret, duration_ms, output, files } = *wish;
                let token = JobToken { build, secret };
                return Changed::Offered(Box::new(Offer {
                    job: Job { token, package, version, abi, attempt: 1, build_tag: 0 },
                    slave: "piw-import".to_owned(),
                    outcome: Outcome::Built,
                    duration_ms,
                    log_bytes: output.len() as u64,
                    files,
                    report: None,
                    remark: None,
                    import: Some(Import { begun, output }),
                }));
            }
        }
        Changed::Nothing
    }

    /// The tool that brings a build, while it is there.
    pub fn bringer(&self, build: BuildId) -> Option<ConnId> {
        let brings = |state: &State| matches!(state, State::Sending(its) if *its == build);
        self.tools.iter().find(|(_, tool)| brings(&tool.state)).map(|(conn, _)| *conn)
    }

    /// Whether bytes of a tool may still come that nobody waits for: they crossed an ERROR.
    pub fn passes_over(&self, conn: ConnId) -> bool {
        self.tools.get(&conn).is_some_and(|tool| tool.refused)
    }

    /// Turns to the next file of an import.
    pub fn send(&self, conn: ConnId, index: u16, out: &mut Out) {
        out.effects.push(Effect::Send(conn, Message::Tool(ToTool::Send { index })));
    }

    /// An import came to nothing.
    pub fn import_refused(&mut self, build: BuildId, reason: String, out: &mut Out) -> Option<ConnId> {
        let conn = self.bringer(build)?;
        self.enter(conn, State::Ready);
        self.tools.get_mut(&conn).into_iter().for_each(|tool| tool.refused = true);
        refuse(conn, vec![reason], out);
        Some(conn)
    }

    /// An import is recorded. Answered when its page is written.
    pub fn imported(
        &mut self,
        now: Millis,
        offer: &Offer,
        imported: &Imported,
        out: &mut Out,
    ) -> Option<ConnId> {
        let job = &offer.job;
        let conn = self.bringer(job.token.build)?;
        let files: Vec<_> = offer.files.iter().map(|file| file.wheel.as_str()).collect();
        let answer = json!({
            "state": "imported", "package": job.package.as_str(), "version": job.version.to_string(),
            "abi": job.abi.as_str(), "files": files, "build_id": job.token.build.0,
            "new_package": imported.new_package, "new_version": imported.new_version,
        });
        self.await_page(now, Awaited::new(conn, job.package.clone(), imported.page, as_map(answer)), out);
        Some(conn)
    }

    /// Answers a tool when its page is written: at once where none is due.
    pub(super) fn await_page(&mut self, now: Millis, mut awaited: Awaited, out: &mut Out) {
        awaited.until = now + PAGE_PATIENCE;
        // it may have been faster than the database's answer
        let written = |written: &RewriteOrder| {
            written.page == PageKind::Project(awaited.project.clone()) && awaited.order <= Some(written.order)
        };
        let conn = awaited.conn;
        let early = seeded::is("removal-answered-early");
        if awaited.order.is_none() || self.written.iter().any(written) || early {
            awaited.end(None, out);
            conn.into_iter().for_each(|conn| self.enter(conn, State::Ready));
            return;
        }
        conn.into_iter().for_each(|conn| self.enter(conn, State::Paging));
        if self.awaited.len() >= PAGES_AWAITED
            && let Some(oldest) = self.awaited.iter().position(|awaited| awaited.conn.is_none())
        {
            // nobody hears of it any more; its logs stay, and nothing names them
            self.awaited.remove(oldest);
        }
        self.awaited.push(awaited);
    }

    /// A page is written.
    pub fn page_written(&mut self, order: &RewriteOrder, out: &mut Out) {
        let PageKind::Project(project) = &order.page else { return };
        if self.written.len() >= PAGES_AWAITED {
            self.written.pop_front();
        }
        self.written.push_back(order.clone());
        let is_it = |a: &Awaited| a.project == *project && a.order <= Some(order.order);
        while let Some(at) = self.awaited.iter().position(is_it) {
            let mut awaited = self.awaited.remove(at);
            let conn = awaited.conn;
            awaited.end(None, out);
            conn.into_iter().for_each(|conn| self.enter(conn, State::Ready));
        }
    }

    /// Answers tools that have waited for long enough.
    pub fn tick(&mut self, now: Millis, trouble: &PageTrouble, out: &mut Out) {
        let mut over = Vec::new();
        for awaited in &mut self.awaited {
            if let Some(conn) = awaited.conn
                && now >= awaited.until
            {
                awaited.answer(Some(trouble), out);
                over.push(conn);
            }
        }
        for conn in over {
            self.enter(conn, State::Ready);
        }
        self.awaited.retain(|awaited| awaited.conn.is_some() || !awaited.logs.is_empty());
    }

    /// The tool is gone: its page is waited for on account of the logs only.
    pub(super) fn stop_awaiting(&mut self, conn: ConnId) {
        for awaited in self.awaited.iter_mut().filter(|awaited| awaited.conn == Some(conn)) {
            awaited.conn = None;
        }
    }
}

impl Awaited {
    pub(super) fn new(
        conn: ConnId,
        project: ProjectName,
        order: Option<i64>,
        answer: Map<String, Value>,
    ) -> Self {
        Self { conn: Some(conn), project, order, until: Millis(0), answer, logs: Vec::new() }
    }

    /// The page is as it should be.
    fn end(&mut self, waits: Option<&PageTrouble>, out: &mut Out) {
        if !self.logs.is_empty() {
            out.effects.push(Effect::Disk(DiskRequest::RemoveLogs(std::mem::take(&mut self.logs))));
        }
        self.answer(waits, out);
    }

    /// Answers the tool, once.
    fn answer(&mut self, waits: Option<&PageTrouble>, out: &mut Out) {
        let Some(conn) = self.conn.take() else { return };
        let mut answer = std::mem::take(&mut self.answer);
        let page = if waits.is_some() { "waits" } else { "written" };
        answer.insert("page".to_owned(), json!(page));
        answer.insert("trouble".to_owned(), json!(waits.and_then(|trouble| trouble.reason.clone())));
        done(conn, true, Value::Object(answer).to_string(), out);
    }
}

fn as_map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// Reads an IMPORT; the reasons are for people, a line each.
fn wish(message: FromTool, secret: [u8; 16], limits: &Limits) -> Result<(ImportPlan, Wish), Vec<String>> {
    let one = |reason: String| vec![reason];
    let FromTool::Import { package, version, abi, duration_ms, output, files, create } = message else {
        return Err(one(format!("{} is not answered here", message.name())));
    };
    if output.len() as u64 > limits.log_bytes {
        return Err(one(format!("the build's output is over {} bytes (--max-log)", limits.log_bytes)));
    }
    if files.is_empty() || files.len() > limits.files {
        return Err(one(format!(
            "between 1 and {} files are imported at a time (--max-files)",
            limits.files
        )));
    }
    let mut offered: Vec<OfferedFile> = Vec::with_capacity(files.len());
    let mut bad = Vec::new();
    for file in files.iter() {
        match WheelName::parse(&file.filename) {
            Err(error) => bad.push(error.to_string()),
            Ok(wheel) if file.size == 0 => bad.push(format!("{wheel}: it is empty")),
            Ok(wheel) if file.size > limits.wheel_bytes => {
                bad.push(format!("{wheel}: it is over {} bytes (--max-wheel)", limits.wheel_bytes));
            }
            Ok(wheel) if offered.iter().any(|other| other.wheel == wheel) => {
                bad.push(format!("{wheel}: named twice"));
            }
            Ok(wheel) => match wheel.check_build(0) {
                Ok(()) => offered.push(OfferedFile { wheel, size: file.size, sha256: file.sha256 }),
                Err(odd) => bad.push(odd),
            },
        }
    }
    if !bad.is_empty() {
        return Err(bad);
    }
    let first = &offered[0].wheel;
    let named = match &*package {
        "" => first.project.clone(),
        name => ProjectName::parse(name).map_err(|error| one(error.to_string()))?,
    };
    let meant = match &*version {
        "" => version_of(first).map_err(one)?,
        text => Version::parse(text).map_err(|error| one(error.to_string()))?,
    };
    for file in &offered {
        let wheel = &file.wheel;
        if wheel.project != named {
            bad.push(format!("{wheel}: it is of {}, not of {named}", wheel.project));
        } else {
            match version_of(wheel) {
                Ok(its) if its == meant => {}
                Ok(its) => bad.push(format!("{wheel}: it is of version {its}, not {meant}")),
                Err(reason) => bad.push(reason),
            }
        }
    }
    if !bad.is_empty() {
        return Err(bad);
    }
    let abi = match &*abi {
        "" => offered.iter().find_map(|file| file.wheel.own_abi()),
        tag => Some(tag),
    };
    let abi = abi.map(AbiTag::parse).transpose().map_err(|error| one(error.to_string()))?;
    let plan = ImportPlan {
        package: named.clone(),
        version: meant.clone(),
        abi,
        python: offered.iter().map(|file| file.wheel.latest_python()).max().unwrap_or_default(),
        abi3: offered.iter().any(|file| file.wheel.abi.split('.').any(|abi| abi == "abi3")),
        files: offered.iter().map(|file| (file.wheel.as_str().to_owned(), file.sha256)).collect(),
        create,
    };
    let output = output.into_bytes();
    Ok((plan, Wish { package: named, version: meant, secret, duration_ms, output, files: offered }))
}

/// The version in a wheel's name, where `_` stands for `-`.
fn version_of(wheel: &WheelName) -> Result<Version, String> {
    Version::parse(&wheel.version.replace('_', "-")).map_err(|error| format!("{wheel}: {error}"))
}
