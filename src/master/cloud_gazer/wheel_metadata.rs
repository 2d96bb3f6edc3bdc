//! What a wheel of the index's own requires: its METADATA, which stands beside it (PEP 658, PEP 714), or is in it.
//!
//! Two requests: the project's page says where the wheel is and whether METADATA is beside it; the second reads that, or
//! the wheel, where it is not large and the page says its digest. Indexes keep files on other hosts than pages: such a one
//! is asked too, by HTTPS only.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};

use nix::sys::memfd::{MFdFlags, memfd_create};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::http::{ANY_KIND, Bounds, Found, Reply, body_trouble, file_url};
use super::json::{Each, Scalar, TEXT_BYTES};
use super::trouble::{Scope, Trouble};
use super::{CloudGazer, PEP_691, TRIES};
use crate::domain::core_metadata::{CoreMetadata, MAX_METADATA_BYTES};
use crate::domain::{ProjectName, Sha256, Version, WheelName};
use crate::master::gaze::WheelNews;
use crate::master::wheel_zip::{self, Claim, Unreadable};

impl CloudGazer {
    /// What the wheel requires; read again when an answer breaks off.
    pub(super) fn wheel_metadata(&self, wheel: &WheelName) -> Result<WheelNews, Trouble> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.read_wheel_metadata(wheel) {
                Err(trouble) if trouble.scope == Scope::BrokenOff && tries < TRIES => {
                    log::info!("{wheel}: {}; asking again", trouble.reason);
                }
                result => return result,
            }
        }
    }

    fn read_wheel_metadata(&self, wheel: &WheelName) -> Result<WheelNews, Trouble> {
        let unknown = |reason: &str| Ok(WheelNews::Unknown(reason.to_owned()));
        let page_url = format!("{}/{}/", self.index_url, wheel.project);
        let bounds = Bounds { time: self.limits.page, silence: None, bytes: self.limits.page_bytes };
        let Reply::Found(found) = self.http.get(&page_url, PEP_691, None, bounds)? else {
            return unknown("the index has no page of the project");
        };
        let Some(file) = find(found.body, wheel.as_str())? else {
            return unknown("it is not on the index's page any more");
        };
        let Offered::Yes(sha256) = file.metadata else {
            return match &file.sha256 {
                Some(sha256) => self.read_wheel(wheel, &file_url(&page_url, &file.url)?, sha256),
                None => unknown("the index offers neither its metadata beside it (PEP 658) nor its digest"),
            };
        };
        let url = format!("{}.metadata", file_url(&page_url, &file.url)?);
        let bounds = Bounds { bytes: MAX_METADATA_BYTES, ..bounds };
        let Reply::Found(found) = self.http.get(&url, ANY_KIND, None, bounds)? else {
            return unknown("the index's page names metadata that is not there");
        };
        let Found { mut body, .. } = *found;
        let mut bytes = Vec::new();
        body.read_to_end(&mut bytes).map_err(body_trouble)?;
        if sha256.is_some_and(|promised| promised != Sha256::of(&bytes).to_string()) {
            return Err(Trouble::new(
                Scope::Here,
                "its metadata has another digest than the index's page says",
            ));
        }
        let metadata = CoreMetadata::parse(&bytes);
        if metadata.name.as_deref().and_then(|name| ProjectName::parse(name).ok()).as_ref()
            != Some(&wheel.project)
        {
            return Err(Trouble::new(Scope::Here, "its metadata is that of another project"));
        }
        Ok(WheelNews::Read(metadata.requires_dist))
    }

    /// The same out of the wheel itself, which is kept in memory meanwhile.
    fn read_wheel(&self, wheel: &WheelName, url: &str, sha256: &str) -> Result<WheelNews, Trouble> {
        let Ok(version) = Version::parse(&wheel.version) else {
            return Ok(WheelNews::Unknown("its version is none".to_owned()));
        };
        let bounds = Bounds { time: self.limits.page, silence: None, bytes: MAX_WHEEL_BYTES };
        let Reply::Found(found) = self.http.get(url, ANY_KIND, None, bounds)? else {
            return Ok(WheelNews::Unknown("the index's page names a file that is not there".to_owned()));
        };
        let Found { mut body, .. } = *found;
        let mut bytes = Vec::new();
        if let Err(error) = body.read_to_end(&mut bytes) {
            let trouble = body_trouble(error);
            // one that is too large is so tomorrow
            return if trouble.scope == Scope::Here {
                Ok(WheelNews::Unknown(trouble.reason))
            } else {
                Err(trouble)
            };
        }
        if Sha256::of(&bytes).to_string() != sha256 {
            return Err(Trouble::new(Scope::Here, "the wheel has another digest than the index's page says"));
        }
        let local = |error: io::Error| Trouble::new(Scope::Here, format!("no memory for a wheel: {error}"));
        let memory = memfd_create("wheel", MFdFlags::MFD_CLOEXEC).map_err(|errno| local(errno.into()))?;
        let mut file = File::from(memory);
        file.write_all(&bytes).map_err(local)?;
        drop(bytes);
        let claim =
            Claim { filename: wheel.as_str(), project: &wheel.project, version: &version, build: None };
        match wheel_zip::read(&file, claim) {
            Ok(metadata) => Ok(WheelNews::Read(metadata.requires_dist)),
            Err(Unreadable::Bad(reason)) => Ok(WheelNews::Unknown(reason)),
            Err(Unreadable::Io(error)) => Err(local(error)),
        }
    }
}

/// The largest wheel that is read for its METADATA: pure ones are small, and it is in memory for a moment.
const MAX_WHEEL_BYTES: u64 = 16 << 20;

/// Where a file is, and whether METADATA is beside it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FileOnPage {
    url: String,
    metadata: Offered,
    /// In lower case.
    pub(super) sha256: Option<String>,
}

/// Whether METADATA is offered, and its digest where the page says it.
#[derive(Debug, Default, PartialEq, Eq)]
enum Offered {
    #[default]
    No,
    Yes(Option<String>),
}

/// Reads a page to its end for the one file of that name; the last, where there is more than one.
pub(super) fn find(page: impl Read, filename: &str) -> Result<Option<FileOnPage>, Trouble> {
    let mut json = serde_json::Deserializer::from_reader(io::BufReader::with_capacity(1 << 16, page));
    let found = PageSeed(filename).deserialize(&mut json).and_then(|found| json.end().map(|()| found));
    found.map_err(|error| {
        if error.is_io() {
            body_trouble(error.into())
        } else if error.is_eof() {
            Trouble::new(Scope::BrokenOff, "the index's page breaks off")
        } else {
            Trouble::new(Scope::Here, format!("the index's page cannot be read: {error}"))
        }
    })
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Key {
    Files,
    #[serde(other)]
    Other,
}

struct PageSeed<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for PageSeed<'_> {
    type Value = Option<FileOnPage>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for PageSeed<'_> {
    type Value = Option<FileOnPage>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a project's page")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key()? {
            match key {
                Key::Files => map.next_value_seed(Each::new("a list of files", |file: RawFile| {
                    if file.filename.text() == Some(self.0) {
                        found = file.on_page().or(found.take());
                    }
                }))?,
                Key::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(found)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct RawFile {
    #[serde(default)]
    filename: Scalar,
    #[serde(default)]
    url: Scalar,
    /// An object of digests, too.
    #[serde(default)]
    hashes: Offered,
    #[serde(default)]
    core_metadata: Option<Offered>,
    #[serde(default)]
    dist_info_metadata: Option<Offered>,
}

impl RawFile {
    /// Nothing where its place is not said.
    fn on_page(self) -> Option<FileOnPage> {
        let url = self.url.text().filter(|url| url.len() < TEXT_BYTES)?.to_owned();
        // the newer name counts, where there are both (PEP 714)
        let metadata = self.core_metadata.or(self.dist_info_metadata).unwrap_or_default();
        let sha256 = match self.hashes {
            Offered::Yes(sha256) => sha256,
            Offered::No => None,
        };
        Some(FileOnPage { url, metadata, sha256 })
    }
}

impl<'de> Deserialize<'de> for Offered {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OfferedVisitor)
    }
}

/// A flag, or an object of digests; anything else offers nothing.
struct OfferedVisitor;

impl<'de> Visitor<'de> for OfferedVisitor {
    type Value = Offered;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("whether there is metadata")
    }

    fn visit_bool<E>(self, offered: bool) -> Result<Offered, E> {
        Ok(if offered { Offered::Yes(None) } else { Offered::No })
    }

    fn visit_unit<E>(self) -> Result<Offered, E> {
        Ok(Offered::No)
    }

    fn visit_str<E>(self, _: &str) -> Result<Offered, E> {
        Ok(Offered::No)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Offered, E> {
        Ok(Offered::No)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Offered, E> {
        Ok(Offered::No)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Offered, E> {
        Ok(Offered::No)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Offered, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Offered::No)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Offered, A::Error> {
        let mut sha256 = None;
        while let Some((algorithm, digest)) = map.next_entry::<Scalar, Scalar>()? {
            if algorithm.text() == Some("sha256") {
                sha256 = digest.text().map(str::to_ascii_lowercase);
            }
        }
        Ok(Offered::Yes(sha256))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(file: &str) -> Option<FileOnPage> {
        let page = format!(r#"{{"name":"foo","files":[{{"filename":"a"}},{file}],"x":1}}"#);
        find(page.as_bytes(), "foo-1.0-py3-none-any.whl").unwrap()
    }

    fn offered(fields: &str) -> Offered {
        found(&format!(r#"{{"filename":"foo-1.0-py3-none-any.whl","url":"/f"{fields}}}"#)).unwrap().metadata
    }

    #[test]
    fn metadata_is_offered_as_a_flag_or_by_digest_under_either_name() {
        let digest = Offered::Yes(Some("ab".to_owned()));
        assert_eq!(offered(r#","core-metadata":{"md5":"x","sha256":"AB"}"#), digest);
        assert_eq!(offered(r#","dist-info-metadata":{"sha256":"ab"}"#), digest);
        assert_eq!(offered(r#","core-metadata":false,"dist-info-metadata":true"#), Offered::No);
        assert_eq!(offered(r#","core-metadata":true"#), Offered::Yes(None));
        assert_eq!(offered(r#","core-metadata":{}"#), Offered::Yes(None));
        for none in
            ["", r#","core-metadata":null"#, r#","core-metadata":[1,{"a":2}]"#, r#","core-metadata":7"#]
        {
            assert_eq!(offered(none), Offered::No, "{none}");
        }
    }

    #[test]
    fn a_page_without_the_file_or_its_place_has_nothing() {
        assert_eq!(found(r#"{"filename":"foo-1.1-py3-none-any.whl","url":"/f"}"#), None);
        assert_eq!(found(r#"{"filename":"foo-1.0-py3-none-any.whl"}"#), None);
        let long = "x".repeat(TEXT_BYTES);
        assert_eq!(found(&format!(r#"{{"filename":"foo-1.0-py3-none-any.whl","url":"{long}"}}"#)), None);
        assert!(find(&b"{\"files\":[{"[..], "x").unwrap_err().scope == Scope::BrokenOff);
        assert!(find(&b"<html>"[..], "x").unwrap_err().scope == Scope::Here);
    }
}
