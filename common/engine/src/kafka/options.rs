//! Client settings, each for a reason that was measured. Built here and nowhere else.

use rdkafka::ClientConfig;

/// How to reach the broker, and under which name.
#[derive(Clone)]
pub struct Options {
    /// `host:port` list.
    pub bootstrap: String,
    /// Prefix of topics, groups and transactional ids.
    pub prefix: String,
    /// Name of this process, unique and stable: it fences an earlier process of the same name.
    pub instance: String,
    /// After this silence the group gives our partitions to others, milliseconds.
    pub session_timeout_ms: u32,
    /// Security settings of the client, such as `security.protocol`.
    pub security: Vec<(String, String)>,
}

impl Options {
    /// What every client has in common.
    pub fn client(&self, role: &str) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.bootstrap)
            .set("client.id", format!("{}-{role}-{}", self.prefix, self.instance))
            .set("allow.auto.create.topics", "false")
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", "1000");
        for (name, value) in &self.security {
            config.set(name, value);
        }
        config
    }

    /// A reader that sees committed records only.
    pub fn reader(&self, role: &str) -> ClientConfig {
        let mut config = self.client(role);
        config
            .set("isolation.level", "read_committed")
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("queued.max.messages.kbytes", "16384");
        config
    }

    /// A member of a worker's group. A missing offset is an error: `topics apply` commits the first ones. A partition that
    /// goes on after a pause waits for the fetch of the others to come back, so that may not wait for long.
    pub fn member(&self, worker: &str) -> ClientConfig {
        let mut config = self.reader(worker);
        config
            .set("group.id", format!("{}-{worker}", self.prefix))
            .set("enable.partition.eof", "false")
            .set("auto.offset.reset", "error")
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("fetch.wait.max.ms", "100")
            .set("session.timeout.ms", self.session_timeout_ms.to_string())
            .set("heartbeat.interval.ms", "500")
            .set("max.poll.interval.ms", "60000");
        config
    }

    /// A producer with the partitioner of the Java client and no waiting for company.
    pub fn producer(&self, role: &str) -> ClientConfig {
        let mut config = self.client(role);
        config
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("partitioner", "murmur2_random")
            .set("compression.type", "zstd")
            .set("linger.ms", "0")
            .set("message.max.bytes", (2 * 1024 * 1024).to_string());
        config
    }

    /// A worker's transactional producer. A small `retry.backoff.ms` because the coordinator is still writing the
    /// markers of the last transaction when the next one begins: with the default each would take 100 ms.
    pub fn transactional(&self, worker: &str) -> ClientConfig {
        let mut config = self.producer(worker);
        config
            .set("transactional.id", format!("{}-{worker}-{}", self.prefix, self.instance))
            .set("transaction.timeout.ms", "10000")
            .set("retry.backoff.ms", "5");
        config
    }
}
