//! What one tenant may read, as JSON rows with the names of their columns. Every question is a transaction under the
//! gateway's role and the tenant's setting, so row-level security answers and not a `WHERE` that may be forgotten.
//! Owns no decision; one file per subject.

mod commands;
mod objects;
mod operator;
mod runs;
mod sources;

pub use objects::ObjectFilter;
pub use sources::SourceFilter;

use pursight_schemas::names::is_tenant_id;
use serde_json::Value;
use sqlx::postgres::PgTransaction;

use crate::error::ReadModelError;
use crate::model::ReadModel;

/// A tenant's view of the read model.
#[derive(Clone)]
pub struct Tenant {
    model: ReadModel,
    /// Set in the same round trip that begins a transaction.
    acting: String,
}

impl ReadModel {
    /// The view of one tenant.
    ///
    /// # Errors
    /// A text that can name no tenant.
    pub fn tenant(&self, tenant_id: &str) -> Result<Tenant, ReadModelError> {
        if !is_tenant_id(tenant_id) {
            return Err(ReadModelError::Settings(format!("{tenant_id:?} is no tenant id")));
        }
        // Safe in a literal: a tenant id holds letters, digits and hyphens only.
        let acting = format!("; SET LOCAL ROLE pursight_gateway; SET LOCAL pursight.tenant = '{tenant_id}'");
        Ok(Tenant { model: self.clone(), acting })
    }
}

impl Tenant {
    async fn begin(&self) -> Result<PgTransaction<'static>, ReadModelError> {
        self.model.begin_with(&self.acting).await
    }
}

/// Ends a question.
async fn answer(
    transaction: PgTransaction<'static>,
    found: Result<Vec<Value>, sqlx::Error>,
) -> Result<Vec<Value>, ReadModelError> {
    let found = found.map_err(ReadModelError::during("asking the read model"))?;
    transaction.commit().await.map_err(ReadModelError::during("asking the read model"))?;
    Ok(found)
}
