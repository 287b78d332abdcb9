//! Whether the topics are there, each with its partitions, before a worker joins its group.

use std::time::Duration;

use pursight_schemas::Topic;
use rdkafka::consumer::{BaseConsumer, Consumer as _};

use super::consumer::is_away;
use super::log::not_made;
use super::options::Options;
use super::presence::PROBE;
use crate::failure::Failure;
use crate::status::{State, Status};

/// Whether the topics are as they must be: all there, each with its partitions. Waits while the broker is away.
pub(super) fn check_topics(
    options: &Options,
    topics: &[Topic],
    status: &Status,
    stop: &dyn Fn() -> bool,
) -> Result<(), Failure> {
    let client: BaseConsumer = options.client("check").create().map_err(|error| not_made(&error))?;
    let metadata = loop {
        status.beat();
        match client.fetch_metadata(None, PROBE) {
            Ok(metadata) => break metadata,
            Err(error) if is_away(&error) => {
                status.set(State::Waiting(format!(
                    "the broker at {} cannot be reached; trying again",
                    options.bootstrap
                )));
                if stop() {
                    return Ok(());
                }
                std::thread::sleep(Duration::from_millis(250));
            }
            Err(error) => {
                return Err(Failure::fatal(
                    format!("the broker refuses us: {error}"),
                    "check the PURSIGHT_KAFKA_* settings",
                ));
            }
        }
    };
    for topic in topics {
        let name = topic.name(&options.prefix);
        let found =
            metadata.topics().iter().find(|found| found.name() == name).map_or(0, |found| found.partitions().len());
        if found == 0 {
            return Err(Failure::fatal(format!("topic {name} is missing"), "run `pursight topics apply`"));
        }
        if i32::try_from(found) != Ok(topic.partitions()) {
            let what = format!(
                "topic {name} has {found} partitions and must have {}: keys would be decided in the wrong place",
                topic.partitions()
            );
            return Err(Failure::fatal(
                what,
                "the count never changes: make the topic anew, or use another PURSIGHT_TOPIC_PREFIX",
            ));
        }
    }
    Ok(())
}
