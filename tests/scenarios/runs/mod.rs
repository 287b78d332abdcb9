//! Runs on bad days, through the executable, the real broker, the real read model and a real customer's server: cancelled,
//! killed in the middle, past their deadline, on servers that hang, die or are hostile. What is common is here: one system,
//! one customer, its sources, and what is asked of every run whatever became of it.

mod cancel;
mod hanging;
mod hostile;
mod killed;
mod lost;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use pursight_schemas::topics::partition_of;
use pursight_schemas::{Event, Micros, Topic};
use pursight_tests::database::Sql;
use pursight_tests::proxy::{Fault, Proxy};
use pursight_tests::{Customer, System, eventually};
use serde_json::{Value as Json, json};
use uuid::Uuid;

/// A small schema with every class of catalog page.
pub const SCHEMA: &str = "CREATE SCHEMA shop; CREATE TYPE shop.mood AS ENUM ('sad', 'ok'); CREATE SEQUENCE shop.tickets;
    CREATE TABLE shop.orders(id bigint PRIMARY KEY, mood shop.mood, total numeric(10,2) CHECK (total >= 0));
    CREATE TABLE shop.lines(id int, order_id bigint REFERENCES shop.orders(id)); CREATE INDEX lines_order ON shop.lines(order_id);
    CREATE VIEW shop.big AS SELECT id FROM shop.orders WHERE total > 100;
    CREATE FUNCTION shop.twice(n int) RETURNS int LANGUAGE sql AS 'SELECT n * 2';
    CREATE FUNCTION shop.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER touched BEFORE UPDATE ON shop.orders FOR EACH ROW EXECUTE FUNCTION shop.touch();
    CREATE TABLE shop.doomed(id int)";

/// One system and the reference of its customer's password.
pub struct Stage {
    pub system: System,
    pub user: String,
    pub database: String,
    pub reference: String,
}

impl Stage {
    /// A running system.
    pub fn start(customer: &Customer) -> Result<Self> {
        Self::over(System::start()?, customer)
    }

    /// Over a system of one's own.
    pub fn over(system: System, customer: &Customer) -> Result<Self> {
        Self::with(system, &customer.user, &customer.database, &customer.password)
    }

    /// For this role of any server.
    pub fn with(system: System, user: &str, database: &str, password: &str) -> Result<Self> {
        let reference = seal(&system, password)?;
        Ok(Self { system, user: user.to_owned(), database: database.to_owned(), reference })
    }

    pub fn command(&self, kind: &str, fields: Json) -> Json {
        let meta = json!({"command_id": Uuid::new_v4(), "tenant_id": self.system.tenant, "actor": {"principal": "upstream", "type": "SERVICE"}});
        let mut command = json!({"type": kind, "meta": meta});
        if let (Json::Object(command), Json::Object(fields)) = (&mut command, fields) {
            command.extend(fields);
        }
        command
    }

    /// What a source at this port is.
    pub fn spec(&self, name: &str, port: u16) -> Json {
        json!({
            "name": name, "source_type": "POSTGRESQL", "location": "ON_PREM", "database": self.database, "username": self.user,
            "hosts": [{"host": "127.0.0.1", "port": port}], "credential": {"uri": self.reference}
        })
    }

    /// A source at this port, in a partition of its own among `lane`s.
    pub fn source(&self, port: u16, lane: usize) -> Result<Uuid> {
        let id = apart(Topic::WorkDiscovery, lane);
        self.create(id, port)?;
        Ok(id)
    }

    /// The command that makes a source of this id at this port.
    pub fn creation(&self, id: Uuid, port: u16) -> Json {
        let spec = self.spec(&format!("at {port}"), port);
        self.command("CreateDataSource", json!({"source_id": id, "spec": spec, "afterwards": "NOTHING"}))
    }

    /// A source of this id at this port.
    pub fn create(&self, id: Uuid, port: u16) -> Result<()> {
        let (code, outcome) = self.system.send(&self.creation(id, port))?;
        ensure!(code == 0, "{outcome}");
        Ok(())
    }

    /// Publishes commands and does not wait.
    pub fn publish(&self, commands: &[Json]) -> Result<()> {
        let lines: String = commands.iter().map(|command| format!("{command}\n")).collect();
        let answer = self.system.call_with(&["send", "-", "--json", "--no-wait"], &lines)?;
        ensure!(answer.code == 0, "{answer:?}");
        Ok(())
    }

    /// The row of a command that asked for a run, once it has ended and everything of the run has been folded.
    pub fn ended(&self, command: &Json) -> Result<Json> {
        let id = id_of(command);
        let query = format!(
            "SELECT c.* FROM pursight.command c JOIN pursight.run r ON r.run_id = c.command_id
             WHERE c.command_id = '{id}' AND c.ended_at IS NOT NULL AND r.ended_at IS NOT NULL"
        );
        eventually("the command has ended", || Ok(self.system.sql.rows(&query)?.pop()))
            .with_context(|| format!("{command}\n{}", tail(&self.system)))
    }

    /// The row of any command once it has its outcome.
    pub fn answered(&self, command: &Json) -> Result<Json> {
        let id = id_of(command);
        let query = format!("SELECT * FROM pursight.command WHERE command_id = '{id}' AND ended_at IS NOT NULL");
        eventually("the command has its outcome", || Ok(self.system.sql.rows(&query)?.pop()))
    }

    /// Publishes one, and its row once it has ended.
    pub fn run(&self, command: &Json) -> Result<Json> {
        self.publish(std::slice::from_ref(command))?;
        self.ended(command)
    }

    /// Discovers and expects success; what it says.
    pub fn discover(&self, source: Uuid) -> Result<Json> {
        let row = self.run(&self.command("DiscoverSchema", json!({"source_id": source, "strategy": "AGGRESSIVE"})))?;
        ensure!(row["state"] == "SUCCEEDED", "{row}");
        Ok(row["result"].clone())
    }

    /// A source behind a proxy, discovered once, and how many requests that took on one connection.
    pub fn discovered(&self, port: u16) -> Result<(Proxy, Uuid, u32)> {
        let proxy = Proxy::to(port)?;
        let source = self.source(proxy.port(), 0)?;
        proxy.set(Fault::Pass);
        self.discover(source)?;
        let requests = proxy.requests();
        Ok((proxy, source, requests))
    }

    /// The run as `v_run` tells it.
    pub fn told(&self, command: &Json) -> Result<Json> {
        self.system.sql.row(&format!("SELECT * FROM pursight.v_run WHERE run_id = '{}'", id_of(command)))
    }

    /// Everything that is known of a source's objects, without which run saw it and when.
    pub fn known(&self, source: Uuid) -> Result<Vec<Json>> {
        self.system.sql.rows(&format!(
            "SELECT object_id, catalog, schema, name, kind, native_id, state, owner, comment, definition, partitions, depends_on,
                truncated, content_hash, version, column_count, in_scope, listed, unreadable, held_by_run IS NOT NULL AS held, entailed_by
             FROM pursight.schema_object WHERE source_id = '{source}' ORDER BY object_id"
        ))
    }

    /// How many terminal outcomes and terminal run events lie on the log for a run.
    pub fn ends(&self, command: &Json) -> Result<(usize, usize)> {
        let id = id_of(command);
        let outcomes = self.system.kafka.events(Topic::Outcome)?;
        let terminal = |event: &&Event| {
            event.is_terminal_outcome() && event.meta().command_id.is_some_and(|command| command.to_string() == id)
        };
        let topic = match command["type"].as_str() {
            Some("TestConnection") => Topic::Connection,
            Some("CollectStatistics") => Topic::Statistics,
            _ => Topic::Schema,
        };
        let events = self.system.kafka.events(topic)?;
        let ends = |event: &&Event| run_that_ends(event).is_some_and(|run| run.to_string() == id);
        Ok((outcomes.iter().filter(terminal).count(), events.iter().filter(ends).count()))
    }
}

fn run_that_ends(event: &Event) -> Option<Uuid> {
    match event {
        Event::ConnectionTested(event) => Some(event.run_id),
        Event::SchemaSnapshotCompleted(event) => Some(event.run_id),
        Event::DiscoveryFailed(event) => Some(event.run_id),
        Event::DiscoveryCancelled(event) => Some(event.run_id),
        Event::StatisticsCollected(event) => Some(event.run_id),
        Event::StatisticsFailed(event) => Some(event.run_id),
        _ => None,
    }
}

pub fn id_of(command: &Json) -> String {
    command["meta"]["command_id"].as_str().unwrap_or_default().to_owned()
}

/// The same command with a deadline so far from now.
pub fn until(mut command: Json, from_now: Duration) -> Result<Json> {
    let at = SystemTime::now().duration_since(UNIX_EPOCH)? + from_now;
    command["meta"]["deadline"] = json!(Micros(i64::try_from(at.as_micros())?).rfc3339());
    Ok(command)
}

/// An id whose records lie in partition `lane` of a topic.
pub fn apart(topic: Topic, lane: usize) -> Uuid {
    loop {
        let id = Uuid::now_v7();
        if usize::try_from(partition_of(id.to_string().as_bytes(), topic.partitions())) == Ok(lane) {
            return id;
        }
    }
}

pub fn seal(system: &System, password: &str) -> Result<String> {
    let answer = system.call_with(&["secret", "seal", "--json"], password)?;
    Ok(answer.json()?["reference"].as_str().with_context(|| format!("{answer:?}"))?.to_owned())
}

/// Sessions of ours on the customer's server; not from the view of that name, which some tests put to sleep.
pub fn sessions(sql: &Sql, user: &str) -> Result<Vec<Json>> {
    sql.rows(&format!(
        "SELECT a.application_name, a.state, a.wait_event, left(a.query, 60) AS query
         FROM pg_stat_get_activity(NULL) a JOIN pg_authid u ON u.oid = a.usesysid WHERE u.rolname = '{user}'"
    ))
}

/// All warnings of the workers, and the end of their log, for the message of a test that failed.
pub fn tail(system: &System) -> String {
    let log = system.log().unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    let (before, last) = lines.split_at(lines.len().saturating_sub(25));
    let warnings = before.iter().filter(|line| !line.contains(r#""level":"INFO""#));
    warnings.chain(last).copied().collect::<Vec<_>>().join("\n")
}
