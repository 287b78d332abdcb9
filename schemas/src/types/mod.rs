//! The Rust side of every record of the contract.
//! Plain data; the `.avsc` files in `schemas/avro/` say what the fields mean, `codec` turns records into bytes.

pub mod audit;
pub mod command;
pub mod common;
pub mod connection;
pub mod control;
pub mod kinds;
pub mod object;
pub mod outcome;
pub mod schema;
pub mod source;
pub mod spec;
pub mod statistics;
pub mod work;

/// Names a record type that travels on a topic by itself.
macro_rules! record {
    ($name:ident, $full:literal) => {
        impl crate::codec::Record for $name {
            const FULL_NAME: &'static str = $full;
        }
    };
}
pub(crate) use record;

/// Gives an enum its Avro symbols as text, both ways.
macro_rules! symbols {
    ($name:ident { $($variant:ident = $symbol:literal),+ $(,)? }) => {
        impl $name {
            /// Every value, in the order of the contract, `UNKNOWN` last.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The Avro symbol.
            pub const fn symbol(self) -> &'static str {
                match self { $(Self::$variant => $symbol),+ }
            }

            /// The value of a symbol; any other text is `Unknown`.
            pub fn from_symbol(text: &str) -> Self {
                match text { $($symbol => Self::$variant,)+ _ => Self::Unknown }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(self.symbol())
            }
        }
    };
}
pub(crate) use symbols;
