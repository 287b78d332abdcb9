//! `pursight source discover|confirm-deletions`: a discovery under way, and what it found in short.

use std::time::Duration;

use clap::Args;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::body_of;
use super::change::wait;
use crate::ask::{Answer, AskFlags, ask};
use crate::context::Context;
use crate::error::CliError;
use crate::outcome::{Ended, problem_text};
use crate::report::{Report, micros, note, pairs, plain};

/// How long a discovery may take, by its own deadline.
pub const ENDED_WITHIN: Duration = Duration::from_secs(6 * 3600);

/// Read what is in a source, and tell what changed
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pursight source discover orders
  pursight source discover orders --strategy aggressive --include 'sales.*' --exclude '*.tmp_*'
  pursight source discover orders --full
  pursight source discover orders --dry-run        only list and count")]
pub struct Discover {
    /// Name or id of the source
    source: String,
    /// How hard it may press the server
    #[arg(long, value_parser = ["conservative", "balanced", "aggressive"], ignore_case = true)]
    strategy: Option<String>,
    /// Glob on `schema.object`, instead of the source's own scope; may be given several times
    #[arg(long, value_name = "GLOB")]
    include: Vec<String>,
    /// Glob on `schema.object` to leave out; may be given several times
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
    /// Observe unchanged objects again
    #[arg(long)]
    full: bool,
    #[command(flatten)]
    ask: AskFlags,
}

/// Let deletions happen that a discovery held back because too much was missing at once
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pursight source confirm-deletions orders
  pursight source confirm-deletions orders --run 01890a5d-ac96-774b-bcce-b302099a8057")]
pub struct ConfirmDeletions {
    /// Name or id of the source
    source: String,
    /// The run that held them [default: the source's last discovery]
    #[arg(long, value_name = "RUN_ID")]
    run: Option<Uuid>,
    #[command(flatten)]
    ask: AskFlags,
}

/// Runs it.
pub async fn run(word: Discover, context: &Context) -> Result<Report, CliError> {
    let mut body = body_of(context.source_id(&word.source).await?);
    if let Some(strategy) = &word.strategy {
        body.insert("strategy".to_owned(), json!(strategy.to_uppercase()));
    }
    if !word.include.is_empty() || !word.exclude.is_empty() {
        body.insert("scope".to_owned(), json!({"include": word.include, "exclude": word.exclude}));
    }
    body.insert("full".to_owned(), json!(word.full));
    report(context, ask(context, &word.ask, "DiscoverSchema", body, ENDED_WITHIN).await?, &word.ask).await
}

/// Runs it.
pub async fn confirm(word: ConfirmDeletions, context: &Context) -> Result<Report, CliError> {
    let row = context.source(&word.source).await?;
    let source_id = context.source_id(&word.source).await?;
    let last = || row["last_discovery_run_id"].as_str().and_then(|text| Uuid::try_parse(text).ok());
    let run_id = word
        .run
        .or_else(last)
        .ok_or_else(|| CliError::usage("this source was never discovered", "run: pursight source discover"))?;
    let mut body = body_of(source_id);
    body.insert("run_id".to_owned(), json!(run_id));
    report(context, ask(context, &word.ask, "ConfirmDeletions", body, ENDED_WITHIN).await?, &word.ask).await
}

async fn report(context: &Context, answer: Answer, flags: &AskFlags) -> Result<Report, CliError> {
    let Answer::Ended(ended) = answer else { return Ok(answer.report()) };
    if ended.state != "SUCCEEDED" || flags.dry_run {
        return Ok(ended.report());
    }
    match context.run_ended(ended.command_id, wait(flags, Duration::from_secs(10))).await {
        Ok(run) => {
            let mut report = discovered(context, &run).await?;
            report.document["command"] = ended.document();
            Ok(report)
        }
        Err(error) => Ok(without_row(&ended, &error)),
    }
}

fn without_row(ended: &Ended, error: &CliError) -> Report {
    note(&format!("the run cannot be shown: {error}; {}", error.remedy()));
    ended.report()
}

/// The report of a run that the read model has.
pub async fn discovered(context: &Context, run: &Json) -> Result<Report, CliError> {
    let mut text = summary(run);
    if run["objects_held"].as_i64().unwrap_or_default() > 0 {
        text.push_str("nothing was dropped: too much is missing at once. If it is really gone: pursight source confirm-deletions\n");
    }
    if let Ok(problem) = serde_json::from_value(run["problem"].clone()) {
        text.push_str(&problem_text(&problem));
    }
    let changed =
        run["objects_changed"].as_i64().unwrap_or_default() + run["objects_dropped"].as_i64().unwrap_or_default();
    if changed > 0 {
        text.push_str(&format!("the changes: pursight source changes {}\n", context.name_of(&run["source_id"]).await));
    }
    Ok(Report::new(run.clone(), text).failed_if(run["state"] != json!("SUCCEEDED")))
}

fn summary(run: &Json) -> String {
    let field = |name: &str| plain(&run[name]);
    let counts = run["counts"].as_object().cloned().unwrap_or_default();
    let counts: Vec<String> = counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
    pairs(&[
        ("discovery", field("state").to_lowercase()),
        ("complete", field("complete")),
        ("counts", counts.join(", ")),
        ("observed", field("objects_observed")),
        ("changed", field("objects_changed")),
        ("dropped", field("objects_dropped")),
        ("held", field("objects_held")),
        ("unreadable", field("unreadable")),
        ("queries", field("queries")),
        ("rows read", field("rows_read")),
        ("took", run["duration_us"].as_i64().map(micros).unwrap_or_default()),
        ("run", field("run_id")),
    ])
}
