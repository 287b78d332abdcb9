//! What must be true of every history, each check a pure function over a loaded [`History`]. The checks share the
//! language with the product (`pursight-schemas` decodes) and none of its decisions: ids, hashes and name keys are
//! computed here once more. What a violation means is in the README; next: `terminal`, the strictest.

mod aborted;
mod acknowledged;
mod fenced;
mod fold;
mod order;
mod place;
mod positions;
mod sound;
mod terminal;
#[cfg(test)]
mod tests;
mod unique;
mod view;
mod whole;

use std::fmt;

use serde::Serialize;

pub use place::Place;

use crate::history::History;

/// One way in which a history is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Which check found it.
    pub check: &'static str,
    /// Where to look.
    pub place: Place,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.check, self.place, self.what)
    }
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Which check.
    pub check: &'static str,
    /// What it demands.
    pub promise: &'static str,
    /// How many things it looked at; a check that looked at nothing has proved nothing.
    pub judged: usize,
    /// What it found.
    pub violations: Vec<Violation>,
}

/// A check under way: counts what it looks at and keeps what it finds.
struct Judge(Verdict);

impl Judge {
    fn new(check: &'static str, promise: &'static str) -> Self {
        Self(Verdict { check, promise, judged: 0, violations: Vec::new() })
    }

    fn looked(&mut self) {
        self.0.judged += 1;
    }

    fn found(&mut self, place: Place, what: impl Into<String>) {
        let check = self.0.check;
        self.0.violations.push(Violation { check, place, what: what.into() });
    }

    /// Looks at one thing, which must hold.
    fn expect(&mut self, holds: bool, place: impl FnOnce() -> Place, what: impl FnOnce() -> String) {
        self.looked();
        if !holds {
            self.found(place(), what());
        }
    }

    fn verdict(self) -> Verdict {
        self.0
    }
}

/// Every check, in the order in which it is worth reading them.
pub const ALL: [fn(&History) -> Verdict; 11] = [
    sound::check,
    acknowledged::check,
    terminal::check,
    terminal::audit,
    order::check,
    whole::check,
    aborted::check,
    fenced::check,
    unique::check,
    fold::check,
    positions::check,
];

/// What all checks say.
pub fn judge(history: &History) -> Vec<Verdict> {
    ALL.iter().map(|check| check(history)).collect()
}
