//! Reads the whole control topic, without a group, from the start: every runner must know who was cancelled.

use std::sync::Arc;
use std::time::Duration;

use pursight_schemas::{Cancel, Topic, codec};
use rdkafka::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};
use tokio_util::sync::CancellationToken;

use super::consumer::is_end;
use super::options::Options;
use crate::cancel::Cancellations;
use crate::failure::Failure;

/// Keeps quiet about the end of the topic, which is where this reader usually is.
struct Quiet;

impl ClientContext for Quiet {
    fn error(&self, error: KafkaError, reason: &str) {
        if !is_end(&error) {
            tracing::debug!(%error, reason, "control topic");
        }
    }
}

impl ConsumerContext for Quiet {}

/// Follows the topic on the calling thread until told to stop.
///
/// # Errors
/// [`Failure::Fatal`] when the client cannot be made.
pub fn follow_control(
    options: &Options,
    cancellations: &Arc<Cancellations>,
    stop: &CancellationToken,
) -> Result<(), Failure> {
    let broken = |error: KafkaError| {
        Failure::fatal(format!("cannot follow the control topic: {error}"), "check the PURSIGHT_KAFKA_* settings")
    };
    let consumer: BaseConsumer<Quiet> = options
        .reader("control")
        .set("group.id", format!("{}-control-{}", options.prefix, options.instance))
        .create_with_context(Quiet)
        .map_err(broken)?;
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&Topic::Control.name(&options.prefix), 0, Offset::Beginning).map_err(broken)?;
    consumer.assign(&list).map_err(broken)?;
    while !stop.is_cancelled() {
        match consumer.poll(Duration::from_millis(200)) {
            None => {}
            Some(Ok(message)) => match codec::decode::<Cancel>(message.payload().unwrap_or_default()) {
                Ok(cancel) => cancellations.add(&cancel),
                Err(error) => tracing::error!(%error, offset = message.offset(), "a control record cannot be read"),
            },
            Some(Err(KafkaError::PartitionEOF(_))) => cancellations.set_caught_up(),
            Some(Err(error)) => tracing::debug!(%error, "control topic"),
        }
    }
    Ok(())
}
