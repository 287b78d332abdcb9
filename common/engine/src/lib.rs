//! The engine: the loop that every worker runs in.
//! Owns receiving, transactions, retries, dead letters and the rules of exactly-once; knows nothing of sources or
//! schemas of customers. A worker is a [`Handler`] (decides) or a [`Runner`] (talks to a customer's server).

mod ahead;
mod call;
pub mod cancel;
pub mod dead_letter;
pub mod failure;
pub mod handler;
mod inbox;
pub mod kafka;
pub mod line;
pub mod log;
pub mod memory;
pub mod message;
pub mod metrics;
mod recovery;
pub mod retry;
mod run_port;
pub mod runner;
pub mod runs;
pub mod schema_registry;
mod slot;
pub mod status;
pub mod trace;
pub mod worker;

pub use failure::{Class, Failure};
pub use handler::{Barrier, Claim, Committed, Handler, Seal};
pub use message::{Line, Mark, Outgoing, Record};
pub use runner::{Ending, Outcome, Place, Run, Runner, Stop};
pub use runs::Runs;
pub use schema_registry::SchemaRegistry;
pub use status::{State, Status};
pub use trace::TraceParent;
pub use worker::{Inbox, Settings, Worker};
