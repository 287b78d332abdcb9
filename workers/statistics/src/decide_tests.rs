//! Tables of surveys, and what they come to.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use pursight_connectors::postgres::statistics::{DatabaseFigures, ObjectFigures};
use pursight_schemas::{Actor, Connections};

use super::*;

const RUN: Uuid = Uuid::from_u128(5);
const SOURCE: Uuid = Uuid::from_u128(7);

fn work() -> WorkItem {
    WorkItem { run_id: RUN, ..WorkItem::default() }
}

fn object(kind: ObjectKind, oid: u32, size_bytes: Option<i64>, rows: Option<i64>) -> Measured {
    let figures = ObjectFigures { kind, schema: "s".into(), name: format!("o{oid}"), oid, size_bytes, rows };
    Measured { figures, ..Measured::default() }
}

fn counted(object: Measured) -> Measured {
    Measured { size_is_exact: true, rows_are_exact: true, ..object }
}

fn site(size_bytes: Option<i64>, objects: Vec<Measured>) -> Site {
    let database = DatabaseFigures {
        name: "shop".into(),
        oid: 16_384,
        size_bytes,
        blocks_hit: 9_000,
        blocks_read: 1_000,
        reset_at: 10,
        started_at: 20,
    };
    Site { database, objects, complete: true }
}

fn survey(sites: Vec<Site>) -> Survey {
    let times = (1..=20).rev().map(Duration::from_micros).collect();
    Survey { sites, times, connections: Some(Connections { used: 3, max: 97 }) }
}

fn collected(survey: &Survey, past: &Past) -> StatisticsCollected {
    let ending = conclude(&work(), survey, past);
    match ending.events.as_slice() {
        [Event::StatisticsCollected(collected)] => (**collected).clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_first_sample_has_everything_but_the_ratio() {
    let tables = vec![
        object(ObjectKind::Table, 1, Some(100), Some(10)),
        object(ObjectKind::Table, 2, None, None),
        object(ObjectKind::View, 3, None, None),
        object(ObjectKind::MaterializedView, 4, Some(50), Some(99)),
    ];
    let collected = collected(&survey(vec![site(Some(1_000), tables)]), &Past::default());
    assert_eq!((collected.run_id, collected.size_bytes, collected.object_count), (RUN, Some(1_000), 4));
    assert_eq!((collected.row_estimate, collected.cache_hit_ratio_ppm), (Some(10), None));
    let time = collected.query_time_us.unwrap();
    assert_eq!((time.p50, time.p95, time.samples), (10, 19, 20));
    let quality: Vec<_> = collected.quality.iter().map(|(name, quality)| (name.as_str(), quality.as_str())).collect();
    assert_eq!(
        quality,
        [
            ("cache_hit_ratio_ppm", "unavailable"),
            ("connections", "exact"),
            ("object_count", "exact"),
            ("query_time_us", "exact"),
            ("row_estimate", "estimate"),
            ("size_bytes", "exact"),
        ]
    );
}

#[test]
fn the_ratio_is_of_what_moved_since_the_sample_before() {
    let first = collected(&survey(vec![site(None, Vec::new())]), &Past::default());
    let ratio = |change: fn(&mut DatabaseFigures)| {
        let mut later = site(None, Vec::new());
        change(&mut later.database);
        let past = Past { counters: first.counters.clone(), ..Past::default() };
        collected(&survey(vec![later]), &past).cache_hit_ratio_ppm
    };
    assert_eq!(ratio(|now| (now.blocks_hit, now.blocks_read) = (11_000, 2_000)), Some(666_666));
    assert_eq!(ratio(|now| (now.blocks_hit, now.blocks_read) = (9_999, 1_000)), None);
    assert_eq!(ratio(|now| (now.blocks_hit, now.blocks_read) = (10_000, 1_000)), Some(1_000_000));
    assert_eq!(ratio(|now| (now.blocks_hit, now.blocks_read) = (20_000, 999)), None);
    assert_eq!(ratio(|now| (now.blocks_hit, now.reset_at) = (20_000, 11)), None);
    assert_eq!(ratio(|now| (now.blocks_hit, now.started_at) = (20_000, 21)), None);
    assert_eq!(ratio(|now| (now.blocks_hit, now.oid) = (20_000, 16_385)), None);
}

#[test]
fn a_size_that_the_server_keeps_to_itself_is_the_sum_of_the_objects() {
    let tables = || vec![object(ObjectKind::Table, 1, Some(100), None), object(ObjectKind::Table, 2, Some(11), None)];
    let one = collected(&survey(vec![site(None, tables())]), &Past::default());
    assert_eq!((one.size_bytes, one.quality["size_bytes"].as_str()), (Some(111), "estimate"));
    let both = collected(&survey(vec![site(None, tables()), site(Some(1_000), tables())]), &Past::default());
    assert_eq!((both.size_bytes, both.quality["size_bytes"].as_str()), (Some(1_111), "estimate"));
    let none = collected(&survey(vec![site(None, Vec::new())]), &Past::default());
    assert_eq!((none.size_bytes, none.quality["size_bytes"].as_str()), (None, "unavailable"));
}

#[test]
fn rows_are_exact_only_when_every_table_was_counted() {
    let rows = |tables: Vec<Measured>| {
        let collected = collected(&survey(vec![site(None, tables)]), &Past::default());
        (collected.row_estimate, collected.quality["row_estimate"].clone())
    };
    let table = |rows| object(ObjectKind::Table, 1, None, rows);
    assert_eq!(rows(Vec::new()), (Some(0), "exact".to_owned()));
    assert_eq!(rows(vec![table(None)]), (None, "unavailable".to_owned()));
    assert_eq!(rows(vec![counted(table(Some(1))), table(Some(2))]), (Some(3), "estimate".to_owned()));
    assert_eq!(rows(vec![counted(table(Some(1))), counted(table(Some(2)))]), (Some(3), "exact".to_owned()));
}

#[test]
fn objects_have_the_ids_of_discovery_and_their_own_quality() {
    let known = Uuid::from_u128(99);
    let ids = [((ObjectKind::Table, "shop".to_owned(), "1".to_owned()), known)].into();
    let past = Past { ids, ..Past::default() };
    let site = site(
        None,
        vec![
            counted(object(ObjectKind::Table, 1, Some(1), Some(1))),
            object(ObjectKind::Table, 2, Some(1), None),
            object(ObjectKind::Table, 3, None, None),
            object(ObjectKind::View, 4, None, None),
        ],
    );
    let events = objects(&work(), SOURCE, &survey(vec![site]), &past);
    let [Event::ObjectStatisticsObserved(observed)] = events.as_slice() else { panic!("{events:?}") };
    let found: Vec<_> = observed.objects.iter().map(|object| (object.object_id, object.quality.as_str())).collect();
    let derived = |name| ids::object_id(SOURCE, ObjectKind::Table, "shop", "s", name, None);
    assert_eq!(found, [(known, "exact"), (derived("o2"), "estimate"), (derived("o3"), "unavailable")]);
}

#[test]
fn many_objects_are_several_events_that_fit_a_record() {
    let many = (0..2_500).map(|oid| object(ObjectKind::Table, oid, Some(i64::MAX), Some(i64::MAX))).collect();
    let events = objects(&work(), SOURCE, &survey(vec![site(None, many)]), &Past::default());
    assert_eq!(events.len(), 3);
    for event in events {
        assert!(event.encode().unwrap().len() < 512 * 1024);
    }
}

#[test]
fn every_end_has_one_terminal_event_and_a_dry_run_none() {
    let cancelled = Stop::Cancelled { by: Actor::default() };
    for (stop, code) in [(&Stop::Deadline, "DEADLINE_EXCEEDED"), (&cancelled, "CANCELLED")] {
        match stopped(&work(), stop).as_slice() {
            [Event::StatisticsFailed(failed)] => assert_eq!((failed.problem.code.as_str(), failed.run_id), (code, RUN)),
            other => panic!("{other:?}"),
        }
    }
    let dry = WorkItem { dry_run: true, ..work() };
    assert!(stopped(&dry, &Stop::Deadline).is_empty());
    assert_eq!(failed(&work(), no_databases()).events.len(), 1);
    assert!(failed(&dry, no_databases()).events.is_empty());
    let ending = preview(&survey(vec![site(None, Vec::new())]));
    let preview = vec!["would measure 0 objects of database shop".to_owned()];
    assert_eq!(ending.outcome, Outcome::Succeeded { result: BTreeMap::new(), preview });
    assert!(ending.events.is_empty());
}
