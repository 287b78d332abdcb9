//! The places that are searched, and how a canary of the test's own gets into each of them.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use pursight_schemas::Topic;
use pursight_tests::canary::{Canary, Found, Scan};
use pursight_tests::setting;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::records;
use super::world::{World, dumping};

/// Where a secret could be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Files of the broker, but for those of committed offsets.
    Segments,
    /// Files of committed offsets and their metadata.
    CommitMetadata,
    /// Records as a read_committed consumer gets them, decoded.
    Committed,
    /// The same for read_uncommitted: aborted data too.
    Uncommitted,
    /// `pg_dump` of the read model and the sealed store.
    Dump,
    /// Data files of the cluster, after a checkpoint.
    DataFiles,
    /// Its write-ahead log.
    WriteAheadLog,
    /// Logs of broker and database.
    ServerLogs,
    /// Logs of the workers, at TRACE.
    WorkerLogs,
    /// `/metrics`, `/readyz`, `/livez`.
    Http,
    /// `/proc/<pid>/cmdline`.
    CommandLines,
    /// `/proc/<pid>/environ`.
    Environment,
    /// What the command line printed, errors and JSON too.
    Outputs,
    /// The working and the temporary folder, with core files if there are any.
    WorkingFolder,
    /// A core file alone: whether it would be seen.
    CoreFile,
}

impl Place {
    /// Every place.
    pub const ALL: [Self; 15] = [
        Self::Segments,
        Self::CommitMetadata,
        Self::Committed,
        Self::Uncommitted,
        Self::Dump,
        Self::DataFiles,
        Self::WriteAheadLog,
        Self::ServerLogs,
        Self::WorkerLogs,
        Self::Http,
        Self::CommandLines,
        Self::Environment,
        Self::Outputs,
        Self::WorkingFolder,
        Self::CoreFile,
    ];

    /// What is found there.
    pub fn search(self, world: &World, scan: &Scan) -> Result<Vec<Found>> {
        let said = |what: &str| scan.file(&world.said.path().join(what));
        match self {
            Self::Segments => broker_files(world, scan, false),
            Self::CommitMetadata => broker_files(world, scan, true),
            Self::Committed => Ok(records::search(&world.broker.bootstrap(), "read_committed", scan)?.0),
            Self::Uncommitted => Ok(records::search(&world.broker.bootstrap(), "read_uncommitted", scan)?.0),
            Self::Dump => dump(world, scan),
            Self::DataFiles => data_files(world, scan),
            Self::WriteAheadLog => scan.folder(&world.cluster.data().join("pg_wal")),
            Self::ServerLogs => Ok([scan.file(&world.broker.log())?, scan.file(&world.cluster.log())?].concat()),
            Self::WorkerLogs => scan.file(&world.system.folder.path().join("workers.log")),
            Self::Http => said("http"),
            Self::CommandLines => said("cmdline"),
            Self::Environment => said("environ"),
            Self::Outputs => said("outputs"),
            Self::WorkingFolder | Self::CoreFile => scan.folder(world.working.path()),
        }
    }

    /// Puts a canary there, in the way in which something would get there by itself.
    pub fn plant(self, world: &World, canary: &Canary) -> Result<()> {
        let sql = |statement: String| world.system.sql.run(&statement);
        let text = canary.text();
        match self {
            Self::Segments => produce(world, canary.bytes(), "none"),
            // Compressed, as our own producers do it: the bytes alone would not show it.
            Self::Committed => {
                produce(world, [canary.bytes(), "filler ".repeat(500).as_bytes()].concat().as_slice(), "zstd")
            }
            Self::CommitMetadata => commit(world, text),
            Self::Uncommitted => abort(world, canary.bytes()),
            Self::Dump => sql(format!("CREATE TABLE pursight.control_of_dump AS SELECT '{text}' AS leak")),
            Self::DataFiles => sql(format!("CREATE TABLE control_of_files AS SELECT '{text}' AS leak")),
            // Twice: the header of a page may part one of them.
            Self::WriteAheadLog => {
                sql(format!("SELECT pg_logical_emit_message(true, 'control', '{text}') FROM generate_series(1, 2)"))
            }
            Self::ServerLogs => sql(format!("DO $$ BEGIN RAISE LOG '%', '{text}'; END $$")),
            Self::WorkerLogs => {
                let mut log = OpenOptions::new().append(true).open(world.system.folder.path().join("workers.log"))?;
                Ok(writeln!(log, "{}", serde_json::json!({"level": "TRACE", "message": text}))?)
            }
            Self::Http => tell_over_http(world, text),
            Self::CommandLines => show_process(world, Command::new("bash").args(["-c", "read -r", text])),
            Self::Environment => show_process(world, Command::new("bash").args(["-c", "read -r"]).env("LEAK", text)),
            Self::Outputs => {
                let mut command = Command::new("bash");
                command.args(["-c", r#"printf %s "$0" >&2; exit 3"#, text]);
                world.record(command, "", false).map(drop)
            }
            Self::WorkingFolder => {
                Ok(File::create(world.working.path().join("tmp").join("leak"))?.write_all(canary.bytes())?)
            }
            Self::CoreFile => dump_core(world, text),
        }
    }
}

fn broker_files(world: &World, scan: &Scan, of_offsets: bool) -> Result<Vec<Found>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(world.broker.data())? {
        let path = entry?.path();
        let is_of_offsets =
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("__consumer_offsets-"));
        if is_of_offsets == of_offsets {
            found.extend(if path.is_dir() { scan.folder(&path)? } else { scan.file(&path)? });
        }
    }
    Ok(found)
}

/// All but the write-ahead log and the template databases: those are as initdb made them.
fn data_files(world: &World, scan: &Scan) -> Result<Vec<Found>> {
    world.system.sql.run("CHECKPOINT")?;
    let templates = world.system.sql.rows("SELECT oid::text AS oid FROM pg_database WHERE datistemplate")?;
    let data = world.cluster.data();
    let spared: Vec<_> = templates
        .iter()
        .filter_map(|row| Some(data.join("base").join(row["oid"].as_str()?)))
        .chain([data.join("pg_wal")])
        .collect();
    scan.folder_but(&data, &spared)
}

fn dump(world: &World, scan: &Scan) -> Result<Vec<Found>> {
    let program = std::path::Path::new(&setting::get("PG_BIN")?).join("pg_dump");
    let mut dumping = Command::new(program)
        .args(["--dbname", &world.system.settings["PURSIGHT_DATABASE_URL"]])
        .stdout(Stdio::piped())
        .spawn()?;
    let found = scan.stream("pg_dump", dumping.stdout.take().context("piped")?)?;
    ensure!(dumping.wait()?.success(), "pg_dump failed");
    Ok(found)
}

fn client(world: &World) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", world.broker.bootstrap());
    config
}

/// Where controls lie: on a topic that nobody reads any more, for the workers have ended.
fn topic(world: &World) -> String {
    Topic::Outcome.name(&world.system.kafka.prefix)
}

fn produce(world: &World, value: &[u8], compression: &str) -> Result<()> {
    let producer: BaseProducer = client(world).set("compression.type", compression).create()?;
    producer.send(BaseRecord::to(&topic(world)).key("control").payload(value)).map_err(|(error, _)| error)?;
    Ok(producer.flush(Duration::from_secs(30))?)
}

fn abort(world: &World, value: &[u8]) -> Result<()> {
    let producer: BaseProducer = client(world).set("transactional.id", "canary-control").create()?;
    let patience = Duration::from_secs(30);
    producer.init_transactions(patience)?;
    producer.begin_transaction()?;
    producer.send(BaseRecord::to(&topic(world)).key("control").payload(value)).map_err(|(error, _)| error)?;
    producer.flush(patience)?;
    Ok(producer.abort_transaction(patience)?)
}

fn commit(world: &World, text: &str) -> Result<()> {
    let consumer: BaseConsumer = client(world).set("group.id", "canary-control").create()?;
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&topic(world), 0, Offset::Offset(0))?;
    list.find_partition(&topic(world), 0).context("added")?.set_metadata(text);
    Ok(consumer.commit(&list, CommitMode::Sync)?)
}

/// An HTTP endpoint that says too much.
fn tell_over_http(world: &World, text: &str) -> Result<()> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    let answer = format!("HTTP/1.1 200 OK\r\n\r\npursight_runs{{error=\"{text}\"}} 1\n");
    let serving = std::thread::spawn(move || -> std::io::Result<()> {
        let (mut stream, _) = listener.accept()?;
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            std::io::Read::read_exact(&mut stream, &mut byte)?;
            request.extend(byte);
        }
        stream.write_all(answer.as_bytes())
    });
    world.ask_http(&address, "/metrics")?;
    ensure!(serving.join().is_ok_and(|served| served.is_ok()), "the endpoint did not serve");
    Ok(())
}

fn show_process(world: &World, command: &mut Command) -> Result<()> {
    let mut child = command.stdin(Stdio::piped()).spawn()?;
    let kept = world.look_at(child.id());
    child.kill()?;
    child.wait()?;
    kept
}

/// Another program, with the canary in its memory, dumps its core where ours did not. Where the system lets nobody dump a
/// core into the working folder, none of ours can be there either.
fn dump_core(world: &World, text: &str) -> Result<()> {
    let mut command = Command::new("bash");
    command.args(["-c", "kill -SEGV $$"]).env("LEAK", text);
    let status = dumping(&command, world.working.path()).status()?;
    let dumped = std::os::unix::process::ExitStatusExt::core_dumped(&status);
    let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern")?;
    if !dumped || pattern.starts_with(['|', '/', '@']) {
        File::create(world.working.path().join("core.stand-in"))?.write_all(text.as_bytes())?;
    }
    Ok(())
}
