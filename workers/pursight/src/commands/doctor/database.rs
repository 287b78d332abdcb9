//! The read model's server: reachable, migrated, with its roles, its clock near ours.

use pursight_read_model::ReadModel;
use pursight_secrets::SealedStore;

use super::Finding;
use crate::context::{Context, database_error};
use crate::error::chain;

/// Clocks further apart than this make attestations expire early, microseconds.
const CLOCKS_APART: i64 = 10_000_000;

pub async fn look(context: &Context) -> Vec<Finding> {
    let model = match context.read_model() {
        Ok(model) => model,
        Err(error) => return vec![Finding::of_error("database", &error)],
    };
    let mut findings = match server(&model).await {
        Ok(findings) => findings,
        Err(finding) => return vec![at_its_address(context, finding)],
    };
    findings.push(migrations(&model).await);
    findings.push(sealed(&model).await);
    if let Ok(rows) = context.rows() {
        findings.push(match rows.commands(None, 1).await {
            Ok(_) => Finding::ok("reading as a tenant", "allowed"),
            Err(error) => Finding::of_error("reading as a tenant", &error),
        });
    }
    findings
}

/// Says where it was looked for; the address holds no password.
fn at_its_address(context: &Context, mut finding: Finding) -> Finding {
    let lines = context.settings().lines();
    let line = lines.iter().find(|line| line.setting.name == "PURSIGHT_DATABASE_URL");
    if let Some(url) = line.and_then(|line| line.value.as_deref()) {
        finding.found = format!("{} ({url})", finding.found);
    }
    finding
}

async fn server(model: &ReadModel) -> Result<Vec<Finding>, Finding> {
    model.ping().await.map_err(|error| Finding::of_error("database", &database_error(&error)))?;
    let asked: Result<(String, i64), sqlx::Error> = sqlx::query_as(
        "SELECT current_setting('server_version'), (extract(epoch FROM clock_timestamp()) * 1000000)::bigint",
    )
    .persistent(false)
    .fetch_one(model.pool())
    .await;
    let (version, clock) = asked.map_err(|error| {
        Finding::fail("database", format!("it refuses us: {}", chain(&error)), "look at the log of PostgreSQL")
    })?;
    let apart = (pursight_service::clock::now_micros() - clock).abs();
    let clock = if apart > CLOCKS_APART {
        let found = format!("{} s apart from the database's", apart / 1_000_000);
        Finding::warn("clock", found, "let NTP set the clocks of every host")
    } else {
        Finding::ok("clock", "agrees with the database's")
    };
    Ok(vec![Finding::ok("database", format!("PostgreSQL {version}")), clock])
}

async fn migrations(model: &ReadModel) -> Finding {
    match model.check_migrations().await {
        Ok(()) => Finding::ok("read model", format!("schema {} is current", model.schema())),
        Err(error) => Finding::of_error("read model", &database_error(&error)),
    }
}

async fn sealed(model: &ReadModel) -> Finding {
    match SealedStore::is_migrated(model.pool()).await {
        Ok(true) => Finding::ok("sealed secrets", "their table is there"),
        Ok(false) => Finding::fail("sealed secrets", "their table is missing", "run: pursight migrate"),
        Err(error) => Finding::fail("sealed secrets", chain(&error), "run: pursight migrate"),
    }
}
