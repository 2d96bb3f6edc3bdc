//! What the audit of the web tree asks.

use super::*;
use crate::domain::Sha256;
use crate::master::event::{SweptDir, Tree};
use serde_json::json;

#[test]
fn questions_about_the_tree_go_to_the_database_and_their_answers_back() {
    let mut bench = Bench::new();
    let after = || text("");
    let foo = || text("foo-bar");
    for message in [
        FromTool::AuditProjects { after: after(), limit: 5 },
        FromTool::AuditRoot { after: text("foo"), limit: 5 },
        FromTool::AuditProject { project: foo(), after: text(""), limit: 5 },
        FromTool::AuditStrangers { names: List::new(vec![text("Old Backup")]).unwrap() },
        FromTool::AuditBuilds { builds: List::new(vec![BuildId(7)]).unwrap() },
    ] {
        let said = bench.say(message);
        assert!(said.len() == 1 && said[0].starts_with("ask look "), "{said:?}");
        assert_eq!(bench.json(Answer::Report("{\"x\":1}".to_owned())), json!({"x": 1}));
    }
    let said = bench.say(FromTool::Withhold { filename: text("foo.whl"), reason: None });
    assert!(said[0].starts_with("ask order Withhold"), "{said:?}");
    let (changed, said) = bench.answer(Answer::PagesOrdered("{\"changed\":true}".to_owned()));
    assert_eq!((changed, json_of(&said)), (Changed::Pages, json!({"changed": true})));
}

#[test]
fn the_writer_says_where_the_tree_is_and_does_what_is_to_be_done_there() {
    let mut bench = Bench::new();
    assert_eq!(bench.say(FromTool::Tree {}), ["locate for 1"]);
    assert!(!bench.chase.settled());
    let tree = Tree { output: "/srv/www".to_owned(), spool: "/srv/spool".to_owned(), device: 1, inode: 2 };
    bench.chase.located(TOOL, &tree, &mut bench.out);
    let json = json_of(&words(&mut bench.out));
    assert_eq!(json, json!({"output": "/srv/www", "spool": "/srv/spool", "device": 1, "inode": 2}));
    let wheel = "foo-1.0-py3-none-any.whl";
    let unpack = |name: &str| FromTool::UnpackMetadata { filename: text(name), sha256: Sha256([1; 32]) };
    assert_eq!(bench.say(unpack(wheel)), [format!("unpack {wheel} for 1")]);
    bench.chase.unpacked(TOOL, Err("no".to_owned()), &mut bench.out);
    assert_eq!(words(&mut bench.out), ["1: ERROR no"]);
    assert!(bench.say(unpack("../x"))[0].starts_with("1: ERROR "), "no such name reaches the disk");
    let sweep = |project: &str, name: &str| FromTool::Sweep {
        project: text(project),
        names: List::new(vec![text(name)]).unwrap(),
    };
    for (project, name) in [("Foo_Bar", "x"), ("..", "x"), ("foo", ".."), ("foo", "a/b"), ("foo", "")] {
        assert!(bench.say(sweep(project, name))[0].starts_with("1: ERROR "), "{project} {name}");
    }
    assert_eq!(bench.say(sweep("foo", "x")), ["ask unclaimed foo [x]"]);
    let (changed, _) = bench.answer(Answer::Unclaimed(vec!["x".to_owned()]));
    assert_eq!(changed, Changed::Unclaimed(project("foo"), vec!["x".to_owned()]));
    bench.chase.closed(TOOL);
    bench.chase.swept(TOOL, Ok(SweptDir::default()), &mut bench.out);
    assert!(words(&mut bench.out).is_empty(), "it is gone");
}
