//! `pursight source changes`: what changed in a source, object by object.

use clap::Args;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::context::Context;
use crate::error::CliError;
use crate::report::{Report, plain, table, when};

/// What changed in a source, newest first
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pursight source changes orders
  pursight source changes orders --run 01890a5d-ac96-774b-bcce-b302099a8057
  pursight source changes orders --limit 1000 --json")]
pub struct Changes {
    /// Name or id of the source
    source: String,
    /// Only what this run found
    #[arg(long, value_name = "RUN_ID")]
    run: Option<Uuid>,
    /// At most so many
    #[arg(long, default_value_t = 100, value_name = "N")]
    limit: i64,
}

/// Runs it.
pub async fn run(word: Changes, context: &Context) -> Result<Report, CliError> {
    let source_id = context.source_id(&word.source).await?;
    let changes = context.rows()?.changes(source_id, word.run, word.limit).await?;
    let rows = changes.iter().map(row).collect();
    let heads = ["when", "object", "change", "severity", "path", "before", "after", "certainty"];
    Ok(Report::new(json!(changes), table(heads, rows)))
}

fn row(change: &Json) -> [String; 8] {
    let field = |name: &str| plain(&change[name]);
    let low = |name: &str| field(name).to_lowercase();
    [
        when(&change["changed_at"]),
        format!("{}.{}", field("schema"), field("name")),
        low("kind").replace('_', " "),
        low("severity"),
        field("path"),
        cut(field("before")),
        cut(field("after")),
        low("certainty"),
    ]
}

/// Definitions are long; the document has all of it.
fn cut(text: String) -> String {
    const LONGEST: usize = 60;
    if text.chars().count() <= LONGEST { text } else { text.chars().take(LONGEST - 1).chain(['…']).collect() }
}
