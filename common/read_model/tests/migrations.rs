//! Migrations, roles and the check, on a database each.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use pursight_read_model::testing::TestDatabase;
use pursight_read_model::{ReadModel, ReadModelError};
use sqlx::{Connection, PgConnection};

#[tokio::test]
async fn migrating_twice_gives_the_same_schema_and_the_check_agrees() {
    let database = TestDatabase::create().await;
    let model = ReadModel::connect(&database.options()).await.unwrap();
    let missing = model.check_migrations().await.unwrap_err();
    assert!(matches!(&missing, ReadModelError::NotMigrated(_)) && missing.to_string().contains("pursight migrate"));
    model.migrate().await.unwrap();
    model.migrate().await.unwrap();
    model.check_migrations().await.unwrap();
    let beside = model.beside("pursight_rebuild").unwrap();
    assert!(beside.check_migrations().await.is_err());
    beside.migrate().await.unwrap();
    beside.check_migrations().await.unwrap();
    sqlx::query("UPDATE _sqlx_migrations SET checksum = '\\x00' WHERE version = 2")
        .execute(model.pool())
        .await
        .unwrap();
    assert!(model.check_migrations().await.unwrap_err().to_string().contains("[2]"));
    database.remove().await;
}

#[tokio::test]
async fn without_the_right_to_make_roles_the_remedy_is_told() {
    let database = TestDatabase::create().await;
    let mut admin = PgConnection::connect(&database.admin_url()).await.unwrap();
    let login = "pursight_test_poor";
    sqlx::raw_sql(
        "DO $$ BEGIN CREATE ROLE pursight_test_poor LOGIN PASSWORD 'poor'; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
         GRANT CREATE ON DATABASE postgres TO pursight_test_poor",
    )
    .execute(&mut admin)
    .await
    .unwrap();
    let mut options = database.options();
    options.url = database.url_for(login, "poor");
    let model = ReadModel::connect(&options).await.unwrap();
    let error = model.migrate().await.unwrap_err();
    assert!(error.to_string().contains("GRANT pursight_gateway TO pursight_test_poor"), "{error}");
    database.remove().await;
}
