//! What the registry is told, on a database of its own.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use pursight_read_model::ReadModel;
use pursight_read_model::decider::{Filter, Query};
use pursight_read_model::testing::TestDatabase;
use pursight_schemas::{DataSourceSpec, SourceType};
use uuid::Uuid;

const CREATE: &str = "io.pursight.command.CreateDataSource";

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

async fn source(model: &ReadModel, tenant: &str, number: u128, name: &str, state: &str, kind: SourceType, tag: &str) {
    let spec = DataSourceSpec { name: name.to_owned(), source_type: kind, ..DataSourceSpec::default() };
    sqlx::query(
        "INSERT INTO data_source (tenant_id, source_id, version, state, name, name_key, source_type, location,
             environment, criticality, data_classification, tags, spec, created_at, created_by, updated_at, updated_by,
             last_event_id)
         VALUES ($1, $2, 3, $3, $4, lower($4), $5, 'ON_PREM', 'TEST', 'LOW', 'PUBLIC', ARRAY[$6], $7, now(), 'ada',
             now(), 'ada', $2)",
    )
    .bind(tenant)
    .bind(id(number))
    .bind(state)
    .bind(name)
    .bind(kind.symbol())
    .bind(tag)
    .bind(serde_json::to_value(spec).unwrap())
    .execute(model.pool())
    .await
    .unwrap();
}

async fn command(model: &ReadModel, number: u128, kind: &str, state: &str, ended: bool, runs: &[Uuid]) {
    sqlx::query(
        "INSERT INTO command (tenant_id, command_id, command_type, state, payload_sha256, principal, actor_type,
             run_ids, updated_at, ended_at, outcome_partition, recorded_at)
         VALUES ('acme', $1, $2, $3, 'hash', 'ada', 'USER', $4, now(), CASE WHEN $5 THEN now() END, 0, now())",
    )
    .bind(id(number))
    .bind(kind)
    .bind(state)
    .bind(runs)
    .bind(ended)
    .execute(model.pool())
    .await
    .unwrap();
}

fn mine<T>(key: T) -> (String, T) {
    ("acme".to_owned(), key)
}

#[tokio::test]
async fn everything_is_answered_by_tenant_from_one_statement() {
    let (database, model) = TestDatabase::migrated().await;
    let empty = model.look_up(&Query::default()).await.unwrap();
    assert_eq!((empty.source_next, empty.outcome_next, empty.names.len()), (0, 0, 0));

    source(&model, "acme", 1, "Orders", "ACTIVE", SourceType::Postgresql, "eu").await;
    source(&model, "acme", 2, "Ledger", "DELETED", SourceType::Mysql, "eu").await;
    source(&model, "acme", 3, "Ledger", "PAUSED", SourceType::Mysql, "us").await;
    source(&model, "other", 1, "Orders", "ACTIVE", SourceType::Postgresql, "eu").await;
    source(&model, "other", 4, "Shop", "ACTIVE", SourceType::Postgresql, "eu").await;
    command(&model, 10, CREATE, "SUCCEEDED", true, &[id(20)]).await;
    command(&model, 11, "io.pursight.command.DiscoverSchema", "ACCEPTED", false, &[id(11)]).await;
    command(&model, 12, "io.pursight.command.TestConnection", "REJECTED", true, &[]).await;
    sqlx::query("INSERT INTO projection_position (topic, partition, next_offset, epoch) VALUES ('source', 3, 7, 1), ('outcome', 3, 9, 1), ('source', 4, 99, 1)")
        .execute(model.pool())
        .await
        .unwrap();

    let query = Query {
        partition: 3,
        names: ["orders", "shop", "free"].map(|key| mine(key.to_owned())).to_vec(),
        sources: [1, 2, 4].map(|number| mine(id(number))).to_vec(),
        commands: [10, 13].map(|number| mine(id(number))).to_vec(),
        runs: [10, 11, 12, 20, 21].map(|number| mine(id(number))).to_vec(),
        tenants: vec!["acme".into()],
        filter: None,
    };
    let found = model.look_up(&query).await.unwrap();
    assert_eq!((found.source_next, found.outcome_next), (7, 9));
    let mut names: Vec<_> = found.names.iter().map(|row| (row.name_key.as_str(), row.source_id)).collect();
    names.sort_unstable();
    // The deleted source's name is looked up unasked: restoring it would claim it.
    assert_eq!(names, [("free", None), ("ledger", Some(id(3))), ("orders", Some(id(1))), ("shop", None)]);
    let mut sources: Vec<_> =
        found.sources.iter().map(|row| (row.source_id, row.state.as_str(), row.version)).collect();
    sources.sort_unstable();
    assert_eq!(sources, [(id(1), "ACTIVE", 3), (id(2), "DELETED", 3)]);
    assert!(found.sources.iter().all(|row| row.tenant_id == "acme"));
    assert_eq!(found.sources.iter().find(|row| row.source_id == id(1)).unwrap().spec.name, "Orders");
    assert_eq!(found.commands.len(), 1);
    assert_eq!(found.commands[0].payload_sha256.as_deref(), Some("hash"));
    let mut runs: Vec<_> = found.runs.iter().map(|row| (row.run_id, row.command_id, row.rejected, row.ended)).collect();
    runs.sort_unstable();
    assert_eq!(
        runs,
        [
            (id(10), id(10), false, true),
            (id(11), id(11), false, false),
            (id(12), id(12), true, true),
            (id(20), id(10), false, false),
        ]
    );
    assert_eq!(found.live.into_iter().collect::<Vec<_>>(), [("acme".to_owned(), 2)]);
    database.remove().await;
}

#[tokio::test]
async fn a_filter_chooses_live_sources_of_its_tenant() {
    let (database, model) = TestDatabase::migrated().await;
    source(&model, "acme", 1, "Orders_EU", "ACTIVE", SourceType::Postgresql, "eu").await;
    source(&model, "acme", 2, "OrdersXEU", "PAUSED", SourceType::Mysql, "us").await;
    source(&model, "acme", 3, "Gone", "DELETED", SourceType::Postgresql, "eu").await;
    source(&model, "other", 4, "Orders", "ACTIVE", SourceType::Postgresql, "eu").await;
    let all = Filter { tenant: "acme".into(), limit: 10, ..Filter::default() };
    for (filter, expected) in [
        (all.clone(), vec![id(1), id(2)]),
        (Filter { limit: 1, ..all.clone() }, vec![id(1)]),
        (Filter { types: vec!["MYSQL".into()], ..all.clone() }, vec![id(2)]),
        (Filter { environments: vec!["PRODUCTION".into()], ..all.clone() }, vec![]),
        (Filter { tags: vec!["eu".into(), "no".into()], ..all.clone() }, vec![id(1)]),
        (Filter { name_like: Some("orders\\_%".into()), ..all.clone() }, vec![id(1)]),
        (Filter { name_like: Some("orders_eu".into()), ..all }, vec![id(1), id(2)]),
    ] {
        let query = Query { filter: Some(filter.clone()), ..Query::default() };
        let mut found: Vec<Uuid> =
            model.look_up(&query).await.unwrap().sources.iter().map(|row| row.source_id).collect();
        found.sort_unstable();
        assert_eq!(found, expected, "{filter:?}");
    }
    database.remove().await;
}
