//! The broker, the topics and the workers' groups.

use std::time::Duration;

use pursight_engine::kafka::admin::{Cluster, GroupState, TopicFault};
use pursight_engine::kafka::{Admin, HeldBack};
use pursight_schemas::topics::READERS;
use pursight_service::clock;

use super::Finding;
use crate::commands::topics::fault_text;
use crate::context::Context;
use crate::error::CliError;

/// Ours end within seconds, and the broker ends what is left after a producer's timeout: by default a minute.
const HANGS: Duration = Duration::from_secs(120);

pub async fn look(context: &Context) -> Vec<Finding> {
    let admin = match context.admin() {
        Ok(admin) => admin,
        Err(error) => return vec![Finding::of_error("broker", &error)],
    };
    let cluster = match admin.cluster().await {
        Ok(cluster) => cluster,
        Err(error) => return vec![Finding::of_error("broker", &error.into())],
    };
    let mut findings = vec![broker(&cluster), auto_create(&cluster)];
    findings.extend(topics(&admin).await);
    findings
}

fn broker(cluster: &Cluster) -> Finding {
    let id = cluster.id.as_deref().unwrap_or("without an id");
    Finding::ok("broker", format!("cluster {id}: {}", cluster.brokers.join(", ")))
}

fn auto_create(cluster: &Cluster) -> Finding {
    match cluster.auto_create {
        Some(false) => Finding::ok("automatic topics", "off"),
        Some(true) => Finding::warn(
            "automatic topics",
            "on: a misspelt prefix makes topics with wrong partition counts",
            "set auto.create.topics.enable=false on the brokers",
        ),
        None => Finding::warn("automatic topics", "may not be read", "grant DESCRIBE_CONFIGS on the cluster"),
    }
}

async fn topics(admin: &Admin) -> Vec<Finding> {
    let states = match admin.topics().await {
        Ok(states) => states,
        Err(error) => return vec![Finding::of_error("topics", &CliError::from(error))],
    };
    let mut findings = Vec::new();
    let mut missing = false;
    for state in &states {
        for fault in &state.faults {
            let text = fault_text(state, fault);
            let (found, remedy) = text.split_once(": ").unwrap_or((text.as_str(), ""));
            let what = format!("topic {}", state.name);
            findings.push(match fault {
                // How long events are kept is the operator's choice, as long as they know.
                TopicFault::Config("retention.ms", _, _) => Finding::warn(what, found, remedy),
                _ => Finding::fail(what, found, remedy),
            });
            missing |= *fault == TopicFault::Missing;
        }
    }
    if findings.is_empty() {
        findings.push(Finding::ok("topics", format!("{} with their partitions and configuration", states.len())));
    }
    if missing {
        return findings;
    }
    match admin.groups(&READERS).await {
        Ok(groups) => findings.extend(groups.iter().map(group)),
        Err(error) => findings.push(Finding::of_error("groups", &error.into())),
    }
    match admin.held_back().await {
        Ok(held) => findings.extend(transactions(&held)),
        Err(error) => findings.push(Finding::of_error("transactions", &error.into())),
    }
    findings
}

/// Those that are open for longer than their producer or the broker may leave them.
fn transactions(held: &[HeldBack]) -> Vec<Finding> {
    let now = clock::now_micros();
    let age = |one: &HeldBack| Duration::from_micros(u64::try_from(now - one.written.0).unwrap_or_default());
    let ages = held.iter().map(|one| (one, age(one)));
    let hanging: Vec<Finding> = ages.filter(|(_, age)| *age > HANGS).map(|(one, age)| transaction(one, age)).collect();
    if hanging.is_empty() { vec![Finding::ok("transactions", "none hangs")] } else { hanging }
}

fn transaction(held: &HeldBack, age: Duration) -> Finding {
    let HeldBack { topic, partition, offset, .. } = held;
    let minutes = age.as_secs() / 60;
    Finding::fail(
        format!("topic {topic} partition {partition}"),
        format!("an open transaction has held back everything from offset {offset} on for {minutes} min"),
        format!(
            "if its producer is gone, end it with Kafka's own tool: kafka-transactions.sh --bootstrap-server HOST:PORT abort \
             --topic {topic} --partition {partition} --start-offset {offset} (see infra/kafka/README.md)"
        ),
    )
}

fn group(group: &GroupState) -> Finding {
    let what = format!("group {}", group.group);
    let without = group.without_offset.len();
    if without > 0 {
        return Finding::fail(
            what,
            format!("no offset on {without} partitions"),
            format!("stop every {} worker, then run: pursight topics apply", group.worker),
        );
    }
    if group.members == 0 {
        return Finding::warn(what, "nobody is at work", format!("run: pursight run {}", group.worker));
    }
    Finding::ok(what, format!("{} at work", group.members))
}
