//! A customer's server of one's own that is killed, restarted, closed or full in the middle of a discovery: what happens
//! has a code, nothing is dropped by mistake, and the next run finds the truth.

use anyhow::{Context as _, Result, ensure};
use pursight_tests::database::{Sql, with_database};
use pursight_tests::proxy::{Fault, Proxy};
use pursight_tests::servers::Cluster;
use pursight_tests::{System, eventually};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::{SCHEMA, Stage, seal};

struct Place {
    stage: Stage,
    cluster: Cluster,
    proxy: Proxy,
    source: Uuid,
    /// The request that asks for the first page.
    page: u32,
    changes: std::cell::Cell<u32>,
}

impl Place {
    fn open() -> Result<Self> {
        let cluster = Cluster::start_with_tls()?;
        let admin = Sql::open(&cluster.url())?;
        admin.run("CREATE DATABASE shop")?;
        admin.run("CREATE ROLE reader LOGIN PASSWORD 'canary-first'; GRANT pg_read_all_stats TO reader")?;
        let stage = Stage::with(System::start()?, "reader", "shop", "canary-first")?;
        let proxy = Proxy::to(cluster.port())?;
        let source = stage.source(proxy.port(), 0)?;
        let place = Self { stage, cluster, proxy, source, page: 0, changes: std::cell::Cell::default() };
        place.sql()?.run(SCHEMA)?;
        place
            .sql()?
            .run("GRANT USAGE ON SCHEMA shop TO reader; GRANT SELECT ON ALL TABLES IN SCHEMA shop TO reader")?;
        place.proxy.set(Fault::Pass);
        place.stage.discover(source)?;
        let page = place.proxy.requests() - 6;
        Ok(Self { page, ..place })
    }

    /// The owner's connection, opened anew because the server comes and goes.
    fn sql(&self) -> Result<Sql> {
        Sql::open(&with_database(&self.cluster.url(), "shop")?)
    }

    /// One table goes and one comes; a run is stopped before its first page.
    fn in_the_middle(&self) -> Result<Json> {
        let number = self.changes.get() + 1;
        self.changes.set(number);
        let (gone, new) = if number == 1 {
            ("doomed".to_owned(), "t1".to_owned())
        } else {
            (format!("t{}", number - 1), format!("t{number}"))
        };
        self.sql()?.run(&format!(
            "DROP TABLE shop.{gone}; CREATE TABLE shop.{new}(id int); GRANT SELECT ON shop.{new} TO reader"
        ))?;
        self.proxy.set_for(Fault::Hold { request: self.page }, 1);
        let run = self.stage.command("DiscoverSchema", json!({"source_id": self.source, "strategy": "AGGRESSIVE"}));
        self.stage.publish(std::slice::from_ref(&run))?;
        eventually("the run is before its first page", || Ok(self.proxy.is_holding().then_some(())))?;
        Ok(run)
    }

    /// Ends our session on the server, as its administrator does.
    fn end_sessions(&self) -> Result<()> {
        let sql = self.sql()?;
        sql.rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'reader'")?;
        eventually("the session is gone", || {
            Ok(sql.rows("SELECT pid FROM pg_stat_activity WHERE usename = 'reader'")?.is_empty().then_some(()))
        })
    }

    /// The run fails so, and what is known is what was known.
    fn fails(&self, run: &Json, code: &str, known: &[Json]) -> Result<()> {
        let row = self.stage.ended(run)?;
        ensure!(row["state"] == "FAILED" && row["problem"]["code"] == code, "instead of {code}: {row}");
        ensure!(self.stage.ends(run)? == (1, 1), "{:?}", self.stage.ends(run)?);
        ensure!(self.stage.known(self.source)? == known, "{code} changed what is known");
        let told = self.stage.told(run)?;
        println!("{code} after {} ms", told["duration_us"].as_i64().unwrap_or_default() / 1_000);
        Ok(())
    }

    /// The next run finds the truth: one table dropped, one added.
    fn converges(&self) -> Result<()> {
        let result = self.stage.discover(self.source)?;
        self.is_the_truth(&result)
    }

    fn is_the_truth(&self, result: &Json) -> Result<()> {
        ensure!(result["dropped"] == "1" && result["held"].as_str().unwrap_or("0") == "0", "{result}");
        let names = |rows: Vec<Json>| -> Vec<String> {
            rows.iter().filter_map(|row| row["name"].as_str().map(str::to_owned)).collect()
        };
        let theirs = names(self.sql()?.rows(
            "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'shop' ORDER BY tablename COLLATE \"C\"",
        )?);
        let ours = names(self.stage.system.sql.rows(&format!(
            "SELECT name FROM pursight.schema_object WHERE source_id = '{}' AND kind = 'TABLE' AND state = 'LIVE' ORDER BY name",
            self.source
        ))?);
        ensure!(ours == theirs, "{ours:?} is not {theirs:?}");
        Ok(())
    }
}

#[test]
fn a_customers_server_that_is_killed_in_the_middle_is_waited_for_or_a_problem_and_never_a_drop() -> Result<()> {
    let mut place = Place::open()?;

    // Killed and up again: the same run reads the rest over another session.
    let run = place.in_the_middle()?;
    place.cluster.stop("KILL")?;
    place.cluster.run_again()?;
    place.proxy.release();
    let row = place.stage.ended(&run)?;
    ensure!(row["state"] == "SUCCEEDED", "{row}");
    place.is_the_truth(&row["result"])?;
    println!("killed and up again: {} ms", place.stage.told(&run)?["duration_us"].as_i64().unwrap_or_default() / 1_000);

    // Killed and away.
    let known = place.stage.known(place.source)?;
    let run = place.in_the_middle()?;
    place.cluster.stop("KILL")?;
    place.proxy.release();
    place.fails(&run, "CONNECTION_REFUSED", &known)?;
    place.cluster.run_again()?;
    place.converges()?;

    // Stopped in the way that breaks sessions off at once, and up again.
    let run = place.in_the_middle()?;
    place.cluster.stop("QUIT")?;
    place.cluster.run_again()?;
    place.proxy.release();
    let row = place.stage.ended(&run)?;
    ensure!(row["state"] == "SUCCEEDED", "{row}");
    place.is_the_truth(&row["result"])
}

#[test]
fn a_server_that_shuts_its_door_in_the_middle_is_a_problem_with_a_code_and_never_a_drop() -> Result<()> {
    let place = Place::open()?;

    // The password is rotated, and the old session ended.
    let known = place.stage.known(place.source)?;
    let run = place.in_the_middle()?;
    place.sql()?.run("ALTER ROLE reader PASSWORD 'canary-second'")?;
    place.end_sessions()?;
    place.proxy.release();
    place.fails(&run, "AUTHENTICATION_FAILED", &known)?;
    let reference = seal(&place.stage.system, "canary-second")?;
    let patch = json!({"source_id": place.source, "patch": {"credential": {"uri": reference}}, "clear": []});
    let (code, outcome) = place.stage.system.send(&place.stage.command("UpdateDataSource", patch))?;
    ensure!(code == 0, "{outcome}");
    place.converges()?;

    // The right to connect is taken away.
    let known = place.stage.known(place.source)?;
    let run = place.in_the_middle()?;
    place.sql()?.run("REVOKE CONNECT ON DATABASE shop FROM PUBLIC")?;
    place.end_sessions()?;
    place.proxy.release();
    place.fails(&run, "MISSING_GRANT", &known)?;
    place.sql()?.run("GRANT CONNECT ON DATABASE shop TO PUBLIC")?;
    place.converges()?;

    // A right to look is taken away while the session lives on: the run goes on and drops what is gone, nothing else.
    let run = place.in_the_middle()?;
    place.sql()?.run("REVOKE ALL ON ALL TABLES IN SCHEMA shop FROM reader; REVOKE USAGE ON SCHEMA shop FROM reader")?;
    place.proxy.release();
    let row = place.stage.ended(&run)?;
    ensure!(row["state"] == "SUCCEEDED", "{row}");
    place.is_the_truth(&row["result"])?;
    place.sql()?.run("GRANT USAGE ON SCHEMA shop TO reader; GRANT SELECT ON ALL TABLES IN SCHEMA shop TO reader")?;
    place.stage.discover(place.source)?;

    // Every connection that the role may have is taken.
    place.sql()?.run("ALTER ROLE reader CONNECTION LIMIT 1")?;
    let known = place.stage.known(place.source)?;
    let run = place.in_the_middle()?;
    place.end_sessions()?;
    let url = format!("postgres://reader:canary-second@127.0.0.1:{}/shop", place.cluster.port());
    let taken = Sql::open(&url)?;
    place.proxy.release();
    place.fails(&run, "SERVER_LIMIT", &known)?;
    drop(taken);
    place.converges().context("after the connection was free again")
}
