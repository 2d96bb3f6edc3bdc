//! Charts, as the boxes and words that `templates/chart.html` draws them from: no style, no script, and the same as a table
//! beneath for those who cannot see it. Pure; numbers in, coordinates of the drawing out.

use serde::Serialize;

use super::words::{day, grouped, short};

/// The drawing: units are about pixels of a phone.
const WIDTH: u64 = 420;
const HEIGHT: u64 = 190;
/// Room for the labels at the left and at the bottom.
const LEFT: u64 = 44;
const BOTTOM: u64 = 24;
const TOP: u64 = 10;
/// A line of a chart of bars that lie, and where its bar begins.
const LINE: u64 = 26;
const NAMES: u64 = 128;
/// Room for the figure behind a bar.
const FIGURE: u64 = 64;

/// A chart with its table.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Chart {
    /// Unique on the page.
    id: &'static str,
    title: &'static str,
    /// What it shows, in a sentence.
    description: String,
    width: u64,
    height: u64,
    legend: Vec<Key>,
    bars: Vec<Bar>,
    rules: Vec<Rule>,
    labels: Vec<Label>,
    head: Vec<&'static str>,
    rows: Vec<Row>,
}

/// What a colour stands for.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Key {
    class: &'static str,
    word: &'static str,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Bar {
    class: &'static str,
    x: u64,
    y: u64,
    width: u64,
    height: u64,
    says: String,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Rule {
    from: u64,
    to: u64,
    y: u64,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Label {
    anchor: &'static str,
    x: u64,
    y: u64,
    text: String,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Row {
    name: String,
    cells: Vec<String>,
}

/// A part of each column: its look and its name.
pub(super) type Part = (&'static str, &'static str);

/// A column for each day, made of one box for each part, the first at the bottom.
pub(super) fn columns(
    id: &'static str,
    title: &'static str,
    parts: &[Part],
    days: &[(String, Vec<u64>)],
) -> Chart {
    let sum = |values: &[u64]| values.iter().fold(0_u64, |sum, value| sum.saturating_add(*value));
    let most = days.iter().map(|(_, values)| sum(values)).max().unwrap_or_default();
    let all = days.iter().fold(0_u64, |all, (_, values)| all.saturating_add(sum(values)));
    let ceiling = ceiling(most);
    let floor = HEIGHT - BOTTOM;
    let scale = |value: u64| scaled(value, ceiling, floor - TOP);
    let count = (days.len() as u64).max(1);
    let step = (WIDTH - LEFT) / count;
    let mut chart = Chart {
        id,
        title,
        description: format!(
            "{} in the last {count} days, at most {} on one of them.",
            grouped(all),
            grouped(most)
        ),
        width: WIDTH,
        height: HEIGHT,
        head: std::iter::once("Day").chain(parts.iter().map(|(_, name)| *name)).collect(),
        ..Chart::default()
    };
    if parts.len() > 1 {
        chart.legend = parts.iter().map(|(class, word)| Key { class, word }).collect();
    }
    for value in if ceiling == 0 { vec![0] } else { vec![0, ceiling / 2, ceiling] } {
        let y = floor - scale(value);
        chart.rules.push(Rule { from: LEFT, to: WIDTH, y });
        chart.labels.push(Label { anchor: "end", x: LEFT - 6, y: y + 4, text: short(value) });
    }
    for (index, (date, values)) in days.iter().enumerate() {
        let x = LEFT + index as u64 * step;
        let mut below = 0;
        for ((class, name), value) in parts.iter().zip(values) {
            let top = u64::saturating_add(below, *value);
            let (from, to) = (scale(below), scale(top));
            if to > from {
                chart.bars.push(Bar {
                    class,
                    x: x + 1,
                    y: floor - to,
                    width: step.saturating_sub(2).max(1),
                    height: to - from,
                    says: format!("{}: {} {}", day(date), grouped(*value), name.to_lowercase()),
                });
            }
            below = top;
        }
        // from the last day backwards, a week apart
        if (days.len() - 1 - index).is_multiple_of(7) {
            chart.labels.push(Label {
                anchor: "middle",
                x: (x + step / 2).min(WIDTH - 18),
                y: HEIGHT - 6,
                text: day(date),
            });
        }
        let cells = values.iter().map(|value| grouped(*value)).collect();
        chart.rows.push(Row { name: date.clone(), cells });
    }
    chart.rows.reverse();
    chart
}

/// A bar that lies for each name, the longest first.
pub(super) fn bars(
    id: &'static str,
    title: &'static str,
    of: &'static str,
    rows: &[(String, &'static str, u64)],
) -> Chart {
    let most = rows.iter().map(|(_, _, value)| *value).max().unwrap_or_default();
    let all = rows.iter().fold(0_u64, |all, (_, _, value)| all.saturating_add(*value));
    let mut chart = Chart {
        id,
        title,
        description: format!("{} in all, of {} kinds.", grouped(all), rows.len()),
        width: WIDTH,
        height: (rows.len() as u64 * LINE + 6).max(LINE),
        head: vec![of, "Builds"],
        ..Chart::default()
    };
    for (index, (name, class, value)) in rows.iter().enumerate() {
        let y = index as u64 * LINE + 4;
        let width = scaled(*value, most, WIDTH - NAMES - FIGURE).max(1);
        chart.bars.push(Bar {
            class,
            x: NAMES,
            y,
            width,
            height: LINE - 9,
            says: format!("{name}: {}", grouped(*value)),
        });
        chart.labels.push(Label { anchor: "end", x: NAMES - 8, y: y + 13, text: name.clone() });
        chart.labels.push(Label { anchor: "start", x: NAMES + width + 6, y: y + 13, text: short(*value) });
        chart.rows.push(Row { name: name.clone(), cells: vec![grouped(*value)] });
    }
    chart
}

/// The end of an axis: 2, 4, 6, 8 or 10 and noughts, so that its half is a whole number.
fn ceiling(most: u64) -> u64 {
    if most == 0 {
        return 0;
    }
    let mut unit: u64 = 1;
    loop {
        for step in [2, 4, 6, 8, 10] {
            match unit.checked_mul(step) {
                Some(end) if end >= most => return end,
                Some(_) => {}
                None => return u64::MAX,
            }
        }
        unit = unit.saturating_mul(10);
    }
}

/// `value` of `whole`, in `length` units; something is never nothing.
fn scaled(value: u64, whole: u64, length: u64) -> u64 {
    if value == 0 || whole == 0 {
        return 0;
    }
    let exact = u128::from(value) * u128::from(length) / u128::from(whole);
    u64::try_from(exact).unwrap_or(length).clamp(1, length)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARTS: [Part; 2] = [("ok", "Built"), ("bad", "Failed")];

    fn days(values: &[[u64; 2]]) -> Vec<(String, Vec<u64>)> {
        let day = |(n, values): (usize, &[u64; 2])| (format!("2026-11-{:02}", n + 1), values.to_vec());
        values.iter().enumerate().map(day).collect()
    }

    #[test]
    fn boxes_stand_on_each_other_and_stay_in_the_drawing_whatever_the_numbers() {
        for values in
            [[[0, 0], [0, 0]], [[1, 0], [0, 1]], [[7, 3], [0, 1_000_000]], [[u64::MAX / 2, 5], [1, 1]]]
        {
            let chart = columns("builds", "Builds", &PARTS, &days(&values));
            for bar in &chart.bars {
                assert!(bar.y >= TOP && bar.height > 0, "{bar:?}");
                assert!(bar.y + bar.height <= HEIGHT - BOTTOM && bar.x + bar.width <= WIDTH, "{bar:?}");
            }
            assert_eq!(chart.rows.len(), 2);
        }
        let chart = columns("builds", "Builds", &PARTS, &days(&[[6, 4]]));
        assert_eq!(chart.bars[1].y + chart.bars[1].height, chart.bars[0].y, "the second on the first");
        assert_eq!(chart.bars[0].says, "1 Nov: 6 built");
        assert_eq!(chart.description, "10 in the last 1 days, at most 10 on one of them.");
    }

    #[test]
    fn the_table_has_every_figure_newest_day_first() {
        let chart = columns("builds", "Builds", &PARTS, &days(&[[1, 2], [3000, 4]]));
        let rows: Vec<_> = chart.rows.iter().map(|row| (row.name.as_str(), row.cells.join(" "))).collect();
        assert_eq!(rows, [("2026-11-02", "3,000 4".to_owned()), ("2026-11-01", "1 2".to_owned())]);
        assert_eq!(chart.head, ["Day", "Built", "Failed"]);
    }

    #[test]
    fn an_axis_ends_at_a_round_number_that_everything_is_below() {
        let ends = [0, 1, 2, 3, 5, 10, 11, 41, 401, 1_000_001].map(ceiling);
        assert_eq!(ends, [0, 2, 2, 4, 6, 10, 20, 60, 600, 2_000_000]);
        assert_eq!(ceiling(u64::MAX), u64::MAX);
    }

    #[test]
    fn lying_bars_are_as_long_as_their_share() {
        let rows = [("failed".to_owned(), "bad", 100), ("network".to_owned(), "wait", 50)];
        let chart = bars("failures", "Failures", "Outcome", &rows);
        assert_eq!(chart.bars[0].width, 2 * chart.bars[1].width);
        assert_eq!(bars("failures", "Failures", "Outcome", &[]).bars, []);
    }
}
