//! The language as others speak it: a Python client publishes every command and decodes every topic, and every event of
//! the contract is seen at least once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use pursight_schemas::{Event, Micros, Topic, json};
use pursight_tests::system::write_private;
use pursight_tests::{Customer, System, eventually, setting};
use serde_json::{Value as Json, json};
use uuid::Uuid;

fn python(system: &System, words: &[&str]) -> Result<Json> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(setting::get("PYTHON")?)
        .arg(root.join("clients/client.py"))
        .args(words)
        .envs(&system.settings)
        .env("SCHEMAS", root.join("../schemas"))
        .stdin(Stdio::null())
        .output()?;
    ensure!(output.status.success(), "client.py {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).context("the client prints JSON")
}

fn command(system: &System, kind: &str, fields: Json) -> Json {
    let mut command = json!({
        "type": kind,
        "meta": {"command_id": Uuid::new_v4().to_string(), "tenant_id": system.tenant, "actor": {"principal": "upstream", "type": "SERVICE"}}
    });
    if let (Json::Object(command), Json::Object(fields)) = (&mut command, fields) {
        command.extend(fields);
    }
    command
}

/// Publishes with the Python client; returns the outcomes by position.
fn publish(system: &System, commands: &[Json]) -> Result<Vec<Json>> {
    let file = system.folder.path().join(format!("{}.jsonl", Uuid::new_v4()));
    write_private(&file, &commands.iter().map(|command| format!("{command}\n")).collect::<String>())?;
    let outcomes = python(system, &["publish", &file.display().to_string()])?;
    Ok(outcomes.as_array().context("a list of outcomes")?.clone())
}

fn spec(customer: &Customer, name: &str, reference: &str) -> Json {
    json!({
        "name": name, "source_type": "POSTGRESQL", "location": "ON_PREM", "database": customer.database, "username": customer.user,
        "hosts": [{"host": customer.host, "port": customer.port}], "credential": {"uri": reference}
    })
}

fn seal(system: &System, password: &str) -> Result<String> {
    let answer = system.call_with(&["secret", "seal", "--json"], password)?;
    Ok(answer.json()?["reference"].as_str().with_context(|| format!("{answer:?}"))?.to_owned())
}

/// All event types on all topics, by the Python client's decoder.
fn seen(system: &System) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let topics: Vec<&str> = Topic::ALL.into_iter().map(Topic::short).collect();
    let decoded = python(system, &[["decode"].as_slice(), &topics].concat())?;
    let by_topic: BTreeMap<String, BTreeMap<String, u64>> = serde_json::from_value(decoded)?;
    Ok(by_topic.into_iter().map(|(topic, counts)| (topic, counts.into_keys().collect())).collect())
}

#[test]
fn a_foreign_client_speaks_every_command_and_every_event_is_seen() -> Result<()> {
    let mut system = System::start()?;
    let customer = Customer::create()?;
    customer.sql.run("CREATE SCHEMA shop; CREATE TABLE shop.orders(id bigint PRIMARY KEY, total numeric(10,2)); CREATE VIEW shop.open AS SELECT * FROM shop.orders")?;
    customer.sql.run("CREATE SCHEMA old; SELECT 1")?;
    for table in 0..12 {
        customer.sql.run(&format!("CREATE TABLE old.t{table}(id int)"))?;
    }
    customer.grant_all()?;
    let (good, bad) = (seal(&system, &customer.password)?, seal(&system, "not-the-password")?);
    let (main, broken, doomed) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());

    let every = [
        command(
            &system,
            "CreateDataSource",
            json!({"source_id": main, "spec": spec(&customer, "main", &good), "afterwards": "NOTHING"}),
        ),
        command(
            &system,
            "CreateDataSource",
            json!({"source_id": broken, "spec": spec(&customer, "broken", &bad), "afterwards": "TEST"}),
        ),
        command(
            &system,
            "CreateDataSource",
            json!({"source_id": doomed, "spec": spec(&customer, "doomed", &bad), "afterwards": "NOTHING"}),
        ),
        command(
            &system,
            "UpdateDataSource",
            json!({"source_id": main, "patch": {"description": "the shop"}, "clear": []}),
        ),
        command(&system, "SetFavorite", json!({"source_id": main, "favorite": true})),
        command(
            &system,
            "BulkUpdateDataSources",
            json!({"source_ids": [main, broken], "patch": {"environment": "TEST"}, "clear": []}),
        ),
        command(&system, "TestConnection", json!({"source_id": main})),
        command(&system, "DiscoverSchema", json!({"source_id": main})),
        command(&system, "CollectStatistics", json!({"source_id": main})),
        command(&system, "DiscoverSchema", json!({"source_id": broken})),
        command(&system, "CollectStatistics", json!({"source_id": broken})),
        command(&system, "CancelRun", json!({"run_id": Uuid::new_v4()})),
        command(&system, "PauseDataSource", json!({"source_id": main})),
        command(&system, "ResumeDataSource", json!({"source_id": main})),
        command(&system, "DeleteDataSource", json!({"source_id": main, "mode": "SOFT"})),
        command(&system, "RestoreDataSource", json!({"source_id": main})),
        command(&system, "DeleteDataSource", json!({"source_id": doomed, "mode": "PURGE"})),
    ];
    let outcomes = publish(&system, &every)?;
    for (command, outcome) in every.iter().zip(&outcomes) {
        let expected = match command["type"].as_str() {
            Some("CancelRun") => "CommandRejected",
            Some("DiscoverSchema" | "CollectStatistics") if command["source_id"] == json!(broken) => "CommandFailed",
            _ => "CommandSucceeded",
        };
        assert_eq!(outcome["outcome"], expected, "{command} -> {outcome}");
    }

    changes(&system, &customer, main)?;
    cancelled(&system, &customer)?;
    broken_off(&mut system)?;

    let known: BTreeSet<String> = Event::FULL_NAMES.iter().map(|name| json::short(name).to_owned()).collect();
    let missing = eventually("every event was seen", || {
        let all: BTreeSet<String> = seen(&system)?.into_values().flatten().collect();
        let missing: Vec<_> = known.difference(&all).cloned().collect();
        Ok(missing.is_empty().then_some(missing))
    });
    if let Err(error) = missing {
        let all: BTreeSet<String> = seen(&system)?.into_values().flatten().collect();
        let never: Vec<_> = known.difference(&all).collect();
        return Err(error.context(format!("never seen on any topic: {never:?}")));
    }
    let by_registry =
        python(&system, &["registry", "command", "source", "outcome", "schema", "statistics", "connection", "audit"])?;
    ensure!(by_registry["outcome"].as_u64() > Some(20), "{by_registry}");
    system.kafka.send(&system.tenant, b"garbage", &[], None)?;
    eventually("the dead letter is there", || {
        Ok((python(&system, &["decode", "dead-letter"])?["dead-letter"]["sealed"] == 1).then_some(()))
    })
}

/// A change, an unreadable object, a held deletion and its confirmation.
fn changes(system: &System, customer: &Customer, main: Uuid) -> Result<()> {
    customer.sql.run("ALTER TABLE shop.orders ADD COLUMN note text; DROP SCHEMA old CASCADE")?;
    let held = command(system, "DiscoverSchema", json!({"source_id": main}));
    let outcome = &publish(system, std::slice::from_ref(&held))?[0];
    ensure!(outcome["result"]["held"] == "12", "{outcome}");
    let confirm = command(system, "ConfirmDeletions", json!({"source_id": main, "run_id": held["meta"]["command_id"]}));
    let outcome = &publish(system, &[confirm])?[0];
    ensure!(outcome["result"]["dropped"] == "12", "{outcome}");
    customer
        .sql
        .run("BEGIN; ALTER TABLE shop.orders ADD COLUMN locked int; ALTER VIEW shop.open SET (security_barrier)")?;
    let full = command(system, "DiscoverSchema", json!({"source_id": main, "full": true}));
    let outcome = &publish(system, &[full])?[0];
    customer.sql.run("ROLLBACK")?;
    ensure!(outcome["result"]["unreadable"].as_str() > Some("0"), "{outcome}");
    Ok(())
}

/// A discovery of a server that never answers, cancelled.
fn cancelled(system: &System, customer: &Customer) -> Result<()> {
    let silent = std::net::TcpListener::bind("127.0.0.1:0")?;
    let id = Uuid::now_v7();
    let mut spec = spec(customer, "silent", &seal(system, "whatever")?);
    spec["hosts"] = json!([{"host": "127.0.0.1", "port": silent.local_addr()?.port()}]);
    publish(
        system,
        &[command(system, "CreateDataSource", json!({"source_id": id, "spec": spec, "afterwards": "NOTHING"}))],
    )?;
    let run = Uuid::new_v4().to_string();
    let mut discover = command(system, "DiscoverSchema", json!({"source_id": id}));
    discover["meta"]["command_id"] = json!(run);
    let answer = system.call_with(&["send", "-", "--json", "--no-wait"], &format!("{discover}\n"))?;
    ensure!(answer.code == 0, "{answer:?}");
    eventually("the discovery started", || {
        let started = system
            .kafka
            .events(Topic::Schema)?
            .into_iter()
            .any(|event| matches!(event, Event::DiscoveryStarted(started) if started.run_id.to_string() == run));
        Ok(started.then_some(()))
    })?;
    system.must(&["run-cancel", &run])?;
    let answer = system.call(&["command", "show", &run, "--wait", "--json"])?;
    ensure!(answer.json()?["state"] == "CANCELLED", "{answer:?}");
    Ok(())
}

/// A run whose workers are killed three times is given up.
fn broken_off(system: &mut System) -> Result<()> {
    let silent = std::net::TcpListener::bind("127.0.0.1:0")?;
    let run = Uuid::new_v4().to_string();
    let reference = seal(system, "whatever")?;
    let draft = json!({"name": "draft", "source_type": "POSTGRESQL", "location": "ON_PREM", "database": "d", "username": "u", "credential": {"uri": reference},
        "hosts": [{"host": "127.0.0.1", "port": silent.local_addr()?.port()}], "options": {"connect_timeout_s": "10"}});
    let mut test = command(system, "TestConnection", json!({"draft": draft}));
    test["meta"]["command_id"] = json!(run);
    let soon =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)? + std::time::Duration::from_secs(600);
    test["meta"]["deadline"] = json!(Micros(i64::try_from(soon.as_micros())?).rfc3339());
    let answer = system.call_with(&["send", "-", "--json", "--no-wait"], &format!("{test}\n"))?;
    ensure!(answer.code == 0, "{answer:?}");
    for _ in 0..3 {
        silent.set_nonblocking(true)?;
        let mut held = Vec::new();
        eventually("the test reached the server", || match silent.accept() {
            Ok((stream, _)) => {
                held.push(stream);
                Ok(Some(()))
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error.into()),
        })
        .with_context(|| format!("{:?}", system.call(&["command", "show", &run, "--json"])))?;
        system.stop_workers("KILL")?;
        system.run_workers()?;
    }
    eventually("the run was given up", || {
        let given_up = system
            .kafka
            .events(Topic::Outcome)?
            .into_iter()
            .any(|event| matches!(event, Event::CommandDeadLettered(_)));
        Ok(given_up.then_some(()))
    })
}
