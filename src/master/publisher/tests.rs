//! Answers that come late, twice or for something that is no more, and offers that differ: the publisher alone.

use super::*;
use crate::master::testbed::{digest, job, sound, token, words};

const PURE: &str = "foo-1.0-py3-none-any.whl";
const BOUND: &str = "foo-1.0-cp311-cp311-linux_armv7l.whl";
const BUILD: BuildId = BuildId(1);
const NOW: Millis = Millis::secs(1000);

#[derive(Default)]
struct Bench {
    publisher: Publisher,
    out: Out,
}

fn offer(files: &[&str]) -> Offer {
    let file = |name: &&str| OfferedFile {
        wheel: WheelName::parse(name).expect("a wheel's name"),
        size: 5,
        sha256: digest(name),
    };
    Offer {
        job: job(1),
        slave: "pi".to_owned(),
        outcome: Outcome::Built,
        duration_ms: 1500,
        log_bytes: 0,
        files: files.iter().map(file).collect(),
        report: None,
        remark: None,
        import: None,
    }
}

impl Bench {
    /// A build of these files whose first one is being fetched as transfer 1.
    fn offering(files: &[&str]) -> Self {
        let mut bench = Self::default();
        bench.publisher.offer(offer(files), &mut bench.out);
        assert_eq!(bench.did(), (vec![], vec![Step::Fetch(BUILD, 0, TransferId(1))]));
        bench
    }

    /// A build of one file that is being placed.
    fn placing() -> Self {
        let mut bench = Self::offering(&[PURE]);
        bench.publisher.checked(TransferId(1), sound(), &mut bench.out);
        bench.publisher.sent(BUILD, 0, &mut bench.out).unwrap();
        assert_eq!(bench.did(), (vec!["place 1 [t1]".to_owned()], vec![Step::Forget(TransferId(1))]));
        bench
    }

    /// Effects and steps since this was last called.
    fn did(&mut self) -> (Vec<String>, Vec<Step>) {
        (words(&mut self.out), std::mem::take(&mut self.publisher.steps))
    }

    fn did_nothing(&mut self) -> bool {
        self.did() == (vec![], vec![])
    }
}

#[test]
fn answers_for_a_build_that_was_cancelled_change_nothing() {
    let mut bench = Bench::offering(&[PURE, BOUND]);
    bench.publisher.checked(TransferId(1), sound(), &mut bench.out);
    bench.publisher.sent(BUILD, 0, &mut bench.out).unwrap();
    bench.did();
    assert!(bench.publisher.cancel(BUILD, &mut bench.out));
    let (effects, steps) = bench.did();
    assert_eq!(effects, ["discard t2", "discard t1"], "the log is the job's, not the transfers'");
    assert_eq!(steps, [Step::Forget(TransferId(2)), Step::Forget(TransferId(1))]);
    for transfer in [TransferId(1), TransferId(2)] {
        bench.publisher.checked(transfer, sound(), &mut bench.out);
        bench.publisher.checked(transfer, Checked::WrongDigest { found: digest("x") }, &mut bench.out);
        bench.publisher.transfer_failed(NOW, transfer, "late", &mut bench.out);
        assert!(bench.publisher.expected(transfer).is_none());
    }
    bench.publisher.placed(NOW, BUILD, Placed::Durable, &mut bench.out);
    assert_eq!(bench.publisher.sent(BUILD, 1, &mut bench.out), Ok(()));
    let logged = Answer::Logged(Logged::Recorded { opened: None });
    assert!(bench.publisher.answered(Millis(0), BUILD, logged, &mut bench.out).is_none());
    bench.publisher.tick(NOW + DISK_RETRY + DISK_RETRY, &mut bench.out);
    assert!(bench.did_nothing());
}

#[test]
fn answers_for_a_transfer_that_was_given_up_do_not_touch_the_one_in_its_place() {
    let mut bench = Bench::offering(&[PURE]);
    bench.publisher.transfer_failed(NOW, TransferId(1), "no space", &mut bench.out);
    let steps = vec![Step::Forget(TransferId(1)), Step::Drop(BUILD, None)];
    assert_eq!(bench.did(), (vec!["discard t1".to_owned()], steps));
    // said before the slave could know
    assert_eq!(bench.publisher.sent(BUILD, 0, &mut bench.out), Ok(()));
    bench.publisher.transfer_failed(NOW, TransferId(1), "again", &mut bench.out);
    bench.publisher.checked(TransferId(1), sound(), &mut bench.out);
    assert!(bench.did_nothing());
    bench.publisher.tick(NOW + DISK_RETRY - Millis(1), &mut bench.out);
    assert!(bench.did_nothing());
    bench.publisher.tick(NOW + DISK_RETRY, &mut bench.out);
    assert_eq!(bench.did(), (vec![], vec![Step::Fetch(BUILD, 0, TransferId(2))]));
    bench.publisher.checked(TransferId(1), sound(), &mut bench.out);
    bench.publisher.transfer_failed(NOW, TransferId(1), "again", &mut bench.out);
    bench.publisher.sent(BUILD, 0, &mut bench.out).unwrap();
    assert!(bench.did_nothing(), "SENT alone is not enough");
    bench.publisher.checked(TransferId(2), sound(), &mut bench.out);
    assert_eq!(bench.did().0, ["place 1 [t2]"]);
}

#[test]
fn a_transfer_that_is_over_is_not_judged_again() {
    let mut bench = Bench::offering(&[PURE, BOUND]);
    bench.publisher.sent(BUILD, 0, &mut bench.out).unwrap();
    bench.publisher.checked(TransferId(1), sound(), &mut bench.out);
    bench.did();
    bench.publisher.checked(TransferId(1), Checked::BadWheel("late".to_owned()), &mut bench.out);
    bench.publisher.transfer_failed(NOW, TransferId(1), "late", &mut bench.out);
    assert!(bench.did_nothing());
}

#[test]
fn what_is_expected_is_the_file_that_was_offered() {
    let bench = Bench::offering(&[PURE, BOUND]);
    let expected = bench.publisher.expected(TransferId(1)).unwrap();
    assert_eq!((expected.filename.as_str(), expected.size, expected.sha256), (PURE, 5, digest(PURE)));
    assert_eq!((expected.project, expected.version), (job(1).package, job(1).version));
}

#[test]
fn the_same_offer_again_is_the_same_build() {
    let mut bench = Bench::offering(&[PURE]);
    bench.publisher.sent(BUILD, 0, &mut bench.out).unwrap();
    bench.publisher.offer(offer(&[PURE]), &mut bench.out);
    assert_eq!(bench.did(), (vec![], vec![Step::Fetch(BUILD, 0, TransferId(1))]), "under its number");
    bench.publisher.checked(TransferId(1), sound(), &mut bench.out);
    assert!(bench.did_nothing(), "SENT of the connection before does not count");
    bench.publisher.sent(BUILD, 0, &mut bench.out).unwrap();
    bench.did();
    for _ in 0..2 {
        bench.publisher.offer(offer(&[PURE]), &mut bench.out);
        assert!(bench.did_nothing());
        bench.publisher.placed(NOW, BUILD, Placed::Durable, &mut bench.out);
        assert_eq!(bench.did().0.len(), 1);
    }
}

#[test]
fn another_offer_begins_anew_until_the_first_may_be_on_its_way_into_the_index() {
    let mut bench = Bench::offering(&[PURE]);
    bench.publisher.offer(offer(&[BOUND]), &mut bench.out);
    let (effects, steps) = bench.did();
    assert_eq!(effects, ["discard t1"], "the same build's log stays");
    assert_eq!(steps, [Step::Forget(TransferId(1)), Step::Fetch(BUILD, 0, TransferId(2))]);

    let mut bench = Bench::placing();
    bench.publisher.offer(offer(&[BOUND]), &mut bench.out);
    assert!(bench.did_nothing());
    bench.publisher.placed(NOW, BUILD, Placed::Failed("full".to_owned()), &mut bench.out);
    bench.publisher.offer(offer(&[BOUND]), &mut bench.out);
    assert!(bench.did_nothing());
    bench.publisher.tick(NOW + DISK_RETRY, &mut bench.out);
    bench.publisher.placed(NOW, BUILD, Placed::Durable, &mut bench.out);
    bench.publisher.offer(offer(&[BOUND]), &mut bench.out);
    assert_eq!(bench.did().0, ["place 1 [t1]", "ask log-build 1 built 1 files"]);
}

#[test]
fn a_build_is_recorded_under_its_token_and_then_forgotten() {
    let mut bench = Bench::placing();
    assert!(!bench.publisher.settled() && !bench.publisher.cancel(BUILD, &mut bench.out));
    bench.publisher.placed(NOW, BUILD, Placed::Durable, &mut bench.out);
    let Some(Effect::Ask(_, Query::LogBuild(record))) = bench.out.effects.last() else { panic!("no record") };
    assert_eq!(record.token, token(1));
    bench.did();
    assert!(!bench.publisher.settled() && !bench.publisher.cancel(BUILD, &mut bench.out));
    let logged = Answer::Logged(Logged::Recorded { opened: None });
    let recorded = bench.publisher.answered(Millis(0), BUILD, logged.clone(), &mut bench.out).unwrap();
    assert_eq!(recorded.offer.files.len(), 1);
    assert_eq!(bench.did(), (vec!["discard log 1".to_owned()], vec![Step::Done(BUILD)]));
    assert!(bench.publisher.settled() && !bench.publisher.has(BUILD));
    assert!(bench.publisher.transfers.is_empty());
    assert!(bench.publisher.answered(Millis(0), BUILD, logged, &mut bench.out).is_none());
    assert!(bench.did_nothing());
}

#[test]
fn a_build_without_a_log_and_one_with_a_remark() {
    for (log_bytes, remark, word) in
        [(0, None, "place 1 []"), (9, None, "place 1 [] log"), (0, Some("why"), "place 1 [] log remark")]
    {
        let mut bench = Bench::default();
        let remark = remark.map(str::to_owned);
        let failed = Offer { outcome: Outcome::Failed, log_bytes, remark, ..offer(&[]) };
        bench.publisher.offer(failed, &mut bench.out);
        assert_eq!(bench.did(), (vec![word.to_owned()], vec![]));
    }
}

/// Two builds with a file of the same name, both with all their bytes; the second finds the name taken.
fn two_of_one_name() -> Bench {
    let mut bench = Bench::placing();
    bench.publisher.offer(Offer { job: job(2), ..offer(&[PURE]) }, &mut bench.out);
    bench.publisher.checked(TransferId(2), sound(), &mut bench.out);
    bench.publisher.sent(BuildId(2), 0, &mut bench.out).unwrap();
    bench.publisher.placed(NOW, BUILD, Placed::Durable, &mut bench.out);
    bench.publisher.placed(NOW, BuildId(2), Placed::Taken(vec![PURE.to_owned()]), &mut bench.out);
    assert_eq!(bench.did().0.last().unwrap(), &format!("ask files-known {PURE}"));
    bench
}

#[test]
fn a_name_that_is_recorded_while_the_database_is_asked_about_it_keeps_its_bytes() {
    let mut bench = two_of_one_name();
    let logged = Answer::Logged(Logged::Recorded { opened: None });
    bench.publisher.answered(NOW, BUILD, logged, &mut bench.out);
    bench.did();
    // read before that was recorded, and heard after it
    bench.publisher.answered(NOW, BuildId(2), Answer::FilesKnown(Vec::new()), &mut bench.out);
    assert!(bench.did_nothing(), "not placed over what is published");
    bench.publisher.tick(NOW + DISK_RETRY, &mut bench.out);
    assert_eq!(bench.did().0, ["place 2 [t2]"]);
    bench.publisher.placed(NOW, BuildId(2), Placed::Taken(vec![PURE.to_owned()]), &mut bench.out);
    assert_eq!(bench.did().0, [format!("ask files-known {PURE}")], "asked anew");
}

#[test]
fn a_name_that_no_row_knew_may_have_one_when_it_is_placed_again() {
    let mut bench = Bench::placing();
    bench.publisher.placed(NOW, BUILD, Placed::Taken(vec![PURE.to_owned()]), &mut bench.out);
    bench.publisher.answered(NOW, BUILD, Answer::FilesKnown(Vec::new()), &mut bench.out);
    assert_eq!(bench.did().0.last().unwrap(), &format!("place 1 [t1] unclaimed {PURE}"));
    bench.publisher.placed(NOW, BUILD, Placed::Failed("no space".to_owned()), &mut bench.out);
    bench.publisher.tick(NOW + DISK_RETRY, &mut bench.out);
    assert_eq!(bench.did().0, ["place 1 [t1]"], "as if nobody had asked");
    bench.publisher.placed(NOW, BUILD, Placed::Taken(vec![PURE.to_owned()]), &mut bench.out);
    assert_eq!(bench.did().0, [format!("ask files-known {PURE}")]);
}
