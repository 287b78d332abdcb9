//! What the schema of a rebuild does without until all is folded into it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use pursight_read_model::ReadModel;
use pursight_read_model::rebuild::Beside;
use pursight_read_model::testing::TestDatabase;

/// Names of all indexes, those behind keys among them.
async fn indexes(model: &ReadModel) -> BTreeSet<String> {
    let names: Vec<String> = sqlx::query_scalar("SELECT indexname::TEXT FROM pg_indexes WHERE schemaname = $1")
        .bind(model.schema())
        .fetch_all(model.pool())
        .await
        .unwrap();
    names.into_iter().collect()
}

#[tokio::test]
async fn what_the_fold_never_looks_into_is_made_at_the_end() {
    let (database, model) = TestDatabase::migrated().await;
    let mut beside = Beside::make(&model).await.unwrap().unwrap();
    let all = indexes(&model).await;
    let there = indexes(&beside.model).await;
    let missing: Vec<&str> = all.difference(&there).map(String::as_str).collect();
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
