//! Numbers as people read them at a glance, and small pictures of numbers. Pure.

/// A span of time, in five characters at most: `59s`, `4m07`, `3h12`, `2d4h`, `99d`.
pub fn span(ms: u64) -> String {
    let secs = ms / 1000;
    match secs {
        0..60 => format!("{secs}s"),
        60..3600 => format!("{}m{:02}", secs / 60, secs % 60),
        3600..86_400 => format!("{}h{:02}", secs / 3600, secs / 60 % 60),
        86_400..864_000 => format!("{}d{}h", secs / 86_400, secs / 3600 % 24),
        _ => format!("{}d", secs / 86_400),
    }
}

/// Bytes in five characters at most: `812M`, `31G`, `1.8T`.
pub fn bytes(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "K", "M", "G", "T", "P"] {
        if value < 1000.0 {
            return match value {
                v if v < 9.95 && unit != "B" => format!("{v:.1}{unit}"),
                v => format!("{v:.0}{unit}"),
            };
        }
        value /= 1024.0;
    }
    format!("{value:.0}E")
}

/// A number with its thousands apart: `12,345`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The time of day in UTC, `12:34:56`, of milliseconds since 1970.
pub fn clock(ms: u64) -> String {
    let secs = ms / 1000;
    format!("{:02}:{:02}:{:02}", secs / 3600 % 24, secs / 60 % 60, secs % 60)
}

const SPARKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const ASCII_SPARKS: [char; 8] = ['_', '.', ':', '-', '=', '+', '*', '#'];

/// The last values as a line of bars between two bounds, `cells` long; blank where there was nothing yet.
pub fn sparks(
    values: impl DoubleEndedIterator<Item = Option<i64>>,
    bounds: (i64, i64),
    cells: u16,
    ascii: bool,
) -> String {
    let (low, high) = (bounds.0, bounds.1.max(bounds.0 + 1));
    let mut line: Vec<char> = values
        .rev()
        .take(cells.into())
        .map(|value| {
            let Some(value) = value else { return ' ' };
            let level = (value.clamp(low, high) - low) * 8 / (high - low);
            let level = usize::try_from(level).unwrap_or(0).min(7);
            if ascii { ASCII_SPARKS[level] } else { SPARKS[level] }
        })
        .collect();
    line.resize(cells.into(), ' ');
    line.into_iter().rev().collect()
}

/// A bar of so many cells, filled by so many percent.
pub fn bar(percent: u64, cells: u16, ascii: bool) -> String {
    let (full, empty) = if ascii { ('#', '.') } else { ('█', '░') };
    let filled = (u64::from(cells) * percent.min(100) + 50) / 100;
    // a little is not nothing, and much is not everything
    let filled = match percent {
        0 => 0,
        100.. => u64::from(cells),
        _ => filled.clamp(1, u64::from(cells).saturating_sub(1).max(1)),
    };
    (0..u64::from(cells)).map(|cell| if cell < filled { full } else { empty }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_sizes_fit_into_five_characters() {
        let spans = [0, 59, 60, 247, 3600, 11_520, 86_400, 187_200, 8_640_000].map(|secs| span(secs * 1000));
        assert_eq!(spans, ["0s", "59s", "1m00", "4m07", "1h00", "3h12", "1d0h", "2d4h", "100d"]);
        let sizes = [0, 999, 1000, 1 << 20, 812 << 20, 31 << 30, 1000 << 30, u64::MAX].map(bytes);
        assert_eq!(sizes, ["0B", "999B", "1.0K", "1.0M", "812M", "31G", "1.0T", "16E"]);
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(clock(1_700_000_000_000), "22:13:20");
    }

    #[test]
    fn the_last_values_are_shown_and_what_is_not_known_is_blank() {
        let line = |values: &[Option<i64>], cells| sparks(values.iter().copied(), (0, 100), cells, false);
        assert_eq!(line(&[Some(0), None, Some(50), Some(100), Some(900), Some(-5)], 6), "▁ ▅██▁");
        assert_eq!(line(&[Some(0), Some(100)], 4), "  ▁█");
        assert_eq!(line(&[Some(0), Some(100)], 1), "█");
        assert_eq!(sparks([Some(5)].into_iter(), (5, 5), 1, true), "_");
    }

    #[test]
    fn a_bar_is_empty_or_full_only_where_it_is_true() {
        assert_eq!(
            [0, 1, 50, 99, 100, 300].map(|p| bar(p, 4, true)),
            ["....", "#...", "##..", "###.", "####", "####"]
        );
        assert_eq!(bar(50, 0, false), "");
    }
}
