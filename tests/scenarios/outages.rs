//! Servers of ours that go away and come back while commands flow: workers wait and go on by themselves, say so
//! meanwhile, and nothing is lost or doubled.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use pursight_tests::database::Sql;
use pursight_tests::flow::{self, Flow, Flowing};
use pursight_tests::{Broker, Cluster, Process, System, eventually};

/// The promise is the session timeout (6 s here) and 5 s, and 3 s for the database; each figure is printed. Asserted is what
/// still tells waiting for a time-out or for a person from going on, on a machine that does much else.
const RECOVERED_WITHIN: Duration = Duration::from_secs(30);
/// `/readyz` tells of a silence after this at the latest.
const SAID_WITHIN: Duration = Duration::from_secs(30);

/// So often a broker is frozen.
const PAUSES: usize = 4;

/// A system on servers of its own, all workers in one process, commands flowing.
struct Rig {
    // In this order: what stands on the others goes first.
    workers: Process,
    system: System,
    broker: Broker,
    cluster: Cluster,
}

impl Rig {
    fn start() -> Result<Self> {
        let (broker, cluster) = (Broker::start()?, Cluster::start()?);
        let system = System::bare_on(&broker.bootstrap(), &cluster.url())?;
        let mut workers = system.spawn("all", "one")?;
        workers.wait_ready()?;
        Ok(Self { workers, system, broker, cluster })
    }

    fn flow(&self) -> Result<Flowing> {
        let flowing = Flow::new(&self.system, 6)?.start(30);
        flowing.wait_for(30)?;
        Ok(flowing)
    }

    /// Waits until `/readyz` says no and names what is away; `/livez` says yes all the while.
    fn not_ready(&mut self, word: &str) -> Result<Duration> {
        let began = Instant::now();
        eventually("/readyz says what is away", || {
            ensure!(self.workers.ended()?.is_none(), "the workers ended: {}", self.workers.log()?);
            let (livez, body) = self.workers.health("/livez")?;
            ensure!(livez == 200, "/livez: {body}");
            let (status, body) = self.workers.health("/readyz")?;
            Ok((status == 503 && body.contains(word)).then_some(()))
        })?;
        ensure!(began.elapsed() < SAID_WITHIN, "{:?}", began.elapsed());
        Ok(began.elapsed())
    }

    /// `doctor` names what is away, and ends with the code of servers that do not answer.
    fn doctor_names(&self, word: &str) -> Result<()> {
        let answer = self.system.call(&["doctor"])?;
        ensure!(answer.code == 3 && (answer.out.contains(word) || answer.err.contains(word)), "{answer:?}");
        Ok(())
    }

    /// How long after the broker takes commands, and the database answers, such a command has ended and `/readyz` says yes.
    fn recovered(&mut self) -> Result<Duration> {
        let mut probe = Flow::probe(&self.system)?;
        probe.send()?;
        let sent = probe.acknowledged()?;
        let healed = Instant::now();
        let query = format!("SELECT state FROM pursight.command WHERE command_id = '{}'", sent[0].id);
        let sql = eventually("the database", || Ok(again(&self.system).ok()))?;
        eventually("a command ends", || {
            Ok(sql.rows(&query)?.first().is_some_and(|row| row["state"] == "SUCCEEDED").then_some(()))
        })
        .with_context(|| self.workers.log().unwrap_or_default())?;
        self.workers.wait_ready()?;
        Ok(healed.elapsed())
    }

    /// Ends the flow and checks all of it.
    fn verify(&mut self, flowing: Flowing) -> Result<usize> {
        let sent = flowing.stop()?;
        self.system.sql = again(&self.system)?;
        flow::verify(&self.system, &sent)?;
        ensure!(self.workers.ended()?.is_none(), "{}", self.workers.log()?);
        Ok(sent.len())
    }
}

#[test]
fn a_broker_that_is_stopped_killed_or_frozen_loses_nothing() -> Result<()> {
    let mut rig = Rig::start()?;
    let flowing = rig.flow()?;
    for signal in ["TERM", "KILL"] {
        rig.broker.stop(signal)?;
        let said = rig.not_ready("broker")?;
        rig.doctor_names(&rig.broker.bootstrap())?;
        rig.broker.run_again()?;
        let took = rig.recovered()?;
        eprintln!("broker SIG{signal}: said after {said:?}, recovered after {took:?}");
        ensure!(took < RECOVERED_WITHIN, "SIG{signal}: {took:?}");
        flowing.wait_for(30)?;
    }
    // Several times: a client that forgets its brokers meanwhile does so only now and then.
    for pause in 1..=PAUSES {
        rig.broker.signal("STOP")?;
        let said = rig.not_ready("broker")?;
        rig.doctor_names(&rig.broker.bootstrap())?;
        rig.broker.signal("CONT")?;
        let took = rig.recovered()?;
        eprintln!("broker SIGSTOP {pause}: said after {said:?}, recovered after {took:?}");
        ensure!(took < RECOVERED_WITHIN, "SIGSTOP {pause}: {took:?}");
        flowing.wait_for(30)?;
    }
    let sent = rig.verify(flowing)?;
    eprintln!("{sent} commands");
    Ok(())
}

#[test]
fn a_database_that_is_stopped_killed_or_frozen_loses_nothing() -> Result<()> {
    let mut rig = Rig::start()?;
    let flowing = rig.flow()?;
    let port = rig.cluster.port().to_string();
    for signal in ["INT", "QUIT"] {
        rig.cluster.stop(signal)?;
        let said = rig.not_ready("database")?;
        rig.doctor_names(&port)?;
        rig.cluster.run_again()?;
        let took = rig.recovered()?;
        eprintln!("database SIG{signal}: said after {said:?}, recovered after {took:?}");
        ensure!(took < RECOVERED_WITHIN, "SIG{signal}: {took:?}");
        flowing.wait_for(30)?;
    }
    rig.cluster.signal("STOP")?;
    let said = rig.not_ready("database")?;
    rig.cluster.signal("CONT")?;
    let took = rig.recovered()?;
    let sent = rig.verify(flowing)?;
    eprintln!("database SIGSTOP: said after {said:?}, recovered after {took:?}; {sent} commands");
    ensure!(took < RECOVERED_WITHIN, "SIGSTOP: {took:?}");
    Ok(())
}

/// A new connection: the test's own does not survive the database either.
fn again(system: &System) -> Result<Sql> {
    Sql::open(&system.settings["PURSIGHT_DATABASE_URL"])
}

#[test]
fn workers_that_start_without_any_server_begin_when_both_are_there() -> Result<()> {
    let mut rig = Rig::start()?;
    rig.workers.signal("TERM")?;
    ensure!(rig.workers.wait_end()?.success(), "{}", rig.workers.log()?);
    let mut flow = Flow::new(&rig.system, 6)?;
    for _ in 0..12 {
        flow.send()?;
    }
    let sent = flow.acknowledged()?;
    rig.broker.stop("TERM")?;
    rig.cluster.stop("INT")?;
    rig.workers = rig.system.spawn("all", "one")?;
    eventually("the workers answer", || Ok(rig.workers.health("/livez").ok()))?;
    rig.not_ready("database")?;
    rig.cluster.run_again()?;
    rig.not_ready("broker")?;
    rig.broker.run_again()?;
    let healed = Instant::now();
    rig.workers.wait_ready()?;
    rig.system.sql = again(&rig.system)?;
    flow::verify(&rig.system, &sent)?;
    eprintln!("both away at start: at work {:?} after the second was there", healed.elapsed());
    Ok(())
}
