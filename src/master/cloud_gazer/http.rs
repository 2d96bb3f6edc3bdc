//! HTTP to the index: one request at a time, with limits of time and size, and never to anybody else.
//!
//! In: a URL below the index and what is known of it already. Out: headers that matter and a bounded body, or why there is
//! none. It knows nothing of what is in the body.

use std::io::{self, Read};
use std::time::Duration;

use ureq::http::{HeaderMap, Response, Uri};
use ureq::{Agent, Body, BodyReader};

use super::trouble::{Scope, Trouble, shown};
use super::{dates, json};

/// Whatever an answer is of.
pub(super) const ANY_KIND: &str = "*/*";
/// Redirects of one request.
const REDIRECTS: usize = 3;
/// Headers of one answer, in bytes.
const HEADER_BYTES: usize = 64 << 10;
/// The longest ETag that is kept, in bytes.
const ETAG_BYTES: usize = 256;
/// What of an answer without use is read, so that its connection can be used again, in bytes.
const DRAINED_BYTES: u64 = 64 << 10;
/// Connections that wait for the next request: the list's and another.
const IDLE: usize = 2;
/// How long they may wait: longer than the farm pauses between two looks.
const IDLE_AGE: Duration = Duration::from_secs(60);

/// Bounds of what the index may send, and of how long it may take.
#[derive(Clone, Copy, Debug)]
pub struct GazerLimits {
    /// Until a connection stands.
    pub connect: Duration,
    /// A project's page, from the request to the last byte.
    pub page: Duration,
    /// An answer of the changelog, the same.
    pub changelog: Duration,
    /// The list of all projects, the same; the farm's own pauses between its pieces count.
    pub list: Duration,
    /// Until the next bytes of that list.
    pub list_silence: Duration,
    /// One page, unpacked, in bytes; the largest real ones have a few tens of MB.
    pub page_bytes: u64,
    /// One answer of the changelog, unpacked, in bytes; 50,000 rows have about 20 MB.
    pub changelog_bytes: u64,
    /// The list, unpacked, in bytes; 750,000 projects have about 40 MB.
    pub list_bytes: u64,
}

impl Default for GazerLimits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(15),
            page: Duration::from_secs(60),
            changelog: Duration::from_secs(120),
            list: Duration::from_secs(3600),
            list_silence: Duration::from_secs(30),
            page_bytes: 128 << 20,
            changelog_bytes: 96 << 20,
            list_bytes: 512 << 20,
        }
    }
}

/// How long one request may take and how much may come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) time: Duration,
    pub(super) silence: Option<Duration>,
    pub(super) bytes: u64,
}

/// What came of a request.
pub(super) enum Reply {
    /// 304: it still has the ETag that was named.
    Unchanged { serial: Option<u64> },
    /// 404 or 410.
    Missing,
    /// 200.
    Found(Box<Found>),
}

/// An answer with a body.
pub(super) struct Found {
    pub(super) etag: Option<String>,
    /// `X-PyPI-Last-Serial`.
    pub(super) serial: Option<u64>,
    /// The index's clock: seconds since 1970.
    pub(super) date: Option<i64>,
    /// Unpacked; an error beyond the bound.
    pub(super) body: BodyReader<'static>,
}

/// The way to the index.
pub(super) struct Http {
    agent: Agent,
}

impl Http {
    /// Trusts `certificates` (a PEM file) where it is given.
    pub(super) fn new(connect: Duration, certificates: Option<&[u8]>) -> Self {
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
        let agent = Agent::config_builder()
            .user_agent(format!("piwheels-rs/{} (wheel building farm)", crate::VERSION))
            .timeout_connect(Some(connect))
            // they are followed here, within the index only
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_response_header_size(HEADER_BYTES)
            .max_idle_connections(IDLE)
            .max_idle_connections_per_host(IDLE)
            .max_idle_age(IDLE_AGE)
            .tls_config(tls.build())
            .http_status_as_error(false)
            .build()
            .new_agent();
        Self { agent }
    }

    /// Asks for what is at `url`, unless it has `etag` still. It must be of the media type `kind`, or [`ANY_KIND`].
    pub(super) fn get(
        &self,
        url: &str,
        kind: &str,
        etag: Option<&str>,
        bounds: Bounds,
    ) -> Result<Reply, Trouble> {
        let etag = etag.filter(|etag| is_etag(etag));
        let mut url = url.to_owned();
        for _ in 0..=REDIRECTS {
            let response = self.send_again_if_cut(|| {
                let config = self.agent.get(&url).config().timeout_global(Some(bounds.time));
                let mut request = config.timeout_per_read(bounds.silence).build().header("Accept", kind);
                if let Some(etag) = etag {
                    request = request.header("If-None-Match", etag);
                }
                request.call()
            })?;
            match response.status().as_u16() {
                301 | 302 | 303 | 307 | 308 => url = next_url(&url, response.headers())?,
                304 if etag.is_some() => return Ok(Reply::Unchanged { serial: serial(response.headers()) }),
                404 | 410 => {
                    drain(response.into_body());
                    return Ok(Reply::Missing);
                }
                200 => return found(response, &[kind], bounds).map(|found| Reply::Found(Box::new(found))),
                _ => return Err(refused(response)),
            }
        }
        Err(Trouble::new(Scope::Here, format!("the index redirects more than {REDIRECTS} times")))
    }

    /// Sends XML to `url`; the answer must be XML too. Redirects are not followed.
    pub(super) fn post_xml(&self, url: &str, xml: &str, bounds: Bounds) -> Result<Found, Trouble> {
        let response = self.send_again_if_cut(|| {
            let config = self.agent.post(url).config().timeout_global(Some(bounds.time));
            config.build().header("Content-Type", "text/xml").header("Accept", "text/xml").send(xml)
        })?;
        match response.status().as_u16() {
            200 => found(response, &["text/xml", "application/xml"], bounds),
            _ => Err(refused(response)),
        }
    }

    /// A connection that waited for this request may have been closed meanwhile, which shows only when it is used: a
    /// request whose connection ends without an answer is sent once more. All of them may be repeated.
    fn send_again_if_cut(
        &self,
        send: impl Fn() -> Result<Response<Body>, ureq::Error>,
    ) -> Result<Response<Body>, Trouble> {
        let cut = |error: &ureq::Error| {
            let kinds = [
                io::ErrorKind::ConnectionReset,
                io::ErrorKind::ConnectionAborted,
                io::ErrorKind::BrokenPipe,
                io::ErrorKind::UnexpectedEof,
                io::ErrorKind::NotConnected,
            ];
            matches!(error, ureq::Error::Io(error) if kinds.contains(&error.kind()))
        };
        let sent = match send() {
            Err(error) if cut(&error) => send(),
            sent => sent,
        };
        sent.map_err(|error| {
            let scope = match error {
                ureq::Error::BadUri(_) | ureq::Error::Http(_) | ureq::Error::LargeResponseHeader(..) => {
                    Scope::Here
                }
                ureq::Error::Protocol(_) => Scope::BrokenOff,
                _ => Scope::Everywhere,
            };
            Trouble::new(scope, format!("the index does not answer: {error}"))
        })
    }
}

/// Why a body broke off, or was too large.
pub(super) fn body_trouble(error: io::Error) -> Trouble {
    match ureq::Error::from(error) {
        ureq::Error::BodyExceedsLimit(limit) => {
            Trouble::new(Scope::Here, format!("the index answers with more than {limit} bytes"))
        }
        error @ ureq::Error::Timeout(_) => {
            Trouble::new(Scope::Everywhere, format!("the index answers too slowly: {error}"))
        }
        error => Trouble::new(Scope::BrokenOff, format!("the index's answer broke off: {error}")),
    }
}

fn found(response: Response<Body>, kinds: &[&str], bounds: Bounds) -> Result<Found, Trouble> {
    let headers = response.headers();
    let kind = header(headers, "content-type").unwrap_or_default();
    let media_type = kind.split(';').next().unwrap_or_default().trim();
    if !kinds.iter().any(|kind| *kind == ANY_KIND || media_type.eq_ignore_ascii_case(kind)) {
        return Err(Trouble::new(
            Scope::Here,
            format!("the index answers with {kind:?}, not with {}", kinds[0]),
        ));
    }
    let etag = header(headers, "etag").filter(|etag| is_etag(etag)).map(str::to_owned);
    let (serial, date) = (serial(headers), header(headers, "date").and_then(dates::http));
    let body = response.into_body().into_with_config().limit(bounds.bytes).reader();
    Ok(Found { etag, serial, date, body })
}

fn refused(response: Response<Body>) -> Trouble {
    let headers = response.headers();
    let trouble =
        Trouble::status(response.status().as_u16(), header(headers, "retry-after"), header(headers, "date"));
    drain(response.into_body());
    trouble
}

/// Reads a small body to its end, so that the connection can be used again; a large one costs a new connection.
fn drain(body: Body) {
    let _ = io::copy(&mut body.into_reader().take(DRAINED_BYTES), &mut io::sink());
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn serial(headers: &HeaderMap) -> Option<u64> {
    header(headers, "x-pypi-last-serial").and_then(json::serial)
}

/// Whether it may stand in a header (RFC 9110, 8.8.3).
fn is_etag(text: &str) -> bool {
    (1..=ETAG_BYTES).contains(&text.len()) && text.bytes().all(|b| matches!(b, b'!'..=b'~'))
}

/// Where a redirect leads, if that is the same index: scheme, host and port.
pub(super) fn next_url(from: &str, headers: &HeaderMap) -> Result<String, Trouble> {
    let to = header(headers, "location").unwrap_or_default();
    let elsewhere =
        || Trouble::new(Scope::Here, format!("the index redirects to {}, which is not followed", shown(to)));
    let base: Uri = from.parse().map_err(|_| elsewhere())?;
    let (scheme, authority) = (base.scheme_str().unwrap_or_default(), base.authority());
    let authority = authority.map(ToString::to_string).unwrap_or_default();
    let whole = if to.starts_with("//") {
        format!("{scheme}:{to}")
    } else if to.starts_with('/') {
        format!("{scheme}://{authority}{to}")
    } else {
        to.to_owned()
    };
    let target: Uri = whole.parse().map_err(|_| elsewhere())?;
    let path = target.path_and_query().map_or("/", |path| path.as_str());
    // the rest is the index's own, with the user it may name
    if place(&target).is_some_and(|target| Some(target) == place(&base)) {
        Ok(format!("{scheme}://{authority}{path}"))
    } else {
        Err(elsewhere())
    }
}

/// Where a file is that the page at `page` names: on the index, or elsewhere by HTTPS.
pub(super) fn file_url(page: &str, named: &str) -> Result<String, Trouble> {
    let refused =
        || Trouble::new(Scope::Here, format!("the index's page names {}, which is not asked", shown(named)));
    let base: Uri = page.parse().map_err(|_| refused())?;
    let (scheme, authority) = (base.scheme_str().unwrap_or_default(), base.authority());
    let authority = authority.map(ToString::to_string).unwrap_or_default();
    let named = named.split('#').next().unwrap_or_default();
    let whole = if named.starts_with("//") {
        format!("{scheme}:{named}")
    } else if named.contains("://") {
        named.to_owned()
    } else if named.starts_with('/') {
        format!("{scheme}://{authority}{named}")
    } else {
        let mut steps: Vec<&str> = base.path().trim_matches('/').split('/').collect();
        for step in named.split('/') {
            match step {
                "." => {}
                ".." => drop(steps.pop()),
                step => steps.push(step),
            }
        }
        format!("{scheme}://{authority}/{}", steps.join("/"))
    };
    let target: Uri = whole.parse().map_err(|_| refused())?;
    let path = target.path_and_query().map_or("/", |path| path.as_str());
    match place(&target) {
        // with the user that the index may name
        Some(target) if Some(&target) == place(&base).as_ref() => Ok(format!("{scheme}://{authority}{path}")),
        Some((scheme, ..)) if scheme == "https" => Ok(whole),
        _ => Err(refused()),
    }
}

/// Scheme, host and port.
fn place(uri: &Uri) -> Option<(String, String, u16)> {
    let scheme = uri.scheme_str()?.to_ascii_lowercase();
    let usual = if scheme == "https" { 443 } else { 80 };
    Some((scheme, uri.host()?.to_ascii_lowercase(), uri.port_u16().unwrap_or(usual)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redirect(from: &str, to: &str) -> Result<String, String> {
        let mut headers = HeaderMap::new();
        headers.insert("location", to.parse().unwrap());
        next_url(from, &headers).map_err(|trouble| trouble.reason)
    }

    #[test]
    fn redirects_within_the_index_are_followed_and_no_others() {
        let from = "https://user:word@index.example/simple/foo";
        for (to, expected) in [
            ("/simple/foo/", "https://user:word@index.example/simple/foo/"),
            ("https://INDEX.example:443/simple/foo/?x=1", "https://user:word@index.example/simple/foo/?x=1"),
            ("//index.example/x", "https://user:word@index.example/x"),
        ] {
            assert_eq!(redirect(from, to).as_deref(), Ok(expected), "{to}");
        }
        for to in [
            "http://index.example/simple/foo/",
            "https://index.example:8443/simple/foo/",
            "https://other.example/simple/foo/",
            "https://index.example.other.example/",
            "https://index.example@other.example/",
            "//other.example/",
            "https://index.example\\.other.example/",
            "file:///etc/passwd",
            "../foo/",
            "",
        ] {
            let refused = redirect(from, to);
            assert!(
                refused.as_ref().is_err_and(|reason| reason.contains("not followed")),
                "{to}: {refused:?}"
            );
        }
    }

    #[test]
    fn files_are_on_the_index_or_elsewhere_by_https() {
        let page = "http://user:word@index.example:8080/root/simple/foo/";
        for (named, expected) in [
            ("/files/a.whl#sha256=00", "http://user:word@index.example:8080/files/a.whl"),
            ("../../files/a.whl", "http://user:word@index.example:8080/root/files/a.whl"),
            ("a.whl", "http://user:word@index.example:8080/root/simple/foo/a.whl"),
            ("./../../../../../a.whl", "http://user:word@index.example:8080/a.whl"),
            ("http://INDEX.example:8080/a.whl", "http://user:word@index.example:8080/a.whl"),
            ("https://files.example/a.whl#x", "https://files.example/a.whl"),
        ] {
            assert_eq!(file_url(page, named).unwrap(), expected, "{named}");
        }
        assert_eq!(
            file_url("https://index.example/simple/foo/", "//files.example/a.whl").unwrap(),
            "https://files.example/a.whl"
        );
        for named in
            ["http://other.example/a.whl", "//other.example/a.whl", "file:///etc/passwd", "http://", "a b"]
        {
            let refused = file_url(page, named);
            assert!(refused.as_ref().is_err_and(|t| t.reason.contains("not asked")), "{named}: {refused:?}");
        }
    }

    #[test]
    fn only_what_may_stand_in_a_header_is_an_etag() {
        assert!(is_etag("\"abc\"") && is_etag("W/\"abc\""));
        for text in ["", "a b", "a\n", "é", &"x".repeat(257)] {
            assert!(!is_etag(text), "{text:?}");
        }
    }
}
