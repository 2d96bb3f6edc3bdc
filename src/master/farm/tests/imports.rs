//! A tool's wheels on their way into the index: the publish order is a slave's, and whatever goes wrong leaves nothing.

use bytes::Bytes;

use super::{BOUND, PURE};
use crate::domain::{BuildId, Millis};
use crate::master::event::{Checked, ConnId, DiskAnswer, Event, PageAnswer, Placed, TransferId};
use crate::master::limits::{FILE_SILENCE, PAGE_PATIENCE};
use crate::master::query::{Answer, ImportVerdict, Imported, Logged, PageKind, RewriteOrder};
use crate::master::testbed::{Testbed, abi, digest, project, text};
use crate::wire::import::FromTool;
use crate::wire::slave::BuiltFile;
use crate::wire::{Blob, Channel, List};

const TOOL: ConnId = ConnId(1);

impl Testbed {
    fn ask_tool(&mut self, message: FromTool) {
        self.put(Event::Tool(TOOL, message));
    }

    fn tool_chunk(&mut self, offset: u64, length: usize) {
        let data = Blob::new(Bytes::from(vec![0; length])).unwrap();
        self.ask_tool(FromTool::Chunk { offset, data });
    }

    /// A tool whose import of these files may come as build 7.
    fn importing(files: &[(&str, u64)]) -> Self {
        let mut bed = Self::new();
        assert_eq!(bed.open(Channel::Import), TOOL);
        let file = |(name, size): &(&str, u64)| BuiltFile {
            filename: text(name),
            size: *size,
            sha256: digest(name),
        };
        bed.ask_tool(FromTool::Import {
            package: text(""),
            version: text(""),
            abi: text(""),
            duration_ms: 0,
            output: Blob::new(Bytes::from_static(b"output")).unwrap(),
            files: List::new(files.iter().map(file).collect()).unwrap(),
            create: true,
        });
        let ready = ImportVerdict::Ready { build: BuildId(7), abi: abi("cp311"), begun: 5 };
        bed.answer("begin-import", Answer::ImportBegun(ready));
        let size = files[0].1;
        let first = [format!("open t1 {size}"), "1: SEND 0".to_owned(), format!("1: FETCH 0+{size}")];
        assert_eq!(bed.said()[1..], first);
        bed
    }

    /// The same; its one file has come, is sound and being placed.
    fn placing_import() -> Self {
        let mut bed = Self::importing(&[(PURE, 5)]);
        bed.come(1, 5);
        bed.sound(1);
        assert_eq!(bed.said().last().unwrap(), "place 7 [t1] log");
        bed
    }

    /// A file comes whole.
    fn come(&mut self, transfer: u64, size: usize) {
        self.tool_chunk(0, size);
        self.disk(DiskAnswer::Written(TransferId(transfer), 0, size as u64));
    }

    /// Nothing of the import is left anywhere.
    fn nothing_left(&self) {
        assert_eq!(self.farm.publisher.under_way(), 0);
        assert_eq!(self.farm.juggler.transfers(), 0);
        assert_eq!(self.farm.juggler.in_flight(), (0, 0));
    }
}

fn imported(page: Option<i64>) -> Answer {
    let imported = Imported { page, cancelled: vec![BuildId(3)], ..Imported::default() };
    Answer::Logged(Logged::Imported(Box::new(imported)))
}

#[test]
fn two_files_are_fetched_checked_placed_and_committed_and_the_page_is_written_before_done() {
    let mut bed = Testbed::importing(&[(PURE, 5), (BOUND, 7)]);
    bed.tool_chunk(0, 5);
    assert_eq!(bed.said(), ["write t1 0+5"]);
    bed.disk(DiskAnswer::Written(TransferId(1), 0, 5));
    assert_eq!(bed.said(), [format!("check t1 {PURE}")]);
    bed.sound(1);
    assert_eq!(bed.said(), ["open t2 7", "1: SEND 1", "1: FETCH 0+7"]);
    bed.come(2, 7);
    assert_eq!(bed.said(), ["write t2 0+7", &format!("check t2 {BOUND}")]);
    bed.sound(2);
    assert_eq!(bed.said(), ["log 7 0+6", "place 7 [t1 t2] log"]);
    bed.placed(7, Placed::Durable);
    assert_eq!(bed.said(), ["ask log-import 7 2 as Foo"]);
    bed.answer("log-import", imported(Some(30)));
    assert_eq!(bed.said(), ["discard log 7", "ask rewrites-due 64"]);
    let order = RewriteOrder { page: PageKind::Project(project("foo")), order: 30 };
    bed.put(Event::Page(PageAnswer::Written(order, Ok(()))));
    let said = bed.said();
    assert!(said[0].starts_with("1: DONE {") && said[0].contains(r#""page":"written""#), "{said:?}");
    bed.nothing_left();
}

#[test]
fn whatever_goes_wrong_ends_it_with_one_error_and_nothing_is_recorded() {
    let refused = |mut bed: Testbed, word: &str| {
        let said = bed.said();
        let error = said.iter().find(|word| word.starts_with("1: ERROR "));
        assert!(error.is_some_and(|error| error.contains(word)), "{word}: {said:?}");
        assert!(said.contains(&"discard log 7".to_owned()), "{said:?}");
        bed.nothing_left();
        // not tried again either
        bed.wait(Millis::secs(120));
        assert_eq!(bed.said_beside_housekeeping(), Vec::<String>::new());
    };
    let whole = || {
        let mut bed = Testbed::importing(&[(PURE, 5)]);
        bed.come(1, 5);
        bed
    };
    let mut bed = whole();
    bed.disk(DiskAnswer::Checked(TransferId(1), Checked::WrongDigest { found: digest("else") }));
    refused(bed, "changed while it was sent");
    let mut bed = whole();
    bed.disk(DiskAnswer::Checked(TransferId(1), Checked::BadWheel("no wheel".to_owned())));
    refused(bed, "no wheel");
    let mut bed = whole();
    bed.disk(DiskAnswer::TransferFailed(TransferId(1), "full".to_owned()));
    refused(bed, "the master cannot keep it: full");
    let mut bed = Testbed::placing_import();
    bed.placed(7, Placed::Failed("full".to_owned()));
    refused(bed, "cannot be brought into place: full");
    let mut bed = Testbed::placing_import();
    bed.placed(7, Placed::Missing);
    refused(bed, "gone from the master's spool");
    let mut bed = Testbed::placing_import();
    bed.placed(7, Placed::Taken(vec![PURE.to_owned()]));
    bed.answer("files-known", Answer::FilesKnown(vec![(PURE.to_owned(), digest("else"))]));
    refused(bed, "published already, with other bytes");
    let mut bed = Testbed::placing_import();
    bed.placed(7, Placed::Durable);
    bed.answer("log-import", Answer::Refused("no".to_owned()));
    refused(bed, "not recorded: no");
}

#[test]
fn left_overs_under_its_name_are_replaced() {
    let mut bed = Testbed::placing_import();
    bed.placed(7, Placed::Taken(vec![PURE.to_owned()]));
    bed.answer("files-known", Answer::FilesKnown(Vec::new()));
    assert!(bed.said().contains(&format!("place 7 [t1] log unclaimed {PURE}")));
}

#[test]
fn a_tool_that_goes_takes_with_it_what_has_not_come_and_nothing_else() {
    let mut bed = Testbed::importing(&[(PURE, 5)]);
    bed.said();
    bed.cut(TOOL);
    assert_eq!(bed.said(), ["discard t1"]);
    bed.nothing_left();

    let mut bed = Testbed::placing_import();
    bed.cut(TOOL);
    bed.placed(7, Placed::Durable);
    bed.answer("log-import", imported(Some(30)));
    assert_eq!(bed.said(), ["ask log-import 7 1 as Foo", "discard log 7", "ask rewrites-due 64"]);
    bed.nothing_left();
}

#[test]
fn a_tool_that_is_silent_is_dropped_and_one_that_waits_for_the_commit_is_not() {
    let mut bed = Testbed::importing(&[(PURE, 5)]);
    bed.said();
    bed.wait(FILE_SILENCE + Millis::secs(1));
    let said = bed.said_beside_housekeeping();
    assert!(said[0].contains("silent for 60 s in a transfer"), "{said:?}");

    let mut bed = Testbed::placing_import();
    bed.wait(Millis::secs(3600));
    assert_eq!(bed.said_beside_housekeeping(), Vec::<String>::new());
    bed.placed(7, Placed::Durable);
    bed.answer("log-import", imported(Some(30)));
    bed.said();
    bed.wait(PAGE_PATIENCE);
    let said = bed.said_beside_housekeeping();
    assert!(said[0].contains(r#""page":"waits""#), "{said:?}");
}

#[test]
fn bytes_that_nobody_asked_for_end_the_connection_and_those_that_cross_an_error_are_passed_over() {
    let mut bed = Testbed::new();
    bed.open(Channel::Import);
    bed.tool_chunk(0, 5);
    assert!(bed.said()[0].contains("CHUNK outside a transfer"));

    let mut bed = Testbed::importing(&[(PURE, 5)]);
    bed.said();
    bed.tool_chunk(1, 4);
    let said = bed.said();
    assert!(said.iter().any(|word| word.contains("was not asked for")), "{said:?}");
    bed.cut(TOOL);
    bed.nothing_left();

    let mut bed = Testbed::importing(&[(PURE, 5)]);
    bed.disk(DiskAnswer::TransferFailed(TransferId(1), "full".to_owned()));
    bed.said();
    bed.tool_chunk(0, 5);
    assert_eq!(bed.said(), Vec::<String>::new());
}

#[test]
fn a_slave_and_a_tool_that_bring_the_same_name_do_not_overwrite_each_other() {
    let mut bed = Testbed::placing_import();
    let (slave, token) = bed.building(1);
    bed.built(slave, token, crate::wire::slave::BuildEnd::Built, &[(PURE, 5)]);
    bed.said();
    bed.deliver(2, 5);
    bed.sound(2);
    bed.say(slave, crate::wire::slave::FromSlave::Sent { index: 0 });
    bed.placed(1, Placed::Taken(vec![PURE.to_owned()]));
    bed.answer("files-known", Answer::FilesKnown(Vec::new()));
    let said = bed.said();
    assert!(
        !said.iter().any(|word| word.contains("unclaimed")),
        "the import may be in place already: {said:?}"
    );
}
