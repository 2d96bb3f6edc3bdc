//! As much of HTTP/1.1 (RFC 9112) as a scraper needs: one request without a body, one answer, the end. Bytes in, bytes
//! out.

use bytes::Bytes;

use super::sheet::Format;
use crate::master::limits::METRICS_REQUEST_BYTES;

/// What a scraper asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// `GET` or `HEAD` of `/metrics`.
    Metrics {
        /// In which format.
        format: Format,
        /// Without the text itself.
        head: bool,
    },
    /// Another path.
    Missing {
        /// Without the text itself.
        head: bool,
    },
    /// Another method.
    NotAllowed,
}

/// What the bytes so far are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// The beginning of a request.
    More,
    /// A request; what follows it is not looked at.
    Whole(Request),
    /// None, and why, for people.
    Rubbish(&'static str),
}

/// Reads a request from the beginning of a connection.
pub fn read(bytes: &[u8]) -> Read {
    let printable = |byte: &u8| matches!(byte, b'\t' | b'\r' | b'\n' | b' '..=b'~' | 0x80..);
    let (head, whole) = match end_of_head(bytes) {
        Some(end) => (&bytes[..=end], true),
        None => (bytes, false),
    };
    // what speaks TLS or another protocol is known by its first bytes, and not only when its time is up
    if !head.iter().all(printable) || !head.first().is_none_or(u8::is_ascii_uppercase) {
        return Read::Rubbish("it does not speak HTTP");
    }
    if head.len() > METRICS_REQUEST_BYTES {
        return Read::Rubbish("its request is too long");
    }
    if !whole {
        return Read::More;
    }
    let Ok(text) = std::str::from_utf8(head) else { return Read::Rubbish("its request is not UTF-8") };
    request(text).map_or_else(Read::Rubbish, Read::Whole)
}

/// Where the header's last line ends; ends of lines without CR are let pass (RFC 9112, 2.2).
fn end_of_head(bytes: &[u8]) -> Option<usize> {
    bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at).find(|at| {
        let rest = &bytes[at + 1..];
        rest.starts_with(b"\n") || rest.starts_with(b"\r\n")
    })
}

fn request(text: &str) -> Result<Request, &'static str> {
    let mut lines = text.lines();
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err("its first line is not 'METHOD PATH HTTP/1.1'");
    };
    let is_token = |word: &str| {
        !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    };
    if !is_token(method) || !matches!(version, "HTTP/1.1" | "HTTP/1.0") {
        return Err("its first line is not 'METHOD PATH HTTP/1.1'");
    }
    let mut accept = String::new();
    for line in lines {
        let (name, value) = line.split_once(':').ok_or("a line of its header has no colon")?;
        if !is_token(name) {
            return Err("a line of its header has no sound name");
        }
        if name.eq_ignore_ascii_case("accept") {
            accept.push_str(value);
            accept.push(',');
        }
    }
    let head = method == "HEAD";
    if !head && method != "GET" {
        return Ok(Request::NotAllowed);
    }
    Ok(match path(target) {
        Some("/metrics") => Request::Metrics { format: wanted(&accept), head },
        Some(_) => Request::Missing { head },
        None => return Err("its path does not begin with '/'"),
    })
}

/// The path of a request's target, which a proxy may send with scheme and host.
fn path(target: &str) -> Option<&str> {
    let path = match target.split_once("://") {
        Some(("http", rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
        _ => target,
    };
    path.starts_with('/').then(|| path.split(['?', '#']).next().unwrap_or_default())
}

/// The format that an Accept header prefers: ours, unless OpenMetrics 1.0 is wanted at least as much.
fn wanted(accept: &str) -> Format {
    let (mut open, mut own) = (0.0, 0.0);
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
        let (mut quality, mut version) = (1.0_f32, None);
        for part in parts {
            match part.split_once('=') {
                Some(("q", value)) => quality = value.trim().parse().unwrap_or(0.0),
                Some(("version", value)) => version = Some(value.trim_matches('"')),
                _ => {}
            }
        }
        match kind.as_str() {
            "application/openmetrics-text" if version.is_none_or(|version| version == "1.0.0") => {
                open = quality.max(open);
            }
            "text/plain" | "text/*" | "*/*" => own = quality.max(own),
            _ => {}
        }
    }
    if open > 0.0 && open >= own { Format::OpenMetrics } else { Format::Prometheus }
}

/// An answer: its status, its header, and its text unless none is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// 200, 404 or 405.
    pub status: u16,
    /// The bytes before the text.
    pub head: Bytes,
    /// The text.
    pub body: Bytes,
}

/// Answers a request; `metrics` is the text in the format that it asks for, and empty where it asks for none.
pub fn answer(request: Request, metrics: &Bytes) -> Answer {
    let (status, reason, kind, body, head) = match request {
        Request::Metrics { format, head } => (200, "OK", format.media_type(), metrics.clone(), head),
        Request::Missing { head } => {
            let body = Bytes::from_static(b"There is nothing but /metrics here.\n");
            (404, "Not Found", "text/plain; charset=utf-8", body, head)
        }
        Request::NotAllowed => {
            let body = Bytes::from_static(b"Only GET and HEAD are answered here.\n");
            (405, "Method Not Allowed\r\nAllow: GET, HEAD", "text/plain; charset=utf-8", body, false)
        }
    };
    let lines = format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
         X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n",
        body.len()
    );
    Answer { status, head: lines.into(), body: if head { Bytes::new() } else { body } }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(format: Format) -> Read {
        Read::Whole(Request::Metrics { format, head: false })
    }

    #[test]
    fn a_request_is_known_when_its_header_ends_however_it_comes() {
        let whole = b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Odd: a:b\r\n\r\nand more";
        for end in 0..whole.len() - b"\nand more".len() {
            assert_eq!(read(&whole[..end]), Read::More, "{end}");
        }
        assert_eq!(read(whole), get(Format::Prometheus));
        assert_eq!(read(b"GET /metrics HTTP/1.0\n\n"), get(Format::Prometheus));
        assert_eq!(read(b"GET /metrics?x=/y HTTP/1.1\r\n\r\n"), get(Format::Prometheus));
        assert_eq!(read(b"GET http://farm:80/metrics HTTP/1.1\r\n\r\n"), get(Format::Prometheus));
    }

    #[test]
    fn paths_and_methods() {
        let asked = |line: &str| read(format!("{line} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
        let head = Request::Metrics { format: Format::Prometheus, head: true };
        assert_eq!(asked("HEAD /metrics"), Read::Whole(head));
        for path in ["/", "/metrics/", "/metricss", "//metrics", "/%6detrics", "http://metrics"] {
            assert_eq!(
                asked(&format!("GET {path}")),
                Read::Whole(Request::Missing { head: false }),
                "{path}"
            );
        }
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "GETS"] {
            assert_eq!(asked(&format!("{method} /metrics")), Read::Whole(Request::NotAllowed), "{method}");
        }
    }

    #[test]
    fn what_is_no_request_is_rubbish_as_soon_as_that_shows() {
        let long = format!("GET /{} HTTP/1.1\r\n", "x".repeat(METRICS_REQUEST_BYTES));
        for bytes in [
            &b"\x16\x03\x01\x02\x00"[..],
            b"PIWH\x00\x02",
            b"get /metrics HTTP/1.1\r\n\r\n",
            b"GET /metrics\r\n\r\n",
            b"GET /metrics HTTP/2.0\r\n\r\n",
            b"GET /metrics HTTP/1.1 x\r\n\r\n",
            b"GET metrics HTTP/1.1\r\n\r\n",
            b"GET /metrics HTTP/1.1\r\nno colon\r\n\r\n",
            b"GET /metrics HTTP/1.1\r\n folded: x\r\n\r\n",
            b"GET /metrics HTTP/1.1\r\nX: \xff\r\n\r\n",
            b"\r\n\r\n",
            long.as_bytes(),
        ] {
            assert!(matches!(read(bytes), Read::Rubbish(_)), "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn open_metrics_for_those_who_prefer_it() {
        let asked =
            |accept: &str| match read(format!("GET /metrics HTTP/1.1\r\naccept:{accept}\r\n\r\n").as_bytes())
            {
                Read::Whole(Request::Metrics { format, .. }) => format,
                other => panic!("{other:?}"),
            };
        let prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                          text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        for open in [
            prometheus,
            " application/openmetrics-text",
            "Application/OpenMetrics-Text; version=\"1.0.0\", */*",
        ] {
            assert_eq!(asked(open), Format::OpenMetrics, "{open}");
        }
        for own in [
            "",
            "*/*",
            "text/plain",
            "text/html",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;version=0.0.1",
            "application/openmetrics-text;q=0.1,text/plain",
            "application/openmetrics-text;q=x,;;=,",
        ] {
            assert_eq!(asked(own), Format::Prometheus, "{own}");
        }
    }

    #[test]
    fn answers_are_whole_and_the_last_of_their_connection() {
        let text = Bytes::from_static(b"x 1\n");
        let metrics = |head| Request::Metrics { format: Format::OpenMetrics, head };
        let whole = answer(metrics(false), &text);
        let head = String::from_utf8(whole.head.to_vec()).unwrap();
        assert!(
            head.starts_with("HTTP/1.1 200 OK\r\nContent-Type: application/openmetrics-text; version=1.0.0")
        );
        assert!(
            head.contains("\r\nContent-Length: 4\r\n") && head.ends_with("\r\nConnection: close\r\n\r\n")
        );
        let short = answer(metrics(true), &text);
        assert_eq!(
            (short.head, short.body.len(), whole.body),
            (whole.head, 0, text),
            "HEAD has the same header"
        );
        let refused = answer(Request::NotAllowed, &Bytes::new());
        assert!(refused.head.starts_with(b"HTTP/1.1 405 Method Not Allowed\r\nAllow: GET, HEAD\r\n"));
        assert_eq!(answer(Request::Missing { head: false }, &Bytes::new()).status, 404);
    }
}
