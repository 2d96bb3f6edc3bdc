//! What is remembered of what goes on by itself; the rest is in the farm's tests.

use super::*;

#[test]
fn each_task_has_a_name_and_the_time_at_which_it_went_well_last() {
    let mut brother = BigBrother::new(0);
    assert!(brother.tasks().all(|(_, well)| well.is_none()));
    brother.did(Task::Pages, Millis(5));
    brother.did(Task::Pages, Millis(9));
    let well: Vec<_> = brother.tasks().filter(|(_, well)| well.is_some()).collect();
    assert_eq!(well, [(Task::Pages, Some(Millis(9)))]);
    let names: std::collections::HashSet<_> = brother.tasks().map(|(task, _)| task.name()).collect();
    assert_eq!(names.len(), Task::ALL.len());
    assert!(Task::ALL.iter().enumerate().all(|(n, task)| *task as usize == n));
}

#[test]
fn a_question_that_comes_to_nothing_makes_the_silence_no_shorter() {
    let mut brother = BigBrother::new(0);
    let mut out = Out::default();
    let mut tick = |brother: &mut BigBrother, secs| {
        brother.tick(Millis::secs(secs), true, Promised::default(), &mut out);
        brother.silence(Millis::secs(secs))
    };
    assert_eq!(tick(&mut brother, 1), None);
    assert_eq!(tick(&mut brother, 61), Some(Millis::secs(60)));
    brother.answered(Millis::secs(62), Answer::Refused("it is away".to_owned()), Millis(0));
    assert_eq!(tick(&mut brother, 63), Some(Millis::secs(62)));
    brother.answered(Millis::secs(64), Answer::Statistics(Box::default()), Millis(0));
    assert_eq!(tick(&mut brother, 65), None);
}

#[test]
fn a_look_that_failed_leaves_the_disks_as_they_were_and_says_why() {
    let mut brother = BigBrother::new(0);
    let disk = Disk { path: "/srv".to_owned(), size: 9, free: 4, inodes: None, inodes_free: None };
    brother.surveyed(Millis(1), Survey { disks: vec![disk.clone()], ..Survey::default() });
    let trouble = Some("it hangs".to_owned());
    brother.surveyed(Millis(2), Survey { trouble: trouble.clone(), ..Survey::default() });
    assert_eq!((brother.tightest(), &brother.survey.trouble), (Some(&disk), &trouble));
    let well = brother.tasks().find(|(task, _)| *task == Task::Survey);
    assert_eq!(well, Some((Task::Survey, Some(Millis(1)))));
}

#[test]
fn of_leases_that_ran_out_the_last_hour_is_known_and_no_more_than_a_thousand() {
    let mut brother = BigBrother::new(0);
    brother.expired(Millis::secs(10), 3);
    brother.expired(Millis::secs(20), 5000);
    assert_eq!((brother.expired.len(), brother.expired_ever), (EXPIRED_KEPT, 5003));
    assert!(brother.expired.iter().all(|at| *at == Millis::secs(20)), "the last of them");
}
