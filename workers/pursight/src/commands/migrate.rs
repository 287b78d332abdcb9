//! `pursight migrate`: the read model's tables, and the store of sealed secrets.

use clap::Args;
use pursight_secrets::SealedStore;
use serde_json::json;

use crate::context::{Context, database_error};
use crate::error::CliError;
use crate::report::Report;

/// Make or update the tables of the read model and of the sealed secrets; may be repeated
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  pursight migrate        as the owner of the database, never through a pooler")]
pub struct Migrate {}

/// Runs it.
pub async fn run(_: &Migrate, context: &Context) -> Result<Report, CliError> {
    let model = context.read_model()?;
    model.migrate().await.map_err(|error| database_error(&error))?;
    SealedStore::migrate(model.pool()).await.map_err(|error| {
        CliError::failed(
            format!("making the tables of sealed secrets: {error}"),
            "run it as the owner of the database, or grant CREATE on it",
        )
    })?;
    let text = format!("schema {} and the sealed secrets are ready", model.schema());
    Ok(Report::new(json!({"migrated": true, "schema": model.schema()}), text))
}
