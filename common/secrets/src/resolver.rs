//! From a reference to a value: one store by scheme and never another, one flight at a time, kept for a minute.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use pursight_schemas::SecretRef;

use crate::error::{Cause, SecretError};
use crate::reference::{Place, Reference};
use crate::secret::Secret;
use crate::store::SecretStore;

const KEPT_FOR: Duration = Duration::from_secs(60);
const MOST_KEPT: u64 = 10_000;

/// Resolves references at connect time. Cheap to clone.
#[derive(Clone)]
pub struct Resolver {
    stores: Arc<ResolverBuilder>,
    cache: Cache<(String, Reference), Secret>,
}

/// Which stores a process has; those not given are refused, nothing falls back.
#[derive(Default)]
pub struct ResolverBuilder {
    sealed: Option<Arc<dyn SecretStore>>,
    environment: Option<Arc<dyn SecretStore>>,
    file: Option<Arc<dyn SecretStore>>,
    aws: Option<Arc<dyn SecretStore>>,
}

impl ResolverBuilder {
    /// Store of `sealed://`.
    #[must_use]
    pub fn sealed(mut self, store: impl SecretStore) -> Self {
        self.sealed = Some(Arc::new(store));
        self
    }

    /// Store of `env://`.
    #[must_use]
    pub fn environment(mut self, store: impl SecretStore) -> Self {
        self.environment = Some(Arc::new(store));
        self
    }

    /// Store of `file://`.
    #[must_use]
    pub fn file(mut self, store: impl SecretStore) -> Self {
        self.file = Some(Arc::new(store));
        self
    }

    /// Store of `aws-sm://`.
    #[must_use]
    pub fn aws(mut self, store: impl SecretStore) -> Self {
        self.aws = Some(Arc::new(store));
        self
    }

    /// The resolver.
    pub fn build(self) -> Resolver {
        let cache = Cache::builder().max_capacity(MOST_KEPT).time_to_live(KEPT_FOR).build();
        Resolver { stores: Arc::new(self), cache }
    }

    fn store_of(&self, place: &Place) -> Option<Arc<dyn SecretStore>> {
        match place {
            Place::Sealed { .. } => self.sealed.clone(),
            Place::Environment { .. } => self.environment.clone(),
            Place::File { .. } => self.file.clone(),
            Place::AwsSecretsManager { .. } => self.aws.clone(),
        }
    }
}

impl Resolver {
    /// Begins with no store at all.
    pub fn builder() -> ResolverBuilder {
        ResolverBuilder::default()
    }

    /// The value behind a reference, for a verified tenant. Failures are not kept: the next call asks again.
    ///
    /// # Errors
    /// `SECRET_NOT_FOUND` or `SECRET_STORE_UNAVAILABLE`, see [`SecretError`].
    pub async fn resolve(&self, tenant: &str, reference: &SecretRef) -> Result<Secret, SecretError> {
        let reference = parse(reference)?;
        own(tenant, &reference)?;
        let store = self
            .stores
            .store_of(&reference.place)
            .ok_or_else(|| SecretError::unavailable(&reference, Cause::NotConfigured))?;
        let key = (tenant.to_owned(), reference.clone());
        let flight = self.cache.try_get_with(key, async move { store.fetch(tenant, &reference).await });
        flight.await.map_err(Arc::unwrap_or_clone)
    }

    /// Forgets a kept value, for example because a server refused it.
    pub async fn forget(&self, tenant: &str, reference: &SecretRef) {
        if let Ok(reference) = Reference::parse(reference) {
            self.cache.invalidate(&(tenant.to_owned(), reference)).await;
        }
    }
}

fn parse(reference: &SecretRef) -> Result<Reference, SecretError> {
    let malformed = |why: crate::ReferenceError| {
        SecretError::not_found(
            "the malformed reference",
            &why.to_string(),
            "store the secret with: pursight secret seal",
        )
    };
    Reference::parse(reference).map_err(malformed)
}

/// Sealed secrets are their tenant's. What is another's looks like what does not exist.
fn own(tenant: &str, reference: &Reference) -> Result<(), SecretError> {
    match &reference.place {
        Place::Sealed { tenant: owner, .. } if owner != tenant => {
            let remedy = "check the reference; a new secret is stored with: pursight secret seal";
            Err(SecretError::not_found(reference, "this tenant has no such secret", remedy))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
