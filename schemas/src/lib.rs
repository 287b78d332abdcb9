//! The language of PurSight Sources: records, their bytes, their JSON, the topics they travel on, and the rules for
//! names, ids and hashes. Owns no I/O and no clock; everything else in the workspace builds on it.

pub mod codec;
pub mod compat;
mod foreign;
pub mod hash;
pub mod ids;
pub mod json;
pub mod message;
pub mod names;
pub mod published;
pub mod time;
pub mod topics;
pub mod types;

pub use codec::{CodecError, Record};
pub use message::{Command, Event};
pub use time::Micros;
pub use topics::Topic;
pub use types::audit::*;
pub use types::command::*;
pub use types::common::*;
pub use types::connection::*;
pub use types::control::*;
pub use types::kinds::*;
pub use types::object::*;
pub use types::outcome::*;
pub use types::schema::*;
pub use types::source::*;
pub use types::spec::*;
pub use types::statistics::*;
pub use types::work::*;
