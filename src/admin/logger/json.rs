//! Lines of JSON: Caddy's access log, and what nginx writes with `log_format … escape=json`, where the operator has
//! chosen the names. Of each value, several usual names are known, nginx's own variables among them. Pure.

use serde_json::{Map, Value};

use super::access::{Access, Said, address, split_request};
use super::moment;

const TIMES: [&str; 9] =
    ["ts", "time_iso8601", "time_local", "msec", "time", "timestamp", "@timestamp", "datetime", "date"];
const ADDRESSES: [&str; 5] = ["client_ip", "remote_ip", "remote_addr", "client", "ip"];
const METHODS: [&str; 2] = ["method", "request_method"];
const TARGETS: [&str; 5] = ["uri", "request_uri", "path", "url", "target"];
const STATUSES: [&str; 2] = ["status", "response_code"];
const AGENTS: [&str; 4] = ["http_user_agent", "user_agent", "agent", "useragent"];
const RANGES: [&str; 4] = ["http_range", "range", "sent_http_content_range", "content_range"];

/// None where the line is no object, or has no time, no status or no request.
pub(crate) fn parse(line: &[u8]) -> Option<Access<'_>> {
    // nginx leaves bytes as they came; JSON must be UTF-8. Nesting deeper than serde_json takes (128) is no server's.
    let Value::Object(line) = serde_json::from_str(&String::from_utf8_lossy(line)).ok()? else { return None };
    let at = match find(&line, &TIMES)? {
        Value::Number(number) => moment::from_number(number.as_f64()?)?,
        Value::String(text) => moment::parse(text)?,
        _ => return None,
    };
    let status = match find(&line, &STATUSES)? {
        Value::Number(number) => u16::try_from(number.as_u64()?).ok()?,
        Value::String(text) => text.parse().ok()?,
        _ => return None,
    };
    // Caddy's request is an object, nginx's variable of this name the first line
    let (request, first_line) = match line.get("request") {
        Some(Value::Object(request)) => (request, None),
        Some(Value::String(text)) => (&line, Some(text.as_str())),
        _ => (&line, None),
    };
    let (method, target) = match first_line {
        Some(text) => split_request(text.as_bytes()),
        None => (text(request, &METHODS)?.as_bytes(), text(request, &TARGETS)?.as_bytes()),
    };
    let agent = header(request, "headers", "User-Agent").or_else(|| text(&line, &AGENTS));
    let range =
        header(request, "headers", "Range").or_else(|| header(&line, "resp_headers", "Content-Range"));
    Some(Access {
        at,
        address: text(request, &ADDRESSES).and_then(address),
        method: method.to_vec().into(),
        target: target.to_vec().into(),
        status,
        range: range.or_else(|| text(&line, &RANGES)).map(str::to_owned),
        agent: Said::Plain(agent.unwrap_or_default().to_owned()),
    })
}

fn find<'v>(line: &'v Map<String, Value>, names: &[&str]) -> Option<&'v Value> {
    names.iter().find_map(|name| line.get(*name))
}

/// The first of these that is there and is a text that says something.
fn text<'v>(line: &'v Map<String, Value>, names: &[&str]) -> Option<&'v str> {
    names.iter().filter_map(|name| line.get(*name)?.as_str()).find(|text| !text.is_empty() && *text != "-")
}

/// A header of Caddy's, which has a list of values for each.
fn header<'v>(line: &'v Map<String, Value>, kind: &str, name: &str) -> Option<&'v str> {
    line.get(kind)?.get(name)?.get(0)?.as_str()
}
