//! A database of one's own as a source whose last known state is kept in memory.

use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use pursight_connectors::postgres::catalog::{
    self, Listing, PRINTING, Pace, Pages, Rows, caps, fingerprint, scope_hash, visibility,
};
use pursight_discovery::decide::Sight;
use pursight_discovery::memory::{Found, Memory};
use pursight_schemas::{Event, EventMeta, Problem, ScopeFilter, Strategy, WorkItem};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, NoTls, Row};
use uuid::Uuid;

const ADMIN: &str = "PURSIGHT_TEST_DATABASE_ADMIN";

struct Session(Client);

#[async_trait]
impl Rows for Session {
    async fn query(&self, sql: &'static str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Problem> {
        Ok(self.0.query(sql, params).await.expect("the catalog can be read"))
    }
}

/// A source and everything that was ever said of it.
pub struct Source {
    admin: Config,
    name: String,
    owner: Client,
    session: Session,
    memory: Memory,
    work: WorkItem,
    runs: u128,
}

impl Source {
    /// A new database after some statements.
    pub async fn create(setup: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let url = std::env::var(ADMIN).unwrap_or_else(|_| {
            panic!("{ADMIN} is not set: it names a PostgreSQL server in which tests may create databases; run `./dev test-env`")
        });
        let admin: Config = url.parse().expect("a connection URL");
        let name = format!("ddl_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        connect(&admin).await.batch_execute(&format!("CREATE DATABASE {name}")).await.expect("a database");
        let mut config = admin.clone();
        config.dbname(&name);
        let (owner, session) = (connect(&config).await, connect(&config).await);
        session.batch_execute(PRINTING).await.expect("settings");
        owner.batch_execute(setup).await.expect("the setup runs");
        let meta = EventMeta { source_id: Some(Uuid::from_u128(1)), ..EventMeta::default() };
        let work = WorkItem { meta, ..WorkItem::default() };
        Self { admin, name, owner, session: Session(session), memory: Memory::default(), work, runs: 0 }
    }

    /// Runs a statement as the owner; says why if the server refuses.
    pub async fn run(&self, statement: &str) -> Result<(), String> {
        self.owner.batch_execute(statement).await.map_err(|error| format!("{statement}: {error:?}"))
    }

    /// A discovery.
    pub async fn discover(&mut self) -> Vec<Event> {
        let fingerprint = fingerprint(&self.session).await.expect("a fingerprint").0;
        self.rehearse(fingerprint).await
    }

    /// A discovery that reads all details, whatever the fingerprint says.
    pub async fn read_all_again(&mut self) -> Vec<Event> {
        self.rehearse("unknown".into()).await
    }

    /// A discovery that confirms what the last one held.
    pub async fn confirm(&mut self) -> Vec<Event> {
        self.work.confirms = Some(self.work.run_id);
        let events = self.discover().await;
        self.work.confirms = None;
        events
    }

    /// Ends it.
    pub async fn drop(self) {
        let Self { admin, name, .. } = self;
        connect(&admin).await.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await.expect("it goes");
    }

    async fn rehearse(&mut self, fingerprint: String) -> Vec<Event> {
        self.runs += 1;
        self.work.run_id = Uuid::from_u128(self.runs);
        let scope = ScopeFilter::default();
        let visibility_hash = visibility(&self.session).await.expect("rights").hash();
        let sight = Sight { scope_hash: scope_hash(&scope, &[]), visibility_hash, fingerprint };
        let listing: Listing = catalog::listing(&self.session, &scope, caps::OBJECTS).await.expect("a listing");
        let pace = Pace::new(Strategy::Aggressive).without_pauses();
        let mut reading = Pages::new(&self.session, &listing.catalog, listing.objects.clone(), pace);
        let mut pages = Vec::new();
        while let Some(page) = reading.next().await.expect("a page") {
            pages.push(page);
        }
        let schemas = catalog::schemas(&self.session).await.expect("schemas");
        self.memory.rehearse(&self.work, &sight, Found { listing, pages, schemas })
    }
}

async fn connect(config: &Config) -> Client {
    let (client, connection) = config.connect(NoTls).await.expect("the server accepts us");
    tokio::spawn(connection);
    client
}
