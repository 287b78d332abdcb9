//! `pursight command show|list` and `pursight run-cancel`: what became of commands, and the early end of a run.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use crate::ask::{Answer, AskFlags, ask};
use crate::context::Context;
use crate::error::CliError;
use crate::follow;
use crate::outcome::Ended;
use crate::report::{Progress, Report, plain, table, when};

/// What became of commands.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pursight command show 01890a5d-ac96-774b-bcce-b302099a8057 --wait
  pursight command list --state rejected")]
pub struct Command {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// A command's outcome so far
    #[command(
        after_help = "Example:\n  pursight command show 01890a5d-ac96-774b-bcce-b302099a8057 --wait --timeout 600"
    )]
    Show {
        /// Id of the command
        id: Uuid,
        /// Wait for the terminal outcome
        #[arg(long)]
        wait: bool,
        /// Longest wait, seconds; exit code 4 when it is over
        #[arg(long, default_value_t = 60, value_name = "SECONDS")]
        timeout: u64,
    },
    /// The newest commands of the tenant
    #[command(after_help = "Example:\n  pursight command list --state failed --limit 20")]
    List {
        /// Only this state
        #[arg(long, value_parser = STATES, ignore_case = true)]
        state: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 50, value_name = "N")]
        limit: i64,
    },
}

const STATES: [&str; 7] = ["accepted", "running", "succeeded", "rejected", "failed", "cancelled", "dead_lettered"];

/// End a run early. A run has the id of the command that asked for it
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  pursight run-cancel 01890a5d-ac96-774b-bcce-b302099a8057 --reason 'too much load'")]
pub struct RunCancel {
    /// Id of the run
    run_id: Uuid,
    #[command(flatten)]
    ask: AskFlags,
}

/// Runs it.
pub async fn run(command: Command, context: &Context) -> Result<Report, CliError> {
    match command.what {
        What::Show { id, wait, timeout } => show(context, id, wait.then(|| Duration::from_secs(timeout))).await,
        What::List { state, limit } => list(context, state.map(|state| state.to_uppercase()), limit).await,
    }
}

async fn show(context: &Context, id: Uuid, wait: Option<Duration>) -> Result<Report, CliError> {
    if let Some(within) = wait {
        // Asked once without patience: a database that is away is said at once.
        context.rows()?.command(id).await?;
        let _progress = Progress::start("waiting for the outcome");
        return Ok(context.ended(&[id], follow::deadline(within)).await?.report());
    }
    let Some(row) = context.rows()?.command(id).await? else {
        return Err(CliError::failed(
            format!("command {id} is not known"),
            "it may still be on its way: add --wait. Outcomes are kept for 31 days. A record that could not be verified \
             has no outcome: pursight dead-letter list",
        ));
    };
    if let Some(ended) = Ended::of_row(&row) {
        return Ok(ended.report());
    }
    let text = format!(
        "{} {}  {}  {}",
        plain(&row["command_type"]),
        plain(&row["state"]).to_lowercase(),
        progress(&row),
        plain(&row["progress_message"])
    );
    Ok(Report::new(row, text.trim_end().to_owned()))
}

fn progress(row: &Json) -> String {
    match (row["progress_done"].as_i64(), row["progress_total"].as_i64()) {
        (Some(done), Some(total)) => format!("{done} of {total}"),
        (Some(done), None) => done.to_string(),
        _ => String::new(),
    }
}

async fn list(context: &Context, state: Option<String>, limit: i64) -> Result<Report, CliError> {
    let commands = context.rows()?.commands(state.as_deref(), limit).await?;
    let rows = commands.iter().map(row).collect();
    let heads = ["when", "command", "state", "code", "source", "who", "command id"];
    Ok(Report::new(json!(commands), table(heads, rows)))
}

fn row(command: &Json) -> [String; 7] {
    let field = |name: &str| plain(&command[name]);
    let code = match command["problem"]["code"].as_str() {
        Some(code) => code.to_owned(),
        None => plain(&command["violations"][0]["code"]),
    };
    [
        when(&command["updated_at"]),
        field("command_type").rsplit('.').next().unwrap_or_default().to_owned(),
        field("state").to_lowercase(),
        code,
        field("source_id"),
        field("principal"),
        field("command_id"),
    ]
}

/// Runs it.
pub async fn cancel(word: RunCancel, context: &Context) -> Result<Report, CliError> {
    let body = Map::from_iter([("run_id".to_owned(), json!(word.run_id))]);
    let answer = ask(context, &word.ask, "CancelRun", body, Duration::from_secs(60)).await?;
    if let Answer::Ended(ended) = &answer
        && ended.state == "SUCCEEDED"
    {
        let mut report = answer.report();
        report.text.push_str(&format!("the run's own outcome: pursight command show {} --wait\n", word.run_id));
        return Ok(report);
    }
    Ok(answer.report())
}
