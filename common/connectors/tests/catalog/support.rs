//! A database of one's own for each test, and the whole of its catalog in one call.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use pursight_connectors::postgres::catalog::{CatalogObject, PRINTING, Pace, PageItem, Pages, Rows, listing};
use pursight_schemas::{ObjectKind, Problem, ScopeFilter, Strategy};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, NoTls, Row};

const ADMIN: &str = "PURSIGHT_TEST_DATABASE_ADMIN";

/// A plain session, without egress policy or timeouts: what is tested here are the statements.
pub struct Session(pub Client);

#[async_trait]
impl Rows for Session {
    async fn query(&self, sql: &'static str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Problem> {
        let rows = self.0.query(sql, params).await.map_err(|error| Problem {
            code: "INTERNAL".into(),
            message: format!("{error:?}"),
            native_code: error.code().map(|code| code.code().to_owned()),
            ..Problem::default()
        })?;
        // A real session ends when a row is larger.
        assert!(rows.iter().all(|row| row.raw_size_bytes() < 1024 * 1024 - 1024), "a row above 1 MiB");
        Ok(rows)
    }
}

pub struct Database {
    admin: Config,
    pub name: String,
}

impl Database {
    pub async fn create(options: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let url = std::env::var(ADMIN).unwrap_or_else(|_| {
            panic!("{ADMIN} is not set: it names a PostgreSQL server in which tests may create databases; run `./dev test-env`")
        });
        let admin: Config = url.parse().expect("a connection URL");
        let name = format!("catalog_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        run(&admin, &format!("CREATE DATABASE {name} {options}")).await;
        Self { admin, name }
    }

    /// A session with the settings that a reader has.
    pub async fn session(&self) -> Session {
        self.session_as(None).await
    }

    pub async fn session_as(&self, login: Option<(&str, &str)>) -> Session {
        let mut config = self.admin.clone();
        config.dbname(&self.name);
        if let Some((user, password)) = login {
            config.user(user).password(password);
        }
        let client = connect(&config).await;
        client.batch_execute(PRINTING).await.expect("settings");
        Session(client)
    }

    /// A session for changes.
    pub async fn owner(&self) -> Client {
        let mut config = self.admin.clone();
        connect(config.dbname(&self.name)).await
    }

    pub async fn drop(self) {
        run(&self.admin, &format!("DROP DATABASE {} WITH (FORCE)", self.name)).await;
    }
}

async fn connect(config: &Config) -> Client {
    let (client, connection) = config.connect(NoTls).await.expect("the server accepts us");
    tokio::spawn(connection);
    client
}

async fn run(config: &Config, sql: &str) {
    connect(config).await.batch_execute(sql).await.expect("the statement runs");
}

/// Objects by kind and `schema.name`.
pub type Objects = BTreeMap<(ObjectKind, String), CatalogObject>;

/// Everything in the database, read page by page; fails on an object that cannot be read.
pub async fn everything(session: &dyn Rows) -> Objects {
    let listing = listing(session, &ScopeFilter::default(), 100_000).await.expect("a listing");
    assert!(listing.complete);
    let listed: Vec<_> = listing.objects.iter().map(|o| (o.kind, format!("{}.{}", o.schema, o.name))).collect();
    let mut pages = Pages::new(session, &listing.catalog, listing.objects, pace());
    let mut objects = Objects::new();
    while let Some(page) = pages.next().await.expect("a page") {
        for item in page {
            let PageItem::Object(object) = item else { panic!("{item:?}") };
            let key = (object.kind, format!("{}.{}", object.schema, object.name));
            assert!(objects.insert(key, *object).is_none());
        }
    }
    let mut sorted = listed.clone();
    sorted.sort();
    assert_eq!(objects.keys().cloned().collect::<Vec<_>>(), sorted, "details give kind and name as the listing does");
    objects
}

pub fn pace() -> Pace {
    Pace::new(Strategy::Aggressive).without_pauses()
}
