//! `pursight source update`.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value as Json, json};

use super::change::{self, shown};
use super::create::from_file;
use super::password::PasswordFlags;
use super::spec::SpecFlags;
use super::{DECIDED_WITHIN, body_of};
use crate::ask::{Answer, AskFlags, ask};
use crate::context::Context;
use crate::error::CliError;
use crate::report::Report;

/// Change a source; what is not named stays
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pursight source update orders --host db2.acme.example --environment staging
  pursight source update orders --password-stdin < new-password-file
  pursight source update orders --tag billing --tag eu --clear owner --expected-version 7
  pursight source update orders --spec-patch patch.json --dry-run")]
pub struct Update {
    /// Name or id of the source
    source: String,
    #[command(flatten)]
    spec: SpecFlags,
    #[command(flatten)]
    password: PasswordFlags,
    /// Optional field to empty; may be given several times
    #[arg(long = "clear", value_name = "FIELD")]
    clear: Vec<String>,
    /// File with new values of spec fields as JSON; flags win over it
    #[arg(long, value_name = "FILE.json")]
    spec_patch: Option<PathBuf>,
    #[command(flatten)]
    ask: AskFlags,
}

/// Runs it.
pub async fn run(update: Update, context: &Context) -> Result<Report, CliError> {
    let source_id = context.source_id(&update.source).await?;
    let mut patch = match &update.spec_patch {
        Some(path) => from_file(path)?,
        None => Map::new(),
    };
    let current = if update.spec.needs_current() || update.password.password_stdin {
        context.spec(source_id).await?
    } else {
        Map::new()
    };
    update.spec.lay_over(&mut patch, &current)?;
    let credential = update.password.credential(context, current.get("credential"), update.ask.dry_run).await?;
    if let Some(credential) = &credential {
        patch.insert("credential".to_owned(), credential.reference.clone());
    }
    if patch.is_empty() && update.clear.is_empty() {
        return Err(CliError::usage("there is nothing to change", "see: pursight source update --help"));
    }
    let mut body = body_of(source_id);
    body.insert("patch".to_owned(), Json::Object(patch));
    body.insert("clear".to_owned(), json!(update.clear));
    let answer = ask(context, &update.ask, "UpdateDataSource", body, DECIDED_WITHIN).await;
    change::take_back(context, credential.as_ref(), &answer).await;
    match answer? {
        Answer::Ended(ended) => Ok(shown(context, &ended).await),
        sent @ Answer::Sent(_) => Ok(sent.report()),
    }
}
