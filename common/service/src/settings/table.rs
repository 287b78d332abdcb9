//! Every setting there is: the only list of names. What is not here is refused.

/// How a value may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// As it is.
    Plain,
    /// As a URL without its user information.
    Url,
    /// Not at all.
    Never,
}

/// One setting.
#[derive(Debug, PartialEq, Eq)]
pub struct Setting {
    /// Name of the variable.
    pub name: &'static str,
    /// Value where none is set.
    pub default: Option<&'static str>,
    /// How its value may be shown.
    pub shown: Shown,
    /// What it is.
    pub meaning: &'static str,
    /// When to change it.
    pub change_when: &'static str,
}

const fn plain(
    name: &'static str,
    default: Option<&'static str>,
    meaning: &'static str,
    change_when: &'static str,
) -> Setting {
    Setting { name, default, shown: Shown::Plain, meaning, change_when }
}

const fn url(name: &'static str, meaning: &'static str, change_when: &'static str) -> Setting {
    Setting { name, default: None, shown: Shown::Url, meaning, change_when }
}

/// All settings, by concern.
#[rustfmt::skip]
pub static SETTINGS: &[Setting] = &[
    plain("PURSIGHT_KAFKA_BOOTSTRAP", None, "brokers to begin with, host:port, several by comma", "always: where Kafka is"),
    plain("PURSIGHT_TOPIC_PREFIX", Some("pursight"), "first part of every topic, group and transactional id", "several installations share one Kafka"),
    plain("PURSIGHT_INSTANCE", None, "this process among those of its worker; the host's name if not set", "two processes of the same worker run on one host: each needs its own, and keeps it over restarts"),
    plain("PURSIGHT_SESSION_TIMEOUT_MS", Some("10000"), "silence after which Kafka gives a worker's partitions to others", "lower for faster take-over in development, higher on overloaded hosts"),
    plain("PURSIGHT_KAFKA_SECURITY_PROTOCOL", Some("PLAINTEXT"), "PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL", "the brokers ask for TLS or a login"),
    plain("PURSIGHT_KAFKA_SASL_MECHANISM", Some("SCRAM-SHA-512"), "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512", "the brokers use another one"),
    plain("PURSIGHT_KAFKA_SASL_USERNAME", None, "login at the brokers", "the protocol is SASL_*"),
    Setting { name: "PURSIGHT_KAFKA_SASL_PASSWORD", default: None, shown: Shown::Never, meaning: "password at the brokers", change_when: "the protocol is SASL_*" },
    plain("PURSIGHT_KAFKA_CA_FILE", None, "certificate authority of the brokers (PEM); the system's if not set", "the brokers' certificate is of a private authority"),
    url("PURSIGHT_DATABASE_URL", "the service's own PostgreSQL: postgres://user:password@host:port/database", "always: where the read model is"),
    plain("PURSIGHT_DATABASE_POOL_SIZE", Some("10"), "most sessions with that database per process", "workers wait for a session, or the server runs out of them"),
    plain("PURSIGHT_TENANT", None, "tenant for whom the command line speaks", "always, for the command line"),
    plain("PURSIGHT_PRINCIPAL", None, "who speaks, the actor of the commands", "always, for the command line"),
    plain("PURSIGHT_ISSUER", None, "issuer of the signing key, as in the file of trusted keys", "always, for the command line"),
    plain("PURSIGHT_SIGNING_KEY", None, "file with the private key that signs commands (Ed25519, PKCS#8 PEM, mode 0600)", "always, for the command line; make one with: pursight keys create"),
    plain("PURSIGHT_TRUSTED_KEYS", None, "JWKS file with the public keys whose commands are accepted", "always, for the registry"),
    plain("PURSIGHT_SECRET_KEYS_FILE", None, "file with the keys of the sealed store, one a line, the first seals (mode 0600)", "sealed:// is used, and for dead letters"),
    plain("PURSIGHT_SECRET_ENV_ALLOW", Some(""), "variables that env:// may name, by comma", "env:// is used"),
    plain("PURSIGHT_SECRET_FILE_DIR", None, "folder below which file:// may read", "file:// is used"),
    url("PURSIGHT_AWS_ENDPOINT_URL", "AWS Secrets Manager's address", "an emulator or a private endpoint is used"),
    plain("PURSIGHT_EGRESS_ALLOW", Some(""), "private, loopback and reserved addresses that customers' databases may have, by comma: 10.0.0.0/8, 10.1.2.3:5432, [fd00::/8]:5432; public ones need no entry", "databases are in a private network: name it, as narrowly as possible"),
    plain("PURSIGHT_SOURCES_PER_TENANT", Some("10000"), "most live sources of a tenant; one more is QUOTA_EXCEEDED", "a tenant needs more, or must not have so many"),
    plain("PURSIGHT_BATCH_SIZE", Some("500"), "most records of a partition that a worker takes at once", "less shall be lost when a transaction aborts, or the cost of a batch is measured"),
    plain("PURSIGHT_DISCOVERY_PAUSES", Some("on"), "on or off: whether a discovery leaves a customer's server alone between two pages, for a time that its strategy sets", "off only where the servers are one's own and nobody else works on them"),
    plain("PURSIGHT_HTTP_LISTEN", Some("127.0.0.1:0"), "address of /livez, /readyz and /metrics; port 0 takes a free one, `none` serves nothing", "something watches the process"),
    plain("PURSIGHT_DRAIN_TIMEOUT_MS", Some("20000"), "time to finish what is under way when told to stop", "the supervisor's grace period is another one"),
    plain("PURSIGHT_LOG", Some("info"), "which log lines are written (tracing filter, such as info,pursight_engine=debug)", "something must be looked into"),
    plain("PURSIGHT_LOG_FORMAT", Some("json"), "json or text", "a person reads the log"),
    url("SCHEMA_REGISTRY_URL", "Confluent-compatible registry for schema ids that are not ours", "publishers register their own ids"),
];

/// The setting of this name.
pub(super) fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

/// The known name most like this one, if any is like it at all.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    let bare = |name: &'static str| name.trim_start_matches("PURSIGHT_");
    let name = name.trim_start_matches("PURSIGHT_");
    let candidates = SETTINGS.iter().map(|setting| (distance(name, bare(setting.name)), setting.name));
    candidates.min().filter(|(distance, known)| distance * 2 <= bare(known).len()).map(|(_, known)| known)
}

/// Levenshtein distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}
