//! Whether the broker is there, as a client of ours sees it, and whether a client that sees none is to be believed.
//!
//! A client that was told once that the cluster has no broker forgets all of them and never looks for one again
//! (librdkafka #5301). A single broker says that of itself while it comes back after it was stopped or hung.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::RDKafkaErrorCode;

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

/// What a client sees of the cluster.
enum View {
    /// A broker that answers.
    Broker,
    /// Brokers, but no answer in time: it may have too much else to carry.
    NoAnswer(String),
    /// None at all.
    NoBroker(String),
}

/// Asks through one client.
pub(super) struct Presence {
    options: Options,
    /// Asked about, because a question names one: the whole cluster would be a large answer.
    topic: String,
    asked: Instant,
    away: bool,
    doubts: u8,
}

impl Presence {
    /// For a client that is made at this moment.
    pub(super) fn new(options: &Options, topic: &str) -> Self {
        let (options, topic) = (options.clone(), topic.to_owned());
        Self { options, topic, asked: Instant::now(), away: false, doubts: 0 }
    }

    /// Something says that the broker is away: it is asked soon.
    pub(super) fn away(&mut self) {
        if !self.away {
            self.away = true;
            self.asked = Instant::now();
        }
    }

    /// Whether it is away, as far as is known.
    pub(super) fn is_away(&self) -> bool {
        self.away
    }

    /// Asks if it is time; `None` if it is not, or if everything is as before.
    pub(super) fn ask<C: ConsumerContext>(&mut self, client: &BaseConsumer<C>) -> Option<Seen> {
        if self.asked.elapsed() < if self.away { PROBE } else { REST } {
            return None;
        }
        let (seen, doubts) = match self.view(client) {
            View::Broker => (self.away.then_some(Seen::Back), 0),
            View::NoAnswer(reason) => (Some(Seen::Away(reason)), 0),
            View::NoBroker(reason) => {
                let doubts = if self.another_sees_one() { self.doubts + 1 } else { 0 };
                if doubts < DOUBTS { (Some(Seen::Away(reason)), doubts) } else { (Some(Seen::Lost), 0) }
            }
        };
        self.doubts = doubts;
        self.away = matches!(seen, Some(Seen::Away(_) | Seen::Lost));
        self.asked = Instant::now();
        seen
    }

    fn another_sees_one(&self) -> bool {
        let another = self.options.client("probe").create_with_context::<_, BaseConsumer<_>>(Quiet);
        another.is_ok_and(|client| matches!(self.view(&client), View::Broker))
    }

    fn view<C: ConsumerContext>(&self, client: &BaseConsumer<C>) -> View {
        match client.fetch_metadata(Some(&self.topic), PROBE) {
            Ok(metadata) if metadata.brokers().is_empty() => View::NoBroker("the cluster has no broker".to_owned()),
            Ok(_) => View::Broker,
            // So it says when it had nobody to ask all the time.
            Err(error) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::BrokerTransportFailure) => {
                View::NoBroker(error.to_string())
            }
            Err(error) => View::NoAnswer(error.to_string()),
        }
    }
}

/// Ends a client of no use any more beside the others: it leaves its group as well as it can, which may take it a while.
pub(super) fn leave_behind<C: ConsumerContext + 'static>(client: BaseConsumer<C>) {
    drop(std::thread::Builder::new().name("leaving".to_owned()).spawn(move || drop(client)));
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
        let mut presence = Presence::new(&there, "topic");
        presence.away();
        assert_eq!(answers(&mut presence, &blind, 2), ["away", "lost"]);
        assert_eq!(answers(&mut presence, &seeing, 1), ["back"]);
        let mut presence = Presence::new(&nowhere, "topic");
        presence.away();
        assert_eq!(answers(&mut presence, &blind, 2), ["away", "away"]);
    }

    #[test]
    fn a_broker_that_answers_late_is_away_and_not_lost() {
        let (fake_late, fake_quick) = (MockCluster::new(1).unwrap(), MockCluster::new(1).unwrap());
        let (late, quick) = (options(&fake_late.bootstrap_servers()), options(&fake_quick.bootstrap_servers()));
        let client: BaseConsumer = late.client("test").create().unwrap();
        let mut presence = Presence::new(&quick, "topic");
        presence.away();
        assert_eq!(answers(&mut presence, &client, 1), ["back"]);
        fake_late.broker_round_trip_time(1, PROBE * 10).unwrap();
        presence.away();
        assert_eq!(answers(&mut presence, &client, 3), ["away", "away", "away"]);
    }
}
