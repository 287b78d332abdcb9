//! First offsets of consumer groups. A group that is empty and has none gets offset 0, once; afterwards a missing offset
//! is a fault and never a first start. Knows nothing of what the groups read.

use std::time::{Duration, Instant};

use pursight_schemas::topics::Reader;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use super::admin::{Admin, AdminError, GroupState};
use super::consumer::is_away;

/// How long a group may be without a coordinator.
const COORDINATOR_WITHIN: Duration = Duration::from_secs(15);
const ASK_AGAIN: Duration = Duration::from_millis(250);

impl Admin {
    /// The declared groups, with their members and the partitions for which they have no offset.
    ///
    /// # Errors
    /// [`AdminError::Refused`].
    pub async fn groups(&self, readers: &[Reader]) -> Result<Vec<GroupState>, AdminError> {
        let mut states = Vec::with_capacity(readers.len());
        for reader in readers {
            states.push(self.group(*reader).await?);
        }
        Ok(states)
    }

    async fn group(&self, reader: Reader) -> Result<GroupState, AdminError> {
        let group = reader.group(&self.prefix);
        let mut wanted = TopicPartitionList::new();
        for topic in reader.topics {
            wanted.add_partition_range(&topic.name(&self.prefix), 0, topic.partitions() - 1);
        }
        let what = format!("reading the offsets of group {group}");
        let timeout = self.timeout;
        let name = group.clone();
        let (members, committed) = self
            .in_group(&group, what, move |consumer| {
                let list = consumer.fetch_group_list(Some(&name), timeout)?;
                let members =
                    list.groups().iter().find(|group| group.name() == name).map_or(0, |group| group.members().len());
                Ok((members, consumer.committed_offsets(wanted.clone(), timeout)?))
            })
            .await?;
        let without_offset = committed
            .elements()
            .iter()
            .filter(|element| !matches!(element.offset(), Offset::Offset(_)))
            .map(|element| (element.topic().to_owned(), element.partition()))
            .collect();
        Ok(GroupState { worker: reader.worker, group, members, without_offset })
    }

    /// Commits offset 0 where the group has none.
    ///
    /// # Errors
    /// [`AdminError::GroupInUse`]: a living group would lose its place; [`AdminError::Refused`].
    pub async fn commit_first(&self, state: &GroupState) -> Result<(), AdminError> {
        if state.without_offset.is_empty() {
            return Ok(());
        }
        if state.members > 0 {
            return Err(AdminError::GroupInUse(state.group.clone()));
        }
        let what = format!("committing the first offsets of group {}", state.group);
        let refused = |source| AdminError::Refused { what: what.clone(), source };
        let mut first = TopicPartitionList::new();
        for (topic, partition) in &state.without_offset {
            first.add_partition_offset(topic, *partition, Offset::Offset(0)).map_err(refused)?;
        }
        let commit = move |consumer: &BaseConsumer| consumer.commit(&first, CommitMode::Sync);
        self.in_group(&state.group, what.clone(), commit).await
    }

    async fn in_group<T: Send + 'static>(
        &self,
        group: &str,
        what: String,
        call: impl Fn(&BaseConsumer) -> Result<T, KafkaError> + Send + 'static,
    ) -> Result<T, AdminError> {
        let mut config = self.config.clone();
        config.set("group.id", group).set("enable.auto.commit", "false");
        let done = tokio::task::spawn_blocking(move || {
            let consumer: BaseConsumer = config.create()?;
            // A broker that has just started is still making the coordinators of its groups, and a busy one has not
            // heard of topics that were made a moment ago.
            let until = Instant::now() + COORDINATOR_WITHIN;
            loop {
                match call(&consumer) {
                    Err(error) if is_early(&error) && Instant::now() < until => std::thread::sleep(ASK_AGAIN),
                    result => return result,
                }
            }
        })
        .await;
        done.unwrap_or(Err(KafkaError::Canceled)).map_err(|source| AdminError::Refused { what, source })
    }
}

fn is_early(error: &KafkaError) -> bool {
    let unknown = matches!(
        error.rdkafka_error_code(),
        Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic)
    );
    unknown || is_away(error)
}
