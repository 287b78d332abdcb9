//! No reader sees a row of another tenant, through any table or view that the catalog knows.

use std::collections::BTreeMap;

use pursight_read_model::testing::TestDatabase;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::log::{TENANT, one_of_everything};

/// Relations without a tenant: offsets, and nothing else.
const NOBODYS: &str = "projection_position";

async fn relations(connection: &mut PgConnection) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT c.relname::TEXT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = 'pursight' AND c.relkind IN ('r', 'v', 'm', 'p', 'f') AND c.relname <> '_sqlx_migrations' ORDER BY 1",
    )
    .fetch_all(connection)
    .await
    .unwrap()
}

/// How many rows each relation shows to this session.
async fn seen(connection: &mut PgConnection, relations: &[String]) -> BTreeMap<String, i64> {
    let mut seen = BTreeMap::new();
    for relation in relations {
        let text = format!("SELECT count(*) FROM pursight.{relation}");
        let count = sqlx::query_scalar(AssertSqlSafe(text)).fetch_one(&mut *connection).await.unwrap();
        seen.insert(relation.clone(), count);
    }
    seen
}

#[tokio::test]
async fn every_table_and_view_shows_a_tenant_its_own_rows_only() {
    let (database, model) = TestDatabase::migrated().await;
    one_of_everything().fold(&model, 5).await;
    let mut admin = PgConnection::connect(&database.admin_url()).await.unwrap();
    let logins = [("pursight_test_mine", TENANT), ("pursight_test_other", "globex")];
    for (login, tenant) in logins {
        let text = format!(
            "DO $$ BEGIN CREATE ROLE {login} LOGIN PASSWORD 'x'; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
             DO $$ BEGIN GRANT pursight_reader TO {login}; EXCEPTION WHEN OTHERS THEN NULL; END $$;
             INSERT INTO pursight.reader_login VALUES ('{login}', '{tenant}')"
        );
        sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut admin).await.unwrap();
    }
    let relations = relations(&mut admin).await;
    assert!(relations.len() >= 20, "{relations:?}");
    let mut gateway = PgConnection::connect(&database.url).await.unwrap();
    sqlx::raw_sql("SET ROLE pursight_gateway").execute(&mut gateway).await.unwrap();
    for (tenant, is_mine) in [(TENANT, true), ("globex", false), ("", false)] {
        sqlx::query("SELECT set_config('pursight.tenant', $1, false)")
            .bind(tenant)
            .execute(&mut gateway)
            .await
            .unwrap();
        judge(&seen(&mut gateway, &relations).await, is_mine, &format!("gateway as {tenant:?}"));
    }
    for (login, tenant) in logins {
        let mut direct = PgConnection::connect(&database.url_for(login, "x")).await.unwrap();
        // What the gateway's role obeys must not move a direct login.
        sqlx::raw_sql("SET pursight.tenant = 'acme'").execute(&mut direct).await.unwrap();
        judge(&seen(&mut direct, &relations).await, tenant == TENANT, login);
        let refused = sqlx::raw_sql("DELETE FROM pursight.data_source").execute(&mut direct).await;
        assert!(refused.is_err(), "{login} may not write");
        direct.close().await.unwrap();
    }
    gateway.close().await.unwrap();
    admin.close().await.unwrap();
    database.remove().await;
}

fn judge(seen: &BTreeMap<String, i64>, is_mine: bool, who: &str) {
    for (relation, count) in seen {
        if relation == NOBODYS {
            continue;
        }
        if relation == "reader_login" {
            assert!(*count <= 1, "{who} sees {count} logins");
            continue;
        }
        assert_eq!(*count > 0, is_mine, "{who} sees {count} rows of {relation}");
    }
}

#[tokio::test]
async fn security_is_forced_on_every_table_and_every_view_runs_as_its_reader() {
    let (database, model) = TestDatabase::migrated().await;
    let open: Vec<String> = sqlx::query_scalar(
        "SELECT c.relname::TEXT FROM pg_class c WHERE c.relnamespace = 'pursight'::regnamespace AND c.relname <> '_sqlx_migrations'
         AND (c.relkind = 'r' AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
           OR c.relkind = 'v' AND NOT coalesce('security_invoker=true' = ANY (c.reloptions), false))",
    )
    .fetch_all(model.pool())
    .await
    .unwrap();
    assert!(open.is_empty(), "{open:?}");
    database.remove().await;
}
