//! The judgement of a run as it is told: which checks hold, what violates them and where, and the run's figures.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;
use serde_json::{Map, Value as Json, json};

use super::figures::figures;
use crate::checks::{self, Verdict};
use crate::history::{Folder, History};

/// Violations of one check that the text names; the document has all.
const NAMED: usize = 20;

/// One run, judged.
#[derive(Debug, Clone)]
pub struct Report {
    folder: String,
    seed: u64,
    /// What had not come to its end when the run's patience was over.
    open: Vec<String>,
    verdicts: Vec<Verdict>,
    figures: Map<String, Json>,
}

/// Judges a folder, and leaves the report in it.
///
/// # Errors
/// The folder cannot be read, or the report cannot be written.
pub fn judge(path: &Path) -> Result<Report> {
    let history = History::load(path)?;
    let folder = Folder::at(path);
    let report = Report {
        folder: path.display().to_string(),
        seed: history.plan.seed,
        open: folder.read("open")?,
        verdicts: checks::judge(&history),
        figures: figures(&history),
    };
    folder.write("report", &report.document())?;
    std::fs::write(path.join("report.txt"), report.text())?;
    Ok(report)
}

impl Report {
    /// Whether all work came to its end and no check found anything.
    pub fn is_sound(&self) -> bool {
        self.open.is_empty() && self.violations() == 0
    }

    /// What had not come to its end.
    pub fn open(&self) -> &[String] {
        &self.open
    }

    /// How many violations the checks found.
    pub fn violations(&self) -> usize {
        self.verdicts.iter().map(|verdict| verdict.violations.len()).sum()
    }

    /// Checks that found something.
    pub fn violated(&self) -> Vec<&'static str> {
        let violated = self.verdicts.iter().filter(|verdict| !verdict.violations.is_empty());
        violated.map(|verdict| verdict.check).collect()
    }

    /// Everything.
    pub fn document(&self) -> Json {
        json!({
            "seed": self.seed, "folder": self.folder, "sound": self.is_sound(), "not_ended": self.open,
            "checks": self.verdicts, "figures": self.figures,
        })
    }

    /// In one line.
    pub fn line(&self) -> String {
        let violations = self.violations();
        let figure = |name: &str| self.figures.get(name).map(Json::to_string).unwrap_or_default();
        format!(
            "seed {}: {} commands, {} kills, {} + {} restarts, {} s, {violations} violations ({})",
            self.seed,
            figure("commands"),
            figure("kills"),
            figure("broker_restarts"),
            figure("database_restarts"),
            figure("all_seconds"),
            self.folder,
        )
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut text = format!("\n{}\n", self.line());
        let _ = writeln!(text, "  {}  all work came to its end", verdict(self.open.is_empty()));
        listed(&mut text, &self.open);
        for one in &self.verdicts {
            let _ =
                writeln!(text, "  {}  {:16} {:>6} judged", verdict(one.violations.is_empty()), one.check, one.judged);
            listed(&mut text, &one.violations);
        }
        for (name, value) in &self.figures {
            let _ = writeln!(text, "  {name:32} {value}");
        }
        text
    }
}

fn verdict(holds: bool) -> &'static str {
    if holds { "holds   " } else { "VIOLATED" }
}

/// The first of them, a line each.
fn listed(text: &mut String, all: &[impl std::fmt::Display]) {
    for one in all.iter().take(NAMED) {
        // A String takes everything.
        let _ = writeln!(text, "              {one}");
    }
    if all.len() > NAMED {
        let _ = writeln!(text, "              and {} more, in report.json", all.len() - NAMED);
    }
}
