//! A run on its stage: load and faults at once, then the end of all work, then everything into the folder.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::json;

use super::diary::Diary;
use super::fleet::{Fleet, WORKERS};
use super::log::Log;
use super::operation::Planned;
use super::plan::Plan;
use super::publish::{Desk, publish};
use super::random::Random;
use super::{drain, nemesis, rows, watch};
use crate::database::Sql;
use crate::history::{Folder, Lines};
use crate::servers::{Broker, Cluster};
use crate::system::System;

/// How often the supervisor looks after its processes.
const TEND_EVERY: Duration = Duration::from_millis(50);

/// What everybody in a run needs.
pub struct Scene<'s> {
    /// What is to be done.
    pub plan: &'s Plan,
    /// Where it is kept.
    pub folder: &'s Folder,
    /// What happened.
    pub diary: &'s Diary,
    /// Topics, database and keys.
    pub system: &'s System,
    /// The database.
    pub url: &'s str,
}

impl Scene<'_> {
    /// Load and faults, the end of all work, and everything into the folder.
    ///
    /// # Errors
    /// The harness could not do its work.
    pub fn play(
        &self,
        desk: &Desk<'_>,
        streams: Vec<Vec<Planned>>,
        broker: &mut Broker,
        cluster: &mut Cluster,
    ) -> Result<()> {
        let fleet = Fleet::new(self.system, self.diary, self.plan.each, Random::new(self.plan.seed, "fleet"));
        let began = Instant::now();
        let stop = AtomicBool::new(false);
        let log = Log { bootstrap: desk.bootstrap, prefix: &self.system.kafka.prefix };
        std::thread::scope(|scope| -> Result<()> {
            let watcher = scope.spawn(|| watch::watch(self.url, self.folder, &stop));
            let ended = self.load(desk, &streams, &fleet, broker, cluster).and_then(|()| self.end(&fleet, &log, began));
            stop.store(true, Ordering::Relaxed);
            joined(watcher)?;
            ended
        })?;
        self.collect(&log)
    }

    /// Publishers and nemesis at once, while the supervisor tends the processes.
    fn load(
        &self,
        desk: &Desk<'_>,
        streams: &[Vec<Planned>],
        fleet: &Fleet<'_>,
        broker: &mut Broker,
        cluster: &mut Cluster,
    ) -> Result<()> {
        let faults = nemesis::schedule(self.plan);
        fleet.tend()?;
        fleet.wait_ready()?;
        let start = Instant::now();
        std::thread::scope(|scope| {
            let publishers: Vec<_> = streams
                .iter()
                .enumerate()
                .map(|(number, stream)| scope.spawn(move || publish(desk, number, stream, start)))
                .collect();
            let nemesis = scope.spawn(|| nemesis::execute(&faults, start, fleet, broker, cluster, self.diary));
            let mut told = Instant::now();
            while !nemesis.is_finished() || publishers.iter().any(|one| !one.is_finished()) {
                fleet.tend()?;
                std::thread::sleep(TEND_EVERY);
                if told.elapsed() > Duration::from_secs(10) {
                    told = Instant::now();
                    let (sent, of) = (desk.ended.load(Ordering::Relaxed), self.plan.operations);
                    self.diary.say(&format!("{sent} of {of} records sent"));
                }
            }
            joined(nemesis)?;
            publishers.into_iter().try_for_each(joined)
        })
    }

    /// Waits for the end of all work, then stops the workers; the projection last, so that it has folded everything.
    fn end(&self, fleet: &Fleet<'_>, log: &Log<'_>, began: Instant) -> Result<()> {
        let healed = Instant::now();
        let mut open = self.drained(fleet, log)?;
        let seconds = healed.elapsed().as_secs_f64();
        self.diary.act("drained", "all", None, json!({"seconds": seconds, "open": open.len()}))?;
        let (projection, others) = (&WORKERS[..1], &WORKERS[1..]);
        fleet.stop(others)?;
        if open.is_empty() {
            open = self.drained(fleet, log)?;
        }
        fleet.stop(projection)?;
        self.folder.write("open", &open)?;
        self.diary.act("finished", "all", None, json!({"seconds": began.elapsed().as_secs_f64()}))
    }

    /// What is still open when the wait for the end of all work is over. Whoever dies meanwhile is started again beside it.
    fn drained(&self, fleet: &Fleet<'_>, log: &Log<'_>) -> Result<Vec<String>> {
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let tending = scope.spawn(|| -> Result<()> {
                while !over.load(Ordering::Relaxed) {
                    fleet.tend()?;
                    std::thread::sleep(TEND_EVERY);
                }
                Ok(())
            });
            let open = drain::drain(log, self.url, self.plan.drain);
            over.store(true, Ordering::Relaxed);
            joined(tending)?;
            Ok(open)
        })
    }

    /// Everything that the checks look at.
    fn collect(&self, log: &Log<'_>) -> Result<()> {
        self.diary.say("collecting");
        for (topic, records) in log.everything("read_committed")? {
            self.folder.append(Lines::Records(topic), &records)?;
        }
        for (topic, records) in log.everything("read_uncommitted")? {
            self.folder.append(Lines::Uncommitted(topic), &records)?;
        }
        self.folder.write("ends", &log.ends()?)?;
        // The harness's own connections did not outlive the server's restart.
        self.folder.append(Lines::Live, &rows::rows(&Sql::open(self.url)?)?)?;
        let rebuilt = self.system.call(&["rebuild", "--json"])?;
        let told = rebuilt.json().unwrap_or_else(|_| json!({"error": rebuilt.err}));
        self.folder.write("rebuild", &json!({"code": rebuilt.code, "report": told}))?;
        if rebuilt.code == 0 {
            self.folder.append(Lines::Rebuilt, &rows::rows(&Sql::open(self.url)?)?)?;
        }
        Ok(())
    }
}

/// The result of a thread; a panic is an error like others.
fn joined<T>(thread: std::thread::ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    thread.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a thread of the harness panicked")))
}
