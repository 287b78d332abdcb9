//! What readers and runners are answered.

use pursight_read_model::ReadModel;
use pursight_read_model::reader::{ObjectFilter, SourceFilter};
use pursight_read_model::testing::TestDatabase;
use pursight_schemas::*;
use serde_json::json;
use uuid::Uuid;

use crate::log::{Log, TENANT, at, completed, created, meta, object, observed, one_of_everything, started};

#[tokio::test]
async fn a_tenant_is_answered_from_its_own_rows_and_another_gets_nothing() {
    let (database, model) = TestDatabase::migrated().await;
    one_of_everything().fold(&model, 100).await;
    let source = Uuid::from_u128(1);
    let all = SourceFilter { limit: 10, ..SourceFilter::default() };
    let objects = ObjectFilter { search: Some("ORD".into()), limit: 10, ..ObjectFilter::default() };
    for (name, wanted) in [(TENANT, 1), ("globex", 0)] {
        let tenant = model.tenant(name).unwrap();
        let starred = SourceFilter { favorite_of: Some("ann".into()), tag: Some("b,c".into()), ..all.clone() };
        let counts = [
            tenant.sources(&all).await.unwrap().len(),
            tenant.sources(&starred).await.unwrap().len(),
            tenant.source("orders").await.unwrap().into_iter().count(),
            tenant.source(&source.to_string()).await.unwrap().into_iter().count(),
            tenant.spec(source).await.unwrap().into_iter().count(),
            tenant.favorites("ann").await.unwrap().len(),
            tenant.run(Uuid::from_u128(0xD1)).await.unwrap().into_iter().count(),
            tenant.runs(Some(source), Some("TEST"), 10).await.unwrap().len(),
            tenant.connection_test(Uuid::from_u128(0xE1)).await.unwrap().into_iter().count(),
            tenant.connection_tests(source, 10).await.unwrap().len(),
            tenant.statistics(source).await.unwrap().into_iter().count(),
            tenant.samples(source, 10).await.unwrap().len(),
            tenant.largest(source, 10).await.unwrap().len(),
            tenant.objects(source, &objects).await.unwrap().len(),
            tenant.object(source, "public.orders").await.unwrap().into_iter().count(),
            tenant.changes(source, None, 10).await.unwrap().len(),
            tenant.command(Uuid::from_u128(0xC1)).await.unwrap().into_iter().count(),
            tenant.commands(Some("SUCCEEDED"), None, 10).await.unwrap().len(),
            tenant.audit(None, 10).await.unwrap().len(),
            tenant.dead_letters(10).await.unwrap().len(),
        ];
        assert_eq!(counts, [wanted; 20], "{name}");
    }
    let tenant = model.tenant(TENANT).unwrap();
    assert!(tenant.history(source, 100).await.unwrap().len() > 10);
    let one = tenant.object(source, "public.orders").await.unwrap().unwrap();
    assert_eq!(one["columns"][0]["name"], json!("id"));
    assert_eq!(one["statistics"]["row_count"], json!(3));
    assert_eq!(
        (model.dead_letters(10).await.unwrap().len(), model.audit_row(0, 0).await.unwrap().is_some()),
        (1, true)
    );
    assert!(model.tenant("a'; DROP TABLE run; --").is_err());
    database.remove().await;
}

#[tokio::test]
async fn pages_hold_each_source_once_and_deleted_ones_are_asked_for() {
    let (database, model) = TestDatabase::migrated().await;
    let mut log = Log::new();
    for source in 1..=7 {
        log.source(created(source, 1, &format!("Source {}", source % 4 + 10 * source)));
    }
    log.source(DataSourceDeleted { meta: meta(3, 2, 5), mode: DeleteMode::Soft });
    log.fold(&model, 100).await;
    let tenant = model.tenant(TENANT).unwrap();
    let mut filter = SourceFilter { limit: 2, ..SourceFilter::default() };
    let mut seen = Vec::new();
    loop {
        let page = tenant.sources(&filter).await.unwrap();
        let Some(last) = page.last() else { break };
        let id = Uuid::parse_str(last["source_id"].as_str().unwrap()).unwrap();
        filter.after = Some((last["name"].as_str().unwrap().to_owned(), id));
        seen.extend(page.iter().map(|row| row["name"].as_str().unwrap().to_owned()));
    }
    let mut sorted = seen.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!((seen.len(), &sorted), (6, &seen));
    let deleted = SourceFilter { state: Some("DELETED".into()), limit: 9, ..SourceFilter::default() };
    assert_eq!(tenant.sources(&deleted).await.unwrap().len(), 1);
    database.remove().await;
}

#[tokio::test]
async fn a_discovery_reads_back_what_the_one_before_it_wrote() {
    let (database, model) = TestDatabase::migrated().await;
    let source = Uuid::from_u128(1);
    let mut log = Log::new();
    let mut told = observed(1, 0xD1, 1, "orders");
    told.owner = Some("team".into());
    told.constraints[0].references =
        Some(ConstraintTarget { object: "public.a".into(), columns: vec!["x".into(), "y".into()] });
    told.columns[0].default = Some("nextval('s'::regclass)".into());
    told.partitions =
        Some(Partitioning { strategy: "RANGE".into(), key: "at".into(), count: 2, bounds: vec!["…".into()] });
    told.depends_on = vec![object(1, "b")];
    told.truncated = vec!["definition".into()];
    log.run(Topic::Schema, started(1, 0xD1, 20));
    log.run(Topic::Schema, told.clone());
    log.fold(&model, 100).await;
    let base = model.discovery_base(TENANT, source).await.unwrap();
    assert_eq!((base.last_complete, base.objects[0].listed), (None, false), "the run has not ended");
    log.run(Topic::Schema, completed(1, 0xD1, 2, 30));
    log.run(Topic::Schema, started(1, 0xD2, 40));
    log.run(Topic::Schema, observed(1, 0xD2, 1, "new"));
    log.run(
        Topic::Schema,
        DeletionHeld {
            meta: meta(1, 2, 41),
            run_id: Uuid::from_u128(0xD2),
            objects: vec![object(1, "orders")],
            ..DeletionHeld::default()
        },
    );
    log.fold(&model, 100).await;
    let base = model.discovery_base(TENANT, source).await.unwrap();
    assert_eq!(base.last_complete.unwrap().run_id, Uuid::from_u128(0xD1));
    let known = |name: &str| base.objects.iter().find(|known| known.object.name == name).unwrap();
    assert!(known("orders").listed && known("orders").live && !known("new").listed);
    assert_eq!(
        (known("orders").held_by_run, known("orders").version.as_deref()),
        (Some(Uuid::from_u128(0xD2)), Some("1.0.0"))
    );
    let contents = model.discovery_contents(TENANT, source, &[told.object.object_id, Uuid::nil()]).await.unwrap();
    let wanted = SchemaObjectObserved { meta: EventMeta::default(), run_id: Uuid::nil(), ..told };
    assert_eq!(contents, [wanted]);
    log.run(Topic::Schema, completed(1, 0xD2, 3, 50));
    log.fold(&model, 100).await;
    let base = model.discovery_base(TENANT, source).await.unwrap();
    let listed: Vec<_> = base.objects.iter().map(|known| (known.object.name.as_str(), known.listed)).collect();
    assert!(listed.contains(&("new", true)) && listed.contains(&("orders", false)), "{listed:?}");
    assert!(model.discovery_base("globex", source).await.unwrap().objects.is_empty());
    database.remove().await;
}

#[tokio::test]
async fn a_measurement_reads_back_the_counters_of_the_one_before_it() {
    let (database, model) = TestDatabase::migrated().await;
    one_of_everything().fold(&model, 100).await;
    let sample = model.previous_sample(TENANT, Uuid::from_u128(1)).await.unwrap().unwrap();
    assert_eq!((sample.run_id, sample.collected_at, sample.counters["blks_hit"]), (Uuid::from_u128(0xF1), at(31), 5));
    assert_eq!(model.previous_sample(TENANT, Uuid::from_u128(2)).await.unwrap(), None);
    database.remove().await;
}

#[tokio::test]
async fn behind_a_pooler_nothing_depends_on_the_session() {
    let (database, direct) = TestDatabase::migrated().await;
    let mut options = database.options();
    options.pgbouncer = true;
    let model = ReadModel::connect(&options).await.unwrap();
    one_of_everything().fold(&model, 3).await;
    model.check_migrations().await.unwrap();
    assert!(model.tenant(TENANT).unwrap().source("orders").await.unwrap().is_some());
    let path: String = sqlx::query_scalar("SHOW search_path").fetch_one(model.pool()).await.unwrap();
    assert!(!path.contains("pursight"), "nothing is set for the session");
    direct.close().await;
    database.remove().await;
}
