//! `pursight doctor`: every dependency, version, right and setting, each with its verdict and its remedy. This file has
//! the verdicts and the report; what is looked at is in the files beside it.

mod database;
mod files;
mod kafka;

use clap::Args;
use serde_json::{Value as Json, json};

use crate::context::Context;
use crate::error::CliError;
use crate::report::{Progress, Report, table};

/// Look at every dependency, version, right and setting, and say what to do where something is wrong
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pursight doctor
  pursight doctor --json

Exit codes: 0 nothing failed; 1 something failed; 3 the broker or the database does not answer")]
pub struct Doctor {}

/// How a look ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Ok,
    Warn,
    Fail,
    Away,
}

impl Verdict {
    const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail | Self::Away => "FAIL",
        }
    }
}

/// One look.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Finding {
    what: String,
    verdict: Verdict,
    found: String,
    remedy: String,
}

impl Finding {
    fn ok(what: impl Into<String>, found: impl Into<String>) -> Self {
        Self { what: what.into(), verdict: Verdict::Ok, found: found.into(), remedy: String::new() }
    }

    fn warn(what: impl Into<String>, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), verdict: Verdict::Warn, found: found.into(), remedy: remedy.into() }
    }

    fn fail(what: impl Into<String>, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), verdict: Verdict::Fail, found: found.into(), remedy: remedy.into() }
    }

    /// An error of the command line as a finding.
    fn of_error(what: &str, error: &CliError) -> Self {
        let verdict = if matches!(error, CliError::Unreachable { .. }) { Verdict::Away } else { Verdict::Fail };
        let remedy = error.remedy().to_owned();
        Self { what: what.to_owned(), verdict, found: error.to_string(), remedy }
    }
}

/// Runs it.
pub async fn run(_: &Doctor, context: &Context) -> Result<Report, CliError> {
    let progress = Progress::start("looking");
    let mut findings = files::look(context);
    findings.extend(kafka::look(context).await);
    findings.extend(database::look(context).await);
    drop(progress);
    let documents: Vec<Json> = findings
        .iter()
        .map(|one| json!({"check": one.what, "state": one.verdict.word().to_lowercase(), "found": one.found, "remedy": one.remedy}))
        .collect();
    let rows = findings
        .iter()
        .map(|one| [one.verdict.word().to_owned(), one.what.clone(), one.found.clone(), one.remedy.clone()])
        .collect();
    let any = |verdict: Verdict| findings.iter().any(|one| one.verdict == verdict);
    let mut report = Report::new(json!(documents), table(["", "what", "found", "what to do"], rows));
    report.failed = any(Verdict::Fail);
    report.unreachable = any(Verdict::Away);
    Ok(report)
}
