//! Numbers, spans and moments as people read them. Pure.

/// `1,234,567`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Short enough for an axis: `950`, `1.2k`, `34k`, `5M`.
pub(super) fn short(number: u64) -> String {
    let steps = [(1_000_000_000_000, "T"), (1_000_000_000, "G"), (1_000_000, "M"), (1000, "k")];
    let Some((step, unit)) = steps.into_iter().find(|(step, _)| number >= *step) else {
        return number.to_string();
    };
    let tenths = number % step / (step / 10);
    if tenths == 0 || number / step >= 10 {
        format!("{}{unit}", number / step)
    } else {
        format!("{}.{tenths}{unit}", number / step)
    }
}

/// `1.5 GiB`.
pub(super) fn bytes(number: u64) -> String {
    let steps = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
    match steps.into_iter().find(|(shift, _)| number >> shift > 0) {
        Some((shift, unit)) => {
            let tenths = (((number >> (shift - 10)) & 1023) * 10) >> 10;
            format!("{}.{tenths} {unit}", number >> shift)
        }
        None => format!("{number} bytes"),
    }
}

/// `1,234 days`, `3 d 4 h`, `2 h 5 min`, `4 min 10 s`, `12.3 s`.
pub(super) fn span(ms: u64) -> String {
    let seconds = ms / 1000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match seconds {
        0..60 => format!("{seconds}.{} s", ms % 1000 / 100),
        60..3600 => format!("{minutes} min {} s", seconds % 60),
        3600..86_400 => format!("{hours} h {minutes} min"),
        86_400..864_000 => format!("{days} d {hours} h"),
        _ => format!("{} days", grouped(days)),
    }
}

/// `28 Nov` of `2026-11-28`; what is no date stays as it is.
pub(super) fn day(date: &str) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let parts: Option<(usize, u8)> = (|| {
        let mut parts = date.get(5..)?.split('-');
        Some((parts.next()?.parse().ok()?, parts.next()?.get(..2)?.parse().ok()?))
    })();
    match parts {
        Some((month @ 1..=12, day)) => format!("{day} {}", MONTHS[month - 1]),
        _ => date.to_owned(),
    }
}

/// `28 Nov, 14:20 UTC` of `2026-11-28T14:20:33Z`.
pub(super) fn moment(at: &str) -> String {
    match at.get(11..16) {
        Some(time) => format!("{}, {time} UTC", day(at)),
        None => at.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_by_people() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(grouped(u64::MAX), "18,446,744,073,709,551,615");
        assert_eq!(
            [0, 999, 1000, 1250, 12_500, 2_000_000, u64::MAX].map(short),
            ["0", "999", "1k", "1.2k", "12k", "2M", "18446744T"]
        );
        assert_eq!([0, 1023, 1536, 5 << 30].map(bytes), ["0 bytes", "1023 bytes", "1.5 KiB", "5.0 GiB"]);
        assert_eq!(bytes(u64::MAX), "16777215.9 TiB");
        assert_eq!(
            [0, 59_999, 60_000, 3_725_000, 90_000_000, 864_000_000, u64::MAX].map(span),
            ["0.0 s", "59.9 s", "1 min 0 s", "1 h 2 min", "1 d 1 h", "10 days", "213,503,982,334 days"]
        );
    }

    #[test]
    fn days_and_moments_are_read_by_people_and_what_is_none_is_left_alone() {
        assert_eq!((day("2026-11-08").as_str(), day("2026-13-08").as_str()), ("8 Nov", "2026-13-08"));
        assert_eq!(moment("2026-11-28T14:20:33Z"), "28 Nov, 14:20 UTC");
        for odd in ["", "é", "2026", "2026-1é-ü", "infinity-----é----"] {
            day(odd);
            moment(odd);
        }
    }
}
