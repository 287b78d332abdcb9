//! Asking for something: flags that every command has, the command's JSON, its way to the log and back. Knows neither
//! what is asked for nor how the answer is shown.

use std::time::Duration;

use clap::Args;
use pursight_registry::validate::exposed;
use pursight_schemas::hash::sha256_hex;
use pursight_schemas::{Command, Micros, json as records};
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use crate::context::Context;
use crate::error::CliError;
use crate::follow::{self, Follower};
use crate::outcome::Ended;
use crate::publish::{Envelope, Publisher, envelope};
use crate::report::{Progress, Report};

/// What every command may carry, and how long its outcome is waited for.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Asking")]
pub struct AskFlags {
    /// Id of the command: give the one of an earlier call to repeat it; it is never carried out twice
    #[arg(long, value_name = "UUID")]
    pub command_id: Option<Uuid>,
    /// Joins commands and events of one undertaking
    #[arg(long, value_name = "UUID")]
    pub correlation_id: Option<Uuid>,
    /// Version of the source that was last seen: refuse if it has changed since
    #[arg(long, value_name = "N")]
    pub expected_version: Option<i64>,
    /// Decide and tell what would happen, change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Why, for the audit trail
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// The person in whose name a service asks
    #[arg(long, value_name = "NAME")]
    pub on_behalf_of: Option<String>,
    /// Print the command's id and do not wait for its outcome
    #[arg(long, conflicts_with = "wait")]
    pub no_wait: bool,
    /// Wait for the outcome (the default)
    #[arg(long, hide = true)]
    pub wait: bool,
    /// Longest wait for the outcome, seconds; exit code 4 when it is over
    #[arg(long, value_name = "SECONDS")]
    pub timeout: Option<u64>,
}

/// What came of asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Acknowledged by the broker, not waited for.
    Sent(Uuid),
    /// Its terminal outcome.
    Ended(Box<Ended>),
}

impl Answer {
    /// The report of an answer that needs no more than itself.
    pub fn report(&self) -> Report {
        match self {
            Self::Sent(id) => Report::new(json!({"command_id": id}), id.to_string()),
            Self::Ended(ended) => ended.report(),
        }
    }
}

/// The command's `meta`.
fn meta(context: &Context, flags: &AskFlags, command_id: Uuid) -> Result<Json, CliError> {
    Ok(json!({
        "command_id": command_id,
        "tenant_id": context.tenant()?,
        "actor": {
            "principal": context.principal()?,
            "type": "USER",
            "on_behalf_of": flags.on_behalf_of,
            "reason": flags.reason,
        },
        "correlation_id": flags.correlation_id,
        "expected_version": flags.expected_version,
        "dry_run": flags.dry_run,
    }))
}

/// Publishes the command `name` with the fields `body`, and waits for its outcome unless told not to; `usual` is the
/// longest wait that fits this kind of command.
///
/// # Errors
/// Wrong fields, a broker that is away, no outcome in time.
pub async fn ask(
    context: &Context,
    flags: &AskFlags,
    name: &str,
    body: Map<String, Json>,
    usual: Duration,
) -> Result<Answer, CliError> {
    let command_id = flags.command_id.unwrap_or_else(pursight_service::clock::new_id);
    let mut command = Map::new();
    command.insert("type".to_owned(), json!(name));
    command.insert("meta".to_owned(), meta(context, flags, command_id)?);
    command.extend(body);
    let sealed = seal(context, &Json::Object(command))?;
    keep_back(&sealed)?;
    let mut follower = Follower::open(&context.kafka()?, context.prefix(), context.tenant()?)?;
    let progress = Progress::start(name);
    Publisher::new(&context.kafka()?, context.prefix())?.send(&sealed).await?;
    if flags.no_wait {
        return Ok(Answer::Sent(command_id));
    }
    let until = follow::deadline(flags.timeout.map_or(usual, Duration::from_secs));
    let mut waiting = vec![command_id];
    let event = if flags.command_id.is_some() {
        // A repeat has no second outcome: the first one is in the read model, if not still to come.
        let ids = [command_id];
        tokio::select! {
            Ok(known) = context.ended(&ids, until) => return first_outcome(known, &sealed),
            event = follower.next(&mut waiting, until, &progress) => event?,
        }
    } else {
        follower.next(&mut waiting, until, &progress).await?
    };
    let ended = Ended::of_event(&event);
    ended.map(|ended| Answer::Ended(Box::new(ended))).ok_or_else(|| follow::late(&[command_id]))
}

/// The outcome that a repeated command has already, unless its id was given to another command.
fn first_outcome(known: Ended, sent: &Envelope) -> Result<Answer, CliError> {
    if known.payload_sha256.as_ref().is_some_and(|known| *known != sha256_hex(&sent.value)) {
        return Err(CliError::failed(
            format!("command id {} belongs to another command: this one becomes a dead letter", sent.command_id),
            "leave --command-id out, or repeat exactly the same command",
        ));
    }
    Ok(Answer::Ended(Box::new(known)))
}

/// Refuses to publish a secret in clear: the registry would refuse it as well, but not take it from the log.
fn keep_back(sealed: &Envelope) -> Result<(), CliError> {
    let Ok(command) = Command::decode(&sealed.value) else { return Ok(()) };
    let lines: Vec<String> =
        exposed(&command).iter().map(|one| format!("{} {}: {}", one.code, one.path, one.message)).collect();
    if lines.is_empty() {
        return Ok(());
    }
    let remedy =
        "nothing was sent; seal the secret with --password-stdin or `pursight secret seal`, and give its reference";
    Err(CliError::usage(lines.join("\n"), remedy))
}

/// A command's JSON as an attested record.
///
/// # Errors
/// All faults of the JSON, or a key that cannot be used.
pub fn seal(context: &Context, command: &Json) -> Result<Envelope, CliError> {
    let framed = records::read(command).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        CliError::usage(lines.join("\n"), "the fields of every command: pursight schema list --topic command")
    })?;
    let at = Micros(pursight_service::clock::now_micros());
    envelope(framed.bytes, &context.issuer()?, &context.signing_key()?, at)
}
