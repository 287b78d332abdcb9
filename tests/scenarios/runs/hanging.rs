//! A customer's server that falls silent in the middle of each step and of each query: every run ends with a code, in
//! time, drops nothing, gives its connection back, and the next one works.

use std::collections::{BTreeSet, VecDeque};
use std::net::TcpListener;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use pursight_schemas::Topic;
use pursight_schemas::topics::partition_of;
use pursight_tests::proxy::{Fault, Proxy};
use pursight_tests::wait::PATIENCE;
use pursight_tests::{Customer, eventually};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::{SCHEMA, Stage, apart, sessions, tail, until};

/// Runs of a kind that one process makes side by side.
const LANES: usize = 4;
/// What a hanging server may be called.
const CODES: [&str; 4] = ["CONNECT_TIMEOUT", "STATEMENT_TIMEOUT", "DEADLINE_EXCEEDED", "CONNECTION_REFUSED"];

struct Lane {
    proxy: Proxy,
    source: Uuid,
}

/// Proxies, each in front of a source of its own, that were used once by `first`.
fn lanes(stage: &Stage, customer: &Customer, count: usize, first: impl Fn(&Lane) -> Json) -> Result<Vec<Lane>> {
    let (mut lanes, mut commands) = (Vec::new(), Vec::new());
    for lane in 0..count {
        let lane = Lane { proxy: Proxy::to(customer.port)?, source: apart(Topic::WorkDiscovery, lane) };
        commands.push(stage.creation(lane.source, lane.proxy.port()));
        lanes.push(lane);
    }
    // One partition decides for a tenant, in order: the sources are there when the runs are asked for.
    let runs: Vec<Json> = lanes.iter().map(first).collect();
    commands.extend(runs.iter().cloned());
    stage.publish(&commands)?;
    for run in &runs {
        let row = stage.ended(run)?;
        ensure!(row["state"] == "SUCCEEDED", "{row}");
    }
    Ok(lanes)
}

/// Everybody at once, on servers that are well again; what they say.
fn all_well(stage: &Stage, lanes: &[Lane], run: impl Fn(&Lane) -> Json) -> Result<Vec<Json>> {
    lanes.iter().for_each(|lane| lane.proxy.set(Fault::Pass));
    let runs: Vec<Json> = lanes.iter().map(run).collect();
    stage.publish(&runs)?;
    let mut results = Vec::new();
    for run in &runs {
        let row = stage.ended(run)?;
        ensure!(row["state"] == "SUCCEEDED", "{row}");
        results.push(row["result"].clone());
    }
    Ok(results)
}

fn started() -> Result<(Customer, Stage)> {
    let customer = Customer::create()?;
    customer.sql.run(SCHEMA)?;
    customer.grant_all()?;
    let stage = Stage::start(&customer)?;
    Ok((customer, stage))
}

/// Makes the server fall silent at each of these requests of a run, some side by side, and judges every end.
fn at_each(
    stage: &Stage,
    lanes: &[Lane],
    requests: &[u32],
    deadline: Duration,
    run: impl Fn(&Lane) -> Json,
) -> Result<Vec<Json>> {
    let mut told = Vec::new();
    let (mut left, mut round) = (VecDeque::from_iter(requests.iter().map(|request| (*request, deadline))), 0);
    while !left.is_empty() {
        round += 1;
        let mut runs = Vec::new();
        for lane in lanes {
            let Some((request, deadline)) = left.pop_front() else { break };
            // Sometimes nothing of the answer comes, sometimes it breaks off in the middle of its first frame.
            lane.proxy.set(Fault::Hang { request, after: if round % 2 == 0 { 0 } else { 3 } });
            runs.push((lane, request, deadline, until(run(lane), deadline)?));
        }
        stage.publish(&runs.iter().map(|(.., run)| run.clone()).collect::<Vec<_>>())?;
        for (lane, request, deadline, run) in &runs {
            let row = stage.answered(run)?;
            if lane.proxy.met() == 0 && *deadline < PATIENCE {
                // A loaded machine did not come so far before the deadline.
                left.push_back((*request, *deadline * 2));
                continue;
            }
            ensure!(lane.proxy.met() > 0, "request {request} was never made: {row}");
            stage.ended(run)?;
            let code = row["problem"]["code"].as_str().or(row["result"]["code"].as_str()).unwrap_or_default();
            ensure!(CODES.contains(&code), "request {request}: {row}\n{}", tail(&stage.system));
            let (took, limit) = (seconds(&stage.told(run)?)?, deadline.as_secs_f64() + 2.0);
            ensure!(took < limit, "request {request} took {took} s of {limit}: {row}");
            told.push(json!({"request": request, "seconds": took, "code": code, "step": row["result"]["step"]}));
        }
    }
    Ok(told)
}

/// From the asking to the end.
fn seconds(told: &Json) -> Result<f64> {
    let at = |name: &str| -> Result<f64> {
        let text = told[name].as_str().with_context(|| format!("{name} in {told}"))?;
        Ok(chrono_seconds(text))
    };
    Ok(at("ended_at")? - at("asked_at")?)
}

/// Seconds of the day of a time as PostgreSQL writes it in JSON; runs at midnight are judged too strictly.
fn chrono_seconds(text: &str) -> f64 {
    let clock = text.split('T').nth(1).unwrap_or_default();
    let clock = clock.trim_end_matches('Z').split(['+', '-']).next().unwrap_or_default();
    clock.split(':').fold(0.0, |sum, part| sum * 60.0 + part.parse::<f64>().unwrap_or_default())
}

#[test]
fn a_server_that_falls_silent_at_any_query_of_a_discovery_ends_it_typed_and_drops_nothing() -> Result<()> {
    let (customer, stage) = started()?;
    let discover = |lane: &Lane| {
        stage.command("DiscoverSchema", json!({"source_id": lane.source, "strategy": "AGGRESSIVE", "full": true}))
    };
    let lanes = lanes(&stage, &customer, LANES, discover)?;
    let known: Vec<_> = lanes.iter().map(|lane| stage.known(lane.source)).collect::<Result<_>>()?;
    // How many requests a run makes that finds something missing.
    customer.sql.run("DROP TABLE shop.doomed")?;
    let counted = Proxy::to(customer.port)?;
    let spare = stage.source(counted.port(), LANES)?;
    stage.discover(spare)?;
    let last = counted.requests();
    ensure!(last > 15, "only {last} requests");
    let told = at_each(&stage, &lanes, &(1..=last).collect::<Vec<_>>(), Duration::from_secs(3), discover)?;
    println!("a discovery of {last} requests: {}", json!(told));
    for (lane, known) in lanes.iter().zip(&known) {
        let now = stage.known(lane.source)?;
        let differs: Vec<_> = now.iter().filter(|object| !known.contains(object)).collect();
        ensure!(differs.is_empty() && now.len() == known.len(), "runs on a hanging server changed {}", json!(differs));
    }
    let results = all_well(&stage, &lanes, discover)?;
    ensure!(results.iter().all(|result| result["dropped"] == "1"), "{}", json!(results));
    for (lane, known) in lanes.iter().zip(&known) {
        let live: Vec<_> = stage.known(lane.source)?.into_iter().filter(|object| object["state"] == "LIVE").collect();
        ensure!(live.len() == known.len() - 1, "{}", json!(live));
    }
    eventually("no session is left", || Ok(sessions(&customer.sql, &customer.user)?.is_empty().then_some(())))
}

#[test]
fn a_server_that_falls_silent_at_any_query_of_statistics_ends_them_typed_and_forgets_no_figure() -> Result<()> {
    let (customer, stage) = started()?;
    customer.sql.run("INSERT INTO shop.orders SELECT n FROM generate_series(1, 100) n; ANALYZE")?;
    let collect = |lane: &Lane| stage.command("CollectStatistics", json!({"source_id": lane.source, "exact": true}));
    let lanes = lanes(&stage, &customer, LANES, collect)?;
    let figures = || {
        stage.system.sql.rows(
            "SELECT source_id, object_id, size_bytes, row_count, quality, run_id FROM pursight.object_statistics ORDER BY 1, 2",
        )
    };
    let (known, last) = (figures()?, lanes[0].proxy.requests());
    ensure!(last > 30, "only {last} requests");
    // One catalog query is timed twenty times; a few of those stand for all.
    let requests: Vec<u32> = (1..=last).filter(|request| !(12..=last.saturating_sub(12)).contains(request)).collect();
    // The last five seconds of a run are not for counting.
    let (few, counting): (Vec<u32>, Vec<u32>) = requests.iter().partition(|request| **request < 12);
    let mut told = at_each(&stage, &lanes, &few, Duration::from_secs(3), collect)?;
    told.extend(at_each(&stage, &lanes, &counting, Duration::from_secs(8), collect)?);
    println!("statistics of {last} requests: {}", json!(told));
    ensure!(figures()? == known, "a run on a hanging server changed figures");
    all_well(&stage, &lanes, collect)?;
    eventually("no session is left", || Ok(sessions(&customer.sql, &customer.user)?.is_empty().then_some(())))
}

#[test]
fn a_server_that_falls_silent_at_any_step_of_a_test_is_a_result_in_time_and_gives_its_permit_back() -> Result<()> {
    let (customer, stage) = started()?;
    let draft = |lane: &Lane, number: usize| {
        let mut test = stage.command("TestConnection", json!({"draft": stage.spec("draft", lane.proxy.port())}));
        test["meta"]["command_id"] = json!(apart(Topic::WorkConnection, number));
        test
    };
    // Drafts travel by the id of the run: a lane's source only says where that has to lie.
    let place = |lane: &Lane| {
        usize::try_from(partition_of(lane.source.to_string().as_bytes(), Topic::WorkDiscovery.partitions()))
    };
    let run = |lane: &Lane| draft(lane, place(lane).unwrap_or_default());
    let lanes = lanes(&stage, &customer, 8, run)?;
    let last = lanes[0].proxy.requests();
    ensure!(last > 15, "only {last} requests");
    // The first with the limits that they have, the many queries behind them with less time.
    let (first, rest): (Vec<u32>, Vec<u32>) = (1..=last).partition(|request| *request <= 8);
    let mut told = at_each(&stage, &lanes, &first, Duration::from_secs(30), run)?;
    for one in &told {
        ensure!(one["seconds"].as_f64() < Some(12.0), "longer than the budget of a test: {one}");
    }
    told.extend(at_each(&stage, &lanes, &rest, Duration::from_secs(4), run)?);
    println!("a test of {last} requests: {}", json!(told));
    let steps: BTreeSet<&str> = told.iter().filter_map(|one| one["step"].as_str()).collect();
    ensure!(steps == BTreeSet::from(["tls", "login", "read_only", "database", "rights"]), "{steps:?}");

    // One address gets more hanging tests than it has permits: all end, and the next one works.
    let crowded = &lanes[0];
    crowded.proxy.set(Fault::BlackHole);
    let tests: Vec<Json> = (0..10).map(|number| draft(crowded, number)).collect();
    stage.publish(&tests)?;
    for test in &tests {
        let row = stage.ended(test)?;
        ensure!(row["result"]["test"] == "FAILED", "{row}");
    }
    let results = all_well(&stage, &lanes, run)?;
    ensure!(results.iter().all(|result| result["test"] == "OK"), "{}", json!(results));
    eventually("no session is left", || Ok(sessions(&customer.sql, &customer.user)?.is_empty().then_some(())))
}

#[test]
fn slow_broken_and_resetting_servers_end_typed_or_are_waited_out() -> Result<()> {
    let (customer, stage) = started()?;
    let discover =
        |lane: &Lane| stage.command("DiscoverSchema", json!({"source_id": lane.source, "strategy": "AGGRESSIVE"}));
    let lanes = lanes(&stage, &customer, LANES, discover)?;
    customer.sql.run("DROP TABLE shop.doomed; ALTER TABLE shop.orders ADD COLUMN note text")?;
    // A statement that hangs for good is given up after its own limit, and another session reads the rest.
    lanes[0].proxy.set_for(Fault::Hang { request: 16, after: 0 }, 1);
    lanes[1].proxy.set_for(Fault::Cut { request: 14 }, 2);
    lanes[2].proxy.set_for(Fault::Reset { request: 18 }, 2);
    lanes[3].proxy.set(Fault::Delay(Duration::from_millis(100)));
    let runs: Vec<Json> = lanes.iter().map(discover).collect();
    stage.publish(&runs)?;

    // Meanwhile tests of servers that drip, and of one that accepts nobody.
    let dripping = Proxy::to(customer.port)?;
    let mut tests = Vec::new();
    let full = full_queue()?;
    for (number, port) in [dripping.port(), full.port()?].into_iter().enumerate() {
        let mut test = stage.command("TestConnection", json!({"draft": stage.spec("draft", port)}));
        test["meta"]["command_id"] = json!(apart(Topic::WorkConnection, number));
        tests.push(test);
    }
    dripping.set(Fault::Drip { request: 4, every: Duration::from_millis(200) });
    stage.publish(&tests)?;
    for (test, step) in tests.iter().zip(["login", "tcp"]) {
        let row = stage.ended(test)?;
        ensure!(row["result"]["code"] == "CONNECT_TIMEOUT" && row["result"]["step"] == step, "{step}: {row}");
        let took = seconds(&stage.told(test)?)?;
        ensure!(took < 12.0, "{step}: {took}");
        println!("{step}: {took} s");
    }
    for (number, (lane, run)) in lanes.iter().zip(&runs).enumerate() {
        let row = stage.ended(run)?;
        ensure!(row["state"] == "SUCCEEDED" && row["result"]["dropped"] == "1", "{number}: {row}");
        ensure!(lane.proxy.met() > 0, "{number} met nothing");
        ensure!(stage.ends(run)? == (1, 1));
        println!("{number}: {} s", seconds(&stage.told(run)?)?);
    }
    let known: BTreeSet<String> = lanes.iter().map(|lane| contents(&stage, lane.source)).collect::<Result<_>>()?;
    ensure!(known.len() == 1, "they ended with different read models: {known:#?}");

    // A discovery over a dripping line ends at its deadline.
    lanes[0].proxy.set(Fault::Drip { request: 8, every: Duration::from_millis(100) });
    customer.sql.run("ALTER TABLE shop.orders DROP COLUMN note")?;
    let late = until(discover(&lanes[0]), Duration::from_secs(8))?;
    let row = stage.run(&late)?;
    ensure!(row["problem"]["code"] == "DEADLINE_EXCEEDED", "{row}");
    ensure!(seconds(&stage.told(&late)?)? < 10.0);
    ensure!(contents(&stage, lanes[0].source)? == *known.first().context("one")?, "it changed what is known");
    Ok(())
}

/// Names, states and versions of a source's objects, which are the same whatever the source's id.
fn contents(stage: &Stage, source: Uuid) -> Result<String> {
    let query = format!(
        "SELECT kind, schema, name, state, version, column_count, held_by_run FROM pursight.schema_object WHERE source_id = '{source}' ORDER BY kind, schema, name"
    );
    Ok(json!(stage.system.sql.rows(&query)?).to_string())
}

/// A listener whose queue is full: who connects to it waits as before a firewall that drops packets.
struct FullQueue {
    listener: TcpListener,
    _queue: Vec<std::net::TcpStream>,
}

impl FullQueue {
    fn port(&self) -> Result<u16> {
        Ok(self.listener.local_addr()?.port())
    }
}

fn full_queue() -> Result<FullQueue> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let mut queue = Vec::new();
    while let Ok(stream) = std::net::TcpStream::connect_timeout(&address, Duration::from_millis(500)) {
        queue.push(stream);
        ensure!(queue.len() < 10_000, "the queue cannot be filled");
    }
    Ok(FullQueue { listener, _queue: queue })
}
