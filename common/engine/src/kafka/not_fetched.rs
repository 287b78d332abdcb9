//! Owned partitions that the client does not begin to fetch: librdkafka may never do it (#5586, #5591; decision 0009), and
//! answers every attempt alike. Knows their ages; what follows from one is the log's.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use pursight_schemas::Topic;

/// A client that has not begun to fetch a partition for so long, while the broker is there, never will. Longer than it
/// takes to notice that the broker is away.
const NEVER: Duration = Duration::from_secs(15);

/// Since when the client refuses which partition.
#[derive(Debug, Default)]
pub(super) struct NotFetched(HashMap<(Topic, i32), Instant>);

impl NotFetched {
    /// The client was asked to fetch this partition, and does (`begun`) or does not.
    pub(super) fn asked(&mut self, key: (Topic, i32), begun: bool) {
        if begun {
            self.0.remove(&key);
        } else {
            self.0.entry(key).or_insert_with(Instant::now);
        }
    }

    /// These are not ours any more.
    pub(super) fn revoked(&mut self, keys: &[(Topic, i32)]) {
        self.0.retain(|key, _| !keys.contains(key));
    }

    /// The broker is away, or another client asks: what was refused says nothing.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Whether the client will never fetch one of them.
    pub(super) fn any_never(&self) -> bool {
        self.0.values().any(|since| since.elapsed() > NEVER)
    }

    /// Makes all of them as old as one that will never be fetched.
    #[cfg(test)]
    pub(super) fn age(&mut self) {
        let aged = |since: &mut Instant| *since = since.checked_sub(NEVER).unwrap_or(*since);
        self.0.values_mut().for_each(aged);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [(Topic, i32); 2] = [(Topic::Command, 1), (Topic::Command, 2)];

    fn refused() -> NotFetched {
        let mut not_fetched = NotFetched::default();
        KEYS.into_iter().for_each(|key| not_fetched.asked(key, false));
        not_fetched
    }

    #[test]
    fn only_what_was_refused_for_long_is_never_fetched() {
        let mut not_fetched = refused();
        assert!(!not_fetched.any_never());
        not_fetched.age();
        KEYS.into_iter().for_each(|key| not_fetched.asked(key, false));
        assert!(not_fetched.any_never(), "asked again it does not become younger");
    }

    #[test]
    fn what_begins_or_is_not_ours_any_more_is_not_waited_for() {
        let mut not_fetched = refused();
        not_fetched.age();
        not_fetched.asked(KEYS[0], true);
        assert!(not_fetched.any_never(), "the other one is still refused");
        not_fetched.revoked(&KEYS[1..]);
        assert!(!not_fetched.any_never());
        let mut not_fetched = refused();
        not_fetched.age();
        not_fetched.clear();
        KEYS.into_iter().for_each(|key| not_fetched.asked(key, false));
        assert!(!not_fetched.any_never(), "after an absence of the broker it begins anew");
    }
}
