//! The handler: one batch of one partition becomes rows and a moved position in one PostgreSQL transaction. The position
//! is moved by compare-and-set, so two projections on one partition never double anything.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use fail::fail_point;
use pursight_engine::{Claim, Failure, Handler, Line, Record};
use pursight_read_model::fold::Wanted;
use pursight_read_model::position::{self, Position};
use pursight_read_model::{ReadModel, ReadModelError};
use pursight_schemas::Topic;
use tokio::sync::Semaphore;

use crate::decode::Message;
use crate::fold::{self, Verdict};
use crate::state::State;

/// Longer than a statement, a lock and a commit may take together, by the limits of our sessions.
const PATIENCE: Duration = Duration::from_secs(90);

/// Which log the offsets belong to. A position of another log says nothing about this one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogIdentity {
    /// The cluster's id, where the broker tells it.
    pub cluster_id: Option<String>,
    /// Ids of topics, where the broker tells them; a topic made anew has another.
    pub topic_ids: BTreeMap<Topic, String>,
}

/// The projection worker.
pub struct Projection {
    model: ReadModel,
    identity: LogIdentity,
    held: Mutex<HashMap<(Topic, i32), Held>>,
    turns: Semaphore,
}

/// What we know of a partition that is ours.
#[derive(Debug, Clone, Copy)]
struct Held {
    epoch: i64,
    next_offset: i64,
    newest_record_at: Option<DateTime<Utc>>,
}

impl Held {
    /// Whether the stored position is still the one that was read from: the comparison of compare-and-set.
    fn is(self, found: &Position) -> bool {
        fail_point!("planted::position-check-left-out", |_| true);
        found.epoch == self.epoch && found.next_offset == self.next_offset
    }
}

impl From<&Position> for Held {
    fn from(at: &Position) -> Self {
        Self { epoch: at.epoch, next_offset: at.next_offset, newest_record_at: at.newest_record_at }
    }
}

impl Projection {
    /// A projection into `model` from the log of `identity`.
    pub fn new(model: ReadModel, identity: LogIdentity) -> Self {
        let connections = usize::try_from(model.pool().options().get_max_connections()).unwrap_or(1);
        // All partitions may have work at once: they wait here, in order, and not for a connection, which would time out.
        // One connection is left to whoever asks how far we are.
        let turns = Semaphore::new(connections.saturating_sub(1).max(1));
        Self { model, identity, held: Mutex::default(), turns }
    }

    fn held(&self, topic: Topic, partition: i32) -> Option<Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).get(&(topic, partition)).copied()
    }

    fn all_held(&self) -> Vec<((Topic, i32), Held)> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.iter().map(|(key, held)| (*key, *held)).collect()
    }

    fn hold(&self, topic: Topic, partition: i32, held: Held) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).insert((topic, partition), held);
    }

    fn let_go(&self, topic: Topic, partition: i32) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).remove(&(topic, partition));
    }

    /// Folds messages of a partition that is ours, in as many transactions as it takes.
    pub(crate) async fn fold(&self, messages: &[Message<'_>], claim: &Claim) -> Result<Vec<Line>, Failure> {
        let (topic, partition) = (claim.topic(), claim.partition());
        let mut lines = Vec::with_capacity(messages.len());
        let mut rest = messages;
        while !rest.is_empty() {
            let held = self.held(topic, partition).ok_or(Failure::Lost)?;
            let old = rest.iter().take_while(|message| message.record.offset < held.next_offset).count();
            let (old, fresh) = rest.split_at(old);
            lines.extend(old.iter().map(|message| message.line(Verdict::Repeated.word())));
            let (part, later) = fresh.split_at(fold::part_length(fresh, held.newest_record_at));
            rest = later;
            let verdicts = self.fold_part(part, held).await.inspect_err(|failure| {
                if matches!(failure, Failure::Lost) {
                    self.let_go(topic, partition);
                }
            })?;
            for (message, verdict) in part.iter().zip(verdicts) {
                report(message, verdict);
                lines.push(message.line(verdict.word()));
            }
        }
        Ok(lines)
    }

    /// Folds the messages of one transaction, within a time after which the server must be gone: its own limits are
    /// shorter. Returns their verdicts.
    async fn fold_part(&self, part: &[Message<'_>], held: Held) -> Result<Vec<Verdict>, Failure> {
        let _turn = self.turns.acquire().await.map_err(|_| Failure::Lost)?;
        let folding = tokio::time::timeout(PATIENCE, Box::pin(self.fold_in_turn(part, held)));
        folding.await.unwrap_or_else(|elapsed| Err(Failure::transient("the read model has gone silent", elapsed)))
    }

    async fn fold_in_turn(&self, part: &[Message<'_>], held: Held) -> Result<Vec<Verdict>, Failure> {
        if let Some(delay) = slowness() {
            tokio::time::sleep(delay).await;
        }
        let Some(first) = part.first() else { return Ok(Vec::new()) };
        let (topic, partition) = (first.record.topic, first.record.partition);
        let mut transaction = self.model.begin_fold().await.map_err(failure)?;
        let found = position::lock(&mut transaction, topic, partition).await.map_err(failure)?;
        let Some(before) = found.filter(|found| held.is(found)) else { return Err(Failure::Lost) };
        let read_from = before.next_offset;
        let mut wanted = Wanted::default();
        for message in part {
            fold::want(&mut wanted, message);
        }
        let prior = wanted.load(&mut transaction).await.map_err(failure)?;
        let mut state = State::new(before, prior);
        let mut verdicts = Vec::with_capacity(part.len());
        for message in part {
            verdicts.push(fold::fold(&mut state, message)?);
        }
        let (batch, after) = state.into_batch();
        batch.write(&mut transaction).await.map_err(failure)?;
        if !position::advance(&mut transaction, read_from, &after).await.map_err(failure)? {
            return Err(Failure::Lost);
        }
        if let Err(error) = self.model.commit(transaction).await {
            self.resolve_doubt(topic, partition, &after, error).await?;
        }
        self.hold(topic, partition, Held::from(&after));
        Ok(verdicts)
    }

    /// A commit whose answer was lost may have happened: the stored position says so.
    async fn resolve_doubt(
        &self,
        topic: Topic,
        partition: i32,
        after: &Position,
        error: ReadModelError,
    ) -> Result<(), Failure> {
        let mut transaction = self.model.begin().await.map_err(failure)?;
        let found = position::load(&mut transaction, topic, partition).await.map_err(failure)?;
        if found.is_some_and(|found| found.epoch == after.epoch && found.next_offset == after.next_offset) {
            return Ok(());
        }
        Err(failure(error))
    }
}

#[async_trait]
impl Handler for Projection {
    async fn take_over(&self, claim: &Claim) -> Result<Option<i64>, Failure> {
        let (topic, partition) = (claim.topic(), claim.partition());
        let topic_id = self.identity.topic_ids.get(&topic).map(String::as_str);
        let cluster_id = self.identity.cluster_id.as_deref();
        let _turn = self.turns.acquire().await.map_err(|_| Failure::Lost)?;
        let mut transaction = self.model.begin().await.map_err(failure)?;
        let taken = position::take_over(&mut transaction, topic, partition, cluster_id, topic_id).await;
        let taken = taken.map_err(failure)?;
        let foreign = |stored: &Option<String>, ours: Option<&str>| matches!((stored.as_deref(), ours), (Some(stored), Some(ours)) if stored != ours);
        if foreign(&taken.cluster_id, cluster_id) || foreign(&taken.topic_id, topic_id) {
            return Err(Failure::fatal(
                format!("the read model was folded from another {}/{partition} than this one", topic.short()),
                "connect to the cluster it belongs to, or fold this log into it with `pursight rebuild`",
            ));
        }
        self.model.commit(transaction).await.map_err(failure)?;
        self.hold(topic, partition, Held::from(&taken));
        Ok(Some(taken.next_offset))
    }

    async fn handle(&self, batch: &[Record], claim: &Claim) -> Result<Vec<Line>, Failure> {
        let messages = batch.iter().map(Message::read).collect::<Result<Vec<_>, _>>()?;
        self.fold(&messages, claim).await
    }

    /// After a crash of the server the last transactions may be gone, and a copy that was put in its place is older: a
    /// stored position lies before ours, which nobody moves back. Partitions without new records would never notice.
    async fn astray(&self) -> Vec<(Topic, i32)> {
        // In this order: what is folded meanwhile only moves the stored position on.
        let held: Vec<_> = self.all_held();
        let Ok(stored) = self.model.positions().await else { return Vec::new() };
        let went_back = |(topic, partition): &(Topic, i32), held: &Held| {
            let found = stored.iter().find(|found| found.topic == topic.short() && found.partition == *partition);
            found.is_none_or(|found| (found.epoch, found.next_offset) < (held.epoch, held.next_offset))
        };
        let astray: Vec<_> = held.into_iter().filter(|(key, held)| went_back(key, held)).map(|(key, _)| key).collect();
        if !astray.is_empty() {
            tracing::warn!(
                partitions = astray.len(),
                "the read model is older than it was, it is folded again from there"
            );
        }
        astray
    }

    fn lost(&self, topic: Topic, partition: i32) {
        self.let_go(topic, partition);
    }
}

fn report(message: &Message<'_>, verdict: Verdict) {
    metrics::counter!("pursight_projection_events_total", "topic" => message.record.topic.short(), "outcome" => verdict.word())
        .increment(1);
    if verdict == Verdict::Foreign {
        tracing::error!(
            "kafka.topic" = message.record.topic.short(),
            "kafka.partition" = message.record.partition,
            "kafka.offset" = message.record.offset,
            "error.code" = "FOREIGN_WRITER",
            "event was not written by the partition's owner and is not folded"
        );
    }
}

/// How long a fold is held up before it begins: not at all, but under a fail point.
fn slowness() -> Option<Duration> {
    fail_point!("projection::before-fold", |text| text?.parse().ok().map(Duration::from_millis));
    None
}

/// Our own database either comes back or is broken: nothing of it is the message's fault.
pub(crate) fn failure(error: ReadModelError) -> Failure {
    if error.is_transient() {
        return Failure::transient("the read model cannot be written", error);
    }
    tracing::debug!(error = &error as &dyn std::error::Error, "read model refused");
    let what = match std::error::Error::source(&error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    Failure::fatal(what, "see the server's log; `pursight doctor` checks schema and rights")
}
