//! `pursight source stats`: a source measured, and its largest objects.

use std::time::Duration;

use clap::Args;
use serde_json::{Value as Json, json};

use super::body_of;
use super::change::wait;
use crate::ask::{Answer, AskFlags, ask};
use crate::context::Context;
use crate::error::CliError;
use crate::report::{Report, bytes, micros, pairs, plain, table, when};

/// How long measuring may take, by its own deadline.
const ENDED_WITHIN: Duration = Duration::from_secs(900);

/// Measure a source: size, rows, cache, query time, connections
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pursight source stats orders
  pursight source stats orders --exact             count rows instead of estimating
  pursight source stats orders --last --objects 50 what was measured last, without measuring again")]
pub struct Stats {
    /// Name or id of the source
    source: String,
    /// Count rows instead of estimating
    #[arg(long)]
    exact: bool,
    /// Show the last measurement, measure nothing
    #[arg(long)]
    last: bool,
    /// So many of the largest objects
    #[arg(long, default_value_t = 10, value_name = "N")]
    objects: i64,
    #[command(flatten)]
    ask: AskFlags,
}

/// Runs it.
pub async fn run(stats: Stats, context: &Context) -> Result<Report, CliError> {
    let source_id = context.source_id(&stats.source).await?;
    if !stats.last {
        let mut body = body_of(source_id);
        body.insert("exact".to_owned(), json!(stats.exact));
        let answer = ask(context, &stats.ask, "CollectStatistics", body, ENDED_WITHIN).await?;
        let Answer::Ended(ended) = &answer else { return Ok(answer.report()) };
        if ended.state != "SUCCEEDED" || stats.ask.dry_run {
            return Ok(answer.report());
        }
        context.run_ended(ended.command_id, wait(&stats.ask, Duration::from_secs(10))).await?;
    }
    let rows = context.rows()?;
    let Some(row) = rows.statistics(source_id).await? else {
        return Err(CliError::failed("this source was never measured", "run: pursight source stats"));
    };
    let objects = rows.largest(source_id, stats.objects).await?;
    let text = format!("{}\n{}", text(&row), largest(&objects));
    Ok(Report::new(json!({"source": row, "objects": objects}), text))
}

fn text(row: &Json) -> String {
    let time = |name: &str| row[name].as_i64().map(micros).unwrap_or_default();
    let with_quality = |value: String, name: &str| match row["quality"][name].as_str() {
        Some(quality) if value.is_empty() => quality.to_owned(),
        Some(quality) => format!("{value} ({quality})"),
        None => value,
    };
    let ratio = row["cache_hit_ratio_ppm"].as_i64();
    let ratio = ratio.map(|ppm| format!("{}.{:02} %", ppm / 10_000, ppm % 10_000 / 100)).unwrap_or_default();
    let times = match row["query_time_samples"].as_i64() {
        Some(samples) => {
            format!("p50 {}, p95 {} of {samples}", time("query_time_p50_us"), time("query_time_p95_us"))
        }
        None => String::new(),
    };
    let connections = match (row["connections_used"].as_i64(), row["connections_max"].as_i64()) {
        (Some(used), Some(max)) => format!("{used} of {max}"),
        _ => String::new(),
    };
    pairs(&[
        ("measured", when(&row["collected_at"])),
        ("size", with_quality(size(&row["size_bytes"]), "size_bytes")),
        ("objects", with_quality(plain(&row["object_count"]), "object_count")),
        ("rows", with_quality(plain(&row["row_estimate"]), "row_estimate")),
        ("cache hits", with_quality(ratio, "cache_hit_ratio_ppm")),
        ("query time", with_quality(times, "query_time_us")),
        ("connections", with_quality(connections, "connections")),
    ])
}

fn largest(objects: &[Json]) -> String {
    let row = |object: &Json| {
        [
            format!("{}.{}", plain(&object["schema"]), plain(&object["name"])),
            plain(&object["kind"]).to_lowercase(),
            size(&object["size_bytes"]),
            plain(&object["row_count"]),
            plain(&object["quality"]).to_lowercase(),
        ]
    };
    table(["largest objects", "kind", "size", "rows", "quality"], objects.iter().map(row).collect())
}

/// A size of a row for people; nothing where it is unknown.
pub fn size(value: &Json) -> String {
    value.as_i64().map(bytes).unwrap_or_default()
}
