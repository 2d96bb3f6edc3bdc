//! Lines of Apache's and nginx's own formats: common and combined, and vhost_combined with the server's name before
//! them. What stands behind the user agent, such as nginx's `"$http_x_forwarded_for"`, is passed over. Pure.

use super::access::{Access, Said, address, split_request, unescape};
use super::moment;

/// `HOST IDENT USER [TIME] "REQUEST" STATUS BYTES` and, if the log has them, `"REFERER" "USER-AGENT"`; with `vhost`,
/// `SERVER:PORT` before the host. None where the line is something else.
pub(crate) fn parse(line: &[u8], vhost: bool) -> Option<Access<'_>> {
    let (who, rest) = split_once(line, b" [")?;
    let mut who = who.split(|&b| b == b' ').skip(usize::from(vhost));
    // host, identity and user; a user's name may have spaces
    let (host, _, _) = (who.next()?, who.next()?, who.next()?);
    let (time, rest) = split_once(rest, b"] \"")?;
    let at = moment::parse(std::str::from_utf8(time).ok()?)?;
    let (request, rest) = quoted(rest)?;
    let (status, rest) = word(rest.strip_prefix(b" ")?);
    let status = std::str::from_utf8(status).ok().filter(|s| s.len() == 3)?.parse().ok()?;
    let (bytes, rest) = word(rest);
    if !(bytes == b"-" || !bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit)) {
        return None;
    }
    let agent = match rest.strip_prefix(b"\"") {
        None => &b""[..],
        Some(rest) => {
            let (_, rest) = quoted(rest)?;
            let (agent, _) = quoted(rest.strip_prefix(b" \"")?)?;
            agent
        }
    };
    let (method, target) = split_request(request);
    Some(Access {
        at,
        address: std::str::from_utf8(host).ok().and_then(address),
        method: method.into(),
        target: unescape(target),
        status,
        range: None,
        agent: Said::Escaped(agent),
    })
}

/// Whether a line has the server's name before the client's: a name with a port, or a name before an address.
pub(crate) fn has_vhost(line: &[u8]) -> bool {
    let Some((who, _)) = split_once(line, b" [") else { return false };
    let words: Vec<&[u8]> = who.split(|&b| b == b' ').take(4).collect();
    let [first, second, _, _] = words[..] else { return false };
    let (Ok(first), Ok(second)) = (std::str::from_utf8(first), std::str::from_utf8(second)) else {
        return false;
    };
    let port = first.rsplit_once(':').map(|(_, port)| port);
    let has_port = port.is_some_and(|port| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()));
    address(first).is_none() && (has_port || address(second).is_some())
}

/// What stands before an unescaped `"`, and what behind it.
fn quoted(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut from = 0;
    loop {
        let at = from + text.get(from..)?.iter().position(|&b| matches!(b, b'"' | b'\\'))?;
        if text[at] == b'"' {
            return Some((&text[..at], &text[at + 1..]));
        }
        from = at + 2;
    }
}

/// What stands before the next space or the end, and what behind it.
fn word(text: &[u8]) -> (&[u8], &[u8]) {
    match text.iter().position(|&b| b == b' ') {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, b""),
    }
}

fn split_once<'a>(text: &'a [u8], mark: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = text.windows(mark.len()).position(|window| window == mark)?;
    Some((&text[..at], &text[at + mark.len()..]))
}
