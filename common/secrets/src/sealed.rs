//! `sealed://`: Fernet tokens in PostgreSQL, schema `pursight_secret`. The keys are elsewhere, so that neither the
//! database nor the key file alone gives anything away.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};

use crate::envelope::Bound;
use crate::error::{Cause, SecretError};
use crate::key_ring::KeyRing;
use crate::reference::{Place, Reference, is_sealed_id};
use crate::secret::Secret;
use crate::store::SecretStore;

const MIGRATION: &str = include_str!("../migrations/0001_secret.sql");
/// Migrations and writers of one secret wait for each other on transaction locks, which work behind a pooler too.
const LOCK_MIGRATION: &str = "SELECT pg_advisory_xact_lock(7020201)";
const LOCK_SECRET: &str = "SELECT pg_advisory_xact_lock(hashtextextended('pursight_secret/' || $1 || '/' || $2, 0))";
const DURABLE: &str = "SET LOCAL synchronous_commit = on";
const IS_MIGRATED: &str = "SELECT to_regclass('pursight_secret.secret') IS NOT NULL";
const NEXT_VERSION: &str =
    "SELECT coalesce(max(version), 0) + 1 FROM pursight_secret.secret WHERE tenant_id = $1 AND secret_id = $2";
const INSERT: &str =
    "INSERT INTO pursight_secret.secret (tenant_id, secret_id, version, token) VALUES ($1, $2, $3, $4)";
const SELECT: &str = "SELECT version, token FROM pursight_secret.secret \
     WHERE tenant_id = $1 AND secret_id = $2 AND ($3::integer IS NULL OR version = $3) ORDER BY version DESC LIMIT 1";
const LIST: &str = "SELECT tenant_id, secret_id, version, stored_at FROM pursight_secret.secret \
     WHERE $1::text IS NULL OR tenant_id = $1 ORDER BY tenant_id, secret_id, version";
const PAGE: &str = "SELECT tenant_id, secret_id, version, stored_at, token FROM pursight_secret.secret \
     WHERE (tenant_id, secret_id, version) > ($1, $2, $3) ORDER BY tenant_id, secret_id, version LIMIT 200";
const RESEAL: &str = "UPDATE pursight_secret.secret SET token = $5 \
     WHERE tenant_id = $1 AND secret_id = $2 AND version = $3 AND token = $4";
const DELETE: &str = "DELETE FROM pursight_secret.secret WHERE tenant_id = $1 AND secret_id = $2";

/// The embedded store. Cheap to clone.
#[derive(Clone)]
pub struct SealedStore {
    pool: PgPool,
    keys: KeyRing,
}

/// One version of one sealed secret, without its value.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Entry {
    /// Whose.
    #[sqlx(rename = "tenant_id")]
    pub tenant: String,
    /// Which.
    #[sqlx(rename = "secret_id")]
    pub id: String,
    /// From 1.
    pub version: i32,
    /// When it was stored.
    pub stored_at: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct Row {
    #[sqlx(flatten)]
    entry: Entry,
    token: String,
}

/// What a rotation did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rotation {
    /// Tokens now under the first key.
    pub sealed: u64,
    /// Tokens that no key opens; they stay as they are.
    pub unopened: Vec<Entry>,
}

impl SealedStore {
    /// Over a pool of the service's own database.
    pub fn new(pool: PgPool, keys: KeyRing) -> Self {
        Self { pool, keys }
    }

    /// Makes the schema and the table where they are missing.
    ///
    /// # Errors
    /// The database's.
    pub async fn migrate(pool: &PgPool) -> Result<(), sqlx::Error> {
        let mut transaction = pool.begin().await?;
        sqlx::query(LOCK_MIGRATION).persistent(false).execute(&mut *transaction).await?;
        sqlx::raw_sql(MIGRATION).execute(&mut *transaction).await?;
        transaction.commit().await
    }

    /// Whether [`SealedStore::migrate`] has run.
    ///
    /// # Errors
    /// The database's.
    pub async fn is_migrated(pool: &PgPool) -> Result<bool, sqlx::Error> {
        sqlx::query_scalar(IS_MIGRATED).persistent(false).fetch_one(pool).await
    }

    /// Stores a value as the next version and returns its number.
    ///
    /// # Errors
    /// `SECRET_NOT_FOUND` for an id that no reference could name, else the store's.
    pub async fn put(&self, tenant: &str, id: &str, value: &Secret) -> Result<i32, SecretError> {
        let reference = reference_text(tenant, id);
        if !is_sealed_id(id) || !pursight_schemas::names::is_tenant_id(tenant) {
            let remedy = "an id has up to 128 letters, digits, dots, hyphens and underscores";
            return Err(SecretError::not_found("the malformed reference", "no secret can have this id", remedy));
        }
        let down = |_| SecretError::unavailable(&reference, Cause::Down);
        let mut transaction = self.pool.begin().await.map_err(down)?;
        let version = next_version(&mut transaction, tenant, id).await.map_err(down)?;
        let bound = Bound { tenant, id, version: &version.to_string() };
        let token = bound.seal(&self.keys, value.expose());
        let token = token.ok_or_else(|| SecretError::unavailable(&reference, Cause::Unreadable))?;
        let insert = sqlx::query(INSERT).bind(tenant).bind(id).bind(version).bind(token).persistent(false);
        insert.execute(&mut *transaction).await.map_err(down)?;
        transaction.commit().await.map_err(down)?;
        Ok(version)
    }

    /// The value of a version, or of the newest.
    ///
    /// # Errors
    /// `SECRET_NOT_FOUND`, or the store's.
    pub async fn get(&self, tenant: &str, id: &str, version: Option<i32>) -> Result<Secret, SecretError> {
        let reference = reference_text(tenant, id);
        let query = sqlx::query_as(SELECT).bind(tenant).bind(id).bind(version).persistent(false);
        let row: Option<(i32, String)> =
            query.fetch_optional(&self.pool).await.map_err(|_| SecretError::unavailable(&reference, Cause::Down))?;
        let Some((version, token)) = row else {
            let remedy = "check the reference; a new secret is stored with: pursight secret seal";
            return Err(SecretError::not_found(&reference, "this tenant has no such secret", remedy));
        };
        let bound = Bound { tenant, id, version: &version.to_string() };
        let value = bound.open(&self.keys, &token).map(Secret::new);
        value.ok_or_else(|| SecretError::unavailable(&reference, Cause::Unreadable))
    }

    /// What is stored, of one tenant or of all; never a value.
    ///
    /// # Errors
    /// The database's.
    pub async fn list(&self, tenant: Option<&str>) -> Result<Vec<Entry>, sqlx::Error> {
        sqlx::query_as(LIST).bind(tenant).persistent(false).fetch_all(&self.pool).await
    }

    /// Seals everything again under the first key. What no key opens is reported and left alone.
    ///
    /// # Errors
    /// The database's; what was done until then stays done, and running it again finishes.
    pub async fn rotate(&self) -> Result<Rotation, sqlx::Error> {
        let mut done = Rotation::default();
        let mut after = (String::new(), String::new(), 0);
        loop {
            let page = sqlx::query_as(PAGE).bind(&after.0).bind(&after.1).bind(after.2).persistent(false);
            let rows: Vec<Row> = page.fetch_all(&self.pool).await?;
            let Some(last) = rows.last() else { return Ok(done) };
            after = (last.entry.tenant.clone(), last.entry.id.clone(), last.entry.version);
            let mut transaction = self.pool.begin().await?;
            sqlx::query(DURABLE).persistent(false).execute(&mut *transaction).await?;
            for row in rows {
                self.reseal(&mut transaction, row, &mut done).await?;
            }
            transaction.commit().await?;
        }
    }

    async fn reseal(&self, connection: &mut PgConnection, row: Row, done: &mut Rotation) -> Result<(), sqlx::Error> {
        let Row { entry, token } = row;
        let version = entry.version.to_string();
        let bound = Bound { tenant: &entry.tenant, id: &entry.id, version: &version };
        let opened = bound.open(&self.keys, &token).map(Secret::new);
        let Some(again) = opened.and_then(|value| bound.seal(&self.keys, value.expose())) else {
            done.unopened.push(entry);
            return Ok(());
        };
        let update =
            sqlx::query(RESEAL).bind(&entry.tenant).bind(&entry.id).bind(entry.version).bind(token).bind(again);
        done.sealed += update.persistent(false).execute(connection).await?.rows_affected();
        Ok(())
    }

    /// Removes every version of a secret; returns how many there were.
    ///
    /// # Errors
    /// The database's.
    pub async fn destroy(&self, tenant: &str, id: &str) -> Result<u64, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        sqlx::query(DURABLE).persistent(false).execute(&mut *transaction).await?;
        let delete = sqlx::query(DELETE).bind(tenant).bind(id).persistent(false);
        let removed = delete.execute(&mut *transaction).await?.rows_affected();
        transaction.commit().await?;
        Ok(removed)
    }
}

#[async_trait]
impl SecretStore for SealedStore {
    async fn fetch(&self, tenant: &str, reference: &Reference) -> Result<Secret, SecretError> {
        let Place::Sealed { tenant: owner, id } = &reference.place else {
            return Err(SecretError::unavailable(reference, Cause::NotConfigured));
        };
        // The path is made of who asks, not of what was asked for.
        if owner != tenant {
            return Err(SecretError::not_found(reference, "this tenant has no such secret", "check the reference"));
        }
        let version = reference.version.as_ref().and_then(|version| version.parse().ok());
        self.get(tenant, id, version).await
    }
}

async fn next_version(connection: &mut PgConnection, tenant: &str, id: &str) -> Result<i32, sqlx::Error> {
    sqlx::query(DURABLE).persistent(false).execute(&mut *connection).await?;
    sqlx::query(LOCK_SECRET).bind(tenant).bind(id).persistent(false).execute(&mut *connection).await?;
    sqlx::query_scalar(NEXT_VERSION).bind(tenant).bind(id).persistent(false).fetch_one(connection).await
}

fn reference_text(tenant: &str, id: &str) -> String {
    format!("sealed://{tenant}/{id}")
}
