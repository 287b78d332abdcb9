//! Light load: one command every 50 ms, from its acknowledgement until its row is there, beside the bare loop with its
//! upsert, in turns.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use pursight_tests::System;
use rdkafka::consumer::Consumer as _;
use rdkafka::message::Message as _;
use rdkafka::producer::Producer as _;
use rdkafka::{Offset, TopicPartitionList};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

use crate::commands::{Publisher, acknowledged, send};
use crate::limit::{Bare, commit};
use crate::progress::until;
use crate::report::{Report, Target, share};

const SUITE: &str = "latency";
const EVERY: Duration = Duration::from_millis(50);
/// Commands of one turn, and turns of a run; the first turn of a run is not counted.
const TURN: usize = 40;
const TURNS: usize = 6;

/// Measures so often.
pub fn run(report: &mut Report, runs: usize) -> Result<()> {
    report.about(
        SUITE,
        "one CreateDataSource every 50 ms to `pursight run all`, from the broker's acknowledgement until a SELECT finds the source; \
         beside it a bare loop (one thread consumes, writes 3 records of 600 bytes and commits in one transaction; another upserts a \
         row and moves a position), measured alike, in turns of 40.",
    );
    for run in 0..runs {
        eprintln!("latency: run {} of {runs}", run + 1);
        once(report)?;
    }
    Ok(())
}

fn once(report: &mut Report) -> Result<()> {
    let mut system = System::bare()?;
    system.run_workers()?;
    let publisher = Publisher::new(&system)?;
    let url = &system.settings["PURSIGHT_DATABASE_URL"];
    let (rows, bare) = (Rows::open(url)?, Bare::new(&system.kafka.bootstrap, 3)?);
    rows.run("CREATE SCHEMA bare; CREATE TABLE bare.row (id uuid PRIMARY KEY, text text, at bigint);
        CREATE TABLE bare.position (topic text PRIMARY KEY, next bigint NOT NULL); INSERT INTO bare.position VALUES ('t', 0)")?;
    let stop = AtomicBool::new(false);
    let (mut product, mut limit) = (Vec::new(), Vec::new());
    std::thread::scope(|scope| -> Result<()> {
        let worker = scope.spawn(|| stopping(&stop, worker(&bare, &stop)));
        let projection = scope.spawn(|| stopping(&stop, projection(&bare, url, &stop)));
        let measured = (|| {
            for turn in 0..TURNS {
                let times = of_product(&publisher, &rows, &stop)?;
                product.extend(times.into_iter().filter(|_| turn > 0));
                let times = of_bare(&bare, &rows, &stop)?;
                limit.extend(times.into_iter().filter(|_| turn > 0));
            }
            anyhow::Ok(())
        })();
        stop.store(true, Ordering::SeqCst);
        joined(worker).context("the bare worker")?;
        joined(projection).context("the bare projection")?;
        measured
    })?;
    for (name, part, most) in [("p50", 0.5, 4.0), ("p99", 0.99, 5.0)] {
        let pair = (share(&product, part) * 1e3, share(&limit, part) * 1e3);
        report.beside(SUITE, format!("acknowledged to visible, {name}"), "ms", Target::AtMost(most), pair);
    }
    Ok(())
}

fn joined(thread: std::thread::ScopedJoinHandle<'_, Result<()>>) -> Result<()> {
    thread.join().unwrap_or_else(|_| Err(anyhow::anyhow!("it panicked")))
}

/// A thread that fails stops the others.
fn stopping(stop: &AtomicBool, result: Result<()>) -> Result<()> {
    stop.store(true, Ordering::SeqCst);
    result
}

fn of_product(publisher: &Publisher, rows: &Rows, stop: &AtomicBool) -> Result<Vec<f64>> {
    (0..TURN)
        .map(|_| {
            let command = publisher.create()?;
            paced(|| {
                publisher.publish(std::slice::from_ref(&command))?;
                rows.wait("SELECT FROM pursight.data_source WHERE source_id = $1", command.source, stop)
            })
        })
        .collect()
}

fn of_bare(bare: &Bare, rows: &Rows, stop: &AtomicBool) -> Result<Vec<f64>> {
    let producer = bare.producer()?;
    (0..TURN)
        .map(|_| {
            let id = Uuid::new_v4();
            let value = format!("{id}{}", "x".repeat(564));
            paced(|| {
                send(&producer, bare.topic(0), "tenant", value.as_bytes(), &[])?;
                acknowledged(&producer)?;
                rows.wait("SELECT FROM bare.row WHERE id = $1", id, stop)
            })
        })
        .collect()
}

/// Does something, and waits for the rest of the time of one command: a light load is one by the clock.
fn paced(act: impl FnOnce() -> Result<f64>) -> Result<f64> {
    let start = Instant::now();
    let took = act()?;
    std::thread::sleep(EVERY.saturating_sub(start.elapsed()));
    Ok(took)
}

fn worker(bare: &Bare, stop: &AtomicBool) -> Result<()> {
    let (producer, consumer) = (bare.transactional()?, bare.consumer(0)?);
    while !stop.load(Ordering::SeqCst) {
        let Some(message) = consumer.poll(Duration::from_millis(50)) else { continue };
        let batch = [message?];
        producer.begin_transaction()?;
        let value = batch[0].payload().context("no value")?;
        for topic in [1, 1, 2] {
            send(&producer, bare.topic(topic), "tenant", value, &[])?;
        }
        commit(&consumer, &producer, &batch)?;
    }
    Ok(())
}

fn projection(bare: &Bare, url: &str, stop: &AtomicBool) -> Result<()> {
    let consumer = bare.consumer(2)?;
    consumer.unsubscribe();
    let mut all = TopicPartitionList::new();
    for partition in 0..12 {
        all.add_partition_offset(bare.topic(2), partition, Offset::Beginning)?;
    }
    consumer.assign(&all)?;
    let rows = Rows::open(url)?;
    let mut next = 0_i64;
    while !stop.load(Ordering::SeqCst) {
        let Some(message) = consumer.poll(Duration::from_millis(50)) else { continue };
        let message = message?;
        let text = std::str::from_utf8(message.payload().context("no value")?)?;
        rows.store(Uuid::parse_str(&text[..36])?, text, next)?;
        next += 1;
    }
    Ok(())
}

/// A connection that writes and looks for rows.
struct Rows {
    runtime: tokio::runtime::Runtime,
    client: Client,
}

impl Rows {
    fn open(url: &str) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let (client, connection) = runtime.block_on(tokio_postgres::connect(url, NoTls))?;
        runtime.spawn(async move {
            // Ends with the client.
            drop(connection.await);
        });
        Ok(Self { runtime, client })
    }

    fn run(&self, text: &str) -> Result<()> {
        Ok(self.runtime.block_on(self.client.batch_execute(text))?)
    }

    /// Looks every half millisecond; returns the seconds until the row was there.
    fn wait(&self, query: &str, id: Uuid, stop: &AtomicBool) -> Result<f64> {
        let start = Instant::now();
        let statement = self.runtime.block_on(self.client.prepare(query))?;
        until("the row is there", Duration::from_micros(500), || {
            anyhow::ensure!(!stop.load(Ordering::SeqCst), "something else failed: {query}");
            Ok(self.runtime.block_on(self.client.query_opt(&statement, &[&id]))?)
        })?;
        Ok(start.elapsed().as_secs_f64())
    }

    /// One row and the position, in one transaction.
    fn store(&self, id: Uuid, text: &str, next: i64) -> Result<()> {
        self.runtime.block_on(async {
            self.client.batch_execute("BEGIN; SET LOCAL synchronous_commit = off").await?;
            let upsert = "INSERT INTO bare.row SELECT * FROM UNNEST($1::uuid[], $2::text[], $3::bigint[])
                ON CONFLICT (id) DO UPDATE SET text = EXCLUDED.text, at = EXCLUDED.at";
            let (ids, texts, at) = (vec![id], vec![text], vec![next]);
            let bound: [&(dyn ToSql + Sync); 3] = [&ids, &texts, &at];
            self.client.execute(upsert, &bound).await?;
            let moving = "UPDATE bare.position SET next = next + 1 WHERE topic = 't' AND next = $1";
            anyhow::ensure!(self.client.execute(moving, &[&next]).await? == 1, "somebody else moved the position");
            Ok(self.client.batch_execute("COMMIT").await?)
        })
    }
}
