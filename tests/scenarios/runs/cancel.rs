//! A cancel takes effect within ten seconds, on the customer's server too.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use pursight_tests::proxy::Fault;
use pursight_tests::{Customer, eventually};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::{SCHEMA, Stage, id_of, sessions};

const WITHIN: Duration = Duration::from_secs(10);

/// The customer's server is slow at what the product asks: a system view of this database sleeps.
fn slow_down(customer: &Customer, view: &str) -> Result<()> {
    customer.sql.run(&format!(
        "SET allow_system_table_mods = on; ALTER VIEW pg_catalog.{view} RENAME TO quick_{view};
         CREATE VIEW pg_catalog.{view} AS SELECT q.* FROM pg_catalog.quick_{view} q WHERE pg_sleep(600) IS NOT NULL;
         GRANT SELECT ON pg_catalog.{view} TO PUBLIC"
    ))
}

fn speed_up(customer: &Customer, view: &str) -> Result<()> {
    customer.sql.run(&format!("DROP VIEW pg_catalog.{view}; ALTER VIEW pg_catalog.quick_{view} RENAME TO {view}"))
}

/// Cancels the run, which is asleep on the server, and checks all that a cancel promises.
fn cancel(stage: &Stage, customer: &Customer, run: &Json) -> Result<Duration> {
    let asked = Instant::now();
    stage.system.must(&["run-cancel", &id_of(run)])?;
    let acknowledged = Instant::now();
    let row = stage.ended(run)?;
    ensure!(row["state"] == "CANCELLED", "{row}");
    eventually("no session is left", || Ok(sessions(&customer.sql, &customer.user)?.is_empty().then_some(())))?;
    let took = acknowledged.elapsed();
    ensure!(took < WITHIN, "{took:?} after the acknowledgement, which took {:?}", acknowledged - asked);
    let told = stage.told(run)?;
    ensure!(told["state"] == "CANCELLED", "{told}");
    ensure!(stage.ends(run)? == (1, 1), "{:?}", stage.ends(run)?);
    Ok(took)
}

fn asleep(customer: &Customer, run: &Json) -> Result<()> {
    let name = format!("pursight/{}", id_of(run));
    eventually("the run is asleep on the server", || {
        let sessions = sessions(&customer.sql, &customer.user)?;
        let ours = sessions.iter().any(|s| s["application_name"] == json!(name) && s["wait_event"] == "PgSleep");
        Ok(ours.then_some(()))
    })
}

#[test]
fn a_run_of_any_kind_is_cancelled_within_ten_seconds_and_leaves_no_session() -> Result<()> {
    let customer = Customer::create()?;
    customer.sql.run(SCHEMA)?;
    customer.grant_all()?;
    let stage = Stage::start(&customer)?;
    let source = stage.source(customer.port, 0)?;
    stage.discover(source)?;
    let known = stage.known(source)?;
    for (kind, view) in [
        ("DiscoverSchema", "pg_roles"),
        ("TestConnection", "pg_roles"),
        ("CollectStatistics", "pg_stat_activity"),
        ("CollectStatistics", "pg_stat_database"),
    ] {
        slow_down(&customer, view)?;
        let run = stage.command(kind, json!({"source_id": source}));
        stage.publish(std::slice::from_ref(&run))?;
        asleep(&customer, &run)?;
        println!("{kind} in {view}: {:?}", cancel(&stage, &customer, &run)?);
        speed_up(&customer, view)?;
    }
    ensure!(stage.known(source)? == known, "a cancelled run changed what is known");
    stage.discover(source)?;
    Ok(())
}

#[test]
fn a_discovery_is_cancelled_between_two_pages_and_one_that_waits_for_its_turn_before_it_comes() -> Result<()> {
    let customer = Customer::create()?;
    customer.sql.run(SCHEMA)?;
    customer.grant_all()?;
    let stage = Stage::start(&customer)?;
    let (proxy, source, requests) = stage.discovered(customer.port)?;
    customer.sql.run("DROP TABLE shop.doomed; COMMENT ON TABLE shop.orders IS 'changed'")?;
    proxy.set_for(Fault::Hold { request: requests }, 1);
    let discover = |source: Uuid| stage.command("DiscoverSchema", json!({"source_id": source, "full": true}));
    let (first, second) = (discover(source), discover(source));
    stage.publish(&[first.clone(), second.clone()])?;
    eventually("the last page is kept back", || Ok(proxy.is_holding().then_some(())))?;
    let asked = Instant::now();
    stage.system.must(&["run-cancel", &id_of(&second)])?;
    let row = stage.ended(&second)?;
    ensure!(row["state"] == "CANCELLED", "{row}");
    println!("a run in the queue: {:?}", asked.elapsed());
    ensure!(asked.elapsed() < WITHIN, "a run that waits for its turn was cancelled after {:?}", asked.elapsed());
    let row = stage.system.sql.row(&format!("SELECT * FROM pursight.v_run WHERE run_id = '{}'", id_of(&first)))?;
    ensure!(row["state"] == "RUNNING", "{row}");
    println!("between two pages: {:?}", cancel(&stage, &customer, &first)?);
    proxy.release();
    ensure!(stage.ends(&second)? == (1, 1), "{:?}", stage.ends(&second)?);
    let live = stage.known(source)?.iter().filter(|object| object["state"] == "LIVE").count();
    ensure!(stage.discover(source)?["dropped"] == "1", "a cancelled run dropped something");
    ensure!(stage.known(source)?.iter().filter(|object| object["state"] == "LIVE").count() == live - 1);
    Ok(())
}
