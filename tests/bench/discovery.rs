//! Discovery of a large database by `pursight run discovery`, a process of its own, beside the bare catalog queries over one
//! connection; then once more with nothing changed.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use futures::TryStreamExt as _;
use pursight_schemas::Event;
use pursight_tests::{Customer, System, setting};
use tokio_postgres::NoTls;
use uuid::Uuid;

use crate::commands::Publisher;
use crate::process::usage;
use crate::progress::Outcomes;
use crate::report::{Report, Target};

const SUITE: &str = "discovery";
/// The practical limit of reading a whole catalog: twelve set-based statements.
const CATALOG: &str = include_str!("catalog.sql");

/// Fills a customer's database once; in every run a new source is discovered twice.
pub fn run(report: &mut Report, runs: usize) -> Result<()> {
    report.about(
        SUITE,
        "10 000 tables (`gen_schema.py --profile L`). DiscoverSchema, AGGRESSIVE, `PURSIGHT_DISCOVERY_PAUSES=off`, from the broker's \
         acknowledgement of the command until its terminal outcome can be read; registry, projection and discovery are processes of \
         their own. Beside it, in turns, the twelve set-based queries of `catalog.sql` over one connection. *Unchanged* is the same \
         discovery again. Memory is the peak of the discovery process over all runs so far.",
    );
    let customer = Customer::create()?;
    fill(&customer, "L")?;
    let mut system = System::bare()?;
    system.settings.insert("PURSIGHT_DISCOVERY_PAUSES".to_owned(), "off".to_owned());
    let _projection = system.spawn("projection", "projection")?;
    let _registry = system.spawn("registry", "registry")?;
    let discovery = system.spawn("discovery", "discovery")?;
    let publisher = Publisher::new(&system)?;
    for run in 0..runs {
        eprintln!("discovery: run {} of {runs}", run + 1);
        let source = register(&system, &customer, &format!("customer {run}"))?;
        let outcomes = Outcomes::follow(&system)?;
        let bare = bare(&customer)?;
        let first = discovered(&publisher, &outcomes, source)?;
        report.beside(SUITE, "first discovery", "s", Target::AtMost(3.0), (first, bare));
        let bare = self::bare(&customer)?;
        let again = discovered(&publisher, &outcomes, source)?;
        report.beside(SUITE, "unchanged", "s", Target::AtMost(1.0), (again, bare));
        report.alone(SUITE, "peak memory of the worker", "MiB", Target::AtMost(128.0), usage(discovery.pid())?.peak);
    }
    Ok(())
}

/// Loads a generated schema and lets the reader see it.
pub fn fill(customer: &Customer, profile: &str) -> Result<()> {
    eprintln!("loading a customer's database of profile {profile}");
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/gen_schema.py");
    let file = tempfile::NamedTempFile::new()?;
    let python = setting::get("PYTHON")?;
    let made = Command::new(python)
        .arg(here)
        .args(["--engine", "postgres", "--profile", profile])
        .stdout(File::create(file.path())?)
        .status()?;
    ensure!(made.success(), "gen_schema.py failed");
    let psql = Path::new(&setting::get("PG_BIN")?).join("psql");
    let url = pursight_tests::database::with_database(&setting::get("CUSTOMER_ADMIN")?, &customer.database)?;
    // By the environment: a password is never an argument.
    let url = url::Url::parse(&url)?;
    let loaded = Command::new(psql)
        .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-f"])
        .arg(file.path())
        .env("PGHOST", url.host_str().context("a host")?)
        .env("PGPORT", url.port().context("a port")?.to_string())
        .env("PGUSER", url.username())
        .env("PGPASSWORD", url.password().unwrap_or_default())
        .env("PGDATABASE", &customer.database)
        // Tens of thousands of small statements: their order counts, not that each is on disk.
        .env("PGOPTIONS", "-c synchronous_commit=off")
        .stdout(Stdio::null())
        .status()?;
    ensure!(loaded.success(), "psql failed");
    customer.grant_all()?;
    customer.sql.run("VACUUM ANALYZE")
}

/// Registers the customer's database as a source.
pub fn register(system: &System, customer: &Customer, name: &str) -> Result<Uuid> {
    let port = customer.port.to_string();
    let words = [customer.words(name, &port).as_slice(), &["--json"]].concat();
    let answer = system.call_with(&words, &customer.password)?;
    ensure!(answer.code == 0, "{answer:?}");
    let row = system.sql.row(&format!("SELECT source_id FROM pursight.data_source WHERE name = '{name}'"))?;
    Ok(Uuid::parse_str(row["source_id"].as_str().context("an id")?)?)
}

fn discovered(publisher: &Publisher, outcomes: &Outcomes, source: Uuid) -> Result<f64> {
    let command = publisher.discover(source)?;
    publisher.publish(std::slice::from_ref(&command))?;
    let start = Instant::now();
    let outcome = outcomes.of(command.id)?;
    ensure!(matches!(outcome, Event::CommandSucceeded(_)), "{outcome:?}");
    Ok(start.elapsed().as_secs_f64())
}

/// Seconds of the bare queries, their answers read and thrown away.
fn bare(customer: &Customer) -> Result<f64> {
    let url = pursight_tests::database::with_database(&setting::get("CUSTOMER_ADMIN")?, &customer.database)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await?;
        let connection = tokio::spawn(connection);
        let text: String =
            CATALOG.lines().filter(|line| !line.starts_with("--")).map(|line| format!("{line}\n")).collect();
        let start = Instant::now();
        for statement in text.split(";\n").map(str::trim).filter(|statement| !statement.is_empty()) {
            if statement.starts_with("COPY") {
                let rows = client.copy_out(statement).await.with_context(|| statement.to_owned())?;
                rows.try_for_each(|_| async { Ok(()) }).await?;
            } else {
                client.batch_execute(statement).await?;
            }
        }
        let took = start.elapsed().as_secs_f64();
        drop(client);
        drop(connection.await);
        Ok(took)
    })
}
