//! Whether the broker is there, as a client of ours sees it, and whether a client that sees none is to be believed.
//!
//! A client that was told once that the cluster has no broker forgets all of them and never looks for one again
//! (librdkafka #5301). A single broker says that of itself while it comes back after it was stopped or hung.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};

use super::consumer::Quiet;
use super::options::Options;

/// While the broker is away it is asked this often; also how long one question may take.
pub(super) const PROBE: Duration = Duration::from_secs(1);
/// While it is there it is asked this often: a client without brokers may say nothing of it.
const REST: Duration = Duration::from_secs(10);
/// So often in a row a new client must see a broker where the old one sees none.
const DOUBTS: u8 = 2;

/// What a question brought.
pub(super) enum Seen {
    /// The broker is there, and was not before.
    Back,
    /// It is away, for this reason.
    Away(String),
    /// It is there, but this client will not find it any more: another one must take its place.
    Lost,
}

/// Asks through one client.
pub(super) struct Presence {
    options: Options,
    asked: Instant,
    away: bool,
    doubts: u8,
}

impl Presence {
    /// For a client that is made at this moment.
    pub(super) fn new(options: &Options) -> Self {
        Self { options: options.clone(), asked: Instant::now(), away: false, doubts: 0 }
    }

    /// Something says that the broker is away: it is asked soon.
    pub(super) fn away(&mut self) {
        if !self.away {
            self.away = true;
            self.asked = Instant::now();
        }
    }

    /// Asks if it is time; `None` if it is not, or if everything is as before.
    pub(super) fn ask<C: ConsumerContext>(&mut self, client: &BaseConsumer<C>) -> Option<Seen> {
        if self.asked.elapsed() < if self.away { PROBE } else { REST } {
            return None;
        }
        let answer = broker_seen_by(client);
        self.asked = Instant::now();
        let Err(reason) = answer else {
            self.doubts = 0;
            return std::mem::take(&mut self.away).then_some(Seen::Back);
        };
        self.away = true;
        let another = self.options.client("probe").create_with_context::<_, BaseConsumer<_>>(Quiet).ok();
        self.doubts = if another.is_some_and(|client| broker_seen_by(&client).is_ok()) { self.doubts + 1 } else { 0 };
        if self.doubts < DOUBTS {
            return Some(Seen::Away(reason));
        }
        self.doubts = 0;
        Some(Seen::Lost)
    }
}

/// Ends a client of no use any more beside the others: it leaves its group as well as it can, which may take it a while.
pub(super) fn leave_behind<C: ConsumerContext + 'static>(client: BaseConsumer<C>) {
    drop(std::thread::Builder::new().name("leaving".to_owned()).spawn(move || drop(client)));
}

fn broker_seen_by<C: ConsumerContext>(client: &BaseConsumer<C>) -> Result<(), String> {
    match client.fetch_metadata(None, PROBE) {
        Ok(metadata) if metadata.brokers().is_empty() => Err("the cluster has no broker at the moment".to_owned()),
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use rdkafka::mocking::MockCluster;

    use super::*;

    fn options(bootstrap: &str) -> Options {
        Options {
            bootstrap: bootstrap.to_owned(),
            prefix: "test".to_owned(),
            instance: "one".to_owned(),
            session_timeout_ms: 6_000,
            security: Vec::new(),
        }
    }

    fn answers(presence: &mut Presence, client: &BaseConsumer, count: usize) -> Vec<&'static str> {
        let words = std::iter::from_fn(|| {
            Some(loop {
                match presence.ask(client) {
                    None => std::thread::sleep(Duration::from_millis(10)),
                    Some(Seen::Back) => break "back",
                    Some(Seen::Away(_)) => break "away",
                    Some(Seen::Lost) => break "lost",
                }
            })
        });
        words.take(count).collect()
    }

    #[test]
    fn a_client_is_lost_only_if_a_new_one_sees_a_broker() {
        let fake_cluster = MockCluster::new(1).unwrap();
        let (there, nowhere) = (options(&fake_cluster.bootstrap_servers()), options("127.0.0.1:1"));
        let blind: BaseConsumer = nowhere.client("test").create().unwrap();
        let seeing: BaseConsumer = there.client("test").create().unwrap();
        let mut presence = Presence::new(&there);
        presence.away();
        assert_eq!(answers(&mut presence, &blind, 2), ["away", "lost"]);
        assert_eq!(answers(&mut presence, &seeing, 1), ["back"]);
        let mut presence = Presence::new(&nowhere);
        presence.away();
        assert_eq!(answers(&mut presence, &blind, 2), ["away", "away"]);
    }
}
