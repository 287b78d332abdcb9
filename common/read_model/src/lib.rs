#![doc = include_str!("../README.md")]
//!
//! Owns every statement against the schema `pursight`: one file per table, migrations, positions. Knows nothing of the
//! log's client, of folding or of deciding; the `projection` worker writes through it, everyone else only reads.

pub mod chain;
pub mod connect;
pub mod decider;
pub mod discovery;
pub mod error;
pub mod fold;
pub mod migrate;
pub mod model;
pub mod position;
pub mod reader;
pub mod rebuild;
pub mod statistics;
pub mod table;
#[cfg(feature = "testing")]
pub mod testing;

pub use connect::DatabaseOptions;
pub use error::ReadModelError;
pub use model::ReadModel;
