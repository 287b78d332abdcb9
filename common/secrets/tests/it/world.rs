//! A database of one's own, keys of one's own.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use pursight_secrets::KeyRing;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};
use tempfile::TempDir;

static NEXT: AtomicUsize = AtomicUsize::new(0);

/// A setting of the tests, or the sentence that says how to get it.
pub fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set; run: ./dev servers; eval \"$(./dev test-env)\""))
}

/// A database that exists for one test.
pub struct Database {
    pub pool: PgPool,
    name: String,
}

impl Database {
    pub async fn new() -> Self {
        let name = format!("secrets_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::SeqCst));
        let mut admin = admin().await;
        sqlx::raw_sql(AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")))
            .execute(&mut admin)
            .await
            .unwrap();
        sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut admin).await.unwrap();
        let options: PgConnectOptions = setting("PURSIGHT_TEST_DATABASE_ADMIN").parse().unwrap();
        let pool = PgPoolOptions::new().max_connections(8).connect_with(options.database(&name)).await.unwrap();
        Self { pool, name }
    }

    pub async fn remove(self) {
        self.pool.close().await;
        let drop = AssertSqlSafe(format!("DROP DATABASE {} WITH (FORCE)", self.name));
        sqlx::raw_sql(drop).execute(&mut admin().await).await.unwrap();
    }
}

async fn admin() -> PgConnection {
    PgConnection::connect(&setting("PURSIGHT_TEST_DATABASE_ADMIN")).await.expect("the database of the tests answers")
}

/// A folder with files of keys.
pub struct Keys {
    folder: TempDir,
}

impl Keys {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn ring(&self, keys: &[&str]) -> KeyRing {
        let path: PathBuf = self.folder.path().join("secret.keys");
        fs::write(&path, keys.join("\n")).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        KeyRing::load(path).unwrap()
    }
}

/// A key as operators make it.
pub fn new_key() -> String {
    fernet::Fernet::generate_key()
}
