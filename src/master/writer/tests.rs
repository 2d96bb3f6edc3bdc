//! The file writer as the reactor sees it: requests in, answers out, files beside.

use std::cell::RefCell;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::rc::Rc;

use bytes::Bytes;
use zip::write::SimpleFileOptions;

use super::*;
use crate::domain::{ProjectName, Version};
use crate::master::disk::Change;
use crate::master::event::PlacedFile;

const BUILD: BuildId = BuildId(7);
const ID: TransferId = TransferId(1);
const NAME: &str = "foo-1.0-py3-none-any.whl";

struct Rig {
    dir: tempfile::TempDir,
    writer: FileWriter,
}

impl Rig {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (output, spool) = (dir.path().join("www"), dir.path().join("spool"));
        std::fs::create_dir(&output).unwrap();
        std::fs::create_dir(&spool).unwrap();
        Self { writer: FileWriter::new(output, spool), dir }
    }

    fn ask(&mut self, request: DiskRequest) -> Option<DiskAnswer> {
        let mut answers = Vec::new();
        self.writer.handle(request, &mut |answer| answers.push(answer));
        assert!(answers.len() <= 1, "{answers:?}");
        answers.pop()
    }

    /// Brings a wheel into the spool and has it checked; what it is.
    fn receive(&mut self, id: TransferId, content: &[u8]) -> PlacedFile {
        let bytes = wheel(content);
        let expected = Expected {
            build: BUILD,
            index: id.0 as u16,
            filename: NAME.to_owned(),
            build_tag: None,
            size: bytes.len() as u64,
            sha256: Sha256::of(&bytes),
            project: ProjectName::parse("foo").unwrap(),
            version: Version::parse("1.0").unwrap(),
            once: false,
        };
        let sha256 = expected.sha256;
        let opened = self.ask(DiskRequest::Open(id, expected.part()));
        assert!(matches!(opened, Some(DiskAnswer::Opened(..))), "{opened:?}");
        self.ask(DiskRequest::Write(id, 0, Bytes::from(bytes)));
        let metadata_sha256 = match self.ask(DiskRequest::Check(id, expected)) {
            Some(DiskAnswer::Checked(_, Checked::Sound(WheelFacts { metadata_sha256, .. }))) => {
                metadata_sha256
            }
            other => panic!("{other:?}"),
        };
        PlacedFile { transfer: id, filename: NAME.to_owned(), sha256, metadata_sha256 }
    }

    fn place(&mut self, files: &[PlacedFile], remark: Option<&str>) -> Placed {
        let placement = Placement {
            build: BUILD,
            project: ProjectName::parse("foo").unwrap(),
            files: files.to_vec(),
            log: true,
            remark: remark.map(str::to_owned),
            unclaimed: Vec::new(),
        };
        match self.ask(DiskRequest::Place(placement)) {
            Some(DiskAnswer::Placed(BUILD, placed)) => placed,
            other => panic!("{other:?}"),
        }
    }

    fn spooled(&self) -> usize {
        std::fs::read_dir(self.dir.path().join("spool")).unwrap().count()
    }

    fn published_log(&self) -> String {
        let file = File::open(self.dir.path().join("www").join(log_path(BUILD))).unwrap();
        let mut text = String::new();
        flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
        text
    }
}

fn wheel(content: &[u8]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
    for (name, bytes) in [
        ("foo.py", content),
        ("foo-1.0.dist-info/METADATA", b"Name: foo\nVersion: 1.0\n".as_slice()),
        ("foo-1.0.dist-info/WHEEL", b"Wheel-Version: 1.0\n"),
    ] {
        writer.start_file(name, SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn failure(answer: Option<DiskAnswer>) -> String {
    match answer {
        Some(DiskAnswer::TransferFailed(ID, reason)) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_piece_of_a_transfer_that_is_not_known_is_answered_with_a_failure() {
    let mut rig = Rig::new();
    let piece = || DiskRequest::Write(ID, 0, Bytes::from_static(b"x"));
    assert_eq!(failure(rig.ask(piece())), "the transfer is unknown");
    rig.ask(DiskRequest::Open(
        ID,
        Part { build: BUILD, index: 0, size: 1, sha256: Sha256([1; 32]), once: false },
    ));
    assert!(matches!(rig.ask(piece()), Some(DiskAnswer::Written(ID, 0, 1))));
}

#[test]
fn a_lost_slaves_log_is_kept_as_far_as_it_came_and_the_whole_one_takes_its_place() {
    let mut rig = Rig::new();
    let keep = || DiskRequest::KeepLog(BUILD, "pi-1 was not heard from after this".to_owned());
    let read = |rig: &Rig| {
        let mut text = String::new();
        let file = File::open(rig.dir.path().join("www").join(log_path(BUILD))).ok()?;
        io::Read::read_to_string(&mut flate2::read::GzDecoder::new(file), &mut text).unwrap();
        Some(text)
    };
    assert!(rig.ask(keep()).is_none());
    assert_eq!(read(&rig), None, "nothing came, nothing is published");
    rig.ask(DiskRequest::Log(BUILD, 0, Bytes::from_static(b"half ")));
    rig.ask(keep());
    assert_eq!(read(&rig).unwrap(), "half \npiw-master: pi-1 was not heard from after this\n");
    rig.ask(DiskRequest::Log(BUILD, 0, Bytes::from_static(b"half and half")));
    assert_eq!(rig.place(&[], None), Placed::Durable);
    assert_eq!(read(&rig).unwrap(), "half and half");
}

#[test]
fn a_failed_transfer_fails_once() {
    let mut rig = Rig::new();
    rig.ask(DiskRequest::Open(
        ID,
        Part { build: BUILD, index: 0, size: 1, sha256: Sha256([1; 32]), once: false },
    ));
    // a file that cannot be written to stands for a disk that is full
    rig.writer.transfers.get_mut(&ID).unwrap().file = File::open(rig.dir.path()).unwrap();
    let piece = || DiskRequest::Write(ID, 0, Bytes::from_static(b"x"));
    failure(rig.ask(piece()));
    assert!(rig.ask(piece()).is_none());
}

#[test]
fn a_checked_file_is_not_kept_open() {
    let mut rig = Rig::new();
    let file = rig.receive(ID, b"1");
    assert!(rig.writer.transfers.is_empty());
    assert_eq!(rig.place(&[file], None), Placed::Durable);
}

/// Has the changes of this thread told from here on, in words; those of which `refuse` says so fail.
fn told(refuse: fn(&Change<'_>) -> bool) -> Rc<RefCell<Vec<&'static str>>> {
    let told = Rc::new(RefCell::new(Vec::new()));
    let tells = Rc::clone(&told);
    disk::watch(Some(Box::new(move |change| {
        if refuse(&change) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        tells.borrow_mut().push(match change {
            Change::SyncAll => "sync all",
            Change::SyncDir(_) => "sync dir",
            Change::Sync(_) => "sync",
            Change::Link(..) => "link",
            _ => "other",
        });
        Ok(())
    })));
    told
}

#[test]
fn what_was_found_in_place_is_made_durable_too_when_nobody_knows_that_it_is() {
    let mut rig = Rig::new();
    let file = rig.receive(ID, b"1");
    // the directory is made, and its name does not reach the disk
    told(|change| matches!(change, Change::SyncDir(_)));
    assert!(matches!(rig.place(std::slice::from_ref(&file), None), Placed::Failed(_)));
    assert!(rig.dir.path().join("www/simple").is_dir());
    let again = told(|_| false);
    assert_eq!(rig.place(std::slice::from_ref(&file), None), Placed::Durable);
    assert_eq!(again.borrow()[0], "sync all", "{again:?}");
    // nothing went wrong since
    let second = rig.receive(TransferId(2), b"1");
    let once_more = told(|_| false);
    assert_eq!(rig.place(&[second], None), Placed::Durable);
    assert!(!once_more.borrow().contains(&"sync all"), "{once_more:?}");
    // a writer that starts knows nothing of what it finds
    let (output, spool) = (rig.dir.path().join("www"), rig.dir.path().join("spool"));
    rig.writer = FileWriter::new(output, spool);
    let anew = told(|_| false);
    assert_eq!(rig.place(&[PlacedFile { transfer: TransferId(3), ..file }], None), Placed::Durable);
    assert_eq!(anew.borrow()[0], "sync all", "{anew:?}");
    disk::watch(None);
}

#[test]
fn a_build_that_is_placed_again_with_a_remark_keeps_its_log() {
    let mut rig = Rig::new();
    rig.ask(DiskRequest::Log(BUILD, 0, Bytes::from_static(b"it compiles\n")));
    let file = rig.receive(ID, b"1");
    assert_eq!(rig.place(&[file], None), Placed::Durable);
    assert_eq!(rig.place(&[], Some("not recorded")), Placed::Durable);
    assert_eq!(rig.published_log(), "it compiles\n\npiw-master: not recorded\n");
    rig.ask(DiskRequest::DiscardLog(BUILD));
    assert_eq!(rig.spooled(), 0);
}

#[test]
fn a_file_that_is_gone_from_the_spool_counts_only_when_its_very_bytes_are_published() {
    let mut rig = Rig::new();
    let file = rig.receive(ID, b"1");
    let gone = PlacedFile { transfer: TransferId(2), ..file.clone() };
    assert_eq!(rig.place(std::slice::from_ref(&gone), None), Placed::Missing, "nothing is published yet");
    assert_eq!(rig.place(&[file], None), Placed::Durable);
    assert_eq!(rig.place(std::slice::from_ref(&gone), None), Placed::Durable, "an earlier try placed it");
    let other = PlacedFile { sha256: Sha256::of(b"other"), ..gone.clone() };
    assert_eq!(rig.place(&[other], None), Placed::Missing);
    let other = PlacedFile { metadata_sha256: Sha256::of(b"other"), ..gone };
    assert_eq!(rig.place(&[other], None), Placed::Missing);
}

#[test]
fn a_name_with_other_bytes_is_taken_and_stays() {
    let mut rig = Rig::new();
    let first = rig.receive(ID, b"1");
    assert_eq!(rig.place(std::slice::from_ref(&first), None), Placed::Durable);
    let second = rig.receive(TransferId(2), b"2");
    assert_eq!(rig.place(&[second], None), Placed::Taken(vec![NAME.to_owned()]));
    let published = std::fs::read(rig.dir.path().join("www/simple/foo").join(NAME)).unwrap();
    assert_eq!(Sha256::of(&published), first.sha256);
}

#[test]
fn directories_are_readable_for_the_web_server_whatever_the_umask() {
    let mut rig = Rig::new();
    let before = nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
    let file = rig.receive(ID, b"1");
    let placed = rig.place(&[file], None);
    nix::sys::stat::umask(before);
    assert_eq!(placed, Placed::Durable);
    for made in ["simple", "simple/foo", "logs", "logs/0000/0000"] {
        let mode = std::fs::metadata(rig.dir.path().join("www").join(made)).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o755, "{made}");
    }
}
