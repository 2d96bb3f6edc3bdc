//! Which format a log has: said by the operator, or found out from its first line that fits one. Pure.

use std::str::FromStr;

use super::access::Access;
use super::{json, text};

/// A format of access logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Apache's and nginx's combined format, and the common one, which is its beginning.
    Combined,
    /// The same with the server's name and port before it.
    VhostCombined,
    /// A JSON object a line.
    Json,
}

impl FromStr for Format {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "combined" | "common" => Ok(Self::Combined),
            "vhost_combined" => Ok(Self::VhostCombined),
            "json" => Ok(Self::Json),
            _ => Err("must be common, combined, vhost_combined or json"),
        }
    }
}

/// A reader of one log's lines.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lines {
    format: Option<Format>,
}

impl Lines {
    /// Of a log of this format; of one to be found out.
    pub(crate) fn of(format: Option<Format>) -> Self {
        Self { format }
    }

    /// What a line says; none where it is no line of the log's format. The first line that is one of a format decides
    /// which is the log's.
    pub(crate) fn parse<'a>(&mut self, line: &'a [u8]) -> Option<Access<'a>> {
        let format = self.format.unwrap_or_else(|| guess(line));
        let access = match format {
            Format::Combined => text::parse(line, false),
            Format::VhostCombined => text::parse(line, true),
            Format::Json => json::parse(line),
        }?;
        self.format = Some(format);
        Some(access)
    }
}

fn guess(line: &[u8]) -> Format {
    if line.starts_with(b"{") {
        Format::Json
    } else if text::has_vhost(line) {
        Format::VhostCombined
    } else {
        Format::Combined
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::logger::access::SimplePath;
    use crate::wire::import::Download;
    use proptest::prelude::*;

    const AGENT: &str = r#"pip/24.0 {"cpu":"armv7l","installer":{"name":"pip","version":"24.0"},"implementation":{"name":"CPython","version":"3.11.2"}}"#;
    const NAME: &str = "six-1.16.0-py2.py3-none-any.whl";
    const AT: i64 = 1_767_225_600;

    fn download(format: Option<Format>, line: &str) -> Option<Download> {
        Lines::of(format).parse(line.as_bytes())?.download(&SimplePath::standard())
    }

    fn apache() -> String {
        let agent = AGENT.replace('"', "\\\"");
        format!(
            r#"192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "GET /simple/six/{NAME} HTTP/1.1" 200 11053 "-" "{agent}""#
        )
    }

    fn nginx() -> String {
        let agent = AGENT.replace('"', "\\x22");
        format!(
            r#"2001:db8::7 - - [01/Jan/2026:01:00:00 +0100] "GET /simple/six/{NAME} HTTP/2.0" 200 11053 "-" "{agent}" "203.0.113.9""#
        )
    }

    fn nginx_json() -> String {
        let agent = AGENT.replace('"', "\\\"");
        format!(
            r#"{{"time_iso8601":"2026-01-01T00:00:00+00:00","remote_addr":"192.0.2.7","request":"GET /simple/six/{NAME} HTTP/1.1","status":"200","body_bytes_sent":"11053","http_referer":"","http_user_agent":"{agent}"}}"#
        )
    }

    fn caddy() -> String {
        let agent = AGENT.replace('"', "\\\"");
        format!(
            r#"{{"level":"info","ts":1767225600.5241024,"logger":"http.log.access.log0","msg":"handled request","request":{{"remote_ip":"10.0.0.1","remote_port":"41342","client_ip":"192.0.2.7","proto":"HTTP/2.0","method":"GET","host":"farm.example","uri":"/simple/six/{NAME}","headers":{{"User-Agent":["{agent}"],"Accept-Encoding":["identity"]}},"tls":{{"resumed":false,"version":772,"cipher_suite":4865,"proto":"h2","server_name":"farm.example"}}}},"bytes_read":0,"user_id":"","duration":0.000929675,"size":11053,"status":200,"resp_headers":{{"Server":["Caddy"],"Content-Type":["application/octet-stream"]}}}}"#
        )
    }

    #[test]
    fn the_same_download_is_read_from_every_format_without_being_told_which() {
        let vhost = format!("farm.example:443 {}", apache());
        let named = format!("farm.example {}", apache());
        for line in [apache(), nginx(), vhost, named, nginx_json(), caddy()] {
            let found = download(None, &line).unwrap_or_else(|| panic!("{line}"));
            assert_eq!((&*found.filename, found.at), (NAME, AT), "{line}");
            let client = [&*found.installer_name, &*found.py_version, &*found.arch];
            assert_eq!(client, ["pip", "3.11.2", "armv7l"], "{line}");
            let expected = if line.contains("2001:db8") { "2001:db8::7" } else { "192.0.2.7" };
            assert_eq!(found.address, crate::admin::logger::access::address(expected), "{line}");
        }
        let common = apache().split(" \"-\"").next().unwrap().to_owned();
        let found = download(None, &common).unwrap();
        assert_eq!((&*found.filename, &*found.installer_name), (NAME, ""));
    }

    #[test]
    fn hosts_users_and_requests_may_be_odd() {
        let line = |who: &str, request: &str| {
            format!(r#"{who} [01/Jan/2026:00:00:00 +0000] "{request}" 200 - "a \"b\"" "c""#)
        };
        let request = format!("GET /simple/six/{NAME} HTTP/1.1");
        for (who, address) in [
            ("192.0.2.7 - frank", true),
            ("192.0.2.7 - Frank von T", true),
            ("host.example - -", false),
            ("unix: - -", false),
            ("farm.example:80 192.0.2.7 - -", true),
            ("farm.example:80 host.example - -", false),
            ("::ffff:192.0.2.7 - a b", true),
        ] {
            let found = download(None, &line(who, &request)).unwrap_or_else(|| panic!("{who}"));
            assert_eq!(found.address.is_some(), address, "{who}");
        }
        for request in ["-", "", r"\x16\x03\x01", r#"GET /\"] \"GET x"#, "GET / HTTP/1.1"] {
            let line = line("192.0.2.7 - -", request);
            let mut lines = Lines::of(None);
            let access = lines.parse(line.as_bytes()).unwrap_or_else(|| panic!("sound: {line}"));
            assert!(access.download(&SimplePath::standard()).is_none(), "{line}");
        }
    }

    #[test]
    fn json_keys_may_be_of_many_names_and_kinds() {
        let target = format!("/simple/six/{NAME}");
        for line in [
            serde_json::json!({"time_local": "01/Jan/2026:00:00:00 +0000", "request_method": "GET", "request_uri": target, "status": 200}),
            serde_json::json!({"msec": "1767225600.123", "method": "GET", "uri": target, "status": "200", "user_agent": "-"}),
            serde_json::json!({"@timestamp": AT * 1000, "request": format!("GET {target} HTTP/1.1"), "response_code": 200}),
            serde_json::json!({"timestamp": "2026-01-01T00:00:00Z", "method": "GET", "path": target, "status": 206, "http_range": "bytes=0-99"}),
            serde_json::json!({"ts": AT, "status": 206, "resp_headers": {"Content-Range": ["bytes 0-9/11053"]},
                "request": {"method": "GET", "uri": target, "remote_ip": "192.0.2.7", "headers": {}}}),
        ] {
            let found = download(None, &line.to_string()).unwrap_or_else(|| panic!("{line}"));
            assert_eq!((&*found.filename, found.at), (NAME, AT), "{line}");
        }
        let resumed = serde_json::json!({"ts": AT, "status": 206,
            "request": {"method": "GET", "uri": target, "headers": {"Range": ["bytes=5000-"]}}});
        assert!(download(None, &resumed.to_string()).is_none());
        let mut latin = nginx_json().into_bytes();
        let at = latin.windows(3).position(|w| w == b"pip").unwrap();
        latin.splice(at..at, [0xe9]);
        assert!(Lines::of(None).parse(&latin).is_some(), "nginx leaves bytes as they came");
    }

    #[test]
    fn what_is_no_line_of_a_log_is_told_from_what_is_no_download() {
        let nested = format!("{{\"a\":{}1{}}}", "[".repeat(200), "]".repeat(200));
        for line in [
            "hello",
            "{}",
            "{",
            "[]",
            "null",
            r#"{"ts":1,"status":200}"#,
            r#"{"ts":{},"status":200,"request":"GET / HTTP/1.1"}"#,
            r#"{"ts":1,"status":99999,"request":"GET / HTTP/1.1"}"#,
            r#"{"ts":1,"status":[],"request":"GET / HTTP/1.1"}"#,
            r#"{"ts":1,"status":200,"request":7}"#,
            r#"{"level":"info","ts":1767225600.5,"logger":"tls","msg":"cleaning storage unit"}"#,
            &nested,
            r#"192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "GET / HTTP/1.1" 200"#,
            r#"192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "GET / HTTP/1.1" 2000 -"#,
            r#"192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "GET / HTTP/1.1" abc -"#,
            r#"192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 x"#,
            r#"192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 - "-" "cut off"#,
            r#"192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "GET / HTTP/1.1"#,
            r#"192.0.2.7 - - [yesterday] "GET / HTTP/1.1" 200 -"#,
            r#"192.0.2.7 [01/Jan/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 -"#,
            "192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] \"\\",
        ] {
            assert!(Lines::of(None).parse(line.as_bytes()).is_none(), "{line}");
        }
    }

    #[test]
    fn a_logs_first_sound_line_decides_its_format() {
        let mut lines = Lines::of(None);
        for (line, sound) in [
            ("garbage".to_owned(), false),
            ("{not json".to_owned(), false),
            (apache(), true),
            (caddy(), false),
            (nginx(), true),
        ] {
            assert_eq!(lines.parse(line.as_bytes()).is_some(), sound, "{line}");
        }
        assert!(download(Some(Format::Json), &apache()).is_none());
        assert!(download(Some(Format::VhostCombined), &caddy()).is_none());
        for (name, format) in [
            ("combined", Format::Combined),
            ("common", Format::Combined),
            ("vhost_combined", Format::VhostCombined),
            ("json", Format::Json),
        ] {
            assert_eq!(name.parse(), Ok(format));
        }
        assert!("xml".parse::<Format>().is_err());
    }

    proptest! {
        #[test]
        fn no_line_panics_in_any_format(line in proptest::collection::vec(any::<u8>(), 0..200)) {
            for format in [None, Some(Format::Combined), Some(Format::VhostCombined), Some(Format::Json)] {
                if let Some(access) = Lines::of(format).parse(&line) {
                    access.download(&SimplePath::standard());
                }
            }
        }

        #[test]
        fn no_line_that_was_cut_or_changed_panics(which in 0usize..4, at in 0usize..600, byte in any::<u8>()) {
            let mut line = [apache(), nginx(), nginx_json(), caddy()][which].clone().into_bytes();
            for format in [None, Some(Format::Combined), Some(Format::VhostCombined), Some(Format::Json)] {
                let at = at % line.len();
                Lines::of(format).parse(&line[..at]);
                line[at] = byte;
                if let Some(access) = Lines::of(format).parse(&line) {
                    access.download(&SimplePath::standard());
                }
            }
        }
    }
}
