//! Who may write: workers that were stopped and woken, two under one name, members that come and go. Whatever they do,
//! every command ends once and no event lies behind the marker of a later owner.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use pursight_schemas::{Event, Topic};
use pursight_tests::flow::{self, Flow, Flowing};
use pursight_tests::{Process, System, eventually};

/// Comings and goings of a guest.
const ROUNDS: usize = 6;
/// Most stops until one meets the moment.
const STOPS: usize = 120;

/// How many markers of owners lie on the source topic.
fn markers(system: &System) -> Result<usize> {
    let events = system.kafka.events(Topic::Source)?;
    Ok(events.iter().filter(|event| matches!(event, Event::OwnershipTaken(_))).count())
}

/// Waits until so many more markers were written; how long that took.
fn taken_over(system: &System, before: usize, more: usize) -> Result<Duration> {
    let began = Instant::now();
    eventually("the other worker takes over", || Ok((markers(system)? >= before + more).then_some(())))?;
    Ok(began.elapsed())
}

/// A log without the lines of single messages.
fn quiet(log: &str) -> String {
    log.lines().filter(|line| !line.contains("\"handled\"")).collect::<Vec<_>>().join("\n")
}

/// Woken, a worker joins again or ends; either way it says why in one line.
fn woke_well(process: &mut Process) -> Result<String> {
    eventually("the woken worker is ready again, or ends", || {
        let ready = process.health("/readyz").is_ok_and(|(status, _)| status == 200);
        let ended = process.ended()?.map(|status| status.to_string());
        Ok(ended.or(ready.then(|| "ready".to_owned())))
    })
}

/// Two registries under a flow of commands: one falls asleep, the other takes over, and the first is woken when nothing of it
/// is open any more. `fall_asleep` returns how many markers there were before: to see that it sleeps may take as long as a
/// takeover.
fn woken_registry_makes_nothing_visible(
    per_second: u64,
    fall_asleep: impl FnOnce(&System, &Process, &Flowing) -> Result<usize>,
) -> Result<()> {
    let system = System::bare()?;
    let [_projection, mut a, _b] = system.spawn_ready([("projection", "p"), ("registry", "a"), ("registry", "b")])?;
    let flowing = Flow::new(&system, 12)?.start(per_second);
    flowing.wait_for(60)?;
    let before = fall_asleep(&system, &a, &flowing)?;
    let took = taken_over(&system, before, 6)?;
    flowing.wait_for(60)?;
    eventually("the broker has ended what the sleeper had open", || {
        Ok((!system.kafka.holds_offsets("registry", "a")?).then_some(()))
    })?;
    a.signal("CONT")?;
    let woke = woke_well(&mut a)?;
    flowing.wait_for(120)?;
    let sent = flowing.stop()?;
    let drained = flow::all_ended(&system, &sent)?;
    flow::verify(&system, &sent)?;
    eprintln!("registry: taken over after {took:?}, woken: {woke}, {} commands, drained in {drained:?}", sent.len());
    Ok(())
}

#[test]
fn a_registry_that_slept_through_its_session_makes_nothing_visible() -> Result<()> {
    woken_registry_makes_nothing_visible(60, |system, registry, _| {
        let before = markers(system)?;
        registry.signal("STOP")?;
        Ok(before)
    })
}

/// Stops a registry until it is caught after it has sent its offsets and before its commit.
fn stop_before_commit(system: &System, registry: &Process, flowing: &Flowing) -> Result<usize> {
    for stops in 1..=STOPS {
        let before = markers(system)?;
        registry.signal("STOP")?;
        if system.kafka.holds_offsets("registry", "a")? {
            eprintln!("caught at stop {stops}");
            return Ok(before);
        }
        registry.signal("CONT")?;
        // So long that it is at work again, and each time stopped at another place.
        flowing.wait_for(20 + stops * 7 % 40)?;
    }
    bail!("never between its offsets and its commit in {STOPS} stops")
}

#[test]
fn a_registry_that_slept_between_its_offsets_and_its_commit_makes_nothing_visible() -> Result<()> {
    woken_registry_makes_nothing_visible(120, stop_before_commit)
}

#[test]
fn a_projection_that_slept_through_its_session_doubles_nothing() -> Result<()> {
    let system = System::bare()?;
    let [_registry, mut a, _b] = system.spawn_ready([("registry", "r"), ("projection", "a"), ("projection", "b")])?;
    let flowing = Flow::new(&system, 12)?.start(60);
    flowing.wait_for(60)?;
    a.signal("STOP")?;
    let epochs = || -> Result<u64> {
        let row = system.sql.row("SELECT sum(epoch)::bigint AS epochs FROM pursight.projection_position")?;
        row["epochs"].as_u64().context("positions")
    };
    let (before, began) = (epochs()?, Instant::now());
    eventually("the other projection takes over", || Ok((epochs()? > before + 20).then_some(())))?;
    let took = began.elapsed();
    flowing.wait_for(60)?;
    a.signal("CONT")?;
    let woke = woke_well(&mut a)?;
    flowing.wait_for(60)?;
    let sent = flowing.stop()?;
    flow::verify(&system, &sent)?;
    let rebuilt = system.call(&["rebuild", "--json"])?;
    ensure!(rebuilt.code == 0, "{rebuilt:?}");
    eprintln!("projection: taken over after {took:?}, woken: {woke}, {} commands", sent.len());
    Ok(())
}

#[test]
fn of_two_processes_under_one_name_the_older_ends_with_one_clear_error() -> Result<()> {
    let system = System::bare()?;
    let mut older = system.spawn("all", "same")?;
    older.wait_ready()?;
    let flowing = Flow::new(&system, 12)?.start(40);
    flowing.wait_for(40)?;
    let mut newer = system.spawn("all", "same")?;
    let status = older.wait_end()?;
    ensure!(status.code() == Some(1), "{status}");
    let log = older.log()?;
    let said: Vec<&str> = log.lines().filter(|line| line.starts_with("pursight: ")).collect();
    ensure!(said.len() == 1 && said[0].contains("another process runs under the name of this one"), "{said:?}");
    ensure!(log.contains("give every process its own PURSIGHT_INSTANCE"), "{log}");
    newer.wait_ready()?;
    flowing.wait_for(120)?;
    let sent = flowing.stop()?;
    flow::verify(&system, &sent)?;
    ensure!(newer.ended()?.is_none(), "the newer one ended as well: {}", newer.log()?);
    Ok(())
}

#[test]
fn a_member_that_comes_and_goes_stops_nothing_and_repeats_nothing() -> Result<()> {
    let system = System::bare()?;
    let mut steady = system.spawn("all", "steady")?;
    steady.wait_ready()?;
    let flowing = Flow::new(&system, 12)?.start(40);
    for round in 0..ROUNDS {
        let began = Instant::now();
        let mut guest = system.spawn("all", "guest")?;
        guest.wait_ready()?;
        flowing.wait_for(40)?;
        guest.signal("TERM")?;
        let status = guest.wait_end()?;
        ensure!(status.success(), "round {round}: {status}: {}", guest.log()?);
        eprintln!("round {round}: {:?}", began.elapsed());
    }
    let sent = flowing.stop()?;
    let drained = flow::all_ended(&system, &sent).with_context(|| quiet(&steady.log().unwrap_or_default()))?;
    flow::verify(&system, &sent)?;
    ensure!(steady.ended()?.is_none(), "{}", steady.log()?);
    eprintln!("{ROUNDS} comings and goings, {} commands, all ended {drained:?} after the last", sent.len());
    Ok(())
}
