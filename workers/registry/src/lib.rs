#![doc = include_str!("../README.md")]
//!
//! Owns every decision about sources, and what publishers are told of them. Knows nothing of customers' servers; how
//! records are received and committed is the engine's, what is stored is the read model's. Next: [`decide`].

pub mod admit;
pub mod decide;
pub mod lookup;
pub mod owned;
pub mod prepared;
pub mod stage;
pub mod state;
#[cfg(test)]
mod tests;
pub mod validate;
pub mod write;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use fail::fail_point;
use pursight_attestation::TrustedKeys;
use pursight_engine::{Barrier, Claim, Failure, Handler, Line, Mark, Outgoing, Record, Seal};
use pursight_schemas::Topic;
use uuid::Uuid;

pub use decide::Rules;
pub use lookup::Ledger;

use crate::admit::{Admission, Admitted};
use crate::lookup::Known;
use crate::owned::Owned;
use crate::prepared::{Batch, Prepared};
use crate::stage::Stage;
use crate::state::Effect;
use crate::write::Writer;

/// This worker's name: in its consumer group, in `ce_source`, in dead letters.
pub const WORKER: &str = "registry";
/// How long a take-over waits for the read model before it is tried again.
const BARRIER: Duration = Duration::from_secs(30);

/// What the registry needs from outside.
#[derive(Clone)]
pub struct Ports {
    /// Whose attestations are believed.
    pub keys: Arc<TrustedKeys>,
    /// The read model.
    pub ledger: Arc<dyn Ledger>,
    /// Waits for the read model.
    pub barrier: Arc<dyn Barrier>,
    /// Seals dead letters.
    pub seal: Arc<dyn Seal>,
    /// Microseconds since 1970; for markers only, a decision takes the record's time.
    pub now: fn() -> i64,
    /// Ids of markers.
    pub new_id: fn() -> Uuid,
}

/// What the operator sets.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Prefix of all topics.
    pub prefix: String,
    /// Limits of tenants, and what there are connectors for.
    pub rules: Rules,
    /// Most facts decided but not yet folded, per partition; above it the partition waits.
    pub overlay: usize,
}

enum Slot {
    /// Markers are written, the read model has not passed them.
    Waiting { owner: Uuid, marks: Vec<Mark> },
    /// Deciding.
    Ready(Arc<tokio::sync::Mutex<Owned>>),
}

/// The registry worker.
pub struct Registry {
    ports: Ports,
    settings: Settings,
    /// By partition, with the epoch of the claim: an earlier claim's work must not be mistaken for ours.
    slots: Mutex<HashMap<i32, (u64, Slot)>>,
    prepared: Prepared,
}

impl Registry {
    /// A worker that owns nothing yet.
    pub fn new(ports: Ports, settings: Settings) -> Self {
        Self { ports, settings, slots: Mutex::default(), prepared: Prepared::default() }
    }

    fn slots<T>(&self, act: impl FnOnce(&mut HashMap<i32, (u64, Slot)>) -> T) -> T {
        act(&mut self.slots.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn owned(&self, partition: i32) -> Option<(u64, Arc<tokio::sync::Mutex<Owned>>)> {
        self.slots(|slots| match slots.get(&partition) {
            Some((epoch, Slot::Ready(owned))) => Some((*epoch, Arc::clone(owned))),
            _ => None,
        })
    }

    /// Keeps what a claim has reached, unless a later claim is further already.
    fn keep(&self, partition: i32, epoch: u64, slot: Slot) {
        self.slots(|slots| {
            if slots.get(&partition).is_none_or(|(of, _)| *of <= epoch) {
                slots.insert(partition, (epoch, slot));
            }
        });
    }

    /// Our markers on the partition: written once a claim, waited for as often as it takes.
    async fn markers(&self, claim: &Claim) -> Result<(Uuid, Vec<Mark>), Failure> {
        let (partition, epoch) = (claim.partition(), claim.epoch());
        let waiting = self.slots(|slots| match slots.get(&partition) {
            Some((of, Slot::Waiting { owner, marks })) if *of == epoch => Some((*owner, marks.clone())),
            _ => None,
        });
        if let Some(waiting) = waiting {
            return Ok(waiting);
        }
        let owner = (self.ports.new_id)();
        let markers = write::markers(partition, owner, (self.ports.now)())?;
        let marks = claim.commit(markers, None, String::new()).await?.marks;
        let slot = Slot::Waiting { owner, marks: marks.clone() };
        self.keep(partition, epoch, slot);
        Ok((owner, marks))
    }

    /// Decides records that need one look-up, and commits.
    async fn together(
        &self,
        records: &[(&Record, Admission)],
        asked: Option<Known>,
        claim: &Claim,
        owned: &mut Owned,
    ) -> Result<Vec<Line>, Failure> {
        let commands = records.iter().filter_map(|(_, admitted)| admitted.as_ref().ok()).map(|one| &one.command);
        let question = lookup::question(claim.partition(), commands, &owned.overlay);
        let known = match asked.filter(|known| known.answers(&question, owned)) {
            Some(known) => known,
            None => Known::ask(self.ports.ledger.as_ref(), question).await?,
        };
        owned.observe(known.folded, self.settings.overlay)?;
        let topic = Topic::Command.name(&self.settings.prefix);
        let mut stage = Stage::new(&self.settings.rules, &topic, owned.owner, self.ports.seal.as_ref());
        let mut lines = Vec::with_capacity(records.len());
        for (record, admitted) in records {
            let Owned { overlay, deciding, .. } = &mut *owned;
            lines.push(stage.record(record, admitted, overlay, &known.base, deciding)?);
            if stage.is_full() {
                commit(&mut stage, claim, owned, record.offset + 1).await?;
            }
        }
        if let Some((last, _)) = records.last() {
            commit(&mut stage, claim, owned, last.offset + 1).await?;
        }
        Ok(lines)
    }
}

/// Makes what is staged visible, and remembers it until the read model shows it. When it fails the stage is dropped
/// with the batch, and nothing of it is remembered.
async fn commit(stage: &mut Stage<'_>, claim: &Claim, owned: &mut Owned, next: i64) -> Result<(), Failure> {
    let (out, effects) = stage.take();
    let marks = claim.commit(out, Some(next), String::new()).await?.marks;
    for staged in effects {
        // Every effect is of an event that was just written, so there is a mark of it.
        let offset = marks.get(staged.event).map_or(i64::MAX, |mark| mark.offset);
        owned.overlay.apply(&staged.tenant, &staged.effect, offset);
    }
    owned.next = next;
    Ok(())
}

#[async_trait]
impl Handler for Registry {
    async fn take_over(&self, claim: &Claim) -> Result<Option<i64>, Failure> {
        // Nothing is left here, since `lost` forgets: only under the planted fault does an ousted owner go on as it was.
        fail_point!(
            "planted::overlay-kept-over-a-revoke",
            self.owned(claim.partition())
                .map(|(_, kept)| self.keep(claim.partition(), claim.epoch(), Slot::Ready(kept)))
                .is_some(),
            |_| Ok(None)
        );
        let (owner, marks) = self.markers(claim).await?;
        match tokio::time::timeout(BARRIER, self.ports.barrier.passed(&marks)).await {
            Ok(passed) => passed?,
            Err(_) => {
                let what = "the read model has not folded our markers yet; is the projection running? `pursight doctor` \
                            names a transaction that holds it back";
                return Err(Failure::Transient { what: what.to_owned(), source: None });
            }
        }
        let after = |topic| marks.iter().find(|mark| mark.topic == topic).map_or(0, |mark| mark.offset + 1);
        let owned = Owned::new(owner, (after(Topic::Source), after(Topic::Outcome)));
        let slot = Slot::Ready(Arc::new(tokio::sync::Mutex::new(owned)));
        self.keep(claim.partition(), claim.epoch(), slot);
        Ok(None)
    }

    async fn handle(&self, batch: &[Record], claim: &Claim) -> Result<Vec<Line>, Failure> {
        let Some((epoch, owned)) = self.owned(claim.partition()) else { return Err(Failure::Lost) };
        if epoch != claim.epoch() {
            return Err(Failure::Lost);
        }
        let mut owned = owned.lock().await;
        let mut lines = Vec::with_capacity(batch.len());
        let done = batch.iter().take_while(|record| record.offset < owned.next).count();
        lines.extend(batch[..done].iter().map(|_| Line { outcome: "DONE_BEFORE", ..Line::default() }));
        let (admitted, mut asked) = self.prepared.take(&batch[done..], epoch, &self.ports.keys).await;
        let mut rest = admitted.as_slice();
        while !rest.is_empty() {
            let commands = rest.iter().map(|(_, admitted)| admitted.as_ref().ok().map(|one| &one.command));
            let (now, later) = rest.split_at(lookup::together(commands).max(1));
            lines.extend(self.together(now, asked.take(), claim, &mut owned).await?);
            rest = later;
        }
        Ok(lines)
    }

    fn prepares(&self) -> bool {
        true
    }

    fn prepare(&self, records: &[Record], claim: &Claim) {
        let Some(first) = records.first() else { return };
        let Some(tell) = self.prepared.begin(first.partition, first.offset, claim.epoch()) else { return };
        // On one processor: the others decide.
        let admitted = admit::admit_part(records, &self.ports.keys);
        let commands: Vec<_> = admitted.iter().map(|admitted| admitted.as_ref().ok().map(|one| &one.command)).collect();
        let asking = Known::ask_ahead(self.ports.ledger.as_ref(), first.partition, &commands);
        let known = tokio::runtime::Handle::current().block_on(asking);
        let offsets = records.iter().map(|record| record.offset);
        // Its turn may have passed, or its partition.
        drop(tell.send(Batch { admissions: offsets.zip(admitted).collect(), known }));
    }

    /// A command that was new and made the decider panic is answered, so that its publisher does not wait for ever.
    fn poisoned(&self, record: &Record, code: &str) -> Vec<Outgoing> {
        let Ok(Admitted { command, verified }) = admit::admit(record, &self.ports.keys) else { return Vec::new() };
        let Some((_, owned)) = self.owned(record.partition) else { return Vec::new() };
        let Ok(mut owned) = owned.try_lock() else { return Vec::new() };
        let meta = command.meta();
        let topic = Topic::Command.name(&self.settings.prefix);
        let mut writer = Writer::new(record, &topic, owned.owner, meta.command_id);
        if owned.deciding != Some(record.offset) {
            return Vec::new();
        }
        if writer.given_up(&command, code, &verified.payload_sha256).is_err() {
            return Vec::new();
        }
        owned.deciding = None;
        let payload_sha256 = verified.payload_sha256;
        // The engine commits this, so its offset is not known here: it stays until the partition is lost.
        let effect = Effect::Decided { command_id: meta.command_id, payload_sha256 };
        owned.overlay.apply(&meta.tenant_id, &effect, i64::MAX);
        writer.into_records()
    }

    fn lost(&self, _topic: Topic, partition: i32) {
        fail_point!("planted::overlay-kept-over-a-revoke", |_| ());
        self.slots(|slots| slots.remove(&partition));
        self.prepared.forget(partition);
    }
}
