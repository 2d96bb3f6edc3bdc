//! Answers as servers write them, and as none should.

use super::*;
use proptest::prelude::*;

fn rows(xml: &str) -> Result<Vec<Vec<Value>>, String> {
    let mut rows = Vec::new();
    match read_rows(xml.as_bytes(), &mut |row| rows.push(row.to_vec())) {
        Ok(()) => Ok(rows),
        Err(XmlError::Broken(error)) => Err(format!("broken: {error}")),
        Err(XmlError::Unreadable(reason)) => Err(reason),
        Err(XmlError::Fault(code, text)) => Err(format!("fault {code}: {text}")),
    }
}

fn answer(data: &str) -> String {
    format!(
        "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n<value><array><data>\n{data}\n</data></array></value>\n\
         </param>\n</params>\n</methodResponse>\n"
    )
}

fn row(values: &str) -> String {
    answer(&format!("<value><array><data>\n{values}\n</data></array></value>"))
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

#[test]
fn every_type_is_read_or_passed_over() {
    let xml = row(
        "<value><string>six</string></value><value>1.0</value><value><int>7</int></value><value><i4> -7 </i4></value>
        <value><i8>9000000000</i8></value><value><int>9000000000</int></value><value><nil/></value><value><ex:nil></ex:nil></value>
        <value><ex:i8>3</ex:i8></value><value><boolean>1</boolean></value><value><double>1.5</double></value>
        <value><dateTime.iso8601>20240101T00:00:00</dateTime.iso8601></value><value><base64>eA==</base64></value>
        <value><strange><deep>x</deep></strange></value><value><int>x</int></value><value><string/></value><value/>",
    );
    let expected = [
        text("six"),
        text("1.0"),
        Value::Int(7),
        Value::Int(-7),
        Value::Int(9_000_000_000),
        Value::Int(9_000_000_000),
        Value::Nil,
        Value::Nil,
        Value::Int(3),
        Value::Other,
        Value::Other,
        Value::Other,
        Value::Other,
        Value::Other,
        Value::Other,
        text(""),
        text(""),
    ];
    assert_eq!(rows(&xml).unwrap(), [expected]);
}

#[test]
fn texts_may_be_written_in_every_way_xml_knows() {
    let xml = row(
        "<value>a &lt;b&gt; &amp;amp; &#233;&#x1F600;</value><value><string><![CDATA[<a> & b]]>c<!-- no --> d</string></value>",
    );
    assert_eq!(rows(&xml).unwrap(), [[text("a <b> &amp; é😀"), text("<a> & bc d")]]);
}

#[test]
fn a_byte_order_mark_is_passed_over_however_it_comes() {
    let xml = format!("\u{feff}{}", row("<value>six</value>"));
    for size in [1, 2, 4096] {
        let mut rows = Vec::new();
        let input = io::BufReader::with_capacity(size, xml.as_bytes());
        read_rows(input, &mut |row| rows.push(row.to_vec())).unwrap();
        assert_eq!(rows, [[text("six")]], "{size} bytes at a time");
    }
}

#[test]
fn an_answer_without_rows_and_rows_that_are_none_are_no_mistake() {
    assert_eq!(rows(&answer("")).unwrap(), [] as [Vec<Value>; 0]);
    assert_eq!(rows(&answer("<value><nil/></value><value>x</value>")).unwrap(), [[Value::Nil], [text("x")]]);
}

#[test]
fn a_fault_is_told_with_code_and_text() {
    let xml = "<methodResponse><fault><value><struct><member><name>faultString</name><value>too &amp; much</value></member>\
               <member><name>faultCode</name><value><int>-32500</int></value></member></struct></value></fault></methodResponse>";
    assert_eq!(rows(xml).unwrap_err(), "fault -32500: too & much");
    let bare = "<methodResponse><fault><value>x</value></fault></methodResponse>";
    assert_eq!(rows(bare).unwrap_err(), "fault 0: no reason");
}

#[test]
fn what_no_answer_may_have_is_refused() {
    let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;\">]>";
    let deep =
        |open: &str, close: &str, times| row(&format!("{}{}", open.repeat(times), close.repeat(times)));
    for (xml, reason) in [
        (format!("{bomb}{}", row("<value>&b;</value>")), "has a DTD"),
        (row("<value>&b;</value>"), "the entity \"b\""),
        (row("<value>&#0;</value>"), "the entity"),
        (row("<value>&#xD800;</value>"), "the entity"),
        (deep("<value><array><data>", "</data></array></value>", 50), "too many values in each other"),
        (row(&format!("<value><odd>{}</odd></value>", "<x>".repeat(100))), "too many elements in each other"),
        (row("<value>x<string>y</string></value>"), "before <string>"),
        (row("<value><string>y<b/></string></value>"), "in a text"),
        (row("stray"), "between its elements"),
        (row("<other/>"), "<other> where <value> is due"),
        (format!("{}<x/>", answer("")), "goes on behind its end"),
        ("<methodResponse><value/></methodResponse>".to_owned(), "where <params> is due"),
        (
            "<html><body>Welcome to our network</body></html>".to_owned(),
            "<html> where <methodResponse> is due",
        ),
        ("<methodResponse></methodCall>".to_owned(), "cannot be read"),
        (String::new(), "breaks off"),
    ] {
        let refused = rows(&xml);
        assert!(refused.as_ref().is_err_and(|e| e.contains(reason)), "{xml}: {refused:?}");
    }
    let latin = row("<value>").into_bytes();
    let bytes: Vec<u8> = latin.into_iter().chain([0xe9, 0xe9]).collect();
    assert!(matches!(read_rows(&bytes[..], &mut |_| {}), Err(XmlError::Unreadable(_))));
}

#[test]
fn an_answer_that_breaks_off_anywhere_is_no_answer() {
    let whole =
        row("<value><string>six &amp; more</string></value><value><int>7</int></value><value><nil/></value>");
    let end = whole.trim_end().len();
    for at in 0..end {
        assert!(rows(&whole[..at]).is_err(), "cut at {at}");
    }
    assert!(rows(&whole[..end]).is_ok());
}

#[test]
fn long_texts_and_long_rows_are_cut() {
    let xml = row(&format!("<value>a{}</value>{}", "é".repeat(TEXT_BYTES), "<value>1</value>".repeat(100)));
    let rows = rows(&xml).unwrap();
    assert_eq!(rows[0].len(), ITEMS);
    assert_eq!(rows[0][0].text().unwrap().len(), TEXT_BYTES - 1);
}

#[test]
fn more_rows_than_any_answer_has_are_refused() {
    assert!(rows(&answer(&"<value/>".repeat(ROWS + 1))).unwrap_err().contains("more than"));
}

#[test]
fn the_question_has_the_number_in_a_type_that_holds_it() {
    assert!(
        call("m", 2_147_483_647)
            .contains("<methodName>m</methodName><params><param><value><int>2147483647</int>")
    );
    assert!(call("m", 2_147_483_648).contains("<i8>2147483648</i8>"));
}

#[test]
fn the_seconds_of_a_rate_limit_are_found() {
    assert_eq!(rate_limit("HTTPTooManyRequests: … Limit may reset in 0 seconds."), Some(Some(0)));
    assert_eq!(rate_limit("too many requests, wait 1 second"), Some(Some(1)));
    assert_eq!(rate_limit("Too Many Requests"), Some(None));
    assert_eq!(rate_limit("too many requests: wait some seconds"), Some(None));
    assert_eq!(rate_limit("wait 5 seconds"), None);
}

/// The value, as a server may write it.
fn write(value: &Value) -> String {
    let escape = |text: &str| quick_xml::escape::escape(text).into_owned();
    match value {
        Value::Nil => "<value><nil/></value>".to_owned(),
        Value::Int(number) => format!("<value><i8>{number}</i8></value>\n"),
        Value::Text(text) if text.len().is_multiple_of(2) => {
            format!("<value><string>{}</string></value>", escape(text))
        }
        Value::Text(text) => format!("<value>{}</value>", escape(text)),
        Value::List(items) => {
            format!(
                "<value><array><data>{}</data></array></value>",
                items.iter().map(write).collect::<String>()
            )
        }
        Value::Struct(members) => {
            let member = |(name, value): &(String, Value)| {
                format!("<member><name>{}</name>{}</member>", escape(name), write(value))
            };
            format!("<value><struct>{}</struct></value>", members.iter().map(member).collect::<String>())
        }
        Value::Other => "<value><double>1</double></value>".to_owned(),
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Nil),
        Just(Value::Other),
        any::<i64>().prop_map(Value::Int),
        "[ -~é😀]{0,30}".prop_map(Value::Text),
    ];
    leaf.prop_recursive(4, 20, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
            proptest::collection::vec(("[a-z]{1,8}", inner), 0..4).prop_map(Value::Struct),
        ]
    })
}

proptest! {
    #[test]
    fn what_was_written_is_read(values in proptest::collection::vec(proptest::collection::vec(any_value(), 0..6), 0..6)) {
        let lists: Vec<Value> = values.iter().cloned().map(Value::List).collect();
        let xml = answer(&lists.iter().map(write).collect::<String>());
        prop_assert_eq!(rows(&xml).unwrap(), values);
    }

    #[test]
    fn no_bytes_end_the_program(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read_rows(&bytes[..], &mut |_| {});
    }

    #[test]
    fn no_elements_end_the_program(
        parts in proptest::collection::vec("</?(value|array|data|string|int|nil|struct|member|name|fault|params|param|methodResponse)/?>|&[a-z#x0-9]{0,6};|[a-z0-9 ]{0,3}|<!\\[CDATA\\[|\\]\\]>|<!--|-->|<\\?|<!", 0..60),
        inside in any::<bool>(),
    ) {
        let text = parts.concat();
        let _ = rows(&if inside { row(&text) } else { text });
    }
}
