//! A login that a customer's server refuses, with a password that is a canary; afterwards everything that was written is
//! searched for it.

use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};
use pursight_schemas::Topic;

use super::SECRETS;
use crate::canary::{Canary, Found, Scan};
use crate::checks::{Place, Verdict, Violation};
use crate::customer::Customer;
use crate::system::System;
use crate::wait::eventually;

/// Runs it and scans.
///
/// # Errors
/// The system does not get ready, or the test does not end.
pub fn run(folder: &Path, fail_points: &str) -> Result<Verdict> {
    let mut system = System::bare()?;
    if !fail_points.is_empty() {
        system.settings.insert("FAILPOINTS".to_owned(), fail_points.to_owned());
    }
    system.run_workers()?;
    let customer = Customer::create()?;
    let port = customer.port.to_string();
    // The right role with another password.
    let canary = Canary::random("the password");
    let created = system.call_with(&customer.words("leak", &port), canary.text())?;
    ensure!(created.code == 0, "the source was not created: {created:?}");
    let tested = system.call(&["source", "test", "leak", "--json"])?;
    ensure!(tested.code == 1, "the test did not fail as a test: {tested:?}");
    eventually("the test in the read model", || {
        Ok((system.sql.row("SELECT count(*) AS n FROM pursight.connection_test")?["n"] != 0).then_some(()))
    })?;
    let shown = system.call(&["source", "show", "leak"])?;
    system.stop_workers("TERM")?;
    fs::create_dir_all(folder)?;
    let said = [("created", created), ("tested", tested), ("shown", shown)];
    let mut files: Vec<(String, Vec<u8>)> = said
        .into_iter()
        .map(|(name, answer)| (name.to_owned(), [answer.out, answer.err].concat().into_bytes()))
        .collect();
    files.push(("workers.log".to_owned(), system.log()?.into_bytes()));
    for topic in Topic::ALL {
        let values: Vec<Vec<u8>> = system.kafka.read(topic)?.into_iter().map(|read| read.value).collect();
        files.push((format!("topic {}", topic.short()), values.concat()));
    }
    for table in ["command", "connection_test", "run", "data_source", "audit", "source_statistics"] {
        let rows = system.sql.rows(&format!("SELECT * FROM pursight.{table}"))?;
        files.push((format!("table {table}"), serde_json::to_vec(&rows)?));
    }
    judged(folder, &canary, &files)
}

fn judged(folder: &Path, canary: &Canary, files: &[(String, Vec<u8>)]) -> Result<Verdict> {
    let scan = Scan::of(std::slice::from_ref(canary))?;
    let mut found: Vec<Found> = Vec::new();
    for (name, bytes) in files {
        fs::write(folder.join(name.replace(' ', "-")), bytes)?;
        found.extend(scan.bytes(name, bytes));
    }
    // Pieces lie within the whole: a person wants one line a place.
    found.retain(|one| one.whole);
    let violation = |one: &Found| Violation { check: SECRETS, place: Place::of(&one.place), what: one.to_string() };
    Ok(Verdict {
        check: SECRETS,
        promise: "no secret in a topic, a row, a log or an answer",
        judged: files.len(),
        violations: found.iter().map(violation).collect(),
    })
}
