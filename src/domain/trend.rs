//! How a slave's machine was doing of late: a ring of moments, for sparklines.

use std::collections::VecDeque;

use crate::wire::limits::TREND_SAMPLES;
use crate::wire::slave::Vitals;
use crate::wire::status::Sample;

/// The last moments, the oldest first; as many as TREND takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trend(VecDeque<Sample>);

impl Trend {
    /// What another kept; the last of it, if that is too much.
    pub fn of(samples: &[Sample]) -> Self {
        let from = samples.len().saturating_sub(TREND_SAMPLES);
        Self(samples[from..].iter().copied().collect())
    }

    /// A moment more, and the oldest less if there are too many.
    pub fn push(&mut self, sample: Sample) {
        if self.0.len() >= TREND_SAMPLES {
            self.0.pop_front();
        }
        self.0.push_back(sample);
    }

    /// All of it, the oldest first.
    pub fn samples(&self) -> impl ExactSizeIterator<Item = &Sample> + DoubleEndedIterator {
        self.0.iter()
    }
}

/// A moment, from what a machine says of itself; what is out of all bounds is the bound.
pub fn sample(vitals: &Vitals) -> Sample {
    let load = u64::from(vitals.load1_centi) / u64::from(vitals.cpus.max(1));
    Sample {
        load_percent: u16::try_from(load).unwrap_or(u16::MAX),
        memory_percent: used_percent(vitals.memory_free, vitals.memory_total),
        temperature: vitals.temperature,
    }
}

/// How much is used, in percent; 0 where nothing is known.
pub fn used_percent(free: u64, total: u64) -> u16 {
    let used = u128::from(total.saturating_sub(free));
    u16::try_from(used * 100 / u128::from(total.max(1))).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(load1_centi: u32, cpus: u16) -> Sample {
        sample(&Vitals {
            load1_centi,
            cpus,
            memory_total: 0,
            memory_free: 7,
            disk_total: 0,
            disk_free: 0,
            temperature: None,
            clock_ms: 0,
            throttled: None,
        })
    }

    #[test]
    fn a_machine_that_says_nonsense_has_a_sample_all_the_same() {
        assert_eq!(loaded(250, 4).load_percent, 62);
        assert_eq!((loaded(250, 0).load_percent, loaded(u32::MAX, 0).load_percent), (250, u16::MAX));
        assert_eq!(loaded(0, 0).memory_percent, 0);
        assert_eq!((used_percent(1, 4), used_percent(9, 4), used_percent(0, u64::MAX)), (75, 0, 100));
    }

    #[test]
    fn the_ring_keeps_the_last_moments() {
        let all: Vec<Sample> = (0..100).map(|load| loaded(load, 1)).collect();
        let mut trend = Trend::of(&all);
        assert_eq!(trend.samples().len(), TREND_SAMPLES);
        assert_eq!(trend.samples().next(), Some(&all[40]));
        trend.push(all[0]);
        assert_eq!((trend.samples().len(), trend.samples().next_back()), (TREND_SAMPLES, Some(&all[0])));
    }
}
