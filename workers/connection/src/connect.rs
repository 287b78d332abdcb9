//! The ports: a customer's server, and the vault of sealed secrets. Real ones are the connectors and the sealed store.

use async_trait::async_trait;
use pursight_connectors::Connectors;
use pursight_connectors::postgres::{SessionOptions, TestReport};
use pursight_engine::Failure;
use pursight_schemas::{DataSourceSpec, ScopeFilter, SecretRef};
use pursight_secrets::{Place, Reference, Resolver, SealedStore};

/// A server that can be tested.
#[async_trait]
pub trait Server: Send + Sync + 'static {
    /// Tests it step by step; whatever it does is in the report.
    async fn test(
        &self,
        tenant: &str,
        spec: &DataSourceSpec,
        scope: &ScopeFilter,
        options: &SessionOptions,
    ) -> TestReport;
}

#[async_trait]
impl Server for Connectors {
    async fn test(
        &self,
        tenant: &str,
        spec: &DataSourceSpec,
        scope: &ScopeFilter,
        options: &SessionOptions,
    ) -> TestReport {
        self.postgres_test(tenant, spec, scope, options).await
    }
}

/// Where sealed secrets can be destroyed.
#[async_trait]
pub trait Vault: Send + Sync + 'static {
    /// Destroys every version of a sealed secret of the tenant; one that is gone already is no failure.
    ///
    /// # Errors
    /// When the store does not answer.
    async fn destroy(&self, tenant: &str, reference: &SecretRef) -> Result<(), Failure>;
}

/// The sealed store and the resolver that remembers its values for a while.
pub struct Sealed {
    /// The store.
    pub store: SealedStore,
    /// What must forget.
    pub resolver: Resolver,
}

#[async_trait]
impl Vault for Sealed {
    async fn destroy(&self, tenant: &str, reference: &SecretRef) -> Result<(), Failure> {
        // A reference that was never well-formed leads to nothing that could be destroyed; another tenant's is not ours.
        let Ok(Reference { place: Place::Sealed { tenant: owner, id }, .. }) = Reference::parse(reference) else {
            return Ok(());
        };
        if owner != tenant {
            return Ok(());
        }
        let removed = self.store.destroy(tenant, &id).await;
        removed.map_err(|error| Failure::transient("destroying a sealed secret", error))?;
        self.resolver.forget(tenant, reference).await;
        Ok(())
    }
}
