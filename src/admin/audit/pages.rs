//! What a project's page of the simple index says, in either form. Pure.

use serde_json::Value;

use super::links::{links, percent_decoded};
use super::rows::sha256;
use crate::domain::Sha256;

/// The pages of a project's directory. Each has a compressed twin, `.gz` added to its name.
pub(super) const PAGES: [&str; 2] = ["index.html", "index.v1_json"];

/// A file as a page shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shown {
    /// The name that its link names.
    pub(super) filename: String,
    /// The digest that its link promises.
    pub(super) sha256: Option<Sha256>,
    /// That of the METADATA beside it.
    pub(super) metadata_sha256: Option<Sha256>,
    /// Which Pythons may install it.
    pub(super) requires_python: Option<String>,
    /// The reason, which may be empty.
    pub(super) yanked: Option<String>,
    /// Bytes, where the form of the page has them.
    pub(super) size: Option<u64>,
}

/// Reads the page of this name. The error is for people.
pub(super) fn read(page: &str, text: &[u8]) -> Result<Vec<Shown>, String> {
    let text = std::str::from_utf8(text).map_err(|_| "it is not UTF-8".to_owned())?;
    if page == PAGES[0] { Ok(html(text)) } else { json(text) }
}

fn html(text: &str) -> Vec<Shown> {
    let shown = links(text).into_iter().map(|link| {
        let (name, digest) = link.to.split_once("#sha256=").unwrap_or((&link.to, ""));
        let said = |key: &str| link.attribute(key).map(str::to_owned);
        let core = link.attribute("data-core-metadata").and_then(|said| said.strip_prefix("sha256="));
        Shown {
            filename: percent_decoded(name),
            sha256: sha256(digest),
            metadata_sha256: core.and_then(sha256),
            requires_python: said("data-requires-python"),
            yanked: said("data-yanked"),
            size: None,
        }
    });
    shown.collect()
}

fn json(text: &str) -> Result<Vec<Shown>, String> {
    let page: Value = serde_json::from_str(text).map_err(|error| format!("it is no JSON: {error}"))?;
    let files = page["files"].as_array().ok_or("it has no list of files")?;
    let shown = files.iter().map(|file| {
        let url = file["url"].as_str().ok_or("a file has no address")?;
        let name = percent_decoded(url.split('#').next().unwrap_or_default());
        let name = name.strip_prefix("./").unwrap_or(&name);
        if file["filename"].as_str() != Some(name) {
            return Err(format!("the address of {} leads to {name}", file["filename"]));
        }
        let digest = |value: &Value| value["sha256"].as_str().and_then(sha256);
        let yanked = match &file["yanked"] {
            Value::String(reason) => Some(reason.clone()),
            Value::Bool(true) => Some(String::new()),
            _ => None,
        };
        Ok(Shown {
            filename: name.to_owned(),
            sha256: digest(&file["hashes"]),
            metadata_sha256: digest(&file["core-metadata"]),
            requires_python: file["requires-python"].as_str().map(str::to_owned),
            yanked,
            size: file["size"].as_u64(),
        })
    });
    shown.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected() -> Shown {
        Shown {
            filename: "foo-1.0+local-py3-none-any.whl".to_owned(),
            sha256: Some(Sha256([0xab; 32])),
            metadata_sha256: Some(Sha256([0xcd; 32])),
            requires_python: Some(">=3.7".to_owned()),
            yanked: Some(String::new()),
            size: None,
        }
    }

    #[test]
    fn both_forms_say_the_same() {
        let (sha, core) = ("ab".repeat(32), "cd".repeat(32));
        let html = format!(
            "<a href=\"foo-1.0%2Blocal-py3-none-any.whl#sha256={sha}\" data-requires-python=\"&gt;=3.7\" data-yanked=\"\" \
             data-core-metadata=\"sha256={core}\">foo</a>"
        );
        assert_eq!(read("index.html", html.as_bytes()), Ok(vec![expected()]));
        let json = format!(
            "{{\"files\": [{{\"filename\": \"foo-1.0+local-py3-none-any.whl\", \"size\": 7,
               \"url\": \"foo-1.0%2Blocal-py3-none-any.whl\", \"hashes\": {{\"sha256\": \"{sha}\"}},
               \"core-metadata\": {{\"sha256\": \"{core}\"}}, \"requires-python\": \">=3.7\", \"yanked\": true}}]}}"
        );
        assert_eq!(read("index.v1_json", json.as_bytes()), Ok(vec![Shown { size: Some(7), ..expected() }]));
    }

    #[test]
    fn a_page_that_says_nothing_readable_says_why() {
        for bad in
            ["", "{}", "[]", "{\"files\": [{}]}", "{\"files\": [{\"filename\": \"a\", \"url\": \"b\"}]}"]
        {
            assert!(read("index.v1_json", bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(read("index.html", b"\xff").is_err());
        assert_eq!(read("index.html", b"nothing"), Ok(Vec::new()));
        let without = read("index.html", b"<a href=\"x.whl#sha256=zz\">").unwrap();
        assert_eq!(without[0].sha256, None);
    }
}
