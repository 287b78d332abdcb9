//! The parts that workers are made of, from the settings: keys, seals, the read model, the way to customers' servers.
//! Reads files and settings; talks to no server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use pursight_attestation::TrustedKeys;
use pursight_connection::connect::Sealed;
use pursight_connectors::{Connectors, EgressPolicy};
use pursight_engine::cancel::Cancellations;
use pursight_engine::kafka::{Admin, Options};
use pursight_engine::{Barrier, Failure, Handler, Runner, Runs, SchemaRegistry, Seal};
use pursight_projection::{LogIdentity, Projection};
use pursight_read_model::{DatabaseOptions, ReadModel};
use pursight_registry::{Ports, Registry, Rules};
use pursight_schemas::SourceType;
use pursight_secrets::{
    AwsOptions, AwsSecretsManager, DeadLetterSeal, EnvironmentStore, FileStore, KeyRing, Resolver, SealedStore,
};
use pursight_service::Settings;
use pursight_service::clock::{new_id, now_micros};
use pursight_service::settings::Hidden;
use tokio::net::lookup_host;

use super::Which;
use crate::commands::explain_key;
use crate::context::{ANSWER_WITHIN, Context, database_error, setting_error};
use crate::error::{CliError, chain};
use crate::ports::{Learning, LetterSeal, ReadBarrier};

/// Facts that the registry holds beyond the read model at most, per partition.
const OVERLAY: usize = 20_000;
/// Longest wait for one secret of AWS.
const AWS_WITHIN: Duration = Duration::from_secs(10);

/// Everything that workers are made of.
pub struct Parts {
    /// How to reach the broker.
    pub kafka: Options,
    /// The read model.
    pub model: ReadModel,
    /// Seals dead letters.
    pub seal: Arc<dyn Seal>,
    /// Runs that were told to end.
    pub cancellations: Arc<Cancellations>,
    settings: Settings,
    sealed: SealedStore,
}

impl Parts {
    /// Reads what the workers need, and refuses what they cannot work with.
    ///
    /// # Errors
    /// Settings that are missing, key files that cannot be used.
    pub fn new(context: &Context) -> Result<Self, CliError> {
        let settings = context.settings().clone();
        settings.check_worker().map_err(|error| setting_error(&error))?;
        let kafka = context.kafka_options()?;
        let keys: KeyRing = context.key_ring()?;
        let database = settings.database().map_err(|error| setting_error(&error))?;
        let mut options = DatabaseOptions::new(database.url.expose());
        options.application_name = "pursight".to_owned();
        options.max_connections = database.pool_size;
        let model = ReadModel::lazy(&options).map_err(|error| database_error(&error))?;
        let sealed = SealedStore::new(model.pool().clone(), keys.clone());
        let seal: Arc<dyn Seal> = Arc::new(LetterSeal(DeadLetterSeal::new(keys)));
        Ok(Self { kafka, model, seal, cancellations: Arc::default(), settings, sealed })
    }

    fn barrier(&self) -> Arc<dyn Barrier> {
        Arc::new(ReadBarrier(self.model.clone()))
    }

    /// The registry.
    ///
    /// # Errors
    /// When the file of trusted keys cannot be used.
    pub fn registry(&self) -> Result<Arc<dyn Handler>, CliError> {
        let path = self.settings.trusted_keys().map_err(|error| setting_error(&error))?;
        let ports = Ports {
            keys: Arc::new(TrustedKeys::load(path).map_err(explain_key)?),
            ledger: Arc::new(self.model.clone()),
            barrier: self.barrier(),
            seal: Arc::clone(&self.seal),
            now: now_micros,
            new_id,
        };
        let live_sources = i64::from(self.settings.sources_per_tenant());
        let rules = Rules { live_sources, connectors: vec![SourceType::Postgresql] };
        let prefix = self.kafka.prefix.clone();
        let inner = Registry::new(ports, pursight_registry::Settings { prefix, rules, overlay: OVERLAY });
        let registry = SchemaRegistry::new(self.settings.schema_registry_url()).map_err(|error| fatal(&error))?;
        Ok(Arc::new(Learning { inner, registry }))
    }

    /// The projection. Only the broker knows which log it is, so it must answer.
    ///
    /// # Errors
    /// [`CliError::Unreachable`] while the broker is away.
    pub async fn projection(&self) -> Result<Arc<dyn Handler>, CliError> {
        let admin = Admin::new(&self.kafka.client("check"), &self.kafka.prefix, ANSWER_WITHIN)?;
        let cluster_id = admin.cluster().await?.id;
        let identity = LogIdentity { cluster_id, ..LogIdentity::default() };
        Ok(Arc::new(Projection::new(self.model.clone(), identity)))
    }

    /// A runner under the engine's care.
    pub fn runner(&self, runner: impl Runner) -> Arc<dyn Handler> {
        let cancellations = Arc::clone(&self.cancellations);
        Arc::new(Runs::new(Arc::new(runner), cancellations, self.barrier(), &self.kafka.prefix, now_micros))
    }

    /// The way to customers' servers.
    ///
    /// # Errors
    /// An egress policy or a resolver that cannot be used.
    pub async fn connectors(&self, resolver: Resolver) -> Result<Connectors, CliError> {
        let policy = EgressPolicy::parse(self.settings.egress_allow())
            .map_err(|error| CliError::usage(chain(&error), "correct PURSIGHT_EGRESS_ALLOW"))?;
        let policy = policy.refusing(self.own_addresses().await);
        Connectors::new(policy, Arc::new(resolver)).map_err(|error| {
            CliError::failed(chain(&error), "correct /etc/resolv.conf: customers' hosts are looked up with it")
        })
    }

    /// Where our own services are: no customer's source may name them.
    async fn own_addresses(&self) -> Vec<SocketAddr> {
        let mut names: Vec<String> = self.kafka.bootstrap.split(',').map(|name| name.trim().to_owned()).collect();
        names.extend(self.settings.database().ok().and_then(|database| host_of(&database.url)));
        let mut addresses = Vec::new();
        for name in names {
            // A name that does not resolve now is nobody's address; the connection to it fails by itself.
            addresses.extend(lookup_host(name).await.into_iter().flatten());
        }
        addresses
    }

    /// Where secrets come from.
    fn resolver(&self) -> Result<Resolver, CliError> {
        let secrets = self.settings.secrets();
        let value_of =
            |name: &str| secrets.environment.get(name).and_then(Option::as_ref).map(|value| value.expose().to_owned());
        let allowed = secrets.environment.keys().map(String::as_str);
        let mut builder = Resolver::builder()
            .sealed(self.sealed.clone())
            .environment(EnvironmentStore::new(allowed, value_of))
            .aws(AwsSecretsManager::new(AwsOptions {
                endpoint_url: secrets.aws_endpoint_url.as_ref().map(|url| url.expose().to_owned()),
                timeout: AWS_WITHIN,
            }));
        if let Some(folder) = &secrets.file_dir {
            let store = FileStore::new(folder).map_err(|error| {
                CliError::usage(
                    format!("PURSIGHT_SECRET_FILE_DIR cannot be used: {error}"),
                    "name a folder that exists and that this user may read",
                )
            })?;
            builder = builder.file(store);
        }
        Ok(builder.build())
    }

    /// Most records that a worker takes at once.
    pub fn batch_size(&self) -> usize {
        self.settings.work().batch_size
    }

    /// The handler of a worker.
    ///
    /// # Errors
    /// As its parts.
    pub async fn handler(&self, which: Which) -> Result<Arc<dyn Handler>, CliError> {
        Ok(match which {
            Which::Registry => self.registry()?,
            Which::Connection => {
                let resolver = self.resolver()?;
                let server = self.connectors(resolver.clone()).await?;
                let vault = Sealed { store: self.sealed.clone(), resolver };
                self.runner(pursight_connection::Worker::new(Arc::new(server), Arc::new(vault)))
            }
            Which::Discovery => {
                let inspector = pursight_discovery::inspect::Postgres(self.connectors(self.resolver()?).await?);
                let worker = pursight_discovery::Worker::new(Arc::new(inspector), Arc::new(self.model.clone()));
                self.runner(if self.settings.work().discovery_pauses { worker } else { worker.without_pauses() })
            }
            Which::Statistics => {
                let meter = pursight_statistics::measure::Postgres(self.connectors(self.resolver()?).await?);
                let history = Arc::new(self.model.clone());
                self.runner(pursight_statistics::Worker::new(Arc::new(meter), history))
            }
            Which::Projection => self.projection().await?,
        })
    }
}

/// `host:port` of a database's URL.
fn host_of(url: &Hidden) -> Option<String> {
    let url = url::Url::parse(url.expose()).ok()?;
    Some(format!("{}:{}", url.host_str()?, url.port().unwrap_or(5432)))
}

/// A failure of the engine that only a person can mend.
pub fn fatal(failure: &Failure) -> CliError {
    match failure {
        Failure::Fatal { what, remedy } => CliError::failed(what, remedy),
        other => CliError::failed(chain(other), "see the log, and run: pursight doctor"),
    }
}
