//! The port to one kind of store.

use async_trait::async_trait;

use crate::error::SecretError;
use crate::reference::Reference;
use crate::secret::Secret;

/// A store of secrets.
#[async_trait]
pub trait SecretStore: Send + Sync + 'static {
    /// The value behind a reference of this store's kind. `tenant` is who asks, verified.
    ///
    /// # Errors
    /// Why there is none; never a value, never another store's.
    async fn fetch(&self, tenant: &str, reference: &Reference) -> Result<Secret, SecretError>;
}
