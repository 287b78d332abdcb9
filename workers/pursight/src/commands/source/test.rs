//! `pursight source test`: the steps of a connection test, each with its time, and what to do where it fails.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use pursight_schemas::Problem;
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use super::body_of;
use super::change::wait;
use super::create::from_file;
use super::password::PasswordFlags;
use super::spec::SpecFlags;
use crate::ask::{Answer, AskFlags, ask};
use crate::context::Context;
use crate::error::CliError;
use crate::outcome::{Ended, problem_text};
use crate::report::{Report, micros, note, pairs, plain, table, when};

/// How long a test may take, queueing included.
pub const ENDED_WITHIN: Duration = Duration::from_secs(60);

/// Test the connection to a source, or to a draft before it is registered (--draft with the flags of create)
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pursight source test orders
  pursight source test --draft --type postgresql --host db.acme.example --database shop --user reader --password-ref env://PW
  pursight source test orders --json

Exit code 1 when the test fails; the remedy is printed.")]
pub struct Test {
    /// Name or id of the source
    #[arg(required_unless_present = "draft", conflicts_with = "draft")]
    source: Option<String>,
    /// Test what the flags describe, not a registered source
    #[arg(long)]
    draft: bool,
    #[command(flatten)]
    spec: SpecFlags,
    #[command(flatten)]
    password: PasswordFlags,
    /// File with the draft's spec as JSON; flags win over it
    #[arg(long = "spec", value_name = "FILE.json", requires = "draft")]
    spec_file: Option<PathBuf>,
    #[command(flatten)]
    ask: AskFlags,
}

/// Runs it.
pub async fn run(test: Test, context: &Context) -> Result<Report, CliError> {
    let mut credential = None;
    let body = match &test.source {
        Some(source) => body_of(context.source_id(source).await?),
        None => {
            let mut draft = match &test.spec_file {
                Some(path) => from_file(path)?,
                None => Map::new(),
            };
            test.spec.lay_over(&mut draft, &Map::new())?;
            draft.entry("location").or_insert_with(|| json!("ON_PREM"));
            draft.entry("name").or_insert_with(|| json!("draft"));
            credential = test.password.credential(context, None, test.ask.dry_run).await?;
            if let Some(credential) = &credential {
                draft.insert("credential".to_owned(), credential.reference.clone());
            }
            Map::from_iter([("draft".to_owned(), Json::Object(draft))])
        }
    };
    let answer = ask(context, &test.ask, "TestConnection", body, ENDED_WITHIN).await;
    // A draft is forgotten with its test, and so is its password.
    if let (Some(made), Ok(Answer::Ended(_))) = (credential.and_then(|credential| credential.made), &answer) {
        context.unseal(&made).await;
    }
    match answer? {
        Answer::Ended(ended) if ended.result.contains_key("test") => report(context, &ended, &test.ask).await,
        other => Ok(other.report()),
    }
}

async fn report(context: &Context, ended: &Ended, flags: &AskFlags) -> Result<Report, CliError> {
    let short = ended.report();
    // The run has the command's id. Steps and remedies are in the run's event, which the read model has in a moment.
    match context.run_ended(ended.command_id, wait(flags, Duration::from_secs(10))).await {
        Ok(_) => {
            let mut whole = tested(context, ended.command_id).await?;
            whole.document["command"] = ended.document();
            whole.failed |= short.failed;
            Ok(whole)
        }
        Err(error) => {
            note(&format!("the steps cannot be shown: {error}; {}", error.remedy()));
            Ok(short)
        }
    }
}

/// The report of a test that the read model has.
pub async fn tested(context: &Context, run_id: Uuid) -> Result<Report, CliError> {
    let row = context.rows()?.connection_test(run_id).await?.ok_or_else(|| {
        CliError::failed(format!("run {run_id} left no connection test"), "see: pursight watch --topic connection")
    })?;
    let failed = row["result"] != json!("OK");
    Ok(Report::new(row.clone(), text(&row)).failed_if(failed))
}

fn text(row: &Json) -> String {
    let steps = row["steps"].as_array().cloned().unwrap_or_default();
    let mut text = table(["step", "result", "time", "what happened"], steps.iter().map(step).collect());
    text.push('\n');
    for step in &steps {
        if let Ok(problem) = serde_json::from_value::<Problem>(step["problem"].clone()) {
            text.push('\n');
            text.push_str(&problem_text(&problem));
        }
    }
    let server = &row["server"];
    let number = |name: &str| row[name].as_i64().map(micros).unwrap_or_default();
    text.push('\n');
    text.push_str(&pairs(&[
        ("result", plain(&row["result"])),
        ("server", format!("{} {}", plain(&server["product"]), plain(&server["version"])).trim().to_owned()),
        ("tls", format!("{} {}", plain(&server["tls_version"]), plain(&server["cipher"])).trim().to_owned()),
        ("certificate until", when(&server["certificate_not_after"])),
        ("latency", number("latency_us")),
        ("took", number("duration_us")),
    ]));
    text
}

fn step(step: &Json) -> [String; 4] {
    let took = step["duration_us"].as_i64().filter(|_| step["result"] != json!("SKIPPED"));
    [
        plain(&step["name"]),
        plain(&step["result"]).to_lowercase(),
        took.map(micros).unwrap_or_default(),
        plain(&step["problem"]["code"]),
    ]
}
