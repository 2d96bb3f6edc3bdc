//! One request as a web server's log tells of it, whatever the log's format, and the rule which requests are downloads.
//!
//! In: what a reader of a format took out of a line, all of it a stranger's word. Out: the record of a download, its
//! fields within their bounds. Pure.

use std::borrow::Cow;
use std::fmt;

use super::agent;
use crate::domain::{ProjectName, WheelName};
use crate::wire::Text;
use crate::wire::import::Download;

/// What a line says.
#[derive(Debug)]
pub(crate) struct Access<'a> {
    /// When: seconds since 1970.
    pub(crate) at: i64,
    /// From where, if that is an address: IPv6, or IPv4 mapped into it.
    pub(crate) address: Option<[u8; 16]>,
    /// The method and the target of the request's first line; empty when that was none.
    pub(crate) method: Cow<'a, [u8]>,
    /// A path with a query, or a URL.
    pub(crate) target: Cow<'a, [u8]>,
    /// Of the answer.
    pub(crate) status: u16,
    /// `Range` of the request or `Content-Range` of the answer, where the log has it.
    pub(crate) range: Option<String>,
    /// `User-Agent` of the request; empty when there was none.
    pub(crate) agent: Said<'a>,
}

/// A text of the client's. Most are not looked at, so what the log escaped stays so until it is.
#[derive(Debug)]
pub(crate) enum Said<'a> {
    /// As it stands in the log.
    Escaped(&'a [u8]),
    /// As the client said it.
    Plain(String),
}

impl Said<'_> {
    fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Plain(text) => Cow::Borrowed(text),
            Self::Escaped(bytes) => match unescape(bytes) {
                Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
                Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
            },
        }
    }
}

/// Where the farm's index is below the web server's root: `/simple`, unless it is served from elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimplePath(Vec<Vec<u8>>);

impl SimplePath {
    /// The path `/simple`.
    pub fn standard() -> Self {
        Self(vec![b"simple".to_vec()])
    }
}

impl std::str::FromStr for SimplePath {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if !text.starts_with('/') || text.contains(['?', '#', '%']) {
            return Err("must be a path that begins with '/', such as /simple");
        }
        Ok(Self(segments(text.as_bytes()).map(<[u8]>::to_vec).collect()))
    }
}

impl fmt::Display for SimplePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|segment| write!(f, "/{}", String::from_utf8_lossy(segment)))
    }
}

impl Access<'_> {
    /// The download that this request was, if it was one: a GET of a wheel in a project's directory of the index,
    /// answered with the whole file (200), or with a piece of it (206) that the log shows to begin at the file's
    /// beginning and to be more than a byte. So a file that is fetched in pieces, or whose transfer is resumed, counts
    /// once, and reading a wheel's directory from its end does not.
    pub(crate) fn download(&self, simple: &SimplePath) -> Option<Download> {
        let whole = match self.status {
            200 => true,
            206 => self.range.as_deref().is_some_and(from_the_beginning),
            _ => false,
        };
        if &*self.method != b"GET" || !whole {
            return None;
        }
        let path = path(&self.target);
        let mut rest = segments(&path);
        for expected in &simple.0 {
            (rest.next()? == expected).then_some(())?;
        }
        let (project, filename) = (rest.next()?, rest.next()?);
        if rest.next().is_some() {
            return None;
        }
        ProjectName::parse(std::str::from_utf8(project).ok()?).ok()?;
        let wheel = WheelName::parse(std::str::from_utf8(filename).ok()?).ok()?;
        let client = agent::describe(&self.agent.text());
        Some(Download {
            filename: Text::new(wheel.as_str()).ok()?,
            at: self.at,
            address: self.address,
            arch: client.arch,
            distro_name: client.distro_name,
            distro_version: client.distro_version,
            os_name: client.os_name,
            os_version: client.os_version,
            py_name: client.py_name,
            py_version: client.py_version,
            installer_name: client.installer_name,
            installer_version: client.installer_version,
            setuptools_version: client.setuptools_version,
        })
    }
}

/// Method and target of a request's first line; the target may have spaces in it, the method and `HTTP/…` have none.
pub(crate) fn split_request(line: &[u8]) -> (&[u8], &[u8]) {
    let Some(space) = line.iter().position(|&b| b == b' ') else { return (b"", b"") };
    let (method, rest) = (&line[..space], &line[space + 1..]);
    match rest.iter().rposition(|&b| b == b' ') {
        Some(last) if rest[last + 1..].starts_with(b"HTTP/") => (method, &rest[..last]),
        _ => (method, rest),
    }
}

/// The address in the form of the wire.
pub(crate) fn address(text: &str) -> Option<[u8; 16]> {
    // an address is a number: nothing here connects anywhere
    match text.parse::<core::net::IpAddr>().ok()? {
        core::net::IpAddr::V4(address) => Some(address.to_ipv6_mapped().octets()),
        core::net::IpAddr::V6(address) => Some(address.octets()),
    }
}

/// Undoes what web servers do to bytes that would break their lines: `\"`, `\\`, `\n` and the like, and `\xHH`. What is
/// none of these stays as it is.
pub(crate) fn unescape(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'\\') {
        return Cow::Borrowed(text);
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [byte, tail @ ..] = rest {
        rest = tail;
        if *byte != b'\\' {
            plain.push(*byte);
            continue;
        }
        let [escape, after @ ..] = rest else {
            plain.push(b'\\');
            break;
        };
        let (byte, after) = match escape {
            b'"' | b'\\' | b'/' => (Some(*escape), after),
            b'n' => (Some(b'\n'), after),
            b't' => (Some(b'\t'), after),
            b'r' => (Some(b'\r'), after),
            b'b' | b'f' | b'v' => (Some(b' '), after),
            b'x' => (after.get(..2).and_then(hex), after.get(2..).unwrap_or_default()),
            _ => (None, after),
        };
        match byte {
            Some(byte) => {
                plain.push(byte);
                rest = after;
            }
            None => plain.push(b'\\'),
        }
    }
    Cow::Owned(plain)
}

/// Whether `Range` or `Content-Range` says: from byte 0, and more than that byte.
fn from_the_beginning(range: &str) -> bool {
    let Some(rest) = range.trim_start().strip_prefix("bytes") else { return false };
    let Some(end) = rest.trim_start_matches(['=', ' ']).strip_prefix("0-") else { return false };
    let digits = end.bytes().take_while(u8::is_ascii_digit).count();
    digits == 0 || end[..digits].bytes().any(|digit| digit != b'0')
}

/// The path of a request's target, decoded: without query, and without scheme and host where the target has them.
fn path(target: &[u8]) -> Cow<'_, [u8]> {
    let end = target.iter().position(|b| matches!(b, b'?' | b'#')).unwrap_or(target.len());
    let mut path = &target[..end];
    if let Some(at) = path.windows(3).position(|w| w == b"://")
        && !path.starts_with(b"/")
    {
        let rest = &path[at + 3..];
        path = &rest[rest.iter().position(|&b| b == b'/').unwrap_or(rest.len())..];
    }
    if !path.contains(&b'%') {
        return Cow::Borrowed(path);
    }
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path;
    while let [byte, tail @ ..] = rest {
        let pair = if *byte == b'%' { tail.get(..2).and_then(hex) } else { None };
        decoded.push(pair.unwrap_or(*byte));
        rest = if pair.is_some() { &tail[2..] } else { tail };
    }
    Cow::Owned(decoded)
}

/// The parts of a path; web servers take several slashes for one.
fn segments(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|&b| b == b'/').filter(|segment| !segment.is_empty())
}

fn hex(pair: &[u8]) -> Option<u8> {
    let digit = |b: u8| char::from(b).to_digit(16);
    let (high, low) = (digit(*pair.first()?)?, digit(*pair.get(1)?)?);
    u8::try_from(high * 16 + low).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WHEEL: &str = "/simple/six/six-1.16.0-py2.py3-none-any.whl";

    fn access(method: &str, target: &str, status: u16, range: Option<&str>) -> Option<String> {
        access_below("/simple", method, target, status, range)
    }

    fn access_below(
        simple: &str,
        method: &str,
        target: &str,
        status: u16,
        range: Option<&str>,
    ) -> Option<String> {
        let access = Access {
            at: 1,
            address: None,
            method: Cow::Borrowed(method.as_bytes()),
            target: Cow::Borrowed(target.as_bytes()),
            status,
            range: range.map(str::to_owned),
            agent: Said::Escaped(b"-"),
        };
        access.download(&simple.parse().unwrap()).map(|download| download.filename.to_string())
    }

    #[test]
    fn a_whole_wheel_of_the_index_is_a_download() {
        for target in [
            WHEEL,
            "/simple/six/six-1.16.0-py2.py3-none-any.whl?x=1",
            "/simple/six/six-1.16.0-py2.py3-none-any.whl#sha256=00",
            "//simple//six/six-1.16.0-py2.py3-none-any.whl",
            "/simple/s%69x/six-1.16.0-py2.py3-none-any%2Ewhl",
            "http://farm.example/simple/six/six-1.16.0-py2.py3-none-any.whl",
            "https://farm.example:443/simple/six/six-1.16.0-py2.py3-none-any.whl?from=http://x/",
        ] {
            let name = access("GET", target, 200, None);
            assert_eq!(name.as_deref(), Some("six-1.16.0-py2.py3-none-any.whl"), "{target}");
        }
        let local = access("GET", "/simple/torch/torch-2.1.0%2Bcpu-cp311-cp311-linux_armv7l.whl", 200, None);
        assert_eq!(local.as_deref(), Some("torch-2.1.0+cpu-cp311-cp311-linux_armv7l.whl"));
    }

    #[test]
    fn other_requests_are_none() {
        for (method, target, status) in [
            ("HEAD", WHEEL, 200),
            ("POST", WHEEL, 200),
            ("get", WHEEL, 200),
            ("", "", 400),
            ("GET", WHEEL, 304),
            ("GET", WHEEL, 404),
            ("GET", WHEEL, 206),
            ("GET", "/simple/six/", 200),
            ("GET", "/simple/six/six-1.16.0-py2.py3-none-any.whl.metadata", 200),
            ("GET", "/simple/six/six-1.16.0.tar.gz", 200),
            ("GET", "/simple/six-1.16.0-py2.py3-none-any.whl", 200),
            ("GET", "/simple/six/old/six-1.16.0-py2.py3-none-any.whl", 200),
            ("GET", "/other/six/six-1.16.0-py2.py3-none-any.whl", 200),
            ("GET", "/logs/six/?f=/simple/six/six-1.16.0-py2.py3-none-any.whl", 200),
            ("GET", "/simple/../simple/six/six-1.16.0-py2.py3-none-any.whl", 200),
            ("GET", "/simple/six/..%2F..%2Fetc/six-1.16.0-py2.py3-none-any.whl", 200),
            ("GET", "/simple/six/six-1.16.0-py2.py3-none-any%00.whl", 200),
            ("GET", "/simple/six/.whl", 200),
            ("GET", "/simple/%/%zz%", 200),
            ("GET", "/simple/-/six-1.16.0-py2.py3-none-any.whl", 200),
        ] {
            assert_eq!(access(method, target, status, None), None, "{method} {target} {status}");
        }
    }

    #[test]
    fn of_a_file_in_pieces_the_first_counts() {
        for (range, counts) in [
            ("bytes=0-", true),
            ("bytes=0-1023", true),
            ("bytes 0-1023/4096", true),
            (" bytes=0-10,20-30", true),
            ("bytes=0-0", false),
            ("bytes 0-0/4096", false),
            ("bytes=1-", false),
            ("bytes=00-", false),
            ("bytes=-500", false),
            ("bytes 1024-4095/4096", false),
            ("-", false),
            ("", false),
            ("items=0-", false),
        ] {
            assert_eq!(access("GET", WHEEL, 206, Some(range)).is_some(), counts, "{range}");
        }
        assert!(access("GET", WHEEL, 200, Some("bytes=1-")).is_some(), "the server sent it whole");
        assert!(access("GET", WHEEL, 416, Some("bytes=0-")).is_none());
    }

    #[test]
    fn the_index_may_be_served_from_elsewhere() {
        let below = "/wheels/simple/six/six-1.16.0-py2.py3-none-any.whl";
        assert!(access_below("/wheels/simple", "GET", below, 200, None).is_some());
        assert!(access_below("/wheels/simple/", "GET", below, 200, None).is_some());
        assert!(access_below("/wheels", "GET", below, 200, None).is_none());
        assert!(access_below("/", "GET", "/six/six-1.16.0-py2.py3-none-any.whl", 200, None).is_some());
        assert_eq!("/a//b/".parse::<SimplePath>().unwrap().to_string(), "/a/b");
        for bad in ["", "simple", "/a?b", "/a%20b", "http://x/simple"] {
            assert!(bad.parse::<SimplePath>().is_err(), "{bad}");
        }
    }

    #[test]
    fn escapes_of_apache_and_of_nginx_are_undone() {
        for (escaped, plain) in [
            (r#"pip/24.0 {\"ci\":null}"#, r#"pip/24.0 {"ci":null}"#),
            (r"pip/24.0 {\x22ci\x22:null}", r#"pip/24.0 {"ci":null}"#),
            (r"a\\b", r"a\b"),
            (r"a\tb\nc", "a\tb\nc"),
            (r"\xC3\xA9", "é"),
            (r"\q\x4\xzz\", r"\q\x4\xzz\"),
        ] {
            assert_eq!(Said::Escaped(escaped.as_bytes()).text(), plain, "{escaped}");
        }
        assert_eq!(Said::Escaped(b"\\xff\xfe").text(), "\u{fffd}\u{fffd}");
    }

    #[test]
    fn a_request_is_split_whatever_is_in_it() {
        let split = |line: &str| {
            let (method, target) = split_request(line.as_bytes());
            format!("{}|{}", String::from_utf8_lossy(method), String::from_utf8_lossy(target))
        };
        assert_eq!(split("GET /a HTTP/1.1"), "GET|/a");
        assert_eq!(split("GET /a b HTTP/2.0"), "GET|/a b");
        assert_eq!(split("GET /a"), "GET|/a");
        assert_eq!(split("-"), "|");
        assert_eq!(split(""), "|");
        assert_eq!(split("GET  HTTP/1.1"), "GET|");
        assert_eq!(split("GET HTTP/1.1"), "GET|HTTP/1.1");
    }

    #[test]
    fn addresses_of_both_kinds_have_one_form() {
        assert_eq!(address("192.0.2.7"), address("::ffff:192.0.2.7"));
        assert!(address("2001:db8::1").is_some());
        for none in ["", "-", "host.example", "192.0.2.7:80", "unix:", "fe80::1%eth0", "1.2.3"] {
            assert_eq!(address(none), None, "{none}");
        }
    }

    proptest! {
        #[test]
        fn no_target_range_or_agent_panics(
            target in proptest::collection::vec(any::<u8>(), 0..80),
            escaped in proptest::collection::vec(any::<u8>(), 0..80),
            range in "\\PC{0,20}|bytes[ =][0-9-]{0,8}",
        ) {
            let access = Access {
                at: 0,
                address: None,
                method: Cow::Borrowed(b"GET"),
                target: Cow::Borrowed(&target),
                status: 206,
                range: Some(range),
                agent: Said::Escaped(&escaped),
            };
            access.download(&SimplePath::standard());
            access.agent.text();
            split_request(&target);
        }
    }
}
