//! One whole system: topics under an own prefix, an own database, own keys, and `pursight run all` as a process.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value as Json;
use tempfile::TempDir;
use uuid::Uuid;

use crate::database::{Sql, with_database};
use crate::kafka::Kafka;
use crate::process::{Process, http_get, read};
use crate::setting;

/// What a call of the executable gave.
#[derive(Debug)]
pub struct Answer {
    /// Exit code.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Answer {
    /// Standard output as JSON.
    ///
    /// # Errors
    /// It is none.
    pub fn json(&self) -> Result<Json> {
        serde_json::from_str(&self.out).with_context(|| format!("no JSON: {self:?}"))
    }
}

/// One system. Its processes, topics and database end with it.
pub struct System {
    /// Tenant of its command line.
    pub tenant: String,
    /// Its broker and topics.
    pub kafka: Kafka,
    /// The superuser's connection to its database.
    pub sql: Sql,
    /// Settings that its processes get.
    pub settings: BTreeMap<String, String>,
    /// Folder of its keys and logs.
    pub folder: TempDir,
    database: String,
    /// Where it was made; `None` for servers of the test's own, which go with all that is on them.
    shared: Option<Sql>,
    workers: Option<Process>,
}

impl System {
    /// Topics, tables and keys, without any worker.
    ///
    /// # Errors
    /// A step of the set-up failed.
    pub fn bare() -> Result<Self> {
        let url = setting::get("DATABASE_ADMIN")?;
        let mut system = Self::bare_on(&setting::get("KAFKA")?, &url)?;
        system.shared = Some(Sql::open(&url)?);
        Ok(system)
    }

    /// The same on servers of the test's own: a broker's `host:port` and a superuser's URL. Nothing is removed from them.
    ///
    /// # Errors
    /// A step of the set-up failed.
    pub fn bare_on(bootstrap: &str, url: &str) -> Result<Self> {
        let mark = Uuid::new_v4().simple().to_string()[..12].to_owned();
        let (prefix, tenant, database) = (format!("test-{mark}"), format!("tenant-{mark}"), format!("system_{mark}"));
        Sql::open(url)?.run(&format!("CREATE DATABASE {database}"))?;
        let kafka = Kafka { bootstrap: bootstrap.to_owned(), prefix: prefix.clone() };
        let folder = TempDir::new()?;
        let secret_keys = folder.path().join("secret.keys");
        write_private(&secret_keys, &format!("{}\n", random_key()))?;
        let path = |name: &str| folder.path().join(name).display().to_string();
        let database_url = with_database(url, &database)?;
        let settings = BTreeMap::from(
            [
                ("PURSIGHT_KAFKA_BOOTSTRAP", kafka.bootstrap.clone()),
                ("PURSIGHT_TOPIC_PREFIX", prefix),
                ("PURSIGHT_DATABASE_URL", database_url.clone()),
                ("PURSIGHT_TENANT", tenant.clone()),
                ("PURSIGHT_PRINCIPAL", "tester".to_owned()),
                ("PURSIGHT_ISSUER", "tests".to_owned()),
                ("PURSIGHT_INSTANCE", format!("test-{mark}")),
                ("PURSIGHT_SESSION_TIMEOUT_MS", "6000".to_owned()),
                ("PURSIGHT_SIGNING_KEY", path("signing.pem")),
                ("PURSIGHT_TRUSTED_KEYS", path("trusted.jwks")),
                ("PURSIGHT_SECRET_KEYS_FILE", path("secret.keys")),
                ("PURSIGHT_EGRESS_ALLOW", "127.0.0.0/8,::1/128".to_owned()),
                ("PURSIGHT_HTTP_LISTEN", format!("127.0.0.1:{}", free_port()?)),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        let sql = Sql::open(&database_url)?;
        let system = Self { tenant, kafka, sql, settings, folder, database, shared: None, workers: None };
        let all = ["scan.view", "scan.create", "scan.edit", "scan.delete"];
        system.key("tests", "*", &all, &system.settings["PURSIGHT_SIGNING_KEY"])?;
        system.must(&["topics", "apply"])?;
        system.must(&["migrate"])?;
        Ok(system)
    }

    /// The same with `pursight run all`, ready.
    ///
    /// # Errors
    /// As [`System::bare`], or the workers do not get ready.
    pub fn start() -> Result<Self> {
        let mut system = Self::bare()?;
        system.run_workers()?;
        Ok(system)
    }

    /// A further signing key that the system trusts.
    ///
    /// # Errors
    /// The executable says no.
    pub fn key(&self, issuer: &str, tenant: &str, permissions: &[&str], file: &str) -> Result<()> {
        let mut words = vec!["keys", "create", "--issuer", issuer, "--tenant", tenant, "--out", file];
        for permission in permissions {
            words.extend(["--permission", permission]);
        }
        self.must(&words).map(drop)
    }

    /// Starts `pursight run all` and waits until it is ready.
    ///
    /// # Errors
    /// It ended, or did not get ready.
    pub fn run_workers(&mut self) -> Result<()> {
        let listen = self.settings["PURSIGHT_HTTP_LISTEN"].clone();
        let process = Process::start(self.command(&["run", "all"])?, &listen, &self.log_file())?;
        self.workers.insert(process).wait_ready()
    }

    /// Starts one worker (or `all`) as a process with a name and a health port of its own; others of the same name share
    /// its log.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn spawn(&self, worker: &str, instance: &str) -> Result<Process> {
        let listen = format!("127.0.0.1:{}", free_port()?);
        let mut command = self.command(&["run", worker])?;
        command.env("PURSIGHT_INSTANCE", instance).env("PURSIGHT_HTTP_LISTEN", &listen);
        Process::start(command, &listen, &self.folder.path().join(format!("{worker}-{instance}.log")))
    }

    /// Several at once, each a worker and its instance; returns when all are ready.
    ///
    /// # Errors
    /// One does not start, or does not get ready.
    pub fn spawn_ready<const N: usize>(&self, wanted: [(&str, &str); N]) -> Result<[Process; N]> {
        let started = wanted.iter().map(|(worker, instance)| self.spawn(worker, instance));
        let mut processes = started.collect::<Result<Vec<_>>>()?;
        processes.iter_mut().try_for_each(Process::wait_ready)?;
        processes.try_into().map_err(|_| anyhow::anyhow!("as many as were wanted"))
    }

    /// Ends the workers; `signal` as `kill` takes it.
    ///
    /// # Errors
    /// They do not end.
    pub fn stop_workers(&mut self, signal: &str) -> Result<()> {
        if let Some(mut workers) = self.workers.take() {
            workers.signal(signal)?;
            workers.wait_end()?;
        }
        Ok(())
    }

    /// What the workers wrote.
    ///
    /// # Errors
    /// There is no log.
    pub fn log(&self) -> Result<String> {
        read(&self.log_file())
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("workers.log")
    }

    /// A call of the executable, with the system's settings and no others.
    ///
    /// # Errors
    /// The executable is not there.
    pub fn command(&self, words: &[&str]) -> Result<Command> {
        let mut command = Command::new(setting::executable()?);
        command.args(words).stdin(Stdio::null());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PURSIGHT_") || name.starts_with("PG")) {
            command.env_remove(name);
        }
        command.envs(&self.settings);
        Ok(command)
    }

    /// Calls the executable.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn call(&self, words: &[&str]) -> Result<Answer> {
        self.call_with(words, "")
    }

    /// Calls the executable with something on its standard input.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn call_with(&self, words: &[&str], stdin: &str) -> Result<Answer> {
        let mut child =
            self.command(words)?.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        // A program that does not read its input closes it: that is no fault.
        let _ = child.stdin.take().context("piped")?.write_all(stdin.as_bytes());
        let output = child.wait_with_output()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Answer { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) })
    }

    /// Calls the executable, which must end with 0.
    ///
    /// # Errors
    /// It ends otherwise.
    pub fn must(&self, words: &[&str]) -> Result<Answer> {
        let answer = self.call(words)?;
        ensure!(answer.code == 0, "pursight {} ended with {answer:?}", words.join(" "));
        Ok(answer)
    }

    /// Publishes one command written as JSON and waits for its outcome; returns the exit code and the outcome's JSON.
    ///
    /// # Errors
    /// The executable cannot be started or prints no JSON.
    pub fn send(&self, command: &Json) -> Result<(i32, Json)> {
        let answer = self.call_with(&["send", "-", "--wait", "--json"], &format!("{command}\n"))?;
        let json = answer.json()?;
        Ok((answer.code, json))
    }

    /// A GET to the workers' health endpoint: status and body.
    ///
    /// # Errors
    /// Nobody listens.
    pub fn health(&self, path: &str) -> Result<(u16, String)> {
        http_get(&self.settings["PURSIGHT_HTTP_LISTEN"], path)
    }
}

impl Drop for System {
    fn drop(&mut self) {
        // A test that failed keeps its logs in its message; what cannot be removed is only untidy.
        let _ = self.stop_workers("KILL");
        if let Some(admin) = &self.shared {
            let _ = self.kafka.remove();
            let _ = admin.run(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.database));
        }
    }
}

/// A port that nobody uses, and that no one else gets while the server it is for is away: below the range from which the
/// system takes the ports of outgoing connections (a client that tries a dead port of that range again and again ends up
/// connected to itself, and the server cannot come back), and given once by a process.
///
/// # Errors
/// There is none.
pub fn free_port() -> Result<u16> {
    const PORTS: std::ops::Range<u16> = 10_000..20_000;
    static GIVEN: OnceLock<AtomicU16> = OnceLock::new();
    let count = PORTS.end - PORTS.start;
    let given = GIVEN.get_or_init(|| AtomicU16::new(Uuid::new_v4().as_fields().1 % count));
    PORTS
        .map(|_| PORTS.start + given.fetch_add(1, Ordering::Relaxed) % count)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .context("no port is free")
}

/// Writes a file that only its owner may read.
///
/// # Errors
/// It cannot be written.
pub fn write_private(path: &Path, text: &str) -> Result<()> {
    OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(path)?.write_all(text.as_bytes())?;
    Ok(())
}

fn random_key() -> String {
    use base64::Engine as _;
    let bytes = [Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes()].concat();
    base64::engine::general_purpose::URL_SAFE.encode(bytes)
}
