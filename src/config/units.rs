//! Spans of time and numbers of bytes as people write them. Pure.

use std::fmt;
use std::str::FromStr;

use crate::domain::Millis;

/// A span of time: `90s`, `3h`, `1h30m`, `500ms`; a bare number is seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration(pub std::time::Duration);

/// The units that a span is written in, the largest first, in milliseconds.
const SPANS: [(u128, &str); 5] = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s"), (1, "ms")];

impl Duration {
    /// Whole seconds.
    pub const fn secs(seconds: u64) -> Self {
        Self(std::time::Duration::from_secs(seconds))
    }

    /// As the machines count it.
    pub fn millis(self) -> Millis {
        Millis(u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX))
    }
}

impl From<Millis> for Duration {
    fn from(millis: Millis) -> Self {
        Self(std::time::Duration::from_millis(millis.0))
    }
}

impl FromStr for Duration {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is not a duration (90s, 3h, 1h30m; s, m, h, d)");
        if let Ok(seconds) = text.trim().parse::<u32>() {
            return Ok(Self::secs(seconds.into()));
        }
        let mut rest = text.trim();
        let mut millis: u64 = 0;
        if rest.is_empty() {
            return Err(bad());
        }
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let number: u64 = rest[..digits].parse().map_err(|_| bad())?;
            rest = rest[digits..].trim_start();
            let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
            let unit: u64 = match &rest[..letters] {
                "ms" => 1,
                "s" | "sec" | "second" | "seconds" => 1000,
                "m" | "min" | "minute" | "minutes" => 60_000,
                "h" | "hour" | "hours" => 3_600_000,
                "d" | "day" | "days" => 86_400_000,
                _ => return Err(bad()),
            };
            millis = number.checked_mul(unit).and_then(|n| n.checked_add(millis)).ok_or_else(bad)?;
            rest = rest[letters..].trim_start();
        }
        Ok(Self(std::time::Duration::from_millis(millis)))
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = self.0.as_millis();
        if left == 0 {
            return f.write_str("0s");
        }
        for (unit, name) in SPANS {
            if left >= unit {
                write!(f, "{}{name}", left / unit)?;
                left %= unit;
            }
        }
        Ok(())
    }
}

/// A number of bytes: `65536`, `64K`, `2G`; units are powers of 1024.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

impl FromStr for Size {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is not a size (65536, 64K, 2G)");
        let text = text.trim();
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let number: u64 = text[..digits].parse().map_err(|_| bad())?;
        let unit = text[digits..].trim().trim_end_matches("iB").trim_end_matches('B');
        let shift = match unit.to_ascii_uppercase().as_str() {
            "" => 0,
            "K" => 10,
            "M" => 20,
            "G" => 30,
            "T" => 40,
            _ => return Err(bad()),
        };
        number.checked_mul(1 << shift).map(Self).ok_or_else(bad)
    }
}

impl Size {
    /// For people, with one decimal where it is no whole number of its unit.
    pub fn roughly(self) -> String {
        let Self(bytes) = self;
        let unit = [(1u64 << 40, "T"), (1 << 30, "G"), (1 << 20, "M"), (1 << 10, "K")];
        match unit.into_iter().find(|(unit, _)| bytes >= *unit) {
            Some((unit, name)) if bytes.is_multiple_of(unit) => format!("{}{name}", bytes / unit),
            Some((unit, name)) => format!("{:.1}{name}", bytes as f64 / unit as f64),
            None => format!("{bytes} bytes"),
        }
    }
}

/// As it may be read again.
impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |shift: &u32| self.0 > 0 && self.0.is_multiple_of(1 << shift);
        match [40, 30, 20, 10].into_iter().zip("TGMK".chars()).find(|(shift, _)| fits(shift)) {
            Some((shift, unit)) => write!(f, "{}{unit}", self.0 >> shift),
            None => write!(f, "{}", self.0),
        }
    }
}

/// `on` or `off`, as people write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Switch(pub bool);

impl FromStr for Switch {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "on" | "true" | "yes" | "1" => Ok(Self(true)),
            "off" | "false" | "no" | "0" => Ok(Self(false)),
            _ => Err(format!("{text:?} is neither on nor off (true, yes, false, no)")),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_written_as_people_do() {
        let millis = |text: &str| text.parse::<Duration>().map(|d| d.0.as_millis());
        assert_eq!(millis("3h"), Ok(10_800_000));
        assert_eq!(millis("1h30m"), Ok(5_400_000));
        assert_eq!(millis("1 hour 30 min"), Ok(5_400_000));
        assert_eq!(millis("90"), Ok(90_000));
        assert_eq!(millis("500ms"), Ok(500));
        for bad in ["", "h", "3x", "-3h", "3h-", "99999999999999999999h", "18446744073709551615d"] {
            assert!(millis(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_are_powers_of_1024() {
        assert_eq!("2G".parse(), Ok(Size(2 << 30)));
        assert_eq!("64KiB".parse(), Ok(Size(65536)));
        let roughly = [1000, 1536, 3 << 30, 5 << 40].map(|bytes| Size(bytes).roughly());
        assert_eq!(roughly, ["1000 bytes", "1.5K", "3G", "5T"]);
        assert!("2X".parse::<Size>().is_err());
        assert!("".parse::<Size>().is_err());
    }

    #[test]
    fn a_switch_is_on_or_off_in_many_words() {
        assert_eq!(["on", "True", "yes", "1"].map(str::parse), [const { Ok(Switch(true)) }; 4]);
        assert_eq!(["off", "false", "No", "0"].map(str::parse), [const { Ok(Switch(false)) }; 4]);
        assert!(["", "maybe", "2"].iter().all(|text| text.parse::<Switch>().is_err()));
    }

    #[test]
    fn what_is_written_is_read_as_the_same() {
        for text in ["0s", "500ms", "90s", "5m", "1h30m", "2d1h1m1s1ms"] {
            let read: Duration = text.parse().unwrap();
            assert_eq!(read.to_string().parse(), Ok(read), "{text}");
        }
        assert_eq!(Duration::secs(5400).to_string(), "1h30m");
        for text in ["0", "1000", "1K", "64K", "8M", "2G", "3T", "1025"] {
            let read: Size = text.parse().unwrap();
            assert_eq!((read.to_string(), read.to_string().parse()), (text.to_owned(), Ok(read)));
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,30}|[0-9]{0,20} ?[a-zA-Z]{0,4}( ?[0-9]{1,3}[a-z]{1,2}){0,2}") {
            if let Ok(span) = text.parse::<Duration>() {
                prop_assert_eq!(span.to_string().parse(), Ok(span));
            }
            if let Ok(size) = text.parse::<Size>() {
                prop_assert_eq!(size.to_string().parse(), Ok(size));
            }
        }
    }
}
