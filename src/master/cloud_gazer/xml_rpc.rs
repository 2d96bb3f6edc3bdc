//! XML-RPC as far as the changelog needs it: one call with one number, and answers of rows. Pure: bytes in, values out.
//!
//! Answers are read piece by piece and bounded in every way: depth, lengths, rows. There is no DTD and no entity but the
//! five of XML itself. Types that nobody needs are passed over; a number or text that cannot be read spoils its row only.

use std::io::{self, BufRead, Read};
use std::sync::Arc;

use quick_xml::Reader;
use quick_xml::errors::SyntaxError;
use quick_xml::events::Event;

/// The longest text that is kept, in bytes; the rest of it is cut off.
const TEXT_BYTES: usize = 2000;
/// The longest name of an element, in bytes.
const NAME_BYTES: usize = 40;
/// Values of one list, or members of one struct, that are kept.
const ITEMS: usize = 32;
/// How deep values may stand in each other.
const DEPTH: usize = 8;
/// How deep elements of unknown types may.
const UNKNOWN_DEPTH: usize = 64;
/// Rows of one answer: ten times what the changelog has at most.
const ROWS: usize = 500_000;

/// A value, as far as it matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Nil,
    Int(i64),
    Text(String),
    List(Vec<Value>),
    Struct(Vec<(String, Value)>),
    /// Of another type, or not to be read.
    Other,
}

impl Value {
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A number of at most 63 bits that is not negative; servers whose numbers have 32 bits write larger ones as texts.
    pub(super) fn unsigned(&self) -> Option<u64> {
        match self {
            Self::Int(number) => u64::try_from(*number).ok(),
            Self::Text(text) => text.trim().parse::<i64>().ok().and_then(|number| u64::try_from(number).ok()),
            _ => None,
        }
    }

    fn member(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Struct(members) => members.iter().find(|(known, _)| known == name).map(|(_, value)| value),
            _ => None,
        }
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum XmlError {
    /// Its bytes did not come.
    Broken(io::Error),
    /// It is not what it should be. For people.
    Unreadable(String),
    /// The index refused, with a code and a text.
    Fault(i64, String),
}

/// The request for `method(argument)`. Numbers that do not fit the 32 bits of `int` go as `i8`.
pub(super) fn call(method: &str, argument: u64) -> String {
    let kind = if i32::try_from(argument).is_ok() { "int" } else { "i8" };
    format!(
        "<?xml version=\"1.0\"?>\n<methodCall><methodName>{method}</methodName><params><param><value>\
         <{kind}>{argument}</{kind}></value></param></params></methodCall>\n"
    )
}

/// Reads an answer that is a list of lists, to its end, and hands over each of the inner ones.
pub(super) fn read_rows(mut input: impl BufRead, row: &mut dyn FnMut(&[Value])) -> Result<(), XmlError> {
    // the library passes over a byte order mark only where all of it comes at once
    let mut begin = Vec::new();
    input.by_ref().take(3).read_to_end(&mut begin).map_err(XmlError::Broken)?;
    let mut xml = Xml::new(begin.as_slice().chain(input));
    xml.open("methodResponse")?;
    match xml.open_any()?.as_str() {
        "params" => {
            xml.open("param")?;
            xml.rows(row)?;
            xml.close()?;
        }
        "fault" => {
            xml.open("value")?;
            let fault = xml.value(0)?;
            let code = match fault.member("faultCode") {
                Some(Value::Int(code)) => *code,
                _ => 0,
            };
            let text = fault.member("faultString").and_then(Value::text).unwrap_or("no reason").to_owned();
            return Err(XmlError::Fault(code, text));
        }
        other => return Err(unexpected(other, "params")),
    }
    xml.close()?;
    xml.close()?;
    loop {
        match xml.next()? {
            Token::End => return Ok(()),
            Token::Text(text) if text.trim().is_empty() => {}
            _ => return Err(XmlError::Unreadable("the index's XML goes on behind its end".to_owned())),
        }
    }
}

/// The seconds that a fault asks to wait, when it is the one about too many requests.
pub(super) fn rate_limit(fault: &str) -> Option<Option<u32>> {
    let lower = fault.to_ascii_lowercase();
    if !lower.contains("toomanyrequests") && !lower.contains("too many requests") {
        return None;
    }
    let (before, _) = lower.split_once(" second").unwrap_or_default();
    Some(before.rsplit(' ').next().and_then(|number| number.parse().ok()))
}

fn unexpected(found: &str, wanted: &str) -> XmlError {
    XmlError::Unreadable(format!("the index's XML has <{found}> where <{wanted}> is due"))
}

/// What stands next in the document.
enum Token {
    Open(String),
    Close,
    /// May be one piece of several.
    Text(String),
    End,
}

struct Xml<R> {
    reader: Reader<R>,
    buffer: Vec<u8>,
}

impl<R: BufRead> Xml<R> {
    fn new(input: R) -> Self {
        let mut reader = Reader::from_reader(input);
        reader.config_mut().expand_empty_elements = true;
        Self { reader, buffer: Vec::new() }
    }

    fn next(&mut self) -> Result<Token, XmlError> {
        loop {
            self.buffer.clear();
            let event = self.reader.read_event_into(&mut self.buffer).map_err(|error| match error {
                quick_xml::Error::Io(error) => {
                    let kind = error.kind();
                    XmlError::Broken(Arc::into_inner(error).unwrap_or_else(|| kind.into()))
                }
                // these are all about something that is not closed before the end
                quick_xml::Error::Syntax(error) if error != SyntaxError::InvalidBangMarkup => breaks_off(),
                error => XmlError::Unreadable(format!("the index's XML cannot be read: {error}")),
            })?;
            return Ok(match event {
                Event::Start(start) => {
                    // a prefix may stand before it: ex:nil, ex:i8
                    let local = start.local_name();
                    let name: &str = local.as_ref();
                    Token::Open(name[..name.floor_char_boundary(NAME_BYTES)].to_owned())
                }
                Event::End(_) => Token::Close,
                Event::Text(text) => Token::Text(cut(&text.xml10_content()).to_owned()),
                Event::CData(text) => Token::Text(cut(&text.xml10_content()).to_owned()),
                Event::GeneralRef(reference) => Token::Text(resolve(&reference)?),
                Event::Eof => Token::End,
                Event::DocType(_) => {
                    return Err(XmlError::Unreadable(
                        "the index's XML has a DTD, which is not read".to_owned(),
                    ));
                }
                Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => continue,
            });
        }
    }

    /// What stands next, apart from white space.
    fn next_tag(&mut self) -> Result<Token, XmlError> {
        loop {
            match self.next()? {
                Token::Text(text) if text.trim().is_empty() => {}
                Token::Text(text) => {
                    return Err(XmlError::Unreadable(format!(
                        "the index's XML has {text:?} between its elements"
                    )));
                }
                Token::End => return Err(breaks_off()),
                token => return Ok(token),
            }
        }
    }

    fn open_any(&mut self) -> Result<String, XmlError> {
        match self.next_tag()? {
            Token::Open(name) => Ok(name),
            _ => Err(XmlError::Unreadable("the index's XML has nothing where an element is due".to_owned())),
        }
    }

    fn open(&mut self, wanted: &str) -> Result<(), XmlError> {
        let name = self.open_any()?;
        if name == wanted { Ok(()) } else { Err(unexpected(&name, wanted)) }
    }

    fn close(&mut self) -> Result<(), XmlError> {
        match self.next_tag()? {
            Token::Open(name) => {
                Err(XmlError::Unreadable(format!("the index's XML has a <{name}> too many")))
            }
            _ => Ok(()),
        }
    }

    /// `<value><array><data>`, rows, and the ends of these.
    fn rows(&mut self, row: &mut dyn FnMut(&[Value])) -> Result<(), XmlError> {
        for wanted in ["value", "array", "data"] {
            self.open(wanted)?;
        }
        let mut rows = 0;
        while let Some(value) = self.item(0)? {
            rows += 1;
            if rows > ROWS {
                return Err(XmlError::Unreadable(format!("the index answers with more than {ROWS} rows")));
            }
            match &value {
                Value::List(items) => row(items),
                other => row(std::slice::from_ref(other)),
            }
        }
        self.close()?;
        self.close()
    }

    /// The next value of a list; `None` at the end of its `<data>`.
    fn item(&mut self, depth: usize) -> Result<Option<Value>, XmlError> {
        match self.next_tag()? {
            Token::Open(name) if name == "value" => self.value(depth).map(Some),
            Token::Open(name) => Err(unexpected(&name, "value")),
            _ => Ok(None),
        }
    }

    /// What stands in a `<value>` that is open already, and its end.
    fn value(&mut self, depth: usize) -> Result<Value, XmlError> {
        if depth > DEPTH {
            return Err(XmlError::Unreadable("the index's XML has too many values in each other".to_owned()));
        }
        let mut text = String::new();
        let kind = loop {
            match self.next()? {
                Token::Text(more) => append(&mut text, &more),
                // a text needs no type
                Token::Close => return Ok(Value::Text(text)),
                Token::Open(kind) => break kind,
                Token::End => return Err(breaks_off()),
            }
        };
        if !text.trim().is_empty() {
            return Err(XmlError::Unreadable(format!("the index's XML has {text:?} before <{kind}>")));
        }
        let value = match kind.as_str() {
            "string" => Value::Text(self.text()?),
            "int" | "i1" | "i2" | "i4" | "i8" | "biginteger" => {
                self.text()?.trim().parse().map_or(Value::Other, Value::Int)
            }
            "nil" => {
                self.skip()?;
                Value::Nil
            }
            "array" => self.list(depth)?,
            "struct" => self.members(depth)?,
            _ => {
                self.skip()?;
                Value::Other
            }
        };
        self.close()?;
        Ok(value)
    }

    /// The rest of an `<array>`.
    fn list(&mut self, depth: usize) -> Result<Value, XmlError> {
        self.open("data")?;
        let mut items = Vec::new();
        while let Some(item) = self.item(depth + 1)? {
            if items.len() < ITEMS {
                items.push(item);
            }
        }
        self.close()?;
        Ok(Value::List(items))
    }

    /// The rest of a `<struct>`.
    fn members(&mut self, depth: usize) -> Result<Value, XmlError> {
        let mut members = Vec::new();
        while let Token::Open(kind) = self.next_tag()? {
            if kind != "member" {
                return Err(unexpected(&kind, "member"));
            }
            self.open("name")?;
            let name = self.text()?;
            self.open("value")?;
            let value = self.value(depth + 1)?;
            self.close()?;
            if members.len() < ITEMS {
                members.push((name, value));
            }
        }
        Ok(Value::Struct(members))
    }

    /// The text of an element that is open already, and its end.
    fn text(&mut self) -> Result<String, XmlError> {
        let mut text = String::new();
        loop {
            match self.next()? {
                Token::Text(more) => append(&mut text, &more),
                Token::Close => return Ok(text),
                Token::Open(name) => {
                    return Err(XmlError::Unreadable(format!("the index's XML has <{name}> in a text")));
                }
                Token::End => return Err(breaks_off()),
            }
        }
    }

    /// Everything to the end of an element that is open already.
    fn skip(&mut self) -> Result<(), XmlError> {
        let mut depth = 1;
        while depth > 0 {
            match self.next()? {
                Token::Open(_) if depth >= UNKNOWN_DEPTH => {
                    return Err(XmlError::Unreadable(
                        "the index's XML has too many elements in each other".to_owned(),
                    ));
                }
                Token::Open(_) => depth += 1,
                Token::Close => depth -= 1,
                Token::Text(_) => {}
                Token::End => return Err(breaks_off()),
            }
        }
        Ok(())
    }
}

fn breaks_off() -> XmlError {
    XmlError::Broken(io::Error::new(io::ErrorKind::UnexpectedEof, "the XML breaks off"))
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(TEXT_BYTES)]
}

fn append(text: &mut String, more: &str) {
    let room = TEXT_BYTES.saturating_sub(text.len());
    text.push_str(&more[..more.floor_char_boundary(room)]);
}

/// A character by its number, or one of the five entities that need no DTD.
fn resolve(reference: &quick_xml::events::BytesRef<'_>) -> Result<String, XmlError> {
    let name: &str = reference.as_ref();
    let refused = || {
        XmlError::Unreadable(format!("the index's XML has the entity {:?}, which is not known", cut(name)))
    };
    if let Some(c) = reference.resolve_char_ref().map_err(|_| refused())? {
        return Ok(c.to_string());
    }
    quick_xml::escape::resolve_predefined_entity(name).map(str::to_owned).ok_or_else(refused)
}

#[cfg(test)]
mod tests;
