//! The broker's side of a history: every record of every topic, where partitions end, what groups have committed.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use pursight_schemas::Topic;
use pursight_schemas::topics::READERS;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::history::{Ends, GroupEnd, PartitionEnd, Recorded};
use crate::kafka::read_to_ends;

const CALL: Duration = Duration::from_secs(20);

/// The broker and the topics of one system.
#[derive(Clone, Copy)]
pub struct Log<'l> {
    /// The broker.
    pub bootstrap: &'l str,
    /// Prefix of the topics.
    pub prefix: &'l str,
}

impl Log<'_> {
    fn client(&self, group: &str, isolation: &str) -> Result<BaseConsumer> {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", self.bootstrap)
            .set("group.id", group)
            .set("isolation.level", isolation)
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("fetch.wait.max.ms", "50")
            .set("reconnect.backoff.max.ms", "500")
            .set("check.crcs", "true");
        Ok(config.create()?)
    }

    /// Every record of every topic up to the end, as a reader of this isolation level sees it.
    ///
    /// # Errors
    /// As [`Log::from`].
    pub fn everything(&self, isolation: &str) -> Result<BTreeMap<Topic, Vec<Recorded>>> {
        let mut found: BTreeMap<Topic, Vec<Recorded>> = BTreeMap::new();
        self.from(&BTreeMap::new(), isolation, |topic, message| {
            found.entry(topic).or_default().push(recorded(message));
        })?;
        found.values_mut().for_each(|records| records.sort_by_key(|record| (record.partition, record.offset)));
        Ok(found)
    }

    /// Moves `last`, the offsets behind the last committed record of each partition, to the present.
    ///
    /// # Errors
    /// As [`Log::from`].
    pub fn move_on(&self, last: &mut BTreeMap<(Topic, i32), i64>) -> Result<()> {
        let mut found = Vec::new();
        self.from(last, "read_committed", |topic, message| {
            found.push(((topic, message.partition()), message.offset() + 1));
        })?;
        last.extend(found);
        Ok(())
    }

    /// Reads all topics up to their ends, from given offsets or from the beginning.
    ///
    /// # Errors
    /// The broker says no, or the ends are not reached.
    fn from(
        &self,
        offsets: &BTreeMap<(Topic, i32), i64>,
        isolation: &str,
        mut each: impl FnMut(Topic, &BorrowedMessage<'_>),
    ) -> Result<()> {
        let client = || self.client(&format!("{}-historian", self.prefix), isolation);
        let mut list = TopicPartitionList::new();
        for topic in Topic::ALL {
            for partition in 0..topic.partitions() {
                let from = offsets.get(&(topic, partition)).map_or(Offset::Beginning, |from| Offset::Offset(*from));
                list.add_partition_offset(&topic.name(self.prefix), partition, from)?;
            }
        }
        read_to_ends(client, &list, Duration::from_secs(90), |message| {
            if let Some(topic) = Topic::parse(self.prefix, message.topic()) {
                each(topic, message);
            }
        })
    }

    /// Committed offsets of a worker's group; `None` where it has none.
    ///
    /// # Errors
    /// The broker says no.
    pub fn committed(&self, group: &str, topics: &[Topic]) -> Result<Vec<(Topic, i32, Option<i64>)>> {
        let consumer = self.client(group, "read_committed")?;
        let mut list = TopicPartitionList::new();
        for topic in topics {
            list.add_partition_range(&topic.name(self.prefix), 0, topic.partitions() - 1);
        }
        let found = consumer.committed_offsets(list, CALL)?;
        let one = |element: rdkafka::topic_partition_list::TopicPartitionListElem<'_>| {
            let topic = Topic::parse(self.prefix, element.topic())?;
            let offset = if let Offset::Offset(offset) = element.offset() { Some(offset) } else { None };
            Some((topic, element.partition(), offset))
        };
        Ok(found.elements().into_iter().filter_map(one).collect())
    }

    /// Where everything stands.
    ///
    /// # Errors
    /// The broker says no.
    pub fn ends(&self) -> Result<Ends> {
        let mut ends = Ends::default();
        let consumer = self.client(&format!("{}-historian", self.prefix), "read_uncommitted")?;
        for topic in Topic::ALL {
            for partition in 0..topic.partitions() {
                let (low, high) = consumer.fetch_watermarks(&topic.name(self.prefix), partition, CALL)?;
                ends.partitions.push(PartitionEnd { topic: topic.short().to_owned(), partition, low, high });
            }
        }
        for reader in READERS {
            let group = reader.group(self.prefix);
            for (topic, partition, offset) in self.committed(&group, reader.topics)? {
                let (group, topic) = (group.clone(), topic.short().to_owned());
                ends.groups.push(GroupEnd { group, topic, partition, offset });
            }
        }
        Ok(ends)
    }
}

fn recorded(message: &BorrowedMessage<'_>) -> Recorded {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers = message.headers().map(|headers| {
        headers.iter().map(|header| (header.key.to_owned(), text(header.value.unwrap_or_default()))).collect()
    });
    Recorded {
        partition: message.partition(),
        offset: message.offset(),
        timestamp_ms: message.timestamp().to_millis().unwrap_or_default(),
        key: text(message.key().unwrap_or_default()),
        headers: headers.unwrap_or_default(),
        value: message.payload().unwrap_or_default().to_vec(),
    }
}
