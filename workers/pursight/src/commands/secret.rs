//! `pursight secret`: the sealed store.

use clap::{Args, Subcommand};
use serde_json::json;

use super::source::from_stdin;
use crate::context::Context;
use crate::error::{CliError, chain};
use crate::report::{Report, table};

/// Secrets in the sealed store.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pursight secret seal --id orders < password-file
  pursight secret list
  pursight secret rotate")]
pub struct SecretWord {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Seal a value read from stdin and print its reference; again under the same id makes the next version
    #[command(after_help = "Example:\n  pursight secret seal --id orders < password-file")]
    Seal {
        /// Id of the secret within the tenant [default: a new one]
        #[arg(long)]
        id: Option<String>,
    },
    /// Seal everything again under the first key of PURSIGHT_SECRET_KEYS_FILE
    #[command(after_help = "Example:\n  pursight secret rotate      then remove the old key's line from the file")]
    Rotate,
    /// Ids, versions and times of what is sealed; never a value
    #[command(after_help = "Examples:\n  pursight secret list\n  pursight secret list --all-tenants --json")]
    List {
        /// Of every tenant
        #[arg(long)]
        all_tenants: bool,
    },
}

/// Runs it.
pub async fn run(word: SecretWord, context: &Context) -> Result<Report, CliError> {
    match word.what {
        What::Seal { id } => {
            let id = id.unwrap_or_else(|| pursight_service::clock::new_id().to_string());
            let version = context.seal(&id, &from_stdin()?).await?;
            let uri = format!("sealed://{}/{id}", context.tenant()?);
            Ok(Report::new(json!({"reference": uri, "version": version.to_string()}), uri))
        }
        What::Rotate => rotate(context).await,
        What::List { all_tenants } => list(context, all_tenants).await,
    }
}

async fn rotate(context: &Context) -> Result<Report, CliError> {
    let done = context.sealed_store()?.rotate().await.map_err(|error| store_error(&error))?;
    let unopened: Vec<String> = done
        .unopened
        .iter()
        .map(|entry| format!("sealed://{}/{} version {}", entry.tenant, entry.id, entry.version))
        .collect();
    let mut text = format!("{} tokens are sealed under the first key", done.sealed);
    if !unopened.is_empty() {
        text.push_str(&format!(
            "\nno key of the file opens:\n{}\nadd their key to the file and rotate again",
            unopened.join("\n")
        ));
    }
    let failed = !unopened.is_empty();
    Ok(Report::new(json!({"sealed": done.sealed, "unopened": unopened}), text).failed_if(failed))
}

async fn list(context: &Context, all_tenants: bool) -> Result<Report, CliError> {
    let tenant = if all_tenants { None } else { Some(context.tenant()?) };
    let entries = context.sealed_store()?.list(tenant).await.map_err(|error| store_error(&error))?;
    let document: Vec<_> = entries
        .iter()
        .map(|entry| {
            json!({
                "reference": format!("sealed://{}/{}", entry.tenant, entry.id),
                "version": entry.version.to_string(),
                "stored_at": entry.stored_at.to_rfc3339(),
            })
        })
        .collect();
    let rows = entries
        .iter()
        .map(|entry| {
            let uri = format!("sealed://{}/{}", entry.tenant, entry.id);
            [uri, entry.version.to_string(), entry.stored_at.to_rfc3339()]
        })
        .collect();
    Ok(Report::new(json!(document), table(["reference", "version", "stored"], rows)))
}

fn store_error(error: &sqlx::Error) -> CliError {
    match error {
        sqlx::Error::Database(_) => {
            CliError::failed(format!("asking the sealed store: {}", chain(error)), "run: pursight migrate")
        }
        _ => CliError::unreachable(
            format!("the sealed store does not answer: {}", chain(error)),
            "start PostgreSQL, or correct PURSIGHT_DATABASE_URL",
        ),
    }
}
