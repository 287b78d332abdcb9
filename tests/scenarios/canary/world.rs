//! A system on servers of its own, its secrets, and everything that it says, kept in files.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use pursight_tests::canary::{Canary, Found};
use pursight_tests::process::{Process, http_get};
use pursight_tests::servers::{Broker, Cluster};
use pursight_tests::system::{free_port, write_private};
use pursight_tests::{Answer, Customer, System, eventually};
use tempfile::TempDir;

use super::places::Place;

/// Secrets that the operator put into the environment, where alone they may be seen.
const IN_ENVIRONMENT: [&str; 3] = ["secret of env://", "password of our database", "password of our broker"];

/// A record in which a publisher wrote a secret in clear. It is the publisher's, and stays where it was put; what the
/// system makes of it must not show the secret.
pub struct Mistake {
    /// Name of its canary.
    pub canary: String,
    /// The record's value and its headers' values as they were sent.
    pub parts: Vec<Vec<u8>>,
    /// Where it lies on the command topic.
    pub at: (i32, i64),
}

/// Everything. Fields end in this order: the system before its servers.
pub struct World {
    /// `pursight run all`, if it runs.
    pub workers: Option<Process>,
    /// Topics, database, keys.
    pub system: System,
    /// Its database cluster.
    pub cluster: Cluster,
    /// Its broker.
    pub broker: Broker,
    /// Three customers' databases: passwords in the sealed store, in the environment, in a file.
    pub customers: [Customer; 3],
    /// Folder in which every process runs, with `TMPDIR` in it.
    pub working: TempDir,
    /// What was said: outputs, HTTP answers, command lines and environments.
    pub said: TempDir,
    /// What publishers did wrong.
    pub mistakes: Vec<Mistake>,
    canaries: Mutex<Vec<Canary>>,
}

impl World {
    /// Servers, topics, tables, keys; no worker yet.
    pub fn start() -> Result<Self> {
        let (broker, cluster) = (Broker::start()?, Cluster::start()?);
        let system = System::bare_on(&broker.bootstrap(), &cluster.url())?;
        let customers = [Customer::create()?, Customer::create()?, Customer::create()?];
        let (working, said) = (TempDir::with_prefix("pursight-canary-")?, TempDir::new()?);
        let mut world = Self {
            workers: None,
            system,
            cluster,
            broker,
            customers,
            working,
            said,
            mistakes: Vec::new(),
            canaries: Mutex::default(),
        };
        world.keys()?;
        world.settings()?;
        Ok(world)
    }

    /// What must not be found.
    pub fn canaries(&self) -> Vec<Canary> {
        self.known_ones().clone()
    }

    /// One more secret.
    pub fn secret(&self, name: &str) -> Canary {
        let canary = Canary::random(name);
        self.known_ones().push(canary.clone());
        canary
    }

    fn known_ones(&self) -> MutexGuard<'_, Vec<Canary>> {
        self.canaries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self, name: &str, secret: &[u8]) {
        self.known_ones().push(Canary::of(name, secret));
    }

    /// The keys that the system has: what is secret in them.
    fn keys(&self) -> Result<()> {
        let pem = fs::read_to_string(&self.system.settings["PURSIGHT_SIGNING_KEY"])?;
        self.known("signing key", &ed25519_seed(&pem)?);
        let text = fs::read_to_string(&self.system.settings["PURSIGHT_SECRET_KEYS_FILE"])?;
        self.known("key of the sealed store", &base64::engine::general_purpose::URL_SAFE.decode(text.trim())?);
        let url = self.cluster.url();
        let password = url.split([':', '@']).nth(2).context("a password")?;
        self.known("password of our database", password.as_bytes());
        Ok(())
    }

    fn settings(&mut self) -> Result<()> {
        let secrets = self.system.folder.path().join("secrets");
        let temporary = self.working.path().join("tmp");
        for folder in [&secrets, &temporary] {
            fs::create_dir(folder)?;
        }
        let names = ["password in the sealed store", "secret of env://", "secret of file://"];
        let passwords = names.map(|name| self.secret(name).text().to_owned());
        for (customer, password) in self.customers.iter_mut().zip(&passwords) {
            customer.sql.run(&format!("ALTER ROLE {} PASSWORD '{password}'", customer.user))?;
            customer.password.clone_from(password);
        }
        write_private(&secrets.join("password"), &passwords[2])?;
        let broker = self.secret("password of our broker").text().to_owned();
        for (name, value) in [
            ("PURSIGHT_LOG", "trace".to_owned()),
            ("PURSIGHT_SECRET_ENV_ALLOW", "CUSTOMER_PASSWORD".to_owned()),
            ("CUSTOMER_PASSWORD", passwords[1].clone()),
            ("PURSIGHT_SECRET_FILE_DIR", secrets.display().to_string()),
            ("PURSIGHT_KAFKA_SASL_PASSWORD", broker),
            ("TMPDIR", temporary.display().to_string()),
        ] {
            self.system.settings.insert(name.to_owned(), value);
        }
        Ok(())
    }

    /// A file below the folder of `file://`.
    pub fn file_secret(&self, name: &str) -> PathBuf {
        self.system.folder.path().join("secrets").join(name)
    }

    /// A client key of a source, in a file; its certificate beside it.
    pub fn client_key(&self) -> Result<()> {
        let path = |name: &str| self.file_secret(name).display().to_string();
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "3", "-subj", "/CN=client"])
            .args(["-keyout", &path("client.key"), "-out", &path("client.pem")])
            .output()?;
        ensure!(made.status.success(), "openssl: {}", String::from_utf8_lossy(&made.stderr));
        self.known("client key", &ed25519_seed(&fs::read_to_string(path("client.key"))?)?);
        Ok(())
    }

    /// Starts the workers where they may dump a core, if their limit lets them, and waits until they are ready.
    pub fn run(&mut self) -> Result<()> {
        let listen = format!("127.0.0.1:{}", free_port()?);
        let mut command = dumping(&self.system.command(&["run", "all"])?, self.working.path());
        command.env("PURSIGHT_HTTP_LISTEN", &listen);
        let log = self.system.folder.path().join("workers.log");
        self.system.settings.insert("PURSIGHT_HTTP_LISTEN".to_owned(), listen.clone());
        self.workers.insert(Process::start(command, &listen, &log)?).wait_ready()?;
        let pid = self.workers.as_ref().context("running")?.pid();
        self.look_at(pid)
    }

    /// Asks for what the workers tell, then ends them; what they and the command line wrote is complete.
    pub fn stop(&mut self) -> Result<()> {
        let mut workers = self.workers.take().context("running")?;
        self.look_at(workers.pid())?;
        for path in ["/metrics", "/readyz", "/livez"] {
            self.ask_http(&self.system.settings["PURSIGHT_HTTP_LISTEN"], path)?;
        }
        workers.signal("TERM")?;
        workers.wait_end()?;
        Ok(())
    }

    /// Keeps an HTTP answer.
    pub fn ask_http(&self, address: &str, path: &str) -> Result<()> {
        let (status, body) = http_get(address, path)?;
        self.keep("http", format!("{path} {status}\n{body}\n").as_bytes())
    }

    /// Keeps the command line and the environment of a process, as other processes may see them.
    pub fn look_at(&self, pid: u32) -> Result<()> {
        for what in ["cmdline", "environ"] {
            let seen = eventually("the process shows itself", || {
                let bytes = fs::read(format!("/proc/{pid}/{what}"))?;
                // Both are empty until the kernel has put the new program in place, and again when it has ended.
                Ok((!bytes.is_empty() || has_ended(pid)?).then_some(bytes))
            })?;
            self.keep(what, &seen)?;
        }
        Ok(())
    }

    /// Keeps something that was said.
    pub fn keep(&self, what: &str, bytes: &[u8]) -> Result<()> {
        let mut file = OpenOptions::new().create(true).append(true).open(self.said.path().join(what))?;
        // In one piece: several write at once.
        Ok(file.write_all(&[bytes, b"\n"].concat())?)
    }

    /// A call of the executable, as a person makes it: everything that it says is kept, and how it looks to others.
    pub fn call(&self, words: &[&str], stdin: &str) -> Result<Answer> {
        self.record(self.system.command(words)?, stdin, true)
    }

    /// The same for words that hold a secret themselves: only the answer is kept, for the caller has shown the rest.
    pub fn call_unwisely(&self, words: &[&str]) -> Result<Answer> {
        self.record(self.system.command(words)?, "", false)
    }

    /// Runs a command and keeps what it says.
    pub fn record(&self, mut command: Command, stdin: &str, look: bool) -> Result<Answer> {
        command.current_dir(self.working.path());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        if look {
            self.look_at(child.id())?;
        }
        // A program that does not read its input closes it: that is no fault.
        let _ = child.stdin.take().context("piped")?.write_all(stdin.as_bytes());
        let output = child.wait_with_output()?;
        self.keep("outputs", &[output.stdout.as_slice(), b"\n", &output.stderr].concat())?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Answer { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) })
    }

    /// A call that must end with this code.
    pub fn must(&self, words: &[&str], stdin: &str, code: i32) -> Result<Answer> {
        let answer = self.call(words, stdin)?;
        ensure!(answer.code == code, "pursight {} ended with {answer:?}", words.join(" "));
        Ok(answer)
    }

    /// Whether a finding is where its owner put the secret. Nothing else is excepted:
    /// - in the environment of our processes, the three secrets that the operator put there;
    /// - on the command topic, the very record into which a publisher wrote the secret, and no byte beside it.
    pub fn is_excepted(&self, place: Place, found: &Found) -> bool {
        match place {
            Place::Environment => IN_ENVIRONMENT.contains(&found.canary.as_str()),
            Place::Segments => self.of_mistake(found).is_some_and(|mistake| {
                let ranges = self.ranges_of(mistake, Path::new(&found.place)).unwrap_or_default();
                ranges.iter().any(|range| range.start <= found.begin && found.end <= range.end)
            }),
            Place::Committed | Place::Uncommitted => self.of_mistake(found).is_some_and(|mistake| {
                let topic = pursight_schemas::Topic::Command.name(&self.system.kafka.prefix);
                found.place == super::records::place(&topic, mistake.at.0, mistake.at.1)
            }),
            _ => false,
        }
    }

    fn of_mistake(&self, found: &Found) -> Option<&Mistake> {
        self.mistakes.iter().find(|mistake| mistake.canary == found.canary)
    }

    /// Where the parts of the mistake lie in a segment of the command topic. It was sent once, and uncompressed.
    fn ranges_of(&self, mistake: &Mistake, segment: &Path) -> Option<Vec<Range<u64>>> {
        let topic = pursight_schemas::Topic::Command.name(&self.system.kafka.prefix);
        let folder = segment.parent()?.file_name()?.to_str()?;
        if folder != format!("{topic}-{}", mistake.at.0) {
            return None;
        }
        let bytes = fs::read(segment).ok()?;
        let mut from = 0;
        let mut ranges = Vec::new();
        // A record has its headers behind its value.
        for part in &mistake.parts {
            let begin = from + bytes[from..].windows(part.len()).position(|window| window == part)?;
            from = begin + part.len();
            ranges.push(begin as u64..from as u64);
        }
        Some(ranges)
    }
}

/// Whether a process is over and only waits for its parent.
fn has_ended(pid: u32) -> Result<bool> {
    Ok(fs::read_to_string(format!("/proc/{pid}/status"))?.contains("\nState:\tZ"))
}

/// The same command, allowed to dump as large a core as the system lets it, in `folder`.
pub fn dumping(command: &Command, folder: &Path) -> Command {
    let mut with = Command::new("bash");
    with.args(["-c", r#"ulimit -Sc "$(ulimit -Hc)"; exec "$0" "$@""#])
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => with.env(name, value),
            None => with.env_remove(name),
        };
    }
    with.current_dir(folder).stdin(Stdio::null());
    with
}

/// The 32 secret bytes of an Ed25519 key in PKCS#8.
fn ed25519_seed(pem: &str) -> Result<Vec<u8>> {
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = base64::engine::general_purpose::STANDARD.decode(body)?;
    let at = der.windows(4).position(|window| window == [0x04, 0x22, 0x04, 0x20]).context("an Ed25519 key")? + 4;
    Ok(der.get(at..at + 32).context("32 bytes")?.to_vec())
}
