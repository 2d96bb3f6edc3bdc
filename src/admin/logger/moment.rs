//! Moments as access logs write them. Pure.

use crate::domain::time::unix_seconds;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Numbers from here on count smaller units than seconds: this many seconds are in the year 5138.
const MOST_SECONDS: f64 = 1e11;

/// Seconds since 1970 of `31/Dec/2026:23:59:59 +0100` (Apache's `%t`, nginx's `$time_local`), of ISO 8601 with or without
/// fraction and zone (UTC where it has none), or of a number as [`from_number`] reads it.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Some(seconds) = common(text).or_else(|| iso(text)) {
        return Some(seconds);
    }
    text.parse().ok().and_then(from_number)
}

/// A number of seconds since 1970, or of milli-, micro- or nanoseconds when it is that large.
pub(crate) fn from_number(mut number: f64) -> Option<i64> {
    if !number.is_finite() || !(0.0..MOST_SECONDS * 1e9).contains(&number) {
        return None;
    }
    while number >= MOST_SECONDS {
        number /= 1000.0;
    }
    // below 1e11, so that nothing is lost but the fraction
    Some(number as i64)
}

fn common(text: &str) -> Option<i64> {
    let (stamp, zone) = text.split_once(' ')?;
    let mut parts = stamp.splitn(6, ['/', ':']);
    let day = number(parts.next()?)?;
    let name = parts.next()?;
    let month = MONTHS.iter().zip(1..).find(|(month, _)| **month == name)?.1;
    let year = number(parts.next()?)?;
    let time = (number(parts.next()?)?, number(parts.next()?)?, number(parts.next()?)?);
    Some(unix_seconds((year, month, day), time)? - offset(zone)?)
}

fn iso(text: &str) -> Option<i64> {
    let (date, rest) = text.split_once(['T', ' '])?;
    let mut date = date.splitn(3, '-').map(number);
    let date = (date.next()??, date.next()??, date.next()??);
    let end = rest.find(['Z', '+', '-']).unwrap_or(rest.len());
    let (time, zone) = rest.split_at(end);
    let time = time.split_once(['.', ',']).map_or(time, |(whole, _)| whole);
    let mut time = time.splitn(3, ':').map(number);
    let time = (time.next()??, time.next()??, time.next()??);
    let zone = if zone.is_empty() { 0 } else { offset(zone)? };
    Some(unix_seconds(date, time)? - zone)
}

/// The seconds that `+0100`, `+01:00` or `Z` is before UTC.
fn offset(zone: &str) -> Option<i64> {
    if zone == "Z" {
        return Some(0);
    }
    let (sign, digits) = match zone.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some(pair) => pair,
        None => digits.split_at_checked(2)?,
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 3600 + minutes * 60))
}

/// A number of one to four digits and nothing else.
fn number(text: &str) -> Option<i64> {
    let sound = (1..=4).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if sound { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn moments_are_read_in_every_form_that_logs_have() {
        for text in [
            "31/Dec/2025:23:30:00 -0030",
            "01/Jan/2026:00:00:00 +0000",
            "2026-01-01T00:00:00Z",
            "2026-01-01T00:00:00",
            "2026-01-01 00:00:00.25",
            "2026-01-01T01:00:00.123456+01:00",
            "2025-12-31T16:00:00,9-0800",
            "1767225600",
            "1767225600.999",
            "1767225600123",
            "1767225600123456",
            "1767225600123456789",
            " 1767225600 ",
        ] {
            assert_eq!(parse(text), Some(1_767_225_600), "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "",
            "-",
            "32/Jan/2026:00:00:00 +0000",
            "01/Foo/2026:00:00:00 +0000",
            "01/Jan/2026:24:00:00 +0000",
            "01/Jan/2026:00:00 +0000",
            "01/Jan/2026:00:00:00",
            "01/Jan/2026:00:00:00 0000",
            "01/Jan/2026:00:00:00 +9900",
            "01/Jan/2026:00:00:00 +é0",
            "+1/Jan/2026:00:00:00 +0000",
            "01/Jan/99999:00:00:00 +0000",
            "2026-01-01",
            "2026-01-01T00:00Z",
            "2026-01-01T00:00:00+",
            "NaN",
            "inf",
            "-1",
            "1e300",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,40}|[0-9/:TZ+ .-]{0,30}|[0-9]{2}/Jan/[0-9]{4}:[0-9:]{8} [+-]\\PC{0,5}") {
            parse(&text);
        }

        #[test]
        fn what_is_written_is_read_back(seconds in 0i64..4_102_444_800) {
            let text = crate::logging::utc(seconds.try_into().unwrap());
            prop_assert_eq!(parse(&text), Some(seconds));
        }
    }
}
