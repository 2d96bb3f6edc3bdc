//! One list per channel and direction gives the enum, its codec and its names: a message cannot be in one and not in
//! another.

/// Messages of one direction of a channel.
macro_rules! messages {
    (
        $(#[$meta:meta])*
        $name:ident {
            $(
                $(#[$about:meta])*
                $tag:literal $wire:literal $variant:ident { $( $(#[$what:meta])* $field:ident: $ty:ty, )* }
            )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        // one message at a time, and never a list of them: their size is of no matter
        #[allow(clippy::large_enum_variant)]
        pub enum $name {
            $( $(#[$about])* $variant { $( $(#[$what])* $field: $ty, )* }, )*
        }

        impl $name {
            /// The message's name in `wire-spec/`.
            pub const fn name(&self) -> &'static str {
                match self { $( Self::$variant { .. } => $wire, )* }
            }

            /// Appends the message as one frame.
            pub fn encode(&self, out: &mut bytes::BytesMut) {
                match self {
                    $( Self::$variant { $( $field, )* } => {
                        $crate::wire::frame::put(out, $tag, |_out| { $( $crate::wire::field::Field::put($field, _out); )* });
                    } )*
                }
            }

            /// Reads the message that a frame holds.
            pub fn decode(frame: $crate::wire::Frame) -> Result<Self, $crate::wire::WireError> {
                // a direction whose messages have no fields takes nothing
                #[allow(unused_mut)]
                let mut input = frame.payload;
                let message = match frame.tag {
                    $( $tag => Self::$variant { $(
                        $field: $crate::wire::field::Field::take(&mut input).map_err(|reason| {
                            $crate::wire::WireError::Field { message: $wire, field: stringify!($field), reason }
                        })?,
                    )* }, )*
                    tag => return Err($crate::wire::WireError::UnknownTag(tag)),
                };
                if !input.is_empty() {
                    return Err($crate::wire::WireError::Trailing { message: message.name(), bytes: input.len() });
                }
                Ok(message)
            }
        }

        #[cfg(test)]
        impl $crate::wire::vectors::Described for $name {
            const NAMES: &'static [&'static str] = &[$( $wire, )*];
            fn fields(&self) -> (&'static str, serde_json::Value) {
                match self {
                    $( Self::$variant { $( $field, )* } => {
                        #[allow(unused_mut)]
                        let mut map = serde_json::Map::new();
                        $( map.insert(stringify!($field).to_owned(), $crate::wire::vectors::Json::json($field)); )*
                        ($wire, map.into())
                    } )*
                }
            }
            fn build(name: &str, _fields: &serde_json::Value) -> Self {
                match name {
                    $( $wire => Self::$variant {
                        $( $field: $crate::wire::vectors::Json::value(&_fields[stringify!($field)]), )*
                    }, )*
                    other => panic!("no message {other}"),
                }
            }
            fn drawn(name: &str, _chance: &mut $crate::wire::vectors::Chance) -> Self {
                match name {
                    $( $wire => Self::$variant { $( $field: $crate::wire::vectors::Json::drawn(_chance), )* }, )*
                    other => panic!("no message {other}"),
                }
            }
        }
    };
}

/// A group of fields inside a message.
macro_rules! record {
    ( $(#[$meta:meta])* $name:ident { $( $(#[$what:meta])* $field:ident: $ty:ty, )* } ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name { $( $(#[$what])* pub $field: $ty, )* }

        impl $crate::wire::field::Field for $name {
            fn put(&self, out: &mut bytes::BytesMut) {
                $( self.$field.put(out); )*
            }
            fn take(input: &mut bytes::Bytes) -> Result<Self, &'static str> {
                Ok(Self { $( $field: $crate::wire::field::Field::take(input)?, )* })
            }
        }

        #[cfg(test)]
        impl $crate::wire::vectors::Json for $name {
            fn json(&self) -> serde_json::Value {
                let mut map = serde_json::Map::new();
                $( map.insert(stringify!($field).to_owned(), self.$field.json()); )*
                map.into()
            }
            fn value(json: &serde_json::Value) -> Self {
                Self { $( $field: $crate::wire::vectors::Json::value(&json[stringify!($field)]), )* }
            }
            fn drawn(chance: &mut $crate::wire::vectors::Chance) -> Self {
                Self { $( $field: $crate::wire::vectors::Json::drawn(chance), )* }
            }
        }
    };
}

/// A field of one byte with named values.
macro_rules! code {
    ( $(#[$meta:meta])* $name:ident { $( $(#[$what:meta])* $value:literal $wire:literal $variant:ident, )* } ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $( $(#[$what])* $variant, )* }

        impl $name {
            /// Every value, in the order of the codes.
            pub const ALL: &[Self] = &[$( Self::$variant, )*];

            /// Its name in `wire-spec/`.
            pub const fn name(self) -> &'static str {
                match self { $( Self::$variant => $wire, )* }
            }
        }

        impl $crate::wire::field::Field for $name {
            fn put(&self, out: &mut bytes::BytesMut) {
                let value: u8 = match self { $( Self::$variant => $value, )* };
                value.put(out);
            }
            fn take(input: &mut bytes::Bytes) -> Result<Self, &'static str> {
                match u8::take(input)? {
                    $( $value => Ok(Self::$variant), )*
                    _ => Err("has no such value"),
                }
            }
        }

        #[cfg(test)]
        impl $crate::wire::vectors::Json for $name {
            fn json(&self) -> serde_json::Value {
                match self { $( Self::$variant => $wire.into(), )* }
            }
            fn value(json: &serde_json::Value) -> Self {
                match json.as_str() {
                    $( Some($wire) => Self::$variant, )*
                    other => panic!("no value {other:?}"),
                }
            }
            fn drawn(chance: &mut $crate::wire::vectors::Chance) -> Self {
                Self::ALL[chance.below(Self::ALL.len())]
            }
        }
    };
}
