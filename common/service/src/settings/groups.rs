//! Settings by concern. Each part of the program gets the struct that it needs and no other.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::hidden::Hidden;
use super::reader::Reader;

/// How to reach Kafka.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaSettings {
    /// Brokers to begin with.
    pub bootstrap: String,
    /// First part of every topic, group and transactional id.
    pub topic_prefix: String,
    /// This process among those of its worker.
    pub instance: String,
    /// Silence after which partitions go to others.
    pub session_timeout: Duration,
    /// TLS and login.
    pub security: KafkaSecurity,
}

/// TLS and login at the brokers. Verification has no off switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaSecurity {
    /// What the brokers speak.
    pub protocol: SecurityProtocol,
    /// SASL mechanism, where the protocol has a login.
    pub sasl_mechanism: String,
    /// Login.
    pub username: Option<String>,
    /// Password.
    pub password: Option<Hidden>,
    /// Certificate authority (PEM).
    pub ca_file: Option<PathBuf>,
}

/// What the brokers speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecurityProtocol {
    /// Neither TLS nor login.
    Plaintext,
    /// TLS.
    Ssl,
    /// Login without TLS.
    SaslPlaintext,
    /// Login over TLS.
    SaslSsl,
}

impl SecurityProtocol {
    const CHOICES: [(&'static str, Self); 4] = [
        ("PLAINTEXT", Self::Plaintext),
        ("SSL", Self::Ssl),
        ("SASL_PLAINTEXT", Self::SaslPlaintext),
        ("SASL_SSL", Self::SaslSsl),
    ];

    /// As Kafka's clients write it.
    pub fn as_str(self) -> &'static str {
        Self::CHOICES.iter().find(|(_, protocol)| *protocol == self).map_or("PLAINTEXT", |(word, _)| word)
    }

    /// Whether there is a login.
    pub fn has_login(self) -> bool {
        matches!(self, Self::SaslPlaintext | Self::SaslSsl)
    }
}

/// The service's own database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseSettings {
    /// With its password.
    pub url: Hidden,
    /// Most sessions.
    pub pool_size: u32,
}

/// Who signs commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublisherSettings {
    /// The tenant spoken for.
    pub tenant: String,
    /// Who speaks.
    pub principal: String,
    /// Issuer of the key.
    pub issuer: String,
    /// File of the key.
    pub signing_key: PathBuf,
}

/// Where secrets come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretSettings {
    /// Keys of the sealed store.
    pub keys_file: Option<PathBuf>,
    /// Variables that `env://` may name, with their values where they are set.
    pub environment: BTreeMap<String, Option<Hidden>>,
    /// Folder below which `file://` may read.
    pub file_dir: Option<PathBuf>,
    /// AWS Secrets Manager's address.
    pub aws_endpoint_url: Option<Hidden>,
}

/// How hard workers work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkSettings {
    /// Most records that are taken at once.
    pub batch_size: usize,
    /// Whether a discovery pauses between pages.
    pub discovery_pauses: bool,
}

/// Health and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpSettings {
    /// Where to listen; `None`: nowhere.
    pub listen: Option<SocketAddr>,
    /// Time to finish what is under way when told to stop.
    pub drain_timeout: Duration,
}

/// Logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// Which lines are written.
    pub filter: String,
    /// In which form.
    pub format: LogFormat,
}

/// Form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

impl KafkaSettings {
    pub(super) fn read(reader: &mut Reader<'_>, instance: &str) -> Option<Self> {
        let prefix = reader.text("PURSIGHT_TOPIC_PREFIX").unwrap_or_default();
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if !(1..=100).contains(&prefix.len()) || !prefix.bytes().all(known) {
            reader.invalid("PURSIGHT_TOPIC_PREFIX", "1 to 100 letters, digits, dots, hyphens and underscores");
        }
        let millis = reader.number("PURSIGHT_SESSION_TIMEOUT_MS", 1_000..=300_000);
        let security = KafkaSecurity::read(reader);
        Some(Self {
            bootstrap: reader.text("PURSIGHT_KAFKA_BOOTSTRAP")?,
            topic_prefix: prefix,
            instance: instance.to_owned(),
            session_timeout: Duration::from_millis(u64::from(millis)),
            security,
        })
    }
}

impl KafkaSecurity {
    fn read(reader: &mut Reader<'_>) -> Self {
        const MECHANISMS: [(&str, &str); 3] =
            [("PLAIN", "PLAIN"), ("SCRAM-SHA-256", "SCRAM-SHA-256"), ("SCRAM-SHA-512", "SCRAM-SHA-512")];
        let protocol = reader.choice("PURSIGHT_KAFKA_SECURITY_PROTOCOL", &SecurityProtocol::CHOICES);
        let protocol = protocol.unwrap_or(SecurityProtocol::Plaintext);
        let mechanism = reader.choice("PURSIGHT_KAFKA_SASL_MECHANISM", &MECHANISMS).unwrap_or("SCRAM-SHA-512");
        let username = reader.text("PURSIGHT_KAFKA_SASL_USERNAME");
        let password = reader.text("PURSIGHT_KAFKA_SASL_PASSWORD").map(Hidden::new);
        if protocol.has_login() && username.is_none() {
            reader.invalid("PURSIGHT_KAFKA_SASL_USERNAME", "a login, because the protocol has one");
        }
        if protocol.has_login() && password.is_none() {
            reader.invalid("PURSIGHT_KAFKA_SASL_PASSWORD", "a password, because the protocol has a login");
        }
        let ca_file = reader.path("PURSIGHT_KAFKA_CA_FILE");
        Self { protocol, sasl_mechanism: mechanism.to_owned(), username, password, ca_file }
    }
}

impl DatabaseSettings {
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let pool_size = reader.number("PURSIGHT_DATABASE_POOL_SIZE", 1..=1_000);
        let url = reader.text("PURSIGHT_DATABASE_URL")?;
        match Url::parse(&url) {
            Ok(parsed) if matches!(parsed.scheme(), "postgres" | "postgresql") => {}
            _ => reader.invalid("PURSIGHT_DATABASE_URL", "postgres://user:password@host:port/database"),
        }
        Some(Self { url: Hidden::new(url), pool_size })
    }
}

impl SecretSettings {
    pub(super) fn read(reader: &mut Reader<'_>, map: &BTreeMap<String, String>) -> Self {
        let allowed = reader.list("PURSIGHT_SECRET_ENV_ALLOW").into_iter();
        Self {
            keys_file: reader.path("PURSIGHT_SECRET_KEYS_FILE"),
            environment: allowed.map(|name| (name.clone(), map.get(&name).map(Hidden::new))).collect(),
            file_dir: reader.path("PURSIGHT_SECRET_FILE_DIR"),
            aws_endpoint_url: reader.url("PURSIGHT_AWS_ENDPOINT_URL").map(Hidden::new),
        }
    }
}

impl WorkSettings {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let batch_size = reader.number("PURSIGHT_BATCH_SIZE", 1..=10_000);
        let pauses = reader.choice("PURSIGHT_DISCOVERY_PAUSES", &[("on", true), ("off", false)]);
        Self { batch_size: usize::try_from(batch_size).unwrap_or(usize::MAX), discovery_pauses: pauses.unwrap_or(true) }
    }
}

impl HttpSettings {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let text = reader.text("PURSIGHT_HTTP_LISTEN").unwrap_or_default();
        let listen = text.parse().ok();
        if listen.is_none() && text != "none" {
            reader.invalid("PURSIGHT_HTTP_LISTEN", "an address with a port, such as 0.0.0.0:9464, or none");
        }
        let drain = reader.number("PURSIGHT_DRAIN_TIMEOUT_MS", 0..=3_600_000);
        Self { listen, drain_timeout: Duration::from_millis(u64::from(drain)) }
    }
}

impl LogSettings {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let filter = reader.text("PURSIGHT_LOG").unwrap_or_default();
        if tracing_subscriber::EnvFilter::try_new(&filter).is_err() {
            reader.invalid("PURSIGHT_LOG", "a tracing filter, such as info or info,pursight_engine=debug");
        }
        let format = reader.choice("PURSIGHT_LOG_FORMAT", &[("json", LogFormat::Json), ("text", LogFormat::Text)]);
        Self { filter, format: format.unwrap_or(LogFormat::Json) }
    }
}
