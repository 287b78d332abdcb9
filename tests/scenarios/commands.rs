//! Every command and every refusal through the real broker: exit code, outcome, events, row, audit; repeats and forgeries.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use pursight_attestation::{Claims, HEADER, Permission, Publisher, SigningKey};
use pursight_schemas::{Event, Micros, Topic, json};
use pursight_tests::{System, eventually};
use serde_json::{Value as Json, json};
use uuid::Uuid;

/// Most live sources of the tenant, so that the quota can be reached.
const QUOTA: usize = 5;

fn source(number: u128) -> Uuid {
    Uuid::from_u128(0x018f_4f5e_7c1a_7d2b_9a55_0000_0000_0000 + number)
}

/// Nobody listens there: runs end soon, and badly.
fn spec(name: &str) -> Json {
    json!({
        "name": name, "source_type": "POSTGRESQL", "location": "ON_PREM",
        "hosts": [{"host": "127.0.0.1", "port": 1}], "database": "shop", "username": "reader",
    })
}

fn with(name: &str, member: &str, value: Json) -> Json {
    let mut spec = spec(name);
    spec[member] = value;
    json!({"spec": spec})
}

fn system() -> Result<System> {
    let mut system = System::bare()?;
    system.settings.insert("PURSIGHT_SOURCES_PER_TENANT".to_owned(), QUOTA.to_string());
    system.run_workers()?;
    Ok(system)
}

/// One command and what must become of it.
struct Row(&'static str, Json, i32, &'static str, &'static str);

/// In order: later rows stand on earlier ones.
fn rows() -> Vec<Row> {
    let of = |number: u128| json!({"source_id": source(number)});
    let deleting = |number: u128, mode: &str| json!({"source_id": source(number), "mode": mode});
    let patching = |number: u128, patch: Json| json!({"source_id": source(number), "patch": patch});
    let creating = |number: u128, name: &str| json!({"source_id": source(number), "spec": spec(name)});
    let mysql = {
        let mut body = creating(4, "mysql");
        body["spec"]["source_type"] = json!("MYSQL");
        body
    };
    let stale = {
        let mut body = patching(1, json!({"owner": "ada"}));
        body["meta"] = json!({"expected_version": 99});
        body
    };
    let dry = json!({"spec": spec("never"), "meta": {"dry_run": true}});
    let secret = json!({"api_key": "x"});
    let plain = json!({"uri": "hunter2"});
    let cloud = json!({"location": "CLOUD", "tls": {"mode": "DISABLE"}});
    let bulk = |ids: &[u128], patch: Json| json!({"source_ids": ids.iter().map(|one| source(*one)).collect::<Vec<_>>(), "patch": patch});
    vec![
        Row("CreateDataSource", creating(1, "orders"), 0, "SUCCEEDED", "DataSourceCreated"),
        Row("CreateDataSource", creating(2, "ORDERS"), 1, "REJECTED", "NAME_TAKEN"),
        Row("CreateDataSource", dry, 0, "SUCCEEDED", ""),
        Row("CreateDataSource", creating(2, "ledger"), 0, "SUCCEEDED", "DataSourceCreated"),
        Row("CreateDataSource", creating(3, "shop"), 0, "SUCCEEDED", "DataSourceCreated"),
        Row("CreateDataSource", mysql, 0, "SUCCEEDED", "DataSourceCreated"),
        Row("CreateDataSource", with("x", "hosts", json!([])), 1, "REJECTED", "INVALID_FIELD"),
        Row("CreateDataSource", with("x", "options", json!({"sslmode": "allow"})), 1, "REJECTED", "UNKNOWN_OPTION"),
        Row("CreateDataSource", with("x", "properties", secret), 1, "REJECTED", "SECRET_IN_PROPERTIES"),
        Row("CreateDataSource", with("x", "credential", plain), 1, "REJECTED", "PLAINTEXT_SECRET"),
        Row("UpdateDataSource", patching(1, json!({"owner": "ada"})), 0, "SUCCEEDED", "DataSourceUpdated"),
        Row("UpdateDataSource", patching(1, cloud), 1, "REJECTED", "TLS_DOWNGRADE"),
        Row("UpdateDataSource", stale, 1, "REJECTED", "VERSION_CONFLICT"),
        Row("UpdateDataSource", json!({"source_id": source(1), "clear": ["colour"]}), 1, "REJECTED", "UNKNOWN_FIELD"),
        Row("UpdateDataSource", patching(9, json!({"owner": "ada"})), 1, "REJECTED", "UNKNOWN_SOURCE"),
        Row("BulkUpdateDataSources", bulk(&[1, 9], json!({"owner": "eve"})), 1, "REJECTED", "UNKNOWN_SOURCE"),
        Row(
            "BulkUpdateDataSources",
            bulk(&[1, 2], json!({"environment": "TEST"})),
            0,
            "SUCCEEDED",
            "DataSourceUpdated DataSourceUpdated",
        ),
        Row(
            "BulkUpdateDataSources",
            json!({"filter": {"environments": ["TEST"], "name_glob": "LED*"}, "patch": {"tags": ["eu"]}}),
            0,
            "SUCCEEDED",
            "DataSourceUpdated",
        ),
        Row("SetFavorite", json!({"source_id": source(1), "favorite": true}), 0, "SUCCEEDED", "FavoriteSet"),
        Row("TestConnection", of(1), 1, "SUCCEEDED", ""),
        Row("TestConnection", json!({"draft": spec("draft")}), 1, "SUCCEEDED", ""),
        Row("TestConnection", of(4), 1, "REJECTED", "UNSUPPORTED_TYPE"),
        Row("DiscoverSchema", of(1), 1, "FAILED", ""),
        Row("CollectStatistics", of(1), 1, "FAILED", ""),
        Row("ConfirmDeletions", json!({"source_id": source(1), "run_id": source(77)}), 1, "REJECTED", "UNKNOWN_RUN"),
        Row("CancelRun", json!({"run_id": source(77)}), 1, "REJECTED", "UNKNOWN_RUN"),
        Row("PauseDataSource", of(1), 0, "SUCCEEDED", "DataSourcePaused"),
        Row("TestConnection", of(1), 1, "REJECTED", "SOURCE_PAUSED"),
        Row("ResumeDataSource", of(1), 0, "SUCCEEDED", "DataSourceResumed"),
        Row("RestoreDataSource", of(1), 1, "REJECTED", "SOURCE_NOT_DELETED"),
        Row("DeleteDataSource", deleting(1, "SOFT"), 0, "SUCCEEDED", "DataSourceDeleted"),
        Row("PauseDataSource", of(1), 1, "REJECTED", "SOURCE_DELETED"),
        Row("RestoreDataSource", of(1), 0, "SUCCEEDED", "DataSourceRestored"),
        Row("CreateDataSource", creating(5, "fifth"), 0, "SUCCEEDED", "DataSourceCreated"),
        Row("CreateDataSource", creating(6, "sixth"), 1, "REJECTED", "QUOTA_EXCEEDED"),
        Row("DeleteDataSource", deleting(1, "PURGE"), 0, "SUCCEEDED", "DataSourceDeleted"),
        Row("RestoreDataSource", of(1), 1, "REJECTED", "SOURCE_DELETED"),
    ]
}

/// Sends one command: checks exit code, state and code as the command line tells them.
fn send(system: &System, row: &Row, id: Uuid) -> Result<()> {
    let Row(kind, body, code, state, expected) = row;
    let mut command = body.clone();
    command["type"] = json!(kind);
    let mut meta = body.get("meta").cloned().unwrap_or_else(|| json!({}));
    meta["command_id"] = json!(id);
    command["meta"] = meta;
    let (exit, outcome) = system.send(&command)?;
    let told = outcome.get(0).unwrap_or(&outcome);
    ensure!(exit == *code && told["state"] == **state, "{kind} {body}: exit {exit}, {told}");
    if *state == "REJECTED" {
        ensure!(told["violations"][0]["code"] == **expected, "{kind} {body}: {told}");
    }
    Ok(())
}

/// What one command left behind: events, exactly one terminal outcome, a row, a line of the trail.
fn left(system: &System, row: &Row, id: Uuid, events: &[Event], outcomes: &[Event]) -> Result<()> {
    let Row(kind, body, _, state, expected) = row;
    let rejected = *state == "REJECTED";
    let of_command = |event: &&Event| event.meta().command_id == Some(id);
    let names: Vec<&str> = events.iter().filter(of_command).map(|event| json::short(event.full_name())).collect();
    ensure!(names.join(" ") == if rejected { "" } else { expected }, "{kind} {body}: {names:?}");
    let ends = outcomes.iter().filter(of_command).filter(|event| is_end(event)).count();
    ensure!(ends == 1, "{kind} {body}: {ends} terminal outcomes");
    let stored = system.sql.row(&format!("SELECT state FROM pursight.command WHERE command_id = '{id}'"))?;
    ensure!(stored["state"] == **state, "{kind} {body}: {stored}");
    let audit = audited(system, id)?;
    ensure!(audit == [if rejected { "REJECTED" } else { "ACCEPTED" }], "{kind} {body}: {audit:?}");
    Ok(())
}

fn is_end(event: &Event) -> bool {
    !matches!(event, Event::CommandAccepted(_) | Event::CommandProgressed(_))
}

/// The lines of the trail about a command, once there is one.
fn audited(system: &System, id: Uuid) -> Result<Vec<String>> {
    let query = format!("SELECT decision FROM pursight.audit WHERE command_id = '{id}' ORDER BY log_offset");
    eventually("the audit row", || {
        let rows = system.sql.rows(&query)?;
        let decisions = rows.iter().map(|row| row["decision"].as_str().unwrap_or_default().to_owned());
        Ok((!rows.is_empty()).then(|| decisions.collect()))
    })
}

#[test]
fn every_command_and_every_refusal_is_decided_stored_and_audited() -> Result<()> {
    let system = system()?;
    let mut rows = rows();
    // The only refusal that needs a run that has ended.
    let test = rows.iter().position(|row| row.0 == "TestConnection").context("a test")? as u128;
    rows.push(Row("CancelRun", json!({"run_id": source(1_000 + test)}), 1, "REJECTED", "RUN_ENDED"));
    let numbered = || rows.iter().enumerate().map(|(at, row)| (row, source(1_000 + at as u128)));
    for (row, id) in numbered() {
        send(&system, row, id)?;
    }
    let (events, outcomes) = (system.kafka.events(Topic::Source)?, system.kafka.events(Topic::Outcome)?);
    for (row, id) in numbered() {
        left(&system, row, id, &events, &outcomes)?;
    }

    let mut versions: BTreeMap<Uuid, i64> = BTreeMap::new();
    for event in &events {
        let Some(source) = event.meta().source_id else { continue };
        let last = versions.insert(source, event.meta().sequence).unwrap_or_default();
        assert_eq!(event.meta().sequence, last + 1, "{source}");
    }
    let stored = system.sql.rows("SELECT source_id, version, state FROM pursight.data_source")?;
    assert_eq!(stored.len(), versions.len());
    for row in stored {
        let id: Uuid = row["source_id"].as_str().context("an id")?.parse()?;
        assert_eq!(row["version"], json!(versions[&id]), "{row}");
    }
    let codes: BTreeSet<&str> = rows.iter().filter(|row| row.3 == "REJECTED").map(|row| row.4).collect();
    assert_eq!(codes.len() + 1, 17, "every code of a refusal, but PERMISSION_DENIED, which is below: {codes:?}");
    Ok(())
}

/// A publisher with a key of its own.
struct Forger {
    key: SigningKey,
    issuer: &'static str,
    permissions: Vec<Permission>,
}

impl Forger {
    fn value(&self, id: Uuid, tenant: &str, name: &str) -> Result<Vec<u8>> {
        let meta = json!({"command_id": id, "tenant_id": tenant, "actor": {"principal": "ada", "type": "USER"}});
        let command = json!({"type": "CreateDataSource", "meta": meta, "spec": spec(name)});
        let framed = json::read(&command).map_err(|problems| anyhow::anyhow!("{problems:?}"))?;
        Ok(framed.bytes)
    }

    fn signature(&self, id: Uuid, tenant: &str, value: &[u8]) -> Result<String> {
        let publisher = Publisher {
            issuer: self.issuer.to_owned(),
            tenant: tenant.to_owned(),
            subject: "ada".to_owned(),
            permissions: self.permissions.clone(),
        };
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
        let at = Micros(i64::try_from(now.as_micros())?);
        Ok(self.key.sign(&Claims::of(publisher, id, value, at)?))
    }
}

#[test]
fn repeats_change_nothing_and_what_cannot_be_believed_is_a_dead_letter() -> Result<()> {
    let system = system()?;
    let path = |name: &str| system.folder.path().join(name).display().to_string();
    // Trusted, but for looking only, and for this tenant only.
    system.key("viewer", &system.tenant, &["scan.view"], &path("viewer.pem"))?;
    let all = Permission::ALL.to_vec();
    let key = |file: &str| SigningKey::load(file);
    let publisher =
        Forger { key: key(&system.settings["PURSIGHT_SIGNING_KEY"])?, issuer: "tests", permissions: all.clone() };
    let viewer = Forger { key: key(&path("viewer.pem"))?, issuer: "viewer", permissions: all };
    let tenant = system.tenant.clone();
    let id = source(1);
    let value = publisher.value(id, &tenant, "orders")?;
    let signature = publisher.signature(id, &tenant, &value)?;
    let good = [(HEADER, signature.as_str())];
    let other = publisher.value(id, &tenant, "others")?;
    let other_signature = publisher.signature(id, &tenant, &other)?;
    let foreign = viewer.value(source(2), "other", "orders")?;
    let foreign_signature = viewer.signature(source(2), "other", &foreign)?;
    let denied = viewer.value(source(3), &tenant, "denied")?;
    let denied_signature = viewer.signature(source(3), &tenant, &denied)?;

    let mut expected: Vec<((i32, i64), &str)> = Vec::new();
    let kafka = &system.kafka;
    kafka.send(&tenant, &value, &good, None)?;
    kafka.send(&tenant, &value, &good, None)?;
    kafka.send(&tenant, &denied, &[(HEADER, &denied_signature)], None)?;
    expected.push((kafka.send(&tenant, &other, &[(HEADER, &other_signature)], None)?, "PAYLOAD_MISMATCH"));
    expected.push((kafka.send(&tenant, b"garbage", &good, None)?, "UNDECODABLE"));
    expected.push((kafka.send(&tenant, &value[..value.len() - 1], &good, None)?, "UNDECODABLE"));
    expected.push((kafka.send(&tenant, &other, &[], None)?, "ATTESTATION_MISSING"));
    expected.push((kafka.send(&tenant, &other, &good, None)?, "ATTESTATION_INVALID"));
    expected.push((kafka.send("other", &foreign, &[(HEADER, &foreign_signature)], None)?, "WRONG_TENANT"));
    let wrong = (pursight_schemas::topics::partition_of(tenant.as_bytes(), 12) + 1) % 12;
    expected.push((kafka.send(&tenant, &value, &good, Some(wrong))?, "MISROUTED"));

    let letters = eventually("all dead letters", || {
        let letters = kafka.read(Topic::DeadLetter)?;
        Ok((letters.len() == expected.len()).then_some(letters))
    })?;
    let place = |name: &str, letter: &pursight_tests::Read| letter.header(name).unwrap_or_default().to_owned();
    let mut found: Vec<((i32, i64), String)> = Vec::new();
    for letter in &letters {
        let at = (place("pursight-dlq-partition", letter).parse()?, place("pursight-dlq-offset", letter).parse()?);
        found.push((at, place("pursight-dlq-code", letter)));
    }
    found.sort();
    expected.sort_unstable();
    assert_eq!(found.iter().map(|(at, code)| (*at, code.as_str())).collect::<Vec<_>>(), expected);

    let outcomes = kafka.events(Topic::Outcome)?;
    let ends: Vec<&str> =
        outcomes.iter().filter(|event| is_end(event)).map(|event| json::short(event.full_name())).collect();
    let ends: Vec<&str> = ends.into_iter().filter(|name| *name != "OwnershipTaken").collect();
    assert_eq!(ends, ["CommandSucceeded", "CommandRejected"], "one outcome a command, none a forgery");
    let Some(Event::CommandRejected(no)) = outcomes.iter().find(|event| event.meta().command_id == Some(source(3)))
    else {
        anyhow::bail!("no refusal");
    };
    assert_eq!(no.violations[0].code, "PERMISSION_DENIED");
    let count = expected.len() + 3;
    let audits = eventually("all audit rows", || {
        let rows = system.sql.rows("SELECT decision, count(*) AS lines FROM pursight.audit GROUP BY decision")?;
        let lines: i64 = rows.iter().filter_map(|row| row["lines"].as_i64()).sum();
        Ok((lines == count as i64).then_some(rows))
    })?;
    let lines: BTreeMap<&str, i64> =
        audits.iter().filter_map(|row| Some((row["decision"].as_str()?, row["lines"].as_i64()?))).collect();
    let refused = expected.len() as i64;
    assert_eq!(
        lines,
        BTreeMap::from([("ACCEPTED", 1), ("REPEATED", 1), ("REJECTED", 1), ("REFUSED_UNVERIFIED", refused)])
    );
    let stored = system.sql.rows("SELECT code FROM pursight.dead_letter")?;
    assert_eq!(stored.len(), expected.len());
    assert_eq!(kafka.events(Topic::Source)?.iter().filter(|event| event.meta().source_id.is_some()).count(), 1);
    Ok(())
}
