//! The page of slaves, for everybody: when it is due, and what may stand on it.
//!
//! No addresses, no numbers that commands take, nothing of the administrator's orders. It is due at the start, and when
//! something of it changed, [`SLAVES_PAGE_WINDOW`] apart and one at a time: a disk that hangs has one of them to write.

use super::{Face, View, doing_of};
use crate::domain::Millis;
use crate::master::limits::SLAVES_PAGE_WINDOW;
use crate::wire::Text;
use crate::wire::limits::HOLDS_BACK_BYTES;
use crate::wire::slave::Board;
use crate::wire::status::Doing;

/// A connected slave, as everybody may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicSlave {
    /// Name for people.
    pub label: String,
    /// The ABI it builds for.
    pub abi: String,
    /// Its platform.
    pub platform: String,
    /// Its machine, by its own word.
    pub board: Board,
    /// What it is doing.
    pub doing: &'static str,
    /// Package and version that it builds or delivers.
    pub job: Option<(String, String)>,
    /// In degrees Celsius.
    pub temperature: Option<i16>,
    /// Its processors are slowed down now.
    pub throttled: bool,
    /// Why it asks for no job.
    pub holds_back: Option<String>,
}

/// What of a slave may change on the page.
#[derive(Debug, PartialEq, Eq)]
struct Shown<'a> {
    doing: &'static str,
    build: Option<i64>,
    introduced: bool,
    temperature: Option<i16>,
    throttled: bool,
    holds_back: Option<&'a Text<HOLDS_BACK_BYTES>>,
}

/// See the module's head.
#[derive(Debug)]
pub(super) struct Showcase {
    changed: bool,
    /// Slaves came, went or do something else; temperatures do not count.
    stirred: bool,
    under_way: bool,
    next: Millis,
}

impl Default for Showcase {
    fn default() -> Self {
        // what a master before this one wrote is no longer so
        Self { changed: true, stirred: false, under_way: false, next: Millis(0) }
    }
}

impl Showcase {
    /// A slave came, or something of it changed.
    pub(super) fn changed(&mut self, before: Option<&Face>, after: &Face) {
        self.changed |= before.is_none_or(|before| shown(before) != shown(after));
        let does = |face: &Face| (word(face.doing), face.introduced);
        self.stirred |= before.is_none_or(|before| does(before) != does(after));
    }

    /// A slave is gone.
    pub(super) fn gone(&mut self) {
        self.changed = true;
        self.stirred = true;
    }

    /// Whether slaves came, went or do something else since this was last asked.
    pub(super) fn take_stirred(&mut self) -> bool {
        std::mem::take(&mut self.stirred)
    }

    /// Whether the page is to be written now; then it is under way.
    pub(super) fn is_due(&mut self, now: Millis) -> bool {
        if !self.changed || self.under_way || now < self.next {
            return false;
        }
        (self.changed, self.under_way, self.next) = (false, true, now + SLAVES_PAGE_WINDOW);
        true
    }

    /// The page is written, or not: then it is tried again.
    pub(super) fn written(&mut self, result: Result<(), String>) {
        self.under_way = false;
        if let Err(reason) = result {
            self.changed = true;
            log::error!(
                "the page of slaves cannot be written: {reason}; the old one stays, trying again in {} s",
                SLAVES_PAGE_WINDOW.0 / 1000
            );
        }
    }
}

fn shown(face: &Face) -> Shown<'_> {
    let vitals = face.vitals.as_ref();
    Shown {
        doing: word(face.doing),
        build: face.build.map(|build| build.0),
        introduced: face.introduced,
        temperature: vitals.and_then(|vitals| degrees(vitals.temperature)),
        throttled: vitals.and_then(|vitals| vitals.throttled) == Some(true),
        holds_back: face.holds_back.as_ref(),
    }
}

/// Everybody who is let in, by label.
pub(super) fn slaves(view: &View<'_>) -> Vec<PublicSlave> {
    let mut all: Vec<_> = view.slaves.slaves.values().filter(|slave| slave.introduction.is_some()).collect();
    let label = |slave: &super::Slave| slave.introduction.as_ref().map(|who| who.label.clone());
    all.sort_by_cached_key(|slave| (label(slave), slave.id));
    let public = |slave: &super::Slave| {
        let who = slave.introduction.as_ref()?;
        let vitals = slave.vitals.as_ref();
        Some(PublicSlave {
            label: who.label.clone(),
            abi: who.abi.as_str().to_owned(),
            platform: who.platform.clone(),
            board: who.board.clone(),
            doing: word(doing_of(&slave.state)),
            job: super::job(view, slave)
                .map(|held| (held.job.package.as_str().to_owned(), held.job.version.to_string())),
            temperature: vitals.and_then(|vitals| degrees(vitals.temperature)),
            throttled: vitals.and_then(|vitals| vitals.throttled) == Some(true),
            holds_back: slave.holds_back.as_ref().map(ToString::to_string),
        })
    };
    all.into_iter().filter_map(public).collect()
}

/// Whole degrees: tenths change all the time.
fn degrees(tenths: Option<i16>) -> Option<i16> {
    tenths.map(|tenths| (tenths.saturating_add(5)).div_euclid(10))
}

/// States that last; those between two messages are nobody's matter.
const fn word(doing: Doing) -> &'static str {
    match doing {
        Doing::Greeting | Doing::Returning | Doing::Idle | Doing::Asking | Doing::Asleep => "idle",
        Doing::Building => "building",
        Doing::Delivering => "delivering",
        Doing::Leaving => "leaving",
    }
}
