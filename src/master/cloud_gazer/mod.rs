//! The cloud gazer: what PyPI has (manual 2.4.1). It looks packages up on their PEP 691 pages, one request at a time.
//!
//! In: packages and specifiers. Out: the versions to build, or why there are none. It knows HTTP; not the farm.

use std::time::Duration;

use super::event::{LookAnswer, LookUp};
use super::query::Wanted;
use crate::domain::ProjectName;

pub mod pip;
mod project_page;

use project_page::{PageError, ProjectPage};

/// One page, in bytes; the largest real ones have a few tens of MB.
const MAX_PAGE_BYTES: u64 = 128 << 20;
/// One request, all of it.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Tries of one page, when the index or the way to it fails.
const TRIES: u32 = 3;
const PEP_691: &str = "application/vnd.pypi.simple.v1+json";

/// What the thread keeps between requests.
pub struct CloudGazer {
    agent: ureq::Agent,
    index_url: String,
}

impl CloudGazer {
    /// Asks the index at `index_url` (PEP 503 root), trusting `certificates` (a PEM file) where it is given.
    pub fn new(index_url: &str, certificates: Option<&[u8]>) -> Self {
        let mut tls = ureq::tls::TlsConfig::builder();
        if let Some(pem) = certificates {
            let certificates: Vec<_> = ureq::tls::parse_pem(pem)
                .filter_map(|item| match item {
                    Ok(ureq::tls::PemItem::Certificate(certificate)) => Some(certificate),
                    _ => None,
                })
                .collect();
            tls = tls.root_certs(ureq::tls::RootCerts::new_with_certs(&certificates));
        }
        let agent = ureq::Agent::config_builder()
            .user_agent(format!("piwheels-rs/{} (wheel building farm)", crate::VERSION))
            .timeout_global(Some(TIMEOUT))
            .timeout_connect(Some(Duration::from_secs(15)))
            .max_redirects(3)
            .https_only(index_url.starts_with("https:"))
            .tls_config(tls.build())
            .http_status_as_error(false)
            .build()
            .new_agent();
        Self { agent, index_url: index_url.trim_end_matches('/').to_owned() }
    }

    /// Looks at the index for the follower.
    pub fn gaze(&mut self, request: &super::gaze::GazeRequest) -> super::gaze::GazeAnswer {
        use super::gaze::*;
        let failure = GazeFailure { reason: "not yet".to_owned(), retry_after_secs: None, everywhere: true };
        match request {
            GazeRequest::Changelog { .. } => GazeAnswer::Changelog(Err(failure)),
            GazeRequest::Page(wish) => GazeAnswer::Page(wish.package.clone(), PageNews::Failed(failure)),
            GazeRequest::ListBegin { .. } | GazeRequest::ListMore => GazeAnswer::List(Err(failure)),
        }
    }

    /// Looks everything up. All or nothing: one that is not there fails the others, and says so.
    pub fn look(&mut self, wanted: &[LookUp]) -> LookAnswer {
        let mut found: Vec<Wanted> = Vec::with_capacity(wanted.len());
        let mut missing = Vec::new();
        for item in wanted {
            match self.look_one(item) {
                Ok(version) if found.contains(&version) => {}
                Ok(version) => found.push(version),
                Err(reason) => missing.push(reason),
            }
        }
        if missing.is_empty() { LookAnswer::Found(found) } else { LookAnswer::NotFound(missing) }
    }

    fn look_one(&self, item: &LookUp) -> Result<Wanted, String> {
        let package = &item.package;
        let specifiers =
            project_page::parse_specifiers(&item.specifiers).map_err(|e| format!("{package}: {e}"))?;
        let page = self.page(package).map_err(|e| format!("{package}: {e}"))?;
        page.newest(package, &specifiers, &item.specifiers)
    }

    /// A project's page, asked for again when the way to it fails.
    fn page(&self, package: &ProjectName) -> Result<ProjectPage, String> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.page_once(package) {
                Ok(page) => return Ok(page),
                Err(PageError::Passing(reason)) if tries < TRIES => {
                    log::info!("{package}: {reason}; asking again");
                    std::thread::sleep(Duration::from_secs(u64::from(tries)));
                }
                Err(PageError::Passing(reason) | PageError::Final(reason)) => return Err(reason),
            }
        }
    }

    fn page_once(&self, package: &ProjectName) -> Result<ProjectPage, PageError> {
        let url = format!("{}/{package}/", self.index_url);
        let passing = |e: ureq::Error| PageError::Passing(format!("the index does not answer: {e}"));
        let mut response = self.agent.get(&url).header("Accept", PEP_691).call().map_err(passing)?;
        let status = response.status().as_u16();
        match status {
            200 => {}
            404 => return Err(PageError::Final("no such package on the index".to_owned())),
            429 | 500..=599 => {
                return Err(PageError::Passing(format!("the index answers with status {status}")));
            }
            _ => return Err(PageError::Final(format!("the index answers with status {status}"))),
        }
        let kind = response.headers().get("content-type").and_then(|v| v.to_str().ok()).unwrap_or_default();
        if !kind.starts_with(PEP_691) {
            let reason = format!("the index answers with {kind:?}, not with JSON (PEP 691)");
            return Err(PageError::Final(reason));
        }
        let body = response.body_mut().with_config().limit(MAX_PAGE_BYTES).read_to_vec().map_err(passing)?;
        ProjectPage::parse(&body, package).map_err(PageError::Final)
    }
}
