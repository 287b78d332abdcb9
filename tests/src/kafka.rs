//! A plain Kafka client: what an upstream team or an auditor would use.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use pursight_schemas::topics::partition_of;
use pursight_schemas::{Event, Topic};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Header, Headers as _, Message as _, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::{Offset, TopicPartitionList};

use crate::setting;

/// A record as it lies on the broker.
#[derive(Debug, Clone)]
pub struct Read {
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// Key as text.
    pub key: String,
    /// Headers as text.
    pub headers: Vec<(String, String)>,
    /// Value bytes.
    pub value: Vec<u8>,
}

impl Read {
    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The event in it.
    ///
    /// # Errors
    /// It is none.
    pub fn event(&self) -> Result<Event> {
        Ok(Event::decode(&self.value)?)
    }
}

/// A broker with the topics of one system.
pub struct Kafka {
    /// `host:port`.
    pub bootstrap: String,
    /// Prefix of the topics.
    pub prefix: String,
}

impl Kafka {
    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap);
        config
    }

    /// Everything committed on a topic up to now.
    ///
    /// # Errors
    /// The broker says no.
    pub fn read(&self, topic: Topic) -> Result<Vec<Read>> {
        let mut config = self.config();
        config
            .set("group.id", format!("{}-test-reader", self.prefix))
            .set("isolation.level", "read_committed")
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("fetch.wait.max.ms", "50");
        let name = topic.name(&self.prefix);
        let mut list = TopicPartitionList::new();
        for partition in 0..topic.partitions() {
            list.add_partition_offset(&name, partition, Offset::Beginning)?;
        }
        let mut found = Vec::new();
        read_to_ends(|| Ok(config.create()?), &list, Duration::from_secs(30), |message| found.push(read(message)))?;
        found.sort_by_key(|read| (read.partition, read.offset));
        Ok(found)
    }

    /// All events of a topic.
    ///
    /// # Errors
    /// As [`Kafka::read`], or a record that cannot be read.
    pub fn events(&self, topic: Topic) -> Result<Vec<Event>> {
        self.read(topic)?.iter().map(Read::event).collect()
    }

    /// Writes any bytes to the command topic; returns their partition and offset.
    ///
    /// # Errors
    /// The broker says no.
    pub fn send(
        &self,
        key: &str,
        value: &[u8],
        headers: &[(&str, &str)],
        partition: Option<i32>,
    ) -> Result<(i32, i64)> {
        let producer: BaseProducer = self.config().set("acks", "all").create()?;
        let mut owned = OwnedHeaders::new();
        for (name, value) in headers {
            owned = owned.insert(Header { key: name, value: Some(*value) });
        }
        let topic = Topic::Command.name(&self.prefix);
        let partition = partition.unwrap_or_else(|| partition_of(key.as_bytes(), Topic::Command.partitions()));
        let before = self.end(partition)?;
        let record = BaseRecord::to(&topic).key(key).payload(value).headers(owned).partition(partition);
        producer.send(record).map_err(|(error, _)| error)?;
        producer.flush(Duration::from_secs(30))?;
        anyhow::ensure!(self.end(partition)? > before, "the record was not written");
        Ok((partition, before))
    }

    /// One record in a transaction that stays open until the producer aborts it; the record says that it is so old.
    ///
    /// # Errors
    /// The broker says no.
    pub fn open_transaction(&self, topic: Topic, partition: i32, age: Duration) -> Result<BaseProducer> {
        let id = format!("{}-test-{}", self.prefix, uuid::Uuid::new_v4());
        let producer: BaseProducer =
            self.config().set("transactional.id", id).set("transaction.timeout.ms", "600000").create()?;
        producer.init_transactions(Duration::from_secs(30))?;
        producer.begin_transaction()?;
        let written = (SystemTime::now() - age).duration_since(UNIX_EPOCH)?.as_millis();
        let name = topic.name(&self.prefix);
        let record = BaseRecord::to(&name).key("open").payload("open").partition(partition);
        producer.send(record.timestamp(i64::try_from(written)?)).map_err(|(error, _)| error)?;
        producer.flush(Duration::from_secs(30))?;
        Ok(producer)
    }

    /// Whether the broker has offsets of the group in an open transaction of this worker that nobody has begun to end.
    ///
    /// # Errors
    /// Kafka's tool does not start.
    pub fn holds_offsets(&self, worker: &str, instance: &str) -> Result<bool> {
        let id = format!("{}-{worker}-{instance}", self.prefix);
        let answer = Command::new("java")
            .args(["-Xmx128m", "-XX:-UsePerfData", "-XX:TieredStopAtLevel=1"])
            .args(["-cp", &format!("{}/*", setting::get("KAFKA_LIBS")?), "org.apache.kafka.tools.TransactionsCommand"])
            .args(["--bootstrap-server", &self.bootstrap, "describe", "--transactional-id", &id])
            .output()?;
        let text = String::from_utf8_lossy(&answer.stdout);
        let cells = |line: &str| line.split('\t').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
        let cells = text.lines().map(cells).find(|cells| cells.contains(&id));
        let cells = cells.with_context(|| format!("{text}{}", String::from_utf8_lossy(&answer.stderr)))?;
        Ok(cells.iter().any(|cell| cell == "Ongoing") && cells.iter().any(|cell| cell.contains("__consumer_offsets-")))
    }

    fn end(&self, partition: i32) -> Result<i64> {
        let consumer: BaseConsumer = self.config().create()?;
        Ok(consumer.fetch_watermarks(&Topic::Command.name(&self.prefix), partition, Duration::from_secs(30))?.1)
    }

    /// Gives a topic more partitions, as no operator ever should.
    ///
    /// # Errors
    /// The broker says no.
    pub fn grow(&self, topic: Topic, partitions: usize) -> Result<()> {
        let admin: AdminClient<DefaultClientContext> = self.config().create()?;
        let name = topic.name(&self.prefix);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(admin.create_partitions(&[NewPartitions::new(&name, partitions)], &AdminOptions::new()))?;
        crate::wait::eventually("the topic has grown", || {
            let consumer: BaseConsumer = self.config().create()?;
            let metadata = consumer.fetch_metadata(Some(&name), Duration::from_secs(10))?;
            Ok((metadata.topics()[0].partitions().len() == partitions).then_some(()))
        })
    }

    /// Removes the topics of this system.
    ///
    /// # Errors
    /// The broker says no.
    pub fn remove(&self) -> Result<()> {
        let admin: AdminClient<DefaultClientContext> = self.config().create()?;
        let names: Vec<String> = Topic::ALL.iter().map(|topic| topic.name(&self.prefix)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(admin.delete_topics(&names, &AdminOptions::new()))?;
        Ok(())
    }
}

/// Reads partitions from their offsets to their ends, with clients that tell ends: one for each topic.
///
/// # Errors
/// The broker says no, or the ends are not reached in time.
pub fn read_to_ends(
    client: impl Fn() -> Result<BaseConsumer>,
    wanted: &TopicPartitionList,
    patience: Duration,
    mut each: impl FnMut(&BorrowedMessage<'_>),
) -> Result<()> {
    let mut topics: BTreeMap<String, TopicPartitionList> = BTreeMap::new();
    for element in wanted.elements() {
        let list = topics.entry(element.topic().to_owned()).or_default();
        list.add_partition_offset(element.topic(), element.partition(), element.offset())?;
    }
    // An end is told without its topic, and again when more was written behind it: whoever counts ends of several topics
    // may count one of them twice, and stop before another partition was read.
    let mut readers = Vec::new();
    for (topic, list) in topics {
        let consumer = client()?;
        consumer.assign(&list)?;
        let open: BTreeSet<i32> = list.elements().iter().map(TopicPartitionListElem::partition).collect();
        readers.push((topic, consumer, open));
    }
    let until = Instant::now() + patience;
    let mut pause = Duration::ZERO;
    while !readers.is_empty() {
        let mut told = false;
        for (topic, consumer, open) in &mut readers {
            while !open.is_empty()
                && let Some(polled) = consumer.poll(pause)
            {
                told = true;
                match polled {
                    Ok(message) => each(&message),
                    Err(KafkaError::PartitionEOF(partition)) => drop(open.remove(&partition)),
                    Err(error) => return Err(error).context(topic.clone()),
                }
            }
        }
        readers.retain(|(_, _, open)| !open.is_empty());
        if let (false, Some((topic, _, open))) = (told || Instant::now() < until, readers.first()) {
            bail!("{topic}: partitions {open:?} were not read to their ends");
        }
        pause = if told { Duration::ZERO } else { Duration::from_millis(2) };
    }
    Ok(())
}

fn read(message: &BorrowedMessage<'_>) -> Read {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers = message.headers().map(|headers| {
        headers.iter().map(|header| (header.key.to_owned(), text(header.value.unwrap_or_default()))).collect()
    });
    Read {
        partition: message.partition(),
        offset: message.offset(),
        key: text(message.key().unwrap_or_default()),
        headers: headers.unwrap_or_default(),
        value: message.payload().unwrap_or_default().to_vec(),
    }
}
