//! The links of a page, as a browser or pip would find them. Pure: text in, links out.

/// An element with a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    /// Where it leads, entities resolved.
    pub(super) to: String,
    /// All attributes, names in lower case, entities resolved.
    pub(super) attributes: Vec<(String, String)>,
}

impl Link {
    /// An attribute's value.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// The links of HTML text: `href` and `src` of any element.
pub(super) fn links(html: &str) -> Vec<Link> {
    let mut found = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        if let Some(comment) = rest.strip_prefix("!--") {
            rest = comment.find("-->").map_or("", |end| &comment[end + 3..]);
            continue;
        }
        if !rest.starts_with(|c: char| c.is_ascii_alphabetic()) {
            continue;
        }
        let (attributes, after) = element(rest);
        rest = after;
        let to = attributes.iter().find(|(name, _)| name == "href" || name == "src");
        if let Some(to) = to.map(|(_, value)| value.clone()) {
            found.push(Link { to, attributes });
        }
    }
    found
}

/// The attributes of an element whose name stands at the front, and what comes after it.
fn element(text: &str) -> (Vec<(String, String)>, &str) {
    let mut attributes = Vec::new();
    let name = text.find(|c: char| c.is_ascii_whitespace() || c == '>' || c == '/').unwrap_or(text.len());
    let mut rest = &text[name..];
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
        if let Some(after) = rest.strip_prefix('>') {
            return (attributes, after);
        }
        if rest.is_empty() {
            return (attributes, rest);
        }
        let end = rest
            .find(|c: char| c.is_ascii_whitespace() || matches!(c, '=' | '>' | '/'))
            .unwrap_or(rest.len());
        // a stray sign is passed over, so that this goes on
        let end = end.max(rest.chars().next().map_or(0, char::len_utf8));
        let key = rest[..end].to_ascii_lowercase();
        rest = rest[end..].trim_start();
        let Some(value) = rest.strip_prefix('=') else {
            attributes.push((key, String::new()));
            continue;
        };
        let value = value.trim_start();
        let (value, after) = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                let value = &value[1..];
                let end = value.find(quote).unwrap_or(value.len());
                (&value[..end], value.get(end + 1..).unwrap_or_default())
            }
            _ => {
                let end = value.find(|c: char| c.is_ascii_whitespace() || c == '>').unwrap_or(value.len());
                value.split_at(end)
            }
        };
        attributes.push((key, resolved(value)));
        rest = after;
    }
}

/// Text with its entities resolved; those that these pages never have stay as they are.
fn resolved(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.find(';');
        let known = end.and_then(|end| entity(&rest[1..end]).map(|c| (c, end)));
        match known {
            Some((c, end)) => {
                plain.push(c);
                rest = &rest[end + 1..];
            }
            None => {
                plain.push('&');
                rest = &rest[1..];
            }
        }
    }
    plain + rest
}

fn entity(name: &str) -> Option<char> {
    Some(match name {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)?
        }
    })
}

/// Where a link of a page leads in the tree: a path below it, with `/` at its end where a directory is meant. `None` when it
/// leads elsewhere, or to a place on the page itself; the error when it leads out of the tree.
pub(super) fn local(page: &str, to: &str) -> Result<Option<String>, ()> {
    let path = to.split(['#', '?']).next().unwrap_or_default();
    let scheme = path.find(':').is_some_and(|colon| path.find('/').is_none_or(|slash| colon < slash));
    if path.is_empty() || scheme || path.starts_with("//") {
        return Ok(None);
    }
    let path = percent_decoded(path);
    let from_top = path.starts_with('/');
    let mut steps: Vec<&str> = if from_top { Vec::new() } else { page.split('/').collect() };
    if !from_top {
        steps.pop();
    }
    let mut parts = path.split('/').peekable();
    let mut directory = false;
    while let Some(part) = parts.next() {
        let last = parts.peek().is_none();
        match part {
            "" | "." => directory = last,
            ".." => {
                steps.pop().ok_or(())?;
                directory = last;
            }
            name => {
                steps.push(name);
                directory = false;
            }
        }
    }
    let end = if directory && !steps.is_empty() { "/" } else { "" };
    Ok(Some(format!("{}{end}", steps.join("/"))))
}

/// Text with `%2B` and the like resolved; what is no such thing stays as it is.
pub(super) fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match code.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_and_their_attributes_are_found_however_they_are_written() {
        let html = "<!DOCTYPE html><html><!-- <a href='no'> --><link rel=stylesheet href=/static/style.css>\n\
                    <a href=\"foo-1.0.whl#sha256=ab\" data-requires-python=\"&gt;=3,&lt;4\" data-yanked=\"\" hidden>a < b</a>\
                    <img SRC='x.svg'/><a name=n>no</a><a href=\"&#47;a&amp;b&unknown;&#x2e;\"";
        let found = links(html);
        let to: Vec<_> = found.iter().map(|link| link.to.as_str()).collect();
        assert_eq!(to, ["/static/style.css", "foo-1.0.whl#sha256=ab", "x.svg", "/a&b&unknown;."]);
        assert_eq!(found[1].attribute("data-requires-python"), Some(">=3,<4"));
        assert_eq!(found[1].attribute("data-yanked"), Some(""));
        assert_eq!(found[1].attribute("hidden"), Some(""));
        assert_eq!(found[0].attribute("data-yanked"), None);
    }

    #[test]
    fn text_that_is_no_page_has_an_end() {
        for odd in
            ["<", "<a", "<a =", "<a href", "<a href=", "<a href='", "<a \"\"\"", "<a é=ü", "<!--", "<<<a/>"]
        {
            assert!(links(odd).len() <= 1, "{odd}");
        }
    }

    #[test]
    fn links_lead_into_the_tree_or_elsewhere() {
        let page = "project/foo/index.html";
        for (to, path) in [
            ("../../logs/0000/0000/0001.txt.gz", Some("logs/0000/0000/0001.txt.gz")),
            ("../../simple/foo/", Some("simple/foo/")),
            ("json/index.json?x=1#y", Some("project/foo/json/index.json")),
            ("./", Some("project/foo/")),
            ("/static/style.css", Some("static/style.css")),
            ("../../", Some("")),
            ("/", Some("")),
            ("a%2Bb.whl", Some("project/foo/a+b.whl")),
            ("100%", Some("project/foo/100%")),
            ("#top", None),
            ("https://example.org/", None),
            ("mailto:a@b", None),
            ("//example.org/", None),
        ] {
            assert_eq!(local(page, to), Ok(path.map(str::to_owned)), "{to}");
        }
        assert_eq!(local(page, "../../../etc/passwd"), Err(()));
    }
}
