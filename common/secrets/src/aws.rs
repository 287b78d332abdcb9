//! `aws-sm://`: AWS Secrets Manager. One client per region; a call is short, because a customer's deadline runs.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::retry::RetryConfig;
use aws_sdk_secretsmanager::config::timeout::TimeoutConfig;
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueError;
use serde_json::Value;
use tokio::sync::OnceCell;
use zeroize::Zeroizing;

use crate::error::{Cause, SecretError};
use crate::reference::{Place, Reference};
use crate::secret::Secret;
use crate::store::SecretStore;

/// Most regions with a client; references choose the region, so their number must be bounded.
const MOST_REGIONS: usize = 64;

/// How to reach AWS.
#[derive(Debug, Clone)]
pub struct AwsOptions {
    /// Instead of AWS's own address: an emulator or a private endpoint.
    pub endpoint_url: Option<String>,
    /// Longest time for one secret, with its second attempt.
    pub timeout: Duration,
}

/// AWS Secrets Manager under the identity of the process (environment, web identity, instance role).
pub struct AwsSecretsManager {
    options: AwsOptions,
    shared: OnceCell<SdkConfig>,
    clients: Mutex<HashMap<String, Client>>,
}

impl AwsSecretsManager {
    /// Nothing is read or connected before the first secret is asked for.
    pub fn new(options: AwsOptions) -> Self {
        Self { options, shared: OnceCell::new(), clients: Mutex::new(HashMap::new()) }
    }

    /// Under another identity than the process's own.
    pub fn with_identity(shared: SdkConfig, options: AwsOptions) -> Self {
        Self { options, shared: OnceCell::new_with(Some(shared)), clients: Mutex::new(HashMap::new()) }
    }

    async fn client(&self, region: &str) -> Client {
        // A region is given, whichever, so that none is asked of a metadata service that may not exist.
        let identity = || aws_config::defaults(BehaviorVersion::latest()).region(Region::new(region.to_owned())).load();
        let shared = self.shared.get_or_init(identity).await;
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(region) {
            return client.clone();
        }
        if clients.len() >= MOST_REGIONS {
            clients.clear();
        }
        let client = self.connect(shared, region);
        clients.insert(region.to_owned(), client.clone());
        client
    }

    fn connect(&self, shared: &SdkConfig, region: &str) -> Client {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(self.options.timeout / 2)
            .operation_attempt_timeout(self.options.timeout)
            .operation_timeout(self.options.timeout)
            .build();
        let mut config = aws_sdk_secretsmanager::config::Builder::from(shared)
            .region(Region::new(region.to_owned()))
            .retry_config(RetryConfig::standard().with_max_attempts(2))
            .timeout_config(timeouts);
        if let Some(url) = &self.options.endpoint_url {
            config = config.endpoint_url(url);
        }
        Client::from_conf(config.build())
    }
}

#[async_trait]
impl SecretStore for AwsSecretsManager {
    async fn fetch(&self, _tenant: &str, reference: &Reference) -> Result<Secret, SecretError> {
        let Place::AwsSecretsManager { region, name, json_key } = &reference.place else {
            return Err(SecretError::unavailable(reference, Cause::NotConfigured));
        };
        let mut request = self.client(region).await.get_secret_value().secret_id(name);
        if let Some(version) = &reference.version {
            request = if is_version_id(version) { request.version_id(version) } else { request.version_stage(version) };
        }
        let answer = Box::pin(request.send()).await.map_err(|error| refused(reference, &error))?;
        let Some(text) = answer.secret_string.map(Zeroizing::new) else {
            let remedy = "store it as text (SecretString)";
            return Err(SecretError::not_found(reference, "the secret is binary, not text", remedy));
        };
        match json_key {
            None => Ok(Secret::new(text.to_string())),
            Some(key) => member(&text, key).ok_or_else(|| {
                let remedy = "name a member after # that the secret's JSON object has as text";
                SecretError::not_found(reference, "the secret has no such JSON member of text", remedy)
            }),
        }
    }
}

/// Version ids are made by AWS or by clients, 32 to 64 characters; stages are words such as `AWSPREVIOUS`.
fn is_version_id(version: &str) -> bool {
    (32..=64).contains(&version.len()) && version.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

fn member(text: &str, key: &str) -> Option<Secret> {
    match serde_json::from_str::<Value>(text).ok()?.get_mut(key)?.take() {
        Value::String(value) => Some(Secret::new(value)),
        Value::Number(value) => Some(Secret::new(value.to_string())),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Only the code of AWS's answer is looked at; its text goes nowhere.
fn refused<R>(reference: &Reference, error: &SdkError<GetSecretValueError, R>) -> SecretError {
    let SdkError::ServiceError(answer) = error else {
        return SecretError::unavailable(reference, Cause::Down);
    };
    match answer.err().code().unwrap_or_default() {
        "ResourceNotFoundException" => SecretError::not_found(
            reference,
            "there is no such secret or version",
            "check its name, region and version",
        ),
        "InvalidRequestException" | "InvalidParameterException" | "ValidationException" => SecretError::not_found(
            reference,
            "the secret cannot be read as asked, it may be marked for deletion",
            "check its name and version, and restore it if it was deleted",
        ),
        "ThrottlingException"
        | "Throttling"
        | "TooManyRequestsException"
        | "LimitExceededException"
        | "RequestLimitExceeded"
        | "SlowDown" => SecretError::unavailable(reference, Cause::Throttled),
        "AccessDeniedException"
        | "AccessDenied"
        | "UnrecognizedClientException"
        | "InvalidSignatureException"
        | "ExpiredTokenException"
        | "InvalidClientTokenId"
        | "MissingAuthenticationTokenException"
        | "DecryptionFailure"
        | "NotAuthorized" => SecretError::unavailable(reference, Cause::Denied),
        _ => SecretError::unavailable(reference, Cause::Down),
    }
}
