//! `pursight source history`.

use clap::Args;
use serde_json::{Value as Json, json};

use crate::context::Context;
use crate::error::CliError;
use crate::report::{Report, plain, table, when};

/// Who changed what about a source's registration, newest first
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pursight source history orders\n  pursight source history orders --limit 10 --json"
)]
pub struct History {
    /// Name or id of the source
    source: String,
    /// At most so many changes of a field
    #[arg(long, default_value_t = 200, value_name = "N")]
    limit: i64,
}

/// Runs it.
pub async fn run(history: History, context: &Context) -> Result<Report, CliError> {
    let source_id = context.source_id(&history.source).await?;
    let changes = context.rows()?.history(source_id, history.limit).await?;
    // What was not stated at the creation is no news.
    let rows = changes.iter().map(row).filter(|row| !(row[4].is_empty() && row[5].is_empty())).collect();
    let heads = ["when", "version", "what", "field", "before", "after", "who", "why"];
    Ok(Report::new(json!(changes), table(heads, rows)))
}

fn row(change: &Json) -> [String; 8] {
    let field = |name: &str| plain(&change[name]);
    let event = field("event_type");
    let who = match change["on_behalf_of"].as_str() {
        Some(person) => format!("{} for {person}", field("principal")),
        None => field("principal"),
    };
    [
        when(&change["changed_at"]),
        field("version"),
        event.rsplit('.').next().unwrap_or_default().trim_start_matches("DataSource").to_lowercase(),
        field("field"),
        field("before"),
        field("after"),
        who,
        field("reason"),
    ]
}
