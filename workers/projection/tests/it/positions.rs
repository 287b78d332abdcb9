//! Positions: repeats, gaps, two projections, owners.

use pursight_engine::{Claim, Failure, Handler};
use pursight_projection::{LogIdentity, Projection};
use pursight_read_model::testing::TestDatabase;
use pursight_schemas::*;
use uuid::Uuid;

use crate::log::{Log, OWNER, at, created, fold_topic, meta, observed, started};

#[tokio::test]
async fn folding_again_changes_nothing_and_waiting_ends_when_the_record_is_folded() {
    let (database, model) = TestDatabase::migrated().await;
    let mut log = Log::new();
    log.source(created(1, 1, "One"));
    let last = log.records[&Topic::Source].last().unwrap().offset;
    assert!(!model.has_passed(&[(Topic::Source, 0, last)]).await.unwrap());
    let waiting = tokio::spawn({
        let model = model.clone();
        async move { model.wait_past(&[(Topic::Source, 0, last)]).await }
    });
    log.fold(&model, 1).await;
    waiting.await.unwrap().unwrap();
    assert!(!model.has_passed(&[(Topic::Source, 0, last), (Topic::Source, 1, 0)]).await.unwrap());
    log.fold(&model, 10).await;
    // The same event once more at a new offset is a repeat, too.
    log.source(created(1, 1, "One"));
    let projection = Projection::new(model.clone(), LogIdentity::default());
    let words = fold_topic(&projection, Topic::Source, &log.records[&Topic::Source], 10).await.unwrap();
    assert_eq!(words, ["repeated"]);
    database.remove().await;
}

#[tokio::test]
async fn a_missing_event_halts_its_partition_and_is_named() {
    let (database, model) = TestDatabase::migrated().await;
    let mut log = Log::new();
    log.source(created(1, 1, "One"));
    log.source(DataSourcePaused { meta: meta(1, 3, 5) });
    log.run(Topic::Schema, started(1, 0xD, 1));
    log.run(Topic::Schema, observed(1, 0xD, 2, "orders"));
    let projection = Projection::new(model.clone(), LogIdentity::default());
    for (topic, wanted) in
        [(Topic::Source, "sequence 3 after 1 at source/0@"), (Topic::Schema, "sequence 2 after 0 at schema/0@")]
    {
        let failed = fold_topic(&projection, topic, &log.records[&topic], 10).await.unwrap_err();
        assert!(matches!(&failed, Failure::Fatal { what, .. } if what.contains(wanted)), "{failed}");
        assert_eq!(positions(&model, topic).await, Some(0), "nothing of the batch is kept");
    }
    database.remove().await;
}

async fn positions(model: &pursight_read_model::ReadModel, topic: Topic) -> Option<i64> {
    let positions = model.positions().await.unwrap();
    positions.into_iter().find(|position| position.topic == topic.short()).map(|position| position.next_offset)
}

#[tokio::test]
async fn of_two_projections_on_one_partition_the_newer_wins_and_nothing_is_doubled() {
    let (database, model) = TestDatabase::migrated().await;
    let mut log = Log::new();
    log.source(created(1, 1, "One"));
    log.source(DataSourcePaused { meta: meta(1, 2, 5) });
    let records = &log.records[&Topic::Source];
    let (old, new) = (
        Projection::new(model.clone(), LogIdentity::default()),
        Projection::new(model.clone(), LogIdentity::default()),
    );
    let claim = Claim::detached(Topic::Source, 0);
    old.take_over(&claim).await.unwrap();
    old.handle(&records[..1], &claim).await.unwrap();
    new.take_over(&claim).await.unwrap();
    assert!(matches!(old.handle(&records[1..2], &claim).await, Err(Failure::Lost)));
    new.handle(&records[1..], &claim).await.unwrap();
    assert!(matches!(old.handle(&records[1..2], &claim).await, Err(Failure::Lost)));
    let versions: Vec<i64> =
        sqlx::query_scalar("SELECT version FROM data_source").fetch_all(model.pool()).await.unwrap();
    assert_eq!(versions, [2]);
    database.remove().await;
}

#[tokio::test]
async fn a_position_that_went_back_is_noticed_without_a_new_record_and_folded_again() {
    let (database, model) = TestDatabase::migrated().await;
    let mut log = Log::new();
    log.source(created(1, 1, "One"));
    log.source(DataSourcePaused { meta: meta(1, 2, 5) });
    let records = &log.records[&Topic::Source];
    let projection = Projection::new(model.clone(), LogIdentity::default());
    let claim = Claim::detached(Topic::Source, 0);
    projection.take_over(&claim).await.unwrap();
    projection.handle(&records[..2], &claim).await.unwrap();
    assert_eq!(projection.astray().await, []);
    // As it was before the first record was folded: rows and position go back together.
    for statement in
        ["UPDATE projection_position SET next_offset = 0", "DELETE FROM data_source", "DELETE FROM data_source_change"]
    {
        sqlx::query(statement).execute(model.pool()).await.unwrap();
    }
    assert_eq!(projection.astray().await, [(Topic::Source, 0)]);
    assert!(matches!(projection.handle(&records[2..], &claim).await, Err(Failure::Lost)));
    assert_eq!(projection.take_over(&claim).await.unwrap(), Some(0));
    projection.handle(records, &claim).await.unwrap();
    assert_eq!(projection.astray().await, []);
    assert_eq!(positions(&model, Topic::Source).await, Some(records.last().unwrap().offset + 1));
    database.remove().await;
}

#[tokio::test]
async fn events_of_an_older_owner_or_of_nobody_are_not_folded() {
    let (database, model) = TestDatabase::migrated().await;
    let mut log = Log::new();
    log.source(created(1, 1, "One"));
    let newer = Uuid::from_u128(0xBEE);
    let marker =
        OwnershipTaken { meta: EventMeta { event_id: newer, ..EventMeta::default() }, worker: "registry".into() };
    log.put(Topic::Source, marker.into(), Some(newer));
    log.put(Topic::Source, DataSourcePaused { meta: meta(1, 2, 5) }.into(), Some(OWNER));
    log.put(Topic::Source, DataSourcePaused { meta: meta(1, 2, 6) }.into(), None);
    log.put(Topic::Source, DataSourceDeleted { meta: meta(1, 2, 7), mode: DeleteMode::Soft }.into(), Some(newer));
    let projection = Projection::new(model.clone(), LogIdentity::default());
    let words = fold_topic(&projection, Topic::Source, &log.records[&Topic::Source], 10).await.unwrap();
    assert_eq!(words, ["noted", "folded", "noted", "ignored_foreign", "ignored_foreign", "folded"]);
    let state: String = sqlx::query_scalar("SELECT state FROM data_source").fetch_one(model.pool()).await.unwrap();
    assert_eq!(state, "DELETED");
    database.remove().await;
}

#[tokio::test]
async fn a_position_of_another_cluster_and_an_unreadable_event_halt_with_the_remedy() {
    let (database, model) = TestDatabase::migrated().await;
    let identity = |cluster: &str| LogIdentity { cluster_id: Some(cluster.into()), ..LogIdentity::default() };
    let claim = Claim::detached(Topic::Source, 0);
    let ours = Projection::new(model.clone(), identity("one"));
    ours.take_over(&claim).await.unwrap();
    let foreign = Projection::new(model.clone(), identity("two")).take_over(&claim).await.unwrap_err();
    assert!(matches!(&foreign, Failure::Fatal { remedy, .. } if remedy.contains("pursight rebuild")), "{foreign}");
    let mut log = Log::new();
    let mut record = log.records.remove(&Topic::Source).unwrap().remove(0);
    record.value = vec![0, 0, 0, 0, 1, 9];
    record.timestamp = at(1);
    let unreadable = ours.handle(&[record], &claim).await.unwrap_err();
    assert!(matches!(&unreadable, Failure::Fatal { what, .. } if what.contains("source/0@0")), "{unreadable}");
    database.remove().await;
}
