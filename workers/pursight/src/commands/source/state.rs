//! `pursight source delete|restore|pause|resume|favorite`: commands that need no more than the source.

use clap::Args;
use serde_json::{Map, Value as Json, json};

use super::change::shown;
use super::{DECIDED_WITHIN, body_of};
use crate::ask::{Answer, AskFlags, ask};
use crate::context::Context;
use crate::error::CliError;
use crate::report::Report;

/// Delete a source; it can be restored unless --purge
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pursight source delete orders\n  pursight source delete orders --purge --reason 'contract ended'"
)]
pub struct Delete {
    /// Name or id of the source
    source: String,
    /// For ever: its sealed secrets are destroyed too, and it cannot be restored
    #[arg(long)]
    purge: bool,
    #[command(flatten)]
    ask: AskFlags,
}

/// Bring a deleted source back
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  pursight source restore orders")]
pub struct Restore {
    /// Name or id of the source
    source: String,
    #[command(flatten)]
    ask: AskFlags,
}

/// Let nothing run on a source until it is resumed
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  pursight source pause orders --reason 'maintenance window'")]
pub struct Pause {
    /// Name or id of the source
    source: String,
    #[command(flatten)]
    ask: AskFlags,
}

/// End a pause
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  pursight source resume orders")]
pub struct Resume {
    /// Name or id of the source
    source: String,
    #[command(flatten)]
    ask: AskFlags,
}

/// Put your star on a source, or take it away
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pursight source favorite orders\n  pursight source favorite orders --remove")]
pub struct Favorite {
    /// Name or id of the source
    source: String,
    /// Take the star away
    #[arg(long)]
    remove: bool,
    #[command(flatten)]
    ask: AskFlags,
}

/// Runs it.
pub async fn delete(word: Delete, context: &Context) -> Result<Report, CliError> {
    let mode = if word.purge { "PURGE" } else { "SOFT" };
    change(context, &word.source, &word.ask, "DeleteDataSource", &[("mode", json!(mode))]).await
}

/// Runs it.
pub async fn restore(word: Restore, context: &Context) -> Result<Report, CliError> {
    change(context, &word.source, &word.ask, "RestoreDataSource", &[]).await
}

/// Runs it.
pub async fn pause(word: Pause, context: &Context) -> Result<Report, CliError> {
    change(context, &word.source, &word.ask, "PauseDataSource", &[]).await
}

/// Runs it.
pub async fn resume(word: Resume, context: &Context) -> Result<Report, CliError> {
    change(context, &word.source, &word.ask, "ResumeDataSource", &[]).await
}

/// Runs it.
pub async fn favorite(word: Favorite, context: &Context) -> Result<Report, CliError> {
    change(context, &word.source, &word.ask, "SetFavorite", &[("favorite", json!(!word.remove))]).await
}

async fn change(
    context: &Context,
    source: &str,
    flags: &AskFlags,
    name: &str,
    more: &[(&str, Json)],
) -> Result<Report, CliError> {
    let mut body: Map<String, Json> = body_of(context.source_id(source).await?);
    body.extend(more.iter().map(|(field, value)| ((*field).to_owned(), value.clone())));
    match ask(context, flags, name, body, DECIDED_WITHIN).await? {
        Answer::Ended(ended) => Ok(shown(context, &ended).await),
        sent @ Answer::Sent(_) => Ok(sent.report()),
    }
}
