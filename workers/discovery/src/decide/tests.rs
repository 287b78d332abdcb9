//! Whole runs over a made-up database, one after another.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use pursight_connectors::postgres::catalog::{CatalogObject, Dependency, Listed, Listing, PageItem};
use pursight_schemas::{
    Column, Event, EventMeta, ObjectKind, Partitioning, Problem, SchemaSnapshotCompleted, ScopeFilter, WorkItem,
};
use uuid::Uuid;

use super::*;
use crate::memory::{Found, Memory};

struct World {
    memory: Memory,
    objects: Vec<CatalogObject>,
    unreadable: Vec<String>,
    work: WorkItem,
    sight: Sight,
    complete: bool,
    schemas: Vec<String>,
    runs: u128,
}

fn object(kind: ObjectKind, name: &str, native: u32) -> CatalogObject {
    let column = Column { name: "id".into(), ordinal: 1, data_type: "integer".into(), ..Column::default() };
    CatalogObject {
        kind,
        catalog: "db".into(),
        schema: "s".into(),
        name: name.into(),
        native_id: native.to_string(),
        columns: vec![column],
        ..CatalogObject::default()
    }
}

fn needs(object: &CatalogObject) -> Dependency {
    let CatalogObject { kind, catalog, schema, name, native_id, .. } = object.clone();
    Dependency { kind, catalog, schema, name, native_id }
}

impl World {
    /// Three tables, and one run that took stock of them.
    fn known() -> Self {
        let mut world = Self::new(vec![
            object(ObjectKind::Table, "a", 1),
            object(ObjectKind::Table, "b", 2),
            object(ObjectKind::Table, "c", 3),
        ]);
        world.run();
        world
    }

    fn new(objects: Vec<CatalogObject>) -> Self {
        let meta = EventMeta { tenant_id: "acme".into(), source_id: Some(Uuid::from_u128(1)), ..EventMeta::default() };
        Self {
            memory: Memory::default(),
            objects,
            unreadable: vec![],
            work: WorkItem { meta, ..WorkItem::default() },
            sight: Sight { scope_hash: "scope".into(), visibility_hash: "sight".into(), fingerprint: String::new() },
            complete: true,
            schemas: vec!["s".into()],
            runs: 0,
        }
    }

    /// A run; the fingerprint is of what is there.
    fn run(&mut self) -> Vec<String> {
        shown(&self.events())
    }

    fn events(&mut self) -> Vec<Event> {
        self.runs += 1;
        self.work.run_id = Uuid::from_u128(self.runs);
        self.sight.fingerprint = format!("{:?}", self.objects);
        let listed = |object: &CatalogObject| Listed {
            kind: object.kind,
            schema: object.schema.clone(),
            name: object.name.clone(),
            native_id: object.native_id.clone(),
            parent: None,
        };
        let item = |object: &CatalogObject| {
            let unreadable = self.unreadable.contains(&object.name);
            let problem = Problem { code: "MISSING_GRANT".into(), ..Problem::default() };
            if unreadable {
                PageItem::Unreadable(listed(object), problem)
            } else {
                PageItem::Object(Box::new(object.clone()))
            }
        };
        let listing = Listing {
            catalog: "db".into(),
            objects: self.objects.iter().map(listed).collect(),
            complete: self.complete,
        };
        // one object a page: nothing may hang on pages
        let pages = self.objects.iter().map(|object| vec![item(object)]).collect();
        self.memory.rehearse(&self.work, &self.sight, Found { listing, pages, schemas: self.schemas.clone() })
    }
}

/// Each event in a few words, without the first.
fn shown(events: &[Event]) -> Vec<String> {
    let one = |event: &Event| match event {
        Event::SchemaObjectObserved(event) => format!("observed {} {}", event.object.name, event.version),
        Event::SchemaChanged(event) => {
            let kinds: Vec<&str> = event.changes.iter().map(|change| change.kind.symbol()).collect();
            format!("changed {} {}", event.object.name, kinds.join(" "))
        }
        Event::ObjectUnreadable(event) => format!("unreadable {}", event.object.name),
        Event::ObjectDropped(event) => format!("dropped {} {:?}", event.object.name, event.entailed_by),
        Event::DeletionHeld(event) => format!("held {}", event.objects.len()),
        Event::SchemaSnapshotCompleted(event) => {
            format!("completed {}", if event.complete { "all" } else { "in part" })
        }
        other => other.full_name().to_owned(),
    };
    events[1..].iter().map(one).collect()
}

fn end(events: &[Event]) -> SchemaSnapshotCompleted {
    let Some(Event::SchemaSnapshotCompleted(end)) = events.last() else { panic!("no end: {events:?}") };
    end.as_ref().clone()
}

#[test]
fn the_first_run_takes_stock_and_the_next_says_nothing() {
    let mut world = World::new(vec![object(ObjectKind::Table, "a", 1), object(ObjectKind::Table, "b", 2)]);
    let first = world.events();
    assert_eq!(shown(&first), ["observed a 1.0.0", "observed b 1.0.0", "completed all"]);
    let second = world.events();
    assert_eq!(shown(&second), ["completed all"]);
    assert_eq!(end(&first).root_hash, end(&second).root_hash);
    assert_eq!(end(&second).counts["unchanged"], 2);
    // without the fingerprint the details are read, and still nothing is said
    world.memory.fold(&[SchemaSnapshotCompleted { fingerprint: None, ..end(&second) }.into()]);
    let third = world.events();
    assert_eq!(shown(&third), ["completed all"]);
    assert_eq!((end(&third).root_hash, end(&third).counts), (end(&first).root_hash, end(&second).counts));
}

#[test]
fn a_full_run_observes_everything_and_reports_nothing() {
    let mut world = World::known();
    world.work.full = true;
    assert_eq!(world.run(), ["observed a 1.0.0", "observed b 1.0.0", "observed c 1.0.0", "completed all"]);
}

#[test]
fn what_changed_is_observed_with_its_version_and_nothing_else() {
    let mut world = World::known();
    world.objects[1].columns[0].data_type = "bigint".into();
    assert_eq!(world.run(), ["observed b 1.1.0", "changed b COLUMN_TYPE_WIDENED", "completed all"]);
    world.objects[1].owner = Some("eve".into());
    assert_eq!(world.run(), ["observed b 2.0.0", "changed b OWNER_CHANGED", "completed all"]);
}

#[test]
fn objects_come_go_are_renamed_and_recreated() {
    let mut world = World::known();
    world.objects.push(object(ObjectKind::Table, "d", 4));
    assert_eq!(world.run(), ["observed d 1.0.0", "changed d OBJECT_ADDED", "completed all"]);
    world.objects[0].name = "z".into();
    assert_eq!(world.run(), ["observed z 2.0.0", "changed z OBJECT_RENAMED", "completed all"]);
    world.objects[1].native_id = "20".into();
    assert_eq!(world.run(), ["observed b 2.0.0", "changed b OBJECT_RECREATED", "completed all"]);
    world.objects.remove(2);
    assert_eq!(world.run(), ["changed c OBJECT_DROPPED", "dropped c []", "completed all"]);
    world.objects.push(object(ObjectKind::Table, "c", 3));
    assert_eq!(world.run(), ["observed c 1.1.0", "changed c OBJECT_ADDED", "completed all"], "the same one is back");
    world.objects.pop();
    world.run();
    world.objects.push(object(ObjectKind::Table, "c", 30));
    assert_eq!(world.run(), ["observed c 1.0.0", "changed c OBJECT_ADDED", "completed all"], "another one");
    assert_eq!(world.run(), ["completed all"]);
}

#[test]
fn a_rename_found_on_a_later_page_explains_what_an_earlier_page_showed() {
    let mut view = object(ObjectKind::View, "v", 9);
    view.definition = Some(" SELECT t.id\n   FROM s.t;".into());
    let table = object(ObjectKind::Table, "t", 10);
    view.depends_on = vec![needs(&table)];
    let mut world = World::new(vec![view, table]);
    world.run();
    world.objects[1].columns[0].name = "key".into();
    world.objects[0].definition = Some(" SELECT t.key AS id\n   FROM s.t;".into());
    assert_eq!(world.run(), ["observed t 2.0.0", "changed t COLUMN_RENAMED", "observed v 1.0.0", "completed all"]);
    world.objects[1].name = "u".into();
    world.objects[0].definition = Some(" SELECT u.key AS id\n   FROM s.u;".into());
    world.objects[0].depends_on = vec![needs(&world.objects[1])];
    assert_eq!(world.run(), ["observed v 1.0.0", "observed u 3.0.0", "changed u OBJECT_RENAMED", "completed all"]);
}

#[test]
fn a_dropped_table_takes_trigger_and_view_along() {
    let table = object(ObjectKind::Table, "t", 1);
    let mut view = object(ObjectKind::View, "v", 2);
    view.depends_on = vec![needs(&table)];
    let mut world =
        World::new(vec![table, view, object(ObjectKind::Trigger, "t.x", 3), object(ObjectKind::Table, "k", 4)]);
    world.run();
    world.objects = vec![world.objects[3].clone()];
    let wanted = [
        "changed t OBJECT_DROPPED",
        "dropped t []",
        "changed v OBJECT_DROPPED",
        "dropped v [\"s.t\"]",
        "dropped t.x [\"s.t\"]",
        "completed all",
    ];
    assert_eq!(world.run(), wanted);
}

#[test]
fn what_cannot_be_read_keeps_its_content_until_it_can_be_read_again() {
    let mut world = World::known();
    let before = end(&world.events()).root_hash;
    world.unreadable = vec!["b".into()];
    world.work.full = true;
    world.run();
    world.work.full = false;
    world.objects[0].comment = Some("x".into());
    let events = world.events();
    assert_eq!(shown(&events), ["observed a 1.0.1", "changed a COMMENT_CHANGED", "unreadable b", "completed all"]);
    assert_eq!((end(&events).unreadable, end(&events).fingerprint), (1, None));
    world.objects[0].comment = None;
    world.unreadable.clear();
    let events = world.events();
    assert_eq!(shown(&events)[2..], ["completed all"]);
    assert_eq!(end(&events).root_hash, before);
}

#[test]
fn an_incomplete_listing_drops_nothing_and_proves_nothing() {
    let mut world = World::known();
    world.objects.pop();
    world.complete = false;
    assert_eq!(world.run(), ["completed in part"]);
    world.complete = true;
    assert_eq!(world.run(), ["changed c OBJECT_DROPPED", "dropped c []", "completed all"]);
}

#[test]
fn under_another_sight_what_is_missing_is_held_until_it_is_seen_or_confirmed() {
    let mut world = World::known();
    let c = world.objects.pop().unwrap();
    world.sight.visibility_hash = "other".into();
    let events = world.events();
    assert_eq!(shown(&events), ["held 1", "completed all"]);
    assert_eq!(end(&events).counts["visibility_changed"], 1);
    assert_eq!(world.run(), ["held 1", "completed all"], "still missing, and nobody confirmed");
    world.work.confirms = Some(Uuid::from_u128(world.runs));
    assert_eq!(world.run(), ["changed c OBJECT_DROPPED", "dropped c []", "completed all"]);
    world.work.confirms = None;
    assert_eq!(world.run(), ["completed all"]);
    world.objects.push(c);
    world.run();
    world.objects.pop();
    world.sight.visibility_hash = "third".into();
    world.run();
    world.objects.push(object(ObjectKind::Table, "c", 3));
    assert_eq!(world.run(), ["completed all"], "seen again: the hold is over");
    world.objects.pop();
    assert_eq!(world.run(), ["changed c OBJECT_DROPPED", "dropped c []", "completed all"]);
}

#[test]
fn other_partitions_are_observed_and_no_change() {
    let mut world = World::known();
    let cut = |count| Partitioning { strategy: "RANGE".into(), key: "id".into(), count, bounds: vec![] };
    world.objects[0].partitions = Some(cut(1));
    world.run();
    world.objects[1].comment = Some("x".into());
    assert_eq!(world.run(), ["observed b 1.0.1", "changed b COMMENT_CHANGED", "completed all"]);
    world.objects[0].partitions = Some(cut(2));
    assert_eq!(world.run(), ["observed a 1.0.1", "completed all"]);
}

#[test]
fn many_at_once_are_held() {
    let mut world = World::new((1..=12).map(|n| object(ObjectKind::Table, &format!("t{n}"), n)).collect());
    world.run();
    world.objects.truncate(1);
    assert_eq!(world.run(), ["held 11", "completed all"]);
    assert_eq!(world.run(), ["held 11", "completed all"]);
    world.work.confirms = Some(Uuid::from_u128(world.runs));
    assert_eq!(world.run().len(), 2 * 11 + 1);
}

#[test]
fn a_narrower_scope_is_no_deletion_and_a_wider_one_no_certain_addition() {
    let mut world = World::known();
    let all = world.objects.clone();
    world.sight.scope_hash = "narrow".into();
    world.work.scope = Some(ScopeFilter { include: vec!["s.a".into()], exclude: vec![] });
    world.objects.truncate(1);
    assert_eq!(world.run(), ["completed all"]);
    assert_eq!(world.run(), ["completed all"]);
    world.sight.scope_hash = "scope".into();
    world.work.scope = None;
    world.objects = all;
    world.objects.push(object(ObjectKind::Table, "n", 9));
    let events = world.events();
    assert_eq!(
        shown(&events),
        ["observed b 1.0.0", "observed c 1.0.0", "observed n 1.0.0", "changed n OBJECT_ADDED", "completed all"]
    );
    let certainty = events.iter().find_map(|event| match event {
        Event::SchemaChanged(event) => Some(event.changes[0].certainty),
        _ => None,
    });
    assert_eq!(certainty, Some(pursight_schemas::Certainty::Suspected));
    assert_eq!(world.run(), ["completed all"]);
}

#[test]
fn the_root_is_that_of_what_is_stored() {
    let mut world = World::known();
    let stored = |world: &World| {
        crate::hash::root_hash(
            world.memory.live().into_iter().map(|event| (event.object.object_id, event.content_hash)),
        )
    };
    let changes: [fn(&mut World); 4] = [
        |world| world.objects[0].name = "z".into(),
        |world| drop(world.objects.pop()),
        |world| world.objects.push(object(ObjectKind::View, "v", 7)),
        |world| {
            world.sight.visibility_hash = "other".into();
            world.objects.pop();
        },
    ];
    for change in changes {
        change(&mut world);
        let root = end(&world.events()).root_hash;
        assert_eq!(root, stored(&world));
    }
}

#[test]
fn a_run_ends_early_only_if_nothing_is_open() {
    let base = |fingerprint: Option<&str>| Base {
        last_complete: Some(crate::base::LastComplete {
            scope_hash: "s".into(),
            visibility_hash: "v".into(),
            fingerprint: fingerprint.map(str::to_owned),
            ..Default::default()
        }),
        ..Base::default()
    };
    let sight = Sight { scope_hash: "s".into(), visibility_hash: "v".into(), fingerprint: "f".into() };
    let work = WorkItem::default();
    let ends = |work: &WorkItem, base: &Base, sight: &Sight| plan(work, base, sight) == Plan::Nothing;
    let settled = base(Some("f"));
    assert!(ends(&work, &settled, &sight));
    assert!(!ends(&work, &Base::default(), &sight));
    assert!(!ends(&work, &base(None), &sight));
    assert!(!ends(&work, &base(Some("g")), &sight));
    assert!(!ends(&WorkItem { full: true, ..work.clone() }, &settled, &sight));
    assert!(!ends(&WorkItem { dry_run: true, ..work.clone() }, &settled, &sight));
    assert!(!ends(&WorkItem { confirms: Some(Uuid::nil()), ..work.clone() }, &settled, &sight));
    assert!(!ends(&work, &settled, &Sight { scope_hash: "x".into(), ..sight.clone() }));
    assert!(!ends(&work, &settled, &Sight { visibility_hash: "x".into(), ..sight.clone() }));
    assert!(!ends(&work, &Base { held: [(Uuid::nil(), Uuid::nil())].into(), ..settled.clone() }, &sight));
    let unreadable = crate::base::Known { unreadable: true, ..Default::default() };
    assert!(!ends(&work, &Base { objects: vec![unreadable], ..settled }, &sight));
}
