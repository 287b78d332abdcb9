//! `pursight source list`.

use clap::Args;
use pursight_read_model::reader::SourceFilter;
use serde_json::{Value as Json, json};

use super::spec::{ENVIRONMENTS, TYPES};
use super::stats;
use crate::context::Context;
use crate::error::CliError;
use crate::report::{Report, plain, table};

/// List sources
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pursight source list
  pursight source list --type postgresql --environment production --tag billing
  pursight source list --search ord --json
  pursight source list --favorites")]
pub struct List {
    /// Only this kind of source
    #[arg(long = "type", value_parser = TYPES, ignore_case = true, value_name = "TYPE")]
    source_type: Option<String>,
    /// Only this environment
    #[arg(long, value_parser = ENVIRONMENTS, ignore_case = true)]
    environment: Option<String>,
    /// Only sources with this label
    #[arg(long)]
    tag: Option<String>,
    /// Only names that contain this text
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Only this state
    #[arg(long, value_parser = ["active", "paused", "deleted"], ignore_case = true)]
    state: Option<String>,
    /// Only sources with your star
    #[arg(long)]
    favorites: bool,
    /// At most so many
    #[arg(long, default_value_t = 500, value_name = "N")]
    limit: i64,
}

/// Runs it.
pub async fn run(list: List, context: &Context) -> Result<Report, CliError> {
    let upper = |word: Option<String>| word.map(|word| word.to_uppercase());
    let filter = SourceFilter {
        source_type: upper(list.source_type),
        environment: upper(list.environment),
        state: upper(list.state),
        tag: list.tag,
        search: list.search,
        favorite_of: if list.favorites { Some(context.principal()?) } else { None },
        after: None,
        limit: list.limit,
    };
    let sources = context.rows()?.sources(&filter).await?;
    let rows = sources.iter().map(row).collect();
    let heads = ["name", "state", "type", "environment", "host", "last test", "objects", "size", "source id"];
    Ok(Report::new(json!(sources), table(heads, rows)))
}

fn row(source: &Json) -> [String; 9] {
    let host = &source["hosts"][0];
    let port = if host["port"].is_null() { String::new() } else { format!(":{}", host["port"]) };
    let test = match source["last_test_code"].as_str() {
        Some(code) => format!("{} {code}", plain(&source["last_test_result"])),
        None => plain(&source["last_test_result"]),
    };
    [
        plain(&source["name"]),
        plain(&source["state"]).to_lowercase(),
        plain(&source["source_type"]).to_lowercase(),
        plain(&source["environment"]).to_lowercase(),
        format!("{}{port}", plain(&host["host"])),
        test,
        plain(&source["object_count"]),
        stats::size(&source["size_bytes"]),
        plain(&source["source_id"]),
    ]
}
