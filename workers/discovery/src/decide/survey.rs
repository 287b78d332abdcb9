//! A run under way, page by page: which contents are news, and the events that say so.
//! Holds ids and hashes of everything, contents only of the page at hand and of the few changes that a later rename may
//! still explain. Pure.

use std::collections::HashMap;

use pursight_connectors::postgres::catalog::{CatalogObject, Dependency, Listed, PageItem};
use pursight_schemas::{
    Certainty, Change, ChangeKind, Event, ObjectKind, ObjectRef, ObjectUnreadable, SchemaChanged, SchemaObjectObserved,
    WorkItem, ids,
};
use uuid::Uuid;

use super::Sight;
use super::counts::Counts;
use crate::base::{Base, Known, State};
use crate::content::Content;
use crate::diff::path::qualified;
use crate::diff::{change, column_renames, diff};
use crate::echo::{Renamed, Renames, is_enumeration, may_be_echo, reported};
use crate::hash::content_hash;
use crate::identity::{Entry, Matching, Standing};
use crate::versions;

/// Changes that wait for the renames of later pages, at most.
const MAX_WAITING: usize = 512;
/// Bytes of changes in one event; the rest goes into further ones.
const MAX_CHANGES: usize = 400 * 1024;

type Number = (usize, ObjectKind, Box<str>);

/// A run under way.
pub struct Survey {
    pub(super) source: Uuid,
    pub(super) run_id: Uuid,
    pub(super) base: Base,
    pub(super) matching: Matching,
    /// By entry: hash of what was read.
    pub(super) hashes: Vec<Option<String>>,
    pub(super) counts: Counts,
    full: bool,
    /// Another filter than last time: what is new to us may have been there before.
    widened: bool,
    /// By entry: it was read, or tried.
    seen: Vec<bool>,
    done: i64,
    numbers: HashMap<Number, usize>,
    elsewhere: HashMap<Number, Uuid>,
    renames: Vec<Renames>,
    waiting: Vec<Compared>,
}

/// An object whose content is to be observed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fresh {
    entry: usize,
    content: Content,
    hash: String,
    /// The content is as it was; only its partitions, which are no content, may be others.
    settled: bool,
}

struct Compared {
    fresh: Fresh,
    former: Content,
    changes: Vec<Change>,
}

impl Survey {
    /// A run that found these objects.
    pub fn new(source: Uuid, work: &WorkItem, base: Base, matching: Matching, sight: &Sight) -> Self {
        let number = |catalog, kind, native: &str| (catalog, kind, Box::from(native));
        let mut renames = vec![Renames::default(); matching.catalogs.len()];
        let mut numbers = HashMap::with_capacity(matching.entries.len());
        let mut counts = Counts::default();
        for (at, entry) in matching.entries.iter().enumerate() {
            numbers.insert(number(entry.catalog, entry.listed.kind, &entry.listed.native_id), at);
            counts.listed(entry.listed.kind);
            if let (Standing::Renamed, Some(known)) = (entry.standing, entry.known) {
                renames[entry.catalog].object(&renamed(&base.objects[known], &entry.listed.schema, &entry.listed.name));
            }
        }
        let mut elsewhere = HashMap::new();
        for known in matching.missing.iter().map(|at| &base.objects[*at]) {
            let catalog = matching.catalogs.iter().position(|catalog| *catalog == known.catalog);
            if let (Some(catalog), Some(native)) = (catalog, &known.native_id) {
                elsewhere.insert(number(catalog, known.kind, native), known.object_id);
            }
        }
        let hashes = vec![None; matching.entries.len()];
        Self {
            source,
            run_id: work.run_id,
            full: work.full,
            widened: base.last_complete.as_ref().is_some_and(|last| last.scope_hash != sight.scope_hash),
            seen: vec![false; matching.entries.len()],
            done: 0,
            base,
            matching,
            hashes,
            counts,
            numbers,
            elsewhere,
            renames,
            waiting: Vec::new(),
        }
    }

    /// What is listed in one database and was not read yet.
    pub fn unread(&self, catalog: usize) -> Vec<Listed> {
        let entries = self.matching.entries.iter().zip(&self.seen);
        let unread = entries.filter(|(entry, seen)| entry.catalog == catalog && !**seen);
        unread.map(|(entry, _)| entry.listed.clone()).collect()
    }

    /// Objects read, and all of them.
    pub fn progress(&self) -> (i64, i64) {
        (self.done, self.counts.listed)
    }

    /// Something that was known is not listed.
    pub fn is_missing_any(&self) -> bool {
        !self.matching.missing.is_empty()
    }

    /// What was known at a position.
    pub fn known_object(&self, at: usize) -> &Known {
        &self.base.objects[at]
    }

    /// Sorts a page: what is to be observed, and events for what could not be read.
    pub fn page(&mut self, catalog: usize, items: Vec<PageItem>) -> (Vec<Fresh>, Vec<Event>) {
        let (mut fresh, mut events) = (Vec::new(), Vec::new());
        for item in items {
            match item {
                PageItem::Object(object) => fresh.extend(self.read(catalog, *object)),
                PageItem::Vanished(listed) => {
                    self.counts.vanished += 1;
                    self.tick(catalog, &listed);
                }
                PageItem::Unreadable(listed, problem) => {
                    self.counts.unreadable += 1;
                    let Some(at) = self.tick(catalog, &listed) else { continue };
                    let object = self.listed(&self.matching.entries[at]);
                    let run_id = self.run_id;
                    events.push(ObjectUnreadable { run_id, object, problem, ..ObjectUnreadable::default() }.into());
                }
            }
        }
        (fresh, events)
    }

    /// Ids of objects whose last contents are needed to compare these.
    pub fn former_ids(&self, fresh: &[Fresh]) -> Vec<Uuid> {
        let stored = |known: &Known| known.state != State::Dropped && known.content_hash.is_some();
        let known = |fresh: &&Fresh| self.known(fresh.entry).is_some_and(stored);
        fresh.iter().filter(known).map(|fresh| self.matching.entries[fresh.entry].object_id).collect()
    }

    /// Events of what is to be observed, given the last contents of those that had one.
    pub fn observe(&mut self, fresh: Vec<Fresh>, former: Vec<SchemaObjectObserved>) -> Vec<Event> {
        let mut former: HashMap<Uuid, Content> =
            former.into_iter().map(|event| (event.object.object_id, Content::observed(event))).collect();
        let mut compared = Vec::new();
        let mut events = Vec::new();
        for fresh in fresh {
            match former.remove(&self.matching.entries[fresh.entry].object_id) {
                former if fresh.settled && former.as_ref().is_none_or(|f| f.partitions == fresh.content.partitions) => {
                    self.counts.unchanged += 1;
                }
                None => events.extend(self.added(fresh)),
                Some(former) => {
                    let changes = diff(&former, &fresh.content);
                    self.note_renames(&fresh, &former, &changes);
                    compared.push(Compared { fresh, former, changes });
                }
            }
        }
        for compared in compared {
            events.extend(self.changed(compared, true));
        }
        events
    }

    /// Events of what waited for all renames to be known.
    pub fn rest(&mut self) -> Vec<Event> {
        let waiting = std::mem::take(&mut self.waiting);
        let mut events = Vec::new();
        for compared in waiting {
            events.extend(self.changed(compared, false));
        }
        events
    }

    /// What was known of an entry while it was not dropped.
    pub(super) fn known(&self, entry: usize) -> Option<&Known> {
        let entry = &self.matching.entries[entry];
        entry.known.map(|at| &self.base.objects[at])
    }

    fn entry(&self, catalog: usize, kind: ObjectKind, native: &str) -> Option<usize> {
        self.numbers.get(&(catalog, kind, Box::from(native))).copied()
    }

    fn tick(&mut self, catalog: usize, listed: &Listed) -> Option<usize> {
        let entry = self.entry(catalog, listed.kind, &listed.native_id)?;
        self.done += i64::from(!std::mem::replace(&mut self.seen[entry], true));
        Some(entry)
    }

    fn read(&mut self, catalog: usize, object: CatalogObject) -> Option<Fresh> {
        // what came after the listing is found by the next run
        let entry = self.entry(catalog, object.kind, &object.native_id)?;
        self.done += i64::from(!std::mem::replace(&mut self.seen[entry], true));
        let content = self.content(catalog, object);
        let hash = content_hash(&content);
        self.hashes[entry] = Some(hash.clone());
        let same = self.matching.entries[entry].standing == Standing::Same;
        let settled = self.known(entry).is_some_and(|known| {
            let stored = known.state == State::Live && known.native_id.is_some();
            stored && known.content_hash.as_deref() == Some(hash.as_str())
        });
        let settled = same && settled && !self.full;
        if settled && content.partitions.is_none() {
            self.counts.unchanged += 1;
            return None;
        }
        Some(Fresh { entry, content, hash, settled })
    }

    fn content(&self, catalog: usize, object: CatalogObject) -> Content {
        let depends_on = object.depends_on.into_iter().map(|needed| self.needed(catalog, needed)).collect();
        Content {
            kind: object.kind,
            catalog: object.catalog,
            schema: object.schema,
            name: object.name,
            native_id: Some(object.native_id).filter(|native| !native.is_empty()),
            owner: object.owner,
            comment: object.comment,
            columns: object.columns,
            constraints: object.constraints,
            indexes: object.indexes,
            partitions: object.partitions,
            definition: object.definition,
            depends_on,
            truncated: object.truncated,
        }
    }

    /// A dependency under the id that its object has, or would have.
    fn needed(&self, catalog: usize, needed: Dependency) -> ObjectRef {
        let Dependency { kind, catalog: database, schema, name, native_id } = needed;
        let key: Number = (catalog, kind, Box::from(native_id.as_str()));
        let listed = self.numbers.get(&key).map(|at| self.matching.entries[*at].object_id);
        let object_id = listed
            .or_else(|| self.elsewhere.get(&key).copied())
            .unwrap_or_else(|| ids::object_id(self.source, kind, &database, &schema, &name, None));
        ObjectRef { catalog: database, schema, name, kind, object_id, native_id: Some(native_id) }
    }

    fn listed(&self, entry: &Entry) -> ObjectRef {
        ObjectRef {
            catalog: self.matching.catalogs[entry.catalog].clone(),
            schema: entry.listed.schema.clone(),
            name: entry.listed.name.clone(),
            kind: entry.listed.kind,
            object_id: entry.object_id,
            native_id: Some(entry.listed.native_id.clone()),
        }
    }

    fn note_renames(&mut self, fresh: &Fresh, former: &Content, changes: &[Change]) {
        let entry = &self.matching.entries[fresh.entry];
        let renames = &mut self.renames[entry.catalog];
        let content = &fresh.content;
        renames.columns(&content.schema, &content.name, &column_renames(changes));
        if let (true, Some(before), Some(after)) = (is_enumeration(content), &former.definition, &content.definition) {
            renames.labels(before, after);
        }
        // renamed between the listing and the page
        let moved = (&former.schema, &former.name) != (&content.schema, &content.name);
        if moved && entry.standing != Standing::Renamed {
            renames.object(&Renamed {
                kind: former.kind,
                before: (former.schema.clone(), former.name.clone()),
                after: (content.schema.clone(), content.name.clone()),
            });
        }
    }

    /// An object without a former content. The first complete listing is an inventory, not a list of changes.
    fn added(&mut self, fresh: Fresh) -> Vec<Event> {
        let added = self.addition(&fresh.content);
        let known = self.known(fresh.entry).filter(|known| !known.version.is_empty());
        let version = match known {
            Some(known) => versions::raised(&known.version, std::slice::from_ref(&added)),
            None => versions::FIRST.to_owned(),
        };
        self.counts.added += 1;
        let news = if self.base.last_complete.is_some() { vec![added] } else { Vec::new() };
        self.events(fresh, None, version, news)
    }

    /// That it is there: certain, unless the filter let less through last time.
    fn addition(&self, content: &Content) -> Change {
        let name = qualified(&content.schema, &content.name);
        let certainty = if self.widened { Certainty::Suspected } else { Certainty::Certain };
        Change { certainty, ..change(ChangeKind::ObjectAdded, String::new(), None, Some(name)) }
    }

    fn changed(&mut self, compared: Compared, may_wait: bool) -> Vec<Event> {
        let Compared { fresh, former, changes } = compared;
        let catalog = self.matching.entries[fresh.entry].catalog;
        let news = reported(changes.clone(), &former, &fresh.content, &self.renames[catalog]);
        if may_wait && may_be_echo(&news) && self.waiting.len() < MAX_WAITING {
            self.waiting.push(Compared { fresh, former, changes });
            return Vec::new();
        }
        let known = self.known(fresh.entry).cloned().unwrap_or_default();
        self.counts.news(&news);
        let version = if known.version.is_empty() { versions::FIRST } else { &known.version };
        let version = versions::raised(version, &news);
        self.events(fresh, known.content_hash, version, news)
    }

    fn events(&mut self, fresh: Fresh, from: Option<String>, version: String, news: Vec<Change>) -> Vec<Event> {
        let Fresh { entry, content, hash, settled: _ } = fresh;
        let (run_id, object_id) = (self.run_id, self.matching.entries[entry].object_id);
        let object = content.object(object_id);
        self.counts.observed += 1;
        let mut events: Vec<Event> = vec![content.into_event(run_id, object_id, hash.clone(), version).into()];
        for changes in in_parts(news) {
            let (object, from_hash, to_hash) = (object.clone(), from.clone(), Some(hash.clone()));
            events
                .push(SchemaChanged { run_id, object, from_hash, to_hash, changes, ..SchemaChanged::default() }.into());
        }
        events
    }
}

fn renamed(known: &Known, schema: &str, name: &str) -> Renamed {
    Renamed {
        kind: known.kind,
        before: (known.schema.clone(), known.name.clone()),
        after: (schema.to_owned(), name.to_owned()),
    }
}

/// Changes in lists that fit an event.
fn in_parts(changes: Vec<Change>) -> Vec<Vec<Change>> {
    let mut parts: Vec<Vec<Change>> = Vec::new();
    let mut bytes = 0;
    for change in changes {
        let text = |value: &Option<String>| value.as_ref().map_or(0, String::len);
        let size = change.path.len() + text(&change.before) + text(&change.after) + 16;
        bytes += size;
        match parts.last_mut().filter(|_| bytes <= MAX_CHANGES) {
            Some(part) => part.push(change),
            None => {
                bytes = size;
                parts.push(vec![change]);
            }
        }
    }
    parts
}
