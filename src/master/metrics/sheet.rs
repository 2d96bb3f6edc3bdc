//! The text that Prometheus reads: its own format 0.0.4, and OpenMetrics 1.0, which differs from it in the names of
//! counters' families, the escapes of HELP and the end.
//!
//! Label values may be anything: what they have of backslashes, quotes and ends of lines is escaped, and they are cut. A
//! metric has [`SERIES`] label sets at most; what was left out is counted and said.

use std::fmt::Write;

use super::histogram::Histogram;

/// Label sets of one metric. ABIs (62 at most) times what else a label names stay far below it.
pub const SERIES: usize = 2000;
/// Characters of a label's value; more are cut.
pub const LABEL_CHARS: usize = 128;

/// What kind of number a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, from the start of the master on.
    Counter,
    /// What is now.
    Gauge,
    /// Counts of times by how long they were.
    Histogram,
}

impl Kind {
    /// As TYPE names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A metric: what there is to know of it before there are numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// With prefix and unit; a counter's ends in `_total`.
    pub name: &'static str,
    /// For people.
    pub help: &'static str,
    /// Of which kind it is.
    pub kind: Kind,
    /// Names of its labels.
    pub labels: &'static [&'static str],
}

/// Which text is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Prometheus' own, version 0.0.4.
    Prometheus,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
}

impl Format {
    /// For Content-Type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// A text that is being made.
#[derive(Debug)]
pub struct Sheet {
    format: Format,
    text: String,
    left_out: u64,
}

/// One metric of it, to which samples are added. Nothing is written of a metric without samples.
#[derive(Debug)]
pub struct Family<'a> {
    sheet: &'a mut Sheet,
    metric: &'static Metric,
    samples: usize,
}

impl Sheet {
    /// An empty one.
    pub fn new(format: Format) -> Self {
        Self { format, text: String::with_capacity(32 * 1024), left_out: 0 }
    }

    /// Begins a metric; each once.
    pub fn family(&mut self, metric: &'static Metric) -> Family<'_> {
        Family { sheet: self, metric, samples: 0 }
    }

    /// A metric without labels.
    pub fn put(&mut self, metric: &'static Metric, value: impl Into<Number>) {
        self.family(metric).put(&[], value);
    }

    /// Series that were left out because their metrics had too many.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// The whole text.
    pub fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }

    fn head(&mut self, metric: &Metric) {
        let name = match (self.format, metric.kind) {
            (Format::OpenMetrics, Kind::Counter) => metric.name.strip_suffix("_total").unwrap_or(metric.name),
            _ => metric.name,
        };
        self.text.push_str("# HELP ");
        self.text.push_str(name);
        self.text.push(' ');
        let quotes = self.format == Format::OpenMetrics;
        metric.help.chars().for_each(|c| escape(&mut self.text, c, quotes));
        let _ = writeln!(self.text, "\n# TYPE {name} {}", metric.kind.name());
    }
}

impl Family<'_> {
    /// Adds a sample; `values` are those of the metric's labels, in their order.
    pub fn put(&mut self, values: &[&str], value: impl Into<Number>) -> &mut Self {
        if self.begin() {
            let name = self.metric.name;
            self.line(name, values, None, value.into());
        }
        self
    }

    /// Adds a histogram.
    pub fn histogram(&mut self, values: &[&str], histogram: &Histogram) -> &mut Self {
        if self.begin() {
            let name = self.metric.name;
            let bucket = format!("{name}_bucket");
            for (bound, within) in histogram.cumulative() {
                self.line(&bucket, values, Some(bound), within.into());
            }
            self.line(&format!("{name}_sum"), values, None, histogram.sum().into());
            self.line(&format!("{name}_count"), values, None, histogram.total().into());
        }
        self
    }

    /// Whether there is room for another label set.
    fn begin(&mut self) -> bool {
        if self.samples == SERIES {
            self.sheet.left_out += 1;
            return false;
        }
        if self.samples == 0 {
            self.sheet.head(self.metric);
        }
        self.samples += 1;
        true
    }

    fn line(&mut self, name: &str, values: &[&str], bound: Option<f64>, value: Number) {
        debug_assert_eq!(values.len(), self.metric.labels.len(), "{name} has other labels");
        let text = &mut self.sheet.text;
        text.push_str(name);
        let mut between = '{';
        for (label, value) in self.metric.labels.iter().zip(values) {
            text.push(between);
            text.push_str(label);
            text.push_str("=\"");
            value.chars().take(LABEL_CHARS).for_each(|c| escape(text, c, true));
            text.push('"');
            between = ',';
        }
        if let Some(bound) = bound {
            text.push(between);
            text.push_str("le=\"");
            // the same in both formats, or one would have other series than the other
            match bound.fract() == 0.0 {
                true => _ = write!(text, "{bound:.1}"),
                false => number(text, bound),
            }
            text.push('"');
            between = ',';
        }
        if between == ',' {
            text.push('}');
        }
        text.push(' ');
        match value {
            Number::Whole(n) => _ = write!(text, "{n}"),
            Number::Real(x) => number(text, x),
        }
        text.push('\n');
    }
}

/// A sample's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// A count.
    Whole(u64),
    /// Anything else.
    Real(f64),
}

impl From<u64> for Number {
    fn from(n: u64) -> Self {
        Self::Whole(n)
    }
}

impl From<usize> for Number {
    fn from(n: usize) -> Self {
        Self::Whole(n as u64)
    }
}

impl From<bool> for Number {
    fn from(is: bool) -> Self {
        Self::Whole(is.into())
    }
}

impl From<f64> for Number {
    fn from(x: f64) -> Self {
        Self::Real(x)
    }
}

fn escape(text: &mut String, c: char, quotes: bool) {
    match c {
        '\\' => text.push_str("\\\\"),
        '\n' => text.push_str("\\n"),
        '"' if quotes => text.push_str("\\\""),
        c => text.push(c),
    }
}

fn number(text: &mut String, x: f64) {
    if x.is_nan() {
        text.push_str("NaN");
    } else if x.is_infinite() {
        text.push_str(if x > 0.0 { "+Inf" } else { "-Inf" });
    } else {
        let _ = write!(text, "{x}");
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const JOBS: Metric =
        Metric { name: "x_jobs", help: "Jobs.", kind: Kind::Gauge, labels: &["abi", "class"] };
    const BYTES: Metric =
        Metric { name: "x_bytes_total", help: "A \"byte\" is \\ 8\nbits.", kind: Kind::Counter, labels: &[] };
    const TURNS: Metric =
        Metric { name: "x_turn_seconds", help: "Turns.", kind: Kind::Histogram, labels: &["of"] };

    fn sheet(format: Format) -> String {
        let mut sheet = Sheet::new(format);
        sheet.family(&JOBS).put(&["cp311", "new"], 3_u64).put(&["cp312", ""], 0.25);
        sheet.put(&BYTES, u64::MAX);
        let mut turns = Histogram::new(&[0.000_064, 1.0]);
        turns.count(Duration::from_millis(500));
        sheet.family(&TURNS).histogram(&["a"], &turns);
        sheet.finish()
    }

    #[test]
    fn both_formats_as_their_specifications_have_them() {
        let rest = r#"x_bytes_total 18446744073709551615
# HELP x_turn_seconds Turns.
# TYPE x_turn_seconds histogram
x_turn_seconds_bucket{of="a",le="0.000064"} 0
x_turn_seconds_bucket{of="a",le="1.0"} 1
x_turn_seconds_bucket{of="a",le="+Inf"} 1
x_turn_seconds_sum{of="a"} 0.5
x_turn_seconds_count{of="a"} 1
"#;
        let jobs = r#"# HELP x_jobs Jobs.
# TYPE x_jobs gauge
x_jobs{abi="cp311",class="new"} 3
x_jobs{abi="cp312",class=""} 0.25
"#;
        let bytes = "# HELP x_bytes_total A \"byte\" is \\\\ 8\\nbits.\n# TYPE x_bytes_total counter\n";
        assert_eq!(sheet(Format::Prometheus), format!("{jobs}{bytes}{rest}"));
        let bytes = "# HELP x_bytes A \\\"byte\\\" is \\\\ 8\\nbits.\n# TYPE x_bytes counter\n";
        assert_eq!(sheet(Format::OpenMetrics), format!("{jobs}{bytes}{rest}# EOF\n"));
    }

    #[test]
    fn a_hostile_label_value_stays_one_value_of_one_line() {
        let mut sheet = Sheet::new(Format::Prometheus);
        let hostile = "a\"} 1\nx_jobs{abi=\"\\";
        sheet.family(&JOBS).put(&[hostile, &"ü".repeat(500)], 1_u64);
        let text = sheet.finish();
        let line = text.lines().last().unwrap();
        assert_eq!(text.lines().count(), 3);
        let long = "ü".repeat(LABEL_CHARS);
        assert_eq!(line, format!(r#"x_jobs{{abi="a\"}} 1\nx_jobs{{abi=\"\\",class="{long}"}} 1"#));
    }

    #[test]
    fn what_is_no_ordinary_number_is_written_as_prometheus_reads_it() {
        for (x, wanted) in [
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (-1.5, "-1.5"),
            (1e15, "1000000000000000"),
            (0.0, "0"),
        ] {
            let mut text = String::new();
            number(&mut text, x);
            assert_eq!(text, wanted);
        }
    }

    #[test]
    fn too_many_series_are_left_out_and_counted_and_none_leave_no_trace() {
        let mut sheet = Sheet::new(Format::Prometheus);
        let mut family = sheet.family(&JOBS);
        for n in 0..SERIES + 3 {
            family.put(&["cp311", &n.to_string()], 1_u64);
        }
        sheet.family(&TURNS);
        assert_eq!(sheet.left_out(), 3);
        let text = sheet.finish();
        assert_eq!(text.lines().count(), SERIES + 2);
        assert!(!text.contains("x_turn"), "no HELP without samples");
    }
}
