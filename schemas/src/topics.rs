//! The table of topics: names, partitions, retention, who reads them under which group. Pure data; the broker's side of
//! it is in `common/engine`.

/// Partitions of every keyed topic. Never changes: keys would move.
pub const PARTITIONS: i32 = 12;
/// Largest record that a producer of ours writes, bytes; larger content is split.
pub const MAX_RECORD_BYTES: usize = 900 * 1024;

const DAY_MS: i64 = 86_400_000;

/// A topic of the product, without the configurable prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// Every command; key: tenant.
    Command,
    /// Lifecycle of sources; key: tenant.
    Source,
    /// Progress and terminal outcomes of commands; key: tenant.
    Outcome,
    /// Connection tests to run; key: source, run id for drafts.
    WorkConnection,
    /// Discoveries to run; key: source.
    WorkDiscovery,
    /// Statistics to collect; key: source.
    WorkStatistics,
    /// Cancellations; key: run or source.
    Control,
    /// Results of connection tests; key: source, run id for drafts.
    Connection,
    /// What discovery found; key: source.
    Schema,
    /// What statistics found; key: source.
    Statistics,
    /// Who did what; key: tenant.
    Audit,
    /// Records that could not be handled, sealed; key: the original's.
    DeadLetter,
}

impl Topic {
    /// Every topic.
    pub const ALL: [Self; 12] = [
        Self::Command,
        Self::Source,
        Self::Outcome,
        Self::WorkConnection,
        Self::WorkDiscovery,
        Self::WorkStatistics,
        Self::Control,
        Self::Connection,
        Self::Schema,
        Self::Statistics,
        Self::Audit,
        Self::DeadLetter,
    ];

    /// Topics that the projection folds.
    pub const PROJECTED: [Self; 10] = [
        Self::Source,
        Self::Outcome,
        Self::WorkConnection,
        Self::WorkDiscovery,
        Self::WorkStatistics,
        Self::Connection,
        Self::Schema,
        Self::Statistics,
        Self::Audit,
        Self::DeadLetter,
    ];

    /// Short name: the part between prefix and version.
    pub const fn short(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Source => "source",
            Self::Outcome => "outcome",
            Self::WorkConnection => "work.connection",
            Self::WorkDiscovery => "work.discovery",
            Self::WorkStatistics => "work.statistics",
            Self::Control => "control",
            Self::Connection => "connection",
            Self::Schema => "schema",
            Self::Statistics => "statistics",
            Self::Audit => "audit",
            Self::DeadLetter => "dead-letter",
        }
    }

    /// Name on the broker.
    pub fn name(self, prefix: &str) -> String {
        format!("{prefix}.{}.v1", self.short())
    }

    /// The topic of a name on the broker, or of a short name.
    pub fn parse(prefix: &str, name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.name(prefix) == name || topic.short() == name)
    }

    /// Partitions that it must have.
    pub const fn partitions(self) -> i32 {
        match self {
            Self::Control => 1,
            _ => PARTITIONS,
        }
    }

    /// How long records are kept, milliseconds; -1 for ever.
    pub const fn retention_ms(self) -> i64 {
        match self {
            Self::Command | Self::WorkConnection | Self::WorkDiscovery | Self::WorkStatistics | Self::Control => {
                30 * DAY_MS
            }
            Self::DeadLetter => 90 * DAY_MS,
            _ => -1,
        }
    }

    /// The broker's limit for one record, bytes.
    pub const fn max_message_bytes(self) -> i64 {
        match self {
            Self::DeadLetter => 2 * 1024 * 1024,
            _ => 1024 * 1024,
        }
    }

    /// Configuration on the broker.
    pub fn config(self) -> Vec<(&'static str, String)> {
        let mut config = vec![
            ("cleanup.policy", "delete".to_owned()),
            ("retention.ms", self.retention_ms().to_string()),
            ("max.message.bytes", self.max_message_bytes().to_string()),
        ];
        if self == Self::Command {
            config.push(("message.timestamp.type", "LogAppendTime".to_owned()));
        }
        config
    }

    /// Full names of the records that travel on it; empty for dead letters, which are sealed bytes.
    pub fn namespaces(self) -> &'static [&'static str] {
        match self {
            Self::Command => &["io.pursight.command"],
            Self::Source => &["io.pursight.source"],
            Self::Outcome => &["io.pursight.outcome"],
            Self::WorkConnection | Self::WorkDiscovery | Self::WorkStatistics => &["io.pursight.work"],
            Self::Control => &["io.pursight.control"],
            Self::Connection => &["io.pursight.connection"],
            Self::Schema => &["io.pursight.schema"],
            Self::Statistics => &["io.pursight.statistics"],
            Self::Audit => &["io.pursight.audit"],
            Self::DeadLetter => &[],
        }
    }

    /// Whether a record of this full name may travel on it.
    pub fn carries(self, full_name: &str) -> bool {
        let marker = full_name == "io.pursight.source.OwnershipTaken" && self == Self::Outcome;
        let namespace = full_name.rsplit_once('.').map_or("", |(namespace, _)| namespace);
        marker || self.namespaces().contains(&namespace)
    }
}

/// A worker's name, its consumer group and what it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reader {
    /// Worker, also the last part of the group's name.
    pub worker: &'static str,
    /// Topics that its group reads.
    pub topics: &'static [Topic],
}

/// Every consumer group.
pub const READERS: [Reader; 5] = [
    Reader { worker: "registry", topics: &[Topic::Command] },
    Reader { worker: "connection", topics: &[Topic::WorkConnection] },
    Reader { worker: "discovery", topics: &[Topic::WorkDiscovery] },
    Reader { worker: "statistics", topics: &[Topic::WorkStatistics] },
    Reader { worker: "projection", topics: &Topic::PROJECTED },
];

impl Reader {
    /// Name of the consumer group.
    pub fn group(&self, prefix: &str) -> String {
        format!("{prefix}-{}", self.worker)
    }
}

/// The partition that Java's default partitioner (`murmur2`) chooses for a key.
pub fn partition_of(key: &[u8], partitions: i32) -> i32 {
    let positive = murmur2(key) & 0x7fff_ffff;
    i32::try_from(positive % u32::try_from(partitions.max(1)).unwrap_or(1)).unwrap_or(0)
}

/// MurmurHash2, 32 bits, with Kafka's seed (`org.apache.kafka.common.utils.Utils.murmur2`).
fn murmur2(bytes: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    let mut hash = SEED ^ u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let mut chunks = bytes.chunks_exact(4);
    for chunk in chunks.by_ref() {
        let mut k = u32::from_le_bytes([chunk[0], chunk[1], chunk[2], chunk[3]]).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    let rest = chunks.remainder();
    for (at, byte) in rest.iter().enumerate().rev() {
        hash ^= u32::from(*byte) << (8 * at);
    }
    if !rest.is_empty() {
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Figures of `UtilsTest.testMurmur2` in Apache Kafka.
    #[test]
    fn murmur2_is_that_of_the_java_client() {
        let cases: [(&str, i32); 6] = [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ];
        for (key, hash) in cases {
            assert_eq!(murmur2(key.as_bytes()).cast_signed(), hash, "{key}");
        }
    }

    #[test]
    fn names_are_found_again() {
        for topic in Topic::ALL {
            assert_eq!(Topic::parse("acme", &topic.name("acme")), Some(topic));
            assert_eq!(Topic::parse("acme", topic.short()), Some(topic));
        }
        assert_eq!(Topic::parse("acme", "pursight.source.v1"), None);
    }
}
