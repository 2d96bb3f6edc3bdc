//! The threads beside the reactor: oracles, file writer, index scribe, cloud gazer; and the way to them and back.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use mio::Waker;
use r2d2_postgres::postgres::{CancelToken, NoTls};

use super::super::cloud_gazer::{self, CloudGazer};
use super::super::event::{
    DiskAnswer, DiskRequest, LookAnswer, LookUp, PageAnswer, PageRequest, Survey, Ticket,
};
use super::super::gaze::{GazeAnswer, GazeFailure, GazeRequest};
use super::super::index_scribe::{self, IndexScribe, Site};
use super::super::metrics::figures::{DatabaseFigures, ProcessFigures, WORK_SECONDS};
use super::super::metrics::histogram::Histogram;
use super::super::oracle;
use super::super::query::{Answer, Query, Swept};
use super::super::seraph::{OracleId, Seraph};
use super::super::survey;
use super::super::warden::{self, Seat, Sessions, Warden};
use super::super::worker::Worker;
use super::super::writer::{self, FileWriter};
use super::process;
use crate::keyfile::Keys;

/// Connections to the database, and threads that use them: more than the server's cores gain nothing.
pub const ORACLES: usize = 4;
/// First and longest pause before a question is asked again.
const AGAIN_FIRST: Duration = Duration::from_millis(50);
const AGAIN_LONGEST: Duration = Duration::from_secs(2);
/// While the database is away, the log says so this often, and not once for each question that waits.
const COMPLAIN_EVERY: Duration = Duration::from_secs(30);

/// How often an audit is told to end, [`AGAIN_FIRST`] apart, before its end is waited for.
const END_AUDIT_TRIES: u32 = 100;
/// How long an administrator's question is asked again before it is refused.
const TOOL_PATIENCE: Duration = Duration::from_secs(60);

/// The pool that the oracles draw from.
pub type Pool = r2d2::Pool<Sessions>;

/// What a thread has to say.
#[derive(Debug)]
pub enum Reply {
    /// An oracle answered.
    Database(OracleId, Ticket, Answer),
    /// The file writer.
    Disk(DiskAnswer),
    /// The index scribe.
    Page(PageAnswer),
    /// The cloud gazer looked something up.
    Looked(Ticket, LookAnswer),
    /// The cloud gazer looked at the index for the follower.
    Gazed(GazeAnswer),
    /// The keys of slaves were read again.
    Keys(Result<Keys, String>),
    /// The index scribe has done what it was asked for a page of this kind, in this time.
    Wrote(&'static str, Duration),
    /// The process was looked at.
    Process(ProcessFigures),
    /// The warden.
    Seat(warden::News),
    /// The machine was looked at.
    Surveyed(Box<Survey>),
}

/// Work for the cloud gazer, done in the order given: the index never sees two requests at once.
#[derive(Clone, Debug)]
enum Gaze {
    Look(Ticket, Vec<LookUp>),
    Follow(GazeRequest),
}

/// What the cloud gazer answers in place of a request that made it panic.
fn gazer_failed(gaze: &Gaze) -> Reply {
    match gaze {
        Gaze::Look(ticket, _) => {
            let failure = GazeFailure {
                reason: "an error in the cloud gazer; see the master's log".to_owned(),
                retry_after_secs: None,
                everywhere: false,
            };
            Reply::Looked(*ticket, LookAnswer::Unanswered(failure))
        }
        Gaze::Follow(request) => Reply::Gazed(cloud_gazer::failed(request)),
    }
}

/// The way back to the reactor.
#[derive(Clone)]
struct Way {
    replies: Sender<Reply>,
    waker: Arc<Waker>,
}

impl Way {
    fn say(&self, reply: Reply) {
        // the reactor may be gone, at the end; then nobody is to be woken
        if self.replies.send(reply).is_ok()
            && let Err(error) = self.waker.wake()
        {
            log::error!("the reactor cannot be woken: {error}");
        }
    }
}

/// All threads.
pub struct Threads {
    seraph: Seraph,
    oracles: Vec<Worker<(Ticket, Query)>>,
    writer: Worker<DiskRequest>,
    scribe: Worker<PageRequest>,
    gazer: Worker<Gaze>,
    keys: Worker<()>,
    process: Worker<()>,
    /// Since when each oracle is at its question.
    asked: [Option<Instant>; ORACLES],
    /// How long they took.
    took: Histogram,
    surveyor: Worker<()>,
    replies: Receiver<Reply>,
    taken: VecDeque<Reply>,
    trouble: Arc<Trouble>,
    /// Lets the seat go when it is dropped: behind the oracles.
    warden: warden::Working,
}

/// What the oracles share: whether the master has its seat, whether it ends, and when the database was last complained about.
struct Trouble {
    seat: Seat,
    stopping: AtomicBool,
    /// Tries that failed because the database could not answer, and whether the last one was one.
    failures: AtomicU64,
    away: AtomicBool,
    complained: Mutex<Option<Instant>>,
    /// Ends the audit that is under way, which takes minutes and is lost without harm. There is one at a time (Mr Chase).
    audit: Mutex<Option<CancelToken>>,
}

impl Trouble {
    /// Notes how the audit that begins is ended, or that there is none any more.
    fn audits(&self, token: Option<CancelToken>) {
        *self.audit.lock().unwrap_or_else(PoisonError::into_inner) = token;
    }

    /// Ends the audit that is under way, if there is one. Asked more than once, for a statement that only just begins is
    /// not there to be ended.
    fn end_audit(&self) {
        for _ in 0..END_AUDIT_TRIES {
            let Some(token) = self.audit.lock().unwrap_or_else(PoisonError::into_inner).clone() else {
                return;
            };
            if let Err(error) = token.cancel_query(NoTls) {
                log::debug!("the audit cannot be ended: {error}");
            }
            std::thread::sleep(AGAIN_FIRST);
        }
    }

    /// Says that the database is away, if nobody has lately.
    fn complain(&self, reason: &str) {
        let mut complained = self.complained.lock().unwrap_or_else(PoisonError::into_inner);
        if complained.is_none_or(|at| at.elapsed() >= COMPLAIN_EVERY) {
            *complained = Some(Instant::now());
            log::warn!("the database does not answer ({reason}); asking again until it does");
        }
    }

    /// Says that the database is back, if it was complained about.
    fn over(&self) {
        if self.complained.lock().unwrap_or_else(PoisonError::into_inner).take().is_some() {
            log::warn!("the database answers again");
        }
    }
}

/// Where the threads read and write.
pub struct Places {
    /// The web site.
    pub output: PathBuf,
    /// What is not finished.
    pub spool: PathBuf,
    /// The keys of slaves.
    pub keys: PathBuf,
}

impl Threads {
    /// Starts them.
    pub fn start(
        waker: Waker,
        warden: Warden,
        pool: &Pool,
        Places { output, spool, keys }: Places,
        site: Site,
        gazer: impl Fn() -> CloudGazer + Send + 'static,
    ) -> io::Result<Self> {
        let (sender, replies) = channel();
        let way = Way { replies: sender, waker: Arc::new(waker) };
        let trouble = Arc::new(Trouble {
            seat: warden.seat(),
            stopping: AtomicBool::new(false),
            failures: AtomicU64::new(0),
            away: AtomicBool::new(false),
            complained: Mutex::new(None),
            audit: Mutex::new(None),
        });
        let back = way.clone();
        let warden = warden.work(move |news| back.say(Reply::Seat(news)))?;
        let mut oracles = Vec::with_capacity(ORACLES);
        for n in 0..ORACLES {
            oracles.push(start_oracle(OracleId(n), pool.clone(), way.clone(), trouble.clone())?);
        }
        let (back, at, beside) = (way.clone(), output.clone(), spool.clone());
        let writer = Worker::start(
            "file-writer",
            move || FileWriter::new(at.clone(), beside.clone()),
            |writer: &mut FileWriter, request, answer: &mut dyn FnMut(DiskAnswer)| {
                writer.handle(request, answer)
            },
            writer::failed,
            move |answer| back.say(Reply::Disk(answer)),
        )?;
        let back = way.clone();
        let (at, beside) = (output.clone(), spool.clone());
        let surveyor = Worker::start(
            "big-brother",
            || (),
            move |(): &mut (), (), answer: &mut dyn FnMut(_)| answer(survey::look(&at, &beside)),
            |()| vec![survey::failed()],
            move |survey| back.say(Reply::Surveyed(Box::new(survey))),
        )?;
        let back = way.clone();
        let (at, beside) = (output.clone(), spool.clone());
        let scribe = Worker::start(
            "index-scribe",
            move || IndexScribe::new(at.clone(), beside.clone(), site.clone()),
            |scribe: &mut IndexScribe, request: PageRequest, answer: &mut dyn FnMut(Reply)| {
                let (kind, begun) = (kind_of_page(&request), Instant::now());
                scribe.handle(request, &mut |page| answer(Reply::Page(page)));
                answer(Reply::Wrote(kind, begun.elapsed()));
            },
            |request| index_scribe::failed(request).into_iter().map(Reply::Page).collect(),
            move |reply| back.say(reply),
        )?;
        let back = way.clone();
        let process = Worker::start(
            "process-watch",
            || (),
            move |(): &mut (), (), answer: &mut dyn FnMut(_)| answer(process::look(&output, &spool)),
            |()| Vec::new(),
            move |figures| back.say(Reply::Process(figures)),
        )?;
        let back = way.clone();
        let keys = Worker::start(
            "key-reader",
            || (),
            move |(): &mut (), (), answer: &mut dyn FnMut(_)| answer(Keys::read_if_there(&keys)),
            |()| vec![Err("an error in reading the keys; see the log".to_owned())],
            move |keys| back.say(Reply::Keys(keys)),
        )?;
        let back = way;
        let gazer = Worker::start(
            "cloud-gazer",
            gazer,
            |gazer: &mut CloudGazer, gaze: Gaze, answer: &mut dyn FnMut(_)| {
                answer(match gaze {
                    Gaze::Look(ticket, wanted) => Reply::Looked(ticket, gazer.look(&wanted)),
                    Gaze::Follow(request) => Reply::Gazed(gazer.gaze(&request)),
                });
            },
            |gaze| vec![gazer_failed(gaze)],
            move |reply| back.say(reply),
        )?;
        Ok(Self {
            seraph: Seraph::new(ORACLES),
            oracles,
            writer,
            scribe,
            gazer,
            keys,
            process,
            asked: [None; ORACLES],
            took: Histogram::new(WORK_SECONDS),
            surveyor,
            replies,
            taken: VecDeque::new(),
            trouble,
            warden,
        })
    }

    pub(super) fn ask(&mut self, ticket: Ticket, query: Query) {
        self.seraph.push(ticket, query);
        self.dispatch();
    }

    /// Takes a question back, if no oracle has it yet.
    pub(super) fn forget(&mut self, ticket: Ticket) -> bool {
        self.seraph.forget(ticket)
    }

    pub(super) fn freed(&mut self, oracle: OracleId) {
        if let Some(asked) = self.asked[oracle.0].take() {
            self.took.count(asked.elapsed());
        }
        self.seraph.freed(oracle);
        self.dispatch();
    }

    fn dispatch(&mut self) {
        while let Some((OracleId(n), ticket, query)) = self.seraph.take() {
            self.asked[n] = Some(Instant::now());
            self.oracles[n].send((ticket, query));
        }
    }

    pub(super) fn write(&self, request: DiskRequest) {
        self.writer.send(request);
    }

    pub(super) fn page(&self, request: PageRequest) {
        self.scribe.send(request);
    }

    pub(super) fn look(&self, ticket: Ticket, wanted: Vec<LookUp>) {
        self.gazer.send(Gaze::Look(ticket, wanted));
    }

    pub(super) fn gaze(&self, request: GazeRequest) {
        self.gazer.send(Gaze::Follow(request));
    }

    /// Has the keys of slaves read again.
    pub(super) fn read_keys(&self) {
        self.keys.send(());
    }

    /// Has the machine and its disks looked at.
    pub(super) fn survey(&self) {
        self.surveyor.send(());
    }

    /// Has the process looked at.
    pub(super) fn look_at_process(&self) {
        self.process.send(());
    }

    /// How the database answers.
    pub(super) fn database(&self) -> DatabaseFigures<'_> {
        let oldest = self.asked.iter().flatten().map(Instant::elapsed).max();
        DatabaseFigures {
            size: ORACLES,
            busy: self.seraph.busy(),
            waiting: self.seraph.waiting(),
            oldest: oldest.unwrap_or_default(),
            took: &self.took,
            failures: self.trouble.failures.load(Ordering::Relaxed),
            away: self.trouble.away.load(Ordering::Relaxed),
        }
    }

    /// The waker fired.
    pub(super) fn noticed(&mut self) {
        self.taken.extend(self.replies.try_iter());
    }

    /// Whether answers wait.
    pub(super) fn more(&self) -> bool {
        !self.taken.is_empty()
    }

    /// The next answer.
    pub(super) fn take(&mut self) -> Option<Reply> {
        self.taken.pop_front()
    }

    /// Lets the threads finish what they were asked: files and pages whole, questions to the database answered or given
    /// up. The cloud gazer is not waited for: what it reads changes nothing.
    pub(super) fn finish(self) {
        self.trouble.stopping.store(true, Ordering::Relaxed);
        self.trouble.end_audit();
        self.writer.finish();
        self.scribe.finish();
        self.oracles.into_iter().for_each(Worker::finish);
        drop(self.warden);
    }
}

/// What a request to the index scribe is counted as.
const fn kind_of_page(request: &PageRequest) -> &'static str {
    match request {
        PageRequest::Projects(_) => "project",
        PageRequest::Home(..) => "home",
        PageRequest::RootBegin | PageRequest::RootNames(_) | PageRequest::RootEnd(_) => "root",
        PageRequest::Slaves(_) => "slaves",
    }
}

fn start_oracle(
    id: OracleId,
    pool: Pool,
    way: Way,
    trouble: Arc<Trouble>,
) -> io::Result<Worker<(Ticket, Query)>> {
    Worker::start(
        &format!("oracle-{}", id.0 + 1),
        || (),
        move |(), (ticket, query): (Ticket, Query), answer: &mut dyn FnMut(_)| {
            if let Some(found) = ask_until_answered(&pool, &query, &trouble) {
                answer((ticket, found));
            }
        },
        |(ticket, _)| vec![(*ticket, Answer::Failed("an error in the oracle; see the log".to_owned()))],
        move |(ticket, answer)| way.say(Reply::Database(id, ticket, answer)),
    )
}

/// Asks again, with growing pauses, as long as the database is away or busy: every query may be repeated. `None` only
/// when the master ends meanwhile.
fn ask_until_answered(pool: &Pool, query: &Query, trouble: &Trouble) -> Option<Answer> {
    let mut pause = AGAIN_FIRST;
    let mut tries = 0u32;
    let begun = Instant::now();
    loop {
        let failure = match pool.get() {
            _ if !trouble.seat.is_held() => "this master has no seat at it".to_owned(),
            Ok(mut client) => {
                let audits = matches!(query, Query::Audit { .. });
                if audits {
                    trouble.audits(Some(client.cancel_token()));
                }
                let result = oracle::execute(&mut client, query);
                if audits {
                    trouble.audits(None);
                }
                match result {
                    Ok(answer) => {
                        trouble.away.store(false, Ordering::Relaxed);
                        if tries > 0 {
                            trouble.over();
                        }
                        return Some(answer);
                    }
                    Err(oracle::Failure::Refused(reason)) => {
                        trouble.away.store(false, Ordering::Relaxed);
                        return Some(Answer::Refused(reason));
                    }
                    Err(oracle::Failure::Again(reason)) => reason,
                }
            }
            Err(error) => error.to_string(),
        };
        if trouble.stopping.load(Ordering::Relaxed) {
            return None;
        }
        trouble.failures.fetch_add(1, Ordering::Relaxed);
        trouble.away.store(true, Ordering::Relaxed);
        match query {
            // it comes again by itself; one that waited for the database could end leases before they are renewed
            Query::Sweep => {
                trouble.complain(&failure);
                return Some(Answer::Swept(Swept::default()));
            }
            // the same: what was not looked at is looked at later
            Query::RollPopularity { .. } => {
                trouble.complain(&failure);
                return Some(Answer::PopularityRolled(0));
            }
            // nobody waits for it, and the age of what is known says that it failed
            Query::Figures => return Some(Answer::Failed(failure)),
            // a person or a tool waits for these
            Query::Why { .. }
            | Query::AddVersions { .. }
            | Query::BeginImport(_)
            | Query::AddAbi { .. }
            | Query::LogDownloads { .. }
            | Query::Order(_)
            | Query::Report(_)
            | Query::Audit { .. }
            | Query::Statistics
                if begun.elapsed() > TOOL_PATIENCE =>
            {
                return Some(Answer::Refused(format!("the database does not answer: {failure}")));
            }
            _ => {}
        }
        // the first one may be a deadlock or a dropped connection, which a second try mends
        if tries > 0 {
            trouble.complain(&failure);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(AGAIN_LONGEST);
        tries += 1;
    }
}
