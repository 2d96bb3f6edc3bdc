//! A wheel's METADATA as far as it matters here (core metadata specification, whose form is an email header; PEP 566,
//! PEP 643). Whoever wrote it is a stranger: nothing of it is kept that is too long, too much or not for display.

use super::dependencies::MAX_LINES;
use super::requirement::MAX_REQUIREMENT_BYTES;

/// METADATA's own size, in bytes; real ones, with the description that most of them is, are far below.
pub const MAX_METADATA_BYTES: u64 = 1 << 20;
/// The longest value of a field that stands once, in bytes.
const MAX_VALUE_BYTES: usize = 500;

/// The fields that matter. The first of a name counts: a second one is malformed, and must not override what was checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CoreMetadata {
    /// `Name`, as it is spelt.
    pub name: Option<String>,
    /// `Version`, as it is spelt.
    pub version: Option<String>,
    /// `Requires-Python`.
    pub requires_python: Option<String>,
    /// `Requires-Dist`, a line each and as it stands there: at most [`MAX_LINES`] of at most [`MAX_REQUIREMENT_BYTES`].
    pub requires_dist: Vec<String>,
    /// How many `Requires-Dist` are left out: beyond those bounds, or with control characters.
    pub left_out: usize,
}

impl CoreMetadata {
    /// Reads the header; lines that are none, or no UTF-8, are passed over.
    pub fn parse(bytes: &[u8]) -> Self {
        let mut found = Self::default();
        for line in bytes.split(|b| *b == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            // an empty line ends the header; the description follows
            if line.is_empty() {
                break;
            }
            let Ok(line) = std::str::from_utf8(line) else { continue };
            let Some((key, value)) = line.split_once(':') else { continue };
            let value = value.trim();
            let fits = |bytes: usize| {
                !value.is_empty() && value.len() <= bytes && !value.chars().any(char::is_control)
            };
            let slot = match key.to_ascii_lowercase().as_str() {
                "name" => &mut found.name,
                "version" => &mut found.version,
                "requires-python" => &mut found.requires_python,
                "requires-dist" => {
                    if found.requires_dist.len() < MAX_LINES && fits(MAX_REQUIREMENT_BYTES) {
                        found.requires_dist.push(value.to_owned());
                    } else {
                        found.left_out += 1;
                    }
                    continue;
                }
                _ => continue,
            };
            if slot.is_none() && fits(MAX_VALUE_BYTES) {
                *slot = Some(value.to_owned());
            }
        }
        found
    }
}

/// All values of a field of a header of this form, such as `Build` of WHEEL (its name in lower case), cut to 100 characters.
pub fn fields(bytes: &[u8], name: &str) -> Vec<String> {
    let header = bytes.split(|b| *b == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let lines = header.take_while(|line| !line.is_empty()).filter_map(|line| std::str::from_utf8(line).ok());
    let pairs = lines.filter_map(|line| line.split_once(':'));
    pairs
        .filter(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim().chars().take(100).collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_header_cannot_be_smuggled_in_twice_or_with_control_characters() {
        let found = CoreMetadata::parse(
            b"Name: a\nName: b\nRequires-Python: >=3\x1b\nVersion: 1\n\nRequires-Python: 2\nRequires-Dist: x\n",
        );
        assert_eq!(found.name.as_deref(), Some("a"));
        assert_eq!(found.requires_python, None);
        assert_eq!(found.requires_dist, [""; 0], "the description is none of the header");
    }

    #[test]
    fn requirements_are_kept_as_they_stand_and_in_their_order() {
        let text = "Name: a\r\nRequires-Dist:  b>=1 ; extra == 'x: y' \r\nrequires-dist: a\r\n Requires-Dist: folded\r\n";
        let found = CoreMetadata::parse(text.as_bytes());
        assert_eq!(found.requires_dist, ["b>=1 ; extra == 'x: y'", "a"]);
        assert_eq!(found.left_out, 0);
    }

    #[test]
    #[cfg_attr(miri, ignore = "thousands of lines")]
    fn requirements_beyond_the_bounds_are_left_out_and_counted() {
        let mut text = "Requires-Dist: p\n".repeat(MAX_LINES + 7);
        assert_eq!(CoreMetadata::parse(text.as_bytes()).left_out, 7);
        assert_eq!(CoreMetadata::parse(text.as_bytes()).requires_dist.len(), MAX_LINES);
        text = format!("Requires-Dist: {}\nRequires-Dist: b\x00\nRequires-Dist: \n", "p".repeat(1001));
        let found = CoreMetadata::parse(text.as_bytes());
        assert_eq!((found.requires_dist.len(), found.left_out), (0, 3));
        text = format!("Requires-Dist: {}\n", "p".repeat(MAX_REQUIREMENT_BYTES));
        assert_eq!(CoreMetadata::parse(text.as_bytes()).left_out, 0);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_and_what_is_kept_is_one_line(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut text = b"Requires-Dist: ".to_vec();
            text.extend(bytes);
            for line in CoreMetadata::parse(&text).requires_dist {
                prop_assert!(!line.is_empty() && !line.chars().any(char::is_control), "{line:?}");
            }
        }
    }
}
