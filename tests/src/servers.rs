//! Servers of one test alone: a broker and a database cluster that it may stop, kill and start again. Every other test
//! uses the shared ones.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::metadata::MetadataTopic;
use tempfile::TempDir;
use uuid::Uuid;

use crate::database::Sql;
use crate::process::{appended, children, read, signal};
use crate::setting;
use crate::system::{free_port, write_private};
use crate::wait::eventually;

/// The same as of the development broker.
const CLUSTER_ID: &str = "MkU3OEVBNTcwNTJENDM2Qg";

/// An own Kafka broker.
pub struct Broker {
    folder: TempDir,
    port: u16,
    child: Option<Child>,
}

impl Broker {
    /// Starts one with empty storage, and waits until it answers.
    ///
    /// # Errors
    /// It does not start.
    pub fn start() -> Result<Self> {
        let folder = TempDir::with_prefix("pursight-broker-")?;
        let (port, controller) = (free_port()?, free_port()?);
        let properties = include_str!("../../infra/kafka/server.properties")
            .replace("@PORT@", &port.to_string())
            .replace("@CONTROLLER_PORT@", &controller.to_string())
            .replace("@DATA@", &folder.path().join("data").display().to_string());
        fs::write(folder.path().join("server.properties"), properties)?;
        fs::write(folder.path().join("log4j2.xml"), include_str!("../../infra/kafka/log4j2.xml"))?;
        let mut broker = Self { folder, port, child: None };
        let words = ["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", "server.properties"];
        let formatted = broker.java("-Xmx128m", &words)?.status()?;
        anyhow::ensure!(formatted.success(), "the broker's storage was not formatted: {}", read(&broker.log())?);
        broker.run_again()?;
        Ok(broker)
    }

    fn java(&self, memory: &str, words: &[&str]) -> Result<Command> {
        let mut command = Command::new("java");
        command
            .current_dir(self.folder.path())
            .args([memory, "-XX:-UsePerfData", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
            .args(["-Dlog4j2.configurationFile=log4j2.xml", "-cp", &format!("{}/*", setting::get("KAFKA_LIBS")?)])
            .args(words)
            .stdin(Stdio::null())
            .stdout(appended(&self.log())?)
            .stderr(appended(&self.log())?);
        Ok(command)
    }

    /// `host:port`.
    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The folder of its log segments.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// What it says.
    pub fn log(&self) -> PathBuf {
        self.folder.path().join("server.log")
    }

    /// Sends it a signal, named as `kill` takes it.
    ///
    /// # Errors
    /// It does not run.
    pub fn signal(&self, name: &str) -> Result<()> {
        signal(&[self.child.as_ref().context("the broker runs")?.id()], name)
    }

    /// Ends it with a signal and waits for its end.
    ///
    /// # Errors
    /// It does not run, or does not end.
    pub fn stop(&mut self, name: &str) -> Result<()> {
        self.signal(name)?;
        wait_end(&mut self.child)
    }

    /// Starts it again on the same port and data, and waits until it answers.
    ///
    /// # Errors
    /// It does not start.
    pub fn run_again(&mut self) -> Result<()> {
        self.child = Some(self.java("-Xmx384m", &["kafka.Kafka", "server.properties"])?.spawn()?);
        let client: BaseConsumer = ClientConfig::new().set("bootstrap.servers", self.bootstrap()).create()?;
        eventually("the broker's first answer", || {
            still_runs(&mut self.child, || read(&self.folder.path().join("server.log")))?;
            // It answers before it leads what lies on it.
            let metadata = client.fetch_metadata(None, std::time::Duration::from_secs(1)).ok();
            let leads = |topic: &MetadataTopic| topic.partitions().iter().all(|partition| partition.error().is_none());
            Ok(metadata.is_some_and(|metadata| metadata.topics().iter().all(leads)).then_some(()))
        })
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// An own PostgreSQL cluster.
pub struct Cluster {
    folder: TempDir,
    port: u16,
    password: String,
    tls: bool,
    child: Option<Child>,
}

impl Cluster {
    /// Starts an empty one without TLS, and waits until it answers.
    ///
    /// # Errors
    /// It does not start.
    pub fn start() -> Result<Self> {
        Self::make(false)
    }

    /// The same with the TLS certificate of the sample customer's server (for the name `localhost`).
    ///
    /// # Errors
    /// It does not start.
    pub fn start_with_tls() -> Result<Self> {
        Self::make(true)
    }

    fn make(tls: bool) -> Result<Self> {
        let folder = TempDir::with_prefix("pursight-cluster-")?;
        let password = format!("canary-{}", Uuid::new_v4().simple());
        write_private(&folder.path().join("password"), &password)?;
        if tls {
            let from = PathBuf::from(setting::get("CUSTOMER_TLS_DIR")?);
            for name in ["server.pem", "server.key"] {
                write_private(&folder.path().join(name), &read(&from.join(name))?)?;
            }
        }
        if is_root()? {
            let user = setting::get("UNPRIVILEGED_USER")?;
            let owned = Command::new("chown").args(["-R", &format!("{user}:")]).arg(folder.path()).status()?;
            anyhow::ensure!(owned.success(), "{} cannot be given to {user}", folder.path().display());
        }
        let mut cluster = Self { folder, port: free_port()?, password, tls, child: None };
        let made = cluster
            .program("initdb")?
            .args(["-D", "data", "-U", "postgres", "-A", "scram-sha-256", "--pwfile=password", "-E", "UTF8"])
            .args(["--locale=C.UTF-8", "--no-sync", "--no-instructions"])
            .status()?;
        anyhow::ensure!(made.success(), "initdb failed: {}", read(&cluster.log())?);
        cluster.run_again()?;
        Ok(cluster)
    }

    /// A program of PostgreSQL as a user that it accepts, in the cluster's folder.
    fn program(&self, name: &str) -> Result<Command> {
        let path = PathBuf::from(setting::get("PG_BIN")?).join(name);
        let mut command = if is_root()? {
            let user = setting::get("UNPRIVILEGED_USER")?;
            let mut command = Command::new("setpriv");
            command.args([&format!("--reuid={user}"), &format!("--regid={user}"), "--init-groups"]).arg(path);
            command
        } else {
            Command::new(path)
        };
        let log = appended(&self.log())?;
        command.current_dir(self.folder.path()).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        Ok(command)
    }

    /// Its port on the loopback address.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The superuser's URL for its database `postgres`.
    pub fn url(&self) -> String {
        format!("postgres://postgres:{}@127.0.0.1:{}/postgres", self.password, self.port)
    }

    /// The folder of its data.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// What it says.
    pub fn log(&self) -> PathBuf {
        self.folder.path().join("server.log")
    }

    /// Sends a signal to the server and all its processes, named as `kill` takes it.
    ///
    /// # Errors
    /// It does not run.
    pub fn signal(&self, name: &str) -> Result<()> {
        let pid = self.child.as_ref().context("the cluster runs")?.id();
        signal(&[vec![pid], children(pid)?].concat(), name)
    }

    /// Ends it: `INT` is a fast stop, `QUIT` an immediate one, `KILL` a crash.
    ///
    /// # Errors
    /// It does not run, or does not end.
    pub fn stop(&mut self, name: &str) -> Result<()> {
        signal(&[self.child.as_ref().context("the cluster runs")?.id()], name)?;
        wait_end(&mut self.child)
    }

    /// Starts it again on the same port and data, and waits until it answers.
    ///
    /// # Errors
    /// It does not start.
    pub fn run_again(&mut self) -> Result<()> {
        let mut command = self.program("postgres")?;
        command.args(["-D", "data", "-p", &self.port.to_string()]);
        let settings = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "max_connections=200"];
        for setting in settings {
            command.args(["-c", setting]);
        }
        if self.tls {
            let path = |name: &str| self.folder.path().join(name).display().to_string();
            command.args(["-c", "ssl=on"]);
            command.args(["-c", &format!("ssl_cert_file={}", path("server.pem"))]);
            command.args(["-c", &format!("ssl_key_file={}", path("server.key"))]);
        }
        // After a crash its last processes may hold the data for a moment more.
        let url = self.url();
        eventually("the cluster's first answer", || {
            if self.child.is_none() || matches!(self.child.as_mut().map(Child::try_wait), Some(Ok(Some(_)))) {
                self.child = Some(command.spawn()?);
            }
            Ok(Sql::open(&url).ok().map(drop))
        })
        .with_context(|| read(&self.log()).unwrap_or_default())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // Processes that were stopped do not hear it.
        let _ = self.signal("CONT");
        if self.child.is_some() {
            let _ = self.stop("QUIT");
        }
        end(&mut self.child);
    }
}

fn is_root() -> Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    Ok(fs::metadata("/proc/self")?.uid() == 0)
}

fn still_runs(child: &mut Option<Child>, log: impl Fn() -> Result<String>) -> Result<()> {
    match child.as_mut().context("it was started")?.try_wait()? {
        None => Ok(()),
        Some(status) => bail!("it ended with {status}: {}", log()?),
    }
}

fn wait_end(child: &mut Option<Child>) -> Result<()> {
    let mut running = child.take().context("it runs")?;
    let ended = eventually("the end of a server", || Ok(running.try_wait()?.map(drop)));
    if ended.is_err() {
        *child = Some(running);
    }
    ended
}

fn end(child: &mut Option<Child>) {
    if let Some(mut child) = child.take() {
        // It may have ended by itself.
        let _ = child.kill();
        let _ = child.wait();
    }
}
