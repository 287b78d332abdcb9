//! A command's terminal outcome as the command line shows it, whether it came from the log or from the read model.
//! Pure.

use std::collections::BTreeMap;

use pursight_schemas::{Coordinates, Event, Problem, Violation, json as records};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::report::{Report, pairs, table};

/// How a command ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ended {
    /// Which command.
    pub command_id: Uuid,
    /// Short name of its type.
    pub command_type: String,
    /// `SUCCEEDED`, `REJECTED`, `FAILED`, `CANCELLED` or `DEAD_LETTERED`.
    pub state: String,
    /// The source.
    pub source_id: Option<Uuid>,
    /// The source's sequence afterwards.
    pub version: Option<i64>,
    /// Results by name.
    pub result: BTreeMap<String, String>,
    /// What a dry run would have done.
    pub preview: Vec<String>,
    /// Why it was refused.
    pub violations: Vec<Violation>,
    /// Why it was not possible.
    pub problem: Option<Problem>,
    /// Who cancelled it.
    pub cancelled_by: Option<String>,
    /// Where its work lies.
    pub dead_letter: Option<Coordinates>,
    /// Hash of the command's record, where it is known.
    pub payload_sha256: Option<String>,
}

impl Ended {
    /// From the outcome topic; `None` if the event is no terminal outcome.
    pub fn of_event(event: &Event) -> Option<Self> {
        let meta = event.meta();
        let base = |state: &str, command_type: &str| Self {
            command_id: meta.command_id.unwrap_or_default(),
            command_type: records::short(command_type).to_owned(),
            state: state.to_owned(),
            source_id: meta.source_id,
            ..Self::default()
        };
        Some(match event {
            Event::CommandSucceeded(done) => Self {
                source_id: done.source_id.or(meta.source_id),
                version: done.version,
                result: done.result.clone(),
                preview: done.preview.clone(),
                ..base("SUCCEEDED", &done.command_type)
            },
            Event::CommandRejected(no) => {
                Self { violations: no.violations.clone(), ..base("REJECTED", &no.command_type) }
            }
            Event::CommandFailed(failed) => {
                Self { problem: Some(failed.problem.clone()), ..base("FAILED", &failed.command_type) }
            }
            Event::CommandCancelled(cancelled) => Self {
                cancelled_by: Some(cancelled.by.principal.clone()),
                ..base("CANCELLED", &cancelled.command_type)
            },
            Event::CommandDeadLettered(dead) => Self {
                problem: Some(dead.problem.clone()),
                dead_letter: Some(dead.dead_letter.clone()),
                ..base("DEAD_LETTERED", &dead.command_type)
            },
            _ => return None,
        })
    }

    /// From a row of the read model's `command`; `None` while it is under way.
    pub fn of_row(row: &Json) -> Option<Self> {
        let state = row["state"].as_str()?;
        if !["SUCCEEDED", "REJECTED", "FAILED", "CANCELLED", "DEAD_LETTERED"].contains(&state) {
            return None;
        }
        let id = |name: &str| row[name].as_str().and_then(|text| Uuid::try_parse(text).ok());
        Some(Self {
            command_id: id("command_id")?,
            command_type: records::short(row["command_type"].as_str().unwrap_or_default()).to_owned(),
            state: state.to_owned(),
            source_id: id("source_id"),
            version: row["version"].as_i64(),
            result: read(&row["result"]).unwrap_or_default(),
            preview: read(&row["preview"]).unwrap_or_default(),
            violations: read(&row["violations"]).unwrap_or_default(),
            problem: read(&row["problem"]),
            cancelled_by: row["cancelled_by"]["principal"].as_str().map(str::to_owned),
            dead_letter: read(&row["dead_letter"]),
            payload_sha256: row["payload_sha256"].as_str().map(str::to_owned),
        })
    }

    /// Whether it is a failure for whoever asked: also a test that was carried out and failed.
    pub fn is_failure(&self) -> bool {
        self.state != "SUCCEEDED" || self.result.get("test").is_some_and(|test| test == "FAILED")
    }

    /// The document of `--json`.
    pub fn document(&self) -> Json {
        json!({
            "command_id": self.command_id,
            "command_type": self.command_type,
            "state": self.state,
            "source_id": self.source_id,
            "version": self.version,
            "result": self.result,
            "preview": self.preview,
            "violations": self.violations,
            "problem": self.problem,
            "cancelled_by": self.cancelled_by,
            "dead_letter": self.dead_letter,
        })
    }

    /// For people: one line, and below it what they can act on.
    pub fn text(&self) -> String {
        let mut text = format!("{} {}", self.command_type, self.state.to_lowercase().replace('_', "-"));
        if let Some(source) = self.source_id {
            text.push_str(&format!("  source {source}"));
        }
        if let Some(version) = self.version {
            text.push_str(&format!("  version {version}"));
        }
        text.push_str(&format!("  command {}\n", self.command_id));
        let result: Vec<(&str, String)> =
            self.result.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        text.push_str(&pairs(&result));
        for line in &self.preview {
            text.push_str(&format!("would: {line}\n"));
        }
        if !self.violations.is_empty() {
            let rows = self.violations.iter().map(|one| [one.code.clone(), one.path.clone(), one.message.clone()]);
            text.push_str(&table(["code", "field", "what is wrong"], rows.collect()));
            text.push('\n');
        }
        if let Some(problem) = &self.problem {
            text.push_str(&problem_text(problem));
        }
        if let Some(by) = &self.cancelled_by {
            text.push_str(&format!("cancelled by {by}\n"));
        }
        if let Some(place) = &self.dead_letter {
            let number = format!("{}/{}", place.partition, place.offset);
            text.push_str(&format!("its work is a dead letter: pursight dead-letter show {number}\n"));
        }
        text
    }

    /// The whole report.
    pub fn report(&self) -> Report {
        Report::new(self.document(), self.text()).failed_if(self.is_failure())
    }
}

/// A problem with its remedy.
pub fn problem_text(problem: &Problem) -> String {
    let native = problem.native_code.as_deref().map(|code| format!(" ({code})")).unwrap_or_default();
    let mut text = format!("{}{native}: {}\n", problem.code, problem.message);
    if let Some(remedy) = &problem.remedy {
        text.push_str(&format!("  remedy: {remedy}\n"));
    }
    if let Some(sql) = &problem.remedy_sql {
        for line in sql.lines() {
            text.push_str(&format!("  {line}\n"));
        }
    }
    text
}

fn read<T: serde::de::DeserializeOwned>(value: &Json) -> Option<T> {
    serde_json::from_value(value.clone()).ok()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use pursight_schemas::{CommandRejected, CommandSucceeded, EventMeta};

    use super::*;

    fn meta() -> EventMeta {
        EventMeta { command_id: Some(Uuid::from_u128(1)), ..EventMeta::default() }
    }

    #[test]
    fn a_test_that_failed_is_a_failure_although_its_command_succeeded() {
        let event = |result: &str| {
            Event::from(CommandSucceeded {
                meta: meta(),
                command_type: "io.pursight.command.TestConnection".into(),
                result: [("test".to_owned(), result.to_owned())].into(),
                ..CommandSucceeded::default()
            })
        };
        assert!(Ended::of_event(&event("FAILED")).unwrap().report().failed);
        assert!(!Ended::of_event(&event("OK")).unwrap().report().failed);
    }

    #[test]
    fn a_refusal_tells_every_violation() {
        let violation = |code: &str| Violation { code: code.into(), path: "/spec".into(), message: "m".into() };
        let event = Event::from(CommandRejected {
            meta: meta(),
            command_type: "io.pursight.command.CreateDataSource".into(),
            violations: vec![violation("NAME_TAKEN"), violation("INVALID_FIELD")],
            ..CommandRejected::default()
        });
        let report = Ended::of_event(&event).unwrap().report();
        assert!(report.failed && report.text.contains("NAME_TAKEN") && report.text.contains("INVALID_FIELD"));
        assert_eq!(report.document["violations"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn a_row_tells_the_same_as_the_event() {
        let row = json!({
            "command_id": Uuid::from_u128(1), "command_type": "io.pursight.command.CreateDataSource",
            "state": "SUCCEEDED", "source_id": null, "version": 3, "result": {"a": "b"}, "preview": [],
        });
        let ended = Ended::of_row(&row).unwrap();
        let event = CommandSucceeded {
            meta: meta(),
            command_type: "io.pursight.command.CreateDataSource".into(),
            version: Some(3),
            result: [("a".to_owned(), "b".to_owned())].into(),
            ..CommandSucceeded::default()
        };
        assert_eq!(Some(ended), Ended::of_event(&event.into()));
        assert_eq!(Ended::of_row(&json!({"state": "ACCEPTED"})), None);
    }
}
