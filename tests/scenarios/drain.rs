//! Workers that are told to stop, and workers that stop by themselves: what was under way is finished or handed over,
//! nothing is doubled, and others go on.

use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use pursight_schemas::{Event, Topic};
use pursight_tests::flow::{self, Flow};
use pursight_tests::{Process, System, eventually};
use serde_json::{Value as Json, json};
use uuid::Uuid;

/// A process that was told to stop has ended after this.
const DRAINED_WITHIN: Duration = Duration::from_secs(10);

/// A customer's server that accepts connections and says nothing.
struct Silent {
    listener: TcpListener,
    held: Vec<TcpStream>,
}

impl Silent {
    fn listen() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener, held: Vec::new() })
    }

    /// A discovery of it, published and not waited for. Its run id.
    fn discovered(&self, system: &System) -> Result<Uuid> {
        let (source, run) = (Uuid::now_v7(), Uuid::new_v4());
        let sealed = system.call_with(&["secret", "seal", "--json"], "whatever")?.json()?;
        let spec = json!({
            "name": format!("silent {run}"), "source_type": "POSTGRESQL", "location": "ON_PREM", "database": "d", "username": "u",
            "credential": {"uri": sealed["reference"]}, "hosts": [{"host": "127.0.0.1", "port": self.listener.local_addr()?.port()}]
        });
        let create = json!({"type": "CreateDataSource", "source_id": source, "spec": spec, "afterwards": "NOTHING"});
        let (code, outcome) = system.send(&create)?;
        ensure!(code == 0, "{outcome}");
        let discover = json!({"type": "DiscoverSchema", "meta": {"command_id": run}, "source_id": source});
        let answer = system.call_with(&["send", "-", "--json"], &format!("{discover}\n"))?;
        ensure!(answer.code == 0, "{answer:?}");
        Ok(run)
    }

    /// Waits until somebody connects, and keeps the connection open.
    fn reached(&mut self) -> Result<Duration> {
        let began = Instant::now();
        eventually("the run reaches the server", || match self.listener.accept() {
            Ok((stream, _)) => {
                self.held.push(stream);
                Ok(Some(()))
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error.into()),
        })?;
        Ok(began.elapsed())
    }
}

/// Ends of a run's command, and the attempts whose events became visible.
fn ends(system: &System, run: Uuid) -> Result<(Vec<Json>, Vec<i32>)> {
    let of_run = |event: &Event| event.meta().command_id == Some(run);
    let outcomes = system.kafka.events(Topic::Outcome)?;
    let ends = outcomes.iter().filter(|event| of_run(event) && flow::end(event).is_some());
    let ends = ends.map(|event| json!(flow::end(event))).collect();
    let mut attempts = Vec::new();
    for event in system.kafka.events(Topic::Schema)? {
        if let Event::DiscoveryStarted(started) = event
            && started.run_id == run
        {
            attempts.push(started.attempt);
        }
    }
    Ok((ends, attempts))
}

/// Told to stop: how long it takes, with exit code 0.
fn told_to_stop(process: &mut Process) -> Result<Duration> {
    let began = Instant::now();
    process.signal("TERM")?;
    let status = process.wait_end()?;
    ensure!(status.success(), "{status}: {}", process.log()?);
    ensure!(began.elapsed() < DRAINED_WITHIN, "{:?}", began.elapsed());
    Ok(began.elapsed())
}

#[test]
fn told_to_stop_at_work_a_process_hands_over_in_time_and_doubles_nothing() -> Result<()> {
    let system = System::bare()?;
    let mut first = system.spawn("all", "first")?;
    first.wait_ready()?;
    let mut server = Silent::listen()?;
    let run = server.discovered(&system)?;
    server.reached()?;
    let flowing = Flow::new(&system, 12)?.start(40);
    flowing.wait_for(20)?;
    let mut second = system.spawn("all", "second")?;
    second.wait_ready()?;
    let drained = told_to_stop(&mut first)?;
    let taken_over = server.reached()?;
    flowing.wait_for(40)?;
    let sent = flowing.stop()?;
    let caught_up = flow::all_ended(&system, &sent)?;
    flow::verify(&system, &sent)?;
    let count = sent.len();
    eprintln!(
        "drained in {drained:?}, the run taken over {taken_over:?} later; {count} commands ended {caught_up:?} after the last"
    );
    system.must(&["run-cancel", &run.to_string()])?;
    let (ended, attempts) = eventually("the run's end", || {
        let (ends, attempts) = ends(&system, run)?;
        Ok((!ends.is_empty()).then_some((ends, attempts)))
    })?;
    ensure!(ended == [json!("CommandCancelled")], "{ended:?}");
    ensure!(attempts.windows(2).all(|pair| pair[0] < pair[1]), "{attempts:?}");
    told_to_stop(&mut second)?;
    ensure!(ends(&system, run)?.0.len() == 1, "a second end");
    Ok(())
}

#[test]
fn a_run_that_moves_from_worker_to_worker_is_not_given_up() -> Result<()> {
    let system = System::bare()?;
    let mut rest = system.spawn("registry", "rest")?;
    let mut projection = system.spawn("projection", "rest")?;
    let mut now = system.spawn("discovery", "0")?;
    for process in [&mut rest, &mut projection, &mut now] {
        process.wait_ready()?;
    }
    let mut server = Silent::listen()?;
    let run = server.discovered(&system)?;
    server.reached()?;
    // One time more than a run may be broken off by the death of its worker.
    for round in 1..=4 {
        let mut next = system.spawn("discovery", &round.to_string())?;
        next.wait_ready()?;
        told_to_stop(&mut now)?;
        now = next;
        server.reached().with_context(|| format!("round {round}"))?;
    }
    system.must(&["run-cancel", &run.to_string()])?;
    let ended = eventually("the run's end", || {
        let ends = ends(&system, run)?.0;
        Ok((!ends.is_empty()).then_some(ends))
    })?;
    ensure!(ended == [json!("CommandCancelled")], "{ended:?}");
    Ok(())
}

#[test]
fn a_flood_of_poison_stops_the_registry_and_harms_nobody_else() -> Result<()> {
    let system = System::bare()?;
    let mut projection = system.spawn("projection", "p")?;
    let mut registry = system.spawn("registry", "r")?;
    projection.wait_ready()?;
    registry.wait_ready()?;
    let mut flow = Flow::new(&system, 6)?;
    for _ in 0..12 {
        flow.send()?;
    }
    for number in 0..40 {
        system.kafka.send(&system.tenant, format!("garbage {number}").as_bytes(), &[], None)?;
    }
    let status = registry.wait_end()?;
    ensure!(status.code() == Some(1), "{status}");
    let log = registry.log()?;
    let said: Vec<&str> = log.lines().filter(|line| line.starts_with("pursight: ")).collect();
    ensure!(said.len() == 1 && said[0].contains("too many records in a row could not be handled"), "{said:?}");
    ensure!(registry.health("/readyz").is_err(), "it still says that it is ready");
    let sent = flow.acknowledged()?;
    // Whoever starts it again although nothing was mended comes past it in the end.
    for _ in 0..4 {
        registry = system.spawn("registry", "r")?;
        let until = Instant::now() + Duration::from_secs(10);
        let letters = eventually("all dead letters, or the brake", || {
            let letters = system.kafka.read(Topic::DeadLetter)?.len();
            Ok((letters == 40 || registry.ended()?.is_some() || Instant::now() > until).then_some(letters))
        })?;
        if letters == 40 && registry.ended()?.is_none() {
            break;
        }
        registry.wait_end()?;
    }
    registry.wait_ready()?;
    flow::verify(&system, &sent)?;
    let letters = system.kafka.read(Topic::DeadLetter)?;
    let mut places: Vec<&str> = letters.iter().filter_map(|letter| letter.header("pursight-dlq-offset")).collect();
    places.sort_unstable();
    places.dedup();
    ensure!(letters.len() == 40 && places.len() == 40, "{} dead letters of {} records", letters.len(), places.len());
    Ok(())
}
