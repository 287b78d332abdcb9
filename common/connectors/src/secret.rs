//! How a connector comes to a password or a key: one port, answered by the resolver. Knows neither stores nor keys; a
//! value lives as long as the connection is being made and is never printed.

use async_trait::async_trait;
use pursight_schemas::SecretRef;
use pursight_secrets::{Resolver, Secret, SecretError};

use crate::problem::{Refused, refused};

/// Where secrets come from.
#[async_trait]
pub trait SecretPort: Send + Sync + 'static {
    /// The value behind a reference.
    ///
    /// # Errors
    /// Why there is none.
    async fn resolve(&self, tenant: &str, reference: &SecretRef) -> Result<Secret, SecretError>;
}

#[async_trait]
impl SecretPort for Resolver {
    async fn resolve(&self, tenant: &str, reference: &SecretRef) -> Result<Secret, SecretError> {
        Self::resolve(self, tenant, reference).await
    }
}

/// The value behind a reference, or a problem that names the reference and what it was for.
pub(crate) async fn fetch(
    port: &dyn SecretPort,
    tenant: &str,
    reference: &SecretRef,
    purpose: &str,
) -> Result<Secret, Refused> {
    port.resolve(tenant, reference).await.map_err(|error| {
        let mut problem = refused(error.code(), format!("the {purpose} cannot be had: {error}"), error.remedy());
        problem.retryable = error.retryable();
        problem
    })
}
