//! Planted faults: switches that break one rule of the product each, and the proof that a check sees it. They exist only
//! in an executable built with the feature `failpoints` (`./dev chaos --planted` builds it); in the normal one there is
//! nothing of them. Beside each run under a switch stands the same run without it, which must be sound.

mod leak;
mod scenario;
mod table;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Instant;

use aho_corasick::AhoCorasick;
use anyhow::{Context as _, Result};
use serde::Serialize;
use serde_json::Value as Json;

pub use scenario::Scenario;
pub use table::text;

use crate::chaos;
use crate::checks::{Place, Verdict, judge};
use crate::history::History;

/// One rule that can be broken.
#[derive(Debug, Clone, Copy)]
pub struct Switch {
    /// Name of its fail point.
    pub name: &'static str,
    /// What brings it to light.
    pub scenario: Scenario,
    /// The checks that see it; one of them must.
    pub checks: &'static [&'static str],
}

/// Every switch, by scenario.
pub const SWITCHES: [Switch; 8] = [
    switch("planted::receipts-ignored", Scenario::Load, &["C2 terminal"]),
    switch("planted::attestation-not-bound-to-the-payload", Scenario::Load, &["C2 terminal"]),
    switch("planted::no-takeover-marker", Scenario::Load, &["C6 fenced"]),
    switch("planted::no-rewind-after-an-abort", Scenario::Aborts, &["C2 terminal"]),
    // Where only repeats were lost, each command has its outcome, and the trail lacks a line.
    switch("planted::offsets-outside-the-transaction", Scenario::Aborts, &["C2 terminal", "C2 audit"]),
    switch("planted::position-check-left-out", Scenario::Frozen, &["C9 fold", "C10 positions"]),
    switch("planted::overlay-kept-over-a-revoke", Scenario::Rebalanced, &["C6 fenced"]),
    switch("planted::password-in-an-error", Scenario::Login, &[SECRETS]),
];

/// Where a process can be made to die, at each step of a transaction.
pub const CRASH_POINTS: [&str; 4] =
    ["engine::before-begin", "engine::after-produce", "engine::after-send-offsets", "engine::after-commit"];

/// The check of the last: no secret anywhere.
pub const SECRETS: &str = "C14 secrets";

const fn switch(name: &'static str, scenario: Scenario, checks: &'static [&'static str]) -> Switch {
    Switch { name, scenario, checks }
}

/// How a run under a switch, or its control, came out.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    /// The switch; absent: the control.
    pub switch: Option<&'static str>,
    /// What was run.
    pub scenario: Scenario,
    /// Whether it is as it must be: caught by its check, or, of a control, sound.
    pub good: bool,
    /// The named check that caught it.
    pub caught_by: Option<&'static str>,
    /// Others that saw it, too.
    pub also: Vec<&'static str>,
    /// Seconds from the first operation until what gave it away was written, where a check names a record.
    pub evident_after_s: Option<f64>,
    /// Seconds from the start of the run, with its servers, to the verdict.
    pub caught_after_s: f64,
    /// What the check says first.
    pub says: String,
}

/// Runs every switch whose name contains `wanted`, each scenario's control before them; `told` hears of each at once.
///
/// # Errors
/// The harness itself could not do its work, or the executable has no fail points.
pub fn run(folder: &Path, wanted: &str, seed: u64, told: &dyn Fn(&Outcome)) -> Result<Vec<Outcome>> {
    has_fail_points()?;
    let mut all: Vec<Outcome> = Vec::new();
    for switch in SWITCHES.iter().filter(|switch| switch.name.contains(wanted)) {
        let controlled = all.iter().any(|one| one.switch.is_none() && one.scenario == switch.scenario);
        for planted in [None, Some(switch)].into_iter().skip(usize::from(controlled)) {
            let name =
                planted.map_or_else(|| format!("{:?}-control", switch.scenario), |one| one.name.replace("::", "-"));
            let outcome = one(&folder.join(name.to_lowercase()), switch.scenario, planted, seed);
            let outcome = outcome.with_context(|| name)?;
            told(&outcome);
            all.push(outcome);
        }
    }
    Ok(all)
}

/// The executable under test must hold the switches: a search that cannot find what is there proves nothing elsewhere.
fn has_fail_points() -> Result<()> {
    let found = fail_points_in(&crate::setting::executable()?)?;
    for switch in SWITCHES {
        let name = switch.name;
        anyhow::ensure!(
            found.contains(name),
            "the executable has no {name}; ./dev chaos --planted builds one that has"
        );
    }
    Ok(())
}

/// Names of the fail points that a program holds.
///
/// # Errors
/// It cannot be read.
pub fn fail_points_in(program: &Path) -> Result<BTreeSet<&'static str>> {
    let names: Vec<&'static str> = SWITCHES.iter().map(|switch| switch.name).chain(CRASH_POINTS).collect();
    let bytes = std::fs::read(program).with_context(|| program.display().to_string())?;
    let search = AhoCorasick::new(&names)?;
    Ok(search.find_iter(&bytes).map(|found| names[found.pattern().as_usize()]).collect())
}

/// One run, judged.
fn one(folder: &Path, scenario: Scenario, planted: Option<&Switch>, seed: u64) -> Result<Outcome> {
    let began = Instant::now();
    let points = scenario.fail_points(planted.map(|switch| switch.name));
    let (verdicts, history, open) = match scenario.plan(&points, seed) {
        Some(plan) => {
            if folder.join("plan.json").is_file() {
                std::fs::remove_dir_all(folder)?;
            }
            chaos::run(&plan, folder, false)?;
            let report = chaos::judge(folder)?;
            let history = History::load(folder)?;
            (judge(&history), history, report.open().to_vec())
        }
        None => (vec![leak::run(folder, &points)?], History::default(), Vec::new()),
    };
    let violated: Vec<&Verdict> = verdicts.iter().filter(|one| !one.violations.is_empty()).collect();
    let wanted = planted.map_or(&[][..], |switch| switch.checks);
    let named = violated.iter().find(|one| wanted.contains(&one.check));
    let first = named.or(violated.first()).and_then(|one| one.violations.first());
    Ok(Outcome {
        switch: planted.map(|switch| switch.name),
        scenario,
        good: if planted.is_some() { named.is_some() } else { violated.is_empty() && open.is_empty() },
        caught_by: named.map(|one| one.check),
        also: violated.iter().map(|one| one.check).filter(|check| Some(*check) != named.map(|one| one.check)).collect(),
        evident_after_s: named.and_then(|one| evident(&history, one)),
        caught_after_s: began.elapsed().as_secs_f64(),
        says: first.map(ToString::to_string).or_else(|| open.first().cloned()).unwrap_or_default(),
    })
}

/// When the first of the records that a verdict names was written, or seen.
fn evident(history: &History, verdict: &Verdict) -> Option<f64> {
    let start = history.operations.first()?.invoked_at_ms;
    let written = |place: &Place| {
        if place.at_ms.is_some() {
            return place.at_ms;
        }
        let topic = pursight_schemas::Topic::parse("", place.topic?)?;
        let at = (place.partition?, place.offset?);
        let record = history.committed(topic).iter().find(|record| (record.partition, record.offset) == at)?;
        Some(record.timestamp_ms)
    };
    let first = verdict.violations.iter().filter_map(|one| written(&one.place)).min()?;
    let milliseconds = i32::try_from(first - start).ok()?;
    Some(f64::from(milliseconds) / 1_000.0)
}

/// Whether every switch was caught and every control is sound.
pub fn is_proved(all: &[Outcome]) -> bool {
    !all.is_empty() && all.iter().all(|one| one.good)
}

/// As a document.
///
/// # Errors
/// Never, in practice: everything in it is plain.
pub fn document(all: &[Outcome]) -> Result<Json> {
    Ok(serde_json::json!({"proved": is_proved(all), "runs": serde_json::to_value(all)?}))
}
