//! A worker that is killed in the middle of a discovery: it, or another one, goes on by itself, and the read model ends as
//! that of a discovery that nobody disturbed. And what is left undone past its deadline ends so.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use pursight_schemas::Topic;
use pursight_tests::proxy::{Fault, Proxy};
use pursight_tests::{Customer, System, eventually};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::{SCHEMA, Stage, apart, sessions, tail, until};

/// Everything that discoveries leave behind, without which run or attempt it was and when.
const LEFT: [&str; 4] = [
    "SELECT * FROM pursight.schema_column ORDER BY object_id, position",
    "SELECT * FROM pursight.schema_constraint ORDER BY object_id, position",
    "SELECT * FROM pursight.schema_index ORDER BY object_id, position",
    "SELECT position, object_id, catalog, schema, name, object_kind, kind, severity, path, before, after, certainty, from_hash, to_hash
        FROM pursight.schema_change ORDER BY object_id, kind, path, position",
];

fn left(stage: &Stage, source: Uuid) -> Result<Vec<Vec<Json>>> {
    let mut all = vec![stage.known(source)?];
    for query in LEFT {
        all.push(stage.system.sql.rows(query)?);
    }
    Ok(all)
}

fn discover(stage: &Stage, source: Uuid) -> Json {
    stage.command("DiscoverSchema", json!({"source_id": source, "strategy": "AGGRESSIVE"}))
}

#[test]
fn a_discovery_whose_worker_is_killed_goes_on_and_ends_as_if_nobody_had_disturbed_it() -> Result<()> {
    let customer = Customer::create()?;
    customer.sql.run(SCHEMA)?;
    customer.grant_all()?;
    let id = apart(Topic::WorkDiscovery, 0);

    // The same source of the same tenant in two systems: all ids are equal, so rows can be compared one for one.
    let undisturbed = Stage::start(&customer)?;
    let counted = Proxy::to(customer.port)?;
    undisturbed.create(id, counted.port())?;
    let mut system = System::bare()?;
    system.tenant.clone_from(&undisturbed.system.tenant);
    system.settings.insert("PURSIGHT_TENANT".to_owned(), system.tenant.clone());
    let _others = system.spawn_ready([("registry", "first"), ("projection", "first")])?;
    let stage = Stage::over(system, &customer)?;
    let proxy = Proxy::to(customer.port)?;
    stage.create(id, proxy.port())?;

    counted.set(Fault::Pass);
    undisturbed.discover(id)?;
    let last = counted.requests();
    let mut name = 0;
    let mut worker = stage.system.spawn("discovery", "worker-0")?;
    let run = discover(&stage, id);
    stage.publish(std::slice::from_ref(&run))?;
    // Before the first query, and when some pages are out.
    for request in [last / 2, last - 1] {
        proxy.set_for(Fault::Hold { request }, 1);
        eventually("the run is in its middle", || Ok(proxy.is_holding().then_some(())))?;
        let killed = Instant::now();
        worker.kill()?;
        proxy.release();
        eventually("no session is left", || Ok(sessions(&customer.sql, &customer.user)?.is_empty().then_some(())))?;
        name += 1;
        proxy.set_for(Fault::Hold { request: last - 1 }, u32::from(name == 1));
        worker = stage.system.spawn("discovery", &format!("worker-{name}"))?;
        if name == 2 {
            proxy.release();
            let row = stage.ended(&run)?;
            ensure!(row["state"] == "SUCCEEDED", "{row}\n{}", worker.log()?);
            println!("killed twice, ended {:?} after the second kill", killed.elapsed());
        }
    }
    let told = stage.told(&run)?;
    ensure!(told["state"] == "SUCCEEDED" && told["attempt"] == 3, "{told}");
    ensure!(stage.ends(&run)? == (1, 1), "{:?}", stage.ends(&run)?);
    ensure!(left(&stage, id)? == left(&undisturbed, id)?, "after the first discovery the read models differ");

    // The last request of a run that misses something comes after every page is out, and before anything is dropped.
    customer.sql.run(
        "DROP TABLE shop.doomed; ALTER TABLE shop.orders ADD COLUMN note text; COMMENT ON TABLE shop.lines IS 'x'; CREATE TABLE shop.newer(id int)",
    )?;
    counted.set(Fault::Pass);
    undisturbed.discover(id)?;
    let last = counted.requests();
    proxy.set_for(Fault::Hold { request: last }, 1);
    let run = discover(&stage, id);
    stage.publish(std::slice::from_ref(&run))?;
    eventually("every page is out", || Ok(proxy.is_holding().then_some(())))?;
    let mut second = stage.system.spawn("discovery", "second")?;
    let killed = Instant::now();
    worker.kill()?;
    proxy.release();
    let row = stage.ended(&run)?;
    ensure!(row["state"] == "SUCCEEDED", "{row}\n{}", second.log()?);
    println!("taken over by a second one: {:?}", killed.elapsed());
    let told = stage.told(&run)?;
    ensure!(told["attempt"] == 2, "{told}");
    ensure!(stage.ends(&run)? == (1, 1), "{:?}", stage.ends(&run)?);
    let (found, wanted) = (left(&stage, id)?, left(&undisturbed, id)?);
    for (found, wanted) in found.iter().zip(&wanted) {
        ensure!(
            found == wanted,
            "after the second discovery the read models differ: {} is not {}",
            json!(found),
            json!(wanted)
        );
    }
    second.kill()
}

#[test]
fn a_discovery_whose_worker_is_stopped_and_woken_is_ended_once_by_another() -> Result<()> {
    let customer = Customer::create()?;
    customer.sql.run(SCHEMA)?;
    customer.grant_all()?;
    let system = System::bare()?;
    let [_registry, _projection, mut stopped] =
        system.spawn_ready([("registry", "first"), ("projection", "first"), ("discovery", "first")])?;
    let stage = Stage::over(system, &customer)?;
    let (proxy, source, last) = stage.discovered(customer.port)?;

    customer.sql.run("DROP TABLE shop.doomed; ALTER TABLE shop.orders ADD COLUMN note text")?;
    proxy.set_for(Fault::Hold { request: last }, 1);
    let run = discover(&stage, source);
    stage.publish(std::slice::from_ref(&run))?;
    eventually("the run is at its end", || Ok(proxy.is_holding().then_some(())))?;
    let second = stage.system.spawn("discovery", "second")?;
    stopped.signal("STOP")?;
    let began = Instant::now();
    let row = stage.ended(&run)?;
    ensure!(row["state"] == "SUCCEEDED", "{row}\n{}", second.log()?);
    println!("ended by another {:?} after the stop", began.elapsed());
    let (found, told) = (left(&stage, source)?, stage.told(&run)?);
    ensure!(told["attempt"] == 2, "{told}");

    stopped.signal("CONT")?;
    proxy.release();
    eventually("the woken worker is ready again, or ends", || {
        Ok((stopped.ended()?.is_some() || stopped.health("/readyz").is_ok_and(|(status, _)| status == 200))
            .then_some(()))
    })?;
    stage.discover(source)?;
    ensure!(stage.ends(&run)? == (1, 1), "{:?}", stage.ends(&run)?);
    ensure!(left(&stage, source)? == found, "the woken worker has changed something");
    Ok(())
}

#[test]
fn what_is_past_its_deadline_before_its_turn_comes_fails_so_and_nobody_is_asked() -> Result<()> {
    let customer = Customer::create()?;
    customer.sql.run(SCHEMA)?;
    let mut stage = Stage::start(&customer)?;
    let proxy = Proxy::to(customer.port)?;
    let source = stage.source(proxy.port(), 0)?;
    stage.system.stop_workers("TERM")?;
    let mut runs = Vec::new();
    for kind in ["DiscoverSchema", "CollectStatistics", "TestConnection"] {
        runs.push(until(stage.command(kind, json!({"source_id": source})), Duration::from_secs(4))?);
    }
    stage.publish(&runs)?;
    let published = Instant::now();
    eventually("the deadline has passed", || Ok((published.elapsed() > Duration::from_secs(4)).then_some(())))?;
    stage.system.run_workers()?;
    for run in &runs {
        let row = stage.answered(run)?;
        ensure!(
            row["state"] == "FAILED" && row["problem"]["code"] == "DEADLINE_EXCEEDED",
            "{row}\n{}",
            tail(&stage.system)
        );
        // One that came to the log too late even for its decision has no run at all.
        let (outcomes, runs) = stage.ends(run)?;
        ensure!(outcomes == 1 && runs <= 1, "{outcomes} outcomes, {runs} ends");
        if runs == 1 {
            stage.ended(run)?;
            let told = stage.told(run)?;
            ensure!(told["state"] == "FAILED" && told["code"] == "DEADLINE_EXCEEDED", "{told}");
        }
    }
    ensure!(proxy.requests() == 0, "the customer's server was asked");
    Ok(())
}
