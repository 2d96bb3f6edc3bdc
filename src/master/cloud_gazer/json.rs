//! Values of the index's JSON (PEP 691), read as they come: nothing is kept of what does not matter here, and a field of
//! an unexpected kind is passed over instead of making the whole page unreadable. Pure.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::master::gaze::LARGEST_SERIAL;

/// The longest text that is kept, in bytes; the rest of it is cut off. Names, versions and specifiers are shorter by far.
pub(super) const TEXT_BYTES: usize = 2000;

/// A value as far as it can matter: lists, objects, `null` and numbers that no serial has are all nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Scalar {
    #[default]
    Nothing,
    Flag(bool),
    Number(u64),
    Text(String),
}

impl Scalar {
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A serial: some indexes write it as a number, some as a text.
    pub(super) fn serial(&self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(*number).filter(|serial| *serial <= LARGEST_SERIAL),
            Self::Text(text) => serial(text),
            _ => None,
        }
    }
}

/// A serial that was written as a text.
pub(super) fn serial(text: &str) -> Option<u64> {
    text.trim().parse().ok().filter(|serial| *serial <= LARGEST_SERIAL)
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Scalar, E> {
        Ok(Scalar::Flag(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Scalar, E> {
        Ok(Scalar::Number(value))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Scalar, E> {
        Ok(Scalar::Nothing)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Scalar, E> {
        Ok(Scalar::Nothing)
    }

    fn visit_unit<E>(self) -> Result<Scalar, E> {
        Ok(Scalar::Nothing)
    }

    fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(text[..text.floor_char_boundary(TEXT_BYTES)].to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Scalar, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Nothing)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Nothing)
    }
}

/// What every answer says of itself.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Meta {
    #[serde(default, rename = "api-version")]
    version: Scalar,
    #[serde(default, rename = "_last-serial")]
    serial: Scalar,
}

impl Meta {
    /// Refuses another major version than this program's (PEP 629).
    pub(super) fn check(&self) -> Result<(), String> {
        match self.version.text() {
            Some(version) if version.split('.').next() == Some("1") => Ok(()),
            Some(version) => Err(format!("the index speaks version {version} of PEP 691, this program 1")),
            None => Err("the index does not say which version of PEP 691 it speaks".to_owned()),
        }
    }

    pub(super) fn serial(&self) -> Option<u64> {
        self.serial.serial()
    }
}

/// Takes the elements of a list one by one: the list is never held as a whole.
pub(super) struct Each<T, F> {
    /// What the list is, for people.
    what: &'static str,
    take: F,
    element: PhantomData<T>,
}

impl<T, F: FnMut(T)> Each<T, F> {
    pub(super) fn new(what: &'static str, take: F) -> Self {
        Self { what, take, element: PhantomData }
    }
}

impl<'de, T: Deserialize<'de>, F: FnMut(T)> DeserializeSeed<'de> for Each<T, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, T: Deserialize<'de>, F: FnMut(T)> Visitor<'de> for Each<T, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        while let Some(element) = list.next_element()? {
            (self.take)(element);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_value_is_read_and_what_follows_it_too() {
        for (text, expected) in [
            ("true", Scalar::Flag(true)),
            ("7", Scalar::Number(7)),
            ("-7", Scalar::Nothing),
            ("1e3", Scalar::Nothing),
            ("null", Scalar::Nothing),
            (r#""seven""#, Scalar::Text("seven".into())),
            (r#"[{"a":[1]},2]"#, Scalar::Nothing),
            (r#"{"a":{"b":[]},"c":1}"#, Scalar::Nothing),
        ] {
            let read: (Scalar, u8) = serde_json::from_str(&format!("[{text},1]")).unwrap();
            assert_eq!(read, (expected, 1), "{text}");
        }
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let text = format!("a{}", "é".repeat(TEXT_BYTES));
        let read: Scalar = serde_json::from_str(&format!("{text:?}")).unwrap();
        assert_eq!(read.text().unwrap().len(), TEXT_BYTES - 1);
    }

    #[test]
    fn serials_come_as_numbers_and_as_texts() {
        let serial = |text: &str| serde_json::from_str::<Meta>(text).unwrap().serial();
        assert_eq!(serial(r#"{"_last-serial":9000000000}"#), Some(9_000_000_000));
        assert_eq!(serial(r#"{"_last-serial":"41753165"}"#), Some(41_753_165));
        assert_eq!(serial(r#"{"_last-serial":-1}"#), None);
        assert_eq!(serial(r#"{"_last-serial":9223372036854775808}"#), None);
        assert_eq!(serial(r#"{"_last-serial":"9223372036854775808"}"#), None);
        assert_eq!(serial("{}"), None);
    }

    #[test]
    fn other_major_versions_are_refused() {
        let check = |text: &str| serde_json::from_str::<Meta>(text).unwrap().check();
        assert_eq!(check(r#"{"api-version":"1.4"}"#), Ok(()));
        assert!(check(r#"{"api-version":"2.0"}"#).unwrap_err().contains("version 2.0"));
        assert!(check("{}").is_err());
    }
}
