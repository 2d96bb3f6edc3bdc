//! What slaves say of themselves and of builds, on its way into the record.

use super::PURE;
use crate::domain::JobToken;
use crate::master::event::{ConnId, Placed};
use crate::master::limits::Limits;
use crate::master::query::{Adoption, Answer, BuildRecord, Query};
use crate::master::report::KeptReport;
use crate::master::testbed::{PLATFORM, Testbed, built, hello, job_of, log, text};
use crate::wire::List;
use crate::wire::limits::LOG_BYTES;
use crate::wire::slave::{Board, BuildEnd, BuildReport, FromSlave, Held, Holding, Wall};

fn board(machine: &str) -> Board {
    Board {
        machine: text(machine),
        os: text("Debian"),
        walls: List::new(vec![Wall::TreeKill, Wall::Namespaces]).unwrap(),
    }
}

/// HELLO of a slave on this machine.
fn hello_of(machine: &str, held: Option<Held>) -> FromSlave {
    let mut message = hello("cp311", held);
    if let FromSlave::Hello { board: said, .. } = &mut message {
        *said = board(machine);
    }
    message
}

/// BUILT with a report.
fn reported(token: JobToken, end: BuildEnd, files: &[(&str, u64)]) -> FromSlave {
    let mut message = built(token, end, files);
    if let FromSlave::Built { report, .. } = &mut message {
        *report = BuildReport { compiler: text("<script>"), cpu_ms: 1200, ..BuildReport::default() };
    }
    message
}

fn expected(machine: &str) -> KeptReport {
    KeptReport {
        python: Some("311".to_owned()),
        platform: Some(PLATFORM.to_owned()),
        machine: Some(machine.to_owned()),
        os: Some("Debian".to_owned()),
        walls: vec!["namespaces".to_owned(), "tree-kill".to_owned()],
        compiler: Some("<script>".to_owned()),
        cpu_ms: Some(1200),
        ..KeptReport::default()
    }
}

/// A slave on a machine that was given build 1.
fn building(machine: &str) -> (Testbed, ConnId, JobToken) {
    let mut bed = Testbed::new();
    let slave = bed.open(crate::wire::Channel::Slave);
    bed.say(slave, hello_of(machine, None));
    bed.say(slave, FromSlave::Idle {});
    let token = bed.hand_out(1);
    (bed, slave, token)
}

fn recorded(bed: &mut Testbed) -> BuildRecord {
    bed.placed(1, Placed::Durable);
    match bed.questions.back() {
        Some((_, Query::LogBuild(record))) => (**record).clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_report_is_recorded_with_what_the_slave_says_of_its_machine_however_the_build_ended() {
    for (end, files) in [(BuildEnd::Failed, None), (BuildEnd::Built, Some("bar-1.0-py3-none-any.whl"))] {
        let (mut bed, slave, token) = building("Pi 4");
        let files: Vec<_> = files.into_iter().map(|name| (name, 5)).collect();
        bed.say(slave, reported(token, end, &files));
        let record = recorded(&mut bed);
        assert_eq!(record.report.as_deref(), Some(&expected("Pi 4")), "{}", record.outcome.name());
    }
}

#[test]
fn a_report_comes_with_the_wheels_and_says_which_machine_delivered_them() {
    let (mut bed, slave, token) = building("Pi 3");
    bed.cut(slave);
    let slave = bed.open(crate::wire::Channel::Slave);
    bed.say(slave, hello_of("Pi 4", Some(Held { token, state: Holding::Built })));
    bed.answer("adopt", Answer::Adopted(Adoption::Live(job_of(token))));
    bed.say(slave, reported(token, BuildEnd::Built, &[(PURE, 5)]));
    bed.deliver_all(slave);
    let record = recorded(&mut bed);
    assert_eq!((record.files.len(), record.report.as_deref()), (1, Some(&expected("Pi 4"))));
}

#[test]
fn a_build_that_its_slave_said_nothing_of_has_no_report() {
    let mut bed = Testbed::with(Limits { log_bytes: LOG_BYTES as u64, ..Limits::default() });
    let (slave, _) = bed.building(1);
    bed.say(slave, log(0, LOG_BYTES));
    bed.say(slave, log(LOG_BYTES as u64, 1));
    assert_eq!(recorded(&mut bed).report, None);
}
