//! What a run is to do: how much load, for how long, and which faults. Everything random in it comes from the seed.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use super::nemesis::Fault;
use crate::history;

/// One run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Of all random choices.
    pub seed: u64,
    /// Records that publishers send, repeats after an unknown result not counted.
    pub operations: usize,
    /// Time over which they are spread.
    pub load: Duration,
    /// Publishers at once.
    pub publishers: usize,
    /// Tenants that they speak for.
    pub tenants: usize,
    /// Processes of each worker.
    pub each: usize,
    /// Which faults, and how often.
    pub faults: Faults,
    /// Faults at moments of their own, beside the drawn ones.
    pub acts: Vec<Fault>,
    /// Further settings of the workers.
    pub environment: BTreeMap<String, String>,
    /// Longest wait for the end of all work after the last fault has healed.
    pub drain: Duration,
}

/// How often each kind of fault happens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults {
    /// SIGKILL of a worker's process.
    pub kills: usize,
    /// A third process of a worker that joins and, after some seconds, leaves in order.
    pub joins: usize,
    /// SIGKILL or SIGTERM of the broker, and its start.
    pub broker: usize,
    /// Crash or fast stop of the database, and its start.
    pub database: usize,
}

impl Plan {
    /// The size that the promises are held against: 2 000 records, 20 kills, each server restarted once.
    pub fn full(seed: u64, minutes: f64) -> Self {
        let load = Duration::from_secs_f64((minutes * 60.0).max(20.0));
        // Longer runs are as dense as the shortest.
        let times = |per_run: usize| {
            (per_run * usize::try_from(load.as_secs()).unwrap_or_default() / FULL_SECONDS).max(per_run)
        };
        let faults = Faults { kills: times(22), joins: times(2), broker: times(1), database: times(1) };
        Self { operations: times(2_000), load, faults, ..Self::small(seed) }
    }

    /// What `./dev test` can afford.
    pub fn small(seed: u64) -> Self {
        Self {
            seed,
            operations: 300,
            load: Duration::from_secs(40),
            publishers: 4,
            tenants: 3,
            each: 2,
            faults: Faults { kills: 6, joins: 1, broker: 1, database: 1 },
            acts: Vec::new(),
            // Ten processes log in at once after each restart of the database, on a machine that does much else: with
            // fewer sessions each, logins end before they are given up.
            environment: BTreeMap::from([("PURSIGHT_DATABASE_POOL_SIZE".to_owned(), "4".to_owned())]),
            drain: Duration::from_secs(120),
        }
    }

    /// As it is kept in the history; of the workers' settings only the names.
    pub fn document(&self, prefix: &str, tenants: &[String]) -> history::Plan {
        let Faults { kills, joins, broker, database } = self.faults;
        let more = json!({
            "processes_of_each_worker": self.each, "settings": self.environment.keys().collect::<Vec<_>>(),
            "faults": {"kills": kills, "joins": joins, "broker": broker, "database": database},
        });
        history::Plan {
            seed: self.seed,
            prefix: prefix.to_owned(),
            tenants: tenants.to_vec(),
            operations: self.operations.try_into().unwrap_or(u64::MAX),
            publishers: self.publishers.try_into().unwrap_or(u32::MAX),
            minutes: self.load.as_secs_f64() / 60.0,
            failpoints: self.environment.get("FAILPOINTS").cloned().unwrap_or_default(),
            versions: BTreeMap::from([("tests".to_owned(), env!("CARGO_PKG_VERSION").to_owned())]),
            more: more.as_object().cloned().unwrap_or_default(),
        }
    }
}

/// Load time of a run of the full size with the least faults.
const FULL_SECONDS: usize = 90;
