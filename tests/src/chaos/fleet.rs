//! The workers' processes under a supervisor, which starts again whatever ends, after a moment. Whoever wants to end one
//! asks here.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::{Value as Json, json};

use super::diary::Diary;
use super::random::Random;
use crate::process::Process;
use crate::system::System;

/// Every worker; the projection first, because the others wait for it.
pub const WORKERS: [&str; 5] = ["projection", "registry", "connection", "discovery", "statistics"];
/// Longest pause before a process is started again.
const BACK_OFF_MS: usize = 2_000;

struct Member {
    worker: &'static str,
    instance: String,
    process: Option<Process>,
    due: Instant,
    /// It was told to leave, and is not started again.
    leaving: bool,
}

impl Member {
    fn name(&self) -> String {
        format!("{}/{}", self.worker, self.instance)
    }
}

/// All processes of a run.
pub struct Fleet<'f> {
    system: &'f System,
    diary: &'f Diary,
    members: Mutex<(Vec<Member>, Random)>,
}

impl<'f> Fleet<'f> {
    /// `each` processes of every worker, not started yet.
    pub fn new(system: &'f System, diary: &'f Diary, each: usize, random: Random) -> Self {
        let mut members = Vec::new();
        for worker in WORKERS {
            for number in 1..=each {
                members.push(member(worker, &number.to_string()));
            }
        }
        Self { system, diary, members: Mutex::new((members, random)) }
    }

    fn members<T>(&self, act: impl FnOnce(&mut Vec<Member>, &mut Random) -> Result<T>) -> Result<T> {
        let mut guard = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        let (members, random) = &mut *guard;
        act(members, random)
    }

    /// Starts what is due and sees what has ended. To be called all the time.
    ///
    /// # Errors
    /// A process cannot be started.
    pub fn tend(&self) -> Result<()> {
        self.members(|members, random| {
            for member in members.iter_mut() {
                let ended = member.process.as_mut().map_or(Ok(None), Process::ended)?;
                if let Some(status) = ended {
                    // It was not the nemesis: that takes away the process that it kills.
                    let pid = member.process.take().map(|process| process.pid());
                    self.diary.act("ended", &member.name(), pid, json!({"status": status.to_string()}))?;
                    member.due = Instant::now() + Duration::from_millis(random.between(100, BACK_OFF_MS).try_into()?);
                }
                if member.process.is_none() && !member.leaving && member.due <= Instant::now() {
                    let process = self.system.spawn(member.worker, &member.instance)?;
                    self.diary.act("start", &member.name(), Some(process.pid()), Json::Null)?;
                    member.process = Some(process);
                }
            }
            members.retain(|member| !member.leaving || member.process.is_some());
            Ok(())
        })
    }

    /// Waits until every process is ready.
    ///
    /// # Errors
    /// One ended, or does not get ready.
    pub fn wait_ready(&self) -> Result<()> {
        self.members(|members, _| {
            for member in members.iter_mut() {
                member.process.as_mut().map_or(Ok(()), Process::wait_ready)?;
            }
            self.diary.act("ready", "all", None, Json::Null)
        })
    }

    /// SIGKILL for one process of a worker, or, if none of it runs, of any. `None`: none runs at all.
    ///
    /// # Errors
    /// The system says no.
    pub fn kill(&self, worker: &str) -> Result<Option<String>> {
        self.members(|members, random| {
            let running = |wanted: &str, members: &[Member]| -> Vec<usize> {
                let fits = |member: &Member| member.process.is_some() && (wanted.is_empty() || member.worker == wanted);
                (0..members.len()).filter(|at| fits(&members[*at])).collect()
            };
            let chosen = random.pick(&running(worker, members)).copied();
            let Some(at) = chosen.or_else(|| random.pick(&running("", members)).copied()) else { return Ok(None) };
            let member = &mut members[at];
            let mut process = member.process.take().context("it runs")?;
            process.kill()?;
            member.due = Instant::now() + Duration::from_millis(random.between(0, BACK_OFF_MS).try_into()?);
            self.diary.act("kill", &member.name(), Some(process.pid()), Json::Null)?;
            Ok(Some(member.name()))
        })
    }

    /// A signal for one process, named as `kill` takes it. If it does not run at the moment nothing happens.
    ///
    /// # Errors
    /// The system says no.
    pub fn signal(&self, worker: &str, instance: &str, name: &str) -> Result<()> {
        self.members(|members, _| {
            for member in members.iter().filter(|one| one.worker == worker && one.instance == instance) {
                if let Some(process) = &member.process {
                    process.signal(name)?;
                    self.diary.act(&name.to_lowercase(), &member.name(), Some(process.pid()), Json::Null)?;
                }
            }
            Ok(())
        })
    }

    /// One more process of a worker.
    ///
    /// # Errors
    /// There is no such worker.
    pub fn join(&self, worker: &str, instance: &str) -> Result<()> {
        let worker = WORKERS.into_iter().find(|known| *known == worker).context("a worker")?;
        self.members(|members, _| {
            members.push(member(worker, instance));
            Ok(())
        })
    }

    /// SIGTERM for a process that joined; it is not started again.
    ///
    /// # Errors
    /// The system says no.
    pub fn leave(&self, worker: &str, instance: &str) -> Result<()> {
        self.members(|members, _| {
            let asked = |one: &&mut Member| one.worker == worker && one.instance == instance && !one.leaving;
            for member in members.iter_mut().filter(asked) {
                // Once: a second signal would mean not to wait.
                member.leaving = true;
                if let Some(process) = &member.process {
                    self.diary.act("leave", &member.name(), Some(process.pid()), Json::Null)?;
                    process.signal("TERM")?;
                }
            }
            Ok(())
        })
    }

    /// Ends the processes of these workers in order, and waits for that.
    ///
    /// # Errors
    /// One does not end.
    pub fn stop(&self, workers: &[&str]) -> Result<()> {
        self.members(|members, _| {
            for member in members.iter_mut().filter(|member| workers.contains(&member.worker)) {
                member.leaving = true;
                if let Some(process) = &mut member.process
                    && process.ended()?.is_none()
                {
                    process.signal("TERM")?;
                }
            }
            for member in members.iter_mut().filter(|member| workers.contains(&member.worker)) {
                if let Some(mut process) = member.process.take() {
                    let status = process.wait_end()?;
                    self.diary.act(
                        "stop",
                        &member.name(),
                        Some(process.pid()),
                        json!({"status": status.to_string()}),
                    )?;
                }
            }
            Ok(())
        })
    }
}

fn member(worker: &'static str, instance: &str) -> Member {
    Member { worker, instance: instance.to_owned(), process: None, due: Instant::now(), leaving: false }
}
