#![doc = include_str!("../README.md")]
//!
//! Owns the fold from events to rows and the order of one batch: decode, load, fold, write, move the position, commit.
//! Must not know SQL (that is `common/read_model`) nor the log's client (that is `common/engine`).

mod decode;
mod fold;
mod handler;
pub mod rebuild;
mod state;

pub use handler::{LogIdentity, Projection};
