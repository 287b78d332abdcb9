#![doc = include_str!("../README.md")]
//!
//! Owns what a connection test is asked and what its steps mean for the command; knows nothing of how records travel
//! (the engine's) nor of how a server is reached (the connectors'). Next: [`decide`].

pub mod connect;
pub mod decide;

use std::sync::Arc;

use async_trait::async_trait;
use pursight_engine::{Ending, Failure, Place, Run, Runner, Stop};
use pursight_schemas::{Event, Topic, WorkItem};

use crate::connect::{Server, Vault};
use crate::decide::{Plan, conclude, plan, refuse, revoked, stopped};

/// This worker's name: in its consumer group, in `ce_source`, in dead letters.
pub const WORKER: &str = "connection";

/// The connection worker.
pub struct Worker {
    server: Arc<dyn Server>,
    vault: Arc<dyn Vault>,
}

impl Worker {
    /// A worker with its two ports.
    pub fn new(server: Arc<dyn Server>, vault: Arc<dyn Vault>) -> Self {
        Self { server, vault }
    }
}

#[async_trait]
impl Runner for Worker {
    fn place(&self) -> Place {
        Place { worker: WORKER, work: Topic::WorkConnection, results: Topic::Connection }
    }

    async fn run(&self, run: &mut Run) -> Result<Ending, Failure> {
        let work = run.work();
        match plan(work, run.time_left())? {
            Plan::Test { scope, options } => {
                let report = self.server.test(&work.meta.tenant_id, &work.spec, &scope, &options).await;
                Ok(conclude(work, report))
            }
            Plan::Revoke(refs) => {
                for reference in &refs {
                    self.vault.destroy(&work.meta.tenant_id, reference).await?;
                }
                Ok(revoked(refs))
            }
            Plan::Refuse(problem) => Ok(refuse(work, problem)),
        }
    }

    fn stopped(&self, work: &WorkItem, stop: &Stop) -> Vec<Event> {
        stopped(work, stop)
    }
}
