//! Lists as indexes write them, cut into pieces in every way.

use super::*;
use proptest::prelude::*;
use serde_json::json;

/// Feeds it in pieces of so many bytes.
fn read(text: &[u8], piece: usize) -> Result<(Vec<ListedProject>, ListEnd), String> {
    let mut list = ProjectList::new();
    let mut projects = Vec::new();
    for bytes in text.chunks(piece) {
        list.feed(bytes)?;
        projects.extend(list.drain(3));
    }
    let end = list.finish()?;
    projects.extend(list.drain(usize::MAX));
    Ok((projects, end))
}

fn names(text: &str) -> Result<Vec<String>, String> {
    let (projects, _) = read(text.as_bytes(), 7)?;
    Ok(projects.into_iter().map(|project| project.package.to_string()).collect())
}

const META: &str = r#""meta":{"api-version":"1.4","_last-serial":77}"#;

#[test]
fn projects_come_in_their_order_with_spelling_and_serial() {
    let text = r#"{ "meta" : {"_last-serial": 9000000000, "api-version": "1.1"}, "projects" : [
        {"_last-serial": 3, "name": "Zope.Interface"}, {"name":"a","_last-serial":"4"} ,
        {"name":"\u0062","url":{"x":["]","}"]}}]} "#;
    for piece in [1, 2, 1000] {
        let (projects, end) = read(text.as_bytes(), piece).unwrap();
        let seen: Vec<_> =
            projects.iter().map(|p| (p.package.as_str(), p.display.as_str(), p.serial)).collect();
        assert_eq!(seen, [("zope-interface", "Zope.Interface", 3), ("a", "a", 4), ("b", "b", 0)]);
        assert_eq!(end, ListEnd { serial: Some(9_000_000_000), odd: 0 });
    }
}

#[test]
fn what_the_list_says_of_itself_may_stand_behind_its_projects() {
    let text = format!(r#"{{"a":1,"projects":[{{"name":"x"}}],"b":[true],"c":"d",{META},"e":-1.5e3}}"#);
    let (projects, end) = read(text.as_bytes(), 1).unwrap();
    assert_eq!((projects.len(), end.serial), (1, Some(77)));
    assert_eq!(names(&format!(r#"{{"projects":[],{META}}}"#)).unwrap(), [] as [&str; 0]);
}

#[test]
fn odd_projects_are_counted() {
    let entries = r#"{"name":"no name!"},{"name":7},{},"x",null,[],12,{"name":"fine"}"#;
    let (projects, end) = read(format!(r#"{{{META},"projects":[{entries}]}}"#).as_bytes(), 5).unwrap();
    assert_eq!((projects.len(), end.odd), (1, 7));
    let not_utf_8 = [b"{", META.as_bytes(), br#","projects":[{"name":""#, &[0xff], br#""}]}"#].concat();
    assert_eq!(read(&not_utf_8, 100).unwrap().1.odd, 1);
}

#[test]
fn a_list_that_breaks_off_anywhere_has_no_end() {
    let whole = format!(r#"{{"projects":[{{"name":"a"}},{{"name":"b"}}],"n":1,{META}}}"#);
    for at in 0..whole.len() {
        assert!(read(&whole.as_bytes()[..at], 4).unwrap_err().contains("breaks off"), "cut at {at}");
    }
    assert!(names(&whole).is_ok());
}

#[test]
fn what_is_no_list_is_refused() {
    for (text, reason) in [
        ("<html>".to_owned(), "'<' is not due"),
        ("[]".to_owned(), "is not due"),
        (format!("{{{META}}}"), "has no projects"),
        (r#"{"projects":[]}"#.to_owned(), "does not say which version"),
        (r#"{"meta":{"api-version":"2.0"},"projects":[]}"#.to_owned(), "version 2.0"),
        (format!(r#"{{{META},"projects":{{}}}}"#), "are not a list"),
        (format!(r#"{{{META},"projects":[],"projects":[]}}"#), "twice"),
        (format!(r#"{{{META},"projects":[,]}}"#), "cannot be read"),
        (format!(r#"{{{META},"projects":[1 2]}}"#), "is not due"),
        (format!(r#"{{{META},"projects":[1,]}}"#), "cannot be read"),
        (format!(r#"{{{META},"projects":[{{"name":"a",}}]}}"#), "cannot be read"),
        (format!(r#"{{{META},"projects":[tru]}}"#), "cannot be read"),
        (format!("{{{META},\u{c}\"projects\":[]}}"), "is not due"),
        (format!(r#"{{{META},}}"#), "is not due"),
        (format!(r#"{{{META},"projects":[]}} x"#), "is not due"),
        (format!(r#"{{{META},"projects":[]}}}}"#), "is not due"),
        (r#"{"a"1}"#.to_owned(), "is not due"),
        (r#"{"a":}"#.to_owned(), "cannot be read"),
        (r#"{"\x":1}"#.to_owned(), "cannot be read"),
        (format!(r#"{{"a":"{}"#, "x".repeat(VALUE_BYTES)), "more than"),
    ] {
        let refused = names(&text);
        assert!(
            refused.as_ref().is_err_and(|e| e.contains(reason)),
            "{}: {refused:?}",
            &text[..text.len().min(99)]
        );
    }
}

proptest! {
    #[test]
    fn every_document_is_read_as_serde_json_reads_it(
        entries in proptest::collection::vec(prop_oneof![
            ("[a-z]{1,4}([._-][a-z0-9]{1,3})?", any::<u64>()).prop_map(|(name, serial)| json!({ "name": name, "_last-serial": serial })),
            "\\PC{0,12}|[\"\\\\\\[\\]{},:]{0,12}".prop_map(|name| json!({ "name": name, "more": [name, {}] })),
            Just(json!([1, "]", null])),
        ], 0..20),
        more in proptest::collection::vec(("[a-c\"\\\\]{1,3}", "[\"\\\\\\[\\]{},:]{0,9}"), 0..3),
        meta_first in any::<bool>(), pretty in any::<bool>(), piece in 1..40usize,
    ) {
        let meta = json!({ "api-version": "1.0", "_last-serial": 5 });
        let mut members: Vec<(String, serde_json::Value)> = more.into_iter().map(|(k, v)| (k, json!([v, { "k": v }]))).collect();
        members.push(("projects".to_owned(), json!(entries)));
        members.insert(if meta_first { 0 } else { members.len() }, ("meta".to_owned(), meta));
        let write = |value: &serde_json::Value| {
            if pretty { serde_json::to_string_pretty(value).unwrap() } else { value.to_string() }
        };
        let members: Vec<String> = members.iter().map(|(k, v)| format!("{}:{}", write(&json!(k)), write(v))).collect();
        let text = format!("{{{}}}", members.join(if pretty { " ,\n" } else { "," }));
        let (projects, end) = read(text.as_bytes(), piece).unwrap();
        let expected: Vec<&str> = entries
            .iter()
            .filter_map(|entry| entry.get("name")?.as_str())
            .filter(|name| ProjectName::parse(name).is_ok())
            .collect();
        let read: Vec<&str> = projects.iter().map(|project| project.display.as_str()).collect();
        prop_assert_eq!(&read, &expected);
        prop_assert_eq!(end, ListEnd { serial: Some(5), odd: entries.len() - expected.len() });
    }

    #[test]
    fn no_bytes_end_the_program(
        text in "\\PC{0,40}|[{}\\[\\],:\"\\\\a1 ]{0,40}", inside in any::<bool>(), piece in 1..9usize,
    ) {
        let text = if inside { format!(r#"{{{META},"projects":[{text}"#) } else { text };
        let _ = read(text.as_bytes(), piece);
    }
}
