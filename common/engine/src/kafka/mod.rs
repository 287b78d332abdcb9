//! The log over a real broker. The only part of the workspace, beside the command line, that knows Kafka's client;
//! handlers never see this module.
//! What a real broker was seen to do, and why each setting is as it is, is in `common/engine/README.md`.

pub mod admin;
mod consumer;
mod control;
mod groups;
mod held_back;
mod launch;
mod log;
mod not_fetched;
mod options;
mod polled;
mod presence;
mod topics;
mod transactor;

pub use admin::{Admin, AdminError};
pub use control::follow_control;
pub use held_back::HeldBack;
pub use launch::{Launch, launch};
pub use options::Options;
