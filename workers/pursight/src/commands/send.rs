//! `pursight send`: commands written as JSON, one a line.

use std::fs;
use std::io::{self, Read as _};
use std::time::Duration;

use clap::Args;
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use crate::ask;
use crate::context::Context;
use crate::error::CliError;
use crate::follow::{self, Follower};
use crate::outcome::Ended;
use crate::publish::{Envelope, Publisher};
use crate::report::{Progress, Report};

/// Publish commands written as JSON, one a line (or one document). What `meta` lacks comes from the settings; a
/// missing `command_id` is made. Nothing is sent unless every line is a sound command.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pursight send commands.jsonl
  echo '{\"type\": \"PauseDataSource\", \"source_id\": \"018f4f5e-7c1a-7d2b-9a55-0c2f6a4d1e01\"}' | pursight send - --wait")]
pub struct Send {
    /// File of JSON lines, or - for stdin
    file: String,
    /// Wait for every outcome; exit code 1 unless all succeeded
    #[arg(long)]
    wait: bool,
    /// Print the ids and do not wait (the default)
    #[arg(long, hide = true, conflicts_with = "wait")]
    no_wait: bool,
    /// Longest wait for all outcomes, seconds; exit code 4 when it is over
    #[arg(long, default_value_t = 120, value_name = "SECONDS")]
    timeout: u64,
}

/// Runs it.
pub async fn run(send: Send, context: &Context) -> Result<Report, CliError> {
    let text = read(&send.file)?;
    let mut envelopes = Vec::new();
    for (number, command) in parse(&text)? {
        let command = complete(command, context)?;
        let sealed = ask::seal(context, &command);
        envelopes.push(sealed.map_err(|error| at_line(number, &error))?);
    }
    if envelopes.is_empty() {
        return Err(CliError::usage("there is no command to send", "write one JSON document a line"));
    }
    let mut followers = if send.wait { followers(&envelopes, context)? } else { Vec::new() };
    let publisher = Publisher::new(&context.kafka()?, context.prefix())?;
    for envelope in &envelopes {
        publisher.send(envelope).await?;
    }
    if !send.wait {
        let ids: Vec<Uuid> = envelopes.iter().map(|envelope| envelope.command_id).collect();
        let text: Vec<String> = ids.iter().map(Uuid::to_string).collect();
        return Ok(Report::new(json!({"command_ids": ids}), text.join("\n")));
    }
    let until = follow::deadline(Duration::from_secs(send.timeout));
    let progress = Progress::start("waiting for outcomes");
    let mut ended: Vec<Ended> = Vec::new();
    for (follower, mut waiting) in followers.drain(..) {
        let mut follower = follower;
        while !waiting.is_empty() {
            let first = waiting.clone();
            let one = tokio::select! {
                event = follower.next(&mut waiting, until, &progress) => Ended::of_event(&event?),
                // Repeats have no second outcome: the first one is in the read model.
                Ok(known) = context.ended(&first, until) => Some(known),
            };
            if let Some(one) = one {
                waiting.retain(|id| *id != one.command_id);
                ended.push(one);
            }
            progress.at(i64::try_from(ended.len()).unwrap_or_default(), i64::try_from(envelopes.len()).ok(), "ended");
        }
    }
    let text: String = ended.iter().map(Ended::text).collect();
    let failed = ended.iter().any(Ended::is_failure);
    Ok(Report::new(Json::Array(ended.iter().map(Ended::document).collect()), text).failed_if(failed))
}

/// A reader of outcomes for each tenant, with the commands that it waits for.
fn followers(envelopes: &[Envelope], context: &Context) -> Result<Vec<(Follower, Vec<Uuid>)>, CliError> {
    let mut followers: Vec<(String, Follower, Vec<Uuid>)> = Vec::new();
    for envelope in envelopes {
        if let Some((_, _, ids)) = followers.iter_mut().find(|(tenant, _, _)| *tenant == envelope.tenant) {
            if !ids.contains(&envelope.command_id) {
                ids.push(envelope.command_id);
            }
        } else {
            let follower = Follower::open(&context.kafka()?, context.prefix(), &envelope.tenant)?;
            followers.push((envelope.tenant.clone(), follower, vec![envelope.command_id]));
        }
    }
    Ok(followers.into_iter().map(|(_, follower, ids)| (follower, ids)).collect())
}

fn read(file: &str) -> Result<String, CliError> {
    let mut text = String::new();
    let done = if file == "-" { io::stdin().read_to_string(&mut text).map(|_| text) } else { fs::read_to_string(file) };
    done.map_err(|error| CliError::usage(format!("cannot read {file}: {error}"), "name a file of JSON lines, or -"))
}

/// One document over several lines, or one a line, each with the number of its line.
fn parse(text: &str) -> Result<Vec<(usize, Json)>, CliError> {
    if let Ok(whole) = serde_json::from_str::<Json>(text) {
        return Ok(match whole {
            Json::Array(items) => items.into_iter().enumerate().map(|(at, item)| (at + 1, item)).collect(),
            one => vec![(1, one)],
        });
    }
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let mut commands = Vec::new();
    for (at, line) in lines {
        let command = serde_json::from_str(line);
        let command = command
            .map_err(|error| CliError::usage(format!("line {}: {error}", at + 1), "write one JSON document a line"))?;
        commands.push((at + 1, command));
    }
    Ok(commands)
}

/// Fills in of `meta` what the settings know.
fn complete(mut command: Json, context: &Context) -> Result<Json, CliError> {
    let Some(fields) = command.as_object_mut() else { return Ok(command) };
    let meta = fields.entry("meta").or_insert_with(|| Json::Object(Map::new()));
    let Some(meta) = meta.as_object_mut() else { return Ok(command) };
    if !meta.contains_key("command_id") {
        meta.insert("command_id".to_owned(), json!(pursight_service::clock::new_id()));
    }
    if !meta.contains_key("tenant_id") {
        meta.insert("tenant_id".to_owned(), json!(context.tenant()?));
    }
    if !meta.contains_key("actor") {
        meta.insert("actor".to_owned(), json!({"principal": context.principal()?, "type": "USER"}));
    }
    Ok(command)
}

fn at_line(number: usize, error: &CliError) -> CliError {
    match error {
        CliError::Usage { what, remedy } => CliError::usage(format!("line {number}: {what}"), remedy),
        other => CliError::failed(other.to_string(), other.remedy()),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn lines_an_array_and_one_document_are_read() {
        assert_eq!(parse("{\"a\": 1}\n\n{\"b\": 2}\n").unwrap().len(), 2);
        assert_eq!(parse("[{\"a\": 1}, {\"b\": 2}, {\"c\": 3}]").unwrap().len(), 3);
        assert_eq!(parse("{\n  \"a\": 1\n}").unwrap(), vec![(1, json!({"a": 1}))]);
        assert!(parse("{\"a\": 1}\nno").unwrap_err().to_string().contains("line 2"));
    }
}
