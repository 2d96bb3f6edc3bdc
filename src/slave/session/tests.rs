//! Every arrow of `wire-spec/slave.md` under a fake clock, and the master lost at each step.

mod fitness;
mod stopping;

use super::*;
use crate::domain::BuildId;
use crate::wire::slave::{BuildEnd, BuildReport, BuiltFile};
use crate::wire::{List, Sha256};

const TOKEN: JobToken = JobToken { build: BuildId(7), secret: [9; 16] };
const TRANSFER: [u8; 16] = [3; 16];

fn text<const N: usize>(text: &str) -> Text<N> {
    Text::new(text).unwrap()
}

fn outcome(log_bytes: u64, files: u8) -> Outcome {
    let file = |n: u8| BuiltFile {
        filename: text(&format!("foo-{n}-py3-none-any.whl")),
        size: 5,
        sha256: Sha256([n; 32]),
    };
    let end = if files > 0 { BuildEnd::Built } else { BuildEnd::Failed };
    let files = List::new((0..files).map(file).collect()).unwrap();
    Outcome { end, duration: Millis(1234), log_bytes, files, report: Box::default() }
}

fn hello(resume: Resume, log_from: u64) -> Input {
    let index_url = text("http://index/simple");
    Input::Message(ToSlave::Hello { slave_id: 1, index_url, resume, log_from, log_limit: 1 << 20 })
}

fn build() -> Input {
    Input::Message(ToSlave::Build { token: TOKEN, package: text("foo"), version: text("1.0"), build_tag: 0 })
}

fn send(index: u16) -> Input {
    Input::Message(ToSlave::Send { index, transfer: TRANSFER })
}

fn done(build: i64) -> Input {
    Input::Message(ToSlave::Done { build: BuildId(build) })
}

fn cancel(build: i64) -> Input {
    Input::Message(ToSlave::Cancel { build: BuildId(build) })
}

fn bye() -> Input {
    Input::Message(ToSlave::Bye { reason: text("enough") })
}

fn say_bye(reason: &str) -> Effect {
    Effect::Send(FromSlave::Bye { reason: text(reason) })
}

/// A session, its clock and its machine. Reports are kept apart from the other effects, and looks at the machine are
/// answered.
struct Rig {
    session: Session,
    now: Millis,
    reports: Vec<String>,
    unfit: Option<&'static str>,
}

impl Rig {
    fn new() -> Self {
        let identity = Identity {
            software: text("0.1.0"),
            label: text("pi"),
            timeout_secs: 10_800,
            python_tag: text("311"),
            abi_tag: text("cp311"),
            platform_tag: text("linux_armv7l"),
            board: Default::default(),
        };
        let session = Session::new(identity, 42);
        Self { session, now: Millis::secs(1000), reports: Vec::new(), unfit: None }
    }

    fn put(&mut self, input: Input) -> Vec<Effect> {
        let mut out = Vec::new();
        self.session.handle(self.now, input, &mut out);
        let mut seen = Vec::new();
        while !out.is_empty() {
            let effect = out.remove(0);
            if let Effect::Look | Effect::SendBusy = effect {
                let mut more = Vec::new();
                self.session.handle(self.now, Input::Fit(self.unfit.map(text)), &mut more);
                out.append(&mut more);
            }
            match effect {
                Effect::Report(_, text) => self.reports.push(text),
                Effect::Look => {}
                effect => seen.push(effect),
            }
        }
        seen
    }

    /// Lets time pass up to the next deadline.
    fn wait(&mut self) -> Vec<Effect> {
        self.now = self.now.max(self.session.next_deadline().expect("a deadline"));
        self.put(Input::Tick)
    }

    /// Connects; what was said to be held.
    fn connect(&mut self) -> Option<Held> {
        assert_eq!(self.wait(), [Effect::Connect]);
        let out = self.put(Input::Connected);
        let [Effect::Send(FromSlave::Hello { held, timeout_secs: 10_800, .. })] = &out[..] else {
            panic!("{out:?}")
        };
        held.clone()
    }

    fn asked() -> Self {
        let mut rig = Self::new();
        assert_eq!(rig.connect(), None);
        assert_eq!(rig.put(hello(Resume::None, 0)), [Effect::Send(FromSlave::Idle {})]);
        rig
    }

    fn building() -> Self {
        let mut rig = Self::asked();
        let start = Effect::StartBuild {
            build: TOKEN.build,
            package: "foo".into(),
            version: "1.0".into(),
            build_tag: 0,
            index_url: "http://index/simple".into(),
            log_limit: 1 << 20,
        };
        assert_eq!(rig.put(build()), [start]);
        rig
    }

    /// A build of this many files whose log of 100 bytes was sent, and BUILT.
    fn offered(files: u8) -> Self {
        let mut rig = Self::building();
        assert_eq!(rig.put(Input::LogGrew(100)), [Effect::SendLog { offset: 0, length: 100 }]);
        rig.put(Input::Drained);
        assert_eq!(rig.put(Input::Ended(outcome(100, files))), [built(files)]);
        rig
    }

    fn sending() -> Self {
        let mut rig = Self::offered(2);
        assert_eq!(rig.put(send(0)), [Effect::ServeTransfer { index: 0, transfer: TRANSFER }]);
        rig
    }

    fn lose(&mut self) -> Vec<Effect> {
        self.put(Input::Disconnected("reset".into()))
    }
}

fn built(files: u8) -> Effect {
    let outcome = outcome(100, files);
    Effect::Send(FromSlave::Built {
        token: TOKEN,
        end: outcome.end,
        duration_ms: 1234,
        log_bytes: 100,
        files: outcome.files,
        report: BuildReport::default(),
    })
}

#[test]
fn one_job_from_idle_to_idle() {
    let mut rig = Rig::sending();
    assert_eq!(rig.put(Input::TransferDone), [Effect::Send(FromSlave::Sent { index: 0 })]);
    assert_eq!(rig.put(send(1)), [Effect::ServeTransfer { index: 1, transfer: TRANSFER }]);
    assert_eq!(rig.put(Input::TransferDone), [Effect::Send(FromSlave::Sent { index: 1 })]);
    // a transfer that failed its check is asked for again
    assert_eq!(rig.put(send(1)), [Effect::ServeTransfer { index: 1, transfer: TRANSFER }]);
    assert_eq!(rig.put(Input::TransferDone), [Effect::Send(FromSlave::Sent { index: 1 })]);
    assert_eq!(rig.put(done(7)), [Effect::StopTransfer, Effect::DiscardBuild]);
    // the next job must wait until nothing of this one is left
    assert_eq!(rig.put(Input::Discarded), [Effect::Send(FromSlave::Idle {})]);
}

#[test]
fn a_failed_build_is_done_without_a_file() {
    let mut rig = Rig::offered(0);
    assert_eq!(rig.put(done(7)), [Effect::StopTransfer, Effect::DiscardBuild]);
}

#[test]
fn sleep_ends_by_wake_or_by_its_time() {
    let mut rig = Rig::asked();
    assert_eq!(rig.put(Input::Message(ToSlave::Sleep { seconds: 600 })), []);
    assert_eq!(rig.put(Input::Message(ToSlave::Wake {})), [Effect::Send(FromSlave::Idle {})]);
    assert_eq!(rig.put(Input::Message(ToSlave::Wake {})), [], "WAKE and IDLE passed each other");
    assert_eq!(rig.put(Input::Message(ToSlave::Sleep { seconds: 3 })), []);
    assert_eq!(rig.wait(), [Effect::Send(FromSlave::Idle {})]);
}

#[test]
fn the_log_is_sent_piece_by_piece_as_there_is_room_and_built_only_after_it() {
    let mut rig = Rig::building();
    let piece = LOG_BYTES as u64;
    assert_eq!(rig.put(Input::LogGrew(piece * 2)), [Effect::SendLog { offset: 0, length: LOG_BYTES }]);
    assert_eq!(rig.put(Input::LogGrew(piece * 2 + 10)), [], "no room yet");
    assert_eq!(rig.put(Input::Ended(outcome(piece * 2 + 10, 0))), [], "BUILT waits for the log");
    assert_eq!(rig.put(Input::Drained), [Effect::SendLog { offset: piece, length: LOG_BYTES }]);
    let out = rig.put(Input::Drained);
    assert!(
        matches!(out[..], [Effect::SendLog { length: 10, .. }, Effect::Send(FromSlave::Built { .. })]),
        "{out:?}"
    );
}

#[test]
fn a_sign_of_life_every_five_seconds_in_every_connected_state() {
    let mut greeting = Rig::new();
    greeting.connect();
    let mut asleep = Rig::asked();
    asleep.put(Input::Message(ToSlave::Sleep { seconds: 3600 }));
    let mut idle = Rig::offered(0);
    idle.put(done(7));
    for mut rig in [greeting, Rig::asked(), asleep, idle, Rig::building(), Rig::offered(1), Rig::sending()] {
        for _ in 0..5 {
            let before = rig.now;
            assert_eq!(rig.wait(), [Effect::SendBusy], "{}", rig.session.place());
            assert_eq!(rig.now, before + BUSY_EVERY);
        }
    }
}

#[test]
fn a_lost_master_is_looked_for_with_growing_waits() {
    let mut rig = Rig::new();
    let mut waits = Vec::new();
    for _ in 0..8 {
        rig.connect();
        let lost_at = rig.now;
        assert_eq!(rig.lose(), []);
        waits.push(rig.session.next_deadline().unwrap().since(lost_at));
    }
    assert!(waits[0] <= Millis::secs(2) && waits[7] >= Millis::secs(15), "{waits:?}");
    assert!(waits.iter().all(|wait| *wait <= Millis::secs(30)));
}

#[test]
fn a_running_build_outlives_any_number_of_connections() {
    let mut rig = Rig::building();
    rig.put(Input::LogGrew(50));
    for _ in 0..3 {
        assert_eq!(rig.lose(), []);
        assert_eq!(rig.put(Input::LogGrew(90)), []);
        assert_eq!(rig.connect(), Some(Held { token: TOKEN, state: Holding::Building }));
        // the master may have lost what it had of the log
        assert_eq!(rig.put(hello(Resume::GoOn, 20)), [Effect::SendLog { offset: 20, length: 70 }]);
    }
    rig.put(Input::Drained);
    let out = rig.put(Input::Ended(outcome(100, 0)));
    assert_eq!(out, [Effect::SendLog { offset: 90, length: 10 }, built(0)]);
}

#[test]
fn a_build_that_ends_while_the_master_is_away_is_offered_when_it_is_back() {
    let mut rig = Rig::building();
    rig.lose();
    assert_eq!(rig.put(Input::Ended(outcome(100, 1))), []);
    for _ in 0..3 {
        assert_eq!(rig.connect(), Some(Held { token: TOKEN, state: Holding::Built }));
        assert_eq!(rig.put(hello(Resume::GoOn, 100)), [built(1)]);
        assert_eq!(rig.lose(), []);
    }
}

#[test]
fn a_master_lost_while_a_file_is_sent_gets_the_build_offered_again() {
    let mut rig = Rig::sending();
    assert_eq!(rig.lose(), [Effect::StopTransfer]);
    assert_eq!(rig.put(Input::TransferDone), [], "nobody to tell");
    assert_eq!(rig.connect(), Some(Held { token: TOKEN, state: Holding::Built }));
    assert_eq!(rig.put(hello(Resume::GoOn, 100)), [built(2)]);
    assert_eq!(rig.put(send(0)), [Effect::ServeTransfer { index: 0, transfer: TRANSFER }]);
}

#[test]
fn a_master_lost_after_sent_and_before_done_may_say_drop() {
    let mut rig = Rig::sending();
    rig.put(Input::TransferDone);
    rig.lose();
    assert_eq!(rig.connect(), Some(Held { token: TOKEN, state: Holding::Built }));
    assert_eq!(rig.put(hello(Resume::Drop, 0)), [Effect::DiscardBuild]);
    assert_eq!(rig.put(Input::Discarded), [Effect::Send(FromSlave::Idle {})]);
}

#[test]
fn a_master_lost_while_nothing_is_held_is_asked_again() {
    for mut rig in [Rig::asked(), {
        let mut rig = Rig::asked();
        rig.put(Input::Message(ToSlave::Sleep { seconds: 60 }));
        rig
    }] {
        rig.lose();
        assert_eq!(rig.connect(), None);
        assert_eq!(rig.put(hello(Resume::None, 0)), [Effect::Send(FromSlave::Idle {})]);
    }
}

#[test]
fn drop_kills_a_running_build_before_the_next_job() {
    let mut rig = Rig::building();
    rig.lose();
    rig.connect();
    assert_eq!(rig.put(hello(Resume::Drop, 0)), [Effect::DiscardBuild]);
    assert_eq!(rig.put(Input::LogGrew(500)), []);
    assert_eq!(rig.put(Input::Ended(outcome(500, 1))), [], "it ended while it was being killed");
    assert_eq!(rig.put(Input::Discarded), [Effect::Send(FromSlave::Idle {})]);
}

#[test]
fn a_master_lost_while_a_build_is_discarded_hears_of_no_job() {
    let mut rig = Rig::offered(0);
    rig.put(done(7));
    rig.lose();
    assert_eq!(rig.connect(), None);
    assert_eq!(rig.put(hello(Resume::None, 0)), [], "something is still left of it");
    assert_eq!(rig.put(Input::Discarded), [Effect::Send(FromSlave::Idle {})]);
}

#[test]
fn messages_in_a_wrong_state_drop_the_connection_and_nothing_else() {
    let sleep = |seconds| Input::Message(ToSlave::Sleep { seconds });
    let greeting = || {
        let mut rig = Rig::new();
        rig.connect();
        rig
    };
    let asleep = || {
        let mut rig = Rig::asked();
        rig.put(sleep(9));
        rig
    };
    let wake = || Input::Message(ToSlave::Wake {});
    let cases: Vec<(Rig, Vec<Input>)> = vec![
        (
            greeting(),
            vec![sleep(1), wake(), build(), send(0), done(7), hello(Resume::GoOn, 0), hello(Resume::Drop, 0)],
        ),
        (Rig::asked(), vec![hello(Resume::None, 0), send(0), done(7), sleep(0), sleep(3601)]),
        (asleep(), vec![hello(Resume::None, 0), sleep(1), build(), send(0), done(7)]),
        (Rig::building(), vec![hello(Resume::GoOn, 0), sleep(1), wake(), build(), send(0), done(7)]),
        (Rig::offered(1), vec![hello(Resume::GoOn, 0), sleep(1), wake(), build(), send(1), done(8)]),
        (Rig::sending(), vec![hello(Resume::GoOn, 0), sleep(1), wake(), build(), send(1), done(8)]),
    ];
    for (rig, inputs) in cases {
        for input in inputs {
            let mut rig =
                Rig { session: rig.session.clone(), now: rig.now, reports: Vec::new(), unfit: rig.unfit };
            let (place, held) = (rig.session.place(), rig.session.work.clone());
            let out = rig.put(input.clone());
            assert_eq!(out.first(), Some(&Effect::Disconnect), "{place}: {input:?}");
            assert!(out[1..].iter().all(|effect| *effect == Effect::StopTransfer), "{place}: {out:?}");
            assert_eq!(rig.reports.len(), 1, "{place}: {:?}", rig.reports);
            assert_eq!(rig.session.work, held, "the work is kept");
            rig.connect();
        }
    }
}

#[test]
fn a_job_that_is_not_a_package_and_a_version_is_refused() {
    for (package, version) in [
        ("--index-url", "1"),
        ("foo", ""),
        ("foo", "-1"),
        ("foo", "1 ; x"),
        ("foo", "1,<2"),
        ("foo", "1@file:///etc"),
        ("../foo", "1"),
        ("foo", "1/2"),
    ] {
        let mut rig = Rig::asked();
        let message =
            ToSlave::Build { token: TOKEN, package: text(package), version: text(version), build_tag: 0 };
        assert_eq!(rig.put(Input::Message(message)), [Effect::Disconnect], "{package} {version}");
    }
    let build_tag = 1_000_000_000_000_000_000;
    let message = ToSlave::Build { token: TOKEN, package: text("foo"), version: text("1"), build_tag };
    assert_eq!(Rig::asked().put(Input::Message(message)), [Effect::Disconnect], "no build tag is that long");
}

#[test]
fn an_index_that_is_no_url_is_refused() {
    for url in ["--pre", "ftp://x/", "http://x/ --pre", "index"] {
        let mut rig = Rig::new();
        rig.connect();
        let message = ToSlave::Hello {
            slave_id: 1,
            index_url: text(url),
            resume: Resume::None,
            log_from: 0,
            log_limit: 1 << 20,
        };
        assert_eq!(rig.put(Input::Message(message)), [Effect::Disconnect], "{url}");
    }
}

#[test]
fn a_greeting_that_does_not_fit_what_is_held_drops_the_connection_and_keeps_the_build() {
    for answer in [hello(Resume::None, 0), hello(Resume::GoOn, 101)] {
        let mut rig = Rig::offered(1);
        rig.lose();
        rig.connect();
        assert_eq!(rig.put(answer), [Effect::Disconnect]);
        assert_eq!(rig.connect(), Some(Held { token: TOKEN, state: Holding::Built }));
    }
}

#[test]
fn a_master_that_does_not_answer_is_left_and_tried_again() {
    let mut greeting = Rig::new();
    greeting.connect();
    for (mut rig, limit) in
        [(greeting, ANSWER_LIMIT), (Rig::asked(), ANSWER_LIMIT), (Rig::offered(1), COMMIT_LIMIT)]
    {
        let begun = rig.now;
        let mut out = rig.wait();
        while out == [Effect::SendBusy] {
            out = rig.wait();
        }
        assert_eq!(out, [Effect::Disconnect]);
        assert_eq!(rig.now, begun + limit);
    }
}

#[test]
fn bye_from_the_master_stops_the_build_answers_and_ends_in_every_state() {
    let mut greeting = Rig::new();
    greeting.connect();
    for (mut rig, failure) in [(greeting, true), (Rig::asked(), false)] {
        assert_eq!(rig.put(bye()), [say_bye("the master said BYE"), Effect::Exit { failure }]);
        assert!(rig.reports.iter().any(|line| line.contains("enough")), "{:?}", rig.reports);
    }
    for mut rig in [Rig::building(), Rig::offered(1), Rig::sending()] {
        let out = rig.put(bye());
        assert_eq!(out.last(), Some(&Effect::DiscardBuild), "{out:?}");
        assert_eq!(rig.put(done(7)), [], "what is still under way is nobody's");
        assert_eq!(
            rig.put(Input::Discarded),
            [say_bye("the master said BYE"), Effect::Exit { failure: false }]
        );
        assert_eq!(rig.put(Input::Stop(OnTerm::Finish)), [], "gone");
        assert_eq!(rig.session.next_deadline(), None);
    }
}

#[test]
fn cancel_ends_the_build_that_runs_and_its_log_and_end_are_reported() {
    let mut rig = Rig::building();
    assert_eq!(rig.put(Input::LogGrew(100)), [Effect::SendLog { offset: 0, length: 100 }]);
    assert_eq!(rig.put(cancel(8)), [], "another build's");
    assert_eq!(rig.put(cancel(7)), [Effect::CancelBuild]);
    assert_eq!(rig.put(cancel(7)), [Effect::CancelBuild], "killing twice is no harm");
    rig.put(Input::Drained);
    let ended = Outcome { end: BuildEnd::Cancelled, ..outcome(150, 0) };
    let out = rig.put(Input::Ended(ended));
    let [
        Effect::SendLog { offset: 100, length: 50 },
        Effect::Send(FromSlave::Built { end, log_bytes: 150, .. }),
    ] = &out[..]
    else {
        panic!("{out:?}")
    };
    assert_eq!(*end, BuildEnd::Cancelled);
    assert_eq!(rig.put(done(7)), [Effect::StopTransfer, Effect::DiscardBuild]);
    assert_eq!(rig.put(Input::Discarded), [Effect::Send(FromSlave::Idle {})]);
}

#[test]
fn cancel_that_crosses_the_end_of_its_build_changes_nothing() {
    let mut idle = Rig::offered(0);
    idle.put(done(7));
    let mut asleep = Rig::asked();
    asleep.put(Input::Message(ToSlave::Sleep { seconds: 9 }));
    for mut rig in [Rig::offered(1), Rig::sending(), idle, Rig::asked(), asleep] {
        let place = rig.session.place();
        assert_eq!(rig.put(cancel(7)), [], "{place}");
        assert_eq!(rig.session.place(), place);
    }
    let mut greeting = Rig::new();
    greeting.connect();
    assert_eq!(greeting.put(cancel(7)), [Effect::Disconnect], "nothing comes before HELLO");
}

#[test]
fn a_build_whose_files_cannot_be_read_is_given_back_and_the_slave_goes_on() {
    let mut rig = Rig::sending();
    let out = rig.put(Input::Lost("foo.whl has changed".into()));
    let bye = say_bye("foo.whl has changed");
    assert_eq!(out, [Effect::StopTransfer, Effect::DiscardBuild, bye, Effect::Disconnect]);
    rig.put(Input::Discarded);
    assert_eq!(rig.connect(), None);
    assert_eq!(rig.put(hello(Resume::None, 0)), [Effect::Send(FromSlave::Idle {})]);
}

#[test]
fn a_machine_that_cannot_build_gives_the_job_back_and_ends_with_failure() {
    let mut rig = Rig::building();
    assert_eq!(rig.put(Input::CannotBuild("no space".into())), [Effect::DiscardBuild]);
    let out = rig.put(Input::Discarded);
    assert_eq!(out, [say_bye("no space"), Effect::Exit { failure: true }]);
}
