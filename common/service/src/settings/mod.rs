//! Settings: the environment, read once, checked as a whole, then handed out in small structs by concern.
//! Must not know who uses them. Next: `table.rs` for every name, `groups.rs` for the structs.

mod error;
mod groups;
mod hidden;
mod reader;
mod table;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use error::{Fault, SettingsError};
pub use groups::{
    DatabaseSettings, HttpSettings, KafkaSecurity, KafkaSettings, LogFormat, LogSettings, PublisherSettings,
    SecretSettings, SecurityProtocol, WorkSettings,
};
pub use hidden::Hidden;
pub use table::{SETTINGS, Setting, Shown};

use error::missing;
use reader::Reader;

/// One line of `pursight settings`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What is set: name, default, meaning.
    pub setting: &'static Setting,
    /// Its value, safe to print; `None` if it is not set.
    pub value: Option<String>,
}

/// Everything that the environment says. Only `main` sees all of it.
#[derive(Debug, Clone)]
pub struct Settings {
    lines: Vec<Line>,
    kafka: Option<KafkaSettings>,
    database: Option<DatabaseSettings>,
    tenant: Option<String>,
    principal: Option<String>,
    issuer: Option<String>,
    signing_key: Option<PathBuf>,
    trusted_keys: Option<PathBuf>,
    secrets: SecretSettings,
    egress_allow: String,
    sources_per_tenant: u32,
    work: WorkSettings,
    http: HttpSettings,
    logs: LogSettings,
    schema_registry_url: Option<Hidden>,
    instance: String,
    pgpassword_set: bool,
}

impl Settings {
    /// Reads the environment of this process. Call it once.
    ///
    /// # Errors
    /// Everything that is wrong with it at once, by variable.
    pub fn from_env() -> Result<Self, SettingsError> {
        let mut map: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        if !map.contains_key("HOSTNAME")
            && let Ok(name) = std::fs::read_to_string("/proc/sys/kernel/hostname")
        {
            map.insert("HOSTNAME".to_owned(), name.trim().to_owned());
        }
        Self::from_map(&map)
    }

    /// Reads a map of variables as if it were the environment.
    ///
    /// # Errors
    /// As [`Settings::from_env`].
    pub fn from_map(map: &BTreeMap<String, String>) -> Result<Self, SettingsError> {
        let mut reader = Reader::new(map);
        reader.refuse_unknown();
        let instance = reader.instance();
        let settings = Self {
            lines: reader.lines(),
            kafka: KafkaSettings::read(&mut reader, &instance),
            database: DatabaseSettings::read(&mut reader),
            tenant: reader.text("PURSIGHT_TENANT"),
            principal: reader.text("PURSIGHT_PRINCIPAL"),
            issuer: reader.text("PURSIGHT_ISSUER"),
            signing_key: reader.path("PURSIGHT_SIGNING_KEY"),
            trusted_keys: reader.path("PURSIGHT_TRUSTED_KEYS"),
            secrets: SecretSettings::read(&mut reader, map),
            egress_allow: reader.text("PURSIGHT_EGRESS_ALLOW").unwrap_or_default(),
            sources_per_tenant: reader.number("PURSIGHT_SOURCES_PER_TENANT", 1..=1_000_000),
            work: WorkSettings::read(&mut reader),
            http: HttpSettings::read(&mut reader),
            logs: LogSettings::read(&mut reader),
            schema_registry_url: reader.url("SCHEMA_REGISTRY_URL").map(Hidden::new),
            instance,
            pgpassword_set: map.get("PGPASSWORD").is_some_and(|value| !value.is_empty()),
        };
        reader.finish(settings)
    }

    /// Every setting with its value, secrets redacted.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// What a worker needs before it may start: no password of PostgreSQL's own variables, which its driver would send to
    /// customers' servers.
    ///
    /// # Errors
    /// When `PGPASSWORD` is set.
    pub fn check_worker(&self) -> Result<(), SettingsError> {
        if self.pgpassword_set { Err(SettingsError(vec![Fault::PgPassword])) } else { Ok(()) }
    }

    /// How to reach Kafka.
    ///
    /// # Errors
    /// When `PURSIGHT_KAFKA_BOOTSTRAP` is not set.
    pub fn kafka(&self) -> Result<&KafkaSettings, SettingsError> {
        self.kafka.as_ref().ok_or_else(|| missing("PURSIGHT_KAFKA_BOOTSTRAP"))
    }

    /// How to reach the service's own database.
    ///
    /// # Errors
    /// When `PURSIGHT_DATABASE_URL` is not set.
    pub fn database(&self) -> Result<&DatabaseSettings, SettingsError> {
        self.database.as_ref().ok_or_else(|| missing("PURSIGHT_DATABASE_URL"))
    }

    /// The tenant for whom the command line speaks.
    ///
    /// # Errors
    /// When `PURSIGHT_TENANT` is not set.
    pub fn tenant(&self) -> Result<&str, SettingsError> {
        self.tenant.as_deref().ok_or_else(|| missing("PURSIGHT_TENANT"))
    }

    /// What is needed to sign commands.
    ///
    /// # Errors
    /// Every variable of it that is not set.
    pub fn publisher(&self) -> Result<PublisherSettings, SettingsError> {
        let needed = [
            ("PURSIGHT_TENANT", self.tenant.is_some()),
            ("PURSIGHT_PRINCIPAL", self.principal.is_some()),
            ("PURSIGHT_ISSUER", self.issuer.is_some()),
            ("PURSIGHT_SIGNING_KEY", self.signing_key.is_some()),
        ];
        match (self.tenant.clone(), self.principal.clone(), self.issuer.clone(), self.signing_key.clone()) {
            (Some(tenant), Some(principal), Some(issuer), Some(signing_key)) => {
                Ok(PublisherSettings { tenant, principal, issuer, signing_key })
            }
            _ => {
                let absent = needed.iter().filter(|(_, there)| !there);
                Err(SettingsError(absent.flat_map(|(name, _)| missing(name).0).collect()))
            }
        }
    }

    /// The file of trusted keys.
    ///
    /// # Errors
    /// When `PURSIGHT_TRUSTED_KEYS` is not set.
    pub fn trusted_keys(&self) -> Result<&PathBuf, SettingsError> {
        self.trusted_keys.as_ref().ok_or_else(|| missing("PURSIGHT_TRUSTED_KEYS"))
    }

    /// The file of keys that seal secrets.
    ///
    /// # Errors
    /// When `PURSIGHT_SECRET_KEYS_FILE` is not set.
    pub fn secret_keys_file(&self) -> Result<&PathBuf, SettingsError> {
        self.secrets.keys_file.as_ref().ok_or_else(|| missing("PURSIGHT_SECRET_KEYS_FILE"))
    }

    /// Where secrets come from.
    pub fn secrets(&self) -> &SecretSettings {
        &self.secrets
    }

    /// Most live sources of a tenant.
    pub fn sources_per_tenant(&self) -> u32 {
        self.sources_per_tenant
    }

    /// Addresses that customers' databases may have, as the egress policy reads them.
    pub fn egress_allow(&self) -> &str {
        &self.egress_allow
    }

    /// How hard workers work.
    pub fn work(&self) -> WorkSettings {
        self.work
    }

    /// Health and metrics.
    pub fn http(&self) -> &HttpSettings {
        &self.http
    }

    /// Logs.
    pub fn logs(&self) -> &LogSettings {
        &self.logs
    }

    /// A Confluent-compatible registry for schema ids that are not ours.
    pub fn schema_registry_url(&self) -> Option<&str> {
        self.schema_registry_url.as_ref().map(Hidden::expose)
    }

    /// This process among those of its kind.
    pub fn instance(&self) -> &str {
        &self.instance
    }
}

#[cfg(test)]
mod tests;
