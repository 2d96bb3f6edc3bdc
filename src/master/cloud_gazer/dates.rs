//! Dates as the index writes them, as seconds since 1970: ISO 8601 in its pages, RFC 9110 in its headers. Pure.

use crate::domain::time::unix_seconds;

/// An ISO 8601 time in UTC (PEP 700), as far as it can be read.
pub(super) fn iso(text: &str) -> Option<i64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let mut date = date.splitn(3, '-').map(number);
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    moment(year, month, day, time.split('.').next()?)
}

/// The date of an HTTP header, in the one form that senders may use (RFC 9110, 5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(super) fn http(text: &str) -> Option<i64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (_, rest) = text.trim().strip_suffix(" GMT")?.split_once(", ")?;
    let mut parts = rest.splitn(4, ' ');
    let day = number(parts.next()?)?;
    let name = parts.next()?;
    let month = MONTHS.iter().position(|month| *month == name)? as i64 + 1;
    let year = number(parts.next()?)?;
    moment(year, month, day, parts.next()?)
}

fn number(text: &str) -> Option<i64> {
    text.parse().ok()
}

/// `time` is `HH:MM:SS`.
fn moment(year: i64, month: i64, day: i64, time: &str) -> Option<i64> {
    let mut time = time.splitn(3, ':').map(number);
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    unix_seconds((year, month, day), (hour, minute, second))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn upload_times_are_read_as_utc() {
        assert_eq!(iso("2024-02-29T12:00:00.123456Z"), Some(1_709_208_000));
        assert_eq!(iso("1970-01-01T00:00:00Z"), Some(0));
        for bad in [
            "",
            "2024",
            "2024-02-29T12:00Z",
            "2024-13-01T00:00:00Z",
            "x-y-zTa:b:cZ",
            "2024-01-01T24:00:00Z",
            "2024-01-01T00:60:00Z",
            "2024-01-01T00:00:61Z",
            "2024-01-01T-1:00:00Z",
            "2024-01-01T9000000000000000000:00:00Z",
        ] {
            assert_eq!(iso(bad), None, "{bad}");
        }
    }

    #[test]
    fn dates_of_headers_are_read() {
        assert_eq!(http("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        for bad in [
            "",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun, 06 Foo 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37",
        ] {
            assert_eq!(http(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_ends_the_program(text in "\\PC{0,40}|[0-9TZ:.,GMT -]{0,40}") {
            let _ = (iso(&text), http(&text));
        }
    }
}
