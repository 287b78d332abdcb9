//! Topics and the broker's state: what is there, what should be, and the making of what is missing. Owns no loop and no
//! consumer group; `groups.rs` has the first offsets. Used by `pursight topics`, `doctor` and every worker's start.

use std::collections::BTreeMap;
use std::time::Duration;

use pursight_schemas::Topic;
use pursight_schemas::topics::Reader;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::KafkaError;

/// How the broker's own default of a number is asked for.
const BROKER_DEFAULT: i32 = -1;

/// Why the broker's state could not be read or made right.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// No broker answered.
    #[error("no broker answers at {bootstrap}")]
    Unreachable {
        /// Where we asked.
        bootstrap: String,
        /// What the client says.
        #[source]
        source: KafkaError,
    },
    /// Topics that nobody has made.
    #[error("topics are missing: {}", .0.join(", "))]
    Missing(Vec<String>),
    /// A keyed topic with another number of partitions: its keys lie elsewhere.
    #[error("topic {topic} has {found} partitions, not {wanted}")]
    Partitions {
        /// Which topic.
        topic: String,
        /// What it has.
        found: usize,
        /// What it must have.
        wanted: i32,
    },
    /// A group without first offsets that has members already.
    #[error("group {0} has members but lacks first offsets")]
    GroupInUse(String),
    /// The broker refused.
    #[error("{what}")]
    Refused {
        /// What we were doing.
        what: String,
        /// What the client says.
        #[source]
        source: KafkaError,
    },
}

impl AdminError {
    /// What to do about it.
    pub fn remedy(&self) -> String {
        match self {
            Self::Unreachable { .. } => {
                "start Kafka, or correct PURSIGHT_KAFKA_BOOTSTRAP (host:port, comma-separated)".to_owned()
            }
            Self::Missing(_) => "run: pursight topics apply".to_owned(),
            Self::Partitions { topic, wanted, .. } => format!(
                "keys would be decided in the wrong order: copy what you need, delete {topic}, then run: pursight topics \
                 apply (makes it with {wanted} partitions); or choose another PURSIGHT_TOPIC_PREFIX"
            ),
            Self::GroupInUse(group) => {
                format!("stop every worker of group {group}, then run: pursight topics apply")
            }
            Self::Refused { .. } => {
                "the client's message says what the broker refuses; rights on topics and groups are the usual cause"
                    .to_owned()
            }
        }
    }
}

/// The cluster as seen through its bootstrap servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// Its id, where the broker tells it.
    pub id: Option<String>,
    /// `id host:port` of each broker.
    pub brokers: Vec<String>,
    /// `auto.create.topics.enable`; `None` if it may not be read.
    pub auto_create: Option<bool>,
}

/// What is wrong with a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TopicFault {
    /// Nobody has made it.
    Missing,
    /// Wrong number of partitions, which it has.
    Partitions(usize),
    /// A configuration value of ours that is another: name, found, wanted.
    Config(&'static str, String, String),
}

/// One topic of ours on the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicState {
    /// Which.
    pub topic: Topic,
    /// Name on the broker.
    pub name: String,
    /// Everything that is wrong with it.
    pub faults: Vec<TopicFault>,
}

/// A consumer group of ours on the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupState {
    /// Its worker.
    pub worker: &'static str,
    /// Its name.
    pub group: String,
    /// Members at present.
    pub members: usize,
    /// Partitions of existing topics without a committed offset.
    pub without_offset: Vec<(String, i32)>,
}

/// What [`Admin::apply`] has done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// Names of new topics.
    pub created: Vec<String>,
    /// First offsets committed, by group.
    pub offsets: BTreeMap<String, usize>,
}

/// Administration of one cluster under one prefix.
pub struct Admin {
    pub(super) config: ClientConfig,
    pub(super) prefix: String,
    pub(super) timeout: Duration,
    client: AdminClient<DefaultClientContext>,
}

impl Admin {
    /// Over the connection settings of `config`; talks to nobody yet.
    ///
    /// # Errors
    /// [`AdminError::Refused`] when the client does not accept its settings.
    pub fn new(config: &ClientConfig, prefix: &str, timeout: Duration) -> Result<Self, AdminError> {
        let client = config
            .create()
            .map_err(|source| AdminError::Refused { what: "making an administration client".to_owned(), source })?;
        Ok(Self { config: config.clone(), prefix: prefix.to_owned(), timeout, client })
    }

    /// Who answers, and how it is set up.
    ///
    /// # Errors
    /// [`AdminError::Unreachable`].
    pub async fn cluster(&self) -> Result<Cluster, AdminError> {
        let (id, brokers) = self
            .blocking(|inner, timeout| {
                let metadata = inner.fetch_metadata(None, timeout)?;
                let brokers: Vec<(i32, String)> = metadata
                    .brokers()
                    .iter()
                    .map(|broker| (broker.id(), format!("{} {}:{}", broker.id(), broker.host(), broker.port())))
                    .collect();
                Ok((inner.fetch_cluster_id(timeout), brokers))
            })
            .await?;
        let auto_create = match brokers.first() {
            Some((broker, _)) => self.auto_create(*broker).await,
            None => None,
        };
        Ok(Cluster { id, brokers: brokers.into_iter().map(|(_, text)| text).collect(), auto_create })
    }

    async fn auto_create(&self, broker: i32) -> Option<bool> {
        let found = self.client.describe_configs(&[ResourceSpecifier::Broker(broker)], &self.options()).await.ok()?;
        let resource = found.into_iter().next()?.ok()?;
        resource.get("auto.create.topics.enable")?.value.as_deref().map(|value| value == "true")
    }

    /// Every topic of ours, with what is wrong with it.
    ///
    /// # Errors
    /// [`AdminError::Unreachable`], or [`AdminError::Refused`] when configuration may not be read.
    pub async fn topics(&self) -> Result<Vec<TopicState>, AdminError> {
        let found = self.partition_counts().await?;
        let present: Vec<String> =
            Topic::ALL.iter().map(|topic| topic.name(&self.prefix)).filter(|name| found.contains_key(name)).collect();
        let configs = self.configs(&present).await?;
        let mut states = Vec::with_capacity(Topic::ALL.len());
        for topic in Topic::ALL {
            let name = topic.name(&self.prefix);
            let mut faults = Vec::new();
            match found.get(&name) {
                None => faults.push(TopicFault::Missing),
                Some(count) if i32::try_from(*count) != Ok(topic.partitions()) => {
                    faults.push(TopicFault::Partitions(*count));
                }
                Some(_) => {}
            }
            for (key, wanted) in topic.config() {
                if let Some(is) = configs.get(&name).and_then(|config| config.get(key))
                    && *is != wanted
                {
                    faults.push(TopicFault::Config(key, is.clone(), wanted));
                }
            }
            states.push(TopicState { topic, name, faults });
        }
        Ok(states)
    }

    /// Refuses to go on unless every one of `topics` is there with its number of partitions: what a worker asks
    /// before it starts.
    ///
    /// # Errors
    /// [`AdminError::Missing`] or [`AdminError::Partitions`]; [`AdminError::Unreachable`].
    pub async fn require(&self, topics: &[Topic]) -> Result<(), AdminError> {
        let found = self.partition_counts().await?;
        let names = topics.iter().map(|topic| (topic.name(&self.prefix), topic.partitions()));
        let missing: Vec<String> =
            names.clone().map(|(name, _)| name).filter(|name| !found.contains_key(name)).collect();
        if !missing.is_empty() {
            return Err(AdminError::Missing(missing));
        }
        for (topic, wanted) in names {
            let count = found.get(&topic).copied().unwrap_or_default();
            if i32::try_from(count) != Ok(wanted) {
                return Err(AdminError::Partitions { topic, found: count, wanted });
            }
        }
        Ok(())
    }

    /// Makes what is missing: topics first, then offset 0 of every declared group that is empty and has none.
    ///
    /// # Errors
    /// [`AdminError::Partitions`] before anything is made, if a topic has a wrong count; else as the parts.
    pub async fn apply(&self, readers: &[Reader]) -> Result<Applied, AdminError> {
        let found = self.partition_counts().await?;
        let (there, missing): (Vec<Topic>, Vec<Topic>) =
            Topic::ALL.into_iter().partition(|topic| found.contains_key(&topic.name(&self.prefix)));
        self.require(&there).await?;
        let mut applied = Applied { created: self.create(&missing).await?, ..Applied::default() };
        for group in self.groups(readers).await? {
            let count = group.without_offset.len();
            if count > 0 {
                self.commit_first(&group).await?;
                applied.offsets.insert(group.group, count);
            }
        }
        Ok(applied)
    }

    async fn create(&self, topics: &[Topic]) -> Result<Vec<String>, AdminError> {
        if topics.is_empty() {
            return Ok(Vec::new());
        }
        type Owned<'a> = (String, i32, Vec<(&'a str, String)>);
        let owned: Vec<Owned<'_>> =
            topics.iter().map(|topic| (topic.name(&self.prefix), topic.partitions(), topic.config())).collect();
        let wanted: Vec<NewTopic<'_>> = owned
            .iter()
            .map(|(name, partitions, config)| {
                let topic = NewTopic::new(name, *partitions, TopicReplication::Fixed(BROKER_DEFAULT));
                config.iter().fold(topic, |topic, (key, value)| topic.set(key, value))
            })
            .collect();
        let refused = |what: &str, source| AdminError::Refused { what: what.to_owned(), source };
        let answers = self.client.create_topics(&wanted, &self.options()).await;
        let mut created = Vec::new();
        for answer in answers.map_err(|source| refused("creating topics", source))? {
            match answer {
                Ok(name) => created.push(name),
                // Another `topics apply` was quicker.
                Err((_, rdkafka::types::RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((name, code)) => {
                    return Err(refused(&format!("creating topic {name}"), KafkaError::AdminOp(code)));
                }
            }
        }
        Ok(created)
    }

    /// Partitions of every topic on the broker. Asks for all, since asking for one by name may create it.
    async fn partition_counts(&self) -> Result<BTreeMap<String, usize>, AdminError> {
        self.blocking(|client, timeout| {
            let metadata = client.fetch_metadata(None, timeout)?;
            Ok(metadata.topics().iter().map(|topic| (topic.name().to_owned(), topic.partitions().len())).collect())
        })
        .await
    }

    async fn configs(&self, names: &[String]) -> Result<BTreeMap<String, BTreeMap<String, String>>, AdminError> {
        if names.is_empty() {
            return Ok(BTreeMap::new());
        }
        let refused = |source| AdminError::Refused { what: "reading the topics' configuration".to_owned(), source };
        let wanted: Vec<ResourceSpecifier<'_>> = names.iter().map(|name| ResourceSpecifier::Topic(name)).collect();
        let answers = self.client.describe_configs(&wanted, &self.options()).await.map_err(refused)?;
        let mut configs = BTreeMap::new();
        for (name, answer) in names.iter().zip(answers) {
            let resource = answer.map_err(|code| refused(KafkaError::AdminOp(code)))?;
            let entries = resource.entries.into_iter().filter_map(|entry| Some((entry.name, entry.value?)));
            configs.insert(name.clone(), entries.collect());
        }
        Ok(configs)
    }

    fn options(&self) -> AdminOptions {
        AdminOptions::new().request_timeout(Some(self.timeout)).operation_timeout(Some(self.timeout))
    }

    /// Runs a blocking call of the client away from the runtime's threads.
    async fn blocking<T: Send + 'static>(
        &self,
        call: impl FnOnce(&rdkafka::client::Client<DefaultClientContext>, Duration) -> Result<T, KafkaError>
        + Send
        + 'static,
    ) -> Result<T, AdminError> {
        let (config, timeout) = (self.config.clone(), self.timeout);
        let done = tokio::task::spawn_blocking(move || {
            let client: AdminClient<DefaultClientContext> = config.create()?;
            call(client.inner(), timeout)
        })
        .await;
        let result = done.unwrap_or(Err(KafkaError::Canceled));
        result.map_err(|source| AdminError::Unreachable { bootstrap: self.bootstrap(), source })
    }

    pub(super) fn bootstrap(&self) -> String {
        self.config.get("bootstrap.servers").unwrap_or("(not set)").to_owned()
    }
}
