//! Every worker in this process: what each of them is made of, and its life from waiting for its dependencies to the end
//! of its loop. What a worker does is in its own crate; how the loop works is in `common/engine`.

mod life;
mod parts;

pub use life::start;
pub use parts::{Parts, fatal};

use pursight_schemas::Topic;

/// A worker that can be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Decides commands.
    Registry,
    /// Tests connections.
    Connection,
    /// Reads catalogs.
    Discovery,
    /// Measures.
    Statistics,
    /// Folds events into the read model.
    Projection,
}

impl Which {
    /// Every worker; the projection first, because the others wait for it.
    pub const ALL: [Self; 5] = [Self::Projection, Self::Registry, Self::Connection, Self::Discovery, Self::Statistics];

    /// Its name: on the command line, in its group, in health and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Registry => "registry",
            Self::Connection => "connection",
            Self::Discovery => "discovery",
            Self::Statistics => "statistics",
            Self::Projection => "projection",
        }
    }

    /// The workers of the command line's words; `all` is every one.
    pub fn of_words(words: &[String]) -> Vec<Self> {
        let named = |which: &Self| words.iter().any(|word| word == "all" || word == which.name());
        Self::ALL.into_iter().filter(named).collect()
    }

    /// Whether it executes runs on customers' servers.
    pub const fn is_runner(self) -> bool {
        matches!(self, Self::Connection | Self::Discovery | Self::Statistics)
    }

    /// What it writes.
    pub const fn writes(self) -> &'static [Topic] {
        match self {
            Self::Registry => &[
                Topic::Source,
                Topic::Outcome,
                Topic::WorkConnection,
                Topic::WorkDiscovery,
                Topic::WorkStatistics,
                Topic::Control,
                Topic::Audit,
                Topic::DeadLetter,
            ],
            Self::Connection => &[Topic::Connection, Topic::Outcome, Topic::Audit, Topic::DeadLetter],
            Self::Discovery => &[Topic::Schema, Topic::Outcome, Topic::Audit, Topic::DeadLetter],
            Self::Statistics => &[Topic::Statistics, Topic::Outcome, Topic::Audit, Topic::DeadLetter],
            Self::Projection => &[],
        }
    }

    /// Partitions that it handles side by side.
    pub const fn parallel(self) -> usize {
        match self {
            Self::Registry => 4,
            Self::Projection => 6,
            Self::Connection => 8,
            Self::Discovery | Self::Statistics => 4,
        }
    }
}

#[cfg(test)]
mod tests {
    use pursight_schemas::topics::READERS;

    use super::*;

    #[test]
    fn every_group_has_a_worker_and_every_worker_a_group() {
        let mut groups: Vec<&str> = READERS.iter().map(|reader| reader.worker).collect();
        let mut workers: Vec<&str> = Which::ALL.iter().map(|which| which.name()).collect();
        groups.sort_unstable();
        workers.sort_unstable();
        assert_eq!(groups, workers);
    }

    #[test]
    fn all_means_every_worker_and_a_word_only_one() {
        let words = |words: &[&str]| Which::of_words(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert_eq!(words(&["all"]).len(), 5);
        assert_eq!(words(&["discovery", "registry"]), vec![Which::Registry, Which::Discovery]);
    }
}
