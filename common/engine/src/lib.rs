//! The engine: the loop that every worker runs in.
//! Owns receiving, transactions, retries, dead letters and the rules of exactly-once; knows nothing of sources or
//! schemas of customers. A worker is a [`Handler`] (decides) or a [`Runner`] (talks to a customer's server).

pub mod failure;
pub mod handler;
pub mod kafka;
pub mod message;
pub mod runner;
pub mod trace;

pub use failure::{Class, Failure};
pub use handler::{Barrier, Claim, Committed, Handler, Seal};
pub use message::{Line, Mark, Outgoing, Record};
pub use runner::{Ending, Outcome, Place, Run, Runner, Stop};
pub use trace::TraceParent;
