//! Processes of a test: workers, brokers, databases. Signalled, watched, and gone with the test.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::wait::eventually;

/// One `pursight run` process.
pub struct Process {
    child: Child,
    listen: String,
    log: PathBuf,
}

impl Process {
    /// Starts `command`, which listens for health questions on `listen`; what it says goes to the end of `log`.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(mut command: Command, listen: &str, log: &Path) -> Result<Self> {
        let child = command.stdout(Stdio::null()).stderr(appended(log)?).spawn()?;
        Ok(Self { child, listen: listen.to_owned(), log: log.to_owned() })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal, named as `kill` takes it.
    ///
    /// # Errors
    /// It has ended.
    pub fn signal(&self, name: &str) -> Result<()> {
        signal(&[self.pid()], name)
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// The system says no.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// It does not end.
    pub fn wait_end(&mut self) -> Result<ExitStatus> {
        eventually("the end of a process", || self.ended())
    }

    /// SIGKILL, and its end.
    ///
    /// # Errors
    /// The system says no.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Everything that it and earlier processes with the same log said.
    ///
    /// # Errors
    /// There is no log.
    pub fn log(&self) -> Result<String> {
        read(&self.log)
    }

    /// A GET to its health endpoint: status and body.
    ///
    /// # Errors
    /// Nobody listens.
    pub fn health(&self, path: &str) -> Result<(u16, String)> {
        http_get(&self.listen, path)
    }

    /// Waits until `/readyz` says yes.
    ///
    /// # Errors
    /// It ended, or does not get ready.
    pub fn wait_ready(&mut self) -> Result<()> {
        eventually("a worker's readiness", || {
            if let Some(status) = self.child.try_wait()? {
                bail!("the worker ended ({status}): {}", self.log()?);
            }
            Ok(self.health("/readyz").is_ok_and(|(status, _)| status == 200).then_some(()))
        })
        .with_context(|| self.log().unwrap_or_default())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.kill();
    }
}

/// Sends a signal, with bash's own `kill`: a small system has no other.
///
/// # Errors
/// One of the processes is not there.
pub fn signal(pids: &[u32], name: &str) -> Result<()> {
    let pids: Vec<String> = pids.iter().map(u32::to_string).collect();
    let status = Command::new("bash").args(["-c", r#"kill -"$0" "$@""#, name]).args(&pids).status()?;
    anyhow::ensure!(status.success(), "kill -{name} {} failed", pids.join(" "));
    Ok(())
}

/// The children of a process.
///
/// # Errors
/// It is not there.
pub fn children(pid: u32) -> Result<Vec<u32>> {
    let text = read(Path::new(&format!("/proc/{pid}/task/{pid}/children")))?;
    Ok(text.split_whitespace().map(str::parse).collect::<Result<_, _>>()?)
}

pub(crate) fn appended(path: &Path) -> Result<File> {
    OpenOptions::new().create(true).append(true).open(path).with_context(|| path.display().to_string())
}

pub(crate) fn read(path: &Path) -> Result<String> {
    let mut bytes = Vec::new();
    File::open(path).with_context(|| path.display().to_string())?.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A GET over plain HTTP: status and body.
///
/// # Errors
/// Nobody listens, or it is no HTTP.
pub fn http_get(address: &str, path: &str) -> Result<(u16, String)> {
    let mut stream = TcpStream::connect(address)?;
    // A process that was stopped accepts and never answers.
    stream.set_read_timeout(Some(std::time::Duration::from_secs(5)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let (head, body) = text.split_once("\r\n\r\n").context("an HTTP answer")?;
    Ok((head.split(' ').nth(1).context("a status")?.parse()?, body.to_owned()))
}
