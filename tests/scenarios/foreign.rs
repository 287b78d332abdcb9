//! What should never happen to the log and to the read model, and what the workers then do: they wait, refuse or stop
//! with the remedy, and never decide on what is not true.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use pursight_schemas::{Event, Topic};
use pursight_tests::database::{Sql, with_database};
use pursight_tests::flow::{self, Flow};
use pursight_tests::{Process, System, eventually, setting};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use uuid::Uuid;

/// A producer that is none of ours.
fn foreigner(system: &System, transactional: bool) -> Result<BaseProducer> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &system.kafka.bootstrap);
    if transactional {
        config.set("transactional.id", Uuid::new_v4().to_string()).set("transaction.timeout.ms", "10000");
    }
    Ok(config.create()?)
}

/// One line of standard error tells why a process ended.
fn ended_with(process: &mut Process, words: &[&str]) -> Result<()> {
    let status = process.wait_end()?;
    let log = process.log()?;
    let said: Vec<&str> = log.lines().filter(|line| line.starts_with("pursight: ")).collect();
    ensure!(status.code() == Some(1) && said.len() == 1, "{status}: {said:?}");
    for word in words {
        ensure!(log.contains(word), "it does not say {word:?}: {said:?}");
    }
    Ok(())
}

#[test]
fn an_event_of_a_foreign_writer_is_not_folded_and_somebody_is_told() -> Result<()> {
    let system = System::bare()?;
    let mut workers = system.spawn("all", "one")?;
    workers.wait_ready()?;
    let mut flow = Flow::new(&system, 1)?;
    flow.send()?;
    flow.send()?;
    let mut sent = flow.acknowledged()?;
    flow::all_ended(&system, &sent)?;
    let created = system
        .kafka
        .read(Topic::Source)?
        .into_iter()
        .find(|read| matches!(read.event(), Ok(Event::DataSourceCreated(_))));
    let created = created.context("an event")?;
    let producer = foreigner(&system, false)?;
    let topic = Topic::Source.name(&system.kafka.prefix);
    // Once without an owner, once under one that was never there; each a copy of a true event under another source.
    let stranger = Uuid::new_v4().to_string();
    for owner in [None, Some(&stranger)] {
        let mut event = created.event()?;
        event.meta_mut().source_id = Some(Uuid::new_v4());
        let value = event.encode()?;
        let headers = owner.map_or_else(OwnedHeaders::new, |owner| {
            OwnedHeaders::new().insert(Header { key: "pursight-owner", value: Some(owner) })
        });
        let record = BaseRecord::to(&topic).key(&created.key).payload(&value).headers(headers);
        producer.send(record.partition(created.partition)).map_err(|(error, _)| error)?;
    }
    producer.flush(Duration::from_secs(30))?;
    let told = || -> Result<usize> { Ok(workers.log()?.matches("FOREIGN_WRITER").count()) };
    eventually("the alarm", || Ok((told()? == 2).then_some(())))?;
    // The partition goes on behind them.
    let mut more = Flow::probe(&system)?;
    more.send()?;
    sent.extend(more.acknowledged()?);
    flow::all_ended(&system, &sent)?;
    let rows = system.sql.row("SELECT count(*) AS rows FROM pursight.data_source")?;
    ensure!(rows["rows"] == 2, "{rows}");
    let rebuilt = system.call(&["rebuild", "--json"])?;
    ensure!(rebuilt.code == 0, "{rebuilt:?}");
    Ok(())
}

#[test]
fn a_transaction_that_a_foreigner_keeps_open_delays_a_new_owner_and_no_more() -> Result<()> {
    let system = System::bare()?;
    let mut projection = system.spawn("projection", "p")?;
    projection.wait_ready()?;
    let producer = foreigner(&system, true)?;
    producer.init_transactions(Duration::from_secs(30))?;
    producer.begin_transaction()?;
    let topic = Topic::Source.name(&system.kafka.prefix);
    for partition in 0..Topic::Source.partitions() {
        let record = BaseRecord::<str, str>::to(&topic).key("x").payload("never committed").partition(partition);
        producer.send(record).map_err(|(error, _)| error)?;
    }
    while producer.in_flight_count() > 0 {
        producer.poll(Duration::from_millis(10));
    }
    let began = Instant::now();
    let mut registry = system.spawn("registry", "r")?;
    registry.wait_ready()?;
    let mut flow = Flow::new(&system, 12)?;
    for _ in 0..24 {
        flow.send()?;
    }
    let sent = flow.acknowledged()?;
    flow::verify(&system, &sent)?;
    eprintln!("a foreign transaction with a timeout of 10 s delayed the new owner for {:?}", began.elapsed());
    // Its time is over: nothing of it is ever seen.
    ensure!(producer.commit_transaction(Duration::from_secs(10)).is_err(), "it was committed after all");
    ensure!(system.kafka.events(Topic::Source).is_ok(), "its records became visible");
    Ok(())
}

#[test]
fn names_stay_unique_while_the_projection_is_away_for_long() -> Result<()> {
    let system = System::bare()?;
    let mut projection = system.spawn("projection", "p")?;
    let mut registry = system.spawn("registry", "r")?;
    projection.wait_ready()?;
    registry.wait_ready()?;
    // The first has its partitions, and with them the markers that need a projection.
    let mut first = Flow::probe(&system)?;
    first.send()?;
    flow::all_ended(&system, &first.acknowledged()?)?;
    let owners = || -> Result<usize> { Ok(system.kafka.read(Topic::Source)?.len()) };
    eventually("every partition has its owner", || Ok((owners()? > 12).then_some(())))?;
    projection.kill()?;
    let mut flow = Flow::new(&system, 12)?;
    for _ in 0..240 {
        flow.send()?;
    }
    let sent = flow.acknowledged()?;
    eventually("everything is decided without a projection", || {
        let outcomes = system.kafka.events(Topic::Outcome)?;
        Ok((outcomes.iter().filter(|event| flow::end(event).is_some()).count() == 241).then_some(()))
    })?;
    // A new owner cannot know which names are taken: it waits.
    registry.kill()?;
    let mut other = system.spawn("registry", "other")?;
    eventually("the new owner says that it waits", || {
        let answer = other.health("/readyz").ok();
        let says = "waits for a dependency: what earlier owners committed is not known yet";
        Ok(answer.filter(|(status, body)| *status == 503 && body.contains(says)).map(drop))
    })?;
    let mut projection = system.spawn("projection", "p")?;
    projection.wait_ready()?;
    other.wait_ready()?;
    flow::verify(&system, &sent)
}

#[test]
fn an_older_copy_of_the_read_model_decides_nothing_before_it_has_caught_up() -> Result<()> {
    let mut system = System::bare()?;
    let mut workers = system.spawn("all", "one")?;
    workers.wait_ready()?;
    let mut sent = Vec::new();
    let some = |system: &System, sent: &mut Vec<flow::Sent>| -> Result<()> {
        let mut flow = Flow::continued(system, 6, sent.len())?;
        for _ in 0..24 {
            flow.send()?;
        }
        sent.extend(flow.acknowledged()?);
        Ok(())
    };
    some(&system, &mut sent)?;
    flow::all_ended(&system, &sent)?;
    workers.signal("TERM")?;
    workers.wait_end()?;
    // A copy as a backup would be.
    let admin = Sql::open(&setting::get("DATABASE_ADMIN")?)?;
    let url = system.settings["PURSIGHT_DATABASE_URL"].clone();
    let name = url.rsplit_once('/').context("a database")?.1.to_owned();
    // A session that was about to begin when the door was shut is not in the list yet: before each attempt whoever is in it
    // is sent away.
    let without_sessions = |statement: &str| -> Result<()> {
        admin.run(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false"))?;
        eventually("no session is left", || {
            let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname =";
            admin.run(&format!("{end} '{name}'"))?;
            match admin.run(statement) {
                Err(error) if format!("{error:#}").contains("is being accessed") => Ok(None),
                done => done.map(Some),
            }
        })
    };
    without_sessions(&format!("CREATE DATABASE {name}_old TEMPLATE {name}"))?;
    admin.run(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true"))?;
    workers = system.spawn("all", "one")?;
    workers.wait_ready()?;
    system.sql = Sql::open(&url)?;
    some(&system, &mut sent)?;
    flow::all_ended(&system, &sent)?;
    // Under the running workers the old copy takes the place of the living one.
    without_sessions(&format!("ALTER DATABASE {name} RENAME TO {name}_new"))?;
    admin.run(&format!("ALTER DATABASE {name}_old RENAME TO {name}"))?;
    some(&system, &mut sent)?;
    system.sql = Sql::open(&with_database(&url, &name)?)?;
    let outcome = flow::verify(&system, &sent);
    admin.run(&format!("DROP DATABASE IF EXISTS {name}_new WITH (FORCE)"))?;
    outcome?;
    ensure!(workers.ended()?.is_none(), "{}", workers.log()?);
    let rebuilt = system.call(&["rebuild", "--json"])?;
    ensure!(rebuilt.code == 0, "{rebuilt:?}");
    Ok(())
}

#[test]
fn lost_offsets_and_topics_made_anew_stop_the_workers_with_the_remedy() -> Result<()> {
    let system = System::bare()?;
    let mut workers = system.spawn("all", "one")?;
    workers.wait_ready()?;
    let mut flow = Flow::new(&system, 12)?;
    for _ in 0..24 {
        flow.send()?;
    }
    flow::verify(&system, &flow.acknowledged()?)?;
    workers.signal("TERM")?;
    workers.wait_end()?;

    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", &system.kafka.bootstrap).create()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let group = format!("{}-registry", system.kafka.prefix);
    eventually("the group is removed", || {
        let removed = runtime.block_on(admin.delete_groups(&[&group], &AdminOptions::new()))?;
        Ok(removed.into_iter().all(|one| one.is_ok()).then_some(()))
    })?;
    let mut registry = system.spawn("registry", "lost")?;
    ended_with(&mut registry, &["has no offset", "pursight topics apply"])?;
    system.must(&["topics", "apply"])?;

    // All commands lie behind the group's new first offset once more: they are repeats and change nothing. New owners
    // write their markers, one a partition and takeover.
    let count = || -> Result<usize> {
        let events = system.kafka.events(Topic::Source)?;
        Ok(events.iter().filter(|event| !matches!(event, Event::OwnershipTaken(_))).count())
    };
    let events = count()?;
    let mut workers = system.spawn("all", "again")?;
    workers.wait_ready()?;
    eventually("the repeats are audited", || {
        let row = system.sql.row("SELECT count(*) AS lines FROM pursight.audit WHERE decision = 'REPEATED'")?;
        Ok((row["lines"] == 24).then_some(()))
    })?;
    ensure!(count()? == events, "repeats made events");

    let name = Topic::Source.name(&system.kafka.prefix);
    runtime.block_on(admin.delete_topics(&[&name], &AdminOptions::new()))?;
    ended_with(&mut workers, &["pursight topics apply"])?;
    eventually("the topic is made anew", || Ok((system.call(&["topics", "apply"])?.code == 0).then_some(())))?;
    let mut projection = system.spawn("projection", "anew")?;
    ended_with(&mut projection, &["a position is missing or outside the log", "pursight rebuild"])
}
