//! Reads the whole control topic, without a group, from the start: every runner must know who was cancelled.

use std::sync::Arc;
use std::time::Duration;

use pursight_schemas::{Cancel, Topic, codec};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};
use tokio_util::sync::CancellationToken;

use super::consumer::Quiet;
use super::options::Options;
use super::presence::{Presence, Seen, leave_behind};
use crate::cancel::Cancellations;
use crate::failure::Failure;

/// A reader at the start of the topic.
fn open(options: &Options) -> Result<BaseConsumer<Quiet>, KafkaError> {
    let consumer: BaseConsumer<Quiet> = options
        .reader("control")
        .set("group.id", format!("{}-control-{}", options.prefix, options.instance))
        .create_with_context(Quiet)?;
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&Topic::Control.name(&options.prefix), 0, Offset::Beginning)?;
    consumer.assign(&list)?;
    Ok(consumer)
}

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
    let mut consumer = open(options).map_err(broken)?;
    let mut presence = Presence::new(options, &Topic::Control.name(&options.prefix));
    while !stop.is_cancelled() {
        if let Some(Seen::Lost) = presence.ask(&consumer) {
            tracing::warn!("the Kafka client has lost every broker, another one reads the control topic");
            leave_behind(std::mem::replace(&mut consumer, open(options).map_err(broken)?));
        }
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
