//! Hostile records on the command topic: each is one dead letter with its coordinates, memory stays flat, the next good
//! command works. And where nearly all are hostile, the worker stops and says why.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use pursight_attestation::{Claims, HEADER, Permission, Publisher, SigningKey};
use pursight_schemas::published::ENTRIES;
use pursight_schemas::topics::partition_of;
use pursight_schemas::{Event, Micros, Topic, json};
use pursight_tests::{Process, System, eventually};
use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use serde_json::json;
use uuid::Uuid;

/// Hostile records of one wave.
const WAVE: usize = 400;
/// Waves of small and of large records; the first of each warms up.
const WAVES: usize = 3;
/// Records of a megabyte in a wave of large ones; all at once they would show.
const LARGE: usize = 16;
/// By how much the worker may grow after the first wave, KiB.
const GROWTH: u64 = 32 * 1024;
/// What it may ever hold, KiB.
const MOST: u64 = 176 * 1024;

/// Memory of a process, in use and the most that ever was, KiB.
fn memory(process: &Process) -> Result<(u64, u64)> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.pid()))?;
    let figure = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).context("a figure")?;
        Ok::<u64, anyhow::Error>(line.trim_start_matches(':').trim().trim_end_matches(" kB").parse()?)
    };
    Ok((figure("VmRSS")?, figure("VmHWM")?))
}

/// The registry worker and the projection that it waits for.
fn workers(system: &System) -> Result<(Process, Process)> {
    Ok((system.spawn("registry", "registry")?, system.spawn("projection", "projection")?))
}

/// A publisher that is trusted, and its one command.
struct Good {
    value: Vec<u8>,
    attestation: String,
}

fn good(system: &System, id: Uuid, name: &str) -> Result<Good> {
    let spec = json!({"name": name, "source_type": "POSTGRESQL", "location": "ON_PREM", "username": "reader",
        "hosts": [{"host": "localhost", "port": 5432}]});
    let meta = json!({"command_id": id, "tenant_id": system.tenant, "actor": {"principal": "ada", "type": "USER"}});
    let framed = json::read(&json!({"type": "CreateDataSource", "meta": meta, "spec": spec}));
    let value = framed.map_err(|problems| anyhow::anyhow!("{problems:?}"))?.bytes;
    let publisher = Publisher {
        issuer: "tests".to_owned(),
        tenant: system.tenant.clone(),
        subject: "ada".to_owned(),
        permissions: Permission::ALL.to_vec(),
    };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    let claims = Claims::of(publisher, id, &value, Micros(i64::try_from(now.as_micros())?))?;
    Ok(Good { attestation: SigningKey::load(&system.settings["PURSIGHT_SIGNING_KEY"])?.sign(&claims), value })
}

/// Numbers that look random and are the same every time.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.next() % most as u64).unwrap_or_default()
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next().to_le_bytes()[0]).collect()
    }
}

/// A record that no worker can handle, of one of eight kinds.
fn hostile(kind: usize, valid: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    const BOMB: [u8; 10] = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10];
    let at = 6 + numbers.below(valid.len() - 6);
    let id = ENTRIES[numbers.below(ENTRIES.len())].id.to_be_bytes();
    match kind % 8 {
        0 => {
            let length = 1 + numbers.below(2_000);
            numbers.bytes(length)
        }
        1 => valid[..at].to_vec(),
        2 => {
            let mut flipped = valid.to_vec();
            flipped[at] ^= 1 << numbers.below(8);
            flipped
        }
        // A text of 2^59 bytes.
        3 => [&valid[..at], &BOMB, &valid[at..]].concat(),
        // Lists of 2^59 items, one in the other.
        4 => [&[0], &id[..], &BOMB.repeat(100)].concat(),
        // As deep as a record may be long.
        5 => [&[0], &id[..], &[2; 100_000]].concat(),
        6 => [&[0], &numbers.bytes(4)[..], valid].concat(),
        _ => Vec::new(),
    }
}

/// Publishes to the partition of the system's tenant, in order.
struct Burst {
    producer: BaseProducer,
    topic: String,
    key: String,
    partition: i32,
    next: i64,
}

impl Burst {
    fn new(system: &System) -> Result<Self> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &system.kafka.bootstrap).set("enable.idempotence", "true");
        config.set("message.max.bytes", "2000000").set("queue.buffering.max.kbytes", "262144");
        let key = system.tenant.clone();
        let partition = partition_of(key.as_bytes(), Topic::Command.partitions());
        let topic = Topic::Command.name(&system.kafka.prefix);
        Ok(Self { producer: config.create()?, topic, key, partition, next: 0 })
    }

    /// Queues a record; returns its offset, since nobody else writes there.
    fn put(&mut self, value: &[u8], attestation: &str) -> Result<i64> {
        let headers = OwnedHeaders::new().insert(Header { key: HEADER, value: Some(attestation) });
        let record = BaseRecord::to(&self.topic).key(&self.key).payload(value).headers(headers);
        self.producer.send(record.partition(self.partition)).map_err(|(error, _)| error)?;
        self.next += 1;
        Ok(self.next - 1)
    }

    fn flush(&self) -> Result<()> {
        Ok(self.producer.flush(Duration::from_secs(30))?)
    }
}

/// Waits for the outcome of a command.
fn succeeds(system: &System, id: Uuid) -> Result<()> {
    eventually("the command's outcome", || {
        let outcomes = system.kafka.events(Topic::Outcome)?;
        let found = outcomes.iter().find(|event| event.meta().command_id == Some(id));
        match found {
            None => Ok(None),
            Some(Event::CommandSucceeded(_)) => Ok(Some(())),
            Some(other) => bail!("{other:?}"),
        }
    })
}

/// One wave: hostile records, with good ones between them so that the brake is not hit. Returns their offsets.
fn wave(burst: &mut Burst, good: &Good, numbers: &mut Numbers) -> Result<Vec<i64>> {
    let mut offsets = Vec::new();
    for at in 0..WAVE {
        offsets.push(burst.put(&hostile(at, &good.value, numbers), &good.attestation)?);
        // The same command again: the cheapest good record there is.
        burst.put(&good.value, &good.attestation)?;
        if at % 3 == 0 {
            burst.put(&good.value, &good.attestation)?;
        }
    }
    burst.flush()?;
    Ok(offsets)
}

/// Records of a megabyte each.
fn large(burst: &mut Burst, good: &Good) -> Result<Vec<i64>> {
    let mut offsets = Vec::new();
    for _ in 0..LARGE {
        offsets.push(burst.put(&vec![b'x'; 1_040_000], &good.attestation)?);
        burst.put(&good.value, &good.attestation)?;
        burst.put(&good.value, &good.attestation)?;
    }
    burst.flush()?;
    Ok(offsets)
}

#[test]
fn hostile_records_are_dead_letters_in_flat_memory_and_the_next_good_command_works() -> Result<()> {
    let system = System::bare()?;
    let (registry, _projection) = workers(&system)?;
    let id = |number: usize| Uuid::from_u128(0x0198_0000_0000_7000_8000_0000_0000_0000 + number as u128);
    let first = good(&system, id(0), "before")?;
    let (mut burst, mut numbers) = (Burst::new(&system)?, Numbers(7));
    burst.put(&first.value, &first.attestation)?;
    burst.flush()?;
    succeeds(&system, id(0)).with_context(|| registry.log().unwrap_or_default())?;

    let (mut offsets, mut figures) = (Vec::new(), Vec::new());
    for number in 0..2 * WAVES {
        // By turns many small ones and some that are large.
        offsets.extend(match number % 2 {
            0 => wave(&mut burst, &first, &mut numbers)?,
            _ => large(&mut burst, &first)?,
        });
        let next = good(&system, id(1 + number), &format!("after {number}"))?;
        burst.put(&next.value, &next.attestation)?;
        burst.flush()?;
        succeeds(&system, id(1 + number)).with_context(|| registry.log().unwrap_or_default())?;
        figures.push(memory(&registry)?);
    }
    println!("memory of the registry worker after each wave, KiB (now, most): {figures:?}");
    let (before, most_before) = figures[1];
    for (now, most) in &figures[2..] {
        let flat = *now <= before + GROWTH && *most <= most_before + GROWTH && *most <= MOST;
        ensure!(flat, "memory is not flat: {figures:?}");
    }

    let letters = system.kafka.read(Topic::DeadLetter)?;
    let mut found = BTreeMap::new();
    for letter in &letters {
        let header = |name: &str| letter.header(&format!("pursight-dlq-{name}")).unwrap_or_default();
        ensure!(header("topic") == burst.topic && header("partition") == burst.partition.to_string());
        ensure!(header("worker") == "registry" && letter.key == system.tenant);
        let code = header("code").to_owned();
        ensure!(["UNDECODABLE", "ATTESTATION_INVALID"].contains(&code.as_str()), "{code}");
        ensure!(found.insert(header("offset").parse::<i64>()?, code).is_none(), "two dead letters of one record");
    }
    ensure!(found.keys().copied().eq(offsets.iter().copied()), "{} of {} records", found.len(), offsets.len());
    Ok(())
}

#[test]
fn a_flood_of_poison_stops_the_worker_and_says_why() -> Result<()> {
    let system = System::bare()?;
    let (mut registry, _projection) = workers(&system)?;
    let id = |number: u128| Uuid::from_u128(0x0198_0000_0000_7000_8000_0000_0001_0000 + number);
    let before = good(&system, id(0), "before")?;
    let (mut burst, mut numbers) = (Burst::new(&system)?, Numbers(11));
    burst.put(&before.value, &before.attestation)?;
    burst.flush()?;
    succeeds(&system, id(0)).with_context(|| registry.log().unwrap_or_default())?;
    // Twenty in a row may be somebody's fault; one more is ours.
    for at in 0..20 {
        burst.put(&hostile(at, &before.value, &mut numbers), &before.attestation)?;
    }
    let between = good(&system, id(1), "between")?;
    burst.put(&between.value, &between.attestation)?;
    burst.flush()?;
    succeeds(&system, id(1)).with_context(|| registry.log().unwrap_or_default())?;
    for at in 0..60 {
        burst.put(&hostile(at, &before.value, &mut numbers), &before.attestation)?;
    }
    burst.flush()?;
    let status = eventually("the worker's end", || registry.ended())?;
    let log = registry.log()?;
    ensure!(!status.success(), "it ended well: {log}");
    ensure!(!registry.health("/readyz").is_ok_and(|(code, _)| code == 200), "it still says that it is ready");
    ensure!(log.contains("too many records in a row could not be handled"), "{log}");
    ensure!(log.contains("pursight dead-letter list"), "the remedy is not named: {log}");

    // A person looked at it: started again, it goes on behind what was written, and stops again if it must.
    let after = good(&system, id(2), "after")?;
    burst.put(&after.value, &after.attestation)?;
    burst.flush()?;
    for _ in 0..5 {
        let mut again = system.spawn("registry", "registry")?;
        let ended = eventually("an outcome or the next end", || {
            let done = system.kafka.events(Topic::Outcome)?.iter().any(|event| event.meta().command_id == Some(id(2)));
            Ok(if done { Some(true) } else { again.ended()?.map(|_| false) })
        })?;
        if ended {
            return succeeds(&system, id(2));
        }
    }
    bail!("the worker never got behind the flood: {log}")
}
