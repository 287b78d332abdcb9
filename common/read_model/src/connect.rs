//! From a URL to a pool. Every field of the connection is set here, one by one: neither `PG*` variables nor a password
//! file may decide where the read model lies. Knows no statement beyond the session's own settings.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgSslMode};
use url::Url;

use crate::error::ReadModelError;

/// Settings of every session. A statement that takes longer is given up; a peer that is gone is noticed. Nothing here
/// runs long enough to be worth compiling, whatever the planner thinks that it costs.
const SESSION: [(&str, &str); 8] = [
    ("jit", "off"),
    ("statement_timeout", "30s"),
    ("idle_in_transaction_session_timeout", "30s"),
    ("lock_timeout", "5s"),
    ("timezone", "UTC"),
    ("tcp_keepalives_idle", "10"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
];

/// Where the read model is and how it is reached.
#[derive(Clone)]
pub struct DatabaseOptions {
    /// `postgres://user:password@host:port/database`, with `sslmode` and `sslrootcert` as parameters at most.
    pub url: String,
    /// Schema of the tables; `pursight` unless there is a reason.
    pub schema: String,
    /// Name of the sessions, seen in `pg_stat_activity`.
    pub application_name: String,
    /// Most connections of this process.
    pub max_connections: u32,
    /// Whether a transaction pooler stands between: session settings come with every transaction. Statements are prepared
    /// by name all the same, so it must be PgBouncer 1.21 or newer with `max_prepared_statements` of at least 200.
    pub pgbouncer: bool,
}

impl DatabaseOptions {
    /// The usual settings for a URL.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            schema: "pursight".to_owned(),
            application_name: "pursight".to_owned(),
            max_connections: 8,
            pgbouncer: false,
        }
    }

    /// The same database, another schema.
    #[must_use]
    pub fn with_schema(mut self, schema: &str) -> Self {
        schema.clone_into(&mut self.schema);
        self
    }
}

impl fmt::Debug for DatabaseOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("DatabaseOptions").field("schema", &self.schema).finish_non_exhaustive()
    }
}

fn bad(what: impl Into<String>) -> ReadModelError {
    ReadModelError::Settings(what.into())
}

/// A schema's name goes into statements unquoted; so only such names are allowed that need no quotes.
fn checked_schema(name: &str) -> Result<&str, ReadModelError> {
    let sound = (1..=63).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && !name.starts_with("pg_");
    if sound { Ok(name) } else { Err(bad(format!("schema {name:?} must be a plain lower-case name"))) }
}

fn decoded(part: &str, what: &str) -> Result<String, ReadModelError> {
    let bytes = percent_decode(part);
    String::from_utf8(bytes).map_err(|_| bad(format!("its {what} is not UTF-8")))
}

fn percent_decode(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = text.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (bytes[at], hex) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 3;
            }
            (byte, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    out
}

/// What a URL says, field by field.
struct Target {
    host: String,
    port: u16,
    user: String,
    password: String,
    database: String,
    ssl_mode: PgSslMode,
    root_certificate: Option<PathBuf>,
}

fn parse(text: &str) -> Result<Target, ReadModelError> {
    let url = Url::parse(text).map_err(|error| bad(format!("it is no URL ({error})")))?;
    if !matches!(url.scheme(), "postgres" | "postgresql") {
        return Err(bad("it must begin with postgres://"));
    }
    let host = url.host_str().ok_or_else(|| bad("it names no host"))?;
    let mut target = Target {
        host: decoded(host, "host")?.trim_matches(['[', ']']).to_owned(),
        port: url.port().unwrap_or(5432),
        user: decoded(url.username(), "user")?,
        password: decoded(url.password().unwrap_or_default(), "password")?,
        database: decoded(url.path().trim_start_matches('/'), "database")?,
        ssl_mode: PgSslMode::VerifyFull,
        root_certificate: None,
    };
    if target.user.is_empty() || target.database.is_empty() {
        return Err(bad("it must name a user and a database"));
    }
    let local = matches!(target.host.as_str(), "localhost" | "127.0.0.1" | "::1") || target.host.starts_with('/');
    if local {
        target.ssl_mode = PgSslMode::Disable;
    }
    for (name, value) in url.query_pairs() {
        match (name.as_ref(), value.as_ref()) {
            ("sslmode", "disable") if local => target.ssl_mode = PgSslMode::Disable,
            ("sslmode", "verify-full") => target.ssl_mode = PgSslMode::VerifyFull,
            ("sslmode", "verify-ca") => target.ssl_mode = PgSslMode::VerifyCa,
            ("sslmode", mode) => {
                return Err(bad(format!(
                    "sslmode={mode} is not allowed: use verify-full or verify-ca (disable on this machine only)"
                )));
            }
            ("sslrootcert", path) => target.root_certificate = Some(PathBuf::from(path)),
            (other, _) => return Err(bad(format!("its parameter {other} is unknown"))),
        }
    }
    Ok(target)
}

/// Connection options and the text that begins a transaction.
pub(crate) fn options(from: &DatabaseOptions) -> Result<(PgConnectOptions, String), ReadModelError> {
    let schema = checked_schema(&from.schema)?;
    let target = parse(&from.url)?;
    let mut options = PgConnectOptions::new_without_pgpass();
    if options.get_options().is_some() {
        return Err(bad("PGOPTIONS is set and would change our sessions; unset it"));
    }
    options = options
        .host(&target.host)
        .port(target.port)
        .username(&target.user)
        .password(&target.password)
        .database(&target.database)
        .ssl_mode(target.ssl_mode)
        .application_name(&from.application_name);
    if target.host.starts_with('/') {
        options = options.socket(&target.host);
    }
    if let Some(path) = target.root_certificate {
        options = options.ssl_root_cert(path);
    }
    let mut begin = "BEGIN".to_owned();
    if from.pgbouncer {
        begin.push_str(&format!("; SET LOCAL search_path = {schema}"));
        for (name, value) in SESSION.iter().filter(|(name, _)| !name.starts_with("tcp_")) {
            begin.push_str(&format!("; SET LOCAL {name} = '{value}'"));
        }
    } else {
        options = options.options(SESSION).options([("search_path", schema)]);
    }
    Ok((options, begin))
}

/// A pool that connects when it is first asked.
pub(crate) fn pool(from: &DatabaseOptions, options: PgConnectOptions) -> PgPool {
    PgPoolOptions::new()
        .max_connections(from.max_connections)
        .min_connections(0)
        .acquire_timeout(Duration::from_secs(5))
        .idle_timeout(Duration::from_secs(300))
        .max_lifetime(Duration::from_secs(1_800))
        .connect_lazy_with(options)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn every_field_comes_from_the_url() {
        let from = DatabaseOptions::new("postgres://a%40b:p%3aq@127.0.0.1:6000/d%20b");
        let target = parse(&from.url).unwrap();
        assert_eq!((target.user.as_str(), target.password.as_str()), ("a@b", "p:q"));
        assert_eq!((target.host.as_str(), target.port, target.database.as_str()), ("127.0.0.1", 6000, "d b"));
        let (options, begin) = options(&from).unwrap();
        let said = options.get_options().unwrap();
        assert!(said.contains("search_path=pursight") && said.contains("jit=off"), "{said}");
        assert_eq!(begin, "BEGIN");
        assert!(!format!("{from:?}").contains("p%3aq"));
    }

    #[test]
    fn bad_addresses_are_refused_with_the_reason() {
        for (url, reason) in [
            ("mysql://u@h/d", "postgres://"),
            ("postgres://h/d", "user and a database"),
            ("postgres://u@h", "user and a database"),
            ("postgres://u@far.example/d?sslmode=disable", "sslmode=disable"),
            ("postgres://u@far.example/d?sslmode=prefer", "sslmode=prefer"),
            ("postgres://u@h/d?options=x", "options"),
        ] {
            let error = parse(url).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains(reason), "{url}: {error}");
        }
        assert!(
            parse("postgres://u@far.example/d")
                .is_ok_and(|target| target.ssl_mode as u8 == PgSslMode::VerifyFull as u8)
        );
        let odd = DatabaseOptions::new("postgres://u@localhost/d").with_schema("a;b");
        assert!(options(&odd).is_err());
    }

    #[test]
    fn behind_a_pooler_every_transaction_brings_its_settings() {
        let mut from = DatabaseOptions::new("postgres://u@localhost/d");
        from.pgbouncer = true;
        let (options, begin) = options(&from).unwrap();
        assert!(options.get_options().is_none());
        assert!(begin.starts_with(
            "BEGIN; SET LOCAL search_path = pursight; SET LOCAL jit = 'off'; SET LOCAL statement_timeout"
        ));
        assert!(!begin.contains("tcp_"));
    }
}
