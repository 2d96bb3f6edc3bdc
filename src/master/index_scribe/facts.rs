//! What a slave says of a build, as pages show it: names and values, in an order that never changes. The template escapes.

use serde::Serialize;

use crate::master::report::KeptReport;

/// One line of a report.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Fact {
    name: &'static str,
    value: String,
}

/// What is known of a build; what its slave could not tell is left out, except that nothing stood around it.
pub(super) fn facts(report: &KeptReport, duration_ms: u64) -> Vec<Fact> {
    let sdist = report.sdist.as_ref();
    let requirements = report.requirements.join(", ");
    let walls = if report.walls.is_empty() { "none".to_owned() } else { report.walls.join(", ") };
    let known = [
        ("Interpreter", report.interpreter.clone()),
        ("pip", report.pip.clone()),
        ("pip's arguments", report.pip_arguments.clone()),
        ("Compiler", report.compiler.clone()),
        ("Machine", report.machine.clone()),
        ("System", report.os.clone()),
        ("Platform", report.platform.clone()),
        ("Walls", Some(walls)),
        ("Source", sdist.map(|sdist| format!("{}, {} bytes", sdist.filename, sdist.size))),
        ("SHA-256", sdist.map(|sdist| sdist.sha256.clone())),
        ("Build requirements", (!requirements.is_empty()).then_some(requirements)),
        ("Peak memory", report.peak_memory.map(mebibytes)),
        ("Processor time", report.cpu_ms.map(seconds)),
        ("Duration", Some(seconds(duration_ms))),
    ];
    known.into_iter().filter_map(|(name, value)| Some(Fact { name, value: value? })).collect()
}

fn seconds(ms: u64) -> String {
    format!("{}.{} s", ms / 1000, ms % 1000 / 100)
}

fn mebibytes(bytes: u64) -> String {
    format!("{}.{} MiB", bytes >> 20, ((bytes & 0xf_ffff) * 10) >> 20)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::master::report::Sdist;

    #[test]
    fn what_is_not_known_is_left_out() {
        let names: Vec<_> =
            facts(&KeptReport::default(), 1250).into_iter().map(|f| (f.name, f.value)).collect();
        assert_eq!(names, [("Walls", "none".to_owned()), ("Duration", "1.2 s".to_owned())]);
    }

    #[test]
    fn numbers_are_read_by_people() {
        let report = KeptReport {
            sdist: Some(Sdist {
                filename: "foo-1.0.tar.gz".to_owned(),
                size: 12_345,
                sha256: "ab".to_owned(),
            }),
            walls: vec!["namespaces".to_owned(), "net-off".to_owned()],
            requirements: vec!["setuptools-69.5.1".to_owned(), "wheel-0.43.0".to_owned()],
            peak_memory: Some((312 << 20) + (1 << 19)),
            cpu_ms: Some(61_999),
            ..KeptReport::default()
        };
        let values: Vec<_> = facts(&report, 0).into_iter().map(|fact| fact.value).collect();
        assert_eq!(
            values,
            [
                "namespaces, net-off",
                "foo-1.0.tar.gz, 12345 bytes",
                "ab",
                "setuptools-69.5.1, wheel-0.43.0",
                "312.5 MiB",
                "61.9 s",
                "0.0 s",
            ]
        );
        assert_eq!(
            (mebibytes(u64::MAX), seconds(u64::MAX)),
            ("17592186044415.9 MiB".to_owned(), "18446744073709551.6 s".to_owned())
        );
    }
}
