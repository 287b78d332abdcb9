//! `pursight watch`: events as they come, decoded.

use std::io::{self, Write as _};

use clap::Args;
use pursight_schemas::{Event, Topic};
use serde_json::json;
use uuid::Uuid;

use crate::context::Context;
use crate::error::CliError;
use crate::line;
use crate::report::Report;
use crate::tail::{Position, Seen, Tail, Wanted};

/// Events as they come; one JSON document a line with --json. Ends with Ctrl-C.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pursight watch
  pursight watch --topic schema --topic outcome --source orders
  pursight watch --command 01890a5d-ac96-774b-bcce-b302099a8057 --from beginning --json
  pursight watch --from 2026-01-31T12:00:00Z")]
pub struct Watch {
    /// Topic, by short or full name; may be given several times [default: every topic of events]
    #[arg(long = "topic", value_name = "TOPIC")]
    topics: Vec<String>,
    /// Only events of this source, by id or name
    #[arg(long, value_name = "SOURCE")]
    source: Option<String>,
    /// Only events of this command
    #[arg(long, value_name = "UUID")]
    command: Option<Uuid>,
    /// Where to begin: beginning, end, an offset, or a time (RFC 3339)
    #[arg(long, default_value = "end", value_name = "POSITION")]
    from: Position,
    /// Events of every tenant, not only of PURSIGHT_TENANT
    #[arg(long)]
    all_tenants: bool,
    /// Stop after so many events
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
}

/// What is left out.
struct Filter {
    source: Option<Uuid>,
    command: Option<Uuid>,
    tenant: Option<String>,
}

impl Filter {
    fn lets_through(&self, seen: &Seen) -> bool {
        let Some(event) = seen.value.as_deref().and_then(|value| Event::decode(value).ok()) else {
            // Commands and what cannot be read belong to nobody: shown only when nothing is asked for.
            return self.source.is_none() && self.command.is_none() && self.tenant.is_none();
        };
        let meta = event.meta();
        let by = |wanted: Option<Uuid>, is: Option<Uuid>| wanted.is_none() || wanted == is;
        by(self.source, meta.source_id)
            && by(self.command, meta.command_id)
            && self.tenant.as_ref().is_none_or(|tenant| *tenant == meta.tenant_id)
    }
}

/// Runs it.
pub async fn run(watch: Watch, context: &Context) -> Result<Report, CliError> {
    let prefix = context.prefix();
    let topics: Vec<Topic> = if watch.topics.is_empty() {
        Topic::ALL.into_iter().filter(|topic| !matches!(topic, Topic::Command | Topic::DeadLetter)).collect()
    } else {
        watch.topics.iter().map(|name| super::topic(prefix, name)).collect::<Result<_, _>>()?
    };
    let source = match &watch.source {
        Some(name) => Some(context.source_id(name).await?),
        None => None,
    };
    let tenant = if watch.all_tenants { None } else { Some(context.tenant()?.to_owned()) };
    let filter = Filter { source, command: watch.command, tenant };
    let wanted: Vec<Wanted> = topics
        .iter()
        .map(|topic| Wanted { topic: topic.name(prefix), partitions: (0..topic.partitions()).collect() })
        .collect();
    let mut tail = Tail::endless(&context.kafka()?, &wanted, watch.from)?;
    let mut left = watch.limit.unwrap_or(u64::MAX);
    while left > 0 {
        let Some(seen) = tail.next().await? else { break };
        if !filter.lets_through(&seen) {
            continue;
        }
        let text = if context.json { line::document(&seen).to_string() } else { line::pretty(&seen) };
        // Whoever reads us has gone: that is how a watch ends.
        if writeln!(io::stdout(), "{text}").is_err() {
            break;
        }
        left -= 1;
    }
    Ok(Report { document: json!(null), ..Report::silent() })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use pursight_schemas::{DataSourcePaused, EventMeta};

    use super::*;

    fn seen(value: Vec<u8>) -> Seen {
        let (topic, key, headers) = ("pursight.source.v1".to_owned(), None, Vec::new());
        Seen { topic, partition: 0, offset: 0, timestamp_ms: None, key, headers, value: Some(value) }
    }

    #[test]
    fn only_what_was_asked_for_is_let_through() {
        let (source, command) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let meta = EventMeta {
            tenant_id: "acme".into(),
            source_id: Some(source),
            command_id: Some(command),
            ..EventMeta::default()
        };
        let event = seen(Event::from(DataSourcePaused { meta }).encode().unwrap());
        let filter = |source, command, tenant: Option<&str>| Filter { source, command, tenant: tenant.map(Into::into) };
        assert!(filter(Some(source), Some(command), Some("acme")).lets_through(&event));
        assert!(filter(None, None, None).lets_through(&event));
        assert!(!filter(Some(command), None, None).lets_through(&event));
        assert!(!filter(None, Some(source), None).lets_through(&event));
        assert!(!filter(None, None, Some("other")).lets_through(&event));
        let garbage = seen(vec![1, 2, 3]);
        assert!(filter(None, None, None).lets_through(&garbage));
        assert!(!filter(None, None, Some("acme")).lets_through(&garbage));
    }
}
