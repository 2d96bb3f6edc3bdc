//! Mr Chase: the administrator's tools (manual 2.4.6, 8.11; `wire-spec/import.md`).
//!
//! ```text
//!   ready ──ADD──► looking up ──found──► adding ──► ready
//!     │ WHY, ABI_ADD, DOWNLOADS … ──► asking the database ──► ready
//!     │ SKIP, REQUEUE, POLICY … ──► ordering, a piece after the other ──► ready
//!     │ AUDIT ──► auditing, with mending in rounds ──► ready
//!     │ SWEEP ──► asking the database ──► the writer removes ──► ready
//!     │ TREE, UNPACK_METADATA ──► the writer says, or does ──► ready
//!     │ IMPORT ──► (imports.rs) ──► ready
//! ```
//!
//! One request per connection at a time. Pure: no sockets, SQL, HTTP or clock.

use std::collections::{BTreeMap, VecDeque};

use serde_json::json;

use super::big_brother::BigBrother;
use super::event::{ConnId, DiskRequest, Effect, LookAnswer, LookUp, Message, Out, Purpose, SweptDir, Tree};
use super::follower::Following;
use super::limits::TOOLS;
use super::pages::PageTrouble;
use super::publisher::Offer;
use super::query::{
    AddedState, Answer, Audited, Download, Order, Ordered, Query, Remove, Report, Requeue, RewriteOrder,
};
use crate::domain::requirement::Extra;
use crate::domain::{AbiTag, BuildId, Millis, ProjectName, Version, WheelName};
use crate::wire::import::{FromTool, ToTool};
use crate::wire::{List, Text};

mod imports;
mod orders;
mod tree;

use imports::{Awaited, Wish};
use orders::{Pieces, Rounds};

/// A tool that is connected.
#[derive(Debug)]
struct Tool {
    /// Who it is, for log lines.
    peer: String,
    state: State,
    /// What it was sending was refused: bytes that were on their way are passed over.
    refused: bool,
}

#[derive(Debug)]
enum State {
    Ready,
    /// With what they require, if so.
    LookingUp {
        deps: bool,
    },
    Adding,
    AddingAbi(AbiTag, i16),
    Asking,
    AskingFeed,
    Ordering(Box<Order>, Pieces),
    Auditing(Rounds),
    /// The database is asked what nothing stands for in a project's directory.
    Sweeping(ProjectName),
    /// The writer looks, or removes.
    AtDisk,
    /// The database is asked whether the files may come.
    Beginning(Box<Wish>),
    /// The files of this build come, are placed and recorded.
    Sending(BuildId),
    /// The page that the answer speaks of is being written.
    Paging,
}

/// What the rooms beside this one know and the database does not, for answers.
#[derive(Debug)]
pub struct Facts<'a> {
    /// The wall clock, milliseconds since 1970.
    pub wall: Millis,
    /// How the index is followed.
    pub following: Following<'a>,
    /// What is wrong with pages.
    pub pages: PageTrouble,
    /// Since when the administrator has paused the farm, and who.
    pub paused: Option<(Millis, &'a str)>,
    /// The disk, and what goes on by itself.
    pub brother: &'a BigBrother,
}

/// The tools that are connected.
#[derive(Debug, Default)]
pub struct MrChase {
    tools: BTreeMap<ConnId, Tool>,
    /// ABIs that are being added for tools that are gone, until the database has answered.
    orphans: BTreeMap<ConnId, AbiTag>,
    /// Who has an audit under way, gone or not: an oracle is busy with it for minutes, so that there is one at a time.
    auditing: Option<ConnId>,
    /// Pages that tools wait for; [`PAGES_AWAITED`](super::limits::PAGES_AWAITED) at most.
    awaited: Vec<Awaited>,
    /// Projects' pages that were written last, as many at most.
    written: VecDeque<RewriteOrder>,
    /// Orders of removal that were carried out, since the start.
    pub(super) removals: u64,
}

/// What a tool's request changed, for the rooms beside this one.
#[derive(Debug, PartialEq)]
pub enum Changed {
    /// Nothing.
    Nothing,
    /// Versions were queued for these ABIs, one entry each.
    Queued(Vec<AbiTag>),
    /// ABIs or policies.
    Abi,
    /// Files of an import may come: they are the publisher's from here on.
    Offered(Box<Offer>),
    /// What an order, or a piece of one, came to.
    Ordered {
        /// ABIs whose queues have something to hand out now.
        opened: Vec<AbiTag>,
        /// Builds that must not go on.
        cancelled: Vec<BuildId>,
        /// ABIs or policies changed.
        walks: bool,
    },
    /// Pages were ordered.
    Pages,
    /// Nothing in the database stands for these names in a project's directory.
    Unclaimed(ProjectName, Vec<String>),
}

impl MrChase {
    /// A tool connected; refused when there are too many.
    pub fn opened(&mut self, conn: ConnId, peer: String, out: &mut Out) {
        if self.tools.len() >= TOOLS {
            out.close(conn, Some(format!("{TOOLS} tools are connected already")));
            return;
        }
        self.tools.insert(conn, Tool { peer, state: State::Ready, refused: false });
    }

    /// A tool is gone. What the database was asked for is done all the same; what was still being looked up is not, nor
    /// further pieces of an order. Gives back the import that it was sending.
    pub fn closed(&mut self, conn: ConnId) -> Option<BuildId> {
        self.stop_awaiting(conn);
        match self.tools.remove(&conn).map(|tool| tool.state) {
            Some(State::AddingAbi(abi, _)) => {
                self.orphans.insert(conn, abi);
                None
            }
            Some(State::Sending(build)) => Some(build),
            _ => None,
        }
    }

    /// A request; the error is the peer's defect.
    pub fn message(&mut self, conn: ConnId, message: FromTool, out: &mut Out) -> Result<(), String> {
        let Some(tool) = self.tools.get(&conn) else { return Ok(()) };
        if !matches!(tool.state, State::Ready) {
            return Err(format!("{} before its last request was answered", message.name()));
        }
        match self.request(conn, message, out) {
            Ok(state) => self.enter(conn, state),
            Err(reasons) => refuse(conn, reasons, out),
        }
        Ok(())
    }

    fn enter(&mut self, conn: ConnId, state: State) {
        if let Some(tool) = self.tools.get_mut(&conn) {
            tool.state = state;
        }
    }

    fn request(&mut self, conn: ConnId, message: FromTool, out: &mut Out) -> Result<State, Vec<String>> {
        let one = |error: String| vec![error];
        match message {
            FromTool::Add { items, with_deps } => {
                if items.is_empty() {
                    return Err(one("nothing to add".to_owned()));
                }
                let mut wanted = Vec::with_capacity(items.len());
                let mut bad = Vec::new();
                for item in items.iter() {
                    match ProjectName::parse(&item.package) {
                        Ok(package) => {
                            wanted.push(LookUp {
                                package,
                                specifiers: item.specifiers.to_string(),
                                extras: item.extras.split_whitespace().filter_map(Extra::parse).collect(),
                                required: false,
                            });
                        }
                        Err(error) => bad.push(error.to_string()),
                    }
                }
                if !bad.is_empty() {
                    return Err(bad);
                }
                out.look(Purpose::Tool(conn), wanted);
                Ok(State::LookingUp { deps: with_deps })
            }
            FromTool::Why { package, version } => {
                let package = ProjectName::parse(&package).map_err(|e| one(e.to_string()))?;
                let version = match &*version {
                    "" => None,
                    text => Some(Version::parse(text).map_err(|e| one(e.to_string()))?),
                };
                Ok(ask(conn, Query::Why { package, version }, out))
            }
            FromTool::AbiAdd { abi, rank, platforms } => {
                let abi = AbiTag::parse(&abi).map_err(|e| one(e.to_string()))?;
                let rank = rank.unwrap_or_else(|| abi.default_rank());
                let platforms = platforms.iter().map(ToString::to_string).collect();
                out.ask(Purpose::Tool(conn), Query::AddAbi { abi: abi.clone(), rank, platforms });
                Ok(State::AddingAbi(abi, rank))
            }
            FromTool::AbiList {} => Ok(ask(conn, Query::Report(Report::Abis), out)),
            FromTool::Policies {} => Ok(ask(conn, Query::Report(Report::Policies), out)),
            FromTool::Feed {} => {
                ask(conn, Query::Report(Report::Feed), out);
                Ok(State::AskingFeed)
            }
            FromTool::Statistics {} => Ok(ask(conn, Query::Statistics, out)),
            FromTool::Audit { .. } if self.auditing.is_some() => {
                Err(one("an audit is under way already; wait for its end".to_owned()))
            }
            FromTool::Downloads { batch, records } => {
                if records.is_empty() {
                    return Err(one("no downloads to count".to_owned()));
                }
                let mut downloads = Vec::with_capacity(records.len());
                let mut bad = Vec::new();
                for record in records.into_vec() {
                    match WheelName::parse(&record.filename) {
                        Ok(wheel) => downloads.push(Download { package: wheel.project, record }),
                        Err(error) => bad.push(error.to_string()),
                    }
                }
                if !bad.is_empty() {
                    return Err(bad);
                }
                out.ask(Purpose::Tool(conn), Query::LogDownloads { batch, downloads });
                Ok(State::Asking)
            }
            FromTool::Audit { mend } => {
                self.auditing = Some(conn);
                out.ask(Purpose::Tool(conn), Query::Audit { mend });
                Ok(State::Auditing(Rounds::new(mend)))
            }
            FromTool::Tree {} => {
                out.effects.push(Effect::Disk(DiskRequest::Locate(conn)));
                Ok(State::AtDisk)
            }
            FromTool::UnpackMetadata { filename, sha256 } => {
                let wheel = WheelName::parse(&filename).map_err(|error| one(error.to_string()))?;
                out.effects.push(Effect::Disk(DiskRequest::Unpack(conn, wheel, sha256)));
                Ok(State::AtDisk)
            }
            message if let Some((query, state)) = tree::question(&message).map_err(one)? => {
                out.ask(Purpose::Tool(conn), query);
                Ok(state)
            }
            message => match orders::order(&message).map_err(one)? {
                Some(order) => {
                    let order = Box::new(order);
                    out.ask(Purpose::Tool(conn), Query::Order(order.clone()));
                    Ok(State::Ordering(order, Pieces::default()))
                }
                None => Err(one(format!("{} is not answered here", message.name()))),
            },
        }
    }

    /// The cloud gazer looked a tool's packages up.
    pub fn looked(&mut self, conn: ConnId, answer: LookAnswer, out: &mut Out) {
        let Some(Tool { state, .. }) = self.tools.get_mut(&conn) else { return };
        match answer {
            LookAnswer::Found(versions) => {
                let deps = matches!(state, State::LookingUp { deps: true });
                *state = State::Adding;
                out.ask(Purpose::Tool(conn), Query::AddVersions { wanted: versions, deps });
            }
            LookAnswer::Served(wheel) => {
                *state = State::Ready;
                refuse(conn, vec![format!("the index has {wheel}, and nothing to build it from")], out);
            }
            LookAnswer::NotFound(reasons) => {
                *state = State::Ready;
                refuse(conn, reasons, out);
            }
            LookAnswer::Unanswered(failure) => {
                *state = State::Ready;
                refuse(conn, vec![failure.reason], out);
            }
        }
    }

    /// The database answered a tool's question.
    pub fn answered(
        &mut self,
        now: Millis,
        conn: ConnId,
        answer: Answer,
        facts: &Facts<'_>,
        out: &mut Out,
    ) -> Changed {
        // what changed has changed, whether or not the tool is still there
        let tool = self.tools.get_mut(&conn);
        let before = tool.map(|tool| std::mem::replace(&mut tool.state, State::Ready));
        let orphan = self.orphans.remove(&conn);
        if self.auditing == Some(conn) {
            self.auditing = None;
        }
        match answer {
            Answer::Added(added) => {
                let list: Vec<_> = added
                    .iter()
                    .map(|a| {
                        json!({
                            "package": a.package.as_str(),
                            "version": a.version.to_string(),
                            "state": state_name(a.state),
                            "queued_for": a.queued_for.as_ref().map(AbiTag::as_str),
                            "reason": a.reason,
                        })
                    })
                    .collect();
                done(conn, before.is_some(), json!({ "added": list }).to_string(), out);
                Changed::Queued(added.into_iter().filter_map(|a| a.queued_for).collect())
            }
            Answer::AbiAdded(added, _) => {
                let Some(State::AddingAbi(abi, rank)) = before else {
                    return if orphan.is_some() { Changed::Abi } else { Changed::Nothing };
                };
                let json = json!({ "abi": abi.as_str(), "rank": rank, "added": added });
                done(conn, true, json.to_string(), out);
                Changed::Abi
            }
            Answer::Ordered(ordered) => self.ordered(now, conn, before, ordered, out),
            Answer::ImportBegun(verdict) => self.begun(now, conn, before, verdict, out),
            Answer::Audited(audited) => {
                self.audited(conn, before, audited, out);
                Changed::Nothing
            }
            Answer::DownloadsLogged(logged) => {
                let json = json!({
                    "stored": logged.stored,
                    "unknown": logged.unknown,
                    "outside": logged.outside,
                });
                done(conn, before.is_some(), json.to_string(), out);
                Changed::Nothing
            }
            Answer::Statistics(statistics) => {
                let json = orders::statistics(now, &statistics, facts).to_string();
                done(conn, before.is_some(), json, out);
                Changed::Nothing
            }
            Answer::Report(json) if matches!(before, Some(State::AskingFeed)) => {
                match orders::feed(&json, facts.following) {
                    Ok(json) => done(conn, true, json.to_string(), out),
                    Err(error) => {
                        log::error!("the database's report of the feed is {json:?}: {error}");
                        unreadable(conn, out);
                    }
                }
                Changed::Nothing
            }
            Answer::Why(Some(json)) | Answer::Report(json) => {
                done(conn, before.is_some(), json, out);
                Changed::Nothing
            }
            Answer::PagesOrdered(json) => {
                done(conn, before.is_some(), json, out);
                Changed::Pages
            }
            Answer::Unclaimed(names) => match before {
                Some(State::Sweeping(project)) => {
                    self.enter(conn, State::AtDisk);
                    Changed::Unclaimed(project, names)
                }
                _ => Changed::Nothing,
            },
            Answer::Why(None) => {
                if before.is_some() {
                    refuse(conn, vec!["not on this farm's list; 'piw add' puts it there".to_owned()], out);
                }
                Changed::Nothing
            }
            Answer::Refused(reason) => {
                match before {
                    Some(State::Ordering(_, pieces)) => {
                        refuse(conn, vec![reason, pieces.done_so_far().to_owned()], out);
                    }
                    Some(_) => refuse(conn, vec![reason], out),
                    None => {}
                }
                Changed::Nothing
            }
            other => {
                log::error!("the database answered a tool's question with something else: {other:?}");
                if before.is_some() {
                    unreadable(conn, out);
                }
                Changed::Nothing
            }
        }
    }

    /// The writer said where the tree is.
    pub fn located(&mut self, conn: ConnId, tree: &Tree, out: &mut Out) {
        self.disk_done(conn, Ok(tree::located(tree)), out);
    }

    /// The writer removed what nothing stands for.
    pub fn swept(&mut self, conn: ConnId, swept: Result<SweptDir, String>, out: &mut Out) {
        if let (Ok(swept), Some(tool)) = (&swept, self.tools.get(&conn))
            && !swept.removed.is_empty()
        {
            log::warn!("{} had removed, for no row stands for it: {}", tool.peer, swept.removed.join(" "));
        }
        self.disk_done(conn, swept.as_ref().map(tree::swept).map_err(Clone::clone), out);
    }

    /// The writer put METADATA beside its wheel again.
    pub fn unpacked(&mut self, conn: ConnId, unpacked: Result<(), String>, out: &mut Out) {
        self.disk_done(conn, unpacked.map(|()| json!({ "unpacked": true })), out);
    }

    fn disk_done(&mut self, conn: ConnId, answer: Result<serde_json::Value, String>, out: &mut Out) {
        let Some(tool) = self.tools.get_mut(&conn) else { return };
        tool.state = State::Ready;
        match answer {
            Ok(json) => done(conn, true, json.to_string(), out),
            Err(reason) => refuse(conn, vec![reason], out),
        }
    }

    /// An order, or a piece of it, was carried out. The next piece follows as long as the tool is there.
    fn ordered(
        &mut self,
        now: Millis,
        conn: ConnId,
        before: Option<State>,
        ordered: Ordered,
        out: &mut Out,
    ) -> Changed {
        let Ordered { json, opened, cancelled, logs, more, walks } = ordered;
        if let Some(State::Ordering(mut order, mut pieces)) = before {
            match pieces.add(&json, logs) {
                Ok(next) if more => {
                    let after = match &mut *order {
                        Order::Requeue(Requeue { after, .. })
                        | Order::Rebuild { after, .. }
                        | Order::Remove(Remove { after, .. }) => Some(after),
                        _ => None,
                    };
                    if let (Some(after), Some(next)) = (after, next) {
                        *after = next;
                    }
                    out.ask(Purpose::Tool(conn), Query::Order(order.clone()));
                    self.enter(conn, State::Ordering(order, pieces));
                }
                Ok(_) => {
                    let (map, page, logs) = pieces.end();
                    let json = serde_json::Value::Object(map.clone()).to_string();
                    if let Some(tool) = self.tools.get(&conn) {
                        log::warn!("{} ordered: {} {json}", tool.peer, order.name());
                    }
                    match *order {
                        Order::Remove(Remove { package, .. }) => {
                            let mut awaited = Awaited::new(conn, package, page, map);
                            awaited.logs = logs;
                            self.removals += 1;
                            self.await_page(now, awaited, out);
                        }
                        _ => done(conn, true, json, out),
                    }
                }
                Err(error) => {
                    log::error!("the database's answer to {order:?} is {json:?}: {error}");
                    unreadable(conn, out);
                }
            }
        }
        Changed::Ordered { opened, cancelled, walks }
    }

    fn audited(&mut self, conn: ConnId, before: Option<State>, audited: Audited, out: &mut Out) {
        let Some(State::Auditing(mut rounds)) = before else { return };
        match rounds.add(audited) {
            Some(json) => done(conn, true, json.to_string(), out),
            None => {
                self.auditing = Some(conn);
                out.ask(Purpose::Tool(conn), Query::Audit { mend: true });
                self.enter(conn, State::Auditing(rounds));
            }
        }
    }

    /// Whether no tool waits for an answer that is worth waiting for: an audit takes minutes, and is lost without harm; what
    /// is between an import's last byte and its record is the publisher's to wait for.
    pub fn settled(&self) -> bool {
        self.tools.values().all(|tool| {
            matches!(tool.state, State::Ready | State::Auditing(_) | State::Sending(_) | State::Paging)
        })
    }
}

fn ask(conn: ConnId, query: Query, out: &mut Out) -> State {
    out.ask(Purpose::Tool(conn), query);
    State::Asking
}

const fn state_name(state: AddedState) -> &'static str {
    match state {
        AddedState::New => "new",
        AddedState::Queued => "queued",
        AddedState::Building => "building",
        AddedState::Built => "built",
        AddedState::Failed => "failed",
        AddedState::Skipped => "skipped",
    }
}

fn done(conn: ConnId, connected: bool, json: String, out: &mut Out) {
    if !connected {
        return;
    }
    let message = match Text::new(json) {
        Ok(json) => ToTool::Done { json },
        Err(_) => return refuse(conn, vec!["the answer is too long; ask for one version".to_owned()], out),
    };
    out.effects.push(Effect::Send(conn, Message::Tool(message)));
}

fn unreadable(conn: ConnId, out: &mut Out) {
    refuse(conn, vec!["the master could not read its database's answer; see its log".to_owned()], out);
}

fn refuse(conn: ConnId, reasons: Vec<String>, out: &mut Out) {
    let mut reasons: Vec<_> = reasons.iter().map(|reason| Text::cut(reason)).collect();
    reasons.truncate(crate::wire::limits::ADD_ITEMS);
    // as many as were asked for at most, which the bound allows
    let Ok(reasons) = List::new(reasons) else { return };
    out.effects.push(Effect::Send(conn, Message::Tool(ToTool::Error { reasons })));
}

#[cfg(test)]
mod tests;
