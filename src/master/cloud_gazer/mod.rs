//! The cloud gazer: what the index has (manual 2.4.1). It looks packages up for people ([`CloudGazer::look`]) and reads
//! the changelog, pages and the list of all projects for the farm ([`CloudGazer::gaze`]), one request at a time.
//!
//! In: packages and specifiers, or a [`GazeRequest`]. Out: the versions to build, or what the index says. It knows HTTP;
//! not the farm. What it reads is taken apart by pure modules beside it: pages ([`project_page`], [`releases`],
//! [`choice`]), the changelog ([`xml_rpc`], [`changelog`]) and the list ([`project_list`]). [`wheel_metadata`] reads what
//! a wheel of the index requires.

use std::io::{BufReader, Read};
use std::time::Duration;

use ureq::BodyReader;

use super::event::{LookAnswer, LookUp};
use super::gaze::{
    Changelog, GazeAnswer, GazeFailure, GazeRequest, LIST_PIECE, ListPiece, PageNews, PageTruth, PageWish,
};
use super::query::Wanted;
use crate::domain::{ProjectName, WheelName};

mod changelog;
mod choice;
mod dates;
#[cfg(all(any(test, fuzzing), feature = "admin"))]
#[path = "../../../tests/fuzz/targets/gazer.rs"]
pub(crate) mod fuzz;
mod http;
mod json;
pub mod pip;
mod project_list;
mod project_page;
mod releases;
mod trouble;
mod wheel_metadata;
mod xml_rpc;

pub use http::GazerLimits;

use http::{Bounds, Found, Http, Reply, body_trouble};
use project_list::ProjectList;
use project_page::{PageError, ProjectPage};
use trouble::{Scope, Trouble, shown};
use xml_rpc::XmlError;

/// Tries of one page that a person waits for, when the index or the way to it fails.
const TRIES: u32 = 3;
/// How long a person waits because the index asks to be left alone, in seconds.
const TOOL_PATIENCE: u32 = 5;
const PEP_691: &str = "application/vnd.pypi.simple.v1+json";

/// Where an index has its XML-RPC, unless somebody says otherwise: beside its pages, the last part of whose path is
/// replaced by `pypi`.
pub fn xml_rpc_url(simple_url: &str) -> String {
    let url = simple_url.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    let path = url.find("://").map_or(0, |at| at + 3);
    match url[path..].rfind('/') {
        Some(at) => format!("{}/pypi", &url[..path + at]),
        None => format!("{url}/pypi"),
    }
}

/// What a request comes to when the gazer itself failed.
pub fn failed(request: &GazeRequest) -> GazeAnswer {
    let failure = GazeFailure {
        reason: "an error in the cloud gazer; see the master's log".to_owned(),
        retry_after_secs: None,
        everywhere: false,
    };
    match request {
        GazeRequest::Changelog { .. } => GazeAnswer::Changelog(Err(failure)),
        GazeRequest::Page(wish) => GazeAnswer::Page(wish.package.clone(), PageNews::Failed(failure)),
        GazeRequest::ListBegin { .. } | GazeRequest::ListMore => GazeAnswer::List(Err(failure)),
        GazeRequest::Wheel(wheel) => GazeAnswer::Wheel(wheel.clone(), Err(failure)),
    }
}

/// What the thread keeps between requests.
pub struct CloudGazer {
    http: Http,
    limits: GazerLimits,
    index_url: String,
    xml_rpc_url: String,
    listing: Option<Listing>,
}

/// A list of all projects that is being read: its connection stays open between the pieces.
struct Listing {
    list: ProjectList,
    body: BodyReader<'static>,
    etag: Option<String>,
    serial: Option<u64>,
}

impl CloudGazer {
    /// Asks the index at `index_url` (PEP 503 root) and its XML-RPC at `xml_rpc_url` (see [`xml_rpc_url`]), trusting
    /// `certificates` (a PEM file) where it is given.
    pub fn new(index_url: &str, xml_rpc_url: &str, certificates: Option<&[u8]>) -> Self {
        Self::with_limits(index_url, xml_rpc_url, certificates, GazerLimits::default())
    }

    /// The same with other bounds.
    pub fn with_limits(
        index_url: &str,
        xml_rpc_url: &str,
        certificates: Option<&[u8]>,
        limits: GazerLimits,
    ) -> Self {
        Self {
            http: Http::new(limits.connect, certificates),
            limits,
            index_url: index_url.trim_end_matches('/').to_owned(),
            xml_rpc_url: xml_rpc_url.to_owned(),
            listing: None,
        }
    }

    /// Looks everything up. All or nothing: one that is not there fails the others, and says so. When the index does not
    /// answer, nobody knows what is there; when all of it is at fault, the rest is not asked for.
    pub fn look(&mut self, wanted: &[LookUp]) -> LookAnswer {
        let mut found: Vec<Wanted> = Vec::with_capacity(wanted.len());
        let mut missing = Vec::new();
        let mut unanswered = None;
        for item in wanted {
            match self.look_one(item) {
                Ok(Ok(Choice::Build(version))) if found.contains(&*version) => {}
                Ok(Ok(Choice::Build(version))) => found.push(*version),
                Ok(Ok(Choice::Served(wheel))) => return LookAnswer::Served(wheel),
                Ok(Err(reason)) => missing.push(reason),
                Err(trouble) => {
                    let failure = GazeFailure::from(trouble);
                    let reason = format!("{}: {}", item.package, failure.reason);
                    if failure.everywhere {
                        return LookAnswer::Unanswered(GazeFailure { reason, ..failure });
                    }
                    missing.push(reason.clone());
                    unanswered.get_or_insert(GazeFailure { reason, ..failure });
                }
            }
        }
        match unanswered {
            Some(failure) if missing.len() == 1 => LookAnswer::Unanswered(failure),
            _ if missing.is_empty() => LookAnswer::Found(found),
            _ => LookAnswer::NotFound(missing),
        }
    }

    /// Inside: what was found, or why there is nothing to find. Outside: why nobody knows.
    fn look_one(&self, item: &LookUp) -> Result<Result<Choice, String>, Trouble> {
        let package = &item.package;
        let specifiers = match choice::parse_specifiers(&item.specifiers) {
            Ok(specifiers) => specifiers,
            Err(reason) => return Ok(Err(format!("{package}: {reason}"))),
        };
        Ok(match self.page_patiently(package)? {
            Some(page) => match page.served(&specifiers).filter(|_| item.required) {
                Some(wheel) => Ok(Choice::Served(wheel)),
                None => page
                    .newest(package, &specifiers, &item.specifiers)
                    .map(|wanted| Choice::Build(Box::new(Wanted { extras: item.extras.clone(), ..wanted }))),
            },
            None => Err(format!("{package}: no such package on the index")),
        })
    }

    /// A project's page, asked for again when the way to it fails; `None` when there is none.
    fn page_patiently(&self, package: &ProjectName) -> Result<Option<ProjectPage>, Trouble> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.page(package, None) {
                Ok(Page::Read { page, .. }) => return Ok(Some(page)),
                // without an ETag, nothing can be unchanged
                Ok(Page::Missing | Page::Unchanged { .. }) => return Ok(None),
                Err(trouble) => {
                    let pause = trouble.retry_after_secs.unwrap_or(0).max(tries);
                    if tries == TRIES || !trouble.is_passing() || pause > TOOL_PATIENCE {
                        return Err(trouble);
                    }
                    log::info!("{package}: {}; asking again", trouble.reason);
                    std::thread::sleep(Duration::from_secs(pause.into()));
                }
            }
        }
    }

    /// Carries out one look at the index. What went wrong is in the answer.
    pub fn gaze(&mut self, request: &GazeRequest) -> GazeAnswer {
        match request {
            GazeRequest::Changelog { since } => {
                GazeAnswer::Changelog(self.changelog(*since).map_err(GazeFailure::from))
            }
            GazeRequest::Page(wish) => {
                let news = self.page_news(wish).unwrap_or_else(|trouble| PageNews::Failed(trouble.into()));
                GazeAnswer::Page(wish.package.clone(), news)
            }
            GazeRequest::ListBegin { etag } => {
                // its connection goes with it
                self.listing = None;
                let piece = self.begin_list(etag.as_deref());
                GazeAnswer::List(self.end_list_on_failure(piece))
            }
            GazeRequest::ListMore => {
                let piece = self.more_of_the_list();
                GazeAnswer::List(self.end_list_on_failure(piece))
            }
            GazeRequest::Wheel(wheel) => {
                GazeAnswer::Wheel(wheel.clone(), self.wheel_metadata(wheel).map_err(GazeFailure::from))
            }
        }
    }

    fn page(&self, package: &ProjectName, etag: Option<&str>) -> Result<Page, Trouble> {
        let url = format!("{}/{package}/", self.index_url);
        let bounds = Bounds { time: self.limits.page, silence: None, bytes: self.limits.page_bytes };
        let found = match self.http.get(&url, PEP_691, etag, bounds)? {
            Reply::Unchanged { serial } => return Ok(Page::Unchanged { serial }),
            Reply::Missing => return Ok(Page::Missing),
            Reply::Found(found) => *found,
        };
        let Found { etag, serial, body, .. } = found;
        let page = ProjectPage::read(body, package).map_err(|error| match error {
            PageError::Broken(error) => body_trouble(error),
            PageError::Unreadable(reason) => Trouble::new(Scope::Here, reason),
        })?;
        // what the page says of itself is what was read
        let serial = page.serial.or(serial);
        Ok(Page::Read { page, serial, etag })
    }

    fn page_news(&self, wish: &PageWish) -> Result<PageNews, Trouble> {
        let stale = |serial: Option<u64>| serial.filter(|serial| *serial < wish.serial);
        Ok(match self.page(&wish.package, wish.etag.as_deref())? {
            Page::Missing => PageNews::Missing,
            Page::Unchanged { serial } => {
                stale(serial).map_or(PageNews::Unchanged, |serial| PageNews::Stale { serial })
            }
            Page::Read { page, serial, etag } => match stale(serial) {
                Some(serial) => PageNews::Stale { serial },
                None => {
                    let releases = page.truths(&wish.wanted);
                    let ProjectPage { display, status, status_reason, .. } = page;
                    PageNews::Seen(Box::new(PageTruth {
                        display,
                        status,
                        status_reason,
                        serial,
                        etag,
                        releases,
                    }))
                }
            },
        })
    }

    fn changelog(&self, since: u64) -> Result<Changelog, Trouble> {
        let bounds =
            Bounds { time: self.limits.changelog, silence: None, bytes: self.limits.changelog_bytes };
        let call = xml_rpc::call("changelog_since_serial", since);
        let Found { body, date, .. } = self.http.post_xml(&self.xml_rpc_url, &call, bounds)?;
        let mut collector = changelog::Collector::new(since);
        let input = BufReader::with_capacity(1 << 16, body);
        xml_rpc::read_rows(input, &mut |row| collector.push(row)).map_err(|error| match error {
            XmlError::Broken(error) => body_trouble(error),
            XmlError::Unreadable(reason) => Trouble::new(Scope::Here, reason),
            XmlError::Fault(code, text) => fault(code, &text),
        })?;
        let (changelog, odd) = collector.finish(date);
        if let Some(first) = odd {
            log::info!("the first row of the changelog that is passed over: {first}");
        }
        Ok(changelog)
    }

    fn begin_list(&mut self, etag: Option<&str>) -> Result<ListPiece, Trouble> {
        let url = format!("{}/", self.index_url);
        let bounds = Bounds {
            time: self.limits.list,
            silence: Some(self.limits.list_silence),
            bytes: self.limits.list_bytes,
        };
        let found = match self.http.get(&url, PEP_691, etag, bounds)? {
            Reply::Unchanged { .. } => return Ok(ListPiece::Unchanged),
            Reply::Missing => return Err(Trouble::new(Scope::Here, "the index has no list of its projects")),
            Reply::Found(found) => *found,
        };
        let Found { etag, serial, body, .. } = found;
        self.listing = Some(Listing { list: ProjectList::new(), body, etag, serial });
        self.more_of_the_list()
    }

    fn more_of_the_list(&mut self) -> Result<ListPiece, Trouble> {
        let Some(listing) = &mut self.listing else {
            return Err(Trouble::new(Scope::Here, "no list of projects is being read"));
        };
        let piece = listing.next_piece()?;
        if matches!(piece, ListPiece::End { .. }) {
            self.listing = None;
        }
        Ok(piece)
    }

    fn end_list_on_failure(&mut self, piece: Result<ListPiece, Trouble>) -> Result<ListPiece, GazeFailure> {
        piece.map_err(|trouble| {
            self.listing = None;
            trouble.into()
        })
    }
}

impl Listing {
    fn next_piece(&mut self) -> Result<ListPiece, Trouble> {
        let mut bytes = [0; 1 << 14];
        while self.list.ready() < LIST_PIECE {
            let read = self.body.read(&mut bytes).map_err(body_trouble)?;
            if read == 0 {
                let end = self.list.finish().map_err(|reason| Trouble::new(Scope::BrokenOff, reason))?;
                if self.list.ready() > 0 {
                    break;
                }
                return Ok(ListPiece::End {
                    etag: self.etag.take(),
                    serial: end.serial.or(self.serial),
                    odd: end.odd,
                });
            }
            self.list.feed(&bytes[..read]).map_err(|reason| Trouble::new(Scope::Here, reason))?;
        }
        Ok(ListPiece::Projects(self.list.drain(LIST_PIECE)))
    }
}

/// What a requirement came to.
enum Choice {
    Build(Box<Wanted>),
    Served(WheelName),
}

/// What came of a project's page.
enum Page {
    Unchanged { serial: Option<u64> },
    Missing,
    Read { page: ProjectPage, serial: Option<u64>, etag: Option<String> },
}

/// A fault that the index answered an XML-RPC call with.
fn fault(code: i64, text: &str) -> Trouble {
    let reason = format!("the index refuses: {} (fault {code})", shown(text));
    match xml_rpc::rate_limit(text) {
        Some(seconds) => Trouble {
            retry_after_secs: seconds.map(|seconds| seconds.min(trouble::LONGEST_RETRY_AFTER)),
            ..Trouble::new(Scope::Everywhere, reason)
        },
        None => Trouble::new(Scope::Here, reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xml_rpc_is_beside_the_pages() {
        for (simple, expected) in [
            ("https://index.example/simple", "https://index.example/pypi"),
            ("https://index.example/simple/", "https://index.example/pypi"),
            ("https://index.example//simple//", "https://index.example//pypi"),
            (
                "http://user:word@127.0.0.1:8080/root/mirror/+simple/?x=/y#z",
                "http://user:word@127.0.0.1:8080/root/mirror/pypi",
            ),
            ("https://index.example", "https://index.example/pypi"),
            ("https://index.example/", "https://index.example/pypi"),
        ] {
            assert_eq!(xml_rpc_url(simple), expected, "{simple}");
        }
    }

    #[test]
    fn a_fault_about_too_many_requests_is_the_whole_index_and_says_how_long() {
        let limited = "HTTPTooManyRequests: The action could not be performed because there were too many requests by \
                       the client. Limit may reset in 37 seconds.";
        let failure = GazeFailure::from(fault(-32500, limited));
        assert_eq!((failure.everywhere, failure.retry_after_secs), (true, Some(37)));
        assert!(failure.reason.contains("too many requests"), "{}", failure.reason);
        let failure = GazeFailure::from(fault(-32500, "HTTPTooManyRequests: later"));
        assert_eq!((failure.everywhere, failure.retry_after_secs), (true, None));
        let failure = GazeFailure::from(fault(1, "RuntimeError: in 5 seconds\n\x1b[2J"));
        assert_eq!((failure.everywhere, failure.retry_after_secs), (false, None));
        assert!(!failure.reason.contains('\x1b'));
    }
}
