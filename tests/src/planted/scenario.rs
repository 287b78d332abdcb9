//! What must happen for a broken rule to be felt. A switch alone breaks nothing that nobody tries.

use std::time::Duration;

use serde::Serialize;

use crate::chaos::{Fault, Faults, Plan, What};

/// A way of using and troubling the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Scenario {
    /// Commands, repeats, forgeries; nothing fails.
    Load,
    /// Transactions abort, and processes die just before they commit.
    Aborts,
    /// A projection is stopped in the midst of its work for longer than its session, and wakes up again.
    Frozen,
    /// A second decider comes and goes.
    Rebalanced,
    /// A customer's server refuses a login.
    Login,
}

/// Longer than the session of six seconds, and what the others need to take over.
const FREEZE: Duration = Duration::from_secs(12);

impl Scenario {
    /// What `FAILPOINTS` is set to, with a switch or without.
    pub fn fail_points(self, switch: Option<&str>) -> String {
        let own = match self {
            // Nobody dies while it takes over: it would not get to work.
            Self::Aborts => "engine::abort=8%return;engine::after-send-offsets=20*off->15%return",
            // The stop meets batches that are about to be folded, and whoever wakes up is slow to hear that it was ousted.
            Self::Frozen => "projection::before-fold=60%return(400);engine::before-poll::projection=80%sleep(400)",
            Self::Load | Self::Rebalanced | Self::Login => "",
        };
        let switch = switch.map(|name| format!("{name}=return"));
        [Some(own.to_owned()).filter(|own| !own.is_empty()), switch].into_iter().flatten().collect::<Vec<_>>().join(";")
    }

    /// The run; `None`: it is not one of the harness.
    pub fn plan(self, fail_points: &str, seed: u64) -> Option<Plan> {
        let (operations, seconds, each) = match self {
            Self::Load => (240, 15, 2),
            Self::Aborts => (300, 20, 2),
            Self::Frozen => (600, 50, 2),
            Self::Rebalanced => (500, 45, 1),
            Self::Login => return None,
        };
        let mut plan = Plan::small(seed);
        plan.environment.insert("FAILPOINTS".to_owned(), fail_points.to_owned());
        Some(Plan {
            operations,
            load: Duration::from_secs(seconds),
            each,
            tenants: if self == Self::Rebalanced { 8 } else { 3 },
            faults: Faults::default(),
            acts: self.acts(),
            // A broken system may never come to its end.
            drain: Duration::from_secs(30),
            ..plan
        })
    }

    fn acts(self) -> Vec<Fault> {
        let at = |seconds: u64, what: What| Fault { at: Duration::from_secs(seconds), what };
        match self {
            Self::Load | Self::Aborts | Self::Login => Vec::new(),
            Self::Frozen => vec![
                at(4, What::Freeze("projection", "1", FREEZE)),
                at(19, What::Freeze("projection", "2", FREEZE)),
                at(34, What::Freeze("projection", "1", FREEZE)),
            ],
            Self::Rebalanced => [4, 24]
                .into_iter()
                .flat_map(|from| [at(from, What::Join("registry")), at(from + 10, What::Leave("registry"))])
                .collect(),
        }
    }
}
