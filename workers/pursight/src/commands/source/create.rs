//! `pursight source create`.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use pursight_schemas::ids;
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use super::change::{self, shown};
use super::password::PasswordFlags;
use super::spec::SpecFlags;
use super::{DECIDED_WITHIN, discover, test};
use crate::ask::{Answer, AskFlags, ask};
use crate::context::Context;
use crate::error::CliError;
use crate::report::Report;

/// Register a source
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pursight source create --name orders --type postgresql --host db.acme.example --port 5432 --database shop \\
      --user reader --password-stdin --environment production < password-file
  pursight source create --name orders --spec orders.json --password-ref aws-sm://eu-north-1/orders --then discover
  pursight source create --name orders --spec orders.json --dry-run")]
pub struct Create {
    #[command(flatten)]
    spec: SpecFlags,
    #[command(flatten)]
    password: PasswordFlags,
    /// File with the spec as JSON; flags win over it
    #[arg(long = "spec", value_name = "FILE.json")]
    spec_file: Option<PathBuf>,
    /// Id of the source (UUIDv7); without it one is derived from the command's id
    #[arg(long, value_name = "UUID")]
    source_id: Option<Uuid>,
    /// What follows at once
    #[arg(long, value_enum, value_name = "WHAT")]
    then: Option<Then>,
    #[command(flatten)]
    ask: AskFlags,
}

/// What may follow a creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Then {
    /// A connection test
    Test,
    /// A discovery
    Discover,
}

/// Runs it.
pub async fn run(create: Create, context: &Context) -> Result<Report, CliError> {
    let mut spec = match &create.spec_file {
        Some(path) => from_file(path)?,
        None => Map::new(),
    };
    create.spec.lay_over(&mut spec, &Map::new())?;
    // The usual case; whoever registers a source in a cloud says so, and is then held to its stricter rules.
    spec.entry("location").or_insert_with(|| json!("ON_PREM"));
    let credential = create.password.credential(context, None, create.ask.dry_run).await?;
    if let Some(credential) = &credential {
        spec.insert("credential".to_owned(), credential.reference.clone());
    }
    let mut body = Map::new();
    body.insert("source_id".to_owned(), json!(create.source_id));
    body.insert("spec".to_owned(), Json::Object(spec));
    let afterwards = create.then.map_or("NOTHING", |then| if then == Then::Test { "TEST" } else { "DISCOVER" });
    body.insert("afterwards".to_owned(), json!(afterwards));
    let answer = ask(context, &create.ask, "CreateDataSource", body, DECIDED_WITHIN).await;
    change::take_back(context, credential.as_ref(), &answer).await;
    let answer = answer?;
    let Answer::Ended(ended) = &answer else { return Ok(answer.report()) };
    let report = shown(context, ended).await;
    match create.then {
        Some(then) if !report.failed && !create.ask.dry_run => {
            followed_up(context, ended.command_id, then, &create.ask, report).await
        }
        _ => Ok(report),
    }
}

/// The run that follows a creation ends in its own event; the read model has it.
async fn followed_up(
    context: &Context,
    command_id: Uuid,
    then: Then,
    flags: &AskFlags,
    mut report: Report,
) -> Result<Report, CliError> {
    let (word, usual) =
        if then == Then::Test { ("test", test::ENDED_WITHIN) } else { ("discover", discover::ENDED_WITHIN) };
    let run_id = ids::follow_up_run_id(command_id, word);
    let run = context.run_ended(run_id, change::wait(flags, usual)).await?;
    let next = if then == Then::Test {
        test::tested(context, run_id).await?
    } else {
        discover::discovered(context, &run).await?
    };
    report.document["run"] = next.document;
    report.text = format!("{}\n{}", report.text.trim_end(), next.text);
    report.failed |= next.failed;
    Ok(report)
}

/// A JSON object from a file.
///
/// # Errors
/// A file that cannot be read or holds no object.
pub fn from_file(path: &Path) -> Result<Map<String, Json>, CliError> {
    let wrong = |why: String| {
        CliError::usage(
            format!("cannot use {}: {why}", path.display()),
            "write the fields of a DataSourceSpec as one JSON object: pursight schema list --topic command",
        )
    };
    let text = fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    match serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))? {
        Json::Object(fields) => Ok(fields),
        _ => Err(wrong("it is no JSON object".to_owned())),
    }
}
