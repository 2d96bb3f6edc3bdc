//! Any sequence of steps of boards, disk, database and clock: what must hold after each, and at the end of all.
//!
//! After each step (see `world.rs` and `board.rs`): no panic; no DONE before its commit; no record before its files are
//! in place; a build is recorded by one transaction at a time; the bytes in flight are counted right and bounded;
//! the master says nothing that a slave may not hear in its state, and closes no connection without reason; who is
//! paused, short of disk, told to sleep or told to go is handed nothing out.

use proptest::prelude::*;

use super::world::{Luck, World};
use crate::domain::Millis;
use crate::master::event::Event;
use crate::wire::control::{FromTool, When};

const BOARDS: usize = 4;
const VERSIONS: usize = 6;

/// Free bytes of a master's disk.
const SHORT: u64 = 1 << 20;
const PLENTY: u64 = 1 << 39;

/// One step: what, who or which, and how.
type Step = (u8, u8, u8);

fn step(world: &mut World, (what, which, how): Step) {
    let board = usize::from(which) % BOARDS;
    match what {
        0..40 => drop(world.act(board)),
        40..50 => drop(world.database_works(which.into())),
        50..60 => drop(world.database_answers(which.into())),
        60..75 => {
            let luck = match how {
                0..16 => Luck::Full,
                16..28 => Luck::WrongBytes,
                28..36 => Luck::Odd,
                _ => Luck::Good,
            };
            world.disk_works(luck);
        }
        75..88 => drop(world.disk_answers()),
        88..92 => world.tick(Millis(u64::from(how) * 50)),
        92 if how < 128 => world.cut(board),
        92 => world.vanish(board),
        93 => world.cut_file(board),
        94 => world.oversleep(board),
        95 if how < 128 => world.leave(board),
        95 => world.die(board),
        96 => world.misbehave(board, how.into()),
        98 => order(world, board, how),
        // long enough for a lease to end
        97 if how < 32 => (0..12).for_each(|_| world.tick(Millis::secs(30))),
        _ => {
            // a board alone for a while: whole deliveries happen
            while world.act(board) {}
        }
    }
}

fn order(world: &mut World, board: usize, how: u8) {
    let slave = world.number(board);
    let command = match (how % 14, slave) {
        (12, _) => return world.disk_has(SHORT),
        (13, _) => return world.disk_has(PLENTY),
        (0 | 1, _) => FromTool::Pause {},
        (2..4, _) => FromTool::Resume {},
        (4, slave) => FromTool::Sleep { slave },
        (5 | 6, slave) => FromTool::Wake { slave },
        (7, Some(slave)) => FromTool::Skip { slave },
        (8, Some(slave)) => FromTool::Skip { slave: slave + 1000 },
        (9, slave @ Some(_)) => FromTool::Kill { slave, when: When::NextIdle },
        (10, slave @ Some(_)) => FromTool::Kill { slave, when: When::Now },
        (11, slave @ Some(_)) => FromTool::Sleep { slave },
        _ => FromTool::Wake { slave: None },
    };
    world.order(command);
}

/// Nobody is held back any more, by whichever of the two orders, or of orders and disk, comes last.
fn release(world: &mut World, wake_first: bool) {
    if wake_first {
        world.disk_has(PLENTY);
    }
    let mut orders = [FromTool::Resume {}, FromTool::Wake { slave: None }];
    if wake_first {
        orders.reverse();
    }
    orders.into_iter().for_each(|order| world.order(order));
    if !wake_first {
        world.disk_has(PLENTY);
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec((0u8..100, any::<u8>(), any::<u8>()), 0..600)
}

fn chaos(steps: Vec<Step>) -> World {
    let mut world = World::new(BOARDS, VERSIONS);
    for one in steps {
        step(&mut world, one);
    }
    world
}

/// Everybody does what is to be done, for so many ticks.
fn calm(world: &mut World, ticks: usize, over: impl Fn(&World) -> bool) {
    for _ in 0..ticks {
        loop {
            let busy = (0..BOARDS).filter(|board| world.act(*board)).count();
            world.settle();
            if busy == 0 {
                break;
            }
        }
        if over(world) {
            return;
        }
        world.tick(Millis::secs(10));
        (0..BOARDS).for_each(|board| world.oversleep(board));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn when_calm_returns_every_version_is_recorded_and_nothing_is_left(steps in steps()) {
        let mut world = chaos(steps);
        release(&mut world, false);
        let delivered = |world: &World| world.database.all_settled() && !world.boards.iter().any(|b| b.works());
        calm(&mut world, 200, delivered);
        prop_assert!(world.database.all_settled(), "{:?} {:?}", world.database, world.boards);
        prop_assert!(!world.boards.iter().any(|b| b.works()), "{:?}", world.boards);
        // what belongs to boards that died goes with their leases
        calm(&mut world, 60, |_| false);
        world.assert_nothing_is_left();
        world.database.assert_nothing_is_lost(world.now);
    }

    /// No time passes, so nobody asks again by himself: whoever is let work again gets what there is at once.
    #[test]
    fn who_is_let_work_again_gets_what_is_queued(steps in steps(), all_sleep: bool, wake_first: bool) {
        let mut world = chaos(steps);
        world.bury();
        let busy = |world: &mut World| loop {
            let busy = (0..BOARDS).filter(|board| world.act(*board)).count();
            world.settle();
            if busy == 0 {
                break;
            }
        };
        world.order(if all_sleep { FromTool::Sleep { slave: None } } else { FromTool::Pause {} });
        busy(&mut world);
        release(&mut world, wake_first);
        busy(&mut world);
        if world.boards.iter().any(|board| board.sleeps()) {
            prop_assert_eq!(world.database.queued(), 0, "{:?} {:?}", world.database, world.boards);
        }
    }

    #[test]
    fn when_every_slave_is_lost_nothing_is_left_and_no_version_is_lost(steps in steps()) {
        let mut world = chaos(steps);
        (0..BOARDS).for_each(|board| world.die(board));
        for _ in 0..60 {
            world.settle();
            world.tick(Millis::secs(10));
        }
        world.settle();
        world.assert_nothing_is_left();
        prop_assert_eq!(world.database.open_leases(), 0);
        world.database.assert_nothing_is_lost(world.now);
        prop_assert!(world.farm.slaves.slaves.is_empty());
    }

    #[test]
    fn a_draining_master_ends_once_and_loses_nothing(steps in steps(), at_once: bool) {
        let mut world = chaos(steps);
        world.put(Event::Drain);
        if at_once && world.exits == 0 {
            world.put(Event::Stop);
        }
        calm(&mut world, 100, |world| world.exits > 0);
        calm(&mut world, 3, |_| false);
        prop_assert_eq!(world.exits, 1);
        world.database.assert_nothing_is_lost(Millis(0));
    }
}
