//! The root index against the list of published projects: both in the order of names, and neither held. Pure but for the
//! text that it reads.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{BufRead, Read};

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::finding::{Cure, Finding, Kind};
use super::links::{links, percent_decoded};

/// Differences that are kept of one look; more make it out of order as a whole.
const MOST: usize = 10_000;
/// A tag that is longer is none.
const TAG_BYTES: usize = 16 << 10;

/// What differs between a page and the list, while both are gone through.
#[derive(Debug, Default)]
pub(super) struct Merge {
    page: String,
    /// Names of the list that the page has not come to, or passed without naming.
    missing: BTreeSet<String>,
    /// Names of the page that the list does not have.
    extra: BTreeMap<String, &'static str>,
    last: Option<String>,
    more: u64,
}

impl Merge {
    /// For this page.
    pub(super) fn new(page: impl Into<String>) -> Self {
        Self { page: page.into(), ..Self::default() }
    }

    /// The page names this; `next` gives the list's names, in order, up to and with this one.
    pub(super) fn named(&mut self, name: &str, listed: bool) {
        let twice = self.last.as_deref().is_some_and(|last| last >= name);
        let wrong = match (twice, listed) {
            (true, _) => "it is there twice, or not in its place",
            (_, false) => "no project of this name has files to show",
            _ => "",
        };
        if !wrong.is_empty() {
            self.keep(|merge| {
                merge.extra.insert(name.to_owned(), wrong);
            });
        }
        if !twice {
            self.last = Some(name.to_owned());
        }
    }

    /// The list has this, and the page went past it.
    pub(super) fn passed(&mut self, name: String) {
        self.keep(|merge| {
            merge.missing.insert(name);
        });
    }

    fn keep(&mut self, keep: impl FnOnce(&mut Self)) {
        if self.missing.len() + self.extra.len() < MOST { keep(self) } else { self.more += 1 }
    }

    /// Everything that differs.
    pub(super) fn findings(self) -> Vec<Finding> {
        let Self { page, missing, extra, more, .. } = self;
        let at = |name: &str| format!("{page}: {name}");
        let missing = missing.iter().map(|name| Finding::new(Kind::RootMissing, at(name), "", Cure::Root));
        let extra = extra.iter().map(|(name, why)| Finding::new(Kind::RootExtra, at(name), *why, Cure::Root));
        let mut found: Vec<_> = missing.chain(extra).collect();
        if more > 0 {
            let detail = format!("{more} more names are missing, or too many");
            found.push(Finding::new(Kind::Unreadable, page, detail, Cure::Root));
        }
        found
    }
}

/// Gives each name of the root index as HTML, in the order of the page. The error is for people.
pub(super) fn html_names<E>(
    text: &mut dyn BufRead,
    each: &mut dyn FnMut(&str) -> Result<(), E>,
) -> Result<Result<(), String>, E> {
    let mut tag = Vec::new();
    loop {
        tag.clear();
        // up to the end of a tag, with the text before it
        match text.take(TAG_BYTES as u64).read_until(b'>', &mut tag) {
            Ok(0) => return Ok(Ok(())),
            Ok(_) => {}
            Err(error) => return Ok(Err(error.to_string())),
        }
        let Ok(piece) = std::str::from_utf8(&tag) else { return Ok(Err("it is not UTF-8".to_owned())) };
        let Some(start) = piece.rfind('<') else { continue };
        if piece[start..].get(..2).is_none_or(|tag| !tag.eq_ignore_ascii_case("<a")) {
            continue;
        }
        for link in links(&piece[start..]) {
            let name = percent_decoded(&link.to);
            each(name.strip_suffix('/').unwrap_or(&name))?;
        }
    }
}

/// The same of the root index as JSON.
pub(super) fn json_names<E>(
    text: &mut dyn Read,
    each: &mut dyn FnMut(&str) -> Result<(), E>,
) -> Result<Result<(), String>, E> {
    let mut trouble = None;
    let mut input = serde_json::Deserializer::from_reader(text);
    let mut each = |name: &str| match each(name) {
        Ok(()) => true,
        Err(error) => {
            trouble = Some(error);
            false
        }
    };
    let read = Root(&mut each).deserialize(&mut input).and_then(|()| input.end());
    match trouble {
        Some(trouble) => Err(trouble),
        None => Ok(read.map_err(|error| format!("it is not the JSON of a root index: {error}"))),
    }
}

/// Takes a name; false to stop.
type Take<'a> = dyn FnMut(&str) -> bool + 'a;

struct Root<'a>(&'a mut Take<'a>);
struct Projects<'b, 'a>(&'b mut Take<'a>);
struct Project<'b, 'a>(&'b mut Take<'a>);

impl<'de> DeserializeSeed<'de> for Root<'_> {
    type Value = ();
    fn deserialize<D: serde::Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Root<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with projects")
    }
    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        let mut seen = false;
        while let Some(key) = map.next_key::<String>()? {
            if key == "projects" {
                map.next_value_seed(Projects(&mut *self.0))?;
                seen = true;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        if seen { Ok(()) } else { Err(serde::de::Error::custom("it has no projects")) }
    }
}

impl<'de> DeserializeSeed<'de> for Projects<'_, '_> {
    type Value = ();
    fn deserialize<D: serde::Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Projects<'_, '_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of projects")
    }
    fn visit_seq<S: SeqAccess<'de>>(self, mut list: S) -> Result<(), S::Error> {
        while list.next_element_seed(Project(&mut *self.0))?.is_some() {}
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Project<'_, '_> {
    type Value = ();
    fn deserialize<D: serde::Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Project<'_, '_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a project with a name")
    }
    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        let mut name = None;
        while let Some(key) = map.next_key::<String>()? {
            if key == "name" {
                name = Some(map.next_value::<String>()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        match name {
            Some(name) if (self.0)(&name) => Ok(()),
            Some(_) => Err(serde::de::Error::custom("stopped")),
            None => Err(serde::de::Error::custom("a project has no name")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    fn html(text: &str) -> Vec<String> {
        let mut names = Vec::new();
        let mut each = |name: &str| {
            names.push(name.to_owned());
            Ok::<(), Infallible>(())
        };
        html_names(&mut text.as_bytes(), &mut each).unwrap().unwrap();
        names
    }

    fn json(text: &str) -> Result<Vec<String>, String> {
        let mut names = Vec::new();
        let mut each = |name: &str| {
            names.push(name.to_owned());
            Ok::<(), Infallible>(())
        };
        json_names(&mut text.as_bytes(), &mut each).unwrap().map(|()| names)
    }

    #[test]
    fn both_forms_give_their_names_one_after_the_other() {
        let page = "<html><head><title>x</title></head><body>\n<a href=\"a/\">a</a><br>\n<a href=\"b-c/\">b-c</a><br></body>";
        assert_eq!(html(page), ["a", "b-c"]);
        assert_eq!(html(&"x".repeat(3 * TAG_BYTES)), Vec::<String>::new());
        let page = "{\"meta\":{\"api-version\":\"1.4\"},\"projects\":[{\"name\":\"a\"},{\"x\":[1],\"name\":\"b-c\"}]}\n";
        assert_eq!(json(page), Ok(vec!["a".to_owned(), "b-c".to_owned()]));
        for bad in ["", "{}", "{\"projects\":[{}]}", "{\"projects\":[{\"name\":\"a\"}", "{\"projects\":[]} x"]
        {
            assert!(json(bad).is_err(), "{bad}");
        }
        let stopped = json_names(&mut page.as_bytes(), &mut |_| Err("stop"));
        assert_eq!(stopped, Err("stop"));
    }

    #[test]
    fn what_is_missing_too_much_or_out_of_place_is_found() {
        let mut merge = Merge::new("simple/index.html");
        merge.named("b", true);
        merge.passed("c".to_owned());
        merge.named("d", false);
        merge.named("a", false);
        merge.named("d", false);
        let found: Vec<_> = merge.findings().into_iter().map(|f| (f.kind, f.path)).collect();
        let at = |name: &str| format!("simple/index.html: {name}");
        assert_eq!(
            found,
            [(Kind::RootMissing, at("c")), (Kind::RootExtra, at("a")), (Kind::RootExtra, at("d"))]
        );
        let mut merge = Merge::new("simple/index.html");
        (0..MOST + 5).for_each(|n| merge.passed(format!("{n:06}")));
        let found = merge.findings();
        assert_eq!((found.len(), found.last().unwrap().kind), (MOST + 1, Kind::Unreadable));
    }
}
