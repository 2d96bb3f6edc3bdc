//! Whether this machine is fit for a job: a clock that is set, room on the disk, and a temperature that leaves some way
//! up. Judged by what `vitals.rs` read; what it could not read speaks against nothing. Pure.
//!
//! A clock that was never set is told by its date: before [`EARLIEST`], when this program was not yet written. The
//! kernel's own word for it (STA_UNSYNC of adjtimex(2)) is not asked: it is said too of a clock that is right but kept
//! by a chip, by a hypervisor, or by a daemon that does not tell the kernel. A board without a chip that was given the
//! time of its last shutdown escapes this; the master tells its operator of any clock that is off (`wire-spec/slave.md`).

use crate::wire::Text;
use crate::wire::limits::HOLDS_BACK_BYTES;
use crate::wire::slave::Vitals;

/// No clock that is set shows less, in milliseconds since 1970: 1 January 2026.
pub const EARLIEST: u64 = 1_767_225_600_000;
/// A machine that was too hot gets no job until it is cooler than its limit by this, in tenths of a degree: it would
/// otherwise be let in and sent away with every breath of air.
const COOLER_BY: i16 = 50;

/// What a machine must be like to be given a job.
#[derive(Clone, Debug, Default)]
pub struct Demands {
    /// Bytes that must be free where builds write; 0: none.
    pub disk_floor: u64,
    /// The temperature, in degrees Celsius, at which no job is asked for; none: no limit.
    pub max_temperature: Option<u8>,
}

/// The judge. It remembers whether the machine was too hot.
#[derive(Debug)]
pub struct Fitness {
    demands: Demands,
    hot: bool,
}

impl Fitness {
    /// Judges by these.
    pub fn new(demands: Demands) -> Self {
        Self { demands, hot: false }
    }

    /// Why the machine is not fit for a job, for people; the words do not vary with what was measured.
    pub fn judge(&mut self, vitals: &Vitals) -> Option<Text<HOLDS_BACK_BYTES>> {
        let Demands { disk_floor, max_temperature } = self.demands;
        self.hot = match (max_temperature, vitals.temperature) {
            (Some(limit), Some(now)) => {
                let limit = i16::from(limit) * 10;
                now >= if self.hot { limit - COOLER_BY } else { limit }
            }
            _ => false,
        };
        let reason = if vitals.clock_ms < EARLIEST {
            "its clock is not set: it shows a time before 2026".to_owned()
        } else if vitals.disk_total > 0 && vitals.disk_free < disk_floor {
            format!("its disk is full: less than {} is free, which --disk-floor asks for", size(disk_floor))
        } else if self.hot {
            let limit = max_temperature.unwrap_or_default();
            format!("it is too hot: not yet {} degrees below --max-temperature {limit}", COOLER_BY / 10)
        } else {
            return None;
        };
        Some(Text::cut(&reason))
    }
}

/// A number of bytes as options say it, in the largest unit that it is a whole number of.
fn size(bytes: u64) -> String {
    let units = [(40, "T"), (30, "G"), (20, "M"), (10, "K")];
    match units.iter().find(|(shift, _)| bytes.trailing_zeros() >= *shift) {
        Some((shift, unit)) if bytes > 0 => format!("{}{unit}", bytes >> shift),
        _ => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vitals(clock_ms: u64, disk_free: u64, temperature: Option<i16>) -> Vitals {
        Vitals {
            load1_centi: 0,
            cpus: 4,
            memory_total: 1 << 30,
            memory_free: 1 << 29,
            disk_total: 8 << 30,
            disk_free,
            temperature,
            clock_ms,
            throttled: None,
        }
    }

    fn fitness(disk_floor: u64, max_temperature: Option<u8>) -> Fitness {
        Fitness::new(Demands { disk_floor, max_temperature })
    }

    #[test]
    fn a_clock_that_was_never_set_speaks_against_a_job() {
        let mut fitness = fitness(0, None);
        for clock in [0, 5_000, 1_400_000_000_000, EARLIEST - 1] {
            let reason = fitness.judge(&vitals(clock, 1, None)).unwrap();
            assert!(reason.contains("clock is not set"), "{clock}: {}", &*reason);
        }
        assert_eq!(fitness.judge(&vitals(EARLIEST, 0, None)), None);
        assert_eq!(crate::logging::utc(EARLIEST / 1000), "2026-01-01T00:00:00Z");
    }

    #[test]
    fn a_disk_below_its_floor_speaks_against_a_job_in_words_that_stay() {
        let mut fitness = fitness(1 << 30, None);
        let reason = fitness.judge(&vitals(EARLIEST, (1 << 30) - 1, None)).unwrap();
        assert!(reason.contains("less than 1G is free"), "{}", &*reason);
        assert_eq!(fitness.judge(&vitals(EARLIEST, 0, None)), Some(reason), "logged once");
        assert_eq!(fitness.judge(&vitals(EARLIEST, 1 << 30, None)), None);
        let unknown = Vitals { disk_total: 0, ..vitals(EARLIEST, 0, None) };
        assert_eq!(fitness.judge(&unknown), None, "what cannot be read speaks against nothing");
    }

    #[test]
    fn a_hot_machine_must_cool_down_by_some_degrees_first() {
        let mut fitness = fitness(0, Some(80));
        for (tenths, fit) in [
            (799, true),
            (800, false),
            (799, false),
            (750, false),
            (749, true),
            (799, true),
            (i16::MAX, false),
            (-50, true),
        ] {
            assert_eq!(fitness.judge(&vitals(EARLIEST, 0, Some(tenths))).is_none(), fit, "{tenths}");
        }
        fitness.judge(&vitals(EARLIEST, 0, Some(900)));
        assert_eq!(fitness.judge(&vitals(EARLIEST, 0, None)), None, "a sensor that is gone");
    }

    #[test]
    fn sizes_are_said_as_options_say_them() {
        for (bytes, said) in
            [(1 << 30, "1G"), (1536 << 20, "1536M"), (2 << 40, "2T"), (1000, "1000 bytes"), (1 << 14, "16K")]
        {
            assert_eq!(size(bytes), said);
            assert_eq!(said.trim_end_matches(" bytes").parse(), Ok(crate::config::Size(bytes)));
        }
    }
}
