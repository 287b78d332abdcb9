//! The audit topic against the read model: every record's hash covers the one before it in its partition, so a changed,
//! lost or inserted line is found. Compares; writes nothing.

use std::collections::BTreeMap;

use pursight_read_model::chain;
use pursight_schemas::Topic;
use serde_json::{Value as Json, json};

use crate::context::Context;
use crate::error::CliError;
use crate::rows::Rows;
use crate::tail::Seen;

/// Faults that are listed at most; they are all counted.
const LISTED: usize = 20;

/// A check under way.
pub struct Chain {
    rows: Rows,
    /// Hash of the last record of each partition.
    last: BTreeMap<i32, String>,
    verdict: Verdict,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Records compared with their rows.
    pub checked: i64,
    /// Records that the read model does not have yet.
    pub not_yet: i64,
    /// What does not fit, with its coordinates; the first twenty.
    pub faults: Vec<String>,
}

impl Chain {
    /// `None` where there is no read model to compare with.
    pub fn open(context: &Context) -> Option<Self> {
        let rows = context.rows().ok()?;
        Some(Self { rows, last: BTreeMap::new(), verdict: Verdict::default() })
    }

    /// Compares one record, in the order of its partition.
    ///
    /// # Errors
    /// When the read model does not answer.
    pub async fn check(&mut self, seen: &Seen) -> Result<(), CliError> {
        let value = seen.value.as_deref().unwrap_or_default();
        let mut row = self.rows.audit(seen.partition, seen.offset).await?;
        if row.is_none() {
            if !self.rows.has_folded(Topic::Audit, seen.partition, seen.offset).await? {
                self.verdict.not_yet += 1;
                return Ok(());
            }
            // It may have been folded between the two questions.
            row = self.rows.audit(seen.partition, seen.offset).await?;
        }
        let Some(row) = row else {
            self.fault(seen, "the read model has no row");
            return Ok(());
        };
        self.verdict.checked += 1;
        let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
        let (previous, hash) = (text("previous_hash"), text("hash"));
        // A replay from the middle takes the first row's word for what came before.
        let expected = self.last.get(&seen.partition).unwrap_or(&previous).clone();
        if previous != expected {
            self.fault(seen, "the row does not follow the record before it");
        }
        if chain::link(&previous, value) != hash {
            self.fault(seen, "the record is not the one that was folded");
        }
        self.last.insert(seen.partition, hash);
        Ok(())
    }

    fn fault(&mut self, seen: &Seen, what: &str) {
        if self.verdict.faults.len() < LISTED {
            self.verdict.faults.push(format!("{}/{}/{}: {what}", seen.topic, seen.partition, seen.offset));
        }
    }

    /// What was found.
    pub fn verdict(self) -> Verdict {
        self.verdict
    }
}

impl Verdict {
    /// For people.
    pub fn text(&self) -> String {
        if self.faults.is_empty() {
            let waiting = if self.not_yet > 0 { format!(", {} not folded yet", self.not_yet) } else { String::new() };
            return format!("hash chain: {} records verified{waiting}", self.checked);
        }
        format!("hash chain BROKEN:\n{}", self.faults.join("\n"))
    }

    /// For programs.
    pub fn document(&self) -> Json {
        json!({"verified": self.checked, "not_folded_yet": self.not_yet, "faults": self.faults})
    }
}
