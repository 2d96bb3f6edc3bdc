//! The types that fields have, and how each stands on the wire (`wire-spec/README.md`, "Field types").

use std::fmt;
use std::ops::Deref;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::ids::{BuildId, JobToken, Sha256};

/// A type that a field may have.
pub trait Field: Sized {
    /// Appends the value.
    fn put(&self, out: &mut BytesMut);
    /// Takes the value off the front, or says what is wrong.
    fn take(input: &mut Bytes) -> Result<Self, &'static str>;
}

const SHORT: &str = "is cut off";

macro_rules! integer {
    ($($ty:ty: $put:ident $get:ident),*) => {$(
        impl Field for $ty {
            fn put(&self, out: &mut BytesMut) {
                out.$put(*self);
            }
            fn take(input: &mut Bytes) -> Result<Self, &'static str> {
                input.$get().map_err(|_| SHORT)
            }
        }
    )*};
}

integer!(u8: put_u8 try_get_u8, u16: put_u16 try_get_u16, u32: put_u32 try_get_u32, u64: put_u64 try_get_u64, i16: put_i16 try_get_i16, i64: put_i64 try_get_i64);

impl Field for bool {
    fn put(&self, out: &mut BytesMut) {
        out.put_u8(u8::from(*self));
    }
    fn take(input: &mut Bytes) -> Result<Self, &'static str> {
        match u8::take(input)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err("is neither 0 nor 1"),
        }
    }
}

impl<const N: usize> Field for [u8; N] {
    fn put(&self, out: &mut BytesMut) {
        out.put_slice(self);
    }
    fn take(input: &mut Bytes) -> Result<Self, &'static str> {
        let mut value = [0; N];
        input.try_copy_to_slice(&mut value).map_err(|_| SHORT)?;
        Ok(value)
    }
}

impl Field for Sha256 {
    fn put(&self, out: &mut BytesMut) {
        self.0.put(out);
    }
    fn take(input: &mut Bytes) -> Result<Self, &'static str> {
        Field::take(input).map(Self)
    }
}

impl Field for BuildId {
    fn put(&self, out: &mut BytesMut) {
        out.put_i64(self.0);
    }
    fn take(input: &mut Bytes) -> Result<Self, &'static str> {
        match input.try_get_i64().map_err(|_| SHORT)? {
            id if id > 0 => Ok(Self(id)),
            _ => Err("is not positive"),
        }
    }
}

impl Field for JobToken {
    fn put(&self, out: &mut BytesMut) {
        self.build.put(out);
        self.secret.put(out);
    }
    fn take(input: &mut Bytes) -> Result<Self, &'static str> {
        Ok(Self { build: Field::take(input)?, secret: Field::take(input)? })
    }
}

impl<T: Field> Field for Option<T> {
    fn put(&self, out: &mut BytesMut) {
        self.is_some().put(out);
        if let Some(value) = self {
            value.put(out);
        }
    }
    fn take(input: &mut Bytes) -> Result<Self, &'static str> {
        if bool::take(input)? { T::take(input).map(Some) } else { Ok(None) }
    }
}

/// UTF-8 text of at most `MAX` bytes, without control characters other than tab and newline.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Text<const MAX: usize>(String);

impl<const MAX: usize> Text<MAX> {
    /// The text, if it fits.
    pub fn new(text: impl Into<String>) -> Result<Self, &'static str> {
        let text = text.into();
        if text.len() > MAX {
            return Err("is too long");
        }
        if text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\n')) {
            return Err("has control characters");
        }
        Ok(Self(text))
    }

    /// As much of the text as fits, control characters replaced: for reasons and labels, which are for people.
    pub fn cut(text: &str) -> Self {
        let mut kept = String::with_capacity(text.len().min(MAX));
        for c in text.chars().map(|c| if c.is_control() && !matches!(c, '\t' | '\n') { '?' } else { c }) {
            if kept.len() + c.len_utf8() > MAX {
                break;
            }
            kept.push(c);
        }
        Self(kept)
    }

    /// The text itself.
    pub fn into_string(self) -> String {
        self.0
    }
}

impl<const MAX: usize> Deref for Text<MAX> {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> fmt::Display for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<const MAX: usize> fmt::Debug for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl<const MAX: usize> Field for Text<MAX> {
    fn put(&self, out: &mut BytesMut) {
        put_length::<MAX>(self.0.len(), out);
        out.put_slice(self.0.as_bytes());
    }
    fn take(input: &mut Bytes) -> Result<Self, &'static str> {
        let length = take_length::<MAX>(input)?;
        if length > MAX {
            return Err("is too long");
        }
        if input.len() < length {
            return Err(SHORT);
        }
        let bytes = input.split_to(length);
        Self::new(std::str::from_utf8(&bytes).map_err(|_| "is not UTF-8")?)
    }
}

/// At most `MAX` bytes of any kind.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Blob<const MAX: usize>(Bytes);

impl<const MAX: usize> Blob<MAX> {
    /// The bytes, if they fit.
    pub fn new(bytes: Bytes) -> Result<Self, &'static str> {
        if bytes.len() > MAX { Err("is too long") } else { Ok(Self(bytes)) }
    }

    /// The bytes themselves, without a copy.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }
}

impl<const MAX: usize> Deref for Blob<MAX> {
    type Target = Bytes;
    fn deref(&self) -> &Bytes {
        &self.0
    }
}

impl<const MAX: usize> fmt::Debug for Blob<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl<const MAX: usize> Field for Blob<MAX> {
    fn put(&self, out: &mut BytesMut) {
        out.put_u32(self.0.len() as u32);
        out.put_slice(&self.0);
    }
    fn take(input: &mut Bytes) -> Result<Self, &'static str> {
        let length = u32::take(input)? as usize;
        if length > MAX {
            return Err("is too long");
        }
        if input.len() < length {
            return Err(SHORT);
        }
        Ok(Self(input.split_to(length)))
    }
}

/// At most `MAX` values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List<T, const MAX: usize>(Vec<T>);

impl<T, const MAX: usize> Default for List<T, MAX> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T, const MAX: usize> List<T, MAX> {
    /// The values, if they are not too many.
    pub fn new(values: Vec<T>) -> Result<Self, &'static str> {
        if values.len() > MAX { Err("has too many entries") } else { Ok(Self(values)) }
    }

    /// As many of the values as fit.
    pub fn cut(mut values: Vec<T>) -> Self {
        values.truncate(MAX);
        Self(values)
    }

    /// The values themselves.
    pub fn into_vec(self) -> Vec<T> {
        self.0
    }
}

impl<T, const MAX: usize> Deref for List<T, MAX> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T: Field, const MAX: usize> Field for List<T, MAX> {
    fn put(&self, out: &mut BytesMut) {
        out.put_u16(self.0.len() as u16);
        for value in &self.0 {
            value.put(out);
        }
    }
    fn take(input: &mut Bytes) -> Result<Self, &'static str> {
        let count = usize::from(u16::take(input)?);
        if count > MAX {
            return Err("has too many entries");
        }
        // No reservation by a peer's word: the bytes must be there for each.
        let mut values = Vec::new();
        for _ in 0..count {
            values.push(T::take(input)?);
        }
        Ok(Self(values))
    }
}

/// Texts that may pass 65,535 bytes have a length of four bytes, others of two.
fn put_length<const MAX: usize>(length: usize, out: &mut BytesMut) {
    if MAX > usize::from(u16::MAX) {
        out.put_u32(length as u32);
    } else {
        out.put_u16(length as u16);
    }
}

fn take_length<const MAX: usize>(input: &mut Bytes) -> Result<usize, &'static str> {
    if MAX > usize::from(u16::MAX) {
        u32::take(input).map(|n| n as usize)
    } else {
        u16::take(input).map(usize::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_longer_than_its_bytes_is_refused_without_reserving_for_it() {
        let mut input = Bytes::from_static(&[0x00, 0x40, 0x01]);
        assert_eq!(List::<u64, 64>::take(&mut input), Err("is cut off"));
        let mut input = Bytes::from_static(&[0xff, 0xff]);
        assert_eq!(List::<u64, 64>::take(&mut input), Err("has too many entries"));
    }

    #[test]
    fn text_is_bounded_utf8_without_control_characters() {
        let take = |bytes: &'static [u8]| Text::<4>::take(&mut Bytes::from_static(bytes));
        assert_eq!(&*take(b"\x00\x04abcd").unwrap(), "abcd");
        assert_eq!(take(b"\x00\x05abcde"), Err("is too long"));
        assert_eq!(take(b"\x00\x02\xff\xfe"), Err("is not UTF-8"));
        assert_eq!(take(b"\x00\x02a\x1b"), Err("has control characters"));
        assert_eq!(take(b"\x00\x04ab"), Err("is cut off"));
        assert_eq!(&*Text::<4>::cut("aé\u{1b}bc"), "aé?");
    }

    #[test]
    fn build_numbers_are_positive() {
        assert_eq!(BuildId::take(&mut Bytes::from_static(&[0; 8])), Err("is not positive"));
        assert_eq!(BuildId::take(&mut Bytes::from_static(&[0xff; 8])), Err("is not positive"));
    }
}
