//! `pursight rebuild`: the read model folded again from the log beside the live one, compared row hash for row hash, and
//! swapped. The fold and the comparison are the projection's and the read model's; here they are wired and told.

use std::sync::Arc;

use clap::Args;
use pursight_projection::rebuild::{self, Options, RebuildError};
use serde_json::{Value as Json, json};

use crate::context::{Context, database_error};
use crate::error::{CliError, chain};
use crate::log_reader::KafkaReader;
use crate::report::{Progress, Report, table};
use crate::workers::fatal;

/// Differing rows that are named at most.
const NAMED: usize = 20;

/// Fold the log into a second schema while the live one goes on serving, compare every row's hash, swap. A read model
/// that is not what the log says is left as it is, with the differing rows named (exit code 1)
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pursight rebuild
  pursight rebuild --check        compare only, swap nothing")]
pub struct Rebuild {
    /// Compare only
    #[arg(long)]
    check: bool,
}

/// Runs it.
pub async fn run(rebuild: &Rebuild, context: &Context) -> Result<Report, CliError> {
    let live = context.read_model()?;
    live.check_migrations().await.map_err(|error| database_error(&error))?;
    let log = Arc::new(KafkaReader::new(context.kafka()?, context.prefix()));
    let bar = Progress::start("folding the log");
    let folded = |count: u64| bar.at(i64::try_from(count).unwrap_or(i64::MAX), None, "records folded");
    let options = Options { check_only: rebuild.check, named: NAMED };
    let done = rebuild::run(log, &live, options, &folded).await;
    drop(bar);
    match done {
        Ok(done) => Ok(told(&done)),
        Err(RebuildError::Differs(differences)) => {
            Ok(differs(&RebuildError::Differs(differences.clone()), &differences))
        }
        Err(RebuildError::Busy) => {
            Err(CliError::failed("another rebuild of this read model is under way", "wait for its end"))
        }
        Err(RebuildError::Fold(failure)) => Err(fatal(&failure)),
        Err(RebuildError::Model(error)) => Err(database_error(&error)),
    }
}

fn told(done: &rebuild::Report) -> Report {
    let rows: Vec<[String; 3]> = done
        .tables
        .iter()
        .map(|table| {
            [table.table.clone(), table.rows.to_string(), table.sha256[..table.sha256.len().min(16)].to_owned()]
        })
        .collect();
    let tables: Vec<Json> = done
        .tables
        .iter()
        .map(|table| json!({"table": table.table, "rows": table.rows, "sha256": table.sha256}))
        .collect();
    let verdict = match (done.was_empty, done.swapped) {
        (true, _) => "there was nothing to compare with: the read model was empty",
        (false, true) => "every row is equal; the rebuilt read model has taken the place of the old one",
        (false, false) => "every row is equal; nothing was swapped",
    };
    let text = format!("{}\n{} records folded; {verdict}", table(["table", "rows", "hash"], rows), done.records);
    let document = json!({
        "equal": true, "records": done.records, "swapped": done.swapped, "was_empty": done.was_empty, "tables": tables,
    });
    Report::new(document, text)
}

fn differs(error: &RebuildError, differences: &[pursight_read_model::rebuild::Difference]) -> Report {
    let documents: Vec<Json> = differences
        .iter()
        .map(|one| json!({"table": one.table, "key": one.key, "columns": one.columns, "missing_in": one.missing_in}))
        .collect();
    let text = format!(
        "{}\nthe live read model was left as it is. Somebody has changed it beside the projection: find out who; to make it \
         what the log says, drop its schema, then: pursight migrate; pursight rebuild",
        chain(error)
    );
    Report::new(json!({"equal": false, "swapped": false, "differences": documents}), text).failed_if(true)
}
