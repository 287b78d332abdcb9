//! `pursight source test` as people use it: each way of failing has its own code and remedy, ends in time with exit code 1,
//! and a remedy that is SQL makes the next test pass. (Certificates and servers without TLS: `common/connectors/tests`.)

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use pursight_tests::system::free_port;
use pursight_tests::{Customer, System};
use serde_json::{Value as Json, json};

/// Registers a source that differs from the right one as `change` says.
fn register(
    system: &System,
    customer: &Customer,
    name: &str,
    password: &str,
    change: impl Fn(&mut Json),
) -> Result<()> {
    let mut spec = json!({
        "name": name, "source_type": "POSTGRESQL", "location": "ON_PREM", "database": customer.database, "username": customer.user,
        "hosts": [{"host": customer.host, "port": customer.port}]
    });
    change(&mut spec);
    let file = system.folder.path().join(format!("{name}.json"));
    std::fs::write(&file, spec.to_string())?;
    let file = file.display().to_string();
    let answer = system.call_with(&["source", "create", "--spec", &file, "--password-stdin"], password)?;
    ensure!(answer.code == 0, "{name}: {answer:?}");
    Ok(())
}

/// Tests a source: exit code, what people see, and the JSON document.
fn test(system: &System, name: &str) -> Result<(i32, String, Json)> {
    let began = Instant::now();
    let answer = system.call(&["source", "test", name])?;
    ensure!(began.elapsed() < Duration::from_secs(13), "{name} took {:?}", began.elapsed());
    let json = system.call(&["source", "test", name, "--json"])?.json()?;
    Ok((answer.code, format!("{}{}", answer.out, answer.err), json))
}

/// The first text under this key, wherever it stands.
fn find<'j>(json: &'j Json, key: &str) -> Option<&'j str> {
    match json {
        Json::Object(fields) => {
            let own = fields.get(key).and_then(Json::as_str);
            own.or_else(|| fields.values().find_map(|value| find(value, key)))
        }
        Json::Array(items) => items.iter().find_map(|value| find(value, key)),
        _ => None,
    }
}

#[test]
fn each_failure_has_its_code_and_its_remedy() -> Result<()> {
    let system = System::start()?;
    let customer = Customer::create()?;
    customer.sql.run("CREATE TABLE public.t(id int)")?;
    customer.grant_all()?;
    let silent = std::net::TcpListener::bind("127.0.0.1:0")?;
    let (closed, mute) = (free_port()?, silent.local_addr()?.port());
    let right = customer.password.as_str();

    register(&system, &customer, "right", right, |_| ())?;
    register(&system, &customer, "password", "wrong", |_| ())?;
    register(&system, &customer, "port", right, |spec| spec["hosts"] = json!([{"host": "127.0.0.1", "port": closed}]))?;
    register(&system, &customer, "host", right, |spec| spec["hosts"] = json!([{"host": "nowhere.invalid"}]))?;
    register(&system, &customer, "silent", right, |spec| spec["hosts"] = json!([{"host": "127.0.0.1", "port": mute}]))?;
    register(&system, &customer, "database", right, |spec| spec["database"] = json!("nothing_here"))?;
    register(&system, &customer, "authority", right, |spec| spec["tls"] = json!({"mode": "VERIFY_FULL"}))?;
    register(&system, &customer, "egress", right, |spec| spec["hosts"] = json!([{"host": "10.11.12.13"}]))?;

    let (code, _, _) = test(&system, "right")?;
    ensure!(code == 0, "the right settings failed");
    let mut remedies = Vec::new();
    for (name, expected) in [
        ("password", "AUTHENTICATION_FAILED"),
        ("port", "CONNECTION_REFUSED"),
        ("host", "HOST_NOT_FOUND"),
        ("silent", "CONNECT_TIMEOUT"),
        ("database", "DATABASE_NOT_FOUND"),
        ("authority", "TLS_FAILED"),
        ("egress", "EGRESS_DENIED"),
    ] {
        let (code, said, json) = test(&system, name)?;
        ensure!(code == 1 && said.contains(expected), "{name}: {code} {said}");
        let remedy = find(&json, "remedy").with_context(|| format!("{name} has no remedy: {json}"))?.to_owned();
        ensure!(
            said.contains(remedy.split_whitespace().next().unwrap_or_default()),
            "{name}: the remedy is not shown: {said}"
        );
        ensure!(!said.contains(right), "{name}: the password is shown");
        remedies.push(remedy);
    }
    let distinct: std::collections::BTreeSet<_> = remedies.iter().collect();
    ensure!(distinct.len() == remedies.len(), "remedies repeat: {remedies:?}");
    Ok(())
}

#[test]
fn a_remedy_in_sql_makes_the_next_test_pass() -> Result<()> {
    let system = System::start()?;
    let customer = Customer::create()?;
    customer.sql.run("CREATE SCHEMA \"Odd one\"; CREATE TABLE \"Odd one\".t(id int)")?;
    customer.sql.run(&format!("REVOKE CONNECT ON DATABASE {} FROM PUBLIC", customer.database))?;
    register(&system, &customer, "mine", &customer.password, |_| ())?;
    for what in ["CONNECT", "SELECT"] {
        let (code, said, json) = test(&system, "mine")?;
        ensure!(code == 1 && said.contains("MISSING_GRANT"), "without {what}: {code} {said}");
        let sql = find(&json, "remedy_sql").with_context(|| format!("no statements for {what}: {json}"))?;
        ensure!(sql.contains(what), "{sql}");
        customer.sql.run(sql)?;
    }
    let (code, said, _) = test(&system, "mine")?;
    ensure!(code == 0, "{said}");
    Ok(())
}
