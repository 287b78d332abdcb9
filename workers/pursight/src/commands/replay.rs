//! `pursight replay`: a topic as it lies on the log, for audit. Reads committed records only, stops at the ends that it
//! found at the start, and checks the audit topic against the chain of hashes in the read model.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use clap::Args;
use pursight_schemas::{Topic, topics};
use serde_json::json;

use crate::commands::audit_chain::Chain;
use crate::context::Context;
use crate::error::CliError;
use crate::line;
use crate::report::{Progress, Report, note};
use crate::tail::{Position, Tail, Wanted};

/// A topic as JSON lines with complete coordinates: topic, partition, offset, timestamp, key, headers, type, value. Of
/// the audit topic the hash chain is verified (exit code 1 if it is broken)
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pursight replay --topic audit --out audit.jsonl
  pursight replay --topic schema --from 2026-01-31 --until 2026-02-01 --key 018f4f5e-7c1a-7d2b-9a55-0c2f6a4d1e01
  pursight replay --topic command --from 1200 --until 1300")]
pub struct Replay {
    /// Topic, by short or full name
    #[arg(long, value_name = "TOPIC")]
    topic: String,
    /// Where to begin in every partition: beginning, an offset, or a time (RFC 3339)
    #[arg(long, default_value = "beginning", value_name = "POSITION")]
    from: Position,
    /// Where to stop, exclusive: end (as it is now), an offset, or a time
    #[arg(long, default_value = "end", value_name = "POSITION")]
    until: Position,
    /// Only records with this key
    #[arg(long)]
    key: Option<String>,
    /// Only this partition
    #[arg(long, value_name = "N")]
    partition: Option<i32>,
    /// Write the lines to this file and a summary to stdout
    #[arg(long, value_name = "FILE.jsonl")]
    out: Option<PathBuf>,
}

/// Runs it.
pub async fn run(replay: Replay, context: &Context) -> Result<Report, CliError> {
    let topic = super::topic(context.prefix(), &replay.topic)?;
    let partitions = match (&replay.key, replay.partition) {
        (_, Some(partition)) if !(0..topic.partitions()).contains(&partition) => {
            let last = topic.partitions() - 1;
            return Err(CliError::usage(format!("there is no partition {partition}"), format!("0 to {last} are")));
        }
        (_, Some(partition)) => vec![partition],
        (Some(key), None) => vec![topics::partition_of(key.as_bytes(), topic.partitions())],
        _ => (0..topic.partitions()).collect(),
    };
    let wanted = Wanted { topic: topic.name(context.prefix()), partitions };
    let mut tail = Tail::bounded(&context.kafka()?, &wanted, replay.from, replay.until)?;
    let mut out = open(replay.out.as_ref())?;
    let mut chain = if topic == Topic::Audit { Chain::open(context) } else { None };
    let progress = Progress::start(&wanted.topic);
    let (mut read, mut written) = (0_i64, 0_i64);
    while let Some(seen) = tail.next().await? {
        read += 1;
        if let Some(chain) = &mut chain {
            chain.check(&seen).await?;
        }
        if replay.key.as_ref().is_none_or(|key| seen.key.as_deref() == Some(key.as_bytes())) {
            if writeln!(out, "{}", line::document(&seen)).is_err() {
                return Ok(Report::silent());
            }
            written += 1;
        }
        if read % 500 == 0 {
            progress.at(read, None, &wanted.topic);
        }
    }
    out.flush().map_err(|error| unwritable(&error))?;
    drop(progress);
    summary(&replay, &wanted.topic, (read, written), chain)
}

fn summary(replay: &Replay, topic: &str, counts: (i64, i64), chain: Option<Chain>) -> Result<Report, CliError> {
    let (read, written) = counts;
    let is_audit = topic.ends_with(".audit.v1");
    let verdict = chain.map(Chain::verdict);
    let broken = verdict.as_ref().is_some_and(|verdict| !verdict.faults.is_empty());
    let mut text = format!("{written} of {read} records of {topic}");
    match &verdict {
        Some(verdict) => text.push_str(&format!("\n{}", verdict.text())),
        None if is_audit => {
            text.push_str("\nhash chain NOT verified: there is no read model to compare with (PURSIGHT_DATABASE_URL)");
        }
        None => {}
    }
    let document = json!({
        "topic": topic, "read": read, "written": written, "out": replay.out,
        "hash_chain": verdict.as_ref().map(|verdict| verdict.document()),
    });
    if replay.out.is_some() {
        return Ok(Report::new(document, text).failed_if(broken));
    }
    // stdout has the lines already.
    note(&text);
    Ok(Report::silent().failed_if(broken))
}

fn open(path: Option<&PathBuf>) -> Result<Box<dyn Write + Send>, CliError> {
    Ok(match path {
        None => Box::new(BufWriter::new(io::stdout())),
        Some(path) => Box::new(BufWriter::new(File::create(path).map_err(|error| unwritable(&error))?)),
    })
}

fn unwritable(error: &io::Error) -> CliError {
    CliError::failed(format!("cannot write the lines: {error}"), "choose a file that this user may write with --out")
}
