//! The broker's side of the engine: everything that knows Kafka's client. Handlers never see this module.

pub mod admin;
mod groups;

pub use admin::{Admin, AdminError};
