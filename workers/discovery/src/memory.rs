//! The last known state in memory: folds a run's events as the read model does. Beside the real one for tests and
//! for trying a run out; must not know how events come about.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use pursight_connectors::postgres::catalog::{Listing, PageItem, glob};
use pursight_engine::Failure;
use pursight_schemas::{DiscoveryStarted, Event, SchemaObjectObserved, SchemaSnapshotCompleted, ScopeFilter, WorkItem};
use uuid::Uuid;

use crate::base::{Base, Known, LastComplete, LastKnown, State};
use crate::decide::{Plan, Sight, Survey, Whole, conclude, plan, scope_of, unchanged, verdict};
use crate::identity::matched;

/// One source's last known state.
#[derive(Debug, Default)]
pub struct Memory(Mutex<Inner>);

/// What one database holds.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// Everything that exists.
    pub listing: Listing,
    /// Its details, in pages.
    pub pages: Vec<Vec<PageItem>>,
    /// Names of the schemas that exist.
    pub schemas: Vec<String>,
}

#[derive(Debug, Default)]
struct Inner {
    objects: BTreeMap<Uuid, (Known, Option<SchemaObjectObserved>)>,
    last_complete: Option<LastComplete>,
    held: BTreeMap<Uuid, Uuid>,
    scope: ScopeFilter,
    /// Of the run under way.
    holding: BTreeMap<Uuid, Uuid>,
    unreadable: Vec<Uuid>,
}

impl Memory {
    /// Folds events in their order.
    pub fn fold(&self, events: &[Event]) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for event in events {
            inner.fold(event);
        }
    }

    /// What is stored of every object that is not dropped.
    pub fn live(&self) -> Vec<SchemaObjectObserved> {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let live = inner.objects.values().filter(|(known, _)| known.state == State::Live);
        live.filter_map(|(_, event)| event.clone()).collect()
    }

    /// A whole run over what one database holds: the steps of the worker without its ports. Folds and returns the
    /// events.
    pub fn rehearse(&self, work: &WorkItem, sight: &Sight, found: Found) -> Vec<Event> {
        let source = work.meta.source_id.unwrap_or_default();
        let scope = scope_of(work).clone();
        let mut events: Vec<Event> =
            vec![DiscoveryStarted { run_id: work.run_id, scope: scope.clone(), ..DiscoveryStarted::default() }.into()];
        let base = self.snapshot();
        let mut whole = Whole { scope, sight: sight.clone(), confirms: work.confirms, ..Whole::default() };
        match plan(work, &base, sight) {
            Plan::Nothing => events.extend(unchanged(work, &base, &whole).events),
            Plan::Read { trust } => {
                whole.complete = found.listing.complete;
                whole.schemas =
                    found.schemas.iter().map(|name| (found.listing.catalog.clone(), name.clone())).collect();
                let matching = matched(source, &base.objects, vec![found.listing], trust);
                let mut survey = Survey::new(source, work, base, matching, sight);
                for page in found.pages {
                    let (fresh, unreadable) = survey.page(0, page);
                    events.extend(unreadable);
                    let former = self.stored(&survey.former_ids(&fresh));
                    events.extend(survey.observe(fresh, former));
                }
                events.extend(survey.rest());
                let verdict = verdict(&survey, &whole);
                let dropped: Vec<Uuid> =
                    verdict.dropped.iter().map(|drop| survey.known_object(drop.known).object_id).collect();
                let views = self.stored(&dropped);
                events.extend(conclude(survey, &whole, verdict, &views).events);
            }
        }
        self.fold(&events);
        events
    }

    fn stored(&self, ids: &[Uuid]) -> Vec<SchemaObjectObserved> {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ids.iter().filter_map(|id| inner.objects.get(id)?.1.clone()).collect()
    }

    fn snapshot(&self) -> Base {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Base {
            objects: inner.objects.values().map(|(known, _)| known.clone()).collect(),
            last_complete: inner.last_complete.clone(),
            held: inner.held.clone(),
        }
    }
}

impl Inner {
    fn fold(&mut self, event: &Event) {
        match event {
            Event::DiscoveryStarted(started) => {
                self.scope = started.scope.clone();
                self.holding.clear();
                self.unreadable.clear();
            }
            Event::SchemaObjectObserved(event) => self.observed(event),
            Event::ObjectUnreadable(event) => {
                let entry = self.objects.entry(event.object.object_id);
                let (known, _) = entry.or_insert_with(|| {
                    let object = event.object.clone();
                    let new = Known {
                        object_id: object.object_id,
                        kind: object.kind,
                        catalog: object.catalog,
                        ..Known::default()
                    };
                    (Known { schema: object.schema, name: object.name, native_id: object.native_id, ..new }, None)
                });
                known.unreadable = true;
                self.unreadable.push(event.object.object_id);
            }
            Event::ObjectDropped(event) => {
                if let Some((known, _)) = self.objects.get_mut(&event.object.object_id) {
                    known.state = State::Dropped;
                    known.listed = false;
                    known.unreadable = false;
                }
            }
            Event::DeletionHeld(event) => {
                self.holding.extend(event.objects.iter().map(|object| (object.object_id, event.run_id)));
            }
            Event::SchemaSnapshotCompleted(event) if event.complete => self.completed(event),
            _ => {}
        }
    }

    fn observed(&mut self, event: &SchemaObjectObserved) {
        let object = event.object.clone();
        let listed = self.objects.get(&object.object_id).is_some_and(|(known, _)| known.listed);
        let known = Known {
            object_id: object.object_id,
            kind: object.kind,
            catalog: object.catalog,
            schema: object.schema,
            name: object.name,
            native_id: object.native_id,
            content_hash: Some(event.content_hash.clone()),
            version: event.version.clone(),
            state: State::Live,
            listed,
            unreadable: false,
        };
        self.objects.insert(object.object_id, (known, Some(event.clone())));
    }

    /// Whatever is neither dropped nor held nor filtered out was in the listing.
    fn completed(&mut self, event: &SchemaSnapshotCompleted) {
        self.held = std::mem::take(&mut self.holding);
        for (known, _) in self.objects.values_mut().filter(|(known, _)| known.state != State::Dropped) {
            let held = self.held.contains_key(&known.object_id);
            let inside = glob::in_scope(&self.scope, &known.schema, &known.name);
            known.state = if inside { State::Live } else { State::OutOfScope };
            known.listed = inside && !held;
            known.unreadable &= self.unreadable.contains(&known.object_id);
        }
        self.last_complete = Some(LastComplete {
            run_id: event.run_id,
            root_hash: event.root_hash.clone(),
            scope_hash: event.scope_hash.clone(),
            visibility_hash: event.visibility_hash.clone(),
            fingerprint: event.fingerprint.clone(),
        });
    }
}

#[async_trait]
impl LastKnown for Memory {
    async fn base(&self, _tenant: &str, _source: Uuid) -> Result<Base, Failure> {
        Ok(self.snapshot())
    }

    async fn contents(&self, _tenant: &str, _source: Uuid, ids: &[Uuid]) -> Result<Vec<SchemaObjectObserved>, Failure> {
        Ok(self.stored(ids))
    }
}
