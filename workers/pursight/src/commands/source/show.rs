//! `pursight source show|uri`.

use clap::Args;
use pursight_schemas::DataSourceSpec;
use serde_json::{Value as Json, json};

use super::stats;
use crate::context::Context;
use crate::error::CliError;
use crate::report::{Report, micros, pairs, plain, when};
use crate::uri;

/// Everything that is known about a source, in short
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pursight source show orders\n  pursight source show 018f4f5e-7c1a-7d2b-9a55-0c2f6a4d1e01 --json"
)]
pub struct Show {
    /// Name or id of the source
    source: String,
}

/// A source's connection as a URI, never with a secret
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pursight source uri orders\n  pursight source uri orders --legacy")]
pub struct Uri {
    /// Name or id of the source
    source: String,
    /// In the form of older tools, with the driver's name and a starred password
    #[arg(long)]
    legacy: bool,
}

/// Runs it.
pub async fn run(show: Show, context: &Context) -> Result<Report, CliError> {
    let row = context.source(&show.source).await?;
    Ok(Report::new(row.clone(), text(&row)))
}

/// Runs it.
pub async fn uri(word: Uri, context: &Context) -> Result<Report, CliError> {
    let source_id = context.source_id(&word.source).await?;
    let spec = context.spec(source_id).await?;
    let spec: DataSourceSpec = serde_json::from_value(Json::Object(spec)).map_err(|error| {
        CliError::failed(format!("the stored spec cannot be read: {error}"), "run: pursight rebuild")
    })?;
    let uri = if word.legacy { uri::legacy(&spec) } else { uri::of(&spec) };
    let uri =
        uri.ok_or_else(|| CliError::failed("this kind of source is unknown to this version", "use a newer pursight"))?;
    Ok(Report::new(json!({"source_id": source_id, "uri": uri}), uri))
}

/// A row of `v_source` for people.
pub fn text(row: &Json) -> String {
    let field = |name: &str| plain(&row[name]);
    let low = |name: &str| plain(&row[name]).to_lowercase();
    let hosts: Vec<String> = row["hosts"].as_array().map(Vec::as_slice).unwrap_or_default().iter().map(host).collect();
    let test = match (row["last_test_result"].as_str(), row["last_test_code"].as_str()) {
        (None, _) => "never".to_owned(),
        (Some(result), None) => format!("{result} at {}, {}", when(&row["last_test_at"]), latency(row)),
        (Some(result), Some(code)) => {
            format!("{result} at {} in step {}: {code}", when(&row["last_test_at"]), field("last_test_failed_step"))
        }
    };
    let discovery = match row["last_discovery_state"].as_str() {
        None => "never".to_owned(),
        Some(state) => {
            let whole = if row["last_discovery_complete"] == json!(true) { ", complete" } else { "" };
            format!("{} at {}{whole}", state.to_lowercase(), when(&row["last_discovery_at"]))
        }
    };
    let held = match row["deletions_held"].as_i64() {
        Some(count) if count > 0 => format!("{count} objects; confirm with: pursight source confirm-deletions"),
        _ => String::new(),
    };
    let server = &row["server"];
    pairs(&[
        ("name", field("name")),
        ("source id", field("source_id")),
        ("state", low("state")),
        ("version", field("version")),
        ("type", low("source_type")),
        ("location", low("location")),
        ("hosts", hosts.join(", ")),
        ("database", field("database")),
        ("user", field("username")),
        ("credential", plain(&row["credential"]["uri"])),
        ("tls", plain(&row["tls"]["mode"]).to_lowercase()),
        ("environment", low("environment")),
        ("criticality", low("criticality")),
        ("classification", low("data_classification")),
        ("owner", field("owner")),
        ("tags", field("tags")),
        ("description", field("description")),
        ("server", format!("{} {}", plain(&server["product"]), plain(&server["version"])).trim().to_owned()),
        ("last test", test),
        ("last discovery", discovery),
        ("deletions held", held),
        ("objects", field("object_count")),
        ("size", stats::size(&row["size_bytes"])),
        ("rows, about", field("row_estimate")),
        ("created", by(row, "created")),
        ("updated", by(row, "updated")),
        ("deleted", when(&row["deleted_at"])),
    ])
}

fn host(host: &Json) -> String {
    match host["port"].as_i64() {
        Some(port) => format!("{}:{port}", plain(&host["host"])),
        None => plain(&host["host"]),
    }
}

fn latency(row: &Json) -> String {
    row["last_test_latency_us"].as_i64().map_or_else(String::new, |latency| format!("latency {}", micros(latency)))
}

fn by(row: &Json, what: &str) -> String {
    let (at, who) = (when(&row[format!("{what}_at")]), plain(&row[format!("{what}_by")]));
    if who.is_empty() { at } else { format!("{at} by {who}") }
}
