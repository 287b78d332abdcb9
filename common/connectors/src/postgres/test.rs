//! The connection test: the same way that every session takes, with its steps shown, then what the session may do.
//! Owns the order of the steps and what makes a failed one more helpful; knows nothing of commands and events.

use std::time::{Duration, Instant};

use pursight_schemas::{DataSourceSpec, Problem, ScopeFilter, ServerInfo, StepResult, TestStep};
use tokio_postgres::error::SqlState;

use super::connect::{Plan, SessionOptions};
use super::errors::statement_problem;
use super::near;
use super::quote::identifier;
use super::rights;
use super::session::PgSession;
use crate::Connectors;
use crate::problem::{Refused, code, refused, with_native, with_sql};
use crate::steps::{Step, Steps, micros};

/// What a whole test may take.
pub const TEST_BUDGET: Duration = Duration::from_secs(10);
const STEP_TIMEOUT: Duration = Duration::from_secs(5);
/// For looking around after a failure, so that the remedy says more.
const LOOK_AROUND: Duration = Duration::from_secs(2);
const PINGS: usize = 5;

/// What a connection test found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TestReport {
    /// All eight, in order.
    pub steps: Vec<TestStep>,
    /// What the server says of itself, where it was reached.
    pub server: Option<ServerInfo>,
    /// Median of five pings, microseconds.
    pub latency_us: Option<i64>,
}

impl TestReport {
    /// Why the test failed, if it did.
    pub fn failure(&self) -> Option<&Problem> {
        self.steps.iter().find(|step| step.result == StepResult::Failed).and_then(|step| step.problem.as_ref())
    }

    /// What a person should know although the test succeeded.
    pub fn warnings(&self) -> impl Iterator<Item = &Problem> {
        self.steps.iter().filter(|step| step.result == StepResult::Ok).filter_map(|step| step.problem.as_ref())
    }
}

impl Connectors {
    /// Tests a source step by step within `options.time_left`.
    pub async fn postgres_test(
        &self,
        tenant: &str,
        spec: &DataSourceSpec,
        scope: &ScopeFilter,
        options: &SessionOptions,
    ) -> TestReport {
        let mut steps = Steps::within(options.time_left);
        let mut report = TestReport::default();
        // The failure is in the steps; nothing else of it is needed here.
        let tested = Box::pin(self.test(tenant, spec, scope, options, &mut steps, &mut report)).await;
        drop(tested);
        report.steps = steps.finish();
        report
    }

    async fn test(
        &self,
        tenant: &str,
        spec: &DataSourceSpec,
        scope: &ScopeFilter,
        options: &SessionOptions,
        steps: &mut Steps,
        report: &mut TestReport,
    ) -> Result<(), Refused> {
        let plan = Box::pin(self.plan(tenant, spec, None, options, steps)).await?;
        let session = match Box::pin(self.open(&plan, steps)).await {
            Ok(session) => session,
            Err(problem) => return Err(Box::pin(self.look_around(&plan, problem, steps)).await),
        };
        let slow = |step: &'static str| move |limit: Duration| slow(step, limit);
        report.server =
            Some(steps.take(Step::Database, STEP_TIMEOUT, slow("asking for the version"), describe(&session)).await?);
        steps
            .take(Step::ReadOnly, STEP_TIMEOUT, slow("trying that nothing can be written"), refuse_writes(&session))
            .await?;
        report.latency_us = ping(&session).await;
        let found =
            steps.take(Step::Rights, STEP_TIMEOUT, slow("reading the rights"), rights::check(&session, scope)).await?;
        if let Some(warning) = found {
            steps.warn(Step::Rights, &warning);
        }
        Ok(())
    }

    /// After some failures another session can see what would help: names of databases, figures of a limit.
    async fn look_around(&self, plan: &Plan<'_>, mut problem: Refused, steps: &mut Steps) -> Refused {
        let step = match problem.code.as_str() {
            code::DATABASE_NOT_FOUND => Step::Database,
            code::SERVER_LIMIT if problem.step.as_deref() == Some("login") => Step::Login,
            _ => return problem,
        };
        let remedy = problem.remedy.take().unwrap_or_default();
        let seen = tokio::time::timeout(LOOK_AROUND.min(steps.time_left()), self.maintenance(plan)).await;
        let hint = match seen.ok().flatten() {
            Some(session) if step == Step::Database => near::databases(&session, &plan.database).await,
            Some(session) => near::connections(&session, &plan.database).await,
            None => None,
        };
        problem.remedy = Some(match hint {
            Some(hint) => format!("{remedy}; {hint}"),
            None if step == Step::Database => {
                format!(
                    "{remedy}; which ones exist could not be listed, because \"postgres\" could not be opened either"
                )
            }
            None => format!("{remedy}; the figures could not be read, because no session could be opened"),
        });
        steps.refine(step, &problem);
        problem
    }

    async fn maintenance(&self, plan: &Plan<'_>) -> Option<PgSession> {
        for database in ["postgres", "template1"] {
            if database == plan.database {
                continue;
            }
            let other = plan.on(database);
            if let Ok(session) = Box::pin(self.open(&other, &mut Steps::within(LOOK_AROUND))).await {
                return Some(session);
            }
        }
        None
    }
}

const DESCRIBE: &str = "SELECT version(), current_setting('server_version'), pg_is_in_recovery()";

async fn describe(session: &PgSession) -> Result<ServerInfo, Refused> {
    let rows = session.query(DESCRIBE, &[]).await?;
    let text = |column: usize| -> String {
        let full: String = rows.first().and_then(|row| row.try_get(column).ok()).unwrap_or_default();
        full.chars().filter(|c| !c.is_control()).take(100).collect()
    };
    let facts = session.facts();
    Ok(ServerInfo {
        product: text(0).split(' ').next().unwrap_or_default().to_owned(),
        version: text(1),
        tls_version: facts.version.clone(),
        cipher: facts.cipher.clone(),
        certificate_not_after: facts.certificate_not_after,
        read_only: rows.first().and_then(|row| row.try_get(2).ok()),
    })
}

const SETTINGS: &str = "SELECT current_setting('transaction_read_only') = 'on' \
     AND current_setting('statement_timeout') <> '0' AND current_setting('lock_timeout') <> '0' \
     AND current_setting('idle_in_transaction_session_timeout') <> '0'";

/// Tries a write that touches no object: a read-only session refuses the kind of statement before it looks for the
/// view, and one that is not read-only finds no such view in its own temporary schema.
const WRITE: &str = "DROP VIEW IF EXISTS pg_temp.pursight_writes_nothing";

async fn refuse_writes(session: &PgSession) -> Result<(), Refused> {
    let rows = session.query(SETTINGS, &[]).await?;
    let settings_hold = rows.first().is_some_and(|row| row.try_get(0).unwrap_or(false));
    match session.client.batch_execute(WRITE).await {
        Err(error) if error.code() == Some(&SqlState::READ_ONLY_SQL_TRANSACTION) && settings_hold => Ok(()),
        Err(error) if error.code() != Some(&SqlState::READ_ONLY_SQL_TRANSACTION) => {
            Err(statement_problem(&error, "trying that nothing can be written"))
        }
        _ => Err(with_native(
            with_sql(
                refused(
                    code::MISSING_GRANT,
                    "the session was set to read-only with timeouts, and the server does not keep to it",
                    "a pooler in between that drops session settings does this: connect to the server itself or use its \
                     session mode, or let an administrator make the role read-only by itself",
                ),
                format!(
                    "ALTER ROLE {0} SET default_transaction_read_only = on; ALTER ROLE {0} SET statement_timeout = '30s'; \
                     ALTER ROLE {0} SET lock_timeout = '500ms'; \
                     ALTER ROLE {0} SET idle_in_transaction_session_timeout = '10s';",
                    identifier(session.user())
                ),
            ),
            "not_read_only",
        )),
    }
}

async fn ping(session: &PgSession) -> Option<i64> {
    let mut times = Vec::with_capacity(PINGS);
    for _ in 0..PINGS {
        let started = Instant::now();
        session.query("SELECT 1", &[]).await.ok()?;
        times.push(micros(started.elapsed()));
    }
    times.sort_unstable();
    times.get(PINGS / 2).copied()
}

fn slow(doing: &str, limit: Duration) -> Refused {
    refused(
        code::STATEMENT_TIMEOUT,
        format!("the server did not finish {doing} within {:.1} s", limit.as_secs_f64()),
        "check the load of the server, then test again",
    )
}
