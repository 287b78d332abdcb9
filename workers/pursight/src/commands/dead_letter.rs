//! `pursight dead-letter`: records that could not be handled, with their codes and coordinates.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};
use pursight_schemas::{Topic, json as records};
use pursight_secrets::DeadLetterSeal;
use serde_json::{Map, Value as Json, json};

use crate::context::Context;
use crate::error::CliError;
use crate::report::{Report, pairs, plain, table, when};
use crate::tail::{Position, Seen, Tail, Wanted};

/// Records that could not be handled.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pursight dead-letter list
  pursight dead-letter show 3/17 --open")]
pub struct DeadLetter {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The newest dead letters
    #[command(
        after_help = "Examples:\n  pursight dead-letter list --limit 20 --json\n  pursight dead-letter list --all"
    )]
    List {
        /// Of every tenant, and those that belong to none; for operators
        #[arg(long)]
        all: bool,
        /// At most so many
        #[arg(long, default_value_t = 50, value_name = "N")]
        limit: i64,
    },
    /// One dead letter: its headers, and with --open its original bytes
    #[command(after_help = "Examples:
  pursight dead-letter show 3/17
  pursight dead-letter show 3/17 --open      needs PURSIGHT_SECRET_KEYS_FILE; may show what is secret")]
    Show {
        /// PARTITION/OFFSET on the dead-letter topic
        #[arg(value_parser = place)]
        place: (i32, i64),
        /// Open the sealed original
        #[arg(long)]
        open: bool,
    },
}

fn place(text: &str) -> Result<(i32, i64), String> {
    let wrong = || format!("expected PARTITION/OFFSET, partition 0 to {}", Topic::DeadLetter.partitions() - 1);
    let (partition, offset) = text.split_once('/').ok_or_else(wrong)?;
    let partition: i32 = partition.parse().map_err(|_| wrong())?;
    let offset: i64 = offset.parse().map_err(|_| wrong())?;
    if (0..Topic::DeadLetter.partitions()).contains(&partition) && offset >= 0 {
        Ok((partition, offset))
    } else {
        Err(wrong())
    }
}

/// Runs it.
pub async fn run(word: DeadLetter, context: &Context) -> Result<Report, CliError> {
    match word.what {
        What::List { all, limit } => list(context, all, limit).await,
        What::Show { place: (partition, offset), open } => show(context, partition, offset, open).await,
    }
}

async fn list(context: &Context, all: bool, limit: i64) -> Result<Report, CliError> {
    let letters = context.rows()?.dead_letters(all, limit).await?;
    let rows = letters.iter().map(row).collect();
    let heads = ["place", "code", "original", "worker", "attempts", "size", "when"];
    Ok(Report::new(json!(letters), table(heads, rows)))
}

fn row(letter: &Json) -> [String; 7] {
    let field = |name: &str| plain(&letter[name]);
    [
        format!("{}/{}", field("partition"), field("log_offset")),
        field("code"),
        format!("{}/{}/{}", field("original_topic"), field("original_partition"), field("original_offset")),
        field("worker"),
        field("attempts"),
        field("size_bytes"),
        when(&letter["recorded_at"]),
    ]
}

async fn show(context: &Context, partition: i32, offset: i64, open: bool) -> Result<Report, CliError> {
    let wanted = Wanted { topic: Topic::DeadLetter.name(context.prefix()), partitions: vec![partition] };
    let (from, until) = (Position::Offset(offset), Position::Offset(offset + 1));
    let mut tail = Tail::bounded(&context.kafka()?, &wanted, from, until)?;
    let seen = tail.next().await?.filter(|seen| seen.offset == offset).ok_or_else(|| {
        CliError::failed(
            format!("there is no dead letter at {partition}/{offset}"),
            "pursight dead-letter list shows what there is; dead letters are kept for 90 days",
        )
    })?;
    let mut document = Map::new();
    document.insert("topic".into(), json!(seen.topic));
    document.insert("partition".into(), json!(partition));
    document.insert("offset".into(), json!(offset));
    document.insert("key".into(), json!(seen.key.as_deref().map(String::from_utf8_lossy)));
    let headers: Map<String, Json> =
        seen.headers.iter().filter_map(|(name, _)| Some((name.clone(), json!(seen.header(name)?)))).collect();
    let mut lines: Vec<(&str, String)> = headers.iter().map(|(name, value)| (name.as_str(), plain(value))).collect();
    lines.push(("size, sealed", seen.value.as_deref().unwrap_or_default().len().to_string()));
    let mut text = pairs(&lines);
    document.insert("headers".into(), Json::Object(headers.clone()));
    if open {
        let bytes = opened(context, &seen)?;
        document.insert("original_base64".into(), json!(STANDARD.encode(&bytes)));
        let decoded = records::write(&bytes).ok();
        let shown = decoded.as_ref().map_or_else(|| STANDARD.encode(&bytes), |value| format!("{value:#}"));
        document.insert("original".into(), json!(decoded));
        text.push_str(&format!("original, {} bytes:\n{shown}\n", bytes.len()));
    }
    Ok(Report::new(Json::Object(document), text))
}

/// The engine seals under the record's key and the original's coordinates.
fn opened(context: &Context, seen: &Seen) -> Result<Vec<u8>, CliError> {
    let seal = DeadLetterSeal::new(context.key_ring()?);
    let header = |name: &str| seen.header(&format!("pursight-dlq-{name}")).unwrap_or_default();
    let id = format!("{}/{}/{}", header("topic"), header("partition"), header("offset"));
    let key = String::from_utf8_lossy(seen.key.as_deref().unwrap_or_default()).into_owned();
    let sealed = seen.value.as_deref().unwrap_or_default();
    seal.open(&key, &id, sealed).map_err(|error| CliError::failed(error.to_string(), error.remedy()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_partition_and_offset() {
        assert_eq!(place("3/17"), Ok((3, 17)));
        for bad in ["", "3", "12/1", "-1/1", "1/-1", "a/b"] {
            assert!(place(bad).is_err(), "{bad}");
        }
    }
}
