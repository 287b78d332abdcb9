//! Blue and green: fold the whole log into a second schema while the live one goes on serving, stop the live fold for a
//! moment, fold to exactly its positions, compare every row, and put the new schema in the place of the old one. The same
//! fold as the handler's, so equal hashes prove that the read model is a picture of the log and nothing else.

use std::cmp::Reverse;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use pursight_engine::{Claim, Failure, Handler, Record};
use pursight_read_model::position::Position;
use pursight_read_model::rebuild::{Beside, Difference, TableHash};
use pursight_read_model::{ReadModel, ReadModelError};
use pursight_schemas::{Event, Topic};
use tokio::task::{JoinError, JoinHandle, JoinSet};

use crate::decode::{Message, event};
use crate::handler::{LogIdentity, Projection};

/// Records of one transaction. A row that several of them change is read and written once.
const BATCH: usize = 8_000;
/// Of a partition's first one: the server has nothing to do until it is there.
const FIRST: usize = 2_000;
/// Partitions that are folded side by side, each by a thread of its own: while the server writes for one, another's events
/// become rows. More of them only take turns, and the longest, which decides when all are done, waits among them.
const SIDE_BY_SIDE: usize = 2;
/// The live fold is stopped when no more records than this are missing, or after so many rounds.
const NEAR: i64 = 2_000;
const ROUNDS: usize = 20;

/// Where the log is read from.
#[async_trait]
pub trait LogReader: Send + Sync {
    /// For every partition of every topic in [`Topic::PROJECTED`]: the offset after its last committed record.
    ///
    /// # Errors
    /// The broker cannot be asked.
    async fn ends(&self) -> Result<Vec<(Topic, i32, i64)>, Failure>;

    /// Committed records of a partition from offset `from` on and before `until`, in order, at most `limit`, and fewer where
    /// they are large; none when there is no more before `until`. Where the log begins later than `from`, from its beginning
    /// on.
    ///
    /// # Errors
    /// The broker cannot be asked.
    async fn read(
        &self,
        topic: Topic,
        partition: i32,
        from: i64,
        until: i64,
        limit: usize,
    ) -> Result<Vec<Record>, Failure>;
}

/// What a rebuild is to do.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Compare only; the live schema stays, the rebuilt one goes.
    pub check_only: bool,
    /// Differing rows that are named at most.
    pub named: usize,
}

/// How it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Records folded.
    pub records: u64,
    /// Every compared table of the rebuilt schema.
    pub tables: Vec<TableHash>,
    /// The rebuilt schema is the live one now.
    pub swapped: bool,
    /// There was nothing to compare with: the live schema was empty.
    pub was_empty: bool,
}

/// Why there is no new read model.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// Another one is under way.
    #[error("another rebuild of this read model is under way")]
    Busy,
    /// The live read model is not what the log says. It was left as it is.
    #[error("the read model is not what the log says: {}", listed(.0))]
    Differs(Vec<Difference>),
    /// A record could not be read or folded.
    #[error("the log cannot be folded")]
    Fold(#[from] Failure),
    /// The database refused.
    #[error("the read model cannot be rebuilt")]
    Model(#[from] ReadModelError),
}

fn listed(differences: &[Difference]) -> String {
    let one = |difference: &Difference| match difference.missing_in {
        Some(side) => format!("{} {} is missing in {side}", difference.table, difference.key),
        None => format!("{} {} differs in {}", difference.table, difference.key, difference.columns.join(", ")),
    };
    differences.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// Rebuilds. `progress` is told how many records have been folded.
///
/// # Errors
/// [`RebuildError::Differs`] with the first differing rows, or what stood in the way; the live schema is left untouched.
pub async fn run(
    log: Arc<dyn LogReader>,
    live: &ReadModel,
    options: Options,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Report, RebuildError> {
    let mut goal = targets(&*log, live.positions().await?).await?;
    // The first records come in while the schema is made.
    let begun = Arc::new(Mutex::new(begin(&log, parts(&goal, &[]))));
    let mut beside = Beside::make(live).await?.ok_or(RebuildError::Busy)?;
    let projection = Arc::new(Projection::new(beside.model.clone(), LogIdentity::default()));
    let fold = Fold { log: Arc::clone(&log), begun, projection };
    let mut records = 0;
    for _ in 0..ROUNDS {
        let missing = parts(&goal, &beside.model.positions().await?);
        if missing.iter().map(|part| part.until - part.from).sum::<i64>() <= NEAR {
            break;
        }
        records = fold.all(missing, records, progress).await?;
        goal = targets(&*log, live.positions().await?).await?;
    }
    beside.index().await?;
    let mut stopped = beside.stop_live().await?;
    let was_empty = stopped.is_empty();
    let exact = targets(&*log, stopped.positions.clone()).await?;
    records = fold.all(parts(&exact, &beside.model.positions().await?), records, progress).await?;
    if was_empty {
        // No live position will take the place of these: what has expired lies behind us, too.
        beside.model.skip_to(&exact).await?;
    }
    // Nothing is read any more; the readers' connections end while rows are compared.
    drop(fold);
    tokio::task::spawn_blocking(move || drop(log));
    let (tables, differences) = stopped.compare(options.named).await?;
    if !was_empty && !differences.is_empty() {
        stopped.let_go().await?;
        beside.clean_up(false).await?;
        return Err(RebuildError::Differs(differences));
    }
    let swapped = !options.check_only;
    if swapped {
        stopped.swap().await?;
    } else {
        stopped.let_go().await?;
    }
    beside.clean_up(!swapped).await?;
    Ok(Report { records, tables, swapped, was_empty })
}

/// Where the fold is to end: where the live one stands, or, if there is none, at the end of the log.
async fn targets(log: &dyn LogReader, positions: Vec<Position>) -> Result<Vec<(Topic, i32, i64)>, RebuildError> {
    let mut targets = Vec::new();
    for position in positions {
        let topic = Topic::ALL.into_iter().find(|topic| topic.short() == position.topic);
        let topic = topic.ok_or_else(|| ReadModelError::Content(format!("a position of topic {}", position.topic)))?;
        targets.push((topic, position.partition, position.next_offset));
    }
    if targets.iter().all(|target| target.2 == 0) {
        return Ok(log.ends().await?);
    }
    Ok(targets)
}

/// A stretch of one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    topic: Topic,
    partition: i32,
    from: i64,
    until: i64,
}

impl Part {
    /// What it takes to fold it, in records that become one row: a source's or an object's event becomes twenty.
    fn cost(&self) -> i64 {
        let rows = if matches!(self.topic, Topic::Source | Topic::Schema) { 20 } else { 1 };
        (self.until - self.from).saturating_mul(rows)
    }
}

/// What has not been folded of the way to the targets, what takes longest first: what begins late is waited for alone.
/// Partitions that hold nothing are in it too: they get a row.
fn parts(targets: &[(Topic, i32, i64)], folded: &[Position]) -> Vec<Part> {
    let from = |topic: Topic, partition: i32| {
        let found = folded.iter().find(|found| found.topic == topic.short() && found.partition == partition);
        found.map_or(0, |found| found.next_offset)
    };
    let part = |(topic, partition, until): &(Topic, i32, i64)| Part {
        topic: *topic,
        partition: *partition,
        from: from(*topic, *partition),
        until: *until,
    };
    let mut parts: Vec<_> = targets.iter().map(part).collect();
    parts.sort_by_key(|part| Reverse(part.cost()));
    parts
}

/// Records, and what each of them says.
#[derive(Default)]
struct Decoded {
    records: Vec<Record>,
    events: Vec<Option<Event>>,
}

/// Records that another thread reads and decodes.
type Ahead = JoinHandle<Result<Decoded, Failure>>;

/// The records of a part from an offset on, as many as are folded at once; none at its end.
fn read(log: &Arc<dyn LogReader>, part: Part, from: i64) -> Ahead {
    let log = Arc::clone(log);
    tokio::spawn(async move {
        if from >= part.until {
            return Ok(Decoded::default());
        }
        let limit = if from == part.from { FIRST } else { BATCH };
        let records = log.read(part.topic, part.partition, from, part.until, limit).await?;
        let events = records.iter().map(event).collect::<Result<_, _>>()?;
        Ok(Decoded { records, events })
    })
}

/// Begins to read the parts that are folded first.
fn begin(log: &Arc<dyn LogReader>, parts: Vec<Part>) -> Vec<(Part, Ahead)> {
    parts.into_iter().take(SIDE_BY_SIDE).map(|part| (part, read(log, part, part.from))).collect()
}

/// Folds parts; its clones fold side by side.
#[derive(Clone)]
struct Fold {
    log: Arc<dyn LogReader>,
    /// Parts whose first records are being read already.
    begun: Arc<Mutex<Vec<(Part, Ahead)>>>,
    projection: Arc<Projection>,
}

impl Fold {
    /// Folds all parts, some side by side, each by a thread of its own. `progress` is told how many records have been folded
    /// by now, which is also what is returned.
    async fn all(&self, parts: Vec<Part>, before: u64, progress: &(dyn Fn(u64) + Sync)) -> Result<u64, RebuildError> {
        let mut parts = parts.into_iter().map(|part| self.clone().one(part));
        let mut lanes: JoinSet<_> = parts.by_ref().take(SIDE_BY_SIDE).collect();
        let mut records = before;
        while let Some(count) = lanes.join_next().await {
            records += count.map_err(|error| ended(&error))??;
            progress(records);
            if let Some(part) = parts.next() {
                lanes.spawn(part);
            }
        }
        Ok(records)
    }

    async fn one(self, part: Part) -> Result<u64, Failure> {
        let claim = Claim::detached(part.topic, part.partition);
        let mut next = self.projection.take_over(&claim).await?.unwrap_or_default();
        let mut count = 0;
        let mut ahead = self.read(part, next);
        loop {
            let Decoded { records, events } = ahead.await.map_err(|error| ended(&error))??;
            let Some(last) = records.last() else { return Ok(count) };
            next = last.offset + 1;
            count += records.len() as u64;
            ahead = self.read(part, next);
            let messages: Vec<_> =
                records.iter().zip(events).map(|(record, event)| Message { record, event }).collect();
            self.projection.fold(&messages, &claim).await?;
        }
    }

    /// The next records, read while those before them are folded.
    fn read(&self, part: Part, from: i64) -> Ahead {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        match begun.iter().position(|(begun, _)| *begun == part && part.from == from) {
            Some(index) => begun.swap_remove(index).1,
            None => read(&self.log, part, from),
        }
    }
}

fn ended(error: &JoinError) -> Failure {
    Failure::fatal(format!("a thread of the rebuild has ended: {error}"), "report it, with the log lines before it")
}
