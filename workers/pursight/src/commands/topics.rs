//! `pursight topics`: the topics and the first offsets of the workers' groups.

use clap::{Args, Subcommand};
use pursight_engine::kafka::admin::{GroupState, TopicFault, TopicState};
use pursight_schemas::topics::READERS;
use serde_json::{Value as Json, json};

use crate::context::Context;
use crate::error::CliError;
use crate::report::{Report, table};

/// Topics on the broker.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pursight topics apply      make what is missing; may be repeated
  pursight topics check      only look; exit code 1 if something is wrong")]
pub struct Topics {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make missing topics and the first offsets of empty groups; refuse a wrong partition count
    #[command(after_help = "Example:\n  pursight topics apply")]
    Apply,
    /// Compare topics, their configuration and the groups' offsets with what they should be
    #[command(after_help = "Example:\n  pursight topics check --json")]
    Check,
}

/// Runs it.
pub async fn run(command: Topics, context: &Context) -> Result<Report, CliError> {
    match command.what {
        What::Apply => apply(context).await,
        What::Check => check(context).await,
    }
}

async fn apply(context: &Context) -> Result<Report, CliError> {
    let applied = context.admin()?.apply(&READERS).await?;
    let mut text = String::new();
    for name in &applied.created {
        text.push_str(&format!("made   {name}\n"));
    }
    for (group, count) in &applied.offsets {
        text.push_str(&format!("first  offsets of {group} on {count} partitions\n"));
    }
    if text.is_empty() {
        text.push_str("everything was there already\n");
    }
    Ok(Report::new(json!({"created": applied.created, "first_offsets": applied.offsets}), text))
}

async fn check(context: &Context) -> Result<Report, CliError> {
    let admin = context.admin()?;
    let topics = admin.topics().await?;
    let groups = if topics.iter().any(|topic| topic.faults.contains(&TopicFault::Missing)) {
        Vec::new()
    } else {
        admin.groups(&READERS).await?
    };
    let faulty = topics.iter().any(|topic| !topic.faults.is_empty())
        || groups.iter().any(|group| !group.without_offset.is_empty());
    let document = json!({
        "topics": topics.iter().map(topic_document).collect::<Vec<_>>(),
        "groups": groups.iter().map(group_document).collect::<Vec<_>>(),
    });
    let mut rows: Vec<[String; 3]> = topics
        .iter()
        .map(|topic| {
            let faults: Vec<String> = topic.faults.iter().map(|fault| fault_text(topic, fault)).collect();
            [topic.name.clone(), topic.topic.partitions().to_string(), verdict(faults)]
        })
        .collect();
    rows.extend(groups.iter().map(|group| {
        let without = group.without_offset.len();
        let faults = (without > 0).then(|| format!("no offset on {without} partitions: pursight topics apply"));
        [format!("group {}", group.group), format!("{} members", group.members), verdict(faults.into_iter().collect())]
    }));
    Ok(Report::new(document, table(["topic or group", "partitions", "state"], rows)).failed_if(faulty))
}

fn verdict(faults: Vec<String>) -> String {
    if faults.is_empty() { "ok".to_owned() } else { faults.join("\n") }
}

/// What is wrong with a topic, with the remedy.
pub fn fault_text(topic: &TopicState, fault: &TopicFault) -> String {
    match fault {
        TopicFault::Missing => "missing: pursight topics apply".to_owned(),
        TopicFault::Partitions(found) => format!(
            "{found} partitions instead of {}: delete the topic and run pursight topics apply, or choose another \
             PURSIGHT_TOPIC_PREFIX",
            topic.topic.partitions()
        ),
        TopicFault::Config(name, found, wanted) => format!(
            "{name} is {found} instead of {wanted}: kafka-configs.sh --alter --entity-type topics --entity-name {} \
             --add-config {name}={wanted}",
            topic.name
        ),
    }
}

fn topic_document(state: &TopicState) -> Json {
    let faults: Vec<String> = state.faults.iter().map(|fault| fault_text(state, fault)).collect();
    json!({"topic": state.name, "partitions": state.topic.partitions(), "faults": faults})
}

fn group_document(state: &GroupState) -> Json {
    json!({
        "group": state.group,
        "worker": state.worker,
        "members": state.members,
        "partitions_without_offset": state.without_offset.len(),
    })
}
