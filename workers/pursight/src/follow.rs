//! Waiting for what becomes of a command: its partition of the outcome topic, from the end that it had before the
//! command was written, until the one terminal outcome. Knows nothing of what the command was.

use std::time::Duration;

use pursight_schemas::{Event, Topic, topics};
use rdkafka::ClientConfig;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use crate::error::CliError;
use crate::report::Progress;
use crate::tail::{Position, Tail, Wanted};

/// A reader of one tenant's outcomes, opened before the command is written.
pub struct Follower {
    tail: Tail,
    tenant: String,
}

impl Follower {
    /// Opens at the present end. Fails within seconds when the broker is away, so that nothing is sent into the void.
    ///
    /// # Errors
    /// When the broker does not answer or the topic is missing.
    pub fn open(kafka: &ClientConfig, prefix: &str, tenant: &str) -> Result<Self, CliError> {
        let partition = topics::partition_of(tenant.as_bytes(), Topic::Outcome.partitions());
        let wanted = Wanted { topic: Topic::Outcome.name(prefix), partitions: vec![partition] };
        let tail = Tail::endless(kafka, &[wanted], Position::End)?;
        Ok(Self { tail, tenant: tenant.to_owned() })
    }

    /// The next terminal outcome of one of `waiting`, which it leaves. Progress is shown on the way.
    ///
    /// # Errors
    /// [`CliError::TimedOut`] at `until`.
    pub async fn next(
        &mut self,
        waiting: &mut Vec<Uuid>,
        until: Instant,
        progress: &Progress,
    ) -> Result<Event, CliError> {
        loop {
            let seen = timeout_at(until, self.tail.next()).await.map_err(|_| late(waiting))??;
            let Some(event) = seen.and_then(|seen| Event::decode(seen.value.as_deref()?).ok()) else { continue };
            let meta = event.meta();
            let Some(command_id) = meta.command_id.filter(|id| waiting.contains(id)) else { continue };
            if meta.tenant_id != self.tenant {
                continue;
            }
            match &event {
                Event::CommandAccepted(_) => progress.at(0, None, "accepted, under way"),
                Event::CommandProgressed(step) => progress.at(step.done, step.total, &step.message),
                _ if event.is_terminal_outcome() => {
                    waiting.retain(|id| *id != command_id);
                    return Ok(event);
                }
                _ => {}
            }
        }
    }
}

/// The point in time some seconds from now.
pub fn deadline(within: Duration) -> Instant {
    Instant::now() + within
}

/// What to say when time is up.
pub fn late(waiting: &[Uuid]) -> CliError {
    let ids: Vec<String> = waiting.iter().map(Uuid::to_string).collect();
    let first = ids.first().cloned().unwrap_or_default();
    CliError::timed_out(
        format!("no outcome yet of {}", ids.join(", ")),
        format!("it may still come: pursight command show {first} --wait; do workers run? pursight doctor"),
    )
}
