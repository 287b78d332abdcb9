//! A database of its own for each test, owned by a role that is no superuser, so that row-level security holds.
//! Compiled for tests only (feature `testing`).

#![expect(clippy::disallowed_methods, reason = "tests name things at random and read PURSIGHT_TEST_*")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use url::Url;
use uuid::Uuid;

use crate::{DatabaseOptions, ReadModel};

const OWNER: &str = "pursight_test_owner";
const PASSWORD: &str = "owner-of-throw-away-databases";

/// A throw-away database.
pub struct TestDatabase {
    /// Where its owner reaches it.
    pub url: String,
    name: String,
    admin: String,
}

impl TestDatabase {
    /// Makes an empty database.
    pub async fn create() -> Self {
        let admin = std::env::var("PURSIGHT_TEST_DATABASE_ADMIN").unwrap_or_else(|_| {
            panic!("PURSIGHT_TEST_DATABASE_ADMIN must be the URL of a superuser on a throw-away PostgreSQL server")
        });
        let name = format!("test_{}", Uuid::now_v7().simple());
        let mut connection = PgConnection::connect(&admin).await.unwrap();
        let role = format!(
            "DO $$ BEGIN CREATE ROLE {OWNER} LOGIN CREATEROLE PASSWORD '{PASSWORD}';
             EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
        );
        sqlx::raw_sql(AssertSqlSafe(role)).execute(&mut connection).await.unwrap();
        let create = format!("CREATE DATABASE {name} OWNER {OWNER}");
        sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        let url = at(&admin, &name, OWNER, PASSWORD);
        Self { url, name, admin }
    }

    /// Makes a database with a migrated read model.
    pub async fn migrated() -> (Self, ReadModel) {
        let database = Self::create().await;
        let model = ReadModel::connect(&database.options()).await.unwrap();
        model.migrate().await.unwrap();
        (database, model)
    }

    /// Options for its owner.
    pub fn options(&self) -> DatabaseOptions {
        DatabaseOptions::new(self.url.clone())
    }

    /// Its URL for a superuser.
    pub fn admin_url(&self) -> String {
        let mut url = Url::parse(&self.admin).unwrap();
        url.set_path(&self.name);
        url.into()
    }

    /// Its URL for another login.
    pub fn url_for(&self, user: &str, password: &str) -> String {
        at(&self.admin, &self.name, user, password)
    }

    /// Removes it.
    pub async fn remove(self) {
        let mut connection = PgConnection::connect(&self.admin).await.unwrap();
        let drop = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        sqlx::raw_sql(AssertSqlSafe(drop)).execute(&mut connection).await.unwrap();
    }
}

fn at(admin: &str, database: &str, user: &str, password: &str) -> String {
    let mut url = Url::parse(admin).unwrap();
    url.set_username(user).unwrap();
    url.set_password(Some(password)).unwrap();
    url.set_path(database);
    url.into()
}
