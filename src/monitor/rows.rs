//! Which slaves are shown, and in what order. Pure.

use std::cmp::Ordering;

use super::model::{Model, SlaveView};
use crate::domain::trend;
use crate::wire::status::{Doing, SlaveNow};

/// What rows are ordered by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// Number.
    #[default]
    Id,
    /// Label.
    Label,
    /// ABI.
    Abi,
    /// What it does; those that build first.
    State,
    /// How long it has done that; the longest first.
    Time,
    /// Load of each processor; the highest first.
    Load,
    /// Memory in use; the most first.
    Memory,
    /// Temperature; the hottest first.
    Heat,
}

impl Sort {
    /// All, in the order in which they come up.
    pub const ALL: [Self; 8] =
        [Self::Id, Self::Label, Self::Abi, Self::State, Self::Time, Self::Load, Self::Memory, Self::Heat];

    /// The next of them.
    pub fn next(self) -> Self {
        let at = Self::ALL.iter().position(|sort| *sort == self).unwrap_or(0);
        Self::ALL[(at + 1) % Self::ALL.len()]
    }

    /// For people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Id => "number",
            Self::Label => "label",
            Self::Abi => "ABI",
            Self::State => "state",
            Self::Time => "time",
            Self::Load => "load",
            Self::Memory => "memory",
            Self::Heat => "temperature",
        }
    }

    fn compare(self, a: &SlaveView, b: &SlaveView) -> Ordering {
        let sample = |slave: &SlaveView| slave.now.vitals.as_ref().map(trend::sample);
        let down = |value: fn(&crate::wire::status::Sample) -> Option<i64>| {
            sample(b).and_then(|s| value(&s)).cmp(&sample(a).and_then(|s| value(&s)))
        };
        match self {
            Self::Id => Ordering::Equal,
            Self::Label => a.now.label.cmp_text(&b.now.label),
            Self::Abi => a.now.abi.cmp_text(&b.now.abi),
            Self::State => rank(a.now.doing).cmp(&rank(b.now.doing)),
            Self::Time => a.now.since_ms.cmp(&b.now.since_ms),
            Self::Load => down(|s| Some(s.load_percent.into())),
            Self::Memory => down(|s| Some(s.memory_percent.into())),
            Self::Heat => down(|s| s.temperature.map(i64::from)),
        }
    }
}

/// Texts with numbers in them, in the order that people expect: `pi2` before `pi10`.
trait CompareText {
    fn cmp_text(&self, other: &str) -> Ordering;
}

impl CompareText for str {
    fn cmp_text(&self, other: &str) -> Ordering {
        let (mut a, mut b) = (self, other);
        loop {
            let number = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
            match (number(a), number(b)) {
                (0, _) | (_, 0) => {
                    let (x, y) = (a.chars().next(), b.chars().next());
                    if x.is_none() || x != y {
                        return x.cmp(&y);
                    }
                    let length = x.map_or(0, char::len_utf8);
                    (a, b) = (&a[length..], &b[length..]);
                }
                (m, n) => {
                    let (x, y) = (a[..m].trim_start_matches('0'), b[..n].trim_start_matches('0'));
                    let order = x.len().cmp(&y.len()).then_with(|| x.cmp(y));
                    if order.is_ne() {
                        return order;
                    }
                    (a, b) = (&a[m..], &b[n..]);
                }
            }
        }
    }
}

const fn rank(doing: Doing) -> u8 {
    match doing {
        Doing::Building => 0,
        Doing::Delivering => 1,
        Doing::Returning => 2,
        Doing::Greeting => 3,
        Doing::Asking => 4,
        Doing::Idle => 5,
        Doing::Asleep => 6,
        Doing::Leaving => 7,
    }
}

/// What a slave is doing, in a word for the table.
pub fn state(slave: &SlaveNow) -> &'static str {
    match slave.doing {
        _ if slave.skipping => "cancelling",
        Doing::Asleep | Doing::Idle | Doing::Asking if slave.holds_back.is_some() => "unfit",
        Doing::Asleep | Doing::Idle | Doing::Asking if slave.resting => "resting",
        doing => doing.name(),
    }
}

/// Whether all words of the filter stand somewhere in what is shown of a slave.
pub fn matches(slave: &SlaveNow, filter: &str) -> bool {
    let mut all = format!(
        "{} {} {} {} {} {}",
        slave.slave_id,
        &*slave.label,
        &*slave.abi,
        &*slave.platform,
        slave.doing.name(),
        state(slave)
    );
    if let Some(board) = &slave.board {
        all += &format!(" {}", &*board.machine);
    }
    if let Some(job) = &slave.job {
        all += &format!(" {} {}", &*job.package, &*job.version);
    }
    let all = all.to_lowercase();
    filter.to_lowercase().split_whitespace().all(|word| all.contains(word))
}

/// The numbers of the slaves that are shown, in their order.
pub fn rows(model: &Model, filter: &str, sort: Sort, reversed: bool) -> Vec<u32> {
    let mut slaves: Vec<&SlaveView> =
        model.slaves.values().filter(|slave| matches(&slave.now, filter)).collect();
    slaves.sort_by(|a, b| sort.compare(a, b).then(a.now.slave_id.cmp(&b.now.slave_id)));
    if reversed {
        slaves.reverse();
    }
    slaves.iter().map(|slave| slave.now.slave_id).collect()
}

#[cfg(test)]
mod tests {
    use super::super::model::tests::{model, slave, vitals};
    use super::*;
    use crate::wire::Text;
    use crate::wire::status::ToMonitor;

    fn farm() -> Model {
        let mut two = slave(2, "pi10", Some((7, "numpy")));
        two.vitals = Some(vitals(300));
        let mut three = slave(3, "pi2", None);
        (three.vitals, three.abi) = (None, Text::new("cp39").unwrap());
        let all = [slave(1, "x86", None), two, three];
        model(all.map(|slave| ToMonitor::Slave { slave }))
    }

    #[test]
    fn rows_have_an_order_of_the_users_choice() {
        let rows = |sort, reversed| rows(&farm(), "", sort, reversed);
        assert_eq!(rows(Sort::Id, false), [1, 2, 3]);
        assert_eq!(rows(Sort::Id, true), [3, 2, 1]);
        assert_eq!(rows(Sort::Label, false), [3, 2, 1], "pi2 before pi10");
        assert_eq!(rows(Sort::Abi, false), [3, 1, 2], "cp39 before cp311");
        assert_eq!(rows(Sort::State, false), [2, 1, 3]);
        assert_eq!(rows(Sort::Load, false), [2, 1, 3], "who says nothing is last");
        let mut sort = Sort::Id;
        let round: Vec<Sort> = (0..Sort::ALL.len())
            .map(|_| {
                sort = sort.next();
                sort
            })
            .collect();
        assert_eq!((round[0], round[7]), (Sort::Label, Sort::Id));
    }

    #[test]
    fn a_filter_wants_all_of_its_words() {
        let rows = |filter| rows(&farm(), filter, Sort::Id, false);
        assert_eq!(rows("PI"), [1, 2, 3], "boards are Pis");
        assert_eq!(rows("num building"), [2]);
        assert_eq!(rows("cp39"), [3]);
        assert_eq!(rows("cp39 building"), [] as [u32; 0]);
    }
}
