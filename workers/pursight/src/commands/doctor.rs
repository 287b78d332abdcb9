//! `pursight doctor`.

use clap::Args;

use crate::context::Context;
use crate::error::CliError;
use crate::report::Report;

/// Every dependency, version, right and setting, each with its remedy
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pursight doctor\n  pursight doctor --json")]
pub struct Doctor {}

/// Runs it.
pub async fn run(_: &Doctor, context: &Context) -> Result<Report, CliError> {
    context.admin()?.cluster().await?;
    Ok(Report::silent())
}
