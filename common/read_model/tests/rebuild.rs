//! What the schema of a rebuild does without until all is folded into it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use pursight_read_model::ReadModel;
use pursight_read_model::rebuild::Beside;
use pursight_read_model::testing::TestDatabase;

/// Definitions of all indexes and of the constraints that stand on them, by name, without the schema's own name.
async fn indexes(model: &ReadModel) -> BTreeMap<String, (String, Option<String>)> {
    let found: Vec<(String, String, Option<String>)> = sqlx::query_as(
        "SELECT x.relname::TEXT, replace(pg_get_indexdef(x.oid), ' ON ' || n.nspname || '.', ' ON '), pg_get_constraintdef(k.oid)
        FROM pg_index i
        JOIN pg_class x ON x.oid = i.indexrelid
        JOIN pg_namespace n ON n.oid = x.relnamespace
        LEFT JOIN pg_constraint k ON k.conrelid = i.indrelid AND k.conindid = x.oid AND k.contype <> 'f'
        WHERE n.nspname = $1",
    )
    .bind(model.schema())
    .fetch_all(model.pool())
    .await
    .unwrap();
    found.into_iter().map(|(name, index, constraint)| (name, (index, constraint))).collect()
}

#[tokio::test]
async fn what_the_fold_never_looks_into_is_made_at_the_end() {
    let (database, model) = TestDatabase::migrated().await;
    let mut beside = Beside::make(&model).await.unwrap().unwrap();
    let all = indexes(&model).await;
    let there = indexes(&beside.model).await;
    let missing: Vec<&str> = all.keys().filter(|name| !there.contains_key(*name)).map(String::as_str).collect();
    let wanted = [
        "audit_by_command",
        "audit_by_time",
        "audit_pkey",
        "command_by_follow_up_run",
        "command_by_source",
        "command_by_time",
        "connection_test_by_source",
        "data_source_by_display",
        "data_source_by_name",
        "data_source_change_pkey",
        "data_source_name_is_taken_once",
        "run_by_source",
        "schema_change_by_object",
        "schema_change_by_run",
        "schema_change_by_time",
        "work_item_by_source",
    ];
    assert_eq!(missing, wanted);
    beside.index().await.unwrap();
    assert_eq!(indexes(&beside.model).await, all);
    beside.clean_up(true).await.unwrap();
    database.remove().await;
}
