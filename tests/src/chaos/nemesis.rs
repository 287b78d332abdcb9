//! The schedule of faults, drawn from the seed, and its execution. One or two faults at a time; it always ends with
//! everything running again.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::json;

use super::diary::Diary;
use super::fleet::{Fleet, WORKERS};
use super::plan::Plan;
use super::random::Random;
use super::stream::fraction;
use crate::servers::{Broker, Cluster};

/// One fault, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// From the start of the load.
    pub at: Duration,
    /// What.
    pub what: What,
}

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// SIGKILL of a process of this worker; of two of them.
    Kill(&'static str, usize),
    /// SIGSTOP of a process of this worker, and SIGCONT after so long.
    Freeze(&'static str, &'static str, Duration),
    /// A further process of this worker joins.
    Join(&'static str),
    /// It leaves.
    Leave(&'static str),
    /// The broker gets this signal, and is started again after so long.
    Broker(&'static str, Duration),
    /// The database gets this signal, and is started again after so long.
    Database(&'static str, Duration),
}

/// Name of the process that joins.
const GUEST: &str = "guest";

/// The schedule of a run.
pub fn schedule(plan: &Plan) -> Vec<Fault> {
    let mut random = Random::new(plan.seed, "nemesis");
    let mut faults = Vec::new();
    let mut left = plan.faults.kills;
    while left > 0 {
        let count = if left > 1 && random.chance(15) { 2 } else { 1 };
        left -= count;
        faults.push(Fault { at: moment(&mut random, plan), what: What::Kill(worker(&mut random), count) });
    }
    for _ in 0..plan.faults.joins {
        let (at, who) = (moment(&mut random, plan), worker(&mut random));
        let stays = Duration::from_millis(random.between(4_000, 12_000).try_into().unwrap_or_default());
        faults.push(Fault { at, what: What::Join(who) });
        faults.push(Fault { at: at + stays, what: What::Leave(who) });
    }
    // A server's restart has its own part of the time, so that both are not away at once.
    let servers = plan.faults.broker + plan.faults.database;
    let first = random.below(2);
    for number in 0..servers {
        let part = plan.load.mul_f64(0.7) / u32::try_from(servers).unwrap_or(1);
        let begin = plan.load.mul_f64(0.15) + part * u32::try_from(number).unwrap_or_default();
        let at = begin + part.mul_f64(fraction(&mut random) / 2.0);
        let away = Duration::from_millis(random.between(200, 4_000).try_into().unwrap_or_default());
        let crash = random.chance(50);
        let what = if is_broker(plan, number, first) {
            What::Broker(if crash { "KILL" } else { "TERM" }, away)
        } else {
            What::Database(if crash { "QUIT" } else { "INT" }, away)
        };
        faults.push(Fault { at, what });
    }
    faults.extend(plan.acts.iter().copied());
    faults.sort_by_key(|fault| fault.at);
    faults
}

/// Which of the servers' restarts are the broker's: they take turns as long as there are both.
fn is_broker(plan: &Plan, number: usize, first: usize) -> bool {
    let both = 2 * plan.faults.broker.min(plan.faults.database);
    if number < both { number % 2 == first } else { plan.faults.broker > plan.faults.database }
}

fn moment(random: &mut Random, plan: &Plan) -> Duration {
    plan.load.mul_f64(0.05 + 0.93 * fraction(random))
}

/// Whose process; deciders and projections hold the most promises.
fn worker(random: &mut Random) -> &'static str {
    match random.below(100) {
        0..35 => "registry",
        35..60 => "projection",
        60..75 => "discovery",
        75..88 => "statistics",
        _ => "connection",
    }
}

/// Does what the schedule says, then heals.
///
/// # Errors
/// A server does not come back, or the history cannot be written.
pub fn execute(
    faults: &[Fault],
    start: Instant,
    fleet: &Fleet<'_>,
    broker: &mut Broker,
    cluster: &mut Cluster,
    diary: &Diary,
) -> Result<()> {
    let pause = |until: Duration| std::thread::sleep((start + until).saturating_duration_since(Instant::now()));
    for fault in faults {
        pause(fault.at);
        match fault.what {
            What::Kill(worker, count) => {
                for _ in 0..count {
                    fleet.kill(worker)?;
                }
            }
            What::Freeze(worker, instance, how_long) => {
                fleet.signal(worker, instance, "STOP")?;
                std::thread::sleep(how_long);
                fleet.signal(worker, instance, "CONT")?;
            }
            What::Join(worker) => fleet.join(worker, GUEST)?,
            What::Leave(worker) => fleet.leave(worker, GUEST)?,
            What::Broker(signal, away) => {
                diary.act("broker-stop", "broker", None, json!({"signal": signal}))?;
                broker.stop(signal)?;
                std::thread::sleep(away);
                broker.run_again()?;
                diary.act("broker-start", "broker", None, json!({"away_ms": away.as_millis()}))?;
            }
            What::Database(signal, away) => {
                diary.act("database-stop", "database", None, json!({"signal": signal}))?;
                cluster.stop(signal)?;
                std::thread::sleep(away);
                cluster.run_again()?;
                diary.act("database-start", "database", None, json!({"away_ms": away.as_millis()}))?;
            }
        }
    }
    WORKERS.into_iter().try_for_each(|worker| fleet.leave(worker, GUEST))?;
    diary.act("heal", "all", None, json!({}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_schedule_with_all_that_was_asked_for() {
        for seed in 0..50 {
            let plan = Plan::full(seed, 1.5);
            let faults = schedule(&plan);
            assert_eq!(faults, schedule(&plan));
            let count = |is: fn(What) -> usize| faults.iter().map(|fault| is(fault.what)).sum::<usize>();
            assert!(count(|what| if let What::Kill(_, count) = what { count } else { 0 }) >= 20);
            assert_eq!(count(|what| usize::from(matches!(what, What::Broker(..)))), 1);
            assert_eq!(count(|what| usize::from(matches!(what, What::Database(..)))), 1);
        }
    }

    #[test]
    fn a_longer_run_restarts_the_servers_in_turns() {
        let plan = Plan::full(5, 6.0);
        let servers: Vec<bool> = schedule(&plan)
            .iter()
            .filter_map(|fault| match fault.what {
                What::Broker(..) => Some(true),
                What::Database(..) => Some(false),
                _ => None,
            })
            .collect();
        assert_eq!(servers.len(), 8);
        assert!(servers.windows(2).all(|pair| pair[0] != pair[1]), "{servers:?}");
    }
}
