//! What a command finds around it: settings, and from them the clients, keys and stores, each made when it is first
//! needed. Turns every failure to reach one of them into an error with a remedy.

use std::path::PathBuf;
use std::time::Duration;

use pursight_attestation::SigningKey;
use pursight_engine::kafka::{Admin, Options};
use pursight_read_model::{DatabaseOptions, ReadModel, ReadModelError};
use pursight_secrets::{KeyRing, SealedStore, Secret};
use pursight_service::{Settings, SettingsError};
use rdkafka::ClientConfig;
use serde_json::{Map, Value as Json};
use tokio::time::{Instant, sleep, timeout_at};
use uuid::Uuid;

use crate::commands::explain_key;
use crate::error::{CliError, chain};
use crate::follow;
use crate::outcome::Ended;
use crate::report::note;
use crate::rows::Rows;

/// How long servers may take to answer a question of the command line.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// How long the read model may take to show what is on the log.
const VISIBLE_WITHIN: Duration = Duration::from_secs(10);
/// Pause between two looks at the read model.
const LOOK_EVERY: Duration = Duration::from_millis(150);

/// One call of the command line.
pub struct Context {
    /// Whether one JSON document is wanted.
    pub json: bool,
    settings: Settings,
}

impl Context {
    /// From the environment.
    ///
    /// # Errors
    /// Everything that is wrong with the environment.
    pub fn from_environment(json: bool) -> Result<Self, CliError> {
        let settings = Settings::from_env().map_err(|error| setting_error(&error))?;
        Ok(Self { json, settings })
    }

    /// All of the settings, for the words that are about them.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The tenant spoken for.
    pub fn tenant(&self) -> Result<&str, CliError> {
        self.settings.tenant().map_err(|error| setting_error(&error))
    }

    /// Who speaks.
    pub fn principal(&self) -> Result<String, CliError> {
        Ok(self.publisher()?.principal)
    }

    /// Issuer of the signing key.
    pub fn issuer(&self) -> Result<String, CliError> {
        Ok(self.publisher()?.issuer)
    }

    fn publisher(&self) -> Result<pursight_service::settings::PublisherSettings, CliError> {
        self.settings.publisher().map_err(|error| setting_error(&error))
    }

    /// The key that signs.
    pub fn signing_key(&self) -> Result<SigningKey, CliError> {
        SigningKey::load(self.publisher()?.signing_key).map_err(explain_key)
    }

    /// The file of trusted keys.
    pub fn trusted_keys_path(&self) -> Result<PathBuf, CliError> {
        self.settings.trusted_keys().cloned().map_err(|error| setting_error(&error))
    }

    /// Prefix of topics and groups; the usual one where Kafka is not set.
    pub fn prefix(&self) -> &str {
        self.settings.kafka().map_or("pursight", |kafka| &kafka.topic_prefix)
    }

    /// How the engine reaches the broker.
    pub fn kafka_options(&self) -> Result<Options, CliError> {
        let kafka = self.settings.kafka().map_err(|error| setting_error(&error))?;
        Ok(crate::ports::kafka_options(kafka))
    }

    /// Connection settings of every client.
    pub fn kafka(&self) -> Result<ClientConfig, CliError> {
        Ok(self.kafka_options()?.client("cli"))
    }

    /// Administration of topics and groups.
    pub fn admin(&self) -> Result<Admin, CliError> {
        Ok(Admin::new(&self.kafka()?, self.prefix(), ANSWER_WITHIN)?)
    }

    /// The read model; connects when it is first asked.
    pub fn read_model(&self) -> Result<ReadModel, CliError> {
        let database = self.settings.database().map_err(|error| setting_error(&error))?;
        let mut options = DatabaseOptions::new(database.url.expose());
        options.application_name = "pursight-cli".to_owned();
        options.max_connections = 4;
        ReadModel::lazy(&options).map_err(|error| database_error(&error))
    }

    /// The tenant's rows.
    pub fn rows(&self) -> Result<Rows, CliError> {
        Rows::new(self.read_model()?, self.tenant()?)
    }

    /// Keys of the sealed store.
    pub fn key_ring(&self) -> Result<KeyRing, CliError> {
        let path = self.settings.secret_keys_file().map_err(|error| setting_error(&error))?;
        KeyRing::load(path).map_err(|error| CliError::failed(chain(&error), error.remedy()))
    }

    /// The sealed store.
    pub fn sealed_store(&self) -> Result<SealedStore, CliError> {
        Ok(SealedStore::new(self.read_model()?.pool().clone(), self.key_ring()?))
    }

    /// Seals a value under the tenant; returns its version.
    pub async fn seal(&self, id: &str, secret: &Secret) -> Result<i32, CliError> {
        let sealed = self.sealed_store()?.put(self.tenant()?, id, secret).await;
        sealed.map_err(|error| CliError::failed(chain(&error), error.remedy()))
    }

    /// Destroys a sealed value that is of no use.
    pub async fn unseal(&self, id: &str) {
        let (Ok(store), Ok(tenant)) = (self.sealed_store(), self.tenant()) else { return };
        if let Err(error) = store.destroy(tenant, id).await {
            note(&format!("sealed://{tenant}/{id} is of no use and could not be destroyed: {}", chain(&error)));
        }
    }

    /// Id of a source that is named by id or by name.
    pub async fn source_id(&self, source: &str) -> Result<Uuid, CliError> {
        if let Ok(id) = Uuid::try_parse(source) {
            return Ok(id);
        }
        let row = self.source(source).await?;
        let id = row["source_id"].as_str().and_then(|text| Uuid::try_parse(text).ok());
        id.ok_or_else(|| unknown_source(source))
    }

    /// A source's wide row, by id or name.
    pub async fn source(&self, source: &str) -> Result<Json, CliError> {
        self.rows()?.source(source).await?.ok_or_else(|| unknown_source(source))
    }

    /// A source's name where it is known, else its id: for hints.
    pub async fn name_of(&self, source_id: &Json) -> String {
        let id = source_id.as_str().unwrap_or_default();
        match self.source(id).await {
            Ok(row) => row["name"].as_str().unwrap_or(id).to_owned(),
            Err(_) => id.to_owned(),
        }
    }

    /// A source's registered spec.
    pub async fn spec(&self, source_id: Uuid) -> Result<Map<String, Json>, CliError> {
        match self.rows()?.spec(source_id).await? {
            Some(Json::Object(spec)) => Ok(spec),
            _ => Err(unknown_source(&source_id.to_string())),
        }
    }

    /// A source's row once the read model has this version of it; `None` if that takes too long.
    pub async fn source_at(&self, source_id: Uuid, version: i64) -> Result<Option<Json>, CliError> {
        let (rows, until) = (self.rows()?, follow::deadline(VISIBLE_WITHIN));
        let name = source_id.to_string();
        loop {
            let row = rows.source(&name).await?;
            if row.as_ref().is_some_and(|row| row["version"].as_i64() >= Some(version)) {
                return Ok(row);
            }
            if Instant::now() >= until {
                return Ok(None);
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// The terminal outcome of one of `ids` as soon as the read model has it. A read model that is away is waited for.
    pub async fn ended(&self, ids: &[Uuid], until: Instant) -> Result<Ended, CliError> {
        let rows = self.rows()?;
        let look = async {
            loop {
                for id in ids {
                    let row = rows.command(*id).await.ok().flatten();
                    if let Some(ended) = row.as_ref().and_then(Ended::of_row) {
                        return ended;
                    }
                }
                sleep(LOOK_EVERY).await;
            }
        };
        timeout_at(until, look).await.map_err(|_| follow::late(ids))
    }

    /// A run's row once the read model has its end.
    pub async fn run_ended(&self, run_id: Uuid, within: Duration) -> Result<Json, CliError> {
        let (rows, until) = (self.rows()?, follow::deadline(within));
        loop {
            if let Some(row) = rows.run(run_id).await?
                && row["state"].as_str().is_some_and(|state| ["SUCCEEDED", "FAILED", "CANCELLED"].contains(&state))
                && !row["ended_at"].is_null()
            {
                return Ok(row);
            }
            if Instant::now() >= until {
                return Err(CliError::timed_out(
                    format!("the read model does not have the end of run {run_id} yet"),
                    "look again with: pursight source show",
                ));
            }
            sleep(LOOK_EVERY).await;
        }
    }
}

fn unknown_source(source: &str) -> CliError {
    CliError::failed(format!("there is no source {source:?}"), "pursight source list shows what there is")
}

/// Settings that are missing or wrong.
pub fn setting_error(error: &SettingsError) -> CliError {
    CliError::usage(error.to_string(), "pursight settings lists every setting with its meaning")
}

/// A read model that cannot be asked.
pub fn database_error(error: &ReadModelError) -> CliError {
    let what = chain(error);
    match error {
        ReadModelError::Settings(_) => CliError::usage(what, "correct PURSIGHT_DATABASE_URL"),
        ReadModelError::NotMigrated(_) => CliError::failed(what, "run: pursight migrate"),
        ReadModelError::Role { remedy, .. } => CliError::failed(what, remedy.clone()),
        _ if error.is_full() => CliError::unreachable(
            what,
            "end sessions that nobody needs, raise PostgreSQL's max_connections, or lower PURSIGHT_DATABASE_POOL_SIZE",
        ),
        _ if error.is_transient() => CliError::unreachable(what, "start PostgreSQL, or correct PURSIGHT_DATABASE_URL"),
        ReadModelError::Database { .. } | ReadModelError::Migrate(_) => {
            CliError::failed(what, "is the read model migrated, and may this user read it? pursight doctor")
        }
        ReadModelError::Content(_) => CliError::failed(what, "run: pursight rebuild"),
    }
}
