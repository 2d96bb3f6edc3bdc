//! What a round does, drawn from its seed: the same seed draws the same.

use std::time::Duration;

use piwheels::master::failpoint;

/// splitmix64: every seed is a good one.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below that.
    pub(super) fn below(&mut self, most: usize) -> usize {
        (self.number() % most as u64) as usize
    }

    pub(super) fn one_in(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }

    pub(super) fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.number() % (to - from))
    }
}

/// How one life of the master ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fate {
    /// `kill -9` after so long.
    Killed(Duration),
    /// It ends at this point, the so-manieth time it passes it.
    EndsAt(&'static str, u32),
    /// It stops there, the database crashes and comes back meanwhile; then it is killed, or goes on with broken
    /// sessions until it is.
    StopsAt(&'static str, u32, AfterStop),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AfterStop {
    Killed,
    GoesOn,
}

/// What happens beside the master's lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Incident {
    LightKilled(usize),
    RealKilled,
    DatabaseCrashes,
}

#[derive(Debug)]
pub(super) struct Plan {
    pub(super) lives: Vec<Fate>,
    /// By the time since the first master's end.
    pub(super) incidents: Vec<(Duration, Incident)>,
}

/// How many of a round's masters end at a named point: so many that ten rounds of neighbouring seeds take all of them.
const POINTS: u64 = 3;
const _: () = assert!(POINTS * 10 >= failpoint::ALL.len() as u64);

impl Plan {
    pub(super) fn of(seed: u64, light: usize) -> Self {
        let mut dice = Dice::new(seed);
        let mut lives = vec![Fate::Killed(dice.millis(100, 1200))];
        for n in 0..POINTS {
            let point = failpoint::ALL
                [(seed.wrapping_mul(POINTS).wrapping_add(n) % failpoint::ALL.len() as u64) as usize];
            let time = 1 + dice.below(3) as u32;
            lives.push(match dice.below(4) {
                0 => Fate::StopsAt(point, time, AfterStop::Killed),
                1 => Fate::StopsAt(point, time, AfterStop::GoesOn),
                _ => Fate::EndsAt(point, time),
            });
        }
        if dice.one_in(2) {
            lives.push(Fate::Killed(dice.millis(50, 1500)));
        }
        let mut incidents: Vec<_> = (0..1 + dice.below(3))
            .map(|_| (dice.millis(0, 4000), Incident::LightKilled(dice.below(light))))
            .collect();
        if dice.one_in(2) {
            incidents.push((dice.millis(500, 4000), Incident::RealKilled));
        }
        if dice.one_in(2) {
            incidents.push((dice.millis(0, 4000), Incident::DatabaseCrashes));
        }
        incidents.sort_by_key(|(at, _)| *at);
        Self { lives, incidents }
    }
}
